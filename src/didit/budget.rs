//! How many calls may leave in a minute: a sliding window of 60 seconds, as Didit counts. Pure: the
//! moment is handed in, and who waits does so elsewhere.
//!
//! Didit counts by key. Where other programs use the same one, a [`SharedBudget`] is asked instead of the
//! window here; what it is kept in is not known here.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::domain::{CallsAsked, CallsGranted};

/// The window Didit counts in.
const WINDOW: Duration = Duration::from_secs(60);

/// How long a call can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Somebody waits for it, or a decision depends on it.
    Now,
    /// It is fetched ahead: a tenth of the budget is left to the others.
    Background,
    /// As `Background`, and who asks does the waiting: no place now is an answer.
    Patient,
}

/// The minute that all who use one key share.
#[async_trait]
pub trait SharedBudget: Send + Sync {
    /// Grants up to as many calls as are asked for.
    async fn grant(&self, asked: CallsAsked) -> CallsGranted;
}

/// Calls that were granted and have not left yet.
#[derive(Debug, Default)]
pub(super) struct Granted {
    left: u32,
    until: Option<Instant>,
}

impl Granted {
    /// Takes one, if there is one that still may leave.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let fresh = self.until.is_some_and(|until| now < until);
        let some = fresh && self.left > 0;
        self.left = if some { self.left - 1 } else { 0 };
        some
    }

    /// Puts more in, good until `until`. Of two grants the earlier end holds for both.
    pub(super) fn put(&mut self, calls: u32, until: Instant) {
        self.until =
            Some(if self.left > 0 { self.until.unwrap_or(until).min(until) } else { until });
        self.left = self.left.saturating_add(calls);
    }
}

/// The calls of one kind in the last 60 seconds.
#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    left: VecDeque<Instant>,
    closed_until: Option<Instant>,
}

impl Budget {
    /// A budget of so many calls in any 60 seconds; at least one, or nothing would ever leave.
    pub(super) fn new(per_minute: u32) -> Self {
        let limit = usize::try_from(per_minute.max(1)).unwrap_or(usize::MAX);
        Self { limit, left: VecDeque::new(), closed_until: None }
    }

    /// How many of a minute's calls this urgency may use up.
    pub(super) fn most(&self, urgency: Urgency) -> usize {
        match urgency {
            Urgency::Now => self.limit,
            Urgency::Background | Urgency::Patient => (self.limit - self.limit.div_ceil(10)).max(1),
        }
    }

    /// Whether the server lets anything in at `now`, or how long to wait.
    pub(super) fn open(&mut self, now: Instant) -> Result<(), Duration> {
        let wait = self.closed_until.and_then(|until| until.checked_duration_since(now));
        match wait.filter(|wait| !wait.is_zero()) {
            Some(wait) => Err(wait),
            None => {
                self.closed_until = None;
                Ok(())
            }
        }
    }

    /// Takes a place at `now`, or says how long to wait before asking again.
    pub(super) fn take(&mut self, now: Instant, urgency: Urgency) -> Result<(), Duration> {
        self.open(now)?;
        while self.left.front().is_some_and(|then| now.duration_since(*then) >= WINDOW) {
            self.left.pop_front();
        }
        let most = self.most(urgency);
        match self.left.len().checked_sub(most).and_then(|over| self.left.get(over)) {
            None => {
                self.left.push_back(now);
                Ok(())
            }
            Some(then) => Err(WINDOW.saturating_sub(now.duration_since(*then))),
        }
    }

    /// Lets nothing leave before `until`: the server has said so.
    pub(super) fn close(&mut self, until: Instant) {
        self.closed_until = Some(self.closed_until.map_or(until, |known| known.max(until)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// Runs a script of `(milliseconds, urgency, expected)`.
    fn run(budget: &mut Budget, script: &[(u64, Urgency, Result<(), Duration>)]) {
        let start = Instant::now();
        for (line, (at, urgency, expected)) in script.iter().enumerate() {
            assert_eq!(budget.take(start + MS(*at), *urgency), *expected, "line {line}");
        }
    }

    #[test]
    fn the_window_slides() {
        run(
            &mut Budget::new(2),
            &[
                (0, Urgency::Now, Ok(())),
                (1_000, Urgency::Now, Ok(())),
                (2_000, Urgency::Now, Err(MS(58_000))),
                (59_999, Urgency::Now, Err(MS(1))),
                (60_000, Urgency::Now, Ok(())),
                (60_500, Urgency::Now, Err(MS(500))),
                (61_000, Urgency::Now, Ok(())),
            ],
        );
    }

    #[test]
    fn what_can_wait_leaves_a_tenth_to_the_rest() {
        let mut budget = Budget::new(10);
        let start = Instant::now();
        for n in 0..9 {
            assert_eq!(budget.take(start + MS(n), Urgency::Background), Ok(()), "{n}");
        }
        assert_eq!(budget.take(start + MS(10), Urgency::Background), Err(MS(59_990)));
        assert_eq!(budget.take(start + MS(10), Urgency::Now), Ok(()));
        assert_eq!(budget.take(start + MS(11), Urgency::Now), Err(MS(59_989)));
        // The urgent one took a place of its own: two have to age before one that can wait may go.
        assert_eq!(budget.take(start + MS(60_000), Urgency::Background), Err(MS(1)));
        assert_eq!(budget.take(start + MS(60_001), Urgency::Background), Ok(()));
    }

    #[test]
    fn a_closed_budget_lets_nothing_out() {
        let mut budget = Budget::new(10);
        let start = Instant::now();
        budget.close(start + MS(3_000));
        budget.close(start + MS(1_000));
        assert_eq!(budget.take(start, Urgency::Now), Err(MS(3_000)));
        assert_eq!(budget.take(start + MS(2_999), Urgency::Now), Err(MS(1)));
        assert_eq!(budget.take(start + MS(3_000), Urgency::Now), Ok(()));
    }

    #[test]
    fn what_was_granted_leaves_in_time_or_not_at_all() {
        let start = Instant::now();
        let mut granted = Granted::default();
        assert!(!granted.take(start));
        granted.put(2, start + MS(2_000));
        assert!(granted.take(start + MS(1_000)));
        granted.put(3, start + MS(3_000));
        assert!(granted.take(start + MS(1_999)));
        assert!(
            !granted.take(start + MS(2_000)),
            "the older ones are over, and none is told apart"
        );
        granted.put(1, start + MS(4_000));
        assert!(granted.take(start + MS(3_999)));
        assert!(!granted.take(start + MS(3_999)));
    }

    #[test]
    fn a_budget_of_nothing_is_one() {
        let start = Instant::now();
        for limit in [0, 1] {
            let mut budget = Budget::new(limit);
            assert_eq!(budget.take(start, Urgency::Background), Ok(()));
            assert_eq!(budget.take(start, Urgency::Now), Err(WINDOW));
        }
    }
}
