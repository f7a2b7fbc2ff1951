//! What tests share: given/when/then, clocks, servers.
