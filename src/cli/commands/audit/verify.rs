//! Holds the chain against what it is about: decisions, the roster, and whoever signed. Everything that is wrong
//! is a finding with its place; nothing that cannot be read ends the look at the rest.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::domain::{DeliveryState, Disposition, Millis, RowKind, Unreadable};
use crate::proof;
use crate::roster::{Enacted, Rosters, Scope};
use crate::shell::NAMESPACE;
use crate::store::audit::{AuditEntry, Audited, Finding, hash_of, verify};
use crate::store::{AuditHead, AuditRow, Doubt, Kept, stands};

/// So far the clocks of a team may be apart, in milliseconds.
const SKEW_MS: i64 = 600_000;

/// A chain, read once, and what was found of it so far.
pub struct Chain<'a> {
    rows: &'a [AuditRow],
    scope: Scope,
    rosters: Rosters,
    /// The entries about each case, in their order.
    of: HashMap<String, Vec<AuditEntry>>,
    /// The case of each decision that has entries.
    case_of: HashMap<String, String>,
    /// The decisions that were seen in the store and that another person answers: proposals and readings.
    readings: HashMap<String, Kept>,
    /// Decisions that were seen in the store.
    seen: HashSet<String>,
    /// How many entries are signed with which key.
    pub keys: BTreeMap<String, usize>,
    /// How many entries are older than the roster.
    pub before_roster: usize,
}

/// What is wrong with the chain itself: up to the end that was read first, what was added meanwhile, and against
/// the end that was read last. An end is one of the chain's, or in words why it can be none.
pub fn in_order(
    rows: &[AuditRow],
    first: &Result<AuditHead, String>,
    last: &Result<AuditHead, String>,
) -> Vec<Finding> {
    let written = rows.last().map_or(0, |row| row.seq);
    let none = |why: &String| Finding { seq: written.saturating_add(1), what: why.clone() };
    let (first, last) = match (first, last) {
        (Ok(first), Ok(last)) => (first, last),
        (Err(why), _) | (_, Err(why)) => {
            let mut findings = verify(rows, None);
            findings.push(none(why));
            return findings;
        }
    };
    let end = rows.iter().position(|row| row.seq > first.seq).unwrap_or(rows.len());
    let mut findings = verify(&rows[..end], Some(first));
    findings.extend(out_of_time(rows));
    if end < rows.len() {
        // It has to follow; looked at as one chain with the rest.
        let added = verify(rows, None);
        findings.extend(added.into_iter().filter(|finding| finding.seq >= rows[end].seq));
    }
    if written > last.seq {
        let what = format!(
            "the end of the audit is kept as {}, and entry {written} stands behind it",
            last.seq
        );
        findings.push(Finding { seq: last.seq.saturating_add(1), what });
    }
    findings
}

/// Entries of which each is dated well before the one before it: put in, or written by a wrong clock.
fn out_of_time(rows: &[AuditRow]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut before: Option<Millis> = None;
    for row in rows {
        let Ok(entry) = serde_json::from_str::<AuditEntry>(&row.entry) else { continue };
        if let Some(late) = before.map(|before| before.since(entry.at)).filter(|ms| *ms > SKEW_MS) {
            let minutes = late / 60_000;
            let what = format!(
                "entry {} is dated {minutes} minutes before the one before it: a wrong clock, or put in",
                row.seq
            );
            findings.push(Finding { seq: row.seq, what });
        }
        before = Some(entry.at);
    }
    findings
}

impl<'a> Chain<'a> {
    /// A chain to be held against what it is about.
    pub fn new(rows: &'a [AuditRow], scope: Scope) -> Self {
        let mut of: HashMap<String, Vec<AuditEntry>> = HashMap::new();
        let mut case_of = HashMap::new();
        let mut begun = false;
        let mut before_roster = 0;
        for row in rows {
            let Ok(entry) = serde_json::from_str::<AuditEntry>(&row.entry) else { continue };
            begun |= entry.what == Audited::Roster;
            before_roster += usize::from(!begun);
            if entry.what != Audited::Roster {
                case_of.entry(entry.decision.clone()).or_insert_with(|| entry.case.clone());
                of.entry(entry.case.clone()).or_default().push(entry);
            }
        }
        let (seen, keys, readings) = (HashSet::new(), BTreeMap::new(), HashMap::new());
        let rosters = Rosters::of(&scope, &[]);
        Self { rows, scope, rosters, of, case_of, readings, seen, keys, before_roster }
    }

    /// Holds what was done to the roster against its entries, and each act against the roster of then.
    /// `elsewhere` is whether another key or address of the store has one.
    pub fn roster(&mut self, acts: &[Enacted], elsewhere: bool) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut find = |seq: u64, what: String| findings.push(Finding { seq, what });
        let by_seq: HashMap<u64, &Enacted> = acts.iter().map(|act| (act.seq, act)).collect();
        let mut entered = HashSet::new();
        for row in self.rows {
            let Ok(entry) = serde_json::from_str::<AuditEntry>(&row.entry) else { continue };
            if entry.what != Audited::Roster {
                continue;
            }
            entered.insert(row.seq);
            match by_seq.get(&row.seq) {
                Some(act) => {
                    let same = entry.record == hash_of(&act.act)
                        && entry.reviewer == act.by.0
                        && entry.at == act.at;
                    if !same {
                        find(
                            row.seq,
                            format!(
                                "the change of the roster at {} is not as it was made",
                                row.seq
                            ),
                        );
                    }
                }
                None => find(row.seq, format!("the change of the roster at {} is gone", row.seq)),
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
        for entries in self.of.values() {
            for entry in entries.iter().filter(|entry| entry.what == Audited::Released) {
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
        }
        findings
    }

    /// Holds each signature against the hash of its entry, and who signed against who did it.
    pub fn signed(&mut self, signatures: &HashMap<u64, String>) -> Vec<Finding> {
        let mut findings = Vec::new();
        for row in self.rows {
            let Some(signature) = signatures.get(&row.seq) else { continue };
            let what = match self.signed_by(row, signature) {
                Ok(key) => {
                    *self.keys.entry(key).or_default() += 1;
                    continue;
                }
                Err(why) => why,
            };
            findings.push(Finding { seq: row.seq, what });
        }
        let seqs: HashSet<u64> = self.rows.iter().map(|row| row.seq).collect();
        for seq in signatures.keys().filter(|seq| !seqs.contains(seq)) {
            let what = format!("entry {seq}, which was signed, is missing");
            findings.push(Finding { seq: *seq, what });
        }
        findings
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

    /// Holds a decision of the store against what the audit says of its case, and its signature against the
    /// roster of then: as whoever sends it does. Decisions come in the order of their recording.
    pub fn decision(&mut self, kept: &Kept) -> Vec<Finding> {
        self.seen.insert(kept.id.clone());
        let decision = kept.decision().ok();
        let case = decision.as_ref().map(|decision| decision.case.as_str());
        let case = case.or_else(|| self.case_of.get(&kept.id).map(String::as_str));
        let trail = case.and_then(|case| self.of.get(case)).map_or(&[][..], Vec::as_slice);
        let first = trail.iter().find(|entry| entry.decision == kept.id);
        let seq = first.map(|entry| entry.seq).unwrap_or_default();
        let reads = first.is_some_and(|first| {
            first.state == DeliveryState::Differs.word()
                || first.disposition == Disposition::Escalate.word()
        });
        let wrong = match stands(kept, &self.readings, trail, &self.scope, &self.rosters) {
            Err(Doubt::Wrong(wrong)) => wrong,
            // Before there was a roster nobody had to sign.
            Err(Doubt::Early) | Ok(()) => Vec::new(),
        };
        if decision.is_some_and(|decision| decision.is_proposal()) || reads {
            self.readings.insert(kept.id.clone(), kept.clone());
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
        let of = |id: &String| {
            let trail = self.of.get(self.case_of.get(id)?)?;
            trail.iter().find(|entry| entry.decision == *id)
        };
        let seq = match kind {
            RowKind::Decision => of(name).map(|entry| entry.seq),
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

    /// Entries that name another case than the first one of their decision does.
    pub fn astray(&self) -> Vec<Finding> {
        let entries = self.of.values().flatten();
        let astray = entries.filter(|entry| self.case_of.get(&entry.decision) != Some(&entry.case));
        let what = |entry: &AuditEntry| {
            format!("entry {} of decision {} names another case", entry.seq, entry.decision)
        };
        astray.map(|entry| Finding { seq: entry.seq, what: what(entry) }).collect()
    }

    /// Decisions that have entries and are not in the store.
    pub fn gone(&self) -> Vec<Finding> {
        let mut told = HashSet::new();
        let gone = self.of.values().flatten().filter(|entry| {
            !self.seen.contains(&entry.decision) && told.insert(entry.decision.as_str())
        });
        let what = |entry: &AuditEntry| format!("decision {} is gone", entry.decision);
        gone.map(|entry| Finding { seq: entry.seq, what: what(entry) }).collect()
    }
}
