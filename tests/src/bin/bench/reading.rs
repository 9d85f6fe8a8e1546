//! What the devices of the benchmark send, and how it is recognised in the stream.

use std::fmt::Write;

use serde::Deserialize;

/// How many devices take turns.
pub(crate) const DEVICES: u64 = 100;
/// What everybody subscribes to.
pub(crate) const FILTER: &str = "sites/+/devices/+/telemetry";
/// The size of a reading.
const READING_BYTES: usize = 1024;

/// Where reading number `n` is published.
pub(crate) fn topic(n: u64) -> String {
    let device = n % DEVICES;
    format!("sites/site-{}/devices/dev-{device:05}/telemetry", device / 50)
}

/// Reading number `n` of all, made at `ts_ms` (milliseconds since 1970): JSON of 1,024 bytes with a
/// time, a sequence number, 12 further scalars and a spectrum that takes the rest.
pub(crate) fn reading(n: u64, ts_ms: i64) -> Vec<u8> {
    let mut text = format!(
        "{{\"ts\": {ts_ms}, \"seq\": {}, \"model\": \"TG-VIB-3\", \"firmware\": \"2.4.1\", \
         \"status\": \"running\", \"alarm\": false, \"temperature\": 2{}.{:02}, \
         \"humidity\": 4{}.2, \"pressure\": 10{:02}.4, \"battery\": 3.{:02}, \"rssi\": -{}, \
         \"rpm\": 14{:02}, \"vibration\": {{\"rms\": 0.{:03}, \"peak\": 1.{:03}}}, \
         \"spectrum\": [",
        n / DEVICES,
        n % 10,
        n % 97,
        n % 9,
        n % 31,
        n % 83,
        50 + n % 45,
        n % 89,
        n % 997,
        n % 991,
    );
    let mut value = n;
    while text.len() < READING_BYTES - 6 {
        value =
            value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Writing to a string cannot fail.
        let _infallible = write!(text, "{}, ", 100 + (value >> 33) % 900);
    }
    text.truncate(text.len() - 2);
    // The last element is as long as it takes.
    let digits = READING_BYTES - 2 - text.len();
    text.extend(std::iter::repeat_n('0', digits));
    text.push_str("]}");
    text.into_bytes()
}

/// What the bare loop and the gateway leave of a reading in the same place.
#[derive(Debug, Deserialize)]
pub(crate) struct Mark {
    /// When it was made, in milliseconds since 1970.
    pub(crate) ts: i64,
    /// Its number among those of its device.
    pub(crate) seq: u64,
}
