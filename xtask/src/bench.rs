//! Measures what the design promises, as ratios of one run on one machine (docs/measure.md).

mod admissions;
mod alone;
mod blind;
mod blind_http;
mod desks;
mod gate;
mod log;
mod offline;
mod operations;
mod postgres;
mod rival;
mod rotation;
mod site;
mod start;
mod table;
mod verify;
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    dead_code,
    reason = "the simulation of the tests, which may fail loudly"
)]
#[path = "../../crates/admit-core/tests/simulation/world.rs"]
mod world;

use std::time::Duration;

use anyhow::{Result, bail};

use crate::probe;
use crate::process::{cargo, run as run_to_end};
use crate::{files, web};

type Part = (&'static str, fn(Effort) -> Result<()>);

const PARTS: &[Part] = &[
    ("probe", |_| probe_disk()),
    ("verify", verify::run),
    ("rotation", rotation::run),
    ("blind", blind::run),
    ("start", start::run),
    ("admissions", admissions::run),
    ("desks", desks::run),
    ("operations", operations::run),
    ("log", log::run),
    ("offline", offline::run),
    ("gate", gate::run),
    ("postgres", postgres::run),
];

/// How long to measure.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// Length of one cell.
    cell: Duration,
    /// Tickets that are there to be used in a cell.
    tickets: usize,
}

const FULL: Effort = Effort { cell: Duration::from_secs(4), tickets: 200_000 };
const QUICK: Effort = Effort { cell: Duration::from_secs(1), tickets: 50_000 };

/// Runs one part, or all.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (flags, names): (Vec<_>, Vec<_>) = arguments.iter().partition(|a| a.starts_with("--"));
    let effort = match flags.as_slice() {
        [] => FULL,
        [flag] if *flag == "--quick" => QUICK,
        _ => bail!("usage: cargo xtask bench [name] [--quick]"),
    };
    let known = |name: &&String| PARTS.iter().any(|(part, _)| part == name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        bail!("there is nothing called {unknown} to measure");
    }
    if cfg!(debug_assertions) {
        return run_optimised(arguments);
    }
    let load = std::fs::read_to_string("/proc/loadavg")?;
    println!("load of this machine before: {} (a busy one measures its neighbours)", load.trim());
    for (name, part) in PARTS {
        if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            println!("\n## {name}\n");
            part(effort)?;
        }
    }
    Ok(())
}

/// A load generator without optimisation would measure itself.
fn run_optimised(arguments: &[String]) -> Result<()> {
    if !files::root().join("web/dist/desk").is_dir() {
        // Part of the binary, so part of its start and its memory.
        web::build()?;
    }
    run_to_end(&mut cargo(&["build", "--release", "--package=admit", "--package=xtask"]))?;
    let xtask = files::target().join("release/xtask");
    let xtask = xtask.to_string_lossy();
    run_to_end(crate::process::command(&files::root(), &xtask, &["bench"]).args(arguments))
}

fn probe_disk() -> Result<()> {
    let folder = site::disk_folder()?;
    let (median, p99) = probe::sync_times(&folder)?;
    println!(
        "append 4 KiB and sync, {}: median {:.2} ms, p99 {:.2} ms",
        folder.display(),
        median.as_secs_f64() * 1000.0,
        p99.as_secs_f64() * 1000.0
    );
    Ok(())
}
