//! What a store measures of itself while it works, for whoever watches the installation.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts of values up to each of a few bounds.
pub struct Histogram {
    bounds: &'static [u64],
    /// One more than there are bounds: the last is for what is above them all.
    counts: Vec<AtomicU64>,
    sum: AtomicU64,
}

impl Histogram {
    /// An empty one.
    pub fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    /// Counts a value.
    pub fn add(&self, value: u64) {
        let place = self.bounds.iter().position(|bound| value <= *bound);
        if let Some(count) = self.counts.get(place.unwrap_or(self.bounds.len())) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Each bound with how many values were at most that; the last bound is none.
    pub fn up_to(&self) -> Vec<(Option<u64>, u64)> {
        let mut sum = 0;
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        let read = |(bound, count): (_, &AtomicU64)| {
            sum += count.load(Ordering::Relaxed);
            (bound, sum)
        };
        bounds.zip(&self.counts).map(read).collect()
    }

    /// The sum of all values.
    pub fn sum(&self) -> u64 {
        self.sum.load(Ordering::Relaxed)
    }
}

/// What the one writer of a store measures.
pub struct Measures {
    /// Writes in a batch.
    pub batch_jobs: Histogram,
    /// Microseconds until a batch was durable.
    pub commit_us: Histogram,
    /// Batches that were not written.
    pub failures: AtomicU64,
}

impl Default for Measures {
    fn default() -> Self {
        Self {
            batch_jobs: Histogram::new(&[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]),
            commit_us: Histogram::new(&[
                250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000,
                5_000_000,
            ]),
            failures: AtomicU64::new(0),
        }
    }
}

impl Measures {
    /// A batch that is durable.
    pub(crate) fn written(&self, jobs: usize, time: Duration) {
        self.batch_jobs.add(u64::try_from(jobs).unwrap_or(u64::MAX));
        self.commit_us.add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// A batch that is not.
    pub(crate) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_below_each_bound_that_it_does_not_exceed() {
        let histogram = Histogram::new(&[1, 10]);
        for value in [1, 5, 11] {
            histogram.add(value);
        }
        assert_eq!(histogram.up_to(), [(Some(1), 1), (Some(10), 2), (None, 3)]);
        assert_eq!(histogram.sum(), 17);
    }
}
