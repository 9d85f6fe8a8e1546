//! The service where connections share it, and the way of one request through it.

use std::sync::{Arc, Mutex, PoisonError};

use hyper::HeaderMap;
use tokio::sync::watch;

use super::action::Action;
use super::auth;
use super::faults::Link;
use super::put::Put;
use super::refusal::Refusal;
use super::request::{self, StreamFields};
use super::service::{Counts, Service};
use super::store::Moment;

/// The service, shared by the connections and whoever watches.
#[derive(Debug)]
pub(super) struct Endpoint {
    service: Mutex<Service>,
    /// Other streams at the same address.
    others: Mutex<Vec<Arc<Self>>>,
    pub(super) counts: watch::Sender<Counts>,
    pub(super) link: watch::Sender<Link>,
}

impl Endpoint {
    pub(super) fn new(service: Service) -> Self {
        Self {
            link: watch::Sender::new(service.faults.link),
            counts: watch::Sender::new(service.counts),
            service: Mutex::new(service),
            others: Mutex::default(),
        }
    }

    /// Does something with the service, and tells those who wait for counts.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Service) -> T) -> T {
        // A panic elsewhere has been seen already; what is counted stays worth reading.
        let mut service = self.service.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = act(&mut service);
        self.counts.send_replace(service.counts);
        outcome
    }

    /// Adds a stream at the same address.
    pub(super) fn add(&self, other: Arc<Self>) {
        self.others.lock().unwrap_or_else(PoisonError::into_inner).push(other);
    }

    /// The other stream that a request names; `None` if it names this one, or none that there is.
    pub(super) fn other(&self, body: &[u8]) -> Option<Arc<Self>> {
        let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if others.is_empty() {
            return None;
        }
        let asked = request::read::<StreamFields<'_>>(body).ok()?;
        let is_meant = |other: &&Arc<Self>| other.with(|service| service.is_meant(&asked));
        others.iter().find(is_meant).map(Arc::clone)
    }

    /// Performs what a request asks for.
    ///
    /// # Errors
    ///
    /// The refusal that the service would answer with; then nothing is stored.
    pub(super) fn perform(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Moment,
    ) -> Result<Done, Refusal> {
        let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let action = target
            .and_then(Action::from_target)
            .ok_or_else(|| Refusal::new("UnknownOperationException", ""))?;
        let rules = self.with(|service| {
            auth::check(headers, service.faults.clock, now)?;
            service.permit(action)
        })?;
        // Reading the records is the bulk of the work and needs no lock.
        let put = match action {
            Action::PutRecords => Some(Put::records(body, rules)?),
            Action::PutRecord => Some(Put::record(body, rules)?),
            Action::DescribeStreamSummary
            | Action::ListShards
            | Action::GetShardIterator
            | Action::GetRecords => None,
        };
        self.with(|service| {
            let before = service.counts.records;
            let body = match (action, &put) {
                (Action::PutRecord, Some(put)) => service.put_record(put, now),
                (_, Some(put)) => service.put_records(put, now),
                (_, None) => service.look(action, body, now),
            }?;
            let stored = service.counts.records - before;
            service.counts.requests_unanswered += u64::from(stored > 0);
            service.counts.records_unanswered += stored;
            Ok(Done { body, stored })
        })
    }

    /// Notes that a request which stored this many records has its answer.
    pub(super) fn answered(&self, stored: u64) {
        self.with(|service| {
            service.counts.requests_unanswered -= u64::from(stored > 0);
            service.counts.records_unanswered -= stored;
        });
    }
}

/// What a request came to: the body of its answer, and how many records it stored.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) body: Vec<u8>,
    pub(super) stored: u64,
}
