//! Staff: passwords, sessions and API keys.

use std::sync::Arc;

use admit_core::id::UnixMs;
use admit_store::account::{ApiKey, Role, Session, User};
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, PasswordHash, Version};
use tokio::sync::Semaphore;

use crate::App;
use crate::error::{Error, Result};
use crate::event::Faults;
use crate::secret::{self, Kind};

/// How long a session lasts, in milliseconds: one working day and a half.
pub const SESSION_MS: i64 = 18 * 60 * 60 * 1000;
/// Shortest password, in characters.
pub const PASSWORD_CHARS_MIN: usize = 10;
/// Longest password, in characters.
pub const PASSWORD_CHARS_MAX: usize = 200;
/// Password hashes at a time: each takes 19 MiB and a good part of a core.
const HASHES_AT_ONCE: usize = 2;

/// Hashes and checks passwords with argon2id (RFC 9106; OWASP: 19 MiB, 2 passes, 1 lane).
pub struct Passwords {
    places: Arc<Semaphore>,
    /// Checked when there is no such user, so that the answer takes as long as for one.
    nobody: Arc<str>,
}

impl Passwords {
    /// Ready to hash.
    pub fn new() -> Result<Self> {
        let nobody = hash_now(&data_encoding::HEXLOWER.encode(&secret::random::<16>()?))?;
        Ok(Self { places: Arc::new(Semaphore::new(HASHES_AT_ONCE)), nobody: nobody.into() })
    }

    /// The PHC text of a password.
    pub async fn hash(&self, password: String) -> Result<String> {
        self.run(move || hash_now(&password)).await?
    }

    async fn check(&self, password: String, stored: Option<String>) -> Result<bool> {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.nobody.to_string());
        let good = self
            .run(move || {
                PasswordHash::new(&stored).is_ok_and(|hash| {
                    argon2().is_ok_and(|a| a.verify_password(password.as_bytes(), &hash).is_ok())
                })
            })
            .await?;
        Ok(known && good)
    }

    async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(Error::internal)?;
        tokio::task::spawn_blocking(move || {
            let _place = place;
            job()
        })
        .await
        .map_err(Error::internal)
    }
}

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(19 * 1024, 2, 1, None).map_err(Error::internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(password: &str) -> Result<String> {
    let salt: [u8; 16] = secret::random()?;
    let hash =
        argon2()?.hash_password_with_salt(password.as_bytes(), &salt).map_err(Error::internal)?;
    Ok(hash.to_string())
}

/// Adds a user or changes their password and role.
pub async fn put_user(app: &App, name: &str, password: String, role: Role) -> Result<()> {
    let mut faults = Faults::default();
    let plain = (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-@".contains(&b));
    faults.unless(plain, "username", "Use letters, digits, dot, dash or @.");
    let chars = password.chars().count();
    let long = (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&chars);
    faults.unless(long, "password", "Use 10 to 200 characters.");
    faults.end()?;
    let password_hash = app.passwords.hash(password).await?;
    let user = User { name: name.to_owned(), password_hash, role };
    Ok(app.store.put_user(user, app.now()).await?)
}

/// Signs somebody in: the session and the secret of its cookie.
pub async fn sign_in(app: &App, name: &str, password: String) -> Result<(Session, String)> {
    let wrong = Error::NotSignedIn("the name or the password is wrong");
    if name.len() > 64 || password.chars().count() > PASSWORD_CHARS_MAX {
        return Err(wrong);
    }
    let user = app.store.user(name).await?;
    let stored = user.as_ref().map(|user| user.password_hash.clone());
    let good = app.passwords.check(password, stored).await?;
    let Some(user) = user.filter(|_| good) else { return Err(wrong) };
    let (text, hash) = secret::new(Kind::Session)?;
    let expires_at = app.now().plus(SESSION_MS);
    app.store.open_session(hash, &user.name, expires_at).await?;
    Ok((Session { secret: hash, user: user.name, role: user.role, expires_at }, text))
}

/// Who a member of staff or a program is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staff {
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Their session; none for a program.
    pub session: Option<Session>,
    /// Whether they may do so only to events for trying things out.
    pub sandbox: bool,
}

/// The session behind a cookie.
pub async fn by_cookie(app: &App, text: &str, now: UnixMs) -> Result<Staff> {
    let out = Error::NotSignedIn("please sign in");
    let Some(hash) = secret::hash(Kind::Session, text) else { return Err(out) };
    let session = app.store.session(hash, now).await?.ok_or(out)?;
    let (name, role) = (session.user.clone(), session.role);
    Ok(Staff { name, role, session: Some(session), sandbox: false })
}

/// The program behind an API key.
pub async fn by_api_key(app: &App, text: &str) -> Result<Staff> {
    let out = Error::NotSignedIn("this API key is not known");
    let Some(hash) = secret::hash(Kind::Api, text) else { return Err(out) };
    let key = app.store.api_key(hash).await?.ok_or(out)?;
    Ok(Staff { name: key.name, role: key.role, session: None, sandbox: key.sandbox })
}

/// Makes an API key; its text is shown this once.
pub async fn new_api_key(app: &App, name: &str, role: Role) -> Result<String> {
    let (text, secret) = secret::new(Kind::Api)?;
    app.store
        .put_api_key(ApiKey { name: name.to_owned(), secret, role, sandbox: false }, app.now())
        .await?;
    Ok(text)
}
