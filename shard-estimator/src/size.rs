//! Sizes in bytes, as people write them.

/// From the largest to the smallest, so that a size is shown in the largest that divides it.
const UNITS: [(&str, u64); 5] =
    [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("kB", 1_000), ("B", 1)];

/// Reads a whole number with a unit, such as `64 MiB`.
///
/// # Errors
/// What is allowed, as the end of a sentence that begins with what is meant.
pub fn parse(text: &str) -> Result<u64, String> {
    let digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let (number, unit) = (text.strip_suffix(digits).unwrap_or(text), digits.trim());
    if matches!(unit, "KB" | "MB" | "GB") {
        return Err(format!(
            "{unit} is read in two ways: say KiB, MiB, GiB (powers of 1024) or kB (1000)"
        ));
    }
    let bytes = UNITS.iter().find(|(name, _)| *name == unit).and_then(|(_, bytes_each)| {
        number.parse::<u64>().ok().and_then(|number| number.checked_mul(*bytes_each))
    });
    bytes.ok_or_else(|| {
        "must be a size such as \"64 MiB\", with KiB, MiB, GiB or kB, or a number of bytes"
            .to_owned()
    })
}

/// Writes a size with the largest unit that leaves a whole number.
#[must_use]
pub fn show(bytes: u64) -> String {
    UNITS
        .iter()
        .filter(|(name, bytes_each)| *name != "kB" && bytes >= *bytes_each)
        .find_map(|(name, bytes_each)| {
            bytes.is_multiple_of(*bytes_each).then(|| format!("{} {name}", bytes / bytes_each))
        })
        .unwrap_or_else(|| format!("{bytes} B"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_any_unit_that_has_one_meaning() {
        for (text, bytes) in [
            ("0 B", 0),
            ("12B", 12),
            ("3 kB", 3_000),
            ("64 KiB", 65_536),
            ("1MiB", 1_048_576),
            ("2  GiB ", 2_147_483_648),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_size_or_has_two_meanings_is_refused() {
        for text in [
            "",
            "MiB",
            "12",
            "1.5 MiB",
            "-1 B",
            "1 KB",
            "1 MB",
            "1 mib",
            "99999999999 GiB",
            "1 MiB 2",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert!(parse("64 MB").is_err_and(|allowed| allowed.contains("MiB")));
    }

    #[test]
    fn a_size_is_shown_as_it_would_be_written() {
        for (bytes, text) in [
            (0, "0 B"),
            (1_000, "1000 B"),
            (1_024, "1 KiB"),
            (5 << 19, "2560 KiB"),
            (3 << 30, "3 GiB"),
        ] {
            assert_eq!(show(bytes), text);
        }
    }
}
