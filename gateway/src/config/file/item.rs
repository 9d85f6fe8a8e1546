//! One value, read as what it should be.

use toml::Spanned;
use toml::de::{DeFloat, DeInteger, DeValue};

use super::{File, Table, size};
use crate::limits::Range;

/// What a check of a text comes to: a value, or what is allowed instead, as the end of a sentence
/// that begins with the key.
pub(in crate::config) type Checked<T> = Result<T, String>;

/// A value and where it is written.
#[derive(Debug, Clone)]
pub(in crate::config) struct Item<'f> {
    pub(super) file: &'f File<'f>,
    /// Its key with the tables around it. The elements of a list have the key of the list.
    pub(super) path: String,
    pub(super) value: &'f Spanned<DeValue<'f>>,
    /// Whether faults do not repeat it.
    pub(super) is_secret: bool,
}

impl<'f> Item<'f> {
    /// The same, which may be a secret: faults do not repeat it.
    pub(in crate::config) fn secret(self) -> Self {
        Self { is_secret: true, ..self }
    }

    /// Notes that this value is wrong, and what is allowed.
    pub(in crate::config) fn fault(&self, allowed: impl Into<String>) {
        let span = self.value.span();
        let is_hidden = self.is_secret || self.is_table();
        let shown = if is_hidden { None } else { self.file.shown(span.clone()) };
        self.file.note(Some(span), &self.path, shown, allowed.into());
    }

    /// A text that `check` takes.
    pub(in crate::config) fn text<T>(&self, check: impl Fn(&str) -> Checked<T>) -> Option<T> {
        let Some(text) = self.value.get_ref().as_str() else {
            return self.note("must be a text in quotes");
        };
        check(text).map_or_else(|allowed| self.note(allowed), Some)
    }

    /// One of several words.
    pub(in crate::config) fn choice<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let found = self.value.get_ref().as_str().and_then(|text| {
            words.iter().find_map(|(word, meaning)| (*word == text).then_some(*meaning))
        });
        found.or_else(|| {
            let quoted: Vec<_> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            self.note(format!("must be {}", quoted.join(" or ")))
        })
    }

    /// One of several numbers.
    pub(in crate::config) fn one_of<T: Copy>(&self, numbers: &[(u64, T)]) -> Option<T> {
        let found = self.whole().and_then(|written| {
            numbers.iter().find_map(|(number, meaning)| (*number == written).then_some(*meaning))
        });
        found.or_else(|| {
            let numbers: Vec<_> = numbers.iter().map(|(number, _)| number.to_string()).collect();
            self.note(format!("must be {}", numbers.join(" or ")))
        })
    }

    /// `true` or `false`.
    pub(in crate::config) fn flag(&self) -> Option<bool> {
        self.value.get_ref().as_bool().or_else(|| self.note("must be true or false"))
    }

    /// A whole number within `range`.
    pub(in crate::config) fn number<T: TryFrom<u64>>(&self, range: Range) -> Option<T> {
        let Range { min, max, unit } = range;
        self.whole()
            .and_then(|number| within(number, range))
            .or_else(|| self.note(format!("must be {min} to {max} {unit}").trim_end()))
    }

    /// A number of bytes within `range`: plain, or a text with its unit.
    pub(in crate::config) fn bytes<T: TryFrom<u64>>(&self, range: Range) -> Option<T> {
        let bytes = match self.value.get_ref().as_str() {
            Some(text) => match size::parse(text) {
                Ok(bytes) => Some(bytes),
                Err(allowed) => return self.note(allowed),
            },
            None => self.whole(),
        };
        bytes.and_then(|bytes| within(bytes, range)).or_else(|| {
            let (min, max) = (size::show(range.min), size::show(range.max));
            self.note(format!("must be {min:?} to {max:?}"))
        })
    }

    /// A number, with or without a fraction, that `check` takes.
    pub(in crate::config) fn real(&self, check: impl Fn(f64) -> Checked<f64>) -> Option<f64> {
        let value = self.value.get_ref();
        let float = value.as_float().map(DeFloat::as_str);
        let decimal = value.as_integer().filter(|integer| integer.radix() == 10);
        let written = float.or(decimal.map(DeInteger::as_str)).and_then(|text| text.parse().ok());
        let Some(number) = written else { return self.note("must be a number") };
        check(number).map_or_else(|allowed| self.note(allowed), Some)
    }

    /// The elements of a list of `what`.
    pub(in crate::config) fn list(&self, what: &str) -> Vec<Item<'f>> {
        let Some(values) = self.value.get_ref().as_array() else {
            self.fault(format!("must be a list of {what}"));
            return vec![];
        };
        values.iter().map(|value| Item { path: self.path.clone(), value, ..*self }).collect()
    }

    /// Whether this is a list of nothing.
    pub(in crate::config) fn is_empty_list(&self) -> bool {
        self.value.get_ref().as_array().is_some_and(|list| list.is_empty())
    }

    /// Whether this is a list of something.
    pub(in crate::config) fn is_list_of_some(&self) -> bool {
        self.value.get_ref().as_array().is_some_and(|list| !list.is_empty())
    }

    /// The text that this is, if it is one; nothing is noted when it is none.
    pub(in crate::config) fn plain_text(&self) -> Option<&str> {
        self.value.get_ref().as_str()
    }

    /// Whether this is a table rather than a value.
    pub(in crate::config) fn is_table(&self) -> bool {
        self.value.get_ref().is_table()
    }

    /// A table.
    pub(in crate::config) fn table(&self) -> Option<Table<'f>> {
        let Some(entries) = self.value.get_ref().as_table() else {
            return self.note("must be a table");
        };
        let (path, span) = (self.path.clone(), Some(self.value.span()));
        Some(Table { file: self.file, path, span, entries: Some(entries) })
    }

    /// A whole number that is not negative; nothing is noted when it is none.
    pub(in crate::config) fn whole(&self) -> Option<u64> {
        let integer = self.value.get_ref().as_integer()?;
        u64::from_str_radix(integer.as_str(), integer.radix()).ok()
    }

    /// Notes a fault in place of a value.
    fn note<T>(&self, allowed: impl Into<String>) -> Option<T> {
        self.fault(allowed);
        None
    }
}

fn within<T: TryFrom<u64>>(number: u64, range: Range) -> Option<T> {
    if range.contains(number) { number.try_into().ok() } else { None }
}
