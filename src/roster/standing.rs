//! What a run of the program can prove, and what its decisions are signed as.

use super::{Require, Roster, Scope};
use crate::domain::{CaseState, Decision, Millis};

/// What signatures over decisions are for: one made for anything else is none here.
pub const DECISION: &str = "decision@secondlook";
/// What signatures over changes of the roster are for.
pub const ROSTER: &str = "roster@secondlook";
/// What the signature is for by which a run of the program learns who it is.
pub const CHALLENGE: &str = "login@secondlook";

/// Who this run of the program is, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// There is no roster: one person works alone, and counts as nobody's second.
    Alone,
    /// A person of the roster, proven by a signature over a challenge, or by the role of the database.
    Person {
        /// Whether the ssh-agent can sign for them.
        signs: bool,
    },
    /// There is a roster, and nobody on it was proven to be here.
    Unproven {
        /// Why not, in words.
        why: String,
    },
}

/// What is signed at start: fresh, for one store, one computer and one moment.
#[must_use]
pub fn challenge(scope: &Scope, host: &str, at: Millis, fresh: &str) -> String {
    format!("secondlook login\nscope {scope}\nhost {host}\nat {}\nfresh {fresh}\n", at.0)
}

/// What a decision is signed as. `record` is the SHA-256 of the whole record, which holds the evidence.
#[must_use]
pub fn decision_statement(scope: &Scope, decision: &Decision, record: &str) -> String {
    let target = decision.target.as_ref().map_or("-", |target| target.session_id.as_str());
    let answers = decision.answers.map_or_else(|| "-".to_owned(), |id| id.to_string());
    format!(
        "secondlook decision\nscope {scope}\ndecision {}\ncase {}\ndisposition {}\ntarget {target}\n\
         answers {answers}\nreviewer {}\nat {}\nrecord {record}\n",
        decision.id,
        decision.case,
        decision.disposition.word(),
        decision.reviewer.id,
        decision.at.0,
    )
}

/// Whether a decision is an act of two people: a proposal, an answer to one, or a word on a case that
/// another person has read.
#[must_use]
pub fn two_person(decision: &Decision, case_was: CaseState) -> bool {
    decision.is_proposal() || decision.answers.is_some() || case_was == CaseState::Escalated
}

/// Whether a decision has to be signed.
#[must_use]
pub fn needs_signature(roster: &Roster, decision: &Decision, case_was: CaseState) -> bool {
    roster.require() == Require::EveryDecision || two_person(decision, case_was)
}

impl Standing {
    /// Why this run cannot act as one of two people, in a sentence with what to do; nothing where it can.
    #[must_use]
    pub fn cannot_be_second(&self) -> Option<String> {
        match self {
            Self::Alone => {
                Some("two people need a roster: `secondlook reviewers add` sets one up".to_owned())
            }
            Self::Person { signs: true } => None,
            Self::Person { signs: false } => Some(
                "no key of yours in the ssh-agent signs: `ssh-add`, then start anew".to_owned(),
            ),
            Self::Unproven { why } => {
                Some(format!("you are not proven to be on the roster: {why}"))
            }
        }
    }
}
