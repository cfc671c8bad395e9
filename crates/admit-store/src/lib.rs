//! The facts of Admit One: a contract in narrow traits, and the stores that keep it.
//!
//! When a call returns `Ok`, its effect is durable. When it returns `Err`, the effect is unknown and
//! the call may be repeated: every write has a key that makes the repetition harmless. Refusals
//! (sold out, already used) are values, never errors.

pub mod account;
pub mod admission;
pub mod anonymous;
pub mod copy;
pub mod event;
pub mod key;
pub mod log;
pub mod measure;
pub mod offline;
pub mod pass;
pub mod postgres;
pub mod sale;
pub mod spent;
pub mod sqlite;
pub mod ticket;
pub mod transfer;

use std::fmt::Display;

use thiserror::Error;

/// Most writes that wait for the writer; one more is answered [`StoreError::Busy`].
pub const WRITE_QUEUE_MAX: usize = 8192;

/// Most rows a page of a list holds.
pub const PAGE_ROWS_MAX: u32 = 200;

/// Everything a store does.
pub trait Store:
    admission::Admissions
    + ticket::Tickets
    + event::Events
    + key::Keys
    + account::Accounts
    + log::Logs
    + spent::Spents
    + offline::Offlines
    + transfer::Transfers
    + sale::Sales
    + anonymous::Anonymous
{
}

impl<S> Store for S where
    S: admission::Admissions
        + ticket::Tickets
        + event::Events
        + key::Keys
        + account::Accounts
        + log::Logs
        + spent::Spents
        + offline::Offlines
        + transfer::Transfers
        + sale::Sales
        + anonymous::Anonymous
{
}

/// The lack of an answer.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Too much is waiting; nothing was done.
    #[error("the store's queue is full")]
    Busy,
    /// The store cannot be reached or written at the moment (disk full, read-only, locked).
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// A write to the disk failed in a way after which nothing can be trusted: the process must end.
    #[error("the store is broken: {0}")]
    Broken(String),
    /// A row holds what no version of this program writes.
    #[error("corrupt row in {table}: {what}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// What was found.
        what: String,
    },
}

impl StoreError {
    /// A corrupt value in `table`.
    pub fn corrupt(table: &'static str, what: impl Display) -> Self {
        Self::Corrupt { table, what: what.to_string() }
    }
}

/// The outcome of a call.
pub type Result<T> = std::result::Result<T, StoreError>;
