use std::num::NonZeroU32;
use std::time::Duration;

use serde::Serialize;

use crate::limits::{SHARD_BYTES_PER_S, SHARD_RECORDS_PER_S};
use crate::{Estimator, Reporting};

/// What a gateway needs of its machine and its line, with a link that is up and while it catches up
/// after the outage that was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Footprint {
    /// Processor cores in use, 1 being one of the machine measured: a 2-core virtual machine.
    pub cores: f64,
    /// The same while it catches up.
    pub cores_catching_up: f64,
    /// Bytes of memory.
    pub memory_bytes: f64,
    /// Bits a second on the wire.
    pub uplink_bits_per_s: f64,
    /// The same while it catches up.
    pub uplink_bits_per_s_catching_up: f64,
    /// Records that wait when the outage ends.
    pub outage_records: f64,
    /// Their bytes, data and keys.
    pub outage_bytes: f64,
    /// Bytes on disk that the spool needs for them.
    pub disk_bytes: f64,
}

/// What a record costs the processor, measured with 1 KiB readings over mosquitto: at 1,000
/// records/s, where batches are small, and with as many as it can take.
const SLOW: (f64, f64) = (1_000.0, 35e-6);
const SATURATED: (f64, f64) = (120_000.0, 7e-6);

/// Resident with nothing waiting, at full speed: 16 MiB measured.
const PROCESS_BYTES: f64 = 16.0 * 1024.0 * 1024.0;

/// Four requests of 1 MiB under way, each as records and as a body.
const REQUEST_BYTES: f64 = 8.0 * 1024.0 * 1024.0;

/// A record waits in memory for its verdict: below a second is promised.
const IN_MEMORY: Duration = Duration::from_secs(1);

/// Bytes on the wire for eight of a record: Base64 in JSON, and what stands around it.
const WIRE_BYTES_PER_8: f64 = 11.0;

/// Bytes of an entry of the spool beside key and data.
const SPOOL_ENTRY_BYTES: f64 = 32.0;

impl Footprint {
    /// Of one gateway for the whole fleet, and for a stream of so many shards, which bound how fast it can
    /// catch up.
    #[must_use]
    pub fn of(estimator: &Estimator, shards: NonZeroU32) -> Self {
        Self::of_each(estimator, shards, NonZeroU32::MIN)
    }

    /// Of each of so many `gateways` that share fleet and stream evenly.
    #[must_use]
    pub fn of_each(estimator: &Estimator, shards: NonZeroU32, gateways: NonZeroU32) -> Self {
        let (fleet, goals) = (estimator.fleet(), estimator.goals());
        let part = f64::from(gateways.get()).recip();
        let records_per_s = fleet.records_per_s() * part;
        let record_bytes = fleet.bytes_per_s() / fleet.records_per_s();
        let sent = estimator.sent_by_shard(shards);
        let sent_bytes = sent.data_bytes + fleet.per_record(crate::Class::key_bytes);
        let sent_bytes_each = sent_bytes / sent.records_each;
        // What all shards together are sent at most, in records before packing.
        let limiter = f64::from(shards.get()) * goals.fraction.get() * part;
        let by_records = limiter * f64::from(SHARD_RECORDS_PER_S) * sent.records_each;
        let by_bytes = limiter * f64::from(SHARD_BYTES_PER_S) / sent_bytes_each;
        let catching_up_per_s = by_records.min(by_bytes).max(records_per_s);
        let outage_s = goals.outage.map_or(0.0, |outage| outage.lasts.as_secs_f64());
        let outage_records = records_per_s * outage_s;
        let at_once = records_per_s * (goals.linger + IN_MEMORY).as_secs_f64();
        let together = aligned_records(estimator) * part;
        Self {
            cores: cores(records_per_s),
            cores_catching_up: cores(catching_up_per_s),
            memory_bytes: PROCESS_BYTES + REQUEST_BYTES + (at_once + together) * record_bytes,
            uplink_bits_per_s: wire_bits(records_per_s * sent_bytes_each),
            uplink_bits_per_s_catching_up: wire_bits(catching_up_per_s * sent_bytes_each),
            outage_records,
            outage_bytes: outage_records * record_bytes,
            disk_bytes: outage_records * (record_bytes + SPOOL_ENTRY_BYTES),
        }
    }
}

/// Records that come together at the beginning of a period.
fn aligned_records(estimator: &Estimator) -> f64 {
    let classes = estimator.fleet().classes().iter();
    classes.filter(|class| class.reporting != Reporting::Spread).map(crate::Class::count).sum()
}

/// Between the two rates measured, the cost of a record falls evenly with the logarithm of the
/// rate; beyond them it stays.
fn cores(records_per_s: f64) -> f64 {
    let (low, high) = (SLOW.0.ln(), SATURATED.0.ln());
    let part = ((records_per_s.ln() - low) / (high - low)).clamp(0.0, 1.0);
    records_per_s * (SLOW.1 + part * (SATURATED.1 - SLOW.1))
}

fn wire_bits(bytes_per_s: f64) -> f64 {
    bytes_per_s * WIRE_BYTES_PER_8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_measured_rates_cost_what_was_measured() {
        assert!((cores(1_000.0) - 0.035).abs() < 1e-9);
        assert!((cores(120_000.0) - 0.84).abs() < 1e-9);
        assert!((cores(1.0) - 35e-6).abs() < 1e-12);
        assert!(cores(20_000.0) < 20_000.0 * 35e-6);
    }
}
