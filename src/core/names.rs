//! Whether a text holds a name that is on the screen, in any script: a comment stays at Didit for ever, so
//! no name goes into it.

use crate::domain::Details;

/// Whose name a text holds, in words; `None` when it holds none that is known.
///
/// Case, accents, vowel signs, width and punctuation make no difference. A part of a Latin name of one or
/// two letters alone is too common a word to be told apart; the whole name is not.
#[must_use]
pub fn held(text: &str, details: Option<&Details>) -> Option<&'static str> {
    let details = details?;
    let text = Folded::new(text);
    let people = std::iter::once(("the subject's name", &details.subject.person))
        .chain(details.candidates.iter().map(|c| ("a candidate's name", &c.person)));
    people
        .filter_map(|(whose, person)| Some((whose, person.name.as_deref()?)))
        .find(|(_, name)| text.holds(&Folded::new(name)))
        .map(|(whose, _)| whose)
}

/// A text as names are compared in it.
struct Folded {
    /// Its words, without punctuation.
    words: Vec<String>,
    /// Its words as they are written with it: `O'Brien` is `obrien` too.
    joined: Vec<String>,
}

impl Folded {
    fn new(text: &str) -> Self {
        let plain = fold(text);
        let words = |part: &str| -> Vec<String> {
            part.split(|c: char| !c.is_alphanumeric())
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let joined = plain.split_whitespace().map(|part| words(part).concat());
        Self { joined: joined.collect(), words: words(&plain) }
    }

    fn holds(&self, name: &Self) -> bool {
        let whole = !name.words.is_empty()
            && self.words.windows(name.words.len()).any(|words| words == name.words);
        whole || name.words.iter().chain(&name.joined).any(|part| self.holds_part(part))
    }

    fn holds_part(&self, part: &str) -> bool {
        let mut words = self.words.iter().chain(&self.joined);
        if part.is_ascii() {
            return part.len() > 2 && words.any(|word| word == part);
        }
        let letters: Vec<char> = part.chars().collect();
        if letters.iter().any(|c| stands_alone(*c)) {
            // Written without blanks: two letters of it in a row name a person.
            let pairs: Vec<String> = letters.windows(2).map(|pair| pair.iter().collect()).collect();
            return words.any(|word| word == part || pairs.iter().any(|p| word.contains(p)));
        }
        // Prefixes and endings are written with the word in many scripts.
        words.any(|word| word == part || (letters.len() > 2 && word.contains(part)))
    }
}

/// Whether a letter belongs to a script that is written without blanks.
fn stands_alone(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Small letters without accents and vowel signs, at their usual width.
fn fold(text: &str) -> String {
    let narrow = text.chars().map(|c| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{3000}' => ' ',
        _ => c,
    });
    let mut out = String::new();
    for c in narrow.flat_map(char::to_lowercase) {
        match c {
            // Accents on their own, vowel signs of Hebrew and Arabic, the Arabic stretch, joiners.
            '\u{300}'..='\u{36f}'
            | '\u{591}'..='\u{5c7}'
            | '\u{610}'..='\u{61a}'
            | '\u{640}'
            | '\u{64b}'..='\u{65f}'
            | '\u{670}'
            | '\u{200c}'
            | '\u{200d}' => {}
            c => match LATIN.iter().find(|(accented, _)| accented.contains(c)) {
                Some((_, plain)) => out.push_str(plain),
                None => out.push(c),
            },
        }
    }
    out
}

/// Letters with accents, and what they are without.
const LATIN: &[(&str, &str)] = &[
    ("àáâãäåāăąǎạảấầẩẫậắằẳẵặ", "a"),
    ("æ", "ae"),
    ("çćĉċč", "c"),
    ("ďđð", "d"),
    ("èéêëēĕėęěẹẻẽếềểễệ", "e"),
    ("ĝğġģ", "g"),
    ("ĥħ", "h"),
    ("ìíîïĩīĭįıỉịǐ", "i"),
    ("ĵ", "j"),
    ("ķ", "k"),
    ("ĺļľŀł", "l"),
    ("ñńņňŋ", "n"),
    ("òóôõöøōŏőơọỏốồổỗộớờởỡợǒ", "o"),
    ("œ", "oe"),
    ("ŕŗř", "r"),
    ("śŝşšș", "s"),
    ("ß", "ss"),
    ("ţťŧț", "t"),
    ("þ", "th"),
    ("ùúûüũūŭůűųưụủứừửữựǔ", "u"),
    ("ŵ", "w"),
    ("ýÿŷỳỵỷỹ", "y"),
    ("źżž", "z"),
    ("ё", "е"),
    ("ά", "α"),
    ("έ", "ε"),
    ("ή", "η"),
    ("ίϊΐ", "ι"),
    ("ό", "ο"),
    ("ύϋΰ", "υ"),
    ("ώ", "ω"),
    ("أإآٱ", "ا"),
];
