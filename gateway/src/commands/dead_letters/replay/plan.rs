//! What a letter becomes today. Pure.

use crate::dead_letter::{Fingerprint, Letter, Origin, Payload};
use crate::normalise::{Normaliser, Reject};
use crate::pipeline::Unsent;
use crate::route::Router;

/// What to do with a letter.
pub(super) enum Plan {
    /// These are its records.
    Send(Vec<Unsent>),
    /// It is still no record.
    StillBad(Reject),
    /// Its bytes were not kept.
    Hashed,
}

/// Makes records of letters, as the configuration says today.
pub(super) struct Planner {
    pub(super) normaliser: Normaliser,
    pub(super) router: Router,
}

impl Planner {
    /// `line` stands in for what told receipts apart: the same letter gets the same ids each time.
    pub(super) fn plan(&mut self, letter: &Letter, line: Fingerprint) -> Plan {
        let Payload::Whole(payload) = &letter.payload else { return Plan::Hashed };
        let topic = match &letter.origin {
            Origin::Topic(topic) => topic,
            Origin::Key(key) => {
                return Plan::Send(vec![Unsent { key: key.clone(), data: payload.clone() }]);
            }
        };
        match self.normaliser.normalise(topic, payload, letter.at_ms, line.nonce()) {
            Err(reject) => Plan::StillBad(reject),
            Ok(records) => {
                let topic = str::from_utf8(topic).unwrap_or_default();
                let unsent = records.into_iter().map(|record| Unsent {
                    key: self.router.key(&record, topic),
                    data: record.data,
                });
                Plan::Send(unsent.collect())
            }
        }
    }
}
