//! Tickets whose code changes every few seconds (`R1:`): the issuer's signed part, and a proof of
//! possession over the time or over a gate's challenge (docs/formats/rotating.md).
//!
//! Two layers, as in the rail's dynamic barcodes (UIC FCB): what the issuer signed never changes,
//! what the holder adds is good for one epoch. With a *device key* any gate can check both; with a
//! *shared secret* only the server can.

use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use subtle::ConstantTimeEq;

use super::compact::{self, BODY_BYTES, DOMAIN, SIGNATURE_BYTES};
use super::{Grant, Invalid, SigningSecret, VerifyKey};
use crate::base45;
use crate::id::{EventNo, GateNo, KeyNo, TicketId, UnixMs, hmac_sha256};

/// What every rotating code starts with.
pub const PREFIX: &str = "R1:";
/// How often a code may change, in seconds. The order is part of the format.
pub const INTERVALS_S: [u8; 5] = [15, 20, 30, 45, 60];
/// Bytes of a compressed P-256 point (SEC 1).
pub const DEVICE_KEY_BYTES: usize = 33;
/// Bytes of a gate's challenge.
pub const CHALLENGE_BYTES: usize = 8;

const POSSESSION: &[u8] = b"admit-one/rot/v1\0";
const RELEASE: &[u8] = b"admit-one/move/v1\0";
const SHARED_VERSION: u8 = 2;
const DEVICE_VERSION: u8 = 3;
/// Bytes of a proof with a shared secret: 64 bits, good for less than three intervals.
const TAG_BYTES: usize = 8;
/// In the place of an epoch: the proof is over a gate's challenge.
const CHALLENGED: u32 = u32::MAX;

/// By what a holder shows that the ticket is theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// A secret that wallet and server share.
    Shared,
    /// A key that never leaves the wallet: its public part (compressed P-256).
    Device([u8; DEVICE_KEY_BYTES]),
}

/// By what the tickets of a type are bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A secret that wallet and server share: small codes, which only the server can check.
    Shared,
    /// A key that never leaves the wallet: any gate can check it.
    Device,
}

impl Kind {
    /// Its code in the API and the database.
    pub fn code(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Device => "device",
        }
    }

    /// The kind with this code.
    pub fn parse(code: &str) -> Option<Self> {
        [Self::Shared, Self::Device].into_iter().find(|kind| kind.code() == code)
    }
}

/// How a ticket's code changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Seconds between changes: one of [`INTERVALS_S`].
    pub interval_s: u8,
    /// By what it is bound.
    pub binding: Binding,
}

/// What a gate asked the wallet to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Drawn by the gate for this one answer.
    pub nonce: [u8; CHALLENGE_BYTES],
    /// Where it was asked.
    pub gate: GateNo,
}

/// The epoch of a moment: intervals since 1970.
pub fn epoch(at: UnixMs, interval_s: u8) -> u32 {
    let seconds = at.0.div_euclid(1000);
    u32::try_from(seconds.div_euclid(i64::from(interval_s.max(1)))).unwrap_or(0)
}

/// The secret of one ticket, from that of its event.
pub fn ticket_secret(event_secret: &[u8; 32], event: EventNo, ticket: TicketId) -> [u8; 32] {
    let (event, ticket) = (event.0.to_be_bytes(), ticket.0.to_be_bytes());
    hmac_sha256(event_secret, &[b"admit-one/rot key/v1\0", &event, &ticket])
}

/// The proof with a shared secret for an epoch (seed 002: HMAC over epoch and ticket), 8 bytes.
pub fn shared_proof(secret: &[u8; 32], ticket: TicketId, epoch: u32) -> [u8; TAG_BYTES] {
    let (epoch, ticket) = (epoch.to_be_bytes(), ticket.0.to_be_bytes());
    first_bytes(&hmac_sha256(secret, &[POSSESSION, &epoch, &ticket]))
}

/// The answer with a shared secret to a challenge (seed 002: HMAC over the gate's nonce), 8 bytes.
pub fn shared_answer(
    secret: &[u8; 32],
    event: EventNo,
    ticket: TicketId,
    challenge: &Challenge,
) -> [u8; TAG_BYTES] {
    first_bytes(&hmac_sha256(secret, &[&challenge_message(event, ticket, challenge)]))
}

fn first_bytes(tag: &[u8; 32]) -> [u8; TAG_BYTES] {
    let (short, _) = tag.split_first_chunk().unwrap_or((&[0; TAG_BYTES], &[]));
    *short
}

/// What a device key signs for an epoch.
pub fn possession_message(event: EventNo, ticket: TicketId, epoch: u32) -> Vec<u8> {
    let (event, ticket) = (event.0.to_be_bytes(), ticket.0.to_be_bytes());
    [POSSESSION, &event, &ticket, &epoch.to_be_bytes()].concat()
}

/// What answers a challenge: a device key signs it, a shared secret authenticates it.
pub fn challenge_message(event: EventNo, ticket: TicketId, challenge: &Challenge) -> Vec<u8> {
    let mut message = possession_message(event, ticket, CHALLENGED);
    message.extend(challenge.gate.0.to_be_bytes());
    message.extend(challenge.nonce);
    message
}

/// What a wallet signs to let a ticket go to another phone: `offer` is the hash of what the other one
/// must show.
pub fn release_message(event: EventNo, ticket: TicketId, offer: &[u8; 32]) -> Vec<u8> {
    [RELEASE, &event.0.to_be_bytes(), &ticket.0.to_be_bytes(), offer].concat()
}

/// Whether a release was made by the key in a ticket (33 bytes), over [`release_message`].
pub fn releases(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) =
        (VerifyingKey::from_sec1_bytes(key), Signature::from_slice(signature))
    else {
        return false;
    };
    key.verify(message, &signature).is_ok()
}

/// Whether a release was made with a ticket's secret, over [`release_message`].
pub fn releases_shared(secret: &[u8; 32], message: &[u8], tag: &[u8]) -> bool {
    hmac_sha256(secret, &[message]).ct_eq(tag).into()
}

/// The compressed form of a P-256 public key (SEC 1, either form); none when it is no such key.
pub fn device_key(sec1: &[u8]) -> Option<[u8; DEVICE_KEY_BYTES]> {
    let key = VerifyingKey::from_sec1_bytes(sec1).ok()?;
    key.to_sec1_point(true).as_bytes().try_into().ok()
}

/// The issuer's part of a rotating ticket: body and signature. None when the interval is none of
/// ours, or the key no Ed25519 key: gates must be able to check it.
pub fn head(
    secret: &SigningSecret,
    key_no: KeyNo,
    grant: &Grant,
    rotation: &Rotation,
) -> Option<Vec<u8>> {
    let place = INTERVALS_S.iter().position(|known| *known == rotation.interval_s)?;
    let (version, key): (u8, &[u8]) = match &rotation.binding {
        Binding::Shared => (SHARED_VERSION, &[]),
        Binding::Device(key) => (DEVICE_VERSION, key),
    };
    let version = version | u8::try_from(place).ok()? << 4;
    let mut head = compact::write_body(version, key_no, grant);
    head.extend(key);
    if !matches!(secret, SigningSecret::Ed25519(_)) {
        return None;
    }
    let signature = secret.tag(DOMAIN, &head);
    head.extend(signature);
    Some(head)
}

/// The code with a shared secret's proof.
pub fn shared_code(head: &[u8], epoch: u32, proof: &[u8; TAG_BYTES]) -> String {
    let [_, _, high, low] = epoch.to_be_bytes();
    format!("{PREFIX}{}", base45::encode(&[head, &[high, low], proof].concat()))
}

/// The code with a device key's signature (`r | s`, 64 bytes), over an epoch or, without one, over a
/// challenge.
pub fn device_code(head: &[u8], epoch: Option<u32>, signature: &[u8; SIGNATURE_BYTES]) -> String {
    let epoch = epoch.unwrap_or(CHALLENGED).to_be_bytes();
    format!("{PREFIX}{}", base45::encode(&[head, &epoch, signature].concat()))
}

/// A code that was read and not yet believed.
pub(super) struct Unverified {
    pub(super) grant: Grant,
    pub(super) key_no: KeyNo,
    rotation: Rotation,
    body: Vec<u8>,
    pub(super) signature: Vec<u8>,
    proof: Vec<u8>,
}

impl Unverified {
    pub(super) fn read(code: &str) -> Option<Self> {
        let bytes = base45::decode(code.strip_prefix(PREFIX)?)?;
        let (fixed, _) = bytes.split_first_chunk::<BODY_BYTES>()?;
        let (version, key_no, grant) = compact::read_body(fixed)?;
        let interval_s = *INTERVALS_S.get(usize::from(version >> 4))?;
        let (key_bytes, proof_bytes) = match version & 0x0f {
            SHARED_VERSION => (0, 2 + TAG_BYTES),
            DEVICE_VERSION => (DEVICE_KEY_BYTES, 4 + SIGNATURE_BYTES),
            _ => return None,
        };
        let (body, rest) = bytes.split_at_checked(BODY_BYTES + key_bytes)?;
        let (signature, proof) = rest.split_at_checked(SIGNATURE_BYTES)?;
        let binding = match body.get(BODY_BYTES..)? {
            [] => Binding::Shared,
            key => Binding::Device(key.try_into().ok()?),
        };
        (proof.len() == proof_bytes).then(|| Self {
            grant,
            key_no,
            rotation: Rotation { interval_s, binding },
            body: body.to_vec(),
            signature: signature.to_vec(),
            proof: proof.to_vec(),
        })
    }

    /// The issuer's signature.
    pub(super) fn check_issuer(&self, key: &VerifyKey) -> Result<(), Invalid> {
        match key {
            VerifyKey::Ed25519(_) => key.check(DOMAIN, &self.body, &self.signature),
            // No other key signs such tickets.
            VerifyKey::HmacSha256(_) | VerifyKey::Elsewhere => Err(Invalid::Forged),
        }
    }

    /// The holder's proof; the epoch it is for, or none when it answers `challenge`.
    pub(super) fn check_holder(
        &self,
        event_secret: Option<&[u8; 32]>,
        challenge: Option<&Challenge>,
        now: UnixMs,
    ) -> Result<Option<u32>, Invalid> {
        let current = epoch(now, self.rotation.interval_s);
        let epoch = match self.rotation.binding {
            Binding::Shared => {
                let secret = event_secret.ok_or(Invalid::KeyNotHere)?;
                let (event, ticket) = (self.grant.event, self.grant.ticket);
                let secret = ticket_secret(secret, event, ticket);
                if let Some(challenge) = challenge {
                    let wanted = shared_answer(&secret, event, ticket, challenge);
                    return self.check_tag(wanted).map(|()| None);
                }
                self.check_shared(&secret, current)?
            }
            Binding::Device(key) => match self.check_device(&key, challenge)? {
                CHALLENGED => return Ok(None),
                epoch => epoch,
            },
        };
        // A gate that asked for an answer takes no other code.
        if challenge.is_some() {
            return Err(Invalid::ProofInvalid);
        }
        if epoch.saturating_add(1) < current {
            return Err(Invalid::EpochStale);
        }
        if epoch > current.saturating_add(1) {
            return Err(Invalid::EpochAhead);
        }
        Ok(Some(epoch))
    }

    fn check_shared(&self, secret: &[u8; 32], current: u32) -> Result<u32, Invalid> {
        let (low, _) = self.proof.split_first_chunk().ok_or(Invalid::Malformed)?;
        let epoch = nearest(u16::from_be_bytes(*low), current);
        self.check_tag(shared_proof(secret, self.grant.ticket, epoch)).map(|()| epoch)
    }

    /// Compares the tag behind the two bytes of the epoch; those of an answer are `ffff` and mean
    /// nothing, for another message is authenticated.
    fn check_tag(&self, wanted: [u8; TAG_BYTES]) -> Result<(), Invalid> {
        let (_, tag) = self.proof.split_first_chunk::<2>().ok_or(Invalid::Malformed)?;
        if bool::from(wanted.ct_eq(tag)) { Ok(()) } else { Err(Invalid::ProofInvalid) }
    }

    fn check_device(
        &self,
        key: &[u8; DEVICE_KEY_BYTES],
        challenge: Option<&Challenge>,
    ) -> Result<u32, Invalid> {
        let (epoch, signature) = self.proof.split_first_chunk().ok_or(Invalid::Malformed)?;
        let epoch = u32::from_be_bytes(*epoch);
        let (event, ticket) = (self.grant.event, self.grant.ticket);
        let message = match (epoch, challenge) {
            (CHALLENGED, Some(challenge)) => challenge_message(event, ticket, challenge),
            (CHALLENGED, None) => return Err(Invalid::ProofInvalid),
            (epoch, _) => possession_message(event, ticket, epoch),
        };
        let key = VerifyingKey::from_sec1_bytes(key).map_err(|_| Invalid::ProofInvalid)?;
        let signature = Signature::from_slice(signature).map_err(|_| Invalid::ProofInvalid)?;
        key.verify(&message, &signature).map_err(|_| Invalid::ProofInvalid)?;
        Ok(epoch)
    }
}

/// The epoch nearest to `current` with these low bits.
fn nearest(low: u16, current: u32) -> u32 {
    let [_, _, high_now, low_now] = current.to_be_bytes();
    let ahead = low.wrapping_sub(u16::from_be_bytes([high_now, low_now]));
    if ahead < 0x8000 {
        current.wrapping_add(u32::from(ahead))
    } else {
        current.wrapping_sub(0x1_0000 - u32::from(ahead))
    }
}

#[cfg(test)]
mod tests;
