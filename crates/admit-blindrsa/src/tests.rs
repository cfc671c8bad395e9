//! The issuer's key against the vectors of RFC 9578, against AWS-LC's own signatures, and shared.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA384, RSA_PSS_SHA384, UnparsedPublicKey};
use data_encoding::{BASE64, HEXLOWER};
use serde_json::Value;

use super::*;

pub(crate) fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    HEXLOWER.decode(text.strip_prefix("0x").unwrap_or(text).as_bytes()).unwrap()
}

/// Five tokens each of two implementations.
pub(crate) fn token_vectors() -> Vec<Value> {
    let texts = [
        include_str!("../../../vectors/privacypass/rfc9578.go.json"),
        include_str!("../../../vectors/privacypass/rfc9578.rust.json"),
    ];
    let read = |text| serde_json::from_str::<Vec<Value>>(text).unwrap();
    let all: Vec<_> = texts.into_iter().flat_map(read).collect();
    assert_eq!(all.len(), 10);
    all
}

/// The private key of a vector, which is PEM in hexadecimal.
pub(crate) fn key_of(vector: &Value) -> SecretKey {
    let pem = String::from_utf8(hex(&vector["skS"])).unwrap();
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    SecretKey::from_der(&BASE64.decode(body.as_bytes()).unwrap()).unwrap()
}

#[test]
fn requests_of_rfc_9578_get_its_responses() {
    for vector in token_vectors() {
        let request = hex(&vector["token_request"]);
        let blinded = request.last_chunk().unwrap();
        let signed = key_of(&vector).blind_sign(blinded).unwrap();
        assert_eq!(signed.as_slice(), hex(&vector["token_response"]));
    }
}

#[test]
fn private_keys_of_rfc_9578_have_its_public_keys() {
    for vector in token_vectors() {
        assert_eq!(key_of(&vector).public_key().to_spki(), hex(&vector["pkS"]));
    }
}

#[test]
fn a_key_reads_back_as_it_was_written() {
    let key = SecretKey::generate().unwrap();
    let again = SecretKey::from_der(&key.to_der()).unwrap();
    assert_eq!(again.to_der(), key.to_der());
    assert_eq!(again.public_key(), key.public_key());
}

#[test]
fn two_keys_are_not_the_same() {
    let keys = [SecretKey::generate().unwrap(), SecretKey::generate().unwrap()];
    assert_ne!(keys[0].public_key(), keys[1].public_key());
}

#[test]
fn a_key_of_another_size_is_refused() {
    let large = KeyPair::generate(KeySize::Rsa3072).unwrap();
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&large).unwrap();
    assert_eq!(SecretKey::from_der(der.as_ref()).unwrap_err(), KeyError::Rejected);
}

#[test]
fn a_key_that_is_cut_or_longer_or_changed_is_refused() {
    let der = key_of(&token_vectors()[0]).to_der();
    let longer = [der.as_slice(), &[0]].concat();
    assert!(SecretKey::from_der(&longer).is_err());
    assert!(SecretKey::from_der(&der[..der.len() - 1]).is_err());
    let mut changed = der.to_vec();
    changed[200] ^= 1;
    assert!(SecretKey::from_der(&changed).is_err());
    assert!(SecretKey::from_der(&[]).is_err());
}

#[test]
fn debug_shows_nothing_of_the_private_key() {
    let shown = format!("{:?}", key_of(&token_vectors()[0]));
    assert_eq!(shown, "SecretKey { public: PublicKey(cb1aed6b6a95f5b1…), .. }");
}

/// The number `offset` above the modulus, or below it.
fn near(modulus: [u8; MODULUS_BYTES], offset: i16) -> [u8; MODULUS_BYTES] {
    let mut bytes = modulus;
    let last = i16::from(bytes[MODULUS_BYTES - 1]) + offset;
    bytes[MODULUS_BYTES - 1] = u8::try_from(last).unwrap();
    bytes
}

#[test]
fn the_modulus_and_what_is_above_it_are_not_signed() {
    let key = key_of(&token_vectors()[0]);
    let modulus = key.public_key().modulus();
    for bytes in [modulus, near(modulus, 1), [0xff; MODULUS_BYTES]] {
        assert_eq!(key.blind_sign(&bytes), Err(BlindSignError::OutOfRange));
    }
}

#[test]
fn numbers_that_sign_themselves_are_not_signed() {
    let key = key_of(&token_vectors()[0]);
    let zero = [0; MODULUS_BYTES];
    for bytes in [zero, near(zero, 1), near(key.public_key().modulus(), -1)] {
        assert_eq!(key.blind_sign(&bytes), Err(BlindSignError::OutOfRange));
    }
}

#[test]
fn the_smallest_and_the_largest_number_left_are_signed() {
    let key = key_of(&token_vectors()[0]);
    for bytes in [near([0; MODULUS_BYTES], 2), near(key.public_key().modulus(), -2)] {
        assert!(key.blind_sign(&bytes).is_ok());
    }
}

#[test]
fn the_library_refuses_other_lengths() {
    let key = key_of(&token_vectors()[0]);
    for (input, output) in [(255, 256), (257, 256), (0, 256), (256, 255), (256, 257)] {
        let mut out = vec![0; output];
        assert!(!key.raw.power(&vec![1; input], &mut out), "{input} to {output}");
    }
}

#[test]
fn the_library_refuses_the_modulus_too() {
    let key = key_of(&token_vectors()[0]);
    assert!(!key.raw.power(&key.public_key().modulus(), &mut [0; MODULUS_BYTES]));
}

#[test]
fn eight_threads_sign_the_same_with_one_key() {
    let vector = &token_vectors()[3];
    let key = key_of(vector);
    let blinded = *hex(&vector["token_request"]).last_chunk().unwrap();
    let wanted = hex(&vector["token_response"]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..16 {
                    assert_eq!(key.blind_sign(&blinded).unwrap().as_slice(), wanted);
                }
            });
        }
    });
}

/// What AWS-LC says of a signature.
fn library_verifies(key: &KeyPair, message: &[u8], signature: &[u8]) -> bool {
    let key = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA384, key.public_key().as_ref());
    key.verify(message, signature).is_ok()
}

#[test]
fn our_verifier_agrees_with_the_library_on_good_and_on_changed_signatures() {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let public = read_public(pair.public_key().as_ref()).unwrap();
    let mut accepted = 0;
    for round in 0..64_u8 {
        let message = vec![round; usize::from(round)];
        let mut signature = [0; MODULUS_BYTES];
        pair.sign(&RSA_PSS_SHA384, &SystemRandom::new(), &message, &mut signature).unwrap();
        // Every other one is changed, each in another place.
        signature[usize::from(round) * 4] ^= round % 2;
        let ours = public.verify(&message, &signature);
        assert_eq!(ours, library_verifies(&pair, &message, &signature), "round {round}");
        accepted += u8::from(ours);
    }
    assert_eq!(accepted, 32);
}

#[test]
fn our_verifier_agrees_with_the_library_on_every_encoding() {
    // Signing encodings that are wrong in one bit reaches what a changed signature never does.
    let key = SecretKey::generate().unwrap();
    let pair = KeyPair::from_pkcs8(&key.to_der()).unwrap();
    let mut accepted = 0;
    for bit in 0..MODULUS_BYTES * 8 {
        let mut encoded = admit_core::pss::encode(b"message", &[7; 48], MODULUS_BYTES);
        if bit > 0 {
            encoded[bit / 8] ^= 1 << (bit % 8);
        }
        let Ok(signature) = key.blind_sign(encoded.as_slice().try_into().unwrap()) else {
            continue; // The highest bit makes it larger than the modulus.
        };
        let ours = key.public_key().verify(b"message", &signature);
        assert_eq!(ours, library_verifies(&pair, b"message", &signature), "bit {bit}");
        accepted += u8::from(ours);
    }
    assert_eq!(accepted, 1);
}
