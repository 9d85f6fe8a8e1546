//! A stream that is paced as one whole: by refusals alone, and by bytes as well.

use super::*;

/// The part refused in each half minute, of gateways with records of so many bytes, which all have
/// more to send than a stream that takes so many records and bytes a second.
fn refused(gateways: u32, bytes: usize, records_per_s: f64, bytes_per_s: f64) -> Vec<f64> {
    let began = start();
    let mut crowd: Vec<_> = (0..gateways).map(|_| Feedback::new(None, began)).collect();
    let (mut records, mut room) = (records_per_s, bytes_per_s);
    let size = f64::from(u32::try_from(bytes).unwrap());
    let mut halves = Vec::new();
    for half in 0..10 {
        let (mut tried, mut refused) = (0, 0);
        for tick in half * 600..(half + 1) * 600_u32 {
            let now = began + Duration::from_millis(50) * tick;
            records = (records + records_per_s / 20.0).min(records_per_s);
            room = (room + bytes_per_s / 20.0).min(bytes_per_s);
            for feedback in &mut crowd {
                let mut verdicts = Verdicts { accepted: 0, throttled: 0 };
                let drawn =
                    (0..500).take_while(|_| feedback.draw(bytes, now) == Admission::Granted);
                for _ in drawn.collect::<Vec<_>>() {
                    if records >= 1.0 && room >= size {
                        (records, room) = (records - 1.0, room - size);
                        verdicts.accepted += 1;
                    } else {
                        verdicts.throttled += 1;
                    }
                }
                let accepted = f64::from(verdicts.accepted) * feedback::worth(bytes);
                feedback.observe(verdicts, accepted, now);
                tried += verdicts.accepted + verdicts.throttled;
                refused += verdicts.throttled;
            }
        }
        halves.push(f64::from(refused) / f64::from(tried));
    }
    halves
}

#[test]
fn large_records_are_paced_by_their_bytes() {
    let refused = refused(1, 20_000, 4_000.0, 4.0 * 1_048_576.0);
    assert!(refused[1..].iter().all(|part| *part <= 0.05), "{refused:?}");
}

/// Of a thousand, half a shard for all is half a record a second for each.
#[test]
fn least_that_is_tried_sinks_and_never_rises_where_it_is_too_much() {
    for (instances, in_20_s) in [(1, [5_000, 2_500]), (300, [20, 20]), (2_000, [5_u32, 5])] {
        let began = start();
        let mut feedback = Feedback::new(NonZeroU32::new(instances), began);
        for (half_minutes, expected) in (1..).zip(in_20_s) {
            let refused = began + Duration::from_secs(30) * half_minutes;
            feedback.observe(Verdicts { accepted: 0, throttled: 10 }, 0.0, refused);
            let (mut now, mut granted) = (refused, 0_u32);
            while now < refused + Duration::from_secs(20) {
                match feedback.draw(100, now) {
                    Admission::Granted => granted += 1,
                    Admission::RetryAt(at) => now = at,
                }
            }
            let differs = granted.abs_diff(expected);
            assert!(differs <= 2 + expected / 100, "{instances}: {granted}, not {expected}");
        }
    }
}

#[test]
fn gateways_too_many_for_half_a_shard_each_come_to_less() {
    let refused = refused(20, 100, 4_000.0, 4.0 * 1_048_576.0);
    assert!(refused[4..].iter().all(|part| *part <= 0.1), "{refused:?}");
}
