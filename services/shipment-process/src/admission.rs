//! Whether another shipment may be started: not while more waits than the services can soon handle.

mod gate;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use host::Problem;
use runtime::Pressure;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info, warn};

use self::gate::{Full, Gate};

/// The pause between two looks at what waits.
const PAUSE: Duration = Duration::from_millis(500);

/// Lets starts in, or sends them away.
pub(crate) struct Admission {
    /// `None` where everybody may come in.
    guarded: Option<Guarded>,
}

struct Guarded {
    shared: Arc<Shared>,
    _looking: AbortOnDropHandle<()>,
}

struct Shared {
    gate: Mutex<Gate>,
    /// There was a start since the last look.
    asked: Notify,
}

impl Admission {
    /// So much may wait; 0 for any number.
    pub(crate) fn new(pressure: Pressure, max_backlog: usize) -> Self {
        let guarded = (max_backlog > 0).then(|| {
            let shared = Arc::new(Shared {
                gate: Mutex::new(Gate::new(max_backlog)),
                asked: Notify::new(),
            });
            let looking = look(pressure, max_backlog, shared.clone());
            Guarded {
                shared,
                _looking: AbortOnDropHandle::new(tokio::spawn(looking)),
            }
        });
        Self { guarded }
    }

    /// Whether one more may be started now.
    ///
    /// # Errors
    /// `429` with what waits, and when to come again.
    pub(crate) fn admit(&self) -> Result<(), Problem> {
        let Some(Guarded { shared, .. }) = &self.guarded else {
            return Ok(());
        };
        shared.asked.notify_one();
        let admitted = shared.gate().admit(Instant::now());
        admitted.map_err(|full| refused(&full))
    }
}

fn refused(full: &Full) -> Problem {
    let Full {
        waiting,
        since,
        bound,
        retry_after_s,
    } = full;
    let detail = format!(
        "{} messages wait to be handled, {} entries to be published, and {since} shipments were started since that \
         was counted: more than shipment_process.max_backlog, which is {bound}; start it in {retry_after_s} s",
        waiting.unhandled, waiting.unpublished,
    );
    Problem::too_much(detail, *retry_after_s)
}

/// Looks at what waits: while there are starts, and until it is little enough.
async fn look(pressure: Pressure, bound: usize, shared: Arc<Shared>) {
    loop {
        if !shared.gate().is_full(Instant::now()) {
            shared.asked.notified().await;
        }
        let look = shared.gate().begin_look();
        match pressure.look(bound.saturating_add(1)).await {
            Ok(waiting) => {
                let mut gate = shared.gate();
                let was_full = gate.is_full(Instant::now());
                gate.saw(look, waiting, Instant::now());
                let is_full = gate.is_full(Instant::now());
                let (unhandled, unpublished) = (waiting.unhandled, waiting.unpublished);
                match (was_full, is_full) {
                    (false, true) => warn!(
                        unhandled,
                        unpublished,
                        bound,
                        "more waits than shipment_process.max_backlog: starts are refused"
                    ),
                    (true, false) => info!(unhandled, unpublished, "starts are accepted again"),
                    (true, true) | (false, false) => {}
                }
            }
            // Whoever is away says so elsewhere.
            Err(error) => debug!(%error, "nobody knows what waits"),
        }
        sleep(PAUSE).await;
    }
}

impl Shared {
    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
