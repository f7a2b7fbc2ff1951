//! The eight example shipments of the specification, and what must become of them.

use crate::Shipment;

pub use crate::Ending;

/// The ids, domestic first.
pub const IDS: [&str; 8] = [
    "12EEQ9CS9K10",
    "12EEQ9CS9K11",
    "12EEQ9CS9K12",
    "12EEQ9CS9K13",
    "V74YCBYHC8A0",
    "V74YCBYHC8A1",
    "V74YCBYHC8A2",
    "V74YCBYHC8A3",
];

/// What the last character of an id says.
#[must_use]
pub fn ending(id: &str) -> Ending {
    Ending::of(id)
}

/// The status in which the process of an id must end.
#[must_use]
pub fn final_status(id: &str) -> &'static str {
    demonstration(id).status()
}

/// Whether the demonstration of an id has one leg.
#[must_use]
pub fn is_domestic(id: &str) -> bool {
    id.starts_with('1')
}

/// The demonstration of an id: a collection tomorrow.
#[must_use]
pub fn demonstration(id: &str) -> Shipment {
    Shipment {
        legs: if is_domestic(id) { 1 } else { 2 },
        ending: ending(id),
        in_time: true,
    }
}

/// The public events of the stream of one kind of the demonstration of an id, in the order of their
/// versions, once everything has ended.
#[must_use]
pub fn expected_stream(id: &str, kind: &str) -> Vec<&'static str> {
    demonstration(id).stream(kind)
}
