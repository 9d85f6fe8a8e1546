//! How long ago, as it is said on the command line.

use std::str::FromStr;
use std::time::Duration;

use jiff::{Span, SpanRelativeTo, Timestamp};

/// A time span that is not negative, such as 7d, 12h or 2w; a day has 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age(Duration);

impl Age {
    /// When that was, in milliseconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// When it was before the calendar begins.
    pub(super) fn ago_ms(self, now: Timestamp) -> Result<i64, jiff::Error> {
        Ok(now.checked_sub(self.0)?.as_millisecond())
    }
}

impl FromStr for Age {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        let span: Span = text.parse()?;
        let duration = span.to_duration(SpanRelativeTo::days_are_24_hours())?;
        Duration::try_from(duration).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_and_never_negative() {
        let age = |text: &str| text.parse::<Age>().ok().map(|Age(age)| age.as_secs());
        assert_eq!(age("7d"), Some(7 * 86_400));
        assert_eq!((age("2w"), age("12h"), age("0s")), (Some(14 * 86_400), Some(43_200), Some(0)));
        assert_eq!((age("-7d"), age("7"), age("soon"), age("1y")), (None, None, None, None));
    }

    #[test]
    fn an_age_ends_now() {
        let now = Timestamp::from_millisecond(10_000).unwrap();
        assert_eq!("3s".parse::<Age>().unwrap().ago_ms(now).unwrap(), 7_000);
    }
}
