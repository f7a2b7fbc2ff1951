//! Manifests each leg with its carrier, and generates the documents.
