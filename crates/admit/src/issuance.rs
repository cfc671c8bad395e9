//! Issuing: formats, signing keys, and the one way by which a ticket comes to be.

use admit_core::id::{EventNo, KeyNo, TypeNo, UnixMs};
use admit_core::log::leaf::Kind;
use admit_core::ticket::{Algorithm, Format, SigningSecret};
use admit_store::event::TicketType;
use admit_store::key::SigningKey;
use admit_store::log::Logged;
use admit_store::ticket::{IdempotencyKey, Issued, NewTicket, Person, Terms, Ticket};

use crate::App;
use crate::error::{Error, Result};
use crate::log::{self, Inclusion};
use crate::secret;

/// How an event's tickets are written and signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFormat {
    /// Compact, Ed25519: the default.
    Compact,
    /// Compact, HMAC-SHA-256 with a tag of 128 bits: shorter, and only the server can check it.
    CompactHmac,
    /// JSON Web Token, `EdDSA`.
    JwtEdDsa,
    /// JSON Web Token, HS256: only the server can check it.
    JwtHs256,
}

impl TokenFormat {
    /// All formats, the default first.
    pub const ALL: &[Self] = &[Self::Compact, Self::CompactHmac, Self::JwtEdDsa, Self::JwtHs256];

    /// Its code in the API and the database.
    pub fn code(self) -> &'static str {
        match self {
            Self::Compact => "a1",
            Self::CompactHmac => "a1-hmac",
            Self::JwtEdDsa => "jwt-eddsa",
            Self::JwtHs256 => "jwt-hs256",
        }
    }

    /// The format with this code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|format| format.code() == code)
    }

    /// What it signs with.
    pub fn algorithm(self) -> Algorithm {
        match self {
            Self::Compact | Self::JwtEdDsa => Algorithm::Ed25519,
            Self::CompactHmac | Self::JwtHs256 => Algorithm::HmacSha256,
        }
    }

    /// How it is written.
    pub fn form(self) -> Format {
        match self {
            Self::Compact | Self::CompactHmac => Format::Compact,
            Self::JwtEdDsa | Self::JwtHs256 => Format::Jwt,
        }
    }
}

/// Who asks for a ticket, and for whom.
pub struct Request {
    /// The type.
    pub type_no: TypeNo,
    /// The holder.
    pub person: Option<Person>,
    /// The request, if it may be repeated.
    pub idempotency: Option<IdempotencyKey>,
    /// Whether the event must be open for registration.
    pub by_public: bool,
    /// What it is good for; none for what its type says.
    pub terms: Option<Terms>,
    /// Whether its holder may pass it on.
    pub transferable: bool,
}

/// A ticket that was asked for.
pub struct Given {
    /// The ticket.
    pub ticket: Ticket,
    /// Its leaf in the audit log; none when it was issued before, for the same request.
    pub logged: Option<Logged>,
}

/// Issues one ticket of `event`.
pub async fn issue(app: &App, event: EventNo, request: Request) -> Result<Given> {
    let now = app.now();
    let book = app.books.now();
    let view = book.events.get(&event).ok_or(Error::NotFound("event"))?;
    let sold = |kind: &TicketType| kind.number == request.type_no && kind.details.sale.is_some();
    if view.types.iter().any(sold) {
        return Err(Error::field("ticket_type", "These tickets are sold without a name."));
    }
    let format = TokenFormat::parse(&view.event.details.token_format)
        .ok_or_else(|| Error::internal("unknown token format"))?;
    let signer = book
        .signer(event, format.algorithm(), now)
        .ok_or_else(|| Error::internal("the event has no signing key"))?;
    let serial_key = book.serial_key(event).ok_or(Error::NotFound("event"))?;
    let issued = app
        .store
        .issue(NewTicket {
            event,
            type_no: request.type_no,
            person: request.person,
            idempotency: request.idempotency,
            serial_key: *serial_key,
            random: u32::from_be_bytes(secret::random()?),
            key_no: signer.number,
            format: format.code().to_owned(),
            by_public: request.by_public,
            terms: request.terms,
            transferable: request.transferable,
            link: u64::from_be_bytes(secret::random()?),
            at: now,
            log_key: app.log.leaf_key(event),
        })
        .await?;
    match issued {
        Issued::New(ticket, logged) => Ok(Given { ticket, logged: Some(logged) }),
        Issued::Repeated(ticket) => Ok(Given { ticket, logged: None }),
        Issued::KeyMismatch => Err(Error::KeyMismatch),
        Issued::SoldOut => Err(Error::SoldOut),
        Issued::Closed => Err(Error::RegistrationClosed),
        Issued::NotFound => Err(Error::NotFound("ticket type")),
    }
}

/// The proof that a ticket's issue stands in the audit log, with what opens its leaf.
pub async fn proof(app: &App, given: &Given) -> Result<Option<Inclusion>> {
    let ticket = &given.ticket;
    let event = ticket.grant.event;
    let fact = admit_store::ticket::fact(Kind::Issue, &ticket.grant, ticket.issued_at);
    let opening = Some(fact.opening(&app.log.leaf_key(event)));
    if let Some(logged) = given.logged.clone() {
        return log::proved(app, event, logged, opening).await.map(Some);
    }
    let Some(leaf) = ticket.leaf else { return Ok(None) };
    Ok(Some(Inclusion { opening, ..log::prove(app, event, leaf).await? }))
}

/// Makes sure that the event has a key for its format, and reads the books again.
pub async fn ensure_key(app: &App, event: EventNo, format: TokenFormat) -> Result<()> {
    let (now, algorithm) = (app.now(), format.algorithm());
    if app.books.now().signer(event, algorithm, now).is_none() {
        add_key(app, event, algorithm).await?;
    }
    app.refresh().await
}

/// Makes a new key of the event's format, and retires the ones before it: they sign nothing more, and
/// verify until `verify_until`, or for ever.
pub async fn rotate_key(
    app: &App,
    event: EventNo,
    format: TokenFormat,
    verify_until: Option<UnixMs>,
) -> Result<()> {
    let (now, algorithm) = (app.now(), format.algorithm());
    if verify_until.is_some_and(|until| until <= now) {
        return Err(Error::field("verify_until", "Tickets would be refused at once."));
    }
    let added = add_key(app, event, algorithm).await?;
    for key in app.store.keys().await? {
        let before = key.event == event && key.algorithm == algorithm && key.number != added;
        if before && key.retired_at.is_none() {
            let not_after = key.not_after.or(verify_until);
            let retired = SigningKey { retired_at: Some(now), not_after, ..key };
            app.store.put_key(retired, now).await?;
        }
    }
    app.refresh().await
}

async fn add_key(app: &App, event: EventNo, algorithm: Algorithm) -> Result<KeyNo> {
    let now = app.now();
    let book = app.books.now();
    let last = book.signers(event).iter().map(|key| key.number.0).max().unwrap_or(0);
    let number = KeyNo(last.checked_add(1).ok_or(Error::TooMany("keys"))?);
    let seed: [u8; 32] = secret::random()?;
    let key = SigningKey {
        event,
        number,
        algorithm,
        secret: app.vault.wrap(&seed, now)?,
        public_key: SigningSecret::from_seed(algorithm, seed).public_key(),
        created_at: now,
        retired_at: None,
        not_after: None,
    };
    app.store.put_key(key, now).await?;
    Ok(number)
}
