//! The blocklist interlock: names a target, wants its number typed, and holds only on a second press
//! of its own key. Enter does nothing, a wrong digit clears, Esc leaves.

use super::model::Model;
use crate::domain::{Details, SessionId, Source, Status, SubjectKind, Target};

/// One session that could be put on the blocklist, or why it could not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetLine {
    /// `SUBJECT`, or `CAND 2`.
    pub kind: String,
    /// Whether it is the subject.
    pub is_subject: bool,
    /// The session; `None` where there is none to name.
    pub session_id: Option<SessionId>,
    /// The number to be typed.
    pub session_number: Option<u64>,
    /// Its status at Didit, in words.
    pub status: String,
    /// Why it cannot be listed here, in words.
    pub refused: Option<String>,
}

/// The interlock, open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interlock {
    /// The case it was opened for: it means no other.
    pub case: SessionId,
    /// The subject first, then the candidates.
    pub targets: Vec<TargetLine>,
    /// Which target.
    pub chosen: usize,
    /// What was typed of its number.
    pub typed: String,
}

/// Why an approved customer is not listed here.
const APPROVED: &str = "approved customer, needs a second reviewer: none is here";

impl Interlock {
    /// The interlock for the case on the desk, its subject chosen.
    #[must_use]
    pub fn open(details: &Details) -> Self {
        let case = &details.case;
        let subject = TargetLine {
            kind: "SUBJECT".to_owned(),
            is_subject: true,
            session_id: Some(case.key.clone()),
            session_number: case.session_number,
            status: case.status.word().to_owned(),
            refused: subject_refusal(details),
        };
        let candidates = case.candidates.iter().zip(&details.candidates).enumerate().map(
            |(place, (candidate, known))| TargetLine {
                kind: format!("CAND {}", place + 1),
                is_subject: false,
                session_id: candidate.session_id.clone(),
                session_number: candidate.session_number,
                status: known.status.as_ref().map_or("no session", Status::word).to_owned(),
                refused: if candidate.blocklisted {
                    Some("already on a blocklist".to_owned())
                } else if candidate.source == Source::ListEntry || candidate.session_id.is_none() {
                    Some("has no session to list".to_owned())
                } else if candidate.session_number.is_none() {
                    Some("has no number to type".to_owned())
                } else {
                    match &known.status {
                        Some(Status::Approved) => Some(APPROVED.to_owned()),
                        // It could be an approved customer.
                        None => Some("its status is not known".to_owned()),
                        Some(_) => None,
                    }
                },
            },
        );
        let targets = std::iter::once(subject).chain(candidates).collect();
        Self { case: case.key.clone(), targets, chosen: 0, typed: String::new() }
    }

    /// The chosen line.
    #[must_use]
    pub fn target(&self) -> Option<&TargetLine> {
        self.targets.get(self.chosen)
    }

    /// Chooses another target; what was typed is forgotten.
    pub fn step(&mut self, forward: bool) {
        let count = self.targets.len().max(1);
        self.chosen = (self.chosen + if forward { 1 } else { count - 1 }) % count;
        self.typed.clear();
    }

    /// Takes a digit. A wrong one clears what was typed.
    pub fn digit(&mut self, digit: char) {
        let Some(number) = self.open_number() else { return };
        self.typed.push(digit);
        if !number.starts_with(&self.typed) {
            self.typed.clear();
        }
    }

    /// Whether the whole number of the named target was typed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.open_number().is_some_and(|number| number == self.typed)
    }

    /// The target, once its number was typed.
    #[must_use]
    pub fn confirmed(&self) -> Option<Target> {
        let line = self.target().filter(|_| self.is_complete())?;
        Some(Target {
            session_id: line.session_id.clone()?,
            session_number: line.session_number,
            is_subject: line.is_subject,
        })
    }

    fn open_number(&self) -> Option<String> {
        let line = self.target().filter(|line| line.refused.is_none())?;
        line.session_number.map(|number| number.to_string())
    }
}

fn subject_refusal(details: &Details) -> Option<String> {
    match (details.case.kind, details.case.session_number) {
        (SubjectKind::Unreachable, _) => Some("cannot be reached at Didit".to_owned()),
        (_, None) => Some("has no number to type".to_owned()),
        (SubjectKind::Workflow, _) if details.case.status == Status::Approved => {
            Some(APPROVED.to_owned())
        }
        _ => None,
    }
}

/// Whether the interlock still means the case on the desk, and its targets are what they were.
#[must_use]
pub fn still_means(interlock: &Interlock, model: &Model) -> bool {
    model.desk.as_ref().is_some_and(|desk| desk.key == interlock.case)
        && model
            .desk_details()
            .is_some_and(|details| Interlock::open(details).targets == interlock.targets)
}
