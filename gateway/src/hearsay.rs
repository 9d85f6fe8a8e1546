//! What others say, made fit to be repeated in a log, a report or a page.
//!
//! A service that is shown a wrong signature answers with the whole request that it should have been
//! made for, over many lines: with it the token of a session. And whoever answers in a service's place
//! may say anything.

/// Longest text that is repeated, in characters. A refusal of permission names who asked and for which
/// stream, in some 500 with the longest names that there are.
const CHARS_MAX: usize = 512;

/// What is not for repeating begins with one of these, in capitals or not: with the first that is found.
const NOT_TO_REPEAT: [&str; 6] = [
    "the canonical string",
    "canonical string",
    "canonical request",
    "canonical_request",
    "canonicalrequest",
    "x-amz-security-token",
];

/// What stands for everything that is left out.
const LEFT_OUT: char = '…';

/// What `said` says in its first line, of 512 characters at most and one more for what is left out. Of
/// how a request is signed nothing is repeated; characters that do something to a terminal, or turn the
/// direction of what follows, are replaced.
#[must_use]
pub fn repeatable(said: &str) -> String {
    let said = said.trim();
    let first_line = said.split(ends_line).next().unwrap_or_default();
    let lower_case = first_line.to_ascii_lowercase();
    let found = NOT_TO_REPEAT.iter().filter_map(|mark| lower_case.find(mark)).min();
    let harmless = found.and_then(|at| first_line.get(..at)).unwrap_or(first_line).trim_end();
    let mut text: String = harmless.chars().map(plain).take(CHARS_MAX).collect();
    if harmless.len() < said.len() || harmless.chars().count() > CHARS_MAX {
        text.push(LEFT_OUT);
    }
    text
}

/// The same text, of whatever length and number of lines, without what does something to a terminal.
#[must_use]
pub fn harmless(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { c } else { plain(c) }).collect()
}

fn ends_line(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn plain(c: char) -> char {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || turns { char::REPLACEMENT_CHARACTER } else { c }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MISMATCH: &str =
        "The request signature we calculated does not match the signature you provided.";

    /// What a token may come after, as services write it and as they might.
    const MARKS: &[&str] = &[
        "The Canonical String for",
        "CanonicalRequest",
        "x-amz-security-token",
        "X-AMZ-Security-Token",
    ];

    #[test]
    fn what_a_request_should_have_been_is_not_repeated() {
        let canonical = "The Canonical String for this request should have been 'POST\n/\n\n\
                         host:kinesis\nx-amz-security-token:IQoJ\n'";
        for between in [" ", "\n\n", "\r\n"] {
            let said = format!("{MISMATCH}{between}{canonical}");
            assert_eq!(repeatable(&said), format!("{MISMATCH}…"));
        }
        assert_eq!(repeatable("CanonicalRequest: POST"), "…");
        assert_eq!(repeatable("Bad header X-Amz-Security-Token: IQoJ"), "Bad header…");
    }

    #[test]
    fn what_is_short_and_plain_is_repeated_as_it_is() {
        let denied = "User: arn:aws:iam::123456789012:user/canonical-iot is not authorized";
        for said in [MISMATCH, "", "für alle: ✓", "a\u{fffd}b", denied] {
            assert_eq!(repeatable(said), said);
        }
        assert_eq!(repeatable("  padded \n"), "padded");
    }

    #[test]
    fn a_terminal_is_told_lines_of_text_and_nothing_else() {
        let said = "a\u{1b}[2Jb\rconnection available\u{202e}\nnext: ✓";
        let harmless = harmless(said);
        assert_eq!(harmless, "a\u{fffd}[2Jb\u{fffd}connection available\u{fffd}\nnext: ✓");
    }

    #[test]
    fn what_is_long_is_cut_between_characters() {
        let just = "ä".repeat(CHARS_MAX);
        assert_eq!(repeatable(&just), just);
        assert_eq!(repeatable(&(just.clone() + "b")), just + "…");
    }

    proptest! {
        #[test]
        fn nothing_said_is_more_than_a_line_of_plain_characters(said in any::<String>()) {
            let text = repeatable(&said);
            prop_assert!(text.chars().count() <= CHARS_MAX + 1);
            prop_assert!(!text.chars().any(|c| c.is_control() || ends_line(c)));
        }

        #[test]
        fn no_token_is_repeated_wherever_it_is_said(
            before in "(?s).{0,300}",
            mark in prop::sample::select(MARKS),
            between in "(?s)[: =\n]{1,3}",
        ) {
            let text = repeatable(&format!("{before}{mark}{between}IQoJb3JpZ2lu"));
            prop_assert!(!text.contains("IQoJb3JpZ2lu"), "{text}");
        }

        #[test]
        fn a_plain_line_is_repeated_to_its_limit(said in "[a-bd-z][a-bd-z ]{0,700}") {
            let whole: String = said.trim().chars().take(CHARS_MAX).collect();
            prop_assert!(repeatable(&said).starts_with(&whole));
        }
    }
}
