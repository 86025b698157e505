//! The table of kinds (`picture::KINDS`) and files that end early: a file of each kind is made here, shown,
//! and held against what it must look like. One drawn scene of four colours; no photograph.

use std::io::{Cursor, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use secondlook::picture::{
    BEHIND, DecodeError, Format, KINDS, Limits, PictureBytes, Portrait, Shown, decode, readable,
    shrink,
};
use zeroize::Zeroizing;

const WIDTH: usize = 32;
const HEIGHT: usize = 24;
const COLOURS: [[u8; 3]; 4] = [[200, 30, 30], [30, 180, 30], [30, 30, 200], [210, 200, 60]];
/// The orientation that says "to be turned by a quarter to the right".
const TURNED: u16 = 6;

/// Which of the four colours a pixel has.
fn quarter(x: usize, y: usize) -> usize {
    usize::from(x >= WIDTH / 2) + 2 * usize::from(y >= HEIGHT / 2)
}

fn each<T>(make: impl Fn(usize, usize) -> T) -> Vec<T> {
    (0..WIDTH * HEIGHT).map(|n| make(n % WIDTH, n / WIDTH)).collect()
}

fn scene() -> Vec<u8> {
    each(|x, y| COLOURS[quarter(x, y)]).concat()
}

fn grey(colour: [u8; 3]) -> u8 {
    ((299 * u32::from(colour[0]) + 587 * u32::from(colour[1]) + 114 * u32::from(colour[2])) / 1000)
        as u8
}

fn grey_scene() -> Vec<u8> {
    each(|x, y| grey(COLOURS[quarter(x, y)]))
}

fn threes(greys: Vec<u8>) -> Vec<u8> {
    greys.into_iter().flat_map(|value| [value; 3]).collect()
}

/// The scene turned by a quarter to the right, 24 wide and 32 high.
fn turned() -> Vec<u8> {
    let all = (0..WIDTH).flat_map(|y| (0..HEIGHT).map(move |x| (x, y)));
    all.flat_map(|(x, y)| COLOURS[quarter(y, HEIGHT - 1 - x)]).collect()
}

/// The right half as it looks through the grey behind.
fn through() -> Vec<u8> {
    each(|x, y| if x >= WIDTH / 2 { [BEHIND; 3] } else { COLOURS[quarter(x, y)] }).concat()
}

fn rgba() -> Vec<u8> {
    each(|x, y| {
        let [r, g, b] = COLOURS[quarter(x, y)];
        [r, g, b, if x >= WIDTH / 2 { 0 } else { 255 }]
    })
    .concat()
}

fn indexes() -> Vec<u8> {
    each(|x, y| quarter(x, y) as u8)
}

fn deep(bytes: &[u8]) -> Vec<u16> {
    bytes.iter().map(|value| u16::from(*value) * 257).collect()
}

/// Samples of fewer than 8 bits, packed row by row.
fn packed(samples: &[u8], bits: usize) -> Vec<u8> {
    let byte = |some: &[u8]| some.iter().fold(0u8, |byte, value| byte << bits | value);
    samples.chunks(8 / bits).map(byte).collect()
}

fn exif() -> Vec<u8> {
    b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec()
}

// --- makers ---

fn jpeg(set: impl FnOnce(&mut Encoder<&mut Vec<u8>>), pixels: &[u8], colour: ColorType) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 95);
    set(&mut encoder);
    encoder.encode(pixels, WIDTH as u16, HEIGHT as u16, colour).unwrap();
    bytes
}

fn plain_jpeg() -> Vec<u8> {
    jpeg(|_| {}, &scene(), ColorType::Rgb)
}

/// A JPEG with the byte at an offset behind its frame's marker changed; offset 1 is the marker's own.
fn frame_changed(offset: usize, to: u8) -> Vec<u8> {
    let mut bytes = plain_jpeg();
    let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    bytes[frame + offset] = to;
    bytes
}

/// A JPEG of RGB as it is: the marker of Adobe says so, the one of JFIF is taken out.
fn adobe_rgb() -> Vec<u8> {
    let bytes =
        jpeg(|set| set.set_sampling_factor(SamplingFactor::R_4_4_4), &scene(), ColorType::Ycbcr);
    let jfif = 4 + usize::from(u16::from_be_bytes([bytes[4], bytes[5]])) - 2;
    let adobe = b"\xff\xee\0\x0eAdobe\0d\0\0\0\0\0";
    [&bytes[..2], adobe, &bytes[jfif + 2..]].concat()
}

fn display_p3() -> Vec<u8> {
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    jpeg(
        |set| set.add_icc_profile(&profile).unwrap(),
        &[220, 40, 40].repeat(WIDTH * HEIGHT),
        ColorType::Rgb,
    )
}

/// A PNG of rows that are given as they are filtered: chunk by chunk, so that all of it can be chosen.
fn png(
    depth: u8,
    colour: u8,
    interlaced: bool,
    before: &[(&[u8; 4], Vec<u8>)],
    rows: &[u8],
) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |name: &[u8; 4], body: &[u8]| {
        let named = [&name[..], body].concat();
        bytes.extend((body.len() as u32).to_be_bytes());
        bytes.extend(&named);
        bytes.extend(crc32fast::hash(&named).to_be_bytes());
    };
    let side = |side: usize| (side as u32).to_be_bytes();
    let tail = [depth, colour, 0, 0, u8::from(interlaced)];
    chunk(b"IHDR", &[&side(WIDTH)[..], &side(HEIGHT), &tail].concat());
    for (name, body) in before {
        chunk(name, body);
    }
    let zipped = zlib(rows);
    for part in zipped.chunks(64) {
        chunk(b"IDAT", part);
    }
    chunk(b"IEND", b"");
    bytes
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Rows of so many bytes, each behind the filter that changes nothing.
fn rows(bytes: &[u8], stride: usize) -> Vec<u8> {
    bytes.chunks(stride).flat_map(|row| [&[0], row].concat()).collect()
}

fn palette() -> Vec<u8> {
    COLOURS.concat()
}

/// The seven passes of an interlaced picture.
fn interlaced() -> Vec<u8> {
    let passes = [
        (0, 8, 0, 8),
        (4, 8, 0, 8),
        (0, 4, 4, 8),
        (2, 4, 0, 4),
        (0, 2, 2, 4),
        (1, 2, 0, 2),
        (0, 1, 1, 2),
    ];
    let mut all = Vec::new();
    for (left, across, top, down) in passes {
        for y in (top..HEIGHT).step_by(down) {
            all.push(0);
            for x in (left..WIDTH).step_by(across) {
                all.extend(COLOURS[quarter(x, y)]);
            }
        }
    }
    all
}

fn webp(pixels: &[u8], colour: ExtendedColorType) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = WebPEncoder::new_lossless(&mut bytes);
    encoder.write_image(pixels, WIDTH as u32, HEIGHT as u32, colour).unwrap();
    bytes
}

fn riff(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let padding = vec![0; body.len() % 2];
    [&name[..], &(body.len() as u32).to_le_bytes(), body, &padding].concat()
}

fn canvas() -> [u8; 6] {
    [(WIDTH - 1) as u8, 0, 0, (HEIGHT - 1) as u8, 0, 0]
}

fn extended_webp(flags: u8, chunks: &[Vec<u8>]) -> Vec<u8> {
    let head = riff(b"VP8X", &[&[flags, 0, 0, 0][..], &canvas()].concat());
    riff(b"RIFF", &[b"WEBP".to_vec(), head, chunks.concat()].concat())
}

fn webp_with_exif(before: &[u8]) -> Vec<u8> {
    let still = webp(&scene(), ExtendedColorType::Rgb8);
    extended_webp(8, &[still[12..].to_vec(), riff(b"EXIF", &[before, &exif()].concat())])
}

fn animated_webp() -> Vec<u8> {
    let green = [0, 255, 0].repeat(WIDTH * HEIGHT);
    let frame = |pixels: &[u8]| {
        let still = webp(pixels, ExtendedColorType::Rgb8);
        riff(b"ANMF", &[&[0; 6][..], &canvas(), &[100, 0, 0, 2], &still[12..]].concat())
    };
    extended_webp(2, &[riff(b"ANIM", &[0; 6]), frame(&scene()), frame(&green)])
}

/// The scene by an encoder of lossy WebP, of which there is none in Rust.
const LOSSY: &str = "UklGRpAAAABXRUJQVlA4IIQAAADQBQCdASogABgAPi0QhkKhoQ36AAwBYlkAHkD8A/ADhAuwFoA/oH4AXf/dgH9A7P8GJY+U8vNQAP75av//8Hn/0Sm//6BFf//OvuUSlWZaNKs0X//1dt1dtkJiLWIrmpJuwArP+oLm09bT1wagDWk4NQBrScOU4cG8EP9m8X5P5/goAAA=";

/// A directory of a TIFF: what is usual, to be changed.
#[derive(Clone)]
struct Tiff {
    entries: Vec<(u16, Vec<u64>)>,
    pieces: Vec<Vec<u8>>,
    high_first: bool,
    big: bool,
}

impl Tiff {
    fn new(bits: u64, samples: u64, meaning: u64, pixels: Vec<u8>) -> Self {
        let entries = vec![
            (256, vec![WIDTH as u64]),
            (257, vec![HEIGHT as u64]),
            (258, vec![bits; samples as usize]),
            (259, vec![1]),
            (262, vec![meaning]),
            (277, vec![samples]),
            (278, vec![HEIGHT as u64]),
        ];
        Self { entries, pieces: vec![pixels], high_first: false, big: false }
    }

    fn rgb() -> Self {
        Self::new(8, 3, 2, scene())
    }

    fn with(mut self, tag: u16, values: &[u64]) -> Self {
        self.entries.retain(|(held, _)| *held != tag);
        self.entries.push((tag, values.to_vec()));
        self
    }

    fn packed(mut self, compression: u64, pack: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        self.pieces = self.pieces.iter().map(|piece| pack(piece)).collect();
        self.with(259, &[compression])
    }

    fn number(&self, value: u64, bytes: usize) -> Vec<u8> {
        let (low, high) = (value.to_le_bytes(), value.to_be_bytes());
        if self.high_first { high[8 - bytes..].to_vec() } else { low[..bytes].to_vec() }
    }

    /// Head, pieces, the directory. Numbers of 16 bits are written as such where they must be.
    fn file(&self) -> Vec<u8> {
        let word = if self.big { 8 } else { 4 };
        let mut head = if self.high_first { b"MM".to_vec() } else { b"II".to_vec() };
        head.extend(self.number(if self.big { 43 } else { 42 }, 2));
        if self.big {
            head.extend([self.number(8, 2), self.number(0, 2)].concat());
        }
        let at = head.len() + word;
        let (mut body, mut places) = (Vec::new(), Vec::new());
        for piece in &self.pieces {
            places.push((at + body.len()) as u64);
            body.extend(piece);
            body.resize(body.len().next_multiple_of(2), 0);
        }
        let lengths = self.pieces.iter().map(|piece| piece.len() as u64).collect();
        let tiled = self.entries.iter().any(|(tag, _)| *tag == 322);
        let mut entries = self.entries.clone();
        entries.push((if tiled { 324 } else { 273 }, places));
        entries.push((if tiled { 325 } else { 279 }, lengths));
        entries.sort();
        let directory = at + body.len();
        let (count, entry) = if self.big { (8, 20) } else { (2, 12) };
        let mut far = directory + count + entries.len() * entry + word;
        let (mut listed, mut tail) = (self.number(entries.len() as u64, count), Vec::new());
        for (tag, values) in &entries {
            let long = matches!(tag, 273 | 279 | 324 | 325 | 513 | 514);
            // 347 is bytes; what says where something is has four of them; the rest has two.
            let (kind, size) = if *tag == 347 {
                (7, 1)
            } else if long {
                (4, 4)
            } else {
                (3, 2)
            };
            let mut value: Vec<u8> =
                values.iter().flat_map(|value| self.number(*value, size)).collect();
            if value.len() > word {
                tail.extend(&value);
                let place = self.number(far as u64, word);
                far += value.len();
                value = place;
            }
            value.resize(word, 0);
            listed.extend([self.number(u64::from(*tag), 2), self.number(kind, 2)].concat());
            listed.extend([self.number(values.len() as u64, word), value].concat());
        }
        listed.extend(self.number(0, word));
        [head, self.number(directory as u64, word), body, listed, tail].concat()
    }

    /// The directory of the first picture points to that of a second one, which is the same.
    fn twice(&self) -> Vec<u8> {
        let mut bytes = self.file();
        let directory = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
        let entries = u16::from_le_bytes(bytes[directory..directory + 2].try_into().unwrap());
        let next = directory + 2 + usize::from(entries) * 12;
        let copy = bytes[directory..next].to_vec();
        let place = (bytes.len() as u32).to_le_bytes();
        bytes[next..next + 4].copy_from_slice(&place);
        [bytes, copy, vec![0; 4]].concat()
    }
}

/// Runs and pieces of PackBits: pieces only.
fn pack_bits(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(100).flat_map(|some| [&[some.len() as u8 - 1], some].concat()).collect()
}

fn differences(bytes: &[u8]) -> Vec<u8> {
    let row = |row: &[u8]| {
        let before = [&[0; 3][..], row].concat();
        row.iter().zip(before).map(|(now, before)| now.wrapping_sub(before)).collect::<Vec<u8>>()
    };
    bytes.chunks(WIDTH * 3).flat_map(row).collect()
}

fn ycbcr([r, g, b]: [u8; 3]) -> [u8; 3] {
    let [r, g, b] = [r, g, b].map(f64::from);
    let y = 0.299 * r + 0.587 * g + 0.114 * b;
    [y, (b - y) / 1.772 + 128.0, (r - y) / 1.402 + 128.0].map(|value| value.round() as u8)
}

/// Units of 2 by 2 pixels: four times lightness, once each colour.
fn halved() -> Vec<u8> {
    let units = (0..HEIGHT / 2).flat_map(|y| (0..WIDTH / 2).map(move |x| (x * 2, y * 2)));
    let unit = |(x, y)| {
        let [light, blue, red] = ycbcr(COLOURS[quarter(x, y)]);
        [light, light, light, light, blue, red]
    };
    units.flat_map(unit).collect()
}

/// L*a*b* of red, green, blue and yellow under D50, 8 bits.
const LAB: [[i16; 3]; 4] = [[112, 64, 47], [164, -58, 58], [66, 49, -87], [203, -8, 67]];

fn lab(offset: i16) -> Vec<u8> {
    each(|x, y| {
        let [l, a, b] = LAB[quarter(x, y)];
        [l as u8, (a + offset) as u8, (b + offset) as u8]
    })
    .concat()
}

fn fax(bits: &[u8]) -> Vec<u8> {
    let mut encoder = fax::encoder::Encoder::new(fax::VecWriter::new());
    for row in bits.chunks(WIDTH / 8) {
        let line =
            fax::slice_bits(row).map(|bit| if bit { fax::Color::Black } else { fax::Color::White });
        encoder.encode_line(line, WIDTH as u16).unwrap();
    }
    encoder.finish().unwrap().finish()
}

fn half_black() -> Vec<u8> {
    packed(&each(|x, _| u8::from(x >= WIDTH / 2)), 1)
}

fn black_and_white() -> Vec<u8> {
    threes(each(|x, _| if x >= WIDTH / 2 { 255 } else { 0 }))
}

/// The tables of a JPEG by themselves, and the JPEG without them.
fn tables_apart() -> (Vec<u8>, Vec<u8>) {
    let bytes = plain_jpeg();
    let (mut tables, mut rest) = (vec![0xff, 0xd8], vec![0xff, 0xd8]);
    let mut at = 2;
    loop {
        let marker = bytes[at + 1];
        let end = at + 2 + usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
        match marker {
            0xdb | 0xc4 => tables.extend(&bytes[at..end]),
            0xda => break rest.extend(&bytes[at..]),
            _ => rest.extend(&bytes[at..end]),
        }
        at = end;
    }
    tables.extend([0xff, 0xd9]);
    (tables, rest)
}

/// A file of a kind, and what it must look like: nothing where it is refused.
fn made(format: Format, name: &str) -> (Vec<u8>, Vec<u8>) {
    let levels = |bits: usize| each(|x, _| (x * ((1 << bits) - 1) / (WIDTH - 1)) as u8);
    let steps = |bits: usize| {
        threes(
            levels(bits)
                .iter()
                .map(|value| (u32::from(*value) * 255 / ((1 << bits) - 1)) as u8)
                .collect(),
        )
    };
    let none = Vec::new();
    match (format, name) {
        (Format::Jpeg, "baseline") => (plain_jpeg(), scene()),
        (Format::Jpeg, "progressive") => {
            (jpeg(|set| set.set_progressive(true), &scene(), ColorType::Rgb), scene())
        }
        (Format::Jpeg, "grey") => {
            (jpeg(|_| {}, &grey_scene(), ColorType::Luma), threes(grey_scene()))
        }
        (Format::Jpeg, "RGB by an Adobe marker") => (adobe_rgb(), scene()),
        (Format::Jpeg, "CMYK by an Adobe marker") => {
            let inks = each(|x, y| {
                let [r, g, b] = COLOURS[quarter(x, y)];
                [255 - r, 255 - g, 255 - b, 0]
            });
            (jpeg(|_| {}, &inks.concat(), ColorType::Cmyk), scene())
        }
        (Format::Jpeg, "restart markers") => {
            (jpeg(|set| set.set_restart_interval(1), &scene(), ColorType::Rgb), scene())
        }
        (Format::Jpeg, "several pictures (MPO): the first") => {
            let second = jpeg(|_| {}, &[0, 255, 0].repeat(WIDTH * HEIGHT), ColorType::Rgb);
            ([plain_jpeg(), second].concat(), scene())
        }
        (Format::Jpeg, "no end marker") => {
            let mut bytes = plain_jpeg();
            bytes.truncate(bytes.len() - 2);
            (bytes, scene())
        }
        // Red of 220 in Display P3, as sRGB has it: stronger, and at its edge.
        (Format::Jpeg, "Display P3 profile") => (display_p3(), [240, 4, 25].repeat(WIDTH * HEIGHT)),
        (Format::Jpeg, "12 bits") => (frame_changed(4, 12), none),
        (Format::Jpeg, "arithmetic-coded") => (frame_changed(1, 0xc9), none),
        (Format::Jpeg, "lossless") => (frame_changed(1, 0xc3), none),
        (Format::Png, "RGB") => (png(8, 2, false, &[], &rows(&scene(), WIDTH * 3)), scene()),
        (Format::Png, "grey") => {
            (png(8, 0, false, &[], &rows(&grey_scene(), WIDTH)), threes(grey_scene()))
        }
        (Format::Png, "1, 2 and 4 bits") => {
            (png(2, 0, false, &[], &rows(&packed(&levels(2), 2), WIDTH / 4)), steps(2))
        }
        (Format::Png, "16 bits, by scaling") => {
            // Cut to its high byte, 0x80ff would be 128; it is nearer to 129.
            let bytes: Vec<u8> = [0x80, 0xff].repeat(WIDTH * HEIGHT);
            (png(16, 0, false, &[], &rows(&bytes, WIDTH * 2)), vec![129; WIDTH * HEIGHT * 3])
        }
        (Format::Png, "palette") => {
            (png(8, 3, false, &[(b"PLTE", palette())], &rows(&indexes(), WIDTH)), scene())
        }
        (Format::Png, "palette, partly transparent") => {
            let before = [(b"PLTE", palette()), (b"tRNS", vec![255, 0, 255, 0])];
            (png(8, 3, false, &before, &rows(&indexes(), WIDTH)), through())
        }
        (Format::Png, "alpha, over grey") => {
            (png(8, 6, false, &[], &rows(&rgba(), WIDTH * 4)), through())
        }
        (Format::Png, "interlaced") => (png(8, 2, true, &[], &interlaced()), scene()),
        (Format::Png, "animation: the first frame") => {
            let control = [2u32.to_be_bytes(), 0u32.to_be_bytes()].concat();
            let side = |side: usize| (side as u32).to_be_bytes().to_vec();
            let frame =
                [vec![0; 4], side(WIDTH), side(HEIGHT), vec![0; 8], vec![0, 1, 0, 10, 0, 0]]
                    .concat();
            (
                png(
                    8,
                    2,
                    false,
                    &[(b"acTL", control), (b"fcTL", frame)],
                    &rows(&scene(), WIDTH * 3),
                ),
                scene(),
            )
        }
        (Format::Png, "EXIF orientation") => {
            (png(8, 2, false, &[(b"eXIf", exif())], &rows(&scene(), WIDTH * 3)), turned())
        }
        (Format::Webp, "lossless") => (webp(&scene(), ExtendedColorType::Rgb8), scene()),
        (Format::Webp, "lossy") => (STANDARD.decode(LOSSY).unwrap(), scene()),
        (Format::Webp, "alpha, over grey") => (webp(&rgba(), ExtendedColorType::Rgba8), through()),
        (Format::Webp, "animation: the first frame") => (animated_webp(), scene()),
        (Format::Webp, "EXIF orientation") => (webp_with_exif(b""), turned()),
        (Format::Webp, "EXIF orientation behind `Exif` and two zero bytes") => {
            (webp_with_exif(b"Exif\0\0"), turned())
        }
        (Format::Tiff, _) => made_tiff(name, &levels, &steps),
        _ => panic!("no file is made of {format:?} {name}"),
    }
}

fn made_tiff(
    name: &str,
    levels: &dyn Fn(usize) -> Vec<u8>,
    steps: &dyn Fn(usize) -> Vec<u8>,
) -> (Vec<u8>, Vec<u8>) {
    let grey = |meaning, pixels| Tiff::new(8, 1, meaning, pixels);
    let words =
        |values: Vec<u16>| values.into_iter().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let refused = |compression| (Tiff::rgb().with(259, &[compression]).file(), Vec::new());
    let tiff = match name {
        "RGB" => Tiff::rgb(),
        "high byte first" => Tiff { high_first: true, ..Tiff::rgb() },
        "BigTIFF" => Tiff { big: true, ..Tiff::rgb() },
        "orientation" => return (Tiff::rgb().with(274, &[u64::from(TURNED)]).file(), turned()),
        "several pages: the first" => return (Tiff::rgb().twice(), scene()),
        "tiles" => {
            let tile = |left: usize, top: usize| {
                let all = (0..16).flat_map(|y| (0..16).map(move |x| (left + x, top + y)));
                all.flat_map(|(x, y)| COLOURS[quarter(x, y)]).collect::<Vec<u8>>()
            };
            let pieces = vec![tile(0, 0), tile(16, 0), tile(0, 16), tile(16, 16)];
            Tiff { pieces, ..Tiff::rgb().with(322, &[16]).with(323, &[16]) }
        }
        "planes one after the other" => {
            let pieces = (0..3).map(|n| each(|x, y| COLOURS[quarter(x, y)][n])).collect();
            Tiff { pieces, ..Tiff::rgb().with(284, &[2]) }
        }
        "1 bit" => return (Tiff::new(1, 1, 1, half_black()).file(), black_and_white()),
        "2 and 4 bits of grey" => {
            return (Tiff::new(4, 1, 1, packed(&levels(4), 4)).file(), steps(4));
        }
        "grey with white as zero" => {
            let negative = grey_scene().iter().map(|value| 255 - value).collect();
            return (grey(0, negative).file(), threes(grey_scene()));
        }
        "16 bits, by scaling" => Tiff::new(16, 3, 2, words(deep(&scene()))),
        "32-bit float" => {
            let floats =
                grey_scene().into_iter().flat_map(|value| (f32::from(value) / 255.0).to_le_bytes());
            return (
                Tiff::new(32, 1, 1, floats.collect()).with(339, &[3]).file(),
                threes(grey_scene()),
            );
        }
        "palette" => {
            let colours = |n: usize| {
                (0..256).map(move |at| COLOURS.get(at).map_or(0, |rgb| u64::from(rgb[n]) * 257))
            };
            let map: Vec<u64> = (0..3).flat_map(colours).collect();
            grey(3, indexes()).with(320, &map)
        }
        "alpha, over grey" => {
            return (Tiff::new(8, 4, 2, rgba()).with(338, &[2]).file(), through());
        }
        "CMYK" => {
            let inks = each(|x, y| {
                let [r, g, b] = COLOURS[quarter(x, y)];
                [255 - r, 255 - g, 255 - b, 0]
            });
            Tiff::new(8, 4, 5, inks.concat())
        }
        "YCbCr" => {
            let pixels = each(|x, y| ycbcr(COLOURS[quarter(x, y)])).concat();
            Tiff::new(8, 3, 6, pixels).with(530, &[1, 1])
        }
        "YCbCr of half the resolution" => Tiff::new(8, 3, 6, halved()),
        "CIE Lab" => Tiff::new(8, 3, 8, lab(0)),
        "ICC Lab" => Tiff::new(8, 3, 9, lab(128)),
        "LZW" => Tiff::rgb().packed(5, |bytes| {
            weezl::encode::Encoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8)
                .encode(bytes)
                .unwrap()
        }),
        "Deflate" => Tiff::rgb().packed(8, zlib),
        "differences to the left neighbour" => {
            Tiff::rgb().packed(8, |bytes| zlib(&differences(bytes))).with(317, &[2])
        }
        "PackBits" => Tiff::rgb().packed(32773, pack_bits),
        "Group 4" => {
            let white_is_one = half_black().iter().map(|byte| !byte).collect();
            return (Tiff::new(1, 1, 0, white_is_one).packed(4, fax).file(), black_and_white());
        }
        "JPEG" => {
            Tiff { pieces: vec![plain_jpeg()], ..Tiff::rgb().with(259, &[7]).with(262, &[6]) }
        }
        "JPEG with tables apart" => {
            let (tables, rest) = tables_apart();
            let tables: Vec<u64> = tables.into_iter().map(u64::from).collect();
            let tiff = Tiff::rgb().with(259, &[7]).with(262, &[6]).with(347, &tables);
            Tiff { pieces: vec![rest], ..tiff }
        }
        "JPEG of the old style" => {
            let jpeg = plain_jpeg();
            let tiff = Tiff::rgb().with(259, &[6]).with(262, &[6]).with(513, &[8]);
            Tiff { pieces: vec![jpeg.clone()], ..tiff.with(514, &[jpeg.len() as u64]) }
        }
        "zstd" => Tiff::rgb().packed(50000, |bytes| {
            use ruzstd::encoding::{CompressionLevel, compress_to_vec};
            compress_to_vec(bytes, CompressionLevel::Fastest)
        }),
        "WebP" => Tiff::rgb().packed(50001, |bytes| webp(bytes, ExtendedColorType::Rgb8)),
        "LZMA" => return refused(34925),
        "JPEG 2000" => return refused(34712),
        "raw sensor data" => return (Tiff::rgb().with(262, &[32803]).file(), Vec::new()),
        "ITU Lab" => return (Tiff::rgb().with(262, &[10]).file(), Vec::new()),
        _ => panic!("no TIFF is made of {name}"),
    };
    (tiff.file(), scene())
}

// --- what must hold ---

fn picture(bytes: Vec<u8>) -> PictureBytes {
    PictureBytes::new(Zeroizing::new(bytes)).unwrap()
}

fn shown(bytes: Vec<u8>) -> Result<Portrait, DecodeError> {
    decode(&picture(bytes), 0, &Limits::default())
}

fn error(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let sum: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.len() as f64
}

#[test]
fn every_kind_is_shown_or_refused_as_the_table_says() {
    for kind in KINDS {
        let (bytes, wanted) = made(kind.format, kind.name);
        assert_eq!(Format::of(&bytes), Some(kind.format), "{}", kind.name);
        let judged = readable(Cursor::new(&bytes), kind.format);
        match (kind.shown, shown(bytes)) {
            (Shown::By(_), Ok(portrait)) => {
                let name = kind.name;
                let off = error(portrait.pixels(), &wanted);
                // What is packed without loss is the same; JPEG and WebP blur the edges of the scene.
                let blurred =
                    kind.format == Format::Jpeg || name.contains("JPEG") || name == "lossy";
                let most = if blurred { 9.0 } else { 1.5 };
                assert!(off <= most, "{:?} {name}: {off} off", kind.format);
                assert_eq!(portrait.missing(), None, "{:?} {name}", kind.format);
                let more = name.contains("animation") || name.contains("pages");
                assert_eq!(portrait.first_of_more(), more, "{:?} {name}", kind.format);
                assert_eq!(judged, Ok(()), "{:?} {name}", kind.format);
            }
            (Shown::Refused(words), Err(error)) => {
                assert_eq!(error, DecodeError::Unsupported(words), "{}", kind.name);
                assert_eq!(judged, Err(DecodeError::Unsupported(words)), "{}", kind.name);
                assert!(error.to_string().contains(words));
            }
            (said, got) => panic!("{:?} {}: {said:?}, but {got:?}", kind.format, kind.name),
        }
    }
}

/// Noise over the scene's colours, so that every part of the file holds something.
fn noisy(width: usize, height: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(5);
    std::iter::repeat_with(|| rng.u8(60..200)).take(width * height * 3).collect()
}

/// A larger picture of every format, and the share of its bytes behind which all is cut.
fn whole_files() -> Vec<(&'static str, Vec<u8>)> {
    let (width, height) = (160u32, 160u32);
    let pixels = noisy(160, 160);
    let mut files = Vec::new();
    for (name, progressive) in [("JPEG", false), ("progressive JPEG", true)] {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 80);
        encoder.set_progressive(progressive);
        encoder.encode(&pixels, 160, 160, ColorType::Rgb).unwrap();
        files.push((name, bytes));
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    files.push(("PNG", bytes));
    let mut bytes = Vec::new();
    let encoder = WebPEncoder::new_lossless(&mut bytes);
    encoder.write_image(&pixels, width, height, ExtendedColorType::Rgb8).unwrap();
    files.push(("WebP", bytes));
    files
}

#[test]
fn a_file_that_ends_early_is_shown_as_far_as_it_goes_and_says_so() {
    for (name, bytes) in whole_files() {
        let whole = shown(bytes.clone()).unwrap();
        assert_eq!(whole.missing(), None, "{name}");
        let mut before = 100;
        for share in [4, 6, 8] {
            let cut = bytes[..bytes.len() * share / 10].to_vec();
            let part = shown(cut).unwrap_or_else(|error| panic!("{name} {share}: {error}"));
            let missing =
                part.missing().unwrap_or_else(|| panic!("{name} {share} says nothing")).get();
            assert!(missing < before, "{name} {share}: {missing} %");
            before = missing;
            if name != "progressive JPEG" {
                let said = u8::try_from(100 - share * 10).unwrap();
                assert!(missing.abs_diff(said) <= 12, "{name} {share}: {missing} %");
                // What there is of it is right, up to the row before the cut.
                let rows = 160 * (100 - usize::from(missing)) / 100 - 20;
                let off =
                    error(&part.pixels()[..rows * 160 * 3], &whole.pixels()[..rows * 160 * 3]);
                assert!(off < 0.5, "{name} {share}: {off}");
            }
            assert_ne!(part.pixels(), whole.pixels(), "{name} {share}");
        }
    }
}

#[test]
fn a_tiff_that_lost_its_end_or_a_strip_says_so() {
    // Four strips, of which the third is broken.
    let strips: Vec<Vec<u8>> = scene().chunks(WIDTH * 3 * 6).map(zlib).collect();
    let mut tiff = Tiff { pieces: strips, ..Tiff::rgb().with(259, &[8]).with(278, &[6]) };
    assert_eq!(shown(tiff.file()).unwrap().missing(), None);
    let middle = tiff.pieces[2].len() / 2;
    tiff.pieces[2][middle..].fill(0xff);
    let part = shown(tiff.file()).unwrap();
    assert!((10..=26).contains(&part.missing().unwrap().get()), "{:?}", part.missing());
    // The words across the gap begin at the second strip of so small a picture.
    assert_eq!(error(&part.pixels()[..WIDTH * 3 * 6], &scene()[..WIDTH * 3 * 6]), 0.0);
}

#[test]
fn a_png_whose_checksum_is_wrong_is_believed_up_to_there() {
    let (_, bytes) = whole_files().into_iter().find(|(name, _)| *name == "PNG").unwrap();
    // All in one chunk: nothing of it can be believed.
    let mut broken = bytes.clone();
    let middle = broken.len() / 2;
    broken[middle] ^= 1;
    assert!(matches!(shown(broken), Err(DecodeError::Damaged)));
}

#[test]
fn a_jpeg_that_is_broken_inside_is_cut_off_there() {
    let (_, bytes) = whole_files().into_iter().next().unwrap();
    let mut broken = bytes.clone();
    let middle = broken.len() / 2;
    // A marker where bits belong: no decoder can go on behind it.
    broken[middle..middle + 2].copy_from_slice(&[0xff, 0xc9]);
    let part = shown(broken).unwrap();
    assert!((40..=60).contains(&part.missing().unwrap().get()), "{:?}", part.missing());
}

#[test]
fn a_damaged_picture_is_not_made_smaller_to_be_sent() {
    let (_, bytes) = whole_files().into_iter().next().unwrap();
    let half = picture(bytes[..bytes.len() / 2].to_vec());
    assert_eq!(shrink(&half, 1 << 20).unwrap_err(), DecodeError::Damaged);
    assert!(shrink(&picture(bytes), 1 << 20).is_ok());
}

#[test]
fn making_smaller_turns_what_a_webp_says_to_turn() {
    for before in [&b""[..], b"Exif\0\0"] {
        let small = shrink(&picture(webp_with_exif(before)), 1 << 20).unwrap();
        let upright = shown(small.to_vec()).unwrap();
        assert_eq!((upright.width(), upright.height()), (HEIGHT as u32, WIDTH as u32));
        assert!(error(upright.pixels(), &turned()) < 9.0);
    }
}

#[test]
fn every_orientation_of_every_container_is_heeded() {
    let size = |bytes| shown(bytes).map(|seen| (seen.width(), seen.height())).unwrap();
    for orientation in 1..=8u8 {
        let mut block = exif();
        block[18] = orientation;
        let headed = [b"Exif\0\0".to_vec(), block.clone()].concat();
        let still = webp(&scene(), ExtendedColorType::Rgb8);
        let webp = |exif: &[u8]| extended_webp(8, &[still[12..].to_vec(), riff(b"EXIF", exif)]);
        let mut jpeg = Vec::new();
        let mut encoder = JpegEncoder::new(&mut jpeg);
        encoder.set_exif_metadata(block.clone()).unwrap();
        encoder.encode(&scene(), WIDTH as u32, HEIGHT as u32, ExtendedColorType::Rgb8).unwrap();
        let png_of =
            |exif: Vec<u8>| png(8, 2, false, &[(b"eXIf", exif)], &rows(&scene(), WIDTH * 3));
        let tiff = Tiff::rgb().with(274, &[u64::from(orientation)]).file();
        let files = [
            jpeg,
            png_of(block.clone()),
            png_of(headed.clone()),
            webp(&block),
            webp(&headed),
            tiff,
        ];
        let wanted = shown(png_of(block.clone())).unwrap().pixels().to_vec();
        for (n, bytes) in files.into_iter().enumerate() {
            let standing = orientation > 4;
            let (width, height) = (WIDTH as u32, HEIGHT as u32);
            let turned = if standing { (height, width) } else { (width, height) };
            assert_eq!(size(bytes.clone()), turned, "file {n}, orientation {orientation}");
            let off = error(shown(bytes).unwrap().pixels(), &wanted);
            assert!(off < 9.0, "file {n}, orientation {orientation}: {off}");
        }
    }
}
