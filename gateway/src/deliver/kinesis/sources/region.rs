//! The region of an endpoint of STS, by its name.

use hyper::Uri;

/// Where tokens are made that belong to no region.
const GLOBAL: (&str, &str) = ("sts.amazonaws.com", "us-east-1");

/// How STS is called in names of hosts, before the region.
const SERVICES: [&str; 2] = ["sts", "sts-fips"];

/// The region that `endpoint` names, as `https://sts.eu-central-1.amazonaws.com` does and, with more
/// before it, a VPC endpoint. `None` of a name that says nothing of that, such as an alias.
pub(super) fn of(endpoint: &str) -> Option<String> {
    let endpoint: Uri = endpoint.parse().ok()?;
    let host = endpoint.host()?.to_ascii_lowercase();
    if host == GLOBAL.0 {
        return Some(GLOBAL.1.to_owned());
    }
    let mut labels = host.split('.');
    labels.find(|label| SERVICES.contains(label))?;
    labels.next().filter(|label| is_region(label)).map(str::to_owned)
}

/// `eu-central-1`, `us-gov-west-1`.
fn is_region(label: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    label.rsplit_once('-').is_some_and(|(words, number)| {
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        is_number && words.contains('-') && words.split('-').all(is_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_of_aws_says_its_region() {
        for (host, region) in [
            ("sts.eu-central-1.amazonaws.com", Some("eu-central-1")),
            ("STS.eu-central-1.amazonaws.com:443/", Some("eu-central-1")),
            ("sts.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("sts-fips.us-east-2.amazonaws.com", Some("us-east-2")),
            ("sts.us-gov-west-1.amazonaws.com", Some("us-gov-west-1")),
            ("sts.eu-west-1.api.aws", Some("eu-west-1")),
            ("vpce-0a-b.sts.ap-east-1.vpce.amazonaws.com", Some("ap-east-1")),
            ("sts.amazonaws.com", Some("us-east-1")),
            ("127.0.0.1:4566", None),
            ("sts.internal.example", None),
            ("sts", None),
        ] {
            assert_eq!(of(&format!("https://{host}")).as_deref(), region, "{host}");
        }
    }
}
