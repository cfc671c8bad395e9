//! Selling over HTTP: test payments only in demonstrations, Stripe asked and never believed, vouchers.

use std::sync::{Arc, Mutex};

use admit::payment::{Opened, Order, Paid, PaymentError, Provider};
use admit::till::{StripeTill, Till};
use admit_core::id::UnixMs;
use axum::http::StatusCode;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::app::{Reply, Who};
use crate::shop::{Shop, blind, finish};

const SALE: &str = "/v1/desk/events/sample/sales";

/// Stands in for Stripe behind its interface: the adapter has its own tests.
#[derive(Default)]
struct Counter {
    orders: Mutex<Vec<Order>>,
    says: Mutex<Option<Paid>>,
    closed: Mutex<bool>,
}

impl Provider for Counter {
    fn open(&self, order: &Order, _now: UnixMs) -> Result<Opened, PaymentError> {
        if *self.closed.lock().unwrap() {
            return Err(PaymentError::Unreachable("closed".to_owned()));
        }
        self.orders.lock().unwrap().push(order.clone());
        let pay_url = Some("https://pay.example/session".to_owned());
        Ok(Opened { reference: "cs_test_1".to_owned(), pay_url })
    }

    fn check(&self, _reference: &str) -> Result<Paid, PaymentError> {
        Ok(self.says.lock().unwrap().clone().unwrap_or(Paid::Pending))
    }
}

struct Card {
    shop: Shop,
    counter: Arc<Counter>,
}

impl Card {
    async fn open(quota: u32) -> Self {
        let counter = Arc::new(Counter::default());
        let payee: Arc<dyn Provider> = Arc::<Counter>::clone(&counter);
        let webhook_secret = Some("whsec_test".to_owned());
        let till = Till { demo: false, stripe: Some(StripeTill { payee, webhook_secret }) };
        let sale = json!({"price_cents": 450, "currency": "EUR", "by_day": false});
        Self { shop: Shop::with(till, sale, quota).await, counter }
    }

    async fn order(&self) -> Reply {
        let body = json!({"event": "sample", "ticket_type": self.shop.kind, "quantity": 2,
            "payment_provider": "STRIPE"});
        self.shop.app.post(&Who::Anybody, "/v1/checkout", body).await
    }

    fn paid(&self, amount_minor: u32, currency: &str) {
        let order = self.counter.orders.lock().unwrap().last().unwrap().reference_hint.clone();
        let paid = Paid::Paid { amount_minor, currency: currency.to_owned(), order };
        *self.counter.says.lock().unwrap() = Some(paid);
    }

    async fn verify(&self) -> Reply {
        self.shop.verify("STRIPE", &json!("cs_test_1")).await
    }
}

async fn vouchers(shop: &Shop, count: usize) -> Vec<String> {
    let body =
        json!({"event": "sample", "ticket_type": shop.kind, "count": count, "label": "Kiosk"});
    let made = shop.app.post(&shop.organiser, "/v1/create_voucher", body).await;
    let codes = made.expect(StatusCode::CREATED).json()["codes"].as_array().unwrap().clone();
    codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect()
}

async fn redeem(shop: &Shop, code: &str, claim: u8) -> Reply {
    let body = json!({"code": code, "claim": BASE64URL_NOPAD.encode(&[claim; 32])});
    shop.app.post(&Who::Anybody, "/v1/redeem_voucher", body).await
}

#[tokio::test]
async fn test_payments_are_taken_in_demonstrations_only() {
    let card = Card::open(50).await;
    assert_eq!(card.shop.order(1).await.code(), "validation_failed");
    let paid = card.shop.pay(&json!("test_AAAAAAAAAAAAAAAAAAAAAA")).await;
    paid.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_unpaid_order_buys_nothing() {
    let shop = Shop::open().await;
    let order = shop.order(2).await.expect(StatusCode::OK).json();
    assert_eq!((&order["amount_cents"], &order["currency"]), (&json!(900), &json!("EUR")));
    let receipt = shop.verify("TEST", &order["provider_receipt_id"]).await.json();
    assert_eq!((&receipt["status"], &receipt["receipt_id"]), (&json!("pending"), &Value::Null));
    let unknown = shop.verify("TEST", &json!("test_AAAAAAAAAAAAAAAAAAAAAA")).await;
    unknown.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_same_payment_always_gives_the_same_receipt() {
    let shop = Shop::open().await;
    let order = shop.order(1).await.json();
    let reference = &order["provider_receipt_id"];
    shop.pay(reference).await.expect(StatusCode::OK);
    let first = shop.verify("TEST", reference).await.json();
    shop.pay(reference).await.expect(StatusCode::OK);
    assert_eq!(shop.verify("TEST", reference).await.json(), first);
}

#[tokio::test]
async fn orders_beyond_the_quota_and_of_closed_events_are_refused() {
    let sale = json!({"price_cents": 450, "currency": "EUR", "by_day": false});
    let shop = Shop::selling(sale, 1).await;
    assert_eq!(shop.order(2).await.code(), "sold_out");
    assert_eq!(shop.order(0).await.code(), "validation_failed");
    let close = json!({"registration": "closed"});
    shop.app.patch(&shop.organiser, "/v1/desk/events/sample", close).await.expect(StatusCode::OK);
    assert_eq!(shop.order(1).await.code(), "registration_closed");
}

#[tokio::test]
async fn a_card_payment_is_asked_after_and_then_buys_signatures() {
    let card = Card::open(50).await;
    let order = card.order().await.expect(StatusCode::OK).json();
    assert_eq!(order["pay_url"], "https://pay.example/session");
    assert_eq!(card.verify().await.expect(StatusCode::OK).json()["status"], "pending");
    card.paid(900, "eur");
    let receipt = card.verify().await.expect(StatusCode::OK).json();
    assert_eq!((&receipt["status"], &receipt["quantity"]), (&json!("verified"), &json!(2)));
    let blinded = blind(&card.shop.signing_key().await, 1);
    let signed = card.shop.sign(receipt["receipt_id"].as_str().unwrap(), &blinded).await;
    finish(&blinded, &signed.expect(StatusCode::OK));
}

#[tokio::test]
async fn a_payment_of_another_amount_or_currency_buys_nothing() {
    let card = Card::open(50).await;
    card.order().await.expect(StatusCode::OK);
    for (amount, currency) in [(899, "eur"), (900, "usd")] {
        card.paid(amount, currency);
        assert_eq!(card.verify().await.code(), "payment_mismatch");
    }
}

#[tokio::test]
async fn places_are_free_again_when_no_payment_could_be_begun() {
    let card = Card::open(2).await;
    *card.counter.closed.lock().unwrap() = true;
    assert_eq!(card.order().await.code(), "payment_unavailable");
    *card.counter.closed.lock().unwrap() = false;
    card.order().await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_payment_too_late_is_to_be_given_back_when_nothing_is_left() {
    let card = Card::open(2).await;
    card.order().await.expect(StatusCode::OK);
    let order = card.counter.orders.lock().unwrap()[0].reference_hint.clone();
    card.shop.app.wait(admit::sale::HOLD_MS);
    card.order().await.expect(StatusCode::OK);
    let (amount_minor, currency) = (900, "eur".to_owned());
    *card.counter.says.lock().unwrap() = Some(Paid::Paid { amount_minor, currency, order });
    let late = card.verify().await.expect(StatusCode::OK).json();
    assert_eq!((&late["status"], &late["receipt_id"]), (&json!("refund_due"), &Value::Null));
    let sales = card.shop.app.get(&card.shop.organiser, SALE).await.json();
    assert_eq!(sales["refunds"][0]["reference"], "cs_test_1");
}

#[tokio::test]
async fn a_forged_notice_is_refused() {
    let card = Card::open(50).await;
    let body = json!({"type": "checkout.session.completed"});
    let refused = card.shop.app.post(&Who::Anybody, "/v1/payments/stripe", body).await;
    assert_eq!(refused.code(), "validation_failed");
}

#[tokio::test]
async fn a_voucher_buys_a_ticket_once() {
    let shop = Shop::open().await;
    let codes = vouchers(&shop, 2).await;
    let typed = codes[0].to_lowercase().replace('-', " ");
    let receipt = redeem(&shop, &typed, 1).await.expect(StatusCode::OK).json();
    assert_eq!(receipt["status"], "verified");
    assert_eq!(redeem(&shop, &codes[0], 1).await.json(), receipt);
    assert_eq!(redeem(&shop, &codes[0], 2).await.code(), "voucher_used");
    let blinded = blind(&shop.signing_key().await, 1);
    let signed = shop.sign(receipt["receipt_id"].as_str().unwrap(), &blinded).await;
    let token = finish(&blinded, &signed.expect(StatusCode::OK));
    shop.app.scan(&shop.gate, &token.code(), 1).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_mistyped_code_is_told_apart_from_one_that_is_no_voucher() {
    let shop = Shop::open().await;
    let code = vouchers(&shop, 1).await.remove(0);
    let swapped =
        if code.starts_with('2') { code.replacen('2', "3", 1) } else { format!("2{}", &code[1..]) };
    let mistyped = redeem(&shop, &swapped, 1).await;
    assert_eq!(mistyped.code(), "validation_failed");
    let other = admit_core::voucher::VoucherCode::from_random(&[9; 32]).unwrap().to_string();
    assert_eq!(redeem(&shop, &other, 1).await.code(), "voucher_unknown");
}

#[tokio::test]
async fn whoever_tries_codes_is_slowed_down_and_counted() {
    let shop = Shop::open().await;
    let mut answers = Vec::new();
    for byte in 0..30 {
        let code = admit_core::voucher::VoucherCode::from_random(&[byte; 32]).unwrap();
        answers.push(redeem(&shop, &code.to_string(), 1).await.code());
    }
    let slowed = answers.iter().filter(|code| *code == "rate_limited").count();
    assert_eq!(slowed, 30 - 20);
    let sales = shop.app.get(&shop.organiser, SALE).await.expect(StatusCode::OK).json();
    assert_eq!(sales["wrong_vouchers_today"], 20);
}

#[tokio::test]
async fn vouchers_that_were_withdrawn_are_worth_nothing() {
    let shop = Shop::open().await;
    let codes = vouchers(&shop, 2).await;
    let path = "/v1/desk/events/sample/vouchers/1/void";
    let voided = shop.app.post(&shop.organiser, path, json!({})).await.expect(StatusCode::OK);
    assert_eq!(voided.json()["voided"], true);
    assert_eq!(redeem(&shop, &codes[0], 1).await.code(), "voucher_expired");
}

#[tokio::test]
async fn the_desk_sees_numbers_and_nothing_else() {
    let shop = Shop::open().await;
    shop.buy(1).await;
    vouchers(&shop, 3).await;
    let sales = shop.app.get(&shop.organiser, SALE).await.expect(StatusCode::OK).json();
    let kind = &sales["types"][0];
    assert_eq!((&kind["sold"], &kind["signed"]), (&json!(4), &json!(1)));
    assert_eq!(sales["payments"][0]["amount_cents"], 450);
    assert_eq!(sales["vouchers"][0]["count"], 3);
}

#[tokio::test]
async fn how_a_type_is_sold_is_settled_with_its_first_ticket() {
    let shop = Shop::open().await;
    shop.receipt(1).await;
    let path = format!("/v1/desk/events/sample/ticket-types/{}", shop.kind);
    let change = |sale: Value| shop.app.patch(&shop.organiser, &path, json!({"sale": sale}));
    assert_eq!(change(Value::Null).await.code(), "validation_failed");
    let by_day = json!({"price_cents": 450, "currency": "EUR", "by_day": true});
    assert_eq!(change(by_day).await.code(), "validation_failed");
    let dearer = json!({"price_cents": 500, "currency": "EUR", "by_day": false});
    change(dearer).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn vouchers_are_printed_as_cards_while_they_are_good() {
    let shop = Shop::open().await;
    let codes = vouchers(&shop, 3).await;
    let path = "/v1/desk/events/sample/vouchers/sheet";
    let printed = shop.app.post(&shop.organiser, path, json!({"codes": codes})).await;
    assert!(printed.expect(StatusCode::OK).bytes.starts_with(b"%PDF-"));
    redeem(&shop, &codes[0], 1).await.expect(StatusCode::OK);
    let refused = shop.app.post(&shop.organiser, path, json!({"codes": codes})).await;
    assert_eq!(refused.code(), "validation_failed");
}
