//! Gates without the network over HTTP: their reports (seed 002's `sync_offline`), the download before
//! the doors open (seed 003), and the doubles that the desk sees.

use std::sync::Arc;

use admit_core::admission::Standing;
use admit_core::bloom::HASHES;
use admit_core::id::{Digest, GateNo, TypeNo, UnixMs};
use admit_core::offline::Bounds;
use admit_core::offline::journal::{
    ChainHash, JournalEntry, REPORT_BEARERS_MAX, REPORT_ENTRIES_MAX, scan_of,
};
use admit_core::offline::story::{Stage, Told};
use admit_core::offline::wire::{denied_text, short, short_text, word};
use admit_core::reason::Reason;
use admit_store::account::Device;
use admit_store::event::EventView;
use admit_store::offline::{Arrived, Contact, DeviceReport};
use axum::Json as Answer;
use axum::extract::{Query, State};
use data_encoding::{BASE64, HEXLOWER};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::device::{SetupKey, setup_keys};
use super::extract::{At, Desk, Gate, Json, event_at};
use super::problem::Problem;
use crate::book::Book;
use crate::error::Error;
use crate::{App, clock, offline};

/// Longest report, in bytes.
pub(super) const SYNC_BODY_BYTES_MAX: usize =
    REPORT_ENTRIES_MAX * 480 + REPORT_BEARERS_MAX * 460 + 64 * 1024;
/// Most notices, tickets or types that one report names.
const NAMED_MAX: usize = 5000;

/// What a device tells: seed 002's fields, and what makes it exact.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SyncOffline {
    /// What the device calls itself; only its credential counts.
    #[serde(default)]
    #[expect(dead_code, reason = "a field of the seed that says nothing new")]
    validator_id: Option<String>,
    accepted_tokens: Vec<OfflineEntry>,
    /// Up to which position the device knows the entries of others.
    #[serde(default)]
    after: i64,
    /// Conflicts that staff have seen, by id.
    #[serde(default)]
    shown: Vec<u64>,
    /// Tickets whose lease is given back: 16 hex digits each.
    #[serde(default)]
    returned: Vec<String>,
    /// Ticket types whose lease is given back.
    #[serde(default)]
    returned_types: Vec<u8>,
    /// How many entries wait on the device.
    #[serde(default)]
    pending: Option<u32>,
    /// Whether its browser promised to keep what it stores.
    #[serde(default)]
    persisted: Option<bool>,
    /// Percent.
    #[serde(default)]
    battery: Option<u8>,
    /// Codes of the anonymous tickets that these entries are about: they are on no books before.
    #[serde(default)]
    bearer_codes: Vec<String>,
}

/// One entry of a device's journal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OfflineEntry {
    /// The ticket's digest, hexadecimal.
    token_hash: String,
    /// When, RFC 3339; instead of `low_ms` and `high_ms`.
    #[serde(default)]
    t: Option<String>,
    /// The device's own name of the scan.
    local_id: String,
    /// Number in the device's journal, from 1; absent when it keeps none.
    #[serde(default)]
    sequence: Option<u64>,
    /// Number of the gate; absent for the one the device was set up for.
    #[serde(default)]
    gate: Option<u16>,
    /// `done` (somebody was let in; the default), `void` or `refused`.
    #[serde(default)]
    word: Option<String>,
    /// Why it was refused.
    #[serde(default)]
    reason: Option<String>,
    /// Not before, Unix ms by the server's clock.
    #[serde(default)]
    low_ms: Option<i64>,
    /// Not after; null when the device lost its clock.
    #[serde(default)]
    high_ms: Option<i64>,
    /// SHA-256 of the journal up to here, hexadecimal.
    #[serde(default)]
    hash: Option<String>,
}

/// What came of a report, and what the device needs to know.
#[derive(Serialize, ToSchema)]
pub(super) struct SyncAnswer {
    /// Sequence numbers that are durable here.
    acknowledged: Vec<u64>,
    stored: u32,
    duplicates: u32,
    /// Entries about tickets that were never issued here.
    refused: Vec<RefusedOffline>,
    /// Sequence numbers under which something else was told before, or whose hash does not fit.
    altered: Vec<u64>,
    /// Sequence numbers before which entries are missing.
    missing: Vec<u64>,
    /// Doubles that this report brought to light.
    conflicts: Vec<OfflineConflict>,
    /// Doubles that this device has a part in and has not shown.
    notices: Vec<OfflineConflict>,
    spent: SpentChanges,
    /// Tickets that are no longer good: 16 hex digits, a colon, and why.
    denied: Vec<String>,
    /// Tickets whose lease is asked for.
    recalled: Vec<String>,
    recalled_types: Vec<u8>,
    server_time_ms: i64,
}

/// An entry about a ticket that is not on the books.
#[derive(Serialize, ToSchema)]
pub(super) struct RefusedOffline {
    sequence: u64,
    local_id: String,
    /// `unknown`.
    reason: &'static str,
}

/// Entries at other gates.
#[derive(Serialize, ToSchema)]
pub(super) struct SpentChanges {
    /// After this position,
    from: i64,
    /// up to this one.
    next: i64,
    /// Whether there is more.
    more: bool,
    /// Base64 of nine bytes each: the first eight of a digest, and +1 or -1.
    changes: String,
}

/// A ticket with which more people entered than it was good for.
#[derive(Serialize, ToSchema)]
pub(super) struct OfflineConflict {
    /// Names the conflict: its leaf in the audit log.
    id: u64,
    ticket: String,
    token_hash: String,
    type_name: String,
    /// The entry that counts: the earliest for certain.
    first: Side,
    /// The other.
    second: Side,
    /// Which of them is this device's: `first`, `second`, `both`, or null.
    mine: Option<&'static str>,
    apart_ms: u64,
    /// Whether the order is certain, or the two may have been the other way round.
    order_certain: bool,
    /// Nobody can have been at both gates in that time: somebody else had a copy.
    fraud: bool,
    /// When the entry too many was made.
    at: String,
}

/// One side of a conflict.
#[derive(Serialize, ToSchema)]
pub(super) struct Side {
    device: i64,
    device_name: String,
    gate: u16,
    gate_name: String,
    at: String,
    /// Not before.
    from: String,
    /// Not after.
    to: String,
    local_id: String,
}

/// A conflict with the ticket's whole story.
#[derive(Serialize, ToSchema)]
pub(super) struct ForensicConflict {
    #[serde(flatten)]
    conflict: OfflineConflict,
    /// Every entry, the earliest for certain first; then claims that nobody confirmed and entries
    /// that were taken back.
    entries: Vec<ForensicEntry>,
    /// Metres between the two gates; null when one does not say where it is.
    distance_m: Option<f64>,
}

/// One entry of the story.
#[derive(Serialize, ToSchema)]
pub(super) struct ForensicEntry {
    #[serde(flatten)]
    side: Side,
    r#use: u32,
    /// `done`, `claimed` or `void`.
    stage: &'static str,
}

/// The conflicts of an event.
#[derive(Serialize, ToSchema)]
pub(super) struct ForensicConflicts {
    conflicts: Vec<ForensicConflict>,
}

/// A filter of the tickets that have entered (seed 002).
#[derive(Serialize, ToSchema)]
pub(super) struct BloomAnswer {
    /// Base64; the lowest bit of each byte first.
    filter: String,
    bits: u64,
    hashes: u64,
    /// Tickets in it.
    entries: usize,
    bytes: usize,
    made_at: String,
    /// When to ask again.
    valid_until: String,
}

/// Where a page of the download begins.
#[derive(Deserialize, IntoParams)]
pub(super) struct DownloadQuery {
    /// `next` of the page before.
    after: Option<u32>,
}

/// Tickets for a gate to keep.
#[derive(Serialize, ToSchema)]
pub(super) struct DownloadPage {
    event: u32,
    made_at: String,
    total: u64,
    /// Where the next page begins; null on the last.
    next: Option<u32>,
    tickets: Vec<DownloadTicket>,
    keys: Vec<SetupKey>,
}

/// One ticket.
#[derive(Serialize, ToSchema)]
pub(super) struct DownloadTicket {
    id: String,
    token_hash: String,
    r#type: u8,
    /// `issued`, `used`, `revoked` or `transferred`.
    state: &'static str,
    /// The holder's name, locked by the ticket itself (base64); only where the event shows names at
    /// gates.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

fn wrong(name: &'static str, why: &str) -> Error {
    Error::field(name, why)
}

fn hex<const N: usize>(name: &'static str, text: &str) -> Result<[u8; N], Error> {
    let bytes = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| wrong(name, &format!("Use {} hex digits.", N * 2)))
}

impl OfflineEntry {
    fn read(&self, device: &Device) -> Result<Arrived, Error> {
        let bounds = match (self.low_ms, self.t.as_deref()) {
            (Some(low), _) => Bounds { low: UnixMs(low), high: self.high_ms.map(UnixMs) },
            (None, Some(text)) => {
                let at = clock::parse_rfc3339(text);
                Bounds::exact(at.ok_or_else(|| wrong("t", "Use RFC 3339."))?)
            }
            (None, None) => return Err(wrong("t", "Say when: t, or low_ms and high_ms.")),
        };
        let said = word(self.word.as_deref().unwrap_or("done"), self.reason.as_deref());
        let gate = self.gate.map(GateNo).or(device.gate);
        let entry = JournalEntry {
            sequence: self.sequence.unwrap_or(0),
            scan: scan_of(device.number, &self.local_id),
            digest: Digest(hex("token_hash", &self.token_hash)?),
            gate: gate.ok_or_else(|| wrong("gate", "This device stands at no fixed gate."))?,
            word: said.ok_or_else(|| wrong("word", "Use done, void, or refused with a reason."))?,
            bounds,
        };
        let hash = self.hash.as_deref().map(|text| hex("hash", text).map(ChainHash)).transpose()?;
        if hash.is_some() != self.sequence.is_some_and(|sequence| sequence > 0) {
            return Err(wrong("hash", "A journal has both sequence (from 1) and hash."));
        }
        Ok(Arrived { entry, hash })
    }
}

impl SyncOffline {
    fn read(&self, app: &App, device: &Device) -> Result<Contact, Error> {
        if self.accepted_tokens.len() > REPORT_ENTRIES_MAX {
            let why = format!("At most {REPORT_ENTRIES_MAX} entries at a time.");
            return Err(wrong("accepted_tokens", &why));
        }
        if [self.shown.len(), self.returned.len(), self.returned_types.len()]
            .iter()
            .any(|count| *count > NAMED_MAX)
        {
            return Err(wrong("shown", &format!("At most {NAMED_MAX} names at a time.")));
        }
        if self.bearer_codes.len() > REPORT_BEARERS_MAX {
            let why = format!("At most {REPORT_BEARERS_MAX} codes at a time.");
            return Err(wrong("bearer_codes", &why));
        }
        let returned = self
            .returned
            .iter()
            .map(|text| short(text).ok_or_else(|| wrong("returned", "Use 16 hex digits each.")));
        Ok(Contact {
            bearers: offline::bearers(app, device.event, &self.bearer_codes),
            entries: self
                .accepted_tokens
                .iter()
                .map(|entry| entry.read(device))
                .collect::<Result<_, _>>()?,
            shown: self.shown.clone(),
            returned: returned.collect::<Result<_, _>>()?,
            returned_types: self.returned_types.iter().copied().map(TypeNo).collect(),
            state: DeviceReport {
                pending: self.pending.unwrap_or(0),
                persisted: self.persisted,
                battery: self.battery.map(|percent| percent.min(100)),
                cursor: self.after,
            },
        })
    }
}

#[utoipa::path(post, path = "/v1/sync_offline", tag = "gate", operation_id = "sync_offline",
    request_body = SyncOffline,
    responses((status = 200, body = SyncAnswer), (status = 401, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem, description = "No answer: repeat the same")))]
/// Takes in what a device did by itself, and tells it what it needs to know. As often as one likes:
/// everything is known by its name.
pub(super) async fn sync(
    State(app): State<Arc<App>>,
    Gate(device): Gate,
    Json(input): Json<SyncOffline>,
) -> Result<Answer<SyncAnswer>, Problem> {
    let contact = input.read(&app, &device)?;
    let answer = offline::sync(&app, &device, contact, input.after).await?;
    let book = app.books.now();
    let view = book.events.get(&device.event).ok_or(Error::NotFound("event"))?;
    let conflict = |story| OfflineConflict::of(&book, view, story, Some(&device));
    Ok(Answer(SyncAnswer {
        refused: answer
            .synced
            .unknown
            .iter()
            .map(|entry| RefusedOffline {
                sequence: entry.sequence,
                local_id: entry.scan.to_string(),
                reason: Reason::Unknown.code(),
            })
            .collect(),
        conflicts: answer.conflicts.iter().map(conflict).collect(),
        notices: answer.notices.iter().map(conflict).collect(),
        acknowledged: answer.synced.acknowledged,
        stored: answer.synced.stored,
        duplicates: answer.synced.duplicates,
        altered: answer.synced.altered,
        missing: answer.synced.missing,
        spent: SpentChanges {
            from: input.after,
            next: answer.elsewhere.next,
            more: answer.elsewhere.more,
            changes: BASE64.encode(&answer.elsewhere.changes),
        },
        denied: answer.withdrawn.iter().map(denied_text).collect(),
        recalled: answer.recalled.iter().map(|ticket| short_text(*ticket)).collect(),
        recalled_types: answer.recalled_types.iter().map(|kind| kind.0).collect(),
        server_time_ms: app.now().0,
    }))
}

impl Side {
    fn of(book: &Book, view: &EventView, told: &Told) -> Self {
        let entry = &told.entry;
        Self {
            device: entry.device.0,
            device_name: book.device_name(entry.device.0).to_owned(),
            gate: entry.gate.0,
            gate_name: book.gate_name(view.event.number, entry.gate).to_owned(),
            at: clock::rfc3339(entry.at),
            from: clock::rfc3339(told.bounds.low),
            to: clock::rfc3339(told.bounds.high.unwrap_or(entry.at)),
            local_id: entry.scan.to_string(),
        }
    }
}

impl OfflineConflict {
    fn of(book: &Book, view: &EventView, story: &offline::Story, asker: Option<&Device>) -> Self {
        let [first, second] = &story.sides;
        let is_mine = |told: &Told| asker.is_some_and(|device| device.number == told.entry.device);
        Self {
            id: story.conflict.leaf,
            ticket: story.conflict.ticket.to_string(),
            token_hash: story.conflict.digest.to_string(),
            type_name: book.type_name(view.event.number, story.type_no).to_owned(),
            first: Side::of(book, view, first),
            second: Side::of(book, view, second),
            mine: match (is_mine(first), is_mine(second)) {
                (true, true) => Some("both"),
                (true, false) => Some("first"),
                (false, true) => Some("second"),
                (false, false) => None,
            },
            apart_ms: story.apart_ms(),
            order_certain: story.order_certain(),
            fraud: story.is_fraud(view),
            at: clock::rfc3339(second.entry.at),
        }
    }
}

#[utoipa::path(get, path = "/v1/desk/events/{event}/conflicts", tag = "desk", operation_id = "list_conflicts",
    params(("event" = String, Path, description = "Slug")),
    responses((status = 200, body = ForensicConflicts), (status = 404, body = Problem)))]
/// Tickets with which more people entered than they were good for, the newest first, each with its
/// whole story.
pub(super) async fn conflicts(
    State(app): State<Arc<App>>,
    _: Desk,
    At(slug): At<String>,
) -> Result<Answer<ForensicConflicts>, Problem> {
    let view = event_at(&app, &slug)?;
    let stories = offline::conflicts(&app, view.event.number).await?;
    let book = app.books.now();
    let forensic = |story: &offline::Story| ForensicConflict {
        conflict: OfflineConflict::of(&book, &view, story, None),
        entries: story
            .entries
            .iter()
            .map(|told| ForensicEntry {
                side: Side::of(&book, &view, told),
                r#use: told.use_no,
                stage: match told.stage {
                    Stage::Done => "done",
                    Stage::Claimed => "claimed",
                    Stage::Void | Stage::Refused => "void",
                },
            })
            .collect(),
        distance_m: story.apart_m(&view),
    };
    Ok(Answer(ForensicConflicts { conflicts: stories.iter().map(forensic).collect() }))
}

#[utoipa::path(get, path = "/v1/gate/download", tag = "gate", operation_id = "gate_download",
    params(DownloadQuery), responses((status = 200, body = DownloadPage), (status = 401, body = Problem)))]
/// The event's tickets for a gate to keep before the doors open: numbers, states and public keys. No
/// name can be read without its ticket.
pub(super) async fn download(
    State(app): State<Arc<App>>,
    Gate(device): Gate,
    Query(query): Query<DownloadQuery>,
) -> Result<Answer<DownloadPage>, Problem> {
    let page = offline::download(&app, device.event, query.after).await?;
    let tickets = page.tickets.into_iter().map(|(ticket, name)| DownloadTicket {
        id: ticket.grant.ticket.to_string(),
        token_hash: ticket.grant.digest().to_string(),
        r#type: ticket.grant.type_no.0,
        state: match ticket.history.standing {
            Standing::Issued if ticket.history.uses > 0 => "used",
            standing => standing.code(),
        },
        name: name.map(|locked| BASE64.encode(&locked)),
    });
    Ok(Answer(DownloadPage {
        event: device.event.0,
        made_at: clock::rfc3339(app.now()),
        total: page.total,
        next: page.next,
        tickets: tickets.collect(),
        keys: setup_keys(&app.books.now(), device.event),
    }))
}

#[utoipa::path(get, path = "/v1/bloom", tag = "gate", operation_id = "bloom",
    responses((status = 200, body = BloomAnswer), (status = 401, body = Problem)))]
/// A filter of the tickets that have entered, for validators that keep nothing exact: what it does not
/// hold is not spent, what it holds is to be asked about. How to look: `docs/formats/offline.md`.
pub(super) async fn bloom(
    State(app): State<Arc<App>>,
    Gate(device): Gate,
) -> Result<Answer<BloomAnswer>, Problem> {
    let (bloom, entries) = offline::bloom(&app, device.event).await?;
    let now = app.now();
    Ok(Answer(BloomAnswer {
        filter: BASE64.encode(bloom.bytes()),
        bits: bloom.bits(),
        hashes: HASHES,
        entries,
        bytes: bloom.bytes().len(),
        made_at: clock::rfc3339(now),
        valid_until: clock::rfc3339(now.plus(offline::BLOOM_VALID_MS)),
    }))
}
