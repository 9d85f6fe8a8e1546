use std::time::Duration;

use self::arrears::Arrears;
use crate::Factor;
use crate::number::real;

mod arrears;
#[cfg(test)]
mod tests;

/// A plan that was warned of and does not hold yet is warned of again after this.
const REPEATED_AFTER: Duration = Duration::from_secs(3_600);
/// Refused attempts, as a part of all, that speak against a plan: gateways that share a stream without
/// being told so cause each other fewer.
const THROTTLED_MAX: f64 = 0.05;

/// Records on the disk that are a backlog, in seconds of what comes: fewer are on their way through it,
/// or of a shard that was late for a moment.
const BACKLOG_S: f64 = 30.0;

/// What a gateway sees of its stream at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Signs {
    /// The part of its limits that there is to send to the hottest shard, if shards are told apart: its
    /// mean over some minutes, which devices that report together do not move.
    pub hottest_shard_used: Option<f64>,
    /// The part of one shard's limits that there is to send of the hottest key.
    pub hottest_key_used: f64,
    /// The part of attempts that the stream refuses for their rate.
    pub throttled: f64,
    /// Records on local disk.
    pub spooled: u64,
    /// Records that come in a second, likewise.
    pub offered_per_s: f64,
    /// Whether the stream takes calls at all.
    pub open: bool,
    /// Whether what the stream does not take stays with the broker: the disk takes no more.
    pub stays: bool,
}

/// Why a plan does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strain {
    /// One key alone is above the target: more shards cannot help.
    Key,
    /// There is more to send to the hottest shard than the target.
    Shard,
    /// The stream refuses more than now and then.
    Throttled,
    /// The stream is there, and the spool does not get smaller.
    Backlog,
}

/// What there is to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The plan does not hold, for these reasons. At least one, each once.
    Broken(Vec<Strain>),
    /// It holds again.
    Holds,
}

/// What was in the spool while the stream is there.
#[derive(Debug, Clone, Copy)]
struct Backlog {
    /// As of `since`, in records.
    spooled: u64,
    since: Duration,
    /// Half a patience before that.
    before: Option<u64>,
    /// Whether it was no less then than at both.
    stays: bool,
}

/// That the plan does not hold.
#[derive(Debug, Clone)]
struct Told {
    last: Duration,
    /// Each that was told since the plan held.
    strains: Vec<Strain>,
}

/// Tells when a plan no longer holds: when something speaks against it without a break for as long
/// as the patience lasts. Each reason is told once, and all that there are again every hour; and once
/// that nothing spoke against it for as long.
///
/// What is held against the target is what there is to send, so that an outage, after which
/// a gateway sends as much as it may for hours, is no reason. Nor is what was kept elsewhere while the
/// gateway was [`away`](Self::away).
///
/// Time is the time since any moment, the same for all calls.
#[derive(Debug, Clone)]
pub struct Watch {
    target: Factor,
    patience: Duration,
    /// Since when each speaks against the plan.
    since: [(Strain, Option<Duration>); 4],
    /// Since when nothing does.
    calm_since: Option<Duration>,
    /// When it was seen last.
    seen: Option<Duration>,
    /// For the hottest shard, and for the hottest key.
    arrears: [Arrears; 2],
    backlog: Option<Backlog>,
    told: Option<Told>,
}

impl Watch {
    /// Nothing speaks against the plan yet. `target` is the part of a shard's limits that it was
    /// made for.
    #[must_use]
    pub fn new(target: Factor, patience: Duration) -> Self {
        let strains = [Strain::Key, Strain::Shard, Strain::Throttled, Strain::Backlog];
        let since = strains.map(|strain| (strain, None));
        Self {
            target,
            patience,
            since,
            calm_since: None,
            seen: None,
            arrears: [Arrears::default(); 2],
            backlog: None,
            told: None,
        }
    }

    /// Notes that nothing could come for so long: what was sent meanwhile may have been kept, and come
    /// from now on.
    ///
    /// If nothing was kept and more comes than planned, that is told later: by as long as it takes to
    /// bring in, beyond the target, what the target is for the time away. An absence that was watched
    /// is worth what it took from the signs.
    pub fn away(&mut self, away: Duration) {
        for arrears in &mut self.arrears {
            arrears.add(away);
        }
    }

    /// Whether the plan holds, as far as was told.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.told.is_none()
    }

    /// Sees what there is to see at `now`. Call it every few seconds.
    pub fn see(&mut self, signs: Signs, now: Duration) -> Option<News> {
        let target = self.target.get();
        let patience = self.patience;
        let passed = now.saturating_sub(self.seen.replace(now).unwrap_or(now));
        let [shard, key] = &mut self.arrears;
        let hottest_shard_used = signs.hottest_shard_used.map(|used| used / target);
        let shard_speaks =
            hottest_shard_used.is_some_and(|used| !shard.explain(used, passed, patience));
        let key_speaks = !key.explain(signs.hottest_key_used / target, passed, patience);
        // The broker fills the spool again as fast as it drains.
        let refills = shard.are_left() && hottest_shard_used.is_some_and(|used| used > 1.0);
        let backlog = self.backlog(signs, refills, now);
        let mut broken = Vec::new();
        for (strain, since) in &mut self.since {
            let speaks = match strain {
                Strain::Key => key_speaks,
                Strain::Shard => shard_speaks,
                Strain::Throttled => signs.throttled > THROTTLED_MAX,
                Strain::Backlog => backlog,
            };
            let began = *since.get_or_insert(now);
            if !speaks {
                *since = None;
            } else if *strain == Strain::Backlog || now.saturating_sub(began) >= patience {
                broken.push(*strain);
            }
        }
        let calm = self.since.iter().all(|(_, since)| since.is_none());
        self.calm_since = calm.then(|| self.calm_since.unwrap_or(now));
        if !broken.is_empty() {
            return self.is_due(&broken, now).then(|| {
                let before = self.told.take().map(|told| told.strains).unwrap_or_default();
                let fresh = broken.iter().filter(|strain| !before.contains(strain));
                let strains = before.iter().chain(fresh).copied().collect();
                self.told = Some(Told { last: now, strains });
                News::Broken(broken)
            });
        }
        let lasts = self.calm_since.is_some_and(|since| now.saturating_sub(since) >= patience);
        (lasts && self.told.take().is_some()).then_some(News::Holds)
    }

    /// Whether there is a reason that was not told, or none was for long.
    fn is_due(&self, broken: &[Strain], now: Duration) -> bool {
        self.told.as_ref().is_none_or(|told| {
            now.saturating_sub(told.last) >= REPEATED_AFTER
                || broken.iter().any(|strain| !told.strains.contains(strain))
        })
    }

    /// Whether the spool is no smaller than half a patience ago, and a whole one ago. One that is full,
    /// or filled with what was kept elsewhere, says nothing of how it drains: what was told of it
    /// stays.
    fn backlog(&mut self, signs: Signs, refills: bool, now: Duration) -> bool {
        let Signs { spooled, offered_per_s, open, stays, .. } = signs;
        if !open || spooled == 0 || real(spooled) < offered_per_s * BACKLOG_S {
            self.backlog = None;
            return false;
        }
        if stays || refills {
            self.backlog = None;
            let told = self.told.as_ref();
            return told.is_some_and(|told| told.strains.contains(&Strain::Backlog));
        }
        let new = Backlog { spooled, since: now, before: None, stays: false };
        let backlog = self.backlog.get_or_insert(new);
        if now.saturating_sub(backlog.since) >= self.patience / 2 {
            let less = |then: u64| spooled < then;
            let stays =
                backlog.before.is_some_and(|before| !less(before)) && !less(backlog.spooled);
            *backlog = Backlog { spooled, since: now, before: Some(backlog.spooled), stays };
        }
        backlog.stays
    }
}
