//! Gates without the network: what they keep and how fast they look, how soon the server takes in an
//! evening of theirs, and how many histories of the simulation nothing breaks.

use std::hint::black_box;
use std::time::Instant;

use admit_core::id::{DeviceNo, Digest, GateNo, ScanId};
use admit_core::offline::Policy;
use admit_core::offline::clock::Now;
use admit_core::offline::device::Device;
use admit_core::offline::journal::REPORT_ENTRIES_MAX;
use admit_core::offline::known::{CHANGES_MAX, Known, change};
use admit_core::offline::wire;
use admit_core::setup::{Judge, Read, Setup};
use anyhow::{Context, Result, ensure};
use sha2::Digest as _;

use super::Effort;
use super::site::{Disk, Template};
use super::table::{Bound, Goal, print_goals};
use super::world::{Flaw, history};
use crate::load;

/// Journal entries that are uploaded, in reports of [`REPORT_ENTRIES_MAX`].
const ENTRIES: usize = 10_000;
/// Histories of the simulation for each policy.
const HISTORIES: u64 = 1_000_000 / 3 + 1;

pub(super) fn run(effort: Effort) -> Result<()> {
    let mut goals = knowledge()?;
    goals.extend(sync()?);
    let quick = effort.cell.as_secs() < 2;
    simulate(if quick { HISTORIES / 20 } else { HISTORIES })?;
    print_goals(&goals);
    Ok(())
}

fn digest(number: u32) -> Digest {
    Digest(sha2::Sha256::digest(number.to_be_bytes()).into())
}

/// What a gate knows of entries elsewhere, by the number of tickets.
fn knowledge() -> Result<Vec<Goal>> {
    println!("{:>9} {:>12} {:>14} {:>12}", "tickets", "bytes", "take in ms", "look us");
    let mut goals = Vec::new();
    for count in [5_000u32, 100_000, 1_000_000] {
        let changes: Vec<u8> = (0..count).flat_map(|n| change(digest(n), 1)).collect();
        let mut known = Known::default();
        let begun = Instant::now();
        let pages = changes.chunks(CHANGES_MAX * admit_core::offline::known::CHANGE_BYTES);
        for page in pages {
            let from = known.cursor();
            let next = from + i64::try_from(page.len())?;
            ensure!(known.learn(from, next, page), "a page was not taken");
        }
        let taken = begun.elapsed();
        let asked: Vec<_> = (0..20_000).map(|n| digest(n * 97 % (count * 2))).collect();
        let begun = Instant::now();
        for digest in &asked {
            black_box(known.uses(*digest));
        }
        let look = begun.elapsed().as_secs_f64() * 1e6 / 20_000.0;
        let bytes = known.to_bytes().len();
        println!("{count:>9} {bytes:>12} {:>14.1} {look:>12.2}", taken.as_secs_f64() * 1e3);
        if count == 5_000 {
            let figure = f64::from(u32::try_from(bytes)?) / 1000.0;
            let what = "kB of what a gate keeps of 5,000 tickets".to_owned();
            goals.push(Goal { what, figure, bound: Bound::AtMost(64.0) });
        }
        if count == 1_000_000 {
            let what = "ms to look among 1,000,000 spent tickets".to_owned();
            goals.push(Goal { what, figure: look / 1000.0, bound: Bound::AtMost(1.0) });
        }
    }
    Ok(goals)
}

/// A gate that admitted everybody by itself, and tells it all.
fn sync() -> Result<Vec<Goal>> {
    let template = Template::make(ENTRIES)?;
    let serving = template.serve(Disk::Real, &[])?;
    let port = serving.server.port("plain")?;
    let mut device = admitted(&template, port)?;
    let mut times = Vec::new();
    while device.pending() > 0 {
        let report = wire::report(&device.report()).to_string();
        let begun = Instant::now();
        let told = load::post(port, "/v1/sync_offline", &template.token, &report)?;
        times.push(begun.elapsed().as_secs_f64());
        let answer = wire::answer(&told.to_string()).context("an answer that is not understood")?;
        ensure!(!answer.acknowledged.is_empty(), "nothing was acknowledged");
        device.heard(&answer, now(), now());
    }
    let (first, all) = (times.first().copied().context("no report")?, times.iter().sum::<f64>());
    println!("\n{ENTRIES} journal entries in {} reports: {all:.2} s", times.len());
    Ok(vec![Goal {
        what: format!("seconds to take in a report of {REPORT_ENTRIES_MAX} scans"),
        figure: first,
        bound: Bound::AtMost(2.0),
    }])
}

/// The device's time does not matter here.
fn now() -> Now {
    Now { monotonic_ms: 0, wall_ms: 0 }
}

fn admitted(template: &Template, port: u16) -> Result<Device> {
    let mut asked = ureq::get(format!("http://127.0.0.1:{port}/v1/gate"))
        .header("authorization", format!("Bearer {}", template.token))
        .call()?;
    let setup: serde_json::Value = serde_json::from_str(&asked.body_mut().read_to_string()?)?;
    let number = setup.pointer("/device/id").and_then(serde_json::Value::as_i64);
    let setup: Setup = serde_json::from_value(setup)?;
    let judge = Judge::new(setup).context("a setup that is not understood")?;
    let terms = judge.terms().context("a policy that is not understood")?;
    let mut device = Device::new(DeviceNo(number.context("no number")?), terms);
    // One contact before the network is gone.
    let report = wire::report(&device.report()).to_string();
    let told = load::post(port, "/v1/sync_offline", &template.token, &report)?;
    let answer = wire::answer(&told.to_string()).context("an answer that is not understood")?;
    device.heard(&answer, now(), now());
    let at = answer.server;
    let begun = Instant::now();
    for (n, code) in (0u128..).zip(&template.codes) {
        let Read::Genuine(ticket) = judge.read(code, None, at) else { continue };
        device.present(ScanId(n.to_be_bytes()), ticket, GateNo(1), false, now());
    }
    let each = begun.elapsed().as_secs_f64() * 1e6 / f64::from(u32::try_from(ENTRIES)?);
    println!("\njudged by the device's own rules, signature included: {each:.0} us each");
    ensure!(device.pending() == ENTRIES, "the device admitted {} only", device.pending());
    Ok(device)
}

/// Histories of the protocol's simulation; the first that breaks a rule ends the run.
fn simulate(histories: u64) -> Result<()> {
    for policy in Policy::ALL {
        let begun = Instant::now();
        let (mut admitted, mut doubled) = (0, 0);
        for seed in 0..histories {
            let tally = history(seed, policy, Flaw::Sound)
                .map_err(|why| anyhow::anyhow!("{policy:?}, seed {seed}: {why}"))?;
            admitted += tally.admitted;
            doubled += tally.doubled;
        }
        let rate = f64::from(u32::try_from(histories)?) / begun.elapsed().as_secs_f64();
        println!(
            "{histories} histories under {}: {admitted} admissions, {doubled} doubled tickets, all \
             told; no rule broken; {rate:.0} a second on one core",
            policy.code()
        );
    }
    Ok(())
}
