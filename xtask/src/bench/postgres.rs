//! Durable admissions a second on PostgreSQL, by one server and by two, beside other ways to do it.

use std::thread;

use admit_core::ticket::Verified;
use anyhow::{Context, Result, anyhow};

use super::Effort;
use super::alone;
use super::rival::{self, Way};
use super::site::{Disk, Serving, Template};
use super::table::{Bound, Goal, print_goals};
use crate::cluster::Cluster;
use crate::load::{self, Outcome, Pace, Plan};
use crate::process::text;

/// Clients in the cells.
const CLIENTS: [usize; 2] = [64, 256];
/// For all cells alike: room for the log, and no checkpoint in the middle of one.
const SETTINGS: &str = "shared_buffers = 1GB\nmax_wal_size = 8GB\ncheckpoint_timeout = 30min\n";

/// What one cell does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// So many servers on one database.
    Ours(usize),
    /// So many of our stores on one database, without HTTP.
    Alone(usize),
    /// The embedded store.
    Sqlite,
    Rival(Way),
    /// pgbench, 64 clients.
    Pgbench,
}

struct Cell {
    kind: Kind,
    clients: usize,
    rate: f64,
}

pub(super) fn run(effort: Effort) -> Result<()> {
    let template = Template::make(effort.tickets)?;
    let cluster = Cluster::with(SETTINGS)?;
    let moved = cluster.create_database()?;
    template.run(&["migrate-store", "--to", &cluster.address(&moved)])?;
    let prepared = cluster.create_database()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let tickets = runtime.block_on(alone::prepare(&cluster.address(&prepared), effort.tickets))?;
    // Its connections end with it: a database that is used cannot be copied.
    drop(runtime);
    let place = Place { cluster, moved, prepared, tickets, template };
    println!("{:<22} {:>8} {:>9} {:>8} {:>8}", "what", "clients", "per s", "p50 ms", "p99 ms");
    let mut cells = vec![place.pgbench(effort)?];
    for clients in CLIENTS {
        for kind in [
            Kind::Ours(1),
            Kind::Ours(2),
            Kind::Alone(1),
            Kind::Alone(2),
            Kind::Rival(Way::SkipLocked),
            Kind::Rival(Way::Update),
            Kind::Sqlite,
        ] {
            let cell = place.measure(kind, clients, effort);
            cells.push(cell.with_context(|| format!("{kind:?}, {clients} clients"))?);
        }
    }
    compare(&cells);
    Ok(())
}

struct Place {
    cluster: Cluster,
    /// The database that cells get copies of.
    moved: String,
    /// The same for [`Kind::Alone`], and its tickets.
    prepared: String,
    tickets: Vec<Verified>,
    template: Template,
}

impl Place {
    fn measure(&self, kind: Kind, clients: usize, effort: Effort) -> Result<Cell> {
        let outcome = match kind {
            Kind::Ours(servers) => {
                let address = self.cluster.address(&self.cluster.copy_database(&self.moved)?);
                self.serve(servers, &["--database", &address], clients, effort)?
            }
            Kind::Alone(stores) => {
                let address = self.cluster.address(&self.cluster.copy_database(&self.prepared)?);
                alone::run(&address, stores, clients, &self.tickets, effort.cell)?
            }
            Kind::Sqlite => self.serve(1, &[], clients, effort)?,
            Kind::Rival(way) => {
                let address = self.rivals(effort)?;
                rival::run(&address, way, clients, effort.tickets, effort.cell)?
            }
            Kind::Pgbench => return self.pgbench(effort),
        };
        let rate = outcome.rate();
        let (p50, p99) = (outcome.latency_ms(50.0), outcome.latency_ms(99.0));
        println!("{:<22} {clients:>8} {rate:>9.0} {p50:>8.2} {p99:>8.2}", name(kind));
        Ok(Cell { kind, clients, rate })
    }

    /// A database with the rivals' tables.
    fn rivals(&self, effort: Effort) -> Result<String> {
        let address = self.cluster.address(&self.cluster.create_database()?);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(rival::prepare(&address, effort.tickets))?;
        Ok(address)
    }

    /// Lets so many servers share the clients.
    fn serve(
        &self,
        servers: usize,
        arguments: &[&str],
        clients: usize,
        effort: Effort,
    ) -> Result<Outcome> {
        let start = || {
            let folder = self.template.copy(Disk::Real)?;
            self.template.start(folder, Disk::Real, arguments)
        };
        let serving = (0..servers).map(|_| start()).collect::<Result<Vec<_>>>()?;
        let share = self.template.codes.len().checked_div(servers).context("no servers")?;
        let clients = clients.checked_div(servers).context("no servers")?;
        thread::scope(|scope| {
            let loads: Vec<_> = serving
                .iter()
                .zip(self.template.codes.chunks(share))
                .map(|(serving, codes)| {
                    scope.spawn(move || self.load(serving, codes, clients, effort))
                })
                .collect();
            let mut outcomes =
                loads.into_iter().map(|load| load.join().map_err(|_| anyhow!("a load ended"))?);
            let mut all = outcomes.next().context("no servers")??;
            for outcome in outcomes {
                let outcome = outcome?;
                all.done = all.done.saturating_add(outcome.done);
                all.elapsed = all.elapsed.max(outcome.elapsed);
                all.latency.add(&outcome.latency)?;
            }
            Ok(all)
        })
    }

    fn load(
        &self,
        serving: &Serving,
        codes: &[String],
        clients: usize,
        effort: Effort,
    ) -> Result<Outcome> {
        // A tenth of the tickets to warm up with.
        let (warm_up, codes) = codes.split_at(codes.len() / 10);
        let mut plan = Plan {
            port: serving.server.port("plain")?,
            path: "/v1/gate/admissions",
            token: &self.template.token,
            codes: warm_up,
            clients,
            pace: Pace::Closed,
            length: effort.cell / 10,
            reuse_codes: false,
        };
        load::run(&plan)?;
        plan.codes = codes;
        plan.length = effort.cell;
        load::run(&plan)
    }

    /// One-row updates by PostgreSQL's own load generator, 64 clients.
    fn pgbench(&self, effort: Effort) -> Result<Cell> {
        let address = self.rivals(effort)?;
        let script = self.cluster.file(
            "update.sql",
            &format!(
                "\\set id random(1, {})\nUPDATE ticket SET used_at = 1 WHERE id = :id;\n",
                effort.tickets
            ),
        )?;
        let seconds = effort.cell.as_secs().max(1).to_string();
        let said = text(
            self.cluster
                .program("pgbench")
                .args(["--client=64", "--jobs=2", "--protocol=prepared", "--no-vacuum"])
                .args(["--time", &seconds, "--file"])
                .arg(script)
                .arg(&address),
        )?;
        let rate = said
            .lines()
            .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
            .context("pgbench did not say how fast it was")?;
        println!("{:<22} {:>8} {rate:>9.0}", name(Kind::Pgbench), 64);
        Ok(Cell { kind: Kind::Pgbench, clients: 64, rate })
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Ours(1) => "one server",
        Kind::Ours(_) => "two servers",
        Kind::Alone(1) => "one store, no HTTP",
        Kind::Alone(_) => "two stores, no HTTP",
        Kind::Sqlite => "one server, SQLite",
        Kind::Rival(Way::SkipLocked) => "SKIP LOCKED, no HTTP",
        Kind::Rival(Way::Update) => "one UPDATE, no HTTP",
        Kind::Pgbench => "pgbench",
    }
}

/// Ratios of this run; those that the design has a goal for beside it. What has no HTTP is compared
/// with what has none.
fn compare(cells: &[Cell]) {
    let rate = |kind, clients| {
        let found = cells.iter().find(|cell| (cell.kind, cell.clients) == (kind, clients));
        found.map_or(f64::NAN, |cell| cell.rate)
    };
    let pgbench = rate(Kind::Pgbench, 64);
    println!();
    let mut goals = Vec::new();
    for (clients, of_pgbench, of_skip_locked) in [(64, 0.8, 2.5), (256, 1.2, 4.0)] {
        let (one, two) = (rate(Kind::Ours(1), clients), rate(Kind::Ours(2), clients));
        let (store, stores) = (rate(Kind::Alone(1), clients), rate(Kind::Alone(2), clients));
        let [skip_locked, update] =
            [Way::SkipLocked, Way::Update].map(|way| rate(Kind::Rival(way), clients));
        for (what, figure) in [
            ("one store / one UPDATE for each", store / update),
            ("one server / SKIP LOCKED without HTTP", one / skip_locked),
            ("one server / pgbench", one / pgbench),
            ("one server / SQLite", one / rate(Kind::Sqlite, clients)),
            ("two stores / one", stores / store),
        ] {
            println!("{clients} clients: {what} {figure:.2}");
        }
        let mut add = |what: &str, figure, bound| {
            let what = format!("{clients} clients: {what}");
            goals.push(Goal { what, figure, bound: Bound::AtLeast(bound) });
        };
        add("one store / pgbench", store / pgbench, of_pgbench);
        add("one store / SKIP LOCKED", store / skip_locked, of_skip_locked);
        if clients == 256 {
            add("two servers / one", two / one, 0.9);
        } else {
            println!("{clients} clients: two servers / one {:.2}", two / one);
        }
    }
    print_goals(&goals);
}
