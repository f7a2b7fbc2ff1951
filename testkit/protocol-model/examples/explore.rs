//! Checks the protocol within bounds that are given, and says how much there was to check.
//!
//! `cargo run --release -p protocol-model --example explore -- inputs=3 streams=2 crashes=1`
#![expect(clippy::print_stdout, reason = "a program for the command line")]

use std::time::Instant;

use protocol_model::{Bounds, Protocol, ProtocolModel};
use stateright::{Checker, HasDiscoveries, Model};

const USAGE: &str = "give any of inputs=2 streams=1 crashes=1 duplicates=1 unknowns=1 holds=0 threads=2 protocol=Real";

fn main() -> Result<(), String> {
    let (mut inputs, mut streams, mut threads) = (2, 1, 2);
    let (mut crashes, mut duplicates, mut unknowns, mut holds) = (1, 1, 1, 0);
    let mut protocol = Protocol::Real;
    for argument in std::env::args().skip(1) {
        let (name, value) = argument.split_once('=').ok_or(USAGE)?;
        let number = || {
            value
                .parse::<u8>()
                .map_err(|error| format!("{argument}: {error}"))
        };
        match name {
            "inputs" => inputs = number()?,
            "streams" => streams = number()?,
            "crashes" => crashes = number()?,
            "duplicates" => duplicates = number()?,
            "unknowns" => unknowns = number()?,
            "holds" => holds = number()?,
            "threads" => threads = number()?,
            "protocol" => protocol = value.parse()?,
            _ => return Err(USAGE.to_owned()),
        }
    }
    let bounds = Bounds::new(inputs, streams)
        .crashes(crashes)
        .duplicates(duplicates)
        .unknowns(unknowns)
        .holds(holds);
    println!("{protocol:?}, {bounds:?}");

    let started = Instant::now();
    let model = ProtocolModel { protocol, bounds };
    let checker = model
        .clone()
        .checker()
        .threads(usize::from(threads))
        .symmetry()
        .spawn_dfs()
        .join();
    println!(
        "{} states by {} steps, at most {} deep, in {:.1?}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        started.elapsed(),
    );
    for property in checker.model().properties() {
        let name = property.name;
        let found = checker.discovery(name).is_some();
        match (property.expectation.discovery_is_failure(), found) {
            (true, false) => println!("holds:       {name}"),
            (true, true) => println!("BROKEN:      {name}\n{}", story(&model, name)),
            (false, true) => println!("comes about: {name}"),
            (false, false) => println!("NEVER:       {name}"),
        }
    }
    Ok(())
}

/// A short way to break a property, a step a line.
fn story(model: &ProtocolModel, name: &'static str) -> String {
    let until = HasDiscoveries::AnyOf([name].into());
    let checker = model.clone().checker().finish_when(until).spawn_bfs();
    let found = checker.join().discovery(name);
    let actions = found.map_or_else(Vec::new, |path| path.into_actions());
    let lines = actions.iter().map(|action| format!("    {action:?}"));
    lines.collect::<Vec<_>>().join("\n")
}
