//! Holds the chain against what it is about: decisions, the roster, and whoever signed. Everything that is wrong
//! is a finding with its place; nothing that cannot be read ends the look at the rest. However long a chain is, a
//! part of it is held at a time: of the others there are a few numbers for each decision.

use std::collections::hash_map::{Entry, RandomState};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::BuildHasher as _;

use serde::Deserialize;

use crate::domain::{DeliveryState, Disposition, Millis, RowKind, Unreadable};
use crate::proof;
use crate::roster::{Enacted, Rosters, Scope};
use crate::shell::NAMESPACE;
use crate::store::audit::{AuditEntry, Audited, Finding, Links, hash_of};
use crate::store::{AuditHead, AuditRow, Doubt, Kept, stands};

/// So far the clocks of a team may be apart, in milliseconds.
const SKEW_MS: i64 = 600_000;
/// Entries that are held at a time: some 30 MiB.
pub const HELD: u64 = 50_000;

/// A chain that is read in its order, and what was found of it so far.
pub struct Chain {
    scope: Scope,
    rosters: Rosters,
    links: Links,
    /// When the entry before was recorded.
    at: Option<Millis>,
    /// Entries of which each is dated well before the one before it: put in, or written by a wrong clock.
    pub out_of_time: Vec<Finding>,
    /// Entries that name another case than the first one of their decision does.
    pub astray: Vec<Finding>,
    /// Cases and decisions are told apart by hashes that nobody else can make.
    hasher: RandomState,
    /// Of each decision that has entries: its case, and the place of its first entry.
    begun: HashMap<u64, (u64, u64)>,
    /// Changes of the roster, and what administrators released.
    changes: Vec<AuditEntry>,
    /// Whether there was a roster.
    has_roster: bool,
    /// Decisions that were seen in the store.
    seen: HashSet<u64>,
    /// How many entries there are.
    pub entries: usize,
    /// The last one.
    pub head: Option<AuditHead>,
    /// How many entries are signed with which key.
    pub keys: BTreeMap<String, usize>,
    /// How many entries are older than the roster.
    pub before_roster: usize,
}

/// A part of the cases, with all that is said of them.
pub struct Part {
    number: u64,
    of: u64,
    /// The entries about each case, in their order.
    trails: HashMap<u64, Vec<AuditEntry>>,
    /// The decisions that were seen in the store and that another person answers: proposals and readings.
    readings: HashMap<String, Kept>,
}

/// Of a record, whose it is.
#[derive(Deserialize)]
struct About {
    case: String,
}

/// What is wrong with the ends that were read first and last, where both are ends; in words why one is none.
pub fn at_the_ends(
    chain: &Chain,
    held: Vec<Finding>,
    first: &Result<AuditHead, String>,
    last: &Result<AuditHead, String>,
) -> Vec<Finding> {
    let written = chain.head.as_ref().map_or(0, |head| head.seq);
    let none = |why: &String| Finding { seq: written.saturating_add(1), what: why.clone() };
    let last = match (first, last) {
        (Ok(_), Ok(last)) => last,
        (Err(why), _) | (_, Err(why)) => return vec![none(why)],
    };
    let mut findings = held;
    findings.extend(chain.out_of_time.iter().cloned());
    if written > last.seq {
        let what = format!(
            "the end of the audit is kept as {}, and entry {written} stands behind it",
            last.seq
        );
        findings.push(Finding { seq: last.seq.saturating_add(1), what });
    }
    findings
}

impl Chain {
    /// A chain of which nothing has been read.
    pub fn new(scope: Scope) -> Self {
        Self {
            rosters: Rosters::of(&scope, &[]),
            scope,
            links: Links::default(),
            at: None,
            out_of_time: Vec::new(),
            astray: Vec::new(),
            hasher: RandomState::new(),
            begun: HashMap::new(),
            changes: Vec::new(),
            has_roster: false,
            seen: HashSet::new(),
            entries: 0,
            head: None,
            keys: BTreeMap::new(),
            before_roster: 0,
        }
    }

    /// What is wrong with the next entry as one of the chain; of what it says there is more to be seen.
    pub fn entry(&mut self, row: &AuditRow) -> Vec<Finding> {
        self.entries += 1;
        self.head = Some(AuditHead { seq: row.seq, hash: row.hash.clone() });
        let findings = self.links.next(row);
        let Ok(entry) = serde_json::from_str::<AuditEntry>(&row.entry) else { return findings };
        if let Some(late) = self.at.map(|at| at.since(entry.at)).filter(|ms| *ms > SKEW_MS) {
            let minutes = late / 60_000;
            let what = format!(
                "entry {} is dated {minutes} minutes before the one before it: a wrong clock, or put in",
                row.seq
            );
            self.out_of_time.push(Finding { seq: row.seq, what });
        }
        self.at = Some(entry.at);
        self.has_roster |= entry.what == Audited::Roster;
        self.before_roster += usize::from(!self.has_roster);
        if entry.what != Audited::Roster && !self.begins(&entry) {
            let what =
                format!("entry {} of decision {} names another case", entry.seq, entry.decision);
            self.astray.push(Finding { seq: entry.seq, what });
        }
        if matches!(entry.what, Audited::Roster | Audited::Released) {
            self.changes.push(AuditEntry { seq: row.seq, ..entry });
        }
        findings
    }

    /// What is wrong with the end of what was read, where the chain is said to end with `head`.
    pub fn end(&self, head: &AuditHead) -> Option<Finding> {
        self.links.end(head)
    }

    /// Notes the first entry of a decision; whether this one names the same case.
    fn begins(&mut self, entry: &AuditEntry) -> bool {
        let (decision, case) = (self.hash(&entry.decision), self.hash(&entry.case));
        match self.begun.entry(decision) {
            Entry::Occupied(first) => first.get().0 == case,
            Entry::Vacant(place) => {
                place.insert((case, entry.seq));
                true
            }
        }
    }

    fn hash(&self, text: &str) -> u64 {
        self.hasher.hash_one(text)
    }

    /// Holds what was done to the roster against its entries, and each act against the roster of then.
    /// `elsewhere` is whether another key or address of the store has one.
    pub fn roster(&mut self, acts: &[Enacted], elsewhere: bool) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut find = |seq: u64, what: String| findings.push(Finding { seq, what });
        let by_seq: HashMap<u64, &Enacted> = acts.iter().map(|act| (act.seq, act)).collect();
        let mut entered = HashSet::new();
        for entry in self.changes.iter().filter(|entry| entry.what == Audited::Roster) {
            let seq = entry.seq;
            entered.insert(seq);
            match by_seq.get(&seq) {
                Some(act) => {
                    let same = entry.record == hash_of(&act.act)
                        && entry.reviewer == act.by.0
                        && entry.at == act.at;
                    if !same {
                        find(
                            seq,
                            format!("the change of the roster at {seq} is not as it was made"),
                        );
                    }
                }
                None => find(seq, format!("the change of the roster at {seq} is gone")),
            }
        }
        for act in acts.iter().filter(|act| !entered.contains(&act.seq)) {
            find(act.seq, format!("a change of the roster at {} has no entry", act.seq));
        }
        let (rosters, wrong) = Rosters::with_findings(&self.scope, acts);
        for (seq, why) in wrong {
            find(seq, format!("the change of the roster at {seq} counts for nothing: {why}"));
        }
        if let Some(missing) = rosters.now().clone().beside(elsewhere).is_missing() {
            find(0, missing.to_string());
        }
        self.rosters = rosters;
        for entry in self.changes.iter().filter(|entry| entry.what == Audited::Released) {
            let id = &entry.decision;
            let roster = self.rosters.before(entry.seq);
            let by = entry.doer();
            let admin = by
                .strip_prefix("person:")
                .and_then(|id| roster.person(id))
                .is_some_and(|person| person.admin);
            if !admin && !by.starts_with("db:") {
                find(
                    entry.seq,
                    format!("decision {id} was released by {by}, who is no administrator"),
                );
            }
        }
        findings
    }

    /// Holds a signature against the hash of its entry, and who signed against who did it.
    pub fn signed(&mut self, row: &AuditRow, signature: &str) -> Option<Finding> {
        match self.signed_by(row, signature) {
            Ok(key) => {
                *self.keys.entry(key).or_default() += 1;
                None
            }
            Err(what) => Some(Finding { seq: row.seq, what }),
        }
    }

    /// The key that signed an entry, if it is one of whoever did what it says.
    fn signed_by(&self, row: &AuditRow, signature: &str) -> Result<String, String> {
        let none = |why: String| format!("the signature of entry {} is none: {why}", row.seq);
        let signer = proof::verify(row.hash.as_bytes(), signature, NAMESPACE)
            .map_err(|why| none(why.to_string()))?;
        let key = signer.key().fingerprint();
        let roster = self.rosters.before(row.seq);
        let Ok(entry) = serde_json::from_str::<AuditEntry>(&row.entry) else { return Ok(key) };
        // Older identities are a key's own fingerprint.
        let claimed = entry.doer().strip_prefix("ssh:").is_some_and(|claimed| claimed != key);
        let another = roster.is_begun()
            && entry.doer().starts_with("person:")
            && roster.person_of(&signer, entry.at).map(|person| person.id.reviewer().0)
                != Some(entry.doer().to_owned());
        if claimed || another {
            let seq = row.seq;
            return Err(format!(
                "entry {seq} is signed with {key}, which is not {}'s",
                entry.doer()
            ));
        }
        Ok(key)
    }

    /// The key of a signature of a text in the audit's namespace.
    pub fn key_of(&self, text: &str, signature: &str) -> Result<String, String> {
        let signer = proof::verify(text.as_bytes(), signature, NAMESPACE);
        signer.map(|signer| signer.key().fingerprint()).map_err(|why| why.to_string())
    }

    /// The parts in which the cases are held against their entries, one after the other; about so many entries each.
    pub fn parts(&self, entries: u64) -> impl Iterator<Item = Part> + use<> {
        let all = u64::try_from(self.entries).unwrap_or(u64::MAX);
        let of = all / entries.max(1) + 1;
        (0..of).map(move |number| Part {
            number,
            of,
            trails: HashMap::new(),
            readings: HashMap::new(),
        })
    }

    /// Adds an entry to what a part says of its case, if that is one of the part's.
    pub fn told(&mut self, row: &AuditRow, part: &mut Part) {
        let Ok(entry) = serde_json::from_str::<AuditEntry>(&row.entry) else { return };
        let case = self.hash(&entry.case);
        if entry.what != Audited::Roster && part.holds(case) {
            // One that was added since the chain was read may be a decision's first.
            self.begins(&entry);
            part.trails.entry(case).or_default().push(entry);
        }
    }

    /// Holds a decision of the store against what the audit says of its case, and its signature against the
    /// roster of then: as whoever sends it does. Decisions come in the order of their recording, all of them for
    /// each part.
    pub fn decision(&mut self, kept: &Kept, part: &mut Part) -> Vec<Finding> {
        let id = self.hash(&kept.id);
        self.seen.insert(id);
        let begun = self.begun.get(&id).map(|(case, _)| *case);
        // Most are another part's, and are not looked at as a whole.
        let about = serde_json::from_str::<About>(&kept.record).ok();
        let about = about.map(|about| self.hash(&about.case));
        if ![about, begun].into_iter().any(|case| part.holds(case.unwrap_or_default())) {
            return Vec::new();
        }
        let decision = kept.decision().ok();
        let case = decision.as_ref().map(|decision| self.hash(decision.case.as_str())).or(begun);
        if !part.holds(case.unwrap_or_default()) {
            return Vec::new();
        }
        let trail = case.and_then(|case| part.trails.get(&case)).map_or(&[][..], Vec::as_slice);
        let first = trail.iter().find(|entry| entry.decision == kept.id);
        let seq = first.map(|entry| entry.seq).unwrap_or_default();
        let reads = first.is_some_and(|first| {
            first.state == DeliveryState::Differs.word()
                || first.disposition == Disposition::Escalate.word()
        });
        let wrong = match stands(kept, &part.readings, trail, &self.scope, &self.rosters) {
            Err(Doubt::Wrong(wrong)) => wrong,
            // Before there was a roster nobody had to sign.
            Err(Doubt::Early) | Ok(()) => Vec::new(),
        };
        if decision.is_some_and(|decision| decision.is_proposal()) || reads {
            part.readings.insert(kept.id.clone(), kept.clone());
        }
        let named = |what: String| match what.contains(&kept.id) {
            true => what,
            false => format!("decision {}: {what}", kept.id),
        };
        wrong.into_iter().map(|what| Finding { seq, what: named(what) }).collect()
    }

    /// What is found of a row that cannot be read, unless that very thing was `found` already.
    pub fn unreadable(&self, row: &Unreadable, found: &[Finding]) -> Option<Finding> {
        let Unreadable { kind, name, why } = row;
        let seq = match kind {
            RowKind::Decision => self.begun.get(&self.hash(name)).map(|(_, seq)| *seq),
            RowKind::Case | RowKind::Head => None,
            RowKind::Act | RowKind::Entry | RowKind::Signature => name.parse().ok(),
        };
        let seq = seq.unwrap_or_default();
        let known = match kind {
            RowKind::Decision => found.iter().any(|finding| finding.what.contains(name)),
            RowKind::Act | RowKind::Entry => {
                seq > 0 && found.iter().any(|finding| finding.seq == seq)
            }
            RowKind::Case | RowKind::Head | RowKind::Signature => false,
        };
        let what = format!("{} {name} cannot be read: {why}", kind.word());
        (!known).then_some(Finding { seq, what })
    }

    /// Decisions of a part that have entries and are not in the store.
    pub fn gone(&self, part: &Part) -> Vec<Finding> {
        let gone = part.trails.values().flatten().filter(|entry| {
            let id = self.hash(&entry.decision);
            !self.seen.contains(&id)
                && self.begun.get(&id).is_some_and(|(_, first)| *first == entry.seq)
        });
        let what = |entry: &AuditEntry| format!("decision {} is gone", entry.decision);
        gone.map(|entry| Finding { seq: entry.seq, what: what(entry) }).collect()
    }
}

impl Part {
    fn holds(&self, case: u64) -> bool {
        case % self.of == self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Decision, DecisionId, Origin, Receipt, Reviewer, ReviewerId, SessionId, Status, SubjectKind,
    };

    fn decision(n: u64, case: &str) -> Decision {
        Decision {
            id: DecisionId(uuid::Uuid::from_u128(n.into())),
            case: SessionId::parse(case).unwrap(),
            session_number: None,
            kind: SubjectKind::Workflow,
            disposition: Disposition::Approve,
            judgements: Vec::new(),
            reason: None,
            comment: None,
            target: None,
            reviewer: Reviewer { id: ReviewerId("os:1".to_owned()), name: "ana".to_owned() },
            seen_status: Status::InReview,
            at: Millis(5),
            receipt: Receipt::default(),
            replaces: None,
            workflow: None,
            signature: None,
            answers: None,
            evidence: Vec::new(),
        }
    }

    /// A chain of two entries a decision and the decisions, some of both bent.
    fn bent() -> (Vec<AuditRow>, Vec<Kept>) {
        let (mut rows, mut all, mut before) = (Vec::new(), Vec::new(), String::new());
        for n in 1..=40 {
            let case = format!("case-{}", n % 11);
            let made = decision(n, &case);
            let record = serde_json::to_string(&made).unwrap();
            for (what, state) in [(Audited::Decided, "held"), (Audited::Settled, "sent")] {
                let elsewhere = n == 17 && what == Audited::Settled;
                let entry = AuditEntry {
                    seq: rows.len() as u64 + 1,
                    at: Millis(5),
                    what,
                    decision: made.id.to_string(),
                    case: if elsewhere { "case-elsewhere".to_owned() } else { case.clone() },
                    disposition: "approve".to_owned(),
                    state: state.to_owned(),
                    reviewer: "os:1".to_owned(),
                    by: None,
                    record: hash_of(&record),
                    before,
                };
                let text = serde_json::to_string(&entry).unwrap();
                before = hash_of(&text);
                rows.push(AuditRow { seq: entry.seq, hash: before.clone(), entry: text });
            }
            let record = match n {
                9 => serde_json::to_string(&decision(n, "case-3")).unwrap(),
                13 => "x".to_owned(),
                _ => record,
            };
            let kept = Kept {
                place: n,
                id: made.id.to_string(),
                reviewer: "os:1".to_owned(),
                disposition: "approve".to_owned(),
                state: "sent".to_owned(),
                case_was: "open".to_owned(),
                record,
                signature: None,
            };
            if n != 5 {
                all.push(kept);
            }
        }
        let without_entry = decision(77, "case-3");
        all.push(Kept {
            place: 77,
            id: without_entry.id.to_string(),
            record: serde_json::to_string(&without_entry).unwrap(),
            ..all[0].clone()
        });
        (rows, all)
    }

    /// What is found, with so many entries held at a time.
    fn found(held: u64) -> Vec<(u64, String)> {
        let (rows, all) = bent();
        let mut chain = Chain::new(Scope::of(&[0; 32], &Origin("o".to_owned())));
        let mut findings: Vec<_> = rows.iter().flat_map(|row| chain.entry(row)).collect();
        findings.extend(chain.roster(&[], false));
        let mut parts = 0;
        for mut part in chain.parts(held) {
            parts += 1;
            rows.iter().for_each(|row| chain.told(row, &mut part));
            findings.extend(all.iter().flat_map(|kept| chain.decision(kept, &mut part)));
            findings.extend(chain.gone(&part));
        }
        assert_eq!(parts, 80 / held + 1);
        findings.extend(chain.astray.iter().cloned());
        let mut found: Vec<_> = findings.into_iter().map(|f| (f.seq, f.what)).collect();
        found.sort();
        found
    }

    #[test]
    fn the_same_is_found_however_little_is_held_at_a_time() {
        let whole = found(1_000);
        let id = |n: u64| DecisionId(uuid::Uuid::from_u128(n.into())).to_string();
        for n in [5, 9, 13, 17, 77] {
            assert!(whole.iter().any(|(_, what)| what.contains(&id(n))), "{n}: {whole:?}");
        }
        let named = |n: u64| whole.iter().any(|(_, what)| what.contains(&id(n)));
        assert_eq!((1..=40).filter(|n| named(*n)).count(), 4, "{whole:?}");
        assert!(whole.contains(&(9, format!("decision {} is gone", id(5)))), "{whole:?}");
        for held in [1, 3, 40] {
            assert_eq!(found(held), whole, "{held} at a time");
        }
    }
}
