//! What goes in and what comes out, line by line.

mod bad_input;
mod envelope;
mod ids;
mod mappings;
mod properties;
mod unmapped;

use bytes::Bytes;

use super::*;
use crate::config::{FieldRule, Format, Mapping, Records, Unmapped};

/// 2025-11-21T02:33:24.456Z
const RX_TS_MS: i64 = 1_763_692_404_456;

const TOPIC: &str = "sites/north/devices/d7/telemetry";

/// The defaults of the configuration.
fn records() -> Records {
    Records {
        format: Format::Canonical,
        newline: true,
        topic_template: None,
        device_pointer: None,
        tenant_pointer: None,
        time_pointers: ["/ts", "/time", "/timestamp"].map(str::to_owned).into(),
        sequence_pointer: None,
        unmapped: Unmapped::Measure,
        mappings: Vec::new(),
    }
}

fn rule(pointer: &str, name: &str) -> FieldRule {
    FieldRule {
        pointer: pointer.to_owned(),
        name: name.to_owned(),
        channel: None,
        unit: None,
        scale: 1.0,
        offset: 0.0,
        kind: None,
    }
}

fn mapped(fields: Vec<FieldRule>) -> Records {
    Records { mappings: vec![Mapping { filter: "#".to_owned(), fields }], ..records() }
}

fn normalise(
    records: &Records,
    topic: &str,
    payload: impl AsRef<[u8]>,
) -> Result<Vec<Record>, Reject> {
    let payload = Bytes::copy_from_slice(payload.as_ref());
    let normaliser = Normaliser::new(records).expect("a good configuration");
    let normalised = normaliser.normalise(topic.as_bytes(), &payload, RX_TS_MS, 1)?;
    Ok(normalised.into_iter().collect())
}

/// The one record made of `payload`, as text.
fn line(records: &Records, payload: &str) -> String {
    let made = normalise(records, TOPIC, payload).unwrap_or_else(|reject| panic!("{reject}"));
    assert_eq!(made.len(), 1);
    String::from_utf8(made[0].data.to_vec()).unwrap()
}

/// Everything but the id, which must look like one.
#[track_caller]
fn check(records: &Records, payload: &str, expected: &str) {
    let line = line(records, payload);
    let rest = line.strip_prefix(r#"{"v":1,"id":""#).unwrap();
    let (id, rest) = rest.split_at(26);
    assert!(id.bytes().all(|digit| b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".contains(&digit)), "{id}");
    assert_eq!(rest.strip_prefix(r#"","#).unwrap(), format!("{expected}\n"), "of {payload}");
}

/// What stands behind `rx_ts`, with `id_unstable` cut out.
#[track_caller]
fn check_body(records: &Records, payload: &str, expected: &str) {
    let line = line(records, payload);
    let (_, body) = line.split_once(&format!(r#""rx_ts":{RX_TS_MS}"#)).unwrap();
    let body = body.replace(r#","q":["id_unstable"]"#, "").replace(r#","id_unstable"]"#, "]");
    let body = body.strip_suffix("}\n").unwrap();
    assert_eq!(body.strip_prefix(',').unwrap_or(body), expected, "of {payload}");
}

#[track_caller]
fn check_reject(records: &Records, payload: impl AsRef<[u8]>, expected: &str) {
    let reject = normalise(records, TOPIC, payload).expect_err("a reject");
    assert_eq!(reject.to_string(), expected);
}
