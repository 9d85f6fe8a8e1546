//! Quantities as people write them: the same in flags and in files.
//!
//! An error is the end of a sentence that begins with what was asked for.

use std::num::NonZeroU32;
use std::time::Duration;

use jiff::SignedDuration;

use crate::limits::{GATEWAYS_MAX, SHARDS_MAX};
use crate::{Factor, Packing, Placement, Sizes, size};

/// A quantity, or what is allowed instead.
pub(super) type Checked<T> = Result<T, String>;

const DAY: Duration = Duration::from_secs(86_400);

/// Whether devices report together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Spread,
    Aligned,
}

/// Whether records are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregate {
    Off,
    Into(Packing),
}

/// Reads a time as people write it: `15min`, `1h 30min`, `250ms`, `7d`, `1d 12h`.
///
/// # Errors
/// The end of a sentence that begins with what was asked for: what is allowed.
pub fn time(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let below_a_day = |text: &str| -> Option<Duration> {
        text.parse().ok().and_then(|time: SignedDuration| time.try_into().ok())
    };
    let days_and_rest = text
        .split_once('d')
        .and_then(|(days, rest)| Some((days.trim_end().parse::<u32>().ok()?, rest.trim_start())));
    let time = match days_and_rest {
        Some((days, "")) => DAY.checked_mul(days),
        Some((days, rest)) => DAY
            .checked_mul(days)
            .zip(below_a_day(rest))
            .and_then(|(days, rest)| days.checked_add(rest)),
        None => below_a_day(text),
    };
    time.ok_or_else(|| {
        "must be a time with its unit, such as \"250ms\", \"15min\", \"1h 30min\", \"7d\" or \"1d 12h\""
            .to_owned()
    })
}

/// `1 KiB`, or a plain number of bytes.
pub(super) fn bytes(text: &str) -> Checked<u32> {
    let text = text.trim();
    let bytes = match text.parse() {
        Ok(bytes) => bytes,
        Err(_) => size::parse(text)?,
    };
    u32::try_from(bytes).ok().ok_or_else(|| "must be below 4 GiB".to_owned())
}

/// `512:9, 5 KiB:1`: bytes of a record, and how many there are of them.
pub(super) fn sizes(text: &str) -> Checked<Sizes> {
    let allowed = || {
        "must be sizes with how many records are of each, such as \"512:9, 5 KiB:1\", with KiB, \
         MiB or kB"
            .to_owned()
    };
    let bin = |bin: &str| -> Checked<(u32, u64)> {
        let (size, records) = bin.split_once(':').ok_or_else(allowed)?;
        let records = records.trim().parse().ok().ok_or_else(allowed)?;
        let bytes =
            bytes(size).map_err(|fault| format!("{}: {:?} {fault}", allowed(), size.trim()))?;
        Ok((bytes, records))
    };
    let bins: Vec<_> = text.split(',').map(bin).collect::<Checked<_>>()?;
    Sizes::histogram(bins).ok_or_else(allowed)
}

/// `0.8` or `80%`.
pub(super) fn part(text: &str) -> Checked<f64> {
    let (number, hundredths) = match text.trim().strip_suffix('%') {
        Some(number) => (number.trim_end(), true),
        None => (text.trim(), false),
    };
    let number = number.parse().ok().filter(|number: &f64| number.is_finite());
    number
        .map(|number| if hundredths { number / 100.0 } else { number })
        .ok_or_else(|| "must be a number, such as 0.8 or \"80%\"".to_owned())
}

/// A part above 0 and at most 1.
pub(super) fn factor(text: &str) -> Checked<Factor> {
    Factor::new(part(text)?).ok_or_else(|| "must be above 0 and at most 1".to_owned())
}

/// `3%/mo` or `0.03`.
pub(super) fn growth(text: &str) -> Checked<f64> {
    part(text.trim().strip_suffix("/mo").unwrap_or(text))
        .ok()
        .ok_or_else(|| "must be the growth of a month, such as \"3%/mo\"".to_owned())
}

/// `12mo` or `12`.
pub(super) fn months(text: &str) -> Checked<u32> {
    count(text.trim().strip_suffix("mo").unwrap_or(text))
        .ok()
        .ok_or_else(|| "must be a number of months, such as \"12mo\"".to_owned())
}

/// `1/s` or `0.5`.
pub(super) fn per_s(text: &str) -> Checked<f64> {
    part(text.trim().strip_suffix("/s").unwrap_or(text))
        .ok()
        .ok_or_else(|| "must be how many in a second, such as \"1/s\"".to_owned())
}

/// A whole number.
pub(super) fn count(text: &str) -> Checked<u32> {
    text.trim().parse().ok().ok_or_else(|| format!("must be a whole number of 0 to {}", u32::MAX))
}

/// A whole number of any size.
pub(super) fn seed(text: &str) -> Checked<u64> {
    text.trim().parse().ok().ok_or_else(|| "must be a whole number".to_owned())
}

/// A whole number above 0.
pub(super) fn some(text: &str) -> Checked<NonZeroU32> {
    text.trim().parse().ok().ok_or_else(|| format!("must be a whole number of 1 to {}", u32::MAX))
}

/// As many gateways as may share a stream.
pub(super) fn gateways(text: &str) -> Checked<NonZeroU32> {
    let gateways = some(text).ok().filter(|gateways| gateways.get() <= GATEWAYS_MAX);
    gateways.ok_or_else(|| {
        format!("must be a whole number of 1 to {GATEWAYS_MAX}, the most that may share a stream")
    })
}

/// As many shards as a stream can have.
pub(super) fn shards(text: &str) -> Checked<NonZeroU32> {
    let shards = some(text).ok().filter(|shards| shards.get() <= SHARDS_MAX);
    shards.ok_or_else(|| {
        format!("must be a whole number of 1 to {SHARDS_MAX}, the most that a stream can have")
    })
}

pub(super) fn align(text: &str) -> Checked<Align> {
    word(text, &[("spread", Align::Spread), ("aligned", Align::Aligned)])
}

pub(super) fn placement(text: &str) -> Checked<Placement> {
    let words = [("md5", Placement::Md5), ("golden", Placement::Golden), ("even", Placement::Even)];
    word(text, &words)
}

/// `off`, or the bytes of a packed record.
pub(super) fn aggregate(text: &str) -> Checked<Aggregate> {
    match text.trim() {
        "off" => Ok(Aggregate::Off),
        text => Ok(Aggregate::Into(Packing { bytes_max: bytes(text)? })),
    }
}

fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Checked<T> {
    let found = words.iter().find(|(word, _)| *word == text.trim());
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
        format!("must be {}", words.join(" or "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("250ms", 0.25),
            ("1s", 1.0),
            ("15min", 900.0),
            ("1h 30min", 5_400.0),
            ("1h30m", 5_400.0),
            ("7d", 604_800.0),
            ("1d 12h", 129_600.0),
            ("1 d 30min", 88_200.0),
            ("2d1s", 172_801.0),
            ("0s", 0.0),
        ] {
            assert_eq!(time(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in [
            "",
            "15",
            "-1h",
            "1h ago",
            "soon",
            "5 fortnights",
            "5 days",
            "1d 12",
            "1d -1h",
            "1d 2d",
            "99999999999999999999h",
        ] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_unit_that_is_read_in_two_ways_is_refused_everywhere() {
        assert_eq!((bytes("1 KiB"), bytes("1kB"), bytes("200")), (Ok(1024), Ok(1000), Ok(200)));
        assert!(bytes("1 KB").is_err_and(|allowed| allowed.contains("say KiB")));
        assert!(aggregate("25 KB").is_err_and(|allowed| allowed.contains("say KiB")));
        assert!(sizes("9:1, 1 KB:3").is_err_and(|allowed| allowed.contains("say KiB")));
        assert!(bytes("5 GiB").is_err());
    }

    #[test]
    fn a_part_is_a_number_or_per_cent_and_never_something_that_is_no_number() {
        assert_eq!((part("0.8"), part("1%"), part("80 %")), (Ok(0.8), Ok(0.01), Ok(0.8)));
        assert_eq!((growth("3%/mo"), growth("-2%"), months("12mo")), (Ok(0.03), Ok(-0.02), Ok(12)));
        assert_eq!((per_s("1/s"), per_s("0.2")), (Ok(1.0), Ok(0.2)));
        for text in ["NaN", "inf", "", "%", "1e999"] {
            assert!(part(text).is_err() && factor(text).is_err(), "{text}");
        }
        assert!(factor("0").is_err() && factor("1.5").is_err());
        assert!(count("-1").is_err() && count("4294967296").is_err() && some("0").is_err());
    }

    #[test]
    fn sizes_are_read_with_their_records() {
        let read = sizes("512:9, 5632 B:1").expect("two sizes");
        assert_eq!((read.bins().len(), read.largest_bytes(), read.is_mean()), (2, 5632, false));
        for text in ["", "512", "512:0", "512:-1", "512:9,"] {
            assert!(sizes(text).is_err(), "{text}");
        }
    }
}
