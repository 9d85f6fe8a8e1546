use proptest::prelude::*;

use super::*;

fn timetable(classes: Vec<Class>, end: Duration) -> Timetable {
    Timetable::new(&Fleet::new(classes).unwrap(), 2 * S, end, 7)
}

fn all_turns(timetable: &Timetable, connections: usize) -> Vec<Turn> {
    (0..connections).flat_map(|number| timetable.turns(number, connections)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn each_device_reports_in_order_on_one_connection_and_misses_nothing(
        devices in 1_u32..40, period_ms in 20_u64..2_000, jitter in 0_u32..=100, connections in 1_usize..5,
    ) {
        let period = Duration::from_millis(period_ms);
        let timetable = timetable(
            vec![
                named(class("spread", 0, period), devices),
                named(aligned("aligned", 0, period, period * jitter / 100), devices),
            ],
            10 * S,
        );
        let mut next = vec![0; timetable.devices()];
        for number in 0..connections {
            let mut last = Duration::ZERO;
            for turn in timetable.turns(number, connections) {
                prop_assert!(turn.due >= last && turn.due < 10 * S);
                prop_assert_eq!(Some(turn.due), timetable.due(turn.device, turn.sequence));
                prop_assert_eq!(turn.device % connections, number);
                prop_assert_eq!(turn.sequence, next[turn.device]);
                (last, next[turn.device]) = (turn.due, turn.sequence + 1);
            }
        }
        for (device, reports) in next.iter().enumerate() {
            prop_assert_eq!(timetable.due(device, *reports), None, "device {} stopped early", device);
        }
    }
}

#[test]
fn what_is_spread_comes_at_its_rate_and_what_is_aligned_in_waves() {
    let spread = timetable(vec![named(class("pumps", 0, S), 600)], 20 * S);
    let turns = all_turns(&spread, 3);
    assert_eq!(turns.len(), 12_000);
    for second in 0..20 {
        let within = |turn: &&Turn| turn.due.as_secs() == second;
        assert_eq!(turns.iter().filter(within).count(), 600, "second {second}");
    }
    let early = |turn: &&Turn| turn.due.subsec_millis() < 100;
    let early = turns.iter().filter(early).count() / 20;
    assert!((35..=85).contains(&early), "{early} of 600 in a tenth of a second");

    let waves = timetable(vec![named(aligned("rooms", 0, 5 * S, S), 200)], 20 * S);
    for turn in all_turns(&waves, 3) {
        let since_wave = (turn.due.as_millis() - 2_000) % 5_000;
        assert!(since_wave <= 1_000, "{turn:?}");
    }
    assert_eq!(all_turns(&waves, 3).len(), 800);
}

/// Of 6,000 that report once in a quarter of an hour, 200 do in half a minute; and of those that
/// report together, some are the first.
#[test]
fn whoever_reports_early_has_the_sizes_of_the_class_too() {
    let sizes = Sizes::histogram([(300, 1), (2_048, 1)]).unwrap();
    let rare = Class { sizes: sizes.clone(), ..class("rare", 0, 900 * S) };
    let rooms = Class { sizes, ..aligned("rooms", 0, 900 * S, 600 * S) };
    let timetable = timetable(vec![named(rare, 6_000), named(rooms, 6_000)], 30 * S);
    for is_aligned in [false, true] {
        let turns = all_turns(&timetable, 1);
        let turns: Vec<_> =
            turns.iter().filter(|turn| timetable.is_aligned(turn.device) == is_aligned).collect();
        let large = turns.iter().filter(|turn| timetable.payload(***turn, 0).len() == 2_048);
        let (large, all) = (large.count(), turns.len());
        assert!(all > 150, "{all}");
        assert!((all * 2 / 5..=all * 3 / 5).contains(&large), "{large} of {all}");
    }
    assert_eq!(timetable.reports(), all_turns(&timetable, 1).len() as u64);
}

#[test]
fn payloads_have_the_sizes_of_the_class_in_their_proportions_and_tell_their_number() {
    let sizes = Sizes::histogram([(300, 9), (2_048, 1)]).unwrap();
    let meters = Class { sizes, ..class("meters", 0, S) };
    let timetable = timetable(vec![named(meters, 20)], 50 * S);
    let turns = all_turns(&timetable, 1);
    let mut large = 0;
    for turn in &turns {
        let payload = timetable.payload(*turn, 0);
        assert_eq!(Timetable::sequence(&payload), Some(turn.sequence));
        assert!([300, 2_048].contains(&payload.len()));
        large += usize::from(payload.len() == 2_048);
    }
    assert!((90..=110).contains(&large), "{large} of {}", turns.len());
}
