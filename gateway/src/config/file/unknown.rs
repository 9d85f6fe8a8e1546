//! Keys that nobody asked for, and which one was probably meant.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{File, joined, uncalled};

/// Notes a fault for every key of `file` that nobody asked for.
pub(super) fn note(file: &File<'_>) {
    note_in(file, "", file.root.get_ref());
}

fn note_in(file: &File<'_>, table_path: &str, table: &DeTable<'_>) {
    for (key, value) in table {
        let path = joined(table_path, key.get_ref());
        let (known, key_path) = (file.known.borrow(), uncalled(&path));
        if !known.contains(&key_path) {
            // A key that is forbidden has its fault already.
            if !file.is_faulty(&path, &value.span()) {
                file.note(Some(key.span()), &path, None, unknown(&key_path, &known));
            }
        } else if known.iter().any(|known| table_of(known) == key_path) {
            note_below(file, &path, value);
        }
    }
}

/// Goes on in the tables that `value` is or holds.
fn note_below(file: &File<'_>, path: &str, value: &Spanned<DeValue<'_>>) {
    if let Some(table) = value.get_ref().as_table() {
        note_in(file, path, table);
    }
    let called = file.called.borrow();
    for element in value.get_ref().as_array().into_iter().flat_map(|array| array.iter()) {
        note_below(file, called.get(&element.span().start).map_or(path, String::as_str), element);
    }
}

fn unknown(path: &str, known: &BTreeSet<String>) -> String {
    match nearest(path, known) {
        Some(nearest) => format!("no such key; did you mean {nearest}?"),
        None => "no such key".to_owned(),
    }
}

/// The known key that was probably meant: one of the same table that differs in a letter, or else the
/// same in another table, or else one of the same table that differs in few.
fn nearest<'k>(path: &str, known: &'k BTreeSet<String>) -> Option<&'k str> {
    let table = table_of(path);
    let misspelt = known
        .iter()
        .filter(|candidate| table_of(candidate) == table)
        .map(|candidate| (distance(last(path), last(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + last(candidate).len() / 4)
        .min_by_key(|(distance, _)| *distance);
    let elsewhere = || {
        // What lies below is nearer than what lies beside, and the less deep the nearer.
        let far = |other: &&String| (!other.starts_with(table), other.matches('.').count());
        known.iter().filter(|candidate| last(candidate) == last(path)).min_by_key(far)
    };
    let (distance, misspelt) = misspelt.unzip();
    let nearest = if distance == Some(1) { misspelt } else { elsewhere().or(misspelt) };
    nearest.map(String::as_str)
}

/// The key without its tables.
fn last(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(_, last)| last)
}

/// The tables around a key.
fn table_of(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(table, _)| table)
}

/// How many letters must be put in, left out or changed to make `one` of `another` (Levenshtein).
fn distance(one: &str, another: &str) -> usize {
    let another: Vec<char> = another.chars().collect();
    // The distances of what was read of `one` from every beginning of `another`.
    let mut row: Vec<usize> = (0..=another.len()).collect();
    for (read, letter) in one.chars().enumerate() {
        let mut left = read + 1;
        let mut next = vec![left];
        for (&[diagonal, above], other) in row.array_windows().zip(&another) {
            left = (diagonal + usize::from(letter != *other)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_letters_put_in_left_out_or_changed() {
        for (one, another, letters) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("linger_ms", "linger_ms", 0),
            ("linger", "linger_ms", 3),
            ("kitten", "sitting", 3),
            ("größe", "grösse", 2),
        ] {
            assert_eq!(distance(one, another), letters, "{one} {another}");
        }
    }

    #[test]
    fn the_key_that_was_meant_is_found_by_spelling_or_in_another_table() {
        let known = [
            "batch",
            "batch.linger_ms",
            "mqtt",
            "mqtt.client_id",
            "mqtt.url",
            "order",
            "records.mapping.field.type",
            "stream",
            "stream.credentials",
            "stream.credentials.base.file",
            "stream.credentials.file",
            "stream.fips",
            "stream.proxy.url",
            "stream.route",
            "stream.route.types",
        ];
        let known = known.map(str::to_owned).into();
        for (path, meant) in [
            ("batch.linger", Some("batch.linger_ms")),
            ("batch.linger_msec", Some("batch.linger_ms")),
            ("linger_ms", Some("batch.linger_ms")),
            ("mqtt.clientid", Some("mqtt.client_id")),
            ("mqt", Some("mqtt")),
            ("ordre", Some("order")),
            ("stream.route.type", Some("stream.route.types")),
            ("stream.types", Some("stream.route.types")),
            ("stream.type", Some("records.mapping.field.type")),
            ("stream.file", Some("stream.credentials.file")),
            ("stream.url", Some("stream.proxy.url")),
            ("something.else", None),
        ] {
            assert_eq!(nearest(path, &known), meant, "{path}");
        }
    }
}
