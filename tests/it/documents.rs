//! Keeps the documents true where a machine can: keys, settings, commands, layers, names of tests, links.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory as _;
use secondlook::cli::Args;
use secondlook::config::DEFAULT;

const PAGES: [&str; 6] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "docs/KEYS.md",
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

#[test]
#[ignore = "writes docs/KEYS.md"]
fn write_documents() {
    fs::write(project().join("docs/KEYS.md"), keys_page()).unwrap();
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
    for command in Args::command().get_subcommands() {
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
