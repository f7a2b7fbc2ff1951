//! Stands for the carriers' systems.
