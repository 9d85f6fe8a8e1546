//! A register that would begin while another lies unused: devices that have their numbers would be
//! numbered anew, and go on on other shards.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::config::{Config, Stream};
use crate::register::RegisterFile;
use crate::spool::directories;

/// Refuses to begin a register for `stream`, which has none, while one lies where no stream looks for it.
///
/// # Errors
/// When there is such a one, with what to do, or it cannot be seen.
pub(super) fn check(config: &Config, stream: &Stream) -> Result<()> {
    let dir = stream.within(&config.state_dir);
    let is_looked_for =
        |dir: &Path| config.streams.iter().any(|stream| stream.within(&config.state_dir) == dir);
    let dirs = directories(&config.state_dir)
        .with_context(|| format!("cannot look into {}", config.state_dir.display()))?;
    let registers = dirs.iter().filter(|dir| !is_looked_for(dir));
    let unused = registers.map(|dir| RegisterFile::path_in(dir)).find(|path| path.exists());
    if let Some(unused) = unused {
        let (unused, anew) = (unused.display(), RegisterFile::path_in(&dir));
        bail!(
            "devices have their numbers in {unused}, which no stream uses; numbered anew they would go \
             to other shards. If {} takes those devices: mkdir -p {} && mv {unused} {}; if it does not, \
             move {unused} out of the state directory",
            stream.called(),
            dir.display(),
            anew.display()
        );
    }
    Ok(())
}
