//! The same grant as a JSON Web Token (RFC 7519, compact JWS of RFC 7515; `EdDSA` of RFC 8037, HS256
//! of RFC 7518), for events that want tickets other software can read.
//!
//! `kid` is `<event>.<key>`. It picks the key, and the key fixes the algorithm; `alg` in the header
//! must agree with it and is otherwise not used.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use super::{Algorithm, Grant, Invalid, SigningSecret, VerifyKey};
use crate::id::{EventNo, GateSet, KeyNo, TicketId, TypeNo};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

/// The claims. Times are required to be numbers: a string where a number belongs is an error, not
/// an absent bound (CVE-2026-25537 was that mistake elsewhere).
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    /// Ticket number.
    jti: String,
    /// Event number.
    eid: u32,
    /// Attendee reference: the ticket's digest, which names nobody.
    r#ref: String,
    /// Ticket type.
    typ: u8,
    nbf: u32,
    exp: u32,
    /// Entries, 0 for any number.
    max: u8,
    /// Gate set, one bit a gate, 0 for any.
    gts: u16,
}

/// A token that was read and not yet believed.
pub(super) struct Unverified<'a> {
    pub(super) event: EventNo,
    pub(super) key_no: KeyNo,
    alg: String,
    signed: &'a str,
    claims: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

impl<'a> Unverified<'a> {
    pub(super) fn read(code: &'a str) -> Option<Self> {
        let (signed, signature) = code.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Header = serde_json::from_slice(&base64url(header)?).ok()?;
        let (event, key) = header.kid.split_once('.')?;
        Some(Self {
            event: EventNo(event.parse().ok()?),
            key_no: KeyNo(key.parse().ok()?),
            alg: header.alg,
            signed,
            claims: base64url(claims)?,
            signature: base64url(signature)?,
        })
    }

    pub(super) fn check(&self, key: &VerifyKey) -> Result<Grant, Invalid> {
        let wanted = match key.algorithm() {
            Algorithm::Ed25519 => 64,
            Algorithm::HmacSha256 => 32,
        };
        if self.alg != alg(key.algorithm()) || self.signature.len() != wanted {
            return Err(Invalid::Forged);
        }
        key.check(b"", self.signed.as_bytes(), &self.signature)?;
        self.grant().ok_or(Invalid::Malformed)
    }

    /// The claims as a grant; none when they are not ones that we would have signed.
    fn grant(&self) -> Option<Grant> {
        let claims: Claims = serde_json::from_slice(&self.claims).ok()?;
        let grant = Grant {
            event: EventNo(claims.eid),
            ticket: TicketId::parse_number(&claims.jti)?,
            type_no: TypeNo(claims.typ),
            not_before_s: claims.nbf,
            expires_s: claims.exp,
            max_uses: claims.max,
            gates: GateSet(claims.gts),
        };
        (grant.event == self.event && claims.r#ref == grant.digest().to_string()).then_some(grant)
    }
}

pub(super) fn sign(secret: &SigningSecret, key_no: KeyNo, grant: &Grant) -> String {
    let header = Header {
        alg: alg(secret.verify_key().algorithm()).to_owned(),
        typ: "JWT".to_owned(),
        kid: format!("{}.{}", grant.event.0, key_no.0),
    };
    let claims = Claims {
        jti: grant.ticket.to_string(),
        eid: grant.event.0,
        r#ref: grant.digest().to_string(),
        typ: grant.type_no.0,
        nbf: grant.not_before_s,
        exp: grant.expires_s,
        max: grant.max_uses,
        gts: grant.gates.0,
    };
    let signed = format!("{}.{}", json_segment(&header), json_segment(&claims));
    let signature = secret.tag(b"", signed.as_bytes());
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
}

fn alg(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Ed25519 => "EdDSA",
        Algorithm::HmacSha256 => "HS256",
    }
}

fn base64url(text: &str) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(text.as_bytes()).ok()
}

fn json_segment(value: &impl Serialize) -> String {
    // Serialising plain structs of strings and numbers cannot fail.
    BASE64URL_NOPAD.encode(&serde_json::to_vec(value).unwrap_or_default())
}
