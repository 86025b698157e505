//! Finds the face in a portrait that came without a box. The detector is SeetaFace's for frontal
//! faces: its model is a part of the program, it asks no network and nothing of it is random. It sees
//! a small grey copy only, so that the largest photograph costs no more than any other.

use std::fmt;
use std::sync::OnceLock;

use rustface::{ImageData, Model, create_detector_with_model, read_model};
use zeroize::Zeroizing;

use super::scale::{luma, scale};
use super::{Area, Portrait};

/// The model as the `rustface` package has it; BSD licence beside it.
const MODEL: &[u8] = include_bytes!("../../assets/face-model/seeta_fd_frontal_v1.0.bin");
/// The longest side that the detector sees, in pixels.
const SIDE: u32 = 320;
/// The smallest face it looks for, in pixels of what it sees; the model knows none below 20.
const SMALLEST: u32 = 32;
/// How sure it has to be. In noise and patterns it is never surer than 1, of a face mostly 8 to 40.
const SURE: f64 = 2.0;

/// The detector. The model is read once, by whoever needs it first.
#[derive(Default)]
pub struct FaceFinder {
    model: OnceLock<Option<Model>>,
}

impl FaceFinder {
    /// A detector that has not read its model yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The face in a portrait, the surest one of several; `None` when there is none to be seen. Takes
    /// some hundredths of a second, so it belongs on a worker.
    #[must_use]
    pub fn find(&self, portrait: &Portrait) -> Option<Area> {
        let (width, height) = (portrait.width(), portrait.height());
        let by = f64::from(SIDE) / f64::from(width.max(height));
        let by = by.min(1.0);
        let smaller = |side: u32| (f64::from(side) * by).round() as u32;
        let seen = (smaller(width), smaller(height));
        if seen.0.min(seen.1) < SMALLEST {
            return None;
        }
        let whole = Area::whole(width, height);
        let rgb = scale(portrait.pixels(), (width, height), &whole, seen)?;
        let (pixels, _) = rgb.as_chunks::<3>();
        let grey: Zeroizing<Vec<u8>> = Zeroizing::new(pixels.iter().map(luma).collect());
        let model = self.model.get_or_init(|| read_model(MODEL).ok()).clone()?;
        let mut detector = create_detector_with_model(model);
        detector.set_min_face_size(SMALLEST);
        detector.set_score_thresh(SURE);
        let faces = detector.detect(&ImageData::new(&grey, seen.0, seen.1));
        let surest = faces.iter().max_by(|a, b| a.score().total_cmp(&b.score()))?;
        let found = surest.bbox();
        let (left, top) = (f64::from(found.x()) / by, f64::from(found.y()) / by);
        let (right, bottom) =
            (left + f64::from(found.width()) / by, top + f64::from(found.height()) / by);
        let (left, top) = (left.max(0.0), top.max(0.0));
        let (right, bottom) = (right.min(f64::from(width)), bottom.min(f64::from(height)));
        let inside = right > left && bottom > top;
        inside.then_some(Area { left, top, width: right - left, height: bottom - top })
    }
}

impl fmt::Debug for FaceFinder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaceFinder")
    }
}
