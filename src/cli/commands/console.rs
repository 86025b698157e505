//! `review` and `demo`: the console, on the real API or on the simulated one.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use url::Url;

use super::super::args::Args;
use super::super::error::{CliError, Exit};
use super::super::output::say;
use super::super::wire::Setup;
use super::{Desk, replies};
use crate::core;
use crate::didit::{self, Client, SessionQuery};
use crate::domain::Tally;
use crate::shell::{self, Console, Given, Parts};
use crate::sim::{Options, Sim, World};
use crate::store::MemoryStore;

/// Opens the console on the real API.
pub async fn review(args: &Args, from: Option<&Path>) -> Result<Exit, CliError> {
    // Keys come from the terminal itself, so that standard input may be a pipe.
    let piped = from == Some(Path::new("-"));
    if piped && std::io::stdin().is_terminal() {
        return Err(CliError::new(
            Exit::Usage,
            "--from - reads the cases from standard input, which is the terminal",
            "Pipe them in, or name a file",
        ));
    }
    needs_terminal(piped)?;
    let setup = Setup::load(args)?;
    let desk = Desk::open(&setup).await?;
    let given = match from {
        Some(file) => replies::load(&setup, &desk, file).await,
        None => Ok(Given::default()),
    };
    let Desk { store, client, .. } = desk;
    let given = match given {
        Ok(given) => given,
        Err(error) => {
            store.close().await;
            return Err(error);
        }
    };
    let place = Url::parse(&setup.config.didit.base_url)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_default();
    let (memory, trouble) = setup.memory();
    let mut parts = Parts { given, memory, ..setup.parts(store, client, &place).await? };
    parts.warning = parts.warning.or(trouble);
    ask_first(&parts).await?;
    let ended = shell::run(parts).await?;
    Ok(farewell(ended))
}

/// Where nothing is stored yet there is nothing to show without Didit: a wrong key or a dead network is
/// said before the screen opens. With work in the store the console opens at once, also off line.
async fn ask_first(parts: &Parts) -> Result<(), CliError> {
    let tally = parts.store.tally(&parts.origin).await?;
    if tally != Tally::default() {
        return Ok(());
    }
    let query = SessionQuery { limit: 1, ..SessionQuery::faces(parts.intake.statuses.clone()) };
    let result = parts.client.sessions(&query).await;
    if result.is_err() {
        parts.store.close().await;
    }
    result.map(|_| ()).map_err(CliError::from)
}

/// Opens the console on the simulated API, with nothing on disk and nothing beyond loopback.
pub async fn demo(args: &Args, cases: u32, seed: u64) -> Result<Exit, CliError> {
    needs_terminal(false)?;
    let setup = Setup::load(args)?;
    let world =
        World::seeded(seed, usize::try_from(cases).unwrap_or(usize::MAX), jiff::Timestamp::now());
    let options = Options { seed, ..Options::default() };
    let sim = Sim::start(world, options).await.map_err(|error| {
        CliError::failed(format!("the simulator cannot listen on loopback: {error}"))
    })?;
    let base = Url::parse(sim.base_url()).map_err(|error| CliError::failed(error.to_string()))?;
    let client = Client::new(didit::Settings::new(base, sim.api_key().to_owned().into()))?;
    let parts = setup.parts(Arc::new(MemoryStore::new()), client, "DEMO").await?;
    let ended = shell::run(parts).await;
    sim.shutdown().await;
    farewell_demo(ended?);
    Ok(Exit::Done)
}

fn needs_terminal(piped: bool) -> Result<(), CliError> {
    if (piped || std::io::stdin().is_terminal()) && std::io::stdout().is_terminal() {
        return Ok(());
    }
    Err(CliError::new(
        Exit::Usage,
        "the console needs a terminal, and standard input or output is none",
        "Run it in a terminal, over SSH with `ssh -t`; scripts use `secondlook queue` and `decide`",
    ))
}

fn farewell(ended: Console) -> Exit {
    if ended.exit == core::Exit::Quit && ended.unsent > 0 {
        say(&format!(
            "{} decision(s) are still held or on their way; `secondlook outbox flush` sends them.",
            ended.unsent
        ));
    }
    Exit::Done
}

fn farewell_demo(ended: Console) {
    if ended.exit == core::Exit::Quit {
        say("That was the demo: nothing was stored and nothing left this machine.");
    }
}
