//! Vouchers over HTTP: making, printing, withdrawing and redeeming them (seed 002's names).

use std::sync::Arc;

use admit_core::id::{TypeNo, UnixMs};
use admit_core::voucher::VoucherCode;
use admit_store::event::EventView;
use admit_store::sale::Batch;
use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::event::time;
use super::extract::{At, Desk, From, Integrator, Json, event_at};
use super::problem::Problem;
use super::sale::{ReceiptAnswer, day};
use super::ticket::file;
use crate::error::Error;
use crate::sale::{self, WantedVouchers};
use crate::{App, clock};

/// Fewest and most bytes of what a wallet draws to claim a voucher.
const CLAIM_BYTES: std::ops::RangeInclusive<usize> = 16..=64;

/// Vouchers that were made together.
#[derive(Serialize, ToSchema)]
pub(super) struct VoucherBatch {
    batch: u32,
    label: String,
    ticket_type: u8,
    day: Option<String>,
    /// Tickets that each buys.
    quantity: u16,
    count: u32,
    redeemed: u32,
    created_at: String,
    expires_at: Option<String>,
    voided: bool,
}

impl VoucherBatch {
    pub(super) fn of(batch: &Batch) -> Self {
        Self {
            batch: batch.number,
            label: batch.label.clone(),
            ticket_type: batch.item.type_no.0,
            day: batch.item.day.map(clock::day_text),
            quantity: batch.item.quantity,
            count: batch.count,
            redeemed: batch.redeemed,
            created_at: clock::rfc3339(batch.created_at),
            expires_at: batch.expires_at.map(clock::rfc3339),
            voided: batch.voided_at.is_some(),
        }
    }
}

/// Vouchers to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VoucherInput {
    ticket_type: u8,
    /// `YYYY-MM-DD`, where tickets are for a day.
    #[serde(default)]
    day: Option<String>,
    /// How many vouchers.
    count: usize,
    /// Tickets that each buys.
    #[serde(default = "one")]
    quantity: u16,
    #[serde(default)]
    label: String,
    /// RFC 3339; null for never.
    #[serde(default)]
    expires_at: Option<String>,
}

fn one() -> u16 {
    1
}

/// The same, by a program (seed 002).
#[derive(Deserialize, ToSchema)]
pub(super) struct ProgramVoucherInput {
    /// Slug of the event.
    event: String,
    #[serde(flatten)]
    wanted: VoucherInput,
}

/// New vouchers.
#[derive(Serialize, ToSchema)]
pub(super) struct NewVouchers {
    batch: u32,
    /// Told this once.
    codes: Vec<String>,
}

/// Vouchers to be printed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SheetInput {
    /// Of one batch, none redeemed.
    codes: Vec<String>,
}

/// A voucher that somebody has.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RedeemVoucherInput {
    code: String,
    /// Base64url of 16 to 64 bytes that the wallet drew and keeps: with it the answer can be asked for
    /// again.
    claim: String,
}

impl VoucherInput {
    fn read(self) -> Result<WantedVouchers, Error> {
        let ends = |text: &String| -> Result<UnixMs, Error> { time("expires_at", text) };
        Ok(WantedVouchers {
            type_no: TypeNo(self.ticket_type),
            day: day(self.day.as_deref())?,
            quantity: self.quantity,
            count: self.count,
            label: self.label,
            expires_at: self.expires_at.as_ref().map(ends).transpose()?,
        })
    }
}

pub(super) fn code(name: &'static str, text: &str) -> Result<VoucherCode, Error> {
    VoucherCode::parse(text).map_err(|fault| Error::field(name, format!("{fault}.")))
}

async fn make(app: &App, view: &EventView, wanted: VoucherInput) -> Result<NewVouchers, Error> {
    let (batch, codes) = sale::make_vouchers(app, view, wanted.read()?).await?;
    tracing::info!(event = view.event.details.slug, batch = batch.number, "vouchers made");
    Ok(NewVouchers { batch: batch.number, codes: codes.iter().map(ToString::to_string).collect() })
}

#[utoipa::path(post, path = "/v1/create_voucher", tag = "integration", operation_id = "create_voucher",
    request_body = ProgramVoucherInput,
    responses((status = 201, body = NewVouchers), (status = 409, body = Problem), (status = 422, body = Problem)))]
/// Makes vouchers: their codes are told this once.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    asker: Integrator,
    Json(input): Json<ProgramVoucherInput>,
) -> Result<(StatusCode, Answer<NewVouchers>), Problem> {
    let view = asker.event(&app, &input.event)?;
    Ok((StatusCode::CREATED, Answer(make(&app, &view, input.wanted).await?)))
}

#[utoipa::path(post, path = "/v1/desk/events/{event}/vouchers", tag = "desk", operation_id = "make_vouchers",
    params(("event" = String, Path, description = "Slug")), request_body = VoucherInput,
    responses((status = 201, body = NewVouchers), (status = 409, body = Problem), (status = 422, body = Problem)))]
/// Makes vouchers: their codes are told this once.
pub(super) async fn desk_create(
    State(app): State<Arc<App>>,
    desk: Desk,
    At(slug): At<String>,
    Json(input): Json<VoucherInput>,
) -> Result<(StatusCode, Answer<NewVouchers>), Problem> {
    desk.organiser()?;
    let view = event_at(&app, &slug)?;
    Ok((StatusCode::CREATED, Answer(make(&app, &view, input).await?)))
}

#[utoipa::path(post, path = "/v1/desk/events/{event}/vouchers/{batch}/void", tag = "desk",
    operation_id = "void_vouchers",
    params(("event" = String, Path, description = "Slug"), ("batch" = u32, Path)),
    responses((status = 200, body = VoucherBatch), (status = 404, body = Problem)))]
/// Withdraws the vouchers of a batch that nobody redeemed.
pub(super) async fn void(
    State(app): State<Arc<App>>,
    desk: Desk,
    At((slug, batch)): At<(String, u32)>,
) -> Result<Answer<VoucherBatch>, Problem> {
    desk.organiser()?;
    let event = event_at(&app, &slug)?.event.number;
    let voided = app.store.void_batch(event, batch, app.now()).await.map_err(Error::from)?;
    Ok(Answer(VoucherBatch::of(&voided.ok_or(Error::NotFound("batch of vouchers"))?)))
}

#[utoipa::path(post, path = "/v1/desk/events/{event}/vouchers/sheet", tag = "desk",
    operation_id = "print_vouchers", params(("event" = String, Path, description = "Slug")),
    request_body = SheetInput,
    responses((status = 200, content_type = "application/pdf", body = Vec<u8>), (status = 422, body = Problem)))]
/// Vouchers as cards to cut out. Their codes are sent again: here they are not kept.
pub(super) async fn print(
    State(app): State<Arc<App>>,
    desk: Desk,
    At(slug): At<String>,
    Json(input): Json<SheetInput>,
) -> Result<impl IntoResponse, Problem> {
    desk.organiser()?;
    let view = event_at(&app, &slug)?;
    let codes: Result<Vec<_>, _> = input.codes.iter().map(|text| code("codes", text)).collect();
    let codes = codes?;
    let batch = sale::good_vouchers(&app, view.event.number, &codes).await?;
    let made = tokio::task::spawn_blocking(move || sale::sheet(&app, &view, &batch, &codes)).await;
    let bytes = made.map_err(Error::internal)??;
    Ok(file("application/pdf", "vouchers.pdf", bytes))
}

#[utoipa::path(post, path = "/v1/redeem_voucher", tag = "public", operation_id = "redeem_voucher",
    request_body = RedeemVoucherInput,
    responses((status = 200, body = ReceiptAnswer), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 410, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem)))]
/// Redeems a voucher, once. The same code and claim again get the same receipt.
pub(super) async fn redeem(
    State(app): State<Arc<App>>,
    From(address): From,
    Json(input): Json<RedeemVoucherInput>,
) -> Result<Answer<ReceiptAnswer>, Problem> {
    // A code of 84 bits cannot be guessed at this rate; whoever tries is slowed down and counted.
    app.limits.voucher(address)?;
    let counted = |error: Error| {
        if matches!(error, Error::VoucherUnknown | Error::Invalid(_)) {
            app.metrics.wrong_voucher();
        }
        Problem::from(error)
    };
    let code = code("code", &input.code).map_err(counted)?;
    let claim = BASE64URL_NOPAD.decode(input.claim.as_bytes()).ok();
    let claim = claim.filter(|claim| CLAIM_BYTES.contains(&claim.len()));
    let wrong = || Error::field("claim", "Use 16 to 64 random bytes in base64url.");
    let claim = claim.ok_or_else(wrong)?;
    let bought = sale::redeem_voucher(&app, &code, &claim).await.map_err(counted)?;
    Ok(Answer(ReceiptAnswer::of(&app.books.now(), &bought)))
}
