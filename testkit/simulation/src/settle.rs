//! When the scheduler no longer injures: everything is delivered, and time passes until nothing is
//! pending.

use contracts::ShipmentId;
use jiff::SignedDuration;
use runtime::Clock;

use crate::check;
use crate::gate::Verdict;
use crate::instance::Taken;
use crate::world::World;

/// How often everything is looked through before it is said that there is no end. Each time at least one
/// input is handled or one deadline passes.
const MOST_ROUNDS: usize = 20_000;

impl World {
    /// Lets everything come to its end.
    pub(crate) async fn settle(&mut self) {
        self.say(|| "nothing goes wrong any more".to_owned());
        self.weather.clear_up();
        for at in 0..self.instances.len() {
            for _ in 0..1_000 {
                self.arrive_late(at).await;
            }
        }
        for _ in 0..MOST_ROUNDS {
            self.step += 1;
            if self.settle_round().await || self.care_for_all().await {
                continue;
            }
            let now = self.clock.now();
            match self.next_due() {
                Some(due) => {
                    let left = due.duration_since(now);
                    // An instance whose clock is slow finds out later.
                    let slow = left <= SignedDuration::ZERO;
                    let left = if slow {
                        SignedDuration::from_secs(1)
                    } else {
                        left
                    };
                    self.clock.advance(left);
                    self.say(|| format!("time passes: {left:#}"));
                }
                None if self.attend().await => {}
                None => return,
            }
        }
        self.broken.push("it does not come to rest".to_owned());
    }

    /// Whether a shipment needed the attention of somebody, who has given it.
    async fn attend(&mut self) -> bool {
        if !self.weather.settles {
            return false;
        }
        let logs = self.logs().await;
        let now = self.clock.now();
        let mut attended = false;
        for id in check::need_attention(&logs) {
            match ShipmentId::parse(id).map(|id| self.users.attend(&id, now)) {
                Ok(Ok(more)) => attended |= more,
                Ok(Err(error)) => self.broken.push(error.to_string()),
                Err(error) => self.broken.push(error.to_string()),
            }
        }
        attended
    }

    /// Whether there was anything parked that nobody can read.
    async fn care_for_all(&mut self) -> bool {
        let mut busy = false;
        for at in 0..self.instances.len() {
            let discards = self
                .care(at, |_, _| 0)
                .filter(|care| care.discards.is_some());
            if let Some(care) = discards {
                self.begin(at, vec![Taken::Care(care)]).await;
                busy = true;
            }
        }
        busy
    }

    /// Whether there was anything to do.
    async fn settle_round(&mut self) -> bool {
        let mut busy = false;
        for at in 0..self.instances.len() {
            while self.instances[at].is_working() {
                self.go_on(at, |_, _| Verdict::Done).await;
                busy = true;
            }
            busy |= self.relay(at, usize::MAX, None).await;
            busy |= self.read_deadlines(at, usize::MAX).await;
            busy |= self.find_due(at, usize::MAX);
            let service = self.instances[at].service;
            let mut taken: Vec<Taken> = Vec::new();
            taken.extend(self.instances[at].due.drain(..).map(Taken::Deadline));
            taken.extend(self.queues[service].drain(..).map(Taken::Message));
            if service == 0 {
                while let Some(number) = self.users.next(u64::MAX) {
                    self.users.requests[number].under_way = true;
                    taken.push(Taken::Request(number));
                }
            }
            if !taken.is_empty() {
                self.begin(at, taken).await;
                busy = true;
            }
        }
        busy
    }
}
