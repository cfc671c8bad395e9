//! Handing tickets on over HTTP: the link of an offer, its taker, the organiser's word, a new phone.

use admit_core::id::{EventNo, TicketId, hmac_sha256};
use admit_core::ticket::rotating;
use admit_core::transfer::OFFER_MS_MAX;
use admit_store::account::Role;
use axum::http::StatusCode;
use data_encoding::BASE64URL_NOPAD;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};

use crate::app::{Reply, TestApp, Who};

const TYPE: &str = "/v1/desk/events/sample/ticket-types/1";

struct Giver {
    app: TestApp,
    organiser: Who,
    gate: Who,
    holder: Who,
    code: String,
    number: String,
}

fn text(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

impl Giver {
    async fn new(change: Value) -> Self {
        let app = TestApp::start().await;
        let organiser = app.staff(Role::Organiser).await;
        app.patch(&organiser, TYPE, change).await.expect(StatusCode::OK);
        let registered = app.register("Gale Giver").await;
        let access = registered["access"].as_str().unwrap().to_owned();
        let code = registered["ticket"]["code"].as_str().unwrap().to_owned();
        let number = registered["ticket"]["number"].as_str().unwrap().to_owned();
        let (gate, holder) = (app.device().await, Who::Bearer(access));
        Self { app, organiser, gate, holder, code, number }
    }

    async fn transferable(policy: &str) -> Self {
        Self::new(json!({"transferable": policy})).await
    }

    async fn ask(&self, body: Value) -> Reply {
        self.app.post(&self.holder, "/v1/ticket/offer", body).await
    }

    /// Offers the ticket; the taker that has its link.
    async fn offer(&self) -> Who {
        let made = self.ask(json!({"to": "give", "secret": text(&[1; 16])})).await;
        link(&made.expect(StatusCode::OK).json())
    }

    async fn take(&self, taker: &Who, claim: u8) -> Reply {
        let body = json!({"claim": text(&[claim; 16]), "name": "Tess Taker",
            "email": "tess@example.org"});
        self.app.post(taker, "/v1/offer/accept", body).await
    }

    /// The ticket behind the answer to a taker.
    async fn theirs(&self, got: &Value) -> Value {
        let access = Who::Bearer(got["access"].as_str().unwrap().to_owned());
        self.app.get(&access, "/v1/ticket").await.expect(StatusCode::OK).json()
    }

    async fn reason(&self, code: &str, id: u8) -> Value {
        self.app.scan(&self.gate, code, id).await.expect(StatusCode::CONFLICT).json()["reason"]
            .clone()
    }
}

fn link(made: &Value) -> Who {
    let (_, credential) = made["url"].as_str().unwrap().split_once('#').unwrap();
    Who::Bearer(credential.to_owned())
}

#[tokio::test]
async fn a_ticket_goes_to_its_taker_and_the_old_code_is_refused_as_transferred() {
    let giver = Giver::transferable("free").await;
    let taker = giver.offer().await;
    let shown = giver.app.get(&taker, "/v1/offer").await.expect(StatusCode::OK).json();
    assert_eq!((&shown["named"], &shown["approval"]), (&json!(true), &json!(false)));
    let got = giver.take(&taker, 7).await.expect(StatusCode::OK).json();
    assert!(got["merkle_validation"].is_object());
    let new = giver.theirs(&got).await;
    assert_eq!(new["name"], "Tess Taker");
    assert_eq!(giver.reason(&giver.code, 1).await, "transferred");
    let code = new["code"].as_str().unwrap();
    giver.app.scan(&giver.gate, code, 2).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn the_giver_is_not_told_the_new_ticket() {
    let giver = Giver::transferable("free").await;
    let taker = giver.offer().await;
    let got = giver.take(&taker, 7).await.expect(StatusCode::OK).json();
    let old = giver.app.get(&giver.holder, "/v1/ticket").await.expect(StatusCode::OK);
    let old_text = String::from_utf8_lossy(&old.bytes).into_owned();
    assert_eq!(old.json()["status"], "transferred");
    assert!(!old_text.contains(got["access"].as_str().unwrap()));
    assert!(!old_text.contains("Tess"));
    // With the link, but without what the taker drew.
    let late = giver.take(&taker, 8).await.expect(StatusCode::CONFLICT);
    assert_eq!(late.code(), "transfer_taken");
    assert!(!String::from_utf8_lossy(&late.bytes).contains("adm1_ticket_"));
}

#[tokio::test]
async fn an_offer_says_nothing_of_who_offers() {
    let giver = Giver::transferable("free").await;
    let taker = giver.offer().await;
    let shown = giver.app.get(&taker, "/v1/offer").await.expect(StatusCode::OK);
    let told = String::from_utf8_lossy(&shown.bytes).into_owned();
    assert!(!told.contains("Gale") && !told.contains(&giver.number));
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again() {
    let giver = Giver::transferable("free").await;
    let taker = giver.offer().await;
    let first = giver.take(&taker, 7).await.expect(StatusCode::OK).json();
    let again = giver.take(&taker, 7).await.expect(StatusCode::OK).json();
    assert_eq!(first["access"], again["access"]);
}

#[tokio::test]
async fn the_organiser_agrees_or_declines() {
    let giver = Giver::transferable("approval").await;
    let taker = giver.offer().await;
    let asked = giver.take(&taker, 7).await.expect(StatusCode::OK).json();
    assert_eq!((&asked["state"], &asked["access"]), (&json!("asked"), &Value::Null));
    let path = "/v1/desk/events/sample/transfers";
    let list = giver.app.get(&giver.organiser, path).await.expect(StatusCode::OK).json();
    let first = &list["transfers"][0];
    assert_eq!(
        (&first["name"], &first["ticket"]["name"]),
        (&json!("Tess Taker"), &json!("Gale Giver"))
    );
    let word = async |word: &str| {
        let path = format!("{path}/{}/{word}", giver.number);
        giver.app.post(&giver.organiser, &path, json!({})).await
    };
    word("decline").await.expect(StatusCode::NO_CONTENT);
    giver.take(&taker, 7).await.expect(StatusCode::NOT_FOUND);
    let again = giver.ask(json!({"to": "give", "secret": text(&[2; 16])})).await;
    let taker = link(&again.expect(StatusCode::OK).json());
    giver.take(&taker, 7).await.expect(StatusCode::OK);
    word("agree").await.expect(StatusCode::OK);
    let got = giver.take(&taker, 7).await.expect(StatusCode::OK).json();
    assert_eq!(giver.theirs(&got).await["name"], "Tess Taker");
    assert_eq!(giver.reason(&giver.code, 1).await, "transferred");
}

#[tokio::test]
async fn a_viewer_does_not_agree() {
    let giver = Giver::transferable("approval").await;
    let taker = giver.offer().await;
    giver.take(&taker, 7).await.expect(StatusCode::OK);
    let viewer = giver.app.staff(Role::Viewer).await;
    let path = format!("/v1/desk/events/sample/transfers/{}/agree", giver.number);
    giver.app.post(&viewer, &path, json!({})).await.expect(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_ticket_of_a_type_that_stays_is_not_offered() {
    let giver = Giver::transferable("no").await;
    let refused = giver.ask(json!({"to": "give", "secret": text(&[1; 16])})).await;
    assert_eq!(refused.expect(StatusCode::CONFLICT).code(), "transfer_refused");
}

#[tokio::test]
async fn an_offer_can_be_taken_back_and_is_over_after_a_week() {
    let giver = Giver::transferable("free").await;
    let taker = giver.offer().await;
    let end = giver.app.delete(&giver.holder, "/v1/ticket/offer").await;
    end.expect(StatusCode::NO_CONTENT);
    giver.take(&taker, 7).await.expect(StatusCode::NOT_FOUND);
    let taker = giver.offer().await;
    giver.app.wait(OFFER_MS_MAX + 1);
    giver.take(&taker, 7).await.expect(StatusCode::NOT_FOUND);
    giver.app.get(&taker, "/v1/offer").await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_taker_must_say_who_they_are_where_the_holder_had_to() {
    let giver = Giver::transferable("free").await;
    let taker = giver.offer().await;
    let body = json!({"claim": text(&[7; 16])});
    let refused = giver.app.post(&taker, "/v1/offer/accept", body).await;
    let fields = refused.expect(StatusCode::UNPROCESSABLE_ENTITY).json()["fields"].clone();
    let names: Vec<_> = fields.as_array().unwrap().iter().map(|f| f["name"].clone()).collect();
    assert_eq!(names, ["name", "email"]);
}

#[tokio::test]
async fn a_link_that_nobody_made_opens_nothing() {
    let giver = Giver::transferable("free").await;
    giver.offer().await;
    let forged = Who::Bearer(format!("adm1_offer_{}", text(&[0; 28])));
    giver.app.get(&forged, "/v1/offer").await.expect(StatusCode::NOT_FOUND);
    giver.app.get(&giver.holder, "/v1/offer").await.expect(StatusCode::UNAUTHORIZED);
}

/// A ticket that lives on a phone.
struct Phone {
    giver: Giver,
    key: SigningKey,
    secret: Option<Vec<u8>>,
    rotation: Value,
}

impl Phone {
    async fn new(kind: &str) -> Self {
        let change = json!({"rotation": kind, "interval_s": 30, "max_uses": 0});
        let giver = Giver::new(change).await;
        let key = SigningKey::from_slice(&[1; 32]).unwrap();
        let bound = bind(&giver, &giver.holder, kind, &key).await;
        let secret =
            bound["secret"].as_str().map(|t| BASE64URL_NOPAD.decode(t.as_bytes()).unwrap());
        Self { giver, key, secret, rotation: bound["rotation"].clone() }
    }

    /// The release of the ticket to whoever shows this secret.
    fn release(&self, secret: &[u8; 16]) -> String {
        let (event, ticket) = named(&self.rotation);
        let offer = admit::secret::sha256(secret);
        let message = rotating::release_message(event, ticket, &offer);
        if let Some(shared) = &self.secret {
            return text(&hmac_sha256(shared, &[&message]));
        }
        let signature: Signature = self.key.sign(&message);
        text(&signature.to_bytes())
    }

    fn code(&self, seconds: i64) -> String {
        code(&self.rotation, &self.key, self.secret.as_deref(), seconds)
    }

    async fn moves(&self, secret: &[u8; 16]) -> Reply {
        let release = self.release(secret);
        let body = json!({"to": "move", "secret": text(secret), "release": release});
        self.giver.ask(body).await
    }
}

fn named(rotation: &Value) -> (EventNo, TicketId) {
    let event = EventNo(u32::try_from(rotation["event_number"].as_u64().unwrap()).unwrap());
    (event, TicketId(rotation["ticket_number"].as_str().unwrap().parse().unwrap()))
}

async fn bind(giver: &Giver, holder: &Who, kind: &str, key: &SigningKey) -> Value {
    let point = key.verifying_key().to_sec1_point(false);
    let shown = if kind == "device" {
        json!({"public_key": text(point.as_bytes())})
    } else {
        json!({"claim": text(&[9; 16])})
    };
    giver.app.post(holder, "/v1/ticket/bind", shown).await.expect(StatusCode::OK).json()
}

fn code(rotation: &Value, key: &SigningKey, secret: Option<&[u8]>, seconds: i64) -> String {
    let (event, ticket) = named(rotation);
    let head = BASE64URL_NOPAD.decode(rotation["head"].as_str().unwrap().as_bytes()).unwrap();
    let at = admit_core::id::UnixMs(crate::app::NOW + seconds * 1000);
    let epoch = rotating::epoch(at, 30);
    if let Some(secret) = secret {
        let proof = rotating::shared_proof(secret.try_into().unwrap(), ticket, epoch);
        return rotating::shared_code(&head, epoch, &proof);
    }
    let signature: Signature = key.sign(&rotating::possession_message(event, ticket, epoch));
    rotating::device_code(&head, Some(epoch), &signature.to_bytes().into())
}

#[tokio::test]
async fn a_ticket_moves_to_a_new_phone_and_the_old_ones_codes_are_refused_at_once() {
    for kind in ["device", "shared"] {
        let old = Phone::new(kind).await;
        let giver = &old.giver;
        giver.app.scan(&giver.gate, &old.code(0), 1).await.expect(StatusCode::OK);
        let taker = link(&old.moves(&[1; 16]).await.expect(StatusCode::OK).json());
        // Until somebody takes it, the old phone is good.
        giver.app.scan(&giver.gate, &old.code(30), 2).await.expect(StatusCode::OK);
        let claim = json!({"claim": text(&[7; 16])});
        let got = giver.app.post(&taker, "/v1/offer/accept", claim).await;
        let got = got.expect(StatusCode::OK).json();
        let new = Who::Bearer(got["access"].as_str().unwrap().to_owned());
        assert_eq!(giver.theirs(&got).await["name"], "Gale Giver");
        assert_eq!(giver.reason(&old.code(60), 3).await, "clock_wrong", "{kind}");
        giver.app.wait(60_000);
        assert_eq!(giver.reason(&old.code(60), 4).await, "transferred", "{kind}");
        let key = SigningKey::from_slice(&[2; 32]).unwrap();
        let bound = bind(giver, &new, kind, &key).await;
        let secret =
            bound["secret"].as_str().map(|t| BASE64URL_NOPAD.decode(t.as_bytes()).unwrap());
        let fresh = code(&bound["rotation"], &key, secret.as_deref(), 60);
        let entered = giver.app.scan(&giver.gate, &fresh, 5).await.expect(StatusCode::OK).json();
        assert_eq!(entered["use"], 3);
    }
}

#[tokio::test]
async fn only_the_phone_of_a_ticket_lets_it_go() {
    for kind in ["device", "shared"] {
        let phone = Phone::new(kind).await;
        let stolen = json!({"to": "move", "secret": text(&[1; 16])});
        phone.giver.ask(stolen).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        let other =
            json!({"to": "move", "secret": text(&[2; 16]), "release": phone.release(&[1; 16])});
        phone.giver.ask(other).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    }
}

#[tokio::test]
async fn staff_reissue_a_ticket_whose_phone_is_gone() {
    let phone = Phone::new("device").await;
    let giver = &phone.giver;
    let path = format!("/v1/desk/events/sample/tickets/{}/reissue", giver.number);
    let new =
        giver.app.post(&giver.organiser, &path, json!({})).await.expect(StatusCode::OK).json();
    assert_eq!(new["name"], "Gale Giver");
    assert_ne!(new["number"], giver.number.as_str());
    assert!(new["access_url"].as_str().unwrap().starts_with("/ticket/#adm1_ticket_"));
    assert_eq!(giver.reason(&phone.code(0), 1).await, "transferred");
}

#[tokio::test]
async fn a_transferred_ticket_is_not_reinstated() {
    let giver = Giver::transferable("free").await;
    let taker = giver.offer().await;
    giver.take(&taker, 7).await.expect(StatusCode::OK);
    let path = format!("/v1/desk/events/sample/tickets/{}/reinstate", giver.number);
    giver.app.post(&giver.organiser, &path, json!({})).await.expect(StatusCode::OK);
    assert_eq!(giver.reason(&giver.code, 1).await, "transferred");
}
