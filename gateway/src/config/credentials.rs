//! Where the key of the stream comes from.

use std::path::PathBuf;
use std::time::Duration;

/// The `[stream.credentials]` table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Credentials {
    /// Where the key comes from.
    pub source: KeySource,
    /// Whether a key file that others than its owner may read or write is refused; otherwise it is
    /// warned of. A group that may read counts, so Kubernetes must mount a secret with mode 0400.
    pub strict_permissions: bool,
}

/// Where a key comes from.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum KeySource {
    /// Where the AWS SDK looks, in its order: environment, profile files, web identity, container,
    /// instance.
    #[default]
    Default,
    /// The file that the console offers when an access key is created.
    Csv {
        /// The file as downloaded.
        file: PathBuf,
        /// Whose key, where the file has those of several users.
        user: Option<String>,
    },
    /// A profile of AWS.
    Profile {
        /// A file of profiles; `~/.aws/config` and `~/.aws/credentials` when not said.
        path: Option<PathBuf>,
        /// Its name; `$AWS_PROFILE` or `default` when not said.
        profile: Option<String>,
    },
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, of a session, `AWS_SESSION_TOKEN`. They stay
    /// what they were when the gateway started.
    Environment,
    /// A file of two settings, or three.
    StaticFile {
        /// The file.
        file: PathBuf,
    },
    /// A credential that systemd hands over, in the format of either file.
    Systemd {
        /// Its name in `LoadCredential=`.
        id: String,
    },
    /// A role that the key of another source may assume.
    Role(Box<Role>),
    /// The role of the EC2 instance, the ECS task or the EKS pod.
    Instance,
    /// A program that answers with a key.
    Process {
        /// The program and its arguments. At least the program.
        command: Vec<String>,
        /// From its start to its end.
        timeout: Duration,
    },
    /// A role that a token of another identity provider may assume.
    WebIdentity {
        /// The file of the token, read at every refresh.
        token_file: PathBuf,
        /// The role.
        role_arn: String,
        /// What the session is called in the account's logs, when said.
        session_name: Option<String>,
    },
}

/// A role, and who assumes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// What the trust policy of the role demands beside the key, when said.
    pub external_id: Option<String>,
    /// What the session is called in the account's logs, when said.
    pub session_name: Option<String>,
    /// How long a session lasts. An hour at most if the base is a session itself.
    pub duration: Duration,
    /// Whose key assumes the role. No role.
    pub base: KeySource,
    /// Another endpoint of STS than the region's own.
    pub sts_endpoint: Option<String>,
}

impl KeySource {
    /// The role that is assumed, if the key is one of its sessions.
    #[must_use]
    pub fn role(&self) -> Option<&Role> {
        if let Self::Role(role) = self { Some(role) } else { None }
    }
}
