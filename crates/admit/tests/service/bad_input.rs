//! What cannot be taken gets a clear, typed error, and nothing is lost.

use axum::body::Body;
use axum::http::{StatusCode, header};
use serde_json::json;

use crate::app::{TestApp, Who, request};

async fn post(app: &TestApp, content_type: &str, body: Vec<u8>) -> (StatusCode, String) {
    let request = request("POST", &Who::Anybody, "/v1/events/sample/registrations")
        .header(header::CONTENT_TYPE, content_type);
    let reply = app.send(request.body(Body::from(body)).unwrap()).await;
    let kind = reply.headers[header::CONTENT_TYPE].to_str().unwrap().to_owned();
    assert_eq!(kind, "application/problem+json");
    (reply.status, reply.code())
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_named_for_what_they_are() {
    let app = TestApp::start().await;
    let json = "application/json";
    let good = r#"{"ticket_type":1,"name":"A","email":"a@b.example""#;
    for (body, status, code) in [
        (b"{".to_vec(), 400, "malformed"),
        (b"[]".to_vec(), 400, "malformed"),
        (b"{\"name\":\"\xff\"}".to_vec(), 400, "malformed"),
        (format!("{good},\"ticket_typ\":1}}").into_bytes(), 400, "malformed"),
        (br#"{"ticket_type":"1","name":"A","email":"a"}"#.to_vec(), 400, "malformed"),
        (br#"{"ticket_type":256,"name":"A","email":"a"}"#.to_vec(), 400, "malformed"),
        (vec![b' '; 65 * 1024], 413, "payload_too_large"),
    ] {
        let answer = post(&app, json, body).await;
        assert_eq!((answer.0.as_u16(), answer.1.as_str()), (status, code));
    }
    let form = post(&app, "application/x-www-form-urlencoded", b"name=A".to_vec()).await;
    assert_eq!(form, (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type".to_owned()));
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let app = TestApp::start().await;
    for path in ["/v1/nothing", "/nothing", "/v1/events/none/public", "/assets/none.js"] {
        let reply = app.get(&Who::Anybody, path).await.expect(StatusCode::NOT_FOUND);
        assert_eq!(reply.code(), "not_found", "{path}");
    }
}

#[tokio::test]
async fn a_scan_without_a_proper_id_is_no_scan() {
    let app = TestApp::start().await;
    let (device, code) = (app.device().await, app.code().await);
    for id in ["", "short", "AAAAAAAAAAAAAAAAAAAAA!", "AAAAAAAAAAAAAAAAAAAAAB"] {
        let body = json!({"code": code, "gate": 1, "scan_id": id});
        let reply = app.post(&device, "/v1/gate/admissions", body).await;
        reply.expect(StatusCode::UNPROCESSABLE_ENTITY);
    }
    app.scan(&device, &code, 1).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let app = TestApp::start().await;
    for path in ["/v1/events", "/nothing", "/health"] {
        let reply = app.get(&Who::Anybody, path).await;
        let csp = reply.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(csp.starts_with("default-src 'none'") && !csp.contains("unsafe-inline"));
        assert_eq!(reply.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
}
