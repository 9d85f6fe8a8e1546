//! One stream: the `[stream]` table, or a `[[stream]]`.

use std::time::Duration;

use super::streams::is_same;
use super::syntax::{placeholders, plain};
use super::{credentials, network, pace, pauses, route, seconds};
use crate::config::file::{Checked, Item, Table};
use crate::config::{Pace, Partitioning, Stream, StreamTarget, Streams};
use crate::limits;
use crate::policy::arn::partition;

/// Longest name of a stream, in characters (`CreateStream` in the API reference).
const NAME_CHARS_MAX: usize = 128;

/// `label` is what it is called; it is one of a list if it `is_apart`. What it does not say of its
/// pace is as for all.
pub(super) fn read(table: &Table<'_>, label: String, is_apart: bool, of_all: &Pace) -> Stream {
    let (target, region) = target(table);
    let credentials = credentials::read(&table.table("credentials"), &region);
    Stream {
        label,
        is_apart,
        route: route::read(&table.table("route")),
        target,
        region,
        network: network::read(table),
        shards: table.item("shards").and_then(|item| item.number(limits::SHARDS)),
        request_timeout: seconds(table, "request_timeout_s", limits::REQUEST_TIMEOUT_S),
        connect_timeout: seconds(table, "connect_timeout_s", limits::STREAM_CONNECT_TIMEOUT_S),
        requests_in_flight: table.number("requests_in_flight", limits::REQUESTS_IN_FLIGHT),
        backoff: pauses(
            table,
            ["backoff_ms_min", "backoff_ms_max"],
            [limits::BACKOFF_MS_MIN, limits::BACKOFF_MS_MAX],
        ),
        uplink_kbit_s_max: table
            .item("uplink_kbit_s_max")
            .and_then(|item| item.number(limits::UPLINK_KBIT_S)),
        record_age_max: table
            .item("record_age_s_max")
            .and_then(|item| item.number(limits::RECORD_AGE_S))
            .map(Duration::from_secs),
        partition_key: table.text("partition_key", partition_key),
        partitioning: partitioning(table),
        credentials,
        pace: pace(&table.table("pace"), of_all),
    }
}

/// Points of the golden ratio are even on equal shards alone, so somebody must know that they are.
fn partitioning(table: &Table<'_>) -> Partitioning {
    let words = [("md5", Partitioning::Md5), ("golden", Partitioning::Golden)];
    let partitioning = table.choice("partitioning", &words).unwrap_or(Partitioning::Md5);
    if partitioning == Partitioning::Golden && table.item("shards").is_none() {
        let why = "needs stream.shards: it is for a stream of so many shards of equal ranges";
        table.fault("partitioning", why);
    }
    partitioning
}

/// The stream by `name` or `arn`, and its region.
fn target(table: &Table<'_>) -> (StreamTarget, String) {
    let name = table.text("name", name);
    let arn = table.text("arn", Arn::parse);
    let region = table.text("region", region);
    match (table.item("name"), table.item("arn")) {
        (None, None) => table.missing("name", "the name of the stream, or else its arn"),
        (Some(_), Some(arn)) => arn.fault("cannot be together with name: say one of them"),
        (Some(_), None) | (None, Some(_)) => {}
    }
    if let (Some(arn), Some(region)) = (&arn, &region)
        && arn.region != *region
    {
        table.fault("region", format!("is not the region of the arn, {:?}", arn.region));
    }
    if let Some(Arn { partition: theirs, region, .. }) = &arn
        && theirs != partition(region)
    {
        let ours = partition(region);
        table.fault("arn", format!("is of the partition {theirs}, and {region} is of {ours}"));
    }
    let is_arn = |name: Item<'_>| name.plain_text().is_some_and(|name| name.starts_with("arn:"));
    let says_region = table.item("region").or_else(|| table.item("arn")).is_some();
    if !says_region && !table.item("name").is_some_and(is_arn) {
        table.missing("region", "the AWS region of the stream, such as \"eu-central-1\"");
    }
    match arn {
        Some(Arn { text, region, .. }) => (StreamTarget::Arn(text), region),
        None => (StreamTarget::Name(name.unwrap_or_default()), region.unwrap_or_default()),
    }
}

/// What the stream of this table is called unless it says so: by its name, if one is written.
pub(super) fn name_of(table: &Table<'_>) -> Option<String> {
    let (name, arn) = (table.item("name"), table.item("arn"));
    let of_arn = || arn.as_ref()?.plain_text()?.rsplit_once('/').map(|(_, name)| name);
    name.as_ref().and_then(Item::plain_text).or_else(of_arn).map(str::to_owned)
}

/// A stream beside those of the records, by name or ARN, that the client of `one` of them can reach.
pub(super) fn beside(text: &str, one: &Stream, streams: &Streams) -> Checked<StreamTarget> {
    let target = match text.starts_with("arn:") {
        false => StreamTarget::Name(name(text)?),
        true => {
            let arn = Arn::parse(text)?;
            if arn.region != one.region && !one.region.is_empty() {
                return Err(format!("must be in the region of {}, {:?}", one.called(), one.region));
            }
            StreamTarget::Arn(arn.text)
        }
    };
    let letters = Stream { target: target.clone(), ..one.clone() };
    if streams.iter().any(|stream| is_same(&letters, stream)) {
        return Err("must be another stream than that of the records".to_owned());
    }
    Ok(target)
}

struct Arn {
    text: String,
    partition: String,
    region: String,
}

impl Arn {
    /// `arn:aws:kinesis:<region>:<account>:stream/<name>`; `aws-cn` and the like are partitions
    /// too.
    fn parse(text: &str) -> Checked<Self> {
        let form = "arn:aws:kinesis:<region>:<account>:stream/<name>";
        let must = || format!("must be the ARN of a stream: {form}");
        let parts: Vec<_> = text.splitn(6, ':').collect();
        let ["arn", partition, "kinesis", arn_region, account, resource] = parts[..] else {
            return Err(must());
        };
        let stream = resource.strip_prefix("stream/").ok_or_else(must)?;
        let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        if !partition.starts_with("aws") || !is_account {
            return Err(must());
        }
        name(stream).map_err(|_no_name| must())?;
        let (text, partition) = (text.to_owned(), partition.to_owned());
        Ok(Self { text, partition, region: region(arn_region)? })
    }
}

fn name(text: &str) -> Checked<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if text.starts_with("arn:") {
        return Err("is an ARN: say it as arn = …, in the place of name".to_owned());
    }
    if text.is_empty() || text.len() > NAME_CHARS_MAX || !text.chars().all(allowed) {
        return Err(format!(
            "must be 1 to {NAME_CHARS_MAX} letters, digits, underscores, dots and hyphens"
        ));
    }
    Ok(text.to_owned())
}

fn region(text: &str) -> Checked<String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let (area, number) = text.rsplit_once('-').unwrap_or_default();
    if !area.is_empty() && is_number(number) && text.chars().all(allowed) {
        return Ok(text.to_owned());
    }
    let zone = number.strip_suffix(|c: char| c.is_ascii_lowercase());
    Err(match zone.filter(|number| is_number(number)) {
        Some(number) => format!("is that of a zone: the region is \"{area}-{number}\""),
        None => "must be an AWS region such as \"eu-central-1\"".to_owned(),
    })
}

fn partition_key(text: &str) -> Checked<String> {
    let names = placeholders(text)?;
    if let Some(other) = names.iter().find(|name| !matches!(**name, "dev" | "tenant" | "topic")) {
        return Err(format!("has {{{other}}}, but knows only {{dev}}, {{tenant}} and {{topic}}"));
    }
    if !names.contains(&"dev") && !names.contains(&"topic") {
        let why = "records keep their order within a partition key, and one key for many devices \
                   puts them all on one shard";
        return Err(format!("must hold {{dev}} or {{topic}}: {why}"));
    }
    plain(text, limits::MQTT_STRING_BYTES_MAX).map(str::to_owned)
}
