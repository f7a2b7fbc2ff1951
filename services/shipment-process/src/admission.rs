//! Whether another shipment may be started: not while more waits than the services can soon handle.
//!
//! A start for which there is no room waits for it a little, in a room of limited size, so that those who
//! start one shipment after another are slowed down to what the services can do. Whoever finds no room even
//! so is sent away.

mod gate;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use host::Problem;
use runtime::{Pressure, Unknown, Waiting};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info, warn};

use self::gate::{Full, Gate};

/// The pause between two looks at what waits, and between two for which somebody waits.
const PAUSE: Duration = Duration::from_millis(500);
const SHORT_PAUSE: Duration = Duration::from_millis(50);
/// How many starts may wait for room: less than the requests that are let in, which others need as well.
const SEATS: usize = 256;
/// How long each of them may wait.
const PATIENCE: Duration = Duration::from_secs(2);

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
    /// Whoever waits for room has one of them.
    seats: Semaphore,
    /// Starts are let in in the order in which they came: the first of them has this.
    turn: tokio::sync::Mutex<()>,
    /// There was a start since the last look.
    asked: Notify,
    /// Somebody waits for room.
    wanted: Notify,
    /// There was another look.
    looked: Notify,
}

impl Admission {
    /// So much may wait; 0 for any number.
    pub(crate) fn new(pressure: Pressure, max_backlog: usize) -> Self {
        let guarded = (max_backlog > 0).then(|| {
            let shared = Arc::new(Shared::new(max_backlog));
            let see = move || {
                let pressure = pressure.clone();
                async move { pressure.look(max_backlog.saturating_add(1)).await }
            };
            let looking = look(see, max_backlog, shared.clone());
            Guarded {
                shared,
                _looking: AbortOnDropHandle::new(tokio::spawn(looking)),
            }
        });
        Self { guarded }
    }

    /// Returns when one more may be started.
    ///
    /// # Errors
    /// `429` with what waits, and when to come again: at once where too many wait for room already, and
    /// otherwise when there was none for a while.
    pub(crate) async fn admit(&self) -> Result<(), Problem> {
        let Some(Guarded { shared, .. }) = &self.guarded else {
            return Ok(());
        };
        shared.asked.notify_one();
        shared.admit().await.map_err(|full| {
            let retry_after_s = shared.gate().refuse(Instant::now());
            refused(&full, retry_after_s)
        })
    }
}

impl Shared {
    fn new(max_backlog: usize) -> Self {
        Self {
            gate: Mutex::new(Gate::new(max_backlog)),
            seats: Semaphore::new(SEATS),
            turn: tokio::sync::Mutex::new(()),
            asked: Notify::new(),
            wanted: Notify::new(),
            looked: Notify::new(),
        }
    }

    async fn admit(&self) -> Result<(), Full> {
        let Ok(_seat) = self.seats.try_acquire() else {
            return self.gate().admit(Instant::now());
        };
        let patience = Instant::now() + PATIENCE;
        let Ok(_turn) = timeout_at(patience, self.turn.lock()).await else {
            return self.gate().admit(Instant::now());
        };
        loop {
            let looked = self.looked.notified();
            if self.gate().admit(Instant::now()).is_ok() {
                return Ok(());
            }
            self.wanted.notify_one();
            if timeout_at(patience, looked).await.is_err() {
                // What was seen may be known no longer.
                return self.gate().admit(Instant::now());
            }
        }
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(full: &Full, retry_after_s: u64) -> Problem {
    let Full {
        waiting,
        since,
        bound,
    } = full;
    let detail = format!(
        "{} messages wait to be handled, {} entries to be published, and {since} shipments were started since that \
         was counted: more than shipment_process.max_backlog, which is {bound}; start it in {retry_after_s} s",
        waiting.unhandled, waiting.unpublished,
    );
    Problem::too_much(detail, retry_after_s)
}

/// Looks at what waits while there are starts, and more often while some of them wait for room.
async fn look<F>(see: impl Fn() -> F, bound: usize, shared: Arc<Shared>)
where
    F: Future<Output = Result<Waiting, Unknown>>,
{
    let mut refusing = false;
    loop {
        tokio::select! {
            () = shared.asked.notified() => {}
            () = shared.wanted.notified() => {}
        }
        let look = shared.gate().begin_look();
        match see().await {
            Ok(waiting) => {
                shared.gate().saw(look, waiting, Instant::now());
                let (unhandled, unpublished) = (waiting.unhandled, waiting.unpublished);
                debug!(unhandled, unpublished, bound, "looked at what waits");
            }
            // Whoever is away says so elsewhere.
            Err(error) => debug!(%error, "nobody knows what waits"),
        }
        shared.looked.notify_waiters();
        let refused = shared.gate().is_refusing(Instant::now());
        match (refusing, refused) {
            (false, true) => warn!(
                bound,
                "more waits than shipment_process.max_backlog: starts are refused"
            ),
            (true, false) => info!("starts are no longer refused"),
            (true, true) | (false, false) => {}
        }
        refusing = refused;
        sleep(SHORT_PAUSE).await;
        // Whoever wants to know now is told by the next look.
        if timeout(PAUSE - SHORT_PAUSE, shared.wanted.notified())
            .await
            .is_ok()
        {
            shared.wanted.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use futures::future::join_all;
    use futures::poll;

    /// So much was seen to wait now.
    fn saw(shared: &Shared, unhandled: usize) {
        let waiting = Waiting {
            unpublished: 0,
            unhandled,
        };
        let mut gate = shared.gate();
        let look = gate.begin_look();
        gate.saw(look, waiting, Instant::now());
        drop(gate);
        shared.looked.notify_waiters();
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_waits_for_room_and_the_first_is_let_in_first() {
        let shared = Shared::new(100);
        saw(&shared, 101);
        let (mut first, mut second) = (pin!(shared.admit()), pin!(shared.admit()));
        assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
        shared.wanted.notified().await;
        // There is room for one.
        saw(&shared, 99);
        assert!(poll!(&mut second).is_pending());
        assert_eq!(first.await, Ok(()));
        assert!(poll!(&mut second).is_pending());
        saw(&shared, 99);
        assert_eq!(second.await, Ok(()));
    }

    /// How often it is looked in so long, when so much waits, and there is a start again and again.
    async fn looks(unhandled: usize, time: Duration) -> usize {
        const BOUND: usize = 10_000;
        let (shared, looks) = (Arc::new(Shared::new(BOUND)), AtomicUsize::new(0));
        let see = || {
            looks.fetch_add(1, Ordering::Relaxed);
            let waiting = Waiting {
                unpublished: 0,
                unhandled,
            };
            async move { Ok(waiting) }
        };
        let starts = async {
            loop {
                shared.asked.notify_one();
                let _ = timeout(Duration::from_millis(10), shared.admit()).await;
                sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            () = look(see, BOUND, shared.clone()) => {}
            () = starts => {}
            () = sleep(time) => {}
        }
        looks.into_inner()
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_looked_more_often_while_a_start_waits_for_room() {
        let seconds = Duration::from_secs(10);
        let without = looks(0, seconds).await;
        assert!((18..=22).contains(&without), "{without}");
        let waiting = looks(10_001, seconds).await;
        assert!((100..=220).contains(&waiting), "{waiting}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_waits_no_longer_than_its_patience() {
        let shared = Shared::new(100);
        saw(&shared, 101);
        let began = Instant::now();
        let refused = join_all((0..SEATS).map(|_| shared.admit())).await;
        assert!(refused.iter().all(Result::is_err));
        assert_eq!(began.elapsed(), PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn where_too_many_wait_the_next_is_sent_away_at_once() {
        let shared = Shared::new(100);
        saw(&shared, 101);
        let mut waiting: Vec<_> = (0..SEATS).map(|_| Box::pin(shared.admit())).collect();
        for start in &mut waiting {
            assert!(poll!(start).is_pending());
        }
        let mut next = pin!(shared.admit());
        assert!(matches!(poll!(&mut next), std::task::Poll::Ready(Err(_))));
    }
}
