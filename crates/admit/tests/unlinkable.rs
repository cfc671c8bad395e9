//! Privacy as a property: who has the complete database, the logs and the audit log, and watched every
//! purchase, still links no admission to its purchase better than by chance.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::collections::HashSet;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use admit::App;
use admit::data::DataFolder;
use admit::database::Database;
use admit::http::{self, Options};
use admit::sale::receipt_hash;
use admit::secret::sha256;
use admit::till::Till;
use admit::{event, sample};
use admit_blindrsa::client;
use admit_core::id::{ScanId, UnixMs};
use admit_core::privacy_pass;
use admit_core::pss::{MODULUS_BYTES, PublicKey};
use admit_core::ticket::anonymous;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use tracing_subscriber::fmt::MakeWriter;

const NOW: i64 = 1_800_000_000_000;
const PURCHASES: u16 = 1000;
/// Of a thousand guesses by chance about one is right; ten or more are once in ten million runs.
const CHANCE_MAX: usize = 12;

/// Everything that is logged, at its most talkative.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What whoever watches the server sees of one purchase.
struct Purchase {
    address: Ipv4Addr,
    reference: String,
    receipt_id: String,
    blinded: [u8; MODULUS_BYTES],
    signed: [u8; MODULUS_BYTES],
}

/// What is shown at the gate.
struct Ticket {
    nonce: [u8; 32],
    signature: [u8; MODULUS_BYTES],
    number: u64,
    code: String,
}

struct Place {
    app: Arc<App>,
    router: Router,
    clock: Arc<AtomicI64>,
    folder: tempfile::TempDir,
    kind: u8,
}

impl Place {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(NOW));
        let data = DataFolder::at(folder.path());
        data.create().unwrap();
        let reading = Arc::clone(&clock);
        let time: admit::clock::Clock = Arc::new(move || UnixMs(reading.load(Ordering::Relaxed)));
        let url = "https://gate.example";
        let (app, _) = data.open(time, url, &Database::at(None)).await.unwrap();
        sample::create(&app).await.unwrap();
        sample::sell(&app).await.unwrap();
        app.open_till(Till { demo: true, stripe: None }).unwrap();
        let view = event::find(&app, "sample").unwrap();
        let sold = view.types.iter().find(|kind| kind.details.sale.is_some()).unwrap();
        let (kind, mut details) = (sold.number, sold.details.clone());
        details.quota = 2 * u32::from(PURCHASES);
        event::change_type(&app, view.event.number, kind, details).await.unwrap();
        let router = http::router(Arc::clone(&app), Options::default());
        Self { app, router, clock, folder, kind: kind.0 }
    }

    fn wait(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::Relaxed);
    }

    /// A request from an address.
    async fn post(&self, from: Ipv4Addr, bearer: Option<&str>, path: &str, body: Value) -> Value {
        let mut request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        if let Some(bearer) = bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {bearer}"));
        }
        let mut request = request.body(Body::from(body.to_string())).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((from, 40_000))));
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&bytes).unwrap()
    }

    async fn key(&self) -> Value {
        let request = Request::get("/v1/events/sample/issuer-keys").body(Body::empty()).unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        let keys: Value = serde_json::from_slice(&bytes).unwrap();
        keys["keys"][0].clone()
    }

    async fn gate(&self) -> String {
        let event = event::find(&self.app, "sample").unwrap().event.number;
        let invited = admit::device::invite(&self.app, event, "Gate".to_owned(), None).await;
        let body = json!({"code": invited.unwrap().code, "platform": "test"});
        let paired = self.post(Ipv4Addr::LOCALHOST, None, "/v1/pair", body).await;
        paired["token"].as_str().unwrap().to_owned()
    }

    /// Buys as a wallet does; `blinds` is false for one that forgot to.
    async fn buy(&self, key: &Value, number: u16, blinds: bool) -> (Purchase, Ticket) {
        let [high, low] = number.to_be_bytes();
        let address = Ipv4Addr::new(203, 0, high, low);
        let body = json!({"event": "sample", "ticket_type": self.kind, "quantity": 1,
            "payment_provider": "TEST"});
        let order = self.post(address, None, "/v1/checkout", body).await;
        let reference = order["provider_receipt_id"].as_str().unwrap().to_owned();
        self.post(address, None, "/test/verify", json!({"provider_receipt_id": reference})).await;
        let body = json!({"payment_provider": "TEST", "provider_receipt_id": reference});
        let receipt = self.post(address, None, "/v1/verify_receipt", body).await;
        let receipt_id = receipt["receipt_id"].as_str().unwrap().to_owned();

        let decode = |name: &str| BASE64URL_NOPAD.decode(key[name].as_str().unwrap().as_bytes());
        let spki = decode("public_key").unwrap();
        let key_id = privacy_pass::key_id(&spki);
        let digest = privacy_pass::challenge_digest(&decode("token_challenge").unwrap());
        let nonce = admit::secret::random().unwrap();
        let input = privacy_pass::token_input(&nonce, &digest, &key_id);
        let public = PublicKey::from_spki(&spki).unwrap();
        let salt = admit::secret::random().unwrap();
        let (blinded, unblinder) = client::blind(&public, &input, &salt, |factor| {
            *factor = if blinds { admit::secret::random().unwrap() } else { one() };
        })
        .unwrap();
        let body = json!({"receipt_id": receipt_id, "blinded_token": BASE64.encode(&blinded),
            "key_id": HEXLOWER.encode(&key_id)});
        let answer = self.post(address, None, "/v1/sign_blinded", body).await;
        let signed = answer["signed_blinded"].as_str().unwrap();
        let signed = BASE64.decode(signed.as_bytes()).unwrap().try_into().unwrap();
        let signature = unblinder.finalize(&signed).unwrap();
        let code = anonymous::code(&key_id, &nonce, &signature);
        let number = anonymous::ticket_of(&key_id, &nonce).0;
        let purchase = Purchase { address, reference, receipt_id, blinded, signed };
        (purchase, Ticket { nonce, signature, number, code })
    }

    async fn admit(&self, gate: &str, ticket: &Ticket) {
        let scan_id = ScanId(admit::secret::random().unwrap()).to_string();
        let body = json!({"code": ticket.code, "gate": 1, "scan_id": scan_id});
        let from = Ipv4Addr::LOCALHOST;
        let answer = self.post(from, Some(gate), "/v1/gate/admissions", body).await;
        assert_eq!(answer["verdict"], "admit", "{answer}");
    }
}

fn one() -> [u8; MODULUS_BYTES] {
    let mut one = [0; MODULUS_BYTES];
    one[MODULUS_BYTES - 1] = 1;
    one
}

/// The matcher: the files, the log, and what was seen of each purchase.
struct Matcher<'a> {
    database: rusqlite::Connection,
    /// Files and log, each byte a letter: the library's search in texts is fast also where this test is
    /// not optimised.
    all: String,
    purchases: &'a [Purchase],
}

impl<'a> Matcher<'a> {
    fn new(place: &Place, log: &Log, purchases: &'a [Purchase]) -> Self {
        let path = place.folder.path().join("admit.sqlite");
        let mut all = letters(&log.0.lock().unwrap());
        for name in ["admit.sqlite", "admit.sqlite-wal"] {
            let file = std::fs::read(place.folder.path().join(name)).unwrap_or_default();
            all.push_str(&letters(&file));
        }
        let database = rusqlite::Connection::open(path).unwrap();
        Self { database, all, purchases }
    }

    /// What a query gives, in the order in which the books have it.
    fn column<T: rusqlite::types::FromSql>(&self, sql: &str) -> Vec<T> {
        let mut statement = self.database.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// Which purchase a row about a receipt is of.
    fn purchases_of(&self, hashes: &[[u8; 32]]) -> Vec<usize> {
        let hash = |purchase: &Purchase| {
            let hex = purchase.receipt_id.replace('-', "");
            receipt_hash(&HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap())
        };
        let known: std::collections::HashMap<_, _> =
            self.purchases.iter().enumerate().map(|(at, purchase)| (hash(purchase), at)).collect();
        hashes.iter().map(|hash| known[hash]).collect()
    }

    /// The purchases in every order that can be read off.
    fn orders_of_purchases(&self) -> Vec<Vec<usize>> {
        let in_time: Vec<usize> = (0..self.purchases.len()).collect();
        let receipts = self.column("SELECT id FROM receipt");
        let blinded = self.column("SELECT receipt FROM blinding");
        let forwards = [in_time, self.purchases_of(&receipts), self.purchases_of(&blinded)];
        let backwards = forwards.clone().map(|order| order.into_iter().rev().collect());
        forwards.into_iter().chain(backwards).collect()
    }

    /// The admissions in every order that can be read off, by ticket number.
    fn orders_of_admissions(&self) -> Vec<Vec<u64>> {
        let read =
            |sql: &str| self.column::<i64>(sql).into_iter().map(i64::cast_unsigned).collect();
        let by_digest = "SELECT ticket FROM scan JOIN spend ON spend.event = scan.event
             AND spend.last_seq = scan.seq ORDER BY spend.digest";
        vec![
            read("SELECT ticket FROM scan ORDER BY seq"),
            read("SELECT ticket FROM scan ORDER BY leaf"),
            read("SELECT ticket FROM scan ORDER BY scan_id"),
            read("SELECT ticket FROM scan ORDER BY ticket"),
            read(by_digest),
        ]
    }

    /// The best of all guesses that pair an order of purchases with one of admissions.
    fn best_by_order(&self, tickets: &[Ticket]) -> usize {
        let truth: std::collections::HashMap<_, _> =
            tickets.iter().enumerate().map(|(at, ticket)| (ticket.number, at)).collect();
        let mut best = 0;
        for purchases in self.orders_of_purchases() {
            for admissions in self.orders_of_admissions() {
                assert_eq!(admissions.len(), tickets.len());
                let pairs = purchases.iter().zip(&admissions);
                best = best.max(pairs.filter(|(at, number)| truth[number] == **at).count());
            }
        }
        best
    }

    /// How many purchases share eight bytes with the ticket that came of them: the value itself, its hash
    /// or its number, anywhere in what was seen.
    fn by_bytes(&self, tickets: &[Ticket]) -> usize {
        let linked = |(purchase, ticket): (&Purchase, &Ticket)| {
            let seen = windows(&[
                &purchase.blinded,
                &purchase.signed,
                &sha256(&purchase.blinded),
                &sha256(&purchase.signed),
                purchase.reference.as_bytes(),
                purchase.receipt_id.as_bytes(),
            ]);
            let shown = windows(&[
                &ticket.nonce,
                &ticket.signature,
                &sha256(&ticket.nonce),
                &sha256(&ticket.signature),
                &ticket.number.to_be_bytes(),
                ticket.code.as_bytes(),
            ]);
            !seen.is_disjoint(&shown)
        };
        self.purchases.iter().zip(tickets).filter(|pair| linked(*pair)).count()
    }

    fn holds(&self, needle: &[u8]) -> bool {
        self.all.contains(&letters(needle))
    }
}

fn letters(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// All runs of eight bytes.
fn windows(values: &[&[u8]]) -> HashSet<[u8; 8]> {
    let runs = values.iter().flat_map(|value| value.windows(8));
    runs.map(|run| run.try_into().unwrap()).collect()
}

#[tokio::test]
async fn whoever_has_everything_links_no_admission_to_its_purchase() {
    let log = Log::default();
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).init();
    let place = Place::open().await;
    let key = place.key().await;
    let gate = place.gate().await;
    let (mut purchases, mut tickets) = (Vec::new(), Vec::new());
    for number in 0..PURCHASES {
        let (purchase, ticket) = place.buy(&key, number, true).await;
        purchases.push(purchase);
        tickets.push(ticket);
        place.wait(7_000);
    }
    // People come in an order of their own.
    let mut coming: Vec<_> = tickets.iter().collect();
    coming.sort_by_key(|ticket| sha256(&ticket.nonce));
    for ticket in coming {
        place.admit(&gate, ticket).await;
        place.wait(5_000);
    }

    let matcher = Matcher::new(&place, &log, &purchases);
    assert_eq!(matcher.by_bytes(&tickets), 0);
    let best = matcher.best_by_order(&tickets);
    assert!(best <= CHANCE_MAX, "{best} of {PURCHASES} linked");

    // Nothing of a purchase that is a secret, or that tells who bought, is kept or logged.
    for purchase in purchases.iter().step_by(100) {
        assert!(!matcher.holds(purchase.address.to_string().as_bytes()));
        assert!(!matcher.holds(purchase.receipt_id.as_bytes()));
        assert!(!matcher.holds(&purchase.blinded[..16]));
        assert!(!matcher.holds(&BASE64.encode(&purchase.blinded).as_bytes()[..24]));
        assert!(!matcher.holds(&purchase.signed[..16]));
    }
    // And of a ticket only its number.
    for ticket in tickets.iter().step_by(100) {
        assert!(!matcher.holds(&ticket.nonce[..16]));
        assert!(!matcher.holds(&ticket.signature[..16]));
        assert!(!matcher.holds(&ticket.code.as_bytes()[..40]));
        assert!(matcher.holds(&ticket.number.to_be_bytes()));
    }
    assert!(matcher.holds(b"/v1/sign_blinded"), "requests were logged");

    // The matcher is no fool: of a wallet that forgets to blind, it links every ticket.
    let (mut purchases, mut tickets) = (Vec::new(), Vec::new());
    for number in 0..20 {
        let (purchase, ticket) = place.buy(&key, number, false).await;
        purchases.push(purchase);
        tickets.push(ticket);
    }
    let matcher = Matcher::new(&place, &log, &purchases);
    assert_eq!(matcher.by_bytes(&tickets), 20);
}
