//! Moving an organisation from the embedded database to PostgreSQL.

use admit_store::copy::Copied;
use admit_store::postgres::PostgresStore;
use admit_store::sqlite::SqliteStore;
use tokio::sync::mpsc;

use crate::error::{Error, Result};

/// Pages of rows that may be on their way: what is read ahead of what is written.
const PAGES_WAITING_MAX: usize = 4;

/// Copies everything into an empty database, in one transaction, and compares the counts before it
/// is committed. Nothing else may write to `from` meanwhile: it is locked.
pub async fn to_postgres(from: &SqliteStore, to: &PostgresStore) -> Result<Vec<Copied>> {
    let (pages, read) = mpsc::channel(PAGES_WAITING_MAX);
    let (sent, written) = tokio::join!(from.export(pages), to.import(read));
    // The reader's own error says more than the writer's, who only sees that nothing comes.
    let sent = sent?;
    let written = written?.ok_or_else(|| {
        Error::internal("the database has data already; give an empty one".to_owned())
    })?;
    if sent != written {
        return Err(Error::internal(format!("counts differ: {sent:?} and {written:?}")));
    }
    Ok(written)
}
