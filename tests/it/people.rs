//! People for tests: each with a key of their own in an ssh-agent of their own, and a roster that knows them.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use crate::terminal::{LIMIT, has};

/// Somebody whose key is in a running ssh-agent, and nowhere else.
pub struct Person {
    pub name: String,
    folder: TempDir,
    agent: Child,
}

impl Person {
    /// A person with a fresh key; `None` where OpenSSH's programs are missing.
    pub fn new(name: &str) -> Option<Self> {
        if !["ssh-agent", "ssh-add", "ssh-keygen"].into_iter().all(has) {
            return None;
        }
        let folder = TempDir::with_prefix("who").unwrap();
        let sock = folder.path().join("agent");
        let agent = Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(&sock)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // It says so when a program is killed in the middle of a question.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let person = Self { name: name.to_owned(), folder, agent };
        let since = Instant::now();
        while std::os::unix::net::UnixStream::connect(&sock).is_err() {
            assert!(since.elapsed() < LIMIT, "the agent does not listen");
            std::thread::yield_now();
        }
        person.shell("ssh-keygen -q -t ed25519 -N '' -C '' -f key; ssh-add -q key; rm key");
        Some(person)
    }

    /// Runs a shell's lines in the person's folder, with their agent.
    pub fn shell(&self, lines: &str) -> String {
        let mut command = Command::new("sh");
        command.args(["-e", "-c", lines]).current_dir(self.folder.path());
        command.env("SSH_AUTH_SOCK", self.path("agent")).env("HOME", self.folder.path());
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(output.status.success(), "{lines}\n{text}");
        text
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The file of the public key.
    pub fn key(&self) -> String {
        self.path("key.pub").display().to_string()
    }

    /// A signature of a text with the key, for a purpose.
    pub fn sign(&self, namespace: &str, text: &str) -> String {
        std::fs::write(self.path("text"), text).unwrap();
        self.shell(&format!("ssh-keygen -q -Y sign -f key.pub -n {namespace} text 2>&1"));
        let signature = std::fs::read_to_string(self.path("text.sig")).unwrap();
        self.shell("rm text text.sig");
        signature
    }

    /// The variables that make a command this person's.
    pub fn env(&self) -> Vec<(String, String)> {
        vec![
            ("SSH_AUTH_SOCK".to_owned(), self.path("agent").display().to_string()),
            ("SECONDLOOK_REVIEWER".to_owned(), self.name.clone()),
            ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned()),
        ]
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

/// The commands by which a chief, who reviews nothing, puts these people on the roster.
pub fn enrolment(chief: &Person, people: &[&Person]) -> Vec<Vec<String>> {
    let add = |person: &Person| {
        ["reviewers", "add", &person.name, "--label", &person.name, "--key", &person.key()]
            .map(str::to_owned)
            .to_vec()
    };
    std::iter::once(chief).chain(people.iter().copied()).map(add).collect()
}
