//! What must hold of a payload before it is read, beyond what the JSON reader checks itself.

use super::reject::{Reason, Reject};

/// Deepest nesting of objects and arrays. Real readings have three or four levels; consumers' own
/// readers give up at 100 to 128.
const DEPTH_MAX: usize = 64;

/// Takes a payload that is UTF-8, not blank, not too deep, and free of half surrogate pairs. It may
/// still not be JSON.
pub(super) fn check(payload: &[u8]) -> Result<&str, Reject> {
    let text = str::from_utf8(payload)
        .map_err(|error| Reject::new(Reason::NotUtf8, format!("the payload: {error}")))?;
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    if text.is_empty() {
        return Err(Reject::new(Reason::Empty, "the payload is blank"));
    }
    if is_too_deep(text.as_bytes()) {
        let detail = format!("objects and arrays are nested deeper than {DEPTH_MAX}");
        return Err(Reject::new(Reason::TooDeep, detail));
    }
    if has(text, |byte| byte == b'\\') && !surrogates_are_paired(text.as_bytes()) {
        return Err(Reject::new(Reason::NotJson, "half of a surrogate pair in a string"));
    }
    Ok(text)
}

/// Tells whether a byte of `text` is wanted. There is no way out early, so that it is done many bytes
/// at a time; most often there is none.
fn has(text: &str, is_wanted: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(false, |found, byte| found | is_wanted(byte))
}

fn is_too_deep(text: &[u8]) -> bool {
    // Most payloads have so few brackets that their order does not matter.
    let opening = |byte: &u8| u8::from(*byte | 0x20 == b'{');
    let brackets: usize =
        text.chunks(255).map(|chunk| usize::from(chunk.iter().map(opening).sum::<u8>())).sum();
    if brackets <= DEPTH_MAX {
        return false;
    }
    let mut strings = Strings::default();
    let mut depth: usize = 0;
    let mut deepest: usize = 0;
    for byte in text.iter().filter(|byte| !strings.cover(**byte)) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest > DEPTH_MAX
}

/// Tells strings from what stands between them.
#[derive(Default)]
struct Strings {
    inside: bool,
    escaped: bool,
}

impl Strings {
    /// Goes on by one byte, and tells whether it belongs to a string or is one of its quotes.
    fn cover(&mut self, byte: u8) -> bool {
        if !self.inside {
            self.inside = byte == b'"';
            return self.inside;
        }
        self.inside = self.escaped || byte != b'"';
        self.escaped = byte == b'\\' && !self.escaped;
        true
    }
}

/// Tells whether each `\ud800` to `\udbff` is followed by its other half. The JSON reader does not
/// look into what it hands on unread, and no consumer could read such a record.
fn surrogates_are_paired(text: &[u8]) -> bool {
    let mut rest = text;
    let mut wants_low = false;
    while let Some((first, tail)) = rest.split_first() {
        let unit = if *first == b'\\' { escaped_unit(tail) } else { None };
        match unit {
            Some(0xDC00..=0xDFFF) if wants_low => wants_low = false,
            Some(0xDC00..=0xDFFF) => return false,
            _ if wants_low => return false,
            Some(unit) => wants_low = (0xD800..=0xDBFF).contains(&unit),
            None => {}
        }
        let length = match (first, unit) {
            (_, Some(_)) => 6,
            (b'\\', None) => 2,
            _ => 1,
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    !wants_low
}

/// The number that four hexadecimal digits after `u` stand for, the rest of an escape.
fn escaped_unit(tail: &[u8]) -> Option<u16> {
    let digits = tail.strip_prefix(b"u")?.get(..4)?;
    let digits = str::from_utf8(digits).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

/// Appends JSON text, known to be valid, without white space between its parts.
pub(super) fn push_compact(out: &mut Vec<u8>, json: &str) {
    if !has(json, |byte| byte <= b' ') {
        out.extend_from_slice(json.as_bytes());
        return;
    }
    if has(json, |byte| byte == b'"') {
        let mut strings = Strings::default();
        out.extend(json.bytes().filter(|byte| strings.cover(*byte) || *byte > b' '));
    } else {
        push_without_spaces(out, json);
    }
}

/// Appends every byte above the space. Each is written, and those that count are stepped over: in
/// an array of numbers every fourth byte or so is a space, too regular to skip and too irregular
/// to predict.
fn push_without_spaces(out: &mut Vec<u8>, json: &str) {
    let mut end = out.len();
    out.resize(end + json.len(), 0);
    for byte in json.bytes() {
        if let Some(place) = out.get_mut(end) {
            *place = byte;
        }
        end += usize::from(byte > b' ');
    }
    out.truncate(end);
}

/// Tells whether every number of `json`, known to be valid, is finite as a double. A reader that
/// meets another refuses the whole record.
pub(super) fn numbers_are_finite(json: &str) -> bool {
    // Without an exponent it takes over 300 digits to leave the range, and those fill a chunk.
    const CHUNK: usize = 128;
    let bytes = json.as_bytes();
    let followers = bytes.iter().skip(1);
    let exponent = bytes
        .iter()
        .zip(followers)
        .fold(false, |found, (a, b)| found | (a.is_ascii_digit() & (*b | 0x20 == b'e')));
    let long = bytes.chunks_exact(CHUNK).any(|chunk| chunk.iter().all(u8::is_ascii_digit));
    if !exponent && !long {
        return true;
    }
    let mut strings = Strings::default();
    let apart = |byte: &u8| {
        let in_number = matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        strings.cover(*byte) || !in_number
    };
    bytes
        .split(apart)
        .filter_map(|part| str::from_utf8(part).ok()?.parse::<f64>().ok())
        .all(f64::is_finite)
}
