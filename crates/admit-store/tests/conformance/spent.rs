//! Entries that gates made by themselves: each once, and conflicts kept.

use admit_core::id::{DeviceNo, GateNo};
use admit_core::log::leaf::Kind;
use admit_core::reason::Reason;
use admit_core::spent::SpentEntry;
use admit_core::stats::Outcome;
use admit_store::spent::Import;
use admit_store::ticket::Ticket;

use crate::log::kinds;
use crate::{LOG_KEY, NOW, Subject, admit, check, issue, new_ticket, scan};

fn spent(sequence: u64, ticket: &Ticket) -> SpentEntry {
    SpentEntry { sequence, gate: GateNo(1), at: NOW, digest: ticket.grant.digest() }
}

async fn import(s: &Subject, device: i64, entries: Vec<SpentEntry>) -> Import {
    s.store
        .import_spent(s.event, DeviceNo(device), entries, NOW.plus(3_600_000), LOG_KEY)
        .await
        .unwrap()
        .0
}

#[test]
fn entries_from_a_gate_count_once_however_often_they_come() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        let mut committed = s.store.committed();
        let first = import(&s, 5, vec![spent(1, &ticket)]).await;
        assert_eq!((first.stored, first.duplicates), (1, 0));
        let again = import(&s, 5, vec![spent(1, &ticket)]).await;
        assert_eq!((again.stored, again.duplicates), (0, 1));
        let told = committed.recv().await.unwrap();
        assert_eq!(told[0].outcome, Outcome::Admit { use_no: 1 });
        let refused = admit(&s, &ticket, scan(1, 1)).await;
        assert_eq!(refused.outcome, Outcome::Refuse(Reason::AlreadyUsed));
        assert_eq!(kinds(&s).await, [Kind::Genesis, Kind::Issue, Kind::Import, Kind::Refuse]);
    });
}

#[test]
fn two_gates_that_both_admitted_are_a_conflict_that_both_can_see() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        import(&s, 5, vec![spent(1, &ticket)]).await;
        let second = import(&s, 6, vec![spent(1, &ticket)]).await;
        assert_eq!((second.stored, second.conflicts.len()), (0, 1));
        for device in [None, Some(DeviceNo(5)), Some(DeviceNo(6))] {
            let seen = s.store.conflicts(s.event, device, 10).await.unwrap();
            assert_eq!(seen, second.conflicts);
        }
        assert!(s.store.conflicts(s.event, Some(DeviceNo(7)), 10).await.unwrap().is_empty());
        // Both happened, and nothing that happened is left out.
        let ticket = s.store.ticket(s.event, ticket.grant.ticket).await.unwrap().unwrap();
        assert_eq!(ticket.history.uses, 2);
    });
}

#[test]
fn an_entry_that_changed_or_was_never_issued_is_told_apart() {
    check(|s| async move {
        let (one, two) =
            (issue(&s, new_ticket(s.event, 1)).await, issue(&s, new_ticket(s.event, 2)).await);
        import(&s, 5, vec![spent(1, &one)]).await;
        let mut unknown = spent(2, &one);
        unknown.digest.0[0] ^= 1;
        let odd = import(&s, 5, vec![spent(1, &two), unknown]).await;
        assert_eq!((odd.altered, odd.unknown, odd.stored), (vec![1], vec![2], 0));
    });
}
