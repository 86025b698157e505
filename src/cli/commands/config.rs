//! `config show` and `config init`: every setting with where it comes from, and a file to begin with.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use serde::Serialize;
use url::Url;

use super::super::args::{Args, What};
use super::super::error::{CliError, Exit};
use super::super::output::{json, line, say, table};
use super::super::paths::Paths;
use super::super::wire::{self, Setup};
use crate::config::{Config, DEFAULT};

/// A setting as JSON. The names are part of the contract with scripts.
#[derive(Serialize)]
struct Row {
    name: String,
    value: String,
    origin: &'static str,
}

/// Shows or writes.
pub fn config(args: &Args, what: &What) -> Result<Exit, CliError> {
    match what {
        What::Show => show(args),
        What::Init => init(args),
    }
}

fn show(args: &Args) -> Result<Exit, CliError> {
    // Refused here like everywhere else when it cannot be used.
    let setup = Setup::load(args)?;
    let user = wire::user_file(args.config.as_deref())?;
    let mut rows: Vec<Row> = Config::listed(user.as_deref())?
        .into_iter()
        .map(|(name, value, own)| Row { name, value, origin: if own { "file" } else { "default" } })
        .collect();
    let given = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let mut over = |name: &str, value: String, origin: &'static str| {
        if let Some(row) = rows.iter_mut().find(|row| row.name == name) {
            (row.value, row.origin) = (value, origin);
        }
    };
    if given("DIDIT_BASE_URL").is_some() {
        over("didit.base_url", setup.config.didit.base_url.clone(), "environment");
    }
    if given("SECONDLOOK_REVIEWER").is_some() {
        over("review.reviewer", setup.config.review.reviewer.clone(), "environment");
    }
    if let Some(url) = &args.store {
        let same = given("SECONDLOOK_STORE").as_ref() == Some(url);
        over("store.url", url.clone(), if same { "environment" } else { "flag" });
    }
    let drawn = args.drawn();
    if drawn.images.is_some() {
        over("images.protocol", setup.config.images.protocol.clone(), "flag");
    }
    if drawn.cells.is_some() {
        over("images.cells", setup.config.images.cells.clone(), "flag");
    }
    if let Some(preset) = args.preset() {
        over("review.preset", preset.to_owned(), "flag");
    }
    for row in &mut rows {
        row.value = without_password(&row.value);
    }
    if args.json {
        rows.iter().try_for_each(json)?;
        return Ok(Exit::Done);
    }
    let cells: Vec<_> = rows
        .into_iter()
        .map(|row| vec![row.name, row.origin.to_owned(), crate::domain::printable(&row.value, 200)])
        .collect();
    table(&["setting", "from", "value"], &cells)?;
    Ok(Exit::Done)
}

/// An address without the password in it.
fn without_password(value: &str) -> String {
    let Ok(mut url) = Url::parse(value) else { return value.to_owned() };
    if url.password().is_some() && url.set_password(Some("***")).is_ok() {
        return url.to_string();
    }
    value.to_owned()
}

fn init(args: &Args) -> Result<Exit, CliError> {
    let path = match &args.config {
        Some(path) => path.clone(),
        None => Paths::find()?.config(),
    };
    let shown = path.display();
    let wrong = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => CliError::new(
            Exit::Nothing,
            format!("there is a file {shown} already; nothing was touched"),
            "`secondlook config show` says what it changes",
        ),
        _ => CliError::new(
            Exit::Failed,
            format!("{shown} cannot be written: {error}"),
            "Name another file with --config",
        ),
    };
    if let Some(folder) = path.parent() {
        // A file in the folder's place is no configuration that is there already.
        std::fs::create_dir_all(folder)
            .map_err(|error| wrong(std::io::Error::other(error.to_string())))?;
    }
    // The address of a store may hold a password one day.
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let mut file = made.map_err(wrong)?;
    file.write_all(DEFAULT.as_bytes()).and_then(|()| file.sync_all()).map_err(wrong)?;
    if args.json {
        json(&serde_json::json!({ "file": path.display().to_string() }))?;
    } else {
        line(&path.display().to_string())?;
    }
    say("every setting is in it with its default; change what you want, delete the rest");
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        for (value, wanted) in [
            ("postgres://ana:secret@db.example/queue", "postgres://ana:***@db.example/queue"),
            ("postgres://ana@db.example/queue", "postgres://ana@db.example/queue"),
            ("sqlite:/home/ana/x.db", "sqlite:/home/ana/x.db"),
            ("In Review", "In Review"),
        ] {
            assert_eq!(without_password(value), wanted);
        }
    }
}
