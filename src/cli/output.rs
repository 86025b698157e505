//! Writing to standard output and standard error. A reader that went away (`| head`) ends the work
//! quietly; a disk that is full is said, for what was asked for is not there.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use super::error::{CliError, Exit};

/// Writes a line of data.
///
/// # Errors
/// When it cannot be written; see [`unwritten`].
pub fn line(text: &str) -> Result<(), CliError> {
    writeln!(io::stdout().lock(), "{text}").map_err(unwritten)
}

/// Writes bytes of data as they are.
///
/// # Errors
/// When they cannot be written; see [`unwritten`].
pub fn raw(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(unwritten)
}

/// Writes a value as one line of JSON.
///
/// # Errors
/// When it cannot be written; see [`unwritten`].
pub fn json(value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string(value)
        .map_err(|error| CliError::failed(format!("a row cannot be made into JSON: {error}")))?;
    line(&text)
}

/// Data that found no place: the quiet end when its reader has gone, else a sentence.
pub fn unwritten(error: io::Error) -> CliError {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return CliError::nobody_reads();
    }
    CliError::new(
        Exit::Failed,
        format!("standard output cannot be written: {error}"),
        "What was done is done; see that there is room, then ask for it again",
    )
}

/// Says something on standard error.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes rows in columns as wide as their widest cell.
///
/// # Errors
/// When they cannot be written; see [`unwritten`].
pub fn table(head: &[&str], rows: &[Vec<String>]) -> Result<(), CliError> {
    Columns::new(head).rows(rows)
}

/// A table that is written as its rows come. Columns are as wide as the first rows need; a longer cell later
/// only moves what stands behind it.
pub struct Columns {
    head: Vec<String>,
    widths: Vec<usize>,
}

impl Columns {
    /// A table with a head, which is written with the first rows.
    pub fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|&word| word.to_owned()).collect(), widths: Vec::new() }
    }

    /// Writes rows.
    ///
    /// # Errors
    /// When they cannot be written; see [`unwritten`].
    pub fn rows(&mut self, rows: &[Vec<String>]) -> Result<(), CliError> {
        use unicode_width::UnicodeWidthStr;
        if self.widths.is_empty() {
            let width = |column: usize| {
                let cells =
                    rows.iter().filter_map(|row| row.get(column)).chain(self.head.get(column));
                cells.map(|cell| cell.width()).max().unwrap_or(0)
            };
            self.widths = (0..self.head.len()).map(width).collect();
            self.row(&self.head)?;
        }
        rows.iter().try_for_each(|row| self.row(row))
    }

    fn row(&self, cells: &[String]) -> Result<(), CliError> {
        use unicode_width::UnicodeWidthStr;
        let mut text = String::new();
        for (cell, width) in cells.iter().zip(&self.widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width()) + 2));
        }
        line(text.trim_end())
    }
}

/// A bar on standard error that is written over, where that is a terminal.
pub struct Gauge {
    on_screen: bool,
}

impl Gauge {
    /// One that has shown nothing yet.
    pub fn new() -> Self {
        Self { on_screen: io::stderr().is_terminal() }
    }

    /// Shows how far something has come; false where nothing can be written over.
    pub fn draw(&self, done: u64, of: u64, words: &str) -> bool {
        if self.on_screen {
            let filled = (done.min(of) * 20).checked_div(of).unwrap_or(0);
            let bar: String = (0..20).map(|at| if at < filled { '#' } else { '.' }).collect();
            let line = format!("\r\x1b[K[{bar}] {words}");
            let mut stderr = io::stderr().lock();
            // A line of progress that cannot be shown stops nothing.
            let _ = stderr.write_all(line.as_bytes()).and_then(|()| stderr.flush());
        }
        self.on_screen
    }

    /// Takes it away.
    pub fn over(&self) {
        if self.on_screen {
            let _ = io::stderr().lock().write_all(b"\r\x1b[K");
        }
    }
}
