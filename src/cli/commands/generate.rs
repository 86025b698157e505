//! What is made from the tables the program runs on: keys, completions, the manual pages.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use clap_mangen::roff::{Roff, bold, roman};
use serde::Serialize;

use super::super::args::Args;
use super::super::error::{CliError, Exit};
use super::super::help::{self, WORDS};
use super::super::output::{json, line, raw, say, table};
use super::super::wire::Setup;
use crate::core::{ACTIONS, Scope};
use crate::input::Key;

/// A key as JSON.
#[derive(Serialize)]
struct Row<'a> {
    screens: Vec<&'static str>,
    action: &'a str,
    keys: Vec<String>,
    help: &'a str,
}

/// Every key, as configured.
pub fn keys(args: &Args) -> Result<Exit, CliError> {
    let setup = Setup::load(args)?;
    let keymap = setup.keymap()?;
    if args.json {
        for info in ACTIONS {
            json(&Row {
                screens: info.scopes.iter().map(|scope| scope.word()).collect(),
                action: info.name,
                keys: keymap.keys(info.action).iter().map(Key::to_string).collect(),
                help: info.help,
            })?;
        }
        return Ok(Exit::Done);
    }
    for scope in Scope::ALL {
        line(&format!("{} screen", scope.word()))?;
        let rows = ACTIONS.iter().filter(|info| info.scopes.contains(&scope)).map(|info| {
            let keys: Vec<String> = keymap.keys(info.action).iter().map(Key::to_string).collect();
            vec![format!("  {}", keys.join(" ")), info.name.to_owned(), info.help.to_owned()]
        });
        table(&["  keys", "action", "does"], &rows.collect::<Vec<_>>())?;
        line("")?;
    }
    Ok(Exit::Done)
}

/// Completions for a shell.
pub fn completions(shell: clap_complete::Shell) -> Result<Exit, CliError> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut help::command(), PROGRAM, &mut text);
    raw(&text)?;
    Ok(Exit::Done)
}

/// The name of the program.
const PROGRAM: &str = "secondlook";

/// The manual page of a command.
pub fn man(path: &[String]) -> Result<Exit, CliError> {
    let command = whole();
    // `webhook serve` may come as one word or as two.
    let mut words = path.iter().flat_map(|word| word.split_whitespace());
    let found = words.try_fold(&command, |command, word| command.find_subcommand(word));
    let found = found.ok_or_else(|| {
        CliError::new(
            Exit::Usage,
            format!("there is no command {}", crate::domain::printable(&path.join(" "), 64)),
            "`secondlook --help` lists them",
        )
    })?;
    raw(&page(found).map_err(unmade)?)?;
    Ok(Exit::Done)
}

/// Writes the pages of all commands into a folder.
pub fn pages(folder: &Path) -> Result<Exit, CliError> {
    let mut count = 0;
    fs::create_dir_all(folder).and_then(|()| write_pages(&whole(), folder, &mut count)).map_err(
        |error| {
            CliError::new(
                Exit::Failed,
                format!("the pages cannot be written to {}: {error}", folder.display()),
                "Name another folder",
            )
        },
    )?;
    say(&format!("{count} pages are in {}.", folder.display()));
    Ok(Exit::Done)
}

/// All commands, each knowing its full name.
fn whole() -> Command {
    let mut command = help::command().disable_help_subcommand(true);
    command.build();
    command
}

fn write_pages(command: &Command, folder: &Path, count: &mut u32) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or(PROGRAM);
    fs::write(folder.join(format!("{name}.1")), page(command)?)?;
    *count += 1;
    command.get_subcommands().try_for_each(|inner| write_pages(inner, folder, count))
}

fn unmade(error: io::Error) -> CliError {
    CliError::failed(format!("the manual page cannot be made: {error}"))
}

/// A page: what clap knows, then our own words, whose examples keep their lines.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let path = command.get_bin_name().unwrap_or(PROGRAM).strip_prefix(PROGRAM).unwrap_or_default();
    let (name, version) =
        (command.get_display_name().unwrap_or(PROGRAM), env!("CARGO_PKG_VERSION"));
    let mut text = Vec::new();
    // No date, so that the same program makes the same page.
    writeln!(text, ".TH {name} 1 \"\" \"{PROGRAM} {version}\" \"User Commands\"")?;
    let man = clap_mangen::Man::new(command.clone());
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    let mut roff = Roff::new();
    for words in WORDS.iter().filter(|words| words.command == path.trim()) {
        if !words.notes.is_empty() {
            roff.control("SH", ["NOTES"]);
        }
        for note in words.notes {
            roff.control("PP", []);
            roff.text([roman(*note)]);
        }
        roff.control("SH", ["EXAMPLES"]);
        roff.control("nf", []);
        words.examples.iter().for_each(|example| {
            roff.text([roman(*example)]);
        });
        roff.control("fi", []);
    }
    if !path.is_empty() {
        roff.control("SH", ["SEE ALSO"]);
        roff.text([bold(PROGRAM), roman("(1)")]);
    }
    roff.to_writer(&mut text)?;
    Ok(text)
}
