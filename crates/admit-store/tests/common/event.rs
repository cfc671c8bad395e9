//! An event with tickets on a store, for tests that are about something else.

use admit_core::admission::Scan;
use admit_core::id::{DeviceNo, EventNo, GateNo, GateSet, KeyNo, ScanId, TypeNo, UnixMs};
use admit_core::log::leaf::LogKey;
use admit_core::ticket::{Algorithm, Format, KeyRing, RingKey, SigningSecret, Verified};
use admit_core::vault::Sealed;
use admit_store::Store;
use admit_store::event::{Changed, EventDetails, TypeDetails};
use admit_store::ticket::{Issued, NewTicket};

pub(crate) const NOW: UnixMs = UnixMs(1_700_000_000_000);
pub(crate) const LOG_KEY: LogKey = LogKey([4; 32]);

/// Creates an event with one gate and issues tickets, as they come out of verification.
pub(crate) async fn tickets(store: &dyn Store, count: u32) -> Vec<Verified> {
    let sealed = Sealed::parse(format!("gAAAA{}", "B".repeat(115))).unwrap();
    let created = store.create_event(details(), sealed, "gate.example".to_owned(), NOW).await;
    let Changed::Done(event) = created.unwrap() else { panic!("no event") };
    let kind = TypeDetails {
        name: "Standard".to_owned(),
        description: String::new(),
        quota: count,
        max_uses: 1,
        valid_from: None,
        valid_until: None,
        gates: GateSet::ANY,
    };
    store.add_type(event.number, kind).await.unwrap();
    store.add_gate(event.number, "Main".to_owned()).await.unwrap();
    let mut tickets = Vec::new();
    for random in 0..count {
        tickets.push(issue(store, event.number, random).await);
    }
    tickets
}

async fn issue(store: &dyn Store, event: EventNo, random: u32) -> Verified {
    let new = NewTicket {
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
    };
    let Issued::New(ticket, _) = store.issue(new).await.unwrap() else { panic!("not issued") };
    let secret = SigningSecret::from_seed(Algorithm::Ed25519, [1; 32]);
    let mut ring = KeyRing::default();
    ring.add(event, KeyNo(1), RingKey { key: secret.verify_key(), not_after: None });
    let code = secret.sign(Format::Compact, KeyNo(1), &ticket.grant);
    ring.verify(event, &code, NOW).unwrap()
}

/// A scan at the gate whose name no other number has.
pub(crate) fn scan(number: u128) -> Scan {
    let id = ScanId(number.to_be_bytes());
    Scan { id, device: DeviceNo(1), gate: GateNo(1), at: NOW }
}

fn details() -> EventDetails {
    EventDetails {
        slug: "gala".to_owned(),
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
    }
}
