//! Tickets on their way to another holder or another phone, in SQLite.

use admit_core::id::{EventNo, TicketId, UnixMs};
use admit_core::log::leaf::{Fact, Kind};
use admit_core::ticket::Grant;
use admit_core::transfer::{Handover, gone};
use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::SqliteStore;
use super::admission::{Place, read_spend, write_spend};
use super::event::ticket_type;
use super::row::{Columns, collect, first};
use super::ticket::{insert_person, read_person, ticket_by_id};
use super::writer::{Done, Work};
use crate::ticket::{Person, Ticket, fact};
use crate::transfer::{
    Acceptance, Accepted, Offer, Offered, Reissue, State, Step, Transfer, Transfers, allowed, step,
};
use crate::{PAGE_ROWS_MAX, Result, StoreError};

const SELECT: &str = "SELECT transfer.*, person.id AS person_id, wrapped_key, person.name AS name,
    email, phone, answers, email_index
  FROM transfer LEFT JOIN person ON person.id = transfer.person";
/// In `person.ticket` while the organiser has not agreed: of no ticket yet.
const NO_TICKET: i64 = 0;

fn read_transfer(columns: &Columns<'_, '_>) -> Result<Transfer> {
    let (to, state) = (columns.text("kind")?, columns.text("state")?);
    let successor = columns.int_or_none("successor")?;
    Ok(Transfer {
        ticket: columns.ticket("ticket")?,
        to: Handover::parse(&to).ok_or_else(|| columns.corrupt("kind"))?,
        state: State::parse(&state).ok_or_else(|| columns.corrupt("state"))?,
        secret: columns.bytes_or_none("secret")?,
        claim: columns.bytes_or_none("claim")?,
        person: read_person(columns)?,
        successor: successor.map(|id| TicketId(id.cast_unsigned())),
        offered_at: columns.time("offered_at")?,
        changed_at: columns.time("changed_at")?,
    })
}

fn transfer_of(
    connection: &Connection,
    event: EventNo,
    ticket: TicketId,
) -> Result<Option<Transfer>> {
    let sql = format!("{SELECT} WHERE transfer.event = ?1 AND transfer.ticket = ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    first(&mut statement, params![event.0, ticket.0.cast_signed()], "transfer", read_transfer)
}

fn write_transfer(tx: &Connection, event: EventNo, transfer: &Transfer) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO transfer (event, ticket, kind, state, secret, claim, person, successor,
           offered_at, changed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (event, ticket) DO UPDATE SET kind = ?3, state = ?4, secret = ?5, claim = ?6,
           person = ?7, successor = ?8, offered_at = ?9, changed_at = ?10",
    )?
    .execute(params![
        event.0,
        transfer.ticket.0.cast_signed(),
        transfer.to.code(),
        transfer.state.code(),
        transfer.secret,
        transfer.claim,
        transfer.person.as_ref().map(|person| person.id),
        transfer.successor.map(|id| id.0.cast_signed()),
        transfer.offered_at.0,
        transfer.changed_at.0
    ])?;
    Ok(())
}

/// A ticket, with what its type says today of handing it on.
fn known(
    tx: &Connection,
    event: EventNo,
    id: TicketId,
) -> Result<Option<(Ticket, admit_core::transfer::Transferable)>> {
    let Some(ticket) = ticket_by_id(tx, event, id)? else { return Ok(None) };
    let kind = ticket_type(tx, event, ticket.grant.type_no)?;
    Ok(Some((ticket, kind.map(|kind| kind.details.transferable).unwrap_or_default())))
}

fn offer(tx: &Connection, offer: &Offer) -> Result<Offered> {
    let Some((ticket, of_type)) = known(tx, offer.event, offer.ticket)? else {
        return Ok(Offered::NotFound);
    };
    let before = transfer_of(tx, offer.event, offer.ticket)?;
    if before.as_ref().is_some_and(|before| before.state == State::Asked) {
        return Ok(Offered::Waiting);
    }
    if let Err(refused) = allowed(&ticket, offer.to, of_type) {
        return Ok(Offered::Refused(refused));
    }
    let same = |before: &Transfer| {
        before.secret == Some(offer.secret)
            && before.to == offer.to
            && before.state == State::Offered
    };
    if let Some(before) = before.filter(same) {
        return Ok(Offered::Done(before));
    }
    let transfer = Transfer {
        ticket: offer.ticket,
        to: offer.to,
        state: State::Offered,
        secret: Some(offer.secret),
        claim: None,
        person: None,
        successor: None,
        offered_at: offer.at,
        changed_at: offer.at,
    };
    write_transfer(tx, offer.event, &transfer)?;
    Ok(Offered::Done(transfer))
}

fn end(tx: &Connection, event: EventNo, ticket: TicketId, at: UnixMs) -> Result<bool> {
    let open = |transfer: &Transfer| matches!(transfer.state, State::Offered | State::Asked);
    let Some(transfer) = transfer_of(tx, event, ticket)?.filter(open) else { return Ok(false) };
    if let Some(person) = &transfer.person {
        tx.execute("DELETE FROM person WHERE id = ?1", [person.id])?;
    }
    let ended = Transfer { state: State::Ended, person: None, changed_at: at, ..transfer };
    write_transfer(tx, event, &ended)?;
    Ok(true)
}

/// An answer, and the leaf of the new ticket when there is one.
fn done(value: Accepted, leaf: Option<u64>) -> Done<Accepted> {
    Done { value, scans: Vec::new(), leaf }
}

fn accept(work: &mut Work<'_, '_>, accepting: &Acceptance) -> Result<Done<Accepted>> {
    let (tx, event, id) = (work.tx, accepting.event, accepting.ticket);
    let Some((ticket, of_type)) = known(tx, event, id)? else {
        return Ok(done(Accepted::NotFound, None));
    };
    let before = transfer_of(tx, event, id)?;
    let transfer = match (step(before.as_ref(), accepting, &ticket, of_type), before) {
        (Step::Answer(answer), _) => return Ok(done(answer, None)),
        (Step::Again(successor), _) => {
            let new = ticket_by_id(tx, event, successor)?;
            let answer = new.map_or(Accepted::NotFound, |new| Accepted::Done(new, None));
            return Ok(done(answer, None));
        }
        (Step::Ask, Some(before)) => {
            if let Some(person) = &accepting.person {
                insert_person(tx, event, NO_TICKET, person)?;
            }
            let asked = Transfer {
                state: State::Asked,
                claim: Some(accepting.claim),
                person: accepting.person.clone(),
                changed_at: accepting.reissue.at,
                ..before
            };
            write_transfer(tx, event, &asked)?;
            return Ok(done(Accepted::Asked, None));
        }
        (Step::Go, Some(before)) => Transfer { claim: Some(accepting.claim), ..before },
        (Step::Ask | Step::Go, None) => return Ok(done(Accepted::NotFound, None)),
    };
    let person = accepting.person.as_ref();
    if let (Some(person), Handover::Give) = (person, transfer.to) {
        insert_person(tx, event, NO_TICKET, person)?;
    }
    go(work, &ticket, &transfer, person, &accepting.reissue)
}

fn agree(
    work: &mut Work<'_, '_>,
    (event, id): (EventNo, TicketId),
    with: &Reissue,
) -> Result<Done<Accepted>> {
    let asked = |transfer: &Transfer| transfer.state == State::Asked;
    let transfer = transfer_of(work.tx, event, id)?.filter(asked);
    let (Some(transfer), Some((ticket, of_type))) = (transfer, known(work.tx, event, id)?) else {
        return Ok(done(Accepted::NotFound, None));
    };
    if let Err(refused) = allowed(&ticket, transfer.to, of_type) {
        return Ok(done(Accepted::Refused(refused), None));
    }
    let person = transfer.person.clone();
    go(work, &ticket, &transfer, person.as_ref(), with)
}

fn reissue(
    work: &mut Work<'_, '_>,
    (event, id): (EventNo, TicketId),
    with: &Reissue,
) -> Result<Done<Accepted>> {
    let Some((ticket, of_type)) = known(work.tx, event, id)? else {
        return Ok(done(Accepted::NotFound, None));
    };
    if let Err(refused) = allowed(&ticket, Handover::Move, of_type) {
        return Ok(done(Accepted::Refused(refused), None));
    }
    // Whoever waits for it waits in vain.
    end(work.tx, event, id, with.at)?;
    let transfer = Transfer {
        ticket: id,
        to: Handover::Move,
        state: State::Done,
        secret: None,
        claim: None,
        person: None,
        successor: None,
        offered_at: with.at,
        changed_at: with.at,
    };
    go(work, &ticket, &transfer, None, with)
}

/// Issues a ticket in the place of another: both, the log, the person and the transfer in one write.
fn go(
    work: &mut Work<'_, '_>,
    old: &Ticket,
    transfer: &Transfer,
    person: Option<&Person>,
    with: &Reissue,
) -> Result<Done<Accepted>> {
    let (tx, event) = (work.tx, old.grant.event);
    let ended = Fact { refers: old.leaf, ..fact(Kind::Transfer, &old.grant, with.at) };
    let end_leaf = work.leaves.add(tx, event, &ended.leaf(&with.log_key))?;
    let serial: u32 = tx
        .prepare_cached(
            "UPDATE event SET next_serial = next_serial + 1 WHERE number = ?1
             RETURNING next_serial - 1",
        )?
        .query_row([event.0], |row| row.get(0))?;
    let ticket = TicketId::new(&with.serial_key, serial, with.random);
    let grant = Grant { ticket, ..old.grant };
    let issue = Fact { refers: Some(end_leaf), ..fact(Kind::Issue, &grant, with.at) };
    let leaf = work.leaves.add(tx, event, &issue.leaf(&with.log_key))?;

    let spend = read_spend(tx, event, old.grant.digest())?
        .ok_or_else(|| StoreError::corrupt("spend", "no row of a ticket"))?;
    let (history, new_history) = gone(&spend.history);
    let place = Place { last_seq: None, last_leaf: Some(end_leaf) };
    write_spend(tx, event, old.grant.digest(), &history, place)?;
    // The scans of before stay in its chain: an entry among them can still be the one before.
    let place = Place { last_seq: spend.last_seq, last_leaf: Some(leaf) };
    write_spend(tx, event, grant.digest(), &new_history, place)?;

    write_ticket(tx, old, (&grant, serial, leaf), (transfer.to, person), with)?;
    let (state, changed_at) = (State::Done, with.at);
    let transfer =
        Transfer { state, successor: Some(ticket), person: None, changed_at, ..transfer.clone() };
    write_transfer(tx, event, &transfer)?;
    let new = ticket_by_id(tx, event, ticket)?
        .ok_or_else(|| StoreError::corrupt("ticket", "a new ticket is not there"))?;
    Ok(done(Accepted::Done(new, None), Some(leaf)))
}

/// Writes the new ticket. Its holder is somebody else, or the same: then the old ticket has none.
fn write_ticket(
    tx: &Connection,
    old: &Ticket,
    (grant, serial, leaf): (&Grant, u32, u64),
    (to, person): (Handover, Option<&Person>),
    with: &Reissue,
) -> Result<()> {
    let (event, old_id) = (grant.event, old.grant.ticket.0.cast_signed());
    let new_id = grant.ticket.0.cast_signed();
    let moved = old.person.as_ref().filter(|_| to == Handover::Move);
    let person = person.or(moved).map(|person| person.id);
    tx.prepare_cached(
        "INSERT INTO ticket (event, id, serial, type_no, not_before_s, expires_s, max_uses, gates,
           key_no, format, issued_at, person, digest, transferable, link, leaf, rotation,
           interval_s)
         SELECT event, ?3, ?4, type_no, not_before_s, expires_s, max_uses, gates, ?5, ?6, ?7, ?8,
           ?9, transferable, ?10, ?11, rotation, interval_s
         FROM ticket WHERE event = ?1 AND id = ?2",
    )?
    .execute(params![
        event.0,
        old_id,
        new_id,
        serial,
        with.key_no.0,
        with.format,
        with.at.0,
        person,
        grant.digest().0,
        with.link.cast_signed(),
        leaf.cast_signed()
    ])?;
    if let Some(person) = person {
        tx.execute("UPDATE person SET ticket = ?2 WHERE id = ?1", params![person, new_id])?;
    }
    if moved.is_some() {
        tx.execute(
            "UPDATE ticket SET person = NULL WHERE event = ?1 AND id = ?2",
            params![event.0, old_id],
        )?;
    }
    Ok(())
}

impl SqliteStore {
    async fn hand_over(
        &self,
        event: EventNo,
        job: impl FnOnce(&mut Work<'_, '_>) -> Result<Done<Accepted>> + Send + 'static,
    ) -> Result<Accepted> {
        Ok(match self.writer.write_logged(event, job).await? {
            (Accepted::Done(ticket, _), logged) => Accepted::Done(ticket, logged),
            (other, _) => other,
        })
    }
}

#[async_trait]
impl Transfers for SqliteStore {
    async fn offer(&self, new: Offer) -> Result<Offered> {
        self.write(move |tx| offer(tx, &new)).await
    }

    async fn end_offer(&self, event: EventNo, ticket: TicketId, at: UnixMs) -> Result<bool> {
        self.write(move |tx| end(tx, event, ticket, at)).await
    }

    async fn accept(&self, acceptance: Acceptance) -> Result<Accepted> {
        self.hand_over(acceptance.event, move |work| accept(work, &acceptance)).await
    }

    async fn transfer(&self, event: EventNo, ticket: TicketId) -> Result<Option<Transfer>> {
        self.read(move |connection| transfer_of(connection, event, ticket)).await
    }

    async fn transfers_asked(&self, event: EventNo) -> Result<Vec<Transfer>> {
        self.read(move |connection| {
            let sql = format!(
                "{SELECT} WHERE transfer.event = ?1 AND state = 'asked'
                 ORDER BY changed_at, transfer.ticket LIMIT {PAGE_ROWS_MAX}"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            collect(&mut statement, [event.0], "transfer", read_transfer)
        })
        .await
    }

    async fn agree(&self, event: EventNo, ticket: TicketId, with: Reissue) -> Result<Accepted> {
        self.hand_over(event, move |work| agree(work, (event, ticket), &with)).await
    }

    async fn reissue(&self, event: EventNo, ticket: TicketId, with: Reissue) -> Result<Accepted> {
        self.hand_over(event, move |work| reissue(work, (event, ticket), &with)).await
    }
}
