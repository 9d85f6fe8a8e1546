//! Topic templates: what a topic tells of a device.

use crate::filter::{Filter, FilterFault};

/// A topic filter with places to be read, such as `sites/{site}/devices/{dev}/telemetry`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    filter: Filter,
    /// Which levels are read, counted from 0.
    places: Vec<(usize, Name)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Device,
    Tenant,
    Type,
}

/// Why a text is no topic template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateFault {
    /// With its placeholders replaced by `+` it must be a topic filter.
    #[error(transparent)]
    Filter(#[from] FilterFault),
    /// `a{dev}`, `{dev` or `{}`.
    #[error("must have each placeholder as a whole level of the topic, as in \"a/{{dev}}/b\"")]
    NotALevel,
    /// The same placeholder at two levels.
    #[error("must have {{{0}}} only once")]
    Twice(String),
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
    /// Reads a template. `{dev}`, `{tenant}` and `{type}` are captured, any other placeholder
    /// matches one level, `+` and `#` match as in a filter.
    ///
    /// # Errors
    /// The first fault found.
    pub fn new(template: &str) -> Result<Self, TemplateFault> {
        let (mut names, mut places) = (Vec::new(), Vec::new());
        let mut levels = Vec::new();
        for (index, level) in template.split('/').enumerate() {
            let Some(name) = placeholder(level)? else {
                levels.push(level);
                continue;
            };
            levels.push("+");
            if names.contains(&name) {
                return Err(TemplateFault::Twice(name.to_owned()));
            }
            names.push(name);
            match name {
                "dev" => places.push((index, Name::Device)),
                "tenant" => places.push((index, Name::Tenant)),
                "type" => places.push((index, Name::Type)),
                _ => {}
            }
        }
        Ok(Self { filter: Filter::parse(&levels.join("/"))?, places })
    }

    /// Reads `topic`, or gives nothing when it does not match.
    #[must_use]
    pub fn capture<'t>(&self, topic: &'t str) -> Option<Captured<'t>> {
        if !self.filter.matches(topic) {
            return None;
        }
        let mut captured = Captured::default();
        for (index, name) in &self.places {
            let level = topic.split('/').nth(*index);
            match name {
                Name::Device => captured.device = level,
                Name::Tenant => captured.tenant = level,
                Name::Type => captured.kind = level,
            }
        }
        Some(captured)
    }
}

/// The name of a level that is a placeholder; nothing for one that is none.
fn placeholder(level: &str) -> Result<Option<&str>, TemplateFault> {
    if !level.contains(['{', '}']) {
        return Ok(None);
    }
    let name = level.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let plain = |name: &&str| !name.is_empty() && !name.contains(['{', '}']);
    name.filter(plain).map(Some).ok_or(TemplateFault::NotALevel)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("a/{dev}x", TemplateFault::NotALevel),
            ("a/{}", TemplateFault::NotALevel),
            ("a/{dev", TemplateFault::NotALevel),
            ("{{dev}}", TemplateFault::NotALevel),
            ("{dev}/{dev}", TemplateFault::Twice("dev".to_owned())),
            ("{dev}/#/a", TemplateFault::Filter(FilterFault::HashNotLast)),
            ("", TemplateFault::Filter(FilterFault::Empty)),
        ] {
            assert_eq!(Template::new(text), Err(fault), "{text:?}");
        }
    }
}
