//! Every kind of fault has a case: what is written, and what an operator reads.

use crate::config::{Config, Stream};

mod credentials;
mod faults;
mod network;
mod relations;
mod streams;
mod target;
mod watching;
mod whole_files;

/// What must be there, a line each, in front of a case: cases begin in line 6.
const MINIMAL: [(&str, &str); 5] = [
    ("mqtt.url", "'mqtt://b'"),
    ("mqtt.client_id", "'edge-1'"),
    ("mqtt.topics", "['t']"),
    ("stream.name", "'s'"),
    ("stream.region", "'eu-central-1'"),
];

/// A minimal configuration with the lines of `case`, which may say its keys anew or, with a line
/// such as `mqtt.topics!`, leave them out.
fn with(case: &str) -> String {
    let written = |key: &str| {
        case.lines()
            .any(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with([' ', '!'])))
    };
    let lines = MINIMAL.iter().map(|(key, value)| {
        if written(key) { "\n".to_owned() } else { format!("{key} = {value}\n") }
    });
    let case: Vec<_> = case.lines().filter(|line| !line.ends_with('!')).collect();
    lines.collect::<String>() + &case.join("\n")
}

/// The configuration of a case without faults.
#[track_caller]
fn config(case: &str) -> Config {
    let text = with(case);
    Config::parse(&text).unwrap_or_else(|faults| panic!("{faults}\nin\n{text}"))
}

/// The only stream of a case without faults.
#[track_caller]
fn stream(case: &str) -> Stream {
    config(case).streams.first().clone()
}

/// What an operator reads of a case, without the name of the file.
fn said(case: &str) -> Vec<String> {
    let text = with(case);
    let Err(faults) = Config::parse(&text) else { return vec![] };
    let said = faults.to_string();
    said.lines().map(|line| line.trim_start_matches("tidegate.toml:").trim().to_owned()).collect()
}

#[track_caller]
fn check(case: &str, expected: &[&str]) {
    assert_eq!(said(case), expected, "in\n{}", with(case));
}

/// Each row is the only line of its case, and the only fault; none if that is empty.
#[track_caller]
fn check_lines(rows: &[(&str, &str)]) {
    for (line, fault) in rows {
        let fault = if fault.is_empty() { vec![] } else { vec![format!("6: {fault}")] };
        check(line, &fault.iter().map(String::as_str).collect::<Vec<_>>());
    }
}
