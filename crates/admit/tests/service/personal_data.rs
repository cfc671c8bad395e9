//! Personal data at rest: sealed, searchable by exact address, rotatable, erasable.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use admit::backup;
use admit::data::DataFolder;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::{NOW, TestApp, Who, open};
use admit_store::account::Role;

/// Made-up words that stand nowhere else.
const CANARIES: [&str; 4] =
    ["Zorblax Quuxington", "zorblax@canary.example", "+4915550109999", "allergic to wombats"];

async fn register_canary(app: &TestApp) -> Value {
    let desk = app.staff(Role::Organiser).await;
    let questions = json!({"questions": [{"key": "note", "label": "Note", "kind": "text"}]});
    app.patch(&desk, "/v1/desk/events/sample", questions).await.expect(StatusCode::OK);
    let body = json!({
        "ticket_type": 1, "name": CANARIES[0], "email": CANARIES[1], "phone": CANARIES[2],
        "answers": {"note": CANARIES[3]},
    });
    let path = "/v1/events/sample/registrations";
    app.post(&Who::Anybody, path, body).await.expect(StatusCode::CREATED).json()
}

/// Every byte under a folder.
fn everything(folder: &std::path::Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            bytes.extend(everything(&path));
        } else {
            bytes.extend(std::fs::read(path).unwrap());
        }
    }
    bytes
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[tokio::test]
async fn nothing_personal_is_in_the_database_its_log_or_a_code() {
    let app = TestApp::on_file().await;
    let registered = register_canary(&app).await;
    let device = app.device().await;
    let code = registered["ticket"]["code"].as_str().unwrap();
    app.scan(&device, code, 1).await.expect(StatusCode::OK);
    let files = everything(app.folder.path());
    // The write-ahead log is among them, and a thing that is not secret is found.
    assert!(app.folder.path().join("admit.sqlite-wal").exists());
    assert!(contains(&files, "Sample Night"));
    for canary in CANARIES {
        assert!(!contains(&files, canary), "{canary} is in the data folder");
        assert!(!code.contains(canary));
    }
    assert!(!contains(&files, "canary.example"));
}

#[tokio::test]
async fn pythons_fernet_opens_a_stored_value() {
    let app = TestApp::on_file().await;
    register_canary(&app).await;
    let event = app.app.books.now().event("sample").unwrap().event.number;
    let filter = admit_store::ticket::TicketFilter { limit: 1, ..Default::default() };
    let page = app.app.store.tickets(event, filter).await.unwrap();
    let person = page.tickets[0].person.clone().unwrap();
    let keys = std::fs::read_to_string(app.data().vault_keys()).unwrap();
    let script = "import json,sys\nfrom cryptography.fernet import Fernet\n\
        kek,wrapped,name=sys.argv[1:]\n\
        print(json.loads(Fernet(Fernet(kek).decrypt(wrapped)).decrypt(name))['v'])";
    let python = std::env::var("ADMIT_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Command::new(python)
        .args(["-c", script, keys.trim(), person.wrapped_key.as_str(), person.name.as_str()])
        .output();
    match output {
        Ok(done) if done.status.success() => {
            assert_eq!(String::from_utf8(done.stdout).unwrap().trim(), CANARIES[0]);
        }
        // The full test run installs it; on its own, this test can only say that it could not look.
        other => assert!(std::env::var_os("CI").is_none(), "python's cryptography: {other:?}"),
    }
}

#[tokio::test]
async fn an_erased_person_leaves_the_entry_and_no_trace() {
    let app = TestApp::on_file().await;
    let registered = register_canary(&app).await;
    let (device, desk) = (app.device().await, app.staff(Role::Organiser).await);
    app.scan(&device, registered["ticket"]["code"].as_str().unwrap(), 1).await;
    let event = app.app.books.now().event("sample").unwrap().event.number;
    let filter = admit_store::ticket::TicketFilter { limit: 1, ..Default::default() };
    let page = app.app.store.tickets(event, filter).await.unwrap();
    let wrapped = page.tickets[0].person.clone().unwrap().wrapped_key;
    assert!(contains(&everything(app.folder.path()), wrapped.as_str()));

    let number = registered["ticket"]["number"].as_str().unwrap();
    let path = format!("/v1/desk/events/sample/tickets/{number}");
    app.post(&desk, &format!("{path}/erase"), Value::Null).await.expect(StatusCode::OK);
    let shown = app.get(&desk, &path).await.expect(StatusCode::OK).json();
    assert_eq!((&shown["name"], &shown["erased"]), (&Value::Null, &json!(true)));
    assert_eq!((&shown["uses"], shown["scans"].as_array().unwrap().len()), (&json!(1), 1));
    // Not even sealed: without the person's key the rest would be noise, and it is gone as well.
    assert!(!contains(&everything(app.folder.path()), wrapped.as_str()));
}

#[tokio::test]
async fn a_backup_restores_to_the_same_service() {
    let app = TestApp::on_file().await;
    let registered = register_canary(&app).await;
    let target = tempfile::tempdir().unwrap();
    let file = target.path().join("backup.tar");
    backup::backup(&app.data(), app.file(), &file).await.unwrap();
    let restored = DataFolder::at(&target.path().join("data"));
    backup::restore(&restored, &file).unwrap();
    assert!(backup::restore(&restored, &file).is_err());
    let (again, _) = open(&restored, &Arc::new(AtomicI64::new(NOW))).await;
    let access = registered["access"].as_str().unwrap();
    let (event, ticket) = admit::ticket::read_access(&again, access).unwrap();
    let shown = admit::ticket::show(&again, event, ticket).await.unwrap();
    assert_eq!(shown.holder.unwrap().name, CANARIES[0]);
    assert_eq!(shown.code, registered["ticket"]["code"].as_str().unwrap());
}

#[tokio::test]
async fn a_clock_before_the_last_record_is_noticed_at_start() {
    let app = TestApp::on_file().await;
    let (device, code) = (app.device().await, app.code().await);
    app.scan(&device, &code, 1).await.expect(StatusCode::OK);
    let early: admit::clock::Clock = Arc::new(|| admit_core::id::UnixMs(NOW - 3_600_000));
    let database = admit::database::Database::at(None);
    let error = app.data().open(early, "https://x", &database).await.err().unwrap();
    assert!(error.to_string().contains("clock"), "{error}");
}
