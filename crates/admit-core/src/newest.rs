//! The newest time that a device has seen: a clock that was turned back is told as wrong, and brings
//! no old code back to life.

use crate::id::UnixMs;

/// How far a clock may jump back before it is called wrong, in milliseconds: clocks are set right by a
/// little all the time.
pub const BACK_MS_MAX: i64 = 5_000;
/// How far a clock may be from the server's before it is called wrong, in milliseconds: the shortest
/// interval of changing codes.
pub const OFF_MS_MAX: i64 = 15_000;

/// What a device remembers of time; to be kept where it survives a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newest {
    /// The server's clock less the device's, by the last answer; zero before there was one.
    offset_ms: i64,
    /// The newest time that was reckoned with, by the server's clock.
    seen: UnixMs,
    /// Whether that comes from the server's word and not from the device's clock alone.
    told: bool,
}

/// What time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reckoned {
    /// This, near enough.
    Time(UnixMs),
    /// The device's clock was turned back: it is at least this late. Whoever judges codes must say so
    /// instead of judging.
    TurnedBack(UnixMs),
}

impl Default for Newest {
    fn default() -> Self {
        Self { offset_ms: 0, seen: UnixMs(i64::MIN), told: false }
    }
}

impl Newest {
    /// What was kept.
    pub fn restore(offset_ms: i64, seen: UnixMs, told: bool) -> Self {
        Self { offset_ms, seen, told }
    }

    /// The offset to the server's clock, in milliseconds.
    pub fn offset_ms(&self) -> i64 {
        self.offset_ms
    }

    /// The newest time that was seen.
    pub fn newest(&self) -> UnixMs {
        self.seen
    }

    /// Whether the server has ever said what time it is.
    pub fn is_told(&self) -> bool {
        self.told
    }

    /// Whether the device's clock is wrong by more than codes forgive; by the last answer.
    pub fn is_off(&self) -> bool {
        self.offset_ms.saturating_abs() > OFF_MS_MAX
    }

    /// After an answer of the server: its word counts. It never goes back itself, so an answer that is
    /// older than what was seen from it before (a slow one, or one of a server that was set back)
    /// does not turn time back.
    #[must_use]
    pub fn told(self, server: UnixMs, device: UnixMs) -> Self {
        let seen = if self.told { self.seen.max(server) } else { server };
        Self { offset_ms: server.0.saturating_sub(device.0), seen, told: true }
    }

    /// What time it is when the device's clock says `device`.
    #[must_use]
    pub fn at(self, device: UnixMs) -> (Self, Reckoned) {
        let now = device.plus(self.offset_ms);
        let seen = self.seen.max(now);
        let next = Self { seen, ..self };
        if now.plus(BACK_MS_MAX) < self.seen {
            return (next, Reckoned::TurnedBack(self.seen));
        }
        // Within what clocks are set right by, time stands still until it has caught up.
        (next, Reckoned::Time(seen))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ticket::rotating::epoch;

    const NOW: UnixMs = UnixMs(1_800_000_000_000);
    const TEN_MINUTES_MS: i64 = 600_000;

    fn seen(device: UnixMs) -> Newest {
        Newest::default().told(NOW, NOW).at(device).0
    }

    #[test]
    fn a_clock_that_was_turned_back_is_told() {
        let late = seen(NOW.plus(TEN_MINUTES_MS));
        let (_, reckoned) = late.at(NOW);
        assert_eq!(reckoned, Reckoned::TurnedBack(NOW.plus(TEN_MINUTES_MS)));
    }

    #[test]
    fn a_small_step_back_is_no_fault_and_time_stands_still() {
        let (_, reckoned) = seen(NOW).at(NOW.plus(-BACK_MS_MAX));
        assert_eq!(reckoned, Reckoned::Time(NOW));
    }

    #[test]
    fn a_wrong_clock_is_reckoned_right_by_the_servers_word() {
        for off in [-TEN_MINUTES_MS, TEN_MINUTES_MS] {
            let device = Newest::default().told(NOW, NOW.plus(off));
            assert!(device.is_off());
            assert_eq!(device.at(NOW.plus(off + 30_000)).1, Reckoned::Time(NOW.plus(30_000)));
        }
        assert!(!Newest::default().told(NOW, NOW.plus(OFF_MS_MAX)).is_off());
    }

    #[test]
    fn a_fast_clock_before_the_first_answer_does_not_stay() {
        let fast = Newest::default().at(NOW.plus(TEN_MINUTES_MS)).0;
        let told = fast.told(NOW, NOW.plus(TEN_MINUTES_MS));
        assert_eq!(told.at(NOW.plus(TEN_MINUTES_MS)).1, Reckoned::Time(NOW));
    }

    #[test]
    fn a_restart_forgets_nothing() {
        let late = seen(NOW.plus(TEN_MINUTES_MS));
        let kept = Newest::restore(late.offset_ms(), late.newest(), late.is_told());
        assert_eq!(kept, late);
    }

    proptest! {
        #[test]
        fn no_old_epoch_comes_back_whatever_the_clock_does(
            steps in prop::collection::vec((any::<bool>(), -TEN_MINUTES_MS..TEN_MINUTES_MS), 1..60)
        ) {
            let mut device = Newest::default().told(NOW, NOW);
            let mut newest_epoch = epoch(NOW, 15);
            let mut server = NOW;
            for (answered, shift) in steps {
                let clock = NOW.plus(shift);
                if answered {
                    // The server's own time goes on.
                    server = server.plus(shift.abs() / 100);
                    device = device.told(server, clock);
                }
                let (next, reckoned) = device.at(clock);
                device = next;
                if let Reckoned::Time(now) = reckoned {
                    prop_assert!(epoch(now, 15) >= newest_epoch);
                    newest_epoch = epoch(now, 15);
                }
            }
        }
    }
}
