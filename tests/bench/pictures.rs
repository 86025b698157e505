//! How many bytes a face costs, at what quality and in what time: our encoders beside those of
//! ratatui-image, on faces drawn by the simulator, 480x600 pixels shown in 40x25 cells of 10x20.
//!
//! Run with `cargo bench --bench pictures`. Quality is SSIMULACRA2 (90 cannot be told from the original,
//! 70 is high, 50 is medium) of what the terminal shows, enlarged as it does, to the original scaled with
//! Lanczos. Nothing here is asserted: the tests hold the bytes (`tests/it/picture.rs`).
//!
//! Drawn faces are smoother than photographs. So each is taken with the noise of a phone indoors and goes
//! through that phone's JPEG, so that deflate finds in them what it finds in photographs: of three
//! portraits, ratatui-image's compressed mode made 664 to 763 KB.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../it/shown.rs"]
mod shown;

use std::time::Duration;

use image::imageops::FilterType;
use image::{DynamicImage, RgbImage};
use ratatui_image::picker::{Picker, ProtocolType};
use ratatui_image::protocol::Protocol as Theirs;
use ratatui_image::protocol::kitty::Kitty;
use ratatui_image::{FontSize, Resize};
use rustix::time::{ClockId, clock_gettime};
use secondlook::picture::{
    Aim, CellMode, Colours, EncodeOptions, Encoded, Fitted, Limits, Pane, PictureBytes, Portrait,
    Protocol, Tier, View, decode, encode, fit,
};
use secondlook::sim::faces::{self, Identity, Shot};
use ssimulacra2::{ColorPrimaries, Rgb, TransferCharacteristic, compute_frame_ssimulacra2};
use zeroize::Zeroizing;

const COLUMNS: u16 = 40;
const ROWS: u16 = 25;
const CELL: (u16, u16) = (10, 20);
const SIZE: (u32, u32) = (400, 500);
const RUNS: u32 = 5;
/// Who is measured, and how the picture was taken.
const FACES: [(u64, u64); 5] = [(7, 1), (21, 4), (33, 9), (58, 12), (90, 20)];

/// The camera's noise.
const NOISE: f32 = 0.5;

/// One way to send one face.
struct Measured {
    bytes: usize,
    cpu: Duration,
    score: f64,
}

fn main() {
    let all: Vec<Vec<(&str, Measured)>> =
        FACES.iter().map(|(who, shot)| face(*who, *shot)).collect();
    println!("\n{} faces, 480x600 shown in {COLUMNS}x{ROWS} cells of 10x20 pixels\n", all.len());
    println!("{:34} {:>9} {:>8} {:>7}   each face: bytes/score", "", "bytes", "CPU ms", "score");
    for place in 0..all[0].len() {
        let of: Vec<&Measured> = all.iter().map(|face| &face[place].1).collect();
        let each: Vec<String> = of.iter().map(|m| format!("{}/{:.1}", m.bytes, m.score)).collect();
        let count = of.len() as f64;
        let mean = |value: fn(&Measured) -> f64| of.iter().map(|m| value(m)).sum::<f64>() / count;
        println!(
            "{:34} {:>9.0} {:>8.1} {:>7.1}   {}",
            all[0][place].0,
            mean(|m| m.bytes as f64),
            mean(|m| m.cpu.as_secs_f64() * 1000.0),
            mean(|m| m.score),
            each.join(" ")
        );
    }
    goals(&all);
    cells();
}

/// The goals, with what was reached: the worst of all faces, and only where the score is no worse.
fn goals(all: &[Vec<(&str, Measured)>]) {
    println!(
        "\nfewer bytes than ratatui-image at equal or better score (worst, mean of all faces)\n"
    );
    let pairs = [
        ("kitty: review", "theirs: kitty", 12.0),
        ("kitty: review", "theirs: kitty, compressed", 8.0),
        ("iTerm2: JPEG", "theirs: iTerm2", 8.0),
        ("sixel: 128 colours", "theirs: sixel", 2.0),
        ("sixel: 64 colours", "theirs: sixel", 2.0),
        ("sixel: 32 colours", "theirs: sixel", 2.0),
    ];
    for (ours, theirs, goal) in pairs {
        let find = |face: &[(&str, Measured)], name| {
            let (_, found) = face.iter().find(|(known, _)| *known == name).unwrap();
            (found.bytes as f64, found.score)
        };
        let times: Vec<(f64, bool)> = all
            .iter()
            .map(|face| {
                let ((a, score), (b, least)) = (find(face, ours), find(face, theirs));
                (b / a, score >= least)
            })
            .collect();
        let worst = times.iter().map(|(times, _)| *times).fold(f64::MAX, f64::min);
        let mean = times.iter().map(|(times, _)| *times).sum::<f64>() / times.len() as f64;
        let as_good = times.iter().filter(|(_, as_good)| *as_good).count();
        println!(
            "{ours:20} {theirs:26} {worst:>5.1}x {mean:>5.1}x  goal {goal}x  score no worse: {as_good}/{}",
            times.len()
        );
    }
}

/// The original as it is fetched, and the pane's fit of it.
fn original(who: u64, shot: u64) -> (DynamicImage, Portrait, Fitted) {
    let shot = Shot { noise: NOISE, ..Shot::from_seed(shot) };
    let picture = faces::draw(&Identity::from_seed(who), &shot, faces::WIDTH, faces::HEIGHT);
    let file = faces::encode(&picture, faces::Format::Jpeg { quality: shot.quality });
    let decoded = image::load_from_memory(&file).unwrap();
    let file = PictureBytes::new(Zeroizing::new(file)).unwrap();
    let portrait = decode(&file, 0, &Limits::default()).unwrap();
    let pane = Pane::new(COLUMNS, ROWS, CELL, CELL);
    let fitted = fit(&portrait, None, &View::default(), Aim::Picture, &pane).unwrap();
    (decoded, portrait, fitted)
}

fn face(who: u64, shot: u64) -> Vec<(&'static str, Measured)> {
    let (original, portrait, fitted) = original(who, shot);
    let wanted = original.resize_exact(SIZE.0, SIZE.1, FilterType::Lanczos3).into_rgb8();
    let pane = Pane::new(COLUMNS, ROWS, CELL, CELL);
    let ours = |protocol, options: EncodeOptions| {
        let mut made = None;
        let cpu = cpu(|| {
            let fitted = fit(&portrait, None, &View::default(), Aim::Picture, &pane).unwrap();
            made = Some(encode(&fitted, protocol, &options).unwrap());
        });
        let bytes = match made.unwrap() {
            Encoded::Kitty { chunks, .. } => {
                chunks.iter().flat_map(|chunk| chunk.to_vec()).collect()
            }
            Encoded::Inline { bytes, .. } => bytes.to_vec(),
            Encoded::Cells(_) => Vec::new(),
        };
        measured(protocol, &bytes, cpu, &wanted)
    };
    assert_eq!((fitted.width, fitted.height), SIZE);
    let tier = |tier| ours(Protocol::Kitty, EncodeOptions { tier, ..EncodeOptions::default() });
    let sixel =
        |palette| ours(Protocol::Sixel, EncodeOptions { palette, ..EncodeOptions::default() });
    let mut picker = picker();
    let mut theirs = |protocol, kind| {
        picker.set_protocol_type(kind);
        let mut made = None;
        let cpu = cpu(|| {
            let size = (COLUMNS, ROWS).into();
            let image = original.clone();
            made = Some(picker.new_protocol(image, size, Resize::Fit(None)).unwrap());
        });
        let bytes = match made.unwrap() {
            Theirs::Sixel(sixel) => sixel.data.into_bytes(),
            Theirs::ITerm2(iterm2) => iterm2.data.into_bytes(),
            kitty => transmission(&kitty),
        };
        measured(protocol, &bytes, cpu, &wanted)
    };
    let kitty = theirs(Protocol::Kitty, ProtocolType::Kitty);
    vec![
        ("kitty: preview", tier(Tier::Preview)),
        ("kitty: review", tier(Tier::Review)),
        ("kitty: fine", tier(Tier::Fine)),
        ("kitty: lossless", tier(Tier::Lossless)),
        ("theirs: kitty, compressed", compressed(&original, &wanted)),
        ("theirs: kitty", kitty),
        ("iTerm2: JPEG", ours(Protocol::Iterm2, EncodeOptions::default())),
        ("theirs: iTerm2", theirs(Protocol::Iterm2, ProtocolType::Iterm2)),
        ("sixel: 32 colours", sixel(32)),
        ("sixel: 64 colours", sixel(64)),
        ("sixel: 128 colours", sixel(128)),
        ("sixel: 256 colours", sixel(256)),
        ("theirs: sixel", theirs(Protocol::Sixel, ProtocolType::Sixel)),
    ]
}

#[expect(deprecated, reason = "the way without a terminal to ask")]
fn picker() -> Picker {
    Picker::from_fontsize(FontSize::new(CELL.0, CELL.1))
}

/// What their widget writes into its first cell.
fn transmission(protocol: &Theirs) -> Vec<u8> {
    use ratatui::widgets::Widget;
    let area = ratatui::layout::Rect::new(0, 0, COLUMNS, ROWS);
    let mut buffer = ratatui::buffer::Buffer::empty(area);
    ratatui_image::Image::new(protocol).render(area, &mut buffer);
    let text = buffer.content[0].symbol();
    // Behind the last sequence stand the first row's placeholders.
    let end = text.rfind("\x1b\\").unwrap() + 2;
    let start = text.find("\x1b_G").unwrap();
    text.as_bytes()[start..end].to_vec()
}

/// Their other kitty mode, which has to be asked for; it shows the same pixels.
fn compressed(original: &DynamicImage, wanted: &RgbImage) -> Measured {
    let mut made = None;
    let cpu = cpu(|| {
        let image = original.resize_exact(SIZE.0, SIZE.1, FilterType::Nearest);
        made = Some(Kitty::new(image, (COLUMNS, ROWS).into(), 1, false, true).unwrap());
    });
    let bytes = transmission(&Theirs::Kitty(made.unwrap())).len();
    let shown = original.resize_exact(SIZE.0, SIZE.1, FilterType::Nearest).into_rgb8();
    Measured { bytes, cpu, score: score(wanted, &shown) }
}

fn measured(protocol: Protocol, bytes: &[u8], cpu: Duration, wanted: &RgbImage) -> Measured {
    let shown = match protocol {
        Protocol::Kitty => shown::enlarged(&shown::kitty(bytes), SIZE),
        Protocol::Iterm2 => shown::iterm2(bytes),
        Protocol::Sixel => shown::sixel(bytes).image,
        Protocol::Blocks => wanted.clone(),
    };
    Measured { bytes: bytes.len(), cpu, score: score(wanted, &shown) }
}

/// Processor time of one run, the mean of several.
fn cpu(mut run: impl FnMut()) -> Duration {
    let now = || Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap();
    run();
    let before = now();
    for _ in 0..RUNS {
        run();
    }
    (now() - before) / RUNS
}

/// SSIMULACRA2; of a picture that lacks its last rows, as sixel does, for the rows that it has.
fn score(wanted: &RgbImage, shown: &RgbImage) -> f64 {
    let rows = wanted.height().min(shown.height());
    let frame = |image: &RgbImage| {
        let pixels = image.pixels().take((image.width() * rows) as usize);
        let pixels = pixels.map(|pixel| pixel.0.map(|value| f32::from(value) / 255.0)).collect();
        let (width, height) = (image.width() as usize, rows as usize);
        let srgb = TransferCharacteristic::SRGB;
        Rgb::new(pixels, width, height, srgb, ColorPrimaries::BT709).unwrap()
    };
    compute_frame_ssimulacra2(frame(wanted), frame(shown)).unwrap()
}

/// Characters, the face filling the pane: structural similarity to the original, and what the pen writes.
/// Of libchafa the order alone compares: its figures are of a photograph.
fn cells() {
    println!("\ncharacters, the face filling {COLUMNS}x{ROWS} cells (mean of all)\n");
    println!(
        "{:12} {:>5} {:>12} {:>7} {:>12} {:>7}   libchafa, of another face",
        "", "SSIM", "SSIMULACRA2", "bytes", "greys: SSIM", "bytes"
    );
    for (name, mode, libchafa) in [
        ("half-blocks", CellMode::Half, ".642"),
        ("quadrants", CellMode::Quadrant, ".683"),
        ("sextants", CellMode::Sextant, ".706"),
        ("octants", CellMode::Octant, ".716"),
    ] {
        let of = |colours| {
            let all: Vec<[f64; 3]> =
                FACES.iter().map(|(who, shot)| in_characters(*who, *shot, mode, colours)).collect();
            [0, 1, 2].map(|n| all.iter().map(|face| face[n]).sum::<f64>() / all.len() as f64)
        };
        let [ssim, score, bytes] = of(Colours::True);
        let [grey_ssim, _, grey_bytes] = of(Colours::Ansi256);
        println!(
            "{name:12} {ssim:>5.3} {score:>12.1} {bytes:>7.0} {grey_ssim:>12.3} {grey_bytes:>7.0}   SSIM {libchafa}"
        );
    }
    println!(
        "libchafa: 34 to 36 KB in true colours, 13.5 KB in 256; its own choice of characters .718"
    );
}

/// One face in characters: SSIM, SSIMULACRA2, bytes.
fn in_characters(who: u64, shot: u64, mode: CellMode, colours: Colours) -> [f64; 3] {
    let (_, portrait, _) = original(who, shot);
    let fitted = |dots| {
        let pane = Pane::new(COLUMNS, ROWS, CELL, dots);
        fit(&portrait, None, &View::default(), Aim::Face, &pane).unwrap()
    };
    let wanted = fitted(CELL);
    let wanted = RgbImage::from_raw(wanted.width, wanted.height, wanted.pixels().to_vec()).unwrap();
    let options = EncodeOptions { cells: mode, colours, ..EncodeOptions::default() };
    let made = encode(&fitted(mode.dots()), Protocol::Blocks, &options).unwrap();
    let Encoded::Cells(picture) = made else { panic!("blocks are cells") };
    let shown = shown::cells(&picture, mode, CELL);
    let bytes = shown::written(picture).len();
    [shown::ssim(&wanted, &shown), score(&wanted, &shown), bytes as f64]
}
