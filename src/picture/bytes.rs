//! The bytes of one image file as they came, and what kind of file they are. Knows nothing of where
//! they came from, and judges them by their first bytes only: a content type is somebody's word.

use std::fmt::{self, Write as _};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::locked::Locked;

/// TIFF of either byte order, and BigTIFF.
const TIFF: [&[u8]; 4] = [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"];

/// The four kinds of image files that Didit takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// JFIF, Exif or bare JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// WebP, still or animated.
    Webp,
    /// TIFF of either byte order, BigTIFF too.
    Tiff,
}

impl Format {
    /// The kind of a file by its first bytes; `None` for anything else.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
            Some(Self::Jpeg)
        } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            Some(Self::Webp)
        } else if TIFF.iter().any(|head| bytes.starts_with(head)) {
            Some(Self::Tiff)
        } else {
            None
        }
    }
}

/// One image file in memory: a face. Wiped when dropped; `Debug` prints its size and nothing else.
pub struct PictureBytes {
    bytes: Locked,
    sha256: String,
    format: Format,
}

impl PictureBytes {
    /// Takes a file's bytes; `None` when they are not JPEG, PNG, WebP or TIFF (then they are wiped).
    #[must_use]
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Option<Self> {
        let format = Format::of(&bytes)?;
        let sha256 = hex(&Sha256::digest(&*bytes));
        Some(Self { bytes: Locked::new(&bytes), sha256, format })
    }

    /// The file itself.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the file, 64 lower-case hex digits: what a receipt says was seen.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What kind of file it is.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// The memory it holds, in bytes.
    #[must_use]
    pub fn held(&self) -> usize {
        self.bytes.held()
    }
}

impl fmt::Debug for PictureBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PictureBytes({} bytes)", self.bytes.len())
    }
}

fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_first_bytes_say() {
        let of = |bytes: &[u8]| Format::of(bytes);
        assert_eq!(of(b"\xff\xd8\xff\xe0rest"), Some(Format::Jpeg));
        assert_eq!(of(b"\x89PNG\r\n\x1a\nrest"), Some(Format::Png));
        assert_eq!(of(b"RIFF\0\0\0\0WEBPVP8 "), Some(Format::Webp));
        assert_eq!(of(b"II*\0rest"), Some(Format::Tiff));
        assert_eq!(of(b"MM\0*rest"), Some(Format::Tiff));
        assert_eq!(of(b"II+\0rest"), Some(Format::Tiff));
        assert_eq!(of(b"MM\0+rest"), Some(Format::Tiff));
        let others: [&[u8]; 7] =
            [b"", b"\xff\xd8", b"RIFF\0\0\0\0WAVE", b"GIF89a", b"<svg", b"<html>", b"%PDF-1.7"];
        for other in others {
            assert_eq!(of(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_picture_prints_its_size_and_nothing_else() {
        let bytes = PictureBytes::new(Zeroizing::new(b"II*\0secret".to_vec())).unwrap();
        assert_eq!(format!("{bytes:?}"), "PictureBytes(10 bytes)");
        let empty = hex(&Sha256::digest(b""));
        assert_eq!(empty, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
