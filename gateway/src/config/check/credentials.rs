//! The `[stream.credentials]` table, and the one of the key that assumes a role.

use std::net::IpAddr;
use std::path::PathBuf;

use super::syntax::plain;
use super::url::Url;
use super::{network, path, seconds};
use crate::config::file::{Checked, Table};
use crate::config::{Credentials, KeySource, Role};
use crate::limits;
use crate::policy::arn;

/// What `kind` may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Default,
    Csv,
    File,
    Env,
    StaticFile,
    Systemd,
    AssumeRole,
    Instance,
    Process,
    WebIdentity,
}

const KINDS: [(&str, Kind); 10] = [
    ("default", Kind::Default),
    ("csv", Kind::Csv),
    ("file", Kind::File),
    ("env", Kind::Env),
    ("static_file", Kind::StaticFile),
    ("systemd", Kind::Systemd),
    ("assume_role", Kind::AssumeRole),
    ("instance", Kind::Instance),
    ("process", Kind::Process),
    ("web_identity", Kind::WebIdentity),
];

/// Every other key, and the kinds that have it.
const KEYS: [(&str, &[Kind]); 14] = [
    ("file", &[Kind::Csv, Kind::StaticFile]),
    ("user", &[Kind::Csv]),
    ("path", &[Kind::File]),
    ("profile", &[Kind::File]),
    ("id", &[Kind::Systemd]),
    ("role_arn", &[Kind::AssumeRole, Kind::WebIdentity]),
    ("external_id", &[Kind::AssumeRole]),
    ("session_name", &[Kind::AssumeRole, Kind::WebIdentity]),
    ("duration_s", &[Kind::AssumeRole]),
    ("base", &[Kind::AssumeRole]),
    ("sts_endpoint", &[Kind::AssumeRole]),
    ("command", &[Kind::Process]),
    ("timeout_s", &[Kind::Process]),
    ("token_file", &[Kind::WebIdentity]),
];

/// Where people put a key that belongs into a file.
const SECRETS: [&str; 6] = [
    "access_key_id",
    "secret_access_key",
    "session_token",
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
];

/// Longest name of a file, in bytes.
const FILE_NAME_BYTES_MAX: usize = 255;

/// The table of a stream in `region`.
pub(super) fn read(table: &Table<'_>, region: &str) -> Credentials {
    let strict_permissions = table.flag("strict_permissions", false);
    let source = source(table, false);
    partition_fits(table, region, &source);
    if let KeySource::Role(role) = &source {
        partition_fits(&table.table("base"), region, &role.base);
    }
    Credentials { source, strict_permissions }
}

/// Notes a role that cannot be that of a stream in `region`, as partitions know nothing of each other.
fn partition_fits(table: &Table<'_>, region: &str, source: &KeySource) {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest name no role")]
    let arn = match source {
        KeySource::Role(role) => &role.arn,
        KeySource::WebIdentity { role_arn, .. } => role_arn,
        _ => return,
    };
    let Some(theirs) = arn.split(':').nth(1).filter(|_| !region.is_empty()) else { return };
    let ours = arn::partition(region);
    if theirs != ours {
        let why = format!(
            "is of the partition {theirs}, and the region of the stream of {ours}: no role is good \
             in both"
        );
        table.fault("role_arn", why);
    }
}

/// The source that a table describes; `is_base` when its key assumes a role.
fn source(table: &Table<'_>, is_base: bool) -> KeySource {
    for secret in SECRETS {
        let instead = "a key has no place here: put it into a file, and say kind = \"static_file\"";
        table.forbid(secret, instead);
    }
    let kind = match table.item("kind") {
        Some(kind) => kind.choice(&KINDS),
        None => Some(Kind::Default),
    };
    note_keys_of_others(table, kind);
    let text = |key, bytes_max| table.text(key, |text| plain(text, bytes_max).map(str::to_owned));
    match kind {
        None | Some(Kind::Default) => KeySource::Default,
        Some(Kind::Csv) => KeySource::Csv {
            file: file(table, "file", "the file that the console offered, as downloaded"),
            user: text("user", limits::NAME_BYTES_MAX),
        },
        Some(Kind::File) => KeySource::Profile {
            path: path(table, "path"),
            profile: text("profile", limits::NAME_BYTES_MAX),
        },
        Some(Kind::Env) => KeySource::Environment,
        Some(Kind::StaticFile) => {
            let what = "a file with aws_access_key_id = … and aws_secret_access_key = …";
            KeySource::StaticFile { file: file(table, "file", what) }
        }
        Some(Kind::Systemd) => KeySource::Systemd { id: credential(table) },
        Some(Kind::AssumeRole) if is_base => {
            let instead = "cannot be a role again: let the role trust whose key this is";
            table.fault("kind", instead);
            KeySource::Default
        }
        Some(Kind::AssumeRole) => KeySource::Role(Box::new(role(table))),
        Some(Kind::Instance) => KeySource::Instance,
        Some(Kind::Process) => KeySource::Process {
            command: command(table),
            timeout: seconds(table, "timeout_s", limits::PROCESS_TIMEOUT_S),
        },
        Some(Kind::WebIdentity) => KeySource::WebIdentity {
            token_file: file(table, "token_file", "the file of the token"),
            role_arn: required_role(table),
            session_name: table.text("session_name", session_name),
        },
    }
}

/// Notes keys that another kind than this one has. Of a kind that is none, all may be meant.
fn note_keys_of_others(table: &Table<'_>, kind: Option<Kind>) {
    let word = |wanted: &Kind| {
        let word = KINDS.iter().find_map(|(word, kind)| (kind == wanted).then_some(*word));
        format!("{:?}", word.unwrap_or_default())
    };
    for (key, kinds) in KEYS {
        // It is known, written or not.
        drop(table.item(key));
        let Some(kind) = kind.filter(|kind| !kinds.contains(kind)) else { continue };
        let theirs: Vec<_> = kinds.iter().map(word).collect();
        let why = format!("is for kind = {}, and this is {}", theirs.join(" or "), word(&kind));
        // What is written for it may be a secret.
        table.forbid(key, &why);
    }
}

fn role(table: &Table<'_>) -> Role {
    let base = source(&table.table("base"), true);
    let duration = seconds(table, "duration_s", limits::ROLE_SESSION_S);
    // Of the others it is not known, or they are keys of users.
    let is_session = matches!(base, KeySource::Instance | KeySource::WebIdentity { .. });
    if is_session && duration > limits::CHAINED_SESSION_MAX {
        let why = "must be at most 3600: the base is a session itself, and AWS limits a session on \
                   top of another (role chaining) to an hour";
        table.fault("duration_s", why);
    }
    Role {
        arn: required_role(table),
        external_id: table.text("external_id", external_id),
        session_name: table.text("session_name", session_name),
        duration,
        base,
        sts_endpoint: table.text("sts_endpoint", sts_endpoint),
    }
}

/// As any endpoint, but what it answers is a secret.
fn sts_endpoint(text: &str) -> Checked<String> {
    let url = Url::parse(text)?;
    let is_loopback = url.host == "localhost"
        || url.host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    if url.scheme == "http" && !is_loopback {
        return Err("must be https: the answer holds the secret of the session".to_owned());
    }
    network::endpoint(text)
}

fn file(table: &Table<'_>, key: &str, what: &str) -> PathBuf {
    table.required(key, what);
    path(table, key).unwrap_or_default()
}

fn credential(table: &Table<'_>) -> String {
    let check = |text: &str| {
        if text.contains(['/', ':']) || matches!(text, "." | "..") {
            return Err("must be a name as in LoadCredential=, without / and :".to_owned());
        }
        plain(text, FILE_NAME_BYTES_MAX).map(str::to_owned)
    };
    let id = table.required("id", "the name of the credential in LoadCredential= of the unit");
    id.and_then(|item| item.text(check)).unwrap_or_default()
}

fn command(table: &Table<'_>) -> Vec<String> {
    let what = "the program and its arguments, such as [\"/usr/local/bin/key\", \"--stream\"]";
    let Some(item) = table.required("command", what) else { return vec![] };
    // The arguments may be.
    let item = item.secret();
    if item.is_empty_list() {
        item.fault("must name a program");
    }
    let word = |text: &str| plain(text, super::PATH_BYTES_MAX).map(str::to_owned);
    item.list("texts").iter().filter_map(|item| item.text(word)).collect()
}

fn required_role(table: &Table<'_>) -> String {
    let role = table.required("role_arn", "the ARN of the role");
    role.and_then(|item| item.text(role_arn)).unwrap_or_default()
}

/// `arn:aws:iam::<account>:role/<path><name>`; `aws-cn` and the like are partitions too.
fn role_arn(text: &str) -> Checked<String> {
    let must = "must be the ARN of a role: arn:aws:iam::<account>:role/<name>";
    let parts: Vec<_> = text.splitn(6, ':').collect();
    let &["arn", partition, "iam", "", account, resource] = parts.as_slice() else {
        return Err(must.to_owned());
    };
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let name = resource.strip_prefix("role/").unwrap_or_default();
    let is_name = !name.ends_with('/') && (1..=64 + 512).contains(&name.len());
    let is_plain = name.chars().all(|c| is_of_name(c) || c == '/');
    if partition.starts_with("aws") && is_account && is_name && is_plain {
        Ok(text.to_owned())
    } else {
        Err(must.to_owned())
    }
}

/// STS API reference, `AssumeRole`: `[\w+=,.@:\/-]{2,1224}`.
fn external_id(text: &str) -> Checked<String> {
    let is_plain = text.chars().all(|c| is_of_name(c) || matches!(c, ':' | '/'));
    if is_plain && (2..=1_224).contains(&text.len()) {
        return Ok(text.to_owned());
    }
    Err("must be 2 to 1224 letters, digits and _+=,.@:/-".to_owned())
}

/// STS API reference, `AssumeRole`: `[\w+=,.@-]{2,64}`.
fn session_name(text: &str) -> Checked<String> {
    if text.chars().all(is_of_name) && (2..=64).contains(&text.len()) {
        return Ok(text.to_owned());
    }
    Err("must be 2 to 64 letters, digits and _+=,.@-".to_owned())
}

/// `[\w+=,.@-]`, as names in IAM have it.
fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '=' | ',' | '.' | '@' | '-')
}
