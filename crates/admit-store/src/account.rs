//! Contract: who may ask — staff and their sessions, devices and their pairing codes.

use admit_core::id::{DeviceNo, EventNo, GateNo, UnixMs};
use async_trait::async_trait;

use crate::Result;

/// SHA-256 of a bearer secret; the secret itself is never stored.
pub type SecretHash = [u8; 32];

/// What a member of staff may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Viewer,
    /// Run events.
    Organiser,
    /// Also manage staff.
    Admin,
}

impl Role {
    /// Its code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Organiser => "organiser",
            Self::Admin => "admin",
        }
    }

    /// The role with this code.
    pub fn parse(code: &str) -> Option<Self> {
        [Self::Viewer, Self::Organiser, Self::Admin].into_iter().find(|r| r.code() == code)
    }
}

/// A member of staff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name to sign in with.
    pub name: String,
    /// The password's hash, in PHC form.
    pub password_hash: String,
    /// What they may do.
    pub role: Role,
}

/// Somebody signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Hash of the cookie's secret.
    pub secret: SecretHash,
    /// Who.
    pub user: String,
    /// Their role, as it is now.
    pub role: Role,
    /// When it ends.
    pub expires_at: UnixMs,
}

/// An enrolled scanner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its number.
    pub number: DeviceNo,
    /// The event it scans for.
    pub event: EventNo,
    /// Its name.
    pub name: String,
    /// What it says it is.
    pub platform: String,
    /// The gate it was set up for, if any.
    pub gate: Option<GateNo>,
    /// Hash of its secret.
    pub secret: SecretHash,
    /// What it signs its lists of spent tickets with (Ed25519), if it can.
    pub public_key: Option<[u8; 32]>,
    /// When it was paired.
    pub paired_at: UnixMs,
    /// When it was removed.
    pub revoked_at: Option<UnixMs>,
}

/// A one-time code that makes a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairing {
    /// Hash of the code.
    pub code: SecretHash,
    /// The event.
    pub event: EventNo,
    /// The device's name.
    pub device_name: String,
    /// Its gate, if fixed.
    pub gate: Option<GateNo>,
    /// When the code ends.
    pub expires_at: UnixMs,
}

/// A program that calls the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its name; unique.
    pub name: String,
    /// Hash of its secret.
    pub secret: SecretHash,
    /// What it may do.
    pub role: Role,
    /// Whether it may do so only to events for trying things out.
    pub sandbox: bool,
}

/// Staff, sessions and devices.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Adds a user, or changes the password and role of the one with this name.
    async fn put_user(&self, user: User, at: UnixMs) -> Result<()>;
    /// The user.
    async fn user(&self, name: &str) -> Result<Option<User>>;
    /// All users, by name.
    async fn users(&self) -> Result<Vec<User>>;
    /// Removes a user and ends their sessions; whether there was one.
    async fn remove_user(&self, name: &str) -> Result<bool>;
    /// Opens a session for an existing user.
    async fn open_session(&self, secret: SecretHash, user: &str, expires_at: UnixMs) -> Result<()>;
    /// The session, unless it ended.
    async fn session(&self, secret: SecretHash, now: UnixMs) -> Result<Option<Session>>;
    /// Ends a session.
    async fn close_session(&self, secret: SecretHash) -> Result<()>;
    /// Adds an API key, or replaces the one with this name.
    async fn put_api_key(&self, key: ApiKey, at: UnixMs) -> Result<()>;
    /// The API key with this secret.
    async fn api_key(&self, secret: SecretHash) -> Result<Option<ApiKey>>;
    /// Removes an API key; whether there was one.
    async fn remove_api_key(&self, name: &str) -> Result<bool>;
    /// Keeps a pairing code.
    async fn put_pairing(&self, pairing: Pairing) -> Result<()>;
    /// Uses a pairing code up and makes the device, in one write; none when the code is unknown,
    /// used or over.
    async fn pair(
        &self,
        code: SecretHash,
        secret: SecretHash,
        platform: String,
        public_key: Option<[u8; 32]>,
        now: UnixMs,
    ) -> Result<Option<Device>>;
    /// All devices of all events, removed ones included.
    async fn devices(&self) -> Result<Vec<Device>>;
    /// Removes a device; whether there was one.
    async fn revoke_device(&self, event: EventNo, device: DeviceNo, at: UnixMs) -> Result<bool>;
}
