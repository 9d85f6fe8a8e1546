//! What is subscribed to, by which connection.

use super::syntax::topic_filter;
use crate::config::file::{Item, Table};
use crate::config::{Qos, Subscription};
use crate::filter::Filter;
use crate::limits::LANES_MAX;

/// A subscription and where it is written.
struct Written<'f> {
    item: Item<'f>,
    filter: Filter,
    qos: Qos,
}

/// The subscriptions of each connection: `topics` for one, `lanes` for several.
pub(super) fn lanes(mqtt: &Table<'_>) -> Vec<Vec<Subscription>> {
    let default_qos = mqtt.item("qos").and_then(|item| qos(&item)).unwrap_or(Qos::AtLeastOnce);
    let topics = mqtt.item("topics");
    let lanes = mqtt.item("lanes");
    match (&topics, &lanes) {
        (Some(_), Some(lanes)) => lanes.fault("cannot be together with topics: that is one lane"),
        (None, None) => mqtt.missing("topics", "a list of topic filters, or else lanes"),
        (Some(_), None) | (None, Some(_)) => {}
    }
    let lanes = lanes.map_or(vec![], |lanes| lists(&lanes));
    let lanes: Vec<_> =
        topics.into_iter().chain(lanes).map(|lane| read(&lane, default_qos)).collect();
    note_overlaps(&lanes);
    lanes
        .into_iter()
        .map(|lane| lane.into_iter().map(Written::into_subscription).collect())
        .collect()
}

/// The lists in `lanes`.
fn lists<'f>(lanes: &Item<'f>) -> Vec<Item<'f>> {
    let lists = lanes.list("lists of topic filters, one for each connection");
    if lanes.is_empty_list() || lists.len() > LANES_MAX {
        lanes.fault(format!("must have 1 to {LANES_MAX} lists, one for each connection"));
    }
    lists
}

fn read<'f>(lane: &Item<'f>, default_qos: Qos) -> Vec<Written<'f>> {
    let items = lane.list("topic filters");
    if lane.is_empty_list() {
        lane.fault("must have at least one topic filter");
    }
    items.into_iter().filter_map(|item| subscription(item, default_qos)).collect()
}

/// A filter, or a table of `filter` and `qos`.
fn subscription(item: Item<'_>, default_qos: Qos) -> Option<Written<'_>> {
    let (filter, own_qos) = if item.is_table() {
        let table = item.table()?;
        let own_qos = table.item("qos").and_then(|item| qos(&item));
        (table.required("filter", "a topic filter")?.text(topic_filter)?, own_qos)
    } else {
        (item.text(topic_filter)?, None)
    };
    Some(Written { item, filter, qos: own_qos.unwrap_or(default_qos) })
}

fn qos(item: &Item<'_>) -> Option<Qos> {
    match item.whole() {
        Some(2) => {
            item.fault(
                "must be 0 or 1: the client library forgets what it received at QoS 2 when it \
                 reconnects; what is published at QoS 2 arrives at QoS 1",
            );
            None
        }
        _ => item.one_of(&[(0, Qos::AtMostOnce), (1, Qos::AtLeastOnce)]),
    }
}

/// Notes filters that are there twice, and filters of different connections that could match the
/// same topic.
fn note_overlaps(lanes: &[Vec<Written<'_>>]) {
    let numbered = lanes.iter().enumerate();
    let all: Vec<_> =
        numbered.flat_map(|(lane, filters)| filters.iter().map(move |one| (lane, one))).collect();
    for (index, (lane, written)) in all.iter().enumerate() {
        let conflict = all.iter().take(index).find_map(|(earlier_lane, earlier)| {
            if written.filter == earlier.filter {
                Some("is there twice".to_owned())
            } else if lane != earlier_lane && written.filter.overlaps(&earlier.filter) {
                let earlier = earlier.filter.as_str();
                let twice = "what both match would be received twice";
                Some(format!("overlaps {earlier:?} of another lane: {twice}"))
            } else {
                None
            }
        });
        if let Some(conflict) = conflict {
            written.item.fault(conflict);
        }
    }
}

impl Written<'_> {
    fn into_subscription(self) -> Subscription {
        Subscription { filter: self.filter.as_str().to_owned(), qos: self.qos }
    }
}
