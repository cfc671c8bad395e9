//! Errors as RFC 9457 problem details: the one place that gives each a status and a stable code.

use admit_store::StoreError;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::Error;

/// Why a request has no answer (`application/problem+json`).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// An address that names the kind of problem.
    r#type: String,
    /// The kind in a few words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// This problem, for people.
    detail: String,
    /// The kind's stable code.
    code: &'static str,
    /// Fields that cannot be taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<ProblemField>,
    /// Seconds after which to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_s: Option<u32>,
}

/// A field that cannot be taken.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ProblemField {
    /// Its name.
    name: String,
    /// Why, for the person who filled it in.
    message: String,
}

impl Problem {
    /// A problem of a kind.
    pub(super) fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: String,
    ) -> Self {
        Self {
            r#type: format!("https://admit.one/problems/{code}"),
            title,
            status: status.as_u16(),
            detail,
            code,
            fields: Vec::new(),
            retry_after_s: None,
        }
    }

    /// A request that cannot be read.
    pub(super) fn malformed(detail: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", "The request cannot be read", detail)
    }

    /// A request from another site's page.
    pub(super) fn cross_site() -> Self {
        let detail = "this request did not come from one of our own pages".to_owned();
        Self::new(StatusCode::FORBIDDEN, "cross_site", "Request from another site", detail)
    }
}

/// Seconds after which a client should ask a busy store again.
const BUSY_RETRY_S: u32 = 1;

/// Status, code and title of an error.
fn kind(error: &Error) -> (StatusCode, &'static str, &'static str) {
    use StatusCode as S;
    match error {
        Error::Invalid(_) => {
            (S::UNPROCESSABLE_ENTITY, "validation_failed", "Some fields need another value")
        }
        Error::NotFound(_) => (S::NOT_FOUND, "not_found", "Not found"),
        Error::NameTaken("event") => (S::CONFLICT, "slug_taken", "Name taken"),
        Error::NameTaken(_) => (S::CONFLICT, "conflict", "Name taken"),
        Error::TooMany(_) => (S::CONFLICT, "too_many", "No more can be added"),
        Error::SoldOut => (S::CONFLICT, "sold_out", "Sold out"),
        Error::RegistrationClosed => (S::CONFLICT, "registration_closed", "Registration is closed"),
        Error::KeyMismatch => {
            (S::UNPROCESSABLE_ENTITY, "idempotency_mismatch", "Key used for something else")
        }
        Error::PairingCode => {
            (S::NOT_FOUND, "pairing_code_invalid", "This pairing code does not work")
        }
        Error::NotSignedIn(_) => (S::UNAUTHORIZED, "not_signed_in", "Not signed in"),
        Error::DeviceRevoked => (S::UNAUTHORIZED, "device_revoked", "Device removed"),
        Error::Forbidden => (S::FORBIDDEN, "forbidden", "Not allowed"),
        Error::RateLimited(_) => (S::TOO_MANY_REQUESTS, "rate_limited", "Too many requests"),
        Error::BoundElsewhere => (S::CONFLICT, "bound_elsewhere", "On another phone"),
        Error::TransferRefused(_) => (S::CONFLICT, "transfer_refused", "It cannot go"),
        Error::TransferTaken => (S::CONFLICT, "transfer_taken", "Taken by somebody else"),
        Error::TransferWaits => (S::CONFLICT, "transfer_waits", "The organiser must agree"),
        Error::Refused(reason) => (S::CONFLICT, reason.code(), "Not good any more"),
        Error::ReceiptUsed => (S::CONFLICT, "receipt_used", "Everything is signed"),
        Error::KeyRetired => (S::CONFLICT, "key_retired", "This key signs nothing more"),
        Error::PaymentMismatch => {
            (S::UNPROCESSABLE_ENTITY, "payment_mismatch", "Not what was ordered")
        }
        Error::PaymentUnavailable => {
            (S::SERVICE_UNAVAILABLE, "payment_unavailable", "No answer from the payment service")
        }
        Error::VoucherUnknown => (S::NOT_FOUND, "voucher_unknown", "No such voucher"),
        Error::VoucherUsed => (S::CONFLICT, "voucher_used", "This voucher was used"),
        Error::VoucherExpired => (S::GONE, "voucher_expired", "This voucher is over"),
        Error::UndoRefused(_) => (S::CONFLICT, "undo_refused", "Cannot be undone"),
        Error::Store(StoreError::Busy | StoreError::Unavailable(_) | StoreError::Broken(_)) => {
            (S::SERVICE_UNAVAILABLE, "unavailable", "Try again")
        }
        Error::Store(StoreError::Corrupt { .. }) | Error::Internal(_) => {
            (S::INTERNAL_SERVER_ERROR, "internal", "Something went wrong here")
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        use StatusCode as S;
        let (status, code, title) = kind(&error);
        let mut problem = Self::new(status, code, title, error.to_string());
        match error {
            Error::Invalid(fields) => {
                problem.fields = fields
                    .into_iter()
                    .map(|f| ProblemField { name: f.name.to_owned(), message: f.message })
                    .collect();
            }
            Error::RateLimited(seconds) => problem.retry_after_s = Some(seconds),
            Error::Store(_) | Error::Internal(_) => {
                // The inner text stays inside: it may name files, tables or worse.
                tracing::error!(%error, code, "request failed");
                if status == S::SERVICE_UNAVAILABLE {
                    problem.retry_after_s = Some(BUSY_RETRY_S);
                    "the server is busy; nothing is lost, try again"
                        .clone_into(&mut problem.detail);
                } else {
                    "the fault was logged; nothing was changed".clone_into(&mut problem.detail);
                }
            }
            _ => {}
        }
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry = self.retry_after_s;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}
