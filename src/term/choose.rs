//! Which way pictures are drawn on this terminal, and with which colours: one pure decision from
//! what the terminal answered, with the reason in words for the screen and for `doctor`.

use serde::{Deserialize, Serialize};

use super::probe::{Capabilities, Inside};

/// A way to draw pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Kitty graphics with Unicode placeholders.
    Kitty,
    /// iTerm2's inline images.
    Iterm2,
    /// Sixel.
    Sixel,
    /// Coloured block characters.
    Blocks,
}

impl Protocol {
    /// All, best first.
    pub const ALL: [Self; 4] = [Self::Kitty, Self::Iterm2, Self::Sixel, Self::Blocks];

    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Kitty => "kitty",
            Self::Iterm2 => "iterm2",
            Self::Sixel => "sixel",
            Self::Blocks => "blocks",
        }
    }
}

/// How many colours text may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// 24 bits.
    True,
    /// The 256 of xterm.
    C256,
    /// The sixteen of old.
    C16,
    /// None: `NO_COLOR`, or a terminal without.
    None,
}

/// Of which block characters pictures are made, two dots across but for the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Blocks {
    /// One dot across and two down: in every font. Taken only where somebody asks for them.
    #[serde(rename = "half")]
    Halves,
    /// Two dots down: in nearly every font.
    #[serde(rename = "quadrant")]
    Quadrants,
    /// Three: where the terminal draws them itself and asks no font.
    #[serde(rename = "sextant")]
    Sextants,
    /// Four: the newest, in few terminals.
    #[serde(rename = "octant")]
    Octants,
}

impl Blocks {
    /// All, coarsest first.
    pub const ALL: [Self; 4] = [Self::Halves, Self::Quadrants, Self::Sextants, Self::Octants];

    /// Their name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Halves => "half-blocks",
            Self::Quadrants => "quadrants",
            Self::Sextants => "sextants",
            Self::Octants => "octants",
        }
    }
}

/// What the environment says; every field as it stands, empty when unset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// `TERM`.
    pub term: String,
    /// `TERM_PROGRAM`; does not cross SSH.
    pub term_program: String,
    /// `LC_TERMINAL`; iTerm2 sets it and SSH usually carries it.
    pub lc_terminal: String,
    /// `COLORTERM`; rarely crosses SSH.
    pub colorterm: String,
    /// `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// The locale (`LC_ALL`, `LC_CTYPE` or `LANG`) is UTF-8.
    pub utf8: bool,
    /// Our pane in tmux (`TMUX_PANE`).
    pub pane: Option<String>,
    /// The column of the tmux pane's left edge (`#{pane_left}`), when tmux was asked.
    pub pane_left: Option<u16>,
}

impl Environment {
    /// `TERM` is that of tmux or GNU screen.
    pub(super) fn multiplexed(&self) -> bool {
        self.term.starts_with("tmux") || self.term.starts_with("screen")
    }
}

/// What somebody wants whatever the terminal says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wish {
    /// Pictures drawn so.
    pub protocol: Option<Protocol>,
    /// Pictures of characters made of these.
    pub blocks: Option<Blocks>,
}

/// The wishes there are. A setting goes before what is remembered; a key pressed later takes the setting back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wishes {
    /// By a flag or the configuration.
    pub set: Wish,
    /// With a key, in this console or an earlier one in this terminal.
    pub chosen: Wish,
}

impl Wishes {
    /// What is wanted of one thing, and why it is.
    fn first<T>(&self, of: fn(&Wish) -> Option<T>) -> Option<(T, &'static str)> {
        let set = of(&self.set).map(|wanted| (wanted, "a flag or the configuration says so"));
        set.or_else(|| {
            of(&self.chosen).map(|wanted| (wanted, "chosen in the console for this terminal"))
        })
    }
}

/// The decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// How pictures are drawn.
    pub protocol: Protocol,
    /// With how many colours text is drawn.
    pub colours: Colours,
    /// Of which characters pictures are made where they are made of characters.
    pub blocks: Blocks,
    /// It was wished for, and the terminal does not say that it draws so.
    pub forced: bool,
    /// Why this protocol, as the end of a sentence.
    pub why: String,
    /// Why these colours, likewise.
    pub why_colours: &'static str,
    /// Why these characters, likewise.
    pub why_blocks: &'static str,
}

/// A make of terminal, by its XTVERSION answer. What they can do: their sources and issue trackers,
/// as of 2026.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Brand {
    /// With its version, major and minor.
    Kitty(u32, u32),
    Ghostty,
    /// With its version.
    Rio(u32, u32, u32),
    WezTerm,
    Konsole,
    Iterm2,
    Mintty,
    /// VS Code and other programs around xterm.js.
    XtermJs,
    Xterm,
    /// A terminal with true colours that draws at most sixel.
    TrueColour,
    /// One that also draws sextants without a font.
    Foot,
    Unknown,
}

impl Brand {
    /// Reads `kitty(0.36.4)`, `ghostty 1.2.0`, `WezTerm 2024…`.
    pub(super) fn of(version: &str) -> Self {
        let lower = version.to_ascii_lowercase();
        let cut = lower.find([' ', '(']).unwrap_or(lower.len());
        let (name, rest) = lower.split_at(cut);
        let mut numbers = rest
            .trim_start_matches([' ', '('])
            .split('.')
            .map(|part| part.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default())
            .map(|digits| digits.parse().unwrap_or(0));
        let mut number = || numbers.next().unwrap_or(0);
        match name {
            "kitty" => Self::Kitty(number(), number()),
            "ghostty" => Self::Ghostty,
            "rio" => Self::Rio(number(), number(), number()),
            "wezterm" => Self::WezTerm,
            "konsole" => Self::Konsole,
            "iterm2" => Self::Iterm2,
            "mintty" => Self::Mintty,
            "xterm.js" => Self::XtermJs,
            "xterm" => Self::Xterm,
            "foot" | "contour" => Self::Foot,
            "vte" | "alacritty" | "mlterm" => Self::TrueColour,
            _ => Self::Unknown,
        }
    }

    /// Kitty itself since 0.28, Ghostty, and Rio since 0.5.28 (drawn wrongly before). All others
    /// that answer the graphics query with OK print placeholders as letters or nothing.
    pub(super) fn draws_placeholders(self) -> bool {
        match self {
            Self::Kitty(major, minor) => (major, minor) >= (0, 28),
            Self::Rio(major, minor, patch) => (major, minor, patch) >= (0, 5, 28),
            Self::Ghostty => true,
            _ => false,
        }
    }

    /// Whether it draws JPEG by iTerm2's sequence. In xterm.js the same part draws sixel and is
    /// off by default in VS Code, so its sixel attribute tells.
    pub(super) fn draws_iterm2(self, sixel: bool) -> bool {
        match self {
            Self::WezTerm | Self::Konsole | Self::Iterm2 | Self::Mintty | Self::Rio(..) => true,
            Self::XtermJs => sixel,
            _ => false,
        }
    }

    /// The finest characters that it draws itself. A terminal that asks its font shows boxes for what
    /// the font lacks.
    fn blocks(self) -> Blocks {
        match self {
            Self::Kitty(major, minor) if (major, minor) >= (0, 40) => Blocks::Octants,
            Self::Ghostty => Blocks::Octants,
            Self::Kitty(..) | Self::WezTerm | Self::Foot => Blocks::Sextants,
            _ => Blocks::Quadrants,
        }
    }

    fn draws_true_colours(self) -> bool {
        !matches!(self, Self::Unknown | Self::Xterm)
    }
}

/// Chooses. A way to draw that is wished for is taken where the terminal is proven to draw so, or, set by a
/// flag or the configuration, where it is one that we do not know and takes it without printing it.
#[must_use]
pub fn choose(terminal: &Capabilities, environment: &Environment, wishes: &Wishes) -> Choice {
    let (protocol, why, forced) = match wishes.first(|wish| wish.protocol) {
        None => own(terminal, environment),
        Some((wished, why)) if is_proven(wished, terminal, environment) => {
            (wished, why.to_owned(), false)
        }
        Some((wished, why)) if wishes.set.protocol.is_some() && may_force(wished, terminal) => {
            (wished, format!("{why}, and nothing proves that the terminal draws it"), true)
        }
        Some((wished, _)) => {
            let (protocol, why, forced) = own(terminal, environment);
            let why = format!("{} is wished for and not confirmed; {why}", wished.word());
            (protocol, why, forced)
        }
    };
    let (colours, why_colours) = colours(terminal, environment);
    let (blocks, why_blocks) =
        wishes.first(|wish| wish.blocks).unwrap_or_else(|| blocks(terminal, environment));
    Choice { protocol, forced, colours, blocks, why, why_colours, why_blocks }
}

fn own(terminal: &Capabilities, environment: &Environment) -> (Protocol, String, bool) {
    let (protocol, why) = protocol(terminal, environment);
    (protocol, why, false)
}

/// Whether the terminal has shown by its answers that it draws so. Nothing of a protocol is sent to one that
/// has not: some print it.
#[must_use]
pub fn is_proven(way: Protocol, terminal: &Capabilities, environment: &Environment) -> bool {
    let answers = !terminal.silent && terminal.inside != Inside::Screen;
    match way {
        Protocol::Blocks => true,
        Protocol::Kitty => {
            answers
                && terminal.placeholders
                && against_placeholders(&terminal.inside, environment).is_none()
        }
        Protocol::Iterm2 => {
            let named =
                terminal.version.is_none() && environment_says_iterm2(terminal, environment);
            answers && (terminal.iterm2 || named)
        }
        Protocol::Sixel => answers && terminal.sixel,
    }
}

/// Whether a wish may go before what is known: on a terminal that names itself, so it reads control strings
/// whole, and whose make we do not know. kitty's pictures need its yes to the graphics query besides.
fn may_force(way: Protocol, terminal: &Capabilities) -> bool {
    let unknown = terminal.version.as_deref().is_some_and(|v| Brand::of(v) == Brand::Unknown);
    let through = matches!(terminal.inside, Inside::Bare | Inside::Tmux { .. });
    unknown && through && (way != Protocol::Kitty || terminal.kitty_graphics)
}

fn protocol(terminal: &Capabilities, environment: &Environment) -> (Protocol, String) {
    let blocks = |why: &str| (Protocol::Blocks, why.to_owned());
    if terminal.silent {
        return blocks("the terminal has not answered");
    }
    if terminal.inside == Inside::Screen {
        return blocks("GNU screen passes no pictures on");
    }
    let name = terminal.version.as_deref().unwrap_or("the terminal");
    let mut hint = None;
    if terminal.placeholders {
        match against_placeholders(&terminal.inside, environment) {
            None => return (Protocol::Kitty, format!("{name} draws kitty placeholders")),
            reason => hint = reason,
        }
    }
    if terminal.iterm2 {
        return (Protocol::Iterm2, format!("{name} draws iTerm2 images"));
    }
    if terminal.version.is_none() && environment_says_iterm2(terminal, environment) {
        return (Protocol::Iterm2, "the environment names iTerm2".to_owned());
    }
    if terminal.sixel {
        return (Protocol::Sixel, format!("{name} draws sixel"));
    }
    if let Some(hint) = hint {
        return blocks(hint);
    }
    match &terminal.inside {
        Inside::Tmux { .. } if terminal.version.is_none() => {
            let why = "tmux passes no pictures on";
            (Protocol::Blocks, format!("{why}; {PASSTHROUGH} in tmux to see them better"))
        }
        _ => (Protocol::Blocks, format!("{name} draws no pictures that we know of")),
    }
}

/// What keeps placeholders from working between us and a terminal that draws them.
fn against_placeholders(inside: &Inside, environment: &Environment) -> Option<&'static str> {
    match inside {
        Inside::Tmux { .. } if !environment.utf8 => {
            Some("tmux shows placeholders in a UTF-8 locale only; set LANG")
        }
        // Combining characters land in the wrong column there.
        Inside::Tmux { version } if misplaces(version) && environment.pane_left != Some(0) => Some(
            "this tmux (3.7 to 3.7c) misplaces pictures unless the pane is leftmost; zoom or update",
        ),
        _ => None,
    }
}

/// What has a tmux let pictures through, and no more: with `all` it does so also before it has drawn the text that
/// stands before them, and an answer from behind would prove nothing.
pub const PASSTHROUGH: &str = "set -g allow-passthrough on";

/// tmux 3.7, 3.7a, 3.7b and 3.7c.
fn misplaces(version: &str) -> bool {
    matches!(version, "3.7" | "3.7a" | "3.7b" | "3.7c")
}

/// An iTerm2 too old to tell its version still tells pixels. mosh and others carry the environment
/// on but neither the answer nor the picture.
fn environment_says_iterm2(terminal: &Capabilities, environment: &Environment) -> bool {
    let named = environment.lc_terminal == "iTerm2" || environment.term_program == "iTerm.app";
    let tells_pixels = terminal.cell_pixels.is_some() || terminal.area_pixels.is_some();
    named && tells_pixels && terminal.inside == Inside::Bare
}

/// What counts is the terminal that draws. What stands between must know the width of the characters: the
/// octants are too new for that.
fn blocks(terminal: &Capabilities, environment: &Environment) -> (Blocks, &'static str) {
    let brand = terminal.version.as_deref().map_or(Brand::Unknown, Brand::of);
    match (brand.blocks(), &terminal.inside) {
        _ if !environment.utf8 => (Blocks::Quadrants, "the locale is not UTF-8; set LANG"),
        (Blocks::Octants, Inside::Bare) => (Blocks::Octants, "the terminal draws them itself"),
        (Blocks::Octants, Inside::Tmux { .. }) => {
            (Blocks::Sextants, "the terminal draws finer ones, whose width tmux may not know")
        }
        (Blocks::Sextants, Inside::Bare | Inside::Tmux { .. }) => {
            (Blocks::Sextants, "the terminal draws them itself")
        }
        _ => (Blocks::Quadrants, "nearly every font has them; finer ones may be boxes here"),
    }
}

fn colours(terminal: &Capabilities, environment: &Environment) -> (Colours, &'static str) {
    let term = environment.term.as_str();
    let brand = terminal.version.as_deref().map_or(Brand::Unknown, Brand::of);
    if environment.no_color {
        (Colours::None, "NO_COLOR is set")
    } else if term == "dumb" || term.starts_with("vt") {
        (Colours::None, "TERM names a terminal without colours")
    } else if matches!(environment.colorterm.as_str(), "truecolor" | "24bit") {
        (Colours::True, "COLORTERM says so")
    } else if term.ends_with("-direct") {
        (Colours::True, "TERM says so")
    } else if brand.draws_true_colours() {
        (Colours::True, "the terminal is known to draw them")
    } else if term.contains("256color") || term.starts_with("tmux") {
        (Colours::C256, "TERM says so, and nothing says more")
    } else if brand == Brand::Xterm {
        (Colours::C256, "xterm is known to draw so many")
    } else {
        (Colours::C16, "nothing says that there are more")
    }
}
