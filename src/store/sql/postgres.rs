//! Connects to the database of a team. Connections that died, as with a restart of the server, are
//! noticed before they are used and replaced.

use std::str::FromStr as _;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Executor as _};

use super::engine::{CONNECT, Engine, failure};
use crate::store::{Result, StoreError};

/// A console has a handful of workers, a team has a handful of consoles.
const CONNECTIONS: u32 = 8;
/// The server gives up before we do, so that no forgotten transaction holds a row; and a commit
/// that was answered is on its disk, whatever its configuration says.
const MANNERS: &str = "SET lock_timeout = '5s'; SET statement_timeout = '15s'; \
    SET idle_in_transaction_session_timeout = '30s'; \
    SELECT set_config('synchronous_commit', 'on', false) \
    WHERE current_setting('synchronous_commit') = 'off'";

/// Connects; returns the server's address without its password too.
pub async fn connect(url: &str) -> Result<(Engine, String)> {
    let options = PgConnectOptions::from_str(url).map_err(|_| StoreError::BadUrl)?;
    let options = options.application_name("secondlook").disable_statement_logging();
    let place = address(&options);
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(CONNECT)
        .after_connect(|connection, _| {
            Box::pin(async { connection.execute(MANNERS).await.map(drop) })
        })
        .connect_with(options.clone())
        .await
        .map_err(failure)?;
    Ok((Engine::Postgres { pool, options: Box::new(options) }, place))
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

    #[test]
    fn the_address_shows_no_password() {
        for (url, shown) in [
            ("postgres://ana:s3cret@db.example:5433/look", "postgres://ana@db.example:5433/look"),
            ("postgresql://ana:s3cret@db.example/", "postgres://ana@db.example:5432/ana"),
            (
                "postgres://db.example/look?user=ana&password=s3cret",
                "postgres://ana@db.example:5432/look",
            ),
        ] {
            let options = PgConnectOptions::from_str(url).unwrap();
            assert_eq!(address(&options), shown);
        }
    }
}
