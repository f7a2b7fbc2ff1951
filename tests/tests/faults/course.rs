//! The course of one run: lives of the suite, each ended by a fault or by rest, on one log.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use event_store::EventStore;
use futures::future::{join, join_all};
use host::Settings;
use jiff::SignedDuration;
use message_bus::MessageBus;
use runtime::{Clock, Environment};
use system_tests::suite::{BEGINNING, Suite, embedded_bus, settings_with};
use testkit::faults::Faults;
use testkit::{Broker, ManualClock};
use tokio::sync::Mutex as AsyncMutex;

use crate::case::{Act, Case, When};
use crate::ground::{Bus, Ground, Place, Store, Stores};
use crate::history::History;

/// How long anything may take: far beyond what it takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often the log is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Deadlines that are over later than this are not waited for: only those of steps are so long.
const HORIZON: SignedDuration = SignedDuration::from_mins(5);

/// How often readers look in vain before it is taken for sure that nothing more happens: each of them
/// several times.
const LOOKS: usize = 30;

/// What the suite runs on, and how its readers go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    /// How often readers look by themselves.
    poll_ms: u64,
    /// How often they save where they stand; 0 at every occasion.
    save_ms: u64,
    /// How often they look in vain before a run is over.
    looks: usize,
}

impl Setup {
    /// Where everything comes to rest and everybody has looked before time goes on, readers save once at
    /// each moment.
    pub(crate) fn in_memory(bus: Bus) -> Self {
        Self {
            store: Store::Memory,
            bus,
            poll_ms: 10,
            save_ms: 1,
            looks: LOOKS,
        }
    }

    /// On a store where each look costs: hints are relied on.
    pub(crate) fn on(store: Store, bus: Bus) -> Self {
        Self {
            store,
            bus,
            poll_ms: 200,
            save_ms: 20,
            looks: 0,
        }
    }

    /// Readers save at every occasion.
    pub(crate) fn saving_always(self) -> Self {
        Self { save_ms: 0, ..self }
    }

    /// A run is over when readers have looked often and found nothing.
    pub(crate) fn looking_long(self) -> Self {
        Self {
            poll_ms: 10,
            looks: LOOKS,
            ..self
        }
    }

    /// The settings: carriers that answer soon, unless a case has others.
    fn settings(self, case: &Case) -> Settings {
        static KNOWN: Mutex<BTreeMap<Vec<(String, String)>, Settings>> =
            Mutex::new(BTreeMap::new());
        let ms = |key: &str, ms: u64| (key.to_owned(), ms.to_string());
        let mut all = vec![
            ms("carrier_stub.books_late_after_ms", 30),
            ms("runtime.poll_interval_ms", self.poll_ms),
            ms("runtime.checkpoint_interval_ms", self.save_ms),
            ms("runtime.index_interval_ms", self.save_ms),
        ];
        if case.has_slow_carriers {
            all.push(ms("carrier_stub.delay_ms", 40));
        }
        let own = case.settings.iter();
        all.extend(own.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let read = || {
            let all = all
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str()));
            settings_with(&all.collect::<Vec<_>>())
        };
        known.entry(all.clone()).or_insert_with(read).clone()
    }
}

/// A run: what is stored, what the broker holds, how far each user has come.
pub(crate) struct Course {
    place: Place,
    /// It goes on where nothing else happens, to the next deadline: what is asked for in the meantime
    /// comes before.
    clock: Arc<ManualClock>,
    settings: Settings,
    looks: usize,
    users: Vec<User>,
    /// As the last life has opened them.
    stores: Option<Stores>,
    pub(crate) history: History,
}

struct User {
    case: Case,
    /// How many of the acts were answered.
    answered: Cell<usize>,
}

impl User {
    /// What is to be asked for next.
    fn next(&self) -> Option<&Act> {
        self.case.acts.get(self.answered.get())
    }

    /// Whether there is something that is to be asked for now.
    fn is_ready(&self, history: &History) -> bool {
        self.next().is_some_and(|act| match act.when {
            When::AtOnce => true,
            When::Stored(kind, event) => {
                history.public_events(&self.case.id, kind).contains(&event)
            }
        })
    }
}

/// How a life has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By a fault.
    Stopped,
    /// Everything is done.
    AtRest,
}

impl Course {
    pub(crate) async fn new(setup: Setup, ground: &Ground, cases: &[Case]) -> Self {
        let user = |case: &Case| User {
            case: case.clone(),
            answered: Cell::new(0),
        };
        Self {
            clock: Arc::new(ManualClock::at(BEGINNING.parse().unwrap())),
            settings: setup.settings(&cases[0]),
            looks: setup.looks,
            place: ground.place(setup.bus).await,
            users: cases.iter().map(user).collect(),
            stores: None,
            history: History::new(),
        }
    }

    /// Starts the suite on what is stored, with these faults. Users who were not answered ask again. It
    /// ends by a fault, or when nothing is left to do; then everything is dropped where it stands.
    pub(crate) async fn live(&mut self, faults: &Arc<Faults>) -> Ended {
        // The last life's are gone before.
        self.stores = None;
        let stores = self.place.open().await;
        self.stores = Some(stores.clone());
        let suite = self.start(&stores, faults);
        let history = AsyncMutex::new(&mut self.history);
        let life = Life {
            suite: &suite,
            stores: &stores,
            faults,
            history: &history,
            clock: &self.clock,
            broker: self.place.broker.as_ref(),
            looks: self.looks,
            users: &self.users,
        };
        let course = async {
            let users = join_all(self.users.iter().map(|user| life.follow(user)));
            join(users, life.pass()).await;
            for user in &self.users {
                life.check_status(&user.case).await;
            }
        };
        let ended = tokio::select! {
            biased;
            () = faults.stopped() => Ended::Stopped,
            ended = tokio::time::timeout(PATIENCE, course) => {
                assert!(ended.is_ok(), "it does not come to rest: {}", life.state().await);
                Ended::AtRest
            }
        };
        drop(suite);
        ended
    }

    fn start(&self, stores: &Stores, faults: &Arc<Faults>) -> Suite {
        let store = faults.store(stores.log.clone());
        let bus: Arc<dyn MessageBus> = match &self.place.broker {
            Some(broker) => Arc::new(broker.clone()),
            None => Arc::new(embedded_bus(store.clone(), &self.settings)),
        };
        let environment = Environment {
            store,
            indexes: faults.indexes(stores.indexes.clone()),
            bus: faults.bus(bus),
            clock: self.clock.clone(),
            settings: self.settings.runtime.clone(),
        };
        Suite::start(&environment, &self.settings)
    }

    /// The log, as the last life has opened it.
    pub(crate) fn log(&self) -> &dyn EventStore {
        &*self.stores.as_ref().unwrap().log
    }

    /// What the users have asked for.
    pub(crate) fn cases(&self) -> impl Iterator<Item = &Case> {
        self.users.iter().map(|user| &user.case)
    }
}

/// One life.
struct Life<'a, 'b> {
    suite: &'a Suite,
    stores: &'a Stores,
    faults: &'a Faults,
    history: &'a AsyncMutex<&'b mut History>,
    clock: &'a ManualClock,
    broker: Option<&'a Broker>,
    looks: usize,
    users: &'a [User],
}

impl Life<'_, '_> {
    /// Lets a user do what is left to do.
    async fn follow(&self, user: &User) {
        while let Some(act) = user.next() {
            self.until(|history| user.is_ready(history)).await;
            self.ask(act).await;
            // Not while the log is read: what was asked for may stand where it was read already.
            let _reading = self.history.lock().await;
            user.answered.set(user.answered.get() + 1);
        }
    }

    async fn ask(&self, act: &Act) {
        let (method, path) = (act.method, &act.path);
        let key = act.idempotency_key.as_deref();
        let sent = self.suite.send_once(key, method, path, act.body.clone());
        let (status, body) = sent.await;
        assert_eq!(status, act.status, "{method} {path}: {body}");
    }

    /// Lets time pass wherever nothing else happens, and returns when nothing is left to do, also with
    /// what was held back.
    async fn pass(&self) {
        loop {
            self.until(|history| self.is_still(history)).await;
            let now = self.clock.now();
            let next = self.history.lock().await.next_deadline();
            if let Some(due) = next.filter(|due| *due <= now + HORIZON) {
                self.clock.advance(due.duration_since(now));
                continue;
            }
            self.faults.quiet(self.looks).await;
            if self.faults.release() == 0 {
                return;
            }
        }
    }

    /// Whether nothing happens until time passes, or what is held back is released.
    fn is_still(&self, history: &History) -> bool {
        let held = self.faults.held_back();
        let is_delivered = self.broker.is_none_or(Broker::is_empty) || !held.is_empty();
        let is_asked = !self.users.iter().any(|user| user.is_ready(history));
        let is_reported = history
            .next_deadline()
            .is_none_or(|due| due > self.clock.now());
        is_delivered && is_asked && is_reported && history.is_heard(&held)
    }

    async fn check_status(&self, case: &Case) {
        let (_, outcome) = self.suite.request("GET", &format!("/{}", case.id)).await;
        assert_eq!(outcome["status"], case.status, "{}: {outcome:#}", case.id);
    }

    /// Waits until this is so.
    async fn until(&self, is_so: impl Fn(&History) -> bool) {
        loop {
            {
                let mut history = self.history.lock().await;
                history.read_on(&*self.stores.log).await;
                if is_so(&history) {
                    return;
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn state(&self) -> String {
        self.history.lock().await.to_string()
    }
}
