//! The little that both databases have to do for the verbs: begin, run, fetch, commit. Statements
//! are written once, with `$1` placeholders and three types (whole number, text, bytes); what
//! differs stands here. Knows no case and no decision.
//!
//! Every wait ends: connections, locks and answers each have a deadline.

use std::borrow::Cow;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use sqlx::sqlite::SqliteError;
use sqlx::{
    AssertSqlSafe, PgPool, Postgres, Row as _, Sqlite, SqlitePool, Transaction, ValueRef as _,
};
use tokio::time::Sleep;

use super::postgres::Servers;
use crate::domain::{DecisionId, Millis, Origin, ReviewerId, SessionId, WorkerId, printable};
use crate::store::{Result, StoreError};

/// How long a connection is waited for.
pub const CONNECT: Duration = Duration::from_secs(5);
/// How long a lock is waited for.
pub const LOCK: Duration = Duration::from_secs(5);
/// How long an answer is waited for.
pub const ANSWER: Duration = Duration::from_secs(20);
/// How long a change of the tables may take, which moves every row there is.
const CHANGE: Duration = Duration::from_secs(2 * 60 * 60);
/// What such a change asks of a server: as long as it takes, and no longer than there is somebody who wants it.
const AT_LENGTH: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '60s'; \
    SET LOCAL client_connection_check_interval = '1s'";

/// A database.
pub enum Engine {
    /// One file. All writing goes through one connection, so that nobody here waits on a lock.
    Sqlite {
        /// A pool of one.
        writer: SqlitePool,
        /// Those that only read.
        readers: SqlitePool,
        /// The file.
        path: PathBuf,
    },
    /// A server.
    Postgres {
        /// Connections to it.
        pool: PgPool,
        /// How it is reached, and which others may take its place.
        servers: Arc<Servers>,
    },
}

/// How often a transaction is tried that collides with others.
const TRIES: u32 = 8;
/// The longest pause before the second try; before each later one it is twice as long.
const PAUSE: Duration = Duration::from_millis(10);

/// How often something was tried, and for how long it may be.
pub struct Tries {
    made: u32,
    over: Pin<Box<Sleep>>,
}

impl Tries {
    /// Before the first one.
    pub fn begin() -> Self {
        Self { made: 1, over: Box::pin(tokio::time::sleep(ANSWER)) }
    }

    /// Whether it may be tried once more, after a pause of which no two are alike: whoever collided would
    /// meet again.
    pub async fn again(&mut self) -> bool {
        if self.made >= TRIES {
            return false;
        }
        let longest = PAUSE * 2u32.saturating_pow(self.made - 1);
        self.made += 1;
        tokio::select! {
            biased;
            () = &mut self.over => false,
            () = tokio::time::sleep(longest.mul_f64(fastrand::f64())) => true,
        }
    }
}

/// A transaction under way.
pub enum Tx {
    /// On the file.
    Sqlite(Transaction<'static, Sqlite>),
    /// On the server.
    Postgres(Transaction<'static, Postgres>),
}

/// A row of an answer. Columns are read by name.
pub enum Row {
    /// From the file.
    Sqlite(sqlx::sqlite::SqliteRow),
    /// From the server.
    Postgres(sqlx::postgres::PgRow),
}

/// A value for a placeholder.
#[derive(Debug, Clone)]
pub enum Arg {
    /// A whole number.
    Int(Option<i64>),
    /// A text.
    Text(Option<String>),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// Values for the placeholders `$1`, `$2`, … in their order.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::sql::engine::Arg::from($value)),*] };
}
pub(super) use args;

/// Work that is made once for each try, so that none begins with what is left of the one before.
macro_rules! anew {
    ($work:expr) => {
        || $work
    };
}
pub(super) use anew;

/// A query with its values bound; the connection it runs on decides which database it is for.
macro_rules! bound {
    ($sql:expr, $args:expr, $text:expr) => {{
        let mut query = sqlx::query(AssertSqlSafe($sql));
        for arg in $args {
            query = match arg {
                Arg::Int(number) => query.bind(number),
                Arg::Text(text) => query.bind(text.map($text)),
                Arg::Bytes(bytes) => query.bind(bytes),
            };
        }
        query
    }};
}

impl Engine {
    /// Does some work in a transaction that writes; what it did stays exactly when it succeeded. Where the
    /// server ended it because of what others did at the same moment (40001, 40P01), all of it is done
    /// anew.
    pub async fn write<T, W>(&self, work: impl Fn() -> W) -> Result<T>
    where
        W: AsyncFnOnce(&mut Tx) -> Result<T>,
    {
        let mut tries = Tries::begin();
        loop {
            match self.write_once(work()).await {
                Err(StoreError::Collision) if tries.again().await => {}
                done => return done,
            }
        }
    }

    /// The same for work that cannot be made twice.
    pub async fn write_once<T>(&self, work: impl AsyncFnOnce(&mut Tx) -> Result<T>) -> Result<T> {
        let mut tx = self.elsewhere(true).await?;
        let done = work(&mut tx).await;
        tx.end(done).await
    }

    /// Does some work on one state of the store, changing nothing.
    pub async fn read<T>(&self, work: impl AsyncFnOnce(&mut Tx) -> Result<T>) -> Result<T> {
        let mut tx = self.elsewhere(false).await?;
        let done = work(&mut tx).await;
        tx.end(done).await
    }

    /// Begins; where the server in use cannot be had and the address names others, on one of those.
    async fn elsewhere(&self, writes: bool) -> Result<Tx> {
        match (self.begin(writes).await, self) {
            (Err(StoreError::Busy(why)), Self::Postgres { pool, servers }) => {
                if !servers.are_several() {
                    return Err(StoreError::Busy(why));
                }
                servers.choose().await?;
                pool.set_connect_options(servers.in_use());
                self.begin(writes).await
            }
            (begun, _) => begun,
        }
    }

    async fn begin(&self, writes: bool) -> Result<Tx> {
        if writes { self.begin_write().await } else { self.begin_read().await }
    }

    async fn begin_write(&self) -> Result<Tx> {
        within(async {
            Ok(match self {
                // A deferred transaction that turns to writing fails at once when somebody else
                // writes, whatever the timeout.
                Self::Sqlite { writer, .. } => {
                    Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?)
                }
                // Said here: what the server or the role is set to may be stricter, and the verbs are
                // written for locks.
                Self::Postgres { pool, .. } => {
                    Tx::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?)
                }
            })
        })
        .await
    }

    async fn begin_read(&self) -> Result<Tx> {
        within(async {
            Ok(match self {
                Self::Sqlite { readers, .. } => Tx::Sqlite(readers.begin().await?),
                Self::Postgres { pool, .. } => {
                    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
                    Tx::Postgres(pool.begin_with(begin).await?)
                }
            })
        })
        .await
    }

    /// Ends all connections.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers, .. } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres { pool, .. } => pool.close().await,
        }
    }
}

impl Tx {
    /// The end of a select whose rows of `table` stay locked until the transaction ends. SQLite
    /// needs none: it has one writer.
    pub fn lock(&self, table: &str) -> String {
        match self {
            Self::Sqlite(_) => String::new(),
            Self::Postgres(_) => format!(" FOR UPDATE OF {table}"),
        }
    }

    /// The same for whichever row is free: those that somebody else has locked are passed over.
    pub fn claim(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "",
            Self::Postgres(_) => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// The case that an entry of the audit is about, as the index has it.
    pub fn case_of_entry(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => {
                "(CASE WHEN json_valid(entry) THEN json_extract(entry, '$.case') END)"
            }
            Self::Postgres(_) => "(substring(entry FROM '\"case\":\"([^\"]*)\"'))",
        }
    }

    /// Runs a statement; returns how many rows it changed.
    pub async fn run(&mut self, sql: impl Into<Cow<'static, str>>, args: Vec<Arg>) -> Result<u64> {
        let sql = sql.into();
        within(async {
            Ok(match self {
                Self::Sqlite(tx) => {
                    bound!(sql, args, |text| text).execute(&mut **tx).await?.rows_affected()
                }
                Self::Postgres(tx) => {
                    bound!(sql, args, storable).execute(&mut **tx).await?.rows_affected()
                }
            })
        })
        .await
    }

    /// All rows that a statement brings.
    pub async fn rows(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        args: Vec<Arg>,
    ) -> Result<Vec<Row>> {
        let sql = sql.into();
        within(async {
            Ok(match self {
                Self::Sqlite(tx) => {
                    let rows = bound!(sql, args, |text| text).fetch_all(&mut **tx).await?;
                    rows.into_iter().map(Row::Sqlite).collect()
                }
                Self::Postgres(tx) => {
                    let rows = bound!(sql, args, storable).fetch_all(&mut **tx).await?;
                    rows.into_iter().map(Row::Postgres).collect()
                }
            })
        })
        .await
    }

    /// The first row that a statement brings.
    pub async fn row(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        args: Vec<Arg>,
    ) -> Result<Option<Row>> {
        Ok(self.rows(sql, args).await?.into_iter().next())
    }

    /// Hands over the rows that a statement without values brings, so many at a time: they are never
    /// here all at once.
    pub async fn in_batches(
        &mut self,
        sql: String,
        most: usize,
        take: impl AsyncFnMut(Vec<Row>) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Sqlite(tx) => {
                let rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut **tx).map_ok(Row::Sqlite);
                super::copy::in_batches(rows, most, take).await
            }
            Self::Postgres(tx) => {
                let rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut **tx).map_ok(Row::Postgres);
                super::copy::in_batches(rows, most, take).await
            }
        }
    }

    /// Tells all consoles that something of an origin has changed, when and if this is kept.
    pub async fn announce(&mut self, origin: &Origin) -> Result<()> {
        let sql = match self {
            Self::Sqlite(_) => "UPDATE origins SET news = news + 1 WHERE name = $1",
            Self::Postgres(_) => "SELECT pg_notify('secondlook', $1)",
        };
        self.run(sql, vec![Arg::from(origin)]).await.map(drop)
    }

    /// Lets what follows in this transaction take its time: see [`Tx::script`] and [`Tx::moved`].
    pub async fn at_length(&mut self) -> Result<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(_) => self.script(AT_LENGTH).await,
        }
    }

    /// Runs several statements without values.
    pub async fn script(&mut self, sql: &'static str) -> Result<()> {
        within_for(CHANGE, async {
            match self {
                Self::Sqlite(tx) => sqlx::raw_sql(sql).execute(&mut **tx).await.map(drop),
                Self::Postgres(tx) => sqlx::raw_sql(sql).execute(&mut **tx).await.map(drop),
            }
        })
        .await
    }

    /// Asks a server for something that moves rows; how many those were, under `moved`.
    pub async fn moved(&mut self, sql: &'static str, args: Vec<Arg>) -> Result<u64> {
        let Self::Postgres(tx) = self else { return Ok(0) };
        let query = bound!(sql, args, storable);
        let row = within_for(CHANGE, query.fetch_one(&mut **tx)).await?;
        Ok(u64::try_from(Row::Postgres(row).int("moved")?).unwrap_or_default())
    }

    /// Ends it, one way or the other, before anything is answered: a row that an unfinished
    /// transaction still holds would be passed over by the next claim.
    async fn end<T>(self, done: Result<T>) -> Result<T> {
        let keep = done.is_ok();
        let ended = within(async {
            match (self, keep) {
                (Self::Sqlite(tx), true) => tx.commit().await,
                (Self::Sqlite(tx), false) => tx.rollback().await,
                (Self::Postgres(tx), true) => tx.commit().await,
                (Self::Postgres(tx), false) => tx.rollback().await,
            }
        })
        .await;
        // The first error is the one to tell.
        done.and_then(|done| ended.map(|()| done))
    }
}

/// Reads a column of either database.
macro_rules! column {
    ($row:expr, $name:expr) => {
        match $row {
            Row::Sqlite(row) => row.try_get($name),
            Row::Postgres(row) => row.try_get($name),
        }
        .map_err(|_| StoreError::Corrupt(format!("the column {} is not as it should be", $name)))
    };
}

impl Row {
    /// A whole number.
    pub fn int(&self, name: &str) -> Result<i64> {
        column!(self, name)
    }

    /// A whole number or nothing.
    pub fn maybe_int(&self, name: &str) -> Result<Option<i64>> {
        column!(self, name)
    }

    /// A text.
    pub fn text(&self, name: &str) -> Result<String> {
        column!(self, name)
    }

    /// A text or nothing.
    pub fn maybe_text(&self, name: &str) -> Result<Option<String>> {
        column!(self, name)
    }

    /// A column as a text, whatever it holds: what is no text in it is replaced. For what only has to be
    /// told, or held against a hash.
    pub fn lossy(&self, name: &str) -> String {
        match self {
            Self::Sqlite(row) => {
                let bytes: Vec<u8> = row.try_get_unchecked(name).unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned()
            }
            // A server holds what its columns are made for.
            Self::Postgres(row) => {
                match (row.try_get::<String, _>(name), row.try_get::<i64, _>(name)) {
                    (Ok(text), _) => text,
                    (_, Ok(number)) => number.to_string(),
                    (Err(_), Err(_)) => String::new(),
                }
            }
        }
    }

    /// The same, or nothing where the column is empty.
    pub fn maybe_lossy(&self, name: &str) -> Option<String> {
        let null = match self {
            Self::Sqlite(row) => row.try_get_raw(name).is_ok_and(|value| value.is_null()),
            Self::Postgres(row) => row.try_get_raw(name).is_ok_and(|value| value.is_null()),
        };
        (!null).then(|| self.lossy(name))
    }

    /// A flag.
    pub fn flag(&self, name: &str) -> Result<bool> {
        match self.int(name)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(out_of_range(name)),
        }
    }

    /// A count.
    pub fn count(&self, name: &str) -> Result<u32> {
        u32::try_from(self.int(name)?).map_err(|_| out_of_range(name))
    }

    /// A number that is raised, so it is not the last one already.
    pub fn fence(&self, name: &str) -> Result<i64> {
        let fence = self.int(name)?;
        (0..i64::MAX).contains(&fence).then_some(fence).ok_or_else(|| out_of_range(name))
    }

    /// Bytes.
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        column!(self, name)
    }
}

fn out_of_range(name: &str) -> StoreError {
    StoreError::Corrupt(format!("the column {name} is out of range"))
}

/// PostgreSQL has no NUL in a text; a word from outside may.
fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// Waits for the database, but not for ever.
pub async fn within<T>(answer: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
    within_for(ANSWER, answer).await
}

async fn within_for<T>(
    limit: Duration,
    answer: impl Future<Output = sqlx::Result<T>>,
) -> Result<T> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer.map_err(failure),
        Err(_) => Err(StoreError::Busy("no answer in time".to_owned())),
    }
}

/// Codes and kinds only: the words of a database error may quote a row or an address.
pub fn failure(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(error) if error.is_unique_violation() => StoreError::Conflict,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            // What our own guards raise is written for people, and quotes no more than an id.
            if code == "P0001" {
                return StoreError::Guard(printable(error.message(), 200));
            }
            let sqlite = error.try_downcast_ref::<SqliteError>().and(code.parse().ok());
            sqlite.map_or_else(|| of_postgres(&code), of_sqlite)
        }
        // What a handshake says that failed.
        sqlx::Error::Io(error) if error.kind() == ErrorKind::InvalidData => untrusted(),
        sqlx::Error::Io(error) => StoreError::Busy(error.kind().to_string()),
        sqlx::Error::PoolTimedOut => StoreError::Busy("no connection in time".to_owned()),
        sqlx::Error::PoolClosed => StoreError::Other("it has been closed".to_owned()),
        sqlx::Error::Tls(_) => untrusted(),
        sqlx::Error::WorkerCrashed => StoreError::Busy("its thread has ended".to_owned()),
        sqlx::Error::Protocol(_) => StoreError::Busy("the connection broke".to_owned()),
        _ => StoreError::Other("an unexpected answer of the database".to_owned()),
    }
}

fn untrusted() -> StoreError {
    let why = "no encrypted connection that can be trusted; see sslmode and sslrootcert";
    StoreError::Other(why.to_owned())
}

fn of_sqlite(code: i32) -> StoreError {
    match code & 0xff {
        5 | 6 => StoreError::Busy("another process is writing".to_owned()),
        8 => StoreError::Other("the file cannot be written".to_owned()),
        10 => StoreError::Other("the disk does not take it, it may be full".to_owned()),
        11 | 26 => StoreError::Corrupt("the file is damaged".to_owned()),
        13 => StoreError::Full,
        14 => StoreError::Other("the file cannot be opened".to_owned()),
        _ => StoreError::Other(format!("SQLite error {code}")),
    }
}

fn of_postgres(code: &str) -> StoreError {
    let unfit = |why: &str| StoreError::Unfit(format!("{why} (PostgreSQL error {code})"));
    match code {
        "53100" => StoreError::Full,
        "25006" => StoreError::ReadOnly,
        "40001" | "40P01" => StoreError::Collision,
        "08P01" => {
            unfit("what stands before the server, a pooler perhaps, does not speak as it does")
        }
        // Statements that were prepared on another connection, or are not there any more.
        "42P05" | "26000" => unfit(
            "a pooler in transaction mode stands before the server; a store needs session mode, or the \
             server's own address",
        ),
        "42P01" | "3F000" => {
            unfit("the store's tables are not there any more, or search_path leads elsewhere")
        }
        "22021" | "22P05" => unfit("the database takes no such letters: its encoding is not UTF8"),
        "28000" | "28P01" => StoreError::Other("the server refused the login".to_owned()),
        "3D000" => StoreError::Other("the server has no such database".to_owned()),
        "42501" => StoreError::Other("the database user lacks a permission".to_owned()),
        // Connection lost, serialization or deadlock, too many connections, shutting down,
        // a lock or a statement that took too long.
        _ if ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class))
            || code == "55P03" =>
        {
            StoreError::Busy(format!("PostgreSQL error {code}"))
        }
        _ => StoreError::Other(format!("PostgreSQL error {code}")),
    }
}

impl From<i64> for Arg {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<Millis> for Arg {
    fn from(at: Millis) -> Self {
        Self::Int(Some(at.0))
    }
}

impl From<Option<Millis>> for Arg {
    fn from(at: Option<Millis>) -> Self {
        Self::Int(at.map(|at| at.0))
    }
}

impl From<bool> for Arg {
    fn from(flag: bool) -> Self {
        Self::Int(Some(i64::from(flag)))
    }
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<String> for Arg {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<String>> for Arg {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<&Origin> for Arg {
    fn from(origin: &Origin) -> Self {
        Self::from(origin.0.as_str())
    }
}

impl From<&SessionId> for Arg {
    fn from(key: &SessionId) -> Self {
        Self::from(key.as_str())
    }
}

impl From<&ReviewerId> for Arg {
    fn from(reviewer: &ReviewerId) -> Self {
        Self::from(reviewer.0.as_str())
    }
}

impl From<&WorkerId> for Arg {
    fn from(worker: &WorkerId) -> Self {
        Self::from(worker.0.as_str())
    }
}

impl From<DecisionId> for Arg {
    fn from(id: DecisionId) -> Self {
        Self::from(id.to_string())
    }
}

impl From<[u8; 32]> for Arg {
    fn from(bytes: [u8; 32]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}
