//! Makes the tables and brings older ones up to date. Migrations are numbered files in
//! `assets/migrations/`, one folder a database; a number once released is never changed.

use super::engine::{Engine, Tx, anew, args};
use crate::store::{Result, StoreError, new_salt};

const SQLITE: &[&str] = &[
    include_str!("../../../assets/migrations/sqlite/0001_queue.sql"),
    include_str!("../../../assets/migrations/sqlite/0002_audit.sql"),
    include_str!("../../../assets/migrations/sqlite/0003_second_reader.sql"),
    include_str!("../../../assets/migrations/sqlite/0004_readings.sql"),
    include_str!("../../../assets/migrations/sqlite/0005_signatures.sql"),
    include_str!("../../../assets/migrations/sqlite/0006_team.sql"),
    include_str!("../../../assets/migrations/sqlite/0007_workflows.sql"),
    include_str!("../../../assets/migrations/sqlite/0008_late_truth.sql"),
    include_str!("../../../assets/migrations/sqlite/0009_roster.sql"),
    include_str!("../../../assets/migrations/sqlite/0010_guards.sql"),
    include_str!("../../../assets/migrations/sqlite/0011_entries_of_cases.sql"),
    include_str!("../../../assets/migrations/sqlite/0012_guards_stand.sql"),
    include_str!("../../../assets/migrations/sqlite/0013_looked.sql"),
    include_str!("../../../assets/migrations/sqlite/0014_origin_in_keys.sql"),
    include_str!("../../../assets/migrations/sqlite/0017_entries_hold.sql"),
    include_str!("../../../assets/migrations/sqlite/0018_decisions_of_a_reviewer.sql"),
    include_str!("../../../assets/migrations/sqlite/0019_figures.sql"),
];
const POSTGRES: &[&str] = &[
    include_str!("../../../assets/migrations/postgres/0001_queue.sql"),
    include_str!("../../../assets/migrations/postgres/0002_audit.sql"),
    include_str!("../../../assets/migrations/postgres/0003_second_reader.sql"),
    include_str!("../../../assets/migrations/postgres/0004_readings.sql"),
    include_str!("../../../assets/migrations/postgres/0005_signatures.sql"),
    include_str!("../../../assets/migrations/postgres/0006_team.sql"),
    include_str!("../../../assets/migrations/postgres/0007_workflows.sql"),
    include_str!("../../../assets/migrations/postgres/0008_late_truth.sql"),
    include_str!("../../../assets/migrations/postgres/0009_roster.sql"),
    include_str!("../../../assets/migrations/postgres/0010_guards.sql"),
    include_str!("../../../assets/migrations/postgres/0011_entries_of_cases.sql"),
    include_str!("../../../assets/migrations/postgres/0012_guards_stand.sql"),
    include_str!("../../../assets/migrations/postgres/0013_looked.sql"),
    include_str!("../../../assets/migrations/postgres/0014_origin_in_keys.sql"),
    include_str!("../../../assets/migrations/postgres/0017_entries_hold.sql"),
    include_str!("../../../assets/migrations/postgres/0018_decisions_of_a_reviewer.sql"),
    include_str!("../../../assets/migrations/postgres/0019_figures.sql"),
];

/// Brings the schema up to date in one transaction; returns the salt of the store, which is drawn
/// when the store is made and never changes.
///
/// # Errors
/// [`StoreError::Newer`] when a later version made it; nothing is written then.
pub async fn prepare(engine: &Engine) -> Result<[u8; 32]> {
    engine.write(anew!(upgrade)).await
}

/// Whether a store was made in a database.
pub async fn is_made(engine: &Engine) -> Result<bool> {
    Ok(engine.read(version).await? > 0)
}

async fn upgrade(tx: &mut Tx) -> Result<[u8; 32]> {
    let migrations = match tx {
        Tx::Sqlite(_) => SQLITE,
        Tx::Postgres(_) => {
            // Two consoles may start at once on an empty database.
            tx.run("SELECT pg_advisory_xact_lock(7310868735422755435)", args![]).await?;
            POSTGRES
        }
    };
    let found = version(tx).await?;
    let known = migrations.len();
    let done = usize::try_from(found).ok().filter(|done| *done <= known);
    let known = i64::try_from(known).unwrap_or(i64::MAX);
    let Some(done) = done else { return Err(StoreError::Newer { found, known }) };
    if found == 0 {
        takes_all_letters(tx).await?;
    }
    if done < migrations.len() {
        tx.at_length().await?;
    }
    for sql in &migrations[done..] {
        tx.script(sql).await?;
    }
    if found == 0 {
        let row = args![known, new_salt()];
        tx.run("INSERT INTO store (one, schema, salt) VALUES (1, $1, $2)", row).await?;
    } else if found < known {
        tx.run("UPDATE store SET schema = $1", args![known]).await?;
    }
    let row = tx.row("SELECT salt FROM store", args![]).await?;
    let salt = row.map(|row| row.bytes("salt")).transpose()?.and_then(|salt| salt.try_into().ok());
    salt.ok_or_else(|| StoreError::Corrupt("the salt is missing".to_owned()))
}

/// Refuses a database that could not hold every comment, before anything is made in it.
async fn takes_all_letters(tx: &mut Tx) -> Result<()> {
    if let Tx::Sqlite(_) = tx {
        return Ok(());
    }
    let row = tx.row("SELECT current_setting('server_encoding') AS encoding", args![]).await?;
    let encoding = row.map_or(Ok(String::new()), |row| row.text("encoding"))?;
    if encoding == "UTF8" {
        return Ok(());
    }
    Err(StoreError::Unfit(format!(
        "the database is in {encoding}, and a store needs UTF8: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE \
         template0"
    )))
}

/// The roles of a team, and who owns the store.
const ROLES: &str = include_str!("../../../assets/roles/postgres.sql");

/// Tells the owner of a server's store from its reviewers; whoever is logged in is the owner from then on.
///
/// # Errors
/// [`StoreError::Other`] for a file, and when the role may make no roles.
pub async fn make_roles(tx: &mut Tx) -> Result<()> {
    match tx {
        Tx::Sqlite(_) => Err(StoreError::Other("a file has no roles".to_owned())),
        Tx::Postgres(_) => tx.script(ROLES).await,
    }
}

/// Refuses to go on when a later version has changed the tables since they were opened: what its rules are
/// is not known here.
///
/// # Errors
/// [`StoreError::Newer`].
pub async fn still_known(tx: &mut Tx) -> Result<()> {
    let known = i64::try_from(SQLITE.len()).unwrap_or(i64::MAX);
    let row = tx.row("SELECT schema FROM store", args![]).await?;
    match row.map(|row| row.int("schema")).transpose()?.unwrap_or_default() {
        found if found > known => Err(StoreError::Newer { found, known }),
        _ => Ok(()),
    }
}

/// The number of the newest migration that was run; 0 for an empty database.
async fn version(tx: &mut Tx) -> Result<i64> {
    let sql = match tx {
        Tx::Sqlite(_) => "SELECT count(*) AS n FROM sqlite_master WHERE name = 'store'",
        Tx::Postgres(_) => {
            "SELECT count(*) AS n FROM pg_tables \
             WHERE tablename = 'store' AND schemaname = current_schema()"
        }
    };
    let there = tx.row(sql, args![]).await?.map(|row| row.int("n")).transpose()?;
    if there.is_none_or(|n| n == 0) {
        return Ok(0);
    }
    let row = tx.row("SELECT schema FROM store", args![]).await?;
    row.map(|row| row.int("schema")).transpose().map(Option::unwrap_or_default)
}
