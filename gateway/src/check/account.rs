//! The side of a stream: the way there, the key, whose it is, and what the stream says.

use std::env;
use std::time::Duration;

use futures_util::future::join;

use crate::config::{self, Config, KeySource};
use crate::credentials::{NoKey, Source, Why};
use crate::deliver::kinesis::KeySources;

use super::Wishes;
use super::deadline::{Deadline, connecting_max, timed};
use super::judgement;
use super::step::{Class, Finding, Step, Subject};

mod asking;
mod way;

use asking::{Asking, marked};
use way::Way;

/// Longest wait for a key. Most sources bound themselves below this; a program may be given longer, and
/// what a role is assumed with comes before it.
const KEY_MAX: Duration = Duration::from_secs(20);

/// A stream, and what is looked at with its key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account<'c> {
    /// All that is configured.
    pub(super) config: &'c Config,
    /// The stream.
    pub(super) stream: &'c config::Stream,
    /// Whether its key is that of the dead letters' stream, too.
    pub(super) has_letters: bool,
}

impl Account<'_> {
    /// Looks at it.
    pub(super) async fn look(self, wishes: Wishes, deadline: Deadline) -> Vec<Step> {
        let of_letters = |step: &Step| step.subject == Subject::DeadLetterStream;
        let (are_several, label) = (self.config.streams.count() > 1, &self.stream.label);
        let steps = Box::pin(self.steps(wishes, deadline)).await.into_iter();
        let ours = steps.filter(|step| self.has_letters || !of_letters(step));
        let labelled = |step: Step| match are_several && !of_letters(&step) {
            true => step.of_stream(label),
            false => step,
        };
        ours.map(labelled).collect()
    }

    async fn steps(self, wishes: Wishes, deadline: Deadline) -> Vec<Step> {
        let letters = self.config.dead_letter.stream.as_ref().filter(|_| self.has_letters);
        let letters = letters.map(|letters| &letters.target);
        let stream = &bounded(self.stream);
        let source = KeySources::new(stream);
        let asked = deadline.within(KEY_MAX, source.load());
        let (way, (key, asking)) = join(Way::to(stream, deadline), timed(asked)).await;
        let credentials = |finding| Step::of(Subject::Credentials, finding, asking);
        let no_key = match key {
            Some(Ok(found)) => Ok(found),
            Some(Err(no_key)) => Err(without(&no_key, &stream.credentials.source)),
            None => Err(too_slow(&source)),
        };
        let found = match no_key {
            Ok(found) => found,
            Err(finding) => {
                return cut_short(way.steps, credentials(finding), "needs credentials");
            }
        };
        let unasked = |needs: &str| {
            let key = format!("key {} from {}; {needs} to be tried", found.key.id, source.name());
            credentials(Finding::skipped(key))
        };
        if let Some(needs) = way.needs {
            return cut_short(way.steps, unasked(needs), needs);
        }
        let (key, probe) = (&found.key, way.probe(wishes));
        let asking = Asking { stream, letters, key, probe, deadline };
        let data = marked(self.config);
        let (heard, calling) = timed(Box::pin(asking.hear(&data, wishes))).await;
        let (heard, behind_s) = match heard {
            Ok(heard) => heard,
            Err(error) => {
                return cut_short(way.steps, unasked("needs ca_bundle"), &format!("{error:#}"));
            }
        };
        let of = |subject, finding| Step::of(subject, finding, calling);
        let mut steps = way.steps;
        steps.extend([
            of(Subject::Clock, judgement::clock(behind_s)),
            credentials(judgement::credentials(&source.name(), &found, &heard)),
            of(Subject::Stream, judgement::stream(&heard)),
            of(Subject::Description, judgement::description(&heard)),
            of(Subject::Kms, judgement::kms(&heard)),
            of(Subject::DeadLetterStream, judgement::letters(&heard)),
            of(Subject::Canary, judgement::canary(&heard, wishes.canary)),
        ]);
        steps
    }
}

/// The same stream, for who does not wait for long. Calls are bounded one by one.
fn bounded(stream: &config::Stream) -> config::Stream {
    let connect_timeout = connecting_max(stream.connect_timeout);
    config::Stream { connect_timeout, ..stream.clone() }
}

/// The steps until the credentials; those behind them cannot be taken.
fn cut_short(mut steps: Vec<Step>, credentials: Step, needs: &str) -> Vec<Step> {
    let subjects = [
        Subject::Clock,
        Subject::Stream,
        Subject::Description,
        Subject::Kms,
        Subject::DeadLetterStream,
        Subject::Canary,
    ];
    let skipped = |subject| Step::of(subject, Finding::skipped(needs), Duration::ZERO);
    steps.push(credentials);
    steps.extend(subjects.into_iter().map(skipped));
    steps
}

/// The finding on a source that gives no key.
fn without(no_key: &NoKey, source: &KeySource) -> Finding {
    let is_service = env::var_os("CREDENTIALS_DIRECTORY").is_some();
    let fix = if let (KeySource::Systemd { id }, false) = (source, is_service) {
        format!(
            "systemd gives it to a service alone. If the unit of the gateway has it, check as a \
             service that has it, too: systemd-run --pipe --wait -p LoadCredential={id}:FILE tidegate \
             check …, with the User= and the StateDirectory= of the unit"
        )
    } else {
        let first = match no_key.why {
            Why::Fault(_) => "mend that, or put the key as it was downloaded in its place",
            Why::Unreadable(_) => "put the file there, for the gateway's user alone (chmod 600)",
            Why::NotOurHome { .. }
            | Why::Torn
            | Why::Exposed { .. }
            | Why::Program(_)
            | Why::Service(_) => "see that there is a key, as [stream.credentials] says",
        };
        format!("{first}; the commands of tidegate policy --format cli have a key made")
    };
    Finding::failed(Class::Credentials, no_key.to_string(), fix)
}

/// The finding on a source that may be as slow as the configuration says, and slower than a check waits.
fn too_slow(source: &impl Source) -> Finding {
    let said = format!(
        "{}: no key within {} s, for which a check waits; the gateway waits as long as it is configured \
         to (stream.credentials.timeout_s)",
        source.name(),
        KEY_MAX.as_secs()
    );
    let fix = "have the key come sooner, so that it can be tried; or see in the gateway's log that it comes";
    Finding::failed(Class::Credentials, said, fix)
}
