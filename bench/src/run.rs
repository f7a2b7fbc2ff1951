//! One run: each scenario on a site of its own, and the report.

use std::fs;
use std::panic::AssertUnwindSafe;
use std::sync::OnceLock;
use std::time::Instant;

use anyhow::{Result, bail};
use futures::FutureExt as _;
use runtime::{Clock as _, SystemClock};
use system_tests::binaries::SERVICES;
use system_tests::group::GroupPlace;
use tokio_util::sync::CancellationToken;

use crate::arguments::Arguments;
use crate::floor::{self, How};
use crate::load::{self, APART_MS, Load, Loaded};
use crate::machine::Machine;
use crate::report::{BESIDE_PER_SECOND, MAX_MS, Outcome, Outcomes, PER_SECOND, Report};
use crate::scenario::Scenario;
use crate::site::Site;
use crate::suite::Suite;
use crate::{drift, growth};

/// Carriers that answer at once.
pub(crate) const CARRIERS_AT_ONCE: (&str, &str) = ("carrier_stub.delay_ms", "0");

/// How many shipments one after another are measured at most, and how many run before.
const ONE_BY_ONE: u32 = 300;
const ONE_BY_ONE_BEFORE: u32 = 20;

/// How many messages go together, as the suite is set out of the box.
const TOGETHER: usize = 50;

/// Says something, with the time.
pub(crate) fn say(what: &str) {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    let seconds = BEGAN.get_or_init(Instant::now).elapsed().as_secs_f64();
    println!("{seconds:7.1} s  {what}");
}

/// Runs until all is measured, or `stop` or Ctrl-C; whether no shipment was lost.
pub(crate) async fn run(
    arguments: &Arguments,
    place: GroupPlace,
    stop: &CancellationToken,
) -> Result<bool> {
    tokio::select! {
        sound = measure_all(arguments, &place) => sound,
        () = stop.cancelled() => bail!("ended early"),
        _ = tokio::signal::ctrl_c() => bail!("ended early"),
    }
}

async fn measure_all(arguments: &Arguments, place: &GroupPlace) -> Result<bool> {
    let began = SystemClock.now();
    let machine = Machine::look(&place.folder, &Site::new(false).await).await?;
    println!("{machine}");
    if cfg!(debug_assertions) {
        println!("This is built for tests: its figures say nothing.");
    }
    let mut outcomes = Outcomes::new();
    for scenario in arguments.chosen() {
        say(&format!("{}: {}", scenario.name(), scenario.about()));
        let folder = place.folder.join(scenario.name());
        fs::create_dir_all(&folder)?;
        let place = GroupPlace {
            folder,
            ..place.clone()
        };
        // What fails is told with the others, and does not take away what was measured before it.
        let measuring = AssertUnwindSafe(measure(scenario, arguments, &place));
        let outcome = match measuring.catch_unwind().await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Outcome::failed(format!("{error:#}")),
            Err(_panic) => {
                Outcome::failed("it could not be measured; the cause is said above".to_owned())
            }
        };
        let figures = outcome.figures.iter();
        for (name, value) in figures {
            say(&format!("    {name} {value:.1}"));
        }
        for line in outcome.notes.iter().chain(&outcome.faults) {
            say(&format!("    {line}"));
        }
        outcomes.insert(scenario, outcome);
    }
    let report = Report::new(began, machine, arguments.clone(), outcomes);
    println!("\n{report}");
    if let Some(path) = &arguments.json {
        report.write(path)?;
    }
    if arguments.save {
        let path = report.place();
        report.write(&path)?;
        println!("kept in {}", path.display());
    }
    Ok(report.is_sound())
}

async fn measure(scenario: Scenario, arguments: &Arguments, place: &GroupPlace) -> Result<Outcome> {
    if scenario == Scenario::Sqlite {
        return on_sqlite(arguments, place).await;
    }
    let site = Site::new(arguments.keep).await;
    let floor = async |together, events| {
        let how = How { together, events };
        let figures = floor::measure(how, arguments.shipments, arguments.warm_up(), &site).await?;
        Ok(Outcome {
            figures,
            ..Outcome::default()
        })
    };
    let suite = async |instances, settings, warm| {
        on_servers(arguments, &site, place, instances, settings, warm).await
    };
    let beside = async |instances, warm| {
        let before = usual(arguments, place, "before").await?;
        let mut outcome = suite(instances, &[CARRIERS_AT_ONCE], warm).await?;
        let after = usual(arguments, place, "after").await?;
        let rates = [&before, &after].map(|it| it.figures.get(PER_SECOND));
        if let [Some(before), Some(after)] = rates {
            let average = f64::midpoint(*before, *after);
            outcome.figures.insert(BESIDE_PER_SECOND, average);
        }
        outcome.faults.extend(before.faults);
        outcome.faults.extend(after.faults);
        anyhow::Ok(outcome)
    };
    match scenario {
        Scenario::Floor => floor(TOGETHER, true).await,
        Scenario::FloorQuiet => floor(TOGETHER, false).await,
        Scenario::FloorSingle => floor(1, false).await,
        Scenario::Throughput => {
            let mut outcome = suite(1, &[CARRIERS_AT_ONCE], true).await?;
            outcome.notes.push(drift::look(&site.database()).await?);
            Ok(outcome)
        }
        Scenario::Delayed => suite(1, &[("carrier_stub.delay_ms", "500")], true).await,
        Scenario::Fresh => beside(1, false).await,
        Scenario::TwoInstances => beside(2, true).await,
        Scenario::Quiet => {
            let settings = [CARRIERS_AT_ONCE, ("bus.publish_events", "false")];
            suite(1, &settings, true).await
        }
        Scenario::Latency => one_by_one(arguments, &site, place).await,
        Scenario::Growth => growth::measure(arguments, &site, place).await,
        Scenario::Sqlite => bail!("it needs no servers"),
    }
}

/// What `throughput` comes to now, on servers of its own.
async fn usual(arguments: &Arguments, place: &GroupPlace, name: &str) -> Result<Outcome> {
    let site = Site::new(arguments.keep).await;
    let place = GroupPlace {
        folder: place.folder.join(name),
        ..place.clone()
    };
    on_servers(arguments, &site, &place, 1, &[CARRIERS_AT_ONCE], true).await
}

/// The four services on the servers, under as much load as they take.
pub(crate) async fn on_servers(
    arguments: &Arguments,
    site: &Site,
    place: &GroupPlace,
    instances: usize,
    settings: &[(&str, &str)],
    warm: bool,
) -> Result<Outcome> {
    let settings = [&site.settings()[..], settings].concat();
    let suite = Suite::start(place, &SERVICES, instances, &settings).await;
    let before = warm.then(|| Load::AsFastAsItGoes(arguments.warm_up()));
    loaded(
        suite,
        before,
        Load::AsFastAsItGoes(arguments.shipments),
        place,
    )
    .await
}

/// All in one process, with a file in its folder.
async fn on_sqlite(arguments: &Arguments, place: &GroupPlace) -> Result<Outcome> {
    let suite = Suite::start(place, &["longhaul"], 1, &[CARRIERS_AT_ONCE]).await;
    let before = Some(Load::AsFastAsItGoes(arguments.warm_up()));
    loaded(
        suite,
        before,
        Load::AsFastAsItGoes(arguments.shipments),
        place,
    )
    .await
}

async fn one_by_one(arguments: &Arguments, site: &Site, place: &GroupPlace) -> Result<Outcome> {
    let settings = [&site.settings()[..], &[CARRIERS_AT_ONCE]].concat();
    let suite = Suite::start(place, &SERVICES, 1, &settings).await;
    let before = Some(Load::OneByOne(ONE_BY_ONE_BEFORE.min(arguments.shipments)));
    let load = Load::OneByOne(ONE_BY_ONE.min(arguments.shipments));
    let mut outcome = loaded(suite, before, load, place).await?;
    if outcome
        .figures
        .get(MAX_MS)
        .is_some_and(|max| *max > f64::from(APART_MS))
    {
        let note = format!("the longest met the next, which came {APART_MS} ms after it");
        outcome.notes.push(note);
    }
    Ok(outcome)
}

/// What a load on a suite comes to, behind one that is not measured; then the suite is stopped.
async fn loaded(
    suite: Suite,
    before: Option<Load>,
    load: Load,
    place: &GroupPlace,
) -> Result<Outcome> {
    let mut faults = Vec::new();
    if let Some(before) = before {
        let Loaded { faults: found, .. } = load::run(before, "warm-up", &suite, place).await?;
        faults.extend(found);
    }
    let measured = load::run(load, "load", &suite, place).await?;
    faults.extend(measured.faults);
    faults.extend(suite.stop().await);
    Ok(Outcome {
        figures: measured.figures,
        notes: Vec::new(),
        faults,
    })
}
