//! Contract: the keys that sign an event's tickets.

use admit_core::id::{EventNo, KeyNo, UnixMs};
use admit_core::ticket::Algorithm;
use admit_core::vault::Sealed;
use async_trait::async_trait;

use crate::Result;

/// A signing key on the books. Its secret is sealed under keys that are not in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// The event.
    pub event: EventNo,
    /// Its number within the event.
    pub number: KeyNo,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// The 32 secret bytes, sealed.
    pub secret: Sealed,
    /// The public key, where there is one.
    pub public_key: Option<[u8; 32]>,
    /// When it was made.
    pub created_at: UnixMs,
    /// From when on it signs nothing.
    pub retired_at: Option<UnixMs>,
    /// From when on it neither signs nor verifies.
    pub not_after: Option<UnixMs>,
}

/// Signing keys.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Adds a key, or replaces the sealing, public key and end dates of one with the same number.
    /// What changes but the sealing is a leaf of the event's audit log.
    async fn put_key(&self, key: SigningKey, at: UnixMs) -> Result<()>;
    /// All keys of all events.
    async fn keys(&self) -> Result<Vec<SigningKey>>;
    /// A number that changes whenever anything in the database may have changed by another process.
    async fn outside_version(&self) -> Result<i64>;
}
