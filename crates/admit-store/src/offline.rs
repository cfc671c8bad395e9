//! Contract: what gates did by themselves and tell afterwards, and what they need to know.

use std::collections::{BTreeMap, BTreeSet};

use admit_core::admission::{History, Scan, Standing};
use admit_core::id::{DeviceNo, Digest, EventNo, ScanId, TicketId, TypeNo, UnixMs};
use admit_core::log::leaf::{Details, Fact, Kind, Leaf, LogKey};
use admit_core::offline::Word;
use admit_core::offline::effect::Denied;
use admit_core::offline::journal::{BEGINNING, ChainHash, JournalEntry};
use admit_core::offline::known::{CHANGES_MAX, ShortDigest, change};
use admit_core::offline::story::{Change, Stage, Story, Told};
use admit_core::pass::Direction;
use admit_core::stats::Outcome;
use admit_core::ticket::{Verified, digest};
use async_trait::async_trait;

use crate::Result;
use crate::admission::ScanRecord;
use crate::log::Logged;
use crate::spent::Conflict;

/// Most tickets that are told as withdrawn.
pub const WITHDRAWN_MAX: u32 = 20_000;
/// Most tickets that one device is asked to give back at a time.
pub const RECALLED_MAX: u32 = 1000;

/// A journal entry as it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// What it says; its sequence number is 0 when the program that sent it keeps no journal.
    pub entry: JournalEntry,
    /// Hash of the journal up to here; none when no journal is kept.
    pub hash: Option<ChainHash>,
}

/// What a device tells at one contact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// Entries of its journal, oldest first.
    pub entries: Vec<Arrived>,
    /// Notices that its staff have seen.
    pub shown: Vec<u64>,
    /// Tickets whose lease it gives back.
    pub returned: Vec<ShortDigest>,
    /// Types whose lease it gives back.
    pub returned_types: Vec<TypeNo>,
    /// How it is.
    pub state: DeviceReport,
    /// The anonymous tickets among those, whose codes were checked.
    pub bearers: Vec<Verified>,
}

impl Contact {
    /// The anonymous ticket with this name: on no books before it is used.
    pub(crate) fn bearer(&self, digest: Digest) -> Option<Identity> {
        let bearer = self.bearers.iter().find(|bearer| bearer.digest() == digest)?.grant();
        Some((bearer.ticket, bearer.type_no, bearer.max_uses))
    }
}

/// Number, type and entries of a ticket.
pub(crate) type Identity = (TicketId, TypeNo, u8);

/// What the newest scan of a ticket says of it.
pub(crate) fn identity_of(scans: &[ScanRecord]) -> Option<Identity> {
    scans.first().map(|scan| (scan.ticket, scan.type_no, scan.max_uses))
}

/// What a device says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceReport {
    /// Entries that wait on it, those of this contact included.
    pub pending: u32,
    /// Whether its browser promised to keep what it stores.
    pub persisted: Option<bool>,
    /// Percent of its battery.
    pub battery: Option<u8>,
    /// Up to where it knows the entries of others.
    pub cursor: i64,
}

/// A device's state as of its last contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceState {
    /// The device.
    pub device: DeviceNo,
    /// When it was last heard.
    pub synced_at: UnixMs,
    /// What it said.
    pub report: DeviceReport,
}

/// What came of a contact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// Sequence numbers that are durable now, or were.
    pub acknowledged: Vec<u64>,
    /// Words that were new.
    pub stored: u32,
    /// Words that were known.
    pub duplicates: u32,
    /// Entries with tickets that had no use left, found by this contact. They are kept.
    pub conflicts: Vec<Conflict>,
    /// Entries about tickets that were never issued here. They are kept in the journal.
    pub unknown: Vec<JournalEntry>,
    /// Sequence numbers under which something else was told before, or whose hash does not fit.
    pub altered: Vec<u64>,
    /// Sequence numbers before which entries are missing.
    pub missing: Vec<u64>,
}

impl Synced {
    /// Adds what came of a further piece.
    pub fn extend(&mut self, other: Self) {
        self.acknowledged.extend(other.acknowledged);
        self.stored += other.stored;
        self.duplicates += other.duplicates;
        self.conflicts.extend(other.conflicts);
        self.unknown.extend(other.unknown);
        self.altered.extend(other.altered);
        self.missing.extend(other.missing);
    }
}

/// Entries of others after a position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// Up to where this tells.
    pub next: i64,
    /// Whether there is more.
    pub more: bool,
    /// As [`admit_core::offline::known::change`] writes them.
    pub changes: Vec<u8>,
}

impl Elsewhere {
    /// A page of changes, given as position, ticket and +1 or -1: up to the last of them when there
    /// are more, or up to `newest`.
    pub(crate) fn page(event: EventNo, rows: &[(i64, TicketId, i8)], newest: i64) -> Self {
        let more = rows.len() >= CHANGES_MAX;
        let last = rows.last().map_or(newest, |(seq, ..)| *seq);
        let changes = rows.iter().flat_map(|(_, ticket, by)| change(digest(event, *ticket), *by));
        Self { next: if more { last } else { newest }, more, changes: changes.collect() }
    }
}

/// Gates that go on without the network.
#[async_trait]
pub trait Offlines: Send + Sync {
    /// Takes in what a device tells, in one write; the leaf is the newest, if anything was logged.
    /// Everything may come twice, and in any order of devices.
    async fn sync(
        &self,
        event: EventNo,
        device: DeviceNo,
        contact: Contact,
        heard_at: UnixMs,
        key: LogKey,
    ) -> Result<(Synced, Option<Logged>)>;
    /// Entries of all but `device` after position `after`, at most
    /// [`admit_core::offline::known::CHANGES_MAX`].
    async fn elsewhere(&self, event: EventNo, device: DeviceNo, after: i64) -> Result<Elsewhere>;
    /// Tickets that are no longer good, at most [`WITHDRAWN_MAX`], by name.
    async fn withdrawn(&self, event: EventNo) -> Result<Vec<Denied>>;
    /// Conflicts in which `device` has a part and that its staff have not seen, the oldest first.
    async fn notices(&self, event: EventNo, device: DeviceNo) -> Result<Vec<Conflict>>;
    /// What `device` is asked to give back: tickets, at most [`RECALLED_MAX`], and types.
    async fn recalled(
        &self,
        event: EventNo,
        device: DeviceNo,
    ) -> Result<(Vec<ShortDigest>, Vec<TypeNo>)>;
    /// All devices' states of an event.
    async fn device_states(&self, event: EventNo) -> Result<Vec<DeviceState>>;
    /// How many admissions of each device of an event are claims that it has not confirmed.
    async fn unconfirmed(&self, event: EventNo) -> Result<Vec<(DeviceNo, u32)>>;
}

/// The story of a ticket from its scans, newest first, as [`crate::admission::Admissions::scans_of`]
/// gives them.
pub fn told(scans: &[ScanRecord]) -> Vec<Told> {
    let undone: BTreeSet<_> = scans
        .iter()
        .filter(|scan| matches!(scan.outcome, Outcome::Undo { .. }))
        .map(|scan| (scan.scan.device, scan.scan.id))
        .collect();
    let mut seen = BTreeSet::new();
    let mut told = Vec::new();
    // The newest word about a scan is the one that holds.
    for scan in scans.iter().filter(|scan| !matches!(scan.outcome, Outcome::Undo { .. })) {
        let name = (scan.scan.device, scan.scan.id);
        if !seen.insert(name) {
            continue;
        }
        let (use_no, stage) = match scan.outcome {
            Outcome::Admit { use_no } if undone.contains(&name) => (use_no, Stage::Void),
            Outcome::Admit { use_no } => (use_no, scan.stage),
            // An exit is no entry, whatever its device says of it afterwards.
            Outcome::Exit { .. } => (0, Stage::Void),
            Outcome::Refuse(_) | Outcome::Undo { .. } => (0, Stage::Refused),
        };
        told.push(Told { entry: scan.entry(), use_no, stage, bounds: scan.bounds });
    }
    told.reverse();
    told
}

/// A ticket that devices tell of.
pub(crate) struct Known {
    pub(crate) ticket: TicketId,
    pub(crate) type_no: TypeNo,
    pub(crate) story: Story,
    /// Positions of its scans that may be confirmed, and their leaves.
    pub(crate) places: BTreeMap<(DeviceNo, ScanId), (i64, Option<u64>)>,
    /// Where its newest record is.
    pub(crate) last_seq: Option<i64>,
    pub(crate) last_leaf: Option<u64>,
    /// Whether anything about it is to be written.
    pub(crate) changed: bool,
}

impl Known {
    pub(crate) fn new(
        (ticket, type_no, max_uses): Identity,
        history: History,
        scans: &[ScanRecord],
    ) -> Self {
        let places = scans
            .iter()
            .rev()
            .filter(|scan| !matches!(scan.outcome, Outcome::Undo { .. }))
            .map(|scan| ((scan.scan.device, scan.scan.id), (scan.seq, scan.leaf)))
            .collect();
        Self {
            ticket,
            type_no,
            story: Story { max_uses, history, told: told(scans) },
            places,
            last_seq: scans.first().map(|scan| scan.seq),
            last_leaf: None,
            changed: false,
        }
    }
}

/// Where a settlement is written: each store has its own.
pub(crate) trait Ink {
    /// Adds a leaf; its position.
    fn leaf(&mut self, leaf: &Leaf) -> Result<u64>;
    /// Adds a scan behind the ticket's scan at `previous`; its position.
    fn scan(&mut self, record: &ScanRecord, previous: Option<i64>) -> Result<i64>;
    /// Marks the claim at a position as having happened.
    fn confirm(&mut self, seq: i64) -> Result<()>;
    /// Keeps a conflict.
    fn conflict(&mut self, conflict: &Conflict) -> Result<()>;
}

/// Settles what one device says: the step of the core, and what has to be written for it.
pub(crate) struct Settling<'a> {
    pub(crate) event: EventNo,
    pub(crate) device: DeviceNo,
    pub(crate) heard_at: UnixMs,
    pub(crate) key: &'a LogKey,
    pub(crate) leaf: Option<u64>,
    pub(crate) scans: Vec<ScanRecord>,
}

impl Settling<'_> {
    /// Takes one word into a ticket's story; the conflict that it makes, and whether it was new.
    pub(crate) fn settle(
        &mut self,
        known: &mut Known,
        entry: &JournalEntry,
        ink: &mut impl Ink,
    ) -> Result<(bool, Option<Conflict>)> {
        let said = JournalEntry { bounds: entry.bounds.closed(self.heard_at), ..*entry };
        let settled = known.story.settle(self.device, &said);
        let name = (self.device, entry.scan);
        match settled.change {
            Change::Nothing => return Ok((false, None)),
            Change::Confirm => {
                if let Some((seq, _)) = known.places.get(&name) {
                    ink.confirm(*seq)?;
                }
            }
            Change::Admit { use_no } => self.write(known, &said, Outcome::Admit { use_no }, ink)?,
            Change::Refuse(reason) => self.write(known, &said, Outcome::Refuse(reason), ink)?,
            Change::Undo { use_no } => self.write(known, &said, Outcome::Undo { use_no }, ink)?,
        }
        let conflict = match settled.conflict {
            Some(other) => Some(self.conflict(known, &said, &other, ink)?),
            None => None,
        };
        Ok((true, conflict))
    }

    fn write(
        &mut self,
        known: &mut Known,
        said: &JournalEntry,
        outcome: Outcome,
        ink: &mut impl Ink,
    ) -> Result<()> {
        let name = (self.device, said.scan);
        let stage = match outcome {
            Outcome::Admit { .. } | Outcome::Exit { .. } => Stage::Done,
            Outcome::Refuse(_) => Stage::Refused,
            Outcome::Undo { .. } => Stage::Void,
        };
        let at = said.bounds.upper();
        let mut record = ScanRecord {
            seq: 0,
            event: self.event,
            scan: Scan {
                id: said.scan,
                device: self.device,
                gate: said.gate,
                at,
                direction: Direction::Entry,
            },
            ticket: known.ticket,
            type_no: known.type_no,
            max_uses: known.story.max_uses,
            outcome,
            first: known.story.history.first,
            leaf: None,
            stage,
            bounds: said.bounds,
            offline: true,
        };
        // An undo tells which leaf it takes back.
        let made = known.places.get(&name).and_then(|(_, leaf)| *leaf);
        let refers = made.filter(|_| matches!(outcome, Outcome::Undo { .. }));
        let leaf = ink.leaf(&record.fact(refers).leaf(self.key))?;
        record.leaf = Some(leaf);
        record.seq = ink.scan(&record, known.last_seq)?;
        if !matches!(outcome, Outcome::Undo { .. }) {
            known.places.insert(name, (record.seq, record.leaf));
        }
        (known.last_seq, known.last_leaf, known.changed) = (Some(record.seq), record.leaf, true);
        self.leaf = record.leaf;
        self.scans.push(record);
        Ok(())
    }

    fn conflict(
        &mut self,
        known: &Known,
        said: &JournalEntry,
        other: &Told,
        ink: &mut impl Ink,
    ) -> Result<Conflict> {
        let details = Details {
            gate: said.gate,
            device: self.device,
            scan: said.scan,
            ..Details::of(known.ticket, said.digest, known.type_no)
        };
        let fact = Fact { kind: Kind::Conflict, at: self.heard_at, refers: None, details };
        let leaf = ink.leaf(&fact.leaf(self.key))?;
        self.leaf = Some(leaf);
        let told = known.story.told.iter();
        let own = told
            .rev()
            .find(|told| (told.entry.device, told.entry.scan) == (self.device, said.scan));
        let conflict = Conflict {
            digest: said.digest,
            ticket: known.ticket,
            known: other.entry,
            brought: own.map_or(other.entry, |own| own.entry),
            leaf,
        };
        ink.conflict(&conflict)?;
        Ok(conflict)
    }
}

/// What the books know of a device's journal before some entries.
pub(crate) struct Chain {
    /// Hashes by sequence number, of what is told again and of the one before.
    pub(crate) hashes: BTreeMap<u64, ChainHash>,
}

/// Whether an entry is to be settled.
pub(crate) enum Link {
    /// It is new.
    New,
    /// The same came before.
    Again,
}

impl Chain {
    /// Looks whether an entry fits what came before it, and notes in `synced` when it does not. What
    /// does not fit is settled all the same: nothing is lost, and the desk is told.
    pub(crate) fn link(
        &mut self,
        device: DeviceNo,
        arrived: &Arrived,
        synced: &mut Synced,
    ) -> Link {
        let sequence = arrived.entry.sequence;
        let Some(hash) = arrived.hash else { return Link::New };
        if let Some(known) = self.hashes.get(&sequence) {
            if *known != hash {
                synced.altered.push(sequence);
            }
            return Link::Again;
        }
        let before = match sequence {
            1 => Some(BEGINNING),
            _ => self.hashes.get(&sequence.saturating_sub(1)).copied(),
        };
        match before {
            None => synced.missing.push(sequence),
            Some(before) if arrived.entry.chain(device, before) != hash => {
                synced.altered.push(sequence);
            }
            Some(_) => {}
        }
        self.hashes.insert(sequence, hash);
        Link::New
    }
}

/// The reason column of a word.
pub(crate) fn reason_code(word: Word) -> Option<&'static str> {
    match word {
        Word::Refused(reason) => Some(reason.code()),
        Word::Done | Word::Void => None,
    }
}

/// A row of withdrawn tickets.
pub(crate) fn denied(digest: Digest, standing: Standing) -> Denied {
    (ShortDigest::from(digest), standing)
}
