//! Handing tickets on, over HTTP: offers by holders, takers with an offer's link, and the organiser's
//! word.

use std::sync::Arc;

use admit_core::id::TicketId;
use admit_core::transfer::{Handover, Transferable};
use admit_store::transfer::State as Stage;
use axum::Json as Answer;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::event::TicketEvent;
use super::extract::{At, Desk, From, Holder, Json, bearer, event_at};
use super::log::{Circuit, MerkleValidation};
use super::problem::Problem;
use super::ticket::{ChangedTicket, DeskTicket, TypeName, number};
use crate::error::Error;
use crate::qr::{self, Level, Symbol};
use crate::ticket::{self, Shown};
use crate::transfer::{self, OfferLink, Outcome, SECRET_BYTES, Wish};
use crate::{App, clock, log, registration};

/// Whether a ticket may be handed on, and how far that is.
#[derive(Serialize, ToSchema)]
pub(super) struct TicketTransfer {
    /// `no`, `free` or `approval`.
    transferable: &'static str,
    /// `give` or `move`, when it was offered.
    to: Option<&'static str>,
    /// `offered`, `asked` (the organiser must agree), `done` or `ended`; null when it never was.
    state: Option<&'static str>,
}

impl TicketTransfer {
    pub(super) async fn of(app: &App, shown: &Shown) -> Result<Self, Error> {
        let policy = transfer::policy(app, &shown.event, &shown.ticket).await?;
        Ok(Self {
            transferable: policy.transferable.code(),
            to: policy.transfer.as_ref().map(|transfer| transfer.to.code()),
            state: policy.transfer.as_ref().map(|transfer| transfer.state.code()),
        })
    }
}

/// A wish to hand a ticket on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OfferInput {
    /// `give` (to somebody else) or `move` (to another phone of the same holder).
    to: String,
    /// 16 random bytes in base64url: what the link shall hold. The same again is the same offer.
    secret: String,
    /// For `move`: made by the ticket's key on its phone (docs/formats/rotating.md), base64url.
    release: Option<String>,
}

/// An offer that stands.
#[derive(Serialize, ToSchema)]
pub(super) struct OfferMade {
    /// To be opened by whoever takes the ticket.
    url: String,
    /// `url` as a QR picture.
    svg: String,
    expires_at: String,
}

/// An offer as whoever has its link sees it.
#[derive(Serialize, ToSchema)]
pub(super) struct OfferShown {
    event: TicketEvent,
    #[serde(rename = "ticket_type")]
    kind: TypeName,
    /// `give` or `move`.
    to: &'static str,
    /// `offered`, `asked` or `done`.
    state: &'static str,
    /// Whether the organiser must agree.
    approval: bool,
    /// Whether the taker must say name and e-mail address.
    named: bool,
    /// `hidden`, `optional` or `required`.
    phone: String,
}

/// Somebody who takes an offer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AcceptInput {
    /// 16 random bytes in base64url, drawn by the taker and kept: with them the answer can be asked
    /// for again.
    claim: String,
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
}

/// What came of it.
#[derive(Serialize, ToSchema)]
pub(super) struct Taken {
    /// `done` or `asked`: then ask again once the organiser has agreed.
    state: &'static str,
    /// The credential of the new ticket.
    access: Option<String>,
    /// The proof that the new ticket stands in the audit log; null when it went before.
    merkle_validation: Option<MerkleValidation>,
}

/// Transfers that wait for the organiser.
#[derive(Serialize, ToSchema)]
pub(super) struct AskedTransfers {
    transfers: Vec<AskedTransfer>,
}

/// A transfer that waits for the organiser.
#[derive(Serialize, ToSchema)]
pub(super) struct AskedTransfer {
    /// The ticket as it is now.
    ticket: DeskTicket,
    /// Who would have it.
    name: Option<String>,
    email: Option<String>,
    asked_at: String,
}

/// A ticket that was issued in the place of another.
#[derive(Serialize, ToSchema)]
pub(super) struct ReissuedTicket {
    #[serde(flatten)]
    ticket: ChangedTicket,
    /// The holder's page. The first wallet that opens the page of a ticket whose code changes keeps it.
    access_url: String,
}

/// Whoever has the link of an offer.
pub(super) struct Taker(OfferLink);

impl FromRequestParts<Arc<App>> for Taker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        let link = bearer(&parts.headers).and_then(OfferLink::read);
        Ok(Self(link.ok_or(Error::NotSignedIn("this is not the link of an offer"))?))
    }
}

fn drawn(name: &'static str, text: &str) -> Result<[u8; SECRET_BYTES], Error> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok();
    let wrong = || Error::field(name, "Use 16 random bytes in base64url.");
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(wrong)
}

#[utoipa::path(post, path = "/v1/ticket/offer", tag = "ticket", operation_id = "offer_ticket",
    request_body = OfferInput,
    responses((status = 200, body = OfferMade),
        (status = 409, body = Problem, description = "It cannot go"), (status = 422, body = Problem)))]
/// Offers a ticket to whoever has the link of the answer. Until somebody takes it, it stays good.
pub(super) async fn offer(
    State(app): State<Arc<App>>,
    Holder(event, id): Holder,
    Json(input): Json<OfferInput>,
) -> Result<Answer<OfferMade>, Problem> {
    let to = Handover::parse(&input.to);
    let release = input.release.map(|text| {
        let wrong = || Error::field("release", "Use base64url.");
        BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| wrong())
    });
    let wish = Wish {
        to: to.ok_or_else(|| Error::field("to", "Use give or move."))?,
        secret: drawn("secret", &input.secret)?,
        release: release.transpose()?,
    };
    let (link, expires_at) = transfer::offer(&app, event, id, wish).await?;
    let url = format!("{}/ticket/#{}", app.public_url, link.text());
    let symbol = Symbol::new(&url, Level::Medium).map_err(Error::internal)?;
    let svg = qr::to_svg(&symbol, "Link of the offer");
    Ok(Answer(OfferMade { url, svg, expires_at: clock::rfc3339(expires_at) }))
}

#[utoipa::path(delete, path = "/v1/ticket/offer", tag = "ticket", operation_id = "end_offer",
    responses((status = 204), (status = 404, body = Problem)))]
/// Takes an offer back, unless the ticket has gone.
pub(super) async fn end(
    State(app): State<Arc<App>>,
    Holder(event, id): Holder,
) -> Result<StatusCode, Problem> {
    transfer::end(&app, event, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(get, path = "/v1/offer", tag = "offer", operation_id = "show_offer",
    responses((status = 200, body = OfferShown), (status = 404, body = Problem, description = "It is over")))]
/// The offer of this link. Says nothing of who offers.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Taker(link): Taker,
) -> Result<Answer<OfferShown>, Problem> {
    let shown = transfer::show(&app, &link).await?;
    let type_no = shown.ticket.grant.type_no;
    let kind = shown.view.types.iter().find(|kind| kind.number == type_no);
    let name = kind.map(|kind| kind.details.name.clone()).unwrap_or_default();
    let give = shown.transfer.to == Handover::Give;
    Ok(Answer(OfferShown {
        event: TicketEvent::of(&shown.view),
        kind: TypeName { number: type_no.0, name },
        to: shown.transfer.to.code(),
        state: shown.transfer.state.code(),
        approval: give && shown.transferable == Transferable::Approval,
        named: shown.named,
        phone: shown.view.event.details.phone.clone(),
    }))
}

#[utoipa::path(post, path = "/v1/offer/accept", tag = "offer", operation_id = "accept_offer",
    request_body = AcceptInput,
    responses((status = 200, body = Taken), (status = 404, body = Problem, description = "It is over"),
        (status = 409, body = Problem, description = "Somebody else took it, or it cannot go"),
        (status = 422, body = Problem), (status = 429, body = Problem)))]
/// Takes a ticket: it is issued anew, and the old one is refused from then on. The same claim again
/// gets the same answer.
pub(super) async fn accept(
    State(app): State<Arc<App>>,
    From(address): From,
    Taker(link): Taker,
    Json(input): Json<AcceptInput>,
) -> Result<Answer<Taken>, Problem> {
    app.limits.registration(address)?;
    let claim = drawn("claim", &input.claim)?;
    let not_empty = |text: &String| !text.trim().is_empty();
    let holder = input.name.map(|name| registration::Holder {
        name,
        email: input.email.filter(not_empty),
        phone: input.phone.filter(not_empty),
        ..registration::Holder::default()
    });
    Ok(Answer(match transfer::accept(&app, &link, &claim, holder).await? {
        Outcome::Waits => {
            Taken { state: Stage::Asked.code(), access: None, merkle_validation: None }
        }
        Outcome::Theirs(ticket, logged) => {
            let merkle_validation = match logged {
                Some(logged) => {
                    let proof = log::proved(&app, link.event, logged, None).await?;
                    Some(MerkleValidation::of(&proof, Circuit::Ticket))
                }
                None => None,
            };
            let access = Some(ticket::access(&app, link.event, ticket.grant.ticket));
            Taken { state: Stage::Done.code(), access, merkle_validation }
        }
    }))
}

#[utoipa::path(get, path = "/v1/desk/events/{event}/transfers", tag = "desk",
    operation_id = "list_transfers", params(("event" = String, Path, description = "Slug")),
    responses((status = 200, body = AskedTransfers)))]
/// Transfers that wait for the organiser, the oldest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    _: Desk,
    At(slug): At<String>,
) -> Result<Answer<AskedTransfers>, Problem> {
    let event = event_at(&app, &slug)?.event.number;
    let mut transfers = Vec::new();
    for asked in app.store.transfers_asked(event).await.map_err(Error::from)? {
        let shown = ticket::show(&app, event, asked.ticket).await?;
        let person = asked.person.as_ref();
        let taker = person.map(|person| registration::open(&app.vault, person)).transpose()?;
        transfers.push(AskedTransfer {
            ticket: DeskTicket::of(&shown),
            email: taker.as_ref().and_then(|taker| taker.email.clone()),
            name: taker.map(|taker| taker.name),
            asked_at: clock::rfc3339(asked.changed_at),
        });
    }
    Ok(Answer(AskedTransfers { transfers }))
}

/// The answer about a ticket that staff made go.
async fn reissued(app: &App, outcome: Outcome) -> Result<Answer<ReissuedTicket>, Problem> {
    let Outcome::Theirs(new, logged) = outcome else {
        return Err(Error::internal("nobody else must agree").into());
    };
    let (event, id) = (new.grant.event, new.grant.ticket);
    let proof = match logged {
        Some(logged) => Some(log::proved(app, event, logged, None).await?),
        None => None,
    };
    let ticket = ChangedTicket {
        ticket: DeskTicket::of(&ticket::opened(app, new)?),
        merkle_validation: proof.as_ref().map(|p| MerkleValidation::of(p, Circuit::Ticket)),
    };
    let access_url = format!("/ticket/#{}", ticket::access(app, event, id));
    Ok(Answer(ReissuedTicket { ticket, access_url }))
}

#[utoipa::path(post, path = "/v1/desk/events/{event}/transfers/{ticket}/agree", tag = "desk",
    operation_id = "agree_transfer",
    params(("event" = String, Path, description = "Slug"), ("ticket" = String, Path, description = "Ticket number")),
    responses((status = 200, body = ChangedTicket), (status = 404, body = Problem), (status = 409, body = Problem)))]
/// Agrees to a transfer: the ticket goes. The new one's link is told to its taker alone.
pub(super) async fn agree(
    State(app): State<Arc<App>>,
    desk: Desk,
    At((slug, ticket)): At<(String, String)>,
) -> Result<Answer<ChangedTicket>, Problem> {
    desk.organiser()?;
    let view = event_at(&app, &slug)?;
    let went = transfer::agree(&app, &view, number(&ticket)?).await?;
    let Answer(new) = reissued(&app, went).await?;
    Ok(Answer(new.ticket))
}

#[utoipa::path(post, path = "/v1/desk/events/{event}/transfers/{ticket}/decline", tag = "desk",
    operation_id = "decline_transfer",
    params(("event" = String, Path, description = "Slug"), ("ticket" = String, Path, description = "Ticket number")),
    responses((status = 204), (status = 404, body = Problem)))]
/// Declines a transfer: the ticket stays, and who asked is forgotten.
pub(super) async fn decline(
    State(app): State<Arc<App>>,
    desk: Desk,
    At((slug, ticket)): At<(String, String)>,
) -> Result<StatusCode, Problem> {
    desk.organiser()?;
    let event = event_at(&app, &slug)?.event.number;
    let id: TicketId = number(&ticket)?;
    transfer::end(&app, event, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/v1/desk/events/{event}/tickets/{ticket}/reissue", tag = "desk",
    operation_id = "reissue_ticket",
    params(("event" = String, Path, description = "Slug"), ("ticket" = String, Path, description = "Ticket number")),
    responses((status = 200, body = ReissuedTicket), (status = 404, body = Problem), (status = 409, body = Problem)))]
/// Issues a ticket anew for the same holder, whose phone is gone or whose link got into other hands:
/// the old one is refused from now on.
pub(super) async fn reissue(
    State(app): State<Arc<App>>,
    desk: Desk,
    At((slug, ticket)): At<(String, String)>,
) -> Result<Answer<ReissuedTicket>, Problem> {
    desk.organiser()?;
    let view = event_at(&app, &slug)?;
    let went = transfer::reissue(&app, &view, number(&ticket)?).await?;
    tracing::info!(event = slug, by = desk.0.name, "ticket reissued");
    reissued(&app, went).await
}
