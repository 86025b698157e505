//! The one error of the boundary: a sentence, a next step and an exit code.

use std::process::ExitCode;

use crate::config::ConfigError;
use crate::core::KeymapError;
use crate::didit::{ApiError, ErrorKind};
use crate::intake::IntakeError;
use crate::shell::ShellError;
use crate::store::StoreError;

/// How the program ends. The numbers are part of the contract with scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Wrongly called.
    Usage = 2,
    /// Nothing to do, or not found.
    Nothing = 3,
    /// The key is missing or wrong, or lacks a right.
    Auth = 4,
    /// Not enough credit.
    Credit = 5,
    /// Somebody decided otherwise.
    Conflict = 6,
    /// Didit or the network is in trouble.
    Network = 7,
    /// Some of it was done.
    Partly = 8,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error on its way out.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct CliError {
    exit: Exit,
    text: String,
    hint: String,
}

impl CliError {
    /// An error with its exit code, what is wrong, and what to do next.
    pub fn new(exit: Exit, text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { exit, text: text.into(), hint: hint.into() }
    }

    /// The same way out, in other words.
    #[must_use]
    pub fn reworded(self, text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { text: text.into(), hint: hint.into(), ..self }
    }

    /// A failure of no particular kind.
    pub fn failed(text: impl Into<String>) -> Self {
        Self::new(Exit::Failed, text, "")
    }

    /// Whoever read the data has gone: the work ends, and nobody is told.
    pub fn nobody_reads() -> Self {
        Self::new(Exit::Done, "", "")
    }

    /// Says it on standard error, when there is anything to say, and answers with the exit code.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        if self.text.is_empty() {
            return self.exit.into();
        }
        let text = self.text.trim_end_matches('.');
        let hint = self.hint.trim_end_matches('.');
        let sentence =
            if hint.is_empty() { format!("{text}.") } else { format!("{text}. {hint}.") };
        super::output::say(&format!("secondlook: {sentence}"));
        self.exit.into()
    }
}

impl From<ApiError> for CliError {
    fn from(error: ApiError) -> Self {
        let exit = match error.kind {
            ErrorKind::Key | ErrorKind::Permission => Exit::Auth,
            ErrorKind::Credit => Exit::Credit,
            ErrorKind::NotFound => Exit::Nothing,
            ErrorKind::Conflict => Exit::Conflict,
            ErrorKind::Network
            | ErrorKind::Timeout
            | ErrorKind::Server
            | ErrorKind::Limited { .. }
            | ErrorKind::Redirect
            | ErrorKind::Protocol => Exit::Network,
            ErrorKind::Settings => Exit::Usage,
            _ => Exit::Failed,
        };
        Self::new(exit, error.to_string(), error.hint())
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let (exit, hint) = match &error {
            StoreError::BadUrl => (Exit::Usage, "Mend store.url, SECONDLOOK_STORE or --store"),
            StoreError::NotAStore { .. } => {
                (Exit::Failed, "Point SECONDLOOK_STORE at another file; this one was not touched")
            }
            StoreError::Newer { .. } => (Exit::Failed, "Update secondlook; nothing was changed"),
            StoreError::Permissions { .. } | StoreError::OpenFolder { .. } => {
                (Exit::Auth, "Then start again")
            }
            StoreError::LostLease | StoreError::Conflict => {
                (Exit::Conflict, "Look at the case again")
            }
            StoreError::SecondReader => (Exit::Conflict, "Ask a colleague to look at it"),
            StoreError::NotProven => {
                (Exit::Auth, "`secondlook reviewers list` says who can, `doctor` who you are")
            }
            StoreError::NoRoster(_) => (Exit::Auth, "See `secondlook store status`"),
            StoreError::NotThem(_) => {
                (Exit::Auth, "`secondlook reviewers list` says who is on it; start anew")
            }
            StoreError::Guard(_) => {
                (Exit::Auth, "Nothing was changed; what is the owner's, the store's owner does")
            }
            StoreError::NotSecond(_) => (Exit::Conflict, "Ask another colleague to look at it"),
            StoreError::NotEnacted(why) => match why {
                crate::roster::NotEnacted::Nobody(_) | crate::roster::NotEnacted::Nothing => {
                    (Exit::Nothing, "See `secondlook reviewers list`")
                }
                _ => (Exit::Auth, "See `secondlook reviewers list`; nothing was changed"),
            },
            StoreError::NotEmpty => (Exit::Conflict, "Nothing was changed"),
            StoreError::Kept(_) => (Exit::Auth, "Nothing was carried"),
            StoreError::InUse(_) => {
                (Exit::Conflict, "End them, or wait a minute where they died, and try again")
            }
            StoreError::AuditEnd(_) => (
                Exit::Failed,
                "Nothing is decided or sent until the store is put back from a copy; \
                 `secondlook audit verify` says more",
            ),
            StoreError::Parked(_) => (Exit::Failed, ""),
            StoreError::Full => (Exit::Failed, "Free some space and start again; nothing was lost"),
            StoreError::Busy(_) | StoreError::Collision => (Exit::Failed, "Try again in a moment"),
            StoreError::ReadOnly => (
                Exit::Failed,
                "After a failover name all servers in the address, or ask who runs the database",
            ),
            StoreError::Unfit(_) => (Exit::Failed, "Nothing was changed there"),
            StoreError::Corrupt(_) => (Exit::Failed, "`secondlook audit verify` says which"),
            StoreError::Other(_) => (Exit::Failed, "`secondlook doctor` says more about the store"),
        };
        Self::new(exit, error.to_string(), hint)
    }
}

impl From<IntakeError> for CliError {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Api(error) => error.into(),
            IntakeError::Store(error) => error.into(),
            IntakeError::Endless | IntakeError::Stopped => Self::failed(error.to_string()),
        }
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::new(
            Exit::Usage,
            format!("the configuration cannot be used: {error}"),
            "Mend the file; README.md lists every setting",
        )
    }
}

impl From<KeymapError> for CliError {
    fn from(error: KeymapError) -> Self {
        Self::new(
            Exit::Usage,
            format!("the keys cannot be used: {error}"),
            "Mend [keys] in the configuration",
        )
    }
}

impl From<ShellError> for CliError {
    fn from(error: ShellError) -> Self {
        if matches!(error, ShellError::Stopped) {
            return Self::new(Exit::Failed, error.to_string(), "Run it again");
        }
        Self::new(
            Exit::Usage,
            error.to_string(),
            "Run it in a terminal, over SSH with `ssh -t`; scripts use `secondlook queue` and `decide`",
        )
    }
}
