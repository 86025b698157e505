//! Holds the chain against what it is about: decisions, the roster, and whoever signed. Everything that is wrong
//! is a finding with its place; nothing that cannot be read ends the look at the rest.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};

use crate::domain::{Millis, RowKind, Unreadable};
use crate::proof;
use crate::roster::{Enacted, Rosters, Scope};
use crate::shell::NAMESPACE;
use crate::store::audit::{AuditEntry, Audited, Finding, Links, hash_of};
use crate::store::{AuditHead, AuditRow, Doubt, Kept, stands};

/// So far the clocks of a team may be apart, in milliseconds.
const SKEW_MS: i64 = 600_000;

/// A chain as it is read, entry by entry, and what was found of it so far. Of an entry only what the rest is held
/// against is kept: a few bytes a decision, however long the chain is.
pub struct Chain {
    scope: Scope,
    rosters: Rosters,
    links: Links,
    /// When the entry before was made.
    made_at: Option<Millis>,
    hasher: RandomState,
    /// The first entry of each decision.
    first: HashMap<u64, First>,
    /// Decisions that were seen in the store.
    seen: HashSet<u64>,
    /// Entries about the roster and releases: held against the roster when all of it is known.
    of_people: Vec<(u64, AuditEntry)>,
    /// How many entries there are.
    pub entries: usize,
    /// The last one.
    pub head: Option<AuditHead>,
    /// How many entries are signed with which key.
    pub keys: BTreeMap<String, usize>,
    /// How many entries are older than the roster.
    pub before_roster: usize,
    begun: bool,
}

/// Which case the first entry of a decision names, and where it stands.
struct First {
    case: u64,
    seq: u64,
}

impl Chain {
    /// Nothing of a chain yet.
    pub fn new(scope: Scope) -> Self {
        let rosters = Rosters::of(&scope, &[]);
        Self {
            scope,
            rosters,
            links: Links::default(),
            made_at: None,
            hasher: RandomState::new(),
            first: HashMap::new(),
            seen: HashSet::new(),
            of_people: Vec::new(),
            entries: 0,
            head: None,
            keys: BTreeMap::new(),
            before_roster: 0,
            begun: false,
        }
    }

    /// Signatures are held against the roster that these acts come to.
    pub fn people(&mut self, acts: &[Enacted]) {
        self.rosters = Rosters::of(&self.scope, acts);
    }

    /// Looks at the next entry.
    pub fn entry(&mut self, row: &AuditRow) -> Vec<Finding> {
        let mut findings = self.links.next(row);
        self.entries += 1;
        self.head = Some(AuditHead { seq: row.seq, hash: row.hash.clone() });
        let Ok(entry) = serde_json::from_str::<AuditEntry>(&row.entry) else { return findings };
        let late = self.made_at.map(|before| before.since(entry.at)).filter(|ms| *ms > SKEW_MS);
        self.made_at = Some(entry.at);
        if let Some(late) = late {
            let minutes = late / 60_000;
            let what = format!(
                "entry {} is dated {minutes} minutes before the one before it: a wrong clock, or put in",
                row.seq
            );
            findings.push(Finding { seq: row.seq, what });
        }
        self.begun |= entry.what == Audited::Roster;
        self.before_roster += usize::from(!self.begun);
        if entry.what != Audited::Roster {
            let (decision, case) =
                (self.hasher.hash_one(&entry.decision), self.hasher.hash_one(&entry.case));
            let first = self.first.entry(decision).or_insert(First { case, seq: row.seq });
            if first.case != case {
                let what = format!(
                    "entry {} of decision {} names another case",
                    entry.seq, entry.decision
                );
                findings.push(Finding { seq: entry.seq, what });
            }
        }
        if matches!(entry.what, Audited::Roster | Audited::Released) {
            self.of_people.push((row.seq, entry));
        }
        findings
    }

    /// What is wrong with an end that the chain is said to have, as far as it was read.
    pub fn end(&self, head: &AuditHead) -> Option<Finding> {
        self.links.end(head)
    }

    /// Holds what was done to the roster against its entries, and each act against the roster of then.
    pub fn roster(&mut self, acts: &[Enacted]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut find = |seq: u64, what: String| findings.push(Finding { seq, what });
        let by_seq: HashMap<u64, &Enacted> = acts.iter().map(|act| (act.seq, act)).collect();
        let mut entered = HashSet::new();
        for (seq, entry) in self.of_people.iter().filter(|(_, e)| e.what == Audited::Roster) {
            entered.insert(*seq);
            match by_seq.get(seq) {
                Some(act) => {
                    let same = entry.record == hash_of(&act.act)
                        && entry.reviewer == act.by.0
                        && entry.at == act.at;
                    if !same {
                        find(
                            *seq,
                            format!("the change of the roster at {seq} is not as it was made"),
                        );
                    }
                }
                None => find(*seq, format!("the change of the roster at {seq} is gone")),
            }
        }
        for act in acts.iter().filter(|act| !entered.contains(&act.seq)) {
            find(act.seq, format!("a change of the roster at {} has no entry", act.seq));
        }
        let (rosters, wrong) = Rosters::with_findings(&self.scope, acts);
        for (seq, why) in wrong {
            find(seq, format!("the change of the roster at {seq} counts for nothing: {why}"));
        }
        self.rosters = rosters;
        for (_, entry) in self.of_people.iter().filter(|(_, e)| e.what == Audited::Released) {
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

    /// Holds a decision of the store against what the audit says of its case, and its signature against the
    /// roster of then: as whoever sends it does.
    pub fn decision(
        &mut self,
        kept: &Kept,
        proposal: Option<&Kept>,
        trail: &[AuditEntry],
    ) -> Vec<Finding> {
        self.seen.insert(self.hasher.hash_one(&kept.id));
        let seq = self.first_entry(&kept.id).unwrap_or_default();
        let wrong = match stands(kept, proposal, trail, &self.scope, &self.rosters) {
            Err(Doubt::Wrong(wrong)) => wrong,
            // Before there was a roster nobody had to sign.
            Err(Doubt::Early) | Ok(()) => Vec::new(),
        };
        let named = |what: String| match what.contains(&kept.id) {
            true => what,
            false => format!("decision {}: {what}", kept.id),
        };
        wrong.into_iter().map(|what| Finding { seq, what: named(what) }).collect()
    }

    /// Where the first entry of a decision stands.
    pub fn first_entry(&self, decision: &str) -> Option<u64> {
        self.first.get(&self.hasher.hash_one(decision)).map(|first| first.seq)
    }

    /// What is found of a row that cannot be read, unless that very thing was `found` already.
    pub fn unreadable(&self, row: &Unreadable, found: &[Finding]) -> Option<Finding> {
        let Unreadable { kind, name, why } = row;
        let seq = match kind {
            RowKind::Decision => self.first_entry(name),
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

    /// Where the first entries stand of decisions that have entries and are not in the store.
    pub fn gone(&self) -> Vec<u64> {
        let gone = self.first.iter().filter(|(decision, _)| !self.seen.contains(decision));
        gone.map(|(_, first)| first.seq).collect()
    }
}
