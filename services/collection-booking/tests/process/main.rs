//! The decisions of collection-booking, one sentence a test.

mod booking;
mod cancellation;
mod fixtures;
mod guards;
