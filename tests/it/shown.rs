//! What a terminal would show of the bytes that it is sent: small decoders of our own, for the tests and
//! the bench. They take the encodings of others, too.
#![allow(dead_code, reason = "each of the two uses its part")]

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{Rgb, RgbImage};
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use secondlook::picture::{CellMode, CellPicture, Ink};
use secondlook::shell::{Pen, Sink};
use secondlook::tui::{self, Eyes, Frame, FrameBody};

/// The file in a kitty transmission, or its raw pixels where it has no file.
pub fn kitty(bytes: &[u8]) -> RgbImage {
    let text = std::str::from_utf8(bytes).unwrap();
    let parts: Vec<(&str, &str)> = text
        .split("\x1b_G")
        .skip(1)
        .map(|part| part.split_once("\x1b\\").unwrap().0.split_once(';').unwrap())
        .collect();
    let payload: String = parts.iter().map(|(_, payload)| *payload).collect();
    let file = STANDARD.decode(payload).unwrap();
    let value = |name: &str| {
        let pair = parts[0].0.split(',').find_map(|key| key.strip_prefix(name))?;
        pair.parse::<u32>().ok()
    };
    if value("f=") == Some(100) {
        return image::load_from_memory(&file).unwrap().into_rgb8();
    }
    let (width, height) = (value("s=").unwrap(), value("v=").unwrap());
    let pixels = file.chunks_exact(4).flat_map(|pixel| pixel[..3].to_vec()).collect();
    RgbImage::from_raw(width, height, pixels).unwrap()
}

/// The file in an iTerm2 sequence.
pub fn iterm2(bytes: &[u8]) -> RgbImage {
    let text = std::str::from_utf8(bytes).unwrap();
    let (_, rest) = text.split_once("\x1b]1337;File=").unwrap();
    let (_, payload) = rest.split_once(':').unwrap();
    let end = payload.find(['\x07', '\x1b']).unwrap();
    image::load_from_memory(&STANDARD.decode(&payload[..end]).unwrap()).unwrap().into_rgb8()
}

/// A sixel picture.
pub struct Sixel {
    /// What is seen of it.
    pub image: RgbImage,
    /// How many registers were set.
    pub registers: usize,
    /// How often the least and the most often drawn pixel were drawn.
    pub drawn: (u8, u8),
}

/// Reads a sixel sequence.
pub fn sixel(bytes: &[u8]) -> Sixel {
    let text = std::str::from_utf8(bytes).unwrap();
    let (_, rest) = text.split_once("\x1bP").unwrap();
    let (_, rest) = rest.split_once("q\"").unwrap();
    let body = &rest[..rest.find('\x1b').unwrap()];
    let numbers = |text: &str| text.split(';').map(|n| n.parse().unwrap()).collect::<Vec<usize>>();
    let start = body.find('#').unwrap();
    let raster = numbers(&body[..start]);
    let (width, height) = (raster[2], raster[3]);
    let mut palette = HashMap::new();
    let mut pixels = vec![[0u8; 3]; width * height];
    let mut drawn = vec![0u8; width * height];
    let (mut x, mut y, mut colour) = (0, 0, [0u8; 3]);
    let mut rest = &body[start..];
    while let Some(first) = rest.chars().next() {
        rest = &rest[1..];
        let length = rest.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(rest.len());
        let (given, after) = rest.split_at(length);
        let (mut count, mut column) = (1, first);
        match first {
            '#' => {
                let values = numbers(given);
                if let [register, 2, red, green, blue] = values[..] {
                    let rgb = [red, green, blue].map(|v| ((v * 255 + 50) / 100) as u8);
                    palette.insert(register, rgb);
                }
                colour = palette[&values[0]];
                rest = after;
                continue;
            }
            '$' => x = 0,
            '-' => (x, y) = (0, y + 6),
            '!' => {
                count = numbers(given)[0];
                column = after.chars().next().unwrap();
                rest = &after[1..];
            }
            _ => {}
        }
        if !('?'..='~').contains(&column) {
            continue;
        }
        let mask = column as usize - '?' as usize;
        for x in x..x + count {
            for row in (0..6).filter(|row| mask >> row & 1 == 1 && y + row < height) {
                let at = (y + row) * width + x;
                drawn[at] = drawn[at].saturating_add(1);
                pixels[at] = colour;
            }
        }
        x += count;
    }
    let image = RgbImage::from_raw(width as u32, height as u32, pixels.concat()).unwrap();
    let (least, most) = (drawn.iter().min(), drawn.iter().max());
    Sixel { image, registers: palette.len(), drawn: (*least.unwrap(), *most.unwrap()) }
}

/// A kitty picture in its cells: the terminal enlarges with a bilinear filter.
pub fn enlarged(image: &RgbImage, (width, height): (u32, u32)) -> RgbImage {
    if image.dimensions() == (width, height) {
        return image.clone();
    }
    let sample = |along: u32, from: u32, to: u32| {
        let at = (f64::from(along) + 0.5) * f64::from(from) / f64::from(to) - 0.5;
        let low = at.floor().clamp(0.0, f64::from(from - 1));
        let high = (low + 1.0).min(f64::from(from - 1));
        (low as u32, high as u32, (at - low).clamp(0.0, 1.0))
    };
    let (w, h) = image.dimensions();
    RgbImage::from_fn(width, height, |x, y| {
        let ((x0, x1, fx), (y0, y1, fy)) = (sample(x, w, width), sample(y, h, height));
        let corner = |x, y, channel: usize| f64::from(image.get_pixel(x, y).0[channel]);
        Rgb([0, 1, 2].map(|c| {
            let top = corner(x0, y0, c) * (1.0 - fx) + corner(x1, y0, c) * fx;
            let low = corner(x0, y1, c) * (1.0 - fx) + corner(x1, y1, c) * fx;
            (top * (1.0 - fy) + low * fy).round() as u8
        }))
    })
}

/// Characters as a terminal draws them, in cells of so many pixels.
pub fn cells(picture: &CellPicture, mode: CellMode, cell: (u16, u16)) -> RgbImage {
    let (across, down) = mode.dots();
    let (width, height) = (u32::from(cell.0), u32::from(cell.1));
    let size = (u32::from(picture.columns) * width, u32::from(picture.rows) * height);
    RgbImage::from_fn(size.0, size.1, |x, y| {
        let at = &picture.cells[(y / height * u32::from(picture.columns) + x / width) as usize];
        let column = x % width * u32::from(across) / width;
        let row = y % height * u32::from(down) / height;
        let bit = row * u32::from(across) + column;
        let ink = if mask(mode, at.symbol) >> bit & 1 == 1 { at.fg } else { at.bg };
        match ink {
            Ink::Rgb(rgb) => Rgb(rgb),
            Ink::Index(index @ (16 | 231)) => Rgb([if index == 16 { 0 } else { 255 }; 3]),
            Ink::Index(index @ 232..) => Rgb([8 + 10 * (index - 232); 3]),
            Ink::Plain | Ink::Index(_) => panic!("true colours or greys were asked for"),
        }
    })
}

/// What the pen writes of characters on a blank screen.
pub fn written(picture: CellPicture) -> Vec<u8> {
    let (columns, rows) = (picture.columns, picture.rows);
    let sink = Sink::default();
    let viewport = Viewport::Fixed(Rect::new(0, 0, columns, rows));
    let pen = Pen::new(sink.clone(), (columns, rows), false);
    let mut terminal = Terminal::with_options(pen, TerminalOptions { viewport }).unwrap();
    let body = FrameBody::Cells(picture.into());
    let frame = Frame { columns, rows, body, eyes: Eyes::Guessed(0), tier: None };
    sink.take();
    terminal
        .draw(|screen| {
            tui::picture(&frame, screen.area(), screen);
        })
        .unwrap();
    sink.take()
}

/// Which dots of a character are drawn, the first the lowest bit.
fn mask(mode: CellMode, symbol: char) -> u32 {
    let found = (0..=u8::MAX).find(|mask| mode.symbol(*mask) == symbol);
    u32::from(found.unwrap_or_else(|| panic!("{symbol:?} is no character of {mode:?}")))
}

/// Structural similarity of the lightness, in windows of 8x8 pixels.
pub fn ssim(a: &RgbImage, b: &RgbImage) -> f64 {
    let light = |image: &RgbImage, x, y| {
        let [r, g, b] = image.get_pixel(x, y).0.map(f64::from);
        0.299 * r + 0.587 * g + 0.114 * b
    };
    let (mut sum, mut windows) = (0.0, 0.0);
    for top in (0..a.height() - 7).step_by(4) {
        for left in (0..a.width() - 7).step_by(4) {
            let mut s = [0.0; 5];
            for (x, y) in (0..64).map(|i| (left + i % 8, top + i / 8)) {
                let (p, q) = (light(a, x, y), light(b, x, y));
                for (sum, value) in s.iter_mut().zip([p, q, p * p, q * q, p * q]) {
                    *sum += value / 64.0;
                }
            }
            let [p, q, pp, qq, pq] = s;
            let (c1, c2) = (6.5025, 58.5225);
            sum += (2.0 * p * q + c1) * (2.0 * (pq - p * q) + c2)
                / ((p * p + q * q + c1) * (pp - p * p + qq - q * q + c2));
            windows += 1.0;
        }
    }
    sum / windows
}
