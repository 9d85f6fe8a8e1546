//! KMS keys.

use std::fmt;

use super::of_region;

/// The ARN of a customer's KMS key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyArn {
    text: String,
    region: String,
}

impl KeyArn {
    /// Reads `arn:<partition>:kms:<region>:<account>:key/<id>`.
    ///
    /// # Errors
    /// When it is something else; an alias says what to do instead, because a policy that names one
    /// allows nothing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let must = "must be the ARN of a key: arn:aws:kms:<region>:<account>:key/<id>";
        if text.contains("alias/") {
            let alias = text.rsplit(':').next().unwrap_or(text);
            return Err(format!(
                "{must}. An alias in a policy allows nothing: aws kms describe-key --key-id {alias} \
                 tells the ARN. The key aws/kinesis needs no statement: leave --kms out"
            ));
        }
        let (region, _, resource) = of_region(text, "kms").ok_or(must)?;
        let id = resource.strip_prefix("key/").ok_or(must)?;
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(must.to_owned());
        }
        Ok(Self { text: text.to_owned(), region: region.to_owned() })
    }

    /// The region whose streams it can encrypt.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }
}

impl fmt::Display for KeyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
