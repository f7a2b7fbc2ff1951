//! What happened, a line each.

use std::fmt::Write;

use jiff::Timestamp;

/// Written down only where someone wants to read it.
#[derive(Debug)]
pub(crate) struct Trace {
    text: Option<String>,
}

impl Trace {
    pub(crate) fn new(wanted: bool) -> Self {
        Self {
            text: wanted.then(String::new),
        }
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, step: u64, now: Timestamp, line: impl FnOnce() -> String) {
        if let Some(text) = &mut self.text {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "{step:>6}  {now:<27.6}  {}", line());
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.text.unwrap_or_default()
    }
}
