//! In whatever order, however often and however late its inputs come, a process comes to the same end: each
//! process by itself, and the suite as a whole. What does not hold is made as short as it can be.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Debug;
use std::sync::LazyLock;

use contracts::{MessageId, MessageSet, ServiceName, shipment_suite};
use event_store::{Entry, Visibility, outgoing};
use jiff::{SignedDuration, Timestamp};
use kernel::{Arrival, Backoff, Content, Instance, NewRecord, Outcome, Record, Registry};
use proptest::collection::vec;
use proptest::prelude::*;
use runtime::Runnable;
use serde_json::value::RawValue;
use simulation::{Bounds, Calm, Chance, calm, simulate};
use specification::{Ending, histories};

/// A finished run, out of which the inputs are taken.
static CALM: LazyLock<Calm> = LazyLock::new(|| calm(1, 40).unwrap());

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// A number below `bound`; smaller for a smaller choice.
fn below(choice: u16, bound: usize) -> usize {
    usize::from(choice) * bound / (usize::from(u16::MAX) + 1)
}

/// An input as it came in the finished run.
struct Input<'a> {
    id: MessageId,
    name: &'a str,
    /// The name of the deadline, when it says that one is over; else what the message says.
    what: Result<String, &'a RawValue>,
    /// When it was handled.
    at: Timestamp,
    /// The entry of the same stream without which it would not have been sent.
    needs: Option<&'a Entry>,
}

/// What each id says: the entry that it left with, its name and content.
type Said<'a> = HashMap<MessageId, (&'a Entry, &'a str, Result<String, &'a RawValue>)>;

static SAID: LazyLock<Said<'static>> = LazyLock::new(|| {
    let mut said = HashMap::new();
    for entry in CALM.logs.values().flatten() {
        let content = &entry.content;
        said.insert(content.id, (entry, &*content.type_name, Ok(&*content.data)));
        for command in &content.metadata.commands {
            said.insert(command.id, (entry, &*command.type_name, Ok(&*command.data)));
        }
        for name in content.metadata.deadlines_set.keys() {
            let id = MessageId::derive(&[&content.id.to_string(), "deadline", name]);
            said.insert(id, (entry, "DeadlinePassed", Err(name.clone())));
        }
    }
    let swap = |(entry, name, what): (_, _, Result<_, String>)| match what {
        Ok(data) => (entry, name, Err(data)),
        Err(deadline) => (entry, name, Ok(deadline)),
    };
    said.into_iter()
        .map(|(id, said)| (id, swap(said)))
        .collect()
});

/// The inputs of each instance of a kind, in the order in which they were handled.
fn inputs(kind: &str) -> BTreeMap<&'static str, Vec<Input<'static>>> {
    let calm = &*CALM;
    let mut all: BTreeMap<&str, Vec<Input<'_>>> = BTreeMap::new();
    for entry in &calm.logs[kind] {
        let id = entry.content.metadata.input_id;
        let inputs = all.entry(entry.stream.instance()).or_default();
        if inputs.last().is_some_and(|input| input.id == id) {
            continue;
        }
        let (name, what) = match SAID.get(&id) {
            Some((_, name, what)) => (*name, what.clone()),
            None => {
                let asked = calm.requests.iter().find(|asked| asked.id == id).unwrap();
                (&*asked.type_name, Err(&*asked.data))
            }
        };
        let mut needs = SAID.get(&id).map(|(from, ..)| *from);
        while let Some(from) = needs
            && from.stream != entry.stream
        {
            needs = SAID
                .get(&from.content.metadata.input_id)
                .map(|(from, ..)| *from);
        }
        inputs.push(Input {
            id,
            name,
            what,
            at: entry.content.recorded_at,
            needs,
        });
    }
    all
}

/// An instance under test, and what its stream would hold.
struct Live<'a, P: Runnable> {
    registry: &'a Registry<P>,
    instance: Instance<P::State>,
    records: Vec<NewRecord<P::Event, P::Command>>,
    decided: HashSet<(String, String)>,
}

impl<P: Runnable> Live<'_, P>
where
    P::State: PartialEq + Debug,
{
    fn may_come(&self, input: &Input<'_>) -> bool {
        input.needs.is_none_or(|entry| {
            let content = &entry.content;
            let what = (content.type_name.clone(), content.data.get().to_owned());
            self.decided.contains(&what)
        })
    }

    fn take(&mut self, input: &Input<'_>, now: Timestamp) {
        let content = match &input.what {
            Ok(deadline) => Content::DeadlinePassed(deadline.clone()),
            Err(data) => Content::Input(P::Input::decode(input.name, data).unwrap()),
        };
        let arrival = Arrival {
            id: input.id.uuid(),
            name: input.name,
            content,
            whole: &|| panic!("nothing is parked here"),
            retries: Backoff::NONE,
        };
        let before = self.instance.clone();
        match self.registry.handle(&mut self.instance, arrival, now) {
            Outcome::Duplicate => {
                assert!(before.has_recorded(input.id.uuid()));
                assert_eq!(self.instance, before, "a duplicate adds nothing");
            }
            Outcome::RetryDue => panic!("nothing is parked here"),
            outcome @ (Outcome::Decided(_) | Outcome::Refused(..) | Outcome::Parked(_)) => {
                assert!(!before.has_recorded(input.id.uuid()));
                for record in outcome.into_records() {
                    if let Record::Event(event) = &record.record {
                        let data = event.encode().unwrap().get().to_owned();
                        self.decided.insert((event.type_name().to_owned(), data));
                    }
                    self.records.push(record);
                }
            }
        }
    }

    fn public_events(&self) -> Vec<&'static str> {
        let public = self.records.iter().filter_map(|record| {
            let Record::Event(event) = &record.record else {
                return None;
            };
            let process = self.registry.process(record.category.as_ref()?)?;
            process.is_public(event).then(|| event.type_name())
        });
        public.collect()
    }

    fn replayed(&self) -> Instance<P::State> {
        let mut replayed = Instance::default();
        for record in &self.records {
            self.registry.apply(&mut replayed, record);
        }
        replayed
    }
}

/// Gives an instance its inputs as the choices say: which of those that may come comes next, or again, and
/// how much later than it did. In the end, all have come.
fn run<'a, P: Runnable>(
    registry: &'a Registry<P>,
    inputs: &[Input<'_>],
    choices: &[u16],
) -> Live<'a, P>
where
    P::State: PartialEq + Debug,
{
    let mut live = Live {
        registry,
        instance: Instance::default(),
        records: Vec::new(),
        decided: HashSet::new(),
    };
    let mut choices = choices.iter().copied();
    let mut left: Vec<usize> = (0..inputs.len()).collect();
    let mut came: Vec<usize> = Vec::new();
    let mut now = Timestamp::MIN;
    while !left.is_empty() {
        let may_come: Vec<usize> = (left.iter().copied())
            .filter(|at| live.may_come(&inputs[*at]))
            .collect();
        // What no longer comes about was an answer to what is no longer asked.
        if may_come.is_empty() {
            break;
        }
        let choice = below(choices.next().unwrap_or(0), may_come.len() + came.len());
        let next = may_come.get(choice).copied();
        let at = next.unwrap_or_else(|| came[choice - may_come.len()]);
        let late = SignedDuration::from_secs(below(choices.next().unwrap_or(0), 20) as i64);
        // A deadline is over when it is over by what was decided here.
        let due = inputs[at].what.as_ref().ok();
        let due = due.and_then(|name| live.instance.deadlines().get(name));
        now = now.max(due.copied().unwrap_or(inputs[at].at) + late);
        live.take(&inputs[at], now);
        left.retain(|other| *other != at);
        came.push(at);
    }
    live
}

/// Holds every instance of a kind against how it ended in the finished run.
fn converges<P: Runnable>(kind: &str, registry: &Registry<P>, choices: &[u16])
where
    P::State: PartialEq + Debug,
{
    let inputs = inputs(kind);
    assert!(inputs.len() > 5);
    for (instance, inputs) in &inputs {
        // Of two starts, the one that comes first is the one that counts.
        if inputs
            .iter()
            .filter(|input| input.name == "ProcessShipment")
            .count()
            > 1
        {
            continue;
        }
        let live = run(registry, inputs, choices);
        assert_eq!(live.replayed(), live.instance, "replay equals live state");
        let events = live.public_events();
        assert_eq!(histories::first_illegal(kind, &events), None, "{events:?}");
        let calm = run(registry, inputs, &[]);
        let stored: Vec<_> = CALM.logs[kind]
            .iter()
            .filter(|entry| entry.stream.instance() == *instance)
            .filter(|entry| entry.content.metadata.visibility == Visibility::Public)
            .map(|entry| entry.content.type_name.as_str())
            .collect();
        assert_eq!(calm.public_events(), stored, "{instance}-{kind}");
        // At the carriers, each key has a history of its own.
        let in_order = |mut events: Vec<&'static str>| {
            if kind == "Carrier" {
                events.sort_unstable();
            }
            events
        };
        let (events, stored) = (in_order(events), in_order(stored));
        if Ending::of(instance) == Ending::BookedLate && events != stored {
            // The refusal came behind the booking: it is no longer of interest.
            let without = |events: &[&'static str]| -> Vec<&str> {
                let refusal = |event: &&&str| !specification::REFUSAL.contains(event);
                events.iter().filter(refusal).copied().collect()
            };
            assert_eq!(events, without(&calm.public_events()), "{instance}-{kind}");
            continue;
        }
        assert_eq!(events, stored, "{instance}-{kind}");
        assert_eq!(
            live.instance.state(),
            calm.instance.state(),
            "{instance}-{kind}"
        );
        assert_eq!(
            live.instance.deadlines(),
            &BTreeMap::new(),
            "{instance}-{kind}"
        );
    }
}

fn choices() -> impl Strategy<Value = Vec<u16>> {
    vec(any::<u16>(), 0..60)
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn the_process_of_a_shipment_converges(choices in choices()) {
        let settings = &CALM.settings.shipment_process;
        let window = SignedDuration::from_millis(settings.rebooking_window_ms);
        let steps = shipment_process::steps(&CALM.settings);
        let registry = shipment_process::registry(steps, window).unwrap();
        converges("Process", &registry, &choices);
    }

    #[test]
    fn manifestation_converges(choices in choices()) {
        let registry = manifestation::registry(&CALM.settings.manifestation).unwrap();
        converges("Shipment", &registry, &choices);
    }

    #[test]
    fn collection_booking_converges(choices in choices()) {
        let registry = collection_booking::registry(&CALM.settings.collection_booking).unwrap();
        converges("Collection", &registry, &choices);
    }

    #[test]
    fn the_carriers_converge(choices in choices()) {
        let registry = carrier_stub::registry(&CALM.settings.carrier_stub).unwrap();
        converges("Carrier", &registry, &choices);
    }
}

proptest! {
    #![proptest_config(config(24))]

    /// The scheduler is driven by a list, which gets shorter and simpler as long as something fails.
    #[test]
    fn the_suite_converges_under_every_schedule(choices in vec(any::<u16>(), 0..4_000)) {
        let bounds = Bounds { shipments: 3, steps: 2_000 };
        let run = simulate(Chance::given(choices), bounds, false).unwrap();
        prop_assert_eq!(run.broken, [""; 0]);
    }
}

/// The inputs are those that services sent each other.
#[test]
fn the_finished_run_has_inputs_of_every_kind() {
    let sources: HashSet<ServiceName> = shipment_suite()
        .services
        .iter()
        .flat_map(|service| {
            let entries = CALM.logs[service.stream_kind].iter();
            entries
                .flat_map(|entry| outgoing(&service.name, entry))
                .map(|m| m.source)
        })
        .collect();
    assert_eq!(sources.len(), 4);
    let waits = |kind: &str| {
        inputs(kind)
            .values()
            .flatten()
            .filter(|i| i.what.is_ok())
            .count()
    };
    assert!(waits("Carrier") > 10 && waits("Process") > 0);
}
