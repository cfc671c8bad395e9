//! What gates did by themselves, in PostgreSQL: taking it in, leases, and what gates need to know.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use admit_core::admission::Standing;
use admit_core::id::{DeviceNo, Digest, EventNo, TypeNo, UnixMs};
use admit_core::log::leaf::{Leaf, LogKey};
use admit_core::offline::effect::Denied;
use admit_core::offline::journal::{ChainHash, SYNC_ENTRIES_MAX};
use admit_core::offline::known::{CHANGES_MAX, ShortDigest};
use admit_core::ticket::Verified;
use async_trait::async_trait;
use deadpool_postgres::{GenericClient, Transaction};

use super::admission::{LOCK_SPENDS, number, read_history, read_scan};
use super::anonymous::INSERT_FRESH;
use super::append::{self, Rows, SpendRow};
use super::lease::{held_types, lock_held_types, take_back_leases};
use super::log::{self, Edges, Held};
use super::row::{collect, first};
use super::spent::read_conflict;
use super::{Done, PostgresStore, query};
use crate::admission::ScanRecord;
use crate::log::Logged;
use crate::offline::{
    Arrived, Chain, Contact, DeviceReport, DeviceState, Elsewhere, Ink, Known, Link, Offlines,
    RECALLED_MAX, Settling, Synced, WITHDRAWN_MAX, denied, identity_of, reason_code,
};
use crate::spent::Conflict;
use crate::{PAGE_ROWS_MAX, Result};

/// Collects what a settlement writes, under the event's log.
pub(super) struct Pen {
    event: EventNo,
    held: Held,
    scans: Vec<(ScanRecord, Option<i64>)>,
    confirmed: Vec<i64>,
    conflicts: Vec<Conflict>,
}

impl Pen {
    pub(super) fn new(event: EventNo, held: Held) -> Self {
        Self { event, held, scans: Vec::new(), confirmed: Vec::new(), conflicts: Vec::new() }
    }

    /// Writes it all; what was appended.
    pub(super) async fn write(
        self,
        tx: &Transaction<'_>,
        tickets: &BTreeMap<Digest, Known>,
    ) -> Done<Rows> {
        let Self { event, held, scans, confirmed, conflicts } = self;
        let changed = tickets.iter().filter(|(_, known)| known.changed);
        let spends = changed.map(|(digest, known)| SpendRow {
            event,
            digest: *digest,
            history: known.story.history,
            last_seq: known.last_seq,
            last_leaf: known.last_leaf,
        });
        let spends = spends.collect();
        let rows = Rows { scans, spends, grown: held.grow(), ..Rows::default() };
        append::write(tx, &rows).await?;
        confirm(tx, event, &confirmed).await?;
        insert_conflicts(tx, event, &conflicts).await?;
        Ok(rows)
    }
}

impl Ink for Pen {
    fn leaf(&mut self, leaf: &Leaf) -> Result<u64> {
        self.held.add(self.event, leaf.to_bytes())
    }

    fn scan(&mut self, record: &ScanRecord, previous: Option<i64>) -> Result<i64> {
        let seq = self.held.next_position(self.event)?;
        self.scans.push((ScanRecord { seq, ..record.clone() }, previous));
        Ok(seq)
    }

    fn confirm(&mut self, seq: i64) -> Result<()> {
        self.confirmed.push(seq);
        Ok(())
    }

    fn conflict(&mut self, conflict: &Conflict) -> Result<()> {
        self.conflicts.push(conflict.clone());
        Ok(())
    }
}

/// Rows of scans are changed only here, and only of tickets whose rows are held.
async fn confirm(tx: &Transaction<'_>, event: EventNo, seqs: &[i64]) -> Done<()> {
    if seqs.is_empty() {
        return Ok(());
    }
    let sql = "UPDATE scan SET done = 1 WHERE event = $1 AND seq = ANY($2)";
    query(tx, sql, &[&number(event), &seqs]).await?;
    Ok(())
}

/// Conflicts are few: one statement for each.
async fn insert_conflicts(tx: &Transaction<'_>, event: EventNo, all: &[Conflict]) -> Done<()> {
    for Conflict { digest, ticket, known, brought, leaf } in all {
        query(
            tx,
            "INSERT INTO conflict (event, leaf, digest, ticket,
               known_scan, known_device, known_gate, known_at,
               brought_scan, brought_device, brought_gate, brought_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            &[
                &number(event),
                &leaf.cast_signed(),
                &digest.0.as_slice(),
                &ticket.0.cast_signed(),
                &known.scan.0.as_slice(),
                &known.device.0,
                &i64::from(known.gate.0),
                &known.at.0,
                &brought.scan.0.as_slice(),
                &brought.device.0,
                &i64::from(brought.gate.0),
                &brought.at.0,
            ],
        )
        .await?;
    }
    Ok(())
}

/// Locks tickets and reads their stories. Those that were never issued here are left out. Anonymous ones
/// are known by their scans, or by the codes that the device sent along.
pub(super) async fn read_known(
    tx: &Transaction<'_>,
    event: EventNo,
    digests: &BTreeSet<Digest>,
    contact: &Contact,
) -> Done<BTreeMap<Digest, Known>> {
    let bearers: BTreeSet<_> = contact.bearers.iter().map(Verified::digest).collect();
    let bearers: Vec<&[u8]> = bearers.iter().map(|digest| digest.0.as_slice()).collect();
    if !bearers.is_empty() {
        query(tx, INSERT_FRESH, &[&vec![number(event); bearers.len()], &bearers]).await?;
    }
    // Sorted: the order in which everybody locks them.
    let names: Vec<&[u8]> = digests.iter().map(|digest| digest.0.as_slice()).collect();
    let events = vec![number(event); names.len()];
    let rows = query(tx, LOCK_SPENDS, &[&events, &names]).await?;
    let spends = collect(&rows, "spend", |columns| {
        let spend = (read_history(columns)?, columns.int_or_none("last_seq")?);
        Ok((Digest(columns.bytes("digest")?), spend))
    })?;
    let newest: Vec<i64> = spends.iter().filter_map(|(_, (_, seq))| *seq).collect();
    let chains = chains(tx, event, &newest).await?;
    let spends: HashMap<_, _> = spends.into_iter().collect();
    let sql = "SELECT digest, id, type_no, max_uses FROM ticket
         WHERE event = $1 AND digest = ANY($2)";
    let tickets = query(tx, sql, &[&number(event), &names]).await?;
    let known = collect(&tickets, "ticket", |columns| {
        let digest = Digest(columns.bytes("digest")?);
        let Some((history, seq)) = spends.get(&digest).copied() else { return Ok(None) };
        let issued =
            (columns.ticket("id")?, columns.type_no("type_no")?, columns.small("max_uses")?);
        let scans = seq.and_then(|seq| chains.get(&seq)).map(Vec::as_slice).unwrap_or_default();
        Ok(Some((digest, Known::new(issued, history, scans))))
    })?;
    let mut known: BTreeMap<_, _> = known.into_iter().flatten().collect();
    for (digest, (history, seq)) in &spends {
        if known.contains_key(digest) {
            continue;
        }
        let scans = seq.and_then(|seq| chains.get(&seq)).map(Vec::as_slice).unwrap_or_default();
        if let Some(identity) = identity_of(scans).or(contact.bearer(*digest)) {
            known.insert(*digest, Known::new(identity, *history, scans));
        }
    }
    Ok(known)
}

/// The scans of several tickets, each from its newest back, by the position of the newest.
async fn chains(
    client: &impl GenericClient,
    event: EventNo,
    newest: &[i64],
) -> Done<HashMap<i64, Vec<ScanRecord>>> {
    let rows = query(
        client,
        "WITH RECURSIVE chain AS (
           SELECT scan.*, scan.seq AS newest, 1 AS place FROM scan
           WHERE event = $1 AND seq = ANY($2)
           UNION ALL
           SELECT scan.*, chain.newest, chain.place + 1 FROM chain
           JOIN scan ON scan.event = chain.event AND scan.seq = chain.previous
           WHERE chain.place < $3
         ) SELECT * FROM chain ORDER BY newest, place",
        &[&number(event), &newest, &i32::try_from(PAGE_ROWS_MAX).unwrap_or(i32::MAX)],
    )
    .await?;
    let scans =
        collect(&rows, "scan", |columns| Ok((columns.int("newest")?, read_scan(columns)?)))?;
    let mut chains: HashMap<_, Vec<_>> = HashMap::new();
    for (newest, scan) in scans {
        chains.entry(newest).or_default().push(scan);
    }
    Ok(chains)
}

async fn sync(
    tx: &Transaction<'_>,
    edges: &Edges,
    (event, device): (EventNo, DeviceNo),
    contact: &Contact,
    (heard_at, key): (UnixMs, LogKey),
) -> Done<(Synced, Option<u64>, Rows)> {
    // Types before tickets before the log: the order in which everybody locks them.
    if !contact.returned_types.is_empty() {
        // Leases are among what servers keep in memory: they read it again within a second.
        query(tx, "UPDATE book SET version = version + 1", &[]).await?;
        lock_held_types(tx, event, device).await?;
    }
    let digests = contact.entries.iter().map(|arrived| arrived.entry.digest).collect();
    let mut tickets = read_known(tx, event, &digests, contact).await?;
    let held = log::hold(tx, edges, event).await?;
    // After the locks: what another server took in under them is seen.
    let mut journal = Chain { hashes: hashes(tx, event, device, &contact.entries).await? };
    let mut settling =
        Settling { event, device, heard_at, key: &key, leaf: None, scans: Vec::new() };
    let mut pen = Pen::new(event, held);
    let mut synced = Synced::default();
    let mut new = Vec::new();
    for arrived in &contact.entries {
        synced.acknowledged.push(arrived.entry.sequence);
        if let Link::Again = journal.link(device, arrived, &mut synced) {
            synced.duplicates += 1;
            continue;
        }
        new.push(*arrived);
        let Some(ticket) = tickets.get_mut(&arrived.entry.digest) else {
            synced.unknown.push(arrived.entry);
            continue;
        };
        let (stored, conflict) = settling.settle(ticket, &arrived.entry, &mut pen)?;
        if stored {
            synced.stored += 1;
        } else {
            synced.duplicates += 1;
        }
        synced.conflicts.extend(conflict);
    }
    let rows = pen.write(tx, &tickets).await?;
    insert_journal(tx, (event, device), &new, heard_at).await?;
    take_back_leases(tx, (event, device), contact, heard_at).await?;
    mark_shown(tx, (event, device), &contact.shown, heard_at).await?;
    put_state(tx, (event, device), &contact.state, heard_at).await?;
    Ok((synced, settling.leaf, rows))
}

/// Hashes of the journal where these entries stand, and before.
async fn hashes(
    tx: &Transaction<'_>,
    event: EventNo,
    device: DeviceNo,
    entries: &[Arrived],
) -> Done<BTreeMap<u64, ChainHash>> {
    let sequences = entries.iter().filter(|arrived| arrived.hash.is_some());
    let sequences = sequences.map(|arrived| arrived.entry.sequence);
    let (Some(least), Some(most)) = (sequences.clone().min(), sequences.max()) else {
        return Ok(BTreeMap::new());
    };
    let sql = "SELECT sequence, hash FROM journal
         WHERE event = $1 AND device = $2 AND sequence BETWEEN $3 AND $4";
    let (least, most) = (least.saturating_sub(1).cast_signed(), most.cast_signed());
    let rows = query(tx, sql, &[&number(event), &device.0, &least, &most]).await?;
    let found = collect(&rows, "journal", |columns| {
        Ok((columns.int("sequence")?.cast_unsigned(), ChainHash(columns.bytes("hash")?)))
    })?;
    Ok(found.into_iter().collect())
}

async fn insert_journal(
    tx: &Transaction<'_>,
    (event, device): (EventNo, DeviceNo),
    new: &[Arrived],
    heard_at: UnixMs,
) -> Done<()> {
    // A program that keeps no journal has no numbers: its scan ids are enough.
    let kept: Vec<_> =
        new.iter().filter_map(|one| Some((&one.entry, one.hash.as_ref()?))).collect();
    if kept.is_empty() {
        return Ok(());
    }
    let entries = || kept.iter().map(|(entry, _)| *entry);
    let sequences: Vec<_> = entries().map(|entry| entry.sequence.cast_signed()).collect();
    let hashes: Vec<_> = kept.iter().map(|(_, hash)| hash.0.as_slice()).collect();
    let scans: Vec<_> = entries().map(|entry| entry.scan.0.as_slice()).collect();
    let digests: Vec<_> = entries().map(|entry| entry.digest.0.as_slice()).collect();
    let gates: Vec<_> = entries().map(|entry| i64::from(entry.gate.0)).collect();
    let words: Vec<_> = entries().map(|entry| entry.word.code()).collect();
    let reasons: Vec<_> = entries().map(|entry| reason_code(entry.word)).collect();
    let lows: Vec<_> = entries().map(|entry| entry.bounds.low.0).collect();
    let highs: Vec<_> = entries().map(|entry| entry.bounds.high.map(|high| high.0)).collect();
    query(
        tx,
        "INSERT INTO journal (event, device, heard_at, sequence, hash, scan_id, digest, gate, word,
           reason, low, high)
         SELECT $1, $2, $3, * FROM unnest($4::bigint[], $5::bytea[], $6::bytea[], $7::bytea[],
           $8::bigint[], $9::text[], $10::text[], $11::bigint[], $12::bigint[])",
        &[
            &number(event),
            &device.0,
            &heard_at.0,
            &sequences,
            &hashes,
            &scans,
            &digests,
            &gates,
            &words,
            &reasons,
            &lows,
            &highs,
        ],
    )
    .await?;
    Ok(())
}

async fn mark_shown(
    tx: &Transaction<'_>,
    (event, device): (EventNo, DeviceNo),
    notices: &[u64],
    at: UnixMs,
) -> Done<()> {
    if notices.is_empty() {
        return Ok(());
    }
    let leaves: Vec<_> = notices.iter().map(|notice| notice.cast_signed()).collect();
    let sql = "UPDATE conflict SET
           known_shown = CASE WHEN known_device = $3 THEN COALESCE(known_shown, $4)
             ELSE known_shown END,
           brought_shown = CASE WHEN brought_device = $3 THEN COALESCE(brought_shown, $4)
             ELSE brought_shown END
         WHERE event = $1 AND leaf = ANY($2)";
    query(tx, sql, &[&number(event), &leaves, &device.0, &at.0]).await?;
    Ok(())
}

async fn put_state(
    tx: &Transaction<'_>,
    (event, device): (EventNo, DeviceNo),
    report: &DeviceReport,
    at: UnixMs,
) -> Done<()> {
    query(
        tx,
        "INSERT INTO device_state (device, event, synced_at, pending, persisted, battery, cursor)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (device) DO UPDATE SET synced_at = $3, pending = $4, persisted = $5,
           battery = $6, cursor = $7",
        &[
            &device.0,
            &number(event),
            &at.0,
            &i64::from(report.pending),
            &report.persisted.map(i64::from),
            &report.battery.map(i64::from),
            &report.cursor,
        ],
    )
    .await?;
    Ok(())
}

// --- what gates need to know ----------------------------------------------------------------------

async fn elsewhere(
    client: &impl GenericClient,
    event: EventNo,
    device: DeviceNo,
    after: i64,
) -> Done<Elsewhere> {
    let rows =
        query(client, "SELECT position FROM log WHERE event = $1", &[&number(event)]).await?;
    let newest = first(&rows, "log", |columns| columns.int("position"))?.unwrap_or_default();
    let sql = "SELECT seq, kind, ticket FROM scan
         WHERE event = $1 AND seq > $2 AND seq <= $3 AND kind IN (0, 2) AND device <> $4
         ORDER BY seq LIMIT $5";
    let limit = i64::try_from(CHANGES_MAX).unwrap_or(i64::MAX);
    let rows = query(client, sql, &[&number(event), &after, &newest, &device.0, &limit]).await?;
    let rows = collect(&rows, "scan", |columns| {
        let by = if columns.int("kind")? == 0 { 1 } else { -1 };
        Ok((columns.int("seq")?, columns.ticket("ticket")?, by))
    })?;
    Ok(Elsewhere::page(event, &rows, newest.max(after)))
}

#[async_trait]
impl Offlines for PostgresStore {
    async fn sync(
        &self,
        event: EventNo,
        device: DeviceNo,
        mut contact: Contact,
        heard_at: UnixMs,
        key: LogKey,
    ) -> Result<(Synced, Option<Logged>)> {
        contact.entries.truncate(SYNC_ENTRIES_MAX);
        let attempt = || {
            self.transact(|tx| {
                let (edges, contact) = (self.edges.clone(), contact.clone());
                Box::pin(async move {
                    sync(tx, &edges, (event, device), &contact, (heard_at, key)).await
                })
            })
        };
        let (synced, leaf, rows) = match attempt().await {
            // Another server took the same entries in meanwhile: the second look finds them.
            Err(fault) if fault.is_taken() => attempt().await?,
            end => end?,
        };
        let Rows { scans, grown, .. } = rows;
        self.edges.keep(&grown);
        if !scans.is_empty() {
            self.feed.own(scans.into_iter().map(|(record, _)| record).collect());
        }
        Ok((synced, leaf.and_then(|leaf| grown.of(event, leaf))))
    }

    async fn elsewhere(&self, event: EventNo, device: DeviceNo, after: i64) -> Result<Elsewhere> {
        Ok(elsewhere(&self.client().await?, event, device, after).await?)
    }

    async fn withdrawn(&self, event: EventNo) -> Result<Vec<Denied>> {
        let sql = "SELECT digest, standing FROM spend WHERE event = $1 AND standing <> 'issued'
             ORDER BY digest LIMIT $2";
        let rows = self.query(sql, &[&number(event), &i64::from(WITHDRAWN_MAX)]).await?;
        collect(&rows, "spend", |columns| {
            let standing = Standing::parse(&columns.text("standing")?);
            let standing = standing.ok_or_else(|| columns.corrupt("standing"))?;
            Ok(denied(Digest(columns.bytes("digest")?), standing))
        })
    }

    async fn notices(&self, event: EventNo, device: DeviceNo) -> Result<Vec<Conflict>> {
        let sql = "SELECT * FROM conflict WHERE event = $1
               AND ((known_device = $2 AND known_shown IS NULL)
                 OR (brought_device = $2 AND brought_shown IS NULL))
             ORDER BY leaf LIMIT $3";
        let wanted: super::Params<'_> = &[&number(event), &device.0, &i64::from(PAGE_ROWS_MAX)];
        collect(&self.query(sql, wanted).await?, "conflict", read_conflict)
    }

    async fn recalled(
        &self,
        event: EventNo,
        device: DeviceNo,
    ) -> Result<(Vec<ShortDigest>, Vec<TypeNo>)> {
        let sql = "SELECT digest FROM recall
             WHERE event = $1 AND device = $2 AND returned_at IS NULL ORDER BY asked_at LIMIT $3";
        let wanted: super::Params<'_> = &[&number(event), &device.0, &i64::from(RECALLED_MAX)];
        let rows = self.query(sql, wanted).await?;
        let tickets = collect(&rows, "recall", |columns| {
            Ok(ShortDigest::from(Digest(columns.bytes("digest")?)))
        })?;
        let client = self.client().await?;
        Ok((tickets, held_types(&client, event, device, true).await?))
    }

    async fn device_states(&self, event: EventNo) -> Result<Vec<DeviceState>> {
        let sql = "SELECT * FROM device_state WHERE event = $1 ORDER BY device";
        let rows = self.query(sql, &[&number(event)]).await?;
        collect(&rows, "device_state", |columns| {
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
    }

    async fn unconfirmed(&self, event: EventNo) -> Result<Vec<(DeviceNo, u32)>> {
        let sql = "SELECT device, COUNT(*) AS claims FROM scan AS claim
             WHERE event = $1 AND done = 0 AND kind = 0 AND NOT EXISTS (
               SELECT 1 FROM scan AS undo WHERE undo.event = claim.event
                 AND undo.device = claim.device AND undo.scan_id = claim.scan_id
                 AND undo.kind = 2)
             GROUP BY device ORDER BY device";
        let rows = self.query(sql, &[&number(event)]).await?;
        collect(&rows, "scan", |columns| {
            Ok((DeviceNo(columns.int("device")?), columns.small("claims")?))
        })
    }
}
