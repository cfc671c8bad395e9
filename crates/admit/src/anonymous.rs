//! Anonymous tickets: the keys that sign them unseen, signing, exchanging them for tickets that live in
//! one wallet, and withdrawing them. What is sold and paid for is `sale.rs`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use admit_blindrsa::{BlindSignError, SecretKey};
use admit_core::admission::EVENT_GRACE_MS;
use admit_core::id::{EventNo, TicketId, TypeNo, UnixMs, hmac_sha256};
use admit_core::privacy_pass;
use admit_core::pss::MODULUS_BYTES;
use admit_core::ticket::Invalid;
use admit_core::ticket::anonymous::{IssuerKey, IssuerTerms, short};
use admit_core::ticket::rotating::{self, Kind};
use admit_store::anonymous::{Exchange, Exchanged, Issuer, RevokedToken, Signing, Slot};
use admit_store::event::{EventView, INTERVAL_S, TicketType, TypeRotation};
use admit_store::ticket::Ticket;

use crate::App;
use crate::clock;
use crate::error::{Error, Result};
use crate::event::Faults;
use crate::log::{self, Inclusion};
use crate::sale::PaidReceipt;
use crate::secret;
use crate::transfer;

/// How long a retired key still signs what was begun before, in milliseconds.
pub const OVERLAP_MS: i64 = 24 * 60 * 60 * 1000;
/// Most days of an event for which tickets of a day are sold.
pub const DAYS_MAX: usize = 60;
/// Sizes of anonymity sets that are told: rounded down to one of these.
const SIZES: &[u32] = &[0, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];

/// Secret keys that were opened, so that a signature costs no unsealing.
#[derive(Default)]
pub struct Signers {
    opened: Mutex<HashMap<[u8; 32], Arc<SecretKey>>>,
    /// One key at a time: two for one thing would split those who buy it.
    making: tokio::sync::Mutex<()>,
}

impl Signers {
    fn open(&self, app: &App, issuer: &Issuer) -> Result<Arc<SecretKey>> {
        let opened = || self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = opened().get(&issuer.key_id) {
            return Ok(Arc::clone(key));
        }
        let der = app.vault.unwrap(&issuer.secret)?;
        let key = Arc::new(SecretKey::from_der(&der).map_err(Error::internal)?);
        opened().insert(issuer.key_id, Arc::clone(&key));
        Ok(key)
    }
}

/// The issuer of an event, as Privacy Pass names it: after the installation, as its logs are.
pub fn issuer_name(app: &App, event: EventNo) -> String {
    format!("{}/issuer/{}", app.log.host(), event.0)
}

/// The challenge that tokens of an event answer (RFC 9577, section 2.1.1).
pub fn challenge(app: &App, event: EventNo) -> Vec<u8> {
    let name = issuer_name(app, event);
    privacy_pass::challenge(&name, &privacy_pass::redemption_context(&name))
}

/// What checks the tickets of a key; none when the key is not understood.
pub fn issuer_key(host: &str, issuer: &Issuer) -> Option<IssuerKey> {
    let name = format!("{host}/issuer/{}", issuer.terms.event.0);
    let challenge = privacy_pass::challenge(&name, &privacy_pass::redemption_context(&name));
    let digest = privacy_pass::challenge_digest(&challenge);
    IssuerKey::new(&issuer.spki, digest, issuer.terms, None)
}

/// The days for which tickets of an event are sold by the day, from today on.
pub fn days(view: &EventView, now: UnixMs) -> Vec<i32> {
    let details = &view.event.details;
    let zone = &details.time_zone;
    let first = clock::day_of(details.starts_at.max(now), zone);
    let last = clock::day_of(details.ends_at.plus(-1), zone);
    (first..=last).take(DAYS_MAX).collect()
}

/// What the tickets of a type are good for, on a day or for the whole event.
fn terms(view: &EventView, kind: &TicketType, day: Option<i32>) -> IssuerTerms {
    let (details, zone) = (&kind.details, &view.event.details.time_zone);
    let (from, until) = match day {
        Some(day) => (Some(clock::day_begins(day, zone)), clock::day_begins(day + 1, zone)),
        None => (None, view.event.details.ends_at.plus(EVENT_GRACE_MS)),
    };
    let from = details.valid_from.max(from);
    let until = details.valid_until.map_or(until, |end| end.min(until));
    let seconds = |at: UnixMs| u32::try_from(at.0.div_euclid(1000)).unwrap_or_default();
    IssuerTerms {
        event: view.event.number,
        type_no: kind.number,
        not_before_s: from.map_or(0, seconds),
        expires_s: seconds(until),
        max_uses: details.max_uses,
        gates: details.gates,
    }
}

/// The type of an event, if it is sold, and if `day` is one of its days.
pub fn sold(
    view: &EventView,
    type_no: TypeNo,
    day: Option<i32>,
    now: UnixMs,
) -> Result<(&TicketType, admit_core::sale::Sale)> {
    let kind = view.types.iter().find(|kind| kind.number == type_no);
    let kind = kind.ok_or(Error::NotFound("ticket type"))?;
    let sale = kind.details.sale.ok_or(Error::NotFound("ticket type that is sold"))?;
    let fits = match day {
        Some(day) => sale.by_day && days(view, now).contains(&day),
        None => !sale.by_day,
    };
    if fits { Ok((kind, sale)) } else { Err(Error::field("day", "Choose one of its days.")) }
}

/// The key that signs for a type and a day: the oldest that is not retired.
pub fn signer(app: &App, event: EventNo, type_no: TypeNo, day: Option<i32>) -> Option<Issuer> {
    let book = app.books.now();
    let good = |issuer: &&Issuer| {
        issuer.terms.type_no == type_no && issuer.day == day && issuer.retired_at.is_none()
    };
    book.issuers(event).iter().find(good).cloned()
}

/// Makes sure that there is a key for a type and a day.
pub async fn ensure_key(
    app: &App,
    view: &EventView,
    type_no: TypeNo,
    day: Option<i32>,
) -> Result<Issuer> {
    let event = view.event.number;
    if let Some(known) = signer(app, event, type_no, day) {
        return Ok(known);
    }
    let _making = app.signers.making.lock().await;
    // Another request, or another server, may have made it meanwhile.
    app.refresh().await?;
    if let Some(known) = signer(app, event, type_no, day) {
        return Ok(known);
    }
    make_key(app, view, type_no, day).await
}

async fn make_key(
    app: &App,
    view: &EventView,
    type_no: TypeNo,
    day: Option<i32>,
) -> Result<Issuer> {
    let (event, now) = (view.event.number, app.now());
    let (kind, _) = sold(view, type_no, day, now)?;
    let key = loop {
        let key = tokio::task::spawn_blocking(SecretKey::generate).await;
        let key = key.map_err(Error::internal)?.map_err(Error::internal)?;
        // Codes name a key by four bytes.
        let id = privacy_pass::key_id(&key.public_key().to_spki());
        let book = app.books.now();
        if book.issuers(event).iter().all(|known| short(&known.key_id) != short(&id)) {
            break key;
        }
    };
    let spki = key.public_key().to_spki();
    let issuer = Issuer {
        terms: terms(view, kind, day),
        day,
        key_id: privacy_pass::key_id(&spki),
        spki,
        secret: app.vault.wrap(&key.to_der(), now)?,
        created_at: now,
        retired_at: None,
        signed: 0,
        leaf: 0,
    };
    app.store.put_issuer(issuer.clone(), now).await?;
    app.refresh().await?;
    signer(app, event, type_no, day).ok_or_else(|| Error::internal("a new key is not there"))
}

/// Makes a new key for a type and a day. The one before begins nothing new, finishes within
/// [`OVERLAP_MS`] what was begun, and verifies as long as its tickets are good.
pub async fn rotate_key(
    app: &App,
    view: &EventView,
    type_no: TypeNo,
    day: Option<i32>,
) -> Result<Issuer> {
    sold(view, type_no, day, app.now())?;
    let _making = app.signers.making.lock().await;
    app.refresh().await?;
    let now = app.now();
    while let Some(old) = signer(app, view.event.number, type_no, day) {
        app.store.put_issuer(Issuer { retired_at: Some(now), ..old }, now).await?;
        app.refresh().await?;
    }
    make_key(app, view, type_no, day).await
}

/// After a change of an event or a type: keys of the whole event are made where they are missing, and what
/// is sold from now on is good for what the type says now. Tickets that are out keep what they say, but for
/// the end of those without one of their own, which follows the event: a postponed event needs no new
/// tickets.
pub async fn keep_up(app: &App, event: EventNo) -> Result<()> {
    let Some(view) = app.books.now().events.get(&event).cloned() else { return Ok(()) };
    let now = app.now();
    for kind in view.types.iter().filter(|kind| kind.details.sale.is_some_and(|s| !s.by_day)) {
        ensure_key(app, &view, kind.number, None).await?;
    }
    for issuer in app.store.issuers().await? {
        let kind = view.types.iter().find(|kind| kind.number == issuer.terms.type_no);
        let Some(kind) = kind.filter(|_| issuer.terms.event == event) else { continue };
        let wanted = terms(&view, kind, issuer.day);
        let same_but_end = IssuerTerms { expires_s: issuer.terms.expires_s, ..wanted };
        let follows = issuer.day.is_none() && kind.details.valid_until.is_none();
        let open = sold(&view, kind.number, issuer.day, now).is_ok() && issuer.retired_at.is_none();
        if wanted == issuer.terms {
            continue;
        }
        if follows && (same_but_end == issuer.terms || !open) {
            let terms = IssuerTerms { expires_s: wanted.expires_s, ..issuer.terms };
            app.store.put_issuer(Issuer { terms, ..issuer }, now).await?;
        } else if open && issuer.signed == 0 {
            app.store.put_issuer(Issuer { terms: wanted, ..issuer }, now).await?;
        } else if open {
            rotate_key(app, &view, kind.number, issuer.day).await?;
        }
    }
    app.refresh().await
}

/// A key as it is published.
pub struct Published {
    /// The key.
    pub issuer: Issuer,
    /// Its event.
    pub view: EventView,
    /// Whether it signs.
    pub signs: bool,
    /// How many have such a ticket at least.
    pub sold_at_least: u32,
    /// The proof that it stands in the audit log.
    pub proof: Inclusion,
}

/// The keys of an event whose tickets are still good, or those of all events.
pub async fn published(app: &App, event: Option<EventNo>) -> Result<Vec<Published>> {
    let now_s = app.now().0.div_euclid(1000);
    let book = app.books.now();
    let mut found = Vec::new();
    for issuer in app.store.issuers().await? {
        let of = issuer.terms.event;
        let over = i64::from(issuer.terms.expires_s) <= now_s;
        if over || event.is_some_and(|event| event != of) {
            continue;
        }
        let Some(view) = book.events.get(&of).cloned() else { continue };
        let current = signer(app, of, issuer.terms.type_no, issuer.day);
        let sizes = SIZES.iter().rev();
        found.push(Published {
            signs: current.is_some_and(|current| current.key_id == issuer.key_id),
            sold_at_least: sizes.copied().find(|size| *size <= issuer.signed).unwrap_or(0),
            proof: log::prove(app, of, issuer.leaf).await?,
            issuer,
            view,
        });
    }
    Ok(found)
}

/// Signs a blinded token for a receipt: as many as were paid for, each again as often as it is asked
/// for. The signature is made first and leaves only when it is counted.
pub async fn sign(
    app: &App,
    receipt: &PaidReceipt,
    key_id: Option<[u8; 32]>,
    blinded: [u8; MODULUS_BYTES],
) -> Result<[u8; MODULUS_BYTES]> {
    let (event, type_no, day) = (receipt.item.event, receipt.item.type_no, receipt.item.day);
    let issuer = match key_id {
        Some(id) => {
            let book = app.books.now();
            book.issuers(event).iter().find(|issuer| issuer.key_id == id).cloned()
        }
        None => signer(app, event, type_no, day),
    };
    let issuer = issuer.ok_or(Error::NotFound("key"))?;
    let key = app.signers.open(app, &issuer)?;
    let signed = tokio::task::spawn_blocking(move || key.blind_sign(&blinded)).await;
    let signature = signed.map_err(Error::internal)?.map_err(|error| match error {
        BlindSignError::OutOfRange => Error::field("blinded_token", error.to_string()),
        BlindSignError::Failed => Error::internal(error),
    })?;
    let signing = Signing {
        receipt: receipt.id,
        key_id: issuer.key_id,
        blinding: hmac_sha256(&app.blinding_key, &[&receipt.id, &blinded]),
        overlap_ms: OVERLAP_MS,
        salt: secret::random()?,
        at: app.now(),
        log_key: app.log.leaf_key(event),
    };
    match app.store.sign_slot(event, signing).await? {
        Slot::Granted => Ok(signature),
        Slot::Used => Err(Error::ReceiptUsed),
        Slot::NotFound => Err(Error::NotFound("receipt")),
        Slot::OtherKey => Err(Error::field("key_id", "This key is not for what was bought.")),
        Slot::KeyRetired => Err(Error::KeyRetired),
    }
}

/// Exchanges an anonymous ticket for one that lives in the wallet with this key. Nothing in either tells
/// of the purchase.
pub async fn exchange(
    app: &App,
    view: &EventView,
    code: &str,
    public_key: &[u8],
) -> Result<Ticket> {
    let (event, now) = (view.event.number, app.now());
    let binding = rotating::device_key(public_key)
        .ok_or_else(|| Error::field("public_key", "This is no P-256 public key."))?;
    let verified = app.books.now().ring.verify(event, code, now);
    let ticket = verified.map_err(|invalid| match invalid {
        Invalid::WrongEvent => Error::Refused(invalid.into()),
        _ => Error::field("code", "This is no valid anonymous ticket."),
    })?;
    if !ticket.is_anonymous() {
        return Err(Error::field("code", "This is no valid anonymous ticket."));
    }
    let kind = view.types.iter().find(|kind| kind.number == ticket.grant().type_no);
    let interval_s = kind.and_then(|kind| kind.details.rotation).map(|old| old.interval_s);
    let rotation =
        TypeRotation { kind: Kind::Device, interval_s: interval_s.unwrap_or(INTERVAL_S) };
    let reissue = transfer::new_ticket(app, view)?;
    let exchange = Exchange { ticket, binding: binding.to_vec(), rotation, reissue };
    match app.store.exchange(exchange).await? {
        Exchanged::Done(ticket, _) => Ok(ticket),
        Exchanged::Refused(reason) => Err(Error::Refused(reason)),
    }
}

/// Withdraws an anonymous ticket by its number: nobody but its wallet knows that number before it is
/// used.
pub async fn withdraw(
    app: &App,
    event: EventNo,
    ticket: TicketId,
    reason: &str,
) -> Result<RevokedToken> {
    let mut faults = Faults::default();
    faults.text("reason", reason, 0, admit_store::anonymous::REASON_CHARS_MAX);
    faults.end()?;
    if app.store.ticket(event, ticket).await?.is_some() {
        return Err(Error::field("number", "This ticket is on the books: withdraw it there."));
    }
    let token = RevokedToken { ticket, reason: reason.trim().to_owned(), at: app.now() };
    let key = app.log.leaf_key(event);
    app.store.withdraw(event, token.clone(), key).await?;
    Ok(token)
}
