//! How far a rehearsal is, for people.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::{MissedTickBehavior, interval};

use crate::rehearsal::fleet::Progress;
use crate::rehearsal::stream::LocalStream;

/// Awaits `running`, a fleet of so many readings, and shows how far it is.
pub(super) async fn watch(
    running: impl Future<Output = ()>,
    readings: u64,
    stream: &LocalStream,
    progress: &Progress,
) {
    let bar = bar(readings);
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut running = std::pin::pin!(running);
    loop {
        tokio::select! {
            () = &mut running => break,
            _ = ticks.tick() => {
                let counts = stream.counts();
                bar.set_position(counts.records);
                bar.set_message(format!(
                    "sent {}, stored {}, throttled {}",
                    progress.acknowledged(), counts.records, counts.records_throttled
                ));
                if bar.is_hidden() {
                    tracing::info!(
                        sent = progress.acknowledged(),
                        stored = counts.records,
                        throttled = counts.records_throttled,
                        "rehearsing"
                    );
                }
            }
        }
    }
    bar.finish_and_clear();
}

/// A bar on a terminal, nothing elsewhere.
fn bar(readings: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{elapsed_precise} {wide_bar} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let target = match std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    ProgressBar::with_draw_target(Some(readings), target).with_style(style)
}
