//! Passes: tickets that enter again and again, and what keeps one from being handed back over the
//! fence. Part of [`crate::admission::decide`]; the rules are those of the ticket's type today.

use serde::{Deserialize, Serialize};

use crate::admission::{Entry, History, Rules, Scan};
use crate::id::{GateNo, UnixMs};
use crate::reason::Reason;

/// Longest time before a pass may enter again, in minutes: a day.
pub const WAIT_MIN_MAX: u16 = 24 * 60;

/// Which way somebody goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// In.
    #[default]
    Entry,
    /// Out.
    Exit,
}

/// For how long a pass is good, from its first entry on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lasts {
    /// Until the end of that day.
    Day,
    /// Until the same day of the next month.
    Month,
}

/// How often a pass enters in a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PerDay {
    /// As often as its entries allow.
    #[default]
    Any,
    /// Once.
    Once,
    /// Once at each gate.
    OnceEachGate,
}

macro_rules! codes {
    ($kind:ident: $($variant:ident = $code:literal),+) => {
        impl $kind {
            /// Its code in the API and the database.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// What has this code.
            pub fn parse(code: &str) -> Option<Self> {
                [$(Self::$variant),+].into_iter().find(|known| known.code() == code)
            }
        }
    };
}

codes!(Direction: Entry = "entry", Exit = "exit");
codes!(Lasts: Day = "day", Month = "month");
codes!(PerDay: Any = "any", Once = "once", OnceEachGate = "once_each_gate");

/// How the tickets of a type may enter again. The default asks for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pass {
    /// For how long it is good, from its first entry on; for as long as the ticket says when none.
    pub lasts: Option<Lasts>,
    /// Whether it must be scanned out before it enters again.
    pub exits: bool,
    /// Minutes after an entry before it enters again.
    pub wait_min: u16,
    /// How often it enters in a day.
    pub per_day: PerDay,
}

impl Pass {
    /// As it is kept in a column: JSON; none when it asks for nothing.
    pub fn to_text(self) -> Option<String> {
        (self != Self::default()).then(|| serde_json::to_string(&self).unwrap_or_default())
    }

    /// Reads what [`Self::to_text`] wrote.
    pub fn of_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Whether the day matters.
    pub fn needs_calendar(self) -> bool {
        self.lasts.is_some() || self.per_day != PerDay::Any
    }
}

/// What day it is where the event is. The default has no days: everything happened today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// When the day began.
    pub day_from: UnixMs,
    /// When a month that ends with this day began.
    pub month_from: UnixMs,
}

impl Default for Calendar {
    fn default() -> Self {
        Self { day_from: UnixMs(i64::MIN), month_from: UnixMs(i64::MIN) }
    }
}

/// The day of a moment, of those that a device was told of; the newest that it knows of once they are
/// all over.
pub fn today(days: &[Calendar], at: UnixMs) -> Calendar {
    let begun = days.iter().filter(|day| day.day_from <= at);
    begun.max_by_key(|day| day.day_from).copied().unwrap_or_default()
}

/// Gates by their number, as one bit each; the last bit is for those above the 63rd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GateDay(pub u64);

impl GateDay {
    fn bit(gate: GateNo) -> u64 {
        1 << gate.0.saturating_sub(1).min(63)
    }

    fn has(self, gate: GateNo) -> bool {
        self.0 & Self::bit(gate) != 0
    }

    /// With this gate, too.
    #[must_use]
    pub fn with(self, gate: GateNo) -> Self {
        Self(self.0 | Self::bit(gate))
    }

    /// Without this gate.
    #[must_use]
    pub fn without(self, gate: GateNo) -> Self {
        Self(self.0 & !Self::bit(gate))
    }
}

/// Where a ticket stands between its entries and exits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// How many have entered with it and not been scanned out.
    pub inside: u32,
    /// Where it entered on the day of its newest entry.
    pub gates: GateDay,
}

impl Presence {
    /// After an entry. `newest` is the entry before it.
    #[must_use]
    pub fn entered(self, gate: GateNo, newest: Option<Entry>, calendar: &Calendar) -> Self {
        let today = newest.is_some_and(|newest| newest.at >= calendar.day_from);
        let gates = if today { self.gates } else { GateDay::default() };
        Self { inside: self.inside.saturating_add(1), gates: gates.with(gate) }
    }

    /// After an exit.
    #[must_use]
    pub fn left(self) -> Self {
        Self { inside: self.inside.saturating_sub(1), ..self }
    }

    /// Without an entry at this gate that was taken back.
    #[must_use]
    pub fn without(self, gate: GateNo) -> Self {
        Self { gates: self.gates.without(gate), ..self.left() }
    }
}

/// The day by which the gates of a pass are remembered: where nobody asks what day it is, nothing of
/// before is of today, so that rules that are set later do not hold earlier days against anybody.
pub(crate) fn days_of(rules: &Rules) -> Calendar {
    if rules.pass.needs_calendar() {
        rules.calendar
    } else {
        Calendar { day_from: UnixMs(i64::MAX), ..rules.calendar }
    }
}

/// Why a pass that is good otherwise does not enter now.
pub(crate) fn refusal(
    pass: Pass,
    scan: &Scan,
    history: &History,
    calendar: &Calendar,
) -> Option<Reason> {
    let (first, last) = (history.first?, history.last?);
    let began_after = match pass.lasts {
        None => UnixMs(i64::MIN),
        Some(Lasts::Day) => calendar.day_from,
        Some(Lasts::Month) => calendar.month_from,
    };
    if first.at < began_after {
        return Some(Reason::PassOver);
    }
    if pass.exits && history.presence.inside > 0 {
        return Some(Reason::Inside);
    }
    // Clocks of two gates differ by a little: only a wait that was set is one.
    if pass.wait_min > 0 && scan.at < last.at.plus(i64::from(pass.wait_min) * 60_000) {
        return Some(Reason::TooSoon);
    }
    if last.at < calendar.day_from {
        return None;
    }
    match pass.per_day {
        PerDay::Any => None,
        PerDay::Once => Some(Reason::OncePerDay),
        PerDay::OnceEachGate => {
            history.presence.gates.has(scan.gate).then_some(Reason::OncePerGate)
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
