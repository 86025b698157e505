//! `queue list` and `queue show`: the cases that wait, for scripts and for eyes.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use serde::Serialize;

use super::super::args::{Args, Queue};
use super::super::error::{CliError, Exit};
use super::super::output::{Columns, json, line, say, table};
use super::super::wire::{self, Setup};
use super::reading::Reading;
use crate::domain::{Band, Bands, CaseState, QueueQuery, QueueRow, Start};

/// Cases that are read at a time.
const PAGE: u32 = 1_000;

/// A case as JSON. The names are part of the contract with scripts.
#[derive(Serialize)]
struct Row<'a> {
    case: &'a str,
    session_number: Option<u64>,
    state: &'static str,
    status: &'a str,
    candidates: Vec<CandidateRow<'a>>,
    set_aside: u32,
    taken_by: Option<&'a str>,
    note: Option<&'a str>,
}

/// A candidate as JSON.
#[derive(Serialize)]
struct CandidateRow<'a> {
    session_id: Option<&'a str>,
    session_number: Option<u64>,
    similarity_percentage: Option<f64>,
    band: Option<&'static str>,
    source: &'a str,
    self_match: bool,
    blocklisted: bool,
    allowlisted: bool,
    must_judge: bool,
}

/// Lists or shows.
pub async fn queue(args: &Args, what: &Queue) -> Result<Exit, CliError> {
    let setup = Setup::load(args)?;
    let desk = Reading::open(&setup, what.origin()).await?;
    let bands = setup.bands();
    let result = match what {
        Queue::List { state, limit, .. } => list(args, &desk, state, *limit, &bands).await,
        Queue::Show { case, .. } => show(args, &desk, case, &bands).await,
    };
    desk.store.close().await;
    result
}

async fn list(
    args: &Args,
    desk: &Reading,
    state: &str,
    limit: Option<u64>,
    bands: &Bands,
) -> Result<Exit, CliError> {
    let state = CaseState::from_word(state).ok_or_else(|| {
        CliError::new(
            Exit::Usage,
            "there is no such state of a case",
            "Use open, escalated, left, departed or decided",
        )
    })?;
    let mut left = limit.unwrap_or(u64::MAX);
    let mut query =
        QueueQuery { states: vec![state], filter: String::new(), from: Start::Front, limit: PAGE };
    let mut columns = Columns::new(&["case", "session id", "state", "status", "candidates"]);
    let (mut unreadable, mut printed) = (Vec::new(), Printed::default());
    // Page by page, so that rows leave as they are read. Each page begins behind the one before, whatever others
    // decide meanwhile; a case that somebody skips comes again at the end, and is not printed twice.
    while left > 0 {
        let page = desk.store.queue(&desk.origin, &query, wire::now()).await?;
        let (mut rows, count) = (Vec::new(), page.places());
        for row in page.rows.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            if !printed.is_new(row.case.key.as_str()) {
                continue;
            }
            left -= 1;
            if args.json {
                json(&as_json(row, bands))?;
            } else {
                rows.push(as_text(row, bands));
            }
        }
        if !args.json {
            columns.rows(&rows)?;
        }
        for row in page.unreadable.iter().filter(|row| printed.is_new(&row.name)) {
            left = left.saturating_sub(1);
            if args.json {
                json(&serde_json::json!({ "case": row.name, "unreadable": row.why }))?;
            } else {
                unreadable.push(row.to_string());
            }
        }
        match page.end {
            Some(end) if count == u64::from(PAGE) => query.from = Start::Behind(end),
            _ => break,
        }
    }
    if !args.json {
        columns.rows(&[])?;
        unreadable.iter().try_for_each(|row| line(row))?;
        if state == CaseState::Left {
            for (reason, count) in desk.store.explained(&desk.origin).await? {
                say(&format!("no case: {} {count}", reason.words()));
            }
        }
    }
    Ok(Exit::Done)
}

/// What was printed: eight bytes a case.
#[derive(Default)]
struct Printed {
    hasher: RandomState,
    keys: HashSet<u64>,
}

impl Printed {
    fn is_new(&mut self, key: &str) -> bool {
        self.keys.insert(self.hasher.hash_one(key))
    }
}

async fn show(args: &Args, desk: &Reading, case: &str, bands: &Bands) -> Result<Exit, CliError> {
    let row = desk.find(case).await?;
    if args.json {
        json(&as_json(&row, bands))?;
        return Ok(Exit::Done);
    }
    line(&format!("{}  {}", row.case.name(), row.case.key))?;
    line(&format!("state {}  status {}", row.state.word(), row.case.status.word()))?;
    if let Some((id, disposition, state)) = row.decision {
        line(&format!("decision {id}  {}  {}", disposition.word(), state.word()))?;
    }
    if let Some(proposal) = &row.proposal {
        let target = proposal.target.as_ref().and_then(|target| target.session_number);
        let what = match target {
            Some(number) => format!("blocklist #{number}"),
            None => format!("{} without a picture", proposal.disposition.word()),
        };
        let name = &proposal.reviewer.name;
        line(&format!("{name} proposes to {what}; another person confirms or declines"))?;
    }
    if let Some(note) = &row.note {
        line(note)?;
    }
    let rows: Vec<Vec<String>> = row
        .case
        .candidates
        .iter()
        .enumerate()
        .map(|(place, c)| {
            vec![
                (place + 1).to_string(),
                c.session_number.map_or_else(|| "-".to_owned(), |n| format!("#{n}")),
                c.similarity.map_or_else(|| "score unreadable".to_owned(), |s| format!("{s} %")),
                c.similarity.map_or("-", |s| bands.of(s).word()).to_owned(),
                c.source.word().to_owned(),
                flags(c, bands),
            ]
        })
        .collect();
    table(&["", "number", "similarity", "band", "source", ""], &rows)?;
    Ok(Exit::Done)
}

fn flags(c: &crate::domain::Candidate, bands: &Bands) -> String {
    let words = [
        (c.blocklisted, "BLOCKLISTED"),
        (c.allowlisted, "allowlisted"),
        (c.self_match, "self-match"),
        (c.must_judge(bands), "must be judged"),
    ];
    words.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect::<Vec<_>>().join(", ")
}

fn as_json<'a>(row: &'a QueueRow, bands: &Bands) -> Row<'a> {
    let candidates = row.case.candidates.iter().map(|c| CandidateRow {
        session_id: c.session_id.as_ref().map(crate::domain::SessionId::as_str),
        session_number: c.session_number,
        similarity_percentage: c.similarity.map(crate::domain::Similarity::percent),
        band: c.similarity.map(|s| bands.of(s)).map(Band::word),
        source: c.source.word(),
        self_match: c.self_match,
        blocklisted: c.blocklisted,
        allowlisted: c.allowlisted,
        must_judge: c.must_judge(bands),
    });
    Row {
        case: row.case.key.as_str(),
        session_number: row.case.session_number,
        state: row.state.word(),
        status: row.case.status.word(),
        candidates: candidates.collect(),
        set_aside: row.case.set_aside,
        taken_by: row.taken.as_ref().map(|t| t.reviewer.name.as_str()),
        note: row.note.as_deref(),
    }
}

fn as_text(row: &QueueRow, bands: &Bands) -> Vec<String> {
    let scores: Vec<String> = row
        .case
        .candidates
        .iter()
        .filter(|c| !c.self_match)
        .map(|c| {
            let score = c.similarity.map_or_else(
                || "score unreadable".to_owned(),
                |s| format!("{s} {}", bands.of(s).word()),
            );
            if c.blocklisted { format!("{score} BLOCKLISTED") } else { score }
        })
        .collect();
    vec![
        row.case.name(),
        row.case.key.to_string(),
        row.state.word().to_owned(),
        row.case.status.word().to_owned(),
        scores.join(", "),
    ]
}
