//! The names that the stream gives: shard ids, sequence numbers, and its own.

use std::fmt;

/// The account that everything local belongs to.
pub(super) const ACCOUNT: &str = "000000000000";

/// Whom a key stands for unless told otherwise.
pub(super) const USER: &str = "arn:aws:iam::000000000000:user/gateway";

/// The name of a shard: `shardId-` and its number in twelve digits. Numbers are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u32);

impl ShardId {
    /// Reads what [`Display`](fmt::Display) writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("shardId-").filter(|digits| digits.len() == 12)?;
        digits.parse().ok().map(Self)
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shardId-{:012}", self.0)
    }
}

/// The name of a record: which shard, and how many records that shard had stored before it.
///
/// Written as 56 decimal digits, as long as the service's, that grow within a shard and from a
/// shard to its children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceNumber {
    /// The shard.
    pub shard: ShardId,
    /// The record's place in it, from 0.
    pub position: u64,
}

impl SequenceNumber {
    /// Makes ours as long as the service's, and easy to tell apart from foreign ones.
    const PREFIX: &str = "496000000000000000000000";

    /// Reads what [`Display`](fmt::Display) writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(Self::PREFIX).filter(|digits| digits.len() == 32)?;
        let (shard, position) = digits.split_at_checked(12)?;
        Some(Self { shard: ShardId(shard.parse().ok()?), position: position.parse().ok()? })
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:012}{:020}", Self::PREFIX, self.shard.0, self.position)
    }
}

/// The stream's own name.
#[derive(Debug, Clone)]
pub struct StreamName {
    /// As in `StreamName`.
    pub name: String,
    /// As in `StreamARN`.
    pub arn: String,
    /// Where it is.
    pub region: String,
}

impl StreamName {
    /// Names a stream of the local account.
    #[must_use]
    pub fn new(name: &str, region: &str) -> Self {
        Self { name: name.to_owned(), arn: stream_arn(name, region), region: region.to_owned() }
    }

    /// The ARN of the key that it encrypts with.
    #[must_use]
    pub(super) fn kms_key(&self) -> String {
        let key = "key/00000000-0000-4000-8000-000000000000";
        let (partition, region) = (partition(&self.region), &self.region);
        format!("arn:{partition}:kms:{region}:{ACCOUNT}:{key}")
    }
}

/// The ARN of a stream of the local account, whether it exists or not.
#[must_use]
pub(super) fn stream_arn(name: &str, region: &str) -> String {
    format!("arn:{}:kinesis:{region}:{ACCOUNT}:stream/{name}", partition(region))
}

/// The part of the world's regions that ARNs name.
fn partition(region: &str) -> &'static str {
    match region {
        china if china.starts_with("cn-") => "aws-cn",
        government if government.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// A random identifier of a request, in the form of a UUID.
#[must_use]
pub(super) fn request_id() -> String {
    let id = fastrand::u128(..);
    let (a, b, c, d) = (id >> 96, id >> 80 & 0xffff, id >> 64 & 0xffff, id >> 48 & 0xffff);
    format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{:012x}", id & 0xffff_ffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_as_they_were_written() {
        let number = SequenceNumber { shard: ShardId(41), position: 7_000_000_123 };
        assert_eq!(number.to_string().len(), 56);
        assert_eq!(SequenceNumber::parse(&number.to_string()), Some(number));
        assert_eq!(ShardId(3).to_string(), "shardId-000000000003");
        assert_eq!(ShardId::parse("shardId-000000000003"), Some(ShardId(3)));
        assert_eq!(ShardId::parse("shard-3"), None);
        assert_eq!(SequenceNumber::parse("12"), None);
    }

    #[test]
    fn sequence_numbers_grow_within_a_shard_and_into_its_children() {
        let numbers = [(0, 9), (0, 10), (1, 0)].map(|(shard, position)| {
            SequenceNumber { shard: ShardId(shard), position }.to_string()
        });
        assert!(numbers.is_sorted());
    }
}
