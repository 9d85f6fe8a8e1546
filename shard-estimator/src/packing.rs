use std::time::Duration;

use serde::Serialize;

/// Many records sent as one, in the layout of the Kinesis Producer Library: consumers must unpack
/// them (the Client Library, the Lambda modules and Firehose do).
///
/// Small records then cost less, and more of them fit into a shard, whose limit of 1,000 records a
/// second counts what is sent. A packed record belongs to one shard, so the shards' ranges must be
/// known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Packing {
    /// Largest packed record, in bytes of data.
    pub bytes_max: u32,
}

/// Whether the records in a packed one have partition keys of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// Each is of another device.
    Distinct,
    /// All are of one device.
    Same,
}

/// A packed record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Packed {
    /// Records in it.
    pub records: u32,
    /// Bytes of data, its own key not counted.
    pub bytes: u32,
}

/// What is sent for a flow of records.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sent {
    /// Records sent in a second.
    pub records_per_s: f64,
    /// Bytes of data in one, without its key.
    pub data_bytes: f64,
    /// Records packed into one: 1 if they are sent as they are.
    pub records_each: f64,
}

/// Magic number and MD5.
const FRAME_BYTES: u32 = 20;

impl Default for Packing {
    /// One PUT payload unit.
    fn default() -> Self {
        Self { bytes_max: crate::bill::PUT_UNIT_BYTES }
    }
}

impl Packing {
    /// The packed record that takes no more of these records. One that would hold a single record
    /// is that record, unpacked.
    #[must_use]
    pub fn full(self, data_bytes: u32, key_bytes: u32, keys: Keys) -> Packed {
        let mut packed = Packed { records: 0, bytes: FRAME_BYTES };
        loop {
            let key = match keys {
                Keys::Same if packed.records > 0 => 0,
                Keys::Same | Keys::Distinct => field_bytes(key_bytes),
            };
            let index = match keys {
                Keys::Same => 0,
                Keys::Distinct => packed.records,
            };
            let bytes = packed.bytes.saturating_add(key + entry_bytes(index, data_bytes));
            if bytes > self.bytes_max {
                break;
            }
            packed = Packed { records: packed.records + 1, bytes };
        }
        if packed.records > 1 { packed } else { Packed { records: 1, bytes: data_bytes } }
    }

    /// What one shard is sent for `records_per_s` records of different devices, of which none waits
    /// longer than `linger`: a packed record leaves when it is full or when its first one waited so
    /// long.
    #[must_use]
    pub fn sent(
        self,
        records_per_s: f64,
        data_bytes: u32,
        key_bytes: u32,
        linger: Duration,
    ) -> Sent {
        let full = self.full(data_bytes, key_bytes, Keys::Distinct);
        let timed_out_per_s = linger.as_secs_f64().recip().min(records_per_s);
        let sent_per_s = (records_per_s / f64::from(full.records)).max(timed_out_per_s);
        let records_each = if sent_per_s > 0.0 { records_per_s / sent_per_s } else { 1.0 };
        let data_bytes = if records_each > 1.0 {
            part_full_bytes(records_each, data_bytes, key_bytes)
        } else {
            f64::from(data_bytes)
        };
        Sent { records_per_s: sent_per_s, data_bytes, records_each }
    }
}

/// Bytes of a packed record of `records`, a mean and so not whole.
fn part_full_bytes(records: f64, data_bytes: u32, key_bytes: u32) -> f64 {
    /// An index from here on takes a byte more.
    const SHORT_INDEXES: f64 = 128.0;
    let each = |index| f64::from(field_bytes(key_bytes) + entry_bytes(index, data_bytes));
    let short = records.min(SHORT_INDEXES);
    f64::from(FRAME_BYTES) + short * each(0) + (records - short) * each(128)
}

/// A record in the table of records: index of its key, and data.
fn entry_bytes(index: u32, data_bytes: u32) -> u32 {
    field_bytes((1 + varint_bytes(index)).saturating_add(field_bytes(data_bytes)))
}

/// A field with its length in protocol buffers: tag, length, content.
fn field_bytes(content: u32) -> u32 {
    (1 + varint_bytes(content)).saturating_add(content)
}

fn varint_bytes(value: u32) -> u32 {
    (u32::BITS - value.leading_zeros()).div_ceil(7).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_records_fit_as_the_library_packs() {
        for (bytes_max, data_bytes, key_bytes, records) in [
            (25_600, 512, 16, 47),
            (25_600, 4_096, 17, 6),
            (25_600, 20_000, 17, 1),
            (51_200, 1_024, 17, 48),
            (51_200, 200, 12, 230),
        ] {
            let full = Packing { bytes_max }.full(data_bytes, key_bytes, Keys::Distinct);
            assert_eq!(full.records, records, "{data_bytes} in {bytes_max}");
            assert!(full.bytes <= bytes_max);
        }
    }

    #[test]
    fn a_record_that_nothing_fits_beside_is_sent_as_it_is() {
        let alone = Packed { records: 1, bytes: 30_000 };
        assert_eq!(Packing::default().full(30_000, 12, Keys::Distinct), alone);
    }

    /// At 50 records a second ten packed records leave in a second, with five in each.
    #[test]
    fn few_records_leave_when_the_first_has_waited() {
        let linger = Duration::from_millis(100);
        let sent = Packing::default().sent(50.0, 200, 12, linger);
        assert!((sent.records_per_s - 10.0).abs() < 1e-9, "{sent:?}");
        assert!((sent.records_each - 5.0).abs() < 1e-9, "{sent:?}");
        let fewer = Packing::default().sent(3.0, 200, 12, linger);
        assert!((fewer.records_per_s - 3.0).abs() < 1e-9, "never more than there are: {fewer:?}");
        assert!((fewer.data_bytes - 200.0).abs() < 1e-9, "{fewer:?}");
    }

    #[test]
    fn a_part_full_record_of_whole_records_has_the_size_of_a_full_one() {
        for data_bytes in [100, 200, 1_024] {
            let full = Packing::default().full(data_bytes, 12, Keys::Distinct);
            let part = part_full_bytes(f64::from(full.records), data_bytes, 12);
            assert!((part - f64::from(full.bytes)).abs() < 1e-9, "{data_bytes}");
        }
    }
}
