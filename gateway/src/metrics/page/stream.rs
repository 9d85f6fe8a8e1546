//! What each stream is used for, and what that is held against.

use std::fmt::Error;

use shard_estimator::Flow;
use shard_estimator::number::real;

use super::{Labels, Page};
use crate::config::Partitioning;
use crate::metrics::{HotKeyShown, Known, ShardLoad, ShardsShown, StreamShown};

pub(super) fn write(streams: &[StreamShown], page: &mut Page<'_>) -> Result<(), Error> {
    gauges(streams, page)?;
    told_apart(streams, page)?;
    shards(streams, page)?;
    hot_keys(streams, page)
}

/// What is shown of each stream: a name, what it means, and how it is read.
type OfStream = (&'static str, &'static str, fn(&StreamShown) -> Option<f64>);

fn gauges(streams: &[StreamShown], page: &mut Page<'_>) -> Result<(), Error> {
    const SERIES: [OfStream; 13] = [
        ("spool_bytes", "Bytes of the spool's files.", |of| Some(real(of.spool_bytes))),
        (
            "spool_limit_bytes",
            "What they may come to: spool.bytes_max, or a stream's part of it.",
            { |of| Some(real(of.spool_bytes_max)) },
        ),
        (
            "plan_holds",
            "1 while the plan holds; 0 from the warning that it does not until it does again.",
            |of| Some(f64::from(u8::from(of.plan.holds))),
        ),
        ("plan_target_ratio", "The part of its limits that a shard is planned for.", |of| {
            Some(of.plan.target)
        }),
        (
            "pace_fraction_ratio",
            "The part of its limits that a shard is sent at most by a gateway that is alone.",
            |of| Some(of.plan.fraction),
        ),
        (
            "partition_keys",
            "About how many partition keys were in use in the last one to two hours; 2 % off.",
            |of| Some(of.plan.keys),
        ),
        (
            "window_records_per_second",
            "Records that there were to send in the last full window, of a minute at most.",
            |of| Some(of.plan.window?.records_per_s),
        ),
        ("window_bytes_per_second", "Their bytes, data and keys.", |of| {
            Some(of.plan.window?.bytes_per_s)
        }),
        (
            "pace_instances",
            "Gateways that share the stream, as stated: pace.instances; absent if it is not.",
            |of| of.plan.instances.map(f64::from),
        ),
        (
            "offered_records_per_second",
            "Records that there are to send, averaged over some ten seconds.",
            |of| Some(of.load.offered.records_per_s),
        ),
        (
            "offered_bytes_per_second",
            "Bytes that there are to send, data and keys, averaged likewise.",
            |of| Some(of.load.offered.bytes_per_s),
        ),
        (
            "throttled_ratio",
            "The part of attempts that the stream refused for their rate, averaged likewise.",
            |of| Some(of.load.throttled),
        ),
        (
            "hottest_shard_offered_ratio",
            "The part of its limits that there is to send to the hottest shard, as a mean over some \
             minutes; absent while shards are not told apart.",
            |of| of.load.hottest_used,
        ),
    ];
    for (name, help, value) in SERIES {
        let shown = |stream: &StreamShown| Some((stream.labels([]), value(stream)?));
        page.gauges((name, help), streams.iter().filter_map(shown))?;
    }
    Ok(())
}

/// How many shards there are, and what places keys on them.
fn told_apart(streams: &[StreamShown], page: &mut Page<'_>) -> Result<(), Error> {
    let shards = |stream: &StreamShown| {
        let ShardsShown { count, known } = stream.load.shards?;
        let known = match known {
            Known::Stated => "stated",
            Known::Listed => "listed",
            Known::Learned => "learned",
        };
        Some((stream.labels([("known", known.to_owned())]), f64::from(count)))
    };
    let help = "Shards of the stream, as stated by the operator, listed by the service, or learned \
        from its answers, and then there are so many at least; absent while they are not told apart.";
    page.gauges(("stream_shards", help), streams.iter().filter_map(shards))?;
    let partitioning = |stream: &StreamShown| {
        let how = match stream.plan.partitioning {
            Partitioning::Md5 => "md5",
            Partitioning::Golden => "golden",
        };
        (stream.labels([("how", how.to_owned())]), 1.0)
    };
    let help = "1 for what places partition keys on shards: stream.partitioning.";
    page.gauges(("stream_partitioning", help), streams.iter().map(partitioning))
}

/// What is shown of each hot key: a name, what it means, and how it is read.
type OfKey = (&'static str, &'static str, fn(&Flow) -> f64);

fn hot_keys(streams: &[StreamShown], page: &mut Page<'_>) -> Result<(), Error> {
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
    let keys: Vec<_> = streams.iter().flat_map(keys).collect();
    for (name, help, value) in SERIES {
        page.gauges((name, help), keys.iter().map(|(key, flow)| (key.clone(), value(flow))))?;
    }
    Ok(())
}

/// The hot keys of a stream; those that may not be named are told apart by their rank.
fn keys(stream: &StreamShown) -> impl Iterator<Item = (Labels, Flow)> {
    let ranked = (1_u32..).zip(&stream.hottest_keys);
    ranked.map(|(rank, HotKeyShown { name, flow })| {
        let label = match name {
            Some(name) => ("key", name.clone()),
            None => ("rank", rank.to_string()),
        };
        (stream.labels([label]), *flow)
    })
}

/// What is shown of each shard: a name, what it means, and how it is read.
type OfShard = (&'static str, &'static str, fn(&ShardLoad) -> Option<f64>);

fn shards(streams: &[StreamShown], page: &mut Page<'_>) -> Result<(), Error> {
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
        let shown = streams.iter().flat_map(|stream| {
            stream.load.hottest.iter().filter_map(move |shard| {
                Some((stream.labels([("shard", shard.name.clone())]), value(shard)?))
            })
        });
        page.gauges((name, help), shown)?;
    }
    Ok(())
}
