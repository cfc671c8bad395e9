//! A device's journal: what it did by itself, in order, each entry chained to the one before, so
//! that a missing or altered one is seen.

use sha2::{Digest as _, Sha256};

use super::{Bounds, Word};
use crate::id::{DeviceNo, Digest, GateNo, ScanId, UnixMs};

/// Most entries of one report: a long evening at one gate.
pub const REPORT_ENTRIES_MAX: usize = 5000;
/// Most codes of anonymous tickets in one report: half a megabyte.
pub const REPORT_BEARERS_MAX: usize = 1000;
/// Most entries of one write: more would hold up the scans that wait behind it.
pub const SYNC_ENTRIES_MAX: usize = 500;

/// The hash before a device's first entry.
pub const BEGINNING: ChainHash = ChainHash([0; 32]);

/// SHA-256 over an entry and all before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainHash(pub [u8; 32]);

/// What a device says of one of its scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// Counts the device's entries from 1, without a gap.
    pub sequence: u64,
    /// The scan.
    pub scan: ScanId,
    /// The ticket's name in the spend table.
    pub digest: Digest,
    /// Where.
    pub gate: GateNo,
    /// What became of it.
    pub word: Word,
    /// When green was shown, or when it was given up.
    pub bounds: Bounds,
}

impl JournalEntry {
    /// The hash of the chain after this entry: SHA-256 over a label, the hash before, and
    /// `device i64 | sequence u64 | scan[16] | digest[32] | gate u16 | low i64 | high i64 (-1 for
    /// none) | word` (its code in ASCII, a refusal's reason after a colon), big-endian.
    pub fn chain(&self, device: DeviceNo, before: ChainHash) -> ChainHash {
        let mut hash = Sha256::new();
        hash.update(b"admit-one/journal/v1\0");
        hash.update(before.0);
        hash.update(device.0.to_be_bytes());
        hash.update(self.sequence.to_be_bytes());
        hash.update(self.scan.0);
        hash.update(self.digest.0);
        hash.update(self.gate.0.to_be_bytes());
        hash.update(self.bounds.low.0.to_be_bytes());
        hash.update(self.bounds.high.unwrap_or(UnixMs(-1)).0.to_be_bytes());
        hash.update(self.word.code().as_bytes());
        if let Word::Refused(reason) = self.word {
            hash.update(b":");
            hash.update(reason.code().as_bytes());
        }
        ChainHash(hash.finalize().into())
    }
}

/// The scan that a program's own name for it stands for: names of 22 characters of base64url are
/// scan ids as they are, others are hashed.
pub fn scan_of(device: DeviceNo, local_id: &str) -> ScanId {
    ScanId::parse(local_id).unwrap_or_else(|| {
        let mut hash = Sha256::new();
        hash.update(b"admit-one/local id/v1\0");
        hash.update(device.0.to_be_bytes());
        hash.update(local_id.as_bytes());
        let bytes: [u8; 32] = hash.finalize().into();
        let mut id = [0; 16];
        id.copy_from_slice(&bytes[..16]);
        ScanId(id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Reason;

    fn entry(sequence: u64) -> JournalEntry {
        JournalEntry {
            sequence,
            scan: ScanId([7; 16]),
            digest: Digest([9; 32]),
            gate: GateNo(2),
            word: Word::Done,
            bounds: Bounds { low: UnixMs(5), high: Some(UnixMs(6)) },
        }
    }

    #[test]
    fn whatever_is_changed_in_an_entry_changes_the_chain() {
        let honest = entry(1);
        let changes = [
            JournalEntry { sequence: 2, ..honest },
            JournalEntry { scan: ScanId([8; 16]), ..honest },
            JournalEntry { digest: Digest([8; 32]), ..honest },
            JournalEntry { gate: GateNo(3), ..honest },
            JournalEntry { word: Word::Void, ..honest },
            JournalEntry { word: Word::Refused(Reason::Expired), ..honest },
            JournalEntry { word: Word::Refused(Reason::Revoked), ..honest },
            JournalEntry { bounds: Bounds { low: UnixMs(4), ..honest.bounds }, ..honest },
            JournalEntry { bounds: Bounds { high: None, ..honest.bounds }, ..honest },
        ];
        let hash = |entry: &JournalEntry| entry.chain(DeviceNo(1), BEGINNING).0;
        let mut seen = vec![hash(&honest), honest.chain(DeviceNo(2), BEGINNING).0];
        seen.push(honest.chain(DeviceNo(1), ChainHash([1; 32])).0);
        seen.extend(changes.iter().map(hash));
        let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len());
    }

    #[test]
    fn a_name_of_a_program_is_a_scan_of_that_device() {
        assert_eq!(scan_of(DeviceNo(1), "scan 7"), scan_of(DeviceNo(1), "scan 7"));
        assert_ne!(scan_of(DeviceNo(1), "scan 7"), scan_of(DeviceNo(2), "scan 7"));
        assert_eq!(scan_of(DeviceNo(1), &ScanId([3; 16]).to_string()), ScanId([3; 16]));
    }
}
