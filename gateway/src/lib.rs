//! Tidegate: sensor readings from MQTT into a Kinesis data stream that belongs to somebody else.
//!
//! The modules, in the order in which a record meets them:
//!
//! - [`source`]: connections to the broker. A publish gets a receipt of [`ack`], which is what is
//!   acknowledged, in order, once everything made of the publish is safe.
//! - [`normalise`]: bytes into records ([`record`]), or into a [`dead_letter`].
//! - [`route`]: the stream, and the partition key there; [`register`] numbers the keys that are placed
//!   by their number.
//! - [`custody`]: who answers for the record: the broker, the [`spool`], or nobody any more.
//! - [`queue`]: order within a key, and who may go now.
//! - [`dispatch`]: one scheduler: pace and batches.
//! - [`deliver`]: calls of `PutRecords`, and what became of each record.
//! - [`spool`]: records on local disk while the stream is late or away.
//!
//! [`pipeline`] wires them; begin there. [`config`] is what the operator said, [`limits`] what we
//! say, [`metrics`] and [`telemetry`] what we tell, [`books`] what we told since the first run;
//! [`state_dir`] is how it stays on the disk. [`credentials`] finds the key that signs, [`hardening`]
//! keeps it out of core dumps, and [`policy`] is what the streams' owner must allow it. [`topic`] and
//! [`filter`] know how MQTT names things, [`addressee`] for which stream something is kept, [`backoff`]
//! how pauses grow, [`login`] and [`authorities`] what is read before a connection is made, [`hearsay`]
//! what of others' words may be repeated. [`check`] looks whether all of it could work now. [`cli`] reads
//! the command line and [`commands`] does what it says. [`rehearsal`] is a world to try it all in.

pub mod ack;
pub mod addressee;
pub mod authorities;
pub mod backoff;
pub mod books;
pub mod check;
pub mod cli;
mod clock;
pub mod commands;
pub mod config;
pub mod credentials;
pub mod custody;
pub mod dead_letter;
pub mod deliver;
pub mod dispatch;
pub mod filter;
pub mod hardening;
pub mod hearsay;
pub mod limits;
pub mod login;
pub mod metrics;
pub mod normalise;
pub mod pipeline;
pub mod policy;
pub mod queue;
pub mod record;
pub mod register;
#[cfg(feature = "rehearsal")]
pub mod rehearsal;
pub mod route;
pub mod source;
pub mod spool;
pub mod state_dir;
pub mod telemetry;
pub mod topic;
