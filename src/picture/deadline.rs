//! How long a presigned link lives, by what it says itself. Reads a link, follows none.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use url::Url;

use crate::domain::{Link, Millis};

/// A link that says nothing of its life is taken to live this long (didit-api 4: 60 minutes).
const USUAL_LIFE_MS: i64 = 60 * 60 * 1000;

/// No presigned link may live longer than a week (AWS Signature Version 4).
const LONGEST_LIFE_S: i64 = 7 * 24 * 60 * 60;

/// When a link dies, by its `X-Amz-Expires` and `X-Amz-Date` (key case does not matter), else 60
/// minutes after it was received.
///
/// The date is the signer's clock and `received_at` is ours, so it can only shorten a life that is
/// counted from receipt, and is left out where it claims that the link was dead on arrival: then one
/// of the two clocks is wrong, and a link that is truly dead shows itself by a refusal.
#[must_use]
pub fn link_deadline(link: &Link, received_at: Millis) -> Millis {
    let Some((life_ms, signed_at)) = Url::parse(link.reveal()).ok().and_then(|url| said(&url))
    else {
        return received_at.plus(USUAL_LIFE_MS);
    };
    let left = signed_at.map(|at| at.plus(life_ms).since(received_at)).filter(|left| *left > 0);
    received_at.plus(left.map_or(life_ms, |left| left.min(life_ms)))
}

/// When a link should be asked for anew: after 11/12 of its life.
#[must_use]
pub fn refresh_at(received_at: Millis, deadline: Millis) -> Millis {
    let life = deadline.since(received_at).max(0);
    received_at.plus(life / 12 * 11 + life % 12 * 11 / 12)
}

/// The life in milliseconds and the moment of signing, as the link states them.
fn said(url: &Url) -> Option<(i64, Option<Millis>)> {
    let value = |wanted: &str| {
        let mut pairs = url.query_pairs();
        pairs.find(|(key, _)| key.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
    };
    let seconds: i64 = value("X-Amz-Expires")?.parse().ok()?;
    let life = (1..=LONGEST_LIFE_S).contains(&seconds).then_some(seconds * 1000)?;
    Some((life, value("X-Amz-Date").and_then(|text| moment(&text))))
}

/// Reads `20260830T101500Z`.
fn moment(text: &str) -> Option<Millis> {
    let plain = DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    let zoned = plain.to_zoned(TimeZone::UTC).ok()?;
    Some(Millis(zoned.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: i64 = 60_000;
    /// 2026-08-30T10:15:00Z.
    const SIGNED: i64 = 1_788_084_900_000;

    fn life(query: &str, received_at: i64) -> i64 {
        let link = Link::new(format!("https://media.example/f.jpg{query}"));
        link_deadline(&link, Millis(received_at)).since(Millis(received_at)) / 1000
    }

    #[test]
    fn a_link_lives_as_long_as_it_says() {
        let table = [
            ("", 3600),
            ("?X-Amz-Expires=900", 900),
            ("?x-amz-expires=900", 900),
            ("?X-Amz-Date=20260830T101500Z&X-Amz-Expires=3600", 3600),
            ("?X-Amz-Date=20260830T101000Z&X-Amz-Expires=3600", 3300),
            // Signed in our future: the clocks differ, its life counts from receipt.
            ("?X-Amz-Date=20260830T111500Z&X-Amz-Expires=3600", 3600),
            // Dead on arrival by the date: not believed.
            ("?X-Amz-Date=20260829T101500Z&X-Amz-Expires=3600", 3600),
            ("?X-Amz-Date=yesterday&X-Amz-Expires=600", 600),
            ("?X-Amz-Date=20261399T996199Z&X-Amz-Expires=600", 600),
            ("?X-Amz-Date=20260830T101500Z", 3600),
            ("?X-Amz-Expires=0", 3600),
            ("?X-Amz-Expires=-5", 3600),
            ("?X-Amz-Expires=99999999999999999999", 3600),
            ("?X-Amz-Expires=604801", 3600),
            ("?X-Amz-Expires=604800", 604_800),
            ("?X-Amz-Expires=", 3600),
        ];
        for (query, seconds) in table {
            assert_eq!(life(query, SIGNED), seconds, "{query}");
        }
        let relative = link_deadline(&Link::new("storage/face.jpg".into()), Millis(0));
        assert_eq!(relative, Millis(60 * MINUTE));
    }

    #[test]
    fn a_link_is_refreshed_with_a_twelfth_of_its_life_left() {
        assert_eq!(refresh_at(Millis(0), Millis(60 * MINUTE)), Millis(55 * MINUTE));
        assert_eq!(refresh_at(Millis(100), Millis(100)), Millis(100));
        assert_eq!(refresh_at(Millis(100), Millis(40)), Millis(100));
        assert_eq!(refresh_at(Millis(0), Millis(i64::MAX)).0 / 11, i64::MAX / 12);
    }

    proptest! {
        #[test]
        fn a_deadline_is_never_past_nor_further_than_a_week(
            query in "[xX]-[aA]mz-[eE]xpires=[0-9]{0,12}(&X-Amz-Date=[0-9]{8}T[0-9]{6}Z)?",
            at in 0i64..4_000_000_000_000,
        ) {
            let link = Link::new(format!("https://media.example/?{query}"));
            let deadline = link_deadline(&link, Millis(at));
            prop_assert!(deadline > Millis(at));
            prop_assert!(deadline.since(Millis(at)) <= LONGEST_LIFE_S * 1000);
            let refresh = refresh_at(Millis(at), deadline);
            prop_assert!(refresh >= Millis(at) && refresh <= deadline);
        }
    }
}
