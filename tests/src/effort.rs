//! How hard the suites try, and how chance is repeated.
//!
//! The ordinary suites take what fits into every build. With `TIDEGATE_TESTS=long` those that know
//! a longer version run that: more kills, longer outages. What is drawn by chance says its seed, and
//! `TIDEGATE_SEED` draws it again.

use std::env;

/// Whichever belongs to this run.
#[must_use]
pub fn ordinary_or_long<T>(ordinary: T, long: T) -> T {
    if env::var("TIDEGATE_TESTS").is_ok_and(|effort| effort == "long") { long } else { ordinary }
}

/// Dice whose seed is said, so that a failure can be repeated.
#[must_use]
#[expect(clippy::print_stderr, reason = "the seed belongs to the test's failure")]
pub fn dice() -> fastrand::Rng {
    let said = env::var("TIDEGATE_SEED").ok();
    let seed = said.map_or_else(|| fastrand::u64(..), |seed| seed.parse().expect("a number"));
    eprintln!("again with TIDEGATE_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}
