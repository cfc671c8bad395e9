//! Contract: anonymous tickets: the keys that sign them unseen, how often each receipt was signed for,
//! exchanging and withdrawing them. No ticket is on the books before it is used.

use admit_core::id::{EventNo, TicketId, TypeNo, UnixMs};
use admit_core::log::leaf::{Details, Fact, Kind, LogKey};
use admit_core::reason::Reason;
use admit_core::ticket::anonymous::IssuerTerms;
use admit_core::ticket::{Verified, digest};
use admit_core::vault::Sealed;
use async_trait::async_trait;

use crate::Result;
use crate::event::TypeRotation;
use crate::log::Logged;
use crate::ticket::Ticket;
use crate::transfer::Reissue;

/// Longest reason for withdrawing a ticket, in characters.
pub const REASON_CHARS_MAX: usize = 200;

/// A key that signs anonymous tickets. Its secret is sealed under keys that are not in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// What its tickets are good for.
    pub terms: IssuerTerms,
    /// The day it is for, counted from 1970; none for the whole event.
    pub day: Option<i32>,
    /// SHA-256 of the public key.
    pub key_id: [u8; 32],
    /// The public key (docs/formats/anonymous.md).
    pub spki: Vec<u8>,
    /// The secret key, sealed.
    pub secret: Sealed,
    /// When it was made.
    pub created_at: UnixMs,
    /// From when on nothing new is begun with it.
    pub retired_at: Option<UnixMs>,
    /// How many tickets it has signed.
    pub signed: u32,
    /// Its newest leaf in the event's audit log.
    pub leaf: u64,
}

/// A signature that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Signing {
    /// Hash of the receipt.
    pub receipt: [u8; 32],
    /// The key that is asked to sign.
    pub key_id: [u8; 32],
    /// Keyed hash of the blinded token: enough to know it again, and of no use to anybody else.
    pub blinding: [u8; 32],
    /// Until how long after its retirement a key still signs, in ms: for purchases that were begun.
    pub overlap_ms: i64,
    /// Random bytes, so that leaves differ.
    pub salt: [u8; 16],
    /// Now.
    pub at: UnixMs,
    /// Of the event's audit log.
    pub log_key: LogKey,
}

impl Signing {
    /// The leaf: that a ticket of this key was signed, and nothing else.
    pub(crate) fn fact(&self, type_no: TypeNo) -> Fact {
        let key = admit_core::id::Digest(self.key_id);
        let details = Details {
            scan: admit_core::id::ScanId(self.salt),
            ..Details::of(TicketId(0), key, type_no)
        };
        Fact { kind: Kind::BlindSign, at: self.at, refers: None, details }
    }
}

/// The answer to asking for a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// It may be given; counted now, or for the same blinded token before.
    Granted,
    /// All that was paid for is signed.
    Used,
    /// No such receipt, or it is not paid.
    NotFound,
    /// The key is not for what was bought.
    OtherKey,
    /// The key signs nothing any more.
    KeyRetired,
}

/// An anonymous ticket that its wallet exchanges for one bound to the wallet's key.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The ticket.
    pub ticket: Verified,
    /// The wallet's public key, 33 bytes.
    pub binding: Vec<u8>,
    /// How the new code changes.
    pub rotation: TypeRotation,
    /// For the new ticket.
    pub reissue: Reissue,
}

/// The answer to an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "moved once from the writer to who asked")]
pub enum Exchanged {
    /// The new ticket; with its leaf when it was issued now.
    Done(Ticket, Option<Logged>),
    /// The old one is not good any more.
    Refused(Reason),
}

/// An anonymous ticket that was withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedToken {
    /// Its number.
    pub ticket: TicketId,
    /// Why, in the organiser's words.
    pub reason: String,
    /// When.
    pub at: UnixMs,
}

/// The fact that something happened to an anonymous ticket.
pub(crate) fn fact(
    kind: Kind,
    event: EventNo,
    ticket: TicketId,
    kind_no: TypeNo,
    at: UnixMs,
) -> Fact {
    let details = Details::of(ticket, digest(event, ticket), kind_no);
    Fact { kind, at, refers: None, details }
}

/// Why a ticket with this history cannot be exchanged: it must be good now, whole and unused.
pub(crate) fn exchange_refused(
    ticket: &Verified,
    history: &admit_core::admission::History,
    at: UnixMs,
) -> Option<Reason> {
    use admit_core::admission::Standing;
    let ends = i64::from(ticket.grant().expires_s) * 1000;
    match history.standing {
        Standing::Revoked => Some(Reason::Revoked),
        Standing::Transferred => Some(Reason::Transferred),
        Standing::Issued if history.uses > 0 => Some(Reason::AlreadyUsed),
        Standing::Issued if ends != 0 && at.0 >= ends => Some(Reason::Expired),
        Standing::Issued => None,
    }
}

/// Anonymous tickets.
#[async_trait]
pub trait Anonymous: Send + Sync {
    /// Adds a key, or replaces its sealing, terms and end; what changes but the sealing is a leaf of the
    /// event's audit log. Its `signed` and `leaf` are not looked at.
    async fn put_issuer(&self, issuer: Issuer, at: UnixMs) -> Result<()>;
    /// All keys of all events, the oldest first.
    async fn issuers(&self) -> Result<Vec<Issuer>>;
    /// Counts a signature against a receipt, inside one write, before it is given.
    async fn sign_slot(&self, event: EventNo, signing: Signing) -> Result<Slot>;
    /// Ends an anonymous ticket and issues one in its place, in one write. The same key again gets the
    /// same ticket.
    async fn exchange(&self, exchange: Exchange) -> Result<Exchanged>;
    /// How many tickets of each type were exchanged.
    async fn exchanged(&self, event: EventNo) -> Result<Vec<(TypeNo, u32)>>;
    /// Withdraws an anonymous ticket by its number, used or not; none when it was withdrawn or exchanged
    /// before.
    async fn withdraw(
        &self,
        event: EventNo,
        token: RevokedToken,
        key: LogKey,
    ) -> Result<Option<Logged>>;
    /// Anonymous tickets of an event that were withdrawn, the newest first, at most
    /// [`crate::PAGE_ROWS_MAX`].
    async fn revoked_tokens(&self, event: EventNo) -> Result<Vec<RevokedToken>>;
}
