//! Who is asking, and what for: extractors that a handler names and then need not check.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use admit_core::id::{EventNo, TicketId};
use admit_store::account::{Device, Role};
use admit_store::event::EventView;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use serde::de::DeserializeOwned;

use super::problem::Problem;
use super::proxy::{Proxies, subscriber};
use crate::error::Error;
use crate::session::Staff;
use crate::{App, device, event, session, ticket};

/// Name of the session cookie. The prefix makes browsers refuse it from anything but this very
/// origin over HTTPS.
pub(super) const COOKIE: &str = "__Host-admit_session";

type AppState = Arc<App>;

/// A JSON body: of the right type, in UTF-8, with no field that nobody reads.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<AppState> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let media = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
        if media.split(';').next().map(str::trim) != Some("application/json") {
            return Err(Problem::new(
                axum::http::StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "JSON wanted",
                "send the body as application/json".to_owned(),
            ));
        }
        let body = Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
                Problem::new(
                    rejection.status(),
                    "payload_too_large",
                    "Too large",
                    format!("at most {} bytes", super::BODY_BYTES_MAX),
                )
            } else {
                Problem::malformed("the body did not arrive whole".to_owned())
            }
        })?;
        let value = serde_json::from_slice(&body).map_err(|e| Problem::malformed(e.to_string()))?;
        Ok(Self(value))
    }
}

/// Parts of the path, of the right types.
pub(super) struct At<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<AppState> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let Path(value) = Path::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::from(Error::NotFound("page")))?;
        Ok(Self(value))
    }
}

/// The event whose slug is the first part of the path below its prefix.
pub(super) fn event_at(app: &App, slug: &str) -> Result<EventView, Problem> {
    Ok(event::find(app, slug)?)
}

/// A member of staff, or a program with an API key.
pub(super) struct Desk(pub(super) Staff);

impl Desk {
    /// Only those who may run events.
    pub(super) fn organiser(&self) -> Result<(), Problem> {
        self.at_least(Role::Organiser)
    }

    fn at_least(&self, role: Role) -> Result<(), Problem> {
        if self.0.role >= role { Ok(()) } else { Err(Error::Forbidden.into()) }
    }
}

impl FromRequestParts<AppState> for Desk {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        if let Some(key) = bearer(&parts.headers) {
            let program = session::by_api_key(app, key).await?;
            // The key of the sandbox is public: it opens the sandbox and nothing else.
            return if program.sandbox { Err(Error::Forbidden.into()) } else { Ok(Self(program)) };
        }
        let cookie = cookie(&parts.headers).ok_or(Error::NotSignedIn("please sign in"))?;
        same_origin(parts)?;
        Ok(Self(session::by_cookie(app, cookie, app.now()).await?))
    }
}

/// Whoever may work with tickets by program: organisers, their programs, and the sandbox's public key
/// within the sandbox.
pub(super) struct Integrator(Staff);

impl Integrator {
    /// The event of this slug, if it is open to this asker. To the sandbox's key there are no others.
    pub(super) fn event(&self, app: &App, slug: &str) -> Result<EventView, Problem> {
        let view = event_at(app, slug)?;
        let open = !self.0.sandbox || view.event.details.sandbox;
        if open { Ok(view) } else { Err(Error::NotFound("event").into()) }
    }

    /// All events that are open to this asker.
    pub(super) fn events(&self, app: &App) -> Vec<EventNo> {
        let book = app.books.now();
        let open = |view: &&EventView| !self.0.sandbox || view.event.details.sandbox;
        book.events.values().filter(open).map(|view| view.event.number).collect()
    }
}

impl FromRequestParts<AppState> for Integrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        if let Some(key) = bearer(&parts.headers) {
            let program = session::by_api_key(app, key).await?;
            if program.sandbox {
                let From(address) = From::from_request_parts(parts, app).await.unwrap_or_default();
                app.limits.sandbox(address)?;
                return Ok(Self(program));
            }
        }
        let desk = Desk::from_request_parts(parts, app).await?;
        desk.organiser()?;
        Ok(Self(desk.0))
    }
}

/// A browser sends the cookie along whoever's page asks; only our own pages may change things.
fn same_origin(parts: &Parts) -> Result<(), Problem> {
    if matches!(parts.method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return if site == "same-origin" { Ok(()) } else { Err(Problem::cross_site()) };
    }
    // Browsers from before 2023 have no Sec-Fetch-Site, but say where they come from.
    let host = parts.uri.authority().map(ToString::to_string).or_else(|| {
        parts.headers.get(header::HOST).and_then(|h| h.to_str().ok()).map(str::to_owned)
    });
    let origin = text("origin").and_then(|origin| origin.strip_prefix("https://"));
    if origin.is_some() && origin == host.as_deref() { Ok(()) } else { Err(Problem::cross_site()) }
}

/// A request of our own pages, where there is no session yet to protect: signing somebody in from
/// another site would let that site watch what they do.
pub(super) struct SameOrigin;

impl FromRequestParts<AppState> for SameOrigin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Problem> {
        // Programs have no site; only browsers name one.
        if parts.headers.contains_key("sec-fetch-site") || parts.headers.contains_key("origin") {
            same_origin(parts)?;
        }
        Ok(Self)
    }
}

/// A paired device that was not removed.
pub(super) struct Gate(pub(super) Device);

impl FromRequestParts<AppState> for Gate {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        let token = bearer(&parts.headers).ok_or(Error::NotSignedIn("pair this device first"))?;
        Ok(Self(device::authenticate(app, token).await?))
    }
}

/// Whoever has the link of a ticket.
pub(super) struct Holder(pub(super) EventNo, pub(super) TicketId);

impl FromRequestParts<AppState> for Holder {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        let access = bearer(&parts.headers).and_then(|text| ticket::read_access(app, text));
        let (event, ticket) = access.ok_or(Error::NotSignedIn("this is not a ticket link"))?;
        Ok(Self(event, ticket))
    }
}

/// Where a request comes from, for rate limits only.
pub(super) struct From(pub(super) IpAddr);

impl Default for From {
    fn default() -> Self {
        Self(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }
}

impl FromRequestParts<AppState> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Self::Rejection> {
        let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let Some(ConnectInfo(peer)) = connected else { return Ok(Self::default()) };
        let proxies = parts.extensions.get::<Proxies>().cloned().unwrap_or_default();
        Ok(Self(subscriber(proxies.client(peer.ip(), &parts.headers))))
    }
}

/// The credential of a request.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}
