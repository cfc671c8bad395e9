//! Names of things: newtypes, so that a gate number can never be handed over as a ticket type.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMs(pub i64);

impl UnixMs {
    /// This moment, `ms` milliseconds later (earlier when negative); saturates.
    #[must_use]
    pub fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// Number of an event on this installation; also what its tokens carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventNo(pub u32);

/// Number of a ticket type (tier) within its event, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeNo(pub u8);

/// Number of a gate (entry point) within its event, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GateNo(pub u16);

/// Number of an enrolled device on this installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceNo(pub i64);

/// Number of a signing key within its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyNo(pub u8);

/// Highest gate number that a ticket can be restricted to: the token has one bit for each.
pub const RESTRICTABLE_GATES_MAX: u16 = 16;

/// A set of gates; the empty set means *any gate*.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct GateSet(pub u16);

impl GateSet {
    /// The set that allows every gate.
    pub const ANY: Self = Self(0);

    /// The set of `gates`, or the first gate whose number is above [`RESTRICTABLE_GATES_MAX`].
    pub fn of(gates: &[GateNo]) -> Result<Self, GateNo> {
        let mut bits = 0;
        for gate in gates {
            bits |= Self::bit(*gate).ok_or(*gate)?;
        }
        Ok(Self(bits))
    }

    /// Whether a ticket with this set may enter at `gate`.
    pub fn allows(self, gate: GateNo) -> bool {
        self.0 == 0 || Self::bit(gate).is_some_and(|bit| self.0 & bit != 0)
    }

    /// The gates named, in order; empty for any.
    pub fn gates(self) -> Vec<GateNo> {
        (1..=RESTRICTABLE_GATES_MAX)
            .map(GateNo)
            .filter(|gate| self.0 != 0 && self.allows(*gate))
            .collect()
    }

    fn bit(gate: GateNo) -> Option<u16> {
        (1..=RESTRICTABLE_GATES_MAX).contains(&gate.0).then(|| 1 << (gate.0 - 1))
    }
}

/// What one presentation of a code is called: drawn by the device before its first request and
/// kept over every retry, so that a lost answer can be asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScanId(pub [u8; 16]);

impl ScanId {
    /// Reads the 22 characters of unpadded base64url.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Display for ScanId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

/// SHA-256 that names a ticket in the spend table (`proofDigest`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

/// A ticket's identity: its concealed serial number and 32 random bits.
///
/// The serial is permuted with a key of the event, so that a ticket does not tell how many were
/// sold, while gates can still keep one bit per ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TicketId(pub u64);

impl TicketId {
    /// The identity of ticket number `serial` of the event whose key is `serial_key`.
    pub fn new(serial_key: &[u8; 32], serial: u32, random: u32) -> Self {
        Self(u64::from(conceal(serial_key, serial)) << 32 | u64::from(random))
    }

    /// The serial number behind this identity (any key gives *some* number: only verified tickets
    /// have a meaningful one).
    pub fn serial(self, serial_key: &[u8; 32]) -> u32 {
        let concealed = u32::try_from(self.0 >> 32).unwrap_or(u32::MAX);
        reveal(serial_key, concealed)
    }

    /// Reads a ticket number as people write it: any case, any punctuation, `O` for `0`, `I` or `L`
    /// for `1`. None when it is not 14 characters or its check character is wrong.
    pub fn parse_number(text: &str) -> Option<Self> {
        let mut digits = Vec::new();
        for letter in text.chars().filter(|c| !matches!(c, '-' | ' ' | '.' | '_')) {
            digits.push(crockford_value(letter)?);
        }
        let (check, body) = digits.split_last()?;
        if body.len() != NUMBER_DIGITS || check_digit(body) != *check {
            return None;
        }
        let mut value: u128 = 0;
        for digit in body {
            value = value << 5 | u128::from(*digit);
        }
        u64::try_from(value).ok().map(Self)
    }
}

/// Digits of a ticket number before its check character.
const NUMBER_DIGITS: usize = 13;
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl fmt::Display for TicketId {
    /// The ticket number for people: Crockford base32 with a check character, `XXXXX-XXXXX-XXXX`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits: Vec<u8> = (0..13u32)
            .rev()
            .map(|place| u8::try_from(self.0 >> (5 * place) & 31).unwrap_or_default())
            .collect();
        digits.push(check_digit(&digits));
        for (place, digit) in digits.iter().enumerate() {
            if place == 5 || place == 10 {
                out.write_str("-")?;
            }
            let letter = CROCKFORD.get(usize::from(*digit)).copied().unwrap_or(b'0');
            write!(out, "{}", char::from(letter))?;
        }
        Ok(())
    }
}

/// Catches any single wrong character and any swap of neighbours (odd weights, modulo 32, as far as
/// a modulus of 32 allows; swaps of digits that differ by 16 are the ones it misses).
fn check_digit(digits: &[u8]) -> u8 {
    let mut sum: u32 = 0;
    for (place, digit) in (0u32..).zip(digits) {
        sum = sum.wrapping_add((2 * place + 1) * u32::from(*digit));
    }
    u8::try_from(sum % 32).unwrap_or_default()
}

fn crockford_value(letter: char) -> Option<u8> {
    let upper = match letter.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let place = CROCKFORD.iter().position(|known| char::from(*known) == upper)?;
    u8::try_from(place).ok()
}

/// Four Feistel rounds over 16-bit halves with HMAC-SHA-256 as the round function: a permutation of
/// `u32`, so that concealed serials never collide.
fn conceal(key: &[u8; 32], serial: u32) -> u32 {
    let (mut left, mut right) = halves(serial);
    for round in 0..4 {
        (left, right) = (right, left ^ feistel_round(key, round, right));
    }
    u32::from(left) << 16 | u32::from(right)
}

fn reveal(key: &[u8; 32], concealed: u32) -> u32 {
    let (mut left, mut right) = halves(concealed);
    for round in (0..4).rev() {
        (left, right) = (right ^ feistel_round(key, round, left), left);
    }
    u32::from(left) << 16 | u32::from(right)
}

fn halves(value: u32) -> (u16, u16) {
    let [a, b, c, d] = value.to_be_bytes();
    (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
}

fn feistel_round(key: &[u8; 32], round: u8, half: u16) -> u16 {
    let [high, low] = half.to_be_bytes();
    let tag = hmac_sha256(key, &[b"admit-one/serial/v1\0", &[round, high, low]]);
    u16::from_be_bytes([tag[0], tag[1]])
}

/// HMAC-SHA-256 (RFC 2104) over the concatenation of `parts`.
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes a key of any length, so the error branch can not be reached.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_concealed_serial_can_be_revealed(key: [u8; 32], serial: u32, random: u32) {
            prop_assert_eq!(TicketId::new(&key, serial, random).serial(&key), serial);
        }

        #[test]
        fn a_ticket_number_reads_back_as_people_write_it(id: u64) {
            let number = TicketId(id).to_string();
            prop_assert_eq!(TicketId::parse_number(&number), Some(TicketId(id)));
            let sloppy = number.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
            prop_assert_eq!(TicketId::parse_number(&sloppy), Some(TicketId(id)));
        }

        #[test]
        fn one_wrong_character_in_a_ticket_number_is_noticed(id: u64, place in 0usize..14, shift in 1u8..32) {
            let mut letters: Vec<char> =
                TicketId(id).to_string().chars().filter(|c| *c != '-').collect();
            let value = crockford_value(letters[place]).unwrap();
            letters[place] = char::from(CROCKFORD[usize::from((value + shift) % 32)]);
            let wrong: String = letters.into_iter().collect();
            prop_assert_eq!(TicketId::parse_number(&wrong), None);
        }

        #[test]
        fn a_gate_set_allows_exactly_its_gates(bits in 1u16.., gate in 0u16..40) {
            let set = GateSet(bits);
            prop_assert_eq!(set.allows(GateNo(gate)), set.gates().contains(&GateNo(gate)));
        }
    }

    #[test]
    fn the_empty_gate_set_allows_any_gate() {
        assert!(GateSet::ANY.allows(GateNo(40)));
    }

    #[test]
    fn a_gate_beyond_the_sixteenth_cannot_be_a_restriction() {
        assert_eq!(GateSet::of(&[GateNo(1), GateNo(17)]), Err(GateNo(17)));
    }
}
