//! How far the run is, on the terminal.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::arguments::Arguments;

/// A bar for the starts and one for the finishes, on stderr; hidden when that is no terminal.
pub(crate) struct Progress {
    bars: MultiProgress,
    pub(crate) starts: ProgressBar,
    pub(crate) finishes: ProgressBar,
}

impl Progress {
    /// Shows both bars, or that of the starts alone if nobody waits for the finishes.
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let bars = MultiProgress::new();
        let starts = bars.add(bar("started", arguments.planned()));
        let finishes = if arguments.no_wait {
            ProgressBar::hidden()
        } else {
            bars.add(bar("finished", arguments.planned()))
        };
        Self {
            bars,
            starts,
            finishes,
        }
    }

    /// Takes the bars away, so that the report follows the prompt.
    pub(crate) fn clear(&self) {
        self.starts.finish_and_clear();
        self.finishes.finish_and_clear();
        // The bars are decoration: a terminal that went away is no reason to lose the report.
        self.bars.clear().ok();
    }
}

fn bar(name: &'static str, planned: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:9} {wide_bar} {pos}/{len} {per_sec} {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(planned)
        .with_style(style)
        .with_message(name);
    if !bar.is_hidden() {
        bar.enable_steady_tick(Duration::from_millis(500));
    }
    bar
}
