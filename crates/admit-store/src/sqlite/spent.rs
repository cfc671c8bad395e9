//! Entries that gates made by themselves, in SQLite.

use admit_core::admission::{Entry, Scan};
use admit_core::id::{DeviceNo, Digest, EventNo, GateNo, TicketId, TypeNo, UnixMs};
use admit_core::log::leaf::{Details, Fact, Kind, LogKey};
use admit_core::spent::{Imported, SpentEntry, import, scan_id};
use admit_core::stats::Outcome;
use async_trait::async_trait;
use rusqlite::{OptionalExtension, params};

use super::SqliteStore;
use super::admission::{Place, insert_scan, read_spend, write_spend};
use super::row::{Columns, collect, entry_columns, first};
use super::writer::{Done, Work};
use crate::admission::ScanRecord;
use crate::log::Logged;
use crate::spent::{Conflict, IMPORT_ENTRIES_MAX, Import, Spents};
use crate::{PAGE_ROWS_MAX, Result, StoreError};

/// The ticket behind a digest, as far as an import needs it.
struct Issued {
    ticket: TicketId,
    type_no: TypeNo,
    max_uses: u8,
}

fn issued(work: &Work<'_, '_>, event: EventNo, digest: Digest) -> Result<Option<Issued>> {
    let mut statement = work.tx.prepare_cached(
        "SELECT id, type_no, max_uses FROM ticket WHERE event = ?1 AND digest = ?2",
    )?;
    first(&mut statement, params![event.0, digest.0], "ticket", |columns| {
        Ok(Issued {
            ticket: columns.ticket("id")?,
            type_no: columns.type_no("type_no")?,
            max_uses: columns.small("max_uses")?,
        })
    })
}

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
    event: EventNo,
    device: DeviceNo,
    key: LogKey,
    done: Import,
    scans: Vec<ScanRecord>,
    leaf: Option<u64>,
}

impl Importing<'_, '_, '_> {
    fn take(&mut self, spent: &SpentEntry) -> Result<()> {
        match brought(self.work, self.event, self.device, spent.sequence)? {
            Some(known) if known == *spent => self.done.duplicates += 1,
            Some(_) => self.done.altered.push(spent.sequence),
            None => self.take_new(spent)?,
        }
        Ok(())
    }

    fn take_new(&mut self, spent: &SpentEntry) -> Result<()> {
        let ticket = issued(self.work, self.event, spent.digest)?;
        let books = read_spend(self.work.tx, self.event, spent.digest)?;
        let (Some(ticket), Some(books)) = (ticket, books) else {
            self.done.unknown.push(spent.sequence);
            return Ok(());
        };
        self.remember(spent)?;
        let entry = Entry {
            scan: scan_id(self.device, spent.sequence),
            device: self.device,
            gate: spent.gate,
            at: spent.at,
        };
        match import(&books.history, ticket.max_uses, entry) {
            Imported::Conflict(known) => self.conflict(spent.digest, &ticket, known, entry),
            Imported::Stored(history) => {
                let (record, leaf) =
                    self.store(spent.digest, &ticket, entry, history.uses, books.last_seq)?;
                let place = Place { last_seq: Some(record.seq), last_leaf: Some(leaf) };
                write_spend(self.work.tx, self.event, spent.digest, &history, place)?;
                self.done.stored += 1;
                self.scans.push(record);
                Ok(())
            }
        }
    }

    fn remember(&self, spent: &SpentEntry) -> Result<()> {
        self.work.tx.prepare_cached("INSERT INTO spent VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(
            params![
                self.event.0,
                self.device.0,
                spent.sequence.cast_signed(),
                spent.digest.0,
                spent.gate.0,
                spent.at.0
            ],
        )?;
        Ok(())
    }

    /// Writes the entry among the scans, so that the desk counts it like any other.
    fn store(
        &mut self,
        digest: Digest,
        ticket: &Issued,
        entry: Entry,
        use_no: u32,
        previous: Option<i64>,
    ) -> Result<(ScanRecord, u64)> {
        let leaf = self.log(Kind::Import, digest, ticket, entry, use_no)?;
        let scan = Scan { id: entry.scan, device: entry.device, gate: entry.gate, at: entry.at };
        let mut record = ScanRecord {
            seq: 0,
            event: self.event,
            scan,
            ticket: ticket.ticket,
            type_no: ticket.type_no,
            max_uses: ticket.max_uses,
            outcome: Outcome::Admit { use_no },
            first: Some(entry),
            leaf: Some(leaf),
        };
        record.seq = insert_scan(self.work.tx, &record, previous)?;
        Ok((record, leaf))
    }

    fn conflict(
        &mut self,
        digest: Digest,
        ticket: &Issued,
        known: Entry,
        entry: Entry,
    ) -> Result<()> {
        let leaf = self.log(Kind::Conflict, digest, ticket, entry, 0)?;
        let (one, two) = (entry_columns(Some(known)), entry_columns(Some(entry)));
        self.work
            .tx
            .prepare_cached(
                "INSERT INTO conflict VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?
            .execute(params![
                self.event.0,
                leaf.cast_signed(),
                digest.0,
                ticket.ticket.0.cast_signed(),
                one.0,
                one.1,
                one.2,
                one.3,
                two.0,
                two.1,
                two.2,
                two.3
            ])?;
        let ticket = ticket.ticket;
        self.done.conflicts.push(Conflict { digest, ticket, known, brought: entry, leaf });
        Ok(())
    }

    fn log(
        &mut self,
        kind: Kind,
        digest: Digest,
        ticket: &Issued,
        entry: Entry,
        use_no: u32,
    ) -> Result<u64> {
        let details = Details {
            gate: entry.gate,
            device: entry.device,
            scan: entry.scan,
            use_no,
            ..Details::of(ticket.ticket, digest, ticket.type_no)
        };
        let fact = Fact { kind, at: entry.at, refers: None, details };
        let leaf = self.work.leaves.add(self.work.tx, self.event, &fact.leaf(&self.key))?;
        self.leaf = Some(leaf);
        Ok(leaf)
    }
}

fn read_conflict(columns: &Columns<'_, '_>) -> Result<Conflict> {
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
        key: LogKey,
    ) -> Result<(Import, Option<Logged>)> {
        let job = move |work: &mut Work<'_, '_>| {
            let mut importing = Importing {
                work,
                event,
                device,
                key,
                done: Import::default(),
                scans: Vec::new(),
                leaf: None,
            };
            for spent in entries.iter().take(IMPORT_ENTRIES_MAX) {
                importing.take(spent)?;
            }
            let Importing { done, scans, leaf, .. } = importing;
            Ok(Done { value: done, scans, leaf })
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
