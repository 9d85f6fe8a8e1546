//! A stream that is away for a while: whoever comes back is no faster than when it went.

use super::*;

/// The parts of their shards' limits that may be used now, in the order of the shards.
fn factors(pace: &Pace) -> Vec<f64> {
    let factor = |shard: &Shard| match &shard.limit {
        Limit::Sized(limit) => Some(limit.factor().get()),
        Limit::None | Limit::Learned(_) => None,
    };
    pace.shards.iter().filter_map(factor).collect()
}

/// Tells `pace` of a request that came to nothing, of one record of the first shard.
fn fail(pace: &mut Pace, verdict: &Verdict, now: Instant) {
    let taken = taken(std::iter::once(key_of(0)), now);
    let records = taken.into_iter().map(|taken| (taken, verdict.clone()));
    pace.observe(&records.collect::<Vec<_>>(), now);
}

/// For so many seconds both shards have more to send than may go, and a probe fails every five.
fn outage(pace: &mut Pace, verdict: &Verdict, began: Instant, seconds: u64) {
    for ms in (0..seconds * 1_000).step_by(50) {
        let now = began + Duration::from_millis(ms);
        for key in [0, 1].map(key_of) {
            (0..200).take_while(|_| pace.draw(&key, 100, now) == Admission::Granted).count();
        }
        if ms % 5_000 == 0 {
            fail(pace, verdict, now);
        }
    }
}

const FAILURES: [Verdict; 2] = [Verdict::Unavailable, Verdict::Unheard];

fn one_of_four(mode: &str, now: Instant) -> Pace {
    let text = CONFIG.replace("instances = 1", &format!("instances = 4\nmode = \"{mode}\""));
    pace_of(&text, now)
}

#[test]
fn outage_raises_the_pace_of_no_shard() {
    for verdict in FAILURES {
        let began = start();
        let mut pace = one_of_four("shards", began);
        observe(&mut pace, 10, 1, began);
        let before = factors(&pace);
        assert_eq!(before.len(), 2);
        // The probes carry nothing of the second shard.
        outage(&mut pace, &verdict, began, 120);
        assert_eq!(factors(&pace), before, "{verdict:?}");
        // And it rises again when the stream is back.
        let back = began + Duration::from_secs(120);
        for second in 0..5 {
            let now = back + Duration::from_secs(second);
            drawn(&mut pace, now, Duration::from_millis(900), |_| 100);
            observe(&mut pace, 10, 0, now + Duration::from_millis(900));
        }
        assert!(factors(&pace)[0] > before[0] + 0.05, "{:?}", factors(&pace));
    }
}

#[test]
fn shard_that_fails_alone_is_paced_as_before() {
    let began = start();
    let mut pace = one_of_four("shards", began);
    let before = factors(&pace);
    for second in 0..60 {
        let now = began + Duration::from_secs(second);
        let taken = taken([0, 1].map(key_of).into_iter(), now);
        let verdicts = [Verdict::Unavailable, Verdict::Accepted(None)];
        pace.observe(&taken.into_iter().zip(verdicts).collect::<Vec<_>>(), now);
        drawn(&mut pace, now, Duration::from_millis(900), |_| 100);
    }
    assert_eq!(factors(&pace), before);
}

#[test]
fn limit_that_refusals_taught_outlives_an_outage() {
    for verdict in FAILURES {
        let began = start();
        let mut pace = one_of_four("feedback", began);
        observe(&mut pace, 2_000, 100, began + Duration::from_millis(500));
        let at = began + Duration::from_secs(1);
        let per_s =
            |pace: &mut Pace, at| drawn(pace, at, Duration::from_secs(5), |_| 100).len() / 5;
        let before = per_s(&mut pace, at);
        outage(&mut pace, &verdict, at + Duration::from_secs(5), 300);
        let back = at + Duration::from_secs(305);
        observe(&mut pace, 100, 0, back);
        assert!(drawn_until(&mut pace, back, 10_000) < 10_000, "forgotten after {verdict:?}");
        let after = per_s(&mut pace, back);
        assert!(after <= before * 21 / 20, "{before} a second before, {after} after {verdict:?}");
    }
}
