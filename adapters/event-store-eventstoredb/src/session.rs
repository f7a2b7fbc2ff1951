//! A client on a thread of its own.
//!
//! The client can loop without end: so its time is taken outside of its thread. And it runs things in
//! the background: these end with the thread, and the thread with the session.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use kurrentdb::{Client, ClientSettings};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::debug;

use crate::error::Failure;
use crate::nodelay;

/// A client with its thread, which ends when nothing uses it any more.
pub(crate) struct Session {
    client: Client,
    thread: Handle,
    ports: Vec<u16>,
    /// When its sockets were last told not to wait.
    hurried: Mutex<Option<Instant>>,
    /// Whether its server has the log that the store was opened with.
    pub(crate) is_the_same: OnceCell<()>,
    _end: DropGuard,
}

/// An operation that takes this long may be one whose packets wait for each other.
const SLOW: Duration = Duration::from_millis(30);
/// How often sockets are looked at, at most.
const HURRY_EVERY: Duration = Duration::from_secs(5);

/// A runtime that can be dropped anywhere.
struct Background(Option<Runtime>);

impl Background {
    fn block_on(&self, until: impl Future<Output = ()>) {
        if let Some(runtime) = &self.0 {
            runtime.block_on(until);
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Session {
    pub(crate) fn start(settings: ClientSettings) -> Result<Self, Failure> {
        let hosts = settings.hosts().iter();
        let ports = hosts.filter_map(|host| host.port.try_into().ok()).collect();
        let set_up = |error: &dyn std::fmt::Display| Failure::SetUp(format!("{error:#}"));
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| set_up(&error))?;
        let thread = runtime.handle().clone();
        let runtime = Background(Some(runtime));
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
            is_the_same: OnceCell::new(),
            _end: end.drop_guard(),
        })
    }

    pub(crate) async fn run<T, F>(
        &self,
        within: Duration,
        operation: impl FnOnce(Client) -> F,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = kurrentdb::Result<T>> + Send + 'static,
    {
        let began = Instant::now();
        let running = timeout(within, operation(self.client.clone()));
        let running = self.thread.spawn(running);
        // The time is taken here as well, where nothing that the client does can stop it. Where the
        // caller goes, the operation goes on, since its answer must be read to the end.
        let outcome = match timeout(within, running).await {
            Ok(Ok(Ok(outcome))) => outcome.map_err(Failure::Client),
            Ok(Err(ended)) => Err(Failure::Ended(ended)),
            Ok(Ok(Err(_))) | Err(_) => Err(Failure::TimedOut {
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
