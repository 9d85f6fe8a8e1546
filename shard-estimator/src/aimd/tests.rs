//! The pace of one gateway: what it never does, and what it always comes to.

use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;

use super::{Aimd, Limiter, Verdicts};
use crate::Factor;

const ACCEPTED: Verdicts = Verdicts { accepted: 100, throttled: 0 };
const THROTTLED: Verdicts = Verdicts { accepted: 99, throttled: 1 };
const START: Duration = Duration::from_secs(3_600);

impl Aimd {
    /// The least and the most that the factor can be at present.
    fn bounds(&self) -> (Factor, Factor) {
        (self.floor.get(), self.ceiling)
    }
}

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
        let (floor, ceiling) = aimd.bounds();
        // Calm after 64 records of twice the floor; from then a tenth a second up to a fifth of the
        // limit, and 2 % of the limit a second beyond.
        let calm_s = f64::max(3.0, 0.064 / (2.0 * part(floor)));
        let tenths = f64::max(0.0, (0.2 / part(aimd.factor())).ln() / 1.1_f64.ln());
        let climb = Duration::from_secs_f64(calm_s + tenths + part(ceiling) / 0.02);
        // A million steps are enough to see what frequent calls lose.
        let every = Duration::from_nanos(every_ns).max(climb / 100_000);
        let deadline = now + climb + 2 * every;
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

/// One call a second for so many seconds, and the factor after each, in thousandths.
fn hear(aimd: &mut Aimd, now: &mut Duration, verdicts: Verdicts, seconds: u32) -> Vec<u32> {
    let mut second = || {
        *now += Duration::from_secs(1);
        aimd.observe(verdicts, Limiter::Binding, *now);
        aimd.factor().of(1_000)
    };
    (0..seconds).map(|_| second()).collect()
}

#[test]
fn a_learned_floor_gives_way_under_refusals_and_comes_back_with_the_factor() {
    let (mut aimd, mut now) = (aimd(None, 0.9), START);
    let floor = |aimd: &Aimd| aimd.bounds().0.of(1_000);
    // One in thirty: such is life.
    let few = Verdicts { accepted: 97, throttled: 3 };
    hear(&mut aimd, &mut now, few, 60);
    assert_eq!(floor(&aimd), 500);
    // A tenth of fifty a second: by halves, and not below twice what is tried.
    let many = Verdicts { accepted: 45, throttled: 5 };
    hear(&mut aimd, &mut now, many, 9);
    assert_eq!(floor(&aimd), 250);
    hear(&mut aimd, &mut now, many, 600);
    assert!((100..140).contains(&floor(&aimd)), "{}", floor(&aimd));
    // A tenth of all that it may: half of what is accepted, at once. But no refusals bring it below
    // half a thousandth.
    let all = Verdicts { accepted: 135, throttled: 15 };
    hear(&mut aimd, &mut now, all, 3);
    assert!(floor(&aimd) < 70, "{}", floor(&aimd));
    hear(&mut aimd, &mut now, all, 60);
    assert_eq!(aimd.bounds().0, Factor::new(0.000_5).expect("a factor"));
    // None: it comes back, as far as half of what the factor finds.
    hear(&mut aimd, &mut now, ACCEPTED, 600);
    assert_eq!((aimd.factor(), floor(&aimd)), (Factor::WHOLE, 500));
}

#[test]
fn far_too_fast_it_falls_at_once_to_what_was_accepted() {
    let (mut aimd, mut now) = (aimd(None, 0.9), START);
    let one_in_hundred = Verdicts { accepted: 1, throttled: 99 };
    // What was under way then, in the half second after it, is not held against it.
    assert_eq!(hear(&mut aimd, &mut now, one_in_hundred, 1), [9]);
    now += Duration::from_millis(400);
    aimd.observe(one_in_hundred, Limiter::Binding, now);
    assert_eq!(aimd.factor().of(1_000), 9);
    hear(&mut aimd, &mut now, ACCEPTED, 2);
    aimd.observe(THROTTLED, Limiter::Binding, now);
    assert!((7..=9).contains(&aimd.factor().of(1_000)), "{}", aimd.factor());
}

#[test]
fn few_records_are_not_taken_for_a_measure() {
    let (mut aimd, mut now) = (aimd(Some(100), 0.9), START);
    let none = Verdicts { accepted: 0, throttled: 10 };
    assert_eq!(hear(&mut aimd, &mut now, none, 1), [7]);
}

#[test]
fn one_of_many_rises_by_little_while_refusals_come_and_by_a_tenth_a_second_once_they_stopped() {
    let (mut aimd, mut now) = (aimd(Some(100), 0.9), START);
    aimd.observe(THROTTLED, Limiter::Binding, now);
    let before = part(aimd.factor());
    let mut rise = |seconds| {
        let before = part(aimd.factor());
        hear(&mut aimd, &mut now, ACCEPTED, seconds);
        part(aimd.factor()) / before
    };
    // A share of 9 records a second: 64 of them take 7.1 s, and twice its square is 162 millionths.
    assert!((rise(7) - (before + 7.0 * 0.000_162) / before).abs() < 1e-4);
    rise(1);
    assert!((rise(10) - 1.1_f64.powi(10)).abs() < 1e-3);
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
