//! `measured`, and more of its kind: minutes more, so it is run by name.

#[expect(dead_code, reason = "the end-to-end suites do more in it")]
#[path = "../end_to_end/world.rs"]
mod world;

mod longer;
mod pace;
mod plans;

/// Held while something is measured: two at once would take the machine from each other.
static STAGE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
