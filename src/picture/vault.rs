//! Keeps pictures in bounded memory: compressed files in one shelf, decoded portraits in a smaller
//! one. The longest unused goes first. What leaves is wiped as soon as its last holder lets go; there
//! is no disk behind it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use super::{PictureBytes, Portrait};
use crate::domain::SessionId;
pub use crate::domain::Side;

/// One picture of one case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The case, by its subject's session.
    pub case: SessionId,
    /// Whose picture.
    pub side: Side,
}

/// How much a [`Vault`] holds, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Compressed files.
    pub compressed: usize,
    /// Decoded portraits.
    pub decoded: usize,
}

/// The store of pictures. `Debug` prints how much it holds.
pub struct Vault {
    files: Shelf<PictureBytes>,
    portraits: Shelf<Portrait>,
}

impl Vault {
    /// An empty store that keeps at most so many bytes of files and of portraits.
    #[must_use]
    pub fn new(max_compressed: usize, max_decoded: usize) -> Self {
        Self {
            files: Shelf::new(max_compressed, PictureBytes::held),
            portraits: Shelf::new(max_decoded, Portrait::held),
        }
    }

    /// The file under `key`, which thereby becomes the last to go.
    pub fn file(&mut self, key: &Key) -> Option<Arc<PictureBytes>> {
        self.files.get(key)
    }

    /// Keeps a file, in place of the one under the same key; the portrait made of that one goes.
    /// Handed back for use at once, also when it alone is larger than the store and is not kept.
    pub fn put_file(&mut self, key: Key, file: PictureBytes) -> Arc<PictureBytes> {
        self.portraits.forget(|held| *held == key);
        self.files.put(key, file)
    }

    /// The portrait under `key`, which thereby becomes the last to go.
    pub fn portrait(&mut self, key: &Key) -> Option<Arc<Portrait>> {
        self.portraits.get(key)
    }

    /// Keeps a portrait, as [`Vault::put_file`] keeps a file.
    pub fn put_portrait(&mut self, key: Key, portrait: Portrait) -> Arc<Portrait> {
        self.portraits.put(key, portrait)
    }

    /// Lets go of one picture.
    pub fn forget(&mut self, key: &Key) {
        self.files.forget(|held| held == key);
        self.portraits.forget(|held| held == key);
    }

    /// Lets go of all pictures of a case.
    pub fn forget_case(&mut self, case: &SessionId) {
        self.files.forget(|held| held.case == *case);
        self.portraits.forget(|held| held.case == *case);
    }

    /// Lets go of everything.
    pub fn clear(&mut self) {
        self.files.forget(|_| true);
        self.portraits.forget(|_| true);
    }

    /// How much is held now.
    #[must_use]
    pub fn total(&self) -> Held {
        Held { compressed: self.files.total, decoded: self.portraits.total }
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({:?})", self.total())
    }
}

/// One kind of thing, the longest unused first. A list and not a map: it holds a few hundred.
struct Shelf<T> {
    most: usize,
    total: usize,
    size: fn(&T) -> usize,
    things: VecDeque<(Key, Arc<T>)>,
}

impl<T> Shelf<T> {
    fn new(most: usize, size: fn(&T) -> usize) -> Self {
        Self { most, total: 0, size, things: VecDeque::new() }
    }

    fn get(&mut self, key: &Key) -> Option<Arc<T>> {
        let place = self.things.iter().position(|(held, _)| held == key)?;
        let found = self.things.remove(place)?;
        let thing = Arc::clone(&found.1);
        self.things.push_back(found);
        Some(thing)
    }

    fn put(&mut self, key: Key, thing: T) -> Arc<T> {
        self.forget(|held| *held == key);
        let size = (self.size)(&thing);
        let thing = Arc::new(thing);
        if size <= self.most {
            while self.total + size > self.most {
                let Some((_, oldest)) = self.things.pop_front() else { break };
                self.total -= (self.size)(&oldest);
            }
            self.total += size;
            self.things.push_back((key, Arc::clone(&thing)));
        }
        thing
    }

    fn forget(&mut self, gone: impl Fn(&Key) -> bool) {
        self.things.retain(|(key, _)| !gone(key));
        self.total = self.things.iter().map(|(_, thing)| (self.size)(thing)).sum();
    }
}
