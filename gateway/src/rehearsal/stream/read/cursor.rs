//! Shard iterators.

use data_encoding::BASE64URL_NOPAD;

use super::super::names::SequenceNumber;
use super::super::refusal::Refusal;
use super::super::store::Moment;

/// How long an iterator is good for.
const AGE_MS_MAX: i64 = 300_000;

/// Where a reader is, and when it was told so. Opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The next record to read, stored already or not.
    pub(super) next: SequenceNumber,
    /// In milliseconds since 1970-01-01 UTC.
    pub(super) made_ms: i64,
}

impl Cursor {
    /// The text of a shard iterator.
    pub(super) fn encode(self) -> String {
        BASE64URL_NOPAD.encode(format!("{}/{}", self.next, self.made_ms).as_bytes())
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub(super) fn decode(text: &str) -> Option<Self> {
        let text = String::from_utf8(BASE64URL_NOPAD.decode(text.as_bytes()).ok()?).ok()?;
        let (next, made_ms) = text.split_once('/')?;
        Some(Self { next: SequenceNumber::parse(next)?, made_ms: made_ms.parse().ok()? })
    }

    /// Passes an iterator that is young enough.
    pub(super) fn is_fresh(self, now: Moment) -> Result<(), Refusal> {
        if now.epoch_ms.saturating_sub(self.made_ms) <= AGE_MS_MAX {
            return Ok(());
        }
        let time = |epoch_ms| {
            let time = jiff::Timestamp::from_millisecond(epoch_ms).unwrap_or_default();
            time.strftime("%a %b %d %H:%M:%S UTC %Y").to_string()
        };
        let text = format!(
            "Iterator expired. The iterator was created at time {} while right now it is {} which \
             is further in the future than the tolerated delay of {AGE_MS_MAX} milliseconds.",
            time(self.made_ms),
            time(now.epoch_ms)
        );
        Err(Refusal::new("ExpiredIteratorException", text))
    }
}
