//! The services, as processes of their own.

use std::time::Duration;

use futures::future::join_all;
use system_tests::binaries::{Place, Process};
use system_tests::group::GroupPlace;

/// How long a service may take until it answers.
const ANSWERS: Duration = Duration::from_secs(60);

/// How long a service may take to stop, on a machine that has much to do.
const STOPS: Duration = Duration::from_secs(60);

/// Services that run.
#[derive(Debug)]
pub(crate) struct Suite {
    processes: Vec<Process>,
}

impl Suite {
    /// Starts so many instances of each program, the one with the HTTP API first, each in a folder of the
    /// scenario's, and waits until all are ready.
    pub(crate) async fn start(
        place: &GroupPlace,
        programs: &[&str],
        instances: usize,
        settings: &[(&str, &str)],
    ) -> Self {
        let mut processes = Vec::new();
        for instance in 1..=instances {
            for program in programs {
                let folder = place.folder.join(format!("{program}-{instance}"));
                let place = Place::within(folder, place.number);
                processes.push(Process::spawn_at(place, program, settings));
            }
        }
        for process in &mut processes {
            process.ready_within(ANSWERS).await;
        }
        Self { processes }
    }

    /// Where shipments are started.
    pub(crate) fn url(&self) -> String {
        self.processes[0].url("")
    }

    /// The numbers of all processes.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(Process::pid).collect()
    }

    /// Lets all of them finish and stop; what was wrong with that.
    pub(crate) async fn stop(mut self) -> Vec<String> {
        let mut faults = Vec::new();
        for process in &mut self.processes {
            if let Some(status) = process.ended_by_itself() {
                faults.push(format!("{} has ended by itself: {status}", process.name()));
            }
        }
        if faults.is_empty() {
            self.processes.iter().for_each(Process::ask_to_stop);
            let ends = self.processes.iter_mut().map(async |process| {
                let status = process.ended(STOPS).await;
                (process.name().to_owned(), status)
            });
            for (name, status) in join_all(ends).await {
                if !status.success() {
                    faults.push(format!("{name} was asked to stop, and ended with {status}"));
                }
            }
        }
        faults
    }
}
