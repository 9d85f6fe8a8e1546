//! The lines of a trace.

use std::fmt;
use std::io::{self, BufRead, Read};
use std::ops::Range;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::BytesAre;
use crate::limits::PARTITION_KEY_CHARS_MAX;

/// A line that can be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// What the bytes of the trace are.
    Header(BytesAre),
    /// Something that a device sent.
    Reading(Reading),
}

/// Something that a device sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// Milliseconds since 1970.
    pub(super) at_ms: i64,
    /// The partition key.
    pub(super) device: String,
    pub(super) bytes: u32,
}

/// The longest line; longer ones are malformed.
const LINE_BYTES_MAX: u64 = 16 * 1024;

/// From 1973 to 2286 in seconds; in milliseconds the first months of 1970 but one day, when nobody
/// had devices.
const EPOCH_S: Range<i64> = 100_000_000..10_000_000_000;

/// What `ts` must be.
const MOMENT: &str = "milliseconds since 1970, or RFC 3339";

/// A line as written. Other fields may be there.
#[derive(Deserialize)]
struct Written {
    ts: Option<Moment>,
    device: Option<String>,
    bytes: Option<u32>,
    bytes_are: Option<BytesAre>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Moment {
    EpochMs(i64),
    /// Many programs count seconds with a fraction, and take them a thousand times.
    EpochMsAndPart(f64),
    Rfc3339(String),
    Other(IgnoredAny),
}

impl Moment {
    /// Milliseconds since 1970, a part of one left out; or why it is no moment.
    fn at_ms(self) -> Result<i64, String> {
        match self {
            Self::EpochMs(at_ms) => epoch_ms(at_ms, at_ms),
            Self::EpochMsAndPart(at) => epoch_ms(whole_ms(at)?, at),
            Self::Rfc3339(at) => {
                let parsed: Result<Timestamp, _> = at.parse();
                let why = |error| format!("ts {at:?} is not {MOMENT}: {error}");
                parsed.map(Timestamp::as_millisecond).map_err(why)
            }
            Self::Other(_) => Err(format!("ts must be {MOMENT}")),
        }
    }
}

/// These milliseconds, unless they are seconds, which were `written` so.
fn epoch_ms(at_ms: i64, written: impl fmt::Display) -> Result<i64, String> {
    if EPOCH_S.contains(&at_ms) {
        return Err(format!("ts {written} looks like seconds: {MOMENT}"));
    }
    Ok(at_ms)
}

/// The last whole millisecond that is not after `at`.
fn whole_ms(at: f64) -> Result<i64, String> {
    /// Beyond 2^53, in 285,000 years, a measure tells no milliseconds apart.
    const FAR_MS: f64 = 9_007_199_254_740_992.0;
    if at.abs() > FAR_MS {
        return Err(format!("ts {at} is beyond all time: {MOMENT}"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is whole, and far from the limits")]
    let at_ms = at.floor() as i64;
    Ok(at_ms)
}

/// The lines of a trace, one in memory at a time.
pub(super) struct Lines<R> {
    trace: R,
    number: u64,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn of(trace: R) -> Self {
        Self { trace, number: 0, line: Vec::new() }
    }

    /// The next line that is not empty, with its number: what it says, or why that is nothing.
    pub(super) fn read(&mut self) -> io::Result<Option<(u64, Result<Line, String>)>> {
        loop {
            self.line.clear();
            let read = (&mut self.trace).take(LINE_BYTES_MAX).read_until(b'\n', &mut self.line)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.line.last() != Some(&b'\n') && self.line.len() as u64 == LINE_BYTES_MAX {
                self.trace.skip_until(b'\n')?;
                let too_long = format!("longer than {LINE_BYTES_MAX} bytes");
                return Ok(Some((self.number, Err(too_long))));
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some((self.number, parse(&self.line))));
            }
        }
    }
}

fn parse(line: &[u8]) -> Result<Line, String> {
    let written: Written = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    match written {
        Written { ts: Some(ts), device: Some(device), bytes: Some(bytes), .. } => {
            if device.is_empty() || bytes == 0 {
                return Err("a device without a name, or no bytes".to_owned());
            }
            let chars = device.chars().count();
            if chars > PARTITION_KEY_CHARS_MAX {
                return Err(format!(
                    "a device with a name of {chars} characters: a partition key has at most \
                     {PARTITION_KEY_CHARS_MAX}"
                ));
            }
            Ok(Line::Reading(Reading { at_ms: ts.at_ms()?, device, bytes }))
        }
        Written { ts: None, device: None, bytes: None, bytes_are: Some(bytes_are) } => {
            Ok(Line::Header(bytes_are))
        }
        _ => Err("ts, device and bytes must be there".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<(u64, Result<Line, String>)> {
        let mut lines = Lines::of(text.as_bytes());
        std::iter::from_fn(|| lines.read().expect("memory can be read")).collect()
    }

    fn reading(at_ms: i64, device: &str, bytes: u32) -> Result<Line, String> {
        Ok(Line::Reading(Reading { at_ms, device: device.to_owned(), bytes }))
    }

    #[test]
    fn moments_are_read_in_both_ways_and_other_fields_do_not_matter() {
        let text = "{\"bytes_are\":\"record\"}\n\n\
            {\"ts\":\"1970-01-01T00:00:01.5Z\",\"device\":\"a\",\"bytes\":7,\"topic\":\"x\"}\n\
            {\"ts\":2000,\"device\":\"b\",\"bytes\":8}";
        let read = all(text);
        let expected = vec![
            (1, Ok(Line::Header(BytesAre::Record))),
            (3, reading(1500, "a", 7)),
            (4, reading(2000, "b", 8)),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn a_part_of_a_millisecond_is_left_out() {
        for (ts, at_ms) in [
            ("1780000000000.5", 1_780_000_000_000),
            ("1780000000001.0", 1_780_000_000_001),
            ("1.780000000001999e12", 1_780_000_000_001),
            ("-0.5", -1),
        ] {
            let read = all(&format!("{{\"ts\":{ts},\"device\":\"b\",\"bytes\":8}}"));
            assert_eq!(read, [(1, reading(at_ms, "b", 8))], "{ts}");
        }
    }

    #[test]
    fn what_is_no_moment_says_what_it_must_be() {
        for (ts, why) in [
            ("1780000000", "ts 1780000000 looks like seconds: "),
            ("1780000000.25", "ts 1780000000.25 looks like seconds: "),
            ("9999999999.9", "ts 9999999999.9 looks like seconds: "),
            ("1e300", " is beyond all time: "),
            ("99999999999999999999", "ts 100000000000000000000 is beyond all time: "),
            ("\"yesterday\"", "ts \"yesterday\" is not "),
            ("true", "ts must be "),
            ("[1780000000000]", "ts must be "),
            ("{\"s\":1}", "ts must be "),
        ] {
            let read = all(&format!("{{\"ts\":{ts},\"device\":\"b\",\"bytes\":8}}"));
            let said = read[0].1.as_ref().expect_err(ts);
            assert!(said.contains(&format!("{why}{MOMENT}")), "{said}");
        }
    }

    #[test]
    fn a_line_too_long_to_hold_is_left_out_and_the_next_is_read() {
        let long = "x".repeat(100_000);
        let read = all(&format!("{long}\n{{\"ts\":1,\"device\":\"b\",\"bytes\":8}}\n{long}"));
        assert!(read[0].1.is_err() && read[2].1.is_err());
        assert_eq!((read.len(), &read[1]), (3, &(2, reading(1, "b", 8))));
    }

    #[test]
    fn a_name_longer_than_a_partition_key_is_left_out() {
        for (chars, is_read) in [(256, true), (257, false)] {
            let device = "é".repeat(chars);
            let read = all(&format!("{{\"ts\":1,\"device\":\"{device}\",\"bytes\":8}}"));
            assert_eq!(read[0].1.is_ok(), is_read, "{chars}: {read:?}");
        }
    }

    #[test]
    fn what_is_no_reading_says_why() {
        for line in [
            "{",
            "[]",
            "{}",
            "{\"ts\":1,\"device\":\"b\"}",
            "{\"ts\":1,\"device\":\"\",\"bytes\":1}",
            "{\"ts\":1,\"device\":\"b\",\"bytes\":0}",
            "{\"ts\":1,\"device\":\"b\",\"bytes\":-1}",
            "{\"ts\":1,\"device\":\"b\",\"bytes\":5000000000}",
            "{\"ts\":1780000200,\"device\":\"b\",\"bytes\":1}",
            "{\"ts\":\"yesterday\",\"device\":\"b\",\"bytes\":1}",
            "{\"bytes_are\":\"words\"}",
        ] {
            assert!(all(line).iter().all(|(_, read)| read.is_err()), "{line}");
        }
    }
}
