//! A throwaway PostgreSQL server, from Debian's binaries, for the tests that need one. It listens on
//! a socket in a folder of its own, and stops when the last test that uses it has ended.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;

/// A running server.
pub struct Cluster {
    programs: PathBuf,
    folder: TempDir,
    made: AtomicU32,
    /// The port on which it answers over TLS; on its socket alone without.
    port: Option<u16>,
    /// Whether what is kept outlives a crash of the machine, as it must everywhere but in a test.
    durable: bool,
}

/// The server that the tests of this process share. `None`, with a line that says so, where
/// PostgreSQL is not installed; a failure there when `SECONDLOOK_REQUIRE_ALL=1`.
pub fn shared() -> Option<Arc<Cluster>> {
    static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap();
    if let Some(cluster) = shared.upgrade() {
        return Some(cluster);
    }
    let cluster = Arc::new(Cluster::start()?);
    *shared = Arc::downgrade(&cluster);
    Some(cluster)
}

impl Cluster {
    /// A server for one test alone; see [`shared`].
    pub fn start() -> Option<Self> {
        Self::made(None, false)
    }

    /// A server that is set as in production, for figures.
    pub fn start_durable() -> Option<Self> {
        Self::made(None, true)
    }

    /// A server that answers on `localhost` over TLS too, with a certificate that [`Cluster::root`]
    /// vouches for.
    pub fn start_with_tls() -> Option<Self> {
        // Free again at once, and nobody else is likely to get it meanwhile.
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        Self::made(Some(port.port()), false)
    }

    fn made(port: Option<u16>, durable: bool) -> Option<Self> {
        let Some(programs) = programs() else {
            let required = std::env::var("SECONDLOOK_REQUIRE_ALL").is_ok_and(|v| v == "1");
            assert!(!required, "there is no initdb below /usr/lib/postgresql");
            eprintln!("skipped: PostgreSQL is not installed");
            return None;
        };
        // Socket paths are short: the folder is not below the target directory.
        let folder = TempDir::with_prefix("look").unwrap();
        if let Some((uid, gid)) = servant() {
            chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        let cluster = Self { programs, folder, made: AtomicU32::new(0), port, durable };
        let args = ["-U", "test", "-A", "trust", "-E", "UTF8", "--locale=C", "-N", "-D"];
        let made = cluster.command("initdb").args(args).arg(cluster.data()).status();
        assert!(made.unwrap().success(), "initdb failed");
        if port.is_some() {
            cluster.certify();
        }
        cluster.run();
        Some(cluster)
    }

    /// Starts the server.
    pub fn run(&self) {
        let listen = match self.port {
            Some(port) => format!("-c listen_addresses=localhost -c port={port} -c ssl=on"),
            None => "-c listen_addresses=''".to_owned(),
        };
        let durable = match self.durable {
            true => "-c fsync=on",
            false => "-c fsync=off -c full_page_writes=off -c synchronous_commit=off",
        };
        let options = format!(
            "{listen} -c unix_socket_directories='{}' {durable} -c max_connections=200",
            self.folder.path().display()
        );
        let mut start = self.command("pg_ctl");
        start.arg("-D").arg(self.data()).args(["-w", "-s", "-o", &options, "-l"]);
        let started = start.arg(self.folder.path().join("log")).arg("start").status();
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        assert!(started.unwrap().success(), "pg_ctl start failed: {log}");
    }

    /// Stops the server at once, as a crash would.
    pub fn stop(&self) -> bool {
        self.halt("immediate")
    }

    fn halt(&self, mode: &str) -> bool {
        let mut stop = self.command("pg_ctl");
        stop.arg("-D").arg(self.data()).args(["-m", mode, "-w", "-s", "stop"]);
        stop.status().is_ok_and(|status| status.success())
    }

    /// Adds a line to the server's settings, which it reads with the next start or when it is told to.
    fn set(&self, line: &str) {
        let file = self.data().join("postgresql.auto.conf");
        let mut file = std::fs::OpenOptions::new().append(true).open(file).unwrap();
        std::io::Write::write_all(&mut file, format!("{line}\n").as_bytes()).unwrap();
    }

    /// The address of a new, empty database.
    pub async fn database(&self) -> String {
        let name = format!("test{}", self.made.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&self.url("postgres")).await.unwrap();
        let sql = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        self.url(&name)
    }

    /// The address of a database on this server or the others, whichever takes writes.
    pub fn url_of_all(&self, others: &[&Self], name: &str) -> String {
        let folders = std::iter::once(self).chain(others.iter().copied());
        let folders: Vec<_> =
            folders.map(|cluster| cluster.folder.path().display().to_string()).collect();
        format!("postgres:///{name}?user=test&host={}", folders.join(","))
    }

    /// A server that follows this one: what is committed here is there too before it is answered.
    pub async fn standby(&self) -> Self {
        let folder = TempDir::with_prefix("look").unwrap();
        if let Some((uid, gid)) = servant() {
            chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        let programs = self.programs.clone();
        let standby =
            Self { programs, folder, made: AtomicU32::new(0), port: None, durable: false };
        // Copied while it stands still: pg_basebackup does not come with every build.
        assert!(self.halt("fast"));
        let mut copy = as_servant(Path::new("/bin/cp"));
        assert!(copy.arg("-a").arg(self.data()).arg(standby.data()).status().unwrap().success());
        self.run();
        std::fs::write(standby.data().join("standby.signal"), "").unwrap();
        standby
            .set(&format!("primary_conninfo = 'host={} user=test'", self.folder.path().display()));
        standby.run();
        let mut connection = PgConnection::connect(&self.url("postgres")).await.unwrap();
        for line in ["ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"]
        {
            sqlx::raw_sql(line).execute(&mut connection).await.unwrap();
        }
        let follows = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        while sqlx::query_scalar::<_, i64>(follows).fetch_one(&mut connection).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
        connection.close().await.unwrap();
        standby
    }

    /// Makes a standby the server that is written to, waiting for nobody who follows it.
    pub fn promote(&self) {
        self.set("synchronous_standby_names = ''");
        for what in ["reload", "promote"] {
            let mut control = self.command("pg_ctl");
            control.arg("-D").arg(self.data()).args(["-w", "-s", what]);
            assert!(control.status().unwrap().success(), "pg_ctl {what} failed");
        }
    }

    /// Debian's pgbouncer before this server, in a mode; its address of a database. `None` where it is not
    /// installed.
    pub fn pooler(&self, mode: &str, name: &str) -> Option<(Pooler, String)> {
        let program = Path::new("/usr/sbin/pgbouncer");
        if !program.exists() {
            let required = std::env::var("SECONDLOOK_REQUIRE_ALL").is_ok_and(|v| v == "1");
            assert!(!required, "there is no pgbouncer in /usr/sbin");
            eprintln!("skipped: pgbouncer is not installed");
            return None;
        }
        let folder = TempDir::with_prefix("pool").unwrap();
        let path = folder.path().display();
        let config = format!(
            "[databases]\n* = host={} user=test\n[pgbouncer]\nunix_socket_dir = {path}\nlisten_port = 6432\n\
             auth_type = any\npool_mode = {mode}\nlogfile = {path}/log\npidfile = {path}/pid\n",
            self.folder.path().display()
        );
        std::fs::write(folder.path().join("pgbouncer.ini"), config).unwrap();
        if let Some((uid, gid)) = servant() {
            chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        let url = format!("postgres:///{name}?host={path}&user=test&port=6432");
        let mut start = self.command("/usr/sbin/pgbouncer");
        let child = start.arg(folder.path().join("pgbouncer.ini")).spawn().unwrap();
        let socket = folder.path().join(".s.PGSQL.6432");
        let since = std::time::Instant::now();
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            assert!(since.elapsed() < crate::terminal::LIMIT, "pgbouncer does not listen");
            std::thread::yield_now();
        }
        Some((Pooler { child, _folder: folder }, url))
    }

    /// Makes an authority and a certificate for `localhost` with openssl.
    fn certify(&self) {
        let openssl = |line: &str| {
            let mut command = self.command("/usr/bin/openssl");
            command.current_dir(self.data()).args(line.split(' '));
            assert!(command.status().unwrap().success(), "openssl {line}");
        };
        std::fs::write(self.data().join("names"), "subjectAltName=DNS:localhost\n").unwrap();
        let key = "-nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1";
        openssl(&format!("req -x509 {key} -days 2 -subj /CN=authority -keyout ca.key -out ca.crt"));
        openssl(&format!("req {key} -subj /CN=localhost -keyout server.key -out server.csr"));
        openssl(
            "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 \
             -extfile names -out server.crt",
        );
        // Others may read it: it is no secret, and the program runs as somebody else.
        std::fs::copy(self.data().join("ca.crt"), self.root()).unwrap();
    }

    /// The certificate of the authority.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root.crt")
    }

    /// The address of a database over TCP, as `host`.
    pub fn tcp(&self, host: &str, name: &str) -> String {
        format!("postgres://test@{host}:{}/{name}", self.port.unwrap())
    }

    /// The address of a database.
    pub fn url(&self, name: &str) -> String {
        let port = self.port.map(|port| format!("&port={port}")).unwrap_or_default();
        format!("postgres:///{name}?host={}&user=test{port}", self.folder.path().display())
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        as_servant(&self.programs.join(program))
    }
}

/// A pooler that runs until this is dropped.
pub struct Pooler {
    child: std::process::Child,
    _folder: TempDir,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A program of the server, or beside it, as the user that the server runs as.
pub fn as_servant(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C").env("PATH", "/usr/bin:/bin").current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some((uid, gid)) = servant() {
        command.uid(uid).gid(gid);
    }
    command
}

/// Where the server's programs are: in the folder that `SECONDLOOK_PG_BIN` names, else where Debian keeps those of
/// the newest version.
pub fn programs() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("SECONDLOOK_PG_BIN").map(PathBuf::from) {
        assert!(folder.join("initdb").exists(), "there is no initdb in SECONDLOOK_PG_BIN");
        return Some(folder);
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.filter_map(Result::ok);
    let folders = versions.map(|version| version.path().join("bin"));
    folders.filter(|folder| folder.join("initdb").exists()).max()
}

/// PostgreSQL refuses to run as root: the user that root runs it as.
pub fn servant() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string(Path::new("/etc/passwd")).unwrap();
    let line = users.lines().find(|line| line.starts_with("postgres:"));
    let ids = line.and_then(|line| {
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    Some(ids.unwrap_or((65534, 65534)))
}
