//! What the spool costs: its modes beside each other.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use tempfile::TempDir;
use tidegate::config::WhenFull;
use tidegate::record::PartitionKey;
use tidegate::rehearsal::stream::{Limits, Link, LocalStream, Settings};
use tidegate::spool::{Appended, Bounds, Directory, Entry, Spool};
use tokio::time::{sleep, timeout};

use crate::broker::Broker;
use crate::load::{self, Tempo, now};
use crate::runs::{Latency, Paced, Pacing, Plan, SETTLES_WITHIN, float, paced_load};
use crate::subject::{Kind, Site, Subject};
use crate::table::Table;

/// The modes that are compared.
pub(crate) const MODES: [&str; 3] = ["off", "overflow", "always"];

/// Readings taken in beside a large spool, and records that are drained of it.
const TAKEN_IN: u64 = 50_000;
const DRAINED: u64 = 300_000;
/// Data and key of a record of this benchmark, on average.
const RECORD_BYTES: f64 = 1_165.0;
const DRAINS_WITHIN: Duration = Duration::from_secs(600);

fn settings(mode: &str) -> String {
    format!("[pace]\ninstances = 1\n[spool]\nmode = '{mode}'\nbytes_max = '8 GiB'\n")
}

async fn in_mode(mode: &str, per_s: u64, readings: u64) -> Result<Paced> {
    let stream = Settings { shards: 4, ..Settings::default() };
    let settings = settings(mode);
    paced_load(Pacing { kind: Kind::Gateway, per_s, readings, stream, settings: &settings }).await
}

/// The healthy state: 2,000 readings a second, and 20.
pub(crate) async fn modes(plan: &Plan, table: &mut Table) -> Result<()> {
    for mode in MODES {
        let paced = in_mode(mode, 2_000, plan.seconds * 2_000).await?;
        let counts = mode != "always" || paced.written_bytes > 0.0;
        anyhow::ensure!(counts, uncounted(&std::env::temp_dir()));
        let latency = Latency::of(&paced.marks, &paced.records);
        let bytes = float(paced.sent) * RECORD_BYTES;
        table.note("2,000/s: CPU, µs a record", mode, paced.cpu_s / float(paced.sent) * 1e6);
        table.note("2,000/s: publish to accepted, p50, ms", mode, latency.p50_ms);
        table.note("2,000/s: publish to accepted, p99, ms", mode, latency.p99_ms);
        table.note("2,000/s: bytes written for a byte", mode, paced.written_bytes / bytes);
        let paced = in_mode(mode, 20, plan.seconds * 20).await?;
        table.note("20/s: bytes written a record", mode, paced.written_bytes / float(paced.sent));
    }
    Ok(())
}

/// The stream is away while readings come at 2,000 a second, and then is back: one shard, paced at
/// nine tenths of its 1 MiB a second: 810 records.
pub(crate) async fn outage(plan: &Plan, table: &mut Table) -> Result<()> {
    for mode in ["overflow", "always"] {
        for (per_s, name) in [
            (2_000, "outage at 2,000/s: bytes written for a byte"),
            (20, "outage at 20/s: bytes written for a byte"),
        ] {
            let readings = plan.seconds * per_s;
            let directory = TempDir::new()?;
            let broker = Broker::start(directory.path()).await?;
            let stream = LocalStream::start(Settings { shards: 1, ..Settings::default() }).await?;
            stream.faults(|faults| faults.link = Link::Refusing);
            let site = Site {
                directory: directory.path(),
                broker_port: broker.port,
                endpoint: stream.endpoint(),
                settings: &format!("shards = 1\n{}", settings(mode)),
            };
            let subject = Subject::start(Kind::Gateway, &site)?;
            subject.connected().await?;
            sleep(SETTLES_WITHIN).await;
            let (cpu_s, written) = (subject.cpu_s()?, written_bytes(directory.path())?);
            load::publish(broker.port, readings, Tempo::PerSecond(per_s)).await?;
            sleep(SETTLES_WITHIN).await;
            let bytes = float(readings) * RECORD_BYTES;
            table.note(name, mode, (written_bytes(directory.path())? - written) / bytes);
            if per_s == 2_000 {
                let cpu_us = (subject.cpu_s()? - cpu_s) / float(readings) * 1e6;
                table.note("outage at 2,000/s: CPU, µs a record", mode, cpu_us);
                stream.faults(|faults| faults.link = Link::Up);
                stream.reached(|counts| counts.records > 0).await;
                let (first, already) = (now(), stream.counts().records);
                let all = stream.reached(|counts| counts.records >= readings);
                timeout(DRAINS_WITHIN, all).await.context("the spool did not drain")?;
                let drained = float(readings.saturating_sub(already));
                let per_s = drained / first.elapsed().as_secs_f64();
                table.note("drain, paced at 810/s: records/s", mode, per_s);
                table.note("outage and drain: peak RSS, MiB", mode, subject.rss_peak_mib()?);
            }
            stream.stop().await;
        }
    }
    Ok(())
}

/// Why there is no figure of what is written to `path`, which is in memory, for example.
fn uncounted(path: &Path) -> String {
    let path = path.display();
    format!("nobody counts what is written to {path}: set TMPDIR to a directory on a disk")
}

/// Bytes that were written to the device on which `path` lies, since it came up, by whomever: what
/// the file system adds is among them, so nothing else should run.
fn written_bytes(path: &Path) -> Result<f64> {
    let device = fs::metadata(path)?.dev();
    // As the kernel packs them, see makedev(3).
    let major = (device >> 8) & 0xfff | (device >> 32) & !0xfff;
    let minor = device & 0xff | (device >> 12) & !0xff;
    let stat = format!("/sys/dev/block/{major}:{minor}/stat");
    let stat = fs::read_to_string(stat).with_context(|| uncounted(path))?;
    let sectors = stat.split_whitespace().nth(6).context("unexpected /sys/dev/block/*/stat")?;
    Ok(sectors.parse::<f64>()? * 512.0)
}

/// Starts with an empty spool and with one of 2 GiB while the stream is away, and takes in more.
pub(crate) async fn large(table: &mut Table) -> Result<()> {
    for (bytes, drained, start_ms, rss, drain_rss) in [
        (
            0,
            TAKEN_IN,
            "empty spool: start, ms",
            "empty spool, outage: peak RSS, MiB",
            "empty spool, outage and drain: peak RSS, MiB",
        ),
        (
            2 << 30,
            DRAINED,
            "spool of 2 GiB: start, ms",
            "spool of 2 GiB, outage: peak RSS, MiB",
            "spool of 2 GiB, outage and drain: peak RSS, MiB",
        ),
    ] {
        let directory = TempDir::new()?;
        fill(&directory.path().join("state/spool"), bytes)?;
        let broker = Broker::start(directory.path()).await?;
        let stream =
            LocalStream::start(Settings { limits: Limits::Off, keep: 0, ..Settings::default() })
                .await?;
        stream.faults(|faults| faults.link = Link::Refusing);
        let site = Site {
            directory: directory.path(),
            broker_port: broker.port,
            endpoint: stream.endpoint(),
            settings: &settings("overflow"),
        };
        let began = now();
        let subject = Subject::start(Kind::Gateway, &site)?;
        subject.connected().await?;
        table.note(start_ms, "overflow", began.elapsed().as_secs_f64() * 1e3);
        load::publish(broker.port, TAKEN_IN, Tempo::Flood).await?;
        sleep(SETTLES_WITHIN).await;
        table.note(rss, "overflow", subject.rss_peak_mib()?);
        stream.faults(|faults| faults.link = Link::Up);
        let drains = stream.reached(|counts| counts.records >= drained);
        timeout(DRAINS_WITHIN, drains).await.context("the spool does not drain")?;
        table.note(drain_rss, "overflow", subject.rss_peak_mib()?);
        stream.stop().await;
    }
    Ok(())
}

/// Fills a spool with records of 1 KB until it has so many bytes.
fn fill(directory: &Path, bytes: u64) -> Result<()> {
    fs::create_dir_all(directory)?;
    let bounds = Bounds { bytes_max: 8 << 30, when_full: WhenFull::Wait };
    let (mut spool, _) = Spool::open(Directory::new(directory), bounds)?;
    let data = Bytes::from(vec![b'x'; 1_100]);
    let mut n = 0_u64;
    while spool.bytes() < bytes {
        let first = spool.next_seq();
        let entry = |seq| {
            n += 1;
            let key = PartitionKey::new(&format!("sites/site-1/devices/dev-{:05}", n % 100));
            Entry { seq, key, rx_ts_ms: 0, data: data.clone() }
        };
        let group: Vec<_> = std::iter::successors(Some(first), |seq| Some(seq.next()))
            .take(2_000)
            .map(entry)
            .collect();
        let appended = spool.append(&group)?;
        anyhow::ensure!(matches!(appended, Appended::Kept), "the spool is full");
    }
    spool.close().context("cannot close the spool")
}

/// Readings of a short run and of a long one.
const COUNTED: [u64; 2] = [1_000, 5_000];
/// Slow enough for a gateway that runs at a fiftieth of its speed.
const UNDER_VALGRIND_PER_S: u64 = 100;
/// So many come before them: the first records are late while valgrind translates the program, and
/// it takes a while until the stream is trusted again.
const WARM_UP: u64 = 1_000;

/// Instructions of one record on its way through: of two runs of different lengths, the difference.
pub(crate) async fn instructions(table: &mut Table) -> Result<()> {
    for mode in ["off", "overflow"] {
        let mut counts = Vec::new();
        for readings in COUNTED {
            counts.push(counted(mode, readings).await?);
        }
        let [few, many] = counts.try_into().ok().context("two runs")?;
        let [fewer, more] = COUNTED;
        table.note("100/s: instructions a record", mode, (many - few) / float(more - fewer));
    }
    Ok(())
}

async fn counted(mode: &str, readings: u64) -> Result<f64> {
    let directory = TempDir::new()?;
    let broker = Broker::start(directory.path()).await?;
    let stream = LocalStream::start(Settings { shards: 4, ..Settings::default() }).await?;
    let site = Site {
        directory: directory.path(),
        broker_port: broker.port,
        endpoint: stream.endpoint(),
        settings: &format!("shards = 4\n{}", settings(mode)),
    };
    let valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];
    let subject = Subject::start_under(&valgrind, Kind::Gateway, &site)?;
    subject.connected().await?;
    sleep(SETTLES_WITHIN).await;
    let tempo = Tempo::PerSecond(UNDER_VALGRIND_PER_S);
    load::publish(broker.port, WARM_UP, tempo).await?;
    let overflows = subject.times_said("records go to the spool")?;
    let recoveries = subject.times_said("nothing goes to the spool")?;
    anyhow::ensure!(overflows == recoveries, "the stream does not keep up after the warm-up");
    load::publish(broker.port, readings, tempo).await?;
    let all = stream.reached(|counts| counts.records >= WARM_UP + readings);
    timeout(DRAINS_WITHIN, all).await.context("not all readings arrived")?;
    anyhow::ensure!(
        subject.times_said("records go to the spool")? == overflows,
        "the gateway was too slow for this: not the healthy state"
    );
    let log = subject.stop()?;
    stream.stop().await;
    let line = log.lines().find_map(|line| line.split_once("Collected :"));
    let (_, count) = line.with_context(|| format!("no count in the log:\n{log}"))?;
    Ok(count.trim().parse()?)
}
