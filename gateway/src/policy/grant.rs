//! Who is allowed what.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use serde::Serialize;

use super::arn::{Account, KeyArn, Principal, StreamArn, partition};
use super::document::pretty;
use super::request::{Holds, Request, Stream, Trusted, Whom};
use super::{Document, Fault, Statement, statement};

/// Longest name of a user or a role, in characters (`CreateUser` in the API reference of IAM).
const NAME_CHARS_MAX: usize = 64;

/// What is allowed to whom. Every text is made of this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// To whom.
    pub whom: Whom,
    /// What their user, their role or their policy is called.
    pub name: String,
    /// Where their role is among the roles, if that was said: such as `/svc/`.
    pub path: Option<String>,
    /// A region in which the commands find the right partition.
    pub region: String,
    /// The account in which they are, if it is known: that of the role, or of all streams.
    pub account: Option<String>,
    /// What is allowed.
    pub permissions: Document,
    /// Who may assume the role, for those who get one.
    pub trust: Option<Document>,
    /// Who may assume the role, where the request says so.
    pub principal: Option<Principal>,
    /// Streams to create.
    pub streams: Vec<NewStream>,
    /// What whoever pastes it should know, in sentences.
    pub notes: Vec<String>,
}

/// A stream to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStream {
    /// Which.
    pub arn: StreamArn,
    /// What it is for.
    pub holds: Holds,
    /// With so many shards.
    pub shards: NonZeroU32,
    /// Encrypted with this key.
    pub key: Option<KeyArn>,
}

/// The texts of a role, for programs and people.
#[derive(Debug, Serialize)]
struct RoleDocuments<'g> {
    trust_policy: &'g Document,
    permissions_policy: &'g Document,
}

impl Grant {
    /// As JSON: the policy, and for a role `{"trust_policy": …, "permissions_policy": …}`.
    #[must_use]
    pub fn json(&self) -> String {
        let text = match &self.trust {
            None => self.permissions.json(),
            Some(trust_policy) => {
                let documents =
                    RoleDocuments { trust_policy, permissions_policy: &self.permissions };
                pretty(&documents)
            }
        };
        text + "\n"
    }
}

/// The least that serves a request.
///
/// # Errors
/// Everything that is wrong with it.
pub fn grant(request: &Request) -> Result<Grant, Vec<Fault>> {
    let Request { whom, streams, trusted, .. } = request;
    let account = account(request);
    let permissions = Document::new(permissions(request));
    let mut faults = faults(request);
    let (chars, chars_max) = (permissions.chars(), whom.chars_max());
    faults.extend((chars > chars_max).then_some(Fault::TooLong { chars, chars_max }));
    match trust(request, account.as_deref()) {
        Ok(trust) if faults.is_empty() => Ok(Grant {
            whom: *whom,
            name: name(request),
            path: request.role.as_ref().and_then(|role| role.path.clone()),
            region: region(streams).to_owned(),
            notes: notes(request, account.as_deref()),
            account,
            permissions,
            trust,
            principal: trusted.principal.clone(),
            streams: new_streams(request),
        }),
        trust => {
            faults.extend(trust.err());
            Err(faults)
        }
    }
}

/// What is wrong with a request, who is trusted left aside.
fn faults(request: &Request) -> Vec<Fault> {
    let Request { whom, streams, keys, shards, .. } = request;
    let mut faults = Vec::new();
    let partitions: BTreeSet<_> =
        streams.iter().map(|stream| partition(&stream.arn.region)).collect();
    if partitions.len() > 1 {
        faults.push(Fault::SeveralPartitions(partitions.into_iter().collect()));
    }
    let accounts = accounts(request);
    if request.role.is_none() && accounts.len() > 1 {
        faults.push(Fault::SeveralAccounts(accounts.into_iter().map(str::to_owned).collect()));
    }
    for key in keys {
        if !streams.iter().any(|stream| stream.arn.region == key.region()) {
            let (key, region) = (key.to_string(), key.region().to_owned());
            faults.push(Fault::KeyElsewhere { key, region });
        }
    }
    if shards.is_some() {
        let of_records = streams.iter().filter(|stream| stream.holds == Holds::Records).count();
        let is_any = streams.iter().any(|stream| stream.arn.account == Account::Any);
        faults.extend((!whom.is_gateway()).then_some(Fault::PlanForReader));
        faults.extend((of_records > 1).then_some(Fault::PlanForSeveral(of_records)));
        faults.extend(is_any.then_some(Fault::PlanForAny));
        faults.extend(elsewhere(request).map(|account| Fault::PlanElsewhere(account.to_owned())));
    }
    faults
}

/// The least that `whom` needs of `streams`, and what is of use where that was asked for.
fn permissions(request: &Request) -> Vec<Statement> {
    let Request { whom, streams, keys, with_optional, .. } = request;
    let arns: Vec<_> = streams.iter().map(|stream| stream.arn.clone()).collect();
    let (needed, useful) = match whom {
        Whom::User | Whom::Role => (statement::put(&arns), Some(statement::describe(&arns))),
        Whom::Consumer => (statement::read(&arns), Some(statement::subscribe(&arns))),
        Whom::Firehose => (statement::read_for_firehose(&arns), None),
    };
    let mut statements = vec![needed];
    statements.extend(useful.filter(|_| *with_optional));
    for (number, key) in (1..).zip(keys) {
        let encrypted: Vec<_> =
            arns.iter().filter(|arn| arn.region == key.region()).cloned().collect();
        let mut statement = match whom.is_gateway() {
            true => statement::encrypt(key, &encrypted),
            false => statement::decrypt(key, &encrypted),
        };
        if number > 1 {
            statement.sid += &number.to_string();
        }
        statements.push(statement);
    }
    statements
}

/// Who may assume the role, for those who get one.
fn trust(request: &Request, account: Option<&str>) -> Result<Option<Document>, Fault> {
    let Request { whom, streams, trusted, .. } = request;
    if *whom != Whom::Role && *trusted != Trusted::default() {
        return Err(Fault::NoRole);
    }
    let leave = match whom {
        Whom::User | Whom::Consumer => return Ok(None),
        Whom::Role => trust_of_role(trusted, region(streams))?,
        Whom::Firehose => statement::assume_for_firehose(account.ok_or(Fault::FirehoseAccount)?),
    };
    Ok(Some(Document::new(vec![leave])))
}

fn trust_of_role(trusted: &Trusted, region: &str) -> Result<Statement, Fault> {
    let Trusted { principal, external_id, without_external_id } = trusted;
    let principal = principal.as_ref().ok_or(Fault::PrincipalMissing)?;
    if principal.partition().is_some_and(|named| named != partition(region)) {
        return Err(Fault::PrincipalElsewhere(principal.clone(), region.to_owned()));
    }
    match (principal, external_id) {
        (Principal::Service(service), Some(_)) => Err(Fault::ExternalIdOfService(service.clone())),
        (Principal::Account(_) | Principal::Arn(_), None) if !without_external_id => {
            Err(Fault::ExternalIdMissing)
        }
        (_, external_id) => Ok(statement::assume(principal, region, external_id.as_ref())),
    }
}

/// The account of the role, or else of all streams, if it is one that is known.
fn account(request: &Request) -> Option<String> {
    if let Some(role) = &request.role {
        return role.account.id().map(str::to_owned);
    }
    let mut accounts = request.streams.iter().map(|stream| stream.arn.account.id());
    let first = accounts.next().flatten()?;
    accounts.all(|account| account == Some(first)).then(|| first.to_owned())
}

/// Those of the streams that take records, as far as they are known.
fn accounts(request: &Request) -> BTreeSet<&str> {
    let of_records = request.streams.iter().filter(|stream| stream.holds == Holds::Records);
    of_records.filter_map(|stream| stream.arn.account.id()).collect()
}

/// The account of a stream that is in another one than the configured role.
fn elsewhere(request: &Request) -> Option<&str> {
    let home = request.role.as_ref()?.account.id();
    let mut accounts = request.streams.iter().filter_map(|stream| stream.arn.account.id());
    accounts.find(|account| Some(*account) != home)
}

fn region(streams: &[Stream]) -> &str {
    streams.first().map_or("", |stream| &stream.arn.region)
}

/// What the role is called, or else `tidegate-<label>` and what they do with it, cut where IAM's limit
/// says.
fn name(request: &Request) -> String {
    if let Some(role) = &request.role {
        return role.name.clone();
    }
    let does = match request.whom {
        Whom::User | Whom::Role => "",
        Whom::Consumer => "-consumer",
        Whom::Firehose => "-firehose",
    };
    let chars = NAME_CHARS_MAX - "tidegate-".len() - does.len();
    format!("tidegate-{:.chars$}{does}", request.label)
}

/// What a policy alone does not do.
fn notes(request: &Request, account: Option<&str>) -> Vec<String> {
    let is_any = request.streams.iter().any(|stream| stream.arn.account == Account::Any);
    let notes = [
        (
            is_any,
            "the streams are named without an account, as asked: streams of these names in any account \
             that lets this one in are allowed",
        ),
        (
            elsewhere(request).is_some() || !is_any && account.is_none(),
            "a stream of another account than that of the user or role needs a resource policy there, \
             too (aws kinesis put-resource-policy), and must be configured by its ARN: a name is looked \
             for in the account of the key",
        ),
        (
            request.whom == Whom::Role
                && !matches!(request.trusted.principal, Some(Principal::Service(_))),
            "a trust policy is half of it: who assumes the role from another account must be allowed \
             sts:AssumeRole on it there, too",
        ),
        (
            !request.keys.is_empty(),
            "the policy of the KMS key must leave its use to IAM policies, as the default one does, or \
             allow this as well",
        ),
        (
            request.whom == Whom::Firehose,
            "what Firehose needs of its destination, such as a bucket, is not in here",
        ),
    ];
    let holding = notes.into_iter().filter(|(holds, _)| *holds);
    holding.map(|(_, note)| note.to_owned()).collect()
}

fn new_streams(request: &Request) -> Vec<NewStream> {
    let Request { streams, keys, shards, .. } = request;
    let Some(shards) = *shards else { return Vec::new() };
    let new = |stream: &Stream| NewStream {
        arn: stream.arn.clone(),
        holds: stream.holds,
        shards: match stream.holds {
            Holds::Records => shards,
            // What cannot be sent is rare, or something is wrong that shards do not mend.
            Holds::DeadLetters => NonZeroU32::MIN,
        },
        key: keys.iter().find(|key| key.region() == stream.arn.region).cloned(),
    };
    streams.iter().map(new).collect()
}
