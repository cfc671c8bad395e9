//! Tickets whose code changes: each epoch once, and one wallet for good.

use admit_core::admission::Scan;
use admit_core::id::{KeyNo, TypeNo, UnixMs};
use admit_core::log::leaf::Kind;
use admit_core::reason::Reason;
use admit_core::stats::Outcome;
use admit_core::ticket::rotating::{self, Binding, Rotation};
use admit_core::ticket::{Algorithm, KeyRing, RingKey, SigningSecret, Verified};
use admit_store::event::{TypeDetails, TypeRotation};
use admit_store::ticket::{Bound, NewTicket, Ticket};

use crate::log::kinds;
use crate::{LOG_KEY, NOW, Subject, check, issue, kind, new_ticket, scan};

const EVENT_SECRET: [u8; 32] = [9; 32];

/// A ticket for any number of entries, with a code that changes every 30 seconds.
async fn changing(s: &Subject) -> Ticket {
    let rotation = Some(TypeRotation { kind: rotating::Kind::Shared, interval_s: 30 });
    let details = TypeDetails { rotation, max_uses: 0, ..kind(5) };
    s.store.change_type(s.event, TypeNo(1), details).await.unwrap();
    issue(s, NewTicket { ..new_ticket(s.event, 1) }).await
}

fn verified(ticket: &Ticket, epoch: u32) -> Verified {
    let secret = SigningSecret::from_seed(Algorithm::Ed25519, [1; 32]);
    let mut ring = KeyRing::default();
    ring.add(ticket.grant.event, KeyNo(1), RingKey { key: secret.verify_key(), not_after: None });
    ring.add_rotation(ticket.grant.event, EVENT_SECRET);
    let rotation = Rotation { interval_s: 30, binding: Binding::Shared };
    let head = rotating::head(&secret, KeyNo(1), &ticket.grant, &rotation).unwrap();
    let id = ticket.grant.ticket;
    let own = rotating::ticket_secret(&EVENT_SECRET, ticket.grant.event, id);
    let code = rotating::shared_code(&head, epoch, &rotating::shared_proof(&own, id, epoch));
    ring.verify(ticket.grant.event, &code, UnixMs(i64::from(epoch) * 30_000)).unwrap()
}

async fn outcome(s: &Subject, ticket: &Ticket, epoch: u32, scan: Scan) -> Outcome {
    let recorded = s.store.admit(verified(ticket, epoch), scan, LOG_KEY).await.unwrap();
    match recorded {
        admit_store::admission::Recorded::New(record, _) => record.outcome,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_code_is_good_once_and_the_next_one_again() {
    check(|s| async move {
        let ticket = changing(&s).await;
        let now = rotating::epoch(NOW, 30);
        assert_eq!(outcome(&s, &ticket, now, scan(1, 1)).await, Outcome::Admit { use_no: 1 });
        let replayed = Outcome::Refuse(Reason::EpochReplayed);
        assert_eq!(outcome(&s, &ticket, now, scan(2, 2)).await, replayed);
        assert_eq!(outcome(&s, &ticket, now - 1, scan(3, 2)).await, replayed);
        assert_eq!(outcome(&s, &ticket, now + 1, scan(4, 1)).await, Outcome::Admit { use_no: 2 });
    });
}

#[test]
fn one_of_many_copies_of_a_code_is_admitted() {
    check(|s| async move {
        let ticket = changing(&s).await;
        let now = rotating::epoch(NOW, 30);
        let mut tasks = tokio::task::JoinSet::new();
        for id in 0..32 {
            let (store, copy) = (std::sync::Arc::clone(&s.store), verified(&ticket, now));
            let device = i64::from(id);
            tasks.spawn(async move { store.admit(copy, scan(id, device), LOG_KEY).await.unwrap() });
        }
        let admitted = tasks.join_all().await.into_iter().filter(|recorded| {
            matches!(recorded, admit_store::admission::Recorded::New(record, _)
                if matches!(record.outcome, Outcome::Admit { .. }))
        });
        assert_eq!(admitted.count(), 1);
    });
}

#[test]
fn a_ticket_is_bound_to_one_wallet_for_good() {
    check(|s| async move {
        let ticket = changing(&s).await;
        let id = ticket.grant.ticket;
        let bind = |wallet: u8| s.store.bind_ticket(s.event, id, vec![wallet; 33], NOW, LOG_KEY);
        let first = bind(1).await.unwrap();
        assert!(
            matches!(&first, Bound::Done(ticket, Some(_)) if ticket.binding == Some(vec![1; 33]))
        );
        assert!(matches!(bind(1).await.unwrap(), Bound::Done(_, None)));
        assert_eq!(bind(2).await.unwrap(), Bound::Elsewhere);
        assert_eq!(kinds(&s).await.last(), Some(&Kind::Bind));
    });
}

#[test]
fn a_ticket_whose_code_never_changes_is_bound_to_nobody() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        let id = ticket.grant.ticket;
        let bound = s.store.bind_ticket(s.event, id, vec![1; 33], NOW, LOG_KEY).await.unwrap();
        assert_eq!(bound, Bound::NotFound);
    });
}
