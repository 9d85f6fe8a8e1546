//! What only grows, and what the ledger balances it against.

use std::fmt::Error;

use prometheus_client::metrics::MetricType;
use shard_estimator::number::real;

use super::Page;
use crate::metrics::{Attempts, Beside, Conservation, Shown};

pub(super) fn write(shown: &Shown, page: &mut Page<'_>) -> Result<(), Error> {
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    let help = "Which gateway this is.";
    page.0.encode_descriptor("build", help, None, MetricType::Info)?.encode_info(&version)?;
    page.gauge("uptime_seconds", "Since the gateway started.", shown.uptime.as_secs_f64())?;
    ledger(&shown.ledger, page)?;
    beside(&shown.beside, page)?;
    attempts(&shown.attempts, page)
}

/// received + recovered = delivered + spooled + in flight + dead-lettered + dropped + corrupted.
fn ledger(ledger: &Conservation, page: &mut Page<'_>) -> Result<(), Error> {
    for (name, help, count) in [
        (
            "records_received",
            "Records made of publishes, and publishes of which none could be made.",
            ledger.received,
        ),
        ("records_recovered", "Records found in the spool at the start.", ledger.recovered),
        ("records_delivered", "Records accepted by the stream.", ledger.delivered),
        ("records_dead_lettered", "Records durably dead-lettered.", ledger.dead_lettered),
        ("records_corrupted", "Records unreadable on the disk.", ledger.corrupted),
    ] {
        page.counter(name, help, count)?;
    }
    for (name, help, count) in [
        (
            "records_in_flight",
            "Records neither at their end nor on the disk: the broker answers for them.",
            ledger.in_flight,
        ),
        ("records_spooled", "Records synced to the disk and not at their end.", ledger.spooled),
    ] {
        page.gauge(name, help, real(count))?;
    }
    Ok(())
}

fn beside(beside: &Beside, page: &mut Page<'_>) -> Result<(), Error> {
    let help = "Records dropped by a rule of the operator, or at QoS 0 for want of memory.";
    let mut dropped =
        page.0.encode_descriptor("records_dropped", help, None, MetricType::Counter)?;
    for (rule, count) in [
        ("retained", beside.dropped_retained),
        ("age", beside.dropped_age),
        ("qos_0", beside.dropped_qos_0),
        ("spool", beside.dropped_spool),
    ] {
        let label = [("rule", rule)];
        let mut one = dropped.encode_family(&label)?;
        one.encode_counter::<[(&str, &str); 0], _, u64>(&count, None)?;
    }
    for (name, help, count) in [
        ("records_fan_out", "Records beyond the first of their publish.", beside.fan_out),
        ("records_replayed", "Records read from the spool of an earlier run.", beside.replayed),
        (
            "records_unheard",
            "Records sent and not heard of: each may be in the stream twice.",
            beside.unheard,
        ),
        (
            "records_repeated",
            "Records accepted after an attempt that was not heard of.",
            beside.repeated,
        ),
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
        page.counter(name, help, count)?;
    }
    Ok(())
}

fn attempts(attempts: &Attempts, page: &mut Page<'_>) -> Result<(), Error> {
    for (name, help, count) in [
        ("records_retried", "Attempts after the first of a record.", attempts.retried),
        (
            "records_reordered",
            "Records accepted ahead of an earlier one of their key.",
            attempts.reordered,
        ),
        ("put_records_calls", "Calls of PutRecords.", attempts.calls),
        (
            "publishes_adopted",
            "Redelivered publishes that were on their way already.",
            attempts.adopted,
        ),
    ] {
        page.counter(name, help, count)?;
    }
    Ok(())
}
