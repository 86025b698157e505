//! What stands behind a decision: its row as it lies in the store, its entries of the audit, its signature
//! and the roster of that moment. Asked before anything of it is sent, and by whoever verifies the audit;
//! so a row that was changed or put in behind the program's back goes nowhere. Knows no database.

use super::audit::{AuditEntry, Audited, hash_of};
use super::{AuditRow, StoreError};
use crate::domain::{CaseState, Decision, DeliveryState, Disposition, Millis, ReviewerId};
use crate::proof;
use crate::roster::{DECISION, Enacted, Rosters, Scope, decision_statement, needs_signature};

/// A decision as it lies in the store: nothing of it is believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its place in the order of recording.
    pub place: u64,
    /// The column `id`.
    pub id: String,
    /// The column `reviewer`.
    pub reviewer: String,
    /// The column `disposition`.
    pub disposition: String,
    /// The column `state`.
    pub state: String,
    /// The column `case_was`.
    pub case_was: String,
    /// The record, JSON.
    pub record: String,
    /// The signature beside it, and when it was recorded.
    pub signature: Option<(String, Millis)>,
}

/// Everything that stands behind one decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What signatures hold for.
    pub scope: Scope,
    /// The decision.
    pub kept: Kept,
    /// Its entries of the audit, in their order.
    pub entries: Vec<AuditRow>,
    /// The entry before each of them, in the same order; nothing before the first of the chain.
    pub before: Vec<Option<AuditRow>>,
    /// The proposal that it answers, if it names one.
    pub proposal: Option<Kept>,
    /// What was done to the roster.
    pub acts: Vec<Enacted>,
}

impl Kept {
    /// Reads the record.
    ///
    /// # Errors
    /// In words: it is no decision.
    pub fn decision(&self) -> Result<Decision, String> {
        serde_json::from_str(&self.record)
            .map_err(|_| format!("the record of decision {} cannot be read", self.id))
    }

    /// What is wrong between the row's columns, its record and its entries, in words. The entries are those
    /// of this decision, read, in their order.
    #[must_use]
    pub fn contradictions(&self, entries: &[AuditEntry]) -> Vec<String> {
        let id = &self.id;
        let decision = match self.decision() {
            Ok(decision) => decision,
            Err(why) => return vec![why],
        };
        let mut wrong = Vec::new();
        if decision.id.to_string() != *id {
            wrong.push(format!("decision {id} holds the record of another one"));
        }
        if decision.reviewer.id.0 != self.reviewer {
            wrong.push(format!("decision {id} names another reviewer than its record"));
        }
        if decision.disposition.word() != self.disposition {
            wrong.push(format!("decision {id} names another disposition than its record"));
        }
        let Some(first) = entries.iter().find(|entry| entry.what.begins()) else {
            wrong.push(format!("decision {id} has no entry of its making"));
            return wrong;
        };
        if first.record != hash_of(&self.record) {
            wrong.push(format!("decision {id} is not as it was recorded"));
        }
        if self.signature.as_ref().is_some_and(|(_, at)| *at != first.at) {
            wrong.push(format!("the signature of decision {id} is of another time than its entry"));
        }
        let same = first.reviewer == decision.reviewer.id.0
            && first.disposition == decision.disposition.word()
            && first.case == decision.case.as_str();
        if !same {
            wrong.push(format!("decision {id} and its entry say different things"));
        }
        if let Some(seq) = out_of_order(first, entries) {
            wrong.push(format!("entry {seq} of decision {id} cannot follow those before it"));
        }
        if let Some(last) = entries.last()
            && !follows(&last.state, &self.state)
        {
            wrong.push(format!(
                "decision {id} is {} where its last entry left it {}",
                self.state, last.state
            ));
        }
        wrong
    }

    /// Whether the signature beside it is its reviewer's, where there has to be one: why not, in words.
    /// `seq` is the place of its first entry: the roster is the one of then.
    ///
    /// # Errors
    /// In words.
    pub fn is_proven(&self, scope: &Scope, rosters: &Rosters, seq: u64) -> Result<(), String> {
        let decision = self.decision()?;
        let roster = rosters.before(seq);
        if !roster.is_begun() {
            let early = "it is an act of two people, and there was no roster then";
            return if decision.answers.is_some() || decision.is_proposal() {
                Err(early.to_owned())
            } else {
                Ok(())
            };
        }
        let case_was = CaseState::from_word(&self.case_was).unwrap_or(CaseState::Escalated);
        match &self.signature {
            None if needs_signature(roster, &decision, case_was) => {
                Err(format!("{} did not sign it", decision.reviewer.id))
            }
            None => Ok(()),
            Some((signature, at)) => {
                let text = decision_statement(scope, &decision, &hash_of(&self.record));
                let signer = proof::verify(text.as_bytes(), signature, DECISION)
                    .map_err(|why| format!("its signature is none: {why}"))?;
                // A key that was revoked later, for a time that holds this moment, proves nothing either.
                let person = roster.person_of(&signer, *at).map(|person| person.id.reviewer());
                if person.as_ref() != Some(&decision.reviewer.id)
                    || rosters.now().is_revoked(&signer, *at)
                {
                    return Err(format!("it is not signed by {}", decision.reviewer.id));
                }
                Ok(())
            }
        }
    }
}

/// Whether a row may be in `state` where its last entry left it in `entered`: nothing is entered on the way.
fn follows(entered: &str, state: &str) -> bool {
    let open = |word| DeliveryState::from_word(word).is_some_and(DeliveryState::is_open);
    entered == state || (open(entered) && open(state))
}

impl Evidence {
    /// Whether the decision may be sent: it is as it was entered, its entries hang in the chain, and what
    /// two people have to do two people did.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn stands(&self) -> Result<(), String> {
        let mut entries = Vec::new();
        for (row, before) in self.entries.iter().zip(&self.before) {
            let entry: AuditEntry = serde_json::from_str(&row.entry)
                .map_err(|_| format!("entry {} of the audit cannot be read", row.seq))?;
            let linked = match before {
                Some(before) => entry.before == before.hash,
                None => row.seq == 1 && entry.before.is_empty(),
            };
            if hash_of(&row.entry) != row.hash || entry.seq != row.seq || !linked {
                return Err(format!("entry {} of the audit is not as it was written", row.seq));
            }
            if entry.decision == self.kept.id {
                entries.push(entry);
            }
        }
        if let Some(wrong) = self.kept.contradictions(&entries).into_iter().next() {
            return Err(wrong);
        }
        let seq = entries.iter().find(|entry| entry.what.begins()).map_or(0, |entry| entry.seq);
        let rosters = Rosters::of(&self.scope, &self.acts);
        self.kept.is_proven(&self.scope, &rosters, seq)?;
        self.is_seconded(&rosters, seq)
    }

    /// What confirms a proposal is another person's yes to that very proposal, which its proposer signed.
    fn is_seconded(&self, rosters: &Rosters, seq: u64) -> Result<(), String> {
        let decision = self.kept.decision()?;
        let approved = decision.target.as_ref().is_some_and(|target| target.approved);
        if decision.disposition != Disposition::Blocklist || !approved {
            return Ok(());
        }
        let Some(kept) = &self.proposal else {
            return Err("the proposal that it answers is gone".to_owned());
        };
        let proposal = kept.decision()?;
        if !decision.confirms(&proposal) {
            return Err("it does not confirm what was proposed".to_owned());
        }
        kept.is_proven(&self.scope, rosters, seq)
            .map_err(|why| format!("of the proposal that it answers: {why}"))?;
        match rosters.before(seq).may_not_confirm(&decision.reviewer.id, &proposal.reviewer.id) {
            Some(why) => Err(why),
            None => Ok(()),
        }
    }
}

/// Whether an entry is that of a change of the roster.
pub(super) fn is_entered(act: &Enacted, entry: &str) -> bool {
    serde_json::from_str::<AuditEntry>(entry).is_ok_and(|entry| {
        entry.what == Audited::Roster
            && entry.record == hash_of(&act.act)
            && entry.reviewer == act.by.0
            && entry.at == act.at
    })
}

/// What is wrong in the order of a decision's entries, each against the one before and the first: what was taken
/// back stays so, only what was refused is tried again, and all are about the same record.
fn out_of_order(first: &AuditEntry, entries: &[AuditEntry]) -> Option<u64> {
    let same = |entry: &AuditEntry| {
        (&entry.record, &entry.case, &entry.reviewer, &entry.disposition)
            == (&first.record, &first.case, &first.reviewer, &first.disposition)
    };
    let follows = |before: &AuditEntry, entry: &AuditEntry| match (before.what, entry.what) {
        (Audited::Undone | Audited::Released, _) => false,
        (_, Audited::Retried) => before.what == Audited::Settled && before.state == "refused",
        (_, Audited::Proposed) => {
            first.what == Audited::Proposed && before.what == Audited::Settled
        }
        (_, Audited::Decided | Audited::Confirmed | Audited::Roster) => false,
        _ => true,
    };
    let late = entries.windows(2).find(|pair| !follows(&pair[0], &pair[1])).map(|pair| pair[1].seq);
    let begins = entries.first().filter(|entry| entry.seq != first.seq).map(|entry| entry.seq);
    begins.or(late).or_else(|| entries.iter().find(|entry| !same(entry)).map(|entry| entry.seq))
}

/// What a change of the roster is entered as.
pub(super) fn enacted_entry(
    head: &super::AuditHead,
    act: &NewAct,
    word: &str,
    at: Millis,
) -> Result<AuditRow, StoreError> {
    AuditRow::of(&AuditEntry {
        seq: head.seq.saturating_add(1),
        at,
        what: Audited::Roster,
        decision: String::new(),
        case: String::new(),
        disposition: word.to_owned(),
        state: String::new(),
        reviewer: act.by.0.clone(),
        by: None,
        record: hash_of(&act.act),
        before: head.hash.clone(),
    })
}

/// A change of the roster that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAct {
    /// Who does it.
    pub by: ReviewerId,
    /// A [`crate::roster::Act`] as JSON.
    pub act: String,
    /// The signature of its statement.
    pub signature: Option<String>,
}
