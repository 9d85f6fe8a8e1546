//! One shard and all who send to it. Shards do not know of each other, so each is played alone.

use std::num::NonZeroU32;
use std::time::Duration;

use fastrand::Rng;
use shard_estimator::limits::SHARD_RECORDS_PER_S;
use shard_estimator::{Aimd, Factor, Verdicts};

use crate::figures::{Figures, Served, fair_level};
use crate::lane::Lane;
use crate::scene::{Instances, Scene};
use crate::wheel::{SLOT_MS, Wheel};

/// A request needs this long to the shard, and its answer as long back, with up to as much again
/// by chance: 60 ms for both on the average.
const WAY_MS: u64 = 20;

/// What all gateways together begin with.
const FRACTION: f64 = 0.9;

#[derive(Clone, Copy)]
enum Event {
    Wake { lane: usize },
    Arrive { lane: usize, records: u32 },
    Answer { lane: usize, verdicts: Verdicts },
    Return { lane: usize, records: u32 },
}

/// A shard that counts strictly by the second.
struct Play<'a> {
    scene: &'a Scene,
    random: Rng,
    wheel: Wheel<Event>,
    lanes: Vec<Lane>,
    room: u32,
    now_ms: u64,
    figures: Figures,
    /// What would wait if nothing but the limit held it back.
    ideal_waiting: f64,
    /// The most that a gateway would get a second if the shard were dealt out fairly.
    fair_level: f64,
}

/// Plays `scene` at its shard number `shard`.
pub(crate) fn play(scene: &Scene, shard: u32) -> Figures {
    let mut play = Play::new(scene, shard);
    for slot in 0..scene.end_ms() / SLOT_MS {
        let now_ms = slot * SLOT_MS;
        play.now_ms = now_ms;
        if now_ms.is_multiple_of(1_000) {
            play.room = SHARD_RECORDS_PER_S;
            play.count_second();
        }
        for event in play.wheel.due(now_ms) {
            play.happen(event);
        }
    }
    for (gateway, lane) in play.figures.gateways.iter_mut().zip(&play.lanes) {
        gateway.accepted += f64::from(lane.accepted);
    }
    play.figures
}

impl<'a> Play<'a> {
    fn new(scene: &'a Scene, shard: u32) -> Self {
        let mut random = Rng::with_seed(shard.into());
        let mut wheel = Wheel::new();
        let loads: Vec<_> =
            (0..scene.gateways).map(|gateway| scene.load_per_s(gateway, &mut random)).collect();
        let lanes: Vec<_> = (0..scene.gateways)
            .zip(&loads)
            .map(|(gateway, load)| {
                let presence = scene.presence(gateway);
                let fraction = Factor::new(FRACTION).expect("a factor");
                let instances = match scene.instances {
                    Instances::Given => NonZeroU32::new(scene.gateways),
                    Instances::Unknown => None,
                };
                let from = Duration::from_millis(presence.from_ms);
                let aimd = Aimd::new(instances, fraction, from);
                Lane::new(aimd, *load, presence, &mut random)
            })
            .collect();
        for lane in 0..lanes.len() {
            wheel.plan(Event::Wake { lane }, random.u64(0..50), 0);
        }
        let figures =
            Figures { gateways: vec![Served::default(); lanes.len()], ..Figures::default() };
        Self {
            scene,
            random,
            wheel,
            lanes,
            room: 0,
            now_ms: 0,
            figures,
            ideal_waiting: 0.0,
            fair_level: 0.0,
        }
    }

    /// Counts what the second that begins could bring, to each and to all.
    fn count_second(&mut self) {
        let now_ms = self.now_ms;
        let mut unsettled = 0.0;
        for lane in &mut self.lanes {
            let waits = f64::from(lane.unsettled(now_ms));
            if lane.presence.to_ms == now_ms {
                self.ideal_waiting = (self.ideal_waiting - waits).max(0.0);
            }
            if lane.presence.is_there(now_ms) {
                unsettled += waits;
            }
        }
        let loads: Vec<_> = self.lanes.iter().map(|lane| lane.load_per_s(now_ms)).collect();
        let load: f64 = loads.iter().sum();
        if self.scene.changes_at(now_ms) {
            self.fair_level = fair_level(f64::from(SHARD_RECORDS_PER_S), &loads);
        }
        for (gateway, load) in self.figures.gateways.iter_mut().zip(loads) {
            gateway.fair += load.min(self.fair_level);
        }
        self.ideal_waiting += load;
        if self.scene.is_up(now_ms) {
            let possible = self.ideal_waiting.min(f64::from(SHARD_RECORDS_PER_S));
            self.ideal_waiting -= possible;
            self.figures.possible += possible;
        }
        if unsettled > 2.0 * load {
            self.figures.recovered_s = u32::try_from(now_ms / 1_000).expect("a short story");
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wake { lane } => self.wake(lane),
            Event::Arrive { lane, records } => {
                let accepted = records.min(self.room);
                self.room -= accepted;
                let verdicts = Verdicts { accepted, throttled: records - accepted };
                self.figures.whole.add(verdicts);
                if self.scene.is_settled(self.now_ms) {
                    self.figures.settled.add(verdicts);
                }
                self.plan_after_way(Event::Answer { lane, verdicts });
            }
            Event::Answer { lane, verdicts } => {
                let pause_ms = self.lanes[lane].hear(verdicts, self.now_ms, &mut self.random);
                if verdicts.throttled > 0 {
                    let back = Event::Return { lane, records: verdicts.throttled };
                    self.wheel.plan(back, self.now_ms + pause_ms, self.now_ms);
                }
            }
            Event::Return { lane, records } => {
                self.lanes[lane].take_back(records, self.now_ms);
                self.wake(lane);
            }
        }
    }

    fn wake(&mut self, lane: usize) {
        let sender = &mut self.lanes[lane];
        // Another waking was planned since.
        if sender.wakes_at_ms > self.now_ms {
            return;
        }
        let records = sender.flush(self.now_ms);
        if sender.wakes_at_ms < self.scene.end_ms() {
            let at_ms = sender.wakes_at_ms;
            self.lanes[lane].wakes_at_ms =
                self.wheel.plan(Event::Wake { lane }, at_ms, self.now_ms);
        }
        if records > 0 {
            self.plan_after_way(Event::Arrive { lane, records });
        }
    }

    fn plan_after_way(&mut self, event: Event) {
        let way_ms = self.random.u64(WAY_MS..2 * WAY_MS);
        self.wheel.plan(event, self.now_ms + way_ms, self.now_ms);
    }
}
