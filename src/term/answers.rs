//! Who answers when the terminal is asked: the terminal that draws, or something in between that keeps a
//! screen of its own and answers in its place. A multiplexer may sit on another machine, where no variable
//! and no process of ours tells of it, so only what is known to draw counts as the terminal; whoever
//! cannot be told is taken for something in between.

use super::choose::{Environment, PASSTHROUGH};

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// The terminal that draws.
    Terminal,
    /// tmux; the terminal around it does not.
    Tmux,
    /// More than one terminal around a tmux, each for itself.
    Several,
    /// GNU screen.
    Screen,
    /// mosh's server.
    Mosh,
    /// zellij.
    Zellij,
    /// Somebody who is not known.
    Unknown,
    /// Nobody.
    Nobody,
}

impl Answers {
    /// Its name for the screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Terminal => "the terminal",
            Self::Tmux => "tmux",
            Self::Several => "several terminals",
            Self::Screen => "screen",
            Self::Mosh => "mosh",
            Self::Zellij => "zellij",
            Self::Unknown => "unknown terminal",
            Self::Nobody => "silent terminal",
        }
    }

    /// What would bring the terminal's own answers, in a few words.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Terminal => "",
            Self::Tmux => PASSTHROUGH,
            Self::Several => "leave one attached",
            Self::Screen | Self::Zellij => "use tmux or neither",
            Self::Mosh => "use ssh",
            Self::Unknown | Self::Nobody => "use kitty, foot, xterm",
        }
    }
}

/// Names of terminals that draw, as they answer XTVERSION. Not here: whatever draws inside another terminal
/// (tmux, zellij, the terminals within editors).
const TERMINALS: [&str; 18] = [
    "kitty",
    "ghostty",
    "rio",
    "wezterm",
    "konsole",
    "iterm2",
    "mintty",
    "xterm.js",
    "xterm",
    "foot",
    "contour",
    "vte",
    "alacritty",
    "mlterm",
    "terminology",
    "windowsterminal",
    "rxvt-unicode",
    "st",
];

/// Who it is that gave these answers: its name, its device attributes, and what `TERM` says where neither
/// does.
pub(super) fn who(
    version: Option<&str>,
    primary: Option<&[u16]>,
    secondary: Option<&[u16]>,
    environment: &Told,
) -> Answers {
    if let Some(version) = version {
        let lower = version.to_ascii_lowercase();
        let name = lower.split([' ', '(']).next().unwrap_or_default();
        return match name {
            "tmux" => Answers::Tmux,
            "zellij" => Answers::Zellij,
            name if TERMINALS.contains(&name) => Answers::Terminal,
            _ => Answers::Unknown,
        };
    }
    match secondary {
        Some([83, ..]) => Answers::Screen,
        Some([84, ..]) => Answers::Tmux,
        // As mosh 1.4 does.
        Some([1, 10, 0]) => Answers::Mosh,
        // PuTTY, rxvt, Terminal.app, VTE before 0.70, xterm, xterm.js, Windows Terminal.
        Some(
            [0, 136, 0]
            | [82 | 85, ..]
            | [1, 95, 0]
            | [65, _, 1]
            | [41, ..]
            | [0, 276, 0]
            | [0, 10, 1],
        ) => Answers::Terminal,
        // Alacritty.
        Some([0, version, 1]) if *version >= 100 => Answers::Terminal,
        _ if environment.screen => Answers::Screen,
        _ if environment.console && primary == Some(&[6]) => Answers::Terminal,
        _ if primary.is_none() && secondary.is_none() => Answers::Nobody,
        _ => Answers::Unknown,
    }
}

/// What the environment says of who answers, for where the answers do not tell.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told {
    /// `TERM` is that of GNU screen.
    screen: bool,
    /// `TERM` is that of the Linux console.
    console: bool,
}

impl Told {
    pub(super) fn of(environment: &Environment) -> Self {
        let term = environment.term.as_str();
        Self { screen: term.starts_with("screen"), console: term == "linux" }
    }

    pub(super) fn names_screen(self) -> bool {
        self.screen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_to_draw_is_the_terminal() {
        let of = |version: Option<&str>, secondary: &[u16]| {
            who(version, Some(&[62]), Some(secondary), &Told::default())
        };
        for name in ["kitty(0.36.4)", "XTerm(379)", "foot(1.13.1)", "WezTerm 2024", "VTE(7006)"] {
            assert_eq!(of(Some(name), &[1, 1, 1]), Answers::Terminal, "{name}");
        }
        for name in ["libvterm(0.3)", "screen 5.0", "somethingNew 1", ""] {
            assert_eq!(of(Some(name), &[0, 136, 0]), Answers::Unknown, "{name}");
        }
        assert_eq!(of(Some("Zellij(4500)"), &[]), Answers::Zellij);
        // Recorded: GNU screen 4.9, tmux 3.3a, mosh 1.4.
        assert_eq!(of(None, &[83, 40900, 0]), Answers::Screen);
        assert_eq!(of(None, &[84, 0, 0]), Answers::Tmux);
        assert_eq!(of(None, &[1, 10, 0]), Answers::Mosh);
        for drawn in [[0, 136, 0], [85, 95, 0], [1, 95, 0], [65, 6800, 1], [0, 2401, 1]] {
            assert_eq!(of(None, &drawn), Answers::Terminal, "{drawn:?}");
        }
        // Inside editors, and whoever else comes.
        for unknown in [[0, 100, 0], [0, 0, 0], [77, 1, 0]] {
            assert_eq!(of(None, &unknown), Answers::Unknown, "{unknown:?}");
        }
    }

    #[test]
    fn the_environment_names_only_whom_the_answers_leave_open() {
        let told =
            |term: &str| Told::of(&Environment { term: term.into(), ..Environment::default() });
        let screen = told("screen-256color");
        assert_eq!(who(None, Some(&[1, 2]), None, &screen), Answers::Screen);
        assert_eq!(who(Some("kitty(0.40)"), Some(&[62]), None, &screen), Answers::Terminal);
        assert_eq!(who(None, Some(&[6]), None, &told("linux")), Answers::Terminal);
        assert_eq!(who(None, Some(&[6]), None, &told("xterm")), Answers::Unknown);
        assert_eq!(who(None, None, None, &told("xterm")), Answers::Nobody);
    }
}
