//! Topic names and topic filters, as bytes: MQTT 5 lets a topic that is not UTF-8 through to the
//! client, and so must a broker that is to test one.

/// A checked topic filter: `sites/+/telemetry`, or `$share/<group>/sites/+/telemetry`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    /// The group that shares the subscription, if one does.
    pub(super) group: Option<Box<str>>,
    /// What topics are compared with.
    pub(super) pattern: Box<str>,
}

impl Filter {
    /// Takes `text` if MQTT allows it as a filter.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let Some(shared) = text.strip_prefix("$share/") else {
            return well_formed(text).then(|| Self { group: None, pattern: text.into() });
        };
        let (group, pattern) = shared.split_once('/')?;
        let named = !group.is_empty() && !group.contains(['+', '#']);
        (named && well_formed(pattern))
            .then(|| Self { group: Some(group.into()), pattern: pattern.into() })
    }
}

/// Whether every wildcard fills its level and `#` comes last.
fn well_formed(pattern: &str) -> bool {
    let levels = pattern.split('/').count();
    let mut numbered = pattern.split('/').enumerate();
    !pattern.is_empty()
        && !pattern.contains('\0')
        && numbered.all(|(index, level)| match level {
            "+" => true,
            "#" => index + 1 == levels,
            name => !name.contains(['+', '#']),
        })
}

/// Whether `topic` may be published to.
pub(super) fn publishable(topic: &[u8]) -> bool {
    !topic.is_empty() && !topic.iter().any(|byte| matches!(byte, b'+' | b'#' | 0))
}

/// Whether `topic` falls under `pattern`. Topics that begin with `$` fall only under patterns that
/// spell their first level out.
pub(super) fn matches(pattern: &str, topic: &[u8]) -> bool {
    if topic.starts_with(b"$") && pattern.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split(|byte| *byte == b'/');
    for wanted in pattern.split('/') {
        if wanted == "#" {
            return true;
        }
        match levels.next() {
            Some(level) if wanted == "+" || wanted.as_bytes() == level => {}
            Some(_) | None => return false,
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_what_the_standard_says() {
        for (pattern, topic, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("a/+/c", "a/b/c", true),
            ("a/+/c", "a/b/d", false),
            ("+", "a", true),
            ("+", "/a", false),
            ("/+", "/a", true),
            ("a/+", "a/", true),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("a/#", "ab", false),
            ("#", "a/b", true),
            ("#", "$SYS/uptime", false),
            ("+/uptime", "$SYS/uptime", false),
            ("$SYS/#", "$SYS/uptime", true),
        ] {
            assert_eq!(matches(pattern, topic.as_bytes()), expected, "{pattern} and {topic}");
        }
        assert!(matches("a/+/c", b"a/\xff/c"), "a level that is not UTF-8 is a level");
    }

    #[test]
    fn only_well_formed_filters_are_taken() {
        for good in ["a", "+", "#", "a/+/b/#", "/", "$share/g/a/+", "$SYS/#"] {
            assert!(Filter::parse(good).is_some(), "{good}");
        }
        for bad in
            ["", "a+", "a/#/b", "a#", "$share/g", "$share//a", "$share/+/a", "$share/g/", "a\0"]
        {
            assert!(Filter::parse(bad).is_none(), "{bad:?}");
        }
        let shared = Filter::parse("$share/group/a/#").unwrap();
        assert_eq!((shared.group.as_deref(), &*shared.pattern), (Some("group"), "a/#"));
    }

    #[test]
    fn topics_with_wildcards_cannot_be_published_to() {
        assert!(publishable(b"a/b"));
        for bad in [&b""[..], b"a/+", b"#", b"a\0"] {
            assert!(!publishable(bad));
        }
    }
}
