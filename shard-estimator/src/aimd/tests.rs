//! The pace of one gateway: what it never does, and what it always comes to.

use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;

use super::{Aimd, Limiter, Verdicts};
use crate::Factor;

const ACCEPTED: Verdicts = Verdicts { accepted: 100, throttled: 0 };
const THROTTLED: Verdicts = Verdicts { accepted: 99, throttled: 1 };
const START: Duration = Duration::from_secs(3_600);

fn aimd(instances: Option<u32>, fraction: f64) -> Aimd {
    let fraction = Factor::new(fraction).expect("a factor");
    Aimd::new(instances.and_then(NonZeroU32::new), fraction, START)
}

fn part(factor: Factor) -> f64 {
    factor.get()
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    after_ms: u64,
    verdicts: Verdicts,
    limiter: Limiter,
}

fn heard() -> impl Strategy<Value = Heard> {
    let limiter = prop_oneof![Just(Limiter::Binding), Just(Limiter::Slack)];
    let throttled = prop_oneof![3 => Just(0_u32), 1 => 1..500_u32];
    (0..3_000_u64, 0..500_u32, throttled, limiter).prop_map(
        |(after_ms, accepted, throttled, limiter)| Heard {
            after_ms,
            verdicts: Verdicts { accepted, throttled },
            limiter,
        },
    )
}

fn instances() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![Just(None), Just(Some(1)), (1..5_000_u32).prop_map(Some)]
}

proptest! {
    #[test]
    fn the_factor_stays_between_floor_and_ceiling(
        instances in instances(),
        fraction in 0.1..=1.0_f64,
        story in prop::collection::vec(heard(), 0..400),
    ) {
        let mut aimd = aimd(instances, fraction);
        let mut now = START;
        for heard in story {
            now += Duration::from_millis(heard.after_ms);
            aimd.observe(heard.verdicts, heard.limiter, now);
            let (floor, ceiling) = aimd.bounds();
            prop_assert!(floor <= aimd.factor() && aimd.factor() <= ceiling);
        }
    }

    #[test]
    fn it_falls_at_most_once_in_half_a_second_and_only_when_throttled(
        instances in instances(),
        story in prop::collection::vec(heard(), 0..400),
    ) {
        let mut aimd = aimd(instances, 0.9);
        let mut now = START;
        let mut fell_at = None;
        for heard in story {
            now += Duration::from_millis(heard.after_ms);
            let before = aimd.factor();
            aimd.observe(heard.verdicts, heard.limiter, now);
            if aimd.factor() < before {
                prop_assert!(heard.verdicts.throttled > 0);
                prop_assert!(fell_at.is_none_or(|at| now - at >= Duration::from_millis(500)));
                fell_at = Some(now);
            }
        }
    }

    #[test]
    fn it_rises_only_while_the_limiter_binds_and_by_two_percent_a_second(
        instances in instances(),
        story in prop::collection::vec(heard(), 0..400),
    ) {
        let mut aimd = aimd(instances, 0.9);
        let mut now = START;
        for heard in story {
            now += Duration::from_millis(heard.after_ms);
            let before = aimd.factor();
            aimd.observe(heard.verdicts, heard.limiter, now);
            let rise = part(aimd.factor()) - part(before);
            if rise > 0.0 {
                prop_assert_eq!(heard.limiter, Limiter::Binding);
                prop_assert_eq!(heard.verdicts.throttled, 0);
                let span_s = Duration::from_millis(heard.after_ms).as_secs_f64().min(1.0);
                prop_assert!(rise <= 0.02 * span_s + 1e-9, "{rise} in {span_s} s");
            }
        }
    }

    /// Liveness: whatever happened before, it comes back, and not a second late.
    #[test]
    fn once_refusals_stop_a_bound_limiter_reaches_its_ceiling_in_the_computed_time(
        instances in instances(),
        story in prop::collection::vec(heard(), 0..200),
        every_ns in 1..1_000_000_000_u64,
    ) {
        let mut aimd = aimd(instances, 0.9);
        let mut now = START;
        for heard in story {
            now += Duration::from_millis(heard.after_ms);
            aimd.observe(heard.verdicts, heard.limiter, now);
        }
        let (_, ceiling) = aimd.bounds();
        let climb = Duration::from_secs_f64((part(ceiling) - part(aimd.factor())) / 0.02);
        // A million steps are enough to see what frequent calls lose.
        let every = Duration::from_nanos(every_ns).max(climb / 100_000);
        let deadline = now + climb + every;
        while now < deadline {
            now += every;
            aimd.observe(ACCEPTED, Limiter::Binding, now);
        }
        prop_assert_eq!(aimd.factor(), ceiling);
    }
}

#[test]
fn it_begins_with_the_fair_share_between_its_bounds() {
    for (instances, begin, floor, ceiling) in
        [(Some(1), 0.9, 0.45, 0.9), (Some(4), 0.225, 0.1125, 1.0), (None, 0.9, 0.5, 1.0)]
    {
        let aimd = aimd(instances, 0.9);
        let (lowest, highest) = aimd.bounds();
        let got = [part(aimd.factor()), part(lowest), part(highest)];
        for (got, want) in got.into_iter().zip([begin, floor, ceiling]) {
            assert!((got - want).abs() < 1e-8, "{instances:?}: {got} is not {want}");
        }
    }
}

#[test]
fn refusals_of_one_moment_count_once() {
    let mut aimd = aimd(None, 0.9);
    for ms in [0, 100, 499] {
        aimd.observe(THROTTLED, Limiter::Binding, START + Duration::from_millis(ms));
        assert_eq!(aimd.factor(), Factor::new(0.72).expect("a factor"));
    }
    aimd.observe(THROTTLED, Limiter::Binding, START + Duration::from_millis(500));
    assert_eq!(aimd.factor(), Factor::new(0.576).expect("a factor"));
}

#[test]
fn calls_too_frequent_for_a_billionth_earn_as_much_as_rare_ones() {
    let mut aimd = aimd(None, 0.5);
    for call in 1..=1_000 {
        aimd.observe(ACCEPTED, Limiter::Binding, START + Duration::from_nanos(33 * call));
    }
    // 33 µs at 2 % a second.
    assert_eq!(aimd.factor(), Factor::new(0.500_000_66).expect("a factor"));
}

#[test]
fn a_learned_floor_gives_way_under_refusals_and_comes_back_with_the_factor() {
    let mut aimd = aimd(None, 0.9);
    let refused = Verdicts { accepted: 90, throttled: 10 };
    let mut now = START;
    let mut floor_after = |verdicts, limiter, seconds: u32| {
        for _ in 0..seconds {
            now += Duration::from_secs(1);
            aimd.observe(verdicts, limiter, now);
        }
        aimd.bounds().0.of(1000)
    };
    // A tenth refused: half of it for each half minute.
    assert_eq!(floor_after(refused, Limiter::Binding, 29), 500);
    assert_eq!(floor_after(refused, Limiter::Binding, 31), 125);
    // None refused, but no more called for than the factor of 0.25 where that ended.
    assert_eq!(floor_after(ACCEPTED, Limiter::Slack, 60), 125);
    // Called for, both come back.
    assert_eq!(floor_after(ACCEPTED, Limiter::Binding, 90), 500);
}

#[test]
fn silence_moves_nothing() {
    let mut aimd = aimd(None, 0.9);
    aimd.observe(THROTTLED, Limiter::Binding, START);
    let before = (aimd.factor(), aimd.bounds());
    for minute in 1..60 {
        let nothing = Verdicts { accepted: 0, throttled: 0 };
        aimd.observe(nothing, Limiter::Slack, START + Duration::from_secs(60 * minute));
    }
    assert_eq!((aimd.factor(), aimd.bounds()), before);
}

#[test]
fn a_clock_that_goes_back_changes_nothing() {
    let mut aimd = aimd(None, 0.5);
    aimd.observe(ACCEPTED, Limiter::Binding, START - Duration::from_secs(60));
    assert_eq!(aimd.factor(), Factor::new(0.5).expect("a factor"));
}
