//! Bytes to records, or a reason why not. Pure: no clock, no I/O.
//!
//! [`Normaliser::normalise`] picks a decoder, which turns the text of a payload into readings, and
//! writes each as a canonical record. There is one decoder today, `json`, for JSON of any shape; one
//! that knows a network's own envelope goes beside it, is picked by topic in `normalise`, and makes
//! the same readings.
//!
//! The canonical record is one line of JSON, keys always in this order, absent ones left out:
//!
//! `{"v":1,"id":…,"tenant":…,"src":"json","type":…,"dev":…,"ts":…,"ts_src":…,"rx_ts":…,"seq":…,"m":[…],"x":{…},"q":[…]}`

mod body;
mod canonical;
mod flag;
mod id;
mod json;
mod leaf;
mod name;
pub mod pointer;
mod reading;
mod reject;
mod rule;
mod text;
mod time;

#[cfg(test)]
mod tests;

use bytes::Bytes;

use crate::config;
use crate::filter::FilterFault;
use crate::limits::PARTITION_KEY_CHARS_MAX;
use crate::record::{DeviceId, Record, TYPE};
use crate::topic::{Captured, Template, TemplateFault};

use canonical::Envelope;
use flag::Flag;
use id::Content;
use json::{Json, Plan};
use leaf::Leaf;
use pointer::PointerFault;
use reading::Reading;
pub use reject::{Reason, Reject};

/// Largest record, in bytes: Kinesis counts data and partition key together, 1 MiB by default, and
/// the key has at most 256 characters of up to 4 bytes.
pub const RECORD_BYTES_MAX: usize = 1024 * 1024 - 4 * PARTITION_KEY_CHARS_MAX;

/// Most bytes that the records of one publish may have together: an array of small objects grows
/// by its envelopes, and memory has a ceiling.
pub const PUBLISH_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a record costs in memory beside its bytes, about.
const RECORD_OVERHEAD_BYTES: usize = 128;

/// Makes records of publishes, as the configuration says.
#[derive(Debug)]
pub struct Normaliser {
    format: config::Format,
    newline: bool,
    template: Option<Template>,
    /// Whether a raw payload must be JSON, because device or tenant are looked up in it.
    reads_names: bool,
    json: Json,
}

/// Why a configuration cannot be relied on.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The topic template is none.
    #[error("topic template: {0}")]
    Template(#[from] TemplateFault),
    /// The filter of a mapping is none.
    #[error("filter of a mapping: {0}")]
    Filter(#[from] FilterFault),
    /// A JSON Pointer is none.
    #[error(transparent)]
    Pointer(#[from] PointerFault),
}

/// The records of one publish, in the order of the payload: at least one.
#[derive(Debug)]
pub struct Normalised {
    first: Record,
    rest: std::vec::IntoIter<Record>,
}

impl IntoIterator for Normalised {
    type Item = Record;
    type IntoIter = std::iter::Chain<std::iter::Once<Record>, std::vec::IntoIter<Record>>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::once(self.first).chain(self.rest)
    }
}

impl Normalised {
    fn one(record: Record) -> Self {
        Self { first: record, rest: Vec::new().into_iter() }
    }
}

/// What all records of one publish have in common.
struct Origin<'a> {
    topic: &'a str,
    captured: Captured<'a>,
    content: Content,
    rx_ts_ms: i64,
    nonce: u64,
}

impl Normaliser {
    /// Compiles `records`.
    ///
    /// # Errors
    /// A template, filter or pointer that is none. A checked configuration has no such fault.
    pub fn new(records: &config::Records) -> Result<Self, Fault> {
        Ok(Self {
            format: records.format,
            newline: records.newline,
            template: records.topic_template.as_deref().map(Template::new).transpose()?,
            reads_names: records.device_pointer.is_some() || records.tenant_pointer.is_some(),
            json: Json::new(records)?,
        })
    }

    /// Makes the records of one publish that arrived at `rx_ts_ms`, milliseconds since 1970-01-01
    /// UTC. All or nothing: one bad element of an array rejects the whole.
    ///
    /// Equal arguments give equal records. `nonce` is what tells two receipts of one millisecond
    /// apart; it counts only for readings with neither time nor sequence.
    ///
    /// # Errors
    /// The reason why no record can be made. The caller keeps the payload.
    pub fn normalise(
        &self,
        topic: &[u8],
        payload: &Bytes,
        rx_ts_ms: i64,
        nonce: u64,
    ) -> Result<Normalised, Reject> {
        let topic = str::from_utf8(topic)
            .map_err(|error| Reject::new(Reason::BadTopic, format!("the topic: {error}")))?;
        let template = self.template.as_ref();
        let captured = template.and_then(|template| template.capture(topic)).unwrap_or_default();
        let content = Content::of(topic, payload);
        let origin = Origin { topic, captured, content, rx_ts_ms, nonce };
        match self.format {
            config::Format::Raw => self.raw(&origin, payload).map(Normalised::one),
            config::Format::Canonical => self.canonical(&origin, text::check(payload)?),
        }
    }

    /// The type of the records of a publish to `topic`.
    #[must_use]
    pub fn kind<'t>(&self, topic: &'t str) -> &'t str {
        let template = self.template.as_ref();
        template.and_then(|template| template.capture(topic)).map_or(TYPE, |it| kind(&it))
    }

    fn canonical(&self, origin: &Origin<'_>, text: &str) -> Result<Normalised, Reject> {
        let plan = self.json.plan(origin.topic);
        match Leaf::of(text) {
            Leaf::Array(text) => self.each_element(origin, &plan, text),
            Leaf::Null => {
                leaf::check_value(text)?;
                Err(Reject::new(Reason::Empty, "the payload is null"))
            }
            Leaf::Object(_) | Leaf::Boolean(_) | Leaf::Number(_) | Leaf::Text(_) => {
                let reading = plan.read(text, origin.rx_ts_ms)?;
                Ok(Normalised::one(self.record(origin, reading, 0)?))
            }
        }
    }

    fn each_element(
        &self,
        origin: &Origin<'_>,
        plan: &Plan<'_>,
        array: &str,
    ) -> Result<Normalised, Reject> {
        let mut records = Vec::new();
        let mut bytes: usize = 0;
        leaf::each_part(array, |_, element| {
            let index = records.len();
            let leaf = Leaf::of(element);
            let read = if matches!(leaf, Leaf::Object(_)) {
                plan.read(element, origin.rx_ts_ms)
            } else {
                Err(Reject::new(Reason::NotObject, format!("it is {}", leaf.kind())))
            };
            let record = read
                .and_then(|reading| self.record(origin, reading, index))
                .map_err(|reject| reject.in_element(index))?;
            bytes += record.data.len() + RECORD_OVERHEAD_BYTES;
            if bytes > PUBLISH_BYTES_MAX {
                let detail = format!("{} records have over {PUBLISH_BYTES_MAX} bytes", index + 1);
                return Err(Reject::new(Reason::TooLarge, detail));
            }
            records.push(record);
            Ok(())
        })?;
        let mut rest = records.into_iter();
        match rest.next() {
            Some(first) => Ok(Normalised { first, rest }),
            None => Err(Reject::new(Reason::Empty, "the payload is an array without elements")),
        }
    }

    /// Writes what was read of the element at `index` of a payload; 0 for one that is no array.
    fn record(
        &self,
        origin: &Origin<'_>,
        mut reading: Reading<'_>,
        index: usize,
    ) -> Result<Record, Reject> {
        let unstable = reading.time_ms.is_none() && reading.sequence.is_none();
        if unstable {
            reading.body.raise(Flag::IdUnstable);
        }
        let device = device(origin, &reading)?;
        let tenant = tenant(origin, &reading)?;
        let arrival = unstable.then_some((origin.rx_ts_ms, origin.nonce));
        let envelope = Envelope {
            id: origin.content.id(index, arrival),
            tenant,
            kind: kind(&origin.captured),
            device: device.as_str(),
            time_ms: reading.time_ms,
            rx_ts_ms: origin.rx_ts_ms,
            sequence: reading.sequence,
        };
        let data = canonical::write(&envelope, &reading.body, self.newline)?;
        Ok(Record { tenant: tenant.map(Into::into), device, data })
    }

    /// The payload as it came. A newline is appended only if one is wanted and it ends in none.
    fn raw(&self, origin: &Origin<'_>, payload: &Bytes) -> Result<Record, Reject> {
        if payload.is_empty() {
            return Err(Reject::new(Reason::Empty, "the payload has no bytes"));
        }
        let reading = if self.reads_names {
            self.json.names().read(text::check(payload)?, origin.rx_ts_ms)?
        } else {
            Reading::default()
        };
        let device = device(origin, &reading)?;
        let tenant = tenant(origin, &reading)?.map(Into::into);
        let wants_newline = self.newline && !payload.ends_with(b"\n");
        let end: &[u8] = if wants_newline { b"\n" } else { b"" };
        // A copy: a slice would keep all of what was read with it in memory.
        let data = Bytes::from([payload, end].concat());
        canonical::fits(data.len())?;
        Ok(Record { device, tenant, data })
    }
}

/// The type, as the template says.
fn kind<'t>(captured: &Captured<'t>) -> &'t str {
    captured.kind.filter(|kind| !kind.is_empty()).unwrap_or(TYPE)
}

/// The device: as the payload says if a pointer asks it, else as the template says, else the topic.
fn device(origin: &Origin<'_>, reading: &Reading<'_>) -> Result<DeviceId, Reject> {
    let name = match &reading.device {
        Some(name) => name,
        None => origin.captured.device.unwrap_or(origin.topic),
    };
    DeviceId::new(name).ok_or_else(|| Reject::bad_name(Reason::BadDevice, name))
}

/// The tenant: as the payload says, else as the template says, else none.
fn tenant<'a>(origin: &Origin<'a>, reading: &'a Reading<'_>) -> Result<Option<&'a str>, Reject> {
    let name = reading.tenant.as_deref().or(origin.captured.tenant);
    match name {
        Some(name) if !DeviceId::accepts(name) => Err(Reject::bad_name(Reason::BadTenant, name)),
        name => Ok(name),
    }
}
