//! The services and servers, and what befalls them.

use std::fmt::Write as _;
use std::sync::Mutex as Kept;
use std::time::Duration;

use anyhow::Result;
use futures::future::{join_all, try_join};
use jiff::Timestamp;
use runtime::{Clock as _, SystemClock};
use system_tests::binaries::{Place, Process, SERVICES};
use system_tests::group::GroupPlace;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep};

use crate::plan::{INSTANCES, Injury, Kind, Plan};
use crate::servers::Server;

/// How long a service may take until it answers.
const ANSWERS: Duration = Duration::from_secs(60);

/// How long a service may take to stop: its grace period, as it is set out of the box, and what a machine
/// with much to do adds.
const GRACE_PERIOD: Duration = Duration::from_secs(20);

/// What the carriers are set to: they answer soon, but not at once.
const SETTINGS: [(&str, &str); 3] = [
    ("carrier_stub.delay_ms", "200"),
    ("carrier_stub.books_late_after_ms", "500"),
    ("telemetry.log", "info"),
];

/// An injury that was inflicted, and is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inflicted {
    pub(crate) kind: Kind,
    /// When it began.
    pub(crate) began: Timestamp,
    /// When it was made good.
    pub(crate) ended: Timestamp,
}

/// All that may be injured.
pub(crate) struct Field {
    names: Vec<String>,
    instances: Vec<Mutex<Process>>,
    addresses: Vec<String>,
    pub(crate) database: Server,
    pub(crate) broker: Server,
    began: Instant,
    inflicted: Kept<Vec<Inflicted>>,
    faults: Kept<Vec<String>>,
}

impl Field {
    /// Starts two instances of each service, and waits until they are ready.
    pub(crate) async fn set_up(place: &GroupPlace) -> Result<Self> {
        let database = Server::database(&place.folder)?;
        let broker = Server::broker(&place.folder)?;
        let servers = [
            ("event_store.postgres.url", database.url.as_str()),
            ("bus.rabbitmq.url", broker.url.as_str()),
        ];
        let settings = [&servers[..], &SETTINGS[..]].concat();
        let mut names = Vec::new();
        let mut instances = Vec::new();
        for nth in 0..INSTANCES {
            let service = SERVICES[nth % SERVICES.len()];
            let name = format!("{service}-{}", nth / SERVICES.len() + 1);
            let folder = place.folder.join(&name);
            let place = Place::within(folder, place.number);
            instances.push(Process::spawn_at(place, service, &settings));
            names.push(name);
        }
        for process in &mut instances {
            process.ready_within(ANSWERS).await;
        }
        let asked = instances.iter().filter(|p| p.name() == SERVICES[0]);
        Ok(Self {
            addresses: asked.map(|process| process.url("")).collect(),
            names,
            instances: instances.into_iter().map(Mutex::new).collect(),
            database,
            broker,
            began: Instant::now(),
            inflicted: Kept::default(),
            faults: Kept::default(),
        })
    }

    /// Where shipments are started.
    pub(crate) fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// What has been inflicted up to now.
    pub(crate) fn inflicted(&self) -> Vec<Inflicted> {
        self.inflicted.lock().unwrap().clone()
    }

    /// What services did that none should.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.faults.lock().unwrap().clone()
    }

    /// Says something, with the time.
    pub(crate) fn say(&self, what: &str) {
        println!("{:7.1} s  {what}", self.began.elapsed().as_secs_f64());
    }

    /// Injures services and servers, side by side, until the time is over and all is made good.
    pub(crate) async fn injure(&self, seed: u64, until: Instant) -> Result<()> {
        let of_services = self.follow(Plan::of_services(seed), until);
        let of_servers = self.follow(Plan::of_servers(seed), until);
        try_join(of_services, of_servers).await.map(drop)
    }

    async fn follow(&self, plan: Plan, until: Instant) -> Result<()> {
        for injury in plan {
            if Instant::now() + injury.after >= until {
                break;
            }
            sleep(injury.after).await;
            let began = SystemClock.now();
            self.inflict(&injury).await?;
            self.inflicted.lock().unwrap().push(Inflicted {
                kind: injury.kind,
                began,
                ended: SystemClock.now(),
            });
        }
        Ok(())
    }

    async fn inflict(&self, injury: &Injury) -> Result<()> {
        let mut what = format!("{} for {:.1} s", injury.kind, injury.lasts.as_secs_f64());
        for victim in &injury.victims {
            write!(what, " {}", self.names[*victim])?;
        }
        self.say(&what);
        let began = Instant::now();
        let mut victims = self.locked(&injury.victims).await;
        match injury.kind {
            Kind::Killed => {
                victims.iter_mut().for_each(|victim| victim.kill9());
                sleep(injury.lasts).await;
                self.launch(&mut victims).await;
            }
            Kind::Stopped => {
                self.stop(&mut victims).await;
                sleep(injury.lasts).await;
                self.launch(&mut victims).await;
            }
            Kind::Paused => {
                victims.iter().for_each(|victim| victim.pause());
                sleep(injury.lasts).await;
                victims.iter().for_each(|victim| victim.go_on());
            }
            Kind::BrokerKilled => outage(&self.broker, injury.lasts).await?,
            Kind::DatabaseKilled => outage(&self.database, injury.lasts).await?,
        }
        let took = began.elapsed().as_secs_f64();
        self.say(&format!("{} is made good, after {took:.1} s", injury.kind));
        Ok(())
    }

    async fn locked(&self, victims: &[usize]) -> Vec<MutexGuard<'_, Process>> {
        join_all(victims.iter().map(|victim| self.instances[*victim].lock())).await
    }

    async fn launch(&self, victims: &mut [MutexGuard<'_, Process>]) {
        victims.iter_mut().for_each(|victim| victim.launch());
        // Not until it is ready, for which its servers must be there: it may well be injured before.
        join_all(victims.iter_mut().map(|victim| victim.live_within(ANSWERS))).await;
    }

    /// Asks them to stop, and waits until they have.
    async fn stop(&self, victims: &mut [MutexGuard<'_, Process>]) {
        victims.iter().for_each(|victim| victim.ask_to_stop());
        let ends = victims.iter_mut().map(async |victim| {
            let status = victim.ended(GRACE_PERIOD).await;
            (victim.folder().to_owned(), status)
        });
        for (folder, status) in join_all(ends).await {
            if !status.success() {
                let folder = folder.display();
                self.fault(format!(
                    "{folder} was asked to stop, and ended with {status}"
                ));
            }
        }
    }

    /// Stops all of them, at the end.
    pub(crate) async fn stop_all(&self) {
        let all: Vec<_> = (0..INSTANCES).collect();
        let mut all = self.locked(&all).await;
        self.stop(&mut all).await;
    }

    /// Whether a service has ended that nobody has ended; those that are being injured are left out.
    pub(crate) fn look_for_ends(&self) {
        for (instance, name) in self.instances.iter().zip(&self.names) {
            if let Ok(mut process) = instance.try_lock()
                && let Some(status) = process.ended_by_itself()
            {
                self.fault(format!("{name} has ended by itself: {status}"));
            }
        }
    }

    fn fault(&self, fault: String) {
        let mut faults = self.faults.lock().unwrap();
        if !faults.contains(&fault) {
            self.say(&format!("FAULT: {fault}"));
            faults.push(fault);
        }
    }
}

async fn outage(server: &Server, lasts: Duration) -> Result<()> {
    server.kill().await?;
    sleep(lasts).await;
    server.start().await
}
