//! `blocklist list` and `blocklist remove`: the faces that decline at Didit, and the way back. The older
//! calls first; the Lists API where they are gone, or for an entry that has no session.

use std::io::{BufRead, IsTerminal};

use serde::Serialize;
use uuid::Uuid;

use super::super::args::{Args, Blocklist};
use super::super::error::{CliError, Exit};
use super::super::output::{json, line, say, table};
use super::super::wire::Setup;
use super::outbox::timestamp;
use crate::didit::{
    ApiError, CarriedOut, Client, EntryId, EntryType, ErrorKind, ListId, ListType, SetAside,
};
use crate::domain::{Millis, SessionId};

/// Faces a page.
const PAGE: u32 = 100;
/// So many pages at most: a list that goes in circles must end.
const MOST_PAGES: u32 = 10_000;

/// A listed face.
struct Listed {
    session: Option<SessionId>,
    number: Option<u64>,
    since: Option<Millis>,
    /// Where the Lists API has it; `None` for a flag of the older calls.
    entry: Option<(ListId, EntryId)>,
}

/// A listed face as JSON. The names are part of the contract with scripts.
#[derive(Serialize)]
struct Row {
    session_id: Option<String>,
    session_number: Option<u64>,
    since: Option<String>,
    entry: Option<String>,
}

impl Listed {
    fn entry_id(&self) -> Option<Uuid> {
        self.entry.map(|(_, entry)| entry.0)
    }

    /// What people call it. An entry's label may be a person's name, so it is never shown.
    fn name(&self) -> String {
        match (&self.session, self.number, self.entry_id()) {
            (Some(session), Some(number), _) => format!("session #{number} ({session})"),
            (Some(session), None, _) => format!("session {session}"),
            (None, _, Some(entry)) => format!("entry {entry}, which has no session"),
            (None, _, None) => "a face without a session".to_owned(),
        }
    }
}

/// Lists or removes.
pub async fn blocklist(args: &Args, what: &Blocklist) -> Result<Exit, CliError> {
    let client = Setup::load(args)?.client().await?;
    match what {
        Blocklist::List => list(args, &client).await,
        Blocklist::Remove { what, yes } => remove(args, &client, what, *yes).await,
    }
}

async fn list(args: &Args, client: &Client) -> Result<Exit, CliError> {
    let faces = all(client, false).await?;
    if args.json {
        for face in &faces {
            json(&Row {
                session_id: face.session.as_ref().map(ToString::to_string),
                session_number: face.number,
                since: face.since.map(timestamp),
                entry: face.entry_id().map(|entry| entry.to_string()),
            })?;
        }
        return Ok(Exit::Done);
    }
    let dash = || "-".to_owned();
    let cells = faces.iter().map(|face| {
        vec![
            face.number.map_or_else(dash, |number| format!("#{number}")),
            face.session.as_ref().map_or_else(dash, ToString::to_string),
            face.since.map_or_else(dash, timestamp),
            face.entry_id().map_or_else(dash, |entry| entry.to_string()),
        ]
    });
    table(&["number", "session id", "since", "entry"], &cells.collect::<Vec<_>>())?;
    Ok(Exit::Done)
}

/// All listed faces: by the older call, and by the Lists API where that is gone, or also.
async fn all(client: &Client, also_entries: bool) -> Result<Vec<Listed>, CliError> {
    let mut faces = match flagged(client).await {
        Ok(faces) if !also_entries => return Ok(faces),
        Ok(faces) => faces,
        Err(error) if error.kind == ErrorKind::NotFound => return Ok(entries(client).await?),
        Err(error) => return Err(error.into()),
    };
    match entries(client).await {
        Ok(entries) => faces.extend(entries),
        // An older server has no lists.
        Err(error) if error.kind == ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    Ok(faces)
}

fn tell_set_aside(rows: &[SetAside]) {
    for row in rows {
        say(&format!("set aside: row {} of a page: {}", row.place + 1, row.why));
    }
}

async fn flagged(client: &Client) -> Result<Vec<Listed>, ApiError> {
    let mut faces = Vec::new();
    for page in 0..MOST_PAGES {
        let found = client.blocklist(page * PAGE, PAGE).await?;
        tell_set_aside(&found.set_aside);
        let ended = found.rows.is_empty() && found.set_aside.is_empty();
        faces.extend(found.rows.into_iter().map(|row| Listed {
            session: Some(row.session_id),
            number: row.session_number,
            since: row.blocklisted_at,
            entry: None,
        }));
        if ended || found.count.is_some_and(|count| count <= u64::from((page + 1) * PAGE)) {
            break;
        }
    }
    Ok(faces)
}

async fn entries(client: &Client) -> Result<Vec<Listed>, ApiError> {
    let lists = client.lists(ListType::Blocklist, EntryType::Face).await?;
    let mut faces = Vec::new();
    for list in lists.rows.iter().filter(|list| list.is_system) {
        for page in 0..MOST_PAGES {
            let found = client.list_entries(list.id, None, page * PAGE).await?;
            tell_set_aside(&found.set_aside);
            let ended = found.rows.is_empty() && found.set_aside.is_empty();
            faces.extend(found.rows.into_iter().map(|row| Listed {
                session: row.session_id,
                number: row.session_number,
                since: row.created_at,
                entry: Some((list.id, row.id)),
            }));
            if ended || found.count.is_some_and(|count| count <= u64::from((page + 1) * PAGE)) {
                break;
            }
        }
    }
    Ok(faces)
}

/// Which face is meant. The number is tried before the id, because a number is an id by its letters.
fn meant<'a>(faces: &'a [Listed], what: &str) -> Result<Vec<&'a Listed>, CliError> {
    let word = what.trim_start_matches('#');
    let number = word.parse::<u64>().ok();
    let is_it = |face: &&Listed| {
        (number.is_some() && face.number == number)
            || face.session.as_ref().is_some_and(|id| id.as_str().eq_ignore_ascii_case(word))
            || face.entry_id().is_some_and(|id| id.to_string().eq_ignore_ascii_case(word))
    };
    let found: Vec<&Listed> = faces.iter().filter(is_it).collect();
    let Some(first) = found.first() else {
        return Err(CliError::new(
            Exit::Nothing,
            format!("{} is not on the blocklist", crate::domain::printable(what, 64)),
            "`secondlook blocklist list` shows who is",
        ));
    };
    if found.iter().any(|face| face.session != first.session) {
        return Err(CliError::new(
            Exit::Usage,
            "several sessions on the blocklist go by that name; nothing was touched",
            "Name the session by its id",
        ));
    }
    Ok(found)
}

async fn remove(args: &Args, client: &Client, what: &str, yes: bool) -> Result<Exit, CliError> {
    let faces = all(client, true).await?;
    let found = meant(&faces, what)?;
    let name = found.first().map(|face| face.name()).unwrap_or_default();
    say(&format!("The face of {name} comes off the blocklist; who has it can be approved again."));
    if !yes && !agreed()? {
        return Err(CliError::new(Exit::Nothing, "nothing was touched", ""));
    }
    for face in &found {
        match take_off(client, face).await {
            // Somebody was faster: it is as it was to be.
            Err(error) if error.kind == ErrorKind::NotFound => {}
            // The answer was lost; reading it back below tells.
            Err(error) if error.carried_out != CarriedOut::No => {}
            other => other?,
        }
    }
    let left = all(client, true).await?;
    if meant(&left, what).is_ok() {
        return Err(CliError::new(
            Exit::Failed,
            format!("the face of {name} is still on the blocklist"),
            "Try again, or look at it in the Didit console",
        ));
    }
    let first = found.first();
    if args.json {
        json(&serde_json::json!({
            "session_id": first.and_then(|face| face.session.as_ref()).map(ToString::to_string),
            "session_number": first.and_then(|face| face.number),
            "entry": first.and_then(|face| face.entry_id()).map(|entry| entry.to_string()),
            "removed": true,
        }))?;
    } else {
        line(&format!("the face of {name} is off the blocklist"))?;
    }
    Ok(Exit::Done)
}

async fn take_off(client: &Client, face: &Listed) -> Result<(), ApiError> {
    match (face.entry, &face.session) {
        (Some((list, entry)), _) => client.remove_entry(list, entry).await,
        (None, Some(session)) => client.blocklist_remove_face(session).await,
        (None, None) => Ok(()),
    }
}

/// Asks on the terminal.
fn agreed() -> Result<bool, CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(CliError::new(
            Exit::Usage,
            "nobody can be asked, because standard input is no terminal; nothing was touched",
            "Give --yes to do it without asking",
        ));
    }
    say("Type yes to go on:");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    Ok(read.is_ok() && answer.trim() == "yes")
}
