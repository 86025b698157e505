//! What a terminal would show of the bytes that it is sent: small decoders of our own, for the tests and
//! the bench. They take the encodings of others, too.
#![allow(dead_code, reason = "each of the two uses its part")]

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{Rgb, RgbImage};

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
