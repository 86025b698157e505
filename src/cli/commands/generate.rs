//! What is made from the tables the program runs on: keys, completions, the manual page.

use std::io::{self, Write};

use clap::CommandFactory;
use serde::Serialize;

use super::super::args::Args;
use super::super::error::{CliError, Exit};
use super::super::output::{json, line, table};
use super::super::wire::Setup;
use crate::core::{ACTIONS, Keymap, Scope};
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
    let keymap = Keymap::new(&setup.config.keys)?;
    if args.json {
        for info in ACTIONS {
            json(&Row {
                screens: info.scopes.iter().map(|scope| scope.word()).collect(),
                action: info.name,
                keys: keymap.keys(info.action).iter().map(Key::to_string).collect(),
                help: info.help,
            });
        }
        return Ok(Exit::Done);
    }
    for scope in Scope::ALL {
        line(&format!("{} screen", scope.word()));
        let rows = ACTIONS.iter().filter(|info| info.scopes.contains(&scope)).map(|info| {
            let keys: Vec<String> = keymap.keys(info.action).iter().map(Key::to_string).collect();
            vec![format!("  {}", keys.join(" ")), info.name.to_owned(), info.help.to_owned()]
        });
        table(&["  keys", "action", "does"], &rows.collect::<Vec<_>>());
        line("");
    }
    Ok(Exit::Done)
}

/// Completions for a shell.
pub fn completions(shell: clap_complete::Shell) -> Result<Exit, CliError> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "secondlook", &mut text);
    write_out(&text)
}

/// The manual page.
pub fn man() -> Result<Exit, CliError> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Args::command())
        .render(&mut text)
        .map_err(|error| CliError::failed(format!("the manual page cannot be made: {error}")))?;
    write_out(&text)
}

fn write_out(text: &[u8]) -> Result<Exit, CliError> {
    // A reader that goes away is not an error.
    let _ = io::stdout().lock().write_all(text);
    Ok(Exit::Done)
}
