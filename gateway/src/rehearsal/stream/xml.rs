//! The little XML that the token service writes.

use super::names::request_id;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// An element with nothing but text in it.
#[must_use]
pub(super) fn element(name: &str, text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<{name}>{text}</{name}>")
}

/// An answer of status 200.
#[must_use]
pub(super) fn response(action: &str, result: &str) -> String {
    let id = element("RequestId", &request_id());
    format!(
        "<{action}Response xmlns=\"{NAMESPACE}\"><{action}Result>{result}</{action}Result>\
         <ResponseMetadata>{id}</ResponseMetadata></{action}Response>"
    )
}

/// Any other answer.
#[must_use]
pub(super) fn refusal(code: &str, message: &str) -> String {
    let (code, message) = (element("Code", code), element("Message", message));
    let id = element("RequestId", &request_id());
    format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type>{code}{message}</Error>\
         {id}</ErrorResponse>"
    )
}
