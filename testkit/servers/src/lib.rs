//! A database and a virtual host of its own for each test, on real servers.
//!
//! It never skips: a test that finds no server fails, and says how to start one. It knows nothing
//! of what is tested. Start with [`postgres::database`] and [`rabbitmq::virtual_host`].

pub mod postgres;
pub mod proxy;
pub mod rabbitmq;
