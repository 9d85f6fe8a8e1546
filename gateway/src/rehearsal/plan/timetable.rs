//! Which device reports what, when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::time::Duration;

use shard_estimator::{Bin, Class, Devices, Fleet, Reporting};

use crate::rehearsal::fleet::{Script, Turn};

/// A payload begins with its number: which of its device's it is.
pub(super) const SEQUENCE_BYTES: usize = 8;

/// What the devices of a fleet publish, and when. Pure: the same seed gives the same times.
#[derive(Debug, Clone)]
pub struct Timetable {
    classes: Vec<Rhythm>,
    players: Vec<Player>,
    /// When aligned devices report for the first time.
    first_wave: Duration,
    end: Duration,
    seed: u64,
}

/// One device.
#[derive(Debug, Clone)]
struct Player {
    /// Its partition key, and its topic.
    key: String,
    class: usize,
}

/// What the devices of a class have in common.
#[derive(Debug, Clone)]
struct Rhythm {
    period: Duration,
    reporting: Reporting,
    sizes: Vec<Bin>,
}

/// What is left to chance. One says nothing of the other: whoever reports early reports nothing
/// smaller.
#[derive(Debug, Clone, Copy)]
enum Drawn {
    Time,
    Size,
}

impl Timetable {
    /// The devices of `fleet` whose keys are known, until `end`; those that report together do so
    /// for the first time at `first_wave`.
    #[must_use]
    pub fn new(fleet: &Fleet, first_wave: Duration, end: Duration, seed: u64) -> Self {
        let rhythm = |class: &Class| Rhythm {
            period: class.period,
            reporting: class.reporting,
            sizes: class.sizes.bins().to_vec(),
        };
        let mut players = Vec::new();
        for (number, class) in fleet.classes().iter().enumerate() {
            let Devices::Known(keys) = &class.devices else { continue };
            let player = |key: &String| Player { key: key.clone(), class: number };
            players.extend(keys.iter().map(player));
        }
        let classes = fleet.classes().iter().map(rhythm).collect();
        Self { classes, players, first_wave, end, seed }
    }

    /// The partition keys, device by device.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.players.iter().map(|player| player.key.as_str())
    }

    /// Whether `device` reports together with others.
    #[must_use]
    pub fn is_aligned(&self, device: usize) -> bool {
        let rhythm = self.rhythm(device);
        rhythm.is_some_and(|rhythm| matches!(rhythm.reporting, Reporting::Aligned { .. }))
    }

    /// When report number `sequence` of `device` is due; `None` if never.
    #[must_use]
    pub fn due(&self, device: usize, sequence: u64) -> Option<Duration> {
        let Rhythm { period, reporting, .. } = self.rhythm(device)?;
        let since_first = period.checked_mul(u32::try_from(sequence).ok()?)?;
        let due = match reporting {
            Reporting::Spread => period.mul_f64(self.chance(Drawn::Time, device, 0)) + since_first,
            Reporting::Aligned { jitter } => {
                self.first_wave
                    + since_first
                    + jitter.mul_f64(self.chance(Drawn::Time, device, sequence))
            }
        };
        (due < self.end).then_some(due)
    }

    /// Whether any report is due then.
    #[must_use]
    pub fn has_any_due(&self, when: &Range<Duration>) -> bool {
        let due = |device| (0..).map_while(move |sequence| self.due(device, sequence));
        (0..self.players.len()).flat_map(due).any(|due| when.contains(&due))
    }

    /// How many reports there are, of all devices together.
    #[must_use]
    pub fn reports(&self) -> u64 {
        let reports = |device| (0..).find(|sequence| self.due(device, *sequence).is_none());
        (0..self.players.len()).filter_map(reports).sum()
    }

    /// The number that a payload begins with.
    #[must_use]
    pub fn sequence(payload: &[u8]) -> Option<u64> {
        payload.first_chunk().map(|number| u64::from_be_bytes(*number))
    }

    fn rhythm(&self, device: usize) -> Option<&Rhythm> {
        self.classes.get(self.players.get(device)?.class)
    }

    fn turn(&self, device: usize, sequence: u64) -> Option<Turn> {
        Some(Turn { due: self.due(device, sequence)?, device, sequence })
    }

    /// Something of 0.0..1.0: by chance for each device, and over its reports even, since a few
    /// seconds must be like an hour.
    fn chance(&self, what: Drawn, device: usize, sequence: u64) -> f64 {
        /// 2^32 ÷ φ: multiples of it lie evenly.
        const GOLDEN: u32 = 0x9e37_79b9;
        let device = u64::try_from(device).unwrap_or(u64::MAX);
        let mut chance = fastrand::Rng::with_seed(self.seed ^ device << 20);
        let (time, size) = (chance.u32(..), chance.u32(..));
        let first = match what {
            Drawn::Time => time,
            Drawn::Size => size,
        };
        let [.., a, b, c, d] = sequence.to_be_bytes();
        let steps = u32::from_be_bytes([a, b, c, d]).wrapping_mul(GOLDEN);
        f64::from(first.wrapping_add(steps)) / (f64::from(u32::MAX) + 1.0)
    }

    fn bytes(&self, turn: Turn) -> usize {
        let mut rest = self.chance(Drawn::Size, turn.device, turn.sequence);
        let sizes = self.rhythm(turn.device).map_or(&[][..], |rhythm| &rhythm.sizes);
        let fitting = sizes.iter().find(|bin| {
            rest -= bin.share;
            rest < 0.0
        });
        fitting.or(sizes.last()).map_or(0, |bin| bin.bytes as usize)
    }
}

impl Script for Timetable {
    fn devices(&self) -> usize {
        self.players.len()
    }

    fn topic_of(&self, device: usize) -> String {
        self.players.get(device).map(|player| player.key.clone()).unwrap_or_default()
    }

    fn turns(&self, number: usize, connections: usize) -> impl Iterator<Item = Turn> {
        let ours = (number..self.players.len()).step_by(connections.max(1));
        let mut next: BinaryHeap<_> =
            ours.filter_map(|device| self.turn(device, 0).map(Reverse)).collect();
        std::iter::from_fn(move || {
            let Reverse(turn) = next.pop()?;
            next.extend(self.turn(turn.device, turn.sequence + 1).map(Reverse));
            Some(turn)
        })
    }

    fn payload(&self, turn: Turn, _at_ms: i64) -> Vec<u8> {
        let mut payload = turn.sequence.to_be_bytes().to_vec();
        payload.resize(self.bytes(turn).max(SEQUENCE_BYTES), b' ');
        payload
    }
}
