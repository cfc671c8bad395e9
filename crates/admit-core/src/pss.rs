//! RSASSA-PSS (RFC 8017) as anonymous tickets use it: RSA-2048, SHA-384, MGF1-SHA-384, salt of 48 bytes.
//!
//! These are the parameters of RSABSSA-SHA384-PSS (RFC 9474). Only what everybody may do is here:
//! there is no secret to leak, so nothing needs to take constant time. Signing is `admit-blindrsa`.

use crypto_bigint::modular::{FixedMontyForm, FixedMontyParams};
use crypto_bigint::{Odd, U2048, Uint};
use sha2::{Digest as _, Sha384};

/// Bytes of a modulus, of a signature, and of everything that is blinded or signed: 2048 bits.
pub const MODULUS_BYTES: usize = 256;
/// Bytes of the salt: as many as SHA-384 gives (RFC 9474, section 5).
pub const SALT_BYTES: usize = 48;
/// Bytes of a public key as [`PublicKey::to_spki`] writes it.
pub const SPKI_BYTES: usize = SPKI_HEAD.len() + MODULUS_BYTES + SPKI_TAIL.len();

const HASH_BYTES: usize = 48;
/// The last byte of every encoded message (RFC 8017, 9.1.1 step 12).
const TRAILER: u8 = 0xbc;
/// The exponent 65537 is 2 to this power, and one.
const EXPONENT_SQUARINGS: u32 = 16;

/// DER in front of the modulus: `SubjectPublicKeyInfo` with id-RSASSA-PSS and the parameters SHA-384,
/// MGF1 with SHA-384 and salt length 48 (RFC 9578, 8.2.2). The last byte keeps the modulus positive.
const SPKI_HEAD: &[u8] = &[
    // SEQUENCE of 338 bytes, AlgorithmIdentifier, id-RSASSA-PSS
    0x30, 0x82, 0x01, 0x52, 0x30, 0x3d, //
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a, //
    // RSASSA-PSS-params: SHA-384
    0x30, 0x30, 0xa0, 0x0d, 0x30, 0x0b, //
    0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, //
    // MGF1
    0xa1, 0x1a, 0x30, 0x18, //
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08, //
    // with SHA-384
    0x30, 0x0b, //
    0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, //
    // salt of 48 bytes
    0xa2, 0x03, 0x02, 0x01, 0x30, //
    // BIT STRING, RSAPublicKey, INTEGER: the modulus
    0x03, 0x82, 0x01, 0x0f, 0x00, 0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00,
];
/// DER behind the modulus: the exponent 65537.
const SPKI_TAIL: &[u8] = &[0x02, 0x03, 0x01, 0x00, 0x01];

/// A public key of RSA-2048 with exponent 65537.
#[derive(Clone)]
pub struct PublicKey {
    /// The modulus, with what Montgomery multiplication needs, worked out once.
    numbers: FixedMontyParams<{ U2048::LIMBS }>,
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let modulus = self.modulus();
        let start = modulus.first_chunk::<8>().copied().unwrap_or_default();
        write!(f, "PublicKey({:016x}…)", u64::from_be_bytes(start))
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.modulus() == other.modulus()
    }
}

impl Eq for PublicKey {}

impl PublicKey {
    /// Reads a `SubjectPublicKeyInfo`. None unless it is byte for byte what [`Self::to_spki`] writes:
    /// a key has one spelling, and so one name.
    pub fn from_spki(spki: &[u8]) -> Option<Self> {
        let modulus = spki.strip_prefix(SPKI_HEAD)?.strip_suffix(SPKI_TAIL)?;
        Self::from_modulus(modulus.try_into().ok()?)
    }

    /// The key with this modulus, big-endian. None for an even number or one of fewer than 2048 bits.
    pub fn from_modulus(modulus: &[u8; MODULUS_BYTES]) -> Option<Self> {
        if modulus.first()? & 0x80 == 0 {
            return None;
        }
        let modulus = Option::from(Odd::new(U2048::from_be_slice(modulus)))?;
        Some(Self { numbers: FixedMontyParams::new_vartime(modulus) })
    }

    /// The modulus, big-endian.
    pub fn modulus(&self) -> [u8; MODULUS_BYTES] {
        self.numbers.modulus().as_ref().to_be_bytes().into()
    }

    /// The key as `SubjectPublicKeyInfo` in the form id-RSASSA-PSS (RFC 9578, 8.2.2), DER,
    /// [`SPKI_BYTES`] long.
    pub fn to_spki(&self) -> Vec<u8> {
        [SPKI_HEAD, &self.modulus(), SPKI_TAIL].concat()
    }

    /// Whether `signature` is a signature of `message` under this key (RSASSA-PSS-VERIFY, RFC 8017,
    /// 8.1.2). A number that is not below the modulus is no signature.
    pub fn verify(&self, message: &[u8], signature: &[u8; MODULUS_BYTES]) -> bool {
        let signature = U2048::from_be_slice(signature);
        if signature >= *self.numbers.modulus().as_ref() {
            return false;
        }
        let encoded: [u8; MODULUS_BYTES] =
            to_the_exponent(&self.numbers, &signature).to_be_bytes().into();
        is_encoding_of(message, &encoded)
    }
}

/// `value` to the power of 65537 (RSAVP1, RFC 8017, 5.2.2).
fn to_the_exponent<const LIMBS: usize>(
    numbers: &FixedMontyParams<LIMBS>,
    value: &Uint<LIMBS>,
) -> Uint<LIMBS> {
    let value = FixedMontyForm::new(value, numbers);
    (value.square_repeat_vartime(EXPONENT_SQUARINGS) * value).retrieve()
}

/// EMSA-PSS-VERIFY (RFC 8017, 9.1.2) for a modulus of as many whole bytes as `encoded` has, so that
/// `emBits` is one less than its bits.
fn is_encoding_of(message: &[u8], encoded: &[u8]) -> bool {
    let Some((&TRAILER, rest)) = encoded.split_last() else { return false };
    let Some((masked, hash)) = rest.split_last_chunk::<HASH_BYTES>() else { return false };
    if masked.first().is_none_or(|first| first & 0x80 != 0) {
        return false;
    }
    let mut block = masked.to_vec();
    mask(&mut block, hash);
    let Some((padding, salt)) = block.split_last_chunk::<SALT_BYTES>() else { return false };
    let Some((1, zeros)) = padding.split_last() else { return false };
    zeros.iter().all(|byte| *byte == 0) && *hash == salted_hash(message, salt)
}

/// EMSA-PSS-ENCODE (RFC 8017, 9.1.1) for a modulus of `modulus_bytes` whole bytes: what is blinded
/// and signed. Zeros when `modulus_bytes` is too small to hold it (under 98).
pub fn encode(message: &[u8], salt: &[u8; SALT_BYTES], modulus_bytes: usize) -> Vec<u8> {
    let mut encoded = vec![0; modulus_bytes];
    let Some((trailer, rest)) = encoded.split_last_mut() else { return encoded };
    let Some((block, hash)) = rest.split_last_chunk_mut::<HASH_BYTES>() else { return encoded };
    let Some((padding, end)) = block.split_last_chunk_mut::<SALT_BYTES>() else { return encoded };
    let Some(separator) = padding.last_mut() else { return encoded };
    *trailer = TRAILER;
    *hash = salted_hash(message, salt);
    *end = *salt;
    *separator = 1;
    mask(block, hash);
    encoded
}

/// Puts the mask of MGF1-SHA-384 (RFC 8017, B.2.1) made from `hash` on `block`, or takes it off, and
/// clears the one bit that the modulus has no room for.
fn mask(block: &mut [u8], hash: &[u8; HASH_BYTES]) {
    for (count, chunk) in (0_u32..).zip(block.chunks_mut(HASH_BYTES)) {
        let part = Sha384::new().chain_update(hash).chain_update(count.to_be_bytes()).finalize();
        for (byte, mask) in chunk.iter_mut().zip(part) {
            *byte ^= mask;
        }
    }
    if let Some(first) = block.first_mut() {
        *first &= 0x7f;
    }
}

/// The hash over eight zeros, the message's hash and the salt.
fn salted_hash(message: &[u8], salt: &[u8; SALT_BYTES]) -> [u8; HASH_BYTES] {
    let hash = Sha384::new().chain_update([0; 8]).chain_update(Sha384::digest(message));
    hash.chain_update(salt).finalize().into()
}

#[cfg(test)]
mod tests;
