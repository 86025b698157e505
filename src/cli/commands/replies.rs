//! `review --from`: the lines of a file or a pipe as cases to be reviewed at once. What Didit can be asked
//! for becomes a case as by `ingest`; of other face searches the links are held in memory for the console.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use tokio::io::BufReader;
use zeroize::Zeroizing;

use super::super::error::{CliError, Exit};
use super::super::output::say;
use super::super::wire::{self, Setup};
use super::Desk;
use super::ingest::{next_line, open};
use crate::didit::{ErrorKind, Item, parse_item};
use crate::domain::{CaseState, SessionId, SubjectKind};
use crate::intake::{Inbox, IntakeError, Taken};
use crate::shell::Given;

/// So many cases are held at once; more are `ingest`'s.
const MOST: usize = 10_000;

/// What a line may hold beside what Didit sent.
#[derive(Deserialize)]
struct Beside {
    #[serde(default)]
    subject_image: Option<PathBuf>,
}

/// Why a line became no case to review.
enum Bad {
    /// It is this line's fault.
    Line(String),
    /// No other line would fare better.
    End(CliError),
}

impl From<IntakeError> for Bad {
    fn from(error: IntakeError) -> Self {
        match &error {
            IntakeError::Api(api)
                if matches!(
                    api.kind,
                    ErrorKind::NotFound | ErrorKind::Protocol | ErrorKind::Validation
                ) =>
            {
                Self::Line(format!("its session cannot be read: {api}"))
            }
            _ => Self::End(error.into()),
        }
    }
}

/// Reads the lines; each that becomes no case is named by its number.
///
/// # Errors
/// Exit code 3 when no line became one.
pub async fn load(setup: &Setup, desk: &Desk, file: &Path) -> Result<Given, CliError> {
    let unread = |error: std::io::Error| {
        CliError::new(
            Exit::Usage,
            format!("{} cannot be read: {error}", file.display()),
            "Name a file of JSON lines, or - for standard input",
        )
    };
    let mut input = BufReader::new(open(file).await.map_err(unread)?);
    let clock = Arc::new(wire::clock(&desk.client).await);
    let (store, origin) = (desk.store.clone(), desk.origin.clone());
    let inbox = Inbox::new(store, &desk.client, clock, origin, setup.intake());
    let mut given = Given::default();
    // It holds names and links: wiped when it is let go.
    let mut buffer = Zeroizing::new(Vec::new());
    let (mut number, mut cases) = (0_u64, 0);
    while let Some(whole) = next_line(&mut input, &mut buffer).await.map_err(unread)? {
        number += 1;
        let text = whole.then(|| std::str::from_utf8(&buffer).ok()).flatten();
        let done = match text {
            Some(text) if text.trim().is_empty() => continue,
            Some(text) => take(&inbox, desk, &mut given, text).await,
            None => Err(Bad::Line("it is not UTF-8, or longer than 8 MiB".to_owned())),
        };
        match done {
            Ok(()) if cases == MOST => {
                return Err(CliError::new(
                    Exit::Usage,
                    format!("there are more than {MOST} cases"),
                    "Take them in with `secondlook ingest`, or give a part of them",
                ));
            }
            Ok(()) => cases += 1,
            Err(Bad::Line(why)) => say(&format!("line {number}: {why}")),
            Err(Bad::End(error)) => return Err(error),
        }
    }
    if cases == 0 {
        return Err(CliError::new(
            Exit::Nothing,
            format!("{} holds nothing to review", file.display()),
            "A line is the reply of a face search, a decision or a webhook payload with a possible match",
        ));
    }
    Ok(given)
}

async fn take(inbox: &Inbox, desk: &Desk, given: &mut Given, text: &str) -> Result<(), Bad> {
    let now = wire::now();
    let item = parse_item(text, now).map_err(|error| Bad::Line(error.detail().to_owned()))?;
    let beside: Beside = serde_json::from_str(text)
        .map_err(|_| Bad::Line("its subject_image is no path".to_owned()))?;
    let key = match &item {
        Item::FaceSearch(reply) => reply.details.case.key.clone(),
        Item::Decision(details) => details.case.key.clone(),
        Item::Session { session, .. } => session.clone(),
        Item::Elsewhere => return Err(Bad::Line("it is about no session".to_owned())),
    };
    let taken = match item {
        Item::FaceSearch(reply) => match inbox.take_afresh(Item::FaceSearch(reply.clone())).await {
            Ok(Taken::Unsaved) => Err(Bad::Line(
                "the search was not saved at Didit, so its matches have no pictures".to_owned(),
            )),
            Err(IntakeError::Api(error)) if error.kind == ErrorKind::NotFound => {
                if beside.subject_image.is_none() {
                    return Err(Bad::Line(
                        "Didit does not show this search to this key, and the line has no \
                         subject_image to compare with"
                            .to_owned(),
                    ));
                }
                let mut details = reply.details;
                details.case.kind = SubjectKind::Unreachable;
                let taken = inbox.take_unreachable(&details).await.map_err(Bad::from);
                given.reply(details);
                taken
            }
            taken => taken.map_err(Bad::from),
        },
        item => inbox.take(item, None).await.map_err(Bad::from),
    }?;
    if let Some(path) = beside.subject_image {
        given.image(key.clone(), path);
    }
    waits(desk, given, key, taken).await
}

/// Whether it waits for a decision by now, and the console could open on it.
async fn waits(desk: &Desk, given: &mut Given, key: SessionId, taken: Taken) -> Result<(), Bad> {
    let row = desk.store.case(&desk.origin, &key, wire::now()).await;
    let state = row.map_err(|error| Bad::End(error.into()))?.map(|row| row.state);
    match state {
        Some(CaseState::Open) => given.open_on(key),
        Some(CaseState::Escalated) => {}
        Some(state) => return Err(Bad::Line(format!("its case is {} already", state.word()))),
        None if taken == Taken::Nothing => {
            return Err(Bad::Line("it holds nothing to review".to_owned()));
        }
        None => return Err(Bad::Line("its case is gone".to_owned())),
    }
    Ok(())
}
