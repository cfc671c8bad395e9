//! The data folder: the keys, and unless it is elsewhere the database that they must not be in.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use admit_core::id::UnixMs;
use admit_store::Store;
use data_encoding::BASE64URL;

use crate::clock::Clock;
use crate::database::{Database, OpenDatabase};
use crate::error::{Error, Result};
use crate::vault::{FernetKey, KeySource, read_private};
use crate::{App, Parts, secret};

/// Environment variable with the vault's keys, in the place of their file.
pub const VAULT_KEYS_VARIABLE: &str = "ADMIT_VAULT_KEYS";

/// A data folder.
#[derive(Clone, Debug)]
pub struct DataFolder {
    root: PathBuf,
}

impl DataFolder {
    /// The folder at `root`, which need not exist.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.root.join("admit.sqlite")
    }

    /// The vault's keys, one a line; the first seals.
    pub fn vault_keys(&self) -> PathBuf {
        self.root.join("keys/vault.keys")
    }

    /// The installation's own key.
    pub fn server_key(&self) -> PathBuf {
        self.root.join("keys/server.key")
    }

    /// The newest signed checkpoint of each audit log: kept apart from the database, so that a
    /// database that was set back is noticed.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    /// Whether somebody made it.
    pub fn exists(&self) -> bool {
        self.server_key().exists()
    }

    /// Makes the folder and its keys where they are missing; whether it was new. Never replaces a
    /// key, for what it sealed would be lost.
    pub fn create(&self) -> Result<bool> {
        if self.exists() {
            return Ok(false);
        }
        if self.database().exists() {
            return Err(Error::internal(format!(
                "{} has a database but no keys; restore the keys folder from a backup",
                self.root.display()
            )));
        }
        private_folder(&self.root)?;
        private_folder(&self.root.join("keys"))?;
        if std::env::var_os(VAULT_KEYS_VARIABLE).is_none() {
            let line = FernetKey::new(secret::random()?).encode();
            write_private(&self.vault_keys(), &format!("{line}\n"))?;
        }
        let server = BASE64URL.encode(&secret::random::<32>()?);
        write_private(&self.server_key(), &format!("{server}\n"))?;
        Ok(true)
    }

    /// Where the vault's keys come from.
    pub fn key_source(&self) -> KeySource {
        std::env::var(VAULT_KEYS_VARIABLE)
            .map_or_else(|_| KeySource::File(self.vault_keys()), KeySource::Text)
    }

    /// Opens the store and puts the service together.
    pub async fn open(
        &self,
        clock: Clock,
        public_url: &str,
        database: &Database,
    ) -> Result<(Arc<App>, OpenDatabase)> {
        if !self.exists() {
            return Err(Error::internal(format!(
                "{} is no data folder; make one with: admit init",
                self.root.display()
            )));
        }
        let text = read_private(&self.server_key())?;
        let server_key = BASE64URL
            .decode(text.trim().as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| Error::internal("keys/server.key is no key"))?;
        let open = database.open(&self.database()).await?;
        let store = open.store();
        check_clock(store.as_ref(), (clock)()).await?;
        let app = App::new(Parts {
            store,
            server_key,
            vault_keys: self.key_source(),
            clock,
            public_url: public_url.to_owned(),
        })
        .await?;
        Ok((app, open))
    }
}

/// A clock that is behind the newest record would stamp new scans before old ones.
async fn check_clock(store: &dyn Store, now: UnixMs) -> Result<()> {
    /// Clocks that are set by the network step back this far without harm.
    const TOLERANCE_MS: i64 = 5000;
    match store.newest_scan_at().await? {
        Some(newest) if now.plus(TOLERANCE_MS) < newest => Err(Error::internal(format!(
            "this machine's clock says {}, but the newest scan is of {}: set the clock",
            crate::clock::rfc3339(now),
            crate::clock::rfc3339(newest)
        ))),
        _ => Ok(()),
    }
}

/// Writes a file that only its owner can read, whole or not at all.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    write_private_bytes(path, text.as_bytes())
}

/// Writes a file that only its owner can read, whole or not at all.
pub fn write_private_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    let fault = |error: std::io::Error| Error::internal(format!("{}: {error}", path.display()));
    let fresh = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(&fresh).map_err(fault)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fault)?;
    std::fs::rename(&fresh, path).map_err(fault)
}

/// Makes a folder that only its owner can enter.
pub fn private_folder(path: &Path) -> Result<()> {
    let fault = |error: std::io::Error| Error::internal(format!("{}: {error}", path.display()));
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path).map_err(fault)
}
