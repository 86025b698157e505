//! From an image file to upright RGB pixels of bounded size. The file is hostile: what it claims is
//! checked before memory is taken for it, and the buffers that held the face are wiped.

use std::fmt;
use std::io::Cursor;
use std::sync::OnceLock;

use image::error::UnsupportedErrorKind;
use image::metadata::Orientation;
use image::{ColorType, ImageDecoder, ImageError, ImageReader};
use zeroize::Zeroizing;

use super::locked::Locked;
use super::pose::Pose;
use super::scale::scale;
use super::{FaceFinder, Format, PictureBytes};
use crate::domain::BoundingBox;

/// What is shown through a transparent picture: a neutral grey, which no face hides in.
const BEHIND: u32 = 128;

/// What decoding may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest side a file may claim, in pixels.
    pub max_side: u32,
    /// The most memory that decoding may take, in bytes.
    pub max_alloc: u64,
    /// Larger pictures are scaled down to this long side, in pixels, right after decoding.
    pub keep_side: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_side: 8192, max_alloc: 256 * 1024 * 1024, keep_side: 1600 }
    }
}

/// Why a file is no portrait. Carries nothing that the file says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Cut off, or broken inside.
    #[error("The picture is damaged and cannot be shown; press r to fetch it again.")]
    Damaged,
    /// A correct file of a kind that is not read here.
    #[error("The picture is of a kind that cannot be shown here; look at it in the Didit console.")]
    Unsupported,
    /// Claims more pixels than [`Limits`] allow.
    #[error("The picture has more pixels than allowed; look at it in the Didit console.")]
    TooLarge,
}

/// A rectangle in pixels of a [`Portrait`], whose top left corner is (0, 0).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// Left edge.
    pub left: f64,
    /// Top edge.
    pub top: f64,
    /// Width, greater than zero.
    pub width: f64,
    /// Height, greater than zero.
    pub height: f64,
}

impl Area {
    /// All of a picture of this size.
    #[must_use]
    pub fn whole(width: u32, height: u32) -> Self {
        Self { left: 0.0, top: 0.0, width: f64::from(width), height: f64::from(height) }
    }
}

/// A decoded picture, upright: RGB, 8 bits, rows from the top. Wiped when dropped; `Debug` prints
/// its size only.
pub struct Portrait {
    width: u32,
    height: u32,
    pixels: Locked,
    /// Size of the picture as it was sent, before scaling and turning.
    sent: (u32, u32),
    pose: Pose,
    sha256: String,
    /// Where its face is, once somebody has looked.
    face: OnceLock<Option<Area>>,
}

impl Portrait {
    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Red, green, blue of each pixel, row by row.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// SHA-256 of the file it was decoded from, hex.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Where its face is, if one is to be seen; looked for once.
    #[must_use]
    pub fn face(&self, finder: &FaceFinder) -> Option<Area> {
        *self.face.get_or_init(|| finder.find(self))
    }

    /// The memory it holds, in bytes.
    #[must_use]
    pub fn held(&self) -> usize {
        self.pixels.held()
    }

    /// Where a face box, given in pixels of the picture as it was sent, lies in this portrait: through
    /// scaling, EXIF orientation and turn, cut to the picture. `None` when it lies outside.
    #[must_use]
    pub fn place(&self, face: &BoundingBox) -> Option<Area> {
        let sent = (f64::from(self.sent.0), f64::from(self.sent.1));
        let (x0, y0) = self.pose.point(sent, (face.x_min, face.y_min));
        let (x1, y1) = self.pose.point(sent, (face.x_max, face.y_max));
        let upright = self.pose.size(sent);
        let (width, height) = (f64::from(self.width), f64::from(self.height));
        let across = |x: f64| (x * width / upright.0).clamp(0.0, width);
        let down = |y: f64| (y * height / upright.1).clamp(0.0, height);
        let (left, right) = (across(x0.min(x1)), across(x0.max(x1)));
        let (top, bottom) = (down(y0.min(y1)), down(y0.max(y1)));
        let inside = right > left && bottom > top;
        inside.then_some(Area { left, top, width: right - left, height: bottom - top })
    }
}

impl fmt::Debug for Portrait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Portrait({}x{})", self.width, self.height)
    }
}

/// Decodes a picture: EXIF orientation first, then `turn` degrees clockwise (Didit's `best_angle`;
/// only quarter turns count). Of an animation the first frame is taken. Transparent parts become
/// grey.
///
/// # Errors
/// [`DecodeError`] when the file is damaged, not readable here, or beyond `limits`.
pub fn decode(picture: &PictureBytes, turn: u16, limits: &Limits) -> Result<Portrait, DecodeError> {
    let mut reader =
        ImageReader::with_format(Cursor::new(picture.bytes()), picture.format().decoder());
    reader.limits(decoder_limits(limits));
    let mut decoder = reader.into_decoder().map_err(|error| sorted(&error))?;
    let sent = decoder.dimensions();
    check_claim(picture.format(), &decoder, limits)?;
    // A picture whose metadata are broken is still a picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let pose = Pose::of_exif(orientation).then(Pose::of_turn(turn));
    let color = decoder.color_type();
    let total = usize::try_from(decoder.total_bytes()).map_err(|_| DecodeError::Damaged)?;
    let mut raw = Zeroizing::new(vec![0; total]);
    decoder.read_image(&mut raw).map_err(|error| sorted(&error))?;
    let rgb = to_rgb8(color, raw).ok_or(DecodeError::Unsupported)?;
    let size = kept_size(sent, limits.keep_side);
    let rgb = if size == sent {
        rgb
    } else {
        let whole = Area::whole(sent.0, sent.1);
        scale(&rgb, sent, &whole, size).ok_or(DecodeError::Damaged)?
    };
    let pixels = pose.pixels((size.0 as usize, size.1 as usize), rgb);
    let (width, height) = pose.size(size);
    let sha256 = picture.sha256().to_owned();
    let pixels = Locked::new(&pixels);
    Ok(Portrait { width, height, pixels, sent, pose, sha256, face: OnceLock::new() })
}

fn decoder_limits(limits: &Limits) -> image::Limits {
    let mut own = image::Limits::default();
    own.max_image_width = Some(limits.max_side);
    own.max_image_height = Some(limits.max_side);
    own.max_alloc = Some(limits.max_alloc);
    own
}

/// Refuses a picture by what its header claims, before any pixel is decoded.
fn check_claim(
    format: Format,
    decoder: &impl ImageDecoder,
    limits: &Limits,
) -> Result<(), DecodeError> {
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(DecodeError::Damaged);
    }
    let cost = match format {
        // A progressive JPEG keeps 16-bit coefficients of all its pixels beside the pixels.
        Format::Jpeg => decoder.total_bytes().saturating_mul(3),
        Format::Png | Format::Webp | Format::Tiff => decoder.total_bytes(),
    };
    if width > limits.max_side || height > limits.max_side || cost > limits.max_alloc {
        return Err(DecodeError::TooLarge);
    }
    Ok(())
}

/// Sorts a decoder's error; its text may quote the file and therefore goes no further.
fn sorted(error: &ImageError) -> DecodeError {
    match error {
        ImageError::Limits(_) => DecodeError::TooLarge,
        ImageError::Unsupported(what) => match what.kind() {
            UnsupportedErrorKind::Format(_) => DecodeError::Damaged,
            _ => DecodeError::Unsupported,
        },
        _ => DecodeError::Damaged,
    }
}

/// Turns samples of any kind the decoders know into RGB, 8 bits, on grey where transparent.
fn to_rgb8(color: ColorType, raw: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
    if color == ColorType::Rgb8 {
        return Some(raw);
    }
    let channels = usize::from(color.channel_count());
    let depth = usize::from(color.bytes_per_pixel()) / channels.max(1);
    let sample: fn(&[u8]) -> u8 = match depth {
        1 => |bytes| bytes[0],
        2 => |bytes| (u16::from_ne_bytes([bytes[0], bytes[1]]) >> 8) as u8,
        4 => |bytes| {
            let value = f32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            (value.clamp(0.0, 1.0) * 255.0).round() as u8
        },
        _ => return None,
    };
    let pixels = raw.len() / (channels * depth);
    let mut rgb = Zeroizing::new(Vec::with_capacity(pixels * 3));
    for pixel in raw.chunks_exact(channels * depth) {
        let at = |n: usize| sample(&pixel[n * depth..]);
        let (colour, alpha) = match channels {
            1 => ([at(0); 3], 255),
            2 => ([at(0); 3], at(1)),
            3 => ([at(0), at(1), at(2)], 255),
            4 => ([at(0), at(1), at(2)], at(3)),
            _ => return None,
        };
        rgb.extend_from_slice(&colour.map(|value| over_grey(value, alpha)));
    }
    Some(rgb)
}

fn over_grey(value: u8, alpha: u8) -> u8 {
    let alpha = u32::from(alpha);
    ((u32::from(value) * alpha + BEHIND * (255 - alpha) + 127) / 255) as u8
}

/// The size of a picture whose long side is cut to `keep` pixels.
fn kept_size(size: (u32, u32), keep: u32) -> (u32, u32) {
    let long = size.0.max(size.1);
    if long <= keep {
        return size;
    }
    let smaller = |side: u32| {
        let scaled = (u64::from(side) * u64::from(keep) + u64::from(long) / 2) / u64::from(long);
        u32::try_from(scaled).unwrap_or(keep).max(1)
    };
    (smaller(size.0), smaller(size.1))
}
