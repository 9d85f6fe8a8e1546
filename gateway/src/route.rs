//! Where a record goes: its partition key. Pure.

use bytes::Bytes;

use crate::ack::Receipt;
use crate::record::{PartitionKey, Record};

/// A record that knows its partition key.
#[derive(Debug, Clone)]
pub struct Routed {
    /// The partition key.
    pub key: PartitionKey,
    /// The bytes to send.
    pub data: Bytes,
    /// When its publish arrived, in milliseconds since 1970-01-01 UTC.
    pub rx_ts_ms: i64,
    /// What to settle when it is safe.
    pub receipt: Receipt,
}

/// Makes partition keys by a template.
#[derive(Debug, Clone)]
pub struct Router {
    pieces: Vec<Piece>,
    /// The key under construction, kept for its memory.
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Device,
    Tenant,
    Topic,
}

impl Router {
    /// Reads a template with `{dev}`, `{tenant}` and `{topic}`; without one the key is
    /// `tenant/device`, or the device where no tenant is known. Unknown names stay as they are.
    #[must_use]
    pub fn new(template: Option<&str>) -> Self {
        let pieces = template.map(pieces_of).unwrap_or_default();
        Self { pieces, text: String::new() }
    }

    /// The partition key of `record`, which came by `topic`, placed by its hash.
    pub fn key(&mut self, record: &Record, topic: &str) -> PartitionKey {
        PartitionKey::new(self.text(record, topic))
    }

    /// What the partition key of `record`, which came by `topic`, is made of.
    pub fn text<'a>(&'a mut self, record: &'a Record, topic: &str) -> &'a str {
        let tenant = record.tenant.as_deref();
        if self.pieces.is_empty() && tenant.is_none() {
            return record.device.as_str();
        }
        self.text.clear();
        if self.pieces.is_empty() {
            self.text.extend([tenant.unwrap_or_default(), "/", record.device.as_str()]);
        }
        for piece in &self.pieces {
            self.text.push_str(match piece {
                Piece::Text(text) => text,
                Piece::Device => record.device.as_str(),
                Piece::Tenant => tenant.unwrap_or_default(),
                Piece::Topic => topic,
            });
        }
        &self.text
    }
}

fn pieces_of(template: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        let (text, after) = rest.split_once('{').unwrap_or((rest, ""));
        if !text.is_empty() {
            pieces.push(Piece::Text(text.to_owned()));
        }
        let Some((name, tail)) = after.split_once('}') else {
            break;
        };
        pieces.push(match name {
            "dev" => Piece::Device,
            "tenant" => Piece::Tenant,
            "topic" => Piece::Topic,
            other => Piece::Text(format!("{{{other}}}")),
        });
        rest = tail;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use crate::record::DeviceId;

    use super::*;

    fn key(template: Option<&str>, tenant: Option<&str>, device: &str) -> String {
        let record = Record {
            device: DeviceId::new(device).unwrap(),
            tenant: tenant.map(Into::into),
            data: Bytes::new(),
        };
        Router::new(template).key(&record, "a/b").as_str().to_owned()
    }

    #[test]
    fn by_default_the_key_is_tenant_and_device() {
        assert_eq!(key(None, Some("acme"), "pump-1"), "acme/pump-1");
        assert_eq!(key(None, None, "pump-1"), "pump-1");
    }

    #[test]
    fn template_places_device_tenant_and_topic() {
        assert_eq!(key(Some("{tenant}:{dev}@{topic}"), Some("acme"), "p"), "acme:p@a/b");
        assert_eq!(key(Some("x-{dev}"), None, "p"), "x-p");
        assert_eq!(key(Some("{tenant}"), None, "p"), "-", "a key is never empty");
    }

    #[test]
    fn long_key_is_shortened_and_stays_distinct() {
        let (long, longer) = ("ä".repeat(300), "ä".repeat(301));
        let (a, b) = (key(None, None, &long), key(None, None, &longer));
        assert_eq!((a.chars().count(), b.chars().count()), (256, 256));
        assert_ne!(a, b);
        let fits = "ä".repeat(256);
        assert_eq!(key(None, None, &fits), fits);
    }
}
