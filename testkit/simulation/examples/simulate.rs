//! Runs many seeds, or one with its trace: what `cargo xtask simulate` starts.
#![expect(clippy::print_stdout, reason = "a program for the command line")]

use std::num::NonZero;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use simulation::{Bounds, Chance, Run, Tally, simulate};

/// The suite under a scheduler that a seed drives.
#[derive(Clone, Copy, Debug, Parser)]
#[command(name = "cargo xtask simulate")]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run this seed alone, and print its trace.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// How many shipments each seed runs.
    #[arg(long, default_value_t = 24)]
    shipments: usize,
}

/// How many failing seeds are told of before the rest is not looked at any more.
const ENOUGH: usize = 5;

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    match arguments.seed {
        Some(seed) => one(seed, arguments),
        None => many(arguments),
    }
}

fn one(seed: u64, arguments: Arguments) -> anyhow::Result<ExitCode> {
    let bounds = Bounds::of(arguments.shipments);
    let run = simulate(Chance::seeded(seed), bounds, true)?;
    print!("{}\n{}", run.trace, run.tally);
    Ok(verdict(seed, arguments.shipments, &run))
}

/// Says what did not hold, and how to see it again.
fn verdict(seed: u64, shipments: usize, run: &Run) -> ExitCode {
    if run.broken.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("\nseed {seed} fails:");
    for broken in &run.broken {
        println!("  - {broken}");
    }
    println!("again, with its trace: cargo xtask simulate --seed {seed} --shipments {shipments}");
    ExitCode::FAILURE
}

/// What all threads work on.
struct Work {
    next: AtomicU64,
    end: u64,
    done: AtomicU64,
    stop: AtomicBool,
    tally: Mutex<Tally>,
    failing: Mutex<Vec<(u64, Run)>>,
}

fn many(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let work = Work {
        next: AtomicU64::new(arguments.from),
        end: arguments.from.saturating_add(arguments.seeds),
        done: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        tally: Mutex::default(),
        failing: Mutex::default(),
    };
    let bounds = Bounds::of(arguments.shipments);
    let started = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        let run = || work_off(&work, bounds);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        let mut said = Instant::now();
        while workers.iter().any(|worker| !worker.is_finished()) {
            std::thread::sleep(Duration::from_millis(20));
            if said.elapsed() >= Duration::from_secs(5) {
                said = Instant::now();
                let done = work.done.load(Ordering::Relaxed);
                println!("{done} of {} seeds", arguments.seeds);
            }
        }
        for worker in workers {
            let ended = worker.join();
            ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        anyhow::Ok(())
    })?;
    let took = started.elapsed().as_secs_f64();
    let done = work.done.into_inner();
    let tally = work.tally.into_inner().ok().context("no worker panicked")?;
    let failing = work
        .failing
        .into_inner()
        .ok()
        .context("no worker panicked")?;
    println!("{:<24}{done:>12}\n{tally}", "seeds");
    println!(
        "in {took:.1} s on {threads} threads: a second, {:.0} seeds, {:.0} shipments, {:.0} inputs",
        done as f64 / took,
        tally.shipments as f64 / took,
        tally.inputs as f64 / took,
    );
    for (seed, run) in &failing {
        verdict(*seed, arguments.shipments, run);
    }
    Ok(if failing.is_empty() {
        println!("every seed holds");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn work_off(work: &Work, bounds: Bounds) -> anyhow::Result<()> {
    while !work.stop.load(Ordering::Relaxed) {
        let seed = work.next.fetch_add(1, Ordering::Relaxed);
        if seed >= work.end {
            break;
        }
        let run = simulate(Chance::seeded(seed), bounds, false)?;
        work.done.fetch_add(1, Ordering::Relaxed);
        *work.tally.lock().ok().context("no worker panicked")? += run.tally;
        if !run.broken.is_empty() {
            let mut failing = work.failing.lock().ok().context("no worker panicked")?;
            failing.push((seed, run));
            if failing.len() >= ENOUGH {
                work.stop.store(true, Ordering::Relaxed);
            }
        }
    }
    Ok(())
}
