//! Signatures of RFC 9474 and RFC 9578 hold, and nothing near them does.

use crypto_bigint::{CheckedAdd as _, U4096};
use data_encoding::HEXLOWER;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    HEXLOWER.decode(text.strip_prefix("0x").unwrap_or(text).as_bytes()).unwrap()
}

fn blind_rsa_vectors() -> Vec<Value> {
    let text = include_str!("../../../../vectors/rfc9474/rfc9474.json");
    serde_json::from_str(text).unwrap()
}

/// Like [`PublicKey::verify`], with the RSA-4096 of RFC 9474's vectors.
fn verifies_4096(vector: &Value) -> bool {
    let modulus = Odd::new(U4096::from_be_slice(&hex(&vector["n"]))).unwrap();
    let numbers = FixedMontyParams::new_vartime(modulus);
    let encoded = to_the_exponent(&numbers, &U4096::from_be_slice(&hex(&vector["sig"])));
    let encoded: [u8; 512] = encoded.to_be_bytes().into();
    is_encoding_of(&hex(&vector["input_msg"]), &encoded)
}

#[test]
fn signatures_of_rfc_9474_with_a_salt_of_48_bytes_verify_and_those_without_salt_are_refused() {
    let verdicts: Vec<_> =
        blind_rsa_vectors().iter().map(|v| (v["sLen"] == "0x30", verifies_4096(v))).collect();
    assert_eq!(verdicts, [(true, true), (false, false), (true, true), (false, false)]);
}

#[test]
fn a_signature_of_rfc_9474_is_refused_for_another_message() {
    for mut vector in blind_rsa_vectors() {
        vector["input_msg"] = "00".into();
        assert!(!verifies_4096(&vector));
    }
}

/// Public key, message and signature of a token of RFC 9578: one whose signature is so small that the
/// modulus can be added to it.
fn token() -> (PublicKey, Vec<u8>, [u8; MODULUS_BYTES]) {
    let text = include_str!("../../../../vectors/privacypass/rfc9578.go.json");
    let vectors: Value = serde_json::from_str(text).unwrap();
    let key = PublicKey::from_spki(&hex(&vectors[1]["pkS"])).unwrap();
    let token = hex(&vectors[1]["token"]);
    let (message, signature) = token.split_last_chunk().unwrap();
    (key, message.to_vec(), *signature)
}

#[test]
fn a_signature_with_any_bit_changed_is_refused() {
    let (key, message, good) = token();
    assert!(key.verify(&message, &good));
    for bit in 0..MODULUS_BYTES * 8 {
        let mut bad = good;
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(!key.verify(&message, &bad), "bit {bit}");
    }
}

#[test]
fn a_message_with_any_bit_changed_is_refused() {
    let (key, message, good) = token();
    for bit in 0..message.len() * 8 {
        let mut bad = message.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(!key.verify(&bad, &good), "bit {bit}");
    }
}

#[test]
fn a_signature_plus_the_modulus_is_refused_though_it_is_the_same_number() {
    let (key, message, good) = token();
    let sum = U2048::from_be_slice(&good).checked_add(key.numbers.modulus().as_ref()).unwrap();
    assert!(!key.verify(&message, &sum.to_be_bytes().into()));
}

#[test]
fn the_modulus_and_the_highest_number_are_no_signatures() {
    let (key, message, _) = token();
    assert!(!key.verify(&message, &key.modulus()));
    assert!(!key.verify(&message, &[0xff; MODULUS_BYTES]));
}

#[test]
fn zero_and_one_are_no_signatures() {
    let (key, message, _) = token();
    let mut one = [0; MODULUS_BYTES];
    assert!(!key.verify(&message, &one));
    one[MODULUS_BYTES - 1] = 1;
    assert!(!key.verify(&message, &one));
}

#[test]
fn a_key_is_written_as_it_was_read() {
    let (key, ..) = token();
    let spki = key.to_spki();
    assert_eq!(spki.len(), SPKI_BYTES);
    assert_eq!(PublicKey::from_spki(&spki), Some(key));
}

#[test]
fn a_key_with_any_bit_of_its_frame_changed_is_refused() {
    let good = token().0.to_spki();
    let frame = (0..SPKI_HEAD.len()).chain(SPKI_BYTES - SPKI_TAIL.len()..SPKI_BYTES);
    for bit in frame.flat_map(|byte| byte * 8..byte * 8 + 8) {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(PublicKey::from_spki(&bad), None, "bit {bit}");
    }
}

#[test]
fn a_key_of_another_length_is_refused() {
    let good = token().0.to_spki();
    for length in 0..good.len() {
        assert_eq!(PublicKey::from_spki(&good[..length]), None);
    }
    assert_eq!(PublicKey::from_spki(&[good.as_slice(), &[0]].concat()), None);
}

#[test]
fn an_even_modulus_and_one_of_2047_bits_are_refused() {
    let good = token().0.modulus();
    let mut even = good;
    even[MODULUS_BYTES - 1] &= 0xfe;
    assert_eq!(PublicKey::from_modulus(&even), None);
    let mut short = good;
    short[0] &= 0x7f;
    assert_eq!(PublicKey::from_modulus(&short), None);
}

prop_compose! {
    fn salts()(bytes in prop::collection::vec(any::<u8>(), SALT_BYTES)) -> [u8; SALT_BYTES] {
        bytes.try_into().unwrap()
    }
}

proptest! {
    #[test]
    fn what_is_encoded_is_an_encoding(message: Vec<u8>, salt in salts(), length in 98_usize..600) {
        prop_assert!(is_encoding_of(&message, &encode(&message, &salt, length)));
    }

    #[test]
    fn an_encoding_with_any_bit_changed_is_none(message: Vec<u8>, salt in salts(), bit in 0..MODULUS_BYTES * 8) {
        let mut encoded = encode(&message, &salt, MODULUS_BYTES);
        encoded[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!is_encoding_of(&message, &encoded));
    }

    #[test]
    fn no_number_of_bytes_makes_the_reader_panic(message: Vec<u8>, encoded: Vec<u8>) {
        let _ = is_encoding_of(&message, &encoded);
        let _ = PublicKey::from_spki(&encoded);
        let _ = encode(&message, &[7; SALT_BYTES], encoded.len());
    }

    #[test]
    fn random_bytes_are_no_signature(bytes in prop::collection::vec(any::<u8>(), MODULUS_BYTES)) {
        let (key, message, _) = token();
        prop_assert!(!key.verify(&message, &bytes.try_into().unwrap()));
    }
}
