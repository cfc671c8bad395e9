//! Scans over HTTP: JSON to a presented code, and the answer back. A refusal is an answer, with a
//! status that no client takes for success.

use std::sync::Arc;

use admit_core::admission::Verdict as CoreVerdict;
use admit_core::id::{GateNo, ScanId};
use admit_core::pass::Direction;
use admit_core::ticket::rotating::CHALLENGE_BYTES;
use admit_store::account::Device;
use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::extract::{At, Gate, Json};
use super::log::{Circuit, MerkleValidation};
use super::pass;
use super::problem::Problem;
use crate::admission::{self, Presented};
use crate::error::Error;
use crate::log::Inclusion;
use crate::{App, clock};

/// One presentation of a code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScanInput {
    /// What the QR says, or a ticket number typed by hand.
    code: String,
    /// Number of the gate.
    gate: u16,
    /// 16 random bytes in base64url, drawn once for this presentation and kept over retries.
    scan_id: String,
    /// What this gate asked the wallet to sign: 8 bytes in base64url. Then only the answer to it is
    /// taken.
    #[serde(default)]
    challenge: Option<String>,
    /// The device promises to say afterwards, in a report, whether somebody was let in; until then an
    /// admission is a claim that accuses nobody.
    #[serde(default)]
    confirm: bool,
    /// `entry` (when it is not said) or `exit`.
    #[serde(default)]
    direction: Option<String>,
}

/// The answer about a scan.
#[derive(Serialize, ToSchema)]
pub(super) struct Verdict {
    /// `admit` or `refuse`.
    #[serde(rename = "verdict")]
    answer: String,
    /// `entry` or `exit`, as it was asked.
    direction: &'static str,
    /// The reason's code, when refused.
    reason: Option<String>,
    /// A sentence for staff.
    message: String,
    scan_id: String,
    /// The ticket, when the code is genuine.
    ticket: Option<VerdictTicket>,
    /// The holder's name; only when the event shows it at gates.
    name: Option<String>,
    /// Which entry of the ticket this is.
    r#use: Option<u32>,
    /// 0 for any number.
    max_uses: Option<u8>,
    /// Null for any number.
    uses_remaining: Option<u32>,
    first_admitted_at: Option<String>,
    first_gate_name: Option<String>,
    at: String,
    /// Whether this scan was answered before.
    repeated: bool,
    /// Until when this device may take the entry back.
    undo_until: Option<String>,
    /// The proof that it stands in the audit log; null when nothing was recorded.
    merkle_validation: Option<MerkleValidation>,
}

/// A ticket as a gate may know it.
#[derive(Serialize, ToSchema)]
pub(super) struct VerdictTicket {
    number: String,
    type_number: u8,
    type_name: String,
    /// Whether its issuer signed it unseen: then nothing else is known of it.
    anonymous: bool,
    /// Until when it is good; null for no bound.
    expires_at: Option<String>,
}

/// An entry that was taken back.
#[derive(Serialize, ToSchema)]
pub(super) struct UndoneEntry {
    /// `undo`.
    verdict: String,
    scan_id: String,
    at: String,
    merkle_validation: Option<MerkleValidation>,
}

impl Verdict {
    pub(super) fn of(app: &App, device: &Device, answer: &admission::Answer) -> Self {
        let book = app.books.now();
        let (verdict, reason, message, admitted) = match answer.verdict {
            CoreVerdict::Admit(admission) if answer.direction == Direction::Exit => {
                ("admit", None, "Let them out.", Some(admission))
            }
            CoreVerdict::Admit(admission) => ("admit", None, "Let them in.", Some(admission)),
            CoreVerdict::Refuse(reason) => ("refuse", Some(reason.code()), reason.message(), None),
        };
        let ticket = answer.ticket.as_ref();
        let first = ticket.and_then(|ticket| ticket.first);
        let gate_name = |gate| book.gate_name(device.event, gate).to_owned();
        Self {
            answer: verdict.to_owned(),
            direction: answer.direction.code(),
            reason: reason.map(str::to_owned),
            message: message.to_owned(),
            scan_id: answer.scan.to_string(),
            ticket: ticket.map(|ticket| VerdictTicket {
                number: ticket.ticket.to_string(),
                type_number: ticket.type_no.0,
                type_name: book.type_name(device.event, ticket.type_no).to_owned(),
                anonymous: ticket.anonymous,
                expires_at: ticket.expires_at.map(clock::rfc3339),
            }),
            name: ticket.and_then(|ticket| ticket.name.clone()),
            r#use: admitted.map(|admission| admission.use_no),
            max_uses: ticket.map(|ticket| ticket.max_uses),
            uses_remaining: admitted.and_then(|admission| admission.uses_remaining),
            first_admitted_at: first.map(|entry| clock::rfc3339(entry.at)),
            first_gate_name: first.map(|entry| gate_name(entry.gate)),
            at: clock::rfc3339(answer.at),
            repeated: answer.repeated,
            undo_until: answer.undo_until.map(clock::rfc3339),
            merkle_validation: answer.proof.as_ref().map(proved),
        }
    }
}

fn proved(proof: &Inclusion) -> MerkleValidation {
    MerkleValidation::of(proof, Circuit::Ticket)
}

fn challenge(text: &str) -> Result<[u8; CHALLENGE_BYTES], Error> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok();
    let wrong = || Error::field("challenge", "Use 8 random bytes in base64url.");
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(wrong)
}

pub(super) fn scan_id(text: &str) -> Result<ScanId, Error> {
    let wrong = || Error::field("scan_id", "Use 16 random bytes in base64url (22 characters).");
    ScanId::parse(text).ok_or_else(wrong)
}

#[utoipa::path(post, path = "/v1/gate/admissions", tag = "gate", operation_id = "admit",
    request_body = ScanInput,
    responses((status = 200, body = Verdict, description = "Admitted"),
        (status = 409, body = Verdict, description = "Refused, with the reason"),
        (status = 401, body = Problem), (status = 503, body = Problem, description = "No answer: repeat with the same scan_id")))]
/// Presents a code at a gate.
pub(super) async fn admit(
    State(app): State<Arc<App>>,
    Gate(device): Gate,
    Json(input): Json<ScanInput>,
) -> Result<(StatusCode, Answer<Verdict>), Problem> {
    let scan = scan_id(&input.scan_id)?;
    let challenge = input.challenge.as_deref().map(challenge).transpose()?;
    let direction = pass::direction(input.direction.as_deref())?;
    let (code, gate, confirm) = (input.code, GateNo(input.gate), input.confirm);
    let presented = Presented { code, gate, scan, challenge, confirm, direction };
    let answer = admission::admit(&app, &device, presented).await?;
    let status = match answer.verdict {
        CoreVerdict::Admit(_) => StatusCode::OK,
        CoreVerdict::Refuse(_) => StatusCode::CONFLICT,
    };
    Ok((status, Answer(Verdict::of(&app, &device, &answer))))
}

#[utoipa::path(post, path = "/v1/gate/admissions/{scan_id}/undo", tag = "gate",
    operation_id = "undo_admission", params(("scan_id" = String, Path)),
    responses((status = 200, body = UndoneEntry), (status = 404, body = Problem), (status = 409, body = Problem)))]
/// Takes back an entry that this device made, within 15 minutes. Logged like every scan.
pub(super) async fn undo(
    State(app): State<Arc<App>>,
    Gate(device): Gate,
    At(id): At<String>,
) -> Result<Answer<UndoneEntry>, Problem> {
    let (record, proof) = admission::undo(&app, &device, scan_id(&id)?).await?;
    Ok(Answer(UndoneEntry {
        verdict: "undo".to_owned(),
        scan_id: record.scan.id.to_string(),
        at: clock::rfc3339(record.scan.at),
        merkle_validation: proof.as_ref().map(proved),
    }))
}

/// Reads and answers like [`admit`], and does nothing between: what the others are measured against.
pub(super) async fn noop(Json(input): Json<ScanInput>) -> Answer<Verdict> {
    Answer(Verdict {
        answer: "admit".to_owned(),
        direction: "entry",
        reason: None,
        message: "Let them in.".to_owned(),
        scan_id: input.scan_id,
        ticket: Some(VerdictTicket {
            number: "00000-00000-0000".to_owned(),
            type_number: 1,
            type_name: "Standard".to_owned(),
            anonymous: false,
            expires_at: None,
        }),
        name: None,
        r#use: Some(1),
        max_uses: Some(1),
        uses_remaining: Some(0),
        first_admitted_at: Some("2026-01-01T00:00:00.000Z".to_owned()),
        first_gate_name: Some("Main Gate".to_owned()),
        at: "2026-01-01T00:00:00.000Z".to_owned(),
        repeated: false,
        undo_until: Some("2026-01-01T00:15:00.000Z".to_owned()),
        merkle_validation: None,
    })
}
