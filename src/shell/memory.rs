//! What was chosen with a key in which terminal, from one day to the next: a small file of terminals'
//! names. It holds nothing of what was looked at.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::private;
use crate::domain::printable;
use crate::term::{Blocks, Capabilities, Environment, Inside, Protocol, Wish};

/// Terminals that are remembered; the one chosen for longest ago is forgotten first.
const TERMINALS: usize = 32;
/// A file of so many terminals is much smaller.
const LONGEST: u64 = 64 * 1024;
/// Letters of a terminal's name that count. It is whatever the terminal says.
const NAME: usize = 100;
/// What this program writes and reads.
const VERSION: u32 = 1;

/// A terminal, as far as one can be told from another over SSH.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Its name and version, where it tells them.
    terminal: Option<String>,
    /// `TERM`.
    term: String,
    /// The version of the tmux between.
    tmux: Option<String>,
}

impl Place {
    /// The place that this is.
    #[must_use]
    pub fn of(known: &Capabilities, environment: &Environment) -> Self {
        let tmux = match &known.inside {
            Inside::Tmux { version } => Some(printable(version, NAME)),
            Inside::Bare | Inside::Screen | Inside::Zellij => None,
        };
        Self {
            terminal: known.version.as_deref().map(|name| printable(name, NAME)),
            term: printable(&environment.term, NAME),
            tmux,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    place: Place,
    images: Option<Protocol>,
    cells: Option<Blocks>,
}

/// The file as it stands.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    /// The newest choice first.
    terminals: Vec<Entry>,
}

/// Why what was chosen cannot be known.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The system does not give it out.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    /// It holds something else, or was written by a later version.
    #[error("it is not as this version writes it")]
    Foreign,
}

/// What was chosen. One that is kept nowhere remembers nothing.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    path: Option<PathBuf>,
    terminals: Vec<Entry>,
}

impl Memory {
    /// Reads what was chosen; that there is no file yet is no error.
    ///
    /// # Errors
    /// [`MemoryError`]; then the file must be left as it is.
    pub fn read(path: PathBuf) -> Result<Self, MemoryError> {
        let terminals = terminals(&path)?;
        Ok(Self { path: Some(path), terminals })
    }

    /// Knows nothing of before, and keeps what is chosen from now on.
    #[must_use]
    pub fn afresh(path: PathBuf) -> Self {
        Self { path: Some(path), terminals: Vec::new() }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What was chosen in a place.
    #[must_use]
    pub fn of(&self, place: &Place) -> Wish {
        let found = self.terminals.iter().find(|entry| entry.place == *place);
        found.map_or_else(Wish::default, |entry| Wish {
            protocol: entry.images,
            blocks: entry.cells,
        })
    }

    /// Keeps what is chosen in a place; nothing chosen is nothing kept. Waits for the disk. Of two consoles
    /// that do so in one moment, one may be forgotten.
    ///
    /// # Errors
    /// [`MemoryError`]; then the file is as it was.
    pub fn keep(&self, place: Place, wish: Wish) -> Result<(), MemoryError> {
        let Some(path) = &self.path else { return Ok(()) };
        // Others may have written meanwhile.
        let mut terminals = terminals(path)?;
        let before = terminals.clone();
        terminals.retain(|entry| entry.place != place);
        if wish != Wish::default() {
            let entry = Entry { place, images: wish.protocol, cells: wish.blocks };
            terminals.insert(0, entry);
        }
        terminals.truncate(TERMINALS);
        if terminals == before {
            return Ok(());
        }
        let written = Written { version: VERSION, terminals };
        let text = serde_json::to_vec_pretty(&written).map_err(io::Error::from)?;
        Ok(private::replace(path, &text)?)
    }
}

fn terminals(path: &Path) -> Result<Vec<Entry>, MemoryError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text)?;
    let written: Written = serde_json::from_slice(&text).map_err(|_| MemoryError::Foreign)?;
    if written.version != VERSION {
        return Err(MemoryError::Foreign);
    }
    Ok(written.terminals)
}
