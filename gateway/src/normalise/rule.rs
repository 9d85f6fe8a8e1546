//! A mapping rule at work: one value into one slot of a measurement.

use std::borrow::Cow;

use crate::config::{FieldRule, Kind};

use super::body::push_json;
use super::leaf::{Leaf, unquoted};
use super::name;
use super::text::numbers_are_finite;

/// A value on its way to its slot.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Slot<'a> {
    /// `v`, in the digits it came with. A double can hold it.
    Number(Cow<'a, str>),
    /// `v`, finite.
    Computed(f64),
    /// `b`
    Boolean(bool),
    /// `s`, a JSON string already.
    Text(&'a str),
    /// `s`, a number or boolean still without quotes.
    Unquoted(&'a str),
}

/// A [`FieldRule`] with what can be prepared once.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) name: String,
    /// `,"ch":0`
    pub(super) channel: String,
    /// `,"u":"Cel"`
    pub(super) unit: String,
    kind: Option<Kind>,
    scaling: Option<Scaling>,
}

/// `value × factor ÷ divisor + offset`
#[derive(Debug, Clone, Copy)]
struct Scaling {
    factor: f64,
    divisor: f64,
    offset: f64,
}

impl Rule {
    pub(super) fn new(field: &FieldRule) -> Self {
        let mut rule_name = String::new();
        name::push(&mut rule_name, &field.name);
        let channel =
            field.channel.map_or_else(String::new, |channel| format!(",\"ch\":{channel}"));
        let mut unit = Vec::new();
        if let Some(code) = &field.unit {
            unit.extend_from_slice(b",\"u\":");
            push_json(&mut unit, code);
        }
        let scaling = Scaling::new(field.scale, field.offset);
        // Who scales wants a number.
        let kind = field.kind.or(scaling.map(|_| Kind::Number));
        Self {
            name: rule_name,
            channel,
            unit: String::from_utf8_lossy(&unit).into_owned(),
            kind,
            scaling,
        }
    }

    /// The slot for `leaf`, or nothing if it is not of the kind that the rule wants.
    pub(super) fn slot<'a>(&self, leaf: Leaf<'a>) -> Option<Slot<'a>> {
        match self.kind {
            None => Slot::of(leaf),
            Some(Kind::Number) => self.number(leaf),
            Some(Kind::Boolean) => boolean(leaf).map(Slot::Boolean),
            Some(Kind::Text) => text(leaf),
        }
    }

    fn number<'a>(&self, leaf: Leaf<'a>) -> Option<Slot<'a>> {
        let digits = match leaf {
            Leaf::Number(digits) => Cow::Borrowed(digits),
            Leaf::Text(text) => unquoted(text)?,
            Leaf::Null | Leaf::Boolean(_) | Leaf::Array(_) | Leaf::Object(_) => return None,
        };
        match (leaf, self.scaling) {
            (Leaf::Number(_), None) => Slot::of(leaf),
            (_, None) if is_json_number(&digits) => Slot::number(digits),
            // `+5`, `.5`, `007` are numbers to us and not to JSON.
            (_, None) => Slot::computed(digits.trim().parse().ok()?),
            (_, Some(scaling)) => Slot::computed(scaling.apply(digits.trim().parse().ok()?)),
        }
    }
}

impl<'a> Slot<'a> {
    /// The slot by the JSON type; nothing for what is no scalar or no double can hold.
    pub(super) fn of(leaf: Leaf<'a>) -> Option<Self> {
        match leaf {
            Leaf::Boolean(value) => Some(Self::Boolean(value)),
            Leaf::Number(digits) => Self::number(Cow::Borrowed(digits)),
            Leaf::Text(text) => Some(Self::Text(text)),
            Leaf::Null | Leaf::Array(_) | Leaf::Object(_) => None,
        }
    }

    fn number(digits: Cow<'a, str>) -> Option<Self> {
        numbers_are_finite(&digits).then_some(Self::Number(digits))
    }

    fn computed(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self::Computed(value))
    }
}

impl Scaling {
    /// Nothing if there is nothing to do, so that digits stay as they came.
    fn new(scale: f64, offset: f64) -> Option<Self> {
        let same = |a: f64, b: f64| a.to_bits() == b.to_bits();
        if same(scale, 1.0) && offset.abs().to_bits() == 0 {
            return None;
        }
        // 214 × 0.1 is 21.400000000000002, because there is no 0.1 in binary; 214 ÷ 10 is 21.4.
        let inverse = (1.0 / scale).round();
        if same(1.0 / inverse, scale) {
            return Some(Self { factor: 1.0, divisor: inverse, offset });
        }
        Some(Self { factor: scale, divisor: 1.0, offset })
    }

    fn apply(self, value: f64) -> f64 {
        value * self.factor / self.divisor + self.offset
    }
}

fn is_json_number(digits: &str) -> bool {
    let starts_well = digits.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    starts_well && serde_json::from_str::<&serde_json::value::RawValue>(digits).is_ok()
}

fn boolean(leaf: Leaf<'_>) -> Option<bool> {
    match leaf {
        Leaf::Boolean(value) => Some(value),
        Leaf::Number("1") => Some(true),
        Leaf::Number("0") => Some(false),
        Leaf::Text(text) => {
            let text = unquoted(text)?;
            let is = |word: &str| text.eq_ignore_ascii_case(word);
            if is("true") || is("on") {
                Some(true)
            } else {
                (is("false") || is("off")).then_some(false)
            }
        }
        Leaf::Null | Leaf::Number(_) | Leaf::Array(_) | Leaf::Object(_) => None,
    }
}

fn text(leaf: Leaf<'_>) -> Option<Slot<'_>> {
    match leaf {
        Leaf::Text(text) => Some(Slot::Text(text)),
        Leaf::Number(digits) => Some(Slot::Unquoted(digits)),
        Leaf::Boolean(true) => Some(Slot::Unquoted("true")),
        Leaf::Boolean(false) => Some(Slot::Unquoted("false")),
        Leaf::Null | Leaf::Array(_) | Leaf::Object(_) => None,
    }
}
