//! Signing in and out over HTTP.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::extract::{COOKIE, Desk, From, Json, SameOrigin};
use super::problem::Problem;
use crate::error::Error;
use crate::{App, session};

/// A name and a password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    username: String,
    password: String,
}

/// Who is signed in.
#[derive(Serialize, ToSchema)]
pub(super) struct Who {
    username: String,
    /// `admin`, `organiser` or `viewer`.
    role: String,
}

fn cookie(value: &str, seconds: i64) -> Result<HeaderMap, Problem> {
    let text =
        format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Strict");
    let value = HeaderValue::from_str(&text).map_err(Error::internal)?;
    Ok(HeaderMap::from_iter([(header::SET_COOKIE, value)]))
}

#[utoipa::path(post, path = "/v1/session", tag = "desk", operation_id = "sign_in",
    request_body = SignIn, responses((status = 200, body = Who), (status = 401, body = Problem), (status = 429, body = Problem)))]
/// Signs in; the session is a cookie.
pub(super) async fn sign_in(
    State(app): State<Arc<App>>,
    From(address): From,
    _: SameOrigin,
    Json(input): Json<SignIn>,
) -> Result<impl IntoResponse, Problem> {
    app.limits.sign_in(&input.username, address)?;
    let (session, secret) = session::sign_in(&app, &input.username, input.password).await?;
    let who = Who { username: session.user, role: session.role.code().to_owned() };
    Ok((cookie(&secret, session::SESSION_MS / 1000)?, Answer(who)))
}

#[utoipa::path(get, path = "/v1/session", tag = "desk", operation_id = "show_session",
    responses((status = 200, body = Who), (status = 401, body = Problem)))]
/// Who is signed in.
pub(super) async fn who(Desk(staff): Desk) -> Answer<Who> {
    Answer(Who { username: staff.name, role: staff.role.code().to_owned() })
}

#[utoipa::path(delete, path = "/v1/session", tag = "desk", operation_id = "sign_out",
    responses((status = 204), (status = 401, body = Problem)))]
/// Signs out.
pub(super) async fn sign_out(
    State(app): State<Arc<App>>,
    Desk(staff): Desk,
) -> Result<impl IntoResponse, Problem> {
    if let Some(session) = staff.session {
        app.store.close_session(session.secret).await.map_err(Error::from)?;
        app.live.wake_all();
    }
    Ok((StatusCode::NO_CONTENT, cookie("", 0)?))
}
