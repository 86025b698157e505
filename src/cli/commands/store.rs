//! `store init`, `status`, `copy` and `rebind`: the store as a whole.

use serde::Serialize;

use super::super::args::{Args, StoreAct as What};
use super::super::error::{CliError, Exit};
use super::super::output::{json, line, say, table};
use super::super::wire::{self, Setup};
use crate::didit::{Client, ErrorKind};
use crate::domain::{CaseState, Origin, QueueQuery, QueueRow, Start, SubjectKind};
use crate::store::{self, Store};

/// How many stored cases a new key is tried on: some may have been deleted at Didit meanwhile.
const TRIED: u32 = 5;

/// Whose rows a store holds, as JSON. The names are part of the contract with scripts.
#[derive(Serialize)]
struct Held {
    origin: String,
    open: u64,
    escalated: u64,
    strong_only: u64,
    departed: u64,
    decided: u64,
    audit: Option<u64>,
}

/// Does what is asked.
pub async fn store(args: &Args, what: &What) -> Result<Exit, CliError> {
    match what {
        What::Init { roles, partitions } => init(args, *roles, *partitions).await,
        What::Status => status(args).await,
        What::Copy { from, to } => copy(args, from, to).await,
        What::Rebind { from } => rebind(args, from.as_deref()).await,
    }
}

async fn init(args: &Args, roles: bool, partitions: bool) -> Result<Exit, CliError> {
    let setup = Setup::load(args)?;
    if (roles || partitions) && !setup.store_url.starts_with("postgres") {
        let what = if roles {
            "only a PostgreSQL server tells an owner from reviewers"
        } else {
            "only a PostgreSQL server parts its tables"
        };
        let next = "Name one by --store or SECONDLOOK_STORE; nothing was changed";
        return Err(CliError::new(Exit::Usage, what, next));
    }
    if partitions {
        let told = |table: &str, moved: u64| say(&format!("{table}: {moved} row(s) moved"));
        store::make_partitions(&setup.store_url, wire::now(), told).await?;
    }
    if roles {
        store::make_roles(&setup.store_url).await?;
        say(
            "Now `GRANT secondlook_reviewer TO …` each reviewer's own role, and `secondlook reviewers \
             add PERSON --role ROLE --key FILE` as this owner.",
        );
    }
    let store = setup.open_store().await?;
    let place = store.describe();
    store.close().await;
    if args.json {
        json(&serde_json::json!({ "store": place }))?;
    } else {
        line(&format!("{place} is ready"))?;
    }
    Ok(Exit::Done)
}

async fn status(args: &Args) -> Result<Exit, CliError> {
    let store = Setup::load(args)?.open_store().await?;
    let told = tell(args, store.as_ref()).await;
    store.close().await;
    told.map(|()| Exit::Done)
}

async fn tell(args: &Args, store: &dyn Store) -> Result<(), CliError> {
    let at_work = store.workers(wire::now()).await?.len();
    let mut held = Vec::new();
    for origin in store.origins().await? {
        let tally = store.tally(&origin).await?;
        held.push(Held {
            open: tally.open,
            escalated: tally.escalated,
            strong_only: tally.left,
            departed: tally.departed,
            decided: tally.decided,
            audit: match store.audit_head(&origin).await {
                Ok(head) => Some(head.seq),
                // Whoever keeps the store looks at this to see what is the matter.
                Err(store::StoreError::AuditEnd(_)) => None,
                Err(error) => return Err(error.into()),
            },
            origin: origin.0,
        });
    }
    if args.json {
        let place = store.describe();
        json(&serde_json::json!({ "store": place, "consoles": at_work, "origins": held }))?;
        return Ok(());
    }
    line(&format!("{}, {at_work} console(s) at work", store.describe()))?;
    let cells = held.into_iter().map(|h| {
        let counts = [h.open, h.escalated, h.strong_only, h.departed, h.decided];
        let audit = h.audit.map_or_else(|| "no end".to_owned(), |n| n.to_string());
        let counts = counts.map(|n| n.to_string()).into_iter();
        std::iter::once(h.origin).chain(counts).chain([audit]).collect()
    });
    let head = ["origin", "open", "escalated", "strong only", "departed", "decided", "audit"];
    table(&head, &cells.collect::<Vec<_>>())?;
    Ok(())
}

async fn copy(args: &Args, from: &str, to: &str) -> Result<Exit, CliError> {
    let copied = store::copy(from, to, wire::now()).await?;
    if args.json {
        json(&serde_json::json!({
            "cases": copied.cases,
            "decisions": copied.decisions,
            "audit": copied.audit,
        }))?;
    } else {
        line(&format!(
            "carried {} case(s), {} decision(s) and {} audit entries; counted and compared",
            copied.cases, copied.decisions, copied.audit
        ))?;
    }
    say(
        "Now set store.url or SECONDLOOK_STORE to the new store for everybody; keep the old one aside.",
    );
    Ok(Exit::Done)
}

async fn rebind(args: &Args, from: Option<&str>) -> Result<Exit, CliError> {
    let setup = Setup::load(args)?;
    let client = setup.client().await?;
    let store = setup.open_store().await?;
    let done = rebind_in(args, store.as_ref(), &client, from).await;
    store.close().await;
    done
}

async fn rebind_in(
    args: &Args,
    store: &dyn Store,
    client: &Client,
    from: Option<&str>,
) -> Result<Exit, CliError> {
    let to = client.origin(&store.salt().await?);
    let from = old_origin(store, &to, from).await?;
    let read = readable(store, client, &from).await?;
    say(&format!("{} can be read with this key.", read.case.name()));
    store.rebind(&from, &to, wire::now()).await.map_err(|error| match error {
        store::StoreError::NotEmpty => CliError::from(error).reworded(
            "decisions were made, or a roster was begun, with the new key already, so the old rows cannot be given to it",
            "Send what the old key holds with `secondlook outbox flush` under that key; nothing was changed",
        ),
        error => error.into(),
    })?;
    let tally = store.tally(&to).await?;
    let cases = tally.open + tally.escalated + tally.left + tally.departed + tally.decided;
    if args.json {
        let word = |origin: &Origin| origin.0.clone();
        json(&serde_json::json!({ "from": word(&from), "to": word(&to), "cases": cases }))?;
    } else {
        line(&format!("{cases} case(s) and their decisions belong to this key now"))?;
    }
    Ok(Exit::Done)
}

/// The rows of the same API under another key.
async fn old_origin(
    store: &dyn Store,
    to: &Origin,
    from: Option<&str>,
) -> Result<Origin, CliError> {
    let base = |origin: &Origin| origin.0.rsplit_once('#').map(|(base, _)| base.to_owned());
    let mut others = store.origins().await?;
    others.retain(|origin| {
        let named = from.is_none_or(|from| origin.0.ends_with(&format!("#{from}")));
        origin != to && base(origin) == base(to) && named
    });
    match others.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(CliError::new(
            Exit::Nothing,
            "the store holds no rows of another key for this API",
            "`secondlook store status` shows whose rows there are",
        )),
        _ => Err(CliError::new(
            Exit::Usage,
            "the store holds rows of several other keys",
            "Name one with --from; `secondlook store status` shows what stands behind the #",
        )),
    }
}

/// A stored case that this key can read: then it is a key of the same application.
async fn readable(store: &dyn Store, client: &Client, from: &Origin) -> Result<QueueRow, CliError> {
    let states = [CaseState::Open, CaseState::Escalated, CaseState::Left, CaseState::Decided];
    for state in states {
        let states = vec![state];
        let query = QueueQuery { states, filter: String::new(), from: Start::Front, limit: TRIED };
        for row in store.queue(from, &query, wire::now()).await?.rows {
            if row.case.kind == SubjectKind::Unreachable {
                continue;
            }
            match client.decision(&row.case.key, row.case.kind).await {
                Ok(_) => return Ok(row),
                Err(error) if error.kind == ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Err(CliError::new(
        Exit::Auth,
        "no stored case can be read with this key, so it is another application's",
        "Use a key of the application the store was filled from; nothing was changed",
    ))
}
