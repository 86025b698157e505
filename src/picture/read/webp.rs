//! WebP: by `image-webp`, through `image`. It gives no pixel of a file that ends early. So what is not
//! there is put there in several ways, and what comes out the same each time did not hang on it.

use std::io::Cursor;

use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{ColorType, ImageDecoder};
use zeroize::Zeroizing;

use super::colour::to_rgb;
use super::{
    DecodeError, Limits, Loss, Still, check_claim, count, orientation_of, samples, sorted,
};

/// What is put where bytes are missing. Some of them make no sense to the decoder in some places.
const STUFFING: [u8; 5] = [0x00, 0xff, 0x55, 0xaa, 0x33];

pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Still, DecodeError> {
    let Some(cut) = Cut::of(bytes) else { return whole(bytes, limits) };
    let (mut seen, mut made): (Option<Still>, _) = (None, 0);
    // The first place where two of them differ: row and column of the unit, by its index.
    let mut first: Option<u64> = None;
    let unit = if cut.lossy { (16, 16) } else { (1, 1) };
    for stuffing in STUFFING {
        let Ok(still) = whole(&cut.stuffed(stuffing, limits)?, limits) else { continue };
        made += 1;
        match &seen {
            None => seen = Some(still),
            Some(before) => {
                let differs = differs(before, &still, cut.lossy);
                first = first.into_iter().chain(differs).min();
                if let Some(0) = first {
                    break;
                }
            }
        }
    }
    // Where none of the ways made a picture, or only one, nobody knows what of it is right.
    let mut still = seen.ok_or(DecodeError::Damaged)?;
    still.loss = first.and_then(|first| Loss::behind(first, unit, still.size));
    if first == Some(0) || cut.picture && made < 2 {
        return Err(DecodeError::Damaged);
    }
    Ok(still)
}

/// The first unit that differs: a pixel, or where pixels hang on their block a block of 16.
fn differs(a: &Still, b: &Still, lossy: bool) -> Option<u64> {
    let width = u64::from(a.size.0);
    let mut pixels = a.rgb.as_chunks::<3>().0.iter().zip(b.rgb.as_chunks::<3>().0);
    let at = pixels.position(|(a, b)| a != b)? as u64;
    if !lossy {
        return Some(at);
    }
    // The filter between blocks reaches up to 8 pixels into those that are right.
    let row = (at / width + 8) / 16;
    let across = width.div_ceil(16);
    let rows = row * 16 * width..(row + 1) * 16 * width;
    let within = |n: u64| rows.contains(&n);
    let pairs = a.rgb.as_chunks::<3>().0.iter().zip(b.rgb.as_chunks::<3>().0);
    let columns = (0u64..).zip(pairs).filter(|(n, (a, b))| within(*n) && a != b);
    let column = columns.map(|(n, _)| (n % width + 8) / 16).min().unwrap_or(0);
    Some(row * across + column.min(across - 1))
}

fn whole(bytes: &[u8], limits: &Limits) -> Result<Still, DecodeError> {
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(|error| sorted(&error))?;
    let size = decoder.dimensions();
    check_claim(size, decoder.total_bytes().max(count(size) * 3), limits)?;
    // A picture whose metadata are broken is still a picture.
    let exif = decoder.exif_metadata().unwrap_or(None);
    let orientation =
        exif.as_deref().map_or(Orientation::NoTransforms, |exif| orientation_of(Some(exif)));
    let profile = decoder.icc_profile().unwrap_or(None);
    let first_of_more = decoder.has_animation();
    let channels = if decoder.color_type() == ColorType::Rgba8 { 4 } else { 3 };
    let raw = samples(decoder, limits)?;
    let rgb = to_rgb(channels, false, raw).ok_or(DecodeError::Damaged)?;
    Ok(Still { size, rgb, orientation, profile, loss: None, first_of_more })
}

/// A file that ends within a chunk.
struct Cut<'a> {
    bytes: &'a [u8],
    /// How long it would be.
    claimed: usize,
    lossy: bool,
    /// What is cut is a picture, and not something about it.
    picture: bool,
    /// Where the lengths stand that end with the file.
    lengths: Vec<usize>,
}

impl<'a> Cut<'a> {
    /// `None` when the file is all there.
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let (mut at, mut lossy) = (12, false);
        let number =
            |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?) as usize);
        let end = number(4)?.checked_add(8)?;
        while at < end {
            let Some(length) = number(at + 4) else {
                // Cut between two chunks, or within the head of one.
                let bytes = &bytes[..at.min(bytes.len())];
                return Some(Self {
                    bytes,
                    claimed: at,
                    lossy,
                    picture: false,
                    lengths: Vec::new(),
                });
            };
            lossy |= bytes.get(at..at + 4) == Some(b"VP8 ");
            if bytes.get(at..at + 4) == Some(b"ANMF") {
                // The frame's own chunk stands behind 16 bytes, a lossy one perhaps behind its alpha.
                let frame = &bytes[at..];
                lossy |= matches!(frame.get(24..28), Some(b"VP8 " | b"ALPH"));
            }
            let next = at.checked_add(8)?.checked_add(length)?.checked_add(length & 1)?;
            if next > bytes.len() {
                let kind = bytes.get(at..at + 4);
                let picture = matches!(kind, Some(b"VP8 " | b"VP8L" | b"ALPH" | b"ANMF"));
                let mut lengths = vec![at + 4];
                // A frame's own chunk, if it is the last one of the frame.
                let own = at + 28;
                if kind == Some(b"ANMF")
                    && let Some(length) = number(own)
                    && own.checked_add(4)?.checked_add(length)? + (length & 1) == next
                {
                    lengths.push(own);
                }
                let claimed = at + 8 + length;
                return Some(Self { bytes, claimed, lossy, picture, lengths });
            }
            at = next;
        }
        None
    }

    /// The file with something in place of what is missing. What is promised to follow is not asked for.
    fn stuffed(&self, with: u8, limits: &Limits) -> Result<Zeroizing<Vec<u8>>, DecodeError> {
        // More than was promised, for what is put there may need more room.
        let room = if self.lengths.is_empty() {
            0
        } else {
            ((self.claimed - self.bytes.len().min(self.claimed)) * 8 + 4096) & !1
        };
        let whole = self.claimed.saturating_add(room).max(12);
        if whole as u64 > limits.max_alloc {
            return Err(DecodeError::Damaged);
        }
        let mut file = Zeroizing::new(Vec::with_capacity(whole));
        file.extend_from_slice(self.bytes);
        file.resize(whole, with);
        for at in &self.lengths {
            let Some(place) = file.get_mut(*at..at + 4) else { continue };
            let longer =
                u32::from_le_bytes([place[0], place[1], place[2], place[3]]) as usize + room;
            let longer = u32::try_from(longer).map_err(|_| DecodeError::Damaged)?;
            place.copy_from_slice(&longer.to_le_bytes());
        }
        let length = u32::try_from(file.len() - 8).map_err(|_| DecodeError::Damaged)?;
        file[4..8].copy_from_slice(&length.to_le_bytes());
        if file.get(12..16) == Some(b"VP8X")
            && let Some(flags) = file.get_mut(20)
        {
            // EXIF and XMP, which stand at the end.
            *flags &= !0x0c;
        }
        Ok(file)
    }
}
