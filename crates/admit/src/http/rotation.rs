//! Tickets whose code changes, over HTTP: binding them to a wallet, and the proofs of seed 002.

use std::sync::Arc;

use admit_core::admission::Verdict as CoreVerdict;
use admit_core::id::{GateNo, ScanId, TicketId};
use admit_core::ticket::rotating::Kind;
use admit_store::event::{INTERVAL_S, TypeRotation};
use admit_store::ticket::Ticket;
use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::admission::{Verdict, scan_id};
use super::extract::{Gate, Holder, Json};
use super::log::{Circuit, MerkleValidation};
use super::problem::Problem;
use crate::error::Error;
use crate::rotation::{self, Proof, Wallet};
use crate::{App, clock, secret};

/// How a ticket's code changes, and what its wallet makes codes of (docs/formats/rotating.md).
#[derive(Serialize, ToSchema)]
pub(super) struct TicketRotation {
    /// `device` or `shared`.
    kind: &'static str,
    /// Seconds between changes.
    interval_s: u8,
    /// Numbers of event and ticket, decimal: what proofs are made over.
    event_number: u32,
    ticket_number: String,
    /// Whether it is bound to a wallet.
    bound: bool,
    /// The issuer's part of every code, base64url; null until it is bound.
    head: Option<String>,
    /// The server's time, RFC 3339: phones that are wrong learn by how much.
    server_time: String,
}

impl TicketRotation {
    pub(super) fn of(app: &App, ticket: &Ticket) -> Option<Self> {
        let TypeRotation { kind, interval_s } = ticket.rotation?;
        let head = rotation::head(&app.books.now(), ticket);
        Some(Self {
            kind: kind.code(),
            interval_s,
            event_number: ticket.grant.event.0,
            ticket_number: ticket.grant.ticket.0.to_string(),
            bound: ticket.binding.is_some(),
            head: head.map(|head| BASE64URL_NOPAD.encode(&head)),
            server_time: clock::rfc3339(app.now()),
        })
    }
}

/// What a wallet shows: one of the two, as the ticket's kind asks.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BindInput {
    /// The wallet's P-256 public key, SEC 1, base64url.
    public_key: Option<String>,
    /// 16 random bytes that the wallet drew and keeps, base64url.
    claim: Option<String>,
}

/// A ticket that is bound to the asking wallet.
#[derive(Serialize, ToSchema)]
pub(super) struct BoundTicket {
    rotation: TicketRotation,
    /// The shared secret, base64url; to be kept in the wallet and shown to nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// The proof that this stands in the audit log; null when it was bound before.
    merkle_validation: Option<MerkleValidation>,
}

/// A proof of seed 002. The device's credential says who validates.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RotatingInput {
    /// The ticket number.
    ticket_id: String,
    /// Eight bytes over epoch and ticket, base64.
    rotating_proof: String,
    /// Intervals since 1970.
    current_epoch: u32,
    /// A name for the validator's own records.
    #[serde(default, rename = "validator_id")]
    #[schema(value_type = Option<String>)]
    _validator_id: Option<serde::de::IgnoredAny>,
    /// Number of the gate; that of the device when it is not said.
    gate: Option<u16>,
    /// 16 random bytes in base64url, kept over retries.
    scan_id: Option<String>,
}

/// What came of it.
#[derive(Serialize, ToSchema)]
pub(super) struct RotatingAnswer {
    /// `accepted` or `rejected`.
    status: &'static str,
    #[serde(flatten)]
    verdict: Verdict,
}

#[utoipa::path(post, path = "/v1/ticket/bind", tag = "ticket", operation_id = "bind_ticket",
    request_body = BindInput,
    responses((status = 200, body = BoundTicket), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "Bound to another wallet")))]
/// Binds a ticket whose code changes to this wallet, once and for good.
pub(super) async fn bind(
    State(app): State<Arc<App>>,
    Holder(event, ticket): Holder,
    Json(input): Json<BindInput>,
) -> Result<Answer<BoundTicket>, Problem> {
    let wallet = match (&input.public_key, &input.claim) {
        (Some(key), None) => {
            let wrong = || Error::field("public_key", "Use a P-256 point in base64url.");
            Wallet::Key(BASE64URL_NOPAD.decode(key.as_bytes()).map_err(|_| wrong())?)
        }
        (None, Some(claim)) => {
            let wrong = || Error::field("claim", "Use 16 random bytes in base64url.");
            let bytes = BASE64URL_NOPAD.decode(claim.as_bytes()).map_err(|_| wrong())?;
            Wallet::Claim(bytes.try_into().map_err(|_| wrong())?)
        }
        _ => return Err(Error::field("public_key", "Send a key or a claim.").into()),
    };
    let bound = rotation::bind(&app, event, ticket, &wallet).await?;
    let rotation = TicketRotation::of(&app, &bound.ticket);
    Ok(Answer(BoundTicket {
        rotation: rotation.ok_or_else(|| Error::internal("a bound ticket without rotation"))?,
        secret: bound.secret.map(|secret| BASE64URL_NOPAD.encode(&secret)),
        merkle_validation: bound.proof.as_ref().map(|p| MerkleValidation::of(p, Circuit::Ticket)),
    }))
}

#[utoipa::path(post, path = "/v1/redeem_rotating", tag = "gate", operation_id = "redeem_rotating",
    request_body = RotatingInput,
    responses((status = 200, body = RotatingAnswer),
        (status = 409, body = RotatingAnswer, description = "Refused, with the reason")))]
/// Uses a proof with a shared secret (seed 002). Each epoch of a ticket is good once.
pub(super) async fn redeem(
    State(app): State<Arc<App>>,
    Gate(device): Gate,
    Json(input): Json<RotatingInput>,
) -> Result<(StatusCode, Answer<RotatingAnswer>), Problem> {
    let RotatingInput { ticket_id, rotating_proof, current_epoch, gate, scan_id: scan, .. } = input;
    let wrong = || Error::field("rotating_proof", "Use 8 bytes in base64.");
    let proof = BASE64.decode(rotating_proof.as_bytes()).map_err(|_| wrong())?;
    let ticket = TicketId::parse_number(&ticket_id)
        .ok_or_else(|| Error::field("ticket_id", "This is no ticket number."))?;
    let unnamed = || Error::field("gate", "Say at which gate.");
    let proof = Proof {
        ticket,
        proof: proof.try_into().map_err(|_| wrong())?,
        epoch: current_epoch,
        gate: gate.map(GateNo).or(device.gate).ok_or_else(unnamed)?,
        scan: match &scan {
            Some(text) => scan_id(text)?,
            None => ScanId(secret::random()?),
        },
    };
    let answer = rotation::redeem(&app, &device, proof).await?;
    let (status, word) = match answer.verdict {
        CoreVerdict::Admit(_) => (StatusCode::OK, "accepted"),
        CoreVerdict::Refuse(_) => (StatusCode::CONFLICT, "rejected"),
    };
    let verdict = Verdict::of(&app, &device, &answer);
    Ok((status, Answer(RotatingAnswer { status: word, verdict })))
}

/// How the codes of a type change after a change of its settings.
pub(super) fn changed(
    kind: Option<&str>,
    interval_s: Option<u8>,
    old: Option<TypeRotation>,
) -> Result<Option<TypeRotation>, Error> {
    let interval_s = interval_s.or(old.map(|old| old.interval_s)).unwrap_or(INTERVAL_S);
    match kind {
        None => Ok(old.map(|old| TypeRotation { interval_s, ..old })),
        Some("none") => Ok(None),
        Some(code) => {
            let wrong = || Error::field("rotation", "Use none, device or shared.");
            Ok(Some(TypeRotation { kind: Kind::parse(code).ok_or_else(wrong)?, interval_s }))
        }
    }
}
