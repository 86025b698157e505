//! Opens the store's file: nobody else may read it from its first byte on, and a file that is not
//! ours is left as it was found.

use std::fs::{DirBuilder, Metadata, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::engine::{CONNECT, Engine, LOCK, failure};
use crate::store::{Result, StoreError};

/// `2lk1`: the application id in the header of every store of ours.
const APPLICATION: i64 = 0x326c_6b31;
/// Readers never wait for the writer; four pages at once are plenty for one console.
const READERS: u32 = 4;

/// Opens the file, making it and its folder when they are not there.
pub async fn open(path: &Path) -> Result<Engine> {
    make(path)?;
    if is_new(path).await? {
        stamp(path).await?;
    }
    let options = options(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // What is deleted is overwritten, and nothing is sorted in files elsewhere.
        .pragma("secure_delete", "ON")
        .pragma("temp_store", "MEMORY")
        .pragma("trusted_schema", "OFF");
    let pool = || SqlitePoolOptions::new().acquire_timeout(CONNECT).test_before_acquire(false);
    let keep = pool().max_connections(1).idle_timeout(None).max_lifetime(None);
    let writer = keep.connect_with(options.clone()).await.map_err(failure)?;
    let options = options.pragma("query_only", "ON");
    let readers = pool().max_connections(READERS).connect_lazy_with(options);
    Ok(Engine::Sqlite { writer, readers, path: path.to_owned() })
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(LOCK)
        .disable_statement_logging()
}

/// Makes the file with the right permissions, or looks at the one that is there.
fn make(path: &Path) -> Result<()> {
    let trouble = |error: std::io::Error| match error.kind() {
        ErrorKind::StorageFull => StoreError::Full,
        kind => StoreError::Other(format!("{} cannot be opened: {kind}", path.display())),
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(trouble)?;
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    is_ours_alone(folder, &std::fs::metadata(folder).map_err(trouble)?)?;
    let fresh = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match fresh {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let meta = std::fs::metadata(path).map_err(trouble)?;
            if !meta.is_file() {
                return Err(not_a_store(path, "it is not a file"));
            }
            is_private(path, &meta)
        }
        Err(error) => Err(trouble(error)),
    }
}

/// Refuses a folder that others may write: the files beside the store (`-wal`, `-shm`) have names that
/// anybody knows, so they could be put there first, also where the sticky bit keeps ours from being
/// replaced.
fn is_ours_alone(folder: &Path, meta: &Metadata) -> Result<()> {
    let mode = meta.mode() & 0o7777;
    let read = |list| std::fs::read_to_string(list).unwrap_or_default();
    let private = || is_private_group(meta.gid(), &read("/etc/passwd"), &read("/etc/group"));
    let remedy = if mode & 0o002 != 0 {
        "choose a folder of your own, or run chmod o-w on it"
    } else if mode & 0o020 != 0 && !private() {
        "choose a folder of your own, or run chmod g-w on it"
    } else {
        return Ok(());
    };
    Err(StoreError::OpenFolder { path: folder.display().to_string(), mode, remedy })
}

/// Whether a group is the user's own and nobody else's, as systems make one for each user: of the same
/// name, their first group, nobody's else, and without members. By the system's lists, which say nothing of
/// a directory's users: theirs is not private as far as can be told.
fn is_private_group(group: u32, passwd: &str, groups: &str) -> bool {
    let uid = rustix::process::getuid().as_raw();
    let rows = |list: &str| -> Vec<Vec<String>> {
        list.lines().map(|row| row.split(':').map(str::to_owned).collect()).collect()
    };
    let (users, groups) = (rows(passwd), rows(groups));
    let field = |row: &[String], n: usize| row.get(n).cloned().unwrap_or_default();
    let is = |text: String, number: u32| text.parse() == Ok(number);
    let mut firsts = users.iter().filter(|user| is(field(user, 3), group));
    let (Some(user), None) = (firsts.next(), firsts.next()) else { return false };
    let name = field(user, 0);
    let mut named = groups.iter().filter(|row| is(field(row, 2), group));
    let (Some(row), None) = (named.next(), named.next()) else { return false };
    let alone = field(row, 3).split(',').all(|member| member.trim().is_empty() || member == name);
    is(field(user, 2), uid) && field(row, 0) == name && alone
}

fn is_private(path: &Path, meta: &Metadata) -> Result<()> {
    let mode = meta.mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(StoreError::Permissions { path: path.display().to_string(), mode })
}

/// Whether the file is still to become a store; an error when it is something else.
///
/// SQLite is asked, without leave to write. To read the header ourselves would cost the locks of
/// another connection of this process: closing any descriptor of a file ends them all.
async fn is_new(path: &Path) -> Result<bool> {
    let found = match look(path, true).await {
        // Its making was cut short: only with leave to write it can be put right.
        Err(StoreError::Other(_)) => look(path, false).await,
        found => found,
    };
    match found {
        Ok((APPLICATION, _)) => Ok(false),
        Ok((0, 0)) => Ok(true),
        Ok(_) => Err(not_a_store(path, "it is another program's database")),
        Err(StoreError::Corrupt(_)) => Err(not_a_store(path, "it is not a database")),
        Err(error) => Err(error),
    }
}

/// The application id of a database, and how many tables and indexes it has.
async fn look(path: &Path, read_only: bool) -> Result<(i64, i64)> {
    let mut alone = options(path).read_only(read_only).connect().await.map_err(failure)?;
    let sql = "SELECT application_id, (SELECT count(*) FROM sqlite_master) \
               FROM pragma_application_id";
    let found = sqlx::query_as(sql).fetch_one(&mut alone).await.map_err(failure);
    alone.close().await.map_err(failure)?;
    found
}

/// Writes the application id before anything else, so that even a store whose making was cut short
/// is known as ours.
async fn stamp(path: &Path) -> Result<()> {
    let mut alone = options(path).connect().await.map_err(failure)?;
    let sql = format!("PRAGMA application_id = {APPLICATION}");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut alone).await.map_err(failure)?;
    alone.close().await.map_err(failure)
}

fn not_a_store(path: &Path, why: &str) -> StoreError {
    StoreError::NotAStore { path: path.display().to_string(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_private_when_it_is_the_users_alone() {
        let uid = rustix::process::getuid().as_raw();
        let users = format!("root:x:70000:0:::\nana:x:{uid}:1500:Ana:/home/ana:/bin/sh\n");
        for (more, group, gid, wanted) in [
            ("", "ana:x:1500:", 1500, true),
            ("", "ana:x:1500:ana", 1500, true),
            ("", "ana:x:1500:bo", 1500, false),
            ("", "staff:x:1500:", 1500, false),
            ("", "ana:x:1500:\nteam:x:1501:", 1501, false),
            ("", "ana:x:1500:\nother:x:1500:bo", 1500, false),
            ("", "", 1500, false),
            ("bo:x:70001:1500::/home/bo:/bin/sh", "ana:x:1500:", 1500, false),
        ] {
            let users = format!("{users}{more}");
            assert_eq!(is_private_group(gid, &users, group), wanted, "{more} {group} {gid}");
        }
        let other = format!("ana:x:{}:1500:::", uid.wrapping_add(1));
        assert!(!is_private_group(1500, &other, "ana:x:1500:"), "another's group");
    }
}
