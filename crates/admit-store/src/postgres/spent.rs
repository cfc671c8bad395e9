//! Entries that gates made by themselves, in PostgreSQL.

use std::collections::{BTreeMap, HashMap};

use admit_core::id::{DeviceNo, Digest, EventNo, GateNo, UnixMs};
use admit_core::log::leaf::LogKey;
use admit_core::spent::SpentEntry;
use async_trait::async_trait;
use deadpool_postgres::Transaction;

use super::admission::number;
use super::append::Rows;
use super::log::{self, Edges};
use super::offline::{self, Pen};
use super::row::{Columns, collect};
use super::{Done, PostgresStore, query};
use crate::log::Logged;
use crate::offline::{Contact, Known, Settling};
use crate::spent::{Conflict, IMPORT_ENTRIES_MAX, Import, Spents};
use crate::{PAGE_ROWS_MAX, Result, StoreError};

/// One import while it runs: what the database said, and what is to be written.
struct Importing<'a> {
    settling: Settling<'a>,
    tickets: BTreeMap<Digest, Known>,
    /// What was brought under each sequence number, before and now.
    brought: HashMap<u64, SpentEntry>,
    pen: Pen,
    done: Import,
    new: Vec<SpentEntry>,
}

impl Importing<'_> {
    fn take(&mut self, spent: &SpentEntry) -> Result<()> {
        match self.brought.get(&spent.sequence) {
            Some(known) if known == spent => self.done.duplicates += 1,
            Some(_) => self.done.altered.push(spent.sequence),
            None => self.take_new(spent)?,
        }
        Ok(())
    }

    fn take_new(&mut self, spent: &SpentEntry) -> Result<()> {
        let Some(known) = self.tickets.get_mut(&spent.digest) else {
            self.done.unknown.push(spent.sequence);
            return Ok(());
        };
        self.brought.insert(spent.sequence, *spent);
        self.new.push(*spent);
        let said = spent.said(self.settling.device);
        let (_, conflict) = self.settling.settle(known, &said, &mut self.pen)?;
        match conflict {
            Some(conflict) => self.done.conflicts.push(conflict),
            None => self.done.stored += 1,
        }
        Ok(())
    }
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
    (heard_at, key): (UnixMs, LogKey),
) -> Done<(Import, Option<u64>, Rows)> {
    let digests = entries.iter().map(|spent| spent.digest).collect();
    let tickets = offline::read_known(tx, event, &digests, &Contact::default()).await?;
    // After the locks: what another server took in under them is seen.
    let brought = read_brought(tx, event, device, entries).await?;
    let held = log::hold(tx, edges, event).await?;
    let settling = Settling { event, device, heard_at, key: &key, leaf: None, scans: Vec::new() };
    let (pen, done, new) = (Pen::new(event, held), Import::default(), Vec::new());
    let mut importing = Importing { settling, tickets, brought, pen, done, new };
    for spent in entries {
        importing.take(spent)?;
    }
    let Importing { settling, tickets, pen, done, new, .. } = importing;
    let rows = pen.write(tx, &tickets).await?;
    insert_spent(tx, (event, device), &new).await?;
    Ok((done, settling.leaf, rows))
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

pub(super) fn read_conflict(columns: &Columns<'_>) -> Result<Conflict> {
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
        heard_at: UnixMs,
        key: LogKey,
    ) -> Result<(Import, Option<Logged>)> {
        entries.truncate(IMPORT_ENTRIES_MAX);
        let attempt = || {
            self.transact(|tx| {
                let (edges, entries) = (self.edges.clone(), entries.clone());
                let of = (event, device);
                Box::pin(
                    async move { import_spent(tx, &edges, of, &entries, (heard_at, key)).await },
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
