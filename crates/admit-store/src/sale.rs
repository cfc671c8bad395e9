//! Contract: orders and their receipts, and vouchers. A receipt links a payment to a number of
//! signatures, never to a ticket, and holds nothing of who paid.

use admit_core::id::{EventNo, TypeNo, UnixMs};
use admit_core::sale::{Currency, State};
use async_trait::async_trait;

use crate::Result;

/// Most vouchers of one batch.
pub const VOUCHERS_MAX: usize = 1000;
/// Provider of receipts that vouchers bought.
pub const VOUCHER: &str = "VOUCHER";
/// Receipts are dated to the hour: a time to the second would tell who stood at the counter.
const COARSE_MS: i64 = 3_600_000;

/// The hour of a time.
pub fn coarse(at: UnixMs) -> UnixMs {
    UnixMs(at.0 - at.0.rem_euclid(COARSE_MS))
}

/// What is bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// The event.
    pub event: EventNo,
    /// The ticket type.
    pub type_no: TypeNo,
    /// The day, counted from 1970; none for the whole event.
    pub day: Option<i32>,
    /// How many tickets.
    pub quantity: u16,
}

/// A payment on the books. `id` is a hash: nobody who reads the books can use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// SHA-256 of what the buyer has.
    pub id: [u8; 32],
    /// What is bought.
    pub item: Item,
    /// Code of who takes the money.
    pub provider: String,
    /// What it costs, in the currency's smallest unit.
    pub amount_cents: u32,
    /// The currency.
    pub currency: Currency,
    /// How far it is.
    pub state: State,
    /// The hour of the order.
    pub created_at: UnixMs,
    /// Until when places are held while it is open.
    pub expires_at: UnixMs,
    /// How many signatures were given.
    pub signed: u16,
    /// The provider's name of the payment; only while money is to be given back.
    pub reference: Option<String>,
}

/// The answer to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ordered {
    /// The places are held.
    Done(Receipt),
    /// Not so many are left.
    SoldOut,
    /// No such type, or it is not sold.
    NotFound,
}

/// Vouchers to be made.
#[derive(Clone, Debug)]
pub struct NewBatch {
    /// What each buys.
    pub item: Item,
    /// What the organiser calls them.
    pub label: String,
    /// Hashes of their codes, at most [`VOUCHERS_MAX`].
    pub hashes: Vec<[u8; 32]>,
    /// From when on they are worth nothing; none for never.
    pub expires_at: Option<UnixMs>,
    /// Now.
    pub at: UnixMs,
}

/// Vouchers that were made together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its number within the event.
    pub number: u32,
    /// What each buys.
    pub item: Item,
    /// What the organiser calls them.
    pub label: String,
    /// How many there are.
    pub count: u32,
    /// How many were redeemed.
    pub redeemed: u32,
    /// When they were made.
    pub created_at: UnixMs,
    /// From when on they are worth nothing.
    pub expires_at: Option<UnixMs>,
    /// When they were withdrawn.
    pub voided_at: Option<UnixMs>,
}

/// The answer to making vouchers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Batched {
    /// They are made, and their places held.
    Done(Batch),
    /// Not so many are left.
    SoldOut,
    /// No such type, or it is not sold.
    NotFound,
}

/// Somebody redeems a voucher.
#[derive(Clone, Copy, Debug)]
pub struct Redemption {
    /// Hash of the code.
    pub voucher: [u8; 32],
    /// Hash of what the wallet drew: by it the answer can be asked for again.
    pub claim: [u8; 32],
    /// Hash of the receipt it gets.
    pub receipt: [u8; 32],
    /// Now.
    pub at: UnixMs,
}

/// The answer to redeeming a voucher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redeemed {
    /// This receipt, now or by the same claim before.
    Done(Receipt),
    /// Somebody else had it.
    Used,
    /// There is none.
    Unknown,
    /// It is worth nothing any more.
    Expired,
}

/// What came in by one provider in one currency, in one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takings {
    /// Code of who takes the money.
    pub provider: String,
    /// The currency.
    pub currency: Currency,
    /// How far these payments are.
    pub state: State,
    /// How many.
    pub count: u32,
    /// Their sum.
    pub amount_cents: u64,
}

/// Selling.
#[async_trait]
pub trait Sales: Send + Sync {
    /// Holds places for an order; those of orders that were not paid in time are freed first. The same id
    /// again is the same order.
    async fn order(&self, receipt: Receipt, at: UnixMs) -> Result<Ordered>;
    /// The receipt with this hash.
    async fn receipt(&self, id: [u8; 32]) -> Result<Option<Receipt>>;
    /// The money is there: the receipt is good, or the money is to be given back when its places are
    /// gone. `reference` is kept only then.
    async fn settle(&self, id: [u8; 32], reference: String, at: UnixMs) -> Result<Option<Receipt>>;
    /// The provider could not be reached or said no: the places are free again.
    async fn abandon(&self, id: [u8; 32]) -> Result<()>;
    /// Makes vouchers and holds their places.
    async fn add_vouchers(&self, batch: NewBatch) -> Result<Batched>;
    /// Redeems a voucher, once.
    async fn redeem_voucher(&self, redemption: Redemption) -> Result<Redeemed>;
    /// The batches of an event, the newest first, at most [`crate::PAGE_ROWS_MAX`].
    async fn batches(&self, event: EventNo) -> Result<Vec<Batch>>;
    /// Withdraws the vouchers of a batch that nobody redeemed, and frees their places.
    async fn void_batch(&self, event: EventNo, number: u32, at: UnixMs) -> Result<Option<Batch>>;
    /// Of these hashes, those of an event's vouchers that nobody redeemed and that are still good.
    async fn good_vouchers(&self, event: EventNo, hashes: Vec<[u8; 32]>) -> Result<Vec<Batch>>;
    /// What came in for an event.
    async fn takings(&self, event: EventNo) -> Result<Vec<Takings>>;
    /// Payments of an event that are to be given back, at most [`crate::PAGE_ROWS_MAX`].
    async fn refunds(&self, event: EventNo) -> Result<Vec<Receipt>>;
}
