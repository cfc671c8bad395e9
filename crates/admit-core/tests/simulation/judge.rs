//! The end of a history: the network heals, and what came of it is held against what truly happened.

use std::collections::BTreeSet;

use admit_core::id::{DeviceNo, ScanId};
use admit_core::offline::Policy;
use admit_core::offline::story::{Story, Told};
use admit_core::ticket::Verified;

use super::flaw::Flaw;
use super::{GENUINE, Tally, World};

/// Of one ticket: its entries, the one that counts, its uses, and its conflicts.
type Outcome = (BTreeSet<(DeviceNo, ScanId)>, Option<ScanId>, u32, usize);

impl World {
    // --- the end --------------------------------------------------------------------------------

    /// The network is back for good: what is on its way arrives late or never, then everybody tells
    /// and hears until nothing is left.
    pub(super) fn heal(&mut self, late: bool, reversed: bool) {
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
    pub(super) fn outcome(&self) -> Vec<Outcome> {
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

    pub(super) fn tally(&self) -> Tally {
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
    pub(super) fn judge(&self) -> Result<(), String> {
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
