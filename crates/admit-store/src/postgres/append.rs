//! Adding to an event's record: positions from the head, which is locked last, and the rows that a
//! transaction writes while it holds it. Each is one statement, however many rows it has.

use std::collections::BTreeMap;

use admit_core::admission::{Entry, History};
use admit_core::id::{Digest, EventNo};
use admit_core::stats::Outcome;
use deadpool_postgres::Transaction;
use tokio_postgres::Row;

use super::admission::{ADMIT, REFUSE, UNDO, number};
use super::row::Columns;
use super::{Done, query};
use crate::Result;
use crate::admission::ScanRecord;

/// Scans of an event after a position.
pub(super) const SCANS_AFTER: &str =
    "SELECT * FROM scan WHERE event = $1 AND seq > $2 ORDER BY seq LIMIT $3";

/// Holds the heads of events until the commit.
pub(super) const LOCK_HEADS: &str =
    "SELECT event, position FROM head WHERE event = ANY($1::bigint[]) ORDER BY event FOR UPDATE";

pub(super) const INSERT_SCANS: &str =
    "INSERT INTO scan (event, seq, device, scan_id, kind, reason, ticket, type_no, max_uses, gate,
       at, use_no, first_scan, first_device, first_gate, first_at, previous)
     SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bigint[],
       $6::text[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[],
       $12::bigint[], $13::bytea[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[])";

pub(super) const WRITE_SPENDS: &str = "UPDATE spend SET uses = n.uses,
       first_scan = n.first_scan, first_device = n.first_device, first_gate = n.first_gate,
       first_at = n.first_at, last_scan = n.last_scan, last_device = n.last_device,
       last_gate = n.last_gate, last_at = n.last_at, last_seq = n.last_seq
     FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bytea[], $5::bigint[], $6::bigint[],
       $7::bigint[], $8::bytea[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[])
       AS n (event, digest, uses, first_scan, first_device, first_gate, first_at,
         last_scan, last_device, last_gate, last_at, last_seq)
     WHERE spend.event = n.event AND spend.digest = n.digest";

pub(super) const WRITE_HEADS: &str =
    "UPDATE head SET position = n.position, newest_at = GREATEST(head.newest_at, n.newest_at)
     FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS n (event, position, newest_at)
     WHERE head.event = n.event";

/// Tells the other servers; once for all that a transaction adds, for notifications make commits
/// wait for one another.
pub(super) const NOTIFY: &str = "SELECT pg_notify('admit_one', $1)";

/// Longest payload of a notification; the database takes 8,000 bytes.
const NOTICE_BYTES_MAX: usize = 7000;

/// A ticket's row as it will be.
pub(super) struct SpendRow {
    pub(super) event: EventNo,
    pub(super) digest: Digest,
    pub(super) history: History,
    pub(super) last_seq: Option<i64>,
}

/// What a transaction adds to the record: scans, each with the position of the ticket's scan before
/// it, and the tickets' rows.
#[derive(Default)]
pub(super) struct Appended {
    pub(super) scans: Vec<(ScanRecord, Option<i64>)>,
    pub(super) spends: Vec<SpendRow>,
}

/// Positions of the newest scans, from the locked heads.
pub(super) fn positions(heads: &[Row]) -> Result<BTreeMap<EventNo, i64>> {
    heads
        .iter()
        .map(|row| {
            let columns = Columns { row, table: "head" };
            Ok((columns.event()?, columns.int("position")?))
        })
        .collect()
}

/// Writes it all, in a transaction that holds the heads.
pub(super) async fn write(tx: &Transaction<'_>, appended: &Appended) -> Done<()> {
    query(tx, INSERT_SCANS, &appended.scan_columns().params()).await?;
    query(tx, WRITE_SPENDS, &appended.spend_columns().params()).await?;
    query(tx, WRITE_HEADS, &appended.head_columns().params()).await?;
    query(tx, NOTIFY, &[&appended.notice()]).await?;
    Ok(())
}

/// The four columns of entries.
#[derive(Default)]
struct EntryColumns<'a> {
    scan: Vec<Option<&'a [u8]>>,
    device: Vec<Option<i64>>,
    gate: Vec<Option<i64>>,
    at: Vec<Option<i64>>,
}

impl<'a> EntryColumns<'a> {
    fn push(&mut self, entry: Option<&'a Entry>) {
        self.scan.push(entry.map(|entry| entry.scan.0.as_slice()));
        self.device.push(entry.map(|entry| entry.device.0));
        self.gate.push(entry.map(|entry| i64::from(entry.gate.0)));
        self.at.push(entry.map(|entry| entry.at.0));
    }
}

/// The columns of [`INSERT_SCANS`].
#[derive(Default)]
pub(super) struct ScanColumns<'a> {
    event: Vec<i64>,
    seq: Vec<i64>,
    device: Vec<i64>,
    scan_id: Vec<&'a [u8]>,
    kind: Vec<i64>,
    reason: Vec<Option<&'static str>>,
    ticket: Vec<i64>,
    type_no: Vec<i64>,
    max_uses: Vec<i64>,
    gate: Vec<i64>,
    at: Vec<i64>,
    use_no: Vec<i64>,
    first: EntryColumns<'a>,
    previous: Vec<Option<i64>>,
}

/// Parameters of a statement, as columns.
pub(super) type Columnar<'a, const N: usize> = [&'a (dyn tokio_postgres::types::ToSql + Sync); N];

impl ScanColumns<'_> {
    pub(super) fn params(&self) -> Columnar<'_, 17> {
        [
            &self.event,
            &self.seq,
            &self.device,
            &self.scan_id,
            &self.kind,
            &self.reason,
            &self.ticket,
            &self.type_no,
            &self.max_uses,
            &self.gate,
            &self.at,
            &self.use_no,
            &self.first.scan,
            &self.first.device,
            &self.first.gate,
            &self.first.at,
            &self.previous,
        ]
    }
}

/// The columns of [`WRITE_SPENDS`].
#[derive(Default)]
pub(super) struct SpendColumns<'a> {
    event: Vec<i64>,
    digest: Vec<&'a [u8]>,
    uses: Vec<i64>,
    first: EntryColumns<'a>,
    last: EntryColumns<'a>,
    last_seq: Vec<Option<i64>>,
}

impl SpendColumns<'_> {
    pub(super) fn params(&self) -> Columnar<'_, 12> {
        [
            &self.event,
            &self.digest,
            &self.uses,
            &self.first.scan,
            &self.first.device,
            &self.first.gate,
            &self.first.at,
            &self.last.scan,
            &self.last.device,
            &self.last.gate,
            &self.last.at,
            &self.last_seq,
        ]
    }
}

/// The columns of [`WRITE_HEADS`].
#[derive(Default)]
pub(super) struct HeadColumns {
    event: Vec<i64>,
    position: Vec<i64>,
    newest_at: Vec<i64>,
}

impl HeadColumns {
    pub(super) fn params(&self) -> Columnar<'_, 3> {
        [&self.event, &self.position, &self.newest_at]
    }
}

impl Appended {
    pub(super) fn scan_columns(&self) -> ScanColumns<'_> {
        let mut columns = ScanColumns::default();
        for (record, previous) in &self.scans {
            let (kind, reason, use_no) = match record.outcome {
                Outcome::Admit { use_no } => (ADMIT, None, use_no),
                Outcome::Refuse(reason) => (REFUSE, Some(reason.code()), 0),
                Outcome::Undo { use_no } => (UNDO, None, use_no),
            };
            columns.event.push(number(record.event));
            columns.seq.push(record.seq);
            columns.device.push(record.scan.device.0);
            columns.scan_id.push(&record.scan.id.0);
            columns.kind.push(kind);
            columns.reason.push(reason);
            columns.ticket.push(record.ticket.0.cast_signed());
            columns.type_no.push(i64::from(record.type_no.0));
            columns.max_uses.push(i64::from(record.max_uses));
            columns.gate.push(i64::from(record.scan.gate.0));
            columns.at.push(record.scan.at.0);
            columns.use_no.push(i64::from(use_no));
            columns.first.push(record.first.as_ref());
            columns.previous.push(*previous);
        }
        columns
    }

    pub(super) fn spend_columns(&self) -> SpendColumns<'_> {
        let mut columns = SpendColumns::default();
        for row in &self.spends {
            columns.event.push(number(row.event));
            columns.digest.push(&row.digest.0);
            columns.uses.push(i64::from(row.history.uses));
            columns.first.push(row.history.first.as_ref());
            columns.last.push(row.history.last.as_ref());
            columns.last_seq.push(row.last_seq);
        }
        columns
    }

    pub(super) fn head_columns(&self) -> HeadColumns {
        let mut heads: BTreeMap<EventNo, (i64, i64)> = BTreeMap::new();
        for (record, _) in &self.scans {
            let head = heads.entry(record.event).or_insert((record.seq, record.scan.at.0));
            head.0 = head.0.max(record.seq);
            head.1 = head.1.max(record.scan.at.0);
        }
        let mut columns = HeadColumns::default();
        for (event, (position, newest_at)) in heads {
            columns.event.push(number(event));
            columns.position.push(position);
            columns.newest_at.push(newest_at);
        }
        columns
    }

    /// Which events grew, and up to where: `event:position,…`, or nothing when that is too long,
    /// which means *look at all*.
    pub(super) fn notice(&self) -> String {
        let heads = self.head_columns();
        let grown = heads.event.iter().zip(&heads.position);
        let text: Vec<_> = grown.map(|(event, position)| format!("{event}:{position}")).collect();
        let text = text.join(",");
        if text.len() > NOTICE_BYTES_MAX { String::new() } else { text }
    }
}
