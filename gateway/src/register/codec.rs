//! The format of the register: a header and groups. Pure.
//!
//! ```text
//! header  magic 8 · version 4 · what precedes the first number 4 · CRC 4
//! group   magic 4 · first number 4 · count 4 · CRC of the keys 4 · CRC 4 · keys, 8 each
//! ```
//! Numbers are little-endian, checksums CRC-32C. Behind the last group stands a *mark*, a group
//! without keys, until the next group takes its place. What precedes a group or a mark was synced
//! before it was written: so a bad place with either behind it is damage, and one without is what a
//! crash left of the last group, whose numbers nobody has used.

use bytes::{Buf, BufMut};

use super::{BEFORE_MAX, Fingerprint};

const VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"TGNUMBER";
const GROUP_MAGIC: &[u8; 4] = b"\xF9GRP";

/// Bytes of the header.
pub(super) const HEADER_BYTES: usize = 20;
/// Bytes of a group beside its keys.
const GROUP_BYTES: usize = 20;
const KEY_BYTES: usize = size_of::<u64>();

/// What a register holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// What precedes the first number.
    pub(super) before: u32,
    /// In the order of their numbers.
    pub(super) keys: Vec<Fingerprint>,
    /// Where the intact groups end; 0 if there is not even a header.
    pub(super) end: usize,
}

/// Why there is nothing to go on with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Intact, and of a version that is not known here.
    Newer(u32),
    /// Not what was written, from this place on.
    Damaged { at: usize },
}

/// An empty register, whose first number follows `before`.
pub(super) fn header(before: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_BYTES);
    out.put_slice(MAGIC);
    out.put_u32_le(VERSION);
    out.put_u32_le(before);
    seal(&mut out);
    out
}

/// A group of `keys`, the first of which has the number `first`.
pub(super) fn group(first: u32, keys: &[Fingerprint]) -> Vec<u8> {
    let mut body = Vec::with_capacity(keys.len() * KEY_BYTES);
    keys.iter().for_each(|Fingerprint(key)| body.put_u64_le(*key));
    let mut out = Vec::with_capacity(GROUP_BYTES + body.len());
    out.put_slice(GROUP_MAGIC);
    out.put_u32_le(first);
    // At most as many as there are numbers.
    out.put_u32_le(u32::try_from(keys.len()).unwrap_or(u32::MAX));
    out.put_u32_le(crc32c::crc32c(&body));
    seal(&mut out);
    out.put_slice(&body);
    out
}

/// Reads a register from the bytes of its file.
pub(super) fn read(bytes: &[u8]) -> Result<Found, Unreadable> {
    let header = unseal(bytes, HEADER_BYTES)
        .and_then(|fields| fields.strip_prefix(MAGIC))
        .map(|mut fields| (fields.get_u32_le(), fields.get_u32_le()));
    let before = match header {
        Some((VERSION, before)) if before <= BEFORE_MAX => before,
        Some((newer, _)) if newer != VERSION => return Err(Unreadable::Newer(newer)),
        // Nothing was written behind a header that was not synced.
        None if bytes.len() <= HEADER_BYTES => return Ok(Found::default()),
        _ => return Err(Unreadable::Damaged { at: 0 }),
    };
    let mut found = Found { before, keys: Vec::new(), end: HEADER_BYTES };
    let follows = |group: &Group, keys: &[Fingerprint]| {
        usize::try_from(group.first.wrapping_sub(before)).is_ok_and(|place| place == keys.len() + 1)
    };
    let mut rest = bytes.get(HEADER_BYTES..).unwrap_or_default();
    while let Some((group, body)) = Group::read(rest)
        && follows(&group, &found.keys)
        && !body.is_empty()
    {
        found
            .keys
            .extend(body.chunks_exact(KEY_BYTES).map(|mut key| Fingerprint(key.get_u64_le())));
        let group_bytes = GROUP_BYTES + body.len();
        found.end += group_bytes;
        rest = rest.get(group_bytes..).unwrap_or_default();
    }
    let is_group = |at: usize| rest.get(at..).and_then(Group::header).is_some();
    // What is read badly is the first, or the mark is.
    if (1..rest.len()).any(is_group) {
        return Err(Unreadable::Damaged { at: found.end });
    }
    Ok(found)
}

/// What precedes the keys of a group.
struct Group {
    first: u32,
    count: u32,
    keys_crc: u32,
}

impl Group {
    fn header(bytes: &[u8]) -> Option<Self> {
        // The magic first: a search asks at every place.
        bytes.strip_prefix(GROUP_MAGIC)?;
        let mut fields = unseal(bytes, GROUP_BYTES)?.strip_prefix(GROUP_MAGIC)?;
        let (first, count, keys_crc) =
            (fields.get_u32_le(), fields.get_u32_le(), fields.get_u32_le());
        Some(Self { first, count, keys_crc })
    }

    /// The group at the beginning of `bytes`, if it is intact, and its keys.
    fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let group = Self::header(bytes)?;
        let body_bytes = usize::try_from(group.count).ok()?.checked_mul(KEY_BYTES)?;
        let body = bytes.get(GROUP_BYTES..)?.get(..body_bytes)?;
        (crc32c::crc32c(body) == group.keys_crc).then_some((group, body))
    }
}

fn seal(out: &mut Vec<u8>) {
    let crc = crc32c::crc32c(out);
    out.put_u32_le(crc);
}

/// What precedes the checksum at the end of the first `len` bytes, if that is right.
fn unseal(bytes: &[u8], len: usize) -> Option<&[u8]> {
    let (content, crc) = bytes.get(..len)?.split_last_chunk::<4>()?;
    (crc32c::crc32c(content) == u32::from_le_bytes(*crc)).then_some(content)
}
