//! Events over HTTP: what anybody sees, and what staff see and change.

use std::sync::Arc;

use admit_core::id::{DeviceNo, GateNo, GateSet, TypeNo, UnixMs};
use admit_core::offline::Policy;
use admit_store::event::{EventDetails, EventView, OFFLINE_HOURS, TicketType, TypeDetails};
use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::change::Change;
use super::extract::{At, Desk, Json, event_at};
use super::gate::Gate;
use super::pass::{self, PassRules};
use super::problem::Problem;
use super::rotation;
use super::sale::{PublicSale, SaleTerms};
use crate::error::Error;
use crate::event::{self, Question};
use crate::ticket::gate_names;
use crate::{App, clock};

/// From this many left on, the number is not told to the public.
const REMAINING_TOLD_MAX: u32 = 20;

/// A JSON object whose one field is a list of public events.
#[derive(Serialize, ToSchema)]
pub(super) struct PublicEvents {
    events: Vec<PublicEvent>,
}

/// An event as anybody sees it.
#[derive(Serialize, ToSchema)]
pub(super) struct PublicEvent {
    slug: String,
    name: String,
    venue: String,
    description: String,
    /// IANA name; times are shown to people in it.
    time_zone: String,
    doors_at: Option<String>,
    starts_at: String,
    ends_at: String,
    registration_open: bool,
    ticket_types: Vec<PublicType>,
    questions: Vec<Question>,
    /// `hidden`, `optional` or `required`.
    phone: String,
}

/// A ticket type as anybody sees it.
#[derive(Serialize, ToSchema)]
pub(super) struct PublicType {
    number: u8,
    name: String,
    description: String,
    price_cents: u32,
    currency: Option<String>,
    /// How it is sold without a name; null for types that are issued to somebody.
    sale: Option<PublicSale>,
    /// How many are left; null when there are plenty.
    remaining: Option<u32>,
    sold_out: bool,
    valid_from: Option<String>,
    valid_until: Option<String>,
    /// Names of the gates it is for; empty for any.
    gates: Vec<String>,
}

/// The parts of an event that a ticket shows.
#[derive(Serialize, ToSchema)]
pub(super) struct TicketEvent {
    slug: String,
    name: String,
    venue: String,
    time_zone: String,
    doors_at: Option<String>,
    starts_at: String,
    ends_at: String,
}

/// A list of events as staff see them.
#[derive(Serialize, ToSchema)]
pub(super) struct Events {
    events: Vec<Event>,
}

/// An event as staff see it.
#[derive(Serialize, ToSchema)]
pub(super) struct Event {
    number: u32,
    slug: String,
    name: String,
    venue: String,
    description: String,
    time_zone: String,
    doors_at: Option<String>,
    starts_at: String,
    ends_at: String,
    /// `open` or `closed`.
    registration: String,
    /// `a1`, `jwt-eddsa` or `jwt-hs256`.
    token_format: String,
    show_name_at_gate: bool,
    questions: Vec<Question>,
    phone: String,
    /// Longest time without the server after which gates still admit, in hours.
    offline_hours: u16,
    created_at: String,
    ticket_types: Vec<Type>,
    gates: Vec<Gate>,
    issued: u32,
    capacity: u32,
}

/// What is said of an event; to change one, only what changes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventInput {
    slug: Option<String>,
    name: Option<String>,
    venue: Option<String>,
    description: Option<String>,
    time_zone: Option<String>,
    /// RFC 3339; null for none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    doors_at: Change<String>,
    starts_at: Option<String>,
    ends_at: Option<String>,
    /// `open` or `closed`.
    registration: Option<String>,
    token_format: Option<String>,
    show_name_at_gate: Option<bool>,
    questions: Option<Vec<Question>>,
    phone: Option<String>,
    /// 1 to 72.
    offline_hours: Option<u16>,
}

/// A ticket type as staff see it.
#[derive(Serialize, ToSchema)]
#[schema(as = TicketType)]
pub(super) struct Type {
    number: u8,
    name: String,
    description: String,
    quota: u32,
    issued: u32,
    max_uses: u8,
    price_cents: u32,
    valid_from: Option<String>,
    valid_until: Option<String>,
    /// Numbers of the gates it is for; empty for any.
    gates: Vec<u16>,
    /// `none`, `device` or `shared`: whether the code changes, and by what it is bound.
    rotation: &'static str,
    /// Seconds between changes; null when it never changes.
    interval_s: Option<u8>,
    /// What gates may do without the server: `any` (admit by what they know), `lease` (only the device
    /// that holds the lease) or `refuse`.
    offline: &'static str,
    /// The device that shall hold the lease.
    lease_device: Option<i64>,
    /// The device that holds it now.
    lease_holder: Option<i64>,
    /// `single-use`, `entries`, `day` or `monthly`: what the rest comes to.
    kind: &'static str,
    pass: PassRules,
    /// `no`, `free` or `approval`: whether holders may hand their tickets on.
    transferable: &'static str,
    /// How they are sold without a name; null for tickets that are issued to somebody.
    sale: Option<SaleTerms>,
}

/// What is said of a ticket type; to change one, only what changes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TicketTypeInput)]
pub(super) struct TypeInput {
    name: Option<String>,
    description: Option<String>,
    /// How many may be issued.
    quota: Option<u32>,
    /// Entries of each ticket; 0 for any number.
    max_uses: Option<u8>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    valid_from: Change<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    valid_until: Change<String>,
    /// Numbers of gates; empty for any. Tickets can be restricted to the first 16 gates.
    gates: Option<Vec<u16>>,
    /// Whether the code changes: `none`, `device` (by a key that never leaves the wallet; any gate can
    /// check it) or `shared` (by a secret; only the server can).
    rotation: Option<String>,
    /// Seconds between changes: 15, 20, 30, 45 or 60.
    interval_s: Option<u8>,
    /// What gates may do without the server: `any`, `lease` or `refuse`.
    offline: Option<String>,
    /// The device that shall hold the lease; null for none.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    lease_device: Change<i64>,
    /// `single-use`, `entries`, `day` or `monthly`: sets entries and time; the rest may refine it.
    kind: Option<String>,
    /// How tickets may enter again; those already issued, too.
    pass: Option<PassRules>,
    /// Whether holders may hand their tickets on: `no`, `free` or `approval` (when staff agree).
    transferable: Option<String>,
    /// How they are sold without a name; null for tickets that are issued to somebody.
    #[serde(default)]
    #[schema(value_type = Option<SaleTerms>)]
    sale: Change<SaleTerms>,
}

fn text(at: Option<UnixMs>) -> Option<String> {
    at.map(clock::rfc3339)
}

pub(super) fn time(name: &'static str, text: &str) -> Result<UnixMs, Error> {
    clock::parse_rfc3339(text)
        .ok_or_else(|| Error::field(name, "Use a time such as 2026-11-21T19:30:00Z."))
}

impl Change<String> {
    fn time_over(self, name: &'static str, old: Option<UnixMs>) -> Result<Option<UnixMs>, Error> {
        match self {
            Self::Keep => Ok(old),
            Self::Clear => Ok(None),
            Self::Set(text) => time(name, &text).map(Some),
        }
    }
}

impl EventInput {
    fn over(self, old: EventDetails) -> Result<EventDetails, Error> {
        let registration_open = match self.registration.as_deref() {
            None => old.registration_open,
            Some("open") => true,
            Some("closed") => false,
            Some(_) => return Err(Error::field("registration", "Use open or closed.")),
        };
        let at = |name, text: Option<String>, old| text.map_or(Ok(old), |text| time(name, &text));
        let questions = match self.questions {
            Some(list) => serde_json::to_string(&list).map_err(Error::internal)?,
            None => old.questions,
        };
        Ok(EventDetails {
            slug: self.slug.unwrap_or(old.slug),
            name: self.name.unwrap_or(old.name),
            venue: self.venue.unwrap_or(old.venue),
            description: self.description.unwrap_or(old.description),
            time_zone: self.time_zone.unwrap_or(old.time_zone),
            doors_at: self.doors_at.time_over("doors_at", old.doors_at)?,
            starts_at: at("starts_at", self.starts_at, old.starts_at)?,
            ends_at: at("ends_at", self.ends_at, old.ends_at)?,
            registration_open,
            token_format: self.token_format.unwrap_or(old.token_format),
            show_name_at_gate: self.show_name_at_gate.unwrap_or(old.show_name_at_gate),
            phone: self.phone.unwrap_or(old.phone),
            questions,
            sandbox: old.sandbox,
            offline_hours: self.offline_hours.unwrap_or(old.offline_hours),
        })
    }

    /// What a new event is before anything is said of it.
    fn blank() -> EventDetails {
        EventDetails {
            slug: String::new(),
            name: String::new(),
            venue: String::new(),
            description: String::new(),
            time_zone: "UTC".to_owned(),
            doors_at: None,
            starts_at: UnixMs(0),
            ends_at: UnixMs(0),
            registration_open: false,
            token_format: "a1".to_owned(),
            show_name_at_gate: false,
            phone: "optional".to_owned(),
            questions: "[]".to_owned(),
            sandbox: false,
            offline_hours: OFFLINE_HOURS,
        }
    }
}

impl TypeInput {
    fn over(self, old: TypeDetails, view: &EventView) -> Result<TypeDetails, Error> {
        let gates = match self.gates {
            None => old.gates,
            Some(numbers) => gate_set(&numbers, view)?,
        };
        let offline = match self.offline.as_deref() {
            None => old.offline,
            Some(code) => Policy::parse(code)
                .ok_or_else(|| Error::field("offline", "Use any, lease or refuse."))?,
        };
        let (max_uses, pass) = pass::changed(
            self.kind.as_deref(),
            self.pass,
            self.max_uses,
            (old.max_uses, old.pass),
        )?;
        Ok(TypeDetails {
            name: self.name.unwrap_or(old.name),
            description: self.description.unwrap_or(old.description),
            quota: self.quota.unwrap_or(old.quota),
            max_uses,
            valid_from: self.valid_from.time_over("valid_from", old.valid_from)?,
            valid_until: self.valid_until.time_over("valid_until", old.valid_until)?,
            gates,
            rotation: rotation::changed(self.rotation.as_deref(), self.interval_s, old.rotation)?,
            offline,
            lease_device: match self.lease_device {
                // A lease ends with its policy.
                Change::Keep => old.lease_device.filter(|_| offline == Policy::Lease),
                Change::Clear => None,
                Change::Set(device) => Some(DeviceNo(device)),
            },
            pass,
            transferable: pass::transferable(self.transferable.as_deref(), old.transferable)?,
            sale: SaleTerms::changed(self.sale, old.sale)?,
        })
    }

    fn blank() -> TypeDetails {
        TypeDetails::plain("", 0)
    }
}

fn gate_set(numbers: &[u16], view: &EventView) -> Result<GateSet, Error> {
    let known = |number: &u16| view.gates.iter().any(|gate| gate.number.0 == *number);
    if !numbers.iter().all(known) {
        return Err(Error::field("gates", "There is no gate of this number."));
    }
    let gates: Vec<GateNo> = numbers.iter().copied().map(GateNo).collect();
    GateSet::of(&gates).map_err(|gate| {
        let why = format!("Tickets can be restricted to gates 1 to 16 only, not to {}.", gate.0);
        Error::field("gates", why)
    })
}

impl PublicEvent {
    fn of(app: &App, view: &EventView) -> Result<Self, Error> {
        let details = &view.event.details;
        Ok(Self {
            slug: details.slug.clone(),
            name: details.name.clone(),
            venue: details.venue.clone(),
            description: details.description.clone(),
            time_zone: details.time_zone.clone(),
            doors_at: text(details.doors_at),
            starts_at: clock::rfc3339(details.starts_at),
            ends_at: clock::rfc3339(details.ends_at),
            registration_open: details.registration_open,
            ticket_types: view.types.iter().map(|kind| PublicType::of(app, view, kind)).collect(),
            questions: event::questions(details)?,
            phone: details.phone.clone(),
        })
    }
}

impl PublicType {
    fn of(app: &App, view: &EventView, kind: &TicketType) -> Self {
        let left = kind.details.quota.saturating_sub(kind.issued);
        Self {
            number: kind.number.0,
            name: kind.details.name.clone(),
            description: kind.details.description.clone(),
            price_cents: kind.details.sale.map_or(0, |sale| sale.price_cents),
            currency: kind.details.sale.map(|sale| sale.currency.code()),
            sale: PublicSale::of(app, view, kind),
            remaining: (left <= REMAINING_TOLD_MAX).then_some(left),
            sold_out: left == 0,
            valid_from: text(kind.details.valid_from),
            valid_until: text(kind.details.valid_until),
            gates: gate_names(view, kind.details.gates),
        }
    }
}

impl TicketEvent {
    pub(super) fn of(view: &EventView) -> Self {
        let details = &view.event.details;
        Self {
            slug: details.slug.clone(),
            name: details.name.clone(),
            venue: details.venue.clone(),
            time_zone: details.time_zone.clone(),
            doors_at: text(details.doors_at),
            starts_at: clock::rfc3339(details.starts_at),
            ends_at: clock::rfc3339(details.ends_at),
        }
    }
}

impl Event {
    fn of(view: &EventView) -> Result<Self, Error> {
        let details = &view.event.details;
        Ok(Self {
            number: view.event.number.0,
            slug: details.slug.clone(),
            name: details.name.clone(),
            venue: details.venue.clone(),
            description: details.description.clone(),
            time_zone: details.time_zone.clone(),
            doors_at: text(details.doors_at),
            starts_at: clock::rfc3339(details.starts_at),
            ends_at: clock::rfc3339(details.ends_at),
            registration: if details.registration_open { "open" } else { "closed" }.to_owned(),
            token_format: details.token_format.clone(),
            show_name_at_gate: details.show_name_at_gate,
            questions: event::questions(details)?,
            phone: details.phone.clone(),
            offline_hours: details.offline_hours,
            created_at: clock::rfc3339(view.event.created_at),
            ticket_types: view.types.iter().map(Type::of).collect(),
            gates: view.gates.iter().map(Gate::of).collect(),
            issued: view.types.iter().map(|kind| kind.issued).sum(),
            capacity: view.types.iter().map(|kind| kind.details.quota).sum(),
        })
    }
}

impl Type {
    fn of(kind: &TicketType) -> Self {
        Self {
            number: kind.number.0,
            name: kind.details.name.clone(),
            description: kind.details.description.clone(),
            quota: kind.details.quota,
            issued: kind.issued,
            max_uses: kind.details.max_uses,
            price_cents: kind.details.sale.map_or(0, |sale| sale.price_cents),
            valid_from: text(kind.details.valid_from),
            valid_until: text(kind.details.valid_until),
            rotation: kind.details.rotation.map_or("none", |rotation| rotation.kind.code()),
            interval_s: kind.details.rotation.map(|rotation| rotation.interval_s),
            offline: kind.details.offline.code(),
            lease_device: kind.details.lease_device.map(|device| device.0),
            lease_holder: kind.lease.holder.map(|device| device.0),
            kind: pass::kind(kind.details.max_uses, kind.details.pass),
            pass: PassRules::of(kind.details.pass),
            transferable: kind.details.transferable.code(),
            sale: kind.details.sale.map(SaleTerms::of),
            gates: kind.details.gates.gates().iter().map(|gate| gate.0).collect(),
        }
    }
}

/// Reads an event with its current counts; what is kept in memory may be behind in `issued`.
async fn fresh(app: &App, slug: &str) -> Result<EventView, Problem> {
    let view = app.store.event(slug).await.map_err(Error::from)?;
    Ok(view.ok_or(Error::NotFound("event"))?)
}

#[utoipa::path(get, path = "/v1/events", tag = "public", operation_id = "list_public_events",
    responses((status = 200, body = PublicEvents)))]
/// The events that take registrations.
pub(super) async fn open_events(
    State(app): State<Arc<App>>,
) -> Result<Answer<PublicEvents>, Problem> {
    let events = app.store.events().await.map_err(Error::from)?;
    let now = app.now();
    let events = events
        .iter()
        .filter(|view| view.event.details.registration_open && view.event.details.ends_at > now)
        .map(|view| PublicEvent::of(&app, view))
        .collect::<Result<_, _>>()?;
    Ok(Answer(PublicEvents { events }))
}

#[utoipa::path(get, path = "/v1/events/{event}/public", tag = "public",
    operation_id = "show_public_event", params(("event" = String, Path, description = "Slug")),
    responses((status = 200, body = PublicEvent), (status = 404, body = Problem)))]
/// One event, for its public page.
pub(super) async fn show_public(
    State(app): State<Arc<App>>,
    At(slug): At<String>,
) -> Result<Answer<PublicEvent>, Problem> {
    Ok(Answer(PublicEvent::of(&app, &fresh(&app, &slug).await?)?))
}

#[utoipa::path(get, path = "/v1/desk/events", tag = "desk", operation_id = "list_events",
    responses((status = 200, body = Events), (status = 401, body = Problem)))]
/// All events.
pub(super) async fn list(State(app): State<Arc<App>>, _: Desk) -> Result<Answer<Events>, Problem> {
    let events = app.store.events().await.map_err(Error::from)?;
    let events = events.iter().map(Event::of).collect::<Result<_, _>>()?;
    Ok(Answer(Events { events }))
}

#[utoipa::path(post, path = "/v1/desk/events", tag = "desk", operation_id = "create_event",
    request_body = EventInput,
    responses((status = 201, body = Event), (status = 409, body = Problem), (status = 422, body = Problem)))]
/// Creates an event.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    desk: Desk,
    Json(input): Json<EventInput>,
) -> Result<(StatusCode, Answer<Event>), Problem> {
    desk.organiser()?;
    let details = input.over(EventInput::blank())?;
    let slug = event::create(&app, details).await?.details.slug;
    Ok((StatusCode::CREATED, Answer(Event::of(&fresh(&app, &slug).await?)?)))
}

#[utoipa::path(get, path = "/v1/desk/events/{event}", tag = "desk", operation_id = "show_event",
    params(("event" = String, Path, description = "Slug")),
    responses((status = 200, body = Event), (status = 404, body = Problem)))]
/// One event.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    _: Desk,
    At(slug): At<String>,
) -> Result<Answer<Event>, Problem> {
    Ok(Answer(Event::of(&fresh(&app, &slug).await?)?))
}

#[utoipa::path(patch, path = "/v1/desk/events/{event}", tag = "desk", operation_id = "change_event",
    params(("event" = String, Path, description = "Slug")), request_body = EventInput,
    responses((status = 200, body = Event), (status = 404, body = Problem), (status = 422, body = Problem)))]
/// Changes an event.
pub(super) async fn change(
    State(app): State<Arc<App>>,
    desk: Desk,
    At(slug): At<String>,
    Json(input): Json<EventInput>,
) -> Result<Answer<Event>, Problem> {
    desk.organiser()?;
    let view = fresh(&app, &slug).await?;
    let details = input.over(view.event.details)?;
    let slug = event::change(&app, view.event.number, details).await?.details.slug;
    Ok(Answer(Event::of(&fresh(&app, &slug).await?)?))
}

#[utoipa::path(post, path = "/v1/desk/events/{event}/ticket-types", tag = "desk",
    operation_id = "add_ticket_type", params(("event" = String, Path, description = "Slug")),
    request_body = TypeInput, responses((status = 201, body = Type), (status = 422, body = Problem)))]
/// Adds a ticket type.
pub(super) async fn add_type(
    State(app): State<Arc<App>>,
    desk: Desk,
    At(slug): At<String>,
    Json(input): Json<TypeInput>,
) -> Result<(StatusCode, Answer<Type>), Problem> {
    desk.organiser()?;
    let view = event_at(&app, &slug)?;
    let details = input.over(TypeInput::blank(), &view)?;
    let added = event::add_type(&app, view.event.number, details).await?;
    Ok((StatusCode::CREATED, Answer(Type::of(&added))))
}

#[utoipa::path(patch, path = "/v1/desk/events/{event}/ticket-types/{number}", tag = "desk",
    operation_id = "change_ticket_type",
    params(("event" = String, Path, description = "Slug"), ("number" = u8, Path)),
    request_body = TypeInput, responses((status = 200, body = Type), (status = 422, body = Problem)))]
/// Changes a ticket type. Tickets already issued keep what they say.
pub(super) async fn change_type(
    State(app): State<Arc<App>>,
    desk: Desk,
    At((slug, number)): At<(String, u8)>,
    Json(input): Json<TypeInput>,
) -> Result<Answer<Type>, Problem> {
    desk.organiser()?;
    let view = fresh(&app, &slug).await?;
    let old = view.types.iter().find(|kind| kind.number.0 == number);
    let old = old.ok_or(Error::NotFound("ticket type"))?.details.clone();
    let details = input.over(old, &view)?;
    let changed = event::change_type(&app, view.event.number, TypeNo(number), details).await?;
    Ok(Answer(Type::of(&changed)))
}
