//! Spent proofs: what a gate tells others about the tickets it let in, signed by the gate, so that
//! they refuse them too. Format: `docs/formats/spent.md`.
//!
//! A list is a C2SP signed note. Entries are named by device and sequence number, so that lists may
//! come twice, in any order and in parts.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::admission::{Entry, History};
use crate::id::{DeviceNo, Digest, EventNo, GateNo, ScanId, UnixMs};
use crate::log::note::{NoteError, NoteSigner, Verifier, open_signed};
use crate::offline::journal::JournalEntry;
use crate::offline::{Bounds, Word};
use crate::pass::Calendar;

/// Most entries of one list: a long evening at one gate.
pub const ENTRIES_MAX: usize = 5000;
/// Longest list, in bytes.
pub const LIST_BYTES_MAX: usize = ENTRIES_MAX * 120 + 1024;

const HEADER: &str = "admit-one/spent/v1";

/// One use of one ticket at a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpentEntry {
    /// Counts the device's entries from 1, without a gap.
    pub sequence: u64,
    /// Where.
    pub gate: GateNo,
    /// When, by the device.
    pub at: UnixMs,
    /// The ticket's name in the spend table.
    pub digest: Digest,
}

impl SpentEntry {
    /// What `device` says with it: that somebody was let in.
    pub fn said(&self, device: DeviceNo) -> JournalEntry {
        JournalEntry {
            sequence: self.sequence,
            scan: scan_id(device, self.sequence),
            digest: self.digest,
            gate: self.gate,
            word: Word::Done,
            bounds: Bounds::exact(self.at),
        }
    }
}

/// Entries of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpentList {
    /// The event.
    pub event: EventNo,
    /// The device; 0 is the server itself.
    pub device: DeviceNo,
    /// In the order of their sequence numbers.
    pub entries: Vec<SpentEntry>,
}

/// Why a list is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SpentError {
    /// Not signed, or not by a device that is known.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Signed by another device than the one it speaks for.
    #[error("the list is signed by another device")]
    OtherDevice,
    /// Not in the form of a list.
    #[error("this is not a list of spent tickets")]
    Malformed,
    /// More than [`ENTRIES_MAX`] entries.
    #[error("the list is too long")]
    TooLong,
}

/// The name that a device's lists are signed with.
pub fn signer_name(event: EventNo, device: DeviceNo) -> String {
    format!("admit-one/event-{}/device-{}", event.0, device.0)
}

impl SpentList {
    /// The signed list, as text.
    pub fn sign(&self, signer: &NoteSigner) -> Result<String, SpentError> {
        if self.entries.len() > ENTRIES_MAX {
            return Err(SpentError::TooLong);
        }
        Ok(signer.sign(&self.text())?)
    }

    /// Reads a list that one of `devices` signed for itself.
    pub fn open(note: &str, devices: &[Verifier]) -> Result<Self, SpentError> {
        if note.len() > LIST_BYTES_MAX {
            return Err(SpentError::TooLong);
        }
        let opened = open_signed(note, devices)?;
        let list = Self::read(opened.text).filter(|list| list.text() == opened.text);
        let list = list.ok_or(SpentError::Malformed)?;
        if list.entries.len() > ENTRIES_MAX {
            return Err(SpentError::TooLong);
        }
        let own = signer_name(list.event, list.device);
        if opened.signers.contains(&own.as_str()) { Ok(list) } else { Err(SpentError::OtherDevice) }
    }

    fn text(&self) -> String {
        let mut text = format!("{HEADER}\nevent {}\ndevice {}\n", self.event.0, self.device.0);
        for entry in &self.entries {
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{} {} {} {}",
                entry.sequence, entry.gate.0, entry.at.0, entry.digest
            );
        }
        text
    }

    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != HEADER {
            return None;
        }
        let event = lines.next()?.strip_prefix("event ")?.parse().ok().map(EventNo)?;
        let device = lines.next()?.strip_prefix("device ")?.parse().ok().map(DeviceNo)?;
        let entries = lines.map(read_entry).collect::<Option<Vec<_>>>()?;
        let ordered = entries.iter().zip(entries.iter().skip(1));
        let in_order = ordered.into_iter().all(|(one, next)| one.sequence < next.sequence);
        in_order.then_some(Self { event, device, entries })
    }
}

fn read_entry(line: &str) -> Option<SpentEntry> {
    let mut words = line.split(' ');
    let sequence = words.next()?.parse().ok()?;
    let gate = words.next()?.parse().ok().map(GateNo)?;
    let at = words.next()?.parse().ok().map(UnixMs)?;
    let digest = data_encoding::HEXLOWER.decode(words.next()?.as_bytes()).ok()?;
    let digest = digest.try_into().ok().map(Digest)?;
    words.next().is_none().then_some(SpentEntry { sequence, gate, at, digest })
}

/// The scan that an entry stands for: made of device and sequence, so that it is the same wherever
/// the entry arrives.
pub fn scan_id(device: DeviceNo, sequence: u64) -> ScanId {
    let mut hash = Sha256::new();
    hash.update(b"admit-one/spent scan/v1\0");
    hash.update(device.0.to_be_bytes());
    hash.update(sequence.to_be_bytes());
    let [id @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] =
        <[u8; 32]>::from(hash.finalize());
    ScanId(id)
}

/// What a spent proof of another place means for what is on the books here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It counts as one more use.
    Stored(History),
    /// The ticket had no use left: both entries happened, and this is the first of the other side.
    Conflict(Entry),
}

/// Decides about a spent proof. The entry has happened, so gates and windows are not asked again;
/// only whether the ticket was good for one more.
pub fn import(history: &History, max_uses: u8, entry: Entry) -> Imported {
    if let Some(last) = history.last
        && max_uses != 0
        && history.uses >= u32::from(max_uses)
    {
        return Imported::Conflict(last);
    }
    let earlier = |one: Entry| if entry.at < one.at { entry } else { one };
    Imported::Stored(History {
        standing: history.standing,
        uses: history.uses.saturating_add(1),
        first: Some(history.first.map_or(entry, earlier)),
        // The newest on the books, whatever its time: its use has the highest number, and only the
        // highest may be taken back.
        last: Some(entry),
        last_epoch: history.last_epoch,
        skipped: history.skipped,
        // What day it was there nobody says; the gates that were known stay.
        presence: history.presence.entered(entry.gate, history.last, &Calendar::default()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVENT: EventNo = EventNo(7);

    fn signer(device: i64) -> NoteSigner {
        let seed = [u8::try_from(device).unwrap(); 32];
        NoteSigner::new(&signer_name(EVENT, DeviceNo(device)), &seed).unwrap()
    }

    fn list(device: i64, digests: &[[u8; 32]]) -> SpentList {
        let entry = |(n, digest): (u64, &[u8; 32])| SpentEntry {
            sequence: n,
            gate: GateNo(1),
            at: UnixMs(1_800_000_000_000),
            digest: Digest(*digest),
        };
        let entries = (1..).zip(digests).map(entry).collect();
        SpentList { event: EVENT, device: DeviceNo(device), entries }
    }

    fn known() -> Vec<Verifier> {
        vec![signer(1).verifier().clone(), signer(2).verifier().clone()]
    }

    #[test]
    fn a_device_cannot_speak_for_another() {
        let forged = list(1, &[[5; 32]]).sign(&signer(2)).unwrap();
        assert_eq!(SpentList::open(&forged, &known()), Err(SpentError::OtherDevice));
    }

    #[test]
    fn a_list_of_an_unknown_device_is_refused() {
        let unknown = list(3, &[[5; 32]]).sign(&signer(3)).unwrap();
        let refused = SpentList::open(&unknown, &known());
        assert_eq!(refused, Err(SpentError::Note(NoteError::NoKnownKey)));
    }

    proptest! {
        #[test]
        fn a_list_reads_back(digests in prop::collection::vec(any::<[u8; 32]>(), 0..20)) {
            let list = list(1, &digests);
            let note = list.sign(&signer(1)).unwrap();
            prop_assert_eq!(SpentList::open(&note, &known()), Ok(list));
        }

        #[test]
        fn a_list_changed_anywhere_is_refused(place: prop::sample::Index, flip in 1u8..128) {
            let note = list(1, &[[5; 32], [6; 32]]).sign(&signer(1)).unwrap();
            let mut bytes = note.into_bytes();
            let place = place.index(bytes.len());
            bytes[place] ^= flip;
            let opened = String::from_utf8(bytes).map(|note| SpentList::open(&note, &known()));
            prop_assert!(!matches!(opened, Ok(Ok(_))));
        }

        #[test]
        fn imports_in_any_order_never_use_a_ticket_more_often_than_allowed(max_uses in 1u8..5, times in prop::collection::vec(0i64..50, 0..20)) {
            let mut history = History::FRESH;
            let mut conflicts = 0;
            for at in &times {
                let entry = Entry { scan: ScanId([0; 16]), device: DeviceNo(1), gate: GateNo(1), at: UnixMs(*at) };
                match import(&history, max_uses, entry) {
                    Imported::Stored(next) => history = next,
                    Imported::Conflict(_) => conflicts += 1,
                }
            }
            let stored = usize::try_from(history.uses).unwrap();
            prop_assert!(history.uses <= u32::from(max_uses));
            prop_assert_eq!(stored + conflicts, times.len());
            prop_assert_eq!(history.first.map(|e| e.at.0), times.iter().take(stored).min().copied());
        }
    }
}
