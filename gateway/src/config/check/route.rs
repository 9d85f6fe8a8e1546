//! The `[stream.route]` table.

use super::syntax::{plain, topic_filter};
use crate::config::Route;
use crate::config::file::{Checked, Table};
use crate::limits::MQTT_STRING_BYTES_MAX;

pub(super) fn read(table: &Table<'_>) -> Route {
    let name = |text: &str| plain(text, MQTT_STRING_BYTES_MAX).map(str::to_owned);
    Route {
        topics: some(table, "topics", "topic filters", topic_filter),
        types: some(table, "types", "texts", name),
        tenants: some(table, "tenants", "texts", name),
    }
}

/// The elements of a list that is not empty, if it is written.
fn some<T, C: FromIterator<T> + Default>(
    table: &Table<'_>,
    key: &str,
    what: &str,
    check: impl Fn(&str) -> Checked<T>,
) -> C {
    let Some(item) = table.item(key) else { return C::default() };
    if item.is_empty_list() {
        item.fault("names nothing, so nothing would go to this stream: leave it out for any");
    }
    item.list(what).iter().filter_map(|item| item.text(&check)).collect()
}
