//! `tidegate spool verify`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;

use crate::spool::{Directory, Disk, Unreadable, survey};

use super::{count, records};

pub(super) fn run(disk: &Directory, out: &mut impl Write) -> Result<ExitCode> {
    let mut intact = 0_u64;
    let survey = survey(disk)?;
    let visited = survey.visit(disk, |_, _| {
        intact += 1;
        Ok(())
    })?;
    for seqs in &survey.missing {
        let (dir, lost) = (disk.path(""), count(seqs.start, seqs.end));
        let first = seqs.start.0;
        writeln!(out, "{}: missing: {} from number {first} on", dir.display(), records(lost))?;
    }
    for Unreadable { file, offset, seqs } in &visited.unreadable {
        let (path, lost) = (disk.path(file), records(count(seqs.start, seqs.end)));
        writeln!(
            out,
            "{}: byte {offset}: unreadable: {lost} from number {} on",
            path.display(),
            seqs.start.0
        )?;
    }
    let intact = records(intact);
    if visited.unreadable.is_empty() && survey.missing.is_empty() {
        writeln!(out, "{intact} in {} files, all intact", visited.segments)?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(
        out,
        "{intact} intact, {} unreadable; a gateway delivers what is intact and \
         puts the rest aside, `tidegate spool repair` does so now",
        visited.lost() + survey.missing_entries()
    )?;
    Ok(ExitCode::FAILURE)
}
