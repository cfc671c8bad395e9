//! Everything a store holds as plain rows, to move it from one store to another.

use admit_core::log::tree::Hash;

use crate::{Result, StoreError};

/// Every table, those that others refer to first. A store with a table that is not here refuses to
/// be copied, rather than to be copied in part.
pub const TABLES: &[&str] = &[
    "event",
    "log",
    "log_entry",
    "log_tile",
    "ticket_type",
    "gate",
    "signing_key",
    "person",
    "ticket",
    "request",
    "transfer",
    "issuer",
    "receipt",
    "blinding",
    "voucher_batch",
    "voucher",
    "exchange",
    "revoked_token",
    "spend",
    "scan",
    "spent",
    "conflict",
    "journal",
    "recall",
    "device_state",
    "staff",
    "session",
    "api_key",
    "device",
    "pairing",
];

/// Rows in a page.
pub const PAGE_ROWS: usize = 2000;

/// One value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// A number, a time or a flag.
    Int(i64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// Some rows of one table.
#[derive(Clone, Debug)]
pub struct Page {
    /// The table.
    pub table: &'static str,
    /// Its columns.
    pub columns: Vec<String>,
    /// Rows, each with a cell per column.
    pub rows: Vec<Vec<Cell>>,
}

/// How many rows of a table were copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The table.
    pub table: &'static str,
    /// Rows.
    pub rows: i64,
}

/// The end of an event's audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedLog {
    /// The event.
    pub event: i64,
    /// Leaves.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
}

/// What was copied: equal on both sides, or something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Every table.
    pub tables: Vec<Copied>,
    /// Every log; the reader tells what its books say, the writer what the leaves come to.
    pub logs: Vec<CopiedLog>,
}

/// The place of `table` among [`TABLES`].
pub(crate) fn known(table: &str) -> Result<&'static str> {
    TABLES.iter().find(|known| **known == table).copied().ok_or_else(|| {
        StoreError::Unavailable(format!("the table {table} cannot be copied: it is not known"))
    })
}
