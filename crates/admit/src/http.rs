//! HTTP: the list of routes, and what holds for all of them. The modules below translate between
//! JSON and the features, and do nothing else.

mod admission;
mod anonymous;
mod assets;
mod change;
mod control;
mod device;
mod edge;
mod event;
mod extract;
mod gate;
mod health;
mod help;
mod key;
mod live;
mod log;
mod metrics;
mod offline;
mod pass;
mod problem;
mod proxy;
mod registration;
mod rotation;
mod sale;
mod sandbox;
mod session;
mod ticket;
mod transfer;
mod voucher;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;

/// Largest body of a request, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Scripts, styles and connections of our own origin only; no framing, no plugins, no inline code.
/// The one Trusted Types policy, `admit`, names the workers that the pages start.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
     style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; worker-src 'self'; \
     manifest-src 'self'; media-src 'self' blob:; font-src 'self'; frame-ancestors 'none'; \
     base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'; \
     trusted-types admit";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Admit One",
        description = "Ticketing and admission control. Times are RFC 3339 in UTC. Errors are \
            RFC 9457 problem details with a stable `code`. A refused scan is an answer, not an \
            error: status 409 with a `Verdict`."
    ),
    components(schemas(problem::Problem)),
    tags(
        (name = "public", description = "Anybody"),
        (name = "ticket", description = "Holders, with the credential of their ticket's link"),
        (name = "offer", description = "Whoever has the link of a ticket that is handed on"),
        (name = "desk", description = "Staff (session cookie) and programs (API key)"),
        (name = "gate", description = "Paired devices"),
        (name = "integration", description = "Programs with an organiser's API key, and the sandbox"),
        (name = "service", description = "Operators")
    )
)]
struct Description;

fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(Description::openapi())
        // Anybody
        .routes(routes!(event::open_events))
        .routes(routes!(event::show_public))
        .routes(routes!(registration::register))
        .routes(routes!(control::controls))
        .routes(routes!(sandbox::show))
        .routes(routes!(log::key))
        .routes(routes!(log::checkpoint))
        .routes(routes!(log::receipt))
        .routes(routes!(log::inclusion))
        .routes(routes!(log::consistency))
        // Holders of a ticket
        .routes(routes!(ticket::show))
        .routes(routes!(ticket::svg))
        .routes(routes!(ticket::pdf))
        .routes(routes!(ticket::ics))
        .routes(routes!(rotation::bind))
        .routes(routes!(transfer::offer, transfer::end))
        .routes(routes!(transfer::show))
        .routes(routes!(transfer::accept))
        // Staff
        .routes(routes!(session::sign_in, session::who, session::sign_out))
        .routes(routes!(event::list, event::create))
        .routes(routes!(event::show, event::change))
        .routes(routes!(key::list, key::rotate))
        .routes(routes!(event::add_type))
        .routes(routes!(event::change_type))
        .routes(routes!(gate::add))
        .routes(routes!(gate::change))
        .routes(routes!(ticket::issue))
        .routes(routes!(ticket::search))
        .routes(routes!(ticket::desk_show))
        .routes(routes!(ticket::revoke))
        .routes(routes!(ticket::reinstate))
        .routes(routes!(ticket::erase))
        .routes(routes!(ticket::desk_pdf))
        .routes(routes!(transfer::reissue))
        .routes(routes!(transfer::list))
        .routes(routes!(transfer::agree))
        .routes(routes!(transfer::decline))
        .routes(routes!(device::invite))
        .routes(routes!(device::list))
        .routes(routes!(device::revoke))
        .routes(routes!(offline::conflicts))
        .routes(routes!(live::stats))
        .routes(routes!(live::live))
        // Programs
        .routes(routes!(control::generate))
        .routes(routes!(control::verify))
        .routes(routes!(control::redeem))
        .routes(routes!(control::status))
        .routes(routes!(control::revoke))
        .routes(routes!(edge::edge_issue))
        .routes(routes!(edge::edge_verify))
        .routes(routes!(edge::edge_consume))
        .routes(routes!(edge::spent_export))
        .routes(routes!(edge::conflicts))
        .routes(routes!(edge::enrol))
        .merge(selling())
        .merge(lists())
        .merge(reports())
        // Gates
        .routes(routes!(device::pair))
        .routes(routes!(device::setup))
        .routes(routes!(admission::admit))
        .routes(routes!(admission::undo))
        .routes(routes!(edge::gate_conflicts))
        .routes(routes!(offline::download))
        .routes(routes!(offline::bloom))
        .routes(routes!(rotation::redeem))
        // Operators
        .routes(routes!(health::health))
        .routes(routes!(health::ready))
}

/// Tickets that are sold without a name.
fn selling() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        // Anybody
        .routes(routes!(anonymous::public_keys))
        .routes(routes!(anonymous::event_keys))
        .routes(routes!(anonymous::sign))
        .routes(routes!(anonymous::exchange))
        .routes(routes!(sale::checkout))
        .routes(routes!(sale::verify))
        .routes(routes!(sale::pay_test))
        .routes(routes!(voucher::redeem))
        // Staff
        .routes(routes!(anonymous::rotate))
        .routes(routes!(anonymous::revoke, anonymous::revoked))
        .routes(routes!(sale::sales))
        .routes(routes!(voucher::desk_create))
        .routes(routes!(voucher::void))
        .routes(routes!(voucher::print))
        // Programs and gates
        .routes(routes!(voucher::create))
        .routes(routes!(anonymous::redeem))
}

/// Whole evenings of spent tickets: larger bodies than everything else.
fn lists() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(edge::spent_sync))
        .routes(routes!(edge::gate_spent_sync))
        .layer(DefaultBodyLimit::max(edge::LIST_BODY_BYTES_MAX))
}

/// What a gate did in a whole evening without the network.
fn reports() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(offline::sync))
        .layer(DefaultBodyLimit::max(offline::SYNC_BODY_BYTES_MAX))
}

/// The description of the API: an OpenAPI 3.1 document.
pub fn openapi() -> serde_json::Value {
    health::with_problems(serde_json::to_value(routes().into_openapi()).unwrap_or_default())
}

/// What the server answers besides the API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Adds an endpoint that does nothing, to measure the others against.
    pub bench: bool,
    /// Who is believed about where a request comes from.
    pub proxies: Proxies,
}

/// The whole application.
pub fn router(app: Arc<App>, options: Options) -> Router {
    let (mut router, _) = routes().split_for_parts();
    let description: Arc<str> = openapi().to_string().into();
    router = router.route("/v1/openapi.json", health::description(description));
    router = router
        .route("/v1/events/{event}/log/tile/{*path}", log::tiles())
        .route("/.well-known/private-token-issuer-directory", get(anonymous::directory))
        .route("/v1/payments/stripe", post(sale::stripe_notice))
        .route("/v1/token-request", post(anonymous::token_request))
        .route("/t/{name}", ticket::follow_link())
        .route("/T/{name}", ticket::follow_link());
    if options.bench {
        router = router.route("/bench/noop", post(admission::noop));
    }
    router
        .merge(assets::routes())
        .fallback(assets::not_found)
        .with_state(Arc::clone(&app))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(Extension(options.proxies))
        .layer(middleware::from_fn(security_headers))
        .layer(middleware::from_fn_with_state(app, log_request))
        .layer(CatchPanicLayer::new())
}

/// What operators watch, for a listener that only they reach.
pub fn metrics_router(app: Arc<App>) -> Router {
    metrics::routes(app)
}

/// The page that helps phones to trust the local authority, and a redirect for everything else: all
/// that plain HTTP serves.
pub fn help_router(help: help::Help) -> Router {
    help::routes(help).layer(middleware::from_fn(security_headers))
}

pub use help::Help;
pub use proxy::Proxies;

/// Counts requests, and says one line for each at debug level: the route as written above, never the address itself, for
/// addresses hold ticket numbers.
async fn log_request(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = path.as_ref().map_or("none", MatchedPath::as_str);
    let status = response.status().as_u16();
    app.metrics.answered(method.as_str(), route, status);
    tracing::debug!(%method, route, status, "request");
    response
}

async fn security_headers(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let reads_codes = path.starts_with("/gate") || path.starts_with("/ticket");
    let camera = if reads_codes { "camera=(self)" } else { "camera=()" };
    let api = path.starts_with("/v1/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "same-origin");
    set(HeaderName::from_static("permissions-policy"), camera);
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if api {
        set(header::CACHE_CONTROL, "no-store");
    }
    response
}
