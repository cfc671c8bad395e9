//! What an organiser watches: counts of one event, kept by applying its scans one after another.

use std::collections::BTreeMap;

use crate::id::{GateNo, UnixMs};
use crate::reason::Reason;

/// Minutes of arrivals that are kept for the chart.
pub const ARRIVAL_MINUTES_MAX: usize = 180;

const SECOND_MS: i64 = 1000;
const MINUTE_MS: i64 = 60_000;

/// What one scan means for the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Somebody entered; `use_no` counts from 1.
    Admit {
        /// Which use of the ticket.
        use_no: u32,
    },
    /// Nobody entered.
    Refuse(Reason),
    /// An entry was taken back.
    Undo {
        /// Which use it had been.
        use_no: u32,
    },
    /// Somebody left.
    Exit {
        /// How often the ticket had entered.
        use_no: u32,
    },
}

/// Counts of one gate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GateCount {
    /// Entries that still count.
    pub admitted: u64,
    /// Refusals.
    pub refused: u64,
    /// Entries by second, for the rate.
    recent: BTreeMap<i64, u32>,
}

impl GateCount {
    /// Entries in the minute before `now`.
    pub fn rate_per_minute(&self, now: UnixMs) -> u32 {
        rate(&self.recent, now)
    }
}

/// Counts of one event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventCount {
    /// Tickets with at least one entry that counts.
    pub admitted: u64,
    /// Entries that count.
    pub entries: u64,
    /// People who were scanned out.
    pub exits: u64,
    /// Refusals.
    pub refused: u64,
    /// Refusals by reason.
    pub refusals: BTreeMap<Reason, u64>,
    /// By gate.
    pub gates: BTreeMap<GateNo, GateCount>,
    /// Entries by minute (Unix ms of its start), the newest [`ARRIVAL_MINUTES_MAX`].
    pub arrivals: BTreeMap<i64, u32>,
    recent: BTreeMap<i64, u32>,
}

impl EventCount {
    /// Counts one scan at `gate` (none when the gate is not known).
    pub fn apply(&mut self, at: UnixMs, gate: Option<GateNo>, outcome: Outcome) {
        let mut gate_count = gate.map(|gate| self.gates.entry(gate).or_default());
        match outcome {
            Outcome::Admit { use_no } => {
                self.entries += 1;
                self.admitted += u64::from(use_no == 1);
                *self.arrivals.entry(at.0.div_euclid(MINUTE_MS) * MINUTE_MS).or_default() += 1;
                while self.arrivals.len() > ARRIVAL_MINUTES_MAX {
                    self.arrivals.pop_first();
                }
                count_second(&mut self.recent, at);
                if let Some(gate) = &mut gate_count {
                    gate.admitted += 1;
                    count_second(&mut gate.recent, at);
                }
            }
            Outcome::Refuse(reason) => {
                self.refused += 1;
                *self.refusals.entry(reason).or_default() += 1;
                if let Some(gate) = &mut gate_count {
                    gate.refused += 1;
                }
            }
            Outcome::Undo { use_no } => {
                self.entries = self.entries.saturating_sub(1);
                self.admitted = self.admitted.saturating_sub(u64::from(use_no == 1));
                if let Some(gate) = &mut gate_count {
                    gate.admitted = gate.admitted.saturating_sub(1);
                }
            }
            Outcome::Exit { .. } => self.exits += 1,
        }
    }

    /// People who entered and were not scanned out.
    pub fn inside(&self) -> u64 {
        self.entries.saturating_sub(self.exits)
    }

    /// Entries in the minute before `now`.
    pub fn rate_per_minute(&self, now: UnixMs) -> u32 {
        rate(&self.recent, now)
    }
}

fn count_second(recent: &mut BTreeMap<i64, u32>, at: UnixMs) {
    *recent.entry(at.0.div_euclid(SECOND_MS)).or_default() += 1;
    // A minute and a second: the window below can begin inside a second.
    while recent.len() > 61 {
        recent.pop_first();
    }
}

fn rate(recent: &BTreeMap<i64, u32>, now: UnixMs) -> u32 {
    let second = now.0.div_euclid(SECOND_MS);
    recent.range(second - 59..=second).map(|(_, count)| count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_700_000_000_000);

    #[test]
    fn a_second_use_is_an_entry_but_not_another_ticket() {
        let mut count = EventCount::default();
        count.apply(NOW, Some(GateNo(1)), Outcome::Admit { use_no: 1 });
        count.apply(NOW, Some(GateNo(1)), Outcome::Admit { use_no: 2 });
        assert_eq!((count.admitted, count.entries), (1, 2));
    }

    #[test]
    fn an_undone_entry_no_longer_counts() {
        let mut count = EventCount::default();
        count.apply(NOW, Some(GateNo(1)), Outcome::Admit { use_no: 1 });
        count.apply(NOW, Some(GateNo(1)), Outcome::Undo { use_no: 1 });
        assert_eq!((count.admitted, count.entries), (0, 0));
        assert_eq!(count.gates.get(&GateNo(1)).map(|gate| gate.admitted), Some(0));
    }

    #[test]
    fn whoever_left_is_no_longer_inside_and_was_admitted() {
        let mut count = EventCount::default();
        count.apply(NOW, Some(GateNo(1)), Outcome::Admit { use_no: 1 });
        count.apply(NOW, Some(GateNo(1)), Outcome::Admit { use_no: 1 });
        count.apply(NOW, Some(GateNo(1)), Outcome::Exit { use_no: 1 });
        assert_eq!((count.inside(), count.admitted, count.entries), (1, 2, 2));
    }

    #[test]
    fn the_rate_forgets_after_a_minute() {
        let mut count = EventCount::default();
        count.apply(NOW, None, Outcome::Admit { use_no: 1 });
        assert_eq!(count.rate_per_minute(NOW.plus(59_000)), 1);
        assert_eq!(count.rate_per_minute(NOW.plus(61_000)), 0);
    }
}
