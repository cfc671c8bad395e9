//! Other ways to use a ticket up in PostgreSQL, to compare with: without HTTP, signatures and audit
//! log, all of which ours has.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use hdrhistogram::Histogram;
use tokio::sync::Semaphore;
use tokio::task::LocalSet;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls, Statement};

use crate::load::Outcome;

/// Connections that the clients share.
const POOL: usize = 64;

/// How a ticket is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The seed document's: serialisable, `SELECT … FOR UPDATE SKIP LOCKED`, then write.
    SkipLocked,
    /// One conditional write, committed by itself.
    Update,
}

/// Makes the tables that the rivals and pgbench work on.
pub(super) async fn prepare(address: &str, tickets: usize) -> Result<()> {
    let client = connect(address).await?;
    client
        .batch_execute(&format!(
            "CREATE TABLE ticket (id BIGINT PRIMARY KEY, status TEXT NOT NULL, used_at BIGINT)
               WITH (fillfactor = 80);
             CREATE TABLE admission (ticket BIGINT NOT NULL, at BIGINT NOT NULL);
             INSERT INTO ticket SELECT n, 'issued' FROM generate_series(1, {tickets}) AS n;
             ANALYZE ticket; CHECKPOINT"
        ))
        .await?;
    Ok(())
}

pub(super) async fn connect(address: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(address, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// A connection with its statements prepared.
struct Session {
    client: Client,
    find: Statement,
    mark: Statement,
    note: Statement,
    update: Statement,
}

impl Session {
    async fn open(address: &str) -> Result<Self> {
        let client = connect(address).await?;
        let find = "SELECT status FROM ticket WHERE id = $1 FOR UPDATE SKIP LOCKED";
        let mark = "UPDATE ticket SET status = 'used', used_at = 1 WHERE id = $1";
        let update = "UPDATE ticket SET status = 'used', used_at = 1
             WHERE id = $1 AND status = 'issued'";
        Ok(Self {
            find: client.prepare(find).await?,
            mark: client.prepare(mark).await?,
            note: client.prepare("INSERT INTO admission VALUES ($1, 1)").await?,
            update: client.prepare(update).await?,
            client,
        })
    }

    async fn use_up(&self, way: Way, ticket: i64) -> Result<()> {
        match way {
            Way::Update => {
                self.client.execute(&self.update, &[&ticket]).await?;
                Ok(())
            }
            Way::SkipLocked => loop {
                match self.skip_locked(ticket).await {
                    Err(error) if error.code() == Some(&SqlState::T_R_SERIALIZATION_FAILURE) => {
                        self.client.batch_execute("ROLLBACK").await?;
                    }
                    end => return Ok(end?),
                }
            },
        }
    }

    async fn skip_locked(&self, ticket: i64) -> Result<(), tokio_postgres::Error> {
        self.client.batch_execute("BEGIN ISOLATION LEVEL SERIALIZABLE").await?;
        self.client.query_opt(&self.find, &[&ticket]).await?;
        self.client.execute(&self.mark, &[&ticket]).await?;
        self.client.execute(&self.note, &[&ticket]).await?;
        self.client.batch_execute("COMMIT").await
    }
}

/// Lets clients use tickets up for a while, each ticket once and in no order.
pub(super) fn run(
    address: &str,
    way: Way,
    clients: usize,
    tickets: usize,
    length: Duration,
) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, drive(address, way, clients, tickets, length))
}

async fn drive(
    address: &str,
    way: Way,
    clients: usize,
    tickets: usize,
    length: Duration,
) -> Result<Outcome> {
    let mut sessions = Vec::new();
    for _ in 0..POOL {
        sessions.push(Rc::new(Session::open(address).await?));
    }
    let idle = Rc::new(RefCell::new(sessions));
    let turns = Rc::new(Semaphore::new(POOL));
    let histogram = Histogram::new_with_max(60_000_000, 3).map_err(|error| anyhow!("{error}"))?;
    let latency = Rc::new(RefCell::new(histogram));
    let next = Rc::new(Cell::new(0_usize));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let (idle, turns) = (Rc::clone(&idle), Rc::clone(&turns));
            let (latency, next) = (Rc::clone(&latency), Rc::clone(&next));
            tokio::task::spawn_local(async move {
                while begun.elapsed() < length && next.get() < tickets {
                    let place = next.replace(next.get().saturating_add(1));
                    let asked = Instant::now();
                    let _turn = turns.acquire().await?;
                    let session = idle.borrow_mut().pop().context("no session")?;
                    session.use_up(way, scattered(place, tickets)?).await?;
                    idle.borrow_mut().push(session);
                    let us = u64::try_from(asked.elapsed().as_micros())?;
                    latency.borrow_mut().saturating_record(us);
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    let latency = latency.borrow().clone();
    Ok(Outcome { done: latency.len(), elapsed: begun.elapsed(), latency })
}

/// Each ticket once, far from the one before: a step that shares no factor with any of our counts.
fn scattered(place: usize, tickets: usize) -> Result<i64> {
    const STEP: usize = 15_485_863;
    let id = place.wrapping_mul(STEP).checked_rem(tickets).context("no tickets")?;
    Ok(i64::try_from(id)?.saturating_add(1))
}
