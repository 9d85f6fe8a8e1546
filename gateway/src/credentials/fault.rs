//! Why there is no key. A [`Fault`] can hold no piece of what was read.

use std::fmt;
use std::io;
use std::path::PathBuf;

use rustix::process::geteuid;
use thiserror::Error;

/// What is wrong with the text of a source, and what to do. Made of constants and a line, so that
/// nothing of the text can be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Where, counted from 1; `None` when the text as a whole is meant.
    pub line: Option<usize>,
    /// The column of a table or the name of a setting, as AWS spells it.
    pub column: Option<&'static str>,
    /// What is wrong and what to do.
    pub what: &'static str,
}

impl Fault {
    /// About the text as a whole.
    #[must_use]
    pub const fn whole(what: &'static str) -> Self {
        Self { line: None, column: None, what }
    }

    /// About a line, counted from 1.
    #[must_use]
    pub const fn line(line: usize, what: &'static str) -> Self {
        Self { line: Some(line), column: None, what }
    }

    /// The same about one column.
    #[must_use]
    pub const fn column(self, column: &'static str) -> Self {
        Self { column: Some(column), ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if let Some(column) = self.column {
            write!(f, "{column}: ")?;
        }
        f.write_str(self.what)
    }
}

impl std::error::Error for Fault {}

/// A source that gave no key.
#[derive(Debug, Error)]
#[error("{source_name}: {why}")]
pub struct NoKey {
    /// What the log calls it.
    pub source_name: String,
    /// Why not.
    pub why: Why,
}

/// Why a source gave no key.
#[derive(Debug, Error)]
pub enum Why {
    /// It says nothing that is a key.
    #[error("{0}")]
    Fault(#[from] Fault),
    /// The file is not there, or not for us.
    #[error("cannot be read: {}", unreadable(.0))]
    Unreadable(#[from] io::Error),
    /// A file below `$HOME` is not for us.
    #[error(
        "{} cannot be read: {error}; set HOME to the directory of the gateway's user, or say where \
         the key is", path.display()
    )]
    NotOurHome {
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        error: io::Error,
    },
    /// Somebody was writing meanwhile. The next reading will tell.
    #[error("was written to while it was read: it is read again")]
    Torn,
    /// Others may read the file, and `strict_permissions` is on.
    #[error(
        "can be read or written by others (mode {mode:03o}): run chmod 600 on it, or take \
         strict_permissions away"
    )]
    Exposed {
        /// The permission bits.
        mode: u32,
    },
    /// The program could not be run, or did not succeed. What it wrote to standard error is not
    /// shown: it may be a secret.
    #[error("{0}")]
    Program(String),
    /// A service of AWS gives no key, or is not reached; with what it said and what to do.
    #[error("{0}")]
    Service(String),
}

/// Why a file cannot be read, with what to do where somebody may not.
fn unreadable(error: &io::Error) -> String {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return error.to_string();
    }
    let uid = geteuid().as_raw();
    format!(
        "{error}; the gateway runs as user {uid}: run chown {uid} on it, and let that user into the \
         directories above"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_for_us_says_who_we_are_and_what_to_do() {
        let said = |kind: io::ErrorKind| Why::Unreadable(kind.into()).to_string();
        let chown = format!("run chown {} on it", geteuid().as_raw());
        assert!(said(io::ErrorKind::PermissionDenied).contains(&chown));
        assert!(said(io::ErrorKind::NotFound).ends_with("not found"));
    }
}
