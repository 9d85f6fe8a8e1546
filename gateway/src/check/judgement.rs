//! What the answers of an account mean. Pure.

use crate::config::{self, StreamTarget};
use crate::credentials::Found;
use crate::deliver::kinesis::{Cause, Identity, Outcome, Place, Probe, Refusal, Summary};

use super::advice;
use super::step::{Class, Finding, State};

mod clock;
mod description;
#[cfg(test)]
mod tests;

pub(super) use clock::clock;
pub(super) use description::description;

/// What to do about a stream that takes no more for now.
const BUSY: &str = "see who else writes to it, and what tidegate plan says of its shards";

/// Everything that was heard of an account.
#[derive(Debug, Clone)]
pub(super) struct Heard<'c> {
    /// What is configured of the stream.
    pub(super) stream: &'c config::Stream,
    /// How it was asked whether records are taken.
    pub(super) probe: Probe,
    /// Whose key it is; `None` when nobody was asked.
    pub(super) identity: Option<Result<Identity, Refusal>>,
    /// Whether the stream takes records.
    pub(super) put: Result<Outcome, Refusal>,
    /// What the stream is.
    pub(super) summary: Result<Summary, Refusal>,
    /// Whether the stream of the dead letters takes records, if there is one.
    pub(super) letters: Option<(&'c StreamTarget, Result<Outcome, Refusal>)>,
    /// What became of the canary, if one was wanted and could fly.
    pub(super) canary: Option<Result<Canary, Refusal>>,
}

/// A record that was stored to see it arrive.
#[derive(Debug, Clone)]
pub(super) struct Canary {
    /// Where it is.
    pub(super) place: Place,
    /// Whether it was read as it was stored; `None` if it did not show in time.
    pub(super) read: Result<Option<bool>, Refusal>,
}

impl Heard<'_> {
    /// Why the key is refused, if it is: the token service knows best, where it was asked.
    fn refusal_of_key(&self) -> Option<&Refusal> {
        let told = self.identity.iter().filter_map(|identity| identity.as_ref().err());
        let refused = told.chain(self.put.as_ref().err());
        refused.into_iter().find(|refusal| refusal.cause.is_the_key())
    }

    /// Why records cannot be encrypted, if that is why they are not taken.
    fn kms_refusal(&self) -> Option<&Refusal> {
        let canary = self.canary.as_ref().and_then(|canary| canary.as_ref().err());
        let refused = self.put.as_ref().err().into_iter().chain(canary);
        refused.into_iter().find(|refusal| matches!(refusal.cause, Cause::Kms(_)))
    }

    fn is_stored(&self) -> bool {
        let by_canary = self.canary.as_ref().is_some_and(Result::is_ok);
        by_canary || matches!(self.put, Ok(Outcome::Stored(_)))
    }
}

/// The key that was found in `source`, and whose it is.
pub(super) fn credentials(source: &str, found: &Found, heard: &Heard<'_>) -> Finding {
    let key = match &heard.identity {
        Some(Ok(identity)) => format!("key {} from {source}, of {}", found.key.id, identity.arn),
        Some(Err(_)) | None => format!("key {} from {source}", found.key.id),
    };
    if let Some(refusal) = heard.refusal_of_key() {
        let said = format!("{key}: {}", refusal.said);
        let advice = refusal.cause.advice().unwrap_or("give another key");
        return Finding::failed(Class::Credentials, said, advice);
    }
    let whose = match &heard.identity {
        Some(Ok(identity)) if identity.arn.ends_with(":root") => {
            let said = format!("{key}, the account's root user, who may do everything");
            let fix = "have a user made that may put records and nothing else (tidegate policy \
                       --format cli), take its key, and have the root user's key deleted";
            return Finding::warning(said, fix);
        }
        Some(Ok(_)) => key,
        Some(Err(refusal)) => format!("{key}; whose it is was not told: {}", refusal.said),
        None => format!("{key}; nobody was asked whose it is, since stream.endpoint is set"),
    };
    match found.exposed {
        None => Finding::ok(whose),
        Some(mode) => {
            let said =
                format!("{whose}; others than the file's owner may read it (mode {mode:03o})");
            Finding::warning(said, "chown it to the gateway's user, and then chmod 600 it")
        }
    }
}

/// Whether the stream takes records.
pub(super) fn stream(heard: &Heard<'_>) -> Finding {
    if let Ok(summary) = &heard.summary
        && matches!(summary.status.as_str(), "CREATING" | "DELETING")
    {
        let (name, status) = (heard.stream.target.as_str(), summary.status.to_lowercase());
        let fix = match status.as_str() {
            "creating" => "wait until it is active: that takes a minute or so",
            _ => "have it created again, or name another",
        };
        return Finding::failed(Class::Stream, format!("{name} is {status}"), fix);
    }
    let found = takes(heard, &heard.stream.target, &heard.put);
    match &heard.summary {
        // An endpoint that refuses what no shard can take may do so whether the stream exists or not.
        Err(refusal) if refusal.cause == Cause::NoStream && found.state == State::Ok => {
            let fix = advice::about(refusal, heard, &heard.stream.target);
            Finding::failed(Class::Stream, refusal.said.clone(), fix)
        }
        Ok(_) | Err(_) => found,
    }
}

/// Whether the stream of the dead letters takes them.
pub(super) fn letters(heard: &Heard<'_>) -> Finding {
    match &heard.letters {
        None => Finding::skipped("none is configured: dead letters stay on the disk"),
        Some((target, put)) => {
            let found = takes(heard, target, put);
            match put {
                // Nobody else tells.
                Err(refusal) if matches!(refusal.cause, Cause::Kms(_)) => {
                    let fix = advice::about(refusal, heard, target);
                    Finding::failed(Class::Stream, refusal.said.clone(), fix)
                }
                Ok(_) | Err(_) => found,
            }
        }
    }
}

fn takes(heard: &Heard<'_>, target: &StreamTarget, put: &Result<Outcome, Refusal>) -> Finding {
    let name = target.as_str();
    match put {
        Ok(Outcome::Possible) if heard.probe == Probe::Impossible => Finding::ok(format!(
            "{name} takes records, as far as can be told without storing one: this endpoint may not \
             know dry runs, and was given a record that no shard can take (--canary stores one)"
        )),
        Ok(Outcome::Possible) => Finding::ok(format!("{name} takes records, by a dry run")),
        Ok(Outcome::Stored(Place { shard, sequence_number })) => {
            let said = format!(
                "{name} takes records, but the endpoint does not know dry runs: a marked record is \
                 in {shard} as {sequence_number}"
            );
            let fix =
                "say another stream.endpoint: this one is not of Kinesis; and no --trust-dry-run";
            Finding::warning(said, fix)
        }
        Err(refusal) if refusal.cause.is_the_key() => Finding::skipped("needs credentials"),
        Err(refusal) if matches!(refusal.cause, Cause::Kms(_)) => {
            Finding::ok(format!("{name} is there, and the key may put records: see kms"))
        }
        Err(refusal) if refusal.cause == Cause::Throttled => {
            Finding::warning(format!("{name} is busy: {}", refusal.said), BUSY)
        }
        Err(refusal) => {
            let fix = advice::about(refusal, heard, target);
            Finding::failed(Class::Stream, refusal.said.clone(), fix)
        }
    }
}

/// Whether the stream can encrypt, as far as that is known.
pub(super) fn kms(heard: &Heard<'_>) -> Finding {
    if let Some(refusal) = heard.kms_refusal() {
        let fix = advice::about(refusal, heard, &heard.stream.target);
        return Finding::failed(Class::Stream, refusal.said.clone(), fix);
    }
    let key = heard.summary.as_ref().map(|summary| summary.kms_key.as_deref());
    match key {
        Ok(None) => Finding::ok("the stream is not encrypted with a KMS key"),
        Ok(Some(key)) if key.ends_with("alias/aws/kinesis") => {
            Finding::ok("encrypted with the key of AWS itself, which needs no permission")
        }
        Ok(_) | Err(_) if heard.is_stored() => Finding::ok("a record could be stored"),
        Ok(Some(key)) => Finding::skipped(format!(
            "encrypted with {key}: whether it may be used shows with the first record (--canary)"
        )),
        Err(_) if heard.put.is_err() => Finding::skipped("needs the stream"),
        Err(_) => Finding::skipped(
            "whether the stream is encrypted is not known: it shows with the first record (--canary)",
        ),
    }
}

/// What became of the canary.
pub(super) fn canary(heard: &Heard<'_>, is_wanted: bool) -> Finding {
    let Canary { place: Place { shard, sequence_number }, read } = match &heard.canary {
        None if is_wanted => return Finding::skipped("needs the stream"),
        None => return Finding::skipped("not asked for (--canary stores a marked record)"),
        Some(Err(refusal)) if refusal.cause == Cause::Throttled => {
            return Finding::warning(format!("not stored: {}", refusal.said), BUSY);
        }
        Some(Err(refusal)) => {
            let fix = advice::about(refusal, heard, &heard.stream.target);
            return Finding::failed(Class::Stream, refusal.said.clone(), fix);
        }
        Some(Ok(canary)) => canary,
    };
    let stored = format!("stored in {shard} as {sequence_number}");
    match read {
        Ok(Some(true)) => Finding::ok(format!("{stored}, and read back")),
        Ok(Some(false)) => {
            let fix = "see what stands between this machine and the stream: it changes records";
            Finding::warning(format!("{stored}, and read back as something else"), fix)
        }
        Ok(None) => {
            let fix = "look for it with aws kinesis get-records";
            Finding::warning(format!("{stored}, and did not show in time"), fix)
        }
        Err(refusal) if matches!(refusal.cause, Cause::NotPermitted | Cause::NotAllowed) => {
            Finding::ok(format!("{stored}; reading it back is not permitted"))
        }
        Err(refusal) => Finding::ok(format!("{stored}; it cannot be read back: {}", refusal.said)),
    }
}
