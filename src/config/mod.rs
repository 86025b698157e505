//! Settings as plain data: the defaults of `assets/config.default.toml`, the user's file merged over
//! them, then environment and flags. Opens no file and reads no environment itself: the command line
//! hands the texts in.

mod presets;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use presets::{Layout, PRESETS, Preset};

use crate::domain::Bands;

/// The complete, commented default configuration.
pub const DEFAULT: &str = include_str!("../../assets/config.default.toml");

/// All settings.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How Didit is reached.
    pub didit: Didit,
    /// Where decisions are kept.
    pub store: Store,
    /// What becomes a case.
    pub intake: Intake,
    /// How a case is reviewed.
    pub review: Review,
    /// How pictures are fetched and drawn.
    pub images: Images,
    /// The audit.
    pub audit: Audit,
    /// Keys by action name.
    pub keys: BTreeMap<String, Vec<String>>,
}

/// How Didit is reached.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Didit {
    /// The API's base URL.
    pub base_url: String,
    /// A command that prints the API key; empty for none.
    pub api_key_command: String,
    /// Reads a minute.
    pub reads_per_minute: u32,
    /// Writes a minute.
    pub writes_per_minute: u32,
}

/// Where decisions are kept.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// `sqlite:PATH`, `postgres://…`, `memory:`, or empty for the default place.
    pub url: String,
}

/// What becomes a case.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intake {
    /// Statuses of workflow sessions to take in.
    pub statuses: Vec<String>,
    /// Didit's warnings that make a session in review a case.
    pub warnings: Vec<String>,
    /// Lower edge of the possible band, percent.
    pub lower: f64,
    /// Upper edge of the possible band, percent.
    pub upper: f64,
    /// Whether cases with strong candidates only are queued as well.
    pub queue_strong: bool,
    /// How far back saved searches are taken, hours.
    pub lookback_hours: u32,
    /// Seconds between two pulls.
    pub poll_seconds: u32,
}

/// How a case is reviewed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Undo window, seconds.
    pub undo_seconds: u32,
    /// How long both faces must have been seen, milliseconds.
    pub dwell_ms: u32,
    /// Pairs kept ready.
    pub window_pairs: u16,
    /// The reviewer's name; empty for the system's.
    pub reviewer: String,
    /// The keys to begin with: a name of [`PRESETS`].
    pub preset: String,
}

/// How pictures are fetched and drawn.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Images {
    /// `auto`, `kitty`, `iterm2`, `sixel` or `blocks`.
    pub protocol: String,
    /// `auto`, `half`, `quadrant`, `sextant` or `octant`.
    pub cells: String,
    /// Whether images may come from private addresses.
    pub allow_private_hosts: bool,
}

/// `[audit]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// The public key whose private half, in the ssh-agent, signs the entries. Empty: they are not signed.
    pub sign_with: String,
}

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML, an unknown name, or a value of the wrong kind.
    #[error("{0}")]
    Unreadable(String),
    /// A value out of its range.
    #[error("{name} must be {range}")]
    OutOfRange {
        /// Which setting.
        name: &'static str,
        /// What it may be.
        range: &'static str,
    },
}

impl Config {
    /// The defaults with the user's file, if any, merged over them.
    ///
    /// # Errors
    /// [`ConfigError`] naming what is wrong, and for an unknown name the nearest known one.
    pub fn load(user: Option<&str>) -> Result<Self, ConfigError> {
        let unreadable = |e: toml::de::Error| ConfigError::Unreadable(one_line(e.message()));
        let mut table: toml::Table = DEFAULT.parse().map_err(unreadable)?;
        if let Some(text) = user {
            let changes: toml::Table = text.parse().map_err(unreadable)?;
            merge(&mut table, changes, "")?;
        }
        let config: Self = table.try_into().map_err(unreadable)?;
        config.check()?;
        Preset::named(&config.review.preset)?;
        Ok(config)
    }

    /// Every setting by its full name with its value as text, in the order of the names, and whether the
    /// user's file gives it.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn listed(user: Option<&str>) -> Result<Vec<(String, String, bool)>, ConfigError> {
        Self::load(user)?;
        let unreadable = |e: toml::de::Error| ConfigError::Unreadable(one_line(e.message()));
        let mut table: toml::Table = DEFAULT.parse().map_err(unreadable)?;
        let changes: toml::Table = user.unwrap_or_default().parse().map_err(unreadable)?;
        let (mut own, mut all) = (Vec::new(), Vec::new());
        flatten(&changes, "", &mut own);
        merge(&mut table, changes, "")?;
        flatten(&table, "", &mut all);
        let is_own = |name: &String| own.iter().any(|(known, _)| known == name);
        Ok(all.into_iter().map(|(name, value)| (name.clone(), value, is_own(&name))).collect())
    }

    /// The band edges.
    #[must_use]
    pub fn bands(&self) -> Bands {
        Bands { lower: self.intake.lower, upper: self.intake.upper }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let rules = [
            (
                0.0 < self.intake.lower
                    && self.intake.lower < self.intake.upper
                    && self.intake.upper <= 100.0,
                "intake.lower",
                "above 0 and below intake.upper, which is at most 100",
            ),
            (self.review.undo_seconds <= 300, "review.undo_seconds", "0 to 300"),
            ((300..=5000).contains(&self.review.dwell_ms), "review.dwell_ms", "300 to 5000"),
            ((4..=512).contains(&self.review.window_pairs), "review.window_pairs", "4 to 512"),
            ((5..=3600).contains(&self.intake.poll_seconds), "intake.poll_seconds", "5 to 3600"),
            (!self.intake.statuses.is_empty(), "intake.statuses", "at least one status"),
            (!self.intake.warnings.is_empty(), "intake.warnings", "at least one warning"),
            (
                (1..=100_000).contains(&self.didit.reads_per_minute)
                    && (1..=100_000).contains(&self.didit.writes_per_minute),
                "didit.reads_per_minute and didit.writes_per_minute",
                "1 to 100000",
            ),
            (
                ["auto", "kitty", "iterm2", "sixel", "blocks"]
                    .contains(&self.images.protocol.as_str()),
                "images.protocol",
                "auto, kitty, iterm2, sixel or blocks",
            ),
            (
                ["auto", "half", "quadrant", "sextant", "octant"]
                    .contains(&self.images.cells.as_str()),
                "images.cells",
                "auto, half, quadrant, sextant or octant",
            ),
        ];
        match rules.into_iter().find(|(holds, ..)| !holds) {
            Some((_, name, range)) => Err(ConfigError::OutOfRange { name, range }),
            None => Ok(()),
        }
    }
}

/// Puts the user's values over the defaults; a name that the defaults lack is refused with the nearest
/// one they have. `keys` holds names of actions, which the key table checks.
fn merge(into: &mut toml::Table, changes: toml::Table, path: &str) -> Result<(), ConfigError> {
    for (name, value) in changes {
        let full = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match (into.get_mut(&name), value) {
            (Some(toml::Value::Table(known)), toml::Value::Table(value)) => {
                if full == "keys" {
                    known.extend(value);
                } else {
                    merge(known, value, &full)?;
                }
            }
            (Some(known), value) => *known = value,
            (None, _) => {
                let near = nearest(&name, into.keys().map(String::as_str));
                return Err(ConfigError::Unreadable(format!(
                    "there is no setting '{full}'; did you mean '{near}'?"
                )));
            }
        }
    }
    Ok(())
}

/// The values of a table and of those in it, by their full names.
fn flatten(table: &toml::Table, path: &str, out: &mut Vec<(String, String)>) {
    for (name, value) in table {
        let full = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match value {
            toml::Value::Table(inner) => flatten(inner, &full, out),
            toml::Value::String(text) => out.push((full, text.clone())),
            other => out.push((full, other.to_string())),
        }
    }
}

/// The known name with the fewest edits to `name`.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> &'a str {
    known.min_by_key(|k| edits(name, k)).unwrap_or("")
}

/// Levenshtein's distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_file_is_complete_and_sound() {
        let config = Config::load(None).unwrap();
        assert_eq!(config.bands(), Bands::default());
        assert_eq!(config.review.undo_seconds, 30);
    }

    #[test]
    fn a_users_file_changes_what_it_names_and_nothing_else() {
        let config =
            Config::load(Some("[review]\nundo_seconds = 5\n[keys]\nreject = ['d']")).unwrap();
        assert_eq!(config.review.undo_seconds, 5);
        assert_eq!(config.review.dwell_ms, 700);
        assert_eq!(config.keys["reject"], ["d"]);
    }

    #[test]
    fn every_setting_is_listed_with_who_gave_it() {
        let listed =
            Config::listed(Some("[review]\nundo_seconds = 5\n[keys]\nreject = ['d']")).unwrap();
        let of = |name: &str| {
            let found = listed.iter().find(|(known, ..)| known == name).unwrap();
            (found.1.as_str(), found.2)
        };
        assert_eq!(of("review.undo_seconds"), ("5", true));
        assert_eq!(of("review.dwell_ms"), ("700", false));
        assert_eq!(of("intake.statuses"), ("[\"In Review\"]", false));
        assert_eq!(of("keys.reject"), ("[\"d\"]", true));
        assert!(Config::listed(Some("[review]\nundo = 5")).is_err());
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (text, word) in [
            ("[review]\nundo_secs = 5", "did you mean 'undo_seconds'"),
            ("[reviw]\nundo_seconds = 5", "did you mean 'review'"),
            ("[review]\nundo_seconds = 400", "review.undo_seconds must be 0 to 300"),
            ("[intake]\nlower = 95", "intake.lower must be"),
            ("[review]\nundo_seconds = 'x'", "invalid type"),
            ("][", "expected"),
            ("[images]\nprotocol = 'ascii'", "images.protocol must be"),
            ("[images]\ncells = 'braille'", "images.cells must be"),
            ("[review]\npreset = 'mnemonik'", "did you mean 'mnemonic'"),
        ] {
            let error = Config::load(Some(text)).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
