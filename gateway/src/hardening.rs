//! What the process denies itself.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Sees to it that no core dump holds a secret: none is written, neither to a file nor to the
/// program that `core_pattern` may name, and no other process of this user may look into our memory.
///
/// For `main`, before any secret is read. Not inherited by what this process runs, except that its
/// core files are empty too. `/proc/self/environ` and `/proc/self/io` become root's by it.
///
/// # Errors
/// When the system refuses, as under a filter of system calls.
pub fn no_core_dumps() -> io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(())
}
