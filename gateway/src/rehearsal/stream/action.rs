//! What a client may ask for.

/// An action of the API, as named in the header `X-Amz-Target` and in policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the service's names for what the service documents")]
pub enum Action {
    PutRecords,
    PutRecord,
    DescribeStreamSummary,
    ListShards,
    GetShardIterator,
    GetRecords,
}

impl Action {
    /// All that the local stream knows.
    pub const ALL: [Self; 6] = [
        Self::PutRecords,
        Self::PutRecord,
        Self::DescribeStreamSummary,
        Self::ListShards,
        Self::GetShardIterator,
        Self::GetRecords,
    ];

    /// What a key that can only write may call.
    pub const PUTS: [Self; 2] = [Self::PutRecords, Self::PutRecord];

    /// Its name in policies.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PutRecords => "PutRecords",
            Self::PutRecord => "PutRecord",
            Self::DescribeStreamSummary => "DescribeStreamSummary",
            Self::ListShards => "ListShards",
            Self::GetShardIterator => "GetShardIterator",
            Self::GetRecords => "GetRecords",
        }
    }

    /// Reads the header `X-Amz-Target`.
    #[must_use]
    pub fn from_target(target: &str) -> Option<Self> {
        let name = target.strip_prefix("Kinesis_20131202.")?;
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}
