//! How many calls may leave in a minute when several consoles use one key: a window over what was
//! granted to any of them. Pure, like the rules of a row; the backends load it, ask it and save it.

use serde::{Deserialize, Serialize};

use crate::domain::{CallsAsked, CallsGranted, Millis, SLICE_MS, Urgency};

/// The window Didit counts in, in milliseconds.
const MINUTE: i64 = 60_000;
/// Grants are kept by the second.
const SECOND: i64 = 1_000;
/// Those that are not patient are kept this far behind the second, in milliseconds: told apart, and counted by an
/// older program too.
const URGENT: i64 = 1;
/// A grant that lies so far ahead was made by a clock that is wrong: it must not stop the others.
const TOO_FAR: i64 = 2 * MINUTE;

/// What was granted lately.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Window {
    /// Until when calls count, and how many; by time. No more than there are seconds in a window.
    granted: Vec<(Millis, u32)>,
}

impl Window {
    /// Grants up to what was asked for, or says how long to wait before asking again. A call may
    /// leave as late as its grant lasts, and counts for a minute from then.
    pub fn grant(&mut self, asked: &CallsAsked, now: Millis) -> CallsGranted {
        let CallsAsked { wanted, limit, urgency, .. } = *asked;
        let last = now.plus(urgency.grant_lasts_ms() + MINUTE + SECOND);
        let known = |until: Millis| until > now && until <= last.plus(TOO_FAR);
        self.granted.retain(|(until, _)| known(*until));
        let lately = last.plus(-SLICE_MS - SECOND);
        let sum = |counts: &dyn Fn(Millis) -> bool| -> u32 {
            self.granted.iter().filter(|(until, _)| counts(*until)).map(|(_, calls)| *calls).sum()
        };
        let used = sum(&|_| true);
        let most = urgency.most(limit, sum(&is_urgent));
        let at_once = urgency.at_once(limit);
        let just_now = sum(&|until| until > lately && !is_urgent(until));
        let free = most.saturating_sub(used).min(at_once.saturating_sub(just_now));
        let calls = free.min(wanted.max(1));
        if calls == 0 {
            let minute = if used < most { 0 } else { self.wait(used - most, |_| true, now) };
            let over = just_now.checked_sub(at_once);
            let paced = |until| until > lately && !is_urgent(until);
            let slice = over.map_or(0, |over| self.wait(over, paced, lately));
            return CallsGranted::NoneFor(minute.max(slice).max(1));
        }
        let mut until = Millis(last.0 - last.0.rem_euclid(SECOND));
        if urgency != Urgency::Patient {
            until = until.plus(URGENT);
        }
        let at = self.granted.partition_point(|(known, _)| *known < until);
        match self.granted.get_mut(at).filter(|(known, _)| *known == until) {
            Some((_, granted)) => *granted += calls,
            None => self.granted.insert(at, (until, calls)),
        }
        CallsGranted::Now(calls)
    }

    /// How long until one call more than `over` of those that count is past `end`, in milliseconds.
    fn wait(&self, mut over: u32, counts: impl Fn(Millis) -> bool, end: Millis) -> i64 {
        for (until, calls) in self.granted.iter().filter(|(until, _)| counts(*until)) {
            match over.checked_sub(*calls) {
                Some(left) => over = left,
                None => return until.since(end),
            }
        }
        SECOND
    }
}

/// Whether what is kept until then was asked for by somebody who is not patient.
fn is_urgent(until: Millis) -> bool {
    until.0.rem_euclid(SECOND) == URGENT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::CallVerb;
    use proptest::prelude::*;

    fn asked(wanted: u32, limit: u32) -> CallsAsked {
        CallsAsked { verb: CallVerb::Read, wanted, limit, urgency: Urgency::Now }
    }

    fn patient(wanted: u32, limit: u32) -> CallsAsked {
        CallsAsked { urgency: Urgency::Patient, ..asked(wanted, limit) }
    }

    #[test]
    fn what_is_left_is_granted_and_comes_back() {
        let mut window = Window::default();
        assert_eq!(window.grant(&asked(5, 12), Millis(0)), CallsGranted::Now(5));
        assert_eq!(window.grant(&asked(5, 12), Millis(1_500)), CallsGranted::Now(5));
        assert_eq!(window.grant(&asked(5, 12), Millis(2_000)), CallsGranted::Now(2));
        let CallsGranted::NoneFor(wait) = window.grant(&asked(5, 12), Millis(2_001)) else {
            panic!("more than there are")
        };
        let then = Millis(2_001 + wait);
        assert_eq!(window.grant(&asked(9, 12), then.plus(-1)), CallsGranted::NoneFor(1));
        assert_eq!(window.grant(&asked(9, 12), then), CallsGranted::Now(5));
    }

    #[test]
    fn the_patient_leave_some_and_are_spread() {
        let mut window = Window::default();
        assert_eq!(
            window.grant(&patient(9, 10), Millis(0)),
            CallsGranted::Now(1),
            "a tenth at once"
        );
        assert_eq!(window.grant(&patient(9, 10), Millis(1)), CallsGranted::NoneFor(5_999));
        let mut now = Millis(1);
        for _ in 0..8 {
            let CallsGranted::NoneFor(wait) = window.grant(&patient(9, 10), now) else {
                panic!("too many at once")
            };
            now = now.plus(wait);
            assert_eq!(window.grant(&patient(9, 10), now), CallsGranted::Now(1));
        }
        now = now.plus(6_000);
        assert!(matches!(window.grant(&patient(1, 10), now), CallsGranted::NoneFor(_)));
        assert_eq!(window.grant(&asked(9, 10), now), CallsGranted::Now(1), "the reserve");
    }

    /// The calls of an intake that goes as fast as it may and of a console that begins to decide after `from`
    /// seconds, once every five with `reads` calls each: until all of `needed` were granted, in milliseconds, and
    /// the longest that a decision waited.
    fn both(limit: u32, needed: u32, from: i64, reads: u32) -> (i64, i64) {
        let (mut window, mut now, mut got) = (Window::default(), Millis(0), 0);
        let (mut due, mut left, mut longest) = (Millis(from * 1_000), reads, 0);
        while got < needed {
            if now >= due {
                match window.grant(&asked(1, limit), now) {
                    CallsGranted::Now(_) if left > 1 => left -= 1,
                    CallsGranted::Now(_) => {
                        longest = longest.max(now.since(due));
                        (due, left) = (due.plus(5_000), reads);
                    }
                    CallsGranted::NoneFor(_) => {}
                }
            }
            if let CallsGranted::Now(calls) = window.grant(&patient(5, limit), now) {
                got += calls;
            }
            now = now.plus(50);
        }
        (now.0, longest)
    }

    /// 10,000 new cases and the pages they stand on, at 600 reads a minute.
    #[test]
    fn ten_thousand_cases_take_eighteen_minutes_and_no_decision_waits() {
        const NEEDED: u32 = 10_110;
        let share = f64::from(NEEDED) / 600.0;
        let (alone, _) = both(600, NEEDED, i64::MAX / 2_000, 1);
        let minutes = |ms: i64| ms as f64 / 60_000.0;
        println!("alone {:.2} minutes; the limit allows {share:.2}", minutes(alone));
        assert!(minutes(alone) <= 18.0 && minutes(alone) <= 1.1 * share, "{}", minutes(alone));
        for (from, reads) in (0..70).step_by(9).map(|from| (from, 6)).chain([(30, 1), (100, 6)]) {
            let (beside, waited) = both(600, NEEDED, from, reads);
            assert!(minutes(beside) <= 1.35 * share, "{from} {reads}: {}", minutes(beside));
            assert!(waited <= 2_000, "{from} {reads}: waited {waited} ms");
        }
    }

    #[test]
    fn a_clock_far_ahead_stops_nobody() {
        let mut window = Window::default();
        let ahead = Millis(3_600_000);
        assert_eq!(window.grant(&asked(5, 5), ahead), CallsGranted::Now(5));
        assert_eq!(window.grant(&asked(5, 5), Millis(0)), CallsGranted::Now(5));
    }

    proptest! {
        /// Whoever asks whenever, and however late the calls leave: never more than the limit in
        /// any minute.
        #[test]
        fn no_minute_holds_too_many(
            steps in proptest::collection::vec(
                (0i64..9_000, 1u32..8, 0i64..=2_000, any::<bool>()), 1..80,
            ),
            most in 1u32..30,
        ) {
            let (mut window, mut now, mut left) = (Window::default(), Millis(0), Vec::new());
            for (pause, wanted, late, waits) in steps {
                now = now.plus(pause);
                let asked = if waits { patient(wanted, most) } else { asked(wanted, most) };
                if let CallsGranted::Now(calls) = window.grant(&asked, now) {
                    prop_assert!(calls >= 1 && calls <= wanted);
                    let late = late.min(asked.urgency.grant_lasts_ms());
                    left.extend((0..calls).map(|_| now.plus(late)));
                }
                prop_assert!(window.granted.len() <= 128);
            }
            for from in &left {
                let within = left.iter().filter(|at| **at >= *from && at.since(*from) < MINUTE);
                prop_assert!(within.count() <= most as usize);
            }
        }
    }
}
