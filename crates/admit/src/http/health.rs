//! For operators: whether the process lives, whether it can serve, and the API's description.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::header;
use axum::routing::{MethodRouter, get};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use crate::App;
use crate::error::Error;

/// That all is well.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok`.
    status: String,
}

fn ok() -> Answer<Health> {
    Answer(Health { status: "ok".to_owned() })
}

#[utoipa::path(get, path = "/health", tag = "service", operation_id = "health",
    responses((status = 200, body = Health)))]
/// The process lives.
pub(super) async fn health() -> Answer<Health> {
    ok()
}

#[utoipa::path(get, path = "/ready", tag = "service", operation_id = "ready",
    responses((status = 200, body = Health), (status = 503, body = Problem)))]
/// The store answers.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Result<Answer<Health>, Problem> {
    app.store.newest_scan_at().await.map_err(Error::from)?;
    Ok(ok())
}

/// `GET /v1/openapi.json`.
pub(super) fn description(text: Arc<str>) -> MethodRouter<Arc<App>> {
    get(async move || ([(header::CONTENT_TYPE, "application/json")], text.to_string()))
}
