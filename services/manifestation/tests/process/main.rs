//! The decisions of manifestation, one sentence a test.

mod cancellation;
mod fixtures;
mod guards;
mod steps;
