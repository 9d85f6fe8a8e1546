use std::num::NonZeroU32;

use libm::lgamma;

/// Most of `devices` on one of `shards` when keys are hashed: more than this on any shard has a
/// probability of at most `risk`.
///
/// The least m with `shards` × P(Binomial(`devices`, 1 ÷ `shards`) > m) ≤ `risk`. The tail is summed
/// exactly; taking all shards together (Bonferroni) makes the bound at most 5 % larger than the
/// quantile that it stands for. The normal approximation is of no use: with few devices on a shard
/// it is a fifth too small.
pub(crate) fn hottest(devices: u32, shards: NonZeroU32, risk: f64) -> u32 {
    if shards == NonZeroU32::MIN || devices == 0 {
        return devices;
    }
    let n = f64::from(devices);
    let p = f64::from(shards.get()).recip();
    let odds = p / (1.0 - p);
    let allowed = risk * p;
    // From the most likely count up to where nothing is left that could matter …
    let mut count = (n * p).floor();
    let mut chance = likelihood_ln(n, p, count).exp();
    while count < n && chance > allowed * 1e-12 {
        chance *= (n - count) / (count + 1.0) * odds;
        count += 1.0;
    }
    // … and back down, collecting the tail, smallest terms first. `tail` is P(X >= count).
    let mut tail = chance;
    while tail <= allowed && count > 0.0 {
        chance *= count / ((n - count + 1.0) * odds);
        count -= 1.0;
        tail += chance;
    }
    crate::number::count_down(count)
}

/// The logarithm of P(Binomial(n, p) = k).
pub(super) fn likelihood_ln(n: f64, p: f64, k: f64) -> f64 {
    let ways = lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0);
    ways + k * p.ln() + (n - k) * (-p).ln_1p()
}
