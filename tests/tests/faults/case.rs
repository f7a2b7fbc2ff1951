//! What is run: what a user asks and when, and what must have become of it.

use std::collections::BTreeMap;

use serde_json::Value;
use system_tests::examples;

/// A shipment, what its user does, and its end.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The shipment.
    pub(crate) id: String,
    /// The settings that differ from the usual ones.
    pub(crate) settings: Vec<(&'static str, &'static str)>,
    /// Whether carriers take longer to answer than its user to ask for something else.
    pub(crate) has_slow_carriers: bool,
    /// What its user asks for, in this order, each until it is answered.
    pub(crate) acts: Vec<Act>,
    /// The public events of each kind of its streams: the undisturbed course, and what else may be
    /// right where messages do not come in their order.
    pub(crate) streams: BTreeMap<&'static str, Vec<Vec<&'static str>>>,
    /// What the carriers' ledger holds: the keys of requests, and the events under them.
    pub(crate) ledger: Vec<(String, &'static str)>,
    /// The status of its process.
    pub(crate) status: &'static str,
    /// What it waits for in the end: kinds of streams, and names of deadlines.
    pub(crate) waits_for: Vec<(&'static str, &'static str)>,
    /// Whether its undisturbed course is among the golden transcripts.
    pub(crate) is_golden: bool,
}

/// A request to the HTTP API.
#[derive(Clone, Debug)]
pub(crate) struct Act {
    pub(crate) when: When,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    /// What it is answered with, also when it is sent again because nobody has answered.
    pub(crate) status: u16,
    /// Under which it is sent, so that sending it again asks for nothing more. A start needs none.
    pub(crate) idempotency_key: Option<String>,
}

/// When a user asks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    /// Without waiting.
    AtOnce,
    /// Once such an event stands in the stream of this kind.
    Stored(&'static str, &'static str),
}

impl Case {
    /// An example of the specification: the demonstration of its id.
    pub(crate) fn example(id: &str) -> Self {
        let shipment = examples::demonstration(id);
        let streams = ["Process", "Shipment", "Collection", "Carrier"];
        let waits_for = match examples::ending(id) {
            // Somebody may rebook it.
            examples::Ending::BookingFails => vec![("Process", "Rebooking")],
            examples::Ending::Success
            | examples::Ending::ManifestationFails
            | examples::Ending::BookedLate => vec![],
        };
        Self {
            id: id.to_owned(),
            settings: vec![],
            has_slow_carriers: false,
            acts: vec![Act::starting(format!("/{id}"), None)],
            streams: streams.map(|kind| (kind, shipment.streams(kind))).into(),
            ledger: ledger(id),
            status: shipment.status(),
            waits_for,
            is_golden: true,
        }
    }

    /// All of them.
    pub(crate) fn examples() -> Vec<Self> {
        examples::IDS.map(Self::example).to_vec()
    }

    /// An example with one leg, and one with two.
    pub(crate) fn one_of_each() -> [Self; 2] {
        ["12EEQ9CS9K10", "V74YCBYHC8A0"].map(Self::example)
    }
}

impl Act {
    /// Starts a shipment.
    pub(crate) fn starting(path: String, body: Option<Value>) -> Self {
        Self {
            when: When::AtOnce,
            method: "POST",
            path,
            body,
            status: 202,
            idempotency_key: None,
        }
    }
}

/// What the carriers must have been asked, and have answered, once each.
fn ledger(id: &str) -> Vec<(String, &'static str)> {
    let legs = examples::demonstration(id).legs;
    let mut asked = 0;
    let entries = examples::expected_stream(id, "Carrier").into_iter();
    let entries = entries.map(|event| {
        asked += usize::from(event == "CarrierRequestReceived");
        let key = match asked {
            position if position <= legs => format!("{id}/leg/{position}"),
            _ => format!("{id}/collection"),
        };
        (key, event)
    });
    entries.collect()
}
