//! What this terminal can do: the questions, and what its answers add up to.
//!
//! Nothing is believed from the environment that the terminal can say itself: environment variables
//! do not cross SSH, and inside tmux they speak of the wrong terminal. There is no clock here: who
//! waits for the answers decides when to [`Probe::conclude`], and may do so again.

use super::answers::{Answers, Told, who};
use super::choose::{Brand, Environment};
use super::parser::Answer;

/// The image number of the question that is asked of whom we talk to.
const ASKED_HERE: u32 = 31;
/// The one asked through tmux, of the terminal outside.
const ASKED_OUTSIDE: u32 = 32;

/// What is asked of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "`words` says what each asks")]
pub enum Question {
    Version,
    Graphics,
    Synchronized,
    Cell,
    Area,
    Registers,
    Background,
    Make,
    Attributes,
    Fence,
}

impl Question {
    /// All of them in the order they are asked: after the device attributes, which every terminal
    /// answers, comes a fence.
    pub const ALL: [Self; 10] = [
        Self::Version,
        Self::Graphics,
        Self::Synchronized,
        Self::Cell,
        Self::Area,
        Self::Registers,
        Self::Background,
        Self::Make,
        Self::Attributes,
        Self::Fence,
    ];

    /// What it asks.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Version => "name and version",
            Self::Graphics => "kitty graphics",
            Self::Synchronized => "whole frames",
            Self::Cell => "size of a cell",
            Self::Area => "size of the window",
            Self::Registers => "sixel colours",
            Self::Make => "make",
            Self::Background => "background",
            Self::Attributes => "device attributes",
            Self::Fence => "all read",
        }
    }

    /// Its bytes, before any envelope.
    #[must_use]
    pub fn sequence(self, outside: bool) -> &'static str {
        match self {
            Self::Version => "\x1b[>q",
            // With ASKED_OUTSIDE or ASKED_HERE.
            Self::Graphics if outside => "\x1b_Gi=32,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\",
            Self::Graphics => "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\",
            Self::Synchronized => "\x1b[?2026$p",
            Self::Cell => "\x1b[16t",
            Self::Area => "\x1b[14t",
            Self::Registers => "\x1b[?1;1;0S",
            Self::Background => "\x1b]11;?\x1b\\",
            Self::Make => "\x1b[>c",
            Self::Attributes => "\x1b[c",
            Self::Fence => "\x1b[5n",
        }
    }

    /// Whether it is asked at all: tmux and screen take the kitty question for a window's title, and
    /// neither would say yes.
    #[must_use]
    pub fn is_asked(self, environment: &Environment, outside: bool) -> bool {
        self != Self::Graphics || outside || !environment.multiplexed()
    }

    /// The question that an answer is to, if it is one of these.
    #[must_use]
    pub fn of(answer: &Answer) -> Option<Self> {
        match answer {
            Answer::Version(_) => Some(Self::Version),
            Answer::Kitty { id: Some(ASKED_HERE | ASKED_OUTSIDE), .. } => Some(Self::Graphics),
            Answer::Mode { mode: 2026, .. } => Some(Self::Synchronized),
            Answer::CellPixels { .. } => Some(Self::Cell),
            Answer::AreaPixels { .. } => Some(Self::Area),
            Answer::SixelRegisters(_) => Some(Self::Registers),
            Answer::Background(_) => Some(Self::Background),
            Answer::SecondaryAttributes(_) => Some(Self::Make),
            Answer::PrimaryAttributes(_) => Some(Self::Attributes),
            Answer::StatusOk => Some(Self::Fence),
            Answer::Kitty { .. }
            | Answer::Mode { .. }
            | Answer::SixelGeometry { .. }
            | Answer::Cursor { .. }
            | Answer::Keyboard(_)
            | Answer::Other => None,
        }
    }
}

/// The questions, in one write: to whom we talk to, or (`outside`) to the terminal around tmux.
#[must_use]
pub fn questions(environment: &Environment, outside: bool) -> Vec<u8> {
    let asked = Question::ALL.into_iter().filter(|q| q.is_asked(environment, outside));
    let batch: String = asked.map(|question| question.sequence(outside)).collect();
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

/// A question of the terminal around tmux that it reads behind all that was written to tmux before. tmux (3.3a to
/// 3.7c) gathers text while it reads, draws it when it has read all that is there, and hands on what is wrapped at
/// once, so a bare question comes before the text. It draws what it has gathered when the scrolling region is set,
/// which here stays the whole pane; the cursor, which that moves, is put back.
#[must_use]
pub fn ask_behind_tmux(question: &[u8]) -> Vec<u8> {
    [b"\x1b7\x1b[r\x1b8", &wrap_for_tmux(question)[..]].concat()
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
    /// Who it is that answers. Around a tmux, whoever is known to be there.
    pub answers: Answers,
}

impl Capabilities {
    /// Whether its ground is light; not known is dark.
    #[must_use]
    pub fn is_light(&self) -> bool {
        self.background
            .is_some_and(|rgb| rgb.iter().map(|part| u16::from(*part)).sum::<u16>() > 384)
    }
}

/// The answers of one terminal.
#[derive(Debug, Clone, Default)]
struct Replies {
    version: Option<String>,
    /// It told its name twice, asked once: two terminals did.
    twice: bool,
    kitty: bool,
    make: Option<Vec<u16>>,
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
    /// The terminal outside has answered up to a fence, even if tmux kept its attributes.
    fenced_outside: bool,
    heard_any: bool,
    told: Told,
}

impl Probe {
    /// A probe whose [`questions`] are about to be asked.
    #[must_use]
    pub fn new(environment: &Environment) -> Self {
        Self {
            here: Replies::default(),
            outside: Replies::default(),
            asked_outside: false,
            fenced_outside: false,
            heard_any: false,
            told: Told::of(environment),
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
        if *answer == Answer::StatusOk {
            self.fenced_outside |= self.outside.version.is_some() || self.outside.kitty;
            return;
        }
        let replies = self.speaker(answer);
        match answer {
            Answer::Version(version) => {
                replies.twice = replies.version.replace(version.clone()).is_some();
            }
            Answer::SecondaryAttributes(list) => replies.make = Some(list.clone()),
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

    /// We talk to tmux and have not asked the terminal outside yet: send the second batch of [`questions`], then
    /// call [`Probe::asked_outside`].
    #[must_use]
    pub fn wants_outside(&self) -> bool {
        !self.asked_outside && self.tmux().is_some() && self.here.attributes.is_some()
    }

    /// The questions for the terminal outside have been sent.
    pub fn asked_outside(&mut self) {
        self.asked_outside = true;
    }

    /// Another terminal is around the tmux than the one that was asked: it is asked anew.
    pub fn forget_outside(&mut self) {
        self.outside = Replies::default();
        (self.asked_outside, self.fenced_outside) = (false, false);
    }

    /// All that will be answered has been.
    #[must_use]
    pub fn complete(&self) -> bool {
        if self.asked_outside {
            self.outside.attributes.is_some() || self.fenced_outside
        } else {
            self.here.attributes.is_some() && !self.wants_outside()
        }
    }

    fn who_here(&self) -> Answers {
        let Replies { version, attributes, make, .. } = &self.here;
        who(version.as_deref(), attributes.as_deref(), make.as_deref(), &self.told)
    }

    /// Who answers: around a tmux whoever is there, or tmux.
    fn who(&self) -> Answers {
        if !self.heard_any {
            return Answers::Nobody;
        }
        let here = self.who_here();
        if here != Answers::Tmux {
            return here;
        }
        let Replies { version, attributes, make, twice, .. } = &self.outside;
        if *twice {
            return Answers::Several;
        }
        match who(version.as_deref(), attributes.as_deref(), make.as_deref(), &Told::default()) {
            Answers::Nobody => Answers::Tmux,
            there => there,
        }
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
            None if self.told.names_screen() || self.who_here() == Answers::Screen => {
                Inside::Screen
            }
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
            // The cells we count in are those of whom we talk to; tmux 3.3a does not tell.
            cell_pixels: self.here.cell.or(drawing.cell),
            area_pixels: self.here.area,
            synchronized_output: self.here.synchronized,
            inside,
            background: drawing.background.or(self.here.background),
            silent: !self.heard_any,
            answers: self.who(),
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

#[cfg(test)]
mod tests {
    use super::super::choose::{Choice, Colours, Protocol, Wish, Wishes, choose};
    use super::super::parser::{Heard, Parser};
    use super::super::recorded::TERMINALS;
    use super::*;

    fn answers(bytes: &[u8]) -> Vec<Answer> {
        let mut out = Vec::new();
        Parser::new().feed(bytes, &mut out);
        let answer = |heard| match heard {
            Heard::Answer(answer) => answer,
            other => panic!("{other:?} is no answer"),
        };
        out.into_iter().map(answer).collect()
    }

    /// Plays a recorded terminal to the end.
    fn probed(name: &str, environment: &Environment) -> Probe {
        let recorded = TERMINALS.iter().find(|recorded| recorded.name == name).unwrap();
        let mut probe = Probe::new(environment);
        for answer in answers(recorded.here) {
            assert!(!probe.complete(), "{name}: complete too early");
            probe.heard(&answer);
            if matches!(answer, Answer::PrimaryAttributes(_)) {
                break;
            }
        }
        if probe.wants_outside() {
            probe.asked_outside();
            answers(recorded.outside).iter().for_each(|answer| probe.heard(answer));
        }
        probe
    }

    fn over_ssh() -> Environment {
        Environment { term: "xterm-256color".into(), utf8: true, ..Environment::default() }
    }

    fn chosen(name: &str, environment: &Environment) -> Choice {
        choose(&probed(name, environment).conclude(), environment, &Wishes::default())
    }

    #[test]
    fn every_recorded_terminal_gets_its_protocol_without_any_variable_of_its_own() {
        use Colours::{C256, True};
        use Protocol::{Blocks, Iterm2, Kitty, Sixel};
        let table = [
            ("kitty 0.36.4", Kitty, True),
            ("kitty 0.26.5", Blocks, True),
            ("ghostty 1.2.0", Kitty, True),
            ("rio 0.5.28", Kitty, True),
            ("wezterm", Iterm2, True),
            ("konsole", Iterm2, True),
            ("iTerm2", Iterm2, True),
            ("foot 1.13.1", Sixel, True),
            ("xterm 379 as a VT340", Sixel, C256),
            ("VS Code with images", Iterm2, True),
            ("VS Code without", Blocks, True),
            ("zellij 0.45 in kitty", Blocks, C256),
            ("zellij 0.45 in foot", Sixel, C256),
            ("tmux 3.3a in kitty", Kitty, True),
            ("tmux 3.7c in kitty", Blocks, True),
            ("tmux 3.6b in iTerm2", Iterm2, True),
            ("tmux 3.3a that passes nothing on", Blocks, C256),
            ("GNU screen", Blocks, C256),
            ("mute", Blocks, C256),
        ];
        assert_eq!(table.len(), TERMINALS.len(), "a recorded terminal is not in the table");
        for (name, protocol, colours) in table {
            let mut environment = over_ssh();
            if name == "GNU screen" {
                environment.term = "screen-256color".into();
            }
            let choice = chosen(name, &environment);
            assert_eq!((choice.protocol, choice.colours), (protocol, colours), "{name}");
            assert!(!choice.why.is_empty() && !choice.why.ends_with('.'), "{name}");
        }
    }

    #[test]
    fn the_details_of_a_terminal_are_kept() {
        let kitty = probed("kitty 0.36.4", &over_ssh()).conclude();
        assert_eq!(kitty.version.as_deref(), Some("kitty(0.36.4)"));
        assert_eq!(kitty.cell_pixels, Some((10, 20)));
        assert_eq!(kitty.area_pixels, Some((1100, 800)));
        assert_eq!(kitty.background, Some([0x1e, 0x1e, 0x2e]));
        assert!(kitty.synchronized_output && kitty.placeholders && !kitty.sixel && !kitty.silent);
        let xterm = probed("xterm 379 as a VT340", &over_ssh()).conclude();
        assert_eq!(xterm.sixel_registers, Some(1024));
        assert!(!xterm.synchronized_output && xterm.sixel);
        let tmux = probed("tmux 3.3a in kitty", &over_ssh()).conclude();
        assert_eq!(tmux.inside, Inside::Tmux { version: "3.3a".into() });
        assert_eq!(tmux.version.as_deref(), Some("kitty(0.36.4)"));
        // 3.3a does not tell its cells, but they are the outer terminal's.
        assert_eq!(tmux.cell_pixels, Some((10, 20)));
        assert!(!tmux.sixel && !tmux.synchronized_output);
        assert!(probed("mute", &over_ssh()).conclude().silent);
    }

    #[test]
    fn a_tmux_that_misplaces_pictures_may_show_them_in_the_leftmost_pane_only() {
        let at = |pane_left| Environment { pane_left, ..over_ssh() };
        assert_eq!(chosen("tmux 3.7c in kitty", &at(Some(0))).protocol, Protocol::Kitty);
        for left in [None, Some(1), Some(80)] {
            let choice = chosen("tmux 3.7c in kitty", &at(left));
            assert_eq!(choice.protocol, Protocol::Blocks);
            assert!(choice.why.contains("3.7c"), "{}", choice.why);
        }
        assert_eq!(chosen("tmux 3.3a in kitty", &at(Some(80))).protocol, Protocol::Kitty);
        let latin = Environment { utf8: false, ..over_ssh() };
        assert_eq!(chosen("tmux 3.3a in kitty", &latin).protocol, Protocol::Blocks);
    }

    #[test]
    fn the_environment_is_believed_only_where_the_terminal_agrees() {
        let named = Environment { lc_terminal: "iTerm2".into(), ..over_ssh() };
        let choice = |bytes: &[u8]| {
            let mut probe = Probe::new(&named);
            answers(bytes).iter().for_each(|answer| probe.heard(answer));
            choose(&probe.conclude(), &named, &Wishes::default()).protocol
        };
        // An old iTerm2 tells pixels; mosh carries the variable and answers attributes only.
        assert_eq!(choice(b"\x1b[4;408;640t\x1b[?62;4c"), Protocol::Iterm2);
        assert_eq!(choice(b"\x1b[?62c"), Protocol::Blocks);
        assert_eq!(choice(b""), Protocol::Blocks);
        // kitty sessions inherit it, too.
        assert_eq!(chosen("kitty 0.36.4", &named).protocol, Protocol::Kitty);
    }

    #[test]
    fn characters_are_as_fine_as_the_terminal_draws_them_itself() {
        use super::super::choose::Blocks::{Octants, Quadrants, Sextants};
        let utf8 = over_ssh();
        let latin = Environment { utf8: false, ..over_ssh() };
        for (name, environment, blocks) in [
            ("kitty 0.36.4", &utf8, Sextants),
            ("ghostty 1.2.0", &utf8, Octants),
            ("ghostty 1.2.0", &latin, Quadrants),
            ("wezterm", &utf8, Sextants),
            ("foot 1.13.1", &utf8, Sextants),
            ("tmux 3.3a in kitty", &utf8, Sextants),
            ("tmux 3.3a that passes nothing on", &utf8, Quadrants),
            ("xterm 379 as a VT340", &utf8, Quadrants),
            ("VS Code without", &utf8, Quadrants),
            ("zellij 0.45 in kitty", &utf8, Quadrants),
            ("mute", &utf8, Quadrants),
        ] {
            assert_eq!(chosen(name, environment).blocks, blocks, "{name}");
        }
    }

    #[test]
    fn what_is_wished_for_is_taken_and_colours_follow_the_environment() {
        let silent = Probe::new(&over_ssh()).conclude();
        use super::super::choose::Blocks::{Octants, Quadrants, Sextants};
        let wish = |protocol, blocks| Wish { protocol: Some(protocol), blocks };
        let set = wish(Protocol::Sixel, None);
        let chosen = wish(Protocol::Iterm2, Some(Octants));
        let rio = probed("rio 0.5.28", &over_ssh()).conclude();
        for (wishes, protocol, blocks) in [
            (Wishes { set, ..Wishes::default() }, Protocol::Sixel, Quadrants),
            (Wishes { chosen, ..Wishes::default() }, Protocol::Iterm2, Octants),
            // Each thing by itself, and what is set before what was chosen.
            (Wishes { set, chosen }, Protocol::Sixel, Octants),
            (
                Wishes { set: Wish { protocol: None, blocks: Some(Sextants) }, chosen },
                Protocol::Iterm2,
                Sextants,
            ),
        ] {
            let choice = choose(&rio, &over_ssh(), &wishes);
            assert_eq!((choice.protocol, choice.blocks), (protocol, blocks), "{wishes:?}");
            assert!(!choice.forced);
        }
        let table = [
            (Environment { no_color: true, ..over_ssh() }, Colours::None),
            (Environment { term: "dumb".into(), ..over_ssh() }, Colours::None),
            (Environment { term: "linux".into(), ..over_ssh() }, Colours::C16),
            (Environment { term: "xterm-direct".into(), ..over_ssh() }, Colours::True),
            (Environment { colorterm: "truecolor".into(), ..over_ssh() }, Colours::True),
            (over_ssh(), Colours::C256),
        ];
        for (environment, colours) in table {
            assert_eq!(
                choose(&silent, &environment, &Wishes::default()).colours,
                colours,
                "{environment:?}"
            );
        }
    }

    #[test]
    fn a_way_to_draw_that_the_terminal_does_not_confirm_is_passed_over_or_marked() {
        let utf8 = over_ssh();
        let new = |kitty: &str| {
            let mut probe = Probe::new(&utf8);
            let bytes = format!("\x1bP>|newcomer 1.0\x1b\\{kitty}\x1b[?62c");
            answers(bytes.as_bytes()).iter().for_each(|answer| probe.heard(answer));
            probe.conclude()
        };
        let (unknown, says_yes) = (new(""), new("\x1b_Gi=31;OK\x1b\\"));
        for way in [Protocol::Kitty, Protocol::Iterm2, Protocol::Sixel] {
            let wish = Wish { protocol: Some(way), blocks: None };
            let set = Wishes { set: wish, ..Wishes::default() };
            let chosen = Wishes { chosen: wish, ..Wishes::default() };
            // Known not to, or nobody to know: neither a flag nor what is remembered brings it there.
            for name in
                ["kitty 0.26.5", "xterm 379 as a VT340", "VS Code without", "GNU screen", "mute"]
            {
                let mut environment = over_ssh();
                if name == "GNU screen" {
                    environment.term = "screen".into();
                }
                let known = probed(name, &environment).conclude();
                let proven = known.sixel && way == Protocol::Sixel;
                for wishes in [set, chosen] {
                    let choice = choose(&known, &environment, &wishes);
                    assert_eq!(choice.protocol == way, proven, "{name}: {choice:?}");
                    assert_eq!(choice.why.contains("not confirmed"), !proven, "{choice:?}");
                    assert!(!choice.forced);
                }
            }
            // One that we do not know and that reads control strings: by hand, and marked.
            assert_eq!(choose(&unknown, &utf8, &chosen).protocol, Protocol::Blocks);
            let forced = choose(&unknown, &utf8, &set);
            assert_eq!(forced.forced, way != Protocol::Kitty, "{forced:?}");
            assert_eq!(forced.protocol == way, forced.forced);
            assert!(choose(&says_yes, &utf8, &set).forced);
        }
    }

    #[test]
    fn late_answers_still_count_and_the_terminal_around_tmux_is_told_apart() {
        let environment = over_ssh();
        let mut probe = Probe::new(&environment);
        assert!(probe.conclude().silent && !probe.complete());
        for answer in answers(TERMINALS[0].here) {
            probe.heard(&answer);
        }
        assert!(probe.complete() && probe.conclude().placeholders);
        // A second answer of tmux's own, late, does not become the outer terminal's.
        let mut probe = Probe::new(&environment);
        for answer in answers(b"\x1bP>|tmux 3.6b\x1b\\\x1b[?1;2c") {
            probe.heard(&answer);
        }
        assert!(probe.wants_outside() && !probe.complete());
        probe.asked_outside();
        for answer in answers(b"\x1bP>|tmux 3.6b\x1b\\\x1b_Gi=31;OK\x1b\\") {
            probe.heard(&answer);
        }
        let known = probe.conclude();
        assert!(known.version.is_none() && !known.kitty_graphics && !probe.complete());
    }

    #[test]
    fn a_terminal_whose_attributes_tmux_kept_is_known_by_its_fence() {
        let mut probe = Probe::new(&over_ssh());
        answers(b"\x1bP>|tmux 3.3a\x1b\\\x1b[?1;2c\x1b[0n").iter().for_each(|a| probe.heard(a));
        probe.asked_outside();
        let outside = answers(b"\x1bP>|kitty(0.36.4)\x1b\\\x1b_Gi=32;OK\x1b\\\x1b[0n");
        for answer in &outside {
            assert!(!probe.complete());
            probe.heard(answer);
        }
        assert!(probe.complete() && probe.conclude().placeholders);
    }

    #[test]
    fn questions_end_in_the_fence_and_wrapping_doubles_every_escape() {
        let here = questions(&over_ssh(), false);
        assert!(here.starts_with(b"\x1b[>q\x1b_G") && here.ends_with(b"\x1b[c\x1b[5n"));
        for term in ["tmux-256color", "screen", "screen-256color"] {
            let inside = Environment { term: term.into(), ..over_ssh() };
            let asked = questions(&inside, false);
            assert!(!asked.contains(&b'_'), "a question that {term} takes for a title");
            assert!(questions(&inside, true).contains(&b'_'));
        }
        let outside = questions(&over_ssh(), true);
        let inner = outside.strip_prefix(b"\x1bPtmux;").unwrap().strip_suffix(b"\x1b\\").unwrap();
        let single = String::from_utf8(inner.to_vec()).unwrap().replace("\x1b\x1b", "\x1b");
        assert_eq!(single.replace("i=32", "i=31").as_bytes(), here);
        assert_eq!(wrap_for_tmux(b"\x1b[5n"), b"\x1bPtmux;\x1b\x1b[5n\x1b\\");
    }
}
