//! An event's signing keys over HTTP.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::event::time;
use super::extract::{At, Desk, Json, event_at};
use super::problem::Problem;
use crate::error::Error;
use crate::issuance::{self, TokenFormat};
use crate::{App, clock};

/// A signing key. The secret is shown to nobody.
#[derive(Serialize, ToSchema)]
pub(super) struct SigningKey {
    /// Its number, which tokens name.
    number: u8,
    /// `ed25519` or `hs256`.
    algorithm: String,
    /// 32 bytes in base64url; null for a shared secret.
    public_key: Option<String>,
    /// From when on it signs nothing; null while it signs.
    retired_at: Option<String>,
    /// From when on its tickets are refused; null for never.
    not_after: Option<String>,
}

/// The keys of an event.
#[derive(Serialize, ToSchema)]
pub(super) struct Keys {
    /// By number.
    keys: Vec<SigningKey>,
}

/// What becomes of the old keys.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RotateInput {
    /// Until when tickets of the old keys are good, RFC 3339; for ever when it is not said.
    verify_until: Option<String>,
}

fn keys(app: &App, event: admit_core::id::EventNo) -> Keys {
    let book = app.books.now();
    let keys = book.signers(event).iter().map(|key| SigningKey {
        number: key.number.0,
        algorithm: key.algorithm.name().to_owned(),
        public_key: key.public_key.map(|bytes| BASE64URL_NOPAD.encode(&bytes)),
        retired_at: key.retired_at.map(clock::rfc3339),
        not_after: key.not_after.map(clock::rfc3339),
    });
    Keys { keys: keys.collect() }
}

#[utoipa::path(get, path = "/v1/desk/events/{event}/keys", tag = "desk", operation_id = "list_keys",
    params(("event" = String, Path, description = "Slug")),
    responses((status = 200, body = Keys), (status = 404, body = Problem)))]
/// The event's signing keys.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    _: Desk,
    At(slug): At<String>,
) -> Result<Answer<Keys>, Problem> {
    let event = event_at(&app, &slug)?.event.number;
    Ok(Answer(keys(&app, event)))
}

#[utoipa::path(post, path = "/v1/desk/events/{event}/keys", tag = "desk", operation_id = "rotate_key",
    params(("event" = String, Path, description = "Slug")), request_body = RotateInput,
    responses((status = 200, body = Keys), (status = 422, body = Problem)))]
/// Makes a new key for the event's format and retires the old ones: they sign nothing more, and verify
/// until the given time. Written to the audit log.
pub(super) async fn rotate(
    State(app): State<Arc<App>>,
    desk: Desk,
    At(slug): At<String>,
    Json(input): Json<RotateInput>,
) -> Result<Answer<Keys>, Problem> {
    desk.organiser()?;
    let view = event_at(&app, &slug)?;
    let until = input.verify_until.as_deref().map(|text| time("verify_until", text)).transpose()?;
    let format = TokenFormat::parse(&view.event.details.token_format)
        .ok_or_else(|| Error::internal("unknown token format"))?;
    issuance::rotate_key(&app, view.event.number, format, until).await?;
    Ok(Answer(keys(&app, view.event.number)))
}
