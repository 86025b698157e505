//! Connects to the database of a team: to the one of its servers that takes writes. Connections that died, as
//! with a restart of the server, are noticed before they are used and replaced.

use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgPool, Row as _};

use super::engine::{CONNECT, Engine, failure, within};
use crate::store::{Result, StoreError};

/// A console has a handful of workers, a team has a handful of consoles.
const CONNECTIONS: u32 = 8;
/// No address names more servers.
const MOST: usize = 16;
/// The server gives up before we do, so that no forgotten transaction holds a row; and a commit
/// that was answered is on its disk, whatever its configuration says.
const MANNERS: &str = "SET lock_timeout = '5s'; SET statement_timeout = '15s'; \
    SET idle_in_transaction_session_timeout = '30s'; \
    SELECT set_config('synchronous_commit', 'on', false) \
    WHERE current_setting('synchronous_commit') = 'off'";
/// Whether a server takes writes, as libpq asks it for `target_session_attrs=read-write`.
const WRITES: &str = "SELECT current_setting('transaction_read_only') = 'off' AS writes";

/// The servers that an address names, and the one in use. The form is libpq's: several hosts with commas, and
/// `target_session_attrs` (<https://www.postgresql.org/docs/current/libpq-connect.html>).
pub struct Servers {
    all: Vec<PgConnectOptions>,
    at: AtomicUsize,
    /// Whether one that takes no writes is passed over.
    must_write: bool,
}

impl Servers {
    fn of(url: &str) -> Result<Self> {
        let (scheme, rest) = url.split_once("://").ok_or(StoreError::BadUrl)?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (format!("{user}@"), hosts),
            None => (String::new(), authority),
        };
        let hosts: Vec<_> = hosts.split(',').collect();
        if hosts.len() > 1 && hosts.contains(&"") {
            return Err(StoreError::BadUrl);
        }
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (mut kept, mut wanted) = (Vec::new(), None);
        // Folders of sockets have no place before the path: they and their ports are lists of their own.
        let (mut folders, mut ports) = (Vec::new(), Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("target_session_attrs", word)) => wanted = Some(word),
                Some(("host", list)) if list.contains(',') => folders = list.split(',').collect(),
                Some(("port", list)) if list.contains(',') => ports = list.split(',').collect(),
                _ => kept.push(pair),
            }
        }
        let hosts: Vec<_> = if folders.is_empty() {
            hosts.into_iter().map(|host| (host, Vec::new())).collect()
        } else {
            let port = |at: usize| ports.get(at).map(|port| format!("port={port}"));
            let of = |(at, folder)| ("", [Some(format!("host={folder}")), port(at)]);
            let all = folders.iter().enumerate().map(of);
            all.map(|(host, more)| (host, more.into_iter().flatten().collect())).collect()
        };
        if hosts.len() > MOST || (!ports.is_empty() && ports.len() != hosts.len()) {
            return Err(StoreError::BadUrl);
        }
        let must_write = match wanted {
            // A store is written to: of several servers only one can be meant.
            None => hosts.len() > 1,
            Some("any") => false,
            Some("read-write" | "primary") => true,
            Some(_) => return Err(StoreError::BadUrl),
        };
        let one = |(host, more): &(&str, Vec<String>)| {
            let query = kept.iter().copied().chain(more.iter().map(String::as_str));
            let query = query.collect::<Vec<_>>().join("&");
            let mark = if query.is_empty() { "" } else { "?" };
            let url = format!("{scheme}://{user}{host}{path}{mark}{query}");
            let options = PgConnectOptions::from_str(&url).map_err(|_| StoreError::BadUrl)?;
            // Poolers refuse the parameter, and no number here has a point in it.
            let options = options.extra_float_digits(None).application_name("secondlook");
            Ok(options.disable_statement_logging())
        };
        let all = hosts.iter().map(one).collect::<Result<Vec<_>>>()?;
        Ok(Self { all, at: AtomicUsize::new(0), must_write })
    }

    /// Whether there is another one to turn to.
    pub fn are_several(&self) -> bool {
        self.all.len() > 1
    }

    /// How the one in use is reached.
    pub fn in_use(&self) -> PgConnectOptions {
        let at = self.at.load(Ordering::Relaxed) % self.all.len();
        self.all[at].clone()
    }

    /// Looks for one that can be used, from the one in use on.
    ///
    /// # Errors
    /// What the last one said, when none can be.
    pub async fn choose(&self) -> Result<()> {
        let from = self.at.load(Ordering::Relaxed);
        let mut last = StoreError::Busy("no server answers".to_owned());
        for at in (from..from + self.all.len()).map(|at| at % self.all.len()) {
            match self.can_be_used(&self.all[at]).await {
                Ok(()) => {
                    self.at.store(at, Ordering::Relaxed);
                    return Ok(());
                }
                Err(why) => last = why,
            }
        }
        Err(last)
    }

    async fn can_be_used(&self, options: &PgConnectOptions) -> Result<()> {
        let asked = async {
            let mut connection = PgConnection::connect_with(options).await?;
            let row = connection.fetch_one(WRITES).await?;
            let writes: bool = row.try_get("writes")?;
            connection.close().await?;
            Ok(writes)
        };
        match tokio::time::timeout(CONNECT, asked).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) if !self.must_write => Ok(()),
            Ok(Ok(false)) => Err(StoreError::ReadOnly),
            Ok(Err(error)) => Err(failure(error)),
            Err(_) => Err(StoreError::Busy("no connection in time".to_owned())),
        }
    }
}

/// Connects; returns the server's address without its password too.
pub async fn connect(url: &str) -> Result<(Engine, String)> {
    let servers = Arc::new(Servers::of(url)?);
    if servers.must_write {
        servers.choose().await?;
    }
    let place = servers.all.iter().map(address).collect::<Vec<_>>().join(", ");
    let must_write = servers.must_write;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(CONNECT)
        .after_connect(|connection, _| {
            Box::pin(async { connection.execute(MANNERS).await.map(drop) })
        })
        // In place of a word that only says that it is there: one that has become a standby is let go.
        .test_before_acquire(!must_write)
        .before_acquire(move |connection, _| {
            Box::pin(async move {
                if !must_write {
                    return Ok(true);
                }
                connection.fetch_one(WRITES).await?.try_get("writes")
            })
        })
        .connect_with(servers.in_use())
        .await
        .map_err(failure)?;
    keeps_sessions(&pool, servers.in_use().get_port()).await?;
    Ok((Engine::Postgres { pool, servers }, place))
}

/// Refuses a pooler that gives a connection of ours to others between two transactions: prepared statements,
/// settings and the news need a session of one's own. It shows where the server is not at the port that was
/// asked: what one connection says of its session is then overwritten by the other.
async fn keeps_sessions(pool: &PgPool, port: u16) -> Result<()> {
    let asked = async {
        let mut one = pool.acquire().await?;
        let row = one.fetch_one("SELECT current_setting('port') AS port").await?;
        if row.try_get::<String, _>("port")? == port.to_string() {
            return Ok(true);
        }
        let mut other = pool.acquire().await?;
        one.execute("SET secondlook.session = 'one'").await?;
        other.execute("SET secondlook.session = 'other'").await?;
        let said = "SELECT current_setting('secondlook.session', true) AS said";
        let said: Option<String> = one.fetch_one(said).await?.try_get("said")?;
        Ok(said.as_deref() == Some("one"))
    };
    if within(asked).await? {
        return Ok(());
    }
    Err(StoreError::Unfit(
        "a pooler in transaction mode stands before the server; a store needs session mode, or the server's \
         own address"
            .to_owned(),
    ))
}

/// Where and as whom, never with what password.
fn address(options: &PgConnectOptions) -> String {
    let user = options.get_username();
    let database = options.get_database().unwrap_or(user);
    match options.get_socket() {
        Some(folder) => format!("postgres://{user}@/{database}?host={}", folder.display()),
        None => {
            format!("postgres://{user}@{}:{}/{database}", options.get_host(), options.get_port())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> Result<Vec<String>> {
        Servers::of(url).map(|servers| servers.all.iter().map(address).collect())
    }

    #[test]
    fn the_address_shows_no_password() {
        for (url, one) in [
            ("postgres://ana:s3cret@db.example:5433/look", "postgres://ana@db.example:5433/look"),
            ("postgresql://ana:s3cret@db.example/", "postgres://ana@db.example:5432/ana"),
            (
                "postgres://db.example/look?user=ana&password=s3cret",
                "postgres://ana@db.example:5432/look",
            ),
        ] {
            assert_eq!(shown(url).unwrap(), [one]);
        }
    }

    #[test]
    fn an_address_may_name_several_servers() {
        let both = ["postgres://ana@one:5432/look", "postgres://ana@two:5433/look"];
        for (url, must_write) in [
            ("postgres://ana:p@one,two:5433/look", true),
            (
                "postgres://ana@one:5432,two:5433/look?target_session_attrs=any&sslmode=prefer",
                false,
            ),
            ("postgres://one,two:5433/look?user=ana&target_session_attrs=primary", true),
        ] {
            let servers = Servers::of(url).unwrap();
            assert_eq!(servers.all.iter().map(address).collect::<Vec<_>>(), both, "{url}");
            assert_eq!(servers.must_write, must_write, "{url}");
        }
        let folders = shown("postgres:///look?user=ana&host=/one,/two&port=5433,5434").unwrap();
        assert_eq!(folders, ["postgres://ana@/look?host=/one", "postgres://ana@/look?host=/two"]);
        assert!(!Servers::of("postgres://one/look").unwrap().must_write);
        for bad in [
            "postgres://one,/look",
            "postgres://one:5432,two:x/look",
            "postgres:///look?host=/one,/two&port=1,2,3",
            "postgres://one/look?target_session_attrs=standby",
            &format!("postgres://{}/look", ["one"; 17].join(",")),
        ] {
            assert!(matches!(Servers::of(bad), Err(StoreError::BadUrl)), "{bad}");
        }
    }
}
