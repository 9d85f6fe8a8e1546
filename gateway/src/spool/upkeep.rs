//! What an operator may ask of a spool that no gateway is using.

use std::io;

use super::read::ATTEMPTS_MAX;
use super::{Disk, Seq, Spool};

/// How much is in memory at once.
const PART_BYTES: usize = 1 << 20;

impl<D: Disk> Spool<D> {
    /// Reads all that must be delivered, so that what cannot be read is put aside and
    /// [told](Self::take_lost). With what opening and [`close`](Self::close) do, the next
    /// start finds nothing to mend.
    ///
    /// # Errors
    /// When the disk refuses again and again, and takes no changes either. What was found by then is
    /// told.
    pub fn repair(&mut self) -> io::Result<()> {
        self.each_part(|_, _| {})
    }

    /// Settles, undelivered, what arrived before `rx_ts_ms` (milliseconds since 1970-01-01 UTC).
    /// Returns how many, and whether everything was seen, as with [`repair`](Self::repair).
    pub fn purge_older_than(&mut self, rx_ts_ms: i64) -> (u64, io::Result<()>) {
        let mut purged = 0;
        let seen = self.each_part(|spool, part| {
            let old = part.iter().filter(|(_, at)| *at < rx_ts_ms).map(|(seq, _)| *seq);
            let old: Vec<Seq> = old.collect();
            purged += old.len() as u64;
            spool.settle(&old);
        });
        (purged, seen)
    }

    fn each_part(&mut self, mut see: impl FnMut(&mut Self, &[(Seq, i64)])) -> io::Result<()> {
        let mut from = self.oldest_unsettled();
        let mut refused = 0;
        while from < self.next {
            match self.read(from, PART_BYTES) {
                Ok(read) => {
                    (from, refused) = (read.next, 0);
                    let part: Vec<_> =
                        read.entries.iter().map(|(_, at)| (at.seq, at.rx_ts_ms)).collect();
                    see(self, &part);
                }
                // The read after the last of these passes over the place, unless the disk is away.
                Err(_) if refused < ATTEMPTS_MAX => refused += 1,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}
