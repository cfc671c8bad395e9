//! Signed notes (C2SP signed-note v1.0.0): a text and who vouches for it, Ed25519 only.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Longest note that is looked at, in bytes; what is longer is refused unread.
pub const NOTE_BYTES_MAX: usize = 1_000_000;
/// Most signature lines in a note (the standard asks for at least 16).
pub const SIGNATURES_MAX: usize = 100;

/// Signature type of Ed25519 in keys and in their ids.
const ED25519: u8 = 0x01;
/// Bytes of a key's id.
const ID_BYTES: usize = 4;
/// What a signature line begins with: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// Why a note, or a key for notes, is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoteError {
    /// Longer than [`NOTE_BYTES_MAX`].
    #[error("the note is too long")]
    TooLong,
    /// More than [`SIGNATURES_MAX`] signature lines.
    #[error("the note has too many signatures")]
    TooManySignatures,
    /// Not text, blank line, signature lines; or with control characters.
    #[error("this is not a signed note")]
    Malformed,
    /// A text that cannot be signed: without a last newline, or with control characters.
    #[error("this text cannot be signed as a note")]
    BadText,
    /// An empty key name, or one with a space, a plus or a control character.
    #[error("this is not a name of a key")]
    BadName,
    /// Not `name+id+key` of an Ed25519 key.
    #[error("this is not a verification key")]
    BadKey,
    /// A signature by a known key does not hold.
    #[error("a signature is wrong")]
    Forged,
    /// No known key has signed.
    #[error("the note is not signed with a known key")]
    NoKnownKey,
}

/// Signs notes with a named Ed25519 key.
pub struct NoteSigner {
    key: SigningKey,
    verifier: Verifier,
}

impl NoteSigner {
    /// The signer called `name` whose Ed25519 seed (RFC 8032) is `seed`.
    pub fn new(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        let key = SigningKey::from_bytes(seed);
        let verifier = Verifier::new(name, key.verifying_key())?;
        Ok(Self { key, verifier })
    }

    /// The name in its signature lines.
    pub fn name(&self) -> &str {
        &self.verifier.name
    }

    /// What checks its notes.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The verification key as text (`name+id+key`).
    pub fn vkey(&self) -> String {
        self.verifier.to_string()
    }

    /// The note of `text`, which ends with a newline, and this key's signature.
    pub fn sign(&self, text: &str) -> Result<String, NoteError> {
        if !text.ends_with('\n') || has_control(text) {
            return Err(NoteError::BadText);
        }
        let signature = self.key.sign(text.as_bytes()).to_bytes();
        let line = BASE64.encode(&[self.verifier.id.as_slice(), &signature].concat());
        let note = format!("{text}\n{DASH}{} {line}\n", self.verifier.name);
        if note.len() > NOTE_BYTES_MAX { Err(NoteError::TooLong) } else { Ok(note) }
    }
}

/// A key whose signatures are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    id: [u8; ID_BYTES],
    key: VerifyingKey,
}

impl Verifier {
    /// Reads a verification key: name, eight lowercase hex digits of its id, and Base64 of type and
    /// public key, with a plus between each. The Base64 may hold further pluses.
    pub fn parse(vkey: &str) -> Result<Self, NoteError> {
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::BadKey);
        };
        let key = BASE64.decode(key.as_bytes()).map_err(|_| NoteError::BadKey)?;
        let Some((&ED25519, key)) = key.split_first() else { return Err(NoteError::BadKey) };
        let key = key.try_into().map_err(|_| NoteError::BadKey)?;
        let key = VerifyingKey::from_bytes(key).map_err(|_| NoteError::BadKey)?;
        let verifier = Self::new(name, key)?;
        let named = HEXLOWER.decode(id.as_bytes()).map_err(|_| NoteError::BadKey)?;
        // Of a small order, it would take one signature for many texts.
        if named != verifier.id || verifier.key.is_weak() {
            return Err(NoteError::BadKey);
        }
        Ok(verifier)
    }

    /// The key called `name` of 32 bytes; refused when they are no key or a weak one.
    pub fn ed25519(name: &str, key: &[u8; 32]) -> Result<Self, NoteError> {
        let key = VerifyingKey::from_bytes(key).map_err(|_| NoteError::BadKey)?;
        if key.is_weak() { Err(NoteError::BadKey) } else { Self::new(name, key) }
    }

    /// The name in its signature lines.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn new(name: &str, key: VerifyingKey) -> Result<Self, NoteError> {
        if !is_name(name) {
            return Err(NoteError::BadName);
        }
        let mut hash = Sha256::new();
        hash.update(name.as_bytes());
        hash.update([b'\n', ED25519]);
        hash.update(key.as_bytes());
        let [a, b, c, d, ..] = <[u8; 32]>::from(hash.finalize());
        Ok(Self { name: name.to_owned(), id: [a, b, c, d], key })
    }

    fn made(&self, line: &SignatureLine) -> bool {
        self.name == line.name && self.id == line.id
    }

    fn check(&self, text: &str, signature: &[u8]) -> Result<(), NoteError> {
        let signature = Signature::from_slice(signature).map_err(|_| NoteError::Forged)?;
        self.key.verify_strict(text.as_bytes(), &signature).map_err(|_| NoteError::Forged)
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519], self.key.as_bytes().as_slice()].concat();
        write!(out, "{}+{}+{}", self.name, HEXLOWER.encode(&self.id), BASE64.encode(&key))
    }
}

/// A note whose signatures were checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened<'a> {
    /// The text, with its last newline.
    pub text: &'a str,
    /// Names of the known keys that signed it, in the order of their lines; at least one.
    pub signers: Vec<&'a str>,
}

/// The text of `note`, when one of `keys` signed it.
///
/// Signatures of other keys are ignored, as the standard demands; a wrong one of a known key
/// spoils the note.
pub fn open<'a>(note: &'a str, keys: &[Verifier]) -> Result<&'a str, NoteError> {
    open_signed(note, keys).map(|opened| opened.text)
}

/// As [`open`], and says who signed.
pub fn open_signed<'a>(note: &'a str, keys: &[Verifier]) -> Result<Opened<'a>, NoteError> {
    let (text, lines) = split(note)?;
    let mut signers = Vec::new();
    for line in &lines {
        for key in keys.iter().filter(|key| key.made(line)) {
            key.check(text, &line.signature)?;
            signers.push(line.name);
        }
    }
    if signers.is_empty() { Err(NoteError::NoKnownKey) } else { Ok(Opened { text, signers }) }
}

struct SignatureLine<'a> {
    name: &'a str,
    id: [u8; ID_BYTES],
    signature: Vec<u8>,
}

impl<'a> SignatureLine<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (name, signature) = line.strip_prefix(DASH)?.split_once(' ')?;
        let bytes = BASE64.decode(signature.as_bytes()).ok()?;
        let (id, signature) = bytes.split_first_chunk()?;
        let fine = is_name(name) && !signature.is_empty();
        fine.then(|| Self { name, id: *id, signature: signature.to_vec() })
    }
}

/// Text and signature lines; the last empty line stands between them.
fn split(note: &str) -> Result<(&str, Vec<SignatureLine<'_>>), NoteError> {
    if note.len() > NOTE_BYTES_MAX {
        return Err(NoteError::TooLong);
    }
    let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Malformed)?;
    let lines = lines.strip_suffix('\n').ok_or(NoteError::Malformed)?;
    let text = note.get(..=text.len()).ok_or(NoteError::Malformed)?;
    if has_control(note) {
        return Err(NoteError::Malformed);
    }
    if lines.split('\n').count() > SIGNATURES_MAX {
        return Err(NoteError::TooManySignatures);
    }
    let lines: Option<Vec<_>> = lines.split('\n').map(SignatureLine::parse).collect();
    Ok((text, lines.ok_or(NoteError::Malformed)?))
}

fn has_control(text: &str) -> bool {
    text.bytes().any(|byte| byte < b' ' && byte != b'\n')
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+' || c < ' ')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The example of Go's `golang.org/x/mod/sumdb/note`.
    const SEED: &str = "810a1402d5146c8d84f2443330f54080ebf98ee17d9c74f6252fc5d5c7283173";
    const VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                        then you don't know what your problem is.\n";
    const LINE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgY\
                        N1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    fn peter() -> NoteSigner {
        let seed = HEXLOWER.decode(SEED.as_bytes()).unwrap().try_into().unwrap();
        NoteSigner::new("PeterNeumann", &seed).unwrap()
    }

    fn other() -> NoteSigner {
        NoteSigner::new("example.org/log/1", &[7; 32]).unwrap()
    }

    fn keys() -> [Verifier; 1] {
        [Verifier::parse(VKEY).unwrap()]
    }

    #[test]
    fn the_verification_key_is_that_of_the_reference() {
        assert_eq!(peter().vkey(), VKEY);
    }

    #[test]
    fn the_note_is_that_of_the_reference() {
        assert_eq!(peter().sign(TEXT).unwrap(), format!("{TEXT}\n{LINE}"));
    }

    #[test]
    fn the_note_of_the_reference_opens() {
        assert_eq!(open(&format!("{TEXT}\n{LINE}"), &keys()), Ok(TEXT));
    }

    #[test]
    fn the_key_of_the_go_checksum_database_reads() {
        let vkey = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
        assert_eq!(Verifier::parse(vkey).unwrap().to_string(), vkey);
    }

    #[test]
    fn a_key_with_another_id_is_refused() {
        let wrong = VKEY.replace("c74f20a3", "c74f20a4");
        assert_eq!(Verifier::parse(&wrong), Err(NoteError::BadKey));
    }

    #[test]
    fn a_key_has_one_spelling() {
        let wrong = VKEY.replace("c74f20a3", "C74F20A3");
        assert_eq!(Verifier::parse(&wrong), Err(NoteError::BadKey));
        assert_eq!(Verifier::parse(&format!("{VKEY}\n")), Err(NoteError::BadKey));
    }

    #[test]
    fn a_key_of_another_type_is_refused() {
        let wrong = VKEY.replace("+ARpc", "+BBpc");
        assert_eq!(Verifier::parse(&wrong), Err(NoteError::BadKey));
    }

    #[test]
    fn a_key_that_takes_any_signature_is_refused() {
        let mut weak = [0; 32];
        weak[0] = 1;
        let weak = Verifier::new("weak", VerifyingKey::from_bytes(&weak).unwrap()).unwrap();
        assert_eq!(Verifier::parse(&weak.to_string()), Err(NoteError::BadKey));
    }

    #[test]
    fn a_name_has_no_space_and_no_plus() {
        for name in ["", "a b", "a+b", "a\u{a0}b", "a\nb", "a\u{1}b"] {
            assert_eq!(NoteSigner::new(name, &[1; 32]).err(), Some(NoteError::BadName), "{name}");
        }
    }

    #[test]
    fn a_text_that_would_not_read_back_is_not_signed() {
        for text in ["", "no newline", "a\r\n", "a\tb\n"] {
            assert_eq!(peter().sign(text), Err(NoteError::BadText), "{text:?}");
        }
    }

    #[test]
    fn a_text_may_have_empty_lines() {
        let note = peter().sign("one\n\ntwo\n\n").unwrap();
        assert_eq!(open(&note, &keys()), Ok("one\n\ntwo\n\n"));
    }

    #[test]
    fn signatures_of_unknown_keys_are_ignored() {
        let known = peter().sign(TEXT).unwrap();
        let line = known.lines().last().unwrap();
        let both = format!("{}{line}\n", other().sign(TEXT).unwrap());
        assert_eq!(open(&both, &keys()), Ok(TEXT));
    }

    #[test]
    fn a_note_of_unknown_keys_only_is_refused() {
        assert_eq!(open(&other().sign(TEXT).unwrap(), &keys()), Err(NoteError::NoKnownKey));
    }

    #[test]
    fn a_wrong_signature_of_a_known_key_spoils_the_note() {
        let stale = other().sign("another text\n").unwrap();
        let note = format!("{}{}\n", peter().sign(TEXT).unwrap(), stale.lines().last().unwrap());
        let keys = [peter().verifier().clone(), other().verifier().clone()];
        assert_eq!(open(&note, &keys), Err(NoteError::Forged));
    }

    #[test]
    fn everybody_known_who_signed_is_named() {
        let theirs = other().sign(TEXT).unwrap();
        let note = format!("{}{}\n", peter().sign(TEXT).unwrap(), theirs.lines().last().unwrap());
        let keys = [peter().verifier().clone(), other().verifier().clone()];
        let opened = open_signed(&note, &keys).unwrap();
        assert_eq!(opened.signers, ["PeterNeumann", "example.org/log/1"]);
    }

    #[test]
    fn what_is_not_a_note_is_refused() {
        let good = format!("{TEXT}\n{LINE}");
        let wrong = [
            String::new(),
            TEXT.to_owned(),
            format!("{TEXT}\n"),
            good.trim_end().to_owned(),
            good.replace('\n', "\r\n"),
            good.replace('\u{2014}', "-"),
            good.replace(" x08g", "  x08g"),
            format!("{good}\n"),
            format!("{good}more\n"),
        ];
        for note in wrong {
            assert_eq!(open(&note, &keys()), Err(NoteError::Malformed), "{note:?}");
        }
    }

    #[test]
    fn there_is_an_end_to_signatures() {
        let good = format!("{TEXT}\n{}", LINE.repeat(SIGNATURES_MAX));
        assert_eq!(open(&good, &keys()), Ok(TEXT));
        assert_eq!(open(&format!("{good}{LINE}"), &keys()), Err(NoteError::TooManySignatures));
    }

    #[test]
    fn there_is_an_end_to_notes() {
        let text = "a".repeat(NOTE_BYTES_MAX) + "\n";
        assert_eq!(peter().sign(&text), Err(NoteError::TooLong));
        assert_eq!(open(&format!("{text}\n{LINE}"), &keys()), Err(NoteError::TooLong));
    }

    proptest! {
        #[test]
        fn every_text_that_is_signed_opens(text in "[ -~\n\u{e4}\u{2014}]{0,80}") {
            let text = text + "\n";
            let note = peter().sign(&text).unwrap();
            prop_assert_eq!(open(&note, &keys()), Ok(text.as_str()));
        }

        #[test]
        fn every_key_reads_back(seed: [u8; 32], name in "[a-z0-9./]{1,20}") {
            let signer = NoteSigner::new(&name, &seed).unwrap();
            let read = Verifier::parse(&signer.vkey());
            prop_assert_eq!(read.as_ref(), Ok(signer.verifier()));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "(.|\n|\u{2014} a ){0,80}") {
            let _ = open(&text, &keys());
            let _ = Verifier::parse(&text);
        }
    }

    #[test]
    fn every_single_bit_change_is_refused() {
        let note = format!("{TEXT}\n{LINE}");
        for bit in 0..note.len() * 8 {
            let mut bytes = note.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(text) = String::from_utf8(bytes) {
                assert!(open(&text, &keys()).is_err(), "bit {bit}");
            }
        }
    }
}
