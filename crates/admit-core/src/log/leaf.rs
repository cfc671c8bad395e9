//! Leaves of the audit log: what happened, told so that everybody can count it and only those whom
//! it concerns can read it.
//!
//! A leaf is `version u8 | kind u8 | at u64 | refers u64 | tag[32] | commit[32] | body`, big-endian.
//! What it is about is only committed to: `commit` is SHA-256 over a label and the *opening*, which
//! begins with a salt. `tag` is a keyed hash of what must not happen twice, so that a repetition
//! shows. Format: `docs/formats/log.md`.

use std::fmt;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::id::{
    DeviceNo, Digest, EventNo, GateNo, KeyNo, ScanId, TicketId, TypeNo, UnixMs, hmac_sha256,
};
use crate::reason::Reason;
use crate::ticket::Algorithm;
use crate::ticket::anonymous::IssuerTerms;

/// The version of the layout.
const VERSION: u8 = 1;
/// Bytes before the body.
const HEAD_BYTES: usize = 1 + 1 + 8 + 8 + 32 + 32;
/// Longest body, in bytes.
pub const BODY_BYTES_MAX: usize = 1024;
/// In `refers`: no earlier leaf.
const NOTHING: u64 = u64::MAX;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $number:literal, $code:literal;)*) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// Its number in a leaf.
            pub fn number(self) -> u8 {
                match self {
                    $(Self::$kind => $number,)*
                }
            }

            /// Its code in the API.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$kind => $code,)*
                }
            }
        }
    };
}

kinds! {
    /// The log begins; the body is its origin.
    Genesis = 1, "genesis";
    /// A signing key was added or changed; the body says which.
    Key = 2, "key";
    /// A ticket was issued.
    Issue = 3, "issue";
    /// Somebody was let in.
    Admit = 4, "admit";
    /// Somebody with a genuine ticket was not let in.
    Refuse = 5, "refuse";
    /// An entry was taken back; refers to it.
    Undo = 6, "undo";
    /// A ticket was withdrawn.
    Revoke = 7, "revoke";
    /// A withdrawn ticket was made good again.
    Reinstate = 8, "reinstate";
    /// A gate brought the proof of an entry made without the server.
    Import = 9, "import";
    /// A gate brought the proof of an entry that the ticket was no longer good for.
    Conflict = 10, "conflict";
    /// The database was set back to an older state; the body is the last checkpoint before that.
    Rollback = 11, "rollback";
    /// A ticket whose code changes was bound to a wallet; refers to its issue.
    Bind = 12, "bind";
    /// Somebody was let out.
    Exit = 13, "exit";
    /// A ticket went to another holder or another phone; refers to its issue.
    Transfer = 14, "transfer";
    /// A key of anonymous tickets was added or changed; the body says which, and for what.
    Issuer = 15, "issuer_key";
    /// An anonymous ticket was signed, unseen.
    BlindSign = 16, "blind_sign";
    /// An anonymous ticket was exchanged for another, whose issue refers to this.
    Exchange = 17, "exchange";
    /// An anonymous ticket was withdrawn by its number.
    Withdraw = 18, "withdraw";
}

impl Kind {
    /// The kind with this number.
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.number() == number)
    }
}

/// Secret of one event's log: makes tags and salts. Whoever has it can read which ticket a leaf is
/// about; give it to an auditor after the event, to nobody before.
#[derive(Clone, Copy)]
pub struct LogKey(pub [u8; 32]);

impl fmt::Debug for LogKey {
    /// Shows nothing: it is a secret.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("LogKey")
    }
}

impl LogKey {
    /// The key of one event, from the secret of the installation.
    pub fn derive(secret: &[u8; 32], event: EventNo) -> Self {
        Self(hmac_sha256(secret, &[b"admit-one/log key/v1\0", &event.0.to_be_bytes()]))
    }
}

/// What a leaf is about; zero and nothing where a kind has no such thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Details {
    /// The ticket.
    pub ticket: TicketId,
    /// Its name in the spend table.
    pub digest: Digest,
    /// Its type.
    pub type_no: TypeNo,
    /// The gate.
    pub gate: GateNo,
    /// The device.
    pub device: DeviceNo,
    /// The scan.
    pub scan: ScanId,
    /// Which use of the ticket.
    pub use_no: u32,
    /// Why it was refused.
    pub reason: Option<Reason>,
}

impl Details {
    /// A ticket, and nothing else.
    pub fn of(ticket: TicketId, digest: Digest, type_no: TypeNo) -> Self {
        Self {
            ticket,
            digest,
            type_no,
            gate: GateNo(0),
            device: DeviceNo(0),
            scan: ScanId([0; 16]),
            use_no: 0,
            reason: None,
        }
    }

    /// The canonical bytes: `ticket u64 | digest[32] | type u8 | gate u16 | device i64 | scan[16] |
    /// use u32 | reason` (its code in ASCII, to the end).
    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(96);
        bytes.extend(self.ticket.0.to_be_bytes());
        bytes.extend(self.digest.0);
        bytes.push(self.type_no.0);
        bytes.extend(self.gate.0.to_be_bytes());
        bytes.extend(self.device.0.to_be_bytes());
        bytes.extend(self.scan.0);
        bytes.extend(self.use_no.to_be_bytes());
        bytes.extend(self.reason.map_or("", Reason::code).as_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let details = Self {
            ticket: TicketId(u64::from_be_bytes(take(&mut rest)?)),
            digest: Digest(take(&mut rest)?),
            type_no: TypeNo(u8::from_be_bytes(take(&mut rest)?)),
            gate: GateNo(u16::from_be_bytes(take(&mut rest)?)),
            device: DeviceNo(i64::from_be_bytes(take(&mut rest)?)),
            scan: ScanId(take(&mut rest)?),
            use_no: u32::from_be_bytes(take(&mut rest)?),
            reason: None,
        };
        let reason = match std::str::from_utf8(rest).ok()? {
            "" => None,
            code => Some(Reason::parse(code)?),
        };
        Some(Self { reason, ..details })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}

/// Something that happened to a ticket, to be written as a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What.
    pub kind: Kind,
    /// When.
    pub at: UnixMs,
    /// The earlier leaf it is about, if any.
    pub refers: Option<u64>,
    /// To what and where.
    pub details: Details,
}

impl Fact {
    /// The leaf.
    pub fn leaf(&self, key: &LogKey) -> Leaf {
        Leaf {
            kind: self.kind,
            at: self.at,
            refers: self.refers,
            tag: self.tag(key),
            commit: commit(&self.opening(key)),
            body: Vec::new(),
        }
    }

    /// What opens the leaf's commitment: 32 bytes of salt and the details. For those whom it
    /// concerns.
    pub fn opening(&self, key: &LogKey) -> Vec<u8> {
        let details = self.details.to_bytes();
        let head = [self.kind.number()];
        let at = self.at.0.to_be_bytes();
        let mut opening = hmac_sha256(&key.0, &[b"salt\0", &head, &at, &details]).to_vec();
        opening.extend(details);
        opening
    }

    /// The same for the same use of the same ticket; different for everything that may well happen
    /// twice, so that it does not tell that two leaves are about one ticket.
    fn tag(&self, key: &LogKey) -> [u8; 32] {
        let details = &self.details;
        let kind = [self.kind.number()];
        let ticket = details.ticket.0.to_be_bytes();
        let use_no = details.use_no.to_be_bytes();
        // An entry is one entry, wherever it was decided.
        let once_kind = [if self.kind == Kind::Import { Kind::Admit } else { self.kind }.number()];
        match self.kind {
            Kind::Issue | Kind::Admit | Kind::Import | Kind::Exchange => {
                hmac_sha256(&key.0, &[b"tag\0", &once_kind, &ticket, &use_no])
            }
            _ => {
                let (at, device) = (self.at.0.to_be_bytes(), details.device.0.to_be_bytes());
                let scan = &details.scan.0;
                hmac_sha256(&key.0, &[b"tag\0", &kind, &ticket, &use_no, &at, &device, scan])
            }
        }
    }
}

/// What a leaf commits to, for an opening.
fn commit(opening: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(b"admit-one/leaf/v1\0").chain_update(opening).finalize().into()
}

/// A leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// What happened.
    pub kind: Kind,
    /// When.
    pub at: UnixMs,
    /// The earlier leaf it is about, if any.
    pub refers: Option<u64>,
    /// Keyed hash of what must not happen twice; zero for kinds with a body.
    pub tag: [u8; 32],
    /// Commitment to the details; zero for kinds with a body.
    pub commit: [u8; 32],
    /// What is public: the origin, a key, a checkpoint.
    pub body: Vec<u8>,
}

/// Why bytes are no leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LeafError {
    /// Too short or too long.
    #[error("a leaf of the wrong length")]
    Length,
    /// Another version.
    #[error("a leaf of an unknown version")]
    Version,
    /// Another kind.
    #[error("a leaf of an unknown kind")]
    Kind,
    /// A time before 1970.
    #[error("a leaf with an impossible time")]
    Time,
}

impl Leaf {
    /// A leaf about something public.
    fn public(kind: Kind, at: UnixMs, body: Vec<u8>) -> Self {
        Self { kind, at, refers: None, tag: [0; 32], commit: [0; 32], body }
    }

    /// The first leaf of a log.
    pub fn genesis(origin: &str, at: UnixMs) -> Self {
        Self::public(Kind::Genesis, at, origin.as_bytes().to_vec())
    }

    /// A signing key: `number u8 | algorithm u8 (1 Ed25519, 2 HMAC) | retired_at i64 | not_after i64 |
    /// public key`; the ends are -1 for none, and a secret key shows nothing of itself.
    pub fn key(
        number: KeyNo,
        algorithm: Algorithm,
        ends: (Option<UnixMs>, Option<UnixMs>),
        public_key: Option<[u8; 32]>,
        at: UnixMs,
    ) -> Self {
        let algorithm = match algorithm {
            Algorithm::Ed25519 => 1,
            Algorithm::HmacSha256 => 2,
        };
        let mut body = vec![number.0, algorithm];
        for end in [ends.0, ends.1] {
            body.extend(end.map_or(-1, |at| at.0).to_be_bytes());
        }
        body.extend(public_key.unwrap_or_default().iter().filter(|_| public_key.is_some()));
        Self::public(Kind::Key, at, body)
    }

    /// A key of anonymous tickets: `key_id[32] | type u8 | day i32 (days since 1970, -1 for none) |
    /// not_before u32 | expires u32 | max_uses u8 | gates u16 | retired_at i64 (-1 for none) |
    /// SubjectPublicKeyInfo`.
    pub fn issuer(
        (key_id, spki): (&[u8; 32], &[u8]),
        terms: &IssuerTerms,
        day: Option<i32>,
        retired_at: Option<UnixMs>,
        at: UnixMs,
    ) -> Self {
        let mut body = key_id.to_vec();
        body.push(terms.type_no.0);
        body.extend(day.unwrap_or(-1).to_be_bytes());
        body.extend(terms.not_before_s.to_be_bytes());
        body.extend(terms.expires_s.to_be_bytes());
        body.push(terms.max_uses);
        body.extend(terms.gates.0.to_be_bytes());
        body.extend(retired_at.map_or(-1, |at| at.0).to_be_bytes());
        body.extend(spki);
        Self::public(Kind::Issuer, at, body)
    }

    /// The database is older than the last checkpoint that was signed.
    pub fn rollback(checkpoint: &str, at: UnixMs) -> Self {
        let body = checkpoint.bytes().take(BODY_BYTES_MAX).collect();
        Self::public(Kind::Rollback, at, body)
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + self.body.len());
        bytes.extend([VERSION, self.kind.number()]);
        bytes.extend(self.at.0.to_be_bytes());
        bytes.extend(self.refers.unwrap_or(NOTHING).to_be_bytes());
        bytes.extend(self.tag);
        bytes.extend(self.commit);
        bytes.extend(&self.body);
        bytes
    }

    /// Reads canonical bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, LeafError> {
        let (head, body) = bytes.split_at_checked(HEAD_BYTES).ok_or(LeafError::Length)?;
        if body.len() > BODY_BYTES_MAX {
            return Err(LeafError::Length);
        }
        let mut rest = head;
        let mut byte = || take::<1>(&mut rest).map(|[byte]| byte).ok_or(LeafError::Length);
        if byte()? != VERSION {
            return Err(LeafError::Version);
        }
        let kind = Kind::of(byte()?).ok_or(LeafError::Kind)?;
        let at = i64::from_be_bytes(take(&mut rest).ok_or(LeafError::Length)?);
        let refers = u64::from_be_bytes(take(&mut rest).ok_or(LeafError::Length)?);
        Ok(Self {
            kind,
            at: UnixMs(Some(at).filter(|at| *at >= 0).ok_or(LeafError::Time)?),
            refers: Some(refers).filter(|index| *index != NOTHING),
            tag: take(&mut rest).ok_or(LeafError::Length)?,
            commit: take(&mut rest).ok_or(LeafError::Length)?,
            body: body.to_vec(),
        })
    }

    /// What the leaf is about, if this opens its commitment.
    pub fn open(&self, opening: &[u8]) -> Option<Details> {
        if commit(opening) != self.commit {
            return None;
        }
        let (_, details) = opening.split_at_checked(32)?;
        Details::from_bytes(details)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: LogKey = LogKey([7; 32]);

    fn fact(kind: Kind) -> Fact {
        let mut details = Details::of(TicketId(9), Digest([3; 32]), TypeNo(1));
        details.use_no = 1;
        Fact { kind, at: UnixMs(1_800_000_000_000), refers: None, details }
    }

    #[test]
    fn the_same_use_of_a_ticket_shows_as_the_same_tag() {
        let elsewhere = Details { gate: GateNo(5), ..fact(Kind::Admit).details };
        let again = Fact { at: UnixMs(1), details: elsewhere, ..fact(Kind::Admit) };
        assert_eq!(fact(Kind::Admit).leaf(&KEY).tag, again.leaf(&KEY).tag);
    }

    #[test]
    fn leaves_of_different_kinds_about_one_ticket_cannot_be_linked() {
        let issue = fact(Kind::Issue).leaf(&KEY);
        let admit = fact(Kind::Admit).leaf(&KEY);
        assert_ne!(issue.tag, admit.tag);
        assert_ne!(issue.commit, admit.commit);
    }

    #[test]
    fn two_refusals_of_one_ticket_cannot_be_linked() {
        let later = Fact { at: UnixMs(1_800_000_000_001), ..fact(Kind::Refuse) };
        assert_ne!(fact(Kind::Refuse).leaf(&KEY).tag, later.leaf(&KEY).tag);
    }

    #[test]
    fn a_guess_of_the_details_does_not_open_a_leaf_without_the_salt() {
        let mut guess = vec![0; 32];
        guess.extend(fact(Kind::Admit).details.to_bytes());
        assert_eq!(fact(Kind::Admit).leaf(&KEY).open(&guess), None);
    }

    #[test]
    fn a_leaf_with_a_time_before_1970_is_refused() {
        let mut bytes = fact(Kind::Admit).leaf(&KEY).to_bytes();
        bytes[2] = 0xff;
        assert_eq!(Leaf::parse(&bytes), Err(LeafError::Time));
    }

    proptest! {
        #[test]
        fn a_leaf_reads_back_and_opens(at in 0i64.., refers in prop::option::of(0u64..9), gate: u16, device: i64, scan: [u8; 16], use_no: u32) {
            let mut fact = fact(Kind::Refuse);
            fact.at = UnixMs(at);
            fact.refers = refers;
            fact.details = Details {
                gate: GateNo(gate), device: DeviceNo(device), scan: ScanId(scan), use_no,
                reason: Some(Reason::AlreadyUsed), ..fact.details
            };
            let leaf = fact.leaf(&KEY);
            prop_assert_eq!(Leaf::parse(&leaf.to_bytes()), Ok(leaf.clone()));
            prop_assert_eq!(leaf.open(&fact.opening(&KEY)), Some(fact.details));
        }
    }
}
