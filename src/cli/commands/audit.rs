//! `audit export` and `audit verify`: the chain of entries as JSON lines, and whether it is whole, in
//! the store or in a file that was exported.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::args::{Args, Audit as What};
use super::super::error::{CliError, Exit};
use super::super::output::{json, line};
use super::super::wire::Setup;
use super::Desk;
use crate::domain::HistoryQuery;
use crate::shell::check;
use crate::store::audit::{AuditEntry, Finding, record_hash, verify};
use crate::store::{AuditHead, AuditRow};

/// An entry as it is exported; its text stands in it letter by letter, because that is what is hashed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    seq: u64,
    hash: String,
    /// As `ssh-keygen -Y sign` wrote it, of the hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    entry: Box<RawValue>,
}

/// How many entries are read at a time.
const PAGE: u32 = 1_000;

/// Exports or verifies.
pub async fn audit(args: &Args, what: &What) -> Result<Exit, CliError> {
    match what {
        What::Verify { file: Some(file) } => in_file(args, file).await,
        What::Verify { file: None } => in_store(args).await,
        What::Export => export(args).await,
    }
}

async fn export(args: &Args) -> Result<Exit, CliError> {
    let desk = Desk::open(&Setup::load(args)?).await?;
    let mut after = 0;
    loop {
        let rows = desk.store.audit(&desk.origin, after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        let mut signed = signatures(&desk, after, last.seq).await?;
        after = last.seq;
        for AuditRow { seq, entry, hash } in rows {
            let entry = RawValue::from_string(entry).map_err(|_| {
                let next = "`secondlook audit verify` says more";
                CliError::new(Exit::Failed, format!("entry {seq} cannot be read"), next)
            })?;
            json(&Line { seq, hash, signature: signed.remove(&seq), entry })?;
        }
    }
    desk.store.close().await;
    Ok(Exit::Done)
}

/// Signatures of the entries after one place up to another.
async fn signatures(
    desk: &Desk,
    mut after: u64,
    last: u64,
) -> Result<HashMap<u64, String>, CliError> {
    let mut all = HashMap::new();
    while after < last {
        let page = desk.store.signatures(&desk.origin, after, PAGE).await?;
        let Some(end) = page.last().map(|signed| signed.seq) else { break };
        after = end;
        all.extend(page.into_iter().map(|signed| (signed.seq, signed.signature)));
    }
    Ok(all)
}

/// Whose signatures stand beside the entries: how many of which key.
#[derive(Default)]
struct Signed {
    keys: BTreeMap<String, usize>,
}

/// Holds each signature against the hash of its entry.
async fn signed(rows: &[AuditRow], signatures: &HashMap<u64, String>) -> (Signed, Vec<Finding>) {
    let (mut signed, mut findings) = (Signed::default(), Vec::new());
    for row in rows {
        let Some(signature) = signatures.get(&row.seq) else { continue };
        match check(&row.hash, signature).await {
            Ok(key) => *signed.keys.entry(key).or_default() += 1,
            Err(why) => findings.push(Finding {
                seq: row.seq,
                what: format!("the signature of entry {} is none: {why}", row.seq),
            }),
        }
    }
    let seqs: HashSet<u64> = rows.iter().map(|row| row.seq).collect();
    for seq in signatures.keys().filter(|seq| !seqs.contains(seq)) {
        let what = format!("entry {seq}, which was signed, is missing");
        findings.push(Finding { seq: *seq, what });
    }
    (signed, findings)
}

async fn in_store(args: &Args) -> Result<Exit, CliError> {
    let desk = Desk::open(&Setup::load(args)?).await?;
    // The end first: what is added meanwhile comes after it.
    let head = desk.store.audit_head(&desk.origin).await?;
    let mut rows: Vec<AuditRow> = Vec::new();
    loop {
        let after = rows.last().map_or(0, |row| row.seq);
        let page = desk.store.audit(&desk.origin, after, PAGE).await?;
        let full = page.len() == PAGE as usize;
        rows.extend(page);
        if !full {
            break;
        }
    }
    let end = rows_at(&rows, &head);
    let mut findings = verify(&rows[..end], Some(&head));
    findings.extend(verify_added(&rows, end));
    findings.extend(records(&desk, &rows).await?);
    let signatures = signatures(&desk, 0, u64::MAX).await?;
    desk.store.close().await;
    let (signed, wrong) = signed(&rows, &signatures).await;
    findings.extend(wrong);
    report(args, rows.len(), &signed, findings)
}

/// How many of the rows belong to a chain that ended at `head` a moment ago.
fn rows_at(rows: &[AuditRow], head: &AuditHead) -> usize {
    rows.iter().position(|row| row.seq > head.seq).unwrap_or(rows.len())
}

/// What was added since the end was read has to follow it; looked at as one chain with the rest.
fn verify_added(rows: &[AuditRow], end: usize) -> Vec<Finding> {
    let mut findings = if end < rows.len() { verify(rows, None) } else { Vec::new() };
    findings.retain(|finding| rows.get(end).is_some_and(|row| finding.seq >= row.seq));
    findings
}

/// Decisions whose record is another one than the entry of its making says, or gone.
async fn records(desk: &Desk, rows: &[AuditRow]) -> Result<Vec<Finding>, CliError> {
    let history = desk.store.history(&desk.origin, &HistoryQuery::default()).await?;
    let mut hashes = HashMap::new();
    for row in history {
        hashes.insert(row.decision.id.to_string(), record_hash(&row.decision)?);
    }
    let mut findings = Vec::new();
    for row in rows {
        let Ok(entry) = serde_json::from_str::<AuditEntry>(&row.entry) else { continue };
        let what = match hashes.get(&entry.decision) {
            _ if !entry.what.begins() => continue,
            Some(hash) if *hash == entry.record => continue,
            Some(_) => format!("decision {} is not as it was recorded", entry.decision),
            None => format!("decision {} is gone", entry.decision),
        };
        findings.push(Finding { seq: row.seq, what });
    }
    Ok(findings)
}

async fn in_file(args: &Args, file: &Path) -> Result<Exit, CliError> {
    let text = std::fs::read(file).map_err(|error| {
        let text = format!("{} cannot be read: {error}", file.display());
        CliError::new(Exit::Failed, text, "Mend its path or its permissions")
    })?;
    let (rows, signatures, unread) = parsed(&String::from_utf8_lossy(&text));
    let mut findings = verify(&rows, None);
    findings.extend(unread);
    let (signed, wrong) = signed(&rows, &signatures).await;
    findings.extend(wrong);
    report(args, rows.len(), &signed, findings)
}

/// The entries of an export, their signatures, and the lines that are none.
fn parsed(text: &str) -> (Vec<AuditRow>, HashMap<u64, String>, Vec<Finding>) {
    let (mut rows, mut signatures, mut findings) = (Vec::new(), HashMap::new(), Vec::new());
    for (number, text) in (1u64..).zip(text.split_terminator('\n')) {
        match serde_json::from_str::<Line>(text) {
            Ok(Line { seq, hash, signature, entry }) => {
                signatures.extend(signature.map(|signature| (seq, signature)));
                rows.push(AuditRow { seq, hash, entry: entry.get().to_owned() });
            }
            Err(_) => findings
                .push(Finding { seq: number, what: format!("line {number} cannot be read") }),
        }
    }
    (rows, signatures, findings)
}

fn report(
    args: &Args,
    entries: usize,
    signed: &Signed,
    mut findings: Vec<Finding>,
) -> Result<Exit, CliError> {
    findings.sort_by_key(|finding| finding.seq);
    let unsigned = entries.saturating_sub(signed.keys.values().sum());
    // The exit code is the verdict, also when nobody reads the words.
    let told = findings.iter().try_for_each(|Finding { seq, what }| {
        if args.json { json(&serde_json::json!({"seq": seq, "finding": what})) } else { line(what) }
    });
    if findings.is_empty() {
        told?;
        if args.json {
            json(&serde_json::json!({
                "entries": entries, "whole": true, "signed": signed.keys, "unsigned": unsigned,
            }))?;
        } else {
            line(&format!("{entries} entries, each as it was written; none is missing"))?;
            for (key, count) in &signed.keys {
                line(&format!("{count} signed with {key}"))?;
            }
            line(&format!("{unsigned} unsigned"))?;
        }
        return Ok(Exit::Done);
    }
    Err(CliError::new(
        Exit::Failed,
        format!("the audit is not whole: {} finding(s)", findings.len()),
        "Keep the store as it is and compare it with your last export",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever byte of an export is bent, it is found.
    #[test]
    fn a_bent_export_is_found_out() {
        let (mut text, mut before) = (String::new(), String::new());
        for seq in 1..=3 {
            let entry = format!(
                "{{\"seq\":{seq},\"at\":5,\"what\":\"decided\",\"decision\":\"d\",\"case\":\"c\",\
                 \"disposition\":\"approve\",\"state\":\"held\",\"reviewer\":\"os:1\",\
                 \"record\":\"00\",\"before\":\"{before}\"}}"
            );
            let hash = crate::store::audit::hash_of(&entry);
            let entry = RawValue::from_string(entry).unwrap();
            let line = Line { seq, hash: hash.clone(), signature: None, entry };
            text = text + &serde_json::to_string(&line).unwrap() + "\n";
            before = hash;
        }
        let found = |text: &str| {
            let (rows, _, unread) = parsed(text);
            verify(&rows, None).len() + unread.len()
        };
        assert_eq!(found(&text), 0);
        // The last byte is the end of the last line, which may be missing.
        for byte in 0..text.len() - 1 {
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[byte] ^= 1 << bit;
                assert_ne!(found(&String::from_utf8_lossy(&bytes)), 0, "byte {byte} bit {bit}");
            }
        }
    }
}
