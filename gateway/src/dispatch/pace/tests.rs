use bytes::Bytes;
use proptest::prelude::*;
use shard_estimator::{ShardId, ShardRanges};

use crate::queue::tests::Open;
use crate::queue::{Incoming, Queues, Room};
use crate::record::RecordSlot;

use super::*;

mod outage;
mod reshard;
mod whole;

const CONFIG: &str = r#"
[mqtt]
url = "mqtt://localhost"
client_id = "edge-1"
topics = ["t"]
[stream]
name = "telemetry"
region = "us-east-1"
shards = 2
[pace]
instances = 1
"#;

#[expect(clippy::disallowed_methods, reason = "any instant will do")]
fn start() -> Instant {
    Instant::now()
}

/// A key of the first or the second half: the MD5 of `a` begins with 0c, that of `abc` with 90.
fn key_of(shard: usize) -> PartitionKey {
    PartitionKey::new(["a", "abc"][shard])
}

/// The pace of a gateway with this configuration.
pub(super) fn pace_of(text: &str, now: Instant) -> Pace {
    let config = Config::parse(text).unwrap();
    Pace::new(&config, config.streams.first(), now)
}

fn pace(now: Instant) -> Pace {
    pace_of(CONFIG, now)
}

/// Draws records of these sizes as soon as each is granted, for `span`; when and what was granted.
fn drawn(
    pace: &mut Pace,
    began: Instant,
    span: Duration,
    mut size: impl FnMut(usize) -> usize,
) -> Vec<(Duration, usize)> {
    let (mut now, mut granted) = (began, Vec::new());
    let mut next = size(0);
    while now < began + span {
        match pace.draw(&key_of(0), next, now) {
            Admission::Granted => {
                granted.push((now - began, next));
                next = size(granted.len());
            }
            Admission::RetryAt(at) => {
                assert!(at > now, "a refusal says a later time");
                now = at;
            }
        }
    }
    granted
}

/// The largest sum of `weigh` over any window of one second.
fn worst_second(granted: &[(Duration, usize)], weigh: impl Fn(usize) -> f64) -> f64 {
    let (mut worst, mut sum, mut first) = (0.0_f64, 0.0, 0);
    for (at, size) in granted {
        sum += weigh(*size);
        while granted[first].0 + Duration::from_secs(1) <= *at {
            sum -= weigh(granted[first].1);
            first += 1;
        }
        worst = worst.max(sum);
    }
    worst
}

#[test]
fn lone_gateway_keeps_to_nine_tenths_of_a_shard_and_uses_them() {
    let now = start();
    let granted = drawn(&mut pace(now), now, Duration::from_secs(10), |_| 100);
    assert!(worst_second(&granted, |_| 1.0) <= 1000.0);
    assert!(granted.len() >= 8_800, "only {}", granted.len());
}

#[test]
fn record_a_byte_over_a_kib_does_not_cost_two() {
    let now = start();
    let granted = drawn(&mut pace(now), now, Duration::from_secs(10), |_| 1_025);
    let bytes = worst_second(&granted, |_| 1_025.0);
    assert!(bytes <= 1_024.0 * 1_024.0, "{bytes}");
    assert!(granted.len() >= 8_800, "only {}", granted.len());
}

#[test]
fn long_linger_makes_no_shard_slower() {
    let now = start();
    let text = format!("batch.linger_ms = 500\n{CONFIG}");
    let mut pace = pace_of(&text, now);
    let granted = drawn(&mut pace, now, Duration::from_secs(10), |_| 100);
    assert!(worst_second(&granted, |_| 1.0) <= 1000.0);
    assert!(granted.len() >= 8_500, "only {}", granted.len());
}

/// What one of so many gateways is granted of a shard in a minute, in records of so many bytes.
fn minute_of_one_among(instances: u32, bytes: usize) -> Vec<(Duration, usize)> {
    let began = start();
    let text = CONFIG.replace("instances = 1", &format!("instances = {instances}"));
    let mut pace = pace_of(&text, began);
    drawn(&mut pace, began, Duration::from_secs(60), |_| bytes)
}

#[test]
fn what_a_small_share_earns_over_seconds_outlives_the_change_of_its_rate() {
    let large = minute_of_one_among(1_000, 20_480);
    let first = large.first().expect("one at least");
    // At a thousandth of 922 KiB a second, 20 KiB take 22 s; and the pace rises meanwhile.
    assert!(first.0 <= Duration::from_secs(30), "{large:?}");
    let small = minute_of_one_among(1_000, 100);
    assert!(small.len() >= 54, "only {} in a minute at 0.9 a second and more", small.len());
    // And no more than is earned: 0.9 a second, rising by a tenth of that in each.
    let soon = small.iter().filter(|(at, _)| *at < Duration::from_secs(10)).count();
    assert!(soon <= 15, "{soon} in ten seconds");
}

#[test]
fn pace_starts_without_a_burst() {
    let now = start();
    let granted = drawn(&mut pace(now), now, Duration::from_millis(1), |_| 100);
    assert!(granted.len() <= 1, "{}", granted.len());
}

#[test]
fn unknown_shards_are_paced_as_one() {
    let began = start();
    let text = CONFIG.replace("shards = 2", "");
    let mut pace = pace_of(&text, began);
    let granted = drawn(&mut pace, began, Duration::from_secs(5), |_| 100);
    assert!(worst_second(&granted, |_| 1.0) <= 1000.0);
    assert!(granted.len() >= 4_300, "only {}", granted.len());
}

#[test]
fn pace_by_feedback_knows_no_limit_until_the_first_refusal() {
    let began = start();
    let text = CONFIG.replace("shards = 2", "").replace("[pace]", "[pace]\nmode = \"feedback\"");
    let mut pace = pace_of(&text, began);
    let free = drawn_until(&mut pace, began, 10_000);
    assert_eq!(free, 10_000, "nothing is known to be too fast");
    let now = began + Duration::from_millis(500);
    observe(&mut pace, 2_000, 100, now);
    let granted = drawn(&mut pace, now, Duration::from_secs(5), |_| 100);
    let per_s = granted.len() / 5;
    assert!((1_400..1_800).contains(&per_s), "four fifths of 2,000 accepted, not {per_s}");
}

fn drawn_until(pace: &mut Pace, now: Instant, most: usize) -> usize {
    (0..most).take_while(|_| pace.draw(&key_of(0), 100, now) == Admission::Granted).count()
}

/// Tells `pace` of a request with so many records accepted and throttled, all of shard 0.
fn observe(pace: &mut Pace, accepted: usize, throttled: usize, now: Instant) {
    let verdict = |n| if n < accepted { Verdict::Accepted(None) } else { Verdict::Throttled };
    let taken = taken(std::iter::repeat_n(key_of(0), accepted + throttled), now);
    let records = taken.into_iter().enumerate().map(|(n, taken)| (taken, verdict(n)));
    pace.observe(&records.collect::<Vec<_>>(), now);
}

/// A record of each of these keys, as taken for one request.
fn taken(keys: impl Iterator<Item = PartitionKey>, now: Instant) -> Vec<Taken> {
    let mut queues = Queues::new(Order::None);
    for (number, key) in keys.enumerate() {
        let (slot, data) = (RecordSlot(number), Bytes::new());
        queues.push(Incoming { slot, key, data, rx_ts_ms: 0, since: now });
    }
    queues.take(Room { records: usize::MAX, bytes: usize::MAX }, &mut Open, now)
}

/// At a hundredth of a shard a megabyte is drawn for nearly two minutes: whoever needs its answer
/// to become faster stays slow.
#[test]
fn pace_of_large_records_rises_by_the_second_and_not_by_the_answer() {
    let began = start();
    let text = CONFIG.replace("instances = 1", "instances = 90");
    let mut pace = pace_of(&text, began);
    let (mut now, mut at_last) = (began, 0);
    while now < began + Duration::from_secs(100) {
        match pace.draw(&key_of(0), 1_000_000, now) {
            Admission::Granted => {
                observe(&mut pace, 1, 0, now);
                at_last += usize::from(now >= began + Duration::from_secs(90));
            }
            Admission::RetryAt(at) => now = at,
        }
    }
    assert!((8..=11).contains(&at_last), "{at_last} in ten seconds");
}

#[test]
fn refusals_lower_the_pace_of_their_shard_only() {
    let now = start();
    let mut pace = pace(now);
    observe(&mut pace, 10, 1, now + Duration::from_millis(10));
    let later = now + Duration::from_secs(2);
    let slow = drawn(&mut pace, later, Duration::from_secs(2), |_| 100).len();
    assert!((1_200..1_640).contains(&slow), "{slow} in 2 s is not 0.8 × 0.9 of the limit");
    let mut other = 0;
    let mut at = later;
    while at < later + Duration::from_secs(2) {
        match pace.draw(&key_of(1), 100, at) {
            Admission::Granted => other += 1,
            Admission::RetryAt(next) => at = next,
        }
    }
    assert!(other >= 1_750, "{other}");
}

/// Tells `pace` that a record of each of 400 keys went where `shard_of` says.
fn show_all(pace: &mut Pace, shard_of: impl Fn(HashKey) -> ShardId, now: Instant) {
    let answer = |taken: Taken| {
        let shard = shard_of(taken.key.hash_key());
        (taken, Verdict::Accepted(Some(shard)))
    };
    let taken = taken((0..400).map(device), now);
    pace.observe(&taken.into_iter().map(answer).collect::<Vec<_>>(), now);
}

/// The same of a stream of `shards` equal ones, numbered from `first`.
fn show(pace: &mut Pace, shards: u32, first: u64, now: Instant) {
    let ranges = ShardRanges::equal(shards.try_into().unwrap());
    show_all(pace, |key| ShardId(first + u64::from(ranges.shard_of(key))), now);
}

fn device(n: usize) -> PartitionKey {
    PartitionKey::new(&format!("device-{n}"))
}

/// Draws for 400 keys in turn, as soon as each is granted; how many records a second each of
/// `shards` equal shards is sent over five seconds from `began` on.
fn per_s(pace: &mut Pace, shards: u32, began: Instant) -> Vec<usize> {
    let ranges = ShardRanges::equal(shards.try_into().unwrap());
    let devices: Vec<_> = (0..400).map(device).collect();
    let mut granted = vec![0; shards.try_into().unwrap()];
    for ms in (0..5_000).step_by(10) {
        for device in &devices {
            // Each has much to send.
            for _ in 0..10 {
                let shard = usize::try_from(ranges.shard_of(device.hash_key())).unwrap();
                let now = began + Duration::from_millis(ms);
                granted[shard] += usize::from(pace.draw(device, 100, now) == Admission::Granted);
            }
        }
    }
    granted.into_iter().map(|records| records / 5).collect()
}

#[test]
fn learned_shards_are_paced_each_by_itself_before_and_after_a_reshard() {
    let began = start();
    let text = CONFIG.replace("shards = 2", "");
    let mut pace = pace_of(&text, began);
    let mut now = began;
    for (shards, first) in [(4, 0), (8, 4), (3, 12)] {
        show(&mut pace, shards, first, now);
        let per_s = per_s(&mut pace, shards, now);
        assert!(per_s.iter().all(|records| (850..=900).contains(records)), "{shards}: {per_s:?}");
        let limiters = pace.shards.len();
        assert_eq!(limiters, usize::try_from(shards).unwrap(), "the others are forgotten");
        now += Duration::from_secs(10);
    }
}

#[test]
fn wrong_number_of_shards_is_paced_as_it_is_once_that_is_known() {
    let began = start();
    let mut pace = pace(began);
    show(&mut pace, 4, 0, began);
    let per_s = per_s(&mut pace, 4, began);
    assert!(per_s.iter().all(|records| (850..=900).contains(records)), "{per_s:?}");
}

#[test]
fn stream_that_places_records_itself_is_paced_by_refusals_alone() {
    let began = start();
    let mut pace = pace(began);
    for first in [0, 8, 0, 8, 0] {
        show(&mut pace, 4, first, began);
    }
    assert_eq!(drawn_until(&mut pace, began, 10_000), 10_000);
    observe(&mut pace, 2_000, 100, began + Duration::from_millis(500));
    let granted = drawn(&mut pace, began + Duration::from_secs(1), Duration::from_secs(5), |_| 100);
    let per_s = granted.len() / 5;
    assert!((1_400..1_800).contains(&per_s), "four fifths of 2,000 accepted, not {per_s}");
}

#[expect(clippy::cast_precision_loss, reason = "KiB of a record: far below 2^52")]
fn kib_of(bytes: usize) -> f64 {
    bytes as f64 / 1024.0
}

#[test]
fn large_record_gets_through_a_crowd_of_small_ones_on_its_shard() {
    let began = start();
    let text = CONFIG.replace("shards = 2", "shards = 1");
    let mut pace = pace_of(&text, began);
    let mut queues = Queues::new(Order::Device);
    let push = |queues: &mut Queues, key: &str, bytes, now| {
        let (key, data) = (PartitionKey::new(key), Bytes::from(vec![b'x'; bytes]));
        let slot = RecordSlot(0);
        queues.push(Incoming { slot, key, data, rx_ts_ms: 0, since: now });
    };
    push(&mut queues, "large", 1_000_000, began);
    for n in 0..5_000 {
        push(&mut queues, &format!("small-{n}"), 1_000, began + Duration::from_millis(n));
    }
    let mut now = began;
    while now < began + Duration::from_secs(3) {
        queues.wake(now);
        let room = Room { records: 500, bytes: 1 << 20 };
        for taken in queues.take(room, &mut pace, now) {
            if taken.key.as_str() == "large" {
                return;
            }
            queues.answered(taken.slot, std::iter::empty(), now);
        }
        now += Duration::from_millis(10);
    }
    panic!("the large record starved");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// No second sees more than the burst and the rate together, in records and in KiB; and
    /// whatever the mix, records of a megabyte and of a byte both get through.
    #[test]
    fn no_window_exceeds_burst_plus_rate_and_nothing_starves(
        mix in prop::collection::vec(
            prop_oneof![3 => 1_usize..3000, 1 => 100_000_usize..1_048_576], 1..20),
    ) {
        let now = start();
        let span = Duration::from_secs(30);
        let granted = drawn(&mut pace(now), now, span, |n| mix[n % mix.len()]);
        prop_assert!(worst_second(&granted, |_| 1.0) <= 1000.0);
        // A record larger than the burst was drawn for piece by piece before it went.
        let largest = mix.iter().copied().map(kib_of).fold(0.0, f64::max);
        let kib = worst_second(&granted, kib_of);
        // And what was left of a KiB before.
        prop_assert!(kib <= 921.6 + 128.0 + largest + 1.0, "{kib}");
        let total: f64 = granted.iter().map(|(_, size)| kib_of(*size)).sum();
        let full = total >= 0.9 * 921.0 * 30.0 - largest || granted.len() >= 26_000;
        prop_assert!(full, "only {total} KiB and {} records in 30 s", granted.len());
    }
}
