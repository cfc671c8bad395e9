//! The store for several servers: PostgreSQL, one batcher per process that groups commits, a pool
//! for everything else, and a feed that sees what other servers commit.
//!
//! Rows are locked in one order everywhere: `book`, `ticket_type`, `event`, `spend` (by event and
//! digest), and last `log` (by event), which is held until the commit. READ COMMITTED: the locks,
//! not the isolation level, make an admission happen once (docs/postgresql.md).

mod account;
mod admission;
mod anonymous;
mod append;
mod connect;
mod copy;
mod event;
mod feed;
mod key;
mod lease;
mod log;
mod migration;
mod offline;
mod pass;
mod row;
mod sale;
mod spent;
mod ticket;
mod transfer;
mod writer;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use deadpool_postgres::{Pool, PoolError, Transaction};
use tokio::sync::broadcast;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{IsolationLevel, Row};

use crate::admission::{COMMITTED_BATCHES_MAX, ScanRecord};
use crate::{Result, StoreError};
use connect::{POOL_WAITING_MAX, Target};
use feed::Feed;
use log::Edges;
use writer::Writer;

/// How often a transaction is tried when others keep getting in its way.
const ATTEMPTS_MAX: u32 = 5;

/// Parameters of a statement.
type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A future in a box.
type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The store on PostgreSQL. Cheap to clone.
#[derive(Clone)]
pub struct PostgresStore {
    pool: Pool,
    writer: Writer,
    feed: Feed,
    edges: Edges,
    committed: broadcast::Sender<Arc<[ScanRecord]>>,
}

impl PostgresStore {
    /// Connects to the database at `address` (`postgres://…`), making or upgrading its tables. The
    /// password may be given apart, so that the address can be shown.
    pub async fn open(address: &str, password: Option<&str>) -> Result<Self> {
        let target = Target::parse(address, password)?;
        let mut client = target.connect(None).await.map_err(Fault::from)?;
        demand_fsync(&client).await?;
        migration::run(&mut client).await?;
        drop(client);
        let pool = target.pool()?;
        let (committed, _) = broadcast::channel(COMMITTED_BATCHES_MAX);
        let feed = Feed::start(&target, pool.clone(), committed.clone()).await?;
        let edges = Edges::default();
        let writer = Writer::start(target, feed.clone(), edges.clone())?;
        Ok(Self { pool, writer, feed, edges, committed })
    }

    /// At most this many scans share a commit; 1 is one transaction a request. For measuring what
    /// sharing is worth.
    pub fn limit_batch(&self, jobs: usize) {
        self.writer.limit_batch(jobs);
    }

    async fn client(&self) -> Result<deadpool_postgres::Object> {
        if self.pool.status().waiting >= POOL_WAITING_MAX {
            return Err(StoreError::Busy);
        }
        self.pool.get().await.map_err(|error| match error {
            PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => StoreError::Busy,
            PoolError::Backend(error) => Fault::from(error).into(),
            other => StoreError::Unavailable(other.to_string()),
        })
    }

    async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>> {
        let client = self.client().await?;
        Ok(query(&client, sql, params).await?)
    }

    async fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64> {
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await.map_err(Fault::from)?;
        Ok(client.execute(&statement, params).await.map_err(Fault::from)?)
    }

    /// Runs `job` in a transaction, again when another one got in its way.
    async fn transact<T: Send + 'static>(
        &self,
        job: impl for<'a> Fn(&'a Transaction<'a>) -> Boxed<'a, Done<T>> + Send + Sync,
    ) -> Done<T> {
        let mut attempt = 1;
        loop {
            let mut client = self.client().await?;
            match once(&mut client, &job).await {
                Err(fault) if fault.may_pass() && attempt < ATTEMPTS_MAX => attempt += 1,
                end => return end,
            }
        }
    }

    /// Like [`Self::transact`], for what servers keep in memory: they read it again within a second.
    async fn transact_books<T: Send + 'static>(
        &self,
        job: impl for<'a> Fn(&'a Transaction<'a>) -> Boxed<'a, Done<T>> + Send + Sync,
    ) -> Done<T> {
        self.transact(|tx| {
            let job = job(tx);
            Box::pin(async move {
                tx.execute("UPDATE book SET version = version + 1", &[]).await?;
                job.await
            })
        })
        .await
    }
}

async fn once<T: Send + 'static>(
    client: &mut deadpool_postgres::Object,
    job: &(impl for<'a> Fn(&'a Transaction<'a>) -> Boxed<'a, Done<T>> + Sync),
) -> Done<T> {
    let level = IsolationLevel::ReadCommitted;
    let tx = client.build_transaction().isolation_level(level).start().await?;
    let value = job(&tx).await?;
    tx.commit().await?;
    Ok(value)
}

async fn query(
    client: &impl deadpool_postgres::GenericClient,
    sql: &str,
    params: Params<'_>,
) -> Done<Vec<Row>> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query(&statement, params).await?)
}

/// A database that does not sync its log loses answered admissions in a power cut.
async fn demand_fsync(client: &tokio_postgres::Client) -> Result<()> {
    let off = client
        .query("SELECT 1 FROM pg_settings WHERE name = 'fsync' AND setting = 'off'", &[])
        .await
        .map_err(Fault::from)?;
    if off.is_empty() {
        return Ok(());
    }
    Err(StoreError::Unavailable("the database runs with fsync = off; turn it on".to_owned()))
}

/// Why a statement gave no result, while it still matters whether trying again helps.
enum Fault {
    /// The database said so, or could not be reached.
    Database(tokio_postgres::Error),
    /// We said so.
    Store(StoreError),
    /// Leases moved between reading them and holding the log: decide again.
    LeasesMoved,
}

/// The outcome of a step inside a transaction.
type Done<T> = std::result::Result<T, Fault>;

impl Fault {
    fn state(&self) -> Option<&SqlState> {
        match self {
            Self::Database(error) => error.code(),
            Self::Store(_) | Self::LeasesMoved => None,
        }
    }

    /// Whether another transaction got in the way; this one left nothing behind.
    fn may_pass(&self) -> bool {
        matches!(self, Self::LeasesMoved)
            || self.state().is_some_and(|state| {
                *state == SqlState::T_R_SERIALIZATION_FAILURE
                    || *state == SqlState::T_R_DEADLOCK_DETECTED
            })
    }

    /// Whether a row with this name is there already.
    fn is_taken(&self) -> bool {
        self.state().is_some_and(|state| *state == SqlState::UNIQUE_VIOLATION)
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Store(error) => error,
            Fault::LeasesMoved => Self::Unavailable("leases moved; ask again".to_owned()),
            // The detail of an error may quote a row; its message and its code do not.
            Fault::Database(error) => Self::Unavailable(match error.as_db_error() {
                Some(told) => format!("{} ({})", told.message(), told.code().code()),
                None => error.to_string(),
            }),
        }
    }
}
