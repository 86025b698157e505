//! Lists of signers in OpenSSH's form (`allowed_signers`, ssh-keygen(1)), read and printed, so that plain
//! `ssh-keygen -Y verify` accepts what is accepted here. A line is for people who are named: a pattern such as `*`
//! would be anybody.

use super::key::{BadKey, PublicKey};
use crate::domain::printable;

/// No list is longer, in bytes.
const LONGEST: usize = 1024 * 1024;
/// No line is longer, in bytes.
const LONGEST_LINE: usize = 16 * 1024;

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedSigner {
    /// Who signs with the key; for a CA, who is in the certificates.
    pub principals: Vec<String>,
    /// Whether the key is that of a CA.
    pub cert_authority: bool,
    /// What its signatures may be for; `None` for anything.
    pub namespaces: Option<Vec<String>>,
    /// The first second, since the Unix epoch, at which its signatures count.
    pub valid_after: Option<u64>,
    /// The last second at which they count.
    pub valid_before: Option<u64>,
    /// The key.
    pub key: PublicKey,
    /// What stands behind it; may be empty.
    pub comment: String,
}

/// A line that was left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct BadLine {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: BadSigner,
}

/// What is wrong with a line of a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSigner {
    /// There is more of it than anybody writes.
    #[error("it is too long: one line is for one key")]
    TooLong,
    /// There is no key on it.
    #[error("it does not hold a name and a key: `ana ssh-ed25519 AAAA…`")]
    NoKey,
    /// A quotation mark without its other one.
    #[error("a quotation mark is not closed")]
    Quote,
    /// A name that is a pattern.
    #[error("`{0}` is a pattern, which may stand for more than one person: name each person")]
    Pattern(String),
    /// A name that cannot be told from another, or written.
    #[error(
        "`{0}` is no name: it must hold something, and no quotation marks, commas or signs that are not seen"
    )]
    Name(String),
    /// An option that is not known.
    #[error("the option `{0}` is not known")]
    Option(String),
    /// A moment that cannot be read.
    #[error("`{0}` is no time: write it in UTC with a Z behind it, as in \"20261231235959Z\"")]
    Time(String),
    /// The key does not count.
    #[error("of the key: {0}")]
    Key(BadKey),
}

/// An entry that cannot be written as a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {entry} cannot be written in the form of OpenSSH: {why}")]
pub struct Unprintable {
    /// Its number, from 1.
    pub entry: usize,
    /// What is wrong with it.
    pub why: BadSigner,
}

/// Reads a list: the good lines, and each bad one by its number.
#[must_use]
pub fn parse_signers(text: &str) -> (Vec<AllowedSigner>, Vec<BadLine>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    let mut read = 0_usize;
    for (at, line) in text.lines().enumerate() {
        read = read.saturating_add(line.len()).saturating_add(1);
        if read > LONGEST {
            bad.push(BadLine { line: at + 1, why: BadSigner::TooLong });
            break;
        }
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match signer(line) {
            Ok(signer) => good.push(signer),
            Err(why) => bad.push(BadLine { line: at + 1, why }),
        }
    }
    (good, bad)
}

/// Prints a list, a line each, in the form that [`parse_signers`] and `ssh-keygen` read. Times are in UTC.
///
/// # Errors
/// [`Unprintable`], when a name or a time cannot be written.
pub fn print_signers(signers: &[AllowedSigner]) -> Result<String, Unprintable> {
    let mut out = String::new();
    for (at, signer) in signers.iter().enumerate() {
        let line = line_of(signer).map_err(|why| Unprintable { entry: at + 1, why })?;
        out.push_str(&line);
        out.push('\n');
    }
    Ok(out)
}

fn signer(line: &str) -> Result<AllowedSigner, BadSigner> {
    if line.len() > LONGEST_LINE {
        return Err(BadSigner::TooLong);
    }
    let (names, rest) = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').ok_or(BadSigner::Quote)?,
        None => line.split_once([' ', '\t']).ok_or(BadSigner::NoKey)?,
    };
    let mut principals = Vec::new();
    for name in names.split(',') {
        principals.push(checked_name(name)?.to_owned());
    }
    let rest = rest.trim_start();
    let (options, rest) = if begins_with_a_key(rest) { ("", rest) } else { cut_options(rest)? };
    let mut words = rest.trim_start().splitn(3, [' ', '\t']);
    let (Some(kind), Some(blob)) = (words.next(), words.next()) else {
        return Err(BadSigner::NoKey);
    };
    let key = PublicKey::parse(&format!("{kind} {blob}")).map_err(|why| match why {
        BadKey::NotALine => BadSigner::NoKey,
        why => BadSigner::Key(why),
    })?;
    let comment = words.next().unwrap_or("").trim().to_owned();
    let mut signer = AllowedSigner {
        principals,
        cert_authority: false,
        namespaces: None,
        valid_after: None,
        valid_before: None,
        key,
        comment,
    };
    set_options(&mut signer, options)?;
    Ok(signer)
}

/// Whether options are left out: a word and base64 follow. A key that is not taken is told as such.
fn begins_with_a_key(text: &str) -> bool {
    let mut words = text.split_ascii_whitespace();
    let kind = words.next().unwrap_or("");
    !kind.contains(['=', '"', ',']) && words.next().is_some_and(|blob| blob.starts_with("AAAA"))
}

/// Where the options end: at the first space outside quotation marks.
fn cut_options(text: &str) -> Result<(&str, &str), BadSigner> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => return Ok(text.split_at(at)),
            _ => {}
        }
    }
    Err(if quoted { BadSigner::Quote } else { BadSigner::NoKey })
}

fn set_options(signer: &mut AllowedSigner, options: &str) -> Result<(), BadSigner> {
    let mut rest = options;
    while !rest.is_empty() {
        let end = rest.find(['=', ',']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let unknown = || BadSigner::Option(printable(name, 40));
        let value;
        (value, rest) = match after.strip_prefix('=') {
            Some(after) => unquoted(after).map(|(value, rest)| (Some(value), rest))?,
            None => (None, after),
        };
        rest = match rest.strip_prefix(',') {
            Some("") => return Err(BadSigner::Option(",".to_owned())),
            Some(rest) => rest,
            None if rest.is_empty() => rest,
            None => return Err(unknown()),
        };
        match (name.to_ascii_lowercase().as_str(), value) {
            ("cert-authority", None) => signer.cert_authority = true,
            ("namespaces", Some(value)) if signer.namespaces.is_none() => {
                signer.namespaces = Some(value.split(',').map(str::to_owned).collect());
            }
            ("valid-after", Some(value)) if signer.valid_after.is_none() => {
                signer.valid_after = Some(seconds(&value)?);
            }
            ("valid-before", Some(value)) if signer.valid_before.is_none() => {
                signer.valid_before = Some(seconds(&value)?);
            }
            _ => return Err(unknown()),
        }
    }
    Ok(())
}

/// The value in quotation marks, and what follows it.
fn unquoted(text: &str) -> Result<(String, &str), BadSigner> {
    let inner = text.strip_prefix('"').ok_or(BadSigner::Quote)?;
    let mut value = String::new();
    let mut signs = inner.char_indices();
    while let Some((at, c)) = signs.next() {
        match c {
            '"' => return Ok((value, inner.get(at + 1..).unwrap_or(""))),
            // OpenSSH knows a backslash before a quotation mark only.
            '\\' if inner.get(at + 1..).is_some_and(|rest| rest.starts_with('"')) => {
                signs.next();
                value.push('"');
            }
            c => value.push(c),
        }
    }
    Err(BadSigner::Quote)
}

fn checked_name(name: &str) -> Result<&str, BadSigner> {
    if name.contains(['*', '?']) || name.starts_with('!') {
        return Err(BadSigner::Pattern(printable(name, 60)));
    }
    let plain = !name.is_empty() && !name.contains([',', '"']) && printable(name, 256) == name;
    if plain { Ok(name) } else { Err(BadSigner::Name(printable(name, 60))) }
}

/// A moment as ssh-keygen(1) writes it. Without a Z it would be in the time of whatever machine reads it.
fn seconds(text: &str) -> Result<u64, BadSigner> {
    let bad = || BadSigner::Time(printable(text, 40));
    let digits = text
        .strip_suffix('Z')
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .filter(|digits| matches!(digits.len(), 8 | 12 | 14))
        .ok_or_else(bad)?;
    let full = format!("{digits:0<14}");
    let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", &full).map_err(|_| bad())?;
    let zoned = jiff::tz::TimeZone::UTC.to_timestamp(time).map_err(|_| bad())?;
    u64::try_from(zoned.as_second()).map_err(|_| bad())
}

fn time_of(second: u64) -> Result<String, BadSigner> {
    i64::try_from(second)
        .ok()
        .and_then(|second| jiff::Timestamp::from_second(second).ok())
        .map(|time| time.strftime("%Y%m%d%H%M%SZ").to_string())
        .ok_or_else(|| BadSigner::Time(second.to_string()))
}

fn line_of(signer: &AllowedSigner) -> Result<String, BadSigner> {
    let names = signer.principals.join(",");
    if signer.principals.is_empty() {
        return Err(BadSigner::Name(String::new()));
    }
    for name in &signer.principals {
        checked_name(name)?;
    }
    let quote = names.contains([' ', '\t']) || names.starts_with('#');
    let mut line = if quote { format!("\"{names}\"") } else { names };
    let mut options = Vec::new();
    if signer.cert_authority {
        options.push("cert-authority".to_owned());
    }
    if let Some(namespaces) = &signer.namespaces {
        let all = namespaces.join(",");
        // Within quotation marks nothing else can be said so that it is read again.
        if all.contains(['\\', '"']) || printable(&all, 1000) != all {
            return Err(BadSigner::Option("namespaces".to_owned()));
        }
        options.push(format!("namespaces=\"{all}\""));
    }
    if let Some(second) = signer.valid_after {
        options.push(format!("valid-after=\"{}\"", time_of(second)?));
    }
    if let Some(second) = signer.valid_before {
        options.push(format!("valid-before=\"{}\"", time_of(second)?));
    }
    if !options.is_empty() {
        line.push(' ');
        line.push_str(&options.join(","));
    }
    line.push(' ');
    line.push_str(&signer.key.line());
    let comment = printable(&signer.comment, 200);
    if !comment.is_empty() {
        line.push(' ');
        line.push_str(&comment);
    }
    Ok(line)
}
