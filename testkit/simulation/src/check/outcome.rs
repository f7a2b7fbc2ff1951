//! What became of each shipment: what its id, its body and what people asked for say; and nothing is left
//! with carriers that nobody knows of.

use std::collections::{BTreeSet, HashMap};

use contracts::MessageId;
use contracts::process::{
    CollectionBookingCompleted, ShipmentManifestationCompleted, ShipmentProcessStarted,
};
use event_store::Entry;
use jiff::tz::TimeZoneDatabase;
use jiff::{Span, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::Value;
use specification::{Ending, STEPS, Shipment, Status};

use super::carriers::Books;
use super::{Found, History, deadline_input};
use crate::users::Users;
use crate::weather::Weather;

pub(super) fn is_as_asked(
    history: &History<'_>,
    users: &Users,
    weather: &Weather,
    found: &mut Found,
) {
    let requests = users.requests.iter();
    let ids: BTreeSet<&str> = requests.map(|request| request.shipment.as_str()).collect();
    for (kind, streams) in &history.kinds {
        for instance in streams.keys().filter(|id| !ids.contains(**id)) {
            let what = format!("nobody asked for {instance}-{kind}");
            found.broken.push(what);
        }
    }
    for id in ids {
        let timed_out = timed_out(history, id);
        found.timeouts += timed_out.len() as u64;
        // Where everyone is patient, nothing may time out.
        if weather.patient && !timed_out.is_empty() {
            let what = format!("{id}: everyone is patient, but {timed_out:?}");
            found.broken.push(what);
        }
        let Some(started) = started(history, users, id, &mut found.broken) else {
            continue;
        };
        match has_ended(history, id, &mut found.broken) {
            Status::Settled => found.settled += 1,
            Status::NeedsAttention if weather.settles => {
                let what = format!("{id} needs attention, and somebody has given it");
                found.broken.push(what);
            }
            Status::Running
            | Status::Completed
            | Status::CompletedWithoutNewDocuments
            | Status::Failed
            | Status::Cancelled
            | Status::NeedsAttention => {}
        }
        let undisturbed = timed_out.is_empty() && asked_only_to_start(users, id);
        if let (true, Some(shipment)) = (undisturbed, foreseen(history, id, &started)) {
            ended_as_foreseen(history, id, shipment, &mut found.broken);
        }
    }
}

/// What was started is one of the things that were asked for, and every other start was refused.
fn started(
    history: &History<'_>,
    users: &Users,
    id: &str,
    broken: &mut Vec<String>,
) -> Option<ShipmentProcessStarted> {
    let stream = history.stream("Process", id);
    let is_start = |entry: &&&Entry| entry.content.type_name == "ShipmentProcessStarted";
    let first = stream.iter().find(is_start);
    let started: Option<ShipmentProcessStarted> =
        first.and_then(|entry| serde_json::from_str(entry.content.data.get()).ok());
    let (Some(first), Some(started)) = (first, started) else {
        broken.push(format!("{id} was never started"));
        return None;
    };
    let input = first.content.metadata.input_id;
    let of_this = |request: &&crate::users::Request| request.shipment.as_str() == id;
    for request in users.requests.iter().filter(of_this) {
        let Some(asked) = &request.starts else {
            continue;
        };
        if request.message.id == input {
            let same = asked.legs == started.legs
                && asked.collection_date == started.collection_date
                && asked.time_zone == started.time_zone;
            if !same {
                broken.push(format!("{id} was not started as it was asked for"));
            }
        } else if !is_refused(stream, request.message.id) {
            broken.push(format!("{id}: a second start was not refused"));
        }
    }
    Some(started)
}

fn asked_only_to_start(users: &Users, id: &str) -> bool {
    let mut requests = users.requests.iter();
    requests.all(|request| request.shipment.as_str() != id || request.starts.is_some())
}

fn is_refused(stream: &[&Entry], input: MessageId) -> bool {
    let of_input = |entry: &&&Entry| entry.content.metadata.input_id == input;
    let mut entries = stream.iter().filter(of_input);
    entries.all(|entry| ["TriggerIgnored", "InputParked"].contains(&&*entry.content.type_name))
}

/// Deadlines that are over when all goes well: the time to book, and that until which a failed booking
/// can be mended.
const NO_TIMEOUT: [(&str, &str); 2] = [
    ("Collection", "CollectionBooking"),
    ("Process", "Rebooking"),
];

/// The steps of a shipment whose deadline passed without an answer, by the kind of stream.
fn timed_out(history: &History<'_>, id: &str) -> Vec<(&'static str, String)> {
    let mut timed_out = Vec::new();
    for kind in ["Process", "Shipment", "Collection"] {
        let mut deadlines: HashMap<MessageId, &String> = HashMap::new();
        for entry in history.stream(kind, id) {
            let metadata = &entry.content.metadata;
            if entry.content.type_name != "TriggerIgnored"
                && let Some(name) = deadlines.remove(&metadata.input_id)
                && !NO_TIMEOUT.contains(&(kind, name.as_str()))
                && name != kernel::PARKED_INPUT_RETRY
            {
                timed_out.push((kind, name.clone()));
            }
            for name in metadata.deadlines_set.keys() {
                deadlines.insert(deadline_input(entry.content.id, name), name);
            }
        }
    }
    timed_out
}

/// Nothing is under way any more; what stands with carriers is what the process says, and nothing else.
fn has_ended(history: &History<'_>, id: &str, broken: &mut Vec<String>) -> Status {
    let process = history.public("Process", id);
    let books = Books::of(history, id, &mut Vec::new());
    let (legs, collections) = books.standing();
    let status = Status::of(&process);
    let holds = match status {
        Status::Running => false,
        Status::Completed | Status::CompletedWithoutNewDocuments => {
            (legs.clone(), collections.clone()) == known_numbers(history, id)
        }
        Status::Failed | Status::Cancelled => legs.is_empty() && collections.is_empty(),
        // A person has to see to it, or has: some carrier has not said that nothing is left.
        Status::NeedsAttention | Status::Settled => is_told(history, id, &legs, &collections),
    };
    if !holds {
        broken.push(format!(
            "{id} is {status:?}, and with carriers stand the legs {legs:?} and the collections \
             {collections:?}: {process:?}"
        ));
    }
    for entry in history.stream("Process", id) {
        if entry.content.type_name == "ShipmentProcessFailed" {
            let data = data(entry);
            let failure = data["failure"].as_str().unwrap_or_default();
            if !STEPS.iter().any(|step| failure.starts_with(step)) {
                broken.push(format!("{id} failed, and no step is named: {data}"));
            }
        }
    }
    status
}

/// What stands with carriers is named as what could not be undone.
fn is_told(history: &History<'_>, id: &str, legs: &[String], collections: &[String]) -> bool {
    let mut entries = history.stream("Process", id).iter().rev();
    let last = entries.find(|e| e.content.type_name == "ShipmentProcessCompensationFailed");
    let told = last.map(|entry| data(entry)["failure"].to_string());
    let names = |step: &str| told.as_ref().is_some_and(|told| told.contains(step));
    let process = history.public("Process", id);
    let last = |name: &str| process.iter().rposition(|event| *event == name);
    // The legs stand as long as the collection is only to be booked anew.
    let rebooks = last("CollectionRebookingRequested") > last("ShipmentProcessCompensationStarted");
    (collections.is_empty() || names("CollectionBookingCancellation"))
        && (legs.is_empty() || rebooks || names("ShipmentManifestationCancellation"))
}

/// The numbers of legs and collection as the process knows them.
fn known_numbers(history: &History<'_>, id: &str) -> (Vec<String>, Vec<String>) {
    fn last<T: DeserializeOwned>(stream: &[&Entry], name: &str) -> Option<T> {
        let mut entries = stream.iter().rev();
        let entry = entries.find(|entry| entry.content.type_name == name)?;
        serde_json::from_str(entry.content.data.get()).ok()
    }
    let stream = history.stream("Process", id);
    let manifested: Option<ShipmentManifestationCompleted> =
        last(stream, "ShipmentManifestationCompleted");
    let booked: Option<CollectionBookingCompleted> = last(stream, "CollectionBookingCompleted");
    let legs = manifested.map_or(vec![], |done| done.manifested_legs);
    (
        legs.into_iter().map(|leg| leg.tracking_number).collect(),
        booked
            .into_iter()
            .map(|done| done.booking_reference)
            .collect(),
    )
}

/// What the specification says becomes of a shipment, where it hangs on nothing that chance decides.
fn foreseen(history: &History<'_>, id: &str, started: &ShipmentProcessStarted) -> Option<Shipment> {
    let special = |leg: &contracts::shipment::Leg| leg.carrier_id.as_u128() > u128::from(u64::MAX);
    let shipment = Shipment {
        legs: started.legs.len(),
        ending: Ending::of(id),
        in_time: can_be_booked(history, id, started),
    };
    // A late booking comes before the collection is cancelled, or behind.
    let hangs_on_chance = shipment.ending == Ending::BookedLate && shipment.in_time;
    (!hangs_on_chance && !started.legs.iter().any(special)).then_some(shipment)
}

fn ended_as_foreseen(
    history: &History<'_>,
    id: &str,
    shipment: Shipment,
    broken: &mut Vec<String>,
) {
    for kind in ["Process", "Shipment", "Collection", "Carrier"] {
        let (found, expected) = (history.public(kind, id), shipment.last_stream(kind));
        if found != expected {
            broken.push(format!(
                "{id}-{kind} ({shipment:?}): {found:?} where {expected:?} should be"
            ));
        }
    }
}

/// Whether the collection could be booked on the day asked for, at the time when it was to be scheduled.
fn can_be_booked(history: &History<'_>, id: &str, started: &ShipmentProcessStarted) -> bool {
    let mut entries = history.stream("Collection", id).iter();
    let first = entries.find(|e| e.content.type_name == "CollectionBookingInitialized");
    first.is_none_or(|scheduled| day_can_be_booked(started, scheduled.content.recorded_at))
}

fn day_can_be_booked(started: &ShipmentProcessStarted, at: Timestamp) -> bool {
    let Ok(zone) = TimeZoneDatabase::bundled().get(&started.time_zone) else {
        return false;
    };
    let today = at.to_zoned(zone).date();
    let last = today.saturating_add(Span::new().days(7));
    (today..=last).contains(&started.collection_date)
}

fn data(entry: &Entry) -> Value {
    serde_json::from_str(entry.content.data.get()).unwrap_or_default()
}
