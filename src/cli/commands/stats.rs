//! `stats`: figures of the queue and of what was decided: a table, on a terminal with bars beside the
//! counts, or one JSON object.

use std::io::IsTerminal;

use super::super::args::Args;
use super::super::error::{CliError, Exit};
use super::super::output::{json, line, table};
use super::super::wire::{self, Setup};
use super::reading::Reading;
use crate::domain::{Figures, Section};
use crate::term;
use crate::tui::bar;

/// The longest bar.
const LONGEST: u16 = 60;

/// Prints the figures.
pub async fn stats(args: &Args, origin: Option<&str>) -> Result<Exit, CliError> {
    let setup = Setup::load(args)?;
    let desk = Reading::open(&setup, origin).await?;
    let figures = desk.store.figures(&desk.origin, &setup.bands()).await;
    desk.store.close().await;
    if args.json {
        json(&figures?)?
    } else {
        print(&figures?)?
    }
    Ok(Exit::Done)
}

fn print(figures: &Figures) -> Result<(), CliError> {
    let columns = std::io::stdout().is_terminal().then(columns);
    for section in figures.sections() {
        table(&[section.head, "count", ""], &rows(&section, columns))?;
        line("")?;
    }
    let times = figures.times().map(|(what, seconds)| vec![what.to_owned(), seconds]);
    table(&["median time", "seconds"], &times)
}

/// How wide the terminal is; 80 where it does not say.
fn columns() -> u16 {
    term::open().and_then(term::size).map_or(80, |size| size.columns)
}

/// The rows of a section; with bars that fit into so many columns, when it is shown to people.
fn rows(section: &Section, columns: Option<u16>) -> Vec<Vec<String>> {
    use unicode_width::UnicodeWidthStr;
    let words = section.rows.iter().map(|(word, _)| word.width());
    let word = words.chain([section.head.width()]).max().unwrap_or(0);
    let most = section.rows.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let count = most.to_string().len().max("count".len());
    let taken = u16::try_from(word + count + 4).unwrap_or(u16::MAX);
    let (room, fine) = (columns.map(|all| all.saturating_sub(taken).min(LONGEST)), wire::utf8());
    let cells = section.rows.iter().map(|(word, value)| {
        let mut cells = vec![word.clone(), format!("{value:>count$}")];
        cells.extend(room.map(|room| bar(*value, most, room, fine)));
        cells
    });
    cells.collect()
}
