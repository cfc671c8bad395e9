//! Writing everything into an empty PostgreSQL.

use std::pin::pin;

use admit_core::log::rebuild::Rebuild;
use deadpool_postgres::Transaction;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked};

use super::{Done, PostgresStore};
use crate::copy::{Cell, Copied, CopiedLog, Page, Summary, TABLES, known};
use crate::{Result, StoreError};

impl PostgresStore {
    /// Takes rows until `pages` ends; says what there then is, and commits it when `read` is the
    /// same. None, and nothing changed, when the database was not empty.
    pub async fn import(
        &self,
        mut pages: mpsc::Receiver<Page>,
        read: oneshot::Receiver<Summary>,
    ) -> Result<Option<Summary>> {
        let mut client = self.client().await?;
        let tx = client.transaction().await.map_err(super::Fault::from)?;
        // A large organisation takes longer than a request may. The locks keep servers out.
        let tables = TABLES.join(", ");
        let begin = format!(
            "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;
             LOCK TABLE {tables} IN EXCLUSIVE MODE"
        );
        tx.batch_execute(&begin).await.map_err(super::Fault::from)?;
        if counts(&tx).await?.iter().any(|copied| copied.rows > 0) {
            return Ok(None);
        }
        while let Some(page) = pages.recv().await {
            write(&tx, &page).await?;
        }
        let written = finish(&tx).await?;
        // The reader says at its end what it read; without that word nothing is committed.
        let read = read.await.map_err(|_| stopped("the rows could not all be read"))?;
        if read != written {
            return Err(stopped(&format!(
                "what was read is not what was written: {read:?} and {written:?}"
            )));
        }
        tx.commit().await.map_err(super::Fault::from)?;
        Ok(Some(written))
    }
}

async fn counts(tx: &Transaction<'_>) -> Done<Vec<Copied>> {
    let mut all = Vec::new();
    for table in TABLES {
        let row = tx.query_one(&format!("SELECT COUNT(*) FROM {table}"), &[]).await?;
        all.push(Copied { table, rows: row.try_get(0)? });
    }
    Ok(all)
}

async fn write(tx: &Transaction<'_>, page: &Page) -> Done<()> {
    let table = known(page.table)?;
    let columns = page.columns.join(", ");
    let described = tx.prepare(&format!("SELECT {columns} FROM {table} LIMIT 0")).await?;
    let types: Vec<Type> =
        described.columns().iter().map(|column| column.type_().clone()).collect();
    let sql = format!("COPY {table} ({columns}) FROM STDIN (FORMAT binary)");
    let mut writer = pin!(BinaryCopyInWriter::new(tx.copy_in(&sql).await?, &types));
    for row in &page.rows {
        writer.as_mut().write_raw(row).await?;
    }
    writer.finish().await?;
    Ok(())
}

/// What follows from the rows: where each event's record ends, and that servers must look.
async fn finish(tx: &Transaction<'_>) -> Done<Summary> {
    tx.batch_execute(
        "UPDATE log SET position = scans.position, newest_at = scans.newest_at
           FROM (SELECT event, MAX(seq) AS position, MAX(at) AS newest_at FROM scan GROUP BY event)
             AS scans WHERE scans.event = log.event;
         UPDATE book SET version = version + 1",
    )
    .await?;
    Ok(Summary { tables: counts(tx).await?, logs: logs(tx).await? })
}

/// What the leaves of each log come to, computed anew from the first on.
async fn logs(tx: &Transaction<'_>) -> Done<Vec<CopiedLog>> {
    let mut logs = Vec::new();
    for row in tx.query("SELECT event FROM log ORDER BY event", &[]).await? {
        let event: i64 = row.try_get(0)?;
        let mut rebuilt = Rebuild::default();
        loop {
            let from = rebuilt.size().cast_signed();
            let sql = "SELECT leaf FROM log_entry WHERE event = $1 AND idx >= $2
                 ORDER BY idx LIMIT 10000";
            let leaves = tx.query(sql, &[&event, &from]).await?;
            if leaves.is_empty() {
                break;
            }
            for leaf in leaves {
                rebuilt.add(leaf.try_get(0)?);
            }
        }
        logs.push(CopiedLog { event, size: rebuilt.size(), root: rebuilt.root() });
    }
    Ok(logs)
}

fn stopped(why: &str) -> StoreError {
    StoreError::Unavailable(format!("{why}; nothing was changed"))
}

impl ToSql for &Cell {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Cell::Null => Ok(IsNull::Yes),
            Cell::Int(number) => number.to_sql_checked(kind, out),
            Cell::Text(text) => text.to_sql_checked(kind, out),
            Cell::Bytes(bytes) => bytes.to_sql_checked(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        [Type::INT8, Type::TEXT, Type::BYTEA].contains(kind)
    }

    to_sql_checked!();
}
