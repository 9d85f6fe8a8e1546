//! What a letter becomes today. Pure.

use anyhow::{Context, Result};

use crate::addressee::Addressee;
use crate::config::Config;
use crate::dead_letter::{Fingerprint, Letter, NO_STREAM, Origin, Payload};
use crate::normalise::Normaliser;
use crate::pipeline::Unsent;
use crate::record::PartitionKey;
use crate::route::{Router, Routes};

use super::Arguments;

/// What to do with a letter.
pub(super) enum Plan {
    /// These are its records, each with the place of its stream.
    Send(Vec<(usize, Unsent)>),
    /// It is still no record, or one that no stream takes.
    StillBad { reason: &'static str, detail: String },
    /// Its bytes were not kept.
    Hashed,
    /// Only those for one stream were asked for, and this is not.
    Unasked,
}

/// Makes records of letters, as the configuration says today.
pub(super) struct Planner {
    normaliser: Normaliser,
    routes: Routes,
    streams: Vec<Destination>,
    /// Where records go that name no stream that there is.
    to: Option<usize>,
    /// The stream whose letters alone are asked for.
    only: Option<usize>,
}

/// A stream of today.
struct Destination {
    /// How its keys are made.
    router: Router,
    /// What it is called, if there may be others.
    label: Option<String>,
    addressee: Addressee,
}

impl Planner {
    /// For the letters that are asked for.
    ///
    /// # Errors
    /// When there is no stream of a label that was said, or a topic template is wrong.
    pub(super) fn new(config: &Config, asked: &Arguments) -> Result<Self> {
        let place = |flag, label: &Option<String>| {
            let Some(label) = label else { return Ok(None) };
            let found = config.streams.iter().position(|stream| stream.label == *label);
            found.with_context(|| format!("{flag} {label}: there is no such stream")).map(Some)
        };
        let streams = config.streams.iter().map(|stream| Destination {
            router: Router::new(stream.partition_key.as_deref()),
            label: stream.is_apart.then(|| stream.label.clone()),
            addressee: Addressee::of(stream),
        });
        Ok(Self {
            normaliser: Normaliser::new(&config.records)?,
            routes: Routes::new(&config.streams),
            streams: streams.collect(),
            to: place("--to", &asked.to)?,
            only: place("--stream", &asked.stream)?,
        })
    }

    /// What is kept of a record that the stream at this place refused.
    pub(super) fn origin(&self, key: PartitionKey, stream: usize) -> Origin {
        let stream = self.streams.get(stream);
        let target = stream.map(|stream| stream.addressee.clone());
        Origin::Record { key, stream: stream.and_then(|stream| stream.label.clone()), target }
    }

    /// `line` stands in for what told receipts apart: the same letter gets the same ids each time.
    pub(super) fn plan(&mut self, letter: &Letter, line: Fingerprint) -> Plan {
        let plan = self.plan_for_any(letter, line);
        let is_for = |only| match &plan {
            Plan::Send(records) => records.iter().all(|(place, _)| *place == only),
            Plan::StillBad { .. } | Plan::Hashed | Plan::Unasked => false,
        };
        if self.only.is_none_or(is_for) { plan } else { Plan::Unasked }
    }

    fn plan_for_any(&mut self, letter: &Letter, line: Fingerprint) -> Plan {
        let Payload::Whole(payload) = &letter.payload else { return Plan::Hashed };
        let topic = match &letter.origin {
            Origin::Topic(topic) => topic,
            Origin::Record { key, stream, target } => {
                let was_taken = letter.reason != NO_STREAM;
                let place = was_taken.then(|| self.place(stream.as_deref(), target.as_ref()));
                let Some(place) = place.flatten().or(self.to) else {
                    return Plan::astray(
                        "the stream that it was for is none of those that there are: --to LABEL says one",
                    );
                };
                let unsent = Unsent { key: key.clone(), data: payload.clone() };
                return Plan::Send(vec![(place, unsent)]);
            }
        };
        let records = match self.normaliser.normalise(topic, payload, letter.at_ms, line.nonce()) {
            Ok(records) => records,
            Err(reject) => {
                let (reason, detail) = (reject.reason.as_str(), reject.detail);
                return Plan::StillBad { reason, detail };
            }
        };
        let topic = str::from_utf8(topic).unwrap_or_default();
        let kind = self.normaliser.kind(topic);
        let mut unsent = Vec::new();
        for record in records {
            let place = self.routes.of(&record, topic, kind);
            let found = place.and_then(|place| Some((place, self.streams.get_mut(place)?)));
            let Some((place, Destination { router, .. })) = found else {
                return Plan::astray("no stream takes what is made of this");
            };
            let key = router.key(&record, topic);
            unsent.push((place, Unsent { key, data: record.data }));
        }
        Plan::Send(unsent)
    }

    /// The stream of this label, or without one the only stream, if it is the one that a record was
    /// for; nobody else may have it.
    fn place(&self, label: Option<&str>, target: Option<&Addressee>) -> Option<usize> {
        let place = match label {
            Some(_) => self.streams.iter().position(|one| one.label.as_deref() == label),
            None => (self.streams.len() == 1).then_some(0),
        }?;
        let addressee = &self.streams.get(place)?.addressee;
        target.is_none_or(|target| target.may_be(addressee)).then_some(place)
    }
}

impl Plan {
    fn astray(detail: &str) -> Self {
        Self::StillBad { reason: NO_STREAM, detail: detail.to_owned() }
    }
}
