//! What is counted, and what the ledger balances.

use std::fmt::Error;

use prometheus_client::metrics::MetricType;
use shard_estimator::number::real;

use super::Page;
use crate::metrics::{Beside, Shown, StreamCounts, StreamShown};

pub(super) fn write(shown: &Shown, page: &mut Page<'_>) -> Result<(), Error> {
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    let help = "Which gateway this is.";
    page.0.encode_descriptor("build", help, None, MetricType::Info)?.encode_info(&version)?;
    page.gauge(("uptime_seconds", "Since the gateway started."), shown.uptime.as_secs_f64())?;
    ledger(shown, page)?;
    dropped(shown, page)?;
    of_streams(&shown.streams, page)?;
    beside(&shown.beside, page)?;
    page.counter(
        ("publishes_adopted", "Redelivered publishes that were on their way already."),
        shown.adopted,
    )
}

/// What is counted of each stream: a name, what it means, and which count it is.
type OfCounts = (&'static str, &'static str, fn(&StreamCounts) -> u64);

const HELD: [OfCounts; 2] = [
    (
        "records_in_flight",
        "Records neither at their end nor on the disk: the broker answers for them.",
        |of| of.in_flight,
    ),
    ("records_spooled", "Records synced to the disk and not at their end.", |of| of.spooled),
];

/// received + recovered = delivered + spooled + in flight + dead-lettered + dropped + corrupted.
fn ledger(shown: &Shown, page: &mut Page<'_>) -> Result<(), Error> {
    let received = "Records made of publishes, and publishes of which none could be made.";
    page.counter(("records_received", received), shown.ledger.received)?;
    let dead_lettered = ("records_dead_lettered", "Records durably dead-lettered.");
    page.counter(dead_lettered, shown.ledger.dead_lettered)?;
    for (name, help, held) in HELD {
        let held = |stream: &StreamShown| (stream.labels([]), real(held(&stream.counts)));
        page.gauges((name, help), shown.streams.iter().map(held))?;
    }
    Ok(())
}

fn dropped(shown: &Shown, page: &mut Page<'_>) -> Result<(), Error> {
    let help = "Records dropped by a rule of the operator, or at QoS 0 for want of memory.";
    let Beside { dropped_retained, dropped_qos_0, .. } = shown.beside;
    let rule = |rule: &str| ("rule", rule.to_owned());
    let of_all = [("retained", dropped_retained), ("qos_0", dropped_qos_0)];
    let of_all = of_all.into_iter().map(|(name, count)| (vec![rule(name)], count));
    let of_streams = shown.streams.iter().flat_map(|stream| {
        let StreamCounts { dropped_age, dropped_spool, .. } = stream.counts;
        [("age", dropped_age), ("spool", dropped_spool)]
            .map(|(name, count)| (stream.labels([rule(name)]), count))
    });
    page.counters(("records_dropped", help), of_all.chain(of_streams))
}

fn of_streams(streams: &[StreamShown], page: &mut Page<'_>) -> Result<(), Error> {
    const COUNTS: [OfCounts; 9] = [
        ("records_recovered", "Records found in the spool at the start.", |of| of.recovered),
        ("records_delivered", "Records accepted by the stream.", |of| of.delivered),
        ("records_corrupted", "Records unreadable on the disk.", |of| of.corrupted),
        ("records_replayed", "Records read from the spool of an earlier run.", |of| of.replayed),
        (
            "records_unheard",
            "Records sent and not heard of: each may be in the stream twice.",
            |of| of.unheard,
        ),
        ("records_repeated", "Records accepted after an attempt that was not heard of.", |of| {
            of.repeated
        }),
        ("records_retried", "Attempts after the first of a record.", |of| of.retried),
        ("records_reordered", "Records accepted ahead of an earlier one of their key.", |of| {
            of.reordered
        }),
        ("put_records_calls", "Calls of PutRecords.", |of| of.calls),
    ];
    for (name, help, count) in COUNTS {
        let counted = |stream: &StreamShown| (stream.labels([]), count(&stream.counts));
        page.counters((name, help), streams.iter().map(counted))?;
    }
    Ok(())
}

fn beside(beside: &Beside, page: &mut Page<'_>) -> Result<(), Error> {
    for (name, help, count) in [
        ("records_fan_out", "Records beyond the first of their publish.", beside.fan_out),
        (
            "dead_letters_dropped",
            "Dead letters that went to make room for newer ones.",
            beside.dead_letters_dropped,
        ),
        (
            "dead_letters_forwarded",
            "Dead letters accepted by the stream of their own.",
            beside.dead_letters_forwarded,
        ),
        (
            "dead_letters_refused",
            "Dead letters that their stream can never accept.",
            beside.dead_letters_refused,
        ),
    ] {
        page.counter((name, help), count)?;
    }
    Ok(())
}
