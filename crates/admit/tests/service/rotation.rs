//! Tickets whose code changes: a picture of one is worth nothing.

use admit_core::id::{EventNo, GateNo, TicketId, UnixMs};
use admit_core::ticket::rotating::{self, Challenge};
use axum::http::StatusCode;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};

use crate::app::{NOW, Reply, TestApp, Who};
use admit_store::account::Role;

/// A wallet with a ticket.
struct Wallet {
    app: TestApp,
    holder: Who,
    gate: Who,
    key: SigningKey,
    rotation: Value,
    secret: Option<[u8; 32]>,
}

impl Wallet {
    async fn new(kind: &str) -> Self {
        let app = TestApp::start().await;
        let organiser = app.staff(Role::Organiser).await;
        let change = json!({"rotation": kind, "interval_s": 30, "max_uses": 0});
        app.patch(&organiser, "/v1/desk/events/sample/ticket-types/1", change)
            .await
            .expect(StatusCode::OK);
        let access = app.register("A Guest").await["access"].as_str().unwrap().to_owned();
        let (holder, gate) = (Who::Bearer(access), app.device().await);
        let key = SigningKey::from_slice(&[1; 32]).unwrap();
        let mut wallet = Self { app, holder, gate, key, rotation: Value::Null, secret: None };
        let shown = if kind == "device" { public_key(&wallet.key) } else { claim(1) };
        let bound = wallet.bind(shown).await.expect(StatusCode::OK).json();
        let secret = bound["secret"].as_str();
        wallet.secret = secret.map(|text| decode(text).try_into().unwrap());
        wallet.rotation = bound["rotation"].clone();
        wallet
    }

    async fn bind(&self, shown: Value) -> Reply {
        self.app.post(&self.holder, "/v1/ticket/bind", shown).await
    }

    fn event(&self) -> EventNo {
        EventNo(u32::try_from(self.rotation["event_number"].as_u64().unwrap()).unwrap())
    }

    fn ticket(&self) -> TicketId {
        TicketId(self.rotation["ticket_number"].as_str().unwrap().parse().unwrap())
    }

    fn head(&self) -> Vec<u8> {
        decode(self.rotation["head"].as_str().unwrap())
    }

    /// The code at a moment, seconds from the server's now.
    fn code(&self, seconds: i64) -> String {
        let epoch = rotating::epoch(UnixMs(NOW + seconds * 1000), 30);
        if let Some(secret) = &self.secret {
            let proof = rotating::shared_proof(secret, self.ticket(), epoch);
            return rotating::shared_code(&self.head(), epoch, &proof);
        }
        let message = rotating::possession_message(self.event(), self.ticket(), epoch);
        let signature: Signature = self.key.sign(&message);
        rotating::device_code(&self.head(), Some(epoch), &signature.to_bytes().into())
    }

    async fn scan(&self, code: &str, id: u8) -> Reply {
        self.app.scan(&self.gate, code, id).await
    }
}

fn decode(text: &str) -> Vec<u8> {
    BASE64URL_NOPAD.decode(text.as_bytes()).unwrap()
}

fn public_key(key: &SigningKey) -> Value {
    let point = key.verifying_key().to_sec1_point(false);
    json!({"public_key": BASE64URL_NOPAD.encode(point.as_bytes())})
}

fn claim(byte: u8) -> Value {
    json!({"claim": BASE64URL_NOPAD.encode(&[byte; 16])})
}

#[tokio::test]
async fn a_fresh_code_enters_and_its_picture_does_not() {
    for kind in ["device", "shared"] {
        let wallet = Wallet::new(kind).await;
        let code = wallet.code(0);
        wallet.scan(&code, 1).await.expect(StatusCode::OK);
        let picture = wallet.scan(&code, 2).await.expect(StatusCode::CONFLICT).json();
        assert_eq!(picture["reason"], "epoch_replayed", "{kind}");
        wallet.scan(&wallet.code(30), 3).await.expect(StatusCode::OK);
    }
}

#[tokio::test]
async fn an_old_picture_is_told_as_old_and_a_fast_clock_as_a_wrong_clock() {
    for kind in ["device", "shared"] {
        let wallet = Wallet::new(kind).await;
        let old = wallet.scan(&wallet.code(-90), 1).await.expect(StatusCode::CONFLICT).json();
        assert_eq!(old["reason"], "epoch_stale", "{kind}");
        let fast = wallet.scan(&wallet.code(600), 2).await.expect(StatusCode::CONFLICT).json();
        assert_eq!(fast["reason"], "clock_wrong", "{kind}");
    }
}

#[tokio::test]
async fn a_lost_answer_to_a_scan_is_asked_for_again_with_the_same_code() {
    let wallet = Wallet::new("device").await;
    let code = wallet.code(0);
    wallet.scan(&code, 1).await.expect(StatusCode::OK);
    let again = wallet.scan(&code, 1).await.expect(StatusCode::OK).json();
    assert_eq!(again["repeated"], true);
}

#[tokio::test]
async fn a_ticket_moves_to_no_second_wallet_and_a_lost_answer_can_be_asked_for_again() {
    let wallet = Wallet::new("device").await;
    wallet.bind(public_key(&wallet.key)).await.expect(StatusCode::OK);
    let thief = SigningKey::from_slice(&[2; 32]).unwrap();
    let refused = wallet.bind(public_key(&thief)).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.code(), "bound_elsewhere");
    let wallet = Wallet::new("shared").await;
    let again = wallet.bind(claim(1)).await.expect(StatusCode::OK).json();
    assert_eq!(decode(again["secret"].as_str().unwrap()), wallet.secret.unwrap());
    let other = wallet.bind(claim(2)).await.expect(StatusCode::CONFLICT).json();
    assert_eq!(other["secret"], Value::Null);
}

#[tokio::test]
async fn the_secret_is_told_to_nobody_but_the_wallet_that_claimed_it() {
    let wallet = Wallet::new("shared").await;
    let secret = BASE64URL_NOPAD.encode(&wallet.secret.unwrap());
    let held = wallet.app.get(&wallet.holder, "/v1/ticket").await.expect(StatusCode::OK);
    assert!(!String::from_utf8_lossy(&held.bytes).contains(&secret));
    assert_eq!(held.json()["rotation"]["bound"], true);
    let setup = wallet.app.get(&wallet.gate, "/v1/gate").await.expect(StatusCode::OK);
    assert!(!String::from_utf8_lossy(&setup.bytes).contains(&secret));
}

#[tokio::test]
async fn neither_number_nor_paper_stands_for_the_wallet() {
    let wallet = Wallet::new("device").await;
    let number = wallet.ticket().to_string();
    let typed = wallet.scan(&number, 1).await.expect(StatusCode::CONFLICT).json();
    assert_eq!(typed["reason"], "proof_invalid");
    for file in ["/v1/ticket.pdf", "/v1/ticket.svg"] {
        wallet.app.get(&wallet.holder, file).await.expect(StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_challenge_is_answered_by_the_wallet_alone() {
    let wallet = Wallet::new("device").await;
    let nonce = [7; 8];
    let challenge = Challenge { nonce, gate: GateNo(1) };
    let message = rotating::challenge_message(wallet.event(), wallet.ticket(), &challenge);
    let signature: Signature = wallet.key.sign(&message);
    let answer = rotating::device_code(&wallet.head(), None, &signature.to_bytes().into());
    let ask = async |code: &str, nonce: [u8; 8], id: u8| {
        let scan_id = admit_core::id::ScanId([id; 16]).to_string();
        let body = json!({"code": code, "gate": 1, "scan_id": scan_id,
            "challenge": BASE64URL_NOPAD.encode(&nonce)});
        wallet.app.post(&wallet.gate, "/v1/gate/admissions", body).await
    };
    let by_time = ask(&wallet.code(0), nonce, 1).await.expect(StatusCode::CONFLICT).json();
    assert_eq!(by_time["reason"], "proof_invalid");
    let other = ask(&answer, [8; 8], 2).await.expect(StatusCode::CONFLICT).json();
    assert_eq!(other["reason"], "proof_invalid");
    ask(&answer, nonce, 3).await.expect(StatusCode::OK);
    let unasked = wallet.scan(&answer, 4).await.expect(StatusCode::CONFLICT).json();
    assert_eq!(unasked["reason"], "proof_invalid");
}

/// The six checks of seed 002, by its own endpoint and field names.
#[tokio::test]
async fn the_seeds_endpoint_takes_each_epoch_once() {
    let wallet = Wallet::new("shared").await;
    let number = wallet.ticket().to_string();
    let redeem = async |epoch: u32, proof: [u8; 8]| {
        let body = json!({"ticket_id": number, "rotating_proof": BASE64.encode(&proof),
            "current_epoch": epoch, "validator_id": "laptop-01", "gate": 1});
        wallet.app.post(&wallet.gate, "/v1/redeem_rotating", body).await
    };
    let now = rotating::epoch(UnixMs(NOW), 30);
    let proof = |epoch| rotating::shared_proof(&wallet.secret.unwrap(), wallet.ticket(), epoch);
    let wrong = redeem(now, [0; 8]).await.expect(StatusCode::CONFLICT).json();
    assert_eq!((&wrong["status"], &wrong["reason"]), (&json!("rejected"), &json!("proof_invalid")));
    let stale = redeem(now - 2, proof(now - 2)).await.expect(StatusCode::CONFLICT).json();
    assert_eq!(stale["reason"], "epoch_stale");
    let accepted = redeem(now, proof(now)).await.expect(StatusCode::OK).json();
    assert_eq!(accepted["status"], "accepted");
    let replayed = redeem(now, proof(now)).await.expect(StatusCode::CONFLICT).json();
    assert_eq!(replayed["reason"], "epoch_replayed");
}

#[tokio::test]
async fn a_shared_key_cannot_sign_tickets_that_gates_must_check() {
    let app = TestApp::start().await;
    let organiser = app.staff(Role::Organiser).await;
    let path = "/v1/desk/events/sample";
    app.patch(&organiser, path, json!({"token_format": "a1-hmac"})).await.expect(StatusCode::OK);
    let types = format!("{path}/ticket-types/1");
    let refused = app.patch(&organiser, &types, json!({"rotation": "device"})).await;
    refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let odd = app.patch(&organiser, &types, json!({"rotation": "shared", "interval_s": 7})).await;
    odd.expect(StatusCode::UNPROCESSABLE_ENTITY);
}
