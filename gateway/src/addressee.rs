//! For which stream something is kept on the disk. A label, or the only `[stream]`, that names another
//! stream later would else send it to another owner.

use crate::config::Stream;

/// A stream, as it is noted beside what is for it: its name or ARN, and its region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee(String);

impl Addressee {
    /// The one that is configured.
    #[must_use]
    pub fn of(stream: &Stream) -> Self {
        Self(format!("{} {}", stream.target.as_str(), stream.region))
    }

    /// As it was noted; `None` if that is damaged.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (target, region) = text.trim_end().split_once(' ')?;
        let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_graphic());
        (is_word(target) && is_word(region)).then(|| Self(text.trim_end().to_owned()))
    }

    /// What is noted: `<name or ARN> <region>`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it says the account, too.
    #[must_use]
    pub fn is_arn(&self) -> bool {
        self.0.starts_with("arn:")
    }

    /// Whether both may be one stream: the name of one stream is that in its ARN. In which account a
    /// name is, its key says, and keys change.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        match self.is_arn() && other.is_arn() {
            true => self == other,
            false => self.name() == other.name(),
        }
    }

    /// The name and the region.
    fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_noted_whole_is_an_addressee() {
        for text in ["", "s", "s ", " eu-west-1", "s eu-west-1 x", "s eu\u{1}"] {
            assert_eq!(Addressee::parse(text), None, "{text:?}");
        }
        assert_eq!(Addressee::parse("s eu-west-1\n").unwrap().as_str(), "s eu-west-1");
    }
}
