//! A session that can be replaced.
//!
//! The client that this is built on gives up for good when its first connection fails, stays with a
//! server that is gone, and waits without end. So each operation has its time, and a session that has
//! failed is replaced by the next operation. Pauses between attempts are the caller's.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use kurrentdb::{Client, ClientSettings, ReadStreamOptions, RecordedEvent};
use uuid::Uuid;

use crate::error::Failure;
use crate::horizon::Horizon;
use crate::requests::{read_events, read_last_event};
use crate::session::Session;

pub(crate) struct Connection {
    settings: ClientSettings,
    session: Mutex<Option<Arc<Session>>>,
    log: OnceLock<Log>,
}

/// The log that this store was opened with.
pub(crate) struct Log {
    /// The name of the stream that its first event is in, and the id of that event.
    pub(crate) stream: String,
    pub(crate) id: Uuid,
    /// How far it is known to reach.
    pub(crate) horizon: Arc<Horizon>,
}

impl Log {
    /// A server may come back empty, or with the data of a backup. What is known of the log would then
    /// be wrong: a reader would pass over what is stored from now on.
    ///
    /// The last event of all, if it is the same.
    async fn check(
        &self,
        session: &Session,
        within: Duration,
    ) -> Result<Option<RecordedEvent>, Failure> {
        let stream = self.stream.clone();
        let one = ReadStreamOptions::default().max_count(1);
        let begun = session.run(within, |client| read_events(client, stream, one));
        if begun.await?.first().is_none_or(|first| first.id != self.id) {
            return Err(Failure::AnotherLog);
        }
        let known = self.horizon.mark().position;
        let last = session.run(within, read_last_event).await?;
        if last
            .as_ref()
            .is_none_or(|last| last.position.commit < known)
        {
            return Err(Failure::ShorterLog);
        }
        Ok(last)
    }
}

impl Connection {
    /// Connects when it is needed.
    pub(crate) fn new(settings: ClientSettings) -> Self {
        Self {
            settings,
            session: Mutex::default(),
            log: OnceLock::new(),
        }
    }

    /// From here on only a server is used that has this log, as far as it is known to reach. It is looked
    /// at once for each session.
    pub(crate) fn hold_to(&self, log: Log) {
        let _ = self.log.set(log);
    }

    /// The servers' names, for whoever has to look why they do not answer.
    pub(crate) fn servers(&self) -> String {
        let hosts = self.settings.hosts().iter();
        let hosts: Vec<_> = hosts.map(|h| format!("{}:{}", h.host, h.port)).collect();
        let tls = if self.settings.is_secure_mode_enabled() {
            "with TLS"
        } else {
            "without TLS"
        };
        format!("{} {tls}", hosts.join(", "))
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
        let outcome = async {
            if let Some(log) = self.log.get() {
                let check = async || log.check(&session, within).await.map(drop);
                session.is_the_same.get_or_try_init(check).await?;
            }
            session.run(within, operation).await
        };
        let outcome = outcome.await;
        self.judge(&session, &outcome);
        outcome
    }

    /// The last event of all, once it is sure that the server still has the log: it may have been
    /// exchanged between two calls.
    pub(crate) async fn last_event(
        &self,
        within: Duration,
    ) -> Result<Option<RecordedEvent>, Failure> {
        let session = self.session()?;
        let outcome = async {
            match self.log.get() {
                Some(log) => log.check(&session, within).await,
                None => session.run(within, read_last_event).await,
            }
        };
        let outcome = outcome.await;
        self.judge(&session, &outcome);
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

    /// Has the next operation begin with a new session, unless it already does, where this one has
    /// failed. What is under way in this one goes on.
    fn judge<T>(&self, failed: &Arc<Session>, outcome: &Result<T, Failure>) {
        if !outcome.as_ref().is_err_and(Failure::is_the_connections) {
            return;
        }
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if session.as_ref().is_some_and(|now| Arc::ptr_eq(now, failed)) {
            *session = None;
        }
    }
}
