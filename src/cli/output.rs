//! Writing to standard output and standard error. A reader that goes away (`| head`) is not an error.

use std::io::{self, Write};

use serde::Serialize;

/// Writes a line of data.
pub fn line(text: &str) {
    // Nobody is left to be told when this fails.
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Writes a value as one line of JSON.
pub fn json(value: &impl Serialize) {
    if let Ok(text) = serde_json::to_string(value) {
        line(&text);
    }
}

/// Says something on standard error.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes rows in columns as wide as their widest cell.
pub fn table(head: &[&str], rows: &[Vec<String>]) {
    use unicode_width::UnicodeWidthStr;
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.width())
            .chain(head.get(column).map(|cell| cell.width()))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let print = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, width) in cells.zip(&widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width()) + 2));
        }
        line(text.trim_end());
    };
    print(&mut head.iter().copied());
    for row in rows {
        print(&mut row.iter().map(String::as_str));
    }
}
