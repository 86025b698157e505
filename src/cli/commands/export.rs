//! `export`: every decision with what was judged, seen and done, for other programs. No name, no link, no
//! word of the comment beyond the reviewer's own sentence, and in a table no cell that is a formula.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::super::args::{Args, ExportFormat};
use super::super::error::{CliError, Exit};
use super::super::output::{json, line, say};
use super::super::wire::Setup;
use super::outbox::timestamp;
use super::reading::Reading;
use crate::domain::{
    Along, Case, HistoryQuery, HistoryRow, Judged, Judgement, Reason, Source, SubjectKind,
};

/// Decisions that are read at a time.
const PAGE: u32 = 1_000;

/// A decision. The names are part of the contract with scripts.
#[derive(Debug, Serialize)]
struct Row {
    decision: String,
    case: String,
    session_number: Option<u64>,
    kind: &'static str,
    disposition: &'static str,
    state: &'static str,
    reason: Option<&'static str>,
    comment: Option<String>,
    target: Option<String>,
    target_number: Option<u64>,
    reviewer: String,
    reviewer_id: String,
    seen_status: String,
    at: String,
    settled_at: Option<String>,
    attempts: u32,
    replaces: Option<String>,
    note: Option<String>,
    judgements: Vec<JudgedRow>,
    receipt: ReceiptRow,
    /// What was said is hidden, because the case waits for whoever exports to read it too.
    withheld: bool,
}

/// A judgement, with what the case says of its candidate.
#[derive(Debug, Serialize)]
struct JudgedRow {
    session_id: Option<String>,
    similarity_percentage: Option<f64>,
    band: Option<&'static str>,
    source: Option<String>,
    judgement: &'static str,
}

/// What the reviewer saw.
#[derive(Debug, Serialize)]
struct ReceiptRow {
    protocol: String,
    sha256: Vec<String>,
    cells: Vec<(u16, u16)>,
    tiers: Vec<String>,
    eye_pixels: Vec<u16>,
    zooms: u16,
    flips: u16,
    score_hidden: bool,
    dwell_ms: i64,
}

const HEAD: [&str; 27] = [
    "decision",
    "case",
    "session_number",
    "kind",
    "disposition",
    "state",
    "reason",
    "comment",
    "target",
    "target_number",
    "reviewer",
    "reviewer_id",
    "seen_status",
    "at",
    "settled_at",
    "attempts",
    "replaces",
    "note",
    "judgements",
    "protocol",
    "sha256",
    "eye_pixels",
    "zooms",
    "flips",
    "score_hidden",
    "dwell_ms",
    "withheld",
];

/// Prints every decision, oldest first.
pub async fn export(
    args: &Args,
    format: ExportFormat,
    origin: Option<&str>,
) -> Result<Exit, CliError> {
    let setup = Setup::load(args)?;
    let desk = Reading::open(&setup, origin).await?;
    let me = desk.reader(&setup).await?;
    if format == ExportFormat::Csv {
        line(&csv(&HEAD.map(str::to_owned)))?;
    }
    let (mut after, mut known_to, mut hidden, mut unreadable) = (0, 0, BTreeSet::new(), Vec::new());
    // Page by page, so that a long history leaves as it is read.
    loop {
        let (limit, along) = (Some(PAGE), Along::After(after));
        let query = HistoryQuery { limit, along, ..HistoryQuery::default() };
        let mut page = desk.store.history(&desk.origin, &query).await?;
        let Some(end) = page.end else { break };
        // An export is no way around the blindness of a second reader: what is hidden is asked when the rows
        // are here, and again for those that came since.
        if end > known_to {
            let newest = HistoryQuery { limit: Some(1), ..HistoryQuery::default() };
            known_to = desk.store.history(&desk.origin, &newest).await?.end.unwrap_or(end).max(end);
            hidden = desk.hidden(&me).await?;
        }
        let cases: Vec<_> = page.rows.iter().map(|row| row.decision.case.clone()).collect();
        let cases = desk.store.known(&desk.origin, &cases).await?;
        let cases: BTreeMap<_, _> = cases.iter().map(|case| (&case.key, case)).collect();
        for past in &mut page.rows {
            let withheld = hidden.contains(&past.decision.id);
            if withheld {
                past.veil();
            }
            let row = row(&setup, past, cases.get(&past.decision.case).copied(), withheld);
            match format {
                ExportFormat::Jsonl => json(&row)?,
                ExportFormat::Csv => line(&csv(&cells(&row)))?,
            }
        }
        unreadable.append(&mut page.unreadable);
        after = end;
    }
    desk.store.close().await;
    for row in unreadable.iter().rev() {
        say(&format!("Left out: {row}."));
    }
    Ok(if unreadable.is_empty() { Exit::Done } else { Exit::Partly })
}

/// A decision and its case. What was said of a case does not hang on the case.
fn row(setup: &Setup, past: &HistoryRow, case: Option<&Case>, withheld: bool) -> Row {
    let d = &past.decision;
    let bands = setup.bands();
    let judged = |judged: &Judged| {
        // The candidates of the case may have changed since: what has another session is another one.
        let candidate = case
            .and_then(|case| case.candidates.get(judged.place))
            .filter(|candidate| candidate.session_id == judged.session_id);
        let similarity = candidate.and_then(|candidate| candidate.similarity);
        JudgedRow {
            session_id: judged.session_id.as_ref().map(ToString::to_string),
            similarity_percentage: similarity.map(crate::domain::Similarity::percent),
            band: similarity.map(|s| bands.of(s).word()),
            source: candidate.map(|candidate| Source::word(&candidate.source).to_owned()),
            judgement: judged.judgement.map_or("unjudged", Judgement::word),
        }
    };
    let pictures = &d.receipt.pictures;
    Row {
        decision: d.id.to_string(),
        case: d.case.to_string(),
        session_number: d.session_number,
        kind: match d.kind {
            SubjectKind::Workflow => "workflow",
            SubjectKind::SavedSearch => "saved_search",
            SubjectKind::Unreachable => "unreachable",
        },
        disposition: d.disposition.word(),
        state: past.state.word(),
        reason: d.reason.map(Reason::word),
        comment: d.comment.clone(),
        target: d.target.as_ref().map(|target| target.session_id.to_string()),
        target_number: d.target.as_ref().and_then(|target| target.session_number),
        reviewer: d.reviewer.name.clone(),
        reviewer_id: d.reviewer.id.to_string(),
        seen_status: d.seen_status.word().to_owned(),
        at: timestamp(d.at),
        settled_at: past.settled_at.map(timestamp),
        attempts: past.attempts,
        replaces: d.replaces.map(|id| id.to_string()),
        note: past.note.clone(),
        judgements: d.judgements.iter().map(judged).collect(),
        receipt: ReceiptRow {
            protocol: d.receipt.protocol.clone(),
            sha256: pictures.iter().map(|picture| picture.sha256.clone()).collect(),
            cells: pictures.iter().map(|picture| picture.cells).collect(),
            tiers: pictures.iter().filter_map(|picture| picture.tier.clone()).collect(),
            eye_pixels: d.receipt.eye_pixels.clone(),
            zooms: d.receipt.zooms,
            flips: d.receipt.flips,
            score_hidden: d.receipt.score_hidden,
            dwell_ms: d.receipt.dwell_ms,
        },
        withheld,
    }
}

fn cells(row: &Row) -> [String; HEAD.len()] {
    let number = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    let judged = |j: &JudgedRow| {
        let who = j.session_id.as_deref().unwrap_or("-");
        let score = j.similarity_percentage.map_or_else(|| "-".to_owned(), |s| s.to_string());
        format!("{who}:{score}:{}", j.judgement)
    };
    let joined = |words: Vec<String>| words.join(" ");
    [
        row.decision.clone(),
        row.case.clone(),
        number(row.session_number),
        row.kind.to_owned(),
        row.disposition.to_owned(),
        row.state.to_owned(),
        row.reason.unwrap_or_default().to_owned(),
        text(&row.comment),
        text(&row.target),
        number(row.target_number),
        row.reviewer.clone(),
        row.reviewer_id.clone(),
        row.seen_status.clone(),
        row.at.clone(),
        text(&row.settled_at),
        row.attempts.to_string(),
        text(&row.replaces),
        text(&row.note),
        joined(row.judgements.iter().map(judged).collect()),
        row.receipt.protocol.clone(),
        joined(row.receipt.sha256.clone()),
        joined(row.receipt.eye_pixels.iter().map(u16::to_string).collect()),
        row.receipt.zooms.to_string(),
        row.receipt.flips.to_string(),
        row.receipt.score_hidden.to_string(),
        row.receipt.dwell_ms.to_string(),
        row.withheld.to_string(),
    ]
}

/// A line of comma-separated values.
fn csv(cells: &[String]) -> String {
    cells.iter().map(|cell| cell_of(cell)).collect::<Vec<_>>().join(",")
}

/// A cell. One that a spreadsheet would take for a formula gets an apostrophe before it, and what is no
/// plain word stands in quotes.
fn cell_of(text: &str) -> String {
    let first = text.trim_start().chars().next();
    let formula =
        matches!(first, Some('=' | '+' | '-' | '@' | '|' | '%' | '＝' | '＋' | '－' | '＠'))
            || text.starts_with(['\t', '\r', '\n']);
    // A number below zero is no formula.
    let formula = formula && text.parse::<i64>().is_err();
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | ':' | '.' | '/' | '#');
    if text.chars().all(plain) {
        return text;
    }
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (text, wanted) in [
            ("plain", "plain"),
            ("-12", "-12"),
            ("two words", "\"two words\""),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=1+1", "\"'=1+1\""),
            ("  =cmd|' /C calc'!A0", "\"'  =cmd|' /C calc'!A0\""),
            ("+1", "\"+1\""),
            ("+1+2", "\"'+1+2\""),
            ("-1+2", "\"'-1+2\""),
            ("@SUM(1)", "\"'@SUM(1)\""),
            ("\t=1", "\"'\t=1\""),
            ("", ""),
        ] {
            assert_eq!(cell_of(text), wanted, "{text}");
        }
    }

    /// Reads a line of comma-separated values, quotes and all.
    fn read(text: &str) -> Vec<String> {
        let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' if quoted && chars.peek() == Some(&'"') => {
                    cell.push('"');
                    chars.next();
                }
                '"' => quoted = !quoted,
                ',' if !quoted => cells.push(std::mem::take(&mut cell)),
                c => cell.push(c),
            }
        }
        cells.push(cell);
        cells
    }

    proptest! {
        #[test]
        fn every_cell_comes_back_and_begins_no_formula(cells in prop::collection::vec(any::<String>(), 1..6)) {
            let found = read(&csv(&cells));
            prop_assert_eq!(found.len(), cells.len());
            for (found, cell) in found.iter().zip(&cells) {
                prop_assert_eq!(found.strip_prefix('\'').filter(|rest| rest == cell).unwrap_or(found), cell);
                let harmless = !found.starts_with(['=', '+', '-', '@', '\t', '\r']);
                prop_assert!(harmless || found.parse::<i64>().is_ok());
            }
        }
    }
}
