//! A page of metrics as a gateway writes it: OpenMetrics, or Prometheus' own text, of which it is a
//! part.

use std::collections::{BTreeMap, BTreeSet};

/// Before every name of ours.
const PREFIX: &str = "tidegate_";

/// The label of series of one stream, where there may be several.
const STREAM: &str = "stream=\"";

/// The series of one page, of one stream if there are several, by name and other labels as written.
#[derive(Debug, Clone)]
pub(super) struct Page(BTreeMap<String, f64>);

impl Page {
    /// Reads what a page shows of `stream`, or of the only one.
    ///
    /// # Errors
    /// When it is no page, or that of another program, or shows several streams and none was named,
    /// or not the one that was.
    pub(super) fn read(text: &str, stream: Option<&str>) -> Result<Self, String> {
        let (mut series, mut streams) = (Vec::new(), BTreeSet::new());
        for (number, line) in (1..).zip(text.lines()) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let sample = sample(line);
            let (name, value) = sample.ok_or_else(|| {
                format!("line {number} is not in Prometheus' text format: is it /metrics?")
            })?;
            if let Some(name) = name.strip_prefix(PREFIX) {
                let (name, of) = without_stream(name);
                streams.extend(of);
                series.push((name, of, value));
            }
        }
        let stream = asked(stream, &streams)?;
        let ours = series.into_iter().filter(|(_, of, _)| of.is_none() || *of == stream);
        let page = Self(ours.map(|(name, _, value)| (name, value)).collect());
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

/// The stream that is meant of these.
fn asked<'t>(
    stream: Option<&'t str>,
    streams: &BTreeSet<&'t str>,
) -> Result<Option<&'t str>, String> {
    let shown = || streams.iter().copied().collect::<Vec<_>>().join(", ");
    match stream {
        None if streams.len() > 1 => {
            Err(format!("the gateway has several streams: say --stream with one of {}", shown()))
        }
        None => Ok(streams.first().copied()),
        Some(label) if streams.contains(label) => Ok(Some(label)),
        Some(label) => {
            Err(format!("the gateway shows no stream {label:?}, but these: {}", shown()))
        }
    }
}

/// A name with its labels but that of the stream, and the stream. Its label has no character that would
/// be written in another way.
fn without_stream(series: &str) -> (String, Option<&str>) {
    let Some((name, labels)) = series.split_once('{') else { return (series.to_owned(), None) };
    // It comes first, or right behind the edge of a bucket, which holds no comma.
    let (before, rest) = match labels.strip_prefix(STREAM) {
        Some(rest) => ("", Some(rest)),
        None if labels.starts_with("le=\"") => labels
            .split_once(&format!(",{STREAM}"))
            .map_or((labels, None), |(before, rest)| (before, Some(rest))),
        None => (labels, None),
    };
    let Some((stream, after)) = rest.and_then(|rest| rest.split_once('"')) else {
        return (series.to_owned(), None);
    };
    let after = after.strip_prefix(',').unwrap_or(after);
    let left = format!("{before}{after}");
    match left.as_str() {
        "}" => (name.to_owned(), Some(stream)),
        _ => (format!("{name}{{{left}"), Some(stream)),
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
        let page = Page::read(text, None).unwrap();
        assert_eq!((page.value("x_total"), page.value("y")), (Ok(12.0), Ok(0.5)));
        assert!(page.value("z").unwrap_err().contains("tidegate_z"));
        assert!(page.labels("hot", "key").eq([("a\"b} \\ 2".to_owned(), 3.5)]));
    }

    #[test]
    fn of_several_streams_one_is_read_and_which_must_be_said() {
        let text = "tidegate_build_info{version=\"0.1.0\"} 1\ntidegate_up 7\n\
            tidegate_x{stream=\"a\"} 1\ntidegate_x{stream=\"b\"} 2\n\
            tidegate_hot{stream=\"b\",key=\"p,stream=\\\"a\"} 3\n\
            tidegate_s_bucket{le=\"0.1\",stream=\"b\"} 4\n# EOF\n";
        let page = Page::read(text, Some("b")).unwrap();
        assert_eq!((page.value("up"), page.value("x")), (Ok(7.0), Ok(2.0)));
        assert_eq!(page.value("s_bucket{le=\"0.1\"}"), Ok(4.0));
        assert!(page.labels("hot", "key").eq([("p,stream=\"a".to_owned(), 3.0)]));
        assert_eq!(Page::read(text, Some("a")).unwrap().value("x"), Ok(1.0));
        let fault = |stream| Page::read(text, stream).unwrap_err();
        assert!(fault(None).contains("several streams: say --stream with one of a, b"));
        assert!(fault(Some("c")).contains("no stream \"c\", but these: a, b"));
        let one = text.replace("\"a\"", "\"b\"");
        assert!(Page::read(&one, None).unwrap().value("x").is_ok(), "the only one");
    }

    #[test]
    fn what_is_no_page_of_ours_is_told_apart_from_what_is_no_page() {
        let fault = |text| Page::read(text, None).unwrap_err();
        assert!(fault("<html><body>hello</body></html>").contains("line 1 is not in Prometheus'"));
        assert!(fault("up 1\nfine").contains("line 2 is not"));
        for other in ["", "up 1\nprocess_cpu_seconds_total 7\n"] {
            assert!(fault(other).contains("another program"), "{other:?}");
        }
    }
}
