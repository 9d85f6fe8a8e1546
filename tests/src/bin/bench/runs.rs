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
    /// Seconds of the paced load, at a thousand readings a second.
    pub(crate) seconds: u64,
}

const BOTH: [Kind; 2] = [Kind::Bare, Kind::Gateway];
/// Longest wait for a backlog to arrive.
const DRAINS_WITHIN: Duration = Duration::from_secs(120);
/// Longest wait for the rest of a paced load; what comes later is lost.
const ARRIVES_WITHIN: Duration = Duration::from_secs(5);
/// How long a process is left alone before it counts as idle.
const SETTLES_WITHIN: Duration = Duration::from_secs(2);

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
        table.note("backlog: records/s", kind, float(plan.backlog) / took.as_secs_f64());
        table.note("backlog: CPU s per million", kind, subject.cpu_s()? / millions);
        table.note("backlog: peak RSS, MiB", kind, subject.rss_peak_mib()?);
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
        table.note("idle: RSS, MiB", kind, subject.rss_mib()?);
        stream.stop().await;
    }
    Ok(())
}

/// A thousand readings a second over four shards.
pub(crate) async fn paced(plan: &Plan, table: &mut Table) -> Result<()> {
    for kind in BOTH {
        let settings = Settings { shards: 4, ..Settings::default() };
        let paced = thousand(plan, kind, settings).await?;
        let latency = Latency::of(&paced.marks, &paced.records);
        table.note("1,000/s: CPU s per million", kind, paced.cpu_s / float(paced.sent) * 1e6);
        table.note("1,000/s: publish to accepted, p50, ms", kind, latency.p50_ms);
        table.note("1,000/s: publish to accepted, p99, ms", kind, latency.p99_ms);
        table.note("1,000/s: peak RSS, MiB", kind, paced.rss_peak_mib);
        let bytes: usize = paced.records.iter().map(|record| record.data.len()).sum();
        let count = u64::try_from(paced.records.len())?.max(1);
        table.note("1,000/s: bytes of a record", kind, float(u64::try_from(bytes)?) / float(count));
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
        let paced = thousand(plan, kind, settings).await?;
        let fate = Fate::of(&paced.marks, &paced.records, paced.sent);
        let latency = Latency::of(&paced.marks, &paced.records);
        table.note("20 % refused: lost", kind, float(fate.lost));
        table.note("20 % refused: duplicates", kind, float(fate.duplicates));
        table.note("20 % refused: out of order", kind, float(fate.reordered));
        table.note("20 % refused: records/s", kind, rate_per_s(&paced.records));
        table.note("20 % refused: p50, ms", kind, latency.p50_ms);
        table.note("20 % refused: p99, ms", kind, latency.p99_ms);
    }
    Ok(())
}

/// What came of a paced load.
struct Paced {
    sent: u64,
    cpu_s: f64,
    rss_peak_mib: f64,
    /// What the stream stored, in the order of storing, and what it says of itself.
    records: Vec<StoredRecord>,
    marks: Vec<Mark>,
}

/// Publishes a thousand readings a second to a stream as in `settings`.
async fn thousand(plan: &Plan, kind: Kind, settings: Settings) -> Result<Paced> {
    let sent = plan.seconds * 1000;
    let directory = TempDir::new()?;
    let broker = Broker::start(directory.path()).await?;
    let shards = format!("shards = {}", settings.shards);
    let stream = LocalStream::start(settings).await?;
    let site = Site {
        directory: directory.path(),
        broker_port: broker.port,
        endpoint: stream.endpoint(),
        settings: &shards,
    };
    let subject = Subject::start(kind, &site)?;
    subject.connected().await?;
    sleep(SETTLES_WITHIN).await;
    let before = subject.cpu_s()?;
    load::publish(broker.port, sent, Tempo::Thousand).await?;
    let all = stream.reached(|counts| counts.records >= sent);
    // What has not arrived by then is what the caller counts as lost.
    drop(timeout(ARRIVES_WITHIN, all).await);
    let cpu_s = subject.cpu_s()? - before;
    let records = stream.records();
    let marks = records
        .iter()
        .map(|record| serde_json::from_slice(&record.data).context("unexpected record"))
        .collect::<Result<Vec<Mark>>>()?;
    let rss_peak_mib = subject.rss_peak_mib()?;
    stream.stop().await;
    Ok(Paced { sent, cpu_s, rss_peak_mib, records, marks })
}

/// From publish to accepted.
struct Latency {
    p50_ms: f64,
    p99_ms: f64,
}

impl Latency {
    fn of(marks: &[Mark], records: &[StoredRecord]) -> Self {
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

fn rate_per_s(records: &[StoredRecord]) -> f64 {
    let (Some(first), Some(last)) = (records.first(), records.last()) else { return 0.0 };
    let took = last.arrival.instant.duration_since(first.arrival.instant);
    float(u64::try_from(records.len()).unwrap_or(u64::MAX)) / took.as_secs_f64()
}

/// Counts of records and bytes, all far below the 2^53 that a float holds exactly.
#[expect(clippy::cast_precision_loss, reason = "see above")]
fn float(count: u64) -> f64 {
    count as f64
}
