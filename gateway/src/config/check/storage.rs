//! The `[spool]` and `[dead_letter]` tables.

use std::path::Path;

use super::{path, stream};
use crate::config::file::Table;
use crate::config::{
    CatchUp, DeadLetter, LetterStream, Spool, SpoolMode, SpoolSync, Streams, WhenFull,
};
use crate::limits;

pub(super) fn spool(table: &Table<'_>, state_dir: &Path) -> Spool {
    let modes =
        [("overflow", SpoolMode::Overflow), ("always", SpoolMode::Always), ("off", SpoolMode::Off)];
    let syncs = [("adaptive", SpoolSync::Adaptive), ("immediate", SpoolSync::Immediate)];
    let orders = [("order", CatchUp::Order), ("live_first", CatchUp::LiveFirst)];
    Spool {
        mode: table.choice("mode", &modes).unwrap_or(SpoolMode::Overflow),
        dir: path(table, "dir").unwrap_or_else(|| state_dir.join("spool")),
        bytes_max: table.bytes("bytes_max", limits::SPOOL_BYTES),
        when_full: table.choice("when_full", &WHEN_FULL).unwrap_or(WhenFull::Wait),
        sync: table.choice("sync", &syncs).unwrap_or(SpoolSync::Adaptive),
        catch_up: table.choice("catch_up", &orders).unwrap_or(CatchUp::Order),
    }
}

/// `records` are the streams of the records: the letters' own must be another, in the region of the one
/// with whose key it is reached.
pub(super) fn dead_letter(table: &Table<'_>, state_dir: &Path, records: &Streams) -> DeadLetter {
    let labels: Vec<_> = records.iter().map(|stream| stream.label.as_str()).collect();
    let one_of = || format!("must be the label of a stream: {}", labels.join(", "));
    let with = table.text("with", |text| records.labelled(text).ok_or_else(one_of));
    if labels.len() > 1 && table.states("stream") && table.item("with").is_none() {
        let labels = labels.join(", ");
        table.fault(
            "stream",
            format!(
                "takes payloads of all streams: say with which key, and so to whom, by \
                 dead_letter.with and one of {labels}"
            ),
        );
    }
    let with = with.unwrap_or(records.first());
    let target = table.text("stream", |text| stream::beside(text, with, records));
    DeadLetter {
        dir: path(table, "dir").unwrap_or_else(|| state_dir.join("dead-letters")),
        bytes_max: table.bytes("bytes_max", limits::DEAD_LETTER_BYTES),
        when_full: table.choice("when_full", &WHEN_FULL).unwrap_or(WhenFull::DropOldest),
        stream: target.map(|target| LetterStream { target, with: with.label.clone() }),
    }
}

const WHEN_FULL: [(&str, WhenFull); 2] =
    [("drop_oldest", WhenFull::DropOldest), ("wait", WhenFull::Wait)];
