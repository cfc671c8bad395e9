//! What a hundred open desks cost while a thousand people a second walk in.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Effort;
use super::site::{Disk, Serving, Template};
use super::table::{Bound, Goal, print_goals};
use crate::load::{self, Pace, Plan};
use crate::probe;

const DESKS: usize = 100;
const RATE: u32 = 1000;
const CLIENTS: usize = 200;
/// Pairs of runs; the middle difference counts, because a neighbour's load shows in single ones.
const TURNS: usize = 3;

pub(super) fn run(effort: Effort) -> Result<()> {
    let template = Template::make(effort.tickets)?;
    let mut differences = Vec::new();
    for _ in 0..TURNS {
        let alone = share(&template, effort, 0)?;
        let watched = share(&template, effort, DESKS)?;
        println!("share of a core at {RATE}/s: {alone:.3} alone, {watched:.3} with {DESKS} desks");
        differences.push(watched - alone);
    }
    differences.sort_by(f64::total_cmp);
    let middle = differences.get(TURNS / 2).copied().context("nothing was measured")?;
    print_goals(&[Goal {
        what: format!("share of a core of {DESKS} desks at {RATE}/s"),
        figure: middle,
        bound: Bound::AtMost(0.05),
    }]);
    Ok(())
}

/// The share of one core that the server takes with so many desks open.
fn share(template: &Template, effort: Effort, desks: usize) -> Result<f64> {
    let serving = template.serve(Disk::Real, &[])?;
    let streams =
        (0..desks).map(|_| open(&serving, &template.api_key)).collect::<Result<Vec<_>>>()?;
    let heard = AtomicU64::new(0);
    let share = std::thread::scope(|scope| {
        for stream in &streams {
            scope.spawn(|| listen(stream, &heard));
        }
        let share = load(template, &serving, effort);
        for stream in &streams {
            // Ends the thread that reads from it.
            let _ = stream.shutdown(Shutdown::Both);
        }
        share
    })?;
    ensure!(desks == 0 || heard.load(Ordering::Relaxed) > 0, "the desks heard nothing");
    Ok(share)
}

fn load(template: &Template, serving: &Serving, effort: Effort) -> Result<f64> {
    let plan = Plan {
        port: serving.server.port("plain")?,
        path: "/v1/gate/admissions",
        token: &template.token,
        codes: &template.codes,
        clients: CLIENTS,
        pace: Pace::Open(RATE),
        length: effort.cell.max(Duration::from_secs(4)),
        reuse_codes: false,
    };
    let before = probe::cpu_time(serving.server.id())?;
    let outcome = load::run(&plan)?;
    let cpu = probe::cpu_time(serving.server.id())?.saturating_sub(before);
    Ok(cpu.as_secs_f64() / outcome.elapsed.as_secs_f64())
}

fn open(serving: &Serving, api_key: &str) -> Result<TcpStream> {
    let port = serving.server.port("plain")?;
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    let request = format!(
        "GET /v1/desk/events/sample/live HTTP/1.1\r\nHost: localhost\r\n\
         Authorization: Bearer {api_key}\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    // The head of the answer shows that the desk is listening before the load begins.
    let mut head = [0; 12];
    stream.read_exact(&mut head).context("the live feed was refused")?;
    ensure!(head.ends_with(b"200"), "the live feed: {}", String::from_utf8_lossy(&head));
    Ok(stream)
}

fn listen(mut stream: &TcpStream, heard: &AtomicU64) {
    let mut part = [0; 16 * 1024];
    while let Ok(read) = stream.read(&mut part) {
        if read == 0 {
            return;
        }
        heard.fetch_add(1, Ordering::Relaxed);
    }
}
