//! The blocklist interlock: names a target, shows its face, wants its number typed, and holds only on a
//! second press of its own key. Enter does nothing, a wrong digit clears, Esc leaves. An approved customer
//! is only proposed here; a second person confirms through an interlock that knows that one target.

use super::desk::Shown;
use super::model::Model;
use crate::domain::{
    Decision, DecisionId, Details, SessionId, Source, Status, SubjectKind, Target,
};

/// One session that could be put on the blocklist, or why it could not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetLine {
    /// `SUBJECT`, or `CAND 2`.
    pub kind: String,
    /// Which candidate; `None` for the subject.
    pub place: Option<usize>,
    /// The session; `None` where there is none to name.
    pub session_id: Option<SessionId>,
    /// The number to be typed.
    pub session_number: Option<u64>,
    /// Its status at Didit, in words.
    pub status: String,
    /// Whether it is an approved customer: then a second person has to confirm.
    pub approved: bool,
    /// Why it cannot be listed here, in words.
    pub refused: Option<String>,
}

/// The interlock, open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interlock {
    /// The case it was opened for: it means no other.
    pub case: SessionId,
    /// The subject first, then the candidates; where one was proposed, that one only.
    pub targets: Vec<TargetLine>,
    /// Which target.
    pub chosen: usize,
    /// What was typed of its number.
    pub typed: String,
    /// The proposal that it would confirm.
    pub proposal: Option<DecisionId>,
}

impl Interlock {
    /// The interlock for the case on the desk, its subject chosen; or for what somebody proposed about it.
    /// `alone` says why the reviewer cannot be one of two people, whom an approved customer takes.
    #[must_use]
    pub fn open(details: &Details, proposal: Option<&Decision>, alone: Option<&str>) -> Self {
        let case = &details.case;
        let mut targets: Vec<_> =
            std::iter::once(subject(details)).chain(candidates(details)).collect();
        if let Some(proposal) = proposal {
            targets.retain(|line| {
                line.session_id.is_some() && line.target().as_ref() == proposal.target.as_ref()
            });
        }
        for line in targets.iter_mut().filter(|line| line.approved && line.refused.is_none()) {
            line.refused =
                alone.map(|why| format!("an approved customer takes two people, and {why}"));
        }
        Self {
            case: case.key.clone(),
            targets,
            chosen: 0,
            typed: String::new(),
            proposal: proposal.map(|proposal| proposal.id),
        }
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
        self.target().filter(|_| self.is_complete())?.target()
    }

    fn open_number(&self) -> Option<String> {
        let line = self.target().filter(|line| line.refused.is_none())?;
        line.session_number.map(|number| number.to_string())
    }
}

impl TargetLine {
    /// As a decision names it.
    #[must_use]
    pub fn target(&self) -> Option<Target> {
        Some(Target {
            session_id: self.session_id.clone()?,
            session_number: self.session_number,
            is_subject: self.place.is_none(),
            approved: self.approved,
        })
    }
}

fn subject(details: &Details) -> TargetLine {
    let case = &details.case;
    let refused = match (case.kind, case.session_number) {
        (SubjectKind::Unreachable, _) => Some("cannot be reached at Didit"),
        (_, None) => Some("has no number to type"),
        _ => None,
    };
    TargetLine {
        kind: "SUBJECT".to_owned(),
        place: None,
        session_id: Some(case.key.clone()),
        session_number: case.session_number,
        status: case.status.word().to_owned(),
        approved: details.is_approved(&case.key),
        refused: refused.map(str::to_owned),
    }
}

fn candidates(details: &Details) -> impl Iterator<Item = TargetLine> + '_ {
    let both = details.case.candidates.iter().zip(&details.candidates).enumerate();
    both.map(|(place, (candidate, known))| {
        let refused = if candidate.blocklisted {
            Some("already on a blocklist")
        } else if candidate.source == Source::ListEntry || candidate.session_id.is_none() {
            Some("has no session to list")
        } else if candidate.session_number.is_none() {
            Some("has no number to type")
        } else {
            // It could be an approved customer.
            known.status.is_none().then_some("its status is not known")
        };
        TargetLine {
            kind: format!("CAND {}", place + 1),
            place: Some(place),
            session_id: candidate.session_id.clone(),
            session_number: candidate.session_number,
            status: known.status.as_ref().map_or("no session", Status::word).to_owned(),
            approved: candidate.session_id.as_ref().is_some_and(|id| details.is_approved(id)),
            refused: refused.map(str::to_owned),
        }
    })
}

/// Whether the interlock still means the case on the desk, its targets are what they were, and the face
/// that would be listed is the one on the screen.
#[must_use]
pub fn still_means(interlock: &Interlock, model: &Model) -> bool {
    let Some(desk) = model.desk.as_ref().filter(|desk| desk.key == interlock.case) else {
        return false;
    };
    let Some(details) = model.desk_details() else { return false };
    let now = Interlock::open(details, model.proposal(), model.settings.alone.as_deref());
    let shown = interlock.target().is_none_or(|line| match line.place {
        None => desk.shown == Shown::Pair,
        Some(place) => desk.place == place,
    });
    shown && now.targets == interlock.targets && now.proposal == interlock.proposal
}
