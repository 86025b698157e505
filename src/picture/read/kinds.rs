//! The kinds of pictures within the four formats, each with what becomes of it. A test makes a file of
//! each and holds the table to it.

use super::super::Format;

/// What becomes of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Shown, by this crate, of this version at least.
    By(&'static str),
    /// Refused, with these words in [`super::DecodeError::Unsupported`].
    Refused(&'static str),
}

/// One kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The format it belongs to.
    pub format: Format,
    /// What is particular to it.
    pub name: &'static str,
    /// What becomes of it.
    pub shown: Shown,
}

const fn kind(format: Format, name: &'static str, shown: Shown) -> Kind {
    Kind { format, name, shown }
}

const ZUNE: Shown = Shown::By("zune-jpeg 0.5.15");
const PNG: Shown = Shown::By("png 0.18.1");
const WEBP: Shown = Shown::By("image-webp 0.2.4");
/// The directory by `tiff`; strips, tiles and colours are put together here.
const TIFF: Shown = Shown::By("tiff 0.11.3");

use Format::{Jpeg, Png, Tiff, Webp};
use Shown::Refused;

/// All kinds that are known of.
pub const KINDS: &[Kind] = &[
    kind(Jpeg, "baseline", ZUNE),
    kind(Jpeg, "progressive", ZUNE),
    kind(Jpeg, "grey", ZUNE),
    kind(Jpeg, "RGB by an Adobe marker", ZUNE),
    kind(Jpeg, "CMYK by an Adobe marker", ZUNE),
    kind(Jpeg, "restart markers", ZUNE),
    kind(Jpeg, "several pictures (MPO): the first", ZUNE),
    kind(Jpeg, "no end marker", ZUNE),
    kind(Jpeg, "Display P3 profile", Shown::By("moxcms 0.8.1")),
    kind(Jpeg, "12 bits", Refused("JPEG of 12 bits a colour")),
    kind(Jpeg, "arithmetic-coded", Refused("arithmetic-coded JPEG")),
    kind(Jpeg, "lossless", Refused("lossless JPEG")),
    kind(Png, "RGB", PNG),
    kind(Png, "grey", PNG),
    kind(Png, "1, 2 and 4 bits", PNG),
    kind(Png, "16 bits, by scaling", PNG),
    kind(Png, "palette", PNG),
    kind(Png, "palette, partly transparent", PNG),
    kind(Png, "alpha, over grey", PNG),
    kind(Png, "interlaced", PNG),
    kind(Png, "animation: the first frame", PNG),
    kind(Png, "EXIF orientation", PNG),
    kind(Webp, "lossless", WEBP),
    kind(Webp, "lossy", WEBP),
    kind(Webp, "alpha, over grey", WEBP),
    kind(Webp, "animation: the first frame", WEBP),
    kind(Webp, "EXIF orientation", WEBP),
    kind(Webp, "EXIF orientation behind `Exif` and two zero bytes", WEBP),
    kind(Tiff, "RGB", TIFF),
    kind(Tiff, "high byte first", TIFF),
    kind(Tiff, "BigTIFF", TIFF),
    kind(Tiff, "orientation", TIFF),
    kind(Tiff, "several pages: the first", TIFF),
    kind(Tiff, "tiles", TIFF),
    kind(Tiff, "planes one after the other", TIFF),
    kind(Tiff, "1 bit", TIFF),
    kind(Tiff, "2 and 4 bits of grey", TIFF),
    kind(Tiff, "grey with white as zero", TIFF),
    kind(Tiff, "16 bits, by scaling", TIFF),
    kind(Tiff, "32-bit float", TIFF),
    kind(Tiff, "palette", TIFF),
    kind(Tiff, "alpha, over grey", TIFF),
    kind(Tiff, "CMYK", TIFF),
    kind(Tiff, "YCbCr", TIFF),
    kind(Tiff, "YCbCr of half the resolution", TIFF),
    kind(Tiff, "CIE Lab", TIFF),
    kind(Tiff, "ICC Lab", TIFF),
    kind(Tiff, "LZW", Shown::By("weezl 0.1.12")),
    kind(Tiff, "Deflate", Shown::By("flate2 1.1")),
    kind(Tiff, "differences to the left neighbour", TIFF),
    kind(Tiff, "PackBits", TIFF),
    kind(Tiff, "Group 4", Shown::By("fax 0.2.7")),
    kind(Tiff, "JPEG", ZUNE),
    kind(Tiff, "JPEG with tables apart", ZUNE),
    kind(Tiff, "JPEG of the old style", ZUNE),
    kind(Tiff, "zstd", Shown::By("ruzstd 0.9")),
    kind(Tiff, "WebP", WEBP),
    kind(Tiff, "LZMA", Refused("TIFF compressed by LZMA")),
    kind(Tiff, "JPEG 2000", Refused("TIFF compressed by JPEG 2000")),
    kind(Tiff, "raw sensor data", Refused("TIFF of a rare kind")),
    kind(Tiff, "ITU Lab", Refused("TIFF in ITU Lab colours")),
];
