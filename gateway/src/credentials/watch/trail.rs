//! The names that a path leads over, and the directories they are in.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::{CStr, OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::inotify::{self, WatchFlags};
use rustix::io::Errno;

/// Links that a path may lead over: Linux follows no more.
const LINKS_MAX: usize = 40;

/// What may change what a name stands for, or what is in its file.
const SIGNS: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// For each watched directory, by its watch descriptor, the names in it that matter.
#[derive(Debug, Default)]
pub(super) struct Trail(BTreeMap<i32, Vec<OsString>>);

impl Trail {
    /// Watches every directory on the way to `paths`, as far as there are any.
    ///
    /// # Errors
    /// When there is no watch left.
    pub(super) fn lay(inotify: &OwnedFd, paths: &[PathBuf]) -> io::Result<Self> {
        let mut trail = Self::default();
        for path in paths {
            walk(path, |directory, name| trail.watch(inotify, directory, name))?;
        }
        Ok(trail)
    }

    /// Whether an event about `name` in the directory that `watch` is on is about a name on the way;
    /// without a name it is about the directory itself.
    pub(super) fn leads_over(&self, watch: i32, name: Option<&CStr>) -> bool {
        let names = self.0.get(&watch);
        names.is_some_and(|names| {
            name.is_none_or(|name| {
                names.iter().any(|known| known == OsStr::from_bytes(name.to_bytes()))
            })
        })
    }

    fn watch(&mut self, inotify: &OwnedFd, directory: &Path, name: &OsStr) -> io::Result<()> {
        match inotify::add_watch(inotify, directory, SIGNS) {
            Ok(watch) => self.0.entry(watch).or_default().push(name.to_owned()),
            Err(error @ (Errno::NOSPC | Errno::NOMEM | Errno::MFILE)) => return Err(error.into()),
            // Gone meanwhile, or not for us to look at: what is before it on the way is watched.
            Err(_) => {}
        }
        Ok(())
    }
}

/// Calls `step` with each name that `path` leads over and the directory that it is in, before that
/// name is looked at; links are followed. Where nothing is yet it goes on by name.
fn walk(path: &Path, mut step: impl FnMut(&Path, &OsStr) -> io::Result<()>) -> io::Result<()> {
    let mut at = PathBuf::from(".");
    let mut ahead = parts(path);
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        if name == "/" {
            at = PathBuf::from("/");
            continue;
        }
        if name != ".." {
            step(&at, &name)?;
        }
        let next = at.join(&name);
        let Ok(target) = next.read_link() else {
            at = next;
            continue;
        };
        links += 1;
        if links > LINKS_MAX {
            break;
        }
        for part in parts(&target).into_iter().rev() {
            ahead.push_front(part);
        }
    }
    Ok(())
}

/// The names of a path; `/` for where it begins at the root, `..` for a step back.
fn parts(path: &Path) -> VecDeque<OsString> {
    let of_way = |part: &Component<'_>| !matches!(part, Component::CurDir);
    path.components().filter(of_way).map(|part| part.as_os_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_path_leads_over_every_link_and_its_directory() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        fs::create_dir(root.join("..v1")).unwrap();
        fs::write(root.join("..v1/key"), "").unwrap();
        symlink("..v1", root.join("..data")).unwrap();
        symlink("./..data/key", root.join("key")).unwrap();
        let mut steps = vec![];
        walk(&root.join("key"), |directory, name| {
            steps.push(directory.join(name));
            Ok(())
        })
        .unwrap();
        steps.retain(|step| step.starts_with(&root) && *step != root);
        let expected = ["key", "..data", "..v1", "..v1/key"].map(|name| root.join(name));
        assert_eq!(steps, expected);
    }

    #[test]
    fn a_link_to_itself_ends() {
        let root = tempfile::tempdir().unwrap();
        symlink("loop", root.path().join("loop")).unwrap();
        let mut steps = 0;
        walk(&root.path().join("loop"), |_, _| {
            steps += 1;
            Ok(())
        })
        .unwrap();
        assert!(steps <= LINKS_MAX + 20, "{steps}");
    }
}
