//! How the server settles what devices say afterwards: the whole story of one ticket, and the one
//! step that takes a word of a device into it. Runs inside the write that records it.

use super::journal::JournalEntry;
use super::{Bounds, Word};
use crate::admission::{Entry, History};
use crate::id::{DeviceNo, ScanId};
use crate::pass::Calendar;
use crate::reason::Reason;

/// What a scan has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The server said yes; whether green was shown it does not know.
    Claimed,
    /// Somebody was let in.
    Done,
    /// Nobody was let in after all.
    Void,
    /// Refused, and remembered.
    Refused,
}

/// One scan of the ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Id, device, gate and time.
    pub entry: Entry,
    /// Which use of the ticket; 0 for a refusal.
    pub use_no: u32,
    /// What it has come to.
    pub stage: Stage,
    /// When: the server's own time for what it decided, and what the device surely knew for what it
    /// decided by itself.
    pub bounds: Bounds,
}

impl Told {
    /// What admissions are ordered by: the earliest for certain comes first, whoever told it first.
    fn order(&self) -> (i64, ScanId, DeviceNo) {
        (self.bounds.upper().0, self.entry.scan, self.entry.device)
    }
}

/// All that is on the books about one ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// Entries it is good for, 0 for any number.
    pub max_uses: u8,
    /// Its uses and standing.
    pub history: History,
    /// Its scans, in the order in which they came here.
    pub told: Vec<Told>,
}

/// What has to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: it was known, or contradicts what the device said for good.
    Nothing,
    /// The claim of this scan is confirmed.
    Confirm,
    /// An entry that the device made by itself.
    Admit {
        /// Which use of the ticket.
        use_no: u32,
    },
    /// A refusal by the device, or that a scan was given up: a late copy of it gets this answer.
    Refuse(Reason),
    /// A use that did not happen is given back.
    Undo {
        /// How many uses there were.
        use_no: u32,
    },
}

/// What came of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// What has to be written.
    pub change: Change,
    /// The other entry, when somebody now has surely been let in with a ticket that had no use left.
    pub conflict: Option<Told>,
}

impl Story {
    /// Takes in what `device` says; the books as they then are.
    pub fn settle(&mut self, device: DeviceNo, said: &JournalEntry) -> Settled {
        let known = self
            .told
            .iter()
            .position(|told| told.entry.device == device && told.entry.scan == said.scan);
        let stage = known.and_then(|at| self.told.get(at)).map(|told| told.stage);
        let change = match (said.word, stage) {
            (Word::Done, None | Some(Stage::Refused)) => self.admit(device, said),
            (Word::Done, Some(Stage::Claimed)) => self.confirm(known),
            (Word::Void, None) => self.refuse(device, said, Reason::GivenUp),
            (Word::Refused(reason), None) => self.refuse(device, said, reason),
            (Word::Void | Word::Refused(_), Some(Stage::Claimed | Stage::Done)) => self.undo(known),
            (Word::Done, Some(Stage::Done | Stage::Void))
            | (Word::Void | Word::Refused(_), Some(Stage::Void | Stage::Refused)) => {
                Change::Nothing
            }
        };
        let new_done = matches!(change, Change::Confirm | Change::Admit { .. });
        let conflict = new_done.then(|| self.double(device, said.scan)).flatten();
        Settled { change, conflict }
    }

    /// The entries that surely happened, the earliest for certain first: the ticket was good for the
    /// first `max_uses` of them.
    pub fn entries(&self) -> Vec<Told> {
        let mut done: Vec<Told> =
            self.told.iter().filter(|told| told.stage == Stage::Done).copied().collect();
        done.sort_by_key(Told::order);
        done
    }

    fn admit(&mut self, device: DeviceNo, said: &JournalEntry) -> Change {
        let entry = Entry { scan: said.scan, device, gate: said.gate, at: said.bounds.upper() };
        let history = &mut self.history;
        let use_no = history.next_use();
        history.uses = history.uses.saturating_add(1);
        history.presence = history.presence.entered(entry.gate, history.last, &Calendar::default());
        let earlier = |one: Entry| if entry.at < one.at { entry } else { one };
        history.first = Some(history.first.map_or(entry, earlier));
        // The newest on the books, whatever its time: its use has the highest number, and only the
        // highest may be taken back by a steward.
        history.last = Some(entry);
        // A refusal that the device overruled is no longer what is known of this scan.
        self.told.retain(|told| (told.entry.device, told.entry.scan) != (device, said.scan));
        self.told.push(Told { entry, use_no, stage: Stage::Done, bounds: said.bounds });
        Change::Admit { use_no }
    }

    /// The time stays the server's own: it is exact, and was before green could be shown.
    fn confirm(&mut self, known: Option<usize>) -> Change {
        let Some(told) = known.and_then(|at| self.told.get_mut(at)) else { return Change::Nothing };
        told.stage = Stage::Done;
        Change::Confirm
    }

    fn refuse(&mut self, device: DeviceNo, said: &JournalEntry, reason: Reason) -> Change {
        let entry = Entry { scan: said.scan, device, gate: said.gate, at: said.bounds.upper() };
        self.told.push(Told { entry, use_no: 0, stage: Stage::Refused, bounds: said.bounds });
        Change::Refuse(reason)
    }

    fn undo(&mut self, known: Option<usize>) -> Change {
        let Some(told) = known.and_then(|at| self.told.get_mut(at)) else { return Change::Nothing };
        told.stage = Stage::Void;
        let (gone, uses) = (told.entry, self.history.uses);
        let counting = |told: &&Told| matches!(told.stage, Stage::Claimed | Stage::Done);
        let history = &mut self.history;
        let is_last =
            history.last.is_some_and(|last| last.scan == gone.scan && last.device == gone.device);
        history.uses = uses.saturating_sub(1);
        history.presence = history.presence.without(gone.gate);
        // The number of a use in the middle is not given out again: each has its leaf.
        history.skipped = match history.uses {
            0 => 0,
            _ if is_last => history.skipped,
            _ => history.skipped.saturating_add(1),
        };
        history.last = self.told.iter().rev().find(counting).map(|told| told.entry);
        history.first =
            self.told.iter().filter(counting).map(|told| told.entry).min_by_key(|entry| entry.at);
        Change::Undo { use_no: uses }
    }

    /// The entry that the one of this scan collides with: the latest of the others that surely
    /// happened. Claims that nobody confirmed are not held against anybody.
    fn double(&self, device: DeviceNo, scan: ScanId) -> Option<Told> {
        let done = self.entries();
        if self.max_uses == 0 || done.len() <= usize::from(self.max_uses) {
            return None;
        }
        // With a ticket for one entry this is the one that holds it.
        let others =
            done.into_iter().filter(|told| (told.entry.device, told.entry.scan) != (device, scan));
        others.take(usize::from(self.max_uses)).last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Digest, GateNo, UnixMs};

    const HERE: DeviceNo = DeviceNo(1);
    const THERE: DeviceNo = DeviceNo(2);

    fn said(scan: u8, word: Word, at: i64) -> JournalEntry {
        JournalEntry {
            sequence: u64::from(scan),
            scan: ScanId([scan; 16]),
            digest: Digest([0; 32]),
            gate: GateNo(1),
            word,
            bounds: Bounds::exact(UnixMs(at)),
        }
    }

    fn story() -> Story {
        Story { max_uses: 1, history: History::FRESH, told: Vec::new() }
    }

    fn claim(story: &mut Story, device: DeviceNo, scan: u8, at: i64) {
        let entry = Entry { scan: ScanId([scan; 16]), device, gate: GateNo(1), at: UnixMs(at) };
        let use_no = story.history.next_use();
        story.history.uses += 1;
        story.history.first = story.history.first.or(Some(entry));
        story.history.last = Some(entry);
        let bounds = Bounds::exact(UnixMs(at));
        story.told.push(Told { entry, use_no, stage: Stage::Claimed, bounds });
    }

    #[test]
    fn the_same_word_twice_is_one_entry() {
        let mut story = story();
        assert_eq!(story.settle(HERE, &said(1, Word::Done, 5)).change, Change::Admit { use_no: 1 });
        assert_eq!(story.settle(HERE, &said(1, Word::Done, 5)).change, Change::Nothing);
        assert_eq!(story.history.uses, 1);
    }

    #[test]
    fn two_devices_that_let_somebody_in_are_one_conflict() {
        let mut story = story();
        assert_eq!(story.settle(HERE, &said(1, Word::Done, 9)).conflict, None);
        let second = story.settle(THERE, &said(2, Word::Done, 5));
        assert_eq!(second.conflict.map(|told| told.entry.device), Some(HERE));
        assert_eq!(story.entries().first().map(|told| told.entry.device), Some(THERE));
    }

    #[test]
    fn a_claim_that_nobody_confirmed_accuses_nobody_until_it_is_confirmed() {
        let mut story = story();
        claim(&mut story, HERE, 1, 3);
        assert_eq!(story.settle(THERE, &said(2, Word::Done, 5)).conflict, None);
        let confirmed = story.settle(HERE, &said(1, Word::Done, 4));
        assert_eq!(confirmed.change, Change::Confirm);
        assert_eq!(confirmed.conflict.map(|told| told.entry.device), Some(THERE));
    }

    #[test]
    fn a_claim_that_was_given_up_gives_its_use_back() {
        let mut story = story();
        claim(&mut story, HERE, 1, 3);
        assert_eq!(story.settle(HERE, &said(1, Word::Void, 5)).change, Change::Undo { use_no: 1 });
        assert_eq!(story.history, History::FRESH);
        assert_eq!(story.settle(HERE, &said(1, Word::Done, 6)).change, Change::Nothing);
    }

    #[test]
    fn what_was_given_up_before_the_server_heard_of_it_is_remembered() {
        let mut story = story();
        let tomb = story.settle(HERE, &said(1, Word::Void, 5)).change;
        assert_eq!(tomb, Change::Refuse(Reason::GivenUp));
        assert_eq!(story.history.uses, 0);
    }

    #[test]
    fn a_late_copy_that_the_server_refused_does_not_unmake_an_entry() {
        let mut story = story();
        claim(&mut story, THERE, 2, 3);
        let entry = Entry { scan: ScanId([1; 16]), device: HERE, gate: GateNo(1), at: UnixMs(4) };
        let bounds = Bounds::exact(UnixMs(4));
        story.told.push(Told { entry, use_no: 0, stage: Stage::Refused, bounds });
        let done = story.settle(HERE, &said(1, Word::Done, 4));
        assert_eq!(done.change, Change::Admit { use_no: 2 });
        assert_eq!(done.conflict, None);
    }

    #[test]
    fn a_use_in_the_middle_that_did_not_happen_does_not_give_its_number_to_another() {
        let mut story = Story { max_uses: 3, ..story() };
        claim(&mut story, HERE, 1, 1);
        story.settle(THERE, &said(2, Word::Done, 2));
        story.settle(HERE, &said(1, Word::Void, 3));
        assert_eq!((story.history.uses, story.history.next_use()), (1, 3));
    }

    #[test]
    fn the_third_of_a_ticket_for_two_collides_with_the_second() {
        let mut story = Story { max_uses: 2, ..story() };
        story.settle(HERE, &said(1, Word::Done, 1));
        story.settle(HERE, &said(2, Word::Done, 2));
        let third = story.settle(THERE, &said(3, Word::Done, 3));
        assert_eq!(third.conflict.map(|told| told.entry.scan), Some(ScanId([2; 16])));
    }
}
