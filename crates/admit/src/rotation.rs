//! Tickets whose code changes: binding them to a wallet, and what the wallet needs to make codes.
//!
//! A device key's public part is in the signed ticket, and its secret part never leaves the wallet. A
//! shared secret is made from the installation's key and told once, to whoever claims it first.

use admit_core::admission::Verdict;
use admit_core::id::{EventNo, GateNo, ScanId, TicketId};
use admit_core::pass::Direction;
use admit_core::reason::Reason;
use admit_core::ticket::rotating::{self, Binding, DEVICE_KEY_BYTES, Kind, Rotation};
use admit_store::account::Device;
use admit_store::event::TypeRotation;
use admit_store::ticket::{Bound, Ticket};

use crate::App;
use crate::admission::{self, Answer, Presented};
use crate::book::Book;
use crate::control;
use crate::error::{Error, Result};
use crate::log::{self, Inclusion};
use crate::secret::sha256;

/// What a wallet shows to have a ticket bound to it.
pub enum Wallet {
    /// Its public key: a point of P-256, SEC 1.
    Key(Vec<u8>),
    /// Random bytes that it drew for this ticket and keeps: a lost answer is asked for again with them.
    Claim([u8; 16]),
}

/// A ticket that is bound.
pub struct BoundTicket {
    /// The ticket.
    pub ticket: Ticket,
    /// The secret, for the wallet that claimed it.
    pub secret: Option<[u8; 32]>,
    /// The proof of the leaf; none when it was bound before.
    pub proof: Option<Inclusion>,
}

/// Binds a ticket to a wallet, once and for good.
pub async fn bind(
    app: &App,
    event: EventNo,
    ticket: TicketId,
    wallet: &Wallet,
) -> Result<BoundTicket> {
    let known = app.store.ticket(event, ticket).await?.ok_or(Error::NotFound("ticket"))?;
    let rotation = known.rotation.ok_or(Error::NotFound("ticket whose code changes"))?;
    let binding = match (rotation.kind, wallet) {
        (Kind::Device, Wallet::Key(key)) => rotating::device_key(key)
            .ok_or_else(|| Error::field("public_key", "This is no P-256 public key."))?
            .to_vec(),
        (Kind::Shared, Wallet::Claim(claim)) => sha256(claim).to_vec(),
        (Kind::Device, Wallet::Claim(_)) => {
            return Err(Error::field("public_key", "This ticket is bound to a wallet's key."));
        }
        (Kind::Shared, Wallet::Key(_)) => {
            return Err(Error::field("claim", "This ticket is bound by a shared secret."));
        }
    };
    let (at, key) = (app.now(), app.log.leaf_key(event));
    match app.store.bind_ticket(event, ticket, binding, at, key).await? {
        Bound::Done(ticket, logged) => {
            let secret = match rotation.kind {
                Kind::Shared => app.books.now().rotation_secret(event, ticket.grant.ticket),
                Kind::Device => None,
            };
            let proof = match logged {
                Some(logged) => Some(log::proved(app, event, logged, None).await?),
                None => None,
            };
            Ok(BoundTicket { ticket, secret, proof })
        }
        Bound::Elsewhere => Err(Error::BoundElsewhere),
        Bound::NotFound => Err(Error::NotFound("ticket")),
    }
}

/// The issuer's part of a ticket that is bound; the wallet adds its proof to make a code.
pub fn head(book: &Book, ticket: &Ticket) -> Option<Vec<u8>> {
    let TypeRotation { kind, interval_s } = ticket.rotation?;
    let bound = ticket.binding.as_ref()?;
    let binding = match kind {
        Kind::Shared => Binding::Shared,
        Kind::Device => Binding::Device(<[u8; DEVICE_KEY_BYTES]>::try_from(bound.as_slice()).ok()?),
    };
    book.rotating_head(ticket.key_no, &ticket.grant, &Rotation { interval_s, binding })
}

/// A proof as seed 002 sends it, without a code.
pub struct Proof {
    /// The ticket.
    pub ticket: TicketId,
    /// Eight bytes over epoch and ticket.
    pub proof: [u8; 8],
    /// The epoch.
    pub epoch: u32,
    /// Where.
    pub gate: GateNo,
    /// The device's name for this presentation.
    pub scan: ScanId,
}

/// Judges and uses a proof with a shared secret, in the order of seed 002: ticket and its time, proof,
/// epoch, replay.
pub async fn redeem(app: &App, device: &Device, proof: Proof) -> Result<Answer> {
    let refuse = |reason| Ok(admission::refused_unread(proof.scan, app.now(), reason));
    let Some(ticket) = app.store.ticket(device.event, proof.ticket).await? else {
        return refuse(Reason::Unknown);
    };
    if control::is_expired(&ticket.grant, app.now()) {
        return refuse(Reason::Expired);
    }
    let shared = ticket.rotation.is_some_and(|rotation| rotation.kind == Kind::Shared);
    let Some(head) = head(&app.books.now(), &ticket).filter(|_| shared) else {
        return refuse(Reason::ProofInvalid);
    };
    let code = rotating::shared_code(&head, proof.epoch, &proof.proof);
    let (gate, scan, direction) = (proof.gate, proof.scan, Direction::Entry);
    let presented = Presented { code, gate, scan, challenge: None, confirm: false, direction };
    let answer = admission::admit(app, device, presented).await?;
    debug_assert!(answer.ticket.is_some() || matches!(answer.verdict, Verdict::Refuse(_)));
    Ok(answer)
}
