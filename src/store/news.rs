//! News: that something of an origin has changed, so that every console looks again at once.
//!
//! What has changed is not told. Whoever hears it reads what is on the screen once more, so a thousand
//! changes at once are one piece of news, and none is missed for having come while nobody listened.

use async_trait::async_trait;
use tokio::sync::watch;

use super::Result;

/// Listens for changes of one origin.
#[async_trait]
pub trait News: Send {
    /// Waits until something may have changed since the last answer. The first answer comes as soon as
    /// changes can be heard. An error means that the store is out of reach; it is told once, the
    /// next call waits until the store is back, and that is news. `None`: there will be no more.
    ///
    /// It may be dropped while it waits; nothing is missed by that.
    async fn next(&mut self) -> Option<Result<()>>;
}

/// The news of a store in memory: a mark that is raised with each change.
pub(super) struct InMemory(watch::Receiver<()>);

impl InMemory {
    pub fn of(changes: &watch::Sender<()>) -> Self {
        let mut heard = changes.subscribe();
        heard.mark_changed();
        Self(heard)
    }
}

#[async_trait]
impl News for InMemory {
    async fn next(&mut self) -> Option<Result<()>> {
        self.0.changed().await.ok().map(Ok)
    }
}
