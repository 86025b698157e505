//! `stats`: figures of the queue and of what was decided, as tables and as one JSON object.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::args::Args;
use super::super::error::{CliError, Exit};
use super::super::output::{json, line, table};
use super::super::wire::{self, Setup};
use super::{ALL_STATES, Desk};
use crate::domain::{
    Bands, Case, DeliveryState, Disposition, HistoryQuery, HistoryRow, Millis, QueueQuery,
};

/// Rows of the queue that are read at a time.
const PAGE: u32 = 1_000;

/// Counts by a word.
type Counts = BTreeMap<String, u64>;

/// The figures. The names are part of the contract with scripts.
#[derive(Debug, Default, Serialize)]
struct Figures {
    /// Cases by state.
    cases: Counts,
    /// Cases by the band of their best candidate that is neither a self-match nor allowlisted.
    bands: Counts,
    /// Decisions that stand, by disposition.
    dispositions: Counts,
    /// Decisions by where they are, taken back ones too.
    states: Counts,
    /// Decisions that stand, by who made them.
    reviewers: Counts,
    /// Decisions that stand, by the hour of the day (UTC).
    hours: Counts,
    /// Medians in milliseconds.
    median_ms: Medians,
}

/// Medians in milliseconds; `None` where there is nothing to take one of.
#[derive(Debug, Default, Serialize)]
struct Medians {
    /// From both pictures painted to the key; decisions of scripts left out.
    looked: Option<i64>,
    /// From the session's beginning at Didit to the decision.
    waited: Option<i64>,
    /// From the decision to its end at Didit, the undo window included.
    sent: Option<i64>,
}

/// Prints the figures.
pub async fn stats(args: &Args) -> Result<Exit, CliError> {
    let setup = Setup::load(args)?;
    let desk = Desk::open(&setup).await?;
    let mut figures = Figures::default();
    let created = cases(&desk, &setup.bands(), &mut figures).await?;
    let history = desk.store.history(&desk.origin, &HistoryQuery::default()).await?;
    decisions(&history, &created, &mut figures);
    desk.store.close().await;
    if args.json {
        json(&figures);
    } else {
        print(&figures);
    }
    Ok(Exit::Done)
}

/// Counts the cases page by page; when the decided ones began.
async fn cases(
    desk: &Desk,
    bands: &Bands,
    figures: &mut Figures,
) -> Result<BTreeMap<String, Millis>, CliError> {
    let mut created = BTreeMap::new();
    let states = ALL_STATES.to_vec();
    let mut query = QueueQuery { states, filter: String::new(), offset: 0, limit: PAGE };
    loop {
        let page = desk.store.queue(&desk.origin, &query, wire::now()).await?;
        for row in &page.rows {
            count(&mut figures.cases, row.state.word());
            count(&mut figures.bands, best_band(&row.case, bands));
            if let (Some(at), true) = (row.case.created_at, row.decision.is_some()) {
                created.insert(row.case.key.to_string(), at);
            }
        }
        query.offset += u64::try_from(page.rows.len()).unwrap_or(u64::MAX);
        if page.rows.is_empty() || query.offset >= page.total {
            return Ok(created);
        }
    }
}

fn best_band(case: &Case, bands: &Bands) -> &'static str {
    let others = case.candidates.iter().filter(|c| !c.self_match && !c.allowlisted);
    let best =
        others.filter_map(|c| c.similarity).max_by(|a, b| a.percent().total_cmp(&b.percent()));
    best.map_or("no score", |similarity| bands.of(similarity).word())
}

fn decisions(history: &[HistoryRow], created: &BTreeMap<String, Millis>, figures: &mut Figures) {
    let (mut looked, mut waited, mut sent) = (Vec::new(), Vec::new(), Vec::new());
    for row in history {
        let d = &row.decision;
        count(&mut figures.states, row.state.word());
        if row.state == DeliveryState::Undone {
            continue;
        }
        count(&mut figures.dispositions, d.disposition.word());
        count(&mut figures.reviewers, &d.reviewer.name);
        count(&mut figures.hours, &format!("{:02}", d.at.0.div_euclid(3_600_000).rem_euclid(24)));
        if d.receipt.protocol != "script" && !d.receipt.protocol.is_empty() {
            looked.push(d.receipt.dwell_ms);
        }
        if let Some(began) = created.get(d.case.as_str()) {
            waited.push(d.at.since(*began));
        }
        let settled = row.settled_at.filter(|_| row.state == DeliveryState::Sent);
        sent.extend(settled.map(|at| at.since(d.at)));
    }
    figures.median_ms =
        Medians { looked: median(looked), waited: median(waited), sent: median(sent) };
}

fn count(counts: &mut Counts, word: &str) {
    *counts.entry(word.to_owned()).or_default() += 1;
}

/// The middle one; of an even number the lower of the two.
fn median(mut values: Vec<i64>) -> Option<i64> {
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

fn print(figures: &Figures) {
    let order = |words: &[&'static str]| -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    };
    let states: Vec<_> = DeliveryState::ALL.into_iter().map(DeliveryState::word).collect();
    let dispositions = [
        Disposition::Approve,
        Disposition::Reject,
        Disposition::Blocklist,
        Disposition::Escalate,
        Disposition::Skip,
    ];
    let dispositions: Vec<_> = dispositions.into_iter().map(Disposition::word).collect();
    let cases: Vec<_> = ALL_STATES.into_iter().map(crate::domain::CaseState::word).collect();
    let bands = ["strong", "possible", "unlikely", "no score"];
    let own = |counts: &Counts| counts.keys().cloned().collect::<Vec<_>>();
    for (head, counts, words) in [
        ("cases", &figures.cases, order(&cases)),
        ("best band", &figures.bands, order(&bands)),
        ("disposition", &figures.dispositions, order(&dispositions)),
        ("delivery", &figures.states, order(&states)),
        ("reviewer", &figures.reviewers, own(&figures.reviewers)),
        ("hour (UTC)", &figures.hours, own(&figures.hours)),
    ] {
        let there = words.iter().filter_map(|word| Some((word, counts.get(word)?)));
        let rows: Vec<_> =
            there.map(|(word, count)| vec![word.clone(), count.to_string()]).collect();
        if !rows.is_empty() {
            table(&[head, "count"], &rows);
            line("");
        }
    }
    let Medians { looked, waited, sent } = figures.median_ms;
    let rows = [("looked at", looked), ("waited before", waited), ("sent after", sent)]
        .map(|(what, ms)| vec![what.to_owned(), ms.map_or_else(|| "-".to_owned(), seconds)]);
    table(&["median time", "seconds"], &rows);
}

fn seconds(ms: i64) -> String {
    format!("{}.{}", ms / 1000, ms.rem_euclid(1000) / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_one_of_the_values() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![7]), Some(7));
        assert_eq!(median(vec![9, 1]), Some(1));
        assert_eq!(median(vec![9, 1, 5]), Some(5));
    }
}
