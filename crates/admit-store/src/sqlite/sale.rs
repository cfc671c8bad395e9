//! Orders, receipts and vouchers in SQLite.

use admit_core::id::{EventNo, UnixMs};
use admit_core::sale::{Currency, State};
use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::SqliteStore;
use super::event::ticket_type;
use super::row::{Columns, collect, first};
use crate::sale::{
    Batch, Batched, Item, NewBatch, Ordered, Receipt, Redeemed, Redemption, Sales, Takings,
    VOUCHER, coarse,
};
use crate::{PAGE_ROWS_MAX, Result};

fn read_item(columns: &Columns<'_, '_>) -> Result<Item> {
    Ok(Item {
        event: columns.event()?,
        type_no: columns.type_no("type_no")?,
        day: columns.small_or_none("day")?,
        quantity: columns.small("quantity")?,
    })
}

fn currency(columns: &Columns<'_, '_>) -> Result<Currency> {
    Currency::parse(&columns.text("currency")?).ok_or_else(|| columns.corrupt("currency"))
}

fn state(columns: &Columns<'_, '_>) -> Result<State> {
    State::parse(&columns.text("state")?).ok_or_else(|| columns.corrupt("state"))
}

fn read_receipt(columns: &Columns<'_, '_>) -> Result<Receipt> {
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

pub(super) fn receipt_by_id(connection: &Connection, id: [u8; 32]) -> Result<Option<Receipt>> {
    let mut statement = connection.prepare_cached("SELECT * FROM receipt WHERE id = ?1")?;
    first(&mut statement, [id], "receipt", read_receipt)
}

/// Takes places of a type, or gives them back; whether there were so many.
fn hold(tx: &Connection, item: &Item, places: i64) -> Result<bool> {
    let held = tx
        .prepare_cached(
            "UPDATE ticket_type SET issued = issued + ?3
             WHERE event = ?1 AND number = ?2 AND issued + ?3 BETWEEN 0 AND quota",
        )?
        .execute(params![item.event.0, item.type_no.0, places])?;
    Ok(held > 0)
}

fn is_sold(tx: &Connection, item: &Item) -> Result<bool> {
    let kind = ticket_type(tx, item.event, item.type_no)?;
    Ok(kind.is_some_and(|kind| kind.details.sale.is_some()))
}

/// Frees the places of orders of an event that were not paid in time.
fn expire(tx: &Connection, event: EventNo, at: UnixMs) -> Result<()> {
    let mut statement = tx.prepare_cached(
        "SELECT * FROM receipt WHERE event = ?1 AND state = 'open' AND expires_at <= ?2 LIMIT ?3",
    )?;
    let late =
        collect(&mut statement, params![event.0, at.0, PAGE_ROWS_MAX], "receipt", read_receipt)?;
    for receipt in late {
        hold(tx, &receipt.item, -i64::from(receipt.item.quantity))?;
        set_state(tx, receipt.id, State::Expired, receipt.created_at)?;
    }
    Ok(())
}

/// A state that is not open: from here the exact time of the order is gone.
fn set_state(tx: &Connection, id: [u8; 32], state: State, at: UnixMs) -> Result<()> {
    tx.prepare_cached("UPDATE receipt SET state = ?2, expires_at = ?3 WHERE id = ?1")?
        .execute(params![id, state.code(), coarse(at).0])?;
    Ok(())
}

fn insert_receipt(tx: &Connection, receipt: &Receipt) -> Result<()> {
    let Item { event, type_no, day, quantity } = receipt.item;
    tx.prepare_cached(
        "INSERT INTO receipt (id, event, type_no, day, quantity, provider, amount_cents, currency,
           state, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        receipt.id,
        event.0,
        type_no.0,
        day,
        quantity,
        receipt.provider,
        receipt.amount_cents,
        receipt.currency.code(),
        receipt.state.code(),
        coarse(receipt.created_at).0,
        receipt.expires_at.0
    ])?;
    Ok(())
}

fn order(tx: &Connection, receipt: &Receipt, at: UnixMs) -> Result<Ordered> {
    if let Some(known) = receipt_by_id(tx, receipt.id)? {
        return Ok(Ordered::Done(known));
    }
    expire(tx, receipt.item.event, at)?;
    if !is_sold(tx, &receipt.item)? {
        return Ok(Ordered::NotFound);
    }
    if !hold(tx, &receipt.item, i64::from(receipt.item.quantity))? {
        return Ok(Ordered::SoldOut);
    }
    insert_receipt(tx, receipt)?;
    Ok(receipt_by_id(tx, receipt.id)?.map_or(Ordered::NotFound, Ordered::Done))
}

fn settle(tx: &Connection, id: [u8; 32], reference: &str, at: UnixMs) -> Result<Option<Receipt>> {
    let Some(receipt) = receipt_by_id(tx, id)? else { return Ok(None) };
    match receipt.state {
        State::Verified | State::RefundDue => return Ok(Some(receipt)),
        State::Open => set_state(tx, id, State::Verified, at)?,
        // Its places were given up: it gets others, if there are any.
        State::Expired if hold(tx, &receipt.item, i64::from(receipt.item.quantity))? => {
            set_state(tx, id, State::Verified, at)?;
        }
        State::Expired => {
            set_state(tx, id, State::RefundDue, at)?;
            tx.prepare_cached("UPDATE receipt SET reference = ?2 WHERE id = ?1")?
                .execute(params![id, reference])?;
        }
    }
    receipt_by_id(tx, id)
}

fn abandon(tx: &Connection, id: [u8; 32]) -> Result<()> {
    let open = receipt_by_id(tx, id)?.filter(|receipt| receipt.state == State::Open);
    if let Some(receipt) = open {
        hold(tx, &receipt.item, -i64::from(receipt.item.quantity))?;
        tx.prepare_cached("DELETE FROM receipt WHERE id = ?1")?.execute([id])?;
    }
    Ok(())
}

const BATCHES: &str = "SELECT voucher_batch.*, (SELECT COUNT(*) FROM voucher
    WHERE voucher.event = voucher_batch.event AND voucher.batch = voucher_batch.number
      AND voucher.receipt IS NOT NULL) AS redeemed FROM voucher_batch";

fn read_batch(columns: &Columns<'_, '_>) -> Result<Batch> {
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

fn batch_by_number(connection: &Connection, event: EventNo, number: i64) -> Result<Option<Batch>> {
    let mut statement =
        connection.prepare_cached(&format!("{BATCHES} WHERE event = ?1 AND number = ?2"))?;
    first(&mut statement, params![event.0, number], "voucher_batch", read_batch)
}

/// Places that a number of vouchers stand for.
fn places(item: &Item, vouchers: usize) -> i64 {
    i64::try_from(vouchers).unwrap_or(i64::MAX).saturating_mul(i64::from(item.quantity))
}

fn add_vouchers(tx: &Connection, new: &NewBatch) -> Result<Batched> {
    let Item { event, type_no, day, quantity } = new.item;
    expire(tx, event, new.at)?;
    if !is_sold(tx, &new.item)? {
        return Ok(Batched::NotFound);
    }
    if !hold(tx, &new.item, places(&new.item, new.hashes.len()))? {
        return Ok(Batched::SoldOut);
    }
    let count = i64::try_from(new.hashes.len()).unwrap_or(i64::MAX);
    let number: i64 = tx.query_row(
        "SELECT COALESCE(MAX(number), 0) + 1 FROM voucher_batch WHERE event = ?1",
        [event.0],
        |row| row.get(0),
    )?;
    tx.execute(
        "INSERT INTO voucher_batch (event, number, label, type_no, day, quantity, count, created_at,
           expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            event.0,
            number,
            new.label,
            type_no.0,
            day,
            quantity,
            count,
            new.at.0,
            new.expires_at.map(|at| at.0)
        ],
    )?;
    let mut insert =
        tx.prepare_cached("INSERT INTO voucher (hash, event, batch) VALUES (?1, ?2, ?3)")?;
    for hash in &new.hashes {
        insert.execute(params![hash, event.0, number])?;
    }
    Ok(batch_by_number(tx, event, number)?.map_or(Batched::NotFound, Batched::Done))
}

/// A voucher on the books.
struct Voucher {
    event: EventNo,
    batch: i64,
    claim: Option<[u8; 32]>,
    receipt: Option<[u8; 32]>,
}

fn voucher_by_hash(connection: &Connection, hash: [u8; 32]) -> Result<Option<Voucher>> {
    let mut statement = connection.prepare_cached("SELECT * FROM voucher WHERE hash = ?1")?;
    first(&mut statement, [hash], "voucher", |columns| {
        Ok(Voucher {
            event: columns.event()?,
            batch: columns.int("batch")?,
            claim: columns.bytes_or_none("claim")?,
            receipt: columns.bytes_or_none("receipt")?,
        })
    })
}

fn redeem(tx: &Connection, asked: &Redemption) -> Result<Redeemed> {
    let Some(voucher) = voucher_by_hash(tx, asked.voucher)? else { return Ok(Redeemed::Unknown) };
    if let Some(receipt) = voucher.receipt {
        let again = voucher.claim == Some(asked.claim);
        let known = if again { receipt_by_id(tx, receipt)? } else { None };
        return Ok(known.map_or(Redeemed::Used, Redeemed::Done));
    }
    let Some(batch) = batch_by_number(tx, voucher.event, voucher.batch)? else {
        return Ok(Redeemed::Unknown);
    };
    if batch.voided_at.is_some() || batch.expires_at.is_some_and(|end| asked.at >= end) {
        return Ok(Redeemed::Expired);
    }
    // A free ticket has no price, and a voucher was paid for elsewhere.
    let kind = ticket_type(tx, voucher.event, batch.item.type_no)?;
    let Some(sale) = kind.and_then(|kind| kind.details.sale) else { return Ok(Redeemed::Unknown) };
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
    insert_receipt(tx, &receipt)?;
    tx.prepare_cached("UPDATE voucher SET claim = ?2, receipt = ?3 WHERE hash = ?1")?
        .execute(params![asked.voucher, asked.claim, asked.receipt])?;
    Ok(Redeemed::Done(receipt))
}

fn void(tx: &Connection, event: EventNo, number: u32, at: UnixMs) -> Result<Option<Batch>> {
    let Some(batch) = batch_by_number(tx, event, i64::from(number))? else { return Ok(None) };
    if batch.voided_at.is_none() {
        let left = batch.count.saturating_sub(batch.redeemed);
        hold(tx, &batch.item, -places(&batch.item, usize::try_from(left).unwrap_or(0)))?;
        tx.execute(
            "UPDATE voucher_batch SET voided_at = ?3 WHERE event = ?1 AND number = ?2",
            params![event.0, number, at.0],
        )?;
    }
    batch_by_number(tx, event, i64::from(number))
}

/// The batches of these vouchers, one for each that is good.
fn good(connection: &Connection, event: EventNo, hashes: &[[u8; 32]]) -> Result<Vec<Batch>> {
    let mut found = Vec::new();
    for hash in hashes {
        let voucher = voucher_by_hash(connection, *hash)?
            .filter(|voucher| voucher.event == event && voucher.receipt.is_none());
        let Some(voucher) = voucher else { continue };
        let batch = batch_by_number(connection, event, voucher.batch)?;
        found.extend(batch.filter(|batch| batch.voided_at.is_none()));
    }
    Ok(found)
}

#[async_trait]
impl Sales for SqliteStore {
    async fn order(&self, receipt: Receipt, at: UnixMs) -> Result<Ordered> {
        self.write(move |tx| order(tx, &receipt, at)).await
    }

    async fn receipt(&self, id: [u8; 32]) -> Result<Option<Receipt>> {
        self.read(move |connection| receipt_by_id(connection, id)).await
    }

    async fn settle(&self, id: [u8; 32], reference: String, at: UnixMs) -> Result<Option<Receipt>> {
        self.write(move |tx| settle(tx, id, &reference, at)).await
    }

    async fn abandon(&self, id: [u8; 32]) -> Result<()> {
        self.write(move |tx| abandon(tx, id)).await
    }

    async fn add_vouchers(&self, batch: NewBatch) -> Result<Batched> {
        self.write(move |tx| add_vouchers(tx, &batch)).await
    }

    async fn redeem_voucher(&self, redemption: Redemption) -> Result<Redeemed> {
        self.write(move |tx| redeem(tx, &redemption)).await
    }

    async fn batches(&self, event: EventNo) -> Result<Vec<Batch>> {
        self.read(move |connection| {
            let sql = format!("{BATCHES} WHERE event = ?1 ORDER BY number DESC LIMIT ?2");
            let mut statement = connection.prepare_cached(&sql)?;
            collect(&mut statement, params![event.0, PAGE_ROWS_MAX], "voucher_batch", read_batch)
        })
        .await
    }

    async fn void_batch(&self, event: EventNo, number: u32, at: UnixMs) -> Result<Option<Batch>> {
        self.write(move |tx| void(tx, event, number, at)).await
    }

    async fn good_vouchers(&self, event: EventNo, hashes: Vec<[u8; 32]>) -> Result<Vec<Batch>> {
        self.read(move |connection| good(connection, event, &hashes)).await
    }

    async fn takings(&self, event: EventNo) -> Result<Vec<Takings>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT provider, currency, state, COUNT(*) AS count, SUM(amount_cents) AS amount
                 FROM receipt WHERE event = ?1 GROUP BY provider, currency, state
                 ORDER BY provider, currency, state",
            )?;
            collect(&mut statement, [event.0], "receipt", |columns| {
                Ok(Takings {
                    provider: columns.text("provider")?,
                    currency: currency(columns)?,
                    state: state(columns)?,
                    count: columns.small("count")?,
                    amount_cents: columns.small("amount")?,
                })
            })
        })
        .await
    }

    async fn refunds(&self, event: EventNo) -> Result<Vec<Receipt>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT * FROM receipt WHERE event = ?1 AND state = 'refund_due' ORDER BY id
                 LIMIT ?2",
            )?;
            collect(&mut statement, params![event.0, PAGE_ROWS_MAX], "receipt", read_receipt)
        })
        .await
    }
}
