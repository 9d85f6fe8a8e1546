use std::num::NonZeroU32;
use std::time::Duration;

use crate::burst::Wave;
use crate::number::count_up;
use crate::placement::{Draws, Heaviest};
use crate::{Class, Fleet, Flow, Goals, Reporting, Restore};

/// What the devices of the heaviest shard do, before anything is packed.
#[derive(Debug, Clone)]
pub(crate) struct Loads {
    pub(crate) devices: f64,
    pub(crate) records_per_s: f64,
    /// Data and keys.
    pub(crate) bytes_per_s: f64,
    /// The part of it that comes evenly.
    pub(crate) spread: Flow,
    /// What all devices send at once after a restore, in records and in bytes.
    pub(crate) restored: Option<Waves>,
    /// What aligned devices send at once.
    pub(crate) aligned: Waves,
}

/// The same waves, counted in two ways.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waves {
    pub(crate) records: Vec<Wave>,
    pub(crate) bytes: Vec<Wave>,
}

/// When aligned devices report: within a jitter, after every period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Beat {
    jitter: Duration,
    period: Duration,
}

impl Beat {
    fn of(class: &Class) -> Option<Self> {
        match class.reporting {
            Reporting::Aligned { jitter } => Some(Self { jitter, period: class.period }),
            Reporting::Spread => None,
        }
    }
}

/// How a fleet loads the heaviest shard, for any number of shards.
#[derive(Debug)]
pub(crate) struct Scale<'a> {
    fleet: &'a Fleet,
    heaviest: Heaviest<'a>,
    restore: Option<Restore>,
    /// Of the aligned classes, each once.
    beats: Vec<Beat>,
    /// What one device of each class weighs; no two are the same.
    weighings: Vec<Vec<f64>>,
    /// Of each measure, which of those it takes.
    measures: Vec<usize>,
}

impl<'a> Scale<'a> {
    pub(crate) fn new(fleet: &'a Fleet, goals: &Goals) -> Self {
        let beats = beats(fleet);
        let of_measures = weighings(fleet, &beats);
        let mut weighings: Vec<Vec<f64>> = Vec::new();
        let mut place_of = |weights: Vec<f64>| {
            let place = weighings.iter().position(|known| *known == weights);
            place.unwrap_or_else(|| {
                weighings.push(weights);
                weighings.len() - 1
            })
        };
        let measures = of_measures.into_iter().map(&mut place_of).collect();
        let heaviest = Heaviest::of(fleet, goals);
        Self { fleet, heaviest, restore: goals.restore, beats, weighings, measures }
    }

    /// The loads of a fleet of `times` as many devices: more of them, none heavier.
    pub(crate) fn at(&self, shards: NonZeroU32, times: f64) -> Loads {
        self.loads(&self.heaviest.weigh(&self.fleet.counts(times), shards, &self.weighings))
    }

    /// The loads that plays of hashing show; `None` where keys are not hashed, or are known.
    pub(crate) fn played(&self, shards: NonZeroU32, draws: &Draws) -> Option<Loads> {
        let Heaviest::Hashed { .. } = self.heaviest else { return None };
        let counts: Vec<_> =
            self.fleet.classes().iter().map(|class| count_up(class.count())).collect();
        Some(self.loads(&draws.heaviest(&counts, shards, &self.weighings)))
    }

    /// The loads of a shard with its fair share of `times` as many devices. None of
    /// [`at`](Self::at) is below.
    pub(crate) fn fair(&self, shards: NonZeroU32, times: f64) -> Loads {
        self.loads(&Heaviest::fair(&self.fleet.counts(times), shards, &self.weighings))
    }

    /// What each shard gets of what `of` says of a device of a class; the same seed gives each device
    /// the same place.
    pub(crate) fn by_shard(
        &self,
        shards: NonZeroU32,
        seed: u64,
        of: impl Fn(&Class) -> f64,
    ) -> Vec<f64> {
        let weights: Vec<_> = self.fleet.classes().iter().map(of).collect();
        self.heaviest.weigh_each(&self.fleet.counts(1.0), shards, &weights, seed)
    }

    /// Whether the loads are known to fall with every shard more.
    pub(crate) fn falls_with_shards(&self) -> bool {
        self.heaviest.falls_with_shards()
    }

    fn loads(&self, weights: &[f64]) -> Loads {
        let mut measures = self.measures.iter();
        let mut next =
            || measures.next().and_then(|place| weights.get(*place)).copied().unwrap_or(0.0);
        let (devices, records_per_s, bytes_per_s) = (next(), next(), next());
        let spread = Flow { records_per_s: next(), bytes_per_s: next() };
        let (restored_records, restored_bytes) = (next(), next());
        let restored = self.restore.map(|restore| {
            let wave = |amount| vec![Wave { amount, jitter: restore.jitter, period: None }];
            Waves { records: wave(restored_records), bytes: wave(restored_bytes) }
        });
        let mut aligned = Waves::default();
        for Beat { jitter, period } in self.beats.iter().copied() {
            aligned.records.push(Wave { amount: next(), jitter, period: Some(period) });
            aligned.bytes.push(Wave { amount: next(), jitter, period: Some(period) });
        }
        Loads { devices, records_per_s, bytes_per_s, spread, restored, aligned }
    }
}

/// Whether any two devices load a shard alike, so that it does not matter which of them is where.
pub(crate) fn are_alike(fleet: &Fleet) -> bool {
    let weighings = weighings(fleet, &beats(fleet));
    weighings.iter().all(|weights| weights.iter().all(|weight| weights.first() == Some(weight)))
}

/// Those of the aligned classes, each once.
fn beats(fleet: &Fleet) -> Vec<Beat> {
    let mut beats: Vec<_> = fleet.classes().iter().filter_map(Beat::of).collect();
    beats.sort_unstable();
    beats.dedup();
    beats
}

/// In the order in which [`Scale::loads`] takes them up.
fn weighings(fleet: &Fleet, beats: &[Beat]) -> Vec<Vec<f64>> {
    let classes = fleet.classes();
    let mut weighings: Vec<Vec<f64>> = Vec::new();
    let mut weigh = |of: &dyn Fn(&Class) -> f64| {
        weighings.push(classes.iter().map(of).collect());
    };
    let record_bytes: &dyn Fn(&Class) -> f64 = &Class::record_bytes;
    weigh(&|_| 1.0);
    weigh(&|class| class.device_records_per_s());
    weigh(&|class| class.device_records_per_s() * record_bytes(class));
    let spread = |class: &Class| match class.reporting {
        Reporting::Spread => class.device_records_per_s(),
        Reporting::Aligned { .. } => 0.0,
    };
    weigh(&spread);
    weigh(&|class| spread(class) * record_bytes(class));
    weigh(&|class| f64::from(class.buffered));
    weigh(&|class| f64::from(class.buffered) * record_bytes(class));
    for beat in beats {
        let in_wave = |class: &Class| if Beat::of(class) == Some(*beat) { 1.0 } else { 0.0 };
        weigh(&in_wave);
        weigh(&|class| in_wave(class) * record_bytes(class));
    }
    weighings
}
