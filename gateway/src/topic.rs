//! Topic filters and topic templates: what MQTT calls a match, and what a topic tells of a device.

use std::fmt;

/// Longest topic filter MQTT can carry, in bytes.
const FILTER_BYTES_MAX: usize = 65_535;

/// A valid MQTT topic filter, without `$share`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicFilter(Box<str>);

/// Why a text is no topic filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilterFault {
    /// MQTT wants at least one character.
    #[error("a topic filter cannot be empty")]
    Empty,
    /// The length is sent as 16 bits.
    #[error("a topic filter has at most {FILTER_BYTES_MAX} bytes")]
    TooLong,
    /// MQTT forbids U+0000.
    #[error("a topic filter cannot contain U+0000")]
    Nul,
    /// `a#` or `+a`.
    #[error("`+` and `#` must stand alone between slashes")]
    WildcardNotAlone,
    /// `a/#/b`.
    #[error("`#` can only be the last level")]
    RestNotLast,
}

impl TopicFilter {
    /// Takes `filter` if a broker would.
    ///
    /// # Errors
    /// The first fault found.
    pub fn new(filter: &str) -> Result<Self, FilterFault> {
        if filter.is_empty() {
            return Err(FilterFault::Empty);
        }
        if filter.len() > FILTER_BYTES_MAX {
            return Err(FilterFault::TooLong);
        }
        if filter.contains('\0') {
            return Err(FilterFault::Nul);
        }
        let mut levels = filter.split('/').peekable();
        while let Some(level) = levels.next() {
            if level.len() > 1 && level.contains(['+', '#']) {
                return Err(FilterFault::WildcardNotAlone);
            }
            if level == "#" && levels.peek().is_some() {
                return Err(FilterFault::RestNotLast);
            }
        }
        Ok(Self(filter.into()))
    }

    /// Tells whether a publish to `topic` comes to a subscription of this filter.
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        meet(self.levels(), topic.split('/').map(Level::Literal))
    }

    /// Tells whether some topic matches both filters.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        meet(self.levels(), other.levels())
    }

    fn levels(&self) -> impl Iterator<Item = Level<'_>> {
        self.0.split('/').map(Level::of)
    }
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a filter asks of one level of a topic.
#[derive(Debug, Clone, Copy)]
enum Level<'a> {
    Literal(&'a str),
    One,
    Rest,
}

impl<'a> Level<'a> {
    fn of(level: &'a str) -> Self {
        match level {
            "+" => Self::One,
            "#" => Self::Rest,
            literal => Self::Literal(literal),
        }
    }

    /// Topics of the broker's own, such as `$SYS`, are hidden from leading wildcards.
    fn hides_from_wildcards(self) -> bool {
        matches!(self, Self::Literal(level) if level.starts_with('$'))
    }
}

/// Tells whether a topic can satisfy both sides.
fn meet<'a>(left: impl Iterator<Item = Level<'a>>, right: impl Iterator<Item = Level<'a>>) -> bool {
    let mut left = left.fuse();
    let mut right = right.fuse();
    let mut leading = true;
    loop {
        let pair = (left.next(), right.next());
        if let (true, (Some(a), Some(b))) = (leading, pair)
            && a.hides_from_wildcards() != b.hides_from_wildcards()
        {
            return false;
        }
        leading = false;
        match pair {
            // `#` also matches the level above it: `a/#` meets `a`.
            (Some(Level::Rest), _) | (_, Some(Level::Rest)) | (None, None) => return true,
            (None, _) | (_, None) => return false,
            (Some(Level::Literal(a)), Some(Level::Literal(b))) if a != b => return false,
            (Some(_), Some(_)) => {}
        }
    }
}

/// A topic with places to be read, such as `sites/{site}/devices/{dev}/telemetry`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Place>);

/// What a template says of one level.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Literal(Box<str>),
    One,
    Rest,
    Device,
    Tenant,
    Type,
}

/// Why a text is no topic template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateFault {
    /// With its names replaced by `+` it must be a topic filter.
    #[error(transparent)]
    Filter(#[from] FilterFault),
    /// `a{dev}` or `{}`: a name fills its level and is not empty.
    #[error("`{0}`: a name must fill its level, as in `a/{{dev}}/b`")]
    NameNotAlone(String),
    /// The same name at two levels.
    #[error("`{{{0}}}` stands twice")]
    Twice(&'static str),
}

/// What a topic told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Captured<'t> {
    /// The level at `{dev}`.
    pub device: Option<&'t str>,
    /// The level at `{tenant}`.
    pub tenant: Option<&'t str>,
    /// The level at `{type}`.
    pub kind: Option<&'t str>,
}

impl Template {
    /// Reads a template. `{dev}`, `{tenant}` and `{type}` are captured, any other name matches one
    /// level, `+` and `#` match as in a filter.
    ///
    /// # Errors
    /// The first fault found.
    pub fn new(template: &str) -> Result<Self, TemplateFault> {
        let places = template.split('/').map(Place::of).collect::<Result<Vec<_>, _>>()?;
        for (place, name) in
            [(Place::Device, "dev"), (Place::Tenant, "tenant"), (Place::Type, "type")]
        {
            if places.iter().filter(|other| **other == place).count() > 1 {
                return Err(TemplateFault::Twice(name));
            }
        }
        let filter: Vec<&str> = places.iter().map(Place::as_filter).collect();
        TopicFilter::new(&filter.join("/"))?;
        Ok(Self(places))
    }

    /// Reads `topic`, or gives nothing when it does not match.
    #[must_use]
    pub fn capture<'t>(&self, topic: &'t str) -> Option<Captured<'t>> {
        if !meet(self.levels(), topic.split('/').map(Level::Literal)) {
            return None;
        }
        let mut captured = Captured::default();
        for (place, level) in self.0.iter().zip(topic.split('/')) {
            match place {
                Place::Device => captured.device = Some(level),
                Place::Tenant => captured.tenant = Some(level),
                Place::Type => captured.kind = Some(level),
                Place::Literal(_) | Place::One | Place::Rest => {}
            }
        }
        Some(captured)
    }

    fn levels(&self) -> impl Iterator<Item = Level<'_>> {
        self.0.iter().map(|place| Level::of(place.as_filter()))
    }
}

impl Place {
    fn of(level: &str) -> Result<Self, TemplateFault> {
        let name = level.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match (level, name) {
            ("+", _) => Ok(Self::One),
            ("#", _) => Ok(Self::Rest),
            (_, Some("dev")) => Ok(Self::Device),
            (_, Some("tenant")) => Ok(Self::Tenant),
            (_, Some("type")) => Ok(Self::Type),
            (_, Some(name)) if !name.is_empty() && !name.contains(['{', '}']) => Ok(Self::One),
            (literal, None) if !literal.contains(['{', '}']) => Ok(Self::Literal(literal.into())),
            (level, _) => Err(TemplateFault::NameNotAlone(level.to_owned())),
        }
    }

    fn as_filter(&self) -> &str {
        match self {
            Self::Literal(literal) => literal,
            Self::Rest => "#",
            Self::One | Self::Device | Self::Tenant | Self::Type => "+",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::new(text).unwrap()
    }

    #[test]
    fn filters_match_as_the_standard_says() {
        for (pattern, topic, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("a/b/c", "a/b", false),
            ("a/+", "a/b", true),
            ("a/+", "a", false),
            ("a/+", "a/", true),
            ("+/+", "/b", true),
            ("+", "/b", false),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("a/#", "b", false),
            ("#", "a/b", true),
            ("#", "$SYS/uptime", false),
            ("+/uptime", "$SYS/uptime", false),
            ("$SYS/#", "$SYS/uptime", true),
            ("a/+", "a/$b", true),
            ("A", "a", false),
        ] {
            assert_eq!(filter(pattern).matches(topic), expected, "{pattern} on {topic}");
        }
    }

    #[test]
    fn a_topic_cannot_act_as_a_wildcard() {
        assert!(!filter("a/b").matches("a/#"));
        assert!(!filter("a/b").matches("a/+"));
    }

    #[test]
    fn filters_overlap_when_some_topic_matches_both() {
        for (left, right, expected) in [
            ("a/+", "+/b", true),
            ("a/+/c", "a/b/+", true),
            ("a/+/c", "a/b/d", false),
            ("a/#", "a", true),
            ("a/#", "+/b/c", true),
            ("a/b", "a/b/c", false),
            ("#", "$SYS/#", false),
            ("$SYS/+", "$SYS/#", true),
            ("sites/1/#", "sites/2/#", false),
        ] {
            assert_eq!(filter(left).overlaps(&filter(right)), expected, "{left} and {right}");
            assert_eq!(filter(right).overlaps(&filter(left)), expected, "{right} and {left}");
        }
    }

    #[test]
    fn what_no_broker_accepts_is_no_filter() {
        for (text, fault) in [
            ("", FilterFault::Empty),
            ("a\0", FilterFault::Nul),
            ("a/b+", FilterFault::WildcardNotAlone),
            ("a#", FilterFault::WildcardNotAlone),
            ("a/#/b", FilterFault::RestNotLast),
        ] {
            assert_eq!(TopicFilter::new(text), Err(fault), "{text:?}");
        }
        assert_eq!(TopicFilter::new(&"a".repeat(65_536)), Err(FilterFault::TooLong));
        assert!(TopicFilter::new(&"a".repeat(65_535)).is_ok());
    }

    #[test]
    fn templates_capture_their_names() {
        let template = Template::new("{tenant}/{site}/{dev}/{type}/#").unwrap();
        let captured = template.capture("acme/north/d7/status/x/y").unwrap();
        assert_eq!(
            captured,
            Captured { device: Some("d7"), tenant: Some("acme"), kind: Some("status") }
        );
        assert_eq!(template.capture("acme/north/d7"), None);
        assert_eq!(Template::new("a/{dev}").unwrap().capture("b/x"), None);
    }

    #[test]
    fn faulty_templates_are_named() {
        for (text, fault) in [
            ("a/{dev}x", TemplateFault::NameNotAlone("{dev}x".to_owned())),
            ("a/{}", TemplateFault::NameNotAlone("{}".to_owned())),
            ("a/{dev", TemplateFault::NameNotAlone("{dev".to_owned())),
            ("{dev}/{dev}", TemplateFault::Twice("dev")),
            ("{dev}/#/a", TemplateFault::Filter(FilterFault::RestNotLast)),
            ("", TemplateFault::Filter(FilterFault::Empty)),
        ] {
            assert_eq!(Template::new(text), Err(fault), "{text:?}");
        }
    }
}
