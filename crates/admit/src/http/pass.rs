//! Passes over HTTP: how tickets of a type may enter again, in JSON.

use admit_core::pass::{Direction, Lasts, Pass, PerDay};
use admit_core::transfer::Transferable;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::Error;

/// How tickets of a type may enter again. Judged by what is set today, tickets already issued, too.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PassRules {
    /// `day` (good until the end of the day of the first entry), `month` (until the same day of the
    /// next month), or null: as long as the ticket says.
    #[serde(default)]
    lasts: Option<String>,
    /// Whether it must be scanned out before it enters again.
    #[serde(default)]
    exits: bool,
    /// Minutes after an entry before it enters again, at most 1440.
    #[serde(default)]
    wait_min: u16,
    /// `any`, `once` or `once_each_gate`: entries a day, by the calendar of the event.
    #[serde(default = "any")]
    per_day: String,
}

fn any() -> String {
    PerDay::Any.code().to_owned()
}

impl PassRules {
    pub(super) fn of(pass: Pass) -> Self {
        Self {
            lasts: pass.lasts.map(|lasts| lasts.code().to_owned()),
            exits: pass.exits,
            wait_min: pass.wait_min,
            per_day: pass.per_day.code().to_owned(),
        }
    }

    fn read(&self) -> Result<Pass, Error> {
        let lasts = self.lasts.as_deref().map(|code| {
            Lasts::parse(code).ok_or_else(|| Error::field("lasts", "Use day, month or null."))
        });
        let wrong = || Error::field("per_day", "Use any, once or once_each_gate.");
        Ok(Pass {
            lasts: lasts.transpose()?,
            exits: self.exits,
            wait_min: self.wait_min,
            per_day: PerDay::parse(&self.per_day).ok_or_else(wrong)?,
        })
    }
}

/// In one word, what entries and time come to.
pub(super) fn kind(max_uses: u8, pass: Pass) -> &'static str {
    match (pass.lasts, max_uses) {
        (Some(Lasts::Day), _) => "day",
        (Some(Lasts::Month), _) => "monthly",
        (None, 1) => "single-use",
        (None, _) => "entries",
    }
}

/// Entries and rules after a change of a type's settings.
pub(super) fn changed(
    kind: Option<&str>,
    rules: Option<PassRules>,
    max_uses: Option<u8>,
    old: (u8, Pass),
) -> Result<(u8, Pass), Error> {
    let (usual, mut pass) = match kind {
        None => old,
        Some("single-use") => (1, Pass::default()),
        Some("entries") => (if old.0 == 1 { 0 } else { old.0 }, Pass { lasts: None, ..old.1 }),
        Some("day") => (0, Pass { lasts: Some(Lasts::Day), ..old.1 }),
        Some("monthly") => (0, Pass { lasts: Some(Lasts::Month), ..old.1 }),
        Some(_) => return Err(Error::field("kind", "Use single-use, entries, day or monthly.")),
    };
    if let Some(rules) = rules {
        // What the kind says stands, unless the rules say more.
        let read = rules.read()?;
        pass = Pass { lasts: read.lasts.or(pass.lasts.filter(|_| kind.is_some())), ..read };
    }
    Ok((max_uses.unwrap_or(usual), pass))
}

/// Whether tickets may be handed on after a change of a type's settings.
pub(super) fn transferable(code: Option<&str>, old: Transferable) -> Result<Transferable, Error> {
    let wrong = || Error::field("transferable", "Use no, free or approval.");
    code.map_or(Ok(old), |code| Transferable::parse(code).ok_or_else(wrong))
}

/// Which way a scan goes.
pub(super) fn direction(code: Option<&str>) -> Result<Direction, Error> {
    let wrong = || Error::field("direction", "Use entry or exit.");
    code.map_or(Ok(Direction::Entry), |code| Direction::parse(code).ok_or_else(wrong))
}
