//! Many runs, side by side, and how many of which there were.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Mutex;
use std::thread;

use testkit::faults::{Fault, Kind};
use tokio::runtime::Builder;

use crate::ground::{Bus, Ground, Store};

/// Runs on a thread and runtime of its own, one after another, on a ground.
pub(crate) type Job = Box<dyn FnOnce(&Ground) + Send>;

/// Does these jobs side by side, each worker on a ground of its own.
pub(crate) fn side_by_side(store: Store, jobs: Vec<Job>) {
    let cores = thread::available_parallelism().map_or(2, usize::from);
    // What waits for a server leaves room for others.
    let workers = if store == Store::Memory {
        cores
    } else {
        cores * 2
    };
    let jobs = Mutex::new(VecDeque::from(jobs));
    thread::scope(|scope| {
        let work = || {
            let ground = Ground::of(store);
            loop {
                let job = jobs.lock().unwrap().pop_front();
                let Some(job) = job else { return };
                job(&ground);
            }
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            if let Err(panic) = worker.join() {
                // The others have nothing more to do.
                jobs.lock().unwrap().clear();
                std::panic::resume_unwind(panic);
            }
        }
    });
}

/// Makes one run. In memory, nothing is waited for: timers jump.
pub(crate) fn run<T>(store: Store, course: impl Future<Output = T>) -> T {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().start_paused(store == Store::Memory);
    builder.build().unwrap().block_on(course)
}

/// How many runs there were, and at how many places which fault was met.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) runs: usize,
    pub(crate) lives: usize,
    pub(crate) faults: BTreeMap<(Kind, Fault), usize>,
}

impl Tally {
    /// A fault was met.
    pub(crate) fn met(&mut self, kind: Kind, fault: Fault) {
        *self.faults.entry((kind, fault)).or_default() += 1;
    }

    /// What was met in other runs was met as well.
    pub(crate) fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.lives += other.lives;
        for (what, count) in &other.faults {
            *self.faults.entry(*what).or_default() += count;
        }
    }

    /// Each of these faults was met so often at each of these kinds of operations.
    pub(crate) fn assert_at_least(&self, kinds: &[Kind], faults: &[Fault], least: usize) {
        for kind in kinds {
            for fault in faults {
                let found = self.faults.get(&(*kind, *fault)).copied();
                let found = found.unwrap_or_default();
                assert!(
                    found >= least,
                    "{fault:?} at {found} of {kind:?}, not {least}"
                );
            }
        }
    }
}

/// What is done at the ports, with this bus.
pub(crate) fn kinds(bus: Bus) -> Vec<Kind> {
    let publishes = bus == Bus::Broker;
    let all = Kind::ALL.into_iter();
    all.filter(|kind| publishes || *kind != Kind::Publish)
        .collect()
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: usize = self.faults.values().sum();
        write!(f, "{} runs, {} lives, {all} faults:", self.runs, self.lives)?;
        for ((kind, fault), count) in &self.faults {
            write!(f, " {kind:?}/{fault:?} {count},")?;
        }
        Ok(())
    }
}
