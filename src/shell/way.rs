//! From what the terminal and tmux have told to what the rules want to know: whether a pair on the
//! reviewer's screen can be confirmed, by whom, and what would help.

use super::tmux::Looks;
use crate::core::Reach;
use crate::term::{Answers, Capabilities, Inside};

/// What is known of the way to the reviewer's eyes. `asking`: the terminal may still answer.
#[must_use]
pub fn way(known: &Capabilities, asking: bool, looks: Looks) -> Reach {
    let in_tmux = matches!(known.inside, Inside::Tmux { .. });
    let off = |why: &str| Reach::Off(why.to_owned());
    match looks {
        _ if !in_tmux => {}
        Looks::Nobody => return off("no terminal is attached to tmux"),
        Looks::Sizes => return off("tmux shows two sizes: detach the other terminal"),
        Looks::Another => return off("another terminal came to this tmux: detach it"),
        Looks::Several => return blind(Answers::Several),
        // Its answer may have overtaken the pair. With `on` tmux drops what it has not drawn the place for.
        Looks::OneAhead => return blind(Answers::Tmux),
        Looks::Untold => return blind(Answers::Unknown),
        Looks::Unasked => return Reach::Asking,
        Looks::Elsewhere | Looks::One => {}
    }
    match known.answers {
        Answers::Terminal => Reach::EndToEnd,
        _ if asking => Reach::Asking,
        other => blind(other),
    }
}

fn blind(answers: Answers) -> Reach {
    Reach::Blind { by: answers.word().to_owned(), remedy: answers.remedy().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::{Environment, Probe};

    fn known(answers: Answers, inside: Inside) -> Capabilities {
        Capabilities { answers, inside, ..Probe::new(&Environment::default()).conclude() }
    }

    #[test]
    fn only_the_terminals_own_answer_is_end_to_end() {
        let tmux = || Inside::Tmux { version: "3.4".to_owned() };
        assert_eq!(
            way(&known(Answers::Terminal, Inside::Bare), false, Looks::Unasked),
            Reach::EndToEnd
        );
        assert_eq!(way(&known(Answers::Terminal, tmux()), false, Looks::One), Reach::EndToEnd);
        for answers in [
            Answers::Tmux,
            Answers::Several,
            Answers::Screen,
            Answers::Mosh,
            Answers::Zellij,
            Answers::Unknown,
            Answers::Nobody,
        ] {
            for inside in [Inside::Bare, tmux()] {
                let known = known(answers, inside);
                assert_eq!(way(&known, true, Looks::One), Reach::Asking);
                let way = way(&known, false, Looks::One);
                let Reach::Blind { by, remedy } = way else { panic!("{answers:?}: {way:?}") };
                assert!(!remedy.is_empty() && by.len() + remedy.len() < 50, "{answers:?}");
            }
        }
    }

    #[test]
    fn in_a_tmux_it_matters_who_looks() {
        let known = known(Answers::Terminal, Inside::Tmux { version: "3.4".to_owned() });
        for looks in [Looks::Nobody, Looks::Sizes, Looks::Another] {
            assert!(matches!(way(&known, false, looks), Reach::Off(_)), "{looks:?}");
        }
        for looks in [Looks::Several, Looks::OneAhead] {
            assert!(matches!(way(&known, false, looks), Reach::Blind { .. }), "{looks:?}");
        }
        assert_eq!(way(&known, false, Looks::Unasked), Reach::Asking);
    }
}
