//! `doctor`: looks at what the program stands on and says what to mend.

mod card;
mod terminal;

use std::io::IsTerminal;
use std::sync::Arc;

use rustix::process::{Resource, getrlimit};
use serde::Serialize;

use super::super::args::Args;
use super::super::error::{CliError, Exit};
use super::super::output::{json, line};
use super::super::paths::Paths;
use super::super::wire::{
    Setup, VARIABLES, clock_trouble, environment as environment_of_terminal, origin, tmux_client,
    tmux_passthrough,
};
use crate::didit::{ErrorKind, Unknown};
use crate::domain::{Clock as _, Origin, Status};
use crate::picture::may_lock;
use crate::roster::Standing;
use crate::shell::{Hint, SystemClock, ancestors, hint, interview, roster};

/// So many of the newest sessions `--api` looks at.
const SURVEYED: u32 = 20;

/// So many bytes of faces the console keeps: compressed and decoded.
const FACES: usize = 72 << 20;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// One line of the report.
#[derive(Debug, Serialize)]
struct Check {
    check: &'static str,
    verdict: Verdict,
    text: String,
}

fn check(check: &'static str, verdict: Verdict, text: impl Into<String>) -> Check {
    Check { check, verdict, text: text.into() }
}

/// Looks at everything; exit code 1 when something fails.
pub async fn doctor(args: &Args, card: bool, survey: bool) -> Result<Exit, CliError> {
    let setup = Setup::load(args)?;
    let mut checks = vec![configuration(args), environment(), memory()];
    checks.extend(recording());
    checks.push(store(&setup).await);
    checks.extend(api(&setup, survey).await);
    // Last: it listens to signals, which from then on end nothing by themselves.
    checks.extend(terminal(args, &setup, card).await?);
    for check in &checks {
        if args.json {
            json(check)?;
        } else {
            let word = match check.verdict {
                Verdict::Ok => "ok  ",
                Verdict::Warn => "warn",
                Verdict::Fail => "FAIL",
            };
            line(&format!("{word}  {:<14} {}", check.check, check.text))?;
        }
    }
    let failed = checks.iter().any(|check| check.verdict == Verdict::Fail);
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

fn configuration(args: &Args) -> Check {
    let named = args.config.clone().or_else(|| Paths::find().ok().map(|paths| paths.config()));
    let text = match named {
        Some(path) if path.exists() => format!("{} is read", path.display()),
        Some(path) => format!("defaults; {} would be read", path.display()),
        None => "defaults; there is no home directory".to_owned(),
    };
    check("configuration", Verdict::Ok, text)
}

/// Names only: a value may be a secret.
fn environment() -> Check {
    let set: Vec<&str> =
        VARIABLES.into_iter().filter(|name| std::env::var_os(name).is_some()).collect();
    let text =
        if set.is_empty() { "nothing set".to_owned() } else { format!("set: {}", set.join(", ")) };
    check("environment", Verdict::Ok, text)
}

/// Whether faces and the key can reach a disk or another program through this one's memory.
fn memory() -> Check {
    let swaps = std::fs::read_to_string("/proc/swaps").unwrap_or_default();
    let dumps = dumpable();
    if dumps {
        let text = "this system lets other programs of the same user read this one's memory";
        return check("memory", Verdict::Warn, text);
    }
    if may_lock(FACES) {
        let text = "faces stay out of swap and of dumps";
        return check("memory", Verdict::Ok, text);
    }
    // The first line is a head.
    if swaps.lines().nth(1).is_none() && !swaps.is_empty() {
        return check("memory", Verdict::Ok, "there is no swap, and no dumps are made");
    }
    let limit = getrlimit(Resource::Memlock).current.unwrap_or_default() >> 10;
    let text = format!(
        "faces can be swapped to disk: RLIMIT_MEMLOCK is {limit} KiB, and they may take {} KiB; raise \
         it (`ulimit -l`, or memlock in /etc/security/limits.conf), or encrypt the swap",
        FACES >> 10
    );
    check("memory", Verdict::Warn, text)
}

#[cfg(target_os = "linux")]
fn dumpable() -> bool {
    use rustix::process::{DumpableBehavior, dumpable_behavior};
    dumpable_behavior() != Ok(DumpableBehavior::NotDumpable)
}

#[cfg(not(target_os = "linux"))]
fn dumpable() -> bool {
    true
}

/// Whether something above us records what the terminal shows, as far as processes tell.
fn recording() -> Option<Check> {
    let own = std::iter::once(std::process::id());
    let above = own.chain(tmux_client()).flat_map(ancestors);
    // Of a tmux client its own parents; what it is called itself records nothing.
    let recorder = above.into_iter().find(|name| records(name))?;
    let text = format!(
        "`{recorder}` records this session, and with it every face on the screen; review in a session \
         that is not recorded"
    );
    Some(check("recording", Verdict::Warn, text))
}

/// Whether a program of this name, as far as the system keeps it, records terminals.
fn records(name: &str) -> bool {
    let names = ["script", "scriptlive", "ttyrec", "termrec", "ttyrecord"];
    names.contains(&name) || name.starts_with("asciinema") || name.starts_with("tlog-rec")
}

/// Who this run is and by what, and what sshd's hint is worth beside that.
async fn reviewer(
    setup: &Setup,
    store: &Arc<dyn crate::store::Store>,
    origin: &Origin,
) -> Result<Vec<Check>, CliError> {
    let clock = SystemClock::new();
    let who = setup.who(store, origin, &clock).await?;
    let (_, roster) = roster(store, origin).await?;
    let text = format!("{} ({})", who.reviewer.name, who.reviewer.id);
    let mut checks = vec![match &who.standing {
        Standing::Alone => {
            let next = "one person works alone; two people need `secondlook reviewers add`";
            check("reviewer", Verdict::Ok, format!("{text}; no roster: {next}"))
        }
        Standing::Person { signs: true } => {
            check("reviewer", Verdict::Ok, format!("{text}, proven by a signature"))
        }
        Standing::Person { signs: false } => {
            let why = who.standing.cannot_be_second().unwrap_or_default();
            check("reviewer", Verdict::Warn, format!("{text}, known by the database; {why}"))
        }
        Standing::Unproven { why } if who.stopped.is_some() => {
            let text = format!("{text}: nothing is decided or sent: {why}");
            check("reviewer", Verdict::Fail, text)
        }
        Standing::Unproven { why } => {
            let text = format!("{text}: not proven to be on the roster: {why}");
            check("reviewer", Verdict::Warn, text)
        }
    }];
    checks.extend(who.told.clone().map(|told| check("roster", Verdict::Warn, told)));
    let login = std::env::var("SSH_USER_AUTH").ok().filter(|path| !path.is_empty());
    checks.extend(match hint(login.as_deref(), &roster, &who, clock.now()) {
        Hint::None | Hint::Fits => None,
        Hint::Gone(why) => Some(check("login", Verdict::Warn, why)),
        Hint::NotOurs(why) | Hint::Contradicts(why) => Some(check("login", Verdict::Fail, why)),
    });
    Ok(checks)
}

/// What the terminal can do and how the console would draw there. It is asked where it is ours: where both
/// ends are a terminal, or one is and the data are for a program.
async fn terminal(args: &Args, setup: &Setup, card: bool) -> Result<Vec<Check>, CliError> {
    let (stdin, stdout) = (std::io::stdin().is_terminal(), std::io::stdout().is_terminal());
    if card && !(stdin && stdout) {
        return Err(CliError::new(
            Exit::Usage,
            "a card needs a terminal, and standard input or output is none",
            "Run it in a terminal, over SSH with `ssh -t`, and without a pipe",
        ));
    }
    if !stdin || !(stdout || args.json) {
        let text = "not asked: standard input or output is none; run it alone in the terminal";
        return Ok(vec![check("terminal", Verdict::Warn, text)]);
    }
    let environment = environment_of_terminal();
    let card = if card { card::card() } else { None };
    let (memory, trouble) = setup.memory();
    let found = interview(&environment, setup.wish(), &memory, card).await?;
    let mut checks = terminal::checks(&found, &environment, tmux_passthrough().as_deref());
    checks.extend(terminal::remembered(found.remembered, &memory));
    checks.extend(trouble.map(|text| check("remembered", Verdict::Warn, text)));
    Ok(checks)
}

async fn store(setup: &Setup) -> Check {
    match setup.open_store().await {
        Ok(store) => {
            let place = store.describe();
            let at_work = store.workers(crate::cli::wire::now()).await;
            store.close().await;
            match at_work.map(|workers| workers.len()) {
                Ok(0) => check("store", Verdict::Ok, place),
                Ok(n) => check("store", Verdict::Ok, format!("{place}; {n} console(s) at work")),
                Err(error) => check("store", Verdict::Fail, format!("{place}: {error}")),
            }
        }
        Err(error) => check("store", Verdict::Fail, error.to_string()),
    }
}

async fn api(setup: &Setup, survey: bool) -> Vec<Check> {
    let client = match setup.client().await {
        Ok(client) => client,
        Err(error) => return vec![check("key", Verdict::Fail, error.to_string())],
    };
    let mut checks = Vec::new();
    checks.push(match client.health().await {
        Ok(()) => check("network", Verdict::Ok, format!("{} answers", setup.config.didit.base_url)),
        Err(error) => check("network", Verdict::Fail, format!("{error} {}", error.hint())),
    });
    checks.extend(client.ahead().map(|_| match clock_trouble(&client) {
        Some(trouble) => check("clock", Verdict::Warn, format!("{trouble} Set it right.")),
        None => check("clock", Verdict::Ok, "as Didit's"),
    }));
    let query = crate::didit::SessionQuery::faces(vec![Status::InReview]);
    checks.push(match client.sessions(&query).await {
        Ok(page) => check("key", Verdict::Ok, key_text(page.count)),
        Err(error) if error.kind == ErrorKind::Network => {
            check("key", Verdict::Warn, "cannot be tried without the network")
        }
        Err(error) => check("key", Verdict::Fail, format!("{error} {}", error.hint())),
    });
    if survey {
        checks.extend(surveyed(&client).await);
    }
    if let Ok(store) = setup.open_store().await {
        if let Ok(origin) = origin(&store, &client).await {
            match reviewer(setup, &store, &origin).await {
                Ok(found) => checks.extend(found),
                Err(error) => checks.push(check("reviewer", Verdict::Fail, error.to_string())),
            }
        }
        checks.extend(signatures(setup, &store, &client).await);
        checks.push(origin_check(&store, &client).await);
        store.close().await;
    }
    checks
}

/// What Didit sends that this version does not know: a line a kind, each name with how often it was met.
async fn surveyed(client: &crate::didit::Client) -> Vec<Check> {
    let survey = match client.survey(SURVEYED).await {
        Ok(survey) => survey,
        Err(error) => {
            let text = format!("cannot be looked at: {error} {}", error.hint());
            return vec![check("api", Verdict::Fail, text)];
        }
    };
    let (names, sessions) = (survey.names, survey.sessions);
    let met = format!("{names} names in the answers about {sessions} session(s)");
    if survey.unknown.is_empty() {
        return vec![check("api", Verdict::Ok, format!("{met}; all of them are known"))];
    }
    let kinds = Unknown::ALL.into_iter().filter_map(|kind| {
        let of = survey.unknown.iter().filter(|((known, _), _)| *known == kind);
        let named: Vec<_> = of.map(|((_, name), count)| format!("{name} ({count})")).collect();
        let text = format!("not known to this version: {}", named.join(", "));
        (!named.is_empty()).then(|| check(kind.word(), Verdict::Warn, text))
    });
    let met = check("api", Verdict::Warn, format!("{met}; some are not known, and hide nothing"));
    std::iter::once(met).chain(kinds).collect()
}

/// Whether the audit can be signed, where that is wanted: a word is signed and thrown away.
async fn signatures(
    setup: &Setup,
    store: &Arc<dyn crate::store::Store>,
    client: &crate::didit::Client,
) -> Option<Check> {
    let origin = origin(store, client).await.ok()?;
    Some(match setup.signer(store, &origin, &setup.reviewer.id)?.sign("doctor").await {
        Ok(_) => check("signatures", Verdict::Ok, "the ssh-agent signs the audit"),
        Err(why) => {
            let text = format!("the audit stays unsigned: {why}; is the key in the ssh-agent?");
            check("signatures", Verdict::Warn, text)
        }
    })
}

fn key_text(count: Option<u64>) -> String {
    count.map_or_else(
        || "accepted".to_owned(),
        |count| format!("accepted; {count} session(s) in review for a duplicate face"),
    )
}

/// The sessions that are no case, each reason by its name.
async fn not_queued(store: &Arc<dyn crate::store::Store>, origin: &Origin) -> String {
    let counts = match store.explained(origin).await {
        Ok(counts) => counts,
        Err(error) => return format!("; what is not queued cannot be read: {error}"),
    };
    let each = counts.iter().map(|(reason, n)| format!("{} {n}", reason.words()));
    let each = each.collect::<Vec<_>>().join(", ");
    if each.is_empty() { each } else { format!("; no cases: {each}") }
}

async fn origin_check(
    store: &std::sync::Arc<dyn crate::store::Store>,
    client: &crate::didit::Client,
) -> Check {
    match origin(store, client).await {
        Ok(origin) => match store.tally(&origin).await {
            Ok(tally) => check(
                "queue",
                Verdict::Ok,
                format!(
                    "open {}, escalated {}, strong only {}, decided {}{}",
                    tally.open,
                    tally.escalated,
                    tally.left,
                    tally.decided,
                    not_queued(store, &origin).await
                ),
            ),
            Err(error) => check("queue", Verdict::Fail, error.to_string()),
        },
        Err(error) => check("queue", Verdict::Fail, error.to_string()),
    }
}
