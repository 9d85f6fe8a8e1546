//! Settings of several tables that must fit together.

use std::time::Duration;

use shard_estimator::size;

use super::streams::Tables;
use crate::config::file::Table;
use crate::config::{Config, Partitioning};
use crate::limits::{REQUEST_COPIES, WIRE_BYTES_PER_8};

/// The requests in flight and the largest packets must fit into the memory.
///
/// Into memory that was limited we fit fewer requests, as far as their number was not stated; with
/// the packets left to us too, requests have half of it. A packet whose size was not stated fits into
/// what is left. Memory that nobody limited grows to what is needed all the same.
pub(super) fn memory(root: &Table<'_>, tables: &Tables<'_>, config: &mut Config) {
    let memory = config.memory_bytes_max;
    let memory_stated = root.states("memory_bytes_max");
    let packet_stated = root.table("mqtt").states("packet_bytes_max");
    if memory_stated {
        let packets = if packet_stated { config.packets_memory() } else { memory / 2 };
        let fitting = memory.saturating_sub(packets) / (config.batch.bytes_max * REQUEST_COPIES);
        requests(tables, config, fitting);
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
                "must be at least {needed:?}: twice stream.requests_in_flight × batch.bytes_max{}, \
                 and twice mqtt.packet_bytes_max for each connection, as much again for the spool",
                if config.streams.count() > 1 { " for each stream" } else { "" }
            ),
        );
    }
}

/// `fitting` requests are shared by the streams: those that were stated come first, all others have
/// equal parts, one at least.
fn requests(tables: &Tables<'_>, config: &mut Config, fitting: usize) {
    let states = |table: &Table<'_>| table.states("requests_in_flight");
    let (mut stated, mut others) = (0, 0);
    for (table, stream) in tables.of(config) {
        match states(table) {
            true => stated += stream.requests_in_flight,
            false => others += 1,
        }
    }
    let Some(each) = fitting.saturating_sub(stated).checked_div(others) else { return };
    for (_, stream) in tables.of_mut(&mut config.streams).filter(|(table, _)| !states(table)) {
        stream.requests_in_flight = each.clamp(1, stream.requests_in_flight);
    }
}

/// A full batch must be able to pass the uplink before its call times out. A time-out that was not
/// stated leaves twice that time.
pub(super) fn uplink(tables: &Tables<'_>, config: &mut Config) {
    let batch_bytes = u64::try_from(config.batch.bytes_max).unwrap_or(u64::MAX);
    for (table, stream) in tables.of_mut(&mut config.streams) {
        let Some(kbit_s) = stream.uplink_kbit_s_max else { continue };
        // Eight bits a byte, so the factor for eight bytes is the one for bits.
        let passes_in_s = (batch_bytes * WIRE_BYTES_PER_8).div_ceil(u64::from(kbit_s) * 1_000);
        if !table.states("request_timeout_s") {
            let twice = Duration::from_secs(2 * passes_in_s);
            stream.request_timeout = stream.request_timeout.max(twice);
        } else if stream.request_timeout < Duration::from_secs(passes_in_s) {
            table.fault(
                "request_timeout_s",
                format!(
                    "must be at least {passes_in_s} seconds: a full batch (batch.bytes_max) takes \
                     so long at uplink_kbit_s_max"
                ),
            );
        }
    }
}

/// Each gateway numbers devices in the order in which it sees them: one that comes by several of them
/// would have several places.
pub(super) fn partitioning(tables: &Tables<'_>, config: &Config) {
    for (table, stream) in tables.of(config) {
        if stream.partitioning == Partitioning::Golden && config.mqtt.share_group.is_some() {
            table.fault(
                "partitioning",
                "cannot be together with mqtt.share_group: each member of the group would give a \
                 device another number, and so another shard",
            );
        }
    }
}

/// Nobody can plan for more than is used: a target that was not stated is the least part that is used
/// of a stream, if that is less.
pub(super) fn target(root: &Table<'_>, config: &mut Config) {
    let fraction = config.streams.iter().map(|stream| stream.pace.fraction).fold(1.0, f64::min);
    if config.plan.target <= fraction {
        return;
    }
    let plan = root.table("plan");
    if plan.states("target") {
        plan.fault("target", format!("must be at most pace.fraction ({fraction})"));
    } else {
        config.plan.target = fraction;
    }
}
