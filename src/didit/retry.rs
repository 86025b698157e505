//! Whether a failed call is tried again, and when: a pure function of what happened.

use std::time::Duration;

use super::error::ErrorKind;
use crate::domain::CallVerb;

/// Tries of one call, the first included.
const MOST_TRIES: u32 = 4;
/// First wait after a failure of the server or the line; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// How long to wait before the next try; `None` when there is none.
///
/// `tries` were made so far, `left` is what remains until the deadline, `jitter` is from 0 to 1, so that
/// consoles that failed together do not come back together. A refusal for too many calls was certainly
/// not carried out, so a write may follow it; after anything else only a read may.
pub(super) fn wait(
    verb: CallVerb,
    kind: ErrorKind,
    tries: u32,
    left: Duration,
    jitter: f64,
) -> Option<Duration> {
    let wait = match (kind, verb) {
        // Never earlier than the server said.
        (ErrorKind::Limited { after }, _) => {
            after + after.min(Duration::from_secs(1)).mul_f64(jitter)
        }
        (ErrorKind::Server | ErrorKind::Network, CallVerb::Read) => {
            (FIRST_WAIT * 2u32.pow(tries.clamp(1, MOST_TRIES) - 1)).mul_f64(0.5 + jitter)
        }
        _ => return None,
    };
    (tries < MOST_TRIES && wait < left).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tried_again() {
        use CallVerb::{Read, Write};
        use ErrorKind as K;
        let ms = |ms| Some(Duration::from_millis(ms));
        let limited = K::Limited { after: Duration::from_secs(3) };
        let now = K::Limited { after: Duration::ZERO };
        for (verb, kind, tries, left_ms, jitter, expected) in [
            (Read, K::Server, 1, 20_000, 0.5, ms(250)),
            (Read, K::Server, 2, 20_000, 0.5, ms(500)),
            (Read, K::Server, 3, 20_000, 0.5, ms(1_000)),
            (Read, K::Server, 4, 20_000, 0.5, None),
            (Read, K::Network, 1, 20_000, 0.0, ms(125)),
            (Read, K::Network, 1, 20_000, 1.0, ms(375)),
            (Read, K::Network, 1, 250, 0.5, None),
            (Read, limited, 1, 20_000, 0.0, ms(3_000)),
            (Read, limited, 1, 20_000, 1.0, ms(4_000)),
            (Read, limited, 1, 3_000, 0.0, None),
            (Read, now, 1, 3_000, 1.0, ms(0)),
            (Read, limited, 4, 20_000, 0.0, None),
            (Write, limited, 1, 20_000, 0.0, ms(3_000)),
            (Write, K::Server, 1, 20_000, 0.5, None),
            (Write, K::Network, 1, 20_000, 0.5, None),
            (Write, K::Timeout, 1, 20_000, 0.5, None),
            (Read, K::Timeout, 1, 20_000, 0.5, None),
            (Read, K::NotFound, 1, 20_000, 0.5, None),
            (Read, K::Key, 1, 20_000, 0.5, None),
            (Read, K::Permission, 1, 20_000, 0.5, None),
            (Read, K::Credit, 1, 20_000, 0.5, None),
            (Read, K::Validation, 1, 20_000, 0.5, None),
            (Read, K::WrongStatus, 1, 20_000, 0.5, None),
            (Read, K::Conflict, 1, 20_000, 0.5, None),
            (Read, K::Protocol, 1, 20_000, 0.5, None),
            (Read, K::Redirect, 1, 20_000, 0.5, None),
            (Read, K::Settings, 1, 20_000, 0.5, None),
        ] {
            let left = Duration::from_millis(left_ms);
            assert_eq!(
                wait(verb, kind, tries, left, jitter),
                expected,
                "{verb:?} {kind:?} {tries} {left_ms} {jitter}"
            );
        }
    }
}
