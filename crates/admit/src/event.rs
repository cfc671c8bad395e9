//! Events, ticket types and gates: what an organiser may say of them.

use admit_core::id::{EventNo, GateNo, TypeNo};
use admit_core::offline::Policy;
use admit_core::pass::WAIT_MIN_MAX;
use admit_core::sale::{PRICE_MAX, Sale};
use admit_core::ticket::Algorithm;
use admit_core::ticket::rotating::{INTERVALS_S, Kind};
use admit_store::event::{Changed, Event, EventDetails, EventView, Gate, TicketType, TypeDetails};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::anonymous;
use crate::clock;
use crate::error::{Error, FieldError, Result};
use crate::issuance::{self, TokenFormat};
use crate::secret;

/// Longest name of anything, in characters.
pub const NAME_CHARS_MAX: usize = 200;
/// Longest description, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 5000;
/// Most questions a form asks.
pub const QUESTIONS_MAX: usize = 20;
/// Most hours that gates may go on without the server.
pub const OFFLINE_HOURS_MAX: u16 = 72;
/// Largest quota.
pub const QUOTA_MAX: u32 = 1_000_000;

/// A question of the registration form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Its name in the answers: `a-z`, `0-9`, `_`.
    pub key: String,
    /// What people read.
    pub label: String,
    /// Whether it must be answered.
    #[serde(default)]
    pub required: bool,
    /// `text` or `choice`.
    pub kind: String,
    /// The answers to choose from.
    #[serde(default)]
    pub options: Vec<String>,
}

/// The event of this slug.
pub fn find(app: &App, slug: &str) -> Result<EventView> {
    app.books.now().event(slug).cloned().ok_or(Error::NotFound("event"))
}

/// The questions of an event.
pub fn questions(details: &EventDetails) -> Result<Vec<Question>> {
    serde_json::from_str(&details.questions).map_err(Error::internal)
}

/// Creates an event with its first key.
pub async fn create(app: &App, details: EventDetails) -> Result<Event> {
    let format = check(&details)?;
    let now = app.now();
    let serial_key = app.vault.wrap(&secret::random::<32>()?, now)?;
    let event =
        changed(app.store.create_event(details, serial_key, app.log.host(), now).await?, "event")?;
    issuance::ensure_key(app, event.number, format).await?;
    Ok(event)
}

/// Changes an event.
pub async fn change(app: &App, event: EventNo, details: EventDetails) -> Result<Event> {
    let format = check(&details)?;
    let book = app.books.now();
    let types = book.events.get(&event).map(|view| view.types.as_slice()).unwrap_or_default();
    check_rotation(format, types.iter().any(|kind| needs_public_key(&kind.details)))?;
    let event = changed(app.store.change_event(event, details).await?, "event")?;
    issuance::ensure_key(app, event.number, format).await?;
    anonymous::keep_up(app, event.number).await?;
    Ok(event)
}

/// Adds a ticket type.
pub async fn add_type(app: &App, event: EventNo, details: TypeDetails) -> Result<TicketType> {
    check_type(&details)?;
    check_lease(app, event, &details)?;
    let format = format_of(app, event).ok_or(Error::NotFound("event"))?;
    check_rotation(format, needs_public_key(&details))?;
    let added = changed(app.store.add_type(event, details).await?, "ticket type")?;
    app.refresh().await?;
    anonymous::keep_up(app, event).await?;
    Ok(added)
}

/// Changes a ticket type; tickets already issued keep what they say.
pub async fn change_type(
    app: &App,
    event: EventNo,
    number: TypeNo,
    details: TypeDetails,
) -> Result<TicketType> {
    check_type(&details)?;
    check_lease(app, event, &details)?;
    let format = format_of(app, event).ok_or(Error::NotFound("event"))?;
    check_rotation(format, needs_public_key(&details))?;
    check_sale(app, event, number, &details).await?;
    let done = changed(app.store.change_type(event, number, details).await?, "ticket type")?;
    app.refresh().await?;
    anonymous::keep_up(app, event).await?;
    Ok(done)
}

/// Adds a gate.
pub async fn add_gate(app: &App, event: EventNo, name: String) -> Result<Gate> {
    check_gate(&name)?;
    let added = changed(app.store.add_gate(event, name).await?, "gate")?;
    app.refresh().await?;
    Ok(added)
}

/// Renames, opens or closes a gate.
pub async fn change_gate(app: &App, event: EventNo, gate: Gate) -> Result<Gate> {
    check_gate(&gate.name)?;
    let done = changed(app.store.change_gate(event, gate).await?, "gate")?;
    app.refresh().await?;
    Ok(done)
}

/// The gate with this number.
pub fn gate(view: &EventView, number: GateNo) -> Result<Gate> {
    view.gates.iter().find(|g| g.number == number).cloned().ok_or(Error::NotFound("gate"))
}

/// A name as part of an address: `Main Gate` is `main-gate`.
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    for letter in name.chars().flat_map(char::to_lowercase) {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

fn changed<T>(changed: Changed<T>, what: &'static str) -> Result<T> {
    match changed {
        Changed::Done(done) => Ok(done),
        Changed::NotFound => Err(Error::NotFound(what)),
        Changed::NameTaken => Err(Error::NameTaken(what)),
        Changed::TooMany => Err(Error::TooMany(what)),
        Changed::BelowIssued => {
            Err(Error::field("quota", "More tickets than that are already issued."))
        }
    }
}

fn check(details: &EventDetails) -> Result<TokenFormat> {
    let mut faults = Faults::default();
    let slug_ok = (1..=64).contains(&details.slug.len()) && slug(&details.slug) == details.slug;
    faults.unless(slug_ok, "slug", "Use lower-case letters, digits and single dashes.");
    faults.text("name", &details.name, 1, NAME_CHARS_MAX);
    faults.text("venue", &details.venue, 0, NAME_CHARS_MAX);
    faults.text("description", &details.description, 0, DESCRIPTION_CHARS_MAX);
    let zone = clock::is_time_zone(&details.time_zone);
    faults.unless(zone, "time_zone", "Use a time zone name such as Europe/Berlin.");
    let order = details.starts_at < details.ends_at;
    faults.unless(order, "ends_at", "The event must end after it starts.");
    let doors = details.doors_at.is_none_or(|doors| doors <= details.starts_at);
    faults.unless(doors, "doors_at", "Doors must open before the event starts.");
    let phone = ["hidden", "optional", "required"].contains(&details.phone.as_str());
    faults.unless(phone, "phone", "Use hidden, optional or required.");
    let questions =
        questions(details).is_ok_and(|list| list.len() <= QUESTIONS_MAX && all_good(&list));
    faults.unless(questions, "questions", "Each question needs its own key, a label and a kind.");
    let hours = (1..=OFFLINE_HOURS_MAX).contains(&details.offline_hours);
    faults.unless(hours, "offline_hours", "Use 1 to 72 hours.");
    let format = TokenFormat::parse(&details.token_format);
    faults.unless(format.is_some(), "token_format", "Use a1, jwt-eddsa or jwt-hs256.");
    faults.end()?;
    format.ok_or_else(|| Error::internal("unchecked token format"))
}

fn all_good(questions: &[Question]) -> bool {
    questions.iter().enumerate().all(|(place, question)| {
        let key_ok = !question.key.is_empty()
            && question.key.len() <= 40
            && question
                .key
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        let own = questions.iter().take(place).all(|before| before.key != question.key);
        let label_ok = (1..=NAME_CHARS_MAX).contains(&question.label.chars().count());
        let kind_ok = match question.kind.as_str() {
            "text" => question.options.is_empty(),
            "choice" => (1..=50).contains(&question.options.len()),
            _ => false,
        };
        key_ok && own && label_ok && kind_ok
    })
}

fn check_type(details: &TypeDetails) -> Result<()> {
    let mut faults = Faults::default();
    faults.text("name", &details.name, 1, 80);
    faults.text("description", &details.description, 0, DESCRIPTION_CHARS_MAX);
    faults.unless(details.quota <= QUOTA_MAX, "quota", "At most one million tickets of a type.");
    let order = details.valid_from.zip(details.valid_until).is_none_or(|(from, to)| from < to);
    faults.unless(order, "valid_until", "The end must be after the start.");
    let interval = details.rotation.is_none_or(|r| INTERVALS_S.contains(&r.interval_s));
    faults.unless(interval, "interval_s", "Use 15, 20, 30, 45 or 60 seconds.");
    let leased = details.offline == Policy::Lease || details.lease_device.is_none();
    faults.unless(
        leased,
        "lease_device",
        "Only tickets under a lease have a device that holds it.",
    );
    let price = details.sale.is_none_or(|sale| sale.price_cents <= PRICE_MAX);
    faults.unless(price, "sale", "This price is too high.");
    let kept = details.sale.is_none() || details.rotation.is_none_or(|r| r.kind == Kind::Device);
    faults.unless(kept, "rotation", "Tickets without a name can only be bound by a key.");
    let alone = details.sale.is_none() || details.offline != Policy::Lease;
    faults.unless(alone, "offline", "Tickets without a name cannot be under a lease.");
    let wait = details.pass.wait_min <= WAIT_MIN_MAX;
    faults.unless(wait, "wait_min", "At most a day: 1440 minutes.");
    faults.end()
}

/// Only a device of the event can hold a lease.
fn check_lease(app: &App, event: EventNo, details: &TypeDetails) -> Result<()> {
    let Some(holder) = details.lease_device else { return Ok(()) };
    let book = app.books.now();
    let known =
        book.devices_of(event).any(|device| device.number == holder && device.revoked_at.is_none());
    if known {
        return Ok(());
    }
    Err(Error::field("lease_device", "There is no such device, or it was removed."))
}

/// Whether a type is sold without a name, and by the day, is settled with its first ticket.
async fn check_sale(
    app: &App,
    event: EventNo,
    number: TypeNo,
    details: &TypeDetails,
) -> Result<()> {
    let how = |sale: Option<Sale>| sale.map(|sale| sale.by_day);
    let views = app.store.events().await?;
    let view = views.iter().find(|view| view.event.number == event);
    let known = view.and_then(|view| view.types.iter().find(|kind| kind.number == number));
    let settled =
        known.is_some_and(|known| known.issued > 0 && how(known.details.sale) != how(details.sale));
    if settled {
        let why = "Tickets of this type are out: make another type.";
        return Err(Error::field("sale", why));
    }
    Ok(())
}

/// Codes that change, also those that anonymous tickets are exchanged for.
fn needs_public_key(details: &TypeDetails) -> bool {
    details.rotation.is_some() || details.sale.is_some()
}

/// Gates check changing codes with public keys, so the event's tickets must be signed with one.
fn check_rotation(format: TokenFormat, rotates: bool) -> Result<()> {
    if rotates && format.algorithm() != Algorithm::Ed25519 {
        let why = "Codes that change need tickets that are signed with a public key.";
        return Err(Error::field("rotation", why));
    }
    Ok(())
}

fn format_of(app: &App, event: EventNo) -> Option<TokenFormat> {
    let book = app.books.now();
    TokenFormat::parse(&book.events.get(&event)?.event.details.token_format)
}

fn check_gate(name: &str) -> Result<()> {
    let mut faults = Faults::default();
    faults.text("name", name, 1, 60);
    faults.end()
}

/// Collects what is wrong with a request, so that all of it is told at once.
#[derive(Default)]
pub struct Faults(Vec<FieldError>);

impl Faults {
    /// Notes `message` about `name` unless `good`.
    pub fn unless(&mut self, good: bool, name: &'static str, message: &str) {
        if !good {
            self.0.push(FieldError { name, message: message.to_owned() });
        }
    }

    /// Notes a text that is too short, too long, or has control characters.
    pub fn text(&mut self, name: &'static str, text: &str, min: usize, max: usize) {
        let chars = text.trim().chars().count();
        if chars < min {
            self.unless(false, name, "This is needed.");
        } else if text.chars().count() > max {
            self.unless(false, name, &format!("At most {max} characters."));
        } else if text.chars().any(|c| c.is_control() && c != '\n') {
            self.unless(false, name, "This has characters that cannot be shown.");
        }
    }

    /// All that was noted, if anything.
    pub fn end(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Invalid(self.0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_part_of_an_address() {
        assert_eq!(slug("Main Gate — Nord/2"), "main-gate-nord-2");
    }
}
