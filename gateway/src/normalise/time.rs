//! A device's time, in whatever form it is told.

use super::leaf::{Leaf, unquoted};

/// 2000-01-01 UTC in milliseconds. Devices that lost their clock count from 1970.
const EARLIEST_MS: i64 = 946_684_800_000;

/// How far a device's clock may be ahead of ours: a local time told as UTC is up to 14 hours off.
const AHEAD_MS_MAX: i64 = 24 * 60 * 60 * 1000;

/// Reads milliseconds since 1970-01-01 UTC, rounded down: RFC 3339, or a number of seconds,
/// milliseconds, microseconds or nanoseconds told apart by magnitude, in quotes or not. Nothing if
/// it is none of these, before 2000, or more than a day after the arrival at `rx_ts_ms`.
pub(super) fn read(leaf: Leaf<'_>, rx_ts_ms: i64) -> Option<i64> {
    let time_ms = match leaf {
        Leaf::Number(number) => epoch_ms(number)?,
        Leaf::Text(text) => {
            let text = unquoted(text)?;
            epoch_ms(&text).or_else(|| rfc3339_ms(&text))?
        }
        Leaf::Null | Leaf::Boolean(_) | Leaf::Array(_) | Leaf::Object(_) => return None,
    };
    (EARLIEST_MS..=rx_ts_ms.saturating_add(AHEAD_MS_MAX)).contains(&time_ms).then_some(time_ms)
}

fn rfc3339_ms(text: &str) -> Option<i64> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(time.as_nanosecond().div_euclid(1_000_000)).and_then(|ms| i64::try_from(ms).ok())
}

/// Each unit is a thousand times the next, and all of them name the years 1973 to 5138 by numbers
/// of their own.
fn epoch_ms(number: &str) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    match whole {
        i64::MIN..0 => None,
        0..100_000_000_000 => {
            let thousandths: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
            Some(whole * 1000 + thousandths)
        }
        100_000_000_000..100_000_000_000_000 => Some(whole),
        100_000_000_000_000..100_000_000_000_000_000 => Some(whole / 1000),
        _ => Some(whole / 1_000_000),
    }
}
