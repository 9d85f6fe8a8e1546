//! A plan, played: the fleet that it is made for, against a stream of the planned shards.
//!
//! Nothing of what is compared is slowed down or made smaller: shards have their own limits, and
//! devices their own periods. What does not fit a machine, or an hour, is left out:
//!
//! - *Shards.* A shard knows nothing of its neighbours, and a plan is about the busiest one. So the
//!   busiest are played, with all of their devices, and the devices of all others stay silent
//!   ([`Part`]). This is what a scale scales.
//! - *Idle time.* Devices that report together once in a quarter of an hour do so as soon as the last
//!   wave is over ([`Acts`]). How long a wave waits does not change by that; how much is sent in a
//!   second does, and is predicted for what is played.
//! - *The outage.* Catching up takes a multiple of it that depends on the load alone, so it is
//!   shorter, and so is the time allowed afterwards.
//!
//! One gateway plays, however many the plan has: what it carries is the shards' limits, not its own.
//!
//! And two things are made certain that a plan leaves to chance and time. The fleet is as large as it
//! grows until the plan's horizon. And its keys, where they are not given, are about as unlucky as
//! the plan allows for: of several sets of keys the one that loads the busiest shard most, but not
//! more than planned.

mod acts;
mod busiest;
mod comparison;
mod fault;
mod figures;
mod keys;
mod measured;
mod part;
mod synopsis;
#[cfg(test)]
mod tests;
mod timetable;

pub use acts::Acts;
pub use comparison::Comparison;
pub use fault::Fault;
pub use figures::{Figure, Figures, THROTTLED_MAX};
pub use measured::{Heard, Measured, measured};
pub use part::{Asked, Part};
pub use timetable::Timetable;
