//! Spending tickets in SQLite: read the history, decide, write — inside the writer's transaction.

use std::collections::HashMap;
use std::sync::Arc;

use admit_core::admission::{
    EVENT_GRACE_MS, History, Rules, Scan, Standing, Verdict, decide, undo,
};
use admit_core::id::{DeviceNo, Digest, EventNo, GateNo, ScanId, TicketId, TypeNo, UnixMs};
use admit_core::log::leaf::LogKey;
use admit_core::offline::Bounds;
use admit_core::offline::story::Stage;
use admit_core::pass::{Calendar, Direction, Pass};
use admit_core::reason::Reason;
use admit_core::stats::Outcome;
use admit_core::ticket::{Verified, digest};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::broadcast;

use super::pass::{Passes, read_presence};
use super::row::{Columns, collect, entry_columns, first};
use super::writer::{Done, Work};
use super::{SqliteStore, lease};
use crate::admission::{Admissions, Preview, Recorded, ScanRecord, Undone, entry_before, stage};
use crate::measure::Measures;
use crate::{PAGE_ROWS_MAX, Result, StoreError, pass};

/// What one transaction has learnt about events and gates, which no scan changes.
#[derive(Default)]
pub(super) struct Batch {
    rules: HashMap<(EventNo, GateNo), Rules>,
    /// Who holds the leases of a type.
    holders: HashMap<(EventNo, TypeNo), Option<DeviceNo>>,
    passes: Passes,
}

/// What is to be done about a scan, before anything is written.
#[expect(clippy::large_enum_variant, reason = "moved once from the writer to who asked")]
pub(super) enum Planned {
    /// It was answered before, or cannot be.
    Answered(Recorded),
    /// A decision that has to be written.
    Write(Box<Plan>),
}

/// A decision about a scan, and the rows it needs.
pub(super) struct Plan {
    record: ScanRecord,
    digest: Digest,
    history: Option<History>,
    previous: Option<i64>,
    /// The device that is to be asked for the ticket's lease.
    recall: Option<DeviceNo>,
}

impl Plan {
    /// Writes the decision and its leaf; the record and the leaf's position. When this fails, the
    /// transaction must not be committed.
    pub(super) fn write(
        mut self,
        work: &mut Work<'_, '_>,
        key: &LogKey,
    ) -> Result<(ScanRecord, u64)> {
        let fact = self.record.fact(None);
        let leaf = work.leaves.add(work.tx, self.record.event, &fact.leaf(key))?;
        self.record.leaf = Some(leaf);
        self.record.seq = insert_scan(work.tx, &self.record, self.previous)?;
        if let Some(history) = &self.history {
            let place = Place { last_seq: Some(self.record.seq), last_leaf: Some(leaf) };
            write_spend(work.tx, self.record.event, self.digest, history, place)?;
        }
        if let Some(holder) = self.recall {
            lease::recall(work.tx, &self.record, self.digest, holder)?;
        }
        Ok((self.record, leaf))
    }
}

impl Batch {
    /// Decides about one scan by what the transaction sees. Only reads.
    pub(super) fn plan(
        &mut self,
        tx: &Connection,
        ticket: &Verified,
        scan: &Scan,
        stage: Stage,
    ) -> Result<Planned> {
        let event = ticket.grant().event;
        if let Some(record) = scan_by_name(tx, event, scan.device, scan.id, false)? {
            // A late copy of a scan that was undone must not open the gate again.
            let undone = scan_by_name(tx, event, scan.device, scan.id, true)?.is_some();
            let same = record.is_of(ticket.grant().ticket, scan.direction);
            return Ok(Planned::Answered(if same && !undone {
                Recorded::Repeated(record)
            } else {
                Recorded::IdReused
            }));
        }
        let held_by = self.held_by(tx, ticket)?;
        let rules = Rules { held_by, ..self.rules(tx, event, scan.gate)? };
        let rules = self.passes.over(rules, tx, ticket, scan)?;
        let spend = read_spend(tx, event, ticket.digest())?;
        let history = spend.as_ref().map(|spend| spend.history);
        let decision = decide(ticket, scan, history.as_ref(), &rules);
        let first = decision.next.or(history).and_then(|history| history.first);
        let record = ScanRecord::decided(ticket, scan, &decision.verdict, first, stage);
        let recall = held_by.filter(|_| decision.verdict == Verdict::Refuse(Reason::Held));
        let history = decision.next.or(history);
        let previous = spend.and_then(|spend| spend.last_seq);
        let digest = ticket.digest();
        Ok(Planned::Write(Box::new(Plan { record, digest, history, previous, recall })))
    }

    /// The device that alone may admit a ticket.
    fn held_by(&mut self, tx: &Connection, ticket: &Verified) -> Result<Option<DeviceNo>> {
        let (event, kind) = (ticket.grant().event, ticket.grant().type_no);
        let holder = if let Some(holder) = self.holders.get(&(event, kind)) {
            *holder
        } else {
            let holder = lease::holder(tx, event, kind)?;
            self.holders.insert((event, kind), holder);
            holder
        };
        match holder {
            Some(_) if lease::is_returned(tx, event, ticket.digest())? => Ok(None),
            holder => Ok(holder),
        }
    }

    fn rules(&mut self, tx: &Connection, event: EventNo, gate: GateNo) -> Result<Rules> {
        if let Some(rules) = self.rules.get(&(event, gate)) {
            return Ok(*rules);
        }
        let open: Option<bool> = tx
            .prepare_cached("SELECT open FROM gate WHERE event = ?1 AND number = ?2")?
            .query_row(params![event.0, gate.0], |row| row.get(0))
            .optional()?;
        let ends_at: Option<i64> = tx
            .prepare_cached("SELECT ends_at FROM event WHERE number = ?1")?
            .query_row([event.0], |row| row.get(0))
            .optional()?;
        let rules = Rules {
            gate_open: open.unwrap_or(false),
            closes_at: ends_at.map(|end| UnixMs(end).plus(EVENT_GRACE_MS)),
            held_by: None,
            pass: Pass::default(),
            calendar: Calendar::default(),
        };
        self.rules.insert((event, gate), rules);
        Ok(rules)
    }
}

/// Decides as [`Batch::plan`] would, and leaves it at that.
fn preview(connection: &Connection, ticket: &Verified, scan: &Scan) -> Result<Preview> {
    let event = ticket.grant().event;
    let mut batch = Batch::default();
    let held_by = batch.held_by(connection, ticket)?;
    let rules = Rules { held_by, ..batch.rules(connection, event, scan.gate)? };
    let mut rules = batch.passes.over(rules, connection, ticket, scan)?;
    // Where no gate is named, none is closed.
    rules.gate_open |= scan.gate == GateNo(0);
    let spend = read_spend(connection, event, ticket.digest())?;
    let history = spend.as_ref().map(|spend| spend.history);
    let verdict = decide(ticket, scan, history.as_ref(), &rules).verdict;
    let last_leaf = spend.and_then(|spend| spend.last_leaf);
    Ok(Preview { verdict, history, last_leaf })
}

/// A row of the spend table.
pub(super) struct Spend {
    pub(super) history: History,
    pub(super) last_seq: Option<i64>,
    pub(super) last_leaf: Option<u64>,
}

/// Where the newest record about a ticket is; none for what stays as it was.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) last_seq: Option<i64>,
    pub(super) last_leaf: Option<u64>,
}

pub(super) fn read_spend(
    connection: &Connection,
    event: EventNo,
    digest: Digest,
) -> Result<Option<Spend>> {
    let mut statement =
        connection.prepare_cached("SELECT * FROM spend WHERE event = ?1 AND digest = ?2")?;
    first(&mut statement, params![event.0, digest.0], "spend", |columns| {
        Ok(Spend {
            history: read_history(columns)?,
            last_seq: columns.int_or_none("last_seq")?,
            last_leaf: columns.int_or_none("last_leaf")?.map(i64::cast_unsigned),
        })
    })
}

/// A ticket's history, from a row that has the columns of the spend table.
pub(super) fn read_history(columns: &Columns<'_, '_>) -> Result<History> {
    let standing = columns.text("standing")?;
    Ok(History {
        standing: Standing::parse(&standing).ok_or_else(|| columns.corrupt("standing"))?,
        uses: columns.small("uses")?,
        first: columns.entry("first")?,
        last: columns.entry("last")?,
        last_epoch: columns.small_or_none("last_epoch")?,
        skipped: columns.small("skipped")?,
        presence: read_presence(columns)?,
    })
}

pub(super) fn write_spend(
    tx: &Connection,
    event: EventNo,
    digest: Digest,
    history: &History,
    place: Place,
) -> Result<()> {
    let first = entry_columns(history.first);
    let last = entry_columns(history.last);
    tx.prepare_cached(
        "INSERT INTO spend VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,
           ?16, ?17, ?18)
         ON CONFLICT (event, digest) DO UPDATE SET
           standing = ?3, uses = ?4,
           first_scan = ?5, first_device = ?6, first_gate = ?7, first_at = ?8,
           last_scan = ?9, last_device = ?10, last_gate = ?11, last_at = ?12,
           last_seq = COALESCE(?13, last_seq), last_leaf = COALESCE(?14, last_leaf),
           last_epoch = ?15, skipped = ?16, inside = ?17, day_gates = ?18",
    )?
    .execute(params![
        event.0,
        digest.0,
        history.standing.code(),
        history.uses,
        first.0,
        first.1,
        first.2,
        first.3,
        last.0,
        last.1,
        last.2,
        last.3,
        place.last_seq,
        place.last_leaf.map(u64::cast_signed),
        history.last_epoch,
        history.skipped,
        history.presence.inside,
        history.presence.gates.0.cast_signed()
    ])?;
    Ok(())
}

pub(super) fn insert_scan(
    tx: &Connection,
    record: &ScanRecord,
    previous: Option<i64>,
) -> Result<i64> {
    let (kind, reason, use_no) = pass::columns(record.outcome, record.scan.direction);
    let first = entry_columns(record.first);
    let (low, high) = record.bound_columns();
    tx.prepare_cached(
        "INSERT INTO scan (event, device, scan_id, kind, reason, ticket, type_no, max_uses, gate, at,
           use_no, first_scan, first_device, first_gate, first_at, previous, leaf, done, low, high,
           offline)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
           ?19, ?20, ?21)",
    )?
    .execute(params![
        record.event.0,
        record.scan.device.0,
        record.scan.id.0,
        kind,
        reason,
        record.ticket.0.cast_signed(),
        record.type_no.0,
        record.max_uses,
        record.scan.gate.0,
        record.scan.at.0,
        use_no,
        first.0,
        first.1,
        first.2,
        first.3,
        previous,
        record.leaf.map(u64::cast_signed),
        record.stage != Stage::Claimed,
        low,
        high,
        record.offline
    ])?;
    Ok(tx.last_insert_rowid())
}

fn read_scan(columns: &Columns<'_, '_>) -> Result<ScanRecord> {
    let use_no = columns.small("use_no")?;
    let reason = columns.text_or_none("reason")?;
    let (outcome, direction) = pass::outcome(columns.int("kind")?, reason.as_deref(), use_no)
        .ok_or_else(|| columns.corrupt("kind"))?;
    let at = columns.time("at")?;
    Ok(ScanRecord {
        seq: columns.int("seq")?,
        event: columns.event()?,
        scan: Scan {
            id: ScanId(columns.bytes("scan_id")?),
            device: DeviceNo(columns.int("device")?),
            gate: columns.gate("gate")?,
            at,
            direction,
        },
        ticket: columns.ticket("ticket")?,
        type_no: columns.type_no("type_no")?,
        max_uses: columns.small("max_uses")?,
        outcome,
        first: columns.entry("first")?,
        leaf: columns.int_or_none("leaf")?.map(i64::cast_unsigned),
        stage: stage(outcome, columns.flag("done")?),
        bounds: Bounds {
            low: columns.time_or_none("low")?.unwrap_or(at),
            high: Some(columns.time_or_none("high")?.unwrap_or(at)),
        },
        offline: columns.flag("offline")?,
    })
}

fn scan_by_name(
    connection: &Connection,
    event: EventNo,
    device: DeviceNo,
    id: ScanId,
    undone: bool,
) -> Result<Option<ScanRecord>> {
    let mut statement = connection.prepare_cached(
        "SELECT * FROM scan WHERE event = ?1 AND device = ?2 AND scan_id = ?3 AND (kind = 2) = ?4
         ORDER BY seq DESC",
    )?;
    first(&mut statement, params![event.0, device.0, id.0, undone], "scan", read_scan)
}

/// The scans of one ticket from position `seq` back, along the chain.
pub(super) fn chain(
    connection: &Connection,
    mut seq: Option<i64>,
    limit: u32,
) -> Result<Vec<ScanRecord>> {
    let mut scans = Vec::new();
    let mut statement = connection.prepare_cached("SELECT * FROM scan WHERE seq = ?1")?;
    while let Some(at) = seq.filter(|_| scans.len() < usize::try_from(limit).unwrap_or(0)) {
        let found = first(&mut statement, [at], "scan", |columns| {
            Ok((read_scan(columns)?, columns.int_or_none("previous")?))
        })?;
        let (record, previous) = found
            .ok_or_else(|| StoreError::corrupt("scan", format!("no row {at} in the chain")))?;
        scans.push(record);
        seq = previous;
    }
    Ok(scans)
}

/// An undo that wrote nothing.
fn nothing(value: Undone) -> Done<Undone> {
    Done { value, scans: Vec::new(), leaf: None }
}

fn undo_scan(
    work: &mut Work<'_, '_>,
    event: EventNo,
    scan: (DeviceNo, ScanId, UnixMs),
    key: &LogKey,
) -> Result<Done<Undone>> {
    let (tx, (device, id, at)) = (work.tx, scan);
    if let Some(done) = scan_by_name(tx, event, device, id, true)? {
        return Ok(nothing(Undone::Done(done, None)));
    }
    let Some(made) = scan_by_name(tx, event, device, id, false)? else {
        return Ok(nothing(Undone::UnknownScan));
    };
    let name = digest(event, made.ticket);
    let Some(spend) = read_spend(tx, event, name)? else {
        return Ok(nothing(Undone::UnknownScan));
    };
    // 256 uses at most count at a time; refusals in between are few enough for the chain.
    let before = entry_before(&chain(tx, spend.last_seq, PAGE_ROWS_MAX)?, id);
    let scan = Scan { id, device, gate: made.scan.gate, at, direction: Direction::Entry };
    let history = match undo(&spend.history, &scan, before) {
        Ok(history) => history,
        Err(refused) => return Ok(nothing(Undone::Refused(refused))),
    };
    let mut record = ScanRecord {
        scan,
        outcome: Outcome::Undo { use_no: spend.history.uses },
        first: history.first,
        stage: Stage::Void,
        bounds: Bounds::exact(at),
        ..made
    };
    let leaf = work.leaves.add(tx, event, &record.fact(made.leaf).leaf(key))?;
    record.leaf = Some(leaf);
    record.seq = insert_scan(tx, &record, spend.last_seq)?;
    let place = Place { last_seq: Some(record.seq), last_leaf: Some(leaf) };
    write_spend(tx, event, name, &history, place)?;
    let value = Undone::Done(record.clone(), None);
    Ok(Done { value, scans: vec![record], leaf: Some(leaf) })
}

#[async_trait]
impl Admissions for SqliteStore {
    async fn admit(&self, ticket: Verified, scan: Scan, key: LogKey) -> Result<Recorded> {
        self.writer.admit(ticket, scan, Stage::Done, key).await
    }

    async fn claim(&self, ticket: Verified, scan: Scan, key: LogKey) -> Result<Recorded> {
        self.writer.admit(ticket, scan, Stage::Claimed, key).await
    }

    async fn undo(
        &self,
        event: EventNo,
        device: DeviceNo,
        id: ScanId,
        at: UnixMs,
        key: LogKey,
    ) -> Result<Undone> {
        let scan = (device, id, at);
        let job = move |work: &mut Work<'_, '_>| undo_scan(work, event, scan, &key);
        Ok(match self.writer.write_logged(event, job).await? {
            (Undone::Done(record, _), logged) => Undone::Done(record, logged),
            (other, _) => other,
        })
    }

    async fn preview(&self, ticket: Verified, scan: Scan) -> Result<Preview> {
        self.read(move |connection| preview(connection, &ticket, &scan)).await
    }

    async fn scans_after(&self, event: EventNo, seq: i64, limit: u32) -> Result<Vec<ScanRecord>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT * FROM scan WHERE seq > ?2 AND event = ?1 ORDER BY seq LIMIT ?3",
            )?;
            collect(&mut statement, params![event.0, seq, limit], "scan", read_scan)
        })
        .await
    }

    async fn scans_newest(&self, event: EventNo, limit: u32) -> Result<Vec<ScanRecord>> {
        self.read(move |connection| {
            let mut statement = connection
                .prepare_cached("SELECT * FROM scan WHERE event = ?1 ORDER BY seq DESC LIMIT ?2")?;
            collect(&mut statement, params![event.0, limit], "scan", read_scan)
        })
        .await
    }

    async fn scans_of(&self, event: EventNo, ticket: TicketId) -> Result<Vec<ScanRecord>> {
        self.read(move |connection| {
            let spend = read_spend(connection, event, digest(event, ticket))?;
            chain(connection, spend.and_then(|spend| spend.last_seq), PAGE_ROWS_MAX)
        })
        .await
    }

    fn committed(&self) -> broadcast::Receiver<Arc<[ScanRecord]>> {
        self.committed.subscribe()
    }

    fn measures(&self) -> Arc<Measures> {
        self.writer.measures()
    }

    fn waiting(&self) -> usize {
        self.writer.waiting()
    }

    async fn ready(&self) -> Result<()> {
        self.write(|_| Ok(())).await
    }

    async fn newest_scan_at(&self) -> Result<Option<UnixMs>> {
        self.read(|connection| {
            let at: Option<i64> = connection
                .prepare_cached("SELECT at FROM scan ORDER BY seq DESC LIMIT 1")?
                .query_row([], |row| row.get(0))
                .optional()?;
            Ok(at.map(UnixMs))
        })
        .await
    }
}
