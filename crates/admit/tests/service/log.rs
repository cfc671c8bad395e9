//! The audit log over HTTP: what a stranger can check with nothing but the log's key.

use admit::data::DataFolder;
use admit::log::{Rollback, check_kept};
use admit_core::log::checkpoint::Checkpoint;
use admit_core::log::note::Verifier;
use admit_core::log::receipt::Receipt;
use admit_core::log::tile::decode_bundle;
use admit_core::log::tree::{leaf_hash, verify_consistency};
use admit_core::log::validation::{Proven, Validation, consistent};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::{NOW, TestApp, Who, open};
use admit_store::account::Role;

async fn text(app: &TestApp, path: &str) -> String {
    let path = format!("/v1/events/sample/log/{path}");
    let reply = app.get(&Who::Anybody, &path).await.expect(StatusCode::OK);
    String::from_utf8(reply.bytes).unwrap()
}

async fn vkey(app: &TestApp) -> String {
    let log = app.get(&Who::Anybody, "/v1/events/sample/log").await.expect(StatusCode::OK);
    log.json()["vkey"].as_str().unwrap().to_owned()
}

async fn prove(app: &TestApp, answer: &Value) -> Proven {
    let validation: Validation =
        serde_json::from_value(answer["merkle_validation"].clone()).unwrap();
    validation.check(&vkey(app).await).unwrap()
}

#[tokio::test]
async fn every_answer_that_changes_something_proves_its_leaf() {
    let app = TestApp::start().await;
    let device = app.device().await;
    let registered = app.register("A Guest").await;
    assert_eq!(prove(&app, &registered).await.kind, "issue");
    let code = registered["ticket"]["code"].as_str().unwrap().to_owned();
    let admitted = app.scan(&device, &code, 1).await.json();
    assert_eq!(prove(&app, &admitted).await.kind, "admit");
    let refused = app.scan(&device, &code, 2).await.json();
    let proven = prove(&app, &refused).await;
    assert_eq!((proven.kind, proven.reason), ("refuse", Some("already_used")));
    let id = admitted["scan_id"].as_str().unwrap();
    let path = format!("/v1/gate/admissions/{id}/undo");
    let undone = app.post(&device, &path, json!({})).await.expect(StatusCode::OK).json();
    assert_eq!(prove(&app, &undone).await.kind, "undo");
    let organiser = app.staff(Role::Organiser).await;
    let number = registered["ticket"]["number"].as_str().unwrap();
    let path = format!("/v1/desk/events/sample/tickets/{number}/revoke");
    let revoked = app.post(&organiser, &path, json!({"reason": "lost"})).await.json();
    assert_eq!(prove(&app, &revoked).await.kind, "revoke");
}

#[tokio::test]
async fn a_scan_that_is_asked_again_is_proved_by_the_same_leaf() {
    let app = TestApp::start().await;
    let device = app.device().await;
    let code = app.code().await;
    let first = prove(&app, &app.scan(&device, &code, 1).await.json()).await;
    app.register("Somebody else").await;
    let again = prove(&app, &app.scan(&device, &code, 1).await.json()).await;
    assert_eq!((again.index, again.size), (first.index, first.size + 1));
    assert_eq!(again.ticket, first.ticket);
}

#[tokio::test]
async fn a_code_that_is_no_ticket_leaves_no_leaf() {
    let app = TestApp::start().await;
    let device = app.device().await;
    let before = text(&app, "checkpoint").await;
    let refused = app.scan(&device, "A1:NOTHING", 1).await.json();
    assert_eq!(refused["merkle_validation"], Value::Null);
    assert_eq!(text(&app, "checkpoint").await, before);
}

#[tokio::test]
async fn a_holder_keeps_the_receipt_of_the_ticket() {
    let app = TestApp::start().await;
    let registered = app.register("A Guest").await;
    let asker = Who::Bearer(registered["access"].as_str().unwrap().to_owned());
    let ticket = app.get(&asker, "/v1/ticket").await.expect(StatusCode::OK).json();
    let proven = prove(&app, &ticket).await;
    assert_eq!((proven.kind, proven.ticket.as_deref()), ("issue", ticket["number"].as_str()));
    let kept = text(&app, &format!("receipts/{}", proven.index)).await;
    let keys = [Verifier::parse(&vkey(&app).await).unwrap()];
    let head = Receipt::parse(&kept).unwrap().verify(None, &keys).unwrap();
    assert_eq!(head.origin, proven.origin);
}

#[tokio::test]
async fn a_later_checkpoint_is_proved_to_continue_an_earlier_one() {
    let app = TestApp::start().await;
    let old = text(&app, "checkpoint").await;
    for _ in 0..5 {
        app.register("A Guest").await;
    }
    let new = text(&app, "checkpoint").await;
    let size = |note: &str| note.lines().nth(1).unwrap().to_owned();
    let proof = text(&app, &format!("consistency/{}/{}", size(&old), size(&new))).await;
    let proof: Value = serde_json::from_str(&proof).unwrap();
    let path: Vec<String> = serde_json::from_value(proof["path"].clone()).unwrap();
    consistent(&old, &new, &path, &vkey(&app).await).unwrap();
    assert!(verify_consistency(1, 2, &[], &leaf_hash(b"a"), &leaf_hash(b"b")).is_err());
}

#[tokio::test]
async fn a_stranger_can_mirror_the_log() {
    let app = TestApp::start().await;
    for _ in 0..20 {
        app.register("A Guest").await;
    }
    let keys = [Verifier::parse(&vkey(&app).await).unwrap()];
    let head = Checkpoint::open(&text(&app, "checkpoint").await, &keys).unwrap();
    let path = format!("/v1/events/sample/log/tile/entries/000.p/{}", head.size);
    let reply = app.get(&Who::Anybody, &path).await.expect(StatusCode::OK);
    let leaves = decode_bundle(&reply.bytes, head.size).unwrap();
    let mut edge = admit_core::log::edge::Edge::default();
    let hashes: Vec<_> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    assert_eq!(edge.append(&hashes).root, head.root);
    assert!(reply.headers["cache-control"].to_str().unwrap().contains("immutable"));
    let beyond = format!("/v1/events/sample/log/tile/entries/000.p/{}", head.size + 1);
    app.get(&Who::Anybody, &beyond).await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn nothing_in_the_log_names_a_person() {
    let app = TestApp::start().await;
    app.register("Zebediah Canary").await;
    let event = app.app.books.now().event("sample").unwrap().event.number;
    for leaf in app.app.store.log_entries(event, 0, 256).await.unwrap() {
        let leaf = String::from_utf8_lossy(&leaf).into_owned();
        assert!(!leaf.contains("Canary") && !leaf.contains("guest@"), "{leaf}");
    }
}

#[tokio::test]
async fn a_new_key_signs_and_the_retired_one_verifies_until_its_date() {
    let app = TestApp::start().await;
    let (device, organiser) = (app.device().await, app.staff(Role::Organiser).await);
    let (early, late) = (app.code().await, app.code().await);
    let until = admit::clock::rfc3339(admit_core::id::UnixMs(NOW + 60_000));
    let path = "/v1/desk/events/sample/keys";
    let rotated = app.post(&organiser, path, json!({"verify_until": until})).await;
    let keys = rotated.expect(StatusCode::OK).json()["keys"].clone();
    assert_eq!(keys.as_array().unwrap().len(), 2);
    assert!(keys[0]["retired_at"].is_string() && keys[1]["retired_at"].is_null());
    app.scan(&device, &early, 1).await.expect(StatusCode::OK);
    let new = app.code().await;
    app.wait(60_000);
    app.scan(&device, &late, 2).await.expect(StatusCode::CONFLICT);
    app.scan(&device, &new, 3).await.expect(StatusCode::OK);
    let log = app.app.store.log_entries(admit_core::id::EventNo(1), 0, 256).await.unwrap();
    let kinds = log.iter().map(|leaf| admit_core::log::leaf::Leaf::parse(leaf).unwrap().kind);
    let changes = kinds.filter(|kind| *kind == admit_core::log::leaf::Kind::Key).count();
    assert_eq!(changes, 3, "the first key, the second, and the end of the first");
}

async fn set_back(app: &TestApp) -> admit::error::Result<()> {
    let folder = app.data().checkpoints();
    let now = app.app.now();
    check_kept(app.app.store.as_ref(), &folder, &Rollback::Refuse, now).await
}

#[tokio::test]
async fn a_database_that_was_set_back_is_noticed_and_goes_on_only_under_another_name() {
    let app = TestApp::on_file().await;
    app.register("Before").await;
    let backup = app.folder.path().join("old.sqlite");
    app.file().copy_to(backup.clone()).await.unwrap();
    app.register("After").await;
    let signed = text(&app, "checkpoint").await;
    app.app.log.keep(&app.data().checkpoints()).unwrap();
    set_back(&app).await.unwrap();

    // Another installation folder with the same keys and the older database.
    let restored = tempfile::tempdir().unwrap();
    let data = DataFolder::at(restored.path());
    copy_folder(&app.data().root().join("keys"), &restored.path().join("keys"));
    copy_folder(&app.data().checkpoints(), &data.checkpoints());
    std::fs::copy(&backup, data.database()).unwrap();
    let clock = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(NOW));
    let (older, _) = open(&data, &clock).await;
    let (store, folder) = (older.store.as_ref(), data.checkpoints());
    let refused = check_kept(store, &folder, &Rollback::Refuse, older.now()).await;
    assert!(refused.unwrap_err().to_string().contains("--accept-rollback"));
    check_kept(store, &folder, &Rollback::Accept, older.now()).await.unwrap();
    let event = older.books.now().event("sample").unwrap().event.number;
    let origin = store.log_head(event).await.unwrap().unwrap().origin;
    assert_eq!(origin, format!("{}/2", signed.lines().next().unwrap()));
    check_kept(store, &folder, &Rollback::Refuse, older.now()).await.unwrap();
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
