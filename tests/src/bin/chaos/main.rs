//! Runs the services, two instances of each, starts shipments all the time, injures services and
//! servers at random, and checks at the end that everything is as it must be.
//!
//! It is started by `cargo xtask chaos`, which brings the servers and says how to kill and start them.
//! It never looks into the services: what it knows is what they answer, and what stands in the log.
//! Start with [`plan`] for the injuries, [`field`] for how they are inflicted, and [`check`].
#![expect(
    clippy::print_stdout,
    reason = "a command-line tool speaks on standard output"
)]
#![allow(
    clippy::unwrap_used,
    reason = "what cannot be done here fails the run, as in a test"
)]

mod arguments;
mod check;
mod field;
mod load;
mod log;
mod plan;
mod report;
mod run;
mod servers;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser;
use system_tests::group::Group;

use crate::arguments::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let seed = arguments.seed.unwrap_or_else(rand::random);
    println!("chaos: seed {seed}");
    let mut group = match Group::begin("chaos") {
        Ok(group) => group,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    if arguments.keep {
        group.keep();
    }
    std::thread::spawn(end_with_input);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // A panic is a failure of the run, like an error: it has been printed, and the rest is the same.
    let running = || runtime.block_on(run::run(arguments.clone(), seed, group.place()));
    let held = match catch_unwind(AssertUnwindSafe(running)) {
        Ok(Ok(held)) => held,
        Ok(Err(error)) => {
            eprintln!("error: {error:#}");
            false
        }
        Err(_panic) => false,
    };
    if !held {
        group.keep();
        println!("chaos FAILED: repeat it with --seed {seed}");
    }
    if !held || arguments.keep {
        println!("logs of the services: {}", group.folder().display());
    }
    if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Ends this program when whoever brought the servers is gone, and with it the services.
fn end_with_input() {
    // An input that cannot be read has ended too.
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    std::process::exit(1);
}
