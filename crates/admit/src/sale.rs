//! Selling tickets without a name: orders, payments and vouchers. What is kept links a payment to a
//! number of signatures, never to a ticket, and nothing of who paid.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use admit_core::id::{EventNo, TypeNo, UnixMs, hmac_sha256};
use admit_core::sale::{QUANTITY_MAX, State};
use admit_core::voucher::VoucherCode;
use admit_store::event::EventView;
use admit_store::sale::{
    Batch, Batched, Item, NewBatch, Ordered, Receipt, Redeemed, Redemption, VOUCHERS_MAX,
};
use data_encoding::BASE64URL_NOPAD;

use crate::App;
use crate::anonymous::{ensure_key, sold};
use crate::clock;
use crate::error::{Error, Result};
use crate::event::Faults;
use crate::payment::{Order, Paid};
use crate::pdf::{self, Card, Fact, VoucherSheet};
use crate::secret::{self, sha256};
use crate::ticket::ACCENT;

/// How long places are held for an order that is not paid, in milliseconds: Stripe's shortest session,
/// and what a payment at its last moment needs.
pub const HOLD_MS: i64 = 36 * 60 * 1000;
/// How long somebody has to pay, in milliseconds.
pub const PAY_WITHIN_MS: i64 = 31 * 60 * 1000;
/// Most receipts that are kept in memory: a megabyte.
const RECEIPTS_KNOWN_MAX: usize = 10_000;
/// What the references of test payments begin with.
const TEST_PREFIX: &str = "test_";
/// Bytes of an order's name.
const ORDER_BYTES: usize = 16;

/// Who takes the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Nobody: for demonstrations.
    Test,
    /// Stripe.
    Stripe,
}

impl Provider {
    /// Its code in the API and the database.
    pub fn code(self) -> &'static str {
        match self {
            Self::Test => "TEST",
            Self::Stripe => "STRIPE",
        }
    }

    /// The provider with this code, in any case.
    pub fn parse(code: &str) -> Option<Self> {
        [Self::Test, Self::Stripe].into_iter().find(|known| known.code().eq_ignore_ascii_case(code))
    }
}

/// What somebody wants to buy.
pub struct Wanted {
    /// The type.
    pub type_no: TypeNo,
    /// The day, counted from 1970; none for the whole event.
    pub day: Option<i32>,
    /// How many.
    pub quantity: u16,
    /// Who shall take the money.
    pub provider: Provider,
}

/// An order that waits for its payment.
pub struct Checkout {
    /// The provider's name of the payment.
    pub reference: String,
    /// Where the buyer pays; none when there is no such page.
    pub pay_url: Option<String>,
    /// The order.
    pub receipt: Receipt,
    /// Until when it can be paid.
    pub pay_until: UnixMs,
}

/// How far a payment is: the receipt, and the credential that only its buyer has, once it is paid.
pub struct Bought {
    /// The receipt; none while whoever takes the money does not tell whose it is.
    pub receipt: Option<Receipt>,
    /// The credential.
    pub credential: Option<[u8; ORDER_BYTES]>,
}

/// The credential of an order: made with a key of the server, so that the same payment always gives the
/// same one, and neither the books nor the provider's lead to it.
fn credential(app: &App, purpose: &str, order: &[&[u8]]) -> [u8; ORDER_BYTES] {
    let parts: Vec<&[u8]> =
        [purpose.as_bytes(), b"\0"].into_iter().chain(order.iter().copied()).collect();
    let tag = hmac_sha256(&app.receipt_key, &parts);
    let (credential, _) = tag.split_first_chunk().unwrap_or((&[0; ORDER_BYTES], &[]));
    *credential
}

/// How a receipt is named on the books.
pub fn receipt_hash(credential: &[u8; ORDER_BYTES]) -> [u8; 32] {
    sha256(&[b"admit-one/receipt/v1\0".as_slice(), credential].concat())
}

fn order_id(app: &App, order: &[u8; ORDER_BYTES]) -> ([u8; ORDER_BYTES], [u8; 32]) {
    let credential = credential(app, "order", &[order]);
    (credential, receipt_hash(&credential))
}

/// Begins a purchase: places are held, and the buyer may pay.
pub async fn checkout(app: &App, view: &EventView, wanted: Wanted) -> Result<Checkout> {
    let now = app.now();
    if !view.event.details.registration_open {
        return Err(Error::RegistrationClosed);
    }
    if !(1..=QUANTITY_MAX).contains(&wanted.quantity) {
        return Err(Error::field("quantity", format!("Choose 1 to {QUANTITY_MAX}.")));
    }
    let (kind, sale) = sold(view, wanted.type_no, wanted.day, now)?;
    if !app.till().takes(wanted.provider) {
        return Err(Error::field("payment_provider", "This way of paying is not open here."));
    }
    ensure_key(app, view, wanted.type_no, wanted.day).await?;
    let order: [u8; ORDER_BYTES] = secret::random()?;
    let (_, id) = order_id(app, &order);
    let amount_cents = sale.price_cents.saturating_mul(u32::from(wanted.quantity));
    let item = Item {
        event: view.event.number,
        type_no: wanted.type_no,
        day: wanted.day,
        quantity: wanted.quantity,
    };
    let receipt = Receipt {
        id,
        item,
        provider: wanted.provider.code().to_owned(),
        amount_cents,
        currency: sale.currency,
        state: State::Open,
        created_at: now,
        expires_at: now.plus(HOLD_MS),
        signed: 0,
        reference: None,
    };
    let receipt = match app.store.order(receipt, now).await? {
        Ordered::Done(receipt) => receipt,
        Ordered::SoldOut => return Err(Error::SoldOut),
        Ordered::NotFound => return Err(Error::NotFound("ticket type that is sold")),
    };
    let pay_until = now.plus(PAY_WITHIN_MS);
    let name = BASE64URL_NOPAD.encode(&order);
    if wanted.provider == Provider::Test {
        let reference = format!("{TEST_PREFIX}{name}");
        return Ok(Checkout { reference, pay_url: None, receipt, pay_until });
    }
    let order = Order {
        reference_hint: name,
        event_slug: view.event.details.slug.clone(),
        event_name: view.event.details.name.clone(),
        type_name: kind.details.name.clone(),
        ticket_type: kind.number.0,
        day: wanted.day.map(clock::day_text),
        quantity: wanted.quantity,
        amount_minor: amount_cents,
        currency: sale.currency.code(),
        expires_at: pay_until,
    };
    match app.till().open(order, now).await {
        Ok(opened) => Ok(Checkout {
            reference: opened.reference,
            pay_url: opened.pay_url,
            receipt,
            pay_until,
        }),
        Err(error) => {
            app.store.abandon(id).await?;
            Err(error)
        }
    }
}

/// The receipt of a payment, after asking whoever took the money.
pub async fn verify(app: &App, provider: Provider, reference: &str) -> Result<Bought> {
    let order = match provider {
        Provider::Test => test_order(reference)?,
        Provider::Stripe => return verify_paid(app, provider, reference).await,
    };
    let (credential, id) = order_id(app, &order);
    let receipt = app.store.receipt(id).await?.ok_or(Error::NotFound("payment"))?;
    Ok(bought(receipt, credential))
}

fn bought(receipt: Receipt, credential: [u8; ORDER_BYTES]) -> Bought {
    let paid = receipt.state == State::Verified;
    Bought { credential: paid.then_some(credential), receipt: Some(receipt) }
}

fn read_order(name: &str) -> Option<[u8; ORDER_BYTES]> {
    BASE64URL_NOPAD.decode(name.as_bytes()).ok()?.try_into().ok()
}

fn test_order(reference: &str) -> Result<[u8; ORDER_BYTES]> {
    let name = reference.strip_prefix(TEST_PREFIX);
    name.and_then(read_order).ok_or(Error::NotFound("payment"))
}

async fn verify_paid(app: &App, provider: Provider, reference: &str) -> Result<Bought> {
    let (amount, currency, order) = match app.till().check(reference).await? {
        Paid::Paid { amount_minor, currency, order } => (amount_minor, currency, order),
        Paid::Pending | Paid::Failed => return Ok(Bought { receipt: None, credential: None }),
        Paid::Unknown => return Err(Error::NotFound("payment")),
    };
    let order = read_order(&order).ok_or(Error::NotFound("payment"))?;
    let (credential, id) = order_id(app, &order);
    let receipt = app.store.receipt(id).await?.ok_or(Error::NotFound("payment"))?;
    if receipt.provider != provider.code() {
        return Err(Error::PaymentMismatch);
    }
    let wanted = receipt.currency.code();
    if amount != receipt.amount_cents || !currency.eq_ignore_ascii_case(&wanted) {
        return Err(Error::PaymentMismatch);
    }
    let settled = app.store.settle(id, reference.to_owned(), app.now()).await?;
    Ok(bought(settled.ok_or(Error::NotFound("payment"))?, credential))
}

/// Pays a test order; only where tests are paid.
pub async fn pay_test(app: &App, reference: &str) -> Result<Receipt> {
    if !app.till().takes(Provider::Test) {
        return Err(Error::NotFound("page"));
    }
    let (_, id) = order_id(app, &test_order(reference)?);
    let settled = app.store.settle(id, reference.to_owned(), app.now()).await?;
    settled.ok_or(Error::NotFound("payment"))
}

/// What paid receipts are for, which never changes: a signature need not ask for it again.
#[derive(Default)]
pub struct Receipts {
    known: Mutex<HashMap<[u8; 32], Item>>,
}

/// A receipt that was paid.
#[derive(Clone, Copy)]
pub struct PaidReceipt {
    /// How it is named on the books.
    pub id: [u8; 32],
    /// What it is for.
    pub item: Item,
}

/// The receipt behind a credential, if it is paid. Whether anything is left of it the store says.
pub async fn receipt(app: &App, credential: &[u8; ORDER_BYTES]) -> Result<PaidReceipt> {
    let id = receipt_hash(credential);
    let known = || app.receipts.known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(item) = known().get(&id).copied() {
        return Ok(PaidReceipt { id, item });
    }
    let receipt = app.store.receipt(id).await?;
    let paid = receipt.filter(|receipt| receipt.state == State::Verified);
    let item = paid.ok_or(Error::NotFound("receipt"))?.item;
    let mut known = known();
    if known.len() >= RECEIPTS_KNOWN_MAX {
        known.clear();
    }
    known.insert(id, item);
    Ok(PaidReceipt { id, item })
}

/// Vouchers to be made.
pub struct WantedVouchers {
    /// What each buys: the type,
    pub type_no: TypeNo,
    /// the day,
    pub day: Option<i32>,
    /// and how many tickets.
    pub quantity: u16,
    /// How many vouchers.
    pub count: usize,
    /// What the organiser calls them.
    pub label: String,
    /// From when on they are worth nothing.
    pub expires_at: Option<UnixMs>,
}

/// Makes vouchers. Their codes are told this once; only hashes are kept.
pub async fn make_vouchers(
    app: &App,
    view: &EventView,
    wanted: WantedVouchers,
) -> Result<(Batch, Vec<VoucherCode>)> {
    let now = app.now();
    let mut faults = Faults::default();
    let count = (1..=VOUCHERS_MAX).contains(&wanted.count);
    faults.unless(count, "count", &format!("Make 1 to {VOUCHERS_MAX} at a time."));
    let quantity = (1..=QUANTITY_MAX).contains(&wanted.quantity);
    faults.unless(quantity, "quantity", &format!("Use 1 to {QUANTITY_MAX} tickets."));
    faults.text("label", &wanted.label, 0, 80);
    let later = wanted.expires_at.is_none_or(|end| end > now);
    faults.unless(later, "expires_at", "They would be worth nothing.");
    faults.end()?;
    sold(view, wanted.type_no, wanted.day, now)?;
    ensure_key(app, view, wanted.type_no, wanted.day).await?;
    let codes = (0..wanted.count).map(|_| new_code()).collect::<Result<Vec<_>>>()?;
    let item = Item {
        event: view.event.number,
        type_no: wanted.type_no,
        day: wanted.day,
        quantity: wanted.quantity,
    };
    let batch = NewBatch {
        item,
        label: wanted.label,
        hashes: codes.iter().map(VoucherCode::hash).collect(),
        expires_at: wanted.expires_at,
        at: now,
    };
    match app.store.add_vouchers(batch).await? {
        Batched::Done(batch) => Ok((batch, codes)),
        Batched::SoldOut => Err(Error::SoldOut),
        Batched::NotFound => Err(Error::NotFound("ticket type that is sold")),
    }
}

fn new_code() -> Result<VoucherCode> {
    loop {
        if let Some(code) = VoucherCode::from_random(&secret::random::<32>()?) {
            return Ok(code);
        }
    }
}

/// Redeems a voucher. `claim` is drawn by the wallet: with it the answer can be asked for again.
pub async fn redeem_voucher(app: &App, code: &VoucherCode, claim: &[u8]) -> Result<Bought> {
    let voucher = code.hash();
    let credential = credential(app, "voucher", &[&voucher, &sha256(claim)]);
    let redemption = Redemption {
        voucher,
        claim: sha256(claim),
        receipt: receipt_hash(&credential),
        at: app.now(),
    };
    match app.store.redeem_voucher(redemption).await? {
        Redeemed::Done(receipt) => Ok(bought(receipt, credential)),
        Redeemed::Used => Err(Error::VoucherUsed),
        Redeemed::Expired => Err(Error::VoucherExpired),
        Redeemed::Unknown => Err(Error::VoucherUnknown),
    }
}

/// The batch of these codes; an error when one is none of its good vouchers.
pub async fn good_vouchers(app: &App, event: EventNo, codes: &[VoucherCode]) -> Result<Batch> {
    if codes.is_empty() || codes.len() > VOUCHERS_MAX {
        return Err(Error::field("codes", format!("Print 1 to {VOUCHERS_MAX} at a time.")));
    }
    let hashes: Vec<_> = codes.iter().map(VoucherCode::hash).collect();
    let good = app.store.good_vouchers(event, hashes).await?;
    let one_batch = good.windows(2).all(|pair| matches!(pair, [a, b] if a.number == b.number));
    if good.len() != codes.len() || !one_batch {
        let why = "One of these is no good voucher of this event, or not of the same batch.";
        return Err(Error::field("codes", why));
    }
    good.into_iter().next().ok_or(Error::NotFound("voucher"))
}

/// A sheet of cards to cut out, for vouchers of one kind; PDF. Takes milliseconds a card: not on the
/// threads that answer gates.
pub fn sheet(app: &App, view: &EventView, batch: &Batch, codes: &[VoucherCode]) -> Result<Vec<u8>> {
    let fonts = app.fonts().ok_or_else(|| Error::internal("no fonts were built in"))?;
    let (details, item) = (&view.event.details, &batch.item);
    let kind = view.types.iter().find(|kind| kind.number == item.type_no);
    let kind = kind.map(|kind| kind.details.name.clone()).unwrap_or_default();
    let tickets = if item.quantity == 1 { kind } else { format!("{} × {kind}", item.quantity) };
    let day = item.day.map(clock::day_text).map(|day| format!("{tickets}, {day}"));
    let card = |code: &VoucherCode| Card {
        code: code.to_string(),
        qr: format!("{}/ticket/#voucher={code}", app.public_url),
    };
    let ends = |end| Fact {
        label: "Good until".to_owned(),
        value: clock::in_zone(end, &details.time_zone),
    };
    let sheet = VoucherSheet {
        lang: "en".to_owned(),
        event: details.name.clone(),
        ticket: day.unwrap_or(tickets),
        label: batch.label.clone(),
        how_to: "Scan this with your phone, or open the address and type the code: it buys a \
                 ticket that nobody can trace to you."
            .to_owned(),
        address: format!("{}/ticket/#voucher", app.public_url),
        expiry: batch.expires_at.map(ends),
        code_label: "QR code of the voucher".to_owned(),
        accent: ACCENT,
        cards: codes.iter().map(card).collect(),
    };
    pdf::voucher_sheet_pdf(fonts, &sheet).map_err(Error::internal)
}
