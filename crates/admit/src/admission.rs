//! One scan, from the text that a camera read to the answer on the gate's screen.

use admit_core::admission::{Entry, Scan, UNDO_WINDOW_MS, Verdict};
use admit_core::id::{GateNo, ScanId, TicketId, TypeNo, UnixMs};
use admit_core::link;
use admit_core::pass::Direction;
use admit_core::reason::Reason;
use admit_core::stats::Outcome;
use admit_core::ticket::rotating::{CHALLENGE_BYTES, Challenge};
use admit_core::ticket::{Invalid, Verified};
use admit_store::account::Device;
use admit_store::admission::{Recorded, ScanRecord, Undone};
use admit_store::log::Logged;

use crate::App;
use crate::error::{Error, Result};
use crate::log::{self, Inclusion};
use crate::registration;
use crate::ticket;

/// What a device presents.
pub struct Presented {
    /// What the camera read or staff typed.
    pub code: String,
    /// Where.
    pub gate: GateNo,
    /// The device's name for this presentation.
    pub scan: ScanId,
    /// What the gate asked the wallet to sign; then no other code is taken.
    pub challenge: Option<[u8; CHALLENGE_BYTES]>,
    /// Whether the device says afterwards what became of it.
    pub confirm: bool,
    /// Which way.
    pub direction: Direction,
}

/// What the device is told.
pub struct Answer {
    /// Admit or refuse.
    pub verdict: Verdict,
    /// The scan it is about.
    pub scan: ScanId,
    /// Which way.
    pub direction: Direction,
    /// The ticket, when the code is genuine.
    pub ticket: Option<AnswerTicket>,
    /// When it was decided.
    pub at: UnixMs,
    /// Whether it was decided by an earlier request.
    pub repeated: bool,
    /// Until when the device may take an admission back.
    pub undo_until: Option<UnixMs>,
    /// The proof that it stands in the audit log; none when nothing was recorded.
    pub proof: Option<Inclusion>,
}

/// What the device is told of a genuine ticket.
pub struct AnswerTicket {
    /// Which it is.
    pub ticket: TicketId,
    /// Its type.
    pub type_no: TypeNo,
    /// Entries it is good for, 0 for any number.
    pub max_uses: u8,
    /// Whether its issuer signed it unseen.
    pub anonymous: bool,
    /// Until when it is good, when it says so.
    pub expires_at: Option<UnixMs>,
    /// Where it first entered.
    pub first: Option<Entry>,
    /// The holder's name, only when the event shows it at gates.
    pub name: Option<String>,
}

/// Verifies, then spends: the signature is checked before anything is asked of the store.
pub async fn admit(app: &App, device: &Device, presented: Presented) -> Result<Answer> {
    let answer = decide(app, device, presented).await;
    match &answer {
        Ok(answer) => app.metrics.decided(&answer.verdict),
        Err(Error::Store(error)) => app.metrics.unanswered(error),
        Err(_) => {}
    }
    answer
}

async fn decide(app: &App, device: &Device, presented: Presented) -> Result<Answer> {
    let now = app.now();
    let scan = Scan {
        id: presented.scan,
        device: device.number,
        gate: presented.gate,
        at: now,
        direction: presented.direction,
    };
    let nonce = presented.challenge;
    let challenge = nonce.map(|nonce| Challenge { nonce, gate: presented.gate });
    let ticket = match verify(app, device, &presented.code, challenge.as_ref(), now).await? {
        Ok(ticket) => ticket,
        Err(invalid) => {
            let reason = Reason::from(invalid);
            app.live.refused_unread(device.event, &scan, reason);
            let direction = presented.direction;
            return Ok(Answer { direction, ..refused_unread(scan.id, now, reason) });
        }
    };
    let key = app.log.leaf_key(device.event);
    let recorded = if presented.confirm {
        app.store.claim(ticket, scan, key).await?
    } else {
        app.store.admit(ticket, scan, key).await?
    };
    match recorded {
        Recorded::New(record, logged) => answer(app, &ticket, &record, Some(logged)).await,
        Recorded::Repeated(record) => answer(app, &ticket, &record, None).await,
        Recorded::IdReused => Err(Error::KeyMismatch),
    }
}

/// Takes back an entry that this device made; its record, and the proof that it is on the log.
pub async fn undo(
    app: &App,
    device: &Device,
    scan: ScanId,
) -> Result<(ScanRecord, Option<Inclusion>)> {
    let key = app.log.leaf_key(device.event);
    match app.store.undo(device.event, device.number, scan, app.now(), key).await? {
        Undone::Done(record, logged) => {
            let proof = proof(app, &record, logged).await?;
            Ok((record, proof))
        }
        Undone::Refused(refused) => Err(Error::UndoRefused(refused.to_string())),
        Undone::UnknownScan => Err(Error::NotFound("scan")),
    }
}

/// Checks a code. A ticket number typed by hand is no proof by itself: the ticket on the books is
/// written out again and verified like any other, at a limited rate, for numbers can be guessed at.
async fn verify(
    app: &App,
    device: &Device,
    code: &str,
    challenge: Option<&Challenge>,
    now: UnixMs,
) -> Result<std::result::Result<Verified, Invalid>> {
    let book = app.books.now();
    let invalid = match book.ring.verify_answer(device.event, code, challenge, now) {
        Ok(ticket) => return Ok(Ok(ticket)),
        Err(invalid) => invalid,
    };
    if challenge.is_some() {
        return Ok(Err(invalid));
    }
    if link::number(code).is_some() {
        app.limits.linked(device.number)?;
        let Some(code) = ticket::by_link(app, device.event, code).await? else {
            return Ok(Err(invalid));
        };
        return Ok(book.ring.verify(device.event, &code, now));
    }
    let Some(number) = TicketId::parse_number(code) else { return Ok(Err(invalid)) };
    app.limits.typed_number(device.number)?;
    let Some(known) = app.store.ticket(device.event, number).await? else {
        return Ok(Err(invalid));
    };
    // Whoever knows a number does not have the wallet.
    if known.rotation.is_some() {
        return Ok(Err(Invalid::ProofInvalid));
    }
    Ok(book.ring.verify(device.event, &ticket::code(&book, &known)?, now))
}

/// The answer about a code of which nothing is recorded.
pub fn refused_unread(scan: ScanId, at: UnixMs, reason: Reason) -> Answer {
    Answer {
        verdict: Verdict::Refuse(reason),
        scan,
        direction: Direction::Entry,
        ticket: None,
        at,
        repeated: false,
        undo_until: None,
        proof: None,
    }
}

/// The proof of a scan's leaf, with what opens it. `logged` when it was written just now.
pub async fn proof(
    app: &App,
    record: &ScanRecord,
    logged: Option<Logged>,
) -> Result<Option<Inclusion>> {
    if let Some(logged) = logged {
        let opening = record.fact(None).opening(&app.log.leaf_key(record.event));
        return log::proved(app, record.event, logged, Some(opening)).await.map(Some);
    }
    let Some(leaf) = record.leaf else { return Ok(None) };
    let found = log::prove(app, record.event, leaf).await?;
    Ok(Some(log::opened(app, record.event, found, record.fact(None))))
}

async fn answer(
    app: &App,
    verified: &Verified,
    record: &ScanRecord,
    logged: Option<Logged>,
) -> Result<Answer> {
    let ends = UnixMs(i64::from(verified.grant().expires_s) * 1000);
    let verdict = record.verdict().ok_or_else(|| Error::internal("an undo is no verdict"))?;
    let admitted = matches!(record.outcome, Outcome::Admit { .. });
    Ok(Answer {
        verdict,
        scan: record.scan.id,
        direction: record.scan.direction,
        ticket: Some(AnswerTicket {
            ticket: record.ticket,
            type_no: record.type_no,
            max_uses: record.max_uses,
            anonymous: verified.is_anonymous(),
            expires_at: Some(ends).filter(|ends| ends.0 != 0),
            first: record.first,
            name: name_if_shown(app, record).await?,
        }),
        at: record.scan.at,
        repeated: logged.is_none(),
        undo_until: admitted.then(|| record.scan.at.plus(UNDO_WINDOW_MS)),
        proof: proof(app, record, logged).await?,
    })
}

async fn name_if_shown(app: &App, record: &ScanRecord) -> Result<Option<String>> {
    let book = app.books.now();
    let shows = |view: &admit_store::event::EventView| view.event.details.show_name_at_gate;
    if !book.events.get(&record.event).is_some_and(shows) {
        return Ok(None);
    }
    let ticket = app.store.ticket(record.event, record.ticket).await?;
    let Some(person) = ticket.and_then(|ticket| ticket.person) else { return Ok(None) };
    Ok(Some(registration::open(&app.vault, &person)?.name))
}
