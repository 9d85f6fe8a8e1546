//! Watches whether the plan still holds, and tells the log when that changes. The thinking is
//! `shard-estimator`'s; what takes long of it is done away from the flow's thread.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use shard_estimator::{
    Advice, Arrivals, Budget, Factor, Flow, Goals, HotKey, News, Placement, Signs, Strain, Traffic,
    Watch,
};
use tokio::task::{JoinHandle, spawn_blocking};
use tracing::{Span, info, warn};

use crate::config::{self, Config, Partitioning};
use crate::limits::{HOT_KEYS_UNNAMED, HOT_KEYS_WINDOW_MAX, WATCH_EVERY, WINDOWS_BEFORE_WARNING};
use crate::metrics::{HotKeyShown, PlanShown, StreamLoad};
use crate::record::PartitionKey;

/// What there is to send, and what it is held against.
#[derive(Debug)]
pub(super) struct Watching {
    started: Instant,
    traffic: Traffic<PartitionKey>,
    watch: Watch,
    goals: Goals,
    /// How long the broker keeps what is sent while we are away.
    kept_max: Duration,
    /// Since when it can have kept nothing that was not noted.
    kept_until: Option<Instant>,
    instances: Option<u32>,
    partitioning: Partitioning,
    hottest_keys: usize,
    /// A warning on its way to the log, with its advice.
    warning: Option<JoinHandle<()>>,
}

/// What is seen beside what there is to send.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backlog {
    /// Records on the disk.
    pub(super) spooled: u64,
    /// Whether the stream takes calls.
    pub(super) open: bool,
    /// Whether what the stream does not take stays with the broker: there is no spool, or it takes no
    /// more.
    pub(super) stays: bool,
}

/// That the plan does not hold.
#[derive(Debug)]
struct Warning {
    strains: Vec<Strain>,
    load: StreamLoad,
    arrivals: Option<Arrivals<PartitionKey>>,
    goals: Goals,
    hottest_keys: usize,
}

impl Watching {
    pub(super) fn new(config: &Config, stream: &config::Stream, now: Instant) -> Self {
        let factor = |part| Factor::new(part).unwrap_or(Factor::WHOLE);
        let patience = config.plan.warn_after;
        let target = factor(config.plan.target);
        let fraction = factor(stream.pace.fraction);
        let goals = Goals {
            target,
            fraction,
            // As the pace has it: what lingers longer is sent in more than one burst.
            linger: config.batch.linger.min(Budget::of_shard(fraction).pause_max()),
            placement: match stream.partitioning {
                Partitioning::Md5 => Placement::Md5,
                Partitioning::Golden => Placement::Golden,
            },
            ..Goals::default()
        };
        let window = (patience / WINDOWS_BEFORE_WARNING).min(HOT_KEYS_WINDOW_MAX);
        Self {
            started: now,
            traffic: Traffic::new(window, Duration::ZERO),
            watch: Watch::new(target, patience),
            goals,
            kept_max: config.mqtt.session_expiry,
            kept_until: None,
            partitioning: stream.partitioning,
            instances: stream.pace.instances,
            hottest_keys: config.metrics.hottest_keys,
            warning: None,
        }
    }

    /// Counts a record that is to be sent.
    pub(super) fn count(&mut self, key: &PartitionKey, data_bytes: usize) {
        self.traffic.add(key.hash_key(), key, key.as_str().len(), data_bytes);
    }

    /// Notes that nothing could come for so long until `now`, and that the broker may have kept it.
    /// What several connections missed at the same time counts once.
    pub(super) fn away(&mut self, away: Duration, now: Instant) {
        if away.is_zero() {
            return;
        }
        let before = self.kept_until.replace(now);
        let new = before.map_or(Duration::MAX, |until| now.saturating_duration_since(until));
        self.watch.away(away.min(self.kept_max).min(new));
    }

    /// Looks whether the plan holds, every [`WATCH_EVERY`]. Nothing new is told before a warning is in the log.
    pub(super) fn look(&mut self, load: &StreamLoad, backlog: Backlog, now: Instant) {
        if backlog.stays && !backlog.open {
            self.away(WATCH_EVERY, now);
        }
        let now = self.since_start(now);
        self.traffic.pass(now);
        if self.warning.as_ref().is_some_and(|warning| !warning.is_finished()) {
            return;
        }
        let signs = Signs {
            hottest_shard_used: load.hottest_used,
            hottest_key_used: self.traffic.arrivals().map_or(0.0, Arrivals::hottest_key_used),
            throttled: load.throttled,
            spooled: backlog.spooled,
            offered_per_s: load.offered_mean.records_per_s,
            open: backlog.open,
            stays: backlog.stays,
        };
        match self.watch.see(signs, now) {
            None => {}
            Some(News::Holds) => info!("the plan holds again"),
            Some(News::Broken(strains)) => {
                let warning = Warning {
                    strains,
                    load: load.clone(),
                    arrivals: self.traffic.arrivals().cloned(),
                    goals: self.goals.clone(),
                    hottest_keys: self.hottest_keys,
                };
                let span = Span::current();
                self.warning = Some(spawn_blocking(move || span.in_scope(|| warning.tell())));
            }
        }
    }

    /// The hottest keys of the last window that was full, as many as may be named; without names if
    /// none may be.
    pub(super) fn hottest_keys(&self) -> Vec<HotKeyShown> {
        let are_named = self.hottest_keys > 0;
        let most = if are_named { self.hottest_keys } else { HOT_KEYS_UNNAMED };
        let shown = |(name, flow)| HotKeyShown { name: are_named.then_some(name), flow };
        named(self.traffic.arrivals(), most).into_iter().map(shown).collect()
    }

    pub(super) fn plan(&self) -> PlanShown {
        PlanShown {
            target: self.goals.target.get(),
            fraction: self.goals.fraction.get(),
            holds: self.watch.holds(),
            keys: self.traffic.keys(),
            instances: self.instances,
            partitioning: self.partitioning,
            window: self.traffic.arrivals().map(Arrivals::flow),
        }
    }

    pub(super) fn traffic(&self) -> &Traffic<PartitionKey> {
        &self.traffic
    }

    pub(super) fn since_start(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }
}

impl Warning {
    /// Tells the log, with advice; finding that takes up to seconds.
    fn tell(&self) {
        let Self { strains, load, arrivals, goals, hottest_keys } = self;
        let shards = load.shards.map(|shards| shards.count);
        let present = shards.and_then(NonZeroU32::new).zip(load.hottest_used);
        let advice = arrivals.as_ref().map(|arrivals| Advice::of(arrivals, goals, present));
        let flow = arrivals.as_ref().map(Arrivals::flow).unwrap_or_default();
        warn!(
            because = ?strains,
            advice = advice_for(strains, advice.as_ref()),
            shards,
            shards_needed = advice.as_ref().and_then(|advice| advice.shards).map(NonZeroU32::get),
            hottest_shard_used = load.hottest_used.map(hundredths),
            target = goals.target.get(),
            records_per_s = flow.records_per_s.round(),
            bytes_per_s = flow.bytes_per_s.round(),
            throttled = hundredths(load.throttled),
            hottest_keys = ?named(arrivals.as_ref(), *hottest_keys),
            "the plan no longer holds"
        );
    }
}

fn named(arrivals: Option<&Arrivals<PartitionKey>>, most: usize) -> Vec<(String, Flow)> {
    let Some(arrivals) = arrivals else { return Vec::new() };
    let named = |hot: &HotKey<PartitionKey>| (hot.key.to_string(), arrivals.flow_of(hot));
    arrivals.hottest.iter().take(most).map(named).collect()
}

/// What to do, for the first of the reasons that says it.
fn advice_for(strains: &[Strain], advice: Option<&Advice>) -> String {
    let shards = advice.and_then(|advice| advice.shards);
    if strains.contains(&Strain::Key) {
        return "one partition key alone is more than a shard should carry, and a key lives on one \
                shard: more shards cannot help: let its device send less or larger records, or \
                spread it over several keys (stream.partition_key)"
            .to_owned();
    }
    match (strains.contains(&Strain::Shard), shards) {
        (true, Some(shards)) => format!(
            "there is more to send to the hottest shard than planned: {shards} shards would carry \
             what this gateway sees, if devices do not report together; `tidegate plan --from-metrics` \
             shows how and what they cost"
        ),
        (true, None) => "there is more to send to the hottest shard than planned, and no number of \
                         shards carries it: see `tidegate plan --from-metrics`"
            .to_owned(),
        (false, _) if strains.contains(&Strain::Throttled) => {
            "the stream refuses what its limits should allow: others write to it (compare \
             IncomingRecords in CloudWatch, say pace.instances), or it has fewer shards than is said"
                .to_owned()
        }
        (false, _) => {
            "the stream takes calls, and the spool does not drain: see whether the uplink, \
             stream.requests_in_flight, or single shards that others fill hold it back"
                .to_owned()
        }
    }
}

fn hundredths(part: f64) -> f64 {
    (part * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::pipeline::clock::now;
    use crate::pipeline::tests::config;

    const KEYS: u32 = 2_000;

    fn watching(session_s: u32, now: Instant) -> Watching {
        let settings = format!("mqtt.session_expiry_s = {session_s}\nstream.shards = 1");
        let config = config(Path::new("unused"), &settings);
        Watching::new(&config, config.streams.first(), now)
    }

    const TAKES_CALLS: Backlog = Backlog { spooled: 0, open: true, stays: false };

    /// Whether a plan holds after so many seconds at a tenth more than the target, or without anything
    /// while all stays with the broker.
    fn holds_after(
        watching: &mut Watching,
        seconds: u64,
        backlog: Backlog,
        began: Instant,
    ) -> bool {
        let comes = backlog.open || !backlog.stays;
        let hottest_used = Some(if comes { 0.88 } else { 0.0 });
        let load = StreamLoad { hottest_used, ..StreamLoad::default() };
        for now in (0..seconds).step_by(5).map(|s| began + Duration::from_secs(s)) {
            watching.look(&load, backlog, now);
        }
        watching.plan().holds
    }

    #[tokio::test]
    async fn what_the_broker_kept_is_no_reason_and_counts_once_for_all_connections() {
        let began = now();
        let minutes = Duration::from_secs(600);
        let mut steady = watching(86_400, began);
        assert!(!holds_after(&mut steady, 400, TAKES_CALLS, began));

        let mut away = watching(86_400, began);
        away.away(minutes, began);
        away.away(minutes, began + Duration::from_millis(5));
        // A tenth more than the target brings in ten minutes of it in a hundred, and not in 200.
        assert!(holds_after(&mut away, 6_000, TAKES_CALLS, began));
        assert!(!holds_after(&mut away, 600, TAKES_CALLS, began + Duration::from_secs(6_000)));

        let mut brief = watching(600, began);
        brief.away(10 * minutes, began);
        assert!(
            !holds_after(&mut brief, 6_600, TAKES_CALLS, began),
            "it keeps nothing for so long"
        );
    }

    #[tokio::test]
    async fn what_only_the_broker_keeps_while_the_stream_is_away_is_no_reason() {
        let began = now();
        for stays in [true, false] {
            let mut watching = watching(86_400, began);
            let away = Backlog { open: false, stays, ..TAKES_CALLS };
            holds_after(&mut watching, 600, away, began);
            let later = began + Duration::from_secs(600);
            assert_eq!(holds_after(&mut watching, 1_000, TAKES_CALLS, later), stays);
        }
    }

    #[tokio::test]
    async fn full_spool_is_no_backlog_until_the_broker_keeps_nothing_more() {
        let began = now();
        for stays in [true, false] {
            let mut watching = watching(86_400, began);
            let full = Backlog { spooled: 14_000, open: true, stays };
            let load = StreamLoad::default();
            for now in (0..1_000).step_by(5).map(|s| began + Duration::from_secs(s)) {
                watching.look(&load, full, now);
            }
            assert_eq!(watching.plan().holds, stays);
        }
    }

    /// What is advised for devices that send ten records each in every second of a window.
    fn advised(partitioning: &str, linger_ms: u32) -> Option<u32> {
        let settings = format!(
            "plan.warn_after_s = 10
batch.linger_ms = {linger_ms}
stream.shards = 9
\
             stream.partitioning = '{partitioning}'"
        );
        let began = now();
        let config = config(Path::new("unused"), &settings);
        let mut watching = Watching::new(&config, config.streams.first(), began);
        for record in 0..20 * KEYS {
            let key = PartitionKey::new(&format!("device-{:04}", record % KEYS));
            watching.count(&key, 100);
        }
        watching.traffic.pass(Duration::from_secs(2));
        let arrivals = watching.traffic.arrivals().expect("a window is full");
        Advice::of(arrivals, &watching.goals, None).shards.map(NonZeroU32::get)
    }

    #[test]
    fn devices_that_are_placed_evenly_are_advised_of_fewer_shards() {
        let (md5, golden) = (advised("md5", 50), advised("golden", 50));
        assert!(golden.is_some() && golden < md5, "{golden:?} and {md5:?}");
    }

    #[test]
    fn a_long_linger_is_no_reason_to_advise_nothing() {
        let advised = [50, 500, 999].map(|linger_ms| advised("md5", linger_ms));
        assert!(
            advised.iter().all(|shards| shards.is_some() && *shards == advised[0]),
            "{advised:?}"
        );
    }
}
