//! From an image file to upright RGB pixels of bounded size. The file is hostile: what it claims is
//! checked before memory is taken for it, and the buffers that held the face are wiped.

use std::fmt;
use std::sync::OnceLock;

use super::gap;
use super::locked::Locked;
use super::pose::Pose;
use super::read::{self, Loss, Percent};
use super::scale::scale;
use super::{FaceFinder, PictureBytes};
use crate::domain::BoundingBox;

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
    /// Nothing of it can be decoded: cut off at the beginning, or broken inside.
    #[error("The picture is damaged and cannot be shown; press r to fetch it again.")]
    Damaged,
    /// A correct file of a kind that is not read here; the kind in our words.
    #[error("The picture's kind ({0}) cannot be shown here; look at it in the Didit console.")]
    Unsupported(&'static str),
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
    missing: Option<Percent>,
    first_of_more: bool,
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

    /// How much of the picture is not there: the file ends early, or is broken inside. What is there is
    /// shown; the gap is marked in the pixels. A verdict on such a picture is one on a part of it.
    #[must_use]
    pub fn missing(&self) -> Option<Percent> {
        self.missing
    }

    /// The file holds more pictures than this one: the further frames of an animation, or pages.
    #[must_use]
    pub fn first_of_more(&self) -> bool {
        self.first_of_more
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

/// Decodes a picture: colours to sRGB by its profile, EXIF orientation, then `turn` degrees clockwise
/// (Didit's `best_angle`; only quarter turns count). Of an animation or of several pages the first one is
/// taken. Transparent parts become grey. A file that ends early or breaks inside is decoded as far as it
/// goes, and [`Portrait::missing`] says so.
///
/// # Errors
/// [`DecodeError`] when nothing of the file can be decoded, it is not readable here, or beyond `limits`.
pub fn decode(picture: &PictureBytes, turn: u16, limits: &Limits) -> Result<Portrait, DecodeError> {
    let still = read::read(picture.bytes(), picture.format(), limits)?;
    let sent = still.size;
    let pose = Pose::of_exif(still.orientation).then(Pose::of_turn(turn));
    let size = kept_size(sent, limits.keep_side);
    let mut rgb = if size == sent {
        still.rgb
    } else {
        let whole = Area::whole(sent.0, sent.1);
        scale(&still.rgb, sent, &whole, size).ok_or(DecodeError::Damaged)?
    };
    if let Some(profile) = &still.profile {
        read::to_srgb(&mut rgb, profile);
    }
    let mut pixels = pose.pixels((size.0 as usize, size.1 as usize), rgb);
    let (width, height) = pose.size(size);
    let missing = still.loss.as_ref().map(|loss| loss.percent);
    if let Some(loss) = &still.loss {
        let areas = upright(loss, sent, size, pose);
        gap::mark(&mut pixels, (width, height), &areas, loss.percent);
    }
    let (sha256, first_of_more) = (picture.sha256().to_owned(), still.first_of_more);
    let face = OnceLock::new();
    let pixels = Locked::new(&pixels);
    Ok(Portrait { width, height, pixels, sent, pose, sha256, missing, first_of_more, face })
}

/// Where the gaps of a picture lie once it has been scaled and set upright.
fn upright(loss: &Loss, sent: (u32, u32), size: (u32, u32), pose: Pose) -> Vec<[f64; 4]> {
    let scaled = (f64::from(size.0), f64::from(size.1));
    let by = (scaled.0 / f64::from(sent.0), scaled.1 / f64::from(sent.1));
    let areas = loss.areas().map(|[left, top, right, bottom]| {
        let (x0, y0) = pose.point(scaled, (left * by.0, top * by.1));
        let (x1, y1) = pose.point(scaled, (right * by.0, bottom * by.1));
        [x0.min(x1), y0.min(y1), x0.max(x1), y0.max(y1)]
    });
    areas.collect()
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
