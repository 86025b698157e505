//! PNG: by `png`, row by row, so that what came before a cut is kept. A chunk of pixels whose checksum is
//! wrong is not believed, nor is anything behind it.

use std::io::Cursor;

use png::{
    BitDepth, ColorType, Decoder, DecodingError, InterlaceInfo, Reader, Transformations,
    splat_interlaced_row,
};
use zeroize::Zeroizing;

use super::colour::to_rgb;
use super::{DecodeError, Limits, Loss, Percent, Still, check_claim, count, orientation_of};

pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Still, DecodeError> {
    let bytes = sound(bytes);
    let most = usize::try_from(limits.max_alloc).unwrap_or(usize::MAX);
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: most });
    decoder.set_ignore_text_chunk(true);
    let size = decoder.read_header_info().map_err(|error| sorted(&error))?.size();
    check_claim(size, 0, limits)?;
    // Palettes become colours, and fewer than 8 bits become 8.
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(|error| sorted(&error))?;
    let (colour, depth) = reader.output_color_type();
    let channels = match colour {
        ColorType::Grayscale => 1,
        ColorType::GrayscaleAlpha => 2,
        ColorType::Rgb => 3,
        ColorType::Rgba => 4,
        ColorType::Indexed => return Err(DecodeError::Damaged),
    };
    let deep = depth == BitDepth::Sixteen;
    let pixel = channels * if deep { 2 } else { 1 };
    check_claim(size, count(size) * pixel as u64, limits)?;
    let (raw, there) = rows(&mut reader, size, pixel)?;
    let loss = there.loss(size);
    let info = reader.info();
    let orientation = orientation_of(info.exif_metadata.as_deref());
    let profile = info.icc_profile.as_ref().map(|profile| profile.to_vec());
    let first_of_more = info.animation_control.is_some_and(|frames| frames.num_frames > 1);
    let rgb = to_rgb(channels, deep, raw).ok_or(DecodeError::Damaged)?;
    Ok(Still { size, rgb, orientation, profile, loss, first_of_more })
}

/// How far the pixels came.
enum There {
    /// So many rows from the top.
    Rows(u32),
    /// So many pixels of all, spread over the picture.
    Pixels(u64),
}

impl There {
    fn loss(&self, size: (u32, u32)) -> Option<Loss> {
        match *self {
            Self::Rows(rows) => Loss::behind(u64::from(rows), (size.0, 1), size),
            Self::Pixels(pixels) if pixels < count(size) => {
                let share = 1.0 - pixels as f64 / count(size) as f64;
                Some(Loss { percent: Percent::of(share), holes: Vec::new() })
            }
            Self::Pixels(_) => None,
        }
    }
}

/// All rows that can be read.
fn rows(
    reader: &mut Reader<Cursor<&[u8]>>,
    size: (u32, u32),
    pixel: usize,
) -> Result<(Vec<u8>, There), DecodeError> {
    let (width, height) = (size.0 as usize, size.1 as usize);
    let stride = width * pixel;
    let mut raw = Zeroizing::new(vec![super::BEHIND; stride * height]);
    let mut row = Zeroizing::new(vec![0; stride]);
    let (mut plain, mut spread) = (0, None);
    loop {
        match reader.read_row(&mut row) {
            Ok(None) => break,
            Ok(Some(InterlaceInfo::Null(_))) => {
                let at = plain as usize * stride;
                let Some(place) = raw.get_mut(at..at + stride) else { break };
                place.copy_from_slice(&row);
                plain += 1;
            }
            Ok(Some(InterlaceInfo::Adam7(pass))) => {
                let bits = u8::try_from(pixel * 8).map_err(|_| DecodeError::Damaged)?;
                splat_interlaced_row(&mut raw, stride, &row, &pass, bits);
                *spread.get_or_insert(0) += 1;
            }
            Err(error) if plain == 0 && spread.is_none() => return Err(sorted(&error)),
            Err(_) => break,
        }
    }
    let there = spread.map_or(There::Rows(plain), |rows: usize| {
        There::Pixels(passes(size).take(rows).map(u64::from).sum())
    });
    Ok((std::mem::take(&mut *raw), there))
}

/// Pixels in each row of the seven passes over a picture, in the order they come (PNG, 8.2).
fn passes(size: (u32, u32)) -> impl Iterator<Item = u32> {
    const PASSES: [(u32, u32, u32, u32); 7] = [
        (0, 8, 0, 8),
        (4, 8, 0, 8),
        (0, 4, 4, 8),
        (2, 4, 0, 4),
        (0, 2, 2, 4),
        (1, 2, 0, 2),
        (0, 1, 1, 2),
    ];
    PASSES.into_iter().flat_map(move |(left, across, top, down)| {
        let columns = size.0.saturating_sub(left).div_ceil(across);
        let rows = if columns == 0 { 0 } else { size.1.saturating_sub(top).div_ceil(down) };
        std::iter::repeat_n(columns, rows as usize)
    })
}

fn sorted(error: &DecodingError) -> DecodeError {
    match error {
        DecodingError::LimitsExceeded => DecodeError::TooLarge,
        DecodingError::IoError(_) | DecodingError::Format(_) | DecodingError::Parameter(_) => {
            DecodeError::Damaged
        }
    }
}

/// A file up to the first chunk of pixels with a wrong checksum. A chunk that is cut off stays: what
/// there is of it may be right.
fn sound(bytes: &[u8]) -> &[u8] {
    let mut at = 8;
    loop {
        let Some((length, kind)) = head(bytes, at) else { return bytes };
        let Some(sum) = bytes.get(at + 8 + length..at + 12 + length) else { return bytes };
        if kind == b"IDAT" && crc32fast::hash(&bytes[at + 4..at + 8 + length]).to_be_bytes() != sum
        {
            return &bytes[..at];
        }
        at += 12 + length;
    }
}

/// Length and name of the chunk at a place.
fn head(bytes: &[u8], at: usize) -> Option<(usize, &[u8])> {
    let length = u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?);
    let length = usize::try_from(length).ok().filter(|length| *length < 1 << 31)?;
    Some((length, bytes.get(at + 4..at + 8)?))
}
