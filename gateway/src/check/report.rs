//! The report: for people, for programs, and as an exit code. Pure.

use serde::Serialize;

use crate::hearsay::harmless;

use super::step::{Class, Finding, State, Step};

/// Wide enough for every name without a label.
const NAME_WIDTH: usize = 19;
/// Wide enough for every state.
const STATE_WIDTH: usize = 8;

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Each subject of each stream at most once, in their order.
    steps: Vec<Step>,
}

/// The report as a program reads it. Names never change; there may be more of them.
#[derive(Serialize)]
struct Document<'r> {
    verdict: &'static str,
    available: bool,
    exit_code: u8,
    steps: Vec<Row<'r>>,
}

#[derive(Serialize)]
struct Row<'r> {
    name: &'static str,
    stream: Option<&'r str>,
    state: &'static str,
    said: &'r str,
    fix: Option<&'r str>,
    class: Option<&'static str>,
    took_ms: u64,
}

impl<'r> Row<'r> {
    fn of(step: &'r Step) -> Self {
        let Step { subject, stream, finding, took } = step;
        Self {
            name: subject.name(),
            stream: stream.as_deref(),
            state: finding.state.name(),
            said: &finding.said,
            fix: finding.fix.as_deref(),
            class: finding.state.class().map(Class::name),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl Report {
    /// Of these steps; those on the same subject, of the same stream or of none, are made one.
    #[must_use]
    pub fn of(mut steps: Vec<Step>) -> Self {
        // Streams stay in the order in which they come.
        steps.sort_by_key(|step| step.subject);
        let mut merged = Vec::<Step>::new();
        for step in steps {
            let is_same =
                |last: &mut Step| (last.subject, &last.stream) == (step.subject, &step.stream);
            match merged.pop_if(is_same) {
                Some(last) => merged.push(Step {
                    finding: last.finding.and(step.finding),
                    took: last.took.max(step.took),
                    ..last
                }),
                None => merged.push(step),
            }
        }
        Self { steps: merged }
    }

    /// Whose matter the first failure is, if there is one.
    #[must_use]
    pub fn failure(&self) -> Option<Class> {
        self.steps.iter().find_map(|step| step.finding.state.class())
    }

    /// How the program ends: 0 when the connection is available.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.failure().map_or(0, Class::exit_code)
    }

    fn verdict(&self) -> &'static str {
        let warns = self.steps.iter().any(|step| step.finding.state == State::Warning);
        match (self.failure(), warns) {
            (Some(_), _) => "connection unavailable",
            (None, true) => "connection available, with warnings",
            (None, false) => "connection available",
        }
    }

    /// For people: a line for each step, what to do below it, and the verdict.
    #[must_use]
    pub fn text(&self) -> String {
        let titles = self.steps.iter().map(|step| step.title().chars().count() + 1);
        let width = titles.max().unwrap_or_default().max(NAME_WIDTH);
        let indent = width + STATE_WIDTH;
        let mut text = String::new();
        for step in &self.steps {
            let (title, Finding { state, said, fix }) = (step.title(), &step.finding);
            // What services and files say may have lines of its own.
            let said = said.replace('\n', &format!("\n{:indent$}", ""));
            let state = state.name();
            text += &format!("{title:width$}{state:STATE_WIDTH$}{said}\n");
            for line in fix.iter().flat_map(|fix| fix.lines()) {
                text += &format!("{:indent$}> {line}\n", "");
            }
        }
        // Services say what they like.
        harmless(&text) + self.verdict() + "\n"
    }

    /// For programs: one JSON document.
    ///
    /// # Panics
    /// Never: it is made of strings and numbers.
    #[must_use]
    pub fn json(&self) -> String {
        let document = Document {
            verdict: self.verdict(),
            available: self.failure().is_none(),
            exit_code: self.exit_code(),
            steps: self.steps.iter().map(Row::of).collect(),
        };
        let json = serde_json::to_string_pretty(&document);
        json.expect("made of strings and numbers") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::step::Subject;
    use super::*;

    fn report(findings: impl IntoIterator<Item = (Subject, Finding)>) -> Report {
        let took = Duration::from_millis(7);
        Report::of(findings.into_iter().map(|(s, f)| Step::of(s, f, took)).collect())
    }

    #[test]
    fn steps_are_told_in_their_order_and_each_subject_once() {
        let report = report([
            (Subject::Dns, Finding::ok("one")),
            (Subject::Disk, Finding::ok("room")),
            (Subject::Clock, Finding::skipped("no answer")),
            (Subject::Dns, Finding::ok("two")),
        ]);
        let text = "clock              skipped no answer\n\
                    dns                ok      one; two\n\
                    disk               ok      room\n\
                    connection available\n";
        assert_eq!(report.text(), text);
        assert_eq!(report.exit_code(), 0);
    }

    #[test]
    fn steps_of_several_streams_stay_apart_and_the_lines_make_room_for_their_names() {
        let of = |label: &str, said: &str| {
            Step::of(Subject::Stream, Finding::ok(said), Duration::ZERO).of_stream(label)
        };
        let report = Report::of(vec![of("pumps", "one"), of("valves-of-north", "two")]);
        let text = "stream[pumps]           ok      one\n\
                    stream[valves-of-north] ok      two\n\
                    connection available\n";
        assert_eq!(report.text(), text);
    }

    #[test]
    fn the_first_failure_decides_how_the_check_ends() {
        let failed = |class| Finding::failed(class, "it fails", "mend it\nand again");
        let report = report([
            (Subject::Disk, failed(Class::Disk)),
            (Subject::Credentials, failed(Class::Credentials)),
            (Subject::Queue, Finding::warning("full", "raise it")),
        ]);
        assert_eq!(report.exit_code(), 11);
        let text = report.text();
        assert!(text.ends_with("connection unavailable\n"), "{text}");
        let indented = format!("\n{:27}> mend it\n{:27}> and again\n", "", "");
        assert_eq!(text.matches(&indented).count(), 2, "{text}");
    }

    #[test]
    fn nothing_that_is_said_or_advised_reaches_the_terminal_as_a_command() {
        let said = "\u{1b}[2J\rconnection available";
        let report = report([(Subject::Stream, Finding::failed(Class::Stream, said, said))]);
        let text = report.text();
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    }

    #[test]
    fn warnings_leave_the_connection_available() {
        let report = report([(Subject::Queue, Finding::warning("full", "raise it"))]);
        assert_eq!(report.exit_code(), 0);
        assert!(report.text().ends_with("connection available, with warnings\n"));
    }

    #[test]
    fn programs_read_the_same() {
        let report = report([
            (Subject::Broker, Finding::failed(Class::Broker, "no", "open the port")),
            (Subject::Kms, Finding::skipped("not permitted")),
        ]);
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        let expected = serde_json::json!({
            "verdict": "connection unavailable",
            "available": false,
            "exit_code": 10,
            "steps": [
                { "name": "broker", "stream": null, "state": "failed", "said": "no", "fix": "open the port",
                  "class": "broker", "took_ms": 7 },
                { "name": "kms", "stream": null, "state": "skipped", "said": "not permitted", "fix": null,
                  "class": null, "took_ms": 7 },
            ]
        });
        assert_eq!(json, expected);
    }
}
