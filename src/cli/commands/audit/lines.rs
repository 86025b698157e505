//! An export of the audit as lines: entries, and the head line that ends them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::Millis;
use crate::store::audit::{Finding, hash_of};
use crate::store::{AuditHead, AuditRow};

/// An entry as it is exported; its text stands in it letter by letter, because that is what is hashed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    pub seq: u64,
    pub hash: String,
    /// As `ssh-keygen -Y sign` wrote it, of the hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    pub entry: Box<RawValue>,
}

/// The last line: where the chain ended. Without it an export was cut.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadLine {
    /// A [`Head`] as JSON, letter by letter.
    pub head: Box<RawValue>,
    /// SHA-256 of that text, hex.
    pub hash: String,
    /// As `ssh-keygen -Y sign` wrote it, of the hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// Where a chain ended, when, and of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The last entry's place; 0 where there is none.
    pub seq: u64,
    /// Its hash; empty where there is none.
    pub hash: String,
    /// When it was exported.
    pub at: Millis,
    /// Which application in which store.
    pub scope: String,
}

impl Head {
    /// The line that ends an export; `None` when it cannot be written.
    pub fn line(&self) -> Option<HeadLine> {
        let text = serde_json::to_string(self).ok()?;
        let hash = hash_of(&text);
        Some(HeadLine { head: RawValue::from_string(text).ok()?, hash, signature: None })
    }
}

/// What an export holds.
#[derive(Default)]
pub struct Export {
    pub rows: Vec<AuditRow>,
    /// Signatures by the place of their entry.
    pub signatures: HashMap<u64, String>,
    pub head: Option<Head>,
    /// The hash that the head line's signature is of, and the signature.
    pub head_signature: Option<(String, String)>,
    /// Lines that are none.
    pub unread: Vec<Finding>,
}

impl Export {
    /// Reads the lines of an export.
    pub fn parse(text: &str) -> Self {
        let mut export = Self::default();
        for (number, text) in (1u64..).zip(text.split_terminator('\n')) {
            let what = if export.head.is_some() {
                format!("line {number} stands behind the end")
            } else if let Ok(Line { seq, hash, signature, entry }) = serde_json::from_str(text) {
                export.signatures.extend(signature.map(|signature| (seq, signature)));
                export.rows.push(AuditRow { seq, hash, entry: entry.get().to_owned() });
                continue;
            } else if let Some((head, signature)) = head_line(text) {
                export.head = Some(head);
                export.head_signature = signature;
                continue;
            } else {
                format!("line {number} cannot be read")
            };
            export.unread.push(Finding { seq: number, what });
        }
        export
    }

    /// Where the chain ended, as far as the head line says.
    pub fn end(&self) -> Option<AuditHead> {
        self.head.as_ref().map(|head| AuditHead { seq: head.seq, hash: head.hash.clone() })
    }
}

/// The end of a chain, and the hash that was signed with its signature.
type Ended = (Head, Option<(String, String)>);

fn head_line(text: &str) -> Option<Ended> {
    let HeadLine { head, hash, signature } = serde_json::from_str(text).ok()?;
    (hash_of(head.get()) == hash).then_some(())?;
    let head = serde_json::from_str(head.get()).ok()?;
    Some((head, signature.map(|signature| (hash, signature))))
}
