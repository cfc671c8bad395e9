//! Our store without HTTP, beside rivals that have none either: scans of genuine tickets go straight
//! to it, with their audit log.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use admit_core::admission::{Scan, Standing};
use admit_core::id::{DeviceNo, EventNo, GateNo, GateSet, KeyNo, ScanId, TicketId, TypeNo, UnixMs};
use admit_core::log::leaf::LogKey;
use admit_core::pass::Direction;
use admit_core::ticket::{Algorithm, Format, Grant, KeyRing, RingKey, SigningSecret, Verified};
use admit_core::vault::Sealed;
use admit_store::admission::{Admissions, Recorded};
use admit_store::event::{Changed, EventDetails, Events, OFFLINE_HOURS};
use admit_store::postgres::PostgresStore;
use anyhow::{Context, Result, anyhow, ensure};
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::load::Outcome;

const NOW: UnixMs = UnixMs(1_700_000_000_000);
const LOG_KEY: LogKey = LogKey([4; 32]);

/// Makes an event in an empty database and puts its tickets into the spend table; the tickets, as
/// they come out of verification.
pub(super) async fn prepare(address: &str, count: usize) -> Result<Vec<Verified>> {
    let store = PostgresStore::open(address, None).await?;
    let sealed = Sealed::parse(format!("gAAAA{}", "B".repeat(115))).context("not sealed")?;
    let created = store.create_event(details(), sealed, "localhost".to_owned(), NOW).await?;
    let Changed::Done(event) = created else { return Err(anyhow!("no event")) };
    store.add_gate(event.number, "Main".to_owned()).await?;
    let tickets = tickets(event.number, count)?;
    let digests: Vec<Vec<u8>> = tickets.iter().map(|ticket| ticket.digest().0.to_vec()).collect();
    let client = super::rival::connect(address).await?;
    let insert = "INSERT INTO spend (event, digest, standing, uses)
         SELECT $1, digest, $2, 0 FROM unnest($3::bytea[]) AS digest";
    let number = i64::from(event.number.0);
    client.execute(insert, &[&number, &Standing::Issued.code(), &digests]).await?;
    client.batch_execute("ANALYZE; CHECKPOINT").await?;
    Ok(tickets)
}

fn tickets(event: EventNo, count: usize) -> Result<Vec<Verified>> {
    let secret = SigningSecret::from_seed(Algorithm::Ed25519, [1; 32]);
    let mut ring = KeyRing::default();
    ring.add(event, KeyNo(1), RingKey { key: secret.verify_key(), not_after: None });
    let ticket = |number: u64| {
        let grant = Grant {
            event,
            ticket: TicketId(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            type_no: TypeNo(1),
            not_before_s: 0,
            expires_s: 0,
            max_uses: 1,
            gates: GateSet::ANY,
        };
        let code = secret.sign(Format::Compact, KeyNo(1), &grant);
        ring.verify(event, &code, NOW).map_err(|error| anyhow!("{error}"))
    };
    (0..u64::try_from(count)?).map(ticket).collect()
}

/// Lets clients spread over so many stores on one database use tickets up for a while.
pub(super) fn run(
    address: &str,
    stores: usize,
    clients: usize,
    tickets: &[Verified],
    length: Duration,
) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(drive(address, stores, clients, tickets.into(), length))
}

async fn drive(
    address: &str,
    count: usize,
    clients: usize,
    tickets: Arc<[Verified]>,
    length: Duration,
) -> Result<Outcome> {
    let mut stores = Vec::new();
    for _ in 0..count {
        stores.push(PostgresStore::open(address, None).await?);
    }
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for (_, store) in (0..clients).zip(stores.iter().cycle()) {
        let (store, tickets, next) = (store.clone(), Arc::clone(&tickets), Arc::clone(&next));
        tasks.spawn(async move {
            let mut latency = histogram()?;
            while begun.elapsed() < length {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(ticket) = tickets.get(place) else { break };
                let id = ScanId(u128::try_from(place)?.to_be_bytes());
                let scan = Scan {
                    id,
                    device: DeviceNo(1),
                    gate: GateNo(1),
                    at: NOW,
                    direction: Direction::Entry,
                };
                let asked = Instant::now();
                let recorded = store.admit(*ticket, scan, LOG_KEY).await?;
                ensure!(matches!(recorded, Recorded::New(..)), "not admitted: {recorded:?}");
                latency.saturating_record(u64::try_from(asked.elapsed().as_micros())?);
            }
            anyhow::Ok(latency)
        });
    }
    let mut latency = histogram()?;
    while let Some(of_client) = tasks.join_next().await {
        latency.add(&of_client??)?;
    }
    Ok(Outcome { done: latency.len(), elapsed: begun.elapsed(), latency })
}

fn histogram() -> Result<Histogram<u64>> {
    Histogram::new_with_max(60_000_000, 3).map_err(|error| anyhow!("{error}"))
}

fn details() -> EventDetails {
    EventDetails {
        slug: "load".to_owned(),
        name: "Load".to_owned(),
        venue: String::new(),
        description: String::new(),
        time_zone: "UTC".to_owned(),
        doors_at: None,
        starts_at: NOW,
        ends_at: NOW.plus(3_600_000),
        registration_open: false,
        token_format: "a1".to_owned(),
        show_name_at_gate: false,
        phone: "hidden".to_owned(),
        questions: "[]".to_owned(),
        sandbox: false,
        offline_hours: OFFLINE_HOURS,
    }
}
