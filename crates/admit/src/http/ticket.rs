//! Tickets over HTTP: for their holders, and for staff.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use admit_core::admission::Standing;
use admit_core::id::{TicketId, TypeNo, UnixMs};
use admit_store::ticket::TicketFilter;
use axum::Json as Answer;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::event::TicketEvent;
use super::extract::{At, Desk, From, Holder, Json, event_at};
use super::live::Scan;
use super::log::{Circuit, MerkleValidation};
use super::problem::Problem;
use super::rotation::TicketRotation;
use super::transfer::TicketTransfer;
use crate::error::Error;
use crate::issuance::{self, Given};
use crate::log::{self, Inclusion};
use crate::registration;
use crate::ticket::{self, Shown};
use crate::{App, clock};

/// Tickets on a page unless asked otherwise.
const PAGE_TICKETS: u32 = 50;

/// A ticket as its holder sees it.
#[derive(Serialize, ToSchema)]
pub(super) struct Ticket {
    /// The ticket number for people.
    number: String,
    event: TicketEvent,
    #[serde(rename = "ticket_type")]
    kind: TypeName,
    /// `issued`, `used`, `revoked` or `transferred`.
    status: String,
    uses: u32,
    /// 0 for any number.
    max_uses: u8,
    valid_from: Option<String>,
    valid_until: Option<String>,
    /// Names of the gates it is for; empty for any.
    gates: Vec<String>,
    /// Null when nobody was named or the person was erased.
    name: Option<String>,
    issued_at: String,
    /// What the QR says.
    code: String,
    /// `a1`, `jwt-eddsa` or `jwt-hs256`.
    format: String,
}

/// A ticket as its holder sees it, with its receipt.
#[derive(Serialize, ToSchema)]
pub(super) struct HeldTicket {
    #[serde(flatten)]
    ticket: Ticket,
    /// The proof that its issue stands in the audit log; null for tickets from before there was one.
    merkle_validation: Option<MerkleValidation>,
    /// How its code changes; null when it never does.
    rotation: Option<TicketRotation>,
    /// Whether it may be handed on.
    transfer: TicketTransfer,
}

/// A ticket that staff issued or changed.
#[derive(Serialize, ToSchema)]
pub(super) struct ChangedTicket {
    #[serde(flatten)]
    pub(super) ticket: DeskTicket,
    /// The proof that this stands in the audit log; null when nothing changed.
    pub(super) merkle_validation: Option<MerkleValidation>,
}

/// A ticket type by number and name.
#[derive(Serialize, ToSchema)]
pub(super) struct TypeName {
    pub(super) number: u8,
    pub(super) name: String,
}

/// A ticket as staff see it.
#[derive(Serialize, ToSchema)]
pub(super) struct DeskTicket {
    number: String,
    #[serde(rename = "ticket_type")]
    kind: TypeName,
    status: String,
    uses: u32,
    max_uses: u8,
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    issued_at: String,
    first_admitted_at: Option<String>,
    first_gate: Option<String>,
    erased: bool,
}

/// A ticket as staff see it, with its story.
#[derive(Serialize, ToSchema)]
pub(super) struct DeskTicketDetail {
    #[serde(flatten)]
    ticket: DeskTicket,
    answers: BTreeMap<String, String>,
    /// Newest first.
    scans: Vec<Scan>,
    /// The holder's page. The first wallet that opens the page of a ticket whose code changes keeps it.
    access_url: String,
    /// `none`, `device` or `shared`: whether the code changes.
    rotation: &'static str,
}

/// A page of tickets.
#[derive(Serialize, ToSchema)]
pub(super) struct Tickets {
    #[serde(rename = "tickets")]
    page: Vec<DeskTicket>,
    /// Give it as `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
    total: u64,
}

/// Which tickets to find. A body and not a query: addresses are kept in histories and logs, and an
/// e-mail address must not be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TicketSearch {
    /// A whole e-mail address or ticket number.
    #[serde(default)]
    query: String,
    /// `issued`, `used`, `revoked` or `transferred`.
    status: Option<String>,
    /// From the page before.
    cursor: Option<String>,
    /// At most 200.
    limit: Option<u32>,
}

/// A ticket to issue by staff.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TicketInput {
    ticket_type: u8,
    name: Option<String>,
    email: Option<String>,
}

/// Why a ticket is withdrawn: one of a list, for free words tend to name people.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RevokeReason {
    /// The holder lost it.
    Lost,
    /// The money went back.
    Refunded,
    /// It was issued twice.
    Duplicate,
    /// Something is wrong with it.
    Fraud,
    /// Anything else.
    Other,
}

/// A withdrawal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeInput {
    reason: RevokeReason,
}

fn status(shown: &Shown) -> &'static str {
    match shown.ticket.history.standing {
        Standing::Issued if shown.ticket.history.uses > 0 => "used",
        standing => standing.code(),
    }
}

fn bound(seconds: u32) -> Option<String> {
    (seconds != 0).then(|| clock::rfc3339(UnixMs(i64::from(seconds) * 1000)))
}

fn type_name(shown: &Shown) -> TypeName {
    let number = shown.ticket.grant.type_no;
    let kind = shown.event.types.iter().find(|kind| kind.number == number);
    let name = kind.map(|kind| kind.details.name.clone()).unwrap_or_default();
    TypeName { number: number.0, name }
}

impl Ticket {
    pub(super) fn of(shown: &Shown) -> Self {
        let grant = &shown.ticket.grant;
        Self {
            number: grant.ticket.to_string(),
            event: TicketEvent::of(&shown.event),
            kind: type_name(shown),
            status: status(shown).to_owned(),
            uses: shown.ticket.history.uses,
            max_uses: grant.max_uses,
            valid_from: bound(grant.not_before_s),
            valid_until: bound(grant.expires_s),
            gates: ticket::gate_names(&shown.event, grant.gates),
            name: shown.holder.as_ref().map(|holder| holder.name.clone()),
            issued_at: clock::rfc3339(shown.ticket.issued_at),
            code: shown.code.clone(),
            format: shown.ticket.format.clone(),
        }
    }
}

impl DeskTicket {
    pub(super) fn of(shown: &Shown) -> Self {
        let holder = shown.holder.as_ref();
        let first = shown.ticket.history.first;
        let gate = |entry: admit_core::admission::Entry| {
            let known = shown.event.gates.iter().find(|gate| gate.number == entry.gate);
            known.map(|gate| gate.name.clone()).unwrap_or_default()
        };
        Self {
            number: shown.ticket.grant.ticket.to_string(),
            kind: type_name(shown),
            status: status(shown).to_owned(),
            uses: shown.ticket.history.uses,
            max_uses: shown.ticket.grant.max_uses,
            name: holder.map(|holder| holder.name.clone()),
            email: holder.and_then(|holder| holder.email.clone()),
            phone: holder.and_then(|holder| holder.phone.clone()),
            issued_at: clock::rfc3339(shown.ticket.issued_at),
            first_admitted_at: first.map(|entry| clock::rfc3339(entry.at)),
            first_gate: first.map(gate),
            erased: shown.ticket.erased_at.is_some(),
        }
    }
}

fn proved(proof: &Inclusion) -> MerkleValidation {
    MerkleValidation::of(proof, Circuit::Ticket)
}

pub(super) fn number(text: &str) -> Result<TicketId, Error> {
    TicketId::parse_number(text).ok_or(Error::NotFound("ticket"))
}

/// A file for the browser to keep.
pub(super) fn file(kind: &'static str, name: &str, bytes: Vec<u8>) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)], bytes)
        .into_response()
}

async fn pdf_file(app: Arc<App>, shown: Shown) -> Result<Response, Problem> {
    let name = format!("ticket-{}.pdf", shown.ticket.grant.ticket);
    // Shaping a page takes milliseconds of a core: not on the threads that answer gates.
    let made = tokio::task::spawn_blocking(move || ticket::pdf(&app, &shown)).await;
    let bytes = made.map_err(Error::internal)??;
    Ok(file("application/pdf", &name, bytes))
}

#[utoipa::path(get, path = "/v1/ticket", tag = "ticket", operation_id = "show_ticket",
    responses((status = 200, body = HeldTicket), (status = 401, body = Problem)))]
/// The ticket of this credential.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Holder(event, ticket): Holder,
) -> Result<Answer<HeldTicket>, Problem> {
    let shown = ticket::show(&app, event, ticket).await?;
    let held = Ticket::of(&shown);
    let transfer = TicketTransfer::of(&app, &shown).await?;
    let given = Given { ticket: shown.ticket, logged: None };
    let proof = issuance::proof(&app, &given).await?;
    let merkle_validation = proof.as_ref().map(proved);
    let rotation = TicketRotation::of(&app, &given.ticket);
    Ok(Answer(HeldTicket { ticket: held, merkle_validation, rotation, transfer }))
}

#[utoipa::path(get, path = "/v1/ticket.svg", tag = "ticket", operation_id = "show_ticket_svg",
    responses((status = 200, content_type = "image/svg+xml", body = String)))]
/// The ticket's code as a picture.
pub(super) async fn svg(
    State(app): State<Arc<App>>,
    Holder(event, ticket): Holder,
) -> Result<impl IntoResponse, Problem> {
    let svg = ticket::svg(&ticket::show(&app, event, ticket).await?)?;
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], svg))
}

#[utoipa::path(get, path = "/v1/ticket.pdf", tag = "ticket", operation_id = "show_ticket_pdf",
    responses((status = 200, content_type = "application/pdf", body = Vec<u8>)))]
/// The ticket for paper.
pub(super) async fn pdf(
    State(app): State<Arc<App>>,
    Holder(event, ticket): Holder,
) -> Result<impl IntoResponse, Problem> {
    let shown = ticket::show(&app, event, ticket).await?;
    pdf_file(app, shown).await
}

#[utoipa::path(get, path = "/v1/ticket.ics", tag = "ticket", operation_id = "show_ticket_calendar",
    responses((status = 200, content_type = "text/calendar", body = String)))]
/// The ticket's event as a calendar file.
pub(super) async fn ics(
    State(app): State<Arc<App>>,
    Holder(event, ticket): Holder,
) -> Result<impl IntoResponse, Problem> {
    let shown = ticket::show(&app, event, ticket).await?;
    let text = ticket::ics(&app, &shown)?;
    let name = format!("{}.ics", shown.event.event.details.slug);
    Ok(file("text/calendar; charset=utf-8", &name, text.into_bytes()))
}

#[utoipa::path(post, path = "/v1/desk/events/{event}/tickets/search", tag = "desk",
    operation_id = "search_tickets", params(("event" = String, Path, description = "Slug")),
    request_body = TicketSearch, responses((status = 200, body = Tickets), (status = 422, body = Problem)))]
/// A page of an event's tickets, newest first. Changes nothing.
pub(super) async fn search(
    State(app): State<Arc<App>>,
    _: Desk,
    At(slug): At<String>,
    Json(query): Json<TicketSearch>,
) -> Result<Answer<Tickets>, Problem> {
    let event = event_at(&app, &slug)?.event.number;
    let cursor = query.cursor.map(|cursor| {
        cursor
            .parse()
            .map_err(|_| Error::field("cursor", "Use the next_cursor of the page before."))
    });
    let (standing, used) = match query.status.as_deref() {
        None | Some("") => (None, None),
        Some("used") => (Some(Standing::Issued), Some(true)),
        Some("issued") => (Some(Standing::Issued), Some(false)),
        Some(code) => {
            let known = Standing::parse(code);
            let wrong = || Error::field("status", "Use issued, used, revoked or transferred.");
            (Some(known.ok_or_else(wrong)?), None)
        }
    };
    let filter = TicketFilter {
        standing,
        used,
        after: cursor.transpose()?,
        limit: query.limit.unwrap_or(PAGE_TICKETS),
        ..TicketFilter::default()
    };
    let page = ticket::list(&app, event, &query.query, filter).await?;
    let tickets = page
        .tickets
        .into_iter()
        .map(|ticket| Ok(DeskTicket::of(&ticket::opened(&app, ticket)?)))
        .collect::<Result<_, Error>>()?;
    let next_cursor = page.next.map(|next| next.to_string());
    Ok(Answer(Tickets { page: tickets, next_cursor, total: page.total }))
}

#[utoipa::path(post, path = "/v1/desk/events/{event}/tickets", tag = "desk",
    operation_id = "issue_ticket", params(("event" = String, Path, description = "Slug")),
    request_body = TicketInput, responses((status = 201, body = ChangedTicket), (status = 409, body = Problem)))]
/// Issues a ticket, with or without a name.
pub(super) async fn issue(
    State(app): State<Arc<App>>,
    desk: Desk,
    At(slug): At<String>,
    Json(input): Json<TicketInput>,
) -> Result<(StatusCode, Answer<ChangedTicket>), Problem> {
    desk.organiser()?;
    let view = event_at(&app, &slug)?;
    let email = input.email.filter(|email| !email.trim().is_empty());
    let holder = input.name.map(|name| registration::Holder { name, email, ..Default::default() });
    let kind = TypeNo(input.ticket_type);
    let issued = registration::issue_by_staff(&app, &view, kind, holder).await?;
    let merkle_validation = issuance::proof(&app, &issued).await?.as_ref().map(proved);
    let ticket = DeskTicket::of(&ticket::opened(&app, issued.ticket)?);
    Ok((StatusCode::CREATED, Answer(ChangedTicket { ticket, merkle_validation })))
}

#[utoipa::path(get, path = "/v1/desk/events/{event}/tickets/{ticket}", tag = "desk",
    operation_id = "show_desk_ticket",
    params(("event" = String, Path, description = "Slug"), ("ticket" = String, Path, description = "Ticket number")),
    responses((status = 200, body = DeskTicketDetail), (status = 404, body = Problem)))]
/// One ticket with its scans.
pub(super) async fn desk_show(
    State(app): State<Arc<App>>,
    _: Desk,
    At((slug, ticket)): At<(String, String)>,
) -> Result<Answer<DeskTicketDetail>, Problem> {
    let event = event_at(&app, &slug)?.event.number;
    let shown = ticket::show(&app, event, number(&ticket)?).await?;
    let id = shown.ticket.grant.ticket;
    let scans = app.store.scans_of(event, id).await.map_err(Error::from)?;
    let book = app.books.now();
    Ok(Answer(DeskTicketDetail {
        ticket: DeskTicket::of(&shown),
        answers: shown.holder.map(|holder| holder.answers).unwrap_or_default(),
        scans: scans.iter().map(|scan| Scan::of(&book, scan)).collect(),
        access_url: format!("/ticket/#{}", ticket::access(&app, event, id)),
        rotation: shown.ticket.rotation.map_or("none", |rotation| rotation.kind.code()),
    }))
}

/// `GET /t/{name}`, what a printed link opens: the ticket's page. The credential stands behind the
/// `#`, which browsers send to nobody.
pub(super) fn follow_link() -> MethodRouter<Arc<App>> {
    get(async |State(app): State<Arc<App>>, From(address), At(name)| {
        linked_page(&app, address, name).await
    })
}

async fn linked_page(app: &App, address: IpAddr, name: String) -> Result<Redirect, Problem> {
    app.limits.link(address)?;
    let missing = || Error::NotFound("ticket");
    let number = admit_core::link::name_number(&name).ok_or_else(missing)?;
    let found = app.store.ticket_by_link(number).await.map_err(Error::from)?;
    let grant = found.ok_or_else(missing)?.grant;
    let access = ticket::access(app, grant.event, grant.ticket);
    Ok(Redirect::to(&format!("/ticket/#{access}")))
}

async fn stand(
    app: &App,
    desk: &Desk,
    (slug, ticket): &(String, String),
    standing: Standing,
) -> Result<Answer<ChangedTicket>, Problem> {
    desk.organiser()?;
    let event = event_at(app, slug)?.event.number;
    let (changed, logged) = ticket::set_standing(app, event, number(ticket)?, standing).await?;
    let proof = match logged {
        Some(logged) => Some(log::proved(app, event, logged, None).await?),
        None => None,
    };
    let ticket = DeskTicket::of(&ticket::opened(app, changed)?);
    Ok(Answer(ChangedTicket { ticket, merkle_validation: proof.as_ref().map(proved) }))
}

#[utoipa::path(post, path = "/v1/desk/events/{event}/tickets/{ticket}/revoke", tag = "desk",
    operation_id = "revoke_ticket",
    params(("event" = String, Path, description = "Slug"), ("ticket" = String, Path, description = "Ticket number")),
    request_body = RevokeInput, responses((status = 200, body = ChangedTicket), (status = 404, body = Problem)))]
/// Withdraws a ticket: from now on it is refused.
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    desk: Desk,
    At(at): At<(String, String)>,
    Json(input): Json<RevokeInput>,
) -> Result<Answer<ChangedTicket>, Problem> {
    let reason = match input.reason {
        RevokeReason::Lost => "lost",
        RevokeReason::Refunded => "refunded",
        RevokeReason::Duplicate => "duplicate",
        RevokeReason::Fraud => "fraud",
        RevokeReason::Other => "other",
    };
    let done = stand(&app, &desk, &at, Standing::Revoked).await?;
    tracing::info!(event = at.0, reason, by = desk.0.name, "ticket revoked");
    Ok(done)
}

#[utoipa::path(post, path = "/v1/desk/events/{event}/tickets/{ticket}/reinstate", tag = "desk",
    operation_id = "reinstate_ticket",
    params(("event" = String, Path, description = "Slug"), ("ticket" = String, Path, description = "Ticket number")),
    responses((status = 200, body = ChangedTicket), (status = 404, body = Problem)))]
/// Takes a withdrawal back.
pub(super) async fn reinstate(
    State(app): State<Arc<App>>,
    desk: Desk,
    At(at): At<(String, String)>,
) -> Result<Answer<ChangedTicket>, Problem> {
    stand(&app, &desk, &at, Standing::Issued).await
}

#[utoipa::path(post, path = "/v1/desk/events/{event}/tickets/{ticket}/erase", tag = "desk",
    operation_id = "erase_attendee",
    params(("event" = String, Path, description = "Slug"), ("ticket" = String, Path, description = "Ticket number")),
    responses((status = 200, body = DeskTicket), (status = 404, body = Problem)))]
/// Removes the person behind a ticket for good. The ticket and its admissions remain.
pub(super) async fn erase(
    State(app): State<Arc<App>>,
    desk: Desk,
    At((slug, ticket)): At<(String, String)>,
) -> Result<Answer<DeskTicket>, Problem> {
    desk.organiser()?;
    let event = event_at(&app, &slug)?.event.number;
    let erased = ticket::erase(&app, event, number(&ticket)?).await?;
    Ok(Answer(DeskTicket::of(&ticket::opened(&app, erased)?)))
}

#[utoipa::path(get, path = "/v1/desk/events/{event}/tickets/{ticket}/pdf", tag = "desk",
    operation_id = "print_ticket",
    params(("event" = String, Path, description = "Slug"), ("ticket" = String, Path, description = "Ticket number")),
    responses((status = 200, content_type = "application/pdf", body = Vec<u8>)))]
/// A ticket for paper.
pub(super) async fn desk_pdf(
    State(app): State<Arc<App>>,
    desk: Desk,
    At((slug, ticket)): At<(String, String)>,
) -> Result<impl IntoResponse, Problem> {
    desk.organiser()?;
    let event = event_at(&app, &slug)?.event.number;
    let shown = ticket::show(&app, event, number(&ticket)?).await?;
    pdf_file(app, shown).await
}
