//! Whatever goes wrong at a port, a shipment reaches the end that its inputs say: it is ended at every
//! place where something is stored, published, acknowledged or saved, and resumed; its messages come
//! twice, late, or again after their acknowledgement was lost.
//!
//! In memory, timers are paused and jump to the next that is due: a run takes milliseconds. Deadlines are
//! over on every store when nothing else happens any more. Start with [`case`], which says what is run, and [`course`], which runs it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod case;
mod chains;
mod course;
mod cuts;
mod deliveries;
mod ground;
mod history;
mod operations;
mod runs;
