//! Issuing tickets and keeping persons in PostgreSQL.

use admit_core::admission::{History, Standing};
use admit_core::id::{EventNo, TicketId, UnixMs};
use admit_core::log::leaf::{Fact, Kind, LogKey};
use admit_core::ticket::{Grant, digest};
use admit_core::vault::Sealed;
use async_trait::async_trait;
use deadpool_postgres::{GenericClient, Transaction};

use super::admission::{lock_spend, number, read_history};
use super::append::{self, Rows};
use super::event::{lock_type, read_rotation};
use super::log::{self, Edges, Grown};
use super::row::{Columns, collect, first};
use super::{Done, PostgresStore, query};
use crate::event::{INTERVAL_S, TicketType, TypeRotation};
use crate::log::Logged;
use crate::ticket::{
    Bound, Issued, NewTicket, Person, Terms, Ticket, TicketFilter, TicketPage, Tickets, fact,
};
use crate::transfer::changes;
use crate::{PAGE_ROWS_MAX, Result, StoreError};

const SELECT: &str =
    "SELECT ticket.*, standing, uses, first_scan, first_device, first_gate, first_at,
    last_scan, last_device, last_gate, last_at, last_leaf, last_epoch, skipped, inside, day_gates,
    person.id AS person_id, wrapped_key,
    person.name AS name, email, phone, answers, email_index";
const FROM: &str = "FROM ticket
  JOIN spend ON spend.event = ticket.event AND spend.digest = ticket.digest
  LEFT JOIN person ON person.id = ticket.person";

pub(super) fn read_person(columns: &Columns<'_>) -> Result<Option<Person>> {
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

fn read_ticket(columns: &Columns<'_>) -> Result<Ticket> {
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

pub(super) async fn ticket_by_id(
    client: &impl GenericClient,
    event: EventNo,
    id: TicketId,
) -> Done<Option<Ticket>> {
    let sql = format!("{SELECT} {FROM} WHERE ticket.event = $1 AND ticket.id = $2");
    let rows = query(client, &sql, &[&i64::from(event.0), &id.0.cast_signed()]).await?;
    Ok(first(&rows, "ticket", read_ticket)?)
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
    New(Ticket, Grown),
    Other(Issued),
}

/// What the same request was answered before.
async fn issued_before(tx: &Transaction<'_>, new: &NewTicket) -> Done<Option<Issued>> {
    let Some(request) = &new.idempotency else { return Ok(None) };
    let sql = "SELECT fingerprint, ticket FROM request WHERE event = $1 AND key = $2";
    let rows = query(tx, sql, &[&i64::from(new.event.0), &request.key.as_slice()]).await?;
    let known = first(&rows, "request", |columns| {
        Ok((columns.bytes::<32>("fingerprint")?, columns.ticket("ticket")?))
    })?;
    let Some((fingerprint, ticket)) = known else { return Ok(None) };
    if fingerprint != request.fingerprint {
        return Ok(Some(Issued::KeyMismatch));
    }
    let ticket = ticket_by_id(tx, new.event, ticket).await?;
    Ok(Some(ticket.map_or(Issued::NotFound, Issued::Repeated)))
}

async fn issue(tx: &Transaction<'_>, edges: &Edges, new: &NewTicket) -> Done<Tried> {
    // The type is held first: of two equal requests at once, the later sees the earlier's ticket.
    let kind = lock_type(tx, new.event, new.type_no).await?;
    if let Some(answer) = issued_before(tx, new).await? {
        return Ok(Tried::Other(answer));
    }
    let Some(kind) = kind else { return Ok(Tried::Other(Issued::NotFound)) };
    let sql = "SELECT registration_open FROM event WHERE number = $1";
    let rows = query(tx, sql, &[&number(new.event)]).await?;
    let open = first(&rows, "event", |columns| columns.flag("registration_open"))?;
    match open {
        None => return Ok(Tried::Other(Issued::NotFound)),
        Some(false) if new.by_public => return Ok(Tried::Other(Issued::Closed)),
        Some(_) if kind.issued >= kind.details.quota => return Ok(Tried::Other(Issued::SoldOut)),
        Some(_) => {}
    }
    let (ticket, grown) = insert(tx, edges, new, &kind).await?;
    Ok(Tried::New(ticket, grown))
}

async fn insert(
    tx: &Transaction<'_>,
    edges: &Edges,
    new: &NewTicket,
    kind: &TicketType,
) -> Done<(Ticket, Grown)> {
    let event = number(new.event);
    let sql = "UPDATE ticket_type SET issued = issued + 1 WHERE event = $1 AND number = $2";
    query(tx, sql, &[&event, &i64::from(new.type_no.0)]).await?;
    let sql = "UPDATE event SET next_serial = next_serial + 1 WHERE number = $1
        RETURNING next_serial - 1 AS serial";
    let rows = query(tx, sql, &[&event]).await?;
    let serial = first(&rows, "event", |columns| columns.small("serial"))?.unwrap_or_default();
    let grant = grant(new, kind, TicketId::new(&new.serial_key, serial, new.random));
    let leaf = fact(Kind::Issue, &grant, new.at).leaf(&new.log_key);
    let mut held = log::hold(tx, edges, new.event).await?;
    let index = held.add(new.event, leaf.to_bytes())?;
    let rows = Rows { grown: held.grow(), ..Rows::default() };
    let (id, digest) = (grant.ticket.0.cast_signed(), grant.digest().0);
    // Nothing of this reads what the rest writes: all of it travels together.
    let (log, ticket, spend, person, request) = tokio::join!(
        biased;
        append::write(tx, &rows),
        insert_ticket(tx, new, &grant, (serial, index), kind.details.rotation),
        insert_spend(tx, event, &digest, index),
        insert_person(tx, event, id, new.person.as_ref()),
        insert_request(tx, new, id),
    );
    log?;
    ticket?;
    spend?;
    person?;
    request?;
    let ticket = Ticket {
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
        leaf: Some(index),
        last_leaf: Some(index),
    };
    Ok((ticket, rows.grown))
}

async fn insert_ticket(
    tx: &Transaction<'_>,
    new: &NewTicket,
    grant: &Grant,
    (serial, leaf): (u32, u64),
    rotation: Option<TypeRotation>,
) -> Done<()> {
    query(
        tx,
        "INSERT INTO ticket (event, id, serial, type_no, not_before_s, expires_s, max_uses, gates,
           key_no, format, issued_at, person, digest, transferable, link, leaf, rotation,
           interval_s)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        &[
            &number(new.event),
            &grant.ticket.0.cast_signed(),
            &i64::from(serial),
            &i64::from(grant.type_no.0),
            &i64::from(grant.not_before_s),
            &i64::from(grant.expires_s),
            &i64::from(grant.max_uses),
            &i64::from(grant.gates.0),
            &i64::from(new.key_no.0),
            &new.format,
            &new.at.0,
            &new.person.as_ref().map(|person| person.id.as_slice()),
            &grant.digest().0.as_slice(),
            &i64::from(new.transferable),
            &new.link.cast_signed(),
            &leaf.cast_signed(),
            &rotation.map(|rotation| rotation.kind.code()),
            &i64::from(rotation.map_or(INTERVAL_S, |rotation| rotation.interval_s)),
        ],
    )
    .await?;
    Ok(())
}

async fn insert_spend(tx: &Transaction<'_>, event: i64, digest: &[u8], leaf: u64) -> Done<()> {
    let sql = "INSERT INTO spend (event, digest, standing, uses, last_leaf)
         VALUES ($1, $2, $3, 0, $4)";
    query(tx, sql, &[&event, &digest, &Standing::Issued.code(), &leaf.cast_signed()]).await?;
    Ok(())
}

async fn insert_request(tx: &Transaction<'_>, new: &NewTicket, ticket: i64) -> Done<()> {
    let Some(request) = &new.idempotency else { return Ok(()) };
    let (key, fingerprint) = (request.key.as_slice(), request.fingerprint.as_slice());
    let sql = "INSERT INTO request VALUES ($1, $2, $3, $4)";
    query(tx, sql, &[&number(new.event), &key, &fingerprint, &ticket]).await?;
    Ok(())
}

pub(super) async fn insert_person(
    tx: &Transaction<'_>,
    event: i64,
    ticket: i64,
    person: Option<&Person>,
) -> Done<()> {
    let Some(person) = person else { return Ok(()) };
    query(
        tx,
        "INSERT INTO person (id, wrapped_key, name, email, phone, answers, email_index, event,
           ticket) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            &person.id.as_slice(),
            &person.wrapped_key.as_str(),
            &person.name.as_str(),
            &person.email.as_ref().map(Sealed::as_str),
            &person.phone.as_ref().map(Sealed::as_str),
            &person.answers.as_ref().map(Sealed::as_str),
            &person.email_index.as_ref().map(<[u8; 16]>::as_slice),
            &event,
            &ticket,
        ],
    )
    .await?;
    Ok(())
}

/// A page, newest serial first. `serial` is the cursor.
async fn page(
    client: &impl GenericClient,
    event: EventNo,
    filter: &TicketFilter,
) -> Done<TicketPage> {
    let limit = filter.limit.clamp(1, PAGE_ROWS_MAX);
    let event = i64::from(event.0);
    let ticket = filter.ticket.map(|ticket| ticket.0.cast_signed());
    let index = filter.email_index.as_ref().map(<[u8; 16]>::as_slice);
    let standing = filter.standing.map(Standing::code);
    let condition = "ticket.event = $1 AND ($2::bigint IS NULL OR ticket.id = $2)
        AND ($3::bytea IS NULL OR person.email_index = $3)
        AND ($4::text IS NULL OR standing = $4) AND ($5::bool IS NULL OR (uses > 0) = $5)";
    let sql = format!(
        "{SELECT} {FROM} WHERE {condition} AND ($6::bigint IS NULL OR ticket.serial < $6)
         ORDER BY ticket.serial DESC LIMIT $7"
    );
    let after = filter.after.map(i64::from);
    let most = i64::from(limit) + 1;
    let rows =
        query(client, &sql, &[&event, &ticket, &index, &standing, &filter.used, &after, &most])
            .await?;
    let mut found = collect(&rows, "ticket", |columns| {
        Ok((read_ticket(columns)?, columns.small::<u32>("serial")?))
    })?;
    let more = found.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if more {
        found.pop();
    }
    let next = found.last().map(|(_, serial)| *serial).filter(|_| more);
    let tickets = found.into_iter().map(|(ticket, _)| ticket).collect();
    let sql = format!("SELECT COUNT(*) AS total {FROM} WHERE {condition}");
    let rows = query(client, &sql, &[&event, &ticket, &index, &standing, &filter.used]).await?;
    let total = first(&rows, "ticket", |columns| columns.small("total"))?.unwrap_or_default();
    Ok(TicketPage { tickets, next, total })
}

/// Binds a ticket to a wallet and writes a leaf, if it is bound to none.
async fn bind(
    tx: &Transaction<'_>,
    edges: &Edges,
    (event, id): (EventNo, TicketId),
    binding: &[u8],
    (at, key): (UnixMs, LogKey),
) -> Done<(Bound, Option<(u64, Grown)>)> {
    let name = digest(event, id);
    // Holding the ticket's row in the spend table: of two wallets at once, one is the first.
    let known = lock_spend(tx, event, name).await?;
    let ticket = ticket_by_id(tx, event, id).await?.filter(|ticket| ticket.rotation.is_some());
    let (Some(_), Some(ticket)) = (known, ticket) else { return Ok((Bound::NotFound, None)) };
    match &ticket.binding {
        Some(known) if known == binding => return Ok((Bound::Done(ticket, None), None)),
        Some(_) => return Ok((Bound::Elsewhere, None)),
        None => {}
    }
    let leaf = Fact { refers: ticket.leaf, ..fact(Kind::Bind, &ticket.grant, at) }.leaf(&key);
    let held = log::hold(tx, edges, event).await?;
    let (index, grown) = log::write_leaf(tx, held, event, &leaf).await?;
    let sql = "UPDATE ticket SET binding = $3 WHERE event = $1 AND id = $2";
    query(tx, sql, &[&number(event), &id.0.cast_signed(), &binding]).await?;
    let sql = "UPDATE spend SET last_leaf = $3 WHERE event = $1 AND digest = $2";
    query(tx, sql, &[&number(event), &name.0.as_slice(), &index.cast_signed()]).await?;
    let bound = ticket_by_id(tx, event, id).await?;
    let bound = bound.map_or(Bound::NotFound, |ticket| Bound::Done(ticket, None));
    Ok((bound, Some((index, grown))))
}

/// Changes a ticket's standing and writes a leaf, if it changes at all.
async fn set_standing(
    tx: &Transaction<'_>,
    edges: &Edges,
    (event, id): (EventNo, TicketId),
    standing: Standing,
    at: UnixMs,
    key: LogKey,
) -> Done<(Option<Ticket>, Option<(u64, Grown)>)> {
    let name = digest(event, id);
    let Some((history, _)) = lock_spend(tx, event, name).await? else { return Ok((None, None)) };
    let Some(ticket) = ticket_by_id(tx, event, id).await? else { return Ok((None, None)) };
    if !changes(history.standing, standing) {
        return Ok((Some(ticket), None));
    }
    let kind = if standing == Standing::Issued { Kind::Reinstate } else { Kind::Revoke };
    let leaf = Fact { refers: ticket.leaf, ..fact(kind, &ticket.grant, at) }.leaf(&key);
    let held = log::hold(tx, edges, event).await?;
    let (index, grown) = log::write_leaf(tx, held, event, &leaf).await?;
    query(
        tx,
        "UPDATE spend SET standing = $3, last_leaf = $4 WHERE event = $1 AND digest = $2",
        &[&number(event), &name.0.as_slice(), &standing.code(), &index.cast_signed()],
    )
    .await?;
    Ok((ticket_by_id(tx, event, id).await?, Some((index, grown))))
}

async fn erase_person(
    tx: &Transaction<'_>,
    event: EventNo,
    ticket: TicketId,
    at: UnixMs,
) -> Done<Option<Ticket>> {
    let (number, id) = (i64::from(event.0), ticket.0.cast_signed());
    query(tx, "DELETE FROM person WHERE event = $1 AND ticket = $2", &[&number, &id]).await?;
    // The request's fingerprint was made of the person's data.
    query(tx, "DELETE FROM request WHERE event = $1 AND ticket = $2", &[&number, &id]).await?;
    query(
        tx,
        "UPDATE ticket SET person = NULL, erased_at = COALESCE(erased_at, $3)
         WHERE event = $1 AND id = $2",
        &[&number, &id, &at.0],
    )
    .await?;
    ticket_by_id(tx, event, ticket).await
}

#[async_trait]
impl Tickets for PostgresStore {
    async fn issue(&self, ticket: NewTicket) -> Result<Issued> {
        let event = ticket.event;
        let attempt = || {
            self.transact(|tx| {
                let (edges, ticket) = (self.edges.clone(), ticket.clone());
                Box::pin(async move { issue(tx, &edges, &ticket).await })
            })
        };
        let tried = match attempt().await {
            // The same request for another type came in between: the second look finds it.
            Err(fault) if fault.is_taken() => attempt().await?,
            end => end?,
        };
        let (ticket, grown) = match tried {
            Tried::New(ticket, grown) => (ticket, grown),
            Tried::Other(issued) => return Ok(issued),
        };
        self.edges.keep(&grown);
        let logged = ticket.leaf.and_then(|leaf| grown.of(event, leaf));
        let logged = logged.ok_or_else(|| StoreError::corrupt("log", "an issue without a leaf"))?;
        Ok(Issued::New(ticket, logged))
    }

    async fn ticket_by_link(&self, link: u64) -> Result<Option<Ticket>> {
        let sql = format!("{SELECT} {FROM} WHERE ticket.link = $1");
        first(&self.query(&sql, &[&link.cast_signed()]).await?, "ticket", read_ticket)
    }

    async fn ticket(&self, event: EventNo, ticket: TicketId) -> Result<Option<Ticket>> {
        Ok(ticket_by_id(&self.client().await?, event, ticket).await?)
    }

    async fn tickets(&self, event: EventNo, filter: TicketFilter) -> Result<TicketPage> {
        Ok(page(&self.client().await?, event, &filter).await?)
    }

    async fn set_standing(
        &self,
        event: EventNo,
        ticket: TicketId,
        standing: Standing,
        at: UnixMs,
        key: LogKey,
    ) -> Result<Option<(Ticket, Option<Logged>)>> {
        let (ticket, logged) = self
            .transact(|tx| {
                let edges = self.edges.clone();
                Box::pin(async move {
                    set_standing(tx, &edges, (event, ticket), standing, at, key).await
                })
            })
            .await?;
        let logged = logged.and_then(|(index, grown)| {
            self.edges.keep(&grown);
            grown.of(event, index)
        });
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
        let (bound, logged) = self
            .transact(|tx| {
                let (edges, binding) = (self.edges.clone(), binding.clone());
                Box::pin(
                    async move { bind(tx, &edges, (event, ticket), &binding, (at, key)).await },
                )
            })
            .await?;
        let logged = logged.and_then(|(index, grown)| {
            self.edges.keep(&grown);
            grown.of(event, index)
        });
        Ok(match bound {
            Bound::Done(ticket, _) => Bound::Done(ticket, logged),
            other => other,
        })
    }

    async fn erase_person(
        &self,
        event: EventNo,
        ticket: TicketId,
        at: UnixMs,
    ) -> Result<Option<Ticket>> {
        Ok(self.transact(|tx| Box::pin(erase_person(tx, event, ticket, at))).await?)
    }

    async fn wrapped_keys(
        &self,
        after: Option<[u8; 16]>,
        limit: u32,
    ) -> Result<Vec<([u8; 16], Sealed)>> {
        let after = after.as_ref().map(<[u8; 16]>::as_slice);
        let rows = self
            .query(
                "SELECT id, wrapped_key FROM person WHERE $1::bytea IS NULL OR id > $1
                 ORDER BY id LIMIT $2",
                &[&after, &i64::from(limit)],
            )
            .await?;
        collect(&rows, "person", |columns| {
            Ok((columns.bytes("id")?, columns.sealed("wrapped_key")?))
        })
    }

    async fn rewrap(&self, person: [u8; 16], old: Sealed, new: Sealed) -> Result<()> {
        self.execute(
            "UPDATE person SET wrapped_key = $3 WHERE id = $1 AND wrapped_key = $2",
            &[&person.as_slice(), &old.as_str(), &new.as_str()],
        )
        .await?;
        Ok(())
    }
}
