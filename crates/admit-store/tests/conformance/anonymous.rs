//! Anonymous tickets: as many signatures as were paid for, each ticket once, and nothing on the books
//! before it is used.

use std::sync::{Arc, OnceLock};

use admit_blindrsa::SecretKey;
use admit_core::admission::Verdict;
use admit_core::id::{DeviceNo, Digest, GateNo, GateSet, ScanId, TypeNo, UnixMs};
use admit_core::log::leaf::Kind;
use admit_core::offline::journal::{BEGINNING, JournalEntry};
use admit_core::offline::{Bounds, Word};
use admit_core::pss;
use admit_core::reason::Reason;
use admit_core::stats::Outcome;
use admit_core::ticket::anonymous::{IssuerKey, IssuerTerms, code};
use admit_core::ticket::rotating;
use admit_core::ticket::{KeyRing, Verified};
use admit_store::Store;
use admit_store::admission::{Recorded, ScanRecord};
use admit_store::anonymous::{Exchange, Exchanged, Issuer, RevokedToken, Signing, Slot};
use admit_store::event::TypeRotation;
use admit_store::offline::{Arrived, Contact};
use admit_store::postgres::PostgresStore;
use admit_store::transfer::Reissue;

use super::sale::{order, sold};
use crate::log::kinds;
use crate::subject::*;
use crate::{check, cluster};

const TYPE: TypeNo = TypeNo(2);
const OVERLAP_MS: i64 = 1000;

fn secret() -> &'static SecretKey {
    static KEY: OnceLock<SecretKey> = OnceLock::new();
    KEY.get_or_init(|| SecretKey::generate().unwrap())
}

fn terms(s: &Subject) -> IssuerTerms {
    IssuerTerms {
        event: s.event,
        type_no: TYPE,
        not_before_s: 0,
        expires_s: u32::try_from(NOW.0 / 1000 + 3600).unwrap(),
        max_uses: 1,
        gates: GateSet::ANY,
    }
}

pub(crate) fn issuer(s: &Subject) -> Issuer {
    let spki = secret().public_key().to_spki();
    Issuer {
        terms: terms(s),
        day: None,
        key_id: admit_core::privacy_pass::key_id(&spki),
        spki,
        secret: sealed(),
        created_at: NOW,
        retired_at: None,
        signed: 0,
        leaf: 0,
    }
}

/// An anonymous ticket, signed as a wallet would end up with it.
pub(crate) fn bearer(s: &Subject, nonce: u8) -> Verified {
    let spki = secret().public_key().to_spki();
    let key = IssuerKey::new(&spki, [5; 32], terms(s), None).unwrap();
    let nonce = [nonce; 32];
    let encoded = pss::encode(&key.token_input(&nonce), &[1; pss::SALT_BYTES], pss::MODULUS_BYTES);
    let signature = secret().blind_sign(&encoded.try_into().unwrap()).unwrap();
    let text = code(key.id(), &nonce, &signature);
    let mut ring = KeyRing::default();
    ring.add_issuer(key);
    ring.verify(s.event, &text, NOW).unwrap()
}

pub(crate) async fn present(s: &Subject, ticket: Verified, id: u8) -> ScanRecord {
    match s.store.admit(ticket, scan(id, 1), LOG_KEY).await.unwrap() {
        Recorded::New(record, _) | Recorded::Repeated(record) => record,
        Recorded::IdReused => panic!("id reused"),
    }
}

pub(crate) fn signing(s: &Subject, receipt: u8, blinding: u8) -> Signing {
    Signing {
        receipt: [receipt; 32],
        key_id: issuer(s).key_id,
        blinding: [blinding; 32],
        overlap_ms: OVERLAP_MS,
        salt: [blinding; 16],
        at: NOW,
        log_key: LOG_KEY,
    }
}

pub(crate) async fn sign(s: &Subject, signing: Signing) -> Slot {
    s.store.sign_slot(s.event, signing).await.unwrap()
}

/// A type that is sold, its key, and a receipt for so many tickets.
pub(crate) async fn paid(s: &Subject, quantity: u16) {
    s.store.add_type(s.event, sold(50)).await.unwrap();
    s.store.put_issuer(issuer(s), NOW).await.unwrap();
    s.store.order(order(s, 1, quantity), NOW).await.unwrap();
    s.store.settle([1; 32], "cs_x".to_owned(), NOW).await.unwrap();
}

#[test]
fn a_ticket_that_nobody_has_seen_is_admitted_once() {
    check(|s| async move {
        let first = present(&s, bearer(&s, 1), 1).await;
        assert_eq!(first.outcome, Outcome::Admit { use_no: 1 });
        let second = present(&s, bearer(&s, 1), 2).await;
        assert_eq!(second.outcome, Outcome::Refuse(Reason::AlreadyUsed));
        assert_eq!(present(&s, bearer(&s, 2), 3).await.outcome, Outcome::Admit { use_no: 1 });
    });
}

#[test]
fn one_of_many_simultaneous_scans_of_an_unseen_ticket_is_admitted() {
    check(|s| async move {
        let mut tasks = tokio::task::JoinSet::new();
        for id in 0..64 {
            let (store, ticket) = (Arc::clone(&s.store), bearer(&s, 1));
            tasks.spawn(async move { admitted(store.as_ref(), ticket, id).await });
        }
        let all = tasks.join_all().await;
        assert_eq!(all.iter().filter(|one| **one).count(), 1);
    });
}

async fn admitted(store: &dyn Store, ticket: Verified, id: u8) -> bool {
    match store.admit(ticket, scan(id, i64::from(id)), LOG_KEY).await.unwrap() {
        Recorded::New(record, _) => matches!(record.verdict(), Some(Verdict::Admit(_))),
        other => panic!("{other:?}"),
    }
}

/// A row that is not there cannot be held: two servers must not both let the first one in.
#[test]
fn two_servers_admit_an_unseen_ticket_once() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let database = cluster().create_database().unwrap();
        let address = cluster().socket_address(&database);
        let one: Arc<dyn Store> = Arc::new(PostgresStore::open(&address, None).await.unwrap());
        let two: Arc<dyn Store> = Arc::new(PostgresStore::open(&address, None).await.unwrap());
        let s = subject(Arc::clone(&one)).await;
        for round in 0..20 {
            let mut tasks = tokio::task::JoinSet::new();
            for id in 0..8 {
                let store = Arc::clone(if id % 2 == 0 { &one } else { &two });
                let ticket = bearer(&s, round);
                let id = round * 8 + id;
                tasks.spawn(async move { admitted(store.as_ref(), ticket, id).await });
            }
            let all = tasks.join_all().await;
            assert_eq!(all.iter().filter(|one| **one).count(), 1, "round {round}");
        }
    });
}

#[test]
fn a_receipt_buys_as_many_signatures_as_it_paid_for() {
    check(|s| async move {
        paid(&s, 2).await;
        assert_eq!(sign(&s, signing(&s, 1, 1)).await, Slot::Granted);
        assert_eq!(sign(&s, signing(&s, 1, 2)).await, Slot::Granted);
        assert_eq!(sign(&s, signing(&s, 1, 3)).await, Slot::Used);
        assert_eq!(sign(&s, signing(&s, 1, 1)).await, Slot::Granted);
        assert_eq!(s.store.receipt([1; 32]).await.unwrap().unwrap().signed, 2);
        assert_eq!(s.store.issuers().await.unwrap()[0].signed, 2);
    });
}

#[test]
fn of_many_blinded_tokens_for_one_ticket_one_is_signed() {
    check(|s| async move {
        paid(&s, 1).await;
        let mut tasks = tokio::task::JoinSet::new();
        for blinding in 0..64 {
            let (store, event, signing) = (Arc::clone(&s.store), s.event, signing(&s, 1, blinding));
            tasks.spawn(async move { store.sign_slot(event, signing).await.unwrap() });
        }
        let all = tasks.join_all().await;
        assert_eq!(all.iter().filter(|slot| **slot == Slot::Granted).count(), 1);
        assert_eq!(all.iter().filter(|slot| **slot == Slot::Used).count(), 63);
    });
}

#[test]
fn what_is_not_paid_is_not_signed() {
    check(|s| async move {
        paid(&s, 1).await;
        s.store.order(order(&s, 2, 1), NOW).await.unwrap();
        assert_eq!(sign(&s, signing(&s, 2, 1)).await, Slot::NotFound);
        assert_eq!(sign(&s, signing(&s, 3, 1)).await, Slot::NotFound);
    });
}

#[test]
fn a_key_for_something_else_does_not_sign() {
    check(|s| async move {
        paid(&s, 1).await;
        let unknown = Signing { key_id: [9; 32], ..signing(&s, 1, 1) };
        assert_eq!(sign(&s, unknown).await, Slot::OtherKey);
        s.store.put_issuer(Issuer { day: Some(3), ..issuer(&s) }, NOW).await.unwrap();
        // The day of a key never changes.
        assert_eq!(sign(&s, signing(&s, 1, 1)).await, Slot::Granted);
    });
}

#[test]
fn a_retired_key_finishes_what_was_begun() {
    check(|s| async move {
        paid(&s, 3).await;
        let at = |ms| NOW.plus(ms);
        let retired = Issuer { retired_at: Some(at(10)), ..issuer(&s) };
        s.store.put_issuer(retired, at(10)).await.unwrap();
        let late = |blinding, ms| Signing { at: at(ms), ..signing(&s, 1, blinding) };
        assert_eq!(sign(&s, late(1, 9 + OVERLAP_MS)).await, Slot::Granted);
        assert_eq!(sign(&s, late(2, 10 + OVERLAP_MS)).await, Slot::KeyRetired);
        // Whatever was granted is granted again.
        assert_eq!(sign(&s, late(1, 99 + OVERLAP_MS)).await, Slot::Granted);
    });
}

#[test]
fn keys_and_signatures_are_leaves_but_new_sealings_are_not() {
    check(|s| async move {
        paid(&s, 1).await;
        sign(&s, signing(&s, 1, 1)).await;
        let resealed = Issuer { secret: sealed(), ..issuer(&s) };
        s.store.put_issuer(resealed, NOW).await.unwrap();
        assert_eq!(kinds(&s).await, [Kind::Genesis, Kind::Issuer, Kind::BlindSign]);
        let known = s.store.issuers().await.unwrap();
        assert_eq!((known[0].leaf, known[0].signed), (1, 1));
    });
}

fn exchange(ticket: Verified, binding: u8, at: UnixMs) -> Exchange {
    let rotation = TypeRotation { kind: rotating::Kind::Device, interval_s: 30 };
    let reissue = Reissue {
        serial_key: [3; 32],
        random: 1,
        key_no: admit_core::id::KeyNo(1),
        format: "a1".to_owned(),
        link: u64::from(binding),
        at,
        log_key: LOG_KEY,
    };
    Exchange { ticket, binding: vec![binding; 33], rotation, reissue }
}

pub(crate) async fn exchanged(s: &Subject, ticket: Verified, binding: u8) -> Exchanged {
    s.store.exchange(exchange(ticket, binding, NOW)).await.unwrap()
}

#[test]
fn a_ticket_is_exchanged_once_and_told_again_to_the_same_wallet() {
    check(|s| async move {
        s.store.add_type(s.event, sold(50)).await.unwrap();
        let Exchanged::Done(new, Some(_)) = exchanged(&s, bearer(&s, 1), 7).await else {
            panic!("not exchanged")
        };
        assert_eq!((new.binding, new.person), (Some(vec![7; 33]), None));
        assert_eq!(new.rotation.unwrap().kind, rotating::Kind::Device);
        let again = exchanged(&s, bearer(&s, 1), 7).await;
        assert!(matches!(again, Exchanged::Done(known, None) if known.grant == new.grant));
        let other = exchanged(&s, bearer(&s, 1), 8).await;
        assert_eq!(other, Exchanged::Refused(Reason::Transferred));
        let old = present(&s, bearer(&s, 1), 1).await;
        assert_eq!(old.outcome, Outcome::Refuse(Reason::Transferred));
        assert_eq!(s.store.exchanged(s.event).await.unwrap(), [(TYPE, 1)]);
        let told = kinds(&s).await;
        assert_eq!(told[1..], [Kind::Exchange, Kind::Issue, Kind::Refuse]);
    });
}

#[test]
fn of_many_wallets_with_one_ticket_one_gets_the_exchange() {
    check(|s| async move {
        s.store.add_type(s.event, sold(50)).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for binding in 0..16 {
            let store = Arc::clone(&s.store);
            let asked = exchange(bearer(&s, 1), binding, NOW);
            tasks.spawn(async move { store.exchange(asked).await.unwrap() });
        }
        let all = tasks.join_all().await;
        assert_eq!(all.iter().filter(|one| matches!(one, Exchanged::Done(..))).count(), 1);
    });
}

#[test]
fn a_ticket_that_was_used_or_is_over_is_not_exchanged() {
    check(|s| async move {
        s.store.add_type(s.event, sold(50)).await.unwrap();
        present(&s, bearer(&s, 1), 1).await;
        let used = exchanged(&s, bearer(&s, 1), 7).await;
        assert_eq!(used, Exchanged::Refused(Reason::AlreadyUsed));
        let late = exchange(bearer(&s, 2), 7, NOW.plus(3_600_000));
        let late = s.store.exchange(late).await.unwrap();
        assert_eq!(late, Exchanged::Refused(Reason::Expired));
    });
}

#[test]
fn a_ticket_that_was_withdrawn_by_its_number_is_refused() {
    check(|s| async move {
        let ticket = bearer(&s, 1).grant().ticket;
        let token = RevokedToken { ticket, reason: "Stolen".to_owned(), at: NOW };
        assert!(s.store.withdraw(s.event, token.clone(), LOG_KEY).await.unwrap().is_some());
        assert!(s.store.withdraw(s.event, token.clone(), LOG_KEY).await.unwrap().is_none());
        assert_eq!(s.store.revoked_tokens(s.event).await.unwrap(), [token]);
        let refused = present(&s, bearer(&s, 1), 1).await;
        assert_eq!(refused.outcome, Outcome::Refuse(Reason::Revoked));
        let exchange = exchanged(&s, bearer(&s, 1), 7).await;
        assert_eq!(exchange, Exchanged::Refused(Reason::Revoked));
        // Gates without the network are told, too.
        assert_eq!(s.store.withdrawn(s.event).await.unwrap().len(), 1);
    });
}

fn told(s: &Subject, device: i64, nonce: u8, codes: bool) -> Contact {
    let ticket = bearer(s, nonce);
    let entry = JournalEntry {
        sequence: 1,
        scan: ScanId([nonce; 16]),
        digest: ticket.digest(),
        gate: GateNo(1),
        word: Word::Done,
        bounds: Bounds::exact(NOW.plus(device)),
    };
    let hash = Some(entry.chain(DeviceNo(device), BEGINNING));
    let bearers = if codes { vec![ticket] } else { Vec::new() };
    Contact { entries: vec![Arrived { entry, hash }], bearers, ..Contact::default() }
}

#[test]
fn an_entry_without_the_network_is_known_by_the_code_that_comes_with_it() {
    check(|s| async move {
        let sync = async |device, contact| {
            s.store.sync(s.event, DeviceNo(device), contact, NOW, LOG_KEY).await.unwrap().0
        };
        assert_eq!(sync(9, told(&s, 9, 4, false)).await.unknown.len(), 1);
        assert_eq!(sync(1, told(&s, 1, 1, true)).await.stored, 1);
        let second = sync(2, told(&s, 2, 1, true)).await;
        assert_eq!(second.conflicts.len(), 1);
        let known: Digest = bearer(&s, 1).digest();
        assert_eq!(second.conflicts[0].digest, known);
        let here = present(&s, bearer(&s, 1), 5).await;
        assert_eq!(here.outcome, Outcome::Refuse(Reason::AlreadyUsed));
    });
}
