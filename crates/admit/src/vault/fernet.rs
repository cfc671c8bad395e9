//! Fernet tokens (github.com/fernet/spec) over aws-lc-rs. Ours because the crate refuses to open
//! what a clock that was ahead has sealed, and a box at a venue boots with a wrong clock.

use admit_core::id::{UnixMs, hmac_sha256};
use admit_core::vault::Sealed;
use aws_lc_rs::cipher::{
    AES_128, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use data_encoding::BASE64URL;
use subtle::ConstantTimeEq;

use crate::error::{Error, Result};
use crate::secret;

const VERSION: u8 = 0x80;
/// Bytes before the ciphertext: version, time, IV.
const HEAD_BYTES: usize = 25;
const TAG_BYTES: usize = 32;

/// 16 bytes that sign and 16 that encrypt.
#[derive(Clone)]
pub struct FernetKey {
    signing: [u8; 16],
    encryption: [u8; 16],
}

impl FernetKey {
    /// The key made of these bytes: signing half first.
    pub fn new(bytes: [u8; 32]) -> Self {
        let mut key = Self { signing: [0; 16], encryption: [0; 16] };
        let halves = key.signing.iter_mut().chain(key.encryption.iter_mut());
        halves.zip(bytes).for_each(|(to, from)| *to = from);
        key
    }

    /// Reads base64url with padding.
    pub fn decode(text: &str) -> Option<Self> {
        let bytes = BASE64URL.decode(text.as_bytes()).ok()?;
        Some(Self::new(bytes.try_into().ok()?))
    }

    /// Base64url with padding.
    pub fn encode(&self) -> String {
        BASE64URL.encode(&[self.signing, self.encryption].concat())
    }

    /// Seals `bytes`; the token shows the time of sealing in whole seconds.
    pub fn seal(&self, bytes: &[u8], now: UnixMs) -> Result<Sealed> {
        let seconds = u64::try_from(now.0.div_euclid(1000)).unwrap_or_default();
        let token = self.token(bytes, seconds, secret::random()?)?;
        Sealed::parse(token).ok_or_else(|| Error::internal("a Fernet token has an odd shape"))
    }

    /// Opens a token of any age; none when it is not of this key or was changed.
    pub fn open(&self, sealed: &Sealed) -> Option<Vec<u8>> {
        let token = BASE64URL.decode(sealed.as_str().as_bytes()).ok()?;
        let (signed, tag) = token.split_at_checked(token.len().checked_sub(TAG_BYTES)?)?;
        let (head, ciphertext) = signed.split_at_checked(HEAD_BYTES)?;
        // The tag first: nothing is decrypted that was not sealed by this key.
        let genuine = bool::from(hmac_sha256(&self.signing, &[signed]).ct_eq(tag));
        if !genuine || head.first() != Some(&VERSION) {
            return None;
        }
        let iv: [u8; 16] = head.get(9..)?.try_into().ok()?;
        let key = UnboundCipherKey::new(&AES_128, &self.encryption).ok()?;
        let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?;
        let mut bytes = ciphertext.to_vec();
        let context = DecryptionContext::Iv128(FixedLength::from(&iv));
        Some(key.decrypt(&mut bytes, context).ok()?.to_vec())
    }

    fn token(&self, bytes: &[u8], seconds: u64, iv: [u8; 16]) -> Result<String> {
        let fault = |_| Error::internal("AES failed");
        let key = UnboundCipherKey::new(&AES_128, &self.encryption).map_err(fault)?;
        let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).map_err(fault)?;
        let mut ciphertext = bytes.to_vec();
        let context = EncryptionContext::Iv128(FixedLength::from(&iv));
        key.less_safe_encrypt(&mut ciphertext, context).map_err(fault)?;
        let mut token = vec![VERSION];
        token.extend(seconds.to_be_bytes());
        token.extend(iv);
        token.extend(ciphertext);
        let tag = hmac_sha256(&self.signing, &[&token]);
        token.extend(tag);
        Ok(BASE64URL.encode(&token))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn vectors(name: &str) -> Vec<Value> {
        let path = format!("{}/../../vectors/fernet/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn key(vector: &Value) -> FernetKey {
        FernetKey::decode(vector["secret"].as_str().unwrap()).unwrap()
    }

    #[test]
    fn the_specs_token_is_made_bit_for_bit() {
        for vector in vectors("generate") {
            let iv: Vec<u8> = serde_json::from_value(vector["iv"].clone()).unwrap();
            let at: jiff::Timestamp = vector["now"].as_str().unwrap().parse().unwrap();
            let token = key(&vector)
                .token(
                    vector["src"].as_str().unwrap().as_bytes(),
                    at.as_second().try_into().unwrap(),
                    iv.try_into().unwrap(),
                )
                .unwrap();
            assert_eq!(token, vector["token"].as_str().unwrap());
        }
    }

    #[test]
    fn the_specs_token_opens() {
        for vector in vectors("verify") {
            let sealed = Sealed::parse(vector["token"].as_str().unwrap().to_owned()).unwrap();
            assert_eq!(
                key(&vector).open(&sealed).unwrap(),
                vector["src"].as_str().unwrap().as_bytes()
            );
        }
    }

    #[test]
    fn the_specs_broken_tokens_do_not_open() {
        for vector in vectors("invalid") {
            // Age is no fault here: a token of any time opens.
            if ["far-future TS (unacceptable clock skew)", "expired TTL"]
                .contains(&vector["desc"].as_str().unwrap())
            {
                continue;
            }
            let opened = Sealed::parse(vector["token"].as_str().unwrap().to_owned())
                .and_then(|sealed| key(&vector).open(&sealed));
            assert_eq!(opened, None, "{}", vector["desc"]);
        }
    }
}
