//! Bytes of a file into text, and what no file of ours can be.

use super::Fault;

const BOM: &str = "\u{feff}";

/// The text of `bytes`, without the mark that spreadsheets put in front.
pub(super) fn decode(bytes: &[u8]) -> Result<&str, Fault> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) || bytes.contains(&0) {
        return Err(Fault::whole("is UTF-16 or binary: save it as plain text, in UTF-8"));
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(Fault::whole("is no UTF-8: use the file as it was downloaded"));
    };
    let text = text.strip_prefix(BOM).unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Fault::whole("is empty: download the file again, or create another key"));
    }
    if text.trim_start().starts_with("AWSAccessKeyId=") {
        let what = "is a key of the account's root user, which may do anything: delete it, and \
                    create a user that may only put records";
        return Err(Fault::whole(what));
    }
    Ok(text)
}

/// The lines of `text`, numbered from 1, whether they end in LF, CR LF or CR.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut number = 1;
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let line = rest.split(['\r', '\n']).next().unwrap_or(rest);
        let after = rest.get(line.len()..).unwrap_or_default();
        let ends = ["\r\n", "\r", "\n"];
        rest = ends.iter().find_map(|end| after.strip_prefix(end)).unwrap_or_default();
        number += 1;
        Some((number - 1, line))
    })
}

/// A name without what spellings differ in: case, spaces, underscores, hyphens.
pub(super) fn folded(name: &str) -> String {
    let letters = name.chars().filter(|c| !matches!(c, ' ' | '_' | '-' | '\t'));
    letters.flat_map(char::to_lowercase).collect()
}
