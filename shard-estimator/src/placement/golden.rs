use std::num::NonZeroU32;

use crate::{HashKey, ShardRanges};

/// So many places are looked up; more devices are even beyond these.
const LOOKED_UP_MAX: u32 = 1 << 20;

/// Devices on each shard, when so many are numbered from 1 and lie where golden-ratio keys put them.
pub(super) fn by_shard(devices: u32, shards: NonZeroU32) -> Vec<f64> {
    let looked_up = devices.min(LOOKED_UP_MAX);
    let beyond = f64::from(devices - looked_up) / f64::from(shards.get());
    let ranges = ShardRanges::equal(shards);
    let mut by_shard = vec![beyond; shards.get() as usize];
    for number in 1..=looked_up {
        if let Some(on_shard) = by_shard.get_mut(ranges.shard_of(HashKey::golden(number)) as usize)
        {
            *on_shard += 1.0;
        }
    }
    by_shard
}
