//! What a console is handed besides the store: replies that Didit cannot be asked for again, with their
//! links, and pictures of subjects that lie on this machine. In memory only, for as long as the console
//! runs; what is left undecided then leaves the queue, for nobody could look at it any more.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::domain::{CaseState, Details, Millis, Origin, SessionId};
use crate::picture::{PictureBytes, Rules};
use crate::store::{self, Store};

/// What was handed in.
#[derive(Default)]
pub struct Given {
    replies: HashMap<SessionId, Details>,
    images: HashMap<SessionId, PathBuf>,
    first: Option<SessionId>,
}

impl Given {
    /// Keeps a reply that Didit cannot be asked for.
    pub fn reply(&mut self, details: Details) {
        self.replies.insert(details.case.key.clone(), details);
    }

    /// Remembers where the subject's picture lies, for where Didit sends none.
    pub fn image(&mut self, case: SessionId, path: PathBuf) {
        self.images.insert(case, path);
    }

    /// The console opens on this case, unless it was told of another one before.
    pub fn open_on(&mut self, case: SessionId) {
        self.first.get_or_insert(case);
    }

    /// On which case the console opens.
    #[must_use]
    pub fn first(&self) -> Option<&SessionId> {
        self.first.as_ref()
    }

    /// The reply about a case, if that is all there is.
    pub(super) fn reply_on(&self, case: &SessionId) -> Option<&Details> {
        self.replies.get(case)
    }

    /// Reads the subject's picture, if it lies here.
    ///
    /// # Errors
    /// Why it is none, in words.
    pub(super) async fn picture_of(
        &self,
        case: &SessionId,
    ) -> Option<Result<PictureBytes, String>> {
        let path = self.images.get(case)?.clone();
        let read = tokio::task::spawn_blocking(move || read(&path)).await;
        Some(read.unwrap_or_else(|_| Err("the subject's picture could not be read".to_owned())))
    }

    /// Takes what still waits of its replies out of the queue. One that was handed to a second reader stays.
    pub(super) async fn put_away(
        &self,
        store: &dyn Store,
        origin: &Origin,
        now: Millis,
    ) -> store::Result<()> {
        for case in self.replies.keys() {
            let row = store.case(origin, case, now).await?;
            if row.is_some_and(|row| row.state == CaseState::Open && row.taken.is_none()) {
                store.depart(origin, case, "its links were in memory only", now).await?;
            }
        }
        Ok(())
    }
}

/// Reads a picture: a regular file, no larger than one that is fetched.
fn read(path: &Path) -> Result<PictureBytes, String> {
    let most = Rules::default().max_bytes;
    let unread = |error: std::io::Error| format!("the subject's picture cannot be read: {error}");
    // Opening a pipe must not wait for whoever writes into it.
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(unread)?;
    let about = file.metadata().map_err(unread)?;
    if !about.is_file() || about.len() > most as u64 {
        return Err("the subject's picture is no file of at most 8 MiB".to_owned());
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(most.min(about.len() as usize) + 1));
    file.take(most as u64).read_to_end(&mut bytes).map_err(unread)?;
    PictureBytes::new(bytes)
        .ok_or_else(|| "the subject's picture is no JPEG, PNG, WebP or TIFF".to_owned())
}
