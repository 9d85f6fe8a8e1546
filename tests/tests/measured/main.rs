//! What is measured, and so has the machine to itself: in a crate of its own, and one at a time.

#[expect(dead_code, reason = "the end-to-end suites do more in it")]
#[path = "../end_to_end/world.rs"]
mod world;

#[path = "../end_to_end/two_streams/world.rs"]
mod two_streams;

mod capped;
mod pace;
mod plans;
mod streams;

/// Held while something is measured: two at once would take the machine from each other.
static STAGE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
