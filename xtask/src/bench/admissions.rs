//! Durable admissions a second, beside an endpoint that does nothing and beside a commit for each.

use std::time::Duration;

use anyhow::{Context, Result};

use super::Effort;
use super::site::{Disk, Template, disk_folder};
use super::table::{Bound, Goal, print_goals};
use crate::load::{self, Outcome, Pace, Plan};
use crate::probe;

/// What one cell asks of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Admissions as they are.
    Admit,
    /// Admissions with a commit for each.
    Alone,
    /// Parse, answer, nothing else.
    Noop,
}

/// Connections of the open loop: more than can be busy at once.
const OPEN_CLIENTS: usize = 200;
const OPEN_RATE: u32 = 1000;
/// pretix on two cores of this kind, redemptions a second (DESIGN.md section 8).
const PRETIX_RATE: f64 = 30.0;

/// A figure and how it came about.
struct Cell {
    disk: Disk,
    kind: Kind,
    /// None for the open loop.
    clients: Option<usize>,
    outcome: Outcome,
    /// Of the server, for one answer.
    cpu_ms: f64,
}

pub(super) fn run(effort: Effort) -> Result<()> {
    let template = Template::make(effort.tickets)?;
    let (sync, _) = probe::sync_times(&disk_folder()?)?;
    println!("a sync of the real disk takes {:.2} ms\n", ms(sync));
    println!(
        "{:<10} {:<7} {:>8} {:>9} {:>8} {:>8} {:>8}",
        "disk", "what", "clients", "per s", "p50 ms", "p99 ms", "cpu ms"
    );
    let mut cells = Vec::new();
    for disk in [Disk::Real, Disk::Fixed] {
        let closed = |kind, clients: &[usize]| {
            clients.iter().map(|count| (kind, Some(*count))).collect::<Vec<_>>()
        };
        let wanted = [
            closed(Kind::Noop, &[1, 16, 64, 256]),
            closed(Kind::Admit, &[1, 16, 32, 64, 256]),
            closed(Kind::Alone, &[64, 256]),
            vec![(Kind::Admit, None)],
        ];
        for (kind, clients) in wanted.concat() {
            let cell = measure(&template, disk, kind, clients, effort)
                .with_context(|| format!("{kind:?}, {clients:?} clients, {}", disk.name()))?;
            cell.print();
            cells.push(cell);
        }
    }
    print_goals(&goals(&cells, ms(sync)));
    Ok(())
}

fn measure(
    template: &Template,
    disk: Disk,
    kind: Kind,
    clients: Option<usize>,
    effort: Effort,
) -> Result<Cell> {
    let arguments: &[&str] = if kind == Kind::Alone { &["--batch-max", "1"] } else { &[] };
    let serving = template.serve(disk, arguments)?;
    let path = if kind == Kind::Noop { "/bench/noop" } else { "/v1/gate/admissions" };
    // A tenth of the tickets to warm up with.
    let (warm_up, codes) = template.codes.split_at(template.codes.len() / 10);
    let mut plan = Plan {
        port: serving.server.port("plain")?,
        path,
        token: &template.token,
        codes: warm_up,
        clients: clients.unwrap_or(OPEN_CLIENTS),
        pace: if clients.is_some() { Pace::Closed } else { Pace::Open(OPEN_RATE) },
        length: Duration::from_millis(300),
        reuse_codes: kind == Kind::Noop,
    };
    load::run(&plan)?;
    plan.codes = codes;
    plan.length = effort.cell;
    let before = probe::cpu_time(serving.server.id())?;
    let outcome = load::run(&plan)?;
    let cpu = probe::cpu_time(serving.server.id())?.saturating_sub(before);
    let done = u32::try_from(outcome.done).unwrap_or(u32::MAX).max(1);
    Ok(Cell { disk, kind, clients, outcome, cpu_ms: ms(cpu) / f64::from(done) })
}

impl Cell {
    fn print(&self) {
        let what = match self.kind {
            Kind::Admit => "admit",
            Kind::Alone => "alone",
            Kind::Noop => "no-op",
        };
        let clients = self.clients.map_or("1000/s".to_owned(), |clients| clients.to_string());
        println!(
            "{:<10} {what:<7} {clients:>8} {:>9.0} {:>8.2} {:>8.2} {:>8.3}",
            self.disk.name(),
            self.outcome.rate(),
            self.outcome.latency_ms(50.0),
            self.outcome.latency_ms(99.0),
            self.cpu_ms
        );
    }
}

fn goals(cells: &[Cell], sync_ms: f64) -> Vec<Goal> {
    let find = |disk, kind, clients| {
        cells.iter().find(|c| (c.disk, c.kind, c.clients) == (disk, kind, clients))
    };
    let mut goals = Vec::new();
    let mut add = |what: String, figure, bound| goals.push(Goal { what, figure, bound });
    for (disk, kind, name, clients, least) in [
        (Disk::Real, Kind::Noop, "no-op", 64, 0.20),
        (Disk::Real, Kind::Noop, "no-op", 256, 0.30),
        (Disk::Fixed, Kind::Alone, "a commit for each", 64, 20.0),
        (Disk::Fixed, Kind::Alone, "a commit for each", 256, 60.0),
    ] {
        let ours = find(disk, Kind::Admit, Some(clients));
        if let (Some(ours), Some(other)) = (ours, find(disk, kind, Some(clients))) {
            let what = format!("{}, {clients} clients: admissions / {name}", disk.name());
            add(what, ours.outcome.rate() / other.outcome.rate(), Bound::AtLeast(least));
        }
    }
    if let Some(cell) = find(Disk::Real, Kind::Admit, Some(32)) {
        let what = |what: &str| format!("real disk, 32 clients: {what}");
        let of_pretix = cell.outcome.rate() / PRETIX_RATE;
        add(what("admissions / pretix (30/s)"), of_pretix, Bound::AtLeast(200.0));
        add(what("cpu ms for one"), cell.cpu_ms, Bound::AtMost(0.3));
        add(what("p99 ms"), cell.outcome.latency_ms(99.0), Bound::AtMost(25.0));
    }
    for (disk, sync) in [(Disk::Real, sync_ms), (Disk::Fixed, 2.0)] {
        if let Some(cell) = find(disk, Kind::Admit, None) {
            let what = |what: &str| format!("{}, 1,000/s: {what}", disk.name());
            let (p50, p99) = (cell.outcome.latency_ms(50.0), cell.outcome.latency_ms(99.0));
            add(what("p50 ms (2.5 syncs + 1)"), p50, Bound::AtMost(2.5 * sync + 1.0));
            add(what("p99 ms (4 syncs + 5)"), p99, Bound::AtMost(4.0 * sync + 5.0));
        }
    }
    goals
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
