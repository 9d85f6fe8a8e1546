//! A plan meets reality.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use shard_estimator::cli::words;
use shard_estimator::number::real;
use shard_estimator::{Check, Goals};
use tokio::time::{Instant, sleep_until};

use crate::rehearsal::fleet::{Connections, Progress, play};
use crate::rehearsal::plan::{Comparison, Figure, Figures, Heard, Part, measured};
use crate::rehearsal::stream::{Link, LocalStream};

use super::watch::watch;
use super::world::{Setup, World};

/// Connections that the devices share.
const CONNECTIONS: usize = 4;
/// The gateway looks for a stream that was away at most this long, where 5 s are usual: outages are
/// played in seconds instead of hours.
const BACKOFF_MS_MAX: u32 = 250;
/// How long the last reports may take. What takes longer waits for a stream that is too small.
const LAST_REPORTS: Duration = Duration::from_secs(5);
/// A report that is published later than this, or than this part of what reports wait, is late.
const LAG_MAX: Duration = Duration::from_millis(100);
const LAG_PART: f64 = 0.1;
/// Of all reports, those that may be late because a machine has other things to do, too.
const LAGGED_MAX: f64 = 0.01;

/// What came of a plan.
#[derive(Debug, Clone)]
pub struct Played {
    /// What was played, and how it differs from the plan, in sentences.
    pub synopsis: Vec<String>,
    /// Predicted beside measured.
    pub comparison: Comparison,
    /// Reports that the broker acknowledged and nobody holds any more.
    pub lost: u64,
    /// The part of all reports that were published later than they were due.
    pub lagged: f64,
}

impl Played {
    /// Whether all is as it was predicted, nothing is lost, and the machine could do it.
    #[must_use]
    pub fn is_as_predicted(&self) -> bool {
        self.comparison.is_as_predicted() && self.lost == 0 && !self.is_late()
    }

    /// Whether the machine was too slow to play it, so that what was measured is not the gateway.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.lagged > LAGGED_MAX
    }
}

/// Plays `part` of a plan with a gateway that keeps its state in `state_dir`, and compares.
///
/// # Errors
/// When broker, stream or gateway cannot be started.
pub async fn rehearse(part: &Part, state_dir: &Path) -> Result<Played> {
    let Part { shards, estimator, allowed, acts, end, timetable, .. } = part;
    let synopsis = part.synopsis();
    tracing::info!(seconds = end.as_secs(), "{}", synopsis.join(" "));
    let goals = estimator.goals();
    let world = World::start(shards.get(), usize::MAX, &setup(goals, state_dir)).await?;
    let outlook = part.predicted();
    let predicted = Figures::predicted(&outlook, goals);
    let waits_s = predicted.get(Figure::P99).unwrap_or_default();
    let lag_max = Duration::try_from_secs_f64(LAG_PART * waits_s).unwrap_or(LAG_MAX).max(LAG_MAX);
    let progress = Progress::new(lag_max);
    let start = super::now();
    let playing = perform(part, &world, start, &progress);
    watch(playing, timetable.reports(), &world.stream, &progress).await;
    let acknowledged = progress.acknowledged();
    world.stored(acknowledged, LAST_REPORTS).await;
    let stopped = world.stop().await?;
    let (ledger, records) = (stopped.ledger, stopped.stream.records());
    let throttled = stopped.stream.counts().records_throttled;
    stopped.end().await;
    let heard = Heard { start: start.into_std(), records: &records, throttled };
    let measured = measured(timetable, acts, &predicted, &heard);
    let left = ledger.spooled + ledger.in_flight + acknowledged.saturating_sub(ledger.received);
    Ok(Played {
        synopsis,
        comparison: Comparison {
            allowed: allowed.clone(),
            planned: Figures::predicted(&part.planned.outlook(*shards), goals),
            predicted,
            measured: measured.figures,
            waits_for_others: outlook.checks.iter().any(|check| matches!(check, Check::Pieces(_))),
            fraction: goals.fraction.get(),
            acts: acts.clone(),
            end: *end,
            left,
        },
        lost: acknowledged.saturating_sub(measured.delivered + left),
        lagged: real(progress.lagged()) / real(progress.published().max(1)),
    })
}

/// The gateway as the plan wants it. It sends what it is given, byte by byte, under its topic.
fn setup<'a>(goals: &Goals, state_dir: &'a Path) -> Setup<'a> {
    Setup {
        state_dir,
        topics: "#",
        stream: format!("backoff_ms_max = {BACKOFF_MS_MAX}\n"),
        tables: format!(
            "[records]\nformat = 'raw'\nnewline = false\n\
             [pace]\ninstances = 1\nfraction = {}\n\
             [batch]\nlinger_ms = {}\n",
            goals.fraction.get(),
            goals.linger.as_millis(),
        ),
    }
}

/// Lets the devices report, and the stream go away at its time.
async fn perform(part: &Part, world: &World, start: Instant, progress: &Progress) {
    let connections = Connections {
        broker: world.broker.address(),
        count: CONNECTIONS,
        client_id: "fleet".to_owned(),
        login: None,
    };
    let devices = play(&part.timetable, &connections, start, progress);
    tokio::join!(devices, outage(part, &world.stream, start));
}

/// Takes the stream away for the outage.
async fn outage(part: &Part, stream: &LocalStream, start: Instant) {
    let Some(outage) = &part.acts.outage else { return };
    for (at, link) in [(outage.start, Link::Refusing), (outage.end, Link::Up)] {
        sleep_until(start + at).await;
        stream.faults(|faults| faults.link = link);
    }
}

impl fmt::Display for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n\n{}", self.synopsis.join("\n"), self.comparison)?;
        if self.lost > 0 {
            writeln!(f, "{} records are LOST.", self.lost)?;
        }
        if self.is_late() {
            writeln!(
                f,
                "{} of all reports were published late: this machine is too slow for so much of \
                 the plan, and nothing of this counts. Take a smaller --scale.",
                words::per_cent(self.lagged),
            )?;
        }
        Ok(())
    }
}
