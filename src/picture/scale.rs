//! Scaling of RGB pixels with Lanczos, in buffers that are wiped. Knows pixels and rectangles, and
//! nothing of faces.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{PixelType, ResizeOptions, Resizer};
use zeroize::Zeroizing;

use super::Area;

/// Cuts `crop` out of RGB pixels of `size` and scales it to `wanted`; `None` when a side is zero or
/// `crop` does not lie inside.
pub(super) fn scale(
    rgb: &[u8],
    size: (u32, u32),
    crop: &Area,
    wanted: (u32, u32),
) -> Option<Zeroizing<Vec<u8>>> {
    if wanted.0 == 0 || wanted.1 == 0 {
        return None;
    }
    let length = usize::try_from(u64::from(wanted.0) * u64::from(wanted.1) * 3).ok()?;
    let mut scaled = Zeroizing::new(vec![0; length]);
    let from = ImageRef::new(size.0, size.1, rgb, PixelType::U8x3).ok()?;
    let mut to = Image::from_slice_u8(wanted.0, wanted.1, &mut scaled, PixelType::U8x3).ok()?;
    // A cut that ends at the edge may pass it by a rounding error, which the scaler refuses.
    let within = |start: f64, length: f64, side: u32| {
        if start + length > f64::from(side) { length - 1e-6 } else { length }
    };
    let width = within(crop.left, crop.width, size.0);
    let height = within(crop.top, crop.height, size.1);
    let options = ResizeOptions::new().crop(crop.left, crop.top, width, height);
    Resizer::new().resize(&from, &mut to, &options).ok()?;
    drop(to);
    Some(scaled)
}

/// How light a colour is, 0 to 255 (ITU-R BT.601).
pub(super) fn luma([r, g, b]: &[u8; 3]) -> u8 {
    let sum = 299 * u32::from(*r) + 587 * u32::from(*g) + 114 * u32::from(*b);
    (sum / 1000) as u8
}
