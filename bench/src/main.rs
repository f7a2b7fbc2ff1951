//! Measures the suite, and in the same run, on the same servers, the *floor*: the least that the same
//! inserts and messages cost with the same durability. One table holds both against what they must come to.
//!
//! It is started by `cargo xtask bench`, which builds everything and brings the servers. It looks at the
//! services only from outside: what `load_test` measures, and at the end what stands in the database. Start
//! with [`scenario`] for what is measured, [`floor`] for the floor, and [`targets`] for what it must come to.
#![expect(
    clippy::print_stdout,
    reason = "a command-line tool speaks on standard output"
)]
#![allow(
    clippy::unwrap_used,
    reason = "what cannot be done here fails the run, as in a test"
)]

mod arguments;
mod drift;
mod floor;
mod growth;
mod load;
mod machine;
mod report;
mod run;
mod scenario;
mod site;
mod stored;
mod suite;
mod table;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::thread;

use clap::Parser;
use system_tests::group::Group;
use tokio_util::sync::CancellationToken;

use crate::arguments::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut group = match Group::begin("bench") {
        Ok(group) => group,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    if arguments.keep {
        group.keep();
    }
    let stop = CancellationToken::new();
    end_with_input(&stop);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // A panic is a failure of the run, like an error: it has been printed, and the rest is the same.
    let running = || runtime.block_on(run::run(&arguments, group.place(), &stop));
    let sound = match catch_unwind(AssertUnwindSafe(running)) {
        Ok(Ok(sound)) => sound,
        Ok(Err(error)) => {
            eprintln!("error: {error:#}");
            false
        }
        Err(_panic) => false,
    };
    if !sound {
        group.keep();
    }
    if !sound || arguments.keep {
        println!("logs: {}", group.folder().display());
    }
    if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Ends the run when whoever brought the servers is gone.
fn end_with_input(stop: &CancellationToken) {
    let stop = stop.clone();
    thread::spawn(move || {
        // An input that cannot be read has ended too.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        stop.cancel();
    });
}
