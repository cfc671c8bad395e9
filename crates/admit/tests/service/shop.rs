//! A service that sells tickets without a name, and a wallet that buys there.

use admit::till::Till;
use admit_blindrsa::client::{self, Unblinder};
use admit_core::privacy_pass;
use admit_core::pss::{MODULUS_BYTES, PublicKey};
use admit_core::ticket::anonymous;
use admit_store::account::Role;
use axum::http::StatusCode;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use p256::ecdsa::SigningKey;
use serde_json::{Value, json};

use crate::app::{Reply, TestApp, Who};

const TYPES: &str = "/v1/desk/events/sample/ticket-types";

/// A service that sells tickets without a name, and who works there.
pub(crate) struct Shop {
    pub(crate) app: TestApp,
    pub(crate) organiser: Who,
    pub(crate) gate: Who,
    pub(crate) kind: u64,
}

/// A ticket on its way: what a wallet keeps before it asks for the signature.
pub(crate) struct Blinded {
    pub(crate) key_id: [u8; 32],
    nonce: [u8; 32],
    pub(crate) message: [u8; MODULUS_BYTES],
    pub(crate) unblinder: Unblinder,
}

/// A ticket in a wallet.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) key_id: [u8; 32],
    pub(crate) nonce: [u8; 32],
    pub(crate) signature: [u8; MODULUS_BYTES],
}

impl Token {
    pub(crate) fn code(&self) -> String {
        anonymous::code(&self.key_id, &self.nonce, &self.signature)
    }

    pub(crate) fn number(&self) -> String {
        anonymous::ticket_of(&self.key_id, &self.nonce).to_string()
    }
}

impl Shop {
    pub(crate) async fn open() -> Self {
        Self::selling(json!({"price_cents": 450, "currency": "EUR", "by_day": false}), 2000).await
    }

    pub(crate) async fn selling(sale: Value, quota: u32) -> Self {
        Self::with(Till { demo: true, stripe: None }, sale, quota).await
    }

    pub(crate) async fn with(till: Till, sale: Value, quota: u32) -> Self {
        let app = TestApp::start().await;
        app.app.open_till(till).unwrap();
        let organiser = app.staff(Role::Organiser).await;
        let body = json!({"name": "Ride", "quota": quota, "sale": sale});
        let kind = app.post(&organiser, TYPES, body).await.expect(StatusCode::CREATED).json();
        let gate = app.device().await;
        Self { app, organiser, gate, kind: kind["number"].as_u64().unwrap() }
    }

    pub(crate) async fn keys(&self) -> Vec<Value> {
        let keys = self.app.get(&Who::Anybody, "/v1/events/sample/issuer-keys").await;
        keys.expect(StatusCode::OK).json()["keys"].as_array().unwrap().clone()
    }

    pub(crate) async fn order(&self, quantity: u16) -> Reply {
        let body = json!({"event": "sample", "ticket_type": self.kind, "quantity": quantity,
            "payment_provider": "TEST"});
        self.app.post(&Who::Anybody, "/v1/checkout", body).await
    }

    pub(crate) async fn verify(&self, provider: &str, reference: &Value) -> Reply {
        let body = json!({"payment_provider": provider, "provider_receipt_id": reference});
        self.app.post(&Who::Anybody, "/v1/verify_receipt", body).await
    }

    pub(crate) async fn pay(&self, reference: &Value) -> Reply {
        let body = json!({"provider_receipt_id": reference});
        self.app.post(&Who::Anybody, "/test/verify", body).await
    }

    /// Orders and pays; the receipt's credential.
    pub(crate) async fn receipt(&self, quantity: u16) -> String {
        let order = self.order(quantity).await.expect(StatusCode::OK).json();
        let reference = &order["provider_receipt_id"];
        self.pay(reference).await.expect(StatusCode::OK);
        let receipt = self.verify("TEST", reference).await.expect(StatusCode::OK).json();
        assert_eq!(receipt["status"], "verified");
        receipt["receipt_id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn sign(&self, receipt: &str, blinded: &Blinded) -> Reply {
        let body = json!({"receipt_id": receipt, "key_id": HEXLOWER.encode(&blinded.key_id),
            "blinded_token": BASE64.encode(&blinded.message)});
        self.app.post(&Who::Anybody, "/v1/sign_blinded", body).await
    }

    /// Buys one ticket as a wallet does.
    pub(crate) async fn buy(&self, seed: u64) -> Token {
        let receipt = self.receipt(1).await;
        let blinded = blind(&self.signing_key().await, seed);
        finish(&blinded, &self.sign(&receipt, &blinded).await.expect(StatusCode::OK))
    }

    pub(crate) async fn signing_key(&self) -> Value {
        self.keys().await.into_iter().find(|key| key["signs"] == true).unwrap()
    }

    pub(crate) async fn redeem(&self, body: Value) -> Reply {
        self.app.post(&self.gate, "/v1/redeem", body).await
    }

    pub(crate) async fn exchange(&self, token: &Token, key: &SigningKey) -> Reply {
        let body = json!({"event": "sample", "code": token.code(), "public_key": public(key)});
        self.app.post(&Who::Anybody, "/v1/exchange", body).await
    }
}

pub(crate) fn public(key: &SigningKey) -> String {
    BASE64URL_NOPAD.encode(key.verifying_key().to_sec1_point(true).as_bytes())
}

/// Bytes that depend on `seed` alone.
pub(crate) fn drawn<const N: usize>(seed: u64, purpose: u8) -> [u8; N] {
    let mut bytes = [0; N];
    for (place, chunk) in bytes.chunks_mut(32).enumerate() {
        let hash = admit::secret::sha256(
            &[seed.to_be_bytes().as_slice(), &[purpose], &place.to_be_bytes()].concat(),
        );
        chunk.copy_from_slice(&hash[..chunk.len()]);
    }
    bytes
}

/// Draws a ticket and blinds it for a key as it is published.
pub(crate) fn blind(key: &Value, seed: u64) -> Blinded {
    blind_nonce(key, seed, drawn(seed, 1))
}

pub(crate) fn blind_nonce(key: &Value, seed: u64, nonce: [u8; 32]) -> Blinded {
    let decode = |name: &str| BASE64URL_NOPAD.decode(key[name].as_str().unwrap().as_bytes());
    let spki = decode("public_key").unwrap();
    let key_id = privacy_pass::key_id(&spki);
    assert_eq!(key["key_id"], HEXLOWER.encode(&key_id));
    let digest = privacy_pass::challenge_digest(&decode("token_challenge").unwrap());
    let input = privacy_pass::token_input(&nonce, &digest, &key_id);
    let public = PublicKey::from_spki(&spki).unwrap();
    let mut draw = 2;
    let (message, unblinder) = client::blind(&public, &input, &drawn(seed, 0), |factor| {
        *factor = drawn(seed, draw);
        draw += 1;
    })
    .unwrap();
    Blinded { key_id, nonce, message, unblinder }
}

/// Makes a ticket of the answer of the server.
pub(crate) fn finish(blinded: &Blinded, answer: &Reply) -> Token {
    let signed = answer.json()["signed_blinded"].as_str().unwrap().to_owned();
    let signed = BASE64.decode(signed.as_bytes()).unwrap().try_into().unwrap();
    let signature = blinded.unblinder.finalize(&signed).unwrap();
    Token { key_id: blinded.key_id, nonce: blinded.nonce, signature }
}
