//! What operators watch, on a listener of its own: the service's port is everybody's, and what reads
//! metrics has no credential to show.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use super::health;
use crate::{App, metrics};

/// `/metrics`, and whether the server lives and is ready, for the same readers.
pub(super) fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/metrics", get(show))
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .with_state(app)
}

async fn show(State(app): State<Arc<App>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], metrics::text(&app))
}
