//! What the machine itself can do: the length of a sync, and what a process costs.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Syncs that are timed.
const SYNCS: u32 = 300;

/// Median and 99th percentile of appending 4 KiB and waiting until they are on the disk.
pub(crate) fn sync_times(folder: &Path) -> Result<(Duration, Duration)> {
    let mut file: File = tempfile::tempfile_in(folder)?;
    let block = [0x5a; 4096];
    let mut times = Vec::new();
    for _ in 0..SYNCS {
        let begun = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len().saturating_mul(percent) / 100).copied();
    Ok((at(50).context("no syncs")?, at(99).context("no syncs")?))
}

/// Time that a process has spent on the processors, its own and the kernel's for it.
pub(crate) fn cpu_time(process: u32) -> Result<Duration> {
    /// Ticks a second in /proc, on every Linux there is (`getconf CLK_TCK`).
    const TICKS: u32 = 100;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in brackets may hold anything; the fields are counted from its end.
    let (_, fields) = stat.rsplit_once(") ").context("no process name")?;
    let ticks: u32 = fields
        .split(' ')
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u32>().unwrap_or_default())
        .sum();
    Ok(Duration::from_secs(1) * ticks / TICKS)
}

/// Memory of a process that is in use, in MiB.
pub(crate) fn memory_mib(process: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u32 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(f64::from(kib) / 1024.0)
}
