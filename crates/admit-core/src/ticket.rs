//! What a ticket is: a signed grant, and the only place where bytes become [`Verified`].

pub mod anonymous;
pub mod compact;
pub mod jwt;
pub mod rotating;

use std::collections::BTreeMap;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;

use self::anonymous::IssuerKey;
use self::rotating::Challenge;
use crate::id::{Digest, EventNo, GateSet, KeyNo, TicketId, TypeNo, UnixMs, hmac_sha256};

/// Longest code that is looked at, in bytes; what is longer is refused unread.
pub const CODE_BYTES_MAX: usize = 600;

/// What a ticket's issuer promises, and all that a gate needs to judge it.
///
/// Never the holder, e-mail, payment or seat (law 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The event it is for.
    pub event: EventNo,
    /// Which ticket it is.
    pub ticket: TicketId,
    /// Its type (tier).
    pub type_no: TypeNo,
    /// Not valid before, Unix seconds; 0 for no bound.
    pub not_before_s: u32,
    /// Not valid from this second on; 0 for no bound.
    pub expires_s: u32,
    /// How many entries it is good for; 0 for any number.
    pub max_uses: u8,
    /// Where it may enter.
    pub gates: GateSet,
}

impl Grant {
    /// The digest that names this ticket in the spend table, whatever format carries it.
    pub fn digest(&self) -> Digest {
        digest(self.event, self.ticket)
    }
}

/// The digest (`proofDigest`) of a ticket: SHA-256 over a domain string, event and ticket.
pub fn digest(event: EventNo, ticket: TicketId) -> Digest {
    let mut hash = Sha256::new();
    hash.update(b"admit-one/ticket/v1\0");
    hash.update(event.0.to_be_bytes());
    hash.update(ticket.0.to_be_bytes());
    Digest(hash.finalize().into())
}

/// A grant whose signature was checked. Only [`KeyRing::verify`] makes one (law 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    grant: Grant,
    digest: Digest,
    epoch: Option<u32>,
    anonymous: bool,
}

impl Verified {
    /// What was granted.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The name of the ticket in the spend table.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The epoch that a changing code was made for; each is good once.
    pub fn epoch(&self) -> Option<u32> {
        self.epoch
    }

    /// Whether its issuer signed it unseen: then it is on no books before it is used.
    pub fn is_anonymous(&self) -> bool {
        self.anonymous
    }
}

/// The key that locks what a gate may read of a ticket only while the ticket is in front of it
/// (`docs/formats/offline.md`): SHA-256 over a label and the issuer's signature, which nobody has but
/// the issuer and who holds the code. None for what is no code of ours.
pub fn lock_key(code: &str) -> Option<[u8; 32]> {
    let signature = if code.len() > CODE_BYTES_MAX {
        return None;
    } else if code.starts_with(compact::PREFIX) {
        compact::Unverified::read(code)?.signature
    } else if code.starts_with(rotating::PREFIX) {
        rotating::Unverified::read(code)?.signature
    } else if code.starts_with(anonymous::PREFIX) {
        return None;
    } else {
        jwt::Unverified::read(code)?.signature
    };
    Some(lock_key_of(&signature))
}

/// The same, from the signature itself.
pub fn lock_key_of(signature: &[u8]) -> [u8; 32] {
    let hash = Sha256::new().chain_update(b"admit-one/name lock/v1\0");
    hash.chain_update(signature).finalize().into()
}

/// Why a code is not a ticket that this place can vouch for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Invalid {
    /// Longer than [`CODE_BYTES_MAX`].
    #[error("the code is too long")]
    TooLong,
    /// Not in a form that we issue.
    #[error("the code is not in a ticket format")]
    Malformed,
    /// Names another event than the one at this door. Says nothing about its signature.
    #[error("the code is for another event")]
    WrongEvent,
    /// Signed with a key that is not known here.
    #[error("the code names an unknown key")]
    UnknownKey,
    /// The key is retired.
    #[error("the key of this code is retired")]
    RetiredKey,
    /// The key is known, but only the server holds it: the device cannot tell.
    #[error("only the server can check this code")]
    KeyNotHere,
    /// The signature or tag is wrong, or its algorithm is not the key's.
    #[error("the signature is wrong")]
    Forged,
    /// The ticket is genuine, but not in the hands of its holder.
    #[error("the holder's proof is wrong")]
    ProofInvalid,
    /// The holder's proof is from an earlier time: a picture of the code, or a slow clock.
    #[error("the code is old")]
    EpochStale,
    /// The holder's proof is from a later time: the phone's clock is fast.
    #[error("the code is from the future")]
    EpochAhead,
}

/// Which signature a key makes; pinned by the key, never read from a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 (RFC 8032): gates hold the public key only.
    Ed25519,
    /// HMAC-SHA-256 (RFC 2104): opt-in, checked by the server alone.
    HmacSha256,
}

impl Algorithm {
    /// Its name in the API and the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::HmacSha256 => "hs256",
        }
    }

    /// The algorithm called `name`.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Ed25519, Self::HmacSha256].into_iter().find(|known| known.name() == name)
    }
}

/// How an event's tickets are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The compact token, `A1:` (docs/formats/ticket.md).
    Compact,
    /// A JSON Web Token (RFC 7519).
    Jwt,
}

/// What verifies tokens of one key.
#[derive(Clone)]
pub enum VerifyKey {
    /// A public key.
    Ed25519(VerifyingKey),
    /// A shared secret of 32 bytes; only servers have it.
    HmacSha256([u8; 32]),
    /// A shared secret that this place does not hold.
    Elsewhere,
}

impl VerifyKey {
    /// The public key of 32 bytes, or none when they are no point of the curve.
    pub fn ed25519(bytes: &[u8; 32]) -> Option<Self> {
        VerifyingKey::from_bytes(bytes).ok().map(Self::Ed25519)
    }

    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ed25519(_) => Algorithm::Ed25519,
            Self::HmacSha256(_) | Self::Elsewhere => Algorithm::HmacSha256,
        }
    }

    /// Checks `signature` over `domain` and `message`.
    fn check(&self, domain: &[u8], message: &[u8], signature: &[u8]) -> Result<(), Invalid> {
        match self {
            Self::Ed25519(key) => {
                let signature = Signature::from_slice(signature).map_err(|_| Invalid::Forged)?;
                // Strict: refuses small-order keys and non-canonical points, as WebCrypto does, so
                // that all gates agree on every signature.
                key.verify_strict(&[domain, message].concat(), &signature)
                    .map_err(|_| Invalid::Forged)
            }
            Self::HmacSha256(secret) => {
                let tag = hmac_sha256(secret, &[domain, message]);
                let wanted = tag.get(..signature.len()).ok_or(Invalid::Forged)?;
                if bool::from(wanted.ct_eq(signature)) { Ok(()) } else { Err(Invalid::Forged) }
            }
            Self::Elsewhere => Err(Invalid::KeyNotHere),
        }
    }
}

/// What signs tokens. Lives in the server only.
pub enum SigningSecret {
    /// An Ed25519 seed.
    Ed25519(SigningKey),
    /// A shared secret.
    HmacSha256([u8; 32]),
}

impl SigningSecret {
    /// The secret of `algorithm` made of 32 random bytes.
    pub fn from_seed(algorithm: Algorithm, seed: [u8; 32]) -> Self {
        match algorithm {
            Algorithm::Ed25519 => Self::Ed25519(SigningKey::from_bytes(&seed)),
            Algorithm::HmacSha256 => Self::HmacSha256(seed),
        }
    }

    /// What verifies its tokens.
    pub fn verify_key(&self) -> VerifyKey {
        match self {
            Self::Ed25519(key) => VerifyKey::Ed25519(key.verifying_key()),
            Self::HmacSha256(secret) => VerifyKey::HmacSha256(*secret),
        }
    }

    /// The public key, where there is one.
    pub fn public_key(&self) -> Option<[u8; 32]> {
        match self {
            Self::Ed25519(key) => Some(key.verifying_key().to_bytes()),
            Self::HmacSha256(_) => None,
        }
    }

    /// Signs `grant` with this key, called `key_no`, in `format`.
    pub fn sign(&self, format: Format, key_no: KeyNo, grant: &Grant) -> String {
        match format {
            Format::Compact => compact::sign(self, key_no, grant),
            Format::Jwt => jwt::sign(self, key_no, grant),
        }
    }

    fn tag(&self, domain: &[u8], message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => key.sign(&[domain, message].concat()).to_bytes().to_vec(),
            Self::HmacSha256(secret) => hmac_sha256(secret, &[domain, message]).to_vec(),
        }
    }
}

/// One key of the ring.
#[derive(Clone)]
pub struct RingKey {
    /// What it verifies with.
    pub key: VerifyKey,
    /// The moment from which its tokens are refused.
    pub not_after: Option<UnixMs>,
}

/// The keys that tokens are checked against, by event and key number.
#[derive(Clone, Default)]
pub struct KeyRing {
    keys: BTreeMap<(EventNo, KeyNo), RingKey>,
    /// Secrets behind rotating codes, on servers.
    rotation: BTreeMap<EventNo, [u8; 32]>,
    /// Keys of anonymous tickets, by how codes name them.
    issuers: BTreeMap<(EventNo, [u8; anonymous::SHORT_KEY_BYTES]), IssuerKey>,
}

impl KeyRing {
    /// Adds a key, in the place of one of the same name.
    pub fn add(&mut self, event: EventNo, key_no: KeyNo, key: RingKey) {
        self.keys.insert((event, key_no), key);
    }

    /// Adds the secret behind an event's rotating codes; only servers have it.
    pub fn add_rotation(&mut self, event: EventNo, secret: [u8; 32]) {
        self.rotation.insert(event, secret);
    }

    /// Adds a key of anonymous tickets.
    pub fn add_issuer(&mut self, key: IssuerKey) {
        self.issuers.insert((key.terms().event, key.short_id()), key);
    }

    /// Keys of an event's anonymous tickets.
    pub fn issuers(&self, event: EventNo) -> impl Iterator<Item = &IssuerKey> {
        self.issuers.iter().filter(move |((of, _), _)| *of == event).map(|(_, key)| key)
    }

    /// Reads `code` and checks that it is a genuine ticket for `event`; touches nothing but memory.
    ///
    /// Order: length, form, event, key, signature. No field is believed before the signature holds;
    /// a token that *says* it is for another event is refused unread, which needs no belief.
    pub fn verify(&self, event: EventNo, code: &str, now: UnixMs) -> Result<Verified, Invalid> {
        self.verify_answer(event, code, None, now)
    }

    /// Like [`Self::verify`], for a gate that asked the wallet to sign a challenge: only the answer to
    /// it is taken.
    pub fn verify_answer(
        &self,
        event: EventNo,
        code: &str,
        challenge: Option<&Challenge>,
        now: UnixMs,
    ) -> Result<Verified, Invalid> {
        if code.len() > CODE_BYTES_MAX {
            return Err(Invalid::TooLong);
        }
        if code.starts_with(compact::PREFIX) {
            let token = compact::Unverified::read(code).ok_or(Invalid::Malformed)?;
            let key = self.key(event, token.grant.event, token.key_no, now)?;
            token.check(key)?;
            unchallenged(challenge)?;
            Ok(Self::verified(token.grant, None, false))
        } else if code.starts_with(rotating::PREFIX) {
            let token = rotating::Unverified::read(code).ok_or(Invalid::Malformed)?;
            token.check_issuer(self.key(event, token.grant.event, token.key_no, now)?)?;
            let epoch = token.check_holder(self.rotation.get(&event), challenge, now)?;
            Ok(Self::verified(token.grant, epoch, false))
        } else if code.starts_with(anonymous::PREFIX) {
            let token = anonymous::Unverified::read(code).ok_or(Invalid::Malformed)?;
            let key = self.issuer(event, token.key, now)?;
            let grant = key.check(&token)?;
            token.check_holder(&grant, challenge)?;
            Ok(Self::verified(grant, None, true))
        } else {
            let token = jwt::Unverified::read(code).ok_or(Invalid::Malformed)?;
            let key = self.key(event, token.event, token.key_no, now)?;
            let grant = token.check(key)?;
            unchallenged(challenge)?;
            Ok(Self::verified(grant, None, false))
        }
    }

    /// What a compact code for `event` claims to grant, signature unread: enough to refuse a ticket
    /// that is known to be spent, and for nothing else.
    pub fn claimed(event: EventNo, code: &str) -> Option<Grant> {
        if code.len() > CODE_BYTES_MAX {
            return None;
        }
        let grant = compact::Unverified::read(code)?.grant;
        (grant.event == event).then_some(grant)
    }

    fn key(
        &self,
        wanted: EventNo,
        named: EventNo,
        key_no: KeyNo,
        now: UnixMs,
    ) -> Result<&VerifyKey, Invalid> {
        if named != wanted {
            return Err(Invalid::WrongEvent);
        }
        let entry = self.keys.get(&(named, key_no)).ok_or(Invalid::UnknownKey)?;
        if entry.not_after.is_some_and(|end| now >= end) {
            return Err(Invalid::RetiredKey);
        }
        Ok(&entry.key)
    }

    /// The key of an anonymous code. Its name does not tell the event: one that is known, but of another
    /// event, is told as such.
    fn issuer(
        &self,
        event: EventNo,
        name: [u8; anonymous::SHORT_KEY_BYTES],
        now: UnixMs,
    ) -> Result<&IssuerKey, Invalid> {
        let Some(key) = self.issuers.get(&(event, name)) else {
            let elsewhere = self.issuers.keys().any(|(_, known)| *known == name);
            return Err(if elsewhere { Invalid::WrongEvent } else { Invalid::UnknownKey });
        };
        if key.is_over(now) { Err(Invalid::RetiredKey) } else { Ok(key) }
    }

    fn verified(grant: Grant, epoch: Option<u32>, anonymous: bool) -> Verified {
        Verified { grant, digest: grant.digest(), epoch, anonymous }
    }
}

/// A code that never changes answers no challenge.
fn unchallenged(challenge: Option<&Challenge>) -> Result<(), Invalid> {
    if challenge.is_some() { Err(Invalid::ProofInvalid) } else { Ok(()) }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) const EVENT: EventNo = EventNo(7);
    const NOW: UnixMs = UnixMs(1_700_000_000_000);

    pub(crate) fn secret(algorithm: Algorithm) -> SigningSecret {
        SigningSecret::from_seed(algorithm, [42; 32])
    }

    pub(crate) fn ring(algorithm: Algorithm) -> KeyRing {
        let mut ring = KeyRing::default();
        ring.add(EVENT, KeyNo(1), RingKey { key: secret(algorithm).verify_key(), not_after: None });
        ring
    }

    fn code(format: Format, algorithm: Algorithm, grant: &Grant) -> String {
        secret(algorithm).sign(format, KeyNo(1), grant)
    }

    prop_compose! {
        fn grants()(ticket: u64, type_no: u8, not_before_s: u32, expires_s: u32, max_uses: u8, gates: u16) -> Grant {
            Grant {
                event: EVENT,
                ticket: TicketId(ticket),
                type_no: TypeNo(type_no),
                not_before_s,
                expires_s,
                max_uses,
                gates: GateSet(gates),
            }
        }
    }

    fn kinds() -> impl Strategy<Value = (Format, Algorithm)> {
        (
            prop_oneof![Just(Format::Compact), Just(Format::Jwt)],
            prop_oneof![Just(Algorithm::Ed25519), Just(Algorithm::HmacSha256)],
        )
    }

    proptest! {
        #[test]
        fn a_signed_grant_verifies_to_itself((format, algorithm) in kinds(), grant in grants()) {
            let verified = ring(algorithm).verify(EVENT, &code(format, algorithm, &grant), NOW);
            prop_assert_eq!(verified.map(|v| *v.grant()), Ok(grant));
        }

        #[test]
        fn every_format_gives_the_same_digest(grant in grants()) {
            let of = |format| {
                ring(Algorithm::Ed25519)
                    .verify(EVENT, &code(format, Algorithm::Ed25519, &grant), NOW)
                    .map(|v| v.digest())
            };
            prop_assert_eq!(of(Format::Compact), of(Format::Jwt));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,300}") {
            let _ = ring(Algorithm::Ed25519).verify(EVENT, &text, NOW);
            let _ = ring(Algorithm::Ed25519).verify(EVENT, &format!("A1:{text}"), NOW);
        }

        #[test]
        fn a_changed_character_is_refused((format, algorithm) in kinds(), grant in grants(), place: prop::sample::Index, letter in "[0-9A-Za-z._-]") {
            let good = code(format, algorithm, &grant);
            let at = place.index(good.len());
            let mut bad = good.clone();
            bad.replace_range(at..=at, &letter);
            prop_assume!(bad != good);
            prop_assert!(ring(algorithm).verify(EVENT, &bad, NOW).is_err());
        }

        #[test]
        fn a_truncated_code_is_refused((format, algorithm) in kinds(), grant in grants(), place: prop::sample::Index) {
            let good = code(format, algorithm, &grant);
            let at = place.index(good.len());
            prop_assert!(ring(algorithm).verify(EVENT, &good[..at], NOW).is_err());
        }
    }

    fn grant() -> Grant {
        Grant {
            event: EVENT,
            ticket: TicketId(0x0123_4567_89AB_CDEF),
            type_no: TypeNo(1),
            not_before_s: 0,
            expires_s: 0,
            max_uses: 1,
            gates: GateSet::ANY,
        }
    }

    #[test]
    fn every_single_bit_change_of_a_compact_ticket_is_refused() {
        let good = code(Format::Compact, Algorithm::Ed25519, &grant());
        let bytes = crate::base45::decode(&good[3..]).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let text = format!("A1:{}", crate::base45::encode(&bad));
            assert!(ring(Algorithm::Ed25519).verify(EVENT, &text, NOW).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_compact_ticket_fits_the_smallest_screen_symbol() {
        // QR version 6 at level M holds 154 alphanumeric characters.
        assert_eq!(code(Format::Compact, Algorithm::Ed25519, &grant()).len(), 138);
    }

    #[test]
    fn a_code_for_another_event_is_told_apart_from_a_forged_one() {
        let code = code(Format::Compact, Algorithm::Ed25519, &grant());
        let other = ring(Algorithm::Ed25519).verify(EventNo(8), &code, NOW);
        assert_eq!(other, Err(Invalid::WrongEvent));
    }

    #[test]
    fn an_over_long_code_is_refused_unread() {
        let long = "A".repeat(CODE_BYTES_MAX + 1);
        assert_eq!(ring(Algorithm::Ed25519).verify(EVENT, &long, NOW), Err(Invalid::TooLong));
    }

    #[test]
    fn a_retired_key_verifies_until_its_date() {
        let mut ring = KeyRing::default();
        let key = secret(Algorithm::Ed25519).verify_key();
        ring.add(EVENT, KeyNo(1), RingKey { key, not_after: Some(NOW) });
        let code = code(Format::Compact, Algorithm::Ed25519, &grant());
        assert!(ring.verify(EVENT, &code, NOW.plus(-1)).is_ok());
        assert_eq!(ring.verify(EVENT, &code, NOW), Err(Invalid::RetiredKey));
    }

    #[test]
    fn a_device_without_the_secret_says_that_it_cannot_tell() {
        let mut ring = KeyRing::default();
        ring.add(EVENT, KeyNo(1), RingKey { key: VerifyKey::Elsewhere, not_after: None });
        let code = code(Format::Jwt, Algorithm::HmacSha256, &grant());
        assert_eq!(ring.verify(EVENT, &code, NOW), Err(Invalid::KeyNotHere));
    }
}
