//! Events, ticket types and gates in SQLite.

use admit_core::id::{DeviceNo, EventNo, GateNo, TypeNo, UnixMs};
use admit_core::log::leaf::Leaf;
use admit_core::offline::Policy;
use admit_core::offline::travel::Place;
use admit_core::sale::Sale;
use admit_core::ticket::rotating::Kind;
use admit_core::transfer::Transferable;
use admit_core::vault::Sealed;
use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode, params};

use super::pass::read_pass;
use super::row::{Columns, collect, first};
use super::writer::{Done, Work};
use super::{SqliteStore, lease, log};
use crate::Result;
use crate::event::{
    Changed, Event, EventDetails, EventView, Events, GATES_MAX, Gate, INTERVAL_S, TicketType,
    TypeDetails, TypeLease, TypeRotation,
};

fn read_event(columns: &Columns<'_, '_>) -> Result<Event> {
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

fn read_type(columns: &Columns<'_, '_>) -> Result<TicketType> {
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

fn read_policy(columns: &Columns<'_, '_>) -> Result<Policy> {
    Policy::parse(&columns.text("offline")?).ok_or_else(|| columns.corrupt("offline"))
}

/// Whether codes change, from a row with these columns.
pub(super) fn read_rotation(columns: &Columns<'_, '_>) -> Result<Option<TypeRotation>> {
    let Some(kind) = columns.text_or_none("rotation")? else { return Ok(None) };
    let kind = Kind::parse(&kind).ok_or_else(|| columns.corrupt("rotation"))?;
    Ok(Some(TypeRotation { kind, interval_s: columns.small("interval_s")? }))
}

/// How tickets of a type are sold, from a row that has the column.
fn read_sale(columns: &Columns<'_, '_>) -> Result<Option<Sale>> {
    let Some(text) = columns.text_or_none("sale")? else { return Ok(None) };
    Sale::of_text(&text).map(Some).ok_or_else(|| columns.corrupt("sale"))
}

/// Whether tickets of a type may be handed on, from a row that has the column.
fn read_transferable(columns: &Columns<'_, '_>) -> Result<Transferable> {
    Transferable::parse(&columns.text("transferable")?)
        .ok_or_else(|| columns.corrupt("transferable"))
}

fn read_gate(columns: &Columns<'_, '_>) -> Result<Gate> {
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

/// One ticket type.
pub(super) fn ticket_type(
    connection: &Connection,
    event: EventNo,
    number: TypeNo,
) -> Result<Option<TicketType>> {
    let mut statement =
        connection.prepare_cached("SELECT * FROM ticket_type WHERE event = ?1 AND number = ?2")?;
    first(&mut statement, params![event.0, number.0], "ticket_type", read_type)
}

fn event_by_number(connection: &Connection, event: EventNo) -> Result<Option<Event>> {
    let mut statement = connection.prepare_cached("SELECT * FROM event WHERE number = ?1")?;
    first(&mut statement, [event.0], "event", read_event)
}

fn view(connection: &Connection, event: Event) -> Result<EventView> {
    let number = event.number.0;
    let mut statement =
        connection.prepare_cached("SELECT * FROM ticket_type WHERE event = ?1 ORDER BY number")?;
    let types = collect(&mut statement, [number], "ticket_type", read_type)?;
    let mut statement =
        connection.prepare_cached("SELECT * FROM gate WHERE event = ?1 ORDER BY number")?;
    let gates = collect(&mut statement, [number], "gate", read_gate)?;
    Ok(EventView { event, types, gates })
}

/// Runs a statement that may hit a unique name; none when the name is taken.
fn unless_taken(result: rusqlite::Result<usize>) -> Result<Option<usize>> {
    match result {
        Ok(rows) => Ok(Some(rows)),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn create(
    work: &mut Work<'_, '_>,
    d: &EventDetails,
    serial_key: &Sealed,
    log_host: &str,
    at: UnixMs,
) -> Result<Changed<Event>> {
    let connection = work.tx;
    let mut statement = connection.prepare_cached(
        "INSERT INTO event (slug, name, venue, description, time_zone, doors_at, starts_at, ends_at,
           registration_open, token_format, show_name_at_gate, phone, questions, created_at,
           serial_key, sandbox, offline_hours)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    )?;
    let inserted = statement.execute(params![
        d.slug,
        d.name,
        d.venue,
        d.description,
        d.time_zone,
        d.doors_at.map(|t| t.0),
        d.starts_at.0,
        d.ends_at.0,
        d.registration_open,
        d.token_format,
        d.show_name_at_gate,
        d.phone,
        d.questions,
        at.0,
        serial_key.as_str(),
        d.sandbox,
        d.offline_hours
    ]);
    if unless_taken(inserted)?.is_none() {
        return Ok(Changed::NameTaken);
    }
    let mut statement = connection.prepare_cached("SELECT * FROM event WHERE slug = ?1")?;
    let event = first(&mut statement, [&d.slug], "event", read_event)?;
    let Some(event) = event else { return Ok(Changed::NotFound) };
    let origin = format!("{log_host}/log/{}", event.number.0);
    log::begin(connection, event.number, &origin)?;
    work.leaves.add(connection, event.number, &Leaf::genesis(&origin, at))?;
    Ok(Changed::Done(event))
}

fn change(connection: &Connection, event: EventNo, d: &EventDetails) -> Result<Changed<Event>> {
    let updated = connection
        .prepare_cached(
            "UPDATE event SET slug = ?2, name = ?3, venue = ?4, description = ?5, time_zone = ?6,
               doors_at = ?7, starts_at = ?8, ends_at = ?9, registration_open = ?10,
               token_format = ?11, show_name_at_gate = ?12, phone = ?13, questions = ?14,
               offline_hours = ?15
             WHERE number = ?1",
        )?
        .execute(params![
            event.0,
            d.slug,
            d.name,
            d.venue,
            d.description,
            d.time_zone,
            d.doors_at.map(|t| t.0),
            d.starts_at.0,
            d.ends_at.0,
            d.registration_open,
            d.token_format,
            d.show_name_at_gate,
            d.phone,
            d.questions,
            d.offline_hours
        ]);
    if unless_taken(updated)?.is_none() {
        return Ok(Changed::NameTaken);
    }
    Ok(event_by_number(connection, event)?.map_or(Changed::NotFound, Changed::Done))
}

fn next_number(connection: &Connection, table: &str, event: EventNo) -> Result<i64> {
    let sql = format!("SELECT COALESCE(MAX(number), 0) + 1 FROM {table} WHERE event = ?1");
    Ok(connection.query_row(&sql, [event.0], |row| row.get(0))?)
}

fn put_type(
    connection: &Connection,
    event: EventNo,
    number: TypeNo,
    d: &TypeDetails,
) -> Result<Changed<TicketType>> {
    if ticket_type(connection, event, number)?.is_some_and(|known| d.quota < known.issued) {
        return Ok(Changed::BelowIssued);
    }
    connection
        .prepare_cached(
            "INSERT INTO ticket_type (event, number, name, description, quota, max_uses, valid_from,
               valid_until, gates, rotation, interval_s, offline, lease_device, pass, transferable,
               sale)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
             ON CONFLICT (event, number) DO UPDATE SET name = ?3, description = ?4, quota = ?5,
               max_uses = ?6, valid_from = ?7, valid_until = ?8, gates = ?9, rotation = ?10,
               interval_s = ?11, offline = ?12, lease_device = ?13, pass = ?14, transferable = ?15,
               sale = ?16",
        )?
        .execute(params![
            event.0,
            number.0,
            d.name,
            d.description,
            d.quota,
            d.max_uses,
            d.valid_from.map(|t| t.0),
            d.valid_until.map(|t| t.0),
            d.gates.0,
            d.rotation.map(|rotation| rotation.kind.code()),
            d.rotation.map_or(INTERVAL_S, |rotation| rotation.interval_s),
            d.offline.code(),
            d.lease_device.map(|device| device.0),
            d.pass.to_text(),
            d.transferable.code(),
            d.sale.map(Sale::to_text)
        ])?;
    lease::grant_if_free(connection, event, number)?;
    Ok(ticket_type(connection, event, number)?.map_or(Changed::NotFound, Changed::Done))
}

#[async_trait]
impl Events for SqliteStore {
    async fn create_event(
        &self,
        details: EventDetails,
        serial_key: Sealed,
        log_host: String,
        at: UnixMs,
    ) -> Result<Changed<Event>> {
        let job = move |work: &mut Work<'_, '_>| {
            let value = create(work, &details, &serial_key, &log_host, at)?;
            Ok(Done { value, scans: Vec::new(), leaf: None })
        };
        Ok(self.writer.write_logged(EventNo(0), job).await?.0)
    }

    async fn change_event(&self, event: EventNo, details: EventDetails) -> Result<Changed<Event>> {
        self.write(move |tx| change(tx, event, &details)).await
    }

    async fn events(&self) -> Result<Vec<EventView>> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT * FROM event ORDER BY starts_at, number")?;
            let events = collect(&mut statement, [], "event", read_event)?;
            events.into_iter().map(|event| view(connection, event)).collect()
        })
        .await
    }

    async fn event(&self, slug: &str) -> Result<Option<EventView>> {
        let slug = slug.to_owned();
        self.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT * FROM event WHERE slug = ?1")?;
            let event = first(&mut statement, [slug], "event", read_event)?;
            event.map(|event| view(connection, event)).transpose()
        })
        .await
    }

    async fn reseal_event(&self, event: EventNo, serial_key: Sealed) -> Result<()> {
        self.write(move |tx| {
            tx.execute(
                "UPDATE event SET serial_key = ?2 WHERE number = ?1",
                params![event.0, serial_key.as_str()],
            )?;
            Ok(())
        })
        .await
    }

    async fn add_type(&self, event: EventNo, details: TypeDetails) -> Result<Changed<TicketType>> {
        self.write(move |tx| match u8::try_from(next_number(tx, "ticket_type", event)?) {
            // The number is one byte of the token: 255 types at most.
            Ok(number) => put_type(tx, event, TypeNo(number), &details),
            Err(_) => Ok(Changed::TooMany),
        })
        .await
    }

    async fn change_type(
        &self,
        event: EventNo,
        number: TypeNo,
        details: TypeDetails,
    ) -> Result<Changed<TicketType>> {
        self.write(move |tx| match ticket_type(tx, event, number)? {
            Some(_) => put_type(tx, event, number, &details),
            None => Ok(Changed::NotFound),
        })
        .await
    }

    async fn add_gate(&self, event: EventNo, name: String) -> Result<Changed<Gate>> {
        self.write(move |tx| {
            let number = match u16::try_from(next_number(tx, "gate", event)?) {
                Ok(number) if number <= GATES_MAX => GateNo(number),
                _ => return Ok(Changed::TooMany),
            };
            let inserted = tx.execute(
                "INSERT INTO gate (event, number, name, open) VALUES (?1, ?2, ?3, 1)",
                params![event.0, number.0, name],
            );
            Ok(match unless_taken(inserted)? {
                Some(_) => Changed::Done(Gate { number, name, open: true, place: None }),
                None => Changed::NameTaken,
            })
        })
        .await
    }

    async fn change_gate(&self, event: EventNo, gate: Gate) -> Result<Changed<Gate>> {
        self.write(move |tx| {
            let updated = tx.execute(
                "UPDATE gate SET name = ?3, open = ?4, latitude_e6 = ?5, longitude_e6 = ?6
                 WHERE event = ?1 AND number = ?2",
                params![
                    event.0,
                    gate.number.0,
                    gate.name,
                    gate.open,
                    gate.place.map(|place| place.latitude_e6),
                    gate.place.map(|place| place.longitude_e6)
                ],
            );
            Ok(match unless_taken(updated)? {
                Some(0) => Changed::NotFound,
                Some(_) => Changed::Done(gate),
                None => Changed::NameTaken,
            })
        })
        .await
    }
}
