//! The one place that reads the clock, and the texts that times are written in.

use admit_core::id::UnixMs;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// Tells the time; tests hand in their own.
pub type Clock = std::sync::Arc<dyn Fn() -> UnixMs + Send + Sync>;

/// The machine's clock.
pub fn system() -> Clock {
    std::sync::Arc::new(now)
}

/// This moment.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn now() -> UnixMs {
    UnixMs(Timestamp::now().as_millisecond())
}

/// RFC 3339 in UTC with milliseconds.
pub fn rfc3339(at: UnixMs) -> String {
    Timestamp::from_millisecond(at.0).map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}

/// Reads RFC 3339 with any offset.
pub fn parse_rfc3339(text: &str) -> Option<UnixMs> {
    let at: Timestamp = text.parse().ok()?;
    Some(UnixMs(at.as_millisecond()))
}

/// Whether there is a time zone of this IANA name.
pub fn is_time_zone(name: &str) -> bool {
    TimeZone::get(name).is_ok()
}

/// For people: `Sat 21 Nov 2026, 19:30 (Europe/Berlin)`; UTC when the zone is not known.
pub fn in_zone(at: UnixMs, zone: &str) -> String {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let Ok(at) = Timestamp::from_millisecond(at.0) else { return String::new() };
    at.to_zoned(zone).strftime("%a %-d %b %Y, %H:%M (%Q)").to_string()
}

/// The day of a time in a zone, counted from 1970-01-01.
pub fn day_of(at: UnixMs, zone: &str) -> i32 {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let Ok(at) = Timestamp::from_millisecond(at.0) else { return 0 };
    days_since(at.to_zoned(zone).date())
}

/// When a day begins in a zone.
pub fn day_begins(day: i32, zone: &str) -> UnixMs {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let begins = date_of(day).and_then(|date| date.to_zoned(zone).ok());
    UnixMs(begins.map_or(0, |begins| begins.timestamp().as_millisecond()))
}

/// A day as `YYYY-MM-DD`.
pub fn day_text(day: i32) -> String {
    date_of(day).map_or_else(String::new, |date| date.to_string())
}

/// Reads `YYYY-MM-DD`.
pub fn parse_day(text: &str) -> Option<i32> {
    text.parse().ok().map(days_since)
}

fn days_since(date: Date) -> i32 {
    let days = date.since((jiff::Unit::Day, Date::constant(1970, 1, 1)));
    days.map_or(0, |span| span.get_days())
}

fn date_of(day: i32) -> Option<Date> {
    Date::constant(1970, 1, 1).checked_add(day.days()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_and_read_back() {
        let at = UnixMs(1_700_000_000_123);
        assert_eq!(rfc3339(at), "2023-11-14T22:13:20.123Z");
        assert_eq!(parse_rfc3339("2023-11-14T23:13:20.123+01:00"), Some(at));
    }

    #[test]
    fn a_day_begins_where_the_event_is_and_is_written_and_read_back() {
        let day = parse_day("2026-03-29").unwrap();
        assert_eq!(day_text(day), "2026-03-29");
        let begins = day_begins(day, "Europe/Berlin");
        assert_eq!(rfc3339(begins), "2026-03-28T23:00:00.000Z");
        // The day on which the clocks change has 23 hours.
        assert_eq!(day_begins(day + 1, "Europe/Berlin"), begins.plus(23 * 3_600_000));
        assert_eq!(day_of(begins.plus(-1), "Europe/Berlin"), day - 1);
        assert_eq!(day_of(begins, "Europe/Berlin"), day);
    }

    #[test]
    fn people_read_times_in_the_events_zone_with_its_name() {
        let text = in_zone(UnixMs(1_700_000_000_000), "Asia/Tokyo");
        assert_eq!(text, "Wed 15 Nov 2023, 07:13 (Asia/Tokyo)");
    }
}
