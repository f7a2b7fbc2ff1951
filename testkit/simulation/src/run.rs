//! A run, from its first step to what must hold at its end.

use std::collections::BTreeMap;

use anyhow::Context;
use contracts::Envelope;
use event_store::Entry;
use host::Settings;

use crate::check;
use crate::weather::Weather;
use crate::world::World;
use crate::{Chance, Tally};

/// How much happens in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many shipments there are.
    pub shipments: usize,
    /// How many steps the scheduler takes, at most, before it lets everything come to its end.
    pub steps: u64,
}

impl Bounds {
    /// For so many shipments, as many steps as it takes until most of them have ended.
    #[must_use]
    pub const fn of(shipments: usize) -> Self {
        Self {
            shipments,
            steps: 160 * shipments as u64,
        }
    }
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What happened, counted.
    pub tally: Tally,
    /// What did not hold; nothing when all is well.
    pub broken: Vec<String>,
    /// What happened, step by step; empty when it was not asked for.
    pub trace: String,
}

/// Runs the suite as `chance` says, and checks what must hold. With `traced`, every step is written down.
///
/// # Errors
/// When it could not be run at all, which has nothing to do with what chance says.
pub fn simulate(chance: Chance, bounds: Bounds, traced: bool) -> anyhow::Result<Run> {
    out_of_time(run(chance, bounds, traced))
}

/// What stands in the logs when nothing goes wrong, and nobody asks for more than a start.
#[derive(Debug)]
pub struct Calm {
    /// All entries, by the kind of their streams, in the order in which they were stored.
    pub logs: BTreeMap<&'static str, Vec<Entry>>,
    /// What users have asked for.
    pub requests: Vec<Envelope>,
    /// With which settings.
    pub settings: Settings,
}

/// Runs so many shipments, drawn by a seed, with nothing going wrong.
///
/// # Errors
/// When they could not be run.
pub fn calm(seed: u64, shipments: usize) -> anyhow::Result<Calm> {
    out_of_time(async {
        let bounds = Bounds::of(shipments);
        let weather = Weather::calm();
        let settings = weather.settings()?;
        let mut world = World::new(Chance::seeded(seed), weather, bounds, false)?;
        world.settle().await;
        let requests = world.users.requests.iter();
        Ok(Calm {
            requests: requests.map(|request| request.message.clone()).collect(),
            logs: world.logs().await,
            settings,
        })
    })
}

fn out_of_time<T>(run: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    // Time stands still but for whoever waits for it: a handler that waits before it tries again.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .context("a runtime")?;
    // Nothing else runs here that would have to be let to its turn.
    runtime.block_on(tokio::task::unconstrained(run))
}

async fn run(mut chance: Chance, bounds: Bounds, traced: bool) -> anyhow::Result<Run> {
    let weather = Weather::drawn(&mut chance);
    let mut world = World::new(chance, weather, bounds, traced)?;
    while world.step < bounds.steps && !world.chance.is_used_up() {
        world.act().await;
    }
    world.tally.steps = world.step;
    world.settle().await;
    let logs = world.logs().await;
    let mut broken = std::mem::take(&mut world.broken);
    if !world.users.are_answered() {
        broken.push("a user waits for an answer".to_owned());
    }
    let found = check::all(&logs, &world);
    broken.extend(found.broken);
    let tally = Tally {
        shipments: bounds.shipments as u64,
        conflicts: world.conflicts(),
        timeouts: found.timeouts,
        settled: found.settled,
        ..world.tally
    };
    let trace = if traced {
        let streams = check::transcript(&logs);
        format!("{}\n{streams}", world.trace.into_text())
    } else {
        String::new()
    };
    Ok(Run {
        tally,
        broken,
        trace,
    })
}
