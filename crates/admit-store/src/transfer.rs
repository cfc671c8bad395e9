//! Contract: tickets on their way to another holder, or to another phone of the same one.

use admit_core::admission::{History, Standing};
use admit_core::id::{EventNo, KeyNo, TicketId, UnixMs};
use admit_core::log::leaf::LogKey;
use admit_core::transfer::{Handover, OFFER_MS_MAX, TransferRefused, Transferable, may_go};
use async_trait::async_trait;

use crate::Result;
use crate::log::Logged;
use crate::ticket::{Person, Ticket};

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Whoever has the link may take the ticket.
    Offered,
    /// Somebody took it, and the organiser must agree.
    Asked,
    /// The ticket went.
    Done,
    /// It was taken back, or the organiser did not agree.
    Ended,
}

impl State {
    /// Its code in the API and the database.
    pub fn code(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Asked => "asked",
            Self::Done => "done",
            Self::Ended => "ended",
        }
    }

    /// The state with this code.
    pub fn parse(code: &str) -> Option<Self> {
        [Self::Offered, Self::Asked, Self::Done, Self::Ended]
            .into_iter()
            .find(|state| state.code() == code)
    }
}

/// A ticket on its way, or arrived. A ticket has one at most: a new offer takes the place of one that
/// came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The ticket that goes.
    pub ticket: TicketId,
    /// To whom.
    pub to: Handover,
    /// How far it is.
    pub state: State,
    /// Hash of what the link holds; none when staff moved the ticket.
    pub secret: Option<[u8; 32]>,
    /// Hash of what the taker drew.
    pub claim: Option<[u8; 32]>,
    /// Who took it and waits.
    pub person: Option<Person>,
    /// The ticket that was issued in its place.
    pub successor: Option<TicketId>,
    /// When it was offered.
    pub offered_at: UnixMs,
    /// When its state changed.
    pub changed_at: UnixMs,
}

/// A ticket to be offered.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// The event.
    pub event: EventNo,
    /// The ticket.
    pub ticket: TicketId,
    /// To whom.
    pub to: Handover,
    /// Hash of what the link holds.
    pub secret: [u8; 32],
    /// Now.
    pub at: UnixMs,
}

/// The answer to an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "moved once from the writer to who asked")]
pub enum Offered {
    /// It stands.
    Done(Transfer),
    /// The ticket cannot go.
    Refused(TransferRefused),
    /// Somebody took it, and the organiser has not said yet.
    Waiting,
    /// There is no such ticket.
    NotFound,
}

/// What a new ticket in the place of an old one is made with.
#[derive(Clone, Debug)]
pub struct Reissue {
    /// Conceals the serial number.
    pub serial_key: [u8; 32],
    /// Random part of the ticket's identity.
    pub random: u32,
    /// The key that will sign it.
    pub key_no: KeyNo,
    /// Code of the format it will be written in.
    pub format: String,
    /// Its short name in printed links.
    pub link: u64,
    /// Now.
    pub at: UnixMs,
    /// Of the event's audit log.
    pub log_key: LogKey,
}

/// Somebody who takes an offer.
#[derive(Clone, Debug)]
pub struct Acceptance {
    /// The event.
    pub event: EventNo,
    /// The ticket that was offered.
    pub ticket: TicketId,
    /// Hash of what the link holds.
    pub secret: [u8; 32],
    /// Hash of what the taker drew: by it the answer can be asked for again.
    pub claim: [u8; 32],
    /// Who takes it; none when the holder stays, or nobody is named.
    pub person: Option<Person>,
    /// For the new ticket.
    pub reissue: Reissue,
}

/// The answer to taking an offer, or to the organiser's word.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "moved once from the writer to who asked")]
pub enum Accepted {
    /// The new ticket; with its leaf when it was issued now, and not for the same taker before.
    Done(Ticket, Option<Logged>),
    /// The organiser must agree.
    Asked,
    /// The ticket cannot go.
    Refused(TransferRefused),
    /// Somebody else took it.
    Taken,
    /// There is no such offer, or it is over.
    NotFound,
}

/// What is to be done about an acceptance.
#[expect(clippy::large_enum_variant, reason = "looked at once, inside the write")]
pub(crate) enum Step {
    /// Nothing is to be written; the ticket that was issued before, if that is the answer.
    Answer(Accepted),
    /// The new ticket of before.
    Again(TicketId),
    /// The taker must wait.
    Ask,
    /// The ticket goes.
    Go,
}

/// Whether a ticket may go, by what is on the books about it and what its type says today.
pub(crate) fn allowed(ticket: &Ticket, to: Handover, of_type: Transferable) -> Allowed {
    let policy = of_type.with_own(ticket.transferable);
    let history: &History = &ticket.history;
    may_go(history, ticket.grant.max_uses, to, policy)
}

/// Whether withdrawing a ticket or taking that back changes it. One that went is not made good again:
/// another is good in its place.
pub(crate) fn changes(now: Standing, wanted: Standing) -> bool {
    now != wanted && now != Standing::Transferred
}

/// Allowed, or why not.
pub(crate) type Allowed = std::result::Result<(), TransferRefused>;

/// Decides about an acceptance, inside the transaction that holds the ticket.
pub(crate) fn step(
    known: Option<&Transfer>,
    accepting: &Acceptance,
    ticket: &Ticket,
    of_type: Transferable,
) -> Step {
    let Some(known) = known.filter(|known| known.secret == Some(accepting.secret)) else {
        return Step::Answer(Accepted::NotFound);
    };
    let mine = known.claim == Some(accepting.claim);
    match known.state {
        State::Ended => return Step::Answer(Accepted::NotFound),
        State::Asked if mine => return Step::Answer(Accepted::Asked),
        State::Done if mine => {
            return known.successor.map_or(Step::Answer(Accepted::NotFound), Step::Again);
        }
        State::Asked | State::Done => return Step::Answer(Accepted::Taken),
        State::Offered => {}
    }
    if accepting.reissue.at > known.offered_at.plus(OFFER_MS_MAX) {
        return Step::Answer(Accepted::NotFound);
    }
    if let Err(refused) = allowed(ticket, known.to, of_type) {
        return Step::Answer(Accepted::Refused(refused));
    }
    let policy = of_type.with_own(ticket.transferable);
    if known.to == Handover::Give && policy == Transferable::Approval {
        Step::Ask
    } else {
        Step::Go
    }
}

/// Tickets on their way.
#[async_trait]
pub trait Transfers: Send + Sync {
    /// Offers a ticket to whoever has the link. The same secret again is the same offer; another one
    /// takes its place.
    async fn offer(&self, offer: Offer) -> Result<Offered>;
    /// Takes an offer back; whether there was one.
    async fn end_offer(&self, event: EventNo, ticket: TicketId, at: UnixMs) -> Result<bool>;
    /// Takes a ticket that was offered. When it goes, the new ticket is issued, the old one is refused
    /// as transferred, and both stand in the audit log, in one write.
    async fn accept(&self, acceptance: Acceptance) -> Result<Accepted>;
    /// The transfer of a ticket.
    async fn transfer(&self, event: EventNo, ticket: TicketId) -> Result<Option<Transfer>>;
    /// Transfers that wait for the organiser, the oldest first, at most [`crate::PAGE_ROWS_MAX`].
    async fn transfers_asked(&self, event: EventNo) -> Result<Vec<Transfer>>;
    /// The organiser agrees to a transfer that waits: the ticket goes.
    async fn agree(&self, event: EventNo, ticket: TicketId, with: Reissue) -> Result<Accepted>;
    /// Staff issue a ticket anew for the same holder, whose phone is gone.
    async fn reissue(&self, event: EventNo, ticket: TicketId, with: Reissue) -> Result<Accepted>;
}
