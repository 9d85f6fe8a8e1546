//! Every bound with its reason.
//!
//! Ranges and defaults of the configuration are constants, so that one which contradicts another
//! does not compile. What Kinesis allows is in [`shard_estimator::limits`].

use std::time::Duration;

use shard_estimator::limits::{
    GATEWAYS_MAX, RECORD_BYTES_MAX, REQUEST_BYTES_MAX, REQUEST_RECORDS_MAX, SHARDS_MAX,
};

pub use range::{Range, Setting};

mod range;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

// Memory and stopping.

/// Everything held for the stream. The default keeps the process within 64 MiB at any load, the
/// least holds one request and the packets that carry as much.
pub const MEMORY_BYTES: Setting = Range::new(6 * MIB, 3 * GIB, "bytes").or(48 * MIB);

/// A request is in memory twice: as records, to be sent again, and as the body on the wire.
pub const REQUEST_COPIES: usize = 2;

/// A connection has room for two of the largest packets: one that is read, while as much is held.
pub const PACKETS_IN_MEMORY: usize = 2;

/// How long a stop may take. Below the 90 s after which systemd kills.
pub const DRAIN_S: Setting = Range::new(1, 3_600, "seconds").or(20);

// The broker.

/// MQTT counts the bytes of a string in 16 bits.
pub const MQTT_STRING_BYTES_MAX: usize = 65_535;

/// Connections to the broker. Each costs a session there and its buffers here.
pub const LANES_MAX: usize = 64;

/// How long the broker keeps the session of an absent gateway. A week covers a long weekend and a
/// replacement; for ever (4,294,967,295) would leave orphans at the broker, so it cannot be said.
pub const SESSION_EXPIRY_S: Setting = Range::new(600, 4_294_967_294, "seconds").or(7 * 86_400);

/// Unacknowledged publishes. Mosquitto's own 20 would allow 66 records a second at an
/// acknowledgement after 300 ms, 1,000 allow 3,300.
pub const RECEIVE_MAXIMUM: Setting = Range::new(1, 65_535, "publishes").or(1_000);

/// The largest packet taken from the broker, to reach a dead letter with its reason instead of
/// being dropped unseen. The default is the largest that fits into the default memory; MQTT knows
/// none beyond 256 MiB.
pub const PACKET_BYTES: Setting = Range::new(4 * KIB, 256 * MIB, "bytes").or(10 * MIB);

/// Longest silence on the connection: a dead link is noticed after one and a half of it. 16 bits in
/// MQTT, and below 5 s the pings of a slow link are late.
pub const KEEP_ALIVE_S: Setting = Range::new(5, 65_535, "seconds").or(30);

/// TCP, TLS and CONNACK together, over a satellite if need be.
pub const MQTT_CONNECT_TIMEOUT_S: Setting = Range::new(1, 120, "seconds").or(10);

/// First pause before a reconnect.
pub const RECONNECT_MS_MIN: Setting = Range::new(10, 60_000, "milliseconds").or(250);

/// Longest pause before a reconnect: a fleet that lost its broker comes back within half a minute,
/// without trampling it.
pub const RECONNECT_MS_MAX: Setting = Range::new(10, 300_000, "milliseconds").or(30_000);

// Records.

/// Where one device measures the same quantity several times.
pub const CHANNEL: Range = Range::new(0, 65_535, "");

/// Longest name of a measurement, unit of the SenML registry or share group, in bytes: names, not
/// texts.
pub const NAME_BYTES_MAX: usize = 128;

// The stream.

/// Streams of one gateway: as many as it may have connections. Each has its part of the memory and of
/// the disk, and [`SPOOL_BYTES`] by default has room for so many.
pub const STREAMS_MAX: usize = 64;
const _: () = assert!(SPOOL_BYTES.default / STREAMS_MAX as u64 >= SPOOL_BYTES.range.min);

/// Shards of the stream.
pub const SHARDS: Range = Range::new(1, SHARDS_MAX as u64, "shards");

/// One call, from the first byte sent to the last byte read. A mebibyte at 1 Mbit/s takes 12 s.
pub const REQUEST_TIMEOUT_S: Setting = Range::new(1, 900, "seconds").or(15);

/// TCP and TLS to the endpoint: four round trips at 750 ms.
pub const STREAM_CONNECT_TIMEOUT_S: Setting = Range::new(1, 60, "seconds").or(3);

/// Calls under way at once. Four of 500 records at 60 ms carry 33,000 records a second.
pub const REQUESTS_IN_FLIGHT: Setting = Range::new(1, 64, "requests").or(4);

/// First pause after a failed call.
pub const BACKOFF_MS_MIN: Setting = Range::new(10, 60_000, "milliseconds").or(50);

/// Longest pause after a failed call: what an outage adds to its end.
pub const BACKOFF_MS_MAX: Setting = Range::new(10, 300_000, "milliseconds").or(5_000);

/// The uplink. Below 64 kbit/s one full batch takes three minutes.
pub const UPLINK_KBIT_S: Range = Range::new(64, 100_000_000, "kbit/s");

/// Bytes on the wire for eight bytes of a batch: Base64 in JSON, and what stands around it.
pub const WIRE_BYTES_PER_8: u64 = 11;

/// Age at which records are dropped. A stream keeps none longer than a year.
pub const RECORD_AGE_S: Range = Range::new(1, 365 * 86_400, "seconds");

// The key.

/// How long a session of a role lasts: STS API reference, `AssumeRole`. The default is the most that
/// every role allows.
pub const ROLE_SESSION_S: Setting = Range::new(900, 43_200, "seconds").or(3_600);

/// The same for a role that is assumed by a session: role chaining, in the IAM user guide.
pub const CHAINED_SESSION_MAX: Duration = Duration::from_secs(3_600);

/// How long a program may take that answers with a key: it may ask somebody over a slow link, and
/// nothing can be sent before the first key is there.
pub const PROCESS_TIMEOUT_S: Setting = Range::new(1, 60, "seconds").or(10);

// Batches.

/// How long the first record of a batch waits. Below a second: that is promised.
pub const LINGER_MS: Setting = Range::new(1, 999, "milliseconds").or(50);

/// Records in one call.
pub const BATCH_RECORDS: Setting =
    Range::new(1, REQUEST_RECORDS_MAX as u64, "records").or(REQUEST_RECORDS_MAX as u64);

/// Bytes in one call. The least holds the largest record; more costs memory and, on a slow link,
/// the time that a small batch would wait behind it.
pub const BATCH_BYTES: Setting =
    Range::new(RECORD_BYTES_MAX as u64, REQUEST_BYTES_MAX as u64, "bytes")
        .or(RECORD_BYTES_MAX as u64);

// Devices that are numbered.

/// Partition keys that are placed by their number. 8 MB on the disk, and 36 MB of memory.
pub const REGISTER_KEYS_MAX: u32 = 1_000_000;

/// Pause before a register that could not be written is tried again.
pub const REGISTER_RETRY: Duration = Duration::from_secs(1);

// Pace.

/// Gateways that share the stream.
pub const INSTANCES: Range = Range::new(1, GATEWAYS_MAX as u64, "gateways");

/// The part of a shard's limit used when alone. 0.9 with bursts of a tenth was never throttled in
/// simulation.
pub const FRACTION: f64 = 0.9;

// The plan.

/// The part of its limits that the hottest shard should be used at: with 0.9 sent at most, a backlog
/// is gone after eight times as long as it took to come.
pub const TARGET: f64 = 0.8;

/// How long a plan must not hold before that is told. A backlog at the broker after a restart, or a
/// few minutes of devices that come back together, is no reason to buy shards.
pub const WARN_AFTER_S: Setting = Range::new(10, 86_400, "seconds").or(300);

// Metrics.

/// Hottest partition keys that are named.
pub const HOTTEST_KEYS: Setting = Range::new(0, 10, "keys").or(10);

// The spool.

/// Segments on disk. The default holds a quarter of an hour at 2,000 records a second, a day at 20;
/// the least holds a few groups of the largest records.
pub const SPOOL_BYTES: Setting = Range::new(16 * MIB, 1024 * GIB, "bytes").or(2 * GIB);

// Dead letters.

/// Dead letters on disk. The default holds some hundreds of the longest payloads of publishes.
pub const DEAD_LETTER_BYTES: Setting = Range::new(MIB, 1024 * GIB, "bytes").or(64 * MIB);

// What runs.

/// Longest partition key, in characters: Kinesis API Reference, `PutRecordsRequestEntry`.
pub const PARTITION_KEY_CHARS_MAX: usize = 256;

/// Longest pause after a call that is not allowed: whoever mends a key or a policy should not wait
/// long, and a wrong key must not hammer the service.
pub const NOT_ALLOWED_PAUSE_MAX: Duration = Duration::from_secs(30);

/// AWS knows a new key everywhere after seconds. So long after it came what is not allowed is tried more
/// often, with pauses of this length at most.
pub const NEW_KEY_FOR: Duration = Duration::from_secs(10);
/// See [`NEW_KEY_FOR`].
pub const NEW_KEY_PAUSE_MAX: Duration = Duration::from_secs(1);

/// How long after its last refusal a shard is trusted with several records of a key in one request:
/// a refusal among them would let the later ones overtake.
pub const CALM_AFTER: Duration = Duration::from_secs(10);

/// A limiter is rebuilt for a new rate at most this often: no sooner does a rate show in what is sent.
pub const LIMITER_LIFE_MIN: Duration = Duration::from_secs(1);

/// How often it is looked whether the plan still holds.
pub const WATCH_EVERY: Duration = Duration::from_secs(5);

/// What the plan is held against is averaged over windows; there are so many in the time after which
/// a warning is due.
pub const WINDOWS_BEFORE_WARNING: u32 = 5;

/// The hottest keys are those of the last window that was full, and that is at most so long.
pub const HOT_KEYS_WINDOW_MAX: Duration = Duration::from_secs(60);

/// Hottest keys that are shown without their names where none may be named.
pub const HOT_KEYS_UNNAMED: usize = 10;

/// Shards that metrics tell apart, the hottest. Eight series each.
pub const SHARDS_SHOWN_MAX: usize = 100;

/// Connections of those who ask for metrics; further ones wait.
pub const METRICS_CONNECTIONS_MAX: usize = 8;

/// Longest time for one of them, request and answer.
pub const METRICS_CONNECTION_MAX: Duration = Duration::from_secs(10);

/// Pause after a connection for metrics that could not be accepted.
pub const METRICS_RETRY: Duration = Duration::from_secs(1);

/// Requests for metrics that may wait for the flow.
pub const METRICS_ASKED_MAX: usize = METRICS_CONNECTIONS_MAX;

/// What a publish costs in memory beside its bytes: its record's envelope, its places in ledger and
/// queue, its partition key. Counted against the memory budget.
pub const PUBLISH_OVERHEAD_BYTES: usize = 512;

/// A shard that was late overflows for at least this long: going back and forth costs more than a
/// few records on disk.
pub const OVERFLOW_MIN: Duration = Duration::from_secs(5);

/// How often it is looked whether shards have caught up with the spool.
pub const CATCH_UP_CHECK: Duration = Duration::from_millis(100);

/// Entries that the reader of the spool passes over because their shards are blocked, all shards
/// together: 6 MiB of memory. Beyond that the spool is strictly first in, first out.
pub const PASSED_OVER_MAX: usize = 256 << 10;

/// A group of records is synced once it weighs this, in bytes, whoever waits for it.
pub const GROUP_BYTES_MAX: usize = 1 << 20;

/// A group of records waits this long for more, unless the broker waits for it: flash memory wears
/// with every sync.
pub const GROUP_LINGER: Duration = Duration::from_secs(1);

/// The same where there are several streams. Until a group is synced it holds up the acknowledgements
/// of all of them, and no broker says how many of those it waits for: of 20, mosquitto's default
/// for MQTT 3.1.1, 25 ms let 800 a second pass. It is 40 syncs a second at most, and none of a stream
/// that keeps up, unless everything goes to the disk.
pub const GROUP_LINGER_OF_SEVERAL: Duration = Duration::from_millis(25);

/// What of the spool is in memory to be sent, all shards together: four requests of 500 records of
/// 1 KB. More would only wait here instead of on the disk.
pub const SPOOL_AHEAD_BYTES: usize = 4 << 20;

/// The same for one of many shards, as far as memory allows: at a round trip of 150 ms it carries the
/// 1,000 records a second of a shard.
pub const SHARD_AHEAD_BYTES: usize = 256 << 10;

/// Into how many parts, at least, the hash keys are divided for the spool: so many can have
/// [`SHARD_AHEAD_BYTES`] in memory each. A late shard of a stream of more shards than there are parts
/// makes what of its neighbours lies in the same part late as well.
pub const STRIPES_MIN: u32 = 16;
const _: () = assert!(STRIPES_MIN as usize * SHARD_AHEAD_BYTES <= SPOOL_AHEAD_BYTES);

/// Most bytes read of the spool at once.
pub const SPOOL_READ_BYTES_MAX: usize = 1 << 20;

/// Longest wait for the disk at the end, for each of what comes one after the other there: dead
/// letters, the last job, closing the spools, the books.
pub const SPOOL_CLOSE_MAX: Duration = Duration::from_secs(5);

/// Pause before a spool that failed or is full is tried again.
pub const SPOOL_RETRY: Duration = Duration::from_secs(1);

/// The books are written so often while anything changes: flash memory wears with every sync.
pub const BOOKS_EVERY: Duration = Duration::from_secs(60);

/// At least so many records are received between two checkpoints of the books: how much a crash
/// hides of a gateway that receives little. A busy one has room for twice its last minute.
pub const BOOKS_HEADROOM_MIN: u64 = 1_000;

/// How long until a subscription that the broker refused is asked for again.
pub const RESUBSCRIBE_AFTER_MS: i64 = 30_000;

/// Batches of publishes that may wait for the normaliser. More waits with the connection, under the
/// memory budget.
pub const INTAKE_BATCHES_MAX: usize = 4;

/// Batches of settled receipts that may wait for a connection.
pub const SETTLED_BATCHES_MAX: usize = 4;

/// A connection that ends sooner after its CONNACK counts as a failure, so that pauses grow: two
/// clients of one client id would otherwise throw each other out several times a second.
pub const CONNECTION_PROVEN_AFTER_MS: i64 = 10_000;

/// Longest wait for the broker to take our last acknowledgements and the DISCONNECT.
pub const GOODBYE_MAX: Duration = Duration::from_secs(2);

/// Topic filters in one SUBSCRIBE: AWS IoT Core takes no more.
pub const FILTERS_PER_SUBSCRIBE_MAX: usize = 8;

/// Original bytes of a publish kept in a dead letter; of more, length and hash are kept. Records have
/// no such bound: the stream's own holds for them, and they may be acknowledged already.
pub const DEAD_LETTER_PAYLOAD_BYTES_MAX: usize = 64 * 1024;

/// Longest line of a dead letter that is read: JSON writes a byte as six at worst, and what stands
/// around payload and topic is less than another topic. Whatever is longer is not ours.
pub const DEAD_LETTER_LINE_BYTES_MAX: usize = 6 * (RECORD_BYTES_MAX + 2 * MQTT_STRING_BYTES_MAX);

/// Pause before dead letters that could not be written are tried again.
pub const DEAD_LETTER_RETRY: Duration = Duration::from_secs(1);

// The least memory holds one request, and beside a spool packets that fill it.
const _: () = assert!(
    (REQUEST_COPIES + 2 * PACKETS_IN_MEMORY) as u64 * BATCH_BYTES.default <= MEMORY_BYTES.range.min
);
// The defaults fit together: the spool has as much as the connection.
const _: () = assert!(
    REQUESTS_IN_FLIGHT.default * BATCH_BYTES.default * REQUEST_COPIES as u64
        + 2 * PACKETS_IN_MEMORY as u64 * PACKET_BYTES.default
        <= MEMORY_BYTES.default
);
// The most that can be asked for can be counted on a 32-bit edge box.
const _: () = assert!(
    REQUESTS_IN_FLIGHT.range.max * BATCH_BYTES.range.max * REQUEST_COPIES as u64
        + 2 * PACKETS_IN_MEMORY as u64 * PACKET_BYTES.range.max
        <= MEMORY_BYTES.range.max
);
// A packet that carries the largest record can be let in.
const _: () = assert!(PACKET_BYTES.default > (RECORD_BYTES_MAX + MQTT_STRING_BYTES_MAX) as u64);
// A payload that is kept is not longer than a record.
const _: () = assert!(DEAD_LETTER_PAYLOAD_BYTES_MAX <= RECORD_BYTES_MAX);
// The plan is looked at several times before a warning.
const _: () = assert!(WATCH_EVERY.as_secs() * 2 <= WARN_AFTER_S.range.min);
// A batch waits less than a second.
const _: () = assert!(LINGER_MS.range.max < 1_000);
// No session expires between two attempts to connect.
const _: () = assert!(SESSION_EXPIRY_S.range.min * 1_000 > RECONNECT_MS_MAX.range.max);
// Pauses grow.
const _: () = assert!(RECONNECT_MS_MIN.default < RECONNECT_MS_MAX.default);
const _: () = assert!(BACKOFF_MS_MIN.default < BACKOFF_MS_MAX.default);
// A full batch passes the slowest uplink before its call may time out.
const _: () = assert!(
    BATCH_BYTES.range.min * WIRE_BYTES_PER_8 / (UPLINK_KBIT_S.min * 1_000)
        < REQUEST_TIMEOUT_S.range.max
);
// What is read into a number of 16 or 32 bits fits there.
const _: () = assert!(RECEIVE_MAXIMUM.range.max <= u16::MAX as u64);
const _: () = assert!(PACKET_BYTES.range.max <= u32::MAX as u64);
const _: () = assert!(MEMORY_BYTES.range.max <= u32::MAX as u64);
