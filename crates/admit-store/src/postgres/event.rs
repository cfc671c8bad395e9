//! Events, ticket types and gates in PostgreSQL.

use std::collections::HashMap;

use admit_core::id::{DeviceNo, EventNo, GateNo, TypeNo, UnixMs};
use admit_core::log::leaf::Leaf;
use admit_core::offline::Policy;
use admit_core::offline::travel::Place;
use admit_core::sale::Sale;
use admit_core::ticket::rotating::Kind;
use admit_core::transfer::Transferable;
use admit_core::vault::Sealed;
use async_trait::async_trait;
use deadpool_postgres::{GenericClient, Transaction};

use super::log::{self, Edges, Grown};
use super::pass::read_pass;
use super::row::{Columns, collect, first};
use super::{Done, PostgresStore, lease, query};
use crate::Result;
use crate::event::{
    Changed, Event, EventDetails, EventView, Events, GATES_MAX, Gate, INTERVAL_S, TicketType,
    TypeDetails, TypeLease, TypeRotation,
};

fn read_event(columns: &Columns<'_>) -> Result<Event> {
    Ok(Event {
        number: columns.small("number").map(EventNo)?,
        details: EventDetails {
            slug: columns.text("slug")?,
            name: columns.text("name")?,
            venue: columns.text("venue")?,
            description: columns.text("description")?,
            time_zone: columns.text("time_zone")?,
            doors_at: columns.time_or_none("doors_at")?,
            starts_at: columns.time("starts_at")?,
            ends_at: columns.time("ends_at")?,
            registration_open: columns.flag("registration_open")?,
            token_format: columns.text("token_format")?,
            show_name_at_gate: columns.flag("show_name_at_gate")?,
            phone: columns.text("phone")?,
            questions: columns.text("questions")?,
            sandbox: columns.flag("sandbox")?,
            offline_hours: columns.small("offline_hours")?,
        },
        created_at: columns.time("created_at")?,
        serial_key: columns.sealed("serial_key")?,
    })
}

fn read_type(columns: &Columns<'_>) -> Result<TicketType> {
    Ok(TicketType {
        number: columns.type_no("number")?,
        details: TypeDetails {
            name: columns.text("name")?,
            description: columns.text("description")?,
            quota: columns.small("quota")?,
            max_uses: columns.small("max_uses")?,
            valid_from: columns.time_or_none("valid_from")?,
            valid_until: columns.time_or_none("valid_until")?,
            gates: columns.gates()?,
            rotation: read_rotation(columns)?,
            offline: read_policy(columns)?,
            lease_device: columns.int_or_none("lease_device")?.map(DeviceNo),
            pass: read_pass(columns)?,
            transferable: read_transferable(columns)?,
            sale: read_sale(columns)?,
        },
        issued: columns.small("issued")?,
        lease: TypeLease {
            holder: columns.int_or_none("lease_holder")?.map(DeviceNo),
            since: columns.int("lease_since")?,
        },
    })
}

/// How tickets of a type are sold, from a row that has the column.
fn read_sale(columns: &Columns<'_>) -> Result<Option<Sale>> {
    let Some(text) = columns.text_or_none("sale")? else { return Ok(None) };
    Sale::of_text(&text).map(Some).ok_or_else(|| columns.corrupt("sale"))
}

fn read_policy(columns: &Columns<'_>) -> Result<Policy> {
    Policy::parse(&columns.text("offline")?).ok_or_else(|| columns.corrupt("offline"))
}

/// Whether codes change, from a row with these columns.
pub(super) fn read_rotation(columns: &Columns<'_>) -> Result<Option<TypeRotation>> {
    let Some(kind) = columns.text_or_none("rotation")? else { return Ok(None) };
    let kind = Kind::parse(&kind).ok_or_else(|| columns.corrupt("rotation"))?;
    Ok(Some(TypeRotation { kind, interval_s: columns.small("interval_s")? }))
}

/// Whether tickets of a type may be handed on, from a row that has the column.
pub(super) fn read_transferable(columns: &Columns<'_>) -> Result<Transferable> {
    Transferable::parse(&columns.text("transferable")?)
        .ok_or_else(|| columns.corrupt("transferable"))
}

fn read_gate(columns: &Columns<'_>) -> Result<Gate> {
    Ok(Gate {
        number: columns.gate("number")?,
        name: columns.text("name")?,
        open: columns.flag("open")?,
        place: match (columns.small_or_none("latitude_e6")?, columns.small_or_none("longitude_e6")?)
        {
            (Some(latitude_e6), Some(longitude_e6)) => Some(Place { latitude_e6, longitude_e6 }),
            _ => None,
        },
    })
}

/// One ticket type, held until the transaction ends.
pub(super) async fn lock_type(
    tx: &Transaction<'_>,
    event: EventNo,
    number: TypeNo,
) -> Done<Option<TicketType>> {
    let rows = query(
        tx,
        "SELECT * FROM ticket_type WHERE event = $1 AND number = $2 FOR UPDATE",
        &[&i64::from(event.0), &i64::from(number.0)],
    )
    .await?;
    Ok(first(&rows, "ticket_type", read_type)?)
}

async fn views(client: &impl GenericClient, events: Vec<Event>) -> Done<Vec<EventView>> {
    let numbers: Vec<_> = events.iter().map(|event| i64::from(event.number.0)).collect();
    let sql = "SELECT * FROM ticket_type WHERE event = ANY($1) ORDER BY number";
    let rows = query(client, sql, &[&numbers]).await?;
    let types =
        collect(&rows, "ticket_type", |columns| Ok((columns.event()?, read_type(columns)?)))?;
    let sql = "SELECT * FROM gate WHERE event = ANY($1) ORDER BY number";
    let rows = query(client, sql, &[&numbers]).await?;
    let gates = collect(&rows, "gate", |columns| Ok((columns.event()?, read_gate(columns)?)))?;
    let (mut types, mut gates) = (grouped(types), grouped(gates));
    let with_all = |event: Event| EventView {
        types: types.remove(&event.number).unwrap_or_default(),
        gates: gates.remove(&event.number).unwrap_or_default(),
        event,
    };
    Ok(events.into_iter().map(with_all).collect())
}

fn grouped<T>(all: Vec<(EventNo, T)>) -> HashMap<EventNo, Vec<T>> {
    let mut groups: HashMap<_, Vec<T>> = HashMap::new();
    for (event, one) in all {
        groups.entry(event).or_default().push(one);
    }
    groups
}

/// The columns that an organiser fills, in the order of `$2` to `$15`.
const DETAILS: &str = "slug, name, venue, description, time_zone, doors_at, starts_at, ends_at,
    registration_open, token_format, show_name_at_gate, phone, questions, offline_hours";

async fn create(
    tx: &Transaction<'_>,
    d: &EventDetails,
    serial_key: &Sealed,
    log: (&Edges, &str),
    at: UnixMs,
) -> Done<(Changed<Event>, Grown)> {
    // The row of the book is held: nobody else draws a number meanwhile.
    let row = tx.query_one("SELECT COALESCE(MAX(number), 0) + 1 FROM event", &[]).await?;
    let number: i64 = row.try_get(0)?;
    let sql = format!(
        "INSERT INTO event (number, {DETAILS}, created_at, serial_key, sandbox)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
         RETURNING *"
    );
    let sandbox = i64::from(d.sandbox);
    let more: super::Params<'_> = &[&at.0, &serial_key.as_str(), &sandbox];
    let rows = write_details(tx, &sql, number, d, more).await?;
    let Some(event) = first(&rows, "event", read_event)? else {
        return Ok((Changed::NotFound, Grown::default()));
    };
    let (edges, host) = log;
    let origin = format!("{host}/log/{number}");
    log::begin(tx, event.number, &origin).await?;
    let held = log::hold(tx, edges, event.number).await?;
    let leaf = Leaf::genesis(&origin, at);
    let (_, grown) = log::write_leaf(tx, held, event.number, &leaf).await?;
    Ok((Changed::Done(event), grown))
}

async fn change(tx: &Transaction<'_>, event: EventNo, d: &EventDetails) -> Done<Changed<Event>> {
    let sql = format!(
        "UPDATE event SET ({DETAILS})
           = ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         WHERE number = $1 RETURNING *"
    );
    let rows = write_details(tx, &sql, i64::from(event.0), d, &[]).await?;
    Ok(first(&rows, "event", read_event)?.map_or(Changed::NotFound, Changed::Done))
}

async fn write_details(
    tx: &Transaction<'_>,
    sql: &str,
    number: i64,
    d: &EventDetails,
    more: super::Params<'_>,
) -> Done<Vec<tokio_postgres::Row>> {
    let (open, show) = (i64::from(d.registration_open), i64::from(d.show_name_at_gate));
    let doors = d.doors_at.map(|t| t.0);
    let details: super::Params<'_> = &[
        &number,
        &d.slug,
        &d.name,
        &d.venue,
        &d.description,
        &d.time_zone,
        &doors,
        &d.starts_at.0,
        &d.ends_at.0,
        &open,
        &d.token_format,
        &show,
        &d.phone,
        &d.questions,
        &i64::from(d.offline_hours),
    ];
    query(tx, sql, &[details, more].concat()).await
}

async fn next_number(tx: &Transaction<'_>, table: &str, event: EventNo) -> Done<i64> {
    let sql = format!("SELECT COALESCE(MAX(number), 0) + 1 FROM {table} WHERE event = $1");
    Ok(tx.query_one(&sql, &[&i64::from(event.0)]).await?.try_get(0)?)
}

async fn put_type(
    tx: &Transaction<'_>,
    event: EventNo,
    number: TypeNo,
    d: &TypeDetails,
) -> Done<Changed<TicketType>> {
    query(
        tx,
        "INSERT INTO ticket_type (event, number, name, description, quota, max_uses, valid_from,
           valid_until, gates, rotation, interval_s, offline, lease_device, pass, transferable, sale)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         ON CONFLICT (event, number) DO UPDATE SET name = $3, description = $4, quota = $5,
           max_uses = $6, valid_from = $7, valid_until = $8, gates = $9, rotation = $10,
           interval_s = $11, offline = $12, lease_device = $13, pass = $14, transferable = $15, sale = $16",
        &[
            &i64::from(event.0),
            &i64::from(number.0),
            &d.name,
            &d.description,
            &i64::from(d.quota),
            &i64::from(d.max_uses),
            &d.valid_from.map(|t| t.0),
            &d.valid_until.map(|t| t.0),
            &i64::from(d.gates.0),
            &d.rotation.map(|rotation| rotation.kind.code()),
            &i64::from(d.rotation.map_or(INTERVAL_S, |rotation| rotation.interval_s)),
            &d.offline.code(),
            &d.lease_device.map(|device| device.0),
            &d.pass.to_text(),
            &d.transferable.code(),
            &d.sale.map(Sale::to_text),
        ],
    )
    .await?;
    lease::grant_if_free(tx, event, number).await?;
    let sql = "SELECT * FROM ticket_type WHERE event = $1 AND number = $2";
    let rows = query(tx, sql, &[&i64::from(event.0), &i64::from(number.0)]).await?;
    Ok(first(&rows, "ticket_type", read_type)?.map_or(Changed::NotFound, Changed::Done))
}

async fn change_type(
    tx: &Transaction<'_>,
    event: EventNo,
    number: TypeNo,
    details: &TypeDetails,
) -> Done<Changed<TicketType>> {
    match lock_type(tx, event, number).await? {
        Some(known) if details.quota < known.issued => Ok(Changed::BelowIssued),
        Some(_) => put_type(tx, event, number, details).await,
        None => Ok(Changed::NotFound),
    }
}

async fn add_gate(tx: &Transaction<'_>, event: EventNo, name: String) -> Done<Changed<Gate>> {
    let number = match u16::try_from(next_number(tx, "gate", event).await?) {
        Ok(number) if number <= GATES_MAX => GateNo(number),
        _ => return Ok(Changed::TooMany),
    };
    tx.execute(
        "INSERT INTO gate (event, number, name, open) VALUES ($1, $2, $3, 1)",
        &[&i64::from(event.0), &i64::from(number.0), &name],
    )
    .await?;
    Ok(Changed::Done(Gate { number, name, open: true, place: None }))
}

async fn change_gate(tx: &Transaction<'_>, event: EventNo, gate: Gate) -> Done<Changed<Gate>> {
    let changed = tx
        .execute(
            "UPDATE gate SET name = $3, open = $4, latitude_e6 = $5, longitude_e6 = $6
             WHERE event = $1 AND number = $2",
            &[
                &i64::from(event.0),
                &i64::from(gate.number.0),
                &gate.name,
                &i64::from(gate.open),
                &gate.place.map(|place| i64::from(place.latitude_e6)),
                &gate.place.map(|place| i64::from(place.longitude_e6)),
            ],
        )
        .await?;
    Ok(if changed == 0 { Changed::NotFound } else { Changed::Done(gate) })
}

/// A name that is taken is an answer. The transaction that found out is over.
fn unless_taken<T>(done: Done<Changed<T>>) -> Result<Changed<T>> {
    match done {
        Err(fault) if fault.is_taken() => Ok(Changed::NameTaken),
        other => Ok(other?),
    }
}

impl PostgresStore {
    async fn event_by(&self, slug: &str) -> Done<Option<EventView>> {
        let client = self.client().await?;
        let rows = query(&client, "SELECT * FROM event WHERE slug = $1", &[&slug]).await?;
        let events = collect(&rows, "event", read_event)?;
        Ok(views(&client, events).await?.pop())
    }

    async fn all_events(&self) -> Done<Vec<EventView>> {
        let client = self.client().await?;
        let rows = query(&client, "SELECT * FROM event ORDER BY starts_at, number", &[]).await?;
        views(&client, collect(&rows, "event", read_event)?).await
    }
}

#[async_trait]
impl Events for PostgresStore {
    async fn create_event(
        &self,
        details: EventDetails,
        serial_key: Sealed,
        log_host: String,
        at: UnixMs,
    ) -> Result<Changed<Event>> {
        let created = self
            .transact_books(|tx| {
                let (details, serial_key) = (details.clone(), serial_key.clone());
                let (edges, host) = (self.edges.clone(), log_host.clone());
                Box::pin(
                    async move { create(tx, &details, &serial_key, (&edges, &host), at).await },
                )
            })
            .await;
        unless_taken(created.map(|(changed, grown)| {
            self.edges.keep(&grown);
            changed
        }))
    }

    async fn change_event(&self, event: EventNo, details: EventDetails) -> Result<Changed<Event>> {
        unless_taken(
            self.transact_books(|tx| {
                let details = details.clone();
                Box::pin(async move { change(tx, event, &details).await })
            })
            .await,
        )
    }

    async fn events(&self) -> Result<Vec<EventView>> {
        Ok(self.all_events().await?)
    }

    async fn event(&self, slug: &str) -> Result<Option<EventView>> {
        Ok(self.event_by(slug).await?)
    }

    async fn reseal_event(&self, event: EventNo, serial_key: Sealed) -> Result<()> {
        Ok(self
            .transact_books(|tx| {
                let serial_key = serial_key.clone();
                Box::pin(async move {
                    let sql = "UPDATE event SET serial_key = $2 WHERE number = $1";
                    tx.execute(sql, &[&i64::from(event.0), &serial_key.as_str()]).await?;
                    Ok(())
                })
            })
            .await?)
    }

    async fn add_type(&self, event: EventNo, details: TypeDetails) -> Result<Changed<TicketType>> {
        unless_taken(
            self.transact_books(|tx| {
                let details = details.clone();
                Box::pin(async move {
                    match u8::try_from(next_number(tx, "ticket_type", event).await?) {
                        // The number is one byte of the token: 255 types at most.
                        Ok(number) => put_type(tx, event, TypeNo(number), &details).await,
                        Err(_) => Ok(Changed::TooMany),
                    }
                })
            })
            .await,
        )
    }

    async fn change_type(
        &self,
        event: EventNo,
        number: TypeNo,
        details: TypeDetails,
    ) -> Result<Changed<TicketType>> {
        unless_taken(
            self.transact_books(|tx| {
                let details = details.clone();
                Box::pin(async move { change_type(tx, event, number, &details).await })
            })
            .await,
        )
    }

    async fn add_gate(&self, event: EventNo, name: String) -> Result<Changed<Gate>> {
        unless_taken(self.transact_books(|tx| Box::pin(add_gate(tx, event, name.clone()))).await)
    }

    async fn change_gate(&self, event: EventNo, gate: Gate) -> Result<Changed<Gate>> {
        unless_taken(self.transact_books(|tx| Box::pin(change_gate(tx, event, gate.clone()))).await)
    }
}
