//! What is proven here is what OpenSSH proves: its own tools make keys, certificates and signatures that are
//! checked here, and check what is made here.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use secondlook::domain::Millis;
use secondlook::proof::{
    self, AllowedSigner, BadCertificate, BadSignature, CertName, Certificate, NotProven, Proof,
    PublicKey, Signer, Why, auth_info, parse_signers, print_signers, verify,
};
use secondlook::shell::agent::{Agent, AgentError, Patience, find, tmux_socket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::terminal::has;

const NAMESPACE: &str = "decision@secondlook";
const TEXT: &[u8] = b"declined, case 1, at noon";
/// A moment within what the tests' certificates last: 2030-06-01.
const NOON: Millis = Millis(1_906_545_600_000);
/// How long everything that should happen may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn tools() -> bool {
    ["ssh-keygen", "ssh-agent", "ssh-add"].into_iter().all(has)
}

/// A folder for keys, and programs that run in it.
struct Desk {
    folder: tempfile::TempDir,
    agents: Vec<Child>,
}

impl Drop for Desk {
    fn drop(&mut self) {
        for agent in &mut self.agents {
            let _ = agent.kill();
            let _ = agent.wait();
        }
    }
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::TempDir::with_prefix("proof").unwrap(), agents: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Runs lines in the folder, with the agent there if one was started; what they say, if they succeed.
    fn tries(&self, lines: &str) -> Result<String, String> {
        let output = Command::new("sh")
            .args(["-e", "-c", lines])
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("SSH_AUTH_SOCK", self.path("agent"))
            .env("SSH_ASKPASS", self.path("askpass"))
            .env("SSH_ASKPASS_REQUIRE", "force")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        if output.status.success() { Ok(said) } else { Err(said) }
    }

    fn run(&self, lines: &str) -> String {
        self.tries(lines).unwrap_or_else(|said| panic!("{lines}\n{said}"))
    }

    /// Makes a key pair.
    fn key(&self, name: &str, kind: &str) -> PublicKey {
        self.run(&format!("ssh-keygen -q {kind} -N '' -C {name}@desk -f {name}"));
        PublicKey::parse(&self.read(&format!("{name}.pub"))).unwrap()
    }

    /// A CA signs a key; its certificate.
    fn certified(&self, name: &str, how: &str) -> Certificate {
        self.certify(name, how);
        Certificate::parse(&self.read(&format!("{name}-cert.pub"))).unwrap()
    }

    fn certify(&self, name: &str, how: &str) {
        self.run(&format!("ssh-keygen -q {how} {name}.pub"));
    }

    /// Starts an agent that holds nothing.
    fn agent(&mut self) -> Agent {
        let mut agent = Command::new("ssh-agent");
        agent.arg("-D").arg("-a").arg(self.path("agent")).stdout(Stdio::null());
        self.agents.push(agent.spawn().unwrap());
        self.write("askpass", "#!/bin/sh\necho secret\n");
        self.run("chmod +x askpass");
        // Nobody tells when its socket is there.
        self.run("timeout 30 sh -c 'while ! test -S agent; do sleep 0.02; done'");
        Agent::at(Some(&self.path("agent"))).unwrap()
    }

    /// `ssh-keygen -Y sign`.
    fn signature(&self, key: &str, namespace: &str, more: &str) -> String {
        self.write("text", TEXT);
        self.run(&format!(
            "rm -f text.sig; ssh-keygen -q -Y sign -n {namespace} {more} -f {key} text"
        ));
        self.read("text.sig")
    }

    /// `ssh-keygen -Y verify` of our signature, by a list that we print.
    fn accepted(&self, signature: &str, signer: AllowedSigner) -> Result<String, String> {
        self.write("list", print_signers(&[signer]).unwrap());
        self.write("ours.sig", signature);
        self.write("text", TEXT);
        self.tries(&format!(
            "ssh-keygen -Y verify -f list -I ana -n {NAMESPACE} -O verify-time=20300601Z -s ours.sig < text"
        ))
    }
}

fn allowed(key: PublicKey) -> AllowedSigner {
    AllowedSigner {
        principals: vec!["ana".to_owned()],
        cert_authority: false,
        namespaces: Some(vec![NAMESPACE.to_owned()]),
        valid_after: Some(1_000_000_000),
        valid_before: Some(2_000_000_000),
        key,
        comment: "ana's own".to_owned(),
    }
}

const KINDS: [&str; 5] =
    ["-t ed25519", "-t ecdsa -b 256", "-t ecdsa -b 384", "-t ecdsa -b 521", "-t rsa -b 3072"];
/// From the first of May to the end of June 2030.
const DAYS: &str = "-V 20300501Z:20300701Z";

#[test]
fn keys_read_as_ssh_keygen_reads_them() {
    if !tools() {
        return;
    }
    let desk = Desk::new();
    for (number, kind) in KINDS.into_iter().enumerate() {
        let name = format!("id{number}");
        let key = desk.key(&name, kind);
        let said = desk.run(&format!("ssh-keygen -lf {name}.pub"));
        assert_eq!(said.split(' ').nth(1).unwrap(), key.fingerprint());
        assert!(desk.read(&format!("{name}.pub")).starts_with(&format!("{} ", key.line())));
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(json, format!("{:?}", key.line()));
        assert_eq!(serde_json::from_str::<PublicKey>(&json).unwrap(), key);
    }
    desk.run("ssh-keygen -q -t rsa -b 1024 -N '' -f short");
    let said = PublicKey::parse(&desk.read("short.pub")).unwrap_err().to_string();
    assert!(said.contains("an RSA key of 1024 bits does not count"), "{said}");
}

#[test]
fn signatures_of_ssh_keygen_prove_who_made_them() {
    if !tools() {
        return;
    }
    let desk = Desk::new();
    let other = desk.key("other", "-t ed25519");
    for (number, kind) in KINDS.into_iter().enumerate() {
        let name = format!("id{number}");
        let key = desk.key(&name, kind);
        for hash in ["", "-O hashalg=sha256"] {
            let signature = desk.signature(&name, NAMESPACE, hash);
            let signer = verify(TEXT, &signature, NAMESPACE).unwrap();
            assert_eq!(signer, Signer::Key(key.clone()), "{kind}");
            signer.satisfies(&Proof::Key(key.clone()), NOON).unwrap();
            let why = signer.satisfies(&Proof::Key(other.clone()), NOON).unwrap_err();
            assert!(why.to_string().contains(&other.fingerprint()), "{why}");

            let wrong = verify(b"declined, case 2, at noon", &signature, NAMESPACE);
            assert_eq!(wrong, Err(NotProven::Signature(BadSignature::Wrong)));
            let wrong = verify(TEXT, &signature, "file").unwrap_err().to_string();
            assert_eq!(wrong, format!("the signature was made for `{NAMESPACE}`, not for `file`"));
        }
    }
}

#[test]
fn who_a_certificate_names_is_who_signed_whatever_key_they_have_today() {
    if !tools() {
        return;
    }
    let desk = Desk::new();
    for (ca, kind) in [("ca1", "-t ed25519"), ("ca2", "-t rsa -b 2048"), ("ca3", "-t ecdsa -b 521")]
    {
        let ca_key = desk.key(ca, kind);
        let proof = Proof::Certificate { ca: ca_key.clone(), name: CertName::KeyId("ana".into()) };
        for (day, kind) in KINDS.into_iter().enumerate() {
            let name = format!("{ca}-day{day}");
            let key = desk.key(&name, kind);
            let how = format!("-s {ca} -I ana -n staff,anna -z {day} {DAYS}");
            let certificate = desk.certified(&name, &how);
            assert_eq!(certificate.key(), &key);
            assert_eq!(certificate.ca(), &ca_key);
            assert_eq!(certificate.key_id(), "ana");
            assert_eq!(certificate.principals(), ["staff", "anna"]);
            assert_eq!(certificate.serial(), day as u64);
            assert_eq!(certificate.valid_after(), 1_903_824_000);
            assert_eq!(certificate.valid_before(), Some(1_909_094_400));

            // What it signs, and the same key without it.
            let signature = desk.signature(&format!("{name}-cert.pub"), NAMESPACE, "");
            let signer = verify(TEXT, &signature, NAMESPACE).unwrap();
            assert_eq!(signer, Signer::Certificate(Box::new(certificate)), "{kind}");
            signer.satisfies(&proof, NOON).unwrap();
            signer.satisfies(&Proof::Key(key.clone()), NOON).unwrap();
            let alone = Signer::Key(key).satisfies(&proof, NOON).unwrap_err();
            assert!(matches!(alone, Why::NoCertificate(_)), "{alone}");
        }
    }
}

#[test]
fn a_certificate_counts_for_its_name_by_its_ca_in_its_time() {
    if !tools() {
        return;
    }
    let desk = Desk::new();
    let [ca, other] = ["ca", "other"].map(|name| desk.key(name, "-t ed25519"));
    desk.key("id", "-t ed25519");
    let certificate = desk.certified("id", &format!("-s ca -I ana -n staff,anna {DAYS}"));
    let signer = Signer::Certificate(Box::new(certificate));
    let named = |ca: &PublicKey, name| Proof::Certificate { ca: ca.clone(), name };
    let id = |id: &str| CertName::KeyId(id.to_owned());
    let principal = |name: &str| CertName::Principal(name.to_owned());
    signer.satisfies(&named(&ca, id("ana")), NOON).unwrap();
    signer.satisfies(&named(&ca, principal("anna")), NOON).unwrap();

    let after = Millis(1_909_094_400_000);
    let before = Millis(1_903_824_000_000);
    signer.satisfies(&named(&ca, id("ana")), after.plus(-1)).unwrap();
    signer.satisfies(&named(&ca, id("ana")), before).unwrap();
    for (proof, at, words) in [
        (named(&ca, id("ana")), after, "the certificate ended at 2030-07-01 00:00:00 UTC"),
        (named(&ca, id("ana")), before.plus(-1), "only from 2030-05-01 00:00:00 UTC on"),
        (named(&ca, id("ana")), Millis(-1), "only from 2030-05-01 00:00:00 UTC on"),
        (named(&ca, id("ben")), NOON, "of the key id `ana`, not of the key id `ben`"),
        (named(&ca, id("an")), NOON, "not of the key id `an`"),
        (named(&ca, id("")), NOON, "not of the key id ``"),
        (named(&ca, principal("ana")), NOON, "the principals `staff,anna`, not of the principal"),
        (named(&ca, principal("staff,anna")), NOON, "not of the principal"),
        (named(&other, id("ana")), NOON, "the certificate is of the CA SHA256:"),
        (Proof::Role("ana".to_owned()), NOON, "proven by the database, not by a signature"),
    ] {
        let why = signer.satisfies(&proof, at).unwrap_err().to_string();
        assert!(why.contains(words), "{why}");
    }

    // One without an end, of nobody's name.
    let open = desk.certified("id", "-s ca -I ''");
    assert_eq!(open.valid_before(), None);
    let open = Signer::Certificate(Box::new(open));
    for name in [id(""), principal(""), principal("ana")] {
        assert!(matches!(open.satisfies(&named(&ca, name), NOON), Err(Why::OtherName { .. })));
    }
}

#[test]
fn certificates_that_say_less_than_they_seem_are_refused() {
    if !tools() {
        return;
    }
    let desk = Desk::new();
    desk.key("ca", "-t rsa -b 2048");
    desk.key("id", "-t ed25519");
    let refused = |how: &str| {
        desk.certify("id", how);
        Certificate::parse(&desk.read("id-cert.pub")).unwrap_err().to_string()
    };
    let host = refused("-s ca -h -I ana");
    assert!(host.contains("the certificate of a host, not of a person"), "{host}");
    let sha1 = refused("-s ca -t ssh-rsa -I ana");
    assert!(sha1.contains("made with SHA-1"), "{sha1}");
    let from = refused("-s ca -I ana -O source-address=10.0.0.0/8");
    assert!(from.contains("counts only under `source-address`"), "{from}");
    let strange = refused("-s ca -I ana -O critical:moon@example.org=full");
    assert!(strange.contains("counts only under `moon@example.org`"), "{strange}");
    // What says only what a login may run says nothing about who it is.
    let good = desk.certified("id", "-s ca -I ana -O force-command=true -O verify-required");
    assert!(good.verify_required());
    // A certificate is no key, and a key none.
    let line = desk.read("id-cert.pub");
    let said = PublicKey::parse(&line).unwrap_err().to_string();
    assert!(said.contains("it is a certificate, not a key"), "{said}");
    assert_eq!(Certificate::parse(&desk.read("id.pub")), Err(BadCertificate::NotALine));
    // Nobody but the CA may change anything in it.
    let blob = good.blob();
    for at in 0..blob.len() {
        let mut bent = blob.to_vec();
        bent[at] ^= 1;
        assert!(Certificate::of_blob(&bent).is_err(), "byte {at}");
    }
}

#[test]
fn a_login_tells_its_keys() {
    if !tools() {
        return;
    }
    let desk = Desk::new();
    desk.key("ca", "-t ed25519");
    let key = desk.key("id", "-t ecdsa");
    let certificate = desk.certified("id", "-s ca -I ana");
    let text = format!(
        "publickey {}\npassword\npublickey ssh-dss AAAA\nnonsense\npublickey {}\n",
        certificate.line(),
        key.line()
    );
    assert_eq!(auth_info(&text), [Signer::Certificate(Box::new(certificate)), Signer::Key(key)]);
}

#[tokio::test]
async fn what_an_agent_signs_here_is_what_ssh_keygen_accepts() {
    if !tools() {
        return;
    }
    let mut desk = Desk::new();
    let agent = desk.agent();
    let ca = desk.key("ca", "-t ed25519");
    for (number, kind) in KINDS.into_iter().enumerate() {
        let name = format!("id{number}");
        desk.key(&name, kind);
        desk.certified(&name, &format!("-s ca -I ana -n ana {DAYS}"));
        desk.run(&format!("ssh-add -q {name}"));
    }
    let held = agent.list().await.unwrap();
    assert_eq!(held.usable.len(), 2 * KINDS.len());
    assert_eq!(held.set_aside, []);
    assert_eq!(held.usable[0].comment, "id0@desk");
    for identity in held.usable {
        let signature = agent.sign(&identity.signer, NAMESPACE, TEXT).await.unwrap();
        let line = match &identity.signer {
            Signer::Key(key) => allowed(key.clone()),
            Signer::Certificate(_) => AllowedSigner { cert_authority: true, ..allowed(ca.clone()) },
        };
        let said = desk.accepted(&signature, line.clone()).unwrap();
        assert!(said.contains(&format!("Good \"{NAMESPACE}\" signature for ana")), "{said}");
        // And it is the list that made ssh-keygen say so.
        let late = AllowedSigner { valid_before: Some(1_500_000_000), ..line.clone() };
        assert!(desk.accepted(&signature, late).is_err());
        let elsewhere = AllowedSigner { namespaces: Some(vec!["file".to_owned()]), ..line.clone() };
        assert!(desk.accepted(&signature, elsewhere).is_err());
        let somebody = AllowedSigner { principals: vec!["ben".to_owned()], ..line };
        assert!(desk.accepted(&signature, somebody).is_err());
    }
}

#[tokio::test]
async fn an_agent_that_says_no_is_told_apart() {
    if !tools() {
        return;
    }
    let mut desk = Desk::new();
    let agent = desk.agent();
    let key = desk.key("id", "-t ed25519");
    let signer = Signer::Key(key);
    assert_eq!(agent.list().await.unwrap().usable, []);
    assert_eq!(agent.sign(&signer, NAMESPACE, TEXT).await, Err(AgentError::Locked));

    desk.run("ssh-add -q id");
    agent.sign(&signer, NAMESPACE, TEXT).await.unwrap();
    // Locked, it looks empty; only asking it to sign tells.
    desk.run("ssh-add -x");
    assert_eq!(agent.list().await.unwrap().usable, []);
    assert_eq!(agent.sign(&signer, NAMESPACE, TEXT).await, Err(AgentError::Locked));
    desk.run("ssh-add -X");
    agent.sign(&signer, NAMESPACE, TEXT).await.unwrap();

    // It asks somebody, who says no.
    desk.run("ssh-add -q -D; ssh-add -q -c id");
    desk.write("askpass", "#!/bin/sh\nexit 1\n");
    assert_eq!(agent.sign(&signer, NAMESPACE, TEXT).await, Err(AgentError::Refused));

    desk.key("other", "-t ed25519");
    desk.run("ssh-add -q -D; ssh-add -q other");
    assert_eq!(agent.sign(&signer, NAMESPACE, TEXT).await, Err(AgentError::Gone));

    for mut child in std::mem::take(&mut desk.agents) {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let gone = agent.list().await.unwrap_err().to_string();
    assert!(gone.contains("nobody listens there any more"), "{gone}");
    std::fs::remove_file(desk.path("agent")).unwrap();
    let gone = agent.sign(&signer, NAMESPACE, TEXT).await.unwrap_err().to_string();
    assert!(gone.contains("its socket is gone"), "{gone}");
}

/// Something at a socket that reads a question and answers with these bytes; with none it never does.
fn strange(path: &Path, answer: Option<Vec<u8>>) -> tokio::task::JoinHandle<()> {
    let listener = tokio::net::UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut length = [0; 4];
            stream.read_exact(&mut length).await.unwrap();
            let mut question = vec![0; u32::from_be_bytes(length) as usize];
            stream.read_exact(&mut question).await.unwrap();
            match &answer {
                Some(answer) => stream.write_all(answer).await.unwrap(),
                None => kept.push(stream),
            }
        }
    })
}

#[tokio::test]
async fn an_agent_that_is_silent_is_not_waited_for() {
    let desk = Desk::new();
    let silent = strange(&desk.path("silent"), None);
    let short = Duration::from_millis(50);
    let agent = Agent::at(Some(&desk.path("silent"))).unwrap();
    let agent = agent.with(Patience { list: short, sign: short });
    let all = async {
        assert!(matches!(agent.list().await, Err(AgentError::TimedOut(_))));
        let key =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICOQoVLx0zSnpZGt24OvqUHMwmzJ4MIbSHQfm7eUYyX1";
        let signer = Signer::Key(PublicKey::parse(key).unwrap());
        let signed = agent.sign(&signer, NAMESPACE, TEXT).await;
        assert!(matches!(signed, Err(AgentError::TimedOut(_))));
    };
    tokio::time::timeout(PATIENCE, all).await.unwrap();
    silent.abort();
}

#[tokio::test]
async fn an_agent_that_talks_nonsense_is_not_believed() {
    let desk = Desk::new();
    let signer = {
        let key =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICOQoVLx0zSnpZGt24OvqUHMwmzJ4MIbSHQfm7eUYyX1";
        Signer::Key(PublicKey::parse(key).unwrap())
    };
    let framed =
        |body: &[u8]| [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], body].concat();
    // A signature of the right form by nobody.
    let mut forged = vec![14, 0, 0, 0, 83, 0, 0, 0, 11];
    forged.extend(b"ssh-ed25519");
    forged.extend([0, 0, 0, 64]);
    forged.extend([7; 64]);
    for (number, answer) in [
        vec![0, 0, 0, 0],
        vec![0xff; 8],
        vec![0, 4, 0, 1, 12],
        framed(&[12]),
        framed(&[12, 0xff, 0xff, 0xff, 0xff]),
        framed(&[12, 0, 0, 0, 1, 0, 0, 0, 9, 1]),
        framed(&[12, 0, 0, 0, 0, 0]),
        framed(&[14, 0, 0, 0, 1]),
        framed(&[99]),
        framed(&forged),
    ]
    .into_iter()
    .enumerate()
    {
        let path = desk.path(&format!("strange{number}"));
        let task = strange(&path, Some(answer));
        // One whose answer is shorter than it said stays open; the deadline ends it.
        let short = Duration::from_millis(50);
        let agent =
            Agent::at(Some(&path)).unwrap().with(Patience { list: PATIENCE, sign: PATIENCE });
        let brief = agent.clone().with(Patience { list: short, sign: short });
        let cut = number == 2;
        let agent = if cut { brief } else { agent };
        for error in [
            agent.list().await.unwrap_err(),
            agent.sign(&signer, NAMESPACE, TEXT).await.unwrap_err(),
        ] {
            assert!(matches!(error, AgentError::Garbled(_)), "{number}: {error}");
        }
        task.abort();
    }
}

#[tokio::test]
async fn an_agent_is_looked_for_again() {
    if !tools() {
        return;
    }
    let mut desk = Desk::new();
    let patience = Patience::default();
    let none = || async { None };
    assert_eq!(find(None, patience, none).await.unwrap_err(), AgentError::NoAgent);
    let stale = desk.path("stale");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    let error = find(Some(&stale), patience, none).await.unwrap_err();
    assert!(matches!(error, AgentError::Unreachable(_)), "{error}");
    desk.write("file", "");
    let error = find(Some(&desk.path("file")), patience, none).await.unwrap_err().to_string();
    assert!(error.contains("it is not a socket"), "{error}");

    // Where tmux says that it is; and where a link leads that was renewed.
    desk.agent();
    let live = desk.path("agent");
    let there = || async { Some(desk.path("agent")) };
    assert_eq!(find(Some(&stale), patience, there).await.unwrap().socket(), live);
    assert_eq!(find(None, patience, there).await.unwrap().socket(), live);
    let link = desk.path("link");
    std::os::unix::fs::symlink(&stale, &link).unwrap();
    assert!(find(Some(&link), patience, none).await.is_err());
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(&live, &link).unwrap();
    assert_eq!(find(Some(&link), patience, none).await.unwrap().socket(), link);

    // An agent that answers is better than none, one with a key better than an empty one.
    let empty = desk.path("empty");
    let task = strange(&empty, Some(vec![0, 0, 0, 5, 12, 0, 0, 0, 0]));
    assert_eq!(find(Some(&empty), patience, none).await.unwrap().socket(), empty);
    assert_eq!(find(Some(&empty), patience, there).await.unwrap().socket(), empty);
    desk.key("id", "-t ed25519");
    desk.run("ssh-add -q id");
    assert_eq!(find(Some(&empty), patience, there).await.unwrap().socket(), live);
    task.abort();

    // Somebody else's is nobody's.
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&live, Some(65534), None).unwrap();
        let error = Agent::at(Some(&link)).unwrap().list().await.unwrap_err();
        assert_eq!(error, AgentError::NotOurs);
    }
}

#[tokio::test]
async fn tmux_tells_whose_agent_was_brought_last() {
    if !has("tmux") {
        return;
    }
    let desk = Desk::new();
    let tmux = |lines: &str| desk.run(&format!("tmux -S {} {lines}", desk.path("tmux").display()));
    // In a pane of that server tmux needs no more than its own environment.
    tmux("-f /dev/null new-session -d 'sleep 600'");
    let pid = tmux("display-message -p '#{pid}'");
    let inside = format!("{},{},0", desk.path("tmux").display(), pid.trim());
    tmux("set-environment SSH_AUTH_SOCK /somewhere/agent");
    assert_eq!(tmux_socket(Some(&inside)).await, Some(PathBuf::from("/somewhere/agent")));
    for lines in ["set-environment -r SSH_AUTH_SOCK", "set-environment SSH_AUTH_SOCK ''"] {
        tmux(lines);
        assert_eq!(tmux_socket(Some(&inside)).await, None);
    }
    tmux("kill-server");
    assert_eq!(tmux_socket(Some(&inside)).await, None);
    assert_eq!(tmux_socket(None).await, None);
}

#[test]
fn lists_of_signers_are_read_as_ssh_keygen_reads_them() {
    if !tools() {
        return;
    }
    let desk = Desk::new();
    let key = desk.key("id", "-t ed25519");
    let signature = desk.signature("id", NAMESPACE, "");
    let line = key.line();
    for (list, theirs, ours) in [
        (format!("ana {line}"), true, true),
        (format!("\t ben,ana\t{line} a comment"), true, true),
        (format!("\"ana,ben b\" {line}"), true, true),
        (format!("ana NAMESPACES=\"x,{NAMESPACE}\" {line}"), true, true),
        (
            format!("ana valid-after=\"20290101Z\",valid-before=\"203101010000Z\" {line}"),
            true,
            true,
        ),
        (format!("ana valid-after=\"0x1\" {line}"), false, false),
        (format!("# ana {line}"), false, false),
        (format!("ana namespaces={NAMESPACE} {line}"), false, false),
        (format!("ana moon {line}"), false, false),
        (format!("\"ana {line}"), false, false),
        (format!("ana valid-after=\"20290101Z\"valid-before=\"20310101Z\" {line}"), false, false),
        // Where ssh-keygen takes more than names of people, or the time of its machine, it is not taken here.
        (format!("a* {line}"), true, false),
        (format!("*,!ben {line}"), true, false),
        (format!("ana valid-before=\"20310101\" {line}"), true, false),
    ] {
        desk.write("list", format!("{list}\n"));
        desk.write("ours.sig", &signature);
        let said = desk.tries(&format!(
            "ssh-keygen -Y verify -f list -I ana -n {NAMESPACE} -O verify-time=20300601Z -s ours.sig < text"
        ));
        assert_eq!(said.is_ok(), theirs, "{list}\n{said:?}");
        let (good, bad) = parse_signers(&list);
        assert_eq!(good.len() == 1 && bad.is_empty(), ours, "{list}\n{good:?} {bad:?}");
        if let [signer] = &good[..] {
            assert_eq!(signer.key, key);
            assert!(signer.principals.contains(&"ana".to_owned()));
            let printed = print_signers(&good).unwrap();
            assert_eq!(parse_signers(&printed).0, good, "{printed}");
        }
    }
}

#[test]
fn a_signature_with_sha1_is_refused() {
    if !tools() {
        return;
    }
    let mut desk = Desk::new();
    desk.agent();
    let key = desk.key("id", "-t rsa -b 2048");
    desk.run("ssh-add -q id");
    // Asked without flags, an agent signs with SHA-1.
    let mut question = vec![13];
    let put = |out: &mut Vec<u8>, bytes: &[u8]| {
        out.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
        out.extend(bytes);
    };
    put(&mut question, key.blob());
    put(&mut question, &proof::to_be_signed(TEXT, NAMESPACE));
    question.extend([0; 4]);
    let mut message = Vec::new();
    put(&mut message, &question);
    let mut stream = std::os::unix::net::UnixStream::connect(desk.path("agent")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    std::io::Write::write_all(&mut stream, &message).unwrap();
    let mut head = [0; 9];
    std::io::Read::read_exact(&mut stream, &mut head).unwrap();
    assert_eq!(head[4], 14);
    let mut raw = vec![0; u32::from_be_bytes(head[5..].try_into().unwrap()) as usize];
    std::io::Read::read_exact(&mut stream, &mut raw).unwrap();
    assert_eq!(&raw[4..11], b"ssh-rsa");
    let armoured = proof::armoured(&Signer::Key(key), NAMESPACE, &raw);
    let said = verify(TEXT, &armoured, NAMESPACE).unwrap_err().to_string();
    assert!(said.contains("made with SHA-1, which can be forged"), "{said}");
}
