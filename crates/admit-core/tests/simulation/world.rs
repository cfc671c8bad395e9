//! Some gates, a server, a network that loses, repeats and reorders, clocks that lie and devices that
//! crash: all from one seed. The devices' and the server's steps are the shipped ones.

mod chance;
mod flaw;
mod judge;
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use admit_core::admission::{History, Verdict};
use admit_core::id::{DeviceNo, EventNo, GateNo, GateSet, KeyNo, ScanId, TicketId, TypeNo, UnixMs};
use admit_core::offline::clock::Now;
use admit_core::offline::device::{Device, Terms};
use admit_core::offline::effect::{Answer, Effect, Kept, Report};
use admit_core::offline::story::Story;
use admit_core::offline::{Bounds, Policy, Word};
use admit_core::reason::Reason;
use admit_core::ticket::{Algorithm, Format, Grant, KeyRing, RingKey, SigningSecret, Verified};

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

pub(crate) use flaw::Flaw;

use chance::Chance;
use server::Server;

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
            ..Terms::default()
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
            Effect::Forget(_) | Effect::Show { .. } => {}
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
}
