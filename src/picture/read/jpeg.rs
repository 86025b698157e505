//! JPEG: pixels by `zune-jpeg`, through `image`. It is lenient: what is cut off it fills in, what is broken
//! it goes on after, and it tells nobody. So the file is walked first ([`super::huffman`]), and what the
//! walk did not find whole is said to be missing.

use std::io::{BufRead, Cursor, Seek, SeekFrom};

use image::ImageDecoder;
use image::codecs::jpeg::JpegDecoder;

use super::colour::to_rgb;
use super::huffman::{Band, Bits, Mean, Table, block};
use super::orientation_of;
use super::{DecodeError, Limits, Loss, Percent, Still, check_claim, count, samples, sorted};

const EOI: [u8; 2] = [0xff, 0xd9];
/// Bytes that may be left over at the end of a scan: some programs fill up.
const MOST_LEFT: usize = 8;

pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Still, DecodeError> {
    let frame = frame(bytes)?;
    // A progressive JPEG keeps 16-bit coefficients of all its pixels beside the pixels.
    let out = if frame.parts.len() == 1 { 1 } else { 3 };
    check_claim(frame.size, count(frame.size) * out * 3, limits)?;
    let walk = walk(bytes, &frame);
    let loss = walk.loss(&frame);
    if loss.as_ref().is_some_and(|loss| loss.is_all(frame.size)) {
        return Err(DecodeError::Damaged);
    }
    let mended;
    let whole = if loss.is_some() {
        // What comes behind the damage is noise to some decoders and an error to others: it is cut off.
        mended = zeroize::Zeroizing::new([&bytes[..walk.good], &EOI].concat());
        &mended[..]
    } else {
        bytes
    };
    let mut decoder = JpegDecoder::new(Cursor::new(whole)).map_err(|error| sorted(&error))?;
    let size = decoder.dimensions();
    let exif = decoder.exif_metadata().unwrap_or(None);
    let profile = decoder.icc_profile().unwrap_or(None);
    let channels = usize::from(decoder.color_type().channel_count());
    let raw = samples(decoder, limits)?;
    let rgb = to_rgb(channels, false, raw).ok_or(DecodeError::Damaged)?;
    let orientation = orientation_of(exif.as_deref());
    Ok(Still { size, rgb, orientation, profile, loss, first_of_more: false })
}

/// How many of a JPEG's rows are there: for JPEG inside another format. `None` when all are.
pub(super) fn rows(bytes: &[u8]) -> Option<u32> {
    let Ok(frame) = frame(bytes) else { return Some(0) };
    let loss = walk(bytes, &frame).loss(&frame)?;
    Some(loss.holes.first().map_or(0, |hole| hole.1))
}

/// Whether the kind of a JPEG is shown, by its markers up to the frame's.
pub(super) fn judge(mut file: impl BufRead + Seek) -> Result<(), DecodeError> {
    let broken = |_| DecodeError::Damaged;
    let mut byte = [0; 1];
    let mut next = |file: &mut dyn BufRead| file.read_exact(&mut byte).map(|()| byte[0]);
    file.seek(SeekFrom::Start(2)).map_err(broken)?;
    loop {
        while next(&mut file).map_err(broken)? != 0xff {}
        let mut marker = 0xff;
        while marker == 0xff {
            marker = next(&mut file).map_err(broken)?;
        }
        if let 0 | 1 | 0xd0..=0xd8 = marker {
            continue;
        }
        let length = [next(&mut file).map_err(broken)?, next(&mut file).map_err(broken)?];
        if is_frame(marker) {
            return supported(marker, next(&mut file).map_err(broken)?);
        }
        if marker == 0xda || marker == 0xd9 {
            return Err(DecodeError::Damaged);
        }
        let length = i64::from(u16::from_be_bytes(length)) - 2;
        file.seek(SeekFrom::Current(length.max(0))).map_err(broken)?;
    }
}

fn is_frame(marker: u8) -> bool {
    // The last one is that of JPEG-LS.
    matches!(marker, 0xc0..=0xcf | 0xf7) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}

fn supported(marker: u8, bits: u8) -> Result<(), DecodeError> {
    let kind = match (marker, bits) {
        (0xc0..=0xc2, 8) => return Ok(()),
        (0xc0..=0xc2, 12) => "JPEG of 12 bits a colour",
        (0xc3 | 0xf7, _) => "lossless JPEG",
        (0xc9 | 0xca, _) => "arithmetic-coded JPEG",
        _ => "JPEG of a rare kind",
    };
    Err(DecodeError::Unsupported(kind))
}

/// A colour component of a frame.
#[derive(Debug, Clone, Copy)]
struct Part {
    id: u8,
    /// Its table of steps.
    steps: u8,
    /// Blocks across and down in a unit of the interleaved scan.
    blocks: (u32, u32),
}

/// What the frame header says.
#[derive(Debug)]
struct Frame {
    size: (u32, u32),
    progressive: bool,
    parts: Vec<Part>,
    most: (u32, u32),
}

impl Frame {
    /// Units of an interleaved scan, across and down.
    fn units(&self) -> (u32, u32) {
        (self.size.0.div_ceil(8 * self.most.0), self.size.1.div_ceil(8 * self.most.1))
    }

    /// Blocks of a part that have pixels of the picture.
    fn own(&self, part: &Part) -> (u32, u32) {
        let side = |size: u32, blocks: u32, most: u32| (size * blocks).div_ceil(most).div_ceil(8);
        (
            side(self.size.0, part.blocks.0, self.most.0),
            side(self.size.1, part.blocks.1, self.most.1),
        )
    }
}

/// The next marker at or behind a place: its code, and where it ends.
fn marker(bytes: &[u8], mut at: usize) -> Option<(u8, usize)> {
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == 0xff)?;
        while *bytes.get(at)? == 0xff {
            at += 1;
        }
        if bytes[at] != 0 {
            return Some((bytes[at], at + 1));
        }
    }
}

/// A segment's content, and where it ends.
fn segment(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let length = usize::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    Some((bytes.get(at + 2..at + length)?, at + length))
}

fn frame(bytes: &[u8]) -> Result<Frame, DecodeError> {
    let mut at = 2;
    loop {
        let (code, behind) = marker(bytes, at).ok_or(DecodeError::Damaged)?;
        at = behind;
        match code {
            1 | 0xd0..=0xd8 => continue,
            0xd9 | 0xda => return Err(DecodeError::Damaged),
            _ => {}
        }
        let (content, end) = segment(bytes, at).ok_or(DecodeError::Damaged)?;
        at = end;
        if is_frame(code) {
            supported(code, content.first().copied().unwrap_or(0))?;
            return parse_frame(content, code == 0xc2).ok_or(DecodeError::Damaged);
        }
    }
}

fn parse_frame(content: &[u8], progressive: bool) -> Option<Frame> {
    let side =
        |at: usize| Some(u32::from(u16::from_be_bytes([*content.get(at)?, *content.get(at + 1)?])));
    let size = (side(3)?, side(1)?);
    let number = usize::from(*content.get(5)?);
    let parts: Vec<Part> = content
        .get(6..6 + number * 3)?
        .chunks_exact(3)
        .map(|part| Part {
            id: part[0],
            steps: part[2],
            blocks: (u32::from(part[1] >> 4), u32::from(part[1] & 15)),
        })
        .collect();
    let most = |side: fn(&Part) -> u32| parts.iter().map(side).max();
    let most = (most(|part| part.blocks.0)?, most(|part| part.blocks.1)?);
    let fits = |blocks: u32| (1..=4).contains(&blocks);
    let sound = parts.iter().all(|part| fits(part.blocks.0) && fits(part.blocks.1));
    (sound && parts.len() <= 4).then_some(Frame { size, progressive, parts, most })
}

/// What a walk over a file found.
struct Walk {
    /// So many bytes are good.
    good: usize,
    /// It broke, or ended before its end.
    broken: bool,
    /// Something in it is wrong, and it is not known where.
    lost: bool,
    /// Of the first component, how far its pixels are there: units done, and how many pixels each has.
    there: Option<(u64, (u32, u32))>,
    /// For each component, how much of each coefficient is known, from 0 to 1.
    known: Vec<[f64; 64]>,
}

impl Walk {
    fn loss(&self, frame: &Frame) -> Option<Loss> {
        let unknown = self.lost.then(|| Loss { percent: Percent::of(0.0), holes: Vec::new() });
        if !self.broken {
            return unknown;
        }
        let Some((done, unit)) = self.there else { return Loss::behind(0, frame.size, frame.size) };
        let weights = || frame.parts.iter().map(|part| f64::from(part.blocks.0 * part.blocks.1));
        let sum: f64 = self
            .known
            .iter()
            .zip(weights())
            .map(|(known, weight)| known.iter().sum::<f64>() * weight)
            .sum();
        let missing = 1.0 - sum / (64.0 * weights().sum::<f64>());
        let hole = if done == 0 {
            Loss::behind(0, frame.size, frame.size)
        } else {
            Loss::behind(done, unit, frame.size)
        };
        if missing < 1e-9 && hole.is_none() {
            // Only the marker of its end is not there.
            return unknown;
        }
        let holes = hole.map(|loss| loss.holes).unwrap_or_default();
        Some(Loss { percent: Percent::of(missing), holes })
    }
}

/// Tables as they stand at a place of the file.
#[derive(Default)]
struct Tables {
    /// The step of the mean, of each table of steps.
    steps: [u16; 4],
    dc: [Option<Table>; 4],
    ac: [Option<Table>; 4],
    restart: u32,
}

impl Tables {
    /// Takes the first step of each table of a DQT segment.
    fn step(&mut self, mut content: &[u8]) -> Option<()> {
        while let Some((head, rest)) = content.split_first() {
            let deep = head >> 4 == 1;
            let step = if deep {
                u16::from_be_bytes(*rest.first_chunk()?)
            } else {
                u16::from(*rest.first()?)
            };
            *self.steps.get_mut(usize::from(head & 15))? = step;
            content = rest.get(if deep { 128 } else { 64 }..)?;
        }
        Some(())
    }

    /// The most that a mean can be away from middle grey, with room for an encoder's rounding.
    fn most(&self, part: &Part, low: u8) -> i32 {
        let step = self.steps.get(usize::from(part.steps)).copied().unwrap_or(1).max(1);
        ((1024 / i32::from(step)) >> low.min(15)) + 2
    }

    fn define(&mut self, mut content: &[u8]) -> Option<()> {
        while let Some((head, rest)) = content.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let number: usize = counts.iter().map(|count| usize::from(*count)).sum();
            let table = Table::new(counts, rest.get(..number)?)?;
            let place = usize::from(head & 15);
            let tables = if head >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            *tables.get_mut(place)? = Some(table);
            content = &rest[number..];
        }
        Some(())
    }
}

fn walk(bytes: &[u8], frame: &Frame) -> Walk {
    let units = frame.units();
    let blocks = |part: &Part| count(units) * u64::from(part.blocks.0 * part.blocks.1);
    let mut walk = Walk {
        good: 0,
        broken: true,
        lost: false,
        there: None,
        known: vec![[0.0; 64]; frame.parts.len()],
    };
    let mut nonzero: Vec<Vec<u64>> =
        frame.parts.iter().map(|part| vec![0; blocks(part) as usize]).collect();
    let mut tables = Tables::default();
    let mut at = 2;
    // As long as it can be read; where it cannot, `broken` stands.
    while let Some((code, behind)) = marker(bytes, at) {
        at = behind;
        match code {
            1 | 0xd0..=0xd8 => continue,
            0xd9 => {
                // A sequential picture may lack components of which no scan came.
                walk.broken = walk.known.iter().any(|known| known[0] == 0.0);
                walk.good = at;
                break;
            }
            _ => {}
        }
        let Some((content, end)) = segment(bytes, at) else { break };
        at = end;
        let read = match code {
            0xc4 => tables.define(content),
            0xdb => tables.step(content),
            0xdd => content.first_chunk().map(|interval| {
                tables.restart = u32::from(u16::from_be_bytes(*interval));
            }),
            0xda => {
                walk.good = at;
                scan(bytes, &mut at, content, frame, &tables, &mut nonzero, &mut walk)
            }
            _ => Some(()),
        };
        if read.is_none() {
            break;
        }
        walk.good = at;
    }
    walk
}

/// Reads a scan; `at` is where its bits begin, and then where they end. `None` when it broke.
fn scan(
    bytes: &[u8],
    at: &mut usize,
    header: &[u8],
    frame: &Frame,
    tables: &Tables,
    nonzero: &mut [Vec<u64>],
    walk: &mut Walk,
) -> Option<()> {
    let number = usize::from(*header.first()?);
    let tail = header.get(1 + number * 2..4 + number * 2)?;
    let band = match frame.progressive {
        true => Band {
            start: tail[0],
            end: tail[1],
            high: tail[2] >> 4,
            low: tail[2] & 15,
            progressive: true,
        },
        false => Band { start: 0, end: 63, high: 0, low: 0, progressive: false },
    };
    (band.start <= band.end && band.end < 64).then_some(())?;
    let mut parts = Vec::new();
    for chosen in header[1..1 + number * 2].chunks_exact(2) {
        let place = frame.parts.iter().position(|part| part.id == chosen[0])?;
        let table = |set: &'_ [Option<Table>; 4], n: u8| set.get(usize::from(n)).cloned().flatten();
        let most = tables.most(&frame.parts[place], band.low);
        let (dc, ac) = (table(&tables.dc, chosen[1] >> 4), table(&tables.ac, chosen[1] & 15));
        parts.push((place, dc, ac, Mean { value: 0, most }));
    }
    (!parts.is_empty()).then_some(())?;
    let units = frame.units();
    let alone = (parts.len() == 1).then(|| frame.own(&frame.parts[parts[0].0]));
    let (across, down) = alone.unwrap_or(units);
    let all = count((across, down));
    let mut bits = Bits::new(bytes, *at);
    let (mut run, mut done) = (0, 0);
    let mut whole = Some(());
    'units: while done < all {
        if tables.restart > 0 && done > 0 && done % u64::from(tables.restart) == 0 {
            run = 0;
            parts.iter_mut().for_each(|(.., mean)| mean.value = 0);
            let number = (done / u64::from(tables.restart) - 1) % 8;
            if bits.restart(number as u8).is_none() {
                whole = None;
                break;
            }
        }
        let (row, column) = ((done / u64::from(across)) as u32, (done % u64::from(across)) as u32);
        for (place, dc, ac, mean) in &mut parts {
            let part = &frame.parts[*place];
            let stride = units.0 * part.blocks.0;
            let (wide, high) = if alone.is_some() { (1, 1) } else { part.blocks };
            for y in 0..high {
                for x in 0..wide {
                    let n = (row * high + y) * stride + column * wide + x;
                    let known = nonzero[*place].get_mut(n as usize)?;
                    if block(&mut bits, (dc.as_ref(), ac.as_ref()), band, mean, known, &mut run)
                        .is_none()
                    {
                        whole = None;
                        break 'units;
                    }
                }
            }
        }
        done += 1;
    }
    // Bits that lost their place somewhere, and came to the end too early: where, nobody knows.
    walk.lost |= whole.is_some() && bits.left() > MOST_LEFT;
    *at = bits.at;
    walk.good = bits.at;
    let share = done as f64 / all as f64;
    let exact = 1.0 / (1.0 + f64::from(band.low));
    for (place, ..) in &parts {
        for known in &mut walk.known[*place][usize::from(band.start)..=usize::from(band.end)] {
            *known = share * exact + (1.0 - share) * *known;
        }
    }
    if band.start == 0 && band.high == 0 && parts.iter().any(|(place, ..)| *place == 0) {
        let unit = match alone {
            // Blocks of the component itself: how many pixels of the picture each stands for.
            Some(_) => {
                let own = frame.parts[0].blocks;
                (8 * frame.most.0 / own.0, 8 * frame.most.1 / own.1)
            }
            None => (8 * frame.most.0, 8 * frame.most.1),
        };
        walk.there = Some((done, unit));
    }
    whole
}
