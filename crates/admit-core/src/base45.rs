//! Base45 (RFC 9285): bytes as text that QR symbols hold in their dense alphanumeric mode.
//!
//! Our own because the packages at hand accept invalid strings; this one takes exactly what
//! [`encode`] makes, so that a ticket has one spelling.

const ALPHABET: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/// Encodes `bytes`: three characters for two bytes, two for a last single one.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(2) * 3);
    for pair in bytes.chunks(2) {
        let (mut value, places) = match pair {
            [high, low] => (u16::from_be_bytes([*high, *low]), 3),
            [single] => (u16::from(*single), 2),
            _ => continue,
        };
        for _ in 0..places {
            let letter = ALPHABET.get(usize::from(value % 45)).copied().unwrap_or(b'0');
            text.push(char::from(letter));
            value /= 45;
        }
    }
    text
}

/// Decodes `text`; none when a character, a group's value or the length is not what [`encode`]
/// makes.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 3 * 2 + 1);
    for group in text.as_bytes().chunks(3) {
        let mut value: u32 = 0;
        for letter in group.iter().rev() {
            let digit = ALPHABET.iter().position(|known| known == letter)?;
            value = value * 45 + u32::try_from(digit).ok()?;
        }
        match group.len() {
            3 => bytes.extend(u16::try_from(value).ok()?.to_be_bytes()),
            2 => bytes.push(u8::try_from(value).ok()?),
            _ => return None,
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_byte_string_reads_back(bytes: Vec<u8>) {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }

        #[test]
        fn a_text_that_decodes_is_the_one_spelling(text in "[0-9A-Z $%*+./:-]{0,30}") {
            if let Some(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
