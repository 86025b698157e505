//! Bytes from the terminal, told apart: keys, pastes, focus, answers.
//!
//! The one rule that everything here serves: **what a terminal answers never becomes a key**,
//! however it is cut, doubled, late or broken, because a key here decides about a person. So a
//! string that misses its end swallows what follows until silence, rather than let its text out.
//! The parser knows no clock and no file; silence is told to it by [`Parser::settle`].

use std::fmt;
use std::time::Duration;

use super::sequence;
use crate::input::{Key, KeyCode};

/// An ESC followed by this much silence is the Esc key.
const ESC_ALONE: Duration = Duration::from_millis(40);
/// A sequence left unfinished is given up after this much silence.
const UNFINISHED: Duration = Duration::from_secs(1);
/// A paste may stall longer: its rest must not turn into keys.
const PASTE_STALLED: Duration = Duration::from_secs(5);
/// How much of a control string is kept; the rest is swallowed unread.
const STRING_BYTES: usize = 4096;
/// How much of a control sequence is kept.
const CSI_BYTES: usize = 256;
/// How much of a paste is kept.
const PASTE_BYTES: usize = 64 * 1024;
/// What ends a bracketed paste.
const PASTE_END: &[u8] = b"\x1b[201~";

/// Something that came from the terminal.
#[derive(Clone, PartialEq, Eq)]
pub enum Heard {
    /// A key was pressed (or repeats).
    Key(Key),
    /// Text was pasted: line breaks are `\n`, other control characters are left out.
    Paste {
        /// At most 64 KiB of it.
        text: String,
        /// How many bytes more there were.
        more: usize,
    },
    /// The terminal's window has the focus now.
    FocusGained,
    /// It has lost it.
    FocusLost,
    /// The terminal answered a question of ours, or reported something by itself.
    Answer(Answer),
}

impl fmt::Debug for Heard {
    /// A paste may hold anything, so only its size is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => f.debug_tuple("Key").field(key).finish(),
            Self::Paste { text, more } => {
                f.debug_struct("Paste").field("bytes", &text.len()).field("more", more).finish()
            }
            Self::FocusGained => f.write_str("FocusGained"),
            Self::FocusLost => f.write_str("FocusLost"),
            Self::Answer(answer) => f.debug_tuple("Answer").field(answer).finish(),
        }
    }
}

/// A terminal's answer. Sizes are in pixels unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Kitty graphics: `ESC _ G i=ID;WORD ESC \`.
    Kitty {
        /// The image it is about.
        id: Option<u32>,
        /// The placement it is about.
        placement: Option<u32>,
        /// It went well: the word is `OK`.
        ok: bool,
        /// `OK`, or the error with its text; printable ASCII, at most 256 characters.
        word: String,
    },
    /// `CSI 0 n`: everything up to our fence has been read.
    StatusOk,
    /// `CSI ? … c`: what the terminal says it can do; 4 is sixel.
    PrimaryAttributes(Vec<u16>),
    /// XTVERSION: the terminal's name and version; printable ASCII, at most 128 characters.
    Version(String),
    /// The size of one cell.
    CellPixels {
        /// Across.
        width: u16,
        /// Down.
        height: u16,
    },
    /// The size of the text area.
    AreaPixels {
        /// Across.
        width: u16,
        /// Down.
        height: u16,
    },
    /// DECRPM: the state of a private mode (0 unknown, 1 set, 2 reset, 3 always, 4 never).
    Mode {
        /// Which mode.
        mode: u16,
        /// Its state.
        value: u8,
    },
    /// How many colours a sixel picture may have.
    SixelRegisters(u32),
    /// The largest sixel picture.
    SixelGeometry {
        /// Across.
        width: u32,
        /// Down.
        height: u32,
    },
    /// The background colour, red, green, blue.
    Background([u8; 3]),
    /// Where the cursor is, from 1. `CSI 1;2R` is read as this and never as Shift and F3.
    Cursor {
        /// The row.
        row: u16,
        /// The column.
        column: u16,
    },
    /// Which of kitty's keyboard enhancements are on.
    Keyboard(u32),
    /// Any other answer or report, mouse included.
    Other,
}

/// A kind of control string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Application program command, `ESC _`.
    Apc,
    /// Device control string, `ESC P`.
    Dcs,
    /// Operating system command, `ESC ]`; the only one that BEL may end.
    Osc,
    /// Privacy message and start of string, `ESC ^` and `ESC X`: never ours.
    Unread,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ground,
    /// In a character of several bytes: how many are still to come.
    Utf8(u8),
    Escape,
    Ss3,
    Csi,
    /// In a control string.
    Text(Kind),
    /// In a control string, after an ESC.
    TextEscape(Kind),
    Paste,
    /// The old mouse report: bytes still to be swallowed.
    Mouse(u8),
    /// After `ESC [ [`, the Linux console's F1 to F5.
    LinuxFunction,
}

/// Tells keys from answers. Holds at most about 70 KiB, whatever is fed to it.
#[derive(Debug)]
pub struct Parser {
    state: State,
    /// What has come of the character, sequence or string at hand. A paste has its own.
    held: Vec<u8>,
    /// The sequence at hand is too long or broken: swallow it to its end.
    spoilt: bool,
    /// A sequence is being read inside this unfinished string: its answers count, its keys do not.
    enclosing: Option<Kind>,
    /// Esc has just been told for an ESC that may yet prove to be the cut-off head of an answer.
    after_esc: bool,
    /// The sequence at hand hangs on such an ESC: alone, its introducer is a key.
    doubtful: Option<u8>,
    paste: Paste,
}

/// A paste being read. No `Debug` of its text.
#[derive(Default)]
struct Paste {
    bytes: Vec<u8>,
    more: usize,
    /// How much of [`PASTE_END`] has been seen.
    end: usize,
}

impl fmt::Debug for Paste {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paste").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

impl Parser {
    /// A parser at rest.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: State::Ground,
            held: Vec::new(),
            spoilt: false,
            enclosing: None,
            after_esc: false,
            doubtful: None,
            paste: Paste::default(),
        }
    }

    /// Takes bytes as they come, cut anywhere, and adds what they mean to `out`.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<Heard>) {
        for &byte in bytes {
            self.byte(byte, out);
        }
    }

    /// The silence after which [`Parser::settle`] would change something; `None` at rest.
    #[must_use]
    pub fn unsettled(&self) -> Option<Duration> {
        match self.state {
            State::Ground if self.after_esc => Some(UNFINISHED),
            State::Ground => None,
            State::Escape => Some(ESC_ALONE),
            _ if self.doubtful.is_some() => Some(ESC_ALONE),
            State::Paste => Some(PASTE_STALLED),
            _ => Some(UNFINISHED),
        }
    }

    /// Tells the parser that nothing has come for so long: a lone ESC becomes the Esc key, an
    /// unfinished sequence is dropped, a stalled paste is handed out as far as it came.
    pub fn settle(&mut self, silence: Duration, out: &mut Vec<Heard>) {
        if self.unsettled().is_none_or(|due| silence < due) {
            return;
        }
        let doubtful = self.doubtful.take();
        match (self.state, doubtful) {
            (State::Escape, _) => {
                self.tell(Heard::Key(Key::plain(KeyCode::Esc)), out);
                self.reset();
                self.after_esc = true;
                return;
            }
            (State::Paste, _) => self.end_paste(out),
            (_, Some(introducer)) => out.push(Heard::Key(Key::char(char::from(introducer)))),
            _ => {}
        }
        self.reset();
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<Heard>) {
        self.doubtful = None;
        match self.state {
            // Only in a string does an ESC mean more than the start of something new.
            State::Ss3 | State::Csi | State::Mouse(_) | State::LinuxFunction if byte == 0x1b => {
                self.held.clear();
                self.spoilt = false;
                self.state = State::Escape;
            }
            State::Ground => self.ground(byte, out),
            State::Utf8(left) => self.continuation(byte, left, out),
            State::Escape => self.escape(byte, out),
            State::Ss3 => self.ss3(byte, out),
            State::Csi => self.csi(byte, out),
            State::Text(kind) => self.text(kind, byte, out),
            State::TextEscape(kind) => self.text_escape(kind, byte, out),
            State::Paste => self.pasted(byte, out),
            State::Mouse(1) => {
                self.tell(Heard::Answer(Answer::Other), out);
                self.end();
            }
            State::Mouse(left) => self.state = State::Mouse(left - 1),
            State::LinuxFunction => {
                if let n @ b'A'..=b'E' = byte {
                    self.tell(Heard::Key(Key::plain(KeyCode::F(n - b'A' + 1))), out);
                }
                self.end();
            }
        }
    }

    /// Hands something out; inside an unfinished string only answers.
    fn tell(&self, heard: Heard, out: &mut Vec<Heard>) {
        if self.enclosing.is_none() || matches!(heard, Heard::Answer(_)) {
            out.push(heard);
        }
    }

    /// Back to rest, forgetting everything.
    fn reset(&mut self) {
        self.enclosing = None;
        self.after_esc = false;
        self.end();
    }

    /// After a whole sequence: to rest, or on with the string around it.
    fn end(&mut self) {
        self.held.clear();
        self.spoilt = self.enclosing.is_some();
        self.state = self.enclosing.map_or(State::Ground, State::Text);
    }

    fn ground(&mut self, byte: u8, out: &mut Vec<Heard>) {
        if std::mem::take(&mut self.after_esc) && b"[]P_^XO".contains(&byte) {
            self.escape(byte, out);
            self.doubtful = Some(byte);
            return;
        }
        match byte {
            0x1b => self.state = State::Escape,
            0..0x80 => {
                if let Some(key) = sequence::byte_key(byte) {
                    out.push(Heard::Key(key));
                }
            }
            0xc2..0xf5 => {
                self.held.push(byte);
                self.state = State::Utf8(match byte {
                    ..0xe0 => 1,
                    ..0xf0 => 2,
                    _ => 3,
                });
            }
            // No character starts like this; 8-bit introducers are not for a UTF-8 terminal.
            _ => {}
        }
    }

    fn continuation(&mut self, byte: u8, left: u8, out: &mut Vec<Heard>) {
        if byte & 0xc0 != 0x80 {
            // Cut short: the character is dropped, the byte starts anew.
            self.reset();
            self.ground(byte, out);
            return;
        }
        self.held.push(byte);
        if left > 1 {
            self.state = State::Utf8(left - 1);
            return;
        }
        let (alt, bytes) = match self.held.split_first() {
            Some((0x1b, rest)) => (true, rest),
            _ => (false, self.held.as_slice()),
        };
        let c = std::str::from_utf8(bytes).ok().and_then(|text| text.chars().next());
        if let Some(c) = c.filter(|c| !c.is_control()) {
            out.push(Heard::Key(Key { alt, ..Key::char(c) }));
        }
        self.reset();
    }

    /// After an ESC at rest (or inside an unfinished string, then without keys).
    fn escape(&mut self, byte: u8, out: &mut Vec<Heard>) {
        match byte {
            0x1b => self.tell(Heard::Key(Key::plain(KeyCode::Esc)), out),
            b'[' => self.state = State::Csi,
            b'O' => self.state = State::Ss3,
            // The end of a string whose head is gone; never Alt and backslash.
            b'\\' => self.reset(),
            _ => {
                if let Some(kind) = string_kind(byte) {
                    self.begin_string(kind);
                } else if byte < 0x80 {
                    if let Some(key) = sequence::byte_key(byte) {
                        self.tell(Heard::Key(Key { alt: true, ..key }), out);
                    }
                    self.end();
                } else {
                    self.end();
                    self.alt_character(byte, out);
                }
            }
        }
    }

    /// Alt and a character of several bytes.
    fn alt_character(&mut self, byte: u8, out: &mut Vec<Heard>) {
        if self.enclosing.is_none() {
            self.ground(byte, out);
            if matches!(self.state, State::Utf8(_)) {
                self.held.insert(0, 0x1b);
            }
        }
    }

    fn ss3(&mut self, byte: u8, out: &mut Vec<Heard>) {
        match byte {
            b'0'..=b'9' | b';' => {}
            _ => {
                if let Some(key) = sequence::ss3_key(byte) {
                    self.tell(Heard::Key(key), out);
                }
                self.end();
            }
        }
    }

    fn csi(&mut self, byte: u8, out: &mut Vec<Heard>) {
        match byte {
            b'[' if self.held.is_empty() && !self.spoilt => self.state = State::LinuxFunction,
            b'M' if self.held.is_empty() && !self.spoilt => self.state = State::Mouse(3),
            0x20..=0x3f if self.held.len() < CSI_BYTES => self.held.push(byte),
            0x40..=0x7e => self.end_csi(byte, out),
            _ => self.spoilt = true,
        }
    }

    fn end_csi(&mut self, last: u8, out: &mut Vec<Heard>) {
        let held = std::mem::take(&mut self.held);
        if self.spoilt {
            self.tell(Heard::Answer(Answer::Other), out);
        } else if last == b'~' && held == b"200" && self.enclosing.is_none() {
            self.state = State::Paste;
            return;
        } else if let Some(heard) = sequence::csi(&held, last) {
            self.tell(heard, out);
        }
        self.end();
    }

    fn begin_string(&mut self, kind: Kind) {
        self.held.clear();
        self.spoilt = false;
        self.enclosing = None;
        self.state = State::Text(kind);
    }

    fn text(&mut self, kind: Kind, byte: u8, out: &mut Vec<Heard>) {
        match byte {
            0x1b => self.state = State::TextEscape(kind),
            0x07 if kind == Kind::Osc => self.end_string(kind, out),
            _ if self.spoilt => {}
            _ if self.held.len() < STRING_BYTES => self.held.push(byte),
            _ => self.spoilt = true,
        }
    }

    /// After an ESC in a string: its end, or a new sequence because the end went missing. In that
    /// case the string goes on around the new sequence: answers are heard, keys are not.
    fn text_escape(&mut self, kind: Kind, byte: u8, out: &mut Vec<Heard>) {
        self.state = State::Text(kind);
        match byte {
            b'\\' => self.end_string(kind, out),
            // tmux doubles every ESC of what it wraps.
            0x1b if kind == Kind::Dcs && self.held.starts_with(b"tmux;") => self.held.push(byte),
            0x1b => self.state = State::TextEscape(kind),
            b'[' => {
                self.held.clear();
                self.spoilt = false;
                self.enclosing = Some(kind);
                self.state = State::Csi;
            }
            _ => match string_kind(byte) {
                Some(next) => self.begin_string(next),
                None => self.spoilt = true,
            },
        }
    }

    fn end_string(&mut self, kind: Kind, out: &mut Vec<Heard>) {
        let answer =
            if self.spoilt { Answer::Other } else { sequence::string_answer(kind, &self.held) };
        out.push(Heard::Answer(answer));
        self.reset();
    }

    fn pasted(&mut self, byte: u8, out: &mut Vec<Heard>) {
        let paste = &mut self.paste;
        if PASTE_END.get(paste.end) == Some(&byte) {
            paste.end += 1;
            if paste.end == PASTE_END.len() {
                paste.end = 0;
                self.end_paste(out);
                self.reset();
            }
            return;
        }
        // The marker has no ESC but its first byte, so a failed match restarts at this byte only.
        let matched = std::mem::take(&mut paste.end);
        for &held in &PASTE_END[..matched] {
            paste.keep(held);
        }
        if byte == 0x1b { paste.end = 1 } else { paste.keep(byte) }
    }

    fn end_paste(&mut self, out: &mut Vec<Heard>) {
        let paste = std::mem::take(&mut self.paste);
        let text = String::from_utf8_lossy(&paste.bytes).replace("\r\n", "\n").replace('\r', "\n");
        let text = text.chars().filter(|&c| c == '\n' || c == '\t' || !c.is_control()).collect();
        out.push(Heard::Paste { text, more: paste.more });
    }
}

impl Paste {
    fn keep(&mut self, byte: u8) {
        if self.bytes.len() < PASTE_BYTES { self.bytes.push(byte) } else { self.more += 1 }
    }
}

/// The string that ESC and this byte begin.
fn string_kind(byte: u8) -> Option<Kind> {
    match byte {
        b'_' => Some(Kind::Apc),
        b'P' => Some(Kind::Dcs),
        b']' => Some(Kind::Osc),
        b'^' | b'X' => Some(Kind::Unread),
        _ => None,
    }
}
