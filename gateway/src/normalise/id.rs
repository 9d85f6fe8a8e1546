//! What a record is recognised by.

use twox_hash::XxHash3_128;

/// Crockford's base 32: no I, L, O, U.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// 128 bits in digits of 5.
pub(super) const ID_CHARS: usize = 26;

/// Two hashes, index, arrival and nonce.
const INPUT_BYTES_MAX: usize = 16 + 16 + 8 + 8 + 8;

/// A hash over topic and payload. Device, tenant, device time and sequence all stand in one of the
/// two, so readings that differ in any of them differ here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content {
    topic: u128,
    payload: u128,
}

impl Content {
    pub(super) fn of(topic: &str, payload: &[u8]) -> Self {
        Self {
            topic: XxHash3_128::oneshot(topic.as_bytes()),
            payload: XxHash3_128::oneshot(payload),
        }
    }

    /// The id of the element at `index`. `arrival`, the time and nonce of the receipt, is given for
    /// readings that nothing of their own tells from an equal one later.
    pub(super) fn id(self, index: usize, arrival: Option<(i64, u64)>) -> [u8; ID_CHARS] {
        // Fields of fixed width: no two inputs run together to the same bytes.
        let mut input = Vec::with_capacity(INPUT_BYTES_MAX);
        input.extend_from_slice(&self.topic.to_le_bytes());
        input.extend_from_slice(&self.payload.to_le_bytes());
        input.extend_from_slice(&u64::try_from(index).unwrap_or(u64::MAX).to_le_bytes());
        if let Some((time_ms, nonce)) = arrival {
            input.extend_from_slice(&time_ms.to_le_bytes());
            input.extend_from_slice(&nonce.to_le_bytes());
        }
        crockford(XxHash3_128::oneshot(&input))
    }
}

fn crockford(hash: u128) -> [u8; ID_CHARS] {
    let mut left = hash;
    let mut text = [b'0'; ID_CHARS];
    for place in text.iter_mut().rev() {
        let [low, ..] = left.to_le_bytes();
        *place = DIGITS.get(usize::from(low & 31)).copied().unwrap_or(b'0');
        left >>= 5;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_crockford_numbers() {
        assert_eq!(&crockford(0), b"00000000000000000000000000");
        assert_eq!(&crockford(32), b"00000000000000000000000010");
        assert_eq!(&crockford(u128::MAX), b"7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    }

    #[test]
    fn what_moves_from_topic_to_payload_changes_the_id() {
        let id = |topic, payload: &str| Content::of(topic, payload.as_bytes()).id(0, None);
        assert_ne!(id("ab", "c"), id("a", "bc"));
        assert_ne!(id("a", "b"), id("b", "a"));
        assert_eq!(id("a", "b"), id("a", "b"));
    }

    #[test]
    fn an_arrival_at_zero_is_still_an_arrival() {
        let content = Content::of("a", b"1");
        assert_ne!(content.id(0, None), content.id(0, Some((0, 0))));
    }
}
