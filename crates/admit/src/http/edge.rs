//! The edge over HTTP: tickets that a gate judges without a server, and the spent proofs that gates
//! pass on (seed 004).

use std::sync::Arc;

use admit_core::admission::{Entry, Verdict};
use admit_core::id::{DeviceNo, EventNo};
use admit_store::event::EventView;
use axum::Json as Answer;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::control::{Crypto, GenerateInput, Generated, Policy, Registry};
use super::control::{gate_slug, issue, judged, scan_id};
use super::extract::{Gate, Integrator, Json};
use super::log::{Circuit, MerkleValidation};
use super::problem::Problem;
use crate::error::Error;
use crate::{App, clock, control, device, spent};

/// Largest body with a signed list, in bytes.
pub(super) const LIST_BODY_BYTES_MAX: usize = admit_core::spent::LIST_BYTES_MAX * 2;

/// A token at an edge gate.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct EdgeInput {
    /// The token.
    token: String,
    /// Slug of the event.
    event: String,
    /// The gate.
    gate: String,
    /// Drawn once and kept over retries; only for consuming.
    scan_id: Option<String>,
}

/// What an edge gate says.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EdgeVerdict {
    admitted: bool,
    /// Consuming only: whether the ticket is used up by one entry now.
    #[serde(skip_serializing_if = "Option::is_none")]
    consumed: Option<bool>,
    /// Whether this can be decided without a network.
    offline: bool,
    server_required: bool,
    gate: String,
    reason: Option<&'static str>,
    policy: Policy,
    crypto: Crypto,
    registry: Option<Registry>,
    proof_digest: Option<String>,
    /// Consuming only.
    #[serde(skip_serializing_if = "Option::is_none")]
    spent_proof: Option<SpentProof>,
    #[serde(rename = "merkle_validation")]
    validation: Option<MerkleValidation>,
}

/// One use of one ticket, for other gates.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SpentProof {
    digest: String,
    gate: String,
    consumed_at: String,
    /// The device; 0 is the server.
    device: i64,
    sequence: u64,
    /// The same as a signed list of one entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed: Option<String>,
}

/// Which entries to export.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExportQuery {
    /// Slug of the event.
    event: String,
    /// Only entries at this gate.
    gate: Option<String>,
    /// Only entries after this position.
    after: Option<u64>,
}

/// Entries, as JSON and signed.
#[derive(Serialize, ToSchema)]
pub(super) struct SpentExport {
    event: String,
    entries: Vec<SpentProof>,
    /// The list as a signed note: the form that gates and servers take in.
    signed: String,
    /// What checks the signature.
    vkey: String,
    /// Where the next export begins; null when this was all.
    next: Option<u64>,
}

/// A signed list to take in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SyncInput {
    /// Slug of the event.
    event: String,
    /// The signed list.
    signed: String,
}

/// A signed list that a gate brings.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GateSyncInput {
    /// The signed list.
    signed: String,
}

/// What came of a list.
#[derive(Serialize, ToSchema)]
pub(super) struct SyncSummary {
    /// Entries that are now on the books.
    stored: u32,
    /// Entries that were there before.
    duplicates: u32,
    /// Entries with tickets that had no use left; kept.
    conflicts: Vec<Conflict>,
    /// Entries that were not taken.
    refused: Vec<RefusedEntry>,
    #[serde(rename = "merkle_validation")]
    validation: Option<MerkleValidation>,
}

/// An entry that was not taken.
#[derive(Serialize, ToSchema)]
pub(super) struct RefusedEntry {
    sequence: u64,
    /// `altered` (something else came under this number before) or `unknown` (no such ticket).
    reason: &'static str,
}

/// Two entries with a ticket that was good for one less.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Conflict {
    digest: String,
    ticket_id: String,
    known: ConflictEntry,
    brought: ConflictEntry,
    /// How far apart, in milliseconds.
    apart_ms: u64,
    inclusion_index: u64,
}

/// One of the two.
#[derive(Serialize, ToSchema)]
pub(super) struct ConflictEntry {
    gate: String,
    device: i64,
    at: String,
}

/// Which event.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventQuery {
    /// Slug of the event.
    event: String,
}

/// A device of a program, which signs its own lists.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct DeviceInput {
    /// Slug of the event.
    event: String,
    /// Its name.
    name: String,
    /// Its Ed25519 public key: 32 bytes in base64url.
    public_key: String,
}

/// An enrolled edge gate.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EnrolledDevice {
    /// Its number.
    device: i64,
    /// What its lists are signed as.
    signer: String,
    /// Number of the event, which tokens and lists carry.
    event_number: u32,
    /// Public keys of the event's tickets.
    keys: Vec<EdgeKey>,
    gates: Vec<EdgeGateName>,
}

/// A public key that edge gates verify with.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EdgeKey {
    number: u8,
    /// 32 bytes in base64url; null for a key that only the server holds.
    public_key: Option<String>,
    /// Unix milliseconds.
    not_after: Option<i64>,
}

/// A gate by number and name.
#[derive(Serialize, ToSchema)]
pub(super) struct EdgeGateName {
    number: u16,
    name: String,
}

#[utoipa::path(post, path = "/v1/tickets/edge/issue", tag = "integration", operation_id = "edge_issue",
    request_body = GenerateInput, responses((status = 201, body = Generated), (status = 422, body = Problem)))]
/// Issues a ticket whose whole token is in the QR, for gates without a network.
pub(super) async fn edge_issue(
    State(app): State<Arc<App>>,
    asker: Integrator,
    Json(mut input): Json<GenerateInput>,
) -> Result<(StatusCode, Answer<Generated>), Problem> {
    let view = asker.event(&app, &input.event)?;
    input.qr_mode = Some("edge".to_owned());
    let generated = issue(&app, &view, &input, Circuit::Edge).await?;
    Ok((StatusCode::CREATED, Answer(generated)))
}

#[utoipa::path(post, path = "/v1/tickets/edge/verify", tag = "integration", operation_id = "edge_verify",
    request_body = EdgeInput, responses((status = 200, body = EdgeVerdict), (status = 404, body = Problem)))]
/// Judges a token as an edge gate would: by public keys and by what is known to be spent.
pub(super) async fn edge_verify(
    State(app): State<Arc<App>>,
    asker: Integrator,
    Json(input): Json<EdgeInput>,
) -> Result<Answer<EdgeVerdict>, Problem> {
    let view = asker.event(&app, &input.event)?;
    let gate = control::gate_named(&view, Some(&input.gate));
    let seen = control::verify(&app, view.event.number, &input.token, gate).await?;
    let (policy, crypto) = judged(
        (&seen.grant, &seen.verdict),
        seen.uses,
        Some(input.gate.clone()),
        Circuit::Edge,
        app.now(),
    );
    let grant = seen.grant.as_ref().ok();
    Ok(Answer(EdgeVerdict {
        admitted: policy.allowed,
        consumed: None,
        offline: true,
        server_required: false,
        gate: input.gate,
        reason: policy.reason,
        registry: grant.map(|grant| Registry::of(grant, seen.uses, seen.revoked)),
        proof_digest: grant.map(|grant| grant.digest().to_string()),
        spent_proof: None,
        validation: seen.proof.as_ref().map(|proof| MerkleValidation::of(proof, Circuit::Edge)),
        policy,
        crypto,
    }))
}

#[utoipa::path(post, path = "/v1/tickets/edge/consume", tag = "integration", operation_id = "edge_consume",
    request_body = EdgeInput,
    responses((status = 200, body = EdgeVerdict), (status = 409, body = EdgeVerdict, description = "Refused, with the reason")))]
/// Uses a ticket at an edge gate; the answer holds the spent proof for other gates.
pub(super) async fn edge_consume(
    State(app): State<Arc<App>>,
    asker: Integrator,
    Json(input): Json<EdgeInput>,
) -> Result<(StatusCode, Answer<EdgeVerdict>), Problem> {
    let view = asker.event(&app, &input.event)?;
    let gate = control::gate_named(&view, Some(&input.gate));
    let scan = scan_id(input.scan_id.as_deref())?;
    let done = control::redeem(&app, view.event.number, &input.token, gate, scan).await?;
    let admitted = matches!(done.verdict, Verdict::Admit(_));
    let (policy, crypto) = judged(
        (&done.grant, &done.verdict),
        done.uses(),
        Some(input.gate.clone()),
        Circuit::Edge,
        app.now(),
    );
    let spent_proof = match &done.record {
        Some(record) if admitted => {
            let (entry, signed) = spent::proof(&app, record)?;
            Some(SpentProof::of(&view, DeviceNo(0), &entry, Some(signed)))
        }
        _ => None,
    };
    let grant = done.grant.as_ref().ok();
    let verdict = EdgeVerdict {
        admitted,
        consumed: Some(admitted),
        offline: true,
        server_required: false,
        gate: input.gate,
        reason: policy.reason,
        registry: grant.map(|grant| Registry::of(grant, done.uses(), done.is_revoked())),
        proof_digest: grant.map(|grant| grant.digest().to_string()),
        spent_proof,
        validation: done.proof.as_ref().map(|proof| MerkleValidation::of(proof, Circuit::Edge)),
        policy,
        crypto,
    };
    let status = if admitted { StatusCode::OK } else { StatusCode::CONFLICT };
    Ok((status, Answer(verdict)))
}

impl SpentProof {
    fn of(
        view: &EventView,
        device: DeviceNo,
        entry: &admit_core::spent::SpentEntry,
        signed: Option<String>,
    ) -> Self {
        Self {
            digest: entry.digest.to_string(),
            gate: gate_slug(view, entry.gate),
            consumed_at: clock::rfc3339(entry.at),
            device: device.0,
            sequence: entry.sequence,
            signed,
        }
    }
}

#[utoipa::path(get, path = "/v1/tickets/edge/spent/export", tag = "integration", operation_id = "spent_export",
    params(ExportQuery), responses((status = 200, body = SpentExport), (status = 404, body = Problem)))]
/// The entries that still count, signed by the server, for gates that could not ask it.
pub(super) async fn spent_export(
    State(app): State<Arc<App>>,
    asker: Integrator,
    Query(query): Query<ExportQuery>,
) -> Result<Answer<SpentExport>, Problem> {
    let view = asker.event(&app, &query.event)?;
    let gate = control::gate_named(&view, query.gate.as_deref());
    let export = spent::export(&app, view.event.number, gate, query.after.unwrap_or(0)).await?;
    let device = export.list.device;
    let entries = export.list.entries.iter();
    Ok(Answer(SpentExport {
        event: query.event,
        entries: entries.map(|entry| SpentProof::of(&view, device, entry, None)).collect(),
        signed: export.signed,
        vkey: export.vkey,
        next: export.next,
    }))
}

#[utoipa::path(post, path = "/v1/tickets/edge/spent/sync", tag = "integration", operation_id = "spent_sync",
    request_body = SyncInput, responses((status = 200, body = SyncSummary), (status = 422, body = Problem)))]
/// Takes in a gate's signed list: as often and in whatever order it comes. Lists that no known device
/// of the event signed are refused.
pub(super) async fn spent_sync(
    State(app): State<Arc<App>>,
    asker: Integrator,
    Json(input): Json<SyncInput>,
) -> Result<Answer<SyncSummary>, Problem> {
    let view = asker.event(&app, &input.event)?;
    Ok(Answer(sync(&app, &view, &input.signed).await?))
}

#[utoipa::path(post, path = "/v1/gate/spent/sync", tag = "gate", operation_id = "gate_spent_sync",
    request_body = GateSyncInput, responses((status = 200, body = SyncSummary), (status = 422, body = Problem)))]
/// Takes in a signed list that a gate brings: its own, or one that it was given by another.
pub(super) async fn gate_spent_sync(
    State(app): State<Arc<App>>,
    Gate(device): Gate,
    Json(input): Json<GateSyncInput>,
) -> Result<Answer<SyncSummary>, Problem> {
    let view = view(&app, device.event)?;
    Ok(Answer(sync(&app, &view, &input.signed).await?))
}

fn view(app: &App, event: EventNo) -> Result<EventView, Error> {
    app.books.now().events.get(&event).cloned().ok_or(Error::NotFound("event"))
}

async fn sync(app: &App, view: &EventView, signed: &str) -> Result<SyncSummary, Error> {
    let (done, proof) = spent::sync(app, view.event.number, signed).await?;
    let refused = |reason| move |sequence: &u64| RefusedEntry { sequence: *sequence, reason };
    let altered = done.altered.iter().map(refused("altered"));
    Ok(SyncSummary {
        stored: done.stored,
        duplicates: done.duplicates,
        conflicts: done.conflicts.iter().map(|conflict| Conflict::of(view, conflict)).collect(),
        refused: altered.chain(done.unknown.iter().map(refused("unknown"))).collect(),
        validation: proof.as_ref().map(|proof| MerkleValidation::of(proof, Circuit::Edge)),
    })
}

impl Conflict {
    fn of(view: &EventView, conflict: &admit_store::spent::Conflict) -> Self {
        let entry = |entry: &Entry| ConflictEntry {
            gate: gate_slug(view, entry.gate),
            device: entry.device.0,
            at: clock::rfc3339(entry.at),
        };
        Self {
            digest: conflict.digest.to_string(),
            ticket_id: conflict.ticket.to_string(),
            known: entry(&conflict.known),
            brought: entry(&conflict.brought),
            apart_ms: conflict.known.at.0.abs_diff(conflict.brought.at.0),
            inclusion_index: conflict.leaf,
        }
    }
}

#[utoipa::path(get, path = "/v1/tickets/edge/conflicts", tag = "integration", operation_id = "edge_conflicts",
    params(EventQuery), responses((status = 200, body = Vec<Conflict>), (status = 404, body = Problem)))]
/// Entries of two gates with one ticket, the newest first.
pub(super) async fn conflicts(
    State(app): State<Arc<App>>,
    asker: Integrator,
    Query(query): Query<EventQuery>,
) -> Result<Answer<Vec<Conflict>>, Problem> {
    let view = asker.event(&app, &query.event)?;
    let found = spent::conflicts(&app, view.event.number, None).await?;
    Ok(Answer(found.iter().map(|conflict| Conflict::of(&view, conflict)).collect()))
}

#[utoipa::path(get, path = "/v1/gate/conflicts", tag = "gate", operation_id = "gate_conflicts",
    responses((status = 200, body = Vec<Conflict>)))]
/// The conflicts that this device is a side of, the newest first.
pub(super) async fn gate_conflicts(
    State(app): State<Arc<App>>,
    Gate(device): Gate,
) -> Result<Answer<Vec<Conflict>>, Problem> {
    let view = view(&app, device.event)?;
    let found = spent::conflicts(&app, device.event, Some(device.number)).await?;
    Ok(Answer(found.iter().map(|conflict| Conflict::of(&view, conflict)).collect()))
}

#[utoipa::path(post, path = "/v1/tickets/edge/devices", tag = "integration", operation_id = "edge_enrol",
    request_body = DeviceInput, responses((status = 201, body = EnrolledDevice), (status = 422, body = Problem)))]
/// Enrols an edge gate by its public key, and gives it what it needs to judge alone.
pub(super) async fn enrol(
    State(app): State<Arc<App>>,
    asker: Integrator,
    Json(input): Json<DeviceInput>,
) -> Result<(StatusCode, Answer<EnrolledDevice>), Problem> {
    let view = asker.event(&app, &input.event)?;
    let key = super::device::public_key(&input.public_key)?;
    let event = view.event.number;
    let enrolled = device::enrol(&app, event, input.name, key).await?;
    let book = app.books.now();
    let keys = book.signers(event).iter().map(|signer| EdgeKey {
        number: signer.number.0,
        public_key: signer.public_key.map(|key| BASE64URL_NOPAD.encode(&key)),
        not_after: signer.not_after.map(|at| at.0),
    });
    let gates = view
        .gates
        .iter()
        .map(|gate| EdgeGateName { number: gate.number.0, name: gate_slug(&view, gate.number) });
    let answer = EnrolledDevice {
        device: enrolled.number.0,
        signer: admit_core::spent::signer_name(event, enrolled.number),
        event_number: event.0,
        keys: keys.collect(),
        gates: gates.collect(),
    };
    Ok((StatusCode::CREATED, Answer(answer)))
}
