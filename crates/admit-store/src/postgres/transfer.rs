//! Tickets on their way to another holder or another phone, in PostgreSQL. Whoever looks at a transfer
//! to change it holds the ticket's row of the spend table first: of many at once, one is the first.

use admit_core::admission::History;
use admit_core::id::{EventNo, TicketId, TypeNo, UnixMs};
use admit_core::log::leaf::{Fact, Kind};
use admit_core::ticket::{Grant, digest};
use admit_core::transfer::{Handover, Transferable, gone};
use async_trait::async_trait;
use deadpool_postgres::{GenericClient, Transaction};

use super::admission::{lock_spend, number};
use super::append::{self, Rows};
use super::event::read_transferable;
use super::log::{self, Edges, Grown};
use super::row::{Columns, collect, first};
use super::ticket::{insert_person, read_person, ticket_by_id};
use super::{Boxed, Done, PostgresStore, query};
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

/// An answer, and what the log has grown by.
type Went = (Accepted, Option<(u64, Grown)>);

fn read_transfer(columns: &Columns<'_>) -> Result<Transfer> {
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

async fn transfer_of(
    client: &impl GenericClient,
    event: EventNo,
    ticket: TicketId,
) -> Done<Option<Transfer>> {
    let sql = format!("{SELECT} WHERE transfer.event = $1 AND transfer.ticket = $2");
    let rows = query(client, &sql, &[&number(event), &ticket.0.cast_signed()]).await?;
    Ok(first(&rows, "transfer", read_transfer)?)
}

async fn write_transfer(tx: &Transaction<'_>, event: EventNo, transfer: &Transfer) -> Done<()> {
    query(
        tx,
        "INSERT INTO transfer (event, ticket, kind, state, secret, claim, person, successor,
           offered_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (event, ticket) DO UPDATE SET kind = $3, state = $4, secret = $5, claim = $6,
           person = $7, successor = $8, offered_at = $9, changed_at = $10",
        &[
            &number(event),
            &transfer.ticket.0.cast_signed(),
            &transfer.to.code(),
            &transfer.state.code(),
            &transfer.secret.as_ref().map(<[u8; 32]>::as_slice),
            &transfer.claim.as_ref().map(<[u8; 32]>::as_slice),
            &transfer.person.as_ref().map(|person| person.id.as_slice()),
            &transfer.successor.map(|id| id.0.cast_signed()),
            &transfer.offered_at.0,
            &transfer.changed_at.0,
        ],
    )
    .await?;
    Ok(())
}

/// A ticket that is held until the transaction ends.
struct Held {
    ticket: Ticket,
    /// What its type says today of handing it on.
    of_type: Transferable,
    history: History,
    transfer: Option<Transfer>,
}

async fn hold(tx: &Transaction<'_>, event: EventNo, id: TicketId) -> Done<Option<Held>> {
    let Some((history, _)) = lock_spend(tx, event, digest(event, id)).await? else {
        return Ok(None);
    };
    let Some(ticket) = ticket_by_id(tx, event, id).await? else { return Ok(None) };
    let of_type = of_type(tx, event, ticket.grant.type_no).await?;
    let transfer = transfer_of(tx, event, id).await?;
    Ok(Some(Held { ticket, of_type, history, transfer }))
}

async fn of_type(tx: &Transaction<'_>, event: EventNo, kind: TypeNo) -> Done<Transferable> {
    let sql = "SELECT transferable FROM ticket_type WHERE event = $1 AND number = $2";
    let rows = query(tx, sql, &[&number(event), &i64::from(kind.0)]).await?;
    Ok(first(&rows, "ticket_type", read_transferable)?.unwrap_or_default())
}

async fn offer(tx: &Transaction<'_>, offer: &Offer) -> Done<Offered> {
    let Some(held) = hold(tx, offer.event, offer.ticket).await? else {
        return Ok(Offered::NotFound);
    };
    let before = held.transfer;
    if before.as_ref().is_some_and(|before| before.state == State::Asked) {
        return Ok(Offered::Waiting);
    }
    if let Err(refused) = allowed(&held.ticket, offer.to, held.of_type) {
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
    write_transfer(tx, offer.event, &transfer).await?;
    Ok(Offered::Done(transfer))
}

async fn end(tx: &Transaction<'_>, event: EventNo, ticket: TicketId, at: UnixMs) -> Done<bool> {
    let open = |transfer: &Transfer| matches!(transfer.state, State::Offered | State::Asked);
    let transfer = hold(tx, event, ticket).await?.and_then(|held| held.transfer).filter(open);
    let Some(transfer) = transfer else { return Ok(false) };
    if let Some(person) = &transfer.person {
        query(tx, "DELETE FROM person WHERE id = $1", &[&person.id.as_slice()]).await?;
    }
    let ended = Transfer { state: State::Ended, person: None, changed_at: at, ..transfer };
    write_transfer(tx, event, &ended).await?;
    Ok(true)
}

async fn accept(tx: &Transaction<'_>, edges: &Edges, accepting: &Acceptance) -> Done<Went> {
    let event = accepting.event;
    let Some(mut held) = hold(tx, event, accepting.ticket).await? else {
        return Ok((Accepted::NotFound, None));
    };
    let next = step(held.transfer.as_ref(), accepting, &held.ticket, held.of_type);
    let person = accepting.person.as_ref();
    let transfer = match (next, held.transfer.take()) {
        (Step::Answer(answer), _) => return Ok((answer, None)),
        (Step::Again(successor), _) => {
            let new = ticket_by_id(tx, event, successor).await?;
            return Ok((new.map_or(Accepted::NotFound, |new| Accepted::Done(new, None)), None));
        }
        (Step::Ask, Some(before)) => {
            insert_person(tx, number(event), NO_TICKET, person).await?;
            let asked = Transfer {
                state: State::Asked,
                claim: Some(accepting.claim),
                person: accepting.person.clone(),
                changed_at: accepting.reissue.at,
                ..before
            };
            write_transfer(tx, event, &asked).await?;
            return Ok((Accepted::Asked, None));
        }
        (Step::Go, Some(before)) => Transfer { claim: Some(accepting.claim), ..before },
        (Step::Ask | Step::Go, None) => return Ok((Accepted::NotFound, None)),
    };
    let person = person.filter(|_| transfer.to == Handover::Give);
    insert_person(tx, number(event), NO_TICKET, person).await?;
    go(tx, edges, &held, transfer, person, &accepting.reissue).await
}

async fn agree(
    tx: &Transaction<'_>,
    edges: &Edges,
    (event, id): (EventNo, TicketId),
    with: &Reissue,
) -> Done<Went> {
    let Some(mut held) = hold(tx, event, id).await? else { return Ok((Accepted::NotFound, None)) };
    let asked = |transfer: &Transfer| transfer.state == State::Asked;
    let Some(transfer) = held.transfer.take().filter(asked) else {
        return Ok((Accepted::NotFound, None));
    };
    if let Err(refused) = allowed(&held.ticket, transfer.to, held.of_type) {
        return Ok((Accepted::Refused(refused), None));
    }
    let person = transfer.person.clone();
    go(tx, edges, &held, transfer, person.as_ref(), with).await
}

async fn reissue(
    tx: &Transaction<'_>,
    edges: &Edges,
    (event, id): (EventNo, TicketId),
    with: &Reissue,
) -> Done<Went> {
    let Some(held) = hold(tx, event, id).await? else { return Ok((Accepted::NotFound, None)) };
    if let Err(refused) = allowed(&held.ticket, Handover::Move, held.of_type) {
        return Ok((Accepted::Refused(refused), None));
    }
    // Whoever waits for it waits in vain.
    end(tx, event, id, with.at).await?;
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
    go(tx, edges, &held, transfer, None, with).await
}

/// Issues a ticket in the place of another: both, the log, the person and the transfer in one write.
async fn go(
    tx: &Transaction<'_>,
    edges: &Edges,
    held: &Held,
    transfer: Transfer,
    person: Option<&Person>,
    with: &Reissue,
) -> Done<Went> {
    let old = &held.ticket;
    let event = old.grant.event;
    let sql = "UPDATE event SET next_serial = next_serial + 1 WHERE number = $1
        RETURNING next_serial - 1 AS serial";
    let rows = query(tx, sql, &[&number(event)]).await?;
    let serial: u32 = first(&rows, "event", |columns| columns.small("serial"))?.unwrap_or_default();
    let ticket = TicketId::new(&with.serial_key, serial, with.random);
    let grant = Grant { ticket, ..old.grant };

    let mut log = log::hold(tx, edges, event).await?;
    let ended = Fact { refers: old.leaf, ..fact(Kind::Transfer, &old.grant, with.at) };
    let end_leaf = log.add(event, ended.leaf(&with.log_key).to_bytes())?;
    let issue = Fact { refers: Some(end_leaf), ..fact(Kind::Issue, &grant, with.at) };
    let leaf = log.add(event, issue.leaf(&with.log_key).to_bytes())?;
    let rows = Rows { grown: log.grow(), ..Rows::default() };
    append::write(tx, &rows).await?;

    let (history, new_history) = gone(&held.history);
    let sql = "UPDATE spend SET standing = $3, last_leaf = $4 WHERE event = $1 AND digest = $2";
    let (old_name, new_name) = (old.grant.digest().0, grant.digest().0);
    let standing = history.standing.code();
    let old_row: super::Params<'_> =
        &[&number(event), &old_name.as_slice(), &standing, &end_leaf.cast_signed()];
    query(tx, sql, old_row).await?;
    // The scans of before stay in its chain: an entry among them can still be the one before.
    let sql =
        "INSERT INTO spend (event, digest, standing, uses, first_scan, first_device, first_gate,
           first_at, last_scan, last_device, last_gate, last_at, last_seq, last_leaf, skipped,
           inside, day_gates)
         SELECT event, $3, $4, uses, first_scan, first_device, first_gate, first_at, last_scan,
           last_device, last_gate, last_at, last_seq, $5, skipped, inside, day_gates
         FROM spend WHERE event = $1 AND digest = $2";
    let standing = new_history.standing.code();
    let new_row: super::Params<'_> = &[
        &number(event),
        &old_name.as_slice(),
        &new_name.as_slice(),
        &standing,
        &leaf.cast_signed(),
    ];
    query(tx, sql, new_row).await?;
    let person = write_ticket(tx, held, &transfer, person, (&grant, serial, leaf), with).await?;
    move_person(tx, &old.grant, ticket, person.as_deref(), transfer.to).await?;
    let (state, changed_at) = (State::Done, with.at);
    let transfer =
        Transfer { state, successor: Some(ticket), person: None, changed_at, ..transfer };
    write_transfer(tx, event, &transfer).await?;
    let new = ticket_by_id(tx, event, ticket).await?;
    let new = new.ok_or_else(|| StoreError::corrupt("ticket", "a new ticket is not there"))?;
    Ok((Accepted::Done(new, None), Some((leaf, rows.grown))))
}

/// Writes the new ticket; the id of its holder.
async fn write_ticket(
    tx: &Transaction<'_>,
    held: &Held,
    transfer: &Transfer,
    person: Option<&Person>,
    (grant, serial, leaf): (&Grant, u32, u64),
    with: &Reissue,
) -> Done<Option<Vec<u8>>> {
    let old = &held.ticket;
    let moved = old.person.as_ref().filter(|_| transfer.to == Handover::Move);
    let person = person.or(moved).map(|person| person.id.to_vec());
    query(
        tx,
        "INSERT INTO ticket (event, id, serial, type_no, not_before_s, expires_s, max_uses, gates,
           key_no, format, issued_at, person, digest, transferable, link, leaf, rotation,
           interval_s)
         SELECT event, $3, $4, type_no, not_before_s, expires_s, max_uses, gates, $5, $6, $7, $8,
           $9, transferable, $10, $11, rotation, interval_s
         FROM ticket WHERE event = $1 AND id = $2",
        &[
            &number(grant.event),
            &old.grant.ticket.0.cast_signed(),
            &grant.ticket.0.cast_signed(),
            &i64::from(serial),
            &i64::from(with.key_no.0),
            &with.format,
            &with.at.0,
            &person,
            &grant.digest().0.as_slice(),
            &with.link.cast_signed(),
            &leaf.cast_signed(),
        ],
    )
    .await?;
    Ok(person)
}

/// The person behind a ticket is that of the new one; of the old one no longer, when it is the same.
async fn move_person(
    tx: &Transaction<'_>,
    old: &Grant,
    new: TicketId,
    person: Option<&[u8]>,
    to: Handover,
) -> Done<()> {
    let Some(person) = person else { return Ok(()) };
    let sql = "UPDATE person SET ticket = $2 WHERE id = $1";
    query(tx, sql, &[&person, &new.0.cast_signed()]).await?;
    if to == Handover::Move {
        let sql = "UPDATE ticket SET person = NULL WHERE event = $1 AND id = $2";
        query(tx, sql, &[&number(old.event), &old.ticket.0.cast_signed()]).await?;
    }
    Ok(())
}

impl PostgresStore {
    async fn hand_over(
        &self,
        event: EventNo,
        job: impl for<'a> Fn(&'a Transaction<'a>, Edges) -> Boxed<'a, Done<Went>> + Send + Sync,
    ) -> Result<Accepted> {
        let (accepted, logged) = self.transact(|tx| job(tx, self.edges.clone())).await?;
        let logged = logged.and_then(|(index, grown)| {
            self.edges.keep(&grown);
            grown.of(event, index)
        });
        Ok(match accepted {
            Accepted::Done(ticket, _) => Accepted::Done(ticket, logged),
            other => other,
        })
    }
}

#[async_trait]
impl Transfers for PostgresStore {
    async fn offer(&self, new: Offer) -> Result<Offered> {
        Ok(self.transact(|tx| Box::pin(async move { offer(tx, &new).await })).await?)
    }

    async fn end_offer(&self, event: EventNo, ticket: TicketId, at: UnixMs) -> Result<bool> {
        Ok(self.transact(|tx| Box::pin(end(tx, event, ticket, at))).await?)
    }

    async fn accept(&self, acceptance: Acceptance) -> Result<Accepted> {
        self.hand_over(acceptance.event, |tx, edges| {
            let acceptance = acceptance.clone();
            Box::pin(async move { accept(tx, &edges, &acceptance).await })
        })
        .await
    }

    async fn transfer(&self, event: EventNo, ticket: TicketId) -> Result<Option<Transfer>> {
        Ok(transfer_of(&self.client().await?, event, ticket).await?)
    }

    async fn transfers_asked(&self, event: EventNo) -> Result<Vec<Transfer>> {
        let sql = format!(
            "{SELECT} WHERE transfer.event = $1 AND state = 'asked'
             ORDER BY changed_at, transfer.ticket LIMIT {PAGE_ROWS_MAX}"
        );
        collect(&self.query(&sql, &[&number(event)]).await?, "transfer", read_transfer)
    }

    async fn agree(&self, event: EventNo, ticket: TicketId, with: Reissue) -> Result<Accepted> {
        self.hand_over(event, |tx, edges| {
            let with = with.clone();
            Box::pin(async move { agree(tx, &edges, (event, ticket), &with).await })
        })
        .await
    }

    async fn reissue(&self, event: EventNo, ticket: TicketId, with: Reissue) -> Result<Accepted> {
        self.hand_over(event, |tx, edges| {
            let with = with.clone();
            Box::pin(async move { reissue(tx, &edges, (event, ticket), &with).await })
        })
        .await
    }
}
