//! Why a spool does not open.

use std::io;
use std::path::PathBuf;

/// Why a spool does not open. Each names the place and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{}: in use by another process{}; one gateway a directory", path.display(), of(*.pid))]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The other process.
        pid: Option<u32>,
    },
    /// It was written by a newer version.
    #[error(
        "{}: has format version {version}, and this gateway knows 1; run the version that wrote it \
         until the spool is empty, or set another spool.dir",
        file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// The version of its format.
        version: u32,
    },
    /// The disk does not give the end of the log, so that nothing tells which seqs are in use.
    #[error(
        "{}: its end cannot be read; start again once the disk gives it; if it never will, keep what \
         `tidegate spool export` still reads and move the file elsewhere",
        file.display()
    )]
    Unread {
        /// The last segment.
        file: PathBuf,
    },
    /// The disk says no.
    #[error("{}: {source}; {}", path.display(), advice(source))]
    Io {
        /// What was to be opened, read or created.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
}

fn of(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
}

/// What an operator does about a disk that refuses.
#[expect(clippy::wildcard_enum_match_arm, reason = "there is advice for some causes only")]
#[must_use]
pub fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "give the directory to the user who runs the gateway",
        io::ErrorKind::ReadOnlyFilesystem => "mount it writable, or set another spool.dir",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space, or set another spool.dir"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "spool.dir must be a directory"
        }
        _ => "check the disk, or set another spool.dir",
    }
}
