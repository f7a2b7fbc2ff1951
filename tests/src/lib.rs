//! Tests of the whole: architecture, end to end, crash and resume.
