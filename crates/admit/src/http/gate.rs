//! Gates over HTTP: what staff and devices see of them, and what staff change.

use std::sync::Arc;

use admit_core::id::GateNo;
use admit_core::offline::travel::Place;
use admit_store::event::Gate as StoredGate;
use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::change::Change;
use super::extract::{At, Desk, Json, event_at};
use super::problem::Problem;
use crate::error::Error;
use crate::{App, event};

/// A gate as staff and devices see it.
#[derive(Serialize, ToSchema)]
pub(super) struct Gate {
    number: u16,
    name: String,
    /// The name as part of an address.
    slug: String,
    open: bool,
    /// Where it is, in degrees (WGS 84); null when nobody said.
    latitude: Option<f64>,
    longitude: Option<f64>,
}

/// What is said of a gate; to change one, only what changes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GateInput {
    name: Option<String>,
    open: Option<bool>,
    /// Degrees (WGS 84), together with `longitude`; null for nowhere.
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    latitude: Change<f64>,
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    longitude: Change<f64>,
}

impl GateInput {
    fn place(&self, old: Option<Place>) -> Result<Option<Place>, Error> {
        match (self.latitude, self.longitude) {
            (Change::Keep, Change::Keep) => Ok(old),
            (Change::Clear, Change::Clear) => Ok(None),
            (Change::Set(latitude), Change::Set(longitude)) => {
                let wrong = || Error::field("latitude", "Use degrees such as 52.525 and 13.369.");
                Place::of_degrees(latitude, longitude).map(Some).ok_or_else(wrong)
            }
            _ => Err(Error::field("latitude", "Say latitude and longitude together.")),
        }
    }
}

impl Gate {
    pub(super) fn of(gate: &StoredGate) -> Self {
        Self {
            number: gate.number.0,
            name: gate.name.clone(),
            slug: event::slug(&gate.name),
            open: gate.open,
            latitude: gate.place.map(|place| place.degrees().0),
            longitude: gate.place.map(|place| place.degrees().1),
        }
    }
}

#[utoipa::path(post, path = "/v1/desk/events/{event}/gates", tag = "desk", operation_id = "add_gate",
    params(("event" = String, Path, description = "Slug")), request_body = GateInput,
    responses((status = 201, body = Gate), (status = 409, body = Problem), (status = 422, body = Problem)))]
/// Adds a gate.
pub(super) async fn add(
    State(app): State<Arc<App>>,
    desk: Desk,
    At(slug): At<String>,
    Json(input): Json<GateInput>,
) -> Result<(StatusCode, Answer<Gate>), Problem> {
    desk.organiser()?;
    let event = event_at(&app, &slug)?.event.number;
    let added = event::add_gate(&app, event, input.name.unwrap_or_default()).await?;
    Ok((StatusCode::CREATED, Answer(Gate::of(&added))))
}

#[utoipa::path(patch, path = "/v1/desk/events/{event}/gates/{number}", tag = "desk",
    operation_id = "change_gate",
    params(("event" = String, Path, description = "Slug"), ("number" = u16, Path)),
    request_body = GateInput, responses((status = 200, body = Gate), (status = 404, body = Problem)))]
/// Renames, opens or closes a gate.
pub(super) async fn change(
    State(app): State<Arc<App>>,
    desk: Desk,
    At((slug, number)): At<(String, u16)>,
    Json(input): Json<GateInput>,
) -> Result<Answer<Gate>, Problem> {
    desk.organiser()?;
    let view = event_at(&app, &slug)?;
    let old = event::gate(&view, GateNo(number))?;
    let gate = StoredGate {
        number: old.number,
        place: input.place(old.place)?,
        name: input.name.unwrap_or(old.name),
        open: input.open.unwrap_or(old.open),
    };
    Ok(Answer(Gate::of(&event::change_gate(&app, view.event.number, gate).await?)))
}
