//! Devices over HTTP: pairing codes, pairing, removal, and what a gate is given to judge by.

use std::sync::Arc;

use admit_core::admission::EVENT_GRACE_MS;
use admit_core::id::{DeviceNo, EventNo, GateNo};
use admit_core::log::note::Verifier;
use admit_core::privacy_pass::challenge_digest;
use admit_core::spent::signer_name;
use admit_core::ticket::anonymous::IssuerTerms;
use admit_store::account::Device as StoredDevice;
use admit_store::anonymous::Issuer;
use admit_store::offline::DeviceState;
use admit_store::pass::days;
use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::extract::{At, Desk, From, Gate, Json, event_at};
use super::gate::Gate as GateView;
use super::pass::PassRules;
use super::problem::Problem;
use crate::book::{Book, Signer};
use crate::error::Error;
use crate::qr::{self, Level, Symbol};
use crate::{App, anonymous, clock, device, offline};

/// Days that a gate is told of: it may be without a network for as long.
const SETUP_DAYS: u16 = 16;

/// A device to be paired.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PairingInput {
    device_name: String,
    /// The gate it stands at, if it is fixed.
    gate: Option<u16>,
}

/// A pairing code for a device to scan or type.
#[derive(Serialize, ToSchema)]
pub(super) struct Pairing {
    code: String,
    expires_at: String,
    /// Opens the gate app and pairs it.
    url: String,
    /// `url` as a QR picture.
    svg: String,
}

/// A list of devices.
#[derive(Serialize, ToSchema)]
pub(super) struct Devices {
    devices: Vec<Device>,
}

/// A device as staff see it.
#[derive(Serialize, ToSchema)]
pub(super) struct Device {
    id: i64,
    name: String,
    platform: String,
    gate: Option<u16>,
    paired_at: String,
    revoked_at: Option<String>,
    /// How it was at its last contact; null before the first.
    state: Option<DeviceCondition>,
    /// Admissions that it has not confirmed.
    unconfirmed: u32,
}

/// What a device said of itself at its last contact.
#[derive(Serialize, ToSchema)]
pub(super) struct DeviceCondition {
    last_sync_at: String,
    /// Entries that waited on it.
    pending: u32,
    /// Whether its browser promised to keep what it stores.
    persisted: Option<bool>,
    /// Percent.
    battery: Option<u8>,
}

/// What a device says to be paired.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PairInput {
    /// As shown at the desk; case and dashes do not matter.
    code: String,
    /// What the device is, for people.
    platform: String,
    /// The Ed25519 public key that it signs its lists of spent tickets with: 32 bytes in base64url.
    #[serde(default)]
    public_key: Option<String>,
}

/// A paired device's credential, told this once.
#[derive(Serialize, ToSchema)]
pub(super) struct Paired {
    device_id: i64,
    token: String,
    gate: Option<u16>,
}

/// What a gate needs to know.
#[derive(Serialize, ToSchema)]
pub(super) struct GateSetup {
    device: SetupDevice,
    event: SetupEvent,
    gates: Vec<GateView>,
    ticket_types: Vec<SetupType>,
    /// The days from yesterday on, where the event is: what passes are judged by.
    days: Vec<SetupDay>,
    keys: Vec<SetupKey>,
    /// Keys of anonymous tickets that are good within the next two weeks.
    issuer_keys: Vec<SetupIssuer>,
    /// Devices whose lists of spent tickets can be checked.
    peers: Vec<Peer>,
    /// The server's clock, for the device to learn how far its own is off.
    server_time: String,
}

/// A ticket type as a gate needs it.
#[derive(Serialize, ToSchema)]
pub(super) struct SetupType {
    number: u8,
    name: String,
    /// What gates may do without the server: `any`, `lease` or `refuse`.
    offline: &'static str,
    /// From which position of the event's record on this device holds the lease; null when it does
    /// not.
    lease_since: Option<i64>,
    /// How its tickets may enter again.
    pass: PassRules,
}

/// A device that signs what it tells other gates.
#[derive(Serialize, ToSchema)]
pub(super) struct Peer {
    device: i64,
    name: String,
    /// What checks its signature (C2SP signed note).
    vkey: String,
}

/// The device that asks.
#[derive(Serialize, ToSchema)]
pub(super) struct SetupDevice {
    id: i64,
    name: String,
    gate: Option<u16>,
}

/// The event a device scans for.
#[derive(Serialize, ToSchema)]
pub(super) struct SetupEvent {
    number: u32,
    slug: String,
    name: String,
    venue: String,
    time_zone: String,
    doors_at: Option<String>,
    starts_at: String,
    ends_at: String,
    show_name_at_gate: bool,
    /// From when on no ticket admits, Unix ms.
    closes_at_ms: i64,
    /// Longest time without the server after which this gate still admits, in hours.
    offline_hours: u16,
    /// How long this gate waits for an answer before it judges by itself.
    offline_after_ms: u32,
}

/// A day where the event is.
#[derive(Serialize, ToSchema)]
pub(super) struct SetupDay {
    /// When it begins, Unix ms.
    day_from_ms: i64,
    /// When a month that ends with it begins.
    month_from_ms: i64,
}

/// A key that tickets are checked with.
#[derive(Serialize, ToSchema)]
pub(super) struct SetupKey {
    key_id: u8,
    /// `ed25519` or `hs256`.
    algorithm: String,
    /// Base64url; null for `hs256`, which only the server checks.
    public_key: Option<String>,
    not_after: Option<String>,
    not_after_ms: Option<i64>,
}

/// A key of anonymous tickets, with what they are good for.
#[derive(Serialize, ToSchema)]
pub(super) struct SetupIssuer {
    /// `SubjectPublicKeyInfo`, base64url.
    public_key: String,
    /// SHA-256 of the challenge that its tokens answer, hexadecimal.
    challenge_digest: String,
    type_number: u8,
    /// Unix seconds; 0 for no bound.
    not_before_s: u32,
    /// Unix seconds.
    expires_s: u32,
    max_uses: u8,
    /// One bit a gate; 0 for any.
    gates: u16,
}

impl Device {
    fn of(device: &StoredDevice, states: &[DeviceState], claims: &[(DeviceNo, u32)]) -> Self {
        let state = states.iter().find(|state| state.device == device.number);
        let claims = claims.iter().find(|(claimant, _)| *claimant == device.number);
        Self {
            state: state.map(|state| DeviceCondition {
                last_sync_at: clock::rfc3339(state.synced_at),
                pending: state.report.pending,
                persisted: state.report.persisted,
                battery: state.report.battery,
            }),
            unconfirmed: claims.map_or(0, |(_, count)| *count),
            id: device.number.0,
            name: device.name.clone(),
            platform: device.platform.clone(),
            gate: device.gate.map(|gate| gate.0),
            paired_at: clock::rfc3339(device.paired_at),
            revoked_at: device.revoked_at.map(clock::rfc3339),
        }
    }
}

#[utoipa::path(post, path = "/v1/desk/events/{event}/pairings", tag = "desk",
    operation_id = "create_pairing", params(("event" = String, Path, description = "Slug")),
    request_body = PairingInput, responses((status = 201, body = Pairing), (status = 422, body = Problem)))]
/// Makes a one-time code that turns a phone or laptop into a scanner.
pub(super) async fn invite(
    State(app): State<Arc<App>>,
    desk: Desk,
    At(slug): At<String>,
    Json(input): Json<PairingInput>,
) -> Result<(StatusCode, Answer<Pairing>), Problem> {
    desk.organiser()?;
    let view = event_at(&app, &slug)?;
    let gate = input.gate.map(GateNo);
    if gate.is_some_and(|gate| !view.gates.iter().any(|known| known.number == gate)) {
        return Err(Error::field("gate", "There is no gate of this number.").into());
    }
    let made = device::invite(&app, view.event.number, input.device_name, gate).await?;
    let symbol = Symbol::new(&made.url, Level::Medium).map_err(Error::internal)?;
    let pairing = Pairing {
        svg: qr::to_svg(&symbol, "Pairing code"),
        expires_at: clock::rfc3339(made.expires_at),
        code: made.code,
        url: made.url,
    };
    Ok((StatusCode::CREATED, Answer(pairing)))
}

#[utoipa::path(get, path = "/v1/desk/events/{event}/devices", tag = "desk",
    operation_id = "list_devices", params(("event" = String, Path, description = "Slug")),
    responses((status = 200, body = Devices)))]
/// The devices of an event, removed ones included.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    _: Desk,
    At(slug): At<String>,
) -> Result<Answer<Devices>, Problem> {
    let event = event_at(&app, &slug)?.event.number;
    let all = app.store.devices().await.map_err(Error::from)?;
    let states = app.store.device_states(event).await.map_err(Error::from)?;
    let claims = app.store.unconfirmed(event).await.map_err(Error::from)?;
    let own = all.iter().filter(|device| device.event == event);
    let devices = own.map(|device| Device::of(device, &states, &claims)).collect();
    Ok(Answer(Devices { devices }))
}

#[utoipa::path(delete, path = "/v1/desk/events/{event}/devices/{device}", tag = "desk",
    operation_id = "revoke_device",
    params(("event" = String, Path, description = "Slug"), ("device" = i64, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
/// Removes a device at once.
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    desk: Desk,
    At((slug, number)): At<(String, i64)>,
) -> Result<StatusCode, Problem> {
    desk.organiser()?;
    let event = event_at(&app, &slug)?.event.number;
    device::revoke(&app, event, DeviceNo(number)).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn public_key(text: &str) -> Result<[u8; 32], Error> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok();
    let wrong = || Error::field("public_key", "Use 32 bytes in base64url.");
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(wrong)
}

#[utoipa::path(post, path = "/v1/pair", tag = "gate", operation_id = "pair",
    request_body = PairInput, responses((status = 200, body = Paired), (status = 404, body = Problem), (status = 429, body = Problem)))]
/// Turns a pairing code into a device. Unknown, used and expired codes get the same answer.
pub(super) async fn pair(
    State(app): State<Arc<App>>,
    From(address): From,
    Json(input): Json<PairInput>,
) -> Result<Answer<Paired>, Problem> {
    app.limits.pairing(address)?;
    let public_key = input.public_key.as_deref().map(public_key).transpose()?;
    let (device, token) = device::pair(&app, &input.code, input.platform, public_key).await?;
    let gate = device.gate.map(|gate| gate.0);
    Ok(Answer(Paired { device_id: device.number.0, token, gate }))
}

/// The keys that an event's tickets are checked with.
pub(super) fn setup_keys(book: &Book, event: EventNo) -> Vec<SetupKey> {
    let key = |key: &Signer| SetupKey {
        key_id: key.number.0,
        algorithm: key.algorithm.name().to_owned(),
        public_key: key.public_key.map(|bytes| BASE64URL_NOPAD.encode(&bytes)),
        not_after: key.not_after.map(clock::rfc3339),
        not_after_ms: key.not_after.map(|at| at.0),
    };
    book.signers(event).iter().map(key).collect()
}

/// Keys of an event's anonymous tickets that a gate may meet while it knows its days.
fn setup_issuers(app: &App, event: EventNo) -> Vec<SetupIssuer> {
    let digest = challenge_digest(&anonymous::challenge(app, event));
    let now_s = app.now().0.div_euclid(1000);
    let ahead_s = now_s + i64::from(SETUP_DAYS) * 24 * 3600;
    let near = |terms: &IssuerTerms| {
        i64::from(terms.expires_s) > now_s && i64::from(terms.not_before_s) < ahead_s
    };
    let book = app.books.now();
    let issuers = book.issuers(event).iter().filter(|issuer| near(&issuer.terms));
    let key = |issuer: &Issuer| SetupIssuer {
        public_key: BASE64URL_NOPAD.encode(&issuer.spki),
        challenge_digest: HEXLOWER.encode(&digest),
        type_number: issuer.terms.type_no.0,
        not_before_s: issuer.terms.not_before_s,
        expires_s: issuer.terms.expires_s,
        max_uses: issuer.terms.max_uses,
        gates: issuer.terms.gates.0,
    };
    issuers.map(key).collect()
}

/// Devices of an event that can sign and were not removed.
fn peers(book: &Book, event: EventNo) -> Vec<Peer> {
    let signing = book.devices_of(event).filter(|device| device.revoked_at.is_none());
    let peer = |device: &StoredDevice| {
        let name = signer_name(event, device.number);
        let verifier = Verifier::ed25519(&name, &device.public_key?).ok()?;
        Some(Peer {
            device: device.number.0,
            name: device.name.clone(),
            vkey: verifier.to_string(),
        })
    };
    signing.filter_map(peer).collect()
}

#[utoipa::path(get, path = "/v1/gate", tag = "gate", operation_id = "gate_setup",
    responses((status = 200, body = GateSetup), (status = 401, body = Problem)))]
/// What this device needs to judge by: keys, gates, names. No personal data.
pub(super) async fn setup(
    State(app): State<Arc<App>>,
    Gate(device): Gate,
) -> Result<Answer<GateSetup>, Problem> {
    let book = app.books.now();
    let view = book.events.get(&device.event).ok_or(Error::NotFound("event"))?;
    let details = &view.event.details;
    Ok(Answer(GateSetup {
        device: SetupDevice {
            id: device.number.0,
            name: device.name.clone(),
            gate: device.gate.map(|gate| gate.0),
        },
        event: SetupEvent {
            number: device.event.0,
            slug: details.slug.clone(),
            name: details.name.clone(),
            venue: details.venue.clone(),
            time_zone: details.time_zone.clone(),
            doors_at: details.doors_at.map(clock::rfc3339),
            starts_at: clock::rfc3339(details.starts_at),
            ends_at: clock::rfc3339(details.ends_at),
            show_name_at_gate: details.show_name_at_gate,
            closes_at_ms: details.ends_at.plus(EVENT_GRACE_MS).0,
            offline_hours: details.offline_hours,
            offline_after_ms: offline::ANSWER_WITHIN_MS,
        },
        gates: view.gates.iter().map(GateView::of).collect(),
        ticket_types: view
            .types
            .iter()
            .map(|kind| SetupType {
                number: kind.number.0,
                name: kind.details.name.clone(),
                offline: kind.details.offline.code(),
                lease_since: offline::lease_since(kind, device.number),
                pass: PassRules::of(kind.details.pass),
            })
            .collect(),
        days: days(&details.time_zone, app.now(), SETUP_DAYS)
            .iter()
            .map(|day| SetupDay { day_from_ms: day.day_from.0, month_from_ms: day.month_from.0 })
            .collect(),
        keys: setup_keys(&book, device.event),
        issuer_keys: setup_issuers(&app, device.event),
        peers: peers(&book, device.event),
        server_time: clock::rfc3339(app.now()),
    }))
}
