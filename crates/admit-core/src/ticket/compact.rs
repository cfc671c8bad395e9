//! The compact token `A1:` — 26 fixed bytes and a signature, base45 (docs/formats/ticket.md).

use super::{Algorithm, Grant, Invalid, SigningSecret, VerifyKey};
use crate::base45;
use crate::id::{EventNo, GateSet, KeyNo, TicketId, TypeNo};

/// What every compact code starts with; all of it is in the QR alphanumeric set.
pub const PREFIX: &str = "A1:";

/// Signed in front of the body, but not sent: a signature for one purpose is good for no other.
pub(super) const DOMAIN: &[u8] = b"admit-one/ticket/v1\0";
const VERSION: u8 = 1;
pub(super) const BODY_BYTES: usize = 26;
/// Bytes of the HMAC tag: 128 bits, far beyond guessing even offline.
const TAG_BYTES: usize = 16;
pub(super) const SIGNATURE_BYTES: usize = 64;

/// A token that was read and not yet believed.
pub(super) struct Unverified {
    pub(super) grant: Grant,
    pub(super) key_no: KeyNo,
    body: [u8; BODY_BYTES],
    pub(super) signature: Vec<u8>,
}

impl Unverified {
    pub(super) fn read(code: &str) -> Option<Self> {
        let bytes = base45::decode(code.strip_prefix(PREFIX)?)?;
        let (body, signature) = bytes.split_first_chunk::<BODY_BYTES>()?;
        let (version, key_no, grant) = read_body(body)?;
        (version == VERSION).then(|| Self {
            grant,
            key_no,
            body: *body,
            signature: signature.to_vec(),
        })
    }

    pub(super) fn check(&self, key: &VerifyKey) -> Result<(), Invalid> {
        let wanted = match key.algorithm() {
            Algorithm::Ed25519 => SIGNATURE_BYTES,
            Algorithm::HmacSha256 => TAG_BYTES,
        };
        if self.signature.len() != wanted {
            return Err(Invalid::Forged);
        }
        key.check(DOMAIN, &self.body, &self.signature)
    }
}

pub(super) fn sign(secret: &SigningSecret, key_no: KeyNo, grant: &Grant) -> String {
    let body = write_body(VERSION, key_no, grant);
    let mut signature = secret.tag(DOMAIN, &body);
    if matches!(secret, SigningSecret::HmacSha256(_)) {
        signature.truncate(TAG_BYTES);
    }
    format!("{PREFIX}{}", base45::encode(&[body.as_slice(), &signature].concat()))
}

pub(super) fn write_body(version: u8, key_no: KeyNo, grant: &Grant) -> Vec<u8> {
    let mut body = vec![version, key_no.0];
    body.extend(grant.event.0.to_be_bytes());
    body.extend(grant.ticket.0.to_be_bytes());
    body.extend(grant.not_before_s.to_be_bytes());
    body.extend(grant.expires_s.to_be_bytes());
    body.extend([grant.max_uses, grant.type_no.0]);
    body.extend(grant.gates.0.to_be_bytes());
    body
}

pub(super) fn read_body(body: &[u8; BODY_BYTES]) -> Option<(u8, KeyNo, Grant)> {
    let rest = body.as_slice();
    let ([version, key_no], rest) = rest.split_first_chunk()?;
    let (event, rest) = rest.split_first_chunk()?;
    let (ticket, rest) = rest.split_first_chunk()?;
    let (not_before, rest) = rest.split_first_chunk()?;
    let (expires, rest) = rest.split_first_chunk()?;
    let ([max_uses, type_no], rest) = rest.split_first_chunk()?;
    let (gates, _) = rest.split_first_chunk()?;
    let grant = Grant {
        event: EventNo(u32::from_be_bytes(*event)),
        ticket: TicketId(u64::from_be_bytes(*ticket)),
        type_no: TypeNo(*type_no),
        not_before_s: u32::from_be_bytes(*not_before),
        expires_s: u32::from_be_bytes(*expires),
        max_uses: *max_uses,
        gates: GateSet(u16::from_be_bytes(*gates)),
    };
    Some((*version, KeyNo(*key_no), grant))
}
