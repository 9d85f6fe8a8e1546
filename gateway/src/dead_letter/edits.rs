//! What is to be changed in the files, by the text of the lines: places shift while a gateway and
//! commands change the same files, texts do not.

use std::collections::HashMap;

use twox_hash::XxHash3_128;

/// What a line is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// That of a line, with or without its newline.
    #[must_use]
    pub fn of(line: &[u8]) -> Self {
        Self(XxHash3_128::oneshot(line.strip_suffix(b"\n").unwrap_or(line)))
    }

    /// A part of it, to tell records apart that are made of different lines.
    #[must_use]
    pub fn nonce(self) -> u64 {
        u64::try_from(self.0 >> 64).unwrap_or_default()
    }
}

/// Lines, each as often as it was noted: two equal letters are two.
#[derive(Debug, Default)]
pub(super) struct Tally(HashMap<Fingerprint, usize>);

impl Tally {
    /// Notes a line once more.
    pub(super) fn note(&mut self, line: Fingerprint) {
        *self.0.entry(line).or_default() += 1;
    }

    /// Takes a line out, and says whether it was there.
    pub(super) fn take(&mut self, line: Fingerprint) -> bool {
        let Some(times) = self.0.get_mut(&line) else { return false };
        *times -= 1;
        if *times == 0 {
            self.0.remove(&line);
        }
        true
    }
}

/// Lines to be replaced, each as often as it was noted.
#[derive(Debug, Default)]
pub struct Edits {
    /// What stands in their place: nothing, or whole lines.
    replacements: HashMap<Fingerprint, Vec<Vec<u8>>>,
}

impl Edits {
    /// Notes that a line goes.
    pub fn remove(&mut self, line: Fingerprint) {
        self.replace(line, Vec::new());
    }

    /// Notes that a line makes way for `lines`: none, or whole ones with their newlines.
    pub fn replace(&mut self, line: Fingerprint, lines: Vec<u8>) {
        self.replacements.entry(line).or_default().push(lines);
    }

    /// What is to stand in the place of `line`; asked once for each time that it is found.
    pub(super) fn take(&mut self, line: Fingerprint) -> Option<Vec<u8>> {
        let waiting = self.replacements.get_mut(&line)?;
        let lines = waiting.pop();
        if waiting.is_empty() {
            self.replacements.remove(&line);
        }
        lines
    }

    /// Whether there is nothing to do, or nothing any more.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.replacements.is_empty()
    }
}
