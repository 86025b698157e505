//! The layer map in `src/lib.rs` is the law: this reads the map and every source file, and fails on a
//! path that the map does not allow, on a crate outside its fence, on hidden state, on a clock read
//! where none may be read, on a channel without a bound.
//!
//! It reads text, word by word, so it does not see paths that a macro makes.

use std::fs;
use std::path::{Path, PathBuf};

/// Which of our modules may name an outside crate, and why no other.
const FENCES: &[(&str, &[&str], &str)] = &[
    ("ratatui", &["term", "tui", "shell"], "only the screen draws"),
    ("crossterm", &["term", "tui", "shell"], "only the screen talks to the terminal"),
    ("sqlx", &["store"], "a store can be replaced"),
    ("reqwest", &["didit", "picture"], "the API key and the media host are kept apart there"),
    ("axum", &["sim", "webhook"], "nothing but the simulator and the webhook receiver serves"),
    ("tiny_skia", &["sim"], "only drawn faces are drawn"),
    ("clap", &["cli"], "only the command line parses arguments"),
    // In `sim` a ring is a curl of hair.
    ("ring", &["proof", "sim"], "signatures are judged in one place"),
    ("p521", &["proof"], "signatures are judged in one place"),
    ("tokio", WAITERS, "what is pure waits for nothing"),
    ("tokio_util", WAITERS, "what is pure waits for nothing"),
    ("futures_util", WAITERS, "what is pure waits for nothing"),
];
/// Modules that may wait. Not among them: `domain`, `input`, `config`, `proof`, `core`, `tui`.
const WAITERS: &[&str] =
    &["didit", "store", "picture", "term", "intake", "outbox", "webhook", "sim", "shell", "cli"];
/// Modules that may read a clock, and what for. Everybody else is handed the time, so that a test can
/// turn it: above all `core`, `store`, `outbox` and `intake`, whose rules hang on it.
const CLOCKS: &[(&str, &str)] = &[
    ("shell", "makes the clock that all others are handed"),
    ("cli", "makes the clock of the commands"),
    ("term", "deadlines of answers from the terminal"),
    ("didit", "deadlines and budgets of calls"),
    ("sim", "plays the server, which has a clock of its own"),
];

/// A piece of source: a word, `::`, or any other sign.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Sep,
    Sign(char),
}

/// The words and signs of a source text with their lines; comments, strings, characters and lifetimes
/// are left out.
fn tokens(text: &str) -> Vec<(usize, Token)> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let (mut i, mut line) = (0, 1);
    let mut out = Vec::new();
    while i < chars.len() {
        let start = i;
        let c = at(i);
        if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && at(i) != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            let mut depth = 0;
            loop {
                match (at(i), at(i + 1)) {
                    ('/', '*') => (depth, i) = (depth + 1, i + 2),
                    ('*', '/') => (depth, i) = (depth - 1, i + 2),
                    _ => i += 1,
                }
                if depth == 0 || i >= chars.len() {
                    break;
                }
            }
        } else if let Some(end) = string_end(&chars, i) {
            i = end;
        } else if c == '\'' {
            i = character_end(&chars, i);
        } else if c.is_alphanumeric() || c == '_' {
            while at(i).is_alphanumeric() || at(i) == '_' {
                i += 1;
            }
            out.push((line, Token::Word(chars[start..i].iter().collect())));
        } else if c == ':' && at(i + 1) == ':' {
            out.push((line, Token::Sep));
            i += 2;
        } else {
            if !c.is_whitespace() {
                out.push((line, Token::Sign(c)));
            }
            i += 1;
        }
        line += chars[start..i.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    out
}

/// Where the string that begins at `i` ends; `None` if none begins there.
fn string_end(chars: &[char], i: usize) -> Option<usize> {
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let before = if i == 0 { ' ' } else { at(i - 1) };
    let mut open = i;
    if matches!(at(i), 'b' | 'c' | 'r') && !(before.is_alphanumeric() || before == '_') {
        while matches!(at(open), 'b' | 'c' | 'r') && open < i + 2 {
            open += 1;
        }
    }
    let raw = (i..open).any(|n| at(n) == 'r');
    let hashes = if raw { (open..).take_while(|n| at(*n) == '#').count() } else { 0 };
    if at(open + hashes) != '"' {
        return None;
    }
    let mut end = open + hashes + 1;
    while end < chars.len() {
        if at(end) == '\\' && !raw {
            end += 1;
        } else if at(end) == '"' && (1..=hashes).all(|n| at(end + n) == '#') {
            return Some(end + hashes + 1);
        }
        end += 1;
    }
    Some(chars.len())
}

/// Where the character literal or lifetime that begins at `i` ends.
fn character_end(chars: &[char], i: usize) -> usize {
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    if at(i + 1) == '\\' {
        return (i + 3..chars.len()).find(|n| at(*n) == '\'').map_or(chars.len(), |n| n + 1);
    }
    if at(i + 2) == '\'' {
        return i + 3;
    }
    (i + 1..chars.len())
        .find(|n| !(at(*n).is_alphanumeric() || at(*n) == '_'))
        .unwrap_or(chars.len())
}

/// The map: a module and those it may know, lowest first.
type Map = Vec<(String, Vec<String>)>;

/// Reads the map out of the documentation of `src/lib.rs`.
fn read_map(lib: &str) -> Map {
    lib.lines()
        .map(|line| line.strip_prefix("//!").unwrap_or("").trim())
        .skip_while(|line| *line != "```text")
        .skip(1)
        .take_while(|line| *line != "```")
        .filter_map(|line| line.split_once(':'))
        .map(|(name, below)| {
            let below = below.split_whitespace().map(str::to_owned).collect();
            (name.trim().to_owned(), below)
        })
        .collect()
}

/// What is wrong with the map itself, given the top modules that exist.
fn map_faults(map: &Map, modules: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    for (at, (name, below)) in map.iter().enumerate() {
        if map[..at].iter().any(|(before, _)| before == name) {
            faults.push(format!("{name} stands on the map twice"));
        }
        for known in below {
            if !map[..at].iter().any(|(before, _)| before == known) {
                faults.push(format!("the map lets {name} use {known}, which is not below it"));
            }
        }
        if !modules.contains(name) {
            faults.push(format!("{name} is on the map, but there is no such module"));
        }
    }
    for module in modules.iter().filter(|m| !map.iter().any(|(name, _)| name == *m)) {
        faults.push(format!("{module} is not on the map"));
    }
    faults
}

/// The module path of a file under `src`, outermost first; empty for the two roots.
fn module_path(path: &str) -> Vec<String> {
    let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut parts: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

/// What is wrong with a source file.
fn faults(map: &Map, path: &str, text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let modules = module_path(path);
    let top = modules.first().map_or("", String::as_str);
    let word = |n: usize| match tokens.get(n) {
        Some((_, Token::Word(word))) => word.as_str(),
        _ => "",
    };
    let sign =
        |n: usize, sign: char| matches!(tokens.get(n), Some((_, Token::Sign(s))) if *s == sign);
    let sep = |n: usize| matches!(tokens.get(n), Some((_, Token::Sep)));
    let before = |n: usize, f: &dyn Fn(usize) -> bool| n > 0 && f(n - 1);
    // Whether the word at `n` goes on with a path that began before it; `::x` begins one.
    let goes_on =
        |n: usize| before(n, &sep) && n >= 2 && (!word(n - 2).is_empty() || sign(n - 2, '>'));
    let mut found: Vec<(usize, String)> = Vec::new();
    if !text.starts_with("//!") {
        found.push((1, "does not open with what it is for (`//!`)".to_owned()));
    }
    // Brace depth at which each inline module of this file ends.
    let (mut depth, mut inline) = (0_usize, Vec::new());
    let mut in_use = false;
    for (n, (line, token)) in tokens.iter().enumerate() {
        let mut fault = |text: String| found.push((*line, text));
        match token {
            Token::Sign('{') => {
                depth += 1;
                if n >= 2 && word(n - 2) == "mod" {
                    inline.push(depth);
                }
            }
            Token::Sign('}') => {
                if inline.last() == Some(&depth) {
                    inline.pop();
                }
                depth = depth.saturating_sub(1);
            }
            Token::Sign(';') => in_use = false,
            Token::Sign(_) | Token::Sep => {}
            Token::Word(name) => match name.as_str() {
                "use" => in_use = true,
                "crate" | "super" if in_use && !before(n, &|m| word(m) == "use" || sep(m)) => {
                    fault(format!("`{name}` inside a `use` list: write the path out"));
                }
                "crate" if sep(n + 1) => {
                    for known in roots(&tokens, n + 2) {
                        if let Some(text) = forbidden(map, top, &known) {
                            fault(text);
                        }
                    }
                }
                "crate" if word(n + 1) == "as" => fault("`crate as` hides what is used".to_owned()),
                "crate" if before(n, &|m| word(m) == "extern") => {
                    fault("`extern crate` hides what is used".to_owned());
                }
                "secondlook" if !goes_on(n) && sep(n + 1) && word(n + 2) != "cli" => {
                    fault("main may use cli and nothing else".to_owned());
                }
                "super" if !before(n, &sep) || (n >= 2 && word(n - 2) == "self") => {
                    let climbs = (0..).take_while(|k| {
                        word(n + 2 * k) == "super" && (*k == 0 || sep(n + 2 * k - 1))
                    });
                    if climbs.count() >= modules.len() + inline.len() {
                        fault(format!("{top} climbs to the top by `super`: write `crate::`"));
                    }
                }
                // The allocator has to be one, and holds nothing.
                "static" if n >= 2 && sign(n - 1, ']') && word(n - 2) == "global_allocator" => {}
                "static" => fault("a `static` can hide state: write `const`".to_owned()),
                "thread_local" => fault("`thread_local` hides state".to_owned()),
                "path" if n >= 2 && sign(n - 1, '[') && sign(n - 2, '#') => {
                    fault("`#[path]` puts a file where the map does not look".to_owned());
                }
                "include" if sign(n + 1, '!') => fault("`include!` hides a file".to_owned()),
                "now" | "now_v7" | "now_v6" | "now_v1"
                    if before(n, &sep) && sign(n + 1, '(') && !may_read_clock(top) =>
                {
                    fault(format!("{top} may not read a clock: time is handed in"));
                }
                "unbounded_channel" | "unbounded" => {
                    fault("a channel without a bound: nothing may pile up".to_owned());
                }
                "channel" if sign(n + 1, '(') && sign(n + 2, ')') => {
                    fault("a channel without a bound: nothing may pile up".to_owned());
                }
                name => {
                    let fence = FENCES.iter().find(|(fenced, ..)| *fenced == name);
                    if let Some((fenced, inside, why)) = fence
                        && !goes_on(n)
                        && !before(n, &|m| sign(m, '.'))
                        && !inside.contains(&top)
                    {
                        fault(format!("{fenced} is only for {}: {why}", inside.join(", ")));
                    }
                }
            },
        }
    }
    found.into_iter().map(|(line, text)| format!("{path}:{line}: {text}")).collect()
}

fn may_read_clock(top: &str) -> bool {
    CLOCKS.iter().any(|(module, _)| *module == top)
}

/// The first names of the paths that begin at `n`: one word, or those of a list in braces.
fn roots(tokens: &[(usize, Token)], n: usize) -> Vec<String> {
    let name = |n: usize| match tokens.get(n).map(|(_, token)| token) {
        Some(Token::Word(word)) => word.clone(),
        Some(Token::Sign(sign)) => sign.to_string(),
        Some(Token::Sep) | None => "::".to_owned(),
    };
    if name(n) != "{" {
        return vec![name(n)];
    }
    let (mut depth, mut first, mut found) = (0, true, Vec::new());
    for (_, token) in &tokens[n..] {
        match token {
            Token::Sign('{') => depth += 1,
            Token::Sign('}') => depth -= 1,
            Token::Sign(',') if depth == 1 => first = true,
            Token::Word(word) if first && depth == 1 => {
                found.push(word.clone());
                first = false;
            }
            Token::Sign('*') if first && depth == 1 => found.push("*".to_owned()),
            Token::Sign(_) | Token::Word(_) | Token::Sep => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

/// Why `top` may not use `known`, if it may not.
fn forbidden(map: &Map, top: &str, known: &str) -> Option<String> {
    if top == known {
        return None;
    }
    let below = map.iter().find(|(name, _)| name == top).map(|(_, below)| below);
    let allowed = below.is_some_and(|below| below.iter().any(|name| name == known));
    let who = if top.is_empty() { "the root" } else { top };
    (!allowed).then(|| format!("{who} may not use {known}"))
}

/// Files of tests/it that its `main.rs` does not name.
fn unnamed(main: &str, files: &[String]) -> Vec<String> {
    let named = |file: &&String| {
        main.lines().any(|line| line.trim() == format!("mod {};", file.trim_end_matches(".rs")))
    };
    files
        .iter()
        .filter(|file| *file != "main.rs" && file.ends_with(".rs"))
        .filter(|file| !named(file))
        .map(|file| format!("tests/it/{file} is not named in tests/it/main.rs: it is never run"))
        .collect()
}

// The project.

fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn sources(folder: &Path, out: &mut Vec<(String, String)>) {
    for name in names_in(folder) {
        let path = folder.join(&name);
        if path.is_dir() {
            sources(&path, out);
        } else if name.ends_with(".rs") {
            let shown = path.strip_prefix(project()).unwrap().to_str().unwrap().to_owned();
            out.push((shown, fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn the_source_keeps_to_the_map() {
    let src = project().join("src");
    let map = read_map(&fs::read_to_string(src.join("lib.rs")).unwrap());
    let modules: Vec<String> = names_in(&src)
        .into_iter()
        .filter(|name| !matches!(name.as_str(), "lib.rs" | "main.rs"))
        .map(|name| name.trim_end_matches(".rs").to_owned())
        .collect();
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(modules.len() > 10 && files.len() > 100, "the source was not found");
    let mut found = map_faults(&map, &modules);
    found.extend(files.iter().flat_map(|(path, text)| faults(&map, path, text)));
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// Where a source text starts a program by itself.
fn starts_programs(text: &str) -> Vec<usize> {
    let tokens = tokens(text);
    let word = |token: &(usize, Token), wanted: &str| token.1 == Token::Word(wanted.to_owned());
    let starts = |three: &&[(usize, Token)]| {
        word(&three[0], "Command")
            && ((three[1].1 == Token::Sep && word(&three[2], "new")) || word(&three[1], "as"))
    };
    tokens.windows(3).filter(starts).map(|three| three[0].0).collect()
}

/// Every program is started by one function, which keeps the key and the store's password from it.
#[test]
fn programs_are_started_in_one_place() {
    let mut files = Vec::new();
    sources(&project().join("src"), &mut files);
    let starts = |path: &str, text: &str| {
        starts_programs(text).into_iter().map(|line| format!("{path}:{line}")).collect::<Vec<_>>()
    };
    let (place, others): (Vec<_>, Vec<_>) =
        files.iter().partition(|(path, _)| path == "src/shell/child.rs");
    let found: Vec<_> = others.iter().flat_map(|(path, text)| starts(path, text)).collect();
    assert!(found.is_empty(), "use shell::child: {found:?}");
    assert_eq!(place.iter().flat_map(|(path, text)| starts(path, text)).count(), 1);
    assert_eq!(starts_programs("//! X\nfn f() { process :: Command :: new(x) }"), [2]);
    assert_eq!(starts_programs("use tokio::process::Command as Run;"), [1]);
}

#[test]
fn every_test_file_is_run() {
    let folder = project().join("tests/it");
    let main = fs::read_to_string(folder.join("main.rs")).unwrap();
    let found = unnamed(&main, &names_in(&folder));
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
    assert_eq!(unnamed("mod a;\n// mod b;", &["a.rs".into(), "b.rs".into()]).len(), 1);
}

// The law itself is tried.

fn small_map() -> Map {
    read_map(
        "//! ```text\n//! domain:\n//! core: domain\n//! didit: domain\n//! shell: core domain\n//! ```\n",
    )
}

#[test]
fn a_map_out_of_order_is_refused() {
    let modules: Vec<String> = ["domain", "core"].map(str::to_owned).to_vec();
    let ordered = read_map("//! ```text\n//! domain:\n//! core: domain\n//! ```");
    assert_eq!(ordered.len(), 2);
    assert_eq!(map_faults(&ordered, &modules), [""; 0]);
    for (text, fault) in [
        ("core: domain\n//! domain:", "the map lets core use domain, which is not below it"),
        ("domain: core\n//! core: domain", "the map lets domain use core, which is not below it"),
        ("domain:\n//! core: core", "the map lets core use core, which is not below it"),
        ("domain:\n//! core: domain fog", "the map lets core use fog, which is not below it"),
        ("domain:\n//! core:\n//! fog:", "fog is on the map, but there is no such module"),
        ("domain:\n//! core:\n//! core:", "core stands on the map twice"),
        ("domain:", "core is not on the map"),
    ] {
        let map = read_map(&format!("//! ```text\n//! {text}\n//! ```"));
        assert!(map_faults(&map, &modules).contains(&fault.to_owned()), "{text}");
    }
}

#[test]
fn each_rule_is_seen_to_fail() {
    for (path, text, fault) in [
        ("src/core/a.rs", "use crate::shell::Run;", "core may not use shell"),
        ("src/core/a.rs", "use crate :: shell;", "core may not use shell"),
        ("src/core/a.rs", "use crate::{domain::Case, shell};", "core may not use shell"),
        ("src/core/a.rs", "use crate::{\n  shell::{self, Run},\n};", "core may not use shell"),
        ("src/core/a.rs", "use crate::*;", "core may not use *"),
        ("src/core/a.rs", "fn f() { crate::didit::go(); }", "core may not use didit"),
        ("src/core/a.rs", "pub(in crate::shell) fn f() {}", "core may not use shell"),
        (
            "src/core/a.rs",
            "#[cfg(test)] mod tests { use crate::shell::X; }",
            "core may not use shell",
        ),
        ("src/core/a.rs", "use crate as all;", "`crate as` hides"),
        ("src/core/a.rs", "extern crate self as secondlook;", "`extern crate` hides"),
        ("src/core/a.rs", "use super::super::shell::Run;", "climbs to the top"),
        ("src/core/a.rs", "use self::super::super::shell::Run;", "climbs to the top"),
        ("src/core/mod.rs", "use super::shell;", "climbs to the top"),
        ("src/core/a.rs", "mod t { use super::super::super::x; }", "climbs to the top"),
        ("src/core/a.rs", "use super::{super::shell};", "inside a `use` list"),
        ("src/core/a.rs", "use {crate::shell};", "inside a `use` list"),
        ("src/lib.rs", "use crate::core::Model;", "the root may not use core"),
        ("src/main.rs", "fn main() { secondlook::shell::run(); }", "main may use cli"),
        ("src/core/a.rs", "use ratatui::Frame;", "ratatui is only for"),
        ("src/core/a.rs", "use {ratatui::Frame};", "ratatui is only for"),
        ("src/core/a.rs", "use ratatui as r;", "ratatui is only for"),
        ("src/core/a.rs", "fn f() { ::crossterm::cursor(); }", "crossterm is only for"),
        ("src/didit/a.rs", "use crossterm::event;", "crossterm is only for"),
        ("src/shell/a.rs", "use sqlx::Row;", "sqlx is only for store"),
        ("src/shell/a.rs", "fn f(x: reqwest::Url) {}", "reqwest is only for"),
        ("src/didit/a.rs", "use axum::Router;", "axum is only for sim"),
        ("src/core/a.rs", "use tokio::sync::mpsc;", "tokio is only for"),
        ("src/domain/a.rs", "#[tokio::test] async fn f() {}", "tokio is only for"),
        ("src/core/a.rs", "use tokio_util::sync::X;", "tokio_util is only for"),
        ("src/shell/a.rs", "static NEXT: AtomicU64 = AtomicU64::new(0);", "a `static`"),
        ("src/shell/a.rs", "pub static X: OnceLock<u8> = OnceLock::new();", "a `static`"),
        ("src/shell/a.rs", "fn f() { static mut X: u8 = 0; }", "a `static`"),
        ("src/shell/a.rs", "thread_local! { }", "`thread_local`"),
        ("src/shell/a.rs", "#[path = \"../core/x.rs\"] mod x;", "`#[path]`"),
        ("src/shell/a.rs", "include!(\"x.rs\");", "`include!`"),
        ("src/core/a.rs", "let t = SystemTime::now();", "core may not read a clock"),
        ("src/core/a.rs", "let t = std::time::Instant::now();", "core may not read a clock"),
        ("src/core/a.rs", "let t = jiff::Timestamp::now();", "core may not read a clock"),
        ("src/core/a.rs", "let u = Uuid::now_v7();", "core may not read a clock"),
        ("src/shell/a.rs", "let (a, b) = mpsc::unbounded_channel();", "without a bound"),
        ("src/shell/a.rs", "let (a, b) = mpsc::channel();", "without a bound"),
    ] {
        let found = faults(&small_map(), path, &format!("//! What it is for.\n{text}"));
        assert!(found.iter().any(|f| f.contains(fault)), "{text}\n  found {found:?}");
        assert!(found[0].starts_with(&format!("{path}:")), "{found:?}");
    }
    let found = faults(&small_map(), "src/core/a.rs", "use crate::domain::Case;");
    assert_eq!(found, ["src/core/a.rs:1: does not open with what it is for (`//!`)"]);
    let found = faults(&small_map(), "src/core/a.rs", "//! X\n\nfn f() {\n  crate::shell::x();\n}");
    assert_eq!(found, ["src/core/a.rs:4: core may not use shell"]);
}

#[test]
fn what_is_allowed_is_not_refused() {
    for (path, text) in [
        (
            "src/core/a.rs",
            "use crate::domain::Case; use crate::core::b; use crate::{domain, core};",
        ),
        ("src/core/a.rs", "// use crate::shell;\n/* use crate::shell; /* nested */ */ fn f() {}"),
        ("src/core/a.rs", "const X: &str = \"crate::shell tokio::x static\";"),
        ("src/main.rs", "#[global_allocator]\nstatic A: Some = Some;"),
        (
            "src/core/a.rs",
            "const X: &str = r#\"a \" crate::shell\"#; const Y: &[u8] = b\"tokio::\";",
        ),
        ("src/core/a.rs", "fn f(q: char, s: &'static str) -> bool { q == '\"' || q == '\\'' }"),
        ("src/core/a.rs", "use super::b; mod tests { use super::*; use super::super::b; }"),
        ("src/core/deep/a.rs", "use super::super::b; pub(in super::super) fn f() {}"),
        ("src/core/a.rs", "mod inner { } use super::b; fn g() { }"),
        ("src/shell/a.rs", "use ratatui::Frame; let t = Instant::now(); let x = clock.now();"),
        ("src/core/a.rs", "fn f(now: Millis) { clock.now(); let now = now; }"),
        ("src/shell/a.rs", "let (a, b) = mpsc::channel(64); tokio::spawn(x);"),
        ("src/main.rs", "fn main() -> ExitCode { secondlook::cli::main() }"),
        ("src/core/a.rs", "pub(crate) fn f() {} fn g(x: foo::tokio::Y) {}"),
    ] {
        let found = faults(&small_map(), path, &format!("//! What it is for.\n{text}"));
        assert_eq!(found, [""; 0], "{text}");
    }
}
