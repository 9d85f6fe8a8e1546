//! The service where connections share it, and the way of one request through it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::action::{Action, Api};
use super::auth;
use super::faults::Link;
use super::keys::{Account, Caller};
use super::put::Put;
use super::refusal::Refusal;
use super::request::{self, StreamFields};
use super::service::{Counts, Service};
use super::signature::Message;
use super::store::Moment;
use super::sts;

/// The service, shared by the connections and whoever watches.
#[derive(Debug)]
pub(super) struct Endpoint {
    service: Mutex<Service>,
    /// Shared by all streams at the address.
    account: Arc<Mutex<Account>>,
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
            account: Arc::default(),
            others: Mutex::default(),
        }
    }

    /// Another stream at the same address and of the same account.
    pub(super) fn beside(&self, service: Service) -> Arc<Self> {
        let other = Self { account: Arc::clone(&self.account), ..Self::new(service) };
        let other = Arc::new(other);
        self.others.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&other));
        other
    }

    /// Does something with the service, and tells those who wait for counts.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Service) -> T) -> T {
        // A panic elsewhere has been seen already; what is counted stays worth reading.
        let mut service = self.service.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = act(&mut service);
        self.counts.send_replace(service.counts);
        outcome
    }

    /// Does something with the account.
    pub(super) fn with_account<T>(&self, act: impl FnOnce(&mut Account) -> T) -> T {
        act(&mut self.account.lock().unwrap_or_else(PoisonError::into_inner))
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
        request: &Message<'_>,
        api: Api,
        now: Moment,
    ) -> Result<Done, Refusal> {
        let clock = self.with(|service| service.faults.clock);
        match api {
            Api::Sts => {
                let answer = |account: &mut Account| sts::answer(request, account, clock, now);
                let body = self.with_account(answer)?.into_bytes();
                Ok(Done { body, stored: 0 })
            }
            Api::Kinesis => {
                let target = request.header("x-amz-target");
                let action = target
                    .and_then(Action::from_target)
                    .ok_or_else(|| Refusal::new("UnknownOperationException", ""))?;
                let caller =
                    self.with_account(|account| auth::caller(request, api, account, clock, now))?;
                self.perform_for(&caller, action, request.body, now)
            }
        }
    }

    /// Performs what a caller who is known asks for.
    fn perform_for(
        &self,
        caller: &Caller,
        action: Action,
        body: &[u8],
        now: Moment,
    ) -> Result<Done, Refusal> {
        let rules = self.with(|service| service.permit(action, caller, body))?;
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
            if let Some(put) = &put {
                service.admit(put, caller)?;
            }
            let before = service.counts.records;
            let body = match (action, &put) {
                (Action::PutRecord, Some(put)) => service.put_record(put, now)?,
                (_, Some(put)) => service.put_records(put, now),
                (_, None) => service.look(action, caller, body, now)?,
            };
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
