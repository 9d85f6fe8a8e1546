//! MQTT topic filters: which topics they match, and whether two of them can match the same one.

use std::fmt;

/// A valid topic filter (MQTT 5, section 4.7): `+` stands for one level, a final `#` for the level
/// before it and all below.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Filter(Box<str>);

/// Why a text is no topic filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilterFault {
    /// Nothing at all.
    #[error("a topic filter cannot be empty")]
    Empty,
    /// MQTT counts the bytes of a string in 16 bits.
    #[error("a topic filter has at most 65,535 bytes")]
    TooLong,
    /// U+0000 is forbidden in MQTT strings.
    #[error("a topic filter cannot contain the character NUL")]
    Nul,
    /// `a/#/b` or `a#`.
    #[error("'#' must be the last level of a topic filter, and the whole level")]
    HashNotLast,
    /// `a/b+`.
    #[error("'+' must be a whole level of a topic filter")]
    PlusNotAlone,
}

impl Filter {
    /// Longest filter, in bytes.
    pub const BYTES_MAX: usize = 65_535;

    /// Takes `text` as a filter.
    ///
    /// # Errors
    /// The first rule of MQTT that it breaks.
    pub fn parse(text: &str) -> Result<Self, FilterFault> {
        if text.is_empty() {
            return Err(FilterFault::Empty);
        }
        if text.len() > Self::BYTES_MAX {
            return Err(FilterFault::TooLong);
        }
        if text.contains('\0') {
            return Err(FilterFault::Nul);
        }
        if text.strip_suffix('#').unwrap_or(text).contains('#')
            || (text.ends_with('#') && text != "#" && !text.ends_with("/#"))
        {
            return Err(FilterFault::HashNotLast);
        }
        if text.split('/').any(|level| level != "+" && level.contains('+')) {
            return Err(FilterFault::PlusNotAlone);
        }
        Ok(Self(text.into()))
    }

    /// The filter as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a publish to `topic` goes to subscribers of this filter. Topics that begin with `$`
    /// (`$SYS/…`) are the broker's own: a wildcard in the first level does not match them.
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        if self.begins_with_wildcard() && topic.starts_with('$') {
            return false;
        }
        let mut levels = topic.split('/');
        for pattern in self.0.split('/') {
            match (pattern, levels.next()) {
                // Also when the topic has ended: `a/#` matches `a`.
                ("#", _) => return true,
                ("+", Some(_)) => {}
                (literal, Some(level)) if literal == level => {}
                _ => return false,
            }
        }
        levels.next().is_none()
    }

    /// Whether some topic is matched by both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let own_only = |filter: &Self| filter.0.starts_with('$');
        if (self.begins_with_wildcard() && own_only(other))
            || (other.begins_with_wildcard() && own_only(self))
        {
            return false;
        }
        let (mut ours, mut theirs) = (self.0.split('/'), other.0.split('/'));
        loop {
            match (ours.next(), theirs.next()) {
                // Whatever follows on the other side, some topic goes on like it.
                (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
                (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
                (Some(one), Some(another)) if one == another => {}
                _ => return false,
            }
        }
    }

    /// Whether this one matches every topic that the other matches.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        if self.begins_with_wildcard() && other.0.starts_with('$') {
            return false;
        }
        let (mut ours, mut theirs) = (self.0.split('/'), other.0.split('/'));
        loop {
            match (ours.next(), theirs.next()) {
                // Also when the other has ended: `a/#` matches `a`.
                (Some("#"), _) | (None, None) => return true,
                (Some("+"), Some(level)) if level != "#" => {}
                (Some(one), Some(another)) if one == another => {}
                _ => return false,
            }
        }
    }

    fn begins_with_wildcard(&self) -> bool {
        self.0.starts_with(['+', '#'])
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filter(text: &str) -> Filter {
        Filter::parse(text).unwrap_or_else(|fault| panic!("{text:?}: {fault}"))
    }

    #[test]
    fn a_text_that_mqtt_forbids_is_no_filter() {
        for (text, fault) in [
            ("", FilterFault::Empty),
            ("a\0b", FilterFault::Nul),
            ("a/#/b", FilterFault::HashNotLast),
            ("a#", FilterFault::HashNotLast),
            ("#/", FilterFault::HashNotLast),
            ("##", FilterFault::HashNotLast),
            ("a/##", FilterFault::HashNotLast),
            ("a+/b", FilterFault::PlusNotAlone),
            ("a/++", FilterFault::PlusNotAlone),
            ("+#", FilterFault::HashNotLast),
        ] {
            assert_eq!(Filter::parse(text), Err(fault), "{text:?}");
        }
        assert_eq!(Filter::parse(&"a".repeat(65_536)), Err(FilterFault::TooLong));
        assert!(Filter::parse(&"a".repeat(65_535)).is_ok());
    }

    /// The examples of MQTT 5, sections 4.7.1 and 4.7.2.
    #[test]
    fn filters_match_as_the_standard_says() {
        for (text, topic, matches) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/ranking", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
            ("sport/#", "sport", true),
            ("#", "anything/at/all", true),
            ("sport/tennis/+", "sport/tennis/player1", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("+/tennis/#", "sport/tennis", true),
            ("#", "$SYS/monitor", false),
            ("+/monitor/Clients", "$SYS/monitor/Clients", false),
            ("$SYS/#", "$SYS/monitor", true),
            ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
            ("a", "A", false),
            ("a", "a/b", false),
        ] {
            assert_eq!(filter(text).matches(topic), matches, "{text} on {topic}");
        }
    }

    #[test]
    fn wildcards_cover_what_is_narrower() {
        for (one, another) in [
            ("#", "a"),
            ("#", "+/b"),
            ("a/#", "a"),
            ("a/#", "a/+/c"),
            ("a/+", "a/b"),
            ("+/#", "a/#"),
        ] {
            assert!(filter(one).covers(&filter(another)), "{one} covers {another}");
            assert!(!filter(another).covers(&filter(one)), "{another} does not cover {one}");
        }
        assert!(!filter("#").covers(&filter("$SYS/#")));
    }

    /// Every topic of one to four levels over an alphabet that holds one level no filter names.
    fn topics() -> Vec<String> {
        let mut topics: Vec<String> = vec![];
        let mut longest: Vec<String> = vec![];
        for depth in 0..4 {
            longest = if depth == 0 {
                ["a", "b", "c", "", "$d"].map(str::to_owned).to_vec()
            } else {
                let append =
                    |topic: &String| ["a", "b", "c", ""].map(|end| format!("{topic}/{end}"));
                longest.iter().flat_map(append).collect()
            };
            topics.extend(longest.iter().cloned());
        }
        topics
    }

    fn small_filter() -> impl Strategy<Value = Filter> {
        let level = prop_oneof![3 => Just("a"), 2 => Just("b"), 1 => Just(""), 3 => Just("+")];
        let first = prop_oneof![4 => level.clone(), 1 => Just("$d")];
        (first, prop::collection::vec(level, 0..3), any::<bool>()).prop_filter_map(
            "an empty filter is none",
            |(first, rest, open)| {
                let levels = [first].into_iter().chain(rest).chain(open.then_some("#"));
                Filter::parse(&levels.collect::<Vec<_>>().join("/")).ok()
            },
        )
    }

    proptest! {
        #[test]
        fn two_filters_overlap_exactly_when_some_topic_matches_both(
            one in small_filter(), another in small_filter(),
        ) {
            let common = topics().into_iter().find(|t| one.matches(t) && another.matches(t));
            prop_assert_eq!(one.overlaps(&another), common.is_some(), "{:?}", common);
            prop_assert_eq!(another.overlaps(&one), common.is_some());
        }

        #[test]
        fn any_topic_is_a_filter_for_itself(topic in "[^+#\0]{1,40}") {
            let own = filter(&topic);
            prop_assert!(own.matches(&topic) && own.overlaps(&own));
            prop_assert_eq!(filter("#").matches(&topic), filter("#").overlaps(&own));
        }

        #[test]
        fn a_filter_covers_another_only_if_it_matches_all_that_the_other_matches(
            one in small_filter(), another in small_filter(),
        ) {
            prop_assert!(one.covers(&one));
            if one.covers(&another) {
                let missed = topics().into_iter().find(|t| another.matches(t) && !one.matches(t));
                prop_assert_eq!(missed, None);
            }
        }

        #[test]
        fn a_filter_overlaps_itself_whatever_it_is(text in "[a+#/$\0]{0,12}") {
            if let Ok(filter) = Filter::parse(&text) {
                prop_assert!(filter.overlaps(&filter));
            }
        }
    }
}
