use std::time::Duration;

use crate::Factor;
use crate::number::real;

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
/// a gateway sends as much as it may for hours, is no reason.
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
        Self { target, patience, since, calm_since: None, backlog: None, told: None }
    }

    /// Whether the plan holds, as far as was told.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.told.is_none()
    }

    /// Sees what there is to see at `now`. Call it every few seconds.
    pub fn see(&mut self, signs: Signs, now: Duration) -> Option<News> {
        let backlog = self.backlog(signs, now);
        let target = self.target.get();
        let patience = self.patience;
        let mut broken = Vec::new();
        for (strain, since) in &mut self.since {
            let speaks = match strain {
                Strain::Key => signs.hottest_key_used > target,
                Strain::Shard => signs.hottest_shard_used.is_some_and(|used| used > target),
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

    /// Whether the spool is no smaller than half a patience ago, and a whole one ago.
    fn backlog(&mut self, signs: Signs, now: Duration) -> bool {
        let Signs { spooled, offered_per_s, open, .. } = signs;
        if !open || spooled == 0 || real(spooled) < offered_per_s * BACKLOG_S {
            self.backlog = None;
            return false;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MeanMeter;
    use crate::number::count_up;

    const CALM: Signs = Signs {
        hottest_shard_used: Some(0.5),
        hottest_key_used: 0.1,
        throttled: 0.0,
        spooled: 0,
        offered_per_s: 0.0,
        open: true,
    };
    const HOT: Signs = Signs { hottest_shard_used: Some(0.85), ..CALM };

    fn watch() -> Watch {
        Watch::new(Factor::new(0.8).unwrap(), Duration::from_secs(300))
    }

    /// What is told, with the second, when the signs are these from second to second.
    fn told(watch: &mut Watch, signs: &[(u64, u64, Signs)]) -> Vec<(u64, News)> {
        let mut told = Vec::new();
        for (from, to, signs) in signs {
            for s in (*from..*to).step_by(5) {
                told.extend(watch.see(*signs, Duration::from_secs(s)).map(|news| (s, news)));
            }
        }
        told
    }

    fn broken(strain: Strain) -> News {
        News::Broken(vec![strain])
    }

    #[test]
    fn each_strain_is_told_once_it_has_lasted_and_not_before() {
        for (strain, signs) in [
            (Strain::Shard, HOT),
            (Strain::Key, Signs { hottest_key_used: 0.9, ..CALM }),
            (Strain::Throttled, Signs { throttled: 0.06, ..CALM }),
            (Strain::Backlog, Signs { spooled: 7, ..CALM }),
        ] {
            let mut watch = watch();
            let news = told(&mut watch, &[(0, 100, CALM), (100, 500, signs)]);
            assert_eq!(news, [(400, broken(strain))], "{strain:?}");
            assert!(!watch.holds());
        }
    }

    #[test]
    fn blips_are_never_told() {
        let blip = |n| [(n, n + 300, HOT), (n + 300, n + 600, CALM)];
        let blips: Vec<_> = (0..20).map(|n| n * 600).flat_map(blip).collect();
        assert_eq!(told(&mut watch(), &blips), []);
    }

    #[test]
    fn what_lasts_is_told_again_every_hour_and_its_end_once() {
        let mut watch = watch();
        let news =
            told(&mut watch, &[(0, 8_000, HOT), (8_000, 20_000, CALM), (20_000, 20_400, HOT)]);
        let hot = || broken(Strain::Shard);
        let expected =
            [(300, hot()), (3_900, hot()), (7_500, hot()), (8_300, News::Holds), (20_300, hot())];
        assert_eq!(news, expected);
    }

    #[test]
    fn a_reason_that_is_new_is_told_at_once_and_one_that_comes_and_goes_is_not() {
        let both = Signs { hottest_key_used: 0.9, ..HOT };
        let signs = [(0, 600, HOT), (600, 1_000, both), (1_000, 1_100, HOT), (1_100, 3_000, both)];
        let news = told(&mut watch(), &signs);
        let all = News::Broken(vec![Strain::Key, Strain::Shard]);
        assert_eq!(news, [(300, broken(Strain::Shard)), (900, all)]);
    }

    /// Devices that report together once a minute, by what a meter says of them.
    #[test]
    fn what_comes_all_at_once_is_told_if_it_is_too_much_on_the_whole_and_only_then() {
        for (used, told) in [(0.95, true), (0.2, false)] {
            let mut watch = watch();
            let mut meter = MeanMeter::new(Duration::from_secs(60), Duration::ZERO);
            let mut news = Vec::new();
            for now in (0..7_200).map(Duration::from_secs) {
                if now.as_secs() % 60 == 17 {
                    meter.add(count_up(60.0 * 1_000.0 * used), 0, now);
                }
                if now.as_secs() % 5 == 0 {
                    let hottest_shard_used = Some(meter.mean(now).used());
                    news.extend(watch.see(Signs { hottest_shard_used, ..CALM }, now));
                }
            }
            let expected = if told { vec![broken(Strain::Shard); 2] } else { vec![] };
            assert_eq!(news, expected, "{used}");
        }
    }

    #[test]
    fn it_holds_again_only_when_nothing_speaks_against_it_for_as_long() {
        let mut watch = watch();
        let news =
            told(&mut watch, &[(0, 400, HOT), (400, 600, CALM), (600, 700, HOT), (700, 990, CALM)]);
        assert_eq!(news, [(300, broken(Strain::Shard))]);
        assert_eq!(told(&mut watch, &[(990, 1_200, CALM)]), [(1_000, News::Holds)]);
        assert!(watch.holds());
    }

    #[test]
    fn a_spool_that_drains_and_one_of_a_stream_that_is_away_are_no_reason() {
        let mut watch = watch();
        for s in (0..3_000).step_by(5) {
            // A record in a minute.
            let signs = Signs { spooled: 1_000 - s / 60, ..CALM };
            assert_eq!(watch.see(signs, Duration::from_secs(s)), None);
        }
        // Another fills for half of the patience, and drains long.
        let mut watch = self::watch();
        for s in (3_000_u64..4_200).step_by(5) {
            let from_the_peak = s.abs_diff(3_150);
            let signs = Signs { spooled: 90_000 - 60 * from_the_peak, ..CALM };
            assert_eq!(watch.see(signs, Duration::from_secs(s)), None, "{s} s");
        }
        let away = Signs { spooled: 5_000, open: false, ..CALM };
        assert_eq!(told(&mut watch, &[(4_200, 9_000, away)]), []);
    }

    #[test]
    fn records_on_their_way_through_the_spool_are_no_backlog() {
        let passing = Signs { spooled: 2_000, offered_per_s: 1_000.0, ..CALM };
        assert_eq!(told(&mut watch(), &[(0, 9_000, passing)]), []);
    }

    #[test]
    fn several_strains_are_told_together() {
        let signs = Signs { hottest_key_used: 0.9, throttled: 0.5, ..HOT };
        let news = told(&mut watch(), &[(0, 400, signs)]);
        let all = vec![Strain::Key, Strain::Shard, Strain::Throttled];
        assert_eq!(news, [(300, News::Broken(all))]);
    }

    #[test]
    fn shards_that_are_not_told_apart_speak_against_nothing() {
        let unknown = Signs { hottest_shard_used: None, ..HOT };
        assert_eq!(told(&mut watch(), &[(0, 9_000, unknown)]), []);
    }
}
