//! The feed: every scan that any server commits, once and in the order of its event.
//!
//! Positions have no gaps and are committed in order, so that "what comes after the one I had" is
//! complete. Own scans are passed on as they are when they come next; everything else is read. A
//! notification only says where to look; what it would have said is found by looking, too.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use admit_core::id::EventNo;
use deadpool_postgres::Pool;
use tokio::sync::{broadcast, mpsc};
use tokio::time::MissedTickBehavior;
use tokio_postgres::Client;

use super::admission::{number, read_scan};
use super::append::SCANS_AFTER;
use super::connect::Target;
use super::row::{Columns, collect};
use super::{Done, Fault, query};
use crate::admission::ScanRecord;
use crate::{Result, StoreError};

/// Batches of own scans and notices that may wait; what does not fit is found by looking.
const WAITING_MAX: usize = 1024;
/// Scans read at a time.
const PAGE: i64 = 1000;
/// How often all events are looked at while no notifications arrive.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many times less often while they do: they may be lost on the way without a word.
const LISTENING_FACTOR: u32 = 10;
/// Shortest and longest pause before a lost connection is opened again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

enum News {
    /// Committed by this process.
    Own(Vec<ScanRecord>),
    /// The text of a notification.
    Notice(String),
    /// Whether notifications arrive from now on.
    Listening(bool),
}

/// Takes what this process commits.
#[derive(Clone)]
pub(super) struct Feed {
    news: mpsc::Sender<News>,
}

impl Feed {
    pub(super) async fn start(
        target: &Target,
        pool: Pool,
        committed: broadcast::Sender<Arc<[ScanRecord]>>,
    ) -> Result<Self> {
        let (news, waiting) = mpsc::channel(WAITING_MAX);
        let mut follower =
            Follower { pool, committed, told: HashMap::new(), heard: HashMap::new() };
        // From here on: what is on the books already is nobody's news.
        follower.told = follower.heads().await?;
        tokio::spawn(follower.run(waiting));
        tokio::spawn(listen(target.clone(), news.downgrade()));
        Ok(Self { news })
    }

    /// Passes on what this process committed.
    pub(super) fn own(&self, scans: Vec<ScanRecord>) {
        if !scans.is_empty() {
            // No room: the notification of the same commit leads to them.
            let _ = self.news.try_send(News::Own(scans));
        }
    }
}

/// Keeps a connection that hears notifications, for as long as the store is in use.
async fn listen(target: Target, news: mpsc::WeakSender<News>) {
    let mut pause = BACKOFF.0;
    loop {
        let (heard, mut notices) = mpsc::channel(WAITING_MAX);
        let client: Option<Client> = async {
            let client = target.connect(Some(heard)).await?;
            client.batch_execute("LISTEN admit_one").await?;
            Ok::<_, tokio_postgres::Error>(client)
        }
        .await
        .ok();
        let Some(sender) = news.upgrade() else { return };
        if client.is_some() {
            pause = BACKOFF.0;
            let _ = sender.send(News::Listening(true)).await;
        }
        drop(sender);
        loop {
            tokio::select! {
                notice = notices.recv() => {
                    let (Some(notice), Some(sender)) = (notice, news.upgrade()) else { break };
                    let _ = sender.send(News::Notice(notice)).await;
                }
                () = closed(&news), if client.is_some() => return,
            }
        }
        let Some(sender) = news.upgrade() else { return };
        let _ = sender.send(News::Listening(false)).await;
        drop(sender);
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(BACKOFF.1);
    }
}

/// Resolves when nobody uses the store any more.
async fn closed(news: &mpsc::WeakSender<News>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if news.upgrade().is_none() {
            return;
        }
    }
}

struct Follower {
    pool: Pool,
    committed: broadcast::Sender<Arc<[ScanRecord]>>,
    /// Up to where each event was passed on.
    told: HashMap<EventNo, i64>,
    /// Up to where each event is known to reach.
    heard: HashMap<EventNo, i64>,
}

impl Follower {
    /// Runs until the store is gone.
    async fn run(mut self, mut waiting: mpsc::Receiver<News>) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut listening = false;
        let mut ticks = 0_u32;
        loop {
            let looked = tokio::select! {
                news = waiting.recv() => match news {
                    Some(News::Own(scans)) => self.own(scans).await,
                    Some(News::Notice(text)) => self.notice(&text).await,
                    Some(News::Listening(now)) => {
                        listening = now;
                        self.look().await
                    }
                    None => return,
                },
                _ = look.tick() => {
                    ticks = ticks.wrapping_add(1);
                    if !listening || self.is_behind() || ticks.is_multiple_of(LISTENING_FACTOR) {
                        self.look().await
                    } else {
                        Ok(())
                    }
                }
            };
            if let Err(fault) = looked {
                let error = StoreError::from(fault);
                tracing::debug!(%error, "the feed could not be read; looking again");
            }
        }
    }

    fn is_behind(&self) -> bool {
        self.heard.iter().any(|(event, reached)| *reached > self.told(*event))
    }

    fn told(&self, event: EventNo) -> i64 {
        self.told.get(&event).copied().unwrap_or_default()
    }

    async fn heads(&self) -> Done<HashMap<EventNo, i64>> {
        let client = self.pool.get().await.map_err(|e| StoreError::Unavailable(e.to_string()))?;
        let rows = query(&client, "SELECT event, position FROM log", &[]).await?;
        let head = |columns: &Columns<'_>| Ok((columns.event()?, columns.int("position")?));
        Ok(collect(&rows, "log", head)?.into_iter().collect())
    }

    /// Looks at all events.
    async fn look(&mut self) -> Done<()> {
        self.heard = self.heads().await?;
        self.catch_up().await
    }

    async fn notice(&mut self, text: &str) -> Done<()> {
        if text.is_empty() {
            return self.look().await;
        }
        for part in text.split(',') {
            let parsed = part.split_once(':').and_then(|(event, position)| {
                Some((EventNo(event.parse().ok()?), position.parse::<i64>().ok()?))
            });
            if let Some((event, position)) = parsed {
                let heard = self.heard.entry(event).or_default();
                *heard = position.max(*heard);
            }
        }
        self.catch_up().await
    }

    /// Passes own scans on when they are what comes next; otherwise something is missing before
    /// them, or they were read already.
    async fn own(&mut self, scans: Vec<ScanRecord>) -> Done<()> {
        let mut next = Vec::with_capacity(scans.len());
        for scan in scans {
            let (event, seq) = (scan.event, scan.seq);
            if seq == self.told(event).saturating_add(1) {
                self.told.insert(event, seq);
                next.push(scan);
            }
            let heard = self.heard.entry(event).or_default();
            *heard = seq.max(*heard);
        }
        self.pass_on(next);
        self.catch_up().await
    }

    /// Reads and passes on what is missing.
    async fn catch_up(&mut self) -> Done<()> {
        let behind: Vec<_> = self
            .heard
            .iter()
            .filter(|(event, reached)| **reached > self.told(**event))
            .map(|(event, reached)| (*event, *reached))
            .collect();
        for (event, reached) in behind {
            while self.told(event) < reached {
                let scans = self.page(event).await?;
                let Some(last) = scans.last() else { break };
                self.told.insert(event, last.seq);
                self.pass_on(scans);
            }
        }
        Ok(())
    }

    async fn page(&self, event: EventNo) -> std::result::Result<Vec<ScanRecord>, Fault> {
        let client = self.pool.get().await.map_err(|e| StoreError::Unavailable(e.to_string()))?;
        let told = self.told(event);
        let rows = query(&client, SCANS_AFTER, &[&number(event), &told, &PAGE]).await?;
        Ok(collect(&rows, "scan", read_scan)?)
    }

    fn pass_on(&self, scans: Vec<ScanRecord>) {
        if !scans.is_empty() {
            // Nobody listening is fine.
            let _ = self.committed.send(scans.into());
        }
    }
}
