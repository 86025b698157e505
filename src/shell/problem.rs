//! Errors of the layers below as sentences for the reviewer.

use crate::core::{Problem, ProblemKind};
use crate::didit::{ApiError, ErrorKind};
use crate::intake::IntakeError;
use crate::store::StoreError;

/// What to say about an error of the API.
pub fn of_api(error: &ApiError) -> Problem {
    let kind = match error.kind {
        ErrorKind::Key | ErrorKind::Permission => ProblemKind::Key,
        ErrorKind::NotFound => ProblemKind::NotFound,
        // A minute that is used up is no line that is down.
        ErrorKind::Network | ErrorKind::Timeout | ErrorKind::Server => ProblemKind::Network,
        _ => ProblemKind::Other,
    };
    Problem { kind, text: sentence(&error.to_string()), hint: error.hint().to_owned() }
}

/// What to say about an error of the store.
pub fn of_store(error: &StoreError) -> Problem {
    let (kind, hint) = match error {
        StoreError::LostLease
        | StoreError::Conflict
        | StoreError::SecondReader
        | StoreError::NotProven
        | StoreError::NotSecond(_) => (ProblemKind::Lost, "Look at the case again."),
        // The store does what it should, and this run is not whom it takes for one that may.
        StoreError::NoRoster(_) | StoreError::NotThem(_) | StoreError::Guard(_) => {
            (ProblemKind::Other, "Nothing was recorded; see `secondlook reviewers list`.")
        }
        // One row of many: the store keeps what it is given.
        StoreError::Parked(_) => (ProblemKind::Other, ""),
        StoreError::Corrupt(_) => (ProblemKind::Other, "`secondlook audit verify` says which."),
        StoreError::AuditEnd(_) => (ProblemKind::Store, "See `secondlook audit verify`."),
        StoreError::Full => {
            (ProblemKind::Unwritable, "Free some space; nothing is taken until then.")
        }
        StoreError::ReadOnly | StoreError::Unfit(_) => {
            (ProblemKind::Unwritable, "Nothing is taken that cannot be kept.")
        }
        _ => (ProblemKind::Store, "Nothing is taken that cannot be kept; see `secondlook doctor`."),
    };
    Problem { kind, text: sentence(&error.to_string()), hint: hint.to_owned() }
}

/// What to say of a decision that had to be signed and could not be.
pub fn unsigned(why: &str) -> Problem {
    let hint = "Nothing was decided; `secondlook doctor` says more of the ssh-agent.".to_owned();
    Problem { kind: ProblemKind::Other, text: sentence(why), hint }
}

/// What to say about an error of the intake; `None` when there is nothing to say.
pub fn of_intake(error: &IntakeError) -> Option<Problem> {
    match error {
        IntakeError::Api(error) => Some(of_api(error)),
        IntakeError::Store(error) => Some(of_store(error)),
        IntakeError::Stopped => None,
        IntakeError::Endless => Some(Problem {
            kind: ProblemKind::Other,
            text: sentence(&error.to_string()),
            hint: String::new(),
        }),
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str().trim_end_matches('.'))
}
