//! What gates did by themselves and tell afterwards: claims and their ends, doubles, leases, and what
//! gates need to know.

use admit_core::admission::{Scan, Standing, Verdict};
use admit_core::id::{DeviceNo, Digest, GateNo, ScanId, TypeNo};
use admit_core::log::leaf::Kind;
use admit_core::offline::journal::{BEGINNING, JournalEntry};
use admit_core::offline::known::{Known, ShortDigest};
use admit_core::offline::story::Stage;
use admit_core::offline::{Bounds, Policy, Word};
use admit_core::reason::Reason;
use admit_core::stats::Outcome;
use admit_store::admission::{Recorded, ScanRecord};
use admit_store::event::{Changed, TicketType, TypeDetails};
use admit_store::offline::{Arrived, Contact, Synced, told};
use admit_store::ticket::Ticket;

use crate::log::kinds;
use crate::{LOG_KEY, NOW, Subject, admit, check, issue, kind, new_ticket, scan, verified};

/// The journal of a device, as it would be sent.
struct Journal {
    device: i64,
    entries: Vec<Arrived>,
}

impl Journal {
    fn of(device: i64) -> Self {
        Self { device, entries: Vec::new() }
    }

    /// Adds an entry `at` ms after the start, surely within the second before.
    fn say(&mut self, ticket: &Ticket, scan: u8, word: Word, at: i64) {
        let bounds = Bounds { low: NOW.plus(at - 1000), high: Some(NOW.plus(at)) };
        let sequence = u64::try_from(self.entries.len()).unwrap() + 1;
        let (scan, digest) = (ScanId([scan; 16]), ticket.grant.digest());
        let entry = JournalEntry { sequence, scan, digest, gate: GateNo(1), word, bounds };
        let before = self.entries.last().and_then(|last| last.hash).unwrap_or(BEGINNING);
        let hash = Some(entry.chain(DeviceNo(self.device), before));
        self.entries.push(Arrived { entry, hash });
    }

    async fn sync(&self, s: &Subject) -> Synced {
        tell(s, self.device, Contact { entries: self.entries.clone(), ..Contact::default() }).await
    }
}

async fn tell(s: &Subject, device: i64, contact: Contact) -> Synced {
    let heard_at = NOW.plus(3_600_000);
    s.store.sync(s.event, DeviceNo(device), contact, heard_at, LOG_KEY).await.unwrap().0
}

async fn claim(s: &Subject, ticket: &Ticket, scan: Scan) -> ScanRecord {
    match s.store.claim(verified(ticket), scan, LOG_KEY).await.unwrap() {
        Recorded::New(record, _) | Recorded::Repeated(record) => record,
        Recorded::IdReused => panic!("the id is used"),
    }
}

async fn uses(s: &Subject, ticket: &Ticket) -> u32 {
    let ticket = s.store.ticket(s.event, ticket.grant.ticket).await.unwrap().unwrap();
    ticket.history.uses
}

async fn elsewhere(s: &Subject, device: i64, ticket: &Ticket) -> u32 {
    let told = s.store.elsewhere(s.event, DeviceNo(device), 0).await.unwrap();
    let mut known = Known::default();
    assert!(known.learn(0, told.next, &told.changes));
    known.uses(ticket.grant.digest())
}

#[test]
fn a_journal_counts_once_however_often_and_in_whatever_pieces_it_comes() {
    check(|s| async move {
        let (one, two) =
            (issue(&s, new_ticket(s.event, 1)).await, issue(&s, new_ticket(s.event, 2)).await);
        let mut journal = Journal::of(5);
        journal.say(&one, 1, Word::Done, 10);
        let first = journal.sync(&s).await;
        assert_eq!((first.acknowledged, first.stored), (vec![1], 1));
        journal.say(&two, 2, Word::Done, 20);
        let both = journal.sync(&s).await;
        assert_eq!((both.acknowledged, both.stored, both.duplicates), (vec![1, 2], 1, 1));
        let again = journal.sync(&s).await;
        assert_eq!((again.stored, again.duplicates, again.conflicts.len()), (0, 2, 0));
        assert_eq!((uses(&s, &one).await, uses(&s, &two).await), (1, 1));
        let log = kinds(&s).await;
        assert_eq!(log.iter().filter(|kind| **kind == Kind::Import).count(), 2);
    });
}

#[test]
fn a_program_without_a_journal_is_known_by_its_scan_ids() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        let mut journal = Journal::of(5);
        journal.say(&ticket, 1, Word::Done, 10);
        let mut plain = journal.entries[0];
        (plain.entry.sequence, plain.hash) = (0, None);
        let contact = Contact { entries: vec![plain], ..Contact::default() };
        assert_eq!(tell(&s, 5, contact.clone()).await.stored, 1);
        assert_eq!(tell(&s, 5, contact).await.duplicates, 1);
        assert_eq!(uses(&s, &ticket).await, 1);
    });
}

#[test]
fn a_late_copy_of_a_scan_that_was_given_up_admits_nobody_and_uses_nothing_up() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        let mut journal = Journal::of(1);
        journal.say(&ticket, 1, Word::Void, 10);
        journal.sync(&s).await;
        let late = claim(&s, &ticket, scan(1, 1)).await;
        assert_eq!(late.outcome, Outcome::Refuse(Reason::GivenUp));
        assert_eq!(uses(&s, &ticket).await, 0);
    });
}

#[test]
fn a_claim_that_is_given_up_gives_its_use_back_and_its_id_stays_used() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        claim(&s, &ticket, scan(1, 1)).await;
        let mut journal = Journal::of(1);
        journal.say(&ticket, 1, Word::Void, 10);
        assert_eq!(journal.sync(&s).await.stored, 1);
        assert_eq!((uses(&s, &ticket).await, elsewhere(&s, 2, &ticket).await), (0, 0));
        let late = s.store.claim(verified(&ticket), scan(1, 1), LOG_KEY).await.unwrap();
        assert_eq!(late, Recorded::IdReused);
        assert_eq!(admit(&s, &ticket, scan(2, 2)).await.outcome, Outcome::Admit { use_no: 1 });
    });
}

#[test]
fn a_claim_is_confirmed_and_counts_as_one_entry() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        assert_eq!(claim(&s, &ticket, scan(1, 1)).await.stage, Stage::Claimed);
        assert_eq!(s.store.unconfirmed(s.event).await.unwrap(), vec![(DeviceNo(1), 1)]);
        let mut journal = Journal::of(1);
        journal.say(&ticket, 1, Word::Done, 10);
        assert_eq!(journal.sync(&s).await.stored, 1);
        assert_eq!(uses(&s, &ticket).await, 1);
        assert!(s.store.unconfirmed(s.event).await.unwrap().is_empty());
        let scans = s.store.scans_of(s.event, ticket.grant.ticket).await.unwrap();
        assert_eq!(told(&scans)[0].bounds, Bounds::exact(NOW));
    });
}

#[test]
fn two_gates_that_let_somebody_in_without_the_server_are_a_conflict_that_each_is_told_once() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        let (mut here, mut there) = (Journal::of(5), Journal::of(6));
        here.say(&ticket, 1, Word::Done, 20);
        there.say(&ticket, 2, Word::Done, 10);
        assert!(here.sync(&s).await.conflicts.is_empty());
        let found = there.sync(&s).await.conflicts;
        assert_eq!((found[0].known.device, found[0].brought.device), (DeviceNo(5), DeviceNo(6)));
        assert!(there.sync(&s).await.conflicts.is_empty());
        for device in [5, 6] {
            let notices = s.store.notices(s.event, DeviceNo(device)).await.unwrap();
            assert_eq!(notices, found);
            tell(&s, device, Contact { shown: vec![found[0].leaf], ..Contact::default() }).await;
            assert!(s.store.notices(s.event, DeviceNo(device)).await.unwrap().is_empty());
        }
        assert_eq!(uses(&s, &ticket).await, 2);
        assert_eq!(kinds(&s).await.last(), Some(&Kind::Conflict));
    });
}

#[test]
fn nobody_is_accused_by_a_claim_until_it_is_confirmed() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        claim(&s, &ticket, scan(1, 1)).await;
        let mut there = Journal::of(6);
        there.say(&ticket, 2, Word::Done, 5);
        assert!(there.sync(&s).await.conflicts.is_empty());
        let mut here = Journal::of(1);
        here.say(&ticket, 1, Word::Done, 10);
        assert_eq!(here.sync(&s).await.conflicts.len(), 1);
    });
}

#[test]
fn an_entry_that_the_device_made_stands_though_a_late_copy_was_refused() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        claim(&s, &ticket, scan(2, 2)).await;
        let refused = claim(&s, &ticket, scan(1, 1)).await;
        assert_eq!(refused.outcome, Outcome::Refuse(Reason::AlreadyUsed));
        let mut journal = Journal::of(1);
        journal.say(&ticket, 1, Word::Done, 10);
        assert_eq!(journal.sync(&s).await.stored, 1);
        assert_eq!(uses(&s, &ticket).await, 2);
        let again = claim(&s, &ticket, scan(1, 1)).await;
        assert_eq!(again.outcome, Outcome::Admit { use_no: 2 });
    });
}

#[test]
fn a_journal_with_an_altered_or_missing_entry_is_noticed_and_nothing_of_it_is_lost() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        let mut journal = Journal::of(5);
        journal.say(&ticket, 1, Word::Void, 10);
        journal.say(&ticket, 2, Word::Void, 20);
        journal.say(&ticket, 3, Word::Done, 30);
        journal.entries.remove(1);
        assert_eq!(journal.sync(&s).await.missing, vec![3]);
        journal.entries[0].hash = journal.entries[1].hash;
        assert_eq!(journal.sync(&s).await.altered, vec![1]);
        assert_eq!(uses(&s, &ticket).await, 1);
    });
}

#[test]
fn entries_of_a_ticket_that_was_never_issued_are_told_and_kept() {
    check(|s| async move {
        let mut ticket = issue(&s, new_ticket(s.event, 1)).await;
        ticket.grant.ticket.0 ^= 1;
        let mut journal = Journal::of(5);
        journal.say(&ticket, 1, Word::Done, 10);
        let synced = journal.sync(&s).await;
        assert_eq!((synced.unknown.len(), synced.acknowledged.len()), (1, 1));
        assert_eq!(journal.sync(&s).await.duplicates, 1);
    });
}

#[test]
fn a_device_is_told_of_the_entries_of_others_and_not_of_its_own() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        admit(&s, &ticket, scan(1, 1)).await;
        assert_eq!((elsewhere(&s, 1, &ticket).await, elsewhere(&s, 2, &ticket).await), (0, 1));
        let all = s.store.elsewhere(s.event, DeviceNo(2), 0).await.unwrap();
        let rest = s.store.elsewhere(s.event, DeviceNo(2), all.next).await.unwrap();
        assert_eq!((rest.next, rest.more, rest.changes.len()), (all.next, false, 0));
    });
}

#[test]
fn withdrawn_tickets_are_told_with_the_reason() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        let revoked = Standing::Revoked;
        s.store.set_standing(s.event, ticket.grant.ticket, revoked, NOW, LOG_KEY).await.unwrap();
        let short = ShortDigest::from(ticket.grant.digest());
        assert_eq!(s.store.withdrawn(s.event).await.unwrap(), vec![(short, Standing::Revoked)]);
    });
}

#[test]
fn a_devices_condition_is_that_of_its_last_contact() {
    check(|s| async move {
        let mut contact = Contact::default();
        contact.state.pending = 7;
        contact.state.persisted = Some(false);
        tell(&s, 5, contact.clone()).await;
        contact.state.battery = Some(40);
        tell(&s, 5, contact.clone()).await;
        let states = s.store.device_states(s.event).await.unwrap();
        assert_eq!((states.len(), states[0].report), (1, contact.state));
    });
}

#[test]
fn many_devices_that_tell_at_once_are_each_booked_once_and_every_double_is_told() {
    check(|s| async move {
        let mut tickets = Vec::new();
        for n in 0..10 {
            tickets.push(issue(&s, new_ticket(s.event, n)).await);
        }
        let mut tasks = tokio::task::JoinSet::new();
        for device in 1..=12i64 {
            let mut journal = Journal::of(device);
            for (n, ticket) in (1..).zip(&tickets) {
                journal.say(ticket, n, Word::Done, device * 10);
            }
            // Each report twice, as after a lost answer.
            for _ in 0..2 {
                let (store, event) = (std::sync::Arc::clone(&s.store), s.event);
                let contact = Contact { entries: journal.entries.clone(), ..Contact::default() };
                tasks.spawn(async move {
                    let heard_at = NOW.plus(3_600_000);
                    store.sync(event, DeviceNo(device), contact, heard_at, LOG_KEY).await.unwrap().0
                });
            }
        }
        let synced = tasks.join_all().await;
        let sum = |of: fn(&Synced) -> usize| synced.iter().map(of).sum::<usize>();
        assert_eq!(sum(|one| usize::try_from(one.stored).unwrap()), 120);
        // Ten tickets, each used twelve times: eleven too many.
        assert_eq!(sum(|one| one.conflicts.len()), 110);
        for ticket in &tickets {
            assert_eq!(uses(&s, ticket).await, 12);
        }
    });
}

// --- leases ---------------------------------------------------------------------------------------

async fn lease_to(s: &Subject, device: Option<i64>) -> TicketType {
    let lease_device = device.map(DeviceNo);
    let offline = if device.is_some() { Policy::Lease } else { Policy::Any };
    let details = TypeDetails { offline, lease_device, ..kind(50) };
    match s.store.change_type(s.event, TypeNo(1), details).await.unwrap() {
        Changed::Done(kind) => kind,
        other => panic!("{other:?}"),
    }
}

fn short(ticket: &Ticket) -> ShortDigest {
    ShortDigest::from(Digest(ticket.grant.digest().0))
}

#[test]
fn a_leased_ticket_is_held_for_its_device_until_it_is_given_back() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        assert_eq!(lease_to(&s, Some(1)).await.lease.holder, Some(DeviceNo(1)));
        let held = claim(&s, &ticket, scan(1, 2)).await;
        assert_eq!(held.outcome, Outcome::Refuse(Reason::Held));
        let asked = s.store.recalled(s.event, DeviceNo(1)).await.unwrap();
        assert_eq!(asked, (vec![short(&ticket)], vec![]));
        // Somebody else cannot give it back.
        let returned = Contact { returned: vec![short(&ticket)], ..Contact::default() };
        tell(&s, 3, returned.clone()).await;
        assert_eq!(claim(&s, &ticket, scan(2, 2)).await.outcome, Outcome::Refuse(Reason::Held));
        tell(&s, 1, returned).await;
        assert_eq!(claim(&s, &ticket, scan(3, 2)).await.outcome, Outcome::Admit { use_no: 1 });
        assert!(s.store.recalled(s.event, DeviceNo(1)).await.unwrap().0.is_empty());
    });
}

#[test]
fn what_was_done_under_a_lease_comes_before_it_is_given_back() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        lease_to(&s, Some(1)).await;
        claim(&s, &ticket, scan(1, 2)).await;
        let mut journal = Journal::of(1);
        journal.say(&ticket, 9, Word::Done, 10);
        let entries = journal.entries.clone();
        let contact = Contact { entries, returned: vec![short(&ticket)], ..Contact::default() };
        tell(&s, 1, contact).await;
        let late = claim(&s, &ticket, scan(2, 2)).await;
        assert_eq!(late.outcome, Outcome::Refuse(Reason::AlreadyUsed));
    });
}

#[test]
fn the_holder_itself_is_admitted_by_the_server() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        lease_to(&s, Some(1)).await;
        let preview = s.store.preview(verified(&ticket), scan(1, 2)).await.unwrap();
        assert_eq!(preview.verdict, Verdict::Refuse(Reason::Held));
        assert_eq!(claim(&s, &ticket, scan(1, 1)).await.outcome, Outcome::Admit { use_no: 1 });
    });
}

#[test]
fn another_device_gets_a_lease_only_when_the_first_has_given_it_back() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        lease_to(&s, Some(1)).await;
        claim(&s, &ticket, scan(1, 1)).await;
        assert_eq!(lease_to(&s, Some(2)).await.lease.holder, Some(DeviceNo(1)));
        let asked = s.store.recalled(s.event, DeviceNo(1)).await.unwrap();
        assert_eq!(asked.1, vec![TypeNo(1)]);
        tell(&s, 1, Contact { returned_types: vec![TypeNo(1)], ..Contact::default() }).await;
        let view = s.store.event("gala").await.unwrap().unwrap();
        assert_eq!(view.types[0].lease.holder, Some(DeviceNo(2)));
        // It must know the entry above before it admits alone.
        let newest = s.store.elsewhere(s.event, DeviceNo(2), 0).await.unwrap().next;
        assert_eq!(view.types[0].lease.since, newest);
    });
}

#[test]
fn a_lease_that_ends_by_policy_is_held_until_it_is_given_back() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        lease_to(&s, Some(1)).await;
        lease_to(&s, None).await;
        assert_eq!(claim(&s, &ticket, scan(1, 2)).await.outcome, Outcome::Refuse(Reason::Held));
        tell(&s, 1, Contact { returned_types: vec![TypeNo(1)], ..Contact::default() }).await;
        assert_eq!(claim(&s, &ticket, scan(2, 2)).await.outcome, Outcome::Admit { use_no: 1 });
    });
}

#[test]
fn a_device_that_is_removed_holds_nothing() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        lease_to(&s, Some(1)).await;
        s.store.revoke_device(s.event, DeviceNo(1), NOW).await.unwrap();
        assert_eq!(claim(&s, &ticket, scan(1, 2)).await.outcome, Outcome::Admit { use_no: 1 });
    });
}
