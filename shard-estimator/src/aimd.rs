use std::num::NonZeroU32;
use std::time::Duration;

use self::floor::Floor;
use crate::Factor;

mod floor;
#[cfg(test)]
mod tests;

/// Shortest time between two decreases. The refusals of requests that were under way when the first
/// one was heard say nothing new.
const DECREASE_PAUSE: Duration = Duration::from_millis(500);

/// A decrease keeps four fifths.
const DECREASE: (u32, u32) = (4, 5);

/// An increase is a billionth of the limit in so many nanoseconds: 2 % of the limit in a second. A
/// fifth of that takes 37 s to find the share of idle neighbours, twice and a half as much doubles
/// the refusals.
const INCREASE_NS_PER_BILLIONTH: u32 = 50;

/// Most time that one observation can earn an increase for: a limiter that is said to bind now need
/// not have bound all through a long silence.
const INCREASE_SPAN_MAX: Duration = Duration::from_secs(1);

/// What became of records since the last observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdicts {
    /// Records that the stream took.
    pub accepted: u32,
    /// Records that it refused for their rate (`ProvisionedThroughputExceededException`); no other
    /// failure.
    pub throttled: u32,
}

/// Whether the limiter held anything back since the last observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limiter {
    /// Something waited for it: more would have been sent.
    Binding,
    /// Nothing waited: a higher rate would change nothing, so none is earned.
    Slack,
}

/// Finds the factor of a shard's limits that one gateway can use: additive increase, multiplicative
/// decrease.
///
/// Many gateways that each run one, on the same shard and without a word between them, come to
/// roughly equal shares that together fill it. Simulated with four (`tests/shared_shard.rs`): under
/// 1 % of the attempts is throttled by a shard that keeps a tank, under 3 % by one that counts
/// strictly by the second.
///
/// The factor always lies between a floor and a ceiling. It falls to 0.8 of itself when records
/// were throttled, at most once in half a second; it rises by 2 % of the limit in a second, only
/// while the limiter binds.
///
/// Time is the time since any moment, the same for all calls; a call that goes back in time counts
/// as made at once.
#[derive(Debug, Clone)]
pub struct Aimd {
    factor: Factor,
    ceiling: Factor,
    floor: Floor,
    /// Until when time has earned its increase, or has earned none.
    increased_until: Duration,
    decreased_at: Option<Duration>,
}

impl Aimd {
    /// A pace for one of `instances` gateways on a stream that together should use `fraction` of
    /// it.
    ///
    /// It begins with the fair share, `fraction` ÷ `instances`, and never falls below half of that.
    /// The ceiling is `fraction` for a gateway that is known to be alone, the whole limit for all
    /// others, who may find their neighbours idle.
    ///
    /// With `instances` unknown it begins with `fraction`, and the floor is half the limit; the
    /// floor is halved for every 30 s in which more than 5 % of the records were throttled, and
    /// comes back as the factor does.
    #[must_use]
    pub fn new(instances: Option<NonZeroU32>, fraction: Factor, now: Duration) -> Self {
        let fair_share = fraction.scaled(1, instances.map_or(1, NonZeroU32::get));
        Self {
            factor: fair_share,
            ceiling: if instances == Some(NonZeroU32::MIN) { fraction } else { Factor::WHOLE },
            floor: match instances {
                Some(_) => Floor::stated(fair_share.scaled(1, 2)),
                None => Floor::learned(fair_share, now),
            },
            increased_until: now,
            decreased_at: None,
        }
    }

    /// What part of the limits may be used now.
    #[must_use]
    pub fn factor(&self) -> Factor {
        self.factor
    }

    /// The least and the most that [`factor`](Self::factor) can be at present.
    #[must_use]
    pub fn bounds(&self) -> (Factor, Factor) {
        (self.floor.get(), self.ceiling)
    }

    /// Learns from what was heard since the last call.
    ///
    /// Call it for every answer of the stream, and at least once a second while the limiter binds:
    /// of a longer silence one second counts.
    pub fn observe(&mut self, verdicts: Verdicts, limiter: Limiter, now: Duration) {
        if verdicts.throttled > 0 {
            self.decrease(now);
            self.increased_until = now;
        } else {
            match limiter {
                Limiter::Binding => self.increase(now),
                Limiter::Slack => self.increased_until = now,
            }
        }
        self.floor.observe(verdicts, self.factor, now);
    }

    fn decrease(&mut self, now: Duration) {
        let heard_before =
            self.decreased_at.is_some_and(|at| now.saturating_sub(at) < DECREASE_PAUSE);
        if !heard_before {
            self.factor = self.factor.scaled(DECREASE.0, DECREASE.1).max(self.floor.get());
            self.decreased_at = Some(now);
        }
    }

    fn increase(&mut self, now: Duration) {
        let span = now.saturating_sub(self.increased_until).min(INCREASE_SPAN_MAX);
        let span_ns = u32::try_from(span.as_nanos()).expect("at most a second");
        let billionths = span_ns / INCREASE_NS_PER_BILLIONTH;
        self.factor = self.factor.plus_billionths(billionths).min(self.ceiling);
        // What was too short for a billionth counts next time: frequent calls earn as much as rare.
        let rest = Duration::from_nanos(u64::from(span_ns % INCREASE_NS_PER_BILLIONTH));
        self.increased_until = now.saturating_sub(rest);
    }
}
