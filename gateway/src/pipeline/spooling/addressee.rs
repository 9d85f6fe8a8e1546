//! For which stream the records of a spool are: written beside them. A label, or the only `[stream]`,
//! that names another stream later would else send what waits to another owner.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tracing::warn;

use crate::config::Stream;
use crate::spool::TARGET;
use crate::state_dir;

/// Notes in `dir`, which is in use by this process, that its records are for `stream`. `waiting` of an
/// earlier run are there; if nothing tells whose they are, they are taken for those of `stream`.
///
/// # Errors
/// As [`look`].
pub(super) fn address(dir: &Path, stream: &Stream, waiting: u64) -> Result<()> {
    let (path, now) = (dir.join(TARGET), line(stream));
    // An ARN says more than a name.
    let stays = |before: &String| *before == now || waiting > 0 && is_arn(before);
    if look(dir, stream, waiting)?.as_ref().is_some_and(stays) {
        return Ok(());
    }
    if let Err(error) = state_dir::replace(&path, format!("{now}\n").as_bytes()) {
        warn!(%error, path = %path.display(), "for which stream records are spooled is not noted");
    }
    Ok(())
}

/// For which stream the records in `dir` are, if that was noted. `waiting` of them are there. Writes
/// nothing.
///
/// # Errors
/// When they are for another than `stream`, or it cannot be read for which.
pub(super) fn look(dir: &Path, stream: &Stream, waiting: u64) -> Result<Option<String>> {
    let (path, now) = (dir.join(TARGET), line(stream));
    let before = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let before = before.trim_end();
    ensure!(
        waiting == 0 || is_same(before, &now),
        "{waiting} records wait in {} for the stream {before}, and {} is the stream {now}: they are not \
         sent to another owner unasked. Say {before} again until they are delivered; or drop them by \
         `tidegate spool purge`; or, if {now} may have them, remove {}",
        dir.display(),
        stream.called(),
        path.display()
    );
    Ok(Some(before.to_owned()))
}

/// What is noted of a stream.
fn line(stream: &Stream) -> String {
    format!("{} {}", stream.target.as_str(), stream.region)
}

/// Whether both may be one stream: the name of one stream is that in its ARN. In which account a name
/// is, its key says, and keys change.
fn is_same(before: &str, now: &str) -> bool {
    match is_arn(before) && is_arn(now) {
        true => before == now,
        false => name(before) == name(now),
    }
}

fn is_arn(target: &str) -> bool {
    target.starts_with("arn:")
}

/// The name and the region.
fn name(target: &str) -> &str {
    target.rsplit_once('/').map_or(target, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::tests::config;

    /// Whether what waits in `dir` may go to the stream of these lines.
    fn may_go(dir: &Path, waiting: u64, lines: &str) -> Result<()> {
        let mut stream = config(dir, "").streams.first().clone();
        let (target, region) = lines.rsplit_once(' ').unwrap();
        stream.target = match is_arn(target) {
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
}
