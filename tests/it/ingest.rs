//! Cases from files and pipes, by the real binary: every shape, bad lines, duplicates, exit codes.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use secondlook::sim::{Candidate, Options, Session, Sim, World, session_id};
use serde_json::{Value, json};

use crate::stage::world;

/// A simulator, a home of its own, and the real binary.
pub struct Shell {
    pub sim: Sim,
    home: tempfile::TempDir,
}

impl Shell {
    pub async fn new(world: World, options: Options) -> Self {
        let sim = Sim::start(world, options).await.unwrap();
        Self { sim, home: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_secondlook"));
        command
            .args(args)
            .env_clear()
            .env("HOME", self.home.path())
            .env("DIDIT_API_KEY", self.sim.api_key())
            .env("DIDIT_BASE_URL", self.sim.base_url())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs it to its end, with `input` on standard input.
    pub async fn run(&self, args: &[&str], input: &[u8]) -> Output {
        let mut child = self.command(args).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        tokio::task::spawn_blocking(move || {
            // It may end without having read everything.
            let _ = stdin.write_all(&input);
            drop(stdin);
            child.wait_with_output().unwrap()
        })
        .await
        .unwrap()
    }

    /// Runs it and reads the JSON lines it prints.
    pub async fn json(&self, args: &[&str], input: &[u8]) -> (i32, Vec<Value>, String) {
        let output = self.run(&[&["--json"], args].concat(), input).await;
        let rows = String::from_utf8(output.stdout).unwrap();
        let rows = rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (output.status.code().unwrap(), rows, String::from_utf8(output.stderr).unwrap())
    }
}

/// A face-search reply with one match of this similarity.
fn reply(id: u64, similarity: f64, link: &str) -> Value {
    json!({
        "request_id": session_id(id),
        "face_search": {
            "status": "Approved", "total_matches": 1,
            "matches": [{
                "session_id": session_id(7), "session_number": 7,
                "similarity_percentage": similarity, "match_image_url": link,
                "user_details": { "name": "Zoraida Quux", "document_number": "X123456" },
            }],
        },
    })
}

const LINK: &str = "https://media.example/face.jpg?X-Amz-Expires=3600";

fn like(number: u64, similarity: f64) -> Session {
    Session::in_review(number).with(Candidate::session(7, similarity))
}

fn event(sim: &Sim, number: u64) -> Value {
    json!({
        "event_id": format!("e-{number}"), "webhook_type": "status.updated",
        "timestamp": 1_795_132_800, "session_id": session_id(number), "status": "In Review",
        "workflow_id": "11111111-2222-4333-8444-555555555555",
        "decision": sim.decision_of(number),
    })
}

/// Short for the document that the API would send.
trait DecisionOf {
    fn decision_of(&self, number: u64) -> Value;
}

impl DecisionOf for Sim {
    fn decision_of(&self, number: u64) -> Value {
        self.knobs().decision(session_id(number)).unwrap()
    }
}

#[tokio::test]
async fn every_shape_becomes_a_case_once_and_bad_lines_are_named() {
    let mut people = world();
    for number in 1_001..=1_004 {
        people.add(like(number, if number == 1_003 { 97.0 } else { 81.0 }));
    }
    people.add(like(1_005, 81.0).but(|s| s.status = "Approved".into()));
    let shell = Shell::new(people, Options::default()).await;
    let sim = &shell.sim;
    let bare = json!({
        "webhook_type": "data.updated", "session_id": session_id(1_004), "status": "In Review",
        "workflow_id": "11111111-2222-4333-8444-555555555555",
    });
    let unknown = json!({ "webhook_type": "data.updated", "session_id": session_id(9_999) });
    let lines = [
        sim.decision_of(1_001).to_string(),
        event(sim, 1_002).to_string(),
        "not JSON, but the name Zoraida Quux".to_owned(),
        reply(2_001, 81.4, LINK).to_string(),
        String::new(),
        event(sim, 1_001).to_string(),
        sim.decision_of(1_003).to_string(),
        reply(2_002, 81.4, "storage/face.jpg").to_string(),
        reply(2_003, 40.0, LINK).to_string(),
        event(sim, 1_005).to_string().replace("In Review", "Approved"),
        bare.to_string(),
        unknown.to_string(),
    ];
    let file = shell.path("lines.jsonl");
    std::fs::write(&file, lines.join("\n")).unwrap();
    let (exit, rows, said) = shell.json(&["ingest", file.to_str().unwrap()], b"").await;
    assert_eq!(exit, 8, "{said}");
    let wanted = json!({
        "lines": 11, "queued": 4, "left": 1, "updated": 0, "duplicates": 1, "departed": 0,
        "passed_over": 2, "unsaved": 1, "bad": 2,
    });
    assert_eq!(rows, [wanted], "{said}");
    for word in
        ["line 3: it is not JSON", "line 8: the search was not saved", "line 12: its session"]
    {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(!said.contains("Zoraida"), "{said}");
    let (_, queue, _) = shell.json(&["queue", "list"], b"").await;
    let mut keys: Vec<_> = queue.iter().map(|row| row["case"].as_str().unwrap()).collect();
    keys.sort_unstable();
    let mut known: Vec<_> = [1_001, 1_002, 1_004, 2_001].map(|n| session_id(n).to_string()).into();
    known.sort_unstable();
    assert_eq!(keys, known);

    // The same again, by a pipe: all known, nothing doubled, nothing kept that may not be.
    let (exit, rows, _) = shell.json(&["ingest", "-"], lines[0].as_bytes()).await;
    assert_eq!((exit, rows[0]["duplicates"].as_u64()), (0, Some(1)));
    let mut kept = Vec::new();
    collect(shell.path("."), &file, &mut kept);
    assert!(kept.len() > 1000, "the store was found");
    for secret in ["Zoraida", "media.example", "X123456"] {
        assert!(!kept.windows(secret.len()).any(|w| w == secret.as_bytes()), "{secret} was kept");
    }
}

/// The bytes of every file below a folder but one.
fn collect(folder: PathBuf, except: &PathBuf, out: &mut Vec<u8>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(path, except, out);
        } else if path.file_name() != except.file_name() {
            out.extend(std::fs::read(path).unwrap());
        }
    }
}

#[tokio::test]
async fn a_file_of_nonsense_fails_and_a_missing_one_is_a_wrong_call() {
    let shell = Shell::new(world(), Options::default()).await;
    let (exit, rows, said) = shell.json(&["ingest", "-"], b"{}\n\xff\xfe\n[1]\n").await;
    assert_eq!((exit, rows[0]["bad"].as_u64()), (1, Some(3)), "{said}");
    assert!(said.contains("line 2: it is not UTF-8"), "{said}");
    let (exit, rows, said) = shell.json(&["ingest", "no-such-file"], b"").await;
    assert_eq!((exit, rows.len()), (2, 0), "{said}");
    let (exit, rows, _) = shell.json(&["ingest", "-"], b"\n\n").await;
    assert_eq!((exit, rows[0]["lines"].as_u64()), (0, Some(0)));
}

#[tokio::test]
async fn bad_lines_are_kept_aside_as_they_came() {
    let shell = Shell::new(world(), Options::default()).await;
    let aside = shell.path("bad.jsonl");
    let args = ["ingest", "-", "--set-aside", aside.to_str().unwrap()];
    let input = b"{\"name\": \"Zo\xc3\n\n[1]\n";
    for round in 1..=2 {
        let (exit, rows, said) = shell.json(&args, input).await;
        assert_eq!((exit, rows[0]["bad"].as_u64()), (1, Some(2)), "{said}");
        assert!(said.contains("2 line(s) are set aside in "), "{said}");
        let kept = std::fs::read(&aside).unwrap();
        assert_eq!(kept, b"{\"name\": \"Zo\xc3\n[1]\n".repeat(round), "added to, not over");
    }
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&aside).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    // Where they cannot be kept nothing is read at all.
    let nowhere = aside.join("below");
    let args = ["ingest", "-", "--set-aside", nowhere.to_str().unwrap()];
    let (exit, rows, said) = shell.json(&args, input).await;
    assert_eq!((exit, rows.len()), (1, 0), "{said}");
    assert!(said.contains("bad.jsonl/below cannot be written"), "{said}");
}

/// The most memory that reading so many lines of a pipe took, in KiB.
async fn memory_of(lines: usize) -> u64 {
    let mut people = world();
    people.add(like(1_001, 81.0));
    let shell = Shell::new(people, Options::default()).await;
    let mut child = shell.command(&["ingest", "-", "--json"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut line = shell.sim.decision_of(1_001);
    line["extra_fields"] = json!({ "padding": "x".repeat(8_000) });
    let line = format!("{line}\nnot JSON\n");
    let id = child.id();
    tokio::task::spawn_blocking(move || {
        // What is said of bad lines is read away, or the pipe would fill.
        let mut said = child.stderr.take().unwrap();
        let reading = std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        (0..lines).for_each(|_| stdin.write_all(line.as_bytes()).unwrap());
        // All but what fits into a pipe has been read by now.
        let memory = crate::search::most_memory(id);
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        reading.join().unwrap().unwrap();
        let row: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((row["queued"].as_u64(), row["bad"].as_u64()), (Some(1), Some(lines as u64)));
        assert_eq!(row["duplicates"].as_u64(), Some(lines as u64 - 1));
        memory
    })
    .await
    .unwrap()
}

/// However long a pipe is, it takes the memory of a short one.
async fn memory_is_flat(lines: usize) {
    let (short, long) = (memory_of(lines / 20).await, memory_of(lines).await);
    println!("{} lines: {short} KiB, {lines} lines: {long} KiB", lines / 20);
    assert!(long < short + short / 2, "{short} KiB became {long} KiB");
}

#[tokio::test]
async fn the_memory_of_a_long_pipe_is_flat() {
    memory_is_flat(2_000).await;
}

#[tokio::test]
#[ignore = "a gigabyte through a pipe takes minutes in a debug build"]
async fn the_memory_of_a_very_long_pipe_is_flat() {
    memory_is_flat(100_000).await;
}

#[tokio::test]
async fn an_old_file_changes_no_case_that_is_known() {
    let mut people = world();
    people.add(like(1_001, 81.0));
    let shell = Shell::new(people, Options::default()).await;
    let (exit, ..) = shell.json(&["sync"], b"").await;
    assert_eq!(exit, 0);
    let mut old = shell.sim.decision_of(1_001);
    old["liveness_checks"][0]["matches"][0]["similarity_percentage"] = json!(71.0);
    let gone = old.to_string().replace("In Review", "Approved");
    let input = format!("{old}\n{gone}\n");
    let (exit, rows, _) = shell.json(&["ingest", "-"], input.as_bytes()).await;
    assert_eq!((exit, &rows[0]["duplicates"], &rows[0]["passed_over"]), (0, &json!(1), &json!(1)));
    let (_, queue, _) = shell.json(&["queue", "list"], b"").await;
    assert_eq!(queue[0]["candidates"][0]["similarity_percentage"], json!(81.0));
}
