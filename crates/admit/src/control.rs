//! Ticket controls by programs: issuing with terms of one's own, verifying, redeeming, asking for
//! the status (seed 004). The same engine as the gates', under the seed's names.

use admit_core::admission::{Scan, Standing, Verdict};
use admit_core::id::{DeviceNo, EventNo, GateNo, ScanId, TicketId, TypeNo, UnixMs};
use admit_core::log::leaf::{Kind, Leaf};
use admit_core::pass::Direction;
use admit_core::reason::Reason;
use admit_core::stats::Outcome;
use admit_core::ticket::{Grant, Invalid, Verified};
use admit_store::admission::{Preview, Recorded, ScanRecord};
use admit_store::event::EventView;
use admit_store::ticket::{Terms, Ticket, fact};

use crate::App;
use crate::admission;
use crate::error::{Error, Result};
use crate::event::Faults;
use crate::issuance::{self, Given};
use crate::log::{self, Inclusion};
use crate::registration::{self, Holder};
use crate::ticket;

/// The device of scans that were made by a program and not at a gate.
pub const PROGRAM: DeviceNo = DeviceNo(0);
/// A gate that the event does not have.
const NO_SUCH_GATE: GateNo = GateNo(u16::MAX);

/// What is to be issued.
pub struct Wanted {
    /// The type (tier).
    pub type_no: TypeNo,
    /// What the ticket is good for.
    pub terms: Terms,
    /// Whether its holder may pass it on.
    pub transferable: bool,
    /// Its holder, if named; sealed, never in the token.
    pub holder: Option<Holder>,
}

/// Issues a ticket with controls of its own.
pub async fn generate(app: &App, view: &EventView, wanted: Wanted) -> Result<Given> {
    let mut faults = Faults::default();
    let terms = &wanted.terms;
    let order = terms.valid_from.zip(terms.valid_until).is_none_or(|(from, until)| from < until);
    faults.unless(order, "exp", "A ticket cannot end before it begins.");
    faults.end()?;
    let kind = view.types.iter().find(|kind| kind.number == wanted.type_no);
    if kind.is_some_and(|kind| kind.details.rotation.is_some()) {
        return Err(Error::field("tier", "The codes of this type live in wallets."));
    }
    let person = registration::sealed(app, wanted.holder.as_ref())?;
    let request = issuance::Request {
        type_no: wanted.type_no,
        person,
        idempotency: None,
        by_public: false,
        terms: Some(wanted.terms),
        transferable: wanted.transferable,
    };
    issuance::issue(app, view.event.number, request).await
}

/// The gate that a program means: by its number, its name, or its name as in addresses. A name that
/// no gate has stands for a gate that no ticket is for; no name for no gate in particular.
pub fn gate_named(view: &EventView, name: Option<&str>) -> GateNo {
    let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) else {
        return GateNo(0);
    };
    let slug = crate::event::slug(name);
    let known = view
        .gates
        .iter()
        .find(|gate| gate.number.0.to_string() == name || crate::event::slug(&gate.name) == slug);
    known.map_or(NO_SUCH_GATE, |gate| gate.number)
}

/// A token that was looked at.
pub struct Examined {
    /// Why it is no genuine ticket of the event, or what it grants.
    pub grant: std::result::Result<Grant, Invalid>,
    /// What would be decided.
    pub verdict: Verdict,
    /// How often it was used.
    pub uses: u32,
    /// Whether it was withdrawn.
    pub revoked: bool,
    /// The proof of the newest leaf about it.
    pub proof: Option<Inclusion>,
}

/// Looks at a token and changes nothing.
pub async fn verify(app: &App, event: EventNo, token: &str, gate: GateNo) -> Result<Examined> {
    match app.books.now().ring.verify(event, &expanded(app, event, token).await?, app.now()) {
        Ok(ticket) => examine(app, ticket, gate).await,
        Err(invalid) => Ok(Examined {
            grant: Err(invalid),
            verdict: Verdict::Refuse(invalid.into()),
            uses: 0,
            revoked: false,
            proof: None,
        }),
    }
}

/// The status of a ticket by its number.
pub async fn status(app: &App, event: EventNo, id: TicketId, gate: GateNo) -> Result<Examined> {
    let known = app.store.ticket(event, id).await?.ok_or(Error::NotFound("ticket"))?;
    let code = ticket::code(&app.books.now(), &known)?;
    verify(app, event, &code, gate).await
}

async fn examine(app: &App, ticket: Verified, gate: GateNo) -> Result<Examined> {
    let event = ticket.grant().event;
    let (id, direction) = (ScanId([0; 16]), Direction::Entry);
    let scan = Scan { id, device: PROGRAM, gate, at: app.now(), direction };
    let Preview { verdict, history, last_leaf } = app.store.preview(ticket, scan).await?;
    let proof = match last_leaf {
        Some(leaf) => Some(newest(app, event, ticket.grant().ticket, leaf).await?),
        None => None,
    };
    let withdrawn = Verdict::Refuse(Reason::Revoked);
    Ok(Examined {
        grant: Ok(*ticket.grant()),
        verdict,
        uses: history.map_or(0, |history| history.uses),
        revoked: verdict == withdrawn,
        proof,
    })
}

/// The proof of the newest leaf about a ticket, with what opens it.
async fn newest(app: &App, event: EventNo, id: TicketId, leaf: u64) -> Result<Inclusion> {
    let proof = log::prove(app, event, leaf).await?;
    let scans = app.store.scans_of(event, id).await?;
    if let Some(scan) = scans.iter().find(|scan| scan.leaf == Some(leaf)) {
        return Ok(log::opened(app, event, proof, scan.fact(None)));
    }
    let Some(ticket) = app.store.ticket(event, id).await? else { return Ok(proof) };
    // What happened to the ticket as such: the leaf says what it was, and when.
    let at = Leaf::parse(&proof.logged.leaf).map_or(ticket.issued_at, |leaf| leaf.at);
    Ok(log::opened(app, event, proof, fact(Kind::Issue, &ticket.grant, at)))
}

/// What came of an attempt to redeem.
pub struct Redeemed {
    /// The token, as in [`Examined`].
    pub grant: std::result::Result<Grant, Invalid>,
    /// Admit or refuse.
    pub verdict: Verdict,
    /// The scan on the books; none when the token was no ticket.
    pub record: Option<ScanRecord>,
    /// The proof of its leaf.
    pub proof: Option<Inclusion>,
    uses: u32,
}

impl Redeemed {
    /// How often the ticket was used, this time included.
    pub fn uses(&self) -> u32 {
        self.uses
    }

    /// Whether it was refused as withdrawn.
    pub fn is_revoked(&self) -> bool {
        self.verdict == Verdict::Refuse(Reason::Revoked)
    }
}

/// Withdraws a ticket; the proof is that of its newest leaf.
pub async fn revoke(app: &App, ticket: &Ticket) -> Result<(Ticket, Option<Inclusion>)> {
    let grant = &ticket.grant;
    let (ticket, logged) =
        ticket::set_standing(app, grant.event, grant.ticket, Standing::Revoked).await?;
    let proof = match (logged, ticket.last_leaf) {
        (Some(logged), _) => Some(log::proved(app, grant.event, logged, None).await?),
        (None, Some(leaf)) => Some(log::prove(app, grant.event, leaf).await?),
        (None, None) => None,
    };
    Ok((ticket, proof))
}

/// Uses a ticket once, like a scan at a gate; `scan` names the attempt, so that it may be repeated.
pub async fn redeem(
    app: &App,
    event: EventNo,
    token: &str,
    gate: GateNo,
    scan: ScanId,
) -> Result<Redeemed> {
    let now = app.now();
    let code = expanded(app, event, token).await?;
    let ticket = match app.books.now().ring.verify(event, &code, now) {
        Ok(ticket) => ticket,
        Err(invalid) => {
            let verdict = Verdict::Refuse(invalid.into());
            return Ok(Redeemed {
                grant: Err(invalid),
                verdict,
                record: None,
                proof: None,
                uses: 0,
            });
        }
    };
    if gate == GateNo(0) && ticket.grant().gates.gates().is_empty() {
        return Err(Error::field("entryPoint", "Say at which gate."));
    }
    let direction = Direction::Entry;
    let scan = Scan { id: scan, device: PROGRAM, gate, at: now, direction };
    let (record, logged) = match app.store.admit(ticket, scan, app.log.leaf_key(event)).await? {
        Recorded::New(record, logged) => (record, Some(logged)),
        Recorded::Repeated(record) => (record, None),
        Recorded::IdReused => return Err(Error::KeyMismatch),
    };
    let verdict = record.verdict().ok_or_else(|| Error::internal("an undo is no verdict"))?;
    let proof = admission::proof(app, &record, logged).await?;
    let uses = match record.outcome {
        Outcome::Admit { use_no } => use_no,
        _ => app.store.preview(ticket, scan).await?.history.map_or(0, |history| history.uses),
    };
    Ok(Redeemed { grant: Ok(*ticket.grant()), verdict, record: Some(record), proof, uses })
}

/// A printed link stands for the token behind it; everything else for itself.
async fn expanded(app: &App, event: EventNo, token: &str) -> Result<String> {
    let linked = ticket::by_link(app, event, token).await?;
    Ok(linked.unwrap_or_else(|| token.to_owned()))
}

/// Whether a ticket's time is over.
pub fn is_expired(grant: &Grant, now: UnixMs) -> bool {
    grant.expires_s != 0 && now.0 >= i64::from(grant.expires_s) * 1000
}

/// The ticket of a number in one of these events.
pub async fn find(app: &App, events: &[EventNo], number: &str) -> Result<Ticket> {
    let id = TicketId::parse_number(number).ok_or(Error::NotFound("ticket"))?;
    for event in events {
        if let Some(ticket) = app.store.ticket(*event, id).await? {
            return Ok(ticket);
        }
    }
    Err(Error::NotFound("ticket"))
}
