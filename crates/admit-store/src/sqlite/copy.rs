//! Reading everything out of SQLite, as of one moment.

use admit_core::log::tree::Hash;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::mpsc;

use super::{Durability, SqliteStore, connect};
use crate::copy::{Cell, Copied, CopiedLog, PAGE_ROWS, Page, Summary, TABLES, known};
use crate::{Result, StoreError};

impl SqliteStore {
    /// Sends every row to `pages`, table by table, and says how many there were. Nobody else can
    /// write meanwhile.
    pub async fn export(&self, pages: mpsc::Sender<Page>) -> Result<Summary> {
        let path = self.path().to_owned();
        let read = move || -> Result<Summary> {
            let mut connection = connect(&path, Durability::Full)?;
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for table in tables(&tx)? {
                known(&table)?;
            }
            let tables = TABLES.iter().map(|table| export(&tx, table, &pages));
            Ok(Summary { tables: tables.collect::<Result<_>>()?, logs: logs(&tx)? })
        };
        let done = tokio::task::spawn_blocking(read).await;
        done.map_err(|error| StoreError::Unavailable(error.to_string()))?
    }
}

fn tables(connection: &Connection) -> Result<Vec<String>> {
    let mut statement = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    )?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}

fn logs(connection: &Connection) -> Result<Vec<CopiedLog>> {
    let mut statement = connection.prepare("SELECT event, size, root FROM log ORDER BY event")?;
    let logs = statement.query_map([], |row| {
        let size = row.get::<_, i64>(1)?.cast_unsigned();
        Ok(CopiedLog { event: row.get(0)?, size, root: Hash(row.get(2)?) })
    })?;
    Ok(logs.collect::<rusqlite::Result<_>>()?)
}

fn export(
    connection: &Connection,
    table: &'static str,
    pages: &mpsc::Sender<Page>,
) -> Result<Copied> {
    let mut statement = connection.prepare(&format!("SELECT * FROM {table}"))?;
    let columns: Vec<_> = statement.column_names().map(str::to_owned).collect();
    let mut found = statement.query([])?;
    let mut copied = Copied { table, rows: 0 };
    loop {
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            let cells = (0..columns.len()).map(|column| cell(row.get_ref(column)?, table));
            rows.push(cells.collect::<Result<_>>()?);
            if rows.len() == PAGE_ROWS {
                break;
            }
        }
        if rows.is_empty() {
            return Ok(copied);
        }
        copied.rows = copied.rows.saturating_add(i64::try_from(rows.len()).unwrap_or(i64::MAX));
        let page = Page { table, columns: columns.clone(), rows };
        pages
            .blocking_send(page)
            .map_err(|_| StoreError::Unavailable("the rows were not taken".to_owned()))?;
    }
}

fn cell(value: ValueRef<'_>, table: &'static str) -> Result<Cell> {
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Int(number),
        ValueRef::Text(text) => Cell::Text(
            std::str::from_utf8(text)
                .map_err(|error| StoreError::corrupt(table, error))?
                .to_owned(),
        ),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_owned()),
        ValueRef::Real(_) => return Err(StoreError::corrupt(table, "a fraction")),
    })
}
