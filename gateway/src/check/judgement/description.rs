//! What a stream says of itself, against what is configured.

use crate::check::step::Finding;
use crate::deliver::kinesis::{Cause, Summary};

use super::Heard;

/// What the stream says of itself.
pub(in crate::check) fn description(heard: &Heard<'_>) -> Finding {
    let summary = match &heard.summary {
        Ok(summary) => summary,
        Err(refusal) if refusal.cause == Cause::NotPermitted => {
            return Finding::skipped(
                "not permitted, and not needed (tidegate policy --optional writes the statement)",
            );
        }
        Err(refusal) if refusal.cause.is_the_key() => return Finding::skipped("needs credentials"),
        Err(_) if heard.put.is_err() => return Finding::skipped("needs the stream"),
        Err(refusal) => return Finding::skipped(refusal.said.clone()),
    };
    let said = said(summary);
    let configured = heard.stream.shards;
    // What is being created has no shards yet.
    let differs = |shards: u32| shards != summary.open_shards && summary.open_shards > 0;
    if summary.places_records {
        let fix = "have it place records by their keys (aws kinesis, RecordDistributionStrategy \
                   USER_PARTITION_KEY): as it is, the order of a device is not kept, and it is paced \
                   as a whole";
        return Finding::warning(format!("{said}, places records itself (AUTO)"), fix);
    }
    match configured {
        Some(shards) if differs(shards) && !summary.is_on_demand => {
            let fix = format!(
                "set stream.shards = {}, or leave it out: {shards} is configured, and the pace goes by it",
                summary.open_shards
            );
            Finding::warning(said, fix)
        }
        Some(_) | None => Finding::ok(said),
    }
}

fn said(summary: &Summary) -> String {
    let Summary { status, is_on_demand, open_shards, kms_key, record_kib_max, .. } = summary;
    let mode = if *is_on_demand { "on demand" } else { "provisioned" };
    let encrypted = if kms_key.is_some() { "encrypted" } else { "not encrypted" };
    let mut said = format!("{status}, {mode}, {open_shards} shards, {encrypted}");
    if let Some(kib) = record_kib_max {
        said += &format!(", records up to {kib} KiB");
    }
    said
}
