//! Where the facts are kept: in the data folder, or in a PostgreSQL that several servers share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use admit_store::Store;
use admit_store::postgres::PostgresStore;
use admit_store::sqlite::{Durability, SqliteStore};

use crate::error::{Error, Result};

/// Environment variable with the address of the database.
pub const DATABASE_VARIABLE: &str = "ADMIT_DATABASE";
/// Environment variable with the name of the file that has its password.
pub const PASSWORD_VARIABLE: &str = "ADMIT_DATABASE_PASSWORD_FILE";

/// Which database.
#[derive(Clone)]
pub enum Database {
    /// A file in the data folder.
    Embedded(Durability),
    /// A PostgreSQL.
    Server(Address),
}

/// Where a PostgreSQL is.
#[derive(Clone)]
pub struct Address {
    /// `postgres://…`
    pub url: String,
    /// A file with the password, when it is not in the address.
    pub password: Option<PathBuf>,
}

impl Database {
    /// The one at `address`, or the data folder's own.
    pub fn at(address: Option<Address>) -> Self {
        address.map_or(Self::Embedded(Durability::Full), Self::Server)
    }

    /// Opens it; `file` is where the data folder keeps its own.
    pub async fn open(&self, file: &Path) -> Result<OpenDatabase> {
        match self {
            Self::Embedded(durability) => {
                Ok(OpenDatabase::Embedded(SqliteStore::open(file, *durability)?))
            }
            Self::Server(Address { url, password }) => {
                let password = password.as_deref().map(read).transpose()?;
                let password = password.as_deref().map(str::trim_end);
                Ok(OpenDatabase::Server(PostgresStore::open(url, password).await?))
            }
        }
    }
}

/// The text of a file whose rights are set by whoever runs us.
fn read(file: &Path) -> Result<String> {
    let fault = |error| Error::internal(format!("{}: {error}", file.display()));
    std::fs::read_to_string(file).map_err(fault)
}

/// A database that was opened.
#[derive(Clone)]
pub enum OpenDatabase {
    /// A file in the data folder.
    Embedded(SqliteStore),
    /// A PostgreSQL.
    Server(PostgresStore),
}

impl OpenDatabase {
    /// The facts, whichever database they are in.
    pub fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Embedded(store) => Arc::new(store.clone()),
            Self::Server(store) => Arc::new(store.clone()),
        }
    }

    /// The file's store, for what only a file can do; `what` says what that is.
    pub fn embedded(&self, what: &str) -> Result<&SqliteStore> {
        match self {
            Self::Embedded(store) => Ok(store),
            Self::Server(_) => Err(Error::internal(format!(
                "{what} (docs/postgresql.md tells how with PostgreSQL)"
            ))),
        }
    }

    /// Resolves when nothing written from now on could be trusted and the process must end; never
    /// otherwise. A PostgreSQL is its own judge: it ends itself, and is waited for.
    pub async fn broken(&self) -> String {
        match self {
            Self::Embedded(store) => store.broken().await,
            Self::Server(_) => std::future::pending().await,
        }
    }

    /// At most this many scans share a commit, to measure what sharing is worth.
    pub fn limit_batch(&self, jobs: usize) {
        match self {
            Self::Embedded(store) => store.limit_batch(jobs),
            Self::Server(store) => store.limit_batch(jobs),
        }
    }
}
