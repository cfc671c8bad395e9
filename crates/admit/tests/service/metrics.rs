//! What operators watch.

use std::sync::Arc;

use admit::http;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::app::{TestApp, Who, request};

async fn metrics(app: &TestApp) -> String {
    let router = http::metrics_router(Arc::clone(&app.app));
    let asked = Request::get("/metrics").body(Body::empty()).unwrap();
    let answer = router.oneshot(asked).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn scans_batches_and_requests_are_counted() {
    let app = TestApp::start().await;
    let device = app.device().await;
    let code = app.code().await;
    app.scan(&device, &code, 1).await.expect(StatusCode::OK);
    app.scan(&device, &code, 2).await.expect(StatusCode::CONFLICT);
    app.scan(&device, "no ticket", 3).await.expect(StatusCode::CONFLICT);
    let text = metrics(&app).await;
    for line in [
        "admit_admissions_total 1",
        "admit_refusals_total{reason=\"already_used\"} 1",
        "admit_refusals_total{reason=\"invalid\"} 1",
        "admit_http_requests_total{method=\"POST\",route=\"/v1/gate/admissions\",status=\"409\"} 2",
        "admit_queue_length 0",
        "admit_batch_failures_total 0",
    ] {
        assert!(text.lines().any(|said| said == line), "{line} is not in\n{text}");
    }
    let batches = text.lines().find_map(|line| line.strip_prefix("admit_commit_seconds_count "));
    assert!(batches.unwrap().parse::<u64>().unwrap() >= 2, "{text}");
}

#[tokio::test]
async fn metrics_name_no_ticket_and_no_address() {
    let app = TestApp::start().await;
    let (device, code) = (app.device().await, app.code().await);
    app.scan(&device, &code, 1).await.expect(StatusCode::OK);
    let asked = request("GET", &Who::Anybody, "/v1/events/sample?canary=1");
    app.raw(asked.body(Body::empty()).unwrap()).await;
    let asked = request("GET", &Who::Anybody, "/canary/canary");
    app.raw(asked.body(Body::empty()).unwrap()).await;
    let text = metrics(&app).await;
    assert!(
        !text.contains("canary") && !text.contains(&code) && !text.contains("sample"),
        "{text}"
    );
}

#[tokio::test]
async fn the_service_itself_has_no_metrics() {
    let app = TestApp::start().await;
    let asked = request("GET", &Who::Anybody, "/metrics").body(Body::empty()).unwrap();
    assert_eq!(app.raw(asked).await.status(), StatusCode::NOT_FOUND);
}
