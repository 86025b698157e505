//! `secondlook search` by the real program against the simulator: what is billed, what is printed, how
//! it ends, and that nothing is billed twice.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use secondlook::sim::{Candidate, Effect, Fault, Limits, On, Options, Reply, Route, Session, Sim};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::stage::world;

/// Long enough for anything that happens on loopback; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A simulator, and a home of its own for the program.
pub struct Place {
    pub sim: Sim,
    pub home: tempfile::TempDir,
}

/// How a run ended.
pub struct Ran {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    pub fn rows(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }
}

impl Place {
    pub async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        let mut world = world();
        for number in 1..=5 {
            world.add(Session::approved(number));
        }
        let options = Options { limits: Limits::none(), ..options };
        let sim = Sim::start(world, options).await.unwrap();
        let home = tempfile::tempdir().unwrap();
        let config = "[didit]\nwrites_per_minute = 100000\nreads_per_minute = 100000\n";
        fs::write(home.path().join("config.toml"), config).unwrap();
        Self { sim, home }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The program, nothing of this machine's settings in its environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_secondlook"));
        command
            .args(args)
            .current_dir(self.home.path())
            .env_clear()
            .env("HOME", self.home.path())
            .env("SECONDLOOK_CONFIG", self.path("config.toml"))
            .env("DIDIT_BASE_URL", self.sim.base_url())
            .env("DIDIT_AUTH_URL", self.sim.auth_url())
            .env("DIDIT_API_KEY", self.sim.api_key())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    pub async fn run(&self, args: &[&str]) -> Ran {
        ended(self.command(args).spawn().unwrap()).await
    }

    /// Runs it with this on standard input.
    pub async fn tell(&self, args: &[&str], input: &str) -> Ran {
        tell(self.command(args), input).await
    }

    /// Writes so many tiny pictures, each another one.
    pub fn pictures(&self, folder: &str, count: usize) {
        fs::create_dir_all(self.path(folder)).unwrap();
        for n in 0..count {
            fs::write(self.path(folder).join(format!("{n:04}.png")), picture(n)).unwrap();
        }
    }

    pub fn billed(&self) -> usize {
        self.sim.effects().iter().filter(|e| matches!(e, Effect::Billed { .. })).count()
    }

    pub fn calls(&self, route: Route) -> usize {
        self.sim.record().iter().filter(|call| call.route == Some(route)).count()
    }
}

pub async fn tell(mut command: Command, input: &str) -> Ran {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    ended(child).await
}

async fn ended(child: Child) -> Ran {
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { status: output.status, out: text(output.stdout), err: text(output.stderr) }
}

/// A picture of eight by eight pixels with something on it that is its number's alone.
pub fn picture(n: usize) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(8, 8, |x, y| {
        let bit = (n >> ((x + y * 8) % 16)) & 1;
        image::Rgb([if bit == 1 { 255 } else { 200 }, (x * 30) as u8, (y * 30) as u8])
    });
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_is_one_line_of_json_without_a_link() {
    let place = Place::new().await;
    place.pictures("in", 1);
    place
        .sim
        .knobs()
        .next_search_finds(vec![Candidate::session(1, 81.4), Candidate::session(2, 95.0)]);
    let ran = place
        .run(&[
            "search",
            "in/0000.png",
            "--yes",
            "--rotate",
            "--vendor-data",
            "u-1",
            "--metadata",
            r#"{"ticket": 7}"#,
            "--search-type",
            "blocklisted-or-approved",
        ])
        .await;
    assert_eq!(ran.code(), 0, "{}", ran.err);
    assert!(ran.err.contains("1 search will be billed. Balance: $142.5000."), "{}", ran.err);
    let rows = ran.rows();
    let row = &rows[0];
    assert_eq!((rows.len(), &row["file"]), (1, &json!("in/0000.png")));
    assert_eq!((&row["queued"], &row["error"]), (&json!(false), &Value::Null));
    let bands: Vec<_> = row["matches"].as_array().unwrap().iter().map(|m| &m["band"]).collect();
    assert_eq!(bands, ["strong", "possible"]);
    assert_eq!(row["matches"][1]["similarity_percentage"], 81.4);
    assert!(!ran.out.contains("://"), "{}", ran.out);
    let sent = place.sim.record().into_iter().find(|c| c.route == Some(Route::FaceSearch)).unwrap();
    let field = |name: &str| sent.body[name].as_str().unwrap_or_default().to_owned();
    assert_eq!((field("rotate_image"), field("vendor_data")), ("true".into(), "u-1".into()));
    assert_eq!(field("search_type"), "blocklisted_or_approved");
    let metadata: Value = serde_json::from_str(&field("metadata")).unwrap();
    assert_eq!(metadata["ticket"], 7);
    assert!(metadata["secondlook"].is_string());
    // The file's name may be a person's.
    assert_eq!(sent.body["user_image"]["file_name"], "image.png");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_printed_only_when_asked_for() {
    let place = Place::new().await;
    place.pictures("in", 1);
    place.sim.knobs().next_search_finds(vec![Candidate::of(&Session::approved(1), 81.4)]);
    let ran = place.run(&["search", "in", "--yes", "--show-links", "--resume", "account"]).await;
    let link = ran.rows()[0]["matches"][0]["match_image_url"].as_str().unwrap().to_owned();
    assert!(link.starts_with(place.sim.media_url()), "{link}");
    assert!(!fs::read_to_string(place.path("account")).unwrap().contains("://"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_billed_unasked() {
    let place = Place::new().await;
    place.pictures("in", 3);
    let ran = place.run(&["search", "in"]).await;
    assert_eq!(ran.code(), 2, "{}", ran.err);
    assert!(ran.err.contains("3 searches will be billed. Balance: $142.5000."), "{}", ran.err);
    assert!(ran.err.contains("Say --yes"), "{}", ran.err);
    assert_eq!(place.calls(Route::FaceSearch), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_is_said_before_anything_is_sent() {
    let place = Place::new().await;
    fs::write(place.path("notes.jpg"), "no picture").unwrap();
    let mut large = picture(1);
    large.resize(6 << 20, 0);
    fs::write(place.path("large.png"), large).unwrap();
    let ran = place.run(&["search", "notes.jpg", "large.png", "absent.png", "--yes"]).await;
    assert_eq!(ran.code(), 1, "{}", ran.err);
    let errors: Vec<_> =
        ran.rows().iter().map(|r| r["error"].as_str().unwrap().to_owned()).collect();
    assert!(errors[0].contains("no JPEG"), "{errors:?}");
    assert!(errors[1].contains("--shrink"), "{errors:?}");
    assert!(errors[2].contains("cannot be read"), "{errors:?}");
    assert_eq!(place.calls(Route::FaceSearch), 0);
    let ran = place.run(&["search", "large.png", "--shrink", "--yes"]).await;
    assert_eq!(ran.code(), 0, "{} {}", ran.out, ran.err);
    assert_eq!(place.billed(), 1);
    // In a folder, what is no picture is passed over; a folder without one is nothing to do.
    fs::create_dir(place.path("folder")).unwrap();
    fs::write(place.path("folder/readme.txt"), "text").unwrap();
    assert_eq!(place.run(&["search", "folder", "--yes"]).await.code(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_on_standard_input_names_files_and_folders() {
    let place = Place::new().await;
    place.pictures("a/deep", 2);
    fs::write(place.path("one.png"), picture(77)).unwrap();
    let ran = place.tell(&["search", "-", "--yes", "--json"], "a\r\n\none.png\n").await;
    assert_eq!(ran.code(), 0, "{}", ran.err);
    assert_eq!(ran.rows().len(), 3);
    let ran = place.tell(&["search", "-"], "one.png\n").await;
    assert_eq!(ran.code(), 2, "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_possible_match_is_queued_and_a_strong_one_is_not() {
    let place = Place::new().await;
    place.pictures("in", 2);
    place.sim.knobs().next_search_finds(vec![Candidate::session(1, 75.0)]);
    place.sim.knobs().next_search_finds(vec![Candidate::session(1, 95.0)]);
    let ran = place.run(&["search", "in", "--yes", "--enqueue", "--jobs", "1"]).await;
    assert_eq!(ran.code(), 0, "{}", ran.err);
    let queued: Vec<_> = ran.rows().into_iter().filter(|row| row["queued"] == true).collect();
    assert_eq!(queued.len(), 1, "{}", ran.out);
    let list = place.run(&["queue", "list", "--json"]).await.rows();
    assert_eq!(list.len(), 1);
    assert_eq!(list[0]["case"], queued[0]["request_id"]);
    assert!(list[0]["session_number"].is_u64());
    let left = place.run(&["queue", "list", "--json", "--state", "left"]).await.rows();
    assert_eq!(left.len(), 1);
    // What is not kept at Didit cannot be reviewed.
    assert_eq!(place.run(&["search", "in", "--enqueue", "--no-save"]).await.code(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_found_and_not_bought_again() {
    let place = Place::new().await;
    place.pictures("in", 1);
    place.sim.knobs().once(On::route(Route::FaceSearch), Fault::DropAfter);
    let ran = place.run(&["search", "in", "--yes"]).await;
    assert_eq!((ran.code(), place.billed()), (0, 1), "{}", ran.err);
    assert_eq!(place.calls(Route::FaceSearch), 1);
    assert!(ran.rows()[0]["request_id"].is_string(), "{}", ran.out);
    // One that never came to be is sent again.
    place.sim.knobs().once(On::route(Route::FaceSearch), Fault::DropBefore);
    let ran = place.run(&["search", "in", "--yes"]).await;
    assert_eq!((ran.code(), place.billed()), (0, 2), "{}", ran.err);
    assert_eq!(place.calls(Route::FaceSearch), 3);
    // What is not kept cannot be looked up, so it is not sent again either.
    place.sim.knobs().once(On::route(Route::FaceSearch), Fault::DropAfter);
    let ran = place.run(&["search", "in", "--yes", "--no-save", "--resume", "account"]).await;
    assert_eq!((ran.code(), place.billed()), (1, 3), "{}", ran.err);
    let ran = place.run(&["search", "in", "--yes", "--no-save", "--resume", "account"]).await;
    assert_eq!((ran.code(), place.billed()), (1, 3), "{}", ran.err);
    assert!(ran.out.contains("not sent again"), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_says_what_is_missing() {
    let place = Place::with(Options { balance: 1_000, ..Options::default() }).await;
    place.pictures("in", 4);
    let ran = place.run(&["search", "in", "--yes", "--jobs", "1"]).await;
    assert_eq!((ran.code(), place.billed()), (5, 2), "{}", ran.err);
    assert!(ran.err.contains("Stopped: 2 searched"), "{}", ran.err);
    let mut offline = place.command(&["search", "in", "--yes"]);
    offline.env("DIDIT_BASE_URL", "http://127.0.0.1:9");
    assert_eq!(tell(offline, "").await.code(), 7);
    let mut keyless = place.command(&["search", "in", "--yes"]);
    keyless.env("DIDIT_API_KEY", "sk_test_not-the-key");
    assert_eq!(tell(keyless, "").await.code(), 4);
    place.sim.knobs().set_balance(1_000_000);
    let refusal = Reply::json(400, json!({ "error": "No face detected in the image" }));
    place.sim.knobs().once(On::route(Route::FaceSearch), Fault::Answer(refusal));
    let ran = place.run(&["search", "in", "--yes"]).await;
    assert_eq!(ran.code(), 8, "{}", ran.err);
    assert_eq!(ran.rows().iter().filter(|row| row["error"].is_null()).count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_picture_twice_is_searched_once() {
    let place = Place::new().await;
    place.pictures("in", 1);
    fs::copy(place.path("in/0000.png"), place.path("in/copy.png")).unwrap();
    let ran = place.run(&["search", "in", "--yes"]).await;
    assert_eq!((ran.code(), place.billed()), (0, 1), "{}", ran.err);
    let rows = ran.rows();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["request_id"], rows[1]["request_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_for_one_kind_of_search_and_one_run_at_a_time() {
    let place = Place::new().await;
    place.pictures("in", 1);
    let resumed = |more: &[&'static str]| {
        let mut args = vec!["search", "in", "--yes", "--resume", "account"];
        args.extend(more);
        args
    };
    assert_eq!(place.run(&resumed(&[])).await.code(), 0);
    let again = place.run(&resumed(&[])).await;
    assert_eq!((again.code(), again.out.as_str(), place.billed()), (0, "", 1), "{}", again.err);
    assert!(again.err.contains("1 done before"), "{}", again.err);
    let other = place.run(&resumed(&["--rotate"])).await;
    assert_eq!(other.code(), 2, "{}", other.err);
    fs::write(place.path("account"), "something else\n").unwrap();
    assert_eq!(place.run(&resumed(&[])).await.code(), 2);
    assert_eq!(fs::read_to_string(place.path("account")).unwrap(), "something else\n");
    fs::remove_file(place.path("account")).unwrap();
    place.sim.knobs().hold(Route::FaceSearch);
    let first = place.command(&resumed(&[])).spawn().unwrap();
    assert!(place.sim.knobs().waiting(Route::FaceSearch, 1, PATIENCE).await);
    assert_eq!(place.run(&resumed(&[])).await.code(), 6);
    place.sim.knobs().release(Route::FaceSearch);
    assert_eq!(ended(first).await.code(), 0);
}

/// A batch of which one search in twenty goes wrong in one of four ways, interrupted once with Ctrl-C and
/// once by kill -9, then ended.
async fn a_batch(count: usize) {
    let place = Place::with(Options { balance: i64::MAX / 2, ..Options::default() }).await;
    place.pictures("in", count);
    let trouble = || Reply::json(502, json!({ "detail": "Bad gateway." }));
    for fault in [
        Fault::DropAfter,
        Fault::DropBefore,
        Fault::Answer(trouble()),
        Fault::AnswerAfter(trouble()),
    ] {
        place.sim.knobs().sometimes(0.0125, On::route(Route::FaceSearch), fault);
    }
    let args = ["search", "in", "--yes", "--json", "--jobs", "8", "--resume", "account"];
    for (signal, share) in [(Signal::INT, 3), (Signal::KILL, 6)] {
        let child = place.command(&args).stdout(Stdio::null()).spawn().unwrap();
        let enough = place.calls(Route::FaceSearch) + count / share;
        let searches = |calls: &[secondlook::sim::Recorded]| {
            calls.iter().filter(|call| call.route == Some(Route::FaceSearch)).count() >= enough
        };
        assert!(place.sim.until(PATIENCE, searches).await);
        let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).unwrap();
        kill_process(id, signal).unwrap();
        let ran = ended(child).await;
        if signal == Signal::INT {
            assert_eq!(ran.code(), 8, "{}", ran.err);
            assert!(ran.err.contains("Stopped: "), "{}", ran.err);
        } else {
            assert!(!ran.status.success());
        }
    }
    let ran = place.run(&args).await;
    assert_eq!(ran.code(), 0, "{} {}", ran.out, ran.err);
    assert_eq!(place.billed(), count, "{}", ran.err);
    let results = results(&place.path("account"));
    assert_eq!(results.len(), count);
    let files: HashSet<_> = results.iter().map(|row| row["file"].to_string()).collect();
    let searches: HashSet<_> = results.iter().map(|row| row["request_id"].to_string()).collect();
    assert_eq!((files.len(), searches.len()), (count, count));
}

/// The results that an account holds.
fn results(account: &Path) -> Vec<Value> {
    let text = fs::read_to_string(account).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["done"] == true).map(|line| line["result"].clone()).collect()
}

/// The most memory that the program had when all but its last search had ended, in KiB.
async fn memory_of(count: usize) -> u64 {
    let place = Place::with(Options { balance: i64::MAX / 2, ..Options::default() }).await;
    place.pictures("in", count);
    place.sim.knobs().hold(Route::FaceSearch);
    place.sim.knobs().step(Route::FaceSearch, count - 1);
    let args = ["search", "in", "--yes", "--json", "--jobs", "8", "--resume", "account"];
    let child = place.command(&args).stdout(Stdio::null()).spawn().unwrap();
    // One waits at the gate when all others have passed it.
    let passed = |calls: &[secondlook::sim::Recorded]| {
        calls.iter().filter(|call| call.route == Some(Route::FaceSearch)).count() >= count - 1
    };
    assert!(place.sim.until(PATIENCE, passed).await);
    assert!(place.sim.knobs().waiting(Route::FaceSearch, 1, PATIENCE).await);
    let memory = most_memory(child.id().unwrap());
    place.sim.knobs().release(Route::FaceSearch);
    assert_eq!(super::search::ended(child).await.code(), 0);
    assert_eq!(place.billed(), count);
    memory
}

/// The most memory that a process ever had, in KiB.
pub fn most_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// A longer batch takes no more memory than a short one, but for a tag for each picture. The bound is wide:
/// what is held for each picture would be megabytes.
async fn memory_is_flat(count: usize) {
    let (short, long) = (memory_of(count / 10).await, memory_of(count).await);
    println!("{} searches: {short} KiB, {count} searches: {long} KiB", count / 10);
    assert!(long < short + short / 2, "{short} KiB became {long} KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_of_a_batch_is_flat() {
    memory_is_flat(200).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a thousand searches take a minute in a debug build"]
async fn the_memory_of_a_batch_of_a_thousand_is_flat() {
    memory_is_flat(1_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_terminal_there_is_a_bar_a_question_and_a_table() {
    let place = Place::new().await;
    place.pictures("in", 3);
    for similarity in [95.0, 75.0] {
        place.sim.knobs().next_search_finds(vec![Candidate::session(1, similarity)]);
    }
    let mut blocked = Candidate::session(2, 72.0);
    blocked.blocklisted = true;
    place.sim.knobs().next_search_finds(vec![blocked]);
    let mut home = super::terminal::Home::at(&place.sim, 0);
    home.set("NO_COLOR", "1");
    let folder = place.path("in").display().to_string();
    let arguments = ["search", &folder, "--jobs", "1", "--enqueue"];
    let asked = || home.open(super::terminal::Plays::Xterm, super::terminal::PROGRAM, &arguments);
    // No is the answer of who only presses Enter.
    let terminal = asked();
    terminal.wait_for(&["3 searches will be billed. Balance: $142.5000.", "Go on? [y/N]"]);
    terminal.press("\r");
    let (code, screen) = terminal.restored();
    assert!(code == 3 && screen.contains("nothing was sent"), "{code} {screen}");
    assert_eq!(place.calls(Route::FaceSearch), 0);
    place.sim.knobs().hold(Route::FaceSearch);
    let terminal = asked();
    terminal.wait_for(&["Go on? [y/N]"]);
    terminal.press("y\r");
    assert!(place.sim.knobs().waiting(Route::FaceSearch, 1, PATIENCE).await);
    place.sim.knobs().step(Route::FaceSearch, 1);
    terminal.wait_for(&["] 1 of 3 ", " a second ", " left"]);
    place.sim.knobs().release(Route::FaceSearch);
    let (code, screen) = terminal.restored();
    assert_eq!(code, 0, "{screen}");
    for words in [
        "similarity band session status blocklisted",
        "95.0 % strong",
        "probably the same person",
        "75.0 % possible",
        "compare: secondlook review",
        "YES\n decline: the face is on a blocklist",
        "3 searched, 2 with a possible match, 2 queued for review.",
    ] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    // The bar is gone when the work is.
    assert!(!screen.contains(" of 3 ") && !screen.contains("://"), "{screen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_on_a_terminal_says_what_was_done() {
    let place = Place::new().await;
    place.pictures("in", 3);
    place.sim.knobs().hold(Route::FaceSearch);
    let home = super::terminal::Home::at(&place.sim, 0);
    let folder = place.path("in").display().to_string();
    let arguments = ["search", &folder, "--jobs", "1", "--yes", "--resume", "account"];
    let terminal = home.open(super::terminal::Plays::Xterm, super::terminal::PROGRAM, &arguments);
    assert!(place.sim.knobs().waiting(Route::FaceSearch, 1, PATIENCE).await);
    terminal.press("\x03");
    terminal.wait_for(&["Waiting for the answers under way; Ctrl-C again does not."]);
    place.sim.knobs().release(Route::FaceSearch);
    let (code, screen) = terminal.restored();
    assert_eq!(code, 8, "{screen}");
    assert!(
        screen.contains("Stopped: 1 searched") && screen.contains("Run the same command again")
    );
    assert_eq!(place.billed(), 1);
    let again = home.run(&arguments);
    assert_eq!((again.code, place.billed()), (0, 3), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_batch_is_billed_once_for_each_picture() {
    a_batch(150).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a thousand searches take a minute in a debug build"]
async fn an_interrupted_batch_of_a_thousand_is_billed_once_for_each_picture() {
    a_batch(1_000).await;
}
