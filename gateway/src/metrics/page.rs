//! What is shown, in the OpenMetrics text format that Prometheus reads.
//!
//! Series are bounded: [`SHARDS_SHOWN_MAX`](crate::limits::SHARDS_SHOWN_MAX) shards of each stream, the
//! hottest, and ten keys. Both are as of the moment of asking: what is no longer among the hottest has
//! no series. What is of a stream is told apart by its label, where there may be several.

use std::fmt::Error;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use shard_estimator::SIZE_EDGES;
use shard_estimator::number::real;

use super::{MemoryShown, Shown, StreamShown};

mod counts;
mod stream;

/// Before every name.
const PREFIX: &str = "tidegate";

/// The media type of the page.
pub(super) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl Shown {
    /// All of it as text.
    #[must_use]
    pub fn page(self) -> String {
        let mut registry = Registry::with_prefix(PREFIX);
        registry.register_collector(Box::new(self));
        let mut page = String::new();
        // A string takes whatever is written to it.
        if text::encode(&mut page, &registry).is_err() {
            page.clear();
        }
        page
    }
}

impl Collector for Shown {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut page = Page(encoder);
        counts::write(self, &mut page)?;
        memory(&self.memory, &mut page)?;
        distributions(&self.streams, &mut page)?;
        stream::write(&self.streams, &mut page)
    }
}

/// What tells series of one name apart.
type Labels = Vec<(&'static str, String)>;

/// A name, and what it means.
type Family = (&'static str, &'static str);

impl StreamShown {
    /// What tells series of this stream apart from others' of the same name, and `more`.
    fn labels(&self, more: impl IntoIterator<Item = (&'static str, String)>) -> Labels {
        let label = self.label.as_ref().map(|label| ("stream", label.clone()));
        label.into_iter().chain(more).collect()
    }
}

/// A page that is being written.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn counter(&mut self, family: Family, count: u64) -> Result<(), Error> {
        self.counters(family, std::iter::once((vec![], count)))
    }

    fn counters(
        &mut self,
        (name, help): Family,
        series: impl Iterator<Item = (Labels, u64)>,
    ) -> Result<(), Error> {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, count) in series {
            one(&mut metric, &labels, |one| {
                one.encode_counter::<NoLabelSet, _, u64>(&count, None)
            })?;
        }
        Ok(())
    }

    fn gauge(&mut self, family: Family, value: f64) -> Result<(), Error> {
        self.gauges(family, std::iter::once((vec![], value)))
    }

    fn gauges(
        &mut self,
        (name, help): Family,
        series: impl Iterator<Item = (Labels, f64)>,
    ) -> Result<(), Error> {
        let mut series = series.peekable();
        // What nobody has is not described either.
        if series.peek().is_none() {
            return Ok(());
        }
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in series {
            one(&mut metric, &labels, |one| one.encode_gauge(&value))?;
        }
        Ok(())
    }

    /// Buckets have each what lies above the edge before; sums come before them.
    fn histograms(
        &mut self,
        (name, help): Family,
        series: impl Iterator<Item = (Labels, f64, Vec<(f64, u64)>)>,
    ) -> Result<(), Error> {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (labels, sum, buckets) in series {
            let count = buckets.iter().map(|(_, count)| count).sum();
            one(&mut metric, &labels, |one| {
                one.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
            })?;
        }
        Ok(())
    }
}

/// Writes one series.
fn one(
    metric: &mut MetricEncoder<'_>,
    labels: &Labels,
    write: impl FnOnce(&mut MetricEncoder<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    match labels.is_empty() {
        true => write(metric),
        false => write(&mut metric.encode_family(labels)?),
    }
}

fn memory(memory: &MemoryShown, page: &mut Page<'_>) -> Result<(), Error> {
    for (name, help, bytes) in [
        (
            "memory_held_bytes",
            "Bytes of records in memory that the broker answers for.",
            memory.exposed_bytes,
        ),
        (
            "memory_held_limit_bytes",
            "What these may come to before nothing more is taken in: part of memory_bytes_max.",
            memory.exposed_bytes_max,
        ),
    ] {
        page.gauge((name, help), real(bytes as u64))?;
    }
    Ok(())
}

fn distributions(streams: &[StreamShown], page: &mut Page<'_>) -> Result<(), Error> {
    let delays = streams
        .iter()
        .map(|stream| (stream.labels([]), stream.delays.sum_s(), stream.delays.buckets()));
    page.histograms(
        (
            "publish_to_accepted_seconds",
            "From the arrival of a publish to the acceptance of its record by the stream, whatever \
             lay between: linger, pace, retries, spool.",
        ),
        delays,
    )?;
    let sizes = streams.iter().map(|stream| {
        let edges = SIZE_EDGES.into_iter().map(f64::from);
        let mut buckets: Vec<_> = edges.zip(stream.sizes.counts).collect();
        buckets.push((f64::INFINITY, 0));
        (stream.labels([]), real(stream.sizes.bytes), buckets)
    });
    page.histograms(
        (
            "record_data_bytes",
            "Data of the records received, without partition keys; among the edges are those at \
             which billing rounds up.",
        ),
        sizes,
    )?;
    page.counters(
        (
            "partition_key_bytes",
            "Partition keys of the records received; shards count them with the data.",
        ),
        streams.iter().map(|stream| (stream.labels([]), stream.key_bytes)),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use shard_estimator::{Flow, SizeCounts};

    use super::*;
    use crate::config::Partitioning;
    use crate::metrics::{
        Beside, Conservation, Delays, HotKeyShown, Known, PlanShown, ShardLoad, ShardsShown,
        StreamCounts, StreamLoad,
    };

    const FLOW: Flow = Flow { records_per_s: 450.0, bytes_per_s: 100_000.0 };

    fn shard(name: &str) -> ShardLoad {
        let (name, sent) = (name.to_owned(), FLOW);
        ShardLoad { name, offered: FLOW, sent, peak_used: 0.75, factor: Some(0.9), throttled: 0.01 }
    }

    fn shown(shards: usize, keys: &[&str]) -> Shown {
        Shown {
            uptime: Duration::from_secs(90),
            ledger: Conservation { received: 7, delivered: 6, in_flight: 1, ..Default::default() },
            beside: Beside { dropped_retained: 3, ..Beside::default() },
            adopted: 0,
            memory: MemoryShown { exposed_bytes: 1_500, exposed_bytes_max: 20 << 20 },
            streams: vec![stream(shards, keys)],
        }
    }

    fn stream(shards: usize, keys: &[&str]) -> StreamShown {
        let (mut delays, mut sizes) = (Delays::default(), SizeCounts::default());
        delays.add(Duration::from_millis(70));
        sizes.add(1_000);
        StreamShown {
            label: None,
            counts: StreamCounts { delivered: 6, in_flight: 1, ..StreamCounts::default() },
            spool_bytes: 0,
            spool_bytes_max: 2 << 30,
            delays,
            sizes,
            key_bytes: 20,
            plan: PlanShown {
                target: 0.8,
                fraction: 0.9,
                instances: Some(4),
                holds: true,
                keys: 29.0,
                partitioning: Partitioning::Golden,
                window: Some(FLOW),
            },
            load: StreamLoad {
                shards: Some(ShardsShown { count: 2, known: Known::Learned }),
                hottest_used: Some(0.45),
                offered: FLOW,
                offered_mean: FLOW,
                throttled: 0.0,
                hottest: (0..shards).map(|place| shard(&place.to_string())).collect(),
            },
            hottest_keys: keys
                .iter()
                .map(|key| HotKeyShown { name: Some((*key).to_owned()), flow: FLOW })
                .collect(),
        }
    }

    #[test]
    fn everything_has_a_line_with_a_help_and_a_type_and_the_page_an_end() {
        let page = shown(2, &["pump"]).page();
        for line in [
            "tidegate_build_info{version=\"0.1.0\"} 1",
            "tidegate_records_received_total 7",
            "tidegate_records_in_flight 1.0",
            "tidegate_records_dropped_total{rule=\"retained\"} 3",
            "tidegate_publish_to_accepted_seconds_bucket{le=\"0.1\"} 1",
            "tidegate_publish_to_accepted_seconds_sum 0.07",
            "tidegate_record_data_bytes_bucket{le=\"512.0\"} 0",
            "tidegate_record_data_bytes_bucket{le=\"1024.0\"} 1",
            "tidegate_record_data_bytes_bucket{le=\"+Inf\"} 1",
            "tidegate_record_data_bytes_count 1",
            "tidegate_plan_holds 1.0",
            "tidegate_pace_instances 4.0",
            "tidegate_stream_shards{known=\"learned\"} 2.0",
            "tidegate_stream_partitioning{how=\"golden\"} 1.0",
            "tidegate_hottest_shard_offered_ratio 0.45",
            "tidegate_window_records_per_second 450.0",
            "tidegate_shard_sent_ratio{shard=\"1\"} 0.45",
            "tidegate_shard_budget_used_ratio{shard=\"0\"} 0.5",
            "tidegate_hot_key_used_ratio{key=\"pump\"} 0.45",
        ] {
            assert!(page.lines().any(|written| written == line), "no {line} in\n{page}");
        }
        let described = |what| -> BTreeSet<_> {
            page.lines().filter_map(|line| line.strip_prefix(what)?.split(' ').next()).collect()
        };
        let (helped, typed) = (described("# HELP "), described("# TYPE "));
        assert_eq!(helped, typed);
        assert!(typed.len() > 45, "{} families", typed.len());
        let name = |line: &str| line.split(['{', ' ']).next().unwrap_or_default().to_owned();
        for name in page.lines().filter(|line| !line.starts_with('#')).map(name) {
            let known = typed.iter().any(|family| name.starts_with(family));
            assert!(known, "{name} was not described");
        }
        assert!(page.ends_with("\n# EOF\n"), "{page}");
    }

    #[test]
    fn the_name_of_a_key_stays_within_its_label() {
        let page = shown(1, &["a\"} 1\nforged_total{b=\"c\\"]).page();
        let written = r#"tidegate_hot_key_used_ratio{key="a\"} 1\nforged_total{b=\"c\\"} 0.45"#;
        assert!(page.lines().any(|line| line == written), "{page}");
        assert!(!page.lines().any(|line| line.starts_with("forged")));
    }

    #[test]
    fn what_is_not_told_apart_has_no_series() {
        let mut shown = shown(0, &[]);
        let load = &mut shown.streams[0].load;
        (load.hottest_used, load.shards) = (None, None);
        let page = shown.page();
        assert!(!page.contains("shard=\"") && !page.contains("key=\""), "{page}");
        assert!(!page.contains("hottest_shard_offered_ratio"), "{page}");
        assert!(!page.contains("stream_shards{"), "{page}");
    }

    #[test]
    fn keys_that_may_not_be_named_have_a_rank() {
        let mut shown = shown(1, &["secret", "other"]);
        shown.streams[0].hottest_keys.iter_mut().for_each(|key| key.name = None);
        let page = shown.page();
        let written = "tidegate_hot_key_used_ratio{rank=\"2\"} 0.45";
        assert!(page.lines().any(|line| line == written), "{page}");
        assert!(!page.contains("secret") && !page.contains("key=\""), "{page}");
    }

    #[test]
    fn of_several_streams_each_series_has_its_label_and_each_name_one_description() {
        let mut shown = shown(1, &["pump"]);
        let other = StreamShown {
            counts: StreamCounts { delivered: 8, ..StreamCounts::default() },
            ..stream(2, &[])
        };
        shown.streams.push(other);
        for (stream, label) in shown.streams.iter_mut().zip(["north", "south"]) {
            stream.label = Some(label.to_owned());
        }
        let page = shown.page();
        for line in [
            "tidegate_records_received_total 7",
            "tidegate_records_delivered_total{stream=\"north\"} 6",
            "tidegate_records_delivered_total{stream=\"south\"} 8",
            "tidegate_records_dropped_total{rule=\"retained\"} 3",
            "tidegate_records_dropped_total{stream=\"south\",rule=\"age\"} 0",
            "tidegate_publish_to_accepted_seconds_bucket{le=\"0.1\",stream=\"south\"} 1",
            "tidegate_spool_limit_bytes{stream=\"north\"} 2147483648.0",
            "tidegate_stream_shards{stream=\"north\",known=\"learned\"} 2.0",
            "tidegate_shard_sent_ratio{stream=\"south\",shard=\"1\"} 0.45",
            "tidegate_hot_key_used_ratio{stream=\"north\",key=\"pump\"} 0.45",
        ] {
            assert!(page.lines().any(|written| written == line), "no {line} in\n{page}");
        }
        let described: Vec<_> =
            page.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        let names: BTreeSet<_> = described.iter().copied().collect();
        assert_eq!(names.len(), described.len());
    }
}
