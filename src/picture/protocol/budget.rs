//! Keeps a picture to a number of bytes: a smooth one is left as it is, a noisy one is made again with
//! bytes weighed more against likeness, until it fits.

use zeroize::Zeroizing;

use super::EncodeError;

/// So often at most; then it stays as it is. The first guess is nearly always right.
const TRIES: usize = 4;

/// Makes a file of at most `most` bytes. `make` is given how much a byte weighs, `first` at the
/// beginning; `heavier` says from a weight that made a file so many times too large (above 1.0) what to
/// try next, and the same weight again where more would be seen: likeness goes before bytes.
///
/// # Errors
///
/// As `make`.
pub(super) fn within(
    most: usize,
    first: f32,
    heavier: impl Fn(f32, f32) -> f32,
    make: impl Fn(f32) -> Result<Zeroizing<Vec<u8>>, EncodeError>,
) -> Result<Zeroizing<Vec<u8>>, EncodeError> {
    let mut weight = first;
    let mut file = make(weight)?;
    for _ in 1..TRIES {
        if file.len() <= most {
            break;
        }
        let next = heavier(weight, file.len() as f32 / most.max(1) as f32);
        if next <= weight {
            break;
        }
        weight = next;
        file = make(weight)?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn what_fits_is_made_once_and_what_never_does_is_made_no_more_than_so_often() {
        let made = Cell::new(0);
        let length = |size: fn(f32) -> usize| {
            made.set(0);
            let heavier = |weight: f32, times: f32| (weight * times).min(9.0);
            let file = within(1000, 1.0, heavier, |weight| {
                made.set(made.get() + 1);
                Ok(Zeroizing::new(vec![0; size(weight)]))
            });
            (file.unwrap().len(), made.get())
        };
        assert_eq!(length(|_| 900), (900, 1));
        assert_eq!(length(|weight| (2000.0 / weight) as usize), (1000, 2));
        assert_eq!(length(|_| 2000), (2000, TRIES));
        assert_eq!(length(|_| 9000), (9000, 2), "no heavier than may be");
    }

    #[test]
    fn a_failure_is_handed_on() {
        let failed = within(1, 0.0, |_, _| 0.0, |_| Err(EncodeError::NoId));
        assert_eq!(failed, Err(EncodeError::NoId));
    }
}
