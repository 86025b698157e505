//! The store in a database, SQLite or PostgreSQL: every verb is one transaction that loads rows,
//! asks their rules ([`crate::store::row`]) and saves them. The statements are the same text for
//! both; what differs is in `engine`.

mod cases;
mod copy;
mod decisions;
mod deliveries;
mod engine;
mod figures;
mod leases;
mod looked;
mod news;
mod partitions;
mod postgres;
mod rows;
mod schema;
mod sqlite;
mod statements;
mod team;
mod testimony;
mod unreadable;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use self::engine::{Arg, Engine, Tries, anew, args};
use super::{News, QueueQuery, Result, Store, StoreError};
use crate::domain::{Millis, Origin};
use crate::roster::Scope;

/// A store in a database.
pub struct SqlStore {
    engine: Engine,
    place: String,
    salt: [u8; 32],
    /// Decisions, by their numbers, that cannot be read and cannot be ended either: told once, and passed over.
    passed: Mutex<BTreeMap<String, BTreeSet<i64>>>,
}

/// Which database an address names.
enum Address<'a> {
    File(&'a Path),
    Server(&'a str),
}

impl<'a> Address<'a> {
    fn of(url: &'a str) -> Result<Self> {
        if let Some(path) = url.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
            return Ok(Self::File(Path::new(path)));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Server(url));
        }
        Err(StoreError::BadUrl)
    }
}

/// How soon a file that is held by another process is tried again.
const AGAIN: Duration = Duration::from_millis(25);
/// How many keys one statement of `touch` asks about.
const AT_ONCE: usize = 256;

impl SqlStore {
    /// Opens a SQLite file, or makes it (mode 0600, its folder 0700).
    ///
    /// # Errors
    /// [`StoreError::Permissions`] when others may read the file, [`StoreError::NotAStore`] when it
    /// is something else, [`StoreError::Newer`] when a later version made it; the file is as it was.
    /// [`StoreError::Busy`] when another process holds it for longer than ten seconds.
    pub async fn sqlite(path: &Path) -> Result<Self> {
        // The first and the last connection to a file hold all of it for a moment, and SQLite does
        // not wait for that by itself. What is under way at the end of the patience, a change of the
        // tables perhaps, is not cut short.
        let late = AtomicBool::new(false);
        let patient = async {
            loop {
                match Self::file(path).await {
                    Err(StoreError::Busy(_)) if !late.load(Ordering::Relaxed) => {
                        tokio::time::sleep(AGAIN).await;
                    }
                    Err(StoreError::Busy(_)) => {
                        return Err(StoreError::Busy("another process holds the file".to_owned()));
                    }
                    done => return done,
                }
            }
        };
        let patience = async {
            tokio::time::sleep(engine::LOCK * 2).await;
            late.store(true, Ordering::Relaxed);
            std::future::pending().await
        };
        tokio::select! { done = patient => done, never = patience => never }
    }

    /// Opens the database at an address, or makes it.
    ///
    /// # Errors
    /// As [`SqlStore::sqlite`] and [`SqlStore::postgres`].
    pub async fn at(url: &str) -> Result<Self> {
        match Address::of(url)? {
            Address::File(path) => Self::sqlite(path).await,
            Address::Server(url) => Self::postgres(url).await,
        }
    }

    /// Opens the database at an address where a store has to be.
    ///
    /// # Errors
    /// [`StoreError::NotAStore`] when there is none; nothing is made then.
    pub async fn there(url: &str) -> Result<Self> {
        let nothing = |place: String| StoreError::NotAStore {
            path: place,
            why: "there is nothing".to_owned(),
        };
        match Address::of(url)? {
            Address::File(path) if path.exists() => Self::sqlite(path).await,
            Address::File(path) => Err(nothing(path.display().to_string())),
            Address::Server(url) => {
                let (engine, place) = postgres::connect(url).await?;
                match schema::is_made(&engine).await {
                    Ok(true) => Self::ready(engine, place).await,
                    made => {
                        engine.close().await;
                        Err(made.err().unwrap_or_else(|| nothing(place)))
                    }
                }
            }
        }
    }

    /// Tells the owner of the store from its reviewers; see [`crate::store::make_roles`].
    pub(super) async fn make_roles(&self) -> Result<()> {
        self.engine.write(anew!(schema::make_roles)).await
    }

    /// Parts the tables by origin; see [`crate::store::make_partitions`].
    pub(super) async fn make_partitions(
        &self,
        now: Millis,
        told: &(dyn Fn(&str, u64) + Send + Sync),
    ) -> Result<()> {
        self.engine.write(anew!(async |tx| partitions::make(tx, now, told).await)).await
    }

    /// Carries everything over; see [`crate::store::copy`].
    pub(super) async fn copy_into(&self, to: &Self, now: Millis) -> Result<super::Copied> {
        let mut tries = Tries::begin();
        loop {
            let copied = self.engine.read(async |from| {
                let at_work = copy::at_work(from, now).await?;
                if at_work > 0 {
                    return Err(StoreError::InUse(at_work));
                }
                to.engine.write_once(async |to| copy::copy(from, to, self.salt).await).await
            });
            match copied.await {
                Err(StoreError::Collision) if tries.again().await => {}
                copied => return copied,
            }
        }
    }

    async fn file(path: &Path) -> Result<Self> {
        Self::ready(sqlite::open(path).await?, format!("sqlite:{}", path.display())).await
    }

    /// Connects to a PostgreSQL database and makes the tables when they are not there.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`] when `url` is none, [`StoreError::Busy`] when the server does not
    /// answer in time, [`StoreError::Newer`] when a later version made the tables.
    pub async fn postgres(url: &str) -> Result<Self> {
        let (engine, place) = postgres::connect(url).await?;
        Self::ready(engine, place).await
    }

    async fn ready(engine: Engine, place: String) -> Result<Self> {
        match schema::prepare(&engine).await {
            Ok(salt) => Ok(Self { engine, place, salt, passed: Mutex::default() }),
            Err(error) => {
                engine.close().await;
                Err(error)
            }
        }
    }

    /// What signatures in this store hold for.
    fn scope(&self, origin: &Origin) -> Scope {
        Scope::of(&self.salt, origin)
    }

    /// The decisions of an origin that are passed over.
    fn passed(&self, origin: &Origin) -> BTreeSet<i64> {
        let passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        passed.get(&origin.0).cloned().unwrap_or_default()
    }

    fn pass_over(&self, origin: &Origin, seq: i64) {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        passed.entry(origin.0.clone()).or_default().insert(seq);
    }
}

/// The filter is the last value, where there is one.
fn with_filter(mut args: Vec<Arg>, query: &QueueQuery) -> Vec<Arg> {
    if !query.filter.is_empty() {
        args.push(Arg::from(query.filter.as_str()));
    }
    args
}

#[async_trait]
impl Store for SqlStore {
    fn describe(&self) -> String {
        self.place.clone()
    }

    async fn salt(&self) -> Result<[u8; 32]> {
        Ok(self.salt)
    }

    async fn keeps(&self) -> Result<()> {
        // Both databases write a row anew that is set to what it is.
        let sql = "UPDATE store SET schema = schema";
        self.engine.write(anew!(async |tx| tx.run(sql, args![]).await)).await.map(drop)
    }

    async fn origins(&self) -> Result<Vec<Origin>> {
        self.engine.read(async |tx| copy::origins(tx).await).await
    }

    async fn rebind(&self, from: &Origin, to: &Origin, now: Millis) -> Result<bool> {
        self.engine
            .write(anew!(async |tx| {
                let at_work = copy::at_work(tx, now).await?;
                if at_work > 0 {
                    return Err(StoreError::InUse(at_work));
                }
                copy::rename(tx, from, to).await
            }))
            .await
    }

    fn news(&self, origin: &Origin) -> Box<dyn News> {
        match &self.engine {
            Engine::Sqlite { readers, path, .. } => {
                Box::new(news::FromFile::new(readers.clone(), path, origin))
            }
            Engine::Postgres { servers, .. } => {
                Box::new(news::FromServer::new(servers.clone(), origin))
            }
        }
    }

    async fn close(&self) {
        self.engine.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Case, CaseState, SessionId, Status, SubjectKind};
    use crate::store::{Admitted, Cases as _};

    fn origin() -> Origin {
        Origin("https://example.test#1".to_owned())
    }

    fn case(n: u32) -> Case {
        Case {
            key: SessionId::parse(&format!("case-{n}")).unwrap(),
            session_number: None,
            kind: SubjectKind::Workflow,
            status: Status::Other("long enough to fill pages ".repeat(40)),
            created_at: None,
            candidates: Vec::new(),
            set_aside: 0,
            total_matches: None,
        }
    }

    async fn admit(store: &SqlStore, n: u32) -> Result<Admitted> {
        store.admit(&origin(), &case(n), CaseState::Open, Millis(1), Millis(1)).await
    }

    async fn sqlite(folder: &tempfile::TempDir) -> SqlStore {
        SqlStore::sqlite(&folder.path().join("queue.db")).await.unwrap()
    }

    #[tokio::test]
    async fn a_full_disk_is_told_and_leaves_nothing_half_written() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = sqlite(&folder).await;
        let Engine::Sqlite { writer, .. } = &store.engine else { unreachable!() };
        let pages = |n: u32| sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {n}"));
        sqlx::raw_sql(pages(40)).execute(writer).await.unwrap();
        let mut kept = 0;
        let error = loop {
            match admit(&store, kept).await {
                Ok(admitted) => assert_eq!(admitted, Admitted::New),
                Err(error) => break error,
            }
            kept += 1;
        };
        assert!(matches!(error, StoreError::Full), "{error:?}");
        assert!(kept > 0);
        assert_eq!(store.tally(&origin()).await.unwrap().open, u64::from(kept));
        sqlx::raw_sql(pages(4000)).execute(writer).await.unwrap();
        assert_eq!(admit(&store, kept).await.unwrap(), Admitted::New, "room again");
    }

    #[tokio::test]
    async fn a_damaged_row_is_told_without_its_words() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = sqlite(&folder).await;
        admit(&store, 1).await.unwrap();
        for damage in [
            "UPDATE cases SET record = replace(record, '\"workflow\"', '\"canary\"')",
            "UPDATE cases SET state = 'canary'",
        ] {
            store.engine.write(anew!(async |tx| tx.run(damage, args![]).await)).await.unwrap();
        }
        let key = case(1).key;
        let error = store.case(&origin(), &key, Millis(1)).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
        assert!(!error.to_string().contains("canary"), "{error}");
        let error = admit(&store, 1).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    }

    #[tokio::test]
    async fn the_file_is_written_the_careful_way() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = sqlite(&folder).await;
        let Engine::Sqlite { writer, readers, .. } = &store.engine else { unreachable!() };
        for (pragma, value) in [
            ("synchronous", 2),
            ("foreign_keys", 1),
            ("secure_delete", 1),
            ("busy_timeout", 5000),
            ("temp_store", 2),
        ] {
            let sql = sqlx::AssertSqlSafe(format!("PRAGMA {pragma}"));
            let found: i64 = sqlx::query_scalar(sql).fetch_one(writer).await.unwrap();
            assert_eq!(found, value, "{pragma}");
        }
        let mode: String =
            sqlx::query_scalar("PRAGMA journal_mode").fetch_one(writer).await.unwrap();
        assert_eq!(mode, "wal");
        assert_eq!(writer.options().get_max_connections(), 1);
        let write = sqlx::raw_sql("DELETE FROM cases").execute(readers).await;
        assert!(write.is_err(), "a reader cannot write");
    }

    #[tokio::test]
    async fn another_writer_is_waited_for_and_then_told() {
        let folder = tempfile::TempDir::new().unwrap();
        let (one, other) = (sqlite(&folder).await, sqlite(&folder).await);
        let error = one.engine.write(anew!(async |_| admit(&other, 1).await)).await.unwrap_err();
        assert!(matches!(error, StoreError::Busy(_)), "{error:?}");
        assert_eq!(admit(&other, 1).await.unwrap(), Admitted::New);
    }
}
