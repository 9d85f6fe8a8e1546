//! What is looked at, and what is found. Pure.

use std::time::Duration;

/// What is looked at. In the order of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The configuration, with the files that it names.
    Configuration,
    /// The clock of this machine, against that of the service.
    Clock,
    /// The authorities that vouch for certificates, of both sides.
    CaBundle,
    /// The names of both sides.
    Dns,
    /// The broker: connection, login, subscriptions.
    Broker,
    /// Whether the broker has room for what it keeps for us.
    Queue,
    /// The key that signs: whether there is one, and whose.
    Credentials,
    /// Whether the stream takes records.
    Stream,
    /// What it says of itself.
    Description,
    /// Whether it can encrypt.
    Kms,
    /// Whether the stream of the dead letters takes records.
    DeadLetterStream,
    /// A record that was stored to see it arrive.
    Canary,
    /// The disk.
    Disk,
}

impl Subject {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Configuration,
        Self::Clock,
        Self::CaBundle,
        Self::Dns,
        Self::Broker,
        Self::Queue,
        Self::Credentials,
        Self::Stream,
        Self::Description,
        Self::Kms,
        Self::DeadLetterStream,
        Self::Canary,
        Self::Disk,
    ];

    /// Its name for people and programs. Never changed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Clock => "clock",
            Self::CaBundle => "ca_bundle",
            Self::Dns => "dns",
            Self::Broker => "broker",
            Self::Queue => "queue",
            Self::Credentials => "credentials",
            Self::Stream => "stream",
            Self::Description => "description",
            Self::Kms => "kms",
            Self::DeadLetterStream => "dead_letter_stream",
            Self::Canary => "canary",
            Self::Disk => "disk",
        }
    }
}

/// Whose matter a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Whoever wrote the configuration.
    Configuration,
    /// The broker, or the way to it.
    Broker,
    /// Whoever gives the key.
    Credentials,
    /// The stream, its owner, or the way to it.
    Stream,
    /// The disk.
    Disk,
}

impl Class {
    /// Its name for programs. Never changed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Broker => "broker",
            Self::Credentials => "credentials",
            Self::Stream => "stream",
            Self::Disk => "disk",
        }
    }

    /// How a check ends of which this is the first failure. Never changed.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            // As every other command does: `EX_USAGE` of sysexits.h.
            Self::Configuration => 64,
            Self::Broker => 10,
            Self::Credentials => 11,
            Self::Stream => 12,
            Self::Disk => 13,
        }
    }
}

/// How it is, from the one that matters least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Nobody knows: it is not permitted to look, or what it needs has failed.
    Skipped,
    /// As it should be.
    Ok,
    /// The gateway works, and somebody should know this.
    Warning,
    /// The gateway does not work.
    Failed(Class),
}

impl State {
    /// Its name for people and programs. Never changed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed(_) => "failed",
        }
    }

    /// Whose matter it is, if it failed.
    #[must_use]
    pub const fn class(self) -> Option<Class> {
        match self {
            Self::Failed(class) => Some(class),
            Self::Skipped | Self::Ok | Self::Warning => None,
        }
    }
}

/// What was found. What is skipped or in order has no fix; the rest has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How it is.
    pub state: State,
    /// What there is to say, without secrets.
    pub said: String,
    /// What to do.
    pub fix: Option<String>,
}

impl Finding {
    /// Nobody knows, because of `why`.
    #[must_use]
    pub fn skipped(why: impl Into<String>) -> Self {
        Self { state: State::Skipped, said: why.into(), fix: None }
    }

    /// As it should be.
    #[must_use]
    pub fn ok(said: impl Into<String>) -> Self {
        Self { state: State::Ok, said: said.into(), fix: None }
    }

    /// The gateway works, and somebody should do this.
    #[must_use]
    pub fn warning(said: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { state: State::Warning, said: said.into(), fix: Some(fix.into()) }
    }

    /// The gateway does not work before somebody does this.
    #[must_use]
    pub fn failed(class: Class, said: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { state: State::Failed(class), said: said.into(), fix: Some(fix.into()) }
    }

    /// Both in one: in the state that matters more.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let fix = match (self.fix, other.fix) {
            (Some(one), Some(two)) => Some(format!("{one}\n{two}")),
            (one, two) => one.or(two),
        };
        let said = format!("{}; {}", self.said, other.said);
        Self { state: self.state.max(other.state), said, fix }
    }
}

/// What was looked at, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What was looked at.
    pub subject: Subject,
    /// Of which stream, where there are several: its label.
    pub stream: Option<String>,
    /// What was found.
    pub finding: Finding,
    /// How long that took: where several are asked together, all of them.
    pub took: Duration,
}

impl Step {
    /// Of these parts.
    #[must_use]
    pub fn of(subject: Subject, finding: Finding, took: Duration) -> Self {
        Self { subject, stream: None, finding, took }
    }

    /// The same, as one of the stream with this label.
    #[must_use]
    pub fn of_stream(self, label: &str) -> Self {
        Self { stream: Some(label.to_owned()), ..self }
    }

    /// What it is called for people: with its stream, where there are several.
    pub(super) fn title(&self) -> String {
        let name = self.subject.name();
        self.stream.as_ref().map_or_else(|| name.to_owned(), |label| format!("{name}[{label}]"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_findings_in_one_are_as_bad_as_the_worse_and_keep_both_fixes() {
        let ok = Finding::ok("a");
        let warning = Finding::warning("b", "mend b");
        let failed = Finding::failed(Class::Stream, "c", "mend c");
        assert_eq!(Finding::skipped("d").and(ok.clone()), Finding::ok("d; a"));
        assert_eq!(ok.and(warning.clone()), Finding::warning("a; b", "mend b"));
        let both = Finding::failed(Class::Stream, "b; c", "mend b\nmend c");
        assert_eq!(warning.and(failed), both);
    }

    #[test]
    fn every_class_ends_the_check_in_its_own_way() {
        let classes =
            [Class::Configuration, Class::Broker, Class::Credentials, Class::Stream, Class::Disk];
        assert_eq!(classes.map(Class::exit_code), [64, 10, 11, 12, 13]);
    }
}
