//! Keeps the documents true where a machine can: keys, settings, commands, layers, names of tests, links.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use secondlook::cli::{self, WORDS};
use secondlook::config::DEFAULT;

use crate::terminal::has;

const PAGES: [&str; 7] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "docs/KEYS.md",
    "docs/CONFIG.md",
];

fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> String {
    fs::read_to_string(project().join(name)).unwrap()
}

/// `docs/KEYS.md`: what the program prints of its own table, with no configuration but the default.
fn keys_page() -> String {
    let home = tempfile::tempdir().unwrap();
    let printed = Command::new(env!("CARGO_BIN_EXE_secondlook"))
        .arg("keys")
        .env_clear()
        .env("HOME", home.path())
        .output()
        .unwrap();
    assert!(printed.status.success(), "{printed:?}");
    let text = String::from_utf8(printed.stdout).unwrap();
    format!(
        "# Keys\n\nWhat `secondlook keys` prints. The names in the middle are those of the `[keys]` table in the\n\
         configuration, such as `reject = [\"d\"]`.\n\n```text\n{}\n```\n",
        text.trim_end()
    )
}

#[test]
fn the_page_of_keys_is_what_the_program_prints() {
    let hint = "run `cargo test --test it -- --ignored write_documents`";
    assert_eq!(page("docs/KEYS.md"), keys_page(), "{hint}");
}

/// `docs/CONFIG.md`: every setting of the default configuration, with its own comment.
fn config_page() -> String {
    let mut page = "# Configuration\n\nEvery setting, made from [assets/config.default.toml](../assets/config.default.toml), \
         which is complete and\ncommented: `secondlook config init` writes it for you, `secondlook config show` says \
         what holds now and where it\ncomes from. [README](../README.md#configuration) tells where the file is, in which \
         order values are taken, and\nwhich environment variables there are.\n"
        .to_owned();
    let (mut section, mut words) = (String::new(), Vec::new());
    for line in DEFAULT.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
            page += &format!("\n## {section}\n");
            // `keys` has no settings of its own; what is said of it stands before it.
            if section == "keys" {
                page += &format!("\n{}\n", words.join("\n"));
            }
            words.clear();
        } else if let Some(comment) = line.strip_prefix('#') {
            words.push(comment.trim());
        } else if let Some((name, value)) = line.split_once(" = ") {
            assert!(!words.is_empty(), "{section}.{name} has no comment of its own");
            let words = std::mem::take(&mut words).join("\n");
            page += &format!("\n### {section}.{name}\n\n{words}\n\nDefault: `{value}`\n");
        } else {
            assert!(line.is_empty(), "{line}");
            words.clear();
        }
    }
    page
}

#[test]
fn the_page_of_settings_is_made_from_the_default_file() {
    let hint = "run `cargo test --test it -- --ignored write_documents`";
    assert_eq!(page("docs/CONFIG.md"), config_page(), "{hint}");
}

#[test]
#[ignore = "writes docs/KEYS.md and docs/CONFIG.md"]
fn write_documents() {
    fs::write(project().join("docs/KEYS.md"), keys_page()).unwrap();
    fs::write(project().join("docs/CONFIG.md"), config_page()).unwrap();
}

/// Every command that does something itself, by its words, such as `webhook serve`.
fn leaves(command: &clap::Command, path: &str, out: &mut Vec<(String, clap::Command)>) {
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        let path = format!("{path} {}", inner.get_name()).trim_start().to_owned();
        match inner.has_subcommands() {
            true => leaves(inner, &path, out),
            false => out.push((path, inner.clone())),
        }
    }
}

fn all_leaves() -> Vec<(String, clap::Command)> {
    let mut found = Vec::new();
    leaves(&cli::command(), "", &mut found);
    found
}

/// The words of a line as a shell takes them apart; only single quotes occur.
fn shell_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn every_command_has_examples_that_it_understands() {
    let mut named: Vec<_> = all_leaves().into_iter().map(|(path, _)| path).collect();
    named.push(String::new());
    let mut worded: Vec<_> = WORDS.iter().map(|words| words.command.to_owned()).collect();
    named.sort();
    worded.sort();
    assert_eq!(worded, named);
    let mut tried = 0;
    for example in WORDS.iter().flat_map(|words| words.examples) {
        // What stands between pipes, redirections and `&&` is a command.
        for part in example.split(['|', '>', '&']).filter(|part| part.contains("secondlook ")) {
            let words = shell_words(part);
            let from = words.iter().position(|word| word == "secondlook").unwrap();
            let read = cli::command().try_get_matches_from(&words[from..]);
            assert!(read.is_ok(), "{example}: {}", read.unwrap_err());
            tried += 1;
        }
    }
    assert!(tried > 40, "{tried}");
}

#[test]
fn help_reads_like_one_hand_wrote_it() {
    let top = cli::command();
    for (path, command) in all_leaves() {
        let about = command.get_about().unwrap().to_string();
        // The list of commands fits into 80 columns, a line each.
        assert!(about.trim_end_matches('.').chars().count() <= 64, "{path}: {about}");
        for argument in command.get_arguments() {
            let Some(help) = argument.get_help() else { continue };
            let help = help.to_string();
            assert!(help.starts_with(|c: char| c.is_uppercase()), "{path}: {help}");
            assert!(!help.ends_with('.'), "{path}: {help}");
        }
    }
    for words in WORDS {
        for note in words.notes {
            assert!(note.ends_with('.') && !note.contains("  "), "{}: {note}", words.command);
        }
    }
    assert!(top.get_subcommands().all(|command| command.get_about().is_some()));
}

#[test]
fn every_manual_page_is_rendered_without_a_warning() {
    let home = tempfile::tempdir().unwrap();
    let written = Command::new(env!("CARGO_BIN_EXE_secondlook"))
        .args(["man", "--dir", "pages"])
        .current_dir(home.path())
        .env_clear()
        .output()
        .unwrap();
    assert!(written.status.success(), "{written:?}");
    let pages: Vec<_> = fs::read_dir(home.path().join("pages")).unwrap().collect();
    assert!(pages.len() > all_leaves().len(), "{}", pages.len());
    if !has("man") {
        return;
    }
    for page in pages {
        let path = page.unwrap().path();
        let shown = Command::new("man")
            .args(["--warnings", "-E", "UTF-8", "-l"])
            .arg(&path)
            .env("MANWIDTH", "80")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&shown.stdout);
        assert!(shown.status.success() && shown.stderr.is_empty(), "{path:?}: {shown:?}");
        assert!(text.contains("SYNOPSIS"), "{path:?}: {text}");
    }
}

#[test]
fn readme_lists_every_setting_and_no_other() {
    let defaults: toml::Table = DEFAULT.parse().unwrap();
    let mut settings = Vec::new();
    for (table, values) in &defaults {
        match values.as_table().unwrap() {
            fields if table == "keys" => assert!(fields.is_empty()),
            fields => settings.extend(fields.keys().map(|field| format!("{table}.{field}"))),
        }
    }
    settings.push("keys".to_owned());
    let readme = page("README.md");
    let (_, after) = readme.split_once("| setting | default | means |").unwrap();
    let rows = after.lines().skip(2).take_while(|line| line.starts_with('|'));
    let mut listed: Vec<_> =
        rows.map(|row| row.split('`').nth(1).unwrap_or_default().to_owned()).collect();
    settings.sort();
    listed.sort();
    assert_eq!(listed, settings);
}

#[test]
fn readme_names_every_command() {
    let readme = page("README.md");
    let mut missing = Vec::new();
    for command in cli::command().get_subcommands() {
        let inner: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
        let names = match inner.as_slice() {
            [] => vec![command.get_name().to_owned()],
            inner => inner.iter().map(|name| format!("{} {name}", command.get_name())).collect(),
        };
        missing.extend(names.into_iter().filter(|name| {
            let row = readme.lines().filter(|line| line.starts_with('|'));
            !row.into_iter().any(|line| line.contains(&format!("`secondlook {name}")))
        }));
    }
    assert_eq!(missing, [""; 0]);
}

#[test]
fn the_layers_of_architecture_are_those_of_the_map() {
    let lib = page("src/lib.rs");
    let map: Vec<_> = lib
        .lines()
        .skip_while(|line| *line != "//! ```text")
        .skip(1)
        .take_while(|line| *line != "//! ```")
        .filter_map(|line| line.trim_start_matches("//! ").split(':').next())
        .collect();
    let text = page("ARCHITECTURE.md");
    let (_, after) = text.split_once("| module | is for | refuses to know |").unwrap();
    let rows = after.lines().skip(2).take_while(|line| line.starts_with('|'));
    let named: Vec<_> = rows.filter_map(|row| row.split('`').nth(1)).collect();
    assert!(map.len() > 10);
    assert_eq!(named, map);
}

#[test]
fn every_test_that_holds_an_invariant_exists() {
    let text = page("ARCHITECTURE.md");
    let (_, after) = text.split_once("## The ten invariants").unwrap();
    let (_, after) = after.split_once("\n1. ").unwrap();
    let (invariants, _) = after.split_once("\n## ").unwrap();
    let names: Vec<_> = invariants.split('`').filter_map(|word| word.split_once("::")).collect();
    let (_, ten) = invariants.split_once("\n10. ").unwrap();
    assert!(names.len() >= 10 && ten.contains("::"));
    let mut files = Vec::new();
    sources(&project().join("tests/it"), &mut files);
    sources(&project().join("src"), &mut files);
    for (module, test) in names {
        let found = files.iter().any(|(name, text)| {
            name == &format!("{module}.rs") && text.contains(&format!("fn {test}("))
        });
        assert!(found, "there is no test {module}::{test}");
    }
}

fn sources(folder: &Path, out: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            out.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

/// How a heading is linked to: lower case, blanks as `-`, signs left out.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn every_link_leads_somewhere() {
    let headings = |name: &str| -> Vec<String> {
        page(name)
            .lines()
            .filter(|line| line.starts_with('#'))
            .map(|line| anchor(line.trim_start_matches('#')))
            .collect()
    };
    let mut seen = 0;
    for name in PAGES {
        let text = page(name);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("https://") {
                continue;
            }
            seen += 1;
            let (path, part) = link.split_once('#').unwrap_or((link, ""));
            let folder = Path::new(name).parent().unwrap();
            let target = if path.is_empty() { PathBuf::from(name) } else { folder.join(path) };
            assert!(project().join(&target).exists(), "{name}: {link}");
            let found =
                part.is_empty() || headings(&target.to_string_lossy()).contains(&part.to_owned());
            assert!(found, "{name}: {link}");
        }
    }
    assert!(seen > 15, "the links were not found");
}
