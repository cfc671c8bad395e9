//! The embedded store: SQLite in WAL mode, one writer thread that groups commits, a few readers.
//!
//! `synchronous=FULL` and answers only after COMMIT: with NORMAL a power cut takes back admissions
//! that were already answered (docs/operate.md; the power-cut test shows it).

mod account;
mod admission;
mod anonymous;
mod copy;
mod event;
mod key;
mod lease;
mod log;
mod migration;
mod offline;
mod pass;
mod reader;
mod row;
mod sale;
mod spent;
mod ticket;
mod transfer;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction};
use tokio::sync::broadcast;

use crate::admission::{COMMITTED_BATCHES_MAX, ScanRecord};
use crate::{Result, StoreError};
use reader::Readers;
use writer::Writer;

/// How long a statement waits for another process's lock, in milliseconds.
const BUSY_TIMEOUT_MS: u64 = 5000;

/// How hard a commit is pushed to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Every commit is synced before it is answered: the only right choice.
    Full,
    /// Commits are synced at checkpoints only. Exists for the power-cut test, which must catch it.
    Normal,
}

/// The embedded store. Cheap to clone.
#[derive(Clone)]
pub struct SqliteStore {
    path: Arc<PathBuf>,
    writer: Writer,
    readers: Readers,
    committed: broadcast::Sender<Arc<[ScanRecord]>>,
}

impl SqliteStore {
    /// Opens the database file at `path`, making or upgrading it when needed. Blocks.
    pub fn open(path: &Path, durability: Durability) -> Result<Self> {
        let mut connection = connect(path, durability)?;
        migration::run(&mut connection)?;
        let (committed, _) = broadcast::channel(COMMITTED_BATCHES_MAX);
        let readers = Readers::open(path)?;
        let writer = Writer::start(connection, path, committed.clone())?;
        Ok(Self { path: Arc::new(path.to_owned()), writer, readers, committed })
    }

    /// Writes a consistent copy of the running database to `target`, which must not exist.
    pub async fn copy_to(&self, target: PathBuf) -> Result<()> {
        let path = Arc::clone(&self.path);
        let copy = move || -> Result<()> {
            // A connection of its own: copying a large database takes a while.
            let connection = connect(&path, Durability::Full)?;
            connection.execute("VACUUM INTO ?1", [target.to_string_lossy().as_ref()])?;
            Ok(())
        };
        let done = tokio::task::spawn_blocking(copy).await;
        done.map_err(|error| StoreError::Unavailable(error.to_string()))?
    }

    /// Resolves when the disk failed in a way after which the process must end; never otherwise.
    pub async fn broken(&self) -> String {
        self.writer.broken().await
    }

    /// At most this many writes share a commit; 1 is one transaction a request. For measuring what
    /// sharing is worth.
    pub fn limit_batch(&self, jobs: usize) {
        self.writer.limit_batch(jobs);
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Statements that read or wrote through this store so far: shows that a forged ticket costs
    /// no query.
    pub fn queries(&self) -> u64 {
        self.writer.jobs() + self.readers.jobs()
    }

    async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.writer.write(job).await
    }

    async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.readers.read(job).await
    }
}

fn connect(path: &Path, durability: Durability) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    // Erasing a person must overwrite the bytes, not only unlink them.
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    // Negative: KiB.
    connection.pragma_update(None, "cache_size", -65_536)?;
    // The checkpointer thread does it, away from the commits.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    // A log that had to grow in a rush is cut when it begins anew.
    connection.pragma_update(None, "journal_size_limit", writer::WAL_BYTES_MAX.cast_signed())?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

fn connect_to_read(path: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS))?;
    connection.pragma_update(None, "query_only", "ON")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

impl From<rusqlite::Error> for StoreError {
    /// An I/O error of the disk is final (an fsync that failed may have dropped the data it was
    /// asked to keep); anything else may pass.
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, SystemIoFailure};
        match error.sqlite_error_code() {
            Some(SystemIoFailure | DatabaseCorrupt | NotADatabase) => {
                Self::Broken(error.to_string())
            }
            _ => Self::Unavailable(error.to_string()),
        }
    }
}
