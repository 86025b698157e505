//! Text from outside, made safe: for a screen, for a comment at Didit, for a masked number.

use unicode_segmentation::UnicodeSegmentation;

/// Makes a text from outside printable on a terminal: no control characters, no escape sequences,
/// no bidirectional overrides, no invisible or tag characters; at most `most` graphemes, the cut
/// shown as `…`. Names in any script stay as they are.
#[must_use]
pub fn printable(text: &str, most: usize) -> String {
    let clean: String = text.chars().filter_map(shown).collect();
    let mut graphemes = clean.trim().graphemes(true);
    let mut kept: String = graphemes.by_ref().take(most).collect();
    if graphemes.next().is_some() {
        kept.push('…');
    }
    kept
}

/// The character to show for `c`: line breaks and tabs become spaces, the rest of what a terminal
/// would act on or hide is dropped.
fn shown(c: char) -> Option<char> {
    match c {
        '\t' | '\n' | '\r' | '\u{2028}' | '\u{2029}' => Some(' '),
        c if c.is_control() => None,
        // Bidirectional controls could show one name as another.
        '\u{061c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{206f}' => None,
        // Invisible: zero-width, soft hyphen, fillers, BOM, interlinear marks, private use, tags.
        // The zero-width joiner stays: emoji and several scripts need it.
        '\u{00ad}' | '\u{034f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' => None,
        '\u{180b}'..='\u{180f}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{3164}' => None,
        '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' => None,
        // Private use holds kitty's image placeholder; nothing of a name lives there.
        '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{10ffff}' => None,
        c => Some(c),
    }
}

/// A document number with all but its last three characters replaced: `X123456` becomes `***456`.
/// Short ones vanish whole; one that comes masked stays as it is.
#[must_use]
pub fn mask_number(number: &str) -> String {
    let clean = printable(number, 64);
    let count = clean.chars().count();
    if count <= 4 {
        return "***".to_owned();
    }
    let tail: String = clean.chars().skip(count - 3).collect();
    format!("***{tail}")
}

/// A comment with every `@` replaced, because Didit mails people who are named with one.
#[must_use]
pub fn redact_mentions(text: &str) -> String {
    text.chars().map(|c| if matches!(c, '@' | '＠' | '﹫') { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_names_become_harmless() {
        assert_eq!(printable("Ana\u{1b}[2J Perez", 40), "Ana[2J Perez");
        assert_eq!(printable("\u{202e}zereP anA", 40), "zereP anA");
        assert_eq!(printable("a\nb\tc", 40), "a b c");
        assert_eq!(printable("محمد علي", 40), "محمد علي");
        assert_eq!(printable("王小明", 2), "王小…");
        assert_eq!(printable("x\u{10eeee}y", 9), "xy");
    }

    #[test]
    fn numbers_are_masked() {
        assert_eq!(mask_number("X123456"), "***456");
        assert_eq!(mask_number("***456"), "***456");
        assert_eq!(mask_number("123"), "***");
    }

    proptest! {
        #[test]
        fn nothing_printable_moves_a_terminal(text in any::<String>(), most in 0usize..40) {
            let out = printable(&text, most);
            prop_assert!(out.chars().all(|c| !c.is_control()));
            prop_assert!(out.graphemes(true).count() <= most + 1);
        }

        #[test]
        fn no_mention_survives(text in any::<String>()) {
            prop_assert!(!redact_mentions(&text).contains('@'));
        }
    }
}
