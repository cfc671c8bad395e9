//! Randomness, and bearer secrets: what is handed out once and kept only as a hash.

use admit_core::id::hmac_sha256;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// `N` random bytes from the operating system.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::internal("no randomness"))?;
    Ok(bytes)
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// What a bearer secret is for; part of its text, so that a leaked one is recognised by its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A scanner.
    Device,
    /// A program.
    Api,
    /// A signed-in browser.
    Session,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Device => "adm1_device_",
            Self::Api => "adm1_api_",
            Self::Session => "adm1_session_",
        }
    }
}

/// A new secret: its text, for its holder alone, and the hash that is stored.
pub fn new(kind: Kind) -> Result<(String, [u8; 32])> {
    Ok(fixed(kind, &random::<32>()?))
}

/// The secret made of these bytes.
pub fn fixed(kind: Kind, bytes: &[u8; 32]) -> (String, [u8; 32]) {
    let text = format!("{}{}", kind.prefix(), BASE64URL_NOPAD.encode(bytes));
    let hash = sha256(text.as_bytes());
    (text, hash)
}

/// The stored hash of a presented secret; none when it is not one of this kind. The secrets have
/// 256 random bits, so a plain hash is enough, and looking it up by hash leaks nothing by time.
pub fn hash(kind: Kind, text: &str) -> Option<[u8; 32]> {
    let body = text.strip_prefix(kind.prefix())?;
    (BASE64URL_NOPAD.decode(body.as_bytes()).ok()?.len() == 32).then(|| sha256(text.as_bytes()))
}

/// A pairing code of 80 bits for people to read and type: `XXXX-XXXX-XXXX-XXXX`.
pub fn pairing_code() -> Result<String> {
    let text = BASE32_NOPAD.encode(&random::<10>()?);
    let groups: Vec<String> = text
        .as_bytes()
        .chunks(4)
        .map(|group| String::from_utf8_lossy(group).into_owned())
        .collect();
    Ok(groups.join("-"))
}

/// The stored hash of a pairing code as typed: any case, with or without dashes.
pub fn pairing_code_hash(code: &str) -> [u8; 32] {
    let plain: String =
        code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    sha256(format!("admit-one/pairing/v1\0{plain}").as_bytes())
}

/// A key for one purpose, made from the installation's key.
pub fn derive(key: &[u8; 32], purpose: &str) -> [u8; 32] {
    hmac_sha256(key, &[b"admit-one/derive/v1\0", purpose.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_one_kind_is_none_of_another() {
        let (text, stored) = new(Kind::Device).unwrap();
        assert_eq!(hash(Kind::Device, &text), Some(stored));
        assert_eq!(hash(Kind::Api, &text), None);
    }

    #[test]
    fn a_pairing_code_is_read_as_typed() {
        let code = pairing_code().unwrap();
        assert_eq!(code.len(), 19);
        let typed = code.to_lowercase().replace('-', " ");
        assert_eq!(pairing_code_hash(&typed), pairing_code_hash(&code));
    }
}
