//! Moving an organisation from the embedded database to PostgreSQL.

use admit_store::copy::Summary;
use admit_store::postgres::PostgresStore;
use admit_store::sqlite::SqliteStore;
use tokio::sync::{mpsc, oneshot};

use crate::error::{Error, Result};

/// Pages of rows that may be on their way: what is read ahead of what is written.
const PAGES_WAITING_MAX: usize = 4;

/// Copies everything into an empty database, in one transaction. Before that is committed, the
/// counts of all tables and the roots of all audit logs, computed from the leaves that arrived, are
/// compared with the source. Nothing else can write to `from` meanwhile.
pub async fn to_postgres(from: &SqliteStore, to: &PostgresStore) -> Result<Summary> {
    let (pages, arriving) = mpsc::channel(PAGES_WAITING_MAX);
    let (tell, told) = oneshot::channel();
    let read = async {
        let read = from.export(pages).await?;
        // Nobody to tell: then the writer gave up, and says why.
        let _ = tell.send(read);
        Ok::<_, Error>(())
    };
    let (read, written) = tokio::join!(read, to.import(arriving, told));
    match (read, written?) {
        (_, None) => Err(Error::internal("the database has data already; give an empty one")),
        (Err(error), _) => Err(error),
        (Ok(()), Some(written)) => Ok(written),
    }
}
