use super::carry::Carry;
use super::pieces;
use crate::limits::{
    FAN_OUT_ADVANTAGE_MAX, RECORD_BYTES_CEILING, RETENTION_MAX, RETENTION_MIN, SHARD_READS_PER_S,
};
use crate::loads::are_alike;
use crate::number::within;
use crate::{Budget, Class, Fleet, GoalFault, Goals, Growth, Placement};

/// Everything that is wrong with the goals for this fleet.
pub(super) fn of(fleet: &Fleet, goals: &Goals) -> Vec<GoalFault> {
    let mut faults = Vec::new();
    of_limiter(goals, &mut faults);
    of_readers(goals, &mut faults);
    of_records(fleet, goals, &mut faults);
    if goals.placement == Placement::Golden && !are_alike(fleet) {
        faults.push(GoalFault::GoldenUnlike);
    }
    if let Some(growth) = goals.growth
        && !(growth.per_month > -1.0 && growth.per_month.is_finite())
    {
        faults.push(GoalFault::Growth { per_month: growth.per_month });
    }
    let devices = fleet.devices() * goals.growth.map_or(1.0, Growth::most);
    if devices.is_finite() && devices > f64::from(u32::MAX) {
        faults.push(GoalFault::TooManyDevices { devices });
    }
    faults.extend(pieces::of(fleet, goals).filter(|pieces| !pieces.holds()).map(|pieces| {
        let (bytes, takes) = (pieces.bytes, pieces.p99);
        GoalFault::RecordAboveP99 { bytes, takes, p99: goals.p99 }
    }));
    // What is asked of one device makes sense only with goals that do.
    if faults.is_empty() {
        faults.extend(fleet.classes().iter().filter_map(|class| of_device(class, goals)));
    }
    faults
}

fn of_limiter(goals: &Goals, faults: &mut Vec<GoalFault>) {
    let Goals { target, fraction, risk, linger, p99, .. } = *goals;
    if target > fraction {
        faults.push(GoalFault::TargetAboveFraction { target, fraction });
    }
    if !(risk > 0.0 && risk < 1.0) {
        faults.push(GoalFault::Risk { risk });
    }
    let delays = [Some(p99), goals.restore.map(|restore| restore.p99)];
    let too_short = delays.into_iter().flatten().filter(|p99| linger > *p99);
    faults.extend(too_short.map(|p99| GoalFault::LingerAboveP99 { p99, linger }));
    let budget = Budget::of_shard(fraction);
    let (burst, per_s) = (budget.records_burst.get(), budget.records_per_s.get());
    if !within(f64::from(per_s) * linger.as_secs_f64(), f64::from(burst)) {
        faults.push(GoalFault::LingerAboveBurst { linger, burst, per_s });
    }
}

fn of_readers(goals: &Goals, faults: &mut Vec<GoalFault>) {
    let Goals { readers, .. } = goals;
    let (sharing, polls_per_s) = (readers.sharing, readers.polls_per_s);
    if !(polls_per_s >= 0.0 && polls_per_s.is_finite()) {
        faults.push(GoalFault::Polls { polls_per_s });
    } else if !within(f64::from(sharing) * polls_per_s, f64::from(SHARD_READS_PER_S)) {
        faults.push(GoalFault::TooManyPolls { sharing, polls_per_s });
    }
    if readers.fan_out > FAN_OUT_ADVANTAGE_MAX {
        faults.push(GoalFault::TooMuchFanOut { fan_out: readers.fan_out });
    }
    let retention = goals.retention;
    if !(RETENTION_MIN..=RETENTION_MAX).contains(&retention) {
        faults.push(GoalFault::Retention { retention });
    }
}

fn of_records(fleet: &Fleet, goals: &Goals, faults: &mut Vec<GoalFault>) {
    let max = goals.record_bytes_max;
    if !(1..=RECORD_BYTES_CEILING).contains(&(max as usize)) {
        faults.push(GoalFault::RecordMax { max });
    }
    for class in fleet.classes() {
        let bytes = class.largest_record_bytes();
        if bytes > u64::from(max) {
            faults.push(GoalFault::RecordTooLarge { class: class.name.clone(), bytes, max });
        }
    }
    if let Some(packing) = goals.packing
        && !(1..=max).contains(&packing.bytes_max)
    {
        faults.push(GoalFault::Packing { bytes: packing.bytes_max, max });
    }
}

/// What no number of shards can mend, because one device lives on one of them.
fn of_device(class: &Class, goals: &Goals) -> Option<GoalFault> {
    let carry = Carry::of_class(class, goals);
    let records_per_s = class.device_records_per_s();
    let sent = carry.flow(records_per_s, records_per_s * class.record_bytes());
    let name = || class.name.clone();
    let used = sent.used();
    if !within(used, 1.0) {
        return Some(GoalFault::DeviceAboveShard {
            class: name(),
            records_per_s: sent.records_per_s,
            bytes_per_s: sent.bytes_per_s,
        });
    }
    if !within(used, goals.target.get()) {
        let (used, target) = (100.0 * used, goals.target);
        return Some(GoalFault::DeviceAboveTarget { class: name(), used, target });
    }
    let outage = goals.outage?;
    let used = carry.used(sent);
    (!carry.drain(sent, outage).holds()).then(|| GoalFault::DrainUnreachable {
        lasts: outage.lasts,
        within: outage.drained_within,
        class: name(),
        used: 100.0 * used,
    })
}
