//! What every store must do. Each fact runs against each store in [`stores`].
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

#[expect(dead_code, reason = "these facts need a cluster that is left alone")]
#[path = "../common/postgres.rs"]
mod postgres;

mod anonymous;
mod copy;
mod log;
mod offline;
mod pass;
mod rotation;
mod sale;
mod spent;
#[path = "../common/subject.rs"]
mod subject;
mod transfer;

use std::future::Future;
use std::sync::{Arc, OnceLock};

use admit_core::admission::{Standing, Verdict};
use admit_core::id::{DeviceNo, GateNo, GateSet, ScanId, TicketId, TypeNo};
use admit_core::reason::Reason;
use admit_core::stats::Outcome;
use admit_store::Store;
use admit_store::account::{Pairing, Role, User};
use admit_store::admission::{Recorded, Undone};
use admit_store::event::{Changed, EventDetails};
use admit_store::postgres::PostgresStore;
use admit_store::sqlite::{Durability, SqliteStore};
use admit_store::ticket::{IdempotencyKey, Issued, NewTicket, Terms, TicketFilter};
use postgres::Cluster;
use subject::*;

/// One cluster for all facts; each has a database of its own in it.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start().unwrap())
}

/// Every store there is, empty, with the folder that must outlive it.
async fn stores() -> Vec<(Arc<dyn Store>, tempfile::TempDir)> {
    let folder = || tempfile::tempdir().unwrap();
    let file = folder();
    let sqlite = SqliteStore::open(&file.path().join("t.sqlite"), Durability::Full).unwrap();
    let database = cluster().create_database().unwrap();
    let postgres = PostgresStore::open(&cluster().socket_address(&database), None).await.unwrap();
    vec![(Arc::new(sqlite), file), (Arc::new(postgres), folder())]
}

/// Runs a fact against every store.
fn check<F: Future<Output = ()>>(fact: impl Fn(Subject) -> F) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        for (store, _folder) in stores().await {
            fact(subject(store).await).await;
        }
    });
}

#[test]
fn a_ticket_is_admitted_once_and_then_already_used() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        assert_eq!(admit(&s, &ticket, scan(1, 1)).await.outcome, Outcome::Admit { use_no: 1 });
        let second = admit(&s, &ticket, scan(2, 1)).await;
        assert_eq!(second.outcome, Outcome::Refuse(Reason::AlreadyUsed));
        assert_eq!(second.first.unwrap().scan, ScanId([1; 16]));
    });
}

#[test]
fn one_of_many_simultaneous_scans_is_admitted() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        let mut tasks = tokio::task::JoinSet::new();
        for id in 0..64 {
            let (store, ticket) = (Arc::clone(&s.store), verified(&ticket));
            tasks.spawn(async move {
                store.admit(ticket, scan(id, i64::from(id)), LOG_KEY).await.unwrap()
            });
        }
        let admitted = tasks
            .join_all()
            .await
            .into_iter()
            .filter(|recorded| {
                matches!(recorded, Recorded::New(r, _) if r.outcome == Outcome::Admit { use_no: 1 })
            })
            .count();
        assert_eq!(admitted, 1);
    });
}

#[test]
fn a_repeated_scan_gets_the_same_answer_admitted_or_refused() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        let first = admit(&s, &ticket, scan(1, 1)).await;
        let refused = admit(&s, &ticket, scan(2, 1)).await;
        let again = s.store.admit(verified(&ticket), scan(1, 1), LOG_KEY).await.unwrap();
        assert_eq!(again, Recorded::Repeated(first));
        let again = s.store.admit(verified(&ticket), scan(2, 1), LOG_KEY).await.unwrap();
        assert_eq!(again, Recorded::Repeated(refused));
    });
}

#[test]
fn a_scan_id_used_for_another_ticket_is_noticed() {
    check(|s| async move {
        let one = issue(&s, new_ticket(s.event, 1)).await;
        let two = issue(&s, new_ticket(s.event, 2)).await;
        admit(&s, &one, scan(1, 1)).await;
        let reused = s.store.admit(verified(&two), scan(1, 1), LOG_KEY).await.unwrap();
        assert_eq!(reused, Recorded::IdReused);
    });
}

#[test]
fn a_genuine_ticket_that_was_never_issued_is_unknown() {
    check(|s| async move {
        let mut ticket = issue(&s, new_ticket(s.event, 1)).await;
        ticket.grant.ticket = TicketId(99);
        let record = admit(&s, &ticket, scan(1, 1)).await;
        assert_eq!(record.outcome, Outcome::Refuse(Reason::Unknown));
    });
}

#[test]
fn a_revoked_ticket_is_refused_until_it_is_reinstated() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        let id = ticket.grant.ticket;
        s.store.set_standing(s.event, id, Standing::Revoked, NOW, LOG_KEY).await.unwrap().unwrap();
        let refused = admit(&s, &ticket, scan(1, 1)).await;
        assert_eq!(refused.outcome, Outcome::Refuse(Reason::Revoked));
        s.store.set_standing(s.event, id, Standing::Issued, NOW, LOG_KEY).await.unwrap().unwrap();
        assert_eq!(admit(&s, &ticket, scan(2, 1)).await.outcome, Outcome::Admit { use_no: 1 });
    });
}

#[test]
fn an_undone_entry_is_recorded_and_can_be_made_again() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        admit(&s, &ticket, scan(1, 1)).await;
        let other =
            s.store.undo(s.event, DeviceNo(2), ScanId([1; 16]), NOW, LOG_KEY).await.unwrap();
        assert_eq!(other, Undone::UnknownScan);
        let done = s.store.undo(s.event, DeviceNo(1), ScanId([1; 16]), NOW, LOG_KEY).await.unwrap();
        assert!(
            matches!(&done, Undone::Done(r, Some(_)) if r.outcome == Outcome::Undo { use_no: 1 })
        );
        let again =
            s.store.undo(s.event, DeviceNo(1), ScanId([1; 16]), NOW, LOG_KEY).await.unwrap();
        assert!(matches!((again, done), (Undone::Done(a, None), Undone::Done(b, _)) if a == b));
        assert_eq!(admit(&s, &ticket, scan(2, 1)).await.outcome, Outcome::Admit { use_no: 1 });
        assert_eq!(s.store.scans_of(s.event, ticket.grant.ticket).await.unwrap().len(), 3);
    });
}

#[test]
fn a_late_copy_of_an_undone_scan_admits_nobody() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        admit(&s, &ticket, scan(1, 1)).await;
        s.store.undo(s.event, DeviceNo(1), ScanId([1; 16]), NOW, LOG_KEY).await.unwrap();
        let late = s.store.admit(verified(&ticket), scan(1, 1), LOG_KEY).await.unwrap();
        assert_eq!(late, Recorded::IdReused);
    });
}

#[test]
fn the_last_places_are_given_out_exactly() {
    check(|s| async move {
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..200 {
            let (store, new) = (Arc::clone(&s.store), new_ticket(s.event, n));
            tasks.spawn(async move { store.issue(new).await.unwrap() });
        }
        let answers = tasks.join_all().await;
        let issued = answers.iter().filter(|a| matches!(a, Issued::New(..))).count();
        let sold_out = answers.iter().filter(|a| matches!(a, Issued::SoldOut)).count();
        assert_eq!((issued, sold_out), (50, 150));
    });
}

#[test]
fn a_repeated_registration_is_the_same_ticket() {
    check(|s| async move {
        let request = IdempotencyKey { key: [1; 32], fingerprint: [2; 32] };
        let new = NewTicket { idempotency: Some(request), ..new_ticket(s.event, 1) };
        let first = issue(&s, new.clone()).await;
        let again = s.store.issue(new.clone()).await.unwrap();
        assert_eq!(again, Issued::Repeated(first));
        let request = IdempotencyKey { fingerprint: [3; 32], ..request };
        let other = NewTicket { idempotency: Some(request), ..new };
        assert_eq!(s.store.issue(other).await.unwrap(), Issued::KeyMismatch);
    });
}

#[test]
fn nobody_registers_for_a_closed_event_but_staff_may_issue() {
    check(|s| async move {
        let closed = EventDetails { registration_open: false, ..details("gala") };
        s.store.change_event(s.event, closed).await.unwrap();
        assert_eq!(s.store.issue(new_ticket(s.event, 1)).await.unwrap(), Issued::Closed);
        issue(&s, NewTicket { by_public: false, ..new_ticket(s.event, 2) }).await;
    });
}

#[test]
fn an_erased_person_is_gone_and_the_entry_remains() {
    check(|s| async move {
        let new = NewTicket { person: Some(person(1)), ..new_ticket(s.event, 1) };
        let ticket = issue(&s, new).await;
        admit(&s, &ticket, scan(1, 1)).await;
        let erased =
            s.store.erase_person(s.event, ticket.grant.ticket, NOW).await.unwrap().unwrap();
        assert_eq!((erased.person, erased.erased_at), (None, Some(NOW)));
        assert_eq!(erased.history.uses, 1);
        assert!(s.store.wrapped_keys(None, 10).await.unwrap().is_empty());
    });
}

#[test]
fn tickets_are_found_by_person_by_number_and_page_by_page() {
    check(|s| async move {
        for n in 0..5 {
            let new = NewTicket { person: Some(person(n)), ..new_ticket(s.event, u32::from(n)) };
            issue(&s, new).await;
        }
        let list = |filter| s.store.tickets(s.event, filter);
        let by_mail = TicketFilter { email_index: Some([2; 16]), limit: 10, ..Default::default() };
        assert_eq!(list(by_mail).await.unwrap().total, 1);
        let first = list(TicketFilter { limit: 3, ..Default::default() }).await.unwrap();
        let rest = TicketFilter { limit: 3, after: first.next, ..Default::default() };
        let rest = list(rest).await.unwrap();
        assert_eq!((first.tickets.len(), rest.tickets.len(), rest.next), (3, 2, None));
        assert_eq!(first.total, 5);
        let used = TicketFilter { used: Some(true), limit: 3, ..Default::default() };
        assert_eq!(list(used).await.unwrap().total, 0);
    });
}

#[test]
fn listeners_and_readers_see_every_scan_in_order() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        let mut committed = s.store.committed();
        let first = admit(&s, &ticket, scan(1, 1)).await;
        let second = admit(&s, &ticket, scan(2, 1)).await;
        assert_eq!(committed.recv().await.unwrap().first(), Some(&first));
        assert_eq!(committed.recv().await.unwrap().first(), Some(&second));
        let after = s.store.scans_after(s.event, first.seq, 10).await.unwrap();
        assert_eq!(after, [second]);
    });
}

#[test]
fn a_pairing_code_makes_one_device() {
    check(|s| async move {
        let pairing = Pairing {
            code: [1; 32],
            event: s.event,
            device_name: "Gate A".to_owned(),
            gate: None,
            expires_at: NOW.plus(1),
        };
        s.store.put_pairing(pairing.clone()).await.unwrap();
        let pair = |secret, now| {
            s.store.pair([1; 32], [secret; 32], "test".to_owned(), Some([6; 32]), now)
        };
        let device = pair(7, NOW).await.unwrap().unwrap();
        assert_eq!(device.public_key, Some([6; 32]));
        assert_eq!(pair(8, NOW).await.unwrap(), None);
        s.store.put_pairing(pairing).await.unwrap();
        assert_eq!(pair(9, NOW.plus(1)).await.unwrap(), None);
        assert!(s.store.revoke_device(s.event, device.number, NOW).await.unwrap());
        assert_eq!(s.store.devices().await.unwrap()[0].revoked_at, Some(NOW));
    });
}

#[test]
fn a_new_password_ends_open_sessions() {
    check(|s| async move {
        let user =
            User { name: "ada".to_owned(), password_hash: "x".to_owned(), role: Role::Organiser };
        s.store.put_user(user.clone(), NOW).await.unwrap();
        s.store.open_session([5; 32], "ada", NOW.plus(10)).await.unwrap();
        assert!(s.store.session([5; 32], NOW).await.unwrap().is_some());
        assert!(s.store.session([5; 32], NOW.plus(10)).await.unwrap().is_none());
        s.store.put_user(user, NOW).await.unwrap();
        assert!(s.store.session([5; 32], NOW).await.unwrap().is_none());
    });
}

#[test]
fn a_quota_cannot_fall_below_what_was_issued() {
    check(|s| async move {
        issue(&s, new_ticket(s.event, 1)).await;
        issue(&s, new_ticket(s.event, 2)).await;
        let changed = s.store.change_type(s.event, TypeNo(1), kind(1)).await.unwrap();
        assert_eq!(changed, Changed::BelowIssued);
    });
}

#[test]
fn names_of_events_and_gates_are_unique() {
    check(|s| async move {
        let twice =
            s.store.create_event(details("gala"), sealed(), HOST.to_owned(), NOW).await.unwrap();
        assert_eq!(twice, Changed::NameTaken);
        let twice = s.store.add_gate(s.event, "Main".to_owned()).await.unwrap();
        assert_eq!(twice, Changed::NameTaken);
    });
}

#[test]
fn a_ticket_may_have_terms_of_its_own_and_is_found_by_its_link() {
    check(|s| async move {
        let terms = Terms {
            max_uses: 3,
            valid_from: Some(NOW),
            valid_until: Some(NOW.plus(60_000)),
            gates: GateSet::of(&[GateNo(1)]).unwrap(),
        };
        let new = NewTicket {
            terms: Some(terms),
            transferable: true,
            link: u64::MAX,
            ..new_ticket(s.event, 1)
        };
        let ticket = issue(&s, new).await;
        assert_eq!((ticket.grant.max_uses, ticket.grant.gates), (3, terms.gates));
        assert_eq!(s.store.ticket_by_link(u64::MAX).await.unwrap(), Some(ticket));
        assert_eq!(s.store.ticket_by_link(5).await.unwrap(), None);
    });
}

#[test]
fn a_preview_says_what_a_scan_would_and_records_nothing() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        let preview = s.store.preview(verified(&ticket), scan(1, 1)).await.unwrap();
        assert!(matches!(preview.verdict, Verdict::Admit(_)));
        assert_eq!(preview.last_leaf, ticket.leaf);
        let record = admit(&s, &ticket, scan(1, 1)).await;
        let after = s.store.preview(verified(&ticket), scan(2, 1)).await.unwrap();
        assert_eq!(after.verdict, Verdict::Refuse(Reason::AlreadyUsed));
        assert_eq!(after.last_leaf, record.leaf);
        assert_eq!(s.store.log_head(s.event).await.unwrap().unwrap().size, 3);
    });
}
