//! The floor: a program that makes the same inserts and sends the same messages as the suite does for a
//! shipment, with the same durability, and does nothing else.
//!
//! It reads no JSON, decides nothing, checks no versions, keeps no state, and never reads what it stored.
//! There are four loops, one for each service; see [`station`]. What a shipment is, it knows from its
//! [`course`] alone.

pub(crate) mod course;
mod log;
mod parcels;
mod run;
mod station;
#[cfg(test)]
mod suite_course;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use tokio::task::JoinSet;

use crate::floor::course::{COURSE, Service};
use crate::floor::log::Log;
use crate::floor::run::Run;
use crate::floor::station::Station;
use crate::report::{Figures, PER_SECOND};
use crate::site::Site;

/// How messages go out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    /// So many messages may go in one AMQP message: 50 as the suite does it, or 1.
    pub(crate) together: usize,
    /// Whether every event is also told to other programs.
    pub(crate) events: bool,
}

/// Runs so many shipments after so many that are not measured.
pub(crate) async fn measure(
    how: How,
    shipments: u32,
    warm_up: u32,
    site: &Site,
) -> Result<Figures> {
    Log::set_up(&site.database()).await?;
    station::declare(site.broker()).await?;
    let database = site.database();
    let stations =
        Service::ALL.map(|service| Station::open(service, how, &database, site.broker()));
    let stations = try_join_all(stations).await?;
    let (stations, _) = work(stations, Run::of(0, warm_up)).await?;
    let (stations, took) = work(stations, Run::of(warm_up, shipments)).await?;
    drop(stations);
    let expected = entries(shipments) + entries(warm_up);
    let stored = Log::count(&database).await?;
    ensure!(
        stored == expected,
        "{stored} entries were stored, and not {expected}"
    );
    let per_second = f64::from(shipments) / took.as_secs_f64();
    Ok([(PER_SECOND, per_second)].into())
}

/// All stations side by side, until all shipments of the run have ended.
async fn work(stations: Vec<Station>, run: Run) -> Result<(Vec<Station>, Duration)> {
    let began = Instant::now();
    let mut working = JoinSet::new();
    for mut station in stations {
        let run = run.clone();
        working.spawn(async move { station.work(&run).await.map(|()| station) });
    }
    let mut stations = Vec::new();
    while let Some(station) = working.join_next().await {
        stations.push(station??);
    }
    Ok((stations, began.elapsed()))
}

fn entries(shipments: u32) -> u64 {
    let each: usize = COURSE.iter().map(|step| step.entries.len()).sum();
    u64::from(shipments) * u64::try_from(each).unwrap()
}
