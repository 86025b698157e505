//! TIFF. The directory is read by `tiff`, of either byte order and of both sizes (BigTIFF); strips and tiles
//! are unpacked by the decoder of each compression, as far as they go, and put together here, because `tiff`
//! gives nothing of a strip that ends early and knows no palettes, no Lab, no YCbCr of half resolution.

use std::io::{BufRead, Cursor, ErrorKind, Read, Seek};
use std::iter;

use fax::decoder::{DecodeStatus, Group4Decoder, decode_g3, pels};
use flate2::read::ZlibDecoder;
use image::ImageDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use ruzstd::decoding::StreamingDecoder;
use tiff::decoder::Decoder;
use tiff::tags::{ByteOrder, Tag};
use tiff::{TiffError, TiffFormatError};
use weezl::BitOrder;
use zeroize::Zeroizing;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::colour::{eight, lab, over_grey};
use super::loss::Hole;
use super::{DecodeError, Limits, Loss, Percent, Still, check_claim, count, jpeg};

/// Gaps that are marked; all are counted. A file may have as many strips as it has bytes.
const MOST_HOLES: usize = 4096;

pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Still, DecodeError> {
    let mut directory = Decoder::new(Cursor::new(bytes)).map_err(|error| sorted(&error))?;
    let size = directory.dimensions().map_err(|error| sorted(&error))?;
    check_claim(size, count(size) * 3, limits)?;
    let page = Page::of(&mut directory)?;
    let kind = page.kind()?;
    let orientation = page.orientation;
    let profile = directory.get_tag_u8_vec(Tag::IccProfile).ok();
    let first_of_more = directory.more_images();
    if page.packing == Packing::OldJpeg {
        let still = old_jpeg(bytes, &mut directory, limits)?;
        return Ok(Still { orientation, first_of_more, ..still });
    }
    // A strip is unpacked whole, so it counts as the picture does.
    let piece = page.piece_bytes().and_then(|piece| piece.checked_mul(page.planes() as u64));
    let piece = piece.ok_or(DecodeError::TooLarge)?;
    check_claim(size, piece.saturating_add(count(size) * 3), limits)?;
    let scale = page.scale(bytes);
    let mut rgb = Zeroizing::new(vec![super::BEHIND; (count(size) * 3) as usize]);
    let mut holes = Vec::new();
    let mut lost = 0;
    for n in 0..page.pieces() {
        let piece = page.unpack(bytes, n);
        page.paint(&piece, n, kind, scale, &mut rgb);
        if let Some(hole) = page.hole(&piece, n) {
            lost += count((hole.2 - hole.0, hole.3 - hole.1));
            if holes.len() < MOST_HOLES {
                holes.push(hole);
            }
        }
    }
    if lost == count(size) {
        return Err(DecodeError::Damaged);
    }
    let percent = Percent::of(lost as f64 / count(size) as f64);
    let loss = (lost > 0).then_some(Loss { percent, holes });
    Ok(Still { size, rgb, orientation, profile, loss, first_of_more })
}

/// Whether the kind of a TIFF is shown, by its directory.
pub(super) fn judge(file: impl BufRead + Seek) -> Result<(), DecodeError> {
    let mut directory = Decoder::new(file).map_err(|error| sorted(&error))?;
    Page::of(&mut directory)?.kind().map(|_| ())
}

fn sorted(error: &TiffError) -> DecodeError {
    match error {
        TiffError::UnsupportedError(_) => DecodeError::Unsupported("TIFF of a rare kind"),
        // What says nothing of its strips may be the old-style JPEG of some scanners.
        TiffError::FormatError(TiffFormatError::StripTileTagConflict) => {
            DecodeError::Unsupported("TIFF without strips")
        }
        TiffError::LimitsExceeded => DecodeError::TooLarge,
        TiffError::FormatError(_)
        | TiffError::IoError(_)
        | TiffError::IntSizeError
        | TiffError::UsageError(_) => DecodeError::Damaged,
    }
}

/// How a strip is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Plain,
    Group3,
    Group4,
    Lzw,
    OldJpeg,
    Jpeg,
    Deflate,
    PackBits,
    Zstd,
    Webp,
}

/// What a sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Whole,
    Signed,
    Float,
}

/// What the samples of a pixel mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Grey { inverted: bool },
    Rgb,
    Palette,
    Cmyk,
    YCbCr,
    Lab { icc: bool },
}

/// The transparency of a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alpha {
    None,
    /// The colours are as they were.
    Straight,
    /// The colours are darker by it already.
    Done,
}

/// What the directory says of the first picture.
struct Page {
    size: (u32, u32),
    bits: u32,
    samples: usize,
    meaning: u16,
    packing: Packing,
    form: Form,
    planar: bool,
    predictor: u16,
    extra: Vec<u16>,
    /// Size of a tile, or of a strip.
    piece: (u32, u32),
    tiled: bool,
    places: Vec<u64>,
    lengths: Vec<u64>,
    /// Pixels that share a colour, across and down.
    shared: (u32, u32),
    palette: Vec<u16>,
    tables: Option<Vec<u8>>,
    reversed: bool,
    two_dimensional: bool,
    swapped: bool,
    orientation: Orientation,
    /// Shares of red, green, blue in the lightness.
    light: [f32; 3],
    /// Black and white of lightness and of the two colours.
    reference: [f32; 6],
}

impl Page {
    fn of<R: BufRead + Seek>(directory: &mut Decoder<R>) -> Result<Self, DecodeError> {
        let swapped = directory.byte_order() == ByteOrder::BigEndian;
        let size = directory.dimensions().map_err(|error| sorted(&error))?;
        let mut list =
            |tag| directory.find_tag_unsigned_vec::<u64>(tag).ok().flatten().unwrap_or_default();
        let mut one = |tag, usual: u64| list(tag).first().copied().unwrap_or(usual);
        let short = |value: u64| u16::try_from(value).unwrap_or(u16::MAX);
        let side = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        let tile = (side(one(Tag::TileWidth, 0)), side(one(Tag::TileLength, 0)));
        let tiled = tile.0 > 0 && tile.1 > 0;
        let rows = side(one(Tag::RowsPerStrip, u64::from(size.1))).clamp(1, size.1);
        let packing = packing(short(one(Tag::Compression, 1)))?;
        let form = match one(Tag::SampleFormat, 1) {
            2 => Form::Signed,
            3 => Form::Float,
            _ => Form::Whole,
        };
        let samples = one(Tag::SamplesPerPixel, 1).min(64) as usize;
        let (bits, meaning) =
            (side(one(Tag::BitsPerSample, 1)), short(one(Tag::PhotometricInterpretation, 1)));
        let (planar, predictor) =
            (one(Tag::PlanarConfiguration, 1) == 2, short(one(Tag::Predictor, 1)));
        let reversed = one(Tag::FillOrder, 1) == 2;
        let two_dimensional = one(Tag::Unknown(292), 0) & 1 == 1;
        let orientation = Orientation::from_exif(one(Tag::Orientation, 1).min(255) as u8);
        let shorts = |values: Vec<u64>| values.into_iter().map(short).collect::<Vec<u16>>();
        let extra = shorts(list(Tag::ExtraSamples));
        let palette = shorts(list(Tag::ColorMap));
        let shared = list(Tag::ChromaSubsampling);
        let shared = match (meaning, packing, &shared[..]) {
            (6, Packing::Jpeg, _) => (1, 1),
            (6, _, [across, down]) => (side(*across), side(*down)),
            (6, _, _) => (2, 2),
            _ => (1, 1),
        };
        let (places, lengths) = match tiled {
            true => (list(Tag::TileOffsets), list(Tag::TileByteCounts)),
            false => (list(Tag::StripOffsets), list(Tag::StripByteCounts)),
        };
        let mut floats = |tag| {
            let value = directory.find_tag(tag).ok().flatten();
            value.and_then(|value| value.into_f32_vec().ok()).unwrap_or_default()
        };
        let light = floats(Tag::Unknown(529)).try_into().unwrap_or([0.299, 0.587, 0.114]);
        let full = [0.0, 255.0, 128.0, 255.0, 128.0, 255.0];
        let reference = floats(Tag::Unknown(532)).try_into().unwrap_or(full);
        let tables = directory.get_tag_u8_vec(Tag::JPEGTables).ok();
        Ok(Self {
            size,
            bits,
            samples,
            meaning,
            packing,
            form,
            planar,
            predictor,
            extra,
            piece: if tiled { tile } else { (size.0, rows) },
            tiled,
            places,
            lengths,
            shared,
            palette,
            tables,
            reversed,
            two_dimensional,
            swapped,
            orientation: orientation.unwrap_or(Orientation::NoTransforms),
            light,
            reference,
        })
    }

    /// What the samples mean, if that is shown here.
    fn kind(&self) -> Result<Kind, DecodeError> {
        let refused = |kind| Err(DecodeError::Unsupported(kind));
        let kind = match self.meaning {
            0 => Kind::Grey { inverted: true },
            1 => Kind::Grey { inverted: false },
            2 => Kind::Rgb,
            3 => Kind::Palette,
            5 => Kind::Cmyk,
            6 => Kind::YCbCr,
            8 => Kind::Lab { icc: false },
            9 => Kind::Lab { icc: true },
            10 => return refused("TIFF in ITU Lab colours"),
            _ => return refused("TIFF of a rare kind of colours"),
        };
        let needed = match kind {
            Kind::Grey { .. } | Kind::Palette => 1,
            Kind::Rgb | Kind::YCbCr | Kind::Lab { .. } => 3,
            Kind::Cmyk => 4,
        };
        if self.samples < needed || self.samples > 16 {
            return refused("TIFF with another number of colours than it should have");
        }
        let fits = match (kind, self.form) {
            (_, Form::Float) => {
                matches!(self.bits, 16 | 32 | 64) && matches!(kind, Kind::Grey { .. } | Kind::Rgb)
            }
            (Kind::Lab { .. } | Kind::YCbCr, _) => matches!(self.bits, 8 | 16),
            (Kind::Palette, Form::Whole) => matches!(self.bits, 1 | 2 | 4 | 8 | 16),
            (_, Form::Whole) => matches!(self.bits, 1 | 2 | 4 | 8 | 16 | 32),
            (Kind::Grey { .. }, Form::Signed) => matches!(self.bits, 8 | 16 | 32),
            (_, Form::Signed) => false,
        };
        if !fits {
            return refused("TIFF with samples of a rare size");
        }
        if self.shared != (1, 1) && (self.planar || self.bits != 8 || self.predictor != 1) {
            return refused("TIFF of a rare kind of YCbCr");
        }
        if self.shared.0 == 0 || self.shared.1 == 0 || self.shared.0 > 4 || self.shared.1 > 4 {
            return Err(DecodeError::Damaged);
        }
        let fax = matches!(self.packing, Packing::Group3 | Packing::Group4);
        if fax
            && (self.bits != 1
                || self.samples != 1
                || self.two_dimensional && self.packing == Packing::Group3)
        {
            return refused("TIFF of a rare kind of fax");
        }
        let eight_only = matches!(self.packing, Packing::Jpeg | Packing::Webp);
        if eight_only && (self.bits != 8 || self.planar && self.packing == Packing::Webp) {
            return refused("TIFF with samples of a rare size");
        }
        if kind == Kind::Palette && self.palette.len() < 3 << self.bits {
            return Err(DecodeError::Damaged);
        }
        match (self.predictor, self.form, self.bits) {
            (1, ..) | (2, _, 8 | 16 | 32) | (3, Form::Float, 16 | 32 | 64) => Ok(kind),
            _ => refused("TIFF of a rare kind of differences"),
        }
    }

    fn alpha(&self, kind: Kind) -> Alpha {
        let colours = match kind {
            Kind::Grey { .. } => 1,
            Kind::Rgb => 3,
            Kind::Palette | Kind::Cmyk | Kind::YCbCr | Kind::Lab { .. } => return Alpha::None,
        };
        match self.extra.first() {
            _ if self.samples <= colours => Alpha::None,
            Some(1) => Alpha::Done,
            Some(2) => Alpha::Straight,
            Some(_) => Alpha::None,
            // Four colours of which nobody says what the fourth is: transparency, as everywhere.
            None if self.samples == colours + 1 => Alpha::Straight,
            None => Alpha::None,
        }
    }

    /// Planes that stand one after the other.
    fn planes(&self) -> usize {
        if self.planar { self.samples } else { 1 }
    }

    /// Samples of a pixel within one plane.
    fn within(&self) -> usize {
        if self.planar { 1 } else { self.samples }
    }

    fn across(&self) -> u32 {
        self.size.0.div_ceil(self.piece.0)
    }

    fn pieces(&self) -> u32 {
        self.across().saturating_mul(self.size.1.div_ceil(self.piece.1))
    }

    /// Where a piece lies in the picture, cut to it: left, top, right, bottom.
    fn area(&self, n: u32) -> Hole {
        let left = n % self.across() * self.piece.0;
        let top = n / self.across() * self.piece.1;
        let right = left.saturating_add(self.piece.0).min(self.size.0);
        Hole(left, top, right, top.saturating_add(self.piece.1).min(self.size.1))
    }

    /// Rows of a piece as it is packed: a tile is always whole, the last strip is not.
    fn rows(&self, n: u32) -> u32 {
        let area = self.area(n);
        if self.tiled { self.piece.1 } else { area.3 - area.1 }
    }

    /// Bytes of a row of samples in a plane, or of a row of units where pixels share colours.
    fn stride(&self) -> Option<u64> {
        let width = u64::from(self.piece.0);
        match self.shared {
            (1, 1) => {
                let bits =
                    width.checked_mul(u64::from(self.bits))?.checked_mul(self.within() as u64)?;
                Some(bits.div_ceil(8))
            }
            (across, down) => {
                Some(width.div_ceil(u64::from(across)) * u64::from(across * down + 2))
            }
        }
    }

    fn piece_bytes(&self) -> Option<u64> {
        self.stride()?.checked_mul(u64::from(self.piece.1))
    }

    /// All planes of a piece, unpacked as far as they go.
    fn unpack(&self, bytes: &[u8], n: u32) -> Piece {
        let stride = self.stride().unwrap_or(0) as usize;
        let rows = self.rows(n).div_ceil(self.shared.1) as usize;
        let mut piece = Piece { planes: Vec::new(), stride, rows: self.rows(n) };
        for plane in 0..self.planes() {
            let at = plane * self.pieces() as usize + n as usize;
            let from = self.places.get(at).and_then(|at| usize::try_from(*at).ok());
            let length = self.lengths.get(at).and_then(|length| usize::try_from(*length).ok());
            let packed = from.zip(length).and_then(|(from, length)| {
                let end = from.saturating_add(length).min(bytes.len());
                bytes.get(from..end)
            });
            let mut plain = Zeroizing::new(Vec::new());
            if let Some(packed) = packed {
                plain = self.plain(packed, rows * stride, self.rows(n));
            }
            let whole = (plain.len() / stride.max(1)) as u32 * self.shared.1;
            piece.rows = piece.rows.min(whole);
            plain.resize(rows * stride, 0);
            for row in plain.chunks_exact_mut(stride.max(1)) {
                self.unpredict(row);
            }
            piece.planes.push(plain);
        }
        piece
    }

    /// Unpacks bytes, at most `most` of them.
    fn plain(&self, packed: &[u8], most: usize, rows: u32) -> Zeroizing<Vec<u8>> {
        let turned;
        let packed = if self.reversed {
            turned =
                Zeroizing::new(packed.iter().map(|byte| byte.reverse_bits()).collect::<Vec<u8>>());
            &turned[..]
        } else {
            packed
        };
        let mut plain = Zeroizing::new(Vec::with_capacity(most));
        match self.packing {
            Packing::Plain => plain.extend_from_slice(&packed[..packed.len().min(most)]),
            Packing::PackBits => pack_bits(packed, most, &mut plain),
            Packing::Lzw => lzw(packed, most, &mut plain),
            Packing::Deflate => {
                let mut decoder = ZlibDecoder::new(packed);
                pour(&mut decoder, most, &mut plain);
                // The checksum stands behind the last byte. If it is wrong, any of them may be.
                let wrong = decoder
                    .read(&mut [0])
                    .is_err_and(|error| error.kind() != ErrorKind::UnexpectedEof);
                if plain.len() == most && wrong {
                    plain.clear();
                }
            }
            Packing::Zstd => {
                if let Ok(decoder) = StreamingDecoder::new(packed) {
                    pour(decoder, most, &mut plain);
                }
            }
            Packing::Group3 | Packing::Group4 => self.fax(packed, rows, &mut plain),
            Packing::Jpeg => self.jpeg(packed, &mut plain),
            Packing::Webp => {
                let image = WebPDecoder::new(Cursor::new(packed)).ok();
                let fits = image.filter(|image| image.total_bytes() <= most as u64 * 2);
                if let Some(image) = fits {
                    let colours = usize::from(image.color_type().channel_count());
                    let mut pixels = Zeroizing::new(vec![0; image.total_bytes() as usize]);
                    if image.read_image(&mut pixels).is_ok() {
                        let samples = pixels.chunks_exact(colours);
                        let padding = iter::repeat(&255);
                        plain.extend(samples.flat_map(|pixel| {
                            pixel.iter().chain(padding.clone()).take(self.samples)
                        }));
                    }
                }
            }
            Packing::OldJpeg => {}
        }
        plain.truncate(most);
        plain
    }

    fn fax(&self, packed: &[u8], rows: u32, plain: &mut Vec<u8>) {
        let Ok(width) = u16::try_from(self.piece.0) else { return };
        let mut line = |changes: &[u16]| {
            let mut black = pels(changes, width).map(|colour| colour == fax::Color::Black);
            for _ in 0..width.div_ceil(8) {
                let byte = black.by_ref().take(8).enumerate();
                plain.push(byte.fold(0, |byte, (n, black)| byte | u8::from(black) << (7 - n)));
            }
        };
        if self.packing == Packing::Group3 {
            // The last line may have no end mark of its own, and is not given out without one.
            let _ = decode_g3(packed.iter().copied().chain([0, 1]), line);
            return;
        }
        let Ok(mut decoder) = Group4Decoder::new(packed.bytes(), width) else { return };
        for _ in 0..rows {
            match decoder.advance() {
                Ok(DecodeStatus::Incomplete) => line(decoder.transition()),
                // The end before the last row: white rows that were left out.
                Ok(DecodeStatus::End) => line(&[]),
                Err(_) => return,
            }
        }
    }

    /// A strip that is a JPEG of its own, perhaps without the tables.
    fn jpeg(&self, packed: &[u8], plain: &mut Vec<u8>) {
        let whole = match self.tables.as_deref() {
            Some([0xff, 0xd8, tables @ .., 0xff, 0xd9]) if packed.len() > 2 => {
                Zeroizing::new([&[0xff, 0xd8], tables, &packed[2..]].concat())
            }
            _ => Zeroizing::new(packed.to_vec()),
        };
        let mut decoder = JpegDecoder::new(ZCursor::new(&whole[..]));
        if decoder.decode_headers().is_err() {
            return;
        }
        // As it is: what the samples mean is said by the directory, not by the JPEG.
        let Some((colours, (width, height))) = decoder.input_colorspace().zip(decoder.dimensions())
        else {
            return;
        };
        let fits = width == self.piece.0 as usize
            && height <= self.piece.1 as usize + 16
            && colours.num_components() == self.within();
        if !fits {
            return;
        }
        let there = jpeg::rows(&whole);
        decoder.set_options(DecoderOptions::default().jpeg_set_out_colorspace(colours));
        if let Ok(pixels) = decoder.decode() {
            let pixels = Zeroizing::new(pixels);
            let rows = there.map_or(height, |rows| rows as usize);
            plain.extend_from_slice(&pixels[..pixels.len().min(rows * width * self.within())]);
        }
    }

    /// Undoes the differences of a row, and sets its bytes in this machine's order.
    fn unpredict(&self, row: &mut [u8]) {
        let step = self.within();
        if self.predictor == 3 {
            // Bytes of one weight stand together, the highest first, each as difference to the one before.
            for n in step..row.len() {
                row[n] = row[n].wrapping_add(row[n - step]);
            }
            let bytes = (self.bits / 8) as usize;
            let apart = Zeroizing::new(row.to_vec());
            let count = row.len() / bytes;
            for (n, sample) in row.chunks_exact_mut(bytes).enumerate() {
                for (weight, byte) in sample.iter_mut().enumerate() {
                    *byte = apart[weight * count + n];
                }
                if cfg!(target_endian = "little") {
                    sample.reverse();
                }
            }
            return;
        }
        let foreign = self.swapped != cfg!(target_endian = "big");
        let bytes = (self.bits / 8) as usize;
        if foreign && bytes > 1 && self.packing != Packing::Jpeg {
            row.chunks_exact_mut(bytes).for_each(<[u8]>::reverse);
        }
        if self.predictor != 2 {
            return;
        }
        match self.bits {
            8 => {
                for n in step..row.len() {
                    row[n] = row[n].wrapping_add(row[n - step]);
                }
            }
            16 => {
                let (samples, _) = row.as_chunks_mut::<2>();
                for n in step..samples.len() {
                    let sum = u16::from_ne_bytes(samples[n])
                        .wrapping_add(u16::from_ne_bytes(samples[n - step]));
                    samples[n] = sum.to_ne_bytes();
                }
            }
            _ => {
                let (samples, _) = row.as_chunks_mut::<4>();
                for n in step..samples.len() {
                    let sum = u32::from_ne_bytes(samples[n])
                        .wrapping_add(u32::from_ne_bytes(samples[n - step]));
                    samples[n] = sum.to_ne_bytes();
                }
            }
        }
    }

    /// The part of a piece that is not there, in the picture.
    fn hole(&self, piece: &Piece, n: u32) -> Option<Hole> {
        let area = self.area(n);
        let top = area.1 + piece.rows;
        (top < area.3).then_some(Hole(area.0, top, area.2, area.3))
    }

    /// What samples that have no natural white are divided by: floats mostly go to 1, but some to 255 or
    /// 65535. Looked up in all of them.
    fn scale(&self, bytes: &[u8]) -> f32 {
        match self.form {
            Form::Whole => return 1.0,
            // Nought is black, and nobody knows what is darker.
            Form::Signed => return ((1u64 << (self.bits - 1)) - 1) as f32,
            Form::Float => {}
        }
        let mut most = 0f32;
        for n in 0..self.pieces() {
            let piece = self.unpack(bytes, n);
            let area = self.area(n);
            for y in 0..piece.rows.min(area.3 - area.1) {
                for x in 0..area.2 - area.0 {
                    for sample in 0..self.samples.min(3) {
                        let value = piece.float(self, (x, y), sample);
                        most = if value.is_finite() { most.max(value) } else { most };
                    }
                }
            }
        }
        match most {
            most if most <= 1.0 => 1.0,
            most if most <= 255.0 => 255.0,
            most if most <= 65_535.0 => 65_535.0,
            most => most,
        }
    }

    /// Paints a piece's pixels where they belong.
    fn paint(&self, piece: &Piece, n: u32, kind: Kind, scale: f32, rgb: &mut [u8]) {
        let area = self.area(n);
        let alpha = self.alpha(kind);
        for y in 0..piece.rows.min(area.3 - area.1) {
            for x in 0..area.2 - area.0 {
                let colour = self.colour(piece, (x, y), kind, scale);
                let colour = match alpha {
                    Alpha::None => colour,
                    Alpha::Straight => {
                        let alpha = self.sample(piece, (x, y), self.alpha_place(kind), scale);
                        colour.map(|value| over_grey(value, alpha))
                    }
                    Alpha::Done => {
                        let alpha = self.sample(piece, (x, y), self.alpha_place(kind), scale);
                        colour.map(|value| value.saturating_add(over_grey(0, alpha)))
                    }
                };
                let place =
                    (u64::from(area.1 + y) * u64::from(self.size.0) + u64::from(area.0 + x)) * 3;
                if let Some(pixel) = rgb.get_mut(place as usize..place as usize + 3) {
                    pixel.copy_from_slice(&colour);
                }
            }
        }
    }

    fn alpha_place(&self, kind: Kind) -> usize {
        if kind == Kind::Rgb { 3 } else { 1 }
    }

    /// A sample in 8 bits.
    fn sample(&self, piece: &Piece, at: (u32, u32), n: usize, scale: f32) -> u8 {
        if self.form != Form::Whole {
            let value = piece.float(self, at, n);
            return ((value / scale).clamp(0.0, 1.0) * 255.0).round() as u8;
        }
        let value = piece.whole(self, at, n);
        match self.bits {
            8 => value as u8,
            16 => eight(value as u16),
            32 => eight((value >> 16) as u16),
            bits => (value * 255 / ((1 << bits) - 1)) as u8,
        }
    }

    fn colour(&self, piece: &Piece, at: (u32, u32), kind: Kind, scale: f32) -> [u8; 3] {
        let sample = |n: usize| self.sample(piece, at, n, scale);
        match kind {
            Kind::Grey { inverted: false } => [sample(0); 3],
            Kind::Grey { inverted: true } => [255 - sample(0); 3],
            Kind::Rgb => [sample(0), sample(1), sample(2)],
            Kind::Palette => {
                let (index, colours) = (piece.whole(self, at, 0) as usize, 1usize << self.bits);
                // Some programs write 8 bits where 16 belong.
                let deep = self.palette.iter().any(|value| *value > 255);
                [0, 1, 2].map(|n| {
                    let value = self.palette.get(n * colours + index).copied().unwrap_or(0);
                    if deep { eight(value) } else { value as u8 }
                })
            }
            Kind::Cmyk => {
                let black = 255 - u32::from(sample(3));
                [0, 1, 2].map(|n| ((255 - u32::from(sample(n))) * black / 255) as u8)
            }
            Kind::YCbCr => self.ycbcr_to_rgb([0, 1, 2].map(|n| f32::from(sample(n)))),
            Kind::Lab { icc } => {
                let [l, a, b] = [0, 1, 2].map(|n| piece.whole(self, at, n));
                lab(match (self.bits, icc) {
                    (8, false) => {
                        [l as f32 / 2.55, f32::from(a as u8 as i8), f32::from(b as u8 as i8)]
                    }
                    (8, true) => [l as f32 / 2.55, a as f32 - 128.0, b as f32 - 128.0],
                    (_, false) => [
                        l as f32 / 655.35,
                        f32::from(a as u16 as i16) / 256.0,
                        f32::from(b as u16 as i16) / 256.0,
                    ],
                    (_, true) => [
                        l as f32 / 652.8,
                        (a as f32 - 32_768.0) / 256.0,
                        (b as f32 - 32_768.0) / 256.0,
                    ],
                })
            }
        }
    }

    fn ycbcr_to_rgb(&self, [y, cb, cr]: [f32; 3]) -> [u8; 3] {
        let [black, white, b0, b1, r0, r1] = self.reference;
        let part = |value: f32, from: f32, to: f32, full: f32| {
            if to == from { value } else { (value - from) * full / (to - from) }
        };
        let (y, cb, cr) =
            (part(y, black, white, 255.0), part(cb, b0, b1, 127.0), part(cr, r0, r1, 127.0));
        let [red, green, blue] = self.light;
        let r = y + cr * (2.0 - 2.0 * red);
        let b = y + cb * (2.0 - 2.0 * blue);
        let g = if green == 0.0 { y } else { (y - blue * b - red * r) / green };
        [r, g, b].map(|value| value.round().clamp(0.0, 255.0) as u8)
    }
}

/// A strip or tile, unpacked.
struct Piece {
    planes: Vec<Zeroizing<Vec<u8>>>,
    stride: usize,
    /// Rows that are there.
    rows: u32,
}

impl Piece {
    /// The bytes of a sample, and where it begins in them; `bits` of 8 or more are whole bytes.
    fn at(&self, page: &Page, (x, y): (u32, u32), n: usize) -> (&[u8], usize) {
        let none: (&[u8], usize) = (&[], 0);
        let (plane, n) = if page.planar { (n, 0) } else { (0, n) };
        let Some(plane) = self.planes.get(plane) else { return none };
        let (across, down) = page.shared;
        if (across, down) != (1, 1) {
            let unit = (across * down + 2) as usize;
            let within = match n {
                0 => (y % down * across + x % across) as usize,
                n => (across * down) as usize + n - 1,
            };
            let place = (y / down) as usize * self.stride + (x / across) as usize * unit + within;
            return (plane.get(place..).unwrap_or(&[]), 0);
        }
        let bit = (x as usize * page.within() + n) * page.bits as usize;
        let place = y as usize * self.stride + bit / 8;
        (plane.get(place..).unwrap_or(&[]), bit % 8)
    }

    /// A whole number as it is in the file.
    fn whole(&self, page: &Page, at: (u32, u32), n: usize) -> u32 {
        let (bytes, bit) = self.at(page, at, n);
        match page.bits {
            8 => bytes.first().copied().unwrap_or(0).into(),
            16 => bytes.first_chunk().map_or(0, |bytes| u16::from_ne_bytes(*bytes).into()),
            32 => bytes.first_chunk().map_or(0, |bytes| u32::from_ne_bytes(*bytes)),
            bits => {
                let byte = u32::from(bytes.first().copied().unwrap_or(0));
                byte >> (8 - bits - bit as u32) & ((1 << bits) - 1)
            }
        }
    }

    /// A signed number or a float.
    fn float(&self, page: &Page, at: (u32, u32), n: usize) -> f32 {
        let (bytes, _) = self.at(page, at, n);
        match (page.form, page.bits) {
            (Form::Float, 16) => {
                bytes.first_chunk().map_or(0.0, |bytes| half(u16::from_ne_bytes(*bytes)))
            }
            (Form::Float, 32) => {
                bytes.first_chunk().map_or(0.0, |bytes| f32::from_ne_bytes(*bytes))
            }
            (Form::Float, _) => {
                bytes.first_chunk().map_or(0.0, |bytes| f64::from_ne_bytes(*bytes) as f32)
            }
            (_, 8) => bytes.first().map_or(0.0, |byte| f32::from(*byte as i8)),
            (_, 16) => {
                bytes.first_chunk().map_or(0.0, |bytes| f32::from(i16::from_ne_bytes(*bytes)))
            }
            (_, _) => bytes.first_chunk().map_or(0.0, |bytes| i32::from_ne_bytes(*bytes) as f32),
        }
    }
}

/// A float of 16 bits.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, rest) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => rest * 2f32.powi(-24),
        31 => f32::INFINITY,
        _ => (1.0 + rest / 1024.0) * 2f32.powi(exponent - 15),
    }
}

fn packing(number: u16) -> Result<Packing, DecodeError> {
    Ok(match number {
        1 => Packing::Plain,
        3 => Packing::Group3,
        4 => Packing::Group4,
        5 => Packing::Lzw,
        6 => Packing::OldJpeg,
        7 => Packing::Jpeg,
        8 | 32946 => Packing::Deflate,
        32773 => Packing::PackBits,
        50000 => Packing::Zstd,
        50001 => Packing::Webp,
        34925 => return Err(DecodeError::Unsupported("TIFF compressed by LZMA")),
        33003 | 33005 | 34712 => {
            return Err(DecodeError::Unsupported("TIFF compressed by JPEG 2000"));
        }
        _ => return Err(DecodeError::Unsupported("TIFF of a rare compression")),
    })
}

/// Reads as far as it goes.
fn pour(from: impl Read, most: usize, plain: &mut Vec<u8>) {
    let mut from = from.take(most as u64);
    let mut some = Zeroizing::new([0; 4096]);
    while let Ok(n @ 1..) = from.read(&mut some[..]) {
        plain.extend_from_slice(&some[..n]);
    }
}

fn pack_bits(packed: &[u8], most: usize, plain: &mut Vec<u8>) {
    let mut rest = packed;
    while let Some((head, behind)) = rest.split_first()
        && plain.len() < most
    {
        rest = behind;
        match *head as i8 {
            -128 => {}
            head @ 0.. => {
                let count = (head as usize + 1).min(rest.len());
                plain.extend_from_slice(&rest[..count]);
                rest = &rest[count..];
            }
            head => {
                let Some((byte, behind)) = rest.split_first() else { return };
                plain.extend(iter::repeat_n(*byte, usize::from(head.unsigned_abs()) + 1));
                rest = behind;
            }
        }
    }
}

fn lzw(packed: &[u8], most: usize, plain: &mut Vec<u8>) {
    // Some old programs write the bits the other way round; their first code tells.
    let old = packed.first() == Some(&0) && packed.get(1).is_some_and(|byte| byte & 1 == 1);
    let mut decoder = match old {
        true => weezl::decode::Decoder::new(BitOrder::Lsb, 8),
        false => weezl::decode::Decoder::with_tiff_size_switch(BitOrder::Msb, 8),
    };
    plain.resize(most, 0);
    let (mut from, mut to) = (0, 0);
    while to < most {
        let result = decoder.decode_bytes(&packed[from..], &mut plain[to..]);
        (from, to) = (from + result.consumed_in, to + result.consumed_out);
        let done = matches!(result.status, Ok(weezl::LzwStatus::Done) | Err(_));
        if done || result.consumed_in + result.consumed_out == 0 {
            break;
        }
    }
    plain.truncate(to);
}

/// JPEG of the old style: where it is one whole stream, it is shown as that.
fn old_jpeg(
    bytes: &[u8],
    directory: &mut Decoder<Cursor<&[u8]>>,
    limits: &Limits,
) -> Result<Still, DecodeError> {
    let mut one = |tag| directory.find_tag_unsigned::<u64>(Tag::Unknown(tag)).ok().flatten();
    let place = one(513).and_then(|place| usize::try_from(place).ok());
    let length = one(514).and_then(|length| usize::try_from(length).ok());
    let end = |from: usize| {
        length.map_or(bytes.len(), |length| from.saturating_add(length).min(bytes.len()))
    };
    let stream = place.and_then(|from| bytes.get(from..end(from)));
    let size = directory.dimensions().map_err(|error| sorted(&error))?;
    let stream = stream.filter(|stream| stream.starts_with(&[0xff, 0xd8]));
    let refused = DecodeError::Unsupported("TIFF with JPEG of the old style");
    let still = jpeg::read(stream.ok_or(refused)?, limits)?;
    if still.size == size { Ok(still) } else { Err(refused) }
}
