//! One event as an iCalendar file (RFC 5545), so that a ticket lands in the holder's calendar.

use jiff::Timestamp;

/// The octets of a content line before it is folded (RFC 5545, 3.1), its line break left out.
const LINE_OCTETS: usize = 75;

/// What a calendar shows of one event. It holds nothing about the person who has the ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalendarEntry<'a> {
    /// Globally unique and the same at every download, so that a second import replaces the first:
    /// for example `<event id>@<host>`.
    pub uid: &'a str,
    /// The event's name.
    pub summary: &'a str,
    /// The venue; left out when empty.
    pub location: &'a str,
    /// Free text; left out when empty. Never the ticket's code: calendars are shared.
    pub description: &'a str,
    /// When it begins, Unix milliseconds.
    pub starts: i64,
    /// When it ends, Unix milliseconds; not before `starts`.
    pub ends: i64,
}

/// Why no calendar file could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// A time lies outside the years 0 to 9999, which is all that RFC 5545 can write.
    #[error("{0} ms is outside the years a calendar can write")]
    Time(i64),
    /// The event would end before it begins, which calendars refuse.
    #[error("the event ends before it begins")]
    EndsBeforeItBegins,
}

/// Writes the file, to be served as `text/calendar; charset=utf-8`.
///
/// `now` (Unix ms) becomes DTSTAMP. Times are written in UTC, so that no zone definition has to be
/// carried; every calendar shows them in the zone of its owner.
///
/// # Errors
/// [`CalendarError`] when a time cannot be written or the end precedes the start.
pub fn calendar_file(entry: &CalendarEntry<'_>, now: i64) -> Result<String, CalendarError> {
    if entry.ends < entry.starts {
        return Err(CalendarError::EndsBeforeItBegins);
    }
    let mut file = String::new();
    for line in ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Admit One//EN", "METHOD:PUBLISH"] {
        push_line(&mut file, line);
    }
    push_line(&mut file, "BEGIN:VEVENT");
    push_text(&mut file, "UID", entry.uid);
    push_line(&mut file, &format!("DTSTAMP:{}", utc(now)?));
    push_line(&mut file, &format!("DTSTART:{}", utc(entry.starts)?));
    push_line(&mut file, &format!("DTEND:{}", utc(entry.ends)?));
    push_text(&mut file, "SUMMARY", entry.summary);
    push_text(&mut file, "LOCATION", entry.location);
    push_text(&mut file, "DESCRIPTION", entry.description);
    push_line(&mut file, "END:VEVENT");
    push_line(&mut file, "END:VCALENDAR");
    Ok(file)
}

/// A moment as `19970714T173000Z` (RFC 5545, 3.3.5, form 2).
fn utc(unix_ms: i64) -> Result<String, CalendarError> {
    let moment = Timestamp::from_millisecond(unix_ms)
        .map(|moment| moment.to_zoned(jiff::tz::TimeZone::UTC))
        .ok()
        .filter(|moment| moment.year() >= 0)
        .ok_or(CalendarError::Time(unix_ms))?;
    Ok(moment.strftime("%Y%m%dT%H%M%SZ").to_string())
}

/// Adds `name:text`, escaped (RFC 5545, 3.3.11); nothing for an empty text.
fn push_text(file: &mut String, name: &str, text: &str) {
    if text.is_empty() {
        return;
    }
    let mut line = format!("{name}:");
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\\' | ';' | ',' => line.extend(['\\', c]),
            '\n' | '\r' => line.push_str("\\n"),
            // Control characters are no part of the TEXT type and could break the line structure.
            c if c.is_control() && c != '\t' => {}
            c => line.push(c),
        }
    }
    push_line(file, &line);
}

/// Adds one content line with its CRLF, folded so that no line is longer than 75 octets and no
/// character is torn: the RFC lets a fold fall inside a character, but readers break on it.
fn push_line(file: &mut String, line: &str) {
    let mut used = 0;
    for c in line.chars() {
        if used + c.len_utf8() > LINE_OCTETS {
            file.push_str("\r\n ");
            used = 1;
        }
        file.push(c);
        used += c.len_utf8();
    }
    file.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_800_000_000_000; // 2027-01-15 08:00:00 UTC

    fn entry<'a>(summary: &'a str, description: &'a str) -> CalendarEntry<'a> {
        CalendarEntry {
            uid: "E1@gate.local",
            summary,
            location: "Hall, 2",
            description,
            starts: START,
            ends: START + 7_200_000,
        }
    }

    #[test]
    fn the_whole_file_of_a_simple_event() {
        let file = calendar_file(&entry("Concert", ""), START - 86_400_000).unwrap();
        let expected = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Admit One//EN\r\n\
            METHOD:PUBLISH\r\nBEGIN:VEVENT\r\nUID:E1@gate.local\r\nDTSTAMP:20270114T080000Z\r\n\
            DTSTART:20270115T080000Z\r\nDTEND:20270115T100000Z\r\nSUMMARY:Concert\r\n\
            LOCATION:Hall\\, 2\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        assert_eq!(file, expected);
    }

    #[test]
    fn hostile_text_adds_no_line() {
        let file =
            calendar_file(&entry("A\r\nATTENDEE:x\n;,\\\u{7}\u{0}", "two\rlines"), START).unwrap();
        assert!(file.contains("SUMMARY:A\\nATTENDEE:x\\n\\;\\,\\\\\r\n"));
        assert!(file.contains("DESCRIPTION:two\\nlines\r\n"));
        assert!(!file.contains("\r\nATTENDEE"));
    }

    #[test]
    fn folding_keeps_octets_and_characters() {
        for filler in ["a", "é", "漢", "🎟"] {
            for shift in 0..5 {
                let text = format!("{}{}", "x".repeat(shift), filler.repeat(120));
                let file = calendar_file(&entry(&text, ""), START).unwrap();
                assert!(file.split("\r\n").all(|line| line.len() <= LINE_OCTETS));
                assert!(!file.replace("\r\n", "").contains(['\r', '\n']));
                let unfolded = file.replace("\r\n ", "");
                assert!(unfolded.contains(&format!("SUMMARY:{text}\r\n")));
            }
        }
    }

    #[test]
    fn impossible_times_are_refused() {
        let mut wrong = entry("x", "");
        wrong.ends = START - 1;
        assert_eq!(calendar_file(&wrong, START), Err(CalendarError::EndsBeforeItBegins));
        wrong.ends = i64::MAX;
        assert_eq!(calendar_file(&wrong, START), Err(CalendarError::Time(i64::MAX)));
    }
}
