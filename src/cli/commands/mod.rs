//! One file a command.

mod account;
mod audit;
mod blocklist;
mod config;
mod console;
mod decide;
mod doctor;
mod export;
mod generate;
mod ingest;
mod money;
mod outbox;
mod prompt;
mod queue;
mod reading;
mod replies;
mod reviewers;
mod search;
mod sim;
mod stats;
mod store;
mod sync;
mod verify;
mod webhook;

use std::sync::Arc;

use super::args::{Args, Command};
use super::error::{CliError, Exit};
use super::output::say;
use super::wire::{self, Setup};
use crate::domain::{CaseState, Origin, QueueQuery, QueueRow, SessionId, Start};
use crate::shell::{Signer, SystemClock, Who};
use crate::sim::Scenario;
use crate::store::Store;

/// Does what the arguments ask.
///
/// # Errors
/// A sentence and an exit code.
pub async fn run(args: Args) -> Result<Exit, CliError> {
    match &args.command {
        Some(Command::Demo { cases, seed, .. }) => console::demo(&args, *cases, *seed).await,
        None => console::review(&args, None).await,
        Some(Command::Review { from, .. }) => console::review(&args, from.as_deref()).await,
        Some(Command::Sync { watch }) => sync::sync(&args, *watch).await,
        Some(Command::Verify(wanted)) => verify::verify(&args, wanted).await,
        Some(Command::Balance) => money::balance(&args).await,
        Some(Command::TopUp { dollars, yes }) => money::top_up(&args, dollars, *yes).await,
        Some(Command::Account(what)) => account::account(&args, what).await,
        Some(Command::Search(wanted)) => search::search(&args, wanted).await,
        Some(Command::Ingest { file, set_aside }) => {
            ingest::ingest(&args, file, set_aside.as_deref()).await
        }
        Some(Command::Queue(what)) => queue::queue(&args, what).await,
        Some(Command::Decide { case, disposition, reason, comment, target }) => {
            let wanted = decide::Wanted {
                case: case.clone(),
                verdict: *disposition,
                reason: reason.as_deref().map(decide::reason).transpose()?,
                comment: comment.clone(),
                target: *target,
            };
            decide::decide(&args, wanted).await
        }
        Some(Command::Store(what)) => store::store(&args, what).await,
        Some(Command::Reviewers(what)) => reviewers::reviewers(&args, what).await,
        Some(Command::Policy(what)) => reviewers::policy(&args, what).await,
        Some(Command::Outbox(what)) => outbox::outbox(&args, what).await,
        Some(Command::Audit(what)) => audit::audit(&args, what).await,
        Some(Command::History { limit, of }) => {
            outbox::history(&args, *limit, of.origin.as_deref()).await
        }
        Some(Command::Undo { decision }) => outbox::undo(&args, decision).await,
        Some(Command::Blocklist(what)) => blocklist::blocklist(&args, what).await,
        Some(Command::Webhook(what)) => webhook::webhook(&args, what).await,
        Some(Command::Export { format, of }) => {
            export::export(&args, *format, of.origin.as_deref()).await
        }
        Some(Command::Stats(of)) => stats::stats(&args, of.origin.as_deref()).await,
        Some(Command::Sim { port, media_port, scenario, cases, seed, link_life }) => {
            let options = sim::Wanted {
                port: *port,
                media_port: *media_port,
                scenario: Scenario::from_word(scenario).unwrap_or(Scenario::Calm),
                cases: *cases,
                seed: *seed,
                link_life: *link_life,
            };
            sim::sim(&args, &options).await
        }
        Some(Command::Config(what)) => config::config(&args, what),
        Some(Command::Doctor { card, api, .. }) => doctor::doctor(&args, *card, *api).await,
        Some(Command::Keys { .. }) => generate::keys(&args),
        Some(Command::Completions { shell }) => generate::completions(*shell),
        Some(Command::Man { command, dir: None }) => generate::man(command),
        Some(Command::Man { dir: Some(dir), .. }) => generate::pages(dir),
    }
}

/// Where the audit ended before, and who signs what comes after.
type Signing = Option<(u64, Signer)>;

/// A store and whose rows in it: what the commands for scripts work on.
struct Desk {
    store: Arc<dyn Store>,
    origin: Origin,
    client: crate::didit::Client,
}

impl Desk {
    async fn open(setup: &Setup) -> Result<Self, CliError> {
        let client = setup.client().await?;
        let store = setup.open_store().await?;
        let origin = wire::origin(&store, &client).await?;
        Ok(Self { store, origin, client })
    }

    /// The time as Didit tells it; what is wrong with this computer's is said.
    async fn clock(&self) -> SystemClock {
        let clock = wire::clock(&self.client).await;
        if let Some(trouble) = wire::clock_trouble(&self.client) {
            say(&trouble);
        }
        clock
    }

    /// Who this run is.
    async fn who(&self, setup: &Setup) -> Result<Who, CliError> {
        // This computer's time will do: it decides only whether a certificate holds now.
        let who = setup.who(&self.store, &self.origin, &SystemClock::new()).await?;
        if let Some(told) = &who.told {
            say(told);
        }
        Ok(who)
    }

    /// Begins to sign what this command does, if the reviewer wants that.
    async fn signing(&self, setup: &Setup, who: &Who) -> Result<Signing, CliError> {
        Ok(match setup.signer(&self.store, &self.origin, &who.reviewer.id) {
            Some(signer) => Some((signer.begin().await?, signer)),
            None => None,
        })
    }

    /// Signs what was done since. What stays unsigned is said; it is done all the same.
    async fn sign(&self, signing: Signing) -> Result<(), CliError> {
        let Some((mut last, signer)) = signing else { return Ok(()) };
        if let Some((count, why)) = signer.catch_up(&mut last).await?.unsigned {
            say(&format!("{count} entries of the audit stay unsigned: {why}."));
        }
        Ok(())
    }

    /// Finds a case by its session id or its number.
    async fn find(&self, name: &str) -> Result<QueueRow, CliError> {
        find(&self.store, &self.origin, name).await
    }
}

/// Finds a case by its session id or its number.
async fn find(store: &Arc<dyn Store>, origin: &Origin, name: &str) -> Result<QueueRow, CliError> {
    let name = name.trim_start_matches('#');
    let unknown = || {
        CliError::new(
            Exit::Nothing,
            format!("there is no case {}", crate::domain::printable(name, 64)),
            "See `secondlook queue list`, or bring new ones in with `secondlook sync`",
        )
    };
    let now = wire::now();
    if let Ok(number) = name.parse::<u64>() {
        let query = QueueQuery {
            states: CaseState::ALL.to_vec(),
            filter: name.to_owned(),
            from: Start::Front,
            limit: 1_000,
        };
        let page = store.queue(origin, &query, now).await?;
        let mut found = page.rows.into_iter().filter(|row| row.case.session_number == Some(number));
        return match (found.next(), found.next()) {
            (Some(row), None) => Ok(row),
            (Some(_), Some(_)) => Err(CliError::new(
                Exit::Usage,
                format!("several cases have the number {number}"),
                "Name the case by its session id",
            )),
            (None, _) => Err(unknown()),
        };
    }
    let key = SessionId::parse(name).map_err(|_| unknown())?;
    store.case(origin, &key, now).await?.ok_or_else(unknown)
}
