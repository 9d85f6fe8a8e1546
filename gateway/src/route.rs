//! Where a record goes: its stream, and its partition key there. Pure.

use bytes::Bytes;

use crate::ack::Receipt;
use crate::config::{Route, Streams};
use crate::record::{PartitionKey, Record};

#[cfg(test)]
mod tests;

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

/// Chooses the stream of each record: the first whose route takes it.
#[derive(Debug)]
pub struct Routes(Vec<Route>);

impl Routes {
    /// The routes of all streams, in the order in which they are written.
    #[must_use]
    pub fn new(streams: &Streams) -> Self {
        Self(streams.iter().map(|stream| stream.route.clone()).collect())
    }

    /// Whether a route goes by the type of a record.
    #[must_use]
    pub fn ask_for_types(&self) -> bool {
        self.0.iter().any(|route| !route.types.is_empty())
    }

    /// The place among the streams of the one that takes `record`, which came by `topic` and is of
    /// type `kind`; `None` if no stream does.
    #[must_use]
    pub fn of(&self, record: &Record, topic: &str, kind: &str) -> Option<usize> {
        self.0.iter().position(|Route { topics, types, tenants }| {
            let is_of = |tenant: &str| tenants.contains(tenant);
            (topics.is_empty() || topics.iter().any(|filter| filter.matches(topic)))
                && (types.is_empty() || types.contains(kind))
                && (tenants.is_empty() || record.tenant.as_deref().is_some_and(is_of))
        })
    }
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
