//! The language of the suites: the parts of the whole path as processes, what is published into
//! it, and what comes out of it.
//!
//! - [`mosquitto`]: the broker. [`certificates`], [`websocket`]: its other doors.
//! - [`tls`], [`proxy`]: what may stand before a stream. [`imds`]: who may lend a key for it.
//! - [`installation`]: the gateway on its machine, run after run.
//! - [`small_disk`]: a file system that fills up.
//! - [`moto`]: somebody else's Kinesis; ours is [`tidegate::rehearsal::stream`].
//! - [`fleet`]: devices that publish. [`reading`]: what they publish, and what arrived of it.
//! - [`aws`]: whoever types commands in the account.
//! - [`metrics`]: what the gateway shows.
//! - [`browser`]: who reads a page.
//! - [`process`], [`patience`]: how the parts are watched, and how long. [`effort`]: how hard they are
//!   tried.
//!
//! Whatever does not come true in time fails the test, with what was waited for and with the last
//! words of every process.
#![expect(clippy::missing_panics_doc, reason = "panicking is how a test fails")]

use std::path::Path;

pub mod aws;
pub mod browser;
pub mod certificates;
pub mod effort;
pub mod fleet;
mod http;
pub mod imds;
pub mod installation;
pub mod metrics;
pub mod mosquitto;
pub mod moto;
pub mod patience;
pub mod process;
pub mod proxy;
pub mod reading;
pub mod small_disk;
pub mod tls;
pub mod websocket;

/// The folder of the whole workspace.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a member has a workspace")
}
