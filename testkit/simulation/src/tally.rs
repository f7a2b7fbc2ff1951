//! What happened in a run, counted.

use std::fmt;
use std::ops::AddAssign;

/// How often each thing happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Shipments that were started.
    pub shipments: u64,
    /// Steps of the scheduler while it injured.
    pub steps: u64,
    /// Inputs that were handled: messages, deadlines and requests of users.
    pub inputs: u64,
    /// Those that had been handled before.
    pub duplicates: u64,
    /// Those that were refused.
    pub refusals: u64,
    /// Those that were handed back, and came again.
    pub handed_back: u64,
    /// Instances that crashed.
    pub crashes: u64,
    /// Appends that met the other instance's.
    pub conflicts: u64,
    /// Calls of the store that were not answered.
    pub unanswered: u64,
    /// Appends that reached the store after the answer was given up.
    pub late_appends: u64,
    /// Deadlines that were reported.
    pub deadlines: u64,
    /// Deadlines that were reported when they were no longer pending.
    pub deadline_races: u64,
    /// Inputs that were parked.
    pub parked: u64,
    /// Parked inputs that were handled after all.
    pub unparked: u64,
    /// Steps that failed because a deadline had passed.
    pub timeouts: u64,
    /// Shipments that somebody has settled by hand.
    pub settled: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.shipments += other.shipments;
        self.steps += other.steps;
        self.inputs += other.inputs;
        self.duplicates += other.duplicates;
        self.refusals += other.refusals;
        self.handed_back += other.handed_back;
        self.crashes += other.crashes;
        self.conflicts += other.conflicts;
        self.unanswered += other.unanswered;
        self.late_appends += other.late_appends;
        self.deadlines += other.deadlines;
        self.deadline_races += other.deadline_races;
        self.parked += other.parked;
        self.unparked += other.unparked;
        self.timeouts += other.timeouts;
        self.settled += other.settled;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = [
            ("shipments", self.shipments),
            ("steps", self.steps),
            ("inputs handled", self.inputs),
            ("  handled before", self.duplicates),
            ("  refused", self.refusals),
            ("  handed back", self.handed_back),
            ("crashes", self.crashes),
            ("conflicts", self.conflicts),
            ("calls unanswered", self.unanswered),
            ("appends that came late", self.late_appends),
            ("deadlines reported", self.deadlines),
            ("  no longer pending", self.deadline_races),
            ("inputs parked", self.parked),
            ("  and handled later", self.unparked),
            ("steps that timed out", self.timeouts),
            ("settled by hand", self.settled),
        ];
        for (name, count) in lines {
            writeln!(f, "{name:<24}{count:>12}")?;
        }
        Ok(())
    }
}
