//! The configuration as written: TOML, read key by key. A fault is noted with its line and reading
//! goes on, so that one run shows them all.
//!
//! A key that nobody asked for is unknown. What cannot be read is replaced by something harmless:
//! nobody will see it, because a file with a fault makes no configuration.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::ops;

use shard_estimator::size;
use toml::Spanned;
use toml::de::DeTable;

use super::fault::Fault;
use crate::limits::Setting;

pub(super) use item::{Checked, Item};

mod item;
mod unknown;

/// Longest piece of a value that a fault repeats, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// A parsed file and what was noted while reading it.
#[derive(Debug)]
pub(super) struct File<'f> {
    text: &'f str,
    root: Spanned<DeTable<'f>>,
    faults: RefCell<Vec<Fault>>,
    /// Every key that was asked for, with its tables.
    known: RefCell<BTreeSet<String>>,
}

impl<'f> File<'f> {
    /// Parses `text`; what is no TOML is the only kind of fault that comes without the others.
    pub(super) fn parse(text: &'f str) -> Result<Self, Vec<Fault>> {
        let (root, errors) = DeTable::parse_recoverable(text);
        let known = RefCell::default();
        let file = Self { text, root, faults: RefCell::default(), known };
        for error in errors {
            file.note(error.span(), "", None, format!("no valid TOML: {}", error.message()));
        }
        if file.faults.borrow().is_empty() { Ok(file) } else { Err(file.faults.into_inner()) }
    }

    /// The keys outside of any table, and the tables.
    pub(super) fn root(&self) -> Table<'_> {
        Table { file: self, path: String::new(), span: None, entries: Some(self.root.get_ref()) }
    }

    /// What was noted, and a fault for every key that nobody asked for.
    pub(super) fn into_faults(self) -> Vec<Fault> {
        unknown::note(&self);
        self.faults.into_inner()
    }

    /// Every key that was asked for, with its tables.
    pub(super) fn into_known(self) -> BTreeSet<String> {
        self.known.into_inner()
    }

    fn note(
        &self,
        span: Option<ops::Range<usize>>,
        key: &str,
        value: Option<String>,
        allowed: String,
    ) {
        let line = span.map(|span| self.line(&span));
        let fault = Fault { line, key: key.to_owned(), value, allowed };
        let mut faults = self.faults.borrow_mut();
        // A key may be asked for twice.
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }

    /// Whether something was noted about what is written for `key` at `span`.
    fn is_faulty(&self, key: &str, span: &ops::Range<usize>) -> bool {
        let (key, line) = (uncalled(key), Some(self.line(span)));
        self.faults.borrow().iter().any(|fault| uncalled(&fault.key) == key && fault.line == line)
    }

    /// The line where `span` begins, counted from 1.
    fn line(&self, span: &ops::Range<usize>) -> usize {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        1 + before.matches('\n').count()
    }

    /// The text at `span` for a fault to repeat: its first line, and not too much of it. Nothing if
    /// it looks like a URL with a password.
    fn shown(&self, span: ops::Range<usize>) -> Option<String> {
        let written = self.text.get(span)?;
        if written.contains("://") && written.contains('@') {
            return None;
        }
        let line = written.lines().next()?;
        let mut shown: String = line.chars().take(SHOWN_CHARS_MAX).collect();
        if shown.len() < written.len() {
            shown.push('…');
        }
        Some(shown)
    }
}

/// One table, written or not: asking an absent table for its keys finds nothing, but makes them
/// known.
#[derive(Debug, Clone)]
pub(super) struct Table<'f> {
    file: &'f File<'f>,
    /// Its name with the tables around it.
    path: String,
    /// Where it, or something else in its place, is written.
    span: Option<ops::Range<usize>>,
    /// `None` when it is not written.
    entries: Option<&'f DeTable<'f>>,
}

impl<'f> Table<'f> {
    /// What is written for `key`.
    pub(super) fn item(&self, key: &str) -> Option<Item<'f>> {
        let path = self.path_of(key);
        self.file.known.borrow_mut().insert(uncalled(&path));
        let value = self.entries?.get(key)?;
        Some(Item { file: self.file, path, value, is_secret: false })
    }

    /// What is written for `key`, which must not be missing; `what` says what it should be.
    pub(super) fn required(&self, key: &str, what: &str) -> Option<Item<'f>> {
        let item = self.item(key);
        if item.is_none() {
            self.missing(key, what);
        }
        item
    }

    /// Notes that `key` must be there, unless what is written here is no table: that was noted.
    pub(super) fn missing(&self, key: &str, what: &str) {
        if self.entries.is_none() && self.span.is_some() {
            return;
        }
        let missing = format!("is missing: {what}");
        self.file.note(self.span.clone(), &self.path_of(key), None, missing);
    }

    /// The table `key`.
    pub(super) fn table(&self, key: &str) -> Table<'f> {
        let item = self.item(key);
        item.as_ref().and_then(Item::table).unwrap_or_else(|| Table {
            file: self.file,
            path: self.path_of(key),
            span: item.map(|item| item.value.span()),
            entries: None,
        })
    }

    /// The tables of the list `key`: `[[key]]`.
    pub(super) fn tables(&self, key: &str) -> Vec<Table<'f>> {
        let list = self.item(key).map_or(vec![], |item| item.list("tables"));
        list.iter().filter_map(Item::table).collect()
    }

    /// The table `key`, written or not; or those of the list `[[key]]`, of which there is at least
    /// one, and `true`.
    pub(super) fn one_or_several(&self, key: &str) -> (Table<'f>, Vec<Table<'f>>, bool) {
        let Some(item) = self.item(key).filter(Item::is_list_of_some) else {
            return (self.table(key), vec![], false);
        };
        let (path, span) = (item.path.clone(), Some(item.value.span()));
        let list = item.list("tables");
        let mut tables = list.iter().filter_map(Item::table);
        let none = || Table { file: self.file, path, span, entries: None };
        (tables.next().unwrap_or_else(none), tables.collect(), true)
    }

    /// The same, called `name` in faults: one of several tables of the same keys.
    pub(super) fn called(&self, name: &str) -> Table<'f> {
        Table { path: format!("{}[{name}]", uncalled(&self.path)), ..self.clone() }
    }

    /// Notes a fault if `key`, which has no place here, is written. Its value is not repeated.
    pub(super) fn forbid(&self, key: &str, allowed: &str) {
        if let Some(value) = self.entries.and_then(|entries| entries.get(key)) {
            self.file.note(Some(value.span()), &self.path_of(key), None, allowed.to_owned());
        }
    }

    /// Whether anything is written in this table.
    pub(super) fn is_written(&self) -> bool {
        self.entries.is_some()
    }

    /// Whether `key` is written and was found to be right. Only what the operator wrote can
    /// contradict something; what we guessed gives way.
    pub(super) fn states(&self, key: &str) -> bool {
        let value = self.entries.and_then(|entries| entries.get(key));
        value.is_some_and(|value| !self.file.is_faulty(&self.path_of(key), &value.span()))
    }

    /// Notes that what is written for `key` contradicts something else.
    pub(super) fn fault(&self, key: &str, allowed: impl Into<String>) {
        match self.item(key) {
            Some(item) => item.fault(allowed),
            None => self.file.note(self.span.clone(), &self.path_of(key), None, allowed.into()),
        }
    }

    /// The whole number for `key`, or its default.
    pub(super) fn number<T: TryFrom<u64, Error: Debug>>(&self, key: &str, setting: Setting) -> T {
        let written = self.item(key).and_then(|item| item.number(setting.range));
        written.unwrap_or_else(|| default(setting))
    }

    /// The size for `key`, or its default.
    pub(super) fn bytes<T: TryFrom<u64, Error: Debug>>(&self, key: &str, setting: Setting) -> T {
        let written = self.item(key).and_then(|item| item.bytes(setting.range));
        written.unwrap_or_else(|| default(setting))
    }

    /// What the word for `key` stands for.
    pub(super) fn choice<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Option<T> {
        self.item(key)?.choice(words)
    }

    /// The text for `key`, if `check` takes it.
    pub(super) fn text<T>(&self, key: &str, check: impl Fn(&str) -> Checked<T>) -> Option<T> {
        self.item(key)?.text(check)
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, key: &str, default: bool) -> bool {
        self.item(key).and_then(|item| item.flag()).unwrap_or(default)
    }

    fn path_of(&self, key: &str) -> String {
        joined(&self.path, key)
    }
}

/// `path` without what its tables are called: as it is for all tables of the same keys.
fn uncalled(path: &str) -> String {
    let mut keys = String::new();
    let mut rest = path;
    while let Some((before, name)) = rest.split_once('[') {
        keys.push_str(before);
        rest = name.split_once(']').map_or("", |(_, after)| after);
    }
    keys + rest
}

/// `key` with the tables around it.
fn joined(table: &str, key: &str) -> String {
    if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") }
}

fn default<T: TryFrom<u64, Error: Debug>>(setting: Setting) -> T {
    setting.default.try_into().expect("a setting fits into the number it is read as")
}
