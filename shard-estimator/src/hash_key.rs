use std::fmt;

/// A position in the 128-bit space that the shards of a stream divide among themselves.
///
/// Any value is valid. [`Display`](fmt::Display) writes it in decimal, as `ExplicitHashKey` and
/// `StartingHashKey` are written in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HashKey(pub u128);

impl HashKey {
    /// Where Kinesis places a record with this partition key: the MD5 of its UTF-8 bytes, read as a
    /// big-endian number (`PutRecord` in the API reference: "An MD5 hash function is used to map
    /// partition keys to 128-bit integer values").
    #[must_use]
    pub fn of(partition_key: &str) -> Self {
        Self(u128::from_be_bytes(md5::compute(partition_key).0))
    }

    /// A place for the `n`th device of a register, to be sent as `ExplicitHashKey`: n times the
    /// golden ratio's part of the space.
    ///
    /// Devices numbered from 1 in one sequence lie so evenly that, up to 20,000 of them on up to
    /// 128 equal shards, none has more than 3 devices above the fair share.
    #[must_use]
    pub fn golden(n: u32) -> Self {
        /// 2^128 ÷ φ, rounded to an odd number.
        const GOLDEN: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
        Self(u128::from(n).wrapping_mul(GOLDEN))
    }
}

impl fmt::Display for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first five from RFC 1321, the last from `printf 'dev-7é' | md5sum`.
    #[test]
    fn a_hash_key_is_the_md5_of_the_key_read_big_endian() {
        for (partition_key, md5) in [
            ("", 0xd41d_8cd9_8f00_b204_e980_0998_ecf8_427e),
            ("a", 0x0cc1_75b9_c0f1_b6a8_31c3_99e2_6977_2661),
            ("abc", 0x9001_5098_3cd2_4fb0_d696_3f7d_28e1_7f72),
            ("message digest", 0xf96b_697d_7cb7_938d_525a_2f31_aaf1_61d0),
            (&"1234567890".repeat(8), 0x57ed_f4a2_2be3_c955_ac49_da2e_2107_b67a),
            ("dev-7é", 0x3109_c32b_217b_a832_023d_59a2_ff4c_af0c),
        ] {
            assert_eq!(HashKey::of(partition_key), HashKey(md5), "{partition_key:?}");
        }
    }

    #[test]
    fn a_hash_key_is_written_in_decimal() {
        assert_eq!(HashKey(u128::MAX).to_string(), "340282366920938463463374607431768211455");
    }
}
