//! Receipts (C2SP tlog-proof, version 1): one file that proves a leaf to be in a log, offline.

use std::fmt;

use data_encoding::BASE64;
use thiserror::Error;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::note::{NOTE_BYTES_MAX, Verifier};
use super::tile::ENTRY_BYTES_MAX;
use super::tree::{Hash, ProofError, leaf_hash, verify_inclusion};

/// Most hashes in a proof: the height of the largest tree.
pub const PATH_HASHES_MAX: usize = 63;
/// Longest receipt that is looked at, in bytes: leaf, proof, note, and room for the words.
pub const RECEIPT_BYTES_MAX: usize =
    ENTRY_BYTES_MAX.div_ceil(3) * 4 + PATH_HASHES_MAX * 45 + NOTE_BYTES_MAX + 100;

/// The first line.
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// A proof of inclusion with all that is needed to check it but the log's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The leaf. The standard leaves this line to the application and lets it be absent.
    pub extra: Option<Vec<u8>>,
    /// The leaf's position in the log.
    pub index: u64,
    /// The inclusion proof (RFC 6962 section 2.1.1), lowest sibling first.
    pub path: Vec<Hash>,
    /// The signed checkpoint that the proof leads to, verbatim.
    pub checkpoint: String,
}

/// Why a receipt proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReceiptError {
    /// Longer than [`RECEIPT_BYTES_MAX`].
    #[error("the receipt is too long")]
    TooLong,
    /// Not the lines of a receipt in their one spelling.
    #[error("this is not a receipt")]
    Malformed,
    /// Its checkpoint does not hold.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Neither the receipt nor the caller has the leaf.
    #[error("the receipt does not hold its leaf")]
    NoLeaf,
    /// It is a receipt for another leaf than the caller's.
    #[error("the receipt is for another entry")]
    OtherLeaf,
    /// The proof does not lead from the leaf to the checkpoint's root.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl Receipt {
    /// The receipt's text, for a file called `….tlog-proof`.
    pub fn write(&self) -> String {
        self.to_string()
    }

    /// Reads what [`Receipt::write`] writes, and nothing else; believes nothing of it.
    pub fn parse(text: &str) -> Result<Self, ReceiptError> {
        if text.len() > RECEIPT_BYTES_MAX {
            return Err(ReceiptError::TooLong);
        }
        Self::read(text).filter(|receipt| receipt.write() == text).ok_or(ReceiptError::Malformed)
    }

    /// Checks signature and proof; the checkpoint under which the leaf is logged.
    ///
    /// Where the caller has `leaf`, the receipt must be for that one; else for the one it holds.
    /// Size and root come from the signed checkpoint and nowhere else.
    pub fn verify(
        &self,
        leaf: Option<&[u8]>,
        keys: &[Verifier],
    ) -> Result<Checkpoint, ReceiptError> {
        let leaf = match (leaf, self.extra.as_deref()) {
            (Some(leaf), Some(extra)) if leaf != extra => return Err(ReceiptError::OtherLeaf),
            (leaf, extra) => leaf.or(extra).ok_or(ReceiptError::NoLeaf)?,
        };
        let head = Checkpoint::open(&self.checkpoint, keys)?;
        verify_inclusion(self.index, head.size, &leaf_hash(leaf), &self.path, &head.root)?;
        Ok(head)
    }

    fn read(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix(HEADER)?.strip_prefix('\n')?;
        let mut line = || {
            let (line, after) = rest.split_once('\n')?;
            rest = after;
            Some(line)
        };
        let mut next = line()?;
        let extra = match next.strip_prefix("extra ") {
            Some(extra) => {
                next = line()?;
                let extra = BASE64.decode(extra.as_bytes()).ok()?;
                Some(extra).filter(|extra| extra.len() <= ENTRY_BYTES_MAX).map(Some)?
            }
            None => None,
        };
        let index = next.strip_prefix("index ")?.parse().ok()?;
        let mut path = Vec::new();
        loop {
            match line()? {
                "" => break,
                _ if path.len() == PATH_HASHES_MAX => return None,
                hash => path.push(Hash(BASE64.decode(hash.as_bytes()).ok()?.try_into().ok()?)),
            }
        }
        Some(Self { extra, index, path, checkpoint: rest.to_owned() })
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(out, "extra {}", BASE64.encode(extra))?;
        }
        writeln!(out, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(out, "{}", BASE64.encode(&hash.0))?;
        }
        write!(out, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::log::note::{NoteError, NoteSigner};
    use crate::log::tree::node_hash;

    const ORIGIN: &str = "tickets.example.org/log/3";
    const LEAF: &[u8] = b"two";

    fn signer() -> NoteSigner {
        NoteSigner::new(ORIGIN, &[3; 32]).unwrap()
    }

    fn keys() -> [Verifier; 1] {
        [signer().verifier().clone()]
    }

    /// The receipt of the last of three leaves.
    fn receipt() -> Receipt {
        let below = node_hash(&leaf_hash(b"zero"), &leaf_hash(b"one"));
        let root = node_hash(&below, &leaf_hash(LEAF));
        let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: 3, root };
        Receipt {
            extra: Some(LEAF.to_vec()),
            index: 2,
            path: vec![below],
            checkpoint: checkpoint.sign(&signer()).unwrap(),
        }
    }

    #[test]
    fn a_receipt_verifies_with_nothing_but_the_key() {
        let head = Receipt::parse(&receipt().write()).unwrap().verify(None, &keys()).unwrap();
        assert_eq!((head.origin.as_str(), head.size), (ORIGIN, 3));
    }

    #[test]
    fn a_receipt_has_the_lines_of_the_standard() {
        let text = receipt().write();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[..3], ["c2sp.org/tlog-proof@v1", "extra dHdv", "index 2"]);
        assert_eq!(lines[4..7], ["", ORIGIN, "3"]);
    }

    #[test]
    fn every_single_bit_change_is_refused() {
        let good = receipt().write();
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let Ok(text) = String::from_utf8(bytes) else { continue };
            let verified = Receipt::parse(&text).and_then(|receipt| receipt.verify(None, &keys()));
            assert!(verified.is_err(), "bit {bit}: {text}");
        }
    }

    #[test]
    fn a_receipt_for_another_leaf_is_refused() {
        let other = receipt().verify(Some(b"one"), &keys());
        assert_eq!(other, Err(ReceiptError::OtherLeaf));
        let bare = Receipt { extra: None, ..receipt() };
        assert_eq!(bare.verify(Some(b"one"), &keys()), Err(ProofError::Root.into()));
    }

    #[test]
    fn a_receipt_without_its_leaf_needs_it() {
        let bare = Receipt { extra: None, ..receipt() };
        assert_eq!(bare.verify(None, &keys()), Err(ReceiptError::NoLeaf));
        assert!(bare.verify(Some(LEAF), &keys()).is_ok());
    }

    #[test]
    fn a_receipt_of_an_unknown_log_is_refused() {
        let wanted = CheckpointError::Note(NoteError::NoKnownKey);
        assert_eq!(receipt().verify(None, &[]), Err(wanted.into()));
    }

    #[test]
    fn an_index_outside_the_log_is_refused() {
        let beyond = Receipt { index: 3, ..receipt() };
        assert_eq!(beyond.verify(None, &keys()), Err(ProofError::Range.into()));
    }

    #[test]
    fn a_proof_of_another_length_is_refused() {
        let longer = Receipt { path: vec![receipt().path[0]; 2], ..receipt() };
        assert_eq!(longer.verify(None, &keys()), Err(ProofError::Length.into()));
        let shorter = Receipt { path: vec![], ..receipt() };
        assert_eq!(shorter.verify(None, &keys()), Err(ProofError::Length.into()));
    }

    #[test]
    fn there_is_an_end_to_a_proof() {
        let path = |hashes| Receipt { path: vec![Hash([1; 32]); hashes], ..receipt() }.write();
        assert!(Receipt::parse(&path(PATH_HASHES_MAX)).is_ok());
        let longer = Receipt::parse(&path(PATH_HASHES_MAX + 1));
        assert_eq!(longer, Err(ReceiptError::Malformed));
    }

    #[test]
    fn there_is_an_end_to_receipts() {
        let long = Receipt { checkpoint: "a".repeat(RECEIPT_BYTES_MAX), ..receipt() }.write();
        assert_eq!(Receipt::parse(&long), Err(ReceiptError::TooLong));
    }

    #[test]
    fn only_the_one_spelling_is_read() {
        let good = receipt().write();
        let wrong = [
            String::new(),
            good.replace("@v1", "@v2"),
            good.replace("index 2", "index 02"),
            good.replace("index 2", "index +2"),
            good.replace("index 2", "index  2"),
            good.replace("index 2\n", ""),
            good.replace("extra dHdv", "extra dHdv="),
            good.replace("extra dHdv", "extra"),
            good.replace('\n', "\r\n"),
            good.replacen("\n\n", "\n", 1),
            format!("\n{good}"),
        ];
        for text in wrong {
            assert_eq!(Receipt::parse(&text), Err(ReceiptError::Malformed), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_receipt_reads_back(
            extra: Option<Vec<u8>>,
            index: u64,
            path in prop::collection::vec(any::<[u8; 32]>().prop_map(Hash), 0..=PATH_HASHES_MAX),
            checkpoint in "(.|\n){0,80}",
        ) {
            let receipt = Receipt { extra, index, path, checkpoint };
            prop_assert_eq!(Receipt::parse(&receipt.write()), Ok(receipt));
        }

        #[test]
        fn a_receipt_that_reads_is_the_one_spelling(
            text in "(extra [a-zA-Z=]{0,8}\n)?index [0-9]{1,3}\n\n.{0,9}",
        ) {
            let text = format!("{HEADER}\n{text}");
            if let Ok(receipt) = Receipt::parse(&text) {
                prop_assert_eq!(receipt.write(), text);
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "(.|\n){0,80}") {
            let _ = Receipt::parse(&text);
            let _ = Receipt::parse(&format!("{HEADER}\n{text}"));
        }
    }
}
