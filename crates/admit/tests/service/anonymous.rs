//! Anonymous tickets over HTTP: bought, signed unseen, used once, exchanged; keys that everybody can check.

use admit_core::id::{EventNo, GateNo, ScanId};
use admit_core::log::leaf::{Kind, Leaf};
use admit_core::log::validation::Validation;
use admit_core::privacy_pass;
use admit_core::ticket::anonymous;
use admit_core::ticket::rotating::{self, Challenge};
use axum::body::Body;
use axum::http::{StatusCode, header};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};

use crate::app::{Reply, Who, request};
use crate::shop::{Shop, Token, blind, blind_nonce, finish, public};

const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn a_ticket_is_bought_unseen_and_admitted_once() {
    let shop = Shop::open().await;
    let token = shop.buy(1).await;
    let admitted = shop.app.scan(&shop.gate, &token.code(), 1).await.expect(StatusCode::OK).json();
    assert_eq!(admitted["ticket"]["anonymous"], true);
    assert_eq!(admitted["ticket"]["number"], token.number());
    assert!(admitted["ticket"]["expires_at"].is_string());
    assert_eq!(admitted["name"], Value::Null);
    let again = shop.app.scan(&shop.gate, &token.code(), 2).await.expect(StatusCode::CONFLICT);
    assert_eq!(again.json()["reason"], "already_used");
}

#[tokio::test]
async fn the_seeds_redeem_takes_a_nonce_and_its_signature() {
    let shop = Shop::open().await;
    let token = shop.buy(1).await;
    let body = |signature: &[u8]| {
        json!({"token": BASE64.encode(&token.nonce), "signature": BASE64.encode(signature),
            "validator_id": "laptop-01", "gate": 1})
    };
    let mut forged = token.signature;
    forged[200] ^= 1;
    let refused = shop.redeem(body(&forged)).await.expect(StatusCode::CONFLICT).json();
    assert_eq!(refused, json!({"status": "rejected", "reason": "invalid"}));
    let accepted = shop.redeem(body(&token.signature)).await.expect(StatusCode::OK).json();
    assert_eq!(accepted, json!({"status": "accepted"}));
    let spent = shop.redeem(body(&token.signature)).await.expect(StatusCode::CONFLICT).json();
    assert_eq!(spent, json!({"status": "rejected", "reason": "spent"}));
}

#[tokio::test]
async fn a_whole_privacy_pass_token_is_redeemed_by_a_program() {
    let shop = Shop::open().await;
    let token = shop.buy(1).await;
    let key = shop.signing_key().await;
    let challenge = BASE64URL_NOPAD.decode(key["token_challenge"].as_str().unwrap().as_bytes());
    let whole = privacy_pass::Token {
        nonce: token.nonce,
        challenge_digest: privacy_pass::challenge_digest(&challenge.unwrap()),
        key_id: token.key_id,
        authenticator: token.signature,
    };
    let body = json!({"token": BASE64.encode(&whole.write()), "event": "sample", "gate": 1});
    let answer = shop.app.post(&shop.organiser, "/v1/redeem", body).await;
    assert_eq!(answer.expect(StatusCode::OK).json()["status"], "accepted");
}

#[tokio::test]
async fn a_ticket_is_over_with_its_event() {
    let shop = Shop::open().await;
    let token = shop.buy(1).await;
    shop.app.wait(400 * 24 * HOUR_MS);
    let refused = shop.app.scan(&shop.gate, &token.code(), 1).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.json()["reason"], "expired");
}

#[tokio::test]
async fn the_same_blinded_token_gets_the_same_signature_and_another_one_none() {
    let shop = Shop::open().await;
    let (receipt, key) = (shop.receipt(1).await, shop.signing_key().await);
    let (mine, other) = (blind(&key, 1), blind(&key, 2));
    let first = shop.sign(&receipt, &mine).await.expect(StatusCode::OK).json();
    let again = shop.sign(&receipt, &mine).await.expect(StatusCode::OK).json();
    assert_eq!(first, again);
    let refused = shop.sign(&receipt, &other).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.code(), "receipt_used");
}

#[tokio::test]
async fn of_64_blinded_tokens_at_once_a_receipt_for_one_gets_one_signature() {
    let shop = Shop::open().await;
    let (receipt, key) = (shop.receipt(1).await, shop.signing_key().await);
    let blinded: Vec<_> = (0..64).map(|seed| blind(&key, seed)).collect();
    let asked = blinded.iter().map(|one| shop.sign(&receipt, one));
    let answers = futures(asked).await;
    let signed: Vec<_> = answers.iter().filter(|one| one.status == StatusCode::OK).collect();
    assert_eq!(signed.len(), 1);
    assert!(answers.iter().all(|one| one.status == StatusCode::OK || one.code() == "receipt_used"));
}

/// All at once.
async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = all.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (one, end) in all.iter_mut().zip(&mut done).filter(|(_, end)| end.is_none()) {
            if let std::task::Poll::Ready(value) = one.as_mut().poll(context) {
                *end = Some(value);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test]
async fn of_64_redeems_of_one_token_at_once_one_is_admitted() {
    let shop = Shop::open().await;
    let token = shop.buy(1).await;
    let body = json!({"token": BASE64.encode(&token.nonce), "gate": 1,
        "signature": BASE64.encode(&token.signature)});
    let answers = futures((0..64).map(|_| shop.redeem(body.clone()))).await;
    let accepted = answers.iter().filter(|one| one.status == StatusCode::OK).count();
    assert_eq!(accepted, 1);
    let spent = |one: &&Reply| one.json()["reason"] == "spent";
    assert_eq!(answers.iter().filter(spent).count(), 63);
}

#[tokio::test]
async fn what_is_blinded_must_be_a_number_that_can_be_signed() {
    let shop = Shop::open().await;
    let receipt = shop.receipt(1).await;
    let bodies = [
        json!({"receipt_id": receipt, "blinded_token": BASE64.encode(&[255; 256])}),
        json!({"receipt_id": receipt, "blinded_token": BASE64.encode(&[1; 255])}),
        json!({"receipt_id": receipt, "blinded_token": "…"}),
    ];
    for body in bodies {
        let refused = shop.app.post(&Who::Anybody, "/v1/sign_blinded", body).await;
        assert_eq!(refused.code(), "validation_failed");
    }
    // Nothing of what was paid for is lost.
    let mine = blind(&shop.signing_key().await, 1);
    shop.sign(&receipt, &mine).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_key_stands_in_the_log_with_what_it_is_for() {
    let shop = Shop::open().await;
    let key = shop.signing_key().await;
    let validation = &key["merkle_validation"];
    let leaf = BASE64.decode(validation["leaf"].as_str().unwrap().as_bytes()).unwrap();
    let leaf = Leaf::parse(&leaf).unwrap();
    assert_eq!(leaf.kind, Kind::Issuer);
    let spki = BASE64URL_NOPAD.decode(key["public_key"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(HEXLOWER.encode(&leaf.body[..32]), key["key_id"]);
    assert_eq!(u64::from(leaf.body[32]), shop.kind);
    assert!(leaf.body.ends_with(&spki));
    let log = shop.app.get(&Who::Anybody, "/v1/events/sample/log").await.json();
    let validation: Validation = serde_json::from_value(validation.clone()).unwrap();
    assert!(validation.check(log["vkey"].as_str().unwrap()).is_ok());
    let all = shop.app.get(&Who::Anybody, "/keys/public").await.json();
    assert_eq!(all["keys"][0]["key_id"], key["key_id"]);
}

#[tokio::test]
async fn privacy_pass_clients_find_the_keys_and_get_tokens() {
    let shop = Shop::open().await;
    let path = "/.well-known/private-token-issuer-directory";
    let directory = shop.app.get(&Who::Anybody, path).await.expect(StatusCode::OK);
    assert_eq!(
        directory.headers[header::CONTENT_TYPE],
        "application/private-token-issuer-directory"
    );
    let key = shop.signing_key().await;
    assert_eq!(directory.json()["token-keys"][0]["token-key"], key["public_key"]);
    let blinded = blind(&key, 1);
    let asked = privacy_pass::TokenRequest {
        truncated_key_id: blinded.key_id[31],
        blinded: blinded.message,
    };
    let who = Who::Bearer(shop.receipt(1).await);
    let uri = directory.json()["issuer-request-uri"].as_str().unwrap().to_owned();
    let request = request("POST", &who, &uri)
        .header(header::CONTENT_TYPE, "application/private-token-request");
    let answer = shop.app.send(request.body(Body::from(asked.write())).unwrap()).await;
    let answer = answer.expect(StatusCode::OK);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/private-token-response");
    assert!(blinded.unblinder.finalize(&answer.bytes.try_into().unwrap()).is_some());
}

#[tokio::test]
async fn a_new_key_signs_and_the_old_one_finishes_what_was_begun() {
    let shop = Shop::open().await;
    let (receipt, old) = (shop.receipt(3).await, shop.signing_key().await);
    let path = "/v1/desk/events/sample/issuer-keys/rotate";
    let rotated = shop.app.post(&shop.organiser, path, json!({"ticket_type": shop.kind})).await;
    assert_eq!(rotated.expect(StatusCode::OK).json()["keys"].as_array().unwrap().len(), 2);
    let new = shop.signing_key().await;
    assert_ne!(new["key_id"], old["key_id"]);
    let (before, after) = (blind(&old, 1), blind(&new, 2));
    let tokens = [
        finish(&before, &shop.sign(&receipt, &before).await.expect(StatusCode::OK)),
        finish(&after, &shop.sign(&receipt, &after).await.expect(StatusCode::OK)),
    ];
    for (id, token) in (1..).zip(&tokens) {
        shop.app.scan(&shop.gate, &token.code(), id).await.expect(StatusCode::OK);
    }
    shop.app.wait(24 * HOUR_MS);
    let late = shop.sign(&receipt, &blind(&old, 3)).await.expect(StatusCode::CONFLICT);
    assert_eq!(late.code(), "key_retired");
}

#[tokio::test]
async fn a_postponed_event_needs_no_new_tickets() {
    let shop = Shop::open().await;
    let token = shop.buy(1).await;
    let event = shop.app.get(&shop.organiser, "/v1/desk/events/sample").await.json();
    let ends = admit::clock::parse_rfc3339(event["ends_at"].as_str().unwrap()).unwrap();
    let later = admit::clock::rfc3339(ends.plus(30 * 24 * HOUR_MS));
    let body = json!({"ends_at": later});
    let changed = shop.app.patch(&shop.organiser, "/v1/desk/events/sample", body).await;
    changed.expect(StatusCode::OK);
    shop.app.wait(ends.0 + 20 * 24 * HOUR_MS - crate::app::NOW);
    shop.app.scan(&shop.gate, &token.code(), 1).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_changed_type_changes_what_is_sold_from_then_on() {
    let shop = Shop::open().await;
    let path = format!("/v1/desk/events/sample/ticket-types/{}", shop.kind);
    let change = |body: Value| shop.app.patch(&shop.organiser, &path, body);
    let first = shop.signing_key().await;
    change(json!({"max_uses": 2})).await.expect(StatusCode::OK);
    // Nothing was signed: the same key is for something else now, and the log tells it.
    let changed = shop.signing_key().await;
    assert_eq!(changed["key_id"], first["key_id"]);
    assert_ne!(changed["merkle_validation"]["leaf"], first["merkle_validation"]["leaf"]);
    let twice = shop.buy(1).await;
    change(json!({"max_uses": 1})).await.expect(StatusCode::OK);
    assert_ne!(shop.signing_key().await["key_id"], first["key_id"]);
    let once = shop.buy(2).await;
    shop.app.scan(&shop.gate, &twice.code(), 1).await.expect(StatusCode::OK);
    shop.app.scan(&shop.gate, &twice.code(), 2).await.expect(StatusCode::OK);
    shop.app.scan(&shop.gate, &once.code(), 3).await.expect(StatusCode::OK);
    shop.app.scan(&shop.gate, &once.code(), 4).await.expect(StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_ticket_of_a_day_is_good_on_that_day() {
    let sale = json!({"price_cents": 300, "currency": "EUR", "by_day": true});
    let shop = Shop::selling(sale, 50).await;
    let event = shop.app.get(&Who::Anybody, "/v1/events/sample/public").await.json();
    let kinds = event["ticket_types"].as_array().unwrap();
    let sold = kinds.iter().find(|kind| kind["number"] == shop.kind).unwrap();
    assert_eq!(sold["sale"]["payments"], json!(["TEST", "VOUCHER"]));
    let day = sold["sale"]["days"].as_array().unwrap().last().unwrap().clone();
    let order = |day: Value| {
        json!({"event": "sample", "ticket_type": shop.kind, "quantity": 1,
        "day": day, "payment_provider": "TEST"})
    };
    let wrong = shop.app.post(&Who::Anybody, "/v1/checkout", order(json!("2020-01-01"))).await;
    assert_eq!(wrong.code(), "validation_failed");
    let made = shop.app.post(&Who::Anybody, "/v1/checkout", order(day.clone())).await;
    let reference = made.expect(StatusCode::OK).json()["provider_receipt_id"].clone();
    shop.pay(&reference).await.expect(StatusCode::OK);
    let receipt = shop.verify("TEST", &reference).await.json();
    assert_eq!(receipt["day"], day);
    let key = shop.keys().await.into_iter().find(|key| key["day"] == day).unwrap();
    let blinded = blind(&key, 1);
    let signed = shop.sign(receipt["receipt_id"].as_str().unwrap(), &blinded).await;
    let token = finish(&blinded, &signed.expect(StatusCode::OK));
    let begins = admit::clock::parse_rfc3339(key["not_before"].as_str().unwrap()).unwrap();
    let early = begins.0 - crate::app::NOW - 1;
    if early > 0 {
        shop.app.wait(early);
        let refused = shop.app.scan(&shop.gate, &token.code(), 1).await;
        assert_eq!(refused.json()["reason"], "not_yet_valid");
        shop.app.wait(1);
    }
    shop.app.scan(&shop.gate, &token.code(), 2).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_ticket_is_exchanged_for_one_that_lives_in_one_wallet() {
    let shop = Shop::open().await;
    let token = shop.buy(1).await;
    let key = SigningKey::from_slice(&[7; 32]).unwrap();
    let other = SigningKey::from_slice(&[8; 32]).unwrap();
    let first = shop.exchange(&token, &key).await.expect(StatusCode::OK).json();
    assert_eq!(shop.exchange(&token, &key).await.json(), first);
    assert_eq!(shop.exchange(&token, &other).await.code(), "transferred");
    let access = Who::Bearer(first["access"].as_str().unwrap().to_owned());
    let ticket = shop.app.get(&access, "/v1/ticket").await.expect(StatusCode::OK).json();
    assert_eq!(ticket["rotation"]["kind"], "device");
    assert_eq!(ticket["name"], Value::Null);
    // It is bound already: another phone gets nothing.
    let bind = json!({"public_key": public(&other)});
    let refused = shop.app.post(&access, "/v1/ticket/bind", bind).await;
    assert_eq!(refused.code(), "bound_elsewhere");
    let old = shop.app.scan(&shop.gate, &token.code(), 1).await.expect(StatusCode::CONFLICT);
    assert_eq!(old.json()["reason"], "transferred");
}

#[tokio::test]
async fn a_used_or_forged_ticket_is_not_exchanged() {
    let shop = Shop::open().await;
    let token = shop.buy(1).await;
    let key = SigningKey::from_slice(&[7; 32]).unwrap();
    let mut forged = token.clone();
    forged.nonce[0] ^= 1;
    assert_eq!(shop.exchange(&forged, &key).await.code(), "validation_failed");
    shop.app.scan(&shop.gate, &token.code(), 1).await.expect(StatusCode::OK);
    assert_eq!(shop.exchange(&token, &key).await.code(), "already_used");
}

#[tokio::test]
async fn an_organiser_withdraws_a_ticket_by_the_number_in_its_wallet() {
    let shop = Shop::open().await;
    let token = shop.buy(1).await;
    let path = "/v1/desk/events/sample/revoked-tokens";
    let body = json!({"number": token.number(), "reason": "Backup stolen"});
    shop.app.post(&shop.organiser, path, body).await.expect(StatusCode::OK);
    let refused = shop.app.scan(&shop.gate, &token.code(), 1).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.json()["reason"], "revoked");
    let listed = shop.app.get(&shop.organiser, path).await.json();
    assert_eq!(listed["tokens"][0]["number"], token.number());
}

#[tokio::test]
async fn an_identified_ticket_is_not_withdrawn_as_if_it_were_anonymous() {
    let shop = Shop::open().await;
    let number = shop.app.register("A Guest").await["ticket"]["number"].clone();
    let path = "/v1/desk/events/sample/revoked-tokens";
    let refused = shop.app.post(&shop.organiser, path, json!({"number": number})).await;
    assert_eq!(refused.code(), "validation_failed");
}

#[tokio::test]
async fn tickets_that_are_sold_without_a_name_are_issued_to_nobody() {
    let shop = Shop::open().await;
    let body = json!({"ticket_type": shop.kind, "name": "A Guest", "email": "a@example.org"});
    let path = "/v1/events/sample/registrations";
    let refused = shop.app.post(&Who::Anybody, path, body).await;
    assert_eq!(refused.code(), "validation_failed");
}

#[tokio::test]
async fn a_gate_judges_by_itself_with_the_keys_it_was_given() {
    let shop = Shop::open().await;
    let token = shop.buy(1).await;
    let setup = shop.app.get(&shop.gate, "/v1/gate").await.expect(StatusCode::OK).json();
    let judge = admit_core::setup::Judge::new(serde_json::from_value(setup).unwrap()).unwrap();
    let gate = GateNo(1);
    let verdict = judge.judge(&token.code(), gate, admit_core::id::UnixMs(crate::app::NOW));
    assert_eq!(verdict.verdict, "admit");
    assert!(verdict.ticket.unwrap().anonymous);
}

#[tokio::test]
async fn what_a_gate_admitted_alone_counts_when_its_code_comes_along() {
    let shop = Shop::open().await;
    let (token, other) = (shop.buy(1).await, shop.buy(2).await);
    let setup = shop.app.get(&shop.gate, "/v1/gate").await.json();
    let judge = admit_core::setup::Judge::new(serde_json::from_value(setup).unwrap()).unwrap();
    let at = admit_core::id::UnixMs(crate::app::NOW);
    let digest = |token: &Token| judge.judge(&token.code(), GateNo(1), at).digest.unwrap();
    let entry = |token: &Token, id: u8| {
        json!({"token_hash": digest(token), "local_id": format!("scan {id}"), "gate": 1,
            "t": admit::clock::rfc3339(at)})
    };
    let body = json!({"validator_id": "laptop-01", "bearer_codes": [token.code()],
        "accepted_tokens": [entry(&token, 1), entry(&other, 2)]});
    let told = shop.app.post(&shop.gate, "/v1/sync_offline", body).await.expect(StatusCode::OK);
    assert_eq!(told.json()["stored"], 1);
    assert_eq!(told.json()["refused"].as_array().unwrap().len(), 1);
    let again = shop.app.scan(&shop.gate, &token.code(), 9).await.expect(StatusCode::CONFLICT);
    assert_eq!(again.json()["reason"], "already_used");
}

/// A ticket of a wallet that can answer, and the wallet's key.
async fn held(shop: &Shop, seed: u64) -> (Token, SigningKey) {
    let holder = SigningKey::from_slice(&[u8::try_from(seed).unwrap(); 32]).unwrap();
    let nonce = anonymous::holders_nonce(&point(&holder));
    let blinded = blind_nonce(&shop.signing_key().await, seed, nonce);
    let receipt = shop.receipt(1).await;
    let signed = shop.sign(&receipt, &blinded).await.expect(StatusCode::OK);
    (finish(&blinded, &signed), holder)
}

fn point(key: &SigningKey) -> [u8; 33] {
    key.verifying_key().to_sec1_point(true).as_bytes().try_into().unwrap()
}

/// What a wallet answers to a gate.
fn answer(token: &Token, holder: &SigningKey, gate: u16, nonce: [u8; 8]) -> String {
    let challenge = Challenge { nonce, gate: GateNo(gate) };
    let ticket = anonymous::ticket_of(&token.key_id, &token.nonce);
    let message = rotating::challenge_message(EventNo(1), ticket, &challenge);
    let proof: Signature = holder.sign(&message);
    let proof = proof.to_bytes().into();
    anonymous::answer_code(&token.key_id, &point(holder), &token.signature, &proof)
}

async fn asked(shop: &Shop, code: &str, nonce: [u8; 8], id: u8) -> Reply {
    let scan_id = ScanId([id; 16]).to_string();
    let body = json!({"code": code, "gate": 1, "scan_id": scan_id,
        "challenge": BASE64URL_NOPAD.encode(&nonce)});
    shop.app.post(&shop.gate, "/v1/gate/admissions", body).await
}

#[tokio::test]
async fn a_gate_that_asks_admits_the_wallet_and_no_copy_of_its_code() {
    let shop = Shop::open().await;
    let (token, holder) = held(&shop, 5).await;
    let thief = SigningKey::from_slice(&[9; 32]).unwrap();
    let nonce = [3; 8];
    let wrong = [
        token.code(),
        answer(&token, &thief, 1, nonce),
        answer(&token, &holder, 2, nonce),
        answer(&token, &holder, 1, [4; 8]),
    ];
    for (id, code) in (1..).zip(&wrong) {
        let refused = asked(&shop, code, nonce, id).await.expect(StatusCode::CONFLICT).json();
        let reason = refused["reason"].as_str().unwrap();
        assert!(["proof_invalid", "invalid"].contains(&reason), "{id}: {reason}");
    }
    let good = answer(&token, &holder, 1, nonce);
    // Nobody asked for it here.
    let unasked = shop.app.scan(&shop.gate, &good, 8).await.expect(StatusCode::CONFLICT);
    assert_eq!(unasked.json()["reason"], "proof_invalid");
    asked(&shop, &good, nonce, 9).await.expect(StatusCode::OK);
    // It is the same ticket as its plain code.
    let plain = shop.app.scan(&shop.gate, &token.code(), 10).await.expect(StatusCode::CONFLICT);
    assert_eq!(plain.json()["reason"], "already_used");
    assert_eq!(anonymous::plain(&good), Some(token.code()));
}
