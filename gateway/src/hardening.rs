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

#[cfg(test)]
mod tests {
    use std::env;
    use std::io::Write;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use rustix::process::{dumpable_behavior, getrlimit};

    use super::*;

    /// Tells this test that it is the process that dies.
    const DIES: &str = "TIDEGATE_TEST_DIES";

    /// Dies in a way that dumps core wherever that is possible, and says first how it stands.
    fn die() -> ! {
        let most = getrlimit(Resource::Core).maximum;
        setrlimit(Resource::Core, Rlimit { current: most, maximum: most }).unwrap();
        no_core_dumps().unwrap();
        let stands = (dumpable_behavior().unwrap(), getrlimit(Resource::Core));
        std::io::stdout().write_all(format!("{stands:?}\n").as_bytes()).unwrap();
        std::process::abort()
    }

    #[test]
    fn a_process_that_aborts_leaves_no_core() {
        if env::var_os(DIES).is_some() {
            die();
        }
        let here = tempfile::tempdir().unwrap();
        let test = "hardening::tests::a_process_that_aborts_leaves_no_core";
        let died = Command::new(env::current_exe().unwrap())
            .args(["--exact", "--nocapture", test])
            .env(DIES, "1")
            .current_dir(here.path())
            .output()
            .unwrap();
        let stands = (DumpableBehavior::NotDumpable, Rlimit { current: Some(0), maximum: Some(0) });
        let said = String::from_utf8_lossy(&died.stdout);
        assert!(said.contains(&format!("{stands:?}")), "{said}");
        assert!(died.status.signal().is_some() && !died.status.core_dumped(), "{}", died.status);
        assert_eq!(here.path().read_dir().unwrap().count(), 0, "no core file");
    }
}
