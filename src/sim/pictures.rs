//! Turns a [`Picture`] into bytes when somebody asks for it, and keeps the newest few. The only
//! place that knows the drawing code.

use std::collections::VecDeque;
use std::io::Cursor;
use std::sync::{Arc, Mutex, PoisonError};

use image::imageops::replace;
use image::{ImageFormat, ImageReader, Limits, RgbImage};

use super::faces::{Format, HEIGHT, Identity, Shot, WIDTH, broken, draw, encode};
use super::world::{Coding, Face, Picture};

/// Drawn pictures kept, in bytes.
const CACHE: usize = 16 * 1024 * 1024;

/// A content type and the bytes.
pub(super) type File = (String, Arc<[u8]>);

/// The newest drawn pictures.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    files: VecDeque<(Picture, File)>,
    size: usize,
}

impl Pictures {
    /// The bytes of a picture. Drawing happens outside the lock, so two may draw the same one; it is
    /// the same bytes.
    pub(super) fn bytes(&self, picture: &Picture) -> File {
        if let Some(file) = self.kept(picture) {
            return file;
        }
        let file = made(picture);
        self.keep(picture.clone(), file.clone());
        file
    }

    fn kept(&self, picture: &Picture) -> Option<File> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.files.iter().position(|(own, _)| own == picture)?;
        let found = kept.files.remove(at)?;
        let file = found.1.clone();
        kept.files.push_front(found);
        Some(file)
    }

    fn keep(&self, picture: Picture, file: File) {
        if matches!(picture, Picture::Bytes(..)) {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.size += file.1.len();
        kept.files.push_front((picture, file));
        while kept.size > CACHE
            && let Some((_, (_, bytes))) = kept.files.pop_back()
        {
            kept.size -= bytes.len();
        }
    }
}

/// What the simulator sees in an uploaded file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// A picture with something on it, and its content type.
    Face(&'static str),
    /// A picture of one flat colour.
    Nobody(&'static str),
    /// No picture.
    Unreadable,
}

/// Looks at a file. Anything that is not of one flat colour counts as a face: the simulator cannot
/// tell.
pub(super) fn look(bytes: &[u8]) -> Seen {
    let Ok(mut reader) = ImageReader::new(Cursor::new(bytes)).with_guessed_format() else {
        return Seen::Unreadable;
    };
    let mut limits = Limits::default();
    limits.max_image_width = Some(12_000);
    limits.max_image_height = Some(12_000);
    limits.max_alloc = Some(256 * 1024 * 1024);
    reader.limits(limits);
    let kind = match reader.format() {
        Some(ImageFormat::Jpeg) => "image/jpeg",
        Some(ImageFormat::Png) => "image/png",
        Some(ImageFormat::WebP) => "image/webp",
        Some(ImageFormat::Tiff) => "image/tiff",
        _ => return Seen::Unreadable,
    };
    let Ok(picture) = reader.decode() else { return Seen::Unreadable };
    let grey = picture.to_luma8();
    let (low, high) =
        grey.iter().fold((u8::MAX, u8::MIN), |(low, high), p| (low.min(*p), high.max(*p)));
    if high.saturating_sub(low) < 24 { Seen::Nobody(kind) } else { Seen::Face(kind) }
}

/// The content type of a file with a face on it.
pub(super) fn face_kind(bytes: &[u8]) -> Option<&'static str> {
    match look(bytes) {
        Seen::Face(kind) => Some(kind),
        _ => None,
    }
}

fn made(picture: &Picture) -> File {
    match picture {
        Picture::Bytes(kind, bytes) => (kind.clone(), Arc::clone(bytes)),
        Picture::Drawn { face, shot, beside, coding } => {
            let bytes = drawn(*face, *shot, *beside, *coding);
            (content_type(*coding).to_owned(), bytes.into())
        }
    }
}

fn content_type(coding: Coding) -> &'static str {
    match coding {
        Coding::Png => "image/png",
        Coding::WebP => "image/webp",
        Coding::Tiff => "image/tiff",
        Coding::Jpeg | Coding::Turned(_) | Coding::Broken(_) => "image/jpeg",
    }
}

/// Draws a face as a file.
fn drawn(face: Face, shot: u64, beside: Option<Face>, coding: Coding) -> Vec<u8> {
    if let Coding::Broken(kind) = coding {
        return broken(kind, shot);
    }
    let shot = Shot::from_seed(shot);
    let portrait = |face: Face| draw(&identity(face), &shot, WIDTH, HEIGHT);
    let mut picture = portrait(face);
    if let Some(other) = beside {
        let mut both = RgbImage::new(2 * WIDTH, HEIGHT);
        replace(&mut both, &picture, 0, 0);
        replace(&mut both, &portrait(other), i64::from(WIDTH), 0);
        picture = both;
    }
    let format = match coding {
        Coding::Png => Format::Png,
        Coding::WebP => Format::WebP,
        Coding::Tiff => Format::Tiff,
        Coding::Turned(orientation) => Format::JpegTurned(orientation),
        Coding::Jpeg | Coding::Broken(_) => Format::Jpeg { quality: shot.quality },
    };
    encode(&picture, format)
}

fn identity(face: Face) -> Identity {
    let own = Identity::from_seed(face.identity);
    match face.like {
        Some((seed, nearness)) => own.look_alike(seed, nearness),
        None => own,
    }
}
