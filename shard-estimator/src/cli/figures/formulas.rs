//! Each formula with its numbers, and where it is from.

use std::fmt;

use super::super::question::Question;
use super::super::words::{grouped, shards};
use crate::bill::{Bill, Billed, PUT_UNIT_BYTES};
use crate::{AwsFormula, Check, Constraint, Devices, Outlook, Placement};

/// A formula with its numbers.
#[derive(Debug)]
pub(in crate::cli) struct Formula {
    pub(in crate::cli) name: String,
    pub(in crate::cli) says: String,
    /// Where the formula and its constants are from.
    pub(in crate::cli) source: String,
}

impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, says, source } = self;
        writeln!(f, "{name}: {says}\n    from {source}")
    }
}

impl Formula {
    fn new(name: impl Into<String>, says: String, source: impl Into<String>) -> Self {
        Self { name: name.into(), says, source: source.into() }
    }
}

/// The formulas of an outlook and its bill.
pub(in crate::cli) fn of(question: &Question, outlook: &Outlook, bill: &Bill) -> Vec<Formula> {
    let checks = outlook.checks.iter().map(of_check);
    let costs = of_put_units(question, bill).into_iter().chain(of_shards(question, bill));
    std::iter::once(of_hottest(question, outlook))
        .chain(checks)
        .chain(costs)
        .chain([of_aws(question)])
        .collect()
}

fn of_check(check: &Check) -> Formula {
    let verdict = if check.holds() { "holds" } else { "broken" };
    let source = match check.constraint() {
        Constraint::Records | Constraint::Bytes => {
            "AWS, Kinesis Data Streams developer guide, quotas and limits: 1,000 records/s and \
             1 MiB/s into a shard, partition keys included"
        }
        Constraint::Reads => {
            "AWS, Kinesis Data Streams developer guide, quotas and limits: 2 MiB/s out of a shard"
        }
        Constraint::Delay | Constraint::Restore => {
            "a fluid behind a token bucket; a simulation of every record agrees within 30 ms"
        }
        Constraint::Drain => {
            "what comes in meanwhile waits as well; a simulation of an hour at 640 of 800 records/s \
             agrees: 14,400 s"
        }
        Constraint::Growth => "compound growth, up to what the shards carry of every other goal",
    };
    Formula::new(format!("{} ({verdict})", check.constraint()), check.explain(), source)
}

/// Plays that are held against what is reckoned: a hundred exceed a risk of 0.01.
const PLAYS: u32 = 10_000;

/// How the devices of the hottest shard are found.
fn of_hottest(question: &Question, outlook: &Outlook) -> Formula {
    let (fleet, goals) = (question.estimator.fleet(), question.estimator.goals());
    let (devices, most) = (grouped(fleet.devices()), grouped(outlook.hottest.devices));
    let of = shards(outlook.shards);
    let are_known = fleet.classes().iter().all(|class| matches!(class.devices, Devices::Known(_)));
    let (says, source) = match goals.placement {
        Placement::Even => (format!("{devices} devices on {of}, rounded up: {most}"), "division"),
        Placement::Golden => (
            format!(
                "the n-th of {devices} devices at n x 0x9e37...c835 mod 2^128, on {of}: {most}"
            ),
            "the golden ratio: every run of such points divides the circle almost evenly",
        ),
        Placement::Md5 if are_known => (
            format!("MD5 of each of {devices} partition keys, on {of}: {most}"),
            "AWS, Kinesis Data Streams developer guide, partition key: MD5, in equal hash ranges",
        ),
        Placement::Md5 => {
            let risk = goals.risk;
            let (of_shard, played) = if fleet.classes().len() == 1 {
                ("Bin(D, 1/S)".to_owned(), String::new())
            } else {
                let played = question.estimator.played(outlook.shards, PLAYS);
                let played = played.map_or_else(String::new, |hottest| {
                    let (seed, most) = (goals.seed, grouped(hottest.devices));
                    format!(
                        "; {} plays of hashing from seed {seed} show {most}",
                        grouped(PLAYS.into())
                    )
                });
                ("sum of Bin(D of the class, 1/S)".to_owned(), played)
            };
            let says = format!(
                "least m with S x P({of_shard} > m) <= risk, for {devices} devices on {of} and a risk \
                 of {risk}: {most}{played}"
            );
            (says, "the binomial tail, summed exactly, for each of S shards (Bonferroni)")
        }
    };
    Formula::new("hottest shard", says, source)
}

fn of_shards(question: &Question, bill: &Bill) -> Option<Formula> {
    let capacity = bill.provisioned?.capacity;
    let says = format!(
        "shards x 730 h x price = {} x 730 x ${} = {capacity}",
        bill.shards, question.region.shard_hour.0
    );
    Some(Formula::new("cost of shards, a month", says, price_list(question)))
}

fn of_put_units(question: &Question, bill: &Bill) -> Option<Formula> {
    let ingest = bill.provisioned?.ingest;
    let units = Billed::of(&question.estimator, bill.shards).put_units;
    let says = format!(
        "PUT units/s x 2,628,000 s x price = {} x 2,628,000 x ${} / 1,000,000 = {ingest}, a unit \
         being {} KiB of a record or a part of them",
        grouped(units),
        question.region.put_units_million.0,
        PUT_UNIT_BYTES / 1024,
    );
    Some(Formula::new("cost of PUT units, a month", says, price_list(question)))
}

fn price_list(question: &Question) -> String {
    let Question { region_name, prices_date, .. } = question;
    format!("the file of prices: {region_name}, {prices_date}")
}

fn of_aws(question: &Question) -> Formula {
    let (fleet, goals) = (question.estimator.fleet(), question.estimator.goals());
    let mean_bytes = fleet.per_record(|class| class.sizes.mean_bytes());
    let sharing = goals.readers.sharing;
    let AwsFormula { raw, shards } = AwsFormula::of(fleet.records_per_s(), mean_bytes, sharing);
    let says = format!(
        "max(KiB written / 1024, KiB read / 2048), the mean of {mean_bytes:.0} B first rounded up \
         to KiB, with {sharing} consumers: {raw:.2}, so {shards}; no term for records, skew, \
         bursts, outages or growth"
    );
    Formula::new(
        "AWS's formula",
        says,
        "AWS, Kinesis Data Streams developer guide, sizing a stream",
    )
}
