//! The opening key: where no answer comes from the terminal that draws, nobody here can know what is on the
//! reviewer's screen. So a new pair opens shut, and a harmless key that stands only on the new frame opens it.
//! It is drawn afresh for each pair, so that neither habit nor a key typed under the pair before can know it.

use super::desk::NotArmed;
use super::model::{Model, Overlay, Severity};
use super::verdict;
use crate::domain::Millis;
use crate::input::{Key, KeyCode};

/// The key is drawn from at least so many, where the key map leaves as many free.
pub const CHOICES: usize = 8;
/// After so many wrong keys another one is drawn, and none counts for [`WRONG_MS`].
pub const WRONG_KEYS: u8 = 3;
/// How long none counts then, in milliseconds.
pub const WRONG_MS: i64 = 1_000;
/// Nobody reads a letter and presses it sooner after its frame was written, in milliseconds.
pub const READ_MS: i64 = 150;

/// What is known of the way from here to the reviewer's eyes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Reach {
    /// The terminal has not answered yet, and may.
    #[default]
    Asking,
    /// The terminal that draws answers for itself.
    EndToEnd,
    /// Nothing that draws answers: something in between does, or nothing.
    Blind {
        /// What stands there: one word.
        by: String,
        /// What would help, in a few words; may be empty.
        remedy: String,
    },
    /// Nobody looks, or too many do: nothing arms. In words.
    Off(String),
}

/// The key that opens the pair of one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// Of which epoch of the desk.
    pub epoch: u64,
    /// The key.
    pub key: char,
    /// When it was pressed.
    pub opened: Option<Millis>,
}

/// What is kept from pair to pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tries {
    /// Wrong keys since the last right one.
    wrong: u8,
    /// No key opens anything before this.
    not_before: Option<Millis>,
    /// The key before this one; it is not drawn twice running where there are enough.
    last: Option<char>,
}

impl Model {
    /// Whether a pair opens shut.
    #[must_use]
    pub fn opens_shut(&self) -> bool {
        matches!(self.reach, Reach::Blind { .. }) || self.attached_anew
    }

    /// The key that opens the pair on the desk, while it is shut.
    #[must_use]
    pub fn opening_key(&self) -> Option<char> {
        let desk = self.desk.as_ref().filter(|_| self.opens_shut())?;
        let opening = desk.opening.filter(|opening| opening.epoch == desk.epoch)?;
        opening.opened.is_none().then_some(opening.key)
    }

    /// Since when the pair on the desk is known to be seen: the terminal has confirmed it, or its own key
    /// was pressed.
    ///
    /// # Errors
    /// [`NotArmed`] while it is not.
    pub(super) fn seen_since(&self) -> Result<Millis, NotArmed> {
        match &self.reach {
            Reach::Asking => return Err(NotArmed::Asking),
            Reach::Off(why) => return Err(NotArmed::Off(why.clone())),
            Reach::EndToEnd | Reach::Blind { .. } => {}
        }
        let desk = self.desk.as_ref().ok_or(NotArmed::NoCase)?;
        let unconfirmed = desk.unconfirmed == Some(desk.epoch);
        let not_yet = || if unconfirmed { NotArmed::Unconfirmed } else { NotArmed::Painting };
        let painted = desk.painted_at().ok_or_else(not_yet)?;
        let opening = desk.opening.filter(|opening| opening.epoch == desk.epoch);
        match opening.map(|opening| (opening.key, opening.opened)) {
            Some((_, Some(opened))) => Ok(painted.max(opened)),
            Some((key, None)) if self.opens_shut() => Err(NotArmed::Shut(key)),
            None if self.opens_shut() => Err(NotArmed::Painting),
            Some((_, None)) | None => Ok(painted),
        }
    }

    /// Why the pair is shut, and what would help, in one short line.
    #[must_use]
    pub fn shut_words(&self) -> (String, String) {
        match &self.reach {
            _ if self.attached_anew => {
                let who = crate::domain::printable(&self.settings.reviewer.name, 20);
                (format!("a terminal came: whoever opens is {who}"), String::new())
            }
            Reach::Blind { by, remedy } => (format!("not end to end ({by})"), remedy.clone()),
            Reach::Asking | Reach::EndToEnd | Reach::Off(_) => Default::default(),
        }
    }
}

/// What is known of the way has changed: whatever was seen before is to be seen again.
pub fn reach(model: &mut Model, reach: Reach) {
    if model.reach == reach {
        return;
    }
    model.reach = reach;
    if let Some(desk) = &mut model.desk {
        desk.disarm();
    }
}

/// Another terminal shows the console than before: the next pair is opened by its key, whoever answers.
pub fn attached(model: &mut Model) {
    model.attached_anew = true;
    if let Some(desk) = &mut model.desk {
        desk.disarm();
    }
    let who = crate::domain::printable(&model.settings.reviewer.name, 20);
    model.say(
        Severity::Warn,
        format!("Another terminal was attached. This console decides as {who}: anybody else leaves and starts their own."),
    );
}

/// Draws the key of a pair that has none yet.
pub fn tend(model: &mut Model) {
    if !model.opens_shut() {
        return;
    }
    // Digits are for the number while a blocklisting is being named.
    let letters = model.overlays.iter().any(|o| matches!(o, Overlay::Interlock(_)));
    let Some(desk) = &mut model.desk else { return };
    if desk.opening.is_some_and(|opening| opening.epoch == desk.epoch) {
        return;
    }
    let mut free = model.settings.keymap.free_keys(letters);
    if free.len() > CHOICES {
        free.retain(|key| model.tries.last != Some(*key));
    }
    // A key map without a free key opens nothing.
    let Some(key) = model.random.choice(free) else { return };
    model.tries.last = Some(key);
    desk.opening = Some(Opening { epoch: desk.epoch, key, opened: None });
}

/// A key that is bound to nothing; whether it was tried as the opening key.
pub fn on_key(model: &mut Model, key: Key, at: Millis, in_one_read: u32) -> bool {
    let Key { code: KeyCode::Char(pressed), ctrl: false, alt: false } = key else { return false };
    let Some(wanted) = model.opening_key() else { return false };
    if !model.pictures_visible() {
        return false;
    }
    if model.tries.not_before.is_some_and(|then| at < then) {
        model.say(
            Severity::Warn,
            "Three wrong keys: wait a second, then press the one that stands here.",
        );
        return true;
    }
    if pressed != wanted {
        wrong(model, pressed, at);
        return true;
    }
    let named = model.desk.as_ref().and_then(super::desk::Desk::painted_at);
    let before = model.arrivals.iter().rev().nth(1);
    let alone = in_one_read <= 1 && before.is_none_or(|last| at.since(*last) > verdict::BURST_MS);
    // Typed ahead, it was a guess.
    if !alone || named.is_none_or(|named| at.since(named) < READ_MS) {
        model.say(Severity::Warn, format!("'{pressed}' came too soon: look, then press it alone."));
        return true;
    }
    if let Some(opening) = model.desk.as_mut().and_then(|desk| desk.opening.as_mut()) {
        opening.opened = Some(at);
    }
    model.tries.wrong = 0;
    model.attached_anew = false;
    true
}

fn wrong(model: &mut Model, pressed: char, at: Millis) {
    model.tries.wrong += 1;
    if model.tries.wrong < WRONG_KEYS {
        model.say(Severity::Warn, format!("'{pressed}' does not open this pair."));
        return;
    }
    model.tries = Tries { wrong: 0, not_before: Some(at.plus(WRONG_MS)), ..model.tries };
    model.say(Severity::Warn, "Three wrong keys: another one is drawn, and counts in a second.");
    if let Some(desk) = &mut model.desk {
        desk.disarm();
    }
}
