//! A device's knowledge of the server's time: an interval that surely holds it, carried forward by
//! the monotonic clock. The clock that people set is used for nothing but a first guess.

use super::Bounds;
use crate::id::UnixMs;

/// How far a monotonic clock may drift, in parts per million: ten times what cheap crystals do.
const DRIFT_PPM: i64 = 500;

/// Where a device stands in time when something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Its monotonic clock, in ms; begins anew when the device or the page starts.
    pub monotonic_ms: i64,
    /// The clock that people set, Unix ms.
    pub wall_ms: i64,
}

/// Server time minus monotonic time, between two bounds, as of a reading of the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Anchor {
    at: i64,
    low: i64,
    high: i64,
}

impl Anchor {
    /// The interval of server time at a later reading.
    fn at(self, monotonic_ms: i64) -> (i64, i64) {
        let passed = monotonic_ms.saturating_sub(self.at).max(0);
        let drift = passed.saturating_mul(DRIFT_PPM) / 1_000_000;
        (
            monotonic_ms.saturating_add(self.low).saturating_sub(drift),
            monotonic_ms.saturating_add(self.high).saturating_add(drift),
        )
    }
}

/// The clock of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    anchor: Option<Anchor>,
    /// The latest server time that surely has come: no earlier one is ever told again.
    newest: Option<UnixMs>,
    /// Server time minus the clock that people set, at the last contact.
    wall_offset: i64,
}

impl Clock {
    /// A clock that starts anew with what was kept: it knows that time has not gone back, and no
    /// more.
    pub fn restored(newest: Option<UnixMs>, wall_offset: i64) -> Self {
        Self { anchor: None, newest, wall_offset }
    }

    /// Learns from an answer: asked at `sent`, heard at `heard`, stamped by the server in between.
    pub fn contact(&mut self, sent: Now, heard: Now, server: UnixMs) {
        let round = heard.monotonic_ms.saturating_sub(sent.monotonic_ms).max(0);
        let low = server.0.saturating_sub(heard.monotonic_ms);
        let fresh = Anchor { at: heard.monotonic_ms, low, high: low.saturating_add(round) };
        let met = self.anchor.map(|old| {
            let (old_low, old_high) = old.at(heard.monotonic_ms);
            Anchor {
                low: fresh.low.max(old_low.saturating_sub(heard.monotonic_ms)),
                high: fresh.high.min(old_high.saturating_sub(heard.monotonic_ms)),
                ..fresh
            }
        });
        // Two intervals that do not meet: the server's clock was set. The newest word holds.
        self.anchor = Some(met.filter(|met| met.low <= met.high).unwrap_or(fresh));
        self.newest = Some(self.newest.map_or(server, |newest| newest.max(server)));
        self.wall_offset = server.0.saturating_sub(heard.wall_ms);
    }

    /// The interval that surely holds the server's time.
    pub fn bounds(&mut self, now: Now) -> Bounds {
        let floor = self.newest.unwrap_or(UnixMs(i64::MIN));
        let Some(anchor) = self.anchor else { return Bounds { low: floor, high: None } };
        let (low, high) = anchor.at(now.monotonic_ms);
        let low = UnixMs(low).max(floor);
        self.newest = Some(low);
        Bounds { low, high: Some(UnixMs(high).max(low)) }
    }

    /// The best guess at the server's time, for windows and epochs: never before what surely has
    /// come, so that a clock that was turned back brings no old code to life.
    pub fn guess(&mut self, now: Now) -> UnixMs {
        let bounds = self.bounds(now);
        match bounds.high {
            Some(high) => UnixMs(i64::midpoint(bounds.low.0, high.0)),
            None => UnixMs(now.wall_ms.saturating_add(self.wall_offset)).max(bounds.low),
        }
    }

    /// How far the clock that people set is behind what surely has come, in ms, when no monotonic
    /// reading helps; 0 when it is not.
    pub fn turned_back_ms(&self, now: Now) -> i64 {
        let told = now.wall_ms.saturating_add(self.wall_offset);
        match (self.anchor, self.newest) {
            (None, Some(newest)) => newest.0.saturating_sub(told).max(0),
            _ => 0,
        }
    }

    /// What is kept over a restart: the newest time, and the offset of the clock that people set.
    pub fn kept(&self) -> (Option<UnixMs>, i64) {
        (self.newest, self.wall_offset)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now(monotonic_ms: i64) -> Now {
        Now { monotonic_ms, wall_ms: 0 }
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_servers_time(
            start in 0i64..1_000_000,
            contacts in prop::collection::vec((0i64..5_000, 0i64..3_000, 0i64..3_000), 1..8),
            later in 0i64..3_600_000,
            drift_ppm in -400i64..400,
        ) {
            // True time runs by itself; the monotonic clock of the device drifts.
            let mut truth = start;
            let monotonic = |truth: i64| now((truth - start) + (truth - start) * drift_ppm / 1_000_000);
            let mut clock = Clock::default();
            for (pause, there, back) in contacts {
                truth += pause;
                let sent = monotonic(truth);
                let server = UnixMs(truth + there);
                truth += there + back;
                clock.contact(sent, monotonic(truth), server);
            }
            truth += later;
            let bounds = clock.bounds(monotonic(truth));
            // One millisecond for the rounding of the drift above.
            prop_assert!(bounds.low.0 <= truth + 1 && truth <= bounds.upper().0 + 1);
        }

        #[test]
        fn time_never_goes_back(steps in prop::collection::vec((0i64..10_000, any::<i32>(), any::<bool>()), 1..20)) {
            let mut clock = Clock::default();
            clock.contact(now(0), now(10), UnixMs(1_700_000_000_000));
            let (mut monotonic, mut last) = (10, UnixMs(i64::MIN));
            for (passed, wall, restart) in steps {
                monotonic += passed;
                if restart {
                    let (newest, offset) = clock.kept();
                    clock = Clock::restored(newest, offset);
                }
                let told = clock.bounds(Now { monotonic_ms: monotonic, wall_ms: i64::from(wall) }).low;
                prop_assert!(told >= last);
                last = told;
            }
        }
    }

    #[test]
    fn after_a_restart_nothing_bounds_the_time_from_above() {
        let mut clock = Clock::restored(Some(UnixMs(5_000)), 0);
        assert_eq!(clock.bounds(now(3)), Bounds { low: UnixMs(5_000), high: None });
    }

    #[test]
    fn a_clock_that_was_turned_back_is_noticed_and_not_followed() {
        let mut clock = Clock::restored(Some(UnixMs(10_000_000)), 0);
        let back = Now { monotonic_ms: 0, wall_ms: 4_000_000 };
        assert_eq!(clock.turned_back_ms(back), 6_000_000);
        assert_eq!(clock.guess(back), UnixMs(10_000_000));
    }
}
