//! Profiles of AWS: `~/.aws/config`, `~/.aws/credentials`, or another file of either form.

use std::env;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};

use crate::credentials::disk::Disk;
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
        let of = env::var("AWS_PROFILE").unwrap_or_else(|_not_set| "default".to_owned());
        let profile = profile.unwrap_or(&of);
        match self {
            Self::Usual { .. } => format!("profile {profile}"),
            Self::One(path) => format!("profile {profile} in {}", path.display()),
        }
    }

    /// Why there is no key of a profile in them.
    pub(super) fn without_key(&self) -> Why {
        let paths: Vec<_> = self.paths().iter().map(|path| path.display().to_string()).collect();
        if paths.is_empty() {
            return Fault::whole("there are no profiles: HOME is not set; say path").into();
        }
        Why::Service(format!("there is no such profile with a key in {}", paths.join(" or ")))
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
                let config = if_there(file::contents_of(&config))?;
                // Most hold settings alone, which anybody may read.
                let config = match config {
                    Some(config) if has_key(&config.bytes) => Some(kept(config)?),
                    Some(config) => Some(Contents { exposed: None, ..config }),
                    None => None,
                };
                let keys = if_there(file::contents_of(&credentials))?.map(kept).transpose()?;
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

fn if_there(read: Result<Contents, Why>) -> Result<Option<Contents>, Why> {
    match read {
        Err(Why::Unreadable(error)) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// The key of `profile`, or of that which `$AWS_PROFILE` names, or of `default`; none if it has none.
/// A profile may also say whose key it borrows, and for which role.
///
/// # Errors
/// When a file cannot be read, is for others too while `strict`, or what it says gives no key.
pub(super) async fn find(
    files: &Files,
    profile: Option<&str>,
    strict: bool,
    disk: &Disk,
    way: &Way,
) -> Result<Option<Found>, Why> {
    let unread = files.clone();
    let Text { config, credentials, exposed } = disk.read(move || unread.read(strict)).await?;
    // Of the text, so that no file is read by the SDK: it would wait for the disk.
    let text = EnvConfigFiles::builder()
        .with_contents(EnvConfigFileKind::Config, config)
        .with_contents(EnvConfigFileKind::Credentials, credentials)
        .build();
    understood(&text).await?;
    let mut provider = ProfileFileCredentialsProvider::builder()
        .configure(&way.provider(disk).await?)
        .profile_files(text)
        .with_custom_provider("Ec2InstanceMetadata", instance::metadata(disk, way).await?)
        .with_custom_provider("EcsContainer", instance::container(disk, way).await?);
    if let Some(profile) = profile {
        provider = provider.profile_name(profile);
    }
    match lent::ask(disk, provider.build(), ASKED_MAX).await {
        Ok(key) => Ok(Some(Found { key, exposed })),
        Err(CredentialsError::CredentialsNotLoaded(_)) => Ok(None),
        Err(error) => Err(why(&error)),
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

fn why(error: &CredentialsError) -> Why {
    let cause = lent::why_not(error);
    // Features of the SDK that this program does without.
    if cause.contains("credentials-process") {
        let what = "names a credential_process: say kind = \"process\" and its command instead";
        return Fault::whole(what).into();
    }
    if cause.contains("cargo feature") {
        let what =
            "needs a person who logs in (SSO): use a key of a user who may only put, or a role";
        return Fault::whole(what).into();
    }
    Why::Service(cause)
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
            assert!(files.without_key().to_string().contains("HOME is not set"));
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
}
