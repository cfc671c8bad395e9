//! The anonymous token `B1:` — a number that its issuer signed without seeing it
//! (docs/formats/anonymous.md): RSABSSA-SHA384-PSS-Deterministic (RFC 9474) as Privacy Pass token type
//! `0x0002` (RFC 9578).

use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};

use super::rotating::{Challenge, DEVICE_KEY_BYTES, challenge_message};
use super::{Grant, Invalid};
use crate::base45;
use crate::id::{EventNo, GateSet, TicketId, TypeNo, UnixMs};
use crate::privacy_pass;
use crate::pss::PublicKey;

/// What every anonymous code starts with; all of it is in the QR alphanumeric set.
pub const PREFIX: &str = "B1:";
/// Bytes of the number that the wallet drew.
pub const NONCE_BYTES: usize = 32;
/// Bytes of the signature.
pub const SIGNATURE_BYTES: usize = 256;
/// Bytes of a key's name in a code.
pub const SHORT_KEY_BYTES: usize = 4;

const VERSION: u8 = 1;
/// Of a code that answers a gate's challenge.
const ANSWER_VERSION: u8 = 2;
/// Bytes of a holder's signature, `r | s`.
const PROOF_BYTES: usize = 64;

/// What the tickets of one issuer key are good for: it is not in the tokens, but stands with the key in
/// the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuerTerms {
    /// The event.
    pub event: EventNo,
    /// The ticket type.
    pub type_no: TypeNo,
    /// Not valid before, Unix seconds; 0 for no bound.
    pub not_before_s: u32,
    /// Not valid from this second on; 0 for no bound.
    pub expires_s: u32,
    /// How many entries each ticket is good for; 0 for any number.
    pub max_uses: u8,
    /// Where they may enter.
    pub gates: GateSet,
}

/// What verifies the tickets of one issuer key.
#[derive(Clone, Debug)]
pub struct IssuerKey {
    key: PublicKey,
    id: [u8; 32],
    challenge_digest: [u8; 32],
    terms: IssuerTerms,
    not_after: Option<UnixMs>,
}

impl IssuerKey {
    /// The key whose `SubjectPublicKeyInfo` this is; none when it is none that anonymous tickets are
    /// signed with. `challenge_digest` is SHA-256 of the event's token challenge; from `not_after` on
    /// its tickets are refused.
    pub fn new(
        spki: &[u8],
        challenge_digest: [u8; 32],
        terms: IssuerTerms,
        not_after: Option<UnixMs>,
    ) -> Option<Self> {
        let key = PublicKey::from_spki(spki)?;
        Some(Self { key, id: privacy_pass::key_id(spki), challenge_digest, terms, not_after })
    }

    /// SHA-256 of the public key as it is published.
    pub fn id(&self) -> &[u8; 32] {
        &self.id
    }

    /// How codes name it.
    pub fn short_id(&self) -> [u8; SHORT_KEY_BYTES] {
        short(&self.id)
    }

    /// What its tickets are good for.
    pub fn terms(&self) -> &IssuerTerms {
        &self.terms
    }

    /// The ticket that this nonce is of.
    pub fn ticket(&self, nonce: &[u8; NONCE_BYTES]) -> TicketId {
        ticket_of(&self.id, nonce)
    }

    /// What is signed for a nonce.
    pub fn token_input(&self, nonce: &[u8; NONCE_BYTES]) -> [u8; privacy_pass::TOKEN_INPUT_BYTES] {
        privacy_pass::token_input(nonce, &self.challenge_digest, &self.id)
    }

    pub(super) fn is_over(&self, now: UnixMs) -> bool {
        self.not_after.is_some_and(|end| now >= end)
    }

    /// What the ticket grants, if its signature holds.
    pub(super) fn check(&self, token: &Unverified) -> Result<Grant, Invalid> {
        if !self.key.verify(&self.token_input(&token.nonce), &token.signature) {
            return Err(Invalid::Forged);
        }
        let IssuerTerms { event, type_no, not_before_s, expires_s, max_uses, gates } = self.terms;
        let ticket = self.ticket(&token.nonce);
        Ok(Grant { event, ticket, type_no, not_before_s, expires_s, max_uses, gates })
    }
}

/// The first bytes of a key's id.
pub fn short(id: &[u8; 32]) -> [u8; SHORT_KEY_BYTES] {
    let [a, b, c, d, ..] = *id;
    [a, b, c, d]
}

/// The number of the ticket that a nonce is of: 64 bits of a hash. Whoever looks for another nonce with
/// the number of somebody's ticket must know that number, and no place keeps those of tickets that
/// were not used yet.
pub fn ticket_of(key_id: &[u8; 32], nonce: &[u8; NONCE_BYTES]) -> TicketId {
    let mut hash = Sha256::new();
    hash.update(b"admit-one/bearer/v1\0");
    hash.update(key_id);
    hash.update(nonce);
    let hash: [u8; 32] = hash.finalize().into();
    let (number, _) = hash.split_first_chunk().unwrap_or((&[0; 8], &[]));
    TicketId(u64::from_be_bytes(*number))
}

/// The code of a token.
pub fn code(
    key_id: &[u8; 32],
    nonce: &[u8; NONCE_BYTES],
    signature: &[u8; SIGNATURE_BYTES],
) -> String {
    let bytes = [&[VERSION], short(key_id).as_slice(), nonce, signature].concat();
    format!("{PREFIX}{}", base45::encode(&bytes))
}

/// The nonce of a ticket whose wallet can answer a gate: a hash of the wallet's public key (compressed
/// P-256), so that the issuer signs a holder whom it does not see.
pub fn holders_nonce(public_key: &[u8; DEVICE_KEY_BYTES]) -> [u8; NONCE_BYTES] {
    let hash = Sha256::new().chain_update(b"admit-one/holder/v1\0").chain_update(public_key);
    hash.finalize().into()
}

/// The code that answers a gate: the wallet's key in the place of the nonce, and its signature (64
/// bytes) over [`challenge_message`].
pub fn answer_code(
    key_id: &[u8; 32],
    public_key: &[u8; DEVICE_KEY_BYTES],
    signature: &[u8; SIGNATURE_BYTES],
    proof: &[u8; PROOF_BYTES],
) -> String {
    let head = [ANSWER_VERSION];
    let bytes = [&head, short(key_id).as_slice(), public_key, signature, proof].concat();
    format!("{PREFIX}{}", base45::encode(&bytes))
}

/// The code of the same ticket that answers nothing; none when this is no anonymous code.
pub fn plain(code: &str) -> Option<String> {
    let Unverified { key, nonce, signature, .. } = Unverified::read(code)?;
    let bytes = [&[VERSION], key.as_slice(), &nonce, &signature].concat();
    Some(format!("{PREFIX}{}", base45::encode(&bytes)))
}

/// A token that was read and not yet believed.
pub(super) struct Unverified {
    pub(super) key: [u8; SHORT_KEY_BYTES],
    nonce: [u8; NONCE_BYTES],
    pub(super) signature: [u8; SIGNATURE_BYTES],
    /// The wallet's key and its signature, in an answer.
    holder: Option<([u8; DEVICE_KEY_BYTES], [u8; PROOF_BYTES])>,
}

impl Unverified {
    pub(super) fn read(code: &str) -> Option<Self> {
        let bytes = base45::decode(code.strip_prefix(PREFIX)?)?;
        let (version, rest) = bytes.split_first()?;
        let (key, rest) = rest.split_first_chunk()?;
        match *version {
            VERSION => {
                let (nonce, rest) = rest.split_first_chunk()?;
                let signature = rest.try_into().ok()?;
                Some(Self { key: *key, nonce: *nonce, signature, holder: None })
            }
            ANSWER_VERSION => {
                let (public_key, rest) = rest.split_first_chunk()?;
                let (signature, rest) = rest.split_first_chunk()?;
                let proof = rest.try_into().ok()?;
                let (nonce, holder) = (holders_nonce(public_key), Some((*public_key, proof)));
                Some(Self { key: *key, nonce, signature: *signature, holder })
            }
            _ => None,
        }
    }

    /// An answer is good for the gate that asked, and a gate that asked takes nothing else.
    pub(super) fn check_holder(
        &self,
        grant: &Grant,
        challenge: Option<&Challenge>,
    ) -> Result<(), Invalid> {
        let (challenge, (key, proof)) = match (challenge, &self.holder) {
            (None, None) => return Ok(()),
            (Some(challenge), Some(holder)) => (challenge, holder),
            _ => return Err(Invalid::ProofInvalid),
        };
        let message = challenge_message(grant.event, grant.ticket, challenge);
        let key = VerifyingKey::from_sec1_bytes(key).map_err(|_| Invalid::ProofInvalid)?;
        let proof = Signature::from_slice(proof).map_err(|_| Invalid::ProofInvalid)?;
        key.verify(&message, &proof).map_err(|_| Invalid::ProofInvalid)
    }
}
