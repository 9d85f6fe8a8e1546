//! `tidegate spool verify`.

use std::io::Write;
use std::ops::Range;
use std::process::ExitCode;

use anyhow::Result;

use crate::spool::{Directory, Disk, SegmentSurvey, Seq, Survey, survey};

use super::{count, records};

/// Entries of one file that should be there and are not.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    file: String,
    seqs: Range<Seq>,
}

/// Compares what is read with what should be there, in order.
struct Check<'a> {
    segments: std::slice::Iter<'a, SegmentSurvey>,
    now: Option<&'a SegmentSurvey>,
    expected: Seq,
    faults: Vec<Fault>,
}

impl<'a> Check<'a> {
    fn new(survey: &'a Survey) -> Self {
        let mut segments = survey.segments.iter();
        let now = segments.next();
        let expected = now.map_or(Seq::FIRST, |segment| segment.seqs.start);
        Self { segments, now, expected, faults: Vec::new() }
    }

    /// Goes on to `seq`: what is passed over is at fault.
    fn reach(&mut self, seq: Seq) {
        while let Some(segment) = self.now {
            let end = segment.seqs.end.min(seq);
            if self.expected < end {
                let (file, seqs) = (segment.file.clone(), self.expected..end);
                self.faults.push(Fault { file, seqs });
            }
            if seq < segment.seqs.end {
                break;
            }
            self.now = self.segments.next();
            self.expected = self.now.map_or(seq, |segment| segment.seqs.start);
        }
        self.expected = self.expected.max(seq.next());
    }
}

pub(super) fn run(disk: &Directory, out: &mut impl Write) -> Result<ExitCode> {
    let survey = survey(disk)?;
    let mut check = Check::new(&survey);
    let mut intact = 0_u64;
    let unreadable = survey.visit(disk, |entry, _| {
        check.reach(entry.seq);
        intact += 1;
        Ok(())
    })?;
    check.reach(survey.next);
    for Fault { file, seqs } in &check.faults {
        let (path, lost) = (disk.path(file), records(count(seqs.start, seqs.end)));
        writeln!(out, "{}: unreadable: {lost} from number {} on", path.display(), seqs.start.0)?;
    }
    let files = survey.segments.len();
    if unreadable == 0 {
        writeln!(out, "{} in {files} files, all intact", records(intact))?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(
        out,
        "{} intact, {unreadable} unreadable; a gateway delivers what is intact and \
         puts the rest aside, `tidegate spool repair` does so now",
        records(intact)
    )?;
    Ok(ExitCode::FAILURE)
}
