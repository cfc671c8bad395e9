//! Passes over HTTP: in and out, once a day, and what an organiser and a gate see of it.

use admit_core::id::ScanId;
use admit_store::account::Role;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::{Reply, TestApp, Who};

const TYPE: &str = "/v1/desk/events/sample/ticket-types/1";
const HOUR_MS: i64 = 3_600_000;

/// A guest with a ticket of a type with these settings, and a gate.
struct Guest {
    app: TestApp,
    organiser: Who,
    gate: Who,
    code: String,
}

impl Guest {
    async fn with(change: Value) -> Self {
        let app = TestApp::start().await;
        let organiser = app.staff(Role::Organiser).await;
        app.patch(&organiser, TYPE, change).await.expect(StatusCode::OK);
        let (gate, code) = (app.device().await, app.code().await);
        Self { app, organiser, gate, code }
    }

    async fn goes(&self, direction: &str, id: u8) -> Reply {
        let scan_id = ScanId([id; 16]).to_string();
        let body =
            json!({"code": self.code, "gate": 1, "scan_id": scan_id, "direction": direction});
        self.app.post(&self.gate, "/v1/gate/admissions", body).await
    }

    async fn refused(&self, direction: &str, id: u8) -> Value {
        self.goes(direction, id).await.expect(StatusCode::CONFLICT).json()["reason"].clone()
    }
}

#[tokio::test]
async fn a_pass_must_be_scanned_out_before_it_enters_again() {
    let guest = Guest::with(json!({"kind": "entries", "pass": {"exits": true}})).await;
    guest.goes("entry", 1).await.expect(StatusCode::OK);
    assert_eq!(guest.refused("entry", 2).await, "inside");
    let left = guest.goes("exit", 3).await.expect(StatusCode::OK).json();
    assert_eq!((&left["direction"], &left["message"]), (&json!("exit"), &json!("Let them out.")));
    assert_eq!(left["undo_until"], Value::Null);
    assert_eq!(guest.refused("exit", 4).await, "not_inside");
    guest.goes("entry", 5).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_pass_waits_and_its_day_is_that_of_the_event() {
    let rules = json!({"kind": "entries", "pass": {"wait_min": 60}});
    let guest = Guest::with(rules).await;
    guest.goes("entry", 1).await.expect(StatusCode::OK);
    assert_eq!(guest.refused("entry", 2).await, "too_soon");
    guest.app.wait(HOUR_MS);
    guest.goes("entry", 3).await.expect(StatusCode::OK);
    let daily = json!({"pass": {"per_day": "once"}});
    guest.app.patch(&guest.organiser, TYPE, daily).await.expect(StatusCode::OK);
    assert_eq!(guest.refused("entry", 4).await, "once_per_day");
    guest.app.wait(24 * HOUR_MS);
    guest.goes("entry", 5).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_day_pass_ends_with_its_day() {
    let guest = Guest::with(json!({"kind": "day"})).await;
    guest.goes("entry", 1).await.expect(StatusCode::OK);
    guest.goes("entry", 2).await.expect(StatusCode::OK);
    guest.app.wait(24 * HOUR_MS);
    assert_eq!(guest.refused("entry", 3).await, "pass_over");
}

#[tokio::test]
async fn the_desk_counts_who_is_inside_and_lists_who_left() {
    let guest = Guest::with(json!({"kind": "entries"})).await;
    guest.goes("entry", 1).await.expect(StatusCode::OK);
    guest.goes("entry", 2).await.expect(StatusCode::OK);
    guest.goes("exit", 3).await.expect(StatusCode::OK);
    let path = "/v1/desk/events/sample/stats";
    let stats = guest.app.get(&guest.organiser, path).await.expect(StatusCode::OK).json();
    assert_eq!(
        (&stats["entries"], &stats["exits"], &stats["inside"]),
        (&json!(2), &json!(1), &json!(1))
    );
}

#[tokio::test]
async fn a_gate_is_told_the_rules_of_each_type_and_the_days() {
    let guest = Guest::with(json!({"kind": "monthly", "pass": {"per_day": "once"}})).await;
    let setup = guest.app.get(&guest.gate, "/v1/gate").await.expect(StatusCode::OK).json();
    let pass = json!({"lasts": "month", "exits": false, "wait_min": 0, "per_day": "once"});
    assert_eq!(setup["ticket_types"][0]["pass"], pass);
    let days = setup["days"].as_array().unwrap();
    assert!(days.len() > 7);
    assert!(days[0]["month_from_ms"].as_i64().unwrap() < days[0]["day_from_ms"].as_i64().unwrap());
    admit_core::setup::Judge::new(serde_json::from_value(setup).unwrap()).unwrap();
}

#[tokio::test]
async fn a_kind_says_in_a_word_what_the_rules_come_to() {
    let guest = Guest::with(json!({})).await;
    for (change, kind, max_uses) in [
        (json!({"kind": "day"}), "day", 0),
        (json!({"kind": "monthly", "max_uses": 20}), "monthly", 20),
        (json!({"kind": "entries", "max_uses": 10}), "entries", 10),
        (json!({"kind": "single-use"}), "single-use", 1),
    ] {
        let reply = guest.app.patch(&guest.organiser, TYPE, change).await;
        let told = reply.expect(StatusCode::OK).json();
        assert_eq!((&told["kind"], &told["max_uses"]), (&json!(kind), &json!(max_uses)));
    }
}

#[tokio::test]
async fn rules_that_make_no_sense_are_not_taken() {
    let guest = Guest::with(json!({})).await;
    for change in [
        json!({"kind": "yearly"}),
        json!({"pass": {"wait_min": 1441}}),
        json!({"pass": {"per_day": "twice"}}),
        json!({"pass": {"lasts": "week"}}),
        json!({"transferable": "maybe"}),
    ] {
        let refused = guest.app.patch(&guest.organiser, TYPE, change).await;
        refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let sideways = guest.goes("sideways", 1).await;
    sideways.expect(StatusCode::UNPROCESSABLE_ENTITY);
}
