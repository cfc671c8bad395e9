//! Personal data on its way to the store: only what is sealed gets there (law 6).

/// A sealed value: the text of a Fernet token. That it *is* one is checked here, so that a plain
/// name can not be handed to the store by mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed(String);

/// Characters of the smallest Fernet token: version, time, IV, one block and the tag, in base64.
const FERNET_CHARS_MIN: usize = 100;

impl Sealed {
    /// Takes a Fernet token (base64url, version 0x80); none when `text` has another shape.
    pub fn parse(text: String) -> Option<Self> {
        let alphabet =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=');
        let shaped = text.len() >= FERNET_CHARS_MIN
            && text.starts_with("gAAAA")
            && text.bytes().all(alphabet);
        shaped.then_some(Self(text))
    }

    /// The token's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_name_is_not_sealed() {
        assert_eq!(Sealed::parse("Ada Lovelace".repeat(20)), None);
    }
}
