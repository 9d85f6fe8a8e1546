//! `tidegate dead-letters show`.

use std::io::Write;

use anyhow::{Context, Result, bail};
use data_encoding::BASE64;

use crate::addressee::Addressee;
use crate::dead_letter::{Directory, Id, Letter, Origin, Payload};

use super::{printable, time};

/// Writes everything that is known of a letter.
pub(super) fn whole(directory: &Directory, id: Id, out: &mut impl Write) -> Result<()> {
    let letter = find(directory, id)?;
    let (origin, from) = match &letter.origin {
        Origin::Topic(_) => ("topic", letter.origin.text()),
        Origin::Record { .. } => ("key", letter.origin.text()),
    };
    let (kind, payload) = match &letter.payload {
        Payload::Hashed { xxh3_128, .. } => ("xxh3_128", xxh3_128.clone()),
        Payload::Whole(payload) => match str::from_utf8(payload) {
            Ok(text) => ("payload", printable(text)),
            Err(_) => ("base64", BASE64.encode(payload)),
        },
    };
    writeln!(out, "{:<9} {id}", "id")?;
    writeln!(out, "{:<9} {}", "time", time(letter.at_ms))?;
    writeln!(out, "{:<9} {}", "reason", printable(&letter.reason))?;
    writeln!(out, "{:<9} {}", "detail", printable(&letter.detail))?;
    writeln!(out, "{origin:<9} {}", printable(&from))?;
    if let Origin::Record { stream, target, .. } = &letter.origin {
        let target = target.as_ref().map(Addressee::as_str);
        for (name, said) in [("stream", stream.as_deref()), ("target", target)] {
            said.map_or(Ok(()), |said| writeln!(out, "{name:<9} {}", printable(said)))?;
        }
    }
    writeln!(out, "{:<9} {}", "bytes", letter.payload.bytes())?;
    writeln!(out, "{kind:<9} {payload}")?;
    Ok(())
}

/// Writes the original bytes, nothing else.
pub(super) fn payload(directory: &Directory, id: Id, out: &mut impl Write) -> Result<()> {
    match find(directory, id)?.payload {
        Payload::Whole(payload) => Ok(out.write_all(&payload)?),
        Payload::Hashed { bytes, .. } => bail!("{id}: of its {bytes} bytes only the hash was kept"),
    }
}

fn find(directory: &Directory, id: Id) -> Result<Letter> {
    for entry in directory.entries()? {
        let entry = entry?;
        if entry.id == id {
            return entry.letter().with_context(|| format!("{id} cannot be read"));
        }
        if entry.id > id {
            break;
        }
    }
    bail!("there is no dead letter {id}: see `tidegate dead-letters list`")
}
