//! Writing everything into an empty PostgreSQL.

use std::pin::pin;

use deadpool_postgres::Transaction;
use tokio::sync::mpsc;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked};

use super::{Done, PostgresStore};
use crate::Result;
use crate::copy::{Cell, Copied, Page, TABLES, known};

impl PostgresStore {
    /// Takes rows until `pages` ends and commits them together; says how many there then are. None,
    /// and nothing changed, when the database was not empty.
    pub async fn import(&self, mut pages: mpsc::Receiver<Page>) -> Result<Option<Vec<Copied>>> {
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
        let copied = finish(&tx).await?;
        tx.commit().await.map_err(super::Fault::from)?;
        Ok(Some(copied))
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
async fn finish(tx: &Transaction<'_>) -> Done<Vec<Copied>> {
    tx.batch_execute(
        "UPDATE log SET position = scans.position, newest_at = scans.newest_at
           FROM (SELECT event, MAX(seq) AS position, MAX(at) AS newest_at FROM scan GROUP BY event)
             AS scans WHERE scans.event = log.event;
         UPDATE book SET version = version + 1",
    )
    .await?;
    counts(tx).await
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
