//! What a letter becomes today. Pure.

use anyhow::{Context, Result};

use crate::config::Config;
use crate::dead_letter::{Fingerprint, Letter, NO_STREAM, Origin, Payload};
use crate::normalise::Normaliser;
use crate::pipeline::Unsent;
use crate::route::{Router, Routes};

/// What to do with a letter.
pub(super) enum Plan {
    /// These are its records, each with the place of its stream.
    Send(Vec<(usize, Unsent)>),
    /// It is still no record, or one that no stream takes.
    StillBad { reason: &'static str, detail: String },
    /// Its bytes were not kept.
    Hashed,
}

/// Makes records of letters, as the configuration says today.
pub(super) struct Planner {
    normaliser: Normaliser,
    routes: Routes,
    /// How keys are made for each stream, and what it is called if there may be others.
    streams: Vec<(Router, Option<String>)>,
    /// Where records go that name no stream that there is.
    to: Option<usize>,
}

impl Planner {
    /// Sends records that name no stream that there is `to` the one of this label.
    ///
    /// # Errors
    /// When there is none of this label, or a topic template is wrong.
    pub(super) fn new(config: &Config, to: Option<&str>) -> Result<Self> {
        let place = |label| config.streams.iter().position(|stream| stream.label == label);
        let to = to.map(|label| {
            place(label).with_context(|| format!("--to {label}: there is no such stream"))
        });
        let streams = config.streams.iter().map(|stream| {
            let label = stream.is_apart.then(|| stream.label.clone());
            (Router::new(stream.partition_key.as_deref()), label)
        });
        Ok(Self {
            normaliser: Normaliser::new(&config.records)?,
            routes: Routes::new(&config.streams),
            streams: streams.collect(),
            to: to.transpose()?,
        })
    }

    /// What the stream at this place is called, if there may be others.
    pub(super) fn label(&self, stream: usize) -> Option<String> {
        self.streams.get(stream)?.1.clone()
    }

    /// `line` stands in for what told receipts apart: the same letter gets the same ids each time.
    pub(super) fn plan(&mut self, letter: &Letter, line: Fingerprint) -> Plan {
        let Payload::Whole(payload) = &letter.payload else { return Plan::Hashed };
        let topic = match &letter.origin {
            Origin::Topic(topic) => topic,
            Origin::Record { key, stream } => {
                let Some(place) = self.place(stream.as_deref()) else {
                    return Plan::astray("it names no stream that there is: --to LABEL says one");
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
            let Some((place, (router, _))) = found else {
                return Plan::astray("no stream takes what is made of this");
            };
            let key = router.key(&record, topic);
            unsent.push((place, Unsent { key, data: record.data }));
        }
        Plan::Send(unsent)
    }

    /// Where a record goes that was made already. One that was for a stream that is gone may be for
    /// nobody else.
    fn place(&self, stream: Option<&str>) -> Option<usize> {
        let named =
            |label: &str| self.streams.iter().position(|(_, one)| one.as_deref() == Some(label));
        match stream {
            Some(label) => named(label).or(self.to),
            None if self.streams.len() == 1 => Some(0),
            None => self.to,
        }
    }
}

impl Plan {
    fn astray(detail: &str) -> Self {
        Self::StillBad { reason: NO_STREAM, detail: detail.to_owned() }
    }
}
