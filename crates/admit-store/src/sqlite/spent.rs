//! Entries that gates made by themselves, in SQLite.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;

use admit_core::id::{DeviceNo, Digest, EventNo, GateNo, UnixMs};
use admit_core::log::leaf::LogKey;
use admit_core::spent::SpentEntry;
use async_trait::async_trait;
use rusqlite::{OptionalExtension, params};

use super::SqliteStore;
use super::offline::{Pen, known, write_known};
use super::row::{Columns, collect};
use super::writer::{Done, Work};
use crate::log::Logged;
use crate::offline::{Known, Settling};
use crate::spent::{Conflict, IMPORT_ENTRIES_MAX, Import, Spents};
use crate::{PAGE_ROWS_MAX, Result, StoreError};

/// What was brought under this name before.
fn brought(
    work: &Work<'_, '_>,
    event: EventNo,
    device: DeviceNo,
    sequence: u64,
) -> Result<Option<SpentEntry>> {
    let found = work
        .tx
        .prepare_cached(
            "SELECT gate, at, digest FROM spent
             WHERE event = ?1 AND device = ?2 AND sequence = ?3",
        )?
        .query_row(params![event.0, device.0, sequence.cast_signed()], |row| {
            Ok(SpentEntry {
                sequence,
                gate: GateNo(row.get(0)?),
                at: UnixMs(row.get(1)?),
                digest: Digest(row.get(2)?),
            })
        })
        .optional()?;
    Ok(found)
}

/// One import while it runs.
struct Importing<'w, 'a, 'c> {
    work: &'w mut Work<'a, 'c>,
    settling: Settling<'w>,
    tickets: BTreeMap<Digest, Option<Known>>,
    done: Import,
}

impl Importing<'_, '_, '_> {
    fn take(&mut self, spent: &SpentEntry) -> Result<()> {
        let Settling { event, device, .. } = self.settling;
        match brought(self.work, event, device, spent.sequence)? {
            Some(known) if known == *spent => self.done.duplicates += 1,
            Some(_) => self.done.altered.push(spent.sequence),
            None => self.take_new(spent)?,
        }
        Ok(())
    }

    fn take_new(&mut self, spent: &SpentEntry) -> Result<()> {
        let Settling { event, device, .. } = self.settling;
        if let MapEntry::Vacant(vacant) = self.tickets.entry(spent.digest) {
            vacant.insert(known(self.work.tx, event, spent.digest, None)?);
        }
        let Some(Some(ticket)) = self.tickets.get_mut(&spent.digest) else {
            self.done.unknown.push(spent.sequence);
            return Ok(());
        };
        remember(self.work, event, device, spent)?;
        let mut pen = Pen { tx: self.work.tx, leaves: &mut self.work.leaves, event };
        let (_, conflict) = self.settling.settle(ticket, &spent.said(device), &mut pen)?;
        match conflict {
            Some(conflict) => self.done.conflicts.push(conflict),
            None => self.done.stored += 1,
        }
        Ok(())
    }
}

fn remember(
    work: &Work<'_, '_>,
    event: EventNo,
    device: DeviceNo,
    spent: &SpentEntry,
) -> Result<()> {
    work.tx.prepare_cached("INSERT INTO spent VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(
        params![
            event.0,
            device.0,
            spent.sequence.cast_signed(),
            spent.digest.0,
            spent.gate.0,
            spent.at.0
        ],
    )?;
    Ok(())
}

pub(super) fn read_conflict(columns: &Columns<'_, '_>) -> Result<Conflict> {
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
impl Spents for SqliteStore {
    async fn import_spent(
        &self,
        event: EventNo,
        device: DeviceNo,
        entries: Vec<SpentEntry>,
        heard_at: UnixMs,
        key: LogKey,
    ) -> Result<(Import, Option<Logged>)> {
        let job = move |work: &mut Work<'_, '_>| {
            let settling =
                Settling { event, device, heard_at, key: &key, leaf: None, scans: Vec::new() };
            let (tickets, done) = (BTreeMap::new(), Import::default());
            let mut importing = Importing { work, settling, tickets, done };
            for spent in entries.iter().take(IMPORT_ENTRIES_MAX) {
                importing.take(spent)?;
            }
            let Importing { work, settling, tickets, done } = importing;
            write_known(work.tx, event, &tickets)?;
            Ok(Done { value: done, scans: settling.scans, leaf: settling.leaf })
        };
        self.writer.write_logged(event, job).await
    }

    async fn conflicts(
        &self,
        event: EventNo,
        device: Option<DeviceNo>,
        limit: u32,
    ) -> Result<Vec<Conflict>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT * FROM conflict WHERE event = ?1
                   AND (?2 IS NULL OR known_device = ?2 OR brought_device = ?2)
                 ORDER BY leaf DESC LIMIT ?3",
            )?;
            let wanted = params![event.0, device.map(|d| d.0), limit.min(PAGE_ROWS_MAX)];
            collect(&mut statement, wanted, "conflict", read_conflict)
        })
        .await
    }
}
