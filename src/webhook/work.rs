//! The work after the answer: events become cases, one after the other, by the intake's rules. What the
//! store or Didit cannot take now is tried again; nothing is dropped without a word.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::receiver::{Job, Waiting};
use super::recent::Recent;
use super::signature::Trust;
use crate::didit::{ErrorKind, Item, parse_item};
use crate::domain::{Millis, SessionId};
use crate::intake::{Inbox, IntakeError, Taken};
use crate::store::StoreError;

/// Sessions whose newest event is remembered.
const SESSIONS: usize = 16_384;
/// Tries of an event that fails for no reason that passes by itself.
const TRIES: u32 = 5;
/// The longest wait between two tries.
const LONGEST: Duration = Duration::from_secs(30);

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// It was worked on.
    Taken {
        /// Its session, where it names one.
        session: Option<SessionId>,
        /// What became of it.
        taken: Taken,
    },
    /// A newer event of its session was worked on before.
    Overtaken(SessionId),
    /// It is Didit's, but cannot be read.
    Unreadable(String),
    /// It failed and is tried again.
    Again(String),
    /// It was given up: the next round of `sync` finds its session.
    GivenUp(String),
}

/// Takes what the work tells. It must not block.
pub type Report<'a> = &'a (dyn Fn(Notice) + Send + Sync);

/// Works until the queue has ended and is empty. `hurry` ends the waiting between tries: each event
/// that is left gets one try more.
pub async fn work(
    mut waiting: Waiting,
    inbox: &Inbox,
    report: Report<'_>,
    hurry: &CancellationToken,
) {
    let mut newest: Recent<SessionId, Millis> = Recent::new(SESSIONS);
    while let Some(job) = waiting.0.recv().await {
        let at = job.event.at;
        let item = match parse_item(&job.event.text, at) {
            Ok(item) => item,
            Err(error) => {
                report(Notice::Unreadable(error.detail().to_owned()));
                continue;
            }
        };
        let session = session_of(&item);
        if let Some(session) = &session
            && newest.get(session).is_some_and(|known| *known > at)
        {
            report(Notice::Overtaken(session.clone()));
            continue;
        }
        if let Some(taken) = until_taken(&job, item, inbox, report, hurry).await {
            if let Some(session) = session.clone() {
                newest.keep(session, at);
            }
            report(Notice::Taken { session, taken });
        }
    }
}

fn session_of(item: &Item) -> Option<SessionId> {
    match item {
        Item::FaceSearch(reply) => Some(reply.details.case.key.clone()),
        Item::Decision(details) => Some(details.case.key.clone()),
        Item::Session { session, .. } => Some(session.clone()),
        Item::Elsewhere => None,
    }
}

async fn until_taken(
    job: &Job,
    item: Item,
    inbox: &Inbox,
    report: Report<'_>,
    hurry: &CancellationToken,
) -> Option<Taken> {
    let mut tries = 0;
    loop {
        let hurried = hurry.is_cancelled();
        let taken = match job.event.trust {
            Trust::Whole => inbox.take(item.clone(), Some(job.event.at)).await,
            Trust::Named => inbox.take_afresh(item.clone()).await,
        };
        let error = match taken {
            Ok(taken) => return Some(taken),
            Err(error) => error,
        };
        tries += 1;
        let Some(wait) = pause(&error, tries).filter(|_| !hurried) else {
            report(Notice::GivenUp(error.to_string()));
            return None;
        };
        report(Notice::Again(error.to_string()));
        tokio::select! {
            () = hurry.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// How long to wait before the next try; `None` when there is none.
fn pause(error: &IntakeError, tries: u32) -> Option<Duration> {
    let longer = Duration::from_millis(250 << tries.min(7)).min(LONGEST);
    match error {
        IntakeError::Store(
            StoreError::Busy(_) | StoreError::Collision | StoreError::ReadOnly | StoreError::Full,
        ) => Some(longer),
        IntakeError::Api(api) => match api.kind {
            ErrorKind::Limited { after } => Some(after.max(longer)),
            ErrorKind::Network | ErrorKind::Timeout | ErrorKind::Server => Some(longer),
            ErrorKind::Key | ErrorKind::Permission => (tries < TRIES).then_some(longer),
            _ => None,
        },
        IntakeError::Store(_) | IntakeError::Endless | IntakeError::Stopped => {
            (tries < TRIES).then_some(longer)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_waited_for_and_what_does_not_is_given_up() {
        let busy = IntakeError::Store(StoreError::Busy("locked".into()));
        assert_eq!(pause(&busy, 1), Some(Duration::from_millis(500)));
        assert_eq!(pause(&busy, 1_000), Some(LONGEST));
        let broken = IntakeError::Store(StoreError::Corrupt("a row".into()));
        assert!(pause(&broken, 1).is_some() && pause(&broken, TRIES).is_none());
    }
}
