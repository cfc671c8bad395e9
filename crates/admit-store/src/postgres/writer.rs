//! The batcher: takes the scans that wait, decides and writes them in one transaction of three round
//! trips, commits once, then answers. A thread and a connection of its own, so that whatever else
//! the server does, the gates come first.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio_postgres::{Client, Statement};

use super::admission::{Asked, Batch, Found, Keys, LOCK_SPENDS, RULES, SCANS_BY_NAME};
use super::anonymous::INSERT_FRESH;
use super::append::{
    INSERT_LEAVES, INSERT_RECALLS, INSERT_SCANS, INSERT_TILES, NOTIFY, Rows, WRITE_LOGS,
    WRITE_SPENDS,
};
use super::connect::Target;
use super::feed::Feed;
use super::lease::{LEASES, RETURNED};
use super::log::{Edges, Grown, Held, LOCK_LOGS, MISSING_LEAVES};
use super::{ATTEMPTS_MAX, Done, Fault};
use crate::admission::{Recorded, ScanRecord};
use crate::measure::Measures;
use crate::{Result, StoreError, WRITE_QUEUE_MAX};

/// Most scans in one transaction.
const BATCH_JOBS_MAX: usize = 1024;
/// Longest wait for company after the first scan of a batch.
const GATHER_MAX: Duration = Duration::from_micros(500);
/// Longest that a batch may take before its connection is given up.
const BATCH_WITHIN: Duration = Duration::from_secs(10);
/// How soon a lost database is looked for again; whoever asks meanwhile is told so at once.
const RECONNECT_EVERY: Duration = Duration::from_millis(250);

/// What holds for the batcher's session beside the rest: every statement finds its rows by key. The
/// planner would rather read a small table from end to end, and keep doing so when it has grown.
const SESSION: &str = "
    SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
    SET jit = off; SET plan_cache_mode = force_generic_plan";

struct Job {
    asked: Asked,
    reply: oneshot::Sender<Result<Recorded>>,
}

enum Waiting {
    Scan(Job),
    /// Somebody asks whether scans can be taken.
    Probe(oneshot::Sender<Result<()>>),
}

#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Waiting>,
    batch_max: Arc<AtomicUsize>,
    measures: Arc<Measures>,
}

impl Writer {
    pub(super) fn start(target: Target, feed: Feed, edges: Edges) -> Result<Self> {
        let (queue, jobs) = mpsc::channel(WRITE_QUEUE_MAX);
        let batch_max = Arc::new(AtomicUsize::new(BATCH_JOBS_MAX));
        let limit = Arc::clone(&batch_max);
        let fault = |error: std::io::Error| StoreError::Unavailable(error.to_string());
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(fault)?;
        let pace = Pace::default();
        let measures = Arc::new(Measures::default());
        let worker = Worker {
            target,
            jobs,
            feed,
            edges,
            limit,
            measures: Arc::clone(&measures),
            pace,
            lost: None,
        };
        thread::Builder::new()
            .name("admit-batcher".to_owned())
            .spawn(move || runtime.block_on(worker.run()))
            .map_err(fault)?;
        Ok(Self { queue, batch_max, measures })
    }

    pub(super) fn measures(&self) -> Arc<Measures> {
        Arc::clone(&self.measures)
    }

    pub(super) fn waiting(&self) -> usize {
        WRITE_QUEUE_MAX.saturating_sub(self.queue.capacity())
    }

    pub(super) fn limit_batch(&self, jobs: usize) {
        self.batch_max.store(jobs.clamp(1, BATCH_JOBS_MAX), Ordering::Relaxed);
    }

    pub(super) async fn admit(&self, asked: Asked) -> Result<Recorded> {
        let (reply, answer) = oneshot::channel();
        self.send(Waiting::Scan(Job { asked, reply }))?;
        answer.await.map_err(|_| gone())?
    }

    /// Whether the batcher reaches the database.
    pub(super) async fn ready(&self) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.send(Waiting::Probe(reply))?;
        answer.await.map_err(|_| gone())?
    }

    fn send(&self, waiting: Waiting) -> Result<()> {
        self.queue.try_send(waiting).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => gone(),
        })
    }
}

fn gone() -> StoreError {
    StoreError::Unavailable("the store has stopped".to_owned())
}

/// How long a batch takes here, and whether company is to be expected.
#[derive(Default)]
struct Pace {
    batch: Duration,
    crowded: bool,
}

impl Pace {
    /// With one client there is nobody to wait for; with many, an eighth of a batch more of them
    /// arrive in the time that it takes anyway.
    fn window(&self) -> Option<Duration> {
        let window = (self.batch / 8).min(GATHER_MAX);
        (self.crowded && window > Duration::from_micros(50)).then_some(window)
    }

    fn learn(&mut self, jobs: usize, batch: Duration) {
        self.crowded = jobs > 1;
        self.batch = (self.batch * 7 + batch) / 8;
    }
}

/// A session with its statements prepared.
struct Session {
    client: Client,
    insert_fresh: Statement,
    lock_spends: Statement,
    scans_by_name: Statement,
    rules: Statement,
    leases: Statement,
    returned: Statement,
    lock_logs: Statement,
    missing_leaves: Statement,
    insert_leaves: Statement,
    insert_tiles: Statement,
    insert_scans: Statement,
    write_spends: Statement,
    write_logs: Statement,
    notify: Statement,
    insert_recalls: Statement,
}

impl Session {
    async fn open(target: &Target) -> std::result::Result<Self, tokio_postgres::Error> {
        let client = target.connect(None).await?;
        client.batch_execute(SESSION).await?;
        Ok(Self {
            insert_fresh: client.prepare(INSERT_FRESH).await?,
            lock_spends: client.prepare(LOCK_SPENDS).await?,
            scans_by_name: client.prepare(SCANS_BY_NAME).await?,
            rules: client.prepare(RULES).await?,
            leases: client.prepare(LEASES).await?,
            returned: client.prepare(RETURNED).await?,
            lock_logs: client.prepare(LOCK_LOGS).await?,
            missing_leaves: client.prepare(MISSING_LEAVES).await?,
            insert_leaves: client.prepare(INSERT_LEAVES).await?,
            insert_tiles: client.prepare(INSERT_TILES).await?,
            insert_scans: client.prepare(INSERT_SCANS).await?,
            write_spends: client.prepare(WRITE_SPENDS).await?,
            write_logs: client.prepare(WRITE_LOGS).await?,
            notify: client.prepare(NOTIFY).await?,
            insert_recalls: client.prepare(INSERT_RECALLS).await?,
            client,
        })
    }

    /// One transaction for all of `jobs`. Each bracket of the design is one `join!`: its statements
    /// travel together, and the database works through them in order.
    async fn transact(&self, jobs: &[Job], edges: &Edges) -> Done<Written> {
        let client = &self.client;
        let mut batch = self.read(jobs).await?;
        for job in jobs {
            batch.decide(&job.asked);
        }
        let growing = batch.events();
        if growing.is_empty() {
            client.batch_execute("COMMIT").await?;
            let answers = batch.answers(&Grown::default());
            return Ok(Written { answers, scans: Vec::new() });
        }
        let sizes = edges.sizes(&growing);
        let (growing, mine): (super::Params<'_>, super::Params<'_>) =
            (&[&growing], &[&growing, &sizes]);
        let (logs, missing) = tokio::join!(
            biased;
            client.query(&self.lock_logs, growing),
            client.query(&self.missing_leaves, mine),
        );
        let (logs, missing) = (logs?, missing?);
        if !batch.leases_stand(&logs)? {
            return Err(Fault::LeasesMoved);
        }
        let held = Held::read(client, edges, &logs, &missing).await?;
        let rows = batch.place(held)?;
        self.write(&rows).await?;
        edges.keep(&rows.grown);
        let answers = batch.answers(&rows.grown);
        let scans = rows.scans.into_iter().map(|(record, _)| record).collect();
        Ok(Written { answers, scans })
    }

    async fn read(&self, jobs: &[Job]) -> Done<Batch> {
        let client = &self.client;
        let keys = Keys::of(jobs.iter().map(|job| &job.asked));
        let (events, digests) = keys.spends();
        let (of_events, devices, ids) = keys.names();
        let spends: super::Params<'_> = &[&events, &digests];
        let names: super::Params<'_> = &[&of_events, &devices, &ids];
        let rules: super::Params<'_> = &[&keys.events];
        let bearers = keys.bearers();
        let fresh = async {
            if bearers.0.is_empty() {
                return Ok(0);
            }
            client.execute(&self.insert_fresh, &[&bearers.0, &bearers.1]).await
        };
        let (begun, fresh, spends, scans, rules, leases, returned) = tokio::join!(
            biased;
            client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED"),
            fresh,
            client.query(&self.lock_spends, spends),
            client.query(&self.scans_by_name, names),
            client.query(&self.rules, rules),
            client.query(&self.leases, rules),
            client.query(&self.returned, spends),
        );
        begun?;
        fresh?;
        let (spends, scans, rules, leases, returned) =
            (spends?, scans?, rules?, leases?, returned?);
        Ok(Batch::read(&Found {
            spends: &spends,
            scans: &scans,
            rules: &rules,
            leases: &leases,
            returned: &returned,
        })?)
    }

    async fn write(&self, rows: &Rows) -> Done<()> {
        let client = &self.client;
        let (scans, spends, logs) = (rows.scan_columns(), rows.spend_columns(), rows.log_columns());
        let (leaves, tiles, notice) = (rows.leaf_columns(), rows.tile_columns(), rows.notice());
        let (scans, spends, logs) = (scans.params(), spends.params(), logs.params());
        let leaves = leaves.params();
        let with_tiles = async {
            if tiles.is_empty() {
                return Ok(0);
            }
            client.execute(&self.insert_tiles, &tiles.params()).await
        };
        let recalls = rows.recall_columns();
        let with_recalls = async {
            if rows.recalls.is_empty() {
                return Ok(0);
            }
            client.execute(&self.insert_recalls, &recalls.params()).await
        };
        let notice: super::Params<'_> = &[&notice];
        let ends = tokio::join!(
            biased;
            client.execute(&self.insert_scans, &scans),
            client.execute(&self.write_spends, &spends),
            client.execute(&self.insert_leaves, &leaves),
            with_tiles,
            with_recalls,
            client.execute(&self.write_logs, &logs),
            client.execute(&self.notify, notice),
            client.batch_execute("COMMIT"),
        );
        // After a statement that failed, COMMIT is a rollback and says nothing: look at each.
        ends.0?;
        ends.1?;
        ends.2?;
        ends.3?;
        ends.4?;
        ends.5?;
        ends.6?;
        Ok(ends.7?)
    }
}

/// What came of a batch.
struct Written {
    /// In the order of the questions.
    answers: Vec<Result<Recorded>>,
    /// New on the books.
    scans: Vec<ScanRecord>,
}

struct Worker {
    target: Target,
    jobs: mpsc::Receiver<Waiting>,
    feed: Feed,
    edges: Edges,
    limit: Arc<AtomicUsize>,
    measures: Arc<Measures>,
    pace: Pace,
    /// When the database was last looked for in vain, and what was said.
    lost: Option<(Instant, String)>,
}

impl Worker {
    /// Runs until every sender is gone.
    async fn run(mut self) {
        let mut session = self.reconnect().await.ok();
        while let Some(first) = self.jobs.recv().await {
            let limit = self.limit.load(Ordering::Relaxed);
            if let Some(window) = self.pace.window().filter(|_| limit > 1) {
                // The runtime's timers are too coarse; nothing else runs on this thread.
                thread::sleep(window);
            }
            let mut probes = Vec::new();
            let mut batch = Vec::new();
            let mut next = Some(first);
            while let Some(waiting) = next {
                match waiting {
                    // Nobody waits for it any more; its scan id tells when it comes again.
                    Waiting::Scan(job) if job.reply.is_closed() => {}
                    Waiting::Scan(job) => batch.push(job),
                    Waiting::Probe(reply) => probes.push(reply),
                }
                next = if batch.len() < limit { self.jobs.try_recv().ok() } else { None };
            }
            if !batch.is_empty() {
                self.batch(&mut session, batch).await;
            }
            for reply in probes {
                let _ = reply.send(self.probe(&mut session).await);
            }
        }
    }

    async fn probe(&mut self, session: &mut Option<Session>) -> Result<()> {
        let open = match session.take().filter(|session| !session.client.is_closed()) {
            Some(open) => open,
            None => self.reconnect().await?,
        };
        let asked = tokio::time::timeout(BATCH_WITHIN, open.client.batch_execute("SELECT 1"));
        match asked.await {
            Ok(end) => {
                end.map_err(Fault::from)?;
                *session = Some(open);
                Ok(())
            }
            Err(_) => Err(StoreError::Unavailable("the database does not answer".to_owned())),
        }
    }

    async fn reconnect(&mut self) -> Result<Session> {
        if let Some((at, why)) = &self.lost
            && at.elapsed() < RECONNECT_EVERY
        {
            return Err(StoreError::Unavailable(why.clone()));
        }
        match tokio::time::timeout(BATCH_WITHIN, Session::open(&self.target)).await {
            Ok(Ok(session)) => {
                self.lost = None;
                Ok(session)
            }
            Ok(Err(error)) => Err(self.not_found(StoreError::from(Fault::from(error)))),
            Err(_) => Err(self.not_found(StoreError::Unavailable("no answer".to_owned()))),
        }
    }

    fn not_found(&mut self, error: StoreError) -> StoreError {
        if self.lost.is_none() {
            tracing::warn!(%error, "the database cannot be reached");
        }
        self.lost = Some((Instant::now(), error.to_string()));
        error
    }

    async fn batch(&mut self, session: &mut Option<Session>, jobs: Vec<Job>) {
        let begun = Instant::now();
        let count = jobs.len();
        match self.write(session, &jobs).await {
            Ok(Written { answers, scans }) => {
                self.pace.learn(count, begun.elapsed());
                self.measures.written(count, begun.elapsed());
                self.feed.own(scans);
                for (job, answer) in jobs.into_iter().zip(answers) {
                    let _ = job.reply.send(answer);
                }
            }
            // A row that cannot be read spoils the batch for all: each then gets its own.
            Err(StoreError::Corrupt { .. }) if count > 1 => {
                for job in jobs {
                    Box::pin(self.batch(session, vec![job])).await;
                }
            }
            Err(error) => {
                self.measures.failed();
                tracing::warn!(%error, jobs = count, "a batch was not written");
                for job in jobs {
                    let _ = job.reply.send(Err(copy(&error)));
                }
            }
        }
    }

    /// Writes a batch, again when other transactions got in its way.
    async fn write(&mut self, session: &mut Option<Session>, jobs: &[Job]) -> Result<Written> {
        let mut attempt = 1;
        loop {
            let open = match session.take().filter(|session| !session.client.is_closed()) {
                Some(open) => open,
                None => self.reconnect().await?,
            };
            let Ok(end) =
                tokio::time::timeout(BATCH_WITHIN, open.transact(jobs, &self.edges)).await
            else {
                // The session is dropped: what became of the batch, the same scan ids will tell.
                return Err(StoreError::Unavailable("the database does not answer".to_owned()));
            };
            let fault = match end {
                Ok(written) => {
                    *session = Some(open);
                    return Ok(written);
                }
                Err(fault) => fault,
            };
            // A session that cannot even roll back is of no use.
            let rolled_back = open.client.batch_execute("ROLLBACK");
            if let Ok(Ok(())) = tokio::time::timeout(BATCH_WITHIN, rolled_back).await {
                *session = Some(open);
            }
            // A scan id that another server recorded meanwhile is found by the next attempt.
            if (fault.may_pass() || fault.is_taken()) && attempt < ATTEMPTS_MAX {
                attempt += 1;
                continue;
            }
            return Err(fault.into());
        }
    }
}

fn copy(error: &StoreError) -> StoreError {
    match error {
        StoreError::Corrupt { table, what } => StoreError::corrupt(table, what),
        other => StoreError::Unavailable(other.to_string()),
    }
}
