//! What `doctor` says of the terminal: what it was asked, what it answered, and what the console does
//! with that, and why. Answers come from outside: each is shown in printable letters and cut.

use super::{Check, Verdict, check};
use crate::domain::printable;
use crate::picture::{Colours, Protocol, Wrap};
use crate::shell::{CardShown, CellFrom, Interview, Memory, encoder};
use crate::term::{Answer, Answers, Environment, Inside, PASSTHROUGH, Question, Wish};
use crate::tui::SMALLEST;

/// Graphemes of an answer that are shown.
const SHOWN: usize = 100;

/// All that is known of the terminal. `passthrough` is what tmux says of letting pictures through.
pub fn checks(
    found: &Interview,
    environment: &Environment,
    passthrough: Option<&str>,
) -> Vec<Check> {
    let mut checks = vec![size(found, passthrough)];
    checks.extend(asked(&found.here, environment, false));
    if let Some(outside) = &found.outside {
        checks.extend(asked(outside, environment, true));
    }
    checks.push(answers(found));
    checks.push(pictures(found));
    checks.extend(wrap(found, passthrough));
    checks.push(cell(found));
    checks.push(characters(found));
    checks.push(colours(found));
    checks.extend(registers(found));
    checks.extend(found.card.map(card));
    checks
}

fn size(found: &Interview, passthrough: Option<&str>) -> Check {
    let (columns, rows) = (found.size.columns, found.size.rows);
    if let (Inside::Tmux { version }, None) = (&found.known.inside, &found.known.version) {
        let shown = printable(version, 20);
        let why = match passthrough {
            Some("on" | "all") => {
                "whose terminal does not answer: attach one before, or try another".to_owned()
            }
            _ => format!("which lets nothing through: tmux {PASSTHROUGH}"),
        };
        let text = format!("{columns}x{rows} cells; tmux {shown}, {why}");
        return check("terminal", Verdict::Warn, text);
    }
    let name = found.known.version.as_deref().unwrap_or("it does not tell its name");
    let text = format!("{columns}x{rows} cells; {}", printable(name, SHOWN));
    if found.known.silent {
        let text =
            format!("{columns}x{rows} cells; it answers nothing: try another one, or mosh's ssh");
        return check("terminal", Verdict::Warn, text);
    }
    if columns < SMALLEST.0 || rows < SMALLEST.1 {
        let text = format!("{text}; enlarge it to {}x{}", SMALLEST.0, SMALLEST.1);
        return check("terminal", Verdict::Warn, text);
    }
    check("terminal", Verdict::Ok, text)
}

/// A line for each question, with every answer to it.
fn asked(answers: &[Answer], environment: &Environment, outside: bool) -> Vec<Check> {
    let name = if outside { "outside tmux" } else { "asked" };
    let line = |question: Question| {
        let heard: Vec<String> = answers
            .iter()
            .filter(|answer| Question::of(answer) == Some(question))
            .map(words)
            .collect();
        let heard = if heard.is_empty() { "no answer".to_owned() } else { heard.join(" | ") };
        let sequence = question.sequence(outside).escape_default();
        let text = format!("{} {sequence}: {}", question.words(), printable(&heard, SHOWN));
        check(name, Verdict::Ok, text)
    };
    let questions = Question::ALL.into_iter();
    let mut lines: Vec<Check> =
        questions.filter(|q| q.is_asked(environment, outside)).map(line).collect();
    let others = answers.iter().filter(|answer| Question::of(answer).is_none()).count();
    if others > 0 {
        lines.push(check(
            name,
            Verdict::Warn,
            format!("{others} answer(s) to no question of ours"),
        ));
    }
    lines
}

/// An answer in words.
fn words(answer: &Answer) -> String {
    match answer {
        Answer::Kitty { id, word, .. } => format!("i={} {word}", id.unwrap_or_default()),
        Answer::StatusOk => "yes".to_owned(),
        Answer::PrimaryAttributes(list) | Answer::SecondaryAttributes(list) => {
            list.iter().take(32).map(u16::to_string).collect::<Vec<_>>().join(";")
        }
        Answer::Version(name) => name.clone(),
        Answer::CellPixels { width, height } | Answer::AreaPixels { width, height } => {
            format!("{width}x{height} pixels")
        }
        Answer::Mode { value, .. } => match value {
            1..=3 => "yes".to_owned(),
            other => format!("no ({other})"),
        },
        Answer::SixelRegisters(count) => count.to_string(),
        Answer::SixelGeometry { width, height } => format!("{width}x{height}"),
        Answer::Background([r, g, b]) => format!("#{r:02x}{g:02x}{b:02x}"),
        Answer::Cursor { row, column } => format!("{row},{column}"),
        Answer::Keyboard(flags) => flags.to_string(),
        Answer::Other => "something else".to_owned(),
    }
}

/// Who answers, and whether that says anything about the reviewer's screen.
fn answers(found: &Interview) -> Check {
    let answers = found.known.answers;
    if answers == Answers::Terminal {
        let text = "the terminal that draws, end to end: a pair is armed by its word";
        return check("answers", Verdict::Ok, text);
    }
    let remedy = match &found.known.inside {
        Inside::Tmux { .. } if answers == Answers::Tmux => format!("tmux {PASSTHROUGH}"),
        Inside::Tmux { .. } | Inside::Bare | Inside::Screen | Inside::Zellij => {
            answers.remedy().to_owned()
        }
    };
    let text = format!(
        "{}, not end to end: each pair opens shut, by a key that it names; {remedy}",
        answers.word()
    );
    check("answers", Verdict::Warn, text)
}

fn pictures(found: &Interview) -> Check {
    let how = found.drawing.protocol;
    let name = found.drawing.name();
    let text = format!("{name}: {}", printable(&found.choice.why, SHOWN));
    if how == Protocol::Blocks {
        let text = format!("{text}; kitty, Ghostty, WezTerm, iTerm2 or foot would show pixels");
        return check("pictures", Verdict::Warn, text);
    }
    check("pictures", Verdict::Ok, text)
}

fn wrap(found: &Interview, passthrough: Option<&str>) -> Option<Check> {
    let Inside::Tmux { version } = &found.known.inside else {
        let text = match found.drawing.options.wrap {
            Wrap::Bare => "none: nothing is known to stand between",
            Wrap::Tmux => "tmux's",
        };
        return Some(check("envelope", Verdict::Ok, text));
    };
    let version = printable(version, 20);
    let told = passthrough.map_or_else(
        || "tmux does not tell allow-passthrough".to_owned(),
        |word| format!("allow-passthrough is {}", printable(word, 20)),
    );
    let text = format!("tmux {version}'s; {told}");
    Some(match passthrough {
        Some("on") => check("envelope", Verdict::Ok, text),
        Some("all") => {
            let why = "answers may overtake what tmux has to draw, so each pair opens shut";
            check("envelope", Verdict::Warn, format!("{text}: {why}; tmux {PASSTHROUGH}"))
        }
        _ => check("envelope", Verdict::Warn, format!("{text}; tmux {PASSTHROUGH}")),
    })
}

fn cell(found: &Interview) -> Check {
    let (width, height) = found.drawing.cell;
    let who = match found.cell_from {
        CellFrom::Terminal => "the terminal says so",
        CellFrom::Window => "by the size of the window",
        CellFrom::Nobody => "assumed, nobody tells",
    };
    let text = format!("{width}x{height} pixels: {who}");
    // Only sixel pictures have a size of their own in pixels.
    if found.cell_from == CellFrom::Nobody && found.drawing.protocol == Protocol::Sixel {
        let text =
            format!("{text}; pictures may be too small or too large, --images blocks is safe");
        return check("cell", Verdict::Warn, text);
    }
    check("cell", Verdict::Ok, text)
}

fn characters(found: &Interview) -> Check {
    let (name, why) = (found.choice.blocks.word(), found.choice.why_blocks);
    check("characters", Verdict::Ok, format!("{name}: {why}"))
}

fn colours(found: &Interview) -> Check {
    let name = match found.drawing.options.colours {
        Colours::True => "24 bits",
        Colours::Ansi256 => "256, of which pictures of characters take the greys",
        Colours::Ansi16 => "16, of which pictures of characters take the greys",
        Colours::Mono(_) => "none",
    };
    check("colours", Verdict::Ok, format!("{name}: {}", found.choice.why_colours))
}

/// Only where sixel counts.
fn registers(found: &Interview) -> Option<Check> {
    if !found.known.sixel && found.drawing.protocol != Protocol::Sixel {
        return None;
    }
    let options = &found.drawing.options;
    let colours = options.palette.min(options.registers);
    Some(match found.known.sixel_registers {
        Some(told) if told < u32::from(options.palette) => check(
            "sixel",
            Verdict::Warn,
            format!("{colours} colours: the terminal has no more; in xterm set numColorRegisters"),
        ),
        Some(told) => check("sixel", Verdict::Ok, format!("{colours} colours of {told}")),
        None => check("sixel", Verdict::Ok, format!("{colours} colours; it does not tell its own")),
    })
}

/// What was chosen in this terminal before, and how to be rid of it.
pub fn remembered(wish: Wish, memory: &Memory) -> Option<Check> {
    let path = memory.path()?.display();
    let protocol = wish.protocol.map(|protocol| encoder(protocol).word());
    let chosen: Vec<&str> =
        protocol.into_iter().chain(wish.blocks.map(|blocks| blocks.word())).collect();
    let text = if chosen.is_empty() {
        format!("nothing was chosen in this terminal; {path}")
    } else {
        let chosen = chosen.join(", ");
        format!("{chosen}; p and P in the console change it, --images auto passes over it; {path}")
    };
    Some(check("remembered", Verdict::Ok, text))
}

fn card(shown: CardShown) -> Check {
    match shown {
        CardShown::Confirmed => {
            check("card", Verdict::Ok, "shown, confirmed by the terminal, and taken away")
        }
        CardShown::Unconfirmed => check(
            "card",
            Verdict::Warn,
            "shown and taken away; the terminal confirms nothing, so in the console each pair is opened by a key",
        ),
        CardShown::NoRoom => {
            check("card", Verdict::Warn, "not shown: there is no room for it; enlarge the window")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::{Heard, Parser};

    #[test]
    fn an_answer_that_means_ill_prints_as_one_short_harmless_line() {
        let flood = "A".repeat(3000);
        let bytes = format!(
            "\x1bP>|evil\r\n\x07\u{202e}{flood}\x1b\\\x1b_Gi=31;\x08\x7f\u{9b}2J{flood}\x1b\\\
             \x1b[?{}c\x1b[1;1R",
            "9;".repeat(60)
        );
        let mut heard = Vec::new();
        Parser::new().feed(bytes.as_bytes(), &mut heard);
        let answers: Vec<Answer> = heard
            .into_iter()
            .map(|heard| match heard {
                Heard::Answer(answer) => answer,
                other => panic!("{other:?}"),
            })
            .collect();
        let lines = asked(&answers, &Environment::default(), false);
        assert!(lines[0].text.contains(": evil"), "{lines:?}");
        assert!(lines[1].text.contains(": i=31 "), "{lines:?}");
        assert_eq!(lines.last().unwrap().verdict, Verdict::Warn, "{lines:?}");
        for line in lines {
            assert!(line.text.chars().count() < 220, "{line:?}");
            assert!(
                line.text.chars().all(|c| c.is_ascii_graphic() || " …".contains(c)),
                "{line:?}"
            );
        }
    }
}
