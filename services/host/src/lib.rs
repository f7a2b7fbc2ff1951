//! What every binary shares: settings, telemetry, the choice of adapters, the life cycle.
