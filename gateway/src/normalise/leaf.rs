//! The parts of a JSON text, as text: numbers keep the digits they came with.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::reject::{Reason, Reject};

/// A JSON value by its first byte, with its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaf<'a> {
    Null,
    Boolean(bool),
    Number(&'a str),
    /// With its quotes and escapes.
    Text(&'a str),
    Array(&'a str),
    Object(&'a str),
}

impl<'a> Leaf<'a> {
    /// Sorts `json` without checking it: a number if it is nothing else.
    pub(super) fn of(json: &'a str) -> Self {
        match json.as_bytes().first() {
            Some(b'{') => Self::Object(json),
            Some(b'[') => Self::Array(json),
            Some(b'"') => Self::Text(json),
            Some(b't') => Self::Boolean(true),
            Some(b'f') => Self::Boolean(false),
            Some(b'n') => Self::Null,
            _ => Self::Number(json),
        }
    }

    /// What it is, for a person.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

/// What a JSON string says: its text without quotes and escapes.
pub(super) fn unquoted(text: &str) -> Option<Cow<'_, str>> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str::<String>(text).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

/// Where a part stands in its object or array.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'k> {
    Key(&'k str),
    Index(usize),
}

/// Visits the members of an object, or the elements of an array, in their order.
pub(super) fn each_part<'a>(
    json: &'a str,
    visit: impl FnMut(Place<'_>, &'a str) -> Result<(), Reject>,
) -> Result<(), Reject> {
    let mut refused = None;
    let mut reader = serde_json::Deserializer::from_str(json);
    let read =
        reader.deserialize_any(Parts { visit, refused: &mut refused }).and_then(|()| reader.end());
    match (refused, read) {
        (Some(reject), _) => Err(reject),
        (None, Err(error)) => Err(not_json(&error)),
        (None, Ok(())) => Ok(()),
    }
}

/// Checks that `json` is one JSON value and nothing else.
pub(super) fn check_value(json: &str) -> Result<(), Reject> {
    serde_json::from_str::<&RawValue>(json).map(drop).map_err(|error| not_json(&error))
}

fn not_json(error: &serde_json::Error) -> Reject {
    Reject::new(Reason::NotJson, error.to_string())
}

/// Drives `visit`, and keeps its refusal, which the reader's own error could only quote.
struct Parts<'r, F> {
    visit: F,
    refused: &'r mut Option<Reject>,
}

impl<F> Parts<'_, F> {
    fn part<'a, E: serde::de::Error>(
        &mut self,
        place: Place<'_>,
        value: &'a RawValue,
    ) -> Result<(), E>
    where
        F: FnMut(Place<'_>, &'a str) -> Result<(), Reject>,
    {
        (self.visit)(place, value.get()).map_err(|reject| {
            *self.refused = Some(reject);
            E::custom("refused")
        })
    }
}

impl<'de, F: FnMut(Place<'_>, &'de str) -> Result<(), Reject>> Visitor<'de> for Parts<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(Key)? {
            let value = map.next_value()?;
            self.part::<A::Error>(Place::Key(&key), value)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        let mut index = 0;
        while let Some(value) = seq.next_element()? {
            self.part::<A::Error>(Place::Index(index), value)?;
            index += 1;
        }
        Ok(())
    }
}

/// Reads a key without copying it, unless it has escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}
