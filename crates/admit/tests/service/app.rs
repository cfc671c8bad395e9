//! A service with the sample event, a clock that stands still, and clients of each kind.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use admit::App;
use admit::data::DataFolder;
use admit::database::{Address, Database};
use admit::http::{self, Options};
use admit::{sample, session};
use admit_core::id::UnixMs;
use admit_store::account::Role;
use admit_store::sqlite::SqliteStore;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::postgres::Cluster;

pub(crate) const NOW: i64 = 1_800_000_000_000;
pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) struct TestApp {
    pub(crate) app: Arc<App>,
    file: Option<SqliteStore>,
    pub(crate) folder: tempfile::TempDir,
    clock: Arc<AtomicI64>,
    router: Router,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) enum Who {
    Anybody,
    Cookie(String),
    Bearer(String),
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| {
            panic!("no JSON: {} {}", self.status, String::from_utf8_lossy(&self.bytes))
        })
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn expect(self, status: StatusCode) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.bytes));
        self
    }
}

impl TestApp {
    /// On the embedded store, or on PostgreSQL when the environment says `ADMIT_TEST_ON=postgres`:
    /// the whole suite is run on both.
    pub(crate) async fn start() -> Self {
        if std::env::var("ADMIT_TEST_ON").is_ok_and(|store| store == "postgres") {
            let database = cluster().create_database().unwrap();
            let url = cluster().address(&database);
            return Self::on(Database::at(Some(Address { url, password: None }))).await;
        }
        Self::on_file().await
    }

    /// On the embedded store, for what only a file can show.
    pub(crate) async fn on_file() -> Self {
        Self::on(Database::at(None)).await
    }

    pub(crate) fn file(&self) -> &SqliteStore {
        self.file.as_ref().unwrap()
    }

    async fn on(database: Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(NOW));
        let data = DataFolder::at(folder.path());
        data.create().unwrap();
        let (app, file) = open_on(&data, &clock, &database).await;
        sample::create(&app).await.unwrap();
        let router = http::router(Arc::clone(&app), Options::default());
        Self { app, file, folder, clock, router }
    }

    pub(crate) fn data(&self) -> DataFolder {
        DataFolder::at(self.folder.path())
    }

    pub(crate) fn wait(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::Relaxed);
    }

    pub(crate) async fn raw(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.raw(request).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Reply { status: parts.status, headers: parts.headers, bytes }
    }

    pub(crate) async fn get(&self, who: &Who, path: &str) -> Reply {
        self.send(request("GET", who, path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn delete(&self, who: &Who, path: &str) -> Reply {
        self.send(request("DELETE", who, path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, who: &Who, path: &str, body: Value) -> Reply {
        self.body("POST", who, path, body).await
    }

    pub(crate) async fn patch(&self, who: &Who, path: &str, body: Value) -> Reply {
        self.body("PATCH", who, path, body).await
    }

    async fn body(&self, method: &str, who: &Who, path: &str, body: Value) -> Reply {
        let request = request(method, who, path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Somebody signed in at the desk.
    pub(crate) async fn staff(&self, role: Role) -> Who {
        let name = role.code();
        session::put_user(&self.app, name, PASSWORD.to_owned(), role).await.unwrap();
        let body = json!({"username": name, "password": PASSWORD});
        let reply = self.post(&Who::Anybody, "/v1/session", body).await.expect(StatusCode::OK);
        let cookie = reply.headers[header::SET_COOKIE].to_str().unwrap();
        Who::Cookie(cookie.split(';').next().unwrap().to_owned())
    }

    /// A paired scanner.
    pub(crate) async fn device(&self) -> Who {
        let event = self.app.books.now().event("sample").unwrap().event.number;
        let invitation =
            admit::device::invite(&self.app, event, "Gate A".to_owned(), None).await.unwrap();
        let body = json!({"code": invitation.code, "platform": "test"});
        let paired = self.post(&Who::Anybody, "/v1/pair", body).await.expect(StatusCode::OK);
        Who::Bearer(paired.json()["token"].as_str().unwrap().to_owned())
    }

    /// Registers somebody; the whole answer.
    pub(crate) async fn register(&self, name: &str) -> Value {
        let body = json!({"ticket_type": 1, "name": name, "email": "guest@example.org"});
        let path = "/v1/events/sample/registrations";
        self.post(&Who::Anybody, path, body).await.expect(StatusCode::CREATED).json()
    }

    /// A ticket's code.
    pub(crate) async fn code(&self) -> String {
        self.register("A Guest").await["ticket"]["code"].as_str().unwrap().to_owned()
    }

    /// Presents a code at gate 1 under a scan id made of one byte.
    pub(crate) async fn scan(&self, device: &Who, code: &str, id: u8) -> Reply {
        let scan_id = admit_core::id::ScanId([id; 16]).to_string();
        let body = json!({"code": code, "gate": 1, "scan_id": scan_id});
        self.post(device, "/v1/gate/admissions", body).await
    }
}

/// One cluster for all; each test has a database of its own in it.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start().unwrap())
}

/// Opens a data folder on the embedded store.
pub(crate) async fn open(data: &DataFolder, clock: &Arc<AtomicI64>) -> (Arc<App>, SqliteStore) {
    let (app, file) = open_on(data, clock, &Database::at(None)).await;
    (app, file.unwrap())
}

async fn open_on(
    data: &DataFolder,
    clock: &Arc<AtomicI64>,
    database: &Database,
) -> (Arc<App>, Option<SqliteStore>) {
    let clock = Arc::clone(clock);
    let clock: admit::clock::Clock = Arc::new(move || UnixMs(clock.load(Ordering::Relaxed)));
    let (app, open) = data.open(clock, "https://gate.example", database).await.unwrap();
    (app, open.embedded("a file").ok().cloned())
}

pub(crate) fn request(method: &str, who: &Who, path: &str) -> axum::http::request::Builder {
    let builder = Request::builder().method(method).uri(path);
    match who {
        Who::Anybody => builder,
        Who::Cookie(cookie) => {
            builder.header(header::COOKIE, cookie).header("sec-fetch-site", "same-origin")
        }
        Who::Bearer(token) => builder.header(header::AUTHORIZATION, format!("Bearer {token}")),
    }
}
