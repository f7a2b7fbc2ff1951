//! How far the run is, on stderr: bars where that is a terminal, a line now and then where it is not.

use std::io::{IsTerminal as _, stderr};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval_at};

use crate::arguments::Arguments;

/// The time between two lines.
const EVERY: Duration = Duration::from_secs(10);

/// How many are started, and how many have finished.
pub(crate) struct Progress {
    bars: MultiProgress,
    pub(crate) starts: ProgressBar,
    pub(crate) finishes: ProgressBar,
    begin: Instant,
    lines: Option<JoinHandle<()>>,
}

impl Progress {
    /// Shows both, or the starts alone if nobody waits for the finishes.
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let bars = MultiProgress::with_draw_target(match stderr().is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        });
        let starts = bars.add(bar("started", arguments.planned()));
        let finishes = match arguments.no_wait {
            true => ProgressBar::hidden(),
            false => bars.add(bar("finished", arguments.planned())),
        };
        let begin = Instant::now();
        let lines = bars.is_hidden().then(|| {
            let (starts, finishes) = (starts.clone(), finishes.clone());
            tokio::spawn(async move {
                let mut due = interval_at(begin, EVERY);
                loop {
                    due.tick().await;
                    eprintln!("{}", line(begin.elapsed(), &starts, &finishes));
                }
            })
        });
        Self {
            bars,
            starts,
            finishes,
            begin,
            lines,
        }
    }

    /// Takes the bars away, so that the report follows the prompt; or writes the last line.
    pub(crate) async fn clear(self) {
        if let Some(lines) = self.lines {
            lines.abort();
            // One that is being written comes before the last.
            lines.await.ok();
            let last = line(self.begin.elapsed(), &self.starts, &self.finishes);
            eprintln!("{last}");
        }
        self.starts.finish_and_clear();
        self.finishes.finish_and_clear();
        // The bars are decoration: a terminal that went away is no reason to lose the report.
        self.bars.clear().ok();
    }
}

fn line(elapsed: Duration, starts: &ProgressBar, finishes: &ProgressBar) -> String {
    let seconds = elapsed.as_secs();
    let planned = starts.length().unwrap_or_default();
    let (started, finished) = (starts.position(), finishes.position());
    format!("load_test: {seconds} s: {started} of {planned} started, {finished} finished")
}

fn bar(name: &'static str, planned: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:9} {wide_bar} {pos}/{len} {per_sec} {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(planned)
        .with_style(style)
        .with_message(name);
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}
