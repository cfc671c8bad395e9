//! The power fails under load: whoever was told ADMIT was admitted, and no ticket enters twice.
//!
//! What survives a cut is each file as of its last fsync (`xtask/shim/power_cut.c`). `kill -9`
//! alone would show nothing: the page cache outlives the process. That the model bites is shown by
//! its negative control, `--synchronous normal`, which must lose answers. The checkpointer syncs
//! every 500 ms, and answers before its sync are safe by luck even then: so the load is a short
//! burst right after the start, and the control has to lose in some of the trials, not in all.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at any surprise"
)]

#[path = "common/client.rs"]
mod client;
#[path = "common/site.rs"]
mod site;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use client::{Client, new_scan_id};
use site::{Issued, Site};
use tempfile::TempDir;

const TRIALS: usize = 20;
const CLIENTS: usize = 4;
/// Tickets that each client may present in a trial: more than it gets to.
const TICKETS_EACH: usize = 100;

/// The compiled shim.
fn shim(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../xtask/shim/power_cut.c");
    // Needs a C compiler, like the build of SQLite itself.
    let library = folder.join("power_cut.so");
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .args(["-ldl", "-lpthread"])
        .status()
        .unwrap();
    assert!(status.success());
    library
}

/// What a cut does not leave: SQLite's shared memory, and the shim's own unfinished copies.
const NOT_DURABLE: [&str; 2] = ["-shm", ".new"];

/// Copies what would be on the disk.
fn copy_durable(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        let name = from.to_string_lossy().into_owned();
        if from.is_dir() {
            copy_durable(&from, &to);
        } else if !NOT_DURABLE.iter().any(|end| name.ends_with(end)) {
            fs::copy(&from, &to).unwrap();
        }
    }
}

/// Presents tickets until the power fails; tells which scans were answered ADMIT.
fn present(port: u16, token: &str, tickets: &[Issued], told: &Sender<(String, String)>) {
    let mut client = Client::connect(port).unwrap();
    for ticket in tickets {
        let scan_id = new_scan_id();
        let Ok(answer) = client.present(token, &ticket.code, &scan_id) else { return };
        assert_eq!(answer.status, 200, "{}", answer.body);
        let _ = told.send((scan_id, ticket.number.clone()));
    }
}

/// One burst, one cut: the scans that were answered before it.
fn trial(
    site: &Site,
    token: &str,
    synchronous: &str,
    tickets: &[Issued],
    answers: usize,
) -> Vec<(String, String)> {
    let beside = TempDir::new().unwrap();
    let shadow = beside.path().join("shadow");
    copy_durable(&site.data(), &shadow);
    let (shim, data) = (shim(beside.path()), site.data().canonicalize().unwrap());
    let environment: [(&str, &Path); 3] =
        [("LD_PRELOAD", &shim), ("POWER_CUT_DATA", &data), ("POWER_CUT_SHADOW", &shadow)];
    let server = site.start(&["--synchronous", synchronous], &environment);
    let port = server.port;
    let (tell, told) = channel();
    let told: Vec<_> = thread::scope(|scope| {
        for mine in tickets.chunks(TICKETS_EACH) {
            let tell = tell.clone();
            scope.spawn(move || present(port, token, mine, &tell));
        }
        drop(tell);
        let mut heard: Vec<_> = told.iter().take(answers).collect();
        drop(server);
        // Answers that were under way when the power failed count too.
        heard.extend(told.iter());
        heard
    });
    fs::remove_dir_all(&data).unwrap();
    copy_durable(&shadow, &data);
    told
}

/// Runs all trials; how many answered admissions were lost.
fn lost_in_trials(synchronous: &str) -> usize {
    let site = Site::new();
    let all = TRIALS * CLIENTS * TICKETS_EACH;
    let kind = site.add_type(u32::try_from(all).unwrap());
    let tickets = site.issue(&kind, all);
    let token = {
        let server = site.start(&[], &[]);
        site.pair(server.port)
    };
    let mut told = HashMap::new();
    let mut lost = HashSet::new();
    for (number, tickets) in tickets.chunks(CLIENTS * TICKETS_EACH).enumerate() {
        let answers = 20 + number * 31 % 80;
        let trial = trial(&site, &token, synchronous, tickets, answers);
        assert!(trial.len() >= answers);
        told.extend(trial);
        // Also those of earlier trials: nothing may vanish later. Reading the books opens the
        // database, which replays its log, and reads every scan.
        let books = site.books();
        let mut admitted = HashMap::new();
        for scan in books.iter().filter(|scan| scan.outcome == "admit") {
            let before = admitted.insert(&scan.scan_id, &scan.ticket);
            assert_eq!(before, None, "a scan is on the books twice");
        }
        let once: HashSet<_> = admitted.values().collect();
        assert_eq!(once.len(), admitted.len(), "a ticket was admitted twice");
        lost.extend(
            told.iter()
                .filter(|(scan_id, ticket)| admitted.get(scan_id) != Some(ticket))
                .map(|(scan_id, _)| scan_id.clone()),
        );
    }
    lost.len()
}

#[test]
fn a_power_cut_takes_back_no_admission() {
    assert_eq!(lost_in_trials("full"), 0);
}

#[test]
fn negative_control_without_full_sync_admissions_are_lost() {
    assert_ne!(lost_in_trials("normal"), 0, "the model of a power cut does not bite");
}
