//! The audit: what was decided, taken back, opened again, tried again and settled, in entries of which each holds
//! the hash of the one before, so that nothing can be changed, taken out, put in or moved unseen.
//! Knows no table; the backends keep what is made here, in the transaction of what it records.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Result, StoreError};
use crate::domain::{Decision, DeliveryState, Disposition, Millis, ReviewerId};

/// What an entry records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Audited {
    /// A decision was recorded.
    Decided,
    /// A blocklisting was proposed to a second person (or waits for one again).
    Proposed,
    /// A second person said yes to one.
    Confirmed,
    /// A held one was taken back.
    Undone,
    /// The case of a settled one was opened again.
    Reopened,
    /// A refused one is to be tried again.
    Retried,
    /// What came of one is known.
    Settled,
    /// One that was held was taken back by an administrator, whose reviewer does not come back to it.
    Released,
    /// The roster was changed.
    Roster,
}

impl Audited {
    /// What recording this decision is.
    pub(super) fn of(row: &super::HistoryRow) -> Self {
        let two =
            row.decision.disposition == Disposition::Blocklist || row.decision.is_without_picture();
        match (row.state, row.decision.answers) {
            (DeliveryState::Proposed, _) => Self::Proposed,
            (_, Some(_)) if two => Self::Confirmed,
            _ => Self::Decided,
        }
    }

    /// Whether it is a decision's first entry.
    #[must_use]
    pub fn begins(self) -> bool {
        match self {
            Self::Decided | Self::Proposed | Self::Confirmed => true,
            Self::Undone
            | Self::Reopened
            | Self::Retried
            | Self::Settled
            | Self::Released
            | Self::Roster => false,
        }
    }
}

/// An entry as it is kept: its text is hashed as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its place, from 1.
    pub seq: u64,
    /// An [`AuditEntry`] as JSON.
    pub entry: String,
    /// SHA-256 of that text, hex.
    pub hash: String,
}

/// A signature of an entry's hash, as `ssh-keygen -Y sign` writes it. Kept apart from the entries, which
/// are whole without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSignature {
    /// The entry's place.
    pub seq: u64,
    /// The armoured signature.
    pub signature: String,
}

/// The end of the chain, kept apart from it: an end that was cut off is missed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditHead {
    /// The newest entry's place; 0 where there is none.
    pub seq: u64,
    /// Its hash; empty where there is none.
    pub hash: String,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its place, from 1.
    pub seq: u64,
    /// When.
    pub at: Millis,
    /// What.
    pub what: Audited,
    /// Which decision; empty for a change of the roster.
    pub decision: String,
    /// About which case.
    pub case: String,
    /// What was decided; for a change of the roster, its word.
    pub disposition: String,
    /// Where the decision was then.
    pub state: String,
    /// Whose decision: the identity, not the label.
    pub reviewer: String,
    /// Who did this, where it need not be them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// SHA-256 of the decision's record, or of the change of the roster, hex.
    pub record: String,
    /// The hash of the entry before; empty for the first.
    pub before: String,
}

impl AuditEntry {
    /// What happens to a decision, as its row has it then; without a place in a chain.
    ///
    /// # Errors
    /// [`StoreError::Other`] when its record cannot be written as JSON.
    pub(super) fn about(what: Audited, row: &super::HistoryRow, at: Millis) -> Result<Self> {
        Ok(Self {
            seq: 0,
            at,
            what,
            decision: row.decision.id.to_string(),
            case: row.decision.case.to_string(),
            disposition: row.decision.disposition.word().to_owned(),
            state: row.state.word().to_owned(),
            reviewer: row.decision.reviewer.id.0.clone(),
            by: None,
            record: record_hash(&row.decision)?,
            before: String::new(),
        })
    }

    /// Whose doing it records.
    #[must_use]
    pub fn doer(&self) -> &str {
        self.by.as_deref().unwrap_or(&self.reviewer)
    }
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The place of the entry, as far as it can be told.
    pub seq: u64,
    /// What is wrong, in words.
    pub what: String,
}

impl AuditRow {
    /// The next entry of a chain that ends at `head`.
    ///
    /// # Errors
    /// [`StoreError::Other`] when the decision cannot be written as JSON.
    pub(super) fn next(
        head: &AuditHead,
        by: Option<&ReviewerId>,
        what: Audited,
        row: &super::HistoryRow,
        at: Millis,
    ) -> Result<Self> {
        let entry = AuditEntry {
            seq: head.seq.saturating_add(1),
            by: by.map(|by| by.0.clone()),
            before: head.hash.clone(),
            ..AuditEntry::about(what, row, at)?
        };
        Self::of(&entry)
    }

    /// An entry as it is kept.
    ///
    /// # Errors
    /// [`StoreError::Other`] when it cannot be written as JSON.
    pub(super) fn of(entry: &AuditEntry) -> Result<Self> {
        let text = json(entry)?;
        Ok(Self { seq: entry.seq, hash: hash_of(&text), entry: text })
    }

    /// The end of a chain whose newest entry this is.
    pub(super) fn head(&self) -> AuditHead {
        AuditHead { seq: self.seq, hash: self.hash.clone() }
    }
}

/// SHA-256 of a decision's record, hex: what its entries say.
///
/// # Errors
/// [`StoreError::Other`] when it cannot be written as JSON.
pub fn record_hash(decision: &Decision) -> Result<String> {
    Ok(hash_of(&json(decision)?))
}

/// Looks at a chain from its first entry on, in the order in which it is kept. Nothing is found where
/// every entry is as it was written, none is missing, and none was put in, repeated or moved. `head`
/// is its end, where that is known.
#[must_use]
pub fn verify(rows: &[AuditRow], head: Option<&AuditHead>) -> Vec<Finding> {
    let mut links = Links::default();
    let mut findings: Vec<_> = rows.iter().flat_map(|row| links.next(row)).collect();
    findings.extend(head.and_then(|head| links.end(head)));
    findings
}

/// The same, row by row: what has to be remembered of a chain to look at the next entry.
#[derive(Debug)]
pub struct Links {
    expected: u64,
    /// The hash that is kept and the one that is right: where they differ, the entry has been found,
    /// and the next one is not blamed for it.
    before: Option<[String; 2]>,
}

impl Default for Links {
    fn default() -> Self {
        Self { expected: 1, before: Some([String::new(), String::new()]) }
    }
}

impl Links {
    /// What is wrong with the next entry.
    pub fn next(&mut self, row: &AuditRow) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut find = |seq: u64, what: String| findings.push(Finding { seq, what });
        let expected = self.expected;
        if row.seq < expected {
            find(row.seq, format!("entry {} stands here once more or too late", row.seq));
            return findings;
        }
        if row.seq > expected {
            let last = row.seq - 1;
            find(expected, format!("entries {expected} to {last} are missing"));
            self.before = None;
        }
        let right = hash_of(&row.entry);
        let entry = serde_json::from_str::<AuditEntry>(&row.entry);
        let follows = |entry: &AuditEntry| {
            self.before.as_ref().is_none_or(|before| before.contains(&entry.before))
        };
        let what = if right != row.hash {
            Some(format!("entry {} is not as it was written", row.seq))
        } else {
            match &entry {
                Ok(entry) if entry.seq != row.seq => {
                    Some(format!("entry {} stands in the place of {}", entry.seq, row.seq))
                }
                Ok(entry) if !follows(entry) => {
                    Some(format!("entry {} does not follow the one before", row.seq))
                }
                // What is looked for in the text has to stand there as it is looked for.
                Ok(entry) if json(entry).ok().as_ref() != Some(&row.entry) => {
                    Some(format!("entry {} was written by another hand", row.seq))
                }
                Ok(_) => None,
                Err(_) => Some(format!("entry {} is no entry", row.seq)),
            }
        };
        if let Some(what) = what {
            find(row.seq, what);
        }
        self.before = Some([row.hash.clone(), right]);
        self.expected = row.seq.saturating_add(1);
        findings
    }

    /// What is wrong with the end, where the chain is said to end with `head`.
    #[must_use]
    pub fn end(&self, head: &AuditHead) -> Option<Finding> {
        let expected = self.expected;
        let last = expected - 1;
        let (seq, what) = if head.seq > last {
            (expected, format!("entries {expected} to {} are missing", head.seq))
        } else if head.seq < last {
            (head.seq + 1, format!("entries after {} were put in", head.seq))
        } else if last > 0 && self.before.as_ref().is_some_and(|b| !b.contains(&head.hash)) {
            (last, format!("entry {last} is not the one that was written last"))
        } else {
            return None;
        };
        Some(Finding { seq, what })
    }
}

/// SHA-256 of an entry's text, hex.
#[must_use]
pub fn hash_of(text: &str) -> String {
    use std::fmt::Write as _;
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|_| StoreError::Other("an audit entry cannot be written".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(length: u64) -> (Vec<AuditRow>, AuditHead) {
        let (mut rows, mut head) = (Vec::new(), AuditHead::default());
        for seq in 1..=length {
            let entry = AuditEntry {
                seq,
                at: Millis(1_000),
                what: Audited::Decided,
                decision: format!("d{seq}"),
                case: "c".into(),
                disposition: "approve".into(),
                state: "held".into(),
                reviewer: "os:1".into(),
                by: None,
                record: "00".into(),
                before: head.hash.clone(),
            };
            let entry = serde_json::to_string(&entry).unwrap();
            let row = AuditRow { seq, hash: hash_of(&entry), entry };
            head = row.head();
            rows.push(row);
        }
        (rows, head)
    }

    fn places(rows: &[AuditRow], head: &AuditHead) -> Vec<u64> {
        verify(rows, Some(head)).into_iter().map(|finding| finding.seq).collect()
    }

    #[test]
    fn a_chain_as_it_was_written_is_whole() {
        for length in 0..5 {
            let (rows, head) = chain(length);
            assert_eq!(verify(&rows, Some(&head)), []);
            assert_eq!(verify(&rows, None), []);
        }
    }

    /// Every bit of every byte that leaves a text a text.
    #[test]
    fn a_flipped_bit_is_found_where_it_is() {
        let (rows, head) = chain(4);
        let mut flips = 0;
        for place in 0..rows.len() {
            for in_hash in [false, true] {
                let text = if in_hash { &rows[place].hash } else { &rows[place].entry };
                for (byte, bit) in (0..text.len()).flat_map(|b| (0..7).map(move |bit| (b, bit))) {
                    let mut bytes = text.clone().into_bytes();
                    bytes[byte] ^= 1 << bit;
                    let mut bent = rows.clone();
                    let field =
                        if in_hash { &mut bent[place].hash } else { &mut bent[place].entry };
                    *field = String::from_utf8(bytes).unwrap();
                    assert_eq!(places(&bent, &head), [place as u64 + 1], "{bent:?}");
                    flips += 1;
                }
            }
        }
        assert!(flips > 5_000, "{flips}");
    }

    #[test]
    fn what_is_removed_repeated_moved_or_forged_is_found_where_it_is() {
        let (rows, head) = chain(5);
        for place in 0..5 {
            let mut removed = rows.clone();
            removed.remove(place);
            assert_eq!(places(&removed, &head), [place as u64 + 1], "removed");

            let mut repeated = rows.clone();
            repeated.insert(place + 1, rows[place].clone());
            assert_eq!(places(&repeated, &head), [place as u64 + 1], "repeated");

            // Written anew with a fitting hash: the next one does not follow it, or the head.
            let mut forged = rows.clone();
            forged[place].entry = forged[place].entry.replace("approve", "reject");
            forged[place].hash = hash_of(&forged[place].entry);
            let at = if place == 4 { 5 } else { place as u64 + 2 };
            assert_eq!(places(&forged, &head), [at], "forged");
        }
        for place in 0..4 {
            let mut moved = rows.clone();
            moved.swap(place, place + 1);
            assert!(places(&moved, &head).contains(&(place as u64 + 1)), "moved");
            // Moved with their places changed to fit.
            for at in [place, place + 1] {
                moved[at].seq = at as u64 + 1;
            }
            let found = places(&moved, &head);
            assert!(found.starts_with(&[place as u64 + 1, place as u64 + 2]), "{found:?}");
        }
        let mut longer = rows.clone();
        longer.push(chain(6).0[5].clone());
        assert_eq!(places(&longer, &head), [6], "put in at the end");
    }
}
