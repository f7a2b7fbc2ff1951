//! What happens next, while the scheduler injures.

use jiff::SignedDuration;
use runtime::Clock;

use crate::Chance;
use crate::gate::{Call, Verdict, open};
use crate::instance::{Queued, Taken};
use crate::world::World;

#[derive(Clone, Copy, Debug)]
enum Action {
    Deliver,
    GoOn,
    Relay,
    Ask,
    ReadDeadlines,
    FindDue,
    PassTime,
    SaveRelay,
    SaveDeadlines,
    ArriveLate,
    Crash,
    Care,
}

/// The most inputs that are handed in at once.
const MOST_AT_ONCE: usize = 8;

impl World {
    /// Lets one thing happen.
    pub(crate) async fn act(&mut self) {
        self.step += 1;
        let actions = [
            (Action::Deliver, 24),
            (Action::GoOn, 36),
            (Action::Relay, 10),
            (Action::Ask, 3),
            (Action::ReadDeadlines, 6),
            (Action::FindDue, 6),
            (Action::PassTime, 5),
            (Action::SaveRelay, 2),
            (Action::SaveDeadlines, 2),
            (Action::ArriveLate, 2),
            (Action::Crash, self.weather.crashes),
            (Action::Care, usize::from(self.weather.poisons)),
        ];
        let action = self.chance.weighted(&actions);
        let able: Vec<usize> = (0..self.instances.len())
            .filter(|at| self.is_able(*at, action))
            .collect();
        if able.is_empty() {
            return;
        }
        let at = self.chance.one_of(&able);
        match action {
            Action::Deliver => self.deliver(at).await,
            Action::GoOn => self.go_on(at, Self::verdict).await,
            Action::Relay => {
                let limit = 1 + self.chance.below(100);
                let breaks = self.chance.one_in(10).then(|| self.chance.below(5));
                self.relay(at, limit, breaks).await;
            }
            Action::Ask => self.ask(at).await,
            Action::ReadDeadlines => {
                let limit = 1 + self.chance.below(100);
                self.read_deadlines(at, limit).await;
            }
            Action::FindDue => {
                let limit = 1 + self.chance.below(MOST_AT_ONCE);
                self.find_due(at, limit);
            }
            Action::PassTime => self.pass_time(),
            Action::SaveRelay => self.save_relay(at).await,
            Action::SaveDeadlines => self.save_deadlines(at).await,
            Action::ArriveLate => self.arrive_late(at).await,
            Action::Crash => self.crash(at).await,
            Action::Care => {
                if let Some(care) = self.care(at, Chance::below) {
                    self.begin(at, vec![Taken::Care(care)]).await;
                }
            }
        }
    }

    /// Whether an instance can do this now.
    fn is_able(&self, at: usize, action: Action) -> bool {
        let instance = &self.instances[at];
        match action {
            Action::Deliver => {
                let queue = &self.queues[instance.service];
                !(instance.is_working() || queue.is_empty() && instance.due.is_empty())
            }
            Action::GoOn => instance.is_working(),
            // Requests come in where processes are started.
            Action::Ask => !instance.is_working() && instance.service == 0,
            Action::FindDue => {
                let next = instance
                    .indexes
                    .deadlines
                    .next_due(|_| SignedDuration::ZERO);
                next.is_some_and(|due| due <= instance.clock.now())
            }
            Action::Care => !instance.is_working() && !instance.indexes.parked.is_empty(),
            Action::ArriveLate => !open(&instance.gate).late.is_empty(),
            Action::Relay
            | Action::ReadDeadlines
            | Action::PassTime
            | Action::SaveRelay
            | Action::SaveDeadlines
            | Action::Crash => true,
        }
    }

    /// Hands some of what waits to an instance, in any order.
    async fn deliver(&mut self, at: usize) {
        let mut taken = Vec::new();
        for _ in 0..=self.chance.below(MOST_AT_ONCE) {
            let due = self.instances[at].due.len();
            if due > 0 && !self.chance.one_in(3) {
                let place = self.chance.below(due);
                let deadline = self.instances[at].due.swap_remove(place);
                taken.push(Taken::Deadline(deadline));
            } else {
                taken.extend(self.draw(self.instances[at].service).map(Taken::Message));
            }
        }
        if !taken.is_empty() {
            self.begin(at, taken).await;
        }
    }

    /// One of the messages that wait for a service; sometimes it stays there as well.
    fn draw(&mut self, service: usize) -> Option<Queued> {
        let queue = &self.queues[service];
        if queue.is_empty() {
            return None;
        }
        let place = self.chance.below(queue.len());
        let queue = &mut self.queues[service];
        if queue[place].not_before > self.step {
            return None;
        }
        if self.chance.one_in(self.weather.copies_one_in) {
            return Some(queue[place].clone());
        }
        Some(queue.swap_remove(place))
    }

    /// What becomes of a call of the store.
    fn verdict(&mut self, call: Call) -> Verdict {
        let troubles = self.weather.store_troubles;
        match call {
            Call::Read => self
                .chance
                .weighted(&[(Verdict::Done, 20), (Verdict::NotDone, troubles)]),
            Call::Append => self.chance.weighted(&[
                (Verdict::Done, 20),
                (Verdict::NotDone, troubles),
                (Verdict::AnswerLost, troubles),
                (Verdict::DoneLater, troubles),
            ]),
        }
    }

    /// A user asks for the next shipment, or again for one that was asked for before.
    async fn ask(&mut self, at: usize) {
        let again = self.chance.one_in(5);
        let number = match self.users.next(self.step) {
            Some(next) if !again => next,
            _ => self.chance.below(self.users.requests.len()),
        };
        if self.users.requests[number].not_before > self.step {
            return;
        }
        self.users.requests[number].under_way = true;
        self.begin(at, vec![Taken::Request(number)]).await;
    }

    /// Moves the clock: a little, much, or to about when the next deadline is over.
    fn pass_time(&mut self) {
        let now = self.clock.now();
        let to_deadline = self.next_due().map(|due| due.duration_since(now));
        // Who is patient does not wait for what is never to be waited out.
        let near = to_deadline.filter(|left| {
            *left < SignedDuration::from_hours(10 * 24) && *left > SignedDuration::ZERO
        });
        let by = match near {
            Some(left) if self.chance.one_in(2) => {
                left + SignedDuration::from_micros(self.chance.one_of(&[0, -1, 1, 1_000]))
            }
            _ => SignedDuration::from_millis(
                self.chance
                    .one_of(&[1, 20, 500, 1_000, 5_000, 60_000, 300_000]),
            ),
        };
        self.clock.advance(by.max(SignedDuration::ZERO));
        self.say(|| format!("time passes: {by:#}"));
    }
}
