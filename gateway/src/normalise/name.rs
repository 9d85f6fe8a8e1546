//! Names of measurements: snake_case, and each once in a record.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use twox_hash::XxHash3_64;

/// Appends `key` in snake_case to the names above it: `Outdoor` to `temp` makes `temp_outdoor`.
///
/// A step from small to capital letters begins a word (`CO2Level` is `co2_level`), letters beyond
/// ASCII stay, and what is neither letter nor digit parts words. A key of nothing else is `unnamed`.
pub(super) fn push(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('_');
    }
    if !key.is_empty() && key.bytes().all(is_plain) {
        path.push_str(key);
        return;
    }
    let start = path.len();
    let mut letters = key.chars().peekable();
    let mut before = ' ';
    let mut parted = false;
    while let Some(letter) = letters.next() {
        if !letter.is_alphanumeric() {
            parted = true;
            continue;
        }
        let ends_capitals =
            is_capital(before) && letters.peek().is_some_and(|next| next.is_lowercase());
        let starts_word =
            is_capital(letter) && (before.is_lowercase() || before.is_numeric() || ends_capitals);
        if (parted || starts_word) && path.len() > start {
            path.push('_');
        }
        if letter.is_ascii() {
            path.push(letter.to_ascii_lowercase());
        } else {
            path.extend(letter.to_lowercase().filter(|small| small.is_alphanumeric()));
        }
        parted = false;
        before = letter;
    }
    if path.len() == start {
        path.push_str("unnamed");
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')
}

/// Some letters that Unicode calls capital have no small form.
fn is_capital(letter: char) -> bool {
    letter.is_ascii_uppercase() || (!letter.is_ascii() && !letter.to_lowercase().eq([letter]))
}

/// The names that a record already has.
///
/// Remembers hashes only: should two ever collide, the second name needlessly gets a number, and
/// nothing is lost.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<u64, u32, BuildHasherDefault<AsIs>>);

impl Names {
    /// Room for the names of a usual reading.
    const USUAL: usize = 28;

    pub(super) fn new() -> Self {
        Self(HashMap::with_capacity_and_hasher(Self::USUAL, BuildHasherDefault::default()))
    }

    /// Takes `name`. When it is taken already, gives the number that makes it unique: `name_2` for
    /// 2.
    pub(super) fn take(&mut self, name: &str) -> Option<u32> {
        let place = hash(name);
        // A name that is new is free as it is.
        let last = self.insert(place)?;
        // `name_2` may have come as a name of its own.
        let number =
            (last + 1..).find(|number| self.insert(hash(&format!("{name}_{number}"))).is_none())?;
        self.0.insert(place, number);
        Some(number)
    }

    /// Adds a name, or gives the highest number behind it so far when it is there already.
    fn insert(&mut self, place: u64) -> Option<u32> {
        match self.0.entry(place) {
            Entry::Vacant(free) => {
                free.insert(1);
                None
            }
            Entry::Occupied(taken) => Some(*taken.get()),
        }
    }
}

fn hash(name: &str) -> u64 {
    /// Nobody outside can choose names that all fall together. No record depends on it.
    static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));
    XxHash3_64::oneshot_with_seed(*SEED, name.as_bytes())
}

/// Hands on what is a hash already.
#[derive(Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = XxHash3_64::oneshot(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
