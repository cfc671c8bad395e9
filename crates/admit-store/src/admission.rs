//! Contract: spending tickets, and the record of every scan.

use std::sync::Arc;

use admit_core::admission::{Admission, Entry, History, Scan, UndoRefused, Verdict};
use admit_core::id::{DeviceNo, EventNo, ScanId, TicketId, TypeNo, UnixMs};
use admit_core::log::leaf::{Details, Fact, Kind, LogKey};
use admit_core::offline::Bounds;
use admit_core::offline::story::Stage;
use admit_core::pass::Direction;
use admit_core::stats::Outcome;
use admit_core::ticket::{Verified, digest};
use async_trait::async_trait;
use tokio::sync::broadcast;

use crate::Result;
use crate::log::Logged;
use crate::measure::Measures;

/// Batches of committed scans that a slow listener may be behind before it must read them again.
pub const COMMITTED_BATCHES_MAX: usize = 1024;

/// One scan on the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanRecord {
    /// Position in the order of the event's scans; grows.
    pub seq: i64,
    /// The event.
    pub event: EventNo,
    /// Id, device, gate and time.
    pub scan: Scan,
    /// The ticket.
    pub ticket: TicketId,
    /// Its type.
    pub type_no: TypeNo,
    /// Entries it is good for, 0 for any number.
    pub max_uses: u8,
    /// What came of it.
    pub outcome: Outcome,
    /// Where the ticket first entered, as it stood right after this scan.
    pub first: Option<Entry>,
    /// Its leaf in the event's audit log; none for scans from before there was one.
    pub leaf: Option<u64>,
    /// Whether the entry is known to have happened; [`Stage::Refused`] and [`Stage::Void`] for what
    /// was none.
    pub stage: Stage,
    /// When, as surely as is known; the server's own time for what it decided.
    pub bounds: Bounds,
    /// Whether the device decided by itself.
    pub offline: bool,
}

/// The stage of a scan, from its outcome and whether the entry happened for certain.
pub(crate) fn stage(outcome: Outcome, done: bool) -> Stage {
    match outcome {
        Outcome::Admit { .. } if done => Stage::Done,
        Outcome::Admit { .. } => Stage::Claimed,
        // Nobody says afterwards what became of an exit.
        Outcome::Exit { .. } => Stage::Done,
        Outcome::Refuse(_) => Stage::Refused,
        Outcome::Undo { .. } => Stage::Void,
    }
}

/// The newest entry of a ticket that counts, leaving out the scan `without`.
pub(crate) fn entry_before(scans: &[ScanRecord], without: ScanId) -> Option<Entry> {
    let undone: Vec<_> = scans
        .iter()
        .filter(|record| matches!(record.outcome, Outcome::Undo { .. }))
        .map(|record| (record.scan.device, record.scan.id))
        .collect();
    scans
        .iter()
        .find(|record| {
            matches!(record.outcome, Outcome::Admit { .. })
                && record.scan.id != without
                && !undone.contains(&(record.scan.device, record.scan.id))
        })
        .map(ScanRecord::entry)
}

impl ScanRecord {
    /// A scan that the server has decided, before it has its place.
    pub(crate) fn decided(
        ticket: &Verified,
        scan: &Scan,
        verdict: &Verdict,
        first: Option<Entry>,
        admitted: Stage,
    ) -> Self {
        let outcome = match (verdict, scan.direction) {
            (Verdict::Refuse(reason), _) => Outcome::Refuse(*reason),
            (Verdict::Admit(admission), Direction::Entry) => {
                Outcome::Admit { use_no: admission.use_no }
            }
            (Verdict::Admit(admission), Direction::Exit) => {
                Outcome::Exit { use_no: admission.use_no }
            }
        };
        Self {
            seq: 0,
            event: ticket.grant().event,
            scan: *scan,
            ticket: ticket.grant().ticket,
            type_no: ticket.grant().type_no,
            max_uses: ticket.grant().max_uses,
            outcome,
            first,
            leaf: None,
            stage: stage(outcome, admitted == Stage::Done),
            bounds: Bounds::exact(scan.at),
            offline: false,
        }
    }

    /// The columns `low` and `high`: nothing where the time is exact.
    pub(crate) fn bound_columns(&self) -> (Option<i64>, Option<i64>) {
        if self.bounds == Bounds::exact(self.scan.at) {
            return (None, None);
        }
        (Some(self.bounds.low.0), self.bounds.high.map(|high| high.0))
    }

    /// Who scanned where and when.
    pub fn entry(&self) -> Entry {
        let Scan { id, device, gate, at, .. } = self.scan;
        Entry { scan: id, device, gate, at }
    }

    /// The verdict this record stands for; none for an undo.
    pub fn verdict(&self) -> Option<Verdict> {
        match self.outcome {
            Outcome::Admit { use_no } | Outcome::Exit { use_no } => {
                Some(Verdict::Admit(self.admission(use_no)))
            }
            Outcome::Refuse(reason) => Some(Verdict::Refuse(reason)),
            Outcome::Undo { .. } => None,
        }
    }

    fn admission(&self, use_no: u32) -> Admission {
        let left = || u32::from(self.max_uses).saturating_sub(use_no);
        Admission { use_no, uses_remaining: (self.max_uses != 0).then(left) }
    }

    /// Whether a request asks for this scan again: the same ticket, the same way.
    pub(crate) fn is_of(&self, ticket: TicketId, direction: Direction) -> bool {
        self.ticket == ticket && self.scan.direction == direction
    }

    /// The scan as the audit log tells it; `refers` is the leaf that an undo takes back.
    pub fn fact(&self, refers: Option<u64>) -> Fact {
        let (kind, use_no, reason) = match self.outcome {
            Outcome::Admit { use_no } if self.offline => (Kind::Import, use_no, None),
            Outcome::Admit { use_no } => (Kind::Admit, use_no, None),
            Outcome::Refuse(reason) => (Kind::Refuse, 0, Some(reason)),
            Outcome::Undo { use_no } => (Kind::Undo, use_no, None),
            Outcome::Exit { use_no } => (Kind::Exit, use_no, None),
        };
        let details = Details {
            gate: self.scan.gate,
            device: self.scan.device,
            scan: self.scan.id,
            use_no,
            reason,
            ..Details::of(self.ticket, digest(self.event, self.ticket), self.type_no)
        };
        Fact { kind, at: self.scan.at, refers, details }
    }
}

/// The answer to a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Decided now and durable, with its leaf in the audit log.
    New(ScanRecord, Logged),
    /// Decided before: the same device asked with the same id, and gets the same answer.
    Repeated(ScanRecord),
    /// The device used this id for another ticket before, or took the entry back. Nothing was
    /// written.
    IdReused,
}

/// What would be decided about a scan, if it were made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preview {
    /// Admit or refuse.
    pub verdict: Verdict,
    /// What is on the books about the ticket; none when it was never issued here.
    pub history: Option<History>,
    /// The newest leaf about it.
    pub last_leaf: Option<u64>,
}

/// The answer to an undo.
#[expect(clippy::large_enum_variant, reason = "moved once from the writer to who asked")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undone {
    /// Taken back now, with its leaf, or before by the same request.
    Done(ScanRecord, Option<Logged>),
    /// Not taken back.
    Refused(UndoRefused),
    /// The device has no such scan.
    UnknownScan,
}

/// Spending and its record.
#[async_trait]
pub trait Admissions: Send + Sync {
    /// Decides about a scan inside the write that records it, by
    /// [`admit_core::admission::decide`]; returns when that write is durable. Many calls at once
    /// share one commit. Refusals are recorded and repeated like admissions. `key` is that of the
    /// event's audit log, whose leaf is part of the same write.
    async fn admit(&self, ticket: Verified, scan: Scan, key: LogKey) -> Result<Recorded>;

    /// Like [`Self::admit`], for a device that has promised to say afterwards whether somebody was let
    /// in: until then an admission is a claim.
    async fn claim(&self, ticket: Verified, scan: Scan, key: LogKey) -> Result<Recorded>;

    /// What [`Self::admit`] would say now; nothing is recorded, and nobody may be let in by it. Gate
    /// 0 stands for no gate in particular.
    async fn preview(&self, ticket: Verified, scan: Scan) -> Result<Preview>;

    /// Takes back the entry that scan `id` of `device` made.
    async fn undo(
        &self,
        event: EventNo,
        device: DeviceNo,
        id: ScanId,
        at: UnixMs,
        key: LogKey,
    ) -> Result<Undone>;

    /// Up to `limit` scans of an event after position `seq`, oldest first.
    async fn scans_after(&self, event: EventNo, seq: i64, limit: u32) -> Result<Vec<ScanRecord>>;

    /// The newest `limit` scans of an event, newest first.
    async fn scans_newest(&self, event: EventNo, limit: u32) -> Result<Vec<ScanRecord>>;

    /// All scans of one ticket, newest first, at most [`crate::PAGE_ROWS_MAX`].
    async fn scans_of(&self, event: EventNo, ticket: TicketId) -> Result<Vec<ScanRecord>>;

    /// Scans as this process commits them, and others on the same database: a batch at a time, each
    /// event's in order, each scan once.
    fn committed(&self) -> broadcast::Receiver<Arc<[ScanRecord]>>;

    /// What the writer measures.
    fn measures(&self) -> Arc<Measures>;

    /// Writes that wait for the writer.
    fn waiting(&self) -> usize;

    /// Whether scans can be taken now: goes the way a scan goes, and changes nothing.
    async fn ready(&self) -> Result<()>;

    /// Time of the newest scan on the books: a clock before it is wrong.
    async fn newest_scan_at(&self) -> Result<Option<UnixMs>>;
}
