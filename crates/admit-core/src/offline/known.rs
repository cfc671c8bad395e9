//! What a device knows of the entries at other gates: exact counts by ticket, nine bytes each, so
//! that a million fit a phone; brought up to date by the changes since a position.

use std::collections::BTreeMap;

use crate::id::Digest;

/// Bytes of one change: the first eight of the digest, and the change as a signed byte.
pub const CHANGE_BYTES: usize = 9;
/// Most changes of one answer.
pub const CHANGES_MAX: usize = 20_000;
/// Changes that are kept aside before they are sorted in.
const RECENT_MAX: usize = 4096;

/// The first eight bytes of a digest: the name of a ticket on devices. Two of a million tickets share
/// one with a chance of 1 in 37 million; the server never judges by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortDigest(pub [u8; 8]);

impl From<Digest> for ShortDigest {
    fn from(digest: Digest) -> Self {
        let mut name = [0; 8];
        name.copy_from_slice(digest.0.split_at(8).0);
        Self(name)
    }
}

/// One change of what is known: an entry (+1), or one taken back (-1).
pub fn change(digest: Digest, by: i8) -> [u8; CHANGE_BYTES] {
    let mut bytes = [0; CHANGE_BYTES];
    let (name, count) = bytes.split_at_mut(8);
    name.copy_from_slice(&ShortDigest::from(digest).0);
    count.copy_from_slice(&by.to_be_bytes());
    bytes
}

/// Entries at other gates, up to a position in the server's record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The position.
    cursor: i64,
    names: Vec<ShortDigest>,
    counts: Vec<i8>,
    recent: BTreeMap<ShortDigest, i8>,
}

impl Known {
    /// Up to where this knows.
    pub fn cursor(&self) -> i64 {
        self.cursor
    }

    /// How many tickets are known to have entered elsewhere.
    pub fn len(&self) -> usize {
        self.names.len() + self.recent.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.recent.is_empty()
    }

    /// Entries of a ticket elsewhere.
    pub fn uses(&self, digest: Digest) -> u32 {
        let name = ShortDigest::from(digest);
        let sorted = self.names.binary_search(&name).ok();
        let sorted = sorted.and_then(|at| self.counts.get(at)).copied().unwrap_or(0);
        let recent = self.recent.get(&name).copied().unwrap_or(0);
        u32::try_from(i32::from(sorted) + i32::from(recent)).unwrap_or(0)
    }

    /// Takes in the changes between two positions. An answer that came late says nothing that is
    /// not known, and one that leaves a gap is not taken: false then.
    pub fn learn(&mut self, from: i64, next: i64, changes: &[u8]) -> bool {
        if from > self.cursor || !changes.len().is_multiple_of(CHANGE_BYTES) {
            return false;
        }
        // Changes carry no position of their own: only an answer that begins here fits.
        if from < self.cursor || next <= self.cursor {
            return true;
        }
        for one in changes.as_chunks::<CHANGE_BYTES>().0 {
            let Some((name, by)) = one.split_first_chunk() else { continue };
            let count = self.recent.entry(ShortDigest(*name)).or_insert(0);
            *count = count.saturating_add(by.first().map_or(0, |by| by.cast_signed()));
        }
        self.cursor = next;
        if self.recent.len() > RECENT_MAX {
            self.sort_in();
        }
        true
    }

    /// Merges what is aside into what is sorted: one pass over both.
    fn sort_in(&mut self) {
        let sorted = self.names.drain(..).zip(self.counts.drain(..));
        let (mut sorted, mut recent) =
            (sorted.peekable(), std::mem::take(&mut self.recent).into_iter().peekable());
        let mut merged = Vec::new();
        loop {
            let next = match (sorted.peek(), recent.peek()) {
                (Some((old, _)), Some((new, _))) if old == new => {
                    let both = sorted.next().zip(recent.next());
                    both.map(|((name, count), (_, by))| (name, count.saturating_add(by)))
                }
                (Some((old, _)), Some((new, _))) if new < old => recent.next(),
                (Some(_), _) => sorted.next(),
                (None, _) => recent.next(),
            };
            let Some((name, count)) = next else { break };
            if count != 0 {
                merged.push((name, count));
            }
        }
        drop(sorted);
        (self.names, self.counts) = merged.into_iter().unzip();
    }

    /// Every ticket that counts as having entered.
    pub fn spent(&self) -> Vec<ShortDigest> {
        let mut whole = self.clone();
        whole.sort_in();
        let counted = whole.names.into_iter().zip(whole.counts);
        counted.filter(|(_, count)| *count > 0).map(|(name, _)| name).collect()
    }

    /// All of it as changes from nothing, to be kept in one piece.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut whole = self.clone();
        whole.sort_in();
        let mut bytes = Vec::with_capacity(whole.names.len() * CHANGE_BYTES);
        for (name, count) in whole.names.iter().zip(&whole.counts) {
            bytes.extend(name.0);
            bytes.extend(count.to_be_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(n: u8) -> Digest {
        Digest([n; 32])
    }

    #[test]
    fn an_answer_that_comes_late_takes_nothing_back() {
        let mut known = Known::default();
        assert!(known.learn(0, 5, &change(digest(1), 1)));
        assert!(known.learn(5, 9, &change(digest(2), 1)));
        assert!(known.learn(0, 5, &change(digest(1), 1)));
        assert_eq!((known.uses(digest(1)), known.uses(digest(2))), (1, 1));
        assert_eq!(known.cursor(), 9);
    }

    #[test]
    fn an_answer_that_leaves_a_gap_is_not_taken() {
        let mut known = Known::default();
        assert!(!known.learn(3, 9, &change(digest(1), 1)));
        assert_eq!(known, Known::default());
    }

    proptest! {
        #[test]
        fn counts_are_the_sum_of_the_changes(changes in prop::collection::vec((0u8..20, prop::bool::ANY), 0..200)) {
            let mut known = Known::default();
            let mut truth = [0i32; 20];
            for (position, (ticket, entered)) in (0..).zip(changes) {
                let by = if entered { 1 } else if truth[usize::from(ticket)] > 0 { -1 } else { continue };
                truth[usize::from(ticket)] += i32::from(by);
                let from = known.cursor();
                known.learn(from, position + 1, &change(digest(ticket), by));
                if position % 7 == 0 { known.sort_in(); }
            }
            for (ticket, count) in (0u8..).zip(truth) {
                prop_assert_eq!(known.uses(digest(ticket)), u32::try_from(count).unwrap());
            }
            let mut again = Known::default();
            again.learn(0, 1, &known.to_bytes());
            for ticket in 0..20 {
                prop_assert_eq!(again.uses(digest(ticket)), known.uses(digest(ticket)));
            }
        }
    }
}
