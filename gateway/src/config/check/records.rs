//! The `[records]` table.

use super::syntax::{plain, pointer, snake_case, topic_filter, topic_template};
use crate::config::file::{Checked, Table};
use crate::config::{FieldRule, Format, Kind, Mapping, Records, Unmapped};
use crate::limits::{CHANNEL, NAME_BYTES_MAX};

/// Where a device's time is looked for.
const TIME_POINTERS: [&str; 3] = ["/ts", "/time", "/timestamp"];

/// Where a device's sequence number is looked for.
const SEQUENCE_POINTER: &str = "/seq";

pub(super) fn read(table: &Table<'_>) -> Records {
    let formats = [("canonical", Format::Canonical), ("raw", Format::Raw)];
    let unmapped =
        [("measure", Unmapped::Measure), ("keep", Unmapped::Keep), ("drop", Unmapped::Drop)];
    let records = Records {
        format: table.choice("format", &formats).unwrap_or(Format::Canonical),
        newline: table.flag("newline", true),
        topic_template: table.text("topic_template", topic_template),
        device_pointer: field_pointer(table, "device_pointer", ""),
        tenant_pointer: field_pointer(table, "tenant_pointer", ""),
        time_pointers: time_pointers(table),
        sequence_pointer: field_pointer(table, "sequence_pointer", SEQUENCE_POINTER),
        unmapped: table.choice("unmapped", &unmapped).unwrap_or(Unmapped::Measure),
        mappings: table.tables("mapping").iter().map(mapping).collect(),
    };
    if records.format == Format::Raw {
        for key in ["mapping", "unmapped"] {
            if table.states(key) {
                table.fault(key, "changes nothing while records.format is \"raw\"");
            }
        }
    }
    records
}

/// A pointer to a field, by default `default`. The pointer to the whole payload names no field: it
/// stands for none.
fn field_pointer(table: &Table<'_>, key: &str, default: &str) -> Option<String> {
    let pointer = table.text(key, pointer).unwrap_or_else(|| default.to_owned());
    (!pointer.is_empty()).then_some(pointer)
}

fn time_pointers(table: &Table<'_>) -> Vec<String> {
    table.item("time_pointers").map_or_else(
        || TIME_POINTERS.map(str::to_owned).to_vec(),
        |list| list.list("JSON Pointers").iter().filter_map(|item| item.text(pointer)).collect(),
    )
}

fn mapping(table: &Table<'_>) -> Mapping {
    let filter = table
        .required("filter", "the topic filter that it is for")
        .and_then(|item| item.text(|text| topic_filter(text).map(|filter| filter.to_string())));
    let tables = table.tables("field");
    let fields: Vec<_> = tables.iter().map(field).collect();
    for (index, (table, field)) in tables.iter().zip(&fields).enumerate() {
        let same = |other: &FieldRule| other.name == field.name && other.channel == field.channel;
        if table.states("name") && fields.iter().take(index).any(same) {
            table.fault("name", "is there twice: tell the fields apart by channel");
        }
    }
    Mapping { filter: filter.unwrap_or_default(), fields }
}

fn field(table: &Table<'_>) -> FieldRule {
    let kinds = [("number", Kind::Number), ("boolean", Kind::Boolean), ("text", Kind::Text)];
    let required = |key, what, check: fn(&str) -> Checked<String>| {
        table.required(key, what).and_then(|item| item.text(check)).unwrap_or_default()
    };
    let real = |key, check: fn(f64) -> Checked<f64>| table.item(key)?.real(check);
    let field = FieldRule {
        pointer: required("pointer", "a JSON Pointer to the value", pointer),
        name: required("name", "what the measurement is called", snake_case),
        channel: table.item("channel").and_then(|item| item.number(CHANNEL)),
        unit: table.text("unit", |text| plain(text, NAME_BYTES_MAX).map(str::to_owned)),
        scale: real("scale", finite_factor).unwrap_or(1.0),
        offset: real("offset", finite).unwrap_or(0.0),
        kind: table.choice("type", &kinds),
    };
    if matches!(field.kind, Some(Kind::Boolean | Kind::Text)) {
        for key in ["scale", "offset"] {
            if table.states(key) {
                table.fault(key, "is for numbers only");
            }
        }
    }
    field
}

fn finite(number: f64) -> Checked<f64> {
    if number.is_finite() { Ok(number) } else { Err("must be a finite number".to_owned()) }
}

fn finite_factor(number: f64) -> Checked<f64> {
    if number == 0.0 { Err("must not be 0".to_owned()) } else { finite(number) }
}
