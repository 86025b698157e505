//! `sync`: flagged cases into the store, without the screen.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::super::args::Args;
use super::super::error::{CliError, Exit};
use super::super::output::{Gauge, json, line, say};
use super::super::wire::Setup;
use super::Desk;
use crate::intake::{Counts, Intake, IntakeError, Notice};
use crate::shell::worker_id;

/// One line of the result. The names are part of the contract with scripts: `seen` is the sum of `queued`,
/// `updated`, `known`, `left`, `set_aside`, all of `explained`, and `silent`, which is 0.
#[derive(Serialize)]
struct Row {
    seen: u64,
    queued: u64,
    updated: u64,
    known: u64,
    left: u64,
    explained: BTreeMap<&'static str, u64>,
    set_aside: u64,
    silent: u64,
    departed: u64,
}

/// Pulls once, or goes on until stopped.
pub async fn sync(args: &Args, watch: bool) -> Result<Exit, CliError> {
    let setup = Setup::load(args)?;
    let desk = Desk::open(&setup).await?;
    let clock = Arc::new(desk.clock().await);
    let mut intake =
        Intake::new(desk.store.clone(), &desk.client, clock, desk.origin.clone(), setup.intake());
    let stop = CancellationToken::new();
    stop_on_signals(&stop)?;
    let as_json = args.json || !std::io::stdout().is_terminal();
    let progress = Progress::new();
    // Counts that nobody can read any more end the watch.
    let (ended, unwritten) = (stop.clone(), Mutex::new(None));
    let report = |notice: Notice| match notice {
        Notice::SetAside { session, why } => {
            let session = session.map_or_else(|| "an item".to_owned(), |id| id.to_string());
            say(&format!("set aside: {session}: {why}"));
        }
        Notice::Pulled(counts) => {
            progress.over();
            if let Err(error) = print(&counts, as_json) {
                *unwritten.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                ended.cancel();
            }
        }
        Notice::Failed(error) => say(&format!("secondlook: {error}; trying again.")),
        Notice::Departed { case, why } => say(&format!("left the queue: {case}: {why}")),
        Notice::Unreadable { case, candidates } => say(&format!(
            "{case} is in the queue: {candidates} candidate(s) of it, or their scores, cannot be read"
        )),
        Notice::Unknown { kind, name } => say(&format!(
            "Didit uses a {kind} that this version does not know: {name}; it is taken in all the same"
        )),
        Notice::Listed(listed) => progress.listed(listed),
        Notice::Progress(counts) => progress.so_far(counts),
        Notice::Waits(wait) => progress.waits(wait),
        Notice::LookedElsewhere => {}
    };
    let result = if watch {
        intake.watch(&worker_id(), &report, &Notify::new(), &stop).await;
        let unwritten = unwritten.lock().unwrap_or_else(PoisonError::into_inner).take();
        unwritten.map_or(Ok(Exit::Done), Err)
    } else {
        match intake.pull(&report, &stop).await {
            Ok(counts) => {
                progress.over();
                print(&counts, as_json).map(|()| Exit::Done)
            }
            Err(IntakeError::Stopped) => Err(CliError::new(
                Exit::Partly,
                "stopped before the end",
                "What was read is kept, and so is the place in the list; run it again and it goes on there",
            )),
            Err(error) => Err(error.into()),
        }
    };
    desk.store.close().await;
    result
}

/// How far it has come: a line that is written over where standard error is a terminal, else one where it waits, now
/// and then.
struct Progress {
    gauge: Gauge,
    state: Mutex<(u64, Counts)>,
    said: Mutex<Option<Instant>>,
}

/// Waits shorter than this are not worth a line.
const WORTH_SAYING: Duration = Duration::from_secs(2);
/// So long passes between two lines that stay.
const BETWEEN_LINES: Duration = Duration::from_secs(30);

impl Progress {
    fn new() -> Self {
        Self { gauge: Gauge::new(), state: Mutex::default(), said: Mutex::default() }
    }

    fn listed(&self, listed: u64) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0 = listed;
    }

    fn so_far(&self, counts: Counts) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = counts;
        self.draw("");
    }

    fn waits(&self, wait: Duration) {
        let words = format!("waits {} s for Didit's limit", wait.as_millis().div_ceil(1_000));
        if self.draw(&words) || wait < WORTH_SAYING {
            return;
        }
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|said| said.elapsed() >= BETWEEN_LINES) {
            say(&format!("{}; {words}", self.words()));
            *said = Some(Instant::now());
        }
    }

    fn words(&self) -> String {
        let (listed, counts) = *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let of = if listed == 0 { String::new() } else { format!(" of {listed}") };
        format!("{}{of} seen, {} queued", counts.seen, counts.queued)
    }

    fn draw(&self, more: &str) -> bool {
        let (listed, counts) = *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.gauge.draw(counts.seen, listed, &format!("{} {more}", self.words()))
    }

    fn over(&self) {
        self.gauge.over();
    }
}

fn print(counts: &Counts, as_json: bool) -> Result<(), CliError> {
    let Counts { seen, queued, updated, known, left, explained, set_aside, departed } = *counts;
    let silent = counts.silent();
    if as_json {
        let explained = explained.named().map(|(reason, n)| (reason.word(), n)).collect();
        return json(&Row {
            seen,
            queued,
            updated,
            known,
            left,
            explained,
            set_aside,
            silent,
            departed,
        });
    }
    let mut words = vec![format!("queued {queued}"), format!("updated {updated}")];
    words.push(format!("known {known}"));
    words.push(format!("strong only {left}"));
    words.extend(explained.named().map(|(reason, n)| format!("{} {n}", reason.words())));
    words.push(format!("set aside {set_aside}"));
    line(&format!(
        "seen {seen}: {}; unexplained {silent}; left the queue {departed}",
        words.join(", ")
    ))
}

/// Ends the work in good order on Ctrl-C and SIGTERM.
pub fn stop_on_signals(stop: &CancellationToken) -> Result<(), CliError> {
    let listen = |kind| {
        signal(kind).map_err(|error| CliError::failed(format!("signals cannot be heard: {error}")))
    };
    let (mut interrupt, mut terminate) =
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let stop = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.cancel();
    });
    Ok(())
}
