//! Scans at the gate: what is admitted, what is refused, and with which reason.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::{TestApp, Who};
use admit_store::account::Role;

#[tokio::test]
async fn the_first_scan_is_admitted_and_the_second_is_already_used() {
    let app = TestApp::start().await;
    let (device, code) = (app.device().await, app.code().await);
    let first = app.scan(&device, &code, 1).await.expect(StatusCode::OK).json();
    assert_eq!((&first["verdict"], &first["use"]), (&json!("admit"), &json!(1)));
    let second = app.scan(&device, &code, 2).await.expect(StatusCode::CONFLICT).json();
    assert_eq!(second["verdict"], "refuse");
    assert_eq!(second["reason"], "already_used");
    assert_eq!(second["first_gate_name"], "Main Gate");
}

#[tokio::test]
async fn a_repeated_scan_gets_the_same_answer_and_no_second_entry() {
    let app = TestApp::start().await;
    let (device, code) = (app.device().await, app.code().await);
    app.scan(&device, &code, 1).await.expect(StatusCode::OK);
    app.wait(5000);
    let again = app.scan(&device, &code, 1).await.expect(StatusCode::OK).json();
    assert_eq!((&again["repeated"], &again["use"]), (&json!(true), &json!(1)));
    let stats =
        app.get(&app.staff(Role::Viewer).await, "/v1/desk/events/sample/stats").await.json();
    assert_eq!(stats["entries"], 1);
}

#[tokio::test]
async fn a_bad_code_costs_no_query() {
    let app = TestApp::on_file().await;
    let (device, code) = (app.device().await, app.code().await);
    let mut forged = code.clone();
    let last = if forged.ends_with('0') { "1" } else { "0" };
    forged.replace_range(forged.len() - 1.., last);
    let foreign = foreign_code(&app).await;
    let before = app.file().queries();
    for (bad, reason) in [
        (forged.as_str(), "invalid"),
        (&code[..60], "invalid"),
        (&"A".repeat(700), "invalid"),
        ("https://example.org/t/1", "invalid"),
        ("eyJhbGciOiJub25lIn0.e30.", "invalid"),
        (foreign.as_str(), "wrong_event"),
    ] {
        let reply = app.scan(&device, bad, 9).await.expect(StatusCode::CONFLICT).json();
        assert_eq!(reply["reason"], reason, "{bad}");
    }
    assert_eq!(app.file().queries(), before);
    // The counter does count.
    app.scan(&device, &code, 1).await.expect(StatusCode::OK);
    assert!(app.file().queries() > before);
}

/// A genuine ticket of another event of the same installation.
async fn foreign_code(app: &TestApp) -> String {
    let desk = app.staff(Role::Organiser).await;
    let event = json!({
        "slug": "other", "name": "Other", "starts_at": "2027-02-01T10:00:00Z",
        "ends_at": "2027-02-01T12:00:00Z", "registration": "open",
    });
    app.post(&desk, "/v1/desk/events", event).await.expect(StatusCode::CREATED);
    let kind = json!({"name": "Day", "quota": 5});
    app.post(&desk, "/v1/desk/events/other/ticket-types", kind).await.expect(StatusCode::CREATED);
    let body = json!({"ticket_type": 1, "name": "B", "email": "b@example.org"});
    let reply = app.post(&Who::Anybody, "/v1/events/other/registrations", body).await;
    reply.json()["ticket"]["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_ticket_number_typed_by_hand_admits_like_its_code() {
    let app = TestApp::start().await;
    let device = app.device().await;
    let number = app.register("A").await["ticket"]["number"].as_str().unwrap().to_lowercase();
    app.scan(&device, &number, 1).await.expect(StatusCode::OK);
    let again = app.scan(&device, &number, 2).await.expect(StatusCode::CONFLICT).json();
    assert_eq!(again["reason"], "already_used");
}

#[tokio::test]
async fn a_revoked_ticket_is_refused_and_a_reinstated_one_admitted() {
    let app = TestApp::start().await;
    let (device, desk) = (app.device().await, app.staff(Role::Organiser).await);
    let ticket = app.register("A").await["ticket"].clone();
    let (code, number) = (ticket["code"].as_str().unwrap(), ticket["number"].as_str().unwrap());
    let path = format!("/v1/desk/events/sample/tickets/{number}");
    app.post(&desk, &format!("{path}/revoke"), json!({"reason": "lost"}))
        .await
        .expect(StatusCode::OK);
    assert_eq!(app.scan(&device, code, 1).await.json()["reason"], "revoked");
    app.post(&desk, &format!("{path}/reinstate"), Value::Null).await.expect(StatusCode::OK);
    app.scan(&device, code, 2).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_closed_gate_refuses_and_a_ticket_of_another_gate_is_denied() {
    let app = TestApp::start().await;
    let (device, desk) = (app.device().await, app.staff(Role::Organiser).await);
    let path = "/v1/desk/events/sample";
    app.patch(&desk, &format!("{path}/gates/1"), json!({"open": false}))
        .await
        .expect(StatusCode::OK);
    let code = app.code().await;
    assert_eq!(app.scan(&device, &code, 1).await.json()["reason"], "gate_closed");
    app.patch(&desk, &format!("{path}/gates/1"), json!({"open": true}))
        .await
        .expect(StatusCode::OK);
    app.patch(&desk, &format!("{path}/ticket-types/1"), json!({"gates": [2]}))
        .await
        .expect(StatusCode::OK);
    let vip = app.code().await;
    assert_eq!(app.scan(&device, &vip, 2).await.json()["reason"], "entry_point_denied");
    // Issued before the change: it keeps what it says.
    app.scan(&device, &code, 3).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn an_entry_can_be_undone_by_its_device_for_a_quarter_of_an_hour() {
    let app = TestApp::start().await;
    let (device, other) = (app.device().await, app.device().await);
    let code = app.code().await;
    let scan = app.scan(&device, &code, 1).await.json()["scan_id"].as_str().unwrap().to_owned();
    let path = format!("/v1/gate/admissions/{scan}/undo");
    app.post(&other, &path, Value::Null).await.expect(StatusCode::NOT_FOUND);
    app.post(&device, &path, Value::Null).await.expect(StatusCode::OK);
    let again = app.scan(&device, &code, 2).await.expect(StatusCode::OK).json();
    app.wait(16 * 60 * 1000);
    let path = format!("/v1/gate/admissions/{}/undo", again["scan_id"].as_str().unwrap());
    let late = app.post(&device, &path, Value::Null).await.expect(StatusCode::CONFLICT);
    assert_eq!(late.code(), "undo_refused");
}

#[tokio::test]
async fn a_ticket_for_three_visits_counts_them() {
    let app = TestApp::start().await;
    let device = app.device().await;
    let body = json!({"ticket_type": 2, "name": "A", "email": "a@example.org"});
    let ticket = app.post(&Who::Anybody, "/v1/events/sample/registrations", body).await.json();
    let code = ticket["ticket"]["code"].as_str().unwrap();
    for (id, left) in [(1, 2), (2, 1), (3, 0)] {
        let reply = app.scan(&device, code, id).await.expect(StatusCode::OK).json();
        assert_eq!(reply["uses_remaining"], left);
    }
    assert_eq!(app.scan(&device, code, 4).await.json()["reason"], "uses_exhausted");
}

#[tokio::test]
async fn a_ticket_no_longer_admits_a_day_after_the_event() {
    let app = TestApp::start().await;
    let (device, code) = (app.device().await, app.code().await);
    app.wait(9 * 24 * 60 * 60 * 1000);
    assert_eq!(app.scan(&device, &code, 1).await.json()["reason"], "expired");
}

#[tokio::test]
async fn a_gate_learns_a_name_only_when_the_event_shows_it() {
    let app = TestApp::start().await;
    let (device, desk) = (app.device().await, app.staff(Role::Organiser).await);
    let code = app.code().await;
    assert_eq!(app.scan(&device, &code, 1).await.json()["name"], Value::Null);
    let shown = json!({"show_name_at_gate": true});
    app.patch(&desk, "/v1/desk/events/sample", shown).await.expect(StatusCode::OK);
    assert_eq!(app.scan(&device, &code, 2).await.json()["name"], "A Guest");
}

#[tokio::test]
async fn a_removed_device_is_turned_away_at_once() {
    let app = TestApp::start().await;
    let (device, desk) = (app.device().await, app.staff(Role::Organiser).await);
    let list = app.get(&desk, "/v1/desk/events/sample/devices").await.json();
    let id = list["devices"][0]["id"].as_i64().unwrap();
    let path = format!("/v1/desk/events/sample/devices/{id}");
    app.delete(&desk, &path).await.expect(StatusCode::NO_CONTENT);
    let code = app.code().await;
    let refused = app.scan(&device, &code, 1).await.expect(StatusCode::UNAUTHORIZED);
    assert_eq!(refused.code(), "device_revoked");
}

#[tokio::test]
async fn a_pairing_code_works_once_and_for_ten_minutes() {
    let app = TestApp::start().await;
    let desk = app.staff(Role::Organiser).await;
    let invite = async || {
        let body = json!({"device_name": "Gate A", "gate": 1});
        let made = app.post(&desk, "/v1/desk/events/sample/pairings", body).await;
        json!({"code": made.expect(StatusCode::CREATED).json()["code"], "platform": "test"})
    };
    let code = invite().await;
    app.post(&Who::Anybody, "/v1/pair", code.clone()).await.expect(StatusCode::OK);
    let again = app.post(&Who::Anybody, "/v1/pair", code).await.expect(StatusCode::NOT_FOUND);
    assert_eq!(again.code(), "pairing_code_invalid");
    let late = invite().await;
    app.wait(10 * 60 * 1000);
    app.post(&Who::Anybody, "/v1/pair", late).await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_scan_id_used_for_another_code_is_an_error_and_no_entry() {
    let app = TestApp::start().await;
    let device = app.device().await;
    let (one, two) = (app.code().await, app.code().await);
    app.scan(&device, &one, 1).await.expect(StatusCode::OK);
    let reply = app.scan(&device, &two, 1).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(reply.code(), "idempotency_mismatch");
    app.scan(&device, &two, 2).await.expect(StatusCode::OK);
}
