//! A page of metrics as a gateway writes it: OpenMetrics, or Prometheus' own text, of which it is a
//! part.

use std::collections::BTreeMap;

/// Before every name of ours.
const PREFIX: &str = "tidegate_";

/// The series of one page, by name and labels as written.
#[derive(Debug, Clone)]
pub(super) struct Page<'t>(BTreeMap<&'t str, f64>);

impl<'t> Page<'t> {
    /// Reads a page.
    ///
    /// # Errors
    /// When it is none, or that of another program.
    pub(super) fn read(text: &'t str) -> Result<Self, String> {
        let mut series = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let sample = sample(line);
            let (name, value) = sample.ok_or_else(|| {
                format!("line {number} is not in Prometheus' text format: is it /metrics?")
            })?;
            if let Some(name) = name.strip_prefix(PREFIX) {
                series.insert(name, value);
            }
        }
        let page = Self(series);
        if page.labels("build_info", "version").next().is_none() {
            return Err("these are the metrics of another program than tidegate".to_owned());
        }
        Ok(page)
    }

    /// The value of a series.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn value(&self, name: &str) -> Result<f64, String> {
        self.0.get(name).copied().ok_or_else(|| {
            format!("the gateway does not show {PREFIX}{name}: it is of another version")
        })
    }

    /// The values of the label `label` with which there are series `name`, and the values of those.
    pub(super) fn labels(&self, name: &str, label: &str) -> impl Iterator<Item = (String, f64)> {
        let begin = format!("{name}{{{label}=\"");
        self.0.iter().filter_map(move |(series, value)| {
            let written = series.strip_prefix(&*begin)?.strip_suffix("\"}")?;
            Some((unescaped(written), *value))
        })
    }
}

/// The name with labels, and the value; a time behind it does not matter.
fn sample(line: &str) -> Option<(&str, f64)> {
    let labels_end = line.rfind('}').map_or(0, |at| at + 1);
    let name_end = labels_end + line.get(labels_end..)?.find(' ')?;
    let (name, rest) = line.split_at_checked(name_end)?;
    let value = rest.split_whitespace().next()?.parse().ok()?;
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == ':');
    begins.then_some((name, value))
}

fn unescaped(written: &str) -> String {
    let mut text = String::new();
    let mut rest = written.chars();
    while let Some(next) = rest.next() {
        match (next, next == '\\') {
            (_, false) => text.push(next),
            (_, true) => text.extend(rest.next().map(|next| if next == 'n' { '\n' } else { next })),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_labels_and_values_are_read_with_or_without_a_time() {
        let text = "# HELP a b\ntidegate_build_info{version=\"0.1.0\"} 1\nother 7\n\
            tidegate_x_total 12\ntidegate_y 0.5 1763692404\n\
            tidegate_hot{key=\"a\\\"b} \\\\ 2\"} 3.5\n# EOF\n";
        let page = Page::read(text).unwrap();
        assert_eq!((page.value("x_total"), page.value("y")), (Ok(12.0), Ok(0.5)));
        assert!(page.value("z").unwrap_err().contains("tidegate_z"));
        assert!(page.labels("hot", "key").eq([("a\"b} \\ 2".to_owned(), 3.5)]));
    }

    #[test]
    fn what_is_no_page_of_ours_is_told_apart_from_what_is_no_page() {
        let fault = |text| Page::read(text).unwrap_err();
        assert!(fault("<html><body>hello</body></html>").contains("line 1 is not in Prometheus'"));
        assert!(fault("up 1\nfine").contains("line 2 is not"));
        for other in ["", "up 1\nprocess_cpu_seconds_total 7\n"] {
            assert!(fault(other).contains("another program"), "{other:?}");
        }
    }
}
