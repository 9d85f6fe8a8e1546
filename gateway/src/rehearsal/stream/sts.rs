//! The token service: who a key stands for, and temporary keys for those who may assume a role.
//!
//! Without keys in the account it takes everybody's word, as the stream does, and the temporary keys
//! that it gives are as good as any.

mod role;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::action::Api;
use super::auth;
use super::faults::Clock;
use super::keys::{Account, Caller};
use super::names::ACCOUNT;
use super::refusal::Refusal;
use super::signature::Message;
use super::store::Moment;
use super::xml::{element, response};
pub use role::Role;
use role::{Session, Term};

/// Answers a request, with XML.
///
/// # Errors
///
/// The refusal that the service would answer with; then no key is given.
pub(super) fn answer(
    request: &Message<'_>,
    account: &mut Account,
    clock: Clock,
    now: Moment,
) -> Result<String, Refusal> {
    let form = Form::read(request.body);
    let action = form.text("Action");
    let now_there = auth::local_time(clock, now);
    let caller = |account: &mut Account| auth::caller(request, Api::Sts, account, clock, now);
    let result = match action {
        "GetCallerIdentity" => identity(&caller(account)?),
        "AssumeRole" => {
            let caller = caller(account)?;
            assume(&form, &caller, account, now_there)?
        }
        // Its token stands in for a signature.
        "AssumeRoleWithWebIdentity" => assume_by_token(&form, account, now_there)?,
        other => {
            let text = format!("Could not find operation {other} for version 2011-06-15");
            return Err(Refusal::new("InvalidAction", text));
        }
    };
    Ok(response(action, &result))
}

/// The parameters of a request.
struct Form(BTreeMap<String, String>);

impl Form {
    fn read(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }
}

fn identity(caller: &Caller) -> String {
    let user_id = match caller.principal.rsplit_once('/') {
        Some((_, session)) if caller.is_session => format!("AROALOCALROLE:{session}"),
        _ => "AIDALOCALUSER".to_owned(),
    };
    let parts = [("Arn", &*caller.principal), ("UserId", &user_id), ("Account", ACCOUNT)];
    parts.map(|(name, text)| element(name, text)).concat()
}

fn assume(
    form: &Form,
    caller: &Caller,
    account: &mut Account,
    now: Timestamp,
) -> Result<String, Refusal> {
    let (arn, term) = (form.text("RoleArn"), term(form)?);
    let trusting = |role: &&Role| role.trusts(&caller.key_id, form.get("ExternalId"));
    let Some(role) = account.roles.get(arn).filter(trusting) else {
        let who = &caller.principal;
        let text =
            format!("User: {who} is not authorized to perform: sts:AssumeRole on resource: {arn}");
        return Err(Refusal { status: 403, ..Refusal::new("AccessDenied", text) });
    };
    role.grants(term)?;
    if caller.is_session && term.0 > CHAINED_MAX {
        let text = "The requested DurationSeconds exceeds the 1 hour session limit for roles \
                    assumed by role chaining";
        return Err(validation(text));
    }
    Ok(enter(role.session(arn, form.text("RoleSessionName"), now, term), account))
}

fn assume_by_token(form: &Form, account: &mut Account, now: Timestamp) -> Result<String, Refusal> {
    let (arn, term) = (form.text("RoleArn"), term(form)?);
    let role =
        account.roles.get(arn).filter(|role| role.web_identity.is_some()).ok_or_else(|| {
            let text = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
            Refusal { status: 403, ..Refusal::new("AccessDenied", text) }
        })?;
    if role.web_identity.as_deref() != form.get("WebIdentityToken") {
        let text = "The ID Token provided is not a valid JWT. (You may see this error if you sent \
                    an Access Token)";
        return Err(Refusal::new("InvalidIdentityToken", text));
    }
    role.grants(term)?;
    Ok(enter(role.session(arn, form.text("RoleSessionName"), now, term), account))
}

/// Shortest session of any role: 15 minutes.
const SESSION_SECONDS_MIN: i64 = 900;
/// Longest session of any role: 12 hours.
const SESSION_SECONDS_MAX: i64 = 43_200;
/// Longest session of somebody who has a session.
const CHAINED_MAX: SignedDuration = SignedDuration::from_hours(1);

/// For how long a session is asked for, once all that can be checked without a role is checked.
fn term(form: &Form) -> Result<Term, Refusal> {
    let name = form.text("RoleSessionName");
    let is_fit = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !(2..=64).contains(&name.len()) || !name.chars().all(is_fit) {
        let rule = r"Member must satisfy regular expression pattern: [\w+=,.@-]{2,64}";
        return Err(constraint(name, "roleSessionName", rule));
    }
    let asked = form.get("DurationSeconds").unwrap_or("3600");
    // What is no number is too small.
    let seconds: i64 = asked.parse().unwrap_or_default();
    let rule = match seconds {
        ..SESSION_SECONDS_MIN => format!("greater than or equal to {SESSION_SECONDS_MIN}"),
        SESSION_SECONDS_MIN..=SESSION_SECONDS_MAX => {
            return Ok(Term(SignedDuration::from_secs(seconds)));
        }
        _ => format!("less than or equal to {SESSION_SECONDS_MAX}"),
    };
    Err(constraint(asked, "durationSeconds", &format!("Member must have value {rule}")))
}

fn constraint(value: &str, path: &str, rule: &str) -> Refusal {
    let text = "1 validation error detected: Value";
    validation(format!("{text} '{value}' at '{path}' failed to satisfy constraint: {rule}"))
}

fn validation(text: impl Into<String>) -> Refusal {
    Refusal::new("ValidationError", text)
}

/// Enters the key of a session, where keys are entered, and tells it to whom it was given.
fn enter(session: Session, account: &mut Account) -> String {
    let result = session.xml();
    if let Some(keys) = &mut account.keys {
        keys.insert(session.key_id, session.key);
    }
    result
}
