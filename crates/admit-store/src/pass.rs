//! Passes on the books: what day it is where an event is, and the way and the outcome of a scan as
//! one number.

use admit_core::id::UnixMs;
use admit_core::pass::{Calendar, Direction};
use admit_core::reason::Reason;
use admit_core::stats::Outcome;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

const ADMIT: i64 = 0;
const REFUSE: i64 = 1;
/// Its place in the table's unique index makes it part of the schema.
const UNDO: i64 = 2;
const EXIT: i64 = 3;
const REFUSE_EXIT: i64 = 4;

/// What day it is at a moment in the zone of this IANA name; UTC when the zone is not known.
pub fn calendar(zone: &str, at: UnixMs) -> Calendar {
    day_of(zone, at).and_then(|day| calendar_of(&day)).unwrap_or_default()
}

/// The same for `count` days from the one before a moment on, for gates that judge by themselves.
pub fn days(zone: &str, at: UnixMs, count: u16) -> Vec<Calendar> {
    let Some(today) = day_of(zone, at) else { return Vec::new() };
    let on = |ahead: i64| calendar_of(&today.checked_add((ahead - 1).days()).ok()?);
    (0..i64::from(count)).filter_map(on).collect()
}

fn day_of(zone: &str, at: UnixMs) -> Option<Zoned> {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    Some(Timestamp::from_millisecond(at.0).ok()?.to_zoned(zone))
}

fn calendar_of(day: &Zoned) -> Option<Calendar> {
    // A pass that began on the 15th ends with the 14th of the next month.
    let month = day.checked_sub(1.month()).ok()?.checked_add(1.day()).ok()?;
    let midnight = |day: &Zoned| {
        day.start_of_day().ok().map(|midnight| UnixMs(midnight.timestamp().as_millisecond()))
    };
    Some(Calendar { day_from: midnight(day)?, month_from: midnight(&month)? })
}

/// A scan's columns `kind`, `reason` and `use_no`.
pub(crate) fn columns(outcome: Outcome, direction: Direction) -> (i64, Option<&'static str>, u32) {
    match outcome {
        Outcome::Admit { use_no } => (ADMIT, None, use_no),
        Outcome::Exit { use_no } => (EXIT, None, use_no),
        Outcome::Undo { use_no } => (UNDO, None, use_no),
        Outcome::Refuse(reason) if direction == Direction::Exit => {
            (REFUSE_EXIT, Some(reason.code()), 0)
        }
        Outcome::Refuse(reason) => (REFUSE, Some(reason.code()), 0),
    }
}

/// What these columns say; none when no version of this program wrote them.
pub(crate) fn outcome(
    kind: i64,
    reason: Option<&str>,
    use_no: u32,
) -> Option<(Outcome, Direction)> {
    let refused = || reason.and_then(Reason::parse).map(Outcome::Refuse);
    Some(match kind {
        ADMIT => (Outcome::Admit { use_no }, Direction::Entry),
        UNDO => (Outcome::Undo { use_no }, Direction::Entry),
        EXIT => (Outcome::Exit { use_no }, Direction::Exit),
        REFUSE => (refused()?, Direction::Entry),
        REFUSE_EXIT => (refused()?, Direction::Exit),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixMs {
        UnixMs(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn a_day_begins_at_midnight_where_the_event_is() {
        let before = calendar("Europe/Berlin", at("2026-07-01T21:59:59Z"));
        let after = calendar("Europe/Berlin", at("2026-07-01T22:00:00Z"));
        assert_eq!(before.day_from, at("2026-06-30T22:00:00Z"));
        assert_eq!(after.day_from, at("2026-07-01T22:00:00Z"));
    }

    #[test]
    fn the_day_on_which_clocks_change_is_one_day() {
        // 2026-10-25 has 25 hours in Berlin.
        let night = calendar("Europe/Berlin", at("2026-10-24T22:00:00Z"));
        let evening = calendar("Europe/Berlin", at("2026-10-25T22:59:59Z"));
        assert_eq!(night, evening);
        assert_ne!(night, calendar("Europe/Berlin", at("2026-10-25T23:00:00Z")));
    }

    #[test]
    fn a_month_ends_before_the_same_day_of_the_next() {
        let month = |day| calendar("UTC", at(day)).month_from;
        assert_eq!(month("2026-02-14T12:00:00Z"), at("2026-01-15T00:00:00Z"));
        assert_eq!(month("2026-03-31T12:00:00Z"), at("2026-03-01T00:00:00Z"));
    }

    #[test]
    fn gates_are_told_the_days_from_yesterday_on() {
        let days = days("Asia/Tokyo", at("2026-03-10T12:00:00Z"), 3);
        let begins: Vec<_> = days.iter().map(|day| day.day_from).collect();
        let wanted = ["2026-03-08T15:00:00Z", "2026-03-09T15:00:00Z", "2026-03-10T15:00:00Z"];
        assert_eq!(begins, wanted.map(at));
    }

    #[test]
    fn every_outcome_reads_back_from_its_columns() {
        let refuse = Outcome::Refuse(Reason::NotInside);
        for (told, way) in [
            (Outcome::Admit { use_no: 2 }, Direction::Entry),
            (Outcome::Exit { use_no: 2 }, Direction::Exit),
            (Outcome::Undo { use_no: 2 }, Direction::Entry),
            (refuse, Direction::Entry),
            (refuse, Direction::Exit),
        ] {
            let (kind, reason, use_no) = columns(told, way);
            assert_eq!(outcome(kind, reason, use_no), Some((told, way)));
        }
    }
}
