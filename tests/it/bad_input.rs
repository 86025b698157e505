//! What can be wrong around the program: each a clear sentence with a next step, the right exit code,
//! and nothing lost.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use secondlook::sim::{AuthStyle, Key, Limits, Options, Sim};

use crate::terminal::{Home, PROGRAM, Plays, Ran, finish, world};

async fn sim(auth: AuthStyle) -> Sim {
    let options = Options { auth, limits: Limits::none(), ..Options::default() };
    Sim::start(world([1001]), options).await.unwrap()
}

/// Wants a failure: the code, and one line on standard error that holds all words; no data.
fn fails(home: &Home, arguments: &[&str], code: i32, words: &[&str]) {
    said(&home.run(arguments), code, words);
}

fn said(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!(ran.code, code, "{ran:?}");
    assert_eq!(ran.out, "", "data on standard output: {ran:?}");
    let lines: Vec<&str> = ran.err.trim_end().lines().collect();
    assert_eq!(lines.len(), 1, "more than a line: {ran:?}");
    assert!(lines[0].starts_with("secondlook: ") && lines[0].ends_with('.'), "{ran:?}");
    // A sentence that says what is wrong, and one that says what to do.
    assert!(lines[0].contains(". "), "no next step: {ran:?}");
    for word in words {
        assert!(lines[0].contains(word), "{word:?} is missing: {ran:?}");
    }
    assert!(!ran.err.contains("panick") && !ran.err.contains("Error {"), "{ran:?}");
}

/// Commands that ask Didit, and commands that only look into the store.
const ASK: [&[&str]; 1] = [&["sync"]];
const LOOK: [&[&str]; 3] = [&["queue", "list"], &["outbox", "list"], &["history"]];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_is_code_four_however_didit_says_so() {
    for (auth, status) in
        [(AuthStyle::Split, "401"), (AuthStyle::Always401, "401"), (AuthStyle::Always403, "403")]
    {
        let sim = sim(auth).await;
        let mut home = Home::at(&sim, 0);
        home.set("DIDIT_API_KEY", "sk_test_wrong");
        fails(&home, ASK[0], 4, &[status, " key"]);
        // Before the screen opens, when there is nothing to show without Didit.
        let console = home.console(Plays::Xterm);
        let (code, words) = console.restored();
        assert!(code == 4 && words.contains(status), "{code} {words}");
        assert!(!format!("{:?}", home.run(ASK[0])).contains("sk_test_wrong"), "the key is shown");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_key_and_one_without_rights_are_code_four() {
    let keys = vec![
        Key { expired: true, ..Key::full("sk_test_expired") },
        Key { write: false, ..Key::full("sk_test_reader") },
    ];
    let options = Options { keys, limits: Limits::none(), ..Options::default() };
    let sim = Sim::start(world([1001]), options).await.unwrap();
    let mut home = Home::at(&sim, 0);
    home.set("DIDIT_API_KEY", "sk_test_expired");
    fails(&home, &["sync"], 4, &["expired"]);
    home.set("DIDIT_API_KEY", "sk_test_reader");
    home.rows(&["sync"]);
    home.rows(&["decide", "1001", "approve"]);
    let ran = home.run(&["outbox", "flush", "--within", "2"]);
    assert_ne!(ran.code, 0, "{ran:?}");
    // It is neither lost nor said to be sent.
    assert!(!home.decisions()[0].ends_with("sent"), "{:?}", home.decisions());
}

#[test]
fn without_a_key_nothing_starts() {
    let mut home = Home::new("");
    for arguments in [&["sync"][..], &["queue", "list"], &["decide", "1", "approve"]] {
        fails(&home, arguments, 4, &["no API key", "DIDIT_API_KEY", "secondlook demo"]);
    }
    home.set("DIDIT_API_KEY", "two words");
    fails(&home, &["sync"], 4, &["no key"]);
    home.set("DIDIT_API_KEY", "  ");
    fails(&home, &["sync"], 4, &["no API key"]);
    home.unset("DIDIT_API_KEY");
    home.set("DIDIT_API_KEY_FILE", "/nowhere/key");
    fails(&home, &["sync"], 4, &["/nowhere/key"]);
    assert!(!home.path("store.db").exists(), "a store was made without a key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_others_may_read_is_refused() {
    let sim = sim(AuthStyle::Split).await;
    let mut home = Home::at(&sim, 0);
    home.unset("DIDIT_API_KEY");
    for mode in [0o644, 0o640, 0o604, 0o660] {
        let path = home.file("key", sim.api_key(), mode);
        home.set("DIDIT_API_KEY_FILE", &path.display().to_string());
        fails(&home, &["sync"], 4, &["others may read", &format!("{mode:o}"), "chmod 600"]);
    }
    home.file("key", &format!("{}\n", sim.api_key()), 0o600);
    home.rows(&["sync"]);
    // The same by a command.
    home.unset("DIDIT_API_KEY_FILE");
    let command = |text: &str| format!("[didit]\napi_key_command = '{text}'\n");
    home.file("config.toml", &command("cat key"), 0o600);
    home.rows(&["sync"]);
    home.file("config.toml", &command("exit 3"), 0o600);
    fails(&home, &["sync"], 4, &["api_key_command failed"]);
}

#[test]
fn no_network_is_code_seven() {
    let mut home = Home::new("");
    home.set("DIDIT_API_KEY", "sk_test_any");
    // A port on which nobody listens any more.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    home.set("DIDIT_BASE_URL", &format!("http://127.0.0.1:{port}"));
    fails(&home, &["sync"], 7, &["cannot be reached"]);
    // What is in the store needs no network.
    for arguments in LOOK {
        assert!(home.rows(arguments).is_empty());
    }
    let (code, words) = home.console(Plays::Xterm).restored();
    assert!(code == 7 && words.contains("cannot be reached"), "{code} {words}");
}

#[test]
fn a_server_that_speaks_html_is_code_seven() {
    for status in ["200 OK", "502 Bad Gateway", "404 Not Found"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut home = Home::new("");
        home.set("DIDIT_API_KEY", "sk_test_any");
        home.set("DIDIT_BASE_URL", &format!("http://{}", listener.local_addr().unwrap()));
        // Ends with the process: nobody connects after the test.
        std::thread::spawn(move || {
            for mut line in listener.incoming().flatten() {
                let page = "<html><body><h1>It works!</h1> \u{1b}[2J</body></html>";
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\
                     connection: close\r\n\r\n",
                    page.len()
                );
                let _ = line.read(&mut [0; 4096]);
                let _ = line.write_all(format!("{head}{page}").as_bytes());
            }
        });
        let ran = home.run(&["sync"]);
        let code = if status.starts_with("404") { ran.code } else { 7 };
        said(&ran, code, &[]);
        assert_ne!(ran.code, 0, "{ran:?}");
        assert!(!ran.err.contains('\u{1b}') && !ran.err.contains("<h1>"), "{ran:?}");
    }
}

#[test]
fn a_base_url_that_is_none_is_code_two() {
    let mut home = Home::new("");
    home.set("DIDIT_API_KEY", "sk_test_any");
    for (url, word) in
        [("didit", "URL"), ("ftp://didit.example", "http"), ("http://didit.example", "https")]
    {
        home.set("DIDIT_BASE_URL", url);
        fails(&home, &["sync"], 2, &[word]);
    }
}

#[test]
fn a_store_that_is_none_is_left_as_it_was() {
    let mut home = Home::new("");
    home.set("DIDIT_API_KEY", "sk_test_any");
    let notes = "Dear diary, this is no database.\n".repeat(200);
    home.file("store.db", &notes, 0o600);
    for arguments in LOOK.iter().chain(&ASK) {
        fails(&home, arguments, 1, &["store.db", "not a database", "SECONDLOOK_STORE"]);
    }
    let (code, _) = home.console(Plays::Xterm).restored();
    assert_eq!(code, 1);
    assert_eq!(std::fs::read_to_string(home.path("store.db")).unwrap(), notes);
    let names: Vec<String> = std::fs::read_dir(home.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("store.db"))
        .collect();
    assert_eq!(names, ["store.db"], "nothing was left beside it");

    // A store that others may read.
    home.set("SECONDLOOK_STORE", &format!("sqlite:{}", home.path("other.db").display()));
    home.rows(&["history"]);
    let other = home.path("other.db");
    assert_eq!(std::fs::metadata(&other).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o644)).unwrap();
    fails(&home, &["history"], 4, &["other.db", "chmod"]);
    home.set("SECONDLOOK_STORE", "oracle:somewhere");
    fails(&home, &["history"], 2, &["SECONDLOOK_STORE"]);
}

#[test]
fn without_a_terminal_there_is_no_console() {
    let mut home = Home::new("");
    home.set("DIDIT_API_KEY", "sk_test_any");
    for arguments in [&[][..], &["review"], &["demo"]] {
        fails(&home, arguments, 2, &["needs a terminal", "ssh -t"]);
    }
    // Standard output alone is not enough.
    let script = format!("{PROGRAM} review </dev/null; echo \"code $?\"");
    let (_, words) = home.open(Plays::Xterm, "/bin/sh", &["-c", &script]).restored();
    assert!(words.contains("needs a terminal") && words.contains("code 2"), "{words}");
}

#[test]
fn a_configuration_that_cannot_be_used_names_what_is_wrong() {
    let home = Home::new("");
    for (text, words) in [
        ("[review]\nundo_secs = 5", &["undo_secs", "did you mean 'undo_seconds'"][..]),
        ("[reviw]\nx = 1", &["did you mean 'review'"]),
        ("[review]\nundo_seconds = 999", &["review.undo_seconds", "0 to 300"]),
        ("[review]\nundo_seconds = 'soon'", &["invalid type"]),
        ("][", &["configuration"]),
    ] {
        home.file("config.toml", text, 0o600);
        fails(&home, &["queue", "list"], 2, words);
    }
    for (text, word) in [("approve = ['x']", "x"), ("aprove = ['y']", "aprove")] {
        home.file("config.toml", &format!("[keys]\n{text}"), 0o600);
        fails(&home, &["keys"], 2, &["keys", word]);
    }
    std::fs::remove_file(home.path("config.toml")).unwrap();
    fails(&home, &["queue", "list"], 2, &["config.toml", "cannot be read"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_no_picture_is_named_and_not_sent() {
    use std::os::unix::ffi::OsStrExt as _;
    let sim = sim(AuthStyle::Split).await;
    let home = Home::at(&sim, 0);
    std::fs::create_dir(home.path("folder")).unwrap();
    home.file("zero.jpg", "", 0o600);
    home.file("page.jpg", "<html><title>Log in</title>", 0o600);
    home.file("photo.heic", "\0\0\0\x18ftypheic", 0o600);
    let strange = home.path("").join(std::ffi::OsStr::from_bytes(b"na\xffme\x1b[2J.png"));
    std::fs::write(&strange, "no picture").unwrap();
    let strange = std::ffi::OsStr::from_bytes(b"na\xffme\x1b[2J.png").to_owned();
    let mut command = home.command(&["search", "zero.jpg", "page.jpg", "photo.heic", "absent.png"]);
    command.args(["/dev/null", "--yes"]).arg(&strange);
    let ran = finish(command);
    assert_eq!(ran.code, 1, "{ran:?}");
    let rows: Vec<serde_json::Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let errors: Vec<&str> = rows.iter().map(|row| row["error"].as_str().unwrap()).collect();
    for (error, words) in errors.iter().zip([
        "it is empty",
        "it is no JPEG",
        "it is no JPEG",
        "it cannot be read: No such file",
        "neither a file nor a folder",
        "it is no JPEG",
    ]) {
        assert!(error.contains(words), "{words}: {errors:?}");
    }
    assert_eq!(errors.len(), 6);
    assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "{ran:?}");
    assert_eq!(sim.record().len(), 0, "Didit was asked for nothing");
    // The same for one person, whose pictures are needed all.
    fails(
        &home,
        &["verify", "--selfie", "zero.jpg", "--id-front", "page.jpg", "--yes"],
        2,
        &["zero.jpg", "Nothing was sent"],
    );
    fails(&home, &["search", "folder", "--yes"], 3, &["no picture to search", "folders of them"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_and_names_that_cannot_be_used_are_named() {
    let sim = sim(AuthStyle::Split).await;
    let home = Home::at(&sim, 0);
    std::fs::create_dir(home.path("folder")).unwrap();
    home.file("notes.txt", "no account\n", 0o600);
    for (line, code, words) in [
        ("search - --yes", 3, &["no picture to search"][..]),
        ("search notes.txt --resume folder --yes", 1, &["folder for --resume", "another file"]),
        ("search notes.txt --resume notes.txt --yes", 2, &["no account of a search", "--resume"]),
        ("search notes.txt --metadata [1] --yes", 2, &["no JSON object", "Write it like"]),
        ("ingest folder", 2, &["folder cannot be read", "JSON lines"]),
        ("ingest absent.jsonl", 2, &["absent.jsonl cannot be read"]),
        ("top-up lots --yes", 2, &["no amount", "99.50"]),
        ("top-up 49.99 --yes", 2, &["no less than 50"]),
        ("top-up 50", 2, &["nobody can be asked", "--yes"]),
        ("account login ana", 2, &["no e-mail address", "ana@example.org"]),
        ("account login ana@example.org", 2, &["nothing was given", "pipe it in"]),
        ("blocklist remove 7", 3, &["not on the blocklist", "blocklist list"]),
        ("man webhook server", 2, &["no command webhook server", "--help"]),
        ("man --dir notes.txt", 1, &["cannot be written to notes.txt", "another folder"]),
        ("config init --config notes.txt", 3, &["a file notes.txt already", "config show"]),
        ("config init --config notes.txt/x", 1, &["cannot be written", "--config"]),
        ("audit verify absent.jsonl", 1, &["absent.jsonl cannot be read", "path"]),
        ("webhook serve --secret-file absent", 4, &["no webhook secret", "webhook config"]),
        ("webhook config http://hooks.example.org/", 1, &["HTTPS"]),
        ("decide 1001 approve --reason sure", 2, &["reason"]),
        ("queue show nobody", 3, &["no case nobody", "queue list"]),
        ("undo yesterday", 2, &["no decision's id", "history"]),
    ] {
        let words_of_line: Vec<&str> = line.split(' ').collect();
        fails(&home, &words_of_line, code, words);
    }
    assert_eq!(std::fs::read_to_string(home.path("notes.txt")).unwrap(), "no account\n");
}

/// Every command that prints data without needing more than this.
const PRINTS: [&[&str]; 16] = [
    &["queue", "list"],
    &["queue", "list", "--state", "decided", "--json"],
    &["queue", "show", "1001"],
    &["history"],
    &["history", "--json"],
    &["outbox", "list"],
    &["outbox", "list", "--json"],
    &["export"],
    &["export", "--format", "csv"],
    &["audit", "export"],
    &["stats"],
    &["balance"],
    &["config", "show"],
    &["keys"],
    &["completions", "bash"],
    &["man"],
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_said_and_a_reader_that_went_away_is_not() {
    let sim = sim(AuthStyle::Split).await;
    let home = Home::at(&sim, 300);
    home.rows(&["sync"]);
    home.rows(&["decide", "1001", "approve"]);
    for arguments in PRINTS.iter().chain(&[&["--help"][..], &["--version"]]) {
        let mut command = home.command(arguments);
        command.stdout(std::fs::File::options().write(true).open("/dev/full").unwrap());
        said(&finish(command), 1, &["standard output cannot be written", "No space left"]);
        let mut child = home.command(arguments).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
}

#[test]
fn wrong_arguments_are_code_two_and_no_data() {
    let home = Home::new("");
    for arguments in [
        &["reveiw"][..],
        &["decide"],
        &["decide", "1001", "maybe"],
        &["review", "--images", "ascii"],
        &["queue", "list", "--limit", "many"],
    ] {
        let ran = home.run(arguments);
        assert!(ran.code == 2 && ran.out.is_empty() && !ran.err.is_empty(), "{ran:?}");
    }
}
