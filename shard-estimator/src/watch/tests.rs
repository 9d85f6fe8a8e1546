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
    stays: false,
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
    let news = told(&mut watch, &[(0, 8_000, HOT), (8_000, 20_000, CALM), (20_000, 20_400, HOT)]);
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

/// What is told now, of a hottest shard that is used as the meter says.
fn told_every_five_seconds(
    watch: &mut Watch,
    meter: &mut MeanMeter,
    now: Duration,
) -> Option<(u64, News)> {
    if !now.as_secs().is_multiple_of(5) {
        return None;
    }
    let hottest_shard_used = Some(meter.mean(now).used());
    let told = watch.see(Signs { hottest_shard_used, ..CALM }, now)?;
    Some((now.as_secs(), told))
}

/// What is told in two hours of a gateway that was away for ten minutes, and is sent so much, as a
/// part of a shard, from before and after; what was kept comes at most at `at_most`.
fn told_after_away(used: f64, kept: bool, at_most: f64) -> Vec<(u64, News)> {
    let (mut watch, away_s) = (watch(), 600.0);
    watch.away(Duration::from_secs_f64(away_s));
    let mut meter = MeanMeter::new(Duration::from_secs(60), Duration::ZERO);
    let mut waiting = if kept { used * away_s } else { 0.0 };
    let mut news = Vec::new();
    for now in (0..7_200).map(Duration::from_secs) {
        waiting += used;
        let comes = waiting.min(at_most);
        waiting -= comes;
        meter.add(count_up(1_000.0 * comes), 0, now);
        news.extend(told_every_five_seconds(&mut watch, &mut meter, now));
    }
    news
}

#[test]
fn what_was_kept_while_the_gateway_was_away_is_no_reason() {
    // At once, as fast as a spool takes it, and at the pace of the stream.
    for at_most in [1_000.0, 10.0, 2.0, 0.9] {
        for used in [0.2, 0.5, 0.7] {
            assert_eq!(told_after_away(used, true, at_most), [], "{used} at {at_most}");
        }
    }
}

#[test]
fn too_much_is_told_after_any_absence() {
    for at_most in [1_000.0, 10.0, 2.0] {
        let news = told_after_away(0.96, true, at_most);
        let first = news.first().expect("it is too much");
        assert!(first.1 == broken(Strain::Shard) && first.0 <= 1_200, "{at_most}: {first:?}");
    }
    // Nothing was kept: 600 s of the target are brought in by a fifth of it in 3,000 s.
    let news = told_after_away(0.96, false, 1.0);
    let first = news.first().expect("it is too much");
    assert!((3_300..3_600).contains(&first.0), "{first:?}");
}

#[test]
fn absence_is_forgotten_once_it_was_calm_for_as_long_as_the_patience() {
    let mut watch = watch();
    watch.away(Duration::from_secs(36_000));
    let news = told(&mut watch, &[(0, 310, CALM), (310, 1_000, HOT)]);
    assert_eq!(news, [(610, broken(Strain::Shard))]);
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

/// What is told in so many seconds of a gateway that nothing reaches in `away_s` of every `every_s`,
/// and then what was kept at once, with so much to send as a part of a shard; `patience` as given.
fn told_of_flapping(used: f64, every_s: u64, away_s: u64, patience: Duration) -> Vec<(u64, News)> {
    let mut watch = Watch::new(Factor::new(0.8).unwrap(), patience);
    let mut meter = MeanMeter::new(patience / 5, Duration::ZERO);
    let (mut waiting, mut news) = (0.0, Vec::new());
    for now in (0..7_200).map(Duration::from_secs) {
        waiting += used;
        let in_turn = now.as_secs() % every_s;
        if in_turn >= away_s {
            if in_turn == away_s {
                watch.away(Duration::from_secs(away_s));
            }
            meter.add(count_up(1_000.0 * waiting), 0, now);
            waiting = 0.0;
        }
        news.extend(told_every_five_seconds(&mut watch, &mut meter, now));
    }
    news
}

#[test]
fn too_much_is_told_however_often_the_gateway_is_away_and_what_was_kept_is_not() {
    let [short, long] = [10, 300].map(Duration::from_secs);
    for (every_s, away_s, patience, told_by_s) in [
        (6, 2, short, 100),
        (150, 10, long, 900),
        (150, 50, long, 900),
        (150, 90, long, 1_200),
        (600, 300, long, 3_600),
    ] {
        let of = |used| told_of_flapping(used, every_s, away_s, patience);
        let news = of(0.96);
        let first = news.first();
        assert!(
            first.is_some_and(|(s, news)| *s <= told_by_s && *news == broken(Strain::Shard)),
            "{away_s} of {every_s} s: {first:?}"
        );
        for used in [0.3, 0.6, 0.76] {
            assert_eq!(of(used), [], "{used}: {away_s} of {every_s} s");
        }
    }
}

#[test]
fn too_much_is_told_soon_after_a_day_of_a_link_that_comes_and_goes() {
    let mut watch = watch();
    for s in (0..86_400).step_by(5) {
        if s % 150 == 0 {
            watch.away(Duration::from_secs(50));
        }
        assert_eq!(watch.see(CALM, Duration::from_secs(s)), None);
    }
    let news = told(&mut watch, &[(86_400, 90_000, HOT)]);
    let first = news.first().expect("it is too much");
    assert!(first.0 <= 86_400 + 1_200, "{first:?}");
}

#[test]
fn a_full_spool_that_the_broker_fills_again_is_no_reason_and_one_that_does_not_drain_then_is() {
    let full = |s: u64| Signs { spooled: 14_000 - s % 250, stays: s.is_multiple_of(60), ..CALM };
    let mut watch = watch();
    for s in (0..3_000).step_by(5) {
        assert_eq!(watch.see(full(s), Duration::from_secs(s)), None, "{s} s");
    }
    let stuck = Signs { spooled: 14_000, ..CALM };
    assert_eq!(told(&mut watch, &[(3_000, 4_000, stuck)]), [(3_245, broken(Strain::Backlog))]);
    // It was told while it filled, and does not hold again because it is full.
    let [fills, full] = [false, true].map(|stays| Signs { stays, ..stuck });
    let news = told(&mut self::watch(), &[(0, 1_000, fills), (1_000, 3_000, full)]);
    assert_eq!(news, [(300, broken(Strain::Backlog))]);
    // Seen to be full at no moment, but more comes than is sent, which the time away explains.
    let mut watch = self::watch();
    watch.away(Duration::from_secs(600));
    let signs = Signs { spooled: 14_000, stays: false, ..HOT };
    assert_eq!(told(&mut watch, &[(0, 3_000, signs)]), []);
}
