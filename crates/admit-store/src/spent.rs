//! Contract: entries that gates made by themselves, brought here afterwards.

use admit_core::admission::Entry;
use admit_core::id::{DeviceNo, Digest, EventNo, TicketId, UnixMs};
use admit_core::log::leaf::LogKey;
use admit_core::spent::SpentEntry;
use async_trait::async_trait;

use crate::Result;
use crate::log::Logged;

/// Most entries of one import: more would hold up the scans that wait behind it.
pub const IMPORT_ENTRIES_MAX: usize = 500;

/// Two entries with a ticket that was good for one less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The ticket's name in the spend table.
    pub digest: Digest,
    /// The ticket.
    pub ticket: TicketId,
    /// The entry that was on the books.
    pub known: Entry,
    /// The entry that was brought.
    pub brought: Entry,
    /// Its leaf in the audit log.
    pub leaf: u64,
}

/// What came of the entries of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Import {
    /// How many are now on the books.
    pub stored: u32,
    /// How many were there before.
    pub duplicates: u32,
    /// Entries with tickets that had no use left. They are kept.
    pub conflicts: Vec<Conflict>,
    /// Sequence numbers under which something else was brought before.
    pub altered: Vec<u64>,
    /// Sequence numbers of entries with tickets that were never issued here.
    pub unknown: Vec<u64>,
}

impl Import {
    /// Adds what came of further entries.
    pub fn extend(&mut self, other: Self) {
        self.stored += other.stored;
        self.duplicates += other.duplicates;
        self.conflicts.extend(other.conflicts);
        self.altered.extend(other.altered);
        self.unknown.extend(other.unknown);
    }
}

/// Entries from gates.
#[async_trait]
pub trait Spents: Send + Sync {
    /// Takes in entries that a device made by itself, at most [`IMPORT_ENTRIES_MAX`], in one write:
    /// each entry once, in whatever order and however often they come. The proof is that of the
    /// newest leaf, if anything was new.
    async fn import_spent(
        &self,
        event: EventNo,
        device: DeviceNo,
        entries: Vec<SpentEntry>,
        heard_at: UnixMs,
        key: LogKey,
    ) -> Result<(Import, Option<Logged>)>;
    /// The newest conflicts of an event, at most `limit`; those of one device when it is named.
    async fn conflicts(
        &self,
        event: EventNo,
        device: Option<DeviceNo>,
        limit: u32,
    ) -> Result<Vec<Conflict>>;
}
