//! The lines of a trace.

use std::io::{self, BufRead, Read};
use std::ops::Range;

use jiff::Timestamp;
use serde::Deserialize;

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
    Rfc3339(String),
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
            let at_ms = match ts {
                Moment::EpochMs(at) if EPOCH_S.contains(&at) => {
                    return Err(format!(
                        "ts {at} looks like seconds: milliseconds since 1970, or RFC 3339"
                    ));
                }
                Moment::EpochMs(at_ms) => at_ms,
                Moment::Rfc3339(at) => {
                    let parsed: Result<Timestamp, _> = at.parse();
                    parsed.map_err(|error| format!("ts {at:?}: {error}"))?.as_millisecond()
                }
            };
            Ok(Line::Reading(Reading { at_ms, device, bytes }))
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
