//! What a pass may do, whatever the order in which it is shown.

use proptest::prelude::*;

use super::*;
use crate::admission::{Rules, Standing, Verdict, decide, undo};
use crate::id::{DeviceNo, GateSet, KeyNo, ScanId, TicketId, TypeNo};
use crate::ticket::tests::{EVENT, ring, secret};
use crate::ticket::{Algorithm, Format, Grant, Verified};

/// Nothing is closed, and tickets have no rules beyond their own.
pub(crate) const OPEN: Rules = Rules {
    gate_open: true,
    closes_at: None,
    held_by: None,
    pass: Pass { lasts: None, exits: false, wait_min: 0, per_day: PerDay::Any },
    calendar: Calendar { day_from: UnixMs(i64::MIN), month_from: UnixMs(i64::MIN) },
};

const DAY_MS: i64 = 24 * 3_600_000;
/// The first midnight of these tests.
const START: i64 = 1_799_971_200_000;

fn pass(max_uses: u8) -> Verified {
    let grant = Grant {
        event: EVENT,
        ticket: TicketId(1),
        type_no: TypeNo(1),
        not_before_s: 0,
        expires_s: 0,
        max_uses,
        gates: GateSet::of(&[GateNo(1), GateNo(2)]).unwrap(),
    };
    let code = secret(Algorithm::Ed25519).sign(Format::Compact, KeyNo(1), &grant);
    ring(Algorithm::Ed25519).verify(EVENT, &code, UnixMs(START)).unwrap()
}

/// Days of 24 hours, and months of 30.
fn calendar(at: i64) -> Calendar {
    let day = at - (at - START).rem_euclid(DAY_MS);
    Calendar { day_from: UnixMs(day), month_from: UnixMs(day - 29 * DAY_MS) }
}

/// A ticket and what is on the books about it.
struct Shown {
    ticket: Verified,
    rules: Pass,
    history: History,
    scans: u8,
}

impl Shown {
    fn new(max_uses: u8, rules: Pass) -> Self {
        Self { ticket: pass(max_uses), rules, history: History::FRESH, scans: 0 }
    }

    fn scan(&mut self, direction: Direction, gate: u16, at: i64) -> Verdict {
        self.scans += 1;
        let id = ScanId([self.scans; 16]);
        let at_ms = UnixMs(at);
        let scan = Scan { id, device: DeviceNo(1), gate: GateNo(gate), at: at_ms, direction };
        let rules = Rules { pass: self.rules, calendar: calendar(at), ..OPEN };
        let decision = decide(&self.ticket, &scan, Some(&self.history), &rules);
        self.history = decision.next.unwrap_or(self.history);
        decision.verdict
    }

    fn enters(&mut self, gate: u16, at: i64) -> bool {
        matches!(self.scan(Direction::Entry, gate, at), Verdict::Admit(_))
    }

    fn leaves(&mut self, at: i64) -> bool {
        matches!(self.scan(Direction::Exit, 1, at), Verdict::Admit(_))
    }

    fn refused(&mut self, gate: u16, at: i64) -> Reason {
        match self.scan(Direction::Entry, gate, at) {
            Verdict::Refuse(reason) => reason,
            Verdict::Admit(_) => panic!("admitted"),
        }
    }
}

fn once(per_day: PerDay) -> Pass {
    Pass { per_day, ..Pass::default() }
}

#[test]
fn a_pass_enters_again_only_after_it_left() {
    let mut pass = Shown::new(0, Pass { exits: true, ..Pass::default() });
    assert!(pass.enters(1, START));
    assert_eq!(pass.refused(1, START + 1), Reason::Inside);
    assert!(pass.leaves(START + 2));
    assert!(pass.enters(1, START + 3));
}

#[test]
fn nobody_leaves_who_is_not_inside() {
    let mut pass = Shown::new(0, Pass::default());
    assert_eq!(pass.scan(Direction::Exit, 1, START), Verdict::Refuse(Reason::NotInside));
}

#[test]
fn several_who_entered_with_one_ticket_leave_one_by_one() {
    let mut ticket = Shown::new(2, Pass::default());
    assert!(ticket.enters(1, START) && ticket.enters(1, START));
    assert!(ticket.leaves(START) && ticket.leaves(START));
    assert!(!ticket.leaves(START));
}

#[test]
fn a_revoked_ticket_leaves_and_does_not_come_back() {
    let mut pass = Shown::new(0, Pass::default());
    assert!(pass.enters(1, START));
    pass.history.standing = Standing::Revoked;
    assert!(pass.leaves(START));
    assert_eq!(pass.refused(1, START), Reason::Revoked);
}

#[test]
fn a_pass_leaves_by_any_gate_and_after_its_end() {
    let mut pass = Shown::new(0, Pass::default());
    assert!(pass.enters(1, START));
    let scan = Scan {
        id: ScanId([99; 16]),
        device: DeviceNo(1),
        gate: GateNo(40),
        at: UnixMs(START),
        direction: Direction::Exit,
    };
    let closed = Rules { gate_open: false, closes_at: Some(UnixMs(START)), ..OPEN };
    let left = decide(&pass.ticket, &scan, Some(&pass.history), &closed);
    assert!(matches!(left.verdict, Verdict::Admit(_)));
}

#[test]
fn a_pass_that_waits_is_told_so() {
    let mut pass = Shown::new(0, Pass { wait_min: 30, ..Pass::default() });
    assert!(pass.enters(1, START));
    assert_eq!(pass.refused(1, START + 30 * 60_000 - 1), Reason::TooSoon);
    assert!(pass.enters(1, START + 30 * 60_000));
}

#[test]
fn a_pass_that_need_not_wait_enters_by_a_clock_that_is_behind() {
    let mut pass = Shown::new(0, Pass::default());
    assert!(pass.enters(1, START));
    assert!(pass.enters(2, START - 1));
}

#[test]
fn once_a_day_is_once_by_the_calendar_of_the_event() {
    let mut pass = Shown::new(0, once(PerDay::Once));
    assert!(pass.enters(1, START + DAY_MS - 1));
    assert!(pass.enters(1, START + DAY_MS));
    assert_eq!(pass.refused(2, START + DAY_MS + 1), Reason::OncePerDay);
}

#[test]
fn once_at_each_gate_leaves_the_other_gates() {
    let mut pass = Shown::new(0, once(PerDay::OnceEachGate));
    assert!(pass.enters(1, START));
    assert!(pass.enters(2, START + 1));
    assert_eq!(pass.refused(1, START + 2), Reason::OncePerGate);
    assert!(pass.enters(1, START + DAY_MS));
}

#[test]
fn a_rule_that_is_set_later_does_not_hold_earlier_days_against_a_pass() {
    let mut pass = Shown::new(0, Pass::default());
    assert!(pass.enters(1, START));
    assert!(pass.enters(2, START + DAY_MS));
    pass.rules = once(PerDay::OnceEachGate);
    assert!(pass.enters(1, START + DAY_MS + 1));
    assert_eq!(pass.refused(2, START + DAY_MS + 2), Reason::OncePerGate);
}

#[test]
fn a_day_pass_ends_with_the_day_of_its_first_entry() {
    let mut pass = Shown::new(0, Pass { lasts: Some(Lasts::Day), ..Pass::default() });
    assert!(pass.enters(1, START + 5));
    assert!(pass.enters(1, START + DAY_MS - 1));
    assert_eq!(pass.refused(1, START + DAY_MS), Reason::PassOver);
}

#[test]
fn a_monthly_pass_ends_a_month_after_its_first_entry() {
    let mut pass = Shown::new(0, Pass { lasts: Some(Lasts::Month), ..Pass::default() });
    assert!(pass.enters(1, START + 5));
    assert!(pass.enters(1, START + 30 * DAY_MS - 1));
    assert_eq!(pass.refused(1, START + 30 * DAY_MS), Reason::PassOver);
}

#[test]
fn an_entry_that_is_taken_back_leaves_nobody_inside_and_the_day_unused() {
    for per_day in [PerDay::Once, PerDay::OnceEachGate] {
        let mut pass = Shown::new(0, Pass { exits: true, per_day, ..Pass::default() });
        assert!(pass.enters(1, START));
        let last = pass.history.last.unwrap();
        let scan = Scan {
            id: last.scan,
            device: last.device,
            gate: last.gate,
            at: last.at,
            direction: Direction::Entry,
        };
        pass.history = undo(&pass.history, &scan, None).unwrap();
        assert_eq!(pass.history, History::FRESH);
        assert!(pass.enters(1, START + 1));
    }
}

#[test]
fn a_pass_reads_back_from_its_text() {
    let pass = Pass {
        lasts: Some(Lasts::Month),
        exits: true,
        wait_min: 15,
        per_day: PerDay::OnceEachGate,
    };
    assert_eq!(pass.to_text().and_then(|text| Pass::of_text(&text)), Some(pass));
    assert_eq!(Pass::default().to_text(), None);
}

/// What is shown, where, and how long after what was shown before: minutes to days.
fn days() -> impl Strategy<Value = Vec<(bool, u16, i64)>> {
    let step = prop_oneof![0..3_600_000i64, 0..2 * DAY_MS];
    prop::collection::vec((any::<bool>(), 1u16..=2, step), 1..60)
}

fn any_pass() -> impl Strategy<Value = Pass> {
    let lasts = prop_oneof![Just(None), Just(Some(Lasts::Day)), Just(Some(Lasts::Month))];
    let per_day = prop_oneof![Just(PerDay::Any), Just(PerDay::Once), Just(PerDay::OnceEachGate)];
    (lasts, any::<bool>(), 0u16..90, per_day).prop_map(|(lasts, exits, wait_min, per_day)| Pass {
        lasts,
        exits,
        wait_min,
        per_day,
    })
}

proptest! {
    #[test]
    fn no_rule_of_a_pass_is_ever_broken(rules in any_pass(), shown in days()) {
        let mut pass = Shown::new(0, rules);
        let mut at = START;
        let mut entries: Vec<(i64, u16)> = Vec::new();
        let mut inside = 0u32;
        for (is_exit, gate, step) in shown {
            at += step;
            if is_exit {
                prop_assert_eq!(pass.leaves(at), inside > 0);
                inside = inside.saturating_sub(1);
                continue;
            }
            if !pass.enters(gate, at) {
                continue;
            }
            let day = |at: i64| (at - START) / DAY_MS;
            if rules.exits {
                prop_assert_eq!(inside, 0);
            }
            if let Some((last, _)) = entries.last() {
                prop_assert!(at - last >= i64::from(rules.wait_min) * 60_000);
            }
            let mut today = entries.iter().filter(|(earlier, _)| day(*earlier) == day(at));
            match rules.per_day {
                PerDay::Any => {}
                PerDay::Once => prop_assert_eq!(today.next(), None),
                PerDay::OnceEachGate => prop_assert!(today.all(|(_, other)| *other != gate)),
            }
            if let Some((first, _)) = entries.first() {
                let most = match rules.lasts {
                    None => i64::MAX,
                    Some(Lasts::Day) => 1,
                    Some(Lasts::Month) => 30,
                };
                prop_assert!(day(at) - day(*first) < most);
            }
            inside += 1;
            entries.push((at, gate));
        }
        prop_assert_eq!(pass.history.presence.inside, inside);
    }

    #[test]
    fn a_pass_without_rules_enters_as_before(shown in days()) {
        let mut pass = Shown::new(0, Pass::default());
        let mut at = START;
        for (_, gate, step) in shown {
            at += step;
            prop_assert!(pass.enters(gate, at));
        }
    }
}
