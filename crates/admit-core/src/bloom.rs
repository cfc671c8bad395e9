//! A Bloom filter of spent tickets (seed 002): small enough for any validator, and never the last word.
//! What it does not hold is surely not spent; what it holds is asked about. Format:
//! `docs/formats/offline.md`.

use sha2::{Digest as _, Sha256};

use crate::offline::known::ShortDigest;

/// Bits for each ticket. With [`HASHES`], one of 122 unspent tickets is taken for a spent one.
pub const BITS_PER_ENTRY: u64 = 10;
/// Bits that a ticket sets.
pub const HASHES: u64 = 7;

/// The filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bloom {
    bytes: Vec<u8>,
    bits: u64,
}

impl Bloom {
    /// An empty filter with room for so many tickets.
    pub fn for_entries(entries: usize) -> Self {
        let entries = u64::try_from(entries).unwrap_or(u64::MAX);
        let bits = entries.saturating_mul(BITS_PER_ENTRY).max(64).next_multiple_of(8);
        Self { bytes: vec![0; usize::try_from(bits / 8).unwrap_or(usize::MAX)], bits }
    }

    /// Adds a ticket.
    pub fn insert(&mut self, ticket: ShortDigest) {
        for bit in places(ticket, self.bits) {
            let byte = usize::try_from(bit / 8).unwrap_or(usize::MAX);
            if let Some(byte) = self.bytes.get_mut(byte) {
                *byte |= 1 << (bit % 8);
            }
        }
    }

    /// Whether a ticket may be spent; if not, it surely is not.
    pub fn may_hold(&self, ticket: ShortDigest) -> bool {
        places(ticket, self.bits).all(|bit| {
            let byte = usize::try_from(bit / 8).unwrap_or(usize::MAX);
            self.bytes.get(byte).is_some_and(|byte| byte & 1 << (bit % 8) != 0)
        })
    }

    /// Its bits, the lowest of each byte first.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bits it has.
    pub fn bits(&self) -> u64 {
        self.bits
    }
}

/// Bit `i` is `(a + i b) mod bits`: `a` the ticket's short name as a number, `b` the first eight bytes of
/// the name's SHA-256, made odd; big-endian, modulo 2^64.
fn places(ticket: ShortDigest, bits: u64) -> impl Iterator<Item = u64> {
    let hash: [u8; 32] = Sha256::digest(ticket.0).into();
    let (first, _) = hash.split_first_chunk().unwrap_or((&[0; 8], &[]));
    let (a, b) = (u64::from_be_bytes(ticket.0), u64::from_be_bytes(*first) | 1);
    (0..HASHES).map(move |i| a.wrapping_add(i.wrapping_mul(b)) % bits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(n: u64) -> ShortDigest {
        let hash: [u8; 32] = Sha256::digest(n.to_be_bytes()).into();
        let mut short = [0; 8];
        short.copy_from_slice(&hash[..8]);
        ShortDigest(short)
    }

    proptest! {
        #[test]
        fn what_was_put_in_is_held(tickets in prop::collection::vec(any::<[u8; 8]>(), 0..300)) {
            let mut bloom = Bloom::for_entries(tickets.len());
            for ticket in &tickets { bloom.insert(ShortDigest(*ticket)); }
            prop_assert!(tickets.iter().all(|ticket| bloom.may_hold(ShortDigest(*ticket))));
        }
    }

    #[test]
    fn fewer_than_one_in_a_hundred_is_held_by_mistake_at_ten_bits_each() {
        let mut bloom = Bloom::for_entries(100_000);
        (0..100_000).for_each(|n| bloom.insert(name(n)));
        assert_eq!(bloom.bytes().len(), 125_000);
        let wrong = (1_000_000..1_050_000).filter(|n| bloom.may_hold(name(*n))).count();
        assert!(wrong < 500, "{wrong} of 50,000");
    }

    #[test]
    fn an_empty_filter_holds_nothing() {
        assert!(!Bloom::for_entries(0).may_hold(name(1)));
    }

    #[test]
    fn the_bits_of_a_ticket_are_those_of_the_format() {
        // By hand: a = 1, b = SHA-256(00 00 00 00 00 00 00 01) begins cd2662154e6d76b2, made odd.
        let found: Vec<_> = places(ShortDigest([0, 0, 0, 0, 0, 0, 0, 1]), 1000).collect();
        let b = 0xcd26_6215_4e6d_76b3_u64;
        let wanted = (0..7u64).map(|i| 1u64.wrapping_add(i.wrapping_mul(b)) % 1000);
        assert_eq!(found, wanted.collect::<Vec<_>>());
    }
}
