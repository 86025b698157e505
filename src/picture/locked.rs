//! Bytes of a face that stay in memory: locked against swapping where the system allows it, wiped when
//! dropped. Pages are locked whole, so these have their pages to themselves. What goes beyond the
//! limit (`RLIMIT_MEMLOCK`) stays unlocked; `doctor` says so. Nothing is marked to be left out of dumps:
//! the program as a whole cannot be dumped.

use std::fmt;
use std::ops::Deref;

use zeroize::Zeroizing;

/// Locked bytes. `Debug` prints their number only.
pub(super) struct Locked {
    // First, so that it ends before the memory is given back.
    lock: Option<region::LockGuard>,
    bytes: Zeroizing<Vec<u8>>,
    from: usize,
    len: usize,
}

impl Locked {
    /// Takes the bytes over; where they were is wiped.
    pub fn new(plain: &Zeroizing<Vec<u8>>) -> Self {
        let (page, len) = (region::page::size(), plain.len());
        // Room for whole pages around the bytes, wherever the memory begins.
        let room = len.div_ceil(page).saturating_add(1).saturating_mul(page);
        let mut bytes = Zeroizing::new(Vec::<u8>::with_capacity(room));
        let from = bytes.as_ptr().addr().next_multiple_of(page) - bytes.as_ptr().addr();
        bytes.resize(from, 0);
        bytes.extend_from_slice(plain);
        let whole = len.next_multiple_of(page);
        bytes.resize(from + whole, 0);
        let lock = match bytes.get(from..) {
            Some(pages) if !pages.is_empty() => region::lock(pages.as_ptr(), whole).ok(),
            _ => None,
        };
        Self { lock, bytes, from, len }
    }

    /// How many bytes they are; in memory they take up to two pages more.
    pub fn held(&self) -> usize {
        self.len
    }

    /// Whether the system keeps it out of swap.
    pub fn is_locked(&self) -> bool {
        self.lock.is_some()
    }
}

impl Deref for Locked {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(self.from..self.from + self.len).unwrap_or_default()
    }
}

impl fmt::Debug for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Locked({} bytes)", self.len)
    }
}

/// Whether so many bytes may be locked now; tried with bytes of no meaning.
#[must_use]
pub fn may_lock(bytes: usize) -> bool {
    Locked::new(&Zeroizing::new(vec![0; bytes])).is_locked()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the system says of the page that holds an address: whether it is locked.
    fn is_locked(address: usize) -> bool {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        for line in maps.lines() {
            let bounds = line.split_once(' ').and_then(|(first, _)| first.split_once('-'));
            let hex = |text: &str| usize::from_str_radix(text, 16).ok();
            if let Some((from, to)) = bounds.and_then(|(from, to)| hex(from).zip(hex(to))) {
                inside = (from..to).contains(&address);
            } else if inside && line.starts_with("VmFlags:") {
                return line.split_whitespace().any(|flag| flag == "lo");
            }
        }
        false
    }

    #[test]
    fn bytes_are_kept_as_they_were_and_stay_in_memory() {
        for len in [0, 1, 4095, 4096, 4097, 100_000] {
            let plain: Vec<u8> = (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let locked = Locked::new(&Zeroizing::new(plain.clone()));
            assert_eq!(&*locked, plain.as_slice(), "{len}");
            assert!(locked.held() >= len);
            assert_eq!(format!("{locked:?}"), format!("Locked({len} bytes)"));
            // A small limit may be used up by other tests; what says that it is locked is.
            if locked.is_locked() {
                assert!(is_locked(locked.as_ptr().addr()), "{len}");
                assert!(is_locked(locked.as_ptr().addr() + len - 1), "{len}");
            }
        }
        assert!(!may_lock(0));
    }

    #[test]
    fn what_may_not_be_locked_is_kept_all_the_same() {
        // More than any limit but none.
        let huge = rustix::process::getrlimit(rustix::process::Resource::Memlock).current;
        if let Some(limit) = huge.and_then(|limit| usize::try_from(limit).ok())
            && limit < 64 << 20
        {
            let locked = Locked::new(&Zeroizing::new(vec![7; limit + 1]));
            assert!(locked.iter().all(|byte| *byte == 7));
        }
    }
}
