//! A step that waits for somebody's answer: until when it waits, and how often it asks again.
//!
//! A step has a name. While it waits, a deadline of that name is pending; between two attempts it is
//! one of the name with `/retry` behind. Both are stored names.

use jiff::SignedDuration;

use crate::{Backoff, Due, Effect};

/// What the name of a step's deadline ends with while the step waits to ask again.
const RETRY: &str = "/retry";

/// How long a step waits for an answer, and how often it asks again when none comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long an answer may take.
    pub timeout: SignedDuration,
    /// How often it is asked again, and after which pauses.
    pub retries: Backoff,
}

/// What the deadline of a step says when it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue<'a> {
    /// No answer came in time to the step of this name.
    Answer(&'a str),
    /// It is time to ask again for the step of this name.
    Retry(&'a str),
}

impl<'a> Overdue<'a> {
    /// What a deadline of this name says.
    #[must_use]
    pub fn of(deadline: &'a str) -> Self {
        match deadline.strip_suffix(RETRY) {
            Some(step) => Self::Retry(step),
            None => Self::Answer(deadline),
        }
    }
}

impl Patience {
    /// Asks, and waits for the answer.
    #[must_use]
    pub fn ask<C>(&self, step: &str, command: C) -> Vec<Effect<C>> {
        vec![
            Effect::Send(command),
            Effect::set_deadline(step, Due::After(self.timeout)),
        ]
    }

    /// Whether there is another attempt after this many have met with silence.
    #[must_use]
    pub fn allows_retry(&self, silent: u32) -> bool {
        self.retries.delay_before_retry(silent).is_some()
    }

    /// Waits to ask again, after this many attempts have met with silence.
    #[must_use]
    pub fn pause<C>(&self, step: &str, silent: u32) -> Vec<Effect<C>> {
        let delay = self.retries.delay_before_retry(silent);
        delay
            .map(|delay| Effect::set_deadline(format!("{step}{RETRY}"), Due::After(delay)))
            .into_iter()
            .collect()
    }

    /// The step is over, after this many attempts have met with silence.
    #[must_use]
    pub fn over<C>(step: &str, silent: u32) -> Vec<Effect<C>> {
        let mut effects = vec![Effect::clear_deadline(step)];
        if silent > 0 {
            effects.push(Effect::clear_deadline(format!("{step}{RETRY}")));
        }
        effects
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience() -> Patience {
        Patience {
            timeout: SignedDuration::from_secs(60),
            retries: Backoff {
                retries: 2,
                first: SignedDuration::from_secs(1),
                longest: SignedDuration::from_secs(60),
            },
        }
    }

    #[test]
    fn it_asks_again_after_longer_and_longer_pauses_and_then_no_more() {
        let pause = |silent| patience().pause::<()>("step", silent);
        let after = |seconds| {
            let delay = Due::After(SignedDuration::from_secs(seconds));
            vec![Effect::set_deadline("step/retry", delay)]
        };
        assert_eq!(pause(1), after(1));
        assert_eq!(pause(2), after(2));
        assert_eq!(pause(3), vec![]);
        assert!(patience().allows_retry(2) && !patience().allows_retry(3));
    }

    #[test]
    fn the_name_of_a_deadline_says_what_is_over() {
        assert_eq!(Overdue::of("step"), Overdue::Answer("step"));
        assert_eq!(Overdue::of("step/retry"), Overdue::Retry("step"));
    }

    #[test]
    fn a_step_that_is_over_leaves_no_deadline() {
        assert_eq!(Patience::over::<()>("step", 0).len(), 1);
        assert_eq!(
            Patience::over::<()>("step", 1),
            ["step", "step/retry"].map(Effect::clear_deadline)
        );
    }
}
