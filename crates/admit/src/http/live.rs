//! The live feed over HTTP: counts, and server-sent events (WHATWG HTML, section 9.2) with resume.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use admit_core::id::{EventNo, UnixMs};
use admit_core::stats::{EventCount, Outcome};
use admit_store::admission::ScanRecord;
use axum::Json as Answer;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use serde::Serialize;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use utoipa::ToSchema;

use super::extract::{At, Desk, event_at};
use super::problem::Problem;
use crate::book::Book;
use crate::error::Error;
use crate::live::{Frame, News, Position, Unread};
use crate::session::Staff;
use crate::{App, clock};

/// How soon a feed that the store held up is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// Shortest time between two messages to one desk: news in between is sent together.
const MESSAGE_EVERY: Duration = Duration::from_millis(200);
/// Longest silence: rates change by time alone, and sessions end.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// How often a desk's session is asked for: a stream ends within this time after signing out.
const ASK_SESSION_EVERY: Duration = Duration::from_secs(1);

/// The counts of an event.
#[derive(Serialize, ToSchema)]
pub(super) struct Stats {
    capacity: u32,
    issued: u32,
    /// Tickets with at least one entry that counts.
    admitted: u64,
    /// Entries that count.
    entries: u64,
    /// People who were scanned out.
    exits: u64,
    /// Entries less exits.
    inside: u64,
    refused: u64,
    /// Entries in the last 60 seconds.
    rate_per_minute: u32,
    gates: Vec<GateStats>,
    /// Entries by minute, the last 180 minutes that had any.
    arrivals: Vec<Arrivals>,
    /// Refusals by reason.
    refusals: BTreeMap<String, u64>,
    as_of: String,
}

/// The counts of one gate.
#[derive(Serialize, ToSchema)]
pub(super) struct GateStats {
    gate: u16,
    name: String,
    admitted: u64,
    refused: u64,
    rate_per_minute: u32,
}

/// Entries of one minute.
#[derive(Serialize, ToSchema)]
pub(super) struct Arrivals {
    minute: String,
    count: u32,
}

/// One scan, as staff see it.
#[derive(Serialize, ToSchema)]
pub(super) struct Scan {
    /// Position among all scans; null for codes that were refused unread.
    seq: Option<i64>,
    at: String,
    /// `admit`, `refuse`, `undo` or `exit`.
    verdict: String,
    reason: Option<String>,
    /// A sentence for staff.
    message: String,
    gate: u16,
    gate_name: String,
    device_name: String,
    ticket_number: Option<String>,
    ticket_type: Option<String>,
    r#use: Option<u32>,
    max_uses: Option<u8>,
}

/// A message of the feed.
#[derive(Serialize, ToSchema)]
pub(super) struct Feed {
    stats: Stats,
    /// Newest first in a `snapshot`, oldest first in `scans`.
    scans: Vec<Scan>,
}

impl Stats {
    async fn of(app: &App, event: EventNo, count: &EventCount) -> Result<Self, Error> {
        let book = app.books.now();
        let slug = book.events.get(&event).map(|view| view.event.details.slug.clone());
        let view = app.store.event(&slug.unwrap_or_default()).await?;
        let view = view.ok_or(Error::NotFound("event"))?;
        let now = app.live.now();
        let gates = view.gates.iter().map(|gate| {
            let count = count.gates.get(&gate.number).cloned().unwrap_or_default();
            GateStats {
                gate: gate.number.0,
                name: gate.name.clone(),
                admitted: count.admitted,
                refused: count.refused,
                rate_per_minute: count.rate_per_minute(now),
            }
        });
        let arrivals = count.arrivals.iter().map(|(minute, entries)| Arrivals {
            minute: clock::rfc3339(UnixMs(*minute)),
            count: *entries,
        });
        Ok(Self {
            capacity: view.types.iter().map(|kind| kind.details.quota).sum(),
            issued: view.types.iter().map(|kind| kind.issued).sum(),
            admitted: count.admitted,
            entries: count.entries,
            exits: count.exits,
            inside: count.inside(),
            refused: count.refused,
            rate_per_minute: count.rate_per_minute(now),
            gates: gates.collect(),
            arrivals: arrivals.collect(),
            refusals: count.refusals.iter().map(|(r, n)| (r.code().to_owned(), *n)).collect(),
            as_of: clock::rfc3339(now),
        })
    }
}

impl Scan {
    pub(super) fn of(book: &Book, record: &ScanRecord) -> Self {
        let (verdict, reason, message, used) = match record.outcome {
            Outcome::Admit { use_no } => ("admit", None, "Admitted.", Some(use_no)),
            Outcome::Refuse(reason) => ("refuse", Some(reason.code()), reason.message(), None),
            Outcome::Undo { use_no } => ("undo", None, "Entry taken back.", Some(use_no)),
            Outcome::Exit { use_no } => ("exit", None, "Left.", Some(use_no)),
        };
        Self {
            seq: Some(record.seq),
            at: clock::rfc3339(record.scan.at),
            verdict: verdict.to_owned(),
            reason: reason.map(str::to_owned),
            message: message.to_owned(),
            gate: record.scan.gate.0,
            gate_name: book.gate_name(record.event, record.scan.gate).to_owned(),
            device_name: book.device_name(record.scan.device.0).to_owned(),
            ticket_number: Some(record.ticket.to_string()),
            ticket_type: Some(book.type_name(record.event, record.type_no).to_owned()),
            r#use: used,
            max_uses: Some(record.max_uses),
        }
    }

    fn of_unread(book: &Book, event: EventNo, unread: &Unread) -> Self {
        Self {
            seq: None,
            at: clock::rfc3339(unread.scan.at),
            verdict: "refuse".to_owned(),
            reason: Some(unread.reason.code().to_owned()),
            message: unread.reason.message().to_owned(),
            gate: unread.scan.gate.0,
            gate_name: book.gate_name(event, unread.scan.gate).to_owned(),
            device_name: book.device_name(unread.scan.device.0).to_owned(),
            ticket_number: None,
            ticket_type: None,
            r#use: None,
            max_uses: None,
        }
    }
}

#[utoipa::path(get, path = "/v1/desk/events/{event}/stats", tag = "desk", operation_id = "show_stats",
    params(("event" = String, Path, description = "Slug")), responses((status = 200, body = Stats)))]
/// The counts of an event now.
pub(super) async fn stats(
    State(app): State<Arc<App>>,
    _: Desk,
    At(slug): At<String>,
) -> Result<Answer<Stats>, Problem> {
    let event = event_at(&app, &slug)?.event.number;
    let count = app.live.count(app.store.as_ref(), event).await?;
    Ok(Answer(Stats::of(&app, event, &count).await?))
}

#[utoipa::path(get, path = "/v1/desk/events/{event}/live", tag = "desk", operation_id = "watch_event",
    params(("event" = String, Path, description = "Slug"),
        ("Last-Event-ID" = Option<String>, Header, description = "Where to go on")),
    responses((status = 200, content_type = "text/event-stream", body = Feed,
        description = "`snapshot` first, then `scans`: every scan since the last message")))]
/// The counts and scans of an event as they happen.
pub(super) async fn live(
    State(app): State<Arc<App>>,
    Desk(staff): Desk,
    At(slug): At<String>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let event = event_at(&app, &slug)?.event.number;
    let since =
        headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(read_position);
    let (frames, unfilled) = app.live.frames(event);
    if let Some(sender) = unfilled {
        let app = Arc::clone(&app);
        tokio::spawn(async move {
            // A store that is away comes back; desks that missed a frame catch up by themselves.
            while let Err(error) = fill(&app, event, &sender).await {
                tracing::warn!(%error, "the frames of an event are held up");
                tokio::time::sleep(RETRY_EVERY).await;
                if app.live.end_frames(event) {
                    break;
                }
            }
        });
    }
    let (sender, receiver) = mpsc::channel(2);
    tokio::spawn(async move {
        let desk = Watcher { app, event, staff, sender };
        if let Err(error) = desk.run(frames, since).await {
            tracing::warn!(%error, "a live feed ended");
        }
    });
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    Ok(Sse::new(ReceiverStream::new(receiver)).keep_alive(keep_alive))
}

/// Writes the frames of an event for as long as a desk receives them: once for all desks, so that a
/// hundred of them cost little more than one.
async fn fill(app: &App, event: EventNo, sender: &broadcast::Sender<Frame>) -> Result<(), Error> {
    let mut wake = app.live.wake(app.store.as_ref(), event).await?;
    let mut from = app.live.news(app.store.as_ref(), event, None).await?.position;
    while !app.live.end_frames(event) {
        tokio::select! {
            // However many wake-ups were missed, what matters is that there is news.
            _ = wake.recv() => {}
            () = tokio::time::sleep(SILENCE_MAX) => {}
        }
        let news = app.live.news(app.store.as_ref(), event, Some(from)).await?;
        let to = news.position;
        // After a rush that is too long for one message every desk catches up by itself.
        if !news.fresh {
            let text = feed(app, event, &news).await?.into();
            // Nobody receiving is found out above.
            let _ = sender.send(Frame { from, to, text });
        }
        from = to;
        tokio::time::sleep(MESSAGE_EVERY).await;
    }
    Ok(())
}

/// One desk that watches.
struct Watcher {
    app: Arc<App>,
    event: EventNo,
    staff: Staff,
    sender: mpsc::Sender<Result<Message, Infallible>>,
}

impl Watcher {
    async fn run(
        &self,
        mut frames: broadcast::Receiver<Frame>,
        since: Option<Position>,
    ) -> Result<(), Error> {
        let mut position = self.catch_up(since).await?;
        let mut asked = tokio::time::Instant::now();
        loop {
            let frame = tokio::select! {
                frame = frames.recv() => frame,
                () = self.sender.closed() => return Ok(()),
            };
            if asked.elapsed() >= ASK_SESSION_EVERY {
                asked = tokio::time::Instant::now();
                if !self.still_signed_in().await? {
                    return Ok(());
                }
            }
            position = match frame {
                Ok(frame) if frame.from == position => {
                    self.send("scans", frame.to, &frame.text).await?;
                    frame.to
                }
                // It was in what this desk caught up with.
                Ok(frame)
                    if frame.to.scan <= position.scan && frame.to.unread <= position.unread =>
                {
                    position
                }
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {
                    self.catch_up(Some(position)).await?
                }
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            };
        }
    }

    /// Sends what happened after a position, or a fresh picture; where the desk then stands.
    async fn catch_up(&self, since: Option<Position>) -> Result<Position, Error> {
        let news = self.app.live.news(self.app.store.as_ref(), self.event, since).await?;
        let name = if news.fresh { "snapshot" } else { "scans" };
        let text = feed(&self.app, self.event, &news).await?;
        self.send(name, news.position, &text).await?;
        Ok(news.position)
    }

    async fn send(&self, name: &str, to: Position, text: &str) -> Result<(), Error> {
        let id = format!("{}.{}", to.scan, to.unread);
        let message = Message::default().event(name).id(id).data(text);
        // A desk that went away is noticed by whoever sends next.
        let _ = self.sender.send(Ok(message)).await;
        Ok(())
    }

    async fn still_signed_in(&self) -> Result<bool, Error> {
        let Some(session) = &self.staff.session else { return Ok(true) };
        Ok(self.app.store.session(session.secret, self.app.now()).await?.is_some())
    }
}

/// The JSON of a message.
async fn feed(app: &App, event: EventNo, news: &News) -> Result<String, Error> {
    let book = app.books.now();
    let mut scans: Vec<Scan> = news.scans.iter().map(|scan| Scan::of(&book, scan)).collect();
    scans.extend(news.unread.iter().map(|unread| Scan::of_unread(&book, event, unread)));
    scans.sort_by(|a, b| a.at.cmp(&b.at));
    if news.fresh {
        scans.reverse();
    }
    let stats = Stats::of(app, event, &news.count).await?;
    serde_json::to_string(&Feed { stats, scans }).map_err(Error::internal)
}

fn read_position(id: &str) -> Option<Position> {
    let (scan, unread) = id.split_once('.')?;
    Some(Position { scan: scan.parse().ok()?, unread: unread.parse().ok()? })
}
