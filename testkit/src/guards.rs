//! The guards of a process as a table that people can read: what each trigger leads to in each state.

use std::fmt::{Debug, Write};
use std::fs;
use std::path::Path;

use contracts::MessageSet;
use kernel::Process;

use crate::given;

/// The whole table of a process, as Markdown: for each of these states, what each input and each deadline
/// leads to.
///
/// # Panics
/// Unless there are inputs of each type, in the order of their declaration. Where there are several of one,
/// the table says what is in them.
pub fn guards<P>(
    title: &str,
    process: impl Fn() -> P,
    states: &[(&str, Vec<P::Event>)],
    inputs: &[P::Input],
    deadlines: &[&str],
) -> String
where
    P: Process,
    P::State: 'static,
    P::Event: MessageSet + Clone + Debug + PartialEq,
    P::Command: Clone + Debug + PartialEq,
    P::Input: MessageSet + Clone,
{
    let mut names: Vec<_> = inputs.iter().map(MessageSet::type_name).collect();
    names.dedup();
    assert_eq!(names, P::Input::NAMES, "inputs of each type, in order");
    let mut text = format!(
        "# What {title} makes of each trigger\n\nMade from the process itself, and held against it by its tests. \
         `→` leads to these events; `repeated` and `late` are passed over; `notApplicable` is refused. Whatever is \
         not decided is recorded with its reason.\n"
    );
    for (state, history) in states {
        let _ = write!(text, "\n## {state}\n\n| trigger | |\n|---|---|\n");
        for input in inputs {
            let then = given(process(), history.clone()).when(input.clone());
            let _ = writeln!(
                text,
                "| `{}` | {} |",
                trigger(input, inputs),
                then.in_words()
            );
        }
        for deadline in deadlines {
            let then = given(process(), history.clone()).when_deadline_passes(deadline);
            let _ = writeln!(text, "| deadline `{deadline}` | {} |", then.in_words());
        }
    }
    text
}

fn trigger<I: MessageSet>(input: &I, inputs: &[I]) -> String {
    let name = input.type_name();
    let of_this_type = inputs.iter().filter(|other| other.type_name() == name);
    match input.encode() {
        Ok(data) if of_this_type.count() > 1 => format!("{name} {data}"),
        Ok(_) | Err(_) => name.to_owned(),
    }
}

/// Holds a table against the file that people read; with `LONGHAUL_TEST_UPDATE_GOLDEN` set, writes it anew.
///
/// # Panics
/// When the file says something else.
pub fn hold_against(file: impl AsRef<Path>, table: &str) {
    let file = file.as_ref();
    if std::env::var_os("LONGHAUL_TEST_UPDATE_GOLDEN").is_some() {
        fs::write(file, table).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
    let written = fs::read_to_string(file).unwrap_or_default();
    assert!(
        written == table,
        "{} is not what the process does: write it anew with LONGHAUL_TEST_UPDATE_GOLDEN=1, and read the difference",
        file.display()
    );
}
