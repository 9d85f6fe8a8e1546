//! Settings of several tables that must fit together.

use std::time::Duration;

use shard_estimator::size;

use crate::config::Config;
use crate::config::file::Table;
use crate::limits::{REQUEST_COPIES, WIRE_BYTES_PER_8};

/// The requests in flight and the largest packets must fit into the memory.
///
/// Into memory that was limited we fit fewer requests, as far as their number was not stated; with
/// the packets left to us too, requests have half of it. A packet whose size was not stated fits into
/// what is left. Memory that nobody limited grows to what is needed all the same.
pub(super) fn memory(root: &Table<'_>, config: &mut Config) {
    let memory = config.memory_bytes_max;
    let memory_stated = root.states("memory_bytes_max");
    let packet_stated = root.table("mqtt").states("packet_bytes_max");
    if memory_stated && !root.table("stream").states("requests_in_flight") {
        let packets = if packet_stated { config.packets_memory() } else { memory / 2 };
        let fitting = memory.saturating_sub(packets) / (config.batch.bytes_max * REQUEST_COPIES);
        config.stream.requests_in_flight = fitting.clamp(1, config.stream.requests_in_flight);
    }
    if !packet_stated {
        // Less than a request's own size would turn away what the stream takes.
        let room = config.packet_bytes_fitting().max(config.batch.bytes_max);
        let room = u32::try_from(room).unwrap_or(u32::MAX);
        config.mqtt.packet_bytes_max = config.mqtt.packet_bytes_max.min(room);
    }
    if !memory_stated {
        config.memory_bytes_max = memory.max(config.memory_needed());
    } else if config.memory_needed() > memory {
        let needed = u64::try_from(config.memory_needed()).map_or(String::new(), size::show);
        root.fault(
            "memory_bytes_max",
            format!(
                "must be at least {needed:?}: twice stream.requests_in_flight × batch.bytes_max, \
                 and twice mqtt.packet_bytes_max for each connection, as much again for the spool"
            ),
        );
    }
}

/// A full batch must be able to pass the uplink before its call times out. A time-out that was not
/// stated leaves twice that time.
pub(super) fn uplink(root: &Table<'_>, config: &mut Config) {
    let Some(kbit_s) = config.stream.uplink_kbit_s_max else { return };
    let batch_bytes = u64::try_from(config.batch.bytes_max).unwrap_or(u64::MAX);
    // Eight bits a byte, so the factor for eight bytes is the one for bits.
    let passes_in_s = (batch_bytes * WIRE_BYTES_PER_8).div_ceil(u64::from(kbit_s) * 1_000);
    let stream = root.table("stream");
    if !stream.states("request_timeout_s") {
        let twice = Duration::from_secs(2 * passes_in_s);
        config.stream.request_timeout = config.stream.request_timeout.max(twice);
    } else if config.stream.request_timeout < Duration::from_secs(passes_in_s) {
        stream.fault(
            "request_timeout_s",
            format!(
                "must be at least {passes_in_s} seconds: a full batch (batch.bytes_max) takes so \
                 long at uplink_kbit_s_max"
            ),
        );
    }
}
