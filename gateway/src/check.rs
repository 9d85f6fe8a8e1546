//! Whether the gateway could do its work now, and if not, what to do: `tidegate check`.
//!
//! Beside a running gateway nothing is disturbed: the broker is visited as another client, the
//! stream is asked by a dry run, and nothing is stored unless a canary was wanted.
//!
//! [`step`] and [`report`] are what is found, pure. `broker`, `account` and `disk` look, side by side,
//! each within its own budget and all by one `deadline`; what the account's answers mean is decided
//! in `judgement`, pure again, with what to do in `advice`. `names` resolves.

use std::env;
use std::time::Duration;

use futures_util::future::{join, join_all};

use crate::clock::now;
use crate::config::{Config, Faults};

mod account;
mod advice;
mod broker;
mod deadline;
mod disk;
mod judgement;
mod names;
pub mod report;
pub mod step;

use account::Account;
use deadline::Deadline;
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

/// Looks at everything. Takes 25 s at most.
pub async fn check(config: &Config, wishes: Wishes) -> Report {
    let deadline = Deadline::from(now());
    let broker = Box::pin(broker::look(&config.mqtt, deadline));
    let accounts = join_all(accounts(config).map(|account| account.look(wishes, deadline)));
    let (broker, accounts) = join(broker, accounts).await;
    let begun = now();
    let disk = Step::of(Subject::Disk, disk::look(config), now() - begun);
    let mut steps = vec![Step::of(Subject::Configuration, configuration(config), Duration::ZERO)];
    steps.extend(broker);
    steps.extend(accounts.into_iter().flatten());
    steps.push(disk);
    Report::of(steps)
}

/// Every stream with its key. The first one's is that of the dead letters' stream, too.
fn accounts(config: &Config) -> impl Iterator<Item = Account<'_>> {
    let streams = config.streams.iter().enumerate();
    streams.map(move |(place, stream)| Account { config, stream, is_first: place == 0 })
}

/// The report on a configuration at fault: nothing else can be looked at.
#[must_use]
pub fn faulty(faults: &Faults) -> Report {
    let fix = "correct the configuration; configs/tidegate.toml shows every key";
    let fault = Finding::failed(Class::Configuration, faults.to_string(), fix);
    let skipped = |subject| {
        let finding = if subject == Subject::Configuration {
            fault.clone()
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
            Finding::warning(format!("{said}; {EVERY_ENDPOINT} = {url}, for all of AWS"), fix)
        }
        Ok(_) | Err(_) => Finding::ok(said),
    }
}
