//! The format of a segment: a header, entries, and a footer once it is sealed. Pure.
//!
//! ```text
//! header   magic 8 · version 4 · spool id 8 · first seq 8 · CRC 4
//! entry    magic 2 · key length 2 · data length 4 · payload CRC 4 · seq 8 · time 8 · CRC 4 · key · data
//! footer   magic 8 · next seq 8 · earliest 8 · latest 8 · CRC 4
//! ```
//! Numbers are little-endian, checksums CRC-32C. What precedes the CRC of a segment's header is the
//! same in every version, so that an old gateway can tell a newer segment from a damaged one.

use bytes::{Buf, BufMut, Bytes};

use super::{Entry, Seq};
use crate::record::PartitionKey;

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;

const MAGIC: &[u8; 8] = b"TGSPOOL\n";
const FOOTER_MAGIC: &[u8; 8] = b"TGSEALED";

/// First bytes of an entry. Neither is found in UTF-8, which most payloads are, so that a search
/// seldom stops for nothing.
pub(super) const ENTRY_MAGIC: [u8; 2] = [0xF9, 0xC1];

/// What a disk writes or does not write, as a whole, at least.
const SECTOR_BYTES: usize = 512;

/// Bytes of a segment's header.
pub(super) const HEADER_BYTES: usize = 32;
/// Bytes of an entry beside key and data.
pub(super) const ENTRY_HEADER_BYTES: usize = 32;
/// Bytes of a footer.
pub(super) const FOOTER_BYTES: usize = 36;

/// Tells the segments of one directory from those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SpoolId(pub(super) u64);

impl SpoolId {
    /// A number nobody else has.
    pub(super) fn random() -> Self {
        Self(fastrand::u64(..))
    }

    /// Where the checksums of the spool's own small files begin.
    pub(super) fn seed(self) -> u32 {
        crc32c::crc32c(&self.0.to_le_bytes())
    }
}

/// Where the checksums of one segment's entries begin: a payload that contains a piece of another
/// segment cannot pass for entries of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seed(u32);

impl Seed {
    pub(super) fn new(id: SpoolId, base: Seq) -> Self {
        Self(crc32c::crc32c_append(id.seed(), &base.0.to_le_bytes()))
    }
}

/// What the first bytes of a segment say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// A segment of this version.
    Known { id: SpoolId, base: Seq },
    /// Intact, and of a version that is not known here.
    Newer(u32),
    /// Not the header of a segment.
    Unreadable,
}

pub(super) fn encode_header(id: SpoolId, base: Seq) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_BYTES);
    out.put_slice(MAGIC);
    out.put_u32_le(VERSION);
    out.put_u64_le(id.0);
    out.put_u64_le(base.0);
    put_crc(0, &mut out, 0);
    out
}

pub(super) fn decode_header(bytes: &[u8]) -> Header {
    let Some(mut fields) = checked(0, bytes, HEADER_BYTES, MAGIC) else {
        return Header::Unreadable;
    };
    match fields.get_u32_le() {
        VERSION => {
            let (id, base) = (fields.get_u64_le(), fields.get_u64_le());
            Header::Known { id: SpoolId(id), base: Seq(base) }
        }
        newer => Header::Newer(newer),
    }
}

/// What precedes key and data of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntryHeader {
    pub(super) seq: Seq,
    rx_ts_ms: i64,
    key_bytes: u16,
    data_bytes: u32,
    payload_crc: u32,
}

impl EntryHeader {
    /// Reads a header from the first bytes of `bytes`, if there is one.
    pub(super) fn decode(seed: Seed, bytes: &[u8]) -> Option<Self> {
        let mut fields = checked(seed.0, bytes, ENTRY_HEADER_BYTES, &ENTRY_MAGIC)?;
        Some(Self {
            key_bytes: fields.get_u16_le(),
            data_bytes: fields.get_u32_le(),
            payload_crc: fields.get_u32_le(),
            seq: Seq(fields.get_u64_le()),
            rx_ts_ms: fields.get_i64_le(),
        })
    }

    pub(super) fn rx_ts_ms(&self) -> i64 {
        self.rx_ts_ms
    }

    /// Bytes of the whole entry, header included.
    pub(super) fn entry_bytes(&self) -> u64 {
        ENTRY_HEADER_BYTES as u64 + u64::from(self.key_bytes) + u64::from(self.data_bytes)
    }

    /// Whether key and data after the header, at the beginning of `entry`, are what was written.
    pub(super) fn is_intact(&self, entry: &[u8]) -> bool {
        self.payload(entry).is_some_and(|payload| crc32c::crc32c(payload) == self.payload_crc)
    }

    /// Whether `entry`, which begins at `offset` of its file, is not intact because a sector of it was
    /// never written: such a one is zeros.
    pub(super) fn is_torn(&self, entry: &[u8], offset: u64) -> bool {
        let start = offset + ENTRY_HEADER_BYTES as u64;
        // What shares a sector with the header was written with it.
        let with_header = start.next_multiple_of(SECTOR_BYTES as u64) - start;
        let rest = usize::try_from(with_header).ok().and_then(|at| self.payload(entry)?.get(at..));
        let mut sectors = rest.unwrap_or_default().chunks(SECTOR_BYTES);
        !self.is_intact(entry) && sectors.any(|sector| sector.iter().all(|byte| *byte == 0))
    }

    /// The entry that begins with `entry`, if it [is intact](Self::is_intact). Its data are a copy.
    pub(super) fn entry(&self, entry: &[u8]) -> Option<Entry> {
        let payload = self.payload(entry).filter(|_| self.is_intact(entry))?;
        let (key, data) = payload.split_at_checked(usize::from(self.key_bytes))?;
        Some(Entry {
            seq: self.seq,
            key: PartitionKey::new(std::str::from_utf8(key).ok()?),
            rx_ts_ms: self.rx_ts_ms,
            data: Bytes::copy_from_slice(data),
        })
    }

    fn payload<'a>(&self, entry: &'a [u8]) -> Option<&'a [u8]> {
        let end = usize::try_from(self.entry_bytes()).ok()?;
        entry.get(ENTRY_HEADER_BYTES..end)
    }
}

/// Bytes that `entry` takes on disk.
pub(super) fn entry_bytes(entry: &Entry) -> u64 {
    (ENTRY_HEADER_BYTES + entry.key.as_str().len() + entry.data.len()) as u64
}

/// Appends `entry` to `out`. `None` when its key is over 64 KiB or its data over 4 GiB, which no
/// record's are.
pub(super) fn encode_entry(seed: Seed, entry: &Entry, out: &mut Vec<u8>) -> Option<()> {
    let key = entry.key.as_str().as_bytes();
    let start = out.len();
    out.put_slice(&ENTRY_MAGIC);
    out.put_u16_le(u16::try_from(key.len()).ok()?);
    out.put_u32_le(u32::try_from(entry.data.len()).ok()?);
    out.put_u32_le(crc32c::crc32c_append(crc32c::crc32c(key), &entry.data));
    out.put_u64_le(entry.seq.0);
    out.put_i64_le(entry.rx_ts_ms);
    put_crc(seed.0, out, start);
    out.put_slice(key);
    out.put_slice(&entry.data);
    Some(())
}

/// What a sealed segment says at its end, so that nobody need read the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Footer {
    /// The seq after the last.
    pub(super) end: Seq,
    pub(super) times: Times,
}

/// Between which times entries arrived, in milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) earliest: i64,
    pub(super) latest: i64,
}

impl Times {
    /// Of no entry.
    pub(super) const NONE: Self = Self { earliest: i64::MAX, latest: i64::MIN };

    pub(super) fn include(&mut self, rx_ts_ms: i64) {
        self.earliest = self.earliest.min(rx_ts_ms);
        self.latest = self.latest.max(rx_ts_ms);
    }
}

impl Footer {
    pub(super) fn encode(&self, seed: Seed) -> Vec<u8> {
        let mut out = Vec::with_capacity(FOOTER_BYTES);
        out.put_slice(FOOTER_MAGIC);
        out.put_u64_le(self.end.0);
        out.put_i64_le(self.times.earliest);
        out.put_i64_le(self.times.latest);
        put_crc(seed.0, &mut out, 0);
        out
    }

    /// Whether `bytes` were to be a footer, whole and intact or not.
    pub(super) fn begins(bytes: &[u8]) -> bool {
        bytes.starts_with(FOOTER_MAGIC)
    }

    pub(super) fn decode(seed: Seed, bytes: &[u8]) -> Option<Self> {
        let mut fields = checked(seed.0, bytes, FOOTER_BYTES, FOOTER_MAGIC)?;
        let end = Seq(fields.get_u64_le());
        let times = Times { earliest: fields.get_i64_le(), latest: fields.get_i64_le() };
        Some(Self { end, times })
    }
}

/// Appends the CRC of what `out` holds from `start` on.
pub(super) fn put_crc(seed: u32, out: &mut Vec<u8>, start: usize) {
    let crc = crc32c::crc32c_append(seed, out.get(start..).unwrap_or_default());
    out.put_u32_le(crc);
}

/// The fields between the magic and the CRC of the first `len` bytes, if both are right.
fn checked<'a>(seed: u32, bytes: &'a [u8], len: usize, magic: &[u8]) -> Option<&'a [u8]> {
    // The magic first: it costs nothing, and a search asks at every place.
    let fields = bytes.get(..len)?.strip_prefix(magic)?;
    unseal(seed, bytes.get(..len)?)?;
    fields.get(..fields.len() - size_of::<u32>())
}

/// What precedes the CRC at the end of `bytes`, if the CRC is right.
pub(super) fn unseal(seed: u32, bytes: &[u8]) -> Option<&[u8]> {
    let (content, crc) = bytes.split_last_chunk::<4>()?;
    (crc32c::crc32c_append(seed, content) == u32::from_le_bytes(*crc)).then_some(content)
}
