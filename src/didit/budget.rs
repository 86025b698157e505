//! How many calls may leave in a minute: a sliding window of 60 seconds, as Didit counts. Pure: the
//! moment is handed in, and who waits does so elsewhere.
//!
//! Didit counts by key. Where other programs use the same one, a [`SharedBudget`] is asked instead of the
//! window here; what it is kept in is not known here.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::domain::{CallsAsked, CallsGranted, SLICE_MS, Urgency};

/// The window Didit counts in.
const WINDOW: Duration = Duration::from_secs(60);

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
    limit: u32,
    left: VecDeque<(Instant, Urgency)>,
    closed_until: Option<Instant>,
}

impl Budget {
    /// A budget of so many calls in any 60 seconds; at least one, or nothing would ever leave.
    pub(super) fn new(per_minute: u32) -> Self {
        Self { limit: per_minute.max(1), left: VecDeque::new(), closed_until: None }
    }

    /// How many calls there may be in any 60 seconds.
    pub(super) fn limit(&self) -> u32 {
        self.limit
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
        while self.left.front().is_some_and(|(then, _)| now.duration_since(*then) >= WINDOW) {
            self.left.pop_front();
        }
        let urgent = self.left.iter().filter(|(_, urgency)| *urgency != Urgency::Patient).count();
        let most = as_count(urgency.most(self.limit, u32::try_from(urgent).unwrap_or(u32::MAX)));
        let minute = self.left.len().checked_sub(most).and_then(|over| self.left.get(over));
        let minute = minute.map(|(then, _)| WINDOW.saturating_sub(now.duration_since(*then)));
        // The newest patient call that has to be past the slice before the next one.
        let slice = Duration::from_millis(SLICE_MS.unsigned_abs());
        let before = as_count(urgency.at_once(self.limit)).saturating_sub(1);
        let patient = self.left.iter().rev().filter(|(_, urgency)| *urgency == Urgency::Patient);
        let paced = patient.map(|(then, _)| now.duration_since(*then)).nth(before);
        let paced = paced.and_then(|since| slice.checked_sub(since)).filter(|left| !left.is_zero());
        match minute.max(paced) {
            None => {
                self.left.push_back((now, urgency));
                Ok(())
            }
            Some(wait) => Err(wait),
        }
    }

    /// Lets nothing leave before `until`: the server has said so.
    pub(super) fn close(&mut self, until: Instant) {
        self.closed_until = Some(self.closed_until.map_or(until, |known| known.max(until)));
    }
}

fn as_count(calls: u32) -> usize {
    usize::try_from(calls).unwrap_or(usize::MAX)
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
    fn what_goes_on_for_long_is_spread_and_leaves_more_where_others_call() {
        let mut budget = Budget::new(100);
        let start = Instant::now();
        for n in 0..10 {
            assert_eq!(budget.take(start + MS(n), Urgency::Patient), Ok(()), "{n}");
        }
        assert_eq!(budget.take(start + MS(10), Urgency::Patient), Err(MS(4_990)));
        for n in 0..70 {
            assert_eq!(budget.take(start + MS(10 + n), Urgency::Now), Ok(()), "{n}");
        }
        // 80 are used, and a quarter is kept for those who call so much.
        assert_eq!(budget.take(start + MS(5_000), Urgency::Patient), Err(MS(55_005)));
        assert_eq!(budget.take(start + MS(5_000), Urgency::Background), Ok(()));
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
