//! From a file of one of the four formats to RGB pixels as they lie in it, and what of them is not there.
//! Knows formats and their kinds; turning, scaling and showing are [`super::decode`]'s.
//!
//! The decoders are others' (`KINDS` says whose); what they leave out is done here, and alike for all of
//! them: a file that ends early or breaks inside is shown as far as it goes, and says how far that is.

mod colour;
mod huffman;
mod jpeg;
mod kinds;
mod loss;
mod png;
mod tiff;
mod webp;

use std::io::{BufRead, Seek, SeekFrom};

use image::error::UnsupportedErrorKind;
use image::metadata::Orientation;
use image::{ImageDecoder, ImageError};
use zeroize::Zeroizing;

pub use kinds::{KINDS, Kind, Shown};
pub(super) use loss::Loss;
pub use loss::Percent;

use super::{DecodeError, Format, Limits};

/// What is shown through a transparent picture: a neutral grey, which no face hides in.
pub const BEHIND: u8 = 128;

/// A picture as it lies in its file.
pub(super) struct Still {
    pub size: (u32, u32),
    /// Red, green, blue, 8 bits each, rows from the top.
    pub rgb: Zeroizing<Vec<u8>>,
    pub orientation: Orientation,
    /// The ICC profile that the colours are meant by.
    pub profile: Option<Vec<u8>>,
    /// What of it is not there.
    pub loss: Option<Loss>,
    /// The file holds more pictures behind this one: an animation's frames, or pages.
    pub first_of_more: bool,
}

/// Reads a file's picture, the first one of several.
pub(super) fn read(bytes: &[u8], format: Format, limits: &Limits) -> Result<Still, DecodeError> {
    match format {
        Format::Jpeg => jpeg::read(bytes, limits),
        Format::Png => png::read(bytes, limits),
        Format::Webp => webp::read(bytes, limits),
        Format::Tiff => tiff::read(bytes, limits),
    }
}

/// Puts a picture's colours into sRGB, by its profile. A profile that cannot be read changes nothing.
pub(super) fn to_srgb(rgb: &mut Zeroizing<Vec<u8>>, profile: &[u8]) {
    colour::to_srgb(rgb, profile);
}

/// Whether a picture of this kind is shown here at all, by its headers alone: nothing is decoded, and a
/// damaged file is not found out. Asked before a file costs anything.
///
/// # Errors
/// [`DecodeError::Unsupported`] with the kind's name.
pub fn readable(mut file: impl BufRead + Seek, format: Format) -> Result<(), DecodeError> {
    let started = file.seek(SeekFrom::Start(0));
    let judged = match format {
        _ if started.is_err() => Ok(()),
        Format::Jpeg => jpeg::judge(file),
        Format::Tiff => tiff::judge(file),
        Format::Png | Format::Webp => Ok(()),
    };
    match judged {
        Err(DecodeError::Unsupported(kind)) => Err(DecodeError::Unsupported(kind)),
        Ok(()) | Err(DecodeError::Damaged | DecodeError::TooLarge) => Ok(()),
    }
}

/// Refuses a picture by what its header claims, before any pixel is decoded. `cost` is the memory that
/// decoding takes, in bytes.
fn check_claim(size: (u32, u32), cost: u64, limits: &Limits) -> Result<(), DecodeError> {
    if size.0 == 0 || size.1 == 0 {
        return Err(DecodeError::Damaged);
    }
    if size.0.max(size.1) > limits.max_side || cost > limits.max_alloc {
        return Err(DecodeError::TooLarge);
    }
    Ok(())
}

/// Pixels of a size.
fn count((width, height): (u32, u32)) -> u64 {
    u64::from(width) * u64::from(height)
}

fn decoder_limits(limits: &Limits) -> image::Limits {
    let mut own = image::Limits::default();
    own.max_image_width = Some(limits.max_side);
    own.max_image_height = Some(limits.max_side);
    own.max_alloc = Some(limits.max_alloc);
    own
}

/// All samples of a picture.
fn samples(mut decoder: impl ImageDecoder, limits: &Limits) -> Result<Vec<u8>, DecodeError> {
    decoder.set_limits(decoder_limits(limits)).map_err(|error| sorted(&error))?;
    let total = usize::try_from(decoder.total_bytes()).map_err(|_| DecodeError::TooLarge)?;
    let mut raw = Zeroizing::new(vec![0; total]);
    decoder.read_image(&mut raw).map_err(|error| sorted(&error))?;
    Ok(std::mem::take(&mut *raw))
}

/// Sorts a decoder's error; its text may quote the file and therefore goes no further.
fn sorted(error: &ImageError) -> DecodeError {
    match error {
        ImageError::Limits(_) => DecodeError::TooLarge,
        ImageError::Unsupported(what) => match what.kind() {
            UnsupportedErrorKind::Format(_) => DecodeError::Damaged,
            _ => DecodeError::Unsupported("a rare one"),
        },
        _ => DecodeError::Damaged,
    }
}

/// The orientation that an EXIF block names. Some programs put `Exif` and two zero bytes before it in
/// every container, as JPEG wants it.
fn orientation_of(exif: Option<&[u8]>) -> Orientation {
    let block = exif.map(|block| block.strip_prefix(b"Exif\0\0").unwrap_or(block));
    block.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms)
}
