//! Stripe: opening Checkout Sessions and asking how they stand, over its HTTP API.
//!
//! Only what is needed is read of an answer: who paid, and with what, stays at Stripe.

pub mod webhook;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use admit_core::id::UnixMs;
use serde::Deserialize;
use thiserror::Error;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, http};

use super::{Opened, Order, Paid, PaymentError, Provider};

/// Where Stripe answers.
pub const BASE_URL: &str = "https://api.stripe.com";
/// The version of the API that this is written for; without it the account's own would count.
pub const API_VERSION: &str = "2024-06-20";
/// Longest wait for an answer, from the name of the host to the last byte.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// Longest wait for a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Largest answer that is read; a session is a few kilobytes.
const ANSWER_BYTES_MAX: u64 = 256 * 1024;
/// Longest name of a payment.
const REFERENCE_CHARS_MAX: usize = 255;
/// Longest text that the payer reads.
const PRODUCT_CHARS_MAX: usize = 250;
/// Longest word for a refusal that is passed on.
const CODE_CHARS_MAX: usize = 64;
/// How often one opening is tried: an answer that was lost is asked for once more.
const TRIES: usize = 2;
/// Stripe keeps a session open for 30 minutes at least and 24 hours at most, counted from when the
/// request arrives; a minute is left for the way there and for clocks that differ.
const OPEN_MS_MIN: i64 = 31 * 60 * 1000;
const OPEN_MS_MAX: i64 = (24 * 60 - 1) * 60 * 1000;

/// How to reach Stripe, and where it sends browsers back to.
#[derive(Clone)]
pub struct Settings {
    /// [`BASE_URL`], or who answers in its place, without a slash at the end.
    pub base_url: String,
    /// The secret key of the account, such as `sk_live_…`.
    pub secret_key: String,
    /// Where the browser goes after paying.
    pub paid_url: String,
    /// Where it goes when the payer turns back.
    pub unpaid_url: String,
    /// Longest wait for an answer; [`ANSWER_WITHIN`] unless there is a reason.
    pub answer_within: Duration,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// Why Stripe cannot be used with these settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SettingsFault {
    /// Neither `https://` nor, for something on this machine, `http://`.
    #[error("the address of Stripe must begin with https://")]
    BaseUrl,
    /// Empty, or not made of visible letters.
    #[error("the secret key of Stripe is missing or has letters that no key has")]
    SecretKey,
}

/// A client of Stripe. Does not show its key.
#[derive(Clone)]
pub struct Stripe {
    settings: Settings,
    agent: Agent,
}

impl fmt::Debug for Stripe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripe").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What is read of a Checkout Session.
#[derive(Deserialize)]
struct Session {
    id: String,
    url: Option<String>,
    status: Option<String>,
    payment_status: Option<String>,
    amount_total: Option<i64>,
    currency: Option<String>,
    metadata: Option<Metadata>,
}

/// What is read of a `PaymentIntent`.
#[derive(Deserialize)]
struct Intent {
    id: String,
    status: String,
    amount: i64,
    /// Not there before the version of 2018-02-28.
    amount_received: Option<i64>,
    currency: String,
    metadata: Option<Metadata>,
}

/// What we wrote beside a payment.
#[derive(Deserialize)]
struct Metadata {
    order: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    error: RefusalReason,
}

#[derive(Deserialize)]
struct RefusalReason {
    code: Option<String>,
    r#type: Option<String>,
}

impl Stripe {
    /// A client with these settings. Asks nothing yet.
    pub fn new(settings: Settings) -> Result<Self, SettingsFault> {
        let https = settings.base_url.starts_with("https://");
        if !https && !settings.base_url.starts_with("http://") {
            return Err(SettingsFault::BaseUrl);
        }
        let key = settings.secret_key.as_bytes();
        if key.is_empty() || !key.iter().all(u8::is_ascii_graphic) {
            return Err(SettingsFault::SecretKey);
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(provider)
            .root_certs(RootCerts::WebPki)
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .https_only(https)
            // The key is for one host: nobody sends it elsewhere.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_WITHIN))
            .timeout_global(Some(settings.answer_within))
            // A refusal is an answer.
            .http_status_as_error(false)
            .build();
        Ok(Self { settings, agent: config.into() })
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v1/{path}", self.settings.base_url)
    }

    fn authorization(&self) -> String {
        format!("Bearer {}", self.settings.secret_key)
    }

    /// Sends one request to open a session.
    fn post_session(&self, key: &str, form: &[(&str, String)]) -> Result<Vec<u8>, PaymentError> {
        let request = self
            .agent
            .post(self.url("checkout/sessions"))
            .header("authorization", self.authorization())
            .header("stripe-version", API_VERSION)
            .header("idempotency-key", key);
        let fields = form.iter().map(|(name, value)| (*name, value.as_str()));
        read(request.send_form(fields).map_err(|error| unreachable(&error))?)
    }

    fn get(&self, path: &str) -> Result<Vec<u8>, PaymentError> {
        let request = self
            .agent
            .get(self.url(path))
            .header("authorization", self.authorization())
            .header("stripe-version", API_VERSION);
        read(request.call().map_err(|error| unreachable(&error))?)
    }

    /// The form that opens a session for `order`.
    fn form(&self, order: &Order, now: UnixMs) -> Vec<(&'static str, String)> {
        let text = |value: &str| value.to_owned();
        vec![
            ("mode", text("payment")),
            ("line_items[0][quantity]", text("1")),
            ("line_items[0][price_data][currency]", order.currency.to_ascii_lowercase()),
            ("line_items[0][price_data][unit_amount]", order.amount_minor.to_string()),
            ("line_items[0][price_data][product_data][name]", product_name(order)),
            ("expires_at", expires_s(order.expires_at, now).to_string()),
            ("success_url", self.settings.paid_url.clone()),
            ("cancel_url", self.settings.unpaid_url.clone()),
            ("client_reference_id", order.reference_hint.clone()),
            ("metadata[order]", order.reference_hint.clone()),
            ("payment_intent_data[metadata][order]", order.reference_hint.clone()),
            // Nothing is asked of the payer that the payment itself does not need.
            ("billing_address_collection", text("auto")),
            ("customer_creation", text("if_required")),
            ("phone_number_collection[enabled]", text("false")),
        ]
    }
}

impl Provider for Stripe {
    /// Opens a Checkout Session, which Stripe keeps open for 30 minutes at least: money can come in
    /// after the order's places were given away.
    fn open(&self, order: &Order, now: UnixMs) -> Result<Opened, PaymentError> {
        let form = self.form(order, now);
        let mut answer = self.post_session(&order.reference_hint, &form);
        for _ in 1..TRIES {
            if answer.as_ref().err().is_some_and(is_worth_asking_again) {
                answer = self.post_session(&order.reference_hint, &form);
            }
        }
        let session: Session = parse(&answer?)?;
        if kind_of(&session.id) != Some(Kind::Session) {
            return Err(PaymentError::Unreadable("a session without a name"));
        }
        let scheme =
            if self.settings.base_url.starts_with("https://") { "https://" } else { "http" };
        let url = session.url.filter(|url| url.starts_with(scheme));
        let url = url.ok_or(PaymentError::Unreadable("a session without a page"))?;
        Ok(Opened { reference: session.id, pay_url: Some(url) })
    }

    fn check(&self, reference: &str) -> Result<Paid, PaymentError> {
        let Some(kind) = kind_of(reference) else { return Ok(Paid::Unknown) };
        let answer = self.get(&format!("{}/{reference}", kind.path()));
        if matches!(answer, Err(PaymentError::Refused { status: 404, .. })) {
            return Ok(Paid::Unknown);
        }
        let answer = answer?;
        let (id, paid) = match kind {
            Kind::Session => read_session(parse(&answer)?)?,
            Kind::Intent => read_intent(parse(&answer)?)?,
        };
        if id == reference { Ok(paid) } else { Err(PaymentError::Unreadable("another payment")) }
    }
}

/// What a reference names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Session,
    Intent,
}

impl Kind {
    fn path(self) -> &'static str {
        match self {
            Self::Session => "checkout/sessions",
            Self::Intent => "payment_intents",
        }
    }
}

/// What `reference` names; none for what is not the name of a payment, and so never gets into an
/// address.
fn kind_of(reference: &str) -> Option<Kind> {
    let (kind, rest) = reference
        .strip_prefix("cs_")
        .map(|rest| (Kind::Session, rest))
        .or_else(|| reference.strip_prefix("pi_").map(|rest| (Kind::Intent, rest)))?;
    let plain = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (plain && !rest.is_empty() && reference.len() <= REFERENCE_CHARS_MAX).then_some(kind)
}

/// The name and the state of a session.
fn read_session(session: Session) -> Result<(String, Paid), PaymentError> {
    let (status, payment) = (session.status.as_deref(), session.payment_status.as_deref());
    let Some(order) = session.metadata.and_then(|metadata| metadata.order) else {
        return Ok((session.id, Paid::Unknown));
    };
    let paid = match (status, payment) {
        (_, Some("paid" | "no_payment_required")) => {
            let amount = session.amount_total.ok_or(PaymentError::Unreadable("no amount"))?;
            let currency = session.currency.ok_or(PaymentError::Unreadable("no currency"))?;
            money(amount, &currency, order)?
        }
        // Complete and unpaid: the bank takes its time.
        (Some("open" | "complete"), Some("unpaid")) => Paid::Pending,
        (Some("expired"), Some("unpaid")) => Paid::Failed,
        _ => return Err(PaymentError::Unreadable("a state of a session that is not known")),
    };
    Ok((session.id, paid))
}

/// The name and the state of an intent.
fn read_intent(intent: Intent) -> Result<(String, Paid), PaymentError> {
    let Some(order) = intent.metadata.and_then(|metadata| metadata.order) else {
        return Ok((intent.id, Paid::Unknown));
    };
    let paid = match intent.status.as_str() {
        "succeeded" => {
            money(intent.amount_received.unwrap_or(intent.amount), &intent.currency, order)?
        }
        "canceled" => Paid::Failed,
        "processing" => Paid::Pending,
        status if status.starts_with("requires_") => Paid::Pending,
        _ => return Err(PaymentError::Unreadable("a state of an intent that is not known")),
    };
    Ok((intent.id, paid))
}

fn money(amount: i64, currency: &str, order: String) -> Result<Paid, PaymentError> {
    let amount_minor = amount.try_into().map_err(|_| PaymentError::Unreadable("the amount"))?;
    Ok(Paid::Paid { amount_minor, currency: currency.to_ascii_uppercase(), order })
}

/// What the payer reads beside the amount.
fn product_name(order: &Order) -> String {
    let day = order.day.as_ref().map(|day| format!(", {day}")).unwrap_or_default();
    let name = format!("{}: {} × {}{day}", order.event_name, order.quantity, order.type_name);
    name.chars().take(PRODUCT_CHARS_MAX).collect()
}

/// When the session ends, Unix seconds: when the places do, as far as Stripe allows.
fn expires_s(wanted: UnixMs, now: UnixMs) -> i64 {
    wanted.clamp(now.plus(OPEN_MS_MIN), now.plus(OPEN_MS_MAX)).0 / 1000
}

/// Whether the same request may go better: nothing came back, Stripe stumbled, or it is at work on
/// the first one still.
fn is_worth_asking_again(error: &PaymentError) -> bool {
    match error {
        PaymentError::Unreachable(_) => true,
        PaymentError::Refused { status, .. } => *status == 409 || *status >= 500,
        PaymentError::Unreadable(_) => false,
    }
}

/// The error of the client names no header, so no key.
fn unreachable(error: &ureq::Error) -> PaymentError {
    PaymentError::Unreachable(error.to_string())
}

/// The body of a good answer, or why it is none.
fn read(mut answer: http::Response<Body>) -> Result<Vec<u8>, PaymentError> {
    let status = answer.status();
    let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
    if status == 200 {
        return body.map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => PaymentError::Unreadable("too long"),
            other => unreachable(&other),
        });
    }
    let code = body.ok().and_then(|body| refusal_code(&body)).unwrap_or_default();
    Err(PaymentError::Refused { status: status.as_u16(), code })
}

/// Stripe's word for a refusal. Its sentence is left out: it can repeat what was sent.
fn refusal_code(body: &[u8]) -> Option<String> {
    let reason = serde_json::from_slice::<Refusal>(body).ok()?.error;
    let code = reason.code.or(reason.r#type)?;
    let plain = code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (plain && code.len() <= CODE_CHARS_MAX).then_some(code)
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, PaymentError> {
    serde_json::from_slice(body).map_err(|_| PaymentError::Unreadable("not the JSON it should be"))
}

#[cfg(test)]
mod tests;
