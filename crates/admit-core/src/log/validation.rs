//! Checks the proof that comes with an answer, believing nothing of it but the log's key.

use data_encoding::{BASE64, HEXLOWER};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::leaf::{Details, Leaf, LeafError};
use super::note::{NoteError, Verifier};
use super::receipt::{Receipt, ReceiptError};
use super::tree::{Hash, ProofError, leaf_hash, verify_consistency, verify_inclusion};

/// The part of an answer's `merkle_validation` that can be checked. Its other fields are copies for
/// the eye.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Validation {
    /// Position of the leaf.
    pub inclusion_index: u64,
    /// The leaf, base64.
    pub leaf: String,
    /// Hash of the leaf, as told; must be that of the leaf.
    pub leaf_hash: String,
    /// Root, as told; must be that of the checkpoint.
    pub root: String,
    /// Sibling hashes from the leaf up, in hex.
    pub inclusion_path: Vec<String>,
    /// The signed checkpoint.
    pub checkpoint: String,
    /// What opens the leaf, base64.
    #[serde(default)]
    pub opening: Option<String>,
}

/// What a proof shows, once it is checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proven {
    /// The log.
    pub origin: String,
    /// Position of the leaf.
    pub index: u64,
    /// Leaves in the log when the checkpoint was signed.
    pub size: u64,
    /// Root over them, in hex.
    pub root: String,
    /// What happened: the code of a [`super::leaf::Kind`].
    pub kind: &'static str,
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// The ticket, where the leaf was opened.
    pub ticket: Option<String>,
    /// The gate, where the leaf was opened and names one.
    pub gate: Option<u16>,
    /// The reason's code, where the leaf was opened and has one.
    pub reason: Option<&'static str>,
}

/// Why a proof is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ValidationError {
    /// The log's key is none.
    #[error("this is no key of a log: {0}")]
    Key(#[from] NoteError),
    /// The checkpoint is not signed with that key.
    #[error("the checkpoint is not accepted: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The path does not lead from the leaf to the checkpoint's root.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The receipt is not accepted.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// The bytes are no leaf.
    #[error(transparent)]
    Leaf(#[from] LeafError),
    /// A field is not in its form.
    #[error("the proof is malformed")]
    Malformed,
    /// A copy differs from what was proved.
    #[error("the answer tells another hash or root than the one that is proved")]
    OtherCopy,
    /// The opening does not open the leaf.
    #[error("the leaf is about something else")]
    OtherOpening,
}

impl Validation {
    /// Checks everything against the log's key (a C2SP verifier key).
    pub fn check(&self, vkey: &str) -> Result<Proven, ValidationError> {
        let head = Checkpoint::open(&self.checkpoint, &[Verifier::parse(vkey)?])?;
        let leaf = BASE64.decode(self.leaf.as_bytes()).map_err(|_| ValidationError::Malformed)?;
        let hash = leaf_hash(&leaf);
        let path = self.inclusion_path.iter().map(|text| read_hash(text));
        let path = path.collect::<Option<Vec<_>>>().ok_or(ValidationError::Malformed)?;
        verify_inclusion(self.inclusion_index, head.size, &hash, &path, &head.root)?;
        if self.leaf_hash != hash.to_string() || self.root != head.root.to_string() {
            return Err(ValidationError::OtherCopy);
        }
        let leaf = Leaf::parse(&leaf)?;
        let details = match &self.opening {
            None => None,
            Some(text) => {
                let opening =
                    BASE64.decode(text.as_bytes()).map_err(|_| ValidationError::Malformed)?;
                Some(leaf.open(&opening).ok_or(ValidationError::OtherOpening)?)
            }
        };
        Ok(Proven::of(head, self.inclusion_index, &leaf, details))
    }
}

impl Proven {
    fn of(head: Checkpoint, index: u64, leaf: &Leaf, details: Option<Details>) -> Self {
        Self {
            origin: head.origin,
            index,
            size: head.size,
            root: head.root.to_string(),
            kind: leaf.kind.code(),
            at_ms: leaf.at.0,
            ticket: details.map(|details| details.ticket.to_string()),
            gate: details.map(|details| details.gate.0).filter(|gate| *gate != 0),
            reason: details.and_then(|details| details.reason).map(crate::reason::Reason::code),
        }
    }
}

/// Checks the text of a receipt against the log's key.
pub fn receipt(text: &str, vkey: &str) -> Result<Proven, ValidationError> {
    let receipt = Receipt::parse(text)?;
    let head = receipt.verify(None, &[Verifier::parse(vkey)?])?;
    let leaf = Leaf::parse(receipt.extra.as_deref().unwrap_or_default())?;
    Ok(Proven::of(head, receipt.index, &leaf, None))
}

/// Checks that the log under one signed checkpoint only added to the one under an older; the path is
/// that of RFC 6962, in hex.
pub fn consistent(
    old: &str,
    new: &str,
    path: &[String],
    vkey: &str,
) -> Result<(), ValidationError> {
    let keys = [Verifier::parse(vkey)?];
    let (old, new) = (Checkpoint::open(old, &keys)?, Checkpoint::open(new, &keys)?);
    let path = path.iter().map(|text| read_hash(text)).collect::<Option<Vec<_>>>();
    let path = path.ok_or(ValidationError::Malformed)?;
    Ok(verify_consistency(old.size, new.size, &path, &old.root, &new.root)?)
}

fn read_hash(hex: &str) -> Option<Hash> {
    HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok().map(Hash)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::edge::Edge;
    use super::super::leaf::{Details as LeafDetails, Fact, Kind, LogKey};
    use super::super::note::NoteSigner;
    use super::*;
    use crate::id::{Digest, TicketId, TypeNo, UnixMs};

    const KEY: LogKey = LogKey([7; 32]);

    fn signer() -> NoteSigner {
        NoteSigner::new("admit-one/test/log/1", &[3; 32]).unwrap()
    }

    /// The proof of the third of 20 leaves.
    fn validation() -> Validation {
        let fact = |n| Fact {
            kind: Kind::Issue,
            at: UnixMs(1_800_000_000_000),
            refers: None,
            details: LeafDetails::of(TicketId(n), Digest([1; 32]), TypeNo(1)),
        };
        let leaves: Vec<_> = (0..20).map(|n| fact(n).leaf(&KEY).to_bytes()).collect();
        let hashes: Vec<_> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
        let appended = Edge::default().append(&hashes);
        let origin = signer().name().to_owned();
        let head = Checkpoint { origin, size: appended.size, root: appended.root };
        Validation {
            inclusion_index: 2,
            leaf: BASE64.encode(&leaves[2]),
            leaf_hash: hashes[2].to_string(),
            root: head.root.to_string(),
            inclusion_path: appended.paths[2].iter().map(ToString::to_string).collect(),
            checkpoint: head.sign(&signer()).unwrap(),
            opening: Some(BASE64.encode(&fact(2).opening(&KEY))),
        }
    }

    #[test]
    fn a_proof_tells_what_happened_to_which_ticket() {
        let proven = validation().check(&signer().vkey()).unwrap();
        assert_eq!((proven.index, proven.size, proven.kind), (2, 20, "issue"));
        assert_eq!(proven.ticket, Some(TicketId(2).to_string()));
    }

    #[test]
    fn a_proof_under_another_key_is_refused() {
        let stranger = NoteSigner::new(signer().name(), &[4; 32]).unwrap();
        assert!(validation().check(&stranger.vkey()).is_err());
    }

    #[test]
    fn a_proof_of_another_place_is_refused() {
        let moved = Validation { inclusion_index: 3, ..validation() };
        assert!(moved.check(&signer().vkey()).is_err());
    }

    proptest! {
        #[test]
        fn a_proof_changed_in_any_byte_is_refused(place: prop::sample::Index, flip in 1u8..128) {
            let whole = validation();
            let mut json = serde_json::to_string(&whole).unwrap().into_bytes();
            let place = place.index(json.len());
            json[place] ^= flip;
            let changed = String::from_utf8(json).ok().and_then(|text| serde_json::from_str::<Validation>(&text).ok());
            // Some changes of the JSON mean nothing: spaces, an optional field under another name.
            let told = changed.filter(|changed| {
                serde_json::to_value(changed).unwrap() != serde_json::to_value(&whole).unwrap()
                    && changed.opening.is_some()
            });
            if let Some(told) = told {
                prop_assert!(told.check(&signer().vkey()).is_err());
            }
        }
    }
}
