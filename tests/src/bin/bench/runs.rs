//! The measurements: what is set up, loaded and asked. Each is made with the bare loop and with the
//! gateway, one after the other.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;
use tidegate::rehearsal::stream::{
    Faults, Limits, LocalStream, RecordError, RecordFault, Settings, StoredRecord,
};
use tokio::time::{sleep, timeout};

use crate::broker::Broker;
use crate::load::{self, Tempo, now};
use crate::reading::Mark;
use crate::subject::{BARE_CLIENT_ID, GATEWAY_CLIENT_ID, Kind, Site, Subject};
use crate::table::Table;

/// How much load.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Readings in the backlog.
    pub(crate) backlog: u64,
    /// Seconds of the paced load.
    pub(crate) seconds: u64,
}

/// A paced load, and the gateway or bare loop under it.
pub(crate) struct Pacing<'a> {
    pub(crate) kind: Kind,
    /// Readings a second.
    pub(crate) per_s: u64,
    /// How many.
    pub(crate) readings: u64,
    /// The stream.
    pub(crate) stream: Settings,
    /// Further lines of the gateway's configuration.
    pub(crate) settings: &'a str,
}

const BOTH: [Kind; 2] = [Kind::Bare, Kind::Gateway];
/// Longest wait for a backlog to arrive.
const DRAINS_WITHIN: Duration = Duration::from_secs(120);
/// Longest wait for the rest of a paced load; what comes later is lost.
const ARRIVES_WITHIN: Duration = Duration::from_secs(5);
/// How long a process is left alone before it counts as idle.
pub(crate) const SETTLES_WITHIN: Duration = Duration::from_secs(2);

/// Readings that waited at the broker, as fast as they go. One load queues for both.
pub(crate) async fn backlog(plan: &Plan, table: &mut Table) -> Result<()> {
    let directory = TempDir::new()?;
    let broker = Broker::start(directory.path()).await?;
    for client_id in [BARE_CLIENT_ID, GATEWAY_CLIENT_ID] {
        load::reserve(broker.port, client_id).await?;
    }
    load::publish(broker.port, plan.backlog, Tempo::Flood).await?;
    for kind in BOTH {
        let settings = Settings { keep: 0, limits: Limits::Off, ..Settings::default() };
        let stream = LocalStream::start(settings).await?;
        let site = Site {
            directory: directory.path(),
            broker_port: broker.port,
            endpoint: stream.endpoint(),
            settings: "[pace]\nmode = 'off'",
        };
        let subject = Subject::start(kind, &site)?;
        let drained = async {
            stream.reached(|counts| counts.records > 0).await;
            let first = now();
            stream.reached(|counts| counts.records >= plan.backlog).await;
            first.elapsed()
        };
        let took = timeout(DRAINS_WITHIN, drained).await.context("the backlog did not drain")?;
        let millions = float(plan.backlog) / 1e6;
        table.note("backlog: records/s", kind.name(), float(plan.backlog) / took.as_secs_f64());
        table.note("backlog: CPU s per million", kind.name(), subject.cpu_s()? / millions);
        table.note("backlog: peak RSS, MiB", kind.name(), subject.rss_peak_mib()?);
        stream.stop().await;
    }
    Ok(())
}

/// Connected, with nothing to do.
pub(crate) async fn idle(table: &mut Table) -> Result<()> {
    for kind in BOTH {
        let directory = TempDir::new()?;
        let broker = Broker::start(directory.path()).await?;
        let stream = LocalStream::start(Settings::default()).await?;
        let site = Site {
            directory: directory.path(),
            broker_port: broker.port,
            endpoint: stream.endpoint(),
            settings: "shards = 4",
        };
        let subject = Subject::start(kind, &site)?;
        subject.connected().await?;
        sleep(SETTLES_WITHIN).await;
        table.note("idle: RSS, MiB", kind.name(), subject.rss_mib()?);
        stream.stop().await;
    }
    Ok(())
}

/// A thousand readings a second over four shards.
pub(crate) async fn paced(plan: &Plan, table: &mut Table) -> Result<()> {
    for kind in BOTH {
        let settings = Settings { shards: 4, ..Settings::default() };
        let paced = paced_load(Pacing::thousand(plan, kind, settings)).await?;
        let latency = Latency::of(&paced.marks, &paced.records);
        table.note(
            "1,000/s: CPU s per million",
            kind.name(),
            paced.cpu_s / float(paced.sent) * 1e6,
        );
        table.note("1,000/s: publish to accepted, p50, ms", kind.name(), latency.p50_ms);
        table.note("1,000/s: publish to accepted, p99, ms", kind.name(), latency.p99_ms);
        table.note("1,000/s: peak RSS, MiB", kind.name(), paced.rss_peak_mib);
        let bytes: usize = paced.records.iter().map(|record| record.data.len()).sum();
        let count = u64::try_from(paced.records.len())?.max(1);
        table.note(
            "1,000/s: bytes of a record",
            kind.name(),
            float(u64::try_from(bytes)?) / float(count),
        );
    }
    Ok(())
}

/// A thousand readings a second over 64 shards that refuse a fifth at random.
pub(crate) async fn refusals(plan: &Plan, table: &mut Table) -> Result<()> {
    for kind in BOTH {
        let faults = Faults {
            records: Some(RecordFault { share: 0.2, error: RecordError::Throttled }),
            ..Faults::default()
        };
        let settings = Settings { shards: 64, faults, ..Settings::default() };
        let paced = paced_load(Pacing::thousand(plan, kind, settings)).await?;
        let fate = Fate::of(&paced.marks, &paced.records, paced.sent);
        let latency = Latency::of(&paced.marks, &paced.records);
        table.note("20 % refused: lost", kind.name(), float(fate.lost));
        table.note("20 % refused: duplicates", kind.name(), float(fate.duplicates));
        table.note("20 % refused: out of order", kind.name(), float(fate.reordered));
        table.note("20 % refused: records/s", kind.name(), rate_per_s(&paced.records));
        table.note("20 % refused: p50, ms", kind.name(), latency.p50_ms);
        table.note("20 % refused: p99, ms", kind.name(), latency.p99_ms);
    }
    Ok(())
}

impl Pacing<'_> {
    fn thousand(plan: &Plan, kind: Kind, stream: Settings) -> Self {
        Self { kind, per_s: 1_000, readings: plan.seconds * 1_000, stream, settings: "" }
    }
}

/// What came of a paced load.
pub(crate) struct Paced {
    pub(crate) sent: u64,
    pub(crate) cpu_s: f64,
    pub(crate) rss_peak_mib: f64,
    /// What the kernel wrote for the process.
    pub(crate) written_bytes: f64,
    /// What the stream stored, in the order of storing, and what it says of itself.
    pub(crate) records: Vec<StoredRecord>,
    pub(crate) marks: Vec<Mark>,
}

/// Publishes readings at a pace.
pub(crate) async fn paced_load(pacing: Pacing<'_>) -> Result<Paced> {
    let Pacing { kind, per_s, readings: sent, stream, settings } = pacing;
    let directory = TempDir::new()?;
    let broker = Broker::start(directory.path()).await?;
    let settings = format!("shards = {}\n{settings}", stream.shards);
    let stream = LocalStream::start(stream).await?;
    let site = Site {
        directory: directory.path(),
        broker_port: broker.port,
        endpoint: stream.endpoint(),
        settings: &settings,
    };
    let subject = Subject::start(kind, &site)?;
    subject.connected().await?;
    sleep(SETTLES_WITHIN).await;
    let (cpu_s, written_bytes) = (subject.cpu_s()?, subject.written_bytes()?);
    load::publish(broker.port, sent, Tempo::PerSecond(per_s)).await?;
    let all = stream.reached(|counts| counts.records >= sent);
    // What has not arrived by then is what the caller counts as lost.
    drop(timeout(ARRIVES_WITHIN, all).await);
    let (cpu_s, written_bytes) =
        (subject.cpu_s()? - cpu_s, subject.written_bytes()? - written_bytes);
    let records = stream.records();
    let marks = records
        .iter()
        .map(|record| serde_json::from_slice(&record.data).context("unexpected record"))
        .collect::<Result<Vec<Mark>>>()?;
    let rss_peak_mib = subject.rss_peak_mib()?;
    stream.stop().await;
    Ok(Paced { sent, cpu_s, rss_peak_mib, written_bytes, records, marks })
}

/// From publish to accepted.
pub(crate) struct Latency {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

impl Latency {
    pub(crate) fn of(marks: &[Mark], records: &[StoredRecord]) -> Self {
        let mut all: Vec<i64> = marks
            .iter()
            .zip(records)
            .map(|(mark, record)| record.arrival.epoch_ms - mark.ts)
            .collect();
        all.sort_unstable();
        let part = |hundredths: usize| {
            let ms = all.get(all.len().saturating_sub(1) * hundredths / 100).copied();
            float(ms.and_then(|ms| u64::try_from(ms).ok()).unwrap_or_default())
        };
        Self { p50_ms: part(50), p99_ms: part(99) }
    }
}

/// What became of the readings.
struct Fate {
    lost: u64,
    duplicates: u64,
    /// Stored after a later one of their device.
    reordered: u64,
}

impl Fate {
    fn of(marks: &[Mark], records: &[StoredRecord], sent: u64) -> Self {
        let mut fate = Self { lost: sent, duplicates: 0, reordered: 0 };
        let mut devices: HashMap<&str, Vec<u64>> = HashMap::new();
        for (mark, record) in marks.iter().zip(records) {
            let seen = devices.entry(&record.partition_key).or_default();
            match seen.binary_search(&mark.seq) {
                Ok(_) => fate.duplicates += 1,
                Err(place) => {
                    fate.lost -= 1;
                    fate.reordered += u64::from(place < seen.len());
                    seen.insert(place, mark.seq);
                }
            }
        }
        fate
    }
}

pub(crate) fn rate_per_s(records: &[StoredRecord]) -> f64 {
    let (Some(first), Some(last)) = (records.first(), records.last()) else { return 0.0 };
    let took = last.arrival.instant.duration_since(first.arrival.instant);
    float(u64::try_from(records.len()).unwrap_or(u64::MAX)) / took.as_secs_f64()
}

/// Counts of records and bytes, all far below the 2^53 that a float holds exactly.
#[expect(clippy::cast_precision_loss, reason = "see above")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}
