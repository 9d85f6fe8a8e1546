//! `tidegate spool export`.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anyhow::Result;
use data_encoding::BASE64;
use serde::Serialize;

use crate::spool::{Directory, Entry, survey};

/// One record as a line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    key: &'a str,
    rx_ts: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
}

pub(super) fn run(disk: &Directory, all: bool, out: &mut impl Write) -> Result<ExitCode> {
    let mut out = BufWriter::new(out);
    let survey = survey(disk)?;
    let visited = survey.visit(disk, |entry, is_settled| {
        if all || !is_settled {
            write(entry, &mut out)?;
        }
        Ok(())
    })?;
    out.flush()?;
    let (unreadable, missing) = (visited.lost(), survey.missing_entries());
    if visited.unreadable.is_empty() && survey.missing.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    tracing::warn!(
        unreadable,
        missing,
        "not all records could be exported: `tidegate spool verify` says where they should be"
    );
    Ok(ExitCode::FAILURE)
}

/// Data that are not UTF-8 are written in base64.
fn write(entry: &Entry, out: &mut impl Write) -> io::Result<()> {
    let text = str::from_utf8(&entry.data).ok();
    let line = Line {
        seq: entry.seq.0,
        key: entry.key.as_str(),
        rx_ts: entry.rx_ts_ms,
        data: text,
        data_base64: text.is_none().then(|| BASE64.encode(&entry.data)),
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::PartitionKey;
    use crate::spool::Seq;

    fn line(data: &'static [u8]) -> String {
        let key = PartitionKey::new("d1");
        let entry = Entry { seq: Seq(7), key, rx_ts_ms: 12, data: data.into() };
        let mut out = Vec::new();
        write(&entry, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn data_are_text_where_they_can_be() {
        let text = line(b"{\"v\":1}\n");
        assert_eq!(text, "{\"seq\":7,\"key\":\"d1\",\"rx_ts\":12,\"data\":\"{\\\"v\\\":1}\\n\"}\n");
        let binary = line(&[0xff, 0x00]);
        assert_eq!(binary, "{\"seq\":7,\"key\":\"d1\",\"rx_ts\":12,\"data_base64\":\"/wA=\"}\n");
    }
}
