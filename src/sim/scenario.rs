//! Named worlds for integrators: the same simulator with its knobs set to one kind of weather. Every chance is
//! drawn from the seed, so that a run can be had again.

use std::time::Duration;

use super::{Fault, Knobs, Limits, On, Options, Reply, Route};

/// What kind of day it is at the simulated Didit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Nothing goes wrong.
    Calm,
    /// Somebody decides in the web console meanwhile.
    Races,
    /// Lost answers, broken connections, throttling, server errors.
    Faults,
    /// Links that die soon.
    Expiring,
    /// Few calls a minute.
    Limits,
    /// Nothing to review.
    Empty,
}

/// Of a call in [`Scenario::Faults`], the chance of each of the four things that go wrong.
const EACH: f64 = 0.0125;
/// In [`Scenario::Races`], the chance that somebody decides just before a session is read.
const BEFORE_READ: f64 = 0.02;
/// And just before its status is written.
const BEFORE_WRITE: f64 = 0.2;

impl Scenario {
    /// All, the usual one first.
    pub const ALL: [Self; 6] =
        [Self::Calm, Self::Races, Self::Faults, Self::Expiring, Self::Limits, Self::Empty];

    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Races => "races",
            Self::Faults => "faults",
            Self::Expiring => "expiring",
            Self::Limits => "limits",
            Self::Empty => "empty",
        }
    }

    /// What it is, in one line.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::Calm => "Nothing goes wrong; Didit's limits of 600 reads and 300 writes a minute",
            Self::Races => {
                "Somebody decides in the web console before one write in 5 and one read in 50"
            }
            Self::Faults => {
                "One call in 20 fails: lost answer, reset, 429 or 503, each as often as the others"
            }
            Self::Expiring => "Image links live 20 seconds",
            Self::Limits => "A tenth of Didit's limits: 60 reads and 30 writes a minute, then 429",
            Self::Empty => "Nothing to review",
        }
    }

    /// Reads [`Scenario::word`] back.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scenario| scenario.word() == word)
    }

    /// How many flagged cases it has, unless a number is asked for.
    #[must_use]
    pub fn cases(self) -> u32 {
        match self {
            Self::Empty => 0,
            Self::Calm | Self::Races | Self::Faults | Self::Expiring | Self::Limits => 40,
        }
    }

    /// What it changes of the options, before the simulator starts.
    pub fn set_options(self, options: &mut Options) {
        match self {
            Self::Expiring => options.link_life = Duration::from_secs(20),
            Self::Limits => {
                let Limits { get, write } = Limits::default();
                options.limits = Limits { get: get / 10, write: write / 10 };
            }
            Self::Calm | Self::Races | Self::Faults | Self::Empty => {}
        }
    }

    /// Sets the knobs of a running simulator.
    pub fn turn(self, knobs: &Knobs) {
        match self {
            Self::Races => {
                let elsewhere = |status: &str| Fault::DecidedElsewhere {
                    status: status.to_owned(),
                    by: "console@example.org".to_owned(),
                    comment: None,
                };
                let read = On::route(Route::Decision);
                knobs.sometimes(BEFORE_READ, read, elsewhere("Declined"));
                let write = On::route(Route::UpdateStatus);
                knobs.sometimes(BEFORE_WRITE / 2.0, write, elsewhere("Declined"));
                knobs.sometimes(BEFORE_WRITE / 2.0, write, elsewhere("Approved"));
            }
            Self::Faults => {
                let throttled = Reply::detail(429, "Request was throttled.".to_owned())
                    .header("Retry-After", "1");
                let down = Reply::detail(503, "Service unavailable.".to_owned());
                for fault in [
                    Fault::DropAfter,
                    Fault::DropBefore,
                    Fault::Answer(throttled),
                    Fault::Answer(down),
                ] {
                    knobs.sometimes(EACH, On::any(), fault);
                }
            }
            Self::Calm | Self::Expiring | Self::Limits | Self::Empty => {}
        }
    }
}
