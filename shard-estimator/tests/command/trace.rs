//! Plans from recorded traces.

use std::fmt::Write;

use super::{answered, file, json_of, refused, warned};

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

#[test]
fn what_cannot_be_read_of_a_trace_is_counted_and_told() {
    let good = recorded("a", 20, 1_000, 30, |device| device * 50);
    let (_folder, path) = file(&format!("nonsense\n{good}{{\"ts\":1}}\n"));
    let trace = format!("--trace {path} --bytes-are record");
    warned(&trace, &["2 lines of the trace are left out", "line 1"]);
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
