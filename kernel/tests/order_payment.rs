//! The kernel's second user: the payment of an order, where the inputs race.
//!
//! An order waits for its payment, for the end of the time in which to pay, or for being cancelled.
//! All of these may come, in any order and more than once; whatever comes, an order must end in the
//! state that is right for it, and each effect must happen once.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use kernel::{
    Arrival, Backoff, Category, Content, Decider, Due, Effect, Instance, NewRecord, Outcome,
    Process, Refusal, Registry, Trigger,
};
use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Input {
    OrderPlaced,
    PaymentReceived,
    PaymentTimedOut,
    OrderCancelled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Placed,
    Paid,
    Expired,
    Cancelled,
    Refunded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Command {
    ReserveStock,
    ReleaseStock,
    Ship,
    StopShipping,
    Refund,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Open,
    Paid,
    /// Expired or cancelled; money that was or will be received goes back.
    Closed {
        refunded: bool,
    },
}

struct OrderPayment;

impl Decider for OrderPayment {
    type State = State;
    type Event = Event;
    type Input = Input;

    fn initial(&self) -> State {
        State::New
    }

    fn evolve(&self, state: State, event: &Event) -> State {
        match event {
            Event::Placed => State::Open,
            Event::Paid => State::Paid,
            Event::Expired | Event::Cancelled => State::Closed { refunded: false },
            Event::Refunded => match state {
                State::Closed { .. } => State::Closed { refunded: true },
                State::New | State::Open | State::Paid => state,
            },
        }
    }

    fn decide(
        &self,
        state: &State,
        trigger: Trigger<'_, Input, Event>,
        _now: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        let input = match trigger {
            Trigger::Input(input) => *input,
            // Time that is over is the same news, whoever brings it.
            Trigger::DeadlinePassed(_) => Input::PaymentTimedOut,
            Trigger::Own(_) => return Ok(vec![]),
        };
        match (input, state) {
            (Input::OrderPlaced, State::New) => Ok(vec![Event::Placed]),
            (Input::OrderPlaced, _) => Err(Refusal::AlreadyStarted),
            (_, State::New) => Err(Refusal::NotStarted),
            (Input::PaymentReceived, State::Open) => Ok(vec![Event::Paid]),
            (Input::PaymentReceived, State::Closed { refunded: false }) => {
                Ok(vec![Event::Refunded])
            }
            (Input::PaymentReceived, _) => Err(Refusal::because("it is paid already")),
            (Input::PaymentTimedOut, State::Open) => Ok(vec![Event::Expired]),
            (Input::PaymentTimedOut, _) => Err(Refusal::because("it no longer waits for payment")),
            (Input::OrderCancelled, State::Open) => Ok(vec![Event::Cancelled]),
            (Input::OrderCancelled, State::Paid) => Ok(vec![Event::Cancelled, Event::Refunded]),
            (Input::OrderCancelled, _) => Err(Refusal::because("it is closed already")),
        }
    }
}

impl Process for OrderPayment {
    type Command = Command;

    fn react(&self, _after: &State, event: &Event) -> Vec<Effect<Command>> {
        let in_time = || Due::After(SignedDuration::from_mins(30));
        match event {
            Event::Placed => vec![
                Effect::Send(Command::ReserveStock),
                Effect::set_deadline("payment", in_time()),
            ],
            Event::Paid => vec![
                Effect::Send(Command::Ship),
                Effect::clear_deadline("payment"),
            ],
            Event::Expired | Event::Cancelled => vec![
                Effect::Send(Command::StopShipping),
                Effect::Send(Command::ReleaseStock),
                Effect::clear_deadline("payment"),
            ],
            Event::Refunded => vec![Effect::Send(Command::Refund)],
        }
    }

    fn is_finished(&self, state: &State) -> bool {
        *state == State::Closed { refunded: true }
    }
}

fn registry() -> Registry<OrderPayment> {
    Registry::single(Category::parse("order-payment-1.0").unwrap(), OrderPayment)
}

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn arrive(
    registry: &Registry<OrderPayment>,
    instance: &mut Instance<State>,
    input: Input,
) -> Outcome<Event, Command> {
    let arrival = Arrival {
        id: Uuid::from_u128(input as u128 + 1),
        name: "input",
        content: Content::Input(input),
        whole: &|| format!("{input:?}"),
        retries: Backoff::NONE,
    };
    registry.handle(instance, arrival, START)
}

/// All distinct orders of a list that may hold equal elements.
fn orders(inputs: &[Input]) -> BTreeSet<Vec<Input>> {
    if inputs.is_empty() {
        return BTreeSet::from([vec![]]);
    }
    let mut all = BTreeSet::new();
    for (at, first) in inputs.iter().enumerate() {
        let mut rest = inputs.to_vec();
        rest.remove(at);
        for mut order in orders(&rest) {
            order.insert(0, *first);
            all.insert(order);
        }
    }
    all
}

/// Runs a placed order through these inputs; returns its end, the commands it sent, and its stream.
fn run(inputs: &[Input]) -> (State, Vec<Command>, Vec<NewRecord<Event, Command>>) {
    let registry = registry();
    let mut instance = Instance::default();
    let mut stream = Vec::new();
    for input in std::iter::once(&Input::OrderPlaced).chain(inputs) {
        stream.extend(arrive(&registry, &mut instance, *input).into_records());
    }
    let mut replayed = Instance::default();
    for record in &stream {
        registry.apply(&mut replayed, record);
    }
    assert_eq!(
        replayed, instance,
        "replay equals live state after {inputs:?}"
    );
    let commands = stream
        .iter()
        .flat_map(|record| record.commands.clone())
        .collect();
    (*instance.state().unwrap(), commands, stream)
}

/// What is right for each order in which the three inputs first come.
fn right_end(first: &[Input]) -> (State, Vec<Command>) {
    use Command::{Refund, ReleaseStock, ReserveStock, Ship, StopShipping};
    use Input::{OrderCancelled, PaymentReceived, PaymentTimedOut};
    // Whoever is paid in time ships, until cancelled; who is paid too late, or cancelled, refunds.
    let shipped_then_cancelled = vec![ReserveStock, Ship, StopShipping, ReleaseStock, Refund];
    let never_shipped = vec![ReserveStock, StopShipping, ReleaseStock, Refund];
    let commands = match first {
        [PaymentReceived, PaymentTimedOut, OrderCancelled]
        | [PaymentReceived, OrderCancelled, PaymentTimedOut] => shipped_then_cancelled,
        [PaymentTimedOut, PaymentReceived, OrderCancelled]
        | [PaymentTimedOut, OrderCancelled, PaymentReceived]
        | [OrderCancelled, PaymentReceived, PaymentTimedOut]
        | [OrderCancelled, PaymentTimedOut, PaymentReceived] => never_shipped,
        _ => panic!("not one of the 3! orders: {first:?}"),
    };
    (State::Closed { refunded: true }, commands)
}

#[test]
fn every_order_of_the_inputs_ends_right() {
    let all = orders(&[
        Input::PaymentReceived,
        Input::PaymentTimedOut,
        Input::OrderCancelled,
    ]);
    assert_eq!(all.len(), 6);
    for order in all {
        let (state, commands, _) = run(&order);
        assert_eq!((state, commands), right_end(&order), "{order:?}");
    }
}

#[test]
fn every_order_with_each_input_repeated_ends_right_without_double_effects() {
    use Input::{OrderCancelled, PaymentReceived, PaymentTimedOut};
    let twice = [
        PaymentReceived,
        PaymentReceived,
        PaymentTimedOut,
        PaymentTimedOut,
        OrderCancelled,
        OrderCancelled,
    ];
    let all = orders(&twice);
    assert_eq!(all.len(), 90);
    for order in all {
        let mut first: Vec<Input> = Vec::new();
        for input in &order {
            if !first.contains(input) {
                first.push(*input);
            }
        }
        let (state, commands, stream) = run(&order);
        assert_eq!((state, commands.clone()), right_end(&first), "{order:?}");
        let distinct: BTreeSet<_> = commands.iter().collect();
        assert_eq!(
            distinct.len(),
            commands.len(),
            "a double effect in {order:?}"
        );
        assert_eq!(
            stream,
            run(&first).2,
            "a repetition leaves no trace: {order:?}"
        );
    }
}

#[test]
fn any_part_of_the_inputs_ends_right() {
    use Input::{OrderCancelled, PaymentReceived, PaymentTimedOut};
    assert_eq!(run(&[]).0, State::Open);
    assert_eq!(run(&[PaymentReceived]).0, State::Paid);
    assert_eq!(run(&[PaymentReceived, PaymentTimedOut]).0, State::Paid);
    assert_eq!(run(&[PaymentTimedOut]).0, State::Closed { refunded: false });
    assert_eq!(
        run(&[PaymentTimedOut, OrderCancelled]).0,
        State::Closed { refunded: false }
    );
}

#[test]
fn what_comes_before_the_order_is_refused_and_recorded() {
    let registry = registry();
    let mut instance = Instance::default();
    let outcome = arrive(&registry, &mut instance, Input::PaymentReceived);
    assert!(matches!(outcome, Outcome::Refused(Refusal::NotStarted, ref r) if r.len() == 1));
    assert_eq!(
        arrive(&registry, &mut instance, Input::PaymentReceived),
        Outcome::Duplicate
    );
    assert_eq!(instance.version(), 1);
}
