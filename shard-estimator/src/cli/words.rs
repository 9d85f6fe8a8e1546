//! Measures as people read them: three digits say enough.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::number::thousands;

/// Text for a terminal, on one line: what would control it is shown as it is written in programs, since
/// names may hold anything.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// `250 ms`, `1.92 s`, `15 min`, `3.76 h` or `12.5 d`.
#[must_use]
pub fn time(time: Duration) -> String {
    let s = time.as_secs_f64();
    let (number, unit) = if s < 0.9995 {
        (format!("{:.0}", 1_000.0 * s), "ms")
    } else if s < 60.0 {
        (format!("{s:.2}"), "s")
    } else if s < 3_600.0 {
        (format!("{:.1}", s / 60.0), "min")
    } else if s < 172_800.0 {
        (format!("{:.2}", s / 3_600.0), "h")
    } else {
        (format!("{:.1}", s / 86_400.0), "d")
    };
    // Whole numbers are what people wrote.
    let whole = number.strip_suffix(".00").or(number.strip_suffix(".0"));
    format!("{} {unit}", whole.unwrap_or(&number))
}

/// The same, where `None` is for ever.
pub(super) fn wait(wait: Option<Duration>) -> String {
    wait.map_or_else(|| "never".to_owned(), time)
}

/// `512 B`, `1.5 KiB`, `19.9 MiB`, `69.8 GiB`.
pub(super) fn bytes(bytes: f64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = units.iter().map(|(unit, bits)| (unit, f64::from(1_u32 << bits)));
    let fitting = unit.into_iter().find(|(_, each)| bytes >= *each);
    fitting.map_or_else(
        || format!("{bytes:.0} B"),
        |(unit, each)| format!("{:.1} {unit}", bytes / each),
    )
}

/// `32.0 kbit/s`, `1.4 Mbit/s`, `10.8 Gbit/s`.
pub(super) fn bits_per_s(bits: f64) -> String {
    if bits < 1e6 {
        format!("{:.1} kbit/s", bits / 1e3)
    } else if bits < 1e9 {
        format!("{:.1} Mbit/s", bits / 1e6)
    } else {
        format!("{:.1} Gbit/s", bits / 1e9)
    }
}

/// `20,000`, `55.6`, `0.889`.
pub(super) fn number(number: f64) -> String {
    if number >= 1_000.0 {
        grouped(number)
    } else if number >= 10.0 {
        format!("{number:.1}")
    } else {
        format!("{number:.3}")
    }
}

/// A count: `999`, `72,000,000`.
pub(super) fn grouped(count: f64) -> String {
    thousands(&format!("{count:.0}"))
}

/// `71.1 %`.
#[must_use]
pub fn per_cent(part: f64) -> String {
    format!("{:.1} %", 100.0 * part)
}

/// `1 shard`, `2 shards`.
#[must_use]
pub fn shards(shards: NonZeroU32) -> String {
    let count = grouped(f64::from(shards.get()));
    format!("{count} {}", if shards.get() == 1 { "shard" } else { "shards" })
}

/// Rows in columns: the first on the left, all others on the right.
#[must_use]
pub fn columns(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = width(column).unwrap_or(0);
            line += &match column {
                0 => format!("{cell:<width$}"),
                _ => format!("   {cell:>width$}"),
            };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_are_written_in_the_unit_that_people_use() {
        let times = [(100, "100 ms"), (1_922, "1.92 s"), (900_000, "15 min")];
        for (ms, words) in times {
            assert_eq!(time(Duration::from_millis(ms)), words);
        }
        assert_eq!(time(Duration::from_secs(14_400)), "4 h");
        assert_eq!(wait(None), "never");
        assert_eq!((bytes(100.0), bytes(1536.0)), ("100 B".to_owned(), "1.5 KiB".to_owned()));
        assert_eq!(bits_per_s(32_000.0), "32.0 kbit/s");
        for (count, words) in [(0.0, "0"), (999.4, "999"), (1e3, "1,000"), (72e6, "72,000,000")] {
            assert_eq!(grouped(count), words);
        }
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["bcd".to_owned(), "234".to_owned()]];
        assert_eq!(columns(&rows), "a       1\nbcd   234\n");
    }
}
