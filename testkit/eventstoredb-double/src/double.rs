//! The server as tests hold it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use crate::core::Core;
use crate::faults::{AppendFault, Held};
use crate::features::FeaturesService;
use crate::listener;
use crate::projection;
use crate::service::StreamsService;
use crate::wire::server_features::server_features_server::ServerFeaturesServer;
use crate::wire::streams::streams_server::StreamsServer;

/// How often, and with which pause, a port that is still in use is tried again.
const BIND_ATTEMPTS: usize = 200;
const BIND_PAUSE: Duration = Duration::from_millis(25);

/// How much of the requests of one connection may wait to be read.
const CONNECTION_WINDOW_BYTES: u32 = 64 << 20;

/// A server that answers as EventStoreDB does, with its data in memory.
///
/// It serves in tasks of the runtime that started it, and ends when it is dropped.
#[derive(Debug)]
pub struct Double {
    core: Arc<Core>,
    address: SocketAddr,
    process: Mutex<Option<Process>>,
    projects: bool,
    /// How far the projection is, which outlives a restart.
    projected: Arc<Mutex<usize>>,
}

/// What a kill ends.
#[derive(Debug)]
struct Process {
    alive: CancellationToken,
    serving: JoinHandle<()>,
    projecting: Option<JoinHandle<()>>,
}

impl Double {
    /// Starts a server at a free port of this machine, with the system projections.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn start() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let started = Self::bind(any, true).await;
        started.unwrap_or_else(|error| panic!("no port to listen at: {error}"))
    }

    /// Starts a server whose projections are off: there are no `$ce-` streams.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn start_without_projections() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let started = Self::bind(any, false).await;
        started.unwrap_or_else(|error| panic!("no port to listen at: {error}"))
    }

    /// Starts a server at this address, with the system projections.
    ///
    /// # Errors
    /// When it cannot listen there.
    pub async fn start_at(address: SocketAddr) -> io::Result<Self> {
        Self::bind(address, true).await
    }

    async fn bind(address: SocketAddr, projects: bool) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let double = Self {
            core: Arc::new(Core::new()),
            address: listener.local_addr()?,
            process: Mutex::default(),
            projects,
            projected: Arc::default(),
        };
        double.serve(listener);
        Ok(double)
    }

    /// What the client connects with.
    #[must_use]
    pub fn connection_string(&self) -> String {
        format!("esdb://{}?tls=false&discoveryInterval=50", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the server as a kill does: every connection is cut at once, and new ones are refused.
    /// What was committed stays.
    pub async fn stop(&self) {
        let Some(process) = self.take_process() else {
            return;
        };
        process.alive.cancel();
        process.serving.abort();
        // The listener is closed when the task has ended.
        let _ = process.serving.await;
        if let Some(projecting) = process.projecting {
            let _ = projecting.await;
        }
    }

    /// Starts the server again at the same address with the same data.
    ///
    /// # Panics
    /// When somebody else listens there meanwhile.
    pub async fn start_again(&self) {
        self.stop().await;
        let mut attempt = 0;
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(_) if attempt < BIND_ATTEMPTS => attempt += 1,
                Err(error) => panic!("{} cannot be listened at again: {error}", self.address),
            }
            tokio::time::sleep(BIND_PAUSE).await;
        };
        self.core.write(|log| log.begin_epoch()).await;
        self.serve(listener);
    }

    /// Commits the next `count` appends, and cuts the connection instead of an answer.
    pub fn drop_after_commit(&self, count: usize) {
        let faults = &self.core.faults;
        faults.plan_appends(count, AppendFault::Cut);
    }

    /// Cuts the connection of the next `count` appends, and commits nothing of them.
    pub fn drop_before_commit(&self, count: usize) {
        let faults = &self.core.faults;
        faults.plan_appends(count, AppendFault::CutUncommitted);
    }

    /// Commits the next `count` appends, and answers that the operation timed out.
    pub fn time_out_after_commit(&self, count: usize) {
        let faults = &self.core.faults;
        faults.plan_appends(count, AppendFault::TimeOut);
    }

    /// Accepts connections and requests from now on, but works on none and answers nothing, also
    /// on subscriptions. Connections stay alive.
    pub fn stall(&self) {
        self.core.faults.set_stalled(true);
    }

    /// Ends [`stall`](Self::stall): what came meanwhile is worked on, unless its caller has gone.
    pub fn resume(&self) {
        self.core.faults.set_stalled(false);
    }

    /// Refuses from now on what requires the leader, and names this one. What does not is served,
    /// as by a node that hands it on.
    pub fn not_leader(&self, leader: SocketAddr) {
        self.core.faults.set_leader(Some(leader.into()));
    }

    /// Ends [`not_leader`](Self::not_leader).
    pub fn leader_again(&self) {
        self.core.faults.set_leader(None);
    }

    /// Denies access to everything from now on. Subscriptions that run go on.
    pub fn deny_access(&self) {
        self.core.faults.set_denies_access(true);
    }

    /// Ends [`deny_access`](Self::deny_access).
    pub fn allow_access(&self) {
        self.core.faults.set_denies_access(false);
    }

    /// Holds the next append that comes to the single writer, before its commit. What comes behind
    /// it waits. If several are held, each holds one append, in order.
    #[must_use]
    pub fn hold_next_append(&self) -> Held {
        self.core.faults.hold_next()
    }

    /// Ends the subscriptions that run without an error, which a server never does but a proxy may.
    pub fn end_subscriptions_ok(&self) {
        self.core.faults.end_subscriptions();
    }

    /// The `count` next appends that were made before are never answered, as by a server that has not
    /// indexed the first yet: it drops them, and waits for the client to try again.
    pub fn ignore_repeats(&self, count: usize) {
        self.core.faults.plan_silences(count);
    }

    /// The `count` next reads (no subscriptions) end without an error after so many answers, which a
    /// server never does before its log ends, but a proxy may.
    pub fn end_reads_early(&self, count: usize, answers: usize) {
        self.core.faults.plan_short_reads(count, answers);
    }

    /// From now on, filtered reads of `$all` look on and on and find nothing, as where millions of
    /// events of others lie between.
    pub fn look_in_vain(&self) {
        self.core.faults.set_looks_in_vain(true);
    }

    /// Ends [`look_in_vain`](Self::look_in_vain).
    pub fn find_again(&self) {
        self.core.faults.set_looks_in_vain(false);
    }

    /// How many append calls came, whatever became of them.
    #[must_use]
    pub fn appends(&self) -> u64 {
        self.core.faults.appends.load(Ordering::SeqCst)
    }

    /// Returns when so many appends have come since the beginning, done or not.
    pub async fn appends_have_come(&self, count: u64) {
        self.core.have_come(count).await;
    }

    /// How many read calls came that are no subscriptions.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.core.faults.reads.load(Ordering::SeqCst)
    }

    /// How many subscriptions were asked for.
    #[must_use]
    pub fn subscriptions(&self) -> u64 {
        self.core.faults.subscriptions.load(Ordering::SeqCst)
    }

    fn serve(&self, listener: TcpListener) {
        let alive = CancellationToken::new();
        let streams = StreamsService {
            core: Arc::clone(&self.core),
            process: alive.clone(),
        };
        let features = FeaturesService {
            core: Arc::clone(&self.core),
        };
        let connections = listener::connections(listener, alive.clone());
        let serving = tokio::spawn(async move {
            let served = Server::builder()
                // The room for small frames that are not yet read grows with it; the real server's is
                // another stack, which has no such limit.
                .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
                .add_service(StreamsServer::new(streams).max_decoding_message_size(usize::MAX))
                .add_service(ServerFeaturesServer::new(features))
                .serve_with_incoming(connections)
                .await;
            if let Err(error) = served {
                eprintln!("the double of EventStoreDB ended: {error}");
            }
        });
        let projecting = self.projects.then(|| self.project(alive.clone()));
        let process = Process {
            alive,
            serving,
            projecting,
        };
        *self.lock_process() = Some(process);
    }

    fn project(&self, alive: CancellationToken) -> JoinHandle<()> {
        let core = Arc::clone(&self.core);
        let projected = Arc::clone(&self.projected);
        tokio::spawn(async move {
            let next = *projected.lock().unwrap_or_else(PoisonError::into_inner);
            let next = projection::run(core, next, alive).await;
            *projected.lock().unwrap_or_else(PoisonError::into_inner) = next;
        })
    }

    fn take_process(&self) -> Option<Process> {
        self.lock_process().take()
    }

    fn lock_process(&self) -> std::sync::MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        if let Some(process) = self.take_process() {
            process.alive.cancel();
            process.serving.abort();
        }
    }
}
