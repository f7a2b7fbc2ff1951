//! How far it is, on stderr: in one place where that is a terminal, a line now and then where it is not.

use std::time::Duration;

use indicatif::ProgressBar;
use tokio::time::Instant;

/// The time between two lines.
const EVERY: Duration = Duration::from_secs(10);

pub(crate) struct Progress {
    bar: ProgressBar,
    told: Instant,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(500));
        Self {
            bar,
            told: Instant::now(),
        }
    }

    #[expect(clippy::print_stderr, reason = "this is what it is for")]
    pub(crate) fn tell(&mut self, how_far: impl FnOnce() -> String) {
        if !self.bar.is_hidden() {
            self.bar.set_message(how_far());
        } else if self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            eprintln!("longhaul: {}", how_far());
        }
    }

    /// Takes it away, so that what is said in the end follows the prompt.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
