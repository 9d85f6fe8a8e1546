//! What requests have in common: how they are read, and how their faults are told.

use std::borrow::Cow;
use std::fmt::Display;

use serde::Deserialize;

use super::refusal::Refusal;

/// Faults that one answer names.
const VIOLATIONS_MAX: usize = 10;

/// A text of the request: borrowed from its body unless it contains escapes.
///
/// serde borrows a `Cow` only as a field of its own, hence the type around it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// Which stream a request means.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StreamFields<'a> {
    /// By name.
    #[serde(borrow)]
    pub stream_name: Option<Text<'a>>,
    /// By ARN.
    #[serde(borrow, rename = "StreamARN")]
    pub stream_arn: Option<Text<'a>>,
}

/// Reads a body.
///
/// # Errors
///
/// `SerializationException` when it is not JSON of this shape.
pub(super) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::serialization(error.to_string()))
}

/// What is wrong with the values of a request, in the service's form.
#[derive(Debug, Default)]
pub(super) struct Violations(Vec<String>);

impl Violations {
    /// Notes that the `value` at `path` breaks `rule`. A value is quoted unless it is `null`.
    pub(super) fn note(&mut self, value: &str, path: &str, rule: &str) {
        if self.0.len() < VIOLATIONS_MAX {
            self.0.push(constraint(value, path, rule));
        }
    }

    /// The refusal of a request without a value at `path`.
    #[must_use]
    pub(super) fn null(path: &str) -> Refusal {
        Refusal::validation(&[constraint("null", path, "Member must not be null")])
    }

    /// Notes that the `value` at `path` has more than `max` bytes or characters.
    pub(super) fn too_long(&mut self, value: &str, path: &str, max: impl Display) {
        let rule = format!("Member must have length less than or equal to {max}");
        self.note(value, path, &rule);
    }

    /// Passes if nothing was noted.
    ///
    /// # Errors
    ///
    /// `ValidationException` naming all that was.
    pub(super) fn none(self) -> Result<(), Refusal> {
        if self.0.is_empty() { Ok(()) } else { Err(Refusal::validation(&self.0)) }
    }
}

fn constraint(value: &str, path: &str, rule: &str) -> String {
    format!("Value {value} at '{path}' failed to satisfy constraint: {rule}")
}
