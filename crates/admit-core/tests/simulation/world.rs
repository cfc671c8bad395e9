//! Some gates, a server, a network that loses, repeats and reorders, clocks that lie and devices that
//! crash: all from one seed. The devices' and the server's steps are the shipped ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use admit_core::admission::{Entry, History, Rules, Scan, Verdict, decide};
use admit_core::id::{
    DeviceNo, Digest, EventNo, GateNo, GateSet, KeyNo, ScanId, TicketId, TypeNo, UnixMs,
};
use admit_core::offline::clock::Now;
use admit_core::offline::device::{Answer, Device, Effect, Kept, Report, Terms};
use admit_core::offline::journal::JournalEntry;
use admit_core::offline::known::{ShortDigest, change};
use admit_core::offline::story::{Change, Stage, Story, Told};
use admit_core::offline::{Bounds, Policy, Word};
use admit_core::reason::Reason;
use admit_core::ticket::{Algorithm, Format, Grant, KeyRing, RingKey, SigningSecret, Verified};

/// Mistakes that protocols of this kind were made with. Each can be switched on, and must be caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// None: as shipped.
    Sound,
    /// A scan that timed out gets another id when the device decides.
    FreshIdOnFallback,
    /// Green before the journal is durable.
    GreenBeforeDurable,
    /// An answer that acknowledged a part clears the whole outbox.
    OutboxCleared,
    /// A conflict notice is forgotten once it was sent.
    NoticeForgotten,
    /// Reports are not told apart by their ids.
    NoIdsAtSync,
    /// The server looks and writes later.
    CheckThenInsert,
    /// A stale answer takes the place of newer knowledge.
    StaleAnswerReplaces,
    /// What was given up is not remembered.
    VoidForgotten,
    /// A refusal is not remembered.
    RefusalForgotten,
    /// A conflict is raised against a claim.
    ConflictOnClaim,
    /// The time is that of the scan.
    StampedAtScan,
    /// The first to be told is the earliest.
    ArrivalOrder,
    /// The earliest by the clock that people set.
    WallClockOrder,
    /// The earliest by a hybrid logical clock.
    HybridClockOrder,
    /// Two devices believe that they are the home gate.
    TwoHomes,
    /// A lease is given back in memory only.
    LeaseInMemory,
}

impl Flaw {
    /// All that are none of ours.
    #[allow(dead_code, reason = "the bench looks at sound worlds only")]
    pub(crate) const MISTAKES: [Self; 16] = [
        Self::FreshIdOnFallback,
        Self::GreenBeforeDurable,
        Self::OutboxCleared,
        Self::NoticeForgotten,
        Self::NoIdsAtSync,
        Self::CheckThenInsert,
        Self::StaleAnswerReplaces,
        Self::VoidForgotten,
        Self::RefusalForgotten,
        Self::ConflictOnClaim,
        Self::StampedAtScan,
        Self::ArrivalOrder,
        Self::WallClockOrder,
        Self::HybridClockOrder,
        Self::TwoHomes,
        Self::LeaseInMemory,
    ];
}

/// A small random source (xorshift64*): the same numbers from the same seed everywhere.
#[derive(Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n.max(1)).unwrap()).unwrap()
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.next() % 100 < chance
    }

    fn between(&mut self, low: i64, high: i64) -> i64 {
        low + i64::try_from(self.next() % u64::try_from(high - low + 1).unwrap()).unwrap()
    }
}

const EVENT: EventNo = EventNo(1);
const KIND: TypeNo = TypeNo(1);
const TICKETS: usize = 3;
const START: i64 = 1_000_000;

/// Genuine tickets: for one entry each, the last for two.
static GENUINE: LazyLock<Vec<Verified>> = LazyLock::new(|| {
    let secret = SigningSecret::from_seed(Algorithm::Ed25519, [7; 32]);
    let mut ring = KeyRing::default();
    ring.add(EVENT, KeyNo(1), RingKey { key: secret.verify_key(), not_after: None });
    let ticket = |n: usize| {
        let grant = Grant {
            event: EVENT,
            ticket: TicketId(u64::try_from(n).unwrap() + 1),
            type_no: KIND,
            not_before_s: 0,
            expires_s: 0,
            max_uses: if n + 1 == TICKETS { 2 } else { 1 },
            gates: GateSet::ANY,
        };
        ring.verify(EVENT, &secret.sign(Format::Compact, KeyNo(1), &grant), UnixMs(START)).unwrap()
    };
    (0..TICKETS).map(ticket).collect()
});

/// Something on its way; it may arrive never, once or often, and in any order.
#[derive(Clone)]
enum Message {
    Ask { device: usize, scan: ScanId, ticket: usize },
    Told { device: usize, scan: ScanId, verdict: Verdict },
    Report { device: usize, report: Report, sent: Now, life: u32 },
    Answer { device: usize, answer: Answer, sent: Now, life: u32 },
}

/// A device: what it keeps survives a crash, all else does not.
#[derive(Clone)]
struct Gate {
    number: DeviceNo,
    device: Device,
    disk: Vec<Kept>,
    link: bool,
    /// Scans that wait for an answer, and the ticket of each.
    waiting: Vec<(ScanId, usize)>,
    /// Its monotonic clock began at this true time.
    booted: i64,
    /// How often it was started: an answer to what it asked before a crash finds nobody.
    life: u32,
    /// How far its clocks lie.
    drift_ppm: i64,
    wall_error: i64,
    /// Notices on its screen, and how often staff tapped each away.
    screen: Vec<u64>,
    seen: BTreeMap<u64, u32>,
    /// The newest server time it heard: for the hybrid clock.
    heard: i64,
}

/// What a conflict says: id, the two sides, and whether each has said that it was shown.
#[derive(Clone)]
struct Clash {
    id: u64,
    digest: Digest,
    sides: [(DeviceNo, ScanId); 2],
    shown: BTreeSet<DeviceNo>,
}

#[derive(Clone, Default)]
struct Server {
    stories: BTreeMap<Digest, Story>,
    /// Entries and undone entries in the order of the record.
    record: Vec<(DeviceNo, Digest, i8)>,
    journal: BTreeSet<(DeviceNo, u64)>,
    clashes: Vec<Clash>,
    lease: Option<DeviceNo>,
    recalled: BTreeSet<Digest>,
    returned: BTreeSet<Digest>,
    /// Decisions that were made and not written: only with a flaw.
    unwritten: Vec<(DeviceNo, ScanId, usize)>,
    /// In which order entries came: only for a flaw.
    arrived: Vec<(DeviceNo, ScanId)>,
}

/// What truly happened.
#[derive(Clone, Copy, Debug)]
struct Green {
    device: DeviceNo,
    scan: ScanId,
    ticket: usize,
    offline: bool,
}

/// The whole world.
#[derive(Clone)]
pub(crate) struct World {
    chance: Chance,
    flaw: Flaw,
    policy: Policy,
    now: i64,
    gates: Vec<Gate>,
    server: Server,
    network: Vec<Message>,
    greens: Vec<Green>,
    /// Entries of journals that are durable, with the true time.
    durable: BTreeMap<(DeviceNo, ScanId), i64>,
    /// For flaws: when each scan was made, and the order of clocks.
    stamped: BTreeMap<ScanId, Bounds>,
    wall: BTreeMap<(DeviceNo, ScanId), i64>,
    hybrid: BTreeMap<(DeviceNo, ScanId), i64>,
    ids: u64,
    /// The faults are over.
    calm: bool,
    /// What was seen to break on the way.
    broken: Option<String>,
}

/// What a history came to, for the books.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Times green was shown.
    pub(crate) admitted: u64,
    /// Tickets that let more people in than they were good for.
    pub(crate) doubled: u64,
    /// Conflicts that were raised.
    pub(crate) conflicts: u64,
}

/// Runs the history of a seed; what broke, if anything.
pub(crate) fn history(seed: u64, policy: Policy, flaw: Flaw) -> Result<Tally, String> {
    let mut world = World::new(seed, policy, flaw);
    let steps = world.chance.between(20, 120);
    for _ in 0..steps {
        world.step();
    }
    let late = world.chance.percent(50);
    let mut other = world.clone();
    world.heal(late, false);
    world.judge()?;
    // The same, told in another order.
    other.heal(late, true);
    other.judge()?;
    if world.outcome() != other.outcome() {
        let (one, two) = (world.outcome(), other.outcome());
        return Err(format!("the end depends on the order of sync: {one:?} or {two:?}"));
    }
    Ok(world.tally())
}

impl World {
    fn new(seed: u64, policy: Policy, flaw: Flaw) -> Self {
        let mut chance = Chance::new(seed);
        let count = 2 + chance.below(3);
        let mut world = Self {
            flaw,
            policy,
            now: START,
            gates: Vec::new(),
            server: Server::default(),
            network: Vec::new(),
            greens: Vec::new(),
            durable: BTreeMap::new(),
            stamped: BTreeMap::new(),
            wall: BTreeMap::new(),
            hybrid: BTreeMap::new(),
            ids: 0,
            calm: true,
            broken: None,
            chance: chance.clone(),
        };
        for ticket in GENUINE.iter() {
            let story = Story {
                max_uses: ticket.grant().max_uses,
                history: History::FRESH,
                told: Vec::new(),
            };
            world.server.stories.insert(ticket.digest(), story);
        }
        if policy == Policy::Lease {
            world.server.lease = Some(DeviceNo(1));
        }
        for n in 0..count {
            let number = DeviceNo(i64::try_from(n).unwrap() + 1);
            let gate = Gate {
                number,
                device: Device::new(number, world.terms(number)),
                disk: Vec::new(),
                link: true,
                waiting: Vec::new(),
                booted: START - chance.between(0, 5000),
                life: 0,
                drift_ppm: chance.between(-300, 300),
                wall_error: chance.between(-9000, 9000),
                screen: Vec::new(),
                seen: BTreeMap::new(),
                heard: 0,
            };
            world.gates.push(gate);
            // Paired: it has been in contact once.
            world.contact(n);
        }
        world.chance = chance;
        world.calm = false;
        world
    }

    fn terms(&self, number: DeviceNo) -> Terms {
        let home = number == DeviceNo(1) || (self.flaw == Flaw::TwoHomes && number == DeviceNo(2));
        let leased = self.policy == Policy::Lease && home;
        Terms {
            policies: BTreeMap::from([(KIND, self.policy)]),
            leases: if leased { BTreeMap::from([(KIND, 0)]) } else { BTreeMap::new() },
            limit_ms: 3_600_000,
            open_gates: BTreeSet::from([GateNo(1)]),
            closes_at: None,
        }
    }

    fn clock(&self, gate: usize) -> Now {
        let gate = &self.gates[gate];
        let passed = self.now - gate.booted;
        let monotonic_ms = passed + passed * gate.drift_ppm / 1_000_000;
        Now { monotonic_ms, wall_ms: self.now + gate.wall_error }
    }

    // --- what may happen ------------------------------------------------------------------------

    fn step(&mut self) {
        self.now += self.chance.between(0, 400);
        let gate = self.chance.below(self.gates.len());
        match self.chance.below(100) {
            0..20 => self.present(gate),
            20..55 => self.deliver(),
            55..68 => self.time_out(gate),
            68..82 => self.report(gate),
            82..90 => self.gates[gate].link = !self.gates[gate].link,
            90..94 => self.crash(gate),
            94..97 => self.see(gate),
            _ => {
                if !self.network.is_empty() {
                    let lost = self.chance.below(self.network.len());
                    self.network.swap_remove(lost);
                }
            }
        }
    }

    fn draw(&mut self) -> ScanId {
        self.ids += 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.ids.to_be_bytes());
        // The order by id must not be the order in time.
        id[0] = u8::try_from(self.chance.next() & 0xff).unwrap();
        ScanId(id)
    }

    fn present(&mut self, gate: usize) {
        let ticket = self.chance.below(TICKETS);
        let (scan, now) = (self.draw(), self.clock(gate));
        self.stamped.insert(scan, self.gates[gate].device.clock().bounds(now));
        let online = self.gates[gate].link || self.chance.percent(50);
        if online {
            self.gates[gate].waiting.push((scan, ticket));
        }
        let effects =
            self.gates[gate].device.present(scan, GENUINE[ticket], GateNo(1), online, now);
        self.carry_out(gate, effects);
    }

    fn time_out(&mut self, gate: usize) {
        if self.gates[gate].waiting.is_empty() {
            return;
        }
        let at = self.chance.below(self.gates[gate].waiting.len());
        let (scan, ticket) = self.gates[gate].waiting.swap_remove(at);
        let now = self.clock(gate);
        if self.flaw == Flaw::FreshIdOnFallback {
            let fresh = self.draw();
            self.stamped.insert(fresh, self.gates[gate].device.clock().bounds(now));
            // The first id is simply dropped.
            let _ = self.gates[gate].device.answered(scan, Verdict::Refuse(Reason::Invalid), now);
            let ticket = GENUINE[ticket];
            let effects = self.gates[gate].device.present(fresh, ticket, GateNo(1), false, now);
            return self.carry_out(gate, effects);
        }
        let effects = self.gates[gate].device.unanswered(scan, now);
        self.carry_out(gate, effects);
    }

    fn report(&mut self, gate: usize) {
        if !self.gates[gate].link {
            return;
        }
        let mut report = self.gates[gate].device.report();
        // A part of the outbox only, as after a cut.
        if self.chance.percent(30) && report.entries.len() > 1 {
            report.entries.truncate(1);
            report.returned.clear();
            report.returned_types.clear();
        }
        let sent = self.clock(gate);
        let life = self.gates[gate].life;
        self.network.push(Message::Report { device: gate, report, sent, life });
    }

    fn see(&mut self, gate: usize) {
        let Some(notice) = self.gates[gate].screen.pop() else { return };
        let effects = self.gates[gate].device.shown(notice);
        self.carry_out(gate, effects);
    }

    fn crash(&mut self, gate: usize) {
        let number = self.gates[gate].number;
        let mut device = Device::new(number, self.terms(number));
        for kept in &self.gates[gate].disk {
            device.restore(kept.clone());
        }
        let state = &mut self.gates[gate];
        state.device = device;
        state.waiting.clear();
        state.screen.clear();
        state.booted = self.now;
        state.life += 1;
        let now = self.clock(gate);
        let effects = self.gates[gate].device.start(now);
        self.carry_out(gate, effects);
    }

    /// Carries effects out in their order; now and then the device stops in between.
    fn carry_out(&mut self, gate: usize, mut effects: Vec<Effect>) {
        if self.flaw == Flaw::GreenBeforeDurable {
            effects.sort_by_key(|effect| !matches!(effect, Effect::Show { .. }));
        }
        let stops = !self.calm && self.chance.percent(4);
        let last = if stops { self.chance.below(effects.len() + 1) } else { effects.len() };
        for effect in effects.into_iter().take(last) {
            self.one(gate, effect);
        }
        if stops {
            self.crash(gate);
        }
    }

    fn one(&mut self, gate: usize, effect: Effect) {
        let number = self.gates[gate].number;
        match effect {
            Effect::Keep(Kept::LeaseLost(_)) if self.flaw == Flaw::LeaseInMemory => {}
            Effect::Keep(kept) => {
                // The notice leaves the screen when it is kept that it was seen.
                if let Kept::Shown(notice) = &kept {
                    *self.gates[gate].seen.entry(*notice).or_default() += 1;
                }
                if let Kept::Entry(written) = &kept
                    && written.entry.word == Word::Done
                {
                    let name = (number, written.entry.scan);
                    self.durable.insert(name, self.now);
                    self.wall.insert(name, self.now + self.gates[gate].wall_error);
                    let hybrid =
                        (self.now + self.gates[gate].wall_error).max(self.gates[gate].heard);
                    self.hybrid.insert(name, hybrid);
                }
                self.gates[gate].disk.push(kept);
            }
            Effect::Forget(_) => {}
            Effect::Ask(scan) => {
                let waiting = self.gates[gate].waiting.iter().find(|(id, _)| *id == scan);
                if let Some((_, ticket)) = waiting.copied()
                    && self.gates[gate].link
                {
                    self.network.push(Message::Ask { device: gate, scan, ticket });
                }
            }
            Effect::Show { scan, verdict: Verdict::Admit(_), offline } => {
                let ticket = self.ticket_of(gate, scan);
                self.greens.push(Green { device: number, scan, ticket, offline });
            }
            Effect::Show { .. } => {}
            Effect::Notify(notice) => self.gates[gate].screen.push(notice),
        }
    }

    fn ticket_of(&self, gate: usize, scan: ScanId) -> usize {
        let entries = self.gates[gate].device.journal();
        let digest = entries
            .map(|written| &written.entry)
            .filter(|entry| entry.scan == scan)
            .map(|entry| entry.digest)
            .last();
        GENUINE.iter().position(|ticket| Some(ticket.digest()) == digest).unwrap_or(0)
    }

    fn deliver(&mut self) {
        if self.network.is_empty() {
            return;
        }
        let at = self.chance.below(self.network.len());
        // Some arrive again later.
        let message = if self.chance.percent(25) {
            self.network[at].clone()
        } else {
            self.network.swap_remove(at)
        };
        self.arrive(message);
    }

    fn arrive(&mut self, message: Message) {
        match message {
            Message::Ask { device, scan, ticket } => {
                let number = self.gates[device].number;
                if self.flaw == Flaw::CheckThenInsert && !self.calm && self.chance.percent(50) {
                    self.look_first(device, scan, ticket);
                } else if let Some(verdict) =
                    self.server.ask(number, scan, ticket, self.now, self.flaw)
                {
                    self.network.push(Message::Told { device, scan, verdict });
                }
                self.write_later();
            }
            Message::Told { device, scan, verdict } => {
                if !self.gates[device].link {
                    return;
                }
                self.gates[device].waiting.retain(|(waiting, _)| *waiting != scan);
                let now = self.clock(device);
                let effects = self.gates[device].device.answered(scan, verdict, now);
                self.carry_out(device, effects);
            }
            Message::Report { device, report, sent, life } => {
                let answer = self.take_in(device, &report);
                self.network.push(Message::Answer { device, answer, sent, life });
            }
            Message::Answer { device, answer, sent, life } => {
                if self.gates[device].link && self.gates[device].life == life {
                    self.hear(device, &answer, sent);
                }
            }
        }
    }

    fn hear(&mut self, device: usize, answer: &Answer, sent: Now) {
        let heard = self.clock(device);
        let known = self.gates[device].device.known().cursor();
        self.gates[device].heard = self.gates[device].heard.max(answer.server.0);
        let mut answer = answer.clone();
        if self.flaw == Flaw::OutboxCleared && !answer.acknowledged.is_empty() {
            let all = self.gates[device].device.journal().map(|written| written.entry.sequence);
            answer.acknowledged = all.collect();
        }
        if self.flaw == Flaw::StaleAnswerReplaces {
            self.replace_knowledge(device, &answer);
        }
        let effects = self.gates[device].device.heard(&answer, sent, heard);
        if self.gates[device].device.known().cursor() < known {
            self.broken = Some(format!("device {device} forgot what it knew"));
        }
        self.carry_out(device, effects);
    }

    /// A flaw: what the device knows is that of this answer, and nothing else.
    fn replace_knowledge(&mut self, device: usize, answer: &Answer) {
        let number = self.gates[device].number;
        let kept: Vec<Kept> = self.gates[device]
            .disk
            .iter()
            .filter(|kept| !matches!(kept, Kept::Changes { .. }))
            .cloned()
            .collect();
        let mut fresh = Device::new(number, self.terms(number));
        for one in &kept {
            fresh.restore(one.clone());
        }
        *fresh.clock() = *self.gates[device].device.clock();
        let (from, next) = (answer.from, answer.next);
        // As of the answer, whatever was known: a whole picture from the beginning.
        let whole = Kept::Changes { from: 0, next, changes: self.server.changes(number, 0, next) };
        let _ = from;
        fresh.restore(whole.clone());
        self.gates[device].disk = kept;
        self.gates[device].disk.push(whole);
        if self.gates[device].waiting.is_empty() {
            self.gates[device].device = fresh;
        }
    }

    // --- the server -----------------------------------------------------------------------------

    /// A flaw: looks now and writes later, as if nothing could happen in between.
    fn look_first(&mut self, device: usize, scan: ScanId, ticket: usize) {
        let number = self.gates[device].number;
        let verdict = self.server.look(number, scan, ticket, self.now);
        if matches!(verdict, Verdict::Admit(_)) {
            self.server.unwritten.push((number, scan, ticket));
        }
        self.network.push(Message::Told { device, scan, verdict });
    }

    fn write_later(&mut self) {
        if self.server.unwritten.is_empty() || self.chance.percent(70) {
            return;
        }
        let (device, scan, ticket) = self.server.unwritten.remove(0);
        self.server.claim(device, scan, ticket, self.now);
    }

    fn take_in(&mut self, device: usize, report: &Report) -> Answer {
        let number = self.gates[device].number;
        let mut report = report.clone();
        if self.flaw == Flaw::StampedAtScan {
            for (entry, _) in &mut report.entries {
                entry.bounds = self.stamped.get(&entry.scan).copied().unwrap_or(entry.bounds);
            }
        }
        self.server.take_in(number, &report, self.now, self.flaw)
    }

    /// One contact from end to end.
    fn contact(&mut self, gate: usize) {
        let (report, sent) = (self.gates[gate].device.report(), self.clock(gate));
        let answer = self.take_in(gate, &report);
        self.now += 5;
        self.hear(gate, &answer, sent);
    }

    // --- the end --------------------------------------------------------------------------------

    /// The network is back for good: what is on its way arrives late or never, then everybody tells
    /// and hears until nothing is left.
    fn heal(&mut self, late: bool, reversed: bool) {
        self.calm = true;
        for gate in &mut self.gates {
            gate.link = true;
        }
        while !self.server.unwritten.is_empty() {
            let (device, scan, ticket) = self.server.unwritten.remove(0);
            self.server.claim(device, scan, ticket, self.now);
        }
        let network = std::mem::take(&mut self.network);
        for gate in 0..self.gates.len() {
            while !self.gates[gate].waiting.is_empty() {
                self.time_out(gate);
            }
        }
        if late {
            for message in network {
                self.now += 1;
                self.arrive(message);
            }
            self.network.clear();
        }
        let mut order: Vec<usize> = (0..self.gates.len()).collect();
        if reversed {
            order.reverse();
        }
        for _ in 0..4 {
            self.now += 50;
            let round = self.now;
            for gate in &order {
                // All at one time: only the order differs, and must not matter.
                self.now = round;
                self.contact(*gate);
                while !self.gates[*gate].screen.is_empty() {
                    self.see(*gate);
                }
            }
            self.now = round + 10;
        }
        self.network.clear();
    }

    fn winner(&self, story: &Story) -> Option<Told> {
        let entries = story.entries();
        let name = |told: &Told| (told.entry.device, told.entry.scan);
        match self.flaw {
            Flaw::ArrivalOrder => {
                let order =
                    |told: &Told| self.server.arrived.iter().position(|came| *came == name(told));
                entries.into_iter().min_by_key(order)
            }
            Flaw::WallClockOrder => entries
                .into_iter()
                .min_by_key(|told| (self.wall.get(&name(told)).copied(), told.entry.scan)),
            Flaw::HybridClockOrder => entries
                .into_iter()
                .min_by_key(|told| (self.hybrid.get(&name(told)).copied(), told.entry.scan)),
            _ => entries.into_iter().next(),
        }
    }

    /// What must be the same in whatever order it was told.
    fn outcome(&self) -> Vec<(BTreeSet<(DeviceNo, ScanId)>, Option<ScanId>, u32, usize)> {
        let of = |ticket: &Verified| {
            let story = &self.server.stories[&ticket.digest()];
            let entries = story.entries();
            let names = entries.iter().map(|told| (told.entry.device, told.entry.scan)).collect();
            let clashes =
                self.server.clashes.iter().filter(|clash| clash.digest == ticket.digest());
            let winner = self.winner(story).map(|told| told.entry.scan);
            (names, winner, story.history.uses, clashes.count())
        };
        GENUINE.iter().map(of).collect()
    }

    fn tally(&self) -> Tally {
        let mut tally = Tally {
            admitted: u64::try_from(self.greens.len()).unwrap(),
            conflicts: u64::try_from(self.server.clashes.len()).unwrap(),
            ..Tally::default()
        };
        for story in self.server.stories.values() {
            if story.entries().len() > usize::from(story.max_uses) {
                tally.doubled += 1;
            }
        }
        tally
    }

    /// Holds the end against what truly happened.
    fn judge(&self) -> Result<(), String> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        for (n, ticket) in GENUINE.iter().enumerate() {
            let story = &self.server.stories[&ticket.digest()];
            self.nothing_lost_or_invented(n, story)?;
            self.never_more_than_allowed(n, story)?;
            self.every_double_is_told(n, story)?;
            self.nobody_is_blamed_wrongly(story)?;
            self.gates_know_the_truth(n, story)?;
        }
        Ok(())
    }

    fn nothing_lost_or_invented(&self, n: usize, story: &Story) -> Result<(), String> {
        let entries = story.entries();
        let names: BTreeSet<_> =
            entries.iter().map(|told| (told.entry.device, told.entry.scan)).collect();
        if names.len() != entries.len() {
            return Err(format!("ticket {n}: an entry counts twice"));
        }
        for green in self.greens.iter().filter(|green| green.ticket == n) {
            if !names.contains(&(green.device, green.scan)) {
                return Err(format!("ticket {n}: an admission is lost: {green:?}"));
            }
        }
        for name in &names {
            if !self.durable.contains_key(name) {
                return Err(format!("ticket {n}: an admission that no gate made: {name:?}"));
            }
        }
        if usize::try_from(story.history.uses) != Ok(entries.len()) {
            return Err(format!("ticket {n}: a ghost: {} uses", story.history.uses));
        }
        Ok(())
    }

    fn never_more_than_allowed(&self, n: usize, story: &Story) -> Result<(), String> {
        let max = usize::from(story.max_uses);
        let greens: Vec<_> = self.greens.iter().filter(|green| green.ticket == n).collect();
        if greens.iter().filter(|green| !green.offline).count() > max {
            return Err(format!("ticket {n}: two gates with a network both admitted"));
        }
        if self.policy != Policy::Any && story.entries().len().max(greens.len()) > max {
            return Err(format!("ticket {n}: admitted more than once under {:?}", self.policy));
        }
        for gate in &self.gates {
            if greens.iter().filter(|green| green.device == gate.number).count() > max {
                return Err(format!("ticket {n}: one device admitted twice: {greens:?}"));
            }
        }
        Ok(())
    }

    fn every_double_is_told(&self, n: usize, story: &Story) -> Result<(), String> {
        let digest = GENUINE[n].digest();
        let clashes: Vec<_> =
            self.server.clashes.iter().filter(|clash| clash.digest == digest).collect();
        let wanted = story.entries().len().saturating_sub(usize::from(story.max_uses));
        if clashes.len() != wanted {
            return Err(format!("ticket {n}: {wanted} doubles and {} conflicts", clashes.len()));
        }
        for clash in clashes {
            let parties: BTreeSet<_> = clash.sides.iter().map(|(device, _)| *device).collect();
            for gate in &self.gates {
                let seen = gate.seen.get(&clash.id).copied().unwrap_or(0);
                let due = u32::from(parties.contains(&gate.number));
                if seen != due {
                    return Err(format!(
                        "ticket {n}: device {} saw a notice {seen} times, not {due}",
                        gate.number.0
                    ));
                }
            }
        }
        Ok(())
    }

    fn nobody_is_blamed_wrongly(&self, story: &Story) -> Result<(), String> {
        for told in story.entries() {
            let name = (told.entry.device, told.entry.scan);
            let Some(at) = self.durable.get(&name) else { continue };
            // The server's own time is before green by as long as the answer travelled.
            let exact = told.bounds.high == Some(told.bounds.low);
            if !exact && (*at < told.bounds.low.0 - 2 || *at > told.bounds.upper().0 + 2) {
                return Err(format!("{name:?} happened at {at}, not within {:?}", told.bounds));
            }
        }
        let Some(winner) = self.winner(story) else { return Ok(()) };
        let before =
            story.entries().into_iter().find(|told| told.bounds.surely_before(winner.bounds));
        match before {
            Some(told) => Err(format!("{:?} is blamed for a later one", told.entry)),
            None => Ok(()),
        }
    }

    fn gates_know_the_truth(&self, n: usize, story: &Story) -> Result<(), String> {
        for gate in &self.gates {
            let others =
                story.entries().iter().filter(|told| told.entry.device != gate.number).count();
            let known = gate.device.known().uses(GENUINE[n].digest());
            if usize::try_from(known) != Ok(others) {
                return Err(format!("device {} knows {known} of {others} entries", gate.number.0));
            }
        }
        Ok(())
    }
}

impl Server {
    fn rules(&self, digest: Digest) -> Rules {
        let held_by = self.lease.filter(|_| !self.returned.contains(&digest));
        Rules { gate_open: true, closes_at: None, held_by }
    }

    fn look(&self, device: DeviceNo, scan: ScanId, ticket: usize, now: i64) -> Verdict {
        let ticket = &GENUINE[ticket];
        let story = &self.stories[&ticket.digest()];
        let scan = Scan { id: scan, device, gate: GateNo(1), at: UnixMs(now) };
        decide(ticket, &scan, Some(&story.history), &self.rules(ticket.digest())).verdict
    }

    /// A scan, as the stores answer it; none where the device is told that its id is used.
    fn ask(
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
                Some(Verdict::Admit(admit_core::admission::Admission {
                    use_no,
                    uses_remaining: None,
                }))
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

    fn claim(&mut self, device: DeviceNo, scan: ScanId, ticket: usize, now: i64) {
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

    fn take_in(&mut self, device: DeviceNo, report: &Report, now: i64, flaw: Flaw) -> Answer {
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

    fn changes(&self, device: DeviceNo, from: i64, next: i64) -> Vec<u8> {
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
