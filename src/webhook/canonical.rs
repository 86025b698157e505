//! The texts that signers make of one JSON body before they sign it. Didit's documents describe one form
//! (keys sorted, no blanks, whole numbers without a fraction, letters as they are), and what a language's
//! library makes of that differs in numbers, in the order of keys and in what is escaped. So a body is read
//! here with its numbers as they stand, and written as each of them would. Pure.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::de::IgnoredAny;
use zeroize::Zeroizing;

/// No body of Didit's is nested deeper; each level costs stack.
const DEEPEST: usize = 64;

/// Why a body is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It is no JSON, or nested too deeply.
    Json,
    /// It names a field twice: two readers could take two values for it.
    Doubled,
}

/// A value as it stands in the text.
#[derive(Debug, PartialEq)]
pub enum Node {
    /// `null`, `true` or `false`.
    Word(&'static str),
    /// A number, letter by letter.
    Number(String),
    /// A text, unescaped.
    Text(Zeroizing<String>),
    /// A list.
    List(Vec<Node>),
    /// Fields in the order in which they stand; no two of one name.
    Fields(Vec<(String, Node)>),
}

impl Node {
    /// Reads a text of JSON.
    ///
    /// # Errors
    /// [`Unread`].
    pub fn read(text: &str) -> Result<Self, Unread> {
        // One pass by the library: from here on the text is known to be JSON.
        serde_json::from_str::<IgnoredAny>(text).map_err(|_| Unread::Json)?;
        Reader { text, at: 0 }.value(0)
    }

    /// The text of a field of this object.
    pub fn word(&self, name: &str) -> &str {
        match self.field(name) {
            Some(Self::Text(text)) => text,
            _ => "",
        }
    }

    /// The whole number of a field of this object.
    pub fn whole(&self, name: &str) -> Option<i64> {
        match self.field(name) {
            Some(Self::Number(text)) => text.parse().ok(),
            _ => None,
        }
    }

    fn field(&self, name: &str) -> Option<&Self> {
        let Self::Fields(fields) = self else { return None };
        fields.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }
}

/// Goes through a text that is known to be JSON.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    /// The next byte that is no blank.
    fn peek(&mut self) -> Result<u8, Unread> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.at += blanks;
        rest.get(blanks).copied().ok_or(Unread::Json)
    }

    /// The text from here up to the first byte that is `past`, which is left.
    fn until(&mut self, past: impl Fn(u8) -> bool) -> &str {
        let from = self.at;
        let rest = self.text.as_bytes().get(from..).unwrap_or_default();
        self.at += rest.iter().position(|byte| past(*byte)).unwrap_or(rest.len());
        self.text.get(from..self.at).unwrap_or_default()
    }

    fn string(&mut self) -> Result<String, Unread> {
        let from = self.at;
        self.at += 1;
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(|byte| *byte != b'"') {
            self.at += if bytes.get(self.at) == Some(&b'\\') { 2 } else { 1 };
        }
        self.at += 1;
        let quoted = self.text.get(from..self.at).ok_or(Unread::Json)?;
        serde_json::from_str(quoted).map_err(|_| Unread::Json)
    }

    fn value(&mut self, depth: usize) -> Result<Node, Unread> {
        if depth > DEEPEST {
            return Err(Unread::Json);
        }
        match self.peek()? {
            b'"' => Ok(Node::Text(Zeroizing::new(self.string()?))),
            b'[' => {
                let mut items = Vec::new();
                self.at += 1;
                while self.peek()? != b']' {
                    items.push(self.value(depth + 1)?);
                    self.comma()?;
                }
                self.at += 1;
                Ok(Node::List(items))
            }
            b'{' => {
                let mut fields = Vec::new();
                self.at += 1;
                while self.peek()? != b'}' {
                    let name = self.string()?;
                    if self.peek()? != b':' {
                        return Err(Unread::Json);
                    }
                    self.at += 1;
                    fields.push((name, self.value(depth + 1)?));
                    self.comma()?;
                }
                self.at += 1;
                let names: BTreeSet<_> = fields.iter().map(|(name, _)| name).collect();
                if names.len() < fields.len() {
                    return Err(Unread::Doubled);
                }
                Ok(Node::Fields(fields))
            }
            b'n' | b't' | b'f' => match self.until(|byte| !byte.is_ascii_lowercase()) {
                "null" => Ok(Node::Word("null")),
                "true" => Ok(Node::Word("true")),
                "false" => Ok(Node::Word("false")),
                _ => Err(Unread::Json),
            },
            _ => {
                let end = |byte: u8| !(byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
                match self.until(end) {
                    "" => Err(Unread::Json),
                    number => Ok(Node::Number(number.to_owned())),
                }
            }
        }
    }

    fn comma(&mut self) -> Result<(), Unread> {
        if self.peek()? == b',' {
            self.at += 1;
        }
        Ok(())
    }
}

/// How a signer writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    numbers: Numbers,
    order: Order,
    escapes: Escapes,
}

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbers {
    /// Whole ones of any size without a fraction, others by Python's `repr`.
    Python,
    /// All are doubles, written as ECMA-262 (Number::toString) says.
    JavaScript,
    /// All are doubles, written as Go's `encoding/json` does: as JavaScript, with a sign before 0.
    Go,
}

/// In what order fields stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// By Unicode's code points, which is the order of their bytes in UTF-8.
    Points,
    /// By UTF-16 code units.
    Units,
    /// What a JavaScript object makes of that: names that are array indices first, by their number.
    Indices,
}

/// What of a text is escaped beside what JSON wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escapes {
    /// Nothing.
    Needed,
    /// All that is not printable ASCII.
    Ascii,
    /// What would mean something in HTML, and two separators of lines.
    Html,
}

/// The styles that signers are known to have. The documented one, which Didit's own Python has, is first.
pub const STYLES: [Style; 6] = [
    Style { numbers: Numbers::Python, order: Order::Points, escapes: Escapes::Needed },
    Style { numbers: Numbers::JavaScript, order: Order::Indices, escapes: Escapes::Needed },
    Style { numbers: Numbers::JavaScript, order: Order::Units, escapes: Escapes::Needed },
    Style { numbers: Numbers::Python, order: Order::Points, escapes: Escapes::Ascii },
    Style { numbers: Numbers::Go, order: Order::Points, escapes: Escapes::Html },
    Style { numbers: Numbers::Go, order: Order::Points, escapes: Escapes::Needed },
];

impl Style {
    /// A value as this signer writes it.
    pub fn write(self, value: &Node) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::new());
        self.value(value, &mut out);
        out
    }

    fn value(self, value: &Node, out: &mut String) {
        match value {
            Node::Word(word) => out.push_str(word),
            Node::Number(text) => out.push_str(&self.numbers.written(text)),
            Node::Text(text) => self.escapes.text(text, out),
            Node::List(items) => {
                out.push('[');
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    self.value(item, out);
                }
                out.push(']');
            }
            Node::Fields(fields) => {
                let mut sorted: Vec<_> = fields.iter().collect();
                self.order.sort(&mut sorted);
                out.push('{');
                for (place, (name, value)) in sorted.into_iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    self.escapes.text(name, out);
                    out.push(':');
                    self.value(value, out);
                }
                out.push('}');
            }
        }
    }
}

impl Order {
    fn sort(self, fields: &mut [&(String, Node)]) {
        let units = |name: &str| name.encode_utf16().collect::<Vec<_>>();
        match self {
            Self::Points => fields.sort_by(|(a, _), (b, _)| a.cmp(b)),
            Self::Units => fields.sort_by_cached_key(|(name, _)| units(name)),
            Self::Indices => fields.sort_by_cached_key(|(name, _)| {
                let index = index(name);
                (index.is_none(), index, units(name))
            }),
        }
    }
}

/// The number of a name that ECMA-262 calls an array index: 0 to 2^32 - 2, in its shortest form.
fn index(name: &str) -> Option<u32> {
    let number: u32 = name.parse().ok()?;
    (number < u32::MAX && number.to_string() == name).then_some(number)
}

impl Numbers {
    fn written(self, text: &str) -> String {
        let whole = !text.contains(['.', 'e', 'E']);
        let Ok(double) = text.parse::<f64>() else { return text.to_owned() };
        match self {
            // Python's whole numbers have no end.
            Self::Python if whole => if text == "-0" { "0" } else { text }.to_owned(),
            Self::Python if double.is_finite() && double.fract() == 0.0 => {
                // Exactly the double's value, to its last digit.
                format!("{:.0}", double + 0.0)
            }
            Self::Python if double.is_infinite() => {
                if text.starts_with('-') { "-Infinity" } else { "Infinity" }.to_owned()
            }
            Self::Python => decimal(double, -5, 16, 2),
            Self::JavaScript if double.is_infinite() => "null".to_owned(),
            Self::JavaScript => decimal(double + 0.0, -7, 21, 1),
            Self::Go => decimal(double, -7, 21, 1),
        }
    }
}

/// The shortest digits that mean this double, with an exponent (of at least `width` digits) where its first
/// digit stands at 10^`small` or below, or at 10^`large` or above.
fn decimal(double: f64, small: i32, large: i32, width: usize) -> String {
    let scientific = format!("{double:e}");
    let parts = scientific
        .split_once('e')
        .and_then(|(digits, exponent)| Some((digits.to_owned(), exponent.parse::<i32>().ok()?)));
    let Some((digits, exponent)) = parts else { return scientific };
    // `Display` writes the same digits without an exponent.
    if exponent < large && exponent > small {
        return format!("{double}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:0width$}", exponent.unsigned_abs())
}

impl Escapes {
    fn text(self, text: &str, out: &mut String) {
        out.push('"');
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                '\0'..='\u{1f}' => unit(c as u16, out),
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' if self == Self::Html => {
                    c.encode_utf16(&mut [0; 2]).iter().for_each(|own| unit(*own, out));
                }
                '\u{7f}'.. if self == Self::Ascii => {
                    c.encode_utf16(&mut [0; 2]).iter().for_each(|own| unit(*own, out));
                }
                c => out.push(c),
            }
        }
        out.push('"');
    }
}

fn unit(unit: u16, out: &mut String) {
    // Writing to a string does not fail.
    let _ = write!(out, "\\u{unit:04x}");
}
