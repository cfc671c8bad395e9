//! How long a person waits at the gate: from the camera's frame to the painted verdict, with the network
//! and without, in Chromium with a film before its camera.

use std::io::Write;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::Effort;
use super::site::{Disk, Template};
use super::table::{Bound, Goal, print_goals};
use crate::process::command;
use crate::{files, machine, web};

/// Tickets that are held before the camera, with the network and without.
const TICKETS: usize = 25;

pub(super) fn run(_: Effort) -> Result<()> {
    machine::install(machine::TO_TEST)?;
    web::install()?;
    let template = Template::make(2 * TICKETS)?;
    let pair = || template.run(&["device", "pair", "--event", "sample", "--name", "Camera"]);
    let pairing = [pair()?, pair()?];
    let serving = template.serve(Disk::Real, &[])?;
    let url = format!("http://127.0.0.1:{}", serving.server.port("plain")?);
    let (online, offline) = template.codes.split_at_checked(TICKETS).context("too few tickets")?;
    let asked = json!({"url": url, "pairing": pairing, "codes": [online, offline]});
    let arguments = ["scripts/run-ts.mjs", "e2e/measure.ts"];
    let mut node = command(&files::root().join("web"), "node", &arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run node")?;
    node.stdin.take().context("no standard input")?.write_all(asked.to_string().as_bytes())?;
    let end = node.wait_with_output()?;
    ensure!(end.status.success(), "the measurement in the browser failed");
    let told: serde_json::Value = serde_json::from_slice(&end.stdout)?;
    println!("{:<10} {:>8} {:>12} {:>10}", "network", "scans", "median ms", "p95 ms");
    let mut goals = Vec::new();
    for name in ["online", "offline"] {
        let waits = told.get(name).and_then(serde_json::Value::as_array).context("no figures")?;
        let mut waits: Vec<f64> = waits.iter().filter_map(serde_json::Value::as_f64).collect();
        waits.sort_by(f64::total_cmp);
        let at = |share: usize| waits.get(waits.len().saturating_sub(1) * share / 100).copied();
        let (median, p95) = at(50).zip(at(95)).context("nothing was scanned")?;
        println!("{name:<10} {:>8} {median:>12.0} {p95:>10.0}", waits.len());
        for (what, figure, bound) in [("median", median, 60.0), ("95 %", p95, 150.0)] {
            let what = format!("ms from frame to verdict, {name}, {what}");
            goals.push(Goal { what, figure, bound: Bound::AtMost(bound) });
        }
    }
    print_goals(&goals);
    Ok(())
}
