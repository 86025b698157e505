//! The entropy-coded part of a JPEG, read without making pixels of it: how far the file holds what it
//! promises. The decoders fill what is missing with something and say nothing; this says it.
//!
//! Huffman-coded scans only, sequential and progressive (ITU-T T.81, F and G).

/// A table of codes: up to 16 bits, canonical.
#[derive(Clone)]
pub(super) struct Table {
    /// For each 8 bits: the length of the code they begin with and its symbol; length 0 is none.
    short: [(u8, u8); 256],
    /// For each length: the first code of that length, where its symbols begin, how many there are.
    long: [(u32, usize, u32); 17],
    symbols: Vec<u8>,
}

impl Table {
    /// A table of a DHT segment; `None` when it has more codes than fit.
    pub fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut table =
            Self { short: [(0, 0); 256], long: [(0, 0, 0); 17], symbols: symbols.to_vec() };
        let (mut code, mut at) = (0u32, 0usize);
        for (length, count) in (1u8..).zip(counts) {
            let count = u32::from(*count);
            table.long[usize::from(length)] = (code, at, count);
            if code + count > 1 << length {
                return None;
            }
            for n in 0..count {
                if length <= 8 {
                    let symbol = *symbols.get(at + n as usize)?;
                    let first = ((code + n) << (8 - length)) as usize;
                    table.short[first..first + (1 << (8 - length))].fill((length, symbol));
                }
            }
            code = (code + count) << 1;
            at += count as usize;
        }
        Some(table)
    }
}

/// The bits of a scan, up to the next marker or the end.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    /// The next byte to be taken.
    pub at: usize,
    /// Bits in hand, the next one at the top.
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub fn new(data: &'a [u8], at: usize) -> Self {
        Self { data, at, held: 0, count: 0 }
    }

    fn fill(&mut self) {
        while self.count <= 56 {
            let Some(byte) = self.data.get(self.at) else { return };
            if *byte == 0xff {
                if self.data.get(self.at + 1) != Some(&0) {
                    return;
                }
                self.at += 1;
            }
            self.at += 1;
            self.held |= u64::from(*byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// The next bits as a number; `None` when there are not so many. At most 16.
    fn take(&mut self, bits: u32) -> Option<u32> {
        if bits == 0 {
            return Some(0);
        }
        if self.count < bits {
            self.fill();
            if self.count < bits {
                return None;
            }
        }
        let value = (self.held >> (64 - bits)) as u32;
        self.held <<= bits;
        self.count -= bits;
        Some(value)
    }

    /// The next symbol.
    fn symbol(&mut self, table: &Table) -> Option<u8> {
        if self.count < 16 {
            self.fill();
        }
        let (length, symbol) = table.short[(self.held >> 56) as usize];
        if length > 0 {
            self.take(u32::from(length))?;
            return Some(symbol);
        }
        for length in 9..=16u32 {
            let code = (self.held >> (64 - length)) as u32;
            let (first, at, count) = table.long[length as usize];
            if code >= first && code - first < count {
                self.take(length)?;
                return table.symbols.get(at + (code - first) as usize).copied();
            }
        }
        None
    }

    /// Whole bytes that are left before the next marker.
    pub fn left(&self) -> usize {
        let rest = self.data.get(self.at..).unwrap_or(&[]);
        let marker = rest.windows(2).position(|pair| pair[0] == 0xff && pair[1] != 0);
        marker.unwrap_or(rest.len()) + (self.count / 8) as usize
    }

    /// Passes the restart marker of a number. What is left of the byte before it is dropped.
    pub fn restart(&mut self, number: u8) -> Option<()> {
        (self.held, self.count) = (0, 0);
        let found = self.data.get(self.at..)?.iter().position(|byte| *byte == 0xff)?;
        let mut at = self.at + found;
        while self.data.get(at + 1) == Some(&0xff) {
            at += 1;
        }
        (self.data.get(at + 1) == Some(&(0xd0 + number))).then_some(())?;
        self.at = at + 2;
        Some(())
    }
}

/// The number that so many bits stand for (T.81, F.2.2.1).
fn extended(bits: u32, size: u32) -> i32 {
    let value = bits as i32;
    if size > 0 && bits >> (size - 1) == 0 { value - (1 << size) + 1 } else { value }
}

/// What a scan brings: a band of coefficients, and how exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Band {
    pub start: u8,
    pub end: u8,
    /// The lowest bit that was known before; 0 when none was.
    pub high: u8,
    /// The lowest bit that is known afterwards.
    pub low: u8,
    pub progressive: bool,
}

/// The mean of the blocks of one component, which each block gives as a difference to the last.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mean {
    pub value: i32,
    /// No block of a picture is lighter or darker than this; only bits that lost their place say so.
    pub most: i32,
}

/// Reads one block of 64 coefficients. `known` has a bit for each that is not zero; `run` counts the
/// blocks that have none left in this scan. `None` where the bits make no sense or end.
pub(super) fn block(
    bits: &mut Bits,
    tables: (Option<&Table>, Option<&Table>),
    band: Band,
    mean: &mut Mean,
    known: &mut u64,
    run: &mut u32,
) -> Option<()> {
    let (dc, ac) = tables;
    let mut first = u32::from(band.start);
    if first == 0 {
        if band.high > 0 {
            bits.take(1)?;
        } else {
            let size = bits.symbol(dc?)?;
            (size <= 11).then_some(())?;
            let size = u32::from(size);
            mean.value += extended(bits.take(size)?, size);
            (mean.value.abs() <= mean.most).then_some(())?;
        }
        first = 1;
    }
    let end = u32::from(band.end);
    if first > end {
        return Some(());
    }
    if band.high > 0 {
        return refine(bits, ac?, (first, end), known, run);
    }
    if *run > 0 {
        *run -= 1;
        return Some(());
    }
    let mut k = first;
    while k <= end {
        let symbol = bits.symbol(ac?)?;
        let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 {
            if zeros == 15 {
                k += 16;
                continue;
            }
            if band.progressive {
                *run = (1 << zeros) - 1 + bits.take(zeros)?;
            } else if zeros > 0 {
                return None;
            }
            return Some(());
        }
        k += zeros;
        (k <= end).then_some(())?;
        bits.take(size)?;
        *known |= 1 << k;
        k += 1;
    }
    Some(())
}

/// A scan that makes known coefficients more exact and brings new ones of the lowest bit.
fn refine(
    bits: &mut Bits,
    table: &Table,
    (first, end): (u32, u32),
    known: &mut u64,
    run: &mut u32,
) -> Option<()> {
    let mut k = first;
    while *run == 0 && k <= end {
        let symbol = bits.symbol(table)?;
        let (mut zeros, size) = (u32::from(symbol >> 4), symbol & 15);
        match size {
            0 if zeros < 15 => {
                // This block is the first of the run.
                *run = (1 << zeros) + bits.take(zeros)?;
                break;
            }
            0 => {}
            1 => {
                bits.take(1)?;
            }
            _ => return None,
        }
        // Passes so many coefficients that are still zero; the known ones between get a bit each.
        while k <= end {
            if *known & (1 << k) != 0 {
                bits.take(1)?;
            } else if zeros == 0 {
                break;
            } else {
                zeros -= 1;
            }
            k += 1;
        }
        if size == 1 {
            (k <= end).then_some(())?;
            *known |= 1 << k;
        }
        k += 1;
    }
    if *run > 0 {
        for k in k..=end {
            if *known & (1 << k) != 0 {
                bits.take(1)?;
            }
        }
        *run -= 1;
    }
    Some(())
}
