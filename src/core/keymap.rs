//! From a key to an action: the table's keys, changed by the configuration, refused when two actions
//! of one screen share a key or a deciding key lies beside another one.

use std::collections::BTreeMap;

use super::action::{ACTIONS, Action, Scope};
use super::opening::CHOICES;
use crate::config::{Layout, Preset};
use crate::input::{Key, KeyCode};

/// Which key does what on which screen.
#[derive(Debug, Clone)]
pub struct Keymap {
    keys: BTreeMap<Action, Vec<Key>>,
    layout: Option<Layout>,
}

/// A key map that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    /// No such action.
    #[error("there is no action '{0}'; see `secondlook keys`")]
    UnknownAction(String),
    /// No such key.
    #[error("{action}: {error}")]
    BadKey {
        /// For which action.
        action: String,
        /// What is wrong.
        error: String,
    },
    /// Two actions of one screen on one key.
    #[error("'{key}' is bound to both {first} and {second} on the {scope} screen")]
    Twice {
        /// The key.
        key: String,
        /// One action.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// Where.
        scope: &'static str,
    },
    /// A slip of the finger would decide otherwise.
    #[error(
        "{first} ('{first_key}') and {second} ('{second_key}') would be neighbours on a {layout} keyboard; a slip could decide a case"
    )]
    Neighbours {
        /// One action.
        first: &'static str,
        /// Its key.
        first_key: char,
        /// The other.
        second: &'static str,
        /// Its key.
        second_key: char,
        /// Where they touch.
        layout: String,
    },
    /// A deciding action may not sit on a key that is pressed by habit.
    #[error("{0} may not be on enter, space or escape")]
    Habit(&'static str),
}

/// Rows of three keyboards; a key touches its neighbours in the row and those half a key off above
/// and below.
const LAYOUTS: [(&str, [&str; 3]); 3] = [
    ("QWERTY", ["qwertyuiop", "asdfghjkl;", "zxcvbnm,./"]),
    ("QWERTZ", ["qwertzuiop", "asdfghjkl;", "yxcvbnm,.-"]),
    ("AZERTY", ["azertyuiop", "qsdfghjklm", "wxcvbn,;:!"]),
];

impl Keymap {
    /// The default keys with `changes` (action name to keys) put over them.
    ///
    /// # Errors
    /// [`KeymapError`] naming the action and what to do about it.
    pub fn new(changes: &BTreeMap<String, Vec<String>>) -> Result<Self, KeymapError> {
        Self::over(&Preset::default(), changes)
    }

    /// The same over the keys of a preset.
    ///
    /// # Errors
    /// As [`Keymap::new`].
    pub fn over(
        preset: &Preset,
        changes: &BTreeMap<String, Vec<String>>,
    ) -> Result<Self, KeymapError> {
        let mut keys = BTreeMap::new();
        for info in ACTIONS {
            keys.insert(info.action, read(info.name, info.keys.iter().copied())?);
        }
        for (name, wanted) in preset.keys.iter().chain(changes) {
            let info = ACTIONS
                .iter()
                .find(|info| info.name == name)
                .ok_or_else(|| KeymapError::UnknownAction(name.clone()))?;
            keys.insert(info.action, read(name, wanted.iter().map(String::as_str))?);
        }
        let map = Self { keys, layout: preset.layout.clone() };
        map.check()?;
        Ok(map)
    }

    /// What a key does on a screen.
    #[must_use]
    pub fn action(&self, scope: Scope, key: Key) -> Option<Action> {
        ACTIONS
            .iter()
            .filter(|info| info.scopes.contains(&scope))
            .find(|info| self.keys(info.action).contains(&key))
            .map(|info| info.action)
    }

    /// The keys of an action, the first one is shown in the footer.
    #[must_use]
    pub fn keys(&self, action: Action) -> &[Key] {
        self.keys.get(&action).map_or(&[], Vec::as_slice)
    }

    /// The first key of an action as text.
    #[must_use]
    pub fn label(&self, action: Action) -> String {
        self.keys(action).first().map_or_else(|| "-".to_owned(), Key::to_string)
    }

    /// Keys that mean nothing beside a pair, for the one that opens it; `letters` only, or digits, too. Best
    /// without those beside a key that acts on a pair that is shut, and without what looks like another.
    #[must_use]
    pub fn free_keys(&self, letters: bool) -> Vec<char> {
        let free = |c: &char| self.action(Scope::Review, Key::char(*c)).is_none();
        let layouts = self.layouts();
        let acts = [Action::Escalate, Action::Skip];
        let beside = |c: char| {
            let keys = acts.iter().flat_map(|action| self.keys(*action));
            let mut typed = keys.filter_map(|key| match key.code {
                KeyCode::Char(typed) => Some(typed),
                _ => None,
            });
            typed.any(|typed| touching(&layouts, c, typed).is_some())
        };
        let safe = |c: &char| !matches!(c, 'l' | '0' | '1') && !beside(*c);
        let digits = if letters { "" } else { "6789" };
        let mut keys: Vec<char> = ('a'..='z').chain(digits.chars()).filter(free).collect();
        let (best, rest): (Vec<char>, Vec<char>) = keys.drain(..).partition(safe);
        let more = rest.into_iter().chain(",;=[]'".chars().filter(free));
        let lacking = CHOICES.saturating_sub(best.len());
        best.into_iter().chain(more.take(lacking)).collect()
    }

    fn layouts(&self) -> Vec<(&str, [&str; 3])> {
        let own = self.layout.as_ref();
        let own = own.map(|l| (l.name.as_str(), l.rows.each_ref().map(String::as_str)));
        own.map_or_else(|| LAYOUTS.to_vec(), |own| vec![own])
    }

    fn check(&self) -> Result<(), KeymapError> {
        for scope in Scope::ALL {
            let here: Vec<_> = ACTIONS.iter().filter(|i| i.scopes.contains(&scope)).collect();
            for (n, first) in here.iter().enumerate() {
                for second in &here[n + 1..] {
                    let shared = self
                        .keys(first.action)
                        .iter()
                        .find(|k| self.keys(second.action).contains(k));
                    if let Some(key) = shared {
                        return Err(KeymapError::Twice {
                            key: key.to_string(),
                            first: first.name,
                            second: second.name,
                            scope: scope.word(),
                        });
                    }
                }
            }
        }
        self.check_deciding_keys()
    }

    fn check_deciding_keys(&self) -> Result<(), KeymapError> {
        let layouts = self.layouts();
        let deciding: Vec<_> = ACTIONS.iter().filter(|i| i.mutating).collect();
        for info in &deciding {
            let habit =
                |k: &Key| matches!(k.code, KeyCode::Enter | KeyCode::Esc | KeyCode::Char(' '));
            if self.keys(info.action).iter().any(habit) {
                return Err(KeymapError::Habit(info.name));
            }
        }
        for (n, first) in deciding.iter().enumerate() {
            for second in &deciding[n + 1..] {
                for a in self.keys(first.action) {
                    for b in self.keys(second.action) {
                        if let (KeyCode::Char(a), KeyCode::Char(b)) = (a.code, b.code)
                            && let Some(layout) = touching(&layouts, a, b)
                        {
                            return Err(KeymapError::Neighbours {
                                first: first.name,
                                first_key: a,
                                second: second.name,
                                second_key: b,
                                layout: layout.to_owned(),
                            });
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

fn read<'a>(name: &str, keys: impl Iterator<Item = &'a str>) -> Result<Vec<Key>, KeymapError> {
    keys.map(|text| {
        Key::parse(text).map_err(|error| KeymapError::BadKey {
            action: name.to_owned(),
            error: error.to_string(),
        })
    })
    .collect()
}

/// The layout on which two characters' keys touch, if any. Shift does not move a finger.
fn touching<'a>(layouts: &[(&'a str, [&str; 3])], a: char, b: char) -> Option<&'a str> {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    layouts.iter().find_map(|(name, rows)| {
        let find = |c: char| {
            rows.iter().enumerate().find_map(|(row, keys)| keys.find(c).map(|column| (row, column)))
        };
        let ((row_a, col_a), (row_b, col_b)) = (find(a)?, find(b)?);
        let near = match row_a.abs_diff(row_b) {
            0 => col_a.abs_diff(col_b) == 1,
            // The row below is shifted to the right by about half a key.
            1 => {
                let (upper, lower) = if row_a < row_b { (col_a, col_b) } else { (col_b, col_a) };
                lower == upper || lower + 1 == upper
            }
            _ => false,
        };
        (near && a != b).then_some(*name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PRESETS;

    fn with(name: &str, keys: &[&str]) -> Result<Keymap, KeymapError> {
        let keys = keys.iter().map(|k| (*k).to_owned()).collect();
        Keymap::new(&BTreeMap::from([(name.to_owned(), keys)]))
    }

    #[test]
    fn the_default_keys_are_sound() {
        assert!(Keymap::new(&BTreeMap::new()).is_ok());
    }

    #[test]
    fn the_table_keeps_its_laws() {
        let mut names: Vec<_> = ACTIONS.iter().map(|i| i.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ACTIONS.len(), "a name stands twice");
        for info in ACTIONS {
            assert!(!info.keys.is_empty(), "{} has no key", info.name);
            assert!(!info.scopes.is_empty(), "{} works nowhere", info.name);
            assert!(info.help.len() <= 60, "{}: help is too long", info.name);
            assert_eq!(info.action.info().name, info.name, "{} stands twice", info.name);
        }
    }

    #[test]
    fn a_map_that_could_decide_by_a_slip_is_refused() {
        assert!(matches!(with("reject", &["s"]), Err(KeymapError::Twice { .. })));
        assert!(with("unsure", &["o"]).is_ok());
        assert!(matches!(with("escalate", &["w"]), Err(KeymapError::Neighbours { .. })));
        assert!(matches!(with("reject", &["enter"]), Err(KeymapError::Habit("reject"))));
        assert!(matches!(with("fly", &["f"]), Err(KeymapError::UnknownAction(_))));
        assert!(matches!(with("reject", &["hello"]), Err(KeymapError::BadKey { .. })));
    }

    #[test]
    fn every_preset_is_sound_on_its_keyboard_and_keeps_its_own_word() {
        let none = BTreeMap::new();
        for (name, _) in PRESETS {
            let preset = Preset::named(name).unwrap();
            let map = Keymap::over(&preset, &none).unwrap_or_else(|e| panic!("{name}: {e}"));
            for info in ACTIONS {
                assert!(!map.keys(info.action).is_empty(), "{name}: {}", info.name);
            }
            // What harms keeps its Shift, and a missed Shift decides nothing else.
            assert_eq!(map.label(Action::Blocklist), "B", "{name}");
            for (deciding, key) in ACTIONS
                .iter()
                .filter(|i| i.mutating && i.action != Action::Blocklist)
                .flat_map(|i| map.keys(i.action).iter().map(move |key| (i, key)))
            {
                let KeyCode::Char(c) = key.code else { continue };
                let shifted = map.action(Scope::Review, Key::char(c.to_ascii_uppercase()));
                let own = [Some(deciding.action), None, Some(Action::Statistics)];
                assert!(own.contains(&shifted), "{name}: {c} and {shifted:?}");
            }
        }
        let mnemonic = Keymap::over(&Preset::named("mnemonic").unwrap(), &none).unwrap();
        let acts = |key| mnemonic.action(Scope::Review, Key::char(key));
        assert_eq!((acts('a'), acts('r')), (Some(Action::Approve), Some(Action::Reject)));
        assert_eq!((acts('R'), acts('x'), acts('e')), (None, None, None));
    }

    #[test]
    fn the_default_keys_touch_where_the_presets_say_so() {
        for (name, first, second) in
            [("dvorak", 'i', 'x'), ("dvorak", 'b', 'x'), ("colemak", 'e', 'i')]
        {
            let Preset { layout, .. } = Preset::named(name).unwrap();
            let layout = layout.unwrap();
            let rows = layout.rows.each_ref().map(String::as_str);
            assert!(touching(&[(&layout.name, rows)], first, second).is_some(), "{name}");
            let bare = Preset { layout: Some(layout), ..Preset::default() };
            let refused = Keymap::over(&bare, &BTreeMap::new());
            assert!(matches!(refused, Err(KeymapError::Neighbours { .. })), "{name}");
        }
    }

    #[test]
    fn ones_own_keys_lie_over_a_preset_and_are_held_to_its_keyboard() {
        let own = |name: &str, key: &str| BTreeMap::from([(name.to_owned(), vec![key.to_owned()])]);
        let over = |preset: &str, keys| Keymap::over(&Preset::named(preset).unwrap(), &keys);
        assert_eq!(over("mnemonic", own("reject", "x")).unwrap().label(Action::Reject), "x");
        assert!(matches!(
            over("mnemonic", own("escalate", "e")),
            Err(KeymapError::Neighbours { layout, .. }) if layout == "QWERTY"
        ));
        assert!(matches!(
            over("dvorak", own("reject", "x")),
            Err(KeymapError::Neighbours { layout, .. }) if layout == "Dvorak"
        ));
    }

    #[test]
    fn neighbours_are_what_a_hand_feels() {
        for (a, b, near) in [
            ('a', 's', true),
            ('a', 'z', true),
            ('a', 'x', false),
            ('s', 'x', true),
            ('e', 'i', false),
            ('B', 'n', true),
        ] {
            assert_eq!(touching(&LAYOUTS, a, b).is_some(), near, "{a} {b}");
        }
    }
}
