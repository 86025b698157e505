//! Faults and gates that a test sets from outside: which requests they meet, how often, and what
//! then goes wrong. Knows nothing of how an answer is made.

use std::collections::HashMap;
use std::time::Duration;

use uuid::Uuid;

use super::faces::Broken;
use super::reply::Reply;
use super::route::Route;

/// Which requests a fault meets. Everything left open matches all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct On {
    /// Only this route.
    pub route: Option<Route>,
    /// Only where this session is named in the path (for pictures: whose picture it is).
    pub session: Option<Uuid>,
}

impl On {
    /// Every request of the API and for pictures.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// Every request of a route.
    #[must_use]
    pub fn route(route: Route) -> Self {
        Self { route: Some(route), session: None }
    }

    /// The same, for one session only.
    #[must_use]
    pub fn of(self, session: Uuid) -> Self {
        Self { session: Some(session), ..self }
    }

    pub(super) fn meets(&self, route: Option<Route>, session: Option<Uuid>) -> bool {
        (self.route.is_none() || self.route == route)
            && (self.session.is_none() || self.session == session)
    }
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// This answer is given and nothing is done.
    Answer(Reply),
    /// The request is done, but this answer is given.
    AnswerAfter(Reply),
    /// The answer comes late.
    Delay(Duration),
    /// The connection breaks and nothing is done.
    DropBefore,
    /// The request is done, and the connection breaks before the answer: a lost answer.
    DropAfter,
    /// The request is done, and the answer never comes for as long as the client waits.
    Withhold,
    /// The answer ends after so many bytes of its body, and the connection breaks.
    CutBody(usize),
    /// Every link is null, as with a key without media access.
    NullLinks,
    /// Every link in the answer is this text instead.
    LinksTo(String),
    /// Just before the request is done, somebody else gives its session a status.
    DecidedElsewhere {
        /// The new status.
        status: String,
        /// Who: an e-mail address.
        by: String,
        /// Their comment.
        comment: Option<String>,
    },
    /// Just before the request is done, its session vanishes.
    Vanish,
    /// The first match of a decision becomes something that is no match, the second gets fields of
    /// the wrong type, the third loses its fields.
    MalformedMatches,
    /// Older shapes: `user_details.name`, ages as text, no `source`.
    OldShapes,
    /// The picture's bytes are no good.
    Picture(Broken),
}

#[derive(Debug)]
struct Rule {
    on: On,
    fault: Fault,
    left: Option<u32>,
    chance: f64,
}

/// All faults that are set.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Rule>);

impl Faults {
    pub(super) fn add(&mut self, on: On, fault: Fault, times: Option<u32>, chance: f64) {
        self.0.push(Rule { on, fault, left: times, chance });
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The faults that meet this request, each used up by one.
    pub(super) fn draw(
        &mut self,
        route: Option<Route>,
        session: Option<Uuid>,
        rng: &mut fastrand::Rng,
    ) -> Vec<Fault> {
        let mut drawn = Vec::new();
        for rule in &mut self.0 {
            let meets = rule.left != Some(0) && rule.on.meets(route, session);
            if meets && (rule.chance >= 1.0 || rng.f64() < rule.chance) {
                rule.left = rule.left.map(|n| n - 1);
                drawn.push(rule.fault.clone());
            }
        }
        self.0.retain(|rule| rule.left != Some(0));
        drawn
    }
}

/// How what is read of a session lags behind what is written, as on a server that reads from copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lag {
    /// So many decisions show the status from before the next change; `u32::MAX` for all.
    pub status: u32,
    /// So many feeds, in decisions or alone, leave out what the next change adds.
    pub feed: u32,
}

/// What is still read of a session from before a change.
#[derive(Debug, Default)]
pub(super) struct Lagging {
    pub lag: Lag,
    /// The status and the length of the feed before the first change since it was set.
    pub before: Option<(String, usize)>,
}

impl Lagging {
    /// The status as a decision shows it; one such read less to come.
    pub(super) fn status<'a>(&'a mut self, now: &'a str) -> &'a str {
        match &self.before {
            Some((before, _)) if self.lag.status > 0 => {
                self.lag.status -= u32::from(self.lag.status < u32::MAX);
                before
            }
            _ => now,
        }
    }

    /// How much of the feed is shown; one such read less to come.
    pub(super) fn feed(&mut self, now: usize) -> usize {
        match self.before {
            Some((_, before)) if self.lag.feed > 0 => {
                self.lag.feed -= u32::from(self.lag.feed < u32::MAX);
                before.min(now)
            }
            _ => now,
        }
    }
}

/// A route that is single-stepped: requests wait until they are let through.
#[derive(Debug, Default)]
pub(super) struct Gate {
    closed: bool,
    let_through: usize,
    pub waiting: usize,
}

/// All gates.
#[derive(Debug, Default)]
pub(super) struct Gates(HashMap<Route, Gate>);

impl Gates {
    pub(super) fn hold(&mut self, route: Route) {
        let gate = self.0.entry(route).or_default();
        gate.closed = true;
        gate.let_through = 0;
    }

    pub(super) fn step(&mut self, route: Route, count: usize) {
        self.0.entry(route).or_default().let_through += count;
    }

    pub(super) fn release(&mut self, route: Route) {
        self.0.entry(route).or_default().closed = false;
    }

    pub(super) fn waiting(&self, route: Route) -> usize {
        self.0.get(&route).map_or(0, |gate| gate.waiting)
    }

    pub(super) fn count(&mut self, route: Route, by: isize) {
        let gate = self.0.entry(route).or_default();
        gate.waiting = gate.waiting.saturating_add_signed(by);
    }

    /// Whether a request may pass now; uses up one step.
    pub(super) fn pass(&mut self, route: Route) -> bool {
        let Some(gate) = self.0.get_mut(&route) else { return true };
        if !gate.closed {
            return true;
        }
        let free = gate.let_through > 0;
        gate.let_through = gate.let_through.saturating_sub(1);
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_meets_what_it_names_and_as_often_as_it_says() {
        let mut rng = fastrand::Rng::with_seed(1);
        let (mut faults, one) = (Faults::default(), Uuid::from_u128(1));
        faults.add(On::route(Route::Decision).of(one), Fault::NullLinks, Some(2), 1.0);
        let mut drawn = |route, id| faults.draw(Some(route), Some(id), &mut rng).len();
        assert_eq!(drawn(Route::Sessions, one), 0);
        assert_eq!(drawn(Route::Decision, Uuid::from_u128(2)), 0);
        assert_eq!(drawn(Route::Decision, one), 1);
        assert_eq!(drawn(Route::Decision, one), 1);
        assert_eq!(drawn(Route::Decision, one), 0);
    }

    #[test]
    fn chance_is_seeded() {
        let run = |seed| {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut faults = Faults::default();
            faults.add(On::any(), Fault::DropBefore, None, 0.3);
            (0..200).map(|_| faults.draw(None, None, &mut rng).len()).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let hits: usize = run(7).iter().sum();
        assert!((30..90).contains(&hits), "{hits}");
    }
}
