//! Pictures ready to be drawn, by case and side. A picture is found under its own case only, so a late
//! one can never appear under another.

use std::collections::HashMap;
use std::sync::Arc;

use crate::core::{Desk, Side, Sight};
use crate::domain::SessionId;
use crate::picture::{CellPicture, Tier};

/// What a frame shows: everything that changes its pixels.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FrameKey {
    /// The case.
    pub case: SessionId,
    /// Which picture of it.
    pub side: Side,
    /// Which part of the face, how near, how far moved: a late picture is never shown as another.
    pub sight: Sight,
    /// Mirrored or not.
    pub mirrored: bool,
    /// Cells it was made for: columns, rows.
    pub cells: (u16, u16),
}

impl FrameKey {
    /// The frame of the case on the desk, as it is looked at now.
    #[must_use]
    pub fn of(desk: &Desk, side: Side, cells: (u16, u16)) -> Self {
        let mirrored = desk.mirrored && !side.is_subject();
        Self { case: desk.key.clone(), side, sight: desk.sight, mirrored, cells }
    }
}

/// A picture ready for the terminal.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Columns it covers, at most those of the key.
    pub columns: u16,
    /// Rows it covers.
    pub rows: u16,
    /// How it gets onto the screen.
    pub body: FrameBody,
    /// Pixels between the eyes as displayed.
    pub eyes: Eyes,
    /// How much of the picture the terminal was sent, where there are degrees of it.
    pub tier: Option<Tier>,
}

/// Pixels between the eyes as displayed: what faces can be told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eyes {
    /// By the face's box, as the API gave it.
    Measured(u16),
    /// By the face that was found in the picture.
    Detected(u16),
    /// By where a portrait usually has its face.
    Guessed(u16),
}

impl Eyes {
    /// The number, however it was come by.
    #[must_use]
    pub fn pixels(self) -> u16 {
        match self {
            Self::Measured(pixels) | Self::Detected(pixels) | Self::Guessed(pixels) => pixels,
        }
    }
}

/// How a picture gets onto the screen.
#[derive(Clone)]
pub enum FrameBody {
    /// Sent to the terminal beforehand under this id; shown by placeholder characters.
    Placeholders(u32),
    /// Written at its place each time it has to be shown again (sixel, iTerm2).
    Inline(Arc<[u8]>),
    /// Characters and colours.
    Cells(Arc<CellPicture>),
}

impl std::fmt::Debug for FrameBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Placeholders(_) => "Placeholders",
            Self::Inline(_) => "Inline",
            Self::Cells(_) => "Cells",
        })
    }
}

/// All pictures ready to be drawn.
#[derive(Debug, Default)]
pub struct Gallery {
    frames: HashMap<FrameKey, Frame>,
}

impl Gallery {
    /// The frame for a key.
    #[must_use]
    pub fn get(&self, key: &FrameKey) -> Option<&Frame> {
        self.frames.get(key)
    }

    /// Puts a frame in; the one it replaces is given back.
    pub fn put(&mut self, key: FrameKey, frame: Frame) -> Option<Frame> {
        self.frames.insert(key, frame)
    }

    /// Takes out every frame that `keep` does not want.
    pub fn retain(&mut self, mut keep: impl FnMut(&FrameKey) -> bool) -> Vec<Frame> {
        let gone: Vec<FrameKey> = self.frames.keys().filter(|key| !keep(key)).cloned().collect();
        gone.iter().filter_map(|key| self.frames.remove(key)).collect()
    }
}
