//! Marks in a picture what of it is not there: the gap is hatched, and across it stands how much is
//! missing. In the pixels themselves, so that no screen can show the picture without it. Knows pixels and
//! a dozen letters, drawn here because no font is at hand where only pixels are.

use super::read::Percent;

/// The two greys of the hatching: like nothing of a face.
const HATCH: [u8; 2] = [104, 152];
const INK: u8 = 245;
const GROUND: u8 = 20;
/// A letter's room in dots, its gaps with it.
const LETTER: (usize, usize) = (6, 9);

/// Marks the areas (left, top, right, bottom, in pixels) of RGB pixels, and says how much is missing. With
/// no area the words stand at the foot: the picture is all there, but coarser than it was.
pub(super) fn mark(rgb: &mut [u8], size: (u32, u32), areas: &[[f64; 4]], missing: Percent) {
    let (width, height) = (size.0 as usize, size.1 as usize);
    let step = (width.max(height) / 48).max(2);
    let limit = |value: f64, most: usize| (value.max(0.0) as usize).min(most);
    let areas: Vec<[usize; 4]> = areas
        .iter()
        .map(|[left, top, right, bottom]| {
            let (left, top) = (limit(left.floor(), width), limit(top.floor(), height));
            [left, top, limit(right.ceil(), width), limit(bottom.ceil(), height)]
        })
        .collect();
    for [left, top, right, bottom] in &areas {
        for y in *top..*bottom {
            for x in *left..*right {
                dot(rgb, width, (x, y), HATCH[(x + y) / step % 2]);
            }
        }
    }
    let rows = lines(missing, width);
    let longest = rows.iter().map(|row| row.chars().count()).max().unwrap_or(1);
    let scale = (width * 9 / 10 / (longest * LETTER.0)).clamp(1, 12);
    let text = (longest * LETTER.0 * scale, rows.len() * LETTER.1 * scale);
    let widest = areas.iter().max_by_key(|[left, top, right, bottom]| {
        right.saturating_sub(*left) * bottom.saturating_sub(*top)
    });
    let middle = match widest {
        Some([left, top, right, bottom]) => {
            (usize::midpoint(*left, *right), usize::midpoint(*top, *bottom))
        }
        None => (width / 2, height - (text.1 / 2).min(height)),
    };
    let inside = |middle: usize, length: usize, side: usize| {
        middle.saturating_sub(length / 2).min(side.saturating_sub(length))
    };
    let left = inside(middle.0, text.0, width);
    let top = inside(middle.1, text.1, height);
    for y in top..(top + text.1).min(height) {
        for x in left..(left + text.0).min(width) {
            let (column, row) = ((x - left) / scale, (y - top) / scale);
            let line = rows.get(row / LETTER.1).map_or("", String::as_str);
            let indent = (longest - line.chars().count()) * LETTER.0 / 2;
            let letter = column.checked_sub(indent).and_then(|at| {
                let letter = line.chars().nth(at / LETTER.0)?;
                Some(glyph(letter, at % LETTER.0, row % LETTER.1))
            });
            dot(rgb, width, (x, y), if letter == Some(true) { INK } else { GROUND });
        }
    }
}

fn dot(rgb: &mut [u8], width: usize, (x, y): (usize, usize), grey: u8) {
    let at = (y * width + x) * 3;
    if let Some(pixel) = rgb.get_mut(at..at + 3) {
        pixel.fill(grey);
    }
}

/// The words, in as many lines as they need.
fn lines(missing: Percent, width: usize) -> Vec<String> {
    let said = format!("{missing} of the picture is missing");
    if width >= said.len() * LETTER.0 * 2 {
        return vec![said];
    }
    if width >= 18 * LETTER.0 {
        return vec![format!("{missing} of the picture"), "is missing".to_owned()];
    }
    vec![missing.to_string(), "missing".to_owned()]
}

/// Whether a dot of a letter is inked; letters have 5 by 7 dots, one dot away from the corner of their room.
fn glyph(letter: char, x: usize, y: usize) -> bool {
    let rows: [u8; 7] = match letter {
        '0' => [14, 17, 19, 21, 25, 17, 14],
        '1' => [4, 12, 4, 4, 4, 4, 14],
        '2' => [14, 17, 1, 2, 4, 8, 31],
        '3' => [31, 2, 4, 2, 1, 17, 14],
        '4' => [2, 6, 10, 18, 31, 2, 2],
        '5' => [31, 16, 30, 1, 1, 17, 14],
        '6' => [6, 8, 16, 30, 17, 17, 14],
        '7' => [31, 1, 2, 4, 8, 8, 8],
        '8' => [14, 17, 17, 14, 17, 17, 14],
        '9' => [14, 17, 17, 15, 1, 2, 12],
        '%' => [24, 25, 2, 4, 8, 19, 3],
        'c' => [0, 0, 14, 16, 16, 17, 14],
        'e' => [0, 0, 14, 17, 31, 16, 14],
        'f' => [6, 9, 8, 28, 8, 8, 8],
        'g' => [0, 15, 17, 17, 15, 1, 14],
        'h' => [16, 16, 22, 25, 17, 17, 17],
        'i' => [4, 0, 12, 4, 4, 4, 14],
        'm' => [0, 0, 26, 21, 21, 17, 17],
        'n' => [0, 0, 22, 25, 17, 17, 17],
        'o' => [0, 0, 14, 17, 17, 17, 14],
        'p' => [0, 0, 30, 17, 30, 16, 16],
        'r' => [0, 0, 22, 25, 16, 16, 16],
        's' => [0, 0, 14, 16, 14, 1, 30],
        't' => [8, 8, 28, 8, 8, 9, 6],
        'u' => [0, 0, 17, 17, 17, 19, 13],
        _ => [0; 7],
    };
    let row = y.checked_sub(1).and_then(|y| rows.get(y)).copied().unwrap_or(0);
    (1..=5).contains(&x) && row >> (5 - x) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(size: (u32, u32), areas: &[[f64; 4]]) -> Vec<u8> {
        let mut rgb = vec![200; (size.0 * size.1 * 3) as usize];
        mark(&mut rgb, size, areas, Percent::of(0.42));
        rgb.chunks_exact(3).map(|pixel| pixel[0]).collect()
    }

    #[test]
    fn the_gap_is_marked_and_nothing_else() {
        let pixels = marked((400, 200), &[[0.0, 100.0, 400.0, 200.0]]);
        assert!(pixels[..400 * 100].iter().all(|value| *value == 200));
        assert!(pixels[400 * 100..].iter().all(|value| *value != 200));
        for value in [HATCH[0], HATCH[1], INK, GROUND] {
            assert!(pixels.contains(&value), "{value}");
        }
    }

    #[test]
    fn every_letter_of_the_words_is_drawn() {
        for letter in "0123456789%ofthepictureismissing".chars() {
            let dots = (0..9).flat_map(|y| (0..6).map(move |x| (x, y)));
            assert!(dots.filter(|(x, y)| glyph(letter, *x, *y)).count() > 4, "{letter}");
        }
        assert_eq!(lines(Percent::of(0.42), 400), ["42 % of the picture is missing"]);
        assert_eq!(lines(Percent::of(0.42), 160), ["42 % of the picture", "is missing"]);
        assert_eq!(lines(Percent::of(0.42), 60), ["42 %", "missing"]);
    }

    #[test]
    fn any_size_and_any_area_can_be_marked() {
        for size in [(1, 1), (3, 200), (200, 3), (17, 23)] {
            for areas in
                [&[][..], &[[0.0, 0.0, 1.0, 1.0]], &[[-5.0, -5.0, 1e9, 1e9], [2.0, 2.0, 1.0, 1.0]]]
            {
                assert!(marked(size, areas).iter().any(|value| *value != 200), "{size:?}");
            }
        }
    }
}
