//! For operators: whether the process lives, whether it can serve, and the API's description.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::header;
use axum::routing::{MethodRouter, get};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::problem::Problem;
use crate::App;

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
/// The store takes scans; else 503, and a proxy in front should ask another server.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Result<Answer<Health>, Problem> {
    app.ready().await?;
    Ok(ok())
}

/// `GET /v1/openapi.json`.
pub(super) fn description(text: Arc<str>) -> MethodRouter<Arc<App>> {
    get(async move || ([(header::CONTENT_TYPE, "application/json")], text.to_string()))
}

/// Says of every operation that whatever else it answers is a problem document, so that it need not
/// be said of each by hand.
pub(super) fn with_problems(mut description: Value) -> Value {
    let problem = json!({ "$ref": "#/components/schemas/Problem" });
    let other = json!({
        "description": "Why there is no answer",
        "content": { "application/problem+json": { "schema": problem } },
    });
    let paths = description.get_mut("paths").and_then(Value::as_object_mut);
    for operation in paths.into_iter().flatten().filter_map(|(_, path)| path.as_object_mut()) {
        for (_, operation) in operation {
            let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
            let Some(responses) = responses else { continue };
            for (_, response) in responses.iter_mut() {
                let told = response.get("description").and_then(Value::as_str).map(str::to_owned);
                if response.pointer("/content/application~1json/schema") == Some(&problem) {
                    response.clone_from(&other);
                } else {
                    response["description"] = json!("Done");
                }
                // OpenAPI demands a description; what was written by hand comes first.
                if let Some(told) = told.filter(|told| !told.is_empty()) {
                    response["description"] = json!(told);
                }
            }
            responses.insert("default".to_owned(), other.clone());
        }
    }
    description
}
