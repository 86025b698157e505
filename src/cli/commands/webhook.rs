//! `webhook serve` and `webhook config`: receive Didit's events, and tell Didit where to send them.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::super::args::{Args, Webhook};
use super::super::error::{CliError, Exit};
use super::super::output::{json, line, say, table};
use super::super::paths::Paths;
use super::super::wire::Setup;
use super::Desk;
use super::sync::stop_on_signals;
use crate::didit::{Destination, NewDestination};
use crate::intake::{Inbox, Taken};
use crate::shell::private;
use crate::webhook::{Answer, Limits, Notice, Receiver, Told, serve, work};

/// How long the events that wait are worked on after a stop.
const LAST_WORK: Duration = Duration::from_secs(20);

/// An event that became something, as JSON. The names are part of the contract with scripts.
#[derive(Serialize)]
struct Row<'a> {
    session_id: Option<&'a str>,
    result: &'static str,
}

/// A destination as JSON. Never its secret.
#[derive(Serialize)]
struct DestinationRow<'a> {
    uuid: String,
    label: &'a str,
    url: &'a str,
    enabled: bool,
    webhook_version: &'a str,
    subscribed_events: &'a [String],
}

/// Serves or configures.
pub async fn webhook(args: &Args, what: &Webhook) -> Result<Exit, CliError> {
    match what {
        Webhook::Serve { listen, secret_file } => listen_on(args, *listen, secret_file).await,
        Webhook::Config { url: None, .. } => show(args).await,
        Webhook::Config { url: Some(url), label, disable, secret_file } => {
            let wanted =
                NewDestination { label: label.clone(), url: url.clone(), enabled: !disable };
            set(args, &wanted, secret_file).await
        }
    }
}

async fn listen_on(
    args: &Args,
    listen: SocketAddr,
    secret_file: &Option<PathBuf>,
) -> Result<Exit, CliError> {
    let setup = Setup::load(args)?;
    let secret = secret(secret_file)?;
    let desk = Desk::open(&setup).await?;
    let listener = tokio::net::TcpListener::bind(listen).await.map_err(|error| {
        CliError::new(
            Exit::Failed,
            format!("{listen} cannot be listened on: {error}"),
            "Choose another --listen",
        )
    })?;
    let address = listener
        .local_addr()
        .map_err(|error| CliError::failed(format!("the listener has no address: {error}")))?;
    let clock = Arc::new(desk.clock().await);
    let inbox = Inbox::new(
        desk.store.clone(),
        &desk.client,
        clock.clone(),
        desk.origin.clone(),
        setup.intake(),
    );
    let (stop, hurry) = (CancellationToken::new(), CancellationToken::new());
    stop_on_signals(&stop)?;
    let (receiver, waiting) = Receiver::new(secret, clock, Limits::default());
    say(&format!("listening on http://{address}; Ctrl-C ends it"));
    if !address.ip().is_loopback() {
        say("this address is not loopback: put a reverse proxy with TLS before it");
    }
    let reencoded = AtomicU64::new(0);
    let told: Told = Arc::new(move |answer| match answer {
        Answer::Refused(why) => say(&format!("refused: {why}")),
        Answer::Full => say("no room: Didit was asked to send an event again"),
        // Said at 1, 2, 4, 8, …: it is the same proxy each time.
        Answer::Accepted { reencoded: true } => {
            let count = reencoded.fetch_add(1, Ordering::Relaxed) + 1;
            if count.is_power_of_two() {
                say(&format!(
                    "body re-encoded on the way, {count} so far: X-Signature is wrong, X-Signature-V2 is right; \
                     let the proxy pass bodies on as they are"
                ));
            }
        }
        Answer::Accepted { reencoded: false } | Answer::Repeated => {}
    });
    let as_json = args.json;
    let report = move |notice: Notice| tell(as_json, &notice);
    let working = work(waiting, &inbox, &report, &hurry);
    let serving = async {
        let served = serve(listener, receiver, told, stop).await;
        hurry.cancel();
        served
    };
    let (served, ()) = {
        let both = async { tokio::join!(serving, working) };
        tokio::pin!(both);
        tokio::select! {
            both = &mut both => both,
            () = too_late(&hurry) => {
                say("stopped before all events were worked on; `secondlook sync` finds their sessions");
                desk.store.close().await;
                return Ok(Exit::Partly);
            }
        }
    };
    desk.store.close().await;
    served.map_err(|error| CliError::failed(format!("the listener broke: {error}")))?;
    Ok(Exit::Done)
}

async fn too_late(hurry: &CancellationToken) {
    hurry.cancelled().await;
    tokio::time::sleep(LAST_WORK).await;
}

fn tell(as_json: bool, notice: &Notice) {
    match notice {
        Notice::Taken { session, taken } => {
            let result = word(*taken);
            let session_id = session.as_ref().map(crate::domain::SessionId::as_str);
            let told = if as_json {
                json(&Row { session_id, result })
            } else {
                line(&format!("{} {result}", session_id.unwrap_or("-")))
            };
            // Events are taken in whether anybody reads of them or not.
            if let Err(error) = told {
                let _ = error.report();
            }
        }
        Notice::Overtaken(session) => say(&format!("{session}: a newer event came before")),
        Notice::Unreadable(why) => say(&format!("an event cannot be read: {why}")),
        Notice::Again(why) => say(&format!("an event has to wait: {why}")),
        Notice::GivenUp(why) => {
            say(&format!("an event was given up: {why}; `secondlook sync` finds its session"));
        }
    }
}

fn word(taken: Taken) -> &'static str {
    match taken {
        Taken::Queued => "queued",
        Taken::Left => "left",
        Taken::Updated => "updated",
        Taken::Known => "known",
        Taken::Departed => "departed",
        Taken::Nothing => "passed_over",
        Taken::Unsaved => "unsaved",
    }
}

// The secret.

/// The secret: from the environment, else from a file that only its owner may read.
fn secret(named: &Option<PathBuf>) -> Result<SecretString, CliError> {
    let given = std::env::var("DIDIT_WEBHOOK_SECRET").ok().map(Zeroizing::new);
    let text = match given.filter(|text| !text.trim().is_empty()) {
        Some(text) => text,
        None => from_file(&path(named)?)?,
    };
    let word = text.trim();
    if word.is_empty() || word.len() > 512 || !word.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(CliError::new(
            Exit::Auth,
            "what stands where the webhook's secret should be is no secret",
            "It is one word; `secondlook webhook config URL` fetches it",
        ));
    }
    Ok(SecretString::from(word.to_owned()))
}

fn path(named: &Option<PathBuf>) -> Result<PathBuf, CliError> {
    match named {
        Some(path) => Ok(path.clone()),
        None => Ok(Paths::find()?.webhook_secret()),
    }
}

fn from_file(path: &Path) -> Result<Zeroizing<String>, CliError> {
    let shown = path.display();
    let wrong = |error: std::io::Error| {
        CliError::new(
            Exit::Auth,
            format!("there is no webhook secret: {shown}: {error}"),
            "Set DIDIT_WEBHOOK_SECRET, or let `secondlook webhook config URL` write the file",
        )
    };
    let mode = std::fs::metadata(path).map_err(wrong)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(CliError::new(
            Exit::Auth,
            format!("others may read {shown} (mode {:o})", mode & 0o777),
            "Run chmod 600 on it",
        ));
    }
    std::fs::read_to_string(path).map(Zeroizing::new).map_err(wrong)
}

/// Writes the secret into a file that its owner alone may read.
fn keep(path: &Path, secret: &SecretString) -> Result<(), CliError> {
    let shown = path.display();
    let wrong = |error: std::io::Error| {
        CliError::new(
            Exit::Failed,
            format!("the destination is set, but its secret cannot be kept in {shown}: {error}"),
            "Name another --secret-file and run it again",
        )
    };
    let text = Zeroizing::new(format!("{}\n", secret.expose_secret()));
    private::replace(path, text.as_bytes()).map_err(wrong)
}

// The destination.

async fn show(args: &Args) -> Result<Exit, CliError> {
    let client = Setup::load(args)?.client().await?;
    let all = client.webhook_destinations().await?;
    if args.json {
        all.iter().try_for_each(|one| json(&as_json(one)))?;
        return Ok(Exit::Done);
    }
    if all.is_empty() {
        say("Didit sends events nowhere; `secondlook webhook config https://…` sets where");
        return Ok(Exit::Done);
    }
    let rows = all.iter().map(|one| {
        let state = if one.enabled { "enabled" } else { "disabled" };
        let (label, version) = (one.label.clone(), one.version.clone());
        vec![one.url.clone(), label, state.to_owned(), version, one.events.join(" ")]
    });
    table(&["url", "label", "state", "version", "events"], &rows.collect::<Vec<_>>())?;
    Ok(Exit::Done)
}

fn as_json(one: &Destination) -> DestinationRow<'_> {
    DestinationRow {
        uuid: one.id.to_string(),
        label: &one.label,
        url: &one.url,
        enabled: one.enabled,
        webhook_version: &one.version,
        subscribed_events: &one.events,
    }
}

async fn set(
    args: &Args,
    wanted: &NewDestination,
    secret_file: &Option<PathBuf>,
) -> Result<Exit, CliError> {
    let path = path(secret_file)?;
    // Only a secret of before may be written over, never a file of another kind.
    if path.exists() && from_file(&path)?.split_whitespace().count() > 1 {
        return Err(CliError::new(
            Exit::Usage,
            format!("{} holds something else than a secret; nothing was touched", path.display()),
            "Name another --secret-file",
        ));
    }
    let client = Setup::load(args)?.client().await?;
    let known = client.webhook_destinations().await?;
    let mut set = match known.iter().find(|one| one.url == wanted.url) {
        Some(one) => client.change_webhook_destination(one.id, wanted).await?,
        None => client.add_webhook_destination(wanted).await?,
    };
    if set.secret.is_none() {
        set = client.webhook_destination(set.id).await?;
    }
    if args.json {
        json(&as_json(&set))?;
    } else {
        let state = if set.enabled { "goes to" } else { "would go (disabled) to" };
        line(&format!("{} {state} {}", set.events.join(", "), set.url))?;
    }
    match &set.secret {
        Some(secret) => {
            keep(&path, secret)?;
            say(&format!("its secret is in {}, for `secondlook webhook serve`", path.display()));
        }
        None => {
            say("Didit did not show its secret; copy it from the console into DIDIT_WEBHOOK_SECRET")
        }
    }
    Ok(Exit::Done)
}
