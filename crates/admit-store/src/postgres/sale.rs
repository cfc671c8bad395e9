//! Orders, receipts and vouchers in PostgreSQL. A type's row is locked before those of its receipts and
//! vouchers.

use admit_core::id::{EventNo, UnixMs};
use admit_core::sale::{Currency, Sale, State};
use async_trait::async_trait;
use deadpool_postgres::{GenericClient, Transaction};

use super::admission::number;
use super::row::{Columns, collect, first};
use super::{Done, Params, PostgresStore, query};
use crate::sale::{
    Batch, Batched, Item, NewBatch, Ordered, Receipt, Redeemed, Redemption, Sales, Takings,
    VOUCHER, coarse,
};
use crate::{PAGE_ROWS_MAX, Result};

fn read_item(columns: &Columns<'_>) -> Result<Item> {
    Ok(Item {
        event: columns.event()?,
        type_no: columns.type_no("type_no")?,
        day: columns.small_or_none("day")?,
        quantity: columns.small("quantity")?,
    })
}

fn currency(columns: &Columns<'_>) -> Result<Currency> {
    Currency::parse(&columns.text("currency")?).ok_or_else(|| columns.corrupt("currency"))
}

fn state(columns: &Columns<'_>) -> Result<State> {
    State::parse(&columns.text("state")?).ok_or_else(|| columns.corrupt("state"))
}

fn read_receipt(columns: &Columns<'_>) -> Result<Receipt> {
    Ok(Receipt {
        id: columns.bytes("id")?,
        item: read_item(columns)?,
        provider: columns.text("provider")?,
        amount_cents: columns.small("amount_cents")?,
        currency: currency(columns)?,
        state: state(columns)?,
        created_at: columns.time("created_at")?,
        expires_at: columns.time("expires_at")?,
        signed: columns.small("signed")?,
        reference: columns.text_or_none("reference")?,
    })
}

async fn receipt_by_id(client: &impl GenericClient, id: [u8; 32]) -> Done<Option<Receipt>> {
    let rows = query(client, "SELECT * FROM receipt WHERE id = $1", &[&id.as_slice()]).await?;
    Ok(first(&rows, "receipt", read_receipt)?)
}

/// The receipt, held until the transaction ends.
pub(super) async fn hold_receipt(tx: &Transaction<'_>, id: [u8; 32]) -> Done<Option<Receipt>> {
    let sql = "SELECT * FROM receipt WHERE id = $1 FOR UPDATE";
    Ok(first(&query(tx, sql, &[&id.as_slice()]).await?, "receipt", read_receipt)?)
}

/// Holds the row of a type; how it is sold.
async fn hold_type(tx: &Transaction<'_>, item: &Item) -> Done<Option<Sale>> {
    let sql = "SELECT sale FROM ticket_type WHERE event = $1 AND number = $2 FOR UPDATE";
    let rows = query(tx, sql, &[&number(item.event), &i64::from(item.type_no.0)]).await?;
    let sale = first(&rows, "ticket_type", |columns| columns.text_or_none("sale"))?.flatten();
    Ok(sale.and_then(|text| Sale::of_text(&text)))
}

/// Takes places of a type, or gives them back; whether there were so many.
async fn take(tx: &Transaction<'_>, item: &Item, places: i64) -> Done<bool> {
    let sql = "UPDATE ticket_type SET issued = issued + $3
         WHERE event = $1 AND number = $2 AND issued + $3 BETWEEN 0 AND quota RETURNING number";
    let taken = query(tx, sql, &[&number(item.event), &i64::from(item.type_no.0), &places]).await?;
    Ok(!taken.is_empty())
}

/// Frees the places of orders of a type that were not paid in time. The type is held.
async fn expire(tx: &Transaction<'_>, item: &Item, at: UnixMs) -> Done<()> {
    let sql = "SELECT * FROM receipt WHERE event = $1 AND state = 'open' AND expires_at <= $2
         AND type_no = $3 ORDER BY id LIMIT $4 FOR UPDATE";
    let of: Params<'_> =
        &[&number(item.event), &at.0, &i64::from(item.type_no.0), &i64::from(PAGE_ROWS_MAX)];
    for receipt in collect(&query(tx, sql, of).await?, "receipt", read_receipt)? {
        take(tx, &receipt.item, -i64::from(receipt.item.quantity)).await?;
        set_state(tx, receipt.id, State::Expired, receipt.created_at, None).await?;
    }
    Ok(())
}

/// A state that is not open: from here the exact time of the order is gone.
async fn set_state(
    tx: &Transaction<'_>,
    id: [u8; 32],
    state: State,
    at: UnixMs,
    reference: Option<&str>,
) -> Done<()> {
    let sql = "UPDATE receipt SET state = $2, expires_at = $3, reference = $4 WHERE id = $1";
    query(tx, sql, &[&id.as_slice(), &state.code(), &coarse(at).0, &reference]).await?;
    Ok(())
}

async fn insert_receipt(tx: &Transaction<'_>, receipt: &Receipt) -> Done<()> {
    let Item { event, type_no, day, quantity } = receipt.item;
    query(
        tx,
        "INSERT INTO receipt (id, event, type_no, day, quantity, provider, amount_cents, currency,
           state, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
        &[
            &receipt.id.as_slice(),
            &number(event),
            &i64::from(type_no.0),
            &day.map(i64::from),
            &i64::from(quantity),
            &receipt.provider,
            &i64::from(receipt.amount_cents),
            &receipt.currency.code(),
            &receipt.state.code(),
            &coarse(receipt.created_at).0,
            &receipt.expires_at.0,
        ],
    )
    .await?;
    Ok(())
}

async fn order(tx: &Transaction<'_>, receipt: &Receipt, at: UnixMs) -> Done<Ordered> {
    let sale = hold_type(tx, &receipt.item).await?;
    if let Some(known) = receipt_by_id(tx, receipt.id).await? {
        return Ok(Ordered::Done(known));
    }
    expire(tx, &receipt.item, at).await?;
    if sale.is_none() {
        return Ok(Ordered::NotFound);
    }
    if !take(tx, &receipt.item, i64::from(receipt.item.quantity)).await? {
        return Ok(Ordered::SoldOut);
    }
    insert_receipt(tx, receipt).await?;
    Ok(receipt_by_id(tx, receipt.id).await?.map_or(Ordered::NotFound, Ordered::Done))
}

async fn settle(
    tx: &Transaction<'_>,
    id: [u8; 32],
    reference: &str,
    at: UnixMs,
) -> Done<Option<Receipt>> {
    let Some(known) = receipt_by_id(tx, id).await? else { return Ok(None) };
    hold_type(tx, &known.item).await?;
    let Some(receipt) = hold_receipt(tx, id).await? else { return Ok(None) };
    match receipt.state {
        State::Verified | State::RefundDue => return Ok(Some(receipt)),
        State::Open => set_state(tx, id, State::Verified, at, None).await?,
        // Its places were given up: it gets others, if there are any.
        State::Expired if take(tx, &receipt.item, i64::from(receipt.item.quantity)).await? => {
            set_state(tx, id, State::Verified, at, None).await?;
        }
        State::Expired => set_state(tx, id, State::RefundDue, at, Some(reference)).await?,
    }
    receipt_by_id(tx, id).await
}

async fn abandon(tx: &Transaction<'_>, id: [u8; 32]) -> Done<()> {
    let Some(known) = receipt_by_id(tx, id).await? else { return Ok(()) };
    hold_type(tx, &known.item).await?;
    let open = hold_receipt(tx, id).await?.filter(|receipt| receipt.state == State::Open);
    if let Some(receipt) = open {
        take(tx, &receipt.item, -i64::from(receipt.item.quantity)).await?;
        query(tx, "DELETE FROM receipt WHERE id = $1", &[&id.as_slice()]).await?;
    }
    Ok(())
}

const BATCHES: &str = "SELECT voucher_batch.*, (SELECT COUNT(*) FROM voucher
    WHERE voucher.event = voucher_batch.event AND voucher.batch = voucher_batch.number
      AND voucher.receipt IS NOT NULL) AS redeemed FROM voucher_batch";

fn read_batch(columns: &Columns<'_>) -> Result<Batch> {
    Ok(Batch {
        number: columns.small("number")?,
        item: read_item(columns)?,
        label: columns.text("label")?,
        count: columns.small("count")?,
        redeemed: columns.small("redeemed")?,
        created_at: columns.time("created_at")?,
        expires_at: columns.time_or_none("expires_at")?,
        voided_at: columns.time_or_none("voided_at")?,
    })
}

async fn batch_by_number(
    client: &impl GenericClient,
    event: EventNo,
    batch: i64,
) -> Done<Option<Batch>> {
    let sql = format!("{BATCHES} WHERE event = $1 AND number = $2");
    let rows = query(client, &sql, &[&number(event), &batch]).await?;
    Ok(first(&rows, "voucher_batch", read_batch)?)
}

/// The batch, held until the transaction ends, and then counted.
async fn hold_batch(tx: &Transaction<'_>, event: EventNo, batch: i64) -> Done<Option<Batch>> {
    let sql = "SELECT number FROM voucher_batch WHERE event = $1 AND number = $2 FOR UPDATE";
    query(tx, sql, &[&number(event), &batch]).await?;
    batch_by_number(tx, event, batch).await
}

/// Places that a number of vouchers stand for.
fn places(item: &Item, vouchers: usize) -> i64 {
    i64::try_from(vouchers).unwrap_or(i64::MAX).saturating_mul(i64::from(item.quantity))
}

async fn add_vouchers(tx: &Transaction<'_>, new: &NewBatch) -> Done<Batched> {
    let Item { event, type_no, day, quantity } = new.item;
    if hold_type(tx, &new.item).await?.is_none() {
        return Ok(Batched::NotFound);
    }
    expire(tx, &new.item, new.at).await?;
    if !take(tx, &new.item, places(&new.item, new.hashes.len())).await? {
        return Ok(Batched::SoldOut);
    }
    // The event's row, so that two batches at once get two numbers.
    let sql = "SELECT number FROM event WHERE number = $1 FOR UPDATE";
    query(tx, sql, &[&number(event)]).await?;
    let sql = "SELECT COALESCE(MAX(number), 0) + 1 AS next FROM voucher_batch WHERE event = $1";
    let rows = query(tx, sql, &[&number(event)]).await?;
    let batch = first(&rows, "voucher_batch", |columns| columns.int("next"))?.unwrap_or(1);
    let count = i64::try_from(new.hashes.len()).unwrap_or(i64::MAX);
    query(
        tx,
        "INSERT INTO voucher_batch (event, number, label, type_no, day, quantity, count, created_at,
           expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            &number(event),
            &batch,
            &new.label,
            &i64::from(type_no.0),
            &day.map(i64::from),
            &i64::from(quantity),
            &count,
            &new.at.0,
            &new.expires_at.map(|at| at.0),
        ],
    )
    .await?;
    let hashes: Vec<_> = new.hashes.iter().map(<[u8; 32]>::as_slice).collect();
    let sql = "INSERT INTO voucher (hash, event, batch) SELECT unnest($1::bytea[]), $2::bigint, $3::bigint";
    query(tx, sql, &[&hashes, &number(event), &batch]).await?;
    Ok(batch_by_number(tx, event, batch).await?.map_or(Batched::NotFound, Batched::Done))
}

/// A voucher on the books.
struct Voucher {
    event: EventNo,
    batch: i64,
    claim: Option<[u8; 32]>,
    receipt: Option<[u8; 32]>,
}

async fn voucher_by_hash(client: &impl GenericClient, hash: [u8; 32]) -> Done<Option<Voucher>> {
    let rows = query(client, "SELECT * FROM voucher WHERE hash = $1", &[&hash.as_slice()]).await?;
    Ok(first(&rows, "voucher", |columns| {
        Ok(Voucher {
            event: columns.event()?,
            batch: columns.int("batch")?,
            claim: columns.bytes_or_none("claim")?,
            receipt: columns.bytes_or_none("receipt")?,
        })
    })?)
}

async fn redeem(tx: &Transaction<'_>, asked: &Redemption) -> Done<Redeemed> {
    let Some(voucher) = voucher_by_hash(tx, asked.voucher).await? else {
        return Ok(Redeemed::Unknown);
    };
    let Some(batch) = hold_batch(tx, voucher.event, voucher.batch).await? else {
        return Ok(Redeemed::Unknown);
    };
    // Again, now that nobody else can redeem it.
    let Some(voucher) = voucher_by_hash(tx, asked.voucher).await? else {
        return Ok(Redeemed::Unknown);
    };
    if let Some(receipt) = voucher.receipt {
        let again = voucher.claim == Some(asked.claim);
        let known = if again { receipt_by_id(tx, receipt).await? } else { None };
        return Ok(known.map_or(Redeemed::Used, Redeemed::Done));
    }
    if batch.voided_at.is_some() || batch.expires_at.is_some_and(|end| asked.at >= end) {
        return Ok(Redeemed::Expired);
    }
    let sql = "SELECT sale FROM ticket_type WHERE event = $1 AND number = $2";
    let of: Params<'_> = &[&number(voucher.event), &i64::from(batch.item.type_no.0)];
    let rows = query(tx, sql, of).await?;
    let sale = first(&rows, "ticket_type", |columns| columns.text_or_none("sale"))?.flatten();
    let Some(sale) = sale.and_then(|text| Sale::of_text(&text)) else {
        return Ok(Redeemed::Unknown);
    };
    let receipt = Receipt {
        id: asked.receipt,
        item: batch.item,
        provider: VOUCHER.to_owned(),
        amount_cents: sale.price_cents.saturating_mul(u32::from(batch.item.quantity)),
        currency: sale.currency,
        state: State::Verified,
        created_at: coarse(asked.at),
        expires_at: coarse(asked.at),
        signed: 0,
        reference: None,
    };
    insert_receipt(tx, &receipt).await?;
    let sql = "UPDATE voucher SET claim = $2, receipt = $3 WHERE hash = $1";
    let (hash, claim) = (asked.voucher.as_slice(), asked.claim.as_slice());
    query(tx, sql, &[&hash, &claim, &asked.receipt.as_slice()]).await?;
    Ok(Redeemed::Done(receipt))
}

async fn void(tx: &Transaction<'_>, event: EventNo, batch: i64, at: UnixMs) -> Done<Option<Batch>> {
    let Some(known) = batch_by_number(tx, event, batch).await? else { return Ok(None) };
    hold_type(tx, &known.item).await?;
    let Some(held) = hold_batch(tx, event, batch).await? else { return Ok(None) };
    if held.voided_at.is_none() {
        let left = held.count.saturating_sub(held.redeemed);
        take(tx, &held.item, -places(&held.item, usize::try_from(left).unwrap_or(0))).await?;
        let sql = "UPDATE voucher_batch SET voided_at = $3 WHERE event = $1 AND number = $2";
        query(tx, sql, &[&number(event), &batch, &at.0]).await?;
    }
    batch_by_number(tx, event, batch).await
}

#[async_trait]
impl Sales for PostgresStore {
    async fn order(&self, receipt: Receipt, at: UnixMs) -> Result<Ordered> {
        let ordered = self
            .transact(|tx| {
                let receipt = receipt.clone();
                Box::pin(async move { order(tx, &receipt, at).await })
            })
            .await?;
        Ok(ordered)
    }

    async fn receipt(&self, id: [u8; 32]) -> Result<Option<Receipt>> {
        Ok(receipt_by_id(&self.client().await?, id).await?)
    }

    async fn settle(&self, id: [u8; 32], reference: String, at: UnixMs) -> Result<Option<Receipt>> {
        let settled = self
            .transact(|tx| {
                let reference = reference.clone();
                Box::pin(async move { settle(tx, id, &reference, at).await })
            })
            .await?;
        Ok(settled)
    }

    async fn abandon(&self, id: [u8; 32]) -> Result<()> {
        Ok(self.transact(|tx| Box::pin(abandon(tx, id))).await?)
    }

    async fn add_vouchers(&self, batch: NewBatch) -> Result<Batched> {
        let added = self
            .transact(|tx| {
                let batch = batch.clone();
                Box::pin(async move { add_vouchers(tx, &batch).await })
            })
            .await?;
        Ok(added)
    }

    async fn redeem_voucher(&self, redemption: Redemption) -> Result<Redeemed> {
        let job = self.transact(|tx| Box::pin(async move { redeem(tx, &redemption).await }));
        Ok(job.await?)
    }

    async fn batches(&self, event: EventNo) -> Result<Vec<Batch>> {
        let sql = format!("{BATCHES} WHERE event = $1 ORDER BY number DESC LIMIT $2");
        let rows = self.query(&sql, &[&number(event), &i64::from(PAGE_ROWS_MAX)]).await?;
        collect(&rows, "voucher_batch", read_batch)
    }

    async fn void_batch(&self, event: EventNo, number: u32, at: UnixMs) -> Result<Option<Batch>> {
        Ok(self.transact(|tx| Box::pin(void(tx, event, i64::from(number), at))).await?)
    }

    async fn good_vouchers(&self, event: EventNo, hashes: Vec<[u8; 32]>) -> Result<Vec<Batch>> {
        let hashes: Vec<_> = hashes.iter().map(<[u8; 32]>::as_slice).collect();
        let sql = format!(
            "{BATCHES} JOIN voucher AS one ON one.event = voucher_batch.event
               AND one.batch = voucher_batch.number
             WHERE voucher_batch.event = $1 AND one.hash = ANY($2) AND one.receipt IS NULL
               AND voided_at IS NULL"
        );
        collect(&self.query(&sql, &[&number(event), &hashes]).await?, "voucher_batch", read_batch)
    }

    async fn takings(&self, event: EventNo) -> Result<Vec<Takings>> {
        let sql = "SELECT provider, currency, state, COUNT(*) AS count,
               SUM(amount_cents)::bigint AS amount
             FROM receipt WHERE event = $1 GROUP BY provider, currency, state
             ORDER BY provider, currency, state";
        collect(&self.query(sql, &[&number(event)]).await?, "receipt", |columns| {
            Ok(Takings {
                provider: columns.text("provider")?,
                currency: currency(columns)?,
                state: state(columns)?,
                count: columns.small("count")?,
                amount_cents: columns.small("amount")?,
            })
        })
    }

    async fn refunds(&self, event: EventNo) -> Result<Vec<Receipt>> {
        let sql = "SELECT * FROM receipt WHERE event = $1 AND state = 'refund_due' ORDER BY id
             LIMIT $2";
        collect(
            &self.query(sql, &[&number(event), &i64::from(PAGE_ROWS_MAX)]).await?,
            "receipt",
            read_receipt,
        )
    }
}
