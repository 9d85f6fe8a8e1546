//! For which stream the records of a spool are: written beside them.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};
use tracing::warn;

use crate::addressee::Addressee;
use crate::config::Stream;
use crate::spool::TARGET;
use crate::state_dir;

/// Notes in `dir`, which is in use by this process, that its records are for `stream`. `waiting` of an
/// earlier run are there; if nothing tells whose they are, they are taken for those of `stream`.
///
/// # Errors
/// As [`look`]; and when another stream's name cannot be replaced.
pub(super) fn address(dir: &Path, stream: &Stream, waiting: u64) -> Result<()> {
    let (path, now) = (dir.join(TARGET), Addressee::of(stream));
    let before = look(dir, stream, waiting)?;
    // An ARN says more than a name.
    let stays = |before: &Addressee| *before == now || waiting > 0 && before.is_arn();
    if before.as_ref().is_some_and(stays) {
        return Ok(());
    }
    let noted = state_dir::replace(&path, format!("{}\n", now.as_str()).as_bytes());
    if before.is_some_and(|before| !before.may_be(&now)) {
        let stream = stream.called();
        return noted
            .with_context(|| format!("cannot note in {} which {stream} is", path.display()));
    }
    if let Err(error) = noted {
        warn!(%error, path = %path.display(), "for which stream records are spooled is not noted");
    }
    Ok(())
}

/// For which stream the records in `dir` are, if that was noted. `waiting` of them are there. Writes
/// nothing.
///
/// # Errors
/// When they are for another than `stream`, or it cannot be read for which.
pub(super) fn look(dir: &Path, stream: &Stream, waiting: u64) -> Result<Option<Addressee>> {
    let (path, now) = (dir.join(TARGET), Addressee::of(stream));
    let before = match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let (dir, path, called, now_text) =
        (dir.display(), path.display(), stream.called(), now.as_str());
    match Addressee::parse(&String::from_utf8_lossy(&before)) {
        None if waiting > 0 => bail!(
            "{waiting} records wait in {dir}, and {path}, which says for which stream, is damaged: if \
             {called}, which is the stream {now_text}, may have them, remove that file"
        ),
        Some(before) if waiting > 0 && !before.may_be(&now) => bail!(
            "{waiting} records wait in {dir} for the stream {before}, and {called} is the stream \
             {now_text}: they are not sent to another owner unasked. Say {before} again until they are \
             delivered; or drop them by `tidegate spool purge`; or, if {now_text} may have them, \
             remove {path}",
            before = before.as_str()
        ),
        before => Ok(before),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::tests::config;

    /// Whether what waits in `dir` may go to the stream of these lines.
    fn may_go(dir: &Path, waiting: u64, lines: &str) -> Result<()> {
        let mut stream = config(dir, "").streams.first().clone();
        let (target, region) = lines.rsplit_once(' ').unwrap();
        stream.target = match target.starts_with("arn:") {
            true => crate::config::StreamTarget::Arn(target.to_owned()),
            false => crate::config::StreamTarget::Name(target.to_owned()),
        };
        stream.region = region.to_owned();
        address(dir, &stream, waiting)
    }

    const OURS: &str = "arn:aws:kinesis:eu-central-1:111111111111:stream/s eu-central-1";
    const THEIRS: &str = "arn:aws:kinesis:eu-central-1:222222222222:stream/s eu-central-1";

    #[test]
    fn what_waits_goes_to_no_other_stream_than_it_was_taken_in_for() {
        for (before, now, goes) in [
            ("s eu-central-1", "s eu-central-1", true),
            ("s eu-central-1", "s eu-west-1", false),
            ("s eu-central-1", "t eu-central-1", false),
            ("s eu-central-1", OURS, true),
            (OURS, "s eu-central-1", true),
            (OURS, THEIRS, false),
            (OURS, "t eu-central-1", false),
        ] {
            let dir = tempfile::tempdir().unwrap();
            may_go(dir.path(), 0, before).unwrap();
            let answer = may_go(dir.path(), 3, now);
            assert_eq!(answer.is_ok(), goes, "{before} -> {now}: {answer:?}");
            if let Err(refusal) = answer {
                let refusal = refusal.to_string();
                let (before, now) = (format!("stream {before},"), format!("stream {now}:"));
                assert!(refusal.contains(&before) && refusal.contains(&now), "{refusal}");
                may_go(dir.path(), 0, "t eu-central-1").expect("nothing waits any more");
            }
        }
    }

    #[test]
    fn a_name_between_two_accounts_does_not_make_them_one() {
        let dir = tempfile::tempdir().unwrap();
        for now in [OURS, "s eu-central-1"] {
            may_go(dir.path(), 3, now).unwrap();
        }
        may_go(dir.path(), 3, THEIRS).unwrap_err();
        fs::remove_file(dir.path().join(TARGET)).unwrap();
        may_go(dir.path(), 3, THEIRS).expect("somebody said that they may go there");
    }

    #[test]
    fn damaged_note_says_what_may_be_done_and_stops_nothing_that_is_empty() {
        for noted in [&b""[..], b"s", b"\xff\xfe x"] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(TARGET);
            fs::write(&path, noted).unwrap();
            let refusal = may_go(dir.path(), 3, OURS).unwrap_err().to_string();
            let path = path.display();
            assert!(refusal.contains("3 records wait"), "{refusal}");
            assert!(refusal.contains(&format!("{path}, which says for which stream, is damaged")));
            may_go(dir.path(), 0, OURS).unwrap();
            may_go(dir.path(), 3, OURS).unwrap();
        }
    }

    #[test]
    fn records_are_not_spooled_beside_the_name_of_another_stream() {
        let dir = tempfile::tempdir().unwrap();
        may_go(dir.path(), 0, "s eu-central-1").unwrap();
        // In the way of the file that is to replace it.
        fs::create_dir(dir.path().join("target.new")).unwrap();
        may_go(dir.path(), 0, OURS).expect("it may be the same");
        may_go(dir.path(), 0, THEIRS.replace("stream/s", "stream/t").as_str()).unwrap_err();
    }
}
