//! The live feed.

use admit::live::Position;
use axum::http::{StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;

use crate::app::{TestApp, Who, request};
use admit_store::account::Role;

/// Reads messages of the feed until `count` have come: (event, id, data).
async fn messages(
    app: &TestApp,
    desk: &Who,
    since: Option<&str>,
    count: usize,
) -> Vec<(String, String, Value)> {
    let mut builder = request("GET", desk, "/v1/desk/events/sample/live");
    if let Some(id) = since {
        builder = builder.header("last-event-id", id);
    }
    let response = app.raw(builder.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut body = response.into_body();
    let mut text = String::new();
    while text.matches("\n\n").count() < count {
        let frame = body.frame().await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
    }
    text.split("\n\n").filter(|block| !block.trim().is_empty()).map(message).collect()
}

fn message(block: &str) -> (String, String, Value) {
    let field = |name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_default().to_owned()
    };
    (field("event"), field("id"), serde_json::from_str(&field("data")).unwrap())
}

#[tokio::test]
async fn a_desk_gets_a_picture_and_goes_on_where_it_was() {
    let app = TestApp::start().await;
    let (device, desk) = (app.device().await, app.staff(Role::Viewer).await);
    let code = app.code().await;
    app.scan(&device, &code, 1).await.expect(StatusCode::OK);
    let picture = messages(&app, &desk, None, 1).await.remove(0);
    assert_eq!(picture.0, "snapshot");
    assert_eq!(picture.2["stats"]["admitted"], 1);
    app.scan(&device, &code, 2).await.expect(StatusCode::CONFLICT);
    app.scan(&device, "no ticket", 3).await.expect(StatusCode::CONFLICT);
    let rest = messages(&app, &desk, Some(&picture.1), 1).await.remove(0);
    assert_eq!(rest.0, "scans");
    let reasons: Vec<_> =
        rest.2["scans"].as_array().unwrap().iter().map(|scan| scan["reason"].clone()).collect();
    assert_eq!(reasons, ["already_used", "invalid"]);
    assert_eq!(rest.2["stats"]["refused"], 2);
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_over_many_reconnects() {
    let app = TestApp::start().await;
    let device = app.device().await;
    let event = app.app.books.now().event("sample").unwrap().event.number;
    let mut position = Position::default();
    let mut seen = Vec::new();
    for id in 0..40u8 {
        let code = app.code().await;
        app.scan(&device, &code, id).await.expect(StatusCode::OK);
        if id % 7 == 3 {
            let store = app.app.store.as_ref();
            let news = app.app.live.news(store, event, Some(position)).await.unwrap();
            assert!(!news.fresh);
            seen.extend(news.scans.iter().map(|scan| scan.scan.id.0[0]));
            position = news.position;
        }
    }
    let news = app.app.live.news(app.app.store.as_ref(), event, Some(position)).await.unwrap();
    seen.extend(news.scans.iter().map(|scan| scan.scan.id.0[0]));
    assert_eq!(seen, (0..40).collect::<Vec<u8>>());
    assert_eq!(news.count.admitted, 40);
}

#[tokio::test]
async fn the_feed_tells_no_names() {
    let app = TestApp::start().await;
    let (device, desk) = (app.device().await, app.staff(Role::Viewer).await);
    let ticket = app.register("Zyxwv Utsrq").await;
    app.scan(&device, ticket["ticket"]["code"].as_str().unwrap(), 1).await;
    let picture = messages(&app, &desk, None, 1).await.remove(0);
    assert!(!picture.2.to_string().contains("Zyxwv"));
}
