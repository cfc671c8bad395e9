//! The one writer: takes what waits, writes it in one transaction, commits once, then answers.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc as std_mpsc};
use std::thread;
use std::time::{Duration, Instant};

use admit_core::admission::Scan;
use admit_core::id::EventNo;
use admit_core::log::leaf::LogKey;
use admit_core::offline::story::Stage;
use admit_core::ticket::Verified;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::admission::{Batch, Planned};
use super::connect;
use super::log::{Edges, Leaves, Proofs};
use crate::admission::{Recorded, ScanRecord};
use crate::log::Logged;
use crate::measure::Measures;
use crate::{Result, StoreError, WRITE_QUEUE_MAX};

/// Most jobs in one transaction.
const BATCH_JOBS_MAX: usize = 1024;
/// Longest wait for company after the first job of a batch.
const GATHER_MAX: Duration = Duration::from_micros(500);
/// How often the write-ahead log is copied into the database.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(500);
/// Size of the write-ahead log from which the writer itself helps to restart it.
pub(super) const WAL_BYTES_MAX: u64 = 64 << 20;
/// Shortest time between two such helps: each costs two syncs, and the log does not shrink before
/// it is begun anew.
const HELP_EVERY: Duration = Duration::from_secs(1);

/// Says after the commit what came of a job: `Ok` when it is durable, with what was logged.
type Deliver = Box<dyn FnOnce(Result<&Proofs>) + Send>;

/// A write, which gives the scans it recorded and the delivery of its answer.
type WriteJob = Box<dyn FnOnce(&mut Work<'_, '_>) -> (Vec<ScanRecord>, Deliver) + Send>;

/// The transaction of a batch, and the leaves it will write.
pub(super) struct Work<'a, 'c> {
    pub(super) tx: &'a Transaction<'c>,
    pub(super) leaves: Leaves,
}

/// What a write did.
pub(super) struct Done<T> {
    pub(super) value: T,
    /// The scans it recorded.
    pub(super) scans: Vec<ScanRecord>,
    /// The leaf whose proof the caller is given.
    pub(super) leaf: Option<u64>,
}

pub(super) enum Job {
    /// A scan: the hot path.
    Admit {
        ticket: Verified,
        scan: Scan,
        /// What an admission is at first: a claim, or done.
        stage: Stage,
        key: LogKey,
        reply: oneshot::Sender<Result<Recorded>>,
    },
    /// Anything else, in a savepoint of its own.
    Write(WriteJob),
    /// Fold the write-ahead log into the database and empty it.
    EmptyLog(oneshot::Sender<Result<()>>),
}

#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Job>,
    jobs: Arc<AtomicU64>,
    batch_max: Arc<AtomicUsize>,
    measures: Arc<Measures>,
    broken: watch::Receiver<Option<String>>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        path: &Path,
        committed: broadcast::Sender<Arc<[ScanRecord]>>,
    ) -> Result<Self> {
        let (queue, jobs) = mpsc::channel(WRITE_QUEUE_MAX);
        let (broken_tx, broken) = watch::channel(None);
        let wal = PathBuf::from(format!("{}-wal", path.display()));
        let (stop, stopped) = std_mpsc::channel();
        let checkpoints = connect(path, super::Durability::Full)?;
        spawn("admit-checkpoint", move || checkpoint_loop(&checkpoints, &stopped))?;
        let batch_max = Arc::new(AtomicUsize::new(BATCH_JOBS_MAX));
        let limit = Arc::clone(&batch_max);
        let pace = Pace::default();
        let helped = Instant::now();
        let edges = Edges::default();
        let measures = Arc::new(Measures::default());
        let worker = Worker {
            connection,
            jobs,
            committed,
            wal,
            pace,
            limit,
            measures: Arc::clone(&measures),
            helped,
            edges,
        };
        spawn("admit-writer", move || {
            let end = worker.run();
            drop(stop);
            if let Err(error) = end {
                broken_tx.send_replace(Some(error.to_string()));
            }
        })?;
        Ok(Self { queue, jobs: Arc::default(), batch_max, measures, broken })
    }

    pub(super) fn jobs(&self) -> u64 {
        self.jobs.load(Ordering::Relaxed)
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

    pub(super) async fn broken(&self) -> String {
        let mut broken = self.broken.clone();
        if let Ok(reason) = broken.wait_for(Option::is_some).await {
            return reason.clone().unwrap_or_default();
        }
        // The writer ended in order: nothing is broken, and never will be.
        std::future::pending().await
    }

    pub(super) async fn admit(
        &self,
        ticket: Verified,
        scan: Scan,
        stage: Stage,
        key: LogKey,
    ) -> Result<Recorded> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Admit { ticket, scan, stage, key, reply })?;
        answer.await.map_err(|_| gone())?
    }

    /// Runs `job` inside the next transaction; what it wrote is undone when it fails.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let unlogged = move |work: &mut Work<'_, '_>| {
            Ok(Done { value: job(work.tx)?, scans: Vec::new(), leaf: None })
        };
        Ok(self.write_logged(EventNo(0), unlogged).await?.0)
    }

    /// Like [`Self::write`], for jobs that write scans, which listeners are then told, or leaves of
    /// the event's audit log.
    pub(super) async fn write_logged<T: Send + 'static>(
        &self,
        event: EventNo,
        job: impl FnOnce(&mut Work<'_, '_>) -> Result<Done<T>> + Send + 'static,
    ) -> Result<(T, Option<Logged>)> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Write(Box::new(move |work| {
            let (result, scans) = match in_savepoint(work, job) {
                Ok(Done { value, scans, leaf }) => (Ok((value, leaf)), scans),
                Err(error) => (Err(error), Vec::new()),
            };
            let deliver: Deliver = Box::new(move |end| {
                let _ = reply.send(end.and_then(|proofs| {
                    let (value, leaf) = result?;
                    Ok((value, leaf.and_then(|index| proofs.of(event, index))))
                }));
            });
            (scans, deliver)
        })))?;
        answer.await.map_err(|_| gone())?
    }

    /// Overwrites what the write-ahead log still remembers of earlier pages.
    pub(super) async fn empty_log(&self) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::EmptyLog(reply))?;
        answer.await.map_err(|_| gone())?
    }

    fn send(&self, job: Job) -> Result<()> {
        self.jobs.fetch_add(1, Ordering::Relaxed);
        self.queue.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => gone(),
        })
    }
}

fn gone() -> StoreError {
    StoreError::Unavailable("the store has stopped".to_owned())
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map(drop)
        .map_err(|error| StoreError::Unavailable(error.to_string()))
}

fn in_savepoint<T>(
    work: &mut Work<'_, '_>,
    job: impl FnOnce(&mut Work<'_, '_>) -> Result<T>,
) -> Result<T> {
    work.tx.prepare_cached("SAVEPOINT job")?.execute([])?;
    let mark = work.leaves.mark();
    let result = job(work);
    if result.is_err() {
        work.tx.prepare_cached("ROLLBACK TO job")?.execute([])?;
        work.leaves.back_to(&mark);
    }
    work.tx.prepare_cached("RELEASE job")?.execute([])?;
    result
}

/// How long a commit takes here, and whether company is to be expected.
#[derive(Default)]
struct Pace {
    commit: Duration,
    crowded: bool,
}

impl Pace {
    /// With one client there is nobody to wait for; with many, an eighth of a commit more of them
    /// arrive in the time that a commit takes anyway.
    fn window(&self) -> Option<Duration> {
        let window = (self.commit / 8).min(GATHER_MAX);
        (self.crowded && window > Duration::from_micros(50)).then_some(window)
    }

    fn learn(&mut self, jobs: usize, commit: Duration) {
        self.crowded = jobs > 1;
        self.commit = (self.commit * 7 + commit) / 8;
    }
}

struct Worker {
    connection: Connection,
    jobs: mpsc::Receiver<Job>,
    committed: broadcast::Sender<Arc<[ScanRecord]>>,
    wal: PathBuf,
    pace: Pace,
    limit: Arc<AtomicUsize>,
    measures: Arc<Measures>,
    /// When the writer last looked at the size of the log.
    helped: Instant,
    /// Right edges of the audit logs.
    edges: Edges,
}

impl Worker {
    /// Runs until every sender is gone, or until the disk fails for good.
    fn run(mut self) -> Result<()> {
        while let Some(first) = self.jobs.blocking_recv() {
            let mut batch = vec![first];
            let limit = self.limit.load(Ordering::Relaxed);
            if let Some(window) = self.pace.window().filter(|_| limit > 1) {
                thread::sleep(window);
            }
            while batch.len() < limit {
                let Ok(job) = self.jobs.try_recv() else { break };
                batch.push(job);
            }
            self.batch(batch)?;
        }
        Ok(())
    }

    fn batch(&mut self, mut jobs: Vec<Job>) -> Result<()> {
        let emptied: Vec<_> = jobs.extract_if(.., |job| matches!(job, Job::EmptyLog(_))).collect();
        let count = jobs.len();
        let mut done = Vec::with_capacity(count);
        let end = self.transact(jobs, &mut done);
        match &end {
            Err(error) => {
                self.measures.failed();
                // What they were moved on by was not written.
                self.edges.forget();
                if !matches!(error, StoreError::Broken(_)) {
                    tracing::warn!(%error, jobs = count, "a batch was not written");
                }
            }
            Ok(committed) => {
                self.pace.learn(count, committed.time);
                self.measures.written(count, committed.time);
                if !committed.scans.is_empty() {
                    // Nobody listening is fine.
                    let _ = self.committed.send(Arc::from(committed.scans.as_slice()));
                }
            }
        }
        let end = end.map(|committed| committed.proofs);
        for deliver in done {
            deliver(end.as_ref().map_err(copy_error));
        }
        for job in emptied {
            if let Job::EmptyLog(reply) = job {
                checkpoint(&self.connection, "TRUNCATE");
                let _ = reply.send(Ok(()));
            }
        }
        self.help_checkpoint();
        match end {
            Err(broken @ StoreError::Broken(_)) => Err(broken),
            _ => Ok(()),
        }
    }

    /// Everything in one transaction. `done` gets one delivery per job, whatever happens.
    fn transact(&mut self, jobs: Vec<Job>, done: &mut Vec<Deliver>) -> Result<Committed> {
        let tx = match self.connection.transaction_with_behavior(TransactionBehavior::Immediate) {
            Ok(tx) => tx,
            Err(error) => {
                done.extend(jobs.into_iter().map(deliver_end_only));
                return Err(error.into());
            }
        };
        let mut work = Work { tx: &tx, leaves: Leaves::default() };
        let mut batch = Batch::default();
        let mut scans = Vec::new();
        // A write that failed half-way spoils the transaction: the rest is not even tried, and all
        // of it is asked again by those who asked.
        let mut spoilt = None;
        for job in jobs {
            match job {
                job if spoilt.is_some() => done.push(deliver_end_only(job)),
                Job::Admit { ticket, scan, stage, key, reply } => {
                    let result = match batch.plan(&tx, &ticket, &scan, stage) {
                        Ok(Planned::Write(plan)) => match plan.write(&mut work, &key) {
                            Ok((record, leaf)) => {
                                scans.push(record.clone());
                                Tried::Written(record, leaf)
                            }
                            Err(error) => {
                                spoilt = Some(error);
                                Tried::Answered(Err(gone()))
                            }
                        },
                        Ok(Planned::Answered(recorded)) => Tried::Answered(Ok(recorded)),
                        // Nothing was written yet: this scan alone has no answer.
                        Err(error) => Tried::Answered(Err(error)),
                    };
                    done.push(Box::new(move |end| {
                        let _ = reply.send(end.and_then(|proofs| result.recorded(proofs)));
                    }));
                }
                Job::Write(job) => {
                    let (written, deliver) = job(&mut work);
                    scans.extend(written);
                    done.push(deliver);
                    // It may have changed rules that the batch remembers.
                    batch = Batch::default();
                }
                Job::EmptyLog(reply) => drop(reply),
            }
        }
        if let Some(error) = spoilt {
            return Err(error);
        }
        let proofs = work.leaves.write(&tx, &mut self.edges)?;
        let begun = Instant::now();
        tx.commit()?;
        scans.sort_by_key(|record| record.seq);
        Ok(Committed { scans, proofs, time: begun.elapsed() })
    }

    /// A log that never restarts would grow for as long as the rush lasts.
    fn help_checkpoint(&mut self) {
        if self.helped.elapsed() < HELP_EVERY {
            return;
        }
        self.helped = Instant::now();
        let size = std::fs::metadata(&self.wal).map_or(0, |meta| meta.len());
        if size > WAL_BYTES_MAX {
            checkpoint(&self.connection, "PASSIVE");
        }
    }
}

/// What a transaction wrote, once it is durable.
struct Committed {
    scans: Vec<ScanRecord>,
    proofs: Proofs,
    time: Duration,
}

/// What came of a scan before the commit: written, with the position of its leaf, or answered.
enum Tried {
    Written(ScanRecord, u64),
    Answered(Result<Recorded>),
}

impl Tried {
    fn recorded(self, proofs: &Proofs) -> Result<Recorded> {
        match self {
            Self::Written(record, leaf) => {
                let logged = proofs.of(record.event, leaf).ok_or_else(gone)?;
                Ok(Recorded::New(record, logged))
            }
            Self::Answered(answered) => answered,
        }
    }
}

fn deliver_end_only(job: Job) -> Deliver {
    match job {
        Job::Admit { reply, .. } => Box::new(move |end| {
            let _ = reply.send(end.and_then(|_| Err(gone())));
        }),
        // Dropping the job drops its reply: the caller learns that the store gave no answer.
        Job::Write(job) => Box::new(move |_| drop(job)),
        Job::EmptyLog(reply) => Box::new(move |_| drop(reply)),
    }
}

fn copy_error(error: &StoreError) -> StoreError {
    match error {
        StoreError::Broken(why) => StoreError::Broken(why.clone()),
        error => StoreError::Unavailable(error.to_string()),
    }
}

fn checkpoint_loop(connection: &Connection, stopped: &std_mpsc::Receiver<()>) {
    while stopped.recv_timeout(CHECKPOINT_EVERY) == Err(std_mpsc::RecvTimeoutError::Timeout) {
        checkpoint(connection, "PASSIVE");
    }
    checkpoint(connection, "TRUNCATE");
}

/// A checkpoint that cannot be made now is made later; the log keeps everything meanwhile.
pub(super) fn checkpoint(connection: &Connection, mode: &str) {
    let done = connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()));
    if let Err(error) = done {
        tracing::debug!(%error, "checkpoint postponed");
    }
}
