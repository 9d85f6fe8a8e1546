//! Profiles of AWS: `~/.aws/config`, `~/.aws/credentials`, or another file of either form.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};

use crate::credentials::file::{self, Contents};
use crate::credentials::{Fault, Found, Why};
use crate::telemetry::causes;

use super::way::Way;
use super::{instance, lent};

/// Longest wait for what a profile says: somebody who lends a key, and roles for it, one for the other.
const ASKED_MAX: Duration = Duration::from_secs(20);

/// The files that profiles are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Files {
    /// Where AWS tools have them, as far as they are there: settings and keys.
    Usual {
        /// `~/.aws/config`, or what `$AWS_CONFIG_FILE` says.
        config: PathBuf,
        /// `~/.aws/credentials`, or what `$AWS_SHARED_CREDENTIALS_FILE` says.
        credentials: PathBuf,
    },
    /// This one, in the form of either.
    One(PathBuf),
}

impl Files {
    /// The file `path`, or else the usual ones.
    pub(super) fn of(path: Option<&Path>) -> Self {
        let usual = |variable, name| {
            env::var_os(variable).map_or_else(|| below(env::var_os("HOME"), name), PathBuf::from)
        };
        match path {
            Some(path) => Self::One(path.to_owned()),
            None => Self::Usual {
                config: usual("AWS_CONFIG_FILE", "config"),
                credentials: usual("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
            },
        }
    }

    /// All of them, whether they are there or not.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        match self {
            Self::Usual { config, credentials } => {
                let named =
                    [config, credentials].into_iter().filter(|path| !path.as_os_str().is_empty());
                named.cloned().collect()
            }
            Self::One(path) => vec![path.clone()],
        }
    }

    /// What the log calls a profile in them.
    pub(super) fn name(&self, profile: Option<&str>) -> String {
        let profile = named(profile);
        match self {
            Self::Usual { .. } => format!("profile {profile}"),
            Self::One(path) => format!("profile {profile} in {}", path.display()),
        }
    }

    /// Why there is no key of `profile` in them.
    pub(super) fn without_key(&self, profile: Option<&str>) -> Why {
        let paths: Vec<_> = self.paths().iter().map(|path| path.display().to_string()).collect();
        if paths.is_empty() {
            return Fault::whole("there are no profiles: HOME is not set; say path").into();
        }
        let profile = named(profile);
        Why::Service(format!("there is no profile {profile} with a key in {}", paths.join(" or ")))
    }

    /// Reads them.
    fn read(self, strict: bool) -> Result<Text, Why> {
        match self {
            Self::One(path) => {
                let Contents { bytes, exposed } =
                    file::contents_of(&path)?.kept_to_owner(strict)?;
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let is_config = text.lines().any(|line| line.trim_start().starts_with("[profile "));
                Ok(match is_config {
                    true => Text { config: text, exposed, ..Text::default() },
                    false => Text { credentials: text, exposed, ..Text::default() },
                })
            }
            Self::Usual { config, credentials } => {
                let kept = |keys: Contents| keys.kept_to_owner(strict);
                let config = if_there(&config, file::contents_of(&config))?;
                // Most hold settings alone, which anybody may read.
                let config = match config {
                    Some(config) if has_key(&config.bytes) => Some(kept(config)?),
                    Some(config) => Some(Contents { exposed: None, ..config }),
                    None => None,
                };
                let keys = if_there(&credentials, file::contents_of(&credentials))?;
                let keys = keys.map(kept).transpose()?;
                let text = |contents: Option<&Contents>| {
                    let bytes = contents.map(|contents| contents.bytes.as_slice());
                    String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
                };
                Ok(Text {
                    config: text(config.as_ref()),
                    credentials: text(keys.as_ref()),
                    exposed: [keys, config].into_iter().flatten().find_map(|read| read.exposed),
                })
            }
        }
    }
}

/// The file `name` of whoever has this home. Nobody without one: the directory that the gateway was
/// started in is not theirs.
fn below(home: Option<OsString>, name: &str) -> PathBuf {
    let home = home.filter(|home| !home.is_empty());
    home.map_or_else(PathBuf::new, |home| PathBuf::from(home).join(".aws").join(name))
}

/// Whether a key stands in the text of a file: a secret, or the token of a session.
fn has_key(text: &[u8]) -> bool {
    let names = ["aws_secret_access_key", "aws_session_token"];
    text.split(|byte| matches!(byte, b'\n' | b'\r')).any(|line| {
        let line = line.trim_ascii_start();
        names.iter().any(|name| {
            line.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name.as_bytes()))
        })
    })
}

/// What is in the files.
#[derive(Default)]
struct Text {
    config: String,
    credentials: String,
    exposed: Option<u32>,
}

/// What was read of the file at `path`, if there is one.
fn if_there(path: &Path, read: Result<Contents, Why>) -> Result<Option<Contents>, Why> {
    let error = match read {
        Err(Why::Unreadable(error)) => error,
        read => return read.map(Some),
    };
    let is_of_home = || {
        let home = env::var_os("HOME");
        home.is_some_and(|home| !home.is_empty() && path.starts_with(home))
    };
    let kind = error.kind();
    if matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory) {
        return Ok(None);
    }
    if kind == ErrorKind::PermissionDenied && is_of_home() {
        return Err(Why::NotOurHome { path: path.to_owned(), error });
    }
    Err(io::Error::new(kind, format!("{}: {error}", path.display())).into())
}

/// Which profile is meant: this one, or that which the environment names.
fn named(profile: Option<&str>) -> String {
    let of_environment = || env::var("AWS_PROFILE").ok();
    profile.map(str::to_owned).or_else(of_environment).unwrap_or_else(|| "default".to_owned())
}

/// The key of `profile`, or of that which `$AWS_PROFILE` names, or of `default`; none if it has none.
/// A profile may also say whose key it borrows, and for which role.
///
/// # Errors
/// When a file cannot be read, is for others too while `strict`, what it says gives no key, or the
/// profile is named and not there.
pub(super) async fn find(
    files: &Files,
    profile: Option<&str>,
    strict: bool,
    way: &Way,
) -> Result<Option<Found>, Why> {
    let unread = files.clone();
    let Text { config, credentials, exposed } = way.disk.read(move || unread.read(strict)).await?;
    // Of the text, so that no file is read by the SDK: it would wait for the disk.
    let text = EnvConfigFiles::builder()
        .with_contents(EnvConfigFileKind::Config, config)
        .with_contents(EnvConfigFileKind::Credentials, credentials)
        .build();
    understood(&text).await?;
    let local = way.local().await?;
    let mut provider = ProfileFileCredentialsProvider::builder()
        .configure(&way.provider().await?)
        .profile_files(text)
        .with_custom_provider("Ec2InstanceMetadata", instance::metadata(&local)?)
        .with_custom_provider("EcsContainer", instance::container(&local));
    if let Some(profile) = profile {
        provider = provider.profile_name(profile);
    }
    match lent::ask(&way.disk, provider.build(), ASKED_MAX).await {
        Ok(key) => Ok(Some(Found { key, exposed })),
        // It has no word on keys, or none is named and there is no default.
        Err(error @ CredentialsError::CredentialsNotLoaded(_)) if error.source().is_none() => {
            Ok(None)
        }
        Err(error) => Err(why(&error).unwrap_or_else(|| files.without_key(profile))),
    }
}

/// That `text` is one of profiles: the provider would not say in which line it is not.
async fn understood(text: &EnvConfigFiles) -> Result<(), Why> {
    let read =
        aws_config::profile::load(&Default::default(), &Default::default(), text, None).await;
    read.map(drop).map_err(|error| {
        let said = causes(&error);
        let (_, line) = said.split_once(" on line ").unwrap_or_default();
        let words: Vec<_> = line.split_whitespace().collect();
        Why::Service(format!("is no text of profiles: line {}", words.join(" ")))
    })
}

/// Why a profile gives no key; `None` when it is not there.
fn why(error: &CredentialsError) -> Option<Why> {
    let cause = lent::why_not(error);
    // And not one that another refers to.
    if cause.contains("referenced from the root profile") {
        return None;
    }
    // Features of the SDK that this program does without.
    let without = if cause.contains("credentials-process") {
        "names a credential_process: say kind = \"process\" and its command instead"
    } else if cause.contains("cargo feature") {
        "needs a person who logs in (SSO): use a key of a user who may only put, or a role"
    } else {
        return Some(Why::Service(cause));
    };
    Some(Fault::whole(without).into())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file_with(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("profiles");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    #[test]
    fn a_file_has_the_form_that_its_sections_show() {
        let keys = "[default]\naws_access_key_id = A\n[telemetry]\n";
        let settings = "[default]\n  [profile telemetry]\n";
        for (text, is_config) in [(keys, false), (settings, true), ("", false)] {
            let (_dir, path) = file_with(text, 0o600);
            let read = Files::One(path).read(true).ok().unwrap();
            assert_eq!((read.config == text && !text.is_empty(), read.exposed), (is_config, None));
            assert_eq!(read.config + &read.credentials, text);
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_told_or_refused_unless_it_holds_only_settings() {
        let (_dir, path) = file_with("[default]\n", 0o644);
        assert_eq!(Files::One(path.clone()).read(false).ok().unwrap().exposed, Some(0o644));
        let refused = Files::One(path.clone()).read(true).err();
        assert!(matches!(refused, Some(Why::Exposed { mode: 0o644 })));
        let usual = || Files::Usual { config: path.clone(), credentials: "/no/such".into() };
        assert_eq!(usual().read(true).ok().unwrap().exposed, None);
        for key in ["[default]\n AWS_Secret_Access_Key=x", "[default]\raws_session_token = x"] {
            fs::write(&path, key).unwrap();
            assert_eq!(usual().read(false).ok().unwrap().exposed, Some(0o644));
            assert!(matches!(usual().read(true).err(), Some(Why::Exposed { mode: 0o644 })));
        }
    }

    #[test]
    fn who_has_no_home_has_no_profiles_and_none_are_taken_from_the_directory_of_the_start() {
        assert_eq!(below(Some("/home/a".into()), "config"), Path::new("/home/a/.aws/config"));
        for none in [None, Some(OsString::new())] {
            let none = below(none, "config");
            let files = Files::Usual { config: none.clone(), credentials: none };
            assert_eq!(files.paths(), Vec::<PathBuf>::new());
            assert!(files.without_key(None).to_string().contains("HOME is not set"));
            assert!(files.read(true).is_ok());
        }
    }

    #[tokio::test]
    async fn text_that_is_of_no_profiles_is_told_by_its_line_without_a_word_of_it() {
        let text = |text: &str| {
            EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, text).build()
        };
        let secret = "wJalrXUtnFEMI";
        assert!(understood(&text("[default]\nregion = x")).await.is_ok());
        for (wrong, told) in [
            (format!("[default]\nregion = x\n{secret}"), "line 3: Expected an '=' sign"),
            (format!("aws_secret_access_key = {secret}"), "line 1: Expected a profile"),
        ] {
            let said = understood(&text(&wrong)).await.unwrap_err().to_string();
            assert!(said.contains(told) && !said.contains(secret), "{said}");
        }
    }

    #[test]
    fn the_usual_files_need_not_be_there_and_a_file_that_is_named_must_be() {
        let none = || PathBuf::from("/no/such");
        assert!(Files::Usual { config: none(), credentials: none() }.read(true).is_ok());
        assert!(matches!(Files::One(none()).read(true), Err(Why::Unreadable(_))));
    }

    #[test]
    fn usual_files_that_are_not_for_us_or_below_no_directory_are_told_apart() {
        let home = PathBuf::from(env::var_os("HOME").unwrap());
        let read = |path: &Path, kind: ErrorKind| {
            if_there(path, Err(Why::Unreadable(kind.into()))).map(|read| read.is_none())
        };
        let ours = home.join(".aws/config");
        assert!(matches!(read(&ours, ErrorKind::NotADirectory), Ok(true)));
        let said = read(&ours, ErrorKind::PermissionDenied).unwrap_err();
        assert!(matches!(said, Why::NotOurHome { .. }));
        assert!(said.to_string().starts_with(&format!("{} cannot be read", ours.display())));
        let named = Path::new("/no/such/config");
        let said = read(named, ErrorKind::PermissionDenied).unwrap_err().to_string();
        assert!(said.contains("/no/such/config: ") && said.contains("run chown"), "{said}");
    }

    #[tokio::test]
    async fn a_profile_that_another_refers_to_and_is_not_there_is_named_and_so_is_one_that_was_asked_for()
     {
        let text = "[x]\nrole_arn = arn:aws:iam::000000000000:role/writer\nsource_profile = nosuch\n[settings]\nregion = us-east-1\n";
        let (_dir, path) = file_with(text, 0o600);
        let (files, way) = (Files::One(path), Way::default());
        let find = async |profile| find(&files, Some(profile), true, &way).await;
        let said = find("x").await.unwrap_err().to_string();
        assert!(said.contains("could not find source profile nosuch referenced from x"), "{said}");
        let said = find("typo").await.unwrap_err().to_string();
        assert!(said.starts_with("there is no profile typo with a key in /"), "{said}");
        assert!(find("settings").await.unwrap().is_none());
    }
}
