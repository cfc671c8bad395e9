//! Passes: in and out again, and never twice where the type forbids it.

use std::sync::Arc;

use admit_core::admission::{Scan, Standing};
use admit_core::id::{DeviceNo, GateNo, ScanId, TypeNo};
use admit_core::log::leaf::Kind;
use admit_core::offline::journal::JournalEntry;
use admit_core::offline::known::Known;
use admit_core::offline::{Bounds, Word};
use admit_core::pass::{Direction, Pass, PerDay};
use admit_core::reason::Reason;
use admit_core::stats::Outcome;
use admit_store::admission::{Recorded, Undone};
use admit_store::event::TypeDetails;
use admit_store::offline::{Arrived, Contact};
use admit_store::ticket::Ticket;

use crate::log::kinds;
use crate::{LOG_KEY, NOW, Subject, admit, check, issue, kind, new_ticket, scan, verified};

const HOUR_MS: i64 = 3_600_000;

async fn pass(s: &Subject, pass: Pass) -> Ticket {
    let details = TypeDetails { pass, max_uses: 0, ..kind(5) };
    s.store.change_type(s.event, TypeNo(1), details).await.unwrap();
    issue(s, new_ticket(s.event, 1)).await
}

fn exits() -> Pass {
    Pass { exits: true, ..Pass::default() }
}

fn out(id: u8) -> Scan {
    Scan { direction: Direction::Exit, ..scan(id, 1) }
}

async fn outcome(s: &Subject, ticket: &Ticket, scan: Scan) -> Outcome {
    admit(s, ticket, scan).await.outcome
}

#[test]
fn a_pass_goes_in_and_out_and_its_way_is_on_the_books() {
    check(|s| async move {
        let ticket = pass(&s, exits()).await;
        assert_eq!(outcome(&s, &ticket, scan(1, 1)).await, Outcome::Admit { use_no: 1 });
        assert_eq!(outcome(&s, &ticket, scan(2, 1)).await, Outcome::Refuse(Reason::Inside));
        assert_eq!(outcome(&s, &ticket, out(3)).await, Outcome::Exit { use_no: 1 });
        assert_eq!(outcome(&s, &ticket, out(4)).await, Outcome::Refuse(Reason::NotInside));
        assert_eq!(outcome(&s, &ticket, scan(5, 1)).await, Outcome::Admit { use_no: 2 });
        let scans = s.store.scans_of(s.event, ticket.grant.ticket).await.unwrap();
        let ways: Vec<_> = scans.iter().map(|record| record.scan.direction).collect();
        let (way_in, way_out) = (Direction::Entry, Direction::Exit);
        assert_eq!(ways, [way_in, way_out, way_out, way_in, way_in]);
        let told = [Kind::Issue, Kind::Admit, Kind::Refuse, Kind::Exit, Kind::Refuse, Kind::Admit];
        assert!(kinds(&s).await.ends_with(&told));
    });
}

#[test]
fn one_of_many_copies_of_a_pass_is_inside() {
    check(|s| async move {
        let ticket = pass(&s, exits()).await;
        let mut tasks = tokio::task::JoinSet::new();
        for id in 0..64 {
            let (store, copy) = (Arc::clone(&s.store), verified(&ticket));
            let scan = scan(id, i64::from(id));
            tasks.spawn(async move { store.admit(copy, scan, LOG_KEY).await.unwrap() });
        }
        let admitted = tasks.join_all().await.into_iter().filter(|recorded| {
            matches!(recorded, Recorded::New(r, _) if matches!(r.outcome, Outcome::Admit { .. }))
        });
        assert_eq!(admitted.count(), 1);
    });
}

#[test]
fn a_repeated_exit_gets_the_same_answer_and_an_entry_under_its_name_none() {
    check(|s| async move {
        let ticket = pass(&s, exits()).await;
        admit(&s, &ticket, scan(1, 1)).await;
        let left = admit(&s, &ticket, out(2)).await;
        let again = s.store.admit(verified(&ticket), out(2), LOG_KEY).await.unwrap();
        assert_eq!(again, Recorded::Repeated(left));
        let other = s.store.admit(verified(&ticket), scan(2, 1), LOG_KEY).await.unwrap();
        assert_eq!(other, Recorded::IdReused);
    });
}

#[test]
fn once_a_day_is_judged_in_the_zone_of_the_event() {
    check(|s| async move {
        let ticket = pass(&s, Pass { per_day: PerDay::Once, ..Pass::default() }).await;
        // 23:13 in Berlin: midnight is 47 minutes away.
        let at = |id, hours: i64| Scan { at: NOW.plus(hours * HOUR_MS), ..scan(id, 1) };
        assert_eq!(outcome(&s, &ticket, at(1, -20)).await, Outcome::Admit { use_no: 1 });
        assert_eq!(outcome(&s, &ticket, at(2, 0)).await, Outcome::Refuse(Reason::OncePerDay));
        assert_eq!(outcome(&s, &ticket, at(3, 1)).await, Outcome::Admit { use_no: 2 });
    });
}

#[test]
fn an_entry_that_is_taken_back_leaves_nobody_inside() {
    check(|s| async move {
        let ticket = pass(&s, exits()).await;
        admit(&s, &ticket, scan(1, 1)).await;
        let device = scan(1, 1).device;
        s.store.undo(s.event, device, ScanId([1; 16]), NOW, LOG_KEY).await.unwrap();
        assert_eq!(outcome(&s, &ticket, out(2)).await, Outcome::Refuse(Reason::NotInside));
        assert_eq!(outcome(&s, &ticket, scan(3, 1)).await, Outcome::Admit { use_no: 1 });
    });
}

#[test]
fn an_exit_is_not_taken_back() {
    check(|s| async move {
        let ticket = pass(&s, exits()).await;
        admit(&s, &ticket, scan(1, 1)).await;
        admit(&s, &ticket, out(2)).await;
        let device = scan(1, 1).device;
        let undone = s.store.undo(s.event, device, ScanId([2; 16]), NOW, LOG_KEY).await.unwrap();
        assert!(matches!(undone, Undone::Refused(_)));
    });
}

#[test]
fn whoever_is_inside_with_a_revoked_ticket_may_leave() {
    check(|s| async move {
        let ticket = pass(&s, exits()).await;
        admit(&s, &ticket, scan(1, 1)).await;
        let id = ticket.grant.ticket;
        s.store.set_standing(s.event, id, Standing::Revoked, NOW, LOG_KEY).await.unwrap();
        assert_eq!(outcome(&s, &ticket, out(2)).await, Outcome::Exit { use_no: 1 });
        assert_eq!(outcome(&s, &ticket, scan(3, 1)).await, Outcome::Refuse(Reason::Revoked));
    });
}

#[test]
fn an_exit_takes_no_entry_back_from_what_other_gates_are_told() {
    check(|s| async move {
        let ticket = pass(&s, Pass::default()).await;
        admit(&s, &ticket, scan(1, 1)).await;
        admit(&s, &ticket, out(2)).await;
        admit(&s, &ticket, out(3)).await;
        let told = s.store.elsewhere(s.event, DeviceNo(9), 0).await.unwrap();
        let mut known = Known::default();
        assert!(known.learn(0, told.next, &told.changes));
        assert_eq!(known.uses(ticket.grant.digest()), 1);
    });
}

#[test]
fn an_entry_that_a_gate_made_by_itself_can_be_scanned_out() {
    check(|s| async move {
        let ticket = pass(&s, exits()).await;
        let bounds = Bounds { low: NOW, high: Some(NOW) };
        let entry = JournalEntry {
            sequence: 1,
            scan: ScanId([1; 16]),
            digest: ticket.grant.digest(),
            gate: GateNo(1),
            word: Word::Done,
            bounds,
        };
        let entries = vec![Arrived { entry, hash: None }];
        let contact = Contact { entries, ..Contact::default() };
        s.store.sync(s.event, DeviceNo(5), contact, NOW, LOG_KEY).await.unwrap();
        assert_eq!(outcome(&s, &ticket, scan(2, 1)).await, Outcome::Refuse(Reason::Inside));
        assert_eq!(outcome(&s, &ticket, out(3)).await, Outcome::Exit { use_no: 1 });
    });
}

#[test]
fn the_rules_are_those_of_the_type_today() {
    check(|s| async move {
        let ticket = pass(&s, Pass::default()).await;
        admit(&s, &ticket, scan(1, 1)).await;
        let details = TypeDetails { pass: exits(), max_uses: 0, ..kind(5) };
        s.store.change_type(s.event, TypeNo(1), details).await.unwrap();
        assert_eq!(outcome(&s, &ticket, scan(2, 1)).await, Outcome::Refuse(Reason::Inside));
    });
}
