//! Limits by address behind a proxy.

use std::net::SocketAddr;
use std::sync::Arc;

use admit::http::{self, Options, Proxies};
use admit::limit::VOUCHERS_PER_ADDRESS;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{StatusCode, header};
use serde_json::json;
use tower::ServiceExt;

use crate::app::{TestApp, Who, request};

const PROXY: [u8; 4] = [10, 1, 0, 7];

/// Tries one voucher code that there is not, as a proxy passes it on for `client`.
async fn guess(router: &Router, client: &str) -> StatusCode {
    let body = json!({"code": "AAAA-AAAA", "claim": "AAAAAAAAAAAAAAAAAAAAAA"}).to_string();
    let request = request("POST", &Who::Anybody, "/v1/redeem_voucher")
        .header(header::CONTENT_TYPE, "application/json")
        .header("x-forwarded-for", client)
        .extension(ConnectInfo(SocketAddr::from((PROXY, 40_000))))
        .body(Body::from(body))
        .unwrap();
    router.clone().oneshot(request).await.unwrap().status()
}

/// Whether somebody else may still try after one client tried more than is allowed.
async fn is_next_one_slowed(proxies: Proxies) -> bool {
    let app = TestApp::start().await;
    let router = http::router(Arc::clone(&app.app), Options { proxies, ..Options::default() });
    for _ in 0..=VOUCHERS_PER_ADDRESS {
        guess(&router, "203.0.113.5").await;
    }
    assert_eq!(guess(&router, "203.0.113.5").await, StatusCode::TOO_MANY_REQUESTS);
    guess(&router, "203.0.113.6").await == StatusCode::TOO_MANY_REQUESTS
}

#[tokio::test]
async fn behind_a_proxy_of_ours_each_client_is_limited_alone() {
    assert!(!is_next_one_slowed(Proxies::new(vec!["10.1.0.0/16".parse().unwrap()])).await);
}

#[tokio::test]
async fn a_header_of_somebody_else_gives_no_limit_anew() {
    assert!(is_next_one_slowed(Proxies::default()).await);
}
