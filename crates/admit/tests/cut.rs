//! The connection to the database is cut in the middle of a commit, whose outcome nobody knows: the
//! same scan id finds it out.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

#[path = "common/client.rs"]
mod client;
#[expect(dead_code, reason = "these tests need a cluster that is left alone")]
#[path = "../../admit-store/tests/common/postgres.rs"]
mod postgres;
#[path = "common/proxy.rs"]
mod proxy;
#[expect(dead_code, reason = "no site here is on the data folder's own database")]
#[path = "common/site.rs"]
mod site;

use client::{Answer, Client, new_scan_id};
use postgres::{Cluster, address_at};
use proxy::{Cut, Proxy};
use site::Site;

/// What a device is told whose scan meets the cut, and what it is told when it asks again.
fn cut(cut: Cut) -> (Site, Answer, Answer) {
    let cluster = Cluster::start().unwrap();
    let database = cluster.create_database().unwrap();
    let proxy = Proxy::start(cluster.port());
    let site = Site::on(Some(address_at(proxy.port, &database)));
    let kind = site.add_type(1);
    let tickets = site.issue(&kind, 1);
    let server = site.start(&[], &[]);
    let token = site.pair(server.port);
    let mut client = Client::connect(server.port).unwrap();
    let scan_id = new_scan_id();
    proxy.cut_next(cut);
    let mut present = || client.present(&token, &tickets[0].code, &scan_id).unwrap();
    let first = present();
    assert!(!proxy.is_armed());
    let again = loop {
        let again = present();
        if again.status != 503 {
            break again;
        }
    };
    let books = site.books();
    assert_eq!(books.len(), 1);
    assert_eq!((&books[0].scan_id, &books[0].ticket), (&scan_id, &tickets[0].number));
    assert_eq!(books[0].outcome, "admit");
    drop(server);
    drop(cluster);
    (site, first, again)
}

#[test]
fn an_admission_that_was_committed_unheard_is_found_by_its_id() {
    let (_, first, again) = cut(Cut::After);
    assert_eq!((first.status, first.body["code"].as_str()), (503, Some("unavailable")));
    assert_eq!(first.body["retry_after_s"], 1);
    assert_eq!((again.status, &again.body["repeated"]), (200, &true.into()));
}

#[test]
fn an_admission_that_was_never_committed_is_made_when_it_comes_again() {
    let (_, first, again) = cut(Cut::Before);
    assert_eq!(first.status, 503);
    assert_eq!((again.status, &again.body["repeated"]), (200, &false.into()));
}
