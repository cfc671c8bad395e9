//! Ticket controls by program: the seed's operations, names and reasons.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::{Reply, TestApp, Who};
use admit_core::log::validation::Validation;
use admit_store::account::Role;
use admit_store::ticket::TicketFilter;

/// The sandbox with its public key.
struct Sandbox {
    app: TestApp,
    key: Who,
}

impl Sandbox {
    async fn open() -> Self {
        let app = TestApp::start().await;
        admit::sandbox::open(&app.app).await.unwrap();
        let told = app.get(&Who::Anybody, "/v1/sandbox").await.expect(StatusCode::OK).json();
        Self { app, key: Who::Bearer(told["key"].as_str().unwrap().to_owned()) }
    }

    async fn post(&self, path: &str, body: Value) -> Reply {
        self.app.post(&self.key, &format!("/v1/tickets/{path}"), body).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.app.get(&self.key, &format!("/v1/tickets/{path}")).await
    }

    /// A ticket for one entry at the main gate.
    async fn mint(&self) -> Value {
        let body = json!({"event": "sandbox-event", "tier": "standard", "maxUses": 1,
            "entryPoint": "main-gate", "qrMode": "link", "holder": "Test Person", "seat": "A 1"});
        self.post("generate", body).await.expect(StatusCode::CREATED).json()
    }

    async fn verify(&self, token: &Value, gate: Option<&str>) -> Value {
        let body = json!({"token": token, "event": "sandbox-event", "entryPoint": gate});
        self.post("verify", body).await.expect(StatusCode::OK).json()
    }

    async fn redeem(&self, token: &Value) -> Reply {
        let body = json!({"token": token, "event": "sandbox-event", "entryPoint": "main-gate"});
        self.post("redeem", body).await
    }

    /// Checks the proof in an answer against the log's key.
    async fn prove(&self, event: &str, answer: &Value) -> admit_core::log::validation::Proven {
        let log = self.app.get(&Who::Anybody, &format!("/v1/events/{event}/log")).await.json();
        let validation: Validation =
            serde_json::from_value(answer["merkle_validation"].clone()).unwrap();
        validation.check(log["vkey"].as_str().unwrap()).unwrap()
    }
}

#[tokio::test]
async fn an_issued_ticket_says_what_it_is_good_for_and_proves_that_it_was_logged() {
    let sandbox = Sandbox::open().await;
    let minted = sandbox.mint().await;
    assert_eq!(minted["format"], "a1");
    assert_eq!(minted["controls"]["maxUses"], 1);
    assert_eq!(minted["controls"]["singleEntry"], true);
    assert_eq!(minted["controls"]["entryPoint"], "main-gate");
    assert_eq!(minted["registry"], json!({"uses": 0, "usesRemaining": 1, "revoked": false}));
    assert_eq!(minted["verification"]["offlineCapable"], true);
    assert_eq!(minted["merkle_validation"]["circuit_id"], "ticket");
    let proven = sandbox.prove("sandbox-event", &minted).await;
    assert_eq!(proven.kind, "issue");
    assert_eq!(proven.ticket.as_deref(), minted["ticketId"].as_str());
}

#[tokio::test]
async fn a_ticket_at_its_gate_is_valid_and_elsewhere_denied_by_policy_not_by_its_signature() {
    let sandbox = Sandbox::open().await;
    let minted = sandbox.mint().await;
    let here = sandbox.verify(&minted["token"], Some("main-gate")).await;
    assert_eq!((&here["valid"], &here["policy"]["usesRemaining"]), (&json!(true), &json!(1)));
    let proven = sandbox.prove("sandbox-event", &here).await;
    assert_eq!(proven.ticket.as_deref(), minted["ticketId"].as_str(), "the leaf is about it");
    for gate in [Some("vip-north"), Some("no-such-gate"), None] {
        let denied = sandbox.verify(&minted["token"], gate).await;
        assert_eq!(denied["valid"], false);
        assert_eq!(denied["policy"]["reason"], "entry_point_denied");
        assert_eq!(denied["crypto"]["signatureValid"], true);
    }
}

#[tokio::test]
async fn the_status_needs_the_gate_too() {
    let sandbox = Sandbox::open().await;
    let minted = sandbox.mint().await;
    let id = minted["ticketId"].as_str().unwrap();
    let status = sandbox.get(&format!("{id}/status")).await.expect(StatusCode::OK).json();
    assert_eq!(status["valid"], true);
    assert_eq!(status["policy"]["reason"], "entry_point_denied");
    let here = sandbox.get(&format!("{id}/status?entryPoint=main-gate")).await.json();
    assert_eq!(here["policy"]["allowed"], true);
}

#[tokio::test]
async fn a_redeemed_ticket_is_exhausted_and_its_entry_is_a_new_leaf() {
    let sandbox = Sandbox::open().await;
    let minted = sandbox.mint().await;
    let redeemed = sandbox.redeem(&minted["token"]).await.expect(StatusCode::OK).json();
    assert_eq!(redeemed["registry"], json!({"uses": 1, "usesRemaining": 0, "revoked": false}));
    let proven = sandbox.prove("sandbox-event", &redeemed).await;
    assert_eq!(proven.kind, "admit");
    assert!(Some(proven.index) > minted["merkle_validation"]["inclusion_index"].as_u64());
    let again = sandbox.redeem(&minted["token"]).await.expect(StatusCode::CONFLICT).json();
    assert_eq!((&again["reason"], &again["redeemed"]), (&json!("uses_exhausted"), &json!(false)));
    assert_eq!(sandbox.prove("sandbox-event", &again).await.kind, "refuse");
    let seen = sandbox.verify(&minted["token"], Some("main-gate")).await;
    assert_eq!(seen["policy"]["reason"], "uses_exhausted");
}

#[tokio::test]
async fn the_same_attempt_again_is_the_same_entry() {
    let sandbox = Sandbox::open().await;
    let minted = sandbox.mint().await;
    let body = json!({"token": minted["token"], "event": "sandbox-event",
        "entryPoint": "main-gate", "scanId": "AAAAAAAAAAAAAAAAAAAAAA"});
    let first = sandbox.post("redeem", body.clone()).await.expect(StatusCode::OK).json();
    let again = sandbox.post("redeem", body).await.expect(StatusCode::OK).json();
    let index = |answer: &Value| answer["merkle_validation"]["inclusion_index"].clone();
    assert_eq!(index(&first), index(&again));
}

#[tokio::test]
async fn a_printed_link_has_fewer_modules_and_stands_for_the_same_ticket() {
    let sandbox = Sandbox::open().await;
    let minted = sandbox.mint().await;
    assert_eq!(minted["qr"]["mode"], "link");
    assert!(minted["qr"]["modules"].as_i64().unwrap() <= 29, "{}", minted["qr"]["modules"]);
    let link = &minted["qr"]["text"];
    let seen = sandbox.verify(link, Some("main-gate")).await;
    assert_eq!(seen["proofDigest"], minted["proofDigest"]);
    let path = link.as_str().unwrap().strip_prefix("HTTPS://GATE.EXAMPLE").unwrap();
    let page = sandbox.app.get(&Who::Anybody, path).await.expect(StatusCode::SEE_OTHER);
    assert!(page.headers["location"].to_str().unwrap().starts_with("/ticket/#adm1_ticket_"));
}

#[tokio::test]
async fn links_cannot_be_tried_out() {
    let sandbox = Sandbox::open().await;
    let minted = sandbox.mint().await;
    let path = minted["qr"]["text"].as_str().unwrap().strip_prefix("HTTPS://GATE.EXAMPLE").unwrap();
    let mut statuses = Vec::new();
    for _ in 0..=admit::limit::LINKS_PER_ADDRESS {
        statuses.push(sandbox.app.get(&Who::Anybody, path).await.status);
    }
    assert_eq!(statuses.last(), Some(&StatusCode::TOO_MANY_REQUESTS));
}

#[tokio::test]
async fn a_gate_scans_a_printed_link_like_a_token() {
    let app = TestApp::start().await;
    let device = app.device().await;
    app.register("A Guest").await;
    let view = app.app.books.now().event("sample").unwrap().clone();
    let page = app.app.store.tickets(view.event.number, TicketFilter::default()).await.unwrap();
    let link = admit::ticket::link(&app.app, &page.tickets[0]).unwrap();
    app.scan(&device, &link, 1).await.expect(StatusCode::OK);
    app.scan(&device, &link, 2).await.expect(StatusCode::CONFLICT);
    let wrong = app.scan(&device, &admit_core::link::text("https://x.example", 5), 3).await;
    assert_eq!(wrong.json()["reason"], "invalid");
}

#[tokio::test]
async fn a_revoked_ticket_is_told_as_revoked() {
    let sandbox = Sandbox::open().await;
    let minted = sandbox.mint().await;
    let body = json!({"ticketId": minted["ticketId"]});
    let revoked = sandbox.post("revoke", body).await.expect(StatusCode::OK).json();
    assert_eq!(revoked["registry"]["revoked"], true);
    assert_eq!(sandbox.prove("sandbox-event", &revoked).await.kind, "revoke");
    let refused = sandbox.redeem(&minted["token"]).await.expect(StatusCode::CONFLICT).json();
    assert_eq!(refused["reason"], "revoked");
}

#[tokio::test]
async fn a_window_of_its_own_is_kept() {
    let sandbox = Sandbox::open().await;
    let now = u32::try_from(crate::app::NOW / 1000).unwrap();
    let mint = async |valid_from: u32, exp: u32| {
        let body = json!({"event": "sandbox-event", "validFrom": valid_from, "exp": exp});
        sandbox.post("generate", body).await
    };
    let early = mint(now + 60, now + 120).await.expect(StatusCode::CREATED).json();
    let told = sandbox.verify(&early["token"], Some("main-gate")).await;
    assert_eq!(told["policy"]["reason"], "not_yet_valid");
    let late = mint(now - 120, now - 60).await.expect(StatusCode::CREATED).json();
    let told = sandbox.verify(&late["token"], Some("main-gate")).await;
    assert_eq!(told["policy"]["reason"], "expired");
    assert_eq!(told["crypto"], json!({"signatureValid": true, "expired": true}));
    mint(now + 60, now).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_forged_token_is_told_as_forged_and_not_as_a_policy() {
    let sandbox = Sandbox::open().await;
    let told = sandbox.verify(&json!("A1:NOTHING"), Some("main-gate")).await;
    assert_eq!(told["policy"]["reason"], "invalid");
    assert_eq!(told["crypto"]["signatureValid"], false);
}

#[tokio::test]
async fn the_public_key_opens_the_sandbox_and_nothing_else() {
    let sandbox = Sandbox::open().await;
    let body = json!({"event": "sample"});
    sandbox.post("generate", body).await.expect(StatusCode::NOT_FOUND);
    sandbox.app.get(&sandbox.key, "/v1/desk/events").await.expect(StatusCode::FORBIDDEN);
    let ticket = sandbox.app.register("A").await["ticket"]["number"].as_str().unwrap().to_owned();
    sandbox.get(&format!("{ticket}/status")).await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_closed_sandbox_has_no_key() {
    let app = TestApp::start().await;
    app.get(&Who::Anybody, "/v1/sandbox").await.expect(StatusCode::NOT_FOUND);
    let organiser = app.staff(Role::Organiser).await;
    app.post(&organiser, "/v1/tickets/generate", json!({"event": "sample"}))
        .await
        .expect(StatusCode::CREATED);
}

#[tokio::test]
async fn nothing_of_the_holder_is_in_the_code_or_the_leaf() {
    let sandbox = Sandbox::open().await;
    let minted = sandbox.mint().await;
    let text = minted.to_string();
    for secret in ["Test Person", "A 1\""] {
        assert!(!text.contains(secret), "{secret}");
    }
}
