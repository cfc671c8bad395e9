//! Adding to an event's record: the rows that a transaction writes while it holds the event's log.
//! Each kind is one statement, however many rows it has.

use std::collections::BTreeMap;

use admit_core::admission::{Entry, History};
use admit_core::id::{DeviceNo, Digest, EventNo, TypeNo, UnixMs};
use admit_core::offline::story::Stage;
use deadpool_postgres::Transaction;

use super::admission::number;
use super::log::Grown;
use super::{Done, query};
use crate::admission::ScanRecord;
use crate::pass;

/// Scans of an event after a position.
pub(super) const SCANS_AFTER: &str =
    "SELECT * FROM scan WHERE event = $1 AND seq > $2 ORDER BY seq LIMIT $3";

pub(super) const INSERT_SCANS: &str =
    "INSERT INTO scan (event, seq, device, scan_id, kind, reason, ticket, type_no, max_uses, gate,
       at, use_no, first_scan, first_device, first_gate, first_at, previous, leaf, done, low, high,
       offline)
     SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bigint[],
       $6::text[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[],
       $12::bigint[], $13::bytea[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[],
       $18::bigint[], $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[])";

/// Every row is there and locked: nothing is ever inserted, but rows are found by key for certain,
/// where an UPDATE with a join may be planned from the other side.
pub(super) const WRITE_SPENDS: &str =
    "INSERT INTO spend (event, digest, standing, uses, first_scan, first_device, first_gate,
       first_at, last_scan, last_device, last_gate, last_at, last_seq, last_leaf, last_epoch,
       skipped, inside, day_gates)
     SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::text[], $4::bigint[], $5::bytea[],
       $6::bigint[], $7::bigint[], $8::bigint[], $9::bytea[], $10::bigint[], $11::bigint[],
       $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[],
       $18::bigint[])
     ON CONFLICT (event, digest) DO UPDATE SET uses = excluded.uses,
       first_scan = excluded.first_scan, first_device = excluded.first_device,
       first_gate = excluded.first_gate, first_at = excluded.first_at,
       last_scan = excluded.last_scan, last_device = excluded.last_device,
       last_gate = excluded.last_gate, last_at = excluded.last_at,
       last_seq = excluded.last_seq, last_leaf = excluded.last_leaf,
       last_epoch = excluded.last_epoch, skipped = excluded.skipped,
       inside = excluded.inside, day_gates = excluded.day_gates";

pub(super) const INSERT_LEAVES: &str = "INSERT INTO log_entry (event, idx, leaf)
     SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])";

pub(super) const INSERT_TILES: &str = "INSERT INTO log_tile (event, level, idx, root)
     SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bytea[])";

pub(super) const WRITE_LOGS: &str =
    "UPDATE log SET size = n.size, root = n.root, position = COALESCE(n.position, log.position),
       newest_at = GREATEST(log.newest_at, n.newest_at)
     FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bigint[])
       AS n (event, size, root, position, newest_at)
     WHERE log.event = n.event";

/// Asks holders of leases for tickets; what was asked before stays as it is.
pub(super) const INSERT_RECALLS: &str =
    "INSERT INTO recall (event, digest, type_no, device, asked_at)
     SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[])
     ON CONFLICT DO NOTHING";

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
    pub(super) last_leaf: Option<u64>,
}

/// What a transaction adds: scans, each with the position of the ticket's scan before it, the
/// tickets' rows, and the leaves of the audit logs.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) scans: Vec<(ScanRecord, Option<i64>)>,
    pub(super) spends: Vec<SpendRow>,
    pub(super) grown: Grown,
    pub(super) recalls: Vec<Recall>,
}

/// A ticket whose lease its holder is asked for.
pub(super) struct Recall {
    pub(super) event: EventNo,
    pub(super) digest: Digest,
    pub(super) type_no: TypeNo,
    pub(super) holder: DeviceNo,
    pub(super) at: UnixMs,
}

/// Writes it all, in a transaction that holds the logs.
pub(super) async fn write(tx: &Transaction<'_>, rows: &Rows) -> Done<()> {
    let (logs, leaves, tiles) = (rows.log_columns(), rows.leaf_columns(), rows.tile_columns());
    query(tx, INSERT_LEAVES, &leaves.params()).await?;
    if !tiles.is_empty() {
        query(tx, INSERT_TILES, &tiles.params()).await?;
    }
    query(tx, WRITE_LOGS, &logs.params()).await?;
    if !rows.scans.is_empty() {
        query(tx, INSERT_SCANS, &rows.scan_columns().params()).await?;
        query(tx, WRITE_SPENDS, &rows.spend_columns().params()).await?;
        query(tx, NOTIFY, &[&rows.notice()]).await?;
    }
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
    leaf: Vec<Option<i64>>,
    done: Vec<i64>,
    low: Vec<Option<i64>>,
    high: Vec<Option<i64>>,
    offline: Vec<i64>,
}

/// Parameters of a statement, as columns.
pub(super) type Columnar<'a, const N: usize> = [&'a (dyn tokio_postgres::types::ToSql + Sync); N];

impl ScanColumns<'_> {
    pub(super) fn params(&self) -> Columnar<'_, 22> {
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
            &self.leaf,
            &self.done,
            &self.low,
            &self.high,
            &self.offline,
        ]
    }
}

/// The columns of [`WRITE_SPENDS`].
#[derive(Default)]
pub(super) struct SpendColumns<'a> {
    event: Vec<i64>,
    digest: Vec<&'a [u8]>,
    standing: Vec<&'static str>,
    uses: Vec<i64>,
    first: EntryColumns<'a>,
    last: EntryColumns<'a>,
    last_seq: Vec<Option<i64>>,
    last_leaf: Vec<Option<i64>>,
    last_epoch: Vec<Option<i64>>,
    skipped: Vec<i64>,
    inside: Vec<i64>,
    day_gates: Vec<i64>,
}

impl SpendColumns<'_> {
    pub(super) fn params(&self) -> Columnar<'_, 18> {
        [
            &self.event,
            &self.digest,
            &self.standing,
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
            &self.last_leaf,
            &self.last_epoch,
            &self.skipped,
            &self.inside,
            &self.day_gates,
        ]
    }
}

/// The columns of [`WRITE_LOGS`].
#[derive(Default)]
pub(super) struct LogColumns<'a> {
    event: Vec<i64>,
    size: Vec<i64>,
    root: Vec<&'a [u8]>,
    position: Vec<Option<i64>>,
    newest_at: Vec<Option<i64>>,
}

impl LogColumns<'_> {
    pub(super) fn params(&self) -> Columnar<'_, 5> {
        [&self.event, &self.size, &self.root, &self.position, &self.newest_at]
    }
}

/// The columns of [`INSERT_LEAVES`].
#[derive(Default)]
pub(super) struct LeafColumns<'a> {
    event: Vec<i64>,
    index: Vec<i64>,
    leaf: Vec<&'a [u8]>,
}

impl LeafColumns<'_> {
    pub(super) fn params(&self) -> Columnar<'_, 3> {
        [&self.event, &self.index, &self.leaf]
    }
}

/// The columns of [`INSERT_TILES`].
#[derive(Default)]
pub(super) struct TileColumns<'a> {
    event: Vec<i64>,
    level: Vec<i64>,
    index: Vec<i64>,
    root: Vec<&'a [u8]>,
}

impl TileColumns<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.event.is_empty()
    }

    pub(super) fn params(&self) -> Columnar<'_, 4> {
        [&self.event, &self.level, &self.index, &self.root]
    }
}

/// The columns of [`INSERT_RECALLS`].
#[derive(Default)]
pub(super) struct RecallColumns<'a> {
    event: Vec<i64>,
    digest: Vec<&'a [u8]>,
    type_no: Vec<i64>,
    holder: Vec<i64>,
    at: Vec<i64>,
}

impl RecallColumns<'_> {
    pub(super) fn params(&self) -> Columnar<'_, 5> {
        [&self.event, &self.digest, &self.type_no, &self.holder, &self.at]
    }
}

impl Rows {
    pub(super) fn recall_columns(&self) -> RecallColumns<'_> {
        let mut columns = RecallColumns::default();
        for recall in &self.recalls {
            columns.event.push(number(recall.event));
            columns.digest.push(&recall.digest.0);
            columns.type_no.push(i64::from(recall.type_no.0));
            columns.holder.push(recall.holder.0);
            columns.at.push(recall.at.0);
        }
        columns
    }

    pub(super) fn scan_columns(&self) -> ScanColumns<'_> {
        let mut columns = ScanColumns::default();
        for (record, previous) in &self.scans {
            let (kind, reason, use_no) = pass::columns(record.outcome, record.scan.direction);
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
            columns.leaf.push(record.leaf.map(u64::cast_signed));
            let (low, high) = record.bound_columns();
            columns.done.push(i64::from(record.stage != Stage::Claimed));
            columns.low.push(low);
            columns.high.push(high);
            columns.offline.push(i64::from(record.offline));
        }
        columns
    }

    pub(super) fn spend_columns(&self) -> SpendColumns<'_> {
        let mut columns = SpendColumns::default();
        for row in &self.spends {
            columns.event.push(number(row.event));
            columns.digest.push(&row.digest.0);
            columns.standing.push(row.history.standing.code());
            columns.uses.push(i64::from(row.history.uses));
            columns.first.push(row.history.first.as_ref());
            columns.last.push(row.history.last.as_ref());
            columns.last_seq.push(row.last_seq);
            columns.last_leaf.push(row.last_leaf.map(u64::cast_signed));
            columns.last_epoch.push(row.history.last_epoch.map(i64::from));
            columns.skipped.push(i64::from(row.history.skipped));
            columns.inside.push(i64::from(row.history.presence.inside));
            columns.day_gates.push(row.history.presence.gates.0.cast_signed());
        }
        columns
    }

    /// Position and time of the newest scan of each event that has new ones.
    fn newest(&self) -> BTreeMap<EventNo, (i64, i64)> {
        let mut newest: BTreeMap<EventNo, (i64, i64)> = BTreeMap::new();
        for (record, _) in &self.scans {
            let known = newest.entry(record.event).or_insert((record.seq, record.scan.at.0));
            known.0 = known.0.max(record.seq);
            known.1 = known.1.max(record.scan.at.0);
        }
        newest
    }

    pub(super) fn log_columns(&self) -> LogColumns<'_> {
        let newest = self.newest();
        let mut columns = LogColumns::default();
        for (event, appended, _) in self.grown.logs() {
            columns.event.push(number(event));
            columns.size.push(appended.size.cast_signed());
            columns.root.push(&appended.root.0);
            columns.position.push(newest.get(&event).map(|newest| newest.0));
            columns.newest_at.push(newest.get(&event).map(|newest| newest.1));
        }
        columns
    }

    pub(super) fn leaf_columns(&self) -> LeafColumns<'_> {
        let mut columns = LeafColumns::default();
        for (event, appended, leaves) in self.grown.logs() {
            for (index, leaf) in (appended.first..).zip(leaves) {
                columns.event.push(number(event));
                columns.index.push(index.cast_signed());
                columns.leaf.push(leaf);
            }
        }
        columns
    }

    pub(super) fn tile_columns(&self) -> TileColumns<'_> {
        let mut columns = TileColumns::default();
        for (event, appended, _) in self.grown.logs() {
            for full in &appended.tiles {
                columns.event.push(number(event));
                columns.level.push(i64::from(full.id.level));
                columns.index.push(full.id.index.cast_signed());
                columns.root.push(&full.root.0);
            }
        }
        columns
    }

    /// Which events have new scans, and up to where: `event:position,…`, or nothing when that is too
    /// long, which means *look at all*.
    pub(super) fn notice(&self) -> String {
        let newest = self.newest();
        let text: Vec<_> =
            newest.iter().map(|(event, (seq, _))| format!("{}:{seq}", event.0)).collect();
        let text = text.join(",");
        if text.len() > NOTICE_BYTES_MAX { String::new() } else { text }
    }
}
