//! A plan as written in a file. Every fault is noted with its line, so that one run shows them all.

use std::borrow::Cow;
use std::cell::RefCell;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeFloat, DeInteger, DeTable, DeValue};

use super::Faults;
use super::quantity::Checked;
use super::written::{ClassKeys, GoalKeys};

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    /// `[plan]`.
    pub(super) goals: GoalKeys,
    /// Each `[[class]]`.
    pub(super) classes: Vec<ClassKeys>,
}

impl Sheet {
    /// Reads `text`; `name` is how people call the file.
    pub(super) fn read(name: &str, text: &str) -> Result<Self, Faults> {
        let (root, errors) = DeTable::parse_recoverable(text);
        let notes = Notes { name, text, faults: RefCell::default() };
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            notes.note(at, &format!("no valid TOML: {}", error.message()));
        }
        let mut sheet = Self::default();
        if notes.faults.borrow().is_empty() {
            for (key, value) in root.get_ref() {
                sheet.read_entry(&notes, key, value.get_ref());
            }
        }
        let faults = notes.into_faults();
        if faults.is_empty() { Ok(sheet) } else { Err(Faults(faults)) }
    }

    /// The files that it names are looked for where it is: it means the same wherever it is asked.
    pub(super) fn beside(mut self, file: &Path) -> Self {
        let Some(folder) = file.parent() else { return self };
        let named = self.classes.iter_mut().filter_map(|class| class.ids.as_mut());
        for path in named.chain(self.goals.prices.as_mut()) {
            *path = folder.join(&path);
        }
        self
    }

    fn read_entry(&mut self, notes: &Notes<'_>, key: &Spanned<Cow<'_, str>>, value: &DeValue<'_>) {
        let at = key.span().start;
        match key.get_ref().as_ref() {
            "plan" => match value.as_table() {
                Some(table) => self.goals = read(notes, "plan", table, GoalKeys::read),
                None => notes.note(at, "plan: must be a table: [plan]"),
            },
            "class" => {
                let tables: Option<Vec<_>> = value.as_array().and_then(|classes| {
                    classes.iter().map(|class| class.get_ref().as_table()).collect()
                });
                match tables {
                    Some(tables) => {
                        let read = |table| read(notes, "class", table, ClassKeys::read);
                        self.classes = tables.into_iter().map(read).collect();
                    }
                    None => notes.note(at, "class: must be tables: [[class]]"),
                }
            }
            key => notes.note(
                at,
                &format!("{key}: no such key: goals are in [plan], devices in [[class]]"),
            ),
        }
    }
}

/// Reads `table`, and notes every key of it that `of` did not ask for.
fn read<T>(
    notes: &Notes<'_>,
    path: &'static str,
    table: &DeTable<'_>,
    of: impl FnOnce(&mut Table<'_>) -> T,
) -> T {
    let mut table = Table { notes, path, entries: table, known: Vec::new() };
    let value = of(&mut table);
    for key in table.entries.keys() {
        let name = key.get_ref().as_ref();
        if !table.known.contains(&name) {
            let known = table.known.join(", ");
            let unknown = format!("{path}.{name}: no such key; there are {known}");
            notes.note(key.span().start, &unknown);
        }
    }
    value
}

/// One table, read key by key.
pub(super) struct Table<'f> {
    notes: &'f Notes<'f>,
    path: &'static str,
    entries: &'f DeTable<'f>,
    known: Vec<&'static str>,
}

impl Table<'_> {
    /// What is written for `key`, if `check` takes it. Numbers are checked as they are written.
    pub(super) fn take<T>(
        &mut self,
        key: &'static str,
        check: impl Fn(&str) -> Checked<T>,
    ) -> Option<T> {
        self.known.push(key);
        let value = self.entries.get(key)?;
        let text = value.get_ref().as_str();
        let whole = value.get_ref().as_integer().filter(|number| number.radix() == 10);
        let real = value.get_ref().as_float().map(DeFloat::as_str);
        let written = text.or(whole.map(DeInteger::as_str)).or(real);
        let checked = match written {
            Some(written) => check(written).map_err(|allowed| format!(" = {written:?}: {allowed}")),
            None => Err(": must be a text or a number".to_owned()),
        };
        let note = |fault: String| {
            self.notes.note(value.span().start, &format!("{}.{key}{fault}", self.path));
        };
        checked.map_err(note).ok()
    }
}

/// The faults of a file, with their lines.
struct Notes<'f> {
    name: &'f str,
    text: &'f str,
    faults: RefCell<Vec<(usize, String)>>,
}

impl Notes<'_> {
    fn note(&self, at: usize, fault: &str) {
        let line = 1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        self.faults.borrow_mut().push((line, format!("{}:{line}: {fault}", self.name)));
    }

    fn into_faults(self) -> Vec<String> {
        let mut faults = self.faults.into_inner();
        faults.sort();
        faults.into_iter().map(|(_, fault)| fault).collect()
    }
}
