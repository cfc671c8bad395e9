//! The vault: personal data sealed with Fernet (github.com/fernet/spec) before it reaches the store.
//!
//! Each person has a Fernet key of their own, wrapped by the installation's keys, of which there may
//! be several: the first seals, all open. Erasing a person is deleting the wrapped key.

mod fernet;

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use admit_core::id::{UnixMs, hmac_sha256};
use admit_core::vault::Sealed;
use serde::{Deserialize, Serialize};

pub use self::fernet::FernetKey;
use crate::error::{Error, Result};
use crate::secret;

/// Where the installation's keys come from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// A file of mode 0600 with one key a line.
    File(PathBuf),
    /// The text of such a file (from the environment).
    Text(String),
}

/// Seals and opens.
pub struct Vault {
    source: KeySource,
    keys: RwLock<Vec<FernetKey>>,
    index_key: [u8; 32],
}

/// What is sealed: the value and the place it belongs to, so that a ciphertext moved to another row
/// or column does not open there (Fernet has no associated data of its own).
#[derive(Serialize, Deserialize)]
struct Inner {
    t: String,
    id: String,
    v: String,
}

/// The place of a sealed value.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Table and column, `person.name`.
    pub column: &'a str,
    /// The row.
    pub row: &'a [u8],
}

impl Vault {
    /// The vault of an installation. `index_key` makes blind indexes.
    pub fn open_from(source: KeySource, index_key: [u8; 32]) -> Result<Self> {
        let keys = RwLock::new(read_keys(&source)?);
        Ok(Self { source, keys, index_key })
    }

    /// Seals 32 secret bytes or a person's key under the installation's first key.
    pub fn wrap(&self, bytes: &[u8], now: UnixMs) -> Result<Sealed> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let first = keys.first().ok_or_else(|| Error::internal("the vault has no key"))?;
        first.seal(bytes, now)
    }

    /// Opens what [`Self::wrap`] sealed, under any of the installation's keys. Keys added by another
    /// process since are looked for once.
    pub fn unwrap(&self, sealed: &Sealed) -> Result<Vec<u8>> {
        if let Some(bytes) = self.try_unwrap(sealed) {
            return Ok(bytes);
        }
        self.reload()?;
        self.try_unwrap(sealed).ok_or_else(|| Error::internal("no vault key opens this value"))
    }

    /// Wraps again under the first key; none when it already is.
    pub fn rewrap(&self, sealed: &Sealed, now: UnixMs) -> Result<Option<Sealed>> {
        let under_first = {
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            keys.first().is_some_and(|key| key.open(sealed).is_some())
        };
        if under_first {
            return Ok(None);
        }
        let bytes = self.unwrap(sealed)?;
        self.wrap(&bytes, now).map(Some)
    }

    /// A new person's key, plain and wrapped.
    pub fn new_person_key(&self, now: UnixMs) -> Result<(FernetKey, Sealed)> {
        let key = FernetKey::new(secret::random()?);
        let wrapped = self.wrap(key.encode().as_bytes(), now)?;
        Ok((key, wrapped))
    }

    /// A person's key.
    pub fn person_key(&self, wrapped: &Sealed) -> Result<FernetKey> {
        let text = String::from_utf8(self.unwrap(wrapped)?).unwrap_or_default();
        FernetKey::decode(&text).ok_or_else(|| Error::internal("a wrapped key is no key"))
    }

    /// The keyed hash by which a person is found by e-mail.
    pub fn email_index(&self, email: &str) -> [u8; 16] {
        let normal = email.trim().to_lowercase();
        let tag = hmac_sha256(&self.index_key, &[b"email\0", normal.as_bytes()]);
        let mut index = [0; 16];
        index.iter_mut().zip(tag).for_each(|(to, from)| *to = from);
        index
    }

    /// Reads the keys again.
    pub fn reload(&self) -> Result<()> {
        let keys = read_keys(&self.source)?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    fn try_unwrap(&self, sealed: &Sealed) -> Option<Vec<u8>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().find_map(|key| key.open(sealed))
    }
}

/// Seals a person's value for its place.
pub fn seal(key: &FernetKey, place: Place<'_>, value: &str, now: UnixMs) -> Result<Sealed> {
    let inner = Inner {
        t: place.column.to_owned(),
        id: data_encoding::HEXLOWER.encode(place.row),
        v: value.to_owned(),
    };
    key.seal(&serde_json::to_vec(&inner).map_err(Error::internal)?, now)
}

/// Opens a person's value; an error when it was sealed for another place.
pub fn open(key: &FernetKey, place: Place<'_>, sealed: &Sealed) -> Result<String> {
    let bytes = key.open(sealed).ok_or_else(|| Error::internal("a sealed value does not open"))?;
    let inner: Inner = serde_json::from_slice(&bytes).map_err(Error::internal)?;
    if inner.t != place.column || inner.id != data_encoding::HEXLOWER.encode(place.row) {
        return Err(Error::internal("a sealed value is in the wrong place"));
    }
    Ok(inner.v)
}

/// Reads a file of keys that nobody else may read.
pub fn read_private(path: &Path) -> Result<String> {
    let fault = |why: &dyn std::fmt::Display| Error::internal(format!("{}: {why}", path.display()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path).map_err(|error| fault(&error))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(fault(&"other users may read this key file; run chmod 600 on it"));
        }
    }
    std::fs::read_to_string(path).map_err(|error| fault(&error))
}

fn read_keys(source: &KeySource) -> Result<Vec<FernetKey>> {
    let text = match source {
        KeySource::File(path) => read_private(path)?,
        KeySource::Text(text) => text.clone(),
    };
    let keys: Option<Vec<FernetKey>> = text
        .split([',', '\n'])
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(FernetKey::decode)
        .collect();
    match keys {
        Some(keys) if !keys.is_empty() => Ok(keys),
        _ => Err(Error::internal("the vault's keys are not Fernet keys, one a line")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_700_000_000_000);

    fn vault(keys: &[u8]) -> Vault {
        let lines: Vec<String> = keys.iter().map(|k| FernetKey::new([*k; 32]).encode()).collect();
        Vault::open_from(KeySource::Text(lines.join("\n")), [9; 32]).unwrap()
    }

    #[test]
    fn a_value_opens_in_its_place_and_in_no_other() {
        let (key, wrapped) = vault(&[1]).new_person_key(NOW).unwrap();
        let place = Place { column: "person.name", row: b"1" };
        let sealed = seal(&key, place, "Nguyễn Thị 🎟", NOW).unwrap();
        let key = vault(&[1]).person_key(&wrapped).unwrap();
        assert_eq!(open(&key, place, &sealed).unwrap(), "Nguyễn Thị 🎟");
        assert!(open(&key, Place { column: "person.email", row: b"1" }, &sealed).is_err());
        assert!(open(&key, Place { column: "person.name", row: b"2" }, &sealed).is_err());
    }

    #[test]
    fn keys_rotate_the_first_seals_and_all_open() {
        let old = vault(&[1]).wrap(b"key", NOW).unwrap();
        let both = vault(&[2, 1]);
        assert_eq!(both.unwrap(&old).unwrap(), b"key");
        let new = both.rewrap(&old, NOW).unwrap().unwrap();
        assert_eq!(vault(&[2]).unwrap(&new).unwrap(), b"key");
        assert_eq!(both.rewrap(&new, NOW).unwrap(), None);
    }

    #[test]
    fn the_blind_index_ignores_case_and_space_and_nothing_else() {
        let vault = vault(&[1]);
        assert_eq!(vault.email_index(" Ada@Example.org"), vault.email_index("ada@example.ORG "));
        assert_ne!(vault.email_index("ada@example.org"), vault.email_index("a.da@example.org"));
    }
}
