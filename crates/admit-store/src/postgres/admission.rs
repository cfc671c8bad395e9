//! Spending tickets in PostgreSQL: what is read, decided and written for a batch of scans, undoing,
//! and reading the record.

mod keys;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use admit_core::admission::{
    EVENT_GRACE_MS, History, Rules, Scan, Standing, Verdict, decide, undo,
};
use admit_core::id::{DeviceNo, Digest, EventNo, GateNo, ScanId, TicketId, UnixMs};
use admit_core::log::leaf::LogKey;
use admit_core::offline::Bounds;
use admit_core::offline::story::Stage;
use admit_core::pass::Direction;
use admit_core::reason::Reason;
use admit_core::stats::Outcome;
use admit_core::ticket::{Verified, digest};
use async_trait::async_trait;
use deadpool_postgres::{GenericClient, Transaction};
use tokio::sync::broadcast;
use tokio_postgres::Row;

use super::append::{self, Recall, Rows, SpendRow};
use super::lease::{LEASES, Leases, RETURNED};
use super::log::{self, Edges, Grown, Held};
use super::pass::{Passes, read_presence};
use super::row::{Columns, collect, first};
use super::{Done, PostgresStore, query};
use crate::admission::{Admissions, Preview, Recorded, ScanRecord, Undone, entry_before, stage};
use crate::measure::Measures;
use crate::{PAGE_ROWS_MAX, Result, StoreError, pass};

pub(super) use keys::Keys;

/// Locks the rows of tickets one after the other. The keys must come sorted by event and digest: the
/// one order that everybody locks them in. LATERAL, because a plain join may be planned from the
/// other side: every row of the table against every key.
pub(super) const LOCK_SPENDS: &str =
    "SELECT found.* FROM unnest($1::bigint[], $2::bytea[]) AS wanted (event, digest)
     CROSS JOIN LATERAL (SELECT * FROM spend
       WHERE spend.event = wanted.event AND spend.digest = wanted.digest FOR UPDATE) AS found";

/// What was recorded under the batch's scan ids. Sent after the locks, so that it sees whatever the
/// transactions wrote that held them before. `OFFSET 0` keeps it a look by key for each.
pub(super) const SCANS_BY_NAME: &str =
    "SELECT found.* FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])
       AS wanted (event, device, scan_id)
     CROSS JOIN LATERAL (SELECT * FROM scan WHERE scan.event = wanted.event
       AND scan.device = wanted.device AND scan.scan_id = wanted.scan_id OFFSET 0) AS found";

/// When the batch's events end, their gates, and the types of theirs that are passes.
pub(super) const RULES: &str =
    "SELECT event.number AS event, event.ends_at, gate.number AS gate, gate.open, event.time_zone,
       NULL::bigint AS type_no, NULL::text AS pass
     FROM event LEFT JOIN gate ON gate.event = event.number WHERE event.number = ANY($1)
     UNION ALL SELECT event, NULL, NULL, NULL, NULL, number, pass
     FROM ticket_type WHERE event = ANY($1) AND pass IS NOT NULL";

/// A scan to be decided about, what an admission is at first, and the key of the audit log it goes
/// into.
pub(super) type Asked = (Verified, Scan, Stage, LogKey);

/// What the database says before a batch is decided.
pub(super) struct Found<'a> {
    /// Of [`LOCK_SPENDS`].
    pub(super) spends: &'a [Row],
    /// Of [`SCANS_BY_NAME`].
    pub(super) scans: &'a [Row],
    /// Of [`RULES`].
    pub(super) rules: &'a [Row],
    /// Of [`LEASES`].
    pub(super) leases: &'a [Row],
    /// Of [`RETURNED`].
    pub(super) returned: &'a [Row],
}

/// What a device called a scan.
type Name = (EventNo, DeviceNo, ScanId);

pub(super) fn number(event: EventNo) -> i64 {
    i64::from(event.0)
}

/// Where a ticket's newest scan stands.
#[derive(Clone, Copy)]
enum Newest {
    /// On the books.
    At(i64),
    /// Among the scans of this batch.
    Planned(usize),
}

struct Spend {
    history: History,
    newest: Option<Newest>,
}

/// What was recorded under a name.
enum Made {
    Stored(Box<ScanRecord>),
    Planned(usize),
}

/// A scan that will be written.
struct Plan {
    record: ScanRecord,
    previous: Option<Newest>,
    leaf: Vec<u8>,
    digest: Digest,
    /// The device that is to be asked for the ticket's lease.
    recall: Option<DeviceNo>,
}

/// The answer to a scan, before positions are known.
enum Planned {
    Answered(Box<Recorded>),
    New(usize),
    Repeats(usize),
}

/// A batch: what the database said, and what is to be written.
#[derive(Default)]
pub(super) struct Batch {
    spends: BTreeMap<(EventNo, Digest), Spend>,
    made: HashMap<Name, Made>,
    undone: BTreeSet<Name>,
    gates: HashMap<(EventNo, GateNo), bool>,
    leases: Leases,
    ends: HashMap<EventNo, UnixMs>,
    passes: Passes,
    plans: Vec<Plan>,
    answers: Vec<Planned>,
}

impl Batch {
    /// Takes in what was found.
    pub(super) fn read(found: &Found<'_>) -> Result<Self> {
        let mut batch = Self::default();
        for row in found.spends {
            let columns = Columns { row, table: "spend" };
            let spend = Spend {
                history: read_history(&columns)?,
                newest: columns.int_or_none("last_seq")?.map(Newest::At),
            };
            batch.spends.insert((columns.event()?, Digest(columns.bytes("digest")?)), spend);
        }
        let mut scans = collect(found.scans, "scan", read_scan)?;
        // The newest word about a scan is the one that holds.
        scans.sort_by_key(|record| record.seq);
        for record in scans {
            let name = (record.event, record.scan.device, record.scan.id);
            if matches!(record.outcome, Outcome::Undo { .. }) {
                batch.undone.insert(name);
            } else {
                batch.made.insert(name, Made::Stored(Box::new(record)));
            }
        }
        batch.leases = Leases::read(found.leases, found.returned)?;
        for row in found.rules {
            let columns = Columns { row, table: "event" };
            let event = columns.event()?;
            if batch.passes.read(event, &columns)? {
                continue;
            }
            batch.ends.insert(event, columns.time("ends_at")?);
            if let Some(gate) = columns.small_or_none("gate")? {
                batch.gates.insert((event, GateNo(gate)), columns.flag("open")?);
            }
        }
        Ok(batch)
    }

    /// Whether the leases are still those that were decided by, now that the logs are held.
    pub(super) fn leases_stand(&self, logs: &[Row]) -> Result<bool> {
        self.leases.stand(logs)
    }

    /// Decides about one scan by what the batch knows by now.
    pub(super) fn decide(&mut self, (ticket, scan, stage, key): &Asked) {
        let event = ticket.grant().event;
        let name = (event, scan.device, scan.id);
        let answer = match self.made.get(&name) {
            // A late copy of a scan that was undone must not open the gate again.
            Some(_) if self.undone.contains(&name) => {
                Planned::Answered(Box::new(Recorded::IdReused))
            }
            Some(Made::Stored(record)) if record.is_of(ticket.grant().ticket, scan.direction) => {
                Planned::Answered(Box::new(Recorded::Repeated((**record).clone())))
            }
            Some(Made::Planned(at)) if self.is_of(*at, ticket, scan) => Planned::Repeats(*at),
            Some(_) => Planned::Answered(Box::new(Recorded::IdReused)),
            None => {
                let at = self.plan(ticket, scan, *stage, key);
                self.made.insert(name, Made::Planned(at));
                Planned::New(at)
            }
        };
        self.answers.push(answer);
    }

    fn is_of(&self, at: usize, ticket: &Verified, scan: &Scan) -> bool {
        let plan = self.plans.get(at);
        plan.is_some_and(|plan| plan.record.is_of(ticket.grant().ticket, scan.direction))
    }

    fn rules(&self, ticket: &Verified, scan: &Scan) -> Rules {
        let event = ticket.grant().event;
        let (pass, calendar) = self.passes.of(ticket, scan);
        Rules {
            gate_open: self.gates.get(&(event, scan.gate)).copied().unwrap_or(false),
            closes_at: self.ends.get(&event).map(|end| end.plus(EVENT_GRACE_MS)),
            held_by: self.leases.held_by(ticket),
            pass,
            calendar,
        }
    }

    /// Decides as [`Self::decide`] would, and leaves it at that.
    fn preview(&self, ticket: &Verified, scan: &Scan, last_leaf: Option<u64>) -> Preview {
        let event = ticket.grant().event;
        let mut rules = self.rules(ticket, scan);
        // Where no gate is named, none is closed.
        rules.gate_open |= scan.gate == GateNo(0);
        let history = self.spends.get(&(event, ticket.digest())).map(|spend| spend.history);
        let verdict = decide(ticket, scan, history.as_ref(), &rules).verdict;
        Preview { verdict, history, last_leaf }
    }

    fn plan(&mut self, ticket: &Verified, scan: &Scan, stage: Stage, key: &LogKey) -> usize {
        let event = ticket.grant().event;
        let rules = self.rules(ticket, scan);
        let spend = self.spends.get_mut(&(event, ticket.digest()));
        let history = spend.as_ref().map(|spend| spend.history);
        let decision = decide(ticket, scan, history.as_ref(), &rules);
        let history = decision.next.or(history);
        let first = history.and_then(|history| history.first);
        let record = ScanRecord::decided(ticket, scan, &decision.verdict, first, stage);
        let recall = rules.held_by.filter(|_| decision.verdict == Verdict::Refuse(Reason::Held));
        // Before the log is held: what takes time is done by then.
        let leaf = record.fact(None).leaf(key).to_bytes();
        let at = self.plans.len();
        let mut previous = None;
        if let (Some(spend), Some(history)) = (spend, history) {
            previous = spend.newest.replace(Newest::Planned(at));
            spend.history = history;
        }
        self.plans.push(Plan { record, previous, leaf, digest: ticket.digest(), recall });
        at
    }

    /// Events that get new scans, in the order in which their logs are locked.
    pub(super) fn events(&self) -> Vec<i64> {
        let events: BTreeSet<_> = self.plans.iter().map(|plan| plan.record.event).collect();
        events.into_iter().map(number).collect()
    }

    /// Gives each new scan its position and its leaf, and says what is to be written.
    pub(super) fn place(&mut self, mut held: Held) -> Result<Rows> {
        for plan in &mut self.plans {
            let event = plan.record.event;
            plan.record.seq = held.next_position(event)?;
            plan.record.leaf = Some(held.add(event, std::mem::take(&mut plan.leaf))?);
        }
        let mut rows = Rows { grown: held.grow(), ..Rows::default() };
        for plan in &self.plans {
            rows.scans.push((plan.record.clone(), self.position(plan.previous)));
            if let Some(holder) = plan.recall {
                let ScanRecord { event, type_no, .. } = plan.record;
                let (digest, at) = (plan.digest, plan.record.scan.at);
                rows.recalls.push(Recall { event, digest, type_no, holder, at });
            }
        }
        for ((event, digest), spend) in &self.spends {
            let Some(Newest::Planned(at)) = spend.newest else { continue };
            let Some(newest) = self.plans.get(at) else { continue };
            rows.spends.push(SpendRow {
                event: *event,
                digest: *digest,
                history: spend.history,
                last_seq: Some(newest.record.seq),
                last_leaf: newest.record.leaf,
            });
        }
        Ok(rows)
    }

    fn position(&self, newest: Option<Newest>) -> Option<i64> {
        match newest? {
            Newest::At(seq) => Some(seq),
            Newest::Planned(at) => self.plans.get(at).map(|plan| plan.record.seq),
        }
    }

    /// The answers in the order of the questions, once positions are known.
    pub(super) fn answers(self, grown: &Grown) -> Vec<Result<Recorded>> {
        let record = |at: usize| {
            let plan = self.plans.get(at).ok_or_else(|| StoreError::corrupt("scan", "no plan"));
            plan.map(|plan| plan.record.clone())
        };
        let new = |record: ScanRecord| {
            let logged = record.leaf.and_then(|leaf| grown.of(record.event, leaf));
            let logged =
                logged.ok_or_else(|| StoreError::corrupt("log", "a scan without a leaf"))?;
            Ok(Recorded::New(record, logged))
        };
        let answer = |planned: &Planned| match planned {
            Planned::Answered(recorded) => Ok((**recorded).clone()),
            Planned::New(at) => record(*at).and_then(new),
            Planned::Repeats(at) => record(*at).map(Recorded::Repeated),
        };
        self.answers.iter().map(answer).collect()
    }
}

/// A ticket's history, from a row that has the columns of the spend table.
pub(super) fn read_history(columns: &Columns<'_>) -> Result<History> {
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

/// A ticket's history and the position of its newest scan, held until the transaction ends.
pub(super) async fn lock_spend(
    tx: &Transaction<'_>,
    event: EventNo,
    digest: Digest,
) -> Done<Option<(History, Option<i64>)>> {
    let rows =
        query(tx, LOCK_SPENDS, &[&[number(event)].as_slice(), &[digest.0.as_slice()].as_slice()])
            .await?;
    Ok(first(&rows, "spend", |columns| {
        Ok((read_history(columns)?, columns.int_or_none("last_seq")?))
    })?)
}

pub(super) fn read_scan(columns: &Columns<'_>) -> Result<ScanRecord> {
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

/// The scans of one ticket from position `seq` back, along the chain.
pub(super) async fn chain(
    client: &impl GenericClient,
    event: EventNo,
    seq: Option<i64>,
) -> Done<Vec<ScanRecord>> {
    let rows = query(
        client,
        "WITH RECURSIVE chain AS (
           SELECT scan.*, 1 AS place FROM scan WHERE event = $1 AND seq = $2
           UNION ALL
           SELECT scan.*, chain.place + 1 FROM chain
           JOIN scan ON scan.event = chain.event AND scan.seq = chain.previous
           WHERE chain.place < $3
         ) SELECT * FROM chain ORDER BY place",
        &[&number(event), &seq, &i32::try_from(PAGE_ROWS_MAX).unwrap_or(i32::MAX)],
    )
    .await?;
    Ok(collect(&rows, "scan", read_scan)?)
}

/// What was recorded under a name: the scan, and its undo.
async fn scans_by_name(
    tx: &Transaction<'_>,
    event: EventNo,
    device: DeviceNo,
    id: ScanId,
) -> Done<(Option<ScanRecord>, Option<ScanRecord>)> {
    let ids = [id.0.as_slice()];
    let (events, devices) = ([number(event)], [device.0]);
    let params: super::Params<'_> = &[&events.as_slice(), &devices.as_slice(), &ids.as_slice()];
    let found = collect(&query(tx, SCANS_BY_NAME, params).await?, "scan", read_scan)?;
    let (undone, made): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|record| matches!(record.outcome, Outcome::Undo { .. }));
    // The newest word about a scan is the one that holds.
    Ok((made.into_iter().max_by_key(|record| record.seq), undone.into_iter().next()))
}

/// An undo that wrote nothing.
fn nothing(undone: Undone) -> (Undone, Grown) {
    (undone, Grown::default())
}

async fn undo_scan(
    tx: &Transaction<'_>,
    edges: &Edges,
    event: EventNo,
    scan: (DeviceNo, ScanId, UnixMs),
    key: &LogKey,
) -> Done<(Undone, Grown)> {
    let (device, id, at) = scan;
    let (Some(made), _) = scans_by_name(tx, event, device, id).await? else {
        return Ok(nothing(Undone::UnknownScan));
    };
    let name = digest(event, made.ticket);
    let Some((history, newest)) = lock_spend(tx, event, name).await? else {
        return Ok(nothing(Undone::UnknownScan));
    };
    // Again, now that nobody else can undo it.
    if let (_, Some(done)) = scans_by_name(tx, event, device, id).await? {
        return Ok(nothing(Undone::Done(done, None)));
    }
    // 256 uses at most count at a time; refusals in between are few enough for the chain.
    let before = entry_before(&chain(tx, event, newest).await?, id);
    let scan = Scan { id, device, gate: made.scan.gate, at, direction: Direction::Entry };
    let next = match undo(&history, &scan, before) {
        Ok(next) => next,
        Err(refused) => return Ok(nothing(Undone::Refused(refused))),
    };
    let outcome = Outcome::Undo { use_no: history.uses };
    let (stage, bounds) = (Stage::Void, Bounds::exact(at));
    let mut record = ScanRecord { scan, outcome, first: next.first, stage, bounds, ..made };
    let leaf = record.fact(made.leaf).leaf(key).to_bytes();
    let mut held = log::hold(tx, edges, event).await?;
    record.seq = held.next_position(event)?;
    record.leaf = Some(held.add(event, leaf)?);
    let last_seq = Some(record.seq);
    let spend = SpendRow { event, digest: name, history: next, last_seq, last_leaf: record.leaf };
    let scans = vec![(record.clone(), newest)];
    let rows = Rows { scans, spends: vec![spend], grown: held.grow(), ..Rows::default() };
    append::write(tx, &rows).await?;
    Ok((Undone::Done(record, None), rows.grown))
}

#[async_trait]
impl Admissions for PostgresStore {
    async fn admit(&self, ticket: Verified, scan: Scan, key: LogKey) -> Result<Recorded> {
        self.writer.admit((ticket, scan, Stage::Done, key)).await
    }

    async fn claim(&self, ticket: Verified, scan: Scan, key: LogKey) -> Result<Recorded> {
        self.writer.admit((ticket, scan, Stage::Claimed, key)).await
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
        let (undone, grown) = self
            .transact(|tx| {
                let edges = self.edges.clone();
                Box::pin(async move { undo_scan(tx, &edges, event, scan, &key).await })
            })
            .await?;
        self.edges.keep(&grown);
        Ok(match undone {
            Undone::Done(record, _) => {
                let logged = record.leaf.and_then(|leaf| grown.of(event, leaf));
                if logged.is_some() {
                    self.feed.own(vec![record.clone()]);
                }
                Undone::Done(record, logged)
            }
            other => other,
        })
    }

    async fn preview(&self, ticket: Verified, scan: Scan) -> Result<Preview> {
        let client = self.client().await?;
        let event = number(ticket.grant().event);
        let digest = ticket.digest().0;
        let sql = "SELECT * FROM spend WHERE event = $1 AND digest = $2";
        let spends = query(&client, sql, &[&event, &digest.as_slice()]).await?;
        let events = [event];
        let rules = query(&client, RULES, &[&events.as_slice()]).await?;
        let leases = query(&client, LEASES, &[&events.as_slice()]).await?;
        let digests = [digest.as_slice()];
        let returned = query(&client, RETURNED, &[&events.as_slice(), &digests.as_slice()]).await?;
        let last_leaf = first(&spends, "spend", |columns| columns.int_or_none("last_leaf"))?;
        let last_leaf = last_leaf.flatten().map(i64::cast_unsigned);
        let found = Found {
            spends: &spends,
            scans: &[],
            rules: &rules,
            leases: &leases,
            returned: &returned,
        };
        Ok(Batch::read(&found)?.preview(&ticket, &scan, last_leaf))
    }

    async fn scans_after(&self, event: EventNo, seq: i64, limit: u32) -> Result<Vec<ScanRecord>> {
        let rows =
            self.query(append::SCANS_AFTER, &[&number(event), &seq, &i64::from(limit)]).await?;
        collect(&rows, "scan", read_scan)
    }

    async fn scans_newest(&self, event: EventNo, limit: u32) -> Result<Vec<ScanRecord>> {
        let sql = "SELECT * FROM scan WHERE event = $1 ORDER BY seq DESC LIMIT $2";
        let rows = self.query(sql, &[&number(event), &i64::from(limit)]).await?;
        collect(&rows, "scan", read_scan)
    }

    async fn scans_of(&self, event: EventNo, ticket: TicketId) -> Result<Vec<ScanRecord>> {
        let client = self.client().await?;
        let sql = "SELECT last_seq FROM spend WHERE event = $1 AND digest = $2";
        let name = digest(event, ticket).0;
        let rows = query(&client, sql, &[&number(event), &name.as_slice()]).await?;
        let newest = first(&rows, "spend", |columns| columns.int_or_none("last_seq"))?.flatten();
        Ok(chain(&client, event, newest).await?)
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
        self.writer.ready().await
    }

    async fn newest_scan_at(&self) -> Result<Option<UnixMs>> {
        let rows = self.query("SELECT MAX(newest_at) AS newest FROM log", &[]).await?;
        Ok(first(&rows, "log", |columns| columns.time_or_none("newest"))?.flatten())
    }
}
