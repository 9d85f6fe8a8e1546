//! Whether the gateway could do its work now, and if not, what to do: `tidegate check`.
//!
//! Beside a running gateway nothing is disturbed: the broker is visited as another client, the
//! stream is asked by a dry run, and nothing is stored unless a canary was wanted.
//!
//! [`step`] and [`report`] are what is found, pure. `broker`, `account` and `disk` look, side by side,
//! each within its own budget and all by one `deadline`; what the account's answers mean is decided
//! in `judgement`, pure again, with what to do in `advice`. `names` resolves, `port` listens, and
//! [`mod@apart`] waits for files.

use std::env;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::{join_all, join3};

use crate::config::{Config, Faults};

mod account;
mod advice;
pub mod apart;
mod broker;
mod deadline;
mod disk;
mod judgement;
mod names;
mod port;
pub mod report;
pub mod step;

use account::Account;
use apart::{DIRECTORIES_MAX, apart};
use deadline::{Deadline, timed};
use report::Report;
use step::{Class, Finding, Step, Subject};

/// What sends every call to AWS somewhere else, those for a key included.
const EVERY_ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// What was asked for beyond looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wishes {
    /// One marked record is stored, and read back where that is permitted.
    pub canary: bool,
    /// `stream.endpoint` is one of Kinesis, and knows dry runs, whatever its name.
    pub trust_dry_run: bool,
}

/// Looks at everything. Takes 25 s at most from `begun` on, unless a file hangs that the configuration
/// names. The broker is visited as `client_id`, or else by a name that nobody bears.
pub async fn check(
    config: &Config,
    client_id: Option<&str>,
    wishes: Wishes,
    begun: Instant,
) -> Report {
    let deadline = Deadline::from(begun);
    let broker = Box::pin(broker::look(&config.mqtt, client_id, deadline));
    let accounts = join_all(accounts(config).map(|account| account.look(wishes, deadline)));
    let whole = config.clone();
    let disk = timed(apart(DIRECTORIES_MAX, move || (disk::look(&whole), port::look(&whole))));
    let (broker, accounts, (disk, looking)) = join3(broker, accounts, disk).await;
    let (disk, port) = disk.unwrap_or_else(|| (disk::silent(config), None));
    let configuration = [Some(configuration(config)), port].into_iter().flatten();
    let configuration =
        configuration.map(|it| Step::of(Subject::Configuration, it, Duration::ZERO));
    let mut steps: Vec<_> = configuration.collect();
    steps.extend(broker);
    steps.extend(accounts.into_iter().flatten());
    steps.push(Step::of(Subject::Disk, disk, looking));
    Report::of(steps)
}

/// Every stream with its key.
fn accounts(config: &Config) -> impl Iterator<Item = Account<'_>> {
    let letters = config.dead_letter.stream.as_ref();
    let with = letters.map_or(&config.streams.first().label, |letters| &letters.with);
    config.streams.iter().map(move |stream| {
        let has_letters = stream.label == *with;
        Account { config, stream, has_letters }
    })
}

/// The report on a configuration at fault: nothing else can be looked at.
#[must_use]
pub fn faulty(faults: &Faults) -> Report {
    let fix = "correct the configuration; configs/tidegate.toml shows every key";
    alone(&Finding::failed(Class::Configuration, faults.to_string(), fix))
}

/// The report on a configuration, in the file `name`, that was not read in time, or of which something
/// else was not.
#[must_use]
pub fn unread(name: &Path, limit: Duration) -> Report {
    let said = format!(
        "{}, or a file that it names, was not read within {} s",
        name.display(),
        limit.as_secs()
    );
    let fix = "see that what they are on answers: a disk of the network may hang";
    alone(&Finding::failed(Class::Configuration, said, fix))
}

/// The report of which the configuration is all that was looked at.
fn alone(found: &Finding) -> Report {
    let skipped = |subject| {
        let finding = if subject == Subject::Configuration {
            found.clone()
        } else {
            Finding::skipped("needs the configuration")
        };
        Step::of(subject, finding, Duration::ZERO)
    };
    Report::of(Subject::ALL.into_iter().map(skipped).collect())
}

fn configuration(config: &Config) -> Finding {
    let broker = &config.mqtt.broker;
    let streams = config.streams.iter();
    let streams = streams.map(|one| format!("{} in {}", one.target.as_str(), one.region));
    let streams: Vec<_> = streams.collect();
    let said = format!("from {}:{} to {}", broker.host, broker.port, streams.join(", "));
    match env::var(EVERY_ENDPOINT) {
        Ok(url) if !url.is_empty() => {
            let fix = "leave it out, and say stream.endpoint if the stream has one of its own";
            let url = without_login(&url);
            Finding::warning(format!("{said}; {EVERY_ENDPOINT} = {url}, for all of AWS"), fix)
        }
        Ok(_) | Err(_) => Finding::ok(said),
    }
}

/// The same URL, without what may be a secret.
fn without_login(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_login, host)| host);
    // A password may have such characters, though no URL should.
    let path = path.rsplit_once('@').map_or(path, |(_login, rest)| rest);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_of_an_endpoint_is_not_repeated() {
        for (url, shown) in [
            ("http://user:HUNTER2@127.0.0.1:4566/x", "http://127.0.0.1:4566/x"),
            ("http://user:HUN@TER2@host", "http://host"),
            ("https://host:1", "https://host:1"),
            ("https://host/x?token=HUNTER2", "https://host/x"),
        ] {
            assert_eq!(without_login(url), shown);
        }
        assert!(!without_login("http://user:/HUNTER2@host").contains("HUNTER2"));
        assert!(!without_login("user:HUNTER2@host").contains("HUNTER2"));
    }
}
