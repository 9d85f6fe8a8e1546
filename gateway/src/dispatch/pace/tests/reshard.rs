//! What is known of a shard, when it becomes another.

use super::*;

/// A stream of four equal shards, the second of which was split.
fn second_of_four_is_split(key: HashKey) -> ShardId {
    let eighth = key.0 >> 125;
    ShardId([0, 0, 4, 5, 2, 2, 3, 3][usize::try_from(eighth).unwrap()])
}

#[test]
fn refusal_is_remembered_when_the_names_of_all_shards_change() {
    let began = start();
    let text = CONFIG.replace("shards = 2", "shards = 4");
    let mut pace = pace_of(&text, began);
    // Of the first shard.
    observe(&mut pace, 10, 1, began);
    let now = began + Duration::from_secs(2);
    show_all(&mut pace, second_of_four_is_split, now);
    assert_eq!(pace.shards.len(), 5, "named by their ids now");
    assert_eq!(pace.records_per_key(&key_of(0), now), 1);
    assert_eq!(pace.records_per_key(&key_of(1), now), usize::MAX, "no other was refused anything");
    let granted = drawn(&mut pace, now, Duration::from_secs(5), |_| 100).len() / 5;
    assert!((690..800).contains(&granted), "{granted}: four fifths of 900, and up again");
}

#[test]
fn refusal_of_any_shard_is_remembered_of_a_stream_that_places_records_itself() {
    let began = start();
    let mut pace = pace(began);
    let refused = taken(std::iter::once(key_of(1)), began).pop().unwrap();
    pace.observe(&[(refused, Verdict::Throttled)], began);
    for first in [0, 8, 0, 8, 0] {
        show(&mut pace, 4, first, began);
    }
    assert_eq!(pace.shards.len(), 1);
    assert_eq!(pace.records_per_key(&key_of(0), began), 1);
}

#[test]
fn refusals_by_a_shard_that_was_split_do_not_count_against_one_child() {
    let began = start();
    let mut pace = pace(began);
    show(&mut pace, 2, 0, began);
    let halves = ShardRanges::equal(4.try_into().unwrap());
    let answer = |(n, taken): (usize, Taken)| {
        let shard = u64::from(halves.shard_of(taken.key.hash_key()));
        let accepted = Verdict::Accepted(Some(ShardId(2 + shard)));
        (taken, if n % 2 == 0 { accepted } else { Verdict::Throttled })
    };
    let now = began + Duration::from_secs(2);
    let records: Vec<_> =
        taken((0..400).map(device), now).into_iter().enumerate().map(answer).collect();
    pace.observe(&records, now);
    let per_s = per_s(&mut pace, 4, now);
    let even = per_s.iter().all(|records| (690..800).contains(records));
    assert!(even, "each goes on with four fifths: {per_s:?}");
}

/// A shard keeps a tank of a second's records.
#[derive(Debug, Clone)]
struct Tank {
    room: f64,
}

/// Gateways that always have more to send, on one stream.
struct Crowd {
    paces: Vec<Pace>,
    devices: Vec<PartitionKey>,
    tanks: Vec<Tank>,
    /// The number of the first shard.
    first: u64,
    now: Instant,
    turn: usize,
}

const TICK: Duration = Duration::from_millis(50);

impl Crowd {
    fn new(gateways: usize, shards: usize) -> Self {
        let now = start();
        let text = CONFIG.replace("shards = 2", "").replace("instances = 1", "");
        let config = Config::parse(&text).unwrap();
        let paces =
            (0..gateways).map(|_| Pace::new(&config, config.streams.first(), now)).collect();
        let devices = (0..40).map(device).collect();
        Self { paces, devices, tanks: vec![Tank { room: 1000.0 }; shards], first: 0, now, turn: 0 }
    }

    fn reshard(&mut self, shards: usize) {
        self.first += u64::try_from(self.tanks.len()).unwrap();
        self.tanks = vec![Tank { room: 1000.0 }; shards];
    }

    /// What part of the attempts is refused in so many seconds.
    fn refused(&mut self, seconds: u32) -> f64 {
        let (mut tried, mut refused) = (0, 0);
        let end = self.now + Duration::from_secs(seconds.into());
        while self.now < end {
            self.now += TICK;
            self.turn += 7;
            for tank in &mut self.tanks {
                tank.room = (tank.room + 50.0).min(1000.0);
            }
            // Each is the first as often as the others.
            for place in 0..self.paces.len() {
                let verdicts = self.request((place + self.turn) % self.paces.len());
                tried += verdicts.0;
                refused += verdicts.1;
            }
        }
        f64::from(refused) / f64::from(tried)
    }

    /// What one gateway may send now, at most a request: how many records, and how many are refused.
    fn request(&mut self, gateway: usize) -> (u32, u32) {
        let ranges =
            ShardRanges::equal(u32::try_from(self.tanks.len()).unwrap().try_into().unwrap());
        let count = self.devices.len();
        let mut drawn = Vec::new();
        for device in self.devices.iter().cycle().skip((self.turn + gateway) % count).take(count) {
            let pace = &mut self.paces[gateway];
            while drawn.len() < 500 && pace.draw(device, 100, self.now) == Admission::Granted {
                drawn.push(device.clone());
            }
        }
        let mut refused = 0;
        let mut verdict = |key: HashKey| {
            let shard = ranges.shard_of(key);
            let tank = &mut self.tanks[usize::try_from(shard).unwrap()];
            if tank.room < 1.0 {
                refused += 1;
                return Verdict::Throttled;
            }
            tank.room -= 1.0;
            Verdict::Accepted(Some(ShardId(self.first + u64::from(shard))))
        };
        let tried = u32::try_from(drawn.len()).unwrap();
        let records: Vec<_> = taken(drawn.into_iter(), self.now)
            .into_iter()
            .map(|taken| {
                let verdict = verdict(taken.key.hash_key());
                (taken, verdict)
            })
            .collect();
        self.paces[gateway].observe(&records, self.now);
        (tried, refused)
    }
}

#[test]
fn four_gateways_that_found_their_shares_keep_to_them_after_a_reshard() {
    let mut crowd = Crowd::new(4, 2);
    let first = crowd.refused(30);
    assert!(first > 0.08, "there was nothing to be found: {first}");
    crowd.refused(60);
    let settled = crowd.refused(30);
    crowd.reshard(4);
    let after = crowd.refused(10);
    assert!(settled <= 0.03 && after <= 0.05, "{settled} before and {after} after");
}
