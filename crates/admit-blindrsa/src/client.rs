//! The client's side of blind RSA (RFC 9474): blinding a message, and unblinding its signature.
//!
//! Chance is an argument. The numbers are `crypto-bigint`'s, whose operations take constant time but
//! where their names say otherwise.

use admit_core::pss::{self, MODULUS_BYTES, PublicKey, SALT_BYTES};
use crypto_bigint::modular::{FixedMontyForm, FixedMontyParams};
use crypto_bigint::{Odd, U2048, Uint};

/// Draws of a blinding factor before the source of chance is given up: of a good one each is below
/// the modulus with a chance of a half or more.
const DRAWS_MAX: usize = 128;
/// The exponent 65537 is 2 to this power, and one.
const EXPONENT_SQUARINGS: u32 = 16;

/// What a blinded message needs to become a signature again. Whoever has it can tell which signature
/// came of which blinded message, so it shows nothing of itself in `Debug`.
pub struct Unblinder {
    key: PublicKey,
    message: Vec<u8>,
    /// The inverse of the blinding factor.
    inverse: U2048,
}

impl std::fmt::Debug for Unblinder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unblinder").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Blinds `message` for the holder of `key` (Blind, RFC 9474, 4.2): what to send, and what to keep.
///
/// `draw` fills its argument with fresh random bytes; numbers that are no blinding factor are drawn
/// again. None when 128 draws gave none, or for a message that shares a factor with the modulus, which
/// nobody will ever see. The message is signed as it is: to be unlinkable it must hold enough chance
/// of its own, as a token's nonce does (RFC 9474, 4.1, deterministic).
pub fn blind(
    key: &PublicKey,
    message: &[u8],
    salt: &[u8; SALT_BYTES],
    mut draw: impl FnMut(&mut [u8; MODULUS_BYTES]),
) -> Option<([u8; MODULUS_BYTES], Unblinder)> {
    let numbers = numbers_of(key)?;
    let encoded = U2048::from_be_slice(&pss::encode(message, salt, MODULUS_BYTES));
    invert(&numbers, &encoded)?;
    let (blinded, inverse) = (0..DRAWS_MAX).find_map(|_| {
        let mut bytes = [0; MODULUS_BYTES];
        draw(&mut bytes);
        blind_with(&numbers, &encoded, &U2048::from_be_slice(&bytes))
    })?;
    let unblinder = Unblinder { key: key.clone(), message: message.to_vec(), inverse };
    Some((blinded.to_be_bytes().into(), unblinder))
}

impl Unblinder {
    /// The signature that came of `blind_signature` (Finalize, RFC 9474, 4.4); none when it does not
    /// verify, which is to say that the signer cheated or failed.
    pub fn finalize(&self, blind_signature: &[u8; MODULUS_BYTES]) -> Option<[u8; MODULUS_BYTES]> {
        let blind_signature = U2048::from_be_slice(blind_signature);
        let signature = unblind(&numbers_of(&self.key)?, &blind_signature, &self.inverse)?;
        let signature = signature.to_be_bytes().into();
        self.key.verify(&self.message, &signature).then_some(signature)
    }
}

fn numbers_of(key: &PublicKey) -> Option<FixedMontyParams<{ U2048::LIMBS }>> {
    let modulus = Option::from(Odd::new(U2048::from_be_slice(&key.modulus())))?;
    Some(FixedMontyParams::new_vartime(modulus))
}

/// The blinded message, and the inverse of `factor`; none unless `factor` is below the modulus and
/// has an inverse.
fn blind_with<const LIMBS: usize>(
    numbers: &FixedMontyParams<LIMBS>,
    encoded: &Uint<LIMBS>,
    factor: &Uint<LIMBS>,
) -> Option<(Uint<LIMBS>, Uint<LIMBS>)> {
    let inverse = invert(numbers, factor)?;
    let factor = FixedMontyForm::new(factor, numbers);
    let mask = factor.square_repeat_vartime(EXPONENT_SQUARINGS) * factor;
    Some(((FixedMontyForm::new(encoded, numbers) * mask).retrieve(), inverse))
}

/// `blind_signature` times `inverse`; none for a number that is not below the modulus.
fn unblind<const LIMBS: usize>(
    numbers: &FixedMontyParams<LIMBS>,
    blind_signature: &Uint<LIMBS>,
    inverse: &Uint<LIMBS>,
) -> Option<Uint<LIMBS>> {
    let below = blind_signature < numbers.modulus().as_ref();
    let number = |value| FixedMontyForm::new(value, numbers);
    below.then(|| (number(blind_signature) * number(inverse)).retrieve())
}

fn invert<const LIMBS: usize>(
    numbers: &FixedMontyParams<LIMBS>,
    value: &Uint<LIMBS>,
) -> Option<Uint<LIMBS>> {
    if value >= numbers.modulus().as_ref() {
        return None;
    }
    Option::from(value.invert_odd_mod(numbers.modulus()))
}

#[cfg(test)]
mod tests;
