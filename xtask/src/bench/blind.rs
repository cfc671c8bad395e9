//! What blind signatures cost beside OpenSSL's RSA, in turns on one core, in processor time.

use std::hint::black_box;
use std::time::Instant;

use admit_blindrsa::{SecretKey, client};
use admit_core::pss::{MODULUS_BYTES, SALT_BYTES};
use anyhow::{Context, Result, ensure};

use super::table::{Bound, Goal, print_goals};
use super::{Effort, blind_http};
use crate::probe::cpu_time;
use crate::process::{command, text};
use crate::{files, web};

/// Rounds of OpenSSL and ours in turns; the middle ratio counts.
const ROUNDS: usize = 3;
/// Keys that are made to know how long one takes.
const KEYS: usize = 9;
/// Operations between two looks at the clock.
const TURN: u32 = 50;

pub(super) fn run(effort: Effort) -> Result<()> {
    let core = OneCore::pin()?;
    let (mut goals, theirs) = library(effort)?;
    drop(core);
    goals.push(Goal {
        what: "the same over HTTP, server's processor time".to_owned(),
        figure: blind_http::rate(effort)? / theirs,
        bound: Bound::AtLeast(0.75),
    });
    goals.push(in_browser()?);
    print_goals(&goals);
    Ok(())
}

/// What a ticket costs its wallet in Chromium, beside an implementation of others.
fn in_browser() -> Result<Goal> {
    web::install()?;
    let folder = files::root().join("web");
    let told = text(&mut command(&folder, "node", &["scripts/bench-blind.mjs"]))?;
    let told: serde_json::Value = serde_json::from_str(&told)?;
    let ms = |name: &str| told.get(name).and_then(serde_json::Value::as_f64).context("no figure");
    let (blind, finalize, theirs) = (ms("blind_ms")?, ms("finalize_ms")?, ms("their_blind_ms")?);
    println!(
        "in Chromium: blind {blind:.2} ms, finalize {finalize:.2} ms; blindrsa-ts {theirs:.1} ms"
    );
    Ok(Goal {
        what: "blindrsa-ts blind / ours, in Chromium".to_owned(),
        figure: theirs / blind,
        bound: Bound::AtLeast(20.0),
    })
}

/// Operations a second of processor time.
#[derive(Clone, Copy)]
struct Rates {
    signed: f64,
    verified: f64,
}

/// Signing and verifying in this process, beside `openssl speed rsa2048`; and how many that signs.
fn library(effort: Effort) -> Result<(Vec<Goal>, f64)> {
    let key = SecretKey::generate()?;
    println!("{:<12} {:>12} {:>14}", "", "signed per s", "verified per s");
    let (mut rounds, mut signed) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let theirs = openssl(effort)?;
        let ours = ours(&key, effort)?;
        for (name, rates) in [("openssl", theirs), ("ours, blind", ours)] {
            println!("{name:<12} {:>12.0} {:>14.0}", rates.signed, rates.verified);
        }
        signed.push(theirs.signed);
        rounds.push((ours.signed / theirs.signed, ours.verified / theirs.verified));
    }
    let key_ms = middle((0..KEYS).map(|_| key_ms()).collect::<Result<_>>()?)?;
    let verified = middle(rounds.iter().map(|(_, verified)| *verified).collect())?;
    println!("a key is made in {key_ms:.0} ms; verified / OpenSSL's verified {verified:.2}");
    let goals = vec![Goal {
        what: "blind signatures / OpenSSL's RSA-2048 signatures".to_owned(),
        figure: middle(rounds.iter().map(|(signed, _)| *signed).collect())?,
        bound: Bound::AtLeast(0.95),
    }];
    Ok((goals, middle(signed)?))
}

/// What `openssl speed` says of this core. It counts its own processor time, as we do ours.
fn openssl(effort: Effort) -> Result<Rates> {
    let seconds = effort.cell.as_secs().max(1).to_string();
    let arguments = ["speed", "-mr", "-seconds", &seconds, "rsa2048"];
    // What it says of its progress is kept out of the table.
    let done = command(&files::root(), "openssl", &arguments).output()?;
    ensure!(done.status.success(), "openssl speed failed");
    let said = String::from_utf8(done.stdout)?;
    // `+F2:<number>:<bits>:<signed per second>:<verified per second>`
    let line = said.lines().find_map(|line| line.strip_prefix("+F2:")).context("no figures")?;
    let figures: Vec<f64> = line.split(':').map(str::parse).collect::<Result<_, _>>()?;
    let [_, _, signed, verified] = figures.as_slice() else { anyhow::bail!("other figures") };
    Ok(Rates { signed: *signed, verified: *verified })
}

fn ours(key: &SecretKey, effort: Effort) -> Result<Rates> {
    let message = [7; 98];
    let salt = [5; SALT_BYTES];
    let draw = |factor: &mut [u8; MODULUS_BYTES]| factor.fill(3);
    let (blinded, unblinder) =
        client::blind(key.public_key(), &message, &salt, draw).context("nothing was blinded")?;
    let signature = unblinder.finalize(&key.blind_sign(&blinded)?).context("no signature")?;
    // Each signs what the one before gave: no two are the same.
    let mut next = Ok(blinded);
    let signed = per_second(effort, || {
        next = next.and_then(|last| key.blind_sign(black_box(&last)));
    })?;
    next?;
    let mut good = true;
    let verified = per_second(effort, || {
        good &= key.public_key().verify(black_box(&message), &signature);
    })?;
    ensure!(good, "a signature does not verify");
    Ok(Rates { signed, verified })
}

/// How often `work` can be done in a second of this process's time.
fn per_second(effort: Effort, mut work: impl FnMut()) -> Result<f64> {
    let this = std::process::id();
    let (begun, before) = (Instant::now(), cpu_time(this)?);
    let mut done = 0_u32;
    while begun.elapsed() < effort.cell {
        for _ in 0..TURN {
            work();
        }
        done = done.saturating_add(TURN);
    }
    Ok(f64::from(done) / cpu_time(this)?.saturating_sub(before).as_secs_f64())
}

fn key_ms() -> Result<f64> {
    let begun = Instant::now();
    black_box(SecretKey::generate()?);
    Ok(begun.elapsed().as_secs_f64() * 1000.0)
}

fn middle(mut figures: Vec<f64>) -> Result<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().context("no figures")
}

/// Keeps this process, and what it starts, on one core, until it is dropped: cores differ.
struct OneCore {
    before: String,
}

impl OneCore {
    fn pin() -> Result<Self> {
        let said = taskset(&["-cp"])?;
        let before = said.rsplit(' ').next().context("no list of cores")?.to_owned();
        let first = before.split([',', '-']).next().context("no core")?.to_owned();
        taskset(&["-cp", &first])?;
        println!("all on core {first} of {before}");
        Ok(Self { before })
    }
}

impl Drop for OneCore {
    fn drop(&mut self) {
        if let Err(error) = taskset(&["-cp", &self.before]) {
            println!("the other parts stay on one core: {error:#}");
        }
    }
}

/// Asks `taskset` about this process, or tells it.
fn taskset(arguments: &[&str]) -> Result<String> {
    let this = std::process::id().to_string();
    text(&mut command(&files::root(), "taskset", &[arguments, &[&this]].concat()))
}
