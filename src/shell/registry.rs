//! What the terminal holds: every picture that was sent to it under an id, from the moment it is ready
//! to be sent until the terminal was told to let go of it. Says what is sent next, and what has to be
//! deleted; writes nothing itself.
//!
//! A better tier of a picture is another picture here, with an id of its own: once it is written the
//! cells are switched to it, and the one before is let go of when that frame is out. So nothing
//! flickers, and nothing is deleted that is still on the screen.

use std::collections::BTreeMap;

use crate::picture::Tier;
use crate::picture::protocol::{
    Wrap, kitty_block, kitty_delete, kitty_delete_range, kitty_question,
};
use crate::term::Upload;
use crate::tui::{Frame, FrameBody, FrameKey, Gallery};

/// Pictures kept in the terminal at most, all cases and looks together; the longest unused goes first.
/// Fewer than there are ids in a block, so that an id rests before it names another face.
const MOST: usize = 96;

/// Where a picture stands. One that was lost is not here any more: it is made anew.
#[derive(Debug)]
enum State {
    /// Ready to be sent.
    Unsent(Upload),
    /// Given to the writer.
    Sending,
    /// All of it is written.
    Held,
}

#[derive(Debug)]
struct Entry {
    key: FrameKey,
    tier: Tier,
    frame: Frame,
    state: State,
    /// The terminal has said that it holds it.
    confirmed: bool,
    /// The last time it was wanted, by the registry's own count.
    used: u64,
}

/// The registry.
#[derive(Debug)]
pub struct Registry {
    entries: BTreeMap<u32, Entry>,
    /// Ids to be deleted once no frame shows them any more.
    leaving: Vec<u32>,
    ids: (u32, u32),
    next_id: u32,
    count: u64,
}

impl Registry {
    /// An empty registry, whose ids are those of this session.
    pub fn new(session: u8) -> Self {
        let ids = kitty_block(session);
        Self { entries: BTreeMap::new(), leaving: Vec::new(), ids, next_id: ids.0, count: 0 }
    }

    /// An id that names no picture.
    pub fn free_id(&mut self) -> u32 {
        loop {
            let id = self.next_id;
            self.next_id = if id == self.ids.1 { self.ids.0 } else { id + 1 };
            if !self.entries.contains_key(&id) && !self.leaving.contains(&id) {
                return id;
            }
        }
    }

    /// Takes in a picture that is ready to be sent.
    pub fn offer(&mut self, id: u32, key: FrameKey, tier: Tier, frame: Frame, upload: Upload) {
        let used = self.count;
        let state = State::Unsent(upload);
        self.entries.insert(id, Entry { key, tier, frame, state, confirmed: false, used });
    }

    /// The best tier of a picture that is here, sent or not.
    pub fn tier(&self, key: &FrameKey) -> Option<Tier> {
        self.entries.values().filter(|entry| entry.key == *key).map(|entry| entry.tier).max()
    }

    /// Whether a tier of a picture is ready and not sent.
    pub fn is_unsent(&self, key: &FrameKey) -> bool {
        let unsent = |entry: &Entry| matches!(entry.state, State::Unsent(_));
        self.entries.values().any(|entry| entry.key == *key && unsent(entry))
    }

    /// The picture that is being sent.
    pub fn sending(&self) -> Option<(u32, &FrameKey)> {
        let sending = |entry: &&Entry| matches!(entry.state, State::Sending);
        let found = self.entries.iter().find(|(_, entry)| sending(entry));
        found.map(|(id, entry)| (*id, &entry.key))
    }

    /// Takes a picture to be sent now, if it is ready.
    pub fn send(&mut self, key: &FrameKey, tier: Tier) -> Option<Upload> {
        let fits = |entry: &&mut Entry| {
            entry.key == *key && entry.tier == tier && matches!(entry.state, State::Unsent(_))
        };
        let entry = self.entries.values_mut().find(fits)?;
        match std::mem::replace(&mut entry.state, State::Sending) {
            State::Unsent(upload) => Some(upload),
            State::Sending | State::Held => None,
        }
    }

    /// An upload is written: from the next frame on its picture is shown, in the place of a lesser one.
    /// False when it is none of ours.
    pub fn written(&mut self, id: u32, gallery: &mut Gallery) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else { return false };
        entry.state = State::Held;
        let (key, tier) = (entry.key.clone(), entry.tier);
        gallery.put(key.clone(), entry.frame.clone());
        let lesser: Vec<u32> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.key == key && entry.tier < tier)
            .map(|(id, _)| *id)
            .collect();
        lesser.into_iter().for_each(|id| self.let_go(id));
        true
    }

    /// An upload was taken back; the terminal was told to forget what it had of it.
    pub fn dropped(&mut self, id: u32) {
        self.entries.remove(&id);
    }

    /// The terminal has said of a picture that it holds it, or that it does not. A lost one is
    /// forgotten; answers with its key.
    pub fn answered(&mut self, id: u32, ok: bool, gallery: &mut Gallery) -> Option<FrameKey> {
        if ok {
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.confirmed = true;
            }
            return None;
        }
        let entry = self.entries.remove(&id)?;
        take_down(id, &entry.key, gallery);
        Some(entry.key)
    }

    /// Marks what is wanted now, and lets go of what may not be kept, and of the longest unused beyond
    /// the measure. Answers with the id of an upload under way that has to be taken back.
    pub fn keep(
        &mut self,
        wanted: &[FrameKey],
        may_stay: impl Fn(&FrameKey) -> bool,
        gallery: &mut Gallery,
    ) -> Option<u32> {
        self.count += 1;
        for entry in self.entries.values_mut().filter(|entry| wanted.contains(&entry.key)) {
            entry.used = self.count;
        }
        let mut by_use: Vec<(u64, u32)> =
            self.entries.iter().map(|(id, entry)| (entry.used, *id)).collect();
        by_use.sort_unstable();
        let beyond = by_use.len().saturating_sub(MOST);
        let unused = by_use.iter().take(beyond).filter(|(used, _)| *used < self.count);
        let mut gone: Vec<u32> = unused.map(|(_, id)| *id).collect();
        gone.extend(self.entries.iter().filter(|(_, e)| !may_stay(&e.key)).map(|(id, _)| *id));
        let mut under_way = None;
        for id in gone {
            let Some(entry) = self.entries.get(&id) else { continue };
            if matches!(entry.state, State::Sending) {
                under_way = Some(id);
                continue;
            }
            let key = entry.key.clone();
            self.let_go(id);
            take_down(id, &key, gallery);
        }
        under_way
    }

    /// Forgets a picture; what the terminal has of it is to be deleted.
    fn let_go(&mut self, id: u32) {
        if let Some(entry) = self.entries.remove(&id)
            && matches!(entry.state, State::Held)
        {
            self.leaving.push(id);
        }
    }

    /// What deletes the pictures that no frame shows any more: to be written after the frame.
    pub fn deletions(&mut self, wrap: Wrap) -> Vec<u8> {
        self.leaving.drain(..).flat_map(|id| kitty_delete(id, wrap)).collect()
    }

    /// Forgets all pictures; answers with what deletes them.
    pub fn wipe(&mut self, wrap: Wrap) -> Vec<u8> {
        let bytes = self.farewell(wrap);
        self.entries.clear();
        self.leaving.clear();
        bytes
    }

    /// What deletes everything that the terminal may hold of this session: one by one, and the whole
    /// block where the terminal knows how to. Nothing when nothing was ever sent.
    pub fn farewell(&self, wrap: Wrap) -> Vec<u8> {
        let unsent = |entry: &Entry| matches!(entry.state, State::Unsent(_));
        let held = self.entries.iter().filter(|(_, entry)| !unsent(entry)).map(|(id, _)| *id);
        let ids: Vec<u32> = held.chain(self.leaving.iter().copied()).collect();
        if ids.is_empty() {
            return Vec::new();
        }
        let mut bytes: Vec<u8> = ids.iter().flat_map(|id| kitty_delete(*id, wrap)).collect();
        bytes.extend(kitty_delete_range(self.ids.0, self.ids.1, wrap));
        bytes
    }

    /// Whether the terminal has said that it holds a picture.
    pub fn is_confirmed(&self, id: u32) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.confirmed)
    }

    /// Nothing of what was said counts any more.
    pub fn unconfirm(&mut self) {
        self.entries.values_mut().for_each(|entry| entry.confirmed = false);
    }

    /// The question whether a picture is there; nothing for one that was never written.
    pub fn question(&self, id: u32, wrap: Wrap) -> Vec<u8> {
        let held = self.entries.get(&id).filter(|entry| matches!(entry.state, State::Held));
        held.map_or_else(Vec::new, |entry| {
            kitty_question(id, (entry.frame.columns, entry.frame.rows), wrap)
        })
    }

    /// The questions whether pictures are still there, of those that `asked` names.
    pub fn questions(&self, wrap: Wrap, asked: impl Fn(&FrameKey) -> bool) -> Vec<u8> {
        let held = self
            .entries
            .iter()
            .filter(|(_, entry)| matches!(entry.state, State::Held) && asked(&entry.key));
        held.flat_map(|(id, entry)| {
            kitty_question(*id, (entry.frame.columns, entry.frame.rows), wrap)
        })
        .collect()
    }
}

/// Takes a picture out of the gallery, unless another tier of it hangs there.
fn take_down(id: u32, key: &FrameKey, gallery: &mut Gallery) {
    let hangs = gallery.get(key).map(|frame| &frame.body);
    if matches!(hangs, Some(FrameBody::Placeholders(shown)) if *shown == id) {
        gallery.retain(|hung| hung != key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Side, Sight};
    use crate::domain::SessionId;
    use crate::tui::Eyes;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const WRAP: Wrap = Wrap::Bare;

    fn key(case: u8, side: u8) -> FrameKey {
        FrameKey {
            case: SessionId::parse(&format!("case-{case}")).unwrap(),
            side: if side == 0 { Side::Subject } else { Side::Candidate(0) },
            sight: Sight::default(),
            mirrored: false,
            cells: (4, 4),
        }
    }

    /// What happens to a registry.
    #[derive(Debug, Clone)]
    enum Step {
        /// A picture is ready.
        Offer(u8, u8, Tier),
        /// It is given to the writer.
        Send(u8, u8, Tier),
        /// The writer has written it, or takes it back.
        Written(bool),
        /// The terminal lost this one of those it holds, and was asked.
        Lose(usize),
        /// Only these cases may stay.
        Keep(u8),
        /// A frame is out.
        Frame,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let tier = prop::sample::select(vec![Tier::Preview, Tier::Review, Tier::Fine]);
        let step = prop_oneof![
            4 => (0u8..6, 0u8..2, tier.clone()).prop_map(|(c, s, t)| Step::Offer(c, s, t)),
            4 => (0u8..6, 0u8..2, tier).prop_map(|(c, s, t)| Step::Send(c, s, t)),
            4 => prop::bool::weighted(0.8).prop_map(Step::Written),
            1 => any::<usize>().prop_map(Step::Lose),
            1 => any::<u8>().prop_map(Step::Keep),
            3 => Just(Step::Frame),
        ];
        prop::collection::vec(step, 1..120)
    }

    /// The ids that a terminal frees by these commands.
    fn freed(bytes: &[u8], held: &mut BTreeSet<u32>) {
        for command in String::from_utf8_lossy(bytes).split("\x1b\\") {
            let number = |name: &str| {
                let at = command.find(name)? + name.len();
                let digits = command[at..].split(',').next()?;
                digits.parse::<u32>().ok()
            };
            if command.contains("d=R") {
                let (low, high) = (number("x=").unwrap(), number("y=").unwrap());
                held.retain(|id| !(low..=high).contains(id));
            } else if let Some(id) = number(",i=") {
                held.remove(&id);
            }
        }
    }

    proptest! {
        #[test]
        fn it_knows_what_the_terminal_holds_and_shows_nothing_else(steps in steps()) {
            let mut registry = Registry::new(9);
            let mut gallery = Gallery::default();
            let mut held = BTreeSet::new();
            for step in steps {
                match step {
                    Step::Offer(case, side, tier) => {
                        // As the easel does: no tier twice, none that is no better.
                        if registry.tier(&key(case, side)).is_some_and(|here| here >= tier) {
                            continue;
                        }
                        let id = registry.free_id();
                        prop_assert!(!held.contains(&id), "{id} names another picture still");
                        let upload = Upload { id: u64::from(id), ..Upload::default() };
                        let body = FrameBody::Placeholders(id);
                        let eyes = Eyes::Guessed(1);
                        let frame = Frame { columns: 4, rows: 4, body, eyes, tier: Some(tier) };
                        registry.offer(id, key(case, side), tier, frame, upload);
                    }
                    Step::Send(case, side, tier) => {
                        if registry.sending().is_none() {
                            registry.send(&key(case, side), tier);
                        }
                    }
                    Step::Written(all) => {
                        let Some((id, _)) = registry.sending() else { continue };
                        if all {
                            held.insert(id);
                            prop_assert!(registry.written(id, &mut gallery));
                        } else {
                            registry.dropped(id);
                        }
                    }
                    Step::Lose(which) => {
                        let Some(id) = held.iter().nth(which % held.len().max(1)).copied() else {
                            continue;
                        };
                        held.remove(&id);
                        registry.answered(id, false, &mut gallery);
                    }
                    Step::Keep(cases) => {
                        let may_stay =
                            |key: &FrameKey| key.case.as_str().ends_with(['0', '1', '2'])
                                || cases & 1 == 1;
                        if let Some(id) = registry.keep(&[], may_stay, &mut gallery) {
                            registry.dropped(id);
                        }
                    }
                    Step::Frame => {
                        freed(&registry.deletions(WRAP), &mut held);
                        let known: BTreeSet<u32> = registry
                            .entries
                            .iter()
                            .filter(|(_, entry)| matches!(entry.state, State::Held))
                            .map(|(id, _)| *id)
                            .collect();
                        prop_assert_eq!(&known, &held);
                    }
                }
                // What a frame would show now, the terminal holds.
                for case in 0..6 {
                    for side in 0..2 {
                        let frame = gallery.get(&key(case, side)).map(|frame| &frame.body);
                        if let Some(FrameBody::Placeholders(id)) = frame {
                            prop_assert!(held.contains(id), "{id} is shown and not there");
                        }
                    }
                }
            }
            freed(&registry.farewell(WRAP), &mut held);
            prop_assert!(held.is_empty(), "{held:?} stay");
        }
    }

    #[test]
    fn the_longest_unused_goes_when_there_are_too_many() {
        let mut registry = Registry::new(1);
        let mut gallery = Gallery::default();
        let many: Vec<FrameKey> = (0..99).map(|case| key(case, 0)).collect();
        for key in &many {
            let id = registry.free_id();
            let upload = Upload { id: u64::from(id), ..Upload::default() };
            let body = FrameBody::Placeholders(id);
            let frame = Frame { columns: 4, rows: 4, body, eyes: Eyes::Guessed(1), tier: None };
            // The first one is wanted all the time.
            let wanted = [many[0].clone(), key.clone()];
            registry.keep(&wanted, |_| true, &mut gallery);
            registry.offer(id, key.clone(), Tier::Review, frame, upload);
            registry.send(key, Tier::Review);
            registry.written(id, &mut gallery);
        }
        registry.keep(&many[..1], |_| true, &mut gallery);
        assert_eq!(registry.entries.len(), MOST);
        assert!(gallery.get(&many[0]).is_some() && gallery.get(&many[1]).is_none());
    }
}
