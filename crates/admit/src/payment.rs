//! Payments: what this service asks of whoever takes the money, and nothing of who pays.
//!
//! A provider is asked by name of a payment and answers with an amount and the order it was for. No
//! name, address or card of a payer is asked for, kept or logged here.

pub mod stripe;

use admit_core::id::UnixMs;
use thiserror::Error;

/// What somebody is about to pay for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Our own random name of the order. Also what makes asking twice open one payment only.
    pub reference_hint: String,
    /// The event, as in links.
    pub event_slug: String,
    /// The event, as the payer reads it.
    pub event_name: String,
    /// The ticket type, as the payer reads it.
    pub type_name: String,
    /// The ticket type's number.
    pub ticket_type: u8,
    /// The day the tickets are for, such as `2026-12-01`; none for the whole event.
    pub day: Option<String>,
    /// How many tickets.
    pub quantity: u16,
    /// What the whole order costs, in the currency's smallest unit.
    pub amount_minor: u32,
    /// ISO 4217, such as `EUR`.
    pub currency: String,
    /// Until when the places are held. A provider may need longer and take money after it.
    pub expires_at: UnixMs,
}

/// A payment that waits for the payer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The provider's name of the payment, to ask about it.
    pub reference: String,
    /// Where the payer's browser goes; none when there is no page.
    pub pay_url: Option<String>,
}

/// What a provider says of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paid {
    /// The money is there.
    Paid {
        /// How much, in the currency's smallest unit.
        amount_minor: u32,
        /// ISO 4217, such as `EUR`.
        currency: String,
        /// Our name of the order, as it was opened.
        order: String,
    },
    /// It may still come.
    Pending,
    /// It will not come.
    Failed,
    /// The provider knows no such payment, or it is none of ours.
    Unknown,
}

/// Why a provider's answer is missing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PaymentError {
    /// No answer came in time, or none that is one.
    #[error("the payment provider cannot be reached: {0}")]
    Unreachable(String),
    /// The provider will not: a status of HTTP, and its own word for the reason.
    #[error("the payment provider refused with status {status}: {code}")]
    Refused {
        /// The status of the answer.
        status: u16,
        /// A word such as `parameter_missing`; empty when it gave none.
        code: String,
    },
    /// The answer was not what the provider's documentation says.
    #[error("the payment provider's answer cannot be read: {0}")]
    Unreadable(&'static str),
}

/// Whoever takes the money. Its functions wait for the network, so they are called where waiting
/// holds up nobody (`spawn_blocking`).
pub trait Provider: Send + Sync {
    /// Opens a payment for `order` at `now`. The same order again gives the same payment.
    fn open(&self, order: &Order, now: UnixMs) -> Result<Opened, PaymentError>;

    /// Asks how a payment stands. A text that cannot be a reference is [`Paid::Unknown`], and the
    /// provider is not asked.
    fn check(&self, reference: &str) -> Result<Paid, PaymentError>;
}
