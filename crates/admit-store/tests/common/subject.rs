//! An event on a store under test, and what tests do with it.

use std::sync::Arc;

use admit_core::admission::Scan;
use admit_core::id::{DeviceNo, EventNo, GateNo, KeyNo, ScanId, TypeNo, UnixMs};
use admit_core::log::leaf::LogKey;
use admit_core::pass::Direction;
use admit_core::ticket::{Algorithm, Format, KeyRing, RingKey, SigningSecret, Verified};
use admit_core::vault::Sealed;
use admit_store::Store;
use admit_store::admission::{Recorded, ScanRecord};
use admit_store::event::{Changed, EventDetails, OFFLINE_HOURS, TypeDetails};
use admit_store::ticket::{Issued, NewTicket, Person, Ticket};

pub(crate) const NOW: UnixMs = UnixMs(1_700_000_000_000);
pub(crate) const HOST: &str = "gate.example";
pub(crate) const LOG_KEY: LogKey = LogKey([4; 32]);

/// A store under test.
pub(crate) struct Subject {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) event: EventNo,
}

pub(crate) async fn subject(store: Arc<dyn Store>) -> Subject {
    let Changed::Done(event) =
        store.create_event(details("gala"), sealed(), HOST.to_owned(), NOW).await.unwrap()
    else {
        panic!("no event")
    };
    store.add_type(event.number, kind(50)).await.unwrap();
    store.add_gate(event.number, "Main".to_owned()).await.unwrap();
    Subject { store, event: event.number }
}

pub(crate) fn sealed() -> Sealed {
    Sealed::parse(format!("gAAAA{}", "B".repeat(115))).unwrap()
}

pub(crate) fn details(slug: &str) -> EventDetails {
    EventDetails {
        slug: slug.to_owned(),
        name: "Gala".to_owned(),
        venue: "Hall".to_owned(),
        description: String::new(),
        time_zone: "Europe/Berlin".to_owned(),
        doors_at: None,
        starts_at: NOW,
        ends_at: NOW.plus(3_600_000),
        registration_open: true,
        token_format: "a1".to_owned(),
        show_name_at_gate: false,
        phone: "optional".to_owned(),
        questions: "[]".to_owned(),
        sandbox: false,
        offline_hours: OFFLINE_HOURS,
    }
}

pub(crate) fn kind(quota: u32) -> TypeDetails {
    TypeDetails::plain("Standard", quota)
}

pub(crate) fn new_ticket(event: EventNo, random: u32) -> NewTicket {
    NewTicket {
        event,
        type_no: TypeNo(1),
        person: None,
        idempotency: None,
        serial_key: [3; 32],
        random,
        key_no: KeyNo(1),
        format: "a1".to_owned(),
        by_public: true,
        terms: None,
        transferable: false,
        link: u64::from(random),
        at: NOW,
        log_key: LOG_KEY,
    }
}

pub(crate) fn person(id: u8) -> Person {
    Person {
        id: [id; 16],
        wrapped_key: sealed(),
        name: sealed(),
        email: Some(sealed()),
        phone: None,
        answers: None,
        email_index: Some([id; 16]),
    }
}

pub(crate) async fn issue(s: &Subject, new: NewTicket) -> Ticket {
    match s.store.issue(new).await.unwrap() {
        Issued::New(ticket, _) => ticket,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn verified(ticket: &Ticket) -> Verified {
    let secret = SigningSecret::from_seed(Algorithm::Ed25519, [1; 32]);
    let mut ring = KeyRing::default();
    let key = RingKey { key: secret.verify_key(), not_after: None };
    ring.add(ticket.grant.event, KeyNo(1), key);
    let code = secret.sign(Format::Compact, KeyNo(1), &ticket.grant);
    ring.verify(ticket.grant.event, &code, NOW).unwrap()
}

pub(crate) fn scan(id: u8, device: i64) -> Scan {
    Scan {
        id: ScanId([id; 16]),
        device: DeviceNo(device),
        gate: GateNo(1),
        at: NOW,
        direction: Direction::Entry,
    }
}

pub(crate) async fn admit(s: &Subject, ticket: &Ticket, scan: Scan) -> ScanRecord {
    match s.store.admit(verified(ticket), scan, LOG_KEY).await.unwrap() {
        Recorded::New(record, _) | Recorded::Repeated(record) => record,
        Recorded::IdReused => panic!("id reused"),
    }
}
