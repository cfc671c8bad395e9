//! Anonymous tickets in PostgreSQL: keys, signatures that are counted, exchange and withdrawal.

use admit_core::admission::{History, Standing};
use admit_core::id::{Digest, EventNo, TicketId, TypeNo, UnixMs};
use admit_core::log::leaf::{Fact, Kind, Leaf, LogKey};
use admit_core::sale::State;
use admit_core::ticket::anonymous::IssuerTerms;
use admit_core::ticket::{Grant, digest};
use async_trait::async_trait;
use deadpool_postgres::Transaction;

use super::admission::{lock_spend, number};
use super::append::{self, Rows};
use super::log::{self, Edges, Grown};
use super::row::{Columns, collect, first};
use super::sale::hold_receipt;
use super::ticket::ticket_by_id;
use super::{Done, Params, PostgresStore, query};
use crate::anonymous::{
    Anonymous, Exchange, Exchanged, Issuer, RevokedToken, Signing, Slot, exchange_refused, fact,
};
use crate::log::Logged;
use crate::ticket::{self, Ticket};
use crate::{PAGE_ROWS_MAX, Result, StoreError};

/// Rows for anonymous tickets that have none yet: a row that is not there cannot be held, and two
/// servers would both let the first one in. The keys must come sorted, as those of every lock.
pub(super) const INSERT_FRESH: &str = "INSERT INTO spend (event, digest, standing, uses)
     SELECT event, digest, 'issued', 0 FROM unnest($1::bigint[], $2::bytea[]) AS new (event, digest)
     ON CONFLICT DO NOTHING";

fn read_issuer(columns: &Columns<'_>) -> Result<Issuer> {
    Ok(Issuer {
        terms: IssuerTerms {
            event: columns.event()?,
            type_no: columns.type_no("type_no")?,
            not_before_s: columns.small("not_before_s")?,
            expires_s: columns.small("expires_s")?,
            max_uses: columns.small("max_uses")?,
            gates: columns.gates()?,
        },
        day: columns.small_or_none("day")?,
        key_id: columns.bytes("key_id")?,
        spki: columns.blob("spki")?,
        secret: columns.sealed("secret")?,
        created_at: columns.time("created_at")?,
        retired_at: columns.time_or_none("retired_at")?,
        signed: columns.small("signed")?,
        leaf: columns.int("leaf")?.cast_unsigned(),
    })
}

/// The key, held until the transaction ends.
async fn hold_issuer(tx: &Transaction<'_>, event: EventNo, id: [u8; 32]) -> Done<Option<Issuer>> {
    let sql = "SELECT * FROM issuer WHERE event = $1 AND key_id = $2 FOR UPDATE";
    let rows = query(tx, sql, &[&number(event), &id.as_slice()]).await?;
    Ok(first(&rows, "issuer", read_issuer)?)
}

async fn put(tx: &Transaction<'_>, edges: &Edges, new: &Issuer, at: UnixMs) -> Done<Grown> {
    let event = new.terms.event;
    let known = hold_issuer(tx, event, new.key_id).await?;
    let seen = |key: &Issuer| (key.terms, key.day, key.retired_at);
    let (mut place, mut grown) = (known.as_ref().map_or(0, |known| known.leaf), Grown::default());
    if known.as_ref().map(seen) != Some(seen(new)) {
        let key = (&new.key_id, new.spki.as_slice());
        let leaf = Leaf::issuer(key, &new.terms, new.day, new.retired_at, at);
        let held = log::hold(tx, edges, event).await?;
        (place, grown) = log::write_leaf(tx, held, event, &leaf).await?;
    }
    let IssuerTerms { type_no, not_before_s, expires_s, max_uses, gates, .. } = new.terms;
    query(
        tx,
        "INSERT INTO issuer (event, key_id, type_no, day, not_before_s, expires_s, max_uses, gates,
           spki, secret, created_at, retired_at, leaf)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (event, key_id) DO UPDATE SET not_before_s = $5, expires_s = $6,
           max_uses = $7, gates = $8, secret = $10, retired_at = $12, leaf = $13",
        &[
            &number(event),
            &new.key_id.as_slice(),
            &i64::from(type_no.0),
            &new.day.map(i64::from),
            &i64::from(not_before_s),
            &i64::from(expires_s),
            &i64::from(max_uses),
            &i64::from(gates.0),
            &new.spki.as_slice(),
            &new.secret.as_str(),
            &new.created_at.0,
            &new.retired_at.map(|at| at.0),
            &place.cast_signed(),
        ],
    )
    .await?;
    Ok(grown)
}

async fn sign_slot(
    tx: &Transaction<'_>,
    edges: &Edges,
    event: EventNo,
    asked: &Signing,
) -> Done<(Slot, Grown)> {
    let answer = |slot| Ok((slot, Grown::default()));
    let receipt = hold_receipt(tx, asked.receipt)
        .await?
        .filter(|receipt| receipt.state == State::Verified && receipt.item.event == event);
    let Some(receipt) = receipt else { return answer(Slot::NotFound) };
    let named: Params<'_> = &[&asked.receipt.as_slice(), &asked.blinding.as_slice()];
    let sql = "SELECT key_id FROM blinding WHERE receipt = $1 AND hash = $2";
    let before =
        first(&query(tx, sql, named).await?, "blinding", |columns| columns.bytes::<32>("key_id"))?;
    if let Some(key_id) = before {
        return answer(if key_id == asked.key_id { Slot::Granted } else { Slot::OtherKey });
    }
    let (type_no, day) = (receipt.item.type_no, receipt.item.day);
    let key = hold_issuer(tx, event, asked.key_id).await?;
    let key = key.filter(|key| key.terms.type_no == type_no && key.day == day);
    let Some(key) = key else { return answer(Slot::OtherKey) };
    if key.retired_at.is_some_and(|end| asked.at >= end.plus(asked.overlap_ms)) {
        return answer(Slot::KeyRetired);
    }
    if receipt.signed >= receipt.item.quantity {
        return answer(Slot::Used);
    }
    let sql = "UPDATE receipt SET signed = signed + 1 WHERE id = $1";
    query(tx, sql, &[&asked.receipt.as_slice()]).await?;
    let row: Params<'_> =
        &[&asked.receipt.as_slice(), &asked.blinding.as_slice(), &asked.key_id.as_slice()];
    query(tx, "INSERT INTO blinding VALUES ($1, $2, $3)", row).await?;
    let sql = "UPDATE issuer SET signed = signed + 1 WHERE event = $1 AND key_id = $2";
    query(tx, sql, &[&number(event), &asked.key_id.as_slice()]).await?;
    let held = log::hold(tx, edges, event).await?;
    let leaf = asked.fact(type_no).leaf(&asked.log_key);
    Ok((Slot::Granted, log::write_leaf(tx, held, event, &leaf).await?.1))
}

/// The history of an anonymous ticket, held until the transaction ends.
async fn hold_history(tx: &Transaction<'_>, event: EventNo, name: Digest) -> Done<History> {
    let (events, names) = ([number(event)], [name.0.as_slice()]);
    query(tx, INSERT_FRESH, &[&events.as_slice(), &names.as_slice()]).await?;
    let (history, _) = lock_spend(tx, event, name)
        .await?
        .ok_or_else(|| StoreError::corrupt("spend", "a row is not there"))?;
    Ok(history)
}

async fn set_standing(
    tx: &Transaction<'_>,
    event: EventNo,
    name: Digest,
    standing: Standing,
    leaf: u64,
) -> Done<()> {
    let sql = "UPDATE spend SET standing = $3, last_leaf = $4 WHERE event = $1 AND digest = $2";
    let row: Params<'_> =
        &[&number(event), &name.0.as_slice(), &standing.code(), &leaf.cast_signed()];
    query(tx, sql, row).await?;
    Ok(())
}

/// The ticket that was issued in the place of an anonymous one.
async fn successor(tx: &Transaction<'_>, event: EventNo, old: TicketId) -> Done<Option<Ticket>> {
    let sql = "SELECT successor FROM exchange WHERE event = $1 AND ticket = $2";
    let rows = query(tx, sql, &[&number(event), &old.0.cast_signed()]).await?;
    match first(&rows, "exchange", |columns| columns.ticket("successor"))? {
        Some(new) => ticket_by_id(tx, event, new).await,
        None => Ok(None),
    }
}

type Ended = (Exchanged, Option<(u64, Grown)>);

async fn exchange(tx: &Transaction<'_>, edges: &Edges, asked: &Exchange) -> Done<Ended> {
    let (old, with) = (asked.ticket.grant(), &asked.reissue);
    let (event, name) = (old.event, asked.ticket.digest());
    // The event before the ticket: the order in which everybody locks them.
    let sql = "UPDATE event SET next_serial = next_serial + 1 WHERE number = $1
        RETURNING next_serial - 1 AS serial";
    let rows = query(tx, sql, &[&number(event)]).await?;
    let serial: u32 = first(&rows, "event", |columns| columns.small("serial"))?.unwrap_or_default();
    let history = hold_history(tx, event, name).await?;
    if let Some(new) = successor(tx, event, old.ticket).await?
        && new.binding.as_ref() == Some(&asked.binding)
    {
        return Ok((Exchanged::Done(new, None), None));
    }
    if let Some(reason) = exchange_refused(&asked.ticket, &history, with.at) {
        return Ok((Exchanged::Refused(reason), None));
    }
    let grant = Grant { ticket: TicketId::new(&with.serial_key, serial, with.random), ..*old };
    let mut held = log::hold(tx, edges, event).await?;
    let ended = fact(Kind::Exchange, event, old.ticket, old.type_no, with.at);
    let end_leaf = held.add(event, ended.leaf(&with.log_key).to_bytes())?;
    let issue = Fact { refers: Some(end_leaf), ..ticket::fact(Kind::Issue, &grant, with.at) };
    let leaf = held.add(event, issue.leaf(&with.log_key).to_bytes())?;
    let rows = Rows { grown: held.grow(), ..Rows::default() };
    append::write(tx, &rows).await?;
    set_standing(tx, event, name, Standing::Transferred, end_leaf).await?;
    insert_ticket(tx, &grant, (serial, leaf), asked).await?;
    let row: Params<'_> = &[
        &number(event),
        &old.ticket.0.cast_signed(),
        &i64::from(old.type_no.0),
        &grant.ticket.0.cast_signed(),
    ];
    query(tx, "INSERT INTO exchange VALUES ($1, $2, $3, $4)", row).await?;
    let new = ticket_by_id(tx, event, grant.ticket).await?;
    let new = new.ok_or_else(|| StoreError::corrupt("ticket", "a new ticket is not there"))?;
    Ok((Exchanged::Done(new, None), Some((leaf, rows.grown))))
}

async fn insert_ticket(
    tx: &Transaction<'_>,
    grant: &Grant,
    (serial, leaf): (u32, u64),
    asked: &Exchange,
) -> Done<()> {
    let with = &asked.reissue;
    let sql = "INSERT INTO spend (event, digest, standing, uses, last_leaf)
         VALUES ($1, $2, $3, 0, $4)";
    let (event, name) = (number(grant.event), grant.digest());
    let row: Params<'_> =
        &[&event, &name.0.as_slice(), &Standing::Issued.code(), &leaf.cast_signed()];
    query(tx, sql, row).await?;
    query(
        tx,
        "INSERT INTO ticket (event, id, serial, type_no, not_before_s, expires_s, max_uses, gates,
           key_no, format, issued_at, digest, transferable, link, leaf, rotation, interval_s,
           binding)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, $13, $14, $15, $16, $17)",
        &[
            &event,
            &grant.ticket.0.cast_signed(),
            &i64::from(serial),
            &i64::from(grant.type_no.0),
            &i64::from(grant.not_before_s),
            &i64::from(grant.expires_s),
            &i64::from(grant.max_uses),
            &i64::from(grant.gates.0),
            &i64::from(with.key_no.0),
            &with.format,
            &with.at.0,
            &name.0.as_slice(),
            &with.link.cast_signed(),
            &leaf.cast_signed(),
            &asked.rotation.kind.code(),
            &i64::from(asked.rotation.interval_s),
            &asked.binding.as_slice(),
        ],
    )
    .await?;
    Ok(())
}

async fn withdraw(
    tx: &Transaction<'_>,
    edges: &Edges,
    event: EventNo,
    token: &RevokedToken,
    key: LogKey,
) -> Done<Option<(u64, Grown)>> {
    let name = digest(event, token.ticket);
    if hold_history(tx, event, name).await?.standing != Standing::Issued {
        return Ok(None);
    }
    let leaf = fact(Kind::Withdraw, event, token.ticket, TypeNo(0), token.at).leaf(&key);
    let held = log::hold(tx, edges, event).await?;
    let (index, grown) = log::write_leaf(tx, held, event, &leaf).await?;
    set_standing(tx, event, name, Standing::Revoked, index).await?;
    let row: Params<'_> =
        &[&number(event), &token.ticket.0.cast_signed(), &token.reason, &token.at.0];
    let sql = "INSERT INTO revoked_token VALUES ($1, $2, $3, $4)
         ON CONFLICT (event, ticket) DO UPDATE SET reason = $3, at = $4";
    query(tx, sql, row).await?;
    Ok(Some((index, grown)))
}

#[async_trait]
impl Anonymous for PostgresStore {
    async fn put_issuer(&self, issuer: Issuer, at: UnixMs) -> Result<()> {
        let grown = self
            .transact_books(|tx| {
                let (edges, issuer) = (self.edges.clone(), issuer.clone());
                Box::pin(async move { put(tx, &edges, &issuer, at).await })
            })
            .await?;
        self.edges.keep(&grown);
        Ok(())
    }

    async fn issuers(&self) -> Result<Vec<Issuer>> {
        let sql = "SELECT * FROM issuer ORDER BY event, created_at, key_id";
        collect(&self.query(sql, &[]).await?, "issuer", read_issuer)
    }

    async fn sign_slot(&self, event: EventNo, signing: Signing) -> Result<Slot> {
        let (slot, grown) = self
            .transact(|tx| {
                let edges = self.edges.clone();
                Box::pin(async move { sign_slot(tx, &edges, event, &signing).await })
            })
            .await?;
        self.edges.keep(&grown);
        Ok(slot)
    }

    async fn exchange(&self, asked: Exchange) -> Result<Exchanged> {
        let event = asked.ticket.grant().event;
        let (exchanged, logged) = self
            .transact(|tx| {
                let (edges, asked) = (self.edges.clone(), asked.clone());
                Box::pin(async move { exchange(tx, &edges, &asked).await })
            })
            .await?;
        let logged = logged.and_then(|(index, grown)| {
            self.edges.keep(&grown);
            grown.of(event, index)
        });
        Ok(match exchanged {
            Exchanged::Done(ticket, _) => Exchanged::Done(ticket, logged),
            refused @ Exchanged::Refused(_) => refused,
        })
    }

    async fn exchanged(&self, event: EventNo) -> Result<Vec<(TypeNo, u32)>> {
        let sql = "SELECT type_no, COUNT(*) AS count FROM exchange WHERE event = $1
             GROUP BY type_no ORDER BY type_no";
        collect(&self.query(sql, &[&number(event)]).await?, "exchange", |columns| {
            Ok((columns.type_no("type_no")?, columns.small("count")?))
        })
    }

    async fn withdraw(
        &self,
        event: EventNo,
        token: RevokedToken,
        key: LogKey,
    ) -> Result<Option<Logged>> {
        let logged = self
            .transact(|tx| {
                let (edges, token) = (self.edges.clone(), token.clone());
                Box::pin(async move { withdraw(tx, &edges, event, &token, key).await })
            })
            .await?;
        Ok(logged.and_then(|(index, grown)| {
            self.edges.keep(&grown);
            grown.of(event, index)
        }))
    }

    async fn revoked_tokens(&self, event: EventNo) -> Result<Vec<RevokedToken>> {
        let sql = "SELECT * FROM revoked_token WHERE event = $1 ORDER BY at DESC, ticket LIMIT $2";
        let rows = self.query(sql, &[&number(event), &i64::from(PAGE_ROWS_MAX)]).await?;
        collect(&rows, "revoked_token", |columns| {
            Ok(RevokedToken {
                ticket: columns.ticket("ticket")?,
                reason: columns.text("reason")?,
                at: columns.time("at")?,
            })
        })
    }
}
