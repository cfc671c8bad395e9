//! One rule engine: 10,000 generated scans through the server's store and through the core as browsers
//! run it, WebAssembly under Node. Verdict and reason are the same for each.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

#[expect(dead_code, reason = "a part of what tests do with a store")]
#[path = "common/subject.rs"]
mod subject;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use admit_core::admission::{Scan, Standing, Verdict};
use admit_core::id::{DeviceNo, GateNo, GateSet, KeyNo, ScanId, TicketId, TypeNo, UnixMs};
use admit_core::offline::wire::denied_text;
use admit_core::pass::Direction;
use admit_core::reason::Reason;
use admit_core::ticket::{Algorithm, Format, Grant, KeyRing, RingKey, SigningSecret};
use admit_store::admission::Recorded;
use admit_store::event::Gate;
use admit_store::sqlite::{Durability, SqliteStore};
use admit_store::ticket::{NewTicket, Terms};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};
use subject::{LOG_KEY, NOW, Subject, issue, new_ticket};

const SCANS: usize = 10_000;
const TICKETS: usize = 600;
const GATES: u16 = 4;
const DEVICE: DeviceNo = DeviceNo(1);

/// The same numbers every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % u64::try_from(n).unwrap()).unwrap()
    }
}

fn secret() -> SigningSecret {
    SigningSecret::from_seed(Algorithm::Ed25519, [1; 32])
}

struct Asked {
    id: ScanId,
    code: String,
    gate: GateNo,
    at: UnixMs,
}

/// Tickets of every sort, some of them used or withdrawn before.
async fn tickets(s: &Subject, chance: &mut Chance) -> Vec<Grant> {
    let mut all = Vec::new();
    for n in 0..TICKETS {
        let second = u32::try_from(NOW.0 / 1000).unwrap();
        let shift = |by: usize| second + u32::try_from(by).unwrap();
        let terms = Terms {
            max_uses: [1, 1, 2, 3, 0][n % 5],
            gates: GateSet([0, 0, 1, 6, 8][chance.below(5)]),
            valid_from: (n % 7 == 0).then(|| UnixMs(i64::from(shift(chance.below(900))) * 1000)),
            valid_until: (n % 6 == 0).then(|| UnixMs(i64::from(shift(chance.below(900))) * 1000)),
        };
        let new =
            NewTicket { terms: Some(terms), ..new_ticket(s.event, u32::try_from(n).unwrap()) };
        let ticket = issue(s, new).await;
        if n % 11 == 0 {
            let elsewhere = Scan {
                id: ScanId(u128::try_from(n).unwrap().to_be_bytes()),
                device: DeviceNo(2),
                gate: GateNo(1),
                at: NOW,
                direction: Direction::Entry,
            };
            s.store.admit(verified(&ticket.grant, NOW).unwrap(), elsewhere, LOG_KEY).await.unwrap();
        }
        if n % 13 == 0 {
            let id = ticket.grant.ticket;
            s.store.set_standing(s.event, id, Standing::Revoked, NOW, LOG_KEY).await.unwrap();
        }
        all.push(ticket.grant);
    }
    all
}

fn ring(event: admit_core::id::EventNo) -> KeyRing {
    let mut ring = KeyRing::default();
    ring.add(event, KeyNo(1), RingKey { key: secret().verify_key(), not_after: None });
    ring
}

fn verified(
    grant: &Grant,
    at: UnixMs,
) -> Result<admit_core::ticket::Verified, admit_core::ticket::Invalid> {
    let code = secret().sign(Format::Compact, KeyNo(1), grant);
    ring(grant.event).verify(grant.event, &code, at)
}

/// Scans in the order of time: genuine codes in both formats, forged ones and nonsense.
fn scans(grants: &[Grant], chance: &mut Chance) -> Vec<Asked> {
    let mut at = NOW;
    let asked = |n: usize| {
        at = at.plus(i64::try_from(chance.below(200)).unwrap());
        let grant = grants[chance.below(grants.len())];
        let format = if chance.below(4) == 0 { Format::Jwt } else { Format::Compact };
        let mut code = secret().sign(format, KeyNo(1), &grant);
        match chance.below(20) {
            0 => code.replace_range(20..21, if &code[20..21] == "7" { "8" } else { "7" }),
            1 => {
                let event = admit_core::id::EventNo(99);
                code = secret().sign(format, KeyNo(1), &Grant { event, ..grant });
            }
            2 => code.truncate(chance.below(60)),
            _ => {}
        }
        let gate = GateNo(u16::try_from(chance.below(usize::from(GATES)) + 1).unwrap());
        let id = ScanId((u128::try_from(n).unwrap() + 1_000_000).to_be_bytes());
        Asked { id, code, gate, at }
    };
    // A code that could be a ticket number is left to the server: there is none here.
    (0..SCANS).map(asked).filter(|asked| TicketId::parse_number(&asked.code).is_none()).collect()
}

async fn by_the_server(s: &Subject, scans: &[Asked]) -> Vec<(String, Option<String>)> {
    let ring = ring(s.event);
    let mut told = Vec::with_capacity(scans.len());
    for asked in scans {
        let verdict = match ring.verify(s.event, &asked.code, asked.at) {
            Err(invalid) => Verdict::Refuse(Reason::from(invalid)),
            Ok(ticket) => {
                let direction = Direction::Entry;
                let (id, gate, at) = (asked.id, asked.gate, asked.at);
                let scan = Scan { id, device: DEVICE, gate, at, direction };
                match s.store.admit(ticket, scan, LOG_KEY).await.unwrap() {
                    Recorded::New(record, _) => record.verdict().unwrap(),
                    other => panic!("{other:?}"),
                }
            }
        };
        told.push(match verdict {
            Verdict::Admit(_) => ("admit".to_owned(), None),
            Verdict::Refuse(reason) => ("refuse".to_owned(), Some(reason.code().to_owned())),
        });
    }
    told
}

/// What a gate is told before it loses the network.
async fn told_before(s: &Subject) -> (Value, Value) {
    let view = s.store.event("gala").await.unwrap().unwrap();
    let gates = view.gates.iter().map(|gate| json!({"number": gate.number.0, "open": gate.open}));
    let public = BASE64URL_NOPAD.encode(&secret().public_key().unwrap());
    let closes = view.event.details.ends_at.plus(admit_core::admission::EVENT_GRACE_MS).0;
    let setup = json!({
        "device": DEVICE.0,
        "event": {"number": s.event.0, "closes_at_ms": closes, "offline_hours": 72},
        "gates": gates.collect::<Vec<_>>(),
        "ticket_types": [{"number": 1, "name": "Standard", "offline": "any", "lease_since": null}],
        "keys": [{"key_id": 1, "algorithm": "ed25519", "public_key": public}],
    });
    let elsewhere = s.store.elsewhere(s.event, DEVICE, 0).await.unwrap();
    let denied = s.store.withdrawn(s.event).await.unwrap();
    let answer = json!({
        "acknowledged": [], "notices": [], "recalled": [], "recalled_types": [],
        "spent": {"from": 0, "next": elsewhere.next, "changes": BASE64.encode(&elsewhere.changes)},
        "denied": denied.iter().map(denied_text).collect::<Vec<_>>(),
        "server_time_ms": NOW.0,
    });
    (setup, answer)
}

fn by_the_browser(setup: &Value, answer: &Value, scans: &[Asked]) -> Vec<(String, Option<String>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let package = root.join("../../web/lib/core/pkg");
    assert!(package.join("admit_wasm.js").exists(), "build it first: cargo xtask wasm");
    let scans: Vec<_> = scans
        .iter()
        .map(|asked| {
            let id = asked.id.to_string();
            json!({"id": id, "code": asked.code, "gate": asked.gate.0, "at": asked.at.0})
        })
        .collect();
    let question = json!({"setup": setup, "answer": answer, "start": NOW.0, "scans": scans});
    let mut node = Command::new("node")
        .arg(root.join("tests/parity/judge.mjs"))
        .arg(package.canonicalize().unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    node.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_scans_are_judged_alike_by_the_server_and_by_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing here has to outlive the machine.
    let path = folder.path().join("admit.sqlite");
    let store = Arc::new(SqliteStore::open(&path, Durability::Normal).unwrap());
    let s = subject::subject(store).await;
    for n in 2..=GATES {
        s.store.add_gate(s.event, format!("Gate {n}")).await.unwrap();
    }
    let closed =
        Gate { number: GateNo(GATES), name: "Closed".to_owned(), open: false, place: None };
    s.store.change_gate(s.event, closed).await.unwrap();
    s.store.change_type(s.event, TypeNo(1), subject::kind(1000)).await.unwrap();
    let mut chance = Chance(42);
    let grants = tickets(&s, &mut chance).await;
    let (setup, answer) = told_before(&s).await;
    let scans = scans(&grants, &mut chance);
    let browser = by_the_browser(&setup, &answer, &scans);
    let server = by_the_server(&s, &scans).await;
    let mut reasons = std::collections::BTreeMap::new();
    for (n, (here, there)) in server.iter().zip(&browser).enumerate() {
        assert_eq!(here, there, "scan {n}: {} at {:?}", scans[n].code, scans[n].gate);
        *reasons.entry(here.1.clone().unwrap_or_default()).or_insert(0) += 1;
    }
    assert_eq!(browser.len(), scans.len());
    // Every kind of answer was among them.
    for reason in [
        "",
        "already_used",
        "uses_exhausted",
        "invalid",
        "wrong_event",
        "revoked",
        "entry_point_denied",
        "gate_closed",
        "not_yet_valid",
        "expired",
    ] {
        assert!(reasons.contains_key(reason), "no {reason:?} in {reasons:?}");
    }
}
