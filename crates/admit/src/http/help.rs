//! What plain HTTP serves: the page that helps phones to trust the local authority, the authority
//! itself, and a redirect to HTTPS for everything else.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

use super::assets;
use crate::tls::Authority;

/// What the help page tells.
#[derive(Clone, Debug)]
pub struct Help {
    /// The local authority; none when the operator brought a certificate.
    pub authority: Option<Authority>,
    /// The names this server goes by, the one to prefer first.
    pub names: Vec<String>,
    /// Port of HTTPS.
    pub https_port: u16,
}

pub(super) fn routes(help: Help) -> Router {
    Router::new()
        .route("/help/ca", get(async |headers: HeaderMap| assets::page("help", &headers)))
        .route("/help/ca.json", get(json))
        .route("/help/ca.crt", get(certificate))
        .route("/help/ca.mobileconfig", get(profile))
        .route("/assets/{*path}", get(assets::asset))
        .fallback(redirect)
        .with_state(Arc::new(help))
}

async fn json(State(help): State<Arc<Help>>) -> Response {
    let fingerprint = help.authority.as_ref().map(Authority::fingerprint);
    axum::Json(serde_json::json!({
        "fingerprint": fingerprint, "names": help.names, "https_port": help.https_port,
    }))
    .into_response()
}

async fn certificate(State(help): State<Arc<Help>>) -> Response {
    let Some(authority) = &help.authority else { return assets::not_found().await };
    let kind = (header::CONTENT_TYPE, "application/x-x509-ca-cert");
    ([kind], authority.der().to_vec()).into_response()
}

async fn profile(State(help): State<Arc<Help>>) -> Response {
    let Some(authority) = &help.authority else { return assets::not_found().await };
    let kind = (header::CONTENT_TYPE, "application/x-apple-aspen-config");
    ([kind], authority.mobileconfig()).into_response()
}

/// To the same page over HTTPS, under the name that was asked for if it is one of ours: a redirect
/// to whatever a request claims as its host would be a door for phishing.
async fn redirect(State(help): State<Arc<Help>>, request: Request) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let asked = host.map_or("", |host| host.rsplit_once(':').map_or(host, |(name, _)| name));
    let known = help.names.iter().find(|name| name.as_str() == asked).or(help.names.first());
    let name = known.map_or("localhost", String::as_str);
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let path = if path == "/" { "/help/ca" } else { path };
    if path == "/help/ca" {
        return Redirect::temporary(path).into_response();
    }
    Redirect::temporary(&format!("https://{name}:{}{path}", help.https_port)).into_response()
}
