//! Tickets that are handed on: the new one is good, the old one is not, and there is one of each.

use std::sync::Arc;

use admit_core::admission::Standing;
use admit_core::id::{KeyNo, ScanId, TypeNo, UnixMs};
use admit_core::log::audit::Audit;
use admit_core::log::leaf::Kind;
use admit_core::offline::known::ShortDigest;
use admit_core::pass::{Direction, Pass};
use admit_core::reason::Reason;
use admit_core::stats::Outcome;
use admit_core::transfer::{Handover, OFFER_MS_MAX, TransferRefused, Transferable};
use admit_store::admission::Undone;
use admit_store::event::TypeDetails;
use admit_store::ticket::{NewTicket, Ticket};
use admit_store::transfer::{Acceptance, Accepted, Offer, Offered, Reissue, State};

use crate::log::kinds;
use crate::{LOG_KEY, NOW, Subject, admit, check, issue, kind, new_ticket, person, scan};

async fn holder(s: &Subject, transferable: Transferable, max_uses: u8) -> Ticket {
    let pass = Pass { exits: max_uses != 1, ..Pass::default() };
    let details = TypeDetails { transferable, max_uses, pass, ..kind(5) };
    s.store.change_type(s.event, TypeNo(1), details).await.unwrap();
    issue(s, NewTicket { person: Some(person(1)), ..new_ticket(s.event, 1) }).await
}

async fn offer(s: &Subject, ticket: &Ticket, to: Handover) -> Offered {
    let ticket = ticket.grant.ticket;
    s.store.offer(Offer { event: s.event, ticket, to, secret: [1; 32], at: NOW }).await.unwrap()
}

fn with(random: u32) -> Reissue {
    Reissue {
        serial_key: [3; 32],
        random,
        key_no: KeyNo(1),
        format: "a1".to_owned(),
        link: 1_000_000 + u64::from(random),
        at: NOW,
        log_key: LOG_KEY,
    }
}

/// Somebody who has the link; `taker` tells one from another.
fn taking(s: &Subject, ticket: &Ticket, taker: u8) -> Acceptance {
    Acceptance {
        event: s.event,
        ticket: ticket.grant.ticket,
        secret: [1; 32],
        claim: [taker; 32],
        person: Some(person(100 + taker)),
        reissue: with(u32::from(taker)),
    }
}

async fn take(s: &Subject, ticket: &Ticket, taker: u8) -> Accepted {
    s.store.accept(taking(s, ticket, taker)).await.unwrap()
}

fn gone(accepted: Accepted) -> Ticket {
    match accepted {
        Accepted::Done(ticket, _) => ticket,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_ticket_that_was_handed_on_admits_under_its_new_number_only() {
    check(|s| async move {
        let old = holder(&s, Transferable::Free, 1).await;
        assert!(matches!(offer(&s, &old, Handover::Give).await, Offered::Done(_)));
        let accepted = take(&s, &old, 7).await;
        assert!(matches!(&accepted, Accepted::Done(_, Some(_))));
        let new = gone(accepted);
        assert_ne!(new.grant.ticket, old.grant.ticket);
        assert_eq!(new.person.as_ref().map(|person| person.id), Some([107; 16]));
        let refused = admit(&s, &old, scan(1, 1)).await;
        assert_eq!(refused.outcome, Outcome::Refuse(Reason::Transferred));
        assert_eq!(admit(&s, &new, scan(2, 1)).await.outcome, Outcome::Admit { use_no: 1 });
        let told = [Kind::Issue, Kind::Transfer, Kind::Issue, Kind::Refuse, Kind::Admit];
        assert!(kinds(&s).await.ends_with(&told));
    });
}

#[test]
fn one_of_many_takers_at_once_gets_the_ticket() {
    check(|s| async move {
        let old = holder(&s, Transferable::Free, 1).await;
        offer(&s, &old, Handover::Give).await;
        let mut tasks = tokio::task::JoinSet::new();
        for taker in 0..64 {
            let (store, accepting) = (Arc::clone(&s.store), taking(&s, &old, taker));
            tasks.spawn(async move { store.accept(accepting).await.unwrap() });
        }
        let answers = tasks.join_all().await;
        let got = answers.iter().filter(|answer| matches!(answer, Accepted::Done(..))).count();
        let late = answers.iter().filter(|answer| matches!(answer, Accepted::Taken)).count();
        assert_eq!((got, late), (1, 63));
        let issued = kinds(&s).await.iter().filter(|kind| **kind == Kind::Issue).count();
        assert_eq!(issued, 2);
    });
}

#[test]
fn the_same_taker_gets_the_same_ticket_however_often_it_asks() {
    check(|s| async move {
        let old = holder(&s, Transferable::Free, 1).await;
        offer(&s, &old, Handover::Give).await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let (store, accepting) = (Arc::clone(&s.store), taking(&s, &old, 7));
            tasks.spawn(async move { gone(store.accept(accepting).await.unwrap()).grant.ticket });
        }
        let got = tasks.join_all().await;
        assert!(got.iter().all(|ticket| Some(ticket) == got.first()));
        assert_eq!(take(&s, &old, 8).await, Accepted::Taken);
    });
}

#[test]
fn a_scan_and_a_transfer_at_once_do_not_both_count() {
    check(|s| async move {
        for round in 0..16 {
            let new = NewTicket { ..new_ticket(s.event, 100 + u32::from(round)) };
            let details = TypeDetails { transferable: Transferable::Free, ..kind(50) };
            s.store.change_type(s.event, TypeNo(1), details).await.unwrap();
            let old = issue(&s, new).await;
            offer(&s, &old, Handover::Give).await;
            let accepting = Acceptance { person: None, ..taking(&s, &old, round) };
            let (scanned, accepted) =
                tokio::join!(admit(&s, &old, scan(round, 1)), s.store.accept(accepting));
            let entered = matches!(scanned.outcome, Outcome::Admit { .. });
            match accepted.unwrap() {
                Accepted::Done(ticket, _) => {
                    assert!(!entered);
                    assert_eq!(ticket.history.uses, 0);
                }
                Accepted::Refused(TransferRefused::Used) => assert!(entered),
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn the_organiser_agrees_first_where_the_type_asks_for_it() {
    check(|s| async move {
        let old = holder(&s, Transferable::Approval, 1).await;
        offer(&s, &old, Handover::Give).await;
        assert_eq!(take(&s, &old, 7).await, Accepted::Asked);
        assert_eq!(take(&s, &old, 7).await, Accepted::Asked);
        assert_eq!(take(&s, &old, 8).await, Accepted::Taken);
        assert_eq!(offer(&s, &old, Handover::Give).await, Offered::Waiting);
        let asked = s.store.transfers_asked(s.event).await.unwrap();
        let persons: Vec<_> = asked.iter().map(|one| one.person.clone().unwrap().id).collect();
        assert_eq!(persons, [[107; 16]]);
        let id = old.grant.ticket;
        let new = gone(s.store.agree(s.event, id, with(9)).await.unwrap());
        assert_eq!(new.person.as_ref().map(|person| person.id), Some([107; 16]));
        assert_eq!(gone(take(&s, &old, 7).await).grant.ticket, new.grant.ticket);
        assert_eq!(s.store.agree(s.event, id, with(9)).await.unwrap(), Accepted::NotFound);
        assert!(s.store.transfers_asked(s.event).await.unwrap().is_empty());
    });
}

#[test]
fn a_transfer_that_ends_leaves_the_ticket_and_nothing_of_who_asked() {
    check(|s| async move {
        let old = holder(&s, Transferable::Approval, 1).await;
        offer(&s, &old, Handover::Give).await;
        take(&s, &old, 7).await;
        let id = old.grant.ticket;
        assert!(s.store.end_offer(s.event, id, NOW).await.unwrap());
        assert!(!s.store.end_offer(s.event, id, NOW).await.unwrap());
        assert_eq!(take(&s, &old, 7).await, Accepted::NotFound);
        assert_eq!(s.store.wrapped_keys(None, 10).await.unwrap().len(), 1);
        assert_eq!(admit(&s, &old, scan(1, 1)).await.outcome, Outcome::Admit { use_no: 1 });
        assert_eq!(s.store.transfer(s.event, id).await.unwrap().unwrap().state, State::Ended);
    });
}

#[test]
fn an_offer_ends_after_a_week_and_with_the_next_one() {
    check(|s| async move {
        let old = holder(&s, Transferable::Free, 1).await;
        offer(&s, &old, Handover::Give).await;
        let mut late = taking(&s, &old, 7);
        late.reissue.at = UnixMs(NOW.0 + OFFER_MS_MAX + 1);
        assert_eq!(s.store.accept(late).await.unwrap(), Accepted::NotFound);
        let (event, ticket, to) = (s.event, old.grant.ticket, Handover::Give);
        s.store.offer(Offer { event, ticket, to, secret: [2; 32], at: NOW }).await.unwrap();
        assert_eq!(take(&s, &old, 7).await, Accepted::NotFound);
    });
}

#[test]
fn a_type_or_the_ticket_itself_says_whether_it_may_go() {
    check(|s| async move {
        let old = holder(&s, Transferable::No, 1).await;
        let refused = Offered::Refused(TransferRefused::NotTransferable);
        assert_eq!(offer(&s, &old, Handover::Give).await, refused);
        let own = issue(&s, NewTicket { transferable: true, ..new_ticket(s.event, 2) }).await;
        assert!(matches!(offer(&s, &own, Handover::Give).await, Offered::Done(_)));
    });
}

#[test]
fn a_move_keeps_the_holder_and_what_was_used() {
    check(|s| async move {
        let old = holder(&s, Transferable::No, 3).await;
        admit(&s, &old, scan(1, 1)).await;
        assert!(matches!(offer(&s, &old, Handover::Move).await, Offered::Done(_)));
        let new =
            gone(s.store.accept(Acceptance { person: None, ..taking(&s, &old, 7) }).await.unwrap());
        assert_eq!(new.person, old.person);
        assert_eq!((new.history.uses, new.history.presence.inside), (1, 1));
        let out = scan_out(&s, &new).await;
        assert_eq!(out, Outcome::Exit { use_no: 1 });
        assert_eq!(admit(&s, &new, scan(3, 1)).await.outcome, Outcome::Admit { use_no: 2 });
        let old = s.store.ticket(s.event, old.grant.ticket).await.unwrap().unwrap();
        assert_eq!((old.person, old.history.standing), (None, Standing::Transferred));
        assert_eq!(s.store.scans_of(s.event, new.grant.ticket).await.unwrap().len(), 3);
    });
}

async fn scan_out(s: &Subject, ticket: &Ticket) -> Outcome {
    let out = admit_core::admission::Scan { direction: Direction::Exit, ..scan(2, 1) };
    admit(s, ticket, out).await.outcome
}

#[test]
fn staff_issue_a_ticket_anew_and_its_old_phone_is_refused() {
    check(|s| async move {
        let old = holder(&s, Transferable::No, 1).await;
        let new = gone(s.store.reissue(s.event, old.grant.ticket, with(9)).await.unwrap());
        assert_eq!(new.person, old.person);
        let refused = admit(&s, &old, scan(1, 1)).await;
        assert_eq!(refused.outcome, Outcome::Refuse(Reason::Transferred));
        let again = s.store.reissue(s.event, old.grant.ticket, with(10)).await.unwrap();
        assert_eq!(again, Accepted::Refused(TransferRefused::Transferred));
    });
}

#[test]
fn an_entry_of_before_is_not_taken_back_from_the_old_ticket() {
    check(|s| async move {
        let old = holder(&s, Transferable::Free, 2).await;
        admit(&s, &old, scan(1, 1)).await;
        scan_out(&s, &old).await;
        offer(&s, &old, Handover::Give).await;
        gone(take(&s, &old, 7).await);
        let device = scan(1, 1).device;
        let undone = s.store.undo(s.event, device, ScanId([1; 16]), NOW, LOG_KEY).await.unwrap();
        assert!(matches!(undone, Undone::Refused(_)));
    });
}

#[test]
fn gates_without_a_network_are_told_that_the_old_number_went() {
    check(|s| async move {
        let old = holder(&s, Transferable::Free, 1).await;
        offer(&s, &old, Handover::Give).await;
        gone(take(&s, &old, 7).await);
        let name = ShortDigest::from(old.grant.digest());
        let told = s.store.withdrawn(s.event).await.unwrap();
        assert_eq!(told, [(name, Standing::Transferred)]);
    });
}

#[test]
fn a_ticket_that_went_is_never_good_again() {
    check(|s| async move {
        let old = holder(&s, Transferable::Free, 1).await;
        offer(&s, &old, Handover::Give).await;
        gone(take(&s, &old, 7).await);
        let id = old.grant.ticket;
        for standing in [Standing::Revoked, Standing::Issued] {
            s.store.set_standing(s.event, id, standing, NOW, LOG_KEY).await.unwrap().unwrap();
        }
        let refused = admit(&s, &old, scan(1, 1)).await;
        assert_eq!(refused.outcome, Outcome::Refuse(Reason::Transferred));
    });
}

#[test]
fn an_auditor_finds_nothing_wrong_with_a_transfer() {
    check(|s| async move {
        let old = holder(&s, Transferable::Free, 1).await;
        offer(&s, &old, Handover::Give).await;
        let new = gone(take(&s, &old, 7).await);
        admit(&s, &new, scan(1, 1)).await;
        let mut audit = Audit::default();
        for leaf in s.store.log_entries(s.event, 0, 256).await.unwrap() {
            audit.add(&leaf).unwrap();
        }
    });
}
