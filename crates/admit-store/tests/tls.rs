//! Encrypted connections to the database, and the password.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "common/postgres.rs"]
#[expect(dead_code, reason = "these facts need only one cluster")]
mod postgres;

use admit_store::StoreError;
use admit_store::postgres::PostgresStore;
use postgres::Cluster;

/// Everybody from the network is asked for a password, and must come encrypted.
const ACCESS: &str = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";

/// A database that speaks TLS, and its address.
struct Guarded {
    cluster: Cluster,
    address: String,
}

impl Guarded {
    fn new() -> Self {
        let cluster = Cluster::start().unwrap();
        let database = cluster.create_database().unwrap();
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        cluster.file("server.pem", &made.cert.pem()).unwrap();
        cluster.file("access", ACCESS).unwrap();
        let key = cluster.file("server.key", &made.signing_key.serialize_pem()).unwrap();
        let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&key, owner_only).unwrap();
        let folder = key.parent().unwrap().to_str().unwrap().to_owned();
        let changes = [
            "ALTER ROLE postgres PASSWORD 'the word'".to_owned(),
            format!("ALTER SYSTEM SET ssl_cert_file = '{folder}/server.pem'"),
            format!("ALTER SYSTEM SET ssl_key_file = '{folder}/server.key'"),
            format!("ALTER SYSTEM SET hba_file = '{folder}/access'"),
            "ALTER SYSTEM SET ssl = on".to_owned(),
        ];
        let mut psql = cluster.program("psql");
        psql.args(["--quiet", "--no-psqlrc", &cluster.address(&database)]);
        for change in changes {
            psql.args(["--command", &change]);
        }
        assert!(psql.status().unwrap().success());
        cluster.crash().unwrap();
        cluster.begin().unwrap();
        let root = format!("{folder}/server.pem");
        let address = cluster.address(&database);
        Self { cluster, address: format!("{address}?sslmode=verify-full&sslrootcert={root}") }
    }
}

async fn open(address: &str, password: &str) -> Result<(), StoreError> {
    PostgresStore::open(address, Some(password)).await.map(drop)
}

#[tokio::test]
async fn a_server_that_the_authority_vouches_for_is_spoken_to_under_the_right_password() {
    let guarded = Guarded::new();
    open(&guarded.address, "the word").await.unwrap();
    let wrong = open(&guarded.address, "another").await.unwrap_err().to_string();
    assert!(wrong.contains("28P01"), "{wrong}");
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_not_spoken_to() {
    let guarded = Guarded::new();
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let root = guarded.cluster.file("other.pem", &other.cert.pem()).unwrap();
    let root = root.to_str().unwrap();
    let address = guarded.address.split('?').next().unwrap();
    let strange = format!("{address}?sslmode=require&sslrootcert={root}");
    assert!(open(&strange, "the word").await.is_err());
}
