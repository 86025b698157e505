//! `sim`: the simulated API alone.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::super::args::Args;
use super::super::error::{CliError, Exit};
use super::super::output::{json, line, say};
use super::sync::stop_on_signals;
use crate::sim::{Options, Scenario, Sim, World};

/// What was asked.
pub struct Wanted {
    /// Port of the API.
    pub port: Option<u16>,
    /// Port of the pictures.
    pub media_port: Option<u16>,
    /// The kind of day.
    pub scenario: Scenario,
    /// Flagged cases, where it is not the scenario's number.
    pub cases: Option<u32>,
    /// The world's seed.
    pub seed: u64,
    /// Life of a link in seconds, where it is not the scenario's.
    pub link_life: Option<u64>,
}

/// Runs until stopped.
pub async fn sim(args: &Args, wanted: &Wanted) -> Result<Exit, CliError> {
    let scenario = wanted.scenario;
    let cases = wanted.cases.unwrap_or(scenario.cases());
    let cases = usize::try_from(cases).unwrap_or(usize::MAX);
    let world = World::seeded(wanted.seed, cases, jiff::Timestamp::now());
    let mut options = Options {
        port: wanted.port,
        media_port: wanted.media_port,
        seed: wanted.seed,
        ..Options::default()
    };
    scenario.set_options(&mut options);
    if let Some(seconds) = wanted.link_life {
        options.link_life = Duration::from_secs(seconds.max(1));
    }
    let sim = Sim::start(world, options).await.map_err(|error| {
        CliError::new(
            Exit::Failed,
            format!("the simulator cannot listen on 127.0.0.1: {error}"),
            "Choose another --port or --media-port",
        )
    })?;
    scenario.turn(&sim.knobs());
    let stop = CancellationToken::new();
    stop_on_signals(&stop)?;
    if args.json {
        json(&serde_json::json!({
            "base_url": sim.base_url(), "auth_url": sim.auth_url(), "api_key": sim.api_key(),
        }))?;
    } else {
        // A key of the simulator opens nothing else, so it may be printed.
        line(&format!("export DIDIT_BASE_URL={}", sim.base_url()))?;
        line(&format!("export DIDIT_AUTH_URL={}", sim.auth_url()))?;
        line(&format!("export DIDIT_API_KEY={}", sim.api_key()))?;
        say("The simulator listens on loopback; Ctrl-C ends it.");
    }
    stop.cancelled().await;
    sim.shutdown().await;
    Ok(Exit::Done)
}
