//! The shell around the kernel, over ports only: handler, relay, deadlines, consumer.
