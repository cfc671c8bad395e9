//! Whether one person can have been at two gates: what tells a copied ticket from a late one.

use super::Bounds;

/// Where a gate is, in millionths of a degree (WGS 84): about eleven centimetres.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// North of the equator, from -90,000,000 to 90,000,000.
    pub latitude_e6: i32,
    /// East of Greenwich, from -180,000,000 to 180,000,000.
    pub longitude_e6: i32,
}

impl Place {
    /// The place with these coordinates in degrees; none when there is no such place.
    pub fn of_degrees(latitude: f64, longitude: f64) -> Option<Self> {
        let e6 = |degrees: f64, most: f64| {
            let fits = degrees.is_finite() && degrees.abs() <= most;
            #[expect(
                clippy::as_conversions,
                clippy::cast_possible_truncation,
                reason = "at most 180 million"
            )]
            fits.then_some((degrees * 1e6).round() as i32)
        };
        Some(Self { latitude_e6: e6(latitude, 90.0)?, longitude_e6: e6(longitude, 180.0)? })
    }

    /// Latitude and longitude in degrees.
    pub fn degrees(self) -> (f64, f64) {
        (f64::from(self.latitude_e6) / 1e6, f64::from(self.longitude_e6) / 1e6)
    }
}

/// Faster than any traveller with a ticket: 90 m/s.
const SPEED_M_PER_MS: f64 = 0.09;
/// Mean radius of the earth, in metres.
const EARTH_M: f64 = 6_371_009.0;
/// Nearer than this, gates are one place.
const SAME_PLACE_M: f64 = 30.0;

/// Metres between two places along the surface (haversine).
pub fn metres(a: Place, b: Place) -> f64 {
    let (a, b) = (a.degrees(), b.degrees());
    let (lat_a, lat_b) = (a.0.to_radians(), b.0.to_radians());
    let half = |from: f64, to: f64| ((to - from) / 2.0).sin().powi(2);
    let east = half(a.1.to_radians(), b.1.to_radians());
    let h = half(lat_a, lat_b) + lat_a.cos() * lat_b.cos() * east;
    2.0 * EARTH_M * h.clamp(0.0, 1.0).sqrt().asin()
}

/// Whether nobody can have been at both: the longest time that the two bounds allow is shorter than
/// the way.
pub fn impossible(a: (Place, Bounds), b: (Place, Bounds)) -> bool {
    let way = metres(a.0, b.0);
    let longest = |from: Bounds, to: Bounds| to.upper().0.saturating_sub(from.low.0);
    let longest = longest(a.1, b.1).max(longest(b.1, a.1));
    #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "milliseconds of days")]
    let reach = longest as f64 * SPEED_M_PER_MS;
    way > SAME_PLACE_M && way > reach
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::UnixMs;

    const BERLIN: Place = Place { latitude_e6: 52_525_000, longitude_e6: 13_369_000 };
    const HAMBURG: Place = Place { latitude_e6: 53_553_000, longitude_e6: 10_007_000 };

    fn at(minutes: i64) -> Bounds {
        Bounds::exact(UnixMs(minutes * 60_000))
    }

    #[test]
    fn the_way_from_berlin_to_hamburg_is_about_253_kilometres() {
        assert!((metres(BERLIN, HAMBURG) - 253_000.0).abs() < 2_000.0);
    }

    #[test]
    fn nobody_is_in_berlin_and_hamburg_within_ten_minutes_but_within_two_hours() {
        assert!(impossible((BERLIN, at(0)), (HAMBURG, at(10))));
        assert!(!impossible((BERLIN, at(0)), (HAMBURG, at(120))));
    }

    #[test]
    fn what_may_have_been_long_ago_is_not_called_fraud() {
        let unsure = Bounds { low: UnixMs(0), high: None };
        assert!(!impossible((BERLIN, unsure), (HAMBURG, at(10))));
    }

    #[test]
    fn two_gates_in_one_place_are_no_journey() {
        let next = Place { latitude_e6: BERLIN.latitude_e6 + 100, ..BERLIN };
        assert!(!impossible((BERLIN, at(0)), (next, at(0))));
    }
}
