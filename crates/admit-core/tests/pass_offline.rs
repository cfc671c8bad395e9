//! Passes at a gate without the network: what it surely knows, it holds to.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use admit_core::admission::Verdict;
use admit_core::id::{DeviceNo, EventNo, GateNo, GateSet, KeyNo, ScanId, TicketId, TypeNo, UnixMs};
use admit_core::offline::clock::Now;
use admit_core::offline::device::{Device, Terms};
use admit_core::offline::effect::{Answer, Effect};
use admit_core::pass::{Calendar, Lasts, Pass, PerDay};
use admit_core::reason::Reason;
use admit_core::ticket::{Algorithm, Format, Grant, KeyRing, RingKey, SigningSecret, Verified};

const START: i64 = 1_800_000_000_000;
const DAY_MS: i64 = 24 * 3_600_000;

fn pass() -> Verified {
    let (event, key) = (EventNo(1), KeyNo(1));
    let secret = SigningSecret::from_seed(Algorithm::Ed25519, [1; 32]);
    let mut ring = KeyRing::default();
    ring.add(event, key, RingKey { key: secret.verify_key(), not_after: None });
    let grant = Grant {
        event,
        ticket: TicketId(1),
        type_no: TypeNo(1),
        not_before_s: 0,
        expires_s: 0,
        max_uses: 0,
        gates: GateSet::ANY,
    };
    ring.verify(event, &secret.sign(Format::Compact, key, &grant), UnixMs(START)).unwrap()
}

/// A gate that heard from the server once, and never again.
struct Alone {
    device: Device,
    scans: u8,
}

fn at(ms: i64) -> Now {
    Now { monotonic_ms: ms, wall_ms: START + ms }
}

impl Alone {
    fn with(pass: Pass) -> Self {
        let day = |n: i64| Calendar {
            day_from: UnixMs(START + n * DAY_MS),
            month_from: UnixMs(START + (n - 29) * DAY_MS),
        };
        let terms = Terms {
            limit_ms: 10 * DAY_MS,
            open_gates: [GateNo(1), GateNo(2)].into(),
            passes: [(TypeNo(1), pass)].into(),
            days: (0..5).map(day).collect(),
            ..Terms::default()
        };
        let mut device = Device::new(DeviceNo(1), terms);
        let answer = Answer {
            acknowledged: Vec::new(),
            from: 0,
            next: 0,
            changes: Vec::new(),
            denied: None,
            notices: Vec::new(),
            recalled: Vec::new(),
            recalled_types: Vec::new(),
            server: UnixMs(START),
        };
        device.heard(&answer, at(0), at(0));
        Self { device, scans: 0 }
    }

    fn shows(&mut self, gate: u16, ms: i64) -> Verdict {
        self.scans += 1;
        let scan = ScanId([self.scans; 16]);
        let effects = self.device.present(scan, pass(), GateNo(gate), false, at(ms));
        let shown = effects.into_iter().find_map(|effect| match effect {
            Effect::Show { verdict, .. } => Some(verdict),
            _ => None,
        });
        shown.unwrap()
    }

    fn admits(&mut self, gate: u16, ms: i64) -> bool {
        matches!(self.shows(gate, ms), Verdict::Admit(_))
    }
}

#[test]
fn a_wait_is_held_to() {
    let mut gate = Alone::with(Pass { wait_min: 30, ..Pass::default() });
    assert!(gate.admits(1, 1000));
    assert_eq!(gate.shows(1, 60_000), Verdict::Refuse(Reason::TooSoon));
    assert!(gate.admits(1, 31 * 60_000));
}

#[test]
fn once_a_day_is_held_to_by_the_days_that_it_was_told() {
    let mut gate = Alone::with(Pass { per_day: PerDay::Once, ..Pass::default() });
    assert!(gate.admits(1, 1000));
    assert_eq!(gate.shows(2, 2000), Verdict::Refuse(Reason::OncePerDay));
    assert!(gate.admits(1, DAY_MS + 3_600_000));
}

#[test]
fn once_at_each_gate_is_held_to() {
    let mut gate = Alone::with(Pass { per_day: PerDay::OnceEachGate, ..Pass::default() });
    assert!(gate.admits(1, 1000));
    assert!(gate.admits(2, 2000));
    assert_eq!(gate.shows(1, 3000), Verdict::Refuse(Reason::OncePerGate));
}

#[test]
fn a_day_pass_ends_with_its_day() {
    let mut gate = Alone::with(Pass { lasts: Some(Lasts::Day), ..Pass::default() });
    assert!(gate.admits(1, 1000));
    assert_eq!(gate.shows(1, 2 * DAY_MS), Verdict::Refuse(Reason::PassOver));
}

#[test]
fn nobody_is_refused_by_a_guess_that_they_are_still_inside() {
    let mut gate = Alone::with(Pass { exits: true, ..Pass::default() });
    assert!(gate.admits(1, 1000));
    assert!(gate.admits(1, 2000));
}
