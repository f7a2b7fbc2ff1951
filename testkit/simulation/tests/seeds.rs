//! Some hundreds of seeds hold, and a seed is the same again.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicU64, Ordering};

use simulation::{Bounds, Chance, Run, Tally, simulate};

/// Enough for every service to work on several things at once.
const SHIPMENTS: usize = 8;
const SEEDS: u64 = 240;
const THREADS: u64 = 2;

fn run(seed: u64, traced: bool) -> Run {
    simulate(Chance::seeded(seed), Bounds::of(SHIPMENTS), traced).unwrap()
}

/// `cargo xtask simulate` runs as many as one likes.
#[test]
fn every_seed_holds() {
    let next = AtomicU64::new(0);
    let work_off = || {
        let mut tally = Tally::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= SEEDS {
                return tally;
            }
            let run = run(seed, false);
            assert_eq!(
                run.broken, [""; 0],
                "cargo xtask simulate --seed {seed} --shipments {SHIPMENTS}"
            );
            tally += run.tally;
        }
    };
    let tally = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS).map(|_| scope.spawn(work_off)).collect();
        let mut sum = Tally::default();
        for worker in workers {
            sum += worker.join().unwrap();
        }
        sum
    });
    // It is held against something: all that may go wrong did, and often.
    println!("{tally}");
    let enough = |count: u64| count >= SEEDS;
    for (what, count) in [
        ("duplicates", tally.duplicates),
        ("refusals", tally.refusals),
        ("crashes", tally.crashes),
        ("conflicts", tally.conflicts),
        ("calls without an answer", tally.unanswered),
        ("late appends", tally.late_appends),
        ("deadlines", tally.deadlines),
        (
            "deadlines that were no longer pending",
            tally.deadline_races,
        ),
        ("parked inputs", tally.parked),
        ("steps that timed out", tally.timeouts),
    ] {
        assert!(enough(count), "only {count} {what}");
    }
}

#[test]
fn a_seed_is_the_same_again_to_the_letter() {
    for seed in [1, 2, 3, 4] {
        let (once, again) = (run(seed, true), run(seed, true));
        assert!(once.trace.lines().count() > 100, "{}", once.trace);
        assert!(once == again, "seed {seed}");
        assert_ne!(once.trace, run(seed + 100, true).trace);
    }
}

/// Whether it is written down makes no difference.
#[test]
fn a_trace_changes_nothing() {
    let (told, untold) = (run(5, true), run(5, false));
    assert_eq!((told.tally, told.broken), (untold.tally, untold.broken));
    assert_eq!(untold.trace, "");
}
