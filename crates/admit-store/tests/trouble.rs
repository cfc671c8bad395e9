//! A slow database, a pool that is used up, several servers at once: what callers are told, and that
//! all is well again without opening the store anew.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

#[expect(dead_code, reason = "only some of these facts are about a cluster that goes away")]
#[path = "common/postgres.rs"]
mod postgres;
#[expect(dead_code, reason = "these facts need tickets and scans only")]
#[path = "common/subject.rs"]
mod subject;

use std::sync::Arc;

use admit_core::admission::Scan;
use admit_core::id::ScanId;
use admit_core::stats::Outcome;
use admit_core::ticket::Verified;
use admit_store::account::Accounts;
use admit_store::account::{Role, User};
use admit_store::admission::{Admissions, Recorded, ScanRecord};
use admit_store::event::Events;
use admit_store::postgres::PostgresStore;
use admit_store::{StoreError, WRITE_QUEUE_MAX};
use postgres::Cluster;
use subject::{LOG_KEY, NOW, issue, new_ticket, subject, verified};
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls};

/// Connections that the store's pool has.
const POOL: usize = 16;

struct Setting {
    cluster: Cluster,
    address: String,
    store: PostgresStore,
}

impl Setting {
    async fn new() -> Self {
        let cluster = Cluster::start().unwrap();
        let address = cluster.address(&cluster.create_database().unwrap());
        let store = PostgresStore::open(&address, None).await.unwrap();
        Self { cluster, address, store }
    }

    /// Somebody else who holds a table, in a transaction.
    async fn hold(&self, table: &str) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.address, NoTls).await.unwrap();
        tokio::spawn(connection);
        let lock = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
        client.batch_execute(&lock).await.unwrap();
        client
    }
}

/// Tickets of a new event.
async fn tickets(store: &PostgresStore, count: u32) -> Vec<Verified> {
    let subject = subject(Arc::new(store.clone())).await;
    let mut tickets = Vec::new();
    for random in 0..count {
        tickets.push(verified(&issue(&subject, new_ticket(subject.event, random)).await));
    }
    tickets
}

/// A scan whose name no other number has.
fn scan(number: u128) -> Scan {
    Scan { id: ScanId(number.to_be_bytes()), ..subject::scan(0, 1) }
}

fn user(number: usize) -> User {
    let name = format!("user{number}");
    User { name, password_hash: "x".to_owned(), role: Role::Viewer }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_database_is_told_and_forgotten_when_it_moves_again() {
    let setting = Setting::new().await;
    let ticket = tickets(&setting.store, 1).await.remove(0);
    let holder = setting.hold("spend").await;
    let stuck = setting.store.admit(ticket, scan(1), LOG_KEY).await;
    assert!(matches!(stuck, Err(StoreError::Unavailable(_))), "{stuck:?}");
    holder.batch_execute("ROLLBACK").await.unwrap();
    let recorded = setting.store.admit(ticket, scan(1), LOG_KEY).await.unwrap();
    assert!(matches!(recorded, Recorded::New(..)));
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_beyond_the_queue_are_refused_at_once() {
    let setting = Setting::new().await;
    let ticket = tickets(&setting.store, 1).await.remove(0);
    let _holder = setting.hold("spend").await;
    let mut scans = JoinSet::new();
    // What is waited for, and the batch that is stuck already, and one too many.
    for number in 0..=WRITE_QUEUE_MAX + 1024 {
        let store = setting.store.clone();
        let scan = scan(u128::try_from(number).unwrap());
        scans.spawn(async move { store.admit(ticket, scan, LOG_KEY).await });
    }
    let first = scans.join_next().await.unwrap().unwrap();
    assert!(matches!(first, Err(StoreError::Busy)), "{first:?}");
    scans.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_is_used_up_says_busy_and_the_gates_go_on() {
    let setting = Setting::new().await;
    let ticket = tickets(&setting.store, 1).await.remove(0);
    let holder = setting.hold("staff").await;
    let mut writes = JoinSet::new();
    for number in 0..=POOL {
        let store = setting.store.clone();
        writes.spawn(async move { store.put_user(user(number), NOW).await });
    }
    let recorded = setting.store.admit(ticket, scan(1), LOG_KEY).await.unwrap();
    assert!(matches!(recorded, Recorded::New(..)));
    let first = writes.join_next().await.unwrap().unwrap();
    assert!(matches!(first, Err(StoreError::Busy)), "{first:?}");
    holder.batch_execute("ROLLBACK").await.unwrap();
    writes.join_all().await;
    setting.store.put_user(user(0), NOW).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_servers_may_make_the_tables_at_once() {
    let cluster = Cluster::start().unwrap();
    let address = cluster.address(&cluster.create_database().unwrap());
    let mut servers = JoinSet::new();
    for _ in 0..8 {
        let address = address.clone();
        servers.spawn(async move { PostgresStore::open(&address, None).await.map(drop) });
    }
    let faults: Vec<_> = servers.join_all().await.into_iter().filter_map(Result::err).collect();
    assert!(faults.is_empty(), "{faults:?}");
}

/// Scans as they are told, until there are so many.
async fn told(
    committed: &mut broadcast::Receiver<Arc<[ScanRecord]>>,
    count: usize,
) -> Vec<ScanRecord> {
    let mut scans = Vec::new();
    while scans.len() < count {
        scans.extend_from_slice(&committed.recv().await.unwrap());
    }
    scans
}

#[tokio::test(flavor = "multi_thread")]
async fn each_server_is_told_every_scan_once_and_in_order() {
    let setting = Setting::new().await;
    let other = PostgresStore::open(&setting.address, None).await.unwrap();
    let tickets = tickets(&setting.store, 50).await;
    let (mut here, mut there) = (setting.store.committed(), other.committed());
    let mut scans = JoinSet::new();
    for (number, ticket) in tickets.iter().enumerate() {
        // Both servers are asked about each ticket.
        for (store, more) in [(&setting.store, 0), (&other, 1000)] {
            let (store, ticket) = (store.clone(), *ticket);
            let scan = scan(u128::try_from(number + more).unwrap());
            scans.spawn(async move { store.admit(ticket, scan, LOG_KEY).await.unwrap() });
        }
    }
    let recorded = scans.join_all().await;
    let admitted = |recorded: &&Recorded| matches!(recorded, Recorded::New(r, _) if r.outcome == Outcome::Admit { use_no: 1 });
    assert_eq!(recorded.iter().filter(admitted).count(), tickets.len());
    let (here, there) = (told(&mut here, 100).await, told(&mut there, 100).await);
    let positions: Vec<_> = here.iter().map(|scan| scan.seq).collect();
    assert_eq!(positions, (1..=100).collect::<Vec<_>>());
    assert_eq!(here, there);
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_of_another_server_are_told_also_after_the_database_was_away() {
    let setting = Setting::new().await;
    let other = PostgresStore::open(&setting.address, None).await.unwrap();
    let ticket = tickets(&setting.store, 1).await.remove(0);
    let mut there = other.committed();
    setting.cluster.crash().unwrap();
    setting.cluster.begin().unwrap();
    let recorded = loop {
        if let Ok(recorded) = setting.store.admit(ticket, scan(1), LOG_KEY).await {
            break recorded;
        }
    };
    let Recorded::New(record, _) = recorded else { panic!("{recorded:?}") };
    assert_eq!(told(&mut there, 1).await, [record]);
    assert!(other.events().await.is_ok());
}
