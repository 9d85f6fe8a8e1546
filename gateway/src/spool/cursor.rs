//! The format of the two small files that say what is settled. Pure.
//!
//! ```text
//! cursor   magic 8 · version 4 · spool id 8 · next seq 8 · oldest unsettled 8
//!          · number of ranges 8 · ranges 16 each · first seqs of damaged segments 8 each · CRC 4
//! journal  frames of: first 8 · end 8 · CRC 4
//! ```

use std::collections::BTreeSet;
use std::ops::Range;

use bytes::{Buf, BufMut};

use super::Seq;
use super::codec::{SpoolId, put_crc, unseal};
use super::settled::Settled;

const VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"TGCURSOR";
const FRAME_BYTES: usize = 20;

/// What a cursor file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) id: SpoolId,
    /// Seqs before it may have been given out.
    pub(super) next: Seq,
    pub(super) settled: Settled,
    /// Segments in which something could not be read, by their first seqs.
    pub(super) damaged: BTreeSet<Seq>,
}

/// What the bytes of a cursor file say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    Known(Cursor),
    /// Intact, and of a version that is not known here.
    Newer(u32),
    Unreadable,
}

/// The bytes of the [`Cursor`] with these fields.
pub(super) fn encode_cursor(
    id: SpoolId,
    next: Seq,
    settled: &Settled,
    damaged: &BTreeSet<Seq>,
) -> Vec<u8> {
    let ranges = settled.ranges();
    let mut out = Vec::with_capacity(64 + 16 * ranges.len());
    out.put_slice(MAGIC);
    out.put_u32_le(VERSION);
    out.put_u64_le(id.0);
    out.put_u64_le(next.0);
    out.put_u64_le(settled.cursor().0);
    out.put_u64_le(ranges.len() as u64);
    for range in ranges {
        out.put_u64_le(range.start.0);
        out.put_u64_le(range.end.0);
    }
    for base in damaged {
        out.put_u64_le(base.0);
    }
    put_crc(0, &mut out, 0);
    out
}

impl Cursor {
    pub(super) fn decode(bytes: &[u8]) -> Decoded {
        let content = unseal(0, bytes).and_then(|content| content.strip_prefix(MAGIC));
        let Some(mut fields) = content else { return Decoded::Unreadable };
        match fields.try_get_u32_le() {
            Ok(VERSION) => Self::fields(fields).map_or(Decoded::Unreadable, Decoded::Known),
            Ok(newer) => Decoded::Newer(newer),
            Err(_) => Decoded::Unreadable,
        }
    }

    fn fields(mut fields: &[u8]) -> Option<Self> {
        let id = SpoolId(fields.try_get_u64_le().ok()?);
        let next = Seq(fields.try_get_u64_le().ok()?);
        let mut settled = Settled::before(Seq(fields.try_get_u64_le().ok()?));
        for _ in 0..fields.try_get_u64_le().ok()? {
            let start = Seq(fields.try_get_u64_le().ok()?);
            settled.insert(start..Seq(fields.try_get_u64_le().ok()?));
        }
        let mut damaged = BTreeSet::new();
        while fields.has_remaining() {
            damaged.insert(Seq(fields.try_get_u64_le().ok()?));
        }
        Some(Self { id, next, settled, damaged })
    }
}

/// The frames that say that `ranges` are settled.
pub(super) fn encode_frames(id: SpoolId, ranges: &[Range<Seq>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(FRAME_BYTES * ranges.len());
    for range in ranges {
        let start = out.len();
        out.put_u64_le(range.start.0);
        out.put_u64_le(range.end.0);
        put_crc(id.seed(), &mut out, start);
    }
    out
}

/// The ranges of those frames of a journal that are intact, and whether one is not that others
/// follow: at the end a crash leaves such. Nothing else settles anything.
pub(super) fn decode_frames(id: SpoolId, journal: &[u8]) -> (Vec<Range<Seq>>, bool) {
    let (mut ranges, mut is_damaged, mut bad_before) = (Vec::new(), false, false);
    for frame in journal.chunks_exact(FRAME_BYTES) {
        match unseal(id.seed(), frame) {
            Some(mut fields) => {
                ranges.push(Seq(fields.get_u64_le())..Seq(fields.get_u64_le()));
                is_damaged |= bad_before;
            }
            None => bad_before = true,
        }
    }
    (ranges, is_damaged)
}

/// How much of a journal of `bytes` bytes is whole frames.
pub(super) fn whole_frames(bytes: u64) -> u64 {
    bytes - bytes % FRAME_BYTES as u64
}
