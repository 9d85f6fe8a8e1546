//! `ListShards`, for keys that may.

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::types::{Shard, ShardFilter, ShardFilterType};
use shard_estimator::{HashKey, OpenShard, ShardId};

use crate::config::StreamTarget;

use super::{Refusal, Trouble, invalid};

/// Calls for one list: twenty of 1,000 shards name all that a stream can have.
const CALLS_MAX: usize = 20;

/// The open shards.
///
/// # Errors
/// What a call was refused with, or that an answer cannot be understood.
pub(super) async fn open_shards(
    client: &Client,
    target: &StreamTarget,
) -> Result<Vec<OpenShard>, Trouble> {
    let (mut shards, mut token) = (Vec::new(), None);
    for _ in 0..CALLS_MAX {
        let call = client.list_shards();
        let call = match token {
            Some(token) => call.next_token(token),
            None => call
                .set_stream_name(target.only_name())
                .set_stream_arn(target.arn())
                .shard_filter(open()?),
        };
        let page = call.send().await.map_err(|error| Refusal::of(&error))?;
        for shard in page.shards().iter().filter(|shard| !is_closed(shard)) {
            shards.push(open_shard(shard).ok_or_else(|| invalid(format!("{shard:?}")))?);
        }
        token = page.next_token;
        if token.is_none() {
            return Ok(shards);
        }
    }
    // Part of a list would be taken for the whole.
    Err(invalid(format!("the list of shards has more than {CALLS_MAX} pages")))
}

/// Split or merged: it takes no more records. Some endpoints know no filter and list those too.
fn is_closed(shard: &Shard) -> bool {
    shard.sequence_number_range().is_some_and(|range| range.ending_sequence_number().is_some())
}

fn open() -> Result<ShardFilter, Trouble> {
    let filter = ShardFilter::builder().r#type(ShardFilterType::AtLatest).build();
    filter.map_err(|error| invalid(error.to_string()))
}

fn open_shard(shard: &Shard) -> Option<OpenShard> {
    let position = |text: &str| text.parse().ok().map(HashKey);
    let range = shard.hash_key_range()?;
    let (first, last) = (position(range.starting_hash_key())?, position(range.ending_hash_key())?);
    Some((ShardId::parse(shard.shard_id())?, first..=last))
}
