//! What checking a ticket costs beside the bare signature check of the library.

use std::hint::black_box;
use std::time::{Duration, Instant};

use admit_core::id::{EventNo, GateSet, KeyNo, TicketId, TypeNo, UnixMs};
use admit_core::ticket::{Algorithm, Format, Grant, KeyRing, RingKey, SigningSecret};
use anyhow::{Result, ensure};
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier};

use super::Effort;
use super::table::{Bound, Goal, print_goals};

const EVENT: EventNo = EventNo(1);
/// Checks before the other side gets its turn: both then see the same machine.
const TURN: u32 = 200;
/// Bytes that a compact ticket signs: its domain and its body.
const SIGNED_BYTES: usize = 20 + 26;

pub(super) fn run(effort: Effort) -> Result<()> {
    let seed = [42; 32];
    let secret = SigningSecret::from_seed(Algorithm::Ed25519, seed);
    let mut ring = KeyRing::default();
    ring.add(EVENT, KeyNo(1), RingKey { key: secret.verify_key(), not_after: None });
    let grant = Grant {
        event: EVENT,
        ticket: TicketId(1),
        type_no: TypeNo(1),
        not_before_s: 0,
        expires_s: 0,
        max_uses: 1,
        gates: GateSet::ANY,
    };
    let code = secret.sign(Format::Compact, KeyNo(1), &grant);
    let key = SigningKey::from_bytes(&seed);
    let message = [7; SIGNED_BYTES];
    let signature: Signature = key.sign(&message);
    let public = key.verifying_key();

    ensure!(ring.verify(EVENT, &code, UnixMs(0)).is_ok(), "the ticket does not verify");
    let (mut ticket, mut bare, mut strict) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let end = Instant::now() + effort.cell;
    let mut checks = 0_u32;
    while Instant::now() < end {
        ticket += time(|| ring.verify(EVENT, black_box(&code), UnixMs(0)).is_ok());
        bare += time(|| public.verify(black_box(&message), &signature).is_ok());
        strict += time(|| public.verify_strict(black_box(&message), &signature).is_ok());
        checks = checks.saturating_add(TURN);
    }
    let us = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(checks);
    println!(
        "ticket {:.1} us, bare {:.1} us, bare and strict {:.1} us",
        us(ticket),
        us(bare),
        us(strict)
    );
    print_goals(&[
        Goal {
            what: "tickets verified / bare Ed25519 verifications".to_owned(),
            figure: bare.as_secs_f64() / ticket.as_secs_f64(),
            bound: Bound::AtLeast(0.9),
        },
        Goal {
            what: "tickets verified / strict Ed25519 verifications".to_owned(),
            figure: strict.as_secs_f64() / ticket.as_secs_f64(),
            bound: Bound::AtLeast(0.9),
        },
    ]);
    Ok(())
}

fn time(check: impl Fn() -> bool) -> Duration {
    let begun = Instant::now();
    for _ in 0..TURN {
        black_box(check());
    }
    begun.elapsed()
}
