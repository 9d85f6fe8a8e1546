//! What an audit says.

use std::io::{self, Write};

use serde_json::json;

use crate::books::{Books, Span};
use crate::commands::time;

use super::{Audit, Found};

impl Audit {
    pub(super) fn json(&self) -> serde_json::Value {
        let Books {
            since_ms, opening, runs, terms, beside, purged, spooled, again, missing, ..
        } = self.books.so_far();
        json!({
            "balances": self.balances(),
            "since": time(since_ms),
            "runs": runs,
            "gateway_runs": self.gateway_runs,
            "as_of": self.as_of().map(time),
            "opening": opening,
            "terms": terms,
            "spooled": spooled,
            "in_flight": self.books.in_flight(),
            "again": again,
            "missing": missing,
            "beside": beside,
            "purged": purged,
            "on_disk": { "spooled": self.found.spooled, "dead_letters": self.found.letters },
        })
    }

    /// When the gateway that runs wrote its last checkpoint.
    fn as_of(&self) -> Option<i64> {
        self.books.running.map(|run| run.at_ms)
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        self.write_runs(out)?;
        self.write_balance(out)?;
        self.write_beside(out)?;
        self.write_disk(out)?;
        self.write_verdict(out)
    }

    fn write_runs(&self, out: &mut impl Write) -> io::Result<()> {
        let Books { since_ms, runs, .. } = &self.books;
        let (clean, timed_out, crashed) = (runs.clean, runs.timed_out, runs.crashed);
        writeln!(
            out,
            "since {}: runs that ended in order {clean}, at the deadline {timed_out}, \
             without a word {crashed}",
            time(*since_ms)
        )?;
        if let Some(at_ms) = self.as_of() {
            writeln!(out, "a gateway runs; as of its checkpoint at {}", time(at_ms))?;
        }
        writeln!(out)
    }

    fn write_balance(&self, out: &mut impl Write) -> io::Result<()> {
        let books = self.books.so_far();
        let (terms, exact) = (&books.terms, Span::exact);
        let mut row = |sign, name, span: Span, meaning| {
            writeln!(out, "{sign:1} {name:<17} {:>20}  {meaning}", span.to_string())
        };
        row(" ", "received", terms.received, "came from the broker, redeliveries included")?;
        if books.opening > 0 {
            row("+", "found", exact(books.opening), "lay in the spool when these books began")?;
        }
        if books.again.most > 0 {
            let meaning = "left the spool, which a crash forgot: they went, or go, once more";
            row("+", "again", books.again, meaning)?;
        }
        row("=", "delivered", terms.delivered, "accepted by the stream")?;
        row("+", "spooled", books.spooled, "wait on disk")?;
        row("+", "in flight", exact(self.books.in_flight()), "the broker still answers for them")?;
        row(
            "+",
            "left to broker",
            terms.left_with_broker,
            "in flight when their run ended: sent again and received again; at QoS 0, gone",
        )?;
        row("+", "dead-lettered", terms.dead_lettered, "kept with the reason")?;
        row("+", "dropped", terms.dropped, "by a rule of yours")?;
        row("+", "corrupted", terms.corrupted, "unreadable on disk: see the spool's quarantine")?;
        if books.missing > 0 {
            row(
                "+",
                "missing",
                exact(books.missing),
                "vanished from the spool while no gateway ran",
            )?;
        }
        writeln!(out)
    }

    fn write_beside(&self, out: &mut impl Write) -> io::Result<()> {
        let Books { beside, purged, runs, .. } = self.books.so_far();
        let at_least = if runs.crashed > 0 { " (at least, for runs crashed)" } else { "" };
        writeln!(out, "beside the balance{at_least}:")?;
        let mut row = |count: u64, meaning: &str| writeln!(out, "  {count:>12} {meaning}");
        row(beside.fan_out, "more records than publishes: payloads of several readings")?;
        row(beside.replayed, "read back from the spool of an earlier run")?;
        row(beside.unheard, "sent without hearing what became of them, and sent again")?;
        row(beside.repeated, "accepted after such a try: they may be in the stream twice")?;
        row(beside.dropped_retained, "dropped: retained, and mqtt.retained = \"skip\"")?;
        row(beside.dropped_age, "dropped: older than stream.record_age_s_max")?;
        row(beside.dropped_qos_0, "dropped: QoS 0, at the memory budget or while stopping")?;
        row(beside.dropped_spool, "dropped: the spool was full, and when_full = \"drop_oldest\"")?;
        row(purged, "dropped: purged from the spool")?;
        row(beside.dead_letters_dropped, "dead letters dropped to make room for newer ones")?;
        row(beside.dead_letters_forwarded, "dead letters accepted by dead_letter.stream")?;
        row(beside.dead_letters_refused, "dead letters refused by it, once more in each run")?;
        writeln!(out)
    }

    fn write_disk(&self, out: &mut impl Write) -> io::Result<()> {
        let Found { spooled, letters, .. } = self.found;
        writeln!(out, "on disk: {spooled} records in the spool, {letters} dead letters")?;
        let taken = self
            .letters_most
            .saturating_sub(self.books.beside.dead_letters_dropped)
            .saturating_sub(letters);
        if taken > 0 && !self.gateway_runs && self.books.runs.crashed == 0 {
            writeln!(out, "{taken} dead letters were taken away since: replayed, purged or moved")?;
        }
        Ok(())
    }

    fn write_verdict(&self, out: &mut impl Write) -> io::Result<()> {
        let balance = self.books.balance();
        if self.balances() {
            let exact =
                balance.came == balance.went && balance.came == Span::exact(balance.came.least);
            let within = if exact { "" } else { ", within what crashes leave open" };
            return writeln!(out, "it balances{within}");
        }
        if !self.spool_agrees() {
            let (expected, found) = (self.spool, self.found.spooled);
            writeln!(
                out,
                "THE SPOOL DOES NOT AGREE: the books expect {expected} records, and there are {found}"
            )?;
        } else if self.books.missing > 0 {
            let missing = self.books.missing;
            writeln!(out, "THE SPOOL DID NOT AGREE: {missing} records vanished between two runs")?;
        }
        if !self.letters_agree() {
            writeln!(out, "THE DEAD LETTERS DO NOT AGREE: there are more than were ever written")?;
        }
        if !balance.holds() {
            let (came, went) = (balance.came, balance.went);
            writeln!(out, "IT DOES NOT BALANCE: {came} came, {went} went")?;
        }
        Ok(())
    }
}
