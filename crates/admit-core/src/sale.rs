//! Selling tickets without a name: what a type costs, for which days, and how far a payment is.

use serde::{Deserialize, Serialize};

/// Most tickets of one order.
pub const QUANTITY_MAX: u16 = 10;
/// Highest price of a ticket, in the currency's smallest unit.
pub const PRICE_MAX: u32 = 1_000_000;

/// How tickets of a type are sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sale {
    /// Price of one ticket in the currency's smallest unit.
    pub price_cents: u32,
    /// The currency.
    pub currency: Currency,
    /// Whether each ticket is for one day of the event.
    pub by_day: bool,
}

impl Sale {
    /// As it is kept in a column.
    pub fn to_text(self) -> String {
        // Serialising numbers and short texts cannot fail.
        serde_json::to_string(&self).unwrap_or_default()
    }

    /// The sale that was kept.
    pub fn of_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// A currency by its three letters (ISO 4217), capitals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// The currency with this code, in any case; none when it is not three letters.
    pub fn parse(code: &str) -> Option<Self> {
        let bytes: [u8; 3] = code.as_bytes().try_into().ok()?;
        let letters = bytes.iter().all(u8::is_ascii_alphabetic);
        letters.then(|| Self(bytes.map(|byte| byte.to_ascii_uppercase())))
    }

    /// Its code.
    pub fn code(self) -> String {
        self.0.iter().copied().map(char::from).collect()
    }
}

impl TryFrom<String> for Currency {
    type Error = &'static str;

    fn try_from(code: String) -> Result<Self, Self::Error> {
        Self::parse(&code).ok_or("a currency has three letters")
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code()
    }
}

/// How far a payment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Places are held, nothing is paid.
    Open,
    /// Paid: it buys signatures.
    Verified,
    /// Not paid in time; the places are free again.
    Expired,
    /// Paid too late, when no place was left: the money is to be given back.
    RefundDue,
}

impl State {
    /// Its code in the API and the database.
    pub fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Verified => "verified",
            Self::Expired => "expired",
            Self::RefundDue => "refund_due",
        }
    }

    /// The state with this code.
    pub fn parse(code: &str) -> Option<Self> {
        [Self::Open, Self::Verified, Self::Expired, Self::RefundDue]
            .into_iter()
            .find(|state| state.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sale_reads_back_from_its_column() {
        let currency = Currency::parse("eur").unwrap();
        let sale = Sale { price_cents: 450, currency, by_day: true };
        assert_eq!(Sale::of_text(&sale.to_text()), Some(sale));
        assert_eq!(currency.code(), "EUR");
    }

    #[test]
    fn a_currency_is_three_letters() {
        assert!(["", "EU", "EURO", "E1R", "€"].iter().all(|code| Currency::parse(code).is_none()));
    }
}
