//! What a shard is used for. Pure.

use std::time::Duration;

use shard_estimator::{Flow, MeanMeter, Meter, PeakMeter};

use crate::metrics::ShardLoad;

/// What there was to send to one shard, what it took and what it refused. Time is the time since the
/// pace began.
#[derive(Debug)]
pub(super) struct Usage {
    pub(super) offered: MeanMeter,
    pub(super) sent: PeakMeter,
    pub(super) refused: Meter,
}

impl Usage {
    /// With a mean over `mean_over`.
    pub(super) fn new(mean_over: Duration, now: Duration) -> Self {
        let offered = MeanMeter::new(mean_over, now);
        Self { offered, sent: PeakMeter::new(now), refused: Meter::new(now) }
    }

    pub(super) fn load(&self, name: String, factor: Option<f64>, now: Duration) -> ShardLoad {
        let sent = self.sent.flow(now);
        ShardLoad {
            name,
            offered: self.offered.flow(now),
            sent,
            peak_used: self.sent.peak_used(now),
            factor,
            throttled: throttled(sent, self.refused.flow(now)),
        }
    }
}

/// The part of attempts that were refused, of those and what was accepted.
pub(super) fn throttled(sent: Flow, refused: Flow) -> f64 {
    let attempts = sent.records_per_s + refused.records_per_s;
    // An average never comes down to nothing; what is rarer than one in minutes says nothing.
    if attempts > ATTEMPTS_MIN { refused.records_per_s / attempts } else { 0.0 }
}

/// Attempts a second of which a part means something.
const ATTEMPTS_MIN: f64 = 0.01;

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use bytes::Bytes;
    use shard_estimator::{ShardId, ShardRanges};

    use crate::config::Order;
    use crate::deliver::Verdict;
    use crate::dispatch::pace::Pace;
    use crate::dispatch::pace::tests::pace_of;
    use crate::metrics::{Known, ShardsShown, StreamLoad};
    use crate::queue::tests::Open;
    use crate::queue::{Incoming, Queues, Room, Taken};
    use crate::record::{PartitionKey, RecordSlot};

    /// A stream, its pace, and what goes through both in seconds of made-up time.
    struct World {
        pace: Pace,
        began: Instant,
        second: u32,
    }

    impl World {
        #[expect(clippy::disallowed_methods, reason = "where the made-up time begins")]
        fn new(settings: &str) -> Self {
            let text = format!(
                "mqtt = {{ url = 'mqtt://b', client_id = 'c', topics = ['t'] }}\n\
                 stream = {{ name = 's', region = 'us-east-1' {settings} }}"
            );
            let began = Instant::now();
            Self { pace: pace_of(&text, began), began, second: 0 }
        }

        fn now(&self) -> Instant {
            self.began + std::time::Duration::from_secs(self.second.into())
        }

        /// For so many seconds, so many records of 92 bytes of each key are offered, and answered.
        fn pass(&mut self, seconds: u32, of_each: &[(&str, u32)], answer: fn(&Taken) -> Verdict) {
            for _ in 0..seconds {
                let now = self.now();
                let mut queues = Queues::new(Order::None);
                for (name, records) in of_each {
                    for _ in 0..*records {
                        let (slot, key) = (RecordSlot(0), PartitionKey::new(name));
                        let data = Bytes::from(vec![b'x'; 92 - name.len()]);
                        self.pace.offered(&key, 92, now);
                        queues.push(Incoming { slot, key, data, rx_ts_ms: 0, since: now });
                    }
                }
                let room = Room { records: usize::MAX, bytes: usize::MAX };
                let taken = queues.take(room, &mut Open, now);
                let answered = taken.into_iter().map(|taken| {
                    let verdict = answer(&taken);
                    (taken, verdict)
                });
                self.pace.observe(&answered.collect::<Vec<_>>(), now);
                self.second += 1;
            }
        }

        fn load(&self, most: usize) -> StreamLoad {
            self.pace.load(most, self.now())
        }
    }

    /// Of a stream of so many equal shards.
    fn accepted_by(shards: u32, taken: &Taken) -> Verdict {
        let ranges = ShardRanges::equal(shards.try_into().unwrap());
        Verdict::Accepted(Some(ShardId(ranges.shard_of(taken.key.hash_key()).into())))
    }

    fn is_near(value: f64, expected: f64) -> bool {
        (value - expected).abs() < 0.01
    }

    /// The MD5 of `a` begins with 0, of `dev-7` with 6, of `abc` with 9, of `-` with 3.
    const KEYS: [(&str, u32); 3] = [("a", 100), ("dev-7", 400), ("abc", 200)];

    #[test]
    fn what_is_offered_and_sent_is_told_by_shard_the_hottest_first() {
        let mut world = World::new(", shards = 4");
        world.pass(90, &KEYS, |taken| accepted_by(4, taken));
        let load = world.load(2);
        let names: Vec<_> = load.hottest.iter().map(|shard| shard.name.as_str()).collect();
        let stated = ShardsShown { count: 4, known: Known::Stated };
        assert_eq!((load.shards, names), (Some(stated), vec!["1", "2"]));
        assert!(is_near(load.hottest_used.unwrap(), 0.4), "{load:?}");
        assert!((load.offered.records_per_s - 700.0).abs() < 1.0, "{load:?}");
        let [hottest, _] = &load.hottest[..] else { panic!("two") };
        assert!(is_near(hottest.sent.used(), 0.4) && is_near(hottest.peak_used, 0.4));
        assert!((hottest.sent.bytes_per_s / hottest.sent.records_per_s - 92.0).abs() < 1e-6);
        assert!(is_near(hottest.throttled, 0.0) && is_near(hottest.factor.unwrap(), 0.9));
    }

    #[test]
    fn devices_that_report_together_make_their_shard_no_hotter() {
        let mut world = World::new(", shards = 4");
        for _ in 0..10 {
            world.pass(1, &[("dev-7", 24_000)], |taken| accepted_by(4, taken));
            for _ in 0..59 {
                let used = world.load(0).hottest_used.unwrap();
                assert!(world.second < 300 || (used / 0.4 - 1.0).abs() < 0.1, "{used}");
                world.pass(1, &[], |taken| accepted_by(4, taken));
            }
        }
    }

    #[test]
    fn refusals_are_told_of_the_shard_that_refuses_and_lower_its_budget() {
        let mut world = World::new(", shards = 4");
        world.pass(60, &[("dev-7", 100), ("abc", 100)], |taken| {
            let refuses = taken.key.as_str() == "abc";
            if refuses { Verdict::Throttled } else { accepted_by(4, taken) }
        });
        let load = world.load(4);
        assert!(is_near(load.throttled, 0.5), "{load:?}");
        for shard in &load.hottest {
            let throttled = if shard.name == "2" { 1.0 } else { 0.0 };
            assert!(is_near(shard.throttled, throttled), "{shard:?}");
            assert_eq!(shard.factor.unwrap() < 0.9, shard.name == "2", "{shard:?}");
        }
    }

    #[test]
    fn shards_that_are_learned_are_told_by_their_ids_and_those_that_went_are_not() {
        let mut world = World::new("");
        assert_eq!((world.load(9).shards, world.load(9).hottest_used), (None, None));
        world.pass(30, &KEYS, |taken| accepted_by(4, taken));
        let learned = ShardsShown { count: 3, known: Known::Learned };
        assert_eq!(world.load(9).shards, Some(learned), "no key of the fourth was seen");
        assert_eq!(world.load(1).hottest[0].name, "shardId-000000000001");
        // Split in two each: their children have higher numbers.
        world.pass(60, &KEYS, |taken| {
            let ranges = ShardRanges::equal(8.try_into().unwrap());
            let child = u64::from(ranges.shard_of(taken.key.hash_key()));
            Verdict::Accepted(Some(ShardId(4 + child)))
        });
        let load = world.load(9);
        assert_eq!(load.hottest[0].name, "shardId-000000000007");
        assert!(is_near(load.hottest_used.unwrap(), 0.4), "{load:?}");
        assert!(load.hottest.iter().all(|shard| shard.name.as_str() > "shardId-000000000003"));
    }

    #[test]
    fn a_stream_that_is_one_whole_has_no_hottest_shard() {
        let mut world = World::new("");
        world.pass(30, &[("a", 900)], |_| Verdict::Accepted(None));
        let load = world.load(9);
        let names: Vec<_> = load.hottest.iter().map(|shard| shard.name.as_str()).collect();
        assert_eq!((load.hottest_used, names), (None, vec!["any"]));
        assert!(load.hottest[0].sent.records_per_s > 800.0);
    }
}
