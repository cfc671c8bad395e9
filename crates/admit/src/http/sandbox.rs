//! The sandbox: events that anybody may try things out in, with a key that everybody knows.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use crate::App;
use crate::error::Error;

/// What the sandbox's page needs.
#[derive(Serialize, ToSchema)]
pub(super) struct Sandbox {
    /// An API key that opens the sandbox's events and nothing else.
    key: String,
    /// Slugs of its events.
    events: Vec<String>,
}

#[utoipa::path(get, path = "/v1/sandbox", tag = "public", operation_id = "sandbox",
    responses((status = 200, body = Sandbox), (status = 404, body = Problem, description = "The sandbox is closed")))]
/// The sandbox's public key and its events, when the operator opened it.
pub(super) async fn show(State(app): State<Arc<App>>) -> Result<Answer<Sandbox>, Problem> {
    let key = app.sandbox.get().ok_or(Error::NotFound("sandbox"))?.clone();
    let book = app.books.now();
    let open = book.events.values().filter(|view| view.event.details.sandbox);
    let events = open.map(|view| view.event.details.slug.clone()).collect();
    Ok(Answer(Sandbox { key, events }))
}
