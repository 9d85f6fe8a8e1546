//! `tidegate policy`: the least privilege for the configured streams, to paste.

use std::io::Write;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;

use shard_estimator::cli::planned_shards;
use tracing::info;

use super::{EXIT_CONFIGURATION, configuration, read_to_the_end};
use crate::config::{self, Config, KeySource, LetterStream, Role, StreamTarget};
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
    /// The label of the one stream that it is for, where several have keys of their own; all when not
    /// said. The stream of the dead letters goes with that of `dead_letter.with`.
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
    let first = asked.first().copied().unwrap_or(config.streams.first());
    let role = role_of(arguments.whom, first).map_err(|fault| vec![fault.to_string()])?;
    let arn = role.and_then(|role| RoleArn::parse(&role.arn));
    let (streams, unknown) = streams(config, arguments, &asked);
    faults.extend(unknown.iter().map(Fault::to_string));
    let granted = grant(&Request {
        whom: arguments.whom,
        role: arn,
        label: first.label.clone(),
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
        Ok(mut grant) if faults.is_empty() => {
            grant.notes.extend(note_of_role(arguments, first));
            grant.notes.extend(shards.and_then(|planned| unplanned(&asked, planned)));
            Ok(grant)
        }
        granted => {
            faults.extend(granted.err().iter().flatten().map(Fault::to_string));
            Err(faults)
        }
    }
}

/// The streams that it is for: the one of this label, or all, which then have one key.
fn asked<'c>(config: &'c Config, label: Option<&str>) -> Result<Vec<&'c config::Stream>, String> {
    let streams = &config.streams;
    if let Some(label) = label {
        let stream = streams.labelled(label).map(|one| vec![one]);
        return stream.ok_or_else(|| format!("--stream {label}: there is no such stream"));
    }
    if streams.iter().any(|stream| stream.credentials != streams.first().credentials) {
        let labels: Vec<_> = streams.iter().map(|stream| stream.label.as_str()).collect();
        return Err(format!(
            "the streams have keys of their own, and each owner gets a policy: say --stream with one of {}",
            labels.join(", ")
        ));
    }
    Ok(streams.iter().collect())
}

/// That the configuration says another number of shards than the plan.
fn unplanned(asked: &[&config::Stream], planned: NonZeroU32) -> Option<String> {
    let mut stated = asked.iter().filter_map(|one| Some((one.called(), one.shards?)));
    let (table, shards) = stated.find(|(_, shards)| *shards != planned.get())?;
    Some(format!(
        "{table}.shards says {shards} and the plan {planned}: a gateway paces by its own number until \
         answers show others"
    ))
}

/// The role that the gateway is configured to assume, where the policy is for one: it says what it is
/// called, in which account it is, and what must be said to assume it.
///
/// # Errors
/// When it is one that nobody assumes by a key.
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

/// What the configured role has to do with a policy that is not as it says.
fn note_of_role(arguments: &Arguments, stream: &config::Stream) -> Option<String> {
    let Role { arn, external_id, .. } = stream.credentials.source.role()?;
    let said = arguments.external_id.as_ref().map(ExternalId::as_str);
    match arguments.whom {
        Whom::User => Some(format!(
            "the gateway is configured to assume {arn}: that role's policies are written by --for role, \
             and the user whose key assumes it needs no more than sts:AssumeRole on it"
        )),
        Whom::Role if said.is_some() && said != external_id.as_deref() => Some(
            "stream.credentials.external_id says another than --external-id: the gateway is refused \
             until they are the same"
                .to_owned(),
        ),
        Whom::Role | Whom::Consumer | Whom::Firehose => None,
    }
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
    let letters = config.dead_letter.stream.iter().filter_map(|LetterStream { target, with }| {
        let with = asked.iter().find(|stream| stream.label == *with)?;
        Some(("dead_letter.stream".to_owned(), Holds::DeadLetters, *with, target))
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
