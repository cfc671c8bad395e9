//! Registration and what its holder gets.

use axum::body::Body;
use axum::http::{StatusCode, header};
use serde_json::{Value, json};

use crate::app::{Reply, TestApp, Who, request};
use admit_store::account::Role;

const PATH: &str = "/v1/events/sample/registrations";

async fn register(app: &TestApp, key: &str, body: &Value) -> Reply {
    let request = request("POST", &Who::Anybody, PATH)
        .header(header::CONTENT_TYPE, "application/json")
        .header("idempotency-key", key);
    app.send(request.body(Body::from(body.to_string())).unwrap()).await
}

fn guest() -> Value {
    json!({"ticket_type": 1, "name": "Nguyễn Thị Minh Khai", "email": "khai@example.org"})
}

#[tokio::test]
async fn a_double_submit_is_one_ticket() {
    let app = TestApp::start().await;
    let first = register(&app, "k", &guest()).await.expect(StatusCode::CREATED).json();
    let again = register(&app, "k", &guest()).await.expect(StatusCode::OK).json();
    assert_eq!(first, again);
    let other = json!({"ticket_type": 1, "name": "Somebody Else", "email": "else@example.org"});
    let reply = register(&app, "k", &other).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(reply.code(), "idempotency_mismatch");
}

#[tokio::test]
async fn the_last_places_go_to_exactly_as_many_people() {
    let app = TestApp::start().await;
    let desk = app.staff(Role::Organiser).await;
    let few = json!({"quota": 50});
    app.patch(&desk, "/v1/desk/events/sample/ticket-types/1", few).await.expect(StatusCode::OK);
    let asked = (0..200).map(|n| {
        let (app, key) = (&app, n.to_string());
        async move { register(app, &key, &guest()).await.status }
    });
    let answers = futures_join(asked).await;
    let count = |status| answers.iter().filter(|answer| **answer == status).count();
    assert_eq!((count(StatusCode::CREATED), count(StatusCode::CONFLICT)), (50, 150));
}

/// Runs all futures at the same time on this task.
async fn futures_join<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut all = true;
        for (future, done) in &mut waiting {
            if done.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *done = Some(value),
                    std::task::Poll::Pending => all = false,
                }
            }
        }
        if all { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}

#[tokio::test]
async fn a_holder_sees_ticket_picture_and_calendar_with_the_link_alone() {
    let app = TestApp::start().await;
    let registered = app.register("Ada").await;
    let holder = Who::Bearer(registered["access"].as_str().unwrap().to_owned());
    let ticket = app.get(&holder, "/v1/ticket").await.expect(StatusCode::OK).json();
    assert_eq!((&ticket["name"], &ticket["status"]), (&json!("Ada"), &json!("issued")));
    let svg = app.get(&holder, "/v1/ticket.svg").await.expect(StatusCode::OK);
    assert!(String::from_utf8(svg.bytes).unwrap().starts_with("<svg"));
    let ics = app.get(&holder, "/v1/ticket.ics").await.expect(StatusCode::OK);
    let ics = String::from_utf8(ics.bytes).unwrap();
    assert!(ics.contains("SUMMARY:Sample Night\r\n"));
    assert!(!ics.contains("Ada") && !ics.contains("A1:"));
}

#[tokio::test]
async fn a_changed_link_opens_nothing() {
    let app = TestApp::start().await;
    let access = app.register("Ada").await["access"].as_str().unwrap().to_owned();
    for at in [14, 20, access.len() - 2] {
        let mut wrong = access.clone();
        let letter = if &wrong[at..=at] == "A" { "B" } else { "A" };
        wrong.replace_range(at..=at, letter);
        app.get(&Who::Bearer(wrong), "/v1/ticket").await.expect(StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_printed_ticket_is_a_pdf_for_names_in_any_script() {
    let app = TestApp::start().await;
    if app.app.fonts().is_none() {
        assert!(std::env::var_os("CI").is_none(), "the fonts must be built in");
        return;
    }
    for name in ["فاطمة الزهراء", "王小明", "Nguyễn Thị Minh Khai", "Zoë 🎟️", &"Ā".repeat(200)]
    {
        let access = app.register(name).await["access"].as_str().unwrap().to_owned();
        let pdf = app.get(&Who::Bearer(access), "/v1/ticket.pdf").await.expect(StatusCode::OK);
        assert!(pdf.bytes.starts_with(b"%PDF-"), "{name}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_form_is_told_field_by_field() {
    let app = TestApp::start().await;
    let body = json!({"ticket_type": 1, "name": " ", "email": "nobody"});
    let reply = register(&app, "k", &body).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let fields: Vec<_> =
        reply.json()["fields"].as_array().unwrap().iter().map(|f| f["name"].clone()).collect();
    assert_eq!(fields, ["name", "email"]);
    let long = json!({"ticket_type": 1, "name": "x".repeat(201), "email": "a@b.example"});
    register(&app, "k", &long).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let none = json!({"ticket_type": 9, "name": "A", "email": "a@b.example"});
    register(&app, "k", &none).await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn required_questions_must_be_answered() {
    let app = TestApp::start().await;
    let desk = app.staff(Role::Organiser).await;
    let questions = json!({"questions": [
        {"key": "meal", "label": "Meal", "required": true, "kind": "choice", "options": ["Fish", "None"]}
    ]});
    app.patch(&desk, "/v1/desk/events/sample", questions).await.expect(StatusCode::OK);
    register(&app, "1", &guest()).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let mut answered = guest();
    answered["answers"] = json!({"meal": "Meat"});
    register(&app, "2", &answered).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    answered["answers"] = json!({"meal": "Fish"});
    register(&app, "3", &answered).await.expect(StatusCode::CREATED);
}

#[tokio::test]
async fn a_closed_event_takes_no_registrations() {
    let app = TestApp::start().await;
    let desk = app.staff(Role::Organiser).await;
    let closed = json!({"registration": "closed"});
    app.patch(&desk, "/v1/desk/events/sample", closed).await.expect(StatusCode::OK);
    let reply = register(&app, "k", &guest()).await.expect(StatusCode::CONFLICT);
    assert_eq!(reply.code(), "registration_closed");
    let open = app.get(&Who::Anybody, "/v1/events").await.json();
    assert_eq!(open["events"], json!([]));
}
