//! Figures of the queue and of what was decided: counts, times, and how often two readers agree. Fed
//! with rows, one after the other; knows neither where they come from nor how figures are shown.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Bands, Case, CaseState, Decision, DecisionId, DeliveryState, Disposition, HistoryRow,
    Judgement, Millis, QueueRow, ReviewerId, SessionId, Similarity, Unreadable,
};

/// Counts by a word.
pub type Counts = BTreeMap<String, u64>;

/// The figures. The names of the fields are part of the contract with scripts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Cases by state.
    pub cases: Counts,
    /// Cases by the band of their best candidate that is neither a self-match nor allowlisted.
    pub bands: Counts,
    /// Decisions that stand, by disposition.
    pub dispositions: Counts,
    /// Decisions by where they are, taken back ones too.
    pub states: Counts,
    /// Decisions that stand, by the name of who made them.
    pub reviewers: Counts,
    /// Decisions that stand, by the hour of the day (UTC).
    pub hours: Counts,
    /// Rows that cannot be read, by what they are: they are counted nowhere else.
    pub unreadable: Counts,
    /// Middle times.
    pub median_ms: Medians,
    /// How often two readers say the same.
    pub agreement: ReadTwice,
}

/// Medians in milliseconds; `None` where there is nothing to take one of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Medians {
    /// From both pictures painted to the key; decisions of scripts left out.
    pub looked: Option<i64>,
    /// From the session's beginning at Didit to the decision.
    pub waited: Option<i64>,
    /// From the decision to its end at Didit, the undo window included.
    pub sent: Option<i64>,
}

/// Pairs that two people have read: what the second said of what the first had said. People are told
/// apart by their identity, never by their name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ReadTwice {
    /// Pairs that a second reader has read.
    pub read_twice: u64,
    /// Both said `different`, or both `same`.
    pub agreed: u64,
    /// One said `different`, the other `same`.
    pub differed: u64,
    /// One of them could not tell.
    pub unsure: u64,
}

/// A heading with its counts in their order, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What is counted.
    pub head: &'static str,
    /// The words and their counts.
    pub rows: Vec<(String, u64)>,
}

/// What decisions are counted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Where they are.
    pub state: DeliveryState,
    /// What they are.
    pub disposition: String,
    /// The name of who made them.
    pub reviewer: String,
    /// The hour of the day (UTC).
    pub hour: i64,
}

impl Told {
    /// What is told of one decision.
    #[must_use]
    pub fn of(row: &HistoryRow) -> Self {
        let d = &row.decision;
        Self {
            state: row.state,
            disposition: d.disposition.word().to_owned(),
            reviewer: d.reviewer.name.clone(),
            hour: d.at.0.div_euclid(3_600_000).rem_euclid(24),
        }
    }
}

/// Times of one decision that are counted, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spans {
    /// From both pictures painted to the key.
    pub looked: Option<i64>,
    /// From the session's beginning at Didit, where known, to the decision.
    pub waited: Option<i64>,
    /// From the decision to its end at Didit.
    pub sent: Option<i64>,
}

impl Spans {
    /// The times of a decision that stands; none of one that was taken back.
    #[must_use]
    pub fn of(row: &HistoryRow, created: Option<Millis>) -> Self {
        let d = &row.decision;
        if row.state == DeliveryState::Undone {
            return Self::default();
        }
        let by_hand = d.receipt.protocol != "script" && !d.receipt.protocol.is_empty();
        let settled = row.settled_at.filter(|_| row.state == DeliveryState::Sent);
        Self {
            looked: by_hand.then_some(d.receipt.dwell_ms),
            waited: created.map(|began| d.at.since(began)),
            sent: settled.map(|at| at.since(d.at)),
        }
    }
}

impl ReadTwice {
    /// How often two readers say the same in decisions that stand: all of those about a case are among them.
    pub fn of<'a>(standing: impl Iterator<Item = &'a Decision>) -> Self {
        agreement(standing)
    }

    /// The same of others besides.
    pub fn add(&mut self, other: Self) {
        self.read_twice += other.read_twice;
        self.agreed += other.agreed;
        self.differed += other.differed;
        self.unsure += other.unsure;
    }
}

impl Figures {
    /// Counts cases of a state.
    pub fn cases(&mut self, state: &str, n: u64) {
        count(&mut self.cases, state, n);
    }

    /// Counts cases by their best score in hundredths of a percent, below zero where they have none. Edges
    /// count to the hundredth.
    pub fn scored(&mut self, score: i64, n: u64, bands: &Bands) {
        // A hair above, as the score was cut a hair above: 89.99 is not 89.989999.
        let similarity = u32::try_from(score).ok().map(|score| f64::from(score) / 100.0 + 1e-7);
        let band = similarity.and_then(|percent| Similarity::new(percent.min(100.0)));
        count(&mut self.bands, band.map_or("no score", |s| bands.of(s).word()), n);
    }

    /// Counts decisions of which the same is told.
    pub fn told(&mut self, told: &Told, n: u64) {
        count(&mut self.states, told.state.word(), n);
        if told.state == DeliveryState::Undone {
            return;
        }
        count(&mut self.dispositions, &told.disposition, n);
        count(&mut self.reviewers, &told.reviewer, n);
        count(&mut self.hours, &format!("{:02}", told.hour), n);
    }

    /// Counts what cannot be read, and is in no other figure.
    pub fn unread(&mut self, rows: &[Unreadable]) {
        for row in rows {
            count(&mut self.unreadable, row.kind.word(), 1);
        }
    }
}

/// Counts rows into figures.
#[derive(Debug, Default)]
pub struct Tallier {
    figures: Figures,
    /// When cases began at Didit.
    created: BTreeMap<SessionId, Millis>,
}

impl Tallier {
    /// Counts a case.
    pub fn case(&mut self, row: &QueueRow, bands: &Bands) {
        count(&mut self.figures.cases, row.state.word(), 1);
        count(&mut self.figures.bands, best_band(&row.case, bands), 1);
        if let Some(at) = row.case.created_at {
            self.created.insert(row.case.key.clone(), at);
        }
    }

    /// Counts what cannot be read, and is in no other figure.
    pub fn unreadable(&mut self, rows: &[Unreadable]) {
        self.figures.unread(rows);
    }

    /// Counts all decisions, and gives the figures out.
    #[must_use]
    pub fn decisions(mut self, history: &[HistoryRow]) -> Figures {
        let (mut looked, mut waited, mut sent) = (Vec::new(), Vec::new(), Vec::new());
        let figures = &mut self.figures;
        for row in history {
            figures.told(&Told::of(row), 1);
            let spans = Spans::of(row, self.created.get(&row.decision.case).copied());
            looked.extend(spans.looked);
            waited.extend(spans.waited);
            sent.extend(spans.sent);
        }
        let middle = [looked, waited, sent].map(median);
        figures.median_ms = Medians { looked: middle[0], waited: middle[1], sent: middle[2] };
        let standing = history.iter().filter(|row| row.state != DeliveryState::Undone);
        figures.agreement = agreement(standing.map(|row| &row.decision));
        self.figures
    }
}

impl Figures {
    /// The counts under their headings, those that are empty left out.
    #[must_use]
    pub fn sections(&self) -> Vec<Section> {
        let states: Vec<_> = DeliveryState::ALL.into_iter().map(DeliveryState::word).collect();
        let dispositions: Vec<_> = Disposition::ALL.into_iter().map(Disposition::word).collect();
        let cases: Vec<_> = CaseState::ALL.into_iter().map(CaseState::word).collect();
        let bands = ["strong", "possible", "unlikely", "no score"];
        let agreement = [
            ("agreed", self.agreement.agreed),
            ("differed", self.agreement.differed),
            ("one unsure", self.agreement.unsure),
        ];
        let twice = agreement.map(|(word, count)| (word.to_owned(), count)).to_vec();
        let twice = if self.agreement.read_twice == 0 { Vec::new() } else { twice };
        let sections = [
            Section { head: "cases", rows: in_order(&self.cases, &cases) },
            Section { head: "best band", rows: in_order(&self.bands, &bands) },
            Section { head: "disposition", rows: in_order(&self.dispositions, &dispositions) },
            Section { head: "delivery", rows: in_order(&self.states, &states) },
            Section { head: "reviewer", rows: all(&self.reviewers) },
            Section { head: "hour (UTC)", rows: all(&self.hours) },
            Section { head: "read twice", rows: twice },
            Section { head: "cannot be read", rows: all(&self.unreadable) },
        ];
        sections.into_iter().filter(|section| !section.rows.is_empty()).collect()
    }

    /// Middle times in words: what is measured, and seconds.
    #[must_use]
    pub fn times(&self) -> [(&'static str, String); 3] {
        let Medians { looked, waited, sent } = self.median_ms;
        [("looked at", looked), ("waited before", waited), ("sent after", sent)]
            .map(|(what, ms)| (what, ms.map_or_else(|| "-".to_owned(), seconds)))
    }
}

fn in_order(counts: &Counts, words: &[&'static str]) -> Vec<(String, u64)> {
    let there = words.iter().filter_map(|word| Some(((*word).to_owned(), *counts.get(*word)?)));
    there.collect()
}

fn all(counts: &Counts) -> Vec<(String, u64)> {
    counts.iter().map(|(word, count)| (word.clone(), *count)).collect()
}

fn seconds(ms: i64) -> String {
    format!("{}.{}", ms / 1000, ms.rem_euclid(1000) / 100)
}

fn count(counts: &mut Counts, word: &str, n: u64) {
    *counts.entry(word.to_owned()).or_default() += n;
}

fn best_band(case: &Case, bands: &Bands) -> &'static str {
    let others = case.candidates.iter().filter(|c| !c.self_match && !c.allowlisted);
    let best =
        others.filter_map(|c| c.similarity).max_by(|a, b| a.percent().total_cmp(&b.percent()));
    best.map_or("no score", |similarity| bands.of(similarity).word())
}

/// The middle one; of an even number the lower of the two.
fn median(mut values: Vec<i64>) -> Option<i64> {
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

/// The pair: its case, and the candidate's session, or its place where it has none.
type Pair = (SessionId, Result<SessionId, usize>);

fn agreement<'a>(standing: impl Iterator<Item = &'a Decision>) -> ReadTwice {
    let mut readings: BTreeMap<Pair, Vec<(Millis, DecisionId, &ReviewerId, Judgement)>> =
        BTreeMap::new();
    for d in standing {
        for judged in &d.judgements {
            let Some(word) = judged.judgement else { continue };
            let whom = judged.session_id.clone().ok_or(judged.place);
            let reading = (d.at, d.id, &d.reviewer.id, word);
            readings.entry((d.case.clone(), whom)).or_default().push(reading);
        }
    }
    let mut agreement = ReadTwice::default();
    for mut words in readings.into_values() {
        words.sort_by_key(|(at, id, ..)| (*at, *id));
        let Some((_, _, first, _)) = words.first().copied() else { continue };
        // What each of the two said last: somebody who read again may have thought again.
        let last = |who: &ReviewerId| words.iter().rfind(|(_, _, by, _)| *by == who);
        let second = words.iter().map(|(_, _, by, _)| *by).find(|by| *by != first);
        let (Some((.., one)), Some((.., other))) = (last(first), second.and_then(last)) else {
            continue;
        };
        agreement.read_twice += 1;
        match (one, other) {
            (Judgement::Unsure, _) | (_, Judgement::Unsure) => agreement.unsure += 1,
            (one, other) if one == other => agreement.agreed += 1,
            _ => agreement.differed += 1,
        }
    }
    agreement
}

#[cfg(test)]
mod tests {
    use super::super::{Judged, Receipt, Reviewer, Status, SubjectKind};
    use super::*;

    #[test]
    fn a_median_is_one_of_the_values() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![7]), Some(7));
        assert_eq!(median(vec![9, 1]), Some(1));
        assert_eq!(median(vec![9, 1, 5]), Some(5));
    }

    fn key(text: &str) -> SessionId {
        SessionId::parse(text).unwrap()
    }

    fn reading(case: &str, who: &str, at: i64, words: &[(&str, Judgement)]) -> Decision {
        let judged = |(place, (session, word)): (usize, &(&str, Judgement))| Judged {
            place,
            session_id: (!session.is_empty()).then(|| key(session)),
            judgement: Some(*word),
        };
        Decision {
            id: DecisionId(uuid::Uuid::from_u128(at.cast_unsigned().into())),
            case: key(case),
            session_number: None,
            kind: SubjectKind::Workflow,
            disposition: Disposition::Escalate,
            judgements: words.iter().enumerate().map(judged).collect(),
            reason: None,
            comment: None,
            target: None,
            reviewer: Reviewer { id: ReviewerId(who.to_owned()), name: "one label".to_owned() },
            seen_status: Status::InReview,
            at: Millis(at),
            receipt: Receipt::default(),
            replaces: None,
            workflow: None,
            signature: None,
            answers: None,
            evidence: Vec::new(),
        }
    }

    #[test]
    fn two_readers_are_two_identities_and_their_last_words_count() {
        use Judgement::{Different, Same, Unsure};
        let told = |readings: &[Decision]| agreement(readings.iter());
        let ana = reading("s-1", "ana", 1, &[("c-1", Different), ("c-2", Same), ("", Unsure)]);
        assert_eq!(told(std::slice::from_ref(&ana)), ReadTwice::default());
        // The same person again is no second reader.
        let again = reading("s-1", "ana", 2, &[("c-1", Same)]);
        assert_eq!(told(&[ana.clone(), again.clone()]), ReadTwice::default());
        let bo = reading("s-1", "bo", 3, &[("c-1", Same), ("c-2", Same), ("", Same)]);
        let twice =
            |agreed, differed, unsure| ReadTwice { read_twice: 3, agreed, differed, unsure };
        assert_eq!(told(&[ana.clone(), bo.clone()]), twice(1, 1, 1));
        // Whatever order the rows come in.
        assert_eq!(told(&[bo.clone(), again, ana.clone()]), twice(2, 0, 1));
        // Another case is another pair.
        let other = reading("s-2", "bo", 4, &[("c-1", Same)]);
        assert_eq!(told(&[ana, other]).read_twice, 0);
    }
}
