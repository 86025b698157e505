//! What a whole sequence means: which key, or which answer. A sequence that is not exactly a key's
//! is an answer. Where the sequence came from and how it was cut is the parser's concern.

use super::parser::{Answer, Heard, Kind};
use crate::input::{Key, KeyCode};

/// The key for one byte below 0x80; `None` for ESC, which is never alone here.
pub(super) fn byte_key(byte: u8) -> Option<Key> {
    Some(match byte {
        0x00 => Key::ctrl(' '),
        0x08 | 0x7f => Key::plain(KeyCode::Backspace),
        0x09 => Key::plain(KeyCode::Tab),
        0x0d => Key::plain(KeyCode::Enter),
        0x01..=0x1a => Key::ctrl(char::from(byte - 1 + b'a')),
        0x1c..=0x1f => Key::ctrl(char::from(byte + 0x40)),
        0x20..=0x7e => Key::char(char::from(byte)),
        _ => return None,
    })
}

/// The key for `ESC O` and a byte.
pub(super) fn ss3_key(byte: u8) -> Option<Key> {
    let code = if byte == b'M' { KeyCode::Enter } else { letter_code(byte)? };
    Some(Key::plain(code))
}

/// The keys that end in a letter, after `CSI` and after `SS3`.
fn letter_code(byte: u8) -> Option<KeyCode> {
    Some(match byte {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'P'..=b'S' => KeyCode::F(byte - b'P' + 1),
        _ => return None,
    })
}

/// The keys that end in a tilde.
fn tilde_code(number: u32) -> Option<KeyCode> {
    Some(match number {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        11 => KeyCode::F(1),
        12 => KeyCode::F(2),
        13 => KeyCode::F(3),
        14 => KeyCode::F(4),
        15 => KeyCode::F(5),
        17 => KeyCode::F(6),
        18 => KeyCode::F(7),
        19 => KeyCode::F(8),
        20 => KeyCode::F(9),
        21 => KeyCode::F(10),
        23 => KeyCode::F(11),
        24 => KeyCode::F(12),
        _ => return None,
    })
}

/// A control sequence taken apart: `CSI ? 2026 ; 2 $ y`.
struct Csi {
    /// One of `< = > ?`, when it starts with one.
    private: Option<u8>,
    /// The numbers between `;`, each with its parts between `:`; an empty one is `None`.
    numbers: Vec<Vec<Option<u32>>>,
    /// The bytes between the numbers and the last byte.
    between: Vec<u8>,
    last: u8,
}

impl Csi {
    /// `None` when it is not well formed.
    fn take_apart(held: &[u8], last: u8) -> Option<Self> {
        let (private, rest) = match held.split_first() {
            Some((&first @ b'<'..=b'?', rest)) => (Some(first), rest),
            _ => (None, held),
        };
        let cut = rest.iter().position(|b| *b < b'0').unwrap_or(rest.len());
        let (numbers, between) = rest.split_at(cut);
        if between.iter().any(|b| *b >= b'0') {
            return None;
        }
        let numbers = if numbers.is_empty() {
            Vec::new()
        } else {
            numbers
                .split(|b| *b == b';')
                .map(|group| group.split(|b| *b == b':').map(number).collect())
                .collect::<Option<_>>()?
        };
        Some(Self { private, numbers, between: between.to_vec(), last })
    }

    /// The first part of a number.
    fn at(&self, index: usize) -> Option<u32> {
        self.part(index, 0)
    }

    fn part(&self, index: usize, part: usize) -> Option<u32> {
        self.numbers.get(index)?.get(part).copied().flatten()
    }

    fn short(&self, index: usize) -> Option<u16> {
        self.at(index).and_then(|n| u16::try_from(n).ok())
    }
}

/// `Some(None)` for nothing, `None` for what is no number of ours.
fn number(digits: &[u8]) -> Option<Option<u32>> {
    if digits.is_empty() {
        return Some(None);
    }
    std::str::from_utf8(digits).ok()?.parse().ok().map(Some)
}

/// What a control sequence means; `None` for a key that means nothing to us (a release, Super).
pub(super) fn csi(held: &[u8], last: u8) -> Option<Heard> {
    let Some(csi) = Csi::take_apart(held, last) else {
        return Some(Heard::Answer(Answer::Other));
    };
    if csi.private.is_none()
        && csi.between.is_empty()
        && let Some(heard) = plain_csi(&csi)
    {
        return heard;
    }
    Some(Heard::Answer(csi_answer(&csi).unwrap_or(Answer::Other)))
}

/// A sequence without marks: the only ones that can be keys. `None` when it is an answer,
/// `Some(None)` when it is a key that means nothing.
fn plain_csi(csi: &Csi) -> Option<Option<Heard>> {
    let bare = csi.numbers.is_empty();
    match csi.last {
        b'I' if bare => return Some(Some(Heard::FocusGained)),
        b'O' if bare => return Some(Some(Heard::FocusLost)),
        // `CSI n;mR` is where the cursor is, though it could be F3 with a modifier.
        b'R' if !bare => return None,
        _ => {}
    }
    let first = csi.at(0);
    let at_most = |count| csi.numbers.len() <= count;
    let held = Held::of(csi, 1);
    let key = match csi.last {
        b'u' if !bare && at_most(3) => character_key(csi, held),
        b'~' if first == Some(27) && csi.numbers.len() == 3 => code_key(csi.at(2)?, held),
        b'~' if at_most(2) => held.with(tilde_code(first?)?),
        b'Z' if at_most(2) && first.is_none_or(|n| n == 1) => held.with(KeyCode::BackTab),
        last if at_most(2) && first.is_none_or(|n| n == 1) => held.with(letter_code(last)?),
        _ => return None,
    };
    Some(key.map(Heard::Key))
}

/// The modifiers of a key, and whether it is going up.
#[derive(Clone, Copy)]
struct Held {
    bits: u32,
    released: bool,
}

const SHIFT: u32 = 1;
const ALT: u32 = 2;
const CTRL: u32 = 4;
const CAPS: u32 = 64;
const NUM: u32 = 128;

impl Held {
    fn of(csi: &Csi, index: usize) -> Self {
        let bits = csi.at(index).unwrap_or(1).saturating_sub(1);
        Self { bits, released: csi.part(index, 1) == Some(3) }
    }

    fn has(self, bit: u32) -> bool {
        self.bits & bit != 0
    }

    /// The key; `None` when it goes up, or with a modifier that no key of ours has: Super and `a`
    /// is not `a`.
    fn with(self, code: KeyCode) -> Option<Key> {
        let known = SHIFT | ALT | CTRL | CAPS | NUM;
        let usable = !self.released && self.bits & !known == 0;
        usable.then(|| Key { code, ctrl: self.has(CTRL), alt: self.has(ALT) })
    }
}

/// Kitty's keyboard: `CSI code:shifted:base ; modifiers:event ; text u`.
fn character_key(csi: &Csi, held: Held) -> Option<Key> {
    let plain = !held.has(CTRL) && !held.has(ALT);
    let text = csi.at(2).filter(|_| plain);
    let shifted = csi.part(0, 1).filter(|_| held.has(SHIFT));
    match text.or(shifted) {
        Some(code) => held.with(KeyCode::Char(printable(code)?)),
        None => code_key(csi.at(0)?, held),
    }
}

/// The key with this code, by kitty's table, which modifyOtherKeys agrees with.
fn code_key(code: u32, held: Held) -> Option<Key> {
    let code = match code {
        8 | 127 => KeyCode::Backspace,
        9 if held.has(SHIFT) => KeyCode::BackTab,
        9 => KeyCode::Tab,
        13 | 57_414 => KeyCode::Enter,
        27 => KeyCode::Esc,
        57_399..=57_408 => KeyCode::Char(char::from_digit(code - 57_399, 10)?),
        57_409 => KeyCode::Char('.'),
        57_410 => KeyCode::Char('/'),
        57_411 => KeyCode::Char('*'),
        57_412 => KeyCode::Char('-'),
        57_413 => KeyCode::Char('+'),
        57_415 => KeyCode::Char('='),
        57_417 => KeyCode::Left,
        57_418 => KeyCode::Right,
        57_419 => KeyCode::Up,
        57_420 => KeyCode::Down,
        57_421 => KeyCode::PageUp,
        57_422 => KeyCode::PageDown,
        57_423 => KeyCode::Home,
        57_424 => KeyCode::End,
        57_425 => KeyCode::Insert,
        57_426 => KeyCode::Delete,
        _ => {
            let c = printable(code)?;
            let upper = held.has(SHIFT) != held.has(CAPS) && !held.has(CTRL);
            KeyCode::Char(if upper { c.to_uppercase().next().unwrap_or(c) } else { c })
        }
    };
    held.with(code)
}

/// A character that can be typed; kitty's codes for other keys lie in a private area.
fn printable(code: u32) -> Option<char> {
    char::from_u32(code).filter(|c| !c.is_control() && !('\u{e000}'..='\u{f8ff}').contains(c))
}

fn csi_answer(csi: &Csi) -> Option<Answer> {
    let numbers = csi.numbers.len();
    Some(match (csi.private, csi.between.as_slice(), csi.last) {
        (None, [], b'n') if csi.at(0) == Some(0) => Answer::StatusOk,
        (Some(b'?'), [], b'c') => {
            Answer::PrimaryAttributes((0..numbers).filter_map(|index| csi.short(index)).collect())
        }
        (Some(b'>'), [], b'c') => {
            Answer::SecondaryAttributes((0..numbers).filter_map(|index| csi.short(index)).collect())
        }
        (None, [], b't') if numbers == 3 => {
            let (height, width) = (csi.short(1)?, csi.short(2)?);
            match csi.at(0)? {
                4 => Answer::AreaPixels { width, height },
                6 => Answer::CellPixels { width, height },
                _ => return None,
            }
        }
        (Some(b'?'), b"$", b'y') => {
            Answer::Mode { mode: csi.short(0)?, value: u8::try_from(csi.at(1)?).ok()? }
        }
        // XTSMGRAPHICS: item, 0 for success, values.
        (Some(b'?'), [], b'S') => match (csi.at(0)?, csi.at(1)?) {
            (1, 0) => Answer::SixelRegisters(csi.at(2)?),
            (2, 0) => Answer::SixelGeometry { width: csi.at(2)?, height: csi.at(3)? },
            _ => return None,
        },
        (None | Some(b'?'), [], b'R') => {
            Answer::Cursor { row: csi.short(0)?, column: csi.short(1)? }
        }
        (Some(b'?'), [], b'u') => Answer::Keyboard(csi.at(0)?),
        _ => return None,
    })
}

/// What a whole control string means.
pub(super) fn string_answer(kind: Kind, held: &[u8]) -> Answer {
    let answer = match kind {
        Kind::Apc => held.strip_prefix(b"G").and_then(kitty_answer),
        Kind::Dcs => held.strip_prefix(b">|").map(|name| Answer::Version(ascii(name, 128))),
        Kind::Osc => held.strip_prefix(b"11;").and_then(colour).map(Answer::Background),
        Kind::Unread => None,
    };
    answer.unwrap_or(Answer::Other)
}

/// `i=ID,p=PLACEMENT;WORD`.
fn kitty_answer(held: &[u8]) -> Option<Answer> {
    let cut = held.iter().position(|b| *b == b';')?;
    let (keys, word) = (&held[..cut], ascii(&held[cut + 1..], 256));
    let value = |key: &[u8]| {
        let found = keys.split(|b| *b == b',').find_map(|pair| pair.strip_prefix(key))?;
        number(found).flatten()
    };
    Some(Answer::Kitty { id: value(b"i="), placement: value(b"p="), ok: word == "OK", word })
}

/// The printable ASCII of a text, so many characters of it at most.
fn ascii(bytes: &[u8], most: usize) -> String {
    let shown = bytes.iter().filter(|b| (0x20..0x7f).contains(*b));
    shown.take(most).map(|b| char::from(*b)).collect()
}

/// `rgb:RRRR/GGGG/BBBB` with one to four digits each, `rgba:` alike, or `#RRGGBB`.
fn colour(held: &[u8]) -> Option<[u8; 3]> {
    let text = std::str::from_utf8(held).ok()?;
    let mut found = [0; 3];
    if let Some(hex) = text.strip_prefix('#').filter(|hex| hex.len() == 6 && hex.is_ascii()) {
        for (part, digits) in found.iter_mut().zip([&hex[..2], &hex[2..4], &hex[4..]]) {
            *part = scaled(digits)?;
        }
        return Some(found);
    }
    let values = text.strip_prefix("rgb:").or_else(|| text.strip_prefix("rgba:"))?;
    let mut values = values.split('/');
    for part in &mut found {
        *part = scaled(values.next()?)?;
    }
    Some(found)
}

/// One to four hexadecimal digits as 0 to 255.
fn scaled(digits: &str) -> Option<u8> {
    if !(1..=4).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let value = u32::from_str_radix(digits, 16).ok()?;
    let most = (1u32 << (4 * digits.len())) - 1;
    u8::try_from((value * 255 + most / 2) / most).ok()
}
