//! The server: the shipped decision and the shipped settling over what it has on its books.

use std::collections::{BTreeMap, BTreeSet};

use admit_core::admission::{Admission, Entry, Rules, Scan, Verdict, decide};
use admit_core::id::{DeviceNo, Digest, GateNo, ScanId, UnixMs};
use admit_core::offline::effect::{Answer, Report};
use admit_core::offline::journal::JournalEntry;
use admit_core::offline::known::{ShortDigest, change};
use admit_core::offline::story::{Change, Stage, Story, Told};
use admit_core::offline::{Bounds, Word};
use admit_core::pass::{Calendar, Direction, Pass};
use admit_core::reason::Reason;

use super::GENUINE;
use super::flaw::Flaw;

/// What a conflict says: id, the two sides, and whether each has said that it was shown.
#[derive(Clone)]
pub(super) struct Clash {
    pub(super) id: u64,
    pub(super) digest: Digest,
    pub(super) sides: [(DeviceNo, ScanId); 2],
    shown: BTreeSet<DeviceNo>,
}

#[derive(Clone, Default)]
pub(super) struct Server {
    pub(super) stories: BTreeMap<Digest, Story>,
    /// Entries and undone entries in the order of the record.
    pub(super) record: Vec<(DeviceNo, Digest, i8)>,
    journal: BTreeSet<(DeviceNo, u64)>,
    pub(super) clashes: Vec<Clash>,
    pub(super) lease: Option<DeviceNo>,
    recalled: BTreeSet<Digest>,
    returned: BTreeSet<Digest>,
    /// Decisions that were made and not written: only with a flaw.
    pub(super) unwritten: Vec<(DeviceNo, ScanId, usize)>,
    /// In which order entries came: only for a flaw.
    pub(super) arrived: Vec<(DeviceNo, ScanId)>,
}

impl Server {
    fn rules(&self, digest: Digest) -> Rules {
        let held_by = self.lease.filter(|_| !self.returned.contains(&digest));
        Rules {
            gate_open: true,
            closes_at: None,
            held_by,
            pass: Pass::default(),
            calendar: Calendar::default(),
        }
    }

    pub(super) fn look(&self, device: DeviceNo, scan: ScanId, ticket: usize, now: i64) -> Verdict {
        let ticket = &GENUINE[ticket];
        let story = &self.stories[&ticket.digest()];
        let (gate, direction) = (GateNo(1), Direction::Entry);
        let scan = Scan { id: scan, device, gate, at: UnixMs(now), direction };
        decide(ticket, &scan, Some(&story.history), &self.rules(ticket.digest())).verdict
    }

    /// A scan, as the stores answer it; none where the device is told that its id is used.
    pub(super) fn ask(
        &mut self,
        device: DeviceNo,
        scan: ScanId,
        ticket: usize,
        now: i64,
        flaw: Flaw,
    ) -> Option<Verdict> {
        let digest = GENUINE[ticket].digest();
        let known = self.stories[&digest].told.iter().rev();
        let known = known
            .clone()
            .find(|told| (told.entry.device, told.entry.scan) == (device, scan))
            .copied();
        match known.map(|told| told.stage) {
            Some(Stage::Claimed | Stage::Done) => {
                let use_no = known.map_or(1, |told| told.use_no);
                Some(Verdict::Admit(Admission { use_no, uses_remaining: None }))
            }
            Some(Stage::Refused) => Some(Verdict::Refuse(Reason::AlreadyUsed)),
            Some(Stage::Void) => None,
            None => {
                let verdict = self.look(device, scan, ticket, now);
                match verdict {
                    Verdict::Admit(_) => self.claim(device, scan, ticket, now),
                    Verdict::Refuse(reason) => {
                        if reason == Reason::Held {
                            self.recalled.insert(digest);
                        }
                        if flaw != Flaw::RefusalForgotten {
                            self.remember_refusal(device, scan, digest, now);
                        }
                    }
                }
                Some(verdict)
            }
        }
    }

    fn remember_refusal(&mut self, device: DeviceNo, scan: ScanId, digest: Digest, now: i64) {
        let entry = Entry { scan, device, gate: GateNo(1), at: UnixMs(now) };
        let bounds = Bounds::exact(UnixMs(now));
        if let Some(story) = self.stories.get_mut(&digest) {
            story.told.push(Told { entry, use_no: 0, stage: Stage::Refused, bounds });
        }
    }

    pub(super) fn claim(&mut self, device: DeviceNo, scan: ScanId, ticket: usize, now: i64) {
        let digest = GENUINE[ticket].digest();
        let Some(story) = self.stories.get_mut(&digest) else { return };
        let entry = Entry { scan, device, gate: GateNo(1), at: UnixMs(now) };
        let use_no = story.history.next_use();
        story.history.uses += 1;
        story.history.first = story.history.first.or(Some(entry));
        story.history.last = Some(entry);
        let bounds = Bounds::exact(UnixMs(now));
        story.told.push(Told { entry, use_no, stage: Stage::Claimed, bounds });
        self.record.push((device, digest, 1));
        self.arrived.push((device, scan));
    }

    pub(super) fn take_in(
        &mut self,
        device: DeviceNo,
        report: &Report,
        now: i64,
        flaw: Flaw,
    ) -> Answer {
        for (entry, _) in &report.entries {
            let new = self.journal.insert((device, entry.sequence));
            if new || flaw == Flaw::NoIdsAtSync {
                self.settle(device, entry, now, flaw);
            }
        }
        for clash in &mut self.clashes {
            if report.shown.contains(&clash.id) {
                clash.shown.insert(device);
            }
        }
        if self.lease == Some(device) {
            let returned = |digest: &Digest| report.returned.contains(&ShortDigest::from(*digest));
            let back: Vec<_> =
                self.recalled.iter().filter(|digest| returned(digest)).copied().collect();
            for digest in back {
                self.recalled.remove(&digest);
                self.returned.insert(digest);
            }
        }
        self.answer(device, report, now, flaw)
    }

    fn settle(&mut self, device: DeviceNo, entry: &JournalEntry, now: i64, flaw: Flaw) {
        let said = JournalEntry { bounds: entry.bounds.closed(UnixMs(now)), ..*entry };
        let Some(story) = self.stories.get_mut(&entry.digest) else { return };
        if flaw == Flaw::NoIdsAtSync {
            // Whatever comes is new.
            story.told.retain(|told| {
                told.stage == Stage::Claimed || told.entry.scan != said.scan || {
                    told.stage == Stage::Done
                }
            });
        }
        let known = |told: &Told| (told.entry.device, told.entry.scan) == (device, entry.scan);
        let again = flaw == Flaw::NoIdsAtSync
            && said.word == Word::Done
            && story.told.iter().any(|told| known(told) && told.stage == Stage::Done);
        let settled = if again {
            let mut twice = said;
            twice.scan.0[15] ^= 0x55;
            story.settle(device, &twice)
        } else {
            story.settle(device, &said)
        };
        if flaw == Flaw::VoidForgotten {
            story.told.retain(|told| {
                !(known(told) && matches!(told.stage, Stage::Void | Stage::Refused))
            });
        }
        let claims = story.told.iter().filter(|told| told.stage == Stage::Claimed).copied().last();
        let claimed = flaw == Flaw::ConflictOnClaim
            && matches!(settled.change, Change::Admit { .. })
            && settled.conflict.is_none();
        let conflict = settled.conflict.or(claims.filter(|_| claimed));
        match settled.change {
            Change::Admit { .. } => {
                self.record.push((device, entry.digest, 1));
                self.arrived.push((device, entry.scan));
            }
            Change::Undo { .. } => self.record.push((device, entry.digest, -1)),
            Change::Nothing | Change::Confirm | Change::Refuse(_) => {}
        }
        if let Some(other) = conflict {
            let id = u64::try_from(self.clashes.len()).unwrap() + 1;
            let sides = [(other.entry.device, other.entry.scan), (device, entry.scan)];
            let digest = entry.digest;
            self.clashes.push(Clash { id, digest, sides, shown: BTreeSet::new() });
        }
    }

    pub(super) fn changes(&self, device: DeviceNo, from: i64, next: i64) -> Vec<u8> {
        let (from, next) = (usize::try_from(from).unwrap(), usize::try_from(next).unwrap());
        let new = self.record[from..next].iter().filter(|(who, ..)| *who != device);
        new.flat_map(|(_, digest, by)| change(*digest, *by)).collect()
    }

    fn answer(&mut self, device: DeviceNo, report: &Report, now: i64, flaw: Flaw) -> Answer {
        let next = i64::try_from(self.record.len()).unwrap();
        let concerns = |clash: &&mut Clash| {
            clash.sides.iter().any(|(side, _)| *side == device) && !clash.shown.contains(&device)
        };
        let mut notices = Vec::new();
        for clash in self.clashes.iter_mut().filter(concerns) {
            notices.push(clash.id);
            if flaw == Flaw::NoticeForgotten {
                clash.shown.insert(device);
            }
        }
        let mine = self.lease == Some(device);
        Answer {
            acknowledged: report.entries.iter().map(|(entry, _)| entry.sequence).collect(),
            from: report.after,
            next,
            changes: self.changes(device, report.after, next),
            denied: None,
            notices,
            recalled: self
                .recalled
                .iter()
                .filter(|_| mine)
                .map(|d| ShortDigest::from(*d))
                .collect(),
            recalled_types: Vec::new(),
            server: UnixMs(now),
        }
    }
}
