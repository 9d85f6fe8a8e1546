//! What is played of a plan, for people.

use shard_estimator::cli::words;
use shard_estimator::{Devices, Estimator};

use super::Part;

/// What of `plan` is played in `part`, and how it differs, in sentences.
pub(super) fn of(part: &Part, plan: &Estimator) -> Vec<String> {
    let mut sentences = vec![devices(part)];
    sentences.extend(growth(plan));
    sentences.extend(idle_time(part));
    sentences.extend(outage(part, plan));
    let goals = plan.goals();
    let left_out = [("reads", goals.readers.sharing > 0), ("restore", goals.restore.is_some())];
    let left_out: Vec<_> = left_out.into_iter().filter(|it| it.1).map(|it| it.0).collect();
    if !left_out.is_empty() {
        sentences.push(format!("Not played: {}.", left_out.join(", ")));
    }
    sentences
}

fn devices(part: &Part) -> String {
    let fleet = part.estimator.fleet();
    let classes = fleet.classes().iter();
    let devices: Vec<_> =
        classes.map(|class| format!("{} {}", class.count(), class.name)).collect();
    let shards = words::shards(part.shards);
    let which = if part.played == part.shards.get() as usize {
        format!("All of {shards}")
    } else {
        format!("The busiest {} of {shards}", part.played)
    };
    format!("{which}, with {}: {:.1} records/s.", devices.join(", "), fleet.records_per_s())
}

fn growth(plan: &Estimator) -> Option<String> {
    let growth = plan.goals().growth?;
    let is_counted = |devices: &Devices| matches!(devices, Devices::Counted { .. });
    let grows = plan.fleet().classes().iter().any(|class| is_counted(&class.devices));
    grows.then(|| format!("The fleet is what it will be after {} months.", growth.horizon_months))
}

fn idle_time(part: &Part) -> Vec<String> {
    let planned = part.planned.fleet().classes();
    let differs = part.estimator.fleet().classes().iter().filter_map(|played| {
        let planned = planned.iter().find(|class| class.name == played.name)?;
        (planned.period != played.period).then(|| {
            format!(
                "Every {} stands for every {} of {}: idle time is left out.",
                words::time(played.period),
                words::time(planned.period),
                played.name,
            )
        })
    });
    differs.collect()
}

fn outage(part: &Part, plan: &Estimator) -> Option<String> {
    let (planned, played) = plan.goals().outage.zip(part.estimator.goals().outage)?;
    (planned != played).then(|| {
        format!(
            "An outage of {} stands for one of {}, and {} to catch up for {}.",
            words::time(played.lasts),
            words::time(planned.lasts),
            words::time(played.drained_within),
            words::time(planned.drained_within),
        )
    })
}
