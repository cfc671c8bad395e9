//! The service: features at the root, HTTP in `http/`, commands in `cli/`.

pub mod admission;
pub mod anonymous;
pub mod backup;
pub mod book;
pub mod calendar;
pub mod cli;
pub mod clock;
pub mod control;
pub mod data;
pub mod database;
pub mod device;
pub mod error;
pub mod event;
pub mod fonts;
pub mod http;
pub mod issuance;
pub mod limit;
pub mod live;
pub mod log;
pub mod metrics;
pub mod migrate;
pub mod offline;
pub mod payment;
pub mod pdf;
pub mod qr;
pub mod registration;
pub mod rotation;
pub mod sale;
pub mod sample;
pub mod sandbox;
pub mod secret;
pub mod session;
pub mod spent;
pub mod ticket;
pub mod till;
pub mod tls;
pub mod transfer;
pub mod vault;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use admit_store::{Store, StoreError};
use tokio::time::Instant;

use crate::anonymous::Signers;
use crate::book::{Books, Secrets};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::limit::Limits;
use crate::live::Live;
use crate::log::LogBook;
use crate::metrics::Metrics;
use crate::pdf::FontLibrary;
use crate::sale::Receipts;
use crate::session::Passwords;
use crate::till::Till;
use crate::vault::Vault;

/// Shortest time between two looks for changes by other processes.
const LOOK_GAP: Duration = Duration::from_millis(100);
/// How long the store may take to answer and still be called ready.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// Everything that a request needs, put together once at start.
pub struct App {
    /// The facts.
    pub store: Arc<dyn Store>,
    /// What is kept in memory of them: keys, events, devices.
    pub books: Books,
    /// Seals and opens personal data.
    pub vault: Vault,
    /// Tells the time.
    pub clock: Clock,
    /// Feeds the desks.
    pub live: Live,
    /// Keys of the audit logs, and what was signed for them.
    pub log: LogBook,
    /// What operators watch.
    pub metrics: Metrics,
    /// Who may ask how often.
    pub limits: Limits,
    /// Hashes passwords, a few at a time.
    pub passwords: Passwords,
    /// Fonts of the PDF tickets, read when the first is printed.
    fonts: OnceLock<Option<FontLibrary>>,
    /// When changes by other processes were last looked for, and the version of the store then.
    looked: tokio::sync::Mutex<Option<(Instant, i64)>>,
    /// Key of ticket links.
    pub access_key: [u8; 32],
    /// Key that makes fingerprints of requests.
    pub request_key: [u8; 32],
    /// Key of the server's own lists of spent tickets.
    pub spent_key: [u8; 32],
    /// Key of the credentials of receipts.
    pub receipt_key: [u8; 32],
    /// Key of what is kept of blinded tokens.
    pub blinding_key: [u8; 32],
    /// Keys of anonymous tickets that were opened.
    pub signers: Signers,
    /// What paid receipts are for.
    pub receipts: Receipts,
    /// Ways of paying that are open; none when nothing was said at start.
    till: OnceLock<Till>,
    /// The public key of the sandbox, when it is open.
    pub sandbox: OnceLock<String>,
    /// Where people reach this server, without a slash at the end.
    pub public_url: String,
}

/// What an [`App`] is made of.
pub struct Parts {
    /// The facts.
    pub store: Arc<dyn Store>,
    /// The installation's key, from which keys of single purposes are made.
    pub server_key: [u8; 32],
    /// Where the vault's keys come from.
    pub vault_keys: vault::KeySource,
    /// Tells the time.
    pub clock: Clock,
    /// Where people reach this server.
    pub public_url: String,
}

impl App {
    /// Puts the service together and reads what it keeps in memory.
    pub async fn new(parts: Parts) -> Result<Arc<Self>> {
        let derive = |purpose| secret::derive(&parts.server_key, purpose);
        let vault = Vault::open_from(parts.vault_keys, derive("blind index"))?;
        let log = LogBook::new(
            derive("audit log leaves"),
            derive("audit log checkpoints"),
            derive("audit log name"),
        );
        let secrets = Secrets { rotation: derive("rotating codes"), host: log.host() };
        let books = Books::read(parts.store.as_ref(), &vault, secrets).await?;
        let live = Live::start(parts.store.as_ref(), Arc::clone(&parts.clock));
        Ok(Arc::new(Self {
            store: parts.store,
            books,
            vault,
            clock: parts.clock,
            live,
            log,
            metrics: Metrics::default(),
            limits: Limits::new(),
            passwords: Passwords::new()?,
            fonts: OnceLock::new(),
            looked: tokio::sync::Mutex::default(),
            access_key: derive("ticket link"),
            request_key: derive("request fingerprint"),
            spent_key: derive("spent lists"),
            receipt_key: derive("receipts"),
            blinding_key: derive("blinded tokens"),
            signers: Signers::default(),
            receipts: Receipts::default(),
            till: OnceLock::new(),
            sandbox: OnceLock::new(),
            public_url: parts.public_url,
        }))
    }

    /// The fonts that were built in; without them all but printing works.
    pub fn fonts(&self) -> Option<&FontLibrary> {
        let read = || {
            fonts::embedded()
                .inspect_err(|error| tracing::error!(%error, "tickets cannot be printed"))
                .ok()
        };
        self.fonts.get_or_init(read).as_ref()
    }

    /// Ways of paying that are open.
    pub fn till(&self) -> &Till {
        self.till.get_or_init(Till::default)
    }

    /// Opens ways of paying, once, before anybody asks.
    pub fn open_till(&self, till: Till) -> Result<()> {
        self.till.set(till).map_err(|_| Error::internal("the till is open already"))
    }

    /// This moment.
    pub fn now(&self) -> admit_core::id::UnixMs {
        (self.clock)()
    }

    /// Whether scans can be taken now; soon told either way.
    pub async fn ready(&self) -> Result<()> {
        let asked = tokio::time::timeout(READY_WITHIN, self.store.ready()).await;
        let slow = |_| Error::Store(StoreError::Unavailable("the store is slow".to_owned()));
        Ok(asked.map_err(slow)??)
    }

    /// Reads again what is kept in memory if another process changed it since. However many ask at
    /// once, it is looked ten times a second at most.
    pub async fn look(&self) -> Result<()> {
        let asked = Instant::now();
        let mut looked = self.looked.lock().await;
        if let Some((at, _)) = *looked {
            if at > asked {
                return Ok(());
            }
            tokio::time::sleep_until(at + LOOK_GAP).await;
        }
        let begun = Instant::now();
        let version = self.store.outside_version().await?;
        if looked.is_none_or(|(_, seen)| seen != version) {
            self.refresh().await?;
        }
        *looked = Some((begun, version));
        Ok(())
    }

    /// Reads again what is kept in memory, after a change of keys, events or devices.
    pub async fn refresh(&self) -> Result<()> {
        self.books.refresh(self.store.as_ref(), &self.vault).await
    }
}
