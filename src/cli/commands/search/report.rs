//! How results are shown: JSON lines, or a table that grows row by row; and a line of progress.

use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use unicode_width::UnicodeWidthStr;

use crate::domain::{Bands, Details, printable};
use crate::term;

/// A result. The names are part of the contract with scripts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Row {
    /// The file.
    pub file: String,
    /// The search's id at Didit.
    pub request_id: Option<String>,
    /// The search's own status.
    pub status: Option<String>,
    /// The faces that were found, best first.
    pub matches: Vec<Match>,
    /// Whether it is in the queue now.
    pub queued: bool,
    /// What went wrong.
    pub error: Option<String>,
}

/// A face that was found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Match {
    /// Its session.
    pub session_id: Option<String>,
    /// The number of its session.
    pub session_number: Option<u64>,
    /// How alike, percent.
    pub similarity_percentage: Option<f64>,
    /// How near, in a word.
    pub band: Option<String>,
    /// Where it was enrolled.
    pub source: String,
    /// The status of its session.
    pub status: Option<String>,
    /// On a blocklist.
    pub is_blocklisted: bool,
    /// On an allowlist.
    pub is_allowlisted: bool,
    /// The same customer by the customer's own id.
    pub self_match: bool,
    /// The link to its picture, only when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_image_url: Option<String>,
}

impl Row {
    /// What a search brought.
    pub fn of(file: String, details: &Details, bands: &Bands, show_links: bool) -> Self {
        let pairs = details.case.candidates.iter().zip(&details.candidates);
        let matches = pairs.map(|(candidate, more)| Match {
            session_id: candidate.session_id.as_ref().map(ToString::to_string),
            session_number: candidate.session_number,
            similarity_percentage: candidate.similarity.map(|s| s.percent()),
            band: candidate.similarity.map(|s| bands.of(s).word().to_owned()),
            source: candidate.source.word().to_owned(),
            status: more.status.as_ref().map(|status| status.word().to_owned()),
            is_blocklisted: candidate.blocklisted,
            is_allowlisted: candidate.allowlisted,
            self_match: candidate.self_match,
            match_image_url: more
                .link
                .as_ref()
                .filter(|_| show_links)
                .map(|link| link.reveal().to_owned()),
        });
        Self {
            file,
            request_id: Some(details.case.key.to_string()),
            status: Some(details.case.status.word().to_owned()),
            matches: matches.collect(),
            queued: false,
            error: None,
        }
    }

    /// What went wrong with a file.
    pub fn failed(file: String, error: impl Into<String>) -> Self {
        Self { file, error: Some(error.into()), ..Self::default() }
    }

    /// The same without links, for what is kept.
    pub fn without_links(&self) -> Self {
        let mut row = self.clone();
        row.matches.iter_mut().for_each(|found| found.match_image_url = None);
        row
    }

    /// What to do about a match.
    fn next(&self, found: &Match) -> &'static str {
        match found.band.as_deref() {
            _ if found.self_match => "same customer",
            _ if found.is_allowlisted => "allowed",
            _ if found.is_blocklisted => "decline: the face is on a blocklist",
            Some("strong") => "probably the same person: look at both",
            Some("possible") if self.queued => "compare: secondlook review",
            Some("possible") => "compare: --enqueue puts it into the queue",
            Some(_) => "likely somebody else",
            None => "no score: look at both",
        }
    }
}

/// Width of the table's columns: file, similarity, band, session, status, blocklisted.
const WIDTHS: [usize; 6] = [24, 10, 8, 10, 11, 11];
/// From so many columns on, what to do next stands in the same line.
const WIDE: u16 = 120;

/// Prints rows and progress.
pub struct Report {
    as_json: bool,
    progress: bool,
    wide: bool,
    head_is_due: bool,
    total: u64,
    began: Instant,
    pub ended: u64,
}

impl Report {
    /// A report of `total` searches.
    pub fn new(json: bool, total: u64) -> Self {
        let as_json = json || !io::stdout().is_terminal();
        let progress = io::stderr().is_terminal();
        let columns = term::open().and_then(term::size).map_or(WIDE, |size| size.columns);
        let (began, wide) = (Instant::now(), columns >= WIDE);
        Self { as_json, progress, wide, head_is_due: true, total, began, ended: 0 }
    }

    /// Prints a row.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub fn row(&mut self, row: &Row) -> io::Result<()> {
        self.clear();
        let mut out = io::stdout().lock();
        if self.as_json {
            writeln!(out, "{}", serde_json::to_string(row)?)?;
        } else {
            if std::mem::take(&mut self.head_is_due) {
                let head = ["file", "similarity", "band", "session", "status", "blocklisted"];
                let next = if self.wide { "next" } else { "" };
                writeln!(out, "{}", (columns(&head) + next).trim_end())?;
            }
            table_rows(&mut out, row, self.wide)?;
        }
        out.flush()
    }

    /// Draws the line of progress anew.
    pub fn progress(&self) {
        if !self.progress || self.total < 2 {
            return;
        }
        let seconds = self.began.elapsed().as_secs_f64().max(0.001);
        let rate = self.ended as f64 / seconds;
        let left = self.total.saturating_sub(self.ended) as f64;
        let remaining = if self.ended == 0 {
            String::new()
        } else {
            let wait = (left / rate).ceil() as u64;
            format!("  {rate:.1} a second  {}:{:02} left", wait / 60, wait % 60)
        };
        let filled = (self.ended.min(self.total) * 20 / self.total.max(1)) as usize;
        let bar = "#".repeat(filled) + &"-".repeat(20 - filled);
        // Nobody is left to be told when this fails.
        let _ = write!(
            io::stderr().lock(),
            "\r\x1b[K[{bar}] {} of {}{remaining}",
            self.ended,
            self.total
        );
    }

    /// Takes the line of progress away.
    pub fn clear(&self) {
        if self.progress && self.total > 1 {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}

fn columns(cells: &[&str; 6]) -> String {
    let mut text = String::new();
    for (cell, width) in cells.iter().zip(WIDTHS) {
        text.push_str(cell);
        text.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width()) + 2));
    }
    text
}

fn table_rows(out: &mut impl Write, row: &Row, wide: bool) -> io::Result<()> {
    let name = file_cell(&row.file);
    if let Some(error) = &row.error {
        return with_next(out, &[&name, "-", "-", "-", "failed", "-"], error, wide);
    }
    let status = row.status.as_deref().unwrap_or("-");
    if row.matches.is_empty() {
        return with_next(out, &[&name, "-", "-", "-", status, "no"], "no match", wide);
    }
    for found in &row.matches {
        let similarity = found
            .similarity_percentage
            .and_then(crate::domain::Similarity::new)
            .map_or_else(|| "no score".to_owned(), |s| format!("{s} %"));
        let listed = if found.is_blocklisted { "YES" } else { "no" };
        let number = found.session_number.map(|number| format!("#{number}"));
        let session = number.or_else(|| found.session_id.clone());
        let session = session.as_deref().unwrap_or(&found.source);
        let band = found.band.as_deref().unwrap_or("-");
        let theirs = found.status.as_deref().unwrap_or("-");
        let cells = [name.as_str(), &similarity, band, session, theirs, listed];
        with_next(out, &cells, row.next(found), wide)?;
        if let Some(link) = &found.match_image_url {
            writeln!(out, "  {}", printable(link, 4000))?;
        }
    }
    Ok(())
}

/// A line, and what to do next at its end, or below it where there is no room.
fn with_next(out: &mut impl Write, cells: &[&str; 6], next: &str, wide: bool) -> io::Result<()> {
    let line = columns(cells);
    if wide {
        return writeln!(out, "{line}{next}");
    }
    writeln!(out, "{}\n  {next}", line.trim_end())
}

/// A path of hostile characters and any length, made to fit: its end says more than its start.
fn file_cell(path: &str) -> String {
    let text = printable(path, 4096);
    if text.width() <= WIDTHS[0] {
        return text;
    }
    let mut tail = String::new();
    for c in text.chars().rev() {
        if tail.width() + 2 > WIDTHS[0] {
            break;
        }
        tail.insert(0, c);
    }
    format!("…{tail}")
}
