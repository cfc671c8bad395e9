//! Payments and signed events of `localstripe`, a stand-in for Stripe that nobody here wrote.
//!
//! It has no Checkout Sessions, so payments are made as `PaymentIntents`, which is what a session makes.
//! The full test run installs it; on their own, these tests can only say that they could not look.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at any surprise"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};

use admit::clock;
use admit::payment::stripe::webhook::{WebhookRefused, webhook};
use admit::payment::stripe::{ANSWER_WITHIN, Settings, Stripe};
use admit::payment::{Paid, Provider};
use serde_json::Value;

const KEY: &str = "sk_test_stand_in";
const SECRET: &str = "whsec_stand_in";

/// A running stand-in, which ends with the test.
struct LocalStripe {
    process: Child,
    /// Kept open: it would end when it could say no more.
    _output: BufReader<ChildStdout>,
    base_url: String,
}

impl Drop for LocalStripe {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl LocalStripe {
    /// None when it is not installed.
    fn start() -> Option<Self> {
        let python = std::env::var("ADMIT_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let port = free_port().to_string();
        let mut process = Command::new(python)
            .args(["-u", "-m", "localstripe", "--from-scratch", "--port", &port])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut output = BufReader::new(process.stdout.take().unwrap());
        // It says so when it listens; without the package Python says nothing and ends.
        let mut lines = output.by_ref().lines().map_while(Result::ok);
        let runs = lines.any(|line| line.contains("Running on"));
        let this = Self { process, _output: output, base_url: format!("http://127.0.0.1:{port}") };
        assert!(runs || std::env::var_os("CI").is_none(), "localstripe does not start");
        runs.then_some(this)
    }

    fn client(&self) -> Stripe {
        Stripe::new(Settings {
            base_url: self.base_url.clone(),
            secret_key: KEY.to_owned(),
            paid_url: "https://tickets.example/paid".to_owned(),
            unpaid_url: "https://tickets.example/unpaid".to_owned(),
            answer_within: ANSWER_WITHIN,
        })
        .unwrap()
    }

    fn post(&self, path: &str, form: &[(&str, &str)]) -> Vec<u8> {
        let request = ureq::post(format!("{}{path}", self.base_url));
        let answer = request.header("authorization", format!("Bearer {KEY}"));
        answer.send_form(form.iter().copied()).unwrap().body_mut().read_to_vec().unwrap()
    }

    /// Makes something, and gives its name.
    fn make(&self, path: &str, form: &[(&str, &str)]) -> String {
        let made: Value = serde_json::from_slice(&self.post(path, form)).unwrap();
        made["id"].as_str().unwrap().to_owned()
    }

    /// A payment of 9 euros for the order `order-1`, and with `more`.
    fn pay(&self, more: &[(&str, &str)]) -> String {
        let what = [("amount", "900"), ("currency", "eur"), ("metadata[order]", "order-1")];
        self.make("/v1/payment_intents", &[&what, more].concat())
    }

    /// The same with a card that works, paid at once.
    fn pay_by_card(&self) -> String {
        let card = self.make(
            "/v1/payment_methods",
            &[
                ("type", "card"),
                ("card[number]", "4242424242424242"),
                ("card[exp_month]", "12"),
                ("card[exp_year]", "2040"),
                ("card[cvc]", "123"),
            ],
        );
        self.pay(&[("payment_method", &card), ("confirm", "true")])
    }
}

#[test]
fn a_payment_by_card_is_paid_with_its_amount_and_our_order() {
    let Some(stripe) = LocalStripe::start() else { return };
    let reference = stripe.pay_by_card();
    let (currency, order) = ("EUR".to_owned(), "order-1".to_owned());
    let wanted = Paid::Paid { amount_minor: 900, currency, order };
    assert_eq!(stripe.client().check(&reference), Ok(wanted));
}

#[test]
fn a_payment_without_a_card_is_pending_and_fails_when_it_is_cancelled() {
    let Some(stripe) = LocalStripe::start() else { return };
    let reference = stripe.pay(&[]);
    assert_eq!(stripe.client().check(&reference), Ok(Paid::Pending));
    stripe.post(&format!("/v1/payment_intents/{reference}/cancel"), &[]);
    assert_eq!(stripe.client().check(&reference), Ok(Paid::Failed));
}

#[test]
fn a_payment_that_nobody_made_is_unknown() {
    let Some(stripe) = LocalStripe::start() else { return };
    assert_eq!(stripe.client().check("pi_1234567890abcdef"), Ok(Paid::Unknown));
}

#[test]
fn a_signed_event_of_a_payment_leads_to_it_and_no_other_secret_does() {
    let Some(stripe) = LocalStripe::start() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    stripe.post("/_config/webhooks/ours", &[("url", &url), ("secret", SECRET)]);
    let reference = stripe.pay_by_card();
    // Other events, of the card and of the charge, come as well.
    for _ in 0..8 {
        let (signature, body) = receive(&listener);
        let forged = webhook(&body, &signature, "whsec_other", clock::now());
        assert_eq!(forged, Err(WebhookRefused::Forged));
        match webhook(&body, &signature, SECRET, clock::now()) {
            Ok(told) => return assert_eq!(told, reference),
            other => assert_eq!(other, Err(WebhookRefused::Irrelevant)),
        }
    }
    panic!("no event about the payment came");
}

/// The signature and the body of one event, which is answered with 200.
fn receive(listener: &TcpListener) -> (String, Vec<u8>) {
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream);
    let (mut signature, mut length) = (String::new(), 0);
    for line in reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "stripe-signature" => value.clone_into(&mut signature),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let stream = reader.get_mut();
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
    (signature, body)
}
