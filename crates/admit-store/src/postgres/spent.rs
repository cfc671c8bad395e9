//! Entries that gates made by themselves, in PostgreSQL.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use admit_core::admission::{Entry, History, Scan};
use admit_core::id::{DeviceNo, Digest, EventNo, GateNo, TicketId, TypeNo, UnixMs};
use admit_core::log::leaf::{Details, Fact, Kind, LogKey};
use admit_core::spent::{Imported, SpentEntry, import, scan_id};
use admit_core::stats::Outcome;
use async_trait::async_trait;
use deadpool_postgres::Transaction;

use super::admission::{LOCK_SPENDS, number, read_history};
use super::append::{self, Rows, SpendRow};
use super::log::{self, Edges, Held};
use super::row::{Columns, collect};
use super::{Done, PostgresStore, query};
use crate::admission::ScanRecord;
use crate::log::Logged;
use crate::spent::{Conflict, IMPORT_ENTRIES_MAX, Import, Spents};
use crate::{PAGE_ROWS_MAX, Result, StoreError};

/// A ticket as far as an import needs it.
struct Known {
    ticket: TicketId,
    type_no: TypeNo,
    max_uses: u8,
    history: History,
    last_seq: Option<i64>,
    /// Whether the import changed it, and by which leaf.
    leaf: Option<u64>,
}

/// One import while it runs: what the database said, and what is to be written.
struct Importing {
    event: EventNo,
    device: DeviceNo,
    key: LogKey,
    known: BTreeMap<Digest, Known>,
    /// What was brought under each sequence number, before and now.
    brought: HashMap<u64, SpentEntry>,
    held: Held,
    done: Import,
    scans: Vec<(ScanRecord, Option<i64>)>,
    new: Vec<SpentEntry>,
    leaf: Option<u64>,
}

impl Importing {
    fn take(&mut self, spent: &SpentEntry) -> Result<()> {
        match self.brought.get(&spent.sequence) {
            Some(known) if known == spent => self.done.duplicates += 1,
            Some(_) => self.done.altered.push(spent.sequence),
            None => self.take_new(spent)?,
        }
        Ok(())
    }

    fn take_new(&mut self, spent: &SpentEntry) -> Result<()> {
        let Some(known) = self.known.get_mut(&spent.digest) else {
            self.done.unknown.push(spent.sequence);
            return Ok(());
        };
        self.brought.insert(spent.sequence, *spent);
        self.new.push(*spent);
        let scan = scan_id(self.device, spent.sequence);
        let entry = Entry { scan, device: self.device, gate: spent.gate, at: spent.at };
        let details = |use_no| Details {
            gate: entry.gate,
            device: entry.device,
            scan: entry.scan,
            use_no,
            ..Details::of(known.ticket, spent.digest, known.type_no)
        };
        let fact = |kind, use_no| {
            let fact = Fact { kind, at: entry.at, refers: None, details: details(use_no) };
            fact.leaf(&self.key).to_bytes()
        };
        match import(&known.history, known.max_uses, entry) {
            Imported::Conflict(first) => {
                let leaf = self.held.add(self.event, fact(Kind::Conflict, 0))?;
                self.leaf = Some(leaf);
                let (digest, ticket) = (spent.digest, known.ticket);
                let conflict = Conflict { digest, ticket, known: first, brought: entry, leaf };
                self.done.conflicts.push(conflict);
            }
            Imported::Stored(history) => {
                let leaf = self.held.add(self.event, fact(Kind::Import, history.uses))?;
                self.leaf = Some(leaf);
                // Among the scans, so that the desk counts it like any other.
                let record = ScanRecord {
                    seq: self.held.next_position(self.event)?,
                    event: self.event,
                    scan: Scan { id: scan, device: self.device, gate: spent.gate, at: spent.at },
                    ticket: known.ticket,
                    type_no: known.type_no,
                    max_uses: known.max_uses,
                    outcome: Outcome::Admit { use_no: history.uses },
                    first: Some(entry),
                    leaf: Some(leaf),
                };
                let previous = known.last_seq.replace(record.seq);
                known.history = history;
                known.leaf = Some(leaf);
                self.scans.push((record, previous));
                self.done.stored += 1;
            }
        }
        Ok(())
    }

    fn rows(&mut self, held: Held) -> Rows {
        let changed = self.known.iter().filter_map(|(digest, known)| {
            let last_leaf = Some(known.leaf?);
            let (event, digest, history) = (self.event, *digest, known.history);
            Some(SpendRow { event, digest, history, last_seq: known.last_seq, last_leaf })
        });
        let spends = changed.collect();
        Rows { scans: std::mem::take(&mut self.scans), spends, grown: held.grow() }
    }
}

/// Locks the tickets of the entries and reads what is known of them.
async fn read_known(
    tx: &Transaction<'_>,
    event: EventNo,
    entries: &[SpentEntry],
) -> Done<BTreeMap<Digest, Known>> {
    // Sorted: the order in which everybody locks them.
    let digests: BTreeSet<&[u8]> = entries.iter().map(|spent| spent.digest.0.as_slice()).collect();
    let digests: Vec<&[u8]> = digests.into_iter().collect();
    let events = vec![number(event); digests.len()];
    let spends = query(tx, LOCK_SPENDS, &[&events, &digests]).await?;
    let spends = collect(&spends, "spend", |columns| {
        let history = (read_history(columns)?, columns.int_or_none("last_seq")?);
        Ok((Digest(columns.bytes("digest")?), history))
    })?;
    let spends: HashMap<_, _> = spends.into_iter().collect();
    let sql = "SELECT digest, id, type_no, max_uses FROM ticket
         WHERE event = $1 AND digest = ANY($2)";
    let tickets = query(tx, sql, &[&number(event), &digests]).await?;
    let known = collect(&tickets, "ticket", |columns| {
        let digest = Digest(columns.bytes("digest")?);
        let Some((history, last_seq)) = spends.get(&digest).copied() else { return Ok(None) };
        let known = Known {
            ticket: columns.ticket("id")?,
            type_no: columns.type_no("type_no")?,
            max_uses: columns.small("max_uses")?,
            history,
            last_seq,
            leaf: None,
        };
        Ok(Some((digest, known)))
    })?;
    Ok(known.into_iter().flatten().collect())
}

/// What the device brought before under the sequence numbers of these entries.
async fn read_brought(
    tx: &Transaction<'_>,
    event: EventNo,
    device: DeviceNo,
    entries: &[SpentEntry],
) -> Done<HashMap<u64, SpentEntry>> {
    let sequences: Vec<i64> = entries.iter().map(|spent| spent.sequence.cast_signed()).collect();
    let sql = "SELECT sequence, gate, at, digest FROM spent
         WHERE event = $1 AND device = $2 AND sequence = ANY($3)";
    let rows = query(tx, sql, &[&number(event), &device.0, &sequences]).await?;
    let brought = collect(&rows, "spent", |columns| {
        let sequence = columns.int("sequence")?.cast_unsigned();
        let (gate, at) = (GateNo(columns.small("gate")?), UnixMs(columns.int("at")?));
        let digest = Digest(columns.bytes("digest")?);
        Ok((sequence, SpentEntry { sequence, gate, at, digest }))
    })?;
    Ok(brought.into_iter().collect())
}

async fn import_spent(
    tx: &Transaction<'_>,
    edges: &Edges,
    (event, device): (EventNo, DeviceNo),
    entries: &[SpentEntry],
    key: LogKey,
) -> Done<(Import, Option<u64>, Rows)> {
    let known = read_known(tx, event, entries).await?;
    // After the locks: what another server took in under them is seen.
    let brought = read_brought(tx, event, device, entries).await?;
    let mut importing = Importing {
        event,
        device,
        key,
        known,
        brought,
        held: log::hold(tx, edges, event).await?,
        done: Import::default(),
        scans: Vec::new(),
        new: Vec::new(),
        leaf: None,
    };
    for spent in entries {
        importing.take(spent)?;
    }
    let held = std::mem::take(&mut importing.held);
    let rows = importing.rows(held);
    let Importing { done, new, leaf, .. } = importing;
    if leaf.is_some() {
        append::write(tx, &rows).await?;
        insert_spent(tx, (event, device), &new).await?;
        insert_conflicts(tx, event, &done.conflicts).await?;
    }
    Ok((done, leaf, rows))
}

async fn insert_spent(
    tx: &Transaction<'_>,
    (event, device): (EventNo, DeviceNo),
    new: &[SpentEntry],
) -> Done<()> {
    let sequences: Vec<_> = new.iter().map(|spent| spent.sequence.cast_signed()).collect();
    let digests: Vec<_> = new.iter().map(|spent| spent.digest.0.as_slice()).collect();
    let gates: Vec<_> = new.iter().map(|spent| i64::from(spent.gate.0)).collect();
    let times: Vec<_> = new.iter().map(|spent| spent.at.0).collect();
    query(
        tx,
        "INSERT INTO spent (event, device, sequence, digest, gate, at)
         SELECT $1, $2, * FROM unnest($3::bigint[], $4::bytea[], $5::bigint[], $6::bigint[])",
        &[&number(event), &device.0, &sequences, &digests, &gates, &times],
    )
    .await?;
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

fn read_conflict(columns: &Columns<'_>) -> Result<Conflict> {
    let entry = |name: &'static str| {
        columns.entry(name)?.ok_or_else(|| StoreError::corrupt("conflict", name))
    };
    Ok(Conflict {
        digest: Digest(columns.bytes("digest")?),
        ticket: columns.ticket("ticket")?,
        known: entry("known")?,
        brought: entry("brought")?,
        leaf: columns.int("leaf")?.cast_unsigned(),
    })
}

#[async_trait]
impl Spents for PostgresStore {
    async fn import_spent(
        &self,
        event: EventNo,
        device: DeviceNo,
        mut entries: Vec<SpentEntry>,
        key: LogKey,
    ) -> Result<(Import, Option<Logged>)> {
        entries.truncate(IMPORT_ENTRIES_MAX);
        let attempt = || {
            self.transact(|tx| {
                let (edges, entries) = (self.edges.clone(), entries.clone());
                Box::pin(
                    async move { import_spent(tx, &edges, (event, device), &entries, key).await },
                )
            })
        };
        let (done, leaf, rows) = match attempt().await {
            // Another server took the same numbers in meanwhile: the second look finds them.
            Err(fault) if fault.is_taken() => attempt().await?,
            end => end?,
        };
        let Some(leaf) = leaf else { return Ok((done, None)) };
        let Rows { scans, grown, .. } = rows;
        self.edges.keep(&grown);
        self.feed.own(scans.into_iter().map(|(record, _)| record).collect());
        Ok((done, grown.of(event, leaf)))
    }

    async fn conflicts(
        &self,
        event: EventNo,
        device: Option<DeviceNo>,
        limit: u32,
    ) -> Result<Vec<Conflict>> {
        let device = device.map(|device| device.0);
        let limit = i64::from(limit.min(PAGE_ROWS_MAX));
        let sql = "SELECT * FROM conflict WHERE event = $1
               AND ($2::bigint IS NULL OR known_device = $2 OR brought_device = $2)
             ORDER BY leaf DESC LIMIT $3";
        let rows = self.query(sql, &[&number(event), &device, &limit]).await?;
        collect(&rows, "conflict", read_conflict)
    }
}
