//! Blinding and unblinding against the vectors of RFC 9474 and RFC 9578, and with random keys.

use admit_core::privacy_pass::{Token, TokenRequest};
use crypto_bigint::{NonZero, U4096};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::SecretKey;
use crate::raw::RawKey;
use crate::tests::{hex, key_of, token_vectors};

/// What the client draws in a vector of RFC 9578, and what it then asks for.
fn blind_as(vector: &Value) -> Option<([u8; MODULUS_BYTES], Unblinder)> {
    let key = PublicKey::from_spki(&hex(&vector["pkS"])).unwrap();
    let input = Token::parse(&hex(&vector["token"])).unwrap().input();
    let salt = hex(&vector["salt"]).try_into().unwrap();
    blind(&key, &input, &salt, |bytes| bytes.copy_from_slice(&hex(&vector["blind"])))
}

#[test]
fn tokens_of_rfc_9578_are_blinded_to_its_requests() {
    for vector in token_vectors() {
        let (blinded, _) = blind_as(&vector).unwrap();
        let request = TokenRequest::parse(&hex(&vector["token_request"])).unwrap();
        assert_eq!(blinded, request.blinded);
    }
}

#[test]
fn responses_of_rfc_9578_are_unblinded_to_its_tokens() {
    for vector in token_vectors() {
        let (_, unblinder) = blind_as(&vector).unwrap();
        let response = hex(&vector["token_response"]).try_into().unwrap();
        let token = Token::parse(&hex(&vector["token"])).unwrap();
        assert_eq!(unblinder.finalize(&response), Some(token.authenticator));
    }
}

#[test]
fn a_blind_signature_with_a_bit_changed_is_noticed() {
    let vector = &token_vectors()[0];
    let (_, unblinder) = blind_as(vector).unwrap();
    let mut response: [u8; MODULUS_BYTES] = hex(&vector["token_response"]).try_into().unwrap();
    response[100] ^= 1;
    assert_eq!(unblinder.finalize(&response), None);
}

#[test]
fn a_blind_signature_above_the_modulus_is_noticed() {
    let (_, unblinder) = blind_as(&token_vectors()[0]).unwrap();
    assert_eq!(unblinder.finalize(&[0xff; MODULUS_BYTES]), None);
}

#[test]
fn a_factor_that_is_none_is_drawn_again() {
    let vector = &token_vectors()[0];
    let key = key_of(vector).public_key().clone();
    let mut draws =
        [[0; MODULUS_BYTES], [0xff; MODULUS_BYTES], key.modulus(), [3; MODULUS_BYTES]].into_iter();
    let blinded = blind(&key, b"message", &[1; SALT_BYTES], |bytes| *bytes = draws.next().unwrap());
    assert!(blinded.is_some());
    assert_eq!(draws.next(), None);
}

#[test]
fn a_source_of_chance_that_gives_nothing_is_given_up() {
    let key = key_of(&token_vectors()[0]).public_key().clone();
    assert!(blind(&key, b"message", &[1; SALT_BYTES], |_| ()).is_none());
}

#[test]
fn debug_shows_nothing_of_what_is_blinded() {
    let (_, unblinder) = blind_as(&token_vectors()[0]).unwrap();
    let shown = format!("{unblinder:?}");
    assert_eq!(shown, "Unblinder { key: PublicKey(cb1aed6b6a95f5b1…), .. }");
}

/// RSABSSA-SHA384-PSS-Deterministic of RFC 9474, appendix A.3: RSA-4096.
struct Rfc9474 {
    vector: Value,
    numbers: FixedMontyParams<{ U4096::LIMBS }>,
}

impl Rfc9474 {
    fn read() -> Self {
        let text = include_str!("../../../../vectors/rfc9474/rfc9474.json");
        let vectors: Vec<Value> = serde_json::from_str(text).unwrap();
        let is_ours = |v: &Value| v["name"] == "RSABSSA-SHA384-PSS-Deterministic";
        let vector = vectors.into_iter().find(is_ours).unwrap();
        let modulus = Odd::new(U4096::from_be_slice(&hex(&vector["n"]))).unwrap();
        Self { vector, numbers: FixedMontyParams::new_vartime(modulus) }
    }

    fn number(&self, name: &str) -> U4096 {
        let bytes = hex(&self.vector[name]);
        let mut padded = vec![0; 512 - bytes.len()];
        padded.extend(bytes);
        U4096::from_be_slice(&padded)
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        hex(&self.vector[name])
    }

    /// The private key as `RSAPrivateKey`, with the numbers that the vector leaves to its reader.
    fn pkcs1(&self) -> Vec<u8> {
        let [p, q, d] = ["p", "q", "d"].map(|name| self.number(name));
        let reduced =
            |prime: &U4096| d.rem_vartime(&NonZero::new(prime.wrapping_sub(&U4096::ONE)).unwrap());
        let inverse: Option<U4096> = q.invert_odd_mod(&Odd::new(p).unwrap()).into();
        let all = [
            U4096::ZERO,
            self.number("n"),
            self.number("e"),
            d,
            p,
            q,
            reduced(&p),
            reduced(&q),
            inverse.unwrap(),
        ];
        let body: Vec<u8> = all.iter().flat_map(integer).collect();
        der(0x30, &body)
    }
}

/// A DER element: tag, length, contents.
fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = u16::try_from(contents.len()).unwrap().to_be_bytes();
    let head = match contents.len() {
        0..0x80 => vec![tag, length[1]],
        0x80..0x100 => vec![tag, 0x81, length[1]],
        _ => vec![tag, 0x82, length[0], length[1]],
    };
    [head, contents.to_vec()].concat()
}

/// A DER integer, in as few bytes as hold it.
fn integer(value: &U4096) -> Vec<u8> {
    let bytes: [u8; 512] = value.to_be_bytes().into();
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(511);
    let sign = if bytes[start] & 0x80 == 0 { &[][..] } else { &[0] };
    der(2, &[sign, &bytes[start..]].concat())
}

#[test]
fn the_message_of_rfc_9474_is_blinded_bit_for_bit() {
    let rfc = Rfc9474::read();
    let salt = rfc.bytes("salt").try_into().unwrap();
    let encoded = U4096::from_be_slice(&pss::encode(&rfc.bytes("input_msg"), &salt, 512));
    let factor = invert(&rfc.numbers, &rfc.number("inv")).unwrap();
    let (blinded, inverse) = blind_with(&rfc.numbers, &encoded, &factor).unwrap();
    assert_eq!(blinded, rfc.number("blinded_msg"));
    assert_eq!(inverse, rfc.number("inv"));
}

#[test]
fn the_blinded_message_of_rfc_9474_is_signed_bit_for_bit() {
    let rfc = Rfc9474::read();
    let key = RawKey::from_pkcs1(&rfc.pkcs1()).unwrap();
    let mut signed = [0; 512];
    assert!(key.power(&rfc.bytes("blinded_msg"), &mut signed));
    assert_eq!(signed.as_slice(), rfc.bytes("blind_sig"));
}

#[test]
fn the_blind_signature_of_rfc_9474_is_unblinded_bit_for_bit() {
    let rfc = Rfc9474::read();
    let signature = unblind(&rfc.numbers, &rfc.number("blind_sig"), &rfc.number("inv"));
    assert_eq!(signature, Some(rfc.number("sig")));
}

/// Keys that every case shares: making one takes long.
fn fresh_keys() -> &'static [SecretKey] {
    static KEYS: std::sync::OnceLock<Vec<SecretKey>> = std::sync::OnceLock::new();
    KEYS.get_or_init(|| (0..4).map(|_| SecretKey::generate().unwrap()).collect())
}

fn bytes<const N: usize>() -> impl Strategy<Value = [u8; N]> {
    prop::collection::vec(any::<u8>(), N).prop_map(|bytes| bytes.try_into().unwrap())
}

/// `factor` made small enough for every modulus of 2048 bits.
fn fitting(mut factor: [u8; MODULUS_BYTES]) -> [u8; MODULUS_BYTES] {
    factor[0] &= 0x7f;
    factor
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_blinded_signed_and_unblinded_verifies(
        place: prop::sample::Index, message: Vec<u8>, salt in bytes(), factor in bytes()
    ) {
        let key = place.get(fresh_keys());
        let drawn = fitting(factor);
        let (blinded, unblinder) = blind(key.public_key(), &message, &salt, |bytes| *bytes = drawn).unwrap();
        let signature = unblinder.finalize(&key.blind_sign(&blinded).unwrap()).unwrap();
        prop_assert!(key.public_key().verify(&message, &signature));
    }

    #[test]
    fn the_signature_does_not_depend_on_the_blinding(
        place: prop::sample::Index, message: Vec<u8>, salt in bytes(), factors in [bytes(), bytes()]
    ) {
        let key = place.get(fresh_keys());
        prop_assume!(factors[0] != factors[1]);
        let [first, second] = factors.map(|factor| {
            let drawn = fitting(factor);
            let (blinded, unblinder) = blind(key.public_key(), &message, &salt, |bytes| *bytes = drawn).unwrap();
            (blinded, unblinder.finalize(&key.blind_sign(&blinded).unwrap()))
        });
        prop_assert_ne!(first.0, second.0);
        prop_assert_eq!(first.1, second.1);
    }

    #[test]
    fn a_signature_by_another_key_is_noticed(message: Vec<u8>, salt in bytes(), factor in bytes()) {
        let [asked, other, ..] = fresh_keys() else { unreachable!() };
        let drawn = fitting(factor);
        let (blinded, unblinder) = blind(asked.public_key(), &message, &salt, |bytes| *bytes = drawn).unwrap();
        if let Ok(signed) = other.blind_sign(&blinded) {
            prop_assert_eq!(unblinder.finalize(&signed), None);
        }
    }
}
