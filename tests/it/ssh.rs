//! The console as most reviewers have it: `ssh -t host secondlook review`, through a real sshd on
//! loopback that is started for the test alone.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use secondlook::sim::{Limits, Options, Route, Sim, session_id};
use secondlook::store::{self, HistoryQuery};

use crate::stage;
use crate::terminal::{Home, LIMIT, PROGRAM, Plays, Terminal, has, world};

/// An sshd of this test's own, with a key that may log in.
struct Server {
    folder: tempfile::TempDir,
    port: u16,
    daemon: Child,
}

impl Server {
    /// Starts it; what is in the home's environment is what a session there finds.
    fn start(home: &Home) -> Self {
        let folder = tempfile::TempDir::with_prefix("sshd").unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        if rustix::process::geteuid().is_root() {
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        for key in ["host", "id"] {
            let mut make = Command::new("ssh-keygen");
            make.args(["-q", "-t", "ed25519", "-N", "", "-f", &path(key)]);
            assert!(make.status().unwrap().success());
        }
        std::fs::copy(path("id.pub"), path("authorized")).unwrap();
        // A port that was free a moment ago; another one where somebody was faster.
        for _ in 0..10 {
            let port = {
                let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
                listener.local_addr().unwrap().port()
            };
            std::fs::write(path("config"), configuration(&folder, port, home)).unwrap();
            let mut daemon = Command::new("/usr/sbin/sshd")
                .args(["-D", "-f", &path("config"), "-E", &path("log")])
                .stdin(Stdio::null())
                .spawn()
                .unwrap();
            if listens(port, &mut daemon) {
                return Self { folder, port, daemon };
            }
        }
        panic!("sshd does not start: {}", std::fs::read_to_string(path("log")).unwrap());
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("id")
    }

    /// Logs in and opens the console.
    fn console(&self, home: &Home, plays: Plays) -> Terminal {
        let key = self.key().display().to_string();
        let known = format!("UserKnownHostsFile={}", self.folder.path().join("known").display());
        let (port, user) = (self.port.to_string(), user());
        let arguments = ["-F", "none", "-i", &key, "-o", "IdentitiesOnly=yes", "-o", &known];
        let more = ["-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR", "-p", &port];
        let host = format!("{user}@127.0.0.1");
        let what = ["-t", &host, "secondlook", "review"];
        home.open(plays, "ssh", &[&arguments[..], &more[..], &what[..]].concat())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

fn configuration(folder: &tempfile::TempDir, port: u16, home: &Home) -> String {
    let path = |name: &str| folder.path().join(name).display().to_string();
    let programs = PathBuf::from(PROGRAM).parent().unwrap().display().to_string();
    let variables: Vec<String> = home
        .environment()
        .iter()
        .filter(|(name, _)| name != "TERM")
        .map(|(name, value)| match name.as_str() {
            "PATH" => format!("PATH={programs}:{value}"),
            _ => format!("{name}={value}"),
        })
        .collect();
    format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nPidFile none\n\
         AuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
         KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n\
         ExposeAuthInfo yes\nSetEnv {}\n",
        path("host"),
        path("authorized"),
        variables.join(" "),
    )
}

/// Waits until the daemon takes connections; false when it has ended instead.
fn listens(port: u16, daemon: &mut Child) -> bool {
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        if daemon.try_wait().unwrap().is_some() {
            return false;
        }
        // Nobody tells when a daemon is ready: it is asked again a little later.
        std::thread::park_timeout(Duration::from_millis(20));
    }
    false
}

/// The user who runs this, by the system's list.
fn user() -> String {
    let uid = rustix::process::geteuid().as_raw().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let mut lines = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    lines.find(|fields| fields[2] == uid).unwrap()[0].to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_connection_leaves_everything_as_it_was_and_the_case_free() {
    if !has("sshd") || !has("ssh") {
        return;
    }
    let options = Options { limits: Limits::none(), ..Options::default() };
    let sim = Sim::start(world([1001, 1002]), options).await.unwrap();
    let home = Home::at(&sim, 300);
    let server = Server::start(&home);

    let console = server.console(&home, Plays::Kitty);
    let decided = console.any_armed();
    console.wait_for(&["kitty"]);
    console.press("x");
    console.wait_for(&[&format!("held: #{decided} reject"), "held 1"]);
    let other = console.any_armed();
    assert_ne!(other, decided);
    // The line is cut, not closed.
    console.signal(Signal::KILL);
    console.end();

    let console = server.console(&home, Plays::Kitty);
    console.wait_for(&[&format!("held: #{decided} reject"), "held 1"]);
    console.wait_armed(other);
    let writes = |sim: &Sim| {
        sim.record().iter().filter(|call| call.route == Some(Route::UpdateStatus)).count()
    };
    assert_eq!(writes(&sim), 0);
    // Suspending would leave nobody who could resume it.
    console.press("\x1a");
    console.wait_for(&["no shell to come back from"]);
    console.wait_armed(other);
    console.press("$");
    console.wait_for(&[&format!("#{decided} reject: Declined at Didit, read back.")]);
    console.press("q");
    let (code, words) = console.restored();
    assert_eq!(code, 0, "{words}");
    assert_eq!(writes(&sim), 1);
    assert_eq!(sim.session(session_id(decided)).unwrap().status, "Declined");

    // Without a roster one person works alone, and what sshd's file says decides nothing.
    let store = store::open(&format!("sqlite:{}", home.path("store.db").display())).await.unwrap();
    let client = stage::client(sim.base_url(), sim.api_key());
    let origin = client.origin(&store.salt().await.unwrap());
    let rows = store.history(&origin, &HistoryQuery::default()).await.unwrap().rows;
    let who = &rows[0].decision.reviewer;
    assert_eq!((rows.len(), who.name.as_str()), (1, "ana"));
    assert_eq!(who.id.0, format!("os:{}", rustix::process::geteuid().as_raw()));
    store.close().await;
}
