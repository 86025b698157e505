//! iTerm2's inline images: one progressive JPEG, sized in cells. Also understood by WezTerm, Konsole,
//! mintty and VS Code.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use zeroize::Zeroizing;

use super::{EncodeError, EncodeOptions, Encoded};
use crate::picture::Fitted;

/// A progressive JPEG of this quality is 8 to 10 times smaller than a PNG, at SSIMULACRA2 80.
const QUALITY: u8 = 83;

pub(super) fn encode(fitted: &Fitted, options: &EncodeOptions) -> Result<Encoded, EncodeError> {
    let jpeg = jpeg(fitted)?;
    let (columns, rows) = (fitted.columns, fitted.rows);
    let head = format!(
        "\x1b]1337;File=inline=1;size={};width={columns};height={rows};\
         preserveAspectRatio=0;doNotMoveCursor=1:",
        jpeg.len()
    );
    let text = Zeroizing::new(STANDARD.encode(&*jpeg));
    let mut sequence = Zeroizing::new(Vec::with_capacity(head.len() + text.len() + 1));
    sequence.extend_from_slice(head.as_bytes());
    sequence.extend_from_slice(text.as_bytes());
    sequence.push(0x07);
    Ok(Encoded::Inline { bytes: options.wrap.seal(sequence), columns, rows })
}

fn jpeg(fitted: &Fitted) -> Result<Zeroizing<Vec<u8>>, EncodeError> {
    let side = |pixels: u32| u16::try_from(pixels).map_err(|_| EncodeError::Size("iterm2"));
    let (width, height) = (side(fitted.width)?, side(fitted.height)?);
    // Room for the whole file, so that it does not grow and leave copies behind.
    let mut file = Zeroizing::new(Vec::with_capacity(fitted.pixels().len() / 2 + 4096));
    let mut encoder = Encoder::new(&mut *file, QUALITY);
    encoder.set_progressive(true);
    encoder.set_optimized_huffman_tables(true);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    let done = encoder.encode(fitted.pixels(), width, height, ColorType::Rgb);
    done.map_err(|_| EncodeError::Encoder("iterm2"))?;
    Ok(file)
}
