//! Gateways that share a shard and do not know of each other: together they fill it, in equal
//! parts, and hardly ever hear that they were throttled.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

use shard_estimator::{Aimd, Budget, Factor, Limiter, Verdicts};

const STEP: Duration = Duration::from_millis(STEP_MS as u64);
const STEP_MS: usize = 5;
const SHARD_RECORDS_PER_S: f64 = 1000.0;
/// How long a batch waits to fill.
const FLUSH_MS: u64 = 50;
/// A request is on its way for up to this long.
const NETWORK_MS: u64 = 20;

/// A small generator (SplitMix64): the same story for the same seed, on every machine.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// How a shard counts. The service does not say, so the pace must suit both.
#[derive(Debug, Clone, Copy)]
enum Counts {
    /// A full second's room at the beginning of each second.
    BySecond,
    /// A tank that holds a second's room and is refilled evenly.
    ByTank,
}

struct Shard {
    counts: Counts,
    room: f64,
}

impl Shard {
    fn refill(&mut self, now_ms: u64) {
        let refill = match self.counts {
            Counts::BySecond if now_ms.is_multiple_of(1000) => SHARD_RECORDS_PER_S,
            Counts::BySecond => 0.0,
            Counts::ByTank => SHARD_RECORDS_PER_S * STEP.as_secs_f64(),
        };
        self.room = (self.room + refill).min(SHARD_RECORDS_PER_S);
    }

    fn take(&mut self, records: u32) -> Verdicts {
        let mut accepted = 0;
        while accepted < records && self.room >= 1.0 {
            self.room -= 1.0;
            accepted += 1;
        }
        Verdicts { accepted, throttled: records - accepted }
    }
}

struct Gateway {
    aimd: Aimd,
    load_per_s: f64,
    queued: f64,
    tokens: f64,
    flush_at_ms: u64,
    /// Requests on their way: when they reach the shard, and their records.
    sent: VecDeque<(u64, u32)>,
    bound: Limiter,
    accepted: u64,
    throttled: u64,
}

impl Gateway {
    fn new(load_per_s: f64, scene: &Scene, chance: &mut Chance) -> Self {
        let fraction = Factor::new(0.9).expect("a factor");
        Self {
            aimd: Aimd::new(scene.instances.and_then(NonZeroU32::new), fraction, Duration::ZERO),
            load_per_s,
            queued: scene.backlog,
            tokens: 0.0,
            flush_at_ms: chance.below(FLUSH_MS),
            sent: VecDeque::new(),
            bound: Limiter::Slack,
            accepted: 0,
            throttled: 0,
        }
    }

    fn step(&mut self, now_ms: u64, shard: &mut Shard, chance: &mut Chance) {
        let budget = Budget::of_shard(self.aimd.factor());
        let refill = f64::from(budget.records_per_s.get()) * STEP.as_secs_f64();
        self.tokens = (self.tokens + refill).min(f64::from(budget.records_burst.get()));
        self.queued += self.load_per_s * STEP.as_secs_f64();
        if now_ms >= self.flush_at_ms {
            self.flush_at_ms += FLUSH_MS;
            self.flush(now_ms + chance.below(NETWORK_MS));
        }
        while let Some((_, records)) = self.sent.pop_front_if(|(at_ms, _)| *at_ms <= now_ms) {
            let verdicts = shard.take(records);
            self.queued += f64::from(verdicts.throttled);
            self.accepted += u64::from(verdicts.accepted);
            self.throttled += u64::from(verdicts.throttled);
            self.aimd.observe(verdicts, self.bound, Duration::from_millis(now_ms));
            self.bound = Limiter::Slack;
        }
    }

    fn flush(&mut self, arrives_ms: u64) {
        let may_go = self.queued.min(self.tokens).floor();
        if self.queued >= self.tokens + 1.0 {
            self.bound = Limiter::Binding;
        }
        self.queued -= may_go;
        self.tokens -= may_go;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
        self.sent.push_back((arrives_ms, may_go as u32));
    }
}

/// What a scene came to.
#[derive(Debug)]
struct Outcome {
    utilisation: f64,
    throttled: f64,
    /// Jain's index of fairness: 1 when all have the same, 1 ÷ n when one has all.
    fairness: f64,
    /// Records still waiting at the end, of all together.
    queued: f64,
}

fn count(records: u64) -> f64 {
    f64::from(u32::try_from(records).expect("a test is short"))
}

/// Gateways at one shard, and what they were told.
struct Scene {
    loads_per_s: &'static [f64],
    /// Records that each has from an outage.
    backlog: f64,
    instances: Option<u32>,
    /// How long they have to find their shares before anything is counted.
    settle_s: u64,
    measure_s: u64,
}

impl Scene {
    fn play(&self, counts: Counts, seed: u64) -> Outcome {
        let mut chance = Chance(seed);
        let mut shard = Shard { counts, room: SHARD_RECORDS_PER_S };
        let mut gateways: Vec<_> =
            self.loads_per_s.iter().map(|&load| Gateway::new(load, self, &mut chance)).collect();
        for now_ms in (0..(self.settle_s + self.measure_s) * 1000).step_by(STEP_MS) {
            if now_ms == self.settle_s * 1000 {
                for gateway in &mut gateways {
                    (gateway.accepted, gateway.throttled) = (0, 0);
                }
            }
            shard.refill(now_ms);
            for gateway in &mut gateways {
                gateway.step(now_ms, &mut shard, &mut chance);
            }
        }
        Outcome::of(&gateways, count(self.measure_s))
    }

    /// Plays the scene with both ways of counting and ten seeds each.
    fn check(&self, holds: impl Fn(Counts, &Outcome) -> bool) {
        for counts in [Counts::BySecond, Counts::ByTank] {
            for seed in 0..10 {
                let outcome = self.play(counts, seed);
                assert!(holds(counts, &outcome), "{counts:?}, seed {seed}: {outcome:?}");
            }
        }
    }
}

impl Outcome {
    fn of(gateways: &[Gateway], seconds: f64) -> Self {
        let accepted: Vec<f64> = gateways.iter().map(|gateway| count(gateway.accepted)).collect();
        let throttled: f64 = gateways.iter().map(|gateway| count(gateway.throttled)).sum();
        let total: f64 = accepted.iter().sum();
        let squares: f64 = accepted.iter().map(|part| part * part).sum();
        Self {
            utilisation: total / SHARD_RECORDS_PER_S / seconds,
            throttled: throttled / (total + throttled),
            fairness: total * total / squares / count(gateways.len().try_into().expect("few")),
            queued: gateways.iter().map(|gateway| gateway.queued).sum(),
        }
    }
}

/// A shard that counts by the second refuses whole flushes at the end of a second, so it costs
/// more.
fn throttled_max(counts: Counts) -> f64 {
    match counts {
        Counts::BySecond => 0.03,
        Counts::ByTank => 0.01,
    }
}

#[test]
fn four_that_know_their_number_fill_an_overloaded_shard_in_equal_parts() {
    let overload = Scene {
        loads_per_s: &[400.0; 4],
        backlog: 0.0,
        instances: Some(4),
        settle_s: 60,
        measure_s: 600,
    };
    overload.check(|counts, outcome| {
        outcome.utilisation >= 0.95
            && outcome.throttled <= throttled_max(counts)
            && outcome.fairness >= 0.85
    });
}

#[test]
fn four_that_do_not_know_their_number_learn_it_by_refusals() {
    let unknown = Scene {
        loads_per_s: &[400.0; 4],
        backlog: 0.0,
        instances: None,
        settle_s: 180,
        measure_s: 600,
    };
    unknown.check(|counts, outcome| {
        outcome.utilisation >= 0.95
            && outcome.throttled <= throttled_max(counts)
            && outcome.fairness >= 0.85
    });
}

/// A fixed quarter each would leave the busy one behind for ever.
#[test]
fn a_busy_one_takes_what_idle_neighbours_leave() {
    let skewed = Scene {
        loads_per_s: &[700.0, 50.0, 50.0, 50.0],
        backlog: 0.0,
        instances: Some(4),
        settle_s: 60,
        measure_s: 300,
    };
    skewed.check(|_, outcome| outcome.queued <= 200.0 && outcome.throttled <= 0.01);
}

#[test]
fn backlogs_of_an_outage_are_drained_by_all_together() {
    // 4 × 25,000 with 400/s to spare: 250 s if nothing were lost on the way.
    let outage = Scene {
        loads_per_s: &[150.0; 4],
        backlog: 25_000.0,
        instances: None,
        settle_s: 0,
        measure_s: 300,
    };
    outage.check(|_, outcome| outcome.queued <= 200.0);
}

#[test]
fn one_that_is_known_to_be_alone_is_never_throttled() {
    let alone = Scene {
        loads_per_s: &[2_000.0],
        backlog: 0.0,
        instances: Some(1),
        settle_s: 0,
        measure_s: 300,
    };
    alone.check(|_, outcome| {
        outcome.throttled == 0.0 && (0.89..=0.9).contains(&outcome.utilisation)
    });
}
