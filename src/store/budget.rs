//! How many calls may leave in a minute when several consoles use one key: a window over what was
//! granted to any of them. Pure, like the rules of a row; the backends load it, ask it and save it.

use serde::{Deserialize, Serialize};

use crate::domain::{CallsAsked, CallsGranted, Millis};

/// The window Didit counts in, in milliseconds.
const MINUTE: i64 = 60_000;
/// Grants are kept by the second.
const SECOND: i64 = 1_000;
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
        let last = now.plus(CallsGranted::LASTS_MS + MINUTE + SECOND);
        let known = |until: Millis| until > now && until <= last.plus(TOO_FAR);
        self.granted.retain(|(until, _)| known(*until));
        let used: u32 = self.granted.iter().map(|(_, calls)| *calls).sum();
        let most = asked.most.max(1);
        let calls = most.saturating_sub(used).min(asked.wanted.max(1));
        if calls == 0 {
            return CallsGranted::NoneFor(self.wait(used - most, now));
        }
        let until = Millis(last.0 - last.0.rem_euclid(SECOND));
        let at = self.granted.partition_point(|(known, _)| *known < until);
        match self.granted.get_mut(at).filter(|(known, _)| *known == until) {
            Some((_, granted)) => *granted += calls,
            None => self.granted.insert(at, (until, calls)),
        }
        CallsGranted::Now(calls)
    }

    /// How long until one call more than `over` is counted no longer, in milliseconds.
    fn wait(&self, mut over: u32, now: Millis) -> i64 {
        for (until, calls) in &self.granted {
            match over.checked_sub(*calls) {
                Some(left) => over = left,
                None => return until.since(now),
            }
        }
        SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::CallVerb;
    use proptest::prelude::*;

    fn asked(wanted: u32, most: u32) -> CallsAsked {
        CallsAsked { verb: CallVerb::Read, wanted, most }
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
    fn less_is_asked_for_by_what_can_wait() {
        let mut window = Window::default();
        assert_eq!(window.grant(&asked(9, 9), Millis(0)), CallsGranted::Now(9));
        assert!(matches!(window.grant(&asked(1, 9), Millis(1)), CallsGranted::NoneFor(_)));
        assert_eq!(window.grant(&asked(1, 10), Millis(1)), CallsGranted::Now(1));
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
            steps in proptest::collection::vec((0i64..9_000, 1u32..8, 0i64..=CallsGranted::LASTS_MS), 1..80),
            most in 1u32..30,
        ) {
            let (mut window, mut now, mut left) = (Window::default(), Millis(0), Vec::new());
            for (pause, wanted, late) in steps {
                now = now.plus(pause);
                if let CallsGranted::Now(calls) = window.grant(&asked(wanted, most), now) {
                    prop_assert!(calls >= 1 && calls <= wanted);
                    left.extend((0..calls).map(|_| now.plus(late)));
                }
                prop_assert!(window.granted.len() <= 64);
            }
            for from in &left {
                let within = left.iter().filter(|at| **at >= *from && at.since(*from) < MINUTE);
                prop_assert!(within.count() <= most as usize);
            }
        }
    }
}
