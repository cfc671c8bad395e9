//! Events, ticket types and gates at the desk.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::{TestApp, Who};
use admit_store::account::Role;

#[tokio::test]
async fn an_event_is_created_changed_and_shown() {
    let app = TestApp::start().await;
    let desk = app.staff(Role::Organiser).await;
    let event = json!({
        "slug": "gala", "name": "Gala", "venue": "Opera", "time_zone": "Asia/Tokyo",
        "doors_at": "2027-03-01T17:00:00+09:00", "starts_at": "2027-03-01T18:00:00+09:00",
        "ends_at": "2027-03-01T22:00:00+09:00", "registration": "open",
    });
    let made = app.post(&desk, "/v1/desk/events", event).await.expect(StatusCode::CREATED).json();
    assert_eq!(made["starts_at"], "2027-03-01T09:00:00.000Z");
    let later = json!({"venue": "Arena", "doors_at": null});
    let changed =
        app.patch(&desk, "/v1/desk/events/gala", later).await.expect(StatusCode::OK).json();
    assert_eq!((&changed["venue"], &changed["doors_at"]), (&json!("Arena"), &Value::Null));
    let public = app.get(&Who::Anybody, "/v1/events/gala/public").await.expect(StatusCode::OK);
    assert_eq!(public.json()["time_zone"], "Asia/Tokyo");
}

#[tokio::test]
async fn what_is_wrong_with_an_event_is_told() {
    let app = TestApp::start().await;
    let desk = app.staff(Role::Organiser).await;
    let event = json!({
        "slug": "Gala Night", "name": "", "time_zone": "Mars/Olympus",
        "starts_at": "2027-03-01T18:00:00Z", "ends_at": "2027-03-01T17:00:00Z",
    });
    let reply = app.post(&desk, "/v1/desk/events", event).await;
    let reply = reply.expect(StatusCode::UNPROCESSABLE_ENTITY).json();
    let fields: Vec<_> = reply["fields"].as_array().unwrap().iter().map(|f| &f["name"]).collect();
    assert_eq!(fields, ["slug", "name", "time_zone", "ends_at"]);
    let taken = json!({
        "slug": "sample", "name": "S", "starts_at": "2027-03-01T18:00:00Z",
        "ends_at": "2027-03-01T19:00:00Z",
    });
    let reply = app.post(&desk, "/v1/desk/events", taken).await.expect(StatusCode::CONFLICT);
    assert_eq!(reply.code(), "slug_taken");
}

#[tokio::test]
async fn gates_are_added_and_tickets_restricted_to_them() {
    let app = TestApp::start().await;
    let desk = app.staff(Role::Organiser).await;
    let path = "/v1/desk/events/sample";
    let gate = app.post(&desk, &format!("{path}/gates"), json!({"name": "East Wing"})).await;
    assert_eq!(gate.expect(StatusCode::CREATED).json()["slug"], "east-wing");
    let kind = json!({"name": "East", "quota": 10, "gates": [3]});
    let kind = app.post(&desk, &format!("{path}/ticket-types"), kind).await;
    assert_eq!(kind.expect(StatusCode::CREATED).json()["gates"], json!([3]));
    let wrong = json!({"gates": [9]});
    let reply = app.patch(&desk, &format!("{path}/ticket-types/1"), wrong).await;
    reply.expect(StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_quota_cannot_fall_below_what_is_issued() {
    let app = TestApp::start().await;
    let desk = app.staff(Role::Organiser).await;
    app.register("A").await;
    app.register("B").await;
    let path = "/v1/desk/events/sample/ticket-types/1";
    app.patch(&desk, path, json!({"quota": 1})).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    app.patch(&desk, path, json!({"quota": 2})).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn staff_find_a_ticket_by_whole_address_and_by_number() {
    let app = TestApp::start().await;
    let desk = app.staff(Role::Viewer).await;
    let number = app.register("Ada").await["ticket"]["number"].as_str().unwrap().to_owned();
    let path = "/v1/desk/events/sample/tickets/search";
    for query in ["Guest@Example.org", &number.to_lowercase()] {
        let found = app.post(&desk, path, json!({"query": query})).await.expect(StatusCode::OK);
        let found = found.json();
        assert_eq!((&found["total"], &found["tickets"][0]["name"]), (&json!(1), &json!("Ada")));
    }
    let part = app.post(&desk, path, json!({"query": "Ada"})).await;
    part.expect(StatusCode::UNPROCESSABLE_ENTITY);
}

/// Addresses end up in histories and in the logs of proxies: nothing that is asked for may stand there.
#[tokio::test]
async fn no_operation_takes_anything_personal_in_the_query_of_its_address() {
    let description = admit::http::openapi();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for operation in operations.as_object().unwrap().values() {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                // What names no person may stand in an address.
                let harmless = ["event", "gate", "entryPoint", "after"].map(Value::from);
                let known = harmless.contains(&parameter["name"]);
                assert!(parameter["in"] != "query" || known, "{path}: {}", parameter["name"]);
            }
        }
    }
}
