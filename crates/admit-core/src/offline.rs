//! Gates that go on without the network: what a device keeps and tells, and how the server settles
//! what many devices tell it. Format: `docs/formats/offline.md`.
//!
//! An admission is a claim with two ends. The server *claims* a use of the ticket when it says yes;
//! the device then says *done* (green was shown) or *void* (given up, nobody was let in). One id,
//! drawn before the first request, names it everywhere. The server's step is [`story::Story`], the
//! device's is [`device::Device`]; the simulation in `tests/simulation/` runs these very two.

pub mod clock;
pub mod device;
pub mod effect;
pub mod journal;
pub mod known;
pub mod story;
pub mod travel;
pub mod wire;

use crate::id::UnixMs;
use crate::reason::Reason;

/// What a device says of a scan of its own, for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    /// Somebody was let in: green was shown.
    Done,
    /// Nobody was let in: given up, lost in a crash, or taken back.
    Void,
    /// The device itself refused.
    Refused(Reason),
}

impl Word {
    /// Its code in the journal and the API.
    pub fn code(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Void => "void",
            Self::Refused(_) => "refused",
        }
    }
}

/// The time of something, as surely as a device knows it: in the server's time it happened not
/// before `low` and not after `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// Not before.
    pub low: UnixMs,
    /// Not after; none when the device lost its clock, until the server hears of it.
    pub high: Option<UnixMs>,
}

impl Bounds {
    /// A moment of the server itself.
    pub fn exact(at: UnixMs) -> Self {
        Self { low: at, high: Some(at) }
    }

    /// With an end for what had none: it happened before the server heard of it. Never an end before
    /// the beginning, whatever the device says.
    #[must_use]
    pub fn closed(self, heard_at: UnixMs) -> Self {
        let low = self.low.min(heard_at);
        Self { low, high: Some(self.high.map_or(heard_at, |high| high.clamp(low, heard_at))) }
    }

    /// The bound that admissions are ordered by.
    pub fn upper(self) -> UnixMs {
        self.high.unwrap_or(UnixMs(i64::MAX))
    }

    /// Whether this surely was before the other.
    pub fn surely_before(self, other: Self) -> bool {
        self.upper() < other.low
    }
}

/// What a gate without the network may do with tickets of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Policy {
    /// Admit by what it knows; doubles are possible, and each is told.
    #[default]
    Any,
    /// Only the device that holds the lease admits alone: never twice.
    Lease,
    /// Nobody admits without the server: never twice.
    Refuse,
}

impl Policy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Any, Self::Lease, Self::Refuse];

    /// Its code in the database and the API.
    pub fn code(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Lease => "lease",
            Self::Refuse => "refuse",
        }
    }

    /// The policy with this code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.code() == code)
    }
}

/// How many of `copied` tickets are expected to enter twice under [`Policy::Any`], when each is shown
/// at two of `gates` picked at random and a share `offline` of the scans meets a gate without the
/// network. One gate always knows its own entries; of two gates both admit when either was offline:
/// the first has not told, or the second cannot ask. Under the other policies it is none.
pub fn expected_doubles(copied: f64, gates: u16, offline: f64) -> f64 {
    if gates < 2 {
        return 0.0;
    }
    let apart = 1.0 - 1.0 / f64::from(gates);
    let online = 1.0 - offline.clamp(0.0, 1.0);
    copied * apart * (1.0 - online * online)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_gate_or_a_network_that_never_fails_lets_nobody_in_twice() {
        assert!(expected_doubles(100.0, 1, 1.0).abs() < f64::EPSILON);
        assert!(expected_doubles(100.0, 8, 0.0).abs() < f64::EPSILON);
    }

    #[test]
    fn half_offline_two_gates_let_three_in_eight_copies_in_twice() {
        assert!((expected_doubles(8.0, 2, 0.5) - 3.0).abs() < 1e-9);
    }
}
