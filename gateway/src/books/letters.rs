//! What the books are held against.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::Path;

/// How many dead letters lie in `dir`; none if it is not there. Beside a running gateway, too.
///
/// # Errors
/// When the directory or a file cannot be read.
pub fn count_letters(dir: &Path) -> io::Result<u64> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut letters = 0;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|end| end != "ndjson") {
            continue;
        }
        match File::open(path) {
            // Dropped to make room, or purged, just now.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            file => letters += count_lines(BufReader::new(file?))?,
        }
    }
    Ok(letters)
}

/// Without holding the text: a file may be larger than the memory.
fn count_lines(mut text: impl BufRead) -> io::Result<u64> {
    let mut lines = 0;
    while text.skip_until(b'\n')? > 0 {
        lines += 1;
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_counted_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(count_letters(&dir.path().join("none")).unwrap(), 0);
        fs::write(dir.path().join("dead-letters-000001.ndjson"), "{}\n{}\n").unwrap();
        fs::write(dir.path().join("dead-letters-000002.ndjson"), "{}\n{\"to").unwrap();
        fs::write(dir.path().join("lock"), "\n\n\n").unwrap();
        assert_eq!(count_letters(dir.path()).unwrap(), 4);
    }
}
