//! What gates did by themselves, in SQLite: taking it in, leases, and what gates need to know.

use std::collections::BTreeMap;

use admit_core::admission::{History, Standing};
use admit_core::id::{DeviceNo, Digest, EventNo, TypeNo, UnixMs};
use admit_core::log::leaf::{Leaf, LogKey};
use admit_core::offline::effect::Denied;
use admit_core::offline::journal::{ChainHash, SYNC_ENTRIES_MAX};
use admit_core::offline::known::{CHANGES_MAX, ShortDigest};
use async_trait::async_trait;
use rusqlite::{Connection, Transaction, params};

use super::SqliteStore;
use super::admission::{Place, chain, insert_scan, read_spend, write_spend};
use super::lease::{held_types, recalled_tickets, take_back_leases};
use super::log::Leaves;
use super::row::{collect, entry_columns, first};
use super::spent::read_conflict;
use super::writer::{Done, Work};
use crate::admission::ScanRecord;
use crate::log::Logged;
use crate::offline::{
    Arrived, Chain, Contact, DeviceReport, DeviceState, Elsewhere, Identity, Ink, Known, Link,
    Offlines, Settling, Synced, WITHDRAWN_MAX, denied, identity_of, reason_code,
};
use crate::spent::Conflict;
use crate::{PAGE_ROWS_MAX, Result};

/// Writes a settlement into the transaction at once.
pub(super) struct Pen<'w, 'c> {
    pub(super) tx: &'w Transaction<'c>,
    pub(super) leaves: &'w mut Leaves,
    pub(super) event: EventNo,
}

impl Ink for Pen<'_, '_> {
    fn leaf(&mut self, leaf: &Leaf) -> Result<u64> {
        self.leaves.add(self.tx, self.event, leaf)
    }

    fn scan(&mut self, record: &ScanRecord, previous: Option<i64>) -> Result<i64> {
        insert_scan(self.tx, record, previous)
    }

    fn confirm(&mut self, seq: i64) -> Result<()> {
        self.tx.prepare_cached("UPDATE scan SET done = 1 WHERE seq = ?1")?.execute([seq])?;
        Ok(())
    }

    fn conflict(&mut self, conflict: &Conflict) -> Result<()> {
        let one = entry_columns(Some(conflict.known));
        let two = entry_columns(Some(conflict.brought));
        self.tx
            .prepare_cached(
                "INSERT INTO conflict (event, leaf, digest, ticket,
                   known_scan, known_device, known_gate, known_at,
                   brought_scan, brought_device, brought_gate, brought_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?
            .execute(params![
                self.event.0,
                conflict.leaf.cast_signed(),
                conflict.digest.0,
                conflict.ticket.0.cast_signed(),
                one.0,
                one.1,
                one.2,
                one.3,
                two.0,
                two.1,
                two.2,
                two.3
            ])?;
        Ok(())
    }
}

/// A ticket that a device tells of, with its story; none when it was never issued here. An anonymous
/// one is known by its scans, or by the code that the device sent along.
pub(super) fn known(
    tx: &Connection,
    event: EventNo,
    digest: Digest,
    bearer: Option<Identity>,
) -> Result<Option<Known>> {
    let mut statement = tx.prepare_cached(
        "SELECT id, type_no, max_uses FROM ticket WHERE event = ?1 AND digest = ?2",
    )?;
    let issued = first(&mut statement, params![event.0, digest.0], "ticket", |columns| {
        Ok((columns.ticket("id")?, columns.type_no("type_no")?, columns.small("max_uses")?))
    })?;
    let spend = read_spend(tx, event, digest)?;
    let scans = chain(tx, spend.as_ref().and_then(|spend| spend.last_seq), PAGE_ROWS_MAX)?;
    let history = spend.map(|spend| spend.history);
    // What was issued has a row from then on; without one the books were set back.
    let history = if issued.is_none() { history.or(Some(History::FRESH)) } else { history };
    let issued = issued.or(identity_of(&scans)).or(bearer);
    let (Some(issued), Some(history)) = (issued, history) else { return Ok(None) };
    Ok(Some(Known::new(issued, history, &scans)))
}

/// Writes the rows of the tickets that a settlement changed.
pub(super) fn write_known(
    tx: &Connection,
    event: EventNo,
    all: &BTreeMap<Digest, Option<Known>>,
) -> Result<()> {
    let changed = all.iter().filter_map(|(digest, known)| Some((digest, known.as_ref()?)));
    for (digest, known) in changed.filter(|(_, known)| known.changed) {
        let place = Place { last_seq: known.last_seq, last_leaf: known.last_leaf };
        write_spend(tx, event, *digest, &known.story.history, place)?;
    }
    Ok(())
}

fn sync(
    work: &mut Work<'_, '_>,
    (event, device): (EventNo, DeviceNo),
    contact: &Contact,
    heard_at: UnixMs,
    key: &LogKey,
) -> Result<Done<Synced>> {
    let tx = work.tx;
    let mut synced = Synced::default();
    let mut journal = Chain { hashes: hashes(tx, event, device, &contact.entries)? };
    let mut settling = Settling { event, device, heard_at, key, leaf: None, scans: Vec::new() };
    let mut tickets = BTreeMap::new();
    for arrived in contact.entries.iter().take(SYNC_ENTRIES_MAX) {
        let sequence = arrived.entry.sequence;
        synced.acknowledged.push(sequence);
        if let Link::Again = journal.link(device, arrived, &mut synced) {
            synced.duplicates += 1;
            continue;
        }
        insert_journal(tx, (event, device), arrived, heard_at)?;
        let name = arrived.entry.digest;
        if let std::collections::btree_map::Entry::Vacant(vacant) = tickets.entry(name) {
            vacant.insert(known(tx, event, name, contact.bearer(name))?);
        }
        let Some(Some(ticket)) = tickets.get_mut(&name) else {
            synced.unknown.push(arrived.entry);
            continue;
        };
        let mut pen = Pen { tx, leaves: &mut work.leaves, event };
        let (new, conflict) = settling.settle(ticket, &arrived.entry, &mut pen)?;
        if new {
            synced.stored += 1;
        } else {
            synced.duplicates += 1;
        }
        synced.conflicts.extend(conflict);
    }
    write_known(tx, event, &tickets)?;
    take_back_leases(tx, (event, device), contact, heard_at)?;
    mark_shown(tx, (event, device), &contact.shown, heard_at)?;
    put_state(tx, (event, device), &contact.state, heard_at)?;
    let Settling { leaf, scans, .. } = settling;
    Ok(Done { value: synced, scans, leaf })
}

/// Hashes of the journal where these entries stand, and before.
fn hashes(
    tx: &Connection,
    event: EventNo,
    device: DeviceNo,
    entries: &[Arrived],
) -> Result<BTreeMap<u64, ChainHash>> {
    let sequences = entries.iter().filter(|arrived| arrived.hash.is_some());
    let sequences = sequences.map(|arrived| arrived.entry.sequence);
    let (Some(least), Some(most)) = (sequences.clone().min(), sequences.max()) else {
        return Ok(BTreeMap::new());
    };
    let mut statement = tx.prepare_cached(
        "SELECT sequence, hash FROM journal
         WHERE event = ?1 AND device = ?2 AND sequence BETWEEN ?3 AND ?4",
    )?;
    let range =
        params![event.0, device.0, least.saturating_sub(1).cast_signed(), most.cast_signed()];
    let found = collect(&mut statement, range, "journal", |columns| {
        Ok((columns.int("sequence")?.cast_unsigned(), ChainHash(columns.bytes("hash")?)))
    })?;
    Ok(found.into_iter().collect())
}

fn insert_journal(
    tx: &Connection,
    (event, device): (EventNo, DeviceNo),
    arrived: &Arrived,
    heard_at: UnixMs,
) -> Result<()> {
    // A program that keeps no journal has no numbers: its scan ids are enough.
    let Some(hash) = arrived.hash else { return Ok(()) };
    let entry = &arrived.entry;
    tx.prepare_cached(
        "INSERT INTO journal VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        event.0,
        device.0,
        entry.sequence.cast_signed(),
        hash.0,
        entry.scan.0,
        entry.digest.0,
        entry.gate.0,
        entry.word.code(),
        reason_code(entry.word),
        entry.bounds.low.0,
        entry.bounds.high.map(|high| high.0),
        heard_at.0
    ])?;
    Ok(())
}

fn mark_shown(
    tx: &Connection,
    (event, device): (EventNo, DeviceNo),
    notices: &[u64],
    at: UnixMs,
) -> Result<()> {
    for notice in notices {
        tx.prepare_cached(
            "UPDATE conflict SET
               known_shown = CASE WHEN known_device = ?3 THEN COALESCE(known_shown, ?4)
                 ELSE known_shown END,
               brought_shown = CASE WHEN brought_device = ?3 THEN COALESCE(brought_shown, ?4)
                 ELSE brought_shown END
             WHERE event = ?1 AND leaf = ?2",
        )?
        .execute(params![event.0, notice.cast_signed(), device.0, at.0])?;
    }
    Ok(())
}

fn put_state(
    tx: &Connection,
    (event, device): (EventNo, DeviceNo),
    report: &DeviceReport,
    at: UnixMs,
) -> Result<()> {
    tx.prepare_cached("INSERT OR REPLACE INTO device_state VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![
        device.0,
        event.0,
        at.0,
        report.pending,
        report.persisted,
        report.battery,
        report.cursor
    ])?;
    Ok(())
}

// --- what gates need to know ----------------------------------------------------------------------

fn elsewhere(
    connection: &Connection,
    event: EventNo,
    device: DeviceNo,
    after: i64,
) -> Result<Elsewhere> {
    let limit = i64::try_from(CHANGES_MAX).unwrap_or(i64::MAX);
    let newest: i64 = connection
        .prepare_cached("SELECT COALESCE(MAX(seq), 0) FROM scan")?
        .query_row([], |row| row.get(0))?;
    let mut statement = connection.prepare_cached(
        "SELECT seq, kind, ticket FROM scan
         WHERE seq > ?2 AND seq <= ?3 AND event = ?1 AND kind IN (0, 2) AND device <> ?4
         ORDER BY seq LIMIT ?5",
    )?;
    let wanted = params![event.0, after, newest, device.0, limit];
    let rows = collect(&mut statement, wanted, "scan", |columns| {
        let by = if columns.int("kind")? == 0 { 1 } else { -1 };
        Ok((columns.int("seq")?, columns.ticket("ticket")?, by))
    })?;
    Ok(Elsewhere::page(event, &rows, newest.max(after)))
}

fn withdrawn(connection: &Connection, event: EventNo) -> Result<Vec<Denied>> {
    let mut statement = connection.prepare_cached(
        "SELECT digest, standing FROM spend WHERE event = ?1 AND standing <> 'issued'
         ORDER BY digest LIMIT ?2",
    )?;
    collect(&mut statement, params![event.0, WITHDRAWN_MAX], "spend", |columns| {
        let standing = Standing::parse(&columns.text("standing")?);
        let standing = standing.ok_or_else(|| columns.corrupt("standing"))?;
        Ok(denied(Digest(columns.bytes("digest")?), standing))
    })
}

#[async_trait]
impl Offlines for SqliteStore {
    async fn sync(
        &self,
        event: EventNo,
        device: DeviceNo,
        contact: Contact,
        heard_at: UnixMs,
        key: LogKey,
    ) -> Result<(Synced, Option<Logged>)> {
        let job =
            move |work: &mut Work<'_, '_>| sync(work, (event, device), &contact, heard_at, &key);
        self.writer.write_logged(event, job).await
    }

    async fn elsewhere(&self, event: EventNo, device: DeviceNo, after: i64) -> Result<Elsewhere> {
        self.read(move |connection| elsewhere(connection, event, device, after)).await
    }

    async fn withdrawn(&self, event: EventNo) -> Result<Vec<Denied>> {
        self.read(move |connection| withdrawn(connection, event)).await
    }

    async fn notices(&self, event: EventNo, device: DeviceNo) -> Result<Vec<Conflict>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT * FROM conflict WHERE event = ?1
                   AND ((known_device = ?2 AND known_shown IS NULL)
                     OR (brought_device = ?2 AND brought_shown IS NULL))
                 ORDER BY leaf LIMIT ?3",
            )?;
            let wanted = params![event.0, device.0, PAGE_ROWS_MAX];
            collect(&mut statement, wanted, "conflict", read_conflict)
        })
        .await
    }

    async fn recalled(
        &self,
        event: EventNo,
        device: DeviceNo,
    ) -> Result<(Vec<ShortDigest>, Vec<TypeNo>)> {
        self.read(move |connection| {
            let tickets = recalled_tickets(connection, event, device)?;
            Ok((tickets, held_types(connection, event, device, true)?))
        })
        .await
    }

    async fn device_states(&self, event: EventNo) -> Result<Vec<DeviceState>> {
        self.read(move |connection| {
            let mut statement = connection
                .prepare_cached("SELECT * FROM device_state WHERE event = ?1 ORDER BY device")?;
            collect(&mut statement, [event.0], "device_state", |columns| {
                Ok(DeviceState {
                    device: DeviceNo(columns.int("device")?),
                    synced_at: columns.time("synced_at")?,
                    report: DeviceReport {
                        pending: columns.small("pending")?,
                        persisted: columns.int_or_none("persisted")?.map(|flag| flag != 0),
                        battery: columns.small_or_none("battery")?,
                        cursor: columns.int("cursor")?,
                    },
                })
            })
        })
        .await
    }

    async fn unconfirmed(&self, event: EventNo) -> Result<Vec<(DeviceNo, u32)>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT device, COUNT(*) AS claims FROM scan AS claim
                 WHERE event = ?1 AND done = 0 AND kind = 0 AND NOT EXISTS (
                   SELECT 1 FROM scan AS undo WHERE undo.event = claim.event
                     AND undo.device = claim.device AND undo.scan_id = claim.scan_id
                     AND undo.kind = 2)
                 GROUP BY device ORDER BY device",
            )?;
            collect(&mut statement, [event.0], "scan", |columns| {
                Ok((DeviceNo(columns.int("device")?), columns.small("claims")?))
            })
        })
        .await
    }
}
