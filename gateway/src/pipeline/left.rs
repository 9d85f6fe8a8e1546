//! Records that an earlier run left in a spool that this one does not use: of a stream that is not
//! configured any more, or was the only one then, or with the spool turned off. They stay there, and
//! are told of at every start.

use std::path::Path;

use tracing::warn;

use crate::config::{APART, Config, SpoolMode};
use crate::spool::{self, Directory, survey};

/// How many records there are, all such spools together; `None` if one cannot be read.
pub(super) fn records(config: &Config) -> Option<u64> {
    let is_off = config.spool.mode == SpoolMode::Off;
    let spools = match spool::directories(&config.spool.dir) {
        Ok(spools) => spools,
        Err(error) => {
            let dir = config.spool.dir.display();
            warn!(%error, %dir, "whether another stream left records cannot be seen");
            return None;
        }
    };
    let unused = spools.into_iter().filter(|dir| is_off || !is_configured(config, dir));
    // All are told of, whatever one of them says.
    let left: Vec<_> = unused.map(|dir| left_in(&dir, &advice(config, &dir))).collect();
    left.into_iter().sum()
}

fn is_configured(config: &Config, dir: &Path) -> bool {
    config.streams.iter().any(|stream| config.spool_of(stream).dir == dir)
}

fn left_in(dir: &Path, advice: &str) -> Option<u64> {
    let shown = dir.display();
    match survey(&Directory::new(dir)) {
        Ok(survey) => {
            let records = survey.unsettled();
            if records > 0 {
                warn!(records, dir = %shown, "the spool holds records that are not delivered: {advice}");
            }
            Some(records)
        }
        Err(error) => {
            warn!(%error, dir = %shown, "the spool of an earlier run cannot be read");
            None
        }
    }
}

/// What delivers them.
fn advice(config: &Config, dir: &Path) -> String {
    if is_configured(config, dir) {
        return "spool.mode = \"overflow\" delivers them".to_owned();
    }
    match dir.file_name().filter(|_| dir != config.spool.dir) {
        Some(label) => {
            let label = label.display();
            format!("a [[stream]] with label = \"{label}\" delivers them")
        }
        None => {
            let (root, streams) = (config.spool.dir.display(), config.spool.dir.join(APART));
            let streams = streams.display();
            format!(
                "one [stream] delivers them; or, for the [[stream]] that is to: stop the gateway, see \
                 by `tidegate spool status --stream LABEL` that nothing waits in {streams}/LABEL, \
                 remove that and make it anew, and move all that lies in {root} there, but {APART}/"
            )
        }
    }
}
