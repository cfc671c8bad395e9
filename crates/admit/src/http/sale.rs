//! Selling without a name over HTTP: orders, payments, receipts, and how tickets of a type are sold
//! (seed 002's names, `docs/formats/anonymous.md`).

use std::sync::Arc;

use admit_core::id::TypeNo;
use admit_core::sale::{Currency, Sale as CoreSale, State as SaleState};
use admit_store::event::{EventView, TicketType};
use admit_store::sale::VOUCHER;
use axum::Json as Answer;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::change::Change;
use super::extract::{At, Desk, From, Json, event_at};
use super::problem::Problem;
use crate::book::Book;
use crate::error::Error;
use crate::sale::{self, Bought, Provider, Wanted};
use crate::{App, anonymous, clock};

/// How tickets of a type are sold.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SaleTerms {
    /// Price of one ticket in the currency's smallest unit.
    pub(super) price_cents: u32,
    /// Three letters (ISO 4217).
    pub(super) currency: String,
    /// Whether each ticket is for one day of the event.
    pub(super) by_day: bool,
}

impl SaleTerms {
    pub(super) fn of(sale: CoreSale) -> Self {
        Self { price_cents: sale.price_cents, currency: sale.currency.code(), by_day: sale.by_day }
    }

    /// How a type is sold after a change of its settings.
    pub(super) fn changed(
        change: Change<Self>,
        old: Option<CoreSale>,
    ) -> Result<Option<CoreSale>, Error> {
        let terms = match change {
            Change::Keep => return Ok(old),
            Change::Clear => return Ok(None),
            Change::Set(terms) => terms,
        };
        let wrong = || Error::field("sale", "Use the three letters of a currency, such as EUR.");
        Ok(Some(CoreSale {
            price_cents: terms.price_cents,
            currency: Currency::parse(&terms.currency).ok_or_else(wrong)?,
            by_day: terms.by_day,
        }))
    }
}

/// How tickets of a type are sold, for whoever wants one.
#[derive(Serialize, ToSchema)]
pub(super) struct PublicSale {
    #[serde(flatten)]
    terms: SaleTerms,
    /// The days to choose from; empty unless each ticket is for one.
    days: Vec<String>,
    /// `TEST`, `STRIPE`, `VOUCHER`: the ways of paying that are open.
    payments: Vec<&'static str>,
}

impl PublicSale {
    pub(super) fn of(app: &App, view: &EventView, kind: &TicketType) -> Option<Self> {
        let sale = kind.details.sale?;
        let days = if sale.by_day { anonymous::days(view, app.now()) } else { Vec::new() };
        let open = [Provider::Test, Provider::Stripe]
            .into_iter()
            .filter(|provider| app.till().takes(*provider));
        Some(Self {
            terms: SaleTerms::of(sale),
            days: days.into_iter().map(clock::day_text).collect(),
            payments: open.map(Provider::code).chain([VOUCHER]).collect(),
        })
    }
}

/// What somebody wants to buy.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckoutInput {
    /// Slug of the event.
    event: String,
    /// Number of the type.
    ticket_type: u8,
    /// `YYYY-MM-DD`, where tickets are for a day.
    #[serde(default)]
    day: Option<String>,
    quantity: u16,
    /// `TEST` or `STRIPE`.
    payment_provider: String,
}

/// An order that waits for its payment.
#[derive(Serialize, ToSchema)]
pub(super) struct CheckoutAnswer {
    payment_provider: String,
    /// To be kept before paying: the receipt is asked for with it.
    provider_receipt_id: String,
    /// Where to pay; null when there is no such page.
    pay_url: Option<String>,
    amount_cents: u32,
    currency: String,
    quantity: u16,
    /// Until when it can be paid.
    expires_at: String,
}

/// A payment (seed 002).
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReceiptInput {
    /// `TEST` or `STRIPE`.
    payment_provider: String,
    provider_receipt_id: String,
}

/// How far a payment is.
#[derive(Serialize, ToSchema)]
pub(super) struct ReceiptAnswer {
    /// The credential for signatures; null unless verified.
    receipt_id: Option<String>,
    /// `verified`, `pending`, `expired` or `refund_due` (paid too late, and nothing is left).
    status: &'static str,
    /// Slug of the event; null while whoever takes the money tells nothing of the order.
    event: Option<String>,
    ticket_type: Option<u8>,
    day: Option<String>,
    quantity: Option<u16>,
    /// How many were signed.
    signed: Option<u16>,
}

/// A test payment (seed 002).
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TestPayment {
    provider_receipt_id: String,
}

/// What became of it.
#[derive(Serialize, ToSchema)]
pub(super) struct TestPaid {
    /// `verified` or `refund_due`.
    status: &'static str,
}

impl ReceiptAnswer {
    pub(super) fn of(book: &Book, bought: &Bought) -> Self {
        let receipt = bought.receipt.as_ref();
        let item = receipt.map(|receipt| receipt.item);
        let view = item.and_then(|item| book.events.get(&item.event));
        Self {
            receipt_id: bought.credential.map(|bytes| uuid_text(&bytes)),
            status: receipt.map_or("pending", |receipt| status(receipt.state)),
            event: view.map(|view| view.event.details.slug.clone()),
            ticket_type: item.map(|item| item.type_no.0),
            day: item.and_then(|item| item.day).map(clock::day_text),
            quantity: item.map(|item| item.quantity),
            signed: receipt.map(|receipt| receipt.signed),
        }
    }
}

fn status(state: SaleState) -> &'static str {
    match state {
        SaleState::Open => "pending",
        other => other.code(),
    }
}

/// 16 bytes in the form of a UUID, as the seed shows receipts.
fn uuid_text(bytes: &[u8; 16]) -> String {
    let hex = data_encoding::HEXLOWER.encode(bytes);
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

/// Reads what [`uuid_text`] wrote.
pub(super) fn read_receipt_id(text: &str) -> Result<[u8; 16], Error> {
    let hex: String = text.chars().filter(|letter| *letter != '-').collect();
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(Error::NotFound("receipt"))
}

pub(super) fn day(text: Option<&str>) -> Result<Option<i32>, Error> {
    let read = |text| clock::parse_day(text).ok_or_else(|| Error::field("day", "Use YYYY-MM-DD."));
    text.map(read).transpose()
}

fn provider(code: &str) -> Result<Provider, Error> {
    Provider::parse(code).ok_or_else(|| Error::field("payment_provider", "Use TEST or STRIPE."))
}

#[utoipa::path(post, path = "/v1/checkout", tag = "public", operation_id = "checkout",
    request_body = CheckoutInput,
    responses((status = 200, body = CheckoutAnswer), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "Sold out, or closed"),
        (status = 422, body = Problem), (status = 429, body = Problem)))]
/// Orders tickets that are sold without a name. The places are held until the order expires.
pub(super) async fn checkout(
    State(app): State<Arc<App>>,
    From(address): From,
    Json(input): Json<CheckoutInput>,
) -> Result<Answer<CheckoutAnswer>, Problem> {
    app.limits.checkout(address)?;
    let view = event_at(&app, &input.event)?;
    let wanted = Wanted {
        type_no: TypeNo(input.ticket_type),
        day: day(input.day.as_deref())?,
        quantity: input.quantity,
        provider: provider(&input.payment_provider)?,
    };
    let order = sale::checkout(&app, &view, wanted).await?;
    Ok(Answer(CheckoutAnswer {
        payment_provider: order.receipt.provider,
        provider_receipt_id: order.reference,
        pay_url: order.pay_url,
        amount_cents: order.receipt.amount_cents,
        currency: order.receipt.currency.code(),
        quantity: order.receipt.item.quantity,
        expires_at: clock::rfc3339(order.pay_until),
    }))
}

#[utoipa::path(post, path = "/v1/verify_receipt", tag = "public", operation_id = "verify_receipt",
    request_body = ReceiptInput,
    responses((status = 200, body = ReceiptAnswer), (status = 404, body = Problem),
        (status = 422, body = Problem, description = "Not what was ordered"),
        (status = 503, body = Problem, description = "No answer from the payment service: ask again")))]
/// Asks whoever took the money how far a payment is. The same payment always gives the same receipt.
pub(super) async fn verify(
    State(app): State<Arc<App>>,
    From(address): From,
    Json(input): Json<ReceiptInput>,
) -> Result<Answer<ReceiptAnswer>, Problem> {
    app.limits.checkout(address)?;
    let provider = provider(&input.payment_provider)?;
    let bought = sale::verify(&app, provider, &input.provider_receipt_id).await?;
    Ok(Answer(ReceiptAnswer::of(&app.books.now(), &bought)))
}

#[utoipa::path(post, path = "/test/verify", tag = "public", operation_id = "pay_test",
    request_body = TestPayment,
    responses((status = 200, body = TestPaid), (status = 404, body = Problem)))]
/// Pays a test order. There is no such page unless the server runs as a demonstration.
pub(super) async fn pay_test(
    State(app): State<Arc<App>>,
    Json(input): Json<TestPayment>,
) -> Result<Answer<TestPaid>, Problem> {
    let receipt = sale::pay_test(&app, &input.provider_receipt_id).await?;
    Ok(Answer(TestPaid { status: status(receipt.state) }))
}

/// A notice of Stripe that a payment changed: it is asked after, never believed.
pub(super) async fn stripe_notice(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let signature = headers.get("stripe-signature").and_then(|value| value.to_str().ok());
    let notice = app.till().notice(&body, signature.unwrap_or_default(), app.now())?;
    let Some(reference) = notice else { return Ok(StatusCode::NO_CONTENT) };
    match sale::verify(&app, Provider::Stripe, &reference).await {
        // A payment of somebody else's business on the same account is none of ours.
        Ok(_) | Err(Error::NotFound(_)) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err(error.into()),
    }
}

/// What was sold of an event.
#[derive(Serialize, ToSchema)]
pub(super) struct Sales {
    types: Vec<SoldType>,
    payments: Vec<Takings>,
    /// Payments that came too late, to be given back.
    refunds: Vec<Refund>,
    vouchers: Vec<super::voucher::VoucherBatch>,
    /// Voucher codes that were none, since the server started.
    wrong_vouchers_today: u64,
}

/// What was sold of a type.
#[derive(Serialize, ToSchema)]
pub(super) struct SoldType {
    ticket_type: u8,
    type_name: String,
    currency: String,
    /// Places that are taken: ordered, paid, or on vouchers.
    sold: u32,
    /// Tickets that were signed.
    signed: u32,
    /// Tickets that were exchanged for ones that live in a wallet.
    exchanged: u32,
    quota: u32,
    days: Vec<SoldDay>,
}

/// What was sold for a day.
#[derive(Serialize, ToSchema)]
pub(super) struct SoldDay {
    /// Null for the whole event.
    day: Option<String>,
    signed: u32,
}

/// What came in.
#[derive(Serialize, ToSchema)]
pub(super) struct Takings {
    provider: String,
    currency: String,
    /// Payments.
    verified: u32,
    /// Orders that wait.
    open: u32,
    refund_due: u32,
    /// Sum of what was verified.
    amount_cents: u64,
}

/// A payment that is to be given back.
#[derive(Serialize, ToSchema)]
pub(super) struct Refund {
    provider: String,
    /// The provider's name of the payment.
    reference: String,
    amount_cents: u32,
    currency: String,
}

#[utoipa::path(get, path = "/v1/desk/events/{event}/sales", tag = "desk", operation_id = "show_sales",
    params(("event" = String, Path, description = "Slug")),
    responses((status = 200, body = Sales), (status = 404, body = Problem)))]
/// What was sold without a name: numbers only, for there is nothing else.
pub(super) async fn sales(
    State(app): State<Arc<App>>,
    desk: Desk,
    At(slug): At<String>,
) -> Result<Answer<Sales>, Problem> {
    desk.organiser()?;
    let view = app.store.event(&slug).await.map_err(Error::from)?;
    let view = view.ok_or(Error::NotFound("event"))?;
    let event = view.event.number;
    let issuers = app.store.issuers().await.map_err(Error::from)?;
    let exchanged = app.store.exchanged(event).await.map_err(Error::from)?;
    let sold = |kind: &TicketType| {
        let sale = kind.details.sale?;
        let of_type = |issuer: &&admit_store::anonymous::Issuer| {
            issuer.terms.event == event && issuer.terms.type_no == kind.number
        };
        let mut days = std::collections::BTreeMap::<Option<i32>, u32>::new();
        for issuer in issuers.iter().filter(of_type) {
            *days.entry(issuer.day).or_default() += issuer.signed;
        }
        let gone = exchanged.iter().find(|(of, _)| *of == kind.number);
        Some(SoldType {
            ticket_type: kind.number.0,
            type_name: kind.details.name.clone(),
            currency: sale.currency.code(),
            sold: kind.issued,
            signed: days.values().sum(),
            exchanged: gone.map_or(0, |(_, count)| *count),
            quota: kind.details.quota,
            days: days
                .into_iter()
                .map(|(day, signed)| SoldDay { day: day.map(clock::day_text), signed })
                .collect(),
        })
    };
    let types = view.types.iter().filter_map(sold).collect();
    let refunds = app.store.refunds(event).await.map_err(Error::from)?;
    let batches = app.store.batches(event).await.map_err(Error::from)?;
    Ok(Answer(Sales {
        types,
        payments: takings(&app, &view).await?,
        refunds: refunds
            .into_iter()
            .map(|receipt| Refund {
                provider: receipt.provider,
                reference: receipt.reference.unwrap_or_default(),
                amount_cents: receipt.amount_cents,
                currency: receipt.currency.code(),
            })
            .collect(),
        vouchers: batches.iter().map(super::voucher::VoucherBatch::of).collect(),
        wrong_vouchers_today: app.metrics.wrong_vouchers(),
    }))
}

/// What came in, a row for each provider and currency.
async fn takings(app: &App, view: &EventView) -> Result<Vec<Takings>, Error> {
    let mut rows: Vec<Takings> = Vec::new();
    for one in app.store.takings(view.event.number).await? {
        let currency = one.currency.code();
        let same = |row: &&mut Takings| row.provider == one.provider && row.currency == currency;
        let mut fresh = Takings {
            provider: one.provider.clone(),
            currency: currency.clone(),
            verified: 0,
            open: 0,
            refund_due: 0,
            amount_cents: 0,
        };
        let known = rows.iter_mut().find(same);
        let is_new = known.is_none();
        let row = known.unwrap_or(&mut fresh);
        match one.state {
            SaleState::Verified => {
                row.verified = one.count;
                row.amount_cents = one.amount_cents;
            }
            SaleState::Open => row.open = one.count,
            SaleState::RefundDue => row.refund_due = one.count,
            SaleState::Expired => {}
        }
        if is_new {
            rows.push(fresh);
        }
    }
    Ok(rows)
}
