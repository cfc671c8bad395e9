//! The pages: built by `web/`, embedded in the binary, served precompressed.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::problem::Problem;
use crate::App;
use crate::error::Error;

#[derive(RustEmbed)]
#[folder = "../../web/dist/"]
#[exclude = "fonts/*"]
#[allow_missing = true]
struct Dist;

/// Content changes its name when it changes, so that it can be kept for a year.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// Asked for again each time, answered with 304 when it is the same.
const ASK_AGAIN: &str = "no-cache";

/// Routes of the pages: each app answers for all addresses below its own.
pub(super) fn routes() -> Router<Arc<App>> {
    let mut router = Router::new()
        .route("/", get(async |headers: HeaderMap| page("register", &headers)))
        .route("/e/{*rest}", get(async |headers: HeaderMap| page("register", &headers)))
        .route("/assets/{*path}", get(asset));
    for (prefix, app) in [
        ("/ticket", "wallet"),
        ("/gate", "gate"),
        ("/desk", "desk"),
        ("/docs", "docs"),
        ("/help", "help"),
        ("/sandbox", "sandbox"),
    ] {
        let index = move |headers: HeaderMap| async move { page(app, &headers) };
        let below = move |headers: HeaderMap, Path(path): Path<String>| async move {
            let file = format!("{app}/{path}");
            if Dist::get(&file).is_some() {
                serve(&file, ASK_AGAIN, &headers)
            } else if path.rsplit('/').next().is_some_and(|name| name.contains('.')) {
                // A missing file is missing; only pages fall back to the app.
                not_found().await
            } else {
                page(app, &headers)
            }
        };
        router = router
            .route(prefix, get(index))
            .route(&format!("{prefix}/"), get(index))
            .route(&format!("{prefix}/{{*path}}"), get(below));
    }
    router
}

/// `GET /assets/…`.
pub(super) async fn asset(headers: HeaderMap, Path(path): Path<String>) -> Response {
    let file = format!("assets/{path}");
    if Dist::get(&file).is_some() { serve(&file, FOREVER, &headers) } else { not_found().await }
}

/// The page of one app.
pub(super) fn page(app: &str, headers: &HeaderMap) -> Response {
    let file = format!("{app}/index.html");
    if Dist::get(&file).is_some() {
        return serve(&file, ASK_AGAIN, headers);
    }
    let text = "the pages are not built in: run cargo xtask run";
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

/// What is not there, in the form that the asker understands.
pub(super) async fn not_found() -> Response {
    Problem::from(Error::NotFound("page")).into_response()
}

/// A file of the build, in the smallest form that the browser takes.
fn serve(file: &str, cache: &'static str, headers: &HeaderMap) -> Response {
    let Some(plain) = Dist::get(file) else {
        return Problem::from(Error::NotFound("page")).into_response();
    };
    let accepts = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let brotli =
        accepts.is_some_and(|text| text.split(',').any(|part| part.trim().starts_with("br")));
    let small = if brotli { Dist::get(&format!("{file}.br")) } else { None };
    let tag = format!("\"{}\"", data_encoding::HEXLOWER.encode(&plain.metadata.sha256_hash()));
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known == Some(tag.as_str()) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let mut response = Response::new(body(small.as_ref().unwrap_or(&plain)));
    let answer = response.headers_mut();
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, content_type(file));
    set(header::CACHE_CONTROL, cache);
    set(header::ETAG, &tag);
    set(header::VARY, "accept-encoding");
    if small.is_some() {
        set(header::CONTENT_ENCODING, "br");
    }
    response
}

fn body(file: &EmbeddedFile) -> Body {
    match &file.data {
        std::borrow::Cow::Borrowed(bytes) => Body::from(Bytes::from_static(bytes)),
        std::borrow::Cow::Owned(bytes) => Body::from(bytes.clone()),
    }
}

fn content_type(file: &str) -> &'static str {
    match file.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "wasm" => "application/wasm",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
