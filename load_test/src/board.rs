//! What is known of each shipment that was started and has not ended; only these are kept.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;
use indicatif::ProgressBar;
use serde::Deserialize;
use tokio::time::Instant;

use crate::ids::{Expected, Id};
use crate::measure::{Causes, count, latencies, record};
use crate::series::{Second, Series};

const EXAMPLES: usize = 10;

/// Where a shipment stands, as the service says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Status {
    Running,
    Completed,
    Failed,
    Cancelled,
    NeedsAttention,
}

/// What became of the started shipments.
#[derive(Debug)]
pub(crate) struct Finishes {
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) cancelled: u64,
    pub(crate) needs_attention: u64,
    pub(crate) still_running: u64,
    /// Ended otherwise than the id says.
    pub(crate) unexpected: u64,
    /// Had ended when it was asked for at the end, which nobody had told.
    pub(crate) not_told: u64,
    /// Could not be asked for at the end, by cause.
    pub(crate) unknown: Causes,
    /// A few ids of shipments that did not end, or otherwise than they should.
    pub(crate) examples: Vec<Id>,
    /// Microseconds from the time a start was due until the shipment was told to have ended.
    pub(crate) time_to_finish: Histogram<u64>,
    pub(crate) last_told: Option<Instant>,
    /// The wait was given up after its bound.
    pub(crate) timed_out: bool,
}

impl Default for Finishes {
    fn default() -> Self {
        Self {
            completed: 0,
            failed: 0,
            cancelled: 0,
            needs_attention: 0,
            still_running: 0,
            unexpected: 0,
            not_told: 0,
            unknown: Causes::new(),
            examples: Vec::new(),
            time_to_finish: latencies(),
            last_told: None,
            timed_out: false,
        }
    }
}

/// All workers write to it, and whoever follows the endings.
#[derive(Debug)]
pub(crate) struct Board(Mutex<Known>);

#[derive(Debug)]
struct Known {
    pending: HashMap<Id, Pending>,
    finishes: Finishes,
    series: Series,
    /// How many have ended, for whoever looks on.
    ended: ProgressBar,
}

#[derive(Debug)]
struct Pending {
    intended: Instant,
    accepted: bool,
    /// The last that was told of it, and when. That may be before the answer to its start is here.
    told: Option<(Status, Instant)>,
}

impl Board {
    /// With what is to show how many have ended.
    pub(crate) fn begin(begin: Instant, ended: ProgressBar) -> Self {
        Self(Mutex::new(Known {
            ended,
            pending: HashMap::new(),
            finishes: Finishes::default(),
            series: Series::begin(begin),
        }))
    }

    /// The start of a shipment is about to be sent.
    pub(crate) fn sending(&self, id: Id, intended: Instant) {
        let pending = Pending {
            intended,
            accepted: false,
            told: None,
        };
        self.known().pending.insert(id, pending);
    }

    pub(crate) fn accepted(&self, id: Id, at: Instant, waits: bool) {
        let mut known = self.known();
        known.series.started(at);
        if !waits {
            known.pending.remove(&id);
        } else if let Some(pending) = known.pending.get_mut(&id) {
            pending.accepted = true;
        }
        known.settle(id);
    }

    pub(crate) fn refused(&self, id: Id) {
        self.known().pending.remove(&id);
    }

    /// It was told that a shipment has ended; of others than those started here, nothing is kept.
    pub(crate) fn told(&self, id: Id, status: Status, at: Instant) {
        let mut known = self.known();
        if let Some(pending) = known.pending.get_mut(&id) {
            pending.told = Some((status, at));
        }
        known.settle(id);
    }

    /// Whether nothing is waited for.
    pub(crate) fn is_empty(&self) -> bool {
        self.known().pending.is_empty()
    }

    /// Those that were accepted and have not ended for all that was told.
    pub(crate) fn unfinished(&self) -> Vec<Id> {
        let known = self.known();
        let accepted = known.pending.iter().filter(|(_, pending)| pending.accepted);
        let mut ids: Vec<_> = accepted.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    /// What was answered about one of them at the end.
    pub(crate) fn asked(&self, id: Id, answer: Result<Status, String>) {
        let mut known = self.known();
        known.pending.remove(&id);
        match answer {
            Err(cause) => count(&mut known.finishes.unknown, cause),
            Ok(Status::Running) => known.finishes.still_running += 1,
            Ok(status) => {
                known.finishes.not_told += 1;
                known.finish(id, status);
            }
        }
        known.example(id);
    }

    pub(crate) fn timed_out(&self) {
        self.known().finishes.timed_out = true;
    }

    /// What it has come to. It is to be taken once, at the end.
    pub(crate) fn results(&self) -> (Finishes, Vec<Second>) {
        let mut known = self.known();
        let finishes = std::mem::take(&mut known.finishes);
        (finishes, known.series.take_seconds())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Counts a shipment that was accepted and has ended, and keeps it no longer.
    fn settle(&mut self, id: Id) {
        let Some(pending) = self.pending.get(&id) else {
            return;
        };
        let (Some((status, at)), true) = (pending.told, pending.accepted) else {
            return;
        };
        // A failure that is to be followed by its completion is not the end.
        if status == Status::Failed && Expected::of(id) == Expected::CompletedAfterFailure {
            return;
        }
        let took = at.saturating_duration_since(pending.intended);
        self.pending.remove(&id);
        record(&mut self.finishes.time_to_finish, took);
        self.finishes.last_told = self.finishes.last_told.max(Some(at));
        self.series.finished(at, took);
        if !self.finish(id, status) {
            self.example(id);
        }
    }

    /// Counts an ending; whether it is the one that the id says.
    fn finish(&mut self, id: Id, status: Status) -> bool {
        self.ended.inc(1);
        let expected = Expected::of(id);
        let finishes = &mut self.finishes;
        let as_expected = match status {
            Status::Completed => {
                finishes.completed += 1;
                expected != Expected::Failed
            }
            Status::Failed => {
                finishes.failed += 1;
                expected == Expected::Failed
            }
            Status::Cancelled => {
                finishes.cancelled += 1;
                false
            }
            Status::NeedsAttention => {
                finishes.needs_attention += 1;
                false
            }
            Status::Running => {
                finishes.still_running += 1;
                false
            }
        };
        finishes.unexpected += u64::from(!as_expected);
        as_expected
    }

    fn example(&mut self, id: Id) {
        let examples = &mut self.finishes.examples;
        if examples.len() < EXAMPLES {
            examples.push(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn id(last: char) -> Id {
        Id::parse(&format!("AAAAAAAAAAA{last}")).unwrap()
    }

    impl Board {
        fn ended(&self) -> u64 {
            self.known().ended.position()
        }
    }

    /// A board on which these were accepted.
    fn board(ids: &[Id]) -> (Board, Instant) {
        let begin = Instant::now();
        let board = Board::begin(begin, ProgressBar::hidden());
        for id in ids {
            board.sending(*id, begin);
            board.accepted(*id, begin, true);
        }
        (board, begin + Duration::from_secs(1))
    }

    #[test]
    fn one_that_ends_before_its_acceptance_is_known_counts_once_it_is() {
        let begin = Instant::now();
        let board = Board::begin(begin, ProgressBar::hidden());
        board.sending(id('0'), begin);
        board.told(id('0'), Status::Completed, begin + Duration::from_secs(1));
        assert_eq!(board.ended(), 0);
        board.accepted(id('0'), begin + Duration::from_secs(2), true);
        assert!(board.is_empty());
        assert_eq!(board.ended(), 1);
        let (finishes, seconds) = board.results();
        assert_eq!((finishes.completed, finishes.unexpected), (1, 0));
        assert_eq!(finishes.time_to_finish.max() / 1_000_000, 1);
        assert_eq!((seconds[1].finished, seconds[2].started), (1, 1));
    }

    #[test]
    fn one_that_was_refused_is_not_waited_for_and_does_not_count() {
        let (board, now) = board(&[]);
        board.sending(id('0'), now);
        board.refused(id('0'));
        assert!(board.is_empty());
        board.told(id('0'), Status::Completed, now);
        assert_eq!(board.ended(), 0);
        assert_eq!(board.results().0.completed, 0);
    }

    #[test]
    fn a_failure_that_is_to_be_completed_is_not_the_end() {
        let (board, now) = board(&[id('3')]);
        board.told(id('3'), Status::Failed, now);
        assert_eq!(board.ended(), 0);
        assert_eq!(board.unfinished(), [id('3')]);
        board.told(id('3'), Status::Completed, now);
        // Told again.
        board.told(id('3'), Status::Completed, now);
        assert_eq!(board.ended(), 1);
        let finishes = board.results().0;
        assert_eq!((finishes.completed, finishes.failed), (1, 0));
    }

    #[test]
    fn whoever_ends_otherwise_than_the_id_says_is_a_fault_and_an_example() {
        let (board, now) = board(&[id('0'), id('1'), id('A')]);
        board.told(id('0'), Status::Failed, now);
        board.told(id('1'), Status::Completed, now);
        board.told(id('A'), Status::NeedsAttention, now);
        let finishes = board.results().0;
        assert_eq!(finishes.unexpected, 3);
        assert_eq!(finishes.examples, [id('0'), id('1'), id('A')]);
    }

    #[test]
    fn what_was_not_told_is_as_the_answer_says() {
        let ids = [id('0'), id('3'), id('4'), id('5')];
        let (board, now) = board(&ids);
        board.told(id('3'), Status::Failed, now);
        assert_eq!(board.unfinished(), ids);
        board.asked(id('0'), Ok(Status::Running));
        board.asked(id('3'), Ok(Status::Failed));
        board.asked(id('4'), Err("timed out".to_owned()));
        board.asked(id('5'), Ok(Status::Completed));
        assert!(board.is_empty());
        assert_eq!(board.ended(), 2);
        let finishes = board.results().0;
        assert_eq!((finishes.still_running, finishes.not_told), (1, 2));
        assert_eq!((finishes.failed, finishes.unexpected), (1, 1));
        assert_eq!(finishes.unknown["timed out"], 1);
    }
}
