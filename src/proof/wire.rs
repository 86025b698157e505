//! The bytes of SSH (RFC 4251): numbers, strings and big numbers, read with bounds and written. What is
//! read comes from outside, so nothing here believes a length.

/// What could not be read: the bytes end too early, or hold what may not stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken;

/// Reads from the front of some bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What has not been read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Broken)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        self.take(N)?.try_into().map_err(|_| Broken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Broken> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Broken> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Broken> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn string(&mut self) -> Result<&'a [u8], Broken> {
        let length = usize::try_from(self.u32()?).map_err(|_| Broken)?;
        self.take(length)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Broken> {
        std::str::from_utf8(self.string()?).map_err(|_| Broken)
    }

    /// A positive big number, without leading zeros. In its one right form only, so that a key has
    /// one form only.
    pub(crate) fn number(&mut self) -> Result<&'a [u8], Broken> {
        match self.string()? {
            [0, rest @ ..] if rest.first().is_some_and(|byte| *byte >= 0x80) => Ok(rest),
            all @ [first, ..] if (1..0x80).contains(first) => Ok(all),
            _ => Err(Broken),
        }
    }

    /// Nothing may be left.
    pub(crate) fn end(self) -> Result<(), Broken> {
        if self.0.is_empty() { Ok(()) } else { Err(Broken) }
    }
}

/// Writes a string with its length. Nothing that is written here is near 4 GiB; what were would be cut.
pub(crate) fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend(bytes.iter().take(length as usize));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_big_number_has_one_form() {
        let number = |bytes: &[u8]| {
            let mut out = Vec::new();
            put(&mut out, bytes);
            Reader::new(&out).number().map(<[u8]>::to_vec)
        };
        assert_eq!(number(&[1]), Ok(vec![1]));
        assert_eq!(number(&[0, 0x80]), Ok(vec![0x80]));
        for bad in [&[][..], &[0], &[0x80], &[0, 1], &[0, 0, 0x80], &[0xff, 1]] {
            assert_eq!(number(bad), Err(Broken), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_put_is_read(first in any::<Vec<u8>>(), second in any::<Vec<u8>>()) {
            let mut out = Vec::new();
            put(&mut out, &first);
            put(&mut out, &second);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.string(), Ok(&first[..]));
            prop_assert_eq!(reader.string(), Ok(&second[..]));
            prop_assert_eq!(reader.end(), Ok(()));
            // Any length that is not true is found.
            for cut in 0..out.len() {
                let mut reader = Reader::new(&out[..cut]);
                prop_assert!(reader.string().and_then(|_| reader.string()).is_err());
            }
        }
    }
}
