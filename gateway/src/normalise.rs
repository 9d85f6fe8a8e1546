//! Bytes into records, or the reason why not. Pure: no clock, no I/O.
