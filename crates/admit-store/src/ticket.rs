//! Contract: issuing tickets, the persons who hold them, and withdrawing them.

use admit_core::admission::{History, Standing};
use admit_core::id::{EventNo, GateSet, KeyNo, TicketId, TypeNo, UnixMs};
use admit_core::log::leaf::{Details, Fact, Kind, LogKey};
use admit_core::ticket::Grant;
use admit_core::vault::Sealed;
use async_trait::async_trait;

use crate::Result;
use crate::event::TypeRotation;
use crate::log::Logged;

/// Keyed hash by which a person is found by e-mail.
pub type BlindIndex = [u8; 16];

/// What is known of a ticket's holder: sealed, under a key of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Random name of the row; the sealed values are bound to it.
    pub id: [u8; 16],
    /// The person's key, wrapped by the vault's keys. Without it the rest is noise.
    pub wrapped_key: Sealed,
    /// Name.
    pub name: Sealed,
    /// E-mail address.
    pub email: Option<Sealed>,
    /// Telephone number.
    pub phone: Option<Sealed>,
    /// Free answers, one JSON object.
    pub answers: Option<Sealed>,
    /// By which the person is found.
    pub email_index: Option<BlindIndex>,
}

/// Makes repeated requests for one registration the same registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Hash of the client's key.
    pub key: [u8; 32],
    /// Keyed hash of the request, to notice another request under the same key.
    pub fingerprint: [u8; 32],
}

/// What a single ticket is good for, in the place of what its type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Entries, 0 for any number.
    pub max_uses: u8,
    /// Not valid before.
    pub valid_from: Option<UnixMs>,
    /// Not valid from this time on.
    pub valid_until: Option<UnixMs>,
    /// Where it may enter.
    pub gates: GateSet,
}

/// A ticket to be issued.
#[derive(Clone, Debug)]
pub struct NewTicket {
    /// The event.
    pub event: EventNo,
    /// The type; its quota must not be used up.
    pub type_no: TypeNo,
    /// The holder, if one is known.
    pub person: Option<Person>,
    /// The request, if it may be repeated.
    pub idempotency: Option<IdempotencyKey>,
    /// Conceals the serial number.
    pub serial_key: [u8; 32],
    /// Random part of the ticket's identity.
    pub random: u32,
    /// The key that will sign it.
    pub key_no: KeyNo,
    /// Code of the format it will be written in.
    pub format: String,
    /// Whether the event must be open for registration.
    pub by_public: bool,
    /// What it is good for; none for what its type says.
    pub terms: Option<Terms>,
    /// Whether its holder may pass it on.
    pub transferable: bool,
    /// Its short name in printed links, drawn at random.
    pub link: u64,
    /// Now.
    pub at: UnixMs,
    /// Of the event's audit log.
    pub log_key: LogKey,
}

/// A ticket on the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// What it grants.
    pub grant: Grant,
    /// The key that signed it.
    pub key_no: KeyNo,
    /// Code of the format it is written in.
    pub format: String,
    /// When it was issued.
    pub issued_at: UnixMs,
    /// Its uses and standing.
    pub history: History,
    /// The holder; none when nobody was named or the person was erased.
    pub person: Option<Person>,
    /// When the person was erased.
    pub erased_at: Option<UnixMs>,
    /// Whether its holder may pass it on.
    pub transferable: bool,
    /// Its short name in printed links; none for tickets from before there were any.
    pub link: Option<u64>,
    /// Whether its code changes.
    pub rotation: Option<TypeRotation>,
    /// What it was bound to: a wallet's public key (33 bytes), or the hash of what a wallet drew to
    /// claim the shared secret.
    pub binding: Option<Vec<u8>>,
    /// The leaf of its issue in the event's audit log; none for tickets from before there was one.
    pub leaf: Option<u64>,
    /// The newest leaf about it.
    pub last_leaf: Option<u64>,
}

/// Something that happens to a ticket as such, as the audit log tells it.
pub fn fact(kind: Kind, grant: &Grant, at: UnixMs) -> Fact {
    let details = Details::of(grant.ticket, grant.digest(), grant.type_no);
    Fact { kind, at, refers: None, details }
}

/// The answer to a request for a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issued {
    /// Issued now, with its leaf in the audit log.
    New(Ticket, Logged),
    /// Issued before, for the same request.
    Repeated(Ticket),
    /// The key was used for another request.
    KeyMismatch,
    /// None of this type is left.
    SoldOut,
    /// The event takes no registrations.
    Closed,
    /// No such event or type.
    NotFound,
}

/// The answer to binding a ticket to a wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "moved once from the writer to who asked")]
pub enum Bound {
    /// Bound now, with its leaf, or before by the same wallet.
    Done(Ticket, Option<Logged>),
    /// Bound to another wallet.
    Elsewhere,
    /// There is no such ticket, or its code does not change.
    NotFound,
}

/// Which tickets to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketFilter {
    /// Only those of the person with this index.
    pub email_index: Option<BlindIndex>,
    /// Only this ticket.
    pub ticket: Option<TicketId>,
    /// Only those with this standing.
    pub standing: Option<Standing>,
    /// Only those used, or only those not used.
    pub used: Option<bool>,
    /// Only those after this position (from the page before).
    pub after: Option<u32>,
    /// At most this many; the store caps it at [`crate::PAGE_ROWS_MAX`].
    pub limit: u32,
}

/// A page of tickets, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketPage {
    /// The tickets.
    pub tickets: Vec<Ticket>,
    /// Where the next page begins; none on the last.
    pub next: Option<u32>,
    /// How many match in all.
    pub total: u64,
}

/// Tickets and persons.
#[async_trait]
pub trait Tickets: Send + Sync {
    /// Issues a ticket: quota, serial number, ticket, person and request key in one write.
    async fn issue(&self, ticket: NewTicket) -> Result<Issued>;
    /// The ticket with this short name.
    async fn ticket_by_link(&self, link: u64) -> Result<Option<Ticket>>;
    /// The ticket.
    async fn ticket(&self, event: EventNo, ticket: TicketId) -> Result<Option<Ticket>>;
    /// A page of an event's tickets.
    async fn tickets(&self, event: EventNo, filter: TicketFilter) -> Result<TicketPage>;
    /// Withdraws a ticket or takes that back; the ticket as it then stands, and the leaf when that
    /// changed anything. One that was transferred stays so.
    async fn set_standing(
        &self,
        event: EventNo,
        ticket: TicketId,
        standing: Standing,
        at: UnixMs,
        key: LogKey,
    ) -> Result<Option<(Ticket, Option<Logged>)>>;
    /// Binds a ticket whose code changes to a wallet: once, and for good.
    async fn bind_ticket(
        &self,
        event: EventNo,
        ticket: TicketId,
        binding: Vec<u8>,
        at: UnixMs,
        key: LogKey,
    ) -> Result<Bound>;
    /// Removes the person behind a ticket, key first; the ticket and its scans remain.
    async fn erase_person(
        &self,
        event: EventNo,
        ticket: TicketId,
        at: UnixMs,
    ) -> Result<Option<Ticket>>;
    /// Up to `limit` persons' wrapped keys after the one called `after`, by id.
    async fn wrapped_keys(
        &self,
        after: Option<[u8; 16]>,
        limit: u32,
    ) -> Result<Vec<([u8; 16], Sealed)>>;
    /// Replaces a person's wrapped key, unless the person is gone or the key is no longer `old`.
    async fn rewrap(&self, person: [u8; 16], old: Sealed, new: Sealed) -> Result<()>;
}
