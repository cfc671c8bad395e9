//! Voucher codes (`docs/formats/anonymous.md`): what stands on a card and is typed in by hand.

use std::fmt;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// The 31 signs: digits and capitals without those that are mistaken for one another (0 and O, 1, I
/// and L). A prime number of them, so that the check notices every single slip.
const SIGNS: &[u8; 31] = b"23456789ABCDEFGHJKMNPQRSTUVWXYZ";
/// Signs of a code: 17 that are drawn at random, 84 bits, and one that checks them.
pub const CODE_SIGNS: usize = 18;
/// Signs between two hyphens.
const GROUP_SIGNS: usize = 6;
/// Random bytes for one code that never run out: 17 of the 64 must be below [`FAIR_BELOW`], and each
/// is with a chance of 97 %.
pub const RANDOM_BYTES: usize = 64;
/// The bytes from here on are thrown away: 248 is the largest multiple of 31 that a byte holds, so
/// that no sign is more likely than another.
const FAIR_BELOW: u8 = 248;
/// The sign at position 18 counts 18 times; 19 times 18 is one more than a multiple of 31.
const LAST_POSITION_INVERSE: usize = 19;

/// Why a text is not a voucher code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum VoucherFault {
    /// More or fewer than [`CODE_SIGNS`] signs; has how many there are.
    #[error("a voucher code has 18 signs, this has {0}")]
    Length(usize),
    /// A sign that no voucher code has; has its place among the signs, from 1.
    #[error("sign {0} is one that no voucher code has")]
    Sign(usize),
    /// The signs do not belong together: something was mistyped.
    #[error("the voucher code is mistyped")]
    Check,
}

/// A code whose check is right; whether there is such a voucher the server knows. It is worth money to
/// whoever has it, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct VoucherCode([u8; CODE_SIGNS]);

impl fmt::Debug for VoucherCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VoucherCode(…)")
    }
}

/// Grouped, as it is printed: `XXXXXX-XXXXXX-XXXXXX`.
impl fmt::Display for VoucherCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, sign) in self.0.iter().enumerate() {
            if place > 0 && place % GROUP_SIGNS == 0 {
                f.write_str("-")?;
            }
            write!(f, "{}", char::from(*sign))?;
        }
        Ok(())
    }
}

impl VoucherCode {
    /// The code made of random bytes, every one equally likely; none when they run out, which
    /// [`RANDOM_BYTES`] do not.
    pub fn from_random(bytes: &[u8]) -> Option<Self> {
        let mut values = [0; CODE_SIGNS];
        let (last, drawn) = values.split_last_mut()?;
        let mut fair = bytes.iter().filter(|byte| **byte < FAIR_BELOW);
        for value in drawn.iter_mut() {
            *value = usize::from(*fair.next()?) % SIGNS.len();
        }
        *last = (SIGNS.len() - weighted_sum(drawn)) * LAST_POSITION_INVERSE % SIGNS.len();
        let mut signs = [0; CODE_SIGNS];
        for (sign, value) in signs.iter_mut().zip(values) {
            *sign = *SIGNS.get(value)?;
        }
        Some(Self(signs))
    }

    /// Reads what somebody typed: white space, hyphens and dashes do not matter, nor do capitals.
    pub fn parse(text: &str) -> Result<Self, VoucherFault> {
        let typed: Vec<char> = text.chars().filter(|letter| !is_between_signs(*letter)).collect();
        let mut values = Vec::with_capacity(typed.len());
        for (place, letter) in typed.iter().enumerate() {
            values.push(value_of(*letter).ok_or(VoucherFault::Sign(place + 1))?);
        }
        let signs: Vec<u8> = values.iter().filter_map(|value| SIGNS.get(*value).copied()).collect();
        let signs = signs.try_into().map_err(|_| VoucherFault::Length(typed.len()))?;
        if weighted_sum(&values) == 0 { Ok(Self(signs)) } else { Err(VoucherFault::Check) }
    }

    /// What is kept in place of the code: SHA-256 over a label and the 18 signs.
    pub fn hash(&self) -> [u8; 32] {
        let hash = Sha256::new().chain_update(b"admit-one/voucher/v1\0");
        hash.chain_update(self.0).finalize().into()
    }
}

/// The sum of position, from 1, times value, modulo 31.
fn weighted_sum(values: &[usize]) -> usize {
    let sum: usize = (1..).zip(values).map(|(position, value): (usize, _)| position * value).sum();
    sum % SIGNS.len()
}

fn value_of(letter: char) -> Option<usize> {
    let letter = letter.to_ascii_uppercase();
    SIGNS.iter().position(|sign| char::from(*sign) == letter)
}

/// Hyphens and dashes, one of which many keyboards make of another, and white space.
fn is_between_signs(letter: char) -> bool {
    letter.is_whitespace() || letter == '-' || ('\u{2010}'..='\u{2015}').contains(&letter)
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;

    const DRAWN_SIGNS: usize = CODE_SIGNS - 1;

    prop_compose! {
        fn codes()(bytes in prop::collection::vec(any::<u8>(), RANDOM_BYTES)) -> VoucherCode {
            VoucherCode::from_random(&bytes).unwrap()
        }
    }

    fn text(signs: &[u8]) -> String {
        String::from_utf8(signs.to_vec()).unwrap()
    }

    proptest! {
        #[test]
        fn a_code_reads_back_as_it_was_printed(code in codes()) {
            prop_assert_eq!(VoucherCode::parse(&code.to_string()), Ok(code));
        }

        #[test]
        fn spaces_hyphens_and_capitals_do_not_matter(code in codes(), gaps in prop::collection::vec("[ \t\n\u{a0}\u{2011}\u{2013}-]{0,2}", CODE_SIGNS)) {
            let typed: String = code.0.iter().zip(gaps).flat_map(|(sign, gap)| [gap, char::from(*sign).to_string()]).collect();
            prop_assert_eq!(VoucherCode::parse(&typed.to_lowercase()), Ok(code));
        }

        #[test]
        fn every_single_wrong_sign_is_noticed(code in codes()) {
            for place in 0..CODE_SIGNS {
                for wrong in SIGNS.iter().filter(|sign| **sign != code.0[place]) {
                    let mut signs = code.0;
                    signs[place] = *wrong;
                    prop_assert_eq!(VoucherCode::parse(&text(&signs)), Err(VoucherFault::Check));
                }
            }
        }

        #[test]
        fn every_exchange_of_two_different_signs_is_noticed(code in codes()) {
            let pairs = (0..CODE_SIGNS).flat_map(|one| (0..one).map(move |two| (one, two)));
            for (one, two) in pairs.filter(|(one, two)| code.0[*one] != code.0[*two]) {
                let mut signs = code.0;
                signs.swap(one, two);
                prop_assert_eq!(VoucherCode::parse(&text(&signs)), Err(VoucherFault::Check));
            }
        }

        #[test]
        fn a_sign_that_no_code_has_is_named_by_its_place(code in codes(), place in 0..CODE_SIGNS, wrong in "[01ILO?é_]") {
            let mut typed: Vec<String> = code.0.iter().map(|sign| char::from(*sign).to_string()).collect();
            typed[place] = wrong;
            prop_assert_eq!(VoucherCode::parse(&typed.concat()), Err(VoucherFault::Sign(place + 1)));
        }

        #[test]
        fn another_length_is_told(code in codes(), length in 0..CODE_SIGNS) {
            let short = text(&code.0[..length]);
            prop_assert_eq!(VoucherCode::parse(&short), Err(VoucherFault::Length(length)));
            let long = format!("{code}{}", text(&code.0[..=length]));
            prop_assert_eq!(VoucherCode::parse(&long), Err(VoucherFault::Length(CODE_SIGNS + length + 1)));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text: String) {
            let _ = VoucherCode::parse(&text);
        }

        #[test]
        fn debug_shows_no_sign(code in codes()) {
            prop_assert_eq!(format!("{code:?}"), "VoucherCode(…)");
        }
    }

    #[test]
    fn a_code_is_printed_in_three_groups() {
        assert_eq!(VoucherCode([b'2'; CODE_SIGNS]).to_string(), "222222-222222-222222");
    }

    #[test]
    fn every_sign_is_equally_likely() {
        let mut drawn = [0; 31];
        for byte in (0..=u8::MAX).filter(|byte| *byte < FAIR_BELOW) {
            drawn[usize::from(byte) % SIGNS.len()] += 1;
        }
        assert_eq!(drawn, [8; 31]);
    }

    #[test]
    fn unfair_bytes_are_thrown_away() {
        let unfair: Vec<u8> = (0..DRAWN_SIGNS).flat_map(|_| [0xff, FAIR_BELOW, 5]).collect();
        assert_eq!(VoucherCode::from_random(&unfair), VoucherCode::from_random(&[5; DRAWN_SIGNS]));
    }

    #[test]
    fn bytes_that_run_out_make_no_code() {
        assert_eq!(VoucherCode::from_random(&[5; DRAWN_SIGNS - 1]), None);
        assert_eq!(VoucherCode::from_random(&[FAIR_BELOW; RANDOM_BYTES]), None);
    }

    #[test]
    fn the_code_of_the_first_17_signs_in_a_row_ends_as_a_second_implementation_says() {
        let bytes: Vec<u8> = (0..17).collect();
        let code = VoucherCode::from_random(&bytes).unwrap();
        assert_eq!(code.to_string(), "234567-89ABCD-EFGHJS");
        assert_eq!(
            HEXLOWER.encode(&code.hash()),
            "8f70b43033b883dc369aafb3289b85d62fa8d480259d9c004dedfb5ce5a5a64b"
        );
    }
}
