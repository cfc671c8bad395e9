//! Ticket controls over HTTP: the operations of seed 004 under its names.

use std::sync::Arc;

use admit_core::admission::Verdict;
use admit_core::id::{GateNo, GateSet, ScanId, TypeNo, UnixMs};
use admit_core::reason::Reason;
use admit_core::ticket::{Algorithm, Grant, Invalid};
use admit_store::event::EventView;
use admit_store::ticket::{Terms, Ticket};
use axum::Json as Answer;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::{At, Integrator, Json};
use super::log::{Circuit, MerkleValidation};
use super::problem::Problem;
use crate::control::{self, Examined, Wanted};
use crate::error::Error;
use crate::event::slug;
use crate::issuance::TokenFormat;
use crate::qr::{self, Level, Symbol};
use crate::registration::Holder;
use crate::{App, issuance, secret, ticket};

/// A ticket to be issued. Holder and seat are kept sealed and never enter the token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct GenerateInput {
    /// Slug of the event.
    pub(super) event: String,
    /// Name or number of the ticket type; the first when it is not said.
    pub(super) tier: Option<String>,
    /// Entries, 0 for any number; what the type says when it is not said.
    pub(super) max_uses: Option<u8>,
    /// The same as `maxUses` 1.
    pub(super) single_entry: Option<bool>,
    /// The gate it may enter at.
    pub(super) entry_point: Option<String>,
    /// The gates it may enter at; none for any.
    #[serde(default)]
    pub(super) entry_points: Vec<String>,
    /// Not valid before, Unix seconds.
    pub(super) valid_from: Option<u32>,
    /// Not valid from this second on, Unix seconds.
    pub(super) exp: Option<u32>,
    /// Whether the holder may pass it on. Kept on the books, not in the token.
    #[serde(default)]
    pub(super) transferable: bool,
    /// Name of the holder.
    pub(super) holder: Option<String>,
    /// Seat, in words.
    pub(super) seat: Option<String>,
    /// `edge` (the whole token in the QR, the default) or `link` (a short address).
    pub(super) qr_mode: Option<String>,
}

/// What a ticket is good for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Controls {
    event: String,
    tier: String,
    /// Entries, 0 for any number.
    max_uses: u8,
    single_entry: bool,
    /// The gate, when there is exactly one.
    entry_point: Option<String>,
    /// The gates; empty for any.
    entry_points: Vec<String>,
    /// Unix seconds.
    valid_from: Option<u32>,
    /// Unix seconds.
    exp: Option<u32>,
    transferable: bool,
}

impl Controls {
    fn of(view: &EventView, ticket: &Ticket) -> Self {
        let grant = &ticket.grant;
        let kind = view.types.iter().find(|kind| kind.number == grant.type_no);
        let names = ticket::gate_names(view, grant.gates);
        let gates: Vec<_> = names.iter().map(|name| slug(name)).collect();
        Self {
            event: view.event.details.slug.clone(),
            tier: kind.map_or_else(String::new, |kind| slug(&kind.details.name)),
            max_uses: grant.max_uses,
            single_entry: grant.max_uses == 1,
            entry_point: gates.first().filter(|_| gates.len() == 1).cloned(),
            entry_points: gates,
            valid_from: Some(grant.not_before_s).filter(|at| *at != 0),
            exp: Some(grant.expires_s).filter(|at| *at != 0),
            transferable: ticket.transferable,
        }
    }
}

/// What is on the books about a ticket.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Registry {
    pub(super) uses: u32,
    /// Null for any number.
    pub(super) uses_remaining: Option<u32>,
    pub(super) revoked: bool,
}

impl Registry {
    pub(super) fn of(grant: &Grant, uses: u32, revoked: bool) -> Self {
        Self { uses, uses_remaining: remaining(grant, uses), revoked }
    }
}

/// Whether a ticket may enter, and why not.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Policy {
    pub(super) allowed: bool,
    /// Null for any number.
    pub(super) uses_remaining: Option<u32>,
    /// The gate that was asked about.
    pub(super) entry_point: Option<String>,
    /// The reason's code, when it may not.
    pub(super) reason: Option<&'static str>,
}

/// What the signature says, apart from every policy.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Crypto {
    pub(super) signature_valid: bool,
    pub(super) expired: bool,
}

/// Whether a gate needs the server to judge this ticket.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Verification {
    server_required: bool,
    offline_capable: bool,
    /// `stateless_at_edge`: a gate needs public keys and its own memory, no look-up.
    mode: &'static str,
}

/// The seed's short reference to the proof.
#[derive(Serialize, ToSchema)]
pub(super) struct Merkle {
    circuit_id: &'static str,
    event: &'static str,
    /// The ticket number.
    proof_id: String,
}

/// A code to show.
#[derive(Serialize, ToSchema)]
pub(super) struct Qr {
    /// `edge` or `link`.
    mode: &'static str,
    /// What it says.
    text: String,
    /// Modules on a side.
    modules: i32,
    svg: String,
}

/// An issued ticket.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Generated {
    /// The signed token.
    token: String,
    /// `a1`, `a1-hmac`, `jwt-eddsa` or `jwt-hs256`.
    format: String,
    /// The ticket number.
    ticket_id: String,
    /// SHA-256 that names the ticket in the spend table, in hex.
    proof_digest: String,
    controls: Controls,
    registry: Registry,
    verification: Verification,
    qr: Qr,
    merkle: Merkle,
    #[serde(rename = "merkle_validation")]
    validation: Option<MerkleValidation>,
}

/// A token to look at.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct VerifyInput {
    /// The token, or the text of a printed link.
    token: String,
    /// Slug of the event.
    event: String,
    /// The gate where it is presented.
    entry_point: Option<String>,
}

/// A token to use.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RedeemInput {
    /// The token, or the text of a printed link.
    token: String,
    /// Slug of the event.
    event: String,
    /// The gate where it is presented.
    entry_point: Option<String>,
    /// 16 random bytes in base64url: drawn once and kept over retries, so that a lost answer can be
    /// asked for again. One is drawn when there is none.
    scan_id: Option<String>,
}

/// Which event, and where.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct StatusQuery {
    /// The gate where the ticket would be presented.
    entry_point: Option<String>,
}

/// A ticket to withdraw.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RevokeInput {
    /// The ticket number.
    ticket_id: String,
}

/// What is known of a token.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Verified {
    /// Verifying: whether it would be admitted. Status: whether it is a genuine ticket.
    valid: bool,
    ticket_id: Option<String>,
    policy: Policy,
    crypto: Crypto,
    registry: Option<Registry>,
    proof_digest: Option<String>,
    #[serde(rename = "merkle_validation")]
    validation: Option<MerkleValidation>,
}

/// What came of using a token.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the field is the seed's")]
pub(super) struct Redeemed {
    redeemed: bool,
    ticket_id: Option<String>,
    /// The reason's code, when refused.
    reason: Option<&'static str>,
    policy: Policy,
    crypto: Crypto,
    registry: Option<Registry>,
    proof_digest: Option<String>,
    #[serde(rename = "merkle_validation")]
    validation: Option<MerkleValidation>,
}

/// A withdrawn ticket.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the field is the seed's")]
pub(super) struct Revoked {
    revoked: bool,
    ticket_id: String,
    registry: Registry,
    proof_digest: String,
    #[serde(rename = "merkle_validation")]
    validation: Option<MerkleValidation>,
}

fn remaining(grant: &Grant, uses: u32) -> Option<u32> {
    (grant.max_uses != 0).then(|| u32::from(grant.max_uses).saturating_sub(uses))
}

/// The seed's name for a reason: a ticket of one entry is exhausted like every other, and at the
/// edge its digest is spent.
pub(super) fn reason_code(reason: Reason, circuit: Circuit) -> &'static str {
    match (reason, circuit) {
        (Reason::AlreadyUsed | Reason::UsesExhausted, Circuit::Ticket) => {
            Reason::UsesExhausted.code()
        }
        (Reason::AlreadyUsed | Reason::UsesExhausted, Circuit::Edge) => "proof_digest_spent",
        (other, _) => other.code(),
    }
}

/// Policy and signature, told apart.
pub(super) fn judged(
    (grant, verdict): (&std::result::Result<Grant, Invalid>, &Verdict),
    uses: u32,
    entry_point: Option<String>,
    circuit: Circuit,
    now: UnixMs,
) -> (Policy, Crypto) {
    let reason = match verdict {
        Verdict::Admit(_) => None,
        Verdict::Refuse(reason) => Some(reason_code(*reason, circuit)),
    };
    let known = grant.as_ref().ok();
    let policy = Policy {
        allowed: reason.is_none(),
        uses_remaining: known.and_then(|grant| remaining(grant, uses)),
        entry_point,
        reason,
    };
    let expired = known.is_some_and(|grant| control::is_expired(grant, now));
    (policy, Crypto { signature_valid: known.is_some(), expired })
}

fn wanted(view: &EventView, input: &GenerateInput) -> Result<Wanted, Error> {
    let kind = match input.tier.as_deref() {
        None => view.types.first(),
        Some(tier) => view.types.iter().find(|kind| {
            kind.number.0.to_string() == tier || slug(&kind.details.name) == slug(tier)
        }),
    };
    let kind = kind.ok_or_else(|| Error::field("tier", "The event has no such ticket type."))?;
    let mut gates = Vec::new();
    for name in input.entry_points.iter().chain(&input.entry_point) {
        let gate = control::gate_named(view, Some(name));
        if !view.gates.iter().any(|known| known.number == gate) {
            return Err(Error::field("entryPoint", "The event has no such gate."));
        }
        gates.push(gate);
    }
    let gates = GateSet::of(&gates)
        .map_err(|_| Error::field("entryPoint", "Only the first 16 gates can be named."))?;
    let max_uses = match (input.single_entry, input.max_uses) {
        (Some(true), None | Some(1)) => 1,
        (Some(true), Some(_)) => {
            return Err(Error::field("maxUses", "A single entry is one use."));
        }
        (_, Some(uses)) => uses,
        (_, None) => kind.details.max_uses,
    };
    let at = |seconds: u32| UnixMs(i64::from(seconds) * 1000);
    let terms = Terms {
        max_uses,
        valid_from: input.valid_from.map(at).or(kind.details.valid_from),
        valid_until: input.exp.map(at).or(kind.details.valid_until),
        gates: if gates == GateSet::ANY { kind.details.gates } else { gates },
    };
    let holder = (input.holder.is_some() || input.seat.is_some()).then(|| Holder {
        name: input.holder.clone().unwrap_or_else(|| "—".to_owned()),
        answers: input.seat.iter().map(|seat| ("seat".to_owned(), seat.clone())).collect(),
        ..Holder::default()
    });
    Ok(Wanted { type_no: TypeNo(kind.number.0), terms, transferable: input.transferable, holder })
}

/// Issues for [`generate`] and for the edge.
pub(super) async fn issue(
    app: &App,
    view: &EventView,
    input: &GenerateInput,
    circuit: Circuit,
) -> Result<Generated, Error> {
    let link = match input.qr_mode.as_deref() {
        None | Some("edge") => false,
        Some("link") => true,
        Some(_) => return Err(Error::field("qrMode", "Use edge or link.")),
    };
    let given = control::generate(app, view, wanted(view, input)?).await?;
    let proof = issuance::proof(app, &given).await?;
    let ticket = given.ticket;
    let token = ticket::code(&app.books.now(), &ticket)?;
    let text =
        if link { ticket::link(app, &ticket) } else { None }.unwrap_or_else(|| token.clone());
    let symbol = Symbol::new(&text, Level::Medium).map_err(Error::internal)?;
    let format = TokenFormat::parse(&ticket.format).map(TokenFormat::algorithm);
    let public = format == Some(Algorithm::Ed25519);
    Ok(Generated {
        token,
        format: ticket.format.clone(),
        ticket_id: ticket.grant.ticket.to_string(),
        proof_digest: ticket.grant.digest().to_string(),
        controls: Controls::of(view, &ticket),
        registry: Registry::of(&ticket.grant, 0, false),
        verification: Verification {
            server_required: !public,
            offline_capable: public,
            mode: if public { "stateless_at_edge" } else { "server" },
        },
        qr: Qr {
            mode: if link { "link" } else { "edge" },
            modules: symbol.modules(),
            svg: qr::to_svg(&symbol, "The ticket's code"),
            text,
        },
        merkle: Merkle {
            circuit_id: circuit.code(),
            event: "verified",
            proof_id: ticket.grant.ticket.to_string(),
        },
        validation: proof.as_ref().map(|proof| MerkleValidation::of(proof, circuit)),
    })
}

fn verified(app: &App, seen: &Examined, entry_point: Option<String>, is_status: bool) -> Verified {
    let judged = (&seen.grant, &seen.verdict);
    let (policy, crypto) = self::judged(judged, seen.uses, entry_point, Circuit::Ticket, app.now());
    let grant = seen.grant.as_ref().ok();
    Verified {
        valid: if is_status { crypto.signature_valid } else { policy.allowed },
        ticket_id: grant.map(|grant| grant.ticket.to_string()),
        registry: grant.map(|grant| Registry::of(grant, seen.uses, seen.revoked)),
        proof_digest: grant.map(|grant| grant.digest().to_string()),
        validation: seen.proof.as_ref().map(|proof| MerkleValidation::of(proof, Circuit::Ticket)),
        policy,
        crypto,
    }
}

/// The name of an attempt: the asker's, or a new one.
pub(super) fn scan_id(named: Option<&str>) -> Result<ScanId, Error> {
    let wrong = || Error::field("scanId", "Use 16 random bytes in base64url (22 characters).");
    match named {
        Some(text) => ScanId::parse(text).ok_or_else(wrong),
        None => Ok(ScanId(secret::random()?)),
    }
}

#[utoipa::path(post, path = "/v1/tickets/generate", tag = "integration", operation_id = "generate_ticket",
    request_body = GenerateInput,
    responses((status = 201, body = Generated), (status = 409, body = Problem), (status = 422, body = Problem)))]
/// Issues a ticket with controls of its own.
pub(super) async fn generate(
    State(app): State<Arc<App>>,
    asker: Integrator,
    Json(input): Json<GenerateInput>,
) -> Result<(StatusCode, Answer<Generated>), Problem> {
    let view = asker.event(&app, &input.event)?;
    let generated = issue(&app, &view, &input, Circuit::Ticket).await?;
    Ok((StatusCode::CREATED, Answer(generated)))
}

#[utoipa::path(post, path = "/v1/tickets/verify", tag = "integration", operation_id = "verify_ticket",
    request_body = VerifyInput, responses((status = 200, body = Verified), (status = 404, body = Problem)))]
/// Looks at a token and changes nothing. A refusal by policy is never told as a wrong signature.
pub(super) async fn verify(
    State(app): State<Arc<App>>,
    asker: Integrator,
    Json(input): Json<VerifyInput>,
) -> Result<Answer<Verified>, Problem> {
    let view = asker.event(&app, &input.event)?;
    let gate = control::gate_named(&view, input.entry_point.as_deref());
    let seen = control::verify(&app, view.event.number, &input.token, gate).await?;
    Ok(Answer(verified(&app, &seen, input.entry_point, false)))
}

#[utoipa::path(post, path = "/v1/tickets/redeem", tag = "integration", operation_id = "redeem_ticket",
    request_body = RedeemInput,
    responses((status = 200, body = Redeemed), (status = 409, body = Redeemed, description = "Refused, with the reason")))]
/// Uses a ticket once.
pub(super) async fn redeem(
    State(app): State<Arc<App>>,
    asker: Integrator,
    Json(input): Json<RedeemInput>,
) -> Result<(StatusCode, Answer<Redeemed>), Problem> {
    let view = asker.event(&app, &input.event)?;
    let gate = control::gate_named(&view, input.entry_point.as_deref());
    let scan = scan_id(input.scan_id.as_deref())?;
    let done = control::redeem(&app, view.event.number, &input.token, gate, scan).await?;
    let uses = done.uses();
    let judged = (&done.grant, &done.verdict);
    let (mut policy, crypto) =
        self::judged(judged, uses, input.entry_point, Circuit::Ticket, app.now());
    let redeemed = policy.allowed;
    policy.uses_remaining = done.grant.as_ref().ok().and_then(|grant| remaining(grant, uses));
    let grant = done.grant.as_ref().ok();
    let answer = Redeemed {
        redeemed,
        ticket_id: grant.map(|grant| grant.ticket.to_string()),
        reason: policy.reason,
        registry: grant.map(|grant| Registry::of(grant, uses, done.is_revoked())),
        proof_digest: grant.map(|grant| grant.digest().to_string()),
        validation: done.proof.as_ref().map(|proof| MerkleValidation::of(proof, Circuit::Ticket)),
        policy,
        crypto,
    };
    let status = if redeemed { StatusCode::OK } else { StatusCode::CONFLICT };
    Ok((status, Answer(answer)))
}

#[utoipa::path(get, path = "/v1/tickets/{ticketId}/status", tag = "integration", operation_id = "ticket_status",
    params(("ticketId" = String, Path, description = "Ticket number"), StatusQuery),
    responses((status = 200, body = Verified), (status = 404, body = Problem)))]
/// What would happen to a ticket at a gate. Without a gate, a ticket that is bound to one is denied.
pub(super) async fn status(
    State(app): State<Arc<App>>,
    asker: Integrator,
    At(number): At<String>,
    Query(query): Query<StatusQuery>,
) -> Result<Answer<Verified>, Problem> {
    let ticket = control::find(&app, &asker.events(&app), &number).await?;
    let event = ticket.grant.event;
    let view = app.books.now().events.get(&event).cloned().ok_or(Error::NotFound("event"))?;
    let gate = control::gate_named(&view, query.entry_point.as_deref());
    let seen = control::status(&app, event, ticket.grant.ticket, gate).await?;
    Ok(Answer(verified(&app, &seen, query.entry_point, true)))
}

#[utoipa::path(post, path = "/v1/tickets/revoke", tag = "integration", operation_id = "revoke_by_program",
    request_body = RevokeInput, responses((status = 200, body = Revoked), (status = 404, body = Problem)))]
/// Withdraws a ticket.
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    asker: Integrator,
    Json(input): Json<RevokeInput>,
) -> Result<Answer<Revoked>, Problem> {
    let found = control::find(&app, &asker.events(&app), &input.ticket_id).await?;
    let (ticket, proof) = control::revoke(&app, &found).await?;
    let grant = &ticket.grant;
    Ok(Answer(Revoked {
        revoked: true,
        ticket_id: grant.ticket.to_string(),
        registry: Registry::of(grant, ticket.history.uses, true),
        proof_digest: grant.digest().to_string(),
        validation: proof.as_ref().map(|proof| MerkleValidation::of(proof, Circuit::Ticket)),
    }))
}

/// One control and what it does.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ControlField {
    name: &'static str,
    r#type: &'static str,
    in_token: bool,
    meaning: &'static str,
}

#[utoipa::path(get, path = "/v1/tickets/controls", tag = "public", operation_id = "ticket_controls",
    responses((status = 200, body = Vec<ControlField>)))]
/// The controls that a ticket has, and which of them are inside the signed token.
pub(super) async fn controls() -> Answer<Vec<ControlField>> {
    let field = |name, r#type, in_token, meaning| ControlField { name, r#type, in_token, meaning };
    Answer(vec![
        field("event", "string", true, "The event it is for"),
        field("tier", "string", true, "Its ticket type"),
        field("maxUses", "integer 0-255", true, "Entries; 0 for any number"),
        field("singleEntry", "boolean", true, "The same as maxUses 1"),
        field("entryPoint", "string", true, "The gate it may enter at"),
        field("entryPoints", "string[]", true, "The gates it may enter at; empty for any"),
        field("validFrom", "Unix seconds", true, "Not valid before"),
        field("exp", "Unix seconds", true, "Not valid from then on"),
        field("transferable", "boolean", false, "Whether the holder may pass it on"),
        field("holder", "string", false, "Kept sealed, never in the token"),
        field("seat", "string", false, "Kept sealed, never in the token"),
    ])
}

/// The gate with this number, by its name as in addresses.
pub(super) fn gate_slug(view: &EventView, number: GateNo) -> String {
    let gate = view.gates.iter().find(|gate| gate.number == number);
    gate.map_or_else(String::new, |gate| slug(&gate.name))
}
