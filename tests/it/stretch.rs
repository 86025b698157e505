//! A queue longer than what is kept in memory: whatever comes late, the cursor stays where the reviewer
//! put it.

use std::collections::VecDeque;

use secondlook::core::{Effect, Event, Model, Problem, ProblemKind, QueueView, update};
use secondlook::domain::{CaseState, Details, QueueQuery, SessionId, Start};
use secondlook::input::Key;

use crate::core_support::{Play, START, id, known, settings};

/// A console on a queue, and what it has asked of the store.
struct Desk {
    model: Model,
    cases: Vec<Details>,
    asked: VecDeque<(QueueQuery, Option<SessionId>)>,
}

impl Desk {
    fn new(count: u64) -> Self {
        let model = Model::new(settings(), (100, 30), START, 7);
        let cases = (1..=count).map(|number| known(number, &[80.0])).collect();
        let mut desk = Self { model, cases, asked: VecDeque::new() };
        desk.asked.push_back((QueueView::default().query, None));
        desk.settle();
        desk
    }

    fn send(&mut self, event: Event) {
        for effect in update(&mut self.model, event) {
            if let Effect::LoadQueue { query, around } = effect {
                self.asked.push_back((query, around));
            }
        }
        assert!(self.asked.len() <= 1, "one read at a time: {:?}", self.asked);
    }

    fn strike(&mut self, key: &str) {
        let (key, at) = (Key::parse(key).unwrap(), self.model.now.plus(100));
        self.send(Event::Key { key, at, burst: 1 });
    }

    /// Something new was taken in.
    fn news(&mut self) {
        self.send(Event::Pulled { queued: 1, departed: 0 });
    }

    /// The store answers what was asked first, as it stands now.
    fn answer(&mut self) {
        let (mut query, around) = self.asked.pop_front().unwrap();
        // As the store's worker does: the case in the middle.
        if let Some(key) = around {
            query.from = Start::Around(key);
        }
        let all = Play::cold(self.cases.clone(), settings()).view(query.clone());
        let limit = query.limit as usize;
        let skipped = match &query.from {
            Start::Around(key) => {
                let rank = self.cases.iter().position(|d| d.case.key == *key);
                rank.map_or(0, |rank| rank.saturating_sub(limit / 2))
            }
            Start::Last => all.rows.len().saturating_sub(limit),
            Start::Front | Start::Behind(_) => 0,
        };
        let rows = all.rows.into_iter().skip(skipped).take(limit).collect();
        let view = QueueView { query, offset: skipped as u64, rows, ..all };
        self.send(Event::Queue(Ok(Box::new(view))));
    }

    fn settle(&mut self) {
        for _ in 0..20 {
            if self.asked.is_empty() {
                return;
            }
            self.answer();
        }
        panic!("it never stops reading");
    }

    fn at(&self) -> SessionId {
        self.model.desk.as_ref().unwrap().key.clone()
    }
}

#[test]
fn to_the_end_and_back_again() {
    let mut desk = Desk::new(600);
    assert_eq!(desk.at(), id(1));
    desk.strike("G");
    desk.settle();
    assert_eq!(desk.at(), id(600));
    desk.strike("g");
    desk.settle();
    assert_eq!(desk.at(), id(1));
}

#[test]
fn an_answer_from_before_a_jump_moves_nothing() {
    for (start, jump, end) in [("G", "g", 1), ("g", "G", 600)] {
        let mut desk = Desk::new(600);
        desk.strike(start);
        desk.settle();
        // Read around the old place, and answered after the jump.
        desk.news();
        desk.strike(jump);
        desk.settle();
        assert_eq!(desk.at(), id(end), "{start} {jump}");
    }
}

#[test]
fn an_answer_from_before_many_steps_moves_nothing() {
    let mut desk = Desk::new(600);
    desk.strike("G");
    desk.settle();
    desk.news();
    for _ in 0..200 {
        desk.strike("k");
    }
    // The answer holds the last cases only.
    assert_eq!(desk.at(), id(400));
    desk.settle();
    assert_eq!(desk.at(), id(400));
    let held = (desk.model.queue.offset, desk.model.queue.rows.len());
    assert_eq!(held, (399 - 128, 256), "read around the cursor");
    for _ in 0..600 {
        desk.strike("k");
        desk.settle();
    }
    assert_eq!(desk.at(), id(1));
}

#[test]
fn news_during_a_read_is_read_too() {
    let mut desk = Desk::new(3);
    desk.news();
    desk.cases.push(known(4, &[80.0]));
    desk.answer();
    assert_eq!(desk.model.queue.total, 4);
    desk.news();
    // Taken in when the store had already answered, told before the answer came.
    desk.news();
    desk.answer();
    desk.cases.push(known(5, &[80.0]));
    desk.settle();
    assert_eq!(desk.model.queue.total, 5);
}

#[test]
fn a_store_that_fails_is_not_asked_for_ever() {
    let mut desk = Desk::new(600);
    desk.news();
    desk.strike("G");
    for _ in 0..3 {
        if desk.asked.pop_front().is_some() {
            let (text, hint) = ("The store is away.".to_owned(), String::new());
            let problem = Problem { kind: ProblemKind::Store, text, hint };
            desk.send(Event::Queue(Err(problem)));
        }
    }
    assert!(desk.asked.is_empty());
}

#[test]
fn a_case_that_is_gone_makes_room_for_the_next() {
    let mut desk = Desk::new(3);
    desk.strike("j");
    assert_eq!(desk.at(), id(2));
    desk.cases.remove(1);
    desk.news();
    desk.settle();
    assert_eq!(desk.at(), id(3));
    assert_eq!(desk.model.queue.tally.open, 2);
    assert_eq!(desk.model.queue.query.states, [CaseState::Open]);
}
