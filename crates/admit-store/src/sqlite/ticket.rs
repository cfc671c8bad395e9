//! Issuing tickets and keeping persons in SQLite.

use admit_core::admission::{History, Standing};
use admit_core::id::{EventNo, TicketId, UnixMs};
use admit_core::log::leaf::{Fact, Kind, LogKey};
use admit_core::ticket::{Grant, digest};
use admit_core::vault::Sealed;
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use super::admission::{Place, read_history, read_spend, write_spend};
use super::event::{read_rotation, ticket_type};
use super::row::{Columns, collect, first};
use super::writer::{Done, Work};
use crate::event::{INTERVAL_S, TicketType};
use crate::log::Logged;
use crate::ticket::{
    Bound, Issued, NewTicket, Person, Terms, Ticket, TicketFilter, TicketPage, Tickets, fact,
};
use crate::transfer::changes;
use crate::{PAGE_ROWS_MAX, Result, StoreError};

const SELECT: &str =
    "SELECT ticket.*, standing, uses, first_scan, first_device, first_gate, first_at,
    last_scan, last_device, last_gate, last_at, last_leaf, last_epoch, skipped, inside, day_gates,
    person.id AS person_id, wrapped_key, person.name AS name, email, phone, answers, email_index";
const FROM: &str = "FROM ticket
  JOIN spend ON spend.event = ticket.event AND spend.digest = ticket.digest
  LEFT JOIN person ON person.id = ticket.person";

pub(super) fn read_person(columns: &Columns<'_, '_>) -> Result<Option<Person>> {
    let Some(id) = columns.bytes_or_none("person_id")? else { return Ok(None) };
    Ok(Some(Person {
        id,
        wrapped_key: columns.sealed("wrapped_key")?,
        name: columns.sealed("name")?,
        email: columns.sealed_or_none("email")?,
        phone: columns.sealed_or_none("phone")?,
        answers: columns.sealed_or_none("answers")?,
        email_index: columns.bytes_or_none("email_index")?,
    }))
}

fn read_ticket(columns: &Columns<'_, '_>) -> Result<Ticket> {
    Ok(Ticket {
        grant: Grant {
            event: columns.event()?,
            ticket: columns.ticket("id")?,
            type_no: columns.type_no("type_no")?,
            not_before_s: columns.small("not_before_s")?,
            expires_s: columns.small("expires_s")?,
            max_uses: columns.small("max_uses")?,
            gates: columns.gates()?,
        },
        key_no: columns.key_no("key_no")?,
        format: columns.text("format")?,
        issued_at: columns.time("issued_at")?,
        history: read_history(columns)?,
        person: read_person(columns)?,
        erased_at: columns.time_or_none("erased_at")?,
        transferable: columns.flag("transferable")?,
        link: columns.int_or_none("link")?.map(i64::cast_unsigned),
        rotation: read_rotation(columns)?,
        binding: columns.blob_or_none("binding")?,
        leaf: columns.int_or_none("leaf")?.map(i64::cast_unsigned),
        last_leaf: columns.int_or_none("last_leaf")?.map(i64::cast_unsigned),
    })
}

pub(super) fn ticket_by_id(
    connection: &Connection,
    event: EventNo,
    id: TicketId,
) -> Result<Option<Ticket>> {
    let sql = format!("{SELECT} {FROM} WHERE ticket.event = ?1 AND ticket.id = ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    first(&mut statement, params![event.0, id.0.cast_signed()], "ticket", read_ticket)
}

/// The ticket with this short name.
fn ticket_by_link(connection: &Connection, link: u64) -> Result<Option<Ticket>> {
    let mut statement =
        connection.prepare_cached(&format!("{SELECT} {FROM} WHERE ticket.link = ?1"))?;
    first(&mut statement, [link.cast_signed()], "ticket", read_ticket)
}

/// The grant of a new ticket.
fn grant(new: &NewTicket, kind: &TicketType, ticket: TicketId) -> Grant {
    let of_type = Terms {
        max_uses: kind.details.max_uses,
        valid_from: kind.details.valid_from,
        valid_until: kind.details.valid_until,
        gates: kind.details.gates,
    };
    let terms = new.terms.unwrap_or(of_type);
    // The token counts seconds in 32 bits: until the year 2106, and earlier bounds are no bound.
    let seconds = |at: Option<UnixMs>| {
        at.map_or(0, |at| u32::try_from(at.0.div_euclid(1000)).unwrap_or_default())
    };
    Grant {
        event: new.event,
        ticket,
        type_no: kind.number,
        not_before_s: seconds(terms.valid_from),
        expires_s: seconds(terms.valid_until),
        max_uses: terms.max_uses,
        gates: terms.gates,
    }
}

/// What came of a request for a ticket, before its proof is known.
enum Tried {
    New(Ticket),
    Other(Issued),
}

fn issue(work: &mut Work<'_, '_>, new: &NewTicket) -> Result<Tried> {
    let tx = work.tx;
    if let Some(request) = &new.idempotency {
        let known: Option<(Vec<u8>, i64)> = tx
            .prepare_cached(
                "SELECT fingerprint, ticket FROM request WHERE event = ?1 AND key = ?2",
            )?
            .query_row(params![new.event.0, request.key], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((fingerprint, ticket)) = known {
            if fingerprint != request.fingerprint {
                return Ok(Tried::Other(Issued::KeyMismatch));
            }
            let ticket = ticket_by_id(tx, new.event, TicketId(ticket.cast_unsigned()))?;
            return Ok(Tried::Other(ticket.map_or(Issued::NotFound, Issued::Repeated)));
        }
    }
    let open: Option<bool> = tx
        .prepare_cached("SELECT registration_open FROM event WHERE number = ?1")?
        .query_row([new.event.0], |row| row.get(0))
        .optional()?;
    let Some(kind) = ticket_type(tx, new.event, new.type_no)? else {
        return Ok(Tried::Other(Issued::NotFound));
    };
    match open {
        None => return Ok(Tried::Other(Issued::NotFound)),
        Some(false) if new.by_public => return Ok(Tried::Other(Issued::Closed)),
        Some(_) => {}
    }
    let taken = tx
        .prepare_cached(
            "UPDATE ticket_type SET issued = issued + 1
             WHERE event = ?1 AND number = ?2 AND issued < quota",
        )?
        .execute(params![new.event.0, new.type_no.0])?;
    if taken == 0 {
        return Ok(Tried::Other(Issued::SoldOut));
    }
    insert(work, new, &kind).map(Tried::New)
}

fn insert(work: &mut Work<'_, '_>, new: &NewTicket, kind: &TicketType) -> Result<Ticket> {
    let tx = work.tx;
    let serial: u32 = tx
        .prepare_cached(
            "UPDATE event SET next_serial = next_serial + 1 WHERE number = ?1
             RETURNING next_serial - 1",
        )?
        .query_row([new.event.0], |row| row.get(0))?;
    let id = TicketId::new(&new.serial_key, serial, new.random);
    let grant = grant(new, kind, id);
    let stored_id = id.0.cast_signed();
    let fact = fact(Kind::Issue, &grant, new.at);
    let leaf = work.leaves.add(tx, new.event, &fact.leaf(&new.log_key))?;
    tx.prepare_cached(
        "INSERT INTO ticket (event, id, serial, type_no, not_before_s, expires_s, max_uses, gates,
           key_no, format, issued_at, person, digest, transferable, link, leaf, rotation,
           interval_s)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
    )?
    .execute(params![
        new.event.0,
        stored_id,
        serial,
        grant.type_no.0,
        grant.not_before_s,
        grant.expires_s,
        grant.max_uses,
        grant.gates.0,
        new.key_no.0,
        new.format,
        new.at.0,
        new.person.as_ref().map(|person| person.id),
        grant.digest().0,
        new.transferable,
        new.link.cast_signed(),
        leaf.cast_signed(),
        kind.details.rotation.map(|rotation| rotation.kind.code()),
        kind.details.rotation.map_or(INTERVAL_S, |rotation| rotation.interval_s)
    ])?;
    let place = Place { last_seq: None, last_leaf: Some(leaf) };
    write_spend(tx, new.event, grant.digest(), &History::FRESH, place)?;
    if let Some(person) = &new.person {
        insert_person(tx, new.event, stored_id, person)?;
    }
    if let Some(request) = &new.idempotency {
        tx.prepare_cached("INSERT INTO request VALUES (?1, ?2, ?3, ?4)")?.execute(params![
            new.event.0,
            request.key,
            request.fingerprint,
            stored_id
        ])?;
    }
    Ok(Ticket {
        grant,
        key_no: new.key_no,
        format: new.format.clone(),
        issued_at: new.at,
        history: History::FRESH,
        person: new.person.clone(),
        erased_at: None,
        transferable: new.transferable,
        link: Some(new.link),
        rotation: kind.details.rotation,
        binding: None,
        leaf: Some(leaf),
        last_leaf: Some(leaf),
    })
}

/// Binds a ticket to a wallet and writes a leaf, if it is bound to none.
fn bind(
    work: &mut Work<'_, '_>,
    (event, id): (EventNo, TicketId),
    binding: &[u8],
    at: UnixMs,
    key: &LogKey,
) -> Result<Done<Bound>> {
    let tx = work.tx;
    let done = |value, leaf| Done { value, scans: Vec::new(), leaf };
    let Some(ticket) = ticket_by_id(tx, event, id)?.filter(|ticket| ticket.rotation.is_some())
    else {
        return Ok(done(Bound::NotFound, None));
    };
    match &ticket.binding {
        Some(known) if known == binding => return Ok(done(Bound::Done(ticket, None), None)),
        Some(_) => return Ok(done(Bound::Elsewhere, None)),
        None => {}
    }
    let fact = Fact { refers: ticket.leaf, ..fact(Kind::Bind, &ticket.grant, at) };
    let leaf = work.leaves.add(tx, event, &fact.leaf(key))?;
    tx.prepare_cached("UPDATE ticket SET binding = ?3 WHERE event = ?1 AND id = ?2")?
        .execute(params![event.0, id.0.cast_signed(), binding])?;
    tx.prepare_cached("UPDATE spend SET last_leaf = ?3 WHERE event = ?1 AND digest = ?2")?
        .execute(params![event.0, digest(event, id).0, leaf.cast_signed()])?;
    let bound = ticket_by_id(tx, event, id)?;
    Ok(done(bound.map_or(Bound::NotFound, |ticket| Bound::Done(ticket, None)), Some(leaf)))
}

/// Changes a ticket's standing and writes a leaf, if it changes at all.
fn set_standing(
    work: &mut Work<'_, '_>,
    named: (EventNo, TicketId),
    standing: Standing,
    at: UnixMs,
    key: &LogKey,
) -> Result<Done<Option<Ticket>>> {
    let ((event, id), tx) = (named, work.tx);
    let done = |value, leaf| Done { value, scans: Vec::new(), leaf };
    let name = digest(event, id);
    let (Some(spend), Some(ticket)) = (read_spend(tx, event, name)?, ticket_by_id(tx, event, id)?)
    else {
        return Ok(done(None, None));
    };
    if !changes(spend.history.standing, standing) {
        return Ok(done(Some(ticket), None));
    }
    let kind = if standing == Standing::Issued { Kind::Reinstate } else { Kind::Revoke };
    let fact = Fact { refers: ticket.leaf, ..fact(kind, &ticket.grant, at) };
    let leaf = work.leaves.add(tx, event, &fact.leaf(key))?;
    let history = History { standing, ..spend.history };
    let place = Place { last_seq: None, last_leaf: Some(leaf) };
    write_spend(tx, event, name, &history, place)?;
    Ok(done(ticket_by_id(tx, event, id)?, Some(leaf)))
}

pub(super) fn insert_person(
    tx: &Connection,
    event: EventNo,
    ticket: i64,
    person: &Person,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO person (id, wrapped_key, name, email, phone, answers, email_index, event,
           ticket) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        person.id,
        person.wrapped_key.as_str(),
        person.name.as_str(),
        person.email.as_ref().map(Sealed::as_str),
        person.phone.as_ref().map(Sealed::as_str),
        person.answers.as_ref().map(Sealed::as_str),
        person.email_index,
        event.0,
        ticket
    ])?;
    Ok(())
}

/// A page, newest serial first. `serial` is the cursor.
fn page(connection: &Connection, event: EventNo, filter: &TicketFilter) -> Result<TicketPage> {
    let limit = filter.limit.clamp(1, PAGE_ROWS_MAX);
    let wanted = params![
        event.0,
        filter.ticket.map(|ticket| ticket.0.cast_signed()),
        filter.email_index,
        filter.standing.map(Standing::code),
        filter.used,
        filter.after,
        limit + 1
    ];
    let condition = "ticket.event = ?1 AND (?2 IS NULL OR ticket.id = ?2)
        AND (?3 IS NULL OR person.email_index = ?3)
        AND (?4 IS NULL OR standing = ?4) AND (?5 IS NULL OR (uses > 0) = ?5)";
    let sql = format!(
        "{SELECT} {FROM} WHERE {condition} AND (?6 IS NULL OR ticket.serial < ?6)
         ORDER BY ticket.serial DESC LIMIT ?7"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = collect(&mut statement, wanted, "ticket", |columns| {
        Ok((read_ticket(columns)?, columns.small::<u32>("serial")?))
    })?;
    let more = found.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if more {
        found.pop();
    }
    let next = found.last().map(|(_, serial)| *serial).filter(|_| more);
    let tickets = found.into_iter().map(|(ticket, _)| ticket).collect();
    let total: i64 = connection
        .prepare_cached(&format!(
            "SELECT COUNT(*) {FROM} WHERE {condition} AND (?6 IS NULL OR 1) AND (?7 IS NULL OR 1)"
        ))?
        .query_row(wanted, |row| row.get(0))?;
    Ok(TicketPage { tickets, next, total: total.cast_unsigned() })
}

#[async_trait]
impl Tickets for SqliteStore {
    async fn issue(&self, ticket: NewTicket) -> Result<Issued> {
        let event = ticket.event;
        let job = move |work: &mut Work<'_, '_>| {
            let value = issue(work, &ticket)?;
            let leaf = match &value {
                Tried::New(ticket) => ticket.leaf,
                Tried::Other(_) => None,
            };
            Ok(Done { value, scans: Vec::new(), leaf })
        };
        match self.writer.write_logged(event, job).await? {
            (Tried::New(ticket), Some(logged)) => Ok(Issued::New(ticket, logged)),
            (Tried::New(_), None) => Err(StoreError::corrupt("log", "an issue without a leaf")),
            (Tried::Other(issued), _) => Ok(issued),
        }
    }

    async fn ticket_by_link(&self, link: u64) -> Result<Option<Ticket>> {
        self.read(move |connection| ticket_by_link(connection, link)).await
    }

    async fn ticket(&self, event: EventNo, ticket: TicketId) -> Result<Option<Ticket>> {
        self.read(move |connection| ticket_by_id(connection, event, ticket)).await
    }

    async fn tickets(&self, event: EventNo, filter: TicketFilter) -> Result<TicketPage> {
        self.read(move |connection| page(connection, event, &filter)).await
    }

    async fn set_standing(
        &self,
        event: EventNo,
        ticket: TicketId,
        standing: Standing,
        at: UnixMs,
        key: LogKey,
    ) -> Result<Option<(Ticket, Option<Logged>)>> {
        let job =
            move |work: &mut Work<'_, '_>| set_standing(work, (event, ticket), standing, at, &key);
        let (ticket, logged) = self.writer.write_logged(event, job).await?;
        Ok(ticket.map(|ticket| (ticket, logged)))
    }

    async fn bind_ticket(
        &self,
        event: EventNo,
        ticket: TicketId,
        binding: Vec<u8>,
        at: UnixMs,
        key: LogKey,
    ) -> Result<Bound> {
        let job = move |work: &mut Work<'_, '_>| bind(work, (event, ticket), &binding, at, &key);
        Ok(match self.writer.write_logged(event, job).await? {
            (Bound::Done(ticket, _), logged) => Bound::Done(ticket, logged),
            (other, _) => other,
        })
    }

    async fn erase_person(
        &self,
        event: EventNo,
        ticket: TicketId,
        at: UnixMs,
    ) -> Result<Option<Ticket>> {
        let erased = self
            .write(move |tx| {
                let id = ticket.0.cast_signed();
                tx.execute(
                    "DELETE FROM person WHERE event = ?1 AND ticket = ?2",
                    params![event.0, id],
                )?;
                // The request's fingerprint was made of the person's data.
                tx.execute(
                    "DELETE FROM request WHERE event = ?1 AND ticket = ?2",
                    params![event.0, id],
                )?;
                tx.execute(
                    "UPDATE ticket SET person = NULL, erased_at = COALESCE(erased_at, ?3)
                     WHERE event = ?1 AND id = ?2",
                    params![event.0, id, at.0],
                )?;
                ticket_by_id(tx, event, ticket)
            })
            .await?;
        // The write-ahead log still holds the old pages: fold it in and empty it.
        self.writer.empty_log().await?;
        Ok(erased)
    }

    async fn wrapped_keys(
        &self,
        after: Option<[u8; 16]>,
        limit: u32,
    ) -> Result<Vec<([u8; 16], Sealed)>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, wrapped_key FROM person WHERE ?1 IS NULL OR id > ?1 ORDER BY id LIMIT ?2",
            )?;
            collect(&mut statement, params![after, limit], "person", |columns| {
                Ok((columns.bytes("id")?, columns.sealed("wrapped_key")?))
            })
        })
        .await
    }

    async fn rewrap(&self, person: [u8; 16], old: Sealed, new: Sealed) -> Result<()> {
        self.write(move |tx| {
            tx.execute(
                "UPDATE person SET wrapped_key = ?3 WHERE id = ?1 AND wrapped_key = ?2",
                params![person, old.as_str(), new.as_str()],
            )?;
            Ok(())
        })
        .await
    }
}
