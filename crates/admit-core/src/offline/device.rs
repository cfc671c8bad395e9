//! A gate device as a state machine: what it does about a scan with and without the server, what it
//! keeps, and what it tells at the next contact.
//!
//! Each step gives effects in an order that matters: whatever is to be *kept* must be durable before
//! the effects behind it are carried out. A device that stops in between starts again from what it
//! kept, and is right.

use std::collections::{BTreeMap, BTreeSet};

use super::clock::{Clock, Now};
use super::effect::{Answer, Effect, Intent, Kept, Report, Written};
use super::journal::{BEGINNING, ChainHash, JournalEntry, REPORT_BEARERS_MAX, REPORT_ENTRIES_MAX};
use super::known::{Known, ShortDigest};
use super::{Policy, Word};
use crate::admission::{
    Admission, Entry, History, Rules, Scan, Standing, Verdict, decide, exhausted,
};
use crate::id::{DeviceNo, Digest, EventNo, GateNo, ScanId, TypeNo, UnixMs};
use crate::pass::{Calendar, Direction, GateDay, Pass, Presence, today};
use crate::reason::Reason;
use crate::spent::{ENTRIES_MAX, SpentEntry, SpentList};
use crate::ticket::Verified;
use crate::ticket::anonymous::plain;

/// What the event says about going on without the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Policy of each ticket type; [`Policy::Any`] for what is not here.
    pub policies: BTreeMap<TypeNo, Policy>,
    /// Types whose lease this device holds, and the position in the server's record from which on:
    /// what happened before must be known before it is used.
    pub leases: BTreeMap<TypeNo, i64>,
    /// Longest time without a contact after which this device still admits, in ms.
    pub limit_ms: i64,
    /// Gates that are open.
    pub open_gates: BTreeSet<GateNo>,
    /// From when on no ticket of the event admits.
    pub closes_at: Option<UnixMs>,
    /// How the tickets of each type may enter again; as they like for what is not here.
    pub passes: BTreeMap<TypeNo, Pass>,
    /// The days that this device was told of.
    pub days: Vec<Calendar>,
}

#[derive(Clone)]
struct Pending {
    ticket: Verified,
    gate: GateNo,
    /// Entries with the same ticket that this device made by itself and that the server had not been
    /// told when it was asked: its answer does not know of them.
    rivals: u32,
}

/// By what a word was come to.
#[derive(Clone, Copy)]
struct By {
    epoch: Option<u32>,
    offline: bool,
}

impl By {
    /// By the device alone, and by no code that changes.
    const DEVICE: Self = Self { epoch: None, offline: true };
}

impl Pending {
    /// Whether the use that the server granted is gone: this device let somebody in with the same ticket,
    /// `own` in all, of which the server did not know when it answered.
    fn is_outrun(&self, granted: Admission, own: usize) -> bool {
        let max_uses = self.ticket.grant().max_uses;
        max_uses != 0
            && (granted.use_no.saturating_add(self.rivals) > u32::from(max_uses)
                || own >= usize::from(max_uses))
    }
}

/// What this device itself did with a ticket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Own {
    entries: Vec<Entry>,
    last_epoch: Option<u32>,
}

/// A gate device.
#[derive(Clone)]
pub struct Device {
    number: DeviceNo,
    terms: Terms,
    clock: Clock,
    last_contact: Option<UnixMs>,
    pending: BTreeMap<ScanId, Pending>,
    /// Intents that were kept and not ended; after a start, scans that nobody finished.
    intents: BTreeMap<ScanId, Intent>,
    journal: BTreeMap<u64, Written>,
    outbox: BTreeSet<u64>,
    head: ChainHash,
    own: BTreeMap<Digest, Own>,
    known: Known,
    /// Entries that other gates told of directly; the server tells of them too, in time.
    peers: BTreeMap<Digest, BTreeSet<(DeviceNo, u64)>>,
    denied: BTreeMap<ShortDigest, Standing>,
    lost: BTreeSet<ShortDigest>,
    over: BTreeMap<TypeNo, i64>,
    to_return: BTreeSet<ShortDigest>,
    types_to_return: BTreeSet<TypeNo>,
    shown: BTreeSet<u64>,
    notified: BTreeSet<u64>,
    /// Codes of anonymous tickets of which the server may not know.
    bearers: BTreeMap<Digest, String>,
}

impl Device {
    /// A device that has kept nothing yet.
    pub fn new(number: DeviceNo, terms: Terms) -> Self {
        Self {
            number,
            terms,
            clock: Clock::default(),
            last_contact: None,
            pending: BTreeMap::new(),
            intents: BTreeMap::new(),
            journal: BTreeMap::new(),
            outbox: BTreeSet::new(),
            head: BEGINNING,
            own: BTreeMap::new(),
            known: Known::default(),
            peers: BTreeMap::new(),
            denied: BTreeMap::new(),
            lost: BTreeSet::new(),
            over: BTreeMap::new(),
            to_return: BTreeSet::new(),
            types_to_return: BTreeSet::new(),
            shown: BTreeSet::new(),
            notified: BTreeSet::new(),
            bearers: BTreeMap::new(),
        }
    }

    /// Its number.
    pub fn number(&self) -> DeviceNo {
        self.number
    }

    /// Takes back in what was kept before a restart, in the order in which it was kept.
    pub fn restore(&mut self, kept: Kept) {
        match kept {
            Kept::Intent(intent) => {
                self.intents.insert(intent.scan, intent);
            }
            Kept::Entry(written) => {
                self.intents.remove(&written.entry.scan);
                self.take_entry(written);
            }
            Kept::Acknowledged(sequences) => {
                for sequence in sequences {
                    self.outbox.remove(&sequence);
                }
            }
            Kept::Changes { from, next, changes } => {
                self.known.learn(from, next, &changes);
            }
            Kept::Denied(denied) => self.denied = denied.into_iter().collect(),
            Kept::LeaseLost(ticket) => {
                self.lost.insert(ticket);
            }
            Kept::LeaseOver(kind, since) => {
                self.over.insert(kind, since);
            }
            Kept::Shown(notice) => {
                self.shown.insert(notice);
                self.notified.insert(notice);
            }
            Kept::Peer(device, entries) => {
                for (sequence, digest) in entries {
                    self.peers.entry(digest).or_default().insert((device, sequence));
                }
            }
            Kept::Bearer(digest, code) => {
                self.bearers.insert(digest, code);
            }
            Kept::Clock(newest, offset, contact) => {
                self.clock = Clock::restored(newest, offset);
                self.last_contact = contact;
            }
        }
    }

    /// After all was restored: scans that nobody finished are given up. Nobody was let in, for green
    /// is shown only after an entry is kept.
    pub fn start(&mut self, now: Now) -> Vec<Effect> {
        let unfinished: Vec<Intent> = self
            .intents
            .values()
            .filter(|intent| !self.pending.contains_key(&intent.scan))
            .copied()
            .collect();
        let mut effects = Vec::new();
        for intent in unfinished {
            effects.extend(self.write(intent, Word::Void, By::DEVICE, now));
        }
        effects
    }

    /// The event's terms as the server says them now.
    pub fn set_terms(&mut self, terms: Terms) {
        self.terms = terms;
    }

    /// Keeps the code of an anonymous ticket that is presented next: the server can know of such a ticket
    /// only by its code. Nothing for other tickets.
    pub fn hold(&mut self, ticket: &Verified, code: &str) -> Vec<Effect> {
        let known = self.bearers.contains_key(&ticket.digest());
        // An answer to a gate is good for no other: what is kept is the ticket itself.
        let code = plain(code).filter(|_| ticket.is_anonymous() && !known);
        let Some(code) = code else { return Vec::new() };
        self.bearers.insert(ticket.digest(), code.clone());
        vec![Effect::Keep(Kept::Bearer(ticket.digest(), code))]
    }

    /// A genuine code is presented under an id that was drawn for it. With `online`, the server is
    /// asked first.
    pub fn present(
        &mut self,
        scan: ScanId,
        ticket: Verified,
        gate: GateNo,
        online: bool,
        now: Now,
    ) -> Vec<Effect> {
        let intent = Intent { scan, digest: ticket.digest(), gate };
        let rivals = self.untold(intent.digest);
        self.pending.insert(scan, Pending { ticket, gate, rivals });
        self.intents.insert(scan, intent);
        let mut effects = vec![Effect::Keep(Kept::Intent(intent))];
        if online {
            effects.push(Effect::Ask(scan));
        } else {
            effects.extend(self.unanswered(scan, now));
        }
        effects
    }

    /// The server has answered. An answer that comes after the device decided changes nothing: what
    /// the device did is told at the next contact.
    pub fn answered(&mut self, scan: ScanId, verdict: Verdict, now: Now) -> Vec<Effect> {
        let Some(pending) = self.pending.remove(&scan) else { return Vec::new() };
        let show = Effect::Show { scan, verdict, offline: false };
        let intent = Intent { scan, digest: pending.ticket.digest(), gate: pending.gate };
        let own = self.own.get(&intent.digest).map_or(0, |own| own.entries.len());
        match verdict {
            Verdict::Admit(admission) if pending.is_outrun(admission, own) => {
                let reason = exhausted(pending.ticket.grant().max_uses);
                let verdict = Verdict::Refuse(reason);
                let mut effects = self.write(intent, Word::Refused(reason), By::DEVICE, now);
                effects.push(Effect::Show { scan, verdict, offline: true });
                effects
            }
            Verdict::Admit(_) => {
                let by = By { epoch: pending.ticket.epoch(), offline: false };
                let mut effects = self.write(intent, Word::Done, by, now);
                effects.push(show);
                effects
            }
            // The server remembers its refusals.
            Verdict::Refuse(_) => {
                self.intents.remove(&scan);
                vec![Effect::Forget(scan), show]
            }
        }
    }

    /// There is no answer, and nobody waits longer: the device decides, under the same id.
    pub fn unanswered(&mut self, scan: ScanId, now: Now) -> Vec<Effect> {
        let Some(pending) = self.pending.remove(&scan) else { return Vec::new() };
        let verdict = self.judge(&pending.ticket, scan, pending.gate, now);
        let intent = Intent { scan, digest: pending.ticket.digest(), gate: pending.gate };
        let (word, by) = match verdict {
            Verdict::Admit(_) => {
                for other in self.pending.values_mut() {
                    other.rivals += u32::from(other.ticket.digest() == intent.digest);
                }
                (Word::Done, By { epoch: pending.ticket.epoch(), offline: true })
            }
            Verdict::Refuse(reason) => (Word::Refused(reason), By::DEVICE),
        };
        let mut effects = self.write(intent, word, by, now);
        effects.push(Effect::Show { scan, verdict, offline: true });
        effects
    }

    /// Staff take an entry of this device back.
    pub fn take_back(&mut self, scan: ScanId, now: Now) -> Vec<Effect> {
        let own = self.own.iter().find_map(|(digest, own)| {
            let entry = own.entries.iter().find(|entry| entry.scan == scan)?;
            Some(Intent { scan, digest: *digest, gate: entry.gate })
        });
        own.map(|intent| self.write(intent, Word::Void, By::DEVICE, now)).unwrap_or_default()
    }

    /// Entries with a ticket that this device made by itself and that still count, and that the server
    /// does not know of.
    fn untold(&self, digest: Digest) -> u32 {
        let Some(own) = self.own.get(&digest) else { return 0 };
        let written = self.outbox.iter().filter_map(|sequence| self.journal.get(sequence));
        let untold = written.filter(|written| {
            written.offline && own.entries.iter().any(|made| made.scan == written.entry.scan)
        });
        u32::try_from(untold.count()).unwrap_or(u32::MAX)
    }

    /// What the device would say of a genuine ticket by itself.
    pub fn judge(&mut self, ticket: &Verified, scan: ScanId, gate: GateNo, now: Now) -> Verdict {
        let at = self.clock.guess(now);
        let overdue = |contact: UnixMs| at > contact.plus(self.terms.limit_ms);
        if self.last_contact.is_none_or(overdue) {
            return Verdict::Refuse(Reason::SyncNeeded);
        }
        let scan = Scan { id: scan, device: self.number, gate, at, direction: Direction::Entry };
        let pass = self.terms.passes.get(&ticket.grant().type_no).copied();
        let rules = Rules {
            gate_open: self.terms.open_gates.contains(&gate),
            closes_at: self.terms.closes_at,
            held_by: None,
            pass: pass.unwrap_or_default(),
            calendar: today(&self.terms.days, at),
        };
        let history = self.history(ticket.digest(), &rules.calendar);
        let verdict = decide(ticket, &scan, Some(&history), &rules).verdict;
        // What is no good anyway is refused as such; only then by whom it may be admitted.
        match (verdict, self.may_admit(ticket)) {
            (Verdict::Admit(_), Err(reason)) => Verdict::Refuse(reason),
            _ => verdict,
        }
    }

    fn may_admit(&self, ticket: &Verified) -> Result<(), Reason> {
        let kind = ticket.grant().type_no;
        match self.terms.policies.get(&kind).copied().unwrap_or_default() {
            Policy::Any => Ok(()),
            Policy::Refuse => Err(Reason::OfflineRefused),
            Policy::Lease => {
                let held = self.terms.leases.get(&kind).is_some_and(|since| {
                    *since <= self.known.cursor()
                        && self.over.get(&kind).is_none_or(|over| over < since)
                });
                let lost = self.lost.contains(&ticket.digest().into());
                if held && !lost { Ok(()) } else { Err(Reason::Held) }
            }
        }
    }

    /// What is on this device's books about a ticket.
    fn history(&self, digest: Digest, calendar: &Calendar) -> History {
        let own = self.own.get(&digest);
        let entries = own.map(|own| own.entries.as_slice()).unwrap_or_default();
        let here = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        let standing = self.denied.get(&digest.into()).copied();
        History {
            standing: standing.unwrap_or(Standing::Issued),
            uses: self.elsewhere(digest).saturating_add(here),
            first: entries.first().copied(),
            last: entries.last().copied(),
            last_epoch: own.and_then(|own| own.last_epoch),
            skipped: 0,
            presence: presence(entries, calendar),
        }
    }

    /// Entries at other gates. What another gate told directly and what the server told may be the
    /// same entries: the larger number of the two surely happened.
    fn elsewhere(&self, digest: Digest) -> u32 {
        let told = self.peers.get(&digest).map_or(0, BTreeSet::len);
        self.known.uses(digest).max(u32::try_from(told).unwrap_or(u32::MAX))
    }

    /// What this device tells other gates: its entries that count, in lists of at most `most`.
    pub fn spent_lists(&self, event: EventNo, most: usize) -> Vec<SpentList> {
        let counts = |entry: &&JournalEntry| {
            let own = self.own.get(&entry.digest);
            entry.word == Word::Done
                && own.is_some_and(|own| own.entries.iter().any(|made| made.scan == entry.scan))
        };
        let all = self.journal.values().map(|written| &written.entry);
        let done: Vec<_> = all.filter(counts).collect();
        let spent = |entry: &&JournalEntry| SpentEntry {
            sequence: entry.sequence,
            gate: entry.gate,
            at: entry.bounds.high.unwrap_or(entry.bounds.low),
            digest: entry.digest,
        };
        let list = |entries: &[&JournalEntry]| {
            let entries = entries.iter().map(spent).collect();
            SpentList { event, device: self.number, entries }
        };
        done.chunks(most.clamp(1, ENTRIES_MAX)).map(list).collect()
    }

    /// Learns what another gate tells, whose signature was checked: as often and in whatever order it
    /// comes.
    pub fn learn_spent(&mut self, list: &SpentList) -> Vec<Effect> {
        if list.device == self.number {
            return Vec::new();
        }
        let mut new = Vec::new();
        for spent in &list.entries {
            let told = self.peers.entry(spent.digest).or_default();
            if told.insert((list.device, spent.sequence)) {
                new.push((spent.sequence, spent.digest));
            }
        }
        if new.is_empty() {
            return Vec::new();
        }
        vec![Effect::Keep(Kept::Peer(list.device, new))]
    }

    /// The first entry of this device with a ticket.
    pub fn first_entry(&self, digest: Digest) -> Option<Entry> {
        self.own.get(&digest)?.entries.first().copied()
    }

    /// Writes the last word about a scan into the journal. The time is taken now, when green is
    /// shown, and not when the code was read.
    fn write(&mut self, intent: Intent, word: Word, by: By, now: Now) -> Vec<Effect> {
        let sequence = self.journal.keys().next_back().map_or(1, |last| last.saturating_add(1));
        let entry = JournalEntry {
            sequence,
            scan: intent.scan,
            digest: intent.digest,
            gate: intent.gate,
            word,
            bounds: self.clock.bounds(now),
        };
        let hash = entry.chain(self.number, self.head);
        let written = Written { entry, hash, epoch: by.epoch, offline: by.offline };
        self.intents.remove(&intent.scan);
        self.take_entry(written);
        vec![Effect::Keep(Kept::Entry(written)), Effect::Forget(intent.scan)]
    }

    fn take_entry(&mut self, written: Written) {
        let Written { entry, hash, epoch, .. } = written;
        self.head = hash;
        self.journal.insert(entry.sequence, written);
        self.outbox.insert(entry.sequence);
        let own = self.own.entry(entry.digest).or_default();
        match entry.word {
            Word::Done => {
                let at = entry.bounds.high.unwrap_or(entry.bounds.low);
                let (scan, gate) = (entry.scan, entry.gate);
                own.entries.push(Entry { scan, device: self.number, gate, at });
                own.last_epoch = own.last_epoch.max(epoch);
            }
            Word::Void => own.entries.retain(|made| made.scan != entry.scan),
            Word::Refused(_) => {}
        }
    }

    /// What there is to tell. Leases are given back only together with the last of what was done
    /// under them.
    pub fn report(&self) -> Report {
        let mut bearers = BTreeMap::new();
        let mut entries = Vec::new();
        let told = self.outbox.iter().filter_map(|sequence| self.journal.get(sequence));
        for written in told.take(REPORT_ENTRIES_MAX) {
            let digest = written.entry.digest;
            if let Some(code) = self.bearers.get(&digest) {
                if bearers.len() >= REPORT_BEARERS_MAX && !bearers.contains_key(&digest) {
                    break;
                }
                bearers.insert(digest, code.clone());
            }
            entries.push((written.entry, written.hash));
        }
        let complete = entries.len() == self.outbox.len();
        Report {
            entries,
            after: self.known.cursor(),
            shown: self.shown.iter().copied().collect(),
            returned: self.to_return.iter().filter(|_| complete).copied().collect(),
            returned_types: self.types_to_return.iter().filter(|_| complete).copied().collect(),
            pending: self.outbox.len(),
            bearers: bearers.into_values().collect(),
        }
    }

    /// Codes that no entry needs any more are forgotten.
    fn drop_bearers(&mut self) {
        let told = self.outbox.iter().filter_map(|sequence| self.journal.get(sequence));
        let mut needed: BTreeSet<Digest> = told.map(|written| written.entry.digest).collect();
        needed.extend(self.intents.values().map(|intent| intent.digest));
        self.bearers.retain(|digest, _| needed.contains(digest));
    }

    /// Takes in the answer to a report that was sent at `sent` and answered at `heard`.
    pub fn heard(&mut self, answer: &Answer, sent: Now, heard: Now) -> Vec<Effect> {
        self.clock.contact(sent, heard, answer.server);
        self.last_contact =
            Some(self.last_contact.map_or(answer.server, |last| last.max(answer.server)));
        let (newest, offset) = self.clock.kept();
        let mut keep = vec![Kept::Clock(newest, offset, self.last_contact)];
        // Only what it names: entries that were made meanwhile are still to be told.
        let acknowledged: Vec<u64> = answer
            .acknowledged
            .iter()
            .filter(|sequence| self.outbox.remove(sequence))
            .copied()
            .collect();
        if !acknowledged.is_empty() {
            keep.push(Kept::Acknowledged(acknowledged));
            self.drop_bearers();
        }
        let cursor = self.known.cursor();
        if self.known.learn(answer.from, answer.next, &answer.changes)
            && self.known.cursor() > cursor
        {
            let (from, next, changes) = (answer.from, answer.next, answer.changes.clone());
            keep.push(Kept::Changes { from, next, changes });
        }
        if let Some(denied) = &answer.denied {
            self.denied = denied.iter().copied().collect();
            keep.push(Kept::Denied(denied.clone()));
        }
        keep.extend(self.give_back(answer));
        let mut effects: Vec<_> = keep.into_iter().map(Effect::Keep).collect();
        effects.extend(self.notify(answer));
        effects
    }

    /// Gives back what another gate asks for: durable here before the server is told, so that no
    /// restart brings a lease back to life.
    fn give_back(&mut self, answer: &Answer) -> Vec<Kept> {
        let mut keep = Vec::new();
        for ticket in &answer.recalled {
            if self.lost.insert(*ticket) {
                keep.push(Kept::LeaseLost(*ticket));
            }
        }
        self.to_return = answer.recalled.iter().copied().collect();
        for kind in &answer.recalled_types {
            let since = self.terms.leases.get(kind).copied().unwrap_or(self.known.cursor());
            if self.over.get(kind).is_none_or(|over| *over < since) {
                self.over.insert(*kind, since);
                keep.push(Kept::LeaseOver(*kind, since));
            }
        }
        self.types_to_return = answer.recalled_types.iter().copied().collect();
        keep
    }

    fn notify(&mut self, answer: &Answer) -> Vec<Effect> {
        // What the server no longer asks about, it knows.
        self.shown.retain(|notice| answer.notices.contains(notice));
        let new = answer.notices.iter().filter(|notice| self.notified.insert(**notice));
        new.map(|notice| Effect::Notify(*notice)).collect()
    }

    /// Staff have seen a notice.
    pub fn shown(&mut self, notice: u64) -> Vec<Effect> {
        self.shown.insert(notice);
        vec![Effect::Keep(Kept::Shown(notice))]
    }

    /// What is known of entries elsewhere.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// The clock.
    pub fn clock(&mut self) -> &mut Clock {
        &mut self.clock
    }

    /// When the server was last heard, by its clock.
    pub fn last_contact(&self) -> Option<UnixMs> {
        self.last_contact
    }

    /// Entries that the server has not acknowledged.
    pub fn pending(&self) -> usize {
        self.outbox.len()
    }

    /// The whole journal, oldest first.
    pub fn journal(&self) -> impl Iterator<Item = &Written> {
        self.journal.values()
    }
}

/// Where this device let a ticket in today. Who has left it is not told, so nobody is inside by its
/// books: it refuses by what it surely knows.
fn presence(entries: &[Entry], calendar: &Calendar) -> Presence {
    let today = entries.iter().filter(|entry| entry.at >= calendar.day_from);
    let gates = today.fold(GateDay::default(), |gates, entry| gates.with(entry.gate));
    Presence { inside: 0, gates }
}
