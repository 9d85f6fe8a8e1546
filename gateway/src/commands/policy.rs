//! `tidegate policy`: the least privilege for the configured streams, to paste.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use shard_estimator::cli::planned_shards;
use tracing::info;

use super::{EXIT_CONFIGURATION, configuration, read_to_the_end};
use crate::config::{self, Config, KeySource, Role, StreamTarget};
use crate::policy::arn::{Account, ExternalId, KeyArn, Principal, RoleArn, StreamArn};
use crate::policy::{
    Fault, Grant, Holds, Request, Stream, Trusted, Whom, grant, script, terraform,
};

/// What is asked for.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// The configuration file, which says the streams.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The label of the one stream that it is for, where several are of several owners; all when not
    /// said. The stream of the dead letters goes with the first.
    #[arg(long, value_name = "LABEL")]
    stream: Option<String>,
    /// Who is allowed.
    #[arg(long = "for", id = "whom", value_name = "WHOM", value_enum, default_value_t)]
    whom: Whom,
    /// The account of streams that are configured by name: 12 digits.
    #[arg(long, value_name = "ID", value_parser = Account::parse)]
    account: Option<Account>,
    /// The KMS key that the streams are encrypted with, where it is one of the customer's; once for each
    /// region.
    #[arg(long, value_name = "KEY_ARN", value_parser = KeyArn::parse)]
    kms: Vec<KeyArn>,
    /// Who may assume the role: the ARN of a user or role, an account, or a service.
    #[arg(long, value_name = "ARN", value_parser = Principal::parse)]
    principal: Option<Principal>,
    /// What they must say to assume it, as agreed with them.
    #[arg(long, value_name = "TEXT", value_parser = ExternalId::parse)]
    external_id: Option<ExternalId>,
    /// Whoever assumes the role need say nothing: for a gateway that you run yourself.
    #[arg(long, conflicts_with = "external_id")]
    no_external_id: bool,
    /// Allows what is not needed, but of use: to describe the stream and list its shards; for a
    /// consumer, enhanced fan-out.
    #[arg(long)]
    optional: bool,
    /// Creates the streams as well, with the shards of this plan (`tidegate plan --plan FILE`).
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// How it is written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How a policy is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Format {
    /// For the console: the policy; for a role, trust policy and permissions policy.
    #[default]
    Json,
    /// Commands of the AWS CLI.
    Cli,
    /// Resources of Terraform's AWS provider.
    Terraform,
}

/// Writes it on standard output; what is wrong with the request goes to standard error.
///
/// # Errors
/// When the answer could not be written.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config = match configuration(Config::load(&arguments.config))? {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    match answer(arguments, &config) {
        Ok(grant) => {
            for note in &grant.notes {
                info!("{note}");
            }
            let written = std::io::stdout().write_all(text(&grant, arguments.format).as_bytes());
            read_to_the_end(written.map(|()| ExitCode::SUCCESS).map_err(Into::into))
        }
        Err(faults) => {
            let faults: String = faults.iter().map(|fault| format!("{fault}\n")).collect();
            std::io::stderr().write_all(faults.as_bytes())?;
            Ok(EXIT_CONFIGURATION.into())
        }
    }
}

fn text(grant: &Grant, format: Format) -> String {
    match format {
        Format::Json => grant.json(),
        Format::Cli => script::of(grant),
        Format::Terraform => terraform::of(grant),
    }
}

/// What is allowed, or everything that is wrong with the request.
fn answer(arguments: &Arguments, config: &Config) -> Result<Grant, Vec<String>> {
    let mut faults = Vec::new();
    let shards = match (&arguments.plan, arguments.format) {
        (None, _) => None,
        (Some(_), Format::Json) => {
            faults
                .push("--plan goes with --format cli or terraform: JSON is policies alone".into());
            None
        }
        (Some(plan), Format::Cli | Format::Terraform) => {
            planned_shards(plan).map_err(|wrong| faults.push(wrong.to_string())).ok()
        }
    };
    let asked = asked(config, arguments.stream.as_deref()).map_err(|unknown| vec![unknown])?;
    let role = role(arguments.whom, &asked).map_err(|fault| vec![fault])?;
    let arn = role.and_then(|role| RoleArn::parse(&role.arn));
    let (streams, unknown) = streams(config, arguments, &asked);
    faults.extend(unknown.iter().map(Fault::to_string));
    let granted = grant(&Request {
        whom: arguments.whom,
        label: asked.first().map_or_else(String::new, |first| first.label.clone()),
        role: arn,
        streams,
        keys: arguments.kms.clone(),
        with_optional: arguments.optional,
        trusted: Trusted {
            principal: arguments.principal.clone(),
            external_id: arguments.external_id.clone().or_else(|| external_id(arguments, role?)),
            without_external_id: arguments.no_external_id,
        },
        shards,
    });
    match granted {
        Ok(grant) if faults.is_empty() => Ok(grant),
        granted => {
            faults.extend(granted.err().iter().flatten().map(Fault::to_string));
            Err(faults)
        }
    }
}

/// The streams that it is for: the one of this label, or all.
fn asked<'c>(config: &'c Config, label: Option<&str>) -> Result<Vec<&'c config::Stream>, String> {
    let Some(label) = label else { return Ok(config.streams.iter().collect()) };
    let stream = config.streams.labelled(label);
    stream.map(|one| vec![one]).ok_or_else(|| format!("--stream {label}: there is no such stream"))
}

/// The role that the gateway is configured to assume, where the policy is for one: it says what it is
/// called, in which account it is, and what must be said to assume it.
///
/// # Errors
/// When it is one that nobody assumes by a key, or not the same for all streams, with the same to say.
fn role<'c>(whom: Whom, asked: &[&'c config::Stream]) -> Result<Option<&'c Role>, String> {
    let mut first = None;
    for (place, stream) in asked.iter().enumerate() {
        let role = role_of(whom, stream).map_err(|fault| fault.to_string())?;
        if place == 0 {
            first = role;
        } else if role.map(assumed) != first.map(assumed) {
            let several = "--for role: the streams are not all for the same role and external id: say \
                           --stream";
            return Err(several.to_owned());
        }
    }
    Ok(first)
}

/// What tells the policies of roles apart.
fn assumed(role: &Role) -> (&str, Option<&str>) {
    (&role.arn, role.external_id.as_deref())
}

fn role_of(whom: Whom, stream: &config::Stream) -> Result<Option<&Role>, Fault> {
    if whom != Whom::Role {
        return Ok(None);
    }
    let source = &stream.credentials.source;
    if let KeySource::WebIdentity { role_arn, .. } = source {
        return Err(Fault::WebIdentity(role_arn.clone()));
    }
    Ok(source.role())
}

/// What the configuration says to assume the role. A service says nothing.
fn external_id(arguments: &Arguments, role: &Role) -> Option<ExternalId> {
    let says =
        !arguments.no_external_id && !matches!(arguments.principal, Some(Principal::Service(_)));
    ExternalId::parse(role.external_id.as_deref().filter(|_| says)?).ok()
}

/// Every stream of those `asked` for that is theirs, in the account of its role if nothing else is
/// said, and what is wrong with how they are named. Where something is, the stream stands for itself
/// with an account that nobody will see.
fn streams(
    config: &Config,
    arguments: &Arguments,
    asked: &[&config::Stream],
) -> (Vec<Stream>, Vec<Fault>) {
    let (whom, said) = (arguments.whom, arguments.account.as_ref());
    let records = asked.iter().map(|stream| {
        let key = match stream.target {
            StreamTarget::Name(_) => "name",
            StreamTarget::Arn(_) => "arn",
        };
        (format!("{}.{key}", stream.called()), Holds::Records, *stream, &stream.target)
    });
    // They go with the key of the first stream, into its region.
    let first = asked.iter().find(|stream| stream.label == config.streams.first().label);
    let letters = first.zip(config.dead_letter.stream.as_ref()).map(|(first, target)| {
        ("dead_letter.stream".to_owned(), Holds::DeadLetters, *first, target)
    });
    let mut faults = Vec::new();
    let mut streams = Vec::new();
    let configured = records.chain(letters).filter(|(_, holds, ..)| whom.gets(*holds));
    for (key, holds, with, target) in configured {
        let region = &with.region;
        let role = role_of(whom, with).ok().flatten();
        let role = role.and_then(|role| RoleArn::parse(&role.arn));
        let account = said.or(role.as_ref().map(|role| &role.account));
        let arn = StreamArn::of(&key, target, region, account).unwrap_or_else(|fault| {
            faults.push(fault);
            let account = Account::Id("0".repeat(12));
            StreamArn { region: region.clone(), account, name: target.as_str().to_owned() }
        });
        streams.push(Stream { arn, holds });
    }
    let is_idle = |account: &&Account| !streams.iter().any(|one| one.arn.account == **account);
    faults.extend(said.filter(is_idle).map(|idle| Fault::AccountIdle(idle.to_string())));
    (streams, faults)
}
