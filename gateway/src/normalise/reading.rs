//! What a decoder makes of a payload.

use std::borrow::Cow;

use super::body::Body;

/// One reading, whatever format it came in.
#[derive(Debug, Default)]
pub(super) struct Reading<'a> {
    /// As the payload names it.
    pub(super) device: Option<Cow<'a, str>>,
    /// As the payload names it.
    pub(super) tenant: Option<Cow<'a, str>>,
    /// The device's own time, believable, in milliseconds since 1970-01-01 UTC.
    pub(super) time_ms: Option<i64>,
    /// The device's own count.
    pub(super) sequence: Option<u64>,
    /// Measurements, the rest, and what to know before trusting them.
    pub(super) body: Body,
}
