//! A policy, in IAM's grammar.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::Serializer;

/// The only version of the grammar that knows everything that is used here.
const VERSION: &str = "2012-10-17";

/// What is allowed, or who may assume a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Document {
    version: &'static str,
    /// At least one, each with a `Sid` of its own.
    #[serde(rename = "Statement")]
    pub statements: Vec<Statement>,
}

impl Document {
    /// Of these statements.
    #[must_use]
    pub fn new(statements: Vec<Statement>) -> Self {
        Self { version: VERSION, statements }
    }

    /// As JSON, with indents and without an end of line.
    #[must_use]
    pub fn json(&self) -> String {
        pretty(self)
    }

    /// Its length as IAM counts it: characters, without white space.
    #[must_use]
    pub fn chars(&self) -> usize {
        self.json().chars().filter(|c| !c.is_whitespace()).count()
    }
}

/// One permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    /// What it is for: letters and digits.
    pub sid: String,
    pub(super) effect: &'static str,
    /// Who is allowed; of a trust policy only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<Principals>,
    /// What they may do.
    #[serde(rename = "Action")]
    pub actions: Vec<&'static str>,
    /// To what: ARNs. Empty in a trust policy, which is about its role.
    #[serde(rename = "Resource", skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Only if all of it is true: by operator, and by the key that it compares.
    #[serde(rename = "Condition", skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: Conditions,
}

/// Operator, key, and the values of which one must be met.
pub(super) type Conditions = BTreeMap<&'static str, BTreeMap<&'static str, OneOrMore>>;

impl Statement {
    /// Allows `actions` on `resources`.
    pub(super) fn allow(
        sid: &str,
        actions: &[&'static str],
        resources: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            sid: sid.to_owned(),
            effect: "Allow",
            principal: None,
            actions: actions.to_vec(),
            resources: resources.into_iter().collect(),
            conditions: Conditions::new(),
        }
    }

    /// Only if `key` meets one of `values`, besides what it asks for already.
    pub(super) fn only_if(
        mut self,
        operator: &'static str,
        key: &'static str,
        values: impl IntoIterator<Item = String>,
    ) -> Self {
        let values = OneOrMore(values.into_iter().collect());
        self.conditions.entry(operator).or_default().insert(key, values);
        self
    }

    /// The same as JSON, to paste between the brackets of a policy's `Statement`.
    #[must_use]
    pub fn json(&self) -> String {
        pretty(self)
    }
}

/// Who is allowed to assume a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Principals {
    /// An account, a user, a role or a session.
    #[serde(rename = "AWS")]
    Aws(String),
    /// A service of AWS.
    Service(String),
}

/// Values: one is written without a list, as people do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOrMore(pub(super) Vec<String>);

impl Serialize for OneOrMore {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => serializer.serialize_str(one),
            values => serializer.collect_seq(values),
        }
    }
}

/// As JSON, with indents and without an end of line.
pub(super) fn pretty(policies: &impl Serialize) -> String {
    serde_json::to_string_pretty(policies).expect("a policy is made of strings")
}
