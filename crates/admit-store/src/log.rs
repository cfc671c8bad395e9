//! Contract: the audit log of each event. Leaves are written by the calls that change something, in
//! the same write; here they are read.

use admit_core::id::{EventNo, UnixMs};
use admit_core::log::tree::{Hash, TileId};
use async_trait::async_trait;

use crate::Result;

/// Most leaves that one call reads: a full tile.
pub const ENTRIES_MAX: u32 = 256;

/// The state of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogHead {
    /// What its checkpoints are signed for.
    pub origin: String,
    /// Leaves.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
}

/// The place of a leaf that was just written, with its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Its position.
    pub index: u64,
    /// Its bytes.
    pub leaf: Vec<u8>,
    /// Leaves in the log after the commit it was part of.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
    /// Inclusion proof of the leaf in that tree.
    pub path: Vec<Hash>,
}

/// Logs.
#[async_trait]
pub trait Logs: Send + Sync {
    /// The state of an event's log.
    async fn log_head(&self, event: EventNo) -> Result<Option<LogHead>>;
    /// Leaves from position `from` on, at most `limit` and [`ENTRIES_MAX`].
    async fn log_entries(&self, event: EventNo, from: u64, limit: u32) -> Result<Vec<Vec<u8>>>;
    /// The hashes of a tile, as many as there are.
    async fn log_tile(&self, event: EventNo, tile: TileId) -> Result<Vec<Hash>>;
    /// Goes on with a log under another origin, after the database was set back: writes a leaf
    /// that quotes `checkpoint`, the last one signed for the old origin.
    async fn fork_log(
        &self,
        event: EventNo,
        origin: String,
        checkpoint: String,
        at: UnixMs,
    ) -> Result<LogHead>;
}
