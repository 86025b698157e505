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
    /// `CSI > … c`: what make the terminal says it is.
    SecondaryAttributes(Vec<u16>),
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
            State::Escape if self.enclosing.is_none() => Some(ESC_ALONE),
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
            (State::Escape, _) if self.enclosing.is_none() => {
                out.push(Heard::Key(Key::plain(KeyCode::Esc)));
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
                    0xc2..0xe0 => 1,
                    0xe0..0xf0 => 2,
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::recorded::TERMINALS;
    use super::*;

    const SHORT: Duration = Duration::from_millis(999);

    fn heard(pieces: &[&[u8]]) -> Vec<Heard> {
        let (mut parser, mut out) = (Parser::new(), Vec::new());
        pieces.iter().for_each(|piece| parser.feed(piece, &mut out));
        out
    }

    fn keys(heard: &[Heard]) -> Vec<String> {
        let key = |heard: &Heard| match heard {
            Heard::Key(key) => Some(key.to_string()),
            _ => None,
        };
        heard.iter().filter_map(key).collect()
    }

    fn all_answers(heard: &[Heard]) -> bool {
        heard.iter().all(|heard| matches!(heard, Heard::Answer(_)))
    }

    /// Every reply there is: the recorded ones, and single answers of other kinds.
    fn replies() -> Vec<Vec<u8>> {
        let single: [&[u8]; 25] = [
            b"\x1b_Gi=31;OK\x1b\\",
            b"\x1b_Gi=7,p=3;ENOENT:no such image a x a\x1b\\",
            b"\x1b[0n",
            b"\x1b[3n",
            b"\x1b[?997;1n",
            b"\x1b[12;40R",
            b"\x1b[1;2R",
            b"\x1b[?12;40;1R",
            b"\x1b[?62;4c",
            b"\x1b[=0c",
            b"\x1b[8;40;110t",
            b"\x1b[48;40;110;800;1100t",
            b"\x1b[?2026;2$y",
            b"\x1b[?1;0;256S",
            b"\x1b[?2;0;800;600S",
            b"\x1b[?7u",
            b"\x1bP1$r0m\x1b\\",
            b"\x1bP1+r524742=38\x1b\\",
            b"\x1b]11;rgb:1234/5678/9abc\x07",
            b"\x1b]52;c;YXhheA==\x1b\\",
            b"\x1bPtmux;\x1b\x1b_Gi=31;OK\x1b\x1b\\\x1b\\",
            b"\x1b^aaa\x1b\\",
            b"\x1bXaaa\x1b\\",
            b"\x1b[<0;97;97M",
            b"\x1b[Maaa",
        ];
        let recorded = TERMINALS.iter().flat_map(|terminal| [terminal.here, terminal.outside]);
        single.into_iter().chain(recorded).map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn answers_are_read() {
        let kitty = |id, placement, word: &str| Answer::Kitty {
            id,
            placement,
            ok: word == "OK",
            word: word.into(),
        };
        let table: [(&[u8], Answer); 23] = [
            (b"\x1b_Gi=31;OK\x1b\\", kitty(Some(31), None, "OK")),
            (b"\x1b_Gi=5,p=9,I=2;ENOENT:gone\x1b\\", kitty(Some(5), Some(9), "ENOENT:gone")),
            (b"\x1b_G;OK\x1b\\", kitty(None, None, "OK")),
            (b"\x1b_Gi=99999999999;OK\x1b\\", kitty(None, None, "OK")),
            (b"\x1b[0n", Answer::StatusOk),
            (b"\x1b[3n", Answer::Other),
            (b"\x1b[?62;4;22c", Answer::PrimaryAttributes(vec![62, 4, 22])),
            (b"\x1b[?62;c", Answer::PrimaryAttributes(vec![62])),
            (b"\x1b[>83;40900;0c", Answer::SecondaryAttributes(vec![83, 40900, 0])),
            (b"\x1b[>41;379;0c", Answer::SecondaryAttributes(vec![41, 379, 0])),
            (b"\x1bP>|foot(1.13.1)\x1b\\", Answer::Version("foot(1.13.1)".into())),
            (b"\x1b[6;20;10t", Answer::CellPixels { width: 10, height: 20 }),
            (b"\x1b[4;800;1100t", Answer::AreaPixels { width: 1100, height: 800 }),
            (b"\x1b[6;99999;10t", Answer::Other),
            (b"\x1b[?2026;2$y", Answer::Mode { mode: 2026, value: 2 }),
            (b"\x1b[?1;0;256S", Answer::SixelRegisters(256)),
            (b"\x1b[?1;3;0S", Answer::Other),
            (b"\x1b[?2;0;800;600S", Answer::SixelGeometry { width: 800, height: 600 }),
            (b"\x1b]11;rgb:ffff/8080/0000\x07", Answer::Background([255, 128, 0])),
            (b"\x1b]11;#1e1e2e\x1b\\", Answer::Background([0x1e, 0x1e, 0x2e])),
            (b"\x1b]11;rgb:f/8\x1b\\", Answer::Other),
            (b"\x1b[1;2R", Answer::Cursor { row: 1, column: 2 }),
            (b"\x1b[?5u", Answer::Keyboard(5)),
        ];
        for (bytes, answer) in table {
            assert_eq!(heard(&[bytes]), [Heard::Answer(answer)], "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn keys_are_read() {
        let table: [(&[u8], &str); 54] = [
            (b"a", "a"),
            (b"B", "B"),
            (b"$", "$"),
            (b" ", "space"),
            (b"\t", "tab"),
            (b"\r", "enter"),
            (b"\n", "ctrl-j"),
            (b"\x7f", "backspace"),
            (b"\x08", "backspace"),
            (b"\x04", "ctrl-d"),
            (b"\x1a", "ctrl-z"),
            (b"\x00", "ctrl-space"),
            (b"\x1c", "ctrl-\\"),
            ("\u{e9}".as_bytes(), "\u{e9}"),
            ("\u{1f600}".as_bytes(), "\u{1f600}"),
            (b"\x1ba", "alt-a"),
            ("\x1b\u{e9}".as_bytes(), "alt-\u{e9}"),
            (b"\x1b\x7f", "alt-backspace"),
            (b"\x1b[A", "up"),
            (b"\x1bOB", "down"),
            (b"\x1b[1;5C", "ctrl-right"),
            (b"\x1b[1;3D", "alt-left"),
            (b"\x1b[1;2A", "up"),
            (b"\x1b[H", "home"),
            (b"\x1bOF", "end"),
            (b"\x1b[1~", "home"),
            (b"\x1b[2~", "insert"),
            (b"\x1b[3~", "delete"),
            (b"\x1b[3;5~", "ctrl-delete"),
            (b"\x1b[5~", "pageup"),
            (b"\x1b[6~", "pagedown"),
            (b"\x1bOP", "f1"),
            (b"\x1b[R", "f3"),
            (b"\x1b[S", "f4"),
            (b"\x1b[1;5S", "ctrl-f4"),
            (b"\x1b[13~", "f3"),
            (b"\x1b[24~", "f12"),
            (b"\x1b[[C", "f3"),
            (b"\x1b[Z", "backtab"),
            (b"\x1b[97u", "a"),
            (b"\x1b[97;2u", "A"),
            (b"\x1b[97:65;2u", "A"),
            (b"\x1b[55:47;2;47u", "/"),
            (b"\x1b[97;65u", "A"),
            (b"\x1b[97;5:1u", "ctrl-a"),
            (b"\x1b[97;1:2u", "a"),
            (b"\x1b[27u", "esc"),
            (b"\x1b[9;2u", "backtab"),
            (b"\x1b[57400u", "1"),
            (b"\x1b[57414u", "enter"),
            (b"\x1b[1;1:1A", "up"),
            (b"\x1b[27;5;97~", "ctrl-a"),
            (b"\x1b[27;2;9~", "backtab"),
            (b"\x1b[1;129A", "up"),
        ];
        for (bytes, key) in table {
            assert_eq!(keys(&heard(&[bytes])), [key], "{}", bytes.escape_ascii());
            for at in 1..bytes.len() {
                assert_eq!(keys(&heard(&[&bytes[..at], &bytes[at..]])), [key]);
            }
        }
    }

    #[test]
    fn what_is_no_key_of_ours_gives_none() {
        let table: [&[u8]; 16] = [
            b"\x1b[97;1:3u",
            b"\x1b[1;1:3A",
            b"\x1b[3;1:3~",
            b"\x1b[97;9u",
            b"\x1b[1;9A",
            b"\x1b[57441u",
            b"\x1b[57344u",
            b"\x1b[201~",
            b"\x1b[99~",
            b"\x1b[24;80A",
            b"\x1b[1;2;3A",
            b"\x1b\\",
            b"\xff\xfe\xc0\x80",
            b"\xe2\x82",
            b"\xed\xa0\x80",
            b"\xc2\x9b",
        ];
        for bytes in table {
            assert_eq!(keys(&heard(&[bytes])), [""; 0], "{}", bytes.escape_ascii());
        }
        assert_eq!(keys(&heard(&[b"\xe2\x82a"])), ["a"]);
    }

    #[test]
    fn focus_and_pastes_are_told() {
        assert_eq!(heard(&[b"\x1b[I\x1b[O"]), [Heard::FocusGained, Heard::FocusLost]);
        let paste: &[u8] = b"\x1b[200~a\x1b[2x\r\nb\x07\xff\x1b[201~a";
        let text = "a[2x\nb\u{fffd}".to_owned();
        let expected = [Heard::Paste { text, more: 0 }, Heard::Key(Key::char('a'))];
        for at in 0..paste.len() {
            assert_eq!(heard(&[&paste[..at], &paste[at..]]), expected, "cut at {at}");
        }
        let mut long = b"\x1b[200~".to_vec();
        long.extend(vec![b'x'; PASTE_BYTES + 7]);
        long.extend(PASTE_END);
        let told = heard(&[&long]);
        assert!(matches!(&told[..], [Heard::Paste { text, more: 7 }] if text.len() == PASTE_BYTES));
        assert!(!format!("{told:?}").contains('x'), "a paste must not be shown");
    }

    #[test]
    fn a_stalled_paste_keeps_its_rest_from_becoming_keys_for_a_while() {
        let (mut parser, mut out) = (Parser::new(), Vec::new());
        parser.feed(b"\x1b[200~ab", &mut out);
        parser.settle(Duration::from_millis(4900), &mut out);
        assert_eq!(out, []);
        parser.settle(PASTE_STALLED, &mut out);
        assert_eq!(out, [Heard::Paste { text: "ab".into(), more: 0 }]);
        parser.feed(b"c", &mut out);
        assert_eq!(keys(&out), ["c"]);
    }

    #[test]
    fn a_lone_escape_is_a_key_after_a_moment_and_not_before() {
        let (mut parser, mut out) = (Parser::new(), Vec::new());
        parser.feed(b"\x1b", &mut out);
        assert_eq!(parser.unsettled(), Some(ESC_ALONE));
        parser.settle(Duration::from_millis(39), &mut out);
        assert_eq!(out, []);
        parser.settle(ESC_ALONE, &mut out);
        assert_eq!(keys(&out), ["esc"]);
        // A typed bracket after it is a key, too, once nothing follows.
        parser.feed(b"[", &mut out);
        parser.settle(ESC_ALONE, &mut out);
        parser.feed(b"a", &mut out);
        assert_eq!(keys(&out), ["esc", "[", "a"]);
        assert_eq!(parser.unsettled(), None);
        assert_eq!(keys(&heard(&[b"\x1b\x1b[A"])), ["esc", "up"]);
    }

    #[test]
    fn no_reply_gives_a_key_however_it_is_cut_or_doubled() {
        for reply in replies() {
            let whole = heard(&[&reply]);
            assert!(all_answers(&whole), "{}: {whole:?}", reply.escape_ascii());
            let bytes: Vec<_> = reply.chunks(1).collect();
            assert_eq!(heard(&bytes), whole, "{}", reply.escape_ascii());
            let twice = heard(&[&reply, &reply]);
            assert!(all_answers(&twice) && twice.len() == 2 * whole.len());
            for at in 0..reply.len() {
                assert_eq!(heard(&[&reply[..at], &reply[at..]]), whole);
                // Its tail lost, and another answer after it.
                let cut = heard(&[&reply[..at], b"\x1b[0n"]);
                assert!(cut.iter().all(|heard| match heard {
                    Heard::Key(key) => *key == Key::plain(KeyCode::Esc),
                    Heard::Answer(_) => true,
                    _ => false,
                }));
            }
        }
    }

    #[test]
    fn a_reply_that_stalls_between_two_bytes_gives_at_most_the_harmless_escape() {
        for reply in replies() {
            let whole = heard(&[&reply]);
            for at in 1..reply.len() {
                let (mut parser, mut out) = (Parser::new(), Vec::new());
                parser.feed(&reply[..at], &mut out);
                parser.settle(SHORT, &mut out);
                parser.feed(&reply[at..], &mut out);
                assert!(keys(&out).iter().all(|key| key == "esc"), "{}", reply.escape_ascii());
                let answers = |out: &[Heard]| -> Vec<Heard> {
                    out.iter().filter(|heard| matches!(heard, Heard::Answer(_))).cloned().collect()
                };
                assert_eq!(answers(&out), whole, "{} at {at}", reply.escape_ascii());
            }
        }
    }

    #[test]
    fn an_unended_string_swallows_keys_until_silence_but_no_answer() {
        for head in [&b"\x1b_Gi=1;OK"[..], b"\x1bP>|x", b"\x1b]11;", b"\x1b^", b"\x1bX"] {
            let (mut parser, mut out) = (Parser::new(), Vec::new());
            parser.feed(head, &mut out);
            parser.feed(&vec![b'a'; STRING_BYTES * 3], &mut out);
            assert!(parser.held.len() <= STRING_BYTES);
            parser.feed(b"x\x1b[A\x1bOA\x1bx\x1b[200~a\x1b[Ia\x1b[0na", &mut out);
            assert_eq!(out, [Heard::Answer(Answer::Other), Heard::Answer(Answer::StatusOk)]);
            parser.settle(SHORT, &mut out);
            parser.feed(b"a", &mut out);
            assert_eq!(keys(&out), [""; 0]);
            parser.settle(UNFINISHED, &mut out);
            parser.feed(b"a", &mut out);
            assert_eq!(keys(&out), ["a"]);
        }
    }

    #[test]
    fn an_escape_inside_an_unended_string_does_not_settle_it() {
        let (mut parser, mut out) = (Parser::new(), Vec::new());
        parser.feed(b"\x1b_G\x1b[1\x1b", &mut out);
        parser.settle(SHORT, &mut out);
        parser.feed(b"aa", &mut out);
        assert_eq!(out, []);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Reply(usize),
        Key(char),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..replies().len()).prop_map(Step::Reply),
            prop_oneof![Just('a'), Just('x'), Just('B'), Just('\u{e9}')].prop_map(Step::Key),
        ];
        prop::collection::vec(step, 0..12)
    }

    proptest! {
        #[test]
        fn keys_between_replies_come_out_exactly(steps in steps(), sizes in prop::collection::vec(1usize..9, 1..40)) {
            let replies = replies();
            let (mut stream, mut typed) = (Vec::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Reply(at) => stream.extend_from_slice(&replies[at]),
                    Step::Key(c) => {
                        stream.extend_from_slice(c.to_string().as_bytes());
                        typed.push(c.to_string());
                    }
                }
            }
            let (mut parser, mut out, mut rest) = (Parser::new(), Vec::new(), stream.as_slice());
            for size in sizes.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at(rest.len().min(*size));
                parser.feed(piece, &mut out);
                rest = after;
            }
            prop_assert_eq!(keys(&out), typed);
        }

        #[test]
        fn any_bytes_leave_the_parser_small_and_able_to_rest(
            pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..200), any::<bool>()), 0..20),
        ) {
            let (mut parser, mut out) = (Parser::new(), Vec::new());
            for (piece, settles) in pieces {
                parser.feed(&piece, &mut out);
                if settles {
                    parser.settle(ESC_ALONE, &mut out);
                }
                prop_assert!(parser.held.len() <= STRING_BYTES);
                prop_assert!(parser.paste.bytes.len() <= PASTE_BYTES);
            }
            // An Esc leaves a doubt that takes a second settling.
            parser.settle(PASTE_STALLED, &mut out);
            parser.settle(PASTE_STALLED, &mut out);
            prop_assert_eq!(parser.unsettled(), None);
            let mut after = Vec::new();
            parser.feed(b"a", &mut after);
            prop_assert_eq!(keys(&after), ["a"]);
        }

        #[test]
        fn the_text_of_a_string_never_acts(
            head in prop::sample::select(vec!["\x1b_", "\x1bP", "\x1b]", "\x1b^", "\x1bX", "\x1b_Gi=1;", "\x1bPtmux;"]),
            payload in prop::collection::vec(
                prop_oneof![
                    any::<u8>(),
                    prop::sample::select(b"\x1b[OPaxB\r~200M]_X;u".to_vec()),
                ],
                0..300,
            ),
            stall in any::<prop::sample::Index>(),
        ) {
            let mut payload = payload;
            payload.retain(|byte| *byte != b'\\' && *byte != 0x07);
            let cut = stall.index(payload.len() + 1);
            let (mut parser, mut out) = (Parser::new(), Vec::new());
            parser.feed(head.as_bytes(), &mut out);
            parser.feed(&payload[..cut], &mut out);
            parser.settle(SHORT, &mut out);
            parser.feed(&payload[cut..], &mut out);
            prop_assert!(all_answers(&out), "{:?}", out);
        }
    }
}
