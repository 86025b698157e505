//! What stands behind a decision: its row as it lies in the store, its entries of the audit, its signature
//! and the roster of that moment. Asked before anything of it is sent, and by whoever verifies the audit;
//! so a row that was changed or put in behind the program's back goes nowhere. Knows no database.

use std::fmt;

use super::audit::{AuditEntry, Audited, hash_of};
use super::{AuditRow, StoreError};
use crate::domain::{
    CaseState, Decision, DeliveryState, Disposition, Millis, Reviewer, ReviewerId,
};
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
    /// The entries of the audit about its case, in their order.
    pub entries: Vec<AuditRow>,
    /// The entry before each of them, in the same order; nothing before the first of the chain.
    pub before: Vec<Option<AuditRow>>,
    /// The proposal that it answers, if it names one.
    pub proposal: Option<Kept>,
    /// What was done to the roster.
    pub acts: Vec<Enacted>,
}

/// Why a decision does not stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// Something is not as it was written, or two people did not do what two people have to do; each in words.
    Wrong(Vec<String>),
    /// It is an act of two people from before there was a roster: nothing is wrong with it, and nothing
    /// proves it.
    Early,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong(wrong) => f.write_str(&wrong.join("; ")),
            Self::Early => f.write_str("it is an act of two people, and there was no roster then"),
        }
    }
}

impl From<String> for Doubt {
    fn from(wrong: String) -> Self {
        Self::Wrong(vec![wrong])
    }
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
    /// of this decision, in their order.
    fn contradictions(&self, entries: &[&AuditEntry]) -> Vec<String> {
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
        let Some(first) = beginning(entries) else {
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

    /// Whether the signature beside it is its reviewer's: why not, in words. `seq` is the place of its first
    /// entry: the roster is the one of then.
    fn is_signed(
        &self,
        decision: &Decision,
        scope: &Scope,
        rosters: &Rosters,
        seq: u64,
    ) -> Result<(), String> {
        let Some((signature, at)) = &self.signature else {
            return Err(format!("{} did not sign it", decision.reviewer.id));
        };
        let text = decision_statement(scope, decision, &hash_of(&self.record));
        let signer = proof::verify(text.as_bytes(), signature, DECISION)
            .map_err(|why| format!("its signature is none: {why}"))?;
        let person = rosters.before(seq).person_of(&signer, *at);
        // A key that was revoked later, for a time that holds this moment, proves nothing either.
        if person.map(|person| person.id.reviewer()).as_ref() != Some(&decision.reviewer.id)
            || rosters.now().is_revoked(&signer, *at)
        {
            return Err(format!("it is not signed by {}", decision.reviewer.id));
        }
        Ok(())
    }
}

/// Whether a row may be in `state` where its last entry left it in `entered`: nothing is entered on the way.
fn follows(entered: &str, state: &str) -> bool {
    let open = |word| DeliveryState::from_word(word).is_some_and(DeliveryState::is_open);
    entered == state || (open(entered) && open(state))
}

/// The entry of a decision's making.
fn beginning<'a>(entries: &[&'a AuditEntry]) -> Option<&'a AuditEntry> {
    entries.iter().find(|entry| entry.what.begins()).copied()
}

/// The entries of one decision among those of its case.
fn of<'a>(trail: &'a [AuditEntry], decision: &str) -> Vec<&'a AuditEntry> {
    trail.iter().filter(|entry| entry.decision == decision).collect()
}

/// Whether a decision stands: it is as it was entered, its name is its reviewer's, and what two people have to
/// do two people did. `trail` is what the audit says of its case, in its order; `proposal` is the decision that
/// it answers. Whoever sends and whoever verifies ask the same.
///
/// # Errors
/// [`Doubt`].
pub fn stands(
    kept: &Kept,
    proposal: Option<&Kept>,
    trail: &[AuditEntry],
    scope: &Scope,
    rosters: &Rosters,
) -> Result<(), Doubt> {
    let own = of(trail, &kept.id);
    let wrong = kept.contradictions(&own);
    if !wrong.is_empty() {
        return Err(Doubt::Wrong(wrong));
    }
    let decision = kept.decision()?;
    let seq = beginning(&own).map_or(0, |entry| entry.seq);
    let roster = rosters.before(seq);
    let readers = readers(trail, seq);
    if !roster.is_begun() {
        let two = decision.answers.is_some() || decision.is_proposal();
        return if two { Err(Doubt::Early) } else { Ok(()) };
    }
    is_ones_own_name(&decision, rosters, seq)?;
    if readers.contains(&decision.reviewer.id.0.as_str()) {
        let who = &decision.reviewer.id;
        return Err(format!("{who} had read the case before, and another person decides it").into());
    }
    // Where the case stood is told by its entries; what the row says of it can only ask for more.
    let was = CaseState::from_word(&kept.case_was).unwrap_or(CaseState::Escalated);
    let was = if readers.is_empty() { was } else { CaseState::Escalated };
    if kept.signature.is_some() || needs_signature(roster, &decision, was) {
        kept.is_signed(&decision, scope, rosters, seq)?;
    }
    if !readers.is_empty()
        && let Some(why) = roster.is_nobodys_second(&decision.reviewer.id)
    {
        return Err(why.into());
    }
    is_seconded(&decision, seq, proposal, trail, scope, rosters)?;
    Ok(())
}

/// A decision bears its reviewer's own name: Didit's console shows nothing else of them.
fn is_ones_own_name(decision: &Decision, rosters: &Rosters, seq: u64) -> Result<(), String> {
    let Reviewer { id, name } = &decision.reviewer;
    let roster = rosters.before(seq);
    if id.person().is_some() {
        if roster.named(id).is_none() {
            return Err(format!("{id} was nobody of the roster then"));
        }
        return match rosters.was_called(id, name, seq) {
            true => Ok(()),
            false => Err(format!("it bears another name than {id}'s")),
        };
    }
    match roster.of_name(name) {
        Some(person) => Err(format!("{id} made it in the name of {}", person.id)),
        None => Ok(()),
    }
}

/// What confirms a proposal is another person's yes to that very proposal, which its proposer signed.
fn is_seconded(
    decision: &Decision,
    seq: u64,
    proposal: Option<&Kept>,
    trail: &[AuditEntry],
    scope: &Scope,
    rosters: &Rosters,
) -> Result<(), String> {
    let listing = decision.disposition == Disposition::Blocklist;
    let approved = decision.target.as_ref().is_some_and(|target| target.approved);
    let confirms = listing && (approved || decision.answers.is_some());
    if decision.is_proposal() || !(confirms || decision.is_without_picture()) {
        return Ok(());
    }
    let Some(kept) = proposal else {
        return Err("the proposal that it answers is gone".to_owned());
    };
    let proposed = kept.decision()?;
    if !decision.confirms(&proposed) || !proposed.is_proposal() || proposed.case != decision.case {
        return Err("it does not confirm what was proposed".to_owned());
    }
    let of_proposal = |why: String| format!("of the proposal that it answers: {why}");
    let entries = of(trail, &kept.id);
    if let Some(wrong) = kept.contradictions(&entries).into_iter().next() {
        return Err(of_proposal(wrong));
    }
    if !waits(trail, &kept.id, seq) {
        return Err("the proposal that it answers did not wait any more".to_owned());
    }
    if let Some(why) =
        rosters.before(seq).may_not_confirm(&decision.reviewer.id, &proposed.reviewer.id)
    {
        return Err(why);
    }
    let proposed_at = beginning(&entries).map_or(0, |entry| entry.seq);
    kept.is_signed(&proposed, scope, rosters, proposed_at).map_err(of_proposal)
}

/// Whether a proposal waited for its answer at a place of the audit: it was made, or its answer was taken back
/// just before it was entered as waiting again.
fn waits(trail: &[AuditEntry], proposal: &str, seq: u64) -> bool {
    let before = &trail[..trail.partition_point(|entry| entry.seq < seq)];
    let Some(last) = before.iter().rposition(|entry| entry.decision == proposal) else {
        return false;
    };
    let first = before.iter().position(|entry| entry.decision == proposal) == Some(last);
    let taken_back = || {
        let answer = last.checked_sub(1).map(|at| &before[at]);
        answer.is_some_and(|answer| {
            matches!(answer.what, Audited::Undone | Audited::Released)
                && answer.decision != proposal
                && answer.seq + 1 == before[last].seq
        })
    };
    before[last].what == Audited::Proposed && (first || taken_back())
}

/// Who had read a case before a place of the audit, in a round that is not over: those another person than
/// they decides after. Told by the entries alone, whose beginnings are each in their doer's own name; what
/// one of the readers decided themselves ends no round, and nobody takes back what another has read since.
fn readers(trail: &[AuditEntry], seq: u64) -> Vec<&str> {
    let mut readers: Vec<(&AuditEntry, &str)> = Vec::new();
    // The decision that stands on the case, and whether what came of it is known.
    let mut closed: Option<(&str, bool)> = None;
    let mut last: Option<&AuditEntry> = None;
    for entry in trail.iter().take_while(|entry| entry.seq < seq) {
        let (id, who) = (entry.decision.as_str(), entry.reviewer.as_str());
        let reads = matches!(entry.state.as_str(), "proposed" | "differs")
            || entry.disposition == Disposition::Escalate.word();
        let newest = |readers: &[(&AuditEntry, &str)]| {
            closed.is_none() && readers.last().is_some_and(|(first, _)| first.decision == id)
        };
        match entry.what {
            Audited::Decided | Audited::Proposed | Audited::Confirmed => {
                if closed.is_some_and(|(_, over)| over) {
                    readers.clear();
                }
                closed = None;
                if reads {
                    if !readers.iter().any(|(first, _)| first.decision == id) {
                        readers.push((entry, who));
                    }
                } else if !readers.iter().any(|(_, reader)| *reader == who) {
                    closed = Some((id, entry.state == DeliveryState::Local.word()));
                }
            }
            Audited::Undone | Audited::Released => {
                if newest(&readers) && entry.doer() == who {
                    readers.pop();
                }
                closed = closed.filter(|(known, _)| *known != id);
            }
            Audited::Reopened => {
                closed = closed.map(|(known, over)| (known, over || known == id));
            }
            Audited::Settled => {
                // A proposal that was answered stays a reading; one that is void is none any more.
                let answered = last.is_some_and(|last| last.what.begins() && last.decision != id);
                let proposal = readers.last().is_some_and(|(first, _)| first.state == "proposed");
                if newest(&readers) && proposal && !answered {
                    readers.pop();
                }
                let over = entry.state != DeliveryState::Refused.word();
                closed = closed.map(|(known, was)| (known, was || (known == id && over)));
            }
            Audited::Retried | Audited::Roster => {}
        }
        last = Some(entry);
    }
    readers.into_iter().map(|(_, who)| who).collect()
}

impl Evidence {
    /// Whether the decision may be sent.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn stands(&self) -> Result<(), String> {
        let mut trail = Vec::new();
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
            trail.push(entry);
        }
        let rosters = Rosters::of(&self.scope, &self.acts);
        let proposal = self.proposal.as_ref();
        stands(&self.kept, proposal, &trail, &self.scope, &rosters)
            .map_err(|doubt| doubt.to_string())
    }
}

/// When an entry says that it was recorded; 0 where it cannot be read.
pub(super) fn at_of(entry: &str) -> Millis {
    serde_json::from_str::<AuditEntry>(entry).map_or(Millis(0), |entry| entry.at)
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
fn out_of_order(first: &AuditEntry, entries: &[&AuditEntry]) -> Option<u64> {
    let same = |entry: &&AuditEntry| {
        (&entry.record, &entry.case, &entry.reviewer, &entry.disposition)
            == (&first.record, &first.case, &first.reviewer, &first.disposition)
    };
    let follows = |before: &AuditEntry, entry: &AuditEntry| match (before.what, entry.what) {
        (Audited::Undone | Audited::Released, _) => false,
        // Nobody takes back what another decided; an administrator releases it.
        (_, Audited::Undone) => entry.doer() == entry.reviewer,
        (_, Audited::Retried) => before.what == Audited::Settled && before.state == "refused",
        (_, Audited::Proposed) => {
            first.what == Audited::Proposed && before.what == Audited::Settled
        }
        (_, Audited::Decided | Audited::Confirmed | Audited::Roster) => false,
        _ => true,
    };
    let late = entries.windows(2).find(|pair| !follows(pair[0], pair[1])).map(|pair| pair[1].seq);
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
