//! `audit export` and `audit verify`: the chain of entries as JSON lines, and whether it is whole and binds what
//! it is about: in the store both ways, or in a file that was exported.

mod lines;
mod verify;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde_json::value::RawValue;

use self::lines::{Export, Head, Line};
use self::verify::Chain;
use super::super::args::{Args, Audit as What};
use super::super::error::{CliError, Exit};
use super::super::output::{json, line, say};
use super::super::wire::{self, Setup};
use super::Desk;
use crate::roster::Scope;
use crate::shell::{NAMESPACE, Who};
use crate::store::audit::{AuditEntry, Finding};
use crate::store::{AuditHead, AuditRow, Kept, StoreError};

/// How many rows are read at a time.
const PAGE: u32 = 1_000;

/// Exports or verifies.
pub async fn audit(args: &Args, what: &What) -> Result<Exit, CliError> {
    match what {
        What::Verify { file, head, since } => {
            let head = head.as_deref().map(noted).transpose()?;
            let since = since.as_deref().map(read).transpose()?;
            match file {
                Some(file) => in_file(args, read(file)?, head, since),
                None => in_store(args, head, since).await,
            }
        }
        What::Export => export(args).await,
    }
}

async fn export(args: &Args) -> Result<Exit, CliError> {
    let setup = Setup::load(args)?;
    let desk = Desk::open(&setup).await?;
    let mut end = AuditHead::default();
    loop {
        let after = end.seq;
        let rows = desk.store.audit(&desk.origin, after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        let mut signed = signatures(&desk, after, last.seq).await?;
        end = AuditHead { seq: last.seq, hash: last.hash.clone() };
        for AuditRow { seq, entry, hash } in rows {
            // What is no JSON is exported as a text, which does not hash to what it should.
            let entry = match RawValue::from_string(entry) {
                Ok(entry) if !entry.get().contains(['\n', '\r']) => Ok(entry),
                Ok(entry) => serde_json::value::to_raw_value(entry.get()),
                Err(_) => serde_json::value::to_raw_value("unreadable"),
            };
            let entry = entry.map_err(|_| CliError::failed("an entry cannot be written"))?;
            json(&Line { seq, hash, signature: signed.remove(&seq), entry })?;
        }
    }
    let who = desk.who(&setup).await?;
    let scope = Scope::of(&desk.store.salt().await?, &desk.origin).to_string();
    let at = wire::now();
    let head = Head { seq: end.seq, hash: end.hash, at, scope };
    let unwritten = || CliError::failed("the end of the audit cannot be written");
    let mut ending = head.line().ok_or_else(unwritten)?;
    match end_signature(&setup, &desk, &who, &ending.hash).await {
        Some(Ok(signature)) => ending.signature = Some(signature),
        Some(Err(why)) => say(&format!("The end of the export is not signed: {why}")),
        None => {}
    }
    json(&ending)?;
    desk.store.close().await;
    Ok(Exit::Done)
}

/// A signature of the end of an export: the person's of this run, else of `audit.sign_with`; nothing where
/// neither was set up.
async fn end_signature(
    setup: &Setup,
    desk: &Desk,
    who: &Who,
    hash: &str,
) -> Option<Result<String, String>> {
    if let Some(hand) = &who.hand {
        return Some(hand.signature(NAMESPACE, hash).await);
    }
    let signer = setup.signer(&desk.store, &desk.origin, &who.reviewer.id)?;
    Some(signer.sign(hash).await)
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

async fn in_store(
    args: &Args,
    noted: Option<AuditHead>,
    since: Option<Export>,
) -> Result<Exit, CliError> {
    let desk = Desk::open(&Setup::load(args)?).await?;
    // The end first: what is added meanwhile comes after it.
    let head = head(&desk).await?;
    let mut chain = Chain::new(Scope::of(&desk.store.salt().await?, &desk.origin));
    let acts = desk.store.acts(&desk.origin).await?;
    chain.people(&acts);
    let mut elsewhere = Elsewhere::new(noted, since);
    let (mut findings, mut added, mut after, mut ended) = (Vec::new(), Vec::new(), 0, false);
    let known_to = head.as_ref().map_or(u64::MAX, |head| head.seq);
    loop {
        let rows = desk.store.audit(&desk.origin, after, PAGE).await?;
        let last = rows.last().map_or(u64::MAX, |row| row.seq);
        let mut signed = signatures(&desk, after, last).await?;
        if rows.is_empty() && !signed.is_empty() {
            // Signed meanwhile, or without an entry: what was added is there by now.
            let more = desk.store.audit(&desk.origin, after, 1).await?;
            if !more.is_empty() {
                continue;
            }
        }
        for row in rows {
            if let (false, true, Ok(head)) = (ended, row.seq > known_to, &head) {
                findings.extend(chain.end(head));
                ended = true;
            }
            findings.extend(chain.entry(&row));
            elsewhere.entry(&row);
            match signed.remove(&row.seq) {
                // Whoever signed it may have come onto the roster since.
                Some(signature) if row.seq > known_to => added.push((row, signature)),
                Some(signature) => findings.extend(chain.signed(&row, &signature)),
                None => {}
            }
        }
        findings.extend(signed.into_keys().map(|seq| Finding {
            seq,
            what: format!("entry {seq}, which was signed, is missing"),
        }));
        if last == u64::MAX {
            break;
        }
        after = last;
    }
    // And once more: no entry stands behind the end that is kept when all of them have been read.
    findings.extend(at_the_end(&chain, &head, &self::head(&desk).await?, ended));
    let acts = desk.store.acts(&desk.origin).await?;
    findings.extend(chain.roster(&acts));
    for (row, signature) in added {
        findings.extend(chain.signed(&row, &signature));
    }
    decisions(&desk, &mut chain, &mut findings).await?;
    for seq in chain.gone() {
        let rows = desk.store.audit(&desk.origin, seq.saturating_sub(1), 1).await?;
        let entry =
            rows.first().and_then(|row| serde_json::from_str::<AuditEntry>(&row.entry).ok());
        if let Some(entry) = entry {
            findings.push(Finding { seq, what: format!("decision {} is gone", entry.decision) });
        }
    }
    for row in desk.store.unreadable(&desk.origin).await? {
        findings.extend(chain.unreadable(&row, &findings));
    }
    desk.store.close().await;
    findings.extend(elsewhere.findings());
    report(args, &chain, findings)
}

/// What is wrong with the ends that were read first and last. An end is one of the chain's, or in words why it can
/// be none; whether the first one was `held` against the chain already.
fn at_the_end(
    chain: &Chain,
    first: &Result<AuditHead, String>,
    last: &Result<AuditHead, String>,
    held: bool,
) -> Vec<Finding> {
    let written = chain.head.as_ref().map_or(0, |head| head.seq);
    let none = |why: &String| Finding { seq: written.saturating_add(1), what: why.clone() };
    let (first, last) = match (first, last) {
        (Ok(first), Ok(last)) => (first, last),
        (Err(why), _) | (_, Err(why)) => return vec![none(why)],
    };
    let mut findings = Vec::new();
    if !held {
        findings.extend(chain.end(first));
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

/// Holds all decisions against what the audit says of their cases, a page at a time.
async fn decisions(
    desk: &Desk,
    chain: &mut Chain,
    findings: &mut Vec<Finding>,
) -> Result<(), CliError> {
    let mut after = 0;
    loop {
        let page = desk.store.kept(&desk.origin, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.place;
        let mut cases = Vec::new();
        for kept in &page {
            cases.push(match (kept.decision(), chain.first_entry(&kept.id)) {
                (Ok(decision), _) => Some(decision.case.to_string()),
                // What its first entry says, where it cannot be read itself.
                (Err(_), Some(seq)) => {
                    let rows = desk.store.audit(&desk.origin, seq.saturating_sub(1), 1).await?;
                    let entry =
                        rows.first().map(|row| serde_json::from_str::<AuditEntry>(&row.entry));
                    entry.and_then(Result::ok).map(|entry| entry.case)
                }
                (Err(_), None) => None,
            });
        }
        let named: Vec<String> = cases.iter().flatten().cloned().collect();
        let mut trails: HashMap<String, Vec<AuditEntry>> = HashMap::new();
        for row in desk.store.trails(&desk.origin, &named).await? {
            if let Ok(entry) = serde_json::from_str::<AuditEntry>(&row.entry) {
                trails.entry(entry.case.clone()).or_default().push(entry);
            }
        }
        for (kept, case) in page.iter().zip(cases) {
            let trail = case.and_then(|case| trails.get(&case)).map_or(&[][..], Vec::as_slice);
            let answers = kept.decision().ok().and_then(|decision| decision.answers);
            let proposal = match answers {
                Some(id) => desk.store.evidence(&desk.origin, id).await?.map(|found| found.kept),
                None => None,
            };
            let is_one = |kept: &Kept| kept.decision().is_ok_and(|decision| decision.is_proposal());
            let proposal =
                proposal.filter(|proposal| proposal.place < kept.place && is_one(proposal));
            findings.extend(chain.decision(kept, proposal.as_ref(), trail));
        }
    }
}

/// The end of the audit as it is kept; in words why it can be none.
async fn head(desk: &Desk) -> Result<Result<AuditHead, String>, CliError> {
    match desk.store.audit_head(&desk.origin).await {
        Ok(head) => Ok(Ok(head)),
        Err(StoreError::AuditEnd(why)) => Ok(Err(why)),
        Err(error) => Err(error.into()),
    }
}

fn in_file(
    args: &Args,
    export: Export,
    noted: Option<AuditHead>,
    since: Option<Export>,
) -> Result<Exit, CliError> {
    let scope = Scope::of(&[0; 32], &crate::domain::Origin(String::new()));
    let (mut chain, mut elsewhere) = (Chain::new(scope), Elsewhere::new(noted, since));
    let (mut findings, end) = (export.unread.clone(), export.end());
    let Export { rows, mut signatures, head, head_signature, .. } = export;
    for row in rows {
        findings.extend(chain.entry(&row));
        elsewhere.entry(&row);
        let signature = signatures.remove(&row.seq);
        findings.extend(signature.and_then(|signature| chain.signed(&row, &signature)));
    }
    findings.extend(end.and_then(|end| chain.end(&end)));
    findings.extend(elsewhere.findings());
    let last = chain.head.as_ref().map_or(0, |head| head.seq);
    match (&head, &head_signature) {
        (None, _) => {
            let what = "the line that ends an export is missing: it was cut".to_owned();
            findings.push(Finding { seq: last + 1, what });
        }
        (Some(_), Some((hash, signature))) => match chain.key_of(hash, signature) {
            Ok(key) => say(&format!("Its end is signed with {key}.")),
            Err(why) => {
                let what = format!("the signature of its end is none: {why}");
                findings.push(Finding { seq: last + 1, what });
            }
        },
        (Some(_), None) => {
            say("Its end is not signed: whoever cut it could have written the one that it has.");
        }
    }
    report(args, &chain, findings)
}

/// What a head and an export that were kept elsewhere say of the chain, until the chain has been held against it.
struct Elsewhere {
    /// Hashes by the places of their entries, and where they were kept.
    hashes: BTreeMap<u64, Vec<(String, &'static str)>>,
    findings: Vec<Finding>,
}

impl Elsewhere {
    fn new(noted: Option<AuditHead>, since: Option<Export>) -> Self {
        let mut hashes: BTreeMap<u64, Vec<(String, &'static str)>> = BTreeMap::new();
        let mut hold = |seq: u64, hash: String, whose| {
            if seq > 0 {
                hashes.entry(seq).or_default().push((hash, whose));
            }
        };
        if let Some(head) = noted {
            hold(head.seq, head.hash, "the head that was noted");
        }
        if let Some(export) = since {
            for row in export.rows {
                hold(row.seq, row.hash, "the older export");
            }
            if let Some(head) = export.head {
                hold(head.seq, head.hash, "the end of the older export");
            }
        }
        Self { hashes, findings: Vec::new() }
    }

    fn entry(&mut self, row: &AuditRow) {
        for (hash, whose) in self.hashes.remove(&row.seq).unwrap_or_default() {
            if hash != row.hash {
                let what = format!("entry {} is another one than {whose}", row.seq);
                self.findings.push(Finding { seq: row.seq, what });
            }
        }
    }

    fn findings(mut self) -> Vec<Finding> {
        for (seq, kept) in self.hashes {
            self.findings.extend(kept.into_iter().map(|(_, whose)| {
                let what = format!("entry {seq} is missing, which stood in {whose}");
                Finding { seq, what }
            }));
        }
        self.findings
    }
}

/// A head as `audit verify` prints it: `SEQ:HASH`.
fn noted(text: &str) -> Result<AuditHead, CliError> {
    let parts = text.split_once(':').and_then(|(seq, hash)| {
        let fits = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
        fits.then_some(AuditHead { seq: seq.parse().ok()?, hash: hash.to_ascii_lowercase() })
    });
    parts.ok_or_else(|| {
        CliError::new(
            Exit::Usage,
            "that is no head",
            "Give it as `audit verify` prints it: a number, a colon, 64 hexadecimal digits",
        )
    })
}

fn read(file: &Path) -> Result<Export, CliError> {
    let text = std::fs::read(file).map_err(|error| {
        let text = format!("{} cannot be read: {error}", file.display());
        CliError::new(Exit::Failed, text, "Mend its path or its permissions")
    })?;
    Ok(Export::parse(&String::from_utf8_lossy(&text)))
}

fn report(args: &Args, chain: &Chain, mut findings: Vec<Finding>) -> Result<Exit, CliError> {
    findings.sort_by_key(|finding| finding.seq);
    let Chain { entries, keys, before_roster, head, .. } = chain;
    let unsigned = entries.saturating_sub(keys.values().sum());
    let head = head.as_ref().map(|head| format!("{}:{}", head.seq, head.hash));
    // The exit code is the verdict, also when nobody reads the words.
    let told = findings.iter().try_for_each(|Finding { seq, what }| {
        if args.json { json(&serde_json::json!({"seq": seq, "finding": what})) } else { line(what) }
    });
    if findings.is_empty() {
        told?;
        if args.json {
            json(&serde_json::json!({
                "entries": entries, "whole": true, "signed": keys, "unsigned": unsigned,
                "before_roster": before_roster, "head": head,
            }))?;
            return Ok(Exit::Done);
        }
        line(&format!("{entries} entries, each as it was written; none is missing"))?;
        for (key, count) in keys {
            line(&format!("{count} signed with {key}"))?;
        }
        line(&format!("{unsigned} unsigned"))?;
        line(&format!("{before_roster} from before there was a roster"))?;
        if let Some(head) = head {
            line(&format!("head {head}"))?;
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
    use crate::store::audit::verify;

    /// Whatever byte of an export is bent, and however it is cut, it is found.
    #[test]
    fn a_bent_or_cut_export_is_found_out() {
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
        let at = crate::domain::Millis(7);
        let head = Head { seq: 3, hash: before, at, scope: "s".to_owned() };
        text = text + &serde_json::to_string(&head.line().unwrap()).unwrap() + "\n";
        let found = |text: &str| {
            let export = Export::parse(text);
            let cut = usize::from(export.head.is_none());
            verify(&export.rows, export.end().as_ref()).len() + export.unread.len() + cut
        };
        assert_eq!(found(&text), 0);
        let lines: Vec<_> = text.lines().collect();
        for left in 0..lines.len() {
            assert_ne!(found(&lines[..left].join("\n")), 0, "{left} lines left");
        }
        for taken in 0..lines.len() {
            let mut fewer = lines.clone();
            fewer.remove(taken);
            assert_ne!(found(&fewer.join("\n")), 0, "without line {taken}");
        }
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
