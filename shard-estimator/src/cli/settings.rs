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
    let goals = question.estimator.goals();
    let Goals { target, fraction, .. } = goals;
    check(goals)?;
    let partitioning = match (goals.placement, question.keys.placement) {
        (Placement::Golden, _) => "partitioning = \"golden\"\n",
        (Placement::Md5, Some(Placement::Golden)) => {
            "# Keys are hashed: golden places are for one gateway.\n"
        }
        (Placement::Md5 | Placement::Even, _) => "",
    };
    let fleet = question.estimator.fleet();
    let instances = question.gateways();
    Ok(format!(
        "# Planned for {:.0} devices and {:.1} records/s.\n\
         [stream]\nshards = {shards}\n{partitioning}\n\
         [pace]\nmode = \"shards\"\ninstances = {instances}\nfraction = {fraction}\n\n\
         [plan]\ntarget = {target}\n\n\
         [batch]\nlinger_ms = {}\n",
        fleet.devices(),
        fleet.records_per_s(),
        goals.linger.as_millis(),
    ))
}

/// Finds what a plan counts on that the gateway does not do.
///
/// # Errors
/// All of it.
pub(super) fn check(goals: &Goals) -> Result<(), Faults> {
    let asks = [
        (
            goals.placement == Placement::Even,
            "no gateway places devices evenly: plan with placement md5 or golden",
        ),
        (goals.packing.is_some(), "the gateway does not pack records: plan with aggregate off"),
        (
            goals.linger.as_millis() == 0,
            "the gateway waits 1 ms at least: plan with a linger of that",
        ),
    ];
    let faults: Vec<_> =
        asks.iter().filter(|(asked, _)| *asked).map(|(_, fault)| (*fault).to_owned()).collect();
    if faults.is_empty() { Ok(()) } else { Err(Faults(faults)) }
}
