//! What the stream is used for, and what that is held against.

use std::fmt::Error;

use prometheus_client::metrics::MetricType;
use shard_estimator::Flow;

use super::Page;
use crate::config::Partitioning;
use crate::metrics::{HotKeyShown, Known, PlanShown, ShardLoad, ShardsShown, Shown, StreamLoad};

pub(super) fn write(shown: &Shown, page: &mut Page<'_>) -> Result<(), Error> {
    plan(&shown.plan, page)?;
    load(&shown.load, page)?;
    shards(&shown.load.hottest, page)?;
    hot_keys(&shown.hottest_keys, page)
}

fn plan(plan: &PlanShown, page: &mut Page<'_>) -> Result<(), Error> {
    for (name, help, value) in [
        (
            "plan_holds",
            "1 while the plan holds; 0 from the warning that it does not until it does again.",
            f64::from(u8::from(plan.holds)),
        ),
        ("plan_target_ratio", "The part of its limits that a shard is planned for.", plan.target),
        (
            "pace_fraction_ratio",
            "The part of its limits that a shard is sent at most by a gateway that is alone.",
            plan.fraction,
        ),
        (
            "partition_keys",
            "About how many partition keys were in use in the last one to two hours; 2 % off.",
            plan.keys,
        ),
    ] {
        page.gauge(name, help, value)?;
    }
    partitioning(plan.partitioning, page)?;
    for (name, help, value) in [
        (
            "window_records_per_second",
            "Records that there were to send in the last full window, of a minute at most.",
            plan.window.map(|window| window.records_per_s),
        ),
        (
            "window_bytes_per_second",
            "Their bytes, data and keys.",
            plan.window.map(|window| window.bytes_per_s),
        ),
        (
            "pace_instances",
            "Gateways that share the stream, as stated: pace.instances; absent if it is not.",
            plan.instances.map(f64::from),
        ),
    ] {
        value.map_or(Ok(()), |value| page.gauge(name, help, value))?;
    }
    Ok(())
}

fn load(load: &StreamLoad, page: &mut Page<'_>) -> Result<(), Error> {
    for (name, help, value) in [
        (
            "offered_records_per_second",
            "Records that there are to send, averaged over some ten seconds.",
            load.offered.records_per_s,
        ),
        (
            "offered_bytes_per_second",
            "Bytes that there are to send, data and keys, averaged likewise.",
            load.offered.bytes_per_s,
        ),
        (
            "throttled_ratio",
            "The part of attempts that the stream refused for their rate, averaged likewise.",
            load.throttled,
        ),
    ] {
        page.gauge(name, help, value)?;
    }
    stream_shards(load.shards, page)?;
    let Some(used) = load.hottest_used else { return Ok(()) };
    page.gauge(
        "hottest_shard_offered_ratio",
        "The part of its limits that there is to send to the hottest shard, as a mean over some \
         minutes; absent while shards are not told apart.",
        used,
    )
}

fn stream_shards(shards: Option<ShardsShown>, page: &mut Page<'_>) -> Result<(), Error> {
    let series = |ShardsShown { count, known }| {
        let known = match known {
            Known::Stated => "stated",
            Known::Listed => "listed",
            Known::Learned => "learned",
        };
        (known, f64::from(count))
    };
    let help = "Shards of the stream, as stated by the operator, listed by the service, or learned \
        from its answers, and then there are so many at least; absent while they are not told apart.";
    page.gauges("stream_shards", help, "known", shards.map(series).into_iter())
}

fn partitioning(partitioning: Partitioning, page: &mut Page<'_>) -> Result<(), Error> {
    let how = match partitioning {
        Partitioning::Md5 => "md5",
        Partitioning::Golden => "golden",
    };
    let help = "1 for what places partition keys on shards: stream.partitioning.";
    page.gauges("stream_partitioning", help, "how", std::iter::once((how, 1.0)))
}

/// What is shown of each hot key: a name, what it means, and how it is read.
type OfKey = (&'static str, &'static str, fn(&Flow) -> f64);

/// Keys that may not be named are told apart by their rank.
fn hot_keys(keys: &[HotKeyShown], page: &mut Page<'_>) -> Result<(), Error> {
    const SERIES: [OfKey; 3] = [
        (
            "hot_key_records_per_second",
            "Records that there were to send of the hottest partition keys, at least, in the last \
             full window.",
            |flow| flow.records_per_s,
        ),
        ("hot_key_bytes_per_second", "Their bytes, data and keys, likewise.", |flow| {
            flow.bytes_per_s
        }),
        (
            "hot_key_used_ratio",
            "The part of one shard's limits that they take; above 1 no number of shards can help.",
            |flow| flow.used(),
        ),
    ];
    for (name, help, value) in SERIES {
        let mut metric = page.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (rank, HotKeyShown { name, flow }) in (1_u32..).zip(keys) {
            let label: (&str, String) = match name {
                Some(name) => ("key", name.clone()),
                None => ("rank", rank.to_string()),
            };
            metric.encode_family(&[label])?.encode_gauge(&value(flow))?;
        }
    }
    Ok(())
}

/// What is shown of each shard: a name, what it means, and how it is read.
type OfShard = (&'static str, &'static str, fn(&ShardLoad) -> Option<f64>);

fn shards(shards: &[ShardLoad], page: &mut Page<'_>) -> Result<(), Error> {
    const SERIES: [OfShard; 8] = [
        ("shard_offered_ratio", "The part of the shard's limits that there is to send.", |shard| {
            Some(shard.offered.used())
        }),
        ("shard_sent_ratio", "The part of its limits that the shard accepts.", |shard| {
            Some(shard.sent.used())
        }),
        (
            "shard_sent_peak_ratio",
            "The part of its limits that the busiest second of the last minute took.",
            |shard| Some(shard.peak_used),
        ),
        (
            "shard_budget_ratio",
            "The part of its limits that this gateway may send at present.",
            |shard| shard.factor,
        ),
        ("shard_budget_used_ratio", "What is sent, as a part of what may be.", |shard| {
            Some(shard.sent.used() / shard.factor?)
        }),
        ("shard_throttled_ratio", "The part of attempts that the shard refuses.", |shard| {
            Some(shard.throttled)
        }),
        ("shard_records_per_second", "Records that the shard accepts.", |shard| {
            Some(shard.sent.records_per_s)
        }),
        ("shard_bytes_per_second", "Bytes that it accepts, data and keys.", |shard| {
            Some(shard.sent.bytes_per_s)
        }),
    ];
    for (name, help, value) in SERIES {
        let values = shards.iter().filter_map(|shard| Some((shard.name.as_str(), value(shard)?)));
        page.gauges(name, help, "shard", values)?;
    }
    Ok(())
}
