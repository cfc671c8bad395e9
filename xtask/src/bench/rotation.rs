//! What checking a code that changes costs beside one that never does: on the server, and by the
//! gate's copy of the core; and how large the codes are.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use admit_core::id::{EventNo, GateNo, GateSet, KeyNo, TicketId, TypeNo, UnixMs};
use admit_core::ticket::rotating::{self, Binding, Challenge, Rotation};
use admit_core::ticket::{Algorithm, Format, Grant, KeyRing, RingKey, SigningSecret};
use anyhow::{Context, Result, ensure};
use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::Verifier;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::json;

use super::Effort;
use super::table::{Bound, Goal, print_goals};
use crate::process::command;
use crate::{files, wasm, web};

const EVENT: EventNo = EventNo(1);
const TICKET: TicketId = TicketId(1);
const NOW: UnixMs = UnixMs(1_800_000_000_000);
const INTERVAL_S: u8 = 30;
const EVENT_SECRET: [u8; 32] = [9; 32];
const ASKED: Challenge = Challenge { nonce: [5; 8], gate: GateNo(1) };
/// Checks before the next mode gets its turn: all then see the same machine.
const TURN: u32 = 100;

/// A code of each mode.
struct Codes {
    fixed: String,
    shared: String,
    device: String,
    answer: String,
}

fn codes(secret: &SigningSecret) -> Result<Codes> {
    let grant = Grant {
        event: EVENT,
        ticket: TICKET,
        type_no: TypeNo(1),
        not_before_s: 0,
        expires_s: 0,
        max_uses: 0,
        gates: GateSet::ANY,
    };
    let head = |binding| {
        let rotation = Rotation { interval_s: INTERVAL_S, binding };
        rotating::head(secret, KeyNo(1), &grant, &rotation).context("no head")
    };
    let phone = SigningKey::from_slice(&[1; 32])?;
    let key = phone.verifying_key().to_sec1_point(true);
    let bound = head(Binding::Device(rotating::device_key(key.as_bytes()).context("no key")?))?;
    let now = rotating::epoch(NOW, INTERVAL_S);
    let by_time: Signature = phone.sign(&rotating::possession_message(EVENT, TICKET, now));
    let to_gate: Signature = phone.sign(&rotating::challenge_message(EVENT, TICKET, &ASKED));
    let of_ticket = rotating::ticket_secret(&EVENT_SECRET, EVENT, TICKET);
    let proof = rotating::shared_proof(&of_ticket, TICKET, now);
    Ok(Codes {
        fixed: secret.sign(Format::Compact, KeyNo(1), &grant),
        shared: rotating::shared_code(&head(Binding::Shared)?, now, &proof),
        device: rotating::device_code(&bound, Some(now), &by_time.to_bytes().into()),
        answer: rotating::device_code(&bound, None, &to_gate.to_bytes().into()),
    })
}

pub(super) fn run(effort: Effort) -> Result<()> {
    let secret = SigningSecret::from_seed(Algorithm::Ed25519, [42; 32]);
    let codes = codes(&secret)?;
    let server = on_server(effort, &secret, &codes)?;
    let gate = on_gate(&secret, &codes)?;
    let modules = |mode: &str| gate.get(mode).map_or(0.0, |measured| measured.modules);
    println!(
        "{:<12} {:>10} {:>8} {:>10} {:>8} {:>9}",
        "mode", "server us", "/ bare", "wasm us", "/ bare", "modules"
    );
    let wasm_bare = gate.get("bare").map_or(f64::NAN, |measured| measured.us);
    // A shared secret's proof only the server can check: the gate looks at the issuer's part and asks.
    for (mode, us) in &server.modes {
        let wasm = gate.get(*mode).map_or(f64::NAN, |measured| measured.us);
        let (cost, ratio) = if wasm.is_nan() {
            ("-".to_owned(), "-".to_owned())
        } else {
            (format!("{wasm:.1}"), format!("{:.2}", wasm / wasm_bare))
        };
        println!(
            "{mode:<12} {us:>10.1} {:>8.2} {cost:>10} {ratio:>8} {:>9}",
            us / server.bare,
            modules(mode)
        );
    }
    println!(
        "{:<12} {:>10.1} {:>8.2} {wasm_bare:>10.1} {:>8.2}   one Ed25519 verification: the library's, and the engine's own",
        "bare", server.bare, 1.0, 1.0
    );
    let goal = |mode: &str, bound| Goal {
        what: format!("QR modules, {mode}"),
        figure: modules(mode),
        bound: Bound::AtMost(bound),
    };
    print_goals(&[goal("static", 41.0), goal("shared", 41.0), goal("device", 57.0)]);
    Ok(())
}

/// Microseconds for a check.
struct Server {
    bare: f64,
    modes: Vec<(&'static str, f64)>,
}

fn on_server(effort: Effort, secret: &SigningSecret, codes: &Codes) -> Result<Server> {
    let mut ring = KeyRing::default();
    ring.add(EVENT, KeyNo(1), RingKey { key: secret.verify_key(), not_after: None });
    ring.add_rotation(EVENT, EVENT_SECRET);
    let modes = [
        ("static", &codes.fixed, None),
        ("shared", &codes.shared, None),
        ("device", &codes.device, None),
        ("challenge", &codes.answer, Some(&ASKED)),
    ];
    let check = |code: &str, challenge| ring.verify_answer(EVENT, code, challenge, NOW).is_ok();
    for (mode, code, challenge) in modes {
        // A gate that asked takes no static code; the others are asked nothing.
        ensure!(check(code, challenge), "the {mode} code does not verify");
    }
    let key = ed25519_dalek::SigningKey::from_bytes(&[42; 32]);
    let message = [7; 46];
    let signature = ed25519_dalek::Signer::sign(&key, &message);
    let public = key.verifying_key();
    let (mut spent, mut bare) = ([Duration::ZERO; 4], Duration::ZERO);
    let end = Instant::now() + effort.cell;
    let mut checks = 0_u32;
    while Instant::now() < end {
        for ((_, code, challenge), spent) in modes.into_iter().zip(&mut spent) {
            *spent += time(|| check(black_box(code), challenge));
        }
        bare += time(|| public.verify(black_box(&message), &signature).is_ok());
        checks = checks.saturating_add(TURN);
    }
    let us = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(checks);
    let modes = modes.into_iter().zip(spent).map(|((mode, ..), spent)| (mode, us(spent))).collect();
    Ok(Server { bare: us(bare), modes })
}

fn time(check: impl Fn() -> bool) -> Duration {
    let begun = Instant::now();
    for _ in 0..TURN {
        black_box(check());
    }
    begun.elapsed()
}

/// What the gate's copy of the core takes for a mode, and the side of its QR symbol at level M.
struct Measured {
    us: f64,
    modules: f64,
}

/// The gate's copy of the core in Chromium.
fn on_gate(secret: &SigningSecret, codes: &Codes) -> Result<BTreeMap<String, Measured>> {
    wasm::build()?;
    web::install()?;
    let public = secret.public_key().context("no public key")?;
    let asked = json!({
        "now": NOW.0,
        "setup": {
            "event": {"number": EVENT.0},
            "gates": [{"number": 1, "open": true}],
            "ticket_types": [{"number": 1, "name": "Bound"}],
            "keys": [{"key_id": 1, "algorithm": "ed25519",
                "public_key": BASE64URL_NOPAD.encode(&public)}],
        },
        "codes": {"static": codes.fixed, "shared": codes.shared, "device": codes.device,
            "challenge": codes.answer},
    });
    let mut node = command(&files::root().join("web"), "node", &["scripts/bench-rotation.mjs"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run node")?;
    node.stdin.take().context("no standard input")?.write_all(asked.to_string().as_bytes())?;
    let end = node.wait_with_output()?;
    ensure!(end.status.success(), "the measurement in the browser failed");
    let told: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&end.stdout)?;
    let number = |of: &serde_json::Value, name: &str| {
        of.get(name).and_then(serde_json::Value::as_f64).unwrap_or(f64::NAN)
    };
    let read = |(mode, of): (String, serde_json::Value)| {
        (mode, Measured { us: number(&of, "us"), modules: number(&of, "modules") })
    };
    Ok(told.into_iter().map(read).collect())
}
