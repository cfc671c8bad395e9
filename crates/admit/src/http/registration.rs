//! Registration over HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;

use admit_core::id::TypeNo;
use axum::Json as Answer;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::extract::{At, From, Json, event_at};
use super::log::{Circuit, MerkleValidation};
use super::problem::Problem;
use super::ticket::Ticket;
use crate::registration::{self, Holder, Registration};
use crate::{App, issuance, ticket};

/// What the form asks.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RegistrationInput {
    /// Number of the ticket type.
    ticket_type: u8,
    /// In any script, at most 200 characters.
    name: String,
    email: String,
    phone: Option<String>,
    /// By the questions' keys.
    #[serde(default)]
    answers: BTreeMap<String, String>,
}

/// A new ticket and the way back to it.
#[derive(Serialize, ToSchema)]
pub(super) struct Registered {
    ticket: Ticket,
    /// Credential for the ticket's own endpoints.
    access: String,
    /// The ticket's page. The credential stands after the `#`, which browsers send to nobody.
    ticket_url: String,
    /// The proof that the issue stands in the audit log.
    merkle_validation: Option<MerkleValidation>,
}

#[utoipa::path(post, path = "/v1/events/{event}/registrations", tag = "public",
    operation_id = "register",
    params(("event" = String, Path, description = "Slug"),
        ("Idempotency-Key" = Option<String>, Header, description = "Drawn once for a form: the same key again gives the same ticket")),
    request_body = RegistrationInput,
    responses((status = 201, body = Registered), (status = 200, body = Registered, description = "Registered before with the same key"),
        (status = 409, body = Problem), (status = 422, body = Problem), (status = 429, body = Problem)))]
/// Registers somebody for an event.
pub(super) async fn register(
    State(app): State<Arc<App>>,
    At(slug): At<String>,
    From(address): From,
    headers: HeaderMap,
    Json(input): Json<RegistrationInput>,
) -> Result<(StatusCode, Answer<Registered>), Problem> {
    app.limits.registration(address)?;
    let view = event_at(&app, &slug)?;
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let not_empty = |text: &String| !text.trim().is_empty();
    let wanted = Registration {
        type_no: TypeNo(input.ticket_type),
        holder: Holder {
            name: input.name,
            email: Some(input.email).filter(not_empty),
            phone: input.phone.filter(not_empty),
            answers: input.answers,
        },
        key,
    };
    let given = registration::register(&app, &view, wanted).await?;
    let repeated = given.logged.is_none();
    let proof = issuance::proof(&app, &given).await?;
    let grant = given.ticket.grant;
    let access = ticket::access(&app, grant.event, grant.ticket);
    let registered = Registered {
        ticket: Ticket::of(&ticket::opened(&app, given.ticket)?),
        merkle_validation: proof.as_ref().map(|p| MerkleValidation::of(p, Circuit::Ticket)),
        ticket_url: format!("/ticket/#{access}"),
        access,
    };
    let status = if repeated { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Answer(registered)))
}
