//! Deciders, processes and how their decisions settle: pure, synchronous, no I/O.
