//! All streams, and what they are to each other.

use std::collections::BTreeSet;

use shard_estimator::size;

use super::{stream, syntax};
use crate::config::file::Table;
use crate::config::{
    Config, Pace, Route, SpoolMode, Stream, StreamTarget, Streams, Subscription, label_of,
};
use crate::filter::Filter;
use crate::limits::{SPOOL_BYTES, STREAMS_MAX};
use crate::record::TYPE;

/// The tables of the streams, in order, each with what it is called.
pub(super) struct Tables<'f> {
    tables: Vec<Table<'f>>,
}

impl<'f> Tables<'f> {
    /// Reads the streams that `root` has. What they do not say of their pace is as for all.
    pub(super) fn read(root: &Table<'f>, of_all: &Pace) -> (Self, Streams) {
        let (first, others, is_apart) = root.one_or_several("stream");
        if 1 + others.len() > STREAMS_MAX {
            root.fault("stream", format!("must be at most {STREAMS_MAX} streams"));
        }
        let mut tables = Vec::new();
        let mut read = |number: usize, table: Table<'f>| {
            let table = if is_apart { table.called(&number.to_string()) } else { table };
            let label = label(&table, is_apart);
            let table = match &label {
                Some(label) if is_apart => table.called(label),
                _ => table,
            };
            let stream = stream::read(&table, label.unwrap_or_default(), is_apart, of_all);
            tables.push(table);
            stream
        };
        let first = read(1, first);
        let others = (2..).zip(others).map(|(number, table)| read(number, table)).collect();
        (Self { tables }, Streams::new(first, others))
    }

    /// Each stream with its table.
    pub(super) fn of<'t>(
        &'t self,
        config: &'t Config,
    ) -> impl Iterator<Item = (&'t Table<'f>, &'t Stream)> + Clone {
        self.tables.iter().zip(config.streams.iter())
    }

    /// The same, to change the streams.
    pub(super) fn of_mut<'t>(
        &'t self,
        streams: &'t mut Streams,
    ) -> impl Iterator<Item = (&'t Table<'f>, &'t mut Stream)> {
        self.tables.iter().zip(streams.iter_mut())
    }
}

/// What a stream is called: as it says, or by its name.
fn label(table: &Table<'_>, is_apart: bool) -> Option<String> {
    if table.item("label").is_some() {
        return table.text("label", label_of);
    }
    let name = stream::name_of(table)?;
    if is_apart && label_of(&name).is_err() {
        table.missing("label", "a name that the stream can have on the disk");
    }
    Some(name)
}

/// What the streams must be to each other, and to the rest.
pub(super) fn relate(root: &Table<'_>, tables: &Tables<'_>, config: &Config) {
    let subscribed: Vec<_> = config.mqtt.lanes.iter().flatten().filter_map(filter).collect();
    for (index, (table, stream)) in tables.of(config).enumerate() {
        let mut before = tables.of(config).take(index);
        reachable(table, stream, config, &subscribed);
        let twice = |(_, other): (_, &Stream)| other.label == stream.label;
        if before.clone().any(twice) && !stream.label.is_empty() {
            table.fault("label", "is there twice: say another");
        } else if before.clone().any(|(_, other)| is_same(other, stream)) {
            let key = if table.item("arn").is_some() { "arn" } else { "name" };
            table.fault(key, "is there twice: let one [[stream]] take the records of both");
        } else if let Some((_, other)) =
            before.find(|(its, other)| states_its_route(its) && covers(&other.route, &stream.route))
            && states_its_route(table)
        {
            let why =
                format!("takes nothing: {:?} is before it and takes all of that", other.label);
            table.fault("route", why);
        }
    }
    if config.streams.count() > 1 && config.spool.mode == SpoolMode::Off {
        root.table("spool").fault(
            "mode",
            "cannot be \"off\" with several streams: publishes are acknowledged in order, so the \
             trouble of one would hold back the others",
        );
    }
    parts_of_the_spool(root, config);
}

/// Each stream has its part of the disk.
fn parts_of_the_spool(root: &Table<'_>, config: &Config) {
    let needed = SPOOL_BYTES.range.min * config.streams.count() as u64;
    if config.spool.bytes_max < needed {
        let needed = size::show(needed);
        root.table("spool")
            .fault("bytes_max", format!("must be at least {needed:?} for so many streams"));
    }
}

/// A route must lead from something that there is.
fn reachable(table: &Table<'_>, stream: &Stream, config: &Config, subscribed: &[Filter]) {
    let (route, Route { topics, types, .. }) = (table.table("route"), &stream.route);
    let records = &config.records;
    let template = records.topic_template.as_deref().unwrap_or_default();
    for topic in topics {
        if !subscribed.is_empty() && !subscribed.iter().any(|filter| filter.overlaps(topic)) {
            let topic = topic.as_str();
            route.fault("topics", format!("nothing is subscribed to that {topic:?} matches"));
        }
    }
    if types.iter().any(|one| one != TYPE) && !template.contains("{type}") {
        route.fault(
            "types",
            "needs {type} in records.topic_template: without, all are \"telemetry\"",
        );
    }
    let knows_tenants = template.contains("{tenant}") || records.tenant_pointer.is_some();
    if !stream.route.tenants.is_empty() && !knows_tenants {
        route.fault(
            "tenants",
            "needs {tenant} in records.topic_template, or records.tenant_pointer",
        );
    }
}

/// Whether nothing is wrong with what the stream says of its route. A key that nobody knows may have
/// been meant as one of it.
fn states_its_route(table: &Table<'_>) -> bool {
    let route = table.table("route");
    let is_right = |key: &&str| route.item(key).is_none() || route.states(key);
    !table.has_unknown()
        && !route.has_unknown()
        && ["topics", "types", "tenants"].iter().all(is_right)
}

fn filter(subscription: &Subscription) -> Option<Filter> {
    syntax::topic_filter(&subscription.filter).ok()
}

/// Whether both are the same stream, whose shards then had two paces. An ARN says of which account it
/// is; a name is one of the account of its key.
pub(super) fn is_same(one: &Stream, other: &Stream) -> bool {
    let is_one = match (&one.target, &other.target) {
        (StreamTarget::Arn(one), StreamTarget::Arn(other)) => one == other,
        _ => one.credentials == other.credentials && one.target.name() == other.target.name(),
    };
    let are_there = [one, other].iter().all(|stream| !stream.target.as_str().is_empty());
    let meets = one.region == other.region && one.network.endpoint == other.network.endpoint;
    are_there && is_one && meets
}

/// Whether `one` takes all that `other` takes.
fn covers(one: &Route, other: &Route) -> bool {
    let within = |ours: &BTreeSet<String>, theirs: &BTreeSet<String>| {
        ours.is_empty() || !theirs.is_empty() && ours.is_superset(theirs)
    };
    let covered = |topic: &Filter| one.topics.iter().any(|filter| filter.covers(topic));
    let topics =
        one.topics.is_empty() || !other.topics.is_empty() && other.topics.iter().all(covered);
    topics && within(&one.types, &other.types) && within(&one.tenants, &other.tenants)
}
