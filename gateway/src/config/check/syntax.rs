//! What texts must look like.

use crate::config::file::Checked;
use crate::filter::Filter;
use crate::limits::NAME_BYTES_MAX;
use crate::topic::Template;

/// A text without control characters, of 1 to `bytes_max` bytes.
pub(super) fn plain(text: &str, bytes_max: usize) -> Checked<&str> {
    if text.is_empty() || text.len() > bytes_max || text.chars().any(char::is_control) {
        return Err(format!("must have 1 to {bytes_max} bytes and no control characters"));
    }
    Ok(text)
}

/// A name in snake_case, such as `air_temperature`.
pub(super) fn snake_case(text: &str) -> Checked<String> {
    let plain = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
    if !begins || text.len() > NAME_BYTES_MAX || !text.split('_').all(plain) {
        return Err("must be a name in snake_case, such as \"air_temperature\"".to_owned());
    }
    Ok(text.to_owned())
}

/// A topic filter as subscribed to, without `$share`.
pub(super) fn topic_filter(text: &str) -> Checked<Filter> {
    if text.starts_with("$share/") {
        return Err("must be without $share/…: name the group in mqtt.share_group".to_owned());
    }
    Filter::parse(text).map_err(|fault| fault.to_string())
}

/// A JSON Pointer (RFC 6901): nothing for the whole payload, or a path such as `/data/temp`, where
/// `~0` stands for `~` and `~1` for `/`.
pub(super) fn pointer(text: &str) -> Checked<String> {
    let escaped = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if !(text.is_empty() || text.starts_with('/')) || !escaped {
        let must = "must be a JSON Pointer such as \"/data/temp\" (~0 for ~, ~1 for / in a name)";
        return Err(must.to_owned());
    }
    Ok(text.to_owned())
}

/// The placeholders of a template such as `{tenant}/{dev}`.
pub(super) fn placeholders(template: &str) -> Checked<Vec<&str>> {
    let mut names = vec![];
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { return Err(unpaired()) };
        if literal.contains('}') || name.contains('{') {
            return Err(unpaired());
        }
        names.push(name);
        rest = after;
    }
    if rest.contains('}') { Err(unpaired()) } else { Ok(names) }
}

fn unpaired() -> String {
    "has a brace without its pair".to_owned()
}

/// A topic template: a topic filter in which a whole level can be a placeholder.
pub(super) fn topic_template(text: &str) -> Checked<String> {
    Template::new(text).map_err(|fault| fault.to_string())?;
    for name in placeholders(text)? {
        snake_case(name)?;
    }
    Ok(text.to_owned())
}
