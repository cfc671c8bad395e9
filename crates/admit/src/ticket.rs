//! Tickets on the books: what holder and staff see of them, their links, paper and calendar.

use admit_core::admission::Standing;
use admit_core::id::{EventNo, GateSet, TicketId, UnixMs, hmac_sha256};
use admit_core::link;
use admit_store::event::EventView;
use admit_store::log::Logged;
use admit_store::ticket::{Ticket, TicketFilter, TicketPage};
use data_encoding::BASE64URL_NOPAD;
use subtle::ConstantTimeEq;

use crate::App;
use crate::book::Book;
use crate::calendar::{CalendarEntry, calendar_file};
use crate::clock;
use crate::error::{Error, Result};
use crate::issuance::TokenFormat;
use crate::pdf::{self, Fact};
use crate::qr::{self, Level, Symbol};
use crate::registration::{self, Holder};

const ACCESS_PREFIX: &str = "adm1_ticket_";
/// The colour of the printed ticket's band: the accent of the pages.
pub(crate) const ACCENT: [u8; 3] = [0x6A, 0x22, 0x57];

/// The holder's credential for one ticket: lets them see and print it. It names the ticket and
/// proves itself, so that a wrong one costs no query.
pub fn access(app: &App, event: EventNo, ticket: TicketId) -> String {
    let mut bytes = event.0.to_be_bytes().to_vec();
    bytes.extend(ticket.0.to_be_bytes());
    bytes.extend(access_tag(app, &bytes));
    format!("{ACCESS_PREFIX}{}", BASE64URL_NOPAD.encode(&bytes))
}

/// Which ticket a credential is for; none when it is not one of ours.
pub fn read_access(app: &App, text: &str) -> Option<(EventNo, TicketId)> {
    let bytes = BASE64URL_NOPAD.decode(text.strip_prefix(ACCESS_PREFIX)?.as_bytes()).ok()?;
    let (named, tag) = bytes.split_at_checked(12)?;
    if !bool::from(access_tag(app, named).ct_eq(tag)) {
        return None;
    }
    let (event, ticket) = named.split_first_chunk()?;
    Some((
        EventNo(u32::from_be_bytes(*event)),
        TicketId(u64::from_be_bytes(ticket.try_into().ok()?)),
    ))
}

fn access_tag(app: &App, named: &[u8]) -> Vec<u8> {
    hmac_sha256(&app.access_key, &[named]).into_iter().take(16).collect()
}

/// What a printed code says in the place of the token: an address with few modules, that a phone
/// opens and a scanner lets the server resolve.
pub fn link(app: &App, ticket: &Ticket) -> Option<String> {
    ticket.link.map(|number| link::text(&app.public_url, number))
}

/// The code behind the text of a printed link; none when it is no such link, or not of this event.
pub async fn by_link(app: &App, event: EventNo, text: &str) -> Result<Option<String>> {
    let Some(number) = link::number(text) else { return Ok(None) };
    let Some(ticket) = app.store.ticket_by_link(number).await? else { return Ok(None) };
    if ticket.grant.event != event {
        return Ok(None);
    }
    // A link to a ticket whose code changes opens its page; it is no code.
    Ok(Some(code(&app.books.now(), &ticket)?).filter(|code| !code.is_empty()))
}

/// A ticket with everything needed to show it.
pub struct Shown {
    /// The ticket.
    pub ticket: Ticket,
    /// Its event.
    pub event: EventView,
    /// Its holder, if known.
    pub holder: Option<Holder>,
    /// What its QR says.
    pub code: String,
}

/// The ticket behind a credential or a number.
pub async fn show(app: &App, event: EventNo, ticket: TicketId) -> Result<Shown> {
    let ticket = app.store.ticket(event, ticket).await?.ok_or(Error::NotFound("ticket"))?;
    opened(app, ticket)
}

/// Opens a ticket's holder and writes its code.
pub fn opened(app: &App, ticket: Ticket) -> Result<Shown> {
    let book = app.books.now();
    let event = book.events.get(&ticket.grant.event).cloned().ok_or(Error::NotFound("event"))?;
    let holder =
        ticket.person.as_ref().map(|person| registration::open(&app.vault, person)).transpose()?;
    let code = code(&book, &ticket)?;
    Ok(Shown { ticket, event, holder, code })
}

/// The code of a ticket; empty when only its wallet can make one.
pub fn code(book: &Book, ticket: &Ticket) -> Result<String> {
    if ticket.rotation.is_some() {
        return Ok(String::new());
    }
    TokenFormat::parse(&ticket.format)
        .and_then(|format| book.code(format, ticket.key_no, &ticket.grant))
        .ok_or_else(|| Error::internal("the key of a ticket is gone"))
}

/// A page of an event's tickets. `query` is an e-mail address or a ticket number.
pub async fn list(
    app: &App,
    event: EventNo,
    query: &str,
    filter: TicketFilter,
) -> Result<TicketPage> {
    let mut filter = filter;
    let query = query.trim();
    if query.contains('@') {
        filter.email_index = Some(app.vault.email_index(query));
    } else if !query.is_empty() {
        match TicketId::parse_number(query) {
            Some(ticket) => filter.ticket = Some(ticket),
            None => {
                return Err(Error::field(
                    "query",
                    "Enter a whole e-mail address or a whole ticket number.",
                ));
            }
        }
    }
    Ok(app.store.tickets(event, filter).await?)
}

/// Withdraws a ticket, or takes that back; the ticket, and its leaf when that changed it.
pub async fn set_standing(
    app: &App,
    event: EventNo,
    ticket: TicketId,
    standing: Standing,
) -> Result<(Ticket, Option<Logged>)> {
    let key = app.log.leaf_key(event);
    let changed = app.store.set_standing(event, ticket, standing, app.now(), key).await?;
    changed.ok_or(Error::NotFound("ticket"))
}

/// Removes the person behind a ticket; the ticket still admits.
pub async fn erase(app: &App, event: EventNo, ticket: TicketId) -> Result<Ticket> {
    let ticket = app.store.erase_person(event, ticket, app.now()).await?;
    ticket.ok_or(Error::NotFound("ticket"))
}

/// The names of the gates in a set; empty for any.
pub fn gate_names(event: &EventView, gates: GateSet) -> Vec<String> {
    let wanted = gates.gates();
    let named = event.gates.iter().filter(|gate| wanted.contains(&gate.number));
    named.map(|gate| gate.name.clone()).collect()
}

/// A code that changes cannot be printed, and one that is void should not be.
fn on_paper(shown: &Shown) -> Result<()> {
    let void = shown.ticket.history.standing == Standing::Transferred;
    if shown.ticket.rotation.is_some() || void {
        Err(Error::NotFound("paper ticket"))
    } else {
        Ok(())
    }
}

/// The code as an SVG picture for a screen.
pub fn svg(shown: &Shown) -> Result<String> {
    on_paper(shown)?;
    let symbol = Symbol::new(&shown.code, Level::Medium).map_err(Error::internal)?;
    Ok(qr::to_svg(&symbol, "Your ticket's code"))
}

/// The ticket as a PDF for paper.
pub fn pdf(app: &App, shown: &Shown) -> Result<Vec<u8>> {
    on_paper(shown)?;
    let fonts = app.fonts().ok_or_else(|| Error::internal("the fonts are not built in"))?;
    pdf::ticket_pdf(fonts, &page(shown)).map_err(Error::internal)
}

fn page(shown: &Shown) -> pdf::TicketPage {
    let event = &shown.event.event.details;
    let grant = &shown.ticket.grant;
    let fact = |label: &str, value: String| Fact { label: label.to_owned(), value };
    let time = |at: UnixMs| clock::in_zone(at, &event.time_zone);
    let bound = |seconds: u32| time(UnixMs(i64::from(seconds) * 1000));
    let kind = shown.event.types.iter().find(|t| t.number == grant.type_no);
    let mut facts = vec![fact("Ticket", kind.map_or_else(String::new, |k| k.details.name.clone()))];
    facts.extend(event.doors_at.map(|at| fact("Doors", time(at))));
    facts.push(fact("Starts", time(event.starts_at)));
    facts.push(fact("Ends", time(event.ends_at)));
    let gates = gate_names(&shown.event, grant.gates);
    if !gates.is_empty() {
        facts.push(fact("Gates", gates.join(", ")));
    }
    if grant.not_before_s != 0 {
        facts.push(fact("Valid from", bound(grant.not_before_s)));
    }
    if grant.expires_s != 0 {
        facts.push(fact("Valid until", bound(grant.expires_s)));
    }
    if grant.max_uses != 1 {
        let entries =
            if grant.max_uses == 0 { "any number".to_owned() } else { grant.max_uses.to_string() };
        facts.push(fact("Entries", entries));
    }
    pdf::TicketPage {
        lang: "en".to_owned(),
        heading: "Ticket".to_owned(),
        event: event.name.clone(),
        venue: event.venue.clone(),
        holder: shown.holder.as_ref().map(|holder| fact("Name", holder.name.clone())),
        facts,
        number: grant.ticket.to_string(),
        code: shown.code.clone(),
        code_label: "QR code to be scanned at the gate".to_owned(),
        how_to_heading: "At the gate".to_owned(),
        how_to: [
            "Show this code, on paper or on your phone. Turn the screen up bright.",
            "It lets one person in. The first to show it enters, so do not share or post it.",
            "If it cannot be scanned, staff can type the ticket number.",
        ]
        .map(str::to_owned)
        .to_vec(),
        footer: "Admit One".to_owned(),
        accent: ACCENT,
    }
}

/// The event as a calendar file.
pub fn ics(app: &App, shown: &Shown) -> Result<String> {
    let event = &shown.event.event;
    let host = app.public_url.trim_start_matches("https://");
    let entry = CalendarEntry {
        uid: &format!("event-{}@{host}", event.number.0),
        summary: &event.details.name,
        location: &event.details.venue,
        description: &event.details.description,
        starts: event.details.doors_at.unwrap_or(event.details.starts_at).0,
        ends: event.details.ends_at.0,
    };
    calendar_file(&entry, app.now().0).map_err(Error::internal)
}
