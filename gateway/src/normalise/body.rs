//! `m` and `x` of a record, in the making.

use serde::Serialize;

use super::RECORD_BYTES_MAX;
use super::flag::{Flag, Flags};
use super::name::Names;
use super::rule::{Rule, Slot};
use super::text::{numbers_are_finite, push_compact};

/// Measurements, and what is kept beside them.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// What stands between `"m":[` and `]`.
    pub(super) measurements: Vec<u8>,
    /// What stands between `"x":{` and `}`.
    pub(super) extra: Vec<u8>,
    /// What happened on the way.
    pub(super) flags: Flags,
    names: Names,
    /// How many objects in `x` are open.
    depth: usize,
}

impl Body {
    /// Begins with room for what `bytes` of JSON usually make.
    pub(super) fn new(bytes: usize) -> Self {
        let room = bytes.min(RECORD_BYTES_MAX);
        Self {
            measurements: Vec::with_capacity(room),
            extra: Vec::with_capacity(room),
            flags: Flags::default(),
            names: Names::new(),
            depth: 0,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.measurements.len() + self.extra.len()
    }

    /// Adds a measurement. `name` is snake_case.
    pub(super) fn measure(&mut self, name: &str, slot: &Slot<'_>, rule: Option<&Rule>) {
        let number = self.take(name);
        let out = &mut self.measurements;
        push_comma(out);
        out.extend_from_slice(b"{\"n\":\"");
        out.extend_from_slice(name.as_bytes());
        if let Some(number) = number {
            out.push(b'_');
            push_json(out, &number);
        }
        out.push(b'"');
        out.extend_from_slice(rule.map_or("", |rule| &rule.channel).as_bytes());
        push_slot(out, slot);
        out.extend_from_slice(rule.map_or("", |rule| &rule.unit).as_bytes());
        out.push(b'}');
    }

    /// Adds a member to `x`, or to the object in `x` that is open. `json` is valid.
    pub(super) fn keep(&mut self, key: &str, json: &str) {
        self.push_key(key);
        self.push_value(json);
    }

    /// Begins an object in `x`; [`Self::close`] ends it.
    pub(super) fn open(&mut self, key: &str) {
        self.push_key(key);
        self.extra.push(b'{');
        self.depth += 1;
    }

    pub(super) fn close(&mut self) {
        self.extra.push(b'}');
        self.depth -= 1;
    }

    pub(super) fn raise(&mut self, flag: Flag) {
        self.flags.raise(flag);
    }

    /// Names are kept unique in `x` itself. Below, keys are as they came.
    fn push_key(&mut self, key: &str) {
        let number = if self.depth == 0 { self.take(key) } else { None };
        push_comma(&mut self.extra);
        match number {
            None => push_json(&mut self.extra, key),
            Some(number) => push_json(&mut self.extra, &format!("{key}_{number}")),
        }
        self.extra.push(b':');
    }

    fn push_value(&mut self, json: &str) {
        if numbers_are_finite(json) {
            push_compact(&mut self.extra, json);
        } else {
            self.flags.raise(Flag::NumberAsText);
            push_json(&mut self.extra, json);
        }
    }

    fn take(&mut self, name: &str) -> Option<u32> {
        let number = self.names.take(name);
        if number.is_some() {
            self.flags.raise(Flag::NameRepeated);
        }
        number
    }
}

fn push_slot(out: &mut Vec<u8>, slot: &Slot<'_>) {
    match slot {
        Slot::Number(digits) => {
            out.extend_from_slice(b",\"v\":");
            out.extend_from_slice(digits.as_bytes());
        }
        Slot::Computed(value) => {
            out.extend_from_slice(b",\"v\":");
            push_json(out, value);
        }
        Slot::Boolean(true) => out.extend_from_slice(b",\"b\":true"),
        Slot::Boolean(false) => out.extend_from_slice(b",\"b\":false"),
        Slot::Text(json) => {
            out.extend_from_slice(b",\"s\":");
            out.extend_from_slice(json.as_bytes());
        }
        Slot::Unquoted(text) => {
            out.extend_from_slice(b",\"s\":");
            push_json(out, text);
        }
    }
}

/// Parts what follows from what is there: nothing at all, or the beginning of an object.
fn push_comma(out: &mut Vec<u8>) {
    if !matches!(out.last(), None | Some(b'{')) {
        out.push(b',');
    }
}

/// Appends `value` as JSON.
pub(super) fn push_json(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(out, value).expect("memory takes whatever is written");
}
