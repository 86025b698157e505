//! How changes are heard of: PostgreSQL sends word when a transaction is kept (`NOTIFY`); a SQLite file
//! is watched by the system, and a number in it tells whose rows were changed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use sqlx::SqlitePool;
use sqlx::postgres::{PgListener, PgPoolOptions};

use super::engine::{ANSWER, CONNECT, failure};
use super::postgres::Servers;
use crate::domain::Origin;
use crate::store::news::News;
use crate::store::{Result, StoreError};

/// The channel on which PostgreSQL tells the name of an origin.
pub const CHANNEL: &str = "secondlook";
/// From one attempt to reach the server to the next: doubled from the first to the second.
const AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// A connection that was silent for so long is asked whether it still stands.
const SILENT: Duration = Duration::from_secs(60);

/// Listens on a connection of its own: the pool may be closed and refilled as it likes.
pub struct FromServer {
    servers: Arc<Servers>,
    origin: Origin,
    listener: Option<PgListener>,
    wait: Duration,
}

impl FromServer {
    pub fn new(servers: Arc<Servers>, origin: &Origin) -> Self {
        Self { servers, origin: origin.clone(), listener: None, wait: AGAIN.0 }
    }

    async fn connect(&self) -> Result<PgListener> {
        let connected = async {
            // It can make no other connection: one that broke is replaced here, with a word.
            let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None);
            let pool = pool.idle_timeout(None).acquire_timeout(CONNECT);
            let pool = pool.connect_with(self.servers.in_use()).await?;
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.eager_reconnect(false);
            listener.listen(CHANNEL).await?;
            Ok(listener)
        };
        match tokio::time::timeout(CONNECT, connected).await {
            Ok(connected) => connected.map_err(failure),
            Err(_) => Err(StoreError::Busy("no connection in time".to_owned())),
        }
    }
}

#[async_trait]
impl News for FromServer {
    async fn next(&mut self) -> Option<Result<()>> {
        let Some(listener) = &mut self.listener else {
            loop {
                match self.connect().await {
                    Ok(listener) => {
                        self.listener = Some(listener);
                        self.wait = AGAIN.0;
                        // Whatever happened meanwhile was told to nobody here.
                        return Some(Ok(()));
                    }
                    Err(_) => {
                        tokio::time::sleep(self.wait).await;
                        self.wait = (self.wait * 2).min(AGAIN.1);
                    }
                }
            }
        };
        let lost = loop {
            match tokio::time::timeout(SILENT, listener.try_recv()).await {
                Ok(Ok(Some(told))) if told.payload() == self.origin.0 => {
                    // What has arrived besides is the same news. What fails, fails again.
                    while let Some(Ok(Some(_))) = listener.try_recv().now_or_never() {}
                    return Some(Ok(()));
                }
                Ok(Ok(Some(_))) => {}
                Ok(Ok(None)) => break StoreError::Busy("the connection broke".to_owned()),
                Ok(Err(error)) => break failure(error),
                // A line that was cut is silent too.
                Err(_) => {
                    let asked = sqlx::raw_sql("SELECT 1").execute(&mut *listener);
                    match tokio::time::timeout(ANSWER, asked).await {
                        Ok(Ok(_)) => {}
                        Ok(Err(error)) => break failure(error),
                        Err(_) => break StoreError::Busy("no answer in time".to_owned()),
                    }
                }
            }
        };
        self.listener = None;
        Some(Err(lost))
    }
}

/// Watches a file that several consoles of one machine share.
pub struct FromFile {
    readers: SqlitePool,
    origin: Origin,
    watched: Watched,
    /// The number of the newest change that was told; none before the first look.
    told: Option<i64>,
}

impl FromFile {
    pub fn new(readers: SqlitePool, path: &Path, origin: &Origin) -> Self {
        Self { readers, origin: origin.clone(), watched: Watched::new(path), told: None }
    }

    async fn newest(&self) -> sqlx::Result<i64> {
        let newest = sqlx::query_scalar("SELECT news FROM origins WHERE name = $1")
            .bind(&self.origin.0)
            .fetch_optional(&self.readers)
            .await?;
        Ok(newest.unwrap_or_default())
    }
}

#[async_trait]
impl News for FromFile {
    async fn next(&mut self) -> Option<Result<()>> {
        loop {
            if self.told.is_some() {
                self.watched.wait().await;
            }
            match self.newest().await {
                Ok(newest) if self.told == Some(newest) => {}
                Ok(newest) => {
                    self.told = Some(newest);
                    return Some(Ok(()));
                }
                Err(sqlx::Error::PoolClosed) => return None,
                // The file is there or it is not: what is wrong with it, every verb says.
                Err(_) if self.told.is_some() => {}
                Err(_) => tokio::time::sleep(AGAIN.1).await,
            }
        }
    }
}

/// Wakes when the log of a SQLite file was written to. On Linux the system tells, so that an idle
/// console sleeps; elsewhere it is looked at once a second.
struct Watched {
    #[cfg(target_os = "linux")]
    told: Option<(tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>, PathBuf)>,
}

/// How often a file is looked at that the system does not watch.
const LOOK: Duration = Duration::from_secs(1);

#[cfg(target_os = "linux")]
impl Watched {
    fn new(path: &Path) -> Self {
        let mut log = path.file_name().unwrap_or_default().to_owned();
        log.push("-wal");
        // The folder, not the log: that comes and goes with the first and the last connection.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Self { told: watch(folder.unwrap_or(Path::new("."))).ok().zip(Some(log.into())) }
    }

    /// Reads what the system tells until it is about the log; all that waits is read in one go.
    async fn wait(&self) {
        use rustix::fs::inotify::Reader;
        let Some((told, log)) = &self.told else { return tokio::time::sleep(LOOK).await };
        loop {
            let Ok(mut ready) = told.readable().await else {
                return tokio::time::sleep(LOOK).await;
            };
            let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
            let mut reader = Reader::new(told.get_ref(), &mut buffer);
            let mut heard = false;
            while let Ok(event) = reader.next() {
                let name = event.file_name().map(std::ffi::CStr::to_bytes);
                // No name: more happened than the system kept count of.
                heard |= name.is_none_or(|name| name == log.as_os_str().as_encoded_bytes());
            }
            ready.clear_ready();
            if heard {
                return;
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[expect(
    deprecated,
    reason = "its successor is unsafe and asks for a promise that an OwnedFd keeps by its type"
)]
fn watch(folder: &Path) -> std::io::Result<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>> {
    use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
    let told = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
    add_watch(&told, folder, WatchFlags::MODIFY)?;
    tokio::io::unix::AsyncFd::with_interest(told, tokio::io::Interest::READABLE)
}

#[cfg(not(target_os = "linux"))]
impl Watched {
    fn new(_path: &Path) -> Self {
        Self {}
    }

    async fn wait(&self) {
        tokio::time::sleep(LOOK).await;
    }
}
