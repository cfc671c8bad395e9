//! Tickets that go to another holder, or to another phone of the same one: an offer by whoever holds
//! the ticket, and a taker with the offer's link.
//!
//! The one who hands a ticket on never learns the new one's link: it is told to the taker alone, who
//! draws a claim and keeps it. Moving to another phone needs a release by the key of the old phone, or
//! the organiser's hand.

use admit_core::id::{EventNo, TicketId, UnixMs};
use admit_core::ticket::rotating::{self, Kind};
use admit_core::transfer::{Handover, OFFER_MS_MAX, Transferable};
use admit_store::event::EventView;
use admit_store::log::Logged;
use admit_store::ticket::{Person, Ticket};
use admit_store::transfer::{Acceptance, Accepted, Offer, Offered, Reissue, State, Transfer};
use data_encoding::BASE64URL_NOPAD;

use crate::App;
use crate::error::{Error, Result};
use crate::event::Faults;
use crate::issuance::TokenFormat;
use crate::registration::{self, Holder};
use crate::secret::{self, sha256};

const OFFER_PREFIX: &str = "adm1_offer_";
/// Bytes that an offer's link holds, drawn by the wallet that offers.
pub const SECRET_BYTES: usize = 16;

/// What the link of an offer names.
#[derive(Clone, Copy)]
pub struct OfferLink {
    /// The event.
    pub event: EventNo,
    /// The ticket.
    pub ticket: TicketId,
    secret: [u8; SECRET_BYTES],
}

impl OfferLink {
    /// The credential that stands behind the `#` of the link.
    pub fn text(&self) -> String {
        let mut bytes = self.event.0.to_be_bytes().to_vec();
        bytes.extend(self.ticket.0.to_be_bytes());
        bytes.extend(self.secret);
        format!("{OFFER_PREFIX}{}", BASE64URL_NOPAD.encode(&bytes))
    }

    /// Reads a credential; whether there is such an offer only the books say.
    pub fn read(text: &str) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(text.strip_prefix(OFFER_PREFIX)?.as_bytes()).ok()?;
        let (event, rest) = bytes.split_first_chunk()?;
        let (ticket, secret) = rest.split_first_chunk()?;
        Some(Self {
            event: EventNo(u32::from_be_bytes(*event)),
            ticket: TicketId(u64::from_be_bytes(*ticket)),
            secret: secret.try_into().ok()?,
        })
    }
}

/// What may be done with a ticket.
pub struct Policy {
    /// Whether it may be handed on.
    pub transferable: Transferable,
    /// Its transfer, if one is under way or was made.
    pub transfer: Option<Transfer>,
}

/// What may be done with a ticket, and what is being done.
pub async fn policy(app: &App, view: &EventView, ticket: &Ticket) -> Result<Policy> {
    let kind = view.types.iter().find(|kind| kind.number == ticket.grant.type_no);
    let of_type = kind.map(|kind| kind.details.transferable).unwrap_or_default();
    Ok(Policy {
        transferable: of_type.with_own(ticket.transferable),
        transfer: app.store.transfer(ticket.grant.event, ticket.grant.ticket).await?,
    })
}

/// A holder's wish to hand a ticket on.
pub struct Wish {
    /// To whom.
    pub to: Handover,
    /// What the link shall hold; the same again is the same offer.
    pub secret: [u8; SECRET_BYTES],
    /// For a move: made by the wallet's key over the hash of the secret.
    pub release: Option<Vec<u8>>,
}

/// Offers a ticket; its link, and until when it stands.
pub async fn offer(
    app: &App,
    event: EventNo,
    ticket: TicketId,
    wish: Wish,
) -> Result<(OfferLink, UnixMs)> {
    let hash = sha256(&wish.secret);
    if wish.to == Handover::Move {
        check_release(app, event, ticket, &hash, wish.release.as_deref()).await?;
    }
    let offer = Offer { event, ticket, to: wish.to, secret: hash, at: app.now() };
    match app.store.offer(offer).await? {
        Offered::Done(transfer) => {
            let link = OfferLink { event, ticket, secret: wish.secret };
            Ok((link, transfer.offered_at.plus(OFFER_MS_MAX)))
        }
        Offered::Refused(refused) => Err(Error::TransferRefused(refused)),
        Offered::Waiting => Err(Error::TransferWaits),
        Offered::NotFound => Err(Error::NotFound("ticket")),
    }
}

/// Only the wallet that holds a ticket's key lets it go to another phone.
async fn check_release(
    app: &App,
    event: EventNo,
    id: TicketId,
    offer: &[u8; 32],
    release: Option<&[u8]>,
) -> Result<()> {
    let ticket = app.store.ticket(event, id).await?.ok_or(Error::NotFound("ticket"))?;
    let (Some(rotation), Some(binding)) = (ticket.rotation, &ticket.binding) else {
        return Err(Error::field("to", "This ticket is on no phone yet: open its link there."));
    };
    let message = rotating::release_message(event, id, offer);
    let release = release.unwrap_or_default();
    let released = match rotation.kind {
        Kind::Device => rotating::releases(binding, &message, release),
        Kind::Shared => {
            let secret = app.books.now().rotation_secret(event, id);
            secret.is_some_and(|secret| rotating::releases_shared(&secret, &message, release))
        }
    };
    let wrong = || Error::field("release", "This was not made by the phone of the ticket.");
    if released { Ok(()) } else { Err(wrong()) }
}

/// Takes an offer back.
pub async fn end(app: &App, event: EventNo, ticket: TicketId) -> Result<()> {
    let ended = app.store.end_offer(event, ticket, app.now()).await?;
    if ended { Ok(()) } else { Err(Error::NotFound("offer")) }
}

/// What the taker of an offer is shown.
pub struct Shown {
    /// The ticket that is offered.
    pub ticket: Ticket,
    /// Its event.
    pub view: EventView,
    /// To whom it goes, and how far it is.
    pub transfer: Transfer,
    /// Whether the organiser must agree.
    pub transferable: Transferable,
    /// Whether the taker must say who they are.
    pub named: bool,
}

/// The offer of a link.
pub async fn show(app: &App, link: &OfferLink) -> Result<Shown> {
    let missing = || Error::NotFound("offer");
    let transfer = app.store.transfer(link.event, link.ticket).await?.ok_or_else(missing)?;
    let over = match transfer.state {
        State::Ended => true,
        State::Offered => app.now() > transfer.offered_at.plus(OFFER_MS_MAX),
        State::Asked | State::Done => false,
    };
    if over || transfer.secret != Some(sha256(&link.secret)) {
        return Err(missing());
    }
    let ticket = app.store.ticket(link.event, link.ticket).await?.ok_or_else(missing)?;
    let view = app.books.now().events.get(&link.event).cloned().ok_or_else(missing)?;
    let transferable = policy(app, &view, &ticket).await?.transferable;
    // Where the holder had to say who they are, so has the next one.
    let given = ticket.person.is_some() || ticket.erased_at.is_some();
    let named = transfer.to == Handover::Give && given;
    Ok(Shown { ticket, view, transfer, transferable, named })
}

/// What became of a ticket that somebody takes.
#[expect(clippy::large_enum_variant, reason = "moved once to who asked")]
pub enum Outcome {
    /// It is theirs; with its leaf when it went now.
    Theirs(Ticket, Option<Logged>),
    /// The organiser must agree.
    Waits,
}

/// Takes an offer. `claim` is drawn by the taker: with it the answer can be asked for again.
pub async fn accept(
    app: &App,
    link: &OfferLink,
    claim: &[u8; SECRET_BYTES],
    holder: Option<Holder>,
) -> Result<Outcome> {
    let shown = show(app, link).await?;
    let person = taker(app, &shown, holder)?;
    let acceptance = Acceptance {
        event: link.event,
        ticket: link.ticket,
        secret: sha256(&link.secret),
        claim: sha256(claim),
        person,
        reissue: new_ticket(app, &shown.view)?,
    };
    went(app.store.accept(acceptance).await?)
}

fn taker(app: &App, shown: &Shown, holder: Option<Holder>) -> Result<Option<Person>> {
    // Whoever asks again need not say it again.
    if shown.transfer.state != State::Offered || shown.transfer.to == Handover::Move {
        return Ok(None);
    }
    let holder = holder.filter(|holder| shown.named || !holder.name.trim().is_empty());
    let mut faults = Faults::default();
    if shown.named {
        let told = |of: fn(&Holder) -> bool| holder.as_ref().is_some_and(of);
        faults.unless(told(|h| !h.name.trim().is_empty()), "name", "This is needed.");
        faults.unless(told(|h| h.email.is_some()), "email", "This is needed.");
        let phone = shown.view.event.details.phone == "required";
        faults.unless(!phone || told(|h| h.phone.is_some()), "phone", "This is needed.");
    }
    faults.end()?;
    registration::sealed(app, holder.as_ref())
}

/// The organiser agrees to a transfer that waits.
pub async fn agree(app: &App, view: &EventView, ticket: TicketId) -> Result<Outcome> {
    let with = new_ticket(app, view)?;
    went(app.store.agree(view.event.number, ticket, with).await?)
}

/// Staff issue a ticket anew for its holder, whose phone is gone: the old one is refused from now on.
pub async fn reissue(app: &App, view: &EventView, ticket: TicketId) -> Result<Outcome> {
    let with = new_ticket(app, view)?;
    went(app.store.reissue(view.event.number, ticket, with).await?)
}

fn went(accepted: Accepted) -> Result<Outcome> {
    match accepted {
        Accepted::Done(ticket, logged) => Ok(Outcome::Theirs(ticket, logged)),
        Accepted::Asked => Ok(Outcome::Waits),
        Accepted::Refused(refused) => Err(Error::TransferRefused(refused)),
        Accepted::Taken => Err(Error::TransferTaken),
        Accepted::NotFound => Err(Error::NotFound("offer")),
    }
}

/// What a new ticket of an event is made with.
pub(crate) fn new_ticket(app: &App, view: &EventView) -> Result<Reissue> {
    let (now, book, event) = (app.now(), app.books.now(), view.event.number);
    let format = TokenFormat::parse(&view.event.details.token_format)
        .ok_or_else(|| Error::internal("unknown token format"))?;
    let signer = book
        .signer(event, format.algorithm(), now)
        .ok_or_else(|| Error::internal("the event has no signing key"))?;
    Ok(Reissue {
        serial_key: *book.serial_key(event).ok_or(Error::NotFound("event"))?,
        random: u32::from_be_bytes(secret::random()?),
        key_no: signer.number,
        format: format.code().to_owned(),
        link: u64::from_be_bytes(secret::random()?),
        at: now,
        log_key: app.log.leaf_key(event),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_of_an_offer_reads_back() {
        let link = OfferLink { event: EventNo(3), ticket: TicketId(u64::MAX), secret: [7; 16] };
        let read = OfferLink::read(&link.text()).unwrap();
        assert_eq!((read.event, read.ticket, read.secret), (link.event, link.ticket, link.secret));
        assert!(OfferLink::read("adm1_offer_AAAA").is_none());
        assert!(OfferLink::read("adm1_ticket_AAAA").is_none());
    }
}
