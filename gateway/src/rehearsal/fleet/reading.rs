//! One reading: JSON as small devices write it.

use std::io::Write;
use std::sync::LazyLock;

use jiff::Timestamp;

/// The smallest reading there is, in bytes: its scalars and the shortest spectrum.
pub const READING_BYTES_MIN: usize = 400;

/// Bytes of one element of the spectrum: three digits, a comma and a space.
const ELEMENT_BYTES: usize = 5;
/// Elements to choose spectra from.
const ELEMENTS: usize = 8192;

/// `123, 456, …`: a spectrum is a piece of it, for formatting numbers one by one would take longer
/// than all the rest.
static SPECTRUM: LazyLock<String> = LazyLock::new(|| {
    let element = |index: u64| format!("{:03}, ", 100 + mix(index) % 900);
    (0..).take(ELEMENTS).map(element).collect()
});

/// Reading number `sequence` of `device`, measured at `at_ms` (milliseconds since 1970), of
/// exactly `bytes` bytes or [`READING_BYTES_MIN`] if that is more; about 40 KB at most. The same
/// arguments give the same bytes.
///
/// Devices of even number write their time as RFC 3339, the others as epoch milliseconds. The
/// white space is that of the usual JSON writers on small devices.
#[must_use]
pub fn reading(device: usize, sequence: u64, at_ms: i64, bytes: usize, seed: u64) -> Vec<u8> {
    let bytes = bytes.max(READING_BYTES_MIN);
    let device_u64 = u64::try_from(device).unwrap_or(u64::MAX);
    let chance = mix(seed ^ mix(device_u64) ^ sequence.rotate_left(32));
    let mut out = Vec::with_capacity(bytes);
    push_scalars(&mut out, device, (sequence, at_ms), chance);
    push_spectrum(&mut out, bytes, chance);
    out
}

fn push_scalars(out: &mut Vec<u8>, device: usize, (sequence, at_ms): (u64, i64), chance: u64) {
    // Each value takes some bits of `chance` for itself.
    let pick = |bits: u32, below: u64| (chance >> bits & 0xFFFF) % below;
    let (status, alarm) = if pick(0, 64) == 0 { ("fault", true) } else { ("running", false) };
    let hundredths = 1500 + (device % 16) * 100;
    let temperature = u64::try_from(hundredths).unwrap_or(0) + pick(6, 400);
    let (humidity, pressure) = (300 + pick(12, 400), 9800 + pick(18, 500));
    let (battery, rms) = (330 + pick(24, 80), 10 + pick(30, 900));
    let (rssi, rpm) = (50 + pick(36, 45), 1450 + pick(42, 60));
    push_time(out, device, at_ms);
    write!(
        out,
        "\"seq\": {sequence}, \"model\": \"TG-VIB-3\", \"firmware\": \"2.4.1\", \
         \"status\": \"{status}\", \"alarm\": {alarm}, \
         \"temperature\": {}.{:02}, \"humidity\": {}.{}, \"pressure\": {}.{}, \
         \"battery\": {}.{:02}, \"rssi\": -{rssi}, \"rpm\": {rpm}, \"vibration_rms\": 0.{rms:03}, ",
        temperature / 100,
        temperature % 100,
        humidity / 10,
        humidity % 10,
        pressure / 10,
        pressure % 10,
        battery / 100,
        battery % 100,
    )
    .expect("memory takes whatever is written");
}

fn push_time(out: &mut Vec<u8>, device: usize, at_ms: i64) {
    let time = Timestamp::from_millisecond(at_ms).ok().filter(|_| device.is_multiple_of(2));
    match time {
        Some(time) => write!(out, "{{\"ts\": \"{time:.3}\", "),
        None => write!(out, "{{\"ts\": {at_ms}, "),
    }
    .expect("memory takes whatever is written");
}

/// Ends the reading with a spectrum that brings it to `bytes` bytes.
fn push_spectrum(out: &mut Vec<u8>, bytes: usize, chance: u64) {
    out.extend_from_slice(b"\"spectrum\": [");
    // The last element goes without its separator, and takes as further digits what is too little
    // for another one.
    let room = bytes.saturating_sub(out.len());
    let mut left = room - room % ELEMENT_BYTES;
    let start = usize::try_from(chance >> 48).unwrap_or(0) % ELEMENTS * ELEMENT_BYTES;
    let mut source = SPECTRUM.as_bytes().get(start..).unwrap_or_default();
    while left > 0 {
        let piece = source.get(..left).unwrap_or(source);
        out.extend_from_slice(piece);
        left -= piece.len();
        source = SPECTRUM.as_bytes();
    }
    out.truncate(out.len().saturating_sub(2));
    out.resize(bytes.saturating_sub(2), b'0');
    out.extend_from_slice(b"]}");
}

/// Spreads `value` over all 64 bits (the finaliser of SplitMix64).
fn mix(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ mixed >> 31
}
