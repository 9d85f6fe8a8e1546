use std::fmt;

/// The number of a shard, as its id has it: `shardId-000000000007` is 7.
///
/// A stream numbers its shards in the order in which they are opened and never gives a number
/// twice: the children of a split or a merge have higher ones than their parents. Only a stream
/// that was deleted and created again begins at 0 again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u64);

impl ShardId {
    /// Reads an id as the service writes it; `None` if it is none.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        let digits = id.strip_prefix("shardId-")?;
        // `parse` alone would take a sign.
        let only_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|_| only_digits).map(Self)
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shardId-{:012}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_was_written() {
        for number in [0, 7, 999_999_999_999, u64::MAX] {
            assert_eq!(ShardId::parse(&ShardId(number).to_string()), Some(ShardId(number)));
        }
        assert_eq!(ShardId(7).to_string(), "shardId-000000000007");
    }

    #[test]
    fn what_is_no_id_has_no_number() {
        let too_large = format!("shardId-{}", u128::MAX);
        for id in ["", "7", "shardId-", "shardId-+7", "shardId-7a", "shardid-7", &too_large] {
            assert_eq!(ShardId::parse(id), None, "{id:?}");
        }
    }
}
