//! Maps of keys to begin with, as data: each a file in `assets/presets`. The user's own keys are put over
//! them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{ConfigError, nearest};

/// The files, by the names that `--preset` takes.
pub const PRESETS: [(&str, &str); 4] = [
    ("default", include_str!("../../assets/presets/default.toml")),
    ("mnemonic", include_str!("../../assets/presets/mnemonic.toml")),
    ("dvorak", include_str!("../../assets/presets/dvorak.toml")),
    ("colemak", include_str!("../../assets/presets/colemak.toml")),
];

/// Keys to begin with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// What it is, in one line.
    pub about: String,
    /// The keyboard it is for, on which no deciding key may touch another; the usual three without it.
    pub layout: Option<Layout>,
    /// Keys by action name; actions that are not named keep theirs.
    pub keys: BTreeMap<String, Vec<String>>,
}

/// Where the letters of a keyboard lie.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// What people call it.
    pub name: String,
    /// Its three rows of letters, from the left, each half a key further right than the one above.
    pub rows: [String; 3],
}

impl Preset {
    /// The preset of this name.
    ///
    /// # Errors
    /// [`ConfigError`] with the nearest name that there is.
    pub fn named(name: &str) -> Result<Self, ConfigError> {
        let unreadable =
            |error: toml::de::Error| ConfigError::Unreadable(super::one_line(error.message()));
        match PRESETS.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => toml::from_str(text).map_err(unreadable),
            None => {
                let near = nearest(name, PRESETS.iter().map(|(known, _)| *known));
                let name = crate::domain::printable(name, 40);
                Err(ConfigError::Unreadable(format!(
                    "there is no preset of keys '{name}'; did you mean '{near}'?"
                )))
            }
        }
    }
}
