//! What is played of a plan, for people.

use shard_estimator::cli::words;
use shard_estimator::{Class, Devices, Estimator};

use super::{Figure, Part};

/// What of `plan` is played in `part`, and how it differs, in sentences.
pub(super) fn of(part: &Part, plan: &Estimator) -> Vec<String> {
    let mut sentences = vec![devices(part)];
    sentences.extend(growth(plan));
    sentences.extend(idle_time(part, plan));
    sentences.extend(outage(part, plan));
    let left_out = left_out(part, plan);
    if !left_out.is_empty() {
        sentences.push(format!("Not played: {}.", left_out.join(", ")));
    }
    sentences.iter().map(|sentence| words::printable(sentence)).collect()
}

fn left_out(part: &Part, plan: &Estimator) -> Vec<String> {
    let goals = plan.goals();
    let mut left_out = Vec::new();
    if part.gateways.get() > 1 {
        left_out.push(format!("{} gateways (one sends it all)", part.gateways));
    }
    if goals.readers.sharing > 0 {
        left_out.push("reads".to_owned());
    }
    if goals.restore.is_some() {
        left_out.push("restore".to_owned());
    }
    let named = plan.fleet().classes().iter().filter(|class| !grows(class));
    if goals.growth.is_some() {
        left_out.extend(named.map(|class| format!("growth of {}", class.name)));
    }
    left_out
}

/// Devices that are named stay as many: nobody knows the names of others.
fn grows(class: &Class) -> bool {
    matches!(class.devices, Devices::Counted { .. })
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
    let classes = plan.fleet().classes();
    let grown: Vec<_> = classes.iter().filter(|class| grows(class)).collect();
    let months = growth.horizon_months;
    if grown.len() == classes.len() {
        return Some(format!("The fleet is what it will be after {months} months."));
    }
    let names: Vec<_> = grown.iter().map(|class| class.name.as_str()).collect();
    let names = names.join(", ");
    (!grown.is_empty()).then(|| format!("As many as they will be after {months} months: {names}."))
}

fn idle_time(part: &Part, plan: &Estimator) -> Vec<String> {
    let planned = plan.fleet().classes();
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
    let mut sentences: Vec<_> = differs.collect();
    if !sentences.is_empty() {
        sentences.push(format!(
            "That adds up to {:.1} records/s to a shard, which is allowed in addition.",
            part.added_per_s
        ));
    }
    sentences
}

fn outage(part: &Part, plan: &Estimator) -> Option<String> {
    let (planned, played) = plan.goals().outage.zip(part.estimator.goals().outage)?;
    (planned != played).then(|| {
        let allowed_s = part.allowed.get(Figure::Drain).unwrap_or_default();
        format!(
            "An outage of {} stands for one of {}, and {} to catch up for {}.",
            words::time(played.lasts),
            words::time(planned.lasts),
            Figure::Drain.show(allowed_s),
            words::time(planned.drained_within),
        )
    })
}
