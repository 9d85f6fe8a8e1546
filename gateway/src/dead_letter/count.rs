//! How many letters there are.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::{PREFIX, SUFFIX, count_lines, unless_gone};

/// How many letters lie in `dir`; none if it is not there. Beside a running gateway, too.
///
/// # Errors
/// When the directory or a file cannot be read.
pub fn count(dir: &Path) -> io::Result<u64> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut letters = 0;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let is_ours = |name: &str| name.starts_with(PREFIX) && name.ends_with(SUFFIX);
        if name.to_str().is_some_and(is_ours)
            && let Some(file) = unless_gone(File::open(entry.path()))?
        {
            letters += count_lines(file)? as u64;
        }
    }
    Ok(letters)
}
