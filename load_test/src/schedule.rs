//! When each shipment is to be started: fixed in advance, at even intervals.

use std::time::Duration;

use crate::arguments::Arguments;

/// How many starts of one worker may be under way at once, where it does not wait for their answers.
const OPEN_LOOP: usize = 100;

/// The starts of all workers, who take turns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    workers: u32,
    total: u64,
    per_second: Option<f64>,
    /// How many starts of one worker may be under way at once.
    pub(crate) under_way: usize,
}

impl Schedule {
    pub(crate) fn of(arguments: &Arguments) -> Self {
        Self {
            workers: arguments.workers,
            total: arguments.planned(),
            per_second: arguments.scheduled_per_second(),
            under_way: match arguments.rate {
                Some(_) => OPEN_LOOP,
                None => 1,
            },
        }
    }

    /// The starts of one worker: how long after the beginning each is due, where that is fixed.
    pub(crate) fn of_worker(&self, worker: u32) -> impl Iterator<Item = Option<Duration>> + use<> {
        let per_second = self.per_second;
        (u64::from(worker)..self.total)
            .step_by(self.workers as usize)
            .map(move |nth| Some(Duration::from_secs_f64(nth as f64 / per_second?)))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn due(line: &str) -> Vec<Vec<Option<u128>>> {
        let arguments = Arguments::parse_from(line.split_whitespace());
        let schedule = Schedule::of(&arguments);
        let of_worker = |worker| {
            let due = schedule.of_worker(worker);
            due.map(|due| due.map(|due| due.as_millis())).collect()
        };
        (0..arguments.workers).map(of_worker).collect()
    }

    #[test]
    fn with_a_delay_the_schedules_of_the_workers_are_spread_evenly_over_it() {
        let due = due("load_test --workers 2 --shipments 3 --delay-ms 100");
        let at = |times: [u128; 3]| times.map(Some).to_vec();
        assert_eq!(due, [at([0, 100, 200]), at([50, 150, 250])]);
    }

    #[test]
    fn with_a_rate_the_workers_take_turns_and_a_duration_says_how_many_there_are() {
        let due = due("load_test --workers 3 --rate 8 --duration-s 1");
        let at = |times: &[u128]| times.iter().copied().map(Some).collect::<Vec<_>>();
        let expected = [at(&[0, 375, 750]), at(&[125, 500, 875]), at(&[250, 625])];
        assert_eq!(due, expected);
    }

    #[test]
    fn without_a_delay_nothing_is_due_at_any_time() {
        let due = due("load_test --workers 1 --shipments 2 --delay-ms 0");
        assert_eq!(due, [[None, None]]);
    }
}
