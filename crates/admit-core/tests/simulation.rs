//! A deterministic simulation of gates without a network: the shipped steps of device and server in a
//! world that loses, repeats, reorders, crashes and lies about the time. A history that breaks a rule is
//! named by its seed: `SEED=n cargo test -p admit-core --test simulation the_history` runs it again.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may fail loudly, and tells seeds"
)]

#[path = "simulation/world.rs"]
mod world;

use admit_core::offline::Policy;
use world::{Flaw, Tally, history};

/// All that are none of ours.
const MISTAKES: [Flaw; 16] = [
    Flaw::FreshIdOnFallback,
    Flaw::GreenBeforeDurable,
    Flaw::OutboxCleared,
    Flaw::NoticeForgotten,
    Flaw::NoIdsAtSync,
    Flaw::CheckThenInsert,
    Flaw::StaleAnswerReplaces,
    Flaw::VoidForgotten,
    Flaw::RefusalForgotten,
    Flaw::ConflictOnClaim,
    Flaw::StampedAtScan,
    Flaw::ArrivalOrder,
    Flaw::WallClockOrder,
    Flaw::HybridClockOrder,
    Flaw::TwoHomes,
    Flaw::LeaseInMemory,
];

/// Histories for each policy.
const HISTORIES: u64 = 34_000;
/// In how many histories a mistake must show.
const MISTAKE_WITHIN: u64 = 20_000;

/// Runs histories on all cores; the first that breaks, or what they came to.
fn run(policy: Policy, flaw: Flaw, count: u64) -> Result<Tally, (u64, String)> {
    let threads =
        u64::try_from(std::thread::available_parallelism().map_or(1, usize::from)).unwrap();
    let parts = std::thread::scope(|scope| {
        let part = |first: u64| {
            scope.spawn(move || {
                let mut sum = Tally::default();
                for seed in (first..count).step_by(usize::try_from(threads).unwrap()) {
                    let tally = history(seed, policy, flaw).map_err(|why| (seed, why))?;
                    sum.admitted += tally.admitted;
                    sum.doubled += tally.doubled;
                    sum.conflicts += tally.conflicts;
                }
                Ok(sum)
            })
        };
        let parts: Vec<_> = (0..threads).map(part).collect();
        parts.into_iter().map(|part| part.join().unwrap()).collect::<Vec<_>>()
    });
    let mut sum = Tally::default();
    for part in parts {
        let tally = part?;
        sum.admitted += tally.admitted;
        sum.doubled += tally.doubled;
        sum.conflicts += tally.conflicts;
    }
    Ok(sum)
}

fn sound(policy: Policy) -> Tally {
    run(policy, Flaw::Sound, HISTORIES)
        .unwrap_or_else(|(seed, why)| panic!("{policy:?}, SEED={seed}: {why}"))
}

#[test]
fn every_double_is_told_once_to_both_and_nothing_is_lost() {
    let tally = sound(Policy::Any);
    // Not because nothing happened.
    assert!(tally.admitted > HISTORIES && tally.doubled > HISTORIES / 10, "{tally:?}");
    assert!(tally.conflicts >= tally.doubled, "{tally:?}");
}

#[test]
fn a_leased_ticket_is_never_admitted_twice() {
    let tally = sound(Policy::Lease);
    assert!(tally.admitted > HISTORIES / 2 && tally.doubled == 0, "{tally:?}");
}

#[test]
fn a_ticket_that_needs_the_server_is_never_admitted_twice() {
    let tally = sound(Policy::Refuse);
    assert!(tally.admitted > HISTORIES / 2 && tally.doubled == 0, "{tally:?}");
}

#[test]
fn the_same_seed_is_the_same_history() {
    for seed in 0..200 {
        let twice = [0, 1].map(|_| history(seed, Policy::Any, Flaw::Sound));
        assert_eq!(twice[0], twice[1]);
    }
}

#[test]
fn each_known_mistake_is_caught() {
    let missed: Vec<_> = MISTAKES
        .into_iter()
        .filter(|flaw| {
            let leases = [Flaw::TwoHomes, Flaw::LeaseInMemory].contains(flaw);
            let policy = if leases { Policy::Lease } else { Policy::Any };
            let caught = run(policy, *flaw, MISTAKE_WITHIN);
            if let Err((seed, why)) = &caught {
                println!("{flaw:?}: seed {seed}: {why}");
            }
            caught.is_ok()
        })
        .collect();
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

#[test]
fn the_history() {
    // With a seed, the one history of that seed under each policy.
    let Some(seed) = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) else { return };
    for policy in Policy::ALL {
        println!("{policy:?}: {:?}", history(seed, policy, Flaw::Sound));
    }
}
