//! Every bound, with its reason.

use std::time::Duration;

/// Longest partition key, in characters: Kinesis API Reference, `PutRecordsRequestEntry`.
pub const PARTITION_KEY_CHARS_MAX: usize = 256;

/// Longest pause after a call that is not allowed: whoever mends a key or a policy should not wait
/// long, and a wrong key must not hammer the service.
pub const NOT_ALLOWED_PAUSE_MAX: Duration = Duration::from_secs(30);

/// How long after its last refusal a shard is trusted with several records of a key in one request:
/// a refusal among them would let the later ones overtake.
pub const CALM_AFTER: Duration = Duration::from_secs(10);

/// A limiter is rebuilt for a new rate at most this often: it starts empty, so each rebuild costs
/// up to a burst.
pub const LIMITER_LIFE_MIN: Duration = Duration::from_secs(1);

/// Requests that may wait for the MQTT connection: packet identifiers bound the acknowledgements
/// among them to 65,535, the rest is subscriptions and status.
pub const MQTT_REQUESTS_MAX: usize = 65_535 + 10;

/// Publishes of ours in flight on the MQTT connection: status messages only.
pub const MQTT_PUBLISHES_IN_FLIGHT_MAX: u16 = 4;

/// Batches of publishes that may wait for the normaliser. More waits with the connection, under the
/// memory budget.
pub const INTAKE_BATCHES_MAX: usize = 4;

/// Batches of settled receipts that may wait for a connection.
pub const SETTLED_BATCHES_MAX: usize = 4;

/// Longest wait for the broker to take our last acknowledgements and the DISCONNECT.
pub const GOODBYE_MAX: Duration = Duration::from_secs(2);

/// Topic filters in one SUBSCRIBE: AWS IoT Core takes no more.
pub const FILTERS_PER_SUBSCRIBE_MAX: usize = 8;

/// Original bytes kept in a dead letter; of more, length and hash are kept.
pub const DEAD_LETTER_PAYLOAD_BYTES_MAX: usize = 64 * 1024;

/// Pause before dead letters that could not be written are tried again.
pub const DEAD_LETTER_RETRY: Duration = Duration::from_secs(1);
