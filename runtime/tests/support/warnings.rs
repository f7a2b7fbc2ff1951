//! What is logged at the level of warnings and above.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tracing::instrument::WithSubscriber;
use tracing_subscriber::filter::LevelFilter;

#[derive(Clone, Default)]
pub struct Warnings(Arc<Mutex<Vec<u8>>>);

impl Warnings {
    /// Keeps what is logged by this.
    pub async fn while_it_runs<F: Future>(&self, future: F) -> F::Output {
        let lines = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(LevelFilter::WARN)
            .with_writer(move || lines.clone())
            .finish();
        future.with_subscriber(subscriber).await
    }

    /// The lines so far.
    pub fn told(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Warnings {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
