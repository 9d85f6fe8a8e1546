//! The canonical record, written.

use bytes::Bytes;

use super::RECORD_BYTES_MAX;
use super::body::{Body, push_json};
use super::id::ID_CHARS;
use super::reject::{Reason, Reject};

/// What stands around the measurements.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    pub(super) id: [u8; ID_CHARS],
    pub(super) tenant: Option<&'a str>,
    pub(super) kind: &'a str,
    pub(super) device: &'a str,
    pub(super) time_ms: Option<i64>,
    pub(super) rx_ts_ms: i64,
    pub(super) sequence: Option<u64>,
}

/// Keys, punctuation and numbers of an envelope, and some flags.
const ENVELOPE_BYTES: usize = 256;

/// Writes one line.
pub(super) fn write(envelope: &Envelope<'_>, body: &Body, newline: bool) -> Result<Bytes, Reject> {
    let names = envelope.device.len() + envelope.kind.len() + envelope.tenant.map_or(0, str::len);
    let mut out = Vec::with_capacity(ENVELOPE_BYTES + names + body.bytes());
    push_envelope(&mut out, envelope);
    if !body.measurements.is_empty() {
        out.extend_from_slice(b",\"m\":[");
        out.extend_from_slice(&body.measurements);
        out.push(b']');
    }
    if !body.extra.is_empty() {
        out.extend_from_slice(b",\"x\":{");
        out.extend_from_slice(&body.extra);
        out.push(b'}');
    }
    for (index, flag) in body.flags.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b",\"q\":[\"" } else { b",\"" });
        out.extend_from_slice(flag.as_str().as_bytes());
        out.push(b'"');
    }
    if !body.flags.is_empty() {
        out.push(b']');
    }
    out.push(b'}');
    if newline {
        out.push(b'\n');
    }
    fits(out.len())?;
    Ok(Bytes::from(out))
}

/// Refuses what the stream would not take.
pub(super) fn fits(bytes: usize) -> Result<(), Reject> {
    if bytes > RECORD_BYTES_MAX {
        let detail = format!("a record of over {RECORD_BYTES_MAX} bytes");
        return Err(Reject::new(Reason::TooLarge, detail));
    }
    Ok(())
}

fn push_envelope(out: &mut Vec<u8>, envelope: &Envelope<'_>) {
    out.extend_from_slice(b"{\"v\":1,\"id\":\"");
    out.extend_from_slice(&envelope.id);
    out.push(b'"');
    if let Some(tenant) = envelope.tenant {
        out.extend_from_slice(b",\"tenant\":");
        push_json(out, tenant);
    }
    out.extend_from_slice(b",\"src\":\"json\",\"type\":");
    push_json(out, envelope.kind);
    out.extend_from_slice(b",\"dev\":");
    push_json(out, envelope.device);
    out.extend_from_slice(b",\"ts\":");
    push_json(out, &envelope.time_ms.unwrap_or(envelope.rx_ts_ms));
    out.extend_from_slice(match envelope.time_ms {
        Some(_) => b",\"ts_src\":\"device\",\"rx_ts\":",
        None => b",\"ts_src\":\"arrival\",\"rx_ts\":".as_slice(),
    });
    push_json(out, &envelope.rx_ts_ms);
    if let Some(sequence) = envelope.sequence {
        out.extend_from_slice(b",\"seq\":");
        push_json(out, &sequence);
    }
}
