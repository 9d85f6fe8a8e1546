//! `q` of a record: what to know before trusting it.

/// What `q` of a record can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    /// The device told a time that cannot be; it is kept under `x`.
    TsRejected,
    /// The device told a sequence that is no whole number from 0; it is kept under `x`.
    SeqRejected,
    /// A value was not of the kind its rule wants; it is kept under `x`.
    TypeMismatch,
    /// A number beyond a double; it is kept under `x` as text.
    NumberAsText,
    /// Two values had the same name; the later ones have `_2`, `_3`, … behind it.
    NameRepeated,
    /// The id tells this receipt from others, not this reading: do not deduplicate by it.
    IdUnstable,
}

impl Flag {
    pub(super) const ALL: [Self; 6] = [
        Self::TsRejected,
        Self::SeqRejected,
        Self::TypeMismatch,
        Self::NumberAsText,
        Self::NameRepeated,
        Self::IdUnstable,
    ];

    fn bit(self) -> u8 {
        1 << self as u8
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::TsRejected => "ts_rejected",
            Self::SeqRejected => "seq_rejected",
            Self::TypeMismatch => "type_mismatch",
            Self::NumberAsText => "number_as_text",
            Self::NameRepeated => "name_repeated",
            Self::IdUnstable => "id_unstable",
        }
    }
}

/// A set of flags.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Flags(u8);

impl Flags {
    pub(super) fn raise(&mut self, flag: Flag) {
        self.0 |= flag.bit();
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Flag> {
        Flag::ALL.into_iter().filter(move |flag| self.0 & flag.bit() != 0)
    }
}
