//! Gates without the network over HTTP: reports, doubles, leases, and what is downloaded before.

use admit_core::admission::Verdict;
use admit_core::id::{DeviceNo, GateNo, ScanId, UnixMs};
use admit_core::offline::clock::Now;
use admit_core::offline::device::Device;
use admit_core::offline::effect::Effect;
use admit_core::offline::wire;
use admit_core::setup::{Judge, Read, Setup};
use admit_store::account::Role;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::{NOW, TestApp, Who};

/// A gate as it runs in a browser, with the core's state machine.
struct Gate {
    token: Who,
    judge: Judge,
    device: Device,
    /// Milliseconds since the start, on a clock of its own.
    monotonic_ms: i64,
}

impl Gate {
    async fn pair(app: &TestApp) -> Self {
        let token = app.device().await;
        let (judge, number) = Self::setup(app, &token).await;
        let device = Device::new(number, judge.terms().unwrap());
        let mut gate = Self { token, judge, device, monotonic_ms: 0 };
        gate.sync(app).await;
        gate
    }

    async fn setup(app: &TestApp, token: &Who) -> (Judge, DeviceNo) {
        let told = app.get(token, "/v1/gate").await.expect(StatusCode::OK).json();
        let number = DeviceNo(told["device"]["id"].as_i64().unwrap());
        let setup: Setup = serde_json::from_value(told).unwrap();
        (Judge::new(setup).unwrap(), number)
    }

    async fn refresh(&mut self, app: &TestApp) {
        let (judge, _) = Self::setup(app, &self.token).await;
        self.device.set_terms(judge.terms().unwrap());
        self.judge = judge;
    }

    fn now(&self) -> Now {
        Now { monotonic_ms: self.monotonic_ms, wall_ms: NOW + self.monotonic_ms }
    }

    fn wait(&mut self, app: &TestApp, ms: i64) {
        app.wait(ms);
        self.monotonic_ms += ms;
    }

    /// Judges a code without the server.
    fn offline(&mut self, code: &str, id: u8) -> Verdict {
        let now = self.now();
        let Read::Genuine(ticket) = self.judge.read(code, None, UnixMs(now.wall_ms)) else {
            panic!("the code is not genuine")
        };
        let effects = self.device.present(ScanId([id; 16]), ticket, GateNo(1), false, now);
        let shown = effects.into_iter().find_map(|effect| match effect {
            Effect::Show { verdict, .. } => Some(verdict),
            _ => None,
        });
        shown.unwrap()
    }

    fn admits(&mut self, code: &str, id: u8) -> bool {
        matches!(self.offline(code, id), Verdict::Admit(_))
    }

    async fn sync(&mut self, app: &TestApp) -> Value {
        let report = wire::report(&self.device.report());
        let sent = self.now();
        let reply = app.post(&self.token, "/v1/sync_offline", report).await.expect(StatusCode::OK);
        let answer = wire::answer(&String::from_utf8(reply.bytes.clone()).unwrap()).unwrap();
        self.device.heard(&answer, sent, self.now());
        reply.json()
    }
}

async fn conflicts(app: &TestApp) -> Vec<Value> {
    let desk = app.staff(Role::Viewer).await;
    let told = app.get(&desk, "/v1/desk/events/sample/conflicts").await.expect(StatusCode::OK);
    told.json()["conflicts"].as_array().unwrap().clone()
}

async fn entries(app: &TestApp) -> Value {
    let desk = app.staff(Role::Viewer).await;
    app.get(&desk, "/v1/desk/events/sample/stats").await.json()["entries"].clone()
}

#[tokio::test]
async fn a_gate_without_a_network_admits_once_and_the_desk_counts_it_afterwards() {
    let app = TestApp::start().await;
    let (mut gate, code) = (Gate::pair(&app).await, app.code().await);
    gate.wait(&app, 60_000);
    assert!(gate.admits(&code, 1));
    assert!(!gate.admits(&code, 2));
    assert_eq!(entries(&app).await, 0);
    let told = gate.sync(&app).await;
    assert_eq!((&told["stored"], &told["acknowledged"]), (&json!(2), &json!([1, 2])));
    assert_eq!(entries(&app).await, 1);
    assert_eq!(gate.device.pending(), 0);
}

#[tokio::test]
async fn the_seeds_own_words_are_understood() {
    let app = TestApp::start().await;
    let (device, code) = (app.device().await, app.code().await);
    let gate = Gate::pair(&app).await;
    let Read::Genuine(ticket) = gate.judge.read(&code, None, UnixMs(NOW)) else { panic!() };
    let token = json!({"token_hash": ticket.digest().to_string(), "t": "2027-01-15T08:00:00Z",
        "local_id": "scan 17", "gate": 1});
    let body = json!({"validator_id": "laptop-01", "accepted_tokens": [token]});
    let first = app.post(&device, "/v1/sync_offline", body.clone()).await.expect(StatusCode::OK);
    assert_eq!(first.json()["stored"], 1);
    let again = app.post(&device, "/v1/sync_offline", body).await.expect(StatusCode::OK).json();
    assert_eq!((&again["stored"], &again["duplicates"]), (&json!(0), &json!(1)));
}

#[tokio::test]
async fn two_gates_that_both_admitted_are_told_with_the_earliest_for_certain_first() {
    let app = TestApp::start().await;
    let code = app.code().await;
    let (mut a, mut b) = (Gate::pair(&app).await, Gate::pair(&app).await);
    a.monotonic_ms += 60_000;
    b.wait(&app, 60_000);
    assert!(b.admits(&code, 2));
    a.wait(&app, 5_000);
    b.monotonic_ms += 5_000;
    assert!(a.admits(&code, 1));
    a.wait(&app, 1000);
    b.monotonic_ms += 1000;
    // The later one is told first.
    assert_eq!(a.sync(&app).await["conflicts"], json!([]));
    let told = b.sync(&app).await;
    let conflict = &told["conflicts"][0];
    assert_eq!((&conflict["mine"], &conflict["order_certain"]), (&json!("first"), &json!(true)));
    assert_eq!(conflict["second"]["local_id"], ScanId([1; 16]).to_string());
    let other = a.sync(&app).await;
    assert_eq!(other["notices"][0]["mine"], "second");
    let desk = conflicts(&app).await;
    assert_eq!((desk.len(), &desk[0]["id"]), (1, &conflict["id"]));
    app.wait(60_000);
    assert_eq!(conflicts(&app).await[0]["at"], desk[0]["second"]["at"]);
    assert_eq!(desk[0]["entries"].as_array().unwrap().len(), 2);
    assert_eq!(entries(&app).await, 2);
}

#[tokio::test]
async fn a_notice_stays_until_the_device_says_that_it_was_seen() {
    let app = TestApp::start().await;
    let code = app.code().await;
    let (mut a, mut b) = (Gate::pair(&app).await, Gate::pair(&app).await);
    assert!(a.admits(&code, 1) && b.admits(&code, 2));
    a.sync(&app).await;
    let id = b.sync(&app).await["notices"][0]["id"].as_u64().unwrap();
    assert_eq!(b.sync(&app).await["notices"][0]["id"], id);
    b.device.shown(id);
    assert_eq!(b.sync(&app).await["notices"], json!([]));
    assert_eq!(a.sync(&app).await["notices"][0]["id"], id);
}

#[tokio::test]
async fn gates_that_nobody_can_both_have_been_at_are_called_fraud() {
    let app = TestApp::start().await;
    let desk = app.staff(Role::Organiser).await;
    let code = app.code().await;
    for (gate, latitude, longitude) in [(1, 52.525, 13.369), (2, 53.553, 10.007)] {
        let path = format!("/v1/desk/events/sample/gates/{gate}");
        let place = json!({"latitude": latitude, "longitude": longitude});
        app.patch(&desk, &path, place).await.expect(StatusCode::OK);
    }
    let (mut a, device) = (Gate::pair(&app).await, app.device().await);
    a.wait(&app, 60_000);
    let body = json!({"code": code, "gate": 2, "scan_id": ScanId([9; 16]).to_string()});
    app.post(&device, "/v1/gate/admissions", body).await.expect(StatusCode::OK);
    a.wait(&app, 60_000);
    assert!(a.admits(&code, 1));
    a.sync(&app).await;
    let conflict = &conflicts(&app).await[0];
    assert_eq!(conflict["fraud"], true);
    assert!((conflict["distance_m"].as_f64().unwrap() - 253_000.0).abs() < 2_000.0);
}

#[tokio::test]
async fn a_gate_learns_of_entries_elsewhere_and_refuses_them_by_itself() {
    let app = TestApp::start().await;
    let code = app.code().await;
    let (mut gate, device) = (Gate::pair(&app).await, app.device().await);
    app.scan(&device, &code, 7).await.expect(StatusCode::OK);
    gate.sync(&app).await;
    assert!(!gate.admits(&code, 1));
}

#[tokio::test]
async fn a_withdrawn_ticket_is_refused_by_a_gate_that_has_heard_of_it() {
    let app = TestApp::start().await;
    let desk = app.staff(Role::Organiser).await;
    let mut gate = Gate::pair(&app).await;
    let ticket = app.register("A Guest").await["ticket"].clone();
    let number = ticket["number"].as_str().unwrap();
    let path = format!("/v1/desk/events/sample/tickets/{number}/revoke");
    app.post(&desk, &path, json!({"reason": "lost"})).await.expect(StatusCode::OK);
    gate.sync(&app).await;
    let told = gate.offline(ticket["code"].as_str().unwrap(), 1);
    assert_eq!(told, Verdict::Refuse(admit_core::reason::Reason::Revoked));
}

#[tokio::test]
async fn a_gate_that_has_not_synced_for_too_long_admits_nobody() {
    let app = TestApp::start().await;
    let desk = app.staff(Role::Organiser).await;
    let hours = json!({"offline_hours": 2});
    app.patch(&desk, "/v1/desk/events/sample", hours).await.expect(StatusCode::OK);
    let (mut gate, code) = (Gate::pair(&app).await, app.code().await);
    gate.wait(&app, 2 * 3_600_000 + 60_000);
    let refused = gate.offline(&code, 1);
    assert_eq!(refused, Verdict::Refuse(admit_core::reason::Reason::SyncNeeded));
    gate.sync(&app).await;
    assert!(gate.admits(&code, 2));
}

#[tokio::test]
async fn a_type_may_refuse_without_the_server_or_leave_it_to_one_device() {
    let app = TestApp::start().await;
    let desk = app.staff(Role::Organiser).await;
    let path = "/v1/desk/events/sample/ticket-types/1";
    let code = app.code().await;
    let (mut home, mut other) = (Gate::pair(&app).await, Gate::pair(&app).await);
    app.patch(&desk, path, json!({"offline": "refuse"})).await.expect(StatusCode::OK);
    home.refresh(&app).await;
    let refused = Verdict::Refuse(admit_core::reason::Reason::OfflineRefused);
    assert_eq!(home.offline(&code, 1), refused);
    let lease = json!({"offline": "lease", "lease_device": home.device.number().0});
    let told = app.patch(&desk, path, lease).await.expect(StatusCode::OK).json();
    assert_eq!(told["lease_holder"], home.device.number().0);
    for gate in [&mut home, &mut other] {
        gate.refresh(&app).await;
        gate.sync(&app).await;
    }
    assert_eq!(other.offline(&code, 2), Verdict::Refuse(admit_core::reason::Reason::Held));
    assert!(home.admits(&code, 3));
}

#[tokio::test]
async fn a_ticket_under_a_lease_enters_elsewhere_once_the_holder_has_given_it_back() {
    let app = TestApp::start().await;
    let desk = app.staff(Role::Organiser).await;
    let code = app.code().await;
    let mut home = Gate::pair(&app).await;
    let lease = json!({"offline": "lease", "lease_device": home.device.number().0});
    let path = "/v1/desk/events/sample/ticket-types/1";
    app.patch(&desk, path, lease).await.expect(StatusCode::OK);
    home.refresh(&app).await;
    let elsewhere = app.device().await;
    let held = app.scan(&elsewhere, &code, 1).await.expect(StatusCode::CONFLICT).json();
    assert_eq!(held["reason"], "held");
    // The first contact tells the holder, the second tells that it gave the ticket back.
    assert_eq!(home.sync(&app).await["recalled"].as_array().unwrap().len(), 1);
    assert!(!home.admits(&code, 9));
    assert_eq!(home.sync(&app).await["recalled"], json!([]));
    app.scan(&elsewhere, &code, 2).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn only_a_device_of_the_event_can_hold_a_lease() {
    let app = TestApp::start().await;
    let desk = app.staff(Role::Organiser).await;
    let path = "/v1/desk/events/sample/ticket-types/1";
    let nobody = json!({"offline": "lease", "lease_device": 4711});
    app.patch(&desk, path, nobody).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let loose = json!({"offline": "any", "lease_device": 1});
    app.patch(&desk, path, loose).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn what_is_no_report_is_refused_whole_and_says_where() {
    let app = TestApp::start().await;
    let device = app.device().await;
    let good = json!({"token_hash": "00".repeat(32), "local_id": "x", "gate": 1, "low_ms": 5});
    for (field, value) in [
        ("token_hash", json!("xyz")),
        ("word", json!("maybe")),
        ("low_ms", json!(null)),
        ("sequence", json!(3)),
        ("gate", json!(null)),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        let body = json!({"accepted_tokens": [good, bad]});
        let refused = app.post(&device, "/v1/sync_offline", body).await;
        refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let many = json!({"accepted_tokens": [], "shown": vec![1; 5001]});
    app.post(&device, "/v1/sync_offline", many).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    app.post(&Who::Anybody, "/v1/sync_offline", json!({"accepted_tokens": []}))
        .await
        .expect(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_download_names_nobody_to_who_has_no_ticket() {
    let app = TestApp::start().await;
    let desk = app.staff(Role::Organiser).await;
    let ticket = app.register("Zorblax Quuxington").await["ticket"].clone();
    let device = app.device().await;
    let plain = app.get(&device, "/v1/gate/download").await.expect(StatusCode::OK).json();
    assert_eq!((&plain["total"], &plain["tickets"][0]["name"]), (&json!(1), &Value::Null));
    let show = json!({"show_name_at_gate": true});
    app.patch(&desk, "/v1/desk/events/sample", show).await.expect(StatusCode::OK);
    let page = app.get(&device, "/v1/gate/download").await.expect(StatusCode::OK);
    assert!(!String::from_utf8_lossy(&page.bytes).contains("Zorblax"));
    let locked = page.json()["tickets"][0]["name"].as_str().unwrap().to_owned();
    let locked = data_encoding::BASE64.decode(locked.as_bytes()).unwrap();
    let unlock = |key: [u8; 32]| {
        let (nonce, sealed) = locked.split_first_chunk::<12>().unwrap();
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap());
        let mut text = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        key.open_in_place(nonce, Aad::empty(), &mut text).ok().map(|name| name.to_vec())
    };
    let key = admit_core::ticket::lock_key(ticket["code"].as_str().unwrap()).unwrap();
    assert_eq!(unlock(key).unwrap(), b"Zorblax Quuxington");
    let other = app.code().await;
    assert_eq!(unlock(admit_core::ticket::lock_key(&other).unwrap()), None);
}

#[tokio::test]
async fn a_validator_that_keeps_nothing_exact_gets_a_filter_of_what_entered() {
    let app = TestApp::start().await;
    let (device, code, other) = (app.device().await, app.code().await, app.code().await);
    app.scan(&device, &code, 1).await.expect(StatusCode::OK);
    let told = app.get(&device, "/v1/bloom").await.expect(StatusCode::OK).json();
    assert_eq!((&told["entries"], &told["hashes"]), (&json!(1), &json!(7)));
    let bytes = data_encoding::BASE64.decode(told["filter"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(told["bits"].as_u64().unwrap(), u64::try_from(bytes.len()).unwrap() * 8);
    let gate = Gate::pair(&app).await;
    let holds = |code: &str| {
        let Read::Genuine(ticket) = gate.judge.read(code, None, UnixMs(NOW)) else { panic!() };
        // Looked up as the format says, without our own reader.
        let name: [u8; 8] = ticket.digest().0[..8].try_into().unwrap();
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &name);
        let b = u64::from_be_bytes(hash.as_ref()[..8].try_into().unwrap()) | 1;
        (0..7u64).all(|i| {
            let bit = u64::from_be_bytes(name).wrapping_add(i.wrapping_mul(b));
            let bit = usize::try_from(bit % told["bits"].as_u64().unwrap()).unwrap();
            bytes[bit / 8] & 1 << (bit % 8) != 0
        })
    };
    assert!(holds(&code) && !holds(&other));
}

#[tokio::test]
async fn the_desk_sees_how_fresh_each_device_is() {
    let app = TestApp::start().await;
    let desk = app.staff(Role::Organiser).await;
    let (device, code) = (app.device().await, app.code().await);
    let body = json!({"code": code, "gate": 1, "scan_id": ScanId([1; 16]).to_string(),
        "confirm": true});
    app.post(&device, "/v1/gate/admissions", body).await.expect(StatusCode::OK);
    let list = "/v1/desk/events/sample/devices";
    let before = app.get(&desk, list).await.json()["devices"][0].clone();
    assert_eq!((&before["state"], &before["unconfirmed"]), (&Value::Null, &json!(1)));
    let report = json!({"accepted_tokens": [], "pending": 3, "persisted": false, "battery": 41});
    app.post(&device, "/v1/sync_offline", report).await.expect(StatusCode::OK);
    let after = app.get(&desk, list).await.json()["devices"][0]["state"].clone();
    assert_eq!((&after["pending"], &after["persisted"]), (&json!(3), &json!(false)));
}
