//! Blind RSA signatures, RSABSSA-SHA384-PSS (RFC 9474) with RSA-2048: who signs what they cannot see.
//!
//! [`SecretKey`] is the issuer's side, on AWS-LC. [`client`] is the other one, for tests, measurements
//! and programs; the wallet has its own. How signatures are verified is `admit_core::pss`.

pub mod client;
mod raw;

use admit_core::pss::{MODULUS_BYTES, PublicKey};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use thiserror::Error;
use zeroize::Zeroizing;

use self::raw::RawKey;

/// DER in front of the modulus in an `RSAPublicKey` (RFC 8017, A.1.1) of 2048 bits.
const PUBLIC_HEAD: &[u8] = &[0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00];
/// DER behind it: the exponent 65537.
const PUBLIC_TAIL: &[u8] = &[0x02, 0x03, 0x01, 0x00, 0x01];
/// What stands in front of the `RSAPrivateKey` in a PKCS#8 key (RFC 5208) as AWS-LC writes it: a
/// sequence and its length, version 0, rsaEncryption, an octet string and its length.
const PKCS8_HEAD_BYTES: usize = 4 + 3 + 15 + 4;

/// Why there is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The library could not make one.
    #[error("no RSA key could be made")]
    NotMade,
    /// The bytes are not PKCS#8 of a consistent key of RSA-2048 with exponent 65537.
    #[error("not a private key of RSA-2048 with exponent 65537")]
    Rejected,
}

/// Why something was not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BlindSignError {
    /// Not below the modulus; or 0, 1 or the modulus less 1, which no client blinds anything to and
    /// which AWS-LC refuses.
    #[error("the blinded message is not a number that can be signed")]
    OutOfRange,
    /// The library failed, or its result did not verify.
    #[error("the signature could not be made")]
    Failed,
}

/// The private key of an issuer: RSA-2048 with exponent 65537. Shows nothing of itself in `Debug`,
/// and is wiped when it is dropped.
pub struct SecretKey {
    raw: RawKey,
    public: PublicKey,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl SecretKey {
    /// A new key. Takes tenths of a second, so not where others wait.
    pub fn generate() -> Result<Self, KeyError> {
        Self::new(&KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::NotMade)?)
    }

    /// Reads PKCS#8 (RFC 5208), DER, exactly as [`Self::to_der`] writes it. The numbers are checked to
    /// belong together.
    pub fn from_der(pkcs8: &[u8]) -> Result<Self, KeyError> {
        let key = Self::new(&KeyPair::from_pkcs8(pkcs8).map_err(|_| KeyError::Rejected)?)?;
        // The library overlooks what stands behind the key.
        if key.pkcs8.as_slice() == pkcs8 { Ok(key) } else { Err(KeyError::Rejected) }
    }

    fn new(pair: &KeyPair) -> Result<Self, KeyError> {
        let public = read_public(pair.public_key().as_ref()).ok_or(KeyError::Rejected)?;
        let written = AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map_err(|_| KeyError::Rejected)?;
        let pkcs8 = Zeroizing::new(written.as_ref().to_vec());
        let pkcs1 = pkcs8.get(PKCS8_HEAD_BYTES..).ok_or(KeyError::Rejected)?;
        let raw = RawKey::from_pkcs1(pkcs1).ok_or(KeyError::Rejected)?;
        Ok(Self { raw, public, pkcs8 })
    }

    /// The key as PKCS#8, DER, in the clear: to be sealed before it is kept.
    pub fn to_der(&self) -> Zeroizing<Vec<u8>> {
        self.pkcs8.clone()
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a blinded message (`BlindSign`, RFC 9474, 4.3): `blinded` to the power of the private
    /// exponent, about a third of a millisecond.
    ///
    /// The sender chooses `blinded`, so neither time nor a slip of the processor may tell anything of
    /// the key. Both are AWS-LC's doing (`rsa_default_private_transform` in
    /// `crypto/fipsmodule/rsa/rsa_impl.c`): the number is blinded once more with a secret of the
    /// library, exponentiation is constant-time and of fixed width, and the result is raised to 65537
    /// and compared before it leaves, which is the check that RFC 9474 asks for in step 4.
    pub fn blind_sign(
        &self,
        blinded: &[u8; MODULUS_BYTES],
    ) -> Result<[u8; MODULUS_BYTES], BlindSignError> {
        if !is_signable(blinded, &self.public.modulus()) {
            return Err(BlindSignError::OutOfRange);
        }
        let mut signature = [0; MODULUS_BYTES];
        if self.raw.power(blinded, &mut signature) {
            Ok(signature)
        } else {
            Err(BlindSignError::Failed)
        }
    }
}

/// Reads an `RSAPublicKey` of the one size and exponent.
fn read_public(der: &[u8]) -> Option<PublicKey> {
    let modulus = der.strip_prefix(PUBLIC_HEAD)?.strip_suffix(PUBLIC_TAIL)?;
    PublicKey::from_modulus(modulus.try_into().ok()?)
}

/// Whether `value` is from 2 to `modulus` less 2; both big-endian, so that they order as numbers do.
fn is_signable(value: &[u8; MODULUS_BYTES], modulus: &[u8; MODULUS_BYTES]) -> bool {
    let mut one = [0; MODULUS_BYTES];
    let mut modulus_less_one = *modulus;
    // The modulus is odd.
    if let (Some(last), Some(end)) = (one.last_mut(), modulus_less_one.last_mut()) {
        *last = 1;
        *end &= 0xfe;
    }
    *value > one && *value < modulus_less_one
}

#[cfg(test)]
mod tests;
