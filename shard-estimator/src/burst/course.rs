use super::{Drainage, Wave};

/// What waits while waves come, from the moment when all begin until the last that began then has
/// ended: after that it only falls.
///
/// A level is what waits, and below 0 what still passes at once; by the rate that drains it, it is
/// how long whoever comes then has to wait.
#[derive(Debug)]
pub(super) struct Course {
    stretches: Vec<Stretch>,
    lasts_s: f64,
}

/// A time in which the level changes evenly; no time if what comes at once lifts it.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    from_s: f64,
    to_s: f64,
    from: f64,
    to: f64,
}

/// What changes at a moment: how much comes at once, and how much more a second from then on.
#[derive(Debug, Clone, Copy)]
struct Change {
    at_s: f64,
    at_once: f64,
    per_s: f64,
}

impl Wave {
    /// What comes in a second, on average.
    pub(super) fn per_s(&self) -> f64 {
        self.period.map_or(0.0, |period| self.amount / period.as_secs_f64())
    }

    /// When it begins, while the course lasts. What comes over and over again is an even flow but for
    /// the first: this is `None` then.
    fn starts_s(&self, lasts_s: f64) -> Option<impl Iterator<Item = f64>> {
        const FEW: f64 = 100.0;
        let period_s = self.period.map_or(f64::INFINITY, |period| period.as_secs_f64());
        let starts = (0_u32..).map(move |n| if n == 0 { 0.0 } else { f64::from(n) * period_s });
        (lasts_s / period_s <= FEW).then(|| starts.take_while(move |start_s| *start_s <= lasts_s))
    }

    fn changes(&self, start_s: f64) -> Vec<Change> {
        let jitter_s = self.jitter.as_secs_f64();
        if jitter_s <= 0.0 {
            return vec![Change { at_s: start_s, at_once: self.amount, per_s: 0.0 }];
        }
        let per_s = self.amount / jitter_s;
        let begins = Change { at_s: start_s, at_once: 0.0, per_s };
        vec![begins, Change { at_s: start_s + jitter_s, at_once: 0.0, per_s: -per_s }]
    }
}

impl Course {
    pub(super) fn of(waves: &[Wave], drainage: Drainage) -> Self {
        let lasts_s = waves.iter().map(|wave| wave.jitter.as_secs_f64()).fold(0.0, f64::max);
        let mut falls_per_s = drainage.left_per_s();
        let mut changes = Vec::new();
        for wave in waves {
            if let Some(starts_s) = wave.starts_s(lasts_s) {
                changes.extend(starts_s.flat_map(|start_s| wave.changes(start_s)));
            } else {
                falls_per_s -= wave.per_s();
                changes.extend(wave.changes(0.0));
            }
        }
        changes.sort_unstable_by(|one, other| one.at_s.total_cmp(&other.at_s));
        Self { stretches: stretches(&changes, falls_per_s, -drainage.burst), lasts_s }
    }

    /// Below which all but a hundredth of the wave comes, of the one of its repetitions that waits
    /// longest.
    pub(super) fn p99_level(&self, wave: &Wave) -> f64 {
        let jitter_s = wave.jitter.as_secs_f64();
        let p99 = |start_s| p99(&self.between(start_s, start_s + jitter_s));
        match wave.starts_s(self.lasts_s) {
            Some(starts_s) => starts_s.map(p99).fold(f64::NEG_INFINITY, f64::max),
            None => self.stretches.iter().fold(f64::NEG_INFINITY, |most, at| most.max(at.to)),
        }
    }

    /// The course from one moment to another, which is all that happens at it if they are the same.
    fn between(&self, from_s: f64, to_s: f64) -> Vec<Stretch> {
        let is_moment = from_s >= to_s;
        let within = |stretch: &&Stretch| {
            let happens = stretch.from_s <= to_s && stretch.to_s >= from_s;
            happens && is_moment == (stretch.from_s >= stretch.to_s)
        };
        let cut = |stretch: &Stretch| {
            let (from_s, to_s) = (stretch.from_s.max(from_s), stretch.to_s.min(to_s));
            Stretch { from_s, to_s, from: stretch.level(from_s), to: stretch.level(to_s) }
        };
        let within = self.stretches.iter().filter(within);
        if is_moment { within.copied().collect() } else { within.map(cut).collect() }
    }
}

impl Stretch {
    fn level(&self, at_s: f64) -> f64 {
        self.from + (self.to - self.from) * (at_s - self.from_s) / (self.to_s - self.from_s)
    }

    /// The part of it above a level.
    fn above(&self, level: f64) -> f64 {
        let (low, high) = (self.from.min(self.to), self.from.max(self.to));
        if high <= low {
            return if low > level { 1.0 } else { 0.0 };
        }
        ((high - level) / (high - low)).clamp(0.0, 1.0)
    }

    /// What it counts for: a moment is all there is where there is one.
    fn weight(&self) -> f64 {
        if self.to_s > self.from_s { self.to_s - self.from_s } else { 1.0 }
    }
}

/// `least` is the level at which all passes at once that can.
fn stretches(changes: &[Change], falls_per_s: f64, least: f64) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let (mut at_s, mut level, mut per_s) = (0.0, least, -falls_per_s);
    for changes in changes.chunk_by(|one, other| one.at_s >= other.at_s) {
        let Some(Change { at_s: until_s, .. }) = changes.first().copied() else { continue };
        let unbounded = level + per_s * (until_s - at_s);
        if unbounded < least {
            let least_s = at_s + (least - level) / per_s;
            stretches.push(Stretch { from_s: at_s, to_s: least_s, from: level, to: least });
            stretches.push(Stretch { from_s: least_s, to_s: until_s, from: least, to: least });
        } else {
            stretches.push(Stretch { from_s: at_s, to_s: until_s, from: level, to: unbounded });
        }
        level = unbounded.max(least);
        let at_once: f64 = changes.iter().map(|change| change.at_once).sum();
        if at_once > 0.0 {
            let to = level + at_once;
            stretches.push(Stretch { from_s: until_s, to_s: until_s, from: level, to });
            level = to;
        }
        per_s += changes.iter().map(|change| change.per_s).sum::<f64>();
        at_s = until_s;
    }
    stretches.retain(|stretch| stretch.to_s > stretch.from_s || stretch.to > stretch.from);
    stretches
}

/// The level that a hundredth of the stretches is above.
fn p99(stretches: &[Stretch]) -> f64 {
    const HALVINGS: u8 = 60;
    let all: f64 = stretches.iter().map(Stretch::weight).sum();
    let least = stretches.iter().map(|at| at.from.min(at.to)).fold(f64::INFINITY, f64::min);
    let most = stretches.iter().map(|at| at.from.max(at.to)).fold(f64::NEG_INFINITY, f64::max);
    let (mut less, mut more) = (least, most);
    for _ in 0..HALVINGS {
        let level = f64::midpoint(less, more);
        let above: f64 = stretches.iter().map(|at| at.weight() * at.above(level)).sum();
        if above > 0.01 * all { less = level } else { more = level }
    }
    more
}
