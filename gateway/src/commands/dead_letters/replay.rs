//! `tidegate dead-letters replay`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;

use anyhow::{Context, Result};
use futures_util::future::join_all;

use crate::commands::runtime;
use crate::commands::streams::Connected;
use crate::config::Config;
use crate::dead_letter::{
    Directory, Edits, Entry, Fingerprint, Letter, NO_STREAM, Payload, REFUSED_BY_STREAM,
};
use crate::deliver::Stream;
use crate::pipeline::{Sender, Unsent};

use super::{list::counted, readable};

mod plan;
#[cfg(test)]
mod tests;

use plan::{Plan, Planner};

/// What is sent before the files are changed: as much may be sent twice when a replay is
/// interrupted.
const GROUP_LETTERS_MAX: usize = 500;
/// The same in bytes of records and of letters to be changed; the last may exceed it.
const GROUP_BYTES_MAX: usize = 1 << 20;

/// Which ones.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Only those of this reason, such as not_json.
    #[arg(long)]
    reason: Option<String>,
    /// Send records that name no stream of the configuration to the one with this label. Publishes go
    /// where routes take them.
    #[arg(long, value_name = "LABEL")]
    to: Option<String>,
    /// Only those that go to the stream with this label: while another one is away, for instance.
    #[arg(long, value_name = "LABEL")]
    stream: Option<String>,
    /// Say what would become of them; send and change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// What became of the letters that were asked for, each counted once.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    delivered: usize,
    /// By reason: the new one.
    still_bad: BTreeMap<Cow<'static, str>, usize>,
    hashed: usize,
}

pub(super) fn run(
    directory: &Directory,
    config: &Config,
    asked: &Arguments,
    out: &mut impl Write,
) -> Result<()> {
    let planner = Planner::new(config, asked)?;
    if asked.dry_run {
        let report = rehearse(directory, planner, asked)?;
        let rest = report.rest(directory, asked)?;
        writeln!(out, "{} would be sent{rest}", report.delivered)?;
        return Ok(());
    }
    directory.check_owner()?;
    let report = runtime()?.block_on(async {
        let connected = Connected::of(config).await?;
        let replay = Replay::new(directory, planner, config, &connected.kinesis);
        tokio::select! {
            report = replay.run(asked) => report,
            never = connected.keep_keys() => match never {},
        }
    })?;
    let rest = report.rest(directory, asked)?;
    writeln!(out, "{} delivered{rest}", report.delivered)?;
    Ok(())
}

/// The letters that are asked for, oldest first.
fn asked_for(
    directory: &Directory,
    asked: &Arguments,
) -> Result<impl Iterator<Item = Result<(Entry, Letter)>>> {
    let reason = asked.reason.clone();
    let meant = move |letter: &Letter| reason.as_ref().is_none_or(|one| *one == letter.reason);
    Ok(directory.entries()?.filter_map(move |entry| match entry {
        Ok(entry) => {
            let letter = readable(&entry).filter(&meant)?;
            Some(Ok((entry, letter)))
        }
        Err(error) => Some(Err(error.into())),
    }))
}

/// What would become of them, if the stream took everything.
fn rehearse(directory: &Directory, mut planner: Planner, asked: &Arguments) -> Result<Report> {
    let mut report = Report::default();
    for found in asked_for(directory, asked)? {
        let (entry, letter) = found?;
        match planner.plan(&letter, entry.fingerprint()) {
            Plan::Send(_) => report.delivered += 1,
            Plan::StillBad { reason, .. } => report.still_bad(reason.into()),
            Plan::Hashed => report.hashed += 1,
            Plan::Unasked => {}
        }
    }
    Ok(report)
}

/// A replay under way.
struct Replay<'a, S> {
    directory: &'a Directory,
    planner: Planner,
    /// One for each stream, in their order.
    senders: Vec<Sender<'a, S>>,
    group: Group,
}

/// Letters whose records are sent together.
#[derive(Default)]
struct Group {
    letters: Vec<(Letter, Fingerprint)>,
    /// For each stream, by its place; as many as are needed.
    parcels: Vec<Parcel>,
    bytes: usize,
    edits: Edits,
}

/// Records of a group that go to the same stream.
#[derive(Default)]
struct Parcel {
    records: Vec<Unsent>,
    /// The place among the group's letters of the one that each record was made of.
    made_of: Vec<usize>,
}

impl<'a, S: Stream> Replay<'a, S> {
    fn new(directory: &'a Directory, planner: Planner, config: &Config, streams: &'a [S]) -> Self {
        let settings = config.streams.iter().cloned();
        let senders = settings.zip(streams).map(|(one, stream)| Sender::new(config, one, stream));
        Self { directory, planner, senders: senders.collect(), group: Group::default() }
    }

    async fn run(mut self, asked: &Arguments) -> Result<Report> {
        let mut report = Report::default();
        for found in asked_for(self.directory, asked)? {
            let (entry, letter) = found?;
            let line = entry.fingerprint();
            match self.planner.plan(&letter, line) {
                Plan::Send(records) => self.group.push(letter, line, records),
                Plan::Hashed => report.hashed += 1,
                Plan::Unasked => {}
                Plan::StillBad { reason, detail } => {
                    report.still_bad(reason.into());
                    let today = Letter { reason: reason.into(), detail, ..letter.clone() };
                    self.group.keep(&today, &letter, line)?;
                }
            }
            if self.group.is_full() {
                self.settle(&mut report).await?;
            }
        }
        self.settle(&mut report).await?;
        Ok(report)
    }

    /// Sends the group, and then changes the files as its verdicts say.
    async fn settle(&mut self, report: &mut Report) -> Result<()> {
        let Group { letters, parcels, mut edits, .. } = std::mem::take(&mut self.group);
        let mut refused: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        let (records, made_of): (Vec<_>, Vec<_>) =
            parcels.into_iter().map(|parcel| (parcel.records, parcel.made_of)).unzip();
        let sending = self.senders.iter_mut().zip(records).map(|(to, records)| to.send(records));
        for (stream, (sent, made_of)) in
            join_all(sending).await.into_iter().zip(made_of).enumerate()
        {
            for (place, Unsent { key, data }, detail) in sent.refused {
                let Some(&index) = made_of.get(place) else { continue };
                let Some((letter, _)) = letters.get(index) else { continue };
                let letter = Letter {
                    at_ms: letter.at_ms,
                    reason: REFUSED_BY_STREAM.into(),
                    detail,
                    origin: self.planner.origin(key, stream),
                    payload: Payload::Whole(data),
                };
                refused.entry(index).or_default().extend(letter.line()?);
            }
        }
        for (index, (_, line)) in letters.iter().enumerate() {
            let instead = refused.remove(&index);
            match &instead {
                None => report.delivered += 1,
                Some(_) => report.still_bad(REFUSED_BY_STREAM.into()),
            }
            edits.replace(*line, instead.unwrap_or_default());
        }
        self.directory
            .apply(edits)
            .context("delivered letters cannot be taken from the disk: they would be sent again")?;
        Ok(())
    }
}

impl Group {
    fn push(&mut self, letter: Letter, line: Fingerprint, records: Vec<(usize, Unsent)>) {
        for (stream, record) in records {
            self.bytes += record.data.len();
            if self.parcels.len() <= stream {
                self.parcels.resize_with(stream + 1, Parcel::default);
            }
            if let Some(parcel) = self.parcels.get_mut(stream) {
                parcel.made_of.push(self.letters.len());
                parcel.records.push(record);
            }
        }
        self.letters.push((letter, line));
    }

    /// Notes that a letter stays, as that of `today`.
    fn keep(&mut self, today: &Letter, letter: &Letter, line: Fingerprint) -> Result<()> {
        if today != letter {
            let kept = today.line()?;
            self.bytes += kept.len();
            self.edits.replace(line, kept);
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.letters.len() >= GROUP_LETTERS_MAX || self.bytes >= GROUP_BYTES_MAX
    }
}

impl Report {
    fn still_bad(&mut self, reason: Cow<'static, str>) {
        *self.still_bad.entry(reason).or_default() += 1;
    }

    /// What was not sent, and what was asked for that there is not.
    fn rest(&self, directory: &Directory, asked: &Arguments) -> Result<String> {
        let mut rest = format!("; still bad: {}", counted(&self.still_bad));
        if self.hashed > 0 {
            rest += &format!("; skipped, because only their hash was kept: {}", self.hashed);
        }
        // Every record has gone `to` a stream.
        if asked.to.is_some() && self.still_bad.contains_key(NO_STREAM) {
            rest += "; --to is for records, and a publish needs a route that takes it";
        }
        if let (Some(reason), true) = (&asked.reason, *self == Self::default()) {
            let there = reasons(directory)?;
            if !there.contains_key(reason.as_str()) {
                rest += &format!("; none is {reason}, of {}", counted(&there));
            }
        }
        Ok(rest)
    }
}

/// How many letters there are of each reason.
fn reasons(directory: &Directory) -> Result<BTreeMap<Cow<'static, str>, usize>> {
    let mut reasons = BTreeMap::new();
    for entry in directory.entries()? {
        if let Some(letter) = readable(&entry?) {
            *reasons.entry(letter.reason).or_default() += 1;
        }
    }
    Ok(reasons)
}
