//! A memory of the newest things, with a bound: what is older is forgotten.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// The newest keys, each with a value.
pub(super) struct Recent<K, V> {
    most: usize,
    known: HashMap<K, V>,
    order: VecDeque<K>,
}

impl<K: Clone + Eq + Hash, V> Recent<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), known: HashMap::new(), order: VecDeque::new() }
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.known.get(key)
    }

    /// Keeps a value. A key that is known keeps its place.
    pub(super) fn keep(&mut self, key: K, value: V) {
        if self.known.insert(key.clone(), value).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_and_the_bound_holds() {
        let mut recent = Recent::new(3);
        for key in [1, 2, 3, 1, 4] {
            recent.keep(key, key * 10);
        }
        assert_eq!(
            [1, 2, 3, 4].map(|key| recent.get(&key).copied()),
            [None, Some(20), Some(30), Some(40)]
        );
        assert_eq!((recent.known.len(), recent.order.len()), (3, 3));
    }
}
