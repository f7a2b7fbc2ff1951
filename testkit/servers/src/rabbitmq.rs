//! A virtual host of its own for each test.
