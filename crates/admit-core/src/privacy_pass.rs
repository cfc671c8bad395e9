//! Privacy Pass (RFC 9577, RFC 9578) for token type 0x0002: what is asked for, signed, sent and carried.
//!
//! Only layouts and digests; who signs is `admit-blindrsa`, and what a token is good for its key says
//! (`docs/formats/anonymous.md`). All integers are big-endian.

use sha2::{Digest as _, Sha256};

use crate::pss::{MODULUS_BYTES, PublicKey};

/// Publicly verifiable tokens with blind RSA of 2048 bits (RFC 9578, 8.2.2).
pub const TOKEN_TYPE: u16 = 0x0002;
/// Bytes of a nonce, a digest or a key's id.
pub const ID_BYTES: usize = 32;
/// Bytes of what is signed: type, nonce, the challenge's digest, the key's id.
pub const TOKEN_INPUT_BYTES: usize = 2 + 3 * ID_BYTES;
/// Bytes of a token: what is signed, and the signature.
pub const TOKEN_BYTES: usize = TOKEN_INPUT_BYTES + MODULUS_BYTES;
/// Bytes of a request: type, the last byte of the key's id, the blinded message.
pub const TOKEN_REQUEST_BYTES: usize = 2 + 1 + MODULUS_BYTES;
/// Bytes of the answer to it: the blind signature.
pub const TOKEN_RESPONSE_BYTES: usize = MODULUS_BYTES;
/// Media type of a request.
pub const TOKEN_REQUEST_MEDIA_TYPE: &str = "application/private-token-request";
/// Media type of the answer to it.
pub const TOKEN_RESPONSE_MEDIA_TYPE: &str = "application/private-token-response";
/// Media type of the list of an issuer's keys.
pub const DIRECTORY_MEDIA_TYPE: &str = "application/private-token-issuer-directory";

/// Binds a token to the event of `issuer_name`: SHA-256 over a label and the name.
pub fn redemption_context(issuer_name: &str) -> [u8; ID_BYTES] {
    let hash = Sha256::new().chain_update(b"admit-one/redemption/v1\0");
    hash.chain_update(issuer_name).finalize().into()
}

/// The `TokenChallenge` (RFC 9577, 2.1) of an issuer, without an origin: what is bought here is used
/// at a door, not at a web site. A name is at most 65,535 bytes; what is beyond is cut.
pub fn challenge(issuer_name: &str, context: &[u8; ID_BYTES]) -> Vec<u8> {
    let length = u16::try_from(issuer_name.len()).unwrap_or(u16::MAX);
    let name = issuer_name.as_bytes().iter().take(usize::from(length));
    let mut bytes = TOKEN_TYPE.to_be_bytes().to_vec();
    bytes.extend(length.to_be_bytes());
    bytes.extend(name);
    bytes.push(32);
    bytes.extend(context);
    bytes.extend(0_u16.to_be_bytes());
    bytes
}

/// SHA-256 of a challenge, as a token names it.
pub fn challenge_digest(challenge: &[u8]) -> [u8; ID_BYTES] {
    Sha256::digest(challenge).into()
}

/// The id of a key: SHA-256 of its `SubjectPublicKeyInfo` ([`PublicKey::to_spki`]).
pub fn key_id(spki: &[u8]) -> [u8; ID_BYTES] {
    Sha256::digest(spki).into()
}

/// What is signed for a token.
pub fn token_input(
    nonce: &[u8; ID_BYTES],
    challenge_digest: &[u8; ID_BYTES],
    key_id: &[u8; ID_BYTES],
) -> [u8; TOKEN_INPUT_BYTES] {
    let mut input = [0; TOKEN_INPUT_BYTES];
    let parts = TOKEN_TYPE.to_be_bytes().into_iter();
    let parts = parts.chain(*nonce).chain(*challenge_digest).chain(*key_id);
    for (place, byte) in input.iter_mut().zip(parts) {
        *place = byte;
    }
    input
}

/// A token that was read and not yet believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Drawn by the wallet; nobody else saw it before the token was shown.
    pub nonce: [u8; ID_BYTES],
    /// SHA-256 of the challenge that it answers.
    pub challenge_digest: [u8; ID_BYTES],
    /// The id of the key that it says it is signed with.
    pub key_id: [u8; ID_BYTES],
    /// The signature.
    pub authenticator: [u8; MODULUS_BYTES],
}

impl Token {
    /// Reads the [`TOKEN_BYTES`] of a token; none for another length or type.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&TOKEN_TYPE.to_be_bytes())?;
        let (nonce, rest) = rest.split_first_chunk()?;
        let (challenge_digest, rest) = rest.split_first_chunk()?;
        let (key_id, rest) = rest.split_first_chunk()?;
        Some(Self {
            nonce: *nonce,
            challenge_digest: *challenge_digest,
            key_id: *key_id,
            authenticator: rest.try_into().ok()?,
        })
    }

    /// The bytes of the token, [`TOKEN_BYTES`] long.
    pub fn write(&self) -> Vec<u8> {
        [self.input().as_slice(), &self.authenticator].concat()
    }

    /// What the authenticator signs.
    pub fn input(&self) -> [u8; TOKEN_INPUT_BYTES] {
        token_input(&self.nonce, &self.challenge_digest, &self.key_id)
    }

    /// Whether the signature holds under `key`, and names it.
    pub fn verify(&self, key: &PublicKey) -> bool {
        self.key_id == key_id(&key.to_spki()) && key.verify(&self.input(), &self.authenticator)
    }
}

/// What a client sends to have a token signed (RFC 9578, 6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// The last byte of the id of the key that is to sign.
    pub truncated_key_id: u8,
    /// The blinded message.
    pub blinded: [u8; MODULUS_BYTES],
}

impl TokenRequest {
    /// Reads the [`TOKEN_REQUEST_BYTES`] of a request; none for another length or type.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&TOKEN_TYPE.to_be_bytes())?;
        let (truncated_key_id, blinded) = rest.split_first()?;
        Some(Self { truncated_key_id: *truncated_key_id, blinded: blinded.try_into().ok()? })
    }

    /// The bytes of the request, [`TOKEN_REQUEST_BYTES`] long.
    pub fn write(&self) -> Vec<u8> {
        let head = TOKEN_TYPE.to_be_bytes();
        [head.as_slice(), &[self.truncated_key_id], &self.blinded].concat()
    }

    /// Whether this asks for the key called `key_id`, as far as one byte can tell.
    pub fn names(&self, key_id: &[u8; ID_BYTES]) -> bool {
        key_id.last() == Some(&self.truncated_key_id)
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn hex(value: &Value) -> Vec<u8> {
        HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
    }

    /// Five tokens each of two implementations.
    fn vectors() -> Vec<Value> {
        let texts = [
            include_str!("../../../vectors/privacypass/rfc9578.go.json"),
            include_str!("../../../vectors/privacypass/rfc9578.rust.json"),
        ];
        let read = |text| serde_json::from_str::<Vec<Value>>(text).unwrap();
        let all: Vec<_> = texts.into_iter().flat_map(read).collect();
        assert_eq!(all.len(), 10);
        all
    }

    #[test]
    fn every_token_of_rfc_9578_verifies() {
        for vector in vectors() {
            let key = PublicKey::from_spki(&hex(&vector["pkS"])).unwrap();
            assert!(Token::parse(&hex(&vector["token"])).unwrap().verify(&key));
        }
    }

    #[test]
    fn a_token_of_rfc_9578_is_made_of_the_nonce_the_challenge_and_the_key() {
        for vector in vectors() {
            let nonce = hex(&vector["nonce"]).try_into().unwrap();
            let digest = challenge_digest(&hex(&vector["token_challenge"]));
            let input = token_input(&nonce, &digest, &key_id(&hex(&vector["pkS"])));
            assert_eq!(hex(&vector["token"])[..TOKEN_INPUT_BYTES], input);
        }
    }

    #[test]
    fn a_request_of_rfc_9578_names_its_key() {
        for vector in vectors() {
            let request = TokenRequest::parse(&hex(&vector["token_request"])).unwrap();
            assert!(request.names(&key_id(&hex(&vector["pkS"]))));
        }
    }

    #[test]
    fn tokens_and_requests_of_rfc_9578_are_written_as_they_were_read() {
        for vector in vectors() {
            let (token, request) = (hex(&vector["token"]), hex(&vector["token_request"]));
            assert_eq!(Token::parse(&token).unwrap().write(), token);
            assert_eq!(TokenRequest::parse(&request).unwrap().write(), request);
        }
    }

    #[test]
    fn a_challenge_without_an_origin_is_the_one_of_rfc_9578() {
        // The fifth vector of the first file has a context and no origin, as all of ours.
        let challenge_hex = vectors()[4]["token_challenge"].clone();
        let wanted = hex(&challenge_hex);
        let context = wanted[wanted.len() - 34..wanted.len() - 2].try_into().unwrap();
        assert_eq!(challenge("issuer.example", &context), wanted);
    }

    #[test]
    fn a_token_is_refused_under_the_key_of_another() {
        let vectors = vectors();
        let other = PublicKey::from_spki(&hex(&vectors[9]["pkS"])).unwrap();
        assert!(!Token::parse(&hex(&vectors[0]["token"])).unwrap().verify(&other));
    }

    #[test]
    fn a_token_that_names_another_key_than_it_is_signed_with_is_refused() {
        let vector = &vectors()[0];
        let key = PublicKey::from_spki(&hex(&vector["pkS"])).unwrap();
        let mut token = Token::parse(&hex(&vector["token"])).unwrap();
        token.key_id[31] ^= 1;
        assert!(!token.verify(&key));
    }

    #[test]
    fn another_token_type_is_refused() {
        let mut token = hex(&vectors()[0]["token"]);
        token[1] = 1;
        assert_eq!(Token::parse(&token), None);
        let mut request = hex(&vectors()[0]["token_request"]);
        request[1] = 1;
        assert_eq!(TokenRequest::parse(&request), None);
    }

    #[test]
    fn an_over_long_issuer_name_is_cut_so_that_the_lengths_agree() {
        let long = challenge(&"a".repeat(70_000), &[0; 32]);
        assert_eq!(long.len(), 2 + 2 + 65_535 + 1 + 32 + 2);
    }

    proptest! {
        #[test]
        fn another_length_is_refused(bytes: Vec<u8>) {
            let bytes = [TOKEN_TYPE.to_be_bytes().as_slice(), &bytes].concat();
            prop_assert_eq!(Token::parse(&bytes).is_some(), bytes.len() == TOKEN_BYTES);
            let request = TokenRequest::parse(&bytes);
            prop_assert_eq!(request.is_some(), bytes.len() == TOKEN_REQUEST_BYTES);
        }
    }
}
