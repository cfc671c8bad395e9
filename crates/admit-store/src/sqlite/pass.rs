//! Passes in SQLite: the rules of a type as a transaction sees them, and who is inside.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use admit_core::admission::{Rules, Scan};
use admit_core::id::{EventNo, TypeNo};
use admit_core::pass::{GateDay, Pass, Presence};
use admit_core::ticket::Verified;
use rusqlite::{Connection, params};

use super::row::{Columns, first};
use crate::Result;
use crate::pass::calendar;

/// The passes that one transaction has looked at, which no scan changes.
#[derive(Default)]
pub(super) struct Passes {
    /// With the zone of their events.
    known: HashMap<(EventNo, TypeNo), (Pass, String)>,
}

impl Passes {
    /// The rules for a scan with those of its ticket's type.
    pub(super) fn over(
        &mut self,
        rules: Rules,
        connection: &Connection,
        ticket: &Verified,
        scan: &Scan,
    ) -> Result<Rules> {
        let name = (ticket.grant().event, ticket.grant().type_no);
        let (pass, zone) = match self.known.entry(name) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(look_up(connection, name)?),
        };
        let mut rules = Rules { pass: *pass, ..rules };
        if pass.needs_calendar() {
            rules.calendar = calendar(zone, scan.at);
        }
        Ok(rules)
    }
}

fn look_up(connection: &Connection, (event, kind): (EventNo, TypeNo)) -> Result<(Pass, String)> {
    let mut statement = connection.prepare_cached(
        "SELECT pass, time_zone FROM ticket_type JOIN event ON event.number = ticket_type.event
         WHERE ticket_type.event = ?1 AND ticket_type.number = ?2",
    )?;
    let found = first(&mut statement, params![event.0, kind.0], "ticket_type", |columns| {
        Ok((read_pass(columns)?, columns.text("time_zone")?))
    })?;
    Ok(found.unwrap_or_default())
}

/// How tickets of a type may enter again, from a row that has the column.
pub(super) fn read_pass(columns: &Columns<'_, '_>) -> Result<Pass> {
    let Some(text) = columns.text_or_none("pass")? else { return Ok(Pass::default()) };
    Pass::of_text(&text).ok_or_else(|| columns.corrupt("pass"))
}

/// Who is inside with a ticket, from a row of the spend table.
pub(super) fn read_presence(columns: &Columns<'_, '_>) -> Result<Presence> {
    let gates = GateDay(columns.int("day_gates")?.cast_unsigned());
    Ok(Presence { inside: columns.small("inside")?, gates })
}
