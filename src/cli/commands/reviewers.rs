//! `reviewers` and `policy`: who may review, propose and confirm, and what has to be signed. Each change is an
//! administrator's act, signed and entered in the audit.

use std::io::Read as _;
use std::path::Path;

use serde::Serialize;

use super::super::args::{Args, NewProofs, Policy as PolicyWhat, Reviewers as What};
use super::super::error::{CliError, Exit};
use super::super::output::{json, line, say, table};
use super::super::wire::{self, Setup};
use super::Desk;
use crate::domain::{Clock as _, Millis, ReviewerId, printable};
use crate::proof::{
    AllowedSigner, CertName, Proof, PublicKey, Signer, parse_signers, print_signers,
};
use crate::roster::{self, Act, Beside, Person, PersonId, Require, Roster, Scope, Standing};
use crate::shell::agent::Agent;
use crate::shell::{Hand, roster as roster_of};
use crate::store::NewAct;

/// The longest list of signers that is read, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// A person, as JSON. The names are part of the contract with scripts.
#[derive(Serialize)]
struct Shown<'a> {
    person: &'a str,
    label: &'a str,
    admin: bool,
    proofs: Vec<String>,
    added_by: Vec<&'a str>,
    cannot_confirm: Vec<String>,
    adopted: Vec<String>,
    unvouched: bool,
}

/// Does what is asked.
pub async fn reviewers(args: &Args, what: &What) -> Result<Exit, CliError> {
    let setup = Setup::load(args)?;
    let desk = Desk::open(&setup).await?;
    let done = act_on(args, &setup, &desk, what).await;
    desk.store.close().await;
    done
}

/// Shows or sets what has to be signed.
pub async fn policy(args: &Args, what: &PolicyWhat) -> Result<Exit, CliError> {
    let setup = Setup::load(args)?;
    let desk = Desk::open(&setup).await?;
    let done = match what {
        PolicyWhat::Show => show_policy(args, &desk).await,
        PolicyWhat::Set { require } => {
            let act = Act::Policy { require: *require };
            let done = enact(&setup, &desk, act).await;
            match done {
                Ok(()) => show_policy(args, &desk).await,
                Err(error) => Err(error),
            }
        }
    };
    desk.store.close().await;
    done
}

async fn show_policy(args: &Args, desk: &Desk) -> Result<Exit, CliError> {
    let (_, roster) = roster_of(&desk.store, &desk.origin).await?;
    let word = roster.require().word();
    if args.json {
        json(&serde_json::json!({ "require": word }))?;
    } else {
        let says = match roster.require() {
            Require::TwoPerson => {
                "acts of two people are signed; one person's decisions need not be"
            }
            Require::EveryDecision => "every decision is signed",
        };
        line(&format!("require {word}: {says}"))?;
    }
    Ok(Exit::Done)
}

async fn act_on(args: &Args, setup: &Setup, desk: &Desk, what: &What) -> Result<Exit, CliError> {
    match what {
        What::List => return list(args, desk).await,
        What::Show { person } => return show(args, desk, person).await,
        What::Export => return export(desk).await,
        What::Import { file } => return import(setup, desk, file).await,
        What::Add { person, label, admin, proofs } => {
            let person = id(person)?;
            let proofs = read_proofs(proofs)?;
            let act =
                Act::Add { person, label: label.clone(), admin: (*admin).then_some(true), proofs };
            enact(setup, desk, act).await?;
        }
        What::Remove { person, key } => {
            let person = id(person)?;
            let (_, roster) = roster_of(&desk.store, &desk.origin).await?;
            let proof = key.as_deref().map(|key| proof_of(&roster, &person, key)).transpose()?;
            enact(setup, desk, Act::Remove { person, proof }).await?;
        }
        What::Revoke { key, since } => {
            let act = Act::Revoke { key: fingerprint(key)?, since: moment(since)? };
            enact(setup, desk, act).await?;
        }
        What::Adopt { old, person } => adopt(setup, desk, old, person).await?,
        What::Recover { person, proofs } => {
            let act = Act::Recover { person: id(person)?, proofs: read_proofs(proofs)? };
            recover(desk, act).await?;
        }
    }
    list(args, desk).await
}

fn id(text: &str) -> Result<PersonId, CliError> {
    PersonId::parse(text).map_err(|bad| {
        CliError::new(
            Exit::Usage,
            bad.to_string(),
            "Such as `ana` or `b.meyer`; --label takes any name",
        )
    })
}

fn shown<'a>(roster: &Roster, person: &'a Person) -> Shown<'a> {
    let ids = |ids: Vec<ReviewerId>| ids.into_iter().map(|id| id.0).collect();
    Shown {
        person: person.id.as_str(),
        label: &person.label,
        admin: person.admin,
        proofs: person.proofs.iter().map(words).collect(),
        added_by: person.added_by.iter().map(|by| by.0.as_str()).collect(),
        cannot_confirm: ids(roster.were_added_by(person)),
        adopted: ids(roster.adopted_by(&person.reviewer().id)),
        unvouched: person.unvouched,
    }
}

/// A proof in words: `ssh-ed25519 SHA256:…`, `certificate of SHA256:… for key id ana`, `role ana`.
fn words(proof: &Proof) -> String {
    match proof {
        Proof::Key(key) => format!("{} {}", key.kind(), key.fingerprint()),
        Proof::Certificate { ca, name } => {
            let name = match name {
                CertName::KeyId(id) => format!("key id {}", printable(id, 80)),
                CertName::Principal(name) => format!("principal {}", printable(name, 80)),
            };
            format!("certificate of {} for {name}", ca.fingerprint())
        }
        Proof::Role(role) => format!("role {}", printable(role, 63)),
    }
}

async fn list(args: &Args, desk: &Desk) -> Result<Exit, CliError> {
    let (_, roster) = roster_of(&desk.store, &desk.origin).await?;
    match roster.is_missing() {
        Some(missing) => say(&format!("Nothing is decided or sent here: {missing}.")),
        None if !roster.is_begun() => {
            say(
                "There is no roster: one person works alone here. The first one adds themselves with \
                 `secondlook reviewers add ME --key ~/.ssh/id_ed25519.pub`.",
            );
        }
        None => {}
    }
    if args.json {
        for person in roster.people() {
            json(&shown(&roster, person))?;
        }
        return Ok(Exit::Done);
    }
    let cells = roster.people().map(|person| {
        let admin = match (person.admin, person.unvouched) {
            (true, false) => "admin",
            (true, true) => "admin, by recovery",
            (false, true) => "by recovery",
            (false, false) => "",
        };
        let proofs: Vec<_> = person.proofs.iter().map(words).collect();
        vec![person.id.to_string(), person.label.clone(), admin.to_owned(), proofs.join(", ")]
    });
    table(&["person", "label", "", "proofs"], &cells.collect::<Vec<_>>())?;
    for (from, to) in roster.adoptions() {
        line(&format!("{to} has what {} held", printable(&from.0, 100)))?;
    }
    Ok(Exit::Done)
}

async fn show(args: &Args, desk: &Desk, name: &str) -> Result<Exit, CliError> {
    let (_, roster) = roster_of(&desk.store, &desk.origin).await?;
    let person = roster.person(name).ok_or_else(|| nobody(name))?;
    if args.json {
        json(&shown(&roster, person))?;
        return Ok(Exit::Done);
    }
    line(&format!("{}, {}{}", person.id, person.label, if person.admin { ", admin" } else { "" }))?;
    for proof in &person.proofs {
        line(&format!("  {}", words(proof)))?;
    }
    for by in &person.added_by {
        line(&format!("  added by {by}"))?;
    }
    for proposer in roster.were_added_by(person).iter().filter(|by| by.person().is_some()) {
        line(&format!("  cannot confirm what {proposer} proposes"))?;
    }
    for from in roster.adopted_by(&person.reviewer().id) {
        line(&format!("  has what {} held", printable(&from.0, 100)))?;
    }
    if let Some(why) = roster.is_nobodys_second(&person.reviewer().id) {
        line(&format!("  nobody's second person: {why}"))?;
    }
    Ok(Exit::Done)
}

fn nobody(name: &str) -> CliError {
    CliError::new(
        Exit::Nothing,
        format!("there is no {} on the roster", printable(name, 40)),
        "See `secondlook reviewers list`",
    )
}

/// One proof of a person, by its fingerprint or role.
fn proof_of(roster: &Roster, person: &PersonId, key: &str) -> Result<Proof, CliError> {
    let known = roster.person(person.as_str()).ok_or_else(|| nobody(person.as_str()))?;
    // A fingerprint or a role, else a key or the file that holds one.
    let given = read_key(key).map(|key| key.fingerprint());
    let key = given.as_deref().unwrap_or(key);
    let is_it = |proof: &&Proof| match proof {
        Proof::Key(public) => public.fingerprint() == key || public.line() == key,
        Proof::Certificate { ca, .. } => ca.fingerprint() == key,
        Proof::Role(role) => role == key,
    };
    let mut found = known.proofs.iter().filter(is_it);
    match (found.next(), found.next()) {
        (Some(proof), None) => Ok(proof.clone()),
        (None, _) => Err(CliError::new(
            Exit::Nothing,
            format!("{person} has no proof {}", printable(key, 80)),
            "Name it by the SHA256:… or the role that `secondlook reviewers show` prints, or by the key's file",
        )),
        (Some(_), Some(_)) => Err(CliError::new(
            Exit::Usage,
            format!("several proofs of {person} have that fingerprint"),
            "Remove the person and add what is to stay",
        )),
    }
}

/// The proofs that the arguments name.
fn read_proofs(given: &NewProofs) -> Result<Vec<Proof>, CliError> {
    let mut proofs = Vec::new();
    for key in &given.key {
        proofs.push(Proof::Key(read_key(key)?));
    }
    if let Some(ca) = &given.ca {
        let ca = read_key(ca)?;
        let ids = given.key_id.iter().cloned().map(CertName::KeyId);
        let principals = given.principal.iter().cloned().map(CertName::Principal);
        for name in ids.chain(principals) {
            proofs.push(Proof::Certificate { ca: ca.clone(), name });
        }
    }
    proofs.extend(given.role.iter().cloned().map(Proof::Role));
    Ok(proofs)
}

/// A file's text, as far as anybody writes one.
fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

/// A public key, or the file that holds one.
fn read_key(given: &str) -> Result<PublicKey, CliError> {
    let bad = |why: String| {
        CliError::new(
            Exit::Usage,
            why,
            "Name a public key's file, such as ~/.ssh/id_ed25519.pub, or give its line in quotes",
        )
    };
    let text = if given.split_whitespace().count() > 1 {
        given.to_owned()
    } else {
        let shown = printable(given, 200);
        read(Path::new(given))
            .map_err(|error| bad(format!("the key {shown} cannot be read: {error}")))?
    };
    if text.contains("PRIVATE KEY") {
        return Err(bad("that is a private key; the roster wants the public one".to_owned()));
    }
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let key: Vec<_> = line.split_whitespace().take(2).collect();
    PublicKey::parse(&key.join(" ")).map_err(|why| bad(format!("that is no public key: {why}")))
}

/// A fingerprint, or the key that has it.
fn fingerprint(key: &str) -> Result<String, CliError> {
    if key.starts_with("SHA256:") {
        return Ok(printable(key, 60));
    }
    Ok(read_key(key)?.fingerprint())
}

/// A moment: `2026-11-28`, `2026-11-28T09:30:00Z`.
fn moment(text: &str) -> Result<Millis, CliError> {
    let whole = text.parse::<jiff::Timestamp>().ok();
    let day = || {
        let day = text.parse::<jiff::civil::Date>().ok()?;
        day.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    };
    whole.or_else(day).map(|at| Millis(at.as_millisecond())).ok_or_else(|| {
        CliError::new(
            Exit::Usage,
            format!("{} is no moment", printable(text, 40)),
            "Write it as 2026-11-28 or 2026-11-28T09:30:00Z; without a zone it is UTC",
        )
    })
}

/// Does an act as whoever may: the owner of the database, an administrator, or the first one of all.
async fn enact(setup: &Setup, desk: &Desk, act: Act) -> Result<(), CliError> {
    let login = desk.store.login().await?;
    let now = desk.clock().await.now();
    if login.owner {
        // The act is the owner's; who had the owner's login is kept beside it, as far as that is proven.
        let run = desk.who(setup).await?;
        let hand = run.reviewer.id.person().and_then(|id| PersonId::parse(id).ok());
        if hand.is_none() && matches!(act, Act::Add { .. }) {
            say(
                "Entered as the database's owner: nobody of the roster was proven to have done this, so \
                 whoever has that login had better propose nothing.",
            );
        }
        let by = ReviewerId::of_role(&login.role.unwrap_or_default());
        let act = text(&act, &Beside { hand, ..Beside::default() })?;
        return put(desk, NewAct { by, act, signature: None }, now).await;
    }
    let (scope, roster) = roster_of(&desk.store, &desk.origin).await?;
    if !roster.is_begun() {
        return first(desk, scope, act, now).await;
    }
    let run = desk.who(setup).await?;
    let Some(hand) = run.hand.clone() else {
        let why = match &run.standing {
            Standing::Unproven { why } => why.clone(),
            _ => "no key of yours in the ssh-agent signs".to_owned(),
        };
        return Err(CliError::new(
            Exit::Auth,
            format!("the roster is changed by a signature of an administrator: {why}"),
            "`ssh-add` the key of an administrator, or log in with `ssh -A`",
        ));
    };
    let act = text(&act, &Beside::default())?;
    let signature = hand.sign_act(&act, now).await.map_err(unsigned)?;
    put(desk, NewAct { by: run.reviewer.id, act, signature: Some(signature) }, now).await
}

/// The first act: somebody adds themselves as an administrator, and the key is tried on the spot.
async fn first(desk: &Desk, scope: Scope, act: Act, now: Millis) -> Result<(), CliError> {
    let Act::Add { person, label, proofs, .. } = act else {
        return Err(CliError::new(
            Exit::Nothing,
            "there is no roster yet",
            "The first person adds themselves: `secondlook reviewers add ME --key FILE`",
        ));
    };
    let agent = Agent::at(wire::agent_at().socket.as_deref());
    let agent = agent.map_err(|error| unsigned(error.to_string()))?;
    let identities = agent.list().await.map_err(|error| unsigned(error.to_string()))?.usable;
    let mut signers = identities.into_iter().map(|identity| identity.signer);
    let theirs = |signer: &Signer| proofs.iter().any(|proof| signer.satisfies(proof, now).is_ok());
    let Some(signer) = signers.find(theirs) else {
        return Err(unsigned(
            "the ssh-agent holds none of these keys, and the first on the roster proves one on the \
             spot"
            .to_owned(),
        ));
    };
    let by = person.reviewer();
    let hand = Hand::with((agent, wire::agent_at()), signer, scope, by.clone());
    say(&format!("{person} is the first on the roster, and its administrator."));
    let act = Act::Add { person, label, admin: Some(true), proofs };
    let act = text(&act, &Beside::default())?;
    let signature = hand.sign_act(&act, now).await.map_err(unsigned)?;
    put(desk, NewAct { by, act, signature: Some(signature) }, now).await
}

/// The owner of the file or the database makes an administrator, where none can act any more.
async fn recover(desk: &Desk, act: Act) -> Result<(), CliError> {
    let login = desk.store.login().await?;
    let now = desk.clock().await.now();
    let by = match login.role {
        Some(role) => ReviewerId::of_role(&role),
        None => ReviewerId(format!("os:{}", rustix::process::getuid().as_raw())),
    };
    let act = text(&act, &Beside { unvouched: true, ..Beside::default() })?;
    put(desk, NewAct { by, act, signature: None }, now).await?;
    say(
        "Every console says so for seven days, and who comes with it is nobody's second person until an \
         administrator from before it signs for them.",
    );
    Ok(())
}

async fn adopt(setup: &Setup, desk: &Desk, old: &str, person: &str) -> Result<(), CliError> {
    let (_, roster) = roster_of(&desk.store, &desk.origin).await?;
    let from = ReviewerId(printable(old, 100));
    if let Some(missing) = roster.is_missing() {
        let text = format!("nothing was handed over: {missing}");
        return Err(CliError::new(Exit::Auth, text, "See `secondlook store status`"));
    }
    if roster.is_begun() {
        let to = id(person)?.reviewer();
        return enact(setup, desk, Act::Adopt { from, to }).await;
    }
    if let Some(nobody) = from.person() {
        return Err(CliError::new(
            Exit::Nothing,
            format!("there is no roster, so {} is nobody yet", printable(nobody, 40)),
            "An administrator hands over what a person held: `secondlook reviewers adopt` once there is one",
        ));
    }
    // Without a roster whoever owns the store is the one person that there is.
    let me = setup.reviewer.id.clone();
    if person != me.0 && person != setup.reviewer.name {
        return Err(CliError::new(
            Exit::Usage,
            format!("there is no roster, and you are {me}"),
            format!("`secondlook reviewers adopt {from} {me}` hands it to you"),
        ));
    }
    let now = desk.clock().await.now();
    let act = text(&Act::Adopt { from, to: me.clone() }, &Beside::default())?;
    put(desk, NewAct { by: me, act, signature: None }, now).await
}

async fn put(desk: &Desk, act: NewAct, now: Millis) -> Result<(), CliError> {
    desk.store.enact(&desk.origin, &act, now).await?;
    Ok(())
}

fn text(act: &Act, beside: &Beside) -> Result<String, CliError> {
    roster::text(act, beside).map_err(|_| CliError::failed("the change cannot be written"))
}

fn unsigned(why: String) -> CliError {
    CliError::new(
        Exit::Auth,
        format!("nothing was changed: {}", why.trim_end_matches('.')),
        "`ssh-add` the key first, or log in with `ssh -A`",
    )
}

/// Prints the roster as OpenSSH's `allowed_signers`.
async fn export(desk: &Desk) -> Result<Exit, CliError> {
    let (_, roster) = roster_of(&desk.store, &desk.origin).await?;
    let mut signers = Vec::new();
    for person in roster.people() {
        for proof in &person.proofs {
            let (key, principal, cert_authority) = match proof {
                Proof::Key(key) => (key, person.id.to_string(), false),
                Proof::Certificate { ca, name: CertName::Principal(name) } => {
                    (ca, name.clone(), true)
                }
                // ssh-keygen knows certificates by their principals only.
                Proof::Certificate { name: CertName::KeyId(_), .. } | Proof::Role(_) => {
                    say(&format!(
                        "{} is left out: allowed_signers has no word for {}.",
                        person.id,
                        words(proof)
                    ));
                    continue;
                }
            };
            signers.push(AllowedSigner {
                principals: vec![principal],
                cert_authority,
                namespaces: None,
                valid_after: None,
                valid_before: None,
                key: key.clone(),
                comment: String::new(),
            });
        }
    }
    let text = print_signers(&signers).map_err(|error| CliError::failed(error.to_string()))?;
    for signer in text.lines() {
        line(signer)?;
    }
    Ok(Exit::Done)
}

/// Adds everybody in a file of `allowed_signers`: each key to the person whom its first principal names.
async fn import(setup: &Setup, desk: &Desk, file: &Path) -> Result<Exit, CliError> {
    let text = read(file).map_err(|error| {
        CliError::new(
            Exit::Failed,
            format!("{} cannot be read: {error}", file.display()),
            "Mend its path or its permissions",
        )
    })?;
    let (signers, bad) = parse_signers(&text);
    for bad in &bad {
        say(&format!("{bad}."));
    }
    let (mut added, mut missed) = (0usize, bad.len());
    for signer in signers {
        let [name] = signer.principals.as_slice() else {
            say("A line with several principals is passed over: a key is one person's.");
            missed += 1;
            continue;
        };
        // A key that counts for a time or a purpose only would count for more here.
        if signer.valid_after.is_some()
            || signer.valid_before.is_some()
            || signer.namespaces.is_some()
        {
            say(&format!(
                "{} is passed over: the roster has no word for valid-after, valid-before or \
                 namespaces; add the key by hand, or `reviewers revoke` it when its time is over.",
                printable(name, 40)
            ));
            missed += 1;
            continue;
        }
        let Ok(person) = PersonId::parse(&name.to_lowercase()) else {
            say(&format!("{} is no person's id; the line is passed over.", printable(name, 40)));
            missed += 1;
            continue;
        };
        let proof = if signer.cert_authority {
            Proof::Certificate { ca: signer.key, name: CertName::Principal(name.clone()) }
        } else {
            Proof::Key(signer.key)
        };
        let act =
            Act::Add { person: person.clone(), label: None, admin: None, proofs: vec![proof] };
        match enact(setup, desk, act).await {
            Ok(()) => added += 1,
            Err(error) => {
                say(&format!("{person}: {error}."));
                missed += 1;
            }
        }
    }
    line(&format!("{added} proof(s) added"))?;
    Ok(match (added, missed) {
        (_, 0) => Exit::Done,
        (0, _) => Exit::Failed,
        _ => Exit::Partly,
    })
}

/// Whether this run may act for colleagues: an administrator, or the database's owner.
///
/// # Errors
/// Exit code 4 when it may not.
pub async fn administrator(setup: &Setup, desk: &Desk) -> Result<ReviewerId, CliError> {
    let login = desk.store.login().await?;
    if let (true, Some(role)) = (login.owner, login.role) {
        return Ok(ReviewerId::of_role(&role));
    }
    let (_, roster) = roster_of(&desk.store, &desk.origin).await?;
    let run = desk.who(setup).await?;
    match roster.named(&run.reviewer.id) {
        Some(person) if person.admin => Ok(run.reviewer.id),
        _ => Err(CliError::new(
            Exit::Auth,
            "only an administrator of the roster does that",
            "See `secondlook reviewers list`",
        )),
    }
}
