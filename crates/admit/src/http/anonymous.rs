//! Anonymous tickets over HTTP: the keys, blind signatures, redeeming, exchanging and withdrawing
//! (seed 002's names; RFC 9578 for other wallets). Formats: `docs/formats/anonymous.md`.

use std::sync::Arc;

use admit_core::admission::Verdict;
use admit_core::id::{EventNo, GateNo, ScanId, TicketId, TypeNo, UnixMs};
use admit_core::pass::Direction;
use admit_core::privacy_pass::{Token, TokenRequest};
use admit_core::pss::MODULUS_BYTES;
use admit_core::reason::Reason;
use admit_core::ticket::anonymous;
use admit_core::ticket::anonymous::NONCE_BYTES;
use admit_store::account::Device;
use axum::Json as Answer;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::extract::{At, Desk, From, Gate, Integrator, Json, bearer, event_at};
use super::log::{Circuit, MerkleValidation};
use super::problem::Problem;
use super::sale::{day, read_receipt_id};
use crate::admission::{self, Presented};
use crate::anonymous::{self as feature, Published};
use crate::control;
use crate::error::Error;
use crate::sale;
use crate::secret;
use crate::ticket;
use crate::{App, clock};

/// Media types of RFC 9578.
const REQUEST_TYPE: &str = "application/private-token-request";
const RESPONSE_TYPE: &str = "application/private-token-response";
const DIRECTORY_TYPE: &str = "application/private-token-issuer-directory";
const TOKEN_TYPE: u16 = 2;

/// A key that signs anonymous tickets.
#[derive(Serialize, ToSchema)]
pub(super) struct IssuerKey {
    /// Slug of the event.
    event: String,
    event_name: String,
    time_zone: String,
    ticket_type: u8,
    type_name: String,
    /// The day its tickets are for; null for the whole event.
    day: Option<String>,
    /// SHA-256 of the public key, hexadecimal.
    key_id: String,
    token_type: u16,
    algorithm: &'static str,
    /// `SubjectPublicKeyInfo`, base64url.
    public_key: String,
    /// The challenge that its tokens answer, base64url.
    token_challenge: String,
    not_before: Option<String>,
    expires: String,
    /// Whether it signs, or only verifies.
    signs: bool,
    /// How many have such a ticket, rounded down.
    sold_at_least: u32,
    /// The proof that it stands in the audit log.
    merkle_validation: MerkleValidation,
}

/// Keys that sign anonymous tickets.
#[derive(Serialize, ToSchema)]
pub(super) struct IssuerKeys {
    keys: Vec<IssuerKey>,
}

impl IssuerKey {
    fn of(app: &App, known: &Published) -> Self {
        let (issuer, details) = (&known.issuer, &known.view.event.details);
        let terms = &issuer.terms;
        let time = |seconds: u32| clock::rfc3339(UnixMs(i64::from(seconds) * 1000));
        let kind = known.view.types.iter().find(|kind| kind.number == terms.type_no);
        Self {
            event: details.slug.clone(),
            event_name: details.name.clone(),
            time_zone: details.time_zone.clone(),
            ticket_type: terms.type_no.0,
            type_name: kind.map(|kind| kind.details.name.clone()).unwrap_or_default(),
            day: issuer.day.map(clock::day_text),
            key_id: HEXLOWER.encode(&issuer.key_id),
            token_type: TOKEN_TYPE,
            algorithm: "RSABSSA-SHA384-PSS-Deterministic",
            public_key: BASE64URL_NOPAD.encode(&issuer.spki),
            token_challenge: BASE64URL_NOPAD.encode(&feature::challenge(app, terms.event)),
            not_before: Some(terms.not_before_s).filter(|at| *at != 0).map(time),
            expires: time(terms.expires_s),
            signs: known.signs,
            sold_at_least: known.sold_at_least,
            merkle_validation: MerkleValidation::of(&known.proof, Circuit::Ticket),
        }
    }
}

async fn keys(app: &App, event: Option<EventNo>) -> Result<Answer<IssuerKeys>, Problem> {
    let published = feature::published(app, event).await?;
    let keys = published.iter().map(|known| IssuerKey::of(app, known)).collect();
    Ok(Answer(IssuerKeys { keys }))
}

#[utoipa::path(get, path = "/keys/public", tag = "public", operation_id = "public_keys",
    responses((status = 200, body = IssuerKeys)))]
/// The keys of all anonymous tickets that are still good (seed 002), each with the proof that it stands in
/// the audit log: nobody can be shown a key of their own.
pub(super) async fn public_keys(
    State(app): State<Arc<App>>,
    From(address): From,
) -> Result<Answer<IssuerKeys>, Problem> {
    app.limits.issuer_keys(address)?;
    keys(&app, None).await
}

#[utoipa::path(get, path = "/v1/events/{event}/issuer-keys", tag = "public", operation_id = "issuer_keys",
    params(("event" = String, Path, description = "Slug")),
    responses((status = 200, body = IssuerKeys), (status = 404, body = Problem)))]
/// The keys of an event's anonymous tickets.
pub(super) async fn event_keys(
    State(app): State<Arc<App>>,
    From(address): From,
    At(slug): At<String>,
) -> Result<Answer<IssuerKeys>, Problem> {
    app.limits.issuer_keys(address)?;
    let event = event_at(&app, &slug)?.event.number;
    keys(&app, Some(event)).await
}

/// A directory of keys (RFC 9578, section 4).
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Directory {
    issuer_request_uri: &'static str,
    token_keys: Vec<DirectoryKey>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct DirectoryKey {
    token_type: u16,
    token_key: String,
    not_before: i64,
}

/// The keys that sign, for Privacy Pass clients.
pub(super) async fn directory(
    State(app): State<Arc<App>>,
    From(address): From,
) -> Result<impl IntoResponse, Problem> {
    app.limits.issuer_keys(address)?;
    let published = feature::published(&app, None).await?;
    let signing = published.iter().filter(|known| known.signs);
    let token_keys = signing.map(|known| DirectoryKey {
        token_type: TOKEN_TYPE,
        token_key: BASE64URL_NOPAD.encode(&known.issuer.spki),
        not_before: known.issuer.created_at.0.div_euclid(1000),
    });
    let issuer_request_uri = "/v1/token-request";
    let directory = Directory { issuer_request_uri, token_keys: token_keys.collect() };
    let text = serde_json::to_string(&directory).map_err(Error::internal)?;
    Ok(([(header::CONTENT_TYPE, DIRECTORY_TYPE)], text))
}

/// A blinded token to be signed (seed 002).
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignInput {
    receipt_id: String,
    /// 256 bytes, base64.
    blinded_token: String,
    /// The key it was blinded for; the one that signs now when it is not said.
    #[serde(default)]
    key_id: Option<String>,
}

/// A signature over a blinded token.
#[derive(Serialize, ToSchema)]
pub(super) struct SignAnswer {
    /// 256 bytes, base64.
    signed_blinded: String,
}

fn bytes<const N: usize>(name: &'static str, text: &str) -> Result<[u8; N], Error> {
    let bytes = BASE64.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| Error::field(name, format!("Use {N} bytes in base64.")))
}

fn key_id(text: &str) -> Result<[u8; 32], Error> {
    let bytes = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| Error::field("key_id", "Use 64 hex digits."))
}

#[utoipa::path(post, path = "/v1/sign_blinded", tag = "public", operation_id = "sign_blinded",
    request_body = SignInput,
    responses((status = 200, body = SignAnswer), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "All is signed, or the key signs nothing more"),
        (status = 422, body = Problem), (status = 429, body = Problem)))]
/// Signs a token that the server cannot see: as many as the receipt paid for. The same blinded token again
/// gets the same signature.
pub(super) async fn sign(
    State(app): State<Arc<App>>,
    From(address): From,
    Json(input): Json<SignInput>,
) -> Result<Answer<SignAnswer>, Problem> {
    let credential = read_receipt_id(&input.receipt_id)?;
    app.limits.signing(address, &credential)?;
    let blinded = bytes("blinded_token", &input.blinded_token)?;
    let key_id = input.key_id.as_deref().map(key_id).transpose()?;
    let receipt = sale::receipt(&app, &credential).await?;
    let signature = feature::sign(&app, &receipt, key_id, blinded).await?;
    Ok(Answer(SignAnswer { signed_blinded: BASE64.encode(&signature) }))
}

/// The same for Privacy Pass clients (RFC 9578, section 6): the receipt is the credential.
pub(super) async fn token_request(
    State(app): State<Arc<App>>,
    From(address): From,
    headers: HeaderMap,
    body: Bytes,
) -> Result<impl IntoResponse, Problem> {
    let credential = bearer(&headers).ok_or(Error::NotSignedIn("the receipt is the credential"))?;
    let credential = read_receipt_id(credential)?;
    app.limits.signing(address, &credential)?;
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let request = TokenRequest::parse(&body).filter(|_| sent == Some(REQUEST_TYPE));
    let request = request.ok_or_else(|| Problem::malformed(format!("send {REQUEST_TYPE}")))?;
    let receipt = sale::receipt(&app, &credential).await?;
    let event = receipt.item.event;
    let book = app.books.now();
    let named = book.issuers(event).iter().rev().find(|issuer| {
        issuer.terms.type_no == receipt.item.type_no
            && issuer.day == receipt.item.day
            && request.names(&issuer.key_id)
    });
    let key_id = named.ok_or(Error::NotFound("key"))?.key_id;
    let signature = feature::sign(&app, &receipt, Some(key_id), request.blinded).await?;
    Ok(([(header::CONTENT_TYPE, RESPONSE_TYPE)], signature.to_vec()))
}

/// A token that is redeemed (seed 002).
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RedeemInput {
    /// `T`, 32 bytes in base64; or a whole Privacy Pass token, 354 bytes.
    token: String,
    /// 256 bytes in base64; nothing beside a whole token.
    #[serde(default)]
    signature: Option<String>,
    /// A name for the validator's own records.
    #[serde(default, rename = "validator_id")]
    #[schema(value_type = Option<String>)]
    _validator_id: Option<serde::de::IgnoredAny>,
    /// Slug of the event; a gate has its own.
    #[serde(default)]
    event: Option<String>,
    /// The key, 64 hex digits; all of the event are tried when it is not said.
    #[serde(default)]
    key_id: Option<String>,
    /// Number of the gate; that of the device when it is not said.
    #[serde(default)]
    gate: Option<u16>,
    /// 16 random bytes in base64url, kept over retries.
    #[serde(default)]
    scan_id: Option<String>,
}

/// What came of it.
#[derive(Serialize, ToSchema)]
pub(super) struct RedeemAnswer {
    /// `accepted` or `rejected`.
    status: &'static str,
    /// `spent`, `invalid`, `expired`, or the reason's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// Whoever may redeem tokens.
pub(super) enum Validator {
    /// A paired device.
    Gate(Device),
    /// A program.
    Program(Integrator),
}

impl FromRequestParts<Arc<App>> for Validator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let device = bearer(&parts.headers)
            .is_some_and(|text| secret::hash(secret::Kind::Device, text).is_some());
        if device {
            let Gate(device) = Gate::from_request_parts(parts, app).await?;
            return Ok(Self::Gate(device));
        }
        Integrator::from_request_parts(parts, app).await.map(Self::Program)
    }
}

impl RedeemInput {
    /// The codes that this may be: one for each key that it may be signed with.
    fn codes(&self, app: &App, event: EventNo) -> Result<Vec<String>, Error> {
        let wrong = || Error::field("token", "Use 32 or 354 bytes in base64.");
        let token = BASE64.decode(self.token.as_bytes()).map_err(|_| wrong())?;
        if let Some(token) = Token::parse(&token) {
            return Ok(vec![anonymous::code(&token.key_id, &token.nonce, &token.authenticator)]);
        }
        let nonce: [u8; NONCE_BYTES] = token.try_into().map_err(|_| wrong())?;
        let signature = self.signature.as_deref().unwrap_or_default();
        let signature: [u8; MODULUS_BYTES] = bytes("signature", signature)?;
        let known = match &self.key_id {
            Some(text) => vec![key_id(text)?],
            None => app.books.now().ring.issuers(event).map(|key| *key.id()).collect(),
        };
        Ok(known.iter().map(|id| anonymous::code(id, &nonce, &signature)).collect())
    }
}

fn seeds_name(reason: Reason) -> &'static str {
    match reason {
        Reason::AlreadyUsed | Reason::UsesExhausted => "spent",
        other => other.code(),
    }
}

#[utoipa::path(post, path = "/v1/redeem", tag = "gate", operation_id = "redeem_token",
    request_body = RedeemInput,
    responses((status = 200, body = RedeemAnswer),
        (status = 409, body = RedeemAnswer, description = "Refused, with the reason"),
        (status = 401, body = Problem), (status = 422, body = Problem)))]
/// Uses an anonymous ticket once (seed 002): the signature first, then the books. The same engine as at the
/// gates.
pub(super) async fn redeem(
    State(app): State<Arc<App>>,
    validator: Validator,
    Json(input): Json<RedeemInput>,
) -> Result<(StatusCode, Answer<RedeemAnswer>), Problem> {
    let scan = match &input.scan_id {
        Some(text) => super::admission::scan_id(text)?,
        None => ScanId(secret::random()?),
    };
    let slug = || input.event.as_deref().ok_or_else(|| Error::field("event", "Say for which."));
    let event = match &validator {
        Validator::Gate(device) => device.event,
        Validator::Program(program) => program.event(&app, slug()?)?.event.number,
    };
    let good = |code: &String| app.books.now().ring.verify(event, code, app.now()).is_ok();
    let codes = input.codes(&app, event)?;
    let code = codes.iter().find(|code| good(code)).or(codes.first()).cloned().unwrap_or_default();
    let verdict = match validator {
        Validator::Gate(device) => {
            let unnamed = || Error::field("gate", "Say at which gate.");
            let gate = input.gate.map(GateNo).or(device.gate).ok_or_else(unnamed)?;
            let direction = Direction::Entry;
            let presented =
                Presented { code, gate, scan, challenge: None, confirm: false, direction };
            admission::admit(&app, &device, presented).await?.verdict
        }
        Validator::Program(_) => {
            let gate = GateNo(input.gate.unwrap_or(0));
            control::redeem(&app, event, &code, gate, scan).await?.verdict
        }
    };
    Ok(match verdict {
        Verdict::Admit(_) => {
            (StatusCode::OK, Answer(RedeemAnswer { status: "accepted", reason: None }))
        }
        Verdict::Refuse(reason) => {
            let reason = Some(seeds_name(reason));
            (StatusCode::CONFLICT, Answer(RedeemAnswer { status: "rejected", reason }))
        }
    })
}

/// An anonymous ticket to be exchanged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExchangeInput {
    /// Slug of the event.
    event: String,
    /// The ticket, `B1:…`.
    code: String,
    /// The wallet's P-256 public key, SEC 1, base64url.
    public_key: String,
}

/// The ticket that it was exchanged for.
#[derive(Serialize, ToSchema)]
pub(super) struct ExchangeAnswer {
    /// Its credential.
    access: String,
}

#[utoipa::path(post, path = "/v1/exchange", tag = "public", operation_id = "exchange_token",
    request_body = ExchangeInput,
    responses((status = 200, body = ExchangeAnswer), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "It is not good any more; the code says why"),
        (status = 422, body = Problem), (status = 429, body = Problem)))]
/// Exchanges an anonymous ticket for one that only this wallet can show. The same key again gets the same
/// ticket.
pub(super) async fn exchange(
    State(app): State<Arc<App>>,
    From(address): From,
    Json(input): Json<ExchangeInput>,
) -> Result<Answer<ExchangeAnswer>, Problem> {
    app.limits.checkout(address)?;
    let view = event_at(&app, &input.event)?;
    let wrong = || Error::field("public_key", "Use a P-256 point in base64url.");
    let key = BASE64URL_NOPAD.decode(input.public_key.as_bytes()).map_err(|_| wrong())?;
    let new = feature::exchange(&app, &view, &input.code, &key).await?;
    let access = ticket::access(&app, view.event.number, new.grant.ticket);
    Ok(Answer(ExchangeAnswer { access }))
}

/// What a new key is for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RotateIssuerInput {
    ticket_type: u8,
    /// `YYYY-MM-DD`, where tickets are for a day.
    #[serde(default)]
    day: Option<String>,
}

#[utoipa::path(post, path = "/v1/desk/events/{event}/issuer-keys/rotate", tag = "desk",
    operation_id = "rotate_issuer_key", params(("event" = String, Path, description = "Slug")),
    request_body = RotateIssuerInput,
    responses((status = 200, body = IssuerKeys), (status = 404, body = Problem), (status = 422, body = Problem)))]
/// Makes a new key for a type's tickets. The old one finishes within a day what was begun, and its tickets
/// stay good.
pub(super) async fn rotate(
    State(app): State<Arc<App>>,
    desk: Desk,
    At(slug): At<String>,
    Json(input): Json<RotateIssuerInput>,
) -> Result<Answer<IssuerKeys>, Problem> {
    desk.organiser()?;
    let view = event_at(&app, &slug)?;
    let day = day(input.day.as_deref())?;
    feature::rotate_key(&app, &view, TypeNo(input.ticket_type), day).await?;
    keys(&app, Some(view.event.number)).await
}

/// An anonymous ticket to be withdrawn.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeTokenInput {
    /// Its number, as its wallet shows it.
    number: String,
    #[serde(default)]
    reason: String,
}

/// An anonymous ticket that was withdrawn.
#[derive(Serialize, ToSchema)]
pub(super) struct RevokedToken {
    number: String,
    reason: String,
    at: String,
}

/// Anonymous tickets that were withdrawn.
#[derive(Serialize, ToSchema)]
pub(super) struct RevokedTokens {
    tokens: Vec<RevokedToken>,
}

impl RevokedToken {
    fn of(token: &admit_store::anonymous::RevokedToken) -> Self {
        Self {
            number: token.ticket.to_string(),
            reason: token.reason.clone(),
            at: clock::rfc3339(token.at),
        }
    }
}

#[utoipa::path(post, path = "/v1/desk/events/{event}/revoked-tokens", tag = "desk",
    operation_id = "revoke_token", params(("event" = String, Path, description = "Slug")),
    request_body = RevokeTokenInput,
    responses((status = 200, body = RevokedToken), (status = 404, body = Problem), (status = 422, body = Problem)))]
/// Withdraws an anonymous ticket by the number that its wallet shows.
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    desk: Desk,
    At(slug): At<String>,
    Json(input): Json<RevokeTokenInput>,
) -> Result<Answer<RevokedToken>, Problem> {
    desk.organiser()?;
    let event = event_at(&app, &slug)?.event.number;
    let number = TicketId::parse_number(&input.number)
        .ok_or_else(|| Error::field("number", "This is no ticket number."))?;
    let token = feature::withdraw(&app, event, number, &input.reason).await?;
    tracing::info!(event = slug, by = desk.0.name, "anonymous ticket withdrawn");
    Ok(Answer(RevokedToken::of(&token)))
}

#[utoipa::path(get, path = "/v1/desk/events/{event}/revoked-tokens", tag = "desk",
    operation_id = "list_revoked_tokens", params(("event" = String, Path, description = "Slug")),
    responses((status = 200, body = RevokedTokens), (status = 404, body = Problem)))]
/// Anonymous tickets that were withdrawn, the newest first.
pub(super) async fn revoked(
    State(app): State<Arc<App>>,
    _: Desk,
    At(slug): At<String>,
) -> Result<Answer<RevokedTokens>, Problem> {
    let event = event_at(&app, &slug)?.event.number;
    let tokens = app.store.revoked_tokens(event).await.map_err(Error::from)?;
    Ok(Answer(RevokedTokens { tokens: tokens.iter().map(RevokedToken::of).collect() }))
}
