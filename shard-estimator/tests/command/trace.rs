//! Plans from recorded traces.

use std::fmt::Write;
use std::fs;
use std::process::Command;
use std::thread;

use clap::Parser;
use serde_json::Value;
use shard_estimator::cli::{Observed, Seen, answer_observed};

use super::{Program, TODAY, answered, file, json_of, refused, warned};

/// So many devices, one reading of `bytes` every `period_ms` from `phase` of the device on, for
/// `periods`.
fn recorded(
    name: &str,
    devices: u64,
    period_ms: u64,
    periods: u64,
    phase: impl Fn(u64) -> u64,
) -> String {
    let mut text = String::new();
    for period in 0..periods {
        for device in 0..devices {
            let ts = 1_780_000_200_000 + period * period_ms + phase(device);
            let bytes = if period == 0 { 5632 } else { 512 };
            writeln!(text, "{{\"ts\":{ts},\"device\":\"{name}-{device}\",\"bytes\":{bytes}}}")
                .expect("text can be written");
        }
    }
    text
}

/// The same with records of one size.
fn of_size(recorded: &str, bytes: u32) -> String {
    let size = format!("\"bytes\":{bytes}}}");
    recorded.replace("\"bytes\":5632}", &size).replace("\"bytes\":512}", &size)
}

#[test]
fn a_trace_gives_classes_periods_and_sizes() {
    let fast = recorded("fast", 40, 1_000, 60, |device| device * 25);
    let slow = recorded("slow", 90, 30_000, 2, |device| device * 333);
    let (_folder, path) = file(&format!("{{\"bytes_are\":\"record\"}}\n{fast}{slow}"));
    let answer = json_of(&format!("--trace {path}"));
    let classes = answer["inputs"]["classes"].as_array().unwrap();
    assert_eq!(classes.len(), 2);
    let known = |class: usize| classes[class]["devices"]["known"].as_array().unwrap().len();
    assert_eq!((known(0), known(1)), (40, 90));
    let period = |class: usize| classes[class]["period"].as_f64().unwrap();
    assert!((period(0) - 1.0).abs() < 0.03 && (period(1) - 30.0).abs() < 1.0, "{classes:?}");
    let bins = classes[0]["sizes"]["bins"].as_array().unwrap();
    assert_eq!(bins.len(), 2);
    assert!((bins[1]["share"].as_f64().unwrap() - 1.0 / 60.0).abs() < 1e-9);
    assert_eq!(classes[0]["reporting"], "spread");
    assert_eq!(answer["warnings"].as_array().map(Vec::len), Some(0), "{}", answer["warnings"]);
}

#[test]
fn a_few_readings_show_the_period_whatever_the_phases() {
    let few = recorded("a", 1_000, 10_000, 3, |device| device * 10);
    let joined = recorded("b", 500, 10_000, 2, |device| device * 20);
    let (_folder, path) = file(&of_size(&format!("{few}{joined}"), 512));
    let answer = json_of(&format!("--trace {path}"));
    let classes = answer["inputs"]["classes"].as_array().unwrap();
    assert_eq!(classes.len(), 1, "who came later sends as often: {classes:?}");
    assert_eq!(classes[0]["period"], 10.0);
    assert!((answer["records_per_s"].as_f64().unwrap() - 150.0).abs() < 1e-6);
}

#[test]
fn more_readings_than_are_kept_are_counted_all_the_same_and_the_largest_is_not_missed() {
    let mut observed = Observed::new(Seen::InTrace);
    for n in 0..3_000_000_u32 {
        let (device, at_ms) = (n % 1_000, 100 * i64::from(n / 1_000) + i64::from(n % 1_000) / 10);
        let bytes = if n == 7_777 { 900_000 } else { [200, 200, 800][n as usize / 7 % 3] };
        observed.add(at_ms, &format!("veh-{device}"), bytes);
    }
    let program = Program::parse_from(["plan", "--format", "json"]);
    let answer = answer_observed(&program.arguments, observed, TODAY).expect("a plan");
    let answer: Value = serde_json::from_str(&answer.text).expect("JSON");
    assert!((answer["records_per_s"].as_f64().unwrap() - 10_000.0).abs() < 1e-6);
    let bins = answer["inputs"]["classes"][0]["sizes"]["bins"].as_array().unwrap();
    let bytes: Vec<_> = bins.iter().map(|bin| bin["bytes"].as_u64().unwrap()).collect();
    assert_eq!(bytes, [200, 800, 900_000]);
    assert!((bins[1]["share"].as_f64().unwrap() - 1.0 / 3.0).abs() < 0.002, "{bins:?}");
}

#[test]
fn what_a_watch_left_out_or_missed_is_told() {
    let mut observed = Observed::new(Seen::AtBroker);
    (0..100).for_each(|n| observed.add(1_000 * n, "a", 300));
    (0..3).for_each(|n| observed.leave_out(|| format!("publish {n} is no JSON")));
    observed.miss(12);
    let program = Program::parse_from(["plan"]);
    let text = answer_observed(&program.arguments, observed, TODAY).expect("a plan").text;
    assert!(text.contains("! 3 publishes are left out; the first: publish 0 is no JSON"), "{text}");
    assert!(text.contains("! 12 publishes came faster than they could be counted"), "{text}");
    let nothing = answer_observed(&program.arguments, Observed::new(Seen::AtBroker), TODAY);
    assert!(nothing.is_err_and(|faults| faults.to_string().contains("nothing was seen")));
}

#[test]
fn a_trace_can_come_through_a_pipe() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("every Unix has it");
    assert!(made.success());
    let text = recorded("a", 20, 1_000, 30, |device| device * 50);
    let writing = thread::spawn({
        let (pipe, text) = (pipe.clone(), text.clone());
        move || fs::write(pipe, text).expect("somebody reads")
    });
    let through_pipe = answered(&format!("--trace {}", pipe.display()));
    writing.join().expect("all was read");
    let (_folder, path) = file(&text);
    assert_eq!(through_pipe, answered(&format!("--trace {path}")));
}

#[test]
fn moments_beyond_all_time_are_borne() {
    let (_folder, path) = file(&format!(
        "{{\"ts\":{},\"device\":\"a\",\"bytes\":9}}\n{{\"ts\":0,\"device\":\"a\",\"bytes\":9}}\n\
         {{\"ts\":{},\"device\":\"b\",\"bytes\":9}}\n{{\"ts\":{},\"device\":\"b\",\"bytes\":9}}",
        i64::MAX,
        i64::MIN,
        i64::MAX,
    ));
    assert!(answered(&format!("--trace {path}")).contains("1 shard, the least"));
}

#[test]
fn the_order_of_lines_does_not_matter() {
    let sorted = recorded("a", 20, 1_000, 30, |device| device * 50);
    let mut lines: Vec<_> = sorted.lines().collect();
    lines.reverse();
    let (_one, forwards) = file(&sorted);
    let (_other, backwards) = file(&lines.join("\n"));
    assert_eq!(answered(&format!("--trace {forwards}")), answered(&format!("--trace {backwards}")));
}

#[test]
fn devices_that_report_together_are_found_to_do_so() {
    let (_folder, path) = file(&recorded("a", 50, 60_000, 4, |device| device * 20));
    let answer = json_of(&format!("--trace {path}"));
    let jitter = answer["inputs"]["classes"][0]["reporting"]["aligned"]["jitter"].as_f64();
    assert!((jitter.expect("aligned") - 1.0).abs() < 0.1, "{jitter:?}");
}

/// 3,000 on the minute need more than a shard. As many others, of 90 s, make the mean 72 s; and twice
/// as many of a minute too are spread.
#[test]
fn devices_that_report_together_are_found_among_others_that_report_about_as_often() {
    let shards = |text: &str| {
        let (_folder, path) = file(text);
        json_of(&format!("--trace {path}"))["plan"]["shards"].as_u64().expect("a number")
    };
    let together = of_size(&recorded("a", 3_000, 60_000, 4, |_| 0), 512);
    let alone = shards(&together);
    assert!(alone > 1, "{alone}");
    for others in [
        recorded("b", 3_000, 90_000, 3, |device| device * 30),
        recorded("b", 6_000, 60_000, 4, |device| device * 10),
    ] {
        let among_others = shards(&format!("{together}{}", of_size(&others, 512)));
        assert!(among_others >= alone, "{among_others} and {alone}");
    }
}

/// 5,000 on the quarter of an hour, and each reading in twelve is lost.
#[test]
fn devices_that_report_together_are_found_though_readings_are_lost() {
    let whole = recorded("a", 5_000, 900_000, 25, |_| 0);
    // 5,000 has no divisor 12: it is another reading of each device.
    let kept = whole.lines().enumerate().filter(|(n, _)| n % 12 != 0);
    let kept: String = kept.flat_map(|(_, line)| [line, "\n"]).collect();
    let (_folder, path) = file(&kept);
    let answer = json_of(&format!("--trace {path}"));
    assert_eq!(answer["plan"]["binding"], serde_json::json!(["delay"]), "{}", answer["plan"]);
}

/// A minute of one day and a minute of the next: 3,000 a second, not 4.
#[test]
fn a_recording_with_gaps_is_planned_for_what_is_between_them() {
    let minute = |day: u64| recorded("a", 300, 100, 600, move |d| day * 86_400_000 + d / 3);
    let (_folder, path) = file(&of_size(&format!("{}{}", minute(0), minute(1)), 512));
    let answer = json_of(&format!("--trace {path}"));
    let hottest = answer["plan"]["chosen"]["hottest"]["records_per_s"].as_f64().expect("a number");
    let shards = answer["plan"]["shards"].as_f64().expect("a number");
    assert!(shards >= 4.0 && shards * hottest > 2_900.0, "{shards} and {hottest}");
    assert!(answer["warnings"].to_string().contains("gaps"), "{}", answer["warnings"]);
}

/// 3,000 of an hour, each there for a minute; 1,000 that 1,000 others take the place of; and 3,000 on the
/// minute, of which a third goes when another comes.
#[test]
fn devices_that_come_and_go_are_planned_for_as_many_as_were_there_at_a_time() {
    let sessions = recorded("s", 3_000, 1_000, 60, |device| device * 1_200);
    let replaced = recorded("r", 2_000, 1_000, 30, |device| device % 2 * 90_000 + device / 2);
    let together = recorded("t", 3_000, 60_000, 4, |device| device % 3 * 240_000 + device / 3);
    for (recording, seen, there) in [
        (sessions, 3_000, 50..=51),
        (replaced, 2_000, 1_000..=1_000),
        (together, 3_000, 1_000..=1_000),
    ] {
        let (_folder, path) = file(&of_size(&recording, 300));
        let trace = format!("--trace {path}");
        let answer = json_of(&trace);
        let classes = answer["inputs"]["classes"].as_array().unwrap();
        assert_eq!(classes.len(), 1, "{classes:?}");
        let counted = &classes[0]["devices"]["counted"];
        let planned = counted["devices"].as_u64().expect("counted, for the next have other keys");
        assert!(there.contains(&planned), "{planned} of {there:?}");
        assert!(counted["key_bytes"].as_u64().is_some_and(|bytes| (5..=6).contains(&bytes)));
        let period = classes[0]["period"].as_f64().expect("a number");
        assert!([1.0, 60.0].iter().any(|clock| (period / clock - 1.0).abs() < 0.01), "{period}");
        warned(&trace, &[&format!("{seen} devices, at most {planned} of them at a time")]);
    }
}

/// Sessions of five minutes, and in one of those each device sends more.
#[test]
fn devices_that_come_and_go_are_never_planned_for_less_than_their_busiest_minute() {
    for more in [0_u32, 4, 8, 15, 30] {
        let steady = recorded("a", 400, 2_000, 150, |d| d % 4 * 600_000 + d * 5);
        let busy = recorded("a", 400, 2_000, more.into(), |d| d % 4 * 600_000 + 121_000 + d * 5);
        let (_folder, path) = file(&of_size(&format!("{steady}{busy}"), 300));
        let answer = json_of(&format!("--trace {path}"));
        let classes = answer["inputs"]["classes"].as_array().unwrap();
        assert_eq!(classes[0]["devices"]["counted"]["devices"], 100, "{classes:?}");
        let per_s = answer["records_per_s"].as_f64().expect("a number");
        let came = f64::from(100 * (30 + more));
        assert!(60.0 * per_s > 0.99 * came, "{per_s} a second, and {came} in a minute");
    }
}

/// 6,000 within a minute of an hour.
#[test]
fn devices_that_are_seen_once_are_planned_for_their_busiest_minute_too() {
    let steady = recorded("a", 1, 1_000, 3_600, |_| 0);
    let once = recorded("b", 6_000, 1_000, 1, |device| 1_800_000 + device * 10);
    let (_folder, path) = file(&of_size(&format!("{steady}{once}"), 300));
    let answer = json_of(&format!("--trace {path}"));
    assert!(answer["records_per_s"].as_f64() > Some(100.0), "{}", answer["records_per_s"]);
}

/// On the minute each sends 60 records.
#[test]
fn devices_that_send_many_records_at_once_are_spoken_of() {
    let minute = recorded("a", 100, 60_000, 3, |_| 0);
    let minute = of_size(&minute, 512).repeat(60);
    let (_folder, path) = file(&minute);
    let answer = json_of(&format!("--trace {path}"));
    assert!(answer["warnings"].to_string().contains("in one second"), "{}", answer["warnings"]);
}

/// A camera sends 95 % of what a shard takes; the mean of all is 1,100 bytes.
#[test]
fn one_heavy_device_is_not_lost_among_many_that_send_as_often() {
    let light = of_size(&recorded("a", 999, 1_000, 5, |device| device), 100);
    let heavy = of_size(&recorded("camera", 1, 1_000, 5, |_| 500), 1_000_000);
    let (_folder, path) = file(&format!("{light}{heavy}"));
    refused(
        &format!("--trace {path}"),
        &["1 s with", "alone uses 95 %", "more shards cannot help"],
    );
}

#[test]
fn what_cannot_be_read_of_a_trace_is_counted_and_told() {
    let good = recorded("a", 20, 1_000, 30, |device| device * 50);
    let long = recorded(&"x".repeat(300), 1, 1_000, 2, |_| 0);
    let (_folder, path) = file(&format!("nonsense\n{good}{{\"ts\":1}}\n{long}"));
    let trace = format!("--trace {path} --bytes-are record");
    warned(&trace, &["4 lines of the trace are left out", "line 1"]);
    let (_folder, long) = file(&format!("{long}{good}"));
    warned(
        &format!("--trace {long}"),
        &["the first: line 1: a device with a name of 302 characters"],
    );
    warned(&format!("--trace {path}"), &["sizes of payloads"]);
    assert!(!answered(&trace).contains("sizes of payloads"));
    let (_folder, once) =
        file(&format!("{good}{{\"ts\":1780000200000,\"device\":\"b\",\"bytes\":9}}"));
    warned(&format!("--trace {once}"), &["shorter than two periods", "1 of which"]);
}

#[test]
fn a_trace_that_shows_nothing_is_an_error() {
    let (_empty, empty) = file("\n");
    refused(&format!("--trace {empty}"), &["the trace is empty"]);
    let (_bad, bad) = file("x\ny\n");
    refused(&format!("--trace {bad}"), &["no line of the trace can be read", "line 1"]);
    let (_short, short) = file("{\"ts\":5,\"device\":\"a\",\"bytes\":1}");
    refused(&format!("--trace {short}"), &["too short"]);
    refused("--trace /nowhere", &["/nowhere"]);
    refused(&format!("--trace {short} --devices 5"), &["trace and devices are both given"]);
    refused("--devices 5 --bytes-are record", &["--trace"]);
}
