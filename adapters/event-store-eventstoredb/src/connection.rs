//! A client on a thread of its own, which can be replaced.
//!
//! The client that this is built on gives up for good when its first connection fails, stays with a
//! server that is gone, waits without end, and can loop without end. So each operation has its time,
//! which is taken outside of the client's thread; and a client that has failed is replaced by the next
//! operation, with its thread and whatever it runs in the background. Pauses between attempts are the
//! caller's.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use kurrentdb::{Client, ClientSettings};
use tokio::runtime::{Builder, Handle};
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;

use crate::error::Failure;
use crate::nodelay;

pub(crate) struct Connection {
    settings: ClientSettings,
    session: Mutex<Option<Arc<Session>>>,
}

/// A client with its thread, which ends when nothing uses it any more.
struct Session {
    client: Client,
    thread: Handle,
    ports: Vec<u16>,
    /// When its sockets were last told not to wait.
    hurried: Mutex<Option<Instant>>,
    _end: DropGuard,
}

/// An operation that takes this long may be one whose packets wait for each other.
const SLOW: Duration = Duration::from_millis(30);
/// How often sockets are looked at, at most.
const HURRY_EVERY: Duration = Duration::from_secs(5);

impl Connection {
    /// Connects when it is needed.
    pub(crate) fn new(settings: ClientSettings) -> Self {
        Self {
            settings,
            session: Mutex::default(),
        }
    }

    /// Runs an operation, which must be done within this time.
    pub(crate) async fn run<T, F>(
        &self,
        within: Duration,
        operation: impl FnOnce(Client) -> F,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = kurrentdb::Result<T>> + Send + 'static,
    {
        let session = self.session()?;
        let outcome = session.run(within, operation).await;
        if outcome.as_ref().is_err_and(Failure::is_the_connections) {
            self.replace(&session);
        }
        outcome
    }

    /// The same for one that may rightly take longer than it is given: that says nothing of the
    /// connection.
    pub(crate) async fn scan<T, F>(
        &self,
        within: Duration,
        operation: impl FnOnce(Client) -> F,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = kurrentdb::Result<T>> + Send + 'static,
    {
        let session = self.session()?;
        let outcome = session.run(within, operation).await;
        match &outcome {
            Ok(_) | Err(Failure::TimedOut { .. }) => {}
            Err(failure) if failure.is_the_connections() => self.replace(&session),
            Err(_) => {}
        }
        outcome
    }

    fn session(&self) -> Result<Arc<Session>, Failure> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = &*session {
            return Ok(session.clone());
        }
        let new = Arc::new(Session::start(self.settings.clone())?);
        *session = Some(new.clone());
        Ok(new)
    }

    /// Has the next operation begin with a new session, unless it already does. What is under way in
    /// this one goes on.
    fn replace(&self, failed: &Arc<Session>) {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if session.as_ref().is_some_and(|now| Arc::ptr_eq(now, failed)) {
            *session = None;
        }
    }
}

impl Session {
    fn start(settings: ClientSettings) -> Result<Self, Failure> {
        let hosts = settings.hosts().iter();
        let ports = hosts.filter_map(|host| host.port.try_into().ok()).collect();
        let set_up = |error: &dyn std::fmt::Display| Failure::SetUp(format!("{error:#}"));
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| set_up(&error))?;
        let thread = runtime.handle().clone();
        let client = Client::with_runtime_handle(thread.clone(), settings)
            .map_err(|error| set_up(&error))?;
        let end = CancellationToken::new();
        let ended = end.clone();
        // It ends with the session, and with it whatever the client runs in the background.
        thread::Builder::new()
            .name("eventstoredb".to_owned())
            .spawn(move || runtime.block_on(ended.cancelled()))
            .map_err(|error| set_up(&error))?;
        Ok(Self {
            client,
            thread,
            ports,
            hurried: Mutex::default(),
            _end: end.drop_guard(),
        })
    }

    async fn run<T, F>(
        &self,
        within: Duration,
        operation: impl FnOnce(Client) -> F,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = kurrentdb::Result<T>> + Send + 'static,
    {
        let began = Instant::now();
        let running = self.thread.spawn(operation(self.client.clone()));
        // The time is taken here, where nothing that the client does can stop it.
        let outcome = match timeout(within, AbortOnDropHandle::new(running)).await {
            Ok(Ok(outcome)) => outcome.map_err(Failure::Client),
            Ok(Err(ended)) => Err(Failure::Ended(ended)),
            Err(_) => Err(Failure::TimedOut {
                timeout_ms: within.as_millis(),
            }),
        };
        // The first is slow in any case, since it connects.
        if began.elapsed() > SLOW {
            self.hurry();
        }
        outcome
    }

    /// Has the packets of later operations leave at once.
    fn hurry(&self) {
        let mut hurried = self.hurried.lock().unwrap_or_else(PoisonError::into_inner);
        if hurried.is_some_and(|before| before.elapsed() < HURRY_EVERY) {
            return;
        }
        *hurried = Some(Instant::now());
        if let Err(error) = nodelay::set(&self.ports) {
            debug!(%error, "TCP_NODELAY cannot be set: each request takes some 40 ms longer");
        }
    }
}
