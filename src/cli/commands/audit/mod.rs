//! `audit export` and `audit verify`: the chain of entries as JSON lines, and whether it is whole and binds what
//! it is about: in the store both ways, or in a file that was exported.

mod lines;
mod verify;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use serde_json::value::RawValue;

use self::lines::{Export, Head, Line};
use self::verify::{Chain, HELD, at_the_ends};
use super::super::args::{Args, Audit as What};
use super::super::error::{CliError, Exit};
use super::super::output::{json, line, say};
use super::super::wire::{self, Setup};
use super::Desk;
use super::reading::Reading;
use crate::roster::Scope;
use crate::shell::{NAMESPACE, Who};
use crate::store::audit::Finding;
use crate::store::{AuditHead, AuditRow, StoreError};

/// How many rows are read at a time.
const PAGE: u32 = 1_000;

/// Exports or verifies.
pub async fn audit(args: &Args, what: &What) -> Result<Exit, CliError> {
    match what {
        What::Verify { file, head, since, of } => {
            let head = head.as_deref().map(noted).transpose()?;
            let since = since.as_deref().map(read).transpose()?;
            match file {
                Some(file) => in_file(args, read(file)?, head, since),
                None => in_store(args, head, since, of.origin.as_deref()).await,
            }
        }
        What::Export => export(args).await,
    }
}

async fn export(args: &Args) -> Result<Exit, CliError> {
    let setup = Setup::load(args)?;
    // It says of every case what was done, also of those that wait for a second reader: that takes the key.
    let desk = Reading::of(Desk::open(&setup).await?);
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
    desk: &Reading,
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
    desk: &Reading,
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
    origin: Option<&str>,
) -> Result<Exit, CliError> {
    let desk = Reading::open(&Setup::load(args)?, origin).await?;
    let scope = Scope::of(&desk.store.salt().await?, &desk.origin);
    if let Some(since) = &since {
        is_older(since, Some(&scope.to_string()))?;
    }
    // The end first: what is added meanwhile comes after it.
    let head = head(&desk).await?;
    let (mut chain, mut elsewhere) = (Chain::new(scope), Elsewhere::new(noted, since));
    let (mut findings, held) = in_order(&desk, &head, &mut chain, &mut elsewhere).await?;
    // And once more: no entry stands behind the end that is kept when all of them have been read.
    let after = self::head(&desk).await?;
    findings.extend(at_the_ends(&chain, held, &head, &after));
    let beside = desk.store.elsewhere(&desk.origin).await?;
    let acts = desk.store.acts(&desk.origin).await?;
    findings.extend(chain.roster(&acts, beside));
    findings.extend(signed(&desk, &mut chain, &mut elsewhere).await?);
    let mut gone = Vec::new();
    for mut part in chain.parts(HELD) {
        let mut after = 0;
        loop {
            let page = desk.store.audit(&desk.origin, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            page.iter().for_each(|row| chain.told(row, &mut part));
        }
        let mut after = 0;
        loop {
            let page = desk.store.kept(&desk.origin, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.place;
            for kept in &page {
                findings.extend(chain.decision(kept, &mut part));
            }
        }
        gone.extend(chain.gone(&part));
    }
    findings.extend(chain.astray.iter().cloned().chain(gone));
    for row in desk.store.unreadable(&desk.origin).await? {
        findings.extend(chain.unreadable(&row, &findings));
    }
    desk.store.close().await;
    findings.extend(elsewhere.findings());
    report(args, &chain, findings)
}

/// What is wrong with the chain itself, up to the end that was read first and behind it; and apart from that what
/// is wrong with that end.
async fn in_order(
    desk: &Reading,
    head: &Result<AuditHead, String>,
    chain: &mut Chain,
    elsewhere: &mut Elsewhere,
) -> Result<(Vec<Finding>, Vec<Finding>), CliError> {
    let (mut findings, mut held, mut ended, mut after) = (Vec::new(), Vec::new(), false, 0);
    loop {
        let page = desk.store.audit(&desk.origin, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for row in &page {
            elsewhere.entry(row);
            match head {
                Ok(head) if !ended && row.seq > head.seq => {
                    ended = true;
                    held.extend(chain.end(head));
                    // What is missing before it was told with the end.
                    let found = chain.entry(row).into_iter();
                    findings.extend(found.filter(|finding| finding.seq >= row.seq));
                }
                Ok(_) | Err(_) => findings.extend(chain.entry(row)),
            }
        }
    }
    if let (Ok(head), false) = (head, ended) {
        held.extend(chain.end(head));
    }
    Ok((findings, held))
}

/// What is wrong with the signatures of entries. A signature comes after its entry: whatever is signed meanwhile
/// has one.
async fn signed(
    desk: &Reading,
    chain: &mut Chain,
    elsewhere: &mut Elsewhere,
) -> Result<Vec<Finding>, CliError> {
    let (mut findings, mut last) = (Vec::new(), 0);
    loop {
        let page = desk.store.signatures(&desk.origin, last, PAGE).await?;
        let (Some(first), Some(end)) = (page.first(), page.last()) else { return Ok(findings) };
        let mut after = first.seq.saturating_sub(1);
        last = end.seq;
        page.iter().for_each(|signed| elsewhere.signed(signed.seq));
        let mut left: BTreeMap<u64, String> =
            page.into_iter().map(|signed| (signed.seq, signed.signature)).collect();
        while after < last {
            let rows = desk.store.audit(&desk.origin, after, PAGE).await?;
            let Some(end) = rows.last() else { break };
            after = end.seq;
            for row in &rows {
                let signature = left.remove(&row.seq);
                findings.extend(signature.and_then(|signature| chain.signed(row, &signature)));
            }
        }
        findings.extend(left.into_keys().map(unentered));
    }
}

/// A signature of an entry that is not there.
fn unentered(seq: u64) -> Finding {
    Finding { seq, what: format!("entry {seq}, which was signed, is missing") }
}

/// The end of the audit as it is kept; in words why it can be none.
async fn head(desk: &Reading) -> Result<Result<AuditHead, String>, CliError> {
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
    if let Some(since) = &since {
        is_older(since, export.head.as_ref().map(|head| head.scope.as_str()))?;
    }
    let scope = Scope::of(&[0; 32], &crate::domain::Origin(String::new()));
    let (mut chain, mut elsewhere) = (Chain::new(scope), Elsewhere::new(noted, since));
    let (mut findings, end) = (Vec::new(), export.end());
    let mut left: BTreeSet<u64> = export.signatures.keys().copied().collect();
    left.iter().for_each(|seq| elsewhere.signed(*seq));
    for row in &export.rows {
        findings.extend(chain.entry(row));
        elsewhere.entry(row);
        left.remove(&row.seq);
        let signature = export.signatures.get(&row.seq);
        findings.extend(signature.and_then(|signature| chain.signed(row, signature)));
    }
    findings.extend(end.and_then(|end| chain.end(&end)));
    findings.extend(export.unread);
    findings.extend(left.into_iter().map(unentered));
    findings.extend(elsewhere.findings());
    let last = chain.head.as_ref().map_or(0, |head| head.seq);
    match (&export.head, &export.head_signature) {
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
    /// Entries that were signed.
    signed: BTreeSet<u64>,
    findings: Vec<Finding>,
}

impl Elsewhere {
    fn new(noted: Option<AuditHead>, since: Option<Export>) -> Self {
        let mut hashes: BTreeMap<u64, Vec<(String, &'static str)>> = BTreeMap::new();
        let (mut signed, mut findings) = (BTreeSet::new(), Vec::new());
        let mut hold = |seq: u64, hash: String, whose| {
            if seq > 0 {
                hashes.entry(seq).or_default().push((hash, whose));
            }
        };
        if let Some(head) = noted {
            hold(head.seq, head.hash, "the head that was noted");
        }
        if let Some(export) = since {
            let broken = crate::store::audit::verify(&export.rows, export.end().as_ref());
            findings.extend(broken.into_iter().chain(export.unread).map(|finding| {
                let what = format!("in the older export: {}", finding.what);
                Finding { what, ..finding }
            }));
            for row in export.rows {
                hold(row.seq, row.hash, "the older export");
            }
            if let Some(head) = export.head {
                hold(head.seq, head.hash, "the end of the older export");
            }
            signed.extend(export.signatures.into_keys());
        }
        Self { hashes, signed, findings }
    }

    fn entry(&mut self, row: &AuditRow) {
        for (hash, whose) in self.hashes.remove(&row.seq).unwrap_or_default() {
            if hash != row.hash {
                let what = format!("entry {} is another one than {whose}", row.seq);
                self.findings.push(Finding { seq: row.seq, what });
            }
        }
    }

    fn signed(&mut self, seq: u64) {
        self.signed.remove(&seq);
    }

    fn findings(mut self) -> Vec<Finding> {
        for (seq, kept) in self.hashes {
            self.findings.extend(kept.into_iter().map(|(_, whose)| {
                let what = format!("entry {seq} is missing, which stood in {whose}");
                Finding { seq, what }
            }));
        }
        self.findings.extend(self.signed.into_iter().map(|seq| {
            let what = format!("entry {seq} lost its signature, which stood in the older export");
            Finding { seq, what }
        }));
        self.findings
    }
}

/// Refuses what can prove nothing as an older export: a file that was cut or is none, and the export of another
/// application or store.
fn is_older(since: &Export, scope: Option<&str>) -> Result<(), CliError> {
    let why = match (&since.head, scope) {
        (None, _) if since.rows.is_empty() => "it holds no entry and no end",
        (None, _) => "the line that ends an export is missing: it was cut",
        (Some(head), Some(scope)) if head.scope != scope => "it is of another application or store",
        (Some(_), _) => return Ok(()),
    };
    Err(CliError::new(
        Exit::Usage,
        format!("the file that --since names is no older export of this audit: {why}"),
        "Name a whole one, as `secondlook audit export` wrote it; nothing was compared",
    ))
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
    let Chain { entries, keys, before_roster, .. } = chain;
    let unsigned = entries.saturating_sub(keys.values().sum());
    let head = chain.head.as_ref().map(|head| format!("{}:{}", head.seq, head.hash));
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
