//! The course of a shipment: what an international one makes the suite store and send, step by step.
//!
//! It is the only thing that the floor knows. A test runs a shipment through the suite and holds what it
//! does against this table; and after each run the sizes are held against what the suite's database has.

use Service::{Carrier, Collection, Manifestation, Process};

/// A service of the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    Process,
    Manifestation,
    Collection,
    Carrier,
}

impl Service {
    pub(crate) const ALL: [Self; 4] = [
        Self::Process,
        Self::Manifestation,
        Self::Collection,
        Self::Carrier,
    ];

    /// Its name, as queues and routing keys have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Process => "shipment-process",
            Self::Manifestation => "manifestation",
            Self::Collection => "collection-booking",
            Self::Carrier => "carrier-stub",
        }
    }

    /// The kind of its streams.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Process => "Process",
            Self::Manifestation => "Shipment",
            Self::Collection => "Collection",
            Self::Carrier => "Carrier",
        }
    }
}

/// What a service does with one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) at: Service,
    /// What it stores; each is also told to other programs.
    pub(crate) entries: &'static [Entry],
    /// What follows from it.
    pub(crate) then: &'static [Next],
}

/// An entry of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) type_name: &'static str,
    /// Bytes of its data.
    pub(crate) data: usize,
    /// Bytes of its metadata.
    pub(crate) metadata: usize,
}

/// The step that follows, and how it is brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// By a message with so many bytes of data.
    Message { step: usize, data: usize },
    /// By a deadline of the same service, which is over at once: no message.
    Deadline { step: usize },
}

/// Bytes of a message's attributes beside its data: ids, names, times.
pub(crate) const ATTRIBUTES: usize = 480;

const fn e(type_name: &'static str, data: usize, metadata: usize) -> Entry {
    Entry {
        type_name,
        data,
        metadata,
    }
}

const fn to(step: usize, data: usize) -> Next {
    Next::Message { step, data }
}

const fn later(step: usize) -> Next {
    Next::Deadline { step }
}

const fn at(at: Service, entries: &'static [Entry], then: &'static [Next]) -> Step {
    Step { at, entries, then }
}

/// Step by step, from the request of a user to the end. Bytes of data and of metadata are to the nearest ten.
#[rustfmt::skip]
pub(crate) const COURSE: &[Step] = &[
    /*  0 */ at(Process, &[
        e("ShipmentProcessStarted", 360, 210),
        e("ManifestationAndDocumentsStarted", 2, 620),
        e("CustomsInvoiceGenerationStarted", 2, 700),
    ], &[to(1, 300), to(2, 300)]),
    /*  1 */ at(Manifestation, &[
        e("ShipmentInitialized", 300, 210),
    ], &[]),
    /*  2 */ at(Manifestation, &[
        e("CustomsInvoiceGenerated", 70, 210),
    ], &[to(3, 70)]),
    /*  3 */ at(Process, &[
        e("CustomsInvoiceGenerationCompleted", 70, 260),
        e("ShipmentManifestationStarted", 2, 690),
    ], &[to(4, 300)]),
    /*  4 */ at(Manifestation, &[
        e("ShipmentLegManifestationStarted", 10, 620),
    ], &[to(5, 220)]),
    /*  5 */ at(Carrier, &[
        e("CarrierRequestReceived", 190, 270),
    ], &[later(6)]),
    /*  6 */ at(Carrier, &[
        e("LegManifestedByCarrier", 100, 240),
    ], &[to(7, 100)]),
    /*  7 */ at(Manifestation, &[
        e("ShipmentLegManifested", 70, 260),
        e("ShipmentLegManifestationStarted", 10, 620),
    ], &[to(8, 220)]),
    /*  8 */ at(Carrier, &[
        e("CarrierRequestReceived", 190, 270),
    ], &[later(9)]),
    /*  9 */ at(Carrier, &[
        e("LegManifestedByCarrier", 100, 240),
    ], &[to(10, 100)]),
    /* 10 */ at(Manifestation, &[
        e("ShipmentLegManifested", 70, 260),
        e("ShipmentManifested", 430, 210),
    ], &[to(11, 430)]),
    /* 11 */ at(Process, &[
        e("ShipmentManifestationCompleted", 430, 250),
        e("ShipmentLabelsGenerationStarted", 2, 860),
    ], &[to(12, 460)]),
    /* 12 */ at(Manifestation, &[
        e("ShipmentLabelsGenerated", 60, 210),
    ], &[to(13, 60)]),
    /* 13 */ at(Process, &[
        e("ShipmentLabelsGenerationCompleted", 60, 260),
        e("ReceiptGenerationStarted", 2, 850),
    ], &[to(14, 460)]),
    /* 14 */ at(Manifestation, &[
        e("ShipmentReceiptGenerated", 70, 210),
    ], &[to(15, 70)]),
    /* 15 */ at(Process, &[
        e("ReceiptGenerationCompleted", 70, 250),
        e("CombinedDocumentGenerationStarted", 2, 860),
    ], &[to(16, 460)]),
    /* 16 */ at(Manifestation, &[
        e("ShipmentCombinedDocumentGenerated", 80, 210),
    ], &[to(17, 80)]),
    /* 17 */ at(Process, &[
        e("CombinedDocumentGenerationCompleted", 80, 260),
        e("ManifestationAndDocumentsCompleted", 2, 210),
        e("CollectionBookingStarted", 2, 700),
    ], &[to(18, 300)]),
    /* 18 */ at(Collection, &[
        e("CollectionBookingInitialized", 300, 210),
        e("CollectionBookingScheduled", 30, 210),
        e("CollectionBookingWithCarrierStarted", 2, 690),
    ], &[to(19, 240)]),
    /* 19 */ at(Carrier, &[
        e("CarrierRequestReceived", 190, 280),
    ], &[later(20)]),
    /* 20 */ at(Carrier, &[
        e("CollectionBookedByCarrier", 100, 250),
    ], &[to(21, 100)]),
    /* 21 */ at(Collection, &[
        e("CollectionBooked", 60, 270),
    ], &[to(22, 60)]),
    /* 22 */ at(Process, &[
        e("CollectionBookingCompleted", 60, 250),
        e("ShipmentProcessCompletionChecked", 2, 210),
        e("ShipmentProcessCompleted", 2, 210),
    ], &[]),
];

/// The step with which a shipment ends.
pub(crate) const LAST: usize = COURSE.len() - 1;

/// What a shipment comes to at one service.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Total {
    pub(crate) entries: usize,
    /// Bytes of data and metadata.
    pub(crate) bytes: usize,
    /// Messages to other services.
    pub(crate) messages: usize,
}

/// What a shipment comes to at a service.
pub(crate) fn total(service: Service) -> Total {
    let mut total = Total::default();
    for step in COURSE.iter().filter(|step| step.at == service) {
        total.entries += step.entries.len();
        total.bytes += step
            .entries
            .iter()
            .map(|entry| entry.data + entry.metadata)
            .sum::<usize>();
        let is_message = |next: &&Next| matches!(next, Next::Message { .. });
        total.messages += step.then.iter().filter(is_message).count();
    }
    total
}

/// The version that the first entry of a step has in its stream.
pub(crate) fn first_version(step: usize) -> usize {
    let before = COURSE[..step].iter();
    let of_stream = before.filter(|other| other.at == COURSE[step].at);
    1 + of_stream.map(|other| other.entries.len()).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_those_of_the_specification() {
        let entries = Service::ALL.map(|service| total(service).entries);
        assert_eq!(entries, [17, 10, 4, 6]);
        let messages = Service::ALL.map(|service| total(service).messages);
        assert_eq!(messages, [7, 7, 2, 3]);
        assert_eq!(first_version(0), 1);
        assert_eq!(first_version(LAST), 15);
    }

    #[test]
    fn every_step_but_the_first_follows_from_one_before_it() {
        let mut following: Vec<usize> = Vec::new();
        for (nth, step) in COURSE.iter().enumerate() {
            for next in step.then {
                let (Next::Message { step: next, .. } | Next::Deadline { step: next }) = *next;
                assert!(next > nth);
                following.push(next);
            }
        }
        following.sort_unstable();
        assert_eq!(following, (1..COURSE.len()).collect::<Vec<_>>());
    }
}
