//! Registration: a person asks for a ticket.

use std::collections::BTreeMap;

use admit_core::id::{TypeNo, UnixMs, hmac_sha256};
use admit_store::event::{EventDetails, EventView};
use admit_store::ticket::{IdempotencyKey, Person};

use crate::App;
use crate::error::Result;
use crate::event::{self, Faults, NAME_CHARS_MAX};
use crate::issuance::{self, Given};
use crate::secret;
use crate::vault::{self, Place, Vault};

/// Longest e-mail address, in characters (RFC 5321).
pub const EMAIL_CHARS_MAX: usize = 254;
/// Longest telephone number, in characters.
pub const PHONE_CHARS_MAX: usize = 40;
/// Longest answer, in characters.
pub const ANSWER_CHARS_MAX: usize = 2000;
/// Longest idempotency key, in bytes.
pub const KEY_BYTES_MAX: usize = 128;

/// What a person tells of themselves. No `Debug`: it must not end up in a log.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Holder {
    /// Name, in any script.
    pub name: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Telephone number.
    pub phone: Option<String>,
    /// Answers by the questions' keys.
    pub answers: BTreeMap<String, String>,
}

/// A request for a ticket.
pub struct Registration {
    /// The type wanted.
    pub type_no: TypeNo,
    /// Who wants it.
    pub holder: Holder,
    /// The client's key for this request.
    pub key: Option<String>,
}

/// Registers somebody.
pub async fn register(app: &App, view: &EventView, wanted: Registration) -> Result<Given> {
    let details = &view.event.details;
    check(details, &wanted)?;
    let request = issuance::Request {
        type_no: wanted.type_no,
        idempotency: wanted.key.as_deref().map(|key| idempotency(app, &wanted, key)),
        person: Some(seal(&app.vault, &wanted.holder, app.now())?),
        by_public: true,
        terms: None,
        transferable: false,
    };
    issuance::issue(app, view.event.number, request).await
}

/// Issues a ticket by staff, who need not know for whom.
pub async fn issue_by_staff(
    app: &App,
    view: &EventView,
    type_no: TypeNo,
    holder: Option<Holder>,
) -> Result<Given> {
    let person = sealed(app, holder.as_ref())?;
    let request = issuance::Request {
        type_no,
        person,
        idempotency: None,
        by_public: false,
        terms: None,
        transferable: false,
    };
    issuance::issue(app, view.event.number, request).await
}

/// Checks and seals the holder of a ticket that a program issues, if it names one.
pub fn sealed(app: &App, holder: Option<&Holder>) -> Result<Option<Person>> {
    let Some(holder) = holder else { return Ok(None) };
    let mut faults = Faults::default();
    check_holder(&mut faults, holder);
    faults.end()?;
    seal(&app.vault, holder, app.now()).map(Some)
}

/// Opens what is known of a ticket's holder.
pub fn open(vault: &Vault, person: &Person) -> Result<Holder> {
    let key = vault.person_key(&person.wrapped_key)?;
    let value = |column, sealed: &Option<_>| {
        sealed
            .as_ref()
            .map(|sealed| vault::open(&key, Place { column, row: &person.id }, sealed))
            .transpose()
    };
    let answers = value("person.answers", &person.answers)?;
    Ok(Holder {
        name: value("person.name", &Some(person.name.clone()))?.unwrap_or_default(),
        email: value("person.email", &person.email)?,
        phone: value("person.phone", &person.phone)?,
        answers: answers.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
    })
}

fn seal(vault: &Vault, holder: &Holder, now: UnixMs) -> Result<Person> {
    let id: [u8; 16] = secret::random()?;
    let (key, wrapped_key) = vault.new_person_key(now)?;
    let value = |column, text: &str| vault::seal(&key, Place { column, row: &id }, text, now);
    let some = |column, text: &Option<String>| {
        text.as_ref().map(|text| value(column, text.trim())).transpose()
    };
    let answers = (!holder.answers.is_empty())
        .then(|| serde_json::to_string(&holder.answers).unwrap_or_default());
    Ok(Person {
        id,
        wrapped_key,
        name: value("person.name", holder.name.trim())?,
        email: some("person.email", &holder.email)?,
        phone: some("person.phone", &holder.phone)?,
        answers: some("person.answers", &answers)?,
        email_index: holder.email.as_ref().map(|email| vault.email_index(email)),
    })
}

fn check(details: &EventDetails, wanted: &Registration) -> Result<()> {
    let mut faults = Faults::default();
    let holder = &wanted.holder;
    check_holder(&mut faults, holder);
    faults.unless(holder.email.is_some(), "email", "This is needed.");
    let phone_wanted = details.phone == "required" && holder.phone.is_none();
    faults.unless(!phone_wanted, "phone", "This is needed.");
    let questions = event::questions(details)?;
    for question in &questions {
        let answer = holder.answers.get(&question.key).map_or("", |answer| answer.trim());
        let missing = question.required && answer.is_empty();
        faults.unless(!missing, "answers", &format!("Please answer: {}", question.label));
        let offered = question.kind != "choice"
            || answer.is_empty()
            || question.options.iter().any(|option| option == answer);
        faults.unless(
            offered,
            "answers",
            &format!("Please choose one of the answers: {}", question.label),
        );
        faults.text("answers", answer, 0, ANSWER_CHARS_MAX);
    }
    let asked = holder.answers.keys().all(|key| questions.iter().any(|q| q.key == *key));
    faults.unless(asked, "answers", "There is an answer to a question that is not asked.");
    let key_fits = wanted.key.as_ref().is_none_or(|key| key.len() <= KEY_BYTES_MAX);
    faults.unless(key_fits, "Idempotency-Key", "The key is too long.");
    faults.end()
}

fn check_holder(faults: &mut Faults, holder: &Holder) {
    faults.text("name", &holder.name, 1, NAME_CHARS_MAX);
    if let Some(email) = &holder.email {
        let shaped = email.trim().split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && domain.contains('.') && !domain.contains('@')
        });
        let plain = !email.trim().chars().any(|c| c.is_whitespace() || c.is_control());
        let fits = email.chars().count() <= EMAIL_CHARS_MAX;
        faults.unless(
            shaped && plain && fits,
            "email",
            "This does not look like an e-mail address.",
        );
    }
    if let Some(phone) = &holder.phone {
        faults.text("phone", phone, 0, PHONE_CHARS_MAX);
    }
}

/// Names the request, and what was asked with it, without keeping either.
fn idempotency(app: &App, wanted: &Registration, key: &str) -> IdempotencyKey {
    let holder = &wanted.holder;
    let asked = serde_json::json!([
        wanted.type_no.0,
        holder.name.trim(),
        holder.email,
        holder.phone,
        holder.answers
    ]);
    IdempotencyKey {
        key: hmac_sha256(&app.request_key, &[b"key\0", key.as_bytes()]),
        fingerprint: hmac_sha256(&app.request_key, &[b"asked\0", asked.to_string().as_bytes()]),
    }
}
