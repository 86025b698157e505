//! Carries a store over into another, whichever databases they are: all of it in one transaction, so that
//! what breaks off leaves an empty store behind.
//!
//! Tables and columns are read from the databases themselves, so that none is forgotten. Not carried is
//! what belongs to running consoles: leases, claims, who looks on, who is on duty, calls of the last minute.

use std::collections::BTreeSet;

use futures_util::{Stream, StreamExt as _, TryStreamExt as _};

use super::engine::{Arg, Row, Tx, args, failure, within};
use super::rows;
use crate::domain::{DeliveryState, Millis, Origin};
use crate::roster::{Roster, Scope};
use crate::store::{Copied, Result, StoreError};

/// Rows written with one statement: with the most columns of any table, far below both databases' limits of
/// values.
const AT_ONCE: usize = 200;
/// Others refer to these: they come first, in this order.
const FIRST: [&str; 3] = ["origins", "cases", "decisions"];
/// What stays behind: the new store has its own or makes it of what arrives, or nobody needs it.
const LEFT: [&str; 6] = ["store", "watchers", "duties", "budgets", "scores", "figures"];
/// Columns of leases and claims: nobody has anything in the new store.
const ENDED: [&str; 6] =
    ["lease_worker", "lease_reviewer", "lease_name", "lease_until", "claim_worker", "claim_until"];

/// A table and its columns.
struct Table {
    name: String,
    columns: Vec<Column>,
}

struct Column {
    name: String,
    is_text: bool,
    /// The database counts it up by itself.
    counts: bool,
}

/// Copies everything from one state of a store into one that holds nothing yet, and compares both at
/// the end.
pub async fn copy(from: &mut Tx, to: &mut Tx, salt: [u8; 32]) -> Result<Copied> {
    if count(to, "origins").await? > 0 {
        return Err(StoreError::NotEmpty);
    }
    if let Tx::Postgres(_) = from {
        // A table is one statement here, as long as it takes.
        from.script("SET LOCAL statement_timeout = 0").await?;
    }
    let tables = tables(to).await?;
    for table in &tables {
        carry(from, to, table).await?;
    }
    to.run("UPDATE store SET salt = $1", args![salt]).await?;
    for table in &tables {
        let (here, there) = (count(from, &table.name).await?, count(to, &table.name).await?);
        if here != there {
            let why = format!("of {here} rows in {} {there} arrived", table.name);
            return Err(StoreError::Other(why));
        }
    }
    heads_agree(from, to).await?;
    rosters_agree(from, to, &salt).await?;
    Ok(Copied {
        cases: count(to, "cases").await?,
        decisions: count(to, "decisions").await?,
        audit: count(to, "audit").await?,
    })
}

async fn carry(from: &mut Tx, to: &mut Tx, table: &Table) -> Result<()> {
    let names: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let names = names.join(", ");
    let select = format!("SELECT {names} FROM {}", table.name);
    let width = table.columns.len();
    from.in_batches(select, AT_ONCE, async |batch: Vec<Row>| {
        let mut values = Vec::with_capacity(batch.len() * width);
        for row in &batch {
            for column in &table.columns {
                values.push(value(row, table, column)?);
            }
        }
        let places = |row: usize| {
            let places = (1..=width).map(|column| format!("${}", row * width + column));
            format!("({})", places.collect::<Vec<_>>().join(", "))
        };
        let places: Vec<_> = (0..batch.len()).map(places).collect();
        let own = match to {
            Tx::Postgres(_) if table.columns.iter().any(|column| column.counts) => {
                " OVERRIDING SYSTEM VALUE"
            }
            _ => "",
        };
        let insert =
            format!("INSERT INTO {} ({names}){own} VALUES {}", table.name, places.join(", "));
        to.run(insert, values).await.map(drop)
    })
    .await?;
    if let Tx::Postgres(_) = to {
        // What comes next is counted on from what was carried.
        for Column { name, .. } in table.columns.iter().filter(|column| column.counts) {
            let table = &table.name;
            let sql = format!(
                "SELECT setval(pg_get_serial_sequence('{table}', '{name}'), \
                 coalesce((SELECT max({name}) FROM {table}), 0) + 1, false)"
            );
            to.run(sql, args![]).await?;
        }
    }
    Ok(())
}

/// A value as it arrives: as it was, but for what ends with the consoles of the old store.
fn value(row: &Row, table: &Table, column: &Column) -> Result<Arg> {
    let name = column.name.as_str();
    if ENDED.contains(&name) {
        return Ok(if column.is_text { Arg::Text(None) } else { Arg::Int(None) });
    }
    if !column.is_text {
        return Ok(Arg::Int(row.maybe_int(name)?));
    }
    let text = row.maybe_text(name)?;
    // Its claim is not carried: whoever comes next reads back first.
    let sending = DeliveryState::Sending.word();
    if table.name == "decisions" && name == "state" && text.as_deref() == Some(sending) {
        return Ok(Arg::from(DeliveryState::Unknown.word()));
    }
    Ok(Arg::Text(text))
}

/// Every table that is carried, those first that others refer to.
async fn tables(tx: &mut Tx) -> Result<Vec<Table>> {
    let sql = match tx {
        Tx::Sqlite(_) => {
            "SELECT m.name AS of, t.name AS name, t.type = 'TEXT' AS is_text, 0 AS counts \
             FROM sqlite_master m, pragma_table_info(m.name) t \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' ORDER BY m.name, t.cid"
        }
        Tx::Postgres(_) => {
            "SELECT table_name::text AS of, column_name::text AS name, \
             (data_type = 'text')::int::bigint AS is_text, \
             (is_identity = 'YES')::int::bigint AS counts \
             FROM information_schema.columns c WHERE table_schema = current_schema() \
             AND NOT EXISTS (SELECT 1 FROM pg_class p WHERE p.relname = c.table_name \
             AND p.relnamespace = current_schema()::regnamespace AND p.relispartition) \
             ORDER BY table_name, ordinal_position"
        }
    };
    let mut tables: Vec<Table> = Vec::new();
    for row in tx.rows(sql, args![]).await? {
        let of = row.text("of")?;
        if LEFT.contains(&of.as_str()) || (of == "origins" && row.text("name")? == "news") {
            continue;
        }
        let column = Column {
            name: row.text("name")?,
            is_text: row.int("is_text")? != 0,
            counts: row.int("counts")? != 0,
        };
        match tables.last_mut().filter(|table| table.name == of) {
            Some(table) => table.columns.push(column),
            None => tables.push(Table { name: of, columns: vec![column] }),
        }
    }
    let rank = |table: &Table| FIRST.iter().position(|first| *first == table.name);
    tables.sort_by_key(|table| rank(table).unwrap_or(FIRST.len()));
    Ok(tables)
}

async fn count(tx: &mut Tx, table: &str) -> Result<u64> {
    let found = tx.row(format!("SELECT count(*) AS n FROM {table}"), args![]).await?;
    let count = found.map(|row| row.int("n")).transpose()?.unwrap_or_default();
    Ok(u64::try_from(count).unwrap_or_default())
}

/// The audit of every origin ends here as it does there, with the same hash.
async fn heads_agree(from: &mut Tx, to: &mut Tx) -> Result<()> {
    for name in origins(from).await? {
        let here = rows::audit_head(from, &name, false).await?;
        let there = rows::audit_head(to, &name, false).await?;
        if here != there {
            return Err(StoreError::Other("the audit does not end as it did".to_owned()));
        }
    }
    Ok(())
}

/// Whoever is on the roster here is on it there. What a database's owner did without a signature counts where the
/// database tells that owner from reviewers, and nowhere else.
async fn rosters_agree(from: &mut Tx, to: &mut Tx, salt: &[u8; 32]) -> Result<()> {
    for name in origins(from).await? {
        let scope = Scope::of(salt, &name);
        let here = Roster::of(&scope, &rows::acts(from, &name).await?);
        let there = Roster::of(&scope, &rows::acts(to, &name).await?);
        if here != there {
            return Err(StoreError::Kept(
                "its roster would be another one in the new store: what its owner did to it without a signature \
                 counts on a server that tells an owner from reviewers only. Make the new store there by \
                 `secondlook store init --roles`, as the role that copies"
                    .to_owned(),
            ));
        }
    }
    Ok(())
}

/// Every origin of a store.
pub async fn origins(tx: &mut Tx) -> Result<Vec<Origin>> {
    let found = tx.rows("SELECT name FROM origins ORDER BY id", args![]).await?;
    found.iter().map(|row| row.text("name").map(Origin)).collect()
}

/// How many consoles are at work in a store.
pub async fn at_work(tx: &mut Tx, now: Millis) -> Result<u64> {
    Ok(u64::try_from(workers(tx, now).await?.len()).unwrap_or(u64::MAX))
}

/// Those consoles, of every origin.
pub async fn workers(tx: &mut Tx, now: Millis) -> Result<BTreeSet<String>> {
    let mut workers = BTreeSet::new();
    for origin in origins(tx).await? {
        let found = tx.rows(super::statements::WORKERS, args![&origin, now]).await?;
        workers.extend(found.iter().filter_map(|row| row.text("worker").ok()));
    }
    Ok(workers)
}

/// Gives an origin another name. One of that name that is there already has to be without decisions and a roster:
/// its cases are Didit's, and come again.
pub async fn rename(tx: &mut Tx, from: &Origin, to: &Origin) -> Result<bool> {
    let decided = tx
        .row(
            "SELECT (SELECT count(*) FROM decisions d WHERE d.origin = o.id) \
             + (SELECT count(*) FROM acts a WHERE a.origin = o.id) AS n FROM origins o WHERE o.name = $1",
            args![to],
        )
        .await?;
    if decided.map(|row| row.int("n")).transpose()?.unwrap_or_default() > 0 {
        return Err(StoreError::NotEmpty);
    }
    for table in [
        "watchers",
        "duties",
        "budgets",
        "tallies",
        "passed_over",
        "listings",
        "cases",
        "scores",
        "audit_heads",
    ] {
        let sql = format!(
            "DELETE FROM {table} WHERE origin = (SELECT o.id FROM origins o WHERE o.name = $1)"
        );
        tx.run(sql, args![to]).await?;
    }
    tx.run("DELETE FROM origins WHERE name = $1", args![to]).await?;
    let renamed = tx.run("UPDATE origins SET name = $2 WHERE name = $1", args![from, to]).await?;
    Ok(renamed > 0)
}

/// Hands over what a stream brings, so many rows at a time.
pub async fn in_batches(
    rows: impl Stream<Item = sqlx::Result<Row>> + Unpin,
    most: usize,
    mut take: impl AsyncFnMut(Vec<Row>) -> Result<()>,
) -> Result<()> {
    let mut batches = rows.map_err(failure).try_chunks(most);
    while let Some(batch) = within(async { Ok(batches.next().await) }).await? {
        take(batch.map_err(|broken| broken.1)?).await?;
    }
    Ok(())
}
