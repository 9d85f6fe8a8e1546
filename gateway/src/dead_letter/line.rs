//! A letter as one line of JSON.

use std::borrow::Cow;

use bytes::Bytes;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use crate::addressee::Addressee;
use crate::record::PartitionKey;

use super::{Letter, Origin, Payload, REFUSED_BY_STREAM};

/// The keys of a line, in this order. Of `topic`, `topic_base64`, `key` one is there, `stream` and
/// `target` only beside `key`, and of `payload`, `payload_base64`, `payload_xxh3_128` one.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    at: i64,
    reason: Cow<'a, str>,
    detail: Cow<'a, str>,
    #[serde(flatten)]
    origin: OriginKeys<'a>,
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_xxh3_128: Option<String>,
}

#[derive(Serialize, Deserialize, Default)]
struct OriginKeys<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Cow<'a, str>>,
    /// Topic or key in lines of an older version; never written.
    #[serde(skip_serializing)]
    origin: Option<String>,
}

/// Why a line is no letter: cut off by a crash, damaged, or not ours.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Longer than any line that is written.
    #[error("too long for a letter: {0} bytes")]
    TooLong(u64),
    /// Not the JSON of a letter.
    #[error("no letter: {0}")]
    Json(#[from] serde_json::Error),
    /// What should be base64 is not.
    #[error("no base64: {0}")]
    Base64(#[from] data_encoding::DecodeError),
    /// Neither the payload nor its hash.
    #[error("no payload")]
    NoPayload,
    /// Neither topic nor key.
    #[error("neither topic nor key")]
    NoOrigin,
}

impl Letter {
    /// The letter as one line, with the newline. What is not UTF-8 is kept in base64.
    ///
    /// # Errors
    /// None that could be named: texts and numbers can be written as JSON.
    pub fn line(&self) -> serde_json::Result<Vec<u8>> {
        let (payload, payload_base64, payload_xxh3_128) = match &self.payload {
            Payload::Hashed { xxh3_128, .. } => (None, None, Some(xxh3_128.clone())),
            Payload::Whole(payload) => {
                let (text, base64) = text_or_base64(payload);
                (text, base64, None)
            }
        };
        let mut line = serde_json::to_vec(&Line {
            at: self.at_ms,
            reason: Cow::Borrowed(&self.reason),
            detail: Cow::Borrowed(&self.detail),
            origin: self.origin.keys(),
            bytes: self.payload.bytes(),
            payload,
            payload_base64,
            payload_xxh3_128,
        })?;
        line.push(b'\n');
        Ok(line)
    }

    /// Reads a line, with or without its newline. Keys that are not known are passed over.
    ///
    /// # Errors
    /// Why it is no letter.
    pub fn of_line(line: &[u8]) -> Result<Self, Unreadable> {
        let line: Line<'_> = serde_json::from_slice(line)?;
        let payload = match (line.payload, line.payload_base64, line.payload_xxh3_128) {
            (Some(text), _, _) => Payload::Whole(text.into_owned().into()),
            (None, Some(base64), _) => Payload::Whole(BASE64.decode(base64.as_bytes())?.into()),
            (None, None, Some(xxh3_128)) => Payload::Hashed { bytes: line.bytes, xxh3_128 },
            (None, None, None) => return Err(Unreadable::NoPayload),
        };
        Ok(Self {
            at_ms: line.at,
            origin: Origin::of_keys(line.origin, &line.reason)?,
            reason: Cow::Owned(line.reason.into_owned()),
            detail: line.detail.into_owned(),
            payload,
        })
    }
}

impl Origin {
    fn keys(&self) -> OriginKeys<'_> {
        match self {
            Self::Record { key, stream, target } => OriginKeys {
                key: Some(Cow::Borrowed(key.as_str())),
                stream: stream.as_deref().map(Cow::Borrowed),
                target: target.as_ref().map(|target| Cow::Borrowed(target.as_str())),
                ..OriginKeys::default()
            },
            Self::Topic(topic) => {
                let (topic, topic_base64) = text_or_base64(topic);
                OriginKeys { topic, topic_base64, ..OriginKeys::default() }
            }
        }
    }

    fn of_keys(keys: OriginKeys<'_>, reason: &str) -> Result<Self, Unreadable> {
        let topic = |text: String| Self::Topic(Bytes::from(text));
        let stream = keys.stream.map(Cow::into_owned);
        let target = keys.target.as_deref().and_then(Addressee::parse);
        let record = |key: &str| Self::Record { key: PartitionKey::new(key), stream, target };
        match (keys.topic, keys.topic_base64, keys.key, keys.origin) {
            (Some(text), _, _, _) => Ok(topic(text.into_owned())),
            (None, Some(base64), _, _) => Ok(Self::Topic(BASE64.decode(base64.as_bytes())?.into())),
            (None, None, Some(key), _) => Ok(record(&key)),
            (None, None, None, Some(key)) if reason == REFUSED_BY_STREAM => Ok(record(&key)),
            (None, None, None, Some(text)) => Ok(topic(text)),
            (None, None, None, None) => Err(Unreadable::NoOrigin),
        }
    }
}

fn text_or_base64(bytes: &[u8]) -> (Option<Cow<'_, str>>, Option<String>) {
    match str::from_utf8(bytes) {
        Ok(text) => (Some(Cow::Borrowed(text)), None),
        Err(_) => (None, Some(BASE64.encode(bytes))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shard_estimator::limits::RECORD_BYTES_MAX;

    use super::*;
    use crate::limits::DEAD_LETTER_PAYLOAD_BYTES_MAX;

    fn record(key: &str, stream: Option<String>) -> Origin {
        let target = stream.as_ref().and_then(|_| Addressee::parse("pumps eu-central-1"));
        Origin::Record { key: PartitionKey::new(key), stream, target }
    }

    fn origin() -> impl Strategy<Value = Origin> {
        prop_oneof![
            ".{0,20}".prop_map(|topic| Origin::Topic(topic.into())),
            prop::collection::vec(any::<u8>(), 0..20).prop_map(|topic| Origin::Topic(topic.into())),
            (".{1,20}", prop::option::of(".{1,20}")).prop_map(|(key, stream)| record(&key, stream)),
        ]
    }

    fn payload() -> impl Strategy<Value = Payload> {
        prop_oneof![
            ".{0,20}".prop_map(|text| Payload::Whole(text.into())),
            prop::collection::vec(any::<u8>(), 0..20).prop_map(|some| Payload::Whole(some.into())),
            (any::<u32>(), "[0-9a-f]{32}")
                .prop_map(|(bytes, xxh3_128)| Payload::Hashed { bytes: bytes as usize, xxh3_128 }),
        ]
    }

    proptest! {
        #[test]
        fn letter_reads_back_as_it_was_written(
            at_ms: i64, reason in "[a-z_]{1,20}", detail: String, origin in origin(), payload in payload()
        ) {
            let letter = Letter { at_ms, reason: reason.into(), detail, origin, payload };
            let line = letter.line().unwrap();
            prop_assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            prop_assert_eq!(Letter::of_line(&line).unwrap(), letter);
        }
    }

    #[test]
    fn line_cut_off_anywhere_is_no_letter() {
        let line = br#"{"at":1,"reason":"empty","detail":"","topic":"t","bytes":0,"payload":""}"#;
        Letter::of_line(line).unwrap();
        for cut in 0..line.len() {
            Letter::of_line(&line[..cut]).unwrap_err();
        }
    }

    #[test]
    fn payload_that_is_too_long_leaves_length_and_hash() {
        let payload = Payload::of_publish(&[b'x'; DEAD_LETTER_PAYLOAD_BYTES_MAX + 1]);
        let origin = Origin::of_publish(b"t");
        let (reason, detail) = ("too_large".into(), String::new());
        let line = Letter { at_ms: 0, reason, detail, origin, payload }.line().unwrap();
        assert!(line.len() < 200);
        let read = Letter::of_line(&line).unwrap().payload;
        assert_eq!(read.bytes(), DEAD_LETTER_PAYLOAD_BYTES_MAX + 1);
        assert!(matches!(read, Payload::Hashed { xxh3_128, .. } if xxh3_128.len() == 32));
    }

    #[test]
    fn record_is_kept_whole_whatever_its_length() {
        for text in ["x", "\u{1}", "\""] {
            let payload = Payload::Whole(text.repeat(RECORD_BYTES_MAX).into());
            let origin = record("k", None);
            let (reason, detail) = (REFUSED_BY_STREAM.into(), String::new());
            let letter = Letter { at_ms: 0, reason, detail, origin, payload };
            assert!(Letter::of_line(&letter.line().unwrap()).unwrap() == letter, "of {text:?}");
        }
    }

    #[test]
    fn lines_of_an_older_version_are_read() {
        let line = |reason| {
            format!(
                r#"{{"at":1,"reason":"{reason}","detail":"d","origin":"a/b","bytes":1,"payload":"x"}}"#
            )
        };
        let origin = |reason| Letter::of_line(line(reason).as_bytes()).unwrap().origin;
        assert_eq!(origin("not_json"), Origin::Topic(Bytes::from_static(b"a/b")));
        assert_eq!(origin(REFUSED_BY_STREAM), record("a/b", None));
    }

    #[test]
    fn what_lacks_its_origin_or_its_payload_is_no_letter() {
        for line in [
            r#"{"at":1,"reason":"r","detail":"","bytes":0,"payload":""}"#,
            r#"{"at":1,"reason":"r","detail":"","topic":"t","bytes":0}"#,
            r#"{"at":1,"reason":"r","detail":"","topic":"t","bytes":1,"payload_base64":"?"}"#,
            "",
            "[]",
        ] {
            Letter::of_line(line.as_bytes()).unwrap_err();
        }
    }
}
