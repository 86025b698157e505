//! The way through a list of Didit's, as pure steps: a page from the top and a page from the bottom by turns, so
//! that what is new and what has waited longest both come in, until the two meet. Lists are asked by offset, and
//! offsets shift as sessions come and leave: pages overlap, and one that does not join what was read before is
//! read further back. How far it has come can be kept and taken up by another process.

use serde::{Deserialize, Serialize};

use crate::domain::{Millis, SessionId};

/// So many rows of a page were read with the page before.
const OVERLAP: u64 = 5;
/// So often in a row a page that does not join is read further back, twice as far each time.
const BACKS: u32 = 10;

/// A row that was read: what comes next has to join it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Anchor {
    key: SessionId,
    number: Option<u64>,
}

/// How far a list was walked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Walk {
    /// What was asked for: another question is another list.
    rule: String,
    /// When it was begun: everything that stayed in the list since then has been seen at its end.
    pub(super) started: Millis,
    /// Rows a page.
    page: u64,
    /// How long the list was at the last look.
    count: Option<u64>,
    /// Rows read from the top.
    down: u64,
    /// The last of them.
    down_last: Option<Anchor>,
    /// Where the rows begin that were read from the bottom.
    up: Option<u64>,
    /// The first of them.
    up_first: Option<Anchor>,
    /// Whether the next page is one from the bottom.
    bottom_next: bool,
    /// Nothing is read from the bottom: the list does not tell how long it is, or does not keep its order.
    top_only: bool,
    /// Whether numbers go down from row to row, so that they tell what lies between two rows.
    ordered: bool,
    /// Pages in a row that did not join.
    backs: u32,
}

/// A page to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Rows to pass over.
    pub(super) offset: u64,
    /// Rows to ask for.
    pub(super) limit: u64,
    bottom: bool,
}

/// What a page showed.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    /// The rows that could be read, in their order.
    pub(super) rows: &'a [(SessionId, Option<u64>)],
    /// How many could not.
    pub(super) unread: u64,
    /// How long the list is.
    pub(super) count: Option<u64>,
    /// Whether the list ends with this page.
    pub(super) last: bool,
}

impl Walk {
    /// At the beginning of a list.
    pub(super) fn new(rule: String, started: Millis, page: u32) -> Self {
        Self {
            rule,
            started,
            page: u64::from(page.max(1)),
            count: None,
            down: 0,
            down_last: None,
            up: None,
            up_first: None,
            bottom_next: false,
            top_only: false,
            ordered: true,
            backs: 0,
        }
    }

    /// Whether this is the way through the list that `rule` asks for.
    pub(super) fn is_of(&self, rule: &str) -> bool {
        self.rule == rule
    }

    /// Whether nothing was read yet.
    pub(super) fn is_fresh(&self) -> bool {
        self.down == 0 && self.up.is_none()
    }

    fn overlap(&self) -> u64 {
        OVERLAP.min(self.page - 1)
    }

    /// The page to read next.
    pub(super) fn next(&self) -> Step {
        let overlap = self.overlap();
        let top =
            Step { offset: self.down.saturating_sub(overlap), limit: self.page, bottom: false };
        let Some(end) = self.up.or(self.count).filter(|_| self.bottom_next && !self.top_only)
        else {
            return top;
        };
        let end = if self.up.is_some() { end + overlap } else { end };
        let offset = end.saturating_sub(self.page);
        // What is left is one page: from the top it joins both.
        if offset <= self.down { top } else { Step { offset, limit: self.page, bottom: true } }
    }

    /// Takes note of a page; whether the walk is over.
    pub(super) fn took(&mut self, step: Step, shown: &Shown<'_>) -> bool {
        let n = shown.rows.len() as u64 + shown.unread;
        self.follow(shown);
        if n > 0 && n < step.limit && !shown.last {
            // The server gives fewer than it is asked for.
            self.page = self.page.min(n);
        }
        self.bottom_next = !step.bottom && !self.top_only;
        if step.bottom { self.took_bottom(step, shown, n) } else { self.took_top(step, shown, n) }
    }

    /// Moves with the list: what came stands at its top, what left has drawn the rest up.
    fn follow(&mut self, shown: &Shown<'_>) {
        let numbers: Option<Vec<u64>> = shown.rows.iter().map(|(_, number)| *number).collect();
        self.ordered &= numbers.is_some_and(|numbers| numbers.windows(2).all(|w| w[0] > w[1]));
        if let (Some(old), Some(new)) = (self.count, shown.count) {
            match self.up.as_mut() {
                Some(up) if new > old => *up = (*up + (new - old)).min(new),
                Some(up) => *up = (*up).min(new),
                None => {}
            }
            self.down = self.down.saturating_sub(old.saturating_sub(new));
        }
        self.count = shown.count;
        self.top_only |= shown.count.is_none();
    }

    fn took_top(&mut self, step: Step, shown: &Shown<'_>, n: u64) -> bool {
        let joins = step.offset == 0 || self.overlap() == 0 || self.joins_top(shown.rows);
        if !joins && self.backs < BACKS {
            self.down = step.offset.saturating_sub(self.page << self.backs);
            self.backs += 1;
            self.bottom_next = false;
            return false;
        }
        self.backs = 0;
        if shown.last || n == 0 {
            return true;
        }
        self.down = step.offset + n;
        if let Some(last) = shown.rows.last() {
            self.down_last = Some(anchor(last));
        }
        let Some(up) = self.up.filter(|_| self.meets_bottom(shown.rows)) else { return false };
        // Where the two meet far from where the bottom was, offsets mean nothing here.
        if step.offset + n + 2 * self.page >= up {
            return true;
        }
        self.leave_the_bottom();
        false
    }

    fn took_bottom(&mut self, step: Step, shown: &Shown<'_>, n: u64) -> bool {
        let first_look = self.up_first.is_none();
        let joins = shown.last || (!first_look && self.joins_bottom(shown.rows));
        if n == 0 || (!joins && self.backs >= BACKS) {
            self.leave_the_bottom();
            return false;
        }
        if !joins {
            let end = step.offset + n + (self.page << self.backs);
            self.up = Some(shown.count.map_or(end, |count| end.min(count)));
            self.backs += 1;
            self.bottom_next = true;
            return false;
        }
        self.backs = 0;
        self.up = Some(step.offset);
        if let Some(first) = shown.rows.first() {
            self.up_first = Some(anchor(first));
        }
        if step.offset == 0 {
            return true;
        }
        if !self.meets_top(shown.rows) {
            return false;
        }
        if step.offset <= self.down + 2 * self.page {
            return true;
        }
        self.leave_the_bottom();
        false
    }

    /// Reads on from the top alone, to the end.
    fn leave_the_bottom(&mut self) {
        (self.up, self.up_first) = (None, None);
        (self.top_only, self.bottom_next, self.backs) = (true, false, 0);
    }

    /// Whether nothing lies between the last row from the top and this page.
    fn joins_top(&self, rows: &[(SessionId, Option<u64>)]) -> bool {
        let Some(last) = &self.down_last else { return true };
        holds(rows, last) || (self.ordered && rows.first().is_some_and(|row| row.1 >= last.number))
    }

    /// Whether nothing lies between this page and the first row from the bottom.
    fn joins_bottom(&self, rows: &[(SessionId, Option<u64>)]) -> bool {
        let Some(first) = &self.up_first else { return true };
        holds(rows, first) || (self.ordered && rows.last().is_some_and(|row| row.1 <= first.number))
    }

    fn meets_bottom(&self, rows: &[(SessionId, Option<u64>)]) -> bool {
        self.up_first.is_some() && self.joins_bottom(rows)
    }

    fn meets_top(&self, rows: &[(SessionId, Option<u64>)]) -> bool {
        self.down_last.is_some() && self.joins_top(rows)
    }
}

fn anchor((key, number): &(SessionId, Option<u64>)) -> Anchor {
    Anchor { key: key.clone(), number: *number }
}

fn holds(rows: &[(SessionId, Option<u64>)], anchor: &Anchor) -> bool {
    rows.iter().any(|(key, _)| *key == anchor.key)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    fn row(number: u64, numbered: bool) -> (SessionId, Option<u64>) {
        (SessionId::parse(&format!("s-{number}")).unwrap(), numbered.then_some(number))
    }

    /// A list, newest first, that changes between pages.
    struct List {
        numbers: Vec<u64>,
        newest: u64,
        numbered: bool,
        counted: bool,
        most: usize,
    }

    impl List {
        fn of(n: u64) -> Self {
            let numbers = (1..=n).rev().collect();
            Self { numbers, newest: n, numbered: true, counted: true, most: usize::MAX }
        }

        fn page(&self, step: Step) -> (Vec<(SessionId, Option<u64>)>, bool) {
            let from = usize::try_from(step.offset).unwrap().min(self.numbers.len());
            let most = usize::try_from(step.limit).unwrap().min(self.most);
            let to = (from + most).min(self.numbers.len());
            let rows = self.numbers[from..to].iter().map(|n| row(*n, self.numbered)).collect();
            (rows, to == self.numbers.len())
        }

        fn count(&self) -> Option<u64> {
            self.counted.then_some(self.numbers.len() as u64)
        }

        /// Walks to the end, with `change` between pages; what was seen, and by how many pages.
        fn walk(
            &mut self,
            page: u32,
            mut change: impl FnMut(&mut Self, u64),
        ) -> (BTreeSet<u64>, u64) {
            let mut walk = Walk::new("r".to_owned(), Millis(0), page);
            let (mut seen, mut pages) = (BTreeSet::new(), 0);
            loop {
                // As another process would take it up.
                walk = serde_json::from_str(&serde_json::to_string(&walk).unwrap()).unwrap();
                let step = walk.next();
                let (rows, last) = self.page(step);
                let number = |key: &SessionId| key.as_str()[2..].parse::<u64>().unwrap();
                seen.extend(rows.iter().map(|(key, _)| number(key)));
                pages += 1;
                assert!(pages < 5_000, "it ends: {walk:?}");
                let shown = Shown { rows: &rows, unread: 0, count: self.count(), last };
                if walk.took(step, &shown) {
                    return (seen, pages);
                }
                change(self, pages);
            }
        }
    }

    #[test]
    fn a_list_that_stays_is_read_once_from_both_ends() {
        for (n, page, most) in
            [(0, 100, 1), (1, 100, 1), (100, 100, 1), (101, 100, 2), (10_000, 100, 107)]
        {
            let (seen, pages) = List::of(n).walk(page, |_, _| ());
            assert_eq!(seen.len() as u64, n);
            assert!(pages <= most, "{n} rows in {pages} pages");
        }
        let mut order = Vec::new();
        let mut walk = Walk::new("r".to_owned(), Millis(0), 100);
        let mut list = List::of(1_000);
        for _ in 0..4 {
            let step = walk.next();
            order.push(step.offset);
            let (rows, last) = list.page(step);
            walk.took(step, &Shown { rows: &rows, unread: 0, count: list.count(), last });
        }
        assert_eq!(order, [0, 900, 95, 805], "newest and oldest by turns");
        list.most = 30;
        assert_eq!(list.walk(100, |_, _| ()).0.len(), 1_000, "a server that gives fewer");
        list.counted = false;
        assert_eq!(list.walk(100, |_, _| ()).0.len(), 1_000, "one that counts nothing");
    }

    /// Whatever offset is asked for, the first page comes: not the whole list was read then, and it shows.
    #[test]
    fn a_server_that_ignores_offsets_is_never_taken_for_read() {
        let list = List::of(1_000);
        let mut walk = Walk::new("r".to_owned(), Millis(0), 100);
        for _ in 0..200 {
            let (rows, _) = list.page(Step { offset: 0, limit: 100, bottom: false });
            let step = walk.next();
            let shown = Shown { rows: &rows, unread: 0, count: list.count(), last: false };
            assert!(!walk.took(step, &shown), "{walk:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
        /// Whoever stays in the list from the beginning to the end of a walk has been seen in it, however
        /// many others come and leave between the pages.
        #[test]
        fn whoever_stays_is_seen(
            n in 0u64..900,
            page in 2u32..60,
            numbered in any::<bool>(),
            counted in any::<bool>(),
            changes in prop::collection::vec((0u64..20, prop::collection::vec(0usize..900, 0..30)), 0..60),
        ) {
            let mut list = List { numbered, counted, ..List::of(n) };
            let (mut changes, mut left) = (changes.into_iter(), BTreeSet::new());
            let (seen, _) = list.walk(page, |list, _| {
                let Some((came, gone)) = changes.next() else { return };
                for place in gone {
                    if place < list.numbers.len() && list.numbers.len() > 1 {
                        left.insert(list.numbers.remove(place));
                    }
                }
                for _ in 0..came {
                    list.newest += 1;
                    list.numbers.insert(0, list.newest);
                }
            });
            for number in (1..=n).filter(|number| !left.contains(number)) {
                prop_assert!(seen.contains(&number), "{number} was left out");
            }
        }
    }
}
