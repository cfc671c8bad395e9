//! What `SELECT … FOR UPDATE SKIP LOCKED` in a serialisable transaction tells those who come second,
//! and why the store does not use it (docs/postgresql.md).
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

#[expect(dead_code, reason = "these facts need a cluster that is left alone")]
#[path = "common/postgres.rs"]
mod postgres;

use postgres::Cluster;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, NoTls};

/// How the seed document asks for a ticket.
const SEED: &str = "SELECT status FROM ticket WHERE id = 1 FOR UPDATE SKIP LOCKED";
/// How it marks one.
const USE: &str = "UPDATE ticket SET status = 'used' WHERE id = 1";
/// The single conditional write, which waits for whoever is first.
const CONDITIONAL: &str = "UPDATE ticket SET status = 'used' WHERE id = 1 AND status = 'issued'";

/// Two gates at one issued ticket, each in a serialisable transaction.
struct Gates {
    one: Client,
    two: Client,
    _cluster: Cluster,
}

impl Gates {
    async fn new() -> Self {
        let cluster = Cluster::start().unwrap();
        let database = cluster.address(&cluster.create_database().unwrap());
        let (one, two) = (connect(&database).await, connect(&database).await);
        let table = "CREATE TABLE ticket (id BIGINT PRIMARY KEY, status TEXT NOT NULL);
             INSERT INTO ticket VALUES (1, 'issued')";
        one.batch_execute(table).await.unwrap();
        Self { one, two, _cluster: cluster }
    }

    /// The first gate has the ticket and has not committed.
    async fn with_one_ahead() -> Self {
        let gates = Self::new().await;
        begin(&gates.one).await;
        assert_eq!(ask(&gates.one).await.unwrap().as_deref(), Some("issued"));
        gates.one.execute(USE, &[]).await.unwrap();
        begin(&gates.two).await;
        gates
    }
}

async fn connect(database: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(database, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn begin(client: &Client) {
    client.batch_execute("BEGIN ISOLATION LEVEL SERIALIZABLE").await.unwrap();
}

async fn ask(client: &Client) -> Result<Option<String>, Error> {
    Ok(client.query_opt(SEED, &[]).await?.map(|row| row.get(0)))
}

#[tokio::test]
async fn the_loser_cannot_tell_a_busy_ticket_from_one_that_does_not_exist() {
    let gates = Gates::with_one_ahead().await;
    let missing = SEED.replace("id = 1", "id = 2");
    let busy = ask(&gates.two).await.unwrap();
    let unknown: Option<String> =
        gates.two.query_opt(&missing, &[]).await.unwrap().map(|row| row.get(0));
    assert_eq!((busy, unknown), (None, None));
}

#[tokio::test]
async fn when_the_winner_rolls_back_both_were_refused_and_the_ticket_is_still_issued() {
    let gates = Gates::with_one_ahead().await;
    // The loser is told that there is no such ticket, and goes away.
    assert_eq!(ask(&gates.two).await.unwrap(), None);
    gates.two.batch_execute("COMMIT").await.unwrap();
    gates.one.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(ask(&gates.two).await.unwrap().as_deref(), Some("issued"));
}

#[tokio::test]
async fn asking_again_in_the_same_transaction_fails_once_the_winner_has_committed() {
    let gates = Gates::with_one_ahead().await;
    assert_eq!(ask(&gates.two).await.unwrap(), None);
    gates.one.batch_execute("COMMIT").await.unwrap();
    let error = ask(&gates.two).await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::T_R_SERIALIZATION_FAILURE));
}

#[tokio::test]
async fn a_conditional_write_waits_for_the_winner_and_then_knows() {
    let Gates { one, two, _cluster } = Gates::new().await;
    one.batch_execute("BEGIN").await.unwrap();
    assert_eq!(one.execute(CONDITIONAL, &[]).await.unwrap(), 1);
    let loser = tokio::spawn(async move { two.execute(CONDITIONAL, &[]).await.unwrap() });
    one.batch_execute("COMMIT").await.unwrap();
    assert_eq!(loser.await.unwrap(), 0);
}

#[tokio::test]
async fn a_conditional_write_succeeds_when_the_winner_rolls_back() {
    let Gates { one, two, _cluster } = Gates::new().await;
    one.batch_execute("BEGIN").await.unwrap();
    assert_eq!(one.execute(CONDITIONAL, &[]).await.unwrap(), 1);
    let loser = tokio::spawn(async move { two.execute(CONDITIONAL, &[]).await.unwrap() });
    one.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(loser.await.unwrap(), 1);
}
