//! A bar made of characters: how much of the most something is, told by length alone.

/// Eighths of a cell, from one to eight.
const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// A bar of at most `width` cells for `value` of `most`. What is not nothing is seen. Without `fine`
/// it is made of `#`, for terminals that are not told to know more than ASCII.
#[must_use]
pub fn bar(value: u64, most: u64, width: u16, fine: bool) -> String {
    if value == 0 || most == 0 || width == 0 {
        return String::new();
    }
    let steps = if fine { 8 } else { 1 };
    let all = u128::from(width) * steps;
    let share = (u128::from(value.min(most)) * all / u128::from(most)).max(1);
    let (full, part) = (share / steps, share % steps);
    let full = usize::try_from(full).unwrap_or(usize::MAX);
    let mut text = if fine { "█".repeat(full) } else { "#".repeat(full) };
    text.extend(usize::try_from(part).ok().filter(|part| *part > 0).map(|part| EIGHTHS[part - 1]));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share_and_never_longer() {
        for (value, most, width, fine, wanted) in [
            (0, 10, 5, true, ""),
            (10, 10, 5, true, "█████"),
            (5, 10, 5, true, "██▌"),
            (1, 1_000_000, 5, true, "▏"),
            (1, 1_000_000, 5, false, "#"),
            (5, 10, 5, false, "##"),
            (u64::MAX, u64::MAX, 3, true, "███"),
            (20, 10, 2, true, "██"),
            (5, 0, 5, true, ""),
            (5, 10, 0, true, ""),
        ] {
            assert_eq!(bar(value, most, width, fine), wanted, "{value} of {most} in {width}");
        }
    }
}
