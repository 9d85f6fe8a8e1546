//! What Kinesis Data Streams allows.
//!
//! From the developer guide, "Quotas and limits", and the API reference of `PutRecords`, unless
//! said otherwise.

use std::num::NonZeroU32;
use std::time::Duration;

/// Records that one shard takes in a second. Nothing is documented about bursts, so a second is
/// taken strictly.
pub const SHARD_RECORDS_PER_S: u32 = 1_000;

/// Bytes that one shard takes in a second: 1 MiB of data and partition keys together.
///
/// Byte bursts are documented ("Handle large records": a shard is a tank of 10 MiB refilled at this
/// rate) and not counted on here.
pub const SHARD_BYTES_PER_S: u32 = 1 << 20;

/// [`SHARD_BYTES_PER_S`] in KiB, the cells in which bytes are paced: a limiter that counts single
/// bytes rounds its refill interval to whole nanoseconds and is then off by 6 % at 100 MiB/s.
pub const SHARD_KIB_PER_S: u32 = SHARD_BYTES_PER_S / 1024;

/// Largest record a stream takes, data and partition key together, in bytes. A stream's owner can
/// raise it to 10 MiB (`UpdateMaxRecordSize`), which a key that may only put cannot see.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// Largest record that the owner of a stream can allow.
pub const RECORD_BYTES_CEILING: usize = 10 << 20;

/// Most records in one `PutRecords` call.
pub const REQUEST_RECORDS_MAX: usize = 500;

/// Most bytes in one `PutRecords` call, data and partition keys together; 5 MiB before October
/// 2025.
pub const REQUEST_BYTES_MAX: usize = 10 << 20;

/// Longest partition key, in Unicode characters.
pub const PARTITION_KEY_CHARS_MAX: usize = 256;

/// Most shards of one stream: the default quota of `us-east-1`, `us-west-2` and `eu-west-1`; it is
/// 1,000 or 6,000 elsewhere.
pub const SHARDS_MAX: u32 = 20_000;

/// Bytes that one shard gives in a second to all consumers that share its reads.
pub const SHARD_READ_BYTES_PER_S: u32 = 2 << 20;

/// `GetRecords` calls that one shard answers in a second, of all consumers that share its reads.
pub const SHARD_READS_PER_S: u32 = 5;

/// Consumers with reads of their own (enhanced fan-out) that a stream can have.
pub const FAN_OUT_MAX: u32 = 20;

/// The same in an account with On-demand Advantage.
pub const FAN_OUT_ADVANTAGE_MAX: u32 = 50;

/// Shortest time for which a stream keeps records.
pub const RETENTION_MIN: Duration = Duration::from_secs(86_400);

/// Longest time for which a stream keeps records.
pub const RETENTION_MAX: Duration = Duration::from_secs(365 * 86_400);

/// Most that `UpdateShardCount` multiplies the shards by at once, or divides them.
pub const RESHARD_FACTOR: NonZeroU32 = NonZeroU32::new(2).expect("not zero");

/// `UpdateShardCount` calls for one stream in 24 hours.
pub const RESHARDS_PER_DAY: u32 = 10;

/// Most gateways that may share a stream: what each may send of a shard must not be nothing.
pub const GATEWAYS_MAX: u32 = 10_000;

// A request that cannot hold the largest record could never be sent.
const _: () = assert!(REQUEST_BYTES_MAX >= RECORD_BYTES_MAX);
// The KiB cells lose nothing.
const _: () = assert!(SHARD_KIB_PER_S * 1024 == SHARD_BYTES_PER_S);
