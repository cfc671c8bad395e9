//! The edge: consuming without a look-up, and spent proofs between gates.

use admit_core::edge::EdgeSetup;
use admit_core::id::{DeviceNo, EventNo, GateNo, UnixMs};
use admit_core::log::note::{NoteSigner, Verifier};
use admit_core::spent::{SpentList, signer_name};
use admit_core::ticket::{Algorithm, SigningSecret};
use axum::http::StatusCode;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::app::{NOW, Reply, TestApp, Who};

struct Edge {
    app: TestApp,
    key: Who,
}

/// A gate in the hands of the test.
struct Gate {
    gate: admit_core::edge::EdgeGate,
    signer: NoteSigner,
}

impl Gate {
    fn list(&self) -> String {
        self.gate.spent_after(0).sign(&self.signer).unwrap()
    }
}

impl Edge {
    async fn open() -> Self {
        let app = TestApp::start().await;
        admit::sandbox::open(&app.app).await.unwrap();
        let told = app.get(&Who::Anybody, "/v1/sandbox").await.json();
        Self { app, key: Who::Bearer(told["key"].as_str().unwrap().to_owned()) }
    }

    async fn post(&self, path: &str, body: Value) -> Reply {
        self.app.post(&self.key, &format!("/v1/tickets/edge/{path}"), body).await
    }

    async fn issue(&self) -> Value {
        let body =
            json!({"event": "sandbox-edge", "entryPoints": ["gate-a", "gate-b"], "maxUses": 1});
        self.post("issue", body).await.expect(StatusCode::CREATED).json()
    }

    async fn at_gate(&self, path: &str, token: &Value) -> Reply {
        let body = json!({"token": token, "event": "sandbox-edge", "gate": "gate-a"});
        self.post(path, body).await
    }

    async fn gate(&self, number: u16, seed: u8) -> Gate {
        let secret = SigningSecret::from_seed(Algorithm::Ed25519, [seed; 32]);
        let key = BASE64URL_NOPAD.encode(&secret.public_key().unwrap());
        let body = json!({"event": "sandbox-edge", "name": "Gate", "publicKey": key});
        let setup = self.post("devices", body).await.expect(StatusCode::CREATED).json();
        let setup: EdgeSetup = serde_json::from_value(setup).unwrap();
        let name = signer_name(EventNo(setup.event_number), DeviceNo(setup.device));
        let signer = NoteSigner::new(&name, &[seed; 32]).unwrap();
        Gate { gate: setup.open(GateNo(number)).unwrap(), signer }
    }

    async fn sync(&self, list: &str) -> Reply {
        self.post("spent/sync", json!({"event": "sandbox-edge", "signed": list})).await
    }
}

#[tokio::test]
async fn an_edge_ticket_is_admitted_consumed_and_then_spent() {
    let edge = Edge::open().await;
    let issued = edge.issue().await;
    assert_eq!(issued["verification"]["mode"], "stateless_at_edge");
    assert_eq!(issued["verification"]["serverRequired"], false);
    let seen = edge.at_gate("verify", &issued["token"]).await.expect(StatusCode::OK).json();
    assert_eq!((&seen["admitted"], &seen["offline"]), (&json!(true), &json!(true)));
    assert_eq!(seen["merkle_validation"]["circuit_id"], "edge");
    let consumed = edge.at_gate("consume", &issued["token"]).await.expect(StatusCode::OK).json();
    assert_eq!(consumed["consumed"], true);
    assert_eq!(consumed["spentProof"]["digest"], issued["proofDigest"]);
    let again = edge.at_gate("consume", &issued["token"]).await.expect(StatusCode::CONFLICT).json();
    assert_eq!(again["reason"], "proof_digest_spent");
    assert_eq!(again["crypto"]["signatureValid"], true);
}

#[tokio::test]
async fn a_gate_without_a_network_admits_once_and_the_server_learns_of_it() {
    let edge = Edge::open().await;
    let token = edge.issue().await["token"].as_str().unwrap().to_owned();
    let mut gate = edge.gate(1, 1).await;
    assert!(gate.gate.consume(&token, UnixMs(NOW)).1.is_some());
    let done = edge.sync(&gate.list()).await.expect(StatusCode::OK).json();
    assert_eq!((&done["stored"], &done["duplicates"]), (&json!(1), &json!(0)));
    let done = edge.sync(&gate.list()).await.expect(StatusCode::OK).json();
    assert_eq!((&done["stored"], &done["duplicates"]), (&json!(0), &json!(1)));
    let refused = edge.at_gate("consume", &json!(token)).await.expect(StatusCode::CONFLICT).json();
    assert_eq!(refused["reason"], "proof_digest_spent");
}

#[tokio::test]
async fn a_gate_learns_from_the_server_what_was_consumed_elsewhere() {
    let edge = Edge::open().await;
    let token = edge.issue().await["token"].as_str().unwrap().to_owned();
    edge.at_gate("consume", &json!(token)).await.expect(StatusCode::OK);
    let path = "/v1/tickets/edge/spent/export?event=sandbox-edge";
    let export = edge.app.get(&edge.key, path).await.expect(StatusCode::OK).json();
    assert_eq!(export["entries"].as_array().unwrap().len(), 1);
    let vkey = Verifier::parse(export["vkey"].as_str().unwrap()).unwrap();
    let list = SpentList::open(export["signed"].as_str().unwrap(), &[vkey]).unwrap();
    let mut gate = edge.gate(2, 2).await;
    assert_eq!(gate.gate.learn(&list), 1);
    let refused = gate.gate.verify(&token, UnixMs(NOW));
    assert_eq!(refused.signature, None);
    let own = edge.sync(export["signed"].as_str().unwrap()).await.expect(StatusCode::OK).json();
    assert_eq!((&own["stored"], &own["duplicates"]), (&json!(0), &json!(1)));
}

#[tokio::test]
async fn two_gates_that_both_admitted_are_told_with_both_sides() {
    let edge = Edge::open().await;
    let token = edge.issue().await["token"].as_str().unwrap().to_owned();
    let (mut a, mut b) = (edge.gate(1, 1).await, edge.gate(2, 2).await);
    a.gate.consume(&token, UnixMs(NOW - 1500));
    b.gate.consume(&token, UnixMs(NOW));
    edge.sync(&a.list()).await.expect(StatusCode::OK);
    let done = edge.sync(&b.list()).await.expect(StatusCode::OK).json();
    let conflict = &done["conflicts"][0];
    assert_eq!(
        (&conflict["known"]["gate"], &conflict["brought"]["gate"]),
        (&json!("gate-a"), &json!("gate-b"))
    );
    assert_eq!(conflict["apartMs"], 1500);
    let path = "/v1/tickets/edge/conflicts?event=sandbox-edge";
    let kept = edge.app.get(&edge.key, path).await.expect(StatusCode::OK).json();
    assert_eq!(&kept[0], conflict);
}

#[tokio::test]
async fn a_list_that_no_known_device_signed_is_refused_and_changes_nothing() {
    let edge = Edge::open().await;
    let token = edge.issue().await["token"].as_str().unwrap().to_owned();
    let mut gate = edge.gate(1, 1).await;
    gate.gate.consume(&token, UnixMs(NOW));
    let stranger = NoteSigner::new(gate.signer.name(), &[9; 32]).unwrap();
    let forged = gate.gate.spent_after(0).sign(&stranger).unwrap();
    let refused = edge.sync(&forged).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.json()["fields"][0]["name"], "list");
    edge.at_gate("consume", &json!(token)).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_paired_gate_brings_its_list_and_reads_its_conflicts() {
    let app = TestApp::start().await;
    let event = app.app.books.now().event("sample").unwrap().event.number;
    let secret = SigningSecret::from_seed(Algorithm::Ed25519, [5; 32]);
    let invited = admit::device::invite(&app.app, event, "Gate".to_owned(), None).await.unwrap();
    let key = BASE64URL_NOPAD.encode(&secret.public_key().unwrap());
    let body = json!({"code": invited.code, "platform": "test", "public_key": key});
    let paired = app.post(&Who::Anybody, "/v1/pair", body).await.expect(StatusCode::OK).json();
    let who = Who::Bearer(paired["token"].as_str().unwrap().to_owned());
    let device = DeviceNo(paired["device_id"].as_i64().unwrap());
    let code = app.code().await;
    app.scan(&app.device().await, &code, 1).await.expect(StatusCode::OK);
    let digest = admit_core::ticket::KeyRing::claimed(event, &code).unwrap().digest();
    let entry =
        admit_core::spent::SpentEntry { sequence: 1, gate: GateNo(1), at: UnixMs(NOW), digest };
    let signer = NoteSigner::new(&signer_name(event, device), &[5; 32]).unwrap();
    let list = SpentList { event, device, entries: vec![entry] }.sign(&signer).unwrap();
    let done = app.post(&who, "/v1/gate/spent/sync", json!({"signed": list})).await;
    assert_eq!(done.expect(StatusCode::OK).json()["conflicts"].as_array().unwrap().len(), 1);
    let told = app.get(&who, "/v1/gate/conflicts").await.expect(StatusCode::OK).json();
    assert_eq!(told.as_array().unwrap().len(), 1);
}
