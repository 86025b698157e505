//! Where files are: XDG directories, through `directories`.

use std::path::PathBuf;

use super::error::{CliError, Exit};

/// The directories of this program.
pub struct Paths(directories::ProjectDirs);

impl Paths {
    /// Finds them.
    ///
    /// # Errors
    /// Without a home directory.
    pub fn find() -> Result<Self, CliError> {
        directories::ProjectDirs::from("", "", "secondlook").map(Self).ok_or_else(|| {
            CliError::new(
                Exit::Usage,
                "there is no home directory to keep decisions in",
                "Set HOME, or SECONDLOOK_STORE and SECONDLOOK_CONFIG",
            )
        })
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.0.config_dir().join("config.toml")
    }

    /// The file that holds the API key.
    pub fn key(&self) -> PathBuf {
        self.0.config_dir().join("api_key")
    }

    /// The file that holds the secret of the webhook's signatures.
    pub fn webhook_secret(&self) -> PathBuf {
        self.0.config_dir().join("webhook_secret")
    }

    /// What was chosen in which terminal; systems without a place for such files keep nothing.
    pub fn terminals(&self) -> Option<PathBuf> {
        self.0.state_dir().map(|folder| folder.join("terminals.json"))
    }

    /// The store.
    pub fn store(&self) -> PathBuf {
        self.0.data_dir().join("secondlook.db")
    }
}
