//! What a plan means for the gateway's configuration.

use std::num::NonZeroU32;

use super::Faults;
use super::question::Question;
use crate::{Goals, Placement};

/// The tables of the gateway's configuration that say how many shards there are, and how fast they
/// are sent to.
///
/// # Errors
/// When the plan counts on something that the gateway does not do.
pub(super) fn of(question: &Question, shards: NonZeroU32) -> Result<String, Faults> {
    let Goals { placement, packing, fraction, linger, .. } = question.estimator.goals();
    let mut faults = Vec::new();
    if *placement != Placement::Md5 {
        faults.push("the gateway leaves hashing to the stream: plan with placement md5".to_owned());
    }
    if packing.is_some() {
        faults.push("the gateway does not pack records: plan with aggregate off".to_owned());
    }
    let linger_ms = linger.as_millis();
    if linger_ms == 0 {
        faults.push("the gateway waits 1 ms at least: plan with a linger of that".to_owned());
    }
    if !faults.is_empty() {
        return Err(Faults(faults));
    }
    let fleet = question.estimator.fleet();
    let instances = question.keys.gateways.unwrap_or(NonZeroU32::MIN);
    Ok(format!(
        "# Planned for {:.0} devices and {:.1} records/s.\n\
         [stream]\nshards = {shards}\n\n\
         [pace]\nmode = \"shards\"\ninstances = {instances}\nfraction = {fraction}\n\n\
         [batch]\nlinger_ms = {linger_ms}\n",
        fleet.devices(),
        fleet.records_per_s(),
    ))
}
