use std::num::NonZeroU32;

use serde::Serialize;

use super::Faults;
use super::question::{Question, Said};
use super::running::Holding;
use crate::bill::Bill;
use crate::{
    AwsFormula, Carried, Class, Constraint, Estimator, Footprint, Goals, Outlook, Plan, Warning,
    ladder,
};

/// Changes when a field goes, or means something else.
pub(super) const SCHEMA_VERSION: u32 = 1;

/// Months that are looked at when the fleet grows, besides the horizon.
const MONTHS: [u32; 9] = [0, 1, 2, 3, 6, 9, 12, 18, 24];

/// What was asked.
#[derive(Debug, Serialize)]
pub(super) struct Inputs<'q> {
    classes: &'q [Class],
    goals: &'q Goals,
    region: &'q str,
    /// When the prices were compared with AWS's pages.
    prices_date: String,
    /// Gateways that share the stream.
    gateways: NonZeroU32,
    /// Shards that the stream has today, if that was said or seen.
    current_shards: Option<NonZeroU32>,
    /// Bytes of the highest second of the last 30 days, if that was said.
    on_demand_peak: Option<u32>,
    /// More shards than this are not fine.
    max_shards_ok: Option<NonZeroU32>,
}

impl<'q> Inputs<'q> {
    fn of(question: &'q Question) -> Self {
        Self {
            classes: question.estimator.fleet().classes(),
            goals: question.estimator.goals(),
            region: &question.region_name,
            prices_date: question.prices_date.to_string(),
            gateways: question.gateways(),
            current_shards: question.keys.current_shards,
            on_demand_peak: question.keys.on_demand_peak,
            max_shards_ok: question.max_shards_ok,
        }
    }
}

/// A plan with all that it means.
#[derive(Debug, Serialize)]
pub(super) struct Planned<'q> {
    schema_version: u32,
    inputs: Inputs<'q>,
    /// Records a second of the fleet.
    records_per_s: f64,
    /// Their bytes, data and keys.
    bytes_per_s: f64,
    /// The shards to buy, with one less and one more.
    pub(super) plan: Plan,
    /// Whether the shards of a running gateway's stream are enough, if one was asked.
    pub(super) holding: Option<Holding>,
    /// What each constraint needs by itself.
    pub(super) needs: Vec<Need>,
    /// What AWS's formula says.
    pub(super) aws_formula: AwsFormula,
    /// Shards with golden-ratio hash keys instead of hashed ones, if there is one gateway.
    pub(super) golden_shards: Option<NonZeroU32>,
    /// Shards that a growing fleet needs.
    pub(super) by_month: Vec<Month>,
    /// Steps from the shards of today.
    pub(super) ladder: Vec<NonZeroU32>,
    /// A month of the plan.
    pub(super) bill: Bill,
    /// A month with one shard less.
    pub(super) bill_less: Option<Bill>,
    /// A month with one shard more.
    pub(super) bill_more: Bill,
    /// What a gateway for all of it needs.
    pub(super) footprint: Footprint,
    /// What each of several needs, if several share it.
    pub(super) footprint_each: Option<Footprint>,
    /// What speaks against the plan.
    pub(super) warnings: Vec<Said>,
}

/// What one constraint needs by itself.
#[derive(Debug, Serialize)]
pub(super) struct Need {
    pub(super) constraint: Constraint,
    pub(super) shards: Option<NonZeroU32>,
}

/// What a fleet needs when it has grown for so long.
#[derive(Debug, Serialize)]
pub(super) struct Month {
    pub(super) months: u32,
    pub(super) shards: Option<NonZeroU32>,
}

impl<'q> Planned<'q> {
    pub(super) fn of(question: &'q Question) -> Result<Self, Faults> {
        let Question { estimator, region, keys, stream, .. } = question;
        let (fleet, goals, gateways) = (estimator.fleet(), estimator.goals(), question.gateways());
        let plan = estimator.plan().map_err(Faults::one)?;
        let bill_of = |shards| Bill::of(estimator, shards, region);
        let bill = bill_of(plan.shards);
        let needs = estimator.needs().into_iter();
        let golden_shards = golden_shards(question);
        Ok(Self {
            schema_version: SCHEMA_VERSION,
            inputs: Inputs::of(question),
            records_per_s: fleet.records_per_s(),
            bytes_per_s: fleet.bytes_per_s(),
            needs: needs.map(|(constraint, shards)| Need { constraint, shards }).collect(),
            aws_formula: AwsFormula::of(
                fleet.records_per_s(),
                fleet.per_record(|class| class.sizes.mean_bytes()),
                goals.readers.sharing,
            ),
            holding: stream.as_ref().map(|stream| {
                Holding::of(stream, keys.current_shards, &plan, goals.target, gateways)
            }),
            golden_shards,
            by_month: by_month(estimator),
            ladder: keys.current_shards.map(|now| ladder(now, plan.shards)).unwrap_or_default(),
            bill,
            bill_less: plan.less.as_ref().map(|less| bill_of(less.shards)),
            bill_more: bill_of(plan.more.shards),
            footprint: Footprint::of(estimator, plan.shards),
            // What a running gateway shows is the part of one already.
            footprint_each: (gateways > NonZeroU32::MIN && stream.is_none())
                .then(|| Footprint::of_each(estimator, plan.shards, gateways)),
            warnings: warnings_of(question, &plan.chosen, &bill, golden_shards),
            plan,
        })
    }
}

/// The shards that golden places would do with, where they can be had.
fn golden_shards(question: &Question) -> Option<NonZeroU32> {
    let plan = question.golden()?.plan().ok()?;
    Some(plan.shards)
}

/// What speaks against so many shards, whether they were planned or given, where golden places would do
/// with `golden`.
fn warnings_of(
    question: &Question,
    outlook: &Outlook,
    bill: &Bill,
    golden: Option<NonZeroU32>,
) -> Vec<Said> {
    let Question { estimator, region, keys, .. } = question;
    let of_hashing = golden.and_then(|golden| Warning::of_hashing(outlook, golden));
    let of_outlook = Warning::of_outlook(estimator, outlook, keys.current_shards);
    let of_bill = Warning::of_bill(bill, region);
    let of_all = of_hashing.iter().chain(&of_outlook).chain(&of_bill).map(Said::of);
    of_all.chain(question.warnings.iter().cloned()).collect()
}

fn by_month(estimator: &Estimator) -> Vec<Month> {
    let Some(growth) = estimator.goals().growth else { return Vec::new() };
    let mut months = MONTHS.to_vec();
    months.push(growth.horizon_months);
    months.sort_unstable();
    months.dedup();
    let shards = estimator.shards_by_month(&months);
    months.into_iter().zip(shards).map(|(months, shards)| Month { months, shards }).collect()
}

/// What a number of shards can carry.
#[derive(Debug, Serialize)]
pub(super) struct Reverse<'q> {
    schema_version: u32,
    inputs: Inputs<'q>,
    /// The shards.
    pub(super) outlook: Outlook,
    /// What they carry without breaking a goal, growth left aside.
    pub(super) carried: Carried,
    /// A month of them.
    pub(super) bill: Bill,
    /// What speaks against them.
    pub(super) warnings: Vec<Said>,
}

impl<'q> Reverse<'q> {
    pub(super) fn of(question: &'q Question, shards: NonZeroU32) -> Self {
        let Question { estimator, region, .. } = question;
        let bill = Bill::of(estimator, shards, region);
        let outlook = estimator.outlook(shards);
        Self {
            schema_version: SCHEMA_VERSION,
            inputs: Inputs::of(question),
            carried: estimator.carried(shards),
            warnings: warnings_of(question, &outlook, &bill, golden_shards(question)),
            outlook,
            bill,
        }
    }
}
