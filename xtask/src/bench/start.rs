//! From nothing to the first admission, and what the server weighs when it rests.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;

use super::Effort;
use super::site::{Disk, Template};
use super::table::{Bound, Goal, print_goals};
use crate::{load, probe};

/// Starts that are timed; the middle one counts.
const STARTS: usize = 5;

pub(super) fn run(effort: Effort) -> Result<()> {
    let template = Template::make(effort.tickets)?;
    let mut figures = Vec::new();
    for number in 0..STARTS {
        let code = template.codes.get(number).context("too few tickets")?;
        let folder = template.copy(Disk::Real)?;
        let begun = Instant::now();
        let serving = template.start(folder, Disk::Real, &[])?;
        let memory = probe::memory_mib(serving.server.id())?;
        let scan_id = "AAAAAAAAAAAAAAAAAAAAAA";
        let scan = json!({ "code": code, "gate": 1, "scan_id": scan_id }).to_string();
        let port = serving.server.port("plain")?;
        load::post(port, "/v1/gate/admissions", &template.token, &scan)?;
        figures.push((begun.elapsed(), memory));
    }
    figures.sort_by_key(|(time, _)| *time);
    let (time, memory): (Duration, f64) = figures.get(STARTS / 2).copied().context("no starts")?;
    print_goals(&[
        Goal {
            what: format!("seconds to the first admission ({} tickets)", effort.tickets),
            figure: time.as_secs_f64(),
            bound: Bound::AtMost(1.0),
        },
        Goal { what: "idle memory, MiB".to_owned(), figure: memory, bound: Bound::AtMost(64.0) },
    ]);
    Ok(())
}
