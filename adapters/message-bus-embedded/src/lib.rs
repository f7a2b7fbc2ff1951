//! A message bus without a broker: consumers follow the log itself.
