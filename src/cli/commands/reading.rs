//! What commands work on that only read one's own store: a store, and whose rows in it. No key is needed where the
//! store tells whose they are: it holds one origin, or the reader is proven to be a person of that origin's roster.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::super::error::{CliError, Exit};
use super::super::output::say;
use super::super::wire::Setup;
use super::{Desk, find};
use crate::domain::{DecisionId, HistoryQuery, Origin, QueueRow, ReviewerId, blind};
use crate::roster::Standing;
use crate::shell::{SystemClock, Who};
use crate::store::Store;

/// A store and whose rows in it.
pub struct Reading {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Whose rows.
    pub origin: Origin,
    /// Whether a key said so. Without one, whoever is not proven to be a person counts as one who has read nothing.
    keyed: bool,
}

impl Reading {
    /// The rows of the key, where there is one and no origin was named; else those of the origin that was named, or
    /// of the only one that may be read.
    ///
    /// # Errors
    /// Exit code 4 where that needs a key or a person of the roster; the sentence names the origins.
    pub async fn open(setup: &Setup, named: Option<&str>) -> Result<Self, CliError> {
        if named.is_none() && setup.has_key()? {
            return Ok(Self::of(Desk::open(setup).await?));
        }
        if !is_made(&setup.store_url) {
            return Err(nothing_here());
        }
        let store = setup.open_store().await?;
        let all = store.origins().await?;
        let fit: Vec<&Origin> = match named {
            Some(name) => all.iter().filter(|origin| is_named(origin, name)).collect(),
            None => all.iter().collect(),
        };
        if let (Some(name), true) = (named, fit.is_empty()) {
            let name = crate::domain::printable(name, 64);
            let text = format!("the store holds no origin {name}");
            return Err(CliError::new(Exit::Nothing, text, told(&all)));
        }
        let mut mine = Vec::new();
        for origin in fit {
            if all.len() == 1 || may_read(setup, &store, origin).await? {
                mine.push(origin.clone());
            }
        }
        match mine.len() {
            1 => {
                let origin = mine.swap_remove(0);
                Ok(Self { store, origin, keyed: false })
            }
            0 if all.is_empty() => Err(nothing_here()),
            0 => Err(CliError::new(
                Exit::Auth,
                "the store holds the cases of several applications, and neither a key nor a roster says \
                 which are yours",
                format!(
                    "{}; set DIDIT_API_KEY, or have the key of a person on its roster in your ssh-agent",
                    told(&all)
                ),
            )),
            _ => Err(CliError::new(
                Exit::Usage,
                "the store holds the cases of several applications that you may read",
                told(&mine),
            )),
        }
    }

    /// The rows of a key.
    pub fn of(desk: Desk) -> Self {
        Self { store: desk.store, origin: desk.origin, keyed: true }
    }

    /// Who this run is.
    pub async fn who(&self, setup: &Setup) -> Result<Who, CliError> {
        let who = setup.who(&self.store, &self.origin, &SystemClock::new()).await?;
        if let Some(told) = &who.told {
            say(told);
        }
        Ok(who)
    }

    /// Who reads, as far as blindness goes: nobody where nothing proves it.
    pub async fn reader(&self, setup: &Setup) -> Result<ReviewerId, CliError> {
        let who = self.who(setup).await?;
        Ok(match who.standing {
            Standing::Person { .. } => who.reviewer.id,
            Standing::Alone | Standing::Unproven { .. } if self.keyed => who.reviewer.id,
            Standing::Alone | Standing::Unproven { .. } => ReviewerId("nobody:".to_owned()),
        })
    }

    /// Decisions of which something may be hidden from a reviewer: those in rounds that nothing has ended yet.
    pub async fn hidden(&self, from: &ReviewerId) -> Result<BTreeSet<DecisionId>, CliError> {
        let mut hidden = BTreeSet::new();
        for case in self.store.open_rounds(&self.origin).await? {
            let query = HistoryQuery { case: Some(case), ..HistoryQuery::default() };
            let mut rows = self.store.history(&self.origin, &query).await?.rows;
            hidden.extend(blind(&mut rows, from));
        }
        Ok(hidden)
    }

    /// Finds a case by its session id or its number.
    pub async fn find(&self, name: &str) -> Result<QueueRow, CliError> {
        find(&self.store, &self.origin, name).await
    }
}

fn nothing_here() -> CliError {
    CliError::new(
        Exit::Auth,
        "there is no API key, and the store holds nothing to be read without one",
        "Set DIDIT_API_KEY or DIDIT_API_KEY_FILE; `secondlook demo` needs none",
    )
}

/// Whether a store can be there already: reading makes none.
fn is_made(url: &str) -> bool {
    url.strip_prefix("sqlite:").map_or(url != "memory:", |file| Path::new(file).exists())
}

/// Whether the reader is proven to be a person of this origin's roster, by an agent or by the role of the database.
async fn may_read(
    setup: &Setup,
    store: &Arc<dyn Store>,
    origin: &Origin,
) -> Result<bool, CliError> {
    let who = setup.who(store, origin, &SystemClock::new()).await?;
    Ok(matches!(who.standing, Standing::Person { .. }))
}

/// Whether a name means an origin: all of it, or the short id at its end.
fn is_named(origin: &Origin, name: &str) -> bool {
    origin.0 == name || short(origin) == name.trim_start_matches('#')
}

/// The short id of an origin.
fn short(origin: &Origin) -> &str {
    origin.0.rsplit_once('#').map_or(origin.0.as_str(), |(_, short)| short)
}

/// The origins by host and short id, and what to pass.
fn told(origins: &[Origin]) -> String {
    let one = |origin: &Origin| {
        let base = origin.0.rsplit_once('#').map_or("", |(base, _)| base);
        let host = base.split_once("://").map_or(base, |(_, host)| host);
        format!(
            "{} {}",
            crate::domain::printable(host, 60),
            crate::domain::printable(short(origin), 20)
        )
    };
    let named: Vec<String> = origins.iter().map(one).collect();
    format!("Pass `--origin` and the id of one: {}", named.join(", "))
}
