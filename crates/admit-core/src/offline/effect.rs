//! What a device keeps, does and tells: the words between its state machine and the world.

use super::journal::{ChainHash, JournalEntry};
use super::known::ShortDigest;
use crate::admission::{Standing, Verdict};
use crate::id::{DeviceNo, Digest, GateNo, ScanId, TypeNo, UnixMs};

/// A scan that was begun: kept before anything is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Its id, the same for every try, the fallback and the sync.
    pub scan: ScanId,
    /// The ticket.
    pub digest: Digest,
    /// Where.
    pub gate: GateNo,
}

/// An entry of the journal as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// What it says.
    pub entry: JournalEntry,
    /// Hash of the journal up to it.
    pub hash: ChainHash,
    /// The epoch of a changing code, when somebody was let in by one.
    pub epoch: Option<u32>,
    /// Whether the device decided by itself: the server did not know of it before.
    pub offline: bool,
}

/// A ticket that is no longer good, and why.
pub type Denied = (ShortDigest, Standing);

/// What a device keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// A scan that was begun.
    Intent(Intent),
    /// An entry of the journal; the intent of its scan is over.
    Entry(Written),
    /// The server has these entries.
    Acknowledged(Vec<u64>),
    /// Entries elsewhere, from one position to the next.
    Changes {
        /// After this position,
        from: i64,
        /// up to this one.
        next: i64,
        /// As [`super::known::change`] writes them.
        changes: Vec<u8>,
    },
    /// All tickets that are no longer good, in the place of those known before.
    Denied(Vec<Denied>),
    /// The lease of this ticket is given back, for good.
    LeaseLost(ShortDigest),
    /// The leases of a type from this position are given back, for good.
    LeaseOver(TypeNo, i64),
    /// A notice that staff have seen.
    Shown(u64),
    /// Entries that another gate told of directly, by their numbers in its journal.
    Peer(DeviceNo, Vec<(u64, Digest)>),
    /// The code of an anonymous ticket that was presented: without it the server could not know the
    /// ticket that an entry is about.
    Bearer(Digest, String),
    /// The newest time, the offset of the clock that people set, and the last contact.
    Clock(Option<UnixMs>, i64, Option<UnixMs>),
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Make this durable before what follows.
    Keep(Kept),
    /// The scan is over: its intent need not be kept.
    Forget(ScanId),
    /// Ask the server about this scan, under this id.
    Ask(ScanId),
    /// Show the verdict.
    Show {
        /// The scan.
        scan: ScanId,
        /// Admit or refuse.
        verdict: Verdict,
        /// Whether the device decided.
        offline: bool,
    },
    /// Show that a ticket entered twice, and say so with [`super::device::Device::shown`].
    Notify(u64),
}

/// What a device tells at a contact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Journal entries the server has not acknowledged, oldest first, with the chain.
    pub entries: Vec<(JournalEntry, ChainHash)>,
    /// Up to where entries elsewhere are known.
    pub after: i64,
    /// Notices that staff have seen.
    pub shown: Vec<u64>,
    /// Tickets whose lease is given back.
    pub returned: Vec<ShortDigest>,
    /// Types whose leases are given back.
    pub returned_types: Vec<TypeNo>,
    /// How many entries wait, these included.
    pub pending: usize,
    /// Codes of the anonymous tickets that these entries are about.
    pub bearers: Vec<String>,
}

/// What the server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Sequence numbers that are durable there.
    pub acknowledged: Vec<u64>,
    /// Entries elsewhere: after this position,
    pub from: i64,
    /// up to this one.
    pub next: i64,
    /// As [`super::known::change`] writes them.
    pub changes: Vec<u8>,
    /// All tickets that are no longer good; none when they are as before.
    pub denied: Option<Vec<Denied>>,
    /// Conflicts that this device has not said it has shown.
    pub notices: Vec<u64>,
    /// Tickets that another gate asks for.
    pub recalled: Vec<ShortDigest>,
    /// Types that another device shall hold.
    pub recalled_types: Vec<TypeNo>,
    /// The server's clock.
    pub server: UnixMs,
}
