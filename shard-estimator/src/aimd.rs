use std::num::NonZeroU32;
use std::time::Duration;

use self::floor::Floor;
use self::tally::Tally;
use crate::Factor;

mod floor;
mod tally;
#[cfg(test)]
mod tests;

/// Shortest time between two decreases. The refusals of requests that were under way when the first
/// one was heard say nothing new.
const DECREASE_PAUSE: Duration = Duration::from_millis(500);

/// A decrease keeps four fifths.
const DECREASE: (u32, u32) = (4, 5);

/// The most that the factor rises in a second: 2 % of the limit. A fifth of that takes 37 s to find
/// the share of idle neighbours, twice and a half as much doubles the refusals.
const INCREASE_MAX: (u32, u32) = (1, 50);

/// When it was calm for long, the share is not what limits us: a second's increase is a tenth of the
/// factor then. A lone busy one among a thousand finds what the others leave within minutes.
const INCREASE_CALM: (u32, u32) = (1, 10);

/// Calm is when nothing was refused for as long as the share needs for 50 records. One in fifty may
/// be refused where many share a shard.
const CALM_OF_WHOLE: Duration = Duration::from_millis(64);

/// It is calm after no less: refusals come by the second.
const CALM_MIN: Duration = Duration::from_secs(3);

/// Refusals that mean that the floor is too much, in percent of the records tried.
const PRESSING_PERCENT: u64 = 5;

/// Refusals that mean that it is far too much, however little of it is used: many who do not know each
/// other begin at once.
const OVERRUN_PERCENT: u64 = 33;

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
/// Up to a thousand gateways that each run one, on the same shard and without a word between them,
/// come to shares that together fill it, 0.87 of what one sender could who knows all, and have at
/// most 5 % of their attempts throttled: at all times where they know how many they are, and where
/// they do not from a minute after a change on. Before that it was up to 41 %, of a thousand who came
/// back from an outage at once. Shares are roughly equal where the number is known (Jain's index
/// 0.97 or more) and can be as unequal as 0.40 where it is not, the least served having two fifths of
/// its part or more. Simulated with a shard that counts strictly by the second (`tests/crowd`, whose table
/// is in the README) and with one that keeps a tank (`tests/shared_shard.rs`).
///
/// The factor always lies between a floor and a ceiling. It falls only when records were throttled,
/// at most once in half a second: to 0.8 of itself, or at once to what was accepted in the last
/// second if that is less. It rises only while the limiter binds: in a second by at most 2 % of the
/// limit, and by less for those whose share is small, unless nothing was refused for long.
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
    tally: Tally,
}

impl Aimd {
    /// A pace for one of `instances` gateways on a stream that together should use `fraction` of
    /// it.
    ///
    /// It begins with the fair share, `fraction` ÷ `instances`, and never falls below half of that.
    /// The ceiling is `fraction` for a gateway that is known to be alone, the whole limit for all
    /// others, who may find their neighbours idle.
    ///
    /// With `instances` unknown it begins with `fraction`, and the floor is half the limit, or half
    /// of what was accepted when more than 5 % of the records were throttled. That comes at once for
    /// whoever uses three fifths of what he may, or if a third was throttled, and else by halves, and no
    /// further than to twice what is used: what refuses a fifth whatever it is sent must not be starved. The
    /// floor comes back as the factor does.
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
            tally: Tally::new(fair_share, now),
        }
    }

    /// What part of the limits may be used now.
    #[must_use]
    pub fn factor(&self) -> Factor {
        self.factor
    }

    /// Learns from what was heard since the last call.
    ///
    /// Call it for every answer of the stream, and at least once a second while the limiter binds:
    /// of a longer silence one second counts. Not for a call that failed, nor in the silence after one:
    /// the factor would rise through an outage, at all gateways, who then come back at once.
    pub fn observe(&mut self, verdicts: Verdicts, limiter: Limiter, now: Duration) {
        self.tally.count(verdicts, self.factor, now);
        if verdicts.throttled > 0 {
            self.decrease(now);
            self.increased_until = now;
            return;
        }
        match limiter {
            Limiter::Binding => self.increase(now),
            Limiter::Slack => self.increased_until = now,
        }
        if verdicts.accepted > 0 {
            self.floor.come_back(self.factor, now);
        }
    }

    fn decrease(&mut self, now: Duration) {
        if self.refused_within(DECREASE_PAUSE, now) {
            return;
        }
        let mut factor = self.factor.scaled(DECREASE.0, DECREASE.1);
        let measured = self.tally.is_complete(now);
        if measured {
            let share = self.tally.share();
            // Whoever uses little of what the factor allows is not helped by a little less.
            let used = self.tally.used(now);
            match self.tally.throttled_percent() {
                OVERRUN_PERCENT.. => self.floor.give_way(share.scaled(1, 2), now),
                PRESSING_PERCENT.. if used < self.factor.scaled(3, 5) => {
                    self.floor.sink(used.doubled(), now);
                }
                PRESSING_PERCENT.. => self.floor.give_way(share.scaled(1, 2), now),
                _ => {}
            }
            factor = factor.min(share);
        }
        self.factor = factor.max(self.floor.get());
        self.decreased_at = Some(now);
        if measured {
            // What is under way was sent at the pace of before.
            self.tally = Tally::new(self.factor, now + DECREASE_PAUSE);
        }
    }

    fn increase(&mut self, now: Duration) {
        let span = now.saturating_sub(self.increased_until).min(INCREASE_SPAN_MAX);
        let (factor, rest) = self.factor.risen(self.increase_per_s(now), span);
        self.factor = factor.min(self.ceiling);
        // What was too short for a billionth counts next time: frequent calls earn as much as rare.
        self.increased_until = now.saturating_sub(rest);
    }

    fn increase_per_s(&self, now: Duration) -> Factor {
        // Floors are half of a share.
        let share = self.floor.get().doubled();
        // Twice the square of it: at any share the same few records meet a refusal before a refusal
        // takes the increase back. A fixed 2 % of the limit would be 20 times what one of a thousand
        // has, and most records would be refused.
        let contended = share.times(share).doubled();
        let calm_after = share.stretched(CALM_OF_WHOLE).max(CALM_MIN);
        let increase = if self.refused_within(calm_after, now) {
            contended
        } else {
            contended.max(self.factor.scaled(INCREASE_CALM.0, INCREASE_CALM.1))
        };
        increase.min(Factor::WHOLE.scaled(INCREASE_MAX.0, INCREASE_MAX.1))
    }

    fn refused_within(&self, span: Duration, now: Duration) -> bool {
        self.decreased_at.is_some_and(|at| now.saturating_sub(at) < span)
    }
}
