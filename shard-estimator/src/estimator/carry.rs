use std::time::Duration;

use super::pieces;
use crate::burst::{Drainage, Wave, p99_delay};
use crate::limits::{SHARD_BYTES_PER_S, SHARD_RECORDS_PER_S};
use crate::loads::{Loads, Waves};
use crate::number::count_up;
use crate::{
    Budget, Check, Class, Fleet, Flow, Goals, Hottest, Keys, Outage, Pieces, Sent, Wait, drain_time,
};

/// What one shard carries: holds the loads of a shard against the goals.
#[derive(Debug)]
pub(super) struct Carry<'a> {
    goals: &'a Goals,
    /// Of a record, on average over all that are sent.
    data_bytes: f64,
    key_bytes: f64,
    budget: Budget,
    /// What large records wait for, where any do.
    pieces: Option<Pieces>,
}

impl<'a> Carry<'a> {
    /// Of records of the whole fleet.
    pub(super) fn new(fleet: &Fleet, goals: &'a Goals) -> Self {
        let data_bytes = fleet.per_record(|class| class.sizes.mean_bytes());
        let all = Self::of_records(data_bytes, fleet.per_record(Class::key_bytes), goals);
        Self { pieces: pieces::of(fleet, goals), ..all }
    }

    /// Of records of one class.
    pub(super) fn of_class(class: &Class, goals: &'a Goals) -> Self {
        Self::of_records(class.sizes.mean_bytes(), class.key_bytes(), goals)
    }

    fn of_records(data_bytes: f64, key_bytes: f64, goals: &'a Goals) -> Self {
        let budget = Budget::of_shard(goals.fraction);
        Self { goals, data_bytes, key_bytes, budget, pieces: None }
    }

    /// Whether every goal but growth holds.
    pub(super) fn holds(&self, loads: &Loads) -> bool {
        self.checks(loads).iter().all(Check::holds)
    }

    /// Every constraint but growth.
    pub(super) fn checks(&self, loads: &Loads) -> Vec<Check> {
        let Goals { target, fraction, readers, .. } = *self.goals;
        let sent = self.flow(loads.records_per_s, loads.bytes_per_s);
        let mut checks = vec![
            Check::Records { hottest_per_s: sent.records_per_s, target },
            Check::Bytes { hottest_per_s: sent.bytes_per_s, target },
        ];
        if readers.sharing > 0 {
            let (hottest_per_s, sharing) = (sent.bytes_per_s, readers.sharing);
            checks.push(Check::Reads { hottest_per_s, sharing, fraction });
        }
        if loads.aligned.records.is_empty() {
            checks.extend(self.pieces.map(Check::Pieces));
        } else {
            let spread = self.flow(loads.spread.records_per_s, loads.spread.bytes_per_s);
            checks.push(Check::Delay(self.wait(&loads.aligned, spread, self.goals.p99)));
        }
        if let (Some(waves), Some(restore)) = (&loads.restored, self.goals.restore) {
            // Nobody stops measuring to send what was kept.
            checks.push(Check::Restore(self.wait(waves, sent, restore.p99)));
        }
        checks.extend(self.goals.outage.map(|outage| self.drain(sent, outage)));
        checks
    }

    pub(super) fn hottest(&self, loads: &Loads, fair_share: f64) -> Hottest {
        let sent = self.flow(loads.records_per_s, loads.bytes_per_s);
        Hottest {
            devices: loads.devices,
            skew: loads.devices / fair_share,
            records_per_s: sent.records_per_s,
            bytes_per_s: sent.bytes_per_s,
            records_used: sent.records_per_s / f64::from(SHARD_RECORDS_PER_S),
            bytes_used: sent.bytes_per_s / f64::from(SHARD_BYTES_PER_S),
        }
    }

    /// What is sent for so many records in a second.
    pub(super) fn sent(&self, records_per_s: f64) -> Sent {
        match self.goals.packing {
            None => Sent { records_per_s, data_bytes: self.data_bytes, records_each: 1.0 },
            Some(packing) => {
                let [data_bytes, key_bytes] = self.record();
                packing.sent(records_per_s, data_bytes, key_bytes, self.goals.linger)
            }
        }
    }

    /// What is sent of a flow, keys included. Packed records are as much heavier than those of mean
    /// ones as what is in them.
    pub(super) fn flow(&self, records_per_s: f64, bytes_per_s: f64) -> Flow {
        if self.goals.packing.is_none() {
            return Flow { records_per_s, bytes_per_s };
        }
        let sent = self.sent(records_per_s);
        let bytes_each = sent.data_bytes + self.key_bytes;
        let mean_per_s = records_per_s * self.record_bytes();
        let heavier = if mean_per_s > 0.0 { bytes_per_s / mean_per_s } else { 1.0 };
        Flow {
            records_per_s: sent.records_per_s,
            bytes_per_s: sent.records_per_s * bytes_each * heavier,
        }
    }

    /// The part of what the limiter allows that a shard takes.
    pub(super) fn used_by(&self, loads: &Loads) -> f64 {
        self.used(self.flow(loads.records_per_s, loads.bytes_per_s))
    }

    pub(super) fn used(&self, sent: Flow) -> f64 {
        let allowed = self.limiter();
        (sent.records_per_s / allowed.records_per_s).max(sent.bytes_per_s / allowed.bytes_per_s)
    }

    fn limiter(&self) -> Flow {
        let part = |limit| f64::from(self.goals.fraction.of(limit));
        Flow { records_per_s: part(SHARD_RECORDS_PER_S), bytes_per_s: part(SHARD_BYTES_PER_S) }
    }

    pub(super) fn drain(&self, sent: Flow, outage: Outage) -> Check {
        let used = self.used(sent);
        Check::Drain {
            used,
            outage: outage.lasts,
            takes: drain_time(outage.lasts, used),
            within: outage.drained_within,
        }
    }

    fn wait(&self, waves: &Waves, beside: Flow, allowed: Duration) -> Wait {
        let limiter = self.limiter();
        let records = Drainage {
            per_s: limiter.records_per_s,
            burst: f64::from(self.budget.records_burst.get()),
            beside_per_s: beside.records_per_s,
        };
        let bytes = Drainage {
            per_s: limiter.bytes_per_s,
            burst: 1024.0 * f64::from(self.budget.kib_burst.get()),
            beside_per_s: beside.bytes_per_s,
        };
        let packed = self.packed(waves);
        let waves = packed.as_ref().unwrap_or(waves);
        let waits = p99_delay(&waves.records, records)
            .zip(p99_delay(&waves.bytes, bytes))
            .map(|(records, bytes)| records.max(bytes));
        Wait {
            records: waves.records.iter().map(|wave| wave.amount).sum(),
            waves: waves.records.len(),
            jitter: waves.records.iter().map(|wave| wave.jitter).min().unwrap_or_default(),
            records_per_s: records.per_s,
            beside_per_s: records.beside_per_s,
            burst: self.budget.records_burst.get(),
            linger: self.goals.linger,
            p99: waits.map(|wait| wait.saturating_add(self.goals.linger)),
            allowed,
        }
    }

    /// The waves as they are sent: what comes together fills its packed records.
    fn packed(&self, waves: &Waves) -> Option<Waves> {
        let packing = self.goals.packing?;
        let [data_bytes, key_bytes] = self.record();
        let full = packing.full(data_bytes, key_bytes, Keys::Distinct);
        let bytes_each = f64::from(full.bytes) + self.key_bytes;
        let scaled = |waves: &[Wave], each: f64| {
            let scale = |wave: &Wave| Wave { amount: wave.amount * each, ..*wave };
            waves.iter().map(scale).collect()
        };
        let packed_each = f64::from(full.records).recip();
        let longer = packed_each * bytes_each / self.record_bytes();
        Some(Waves {
            records: scaled(&waves.records, packed_each),
            bytes: scaled(&waves.bytes, longer),
        })
    }

    /// Bytes of a record as a shard counts them, before packing.
    fn record_bytes(&self) -> f64 {
        self.data_bytes + self.key_bytes
    }

    /// Bytes of data and of key of a record, to whole bytes.
    fn record(&self) -> [u32; 2] {
        [count_up(self.data_bytes), count_up(self.key_bytes)]
    }
}
