use super::*;

fn goals() -> Goals {
    Goals { outage: hour_in_eight(), ..Goals::default() }
}

fn acts_of(goals: Goals, classes: &[Class], seconds: u32) -> Acts {
    Acts::new(&plan(classes.to_vec(), goals), NonZeroU32::MIN, seconds)
}

#[test]
fn without_waves_the_acts_are_as_long_as_asked_for() {
    let acts = acts_of(goals(), &[class("pumps", 10, 900 * S)], 9);
    assert_eq!((acts.cycle, acts.steady.clone()), (None, 4 * S..13 * S));
    assert_eq!(acts.outage, Some(14 * S..17 * S));
    let unending = acts_of(Goals::default(), &[class("pumps", 10, S)], 9);
    assert_eq!(unending.outage, None);
}

/// Of three that report every 10 s one or two do in 5 s. Of a thousand half do, give or take 3 %.
#[test]
fn whole_periods_are_played_of_few_devices() {
    let steady = |classes: &[Class], seconds| {
        let acts = acts_of(Goals::default(), classes, seconds);
        acts.steady.end - acts.steady.start
    };
    let every = |devices, period_s| class(&format!("{period_s}"), devices, period_s * S);
    assert_eq!(steady(&[every(3, 10)], 5), 10 * S);
    assert_eq!(steady(&[every(3, 10)], 11), 20 * S);
    assert_eq!(steady(&[every(3, 10), every(3, 4)], 5), 20 * S);
    assert_eq!(steady(&[every(2_000, 10)], 5), 5 * S);
    // Common ones of all would be too long.
    assert_eq!(steady(&[every(3, 11), every(3, 7)], 5), 11 * S);
    assert_eq!(steady(&[every(3, 61)], 5), 5 * S);
    let rooms = aligned("rooms", 9, 900 * S, Duration::ZERO);
    assert_eq!(steady(&[rooms, every(3, 2)], 5), 10 * S, "cycles of 5 s");
}

#[test]
fn waves_have_the_time_to_pass_and_whole_cycles_are_played() {
    let (rooms, meters) =
        (aligned("rooms", 9, 900 * S, Duration::ZERO), aligned("meters", 9, 60 * S, 5 * S));
    let acts = acts_of(goals(), &[rooms.clone(), meters], 11);
    // 5 s until all have reported, and 5 s at least until the last has arrived.
    assert_eq!((acts.cycle, acts.steady.clone()), (Some(10 * S), 4 * S..24 * S));
    // A wave at 34 s, in the middle.
    assert_eq!(acts.outage, Some(29 * S..39 * S));
    let patient = acts_of(Goals { p99: 30 * S, ..goals() }, &[rooms], 11);
    assert_eq!(patient.cycle, Some(60 * S));
    // Nobody has to wait so long that everything is over.
    let rooms = aligned("rooms", 9, 900 * S, Duration::ZERO);
    let very_patient = acts_of(Goals { p99: 900 * S, ..goals() }, &[rooms], 11);
    assert_eq!(very_patient.cycle, Some(60 * S));
    // At 900 a second a wave of these takes 3 s.
    let many = aligned("rooms", 2_700, 900 * S, Duration::ZERO);
    assert_eq!(acts_of(goals(), &[many], 11).cycle, Some(15 * S));
}

#[test]
fn cycles_are_whole_periods_of_what_reports_more_often() {
    let cycle = |periods: &[Duration]| {
        let classes = periods
            .iter()
            .map(|period| aligned(&format!("every {period:?}"), 9, *period, Duration::ZERO));
        acts_of(goals(), &classes.collect::<Vec<_>>(), 9).cycle.unwrap()
    };
    assert_eq!(cycle(&[900 * S]), 5 * S);
    assert_eq!(cycle(&[900 * S, 2 * S]), 6 * S);
    assert_eq!(cycle(&[5 * S, 2 * S]), 10 * S);
    assert_eq!(cycle(&[4 * S, 3 * S, 900 * S, 2 * S]), 12 * S);
    assert_eq!(cycle(&[S / 8]), 5 * S);
    // Common ones would be too long.
    assert_eq!(cycle(&[900 * S, 4_999 * S / 1_000, 4_997 * S / 1_000]), 4_997 * S / 500);
}

#[test]
fn only_idle_time_is_left_out() {
    let rooms = aligned("rooms", 9, 900 * S, Duration::ZERO);
    let acts = acts_of(goals(), std::slice::from_ref(&rooms), 9);
    assert_eq!(acts.hasten(&rooms).period, 5 * S);
    let often = aligned("often", 9, 2 * S, Duration::ZERO);
    assert_eq!(acts.hasten(&often), often);
    let spread = class("spread", 9, 900 * S);
    assert_eq!(acts.hasten(&spread), spread);
}

#[test]
fn what_is_allowed_after_an_outage_shrinks_with_it() {
    let acts = acts_of(goals(), &[class("pumps", 10, S)], 9);
    let outage = Outage { lasts: 3 * S, drained_within: 24 * S };
    assert_eq!(acts.goals(&goals()).outage, Some(outage));
    let short = Outage { lasts: S, drained_within: 5 * S };
    let acts = acts_of(Goals { outage: Some(short), ..goals() }, &[class("pumps", 10, S)], 9);
    assert_eq!(acts.outage, Some(14 * S..15 * S));
}
