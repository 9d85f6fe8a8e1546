//! A small file system, which fills up and can be made read-only.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const BLOCK: &[u8] = &[0; 4 << 10];

/// A file system in memory, mounted for as long as this lives.
#[derive(Debug)]
pub struct SmallDisk {
    dir: TempDir,
}

impl SmallDisk {
    /// Mounts one of so many mebibytes.
    #[must_use]
    pub fn mount(mib: u32) -> Self {
        let disk = Self { dir: TempDir::new().expect("a temporary directory") };
        disk.run("mount", &["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"]);
        disk
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        let mut file = File::create(self.filler()).expect("a file needs no room");
        let full = loop {
            if let Err(error) = file.write_all(BLOCK) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull);
    }

    /// Gives the room back.
    pub fn clear(&self) {
        fs::remove_file(self.filler()).expect("it was filled");
    }

    /// From now on nothing can be written.
    pub fn make_read_only(&self) {
        self.run("mount", &["-o", "remount,ro"]);
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let done = Command::new(program).args(arguments).arg(self.path()).status();
        let done = done.is_ok_and(|status| status.success());
        assert!(done, "{program} fails: this test mounts a file system, for which it must be root");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open keeps it. A failure leaves a mount behind, no more.
        drop(Command::new("umount").arg("--lazy").arg(self.path()).status());
    }
}
