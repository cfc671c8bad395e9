//! The same on each store: in the data folder, and on a PostgreSQL of our own.

use super::postgres::Cluster;
use super::site::Site;

/// Runs a test on a fresh site of each kind.
pub(crate) fn on_each_store(test: impl Fn(&Site)) {
    test(&Site::new());
    let cluster = Cluster::start().unwrap();
    let database = cluster.create_database().unwrap();
    test(&Site::on(Some(cluster.address(&database))));
}
