//! What this terminal can do: the questions, and what its answers add up to.
//!
//! Nothing is believed from the environment that the terminal can say itself: environment variables
//! do not cross SSH, and inside tmux they speak of the wrong terminal. There is no clock here: who
//! waits for the answers decides when to [`Probe::conclude`], and may do so again.

use super::choose::{Brand, Environment};
use super::parser::Answer;

/// The image number of the question that is asked of whom we talk to.
const ASKED_HERE: u32 = 31;
/// The one asked through tmux, of the terminal outside.
const ASKED_OUTSIDE: u32 = 32;

/// The questions, in one write. The last of them, after the device attributes that every terminal
/// answers, is a fence (`CSI 5n`). `outside` wraps them for the terminal around tmux.
#[must_use]
pub fn questions(outside: bool) -> Vec<u8> {
    let id = if outside { ASKED_OUTSIDE } else { ASKED_HERE };
    let batch = format!(
        "\x1b[>q\x1b_Gi={id},s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[?2026$p\x1b[16t\x1b[14t\
         \x1b[?1;1;0S\x1b]11;?\x1b\\\x1b[c\x1b[5n"
    );
    if outside { wrap_for_tmux(batch.as_bytes()) } else { batch.into_bytes() }
}

/// Wraps bytes so that tmux hands them on to the terminal around it.
#[must_use]
pub fn wrap_for_tmux(bytes: &[u8]) -> Vec<u8> {
    let mut wrapped = b"\x1bPtmux;".to_vec();
    for &byte in bytes {
        if byte == 0x1b {
            wrapped.push(0x1b);
        }
        wrapped.push(byte);
    }
    wrapped.extend_from_slice(b"\x1b\\");
    wrapped
}

/// What stands between us and the terminal that draws.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inside {
    /// Nothing that shows itself.
    Bare,
    /// tmux.
    Tmux {
        /// Its version, like `3.6b`.
        version: String,
    },
    /// GNU screen.
    Screen,
    /// zellij.
    Zellij,
}

/// What is known of the terminal. Inside tmux, [`Capabilities::version`], the two protocols,
/// sixel and the background are those of the terminal outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Its name and version, in its own words.
    pub version: Option<String>,
    /// It answered kitty's graphics query with OK, which does not mean that placeholders work.
    pub kitty_graphics: bool,
    /// It is known to draw kitty's Unicode placeholders.
    pub placeholders: bool,
    /// It says that it draws sixel.
    pub sixel: bool,
    /// How many colours a sixel picture may have.
    pub sixel_registers: Option<u32>,
    /// It is known to draw iTerm2's inline images.
    pub iterm2: bool,
    /// Pixels of one cell, across and down.
    pub cell_pixels: Option<(u16, u16)>,
    /// Pixels of the text area, across and down.
    pub area_pixels: Option<(u16, u16)>,
    /// It draws a frame at once between `CSI ?2026h` and `l`.
    pub synchronized_output: bool,
    /// What is in between.
    pub inside: Inside,
    /// Its background colour.
    pub background: Option<[u8; 3]>,
    /// It has answered nothing at all so far.
    pub silent: bool,
}

/// The answers of one terminal.
#[derive(Debug, Clone, Default)]
struct Replies {
    version: Option<String>,
    kitty: bool,
    attributes: Option<Vec<u16>>,
    registers: Option<u32>,
    cell: Option<(u16, u16)>,
    area: Option<(u16, u16)>,
    synchronized: bool,
    background: Option<[u8; 3]>,
}

/// Collects answers, early or late.
#[derive(Debug, Clone)]
pub struct Probe {
    here: Replies,
    outside: Replies,
    asked_outside: bool,
    heard_any: bool,
    term_is_screen: bool,
}

impl Probe {
    /// A probe whose [`questions`] are about to be asked.
    #[must_use]
    pub fn new(environment: &Environment) -> Self {
        Self {
            here: Replies::default(),
            outside: Replies::default(),
            asked_outside: false,
            heard_any: false,
            term_is_screen: environment.term.starts_with("screen"),
        }
    }

    /// Takes an answer, of whatever kind.
    pub fn heard(&mut self, answer: &Answer) {
        self.heard_any = true;
        if let Answer::Kitty { id: Some(id), ok, .. } = answer {
            match *id {
                ASKED_HERE => self.here.kitty = *ok,
                ASKED_OUTSIDE => self.outside.kitty = *ok,
                _ => {}
            }
            return;
        }
        let replies = self.speaker(answer);
        match answer {
            Answer::Version(version) => replies.version = Some(version.clone()),
            Answer::PrimaryAttributes(list) => replies.attributes = Some(list.clone()),
            Answer::SixelRegisters(count) => replies.registers = Some(*count),
            Answer::CellPixels { width, height } => replies.cell = positive(*width, *height),
            Answer::AreaPixels { width, height } => replies.area = positive(*width, *height),
            Answer::Mode { mode: 2026, value } => replies.synchronized = matches!(value, 1..=3),
            Answer::Background(colour) => replies.background = Some(*colour),
            _ => {}
        }
    }

    /// Whose answer this is. A batch is answered in order and ends with the device attributes.
    fn speaker(&mut self, answer: &Answer) -> &mut Replies {
        let tmux = matches!(answer, Answer::Version(version) if tmux_version(version).is_some());
        if !tmux && self.asked_outside && self.here.attributes.is_some() {
            &mut self.outside
        } else {
            &mut self.here
        }
    }

    /// We talk to tmux and have not asked the terminal outside yet: send `questions(true)`, then
    /// call [`Probe::asked_outside`].
    #[must_use]
    pub fn wants_outside(&self) -> bool {
        !self.asked_outside && self.tmux().is_some() && self.here.attributes.is_some()
    }

    /// The questions for the terminal outside have been sent.
    pub fn asked_outside(&mut self) {
        self.asked_outside = true;
    }

    /// All that will be answered has been.
    #[must_use]
    pub fn complete(&self) -> bool {
        let asked = if self.asked_outside { &self.outside } else { &self.here };
        asked.attributes.is_some() && !self.wants_outside()
    }

    fn tmux(&self) -> Option<&str> {
        self.here.version.as_deref().and_then(tmux_version)
    }

    fn inside(&self) -> Inside {
        if let Some(version) = self.tmux() {
            return Inside::Tmux { version: version.to_owned() };
        }
        match self.here.version.as_deref() {
            Some(version) if version.to_ascii_lowercase().starts_with("zellij") => Inside::Zellij,
            None if self.term_is_screen => Inside::Screen,
            _ => Inside::Bare,
        }
    }

    /// What is known now.
    #[must_use]
    pub fn conclude(&self) -> Capabilities {
        let inside = self.inside();
        let in_tmux = matches!(inside, Inside::Tmux { .. });
        let drawing = if in_tmux { &self.outside } else { &self.here };
        let sixel = drawing.attributes.as_ref().is_some_and(|list| list.contains(&4));
        let brand = drawing.version.as_deref().map_or(Brand::Unknown, Brand::of);
        Capabilities {
            version: drawing.version.clone(),
            kitty_graphics: drawing.kitty,
            placeholders: drawing.kitty && brand.draws_placeholders(),
            sixel,
            sixel_registers: drawing.registers,
            iterm2: brand.draws_iterm2(sixel),
            // The cells we count in are those of whom we talk to; tmux before 3.5 does not tell.
            cell_pixels: self.here.cell.or(drawing.cell),
            area_pixels: self.here.area,
            synchronized_output: self.here.synchronized,
            inside,
            background: drawing.background.or(self.here.background),
            silent: !self.heard_any,
        }
    }
}

/// The version in `tmux 3.6b`.
fn tmux_version(version: &str) -> Option<&str> {
    version.strip_prefix("tmux ")
}

/// A size, unless a side is missing.
fn positive(width: u16, height: u16) -> Option<(u16, u16)> {
    (width > 0 && height > 0).then_some((width, height))
}
