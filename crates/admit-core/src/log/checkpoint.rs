//! Checkpoints (C2SP tlog-checkpoint): the head of a log, in a text that is signed as a note.

use data_encoding::BASE64;
use thiserror::Error;

use super::note::{self, NoteError, NoteSigner, Verifier};
use super::tree::Hash;

/// How many leaves a log has, and what its root is then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name; its key has the same.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// The root of the Merkle tree (RFC 6962) over them.
    pub root: Hash,
}

/// Why a text is no checkpoint that can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CheckpointError {
    /// The note around it does not hold.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Not the three lines origin, size and root, in their one spelling.
    #[error("this is not a checkpoint")]
    Malformed,
    /// Signed, but not by the log that it speaks of.
    #[error("the checkpoint is not signed by the log it names")]
    WrongLog,
}

impl Checkpoint {
    /// The text that is signed: origin, decimal size and Base64 of the root, a line each.
    pub fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(&self.root.0))
    }

    /// Reads what [`Checkpoint::body`] writes, and nothing else: no extension lines (the standard
    /// advises against them), no leading zeros.
    pub fn parse(body: &str) -> Result<Self, CheckpointError> {
        Self::read(body)
            .filter(|checkpoint| checkpoint.body() == body)
            .ok_or(CheckpointError::Malformed)
    }

    /// The note of this checkpoint, signed by its log.
    pub fn sign(&self, signer: &NoteSigner) -> Result<String, CheckpointError> {
        if signer.name() != self.origin {
            return Err(CheckpointError::WrongLog);
        }
        Ok(signer.sign(&self.body())?)
    }

    /// Opens a signed checkpoint: one of `keys` signed it, and bears the name of its origin.
    ///
    /// The key's name matters when several logs are known: none may speak for another.
    pub fn open(note: &str, keys: &[Verifier]) -> Result<Self, CheckpointError> {
        let opened = note::open_signed(note, keys)?;
        let checkpoint = Self::parse(opened.text)?;
        if opened.signers.contains(&checkpoint.origin.as_str()) {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::WrongLog)
        }
    }

    fn read(body: &str) -> Option<Self> {
        let mut lines = body.lines();
        let origin = lines.next().filter(|origin| !origin.is_empty())?;
        let size = lines.next()?.parse().ok()?;
        let root = BASE64.decode(lines.next()?.as_bytes()).ok()?.try_into().ok()?;
        Some(Self { origin: origin.to_owned(), size, root: Hash(root) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ORIGIN: &str = "tickets.example.org/log/3";

    fn signer(name: &str) -> NoteSigner {
        NoteSigner::new(name, &[3; 32]).unwrap()
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: ORIGIN.to_owned(), size: 20_852_163, root: Hash([5; 32]) }
    }

    #[test]
    fn the_example_of_the_standard_reads() {
        let body = "example.com/behind-the-sofa\n20852163\n\
                    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let read = Checkpoint::parse(body).unwrap();
        assert_eq!(read.origin, "example.com/behind-the-sofa");
        assert_eq!(read.size, 20_852_163);
        let root = "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62";
        assert_eq!(read.root.to_string(), root);
    }

    #[test]
    fn a_signed_checkpoint_opens() {
        let note = checkpoint().sign(&signer(ORIGIN)).unwrap();
        let keys = [signer(ORIGIN).verifier().clone()];
        assert_eq!(Checkpoint::open(&note, &keys), Ok(checkpoint()));
    }

    #[test]
    fn a_log_does_not_speak_for_another() {
        let other = signer("tickets.example.org/log/4");
        assert_eq!(checkpoint().sign(&other), Err(CheckpointError::WrongLog));
        let note = other.sign(&checkpoint().body()).unwrap();
        let keys = [signer(ORIGIN).verifier().clone(), other.verifier().clone()];
        assert_eq!(Checkpoint::open(&note, &keys), Err(CheckpointError::WrongLog));
    }

    #[test]
    fn a_signed_text_that_is_no_checkpoint_is_refused() {
        let note = signer(ORIGIN).sign("hello\n").unwrap();
        let keys = [signer(ORIGIN).verifier().clone()];
        assert_eq!(Checkpoint::open(&note, &keys), Err(CheckpointError::Malformed));
    }

    #[test]
    fn only_the_one_spelling_is_read() {
        let good = checkpoint().body();
        let wrong = [
            String::new(),
            good.trim_end().to_owned(),
            good.replace("\n208", "\n0208"),
            good.replace("\n208", "\n+208"),
            good.replace("\n208", "\n-208"),
            good.replace("\n20852163", "\n18446744073709551616"),
            good.replace("=\n", "\n"),
            good.replace("UFBQU=\n", "UFBQV=\n"),
            good.replace("BQUFBQUFBQ", "BQUFBQUF"),
            good.replace('\n', "\r\n"),
            good.replace(ORIGIN, ""),
            format!("{good}extension\n"),
            format!("{good}\n"),
            format!("\n{good}"),
        ];
        for body in wrong {
            assert_ne!(body, good);
            assert_eq!(Checkpoint::parse(&body), Err(CheckpointError::Malformed), "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn every_checkpoint_reads_back(origin in "[a-z0-9./-]{1,40}", size: u64, root: [u8; 32]) {
            let checkpoint = Checkpoint { origin, size, root: Hash(root) };
            prop_assert_eq!(Checkpoint::parse(&checkpoint.body()), Ok(checkpoint));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "(.|\n){0,80}") {
            let _ = Checkpoint::parse(&text);
        }
    }
}
