//! The client against a stand-in that answers what it is told, and repeats what it was asked.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use proptest::prelude::*;

use super::*;

const NOW: UnixMs = UnixMs(1_700_000_000_000);
const KEY: &str = "sk_test_secret";
/// An address of this machine where nobody listens.
const NOBODY: &str = "http://127.0.0.1:1";
const MINUTE_MS: i64 = 60 * 1000;

/// What the stand-in does with one request.
enum Reply {
    /// A status and a body.
    Say(u16, String),
    /// Nothing, until the client gives up.
    Silence,
    /// These bytes and no more.
    Bytes(&'static [u8]),
    /// It hangs up.
    HangUp,
}

/// Speaks as much of Stripe's API as one test needs.
struct StandIn {
    base_url: String,
    requests: JoinHandle<Vec<String>>,
}

impl StandIn {
    fn new(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let serve = move || replies.into_iter().map(|reply| answer(&listener, &reply)).collect();
        Self { base_url, requests: std::thread::spawn(serve) }
    }

    fn client(&self) -> Stripe {
        Stripe::new(settings(&self.base_url)).unwrap()
    }

    /// One that gives up soon.
    fn hasty_client(&self) -> Stripe {
        let answer_within = Duration::from_millis(200);
        Stripe::new(Settings { answer_within, ..settings(&self.base_url) }).unwrap()
    }

    /// What it was asked, once it has made all its replies.
    fn requests(self) -> Vec<String> {
        self.requests.join().unwrap()
    }
}

fn settings(base_url: &str) -> Settings {
    Settings {
        base_url: base_url.to_owned(),
        secret_key: KEY.to_owned(),
        paid_url: "https://tickets.example/ticket/#paid".to_owned(),
        unpaid_url: "https://tickets.example/ticket/#unpaid".to_owned(),
        answer_within: ANSWER_WITHIN,
    }
}

/// Takes one request, replies, and returns what was asked.
fn answer(listener: &TcpListener, reply: &Reply) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let asked = read_request(&mut stream);
    match reply {
        Reply::Say(status, body) => {
            let head = format!(
                "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            // A client that has read enough hangs up before the end.
            let _ = stream.write_all(&[head.as_bytes(), body.as_bytes()].concat());
        }
        Reply::Silence => {
            let _ = stream.read(&mut [0]);
        }
        Reply::Bytes(bytes) => stream.write_all(bytes).unwrap(),
        Reply::HangUp => {}
    }
    asked
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        let length = stream.read(&mut buffer).unwrap();
        text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let wanted = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if length == 0 || body.len() >= wanted.map_or(0, |wanted| wanted.parse().unwrap()) {
            return text;
        }
    }
}

fn order() -> Order {
    Order {
        reference_hint: "order-1".to_owned(),
        event_slug: "river-night".to_owned(),
        event_name: "River Night".to_owned(),
        type_name: "Day ticket".to_owned(),
        ticket_type: 3,
        day: Some("2026-12-01".to_owned()),
        quantity: 2,
        amount_minor: 900,
        currency: "EUR".to_owned(),
        expires_at: NOW.plus(45 * MINUTE_MS),
    }
}

fn session(status: &str, payment_status: &str) -> String {
    format!(
        r#"{{"id":"cs_test_1","object":"checkout.session","url":"https://pay.example/1",
            "status":"{status}","payment_status":"{payment_status}","amount_total":900,
            "currency":"eur","metadata":{{"order":"order-1"}},
            "customer_details":{{"email":"payer@example.org"}}}}"#
    )
}

fn intent(status: &str, received: u32) -> String {
    format!(
        r#"{{"id":"pi_1","object":"payment_intent","status":"{status}","amount":900,
            "amount_received":{received},"currency":"eur","metadata":{{"order":"order-1"}}}}"#
    )
}

fn paid(amount_minor: u32) -> Paid {
    Paid::Paid { amount_minor, currency: "EUR".to_owned(), order: "order-1".to_owned() }
}

/// What a check of `reference` makes of one answer.
fn check(reference: &str, status: u16, body: String) -> Result<Paid, PaymentError> {
    let stand_in = StandIn::new(vec![Reply::Say(status, body)]);
    let told = stand_in.client().check(reference);
    let path = if reference.starts_with("cs_") { "checkout/sessions" } else { "payment_intents" };
    assert!(stand_in.requests()[0].starts_with(&format!("GET /v1/{path}/{reference} HTTP/1.1")));
    told
}

/// What opening makes of these answers, and what was asked.
fn open(replies: Vec<Reply>) -> (Result<Opened, PaymentError>, Vec<String>) {
    let stand_in = StandIn::new(replies);
    let opened = stand_in.client().open(&order(), NOW);
    (opened, stand_in.requests())
}

fn opened() -> Opened {
    let pay_url = Some("https://pay.example/1".to_owned());
    Opened { reference: "cs_test_1".to_owned(), pay_url }
}

#[test]
fn opening_asks_for_a_page_with_the_whole_amount_and_our_name_of_the_order() {
    let (told, asked) = open(vec![Reply::Say(200, session("open", "unpaid"))]);
    assert_eq!(told, Ok(opened()));
    let (head, body) = asked[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/checkout/sessions HTTP/1.1"));
    for field in [
        "mode=payment",
        "line_items%5B0%5D%5Bprice_data%5D%5Bunit_amount%5D=900",
        "line_items%5B0%5D%5Bprice_data%5D%5Bcurrency%5D=eur",
        "expires_at=1700002700",
        "metadata%5Border%5D=order-1",
        "payment_intent_data%5Bmetadata%5D%5Border%5D=order-1",
        "success_url=https%3A%2F%2Ftickets.example%2Fticket%2F%23paid",
        "cancel_url=https%3A%2F%2Ftickets.example%2Fticket%2F%23unpaid",
    ] {
        assert!(body.split('&').any(|sent| sent == field), "{field} in {body}");
    }
}

#[test]
fn opening_names_the_version_of_the_api_and_what_makes_it_happen_once() {
    let (_, asked) = open(vec![Reply::Say(200, session("open", "unpaid"))]);
    for header in [
        format!("stripe-version: {API_VERSION}"),
        "idempotency-key: order-1".to_owned(),
        format!("authorization: Bearer {KEY}"),
    ] {
        assert!(asked[0].lines().any(|line| line == header), "{header} in {}", asked[0]);
    }
}

#[test]
fn opening_is_asked_once_more_when_the_answer_is_lost() {
    let (told, asked) = open(vec![Reply::HangUp, Reply::Say(200, session("open", "unpaid"))]);
    assert_eq!(told, Ok(opened()));
    let body = |request: &String| request.split_once("\r\n\r\n").unwrap().1.to_owned();
    assert_eq!(body(&asked[0]), body(&asked[1]));
}

#[test]
fn opening_is_asked_once_more_when_the_provider_stumbles() {
    let stumble = Reply::Say(500, "{}".to_owned());
    let (told, _) = open(vec![stumble, Reply::Say(200, session("open", "unpaid"))]);
    assert_eq!(told, Ok(opened()));
}

#[test]
fn opening_is_given_up_after_two_answers_that_are_none() {
    let (told, asked) =
        open(vec![Reply::Say(500, String::new()), Reply::Say(503, "{}".to_owned())]);
    assert_eq!(told, Err(PaymentError::Refused { status: 503, code: String::new() }));
    assert_eq!(asked.len(), 2);
}

#[test]
fn a_refusal_is_told_with_its_word_and_not_its_sentence() {
    let body = r#"{"error":{"type":"invalid_request_error","code":"amount_too_small",
        "message":"of payer@example.org"}}"#;
    let (told, asked) = open(vec![Reply::Say(400, body.to_owned())]);
    let code = "amount_too_small".to_owned();
    assert_eq!(told, Err(PaymentError::Refused { status: 400, code }));
    assert_eq!(asked.len(), 1);
}

#[test]
fn a_word_for_a_refusal_that_is_no_word_is_left_out() {
    let body = r#"{"error":{"code":"a\nline of its own"}}"#;
    let (told, _) = open(vec![Reply::Say(402, body.to_owned())]);
    assert_eq!(told, Err(PaymentError::Refused { status: 402, code: String::new() }));
}

#[test]
fn a_session_without_a_page_or_with_another_name_is_unreadable() {
    for (from, to) in [
        (r#""https://pay.example/1""#, "null"),
        ("https://pay.example", "javascript:alert()"),
        ("cs_test_1", "../../v1/customers"),
        ("cs_test_1", "pi_1"),
    ] {
        let body = session("open", "unpaid").replace(from, to);
        let (told, _) = open(vec![Reply::Say(200, body)]);
        assert!(matches!(told, Err(PaymentError::Unreadable(_))), "{to}: {told:?}");
    }
}

#[test]
fn a_session_ends_with_the_places_as_far_as_stripe_allows() {
    let minutes = |wanted: i64| (expires_s(NOW.plus(wanted * MINUTE_MS), NOW) - NOW.0 / 1000) / 60;
    assert_eq!([minutes(5), minutes(45), minutes(5000)], [31, 45, 1439]);
}

#[test]
fn the_payer_reads_what_it_is_for() {
    assert_eq!(product_name(&order()), "River Night: 2 × Day ticket, 2026-12-01");
    let long = Order { event_name: "ä".repeat(300), day: None, ..order() };
    assert_eq!(product_name(&long).chars().count(), PRODUCT_CHARS_MAX);
}

#[test]
fn a_session_is_paid_pending_or_failed() {
    for (status, payment, wanted) in [
        ("complete", "paid", paid(900)),
        ("open", "unpaid", Paid::Pending),
        ("complete", "unpaid", Paid::Pending),
        ("expired", "unpaid", Paid::Failed),
    ] {
        assert_eq!(check("cs_test_1", 200, session(status, payment)), Ok(wanted), "{status}");
    }
}

#[test]
fn an_intent_is_paid_pending_or_failed() {
    for (status, wanted) in [
        ("succeeded", paid(900)),
        ("processing", Paid::Pending),
        ("requires_payment_method", Paid::Pending),
        ("requires_action", Paid::Pending),
        ("canceled", Paid::Failed),
    ] {
        assert_eq!(check("pi_1", 200, intent(status, 900)), Ok(wanted), "{status}");
    }
}

#[test]
fn the_amount_is_the_one_that_came_in() {
    assert_eq!(check("pi_1", 200, intent("succeeded", 100)), Ok(paid(100)));
    let other = session("complete", "paid").replace("900", "899");
    assert_eq!(check("cs_test_1", 200, other), Ok(paid(899)));
}

#[test]
fn an_amount_that_is_none_is_unreadable() {
    for amount in ["-900", "4294967296", "null", "9.5"] {
        let body = session("complete", "paid").replace("900", amount);
        let told = check("cs_test_1", 200, body);
        assert!(matches!(told, Err(PaymentError::Unreadable(_))), "{amount}: {told:?}");
    }
}

#[test]
fn a_payment_that_stripe_does_not_know_is_unknown() {
    let body = r#"{"error":{"code":"resource_missing"}}"#;
    assert_eq!(check("cs_test_2", 404, body.to_owned()), Ok(Paid::Unknown));
}

#[test]
fn a_payment_for_something_else_on_the_same_account_is_unknown() {
    for metadata in ["{}", "null", r#"{"order":null}"#] {
        let body = session("complete", "paid").replace(r#"{"order":"order-1"}"#, metadata);
        assert_eq!(check("cs_test_1", 200, body), Ok(Paid::Unknown), "{metadata}");
    }
}

#[test]
fn an_answer_about_another_payment_is_unreadable() {
    let told = check("cs_test_2", 200, session("complete", "paid"));
    assert_eq!(told, Err(PaymentError::Unreadable("another payment")));
}

#[test]
fn a_state_that_is_not_known_is_unreadable() {
    for body in [session("complete", "maybe"), session("maybe", "unpaid")] {
        assert!(matches!(check("cs_test_1", 200, body), Err(PaymentError::Unreadable(_))));
    }
    let told = check("pi_1", 200, intent("maybe", 900));
    assert!(matches!(told, Err(PaymentError::Unreadable(_))));
}

#[test]
fn garbage_is_unreadable() {
    for body in ["", "<html>", "[]", "{\"id\":1}"] {
        let told = check("cs_test_1", 200, body.to_owned());
        assert!(matches!(told, Err(PaymentError::Unreadable(_))), "{body}: {told:?}");
    }
}

#[test]
fn an_answer_without_end_is_not_read_to_it() {
    let padding = " ".repeat(usize::try_from(ANSWER_BYTES_MAX).unwrap());
    let told = check("cs_test_1", 200, session("complete", "paid") + &padding);
    assert_eq!(told, Err(PaymentError::Unreadable("too long")));
}

#[test]
fn an_error_of_the_provider_is_no_payment() {
    let told = check("cs_test_1", 500, session("complete", "paid"));
    assert_eq!(told, Err(PaymentError::Refused { status: 500, code: String::new() }));
}

#[test]
fn a_redirect_is_not_followed() {
    let moved = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n";
    let stand_in = StandIn::new(vec![Reply::Bytes(moved)]);
    let told = stand_in.client().check("cs_test_1");
    assert_eq!(told, Err(PaymentError::Refused { status: 302, code: String::new() }));
}

#[test]
fn what_is_not_http_is_no_answer() {
    let stand_in = StandIn::new(vec![Reply::Bytes(b"\0\0\0\0nonsense\r\n\r\n")]);
    let told = stand_in.client().check("cs_test_1");
    assert!(matches!(told, Err(PaymentError::Unreachable(_))), "{told:?}");
}

#[test]
fn an_answer_that_breaks_off_is_no_answer() {
    let part = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"id\":\"cs_test_1\"";
    let stand_in = StandIn::new(vec![Reply::Bytes(part)]);
    let told = stand_in.client().check("cs_test_1");
    assert!(matches!(told, Err(PaymentError::Unreachable(_))), "{told:?}");
}

#[test]
fn a_silent_provider_is_given_up() {
    let stand_in = StandIn::new(vec![Reply::Silence]);
    let told = stand_in.hasty_client().check("cs_test_1");
    assert!(matches!(told, Err(PaymentError::Unreachable(_))), "{told:?}");
}

#[test]
fn a_provider_that_is_not_there_cannot_be_reached() {
    let client = Stripe::new(settings(NOBODY)).unwrap();
    assert!(matches!(client.check("cs_test_1"), Err(PaymentError::Unreachable(_))));
}

#[test]
fn what_cannot_be_a_reference_is_unknown_and_nobody_is_asked() {
    let client = Stripe::new(settings(NOBODY)).unwrap();
    let long = format!("cs_{}", "a".repeat(REFERENCE_CHARS_MAX));
    for text in ["", "cs_", "pi_", "ch_1", "cs_../1", "cs_1?x", "cs_1 ", "cs_é", "CS_1", &long] {
        assert_eq!(client.check(text), Ok(Paid::Unknown), "{text}");
    }
}

#[test]
fn the_key_shows_in_no_debug_and_in_no_error() {
    let stand_in = StandIn::new(vec![Reply::HangUp]);
    let client = stand_in.client();
    let error = client.check("cs_test_1").unwrap_err();
    let shown = format!("{client:?} {error:?} {error} {:?}", settings("http://localhost"));
    assert!(!shown.contains(KEY) && !shown.contains("sk_"), "{shown}");
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let fault = |settings| Stripe::new(settings).unwrap_err();
    assert_eq!(fault(settings("ftp://localhost")), SettingsFault::BaseUrl);
    for key in ["", "sk_test_\n", "sk test"] {
        let settings = Settings { secret_key: key.to_owned(), ..settings(BASE_URL) };
        assert_eq!(fault(settings), SettingsFault::SecretKey);
    }
}

#[test]
fn a_server_that_speaks_no_tls_is_no_answer_where_tls_is_asked_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("https://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || drop(listener.accept().unwrap()));
    let told = Stripe::new(settings(&base_url)).unwrap().check("cs_test_1");
    assert!(matches!(told, Err(PaymentError::Unreachable(_))), "{told:?}");
    server.join().unwrap();
}

proptest! {
    #[test]
    fn no_answer_makes_the_reader_panic(body: Vec<u8>) {
        let _ = parse::<Session>(&body).and_then(read_session);
        let _ = parse::<Intent>(&body).and_then(read_intent);
        let _ = refusal_code(&body);
    }

    #[test]
    fn a_reference_goes_into_an_address_as_it_is(text in "(cs|pi)_[!-~]{1,30}") {
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        prop_assert_eq!(kind_of(&text).is_some(), plain);
    }
}
