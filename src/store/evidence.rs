//! What stands behind a decision: its row as it lies in the store, its entries of the audit, its signature
//! and the roster of that moment. Asked before anything of it is sent, and by whoever verifies the audit;
//! so a row that was changed or put in behind the program's back goes nowhere. Knows no database.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::audit::{AuditEntry, Audited, hash_of};
use super::row::outcome;
use super::{AuditRow, StoreError};
use crate::domain::{
    CaseState, Decision, DeliveryState, Disposition, Millis, Reading, Reviewer, ReviewerId,
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
    /// The other decisions that its case had, by their ids.
    pub beside: HashMap<String, Kept>,
    /// What was done to the roster.
    pub acts: Vec<Enacted>,
    /// Whether another key or address of the store has a roster.
    pub elsewhere: bool,
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
        if let Some(seq) = out_of_order(entries) {
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
/// do two people did. `trail` is what the audit says of its case, in its order; `beside` are the decisions
/// that the case had. Whoever sends and whoever verifies ask the same.
///
/// # Errors
/// [`Doubt`].
pub fn stands(
    kept: &Kept,
    beside: &HashMap<String, Kept>,
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
    if !roster.is_begun() {
        // There should be one: nobody worked alone then.
        if let Some(missing) = roster.is_missing() {
            return Err(missing.to_string().into());
        }
        let two = decision.answers.is_some() || decision.is_proposal();
        return if two { Err(Doubt::Early) } else { Ok(()) };
    }
    let trail = in_order(trail);
    let Round { readers, standing } = round(&trail, seq);
    is_ones_own_name(&decision, rosters, seq)?;
    let who = &decision.reviewer.id;
    if readers.iter().any(|entry| entry.reviewer == who.0) {
        return Err(format!("{who} had read the case before, and another person decides it").into());
    }
    if let Some(other) = standing {
        return Err(format!("decision {other} was on its way for the case").into());
    }
    // Where the case stood is told by its entries; what the row says of it can only ask for more.
    let was = CaseState::from_word(&kept.case_was).unwrap_or(CaseState::Escalated);
    let was = if readers.is_empty() { was } else { CaseState::Escalated };
    if kept.signature.is_some() || needs_signature(roster, &decision, was) {
        kept.is_signed(&decision, scope, rosters, seq)?;
    }
    if !readers.is_empty()
        && let Some(why) = roster.is_nobodys_second(who)
    {
        return Err(why.into());
    }
    if beginning(&own).is_some_and(|entry| entry.state != DeliveryState::Differs.word()) {
        agrees(&decision, &readers, beside)?;
    }
    is_seconded(&decision, seq, beside, &trail, scope, rosters)?;
    Ok(())
}

/// A decision that takes effect is not outweighed by what those said who had read the case before.
fn agrees(
    decision: &Decision,
    readers: &[&AuditEntry],
    beside: &HashMap<String, Kept>,
) -> Result<(), String> {
    let mut readings = Vec::new();
    for entry in readers {
        let by = &entry.reviewer;
        let kept = beside.get(&entry.decision);
        let kept = kept.filter(|kept| hash_of(&kept.record) == entry.record);
        let kept = kept.ok_or_else(|| format!("what {by} said of the case is gone"))?;
        readings.push(Reading { by: ReviewerId(by.clone()), said: kept.decision()?.judgements });
    }
    match outcome(&readings, decision) {
        DeliveryState::Differs => Err("an earlier reader said the contrary".to_owned()),
        _ => Ok(()),
    }
}

/// A decision bears its reviewer's own name: Didit's console shows nothing else of them.
fn is_ones_own_name(decision: &Decision, rosters: &Rosters, seq: u64) -> Result<(), String> {
    let Reviewer { id, name } = &decision.reviewer;
    let roster = rosters.before(seq);
    if id.person().is_some() {
        if roster.named(id).is_none() {
            return Err(format!("{id} was nobody of the roster then"));
        }
        // What somebody was called before is theirs until another is called so.
        let anothers = roster.of_name(name).is_some_and(|person| person.id.reviewer() != *id);
        return match rosters.was_called(id, name, seq) && !anothers {
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
    beside: &HashMap<String, Kept>,
    trail: &[&AuditEntry],
    scope: &Scope,
    rosters: &Rosters,
) -> Result<(), String> {
    let listing = decision.disposition == Disposition::Blocklist;
    let approved = decision.target.as_ref().is_some_and(|target| target.approved);
    let confirms = listing && (approved || decision.answers.is_some());
    if decision.is_proposal() || !(confirms || decision.is_without_picture()) {
        return Ok(());
    }
    let answered = decision.answers.and_then(|id| beside.get(&id.to_string()));
    let Some(kept) = answered else {
        return Err("the proposal that it answers is gone".to_owned());
    };
    let proposed = kept.decision()?;
    if !decision.confirms(&proposed) || !proposed.is_proposal() || proposed.case != decision.case {
        return Err("it does not confirm what was proposed".to_owned());
    }
    let of_proposal = |why: String| format!("of the proposal that it answers: {why}");
    let entries: Vec<_> = trail.iter().filter(|entry| entry.decision == kept.id).copied().collect();
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

/// Whether a proposal waited for its answer at a place of the audit: it was made, or the answer that had ended
/// it was taken back just before it was entered as waiting again.
fn waits(trail: &[&AuditEntry], proposal: &str, seq: u64) -> bool {
    let before = &trail[..trail.partition_point(|entry| entry.seq < seq)];
    let at = |seq: u64| before.iter().find(|entry| entry.seq == seq);
    let mut own = before.iter().rev().filter(|entry| entry.decision == proposal);
    let (Some(last), ended) = (own.next(), own.next()) else { return false };
    let Some(ended) = ended else { return last.what == Audited::Proposed };
    // An answer is entered just before the end of what it answers.
    let answer = at(ended.seq.saturating_sub(1)).filter(|entry| entry.what.begins());
    let taken_back = at(last.seq.saturating_sub(1))
        .filter(|entry| matches!(entry.what, Audited::Undone | Audited::Released));
    last.what == Audited::Proposed
        && ended.what == Audited::Settled
        && answer.is_some_and(|answer| taken_back.is_some_and(|t| t.decision == answer.decision))
}

/// What the entries of a case say of it at a place of the audit.
struct Round<'a> {
    /// The first entries of those who had read it, in a round that is not over: another person decides.
    readers: Vec<&'a AuditEntry>,
    /// The decision that was on its way for it.
    standing: Option<&'a str>,
}

/// Who had read a case before a place of the audit, and what was on its way for it. Told by the entries alone,
/// whose beginnings are each in their doer's own name; what one of the readers decided themselves ends no
/// round, and nobody takes back what another has read since.
fn round<'a>(trail: &[&'a AuditEntry], seq: u64) -> Round<'a> {
    let mut readers: Vec<&AuditEntry> = Vec::new();
    let mut closed: Option<Closed<'_>> = None;
    let mut last: Option<&AuditEntry> = None;
    for entry in trail.iter().copied().take_while(|entry| entry.seq < seq) {
        let (id, who) = (entry.decision.as_str(), entry.reviewer.as_str());
        let reads = matches!(entry.state.as_str(), "proposed" | "differs")
            || entry.disposition == Disposition::Escalate.word();
        let newest = |readers: &[&AuditEntry]| {
            closed.is_none() && readers.last().is_some_and(|first| first.decision == id)
        };
        match entry.what {
            Audited::Decided | Audited::Proposed | Audited::Confirmed => {
                if closed.is_some_and(|closed| closed.over) {
                    readers.clear();
                }
                closed = None;
                if reads {
                    if !readers.iter().any(|first| first.decision == id) {
                        readers.push(entry);
                    }
                } else if !readers.iter().any(|first| first.reviewer == who) {
                    let known = entry.state == DeliveryState::Local.word();
                    closed = Some(Closed { by: id, known, over: known });
                }
            }
            Audited::Undone | Audited::Released => {
                if newest(&readers) && entry.doer() == who {
                    readers.pop();
                }
                closed = closed.filter(|closed| closed.by != id);
            }
            Audited::Reopened => {
                closed =
                    closed.map(|closed| Closed { over: closed.over || closed.by == id, ..closed });
            }
            Audited::Retried => {
                closed = closed
                    .map(|closed| Closed { known: closed.known && closed.by != id, ..closed });
            }
            Audited::Settled => {
                // A proposal that was answered stays a reading; one that is void is none any more.
                let answered = last.is_some_and(|last| last.what.begins() && last.decision != id);
                let proposal = readers.last().is_some_and(|first| first.state == "proposed");
                if newest(&readers) && proposal && !answered {
                    readers.pop();
                }
                let over = entry.state != DeliveryState::Refused.word();
                closed = closed.map(|closed| match closed.by == id {
                    true => Closed { known: true, over: closed.over || over, ..closed },
                    false => closed,
                });
            }
            Audited::Roster => {}
        }
        last = Some(entry);
    }
    if closed.is_some_and(|closed| closed.over) {
        readers.clear();
    }
    let standing = closed.filter(|closed| !closed.known).map(|closed| closed.by);
    Round { readers, standing }
}

/// The decision that closed a case.
#[derive(Clone, Copy)]
struct Closed<'a> {
    by: &'a str,
    /// Whether what came of it is known.
    known: bool,
    /// Whether its round is over: who decides next decides anew.
    over: bool,
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
        let rosters = Rosters::of(&self.scope, &self.acts).beside(self.elsewhere);
        if let Some(missing) = rosters.now().is_missing() {
            return Err(missing.to_string());
        }
        stands(&self.kept, &self.beside, &trail, &self.scope, &rosters)
            .map_err(|doubt| doubt.to_string())
    }
}

/// The decisions that entries speak of, each once.
pub(super) fn decisions_of(entries: &[AuditRow]) -> HashSet<String> {
    let read = |row: &AuditRow| serde_json::from_str::<AuditEntry>(&row.entry).ok();
    entries.iter().filter_map(read).map(|entry| entry.decision).collect()
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

/// The entries that count: those that follow what their decision's entries before them say. What somebody put in
/// between says nothing of the case; whoever verifies names it.
fn in_order(trail: &[AuditEntry]) -> Vec<&AuditEntry> {
    let mut known: HashMap<&str, (&AuditEntry, &AuditEntry)> = HashMap::new();
    let mut counting = Vec::new();
    for entry in trail {
        let id = entry.decision.as_str();
        let first = match known.get(id) {
            None if begins(entry) => entry,
            Some((first, last)) if may_follow(first, last, entry) => first,
            None | Some(_) => continue,
        };
        known.insert(id, (first, entry));
        counting.push(entry);
    }
    counting
}

/// The first of a decision's entries that cannot follow those before it.
fn out_of_order(entries: &[&AuditEntry]) -> Option<u64> {
    let [first, rest @ ..] = entries else { return None };
    if !begins(first) {
        return Some(first.seq);
    }
    let mut last = first;
    for entry in rest {
        if !may_follow(first, last, entry) {
            return Some(entry.seq);
        }
        last = entry;
    }
    None
}

/// Whether an entry may be a decision's first.
fn begins(entry: &AuditEntry) -> bool {
    let state = DeliveryState::from_word(&entry.state);
    let decided =
        matches!(state, Some(DeliveryState::Held | DeliveryState::Local | DeliveryState::Differs));
    match entry.what {
        Audited::Decided | Audited::Confirmed => decided,
        Audited::Proposed => state == Some(DeliveryState::Proposed),
        _ => false,
    }
}

/// Whether an entry may come after the first and the last that a decision has: about the same record, and in the
/// program's order. What was taken back stays so, only what was refused is tried again, only what is known is
/// opened again, and what is known stays as it is. PostgreSQL's guards ask the same.
fn may_follow(first: &AuditEntry, last: &AuditEntry, entry: &AuditEntry) -> bool {
    use DeliveryState::{Conflict, Held, Local, Proposed, Refused, Sent, Undone, Unknown};
    let same = (&entry.record, &entry.case, &entry.reviewer, &entry.disposition)
        == (&first.record, &first.case, &first.reviewer, &first.disposition);
    let (Some(was), Some(state)) =
        (DeliveryState::from_word(&last.state), DeliveryState::from_word(&entry.state))
    else {
        return false;
    };
    let escalation = first.disposition == Disposition::Escalate.word();
    let open = matches!(was, Held | Unknown);
    let proposal = first.what == Audited::Proposed;
    let known =
        matches!(last.what, Audited::Settled | Audited::Reopened) || (was == Local && !escalation);
    same && match entry.what {
        // Nobody takes back what another decided; an administrator releases it.
        Audited::Undone => {
            let own = entry.doer() == entry.reviewer;
            let takes_back = open || was == Proposed || (was == Local && escalation);
            own && takes_back && state == Undone
        }
        Audited::Released => open && state == Undone,
        Audited::Settled if proposal => was == Proposed && matches!(state, Local | Refused),
        Audited::Settled => open && matches!(state, Sent | Refused | Conflict | Local),
        Audited::Proposed => proposal && last.what == Audited::Settled && state == Proposed,
        Audited::Reopened => known && !proposal && state == was,
        Audited::Retried => {
            last.what == Audited::Settled && was == Refused && matches!(state, Held | Unknown)
        }
        Audited::Decided | Audited::Confirmed | Audited::Roster => false,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries of a case as `what state decision reviewer`, in their order.
    fn trail(lines: &[&str]) -> Vec<AuditEntry> {
        let entry = |(seq, line): (u64, &&str)| {
            let [what, state, decision, reviewer] =
                line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            let disposition = if decision.starts_with('E') { "escalate" } else { "reject" };
            AuditEntry {
                seq,
                at: Millis(0),
                what: serde_json::from_value(what.into()).unwrap(),
                decision: decision.to_owned(),
                case: "c".to_owned(),
                disposition: disposition.to_owned(),
                state: state.to_owned(),
                reviewer: reviewer.to_owned(),
                by: None,
                record: decision.to_owned(),
                before: String::new(),
            }
        };
        (1..).zip(lines).map(entry).collect()
    }

    fn is_waiting(lines: &[&str]) -> bool {
        let trail = trail(lines);
        waits(&in_order(&trail), "P", 99)
    }

    #[test]
    fn a_proposal_waits_again_when_the_answer_that_ended_it_is_taken_back() {
        let proposed = "proposed proposed P eva";
        assert!(is_waiting(&[proposed]));
        let ended = [proposed, "confirmed held A ana", "settled local P eva"];
        assert!(!is_waiting(&ended));
        for taken_back in ["undone undone A ana", "released undone A ana"] {
            let again = [&ended[..], &[taken_back, proposed]].concat();
            assert!(is_waiting(&again), "{taken_back}");
            let over = [&again[..], &["decided held B kim", "settled local P eva"]].concat();
            assert!(!is_waiting(&over));
        }
        // A decision of another kind that was taken back revives nothing; nor does an entry alone.
        let sent = [&ended[..], &["settled sent A ana"]].concat();
        let other = ["decided held B ana", "undone undone B ana", proposed];
        assert!(!is_waiting(&[&sent[..], &other].concat()));
        assert!(!is_waiting(&[&ended[..], &[proposed]].concat()));
        // Void, which nobody answered.
        let void = [proposed, "settled local P eva", "decided held B ana", "undone undone B ana"];
        assert!(!is_waiting(&[&void[..], &[proposed]].concat()));
    }

    #[test]
    fn entries_that_cannot_follow_count_for_nothing() {
        for (lines, counting) in [
            (&["decided held A ana", "settled sent A ana", "reopened sent A ana"][..], 3),
            (&["decided held A ana", "settled refused A ana", "retried held A ana"], 3),
            (&["decided local E ana", "undone undone E ana"], 2),
            (&["decided held A ana", "reopened held A ana"], 1),
            (&["decided held A ana", "settled held A ana"], 1),
            (&["decided held A ana", "settled sent A eva"], 1),
            (&["decided held A ana", "settled sent A ana", "settled refused A ana"], 2),
            (&["decided held A ana", "undone undone A ana", "settled sent A ana"], 2),
            (&["decided held A ana", "retried held A ana"], 1),
            (&["decided sent A ana"], 0),
            (&["settled sent A ana"], 0),
            (&["proposed held P eva"], 0),
        ] {
            assert_eq!(in_order(&trail(lines)).len(), counting, "{lines:?}");
        }
    }

    #[test]
    fn a_round_ends_when_it_is_known_what_came_of_its_decision() {
        let of = |lines: &[&str]| {
            let trail = trail(lines);
            let in_order = in_order(&trail);
            let Round { readers, standing } = round(&in_order, 99);
            let readers = readers.iter().map(|entry| entry.reviewer.clone()).collect::<Vec<_>>();
            (readers, standing.map(str::to_owned))
        };
        let read = ["decided local E eva"];
        assert_eq!(of(&read), (vec!["eva".to_owned()], None));
        let held = [&read[..], &["decided held A ana"]].concat();
        assert_eq!(of(&held), (vec!["eva".to_owned()], Some("A".to_owned())));
        let sent = [&held[..], &["settled sent A ana"]].concat();
        assert_eq!(of(&sent), (vec![], None), "who decides next decides anew");
        let refused = [&held[..], &["settled refused A ana"]].concat();
        assert_eq!(of(&refused), (vec!["eva".to_owned()], None));
        // The first reader's own decision ends nothing.
        let own = [&read[..], &["decided held A eva", "settled sent A eva"]].concat();
        assert_eq!(of(&own).0, ["eva"]);
    }
}
