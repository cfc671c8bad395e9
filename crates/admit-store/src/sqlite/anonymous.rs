//! Anonymous tickets in SQLite: keys, signatures that are counted, exchange and withdrawal.

use admit_core::admission::{History, Standing};
use admit_core::id::{EventNo, TicketId, TypeNo, UnixMs};
use admit_core::log::leaf::{Fact, Kind, Leaf, LogKey};
use admit_core::sale::State;
use admit_core::ticket::anonymous::IssuerTerms;
use admit_core::ticket::{Grant, digest};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use super::admission::{Place, read_spend, write_spend};
use super::row::{Columns, collect, first};
use super::sale::receipt_by_id;
use super::ticket::ticket_by_id;
use super::writer::{Done, Work};
use crate::anonymous::{
    Anonymous, Exchange, Exchanged, Issuer, RevokedToken, Signing, Slot, exchange_refused, fact,
};
use crate::log::Logged;
use crate::{PAGE_ROWS_MAX, Result, StoreError, ticket};

fn read_issuer(columns: &Columns<'_, '_>) -> Result<Issuer> {
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
        spki: columns.blob_or_none("spki")?.unwrap_or_default(),
        secret: columns.sealed("secret")?,
        created_at: columns.time("created_at")?,
        retired_at: columns.time_or_none("retired_at")?,
        signed: columns.small("signed")?,
        leaf: columns.int("leaf")?.cast_unsigned(),
    })
}

fn issuer(connection: &Connection, event: EventNo, key_id: [u8; 32]) -> Result<Option<Issuer>> {
    let mut statement =
        connection.prepare_cached("SELECT * FROM issuer WHERE event = ?1 AND key_id = ?2")?;
    first(&mut statement, params![event.0, key_id], "issuer", read_issuer)
}

fn put(work: &mut Work<'_, '_>, new: &Issuer, at: UnixMs) -> Result<Option<u64>> {
    let event = new.terms.event;
    let known = issuer(work.tx, event, new.key_id)?;
    let seen = |key: &Issuer| (key.terms, key.day, key.retired_at);
    let changed = known.as_ref().map(seen) != Some(seen(new));
    let leaf = if changed {
        let key = (&new.key_id, new.spki.as_slice());
        let leaf = Leaf::issuer(key, &new.terms, new.day, new.retired_at, at);
        Some(work.leaves.add(work.tx, event, &leaf)?)
    } else {
        None
    };
    let place = leaf.or(known.map(|known| known.leaf)).unwrap_or_default();
    let IssuerTerms { type_no, not_before_s, expires_s, max_uses, gates, .. } = new.terms;
    work.tx.execute(
        "INSERT INTO issuer (event, key_id, type_no, day, not_before_s, expires_s, max_uses, gates,
           spki, secret, created_at, retired_at, leaf)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT (event, key_id) DO UPDATE SET not_before_s = ?5, expires_s = ?6,
           max_uses = ?7, gates = ?8, secret = ?10, retired_at = ?12, leaf = ?13",
        params![
            event.0,
            new.key_id,
            type_no.0,
            new.day,
            not_before_s,
            expires_s,
            max_uses,
            gates.0,
            new.spki,
            new.secret.as_str(),
            new.created_at.0,
            new.retired_at.map(|at| at.0),
            place.cast_signed()
        ],
    )?;
    Ok(leaf)
}

fn sign_slot(work: &mut Work<'_, '_>, event: EventNo, asked: &Signing) -> Result<Done<Slot>> {
    let tx = work.tx;
    let answer = |value| Ok(Done { value, scans: Vec::new(), leaf: None });
    let receipt = receipt_by_id(tx, asked.receipt)?
        .filter(|receipt| receipt.state == State::Verified && receipt.item.event == event);
    let Some(receipt) = receipt else { return answer(Slot::NotFound) };
    let before: Option<Vec<u8>> = tx
        .prepare_cached("SELECT key_id FROM blinding WHERE receipt = ?1 AND hash = ?2")?
        .query_row(params![asked.receipt, asked.blinding], |row| row.get(0))
        .optional()?;
    if let Some(key_id) = before {
        let same = key_id == asked.key_id;
        return answer(if same { Slot::Granted } else { Slot::OtherKey });
    }
    let key = issuer(tx, event, asked.key_id)?;
    let (type_no, day) = (receipt.item.type_no, receipt.item.day);
    let key = key.filter(|key| key.terms.type_no == type_no && key.day == day);
    let Some(key) = key else { return answer(Slot::OtherKey) };
    if key.retired_at.is_some_and(|end| asked.at >= end.plus(asked.overlap_ms)) {
        return answer(Slot::KeyRetired);
    }
    let counted = tx
        .prepare_cached(
            "UPDATE receipt SET signed = signed + 1 WHERE id = ?1 AND signed < quantity",
        )?
        .execute([asked.receipt])?;
    if counted == 0 {
        return answer(Slot::Used);
    }
    tx.prepare_cached("INSERT INTO blinding VALUES (?1, ?2, ?3)")?.execute(params![
        asked.receipt,
        asked.blinding,
        asked.key_id
    ])?;
    tx.prepare_cached("UPDATE issuer SET signed = signed + 1 WHERE event = ?1 AND key_id = ?2")?
        .execute(params![event.0, asked.key_id])?;
    work.leaves.add(tx, event, &asked.fact(type_no).leaf(&asked.log_key))?;
    // Nobody is given a proof of this leaf: it is about no ticket that anybody could name.
    answer(Slot::Granted)
}

/// The ticket that was issued in the place of an anonymous one.
fn successor(tx: &Connection, event: EventNo, old: TicketId) -> Result<Option<ticket::Ticket>> {
    let new: Option<i64> = tx
        .prepare_cached("SELECT successor FROM exchange WHERE event = ?1 AND ticket = ?2")?
        .query_row(params![event.0, old.0.cast_signed()], |row| row.get(0))
        .optional()?;
    match new {
        Some(new) => ticket_by_id(tx, event, TicketId(new.cast_unsigned())),
        None => Ok(None),
    }
}

fn exchange(work: &mut Work<'_, '_>, asked: &Exchange) -> Result<Done<Exchanged>> {
    let (tx, old) = (work.tx, asked.ticket.grant());
    let (event, name) = (old.event, asked.ticket.digest());
    let answer = |value| Ok(Done { value, scans: Vec::new(), leaf: None });
    let spend = read_spend(tx, event, name)?;
    let history = spend.map_or(History::FRESH, |spend| spend.history);
    if let Some(new) = successor(tx, event, old.ticket)?
        && new.binding.as_ref() == Some(&asked.binding)
    {
        return answer(Exchanged::Done(new, None));
    }
    if let Some(reason) = exchange_refused(&asked.ticket, &history, asked.reissue.at) {
        return answer(Exchanged::Refused(reason));
    }
    let with = &asked.reissue;
    let ended = fact(Kind::Exchange, event, old.ticket, old.type_no, with.at);
    let end_leaf = work.leaves.add(tx, event, &ended.leaf(&with.log_key))?;
    let gone = History { standing: Standing::Transferred, ..history };
    write_spend(tx, event, name, &gone, Place { last_seq: None, last_leaf: Some(end_leaf) })?;

    let serial: u32 = tx
        .prepare_cached(
            "UPDATE event SET next_serial = next_serial + 1 WHERE number = ?1
             RETURNING next_serial - 1",
        )?
        .query_row([event.0], |row| row.get(0))?;
    let grant = Grant { ticket: TicketId::new(&with.serial_key, serial, with.random), ..*old };
    let issue = ticket::fact(Kind::Issue, &grant, with.at);
    let issue = Fact { refers: Some(end_leaf), ..issue };
    let leaf = work.leaves.add(tx, event, &issue.leaf(&with.log_key))?;
    let place = Place { last_seq: None, last_leaf: Some(leaf) };
    write_spend(tx, event, grant.digest(), &History::FRESH, place)?;
    insert_ticket(tx, &grant, (serial, leaf), asked)?;
    tx.prepare_cached("INSERT INTO exchange VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        event.0,
        old.ticket.0.cast_signed(),
        old.type_no.0,
        grant.ticket.0.cast_signed()
    ])?;
    let new = ticket_by_id(tx, event, grant.ticket)?
        .ok_or_else(|| StoreError::corrupt("ticket", "a new ticket is not there"))?;
    Ok(Done { value: Exchanged::Done(new, None), scans: Vec::new(), leaf: Some(leaf) })
}

fn insert_ticket(
    tx: &Connection,
    grant: &Grant,
    (serial, leaf): (u32, u64),
    asked: &Exchange,
) -> Result<()> {
    let with = &asked.reissue;
    tx.prepare_cached(
        "INSERT INTO ticket (event, id, serial, type_no, not_before_s, expires_s, max_uses, gates,
           key_no, format, issued_at, digest, transferable, link, leaf, rotation, interval_s,
           binding)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0, ?13, ?14, ?15, ?16, ?17)",
    )?
    .execute(params![
        grant.event.0,
        grant.ticket.0.cast_signed(),
        serial,
        grant.type_no.0,
        grant.not_before_s,
        grant.expires_s,
        grant.max_uses,
        grant.gates.0,
        with.key_no.0,
        with.format,
        with.at.0,
        grant.digest().0,
        with.link.cast_signed(),
        leaf.cast_signed(),
        asked.rotation.kind.code(),
        asked.rotation.interval_s,
        asked.binding
    ])?;
    Ok(())
}

fn withdraw(
    work: &mut Work<'_, '_>,
    event: EventNo,
    token: &RevokedToken,
    key: &LogKey,
) -> Result<Done<()>> {
    let (tx, name) = (work.tx, digest(event, token.ticket));
    let spend = read_spend(tx, event, name)?;
    let history = spend.map_or(History::FRESH, |spend| spend.history);
    if history.standing != Standing::Issued {
        return Ok(Done { value: (), scans: Vec::new(), leaf: None });
    }
    let fact = fact(Kind::Withdraw, event, token.ticket, TypeNo(0), token.at);
    let leaf = work.leaves.add(tx, event, &fact.leaf(key))?;
    let history = History { standing: Standing::Revoked, ..history };
    write_spend(tx, event, name, &history, Place { last_seq: None, last_leaf: Some(leaf) })?;
    tx.prepare_cached("INSERT OR REPLACE INTO revoked_token VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![event.0, token.ticket.0.cast_signed(), token.reason, token.at.0])?;
    Ok(Done { value: (), scans: Vec::new(), leaf: Some(leaf) })
}

#[async_trait]
impl Anonymous for SqliteStore {
    async fn put_issuer(&self, issuer: Issuer, at: UnixMs) -> Result<()> {
        let event = issuer.terms.event;
        let job = move |work: &mut Work<'_, '_>| {
            let leaf = put(work, &issuer, at)?;
            Ok(Done { value: (), scans: Vec::new(), leaf })
        };
        self.writer.write_logged(event, job).await.map(drop)
    }

    async fn issuers(&self) -> Result<Vec<Issuer>> {
        self.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT * FROM issuer ORDER BY event, created_at, key_id")?;
            collect(&mut statement, [], "issuer", read_issuer)
        })
        .await
    }

    async fn sign_slot(&self, event: EventNo, signing: Signing) -> Result<Slot> {
        let job = move |work: &mut Work<'_, '_>| sign_slot(work, event, &signing);
        Ok(self.writer.write_logged(event, job).await?.0)
    }

    async fn exchange(&self, asked: Exchange) -> Result<Exchanged> {
        let event = asked.ticket.grant().event;
        let job = move |work: &mut Work<'_, '_>| exchange(work, &asked);
        Ok(match self.writer.write_logged(event, job).await? {
            (Exchanged::Done(ticket, _), logged) => Exchanged::Done(ticket, logged),
            (refused, _) => refused,
        })
    }

    async fn exchanged(&self, event: EventNo) -> Result<Vec<(TypeNo, u32)>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT type_no, COUNT(*) AS count FROM exchange WHERE event = ?1
                 GROUP BY type_no ORDER BY type_no",
            )?;
            collect(&mut statement, [event.0], "exchange", |columns| {
                Ok((columns.type_no("type_no")?, columns.small("count")?))
            })
        })
        .await
    }

    async fn withdraw(
        &self,
        event: EventNo,
        token: RevokedToken,
        key: LogKey,
    ) -> Result<Option<Logged>> {
        let job = move |work: &mut Work<'_, '_>| withdraw(work, event, &token, &key);
        Ok(self.writer.write_logged(event, job).await?.1)
    }

    async fn revoked_tokens(&self, event: EventNo) -> Result<Vec<RevokedToken>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT * FROM revoked_token WHERE event = ?1 ORDER BY at DESC, ticket LIMIT ?2",
            )?;
            collect(&mut statement, params![event.0, PAGE_ROWS_MAX], "revoked_token", |columns| {
                Ok(RevokedToken {
                    ticket: columns.ticket("ticket")?,
                    reason: columns.text("reason")?,
                    at: columns.time("at")?,
                })
            })
        })
        .await
    }
}
