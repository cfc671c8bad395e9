//! Passes in PostgreSQL: the rules of the types as a batch sees them, and who is inside.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use admit_core::admission::Scan;
use admit_core::id::{EventNo, TypeNo};
use admit_core::pass::{Calendar, GateDay, Pass, Presence};
use admit_core::ticket::Verified;

use super::row::Columns;
use crate::Result;
use crate::pass::calendar;

/// The passes of a batch's events.
#[derive(Default)]
pub(super) struct Passes {
    passes: HashMap<(EventNo, TypeNo), Pass>,
    zones: HashMap<EventNo, String>,
}

impl Passes {
    /// Takes in a row about an event or one of its types; whether it is about a type.
    pub(super) fn read(&mut self, event: EventNo, columns: &Columns<'_>) -> Result<bool> {
        if let Some(number) = columns.small_or_none("type_no")? {
            self.passes.insert((event, TypeNo(number)), read_pass(columns)?);
            return Ok(true);
        }
        if let Entry::Vacant(zone) = self.zones.entry(event) {
            zone.insert(columns.text("time_zone")?);
        }
        Ok(false)
    }

    /// The rules of a ticket's type, and what day it is, if they ask for it.
    pub(super) fn of(&self, ticket: &Verified, scan: &Scan) -> (Pass, Calendar) {
        let event = ticket.grant().event;
        let name = (event, ticket.grant().type_no);
        let pass = self.passes.get(&name).copied().unwrap_or_default();
        let zone = self.zones.get(&event).filter(|_| pass.needs_calendar());
        (pass, zone.map_or_else(Calendar::default, |zone| calendar(zone, scan.at)))
    }
}

/// How tickets of a type may enter again, from a row that has the column.
pub(super) fn read_pass(columns: &Columns<'_>) -> Result<Pass> {
    let Some(text) = columns.text_or_none("pass")? else { return Ok(Pass::default()) };
    Pass::of_text(&text).ok_or_else(|| columns.corrupt("pass"))
}

/// Who is inside with a ticket, from a row of the spend table.
pub(super) fn read_presence(columns: &Columns<'_>) -> Result<Presence> {
    let gates = GateDay(columns.int("day_gates")?.cast_unsigned());
    Ok(Presence { inside: columns.small("inside")?, gates })
}
