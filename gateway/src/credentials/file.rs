//! Files with a key: opened, looked at, read.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

use super::{Fault, Key, Why, csv, pair};

/// Longest file that is read. The console's file of one key has 100 bytes, a session token some
/// thousands, a file with hundreds of profiles some ten thousands.
const FILE_BYTES_MAX: u64 = 256 << 10;

/// The permission bits of group and others.
const OTHERS: u32 = 0o077;

/// A file with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile {
    /// Where it is. Links are followed at every reading.
    pub path: PathBuf,
    /// What it looks like.
    pub format: Format,
    /// Whether a file that others than its owner may read or write is refused, also if its group
    /// may: Kubernetes grants that to the `fsGroup` of a pod.
    pub strict: bool,
}

/// What a file with a key looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// The console's: [`csv`].
    Csv {
        /// Whose key, of several.
        user: Option<String>,
    },
    /// Two settings: [`pair`].
    Pair,
    /// Either of them. Settings have `=` in their first line that is no comment.
    Either,
}

/// A key that was read from a file.
#[derive(Debug, Clone)]
pub struct Found {
    /// The key.
    pub key: Key,
    /// The permission bits of the file, if others than its owner may read or write it: worth a
    /// warning.
    pub exposed: Option<u32>,
}

impl KeyFile {
    /// The credential `id` that systemd hands to a service (`LoadCredential=`), in either format.
    /// `directory` is what `$CREDENTIALS_DIRECTORY` says.
    ///
    /// # Errors
    /// When it says nothing: this is no service, or one without credentials.
    pub fn of_service(directory: Option<&OsStr>, id: &str) -> Result<Self, Fault> {
        let Some(directory) = directory.filter(|directory| !directory.is_empty()) else {
            let what = "systemd hands no credentials over ($CREDENTIALS_DIRECTORY is not set): put \
                        LoadCredential= or LoadCredentialEncrypted= into the unit";
            return Err(Fault::whole(what));
        };
        let path = Path::new(directory).join(id);
        // systemd has seen to its permissions.
        Ok(Self { path, format: Format::Either, strict: false })
    }

    /// Reads the file: whole, and at most 256 KiB of it.
    ///
    /// # Errors
    /// When it is not there, is not for us, is for others too while `strict`, was written to
    /// meanwhile, or has no key in it.
    pub fn read(&self) -> Result<Found, Why> {
        let Contents { bytes, exposed } = contents_of(&self.path)?.kept_to_owner(self.strict)?;
        let key = self.format.parse(&bytes)?;
        Ok(Found { key, exposed })
    }
}

/// What is in a file that holds secrets. It cannot be written out.
pub(crate) struct Contents {
    /// All of it.
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// The permission bits of the file, if others than its owner may read or write it.
    pub(crate) exposed: Option<u32>,
}

impl Contents {
    /// The same, unless others than the owner of the file may read or write it, and it is `strict`.
    ///
    /// # Errors
    /// [`Why::Exposed`].
    pub(crate) fn kept_to_owner(self, strict: bool) -> Result<Self, Why> {
        match self.exposed {
            Some(mode) if strict => Err(Why::Exposed { mode }),
            Some(_) | None => Ok(self),
        }
    }
}

/// Reads the file at `path`: whole, and at most 256 KiB of it.
///
/// # Errors
/// When it is not there, is not for us, is too large, or was written to meanwhile.
pub(crate) fn contents_of(path: &Path) -> Result<Contents, Why> {
    let mut file = open(path)?;
    // Of what was opened: the name may stand for another file by now.
    let before = file.metadata()?;
    let exposed = Some(before.permissions().mode() & 0o777).filter(|mode| mode & OTHERS != 0);
    Ok(Contents { bytes: contents(&mut file, &before)?, exposed })
}

/// Opens a file, and waits for nobody: a pipe without a writer would keep us.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(ErrorKind::InvalidInput, "is no file")),
    }
}

/// All that is in `file`, which was as `before` says: in memory that is wiped, and never copied by
/// growing.
fn contents(file: &mut File, before: &Metadata) -> Result<Zeroizing<Vec<u8>>, Why> {
    if before.len() > FILE_BYTES_MAX {
        return Err(Fault::whole("is larger than 256 KiB: this is no file with a key").into());
    }
    // One more, to see whether it has grown.
    let room = before.len() + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(room).unwrap_or_default()));
    file.take(room).read_to_end(&mut bytes)?;
    let after = file.metadata()?;
    let state = |metadata: &Metadata| (metadata.len(), metadata.modified().ok());
    let is_whole = u64::try_from(bytes.len()) == Ok(before.len());
    if is_whole && state(before) == state(&after) { Ok(bytes) } else { Err(Why::Torn) }
}

impl Format {
    fn parse(&self, bytes: &[u8]) -> Result<Key, Fault> {
        match self {
            Self::Csv { user } => csv::parse(bytes, user.as_deref()),
            Self::Pair => pair::parse(bytes),
            Self::Either if are_settings(bytes) => pair::parse(bytes),
            Self::Either => csv::parse(bytes, None),
        }
    }
}

fn are_settings(bytes: &[u8]) -> bool {
    let lines = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).map(<[u8]>::trim_ascii);
    let mut written = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    written.next().is_some_and(|line| line.contains(&b'='))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::time::UNIX_EPOCH;

    use tempfile::TempDir;

    use super::super::tests::{ID, SECRET};
    use super::*;

    fn directory_with(text: &str, mode: u32) -> (TempDir, KeyFile) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        (dir, KeyFile { path, format: Format::Either, strict: true })
    }

    fn csv() -> String {
        format!("Access key ID,Secret access key\n{ID},{SECRET}\n")
    }

    #[test]
    fn either_format_is_told_by_its_first_line() {
        let settings = format!("# ours\n\naws_access_key_id={ID}\naws_secret_access_key={SECRET}");
        for text in [csv(), settings] {
            let (_dir, file) = directory_with(&text, 0o600);
            let found = file.read().unwrap();
            assert_eq!((found.key.id.whole(), found.exposed), (ID, None));
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_worth_a_warning_and_refused_when_strict() {
        for mode in [0o640, 0o604, 0o620, 0o644] {
            let (_dir, file) = directory_with(&csv(), mode);
            let refusal = file.read().unwrap_err().to_string();
            assert!(refusal.contains(&format!("(mode {mode:o})")), "{refusal}");
            let lenient = KeyFile { strict: false, ..file };
            assert_eq!(lenient.read().unwrap().exposed, Some(mode));
        }
    }

    #[test]
    fn what_is_no_file_or_not_there_or_too_large_is_told_and_keeps_nobody_waiting() {
        let (dir, file) = directory_with(&"x".repeat((256 << 10) + 1), 0o600);
        let said = |path: PathBuf| KeyFile { path, ..file.clone() }.read().unwrap_err().to_string();
        assert!(
            said(file.path.clone()).ends_with("is larger than 256 KiB: this is no file with a key")
        );
        assert!(said(dir.path().join("none")).contains("cannot be read: No such file"));
        assert!(said(dir.path().to_owned()).contains("cannot be read: is no file"));
        let pipe = dir.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RUSR).unwrap();
        assert!(said(pipe).contains("cannot be read: is no file"));
    }

    #[test]
    fn a_file_that_was_written_to_while_it_was_read_is_torn() {
        let (_dir, file) = directory_with(&csv(), 0o600);
        let mut opened = open(&file.path).unwrap();
        // Clocks of file systems are coarse.
        File::options().write(true).open(&file.path).unwrap().set_modified(UNIX_EPOCH).unwrap();
        let before = opened.metadata().unwrap();
        for text in [csv() + "more", csv().replace("AKIA", "AKIB"), "less".to_owned()] {
            fs::write(&file.path, text).unwrap();
            io::Seek::rewind(&mut opened).unwrap();
            assert!(matches!(contents(&mut opened, &before), Err(Why::Torn)));
        }
        io::Seek::rewind(&mut opened).unwrap();
        let now = opened.metadata().unwrap();
        assert_eq!(contents(&mut opened, &now).unwrap().as_slice(), b"less");
    }

    #[test]
    fn a_fault_names_the_place_and_not_what_is_there() {
        let (_dir, file) = directory_with(&csv().replace("Access key ID", "Access"), 0o600);
        let said = file.read().unwrap_err().to_string();
        assert!(said.starts_with("line 1: Access key ID: is missing"), "{said}");
        assert!(!said.contains(SECRET) && !said.contains(ID));
    }

    #[test]
    fn a_credential_of_the_service_lies_where_systemd_says() {
        let file = KeyFile::of_service(Some(OsStr::new("/run/credentials/x")), "aws").unwrap();
        assert_eq!(file.path, Path::new("/run/credentials/x/aws"));
        for none in [None, Some(OsStr::new(""))] {
            let said = KeyFile::of_service(none, "aws").unwrap_err().to_string();
            assert!(said.contains("LoadCredential="), "{said}");
        }
    }
}
