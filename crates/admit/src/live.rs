//! The live feed: counts and scans of an event, pushed to every desk that watches.
//!
//! Scans of genuine tickets come from the store in their order, with a position, so that a desk that
//! was away resumes without a gap. Codes that never reached the store (forged, foreign) are kept in a
//! short list in memory with a counter of their own.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use admit_core::admission::Scan;
use admit_core::id::{EventNo, UnixMs};
use admit_core::reason::Reason;
use admit_core::stats::{EventCount, Outcome};
use admit_store::Store;
use admit_store::admission::ScanRecord;
use tokio::sync::broadcast;

use crate::clock::Clock;
use crate::error::Result;

/// Refusals of unreadable codes that are remembered for each event.
pub const UNREAD_MAX: usize = 500;
/// How many scans a desk may be behind before it starts again from a fresh picture.
pub const RESUME_SCANS_MAX: u32 = 5000;
/// Scans in the first picture.
pub const PICTURE_SCANS: u32 = 100;
/// Scans read at a time to count an event from the beginning.
const COUNT_PAGE: u32 = 10_000;
/// Wake-ups a desk may be behind; it looks at the state, so one is as good as many.
const WAKES_MAX: usize = 16;

/// A code that was refused without a question to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Position among the unread ones of this event, from 1.
    pub seq: u64,
    /// Where, when, by whom.
    pub scan: Scan,
    /// Why.
    pub reason: Reason,
}

/// One event, as it is watched.
struct Watched {
    count: EventCount,
    /// Position of the newest scan that is counted; below zero when the event is not counted.
    counted: i64,
    /// Position of the newest scan that was committed.
    newest: i64,
    unread: VecDeque<Unread>,
    unread_seq: u64,
    wake: broadcast::Sender<()>,
}

/// Where a desk stands in the feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The newest scan it has.
    pub scan: i64,
    /// The newest unread one it has.
    pub unread: u64,
}

/// What a desk is sent.
pub struct News {
    /// The counts.
    pub count: EventCount,
    /// The scans, oldest first.
    pub scans: Vec<ScanRecord>,
    /// The unread codes, oldest first.
    pub unread: Vec<Unread>,
    /// Where the desk then stands.
    pub position: Position,
    /// Whether this is a fresh picture and not a continuation.
    pub fresh: bool,
}

/// A message that all desks of an event are sent as it is.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Where a desk must stand for this to be the next message.
    pub from: Position,
    /// Where it then stands.
    pub to: Position,
    /// The message, written once for all.
    pub text: Arc<str>,
}

/// The feed of all events.
pub struct Live {
    watched: Arc<Mutex<HashMap<EventNo, Watched>>>,
    frames: Mutex<HashMap<EventNo, broadcast::Sender<Frame>>>,
    clock: Clock,
}

/// Frames that a desk may be behind before it catches up from the store.
const FRAMES_MAX: usize = 32;

impl Live {
    /// Starts to follow what the store commits.
    pub fn start(store: &dyn Store, clock: Clock) -> Self {
        let watched: Arc<Mutex<HashMap<EventNo, Watched>>> = Arc::default();
        let followed = Arc::clone(&watched);
        let mut committed = store.committed();
        tokio::spawn(async move {
            loop {
                match committed.recv().await {
                    Ok(scans) => follow(&followed, &scans),
                    // Too far behind: what is counted is wrong now, so count anew when asked.
                    Err(broadcast::error::RecvError::Lagged(_)) => forget(&followed),
                    Err(broadcast::error::RecvError::Closed) => break,
                }
            }
        });
        Self { watched, frames: Mutex::default(), clock }
    }

    /// Tells the desks of a code that was refused without a question to the store.
    pub fn refused_unread(&self, event: EventNo, scan: &Scan, reason: Reason) {
        let mut all = lock(&self.watched);
        let watched = all.entry(event).or_insert_with(Watched::unknown);
        watched.unread_seq += 1;
        watched.unread.push_back(Unread { seq: watched.unread_seq, scan: *scan, reason });
        if watched.unread.len() > UNREAD_MAX {
            watched.unread.pop_front();
        }
        watched.count.apply(scan.at, Some(scan.gate), Outcome::Refuse(reason));
        let _ = watched.wake.send(());
    }

    /// Resolves whenever there is news of an event.
    pub async fn wake(&self, store: &dyn Store, event: EventNo) -> Result<broadcast::Receiver<()>> {
        self.count(store, event).await?;
        Ok(lock(&self.watched).entry(event).or_insert_with(Watched::unknown).wake.subscribe())
    }

    /// The frames of an event, and the sender for whoever subscribes first and must fill it.
    pub fn frames(
        &self,
        event: EventNo,
    ) -> (broadcast::Receiver<Frame>, Option<broadcast::Sender<Frame>>) {
        let mut all = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = all.get(&event) {
            return (sender.subscribe(), None);
        }
        let (sender, receiver) = broadcast::channel(FRAMES_MAX);
        all.insert(event, sender.clone());
        (receiver, Some(sender))
    }

    /// Whether nobody receives an event's frames; then they are no longer filled.
    pub fn end_frames(&self, event: EventNo) -> bool {
        let mut all = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        let unheard = all.get(&event).is_none_or(|sender| sender.receiver_count() == 0);
        if unheard {
            all.remove(&event);
        }
        unheard
    }

    /// Makes every desk look again, for instance whether its session still stands.
    pub fn wake_all(&self) {
        for watched in lock(&self.watched).values() {
            let _ = watched.wake.send(());
        }
    }

    /// The counts of an event now.
    pub async fn count(&self, store: &dyn Store, event: EventNo) -> Result<EventCount> {
        loop {
            let from = match lock(&self.watched).get(&event) {
                Some(watched) if watched.counted >= 0 => return Ok(watched.count.clone()),
                Some(_) | None => 0,
            };
            self.count_from(store, event, from).await?;
        }
    }

    /// What a desk that stands at `since` does not have; a fresh picture when it stands nowhere or
    /// too far back.
    pub async fn news(
        &self,
        store: &dyn Store,
        event: EventNo,
        since: Option<Position>,
    ) -> Result<News> {
        if let Some(since) = since {
            let scans = store.scans_after(event, since.scan, RESUME_SCANS_MAX).await?;
            if u32::try_from(scans.len()).unwrap_or(u32::MAX) < RESUME_SCANS_MAX {
                return self.picture(store, event, scans, since, false).await;
            }
        }
        let mut scans = store.scans_newest(event, PICTURE_SCANS).await?;
        scans.reverse();
        self.picture(store, event, scans, Position::default(), true).await
    }

    /// The time for rates.
    pub fn now(&self) -> UnixMs {
        (self.clock)()
    }

    async fn picture(
        &self,
        store: &dyn Store,
        event: EventNo,
        scans: Vec<ScanRecord>,
        since: Position,
        fresh: bool,
    ) -> Result<News> {
        self.count(store, event).await?;
        self.catch_up(store, event, scans.last().map_or(0, |scan| scan.seq)).await?;
        let all = lock(&self.watched);
        let known = all.get(&event);
        let count = known.map(|watched| watched.count.clone()).unwrap_or_default();
        // A restart begins the unread list anew: a desk that is ahead of it starts over.
        let newest = known.map_or(0, |watched| watched.unread_seq);
        let from = if since.unread > newest { 0 } else { since.unread };
        let unread: Vec<Unread> = known
            .map(|watched| watched.unread.iter().filter(|u| u.seq > from).copied().collect())
            .unwrap_or_default();
        let position =
            Position { scan: scans.last().map_or(since.scan, |scan| scan.seq), unread: newest };
        Ok(News { count, scans, unread, position, fresh })
    }

    /// Counts up to position `seq` now: a desk that is sent a scan must see it in the counts, even
    /// when the store's own message about it is still under way.
    async fn catch_up(&self, store: &dyn Store, event: EventNo, seq: i64) -> Result<()> {
        let counted = lock(&self.watched).get(&event).map_or(-1, |watched| watched.counted);
        if counted < 0 || counted >= seq {
            return Ok(());
        }
        let scans = store.scans_after(event, counted, RESUME_SCANS_MAX).await?;
        if let Some(watched) = lock(&self.watched).get_mut(&event) {
            for scan in &scans {
                watched.apply(scan);
            }
        }
        Ok(())
    }

    /// Counts an event from the store, then takes its place among the watched unless somebody else
    /// was quicker.
    async fn count_from(&self, store: &dyn Store, event: EventNo, from: i64) -> Result<()> {
        let mut count = EventCount::default();
        let mut counted = from;
        loop {
            let scans = store.scans_after(event, counted, COUNT_PAGE).await?;
            for scan in &scans {
                count.apply(scan.scan.at, Some(scan.scan.gate), scan.outcome);
                counted = scan.seq;
            }
            if scans.is_empty() && self.place(event, &count, counted) {
                return Ok(());
            }
        }
    }

    /// Puts a finished count in its place; not when scans were committed since it was read.
    fn place(&self, event: EventNo, count: &EventCount, counted: i64) -> bool {
        let mut all = lock(&self.watched);
        let watched = all.entry(event).or_insert_with(Watched::unknown);
        if watched.newest > counted {
            return false;
        }
        if watched.counted < 0 {
            watched.count = count.clone();
            for unread in &watched.unread {
                let outcome = Outcome::Refuse(unread.reason);
                watched.count.apply(unread.scan.at, Some(unread.scan.gate), outcome);
            }
            watched.counted = counted;
        }
        true
    }
}

impl Watched {
    /// Counts a scan, unless the event is not counted yet or the scan is counted already.
    fn apply(&mut self, scan: &ScanRecord) {
        if self.counted >= 0 && scan.seq > self.counted {
            self.count.apply(scan.scan.at, Some(scan.scan.gate), scan.outcome);
            self.counted = scan.seq;
        }
    }

    /// An event that was not counted yet.
    fn unknown() -> Self {
        let (wake, _) = broadcast::channel(WAKES_MAX);
        Self {
            count: EventCount::default(),
            counted: -1,
            newest: 0,
            unread: VecDeque::new(),
            unread_seq: 0,
            wake,
        }
    }
}

fn lock(
    watched: &Mutex<HashMap<EventNo, Watched>>,
) -> std::sync::MutexGuard<'_, HashMap<EventNo, Watched>> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}

fn follow(watched: &Mutex<HashMap<EventNo, Watched>>, scans: &[ScanRecord]) {
    let mut all = lock(watched);
    let mut woken = Vec::new();
    for scan in scans {
        let event = all.entry(scan.event).or_insert_with(Watched::unknown);
        event.newest = scan.seq;
        event.apply(scan);
        if !woken.contains(&scan.event) {
            woken.push(scan.event);
        }
    }
    for event in woken {
        if let Some(event) = all.get(&event) {
            let _ = event.wake.send(());
        }
    }
}

fn forget(watched: &Mutex<HashMap<EventNo, Watched>>) {
    for event in lock(watched).values_mut() {
        event.counted = -1;
        let _ = event.wake.send(());
    }
}
