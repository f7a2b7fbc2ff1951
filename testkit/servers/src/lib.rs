//! A database and a virtual host of its own for each test, on real servers; and TLS before them.
//!
//! It never skips: a test that finds no server fails, and says how to start one. It knows nothing
//! of what is tested. Start with [`postgres::database`] and [`rabbitmq::virtual_host`].

pub mod certificates;
pub mod postgres;
pub mod proxy;
pub mod rabbitmq;
pub mod tls;
