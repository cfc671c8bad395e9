//! What operators watch, in the text format of Prometheus. No label names a person, a ticket, an
//! event or a device, and each has a closed list of values.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use admit_core::admission::Verdict;
use admit_store::measure::Histogram;
use admit_store::{StoreError, WRITE_QUEUE_MAX};

use crate::App;

/// Counts of what a server did since it started.
#[derive(Default)]
pub struct Metrics {
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    /// By `admit` or the code of the reason.
    verdicts: BTreeMap<&'static str, u64>,
    /// By kind.
    store_errors: BTreeMap<&'static str, u64>,
    /// By method, route as it is written in the code, and status.
    requests: BTreeMap<(&'static str, String, u16), u64>,
    /// Codes that were no voucher.
    wrong_vouchers: u64,
}

impl Metrics {
    fn count(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A scan was decided about.
    pub fn decided(&self, verdict: &Verdict) {
        let code = match verdict {
            Verdict::Admit(_) => "admit",
            Verdict::Refuse(reason) => reason.code(),
        };
        self.count(|counts| *counts.verdicts.entry(code).or_default() += 1);
    }

    /// The store gave no answer to a scan.
    pub fn unanswered(&self, error: &StoreError) {
        let kind = match error {
            StoreError::Busy => "busy",
            StoreError::Unavailable(_) => "unavailable",
            StoreError::Broken(_) => "broken",
            StoreError::Corrupt { .. } => "corrupt",
        };
        self.count(|counts| *counts.store_errors.entry(kind).or_default() += 1);
    }

    /// Somebody tried a code that is no voucher.
    pub fn wrong_voucher(&self) {
        self.count(|counts| counts.wrong_vouchers += 1);
    }

    /// How often that was, since this server started.
    pub fn wrong_vouchers(&self) -> u64 {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).wrong_vouchers
    }

    /// A request was answered. `route` is one of those in the code, never an address.
    pub fn answered(&self, method: &str, route: &str, status: u16) {
        const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];
        let method = METHODS.into_iter().find(|known| *known == method).unwrap_or("other");
        let key = (method, route.to_owned(), status);
        self.count(|counts| *counts.requests.entry(key).or_default() += 1);
    }
}

/// Everything, as text.
pub fn text(app: &App) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_counts(&mut out, &app.metrics);
    let _ = write_store(&mut out, app);
    out
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

fn write_counts(out: &mut String, metrics: &Metrics) -> fmt::Result {
    let counts = metrics.counts.lock().unwrap_or_else(PoisonError::into_inner);
    let admitted = counts.verdicts.get("admit").copied().unwrap_or_default();
    head(out, "admit_admissions_total", "counter", "Scans that were admitted.")?;
    writeln!(out, "admit_admissions_total {admitted}")?;
    head(out, "admit_refusals_total", "counter", "Scans that were refused, by reason.")?;
    for (reason, count) in counts.verdicts.iter().filter(|(code, _)| **code != "admit") {
        writeln!(out, "admit_refusals_total{{reason=\"{reason}\"}} {count}")?;
    }
    head(out, "admit_store_errors_total", "counter", "Scans without an answer, by kind.")?;
    for (kind, count) in &counts.store_errors {
        writeln!(out, "admit_store_errors_total{{kind=\"{kind}\"}} {count}")?;
    }
    head(out, "admit_wrong_vouchers_total", "counter", "Codes that were no voucher.")?;
    writeln!(out, "admit_wrong_vouchers_total {}", counts.wrong_vouchers)?;
    head(out, "admit_http_requests_total", "counter", "Answers by method, route and status.")?;
    for ((method, route, status), count) in &counts.requests {
        let labels = format!("method=\"{method}\",route=\"{route}\",status=\"{status}\"");
        writeln!(out, "admit_http_requests_total{{{labels}}} {count}")?;
    }
    Ok(())
}

fn write_store(out: &mut String, app: &App) -> fmt::Result {
    let (measures, waiting) = (app.store.measures(), app.store.waiting());
    head(out, "admit_queue_length", "gauge", "Writes that wait for the store.")?;
    writeln!(out, "admit_queue_length {waiting}")?;
    head(out, "admit_queue_limit", "gauge", "Writes that may wait before one is refused.")?;
    writeln!(out, "admit_queue_limit {WRITE_QUEUE_MAX}")?;
    let failures = measures.failures.load(Ordering::Relaxed);
    head(out, "admit_batch_failures_total", "counter", "Batches that were not written.")?;
    writeln!(out, "admit_batch_failures_total {failures}")?;
    let whole = |value: u64| value.to_string();
    let help = "Writes that shared a commit.";
    write_histogram(out, ("admit_batch_writes", help), &measures.batch_jobs, whole)?;
    let seconds = |us: u64| format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    let help = "Time until a batch was durable.";
    write_histogram(out, ("admit_commit_seconds", help), &measures.commit_us, seconds)
}

fn write_histogram(
    out: &mut String,
    (name, help): (&str, &str),
    histogram: &Histogram,
    show: fn(u64) -> String,
) -> fmt::Result {
    head(out, name, "histogram", help)?;
    let mut all = 0;
    for (bound, count) in histogram.up_to() {
        let bound = bound.map_or_else(|| "+Inf".to_owned(), show);
        writeln!(out, "{name}_bucket{{le=\"{bound}\"}} {count}")?;
        all = count;
    }
    writeln!(out, "{name}_sum {}\n{name}_count {all}", show(histogram.sum()))
}
