//! Why a request has no answer: one closed list for every feature. Refused scans are not here, they
//! are answers.

use admit_core::reason::Reason;
use admit_core::transfer::TransferRefused;
use admit_store::StoreError;
use thiserror::Error;

/// A field of a request that cannot be taken, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Its name in JSON, dotted where nested.
    pub name: &'static str,
    /// A sentence for the person who filled it in.
    pub message: String,
}

/// The lack of an answer.
#[derive(Debug, Error)]
pub enum Error {
    /// Fields that cannot be taken.
    #[error("some fields need another value")]
    Invalid(Vec<FieldError>),
    /// There is no such thing, or not for this asker.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A name is taken.
    #[error("there is already a {0} of this name")]
    NameTaken(&'static str),
    /// There can be no more.
    #[error("there cannot be more {0}")]
    TooMany(&'static str),
    /// No ticket of this type is left.
    #[error("all tickets of this type are gone")]
    SoldOut,
    /// The event takes no registrations.
    #[error("registration is closed")]
    RegistrationClosed,
    /// The idempotency key was used for another request, or the scan id for another code.
    #[error("this key was used for another request")]
    KeyMismatch,
    /// A pairing code that is unknown, used or over; which of them is not told.
    #[error("this pairing code does not work; ask for a new one")]
    PairingCode,
    /// Nobody is signed in, or the password is wrong.
    #[error("{0}")]
    NotSignedIn(&'static str),
    /// The device was removed.
    #[error("this device was removed")]
    DeviceRevoked,
    /// Signed in, but not for this.
    #[error("this account may not do that")]
    Forbidden,
    /// Too often; try again after so many seconds.
    #[error("too many requests")]
    RateLimited(u32),
    /// The ticket is bound to another wallet.
    #[error("this ticket lives on another phone; transfer it there to move it")]
    BoundElsewhere,
    /// A ticket that cannot be handed on.
    #[error("{0}")]
    TransferRefused(TransferRefused),
    /// A ticket that somebody else took.
    #[error("somebody else took this ticket")]
    TransferTaken,
    /// A transfer that waits for the organiser.
    #[error("somebody took this ticket; the organiser has not agreed yet")]
    TransferWaits,
    /// An anonymous ticket that is not good any more.
    #[error("{}", .0.message())]
    Refused(Reason),
    /// All that was paid for is signed.
    #[error("everything that was paid for is signed")]
    ReceiptUsed,
    /// The key that was to sign is retired.
    #[error("this key signs nothing more; use the one that signs now")]
    KeyRetired,
    /// A payment that is not what was ordered.
    #[error("this payment is not what was ordered")]
    PaymentMismatch,
    /// Whoever takes the money gives no answer.
    #[error("the payment service gives no answer; nothing was taken, try again")]
    PaymentUnavailable,
    /// A voucher code that is none; whether it is mistyped is told before.
    #[error("there is no such voucher")]
    VoucherUnknown,
    /// A voucher that somebody had.
    #[error("this voucher was used")]
    VoucherUsed,
    /// A voucher that is over or withdrawn.
    #[error("this voucher is not good any more")]
    VoucherExpired,
    /// An entry that cannot be taken back.
    #[error("{0}")]
    UndoRefused(String),
    /// The store gave no answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A fault of ours or of the installation. The text stays in the log.
    #[error("internal error: {0}")]
    Internal(String),
}

/// The outcome of a feature.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A fault of ours.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        Self::Internal(error.to_string())
    }

    /// One field that cannot be taken.
    pub fn field(name: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { name, message: message.into() }])
    }
}
