use std::fmt;

/// One thing that is wrong with a configuration, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where it is written, counted from 1; `None` for what is written nowhere.
    pub line: Option<usize>,
    /// The key with its tables, such as `batch.linger_ms`; empty when the file as a whole is meant.
    pub key: String,
    /// What was written, shortened to a line; `None` when nothing was, or when it may be a secret.
    pub value: Option<String>,
    /// What is allowed, or what to do.
    pub allowed: String,
}

/// Every fault of one configuration, in the order of the lines. As an error it is never empty.
///
/// Written out, each is one line: `tidegate.toml:12: batch.linger_ms = 0: must be 1 to 999
/// milliseconds`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    file: String,
    faults: Vec<Fault>,
}

impl Faults {
    /// The faults found in `file`.
    pub(super) fn new(file: &str, mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| fault.line.unwrap_or(usize::MAX));
        Self { file: file.to_owned(), faults }
    }

    /// The faults, in the order of their lines; what is written nowhere comes last.
    #[must_use]
    pub fn as_slice(&self) -> &[Fault] {
        &self.faults
    }

    /// `value` if there are no faults.
    pub(super) fn or<T>(self, value: T) -> Result<T, Self> {
        if self.faults.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value, allowed, .. } = self;
        match value {
            Some(value) => write!(f, "{key} = {value}: {allowed}"),
            None if key.is_empty() => f.write_str(allowed),
            None => write!(f, "{key}: {allowed}"),
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&self.file)?;
            if let Some(line) = fault.line {
                write!(f, ":{line}")?;
            }
            write!(f, ": {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
