//! The audit log as it grows: appending, proving, starting again, and auditing it whole.

use std::hint::black_box;
use std::time::{Duration, Instant};

use admit_core::id::{Digest, TicketId, TypeNo, UnixMs};
use admit_core::log::audit::Audit;
use admit_core::log::edge::Edge;
use admit_core::log::leaf::{Details, Fact, Kind, LogKey};
use admit_core::log::rebuild::Rebuild;
use admit_core::log::tree::{
    Hash, TileId, Tiles, inclusion, inclusion_tiles, leaf_hash, verify_inclusion,
};
use anyhow::{Context, Result, ensure};

use super::Effort;
use super::site::{Disk, Template};
use super::table::{Bound, Goal, print_goals};
use crate::load;

const SIZES: [u64; 3] = [1_000, 100_000, 1_000_000];
/// Leaves that are appended together, as a busy server does.
const BATCH: usize = 64;
/// Proofs that are timed at each size.
const PROOFS: u64 = 2_000;
/// Leaves of the log that a server starts with.
const START_LEAVES: usize = 1_000_000;

pub(super) fn run(effort: Effort) -> Result<()> {
    println!(
        "{:>9} {:>14} {:>12} {:>12} {:>12} {:>10}",
        "leaves", "append us", "prove us", "verify us", "audit s", "path"
    );
    let mut audit = Duration::ZERO;
    for size in SIZES {
        audit = measure(size)?;
    }
    let mut goals = vec![Goal {
        what: "seconds to audit 1,000,000 leaves".to_owned(),
        figure: audit.as_secs_f64(),
        bound: Bound::AtMost(1.0),
    }];
    let leaves =
        if effort.cell > Duration::from_secs(1) { START_LEAVES } else { START_LEAVES / 20 };
    goals.extend(start(leaves)?);
    print_goals(&goals);
    Ok(())
}

fn leaf(number: u64) -> Vec<u8> {
    let details = Details::of(TicketId(number), Digest([7; 32]), TypeNo(1));
    let at = UnixMs(1_800_000_000_000);
    Fact { kind: Kind::Issue, at, refers: None, details }.leaf(&LogKey([3; 32])).to_bytes()
}

/// One line of the table; how long a whole audit takes.
fn measure(size: u64) -> Result<Duration> {
    let leaves: Vec<_> = (0..size).map(leaf).collect();
    let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    let mut edge = Edge::default();
    let begun = Instant::now();
    for batch in hashes.chunks(BATCH) {
        black_box(edge.append(batch));
    }
    let append = begun.elapsed();

    let mut tiles = Tiles::default();
    let mut rebuild = Rebuild::default();
    let mut keep = |tile: admit_core::log::rebuild::Rebuilt| {
        tiles.0.insert(tile.id, tile.hashes);
    };
    for leaf in &leaves {
        rebuild.add(leaf).into_iter().for_each(&mut keep);
    }
    rebuild.unfinished().into_iter().for_each(&mut keep);
    let (root, step) = (edge.root(), (size / PROOFS).max(1));
    let (mut prove, mut verify, mut proofs, mut hops) = (Duration::ZERO, Duration::ZERO, 0_u32, 0);
    for (index, hash) in (0..size).zip(&hashes).step_by(usize::try_from(step)?) {
        let begun = Instant::now();
        let needed = tiles_for(&tiles, inclusion_tiles(index, size));
        let path = inclusion(index, size, &needed).context("no proof")?;
        prove += begun.elapsed();
        let begun = Instant::now();
        ensure!(verify_inclusion(index, size, hash, &path, &root).is_ok(), "a wrong proof");
        verify += begun.elapsed();
        proofs += 1;
        hops = path.len();
    }

    let begun = Instant::now();
    let (mut rebuild, mut audit) = (Rebuild::default(), Audit::default());
    for leaf in &leaves {
        rebuild.add(leaf);
        audit.add(leaf)?;
    }
    ensure!(rebuild.root() == root, "another root");
    let whole = begun.elapsed();
    let us = |time: Duration, of: f64| time.as_secs_f64() * 1e6 / of;
    println!(
        "{size:>9} {:>14.2} {:>12.2} {:>12.2} {:>12.2} {hops:>10}",
        us(append, f64::from(u32::try_from(size)?)),
        us(prove, f64::from(proofs)),
        us(verify, f64::from(proofs)),
        whole.as_secs_f64()
    );
    Ok(whole)
}

/// The tiles that a proof needs, as a store hands them out.
fn tiles_for(all: &Tiles, wanted: Vec<TileId>) -> Tiles {
    let found = wanted.into_iter().filter_map(|id| Some((id, all.0.get(&id)?.clone())));
    Tiles(found.collect())
}

/// A server with a long log: how soon it admits, and what a receipt weighs.
fn start(leaves: usize) -> Result<Vec<Goal>> {
    let template = Template::make(leaves)?;
    let folder = template.copy(Disk::Real)?;
    let begun = Instant::now();
    let serving = template.start(folder, Disk::Real, &[])?;
    let port = serving.server.port("plain")?;
    let code = template.codes.first().context("no tickets")?;
    let scan = serde_json::json!({ "code": code, "gate": 1, "scan_id": "AAAAAAAAAAAAAAAAAAAAAA" });
    load::post(port, "/v1/gate/admissions", &template.token, &scan.to_string())?;
    let first = begun.elapsed();
    let mut receipts = Vec::new();
    for index in (1..leaves).step_by(leaves / 100) {
        let begun = Instant::now();
        let url = format!("http://127.0.0.1:{port}/v1/events/sample/log/receipts/{index}");
        let bytes = ureq::get(url).call()?.body_mut().read_to_string()?.len();
        receipts.push((begun.elapsed(), bytes));
    }
    receipts.sort_unstable();
    let (time, _) = receipts.get(receipts.len() / 2).context("no receipts")?;
    let bytes = receipts.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0);
    println!("\nreceipt over HTTP at {leaves} leaves: median {:.2} ms", time.as_secs_f64() * 1e3);
    Ok(vec![
        Goal {
            what: format!("seconds from start to first admission, {leaves} leaves"),
            figure: first.as_secs_f64(),
            bound: Bound::AtMost(3.0),
        },
        Goal {
            what: "bytes of the largest receipt".to_owned(),
            figure: f64::from(u32::try_from(bytes)?),
            bound: Bound::AtMost(1500.0),
        },
    ])
}
